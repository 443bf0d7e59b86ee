# SPDX-License-Identifier: Apache-2.0
"""Somebody at the provider must look at a customer's data: asked, signed by two sides, read with stock clients, and all of it on both logs."""
import datetime
import json
import os
import re
import subprocess
import time
from types import SimpleNamespace

from lib import people, tlog
from lib.access import PURPOSE, Access, Session, client, short
from lib.case import ROOT, limit, program, rows
from lib.people import HOUR, MIB, People

REQUEST = dict(bucket="docs", prefix="reports/", verb="list,head,read", category="general", purpose=PURPOSE, ticket="T-1001", country="SE", duration="1h", objects="20",
               bytes="10MiB", text="report 17 does not open")
FIRST = ["genesis.provider mirrored", "person.set mirrored", "purpose.set mirrored", "access.request allow"]


def printed(r, name):
    found = re.search(rf"(?m)^  {name} +(\S+)$", r.stdout)
    assert found, (name, r.stdout)
    return found.group(1)


def ask(w, key, ok=(0,), **changed):
    return w.tillit("access", "request", *[f"{k}={v}" for k, v in {**REQUEST, **changed}.items() if v is not None], key=key, ok=ok)


# -- asked and signed ---------------------------------------------------------------------------------------------------------

@rows("P2.02", "P2.03", "P2.06", "P2.07", "P2.11")
def test_asked_signed_and_narrowed_on_the_command_line(case):
    """A request with a security key, a manager's signature, then the customer's: shown all that would be granted, narrowed to half the bytes."""
    w = Access(case)
    p = w.people
    plain = p.key("plain")
    with w.adds(provider=["person.set allow"]):
        p.person("pelle", key=plain)
    with w.adds(control=["genesis.provider mirrored", "person.set mirrored", "purpose.set mirrored", "access.request deny not-hardware"]):
        r = ask(w, plain, ok=(1,))
        assert "not-hardware" in r.stderr and not r.stdout, r
    untouched = p.key("untouched", sk=True, options=["no-touch-required"])
    with w.adds(provider=["person.set allow"]):
        p.person("ulla", key=untouched)
    s = people.text("access.request", people.new_id(), p.tenant, dict(bucket="docs", verb="read", category="general", purpose=PURPOSE, ticket="T", country="SE",
                    duration=HOUR, objects=1, bytes=1))
    with w.adds():
        p.send(s, untouched.sign(s), why="signature")                # not touched: no signature at all

    with w.adds(control=["person.set mirrored", "access.request allow"]) as added:
        r = ask(w, w.ines.key)
    grant, digest = printed(r, "grant"), printed(r, "digest")
    assert printed(r, "state") == "manager-pending"
    leaf = added["control"][-1]
    assert (leaf["grant"], leaf["who"], leaf["auth"]) == (grant, w.ines.key.fingerprint, "sk") and people.digest(leaf["statement"]) == digest, leaf
    for key in ("t", "nonce", "v", "kind"):
        assert key in json.loads(leaf["statement"])

    with w.adds(control=["access.look allow", "access.approve deny not-manager"]):
        r = w.tillit("access", "approve", "--grant", grant, key=w.anna.key, ok=(1,))
        assert "not-manager" in r.stderr, r
    with w.adds(control=["person.set mirrored", "access.look allow", "access.approve allow"]) as added:
        r = w.tillit("access", "approve", "--grant", grant, key=w.mats.key)
    assert printed(r, "state") == "customer-pending" and added["control"][-1]["auth"] == "sk"

    with w.adds(control=["access.look allow", "access.approve allow"]) as added:
        r = w.tillit("access", "approve", "--grant", grant, "--bytes", "5MiB", key=w.anna.key)
    assert printed(r, "state") == "approved"
    shown, signed = r.stderr.split("access.approve: ")
    for line in (r"who asks +Ines Berg \(ines\), of Nord Hosting AB, office in SE, now in SE", r"ticket +T-1001", r"text +report 17 does not open", rf"purpose +{PURPOSE}",
                 r"would grant +head, list, read of docs/reports/; general; 1 h; 20 objects, 10 MiB \(10485760 bytes\)", r"duration +1 h", r"objects +20",
                 r"bytes +10 MiB \(10485760 bytes\)", r"verb +head, list, read", r"category +general", r"prefix +reports/", r"country +SE", rf"digest +{digest}",
                 r"signed by +manager Mats Berg \(mats\), of Nord Hosting AB, .*", r"approvers +0 of 1 needed", r"lapses +20\S+Z"):
        assert re.search(rf"(?m)^  {line}$", shown), (line, shown)
    assert "5 MiB (5242880 bytes)" in signed and digest in signed
    leaf = added["control"][-1]
    said = json.loads(leaf["statement"])
    assert leaf["who"] == w.anna.key.fingerprint and said["terms"] == ["bytes=5242880", "request=" + digest] and said["tenant"] == p.tenant, leaf

    told = p.look(w.anna, SimpleNamespace(grant=grant)).answer
    assert told["budget"] == {"objects": 20, "bytes": 5 * MIB} and told["used"] == {"objects": 0, "bytes": 0} and told["logged"], told
    assert 3_599_000 < told["end"] - told["start"] <= 3_600_000 and told["state"] == "approved"
    with w.adds(control=["access.login allow"]) as added:
        r = w.tillit("access", "login", "--grant", grant, "--country", "SE", key=w.ines.key)
    assert set(json.loads(r.stdout)) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"} and added["control"][-1]["auth"] == "sk"
    with w.adds(control=["access.login deny country"]):
        assert "country" in w.tillit("access", "login", "--grant", grant, "--country", "US", key=w.ines.key, ok=(1,)).stderr


def guide(name, *begins):
    """Blocks of shell of a guide that begin with these words, as a reader copies them."""
    with open(os.path.join(ROOT, "docs", "ops", name)) as f:
        blocks = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", f.read(), re.M)
    blocks = [re.sub(r"(?m)^    ", "", b) for b in blocks]
    out = []
    for begin in begins:
        found = [b for b in blocks if b.startswith(begin)]
        assert len(found) == 1, (begin, found)
        out.append(found[0])
    return out


@rows("P2.06")
def test_all_of_it_with_curl_and_ssh_keygen_alone(case):
    """The approver's guide word for word, in a shell that has no tool of ours: asked, looked at, the digest computed, approved, revoked, with curl and ssh-keygen."""
    say, look, end = guide("access-approver.md", "say() {", "say access.look", "say access.revoke")
    program("curl"), program("openssl")
    w = Access(case)
    p, grant = w.people, people.new_id()

    def by_hand(person, script):
        home = case.path("by-hand-" + person.id)
        os.makedirs(os.path.join(home, ".ssh"), mode=0o700, exist_ok=True)
        for suffix in ("", ".pub"):
            with open(person.key.path + suffix) as f, open(os.path.join(home, ".ssh", "id_ed25519" + suffix), "w") as out:
                out.write(f.read())
        os.chmod(os.path.join(home, ".ssh", "id_ed25519"), 0o600)
        env = {"HOME": home, "PATH": "/usr/bin:/bin", "ID": grant, "TILLIT_ENDPOINT": p.api, "TILLIT_TENANT": p.tenant}
        if person.key.sk:
            env["SSH_SK_PROVIDER"] = people.sk_provider()
        r = subprocess.run(["sh", "-euc", say + script], cwd=home, env=env, capture_output=True, text=True, timeout=60)
        assert r.returncode == 0, (script, r)
        return r.stdout

    terms = ["bucket=docs", f"bytes={10 * MIB}", "category=general", "country=SE", f"duration={HOUR}", "objects=20", "prefix=reports/", f"purpose={PURPOSE}", "ticket=T-1001",
             "verb=head", "verb=read"]
    with w.adds(control=FIRST):
        asked = json.loads(by_hand(w.ines, f"say access.request \"$ID\" '{','.join(json.dumps(t) for t in terms)}'"))
    assert asked["state"] == "manager-pending", asked
    approve = look.replace('"\\"bytes=5242880\\",\\"request=$digest\\""', '"\\"request=$digest\\""')
    assert approve != look, look
    with w.adds(control=["person.set mirrored", "access.look allow", "access.approve allow"]):
        shown = by_hand(w.mats, approve)
    with w.adds(control=["access.look allow", "access.approve allow"]) as added:
        shown = by_hand(w.anna, look)
    for word in [*terms, grant, p.tenant]:
        assert word in shown, (word, shown)
    assert json.loads(shown[shown.rindex('}{') + 1:] if '}{' in shown else shown.splitlines()[-1])["state"] == "approved", shown
    assert json.loads(added["control"][-1]["statement"])["terms"] == [f"bytes={5 * MIB}", "request=" + asked["digest"]]
    with w.adds(control=["access.login allow"]):
        credentials = json.loads(by_hand(w.ines, "say access.login \"$ID\" '\"country=SE\"'"))
    w.settled()
    config = f'user = "{credentials["AccessKeyId"]}:{credentials["SecretAccessKey"]}"\naws-sigv4 = "aws:amz:{w.store.info["region"]}:s3"\n'
    curl = ["curl", "-sS", "--config", case.path("curl.conf", config.encode()), "-H", "x-amz-security-token: " + credentials["SessionToken"],
            "-H", "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", w.store.s3_access + "/docs/reports/q1"]
    with w.adds(control=["GetObject allow 13"]):
        r = subprocess.run(curl, capture_output=True, text=True, timeout=30)
        assert r.stdout == "first quarter", r
    with w.adds(control=["access.revoke allow"]):
        assert json.loads(by_hand(w.anna, end))["state"] == "revoked"
    with w.adds(control=["GetObject deny grant-state"]):
        assert "AccessDenied" in subprocess.run(curl, capture_output=True, text=True, timeout=30).stdout


# -- refused ------------------------------------------------------------------------------------------------------------------

@rows("P2.03", "P2.04", "P2.05", "P2.06")
def test_who_may_not_approve_and_what_may_not_be_approved(case):
    """Own request, one person twice, a second account, keys gone or not yet enrolled, no approvals, replayed ones, wider ones, a namesake elsewhere: each refused, with its reason on the log."""
    w = Access(case)
    p, s, ines, mats, anna = w.people, w.store, w.ines, w.mats, w.anna
    info = json.loads(s.tillit("tenant", "create", s.dir, "--tenant", "globex", "--json"))
    again = p.person("ines-too", roles=["manager"], person="p-ines")
    p.person("ines", roles=["support", "manager"], key=ines.key)      # she is a manager herself
    r = p.request(ines, "docs", prefix="reports/")

    def refused(why, f, *a, mirrored=0, **kw):
        with w.adds(control=["person.set mirrored"] * mirrored + [f"access.approve deny {why}"]) as added:
            f(*a, why=why, **kw)
        leaf = added["control"][-1]
        assert leaf["grant"] == r.grant and leaf["why"] == why, leaf

    refused("own-request", p.approve, r, ines)
    refused("own-request", p.approve, r, again, mirrored=1)
    refused("not-manager", p.approve, r, anna)                        # the manager comes first
    second = p.key("anna-second")
    p.approver("anna", keys=[anna.key, second], by=anna)
    bo, carl = p.approver("bo", by=anna), p.key("approver-carl")
    plain = p.key("mats-plain")
    p.person("mats", roles=["manager"], keys=[mats.key, plain])
    refused("not-hardware", p.approve, r, plain, mirrored=1)
    p.approve(r, mats)
    refused("same-person", p.approve, r, mats)
    refused("own-request", p.approve, r, again)

    # The customer's own rule: two of them. None is no rule, and no approval is no access.
    with w.adds(control=["rule.set allow", "rule.set deny range", "quorum.set deny range"]):
        p.say(anna, "rule.set", "docs", need=2)
        p.say(anna, "rule.set", "docs", need=0, why="range")
        p.say(anna, "quorum.set", need=0, why="range")
    with w.adds():
        for kind, subject in (("rule.set", "docs"), ("quorum.set", None), ("access.approve", r.grant)):
            said = p.say(anna, kind, subject, any=True)               # without `need`, without `request`: no statement
            assert said.status == 400, said
    with w.adds(control=["access.login deny state", "access.approve allow", "access.login deny state"]):
        p.login(r, why="state")
        p.approve(r, anna)
        p.login(r, why="state")
    refused("same-person", p.approve, r, anna)
    refused("same-person", p.approve, r, second)
    p.say(anna, "quorum.set", need=2)
    with w.adds(control=["approver.set allow"]):
        proposal = p.say(anna, "approver.set", "carl", key=carl.fingerprint, name="Carl Lund")
        assert proposal.status == 202
    refused("key-not-enrolled", p.approve, r, carl)
    new = p.key("bo-new")
    with w.adds(control=["approver.set allow", "agree allow"]):
        p.agree(p.say(anna, "approver.set", "bo", key=new.fingerprint, name="Bo Lind"), bo)
    refused("key-removed", p.approve, r, bo)
    with w.adds(control=["approver.set deny exists", "approver.set deny exists"]):
        for key in (anna.key, mats.key):                              # one key is one person's
            p.say(anna, "approver.set", "dora", key=key.fingerprint, name="Dora Ny", why="exists")

    # Wider than it was asked for.
    for wider in (dict(bytes=11 * MIB), dict(objects=21), dict(duration=2 * HOUR), dict(prefix=""), dict(prefix="report"), dict(prefix="letters/"),
                  dict(verb=["head", "list", "read", "write"]), dict(verb=["delete"]), dict(category=["general", "hr"])):
        refused("widens", p.approve, r, new, **wider)

    # Replayed: for another request, another tenant, another log, and the same once more.
    other = p.request(ines, "docs", prefix="reports/")
    with w.adds(control=["access.approve deny other-request"]):
        p.approve(SimpleNamespace(grant=other.grant, digest=r.digest), mats, why="other-request")
    b = People(s, tenant=info["tenant"], owner=people.Key(p.take("owner-b", os.path.join(s.dir, "demo", "owner-globex"))))
    theirs = b.approver("anna", key=p.key("anna-of-globex"))
    assert type(w.owner)(s, info["access_key_id"], info["secret_access_key"]).call("PUT", "/docs").status == 200
    same = b.request(ines, "docs", prefix="reports/", grant=r.grant)  # the same id, the same words
    b.approve(same, mats)
    with w.adds():
        p.approve(r, theirs, why="unknown-signer")                    # a namesake: nobody here, and only counted
        b.approve(same, anna, why="unknown-signer")
    b.say(theirs, "access.approve", same.grant, request=r.digest, why="other-request")
    with w.adds(control=["access.approve allow"]):
        last = p.approve(r, new)
    assert last.answer["state"] == "approved"
    with w.adds(control=["access.approve deny repeated"]):
        p.send(last.text, last.signature, why="repeated")
        p.send(last.text, last.signature, why="repeated")             # said once on the log: whoever saw it can send it for ever
    with w.adds():
        for text in (last.text.replace(p.tenant, b.tenant), last.text.replace(r.grant, other.grant)):
            p.send(text, last.signature, why="signature")
        p.send(last.text, new.sign(last.text, "tillit-log@v1"), why="signature")
        nowhere = last.text.replace(f'"tenant":"{p.tenant}",', "")
        assert p.send(nowhere, new.sign(nowhere), any=True).status == 400
    assert b.look(theirs, same).answer["state"] == "customer-pending"
    with w.adds(control=["person.set mirrored", "access.login deny not-hardware"]):
        p.person("ines", roles=["support"], keys=[ines.key, p.key("ines-plain")])
        p.login(r, who=people.Person("ines", p.key("ines-plain")), why="not-hardware")
    end = time.monotonic() + 12                                       # strangers are counted on the provider log, at most twice a minute
    while not any(x["kind"] == "sum" and x["why"] == "AccessDenied" for x in tlog.leaves(s.endpoints["logs"]["provider"]["url"])):
        assert time.monotonic() < end, "a statement by a key that nobody here has is counted"
        time.sleep(0.3)


# -- stock clients ------------------------------------------------------------------------------------------------------------

@limit(180)
@rows("P2.07", "P2.10", "P2.12")
def test_stock_clients_inside_the_grant_and_nowhere_else(case):
    """aws cli and rclone with `tillit access login` as credential_process: inside the prefix they read; everything else is refused, each with its leaf."""
    aws, rclone = program("aws"), program("rclone")
    w = Access(case)
    p, s = w.people, w.store
    w.put("other", {"reports/q1": b"another bucket"})
    r = p.granted(w.ines, "docs", prefix="reports/", bytes=30 * MIB)
    w.settled()
    env = w.profile(r, w.ines.key)
    down = case.path("down")

    with w.adds(control=["access.login allow", "ListObjectsV2 allow"]):
        assert "q1" in client(env, aws, "s3", "ls", "s3://docs/reports/").stdout
    with w.adds(control=["access.login allow", "HeadObject allow 0", "GetObject allow 13"]) as added:
        client(env, aws, "s3", "cp", "s3://docs/reports/q1", down)
        assert open(down, "rb").read() == b"first quarter"
    leaf = added["control"][-1]
    assert (leaf["auth"], leaf["grant"], leaf["person"], leaf["employer"], leaf["purpose"], leaf["cat"], leaf["ctry"], leaf["key"], leaf["segs"]) == \
        ("sts", r.grant, "p-ines", "Nord Hosting AB", PURPOSE, "general", "SE", "reports/q1", [0, 0]), leaf
    with w.adds(control=["access.login allow", "HeadObject allow 0", "GetObject allow 4194304", "GetObject allow goes on 2097152"]):
        client(env, aws, "s3", "cp", "s3://docs/reports/q2", down)
        assert os.path.getsize(down) == 6 * MIB
    into = case.path("rclone")
    with w.adds(control=None) as added:
        client(env, rclone, "copy", "t:docs/reports", into)
    assert open(os.path.join(into, "q1"), "rb").read() == b"first quarter" and os.path.getsize(os.path.join(into, "q2")) == 6 * MIB
    said = sorted(short(x) for x in added["control"])
    assert said == sorted(["access.login allow", "HeadObject deny grant-scope", "ListObjects allow", "ListObjects allow", "GetObject allow 13", "GetObject allow 8",
                           "GetObject allow 4194304", "GetObject allow goes on 2097152"]), said     # it looks whether docs/reports itself is an object

    for args, leaf in ((("s3", "cp", "s3://docs/letters/l1", "-"), "HeadObject deny grant-scope"), (("s3", "cp", "s3://other/reports/q1", "-"), "HeadObject deny grant-scope"),
                       (("s3", "ls", "s3://docs/"), "ListObjectsV2 deny grant-scope"), (("s3", "ls"), "ListBuckets deny grant-act"),
                       (("s3", "cp", down, "s3://docs/reports/mine"), "CreateMultipartUpload deny grant-act" if os.path.getsize(down) > 8 * MIB else "PutObject deny grant-act"),
                       (("s3", "rm", "s3://docs/reports/q1"), "DeleteObject deny grant-act"), (("s3api", "get-bucket-policy", "--bucket", "docs"), "GetBucketPolicy deny grant-act")):
        with w.adds(control=["access.login allow", leaf]):
            client(env, aws, *args, ok=False)
    for args, leaf in ((("lsf", "t:docs"), "ListObjects deny grant-scope"), (("lsf", "t:"), "ListBuckets deny grant-act")):
        with w.adds(control=["access.login allow", leaf]):
            client(env, rclone, *args, ok=False)
    with w.adds(control=["access.login allow", "GetObject allow presigned"]) as added:
        url = client(env, aws, "s3", "presign", "s3://docs/reports/q1").stdout.strip()
        a = subprocess.run(["curl", "-sS", "-w", "%{http_code}", url], capture_output=True, text=True, timeout=30).stdout
        assert a.endswith("403") and "first quarter" not in a, a

    # What no client of these sends: the same session by hand.
    c = w.session(p.login(r))
    for method, target, leaf in (("GET", "/docs/reports%2F..%2Fletters%2Fl1", "GetObject deny NoSuchKey"), ("GET", "/docs?list-type=2&prefix=report", "ListObjectsV2 deny grant-scope"),
                                 ("GET", "/docs?list-type=2&prefix=", "ListObjectsV2 deny grant-scope"), ("GET", "/docs?versions&prefix=letters/", "ListObjectVersions deny grant-scope"),
                                 ("GET", "/docs/letters/l1?versionId=null", "GetObjectVersion deny grant-scope"), ("POST", "/docs/reports/x?uploads", "CreateMultipartUpload deny grant-act"),
                                 ("PUT", "/docs/reports/q1?tagging", "PutObjectTagging deny grant-act"), ("GET", "/docs/reports/q1?acl", "GetObjectAcl deny grant-act"),
                                 ("PUT", "/mine", "CreateBucket deny grant-act"), ("DELETE", "/docs", "DeleteBucket deny grant-act"), ("GET", "/docs?policy", "GetBucketPolicy deny grant-act")):
        with w.adds(control=None) as added:
            a = c.call(method, target)
            assert a.status in (403, 404), (method, target, a)
        if leaf != "GetObject deny NoSuchKey":
            assert [short(x) for x in added["control"]] == [leaf], (target, [short(x) for x in added["control"]])
    with w.adds(control=["CopyObject deny grant-act"]):
        assert c.call("PUT", "/docs/reports/q3", [["x-amz-copy-source", "/docs/reports/q1"]]).status == 403
    with w.adds(control=["GetObject allow 13", "GetObject allow repeated"]):
        request = c.sign("GET", "/docs/reports/q1", [c.token])
        assert [c.send(request).status for _ in range(2)] == [200, 403]
    with w.adds(control=["GetObject allow InvalidToken"]):
        assert Session(s, {"AccessKeyId": c.key, "SecretAccessKey": c.secret, "SessionToken": c.token[1]}, url=s.endpoints["s3"]).call(
            "GET", "/docs/reports/q1", [["x-note", "1"]]).status == 400
    api = Session(s, {"AccessKeyId": c.key, "SecretAccessKey": c.secret, "SessionToken": c.token[1]}, url=s.endpoints["api"])
    for method, target, body in (("GET", "/v1/openings?log=control&from=0&count=1", b""), ("GET", "/v1/who-can?bucket=docs&key=reports/q1", b""),
                                 ("POST", "/v1/undelete", b'{"bucket":"docs","key":"reports/q1"}')):
        a = api.call(method, target, body=body, service="tillit")
        assert a.status in (400, 403), (target, a.status, a.body)
    with w.adds(access=["GetObject allow AccessDenied"], control=[]):
        assert type(w.owner)(s, url=s.s3_access).call("GET", "/docs/reports/q1").status == 403


@rows("P2.07", "P2.12")
def test_the_budget_and_the_clock_end_it(case):
    """Five of six MiB were granted, two objects, one minute: the download is cut off, the third object and the 61st second are refused, and the leaf says what for."""
    aws = program("aws")
    w = Access(case)
    p, s = w.people, w.store
    small = p.granted(w.ines, "docs", prefix="reports/", bytes=5 * MIB)
    two = p.granted(w.ines, "docs", prefix="reports/", objects=2, duration=60_000, verbs=["read"])
    w.settled()

    with w.adds(control=None) as added:                               # it asks again for what it did not get
        client(w.profile(small, w.ines.key), aws, "s3", "cp", "s3://docs/reports/q2", case.path("down"), ok=False)
        assert not os.path.exists(case.path("down"))
    said = [short(x) for x in added["control"]]
    assert said[:4] == ["access.login allow", "HeadObject allow 0", "GetObject allow 4194304", "GetObject deny budget goes on 2097152"], said
    assert set(said[4:]) <= {"GetObject allow repeated", "GetObject deny budget 4194304"}, said
    c = w.session(p.login(small))
    with w.adds(control=["GetObject deny budget 2097152"]):
        assert c.call("GET", "/docs/reports/q2", [["Range", "bytes=4194304-4194304"]]).status == 403
    with w.adds(control=["GetObject allow 13"]):
        assert c.call("GET", "/docs/reports/q1").body == b"first quarter"
    assert p.look(w.anna, small).answer["used"] == {"objects": 2, "bytes": 4 * MIB + 13}

    credentials = p.login(two)
    c = w.session(credentials)
    with w.adds(control=["GetObject allow 13", "GetObject allow 8", "GetObject deny budget", "HeadObject deny grant-verb", "ListObjectsV2 deny grant-verb"]):
        assert [c.call("GET", "/docs/reports/" + k, [["x-note", k]]).status for k in ("q1", "old/q0", "q1?x=1")] == [200, 200, 403]
        assert [c.call("HEAD", "/docs/reports/q1").status, c.call("GET", "/docs?list-type=2&prefix=reports/").status] == [403, 403]
    ends = datetime.datetime.fromisoformat(credentials["Expiration"].replace("Z", "+00:00")).timestamp()
    assert abs(ends - p.look(w.anna, two).answer["end"] / 1000) < 1

    w.later(300)
    with w.adds(control=["Expire"], within=4):
        pass
    w.settled()
    with w.adds(control=["GetObject deny grant-state", "access.login deny state"]):
        a = w.session(credentials).call("GET", "/docs/reports/q1")
        assert (a.status, a.code) == (400, "ExpiredToken"), a
        client(w.profile(two, w.ines.key), aws, "s3", "cp", "s3://docs/reports/q1", "-", ok=False)
    told = p.look(w.anna, two).answer
    assert told["state"] == "expired" and told["used"] == {"objects": 2, "bytes": 21}, told
    with w.adds(control=["access.login allow", "GetObject allow 8"]):                 # the other one has an hour
        assert w.session(p.login(small)).call("GET", "/docs/reports/old/q0").status == 200
