# SPDX-License-Identifier: Apache-2.0
"""Requests of bad-input.tsv about forms that a browser posts: F."""
import base64
import datetime
import hashlib
import hmac
import json

from lib.bad_input import BUCKET, ago, ask, free, row
from lib.raw import Request, amz_date, signing_key

EDGE = "tillit-form-boundary"


def form(w, fields, file=b"hello", filename="f.txt", content_type=None):
    """fields: a list of pairs. file None: no file field."""
    lines = []
    for name, value in fields:
        lines += [f"--{EDGE}", f'Content-Disposition: form-data; name="{name}"', "", value]
    body = "".join(x + "\r\n" for x in lines).encode()
    if file is not None:
        body += f'--{EDGE}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: text/plain\r\n\r\n'.encode() + file + b"\r\n"
    return posted(w, body + f"--{EDGE}--\r\n".encode(), content_type)


def posted(w, body, content_type=None):
    return Request("POST", "/" + BUCKET, [["Host", w.c.host], ["Content-Type", content_type or f"multipart/form-data; boundary={EDGE}"], ["Content-Length", str(len(body))]], body)


def signed(w, key, until=None, more=(), uncovered=(), conditions=(), policy=None, bend=None):
    """The fields of a form whose policy covers the key and `more`, and not `uncovered`."""
    now = datetime.datetime.now(datetime.timezone.utc)
    credential = f"{w.c.key}/{now.strftime('%Y%m%d')}/{w.c.region}/s3/aws4_request"
    fields = [("key", key), ("x-amz-algorithm", "AWS4-HMAC-SHA256"), ("x-amz-credential", credential), ("x-amz-date", amz_date(now)), *more]
    if policy is None:
        covered = [{"bucket": BUCKET}, *({n: v} for n, v in fields if "${" not in v), ["starts-with", "$key", ""], *conditions]
        policy = json.dumps({"expiration": (until or ago(hours=-1)).strftime("%Y-%m-%dT%H:%M:%SZ"), "conditions": covered}).encode()
    text = base64.b64encode(policy).decode()
    signature = hmac.new(signing_key(w.c.secret, now.strftime("%Y%m%d"), w.c.region, "s3"), text.encode(), hashlib.sha256).hexdigest()
    return [*fields, *uncovered, ("policy", text), ("x-amz-signature", bend(signature) if bend else signature)]


def name_of(target):
    return target.split("/", 2)[2]


@row("F01")
def _(w):
    fields = signed(w, name_of(w.fresh()))
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=" + EDGE):
        yield form(w, fields, content_type=kind)
    whole = form(w, fields).body
    for body in (b"", b"hello", whole.replace(b"Content-Disposition", b"Content-Nothing"), whole[:40]):
        yield posted(w, body)


@row("F02")
def _(w):
    yield form(w, signed(w, name_of(w.fresh())), file=None)


@free("F04")
def _(w):
    key = name_of(w.fresh())
    for fields, code in ((signed(w, key, until=ago(seconds=2)), "AccessDenied"), (signed(w, key, until=ago(days=3000)), "AccessDenied"),
                         (signed(w, key, bend=lambda s: "0" * 64), "SignatureDoesNotMatch")):
        yield from ask(w, form(w, fields), 403, [code], label="F04" if code == "AccessDenied" else None)


@row("F05")
def _(w):
    for extra in (("x-amz-meta-surprise", "1"), ("acl", "public-read"), ("Content-Type", "text/html"), ("success_action_redirect", "https://example.org/"), ("surprise", "1")):
        yield form(w, signed(w, name_of(w.fresh()), uncovered=[extra]))
    key = name_of(w.fresh())
    narrow = json.dumps({"expiration": ago(hours=-1).strftime("%Y-%m-%dT%H:%M:%SZ"), "conditions": [{"bucket": BUCKET}, {"key": key}]}).encode()
    yield form(w, signed(w, key, policy=narrow))


@free("F06")
def _(w):
    for low, high, size, code in ((1, 4, 5, "EntityTooLarge"), (6, 100, 5, "EntityTooSmall"), (0, 0, 1, "EntityTooLarge"), (1, 10, 0, "EntityTooSmall"),
                                  (1, 100000, 300000, "EntityTooLarge"), (0, 5000000, 5000001, "EntityTooLarge")):
        r = form(w, signed(w, name_of(w.fresh()), conditions=[["content-length-range", low, high]]), file=b"x" * size)
        for x in ask(w, r, 400, [code], label="F06"):
            yield f"{size} bytes where {low} to {high} may be: {x}"


@free("F09")
def _(w):
    for to in ("javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "//evil.example/", "http:evil", " javascript:alert(1)", "vbscript:x"):
        key = f"redirected-{w.fresh()[-3:]}"
        a = w.c.send(form(w, signed(w, key, more=[("success_action_redirect", to)])))
        if a.status != 204 or to.strip().split(":")[0].lower() in (a.get("location") or "").lower().split("/")[0]:
            yield f"{to}: {a} Location {a.get('location')}"
        if w.c.call("GET", f"/{BUCKET}/{key}").body != b"hello":
            yield f"{to}: not stored"


@free("F10")
def _(w):
    for name, last in (("plain.txt", "plain.txt"), ("/etc/passwd", "passwd"), ("a/b/c.txt", "c.txt"), ("C:\\dir\\d.txt", "d.txt"), ("..\\../e.txt", "e.txt")):
        a = w.c.send(form(w, signed(w, "upload/${filename}"), file=last.encode(), filename=name))
        if a.status != 204:
            yield f"{name}: {a}"
        got = w.c.call("GET", f"/{BUCKET}/upload/{last}")
        if got.body != last.encode():
            yield f"{name} is not at upload/{last}: {got}"
    listing = w.c.call("GET", f"/{BUCKET}?list-type=2&prefix=upload/").body
    if listing.count(b"<Key>") != 5:
        yield f"other keys than five: {listing!r}"
