#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that the attack tests can fail: each is run as it is (green), then once under each of its breaks (red).

  tests/attacks_red.py [--build DIR] [--only SUBSTRING] [--jobs N]

A test that carries @attack (tests/lib/attack.py) names its breaks and the words it fails with. Red counts only when the test's own
assertion failed with those words; a crash of the harness, a hang or another failure is printed as what it is. Exit 0 only if every
attack of NEEDED was green and every one of its breaks turned it red.
"""
import argparse
import concurrent.futures
import multiprocessing
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
NEEDED = ["01", "02", "03", "05", "06", "08", "09", "10", "11", "14", "15", "16", "17", "19", "20", "21", "22", "24", "31", "32", "34", "35", "37", "37b", "38", "P2.01"]


def child(title, function, build, red, pipe):
    from lib.attack import Held
    from lib.case import Case, Skip
    os.setpgid(0, 0)
    case = Case(title, build, False)
    case.red = red
    try:
        function(case)
        result = ("passed", "")
    except Skip as why:
        result = ("skipped", str(why))
    except Held as e:
        result = ("held", str(e))
    except BaseException as e:
        # Other folders' tests may say it with a plain assertion; then the words decide.
        said = type(e) is AssertionError and red_words(function, red) in str(e)
        result = ("held", str(e)) if said else ("fell", traceback.format_exc() + case.evidence())
    try:
        case.close()
    finally:
        pipe.send(result)
        pipe.close()


def red_words(function, red):
    return dict(function.reds).get(red, "\0") if red else "\0"


def run(title, function, build, red):
    receive, send = multiprocessing.Pipe(False)
    p = multiprocessing.Process(target=child, args=(title, function, build, red, send))
    begin = time.monotonic()
    p.start()
    send.close()
    try:
        result = receive.recv() if receive.poll(getattr(function, "limit_seconds", 120)) else ("fell", "no end within its limit")
    except EOFError:
        result = ("fell", "the test process died")
    p.join(20)
    if p.is_alive():
        p.terminate()
        p.join(5)
    try:
        os.killpg(p.pid, 9)
    except (ProcessLookupError, PermissionError):
        pass
    return (*result, time.monotonic() - begin)


def verdict(function, red, result, text):
    """(good, what the table says, detail)"""
    if red is None:
        return result == "passed", "green" if result == "passed" else result, text
    words = red_words(function, red)
    if result == "held" and words in text:
        return True, "red", text.splitlines()[0]
    return False, "STAYED GREEN" if result == "passed" else "red for another reason", text


def main():
    from run import discover
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(HERE, "..", "build-test"))
    p.add_argument("--only", default="")
    p.add_argument("--jobs", type=int, default=2)
    a = p.parse_args()
    build = os.path.abspath(a.build)
    tests = [(t, f) for t, f in discover(a.only) if hasattr(f, "attack")]
    work = [(t, f, red) for t, f in tests for red in [None] + [r for r, _ in f.reds]]
    good = {}
    print(f"{'attack':7} {'break':24} {'':24} test")
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        done = pool.map(lambda w: (w, run(w[0], w[1], build, w[2])), work)
        for (title, function, red), (result, text, seconds) in done:
            ok, word, detail = verdict(function, red, result, text)
            good.setdefault(function.attack, []).append(ok)
            print(f"{function.attack:7} {red or '-':24} {word:24} {title} ({seconds:.1f} s)", flush=True)
            if not ok or red:
                print("\n".join("        " + line[:300] for line in detail.splitlines()[:1 if ok else 60]), flush=True)
    missing = [n for n in NEEDED if n not in good] if not a.only else []
    bad = [n for n in sorted(good) if not all(good[n])]
    for n in missing:
        print(f"{n:7} there is no test of this attack")
    print(f"{len(good) - len(bad)} of {len(NEEDED) if not a.only else len(good)} attacks failed as they must and were seen red under their breaks"
          + (f"; not: {', '.join(bad + missing)}" if bad or missing else ""))
    return 1 if bad or missing or not good else 0


if __name__ == "__main__":
    sys.exit(main())
