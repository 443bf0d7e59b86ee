#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says which promises hold: docs/promises.tsv joined with the results of the last test run.

    dev/status.py            prints the table
    dev/status.py --readme   rewrites the table in README.md between its markers
    dev/status.py --check    exits 1 when README.md claims something else

A row is kept when the tree claims it whole and at least one test named after it ran and every one of them passed; kept in
part when a part is named. A claim without a passing test counts for nothing, and neither does a test without a claim.
"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMISES = ROOT / "docs/promises.tsv"
RESULTS = ROOT / "build-test/results/all.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- status: written by dev/status.py -->", "<!-- end of status -->"


def read_promises(text):
    rows = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        number, leap, promise, claim = line.split("\t")
        if claim not in ("-", "whole") and not claim.startswith("part: "):
            raise ValueError(f"{number}: the claim is neither -, whole nor part: '{claim}'")
        rows.append({"id": number, "leap": leap == "leap", "promise": promise, "claim": claim})
    return rows


def state(row, tests):
    """kept, in part, failing or not yet; and the words that go with it."""
    named = [test for test in tests if row["id"] in test.get("row", [])]
    ran = [test for test in named if test["result"] in ("passed", "failed")]
    if row["claim"] == "-":
        return "not yet", ""
    if not ran:
        return "not yet", "claimed, but no test of it ran"
    if any(test["result"] == "failed" for test in ran):
        return "failing", ", ".join(test["name"] for test in ran if test["result"] == "failed")
    return ("kept", "") if row["claim"] == "whole" else ("in part", row["claim"].removeprefix("part: "))


def joined():
    tests = json.loads(RESULTS.read_text())["tests"] if RESULTS.exists() else []
    return [(row, *state(row, tests)) for row in read_promises(PROMISES.read_text())]


def summary(rows):
    counts = {name: sum(found == name for _, found, _ in rows) for name in ("kept", "in part", "failing", "not yet")}
    text = f"{counts['kept']} kept, {counts['in part']} in part, {counts['not yet']} not yet, of {len(rows)}"
    return text + (f"; {counts['failing']} FAILING" if counts["failing"] else "")


def as_text(rows):
    lines = []
    for row, found, words in rows:
        promise = row["promise"] + (" [leap]" if row["leap"] else "")
        lines.append(f"{row['id']:7}{found:9}{promise}" + (f" ({words})" if words else ""))
    return "\n".join([*lines, "", summary(rows)])


def as_markdown(rows):
    """What is kept or in part by name, the rest as a count for each section: a list of absences is no use on a front page."""
    lines = [BEGIN, f"{summary(rows)} (`make status` prints every row).", "", "| row | state | promise |", "| --- | --- | --- |"]
    for row, found, words in rows:
        if found != "not yet":
            lines.append(f"| {row['id']} | {found}{': ' + words if words else ''} | {row['promise']} |")
    return "\n".join([*lines, END])


def readme_with(text, table):
    if BEGIN not in text or END not in text:
        raise ValueError(f"README.md has no place for the table: put '{BEGIN}' and '{END}' on lines of their own")
    return text[:text.index(BEGIN)] + table + text[text.index(END) + len(END):]


def main(arguments):
    rows = joined()
    if not arguments:
        print(as_text(rows))
        if not RESULTS.exists():
            print("no test results yet: run make test", file=sys.stderr)
        return 0
    if arguments not in (["--readme"], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    old = README.read_text()
    new = readme_with(old, as_markdown(rows))
    if arguments == ["--readme"]:
        README.write_text(new)
    elif old != new:
        print("README.md does not say what the tests say: run dev/status.py --readme", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
