# SPDX-License-Identifier: Apache-2.0
"""Attack 17: uploads in signed chunks that are bent on their way, by somebody between client and front, and by the front itself."""
import base64
import hashlib
import hmac
import os
import struct
import time
import zlib

from lib.attack import attack, by_id, held, records, store
from lib.evilfront import EMPTY, EvilFront, Web

WORDS = "bent chunks became an object"
PLAIN, TRAILING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
CHUNKS = [b"a" * 65536, b"b" * 65536, b"c" * 70000, b"the end"]
BODY = b"".join(CHUNKS)


class Upload:
    """A PUT in signed chunks: `pieces` are the chunks as sent, terminal and trailer last; `rows` what a front tells of them."""
    def __init__(self, web, path, chunks, trailer=False):
        body = b"".join(chunks)
        headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(body)), **({"x-amz-trailer": "x-amz-checksum-crc32"} if trailer else {})}
        self.signed = web.signed("PUT", path, headers=headers, payload=TRAILING if trailer else PLAIN)
        self.key = b"AWS4" + web.credentials.secret.encode()
        for word in self.signed.credential.split("/")[1:]:
            self.key = hmac.new(self.key, word.encode(), hashlib.sha256).digest()
        self.previous, self.pieces, self.rows = self.signed.signature, [], []
        for c in [*chunks, b""]:
            self.link("AWS4-HMAC-SHA256-PAYLOAD", [EMPTY], c)
            self.pieces.append(b"%x;chunk-signature=%s\r\n%s" % (len(c), self.previous.encode(), c + b"\r\n" if c else b""))
        if trailer:
            line = b"x-amz-checksum-crc32:" + base64.b64encode(struct.pack(">I", zlib.crc32(body))) + b"\n"
            self.link("AWS4-HMAC-SHA256-TRAILER", [], line)
            self.pieces.append(line + b"\r\nx-amz-trailer-signature:" + self.previous.encode() + b"\r\n")

    def link(self, word, lines, data):
        digest = hashlib.sha256(data)
        scope = self.signed.credential.split("/", 1)[1]
        text = "\n".join([word, self.signed.headers["x-amz-date"], scope, self.previous, *lines, digest.hexdigest()])
        self.previous = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        self.rows.append(digest.digest() + bytes.fromhex(self.previous))

    def body(self, pieces=None):
        return b"".join(self.pieces if pieces is None else pieces) + b"\r\n"


def flip(piece, at):
    return piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1:]


def forged(piece):
    head, mark, rest = piece.partition(b"signature=")
    return head + mark + b"0" * 64 + rest[64:]


BENDS = [
    ("a flipped byte in chunk 1", False, lambda p: [flip(p[0], 5000), *p[1:]]), ("a flipped byte in chunk 3", False, lambda p: [*p[:2], flip(p[2], 5000), *p[3:]]),
    ("a flipped byte in the last chunk", False, lambda p: [*p[:3], flip(p[3], -3), *p[4:]]),
    ("no terminal chunk", False, lambda p: p[:-1]), ("nothing but the terminal chunk", False, lambda p: p[-1:]), ("two chunks swapped", False, lambda p: [p[1], p[0], *p[2:]]),
    ("a chunk twice, another left out", False, lambda p: [p[0], p[0], *p[2:]]), ("a forged signature", False, lambda p: [p[0], forged(p[1]), *p[2:]]),
    ("a forged terminal signature", False, lambda p: [*p[:-1], forged(p[-1])]), ("no signature", False, lambda p: [p[0].replace(b";chunk-signature=", b";x="), *p[1:]]),
    ("chunks of one byte", False, None), ("a forged trailer", True, lambda p: [*p[:-1], p[-1].replace(b"crc32:", b"crc32:A", 1)]),
    ("a forged trailer signature", True, lambda p: [*p[:-1], flip(p[-1], -3)]), ("no trailer", True, lambda p: p[:-1]),
    ("a trailer without its signature", True, lambda p: [*p[:-1], p[-1].split(b"\r\n")[0] + b"\r\n"]),
]


@attack("17", ("chunk-chain-unchecked", WORDS))
def test_bent_chunks_become_no_object(case):
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/chunks")
    for trailer in (False, True):
        for n, chunks in enumerate((CHUNKS, [], [b"x"], [os.urandom(8192) for _ in range(300)])):
            u = Upload(web, f"/chunks/good-{trailer}-{n}", chunks, trailer)
            r = web.receive(web.send(u.signed, u.body()))
            assert r.status == 200, (trailer, n, r.status, r.body)
            assert web.request("GET", f"/chunks/good-{trailer}-{n}").body == b"".join(chunks)
            assert by_id(s, r.id)["body"] == ("chunk" if chunks else "none"), "a body whose chunks were checked says so"
    known = len(records(s))
    for n, (what, trailer, bend) in enumerate(BENDS):
        chunks = [bytes([c]) for c in b"one by one"] if bend is None else CHUNKS
        u = Upload(web, f"/chunks/bent-{n}", chunks, trailer)
        r = web.receive(web.send(u.signed, u.body(bend(u.pieces) if bend else None)))
        held(r.status in (400, 403), WORDS, f"{what}: {r.status}")
        if r.receipt:                              # the gate refused it: proven caller, so there is a leaf
            leaf = by_id(s, r.id)
            held(leaf["why"] == r.code == "SignatureDoesNotMatch" and not leaf.get("w") and r.status == 403, WORDS, f"{what}: {leaf}")
        assert web.request("HEAD", f"/chunks/bent-{n}").status == 404, what
    mine = [r for r in records(s)[known:] if r.get("act") == "PutObject"]
    held(not [r for r in mine if r.get("w")], WORDS, mine)
    assert {f"bent-{n}" for n, (what, *_) in enumerate(BENDS) if "flipped" in what or "swapped" in what or what.startswith("a forged signature")} <= {r["key"] for r in mine}, mine
    deadline = time.monotonic() + 10               # what was staged is collected
    while os.listdir(os.path.join(s.dir, "keeper", "stage")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not os.listdir(os.path.join(s.dir, "keeper", "stage"))


@attack("17", ("chunk-chain-unchecked", WORDS))
def test_a_front_cannot_leave_the_chain_out(case):
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/chunks")
    chunks = [b"x" * 8192, b"y" * 8192, b"z"]
    body = b"".join(chunks)
    cases = [("nothing told", lambda r: []), ("without the end", lambda r: [(0, r[:-1])]), ("called ended", lambda r: [(1, r[:-1])]), ("the end alone", lambda r: [(1, r[-1:])]),
             ("swapped", lambda r: [(1, [r[1], r[0], *r[2:]])]), ("forged", lambda r: [(1, [r[0][:32] + bytes(32), *r[1:]])]),
             ("other data", lambda r: [(1, [os.urandom(32) + r[0][32:], *r[1:]])]), ("wrong, then right", lambda r: [(0, [bytes(64)]), (1, r)]),
             ("twice", lambda r: [(1, r), (1, r)]), ("more behind the end", lambda r: [(1, [*r, r[-1]])]),
             ("another request's", lambda r: [(1, Upload(web, "/chunks/other", chunks).rows)])]
    for what, tell in [("as it should be", lambda r: [(0, r[:2]), (0, []), (1, r[2:])]), *cases]:
        evil = EvilFront(s)
        u = Upload(web, "/chunks/evil", chunks)
        name, t = evil.ask(u.signed, body_size=len(body))
        assert name == "TICKET", (what, name, t)
        assert evil.stage(t["blob"], os.urandom(len(body) + 16)) == 0
        for last, rows in tell(u.rows):
            evil.gate.send("CHUNKS", evil.last, last=last, rows=b"".join(rows))
        name, m = evil.commit(evil.last, body, len(body) + 16, sums=("md5", "crc64nvme"))
        if what == "as it should be":
            assert (name, m["status"]) == ("ANSWER", 200), m
            web.ok("DELETE", "/chunks/evil")
            known = len(records(s))
        else:
            held(name == "ANSWER" and m["status"] in (400, 403) and m["receipt"], WORDS, f"{what}: {name} {m['status']}")
        evil.close()
    mine = [r for r in records(s)[known:] if r.get("act") == "PutObject"]
    held(len(mine) == len(cases) and all(r["why"] in ("SignatureDoesNotMatch", "IncompleteBody") and not r.get("w") for r in mine), WORDS, mine)
    assert web.request("HEAD", "/chunks/evil").status == 404
    # Rows that are none, and rows where none are due, cost the front its connection.
    for path, payload, rows in [("/chunks/odd", PLAIN, b"x" * 63), ("/chunks/plain", hashlib.sha256(body).hexdigest(), b"x" * 64)]:
        evil = EvilFront(s)
        name, t = evil.ask(web.signed("PUT", path, headers={"x-amz-decoded-content-length": str(len(body))}, payload=payload), body_size=len(body))
        assert name == "TICKET", (name, t)
        evil.gate.send("CHUNKS", evil.last, last=0, rows=rows)
        evil.gate.sock.settimeout(4)
        assert evil.gate.recv_id(evil.last) is None, path
        evil.close()
