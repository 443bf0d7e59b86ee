# SPDX-License-Identifier: Apache-2.0
"""Attack 19: POST forms that go beyond the policy somebody signed, from a browser and from a front taken over."""
import base64
import datetime
import hashlib
import hmac
import json

from lib.attack import attack, held, store
from lib.case import limit
from lib.raw import Connection, Request, signing_key

WORDS = "a form went beyond its policy"


def signed_form(s, conditions, fields, minutes=5, key=None):
    """Fields of a form that the store's owner signed: policy, credential, date, signature."""
    access, secret = s.credentials
    now = datetime.datetime.now(datetime.timezone.utc)
    day, when = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
    more = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": f"{access}/{day}/{s.info['region']}/s3/aws4_request", "x-amz-date": when}
    policy = {"expiration": (now + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ"), "conditions": conditions + [{k: v} for k, v in more.items()]}
    text = base64.b64encode(json.dumps(policy).encode()).decode()
    signature = hmac.new(signing_key(key or secret, day, s.info["region"], "s3"), text.encode(), hashlib.sha256).hexdigest()
    return {**fields, **more, "policy": text, "x-amz-signature": signature}


def post(s, bucket, fields, data=b"content", name="f.txt", tail=b""):
    edge = "edge"
    body = "".join(f'--{edge}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()).encode()
    body += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + data + f"\r\n--{edge}--\r\n".encode() + tail
    conn = Connection(s.endpoints["s3"])
    return conn.ask(Request("POST", "/" + bucket, [["Host", conn.host], ["Content-Length", str(len(body))], ["Content-Type", "multipart/form-data; boundary=" + edge]], body))


@limit(120)
@attack("19", ("form-policy-unchecked", WORDS))
def test_a_form_does_what_its_policy_says_and_no_more(case):
    s = store(case)
    c = s.boto3()
    c.create_bucket(Bucket="forms")
    c.create_bucket(Bucket="other")
    mine = [{"bucket": "forms"}, ["starts-with", "$key", "up/"], ["content-length-range", 3, 100]]
    good = signed_form(s, mine, {"key": "up/${filename}"})
    assert post(s, "forms", good).status == 204 and c.get_object(Bucket="forms", Key="up/f.txt")["Body"].read() == b"content"

    def keys(bucket="forms"):
        return [x["Key"] for x in c.list_objects_v2(Bucket=bucket).get("Contents", [])]
    before = keys()
    tries = {
        "a key outside starts-with": (403, post(s, "forms", {**good, "key": "elsewhere"})),
        "a key that climbs": (403, post(s, "forms", {**good, "key": "down/../up/x"})),
        "another bucket": (403, post(s, "other", good)),
        "a field that no condition covers": (403, post(s, "forms", {"x-amz-meta-extra": "1", **good})),
        "one byte past the range": (400, post(s, "forms", good, b"x" * 101, "long")),
        "one byte below the range": (400, post(s, "forms", good, b"xx", "short")),
        "another policy under the same signature": (403, post(s, "forms", {**good, "policy": signed_form(s, [["starts-with", "$key", ""]], {})["policy"]})),
        "a signature of another key": (403, post(s, "forms", signed_form(s, mine, {"key": "up/x"}, key="not the secret"))),
        "an expired policy": (403, post(s, "forms", signed_form(s, mine, {"key": "up/x"}, minutes=-1))),
        "a policy that is no JSON": (403, post(s, "forms", {**good, "policy": base64.b64encode(b"{").decode()})),
        "no file": (400, post_without_file(s, good)),
    }
    for what, (status, r) in tries.items():
        held(r.status == status or (status == 403 and r.status == 400), WORDS, f"{what}: {r.status} {r.code}")
    held(keys() == before and keys("other") == [], WORDS, f"now there are {keys()} and {keys('other')}")
    # ${filename} is the name's last part, whatever paths a browser sends.
    for name in ("../../etc/passwd", "C:\\\\dir\\\\passwd", "/abs/passwd"):
        assert post(s, "forms", good, name=name).status == 204
    held(set(keys()) <= {"up/f.txt", "up/passwd"}, WORDS, keys())
    written = [r for r in s.log_records() if r.get("act") == "PostObject" and r.get("w")]
    assert len(written) == 4 and all(r["auth"] == "form" and r["dec"] == "allow" for r in written), written
    refused = [r for r in s.log_records() if r.get("act") == "PostObject" and not r.get("w")]
    assert refused and all(r.get("why") for r in refused), refused


def post_without_file(s, fields):
    edge = "edge"
    body = ("".join(f'--{edge}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()) + f"--{edge}--\r\n").encode()
    conn = Connection(s.endpoints["s3"])
    return conn.ask(Request("POST", "/forms", [["Host", conn.host], ["Content-Length", str(len(body))], ["Content-Type", "multipart/form-data; boundary=" + edge]], body))
