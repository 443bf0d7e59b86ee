# SPDX-License-Identifier: Apache-2.0
"""wire: the frames between Tillit's processes, for tests, read at run time from src/lib/wire/wire.def.

  m = encode("ASK", id, flags=0, canonical=b"...")      fields that are not given are 0 or empty
  Conn(sock).send("HELLO", 0, role=1, version=1, boot=os.urandom(16))
  name, id, fields = Conn(sock).recv()                   fields is a dict; None at the end of the stream
  Conn.recv_id(id) waits for a frame with that id and keeps the others for later.

Lists (headers, sums, release rows, listing rows) have put_ and get_ helpers below. Nothing here checks roles: tests also play
peers that break the rules.
"""
import os
import re
import socket
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VERSION = 3
ROLE_FRONT, ROLE_GATE, ROLE_KEEPER, ROLE_STEWARD, ROLE_ACCESS = 1, 2, 4, 8, 16
SIZE_UNKNOWN = 2**64 - 1
ASK_TLS, ASK_API, ASK_AGAIN = 1, 2, 4
AUTH_NONE, AUTH_HEADER, AUTH_QUERY, AUTH_FORM = 0, 1, 2, 3
BODY_NONE, BODY_ERROR, BODY_RAW = 0, 1, 2
SUM = {"md5": 1, "sha1": 2, "sha256": 3, "crc32": 4, "crc32c": 5, "crc64nvme": 6,
       "sha512": 7, "xxhash64": 8, "xxhash3": 9, "xxhash128": 10}
SCAN_KEYS, SCAN_VERSIONS, SCAN_UPLOADS, SCAN_PARTS = 0, 1, 2, 3
ROW_ENTRY, ROW_PREFIX, ROW_MARKER, ROW_UPLOAD, ROW_PART = 0, 1, 2, 3, 4
FIXED = {"U8": ">B", "U16": ">H", "U32": ">I", "U64": ">Q"}


def load(path=os.path.join(ROOT, "src/lib/wire/wire.def")):
    """{name: (number, [(kind, field), ...])}"""
    text = re.sub(r"/\*.*?\*/", "", open(path).read(), flags=re.S)
    table, fields = {}, None
    for kind, args in re.findall(r"\b(MSG|U8|U16|U32|U64|ID|HASH|BYTES|END)\(([^\n]*)\)", text):
        words = [a.strip() for a in args.split(",")]
        if kind == "MSG":
            fields = []
            table[words[0]] = (int(words[2], 16), fields)
        elif kind != "END":
            fields.append((kind, words[0]))
    return table


TABLE = load()
BY_NUMBER = {number: name for name, (number, _) in TABLE.items()}


def encode(name, id=0, **values):
    number, fields = TABLE[name]
    out = b""
    for kind, field in fields:
        v = values.pop(field, None)
        if kind in FIXED:
            out += struct.pack(FIXED[kind], v or 0)
        elif kind == "BYTES":
            v = v.encode() if isinstance(v, str) else v or b""
            out += struct.pack(">I", len(v)) + v
        else:
            n = 16 if kind == "ID" else 32
            v = v if v is not None else bytes(n)
            assert len(v) == n, (name, field)
            out += v
    assert not values, f"{name} has no {sorted(values)}"
    return struct.pack(">IBQ", 9 + len(out), number, id) + out


def decode(name, payload):
    out, at = {}, 0
    for kind, field in TABLE[name][1]:
        if kind in FIXED:
            out[field] = struct.unpack_from(FIXED[kind], payload, at)[0]
            at += struct.calcsize(FIXED[kind])
            continue
        n = {"ID": 16, "HASH": 32}.get(kind)
        if n is None:
            n = struct.unpack_from(">I", payload, at)[0]
            at += 4
        out[field] = payload[at:at + n]
        assert len(out[field]) == n, f"{name}.{field} ends early"
        at += n
    assert at == len(payload), f"{name}: {len(payload) - at} bytes too many"
    return out


class Conn:
    def __init__(self, sock):
        self.sock, self.kept = sock, []

    @classmethod
    def connect(cls, path, role=ROLE_FRONT, boot=None, timeout=10):
        """Connects and shakes hands; .hello is what the peer said."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(path)
        c = cls(s)
        c.send("HELLO", 0, role=role, version=VERSION, boot=boot or os.urandom(16))
        got = c.recv()
        assert got and got[0] == "HELLO", got
        c.hello = got[2]
        return c

    def send(self, name, id=0, **values):
        self.sock.sendall(encode(name, id, **values))

    def exactly(self, n):
        out = bytearray()
        while len(out) < n:
            piece = self.sock.recv(min(n - len(out), 1 << 20))
            if not piece:
                return None
            out += piece
        return bytes(out)

    def recv(self):
        if self.kept:
            return self.kept.pop(0)
        return self.read_frame()

    def read_frame(self):
        head = self.exactly(13)
        if head is None:
            return None
        n, number, id = struct.unpack(">IBQ", head)
        payload = self.exactly(n - 9)
        if payload is None:
            return None
        name = BY_NUMBER[number]
        return name, id, decode(name, payload)

    def recv_id(self, id):
        for i, frame in enumerate(self.kept):
            if frame[1] == id:
                return self.kept.pop(i)
        while True:
            frame = self.read_frame()
            if frame is None or frame[1] == id:
                return frame
            self.kept.append(frame)

    def close(self):
        self.sock.close()


def lp16(b):
    b = b.encode() if isinstance(b, str) else b
    return struct.pack(">H", len(b)) + b


class Reader:
    def __init__(self, b):
        self.b, self.at = b, 0

    def take(self, n):
        out = self.b[self.at:self.at + n]
        assert len(out) == n, "list ends early"
        self.at += n
        return out

    def num(self, kind):
        return struct.unpack(FIXED[kind], self.take(struct.calcsize(FIXED[kind])))[0]

    def lp16(self):
        return self.take(self.num("U16"))

    def more(self):
        return self.at < len(self.b)


def put_headers(pairs):
    return b"".join(lp16(k) + lp16(v) for k, v in pairs)


def get_headers(b):
    r, out = Reader(b), []
    while r.more():
        out.append((r.lp16().decode(), r.lp16()))
    return out


def get_sums(b):
    r, out = Reader(b), {}
    while r.more():
        number = r.num("U8")
        out[number] = r.lp16()
    return out


def put_release_row(blob, plain_size, plain_off, first_segment, keys, location):
    return (blob + struct.pack(">QQIH", plain_size, plain_off, first_segment, len(keys)) + b"".join(keys) + lp16(location))


def get_release_rows(b):
    r, out = Reader(b), []
    while r.more():
        row = {"blob": r.take(16), "plain_size": r.num("U64"), "plain_off": r.num("U64"), "first_segment": r.num("U32")}
        row["keys"] = [r.take(32) for _ in range(r.num("U16"))]
        row["location"] = r.lp16()
        out.append(row)
    return out


def put_listing_row(key, size=0, mtime_ms=0, etag=b"", sum=0, prefix=False, kind=None, composite=0, sum_value=b"", id=b"", latest=0, number=0):
    kind = kind if kind is not None else ROW_PREFIX if prefix else ROW_ENTRY
    return (struct.pack(">B", kind) + lp16(key) + struct.pack(">QQ", size, mtime_ms) + lp16(etag) + struct.pack(">BB", sum, composite)
            + lp16(sum_value) + lp16(id) + struct.pack(">BH", latest, number))


def get_listing_rows(b):
    r, out = Reader(b), []
    while r.more():
        kind = r.num("U8")
        out.append({"kind": kind, "prefix": kind == ROW_PREFIX, "key": r.lp16(), "size": r.num("U64"), "mtime_ms": r.num("U64"),
                    "etag": r.lp16(), "sum": r.num("U8"), "composite": r.num("U8"), "sum_value": r.lp16(), "id": r.lp16(),
                    "latest": r.num("U8"), "number": r.num("U16")})
    return out


def put_owner(id, name=""):
    return lp16(id) + lp16(name)


def get_locations(b):
    r, out = Reader(b), []
    while r.more():
        out.append(r.lp16())
    return out
