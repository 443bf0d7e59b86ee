# SPDX-License-Identifier: Apache-2.0
"""Requests of bad-input.tsv about what comes in parts: D checksums of uploads, B parts of an object, M multipart uploads."""
import base64
import hashlib
import json
import re

from lib.bad_input import BUCKET, ask, free, row
from lib.raw import Caller

PART = 5 * 1024 * 1024
THREE = f"/{BUCKET}/three-parts"
CRC32_OF_HELLO, SHA256_OF_HELLO = "NhCmhg==", base64.b64encode(hashlib.sha256(b"hello").digest()).decode()


def begin(w, target, headers=(), caller=None):
    a = (caller or w.c).call("POST", target + "?uploads", headers)
    assert a.status == 200 and a.element("UploadId"), a
    return a.element("UploadId")


def put_part(w, target, upload, number, body, headers=()):
    a = w.c.call("PUT", f"{target}?partNumber={number}&uploadId={upload}", headers, body)
    assert a.status == 200 and a.get("etag"), a
    return number, a.get("etag")


def list_of(parts):
    return b"<CompleteMultipartUpload>" + b"".join(b"<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>" % (n, e.encode()) for n, e in parts) + \
        b"</CompleteMultipartUpload>"


def complete(w, target, upload, parts, headers=()):
    return w.c.sign("POST", f"{target}?uploadId={upload}", headers, list_of(parts))


def parts_there(w, target, upload):
    a = w.c.call("GET", f"{target}?uploadId={upload}")
    assert a.status == 200, a
    return [int(n) for n in re.findall(rb"<PartNumber>(\d+)</PartNumber>", a.body)]


def three_parts(w):
    """An object of three parts, made once."""
    if w.c.call("HEAD", THREE).status == 404:
        upload = begin(w, THREE)
        parts = [put_part(w, THREE, upload, n, body) for n, body in ((1, b"a" * PART), (2, b"b" * PART), (3, b"c"))]
        a = w.c.send(complete(w, THREE, upload, parts))
        assert a.status == 200 and a.element("ETag"), a


# D: checksums of an upload -----------------------------------------------------------------------------------------------------


@row("D08")
def _(w):
    for name in ("FOO", "CRC33", ""):
        yield w.c.sign("POST", w.fresh() + "?uploads", [["x-amz-checksum-algorithm", name]])


@row("D09")
def _(w):
    yield w.c.sign("POST", w.fresh() + "?uploads", [["x-amz-checksum-type", "FULL_OBJECT"]])


@row("D10")
def _(w):
    for algorithm, kind in (("SHA256", "FULL_OBJECT"), ("SHA1", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), ("CRC32", "HALF_OBJECT")):
        yield w.c.sign("POST", w.fresh() + "?uploads", [["x-amz-checksum-algorithm", algorithm], ["x-amz-checksum-type", kind]])


@row("D11")
def _(w):
    key = w.fresh()
    upload = begin(w, key, [["x-amz-checksum-algorithm", "SHA256"]])
    yield w.c.sign("PUT", f"{key}?partNumber=1&uploadId={upload}", [["x-amz-checksum-crc32", CRC32_OF_HELLO]], b"hello")
    assert parts_there(w, key, upload) == [], "the refused part is there"
    put_part(w, key, upload, 1, b"hello", [["x-amz-checksum-sha256", SHA256_OF_HELLO]])


@row("D12")
def _(w):
    for made, asked in (("FULL_OBJECT", "COMPOSITE"), ("COMPOSITE", "FULL_OBJECT")):
        key = w.fresh()
        upload = begin(w, key, [["x-amz-checksum-algorithm", "CRC32"], ["x-amz-checksum-type", made]])
        parts = [put_part(w, key, upload, 1, b"hello", [["x-amz-checksum-crc32", CRC32_OF_HELLO]])]
        yield complete(w, key, upload, parts, [["x-amz-checksum-type", asked]])
        assert parts_there(w, key, upload) == [1], "the upload ended with a refused Complete"


@row("D13")
def _(w):
    key = w.fresh()
    upload = begin(w, key)
    parts = [put_part(w, key, upload, 1, b"hello")]
    for size in ("4", "6", "0", "18446744073709551621"):
        yield complete(w, key, upload, parts, [["x-amz-mp-object-size", size]])
    assert parts_there(w, key, upload) == [1], "the upload ended with a refused Complete"


# B: parts of an object ---------------------------------------------------------------------------------------------------------


@row("B16")
def _(w):
    three_parts(w)
    a = w.c.call("GET", THREE + "?partNumber=3")
    assert a.status == 206 and a.body == b"c", a
    for method in ("GET", "HEAD"):
        yield w.c.sign(method, THREE + "?partNumber=9")
        yield w.c.sign(method, THREE + "?partNumber=4")
        yield w.c.sign(method, f"/{BUCKET}/ten?partNumber=2")


@row("B17")
def _(w):
    three_parts(w)
    for method in ("GET", "HEAD"):
        yield w.c.sign(method, f"/{BUCKET}/ten?partNumber=1", [["Range", "bytes=0-1"]])
        yield w.c.sign(method, THREE + "?partNumber=1", [["Range", "bytes=0-1"]])


# M: uploads --------------------------------------------------------------------------------------------------------------------


@row("M01")
def _(w):
    key = w.fresh()
    upload = begin(w, key)
    put_part(w, key, upload, 1, b"hello")
    for body in (b"<CompleteMultipartUpload></CompleteMultipartUpload>", b"<CompleteMultipartUpload/>", b"", b" ", b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>"):
        yield w.c.sign("POST", f"{key}?uploadId={upload}", body=body)
    assert parts_there(w, key, upload) == [1], "the upload ended with a refused Complete"


@row("M03")
def _(w):
    key = w.fresh()
    upload = begin(w, key)
    one = put_part(w, key, upload, 1, b"hello")
    yield complete(w, key, upload, [one, (2, one[1])])
    yield complete(w, key, upload, [(2, one[1])])
    yield complete(w, key, upload, [(1, '"ffffffffffffffffffffffffffffffff"')])
    yield complete(w, key, upload, [(1, "no-etag")])
    assert parts_there(w, key, upload) == [1], "the upload ended with a refused Complete"


@row("M04")
def _(w):
    key = w.fresh()
    upload = begin(w, key)
    one, two = (put_part(w, key, upload, n, b"x" * PART) for n in (1, 2))
    yield complete(w, key, upload, [two, one])
    yield complete(w, key, upload, [one, one])
    yield complete(w, key, upload, [one, two, two])
    assert parts_there(w, key, upload) == [1, 2], "the upload ended with a refused Complete"


@row("M05")
def _(w):
    key = w.fresh()
    upload = begin(w, key)
    parts = [put_part(w, key, upload, 1, b"x" * (PART - 1)), put_part(w, key, upload, 2, b"y")]
    yield complete(w, key, upload, parts)
    assert parts_there(w, key, upload) == [1, 2], "the upload ended with a refused Complete"


@row("M06")
def _(w):
    key = w.fresh()
    upload = begin(w, key)
    for number in ("0", "10001", "abc", "-1", "1.5", "", "99999999999999999999", "0x1"):
        yield w.c.sign("PUT", f"{key}?partNumber={number}&uploadId={upload}", body=b"hello")
    assert parts_there(w, key, upload) == [], "a refused part is there"


@row("M07")
def _(w):
    yield w.c.sign("PUT", w.fresh() + "?partNumber=1", body=b"hello")


@row("M08")
def _(w):
    """Of another key, of another bucket, of another tenant that has a bucket and a key of the same names."""
    assert w.c.call("PUT", "/bad-parts").status == 200
    globex = json.loads(w.store.tillit("tenant", "create", w.store.dir, "--tenant", "globex", "--json"))
    theirs = Caller(w.store, globex["access_key_id"], globex["secret_access_key"])
    assert theirs.call("PUT", "/" + BUCKET).status == 200
    key, other = w.fresh(), w.fresh()
    mine = begin(w, key)
    one = put_part(w, key, mine, 1, b"hello")
    name = key.rsplit("/", 1)[1]
    for target, upload in ((other, mine), (f"/bad-parts/{name}", mine), (key, begin(w, key, caller=theirs))):
        yield w.c.sign("PUT", f"{target}?partNumber=1&uploadId={upload}", body=b"other")
        yield w.c.sign("PUT", f"{target}?partNumber=1&uploadId={upload}", [["x-amz-copy-source", f"/{BUCKET}/ten"]])
        yield w.c.sign("GET", f"{target}?uploadId={upload}")
        yield complete(w, target, upload, [one])
        yield w.c.sign("DELETE", f"{target}?uploadId={upload}")
    assert parts_there(w, key, mine) == [1], "the upload was reached by another name"
    a = w.c.call("GET", f"{key}?uploadId={mine}")
    assert one[1].strip('"') in a.body.decode(), "the part was overwritten by another name"


@free("M09")
def _(w):
    key = f"/{BUCKET}/completed-twice"
    upload = begin(w, key, [["x-amz-checksum-algorithm", "CRC32"], ["x-amz-checksum-type", "FULL_OBJECT"]])
    parts = [put_part(w, key, upload, 1, b"hello", [["x-amz-checksum-crc32", CRC32_OF_HELLO]])]
    got = [w.c.send(complete(w, key, upload, parts)) for _ in range(3)]
    said = [(a.status, a.element("ETag"), a.element("ChecksumCRC32")) for a in got]
    if said != [(200, said[0][1], CRC32_OF_HELLO)] * 3 or not said[0][1]:
        yield f"answers {said}"
    if w.c.call("GET", key).body != b"hello":
        yield "the object reads differently"
    for x in ask(w, complete(w, key, upload, [(1, '"ffffffffffffffffffffffffffffffff"')]), 404, ["NoSuchUpload"], label="M09"):
        yield f"other parts than those it was completed with: {x}"


@row("M10")
def _(w):
    key = w.fresh()
    upload = begin(w, key)
    assert w.c.call("DELETE", f"{key}?uploadId={upload}").status == 204
    gone = w.fresh()
    for x in (upload[:-1] + ("a" if upload[-1] != "a" else "b"), "no-such-upload", "..", "", "a" * 1000):
        yield w.c.sign("DELETE", f"{gone}?uploadId={x}")
    yield w.c.sign("PUT", f"{key}?partNumber=1&uploadId={upload}", body=b"hello")
    yield complete(w, key, upload, [(1, '"5d41402abc4b2a76b9719d911017c592"')])
