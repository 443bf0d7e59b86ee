# SPDX-License-Identifier: Apache-2.0
"""Accounts and users of a tenant: made by command and by IAM's calls, still there after a restart, and the test profile is named wherever it is on."""
import json
import subprocess
import os
import time

from lib.case import limit
from lib.raw import Caller

EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def made(s, *args):
    return json.loads(s.tillit(*args, "--json"))


def caller(s, made_by):
    return Caller(s, made_by["access_key_id"], made_by["secret_access_key"])


def test_an_account_has_buckets_of_its_own(case):
    """The owner's statement makes an account; its buckets are its own, their names the tenant's."""
    s = case.store()
    a = Caller(s)
    other = made(s, "account", "create", s.dir)
    b = caller(s, other)
    assert len(other["account"]) == 12 and len(other["canonical_id"]) == 64
    assert a.call("PUT", "/mine").status == 200 and b.call("PUT", "/theirs").status == 200
    assert b.call("PUT", "/mine").code == "BucketAlreadyExists" and a.call("PUT", "/mine").code == "BucketAlreadyOwnedByYou"
    assert b.call("GET", "/mine").status == 403 and a.call("GET", "/theirs").status == 403
    assert b"theirs" not in a.call("GET", "/").body and other["canonical_id"].encode() in b.call("GET", "/").body
    again = made(s, "account", "create", s.dir, "--account", other["account"])
    assert again["canonical_id"] == other["canonical_id"] and caller(s, again).call("GET", "/theirs").status == 200
    s.tillit("account", "create", s.dir, "--account", "12", ok=(2,))


def test_a_user_may_what_its_policy_says_after_a_restart_too(case):
    """A user's key and policy are leaves of the control log and a sealed secret: both are there when the store starts again."""
    s = case.store()
    policy = os.path.join(case.dir, "policy.json")
    with open(policy, "w") as f:
        f.write(EVERYTHING)
    a = Caller(s)
    assert a.call("PUT", "/shelf").status == 200 and a.call("PUT", "/shelf/k", body=b"hello").status == 200
    ada, bob = made(s, "user", "create", s.dir, "ada", "--policy", policy), made(s, "user", "create", s.dir, "bob", "--path", "/x/")
    assert bob["arn"].endswith(":user/x/bob")
    assert [u["user"] for u in made(s, "user", "list", s.dir)] == ["ada", "bob"]
    for _ in range(2):
        assert caller(s, ada).call("GET", "/shelf/k").body == b"hello"
        assert caller(s, bob).call("GET", "/shelf/k").code == "AccessDenied"
        s.stop()
        s.start()
    s.tillit("user", "delete", s.dir, "ada")
    assert caller(s, ada).call("GET", "/shelf/k").status == 403
    assert [u["user"] for u in made(s, "user", "list", s.dir)] == ["bob"]
    # The secret is nowhere on the record.
    said = json.dumps(list(s.log_records("control")) + list(s.log_records("access")))
    assert ada["access_key_id"] in said and ada["secret_access_key"] not in said


@limit(90)
def test_the_test_profile_is_named_by_doctor_and_works(case):
    """With [s3-tests] on: doctor names it, days of lifecycle rules are short, what a rule ends stands on the record as the store's own doing."""
    s = case.store(config="\n[s3-tests]\non = yes\nlifecycle-day-ms = 1000\n")
    a = Caller(s)
    end = time.monotonic() + 5
    while True:
        r = subprocess.run([os.path.join(s.build, "tillit"), "doctor", s.dir], capture_output=True, text=True)
        if "[s3-tests] is on" in r.stdout or time.monotonic() > end:
            break
        time.sleep(0.1)
    assert r.returncode == 1 and "[s3-tests] is on" in r.stdout and "on = no" in r.stdout, r.stdout
    assert a.call("PUT", "/short").status == 200 and a.call("PUT", "/short/k", body=b"hello").status == 200
    assert a.call("GET", "/short?publicAccessBlock=").code == "NoSuchPublicAccessBlockConfiguration"
    s.boto3().put_bucket_lifecycle_configuration(Bucket="short", LifecycleConfiguration={"Rules": [
        {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]})
    end = time.monotonic() + 30
    while a.call("HEAD", "/short/k").status == 200:
        assert time.monotonic() < end, "the rule has ended nothing"
        time.sleep(0.3)
    ended = [r for r in s.log_records("access") if r.get("act") == "LifecycleExpire"]
    assert len(ended) == 1 and ended[0]["auth"] == "auto", ended
