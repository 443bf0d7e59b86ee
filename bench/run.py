#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench: measures every row of the table of speed and memory and writes docs/results/bench.md.

Ratios are taken within one run on the same cores, the reference directly before ours; medians of ROUNDS. CPU is utime + stime of all our
processes (serve, gate, keeper, steward, nginx's master and workers). A losing row is printed like any other; it gets a profile and its
next step. usage: bench/run.py [--build DIR] [--quick] [--rounds N] [--only WORD] [--no-profiles]; --quick leaves out what needs 10^6 objects.
"""
import argparse
import base64
import concurrent.futures
import datetime
import hashlib
import importlib.util
import os
import resource
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import core  # noqa: E402
import grants  # noqa: E402
import measure  # noqa: E402
from measure import ROOT, Signer, Static, cpu_seconds, first_answer, get_requests, load, pss_mib, put_requests, receive, send, tree_bytes, write_requests  # noqa: E402

MIB = 1 << 20
BIG = 64 * MIB
OBJECTS = 1000000
KEYS = 64
GET_SECONDS = 300

# Why a row is lost and what comes next; printed with the profile of a row that misses its bar.
NEXT = {
    "get-cpu": "half of it is the kernel's, for two more hops than a static file has. Next: read and answer several client connections before each "
               "write to the gate, so that gate and keeper see larger turns; what the gate itself spends is the row below.",
    "gate-cpu": "no single thing is left that is large. By profiles of about 12 µs: four commitments 1.2 µs, three opened parts of the entry 1.1 µs, leaf, tree "
                "and WAL chain hashes 0.6 µs, the signature 0.5 µs, the sealed opening 0.4 µs; system calls, syncs and wake-ups are a third, the rest is many "
                "small copies and comparisons. Next: one sealed part in the entry instead of three (a format change), low-level SHA-256 instead of EVP for "
                "short input (43 instead of 65 ns for 32 B), one buffer instead of copies from request to chunk to batch.",
    "put-cpu": "sixteen connections give batches of five to seven, and each batch pays three syncs (the gate's WAL, a pack, the index's WAL) of about 40 µs "
               "of system time each; the rest is hand-overs between processes and threads (1.7 to 2 context switches per PUT in gate and in keeper). "
               "Next: zero-filled packs and an index WAL of fixed size, whose syncs then write no inode, and fewer messages per PUT.",
    "put-latency": "sixteen hops between five threads and processes and two syncs in a row. Next: an index WAL of fixed size, whose sync is then as short as the reference.",
    "versions": "read the profile's first lines: nothing of a key's history should be looked at.",
    "flood": "requests of all tenants share the workers' and the gate's turns; a tenant's share is bounded only by what the front lets in at once.",
    "grant-gate": "the decision itself, its leaf and its fold are the row grant-decision (2 µs); the rest is a message more for each segment (NEXT: sent, the next in line "
                  "goes on), seven commitments instead of four, the session's token compared with the kept one, and smaller batches: two segments of a grant are out at "
                  "once. Next: NEXT sent with the front's next message, and the leaf's texts written once for a stream.",
    "grant-restart": "the control log is folded from its first leaf, 4 to 6 µs of CPU each, a third of it on a thread that reads ahead. Next: a snapshot of the fold, "
                     "sealed with the log's head, so that a start reads only what came after it.",
    "delete-others": "by a profile of these three seconds all processes, on one core here, are busy with a batch of 1000 for 11 to 15 ms of each 200, so that a GET in "
                     "a hundred meets one: two thirds of the keeper's commit thread are RocksDB putting a slice's rows into its memtable, under which the keeper's own "
                     "look-ups for others wait for the core. Next: slices of a fixed time instead of a fixed count, and the commit thread below the loops in priority.",
    "get-large": "half is TCP's copy to the client. Next: larger writes per wake-up of the reader.",
    "put-large": "four fifths are the digests that the bar counts too. Next: MD5 and SHA-256 of one piece while it is in the first-level cache.",
}


def case_module():
    spec = importlib.util.spec_from_file_location("case", os.path.join(ROOT, "tests", "lib", "case.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Bench:
    def __init__(self, args):
        self.beside = ""
        self.args, self.rows, self.build = args, [], os.path.abspath(args.build)
        self.case = case_module().Case("bench", self.build, False)
        self.store = self.case.store()
        self.attach()
        self.small = os.urandom(4096)
        self.static = Static(self.case.path("static"), 2, free_port(), self.small)
        self.static_requests = write_requests(self.case.path("static-get"), [b"GET /object HTTP/1.1\r\nHost: x\r\n\r\n"])
        self.must(self.sign("PUT", "/bench"))
        for i in range(KEYS):
            self.must(self.sign("PUT", f"/bench/k{i:07d}", self.small))
        self.gets = get_requests(self.case.path("gets"), self.signer(), "/bench/k", KEYS, GET_SECONDS)

    # -- the store ----------------------------------------------------------------------------------------------------------------

    def attach(self):
        port = lambda name: int(self.store.endpoints[name].rsplit(":", 1)[1].split("/")[0])
        self.port, self.tls_port = port("s3"), port("s3_tls")
        self.tls = ssl.create_default_context(cafile=self.store.info["ca_cert"])
        self.tls.check_hostname = False
        self.named = [(self.store.process.pid, "serve")] + self.store.pids()
        self.pids = [p for p, _ in self.named]

    def signer(self, tls=False):
        return Signer(*self.store.credentials, self.store.info["region"], f"127.0.0.1:{self.tls_port if tls else self.port}")

    def sign(self, method, path, body=b"", **kw):
        return self.signer().request(method, path, body, **kw)

    def must(self, raw):
        status, n, took = send(self.port, raw)
        if not 200 <= status < 300:
            raise SystemExit(f"bench: {raw.split(b' HTTP')[0].decode()} answered {status}\n{self.store.log_tail(20)}")
        return n, took

    def of(self, kind):
        return [p for p, k in self.named if k == kind]

    def cpu(self, run, pids=None):
        """(what run() gave, CPU seconds of all our processes, CPU seconds by kind)"""
        before = {p: cpu_seconds([p]) for p in self.pids}
        result = run()
        spent = {p: cpu_seconds([p]) - before[p] for p in self.pids}
        kinds = {}
        for p, k in self.named:
            kinds[k] = kinds.get(k, 0) + spent[p]
        return result, sum(spent.values()), kinds

    def load(self, port, connections, seconds, path, most=None, allow_bad=False):
        r = load(self.build, port, connections, seconds, path, most)
        if r["bad"] and not allow_bad:
            raise SystemExit(f"bench: {r['bad']} answers were not 2xx, one of them {r['bad_status']}\n{self.store.log_tail(20)}")
        return r

    def static_us(self, seconds=2):
        before = cpu_seconds(self.static.pids())
        r = load(self.build, self.static.port, 64, seconds, self.static_requests)
        return (cpu_seconds(self.static.pids()) - before) * 1e6 / r["requests"]

    def reference(self):
        out = subprocess.run([os.path.join(self.build, "bench", "bench-reference"), self.case.dir], capture_output=True, text=True, check=True).stdout
        return {line.split()[0]: float(line.split()[1]) for line in out.splitlines()}

    # -- rows -----------------------------------------------------------------------------------------------------------------------

    def row(self, key, what, bar, value, unit, detail, run=None, pids=None):
        met = value <= bar
        self.rows.append({"key": key, "what": what, "bar": bar, "value": value, "unit": unit, "detail": detail, "met": met, "profile": None})
        print(f"{'met   ' if met else 'MISSED'} {key:16} {value:8.2f} {unit:5} (bar {bar:g})  {detail}", flush=True)
        if not met and run and not self.args.no_profiles:
            name = f"docs/results/profiles/{key}.txt"
            os.makedirs(os.path.dirname(os.path.join(ROOT, name)), exist_ok=True)
            measure.profile(pids or self.pids, run, os.path.join(ROOT, name))
            self.rows[-1]["profile"] = name

    def rounds(self, one):
        """one() gives a dict of numbers; the medians over the rounds."""
        got = [one() for _ in range(self.args.rounds)]
        return {k: statistics.median(g[k] for g in got) for k in got[0]}

    def wanted(self, word):
        return not self.args.only or self.args.only in word

    def get_many(self):
        self.load(self.port, 64, 2, self.gets)

        def one():
            static = self.static_us()
            r, cpu, kinds = self.cpu(lambda: self.load(self.port, 64, 3, self.gets))
            each = lambda x: x * 1e6 / r["requests"]
            return {"static": static, "all": each(cpu), "ratio": each(cpu) / static, "gate": each(kinds["gate"]), "gate_ratio": each(kinds["gate"]) / static,
                    "keeper": each(kinds["keeper"]), "worker": each(kinds["worker"]), "rate": r["requests"] / r["seconds"], "p50": r["p50_us"]}
        m = self.rounds(one)
        run = lambda: self.load(self.port, 64, 5, self.gets)
        self.row("get-cpu", "GET 4 KiB, 64 connections, http: CPU per request against nginx static", 2.5, m["ratio"], "x",
                 f"{m['all']:.1f} µs (gate {m['gate']:.1f}, workers {m['worker']:.1f}, keeper {m['keeper']:.1f}) against {m['static']:.1f} µs; "
                 f"{m['rate']:.0f}/s, p50 {m['p50'] / 1000:.2f} ms", run)
        self.row("gate-cpu", "gate's CPU per decision at 64 in flight against nginx's per static GET", 0.45, m["gate_ratio"], "x",
                 f"{m['gate']:.1f} µs against {m['static']:.1f} µs", run)

    def get_later(self):
        """The same GETs when the index's rows no longer lie in memory but in files: beside the table, without a bar."""
        def one():
            static = self.static_us()
            r, cpu, kinds = self.cpu(lambda: self.load(self.port, 64, 2, self.gets))
            return {"ratio": cpu * 1e6 / r["requests"] / static, "keeper": kinds["keeper"] * 1e6 / r["requests"]}
        m = self.rounds(one)
        self.beside = f"GET 4 KiB at 64 connections after all those PUTs, when the index reads from files and no longer from memory: {m['ratio']:.2f} x, keeper {m['keeper']:.1f} µs."
        print("       " + self.beside, flush=True)

    def one_connection(self):
        # Not behind the million GETs before: the flusher writes their flat files for a while, and the disk is the same for all.
        self.settled_bytes()
        puts = iter(range(10**6))

        def one():
            raw = self.reference()["fdatasync_p50_us"]
            get = self.load(self.port, 1, 1.5, self.gets)["p50_us"]
            n = next(puts)
            path = put_requests(self.case.path("puts1"), self.signer(), "/bench/one-", n * 6000, 6000, self.small)
            again = self.reference()["fdatasync_p50_us"]
            put = self.load(self.port, 1, 1.5, path, 6000)["p50_us"]
            return {"raw": raw, "again": again, "get": get, "put": put, "get_ratio": get / raw, "put_ratio": put / again}
        m = self.rounds(one)
        self.row("get-latency", "GET 4 KiB at 1 connection: p50 against one raw fdatasync", 3.5, m["get_ratio"], "x", f"{m['get']:.0f} µs against {m['raw']:.0f} µs",
                 lambda: self.load(self.port, 1, 4, self.gets))
        path = put_requests(self.case.path("puts1"), self.signer(), "/bench/two-", 0, 20000, self.small)
        self.row("put-latency", "PUT 4 KiB at 1 connection: p50 against one raw fdatasync", 6.5, m["put_ratio"], "x", f"{m['put']:.0f} µs against {m['again']:.0f} µs",
                 lambda: self.load(self.port, 1, 4, path, 20000))

    def put_many(self):
        number = iter(range(10**6))

        def requests(count):
            return put_requests(self.case.path("puts16"), self.signer(), "/bench/many-", next(number) * 100000, count, self.small)

        def one():
            static, path = self.static_us(1.5), requests(40000)
            r, cpu, kinds = self.cpu(lambda: self.load(self.port, 16, 2.5, path, 40000))
            each = lambda x: x * 1e6 / r["requests"]
            return {"static": static, "all": each(cpu), "ratio": each(cpu) / static, "gate": each(kinds["gate"]), "keeper": each(kinds["keeper"]),
                    "worker": each(kinds["worker"]), "rate": r["requests"] / r["seconds"], "p50": r["p50_us"]}
        m = self.rounds(one)
        run_path = requests(60000)
        self.row("put-cpu", "PUT 4 KiB, 16 connections: CPU per request against nginx static GET", 4.5, m["ratio"], "x",
                 f"{m['all']:.1f} µs (keeper {m['keeper']:.1f}, gate {m['gate']:.1f}, workers {m['worker']:.1f}) against {m['static']:.1f} µs; "
                 f"{m['rate']:.0f}/s, p50 {m['p50'] / 1000:.2f} ms", lambda: self.load(self.port, 16, 4, run_path, 60000))

        def synced():
            path = requests(40000)
            r, counts = measure.syncs(self.pids, lambda: self.load(self.port, 16, 2, path, 40000))
            if counts is None:
                raise SystemExit("bench: perf stat is needed to count syncs")
            return {"each": sum(counts.values()) / r["requests"], **{k: v / r["requests"] for k, v in counts.items()}}
        s = self.rounds(synced)
        self.row("put-syncs", "PUT 4 KiB, 16 connections: syncs per PUT, all processes", 0.6, s["each"], "",
                 ", ".join(f"{k} {v:.3f}" for k, v in s.items() if k != "each"))

    def large(self):
        body = os.urandom(BIG)
        put = write_requests(self.case.path("put64m"), [self.sign("PUT", f"/bench/big{i}", body) for i in range(4)])
        self.load(self.port, 1, 60, put, 4)
        gets = write_requests(self.case.path("get64m"), [self.sign("GET", f"/bench/big{i}") for i in range(4)])

        def tls_gets():
            for i in range(8):
                status, n, _ = send(self.tls_port, self.signer(True).request("GET", f"/bench/big{i % 4}"), self.tls)
                if status != 200 or n != BIG:
                    raise SystemExit(f"bench: GET over https: {status}, {n} bytes")

        def one():
            ref = self.reference()
            _, cpu, _ = self.cpu(lambda: self.load(self.port, 1, 60, gets, 16))
            _, cpu_tls, _ = self.cpu(tls_gets)
            _, cpu_put, _ = self.cpu(lambda: self.load(self.port, 1, 60, put, 4))
            gcm, sums = ref["aes_gcm_ms"], ref["aes_gcm_ms"] + ref["sha256_ms"] + ref["md5_ms"] + ref["crc32_ms"]
            return {"gcm": gcm, "sums": sums, "get": cpu * 1e3 / 16, "tls": cpu_tls * 1e3 / 8, "put": cpu_put * 1e3 / 4,
                    "get_x": cpu * 1e3 / 16 / gcm, "tls_x": cpu_tls * 1e3 / 8 / gcm / 2, "put_x": cpu_put * 1e3 / 4 / sums}
        m = self.rounds(one)
        self.row("get-large", "GET 64 MiB, http: CPU against AES-GCM once", 2.5, m["get_x"], "x", f"{m['get']:.1f} ms against {m['gcm']:.1f} ms",
                 lambda: self.load(self.port, 1, 60, gets, 100))
        self.row("get-large-tls", "GET 64 MiB, https: CPU against AES-GCM twice", 2.5, m["tls_x"], "x", f"{m['tls']:.1f} ms against {2 * m['gcm']:.1f} ms", tls_gets)
        self.row("put-large", "PUT 64 MiB, http: CPU against AES-GCM + SHA-256 + MD5 + CRC32", 1.6, m["put_x"], "x", f"{m['put']:.1f} ms against {m['sums']:.1f} ms",
                 lambda: self.load(self.port, 1, 60, put, 12))
        self.memory(put)

    def memory(self, put):
        self.store.stop()
        self.store.start()
        self.attach()
        self.must(self.sign("GET", "/bench/k0000000"))
        time.sleep(1)
        idle = pss_mib(self.pids)
        by = ", ".join(f"{k} {pss_mib(self.of(k)):.1f}" for k in dict(self.named[::-1]).values())
        self.row("memory-idle", "memory (PSS, all processes): idle", 100, idle, "MiB", by)
        for word, tls, bar in (("http", None, 110), ("https", self.tls, 150)):
            port, raw = (self.tls_port, self.signer(True)) if tls else (self.port, self.signer())
            connections = []
            for i in range(1000):
                s = socket.create_connection(("127.0.0.1", port))
                s = tls.wrap_socket(s, server_hostname="127.0.0.1") if tls else s
                s.sendall(raw.request("GET", f"/bench/k{i % KEYS:07d}", seconds_ago=i % 200))
                if receive(s)[0] != 200:
                    raise SystemExit("bench: an idle connection's GET was refused")
                connections.append(s)
            time.sleep(1)
            self.row(f"memory-{word}", f"memory: 1000 idle connections, {word}", bar, pss_mib(self.pids), "MiB", "each has had one GET answered")
            for s in connections:
                s.close()
        most, stop = [0.0], threading.Event()

        def watch():
            while not stop.is_set():
                most[0] = max(most[0], pss_mib(self.pids))
                time.sleep(0.2)
        t = threading.Thread(target=watch)
        t.start()
        r = self.load(self.port, 64, 120, put, 128)
        stop.set()
        t.join()
        self.row("memory-puts", "memory: 64 parallel PUTs of 64 MiB", 250, most[0], "MiB", f"highest of samples every 0.2 s over {r['requests']} PUTs, {r['seconds']:.1f} s")

    # -- start, log, lists ------------------------------------------------------------------------------------------------------------

    def first_get(self):
        took = first_answer(self.store, self.port, self.sign("GET", "/bench/k0000000"))
        self.attach()
        return took

    def start(self):
        def one():
            self.store.stop()
            return {"s": self.first_get()}
        self.row("start", "start to first signed GET", 0.5, self.rounds(one)["s"], "s", "from the start of `tillit serve` to its first 200; nginx, TLS and jails included")

    def bytes_on_disk(self):
        d = self.store.dir
        logs = tree_bytes(f"{d}/gate/logs") + tree_bytes(f"{d}/gate/openings")
        index = tree_bytes(f"{d}/keeper/index")
        return logs, index

    def settled_bytes(self):
        """After a clean stop and start: the index's own log is folded into its tables, the flat files are written."""
        self.store.stop()
        self.store.start()
        self.attach()
        return self.bytes_on_disk()

    def log_bytes(self):
        before, _ = self.settled_bytes()
        r = self.load(self.port, 64, 20, self.gets, 19000)
        after, index = self.settled_bytes()
        self.row("log-get", "log on disk per small GET", 700, (after - before) / r["requests"], "B", f"hashes, leaves, offsets and sealed openings of {r['requests']} GETs")
        path = put_requests(self.case.path("puts-log"), self.signer(), "/bench/disk-", 0, 30000, self.small)
        r = self.load(self.port, 64, 60, path, 30000)
        logs, index_after = self.settled_bytes()
        each = (logs - after + index_after - index) / r["requests"]
        self.row("log-put", "index and log per 4 KiB PUT beyond the data", 1536, each, "B",
                 f"log {(logs - after) / r['requests']:.0f}, index {(index_after - index) / r['requests']:.0f}; the gate's recycled WAL apart; packs add 16 B a frame")

    def fill(self, prefix, count):
        self.loaded = 0
        key, secret = self.store.credentials
        jobs = [(self.case.path(f"fill{i}"), key, secret, self.store.info["region"], self.port, prefix, i * 50000, min(50000, count - i * 50000))
                for i in range((count + 49999) // 50000)]
        with concurrent.futures.ProcessPoolExecutor(1) as pool:
            ahead = [pool.submit(fill_file, jobs[0])]
            for i, job in enumerate(jobs):
                path = ahead.pop().result()
                if i + 1 < len(jobs):
                    ahead.append(pool.submit(fill_file, jobs[i + 1]))
                self.loaded += self.load(self.port, 128, 600, path, job[-1])["requests"]
                os.unlink(path)

    def list_cost(self, bucket, query, pages=20):
        path = write_requests(self.case.path("lists"), [self.sign("GET", f"/{bucket}", query=query, seconds_ago=i) for i in range(pages)])
        r, cpu, _ = self.cpu(lambda: self.load(self.port, 1, 60, path, pages))
        return cpu * 1e3 / r["requests"], r["p50_us"] / 1e3

    def lists_small(self):
        self.must(self.sign("PUT", "/small"))
        self.load(self.port, 16, 60, put_requests(self.case.path("thousand"), self.signer(), "/small/o/", 0, 1000, b"x"), 1000)
        ms = [self.list_cost("small", "list-type=2&max-keys=1000", 100) for _ in range(self.args.rounds)]
        self.small_list = statistics.median(x[0] for x in ms)
        self.small_list_ms = statistics.median(x[1] for x in ms)
        print(f"       LIST of 1000 at 10^3 keys: CPU {self.small_list:.2f} ms, p50 {self.small_list_ms:.2f} ms")

    def million(self):
        self.must(self.sign("PUT", "/large"))
        begin = time.monotonic()
        self.fill("/large/o/", OBJECTS)
        print(f"       {self.loaded} objects in {time.monotonic() - begin:.0f} s", flush=True)
        self.lists_small()

        def one():
            cpu, p50 = self.list_cost("large", "list-type=2&max-keys=1000&start-after=o%2F0500000", 100)
            return {"cpu": cpu, "p50": p50}
        m = self.rounds(one)
        self.row("list", "LIST page of 1000: CPU at 10^6 keys against 10^3", 1.5, m["cpu"] / self.small_list, "x",
                 f"{m['cpu']:.2f} ms against {self.small_list:.2f} ms; p50 {m['p50']:.2f} ms against {self.small_list_ms:.2f} ms",
                 lambda: self.list_cost("large", "list-type=2&max-keys=1000&start-after=o%2F0500000", 1000))
        p50 = statistics.median(self.list_cost("large", "delimiter=%2F&list-type=2&max-keys=1000")[1] for _ in range(self.args.rounds))
        self.row("list-prefix", "LIST over one common prefix of 10^6 keys", 20, p50, "ms", "p50 of a page", lambda: self.list_cost("large", "delimiter=%2F&list-type=2", 200))

        def killed():
            self.load(self.port, 16, 1, self.gets)
            self.store.kill_all()
            return {"s": self.first_get()}
        m = self.rounds(killed)
        self.row("restart", "restart after kill -9 with 10^6 objects and 10^6 leaves, to the first signed GET", 1.0, m["s"], "s", "all processes killed under load")
        begin = time.monotonic()
        for i in range(0, OBJECTS, 1000):
            body = b"<Delete><Quiet>true</Quiet>" + b"".join(b"<Object><Key>o/%07d</Key></Object>" % k for k in range(i, i + 1000)) + b"</Delete>"
            md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
            self.must(self.sign("POST", "/large", body, query="delete", extra=[("content-md5", md5)]))
        print(f"       deleted in {time.monotonic() - begin:.0f} s", flush=True)
        page = lambda: self.list_cost("large", "list-type=2&max-keys=1000", 10)[1]
        first, begin = page(), time.monotonic()
        while page() > 20 and time.monotonic() - begin < 60:
            time.sleep(1)
        settled = time.monotonic() - begin
        p50 = statistics.median(page() for _ in range(self.args.rounds))
        self.row("list-deleted", "LIST page over 10^6 deleted keys", 20, p50, "ms",
                 f"p50 of a page once the index has compacted ({settled:.0f} s after the last delete); {first:.1f} ms directly after the last delete",
                 lambda: self.list_cost("large", "list-type=2", 200))

    def run(self):
        for word, step in (("get", self.get_many), ("latency", self.one_connection), ("put", self.put_many), ("large", self.large), ("start", self.start),
                           ("log", self.log_bytes)):
            if self.wanted(word):
                step()
                if word == "put":
                    self.get_later()
        if not self.args.quick and self.wanted("million"):
            self.million()
        for words, rows in ((("core", "versions", "parts", "copy", "flood", "policy"), core.Core), (("grants",), grants.Grants)):
            if self.args.only and self.args.only not in words:
                continue
            self.store.stop()                       # one store at a time has the machine
            more = rows(self)
            try:
                more.run()
            finally:
                more.close()

    def close(self):
        self.static.stop()
        self.case.close()


def fill_file(job):
    path, key, secret, region, port, prefix, first, count = job
    return put_requests(path, Signer(key, secret, region, f"127.0.0.1:{port}"), prefix, first, count, b"x")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def number(row):
    unit = row["unit"]
    return f"{row['value']:.{0 if unit == 'B' else 1 if unit in ('MiB',) else 2}f}{' ' + unit if unit not in ('x', '') else ' x' if unit == 'x' else ''}"


def report(bench, about, loads):
    missed = [r for r in bench.rows if not r["met"]]
    lines = ["# Speed and memory, measured", "",
             "Written by `make bench` (bench/run.py); every row that has a bar, losing rows included. Ratios come from one run on the same",
             f"cores, the reference measured directly before ours; medians of {bench.args.rounds}. CPU is utime + stime of serve, gate, keeper, steward, nginx's",
             "master and workers. References: nginx serving a static file of the same 4 KiB (2 workers, sendfile, no access log, no open_file_cache), a raw",
             "pwrite + fdatasync of 400 B into a zero-filled file, OpenSSL and zlib on the same bytes in 64 KiB pieces. Store, references and load",
             "generator share the machine's cores.", "", "| | |", "| --- | --- |", f"| date | {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC |"]
    lines += [f"| {k} | {v} |" for k, v in about.items()]
    lines += [f"| load average | {loads[0]} before the start" + (": other programs were running, so times are worse than this machine's own |" if float(loads[0].split()[0]) > 1 else " |"), "",
              f"{len(bench.rows) - len(missed)} rows met, {len(missed)} missed.", "", "| what | bar | measured | | numbers |", "| --- | --- | --- | --- | --- |"]
    for r in bench.rows:
        bar = f"{r['bar']:g}" + (f" {r['unit']}" if r["unit"] else "")
        lines.append(f"| {r['what']} | {bar} | {number(r)} | {'met' if r['met'] else '**missed**'} | {r['detail']} |")
    if bench.beside:
        lines += ["", "Beside the table: " + bench.beside]
    if bench.args.quick:
        lines += ["", "Rows that need 10^6 objects (LIST, restart after kill -9) were left out: this was a quick run."]
    if missed:
        lines += ["", "## Missed rows"]
    for r in missed:
        lines += ["", f"### {r['what']}", "", f"{number(r)}, bar {r['bar']:g}: {r['detail']}."]
        lines += [f"Profile: [{r['profile']}](profiles/{os.path.basename(r['profile'])})."] if r["profile"] else []
        lines += ["", "Next step: " + NEXT.get(r["key"], "read the profile's first lines.")]
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--out", default=os.path.join(ROOT, "docs", "results", "bench.md"))
    p.add_argument("--quick", action="store_true")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--only", default="", help="rows whose word contains this: get, latency, put, large, start, log, million; or one of core, versions, parts, copy, flood, policy, grants; nothing is written then")
    p.add_argument("--no-profiles", action="store_true")
    args = p.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    loads = ["%.2f %.2f %.2f" % os.getloadavg()]
    bench = Bench(args)
    about = measure.machine(bench.case.dir)
    try:
        bench.run()
        if not args.only:
            with open(args.out, "w") as f:
                f.write(report(bench, about, loads))
            print(f"wrote {os.path.relpath(args.out, ROOT)}")
    finally:
        bench.close()


if __name__ == "__main__":
    main()
