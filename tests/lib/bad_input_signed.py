# SPDX-License-Identifier: Apache-2.0
"""Requests of bad-input.tsv about signatures and bodies: A authorization, P presigned URLs, C bodies, D digests."""
import base64
import hashlib
import re

from lib.bad_input import BUCKET, TEN, ago, bent, row
from lib.raw import Caller, UNSIGNED
from lib.statement import say


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
