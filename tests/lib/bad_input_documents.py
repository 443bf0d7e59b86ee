# SPDX-License-Identifier: Apache-2.0
"""Every kind of document that a client may send: cut off at every byte, and in shapes made to exhaust a parser."""
import base64
import hashlib
import json
import re
import urllib.parse

from lib.bad_input import BUCKET, TEN, ask
from lib.bad_input_forms import form, signed
from lib.bad_input_parts import begin, list_of, put_part
from lib.raw import Closed

DEEP = 100000
MIB = 1024 * 1024
GRANTEE = '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>{}</ID></Grantee>'


class Document:
    """One kind: how it is sent, a body that is right, and what a wrong one is answered."""

    def __init__(self, name, method, target, body, codes=("MalformedXML",), done=(200,), largest=MIB, shortest=0):
        self.name, self.method, self.target, self.body, self.codes, self.done = name, method, target, body, codes, done
        self.largest, self.shortest = largest, shortest

    def request(self, w, body):
        return w.c.sign(self.method, self.target, [["Content-MD5", base64.b64encode(hashlib.md5(body).digest()).decode()]], body)

    def root(self):
        return re.search(rb"<(\w+)", self.body).group(1)


def policy_text():
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": "a", "Effect": "Deny", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::{BUCKET}/none-\u00e9",
         "Condition": {"NumericLessThan": {"s3:signatureAge": 1.5}, "Null": {"aws:username": True}}}]}).encode()


def documents(w):
    """All that are XML, and a bucket's policy."""
    key = f"/{BUCKET}/of-a-list"
    upload = begin(w, key)
    part = put_part(w, key, upload, 1, b"hello")
    owner = re.search(r"<ID>([0-9a-f]{64})</ID>", w.c.call("GET", f"/{BUCKET}?acl").body.decode()).group(1)
    tags = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v&amp;w</Value></Tag></TagSet></Tagging>"
    yield Document("CreateBucket", "PUT", "/cut-off", b"<CreateBucketConfiguration><LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>"
                   % w.c.region.encode(), shortest=1)
    yield Document("DeleteObjects", "POST", f"/{BUCKET}?delete", b"<Delete><Quiet>true</Quiet><Object><Key>not-&#x74;here</Key><VersionId>null</VersionId></Object></Delete>",
                   largest=2 * MIB)
    yield Document("CompleteMultipartUpload", "POST", f"{key}?uploadId={upload}", list_of([part]), largest=4 * MIB)
    yield Document("PutBucketVersioning", "PUT", f"/{BUCKET}?versioning", b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><VersioningConfiguration "
                   b"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Suspended</Status></VersioningConfiguration>")
    yield Document("PutObjectTagging", "PUT", f"/{BUCKET}/ten?tagging", tags)
    yield Document("PutBucketTagging", "PUT", f"/{BUCKET}?tagging", tags, done=(200, 204))
    yield Document("PutBucketCors", "PUT", f"/{BUCKET}?cors", b"<CORSConfiguration><CORSRule><ID>a</ID><AllowedOrigin>http://*.example</AllowedOrigin><AllowedMethod>GET"
                   b"</AllowedMethod><AllowedHeader>*</AllowedHeader><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>")
    yield Document("PutBucketLifecycle", "PUT", f"/{BUCKET}?lifecycle", b"<LifecycleConfiguration><Rule><ID>a</ID><Filter><And><Prefix>x</Prefix><Tag><Key>k</Key><Value>v"
                   b"</Value></Tag></And></Filter><Status>Enabled</Status><Expiration><Days>3650</Days></Expiration></Rule></LifecycleConfiguration>")
    yield Document("PutBucketOwnershipControls", "PUT", f"/{BUCKET}?ownershipControls",
                   b"<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>")
    yield Document("PutPublicAccessBlock", "PUT", f"/{BUCKET}?publicAccessBlock", b"<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>"
                   b"TRUE</IgnorePublicAcls></PublicAccessBlockConfiguration>")
    grant = f"<Grant>{GRANTEE.format(owner)}<Permission>FULL_CONTROL</Permission></Grant>"
    yield Document("PutBucketAcl", "PUT", f"/{BUCKET}?acl", f"<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList>{grant}</AccessControlList>"
                   "</AccessControlPolicy>".encode(), codes=("MalformedXML", "MissingSecurityHeader"))
    yield Document("PutBucketPolicy", "PUT", f"/{BUCKET}?policy", policy_text(), codes=("MalformedPolicy", "PolicyTooLarge"), done=(204,))


def cut_off(w, document):
    """Every prefix is refused over a connection that is kept, then the whole is taken."""
    connection = w.c.connect()
    try:
        for n in range(document.shortest, len(document.body)):
            request = document.request(w, document.body[:n])
            try:
                a = connection.ask(request)
            except (Closed, OSError) as e:
                yield f"{document.name} cut off at {n}: {type(e).__name__} {e}"
                connection = w.c.connect()
                continue
            w.refused.append((f"{document.name} cut off at {n}", request, a))
            if a.status != 400 or a.code not in document.codes or (a.get("connection") or "").lower() == "close":
                yield f"{document.name} cut off at {n}: {a} {a.get('connection')}"
        a = connection.ask(document.request(w, document.body))
        if a.status not in document.done:
            yield f"{document.name}, whole: {a}"
    finally:
        connection.close()


def shapes(document):
    """Bodies of one kind that are made to hurt; all are wrong."""
    if document.name == "PutBucketPolicy":
        for opening, closing in ((b"[", b"]"), (b'{"Statement":', b"}")):
            yield "deep", opening * DEEP + closing * DEEP
            yield "deep and open", opening * 9000
        yield "20 KiB and a byte", document.body[:1] + b" " * (20481 - len(document.body)) + document.body[1:]
        yield "2 MiB", document.body[:1] + b" " * (2 * MIB) + document.body[1:]
        yield "2 MiB of one string", b'{"Version":"' + b"x" * (2 * MIB) + b'"}'
        yield "many statements", b'{"Version":"2012-10-17","Statement":[' + b",".join([b"{}"] * 6000) + b"]}"
        yield "a large number", document.body.replace(b"1.5", b"1" * 10000)
        return
    root, body = document.root(), document.body
    inner = body[body.index(b"<" + root):]
    bomb = b'<!DOCTYPE d [<!ENTITY a0 "lol">' + b"".join(b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 10)) + b"]>"
    opened = inner.index(b">") + 1
    yield "deep", inner[:opened] + b"<a>" * DEEP + b"</a>" * DEEP + b"</" + root + b">"
    yield "deep in itself", (b"<" + root + b">") * 40000
    yield "deep and open", b"<a>" * DEEP
    yield "entities", bomb + re.sub(rb">[^<>]+</", b">&a9;</", inner, count=1)
    yield "an entity of a file", b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + re.sub(rb">[^<>]+</", b">&x;</", inner, count=1)
    yield "an unknown entity", re.sub(rb">[^<>]+</", b">&lol;</", inner, count=1)
    yield "one byte more than may be", inner[:opened] + b" " * (document.largest + 1 - len(inner)) + inner[opened:]
    yield "twice what may be", inner[:opened] + b"<!--" + b"x" * (2 * document.largest) + b"-->" + inner[opened:]
    yield "a long name", b"<" + b"n" * 500000 + b"/>"
    yield "a long attribute", b"<" + root + b' a="' + b"v" * 500000 + b'"><x/></' + root + b">"
    yield "many attributes", b"<" + root + b"".join(b' a%d=""' % i for i in range(50000)) + b"><x/></" + root + b">"
    yield "many elements", inner[:opened] + b"<x/>" * 200000 + b"</" + root + b">"
    yield "another root", b"<Other>" + inner + b"</Other>"
    yield "two roots", inner + inner
    yield "NUL", inner.replace(b"</", b"\0</", 1)
    yield "not UTF-8", re.sub(rb">[^<>]+</", b">\xff\xfe</", inner, count=1)
    for order in ("le", "be"):
        yield "UTF-16" + order, "\ufeff{}".format(inner.decode()).encode("utf-16" + order)
        yield f"UTF-16{order} without a mark", inner.decode().encode("utf-16" + order)


def hostile(w, document):
    for shape, body in shapes(document):
        for x in ask(w, document.request(w, body), 400, [*document.codes, *(["EntityTooLarge"] if document.name == "PutBucketPolicy" else [])], label=f"{document.name}, {shape}"):
            yield f"{document.name}, {shape} ({len(body)} bytes): {x}"


def iam(w, text):
    """PutUserPolicy with this document."""
    body = urllib.parse.urlencode({"Action": "PutUserPolicy", "Version": "2010-05-08", "UserName": "cut-off", "PolicyName": "p", "PolicyDocument": text}).encode()
    return w.c.sign("POST", "/", [["Content-Type", "application/x-www-form-urlencoded"]], body, service="iam")


def user_policies(w):
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
    w.store.tillit("user", "create", w.store.dir, "cut-off")
    connection = w.c.connect()
    wrong = [("cut off at %d" % n, text[:n]) for n in range(len(text))] + [("deep", "[" * 9000 + "]" * 9000), ("deep and open", '{"a":' * 4000), ("large", " " * 50000 + text)]
    for what, document in wrong:
        request = iam(w, document)
        a = connection.ask(request)
        w.refused.append((f"PutUserPolicy, {what}", request, a))
        if a.status not in (400, 409) or a.code not in ("MalformedPolicyDocument", "ValidationError", "LimitExceeded") or (what != "large" and a.status != 400):
            yield f"PutUserPolicy, {what}: {a} {a.body!r}"
    a = connection.ask(iam(w, text))
    if a.status != 200:
        yield f"PutUserPolicy, whole: {a}"
    connection.close()
    a = w.c.send(iam(w, " " * (2 * MIB) + text))   # larger than the front takes: it asks nobody
    if a.status != 400:
        yield f"PutUserPolicy, 2 MiB: {a}"


def form_policies(w):
    whole = json.loads(base64.b64decode(dict(signed(w, "by-form"))["policy"]))
    text = json.dumps(whole).encode()
    connection = w.c.connect()
    wrong = [("cut off at %d" % n, text[:n]) for n in range(1, len(text))] + [("deep", b"[" * 5000 + b"]" * 5000), ("deep and open", b'{"a":' * 2000)]
    for what, document in wrong:
        request = form(w, signed(w, w.fresh().split("/", 2)[2], policy=document))
        try:
            a = connection.ask(request)
        except (Closed, OSError) as e:
            yield f"a form's policy, {what}: {type(e).__name__} {e}"
            connection = w.c.connect()
            continue
        w.refused.append((f"a form's policy, {what}", request, a))
        if a.status != 400 or a.code != "InvalidPolicyDocument":
            yield f"a form's policy, {what}: {a}"
        if (a.get("connection") or "").lower() == "close":
            connection.close()
            connection = w.c.connect()
    connection.close()


def alive(w, pids):
    """The same processes, and what they serve."""
    if sorted(w.store.pids()) != pids:
        yield f"processes were {pids}, are {sorted(w.store.pids())}"
    if w.c.call("GET", f"/{BUCKET}/ten").body != TEN:
        yield "the store does not answer as before"
