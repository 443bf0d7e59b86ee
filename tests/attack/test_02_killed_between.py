# SPDX-License-Identifier: Apache-2.0
"""Attack 2: the gate dies between writing a batch and syncing it. Short form; `make kill` plays two hundred rounds of every process."""
import collections
import hashlib
import os
import random
import signal
import threading
import time

from lib.attack import attack, held, records, store
from lib.case import limit
from lib.evilfront import Web

ROUNDS, WORKERS, KEYS = 5, 4, 4


class Client(threading.Thread):
    """Keys of its own, one request at a time: what a key may hold afterwards is known exactly."""
    def __init__(self, web, number, stop):
        super().__init__(daemon=True)
        self.web, self.number, self.stop_event = web, number, stop
        self.acknowledged = []                                 # (request id, method, key, status)
        self.may = collections.defaultdict(lambda: {None})     # key -> etags it may have (None: absent)
        self.random = random.Random(number)

    def run(self):
        while not self.stop_event.is_set():
            key = f"w{self.number}-{self.random.randrange(KEYS)}"
            method = self.random.choice(["PUT", "PUT", "GET", "GET", "DELETE"])
            body = os.urandom(self.random.choice([100, 5000, 80000])) if method == "PUT" else b""
            want = hashlib.md5(body).hexdigest() if method == "PUT" else None
            if method != "GET":
                self.may[key] = self.may[key] | {want}
            try:
                r = self.web.request(method, f"/killed/{key}", body=body)
            except OSError:
                continue
            if r.status in (200, 204, 404):
                self.acknowledged.append((r.id, method, key, r.status))
                if method != "GET":
                    self.may[key] = {want}


@limit(110)
@attack("02", ("release-before-durable", "an acknowledged operation has no leaf"), ("apply-before-durable", "the keeper is ahead of the log"))
def test_what_was_acknowledged_is_on_the_log(case):
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/killed")
    s.breaks("wal-sync-delay-ms=120")
    stop = threading.Event()
    clients = [Client(web, n, stop) for n in range(WORKERS)]
    for c in clients:
        c.start()
    for _ in range(ROUNDS):
        time.sleep(0.6 + random.random() * 0.3)
        os.kill(s.pids("gate")[0][0], signal.SIGKILL)
        end = time.monotonic() + 10
        while web.request("GET", "/killed", "list-type=2&max-keys=1").status != 200:
            status = os.path.join(s.dir, "run", "gate", "status.json")
            why = open(status).read() if os.path.exists(status) else ""
            held("the log was put back" not in why, "the keeper is ahead of the log", why[-300:])
            assert time.monotonic() < end, "the gate did not come back within 10 s:\n" + s.log_tail(20)
            time.sleep(0.05)
    stop.set()
    for c in clients:
        c.join(20)
        assert not c.is_alive(), "a client hangs"
    s.breaks()

    log = [r for r in records(s) if r["kind"] in ("acc", "void")]
    ids = {r["id"] for r in log if r["kind"] == "acc"}
    lost = [a for c in clients for a in c.acknowledged if a[0] not in ids]
    held(not lost, "an acknowledged operation has no leaf", lost[:5])
    assert len(ids) == sum(r["kind"] == "acc" for r in log), "two leaves with one id"

    # Every write leaf has its entry, a later one of the same key, or a void.
    voided = {r["ref"] for r in log if r["kind"] == "void"}
    current = {}
    for r in log:
        if r["kind"] == "acc" and r.get("w") and r["index"] not in voided and r.get("bucket") == "killed":
            current[r["key"]] = r["etag"] if r["act"] == "PutObject" else None
    listed = {o["Key"]: o["ETag"].strip('"') for o in s.boto3().list_objects_v2(Bucket="killed").get("Contents", [])}
    held(listed == {k: e for k, e in current.items() if e}, "the index and the log tell different stories", (listed, current))
    for c in clients:
        for key, may in c.may.items():
            held(listed.get(key) in may, "an acknowledged write is lost", (key, listed.get(key), may))
    assert sum(len(c.acknowledged) for c in clients) > 20, "too little load to say anything"
    log_url, vkey = s.endpoints["logs"]["access"]["url"], s.endpoints["logs"]["access"]["vkey"]
    code, text = s.verify("log", log_url, "--vkey", vkey)
    held(code == 0, "the log does not verify after the kills", text)
    out, e = case.path("exported"), s.endpoints["logs"]
    for name in ("access", "control"):
        s.tillit("log", "export", s.dir, "--out", out, "--log", name, env={**os.environ, "AWS_ACCESS_KEY_ID": s.credentials[0], "AWS_SECRET_ACCESS_KEY": s.credentials[1]})
    code, text = s.verify("replay", out, "--access-vkey", vkey, "--control-vkey", e["control"]["vkey"], "--access", log_url, "--control", e["control"]["url"])
    held(code == 0, "replay finds a difference after the kills", text)
