# SPDX-License-Identifier: Apache-2.0
"""evilfront: a front that keeps no rule, and a client that signs what it likes.

  web = Web(store)                       signed HTTP over a raw socket; every part can be altered after it was signed
  r = web.request("PUT", "/b/k", body=b"x", after={"x-amz-acl": "public-read"})     r.status, r.headers, r.body, r.code

  evil = EvilFront(store)                speaks the wire to gate and keeper on the front's own paths
  name, fields = evil.ask(web.signed("GET", "/b/a"), canonical=other)               first answer to an ASK
  evil.keeper.send("FIND", ...); gone(evil.keeper)                                  whether the keeper closed the connection

Root may connect to the sockets (the peer's uid is checked there), so nothing of nginx is between this and the doors.
"""
import base64
import datetime
import hashlib
import hmac
import os
import re
import select
import socket
import ssl
import struct
import time
import urllib.parse

from lib.attack import Credentials
from lib.wire import AUTH_HEADER, AUTH_NONE, ROLE_ACCESS, ROLE_FRONT, SUM, Conn, get_release_rows, lp16, put_headers

EMPTY = hashlib.sha256(b"").hexdigest()


class Signed:
    """A request under a signature: what a front would send to the gate, and what a client would send to the front."""
    def __init__(self, **kw):
        self.__dict__.update(kw)

    def but(self, **kw):
        return Signed(**{**self.__dict__, **kw})


def sign(credentials, method, path, query="", headers=None, payload=EMPTY, host="localhost", at=None, service="s3"):
    """path is already encoded; query is the raw string. headers are signed too."""
    at = at or datetime.datetime.now(datetime.timezone.utc)
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    signed = {"host": host, "x-amz-date": stamp, "x-amz-content-sha256": payload, **{k.lower(): v for k, v in (headers or {}).items()}}
    names = ";".join(sorted(signed))
    pairs = sorted(p if "=" in p else p + "=" for p in query.split("&") if p)
    canonical = "\n".join([method, path, "&".join(pairs), "".join(f"{k}:{signed[k]}\n" for k in sorted(signed)), names, payload])
    scope = f"{day}/{credentials.region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + credentials.secret.encode()
    for word in (day, credentials.region, service, "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    authorization = f"AWS4-HMAC-SHA256 Credential={credentials.key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return Signed(method=method, path=path, query=query, headers=signed, canonical=canonical.encode(), credential=f"{credentials.key}/{scope}",
                  signature=signature, authorization=authorization)


class Answer:
    def __init__(self, status, headers, body, first_byte_s):
        self.status, self.headers, self.body, self.first_byte_s = status, headers, body, first_byte_s

    @property
    def code(self):
        found = re.search(rb"<Code>(\w+)</Code>", self.body)
        return found.group(1).decode() if found else ""

    @property
    def id(self):
        return self.headers.get("x-amz-request-id", "")

    @property
    def receipt(self):
        return self.headers.get("x-tillit-receipt", "")


class Web:
    """One request a connection; nothing is retried, nothing is hidden."""
    def __init__(self, store, info=None, tls=False, url=None):
        self.store, self.tls = store, tls
        self.credentials = Credentials(info or store.info)
        self.url = urllib.parse.urlsplit(url or store.endpoints["s3_tls" if tls else "s3"])
        self.host = self.url.netloc

    def signed(self, method, path, query="", headers=None, body=b"", payload=None, at=None):
        payload = payload or hashlib.sha256(body).hexdigest()
        return sign(self.credentials, method, path, query, headers, payload, self.host, at)

    def connect(self, timeout=30):
        s = socket.create_connection((self.url.hostname, self.url.port), timeout)
        if self.tls:
            s = ssl.create_default_context(cafile=self.store.info["ca_cert"]).wrap_socket(s, server_hostname="localhost")
        return s

    def head_of(self, r, after=None, length=None, authorization=True):
        """The request's head as bytes; after: headers added once it is signed (None drops one)."""
        headers = {**r.headers, **({"authorization": r.authorization} if authorization else {}), **(after or {})}
        if length is not None:
            headers["content-length"] = str(length)
        target = r.path + ("?" + r.query if r.query else "")
        return (f"{r.method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items() if v is not None) + "\r\n").encode("latin-1")

    def send(self, r, body=b"", after=None, sock=None, authorization=True):
        sock = sock or self.connect()
        length = len(body) if body or r.method in ("PUT", "POST") else None
        sock.sendall(self.head_of(r, {"connection": "close", **(after or {})}, length, authorization) + body)
        return sock

    @staticmethod
    def receive(sock, method="GET", since=None):
        since = since or time.monotonic()
        data, first = b"", None
        while True:
            try:
                piece = sock.recv(1 << 20)
            except ConnectionResetError:
                piece = b""
            if not piece:
                break
            first = first or time.monotonic() - since
            data += piece
            head, gap, rest = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if gap and length and len(rest) >= (0 if method == "HEAD" else int(length.group(1))):
                break
        sock.close()
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        if not lines[0].startswith("HTTP/1.1 "):
            return Answer(0, {}, data, first)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        return Answer(int(lines[0].split()[1]), headers, body, first)

    def request(self, method, path, query="", headers=None, body=b"", after=None, at=None, payload=None, signed=None):
        r = signed or self.signed(method, path, query, headers, body, payload, at)
        return self.receive(self.send(r, body, after), method)

    def ok(self, *args, **kw):
        r = self.request(*args, **kw)
        assert 200 <= r.status < 300, f"{args[:2]}: {r.status} {r.body[:300]!r}"
        return r


class Staff(Web):
    """Somebody of the provider's under a grant: temporary credentials (what access.login answered), sent to the access front unless another is named."""
    def __init__(self, store, session, url=None):
        super().__init__(store, {"access_key_id": session["AccessKeyId"], "secret_access_key": session["SecretAccessKey"], "region": store.info["region"]},
                         url=url or store.s3_access)
        self.token = session["SessionToken"]

    def signed(self, method, path, query="", headers=None, body=b"", payload=None, at=None):
        return super().signed(method, path, query, {"x-amz-security-token": self.token, **(headers or {})}, body, payload, at)


def id_text(id):
    """As ids are written: base32, lower case, without padding."""
    return base64.b32encode(id).decode().lower().rstrip("=")


def gone(conn, within=4.0):
    """The peer closed the connection without sending a frame."""
    conn.sock.settimeout(within)
    try:
        return conn.read_frame() is None
    except ConnectionResetError:
        return True
    except (socket.timeout, TimeoutError):
        return False


class EvilFront:
    def __init__(self, store, role=ROLE_FRONT):
        run, door = os.path.join(store.dir, "run"), "access" if role == ROLE_ACCESS else "front"
        self.store = store
        self.keeper = Conn.connect(os.path.join(run, "keeper", door), role)
        self.gate = Conn.connect(os.path.join(run, "gate", door), role)
        self.front_id = self.keeper.hello["front_id"]
        self.next = 1

    def ask(self, signed=None, canonical=None, unsigned=(), auth=None, body_size=0, **fields):
        """(name, fields) of the first answer; signed None: an anonymous ASK. Any field may be given another value."""
        id = self.ask_begin(signed, canonical, unsigned, auth, body_size, **fields)
        frame = self.gate.recv_id(id)
        return (None, {}) if frame is None else (frame[0], frame[2])

    def ask_begin(self, signed=None, canonical=None, unsigned=(), auth=None, body_size=0, **fields):
        """The id of an ASK whose answer is still to come."""
        id, self.next = self.next, self.next + 1
        values = {"flags": 0, "peer": "192.0.2.66", "front_id": self.front_id, "body_size": body_size,
                  "unsigned_headers": put_headers(unsigned)}
        if signed is None:
            values.update(auth=AUTH_NONE, canonical=canonical)
        else:
            values.update(auth=AUTH_HEADER, canonical=canonical or signed.canonical, credential=signed.credential, signature=signed.signature)
        if auth is not None:
            values["auth"] = auth
        values.update(fields)
        self.gate.send("ASK", id, **values)
        self.last = id
        return id

    def stage(self, blob, data, off=0, last=1):
        """Frames of 256 KiB under credits; gives the SEALED outcome, or None when the keeper closed the connection."""
        self.keeper.sock.settimeout(10)
        at, credit, window = 0, off, 1 << 20
        while True:
            piece = data[at:at + (1 << 18)]
            end = at + len(piece) >= len(data)
            while off + at + len(piece) - credit > window:
                frame = self.keeper.read_frame()
                if frame is None:
                    return None
                credit = frame[2]["taken"] if frame[0] == "CREDIT" else credit
            self.keeper.send("STAGE", 1, blob=blob, off=off + at, last=last if end else 0, data=piece)
            at += len(piece)
            if end:
                break
        while last:
            frame = self.keeper.read_frame()
            if frame is None or frame[0] == "SEALED":
                return frame and frame[2]["outcome"]

    def commit(self, ask_id, plain, cipher_size, sums=("md5", "crc64nvme", "sha256")):
        """What the gate wants to know of a body, stated for `plain`."""
        digests = {"md5": hashlib.md5(plain).digest(), "sha256": hashlib.sha256(plain).digest(), "crc64nvme": crc64nvme(plain)}
        self.gate.send("COMMIT", ask_id, size=len(plain), cipher_size=cipher_size,
                       sums=b"".join(struct.pack(">B", SUM[n]) + lp16(digests[n]) for n in sums))
        frame = self.gate.recv_id(ask_id)
        return frame and (frame[0], frame[2])

    def close(self):
        self.keeper.close()
        self.gate.close()


class Key:
    """One segment's key as it came: when (wall clock, ms), behind which leaf of the control log, whether the front had said it was sent."""
    def __init__(self, **kw):
        self.__dict__.update(kw)


class EvilAccess(EvilFront):
    """A front of the provider's people that never stops: KILL is nothing to it. lies: each segment is said to be sent as soon as its key is here."""
    def __init__(self, store, lies):
        super().__init__(store, ROLE_ACCESS)
        self.lies, self.keys, self.refused, self.killed, self.owed, self.streams = lies, [], [], set(), [], {}
        self.whole = lambda: None                  # a stream has its last key

    def pump(self, seconds, enough=lambda: False):
        """Takes what comes for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not enough():
            if not select.select([self.gate.sock], [], [], 0.02)[0]:
                continue
            frame = self.gate.read_frame()
            assert frame, "the gate closed the connection"
            name, id, m = frame
            if name == "RELEASE":
                self.released(id, m)
            elif name == "KILL":
                self.killed.add(id)
            else:
                self.refused.append((id, name, m.get("status"), m.get("code")))

    def released(self, id, m):
        now = time.time() * 1000
        stream = self.streams.setdefault(id, {"off": m["off"], "end": m["off"] + m["len"], "keys": []})
        for row in get_release_rows(m["rows"]):
            for i, key in enumerate(row["keys"]):
                at = (row["first_segment"] + i) * SEGMENT
                k = Key(id=id, at=now, leaf=int(m["receipt"].decode().rsplit("/", 1)[1]), blob=row["blob"], segment=row["first_segment"] + i, key=key,
                        bytes=min(SEGMENT, row["plain_size"] - at), blob_bytes=row["plain_size"], off=row["plain_off"] + at, tenant=m["tenant"], said=None)
                self.keys.append(k)
                stream["keys"].append(k)
                stream["sent"] = min(k.off + k.bytes, stream["end"]) - stream["off"]
        self.owed.append(id)
        if self.lies:
            self.say_sent()
        if not m["more"]:
            self.whole()

    def say_sent(self):
        """All that was released is said to be with the client."""
        for id in self.owed:
            for k in self.streams[id]["keys"]:
                k.said = k.said or time.time() * 1000
            self.gate.send("NEXT", id, sent=self.streams[id]["sent"])
        self.owed = []


SEGMENT, FRAME = 4 << 20, 65536


def opened(store, k):
    """What a key really opens: the plaintext of its segment, from the bytes that lie on the keeper's disk."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    name = id_text(k.blob)
    with open(os.path.join(store.dir, "keeper", "blobs", name[:2], name), "rb") as f:
        f.seek(k.segment * 64 * (FRAME + 16))
        cipher = f.read(64 * (FRAME + 16))
    out, frames = [], (k.blob_bytes + FRAME - 1) // FRAME
    for i in range(0, len(cipher), FRAME + 16):
        n = i // (FRAME + 16)
        nonce = bytes(7) + struct.pack(">IB", n, k.segment * 64 + n == frames - 1)
        out.append(AESGCM(k.key).decrypt(nonce, cipher[i:i + FRAME + 16], k.tenant + k.blob + struct.pack(">I", k.segment)))
    return b"".join(out)


def crc64nvme(data):
    """Slow and plain; for small bodies only."""
    if not hasattr(crc64nvme, "table"):
        crc64nvme.table = []
        for i in range(256):
            c = i
            for _ in range(8):
                c = (c >> 1) ^ (0x9A6C9329AC4BC9B5 if c & 1 else 0)
            crc64nvme.table.append(c)
    crc = 0xFFFFFFFFFFFFFFFF
    for b in data:
        crc = crc64nvme.table[(crc ^ b) & 255] ^ (crc >> 8)
    return struct.pack(">Q", crc ^ 0xFFFFFFFFFFFFFFFF)


def canonical_unsigned(method, path, query="", host="localhost"):
    """An anonymous request in canonical form: nothing is signed."""
    pairs = sorted(p if "=" in p else p + "=" for p in query.split("&") if p)
    return "\n".join([method, path, "&".join(pairs), "", "", "UNSIGNED-PAYLOAD"]).encode()
