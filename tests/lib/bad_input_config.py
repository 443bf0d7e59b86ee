# SPDX-License-Identifier: Apache-2.0
"""Requests of bad-input.tsv about documents of configuration and tags: X05 to X11, X16."""
import base64
import hashlib
import json

from lib.bad_input import BUCKET, TEN, ask, free, row


def document(w, target, body, method="PUT"):
    return w.c.sign(method, target, [["Content-MD5", base64.b64encode(hashlib.md5(body).digest()).decode()]], body)


def still(w, sub, code):
    """Nothing of a refused document is kept."""
    a = w.c.call("GET", f"/{BUCKET}?{sub}")
    assert a.code == code, f"?{sub} answers {a}"


@row("X05")
def _(w):
    for status in ("Foo", "enabled", "", "Enabled</Status><Status>Enabled"):
        yield document(w, f"/{BUCKET}?versioning", f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>".encode())
    yield document(w, f"/{BUCKET}?versioning", b"")
    assert b"<Status>" not in w.c.call("GET", f"/{BUCKET}?versioning").body, "a refused document is kept"


def rule(ident="a", days="1", status="Enabled"):
    return f"<Rule><ID>{ident}</ID><Filter><Prefix>x</Prefix></Filter><Status>{status}</Status><Expiration><Days>{days}</Days></Expiration></Rule>"


@free("X06")
def _(w):
    for rules, code in ((rule() + rule(days="2"), "InvalidArgument"), (rule(days="0"), "InvalidArgument"), (rule(status="enabled"), "MalformedXML"),
                        (rule(status="Foo"), "MalformedXML"), (rule(days="x"), "MalformedXML"), ("", "MalformedXML"), (rule("i" * 256), "InvalidArgument")):
        xml = f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>".encode()
        for x in ask(w, document(w, f"/{BUCKET}?lifecycle", xml), 400, [code], label="X06"):
            yield f"{rules[:90]} wants {code}: {x}"
    still(w, "lifecycle", "NoSuchLifecycleConfiguration")


def policy(**statement):
    s = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*", **statement}
    return {"Version": "2012-10-17", "Statement": [{k: v for k, v in s.items() if v is not None}]}


@row("X07")
def _(w):
    wrong = [b"this is not JSON", b"", b"{", b"[]", b"null", b'"text"', b"{}", b"\x00", b'{"Version": "2012-10-17"}', b"<Policy/>", b'{"Version":"\xff"}']
    wrong += [json.dumps(x).encode() for x in (
        {**policy(), "Version": "2020-10-17"}, {**policy(), "Version": 2012}, policy(Principal=None, NotPrincipal={"AWS": "*"}), policy(Effect="allow"),
        policy(Action="s3:NoSuchAction"), policy(Resource="arn:aws:s3:::another-bucket/*"), policy(Principal=None), policy(Action=None), policy(Resource=None),
        policy(Condition={"NoSuchOperator": {"aws:SourceIp": "10.0.0.0/8"}}), policy(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/99"}}),
        policy(Surprise=1), {**policy(), "Surprise": 1}, {**policy(), "Statement": []})]
    wrong.append(json.dumps(policy()).encode().replace(b'"Effect": "Allow"', b'"Effect": "Deny", "Effect": "Allow"'))
    for body in wrong:
        yield document(w, f"/{BUCKET}?policy", body)
    still(w, "policy", "NoSuchBucketPolicy")


@row("X08")
def _(w):
    for size in (20481, 100000, 900000):
        body = json.dumps(policy()).encode()
        yield document(w, f"/{BUCKET}?policy", body + b" " * (size - len(body)))
        many = policy(Sid="s" * (size - len(body)))
        yield document(w, f"/{BUCKET}?policy", json.dumps(many).encode())
    still(w, "policy", "NoSuchBucketPolicy")


def tagging(tags):
    return ("<Tagging><TagSet>" + "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in tags) + "</TagSet></Tagging>").encode()


def everywhere(w, tags, query=None):
    """The same tags in every place that takes them: the document, a PUT, a copy, an upload."""
    query = query or "&".join(f"{k}={v}" for k, v in tags)
    if tags is not None:
        yield document(w, f"/{BUCKET}/ten?tagging", tagging(tags))
    yield w.c.sign("PUT", w.fresh(), [["x-amz-tagging", query]], b"x")
    yield w.c.sign("PUT", w.fresh(), [["x-amz-tagging", query], ["x-amz-tagging-directive", "REPLACE"], ["x-amz-copy-source", f"/{BUCKET}/ten"]])
    yield w.c.sign("POST", w.fresh() + "?uploads", [["x-amz-tagging", query]])


def untagged(w):
    a = w.c.call("GET", f"/{BUCKET}/ten?tagging")
    assert a.status == 200 and b"<Tag>" not in a.body, f"?tagging answers {a}"
    assert w.c.call("GET", f"/{BUCKET}/ten").body == TEN
    assert b"<Upload>" not in w.c.call("GET", f"/{BUCKET}?uploads").body, "a refused upload is there"


@row("X09")
def _(w):
    yield from everywhere(w, [(f"k{i}", "v") for i in range(11)])
    yield from everywhere(w, [(f"k{i}", "") for i in range(50)])
    untagged(w)


@row("X10")
def _(w):
    for tags in ([("k" * 129, "v")], [("k", "v" * 257)], [("k", "1"), ("k", "2")], [("", "v")]):
        yield from everywhere(w, tags)
    yield document(w, f"/{BUCKET}?tagging", tagging([("k" * 129, "v")]))
    yield document(w, f"/{BUCKET}?tagging", tagging([("k", "1"), ("k", "2")]))
    untagged(w)
    still(w, "tagging", "NoSuchTagSet")


@row("X11")
def _(w):
    for query in ("%zz", "a=%4", "a=%"):
        yield from everywhere(w, None, query)
    untagged(w)


@row("X16")
def _(w):
    for method in ("FOO", "get", "PATCH", "OPTIONS", ""):
        xml = f"<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>{method}</AllowedMethod></CORSRule></CORSConfiguration>"
        yield document(w, f"/{BUCKET}?cors", xml.encode())
    still(w, "cors", "NoSuchCORSConfiguration")
