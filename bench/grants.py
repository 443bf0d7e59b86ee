# SPDX-License-Identifier: Apache-2.0
"""The rows of make bench about grants: what a request under one costs the gate beside an own one, in process and through the access front, with nothing
else in the state and with many people and grants (bench/state.c makes and signs them), and how long a start takes with those."""
import os
import statistics
import subprocess
import time

from core import built, words
from measure import Signer, cpu_seconds, first_answer, send, write_requests

GRANTS = 32                                        # two connections each: METER_SEGMENTS_MAX of a grant are released at once
KEYS = 64
SECONDS = 20                                       # of signatures of each key under each grant, in each round: none is taken twice
PERSONS, PAST, LIVE = 10000, 100000, 1000


class Grants:
    """Its own stores; rows go to bench.row()."""

    def __init__(self, bench):
        self.bench, self.case = bench, bench.case
        self.open()

    def open(self):
        """A store with a bucket of small objects, and sessions of as many grants."""
        from lib.people import People               # beside tests/lib/case.py
        self.s = self.case.store()
        self.attach()
        self.must("PUT", "/bench")
        small = os.urandom(4096)
        for i in range(KEYS):
            self.must("PUT", f"/bench/k{i:07d}", small)
        self.people = People(self.s)
        self.people.purpose()
        ines = self.people.person("ines")
        self.people.person("mats", roles=["manager"])
        self.sessions = []
        for _ in range(GRANTS):
            r = self.people.granted(ines, "bench", prefix="k", objects=10**9, bytes=10**15, duration=8 * 3600000)
            self.sessions.append(self.people.login(r, ines))

    def attach(self):
        port = lambda name: int(self.s.endpoints[name].rsplit(":", 1)[1].split("/")[0])
        self.port, self.access = port("s3"), port("s3_access")
        self.pids = [p for p, _ in self.s.pids()]
        self.gate = [p for p, k in self.s.pids() if k == "gate"]
        self.own = Signer(*self.s.credentials, self.s.info["region"], f"127.0.0.1:{self.port}")

    def must(self, method, path, body=b""):
        status = send(self.port, self.own.request(method, path, body))[0]
        if status != 200:
            raise SystemExit(f"bench: {method} {path} answered {status}\n{self.s.log_tail(20)}")

    def granted_requests(self, name, first):
        """GETs of all keys under all grants in turn, signed for the seconds from `first` on: ahead, as what was signed before the gate started is refused."""
        signers = [Signer(x["AccessKeyId"], x["SecretAccessKey"], self.s.info["region"], f"127.0.0.1:{self.access}") for x in self.sessions]
        token = [[("x-amz-security-token", x["SessionToken"])] for x in self.sessions]
        return write_requests(self.case.path(name), (signers[g].request("GET", f"/bench/k{i:07d}", seconds_ago=-s, extra=token[g])
                                                     for s in range(first, first + SECONDS) for i in range(KEYS) for g in range(GRANTS)))

    def gate_us(self, port, path, seconds=1.5, most=GRANTS * KEYS * SECONDS):
        """(CPU of the gate per request, requests a second)"""
        before = cpu_seconds(self.gate)
        r = self.bench.load(port, 2 * GRANTS, seconds, path, most)
        return (cpu_seconds(self.gate) - before) * 1e6 / r["requests"], r["requests"] / r["seconds"]

    def measured(self, first):
        """Medians of rounds that take turns: own, use: µs of the gate's CPU; more: between the two; rate: under grants. next: seconds that were not signed for."""
        own = write_requests(self.case.path("own"), (self.own.request("GET", f"/bench/k{i:07d}", seconds_ago=first + s) for s in range(300) for i in range(KEYS)))
        got = []
        for n in range(1 + min(3, self.bench.args.rounds)):             # the first warms up
            use = self.granted_requests("use", first + n * SECONDS)
            a, b = self.gate_us(self.port, own), self.gate_us(self.access, use)
            got.append({"own": a[0], "use": b[0], "rate": b[1], "more": b[0] - a[0], "next": first + (n + 1) * SECONDS})
        got = got[1:]
        return {k: statistics.median(g[k] for g in got) if k != "next" else got[-1][k] for k in got[0]}

    def for_profile(self, first):
        path = self.granted_requests("use", first)
        return lambda: self.bench.load(self.access, 2 * GRANTS, 3, path, GRANTS * KEYS * SECONDS)

    def fill(self):
        """The large state, written while nothing serves the store."""
        program = built(self.bench.build, "bench-state")
        begin = time.monotonic()
        out = subprocess.run([program, self.s.dir, self.people.officer.path, self.people.owner.path,
                              self.people.tenant, "bench", str(PERSONS), str(PAST), str(LIVE)], capture_output=True, text=True)
        if out.returncode:
            raise SystemExit(f"bench: {out.stderr}")
        self.leaves = int(out.stdout.split()[3])
        print(f"       {PERSONS} persons, {PAST} past and {LIVE} live grants in {time.monotonic() - begin:.0f} s", flush=True)

    def restart(self):
        """Seconds from the start behind a kill -9 to the first GET that is answered."""
        self.s.kill_all()
        took = first_answer(self.s, self.port, self.own.request("GET", "/bench/k0000000"))
        self.attach()
        return took

    def in_process(self):
        us = words(self.bench.build, "bench-grants")
        self.bench.row("grant-decision", "a request under a grant: its decision, leaf and fold, beyond an own request's decision and leaf", 3, us["use"] - us["own"], "µs",
                       f"{us['use']:.2f} µs against {us['own']:.2f}; CPU in process, no I/O")
        self.bench.row("grant-state", f"the same with {PERSONS} persons, {PAST} past and {LIVE} live grants against a state with one", 1.2, us["use-full"] / us["use"], "x",
                       f"{us['use-full']:.2f} µs against {us['use']:.2f}, each request under another grant than the one before; an own request "
                       f"{us['own-full']:.2f} against {us['own']:.2f}")

    def run(self):
        self.in_process()
        empty = self.measured(1)
        self.bench.row("grant-gate", f"GET 4 KiB through the access front under {GRANTS} grants, {2 * GRANTS} connections: the gate's CPU beyond an own GET's", 3, empty["more"], "µs",
                       f"{empty['use']:.1f} µs against {empty['own']:.1f}: a second message for each segment and a log of its own included; {empty['rate']:.0f}/s",
                       self.for_profile(empty["next"]), self.pids)
        self.s.stop()
        self.open()                                 # without the leaves of the requests before
        self.s.stop()
        self.fill()
        self.s.start()
        self.attach()
        took = statistics.median(self.restart() for _ in range(min(3, self.bench.args.rounds)))
        self.bench.row("grant-restart", "restart after kill -9 with that state, to the first signed GET", 1.0, took, "s", f"the control log's {self.leaves} leaves are folded")
        full = self.measured(10)
        self.bench.row("grant-gate-state", f"the same with {PERSONS} persons, {PAST} past and {LIVE} live grants against a state with {GRANTS} grants", 1.2, full["use"] / empty["use"], "x",
                       f"{full['use']:.1f} µs against {empty['use']:.1f}; an own GET {full['own']:.1f} against {empty['own']:.1f}")

    def close(self):
        self.s.stop()
