# SPDX-License-Identifier: Apache-2.0
"""Malformed and hostile requests, row by row of bad-input.tsv, on raw sockets.

Each request gets a connection of its own. Compared: the status; the code in the XML; <RequestId> = x-amz-request-id; HEAD without a
body; nothing stored by a refused write; and the connection afterwards: the next request on it is answered as if nothing had been, or
it is closed, never out of step. A failure lists every row of its group that differs.
"""
import base64
import datetime
import hashlib
import os
import re
import socket
import threading

from lib.case import limit
from lib.raw import Caller, Closed, Connection, Request, UNSIGNED
from lib.statement import say

HERE = os.path.dirname(os.path.abspath(__file__))
BUCKET, TEN = "bad-input", b"0123456789"
ROWS, FREE = {}, {}
# Where this version answers otherwise, and why; each is as closed as the row's own answer, and the row stays in the table.
DIFFERS = {
    ("C13", 0): (501, ["NotImplemented"], "signatures of chunks are not checked yet: such bodies are refused whole, before they are read"),
    ("C13", 1): (501, ["NotImplemented"], "the same"),
    ("B17", 0): (501, ["NotImplemented"], "parts come with multipart"),
    ("K09", 0): (400, ["InvalidURI"], "nginx refuses a path that climbs above its beginning before we see it; ../ further in is an ordinary part of a key"),
}
# Elements that the answer must carry besides Code, by row.
CARRIES = {"A09": ["Region"], "A13": ["RequestTime", "ServerTime", "MaxAllowedSkewMilliseconds"], "A21": ["HeadersNotSigned"],
           "P09": ["X-Amz-Expires", "Expires", "ServerTime"], "B13": ["RangeRequested", "ActualObjectSize"], "W01": ["Condition"]}


def table():
    with open(os.path.join(HERE, "bad-input.tsv")) as f:
        lines = [x.rstrip("\n").split("\t") for x in f if not x.startswith("#")]
    return {r[0]: {"request": r[1], "status": r[2], "codes": [c for c in re.findall(r"[A-Za-z0-9]+", r[3].split("(")[0]) if c[0].isupper()]}
            for r in lines[1:]}


def row(name):
    """Yields requests; each must be answered as the table says."""
    def take(f):
        ROWS[name] = f
        return f
    return take


def free(name):
    """Looks for itself; yields what is wrong."""
    def take(f):
        FREE[name] = f
        return f
    return take


class World:
    def __init__(self, store):
        self.store, self.c = store, Caller(store)
        self.count = 0
        assert self.c.call("PUT", "/" + BUCKET).status == 200
        assert self.c.call("PUT", f"/{BUCKET}/ten", body=TEN).status == 200
        assert self.c.call("PUT", f"/{BUCKET}/empty").status == 200

    def fresh(self):
        """A key that nothing may ever be stored under."""
        self.count += 1
        return f"/{BUCKET}/refused-{self.count}"


def in_step(w, connection, answer):
    """None, or what is wrong with the connection after an answer."""
    if (answer.get("connection") or "").lower() == "close":
        return None if connection.closed_within() else "it said close and stayed open"
    try:
        again = connection.ask(w.c.sign("GET", f"/{BUCKET}/ten"))
    except Closed:
        return None
    except (TimeoutError, socket.timeout):
        return "the next request on the connection got no answer"
    if again.status != 200 or again.body != TEN:
        return f"the next request on the connection got {again}"
    return None


def ask(w, request, status, codes, carries=(), no_continue=False):
    """What differs in one request's answer."""
    connection = w.c.connect()
    try:
        return list(differs(w, connection, request, status, codes, carries, no_continue))
    except Closed as e:
        return [f"connection closed without an answer ({e})"]
    except (TimeoutError, socket.timeout):
        return ["no answer"]
    finally:
        connection.close()


def differs(w, connection, request, status, codes, carries, no_continue):
    a = connection.ask(request)
    if a.status != status:
        yield f"got {a}"
    if request.method == "HEAD":
        stray = connection.stray()
        if stray:
            yield f"HEAD was followed by {stray[:60]!r}"
    elif a.status >= 400 and a.status == status:
        if codes and a.code not in codes:
            yield f"got {a}"
        if not a.get("x-amz-request-id") or a.element("RequestId") != a.get("x-amz-request-id"):
            yield f"RequestId {a.element('RequestId')} and x-amz-request-id {a.get('x-amz-request-id')} differ"
        if not (a.get("content-type") or "").startswith("application/xml"):
            yield f"content-type {a.get('content-type')}"
        for name in carries:
            if not a.element(name):
                yield f"no <{name}> in the body"
    if no_continue and connection.continued:
        yield "100 Continue was sent"
    wrong = in_step(w, connection, a)
    if wrong:
        yield wrong


def group(case, letters, config="", only=None):
    store = case.store(config=config)
    w, rows, wrong = World(store), table(), []
    names = [n for n in rows if n[0] in letters and (only is None or n in only)]
    for name in names:
        want = rows[name]
        if name in FREE:
            try:
                wrong += [f"{name} {want['request'][:60]}: {x}" for x in FREE[name](w)]
            except (Closed, OSError, AssertionError) as e:
                wrong.append(f"{name} {want['request'][:60]}: {type(e).__name__} {e}")
            continue
        assert name in ROWS, f"no request is written for row {name}"
        for i, request in enumerate(ROWS[name](w)):
            status, codes, _ = DIFFERS.get((name, i), (int(want["status"]), want["codes"], ""))
            got = ask(w, request, status, codes, CARRIES.get(name, ()), no_continue=name == "H08")
            wrong += [f"{name}[{i}] {want['request'][:60]}: want {status} {'/'.join(codes)}; {x}" for x in got]
    left = w.c.call("GET", f"/{BUCKET}?list-type=2&prefix=refused-")
    if b"<Key>" in left.body:
        wrong.append("stored although refused: " + ", ".join(re.findall(r"<Key>([^<]*)", left.body.decode())))
    if w.c.call("GET", f"/{BUCKET}/ten").body != TEN:
        wrong.append("an object that nobody changed reads differently")
    assert not wrong, f"{len(wrong)} differences in {len(names)} rows:\n" + "\n".join(wrong)


def ago(**kw):
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**kw)


def bent(w, old, new):
    return w.c.sign("GET", "/").change("Authorization", old, new)


# A: authorization ------------------------------------------------------------------------------------------------------------


@row("A01")
def _(w):
    yield w.c.plain("GET", "/", [["Authorization", "invalid_header"]])


@row("A02")
def _(w):
    yield bent(w, "AWS4-HMAC-SHA256", "AWS2-HMAC-SHA1")


@row("A03")
def _(w):
    yield w.c.plain("GET", "/", [["Authorization", f"AWS {w.c.key}:frJIUN8DYpKDtOLCwo//yllqDzg="], ["Date", "Tue, 27 Mar 2007 19:36:42 +0000"]])


@row("A04")
def _(w):
    for part in (r"Credential=[^,]*, ", r"SignedHeaders=[^,]*, ", r", Signature=.*"):
        r = w.c.sign("GET", "/")
        yield r.set("Authorization", re.sub(part, "", r.get("Authorization")))


@row("A05")
def _(w):
    yield bent(w, "SignedHeaders=", "SignedHeaders")


@row("A06")
def _(w):
    yield bent(w, "/aws4_request", "")


@row("A07")
def _(w):
    yield w.c.sign("GET", "/", terminal="aws3_request")


@row("A08")
def _(w):
    yield w.c.sign("GET", "/", service="ec2")


@row("A09")
def _(w):
    yield w.c.sign("GET", "/", region="mars-1")


@row("A10")
def _(w):
    yield w.c.sign("GET", "/", scope_date="3223423234")


@row("A11")
def _(w):
    yield w.c.sign("GET", "/", scope_date=ago(days=1).strftime("%Y%m%d"))


@row("A12")
def _(w):
    yield w.c.sign("GET", "/", when=ago(days=-5))


@row("A13")
def _(w):
    yield w.c.sign("GET", "/", when=ago(minutes=16))


@row("A14")
def _(w):
    yield w.c.sign("GET", "/", key="AKIAAAAAAAAAAAAAAAAA")


@row("A15")
def _(w):
    yield w.c.sign("GET", "/", secret="x" * 40)
    yield w.c.sign("HEAD", f"/{BUCKET}/ten", secret="x" * 40)


@row("A17")
def _(w):
    yield w.c.sign("GET", "/", date="03032006")


@row("A18")
def _(w):
    yield w.c.sign("PUT", w.fresh(), body=b"x", payload="invalid_sha256")


@row("A19")
def _(w):
    yield w.c.sign("PUT", w.fresh(), body=b"x", payload=hashlib.sha256(b"y").hexdigest())
    yield w.c.sign("PUT", w.fresh(), body=b"x" * 3000000, payload=hashlib.sha256(b"y").hexdigest())


@row("A21")
def _(w):
    yield w.c.sign("PUT", w.fresh(), body=b"x", unsigned=[["x-amz-tagging", "a=b"]])
    yield w.c.sign("PUT", w.fresh(), body=b"", unsigned=[["x-amz-copy-source", f"/{BUCKET}/ten"]])
    yield w.c.sign("PUT", w.fresh(), body=b"x", unsigned=[["x-amz-acl", "public-read"]])
    yield w.c.sign("DELETE", f"/{BUCKET}/ten", unsigned=[["x-amz-bypass-governance-retention", "true"]])


@row("A23")
def _(w):
    yield w.c.presign("GET", f"/{BUCKET}/ten").set("Authorization", w.c.sign("GET", f"/{BUCKET}/ten").get("Authorization"))


@row("A27")
def _(w):
    yield w.c.plain("PUT", w.fresh(), body=b"x")


@row("A28")
def _(w):
    yield w.c.plain("GET", "/")


@row("A29")
def _(w):
    new = say(w.store, "key.add", w.store.info["account"])
    turned_off = Caller(w.store, new["access_key_id"], new["secret_access_key"])
    assert turned_off.call("GET", f"/{BUCKET}/ten").body == TEN, "the new key must work before it is turned off"
    say(w.store, "key.off", new["access_key_id"])
    yield turned_off.sign("GET", f"/{BUCKET}/ten")


@row("A30")
def _(w):
    yield w.c.sign("GET", "/").add("X-Amz-Date", ago(minutes=1).strftime("%Y%m%dT%H%M%SZ"))


# P: presigned ----------------------------------------------------------------------------------------------------------------


@row("P03")
def _(w):
    yield w.c.presign("GET", f"/{BUCKET}/ten", expires="abc")
    yield w.c.presign("GET", f"/{BUCKET}/ten", expires="-1")
    yield w.c.presign("GET", f"/{BUCKET}/ten", expires="604801")


@row("P04")
def _(w):
    yield w.c.presign("GET", f"/{BUCKET}/ten", expires="0")


@row("P05")
def _(w):
    for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"):
        yield w.c.presign("GET", f"/{BUCKET}/ten", change=lambda p: p.update({name: None}))
    r = w.c.presign("GET", f"/{BUCKET}/ten")
    r.target = r.target.split("&X-Amz-Signature")[0]
    yield r


@row("P06")
def _(w):
    yield w.c.presign("GET", f"/{BUCKET}/ten", change=lambda p: p.update({"X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256"}))


@row("P07")
def _(w):
    yield w.c.presign("GET", f"/{BUCKET}/ten", change=lambda p: p.update({"X-Amz-Date": "2026-11-24"}))


@row("P08")
def _(w):
    yield w.c.presign("GET", f"/{BUCKET}/ten", when=ago(days=-1))


@row("P09")
def _(w):
    yield w.c.presign("GET", f"/{BUCKET}/ten", when=ago(hours=2), expires="60")


@row("P10")
def _(w):
    r = w.c.presign("GET", w.fresh())
    r.method, r.body = "PUT", b"x"
    yield r.add("Content-Length", "1")


@row("P11")
def _(w):
    yield w.c.plain("GET", f"/{BUCKET}/ten?AWSAccessKeyId={w.c.key}&Signature=abc%3D&Expires=1999999999")


# C: bodies ---------------------------------------------------------------------------------------------------------------------

CRC32_OF_HELLO = b"NhCmhg=="
TRAILER = [["x-amz-trailer", "x-amz-checksum-crc32"]]


@row("C02")
def _(w):
    for line in (b":M3eFcAZSQlc=\r\n", b"x-amz-nothing:M3eFcAZSQlc=\r\n"):
        yield w.c.chunked(w.fresh(), [b"hello"], line, TRAILER)


@row("C04")
def _(w):
    for value in ("", "abc", "12x"):
        yield w.c.chunked(w.fresh(), [b"hello"], b"x-amz-checksum-crc32:" + CRC32_OF_HELLO + b"\r\n", TRAILER, decoded=value)


@row("C06")
def _(w):
    yield w.c.chunked(w.fresh(), [b"hello"], b"x-amz-checksum-crc32:AAAAAA==\r\n", TRAILER)


@row("C07")
def _(w):
    yield w.c.chunked(w.fresh(), [b"hello"], b"x-amz-checksum-crc32:" + CRC32_OF_HELLO + b"\r\n", [*TRAILER, ["x-amz-checksum-crc32c", "mnG7TA=="]])


@row("C08")
def _(w):
    yield w.c.chunked(w.fresh(), [b"hello"], b"x-amz-checksum-crc64nvme:M3eFcAZSQlc=\r\n",
                      [["x-amz-trailer", "x-amz-checksum-crc64nvme"], ["x-amz-sdk-checksum-algorithm", "sha1"]])


@row("C10")
def _(w):
    yield w.c.chunked(w.fresh(), [b"hel", b"lo"], b"x-amz-checksum-crc32:" + CRC32_OF_HELLO + b"\r\n", TRAILER)


@row("C12")
def _(w):
    yield w.c.chunked(w.fresh(), [b"hello"], b"x-amz-meta-foo:1\r\n", [["x-amz-trailer", "x-amz-meta-foo"]])


@row("C13")
def _(w):
    yield w.c.signed_chunks(w.fresh(), [b"a" * 65536, b"b" * 65536, b"c"], lambda i, s: s if i != 1 else "0" * 64)
    yield w.c.signed_chunks(w.fresh(), [b"a" * 65536, b"b"], lambda i, s: s if i != 2 else "0" * 64)


@row("C14")
def _(w):
    r = w.c.signed_chunks(w.fresh(), [b"hello"])
    yield r.drop("Authorization")


@row("C15")
def _(w):
    yield w.c.framed(w.fresh(), b"fffffffffffffffffff5\r\nhello\r\n0\r\n\r\n", 5)
    yield w.c.framed(w.fresh(), b"7fffffffffffffff\r\nhello\r\n0\r\n\r\n", 5)


@row("C16")
def _(w):
    yield w.c.framed(w.fresh(), b"5;" + b"x" * (1 << 20) + b"\r\nhello\r\n0\r\n\r\n", 5)


@row("C17")
def _(w):
    r = w.c.sign("PUT", w.fresh(), body=b"5\r\nhello\r\n0\r\n\r\n", payload=UNSIGNED, length=False)
    yield r.add("Content-Length", "15").add("Transfer-Encoding", "chunked")


# D: digests --------------------------------------------------------------------------------------------------------------------


@row("D01")
def _(w):
    yield w.c.sign("PUT", w.fresh(), [["Content-MD5", "YWJyYWNhZGFicmE="]], b"hello")


@row("D02")
def _(w):
    yield w.c.sign("PUT", w.fresh(), [["Content-MD5", base64.b64encode(hashlib.md5(b"other").digest()).decode()]], b"hello")


@row("D03")
def _(w):
    yield w.c.sign("PUT", w.fresh(), [["Content-MD5", ""]], b"hello")


@row("D04")
def _(w):
    yield w.c.sign("PUT", w.fresh(), [["x-amz-checksum-sha256", base64.b64encode(hashlib.sha256(b"other").digest()).decode()]], b"hello")
    yield w.c.sign("PUT", w.fresh(), [["x-amz-checksum-crc32", "AAAAAA=="]], b"hello")
    yield w.c.sign("PUT", w.fresh(), [["x-amz-checksum-crc64nvme", "AAAAAAAAAAA="]], b"hello")


@row("D05")
def _(w):
    yield w.c.sign("PUT", w.fresh(), [["x-amz-checksum-crc32", "NhCmhg=="], ["x-amz-checksum-crc32c", "mnG7TA=="]], b"hello")


@row("D07")
def _(w):
    yield w.c.sign("PUT", w.fresh(), [["x-amz-sdk-checksum-algorithm", "CRC32"]], b"hello")


# H: HTTP -----------------------------------------------------------------------------------------------------------------------


@row("H02")
def _(w):
    yield w.c.sign("PUT", w.fresh(), payload=UNSIGNED, length=False).add("Content-Length", "-1")


@row("H03")
def _(w):
    yield w.c.sign("PUT", w.fresh(), payload=UNSIGNED, length=False).add("Content-Length", "5368709121")


@free("H04")
def _(w):
    for size in (100, 100000, 5000000):
        c = w.c.connect()
        r = w.c.sign("PUT", w.fresh(), payload=UNSIGNED, length=False).add("Content-Length", str(size))
        r.body = b"x" * (size - 1)
        c.send(r.bytes())
        c.sock.shutdown(socket.SHUT_WR)
        try:
            a = c.answer()
            if a.status != 400 or a.code not in ("IncompleteBody", "RequestTimeout"):
                yield f"a body of {size} that ends one byte early got {a}"
        except Closed:
            pass                                   # nobody is there to be answered
        if not c.closed_within():
            yield "the connection stays open"
        c.close()


@row("H05")
def _(w):
    yield w.c.sign("PUT", w.fresh(), [["x-amz-meta-a", "v" * 2048]], b"x")
    yield w.c.sign("PUT", w.fresh(), [[f"x-amz-meta-{i}", "v" * 100] for i in range(21)], b"x")


@row("H06")
def _(w):
    yield w.c.sign("GET", f"/{BUCKET}/ten", unsigned=[["X-Padding", "p" * 8192]])
    yield w.c.sign("GET", f"/{BUCKET}/ten", unsigned=[["X-Padding", "p" * 40000]])


@row("H08")
def _(w):
    yield w.c.sign("PUT", "/no-such-bucket/k", payload=UNSIGNED, length=False, unsigned=[["Expect", "100-continue"]]).add("Content-Length", "1000000")


@row("H09")
def _(w):
    yield w.c.sign("GET", "/k", host="bucket..s3.example")
    yield w.c.sign("GET", "/k", host="no-such-bucket.s3.example")


@row("H10")
def _(w):
    r = w.c.sign("GET", "/")
    r.target = "http://evil/"
    yield r


@free("H12")
def _(w):
    c = w.c.connect()
    c.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
    if not c.closed_within():
        yield "the connection stays open"
    if c.buffer and not re.match(rb"(HTTP/1\.1 400|<)", c.buffer):
        yield f"got {c.buffer[:80]!r}"
    c.close()


# K: names ----------------------------------------------------------------------------------------------------------------------


@row("K01")
def _(w):
    yield w.c.sign("PUT", "/Foo")


@row("K02")
def _(w):
    for name in ("a", "ab", "a" * 64):
        yield w.c.sign("PUT", "/" + name)


@row("K03")
def _(w):
    yield w.c.sign("PUT", "/192.168.5.123")


@row("K04")
def _(w):
    for name in ("foo_bar", "foo-", "foo..bar", "foo.-bar", "foo-.bar", "_foo"):
        yield w.c.sign("PUT", "/" + name)


@row("K05")
def _(w):
    for name in ("xn--foo", "sthree-x", "foo-s3alias", "foo--ol-s3", "foo--x-s3", "amzn-s3-demo-x"):
        yield w.c.sign("PUT", "/" + name)


@row("K07")
def _(w):
    for name in ("%FF", "a%C3", "%C0%AF", "%ED%A0%80"):
        yield w.c.sign("PUT", f"/{BUCKET}/{name}", body=b"x")


@row("K08")
def _(w):
    for name in ("%ZZ", "a%", "a%4"):
        yield w.c.sign("PUT", f"/{BUCKET}/{name}", body=b"x")


@row("K09")
def _(w):
    yield w.c.sign("GET", f"/{BUCKET}/../../etc/passwd")


@free("K10")
def _(w):
    names = [".", "..", "a//b", "a/b", "a/../../b", "/", "//", "./.", "a/b/../../../etc/passwd"]
    for name in names:
        a = w.c.call("PUT", f"/{BUCKET}/{name}", body=name.encode())
        if a.status != 200:
            yield f"PUT {name}: {a}"
    for name in names:
        a = w.c.call("GET", f"/{BUCKET}/{name}")
        if a.status != 200 or a.body != name.encode():
            yield f"GET {name}: {a}"


@row("K11")
def _(w):
    yield w.c.sign("PUT", f"/{BUCKET}/a%00b", body=b"x")


@free("K12")
def _(w):
    a = w.c.call("PUT", f"/{BUCKET}/ctl%01x", body=b"x")
    if a.status != 200:
        yield f"PUT: {a}"
    a = w.c.call("GET", f"/{BUCKET}?list-type=2&prefix=ctl")
    if a.status != 200 or not re.search(rb"<Key>ctl&#(x1|x01|1);x</Key>", a.body):
        yield f"LIST: {a.body[-300:]!r}"
    a = w.c.call("GET", f"/{BUCKET}?list-type=2&prefix=ctl&encoding-type=url")
    if b"<Key>ctl%01x</Key>" not in a.body:
        yield f"LIST encoding-type=url: {a.body[-300:]!r}"


@free("K13")
def _(w):
    for name, body in (("%C3%A9", b"nfc"), ("e%CC%81", b"nfd")):
        w.c.call("PUT", f"/{BUCKET}/{name}", body=body)
    for name, body in (("%C3%A9", b"nfc"), ("e%CC%81", b"nfd")):
        a = w.c.call("GET", f"/{BUCKET}/{name}")
        if a.body != body:
            yield f"{name}: {a}"


# B: buckets, listings, reads ---------------------------------------------------------------------------------------------------


@row("B02")
def _(w):
    yield w.c.sign("PUT", "/" + BUCKET)


@row("B03")
def _(w):
    yield w.c.sign("DELETE", "/" + BUCKET)


@row("B05")
def _(w):
    yield w.c.sign("PUT", "/on-mars", body=b"<CreateBucketConfiguration><LocationConstraint>mars-1</LocationConstraint></CreateBucketConfiguration>")


@row("B06")
def _(w):
    yield w.c.sign("PUT", "/not-xml", body=b"this is not XML")
    yield w.c.sign("PUT", "/not-xml", body=b"<CreateBucketConfiguration>")


@row("B07")
def _(w):
    yield w.c.sign("GET", f"/{BUCKET}?list-type=2&max-keys=blah")
    yield w.c.sign("GET", f"/{BUCKET}?max-keys=blah")


@row("B08")
def _(w):
    yield w.c.sign("GET", f"/{BUCKET}?list-type=2&max-keys=-1")


@row("B09")
def _(w):
    yield w.c.sign("GET", f"/{BUCKET}?list-type=2&continuation-token=")


@row("B10")
def _(w):
    yield w.c.sign("GET", f"/{BUCKET}?list-type=2&continuation-token=forged")
    w.c.call("PUT", "/other-bucket")
    for key in ("a", "b"):
        w.c.call("PUT", f"/other-bucket/{key}", body=b"x")
    token = w.c.call("GET", "/other-bucket?list-type=2&max-keys=1").element("NextContinuationToken")
    assert token, "a page of one of two keys must have a token"
    assert w.c.call("GET", f"/other-bucket?list-type=2&continuation-token={token}").status == 200, "a token must work where it belongs"
    yield w.c.sign("GET", f"/{BUCKET}?list-type=2&continuation-token={token}")


@row("B11")
def _(w):
    yield w.c.sign("GET", "/?max-buckets=0")
    yield w.c.sign("GET", "/?max-buckets=10001")


@row("B13")
def _(w):
    yield w.c.sign("GET", f"/{BUCKET}/ten", [["Range", "bytes=100-"]])
    yield w.c.sign("GET", f"/{BUCKET}/ten", [["Range", "bytes=10-"]])
    yield w.c.sign("GET", f"/{BUCKET}/empty", [["Range", "bytes=0-0"]])


@free("B14")
def _(w):
    for value in ("bytes=0-1,3-4", "garbage", "bytes=5-2", "bytes=a-b"):
        a = w.c.call("GET", f"/{BUCKET}/ten", [["Range", value]])
        if a.status != 200 or a.body != TEN:
            yield f"{value}: {a}"


@row("B17")
def _(w):
    yield w.c.sign("GET", f"/{BUCKET}/ten?partNumber=1", [["Range", "bytes=0-1"]])


@free("B22")
def _(w):
    for request, status in ((w.c.sign("HEAD", f"/{BUCKET}/nothing"), 404), (w.c.sign("HEAD", "/no-such-bucket"), 404),
                            (w.c.plain("HEAD", f"/{BUCKET}/ten"), 403), (w.c.sign("HEAD", f"/{BUCKET}/ten", [["If-Match", '"x"']]), 412),
                            (w.c.sign("HEAD", f"/{BUCKET}/ten", [["Range", "bytes=100-"]]), 416), (w.c.sign("HEAD", "/", region="mars-1"), 400)):
        for x in ask(w, request, status, []):
            yield f"{request.target} wants {status}: {x}"


@row("B24")
def _(w):
    yield w.c.sign("GET", f"/{BUCKET}/ten?uploads")
    yield w.c.sign("GET", f"/{BUCKET}/ten?versions")


@free("B25")
def _(w):
    a = w.c.call("GET", f"/{BUCKET}/ten?foobar")
    if a.status != 200 or a.body != TEN:
        yield f"signed: {a}"
    r = w.c.sign("GET", f"/{BUCKET}/ten")
    r.target += "?foobar"
    a = w.c.send(r)
    if a.status != 403 or a.code != "SignatureDoesNotMatch":
        yield f"not under the signature: {a}"


# W: conditions ------------------------------------------------------------------------------------------------------------------


@row("W01")
def _(w):
    yield w.c.sign("PUT", f"/{BUCKET}/ten", [["If-None-Match", "*"]], b"other")


@row("W02")
def _(w):
    yield w.c.sign("PUT", w.fresh(), [["If-Match", '"781e5e245d69b566979b86e28d23f2c7"']], b"x")


@row("W03")
def _(w):
    yield w.c.sign("PUT", f"/{BUCKET}/ten", [["If-None-Match", '"' + hashlib.md5(TEN).hexdigest() + '"']], b"other")


@row("W04")
def _(w):
    yield w.c.sign("PUT", f"/{BUCKET}/ten", [["If-Match", "*"], ["If-None-Match", "*"]], b"other")


@free("W05")
def _(w):
    for turn in range(5):
        answers, gate = [], threading.Barrier(8)

        def put(i):
            r = w.c.sign("PUT", f"/{BUCKET}/won-{turn}", [["If-None-Match", "*"]], b"winner %d" % i)
            gate.wait()
            answers.append((i, w.c.send(r)))
        threads = [threading.Thread(target=put, args=(i,)) for i in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        won = [i for i, a in answers if a.status == 200]
        if len(won) != 1 or any(a.status not in (200, 409, 412) for _, a in answers):
            yield f"{answers}"
        elif w.c.call("GET", f"/{BUCKET}/won-{turn}").body != b"winner %d" % won[0]:
            yield "another than the winner's bytes are stored"


@row("W06")
def _(w):
    yield w.c.sign("DELETE", f"/{BUCKET}/ten", [["If-Match", '"other"']])


@row("W07")
def _(w):
    yield w.c.sign("DELETE", w.fresh(), [["If-Match", '"781e5e245d69b566979b86e28d23f2c7"']])


# X: XML ---------------------------------------------------------------------------------------------------------------------------


def delete(w, xml):
    return w.c.sign("POST", f"/{BUCKET}?delete", [["Content-MD5", base64.b64encode(hashlib.md5(xml).digest()).decode()]], xml)


@row("X01")
def _(w):
    yield delete(w, b"<Delete>" + b"".join(b"<Object><Key>k%d</Key></Object>" % i for i in range(1001)) + b"</Delete>")


@row("X02")
def _(w):
    yield delete(w, b'<!DOCTYPE Delete><Delete><Object><Key>ten</Key></Object></Delete>')
    yield delete(w, b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>')


@row("X03")
def _(w):
    bomb = b'<!DOCTYPE d [<!ENTITY a0 "lol">' + b"".join(b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 10)) + b"]>"
    yield delete(w, bomb + b"<Delete><Object><Key>&a9;</Key></Object></Delete>")
    yield w.c.sign("PUT", "/bomb", body=bomb + b"<CreateBucketConfiguration><LocationConstraint>&a9;</LocationConstraint></CreateBucketConfiguration>")


@row("X04")
def _(w):
    yield delete(w, b"<Delete>" + b"<a>" * 100000 + b"</a>" * 100000 + b"</Delete>")


# E: the log cannot be written ---------------------------------------------------------------------------------------------------------


@free("E11")
def _(w):
    w.store.breaks("wal-write-eio")
    try:
        for request in (w.c.sign("GET", f"/{BUCKET}/ten"), w.c.sign("HEAD", f"/{BUCKET}/ten"), w.c.sign("PUT", w.fresh(), body=b"x"), w.c.sign("GET", f"/{BUCKET}")):
            try:
                a = w.c.send(request)
            except Closed as e:
                yield f"{request.method}: closed without an answer {e}"
                continue
            if a.status != 503 or (request.method != "HEAD" and a.code not in ("ServiceUnavailable", "SlowDown")):
                yield f"{request.method}: {a}"
            if TEN in a.body:
                yield "the body went out"
    finally:
        w.store.breaks()


# the groups ---------------------------------------------------------------------------------------------------------------------------


@limit(240)
def test_authorization(case):
    """A request whose signature is missing, malformed or wrong is refused with the code that tells the client why."""
    group(case, "A")


@limit(240)
def test_presigned_urls(case):
    """A presigned URL that is malformed, expired, not valid yet or for another method is refused."""
    group(case, "P")


@limit(240)
def test_bodies(case):
    """A body whose framing, trailer or chunk signature is wrong is refused, and nothing of it is stored."""
    group(case, "C")


@limit(240)
def test_digests(case):
    """A body that is not what its digest says is refused, and nothing of it is stored."""
    group(case, "D")


@limit(240)
def test_http(case):
    """HTTP that is out of shape gets an S3 error or a closed connection, never a half-read one."""
    group(case, "H", config="\n[s3]\ndomain = s3.example\n")


@limit(240)
def test_names(case):
    """Bucket names follow the rules; object keys are opaque bytes and never a path."""
    group(case, "K")


@limit(240)
def test_buckets_and_listings(case):
    """Buckets, listings and ranges: wrong parameters are named, unknown ones ignored but signed."""
    group(case, "B")


@limit(240)
def test_conditions(case):
    """Conditional writes: refused when they do not hold, exactly one winner when many try."""
    group(case, "W")


@limit(240)
def test_xml(case):
    """XML bodies: no DTD, no entities, no depth, no more than a thousand keys."""
    group(case, "X")


@limit(240)
def test_log_cannot_be_written(case):
    """With the log unwritable nothing is answered but 503, and it comes back by itself."""
    group(case, "E")


def test_every_row_has_a_request(case):
    """Every row of the table is asked; no request stands without its row."""
    names = set(table())
    assert names == set(ROWS) | set(FREE), sorted(names ^ (set(ROWS) | set(FREE)))
