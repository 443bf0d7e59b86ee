#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of gate, keeper, a worker and nginx's master in turn, at random moments, under a mixed load.

  tests/crash/kill.py [--rounds 200] [--build build] [--seed N] [--threads 3] [--wide 4] [--break NAME] [--keep]

After each kill a client of its own asks until it has a 200: that is the time to serve again. At the end the whole store is killed
once more and started, and then everything that any client was told must be in the log and in the store. The last line is
`lost N, unrecorded N, unvoided N, p95 N ms`; exit 0 only if these are 0, the log tools find nothing and p95 is at most 1000 ms.

lost: acknowledged, and voided or not there or other bytes. unrecorded: an answer or an effect without its leaf. unvoided: a write
leaf with neither its effect nor a void.
"""
import argparse
import collections
import contextlib
import os
import random
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from crash.judge import judge  # noqa: E402
from crash.load import Load, body_of  # noqa: E402
from crash.wide import PlainClient, SharingClient, WideClient  # noqa: E402
from lib.case import Case  # noqa: E402

TARGETS = ["gate", "keeper", "worker", "nginx"]
WIDE = [WideClient, PlainClient, SharingClient, SharingClient]
P95_MS_MAX = 1000
BACK_SECONDS_MAX = 20
QUIET_S = (0.02, 0.6)                   # of load between a store that serves again and the next kill
SMALL_PARTS = "\n[s3]\npart_min_bytes = 1\n"       # so that many uploads fit into the time between two kills
SECOND_PART = 0.2                       # of the rounds kill another process while the first one's successor starts
SECOND_S = (0, 0.15)


def first_200(load, begin):
    """Milliseconds from the kill to the first 200, asking again and again on new connections; None after too long."""
    prober, key = load.prober, load.prober.keys[0]
    while time.monotonic() - begin < BACK_SECONDS_MAX:
        put = prober.random.random() < 0.5
        before = len(prober.journal.lines)
        if put:
            prober.serial += 1
            prober.write("PUT", key, body_of(prober.serial, 1000), [])
        else:
            prober.read("GET", key, "GET", prober.path(key), [])
        new = prober.journal.lines[before:]
        if new and new[0]["status"] == 200:
            return (time.monotonic() - begin) * 1000
    return None


def count(store):
    return collections.Counter(name for _, name in store.pids())


def wait_whole(store, whole):
    """Until each process that died has its successor, so that each round kills one that was at work."""
    end = time.monotonic() + BACK_SECONDS_MAX
    while time.monotonic() < end:
        have = count(store)
        if all(have[name] >= n for name, n in whole.items()):
            return True
        time.sleep(0.005)
    return False


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("inf")


def run(case, rounds, seed, threads=3, say=print, targets=TARGETS, breaks=(), wide=4):
    """Gives (verdict, {target: [ms, ...]}); a kill that nobody recovers from is in verdict.other."""
    chance = random.Random(seed)
    store = case.store(config=SMALL_PARTS)
    whole = count(store)
    load = Load(store, "kill-bucket", threads, seed, wide=[WIDE[i % len(WIDE)] for i in range(wide)])
    load.prober.write("PUT", load.prober.keys[0], body_of(load.prober.serial, 1000), [])
    if breaks:
        store.breaks(*breaks)
    load.start()
    times, faults = collections.defaultdict(list), []
    order, seconds = [], collections.Counter()
    for i in range(rounds):
        if not order:
            order = chance.sample(targets, len(targets))
        target = order.pop()
        time.sleep(chance.uniform(*QUIET_S))
        victims = store.pids(target)
        if not victims:
            faults.append(f"round {i}: no {target} to kill")
            break
        pid = chance.choice(victims)[0]
        begin = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        if chance.random() < SECOND_PART:
            time.sleep(chance.uniform(*SECOND_S))
            other = chance.choice([x for x in store.pids() if x[1] in targets] or [(pid, target)])
            with contextlib.suppress(ProcessLookupError):
                begin = time.monotonic()
                os.kill(other[0], signal.SIGKILL)
            seconds[other[1]] += 1
        ms = first_200(load, begin)
        if ms is None:
            faults.append(f"round {i}: no 200 within {BACK_SECONDS_MAX} s of killing {target}\n" + store.log_tail(30))
            break
        times[target].append(ms)
        load.round += 1
        if not wait_whole(store, whole):
            faults.append(f"round {i}: not all are started again: {count(store)}\n" + store.log_tail(30))
            break
        if ms > P95_MS_MAX or (i + 1) % 20 == 0:
            say(f"round {i + 1}: {target} back in {ms:.0f} ms, {len(load.told)} answers, {load.unsure} unsure", file=sys.stderr, flush=True)
    load.stop()
    if breaks:
        store.breaks()
    store.kill_all()
    store.start()
    verdict = judge(store, load)
    verdict.other += faults
    kinds = collections.Counter(f"{x['kind']} {x['status']}" for x in [*load.told, *load.told_wide])
    say(", ".join(f"{n} {k}" for k, n in sorted(kinds.items())), file=sys.stderr, flush=True)
    say(f"{len(load.told)} answers and {len(load.told_wide)} of the wide load, {load.unsure} requests without a sure answer, "
        + ", ".join(f"{t} killed {len(times[t])} times (p50 {percentile(times[t], 0.5):.0f} ms, most {max(times[t], default=0):.0f} ms)" for t in targets)
        + f", and {sum(seconds.values())} times another one at once",
        file=sys.stderr, flush=True)
    return verdict, times


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=200)
    p.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"))
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--threads", type=int, default=3)
    p.add_argument("--wide", type=int, default=4, help="clients with versions, uploads in parts, copies and the control log, besides the --threads")
    p.add_argument("--break", dest="breaks", action="append", default=[], help="with this break of the test build on: must not end clean")
    p.add_argument("--keep", action="store_true", help="leave the store's directory")
    a = p.parse_args()
    print(f"seed {a.seed}, {a.rounds} rounds", file=sys.stderr)
    case = Case("make-kill", os.path.abspath(a.build), a.keep)
    try:
        verdict, times = run(case, a.rounds, a.seed, a.threads, breaks=a.breaks, wide=a.wide)
        for line in verdict.lines():
            print(line, file=sys.stderr)
        p95 = percentile([ms for t in times.values() for ms in t], 0.95)
        short = [t for t in TARGETS if len(times[t]) < a.rounds // len(TARGETS)]
        if short:
            print(f"too few kills of {', '.join(short)}", file=sys.stderr)
        if not verdict.clean and a.keep:
            print(f"left in {case.dir}", file=sys.stderr)
        print(f"lost {len(verdict.lost)}, unrecorded {len(verdict.unrecorded)}, unvoided {len(verdict.unvoided)}, p95 {p95:.0f} ms")
        return 0 if verdict.clean and p95 <= P95_MS_MAX and not short else 1
    finally:
        case.close()


if __name__ == "__main__":
    sys.exit(main())
