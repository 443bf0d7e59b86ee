# SPDX-License-Identifier: Apache-2.0
"""Requests of bad-input.tsv about everything else: H HTTP, K names, B buckets and listings, W conditions, X XML, E the log."""
import base64
import hashlib
import re
import socket
import threading

from lib.bad_input import BUCKET, TEN, ask, free, row
from lib.raw import Closed, UNSIGNED


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
    for name in ("a", "ab", "a" * 64, "a" * 255, "a" * 256, "a" * 5000):
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
