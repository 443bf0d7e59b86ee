# SPDX-License-Identifier: Apache-2.0
"""A mixed load whose clients remember what they were told, and a judge who holds that against the store and its log.

  Load(store, bucket, threads, seed).start() ... .stop()      puts, gets, heads, deletes and lists until stopped
  judge(store, load) -> Verdict                               lost, unrecorded, unvoided and what each of them is

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
import urllib.parse

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

    def ask(self, method, target, headers=(), body=b""):
        """The answer, or None when nothing sure came back."""
        request = self.caller.sign(method, target, headers, body)
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
    def __init__(self, store, bucket, threads=6, seed=1, folder=None):
        self.store, self.bucket, self.seed = store, bucket, seed
        self.folder = folder or store.dir + ".journal"
        os.makedirs(self.folder, exist_ok=True)
        self.bodies, self.stopping = {}, threading.Event()
        r = Caller(store).call("PUT", f"/{bucket}")
        assert r.status == 200, r
        self.clients = [Client(self, i) for i in range(threads)]
        self.all_keys = [k for c in self.clients for k in c.keys + c.batch_keys]
        self.batch_keys = {k for c in self.clients for k in c.batch_keys}
        # What asks after a kill has a client of its own, outside the threads.
        self.prober = Client(self, threads)
        self.all_keys += self.prober.keys

    def start(self):
        for c in self.clients:
            c.start()
        return self

    def stop(self):
        self.stopping.set()
        for c in self.clients:
            c.join(ANSWER_SECONDS_MAX + 20)
            assert not c.is_alive(), "a client does not end"
        return self

    @property
    def told(self):
        return [x for c in [*self.clients, self.prober] for x in c.journal.lines]

    @property
    def unsure(self):
        return sum(c.unsure for c in [*self.clients, self.prober])

    @property
    def strange(self):
        return [x for c in [*self.clients, self.prober] for x in c.strange]


class Verdict:
    def __init__(self):
        self.lost, self.unrecorded, self.unvoided, self.other = [], [], [], []

    @property
    def clean(self):
        return not (self.lost or self.unrecorded or self.unvoided or self.other)

    def lines(self, most=20):
        for name in ("lost", "unrecorded", "unvoided", "other"):
            for x in getattr(self, name)[:most]:
                yield f"{name}: {x}"


ACTS = {"PUT": {"PutObject"}, "DELETE": {"DeleteObject"}, "GET": {"GetObject"}, "RANGE": {"GetObject"}, "HEAD": {"HeadObject"}, "LIST": {"ListObjectsV2"},
        "BATCH": {"DeleteObjects"}}


def judge(store, load):
    """Holds what clients were told against the log, the log against what the store shows, and has the tools check the log."""
    v = Verdict()
    v.other += load.strange
    shown = show_all(store, load, v)
    replay(store, load, shown, v)
    leaves = {x["index"]: x for x in store.log_records()}
    voided = {x["ref"]: x["index"] for x in leaves.values() if x["kind"] == "void"}
    for t in load.told:
        leaf = leaves.get(t["index"])
        where = f"{t['kind']} {t['key']} {t['status']} id {t['id']} leaf {t['index']}"
        if not leaf or leaf["kind"] != "acc" or leaf["id"] != t["id"] or leaf["act"] not in ACTS[t["kind"]] or leaf.get("key") != t["key"]:
            v.unrecorded.append(f"{where}: the log has {leaf}")
            continue
        write = t["kind"] in ("PUT", "DELETE") and t["status"] in (200, 204)
        idle = t["kind"] == "DELETE" and leaf.get("version") is None and leaf.get("w") != 1      # of a key that is not there: a read
        if write and leaf["dec"] != "allow" or write and leaf.get("w") != 1 and not idle:
            v.unrecorded.append(f"{where}: its leaf is no write: {leaf}")
        if write and t["index"] in voided:
            v.lost.append(f"{where}: acknowledged, and voided by leaf {voided[t['index']]}")
        if t["kind"] == "PUT" and write and leaf.get("etag") != t["etag"]:
            v.lost.append(f"{where}: the leaf has another etag: {leaf.get('etag')}")
        if t["kind"] in ("GET", "HEAD") and t["status"] == 200:
            source = leaves.get(leaf.get("version"))
            etag = t.get("md5") or t.get("etag")
            if not source or source.get("etag") != etag:
                v.lost.append(f"{where}: was shown {etag}, the version it names is {source}")
    in_order(load, v)
    newest(leaves, load, shown, v)
    return v


def in_order(load, v):
    """A client that has its answer and asks again stands later in the log."""
    for c in [*load.clients, load.prober]:
        at = -1
        for t in c.journal.lines:
            if t["index"] is None:
                continue
            if t["index"] <= at:
                v.other.append(f"leaf {t['index']} of {t['kind']} {t['key']} stands before leaf {at} that was answered before it was asked for")
            at = max(at, t["index"])


def newest(leaves, load, shown, v):
    """Every leaf saw the write before it, and the content of each key is that of its newest write that has no void.
    What batches deleted stands in openings that only replay reads: it judges their keys."""
    current, before = {}, {}
    for i in sorted(leaves):
        leaf = leaves[i]
        if leaf["kind"] == "void" and leaf["ref"] in before:
            key, was = before[leaf["ref"]]
            current[key] = was
        key = leaf.get("key")
        if leaf["kind"] != "acc" or key is None or "version" not in leaf or key in load.batch_keys:
            continue
        if leaf["version"] != current.get(key):
            v.unvoided.append(f"{key}: leaf {i} saw {leaf['version']}; {current.get(key)} should stand there and has no void")
        if leaf.get("w") == 1:
            before[i] = (key, current.get(key))
            current[key] = i if leaf["act"] == "PutObject" else None
    for key in load.all_keys:
        have, at = shown.get(key), current.get(key)
        want = leaves[at].get("etag") if at is not None else None
        if (have and have["md5"]) != want and key not in load.batch_keys:
            v.lost.append(f"{key}: the store shows {have}, the newest write is leaf {at} with {want}")
        elif have and load.bodies.get(have["md5"], (None,))[0] != have["sha256"]:
            v.lost.append(f"{key}: shows bytes that no client ever wrote: {have}")


def show_all(store, load, v):
    """{key: {...}} of everything that a listing names, read in whole."""
    caller, found, token = Caller(store), {}, ""
    while True:
        page = caller.call("GET", f"/{load.bucket}?list-type=2&encoding-type=url" + (f"&continuation-token={encode(token)}" if token else ""))
        if page.status != 200:
            v.other.append(f"the last listing: {page}")
            return found
        for raw_key in re.findall(rb"<Key>([^<]*)</Key>", page.body):
            path = raw_key.decode().replace("+", "%20")
            answer = caller.call("GET", f"/{load.bucket}/{path}")
            key = urllib.parse.unquote(path)
            if answer.status != 200:
                v.lost.append(f"{key}: listed, and answers {answer}")
                continue
            found[key] = {"md5": hashlib.md5(answer.body).hexdigest(), "sha256": hashlib.sha256(answer.body).hexdigest(), "etag": (answer.get("etag") or "").strip('"')}
            if found[key]["etag"] != found[key]["md5"]:
                v.lost.append(f"{key}: etag and bytes differ: {found[key]}")
        if page.element("IsTruncated") != "true":
            return found
        token = page.element("NextContinuationToken")


def replay(store, load, shown, v):
    out = store.dir + ".export"
    for log in ("access", "control"):
        store.tillit("log", "export", store.dir, "--out", out, "--log", log)
    manifest = os.path.join(out, "manifest.jsonl")
    with open(manifest, "w") as f:
        for key, x in shown.items():
            f.write(json.dumps({"bucket": load.bucket, "key": key, "etag": x["etag"]}) + "\n")
    logs = store.endpoints["logs"]
    runs = [("log", logs["access"]["url"], "--vkey", logs["access"]["vkey"], "--heads", logs["heads"]["url"], "--heads-vkey", logs["heads"]["vkey"]),
            ("log", logs["control"]["url"], "--vkey", logs["control"]["vkey"]),
            ("replay", out, "--access-vkey", logs["access"]["vkey"], "--control-vkey", logs["control"]["vkey"], "--access", logs["access"]["url"],
             "--control", logs["control"]["url"], "--manifest", manifest)]
    for run in runs:
        code, text = store.verify(*run, "--json")
        if code == 0:
            continue
        try:
            findings = json.loads(text[text.index("{"):])["findings"]
        except (ValueError, KeyError):
            findings = []
        for x in findings:
            kind = {"leaf-without-effect": v.unvoided, "effect-without-leaf": v.unrecorded}.get(x.get("name"), v.other)
            kind.append(f"tillit-verify {run[0]}: {x}")
        if not findings:
            v.other.append(f"tillit-verify {run[0]}: exit {code}: {text[-500:]}")
