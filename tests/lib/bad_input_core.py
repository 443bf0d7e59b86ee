# SPDX-License-Identifier: Apache-2.0
"""Requests of bad-input.tsv about accounts, versions and copies: B01, B19 to B21, Y."""
import json
import os

from lib.bad_input import BUCKET, ask, free, row
from lib.bad_input_parts import begin, complete, put_part
from lib.raw import Caller

VERSIONED = "bad-versions"


def another_account(w):
    """A caller of another account of the same tenant, with a bucket of its own; made once."""
    if not hasattr(w, "other"):
        made = json.loads(w.store.tillit("account", "create", w.store.dir, "--json"))
        w.other = Caller(w.store, made["access_key_id"], made["secret_access_key"])
        assert w.other.call("PUT", "/of-another-account").status == 200
    return w.other


def versions(w):
    """A versioned bucket: the id of a delete marker that is current, and of a version that was removed. Made once."""
    if not hasattr(w, "versions"):
        assert w.c.call("PUT", "/" + VERSIONED).status == 200
        a = w.c.call("PUT", f"/{VERSIONED}?versioning", body=b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
        assert a.status == 200, a
        ids = [w.c.call("PUT", f"/{VERSIONED}/k", body=b"x").get("x-amz-version-id") for _ in range(2)]
        assert w.c.call("DELETE", f"/{VERSIONED}/k?versionId={ids[0]}").status == 204
        marker = w.c.call("DELETE", f"/{VERSIONED}/k")
        assert marker.status == 204 and marker.get("x-amz-delete-marker") == "true", marker.headers
        assert w.c.call("PUT", f"/{VERSIONED}/other", body=b"x").status == 200
        w.versions = {"gone": ids[0], "there": ids[1], "marker": marker.get("x-amz-version-id")}
    return w.versions


# B: what is somebody else's, and versions --------------------------------------------------------------------------------------


@row("B01")
def _(w):
    b = another_account(w)
    yield b.sign("PUT", "/" + BUCKET)
    yield w.c.sign("PUT", "/of-another-account")


@row("B19")
def _(w):
    v = versions(w)
    for method in ("GET", "HEAD"):
        yield w.c.sign(method, f"/{VERSIONED}/k?versionId={v['gone']}")
        yield w.c.sign(method, f"/{VERSIONED}/other?versionId={v['there']}")
        yield w.c.sign(method, f"/{BUCKET}/ten?versionId={v['there']}")
    yield w.c.sign("GET", f"/{VERSIONED}/k?versionId=null")


@row("B20")
def _(w):
    v = versions(w)
    yield w.c.sign("GET", f"/{VERSIONED}/k?versionId={v['marker']}")
    yield w.c.sign("HEAD", f"/{VERSIONED}/k?versionId={v['marker']}")


@row("B21")
def _(w):
    versions(w)
    yield w.c.sign("HEAD", f"/{VERSIONED}/k")
    yield w.c.sign("GET", f"/{VERSIONED}/k")


# Y: copies ---------------------------------------------------------------------------------------------------------------------


def copy(w, source, headers=(), caller=None, target=None):
    return (caller or w.c).sign("PUT", target or w.fresh(), [["x-amz-copy-source", source], *headers])


@row("Y01")
def _(w):
    for source in ("no-slash", "/", "//", f"/{BUCKET}/", f"{BUCKET}/", "/no-slash", ""):
        yield copy(w, source)


@row("Y02")
def _(w):
    for source in (f"/{BUCKET}/%zz", f"/{BUCKET}/ten%", f"/{BUCKET}/ten%4", f"/{BUCKET}/%FF", f"/{BUCKET}/a%00b"):
        yield copy(w, source)


@row("Y05")
def _(w):
    """Five gibibytes and more, made of copies of one object: their bytes are stored once."""
    size = 64 * 1024 * 1024
    key, whole = f"/{BUCKET}/sixty-four", f"/{BUCKET}/over-five-gib"
    assert w.c.call("PUT", key, body=bytes(size)).status == 200
    upload, parts = begin(w, whole), []
    for n in range(1, 82):
        a = w.c.call("PUT", f"{whole}?partNumber={n}&uploadId={upload}", [["x-amz-copy-source", key]])
        assert a.status == 200 and a.element("ETag"), (n, a)
        parts.append((n, a.element("ETag").replace("&quot;", '"')))
    a = w.c.send(complete(w, whole, upload, parts))
    assert a.status == 200 and a.element("ETag"), a
    assert int(w.c.call("HEAD", whole).get("content-length")) == 81 * size > 5 << 30
    yield copy(w, whole)
    assert w.c.call("DELETE", whole).status == 204


def improper(w, ranges):
    key = w.fresh()
    upload = begin(w, key)
    for value in ranges:
        yield w.c.sign("PUT", f"{key}?partNumber=1&uploadId={upload}", [["x-amz-copy-source", f"/{BUCKET}/ten"], ["x-amz-copy-source-range", value]])
    a = w.c.call("GET", f"{key}?uploadId={upload}")
    assert a.status == 200 and b"<Part>" not in a.body, "a refused part is there"


@row("Y06")
def _(w):
    yield from improper(w, ("bytes=0-bar", "0-2", "bytes=0-2,3-5", "bytes=hello-world", "bytes=2-", "bytes=-2", "bytes=5-2", "bytes=", "", "bytes=0-99999999999999999999", "bytes=9-18446744073709551615"))


@row("Y07")
def _(w):
    yield from improper(w, ("bytes=0-10", "bytes=10-20", "bytes=0-21", "bytes=9-9223372036854775806"))


@free("Y08")
def _(w):
    """Of another account, which has no right at all, and of a user of this one that may only write. The leaf names both sides, so it speaks for both buckets."""
    policy = os.path.join(w.store.case.dir, "may-write.json")
    with open(policy, "w") as f:
        json.dump({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}, f)
    made = json.loads(w.store.tillit("user", "create", w.store.dir, "writer", "--policy", policy, "--json"))
    writer, b = Caller(w.store, made["access_key_id"], made["secret_access_key"]), another_account(w)
    assert writer.call("PUT", f"/{BUCKET}/by-writer", body=b"x").status == 200, "the user must be able to write"
    key, theirs = w.fresh(), "/of-another-account/parts"
    for caller, target in ((b, "/of-another-account/copied"), (writer, key)):
        yield from ask(w, copy(w, f"/{BUCKET}/ten", caller=caller, target=target), 403, ["AccessDenied"], label="Y08")
        yield from ask(w, copy(w, f"/{BUCKET}/not-there", caller=caller, target=target), 403, ["AccessDenied"], label="Y08")
    upload = begin(w, theirs, caller=b)
    for more in ([], [["x-amz-copy-source-range", "bytes=0-1"]]):
        yield from ask(w, copy(w, f"/{BUCKET}/ten", more, b, f"{theirs}?partNumber=1&uploadId={upload}"), 403, ["AccessDenied"], label="Y08")
    denied = [r for r in w.store.log_records() if r.get("why") == "AccessDenied" and r["act"] in ("CopyObject", "UploadPartCopy")]
    if len(denied) != 6 or any(r.get("source_bucket") != BUCKET or not r.get("bucket") for r in denied):
        yield f"six leaves that name both sides are wanted, there are {denied}"
    if b.call("GET", "/of-another-account?list-type=2").body.count(b"<Key>"):
        yield "a refused copy is stored"
