#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A customer revokes a grant while its person downloads: how long bytes still come to the client, and what a front that ignores it can still open.

  tests/revoke.py [--runs 100] [--build build] [--seed N] [--no-results]

Runs take every kind of client in turn, http and https, an object in one blob and one in parts; beside each fifth of them one with a hostile front
(tests/lib/revoking.py). The last line is `worst N ms at the client, worst N bytes past the revocation`; exit 0 only if that is at most 1000 ms and 8 MiB,
every connection was reset, and nothing was released behind a revocation's leaf. Writes docs/results/revoke.md when all of it was run.
"""
import argparse
import datetime
import os
import platform
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)
from lib.case import Case  # noqa: E402
from lib.revoking import BLOB, KINDS, MIB, PARTS, Revoking, client_run, hostile_run  # noqa: E402

MS_MAX, BYTES_MAX = 1000, 8 * MIB
RESULTS = os.path.join(ROOT, "docs", "results", "revoke.md")
WHAT = {"slow": "reads 1 MB/s, its buffers full", "ten": "ten ranges at once, as fast as it can", "ten slow": "ten ranges at once, 1 MB/s each",
        "fast": "one stream, as fast as it can", "curl": "curl 20 MB/s", "aws": "aws s3 cp"}


def wrong_with(run):
    if run.ms > MS_MAX:
        return f"last byte {run.ms:.0f} ms after the acknowledgement"
    if not run.reset:
        return f"not reset: {run.ends}"
    return None if run.closed else "a stream was not known to be closed when the revocation was answered"


def wrong_with_hostile(h):
    if h.past > BYTES_MAX:
        return f"{h.past} bytes opened past the revocation"
    if h.behind:
        return f"{h.behind} bytes released behind the revocation's leaf"
    if h.closed is not False:
        return "the answer does not say that streams were not closed"
    bad = [r for r in h.refused if r[1:3] != ("ANSWER", 403)]
    return f"asked anew and not refused: {bad}" if bad or len(h.refused) != 5 else None


def table(clients, hostile):
    rows = ["| client | | runs | last byte after the acknowledgement, worst | median | read by the client in all | its kernel held, most |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for kind in KINDS:
        for tls in (False, True):
            mine = sorted((r for r in clients if (r.kind, r.tls) == (kind, tls)), key=lambda r: r.ms)
            if mine:
                held = max(r.held for r in mine)
                rows.append(f"| {WHAT[kind]} | {'https' if tls else 'http'} | {len(mine)} | {round(mine[-1].ms)} ms | {round(mine[len(mine) // 2].ms)} ms | "
                            f"{sum(r.bytes for r in mine) / MIB:.0f} MiB | {f'{held // 1024} KiB' if held else '-'} |")
    rows += ["", "| a front that ignores KILL | object | runs | opened past the revocation, worst | opened before, all runs |", "| --- | --- | ---: | ---: | ---: |"]
    for how, text in (("lies", "says of each segment at once that the client has it"), ("holds", "says nothing, keeps its keys and opens them then")):
        for key in (BLOB, PARTS):
            mine = [h for h in hostile if (h.how, h.key) == (how, key)]
            if mine:
                rows.append(f"| {text} | {'one blob' if key == BLOB else 'parts'} | {len(mine)} | {max(h.past for h in mine)} B | {sum(h.before for h in mine) // MIB} MiB |")
    return rows


def write_results(runs, seed, clients, hostile, verdict):
    head = ["# Revocation, measured", "",
            "Written by `make revoke` (tests/revoke.py). A customer's approver revokes a grant while its person downloads 256 MiB; time runs from when the answer to the",
            "statement was read to when the client's program read its last byte, by one clock; negative: before the answer. Every run has a grant of its own, half of",
            "them read an object in one blob, half one in parts. Socket buffers are the system's own. All connections were reset. A hostile front asks ten ranges at",
            "once and then the whole, again and again; it goes on after KILL and asks anew on a new connection. Past the revocation is what any key opens that came behind",
            "its leaf, or was not said to be sent when it was written; each such key was tried on the stored bytes.", "",
            "A reset takes nothing back from the client's own kernel: its program still reads what lies there (last column), and somebody who asks for a larger receive",
            "buffer, or reads fast and then slowly, finds up to that much there, seconds later by the program's clock. None of it comes from the store.", "",
            "| | |", "| --- | --- |",
            f"| date | {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC |",
            f"| machine | {platform.machine()}, {os.cpu_count()} cores, kernel {platform.release()}, load average {os.getloadavg()[2]:.1f} |",
            f"| runs | {runs} with clients, {len(hostile)} with a hostile front; seed {seed} |", f"| verdict | {verdict}; the bars are {MS_MAX} ms and {BYTES_MAX} bytes |", ""]
    with open(RESULTS, "w") as f:
        f.write("\n".join(head + table(clients, hostile)) + "\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--runs", type=int, default=100)
    p.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    p.add_argument("--no-results", action="store_true")
    a = p.parse_args()
    case = Case("revoke", os.path.abspath(a.build), False)
    clients, hostile, wrong, numbers = [], [], [], random.Random(a.seed)
    try:
        x = Revoking(case.store())
        kinds = [(kind, tls) for kind in KINDS for tls in (False, True)]
        for i in range(a.runs):
            kind, tls = kinds[i % len(kinds)]
            run = client_run(x, kind, tls, (BLOB, PARTS)[i // len(kinds) % 2], numbers.random())
            clients.append(run)
            said = wrong_with(run)
            print(f"{i + 1:4} {kind:9} {'https' if tls else 'http ':5} {run.ms:7.1f} ms  {run.bytes / MIB:7.1f} MiB  {said or ''}", flush=True)
            wrong += [said] if said else []
            if i % 5 == 0:
                h = hostile_run(x, ("lies", "holds")[i // 5 % 2], (BLOB, PARTS)[i // 10 % 2])
                hostile.append(h)
                said = wrong_with_hostile(h)
                print(f"{'':4} hostile, {h.how:6} {h.past:8} bytes past, {h.before // MIB} MiB before, {h.killed} KILLs ignored  {said or ''}", flush=True)
                wrong += [said] if said else []
    finally:
        case.close()
    verdict = f"worst {max(0, max(r.ms for r in clients)):.0f} ms at the client, worst {max(h.past for h in hostile)} bytes past the revocation"
    if a.runs >= 100 and not a.no_results and not wrong:
        write_results(a.runs, a.seed, clients, hostile, verdict)
    for w in wrong:
        print("wrong:", w)
    print(verdict)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
