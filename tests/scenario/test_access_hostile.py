# SPDX-License-Identifier: Apache-2.0
"""Somebody with a grant for docs/reports/ who wants what lies beside it: every spelling of a key, every parameter of a listing, every other operation,
and tokens taken apart and put together again. What the customer wrote elsewhere must never come back."""
import base64
import re

from lib.access import Access, Session
from lib.case import limit, rows
from lib.raw import Caller

SECRET = b"not theirs to read"
OBJECTS = {"reports/q1": b"first quarter", "reports/q2": b"second", "reports": SECRET, "reports-secret/x": SECRET, "reportsx": SECRET, "Reports/q1": SECRET,
           "letters/l1": SECRET, "a/reports/q1": SECRET, "%72eports/q1": SECRET, "reports%2Fq1": SECRET}


class Unique(Session):
    """No two of its requests have one signature: what is refused is not refused as repeated."""
    count = 0

    def call(self, method, target, headers=(), body=b"", **kw):
        Unique.count += 1
        return super().call(method, target, [*headers, ["x-amz-meta-count", str(Unique.count)]], body, **kw)


def engineer(case, **terms):
    w = Access(case, objects={})
    for key, data in OBJECTS.items():
        assert w.owner.call("PUT", "/docs/" + key.replace("%", "%25"), body=data).status == 200, key
    r = w.people.granted(w.ines, "docs", prefix="reports/", objects=2000, **terms)
    w.settled()
    credentials = w.people.login(r, w.ines)
    w.settled()
    return w, r, credentials, Unique(w.store, credentials)


@limit(120)
@rows("P2.09", partly="spellings of keys and parameters of listings")
def test_no_spelling_reaches_what_lies_beside_the_prefix(case):
    """Keys with dots, slashes, case, encodings and queries; listings with two prefixes, markers, delimiters, tokens of others."""
    w, r, credentials, c = engineer(case)
    assert c.call("GET", "/docs/reports/q1").body == b"first quarter"
    assert c.call("GET", "/docs/%72eports/q1").body == b"first quarter"
    for key in ("reports", "reports-secret/x", "reportsx", "Reports/q1", "letters/l1", "a/reports/q1", "reports/../letters/l1", "reports/%2e%2e/letters/l1",
                "reports%2f..%2fletters%2fl1", "reports/./../letters/l1", "/reports/q1", "./reports/q1", "%2572eports/q1", "reports%252Fq1", "reports%00/../letters/l1",
                "letters/l1?prefix=reports/", "letters/l1?versionId=null", "letters/l1?partNumber=1", "letters/l1?response-content-type=text/plain",
                "reports;/../letters/l1", "letters%2fl1", "%6cetters/l1", "reports%5c..%5cletters%5cl1", "letters/l1#reports/", "reports/..%2fletters/l1"):
        a = c.call("GET", "/docs/" + key)
        assert a.status != 200 and SECRET not in a.body, (key, a)
    for target in ("/docs/../docs/letters/l1", "//docs/letters/l1", "/docs/reports/..//letters/l1", "/%64ocs/letters/l1", "/other/reports/q1"):
        a = c.call("GET", target)
        assert a.status != 200 and SECRET not in a.body, (target, a)
    pages = w.owner.call("GET", "/docs?list-type=2&max-keys=1")
    token = pages.element("NextContinuationToken")
    assert token
    for query in ("", "list-type=2", "prefix=", "prefix=reports", "list-type=2&prefix=report", "prefix=reports/&prefix=", "prefix=&prefix=reports/", "Prefix=reports/",
                  "prefix=reports/%00", "prefix=reports/..", "prefix=reports%252F", "prefix=%2Freports/", "versions", "versions&prefix=", "versions&prefix=reports",
                  "delimiter=/", "prefix=r&delimiter=eports/", "list-type=2&prefix=letters/", "uploads", "uploads&prefix=reports/", "prefix&prefix=reports/",
                  f"list-type=2&prefix=reports/&continuation-token={token}", f"list-type=2&continuation-token={token}"):
        a = c.call("GET", "/docs?" + query)
        assert a.status != 200 or re.findall(rb"<Key>([^<]*)</Key>|<Prefix>([^<]+)</Prefix>", a.body) == [] or b"reports/.." in a.body, (query, a.body)
        assert b"letters" not in a.body and b"Reports" not in a.body and b"reportsx" not in a.body, (query, a.body)
    for query in ("prefix=reports/", "list-type=2&prefix=reports/&start-after=a", "prefix=reports/&marker=a", "versions&prefix=reports/&key-marker=a",
                  "list-type=2&prefix=reports/&delimiter=/", "prefix=reports/&delimiter=q", "prefix=reports/&encoding-type=url", "prefix=%72eports/"):
        a = c.call("GET", "/docs?" + query)
        assert a.status == 200, (query, a)
        names = [x or y for x, y in re.findall(rb"<Key>([^<]*)</Key>|<CommonPrefixes><Prefix>([^<]*)</Prefix>", a.body)]
        assert names and all(n.startswith((b"reports/", b"reports%2F")) for n in names), (query, names)
    for leaf in w.leaves():
        assert leaf.get("why") != "repeated", leaf
        if leaf["kind"] == "acc" and leaf["dec"] == "allow" and leaf["act"].startswith("GetObject") and "bytes" in leaf:
            assert leaf["key"].startswith("reports/"), leaf


@limit(120)
@rows("P2.09", partly="every other operation")
def test_nothing_but_reading_is_taken(case):
    """What else S3 has, asked with a session: configurations, copies into and out of the prefix, forms, deletes, uploads; the bucket of the same name made anew."""
    w, r, credentials, c = engineer(case)
    for query in ("acl", "attributes", "tagging", "torrent", "legal-hold", "retention", "uploadId=x", "select&select-type=2"):
        for method in ("GET", "POST", "PUT", "DELETE"):
            a = c.call(method, "/docs/reports/q1?" + query, [["x-amz-object-attributes", "ETag"]])
            assert a.status in (400, 403, 405, 411, 501) and b"first quarter" not in a.body, (method, query, a)
    for query in ("acl", "policy", "cors", "lifecycle", "versioning", "encryption", "website", "logging", "notification", "replication", "tagging", "policyStatus", "inventory",
                  "object-lock", "ownershipControls", "publicAccessBlock", "analytics", "metrics", "delete", "uploads", "accelerate", "requestPayment"):
        for method in ("GET", "PUT", "DELETE", "POST"):
            a = c.call(method, "/docs?" + query)
            assert a.status in (400, 403, 404, 405, 411, 501), (method, query, a)
    for method, target, headers in (("GET", "/", []), ("DELETE", "/docs/reports/q1", []), ("DELETE", "/docs", []), ("PUT", "/new", []), ("PUT", "/docs/reports/new", []),
                                    ("PUT", "/docs/reports/new", [["x-amz-copy-source", "/docs/letters/l1"]]),
                                    ("PUT", "/docs/reports/new?partNumber=1&uploadId=x", [["x-amz-copy-source", "/docs/letters/l1"]]),
                                    ("POST", "/docs/reports/new?uploads", []), ("OPTIONS", "/docs/reports/q1", [["Origin", "https://x"]]), ("POST", "/", []), ("PATCH", "/docs/reports/q1", [])):
        a = c.call(method, target, headers)
        assert a.status in (400, 403, 405, 501), (method, target, a)
    form = Caller(w.store, credentials["AccessKeyId"], credentials["SecretAccessKey"], url=w.store.s3_access).plain("POST", "/docs", [["Content-Type", "multipart/form-data; boundary=b"]],
        b"--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nreports/x\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--\r\n")
    assert c.send(form).status in (400, 403)
    assert c.send(c.plain("GET", "/docs/reports/q1")).status == 403
    assert c.call("HEAD", "/docs").status == 200 and c.call("GET", "/docs?location").status == 200
    # The same name is another bucket.
    for key in OBJECTS:
        assert w.owner.call("DELETE", "/docs/" + key.replace("%", "%25")).status == 204
    assert w.owner.call("DELETE", "/docs").status == 204
    assert c.call("GET", "/docs/reports/q1").status in (403, 404)
    assert w.owner.call("PUT", "/docs").status == 200 and w.owner.call("PUT", "/docs/reports/q1", body=SECRET).status == 200
    assert c.call("GET", "/docs/reports/q1").status == 403 and c.call("GET", "/docs?prefix=reports/").status == 403 and c.call("HEAD", "/docs").status == 403


@limit(120)
@rows("P2.10", partly="tokens taken apart")
def test_a_token_is_whole_or_nothing(case):
    """Cut, bent, another session's, another tenant's, given twice, in the query, outside the signature: refused, and nothing comes back."""
    w, r, credentials, c = engineer(case)
    other = w.people.login(r, w.ines)
    token = credentials["SessionToken"]
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))

    def bent(i, bit=1):
        b = bytearray(raw)
        b[i] ^= bit
        return base64.urlsafe_b64encode(b).rstrip(b"=").decode()
    # the last character has bits that mean nothing: one spelling
    bad = [bent(i) for i in range(0, len(raw), 5)] + [token[:n] for n in (1, 22, 23, 40, len(token) - 1)] + [token + "A", token + "=", token + token, " " + token[1:],
           "A" * 279, "A" * 280, "A" * 4096, token.swapcase(), token[:-1] + ("B" if token[-1] != "B" else "C")]
    for t in bad:
        a = Unique(w.store, {**credentials, "SessionToken": t}).call("GET", "/docs/reports/q1")
        assert a.status in (400, 403) and b"quarter" not in a.body, (t, a)
    mixed = {**credentials, "SessionToken": other["SessionToken"]}
    assert Unique(w.store, mixed).call("GET", "/docs/reports/q1").status == 403
    assert Unique(w.store, {**mixed, "SecretAccessKey": other["SecretAccessKey"]}).call("GET", "/docs/reports/q1").status == 403
    plain = Caller(w.store, credentials["AccessKeyId"], credentials["SecretAccessKey"], url=w.store.s3_access)
    assert plain.call("GET", "/docs/reports/q1").status == 403
    for request in (plain.sign("GET", "/docs/reports/q1", unsigned=[["x-amz-security-token", token]]),
                    plain.sign("GET", "/docs/reports/q1?X-Amz-Security-Token=" + token),
                    plain.sign("GET", "/docs/reports/q1", [["x-amz-security-token", token], ["x-amz-security-token", token]]),
                    plain.sign("GET", "/docs/reports/q1", [["x-amz-security-token", token], ["x-amz-security-token", other["SessionToken"]]]),
                    plain.presign("GET", "/docs/reports/q1", change=lambda p: p.update({"X-Amz-Security-Token": token})),
                    plain.presign("GET", "/docs/reports/q1", headers=[["x-amz-security-token", token]]),
                    w.owner.sign("GET", "/docs/reports/q1", [["x-amz-security-token", token]])):
        a = plain.send(request)
        assert a.status in (400, 403) and b"quarter" not in a.body, (request.headers, a)
    assert c.call("GET", "/docs/reports/q1").status == 200


@limit(120)
@rows("P2.12", partly="objects in parts")
def test_an_object_in_parts_counts_what_its_parts_hold(case):
    """Parts of several sizes, one uploaded twice, read whole, by ranges and by number, and as a copy: each leaf says what its segment holds, and the auditor agrees."""
    w, r, credentials, c = engineer(case, bytes=90 << 20)
    c2 = w.owner
    upload = c2.call("POST", "/docs/reports/parts?uploads").element("UploadId")
    parts = []
    for number, size in ((1, 6 << 20), (2, 7 << 20), (2, 5 << 20), (3, 9)):
        a = c2.call("PUT", f"/docs/reports/parts?partNumber={number}&uploadId={upload}", body=bytes([number]) * size)
        assert a.status == 200
        parts = [x for x in parts if x[0] != number] + [(number, a.get("etag"))]
    body = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in parts)
    assert c2.call("POST", f"/docs/reports/parts?uploadId={upload}", body=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()).status == 200
    assert c2.call("PUT", "/docs/reports/copy", [["x-amz-copy-source", "/docs/reports/parts"]]).status == 200
    total = (11 << 20) + 9
    assert len(c.call("GET", "/docs/reports/parts").body) == total
    assert c.call("GET", "/docs/reports/parts", [["Range", f"bytes={(6 << 20) - 1}-{6 << 20}"]]).body == b"\1\2"
    assert c.call("GET", "/docs/reports/parts?partNumber=3").body == b"\3" * 9
    assert len(c.call("GET", "/docs/reports/copy").body) == total
    opened = sum(x["bytes"] for x in w.leaves() if x["kind"] == "acc" and "segs" in x)
    assert opened == total + (2 << 20) + (4 << 20) + 9 + total, opened     # of the range: the end of part 1, the first segment of part 2
    e, out = w.store.endpoints["logs"], case.path("out")
    for log in ("access", "control"):
        w.store.tillit("log", "export", w.store.dir, "--out", out, "--log", log)
    code, text = w.store.verify("replay", out, *[x for log in ("access", "control") for x in (f"--{log}-vkey", e[log]["vkey"], f"--{log}", e[log]["url"])])
    assert code == 0, text
