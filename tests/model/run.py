#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the model of docs/spec/model.md with Spin: the protocol as it is holds, and each of its rules is needed.

  tests/model/run.py [--fast] [--only WORDS] [--write docs/results/model.md]

Two kinds of runs. `holds`: the protocol with all its rules, every state of the given bounds, no error allowed. `falls`: one rule
taken away, breadth first to the shortest counterexample; not to find one is a failure. Exit 0 only if every run ended so and each
rule 0 to 15 has at least one that falls. --fast: small bounds and one run a rule, for `make test`.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY_MIB = 3500
RUN_SECONDS_MAX = 240

# name, file, bounds, and whether `--fast` runs it.
HOLDS = [
    ("put, one write each", "put.pml", "OPS=1 MAY=31 BODIES=2", True),
    ("two operations each", "put.pml", "OPS=2 MAY=27", False),
    ("fronts die, power cut", "put.pml", "OPS=2 KILL_GATE=0 KILL_KEEPER=0 KILL_POWER=1 KILL_FRONT=1 MAY=27", False),
    ("COMMIT sent again, power cut", "put.pml", "OPS=2 KILL_GATE=0 KILL_KEEPER=0 KILL_POWER=1 MAY=43", False),
    ("COMMIT sent again, only the keeper refuses it", "put.pml", "OPS=2 LESS=1 NO_GATE_TICKETS MAY=43", False),
    ("each dies twice", "put.pml", "OPS=1 BODIES=2 MAY=31 KILL_GATE=2 KILL_KEEPER=2 KILL_FRONT=2 KILL_POWER=1", False),
    ("two keys and LIST, all kinds of death", "put.pml", "OPS=1 KEYS=2 MAY=127 KILL_FRONT=1 KILL_POWER=1", False),
    ("two keys and LIST, three operations", "put.pml", "OPS=2 LESS=1 KEYS=2 MAY=75", False),
    ("versions, two gate deaths, power cut", "put.pml", "VERSIONED OPS=1 MAY=143 KILL_POWER=1 KILL_GATE=2", False),
    ("versions, two operations each", "put.pml", "VERSIONED OPS=2 MAY=139", False),
    ("versions and LIST of two keys", "put.pml", "VERSIONED OPS=2 LESS=1 KEYS=2 MAY=202 KILL_GATE=0", True),
    ("everything ends once nothing dies", "put.pml", "SERVED OPS=1 KILL_POWER=1", False),
    ("hello", "hello.pml", "", True),
    ("batch", "batch.pml", "", True),
    ("two logs", "twologs.pml", "READS=3 CONTROLS=3", True),
    ("grants", "grants.pml", "", True),
    ("grants, two writes, three segments", "grants.pml", "WRITES=2 SEGS=3 BUDGET=5", False),
]

# rule, flag, file, bounds, what goes wrong, and whether `--fast` runs it.
FALLS = [
    (0, "NO_HOLD", "put.pml", "KILL_GATE=0 KILL_KEEPER=0", "two writes decide on one FIND; a read is accused", False),
    (1, "NO_ORDER", "put.pml", "KEYS=2 OPS=1 MAY=2", "the watermark passes a command that was lost; it is answered as done", True),
    (2, "NO_WATERMARK", "put.pml", "MAY=10 KILL_KEEPER=0", "an acknowledged PUT is sent again after a later write and voided", True),
    (2, "NO_WATERMARK", "put.pml", "MAY=10 KILL_GATE=0", "a DELETE that took effect is refused when sent again, and voided", False),
    (2, "NO_REFUSAL_ROW", "put.pml", "OPS=1", "a refusal is forgotten and answered as done: no effect and no void", False),
    (3, "NO_KEEPER_DECIDES", "put.pml", "OPS=1 MAY=2", "a lost connection is taken for a refusal; the effect stands and is voided", True),
    (3, "NO_WAIT_FOR_KEEPER", "put.pml", "OPS=1 KILL_GATE=0", "answered when the leaf is durable; the body is lost, the void accuses the answer", False),
    (4, "NO_VOID_HOLD", "put.pml", "MAY=3 KILL_GATE=0", "a read stands between the refusal and its void", True),
    (4, "NO_VOIDS_FIRST", "put.pml", "MAY=2", "a new write stands before recovery's void, which then reverts the wrong state", False),
    (5, "NO_MARK_WAITS", "put.pml", "OPS=1 KILL_GATE=2", "the mark passes a refused leaf, the void is lost: no effect and no void", False),
    (6, "NO_SYNC_GATE", "put.pml", "KILL_POWER=1 OPS=1 KILL_KEEPER=0 MAY=2", "a leaf read back from the page cache is applied: an effect without a leaf", True),
    (6, "NO_SYNC_KEEPER", "put.pml", "KILL_POWER=1 OPS=1 KILL_GATE=0", "the keeper answers from what it read back, not from what is synced", False),
    (7, "NO_KEEPER_AGE", "hello.pml", "", "a keeper older than the log serves what it has", True),
    (7, "NO_LOG_AGE", "hello.pml", "", "a log older than the keeper gives out its leaf numbers again", True),
    (8, "NO_FIND_AGAIN", "put.pml", "MAY=3 KILL_KEEPER=0 KILL_GATE=0", "a whole write overtakes a read between its FIND and its leaf", True),
    (9, "NO_LIST_AS_OF", "put.pml", "OPS=1 MAY=66 KILL_GATE=0 KILL_KEEPER=0 KEYS=2", "a listing is judged at a place where it was not made", True),
    (9, "NO_ONE_SNAPSHOT", "put.pml", "OPS=1 MAY=66 KILL_GATE=0 KILL_KEEPER=0 KEYS=2", "two slices of one listing show two moments", False),
    (10, "NO_ONE_COMMIT", "put.pml", "MAY=34 KILL_GATE=0 KILL_KEEPER=0", "two leaves adopt one blob; the second sends it to the grave", True),
    (11, "NO_CLAIM", "put.pml", "OPS=1 KILL_FRONT=1 KILL_GATE=0 KILL_KEEPER=0", "a front's death drops bytes that a batch has taken", True),
    (12, "NO_PURGE_SYNC", "put.pml", "KILL_POWER=1 MAY=26 KILL_GATE=0 KILL_KEEPER=0", "bytes are removed, the batch that released them is lost: visible without bytes", True),
    (13, "NO_BATCH_HOLDS", "batch.pml", "", "an older batch deletes what a newer PUT wrote", True),
    (13, "NO_ONE_APPLY", "batch.pml", "", "killed between the parts: the second is never done", False),
    (13, "NO_SORTED_HOLDS", "batch.pml", "", "two batches wait for each other's keys", False),
    (14, "NO_DECIDE_AGAIN", "twologs.pml", "", "a read under a right whose end has been answered", True),
    (14, "NO_DECISION_MOVES", "twologs.pml", "", "the leaf names a control log that gives another decision", False),
    (14, "NO_ONE_WAL", "twologs.pml", "", "a leaf names control leaves that a power cut took", False),
    (15, "NO_DECIDE_EACH", "grants.pml", "", "a stream goes on behind the revocation of its grant", True),
    (15, "NO_ACC_AT_APPEND", "grants.pml", "", "a read under a grant is judged at a place where it does not stand", False),
    (15, "NO_COUNT_IN_TURN", "grants.pml", "", "two streams spend the same budget", False),
    (15, "NO_METER", "grants.pml", "", "a front that ignores the revocation holds keys of the whole object", False),
    (15, "NO_LOOK_AT_RELEASE", "grants.pml", "", "a segment goes out when the approver has the answer", False),
    (15, "NO_DURABLE_REVOKE", "grants.pml", "", "a revocation that was answered is lost with the power", False),
]
# Not a rule but its edge, shown so that nobody takes it for covered.
EDGES = [
    (7, "YOUNG_COPY", "hello.pml", "", "a keeper's copy younger than the durable mark is not noticed by hello: an acknowledged write is voided, in the open", False),
]


def flags(bounds):
    return ["-D" + word for word in bounds.split()]


def check(file, bounds, breadth_first, live, optimise="-O2"):
    """Gives {errors, states, depth, seconds, fell, complete} of one run."""
    work = tempfile.mkdtemp(prefix="tillit-model-")
    begin = time.monotonic()
    try:
        made = subprocess.run(["spin", *flags(bounds), "-a", os.path.join(HERE, file)], cwd=work, capture_output=True, text=True)
        if made.returncode != 0 or not os.path.exists(os.path.join(work, "pan.c")):
            return {"errors": -1, "fell": made.stdout + made.stderr, "states": 0, "seconds": 0, "depth": 0, "complete": False}
        how = ["-DNFAIR=3"] if live else ["-DSAFETY", "-DNOFAIR"]
        how += ["-DBFS"] if breadth_first else ["-DCOLLAPSE"]
        subprocess.run(["gcc", optimise, "-w", f"-DMEMLIM={MEMORY_MIB}", *how, "-o", "pan", "pan.c"], cwd=work, check=True)
        run = ["nice", "./pan", "-m20000"] + (["-a", "-f"] if live else []) + ([] if breadth_first or live else ["-w24"])
        try:
            out = subprocess.run(run, cwd=work, capture_output=True, text=True, timeout=RUN_SECONDS_MAX).stdout
        except subprocess.TimeoutExpired:
            return {"errors": -1, "fell": f"no end within {RUN_SECONDS_MAX} s", "states": 0, "seconds": RUN_SECONDS_MAX, "depth": 0, "complete": False}
    finally:
        shutil.rmtree(work, ignore_errors=True)
    number = lambda pattern: int(float((re.search(pattern, out) or [0, "-1"])[1]))
    fell = re.search(r"pan:1: (.*)", out)
    bad = re.search(r"(max search depth too small|out of memory|memory limit|hash-table full|Search not completed|error: [^0-9].*)", out)
    errors = number(r"errors: (\d+)")
    # A counterexample ends the search early, which is no fault of the search.
    return {"errors": errors if out else -1, "states": number(r"([\d.e+]+) states, stored"), "depth": number(r"depth reached (\d+)"),
            "seconds": time.monotonic() - begin, "fell": fell[1] if fell else (bad[1] if bad else ""), "complete": not bad or errors > 0}


def short(text):
    """The assertion, without Spin's own words, fit for a table cell."""
    text = re.sub(r"^assertion violated\s*", "", text)
    return re.sub(r"\s*\(at depth \d+\)$", "", text).replace("|", "\\|").strip()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--fast", action="store_true")
    p.add_argument("--only", default="", help="runs whose name, flag or file has this in it")
    p.add_argument("--write", help="the results as a page")
    a = p.parse_args()
    for tool in ("spin", "gcc"):
        if not shutil.which(tool):
            print(f"{tool} is missing: apt-get install {tool}", file=sys.stderr)
            return 3
    begin, bad, holds, falls, edges = time.monotonic(), [], [], [], []

    def wanted(*words):
        return any(a.only in word for word in words)

    for name, file, bounds, fast in HOLDS:
        if (a.fast and not fast) or not wanted(name, file):
            continue
        r = check(file, bounds, False, "SERVED" in bounds.split(), "-O0" if a.fast else "-O2")
        ok = r["errors"] == 0 and r["complete"]
        holds.append((name, file, bounds, r))
        print(f"{'holds' if ok else 'FAILED':6} {r['states']:>9} states {r['seconds']:6.1f} s  {name}" + ("" if ok else f": {r['fell']}"), flush=True)
        if not ok:
            bad.append(name)
    for rule, flag, file, bounds, wrong, fast, edge in [(*x, False) for x in FALLS] + [(*x, True) for x in EDGES]:
        if (a.fast and not fast) or not wanted(flag, file):
            continue
        r = check(file, f"{flag} {bounds}", True, False, "-O0" if a.fast else "-O2")  # with so few states the compiler is what takes time
        ok = r["errors"] == 1
        (edges if edge else falls).append((rule, flag, file, bounds, wrong, r))
        print(f"{'falls' if ok else 'FAILED':6} {r['states']:>9} states {r['seconds']:6.1f} s  {'edge of ' if edge else ''}rule {rule} {flag}: "
              + (f"{wrong} [{short(r['fell'])}]" if ok else f"no counterexample ({r['fell']})"), flush=True)
        if not ok:
            bad.append(f"rule {rule} {flag}")
    rules = {x[0] for x in falls if x[5]["errors"] == 1}
    missing = [] if a.only or a.fast else sorted(set(range(16)) - rules)
    bad += [f"rule {r} has no counterexample" for r in missing]
    if a.write:
        write(a.write, holds, falls, edges)
    print(f"model: {len(holds)} runs hold, {len(falls)} fall, {len(rules)} rules shown, {time.monotonic() - begin:.0f} s"
          + (f"; FAILED: {', '.join(bad)}" if bad else ""))
    return 1 if bad else 0


def write(path, holds, falls, edges):
    version = subprocess.run(["spin", "-V"], capture_output=True, text=True).stdout.strip()
    gcc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True).stdout.strip()
    row = lambda *cells: "| " + " | ".join(str(c) for c in cells) + " |"
    lines = ["# What the model checker said", "",
             f"Made by `tests/model/run.py --write docs/results/model.md` with {version} and gcc {gcc}. What is modelled, and the flags: docs/spec/model.md.", "",
             "All rules on; every state within the bounds, depth first, no error:", "",
             row("run", "file", "bounds", "states", "depth", "s"), row(*["---"] * 6)]
    lines += [row(n, f, f"`{b}`" if b else "", r["states"], r["depth"], f"{r['seconds']:.1f}") for n, f, b, r in holds]
    head = [row("rule", "flag", "bounds", "what goes wrong", "assertion that fell", "steps", "states", "s"), row(*["---"] * 8)]
    cells = lambda table: [row(n, f"`{g}`", f"{f} `{b}`" if b else f, w, f"`{short(r['fell'])}`", r["depth"], r["states"], f"{r['seconds']:.1f}")
                           for n, g, f, b, w, r in table]
    lines += ["", "One rule off; breadth first to the shortest counterexample:", "", *head, *cells(falls)]
    lines += ["", "Beyond the rules (a counterexample is expected, and is what docs/spec/model.md says of the edge):", "", *head, *cells(edges)]
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
