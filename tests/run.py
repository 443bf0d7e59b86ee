#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the integration tests: every function test_* in tests/{scenario,clients,foreign,attack,crash,s3}/test_*.py.

  tests/run.py [--build DIR] [--only SUBSTRING] [--list] [--keep]

A test is a function with one argument, the Case: a fresh directory, a log, helpers. Its doc string's first line says what a user
would say. `@rows("P3.01")` names the promise rows it shows (`partly=` names the part). `@needs("go>=1.24")` skips it by name where the
machine lacks something. Each test runs in a process of its own with a time limit, so that a hung server fails one test, not the run.
Results go to BUILD/results/py.json; the last line is `N passed, N failed, N skipped`.
"""
import argparse
import importlib.util
import json
import multiprocessing
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
FOLDERS = ["scenario", "clients", "foreign", "attack", "crash", "s3"]


def discover(only):
    found = []
    for folder in FOLDERS:
        top = os.path.join(HERE, folder)
        if not os.path.isdir(top):
            continue
        for name in sorted(os.listdir(top)):
            if not (name.startswith("test_") and name.endswith(".py")):
                continue
            path = os.path.join(top, name)
            spec = importlib.util.spec_from_file_location(f"{folder}_{name[:-3]}", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            for key, value in sorted(vars(module).items(), key=lambda kv: getattr(getattr(kv[1], "__code__", None), "co_firstlineno", 0)):
                if key.startswith("test_") and callable(value) and getattr(value, "__module__", "") == module.__name__:
                    title = f"{folder}/{name[5:-3]}/{key[5:]}"
                    if not only or only in title:
                        found.append((title, value))
    return found


def run_one(title, function, build, keep, queue):
    from lib.case import Case, Skip
    os.setpgid(0, 0)
    case = Case(title, build, keep)
    try:
        function(case)
        queue.put(("passed", ""))
    except Skip as why:
        queue.put(("skipped", str(why)))
    except BaseException:
        queue.put(("failed", traceback.format_exc() + case.evidence()))
    finally:
        case.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(HERE, "..", "build-test"))
    p.add_argument("--only", default="")
    p.add_argument("--list", action="store_true")
    p.add_argument("--keep", action="store_true", help="leave each test's directory")
    a = p.parse_args()
    build = os.path.abspath(a.build)
    tests = discover(a.only)
    if a.list:
        print("\n".join(t for t, _ in tests))
        return 0
    results, counts = [], {"passed": 0, "failed": 0, "skipped": 0}
    for title, function in tests:
        begin = time.monotonic()
        queue = multiprocessing.SimpleQueue()
        child = multiprocessing.Process(target=run_one, args=(title, function, build, a.keep, queue))
        child.start()
        limit = getattr(function, "limit_seconds", 120)
        while child.is_alive() and time.monotonic() - begin < limit and queue.empty():
            child.join(0.02)
        if not queue.empty():
            result, text = queue.get()
            child.join(20)
        else:
            result, text = "failed", f"no result within {limit} s, or the test process died (exit {child.exitcode})"
        if child.is_alive():
            child.terminate()
            child.join(5)
        try:
            os.killpg(child.pid, 9)
        except ProcessLookupError:
            pass
        counts[result] += 1
        seconds = time.monotonic() - begin
        rows = getattr(function, "promise_rows", [])
        results.append({"name": title, "row": rows, "partly": getattr(function, "promise_partly", {}), "result": result,
                        "seconds": round(seconds, 2), "why": text.splitlines()[0] if result == "skipped" and text else ""})
        print(f"{result:8} {seconds:6.1f} s  {title}" + (f"  ({text})" if result == "skipped" else ""), flush=True)
        if result == "failed":
            print("\n".join("    " + line for line in text.splitlines()), flush=True)
    os.makedirs(os.path.join(build, "results"), exist_ok=True)
    with open(os.path.join(build, "results", "py.json"), "w") as f:
        json.dump({**counts, "tests": results}, f, indent=1)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
