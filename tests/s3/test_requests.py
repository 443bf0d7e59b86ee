# SPDX-License-Identifier: Apache-2.0
"""Requests that are well formed and ask for more, or otherwise, than this version gives: said plainly, never passed over; and listings
of odd names, page by page, against a model of a few lines."""
import base64
import hashlib
import random
import re
import urllib.parse
import xml.etree.ElementTree as ET

from lib.case import limit
from lib.raw import Caller, encode

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def expect(wrong, what, answer, status, code=""):
    if answer.status != status or (code and answer.code != code):
        wrong.append(f"{what}: got {answer}, not {status} {code}")


def test_a_bucket_of_another_owner_than_expected_is_refused(case):
    """x-amz-expected-bucket-owner guards every operation on a bucket, with a record of the refusal."""
    s = case.store()
    c, wrong = Caller(s), []
    c.call("PUT", "/bucket")
    c.call("PUT", "/bucket/k", body=b"x")
    for owner, ok in ((s.info["account"], True), ("111122223333", False), ("", False)):
        h = [["x-amz-expected-bucket-owner", owner]]
        expect(wrong, f"GET {owner}", c.call("GET", "/bucket/k", h), 200 if ok else 403, "" if ok else "AccessDenied")
        expect(wrong, f"HEAD {owner}", c.call("HEAD", "/bucket/k", h), 200 if ok else 403)
        expect(wrong, f"PUT {owner}", c.call("PUT", "/bucket/k", h, body=b"x"), 200 if ok else 403, "" if ok else "AccessDenied")
        expect(wrong, f"LIST {owner}", c.call("GET", "/bucket?list-type=2", h), 200 if ok else 403, "" if ok else "AccessDenied")
        expect(wrong, f"DELETE {owner}", c.call("DELETE", "/bucket/other", h), 204 if ok else 403, "" if ok else "AccessDenied")
    expect(wrong, "absent bucket", c.call("GET", "/not-there/k", [["x-amz-expected-bucket-owner", "111122223333"]]), 404, "NoSuchBucket")
    assert not wrong, "\n".join(wrong)
    s.expect_record(act="GetObject", why="AccessDenied", bucket="bucket")


def test_what_an_upload_asks_for_and_does_not_get_is_said(case):
    """Storage classes and grants that are not kept refuse the upload instead of being forgotten."""
    s = case.store()
    c, wrong = Caller(s), []
    c.call("PUT", "/bucket")
    for name, value, status, code in (
            ("x-amz-storage-class", "STANDARD", 200, ""), ("x-amz-storage-class", "GLACIER", 400, "InvalidStorageClass"),
            ("x-amz-storage-class", "NOPE", 400, "InvalidStorageClass"), ("x-amz-grant-read", "id=1", 400, "AccessControlListNotSupported"),
            ("x-amz-grant-full-control", "id=1", 400, "AccessControlListNotSupported"), ("x-amz-acl", "private", 200, ""),
            ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"), ("x-amz-tagging", "a=b", 200, ""), ("x-amz-tagging", "a=b&a=c", 400, "InvalidTag"),
            ("x-amz-website-redirect-location", "/x", 501, "NotImplemented")):
        expect(wrong, f"{name}: {value}", c.call("PUT", "/bucket/k", [[name, value]], body=b"x"), status, code)
    assert not wrong, "\n".join(wrong)


def test_methods_and_versions_of_http_that_are_not_served(case):
    """A method S3 does not have is 405, a version of HTTP that is not served 400; the first leaves the connection usable."""
    s = case.store()
    c, wrong = Caller(s), []
    c.call("PUT", "/bucket")
    wire = c.connect()
    for method in ("PATCH", "PROPFIND", "X" * 300):
        expect(wrong, method, wire.ask(c.sign(method, "/bucket/k", body=b"some")), 405, "MethodNotAllowed")
    expect(wrong, "then", wire.ask(c.sign("GET", "/bucket/k")), 404, "NoSuchKey")
    wire.close()
    for version in (b"HTTP/2.0", b"HTTP/1.2", b"HTTP/3.0"):
        wire = c.connect()
        wire.send(b"GET / " + version + b"\r\nHost: a\r\n\r\n")
        a = wire.answer()
        if version == b"HTTP/1.2":
            expect(wrong, version, a, 403, "AccessDenied")    # RFC 9112 2.3: a higher minor version is still ours to answer
        else:
            expect(wrong, version, a, 400, "BadRequest")
        wire.close()
    assert not wrong, "\n".join(wrong)


def test_pipelined_requests_are_answered_in_their_order(case):
    """Reads, writes and refusals sent in one piece, none waiting for the other's answer."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/bucket")
    plan = [("PUT", "/bucket/a", b"a" * 70000, 200), ("GET", "/bucket/a", b"", 200), ("GET", "/bucket/none", b"", 404), ("PUT", "/nowhere/a", b"b" * 70000, 404),
            ("HEAD", "/bucket/a", b"", 200), ("DELETE", "/bucket/a", b"", 204), ("HEAD", "/bucket/a", b"", 404), ("GET", "/bucket?list-type=2", b"", 200)] * 20
    wire = c.connect()
    requests = [c.sign(m, t, body=b) for m, t, b, _ in plan]
    import threading
    sender = threading.Thread(target=lambda: wire.send(b"".join(r.bytes() for r in requests)))
    sender.start()
    got = [wire.answer(r.method).status for r in requests]
    sender.join()
    assert got == [x[3] for x in plan], got


def test_clients_that_do_not_know_the_region_yet_learn_it(case):
    """GetBucketLocation and ListBuckets may be signed for us-east-1; nothing else, and for no other region. The refusal names ours."""
    s = case.store(config="\n[s3]\ndomain = s3.test\n")
    c, wrong = Caller(s), []
    c.call("PUT", "/bucket")
    c.call("PUT", "/bucket/k", body=b"x")
    for target in ("/bucket?location", "/"):
        expect(wrong, target, c.call("GET", target, region="us-east-1"), 200)
        expect(wrong, target, c.call("GET", target, region="eu-west-1"), 400, "AuthorizationHeaderMalformed")
        expect(wrong, target, c.call("GET", target, region="us-east-1", secret="not it"), 403, "SignatureDoesNotMatch")
    for method, target, host in (("GET", "/bucket", None), ("GET", "/bucket/k?location", None), ("GET", "/bucket/k", None), ("PUT", "/bucket?location", None),
                                 ("GET", "/", "bucket.s3.test"), ("GET", "/k?location", "bucket.s3.test")):
        a = c.call(method, target, region="us-east-1", host=host)
        expect(wrong, (method, target, host), a, 400, "AuthorizationHeaderMalformed")
        if a.element("Region") != s.info["region"]:
            wrong.append(f"{method} {target}: no Region")
    expect(wrong, "by host", c.call("GET", "/?location", region="us-east-1", host="bucket.s3.test"), 200)
    assert not wrong, "\n".join(wrong)


def test_a_delete_never_takes_more_than_it_names(case):
    """A version that is not there, a condition that does not hold or is not looked at: the object stays, and the answer says so."""
    s = case.store()
    c, wrong = Caller(s), []
    c.call("PUT", "/bucket")
    c.call("PUT", "/bucket/d", body=b"x")

    def batch(*objects):
        body = ("<Delete>" + "".join(f"<Object><Key>d</Key>{x}</Object>" for x in objects) + "</Delete>").encode()
        return c.call("POST", "/bucket?delete", [["Content-MD5", base64.b64encode(hashlib.md5(body).digest()).decode()]], body=body)

    stays = (("version", batch("<VersionId>abc</VersionId>"), 200, "InvalidArgument"), ("two versions", batch("<VersionId>a</VersionId>", "<VersionId>b</VersionId>"), 200, "InvalidArgument"),
             ("ETag", batch('<ETag>"no"</ETag>'), 200, "PreconditionFailed"), ("size", batch("<Size>7</Size>"), 501, "NotImplemented"),
             ("time", batch("<LastModifiedTime>Mon, 01 Jan 2001 00:00:00 GMT</LastModifiedTime>"), 501, "NotImplemented"),
             ("twice, one with an ETag", batch('<ETag>"no"</ETag>', ""), 400, "InvalidRequest"),
             ("alone, version", c.call("DELETE", "/bucket/d?versionId=abc"), 400, "InvalidArgument"),
             ("alone, size", c.call("DELETE", "/bucket/d", [["x-amz-if-match-size", "7"]]), 501, "NotImplemented"))
    for what, answer, status, code in stays:
        expect(wrong, what, answer, status, code)
        if b"<Deleted>" in answer.body:
            wrong.append(f"{what}: it says Deleted")
    expect(wrong, "it is still there", c.call("GET", "/bucket/d"), 200)
    expect(wrong, "plain, twice", batch("", "<VersionId>null</VersionId>"), 200)
    expect(wrong, "now it is gone", c.call("GET", "/bucket/d"), 404)
    assert not wrong, "\n".join(wrong)


def test_trailers_as_minio_go_ends_them(case):
    """A trailer line that ends in LF, and one empty line more behind it; not two."""
    s = case.store()
    c, wrong = Caller(s), []
    c.call("PUT", "/bucket")
    names = [["x-amz-trailer", "x-amz-checksum-crc32"]]
    for end, status, code in ((b"\r\n\r\n", 200, ""), (b"\r\n", 200, ""), (b"\r\n\r\n\r\n", 400, "IncompleteBody"), (b"\r\n\r", 400, "IncompleteBody")):
        body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n" + end
        expect(wrong, end, c.send(c.framed("/bucket/k", body, 5, names)), status, code)
    assert not wrong, "\n".join(wrong)


# -- listings ---------------------------------------------------------------------------------------------------------------

PIECES = ["a", "b", "/", "//", "ü", "😀", "\x01", "\t", "\n", "\r", " ", "+", "%", "&", "<", "é", "日", "-", "~", ".", "..", "A", "0", "\U0010ffff", "\x7f", "\ue000"]


def model(keys, prefix, delimiter, after):
    """Every row of the whole listing. Only an `after` that is itself a common prefix passes over its whole group."""
    rows = []
    for k in keys:
        if not k.startswith(prefix) or k.encode() <= after.encode():
            continue
        cut = k[len(prefix):].find(delimiter) if delimiter else -1
        row = ("key", k) if cut < 0 else ("prefix", k[:len(prefix) + cut + len(delimiter)])
        if row not in rows[-1:] and not (row[0] == "prefix" and after == row[1]):
            rows.append(row)
    return rows


def text_of(value, url):
    """As a client reads it; characters that XML 1.0 lacks stand at U+F200 (see page())."""
    if url:
        return urllib.parse.unquote(value or "", errors="strict")
    return "".join(chr(ord(x) - 0xF200) if 0xF200 <= ord(x) < 0xF280 else x for x in value or "")


def page(wire, c, query, url):
    a = wire.ask(c.sign("GET", "/bucket?" + "&".join(f"{k}={encode(v)}" for k, v in query.items())))
    assert a.status == 200, (query, a)
    body = a.body
    if not url:
        body = re.sub(rb"&#(x?)([0-9A-Fa-f]+);", lambda m: chr(0xF200 + int(m[2], 16 if m[1] else 10)).encode(), body)
    x = ET.fromstring(body)
    rows = [("key", text_of(e.find(NS + "Key").text, url)) for e in x.findall(NS + "Contents")]
    rows += [("prefix", text_of(e.find(NS + "Prefix").text, url)) for e in x.findall(NS + "CommonPrefixes")]
    assert "list-type" not in query or int(x.find(NS + "KeyCount").text) == len(rows), query
    return x, sorted(rows, key=lambda r: r[1].encode())


def walk(wire, c, query, url, pages_max):
    """All rows of all pages; None when there are more pages than that."""
    rows, now, v2 = [], dict(query), "list-type" in query
    for _ in range(pages_max):
        x, some = page(wire, c, now, url)
        assert len(some) <= min(int(query.get("max-keys", 1000)), 1000), query
        rows += some
        if x.find(NS + "IsTruncated").text == "false":
            return rows
        if v2:
            now = {**query, "continuation-token": x.find(NS + "NextContinuationToken").text}
        else:
            marker = x.find(NS + "NextMarker")
            assert marker is not None or not query.get("delimiter"), query
            now = {**query, "marker": text_of(marker.text, url) if marker is not None else some[-1][1]}
    return None


@limit(120)
def test_listings_are_what_a_model_says(case):
    """400 odd names; prefixes, delimiters of several bytes, markers, page sizes, both versions, both encodings, at random from a fixed seed."""
    s = case.store()
    c, r = Caller(s), random.Random(3)
    c.call("PUT", "/bucket")
    keys = {"k" * 1024, "k" * 1023 + "l", "ü" * 512, "x/" * 512}
    while len(keys) < 400:
        keys.add("".join(r.choice(PIECES) for _ in range(r.randint(1, 7))))
    keys = sorted(keys, key=lambda k: k.encode())
    wire = c.connect()
    for k in keys:
        assert wire.ask(c.sign("PUT", "/bucket/" + encode(k, b"/"), body=b"x")).status == 200, repr(k)
    whole, wrong = 0, []
    for _ in range(120):
        v2, url = r.random() < 0.6, r.random() < 0.7
        prefix = r.choice(["", "", r.choice(keys)[:r.randint(0, 3)], r.choice(PIECES), "k" * 1023])
        delimiter = r.choice(["", "/", "/", "//", "ü", "a", "b/", "😀", "&", "\n", r.choice(keys)[:2], "zz"])
        after = r.choice(["", r.choice(keys), r.choice(keys)[:2], r.choice(keys)[:500] + "!", "\U0010ffff"])
        query = {"list-type": "2"} if v2 else {}
        for name, value in (("prefix", prefix), ("delimiter", delimiter), ("start-after" if v2 else "marker", after)):
            if value or r.random() < 0.3:
                query[name] = value
        query["max-keys"] = str(r.choice([1, 2, 3, 7, 50, 1000, 5000]))
        if url:
            query["encoding-type"] = "url"
        if r.random() < 0.3:
            query["fetch-owner"] = r.choice(["true", "false", ""])
        got = walk(wire, c, query, url, 60)
        if got is None:
            continue
        whole += 1
        want = model(keys, prefix, delimiter, after)
        if got != want:
            i = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
            wrong.append(f"{query}: row {i} is {got[i:i + 2]}, not {want[i:i + 2]}")
    assert not wrong and whole > 60, (whole, wrong[:5])
