# SPDX-License-Identifier: Apache-2.0
"""A gate and a keeper for the front's tests: they play the wire's other side from a dictionary in memory.

The fake gate checks signatures over the canonical request it is given, with one known secret; it knows no policy. Knobs of
struct Store change what it does, so that tests can reach every way of the front's flows.
"""
import base64
import hashlib
import hmac
import os
import socket
import struct
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lib"))
import wire  # noqa: E402

from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: E402

AKID, SECRET, REGION = "AKIATESTTESTTESTTEST", "secret-of-the-front-tests", "eu-north-1"
TENANT = bytes(range(16))
FRAME, SEGMENT_FRAMES = 65536, 64


def b32(b):
    return base64.b32encode(b).decode().lower().rstrip("=")


def segment_key(blob_key, i):
    return hmac.new(blob_key, b"tillit segment" + struct.pack(">I", i), hashlib.sha256).digest()


def seal(tenant, blob, key, plain):
    """The frames of docs/spec/frame.md, written a second time."""
    frames = [plain[i:i + FRAME] for i in range(0, len(plain), FRAME)] or [b""]
    out = []
    for i, f in enumerate(frames):
        s = i // SEGMENT_FRAMES
        nonce = bytes(7) + struct.pack(">IB", i % SEGMENT_FRAMES, i == len(frames) - 1)
        out.append(AESGCM(segment_key(key, s)).encrypt(nonce, f, tenant + blob + struct.pack(">I", s)))
    return b"".join(out)


def unseal(tenant, blob, key, cipher):
    out, at, i = [], 0, 0
    while at < len(cipher):
        piece = cipher[at:at + FRAME + 16]
        last = at + len(piece) == len(cipher)
        s = i // SEGMENT_FRAMES
        nonce = bytes(7) + struct.pack(">IB", i % SEGMENT_FRAMES, last)
        out.append(AESGCM(segment_key(key, s)).decrypt(nonce, piece, tenant + blob + struct.pack(">I", s)))
        at += len(piece)
        i += 1
    return b"".join(out)


class Store:
    def __init__(self, dir):
        self.dir = dir
        self.objects = {}                # (bucket, key): dict
        self.tickets = {}                # id: dict
        self.blobs = {}                  # blob id: bytearray, staged
        self.dropped, self.aborted, self.asks, self.commits = [], [], [], []
        self.file_over = 1 << 20         # larger objects lie in blob files
        self.next_front = 1
        self.lock = threading.RLock()
        # knobs
        self.answer_delay = 0
        self.no_answer = False           # swallow ASKs (gate restart tests)
        self.no_credit = False
        self.no_data = False             # swallow READs
        self.hold_sealed = False
        self.refuse = None               # (status, code)
        self.log_id, self.log_size, self.log_text = bytes(16), 0, b"checkpoint text\n"
        self.control = []                # bodies received
        self.size_max = 5 << 30
        self.sums = (1 << 1) | (1 << 6)
        self.flip = None                 # (offset): a byte of every stored blob changed when read


class Server:
    """One listening path; hello() then a thread per connection."""

    peer, greeted = wire.ROLE_FRONT, 0

    def __init__(self, store, role, path):
        self.store, self.role, self.path = store, role, path
        self.conns, self.boot = [], os.urandom(16)
        self.open()

    def open(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen(16)
        threading.Thread(target=self.accept, args=(self.sock,), daemon=True).start()

    def accept(self, sock):
        while True:
            try:
                s, _ = sock.accept()
            except OSError:
                return
            c = wire.Conn(s)
            self.conns.append(c)
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def close(self):
        """As a killed process leaves it: connections gone, path refusing."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for c in self.conns:
            try:
                c.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            c.sock.close()
        self.conns = []

    def reopen(self):
        self.boot = os.urandom(16)
        self.open()

    def serve(self, c):
        c.lock = threading.Lock()
        try:
            hello = c.recv()
            if not hello:
                return
            assert hello[0] == "HELLO" and hello[2]["role"] == self.peer and hello[2]["version"] == wire.VERSION
            front_id = 0
            if self.role == wire.ROLE_KEEPER:
                with self.store.lock:
                    front_id = self.store.next_front
                    self.store.next_front += 1
            c.send("HELLO", 0, role=self.role, version=wire.VERSION, boot=self.boot, front_id=front_id)
            c.front_id = front_id
            self.greeted += 1
            while True:
                f = c.recv()
                if f is None:
                    return
                getattr(self, "on_" + f[0].lower())(c, f[1], f[2])
        except (OSError, BrokenPipeError):
            return


class Keeper(Server):
    def __init__(self, store):
        super().__init__(store, wire.ROLE_KEEPER, os.path.join(store.dir, "run/keeper", "front" if self.peer == wire.ROLE_FRONT else "access"))

    def on_stage(self, c, id, m):
        s = self.store
        with s.lock:
            b = s.blobs.setdefault(m["blob"], bytearray())
            assert m["off"] == len(b), ("offset", m["off"], len(b))
            b += m["data"]
            n = len(b)
        assert len(m["data"]) <= 256 * 1024
        if not s.no_credit:
            c.send("CREDIT", id, blob=m["blob"], taken=n)
        if m["last"]:
            s.sealed_blob = m["blob"]
            if not s.hold_sealed:
                c.send("SEALED", id, blob=m["blob"], outcome=0)

    def on_drop(self, c, id, m):
        self.store.dropped.append(m["blob"])
        self.store.blobs.pop(m["blob"], None)

    def on_read(self, c, id, m):
        s = self.store
        if s.no_data:
            return
        blob = m["location"][1:17]
        cipher = s.blobs.get(blob)
        if cipher is None:
            c.send("DATA", id, outcome=1)
            return
        data = bytearray(cipher[m["off"]:m["off"] + m["len"]])
        if s.flip is not None and m["off"] <= s.flip < m["off"] + len(data):
            data[s.flip - m["off"]] ^= 1
        c.send("DATA", id, outcome=0, data=bytes(data))


class Gate(Server):
    def __init__(self, store):
        super().__init__(store, wire.ROLE_GATE, os.path.join(store.dir, "run/gate", "front" if self.peer == wire.ROLE_FRONT else "access"))

    def signature(self, canonical, credential, amz_date):
        _, date, region, service, end = credential.split("/")
        k = ("AWS4" + SECRET).encode()
        for part in (date, region, service, end):
            k = hmac.new(k, part.encode(), hashlib.sha256).digest()
        text = "\n".join(["AWS4-HMAC-SHA256", amz_date, "/".join([date, region, service, end]), hashlib.sha256(canonical).hexdigest()])
        return hmac.new(k, text.encode(), hashlib.sha256).hexdigest()

    def answer(self, c, id, status, code="", headers=(), body=b"", **more):
        c.send("ANSWER", id, status=status, request=os.urandom(16), receipt="log/1", code=code, message=more.pop("message", ""),
               headers=wire.put_headers(headers), body_kind=1 if code else 2 if body else 0, body=body, **more)

    def on_ask(self, c, id, m):
        s = self.store
        s.asks.append(m)
        if s.no_answer:
            return
        if s.answer_delay:
            threading.Timer(s.answer_delay, self.decide, (c, id, m)).start()
        else:
            self.decide(c, id, m)

    def decide(self, c, id, m):
        try:
            self.decide_now(c, id, m)
        except OSError:
            pass

    def decide_now(self, c, id, m):
        s = self.store
        lines = m["canonical"].split(b"\n")
        method, path, query = lines[0].decode(), urllib.parse.unquote(lines[1].decode()), lines[2].decode()
        params = dict((urllib.parse.unquote(k), urllib.parse.unquote(v)) for k, _, v in (p.partition("=") for p in query.split("&") if p))
        headers = dict(ln.decode().split(":", 1) for ln in lines[3:-2] if ln)
        unsigned = dict((k, v.decode()) for k, v in wire.get_headers(m["unsigned_headers"]))
        every = {**headers, **unsigned}
        if s.refuse:
            return self.answer(c, id, s.refuse[0], s.refuse[1])
        if method == "OPTIONS":
            return self.answer(c, id, 200, headers=[("access-control-allow-origin", unsigned.get("origin", "none")), ("vary", "Origin")])
        if m["auth"] == wire.AUTH_FORM:
            return self.form(c, id, m, path)
        if path == "/" and method == "POST":
            return self.call(c, id, m, headers, lines[-1])
        if m["auth"] == wire.AUTH_NONE:
            return self.answer(c, id, 403, "AccessDenied")
        date = headers.get("x-amz-date") or params.get("X-Amz-Date")
        if m["credential"].decode().split("/")[0] != AKID:
            return self.answer(c, id, 403, "InvalidAccessKeyId")
        if self.signature(m["canonical"], m["credential"].decode(), date) != m["signature"].decode():
            return self.answer(c, id, 403, "SignatureDoesNotMatch")
        _, bucket, *rest = path.split("/", 2)
        key = rest[0] if rest else ""
        if m["flags"] & wire.ASK_API:
            if method == "POST":
                s.control.append(bytearray())
                c.wants = getattr(c, "wants", {})
                c.wants[id] = s.control[-1]
                return c.send("WANTBODY", id, size_max=1 << 20)
            return self.answer(c, id, 200, headers=[("content-type", "application/json")], body=b'{"ok":true}')
        if not key and method == "GET":
            return self.list(c, id, bucket, params)
        if not key and method in ("PUT", "POST"):
            s.control.append(bytearray())
            c.wants = getattr(c, "wants", {})
            c.wants[id] = s.control[-1]
            return c.send("WANTBODY", id, size_max=1 << 20)
        o = s.objects.get((bucket, key))
        if "x-amz-copy-source" in every:
            return self.copy(c, id, (bucket, key), urllib.parse.unquote(every["x-amz-copy-source"]).lstrip("/"))
        if o and "parts" in o and method == "GET":
            return self.release_set(c, id, o)
        if method == "PUT":
            t = {"blob": os.urandom(16), "key": os.urandom(32), "name": (bucket, key), "type": every.get("content-type"),
                 "meta": [(k, v) for k, v in every.items() if k.startswith("x-amz-meta-")]}
            s.tickets[id] = t
            return c.send("TICKET", id, request=os.urandom(16), tenant=TENANT, blob=t["blob"], key=t["key"], size_max=s.size_max, sums=s.sums)
        if method == "DELETE":
            s.objects.pop((bucket, key), None)
            return self.answer(c, id, 204)
        if o is None:
            return self.answer(c, id, 404, "NoSuchKey")
        self.release(c, id, o, method == "HEAD", every.get("range"))

    def form(self, c, id, m, path):
        s, fields = self.store, {k.lower(): v.decode() for k, v in wire.get_headers(m["form"])}
        key = ("AWS4" + SECRET).encode()
        for part in m["credential"].decode().split("/")[1:]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        if hmac.new(key, fields["policy"].encode(), hashlib.sha256).hexdigest() != m["signature"].decode():
            return self.answer(c, id, 403, "SignatureDoesNotMatch")
        name = (path[1:], fields["key"].replace("${filename}", fields["file"]))
        t = {"blob": os.urandom(16), "key": os.urandom(32), "name": name, "type": fields.get("content-type"), "meta": [],
             "redirect": fields.get("success_action_redirect")}
        s.tickets[id] = t
        c.send("TICKET", id, request=os.urandom(16), tenant=TENANT, blob=t["blob"], key=t["key"], size_max=s.size_max, sums=s.sums)

    def call(self, c, id, m, headers, last_line):
        if m["auth"] == wire.AUTH_NONE:
            return self.answer(c, id, 403, "MissingAuthenticationToken")
        if (hashlib.sha256(m["form"]).hexdigest().encode() != last_line or
                self.signature(m["canonical"], m["credential"].decode(), headers["x-amz-date"]) != m["signature"].decode()):
            return self.answer(c, id, 403, "SignatureDoesNotMatch")
        self.answer(c, id, 200, headers=[("content-type", "text/xml")], body=(
            b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::1:root</Arn>'
            b"<UserId>1</UserId><Account>1</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
            b"</GetCallerIdentityResponse>"))

    def copy(self, c, id, name, source):
        s, o = self.store, self.store.objects[tuple(source.split("/", 1))]
        t = {"blob": os.urandom(16), "key": os.urandom(32), "name": name, "type": o["type"], "meta": o["meta"], "copy": True}
        s.tickets[id] = t
        c.send("TICKET", id, request=os.urandom(16), tenant=TENANT, blob=t["blob"], key=t["key"], size_max=s.size_max, sums=0x7fe, copy=1)
        if "parts" in o:
            self.release_set(c, id, o)
        else:
            self.release(c, id, o, False, None)

    def release_set(self, c, id, o):
        """One part a RELEASE, the next one when it is asked for."""
        c.sets = getattr(c, "sets", {})
        c.sets[id] = [o, 0, 0]
        self.on_next(c, id, None)

    def on_next(self, c, id, m):
        o, at, off = c.sets[id]
        part = self.store.objects[o["parts"][at]]
        keys = [segment_key(part["key"], i) for i in range(max(part["size"] - 1, 0) // (FRAME * SEGMENT_FRAMES) + 1)]
        row = wire.put_release_row(part["blob"], part["size"], off, 0, keys, bytes([part["engine"]]) + part["blob"])
        more = at + 1 < len(o["parts"])
        c.sets[id] = [o, at + 1, off + part["size"]]
        c.send("RELEASE", id, status=200, request=os.urandom(16), receipt="log/2", size=o["size"], off=0, len=o["size"], tenant=TENANT, more=more,
               rows=row, headers=wire.put_headers([("etag", '"set"')]) if at == 0 else b"")

    def release(self, c, id, o, head, range_):
        size, off, status = o["size"], 0, 200
        length = size
        if range_:
            a, b = range_.split("=")[1].split("-")
            off = int(a) if a else size - int(b)
            last = min(int(b), size - 1) if a and b else size - 1
            if off >= size:
                return self.answer(c, id, 416, "InvalidRange")
            length, status = last - off + 1, 206
        first = off // (FRAME * SEGMENT_FRAMES)
        last_seg = max(off + length - 1, 0) // (FRAME * SEGMENT_FRAMES)
        keys = [segment_key(o["key"], i) for i in range(first, last_seg + 1)]
        loc = bytes([o["engine"]]) + o["blob"]
        rows = b"" if head else wire.put_release_row(o["blob"], size, 0, first, keys, loc)
        c.send("RELEASE", id, status=status, request=os.urandom(16), receipt="log/2", size=size, off=off, len=length, head=head,
               tenant=TENANT, rows=rows,
               headers=wire.put_headers([("etag", '"%s"' % o["etag"]), ("last-modified", "Tue, 24 Nov 2026 08:21:16 GMT"),
                                         ("content-type", o["type"] or "binary/octet-stream")] + o["meta"]))

    def list(self, c, id, bucket, params):
        rows = [wire.put_listing_row(k, o["size"], 1795508476000, o["etag"], 0) for (b, k), o in sorted(self.store.objects.items())
                if b == bucket and k.startswith(params.get("prefix", ""))]
        half = len(rows) // 2
        c.send("LISTING", id, request=os.urandom(16), receipt="log/3", owner=wire.put_owner("123456789012", "owner"), rows=b"".join(rows[:half]))
        c.send("LISTING", id, request=os.urandom(16), receipt="log/3", owner=wire.put_owner("123456789012", "owner"), rows=b"".join(rows[half:]), last=1)

    def on_body(self, c, id, m):
        c.wants[id] += m["data"]
        if m["last"]:
            self.answer(c, id, 200, headers=[("location", "/x")])

    def on_commit(self, c, id, m):
        s = self.store
        t = s.tickets.pop(id)
        s.commits.append(m)
        cipher = s.blobs[t["blob"]]
        assert len(cipher) == m["cipher_size"], (len(cipher), m["cipher_size"])
        plain = unseal(TENANT, t["blob"], t["key"], bytes(cipher))
        sums = wire.get_sums(m["sums"])
        assert len(plain) == m["size"] and hashlib.md5(plain).digest() == sums[1]
        engine = 2
        if len(cipher) > s.file_over:
            name = b32(t["blob"])
            d = os.path.join(s.dir, "keeper/blobs", name[:2])
            os.makedirs(d, exist_ok=True)
            with open(os.path.join(d, name), "wb") as f:
                f.write(cipher)
            engine = 3
        s.objects[t["name"]] = {"blob": t["blob"], "key": t["key"], "size": len(plain), "etag": sums[1].hex(), "engine": engine,
                                "type": t["type"], "meta": t["meta"]}
        if t.get("copy"):
            assert len(sums) == 10 and sums[3] == hashlib.sha256(plain).digest() and sums[7] == hashlib.sha512(plain).digest()
            body = b"<CopyObjectResult><ETag>&quot;%s&quot;</ETag></CopyObjectResult>" % sums[1].hex().encode()
            return self.answer(c, id, 200, headers=[("content-type", "application/xml")], body=body)
        if t.get("redirect"):
            return self.answer(c, id, 303, headers=[("location", t["redirect"])])
        self.answer(c, id, 204 if "redirect" in t else 200, headers=[("etag", '"%s"' % sums[1].hex())])

    def on_abort(self, c, id, m):
        self.store.aborted.append((id, m["code"].decode()))
        self.store.tickets.pop(id, None)

    def on_logread(self, c, id, m):
        s = self.store
        if m["capability"] != b"cap":
            return self.answer(c, id, 404, "NoSuchKey")
        text = s.log_text if m["path"] in (b"checkpoint", b"slot") else b""
        c.send("LOGFILE", id, log=s.log_id, size=s.log_size, text=text)


if __name__ == "__main__":
    store = Store(sys.argv[1])
    Gate(store), Keeper(store)
    print("up", flush=True)
    while True:
        time.sleep(60)
