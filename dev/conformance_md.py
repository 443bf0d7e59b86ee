#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes docs/s3-conformance.md: every operation of S3 (and of IAM, STS, S3 Control as far as we have them), whether it is implemented, which clients were
seen to use it, and where the public suite says otherwise. From s3_op.def, policy_act.def, docs/results/clients.md and docs/results/conformance.md.

    dev/conformance_md.py            writes the page
    dev/conformance_md.py --check    exits 1 when the page is not what its sources say
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/s3-conformance.md"

HEAD = """# What of S3 is here

Made by `dev/conformance_md.py` from the table of operations (src/lib/s3/s3_op.def, src/lib/policy/policy_act.def), the clients' journeys
([results/clients.md](results/clients.md): what the record says they asked for) and the public suite ([results/conformance.md](results/conformance.md)).
Change it there. *yes*: implemented; a code: what an authorised caller gets instead.

"""


def operations():
    rows = []
    for line in (ROOT / "src/lib/s3/s3_op.def").read_text().splitlines():
        m = re.match(r'S3_OP\((\w+), "(\w+)", "([^"]*)", (\w+), "([^"]*)", (\w+), (\w+)\)', line)
        if m:
            level, method, sub, name, _, _, answer = m.groups()
            where = {"SERVICE": "/", "BUCKET": "/bucket", "OBJECT": "/bucket/key"}[level]
            query = "&".join(x for x in sub.split("&") if x and not x.startswith("h:"))
            headers = " ".join(x[2:] for x in sub.split("&") if x.startswith("h:"))
            rows.append((name, f"{method} {where}{'?' + query if query else ''}{' with ' + headers if headers else ''}", "yes" if answer == "NONE" else answer))
    for line in (ROOT / "src/lib/policy/policy_act.def").read_text().splitlines():
        m = re.match(r'POLICY_ACT\((\w+),\s*(\w+),\s*(\w+),\s*"([^"]*)"\)', line)
        if m and re.match(r"(iam|sts|s3):", m.group(4)):
            service = {"iam": "IAM", "sts": "STS", "s3": "S3 Control"}[m.group(4).split(":")[0]]
            rows.append((m.group(1), f"{service}", "yes"))
    return [r for r in rows if r[0] not in ("IamOrSts",)]


def clients():
    """{operation: [client, ...]}"""
    path, found, columns = ROOT / "docs/results/clients.md", {}, []
    if not path.exists():
        return found
    for line in path.read_text().splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if cells[0] == "operation":
            columns = cells[1:]
        elif columns and len(cells) == len(columns) + 1 and not cells[0].startswith("-"):
            names = []
            for c, n in zip(columns, cells[1:]):
                name = c.rsplit(",", 1)[0]
                if n != "-" and name not in names:
                    names.append(name)
            found[cells[0]] = names
    return found


def suite():
    path = ROOT / "docs/results/conformance.md"
    if not path.exists():
        return "The public suite has not been run yet.\n"
    text = path.read_text()
    return text[text.index("| stage |"):]


def page():
    used = clients()
    out = HEAD + "| operation | request | here | clients seen to use it |\n| --- | --- | --- | --- |\n"
    for name, request, here in operations():
        out += f"| {name} | {request} | {here} | {', '.join(used.get(name, [])) or '-'} |\n"
    return out + "\n## The public suite\n\nceph/s3-tests, the ids of tests/s3/suite/ids.tsv.\n\n" + suite()


def main():
    text = page()
    if "--check" in sys.argv:
        same = PAGE.exists() and PAGE.read_text() == text
        if not same:
            print("docs/s3-conformance.md is not what its sources say: dev/conformance_md.py", file=sys.stderr)
        return 0 if same else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
