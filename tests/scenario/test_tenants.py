# SPDX-License-Identifier: Apache-2.0
"""Two tenants on one store: neither can name what is the other's."""
import base64
import hashlib
import json
import os
import re
import subprocess
import time

from lib import statement, tlog
from lib.case import rows
from lib.raw import Caller


def second(s, name="globex"):
    """Another tenant and its caller."""
    info = json.loads(s.tillit("tenant", "create", s.dir, "--tenant", name, "--json"))
    return info, Caller(s, info["access_key_id"], info["secret_access_key"])


def told(answer, names):
    """An answer without what is of its own request: ids, the date, and the name that was asked for."""
    headers = sorted((n, v) for n, v in answer.headers if n not in ("x-amz-request-id", "x-amz-id-2", "date", "x-tillit-receipt"))
    body = re.sub(rb"<(RequestId|HostId)>[^<]*</\1>", rb"<\1/>", answer.body)
    for name in names:
        body = body.replace(name.encode(), b"NAME")
    return answer.status, headers, body


def test_a_second_tenant_is_made_and_works(case):
    """An officer names a new tenant's owner; the owner's own statements make its first key; both tenants may use the same bucket name."""
    s = case.store()
    a = Caller(s)
    info, b = second(s)
    for c, body in ((a, b"of acme"), (b, b"of globex")):
        assert c.call("PUT", "/same-name").status == 200
        assert c.call("PUT", "/same-name/k", body=body).status == 200
    for c, body in ((a, b"of acme"), (b, b"of globex")):
        assert c.call("GET", "/same-name/k").body == body
        listing = c.call("GET", "/").body
        assert listing.count(b"<Name>same-name</Name>") == 1, listing
    assert b.call("DELETE", "/same-name/k").status == 204
    assert a.call("GET", "/same-name/k").body == b"of acme"
    s.stop()
    s.start()
    a, b = Caller(s), Caller(s, info["access_key_id"], info["secret_access_key"])
    assert a.call("GET", "/same-name/k").body == b"of acme" and b.call("GET", "/same-name/k").code == "NoSuchKey"
    s.tillit("tenant", "create", s.dir, "--tenant", "globex", ok=(1, 2))


@rows("P5.01")
def test_another_tenants_bucket_answers_as_an_absent_one(case):
    """Every operation on another tenant's bucket answers, byte for byte, what it answers for a bucket that does not exist; the owner's log is silent."""
    s = case.store()
    a = Caller(s)
    _, b = second(s)
    theirs, absent = "acme-secrets", "nobody-these"
    assert len(theirs) == len(absent)
    a.call("PUT", "/" + theirs)
    a.call("PUT", f"/{theirs}/k", body=b"content of acme")
    before = len([r for r in s.log_records() if r["act"] != "ReadOpenings"])
    xml = b"<Delete><Object><Key>k</Key></Object></Delete>"
    md5 = [["Content-MD5", base64.b64encode(hashlib.md5(xml).digest()).decode()]]
    operations = [("GET", "/k", [], b""), ("HEAD", "/k", [], b""), ("PUT", "/k", [], b"x"), ("PUT", "/k", [["If-None-Match", "*"]], b"x"), ("DELETE", "/k", [], b""),
                  ("GET", "", [], b""), ("GET", "?list-type=2", [], b""), ("HEAD", "", [], b""), ("DELETE", "", [], b""), ("GET", "?location", [], b""),
                  ("GET", "?versioning", [], b""), ("POST", "?delete", md5, xml), ("GET", "?policy", [], b""), ("GET", "?acl", [], b""), ("GET", "/k?tagging", [], b""),
                  ("GET", "?uploads", [], b""), ("GET", "/k", [["Range", "bytes=0-1"]], b""), ("GET", "/k", [["If-None-Match", '"x"']], b""), ("GET", "/k?versionId=null", [], b"")]
    wrong = []
    for method, rest, headers, body in operations:
        got = [told(b.call(method, f"/{name}{rest}", headers, body), (theirs, absent)) for name in (theirs, absent)]
        if got[0] != got[1]:
            wrong.append(f"{method} {rest}: {got[0]} against {got[1]}")
        if got[0][0] < 400 or b"content of acme" in got[0][2]:
            wrong.append(f"{method} {rest}: {got[0]}")
    assert not wrong, "\n".join(wrong)
    assert a.call("GET", f"/{theirs}/k").body == b"content of acme"
    after = [r for r in s.log_records() if r["act"] != "ReadOpenings"][before:]
    assert [r["act"] for r in after] == ["GetObject"], after


@rows("P5.01")
def test_credentials_logs_and_statements_of_one_tenant_open_nothing_of_another(case):
    """Key ids, log capabilities and owners' keys of one tenant give nothing at the other."""
    s = case.store()
    a = Caller(s)
    info, b = second(s)
    a.call("PUT", "/mine")
    a.call("PUT", "/mine/k", body=b"x")
    # One tenant's key id with the other's secret, both ways.
    assert b.call("GET", "/mine/k", secret=a.secret).code == "SignatureDoesNotMatch"
    assert a.call("GET", "/mine/k", secret=b.secret).code == "SignatureDoesNotMatch"
    # The record that globex reads is its own.
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": b.key, "AWS_SECRET_ACCESS_KEY": b.secret}
    theirs = s.log_records(env=environment)
    assert theirs and not [r for r in theirs if r.get("bucket") == "mine"], theirs
    # Its owner's key says nothing for acme; nor does its officer.
    for key in ("owner-globex", "officer"):
        for kind, subject in (("key.add", s.info["account"]), ("reader.add", "access"), ("key.off", a.key)):
            text = statement.text(kind, tenant=s.info["tenant"], subject=subject)
            status, answer = statement.post(s.endpoints["api"], text, statement.sign(os.path.join(s.dir, "demo", key), text))
            assert status in (400, 401, 403), (key, kind, status, answer)
    assert a.call("GET", "/mine/k").body == b"x"
    # A capability opens the one log it was made for, whatever the path behind it.
    capability = info["logs"]["access"]["url"].rstrip("/").rsplit("/", 1)[1]
    for path in ("../" + s.endpoints["logs"]["access"]["url"].rstrip("/").rsplit("/", 1)[1] + "/checkpoint", "tile/../../heads/checkpoint", "%2e%2e/heads/checkpoint"):
        status, text = tlog.get(f"{s.endpoints['api']}/log/{capability}/{path}")
        assert status in (400, 404), (path, status, text)


def test_the_owner_turns_an_access_key_off(case):
    """A second key made by the owner's statement works; turned off it is refused at once, the first one goes on; both stand on the control log."""
    s = case.store()
    a = Caller(s)
    a.call("PUT", "/keys")
    new = statement.say(s, "key.add", s.info["account"])
    k = Caller(s, new["access_key_id"], new["secret_access_key"])
    assert k.call("PUT", "/keys/k", body=b"x").status == 200
    s.expect_record(act="PutObject", key="k", who=f"{s.info['account']}:root:{k.key}")
    statement.say(s, "key.off", k.key)
    a_ = k.call("GET", "/keys/k")
    assert (a_.status, a_.code) == (403, "InvalidAccessKeyId"), a_
    assert a.call("GET", "/keys/k").body == b"x"
    s.stop()
    s.start()
    assert Caller(s, k.key, k.secret).call("GET", "/keys/k").status == 403
    keys = [r for r in s.log_records("control") if r["kind"] == "key" and r.get("keyc") == k.key]
    assert [r["on"] for r in keys] == [1, 0], keys


def test_a_statement_counts_once_and_only_under_the_right_signature(case):
    """A statement sent twice, signed under another namespace, changed after signing, or old is refused with its reason."""
    s = case.store()
    api, owner = s.endpoints["api"], os.path.join(s.dir, "demo", "owner")
    text = statement.text("key.add", tenant=s.info["tenant"], subject=s.info["account"])
    signature = statement.sign(owner, text)
    assert statement.post(api, text, signature)[0] == 200
    status, answer = statement.post(api, text, signature)
    assert status >= 400 and "nonce" in answer["detail"], answer
    text = statement.text("key.add", tenant=s.info["tenant"], subject=s.info["account"])
    assert statement.post(api, text, statement.sign(owner, text, namespace="git"))[0] >= 400
    assert statement.post(api, text.replace(s.info["account"], "0" * 12), statement.sign(owner, text))[0] >= 400

    old = statement.text("key.add", tenant=s.info["tenant"], subject=s.info["account"], t=int(time.time() * 1000) - 16 * 60 * 1000)
    status, answer = statement.post(api, old, statement.sign(owner, old))
    assert status >= 400 and "15 minutes" in answer["detail"], answer
    stranger = case.path("stranger")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    text = statement.text("key.add", tenant=s.info["tenant"], subject=s.info["account"])
    assert statement.post(api, text, statement.sign(stranger, text))[0] >= 400
    # A stranger's statement leaves nothing behind: neither the nonce of an owner's own words, nor a place in the table of nonces.
    assert statement.post(api, text, statement.sign(owner, text))[0] == 200
    assert len([r for r in s.log_records("control") if r["kind"] == "key"]) == 3
