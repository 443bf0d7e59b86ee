# SPDX-License-Identifier: Apache-2.0
"""The rows of make bench about versions, uploads in parts, copies, batches and neighbours: on a store of their own whose parts may be 1 KiB small.

Load generators run on the first core, all processes of the store on the second. "Others" are measured against the same tenants while the one that floods
is idle."""
import base64
import hashlib
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time

from measure import Signer, receive, write_requests

PART = 1024
VERSIONS = 10000
PARTS = 10000
TENANTS = 16


def pin(pids, core):
    for pid in pids:
        for tid in os.listdir(f"/proc/{pid}/task"):
            try:
                os.sched_setaffinity(int(tid), {core})
            except (ProcessLookupError, FileNotFoundError):
                pass


class Line:
    """One connection that is kept; each request's time."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, raw, keep=False):
        begin = time.perf_counter()
        self.s.sendall(raw)
        status, n, body = receive(self.s, keep)
        took = time.perf_counter() - begin
        if not 200 <= status < 300:
            raise SystemExit(f"bench: {raw.split(b' HTTP')[0][:200].decode()} answered {status} {body[:300]}")
        return took, body


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, int(len(values) * p))]


def built(build, name):
    """Path of a program that is built where libcmocka-dev was there when the directory was configured."""
    program = os.path.join(build, "bench", name)
    if not os.path.exists(program):
        subprocess.run(["meson", "setup", "--reconfigure", build], check=True, capture_output=True)
        subprocess.run(["ninja", "-C", build, "bench/" + name], check=True, capture_output=True)
    return program


def words(build, name):
    """What a program prints, as {word: number}."""
    out = subprocess.run([built(build, name)], capture_output=True, text=True, check=True).stdout.split()
    return dict(zip(out[::2], map(float, out[1::2])))


class Core:
    """Its own store; rows go to bench.row()."""

    def __init__(self, bench):
        self.bench, self.case = bench, bench.case
        self.s = self.case.store(config=f"\n[s3]\npart-min-bytes = {PART}\n")
        self.port = int(self.s.endpoints["s3"].rsplit(":", 1)[1].split("/")[0])
        self.pids = [self.s.process.pid] + [p for p, _ in self.s.pids()]
        if os.cpu_count() > 1:
            pin(self.pids, 1)
            os.sched_setaffinity(0, {0})
        self.line, self.signer = Line(self.port), self.sign_as(*self.s.credentials)
        self.ask("PUT", "/core")

    def sign_as(self, key, secret):
        return Signer(key, secret, self.s.info["region"], f"127.0.0.1:{self.port}")

    def ask(self, method, path, body=b"", query="", extra=(), keep=False, line=None, signer=None, seconds_ago=0):
        return (line or self.line).ask((signer or self.signer).request(method, path, body, query=query, extra=extra, seconds_ago=seconds_ago), keep)

    def text(self, body, element):
        a, b = body.index(b"<" + element + b">") + len(element) + 2, body.index(b"</" + element + b">")
        return body[a:b].decode()

    # -- rows -------------------------------------------------------------------------------------------------------------------------

    def versions(self):
        self.ask("PUT", "/core", b'<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>', "versioning")
        body = os.urandom(4096)

        def fifty(key, ago):
            return statistics.median(self.ask("PUT", f"/core/{key}", body, seconds_ago=ago + i)[0] for i in range(50)) * 1e6
        fifty("warm", 0)
        first = statistics.median(self.ask("PUT", f"/core/first{i}", body)[0] for i in range(200)) * 1e6
        digest = hashlib.sha256(body).hexdigest()
        raw = write_requests(self.case.path("versions"), (self.signer.request("PUT", "/core/many", body, seconds_ago=i % 800, extra=[("x-amz-meta-n", str(i))], digest=digest)
                                                         for i in range(VERSIONS)))
        self.bench.load(self.port, 8, 300, raw, VERSIONS)
        next_ = statistics.median(self.ask("PUT", "/core/many", body, extra=[("x-amz-meta-m", str(i))])[0] for i in range(200)) * 1e6
        again = statistics.median(self.ask("PUT", f"/core/again{i}", body)[0] for i in range(200)) * 1e6
        self.bench.row("versions", "10^4 versions of one key: the next PUT against a first one", 1.2, next_ / again, "x", f"p50 {next_:.0f} µs against {again:.0f} µs ({first:.0f} µs before)")

    def upload(self, key, count, size):
        body = self.ask("POST", f"/core/{key}", query="uploads", keep=True)[1]
        up = self.text(body, b"UploadId")
        part = os.urandom(size)
        digest, tag = hashlib.sha256(part).hexdigest(), hashlib.md5(part).hexdigest()
        raw = write_requests(self.case.path("parts"), (self.signer.request("PUT", f"/core/{key}", part, query=f"partNumber={n}&uploadId={up}", digest=digest) for n in range(1, count + 1)))
        self.bench.load(self.port, 16, 300, raw, count)
        doc = b"<CompleteMultipartUpload>" + b"".join(b"<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>" % (n, tag.encode()) for n in range(1, count + 1)) + b"</CompleteMultipartUpload>"
        return self.ask("POST", f"/core/{key}", doc, f"uploadId={up}")[0], part * count

    def parts(self):
        took = statistics.median(self.upload(f"thousand{i}", 1000, PART)[0] for i in range(3)) * 1e3
        self.bench.row("complete", "Complete of 1000 parts", 20, took, "ms", "median of 3, from the request's first byte to the answer's last")
        took, data = self.upload("set", PARTS, PART)
        print(f"       Complete of {PARTS} parts: {took * 1e3:.0f} ms", flush=True)
        self.ask("PUT", "/core/whole", data)

        def ranged(key):
            times = []
            for i in range(600):
                at = (i * 7919 * 1009) % (len(data) - 600)
                raw = self.signer.request("GET", f"/core/{key}", extra=[("range", f"bytes={at}-{at + 511}")], seconds_ago=i % 600)
                took, body = self.line.ask(raw, keep=True)
                if body != data[at:at + 512]:
                    raise SystemExit(f"bench: bytes {at}.. of {key} are not what was put")
                times.append(took)
            return statistics.median(times) * 1e6
        ranged("set")
        rounds = [(ranged("set"), ranged("whole")) for _ in range(3)]
        of_set, of_one = (statistics.median(r[i] for r in rounds) for i in (0, 1))
        self.bench.row("get-set", f"ranged GET of 512 B of a {PARTS}-part object against one of one part and the same size", 1.3, of_set / of_one, "x",
                       f"p50 {of_set:.0f} µs against {of_one:.0f} µs")

    def copy(self):
        gib, piece = 1 << 30, os.urandom(1 << 26)
        up = self.text(self.ask("POST", "/core/gib", query="uploads", keep=True)[1], b"UploadId")
        digest, tag = hashlib.sha256(piece).hexdigest(), hashlib.md5(piece).hexdigest()
        for n in range(1, gib // len(piece) + 1):
            self.line.ask(self.signer.request("PUT", "/core/gib", piece, query=f"partNumber={n}&uploadId={up}", digest=digest))
        doc = b"".join(b"<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>" % (n, tag.encode()) for n in range(1, gib // len(piece) + 1))
        self.ask("POST", "/core/gib", b"<CompleteMultipartUpload>" + doc + b"</CompleteMultipartUpload>", f"uploadId={up}")
        took = statistics.median(self.ask("PUT", f"/core/gib-copy{i}", extra=[("x-amz-copy-source", "/core/gib")])[0] for i in range(20)) * 1e3
        self.bench.row("copy", "CopyObject of 1 GiB", 10, took, "ms", "p50 of 20; blobs are shared")

    def neighbours(self):
        """Tenants with a bucket and an object each; their GETs one after the other, each tenant on a connection of its own."""
        made = []
        for i in range(TENANTS):
            info = json.loads(self.s.tillit("tenant", "create", self.s.dir, "--tenant", f"neighbour{i:02d}", "--json"))
            signer, line = self.sign_as(info["access_key_id"], info["secret_access_key"]), Line(self.port)
            self.ask("PUT", "/mine", line=line, signer=signer)
            self.ask("PUT", "/mine/k", os.urandom(4096), line=line, signer=signer)
            made.append((signer, line))
        return made

    def p99(self, tenants, seconds):
        times, end, turn = [], time.monotonic() + seconds, 0
        raws = [[s.request("GET", "/mine/k", seconds_ago=(n * 7 + os.getpid()) % 850) for n in range(120)] for s, _ in tenants]
        while time.monotonic() < end:
            n = turn % len(tenants)
            times.append(tenants[n][1].ask(raws[n][(turn // len(tenants)) % 120])[0])
            turn += 1
            time.sleep(0.002)
        return percentile(times, 0.99) * 1e6, percentile(times, 0.5) * 1e6

    def flood(self):
        tenants = self.neighbours()
        flooder, others = tenants[0][0], tenants[1:]
        path = write_requests(self.case.path("flood"), (flooder.request("GET", "/mine/k", seconds_ago=i % 850) for i in range(20000)))
        quiet = [self.p99(others, 4) for _ in range(3)]
        load = subprocess.Popen(["nice", "-n", "19", os.path.join(self.bench.build, "bench", "bench-load"), "127.0.0.1", str(self.port), "64", "16", path], stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        under = [self.p99(others, 4) for _ in range(3)]
        load.wait()
        rate = json.loads(load.stdout.read())
        before, during = (statistics.median(r[0] for r in x) for x in (quiet, under))
        self.bench.row("flood", f"one tenant of {TENANTS} floods with 64 connections: p99 of the others' GETs against their p99 while it is idle", 2, during / before, "x",
                       f"{during:.0f} µs against {before:.0f} µs (p50 {statistics.median(r[1] for r in under):.0f} against {statistics.median(r[1] for r in quiet):.0f}); "
                       f"the flooder got {rate['requests'] / rate['seconds']:.0f}/s")
        self.delete_many(tenants)

    def delete_many(self, tenants):
        signer, others = tenants[0][0], tenants[1:]
        line, took = Line(self.port), []

        def thousand(i):
            raw = write_requests(self.case.path("fill"), (signer.request("PUT", f"/mine/d{i}-{n}", b"x") for n in range(1000)))
            self.bench.load(self.port, 16, 60, raw, 1000)
            body = b"<Delete><Quiet>true</Quiet>" + b"".join(b"<Object><Key>d%d-%d</Key></Object>" % (i, n) for n in range(1000)) + b"</Delete>"
            return signer.request("POST", "/mine", body, query="delete", extra=[("content-md5", base64.b64encode(hashlib.md5(body).digest()).decode())])
        batches = [thousand(i) for i in range(12)]
        quiet = self.p99(others, 3)[0]

        def run():
            for raw in batches:
                took.append(line.ask(raw)[0])
                time.sleep(0.2)
        t = threading.Thread(target=run)
        t.start()
        busy = self.p99(others, 3)[0]
        t.join()
        self.bench.row("delete-many", "DeleteObjects of 1000 keys", 40, statistics.median(took) * 1e3, "ms", f"median of {len(took)}")
        self.bench.row("delete-others", "the same, five a second: p99 of 15 other tenants' GETs against their p99 without", 2, busy / quiet, "x", f"{busy:.0f} µs against {quiet:.0f} µs")

    def policy(self):
        us = words(self.bench.build, "bench-policy")["us"]
        self.bench.row("policy", "a decision under a bucket policy of 100 statements", 3, us, "µs", "none of the statements fits, all are looked at; in process, no I/O; the dearer of two documents")

    def run(self):
        for word, step in (("versions", self.versions), ("parts", self.parts), ("copy", self.copy), ("flood", self.flood), ("policy", self.policy)):
            if not self.bench.args.only or self.bench.args.only in (word, "core"):
                step()

    def close(self):
        if os.cpu_count() > 1:
            os.sched_setaffinity(0, set(range(os.cpu_count())))
        self.s.stop()
