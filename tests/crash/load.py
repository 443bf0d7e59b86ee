# SPDX-License-Identifier: Apache-2.0
"""A mixed load whose clients remember what they were told (judge.py holds that against the store and its log).

  Load(store, bucket, threads, seed, wide=[WideClient, ...]).start() ... .stop()      puts, gets, heads, deletes and lists until stopped

Every acknowledgement is in a journal and fsynced before it counts, as a customer's own book would be. Each key is written by one
thread only, so that its acknowledgements have an order of their own; reads and listings go everywhere.
"""
import base64
import hashlib
import json
import os
import random
import re
import threading
import time

from lib.raw import Caller, Connection, encode

KEYS_PER_THREAD = 8
BATCH_KEYS = 3                                                               # deleted three at once, in a batch of their own
SIZES = [0, 1, 100, 2047, 2049, 4096, 20_000, 65_536, 65_537, 200_000]      # around the borders of row, pack and frame
BIG = 5 << 20                                                                # a file of its own, two segments
ANSWER_SECONDS_MAX = 20
TOLD = {200, 204, 206, 304, 404, 412}                                        # answers that say something about data: each has a leaf
UNSURE = {500, 503}


def body_of(seed, size):
    """Bytes that differ in every frame, made from a number so that the journal need not keep them."""
    block = hashlib.sha256(str(seed).encode()).digest() * 128
    return (block * (size // len(block) + 1))[:size]


class Journal:
    def __init__(self, path):
        self.file, self.lines = open(path, "ab"), []

    def add(self, **what):
        self.file.write(json.dumps(what).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.lines.append(what)


class Client(threading.Thread):
    """One connection, asked anew when it breaks; one outstanding request."""

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load, self.number, self.random = load, number, random.Random(load.seed * 1000 + number)
        self.journal = Journal(os.path.join(load.folder, f"journal{number}.jsonl"))
        self.keys = [f"k{number}/{i} å+%25" for i in range(KEYS_PER_THREAD)]
        self.batch_keys = [f"batch{number}/{i}" for i in range(BATCH_KEYS)]
        self.caller, self.connection, self.serial = Caller(load.store), None, number * 1_000_000
        self.unsure, self.strange = 0, []

    def run(self):
        while not self.load.stopping.is_set():
            self.step()
        if self.connection:
            self.connection.close()

    def ask(self, method, target, headers=(), body=b"", **how):
        """The answer, or None when nothing sure came back. how: as Caller.sign takes it."""
        request = self.caller.sign(method, target, headers, body, **how)
        try:
            if not self.connection:
                self.connection = Connection(self.caller.url, timeout=ANSWER_SECONDS_MAX)
            answer = self.connection.ask(request)
            if (answer.get("connection") or "").lower() == "close":
                self.connection.close()
                self.connection = None
            return answer
        except Exception as broken:                 # refused, reset, half an answer: nothing was told
            if isinstance(broken, TimeoutError):
                self.strange.append(f"{method} {target}: no answer within {ANSWER_SECONDS_MAX} s")
            if self.connection:
                self.connection.close()
            self.connection = None
            time.sleep(0.002)
            return None

    def path(self, key):
        return f"/{self.load.bucket}/{encode(key, b'/')}"

    def step(self):
        what, r = self.random.random(), self.random
        own, any_key = r.choice(self.keys + self.batch_keys), r.choice(self.load.all_keys)
        if what < 0.36:
            size = BIG if r.random() < 0.02 else r.choice(SIZES)
            only_new = r.random() < 0.15
            self.serial += 1
            self.write("PUT", own, body_of(self.serial, size), [["If-None-Match", "*"]] if only_new else [])
        elif what < 0.44:
            self.write("DELETE", own, None, [])
        elif what < 0.46:
            self.batch()
        elif what < 0.50:
            self.read("LIST", None, "GET", f"/{self.load.bucket}?list-type=2&max-keys=20", [])
        elif what < 0.56:
            self.read("HEAD", any_key, "HEAD", self.path(any_key), [])
        elif what < 0.62:
            self.read("RANGE", any_key, "GET", self.path(any_key), [["Range", "bytes=0-99"]])
        else:
            self.read("GET", any_key, "GET", self.path(any_key), [])

    def write(self, method, key, body, headers):
        md5 = hashlib.md5(body).hexdigest() if body is not None else None
        if body is not None:
            # Known before it is asked for: an unanswered PUT may be what stands there in the end.
            self.load.bodies[md5] = (hashlib.sha256(body).hexdigest(), len(body))
        answer = self.ask(method, self.path(key), headers, body or b"")
        self.note(answer, method, key, etag=md5)

    def batch(self):
        body = b"<Delete>" + b"".join(b"<Object><Key>%s</Key></Object>" % k.encode() for k in self.batch_keys) + b"</Delete>"
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        answer = self.ask("POST", f"/{self.load.bucket}?delete", [["Content-MD5", md5]], body)
        if answer and answer.status == 200 and answer.body.count(b"<Deleted>") != BATCH_KEYS:
            self.unsure += 1                        # told key by key that it was not done
            return
        self.note(answer, "BATCH", None)

    def read(self, kind, key, method, target, headers):
        answer = self.ask(method, target, headers)
        more = {}
        if answer and answer.status in (200, 206) and kind == "GET":
            more = {"md5": hashlib.md5(answer.body).hexdigest(), "size": len(answer.body)}
        elif answer and answer.status == 200 and kind == "HEAD":
            more = {"etag": (answer.get("etag") or "").strip('"')}
        self.note(answer, kind, key, **more)

    def note(self, answer, kind, key, **more):
        if answer is None or answer.status in UNSURE:
            self.unsure += 1
            if answer is not None:
                time.sleep(0.01)
            return
        if answer.status not in TOLD and not (kind == "RANGE" and answer.status == 416):
            self.strange.append(f"{kind} {key}: {answer.status} {answer.body[:200]!r}")
            return
        receipt = re.search(r"/(\d+)$", answer.get("x-tillit-receipt") or "")
        self.journal.add(kind=kind, key=key, status=answer.status, id=answer.get("x-amz-request-id"), index=int(receipt[1]) if receipt else None, **more)


class Load:
    def __init__(self, store, bucket, threads=6, seed=1, folder=None, wide=()):
        """wide: kinds of clients that have their buckets and models to themselves, one each."""
        self.store, self.bucket, self.seed = store, bucket, seed
        self.folder = folder or store.dir + ".journal"
        os.makedirs(self.folder, exist_ok=True)
        self.bodies, self.stopping = {}, threading.Event()
        self.recipes, self.round = {}, 0                # of etags: [(seed, size), ...]; counted by who kills
        r = Caller(store).call("PUT", f"/{bucket}")
        assert r.status == 200, r
        self.clients = [Client(self, i) for i in range(threads)]
        self.all_keys = [k for c in self.clients for k in c.keys + c.batch_keys]
        self.batch_keys = {k for c in self.clients for k in c.batch_keys}
        # What asks after a kill has a client of its own, outside the threads.
        self.prober = Client(self, threads)
        self.all_keys += self.prober.keys
        self.wide = [kind(self, threads + 1 + i) for i, kind in enumerate(wide)]

    bytes_of = staticmethod(body_of)

    def start(self):
        for c in [*self.clients, *self.wide]:
            c.start()
        return self

    def stop(self):
        self.stopping.set()
        for c in [*self.clients, *self.wide]:
            c.join(ANSWER_SECONDS_MAX + 20)
            assert not c.is_alive(), "a client does not end"
        return self

    @property
    def told(self):
        return [x for c in [*self.clients, self.prober] for x in c.journal.lines]

    @property
    def told_wide(self):
        return [x for c in self.wide for x in c.journal.lines]

    @property
    def unsure(self):
        return sum(c.unsure for c in [*self.clients, *self.wide, self.prober])

    @property
    def strange(self):
        return [x for c in [*self.clients, self.prober] for x in c.strange]
