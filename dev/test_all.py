#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs all tests of build-test/ and sums them. Usage: dev/test_all.py [--build DIR] [--only unit,corpus,dev,python]

Every cmocka case, every corpus, every check of dev/ and every Python test counts as one. The sum is the last line; the
single results go to build-test/results/all.json, from which dev/status.py makes the table of promises.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNIT_TIMEOUT_S = 300
PYTHON_TIMEOUT_S = 3600


class Sum:
    def __init__(self):
        self.tests = []

    def add(self, name, result, output="", row=()):
        self.tests.append({"name": name, "row": list(row), "result": result})
        if result == "failed":
            print(f"FAILED {name}")
            for line in output.strip().splitlines()[-30:]:
                print(f"    {line}")

    def count(self, result):
        return sum(test["result"] == result for test in self.tests)


def run(command, timeout, **more):
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=timeout, **more)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        return -1, "", f"no end after {timeout} s"


def parse_tap(text):
    """[(name, result)] and how many the plan promised."""
    results, planned = [], 0
    for line in text.splitlines():
        if plan := re.match(r"1\.\.(\d+)", line):
            planned += int(plan[1])
        elif case := re.match(r"(not )?ok\b(?: \d+)?(?: -)? ?(.*)", line):
            skipped = "# SKIP" in line
            name = case[2].replace("# SKIP", "").strip()
            results.append((name, "skipped" if skipped else "failed" if case[1] else "passed"))
    return results, planned


def run_cmocka(test):
    env = {**os.environ, **test["env"], "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    code, out, err = run(test["cmd"], UNIT_TIMEOUT_S, env=env)
    cases, planned = parse_tap(out)
    found = [(f"{test['name']}: {name}", result, out + err) for name, result in cases]
    # A crash, or an exit before the last case, is a failure that no case of its own tells about.
    if len(cases) < planned or not cases or (code != 0 and all(result != "failed" for _, result in cases)):
        found.append((f"{test['name']}: ended with code {code} after {len(cases)} of {planned} cases", "failed", out + err))
    return found


def run_plain(test):
    code, out, err = run(test["cmd"], UNIT_TIMEOUT_S, env={**os.environ, **test["env"]})
    return [(test["name"], "passed" if code == 0 else "failed", out + err)]


def run_meson_tests(total, build, suites):
    done = subprocess.run(["meson", "introspect", "--tests", str(build)], capture_output=True, text=True, check=True)
    tests = [test for test in json.loads(done.stdout) if any(name.split(":")[-1] in suites for name in test["suite"])]
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        runs = [pool.submit(run_cmocka if any(name.endswith("unit") for name in test["suite"]) else run_plain, test) for test in tests]
        for one in runs:
            for name, result, output in one.result():
                total.add(name, result, output)


def run_dev_checks(total, build):
    checks = {
        "tidy": ["/usr/bin/python3", "dev/tidy.py", "--strict", "--build", str(build)],
        "docs/spec/wire.md is current": ["/usr/bin/python3", "dev/gen_wire_md.py", "--check"],
    }
    for name, command in checks.items():
        code, out, err = run(command, UNIT_TIMEOUT_S)
        total.add(name, "passed" if code == 0 else "failed", out + err)
    for script in sorted((ROOT / "dev").glob("*_test.py")):
        code, out, err = run(["/usr/bin/python3", "-m", "unittest", "-v", script.stem], UNIT_TIMEOUT_S, env={**os.environ, "PYTHONPATH": "dev"})
        cases = re.findall(r"^(\w+) \(.*?\)(?:\n.*?)? \.\.\. (ok|FAIL|ERROR|skipped)", err, re.M)
        for name, result in cases:
            total.add(f"{script.stem}: {name}", {"ok": "passed", "skipped": "skipped"}.get(result, "failed"), err)
        if not cases or (code != 0 and all(result in ("ok", "skipped") for _, result in cases)):
            total.add(f"{script.stem}: ended with code {code}", "failed", err)


def run_python_tests(total, build):
    script = ROOT / "tests/run.py"
    if not script.exists():
        return
    result_file = build / "results/py.json"
    result_file.unlink(missing_ok=True)
    # Its output goes to the screen as it comes: these tests are slow enough that one wants to see them move.
    try:
        code = subprocess.run(["/usr/bin/python3", str(script), "--build", str(build)], cwd=ROOT, timeout=PYTHON_TIMEOUT_S).returncode
    except subprocess.TimeoutExpired:
        code = -1
    if not result_file.exists():
        total.add(f"tests/run.py ended with code {code} and without results", "failed")
        return
    results = json.loads(result_file.read_text())
    for test in results["tests"]:
        result = {"ok": "passed", "pass": "passed", "fail": "failed", "skip": "skipped"}.get(test["result"], test["result"])
        total.add(test["name"], result if result in ("passed", "skipped") else "failed", row=test.get("row", []))
    if code != 0 and results["failed"] == 0:
        total.add(f"tests/run.py ended with code {code}", "failed")


def main():
    parser = argparse.ArgumentParser(description="Runs all tests and sums them.")
    parser.add_argument("--build", default=str(ROOT / "build-test"))
    parser.add_argument("--only", default="dev,unit,corpus,python")
    arguments = parser.parse_args()
    build, only = pathlib.Path(arguments.build).resolve(), set(arguments.only.split(","))
    (build / "results").mkdir(parents=True, exist_ok=True)
    total = Sum()
    if "dev" in only:
        run_dev_checks(total, build)
    if only & {"unit", "corpus"}:
        run_meson_tests(total, build, only)
    if "python" in only:
        run_python_tests(total, build)
    passed, failed, skipped = (total.count(result) for result in ("passed", "failed", "skipped"))
    document = {"passed": passed, "failed": failed, "skipped": skipped, "tests": total.tests}
    (build / "results/all.json").write_text(json.dumps(document, indent=1) + "\n")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
