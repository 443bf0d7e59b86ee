# SPDX-License-Identifier: Apache-2.0
"""The owner's journey: data goes in and out, and the log says so."""
import hashlib
import json
import os
import subprocess
import threading
import time

from lib import tlog
from lib.case import limit, rows
from lib.clock import start_off_by
from lib.raw import Caller, Closed


def etag(data):
    return '"' + hashlib.md5(data).hexdigest() + '"'


@rows("P3.02")
def test_every_access_is_on_the_log_at_once(case):
    """The owner puts, gets, lists and deletes; within a second the log shows who did what, from where, how many bytes, and that it was allowed."""
    s = case.store()
    c, data = s.boto3(), os.urandom(300000)
    c.create_bucket(Bucket="journey")
    common = {"dec": "allow", "bucket": "journey", "peer": "127.0.0.1"}
    who = f"{s.info['account']}:root:{s.info['access_key_id']}"
    for key in ("a//b/../c", "å ä ö/日本.txt", "+%25", "."):
        c.put_object(Bucket="journey", Key=key, Body=data, Metadata={"colour": "blue"})
        r = s.expect_record(act="PutObject", key=key, **common)
        assert r["who"] == who and r["bytes"] == len(data) and r["w"] == 1 and r["size"] == len(data) and r["auth"] == "hdr", r
        assert r["etag"].strip('"') == hashlib.md5(data).hexdigest(), r
        put = r["index"]
        assert c.get_object(Bucket="journey", Key=key)["Body"].read() == data
        r = s.expect_record(act="GetObject", key=key, **common)
        assert r["who"] == who and r["bytes"] == len(data) and r["version"] == put and "w" not in r, r
        part = c.get_object(Bucket="journey", Key=key, Range="bytes=70000-200001")
        assert part["Body"].read() == data[70000:200002]
        r = s.expect_record(act="GetObject", key=key, range=[70000, 200001], **common)
        assert r["bytes"] == 130002, r
        assert c.head_object(Bucket="journey", Key=key)["Metadata"] == {"colour": "blue"}
        r = s.expect_record(act="HeadObject", key=key, **common)
        assert r.get("bytes", 0) == 0 and r["version"] == put, r
    assert len(c.list_objects_v2(Bucket="journey", Prefix="å")["Contents"]) == 1
    r = s.expect_record(act="ListObjectsV2", prefix="å", **common)
    assert r["asof"] > put - 4 and r["who"] == who, r
    c.delete_object(Bucket="journey", Key=".")
    r = s.expect_record(act="DeleteObject", key=".", **common)
    assert r["w"] == 1 and r["version"] == put, r
    control = s.log_records("control")
    made = [x for x in control if x["kind"] == "bkt"]
    assert len(made) == 1 and made[0]["act"] == "CreateBucket" and made[0]["name"] == "journey" and made[0]["who"] == who, made


@rows("P3.02")
def test_answers_name_their_record(case):
    """x-amz-request-id and x-tillit-receipt of an answer are the record's own id and place."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/receipts")
    for method, target, status in (("PUT", "/receipts/k", 200), ("GET", "/receipts/k", 200), ("GET", "/receipts/none", 404), ("DELETE", "/receipts/k", 204)):
        a = c.call(method, target, body=b"x" if method == "PUT" else b"")
        assert a.status == status, a
        log, index = a.get("x-tillit-receipt").rsplit("/", 1)
        record = s.expect_record(index=int(index))
        assert record["id"] == a.get("x-amz-request-id"), (record, a.headers)
        assert record["act"] == {"PUT": "PutObject", "GET": "GetObject", "DELETE": "DeleteObject"}[method], record


@rows("P3.02")
def test_refusals_are_on_the_log(case):
    """A refused request of a proven caller has a record of its own, with the reason; nothing of it happened."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/refusals")
    c.call("PUT", "/refusals/k", body=b"first")
    for method, target, headers, status, why in (
            ("GET", "/refusals/nothing", [], 404, "NoSuchKey"), ("GET", "/no-such-bucket/k", [], 404, "no-bucket"),
            ("PUT", "/refusals/k", [["If-None-Match", "*"]], 412, "PreconditionFailed"), ("PUT", "/refusals/new", [["If-Match", '"x"']], 404, "NoSuchKey"),
            ("GET", "/refusals/k", [["If-None-Match", etag(b"first")]], 304, "NotModified"), ("GET", "/refusals/k", [["Range", "bytes=99-"]], 416, "InvalidRange"),
            ("DELETE", "/refusals", [], 409, "BucketNotEmpty")):
        a = c.call(method, target, headers, b"second" if method == "PUT" else b"")
        assert a.status == status, (method, target, a)
        r = s.expect_record(why=why, bucket=target.split("/")[1])
        assert "w" not in r and r["peer"] == "127.0.0.1" and s.info["access_key_id"] in r["who"], r
    assert c.call("GET", "/refusals/k").body == b"first"


@rows("P3.02")
def test_unproven_callers_are_refused_and_counted(case):
    """A wrong signature, an unsigned request and one altered after signing are refused; the summaries on the logs count them."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/proofs")
    c.call("PUT", "/proofs/k", body=b"content")
    before = len(s.log_records())
    for _ in range(3):
        a = c.call("GET", "/proofs/k", secret="x" * 40)
        assert (a.status, a.code) == (403, "SignatureDoesNotMatch"), a
    a = c.send(c.plain("GET", "/proofs/k"))
    assert (a.status, a.code) == (403, "AccessDenied") and b"content" not in a.body, a
    a = c.call("GET", "/proofs/k", key="AKIAAAAAAAAAAAAAAAAA")
    assert (a.status, a.code) == (403, "InvalidAccessKeyId"), a
    altered = c.sign("PUT", "/proofs/k", [["x-amz-meta-a", "1"]], b"mine")
    for bend in (lambda r: r.set("x-amz-meta-a", "2"), lambda r: setattr(r, "target", "/proofs/other"), lambda r: setattr(r, "method", "DELETE"),
                 lambda r: setattr(r, "target", "/proofs/k?acl")):
        r = c.sign("PUT", "/proofs/k", [["x-amz-meta-a", "1"]], b"mine")
        bend(r)
        a = c.send(r)
        assert (a.status, a.code) == (403, "SignatureDoesNotMatch"), (r.target, a)
    altered.body = b"evil"
    a = c.send(altered)
    assert (a.status, a.code) == (400, "XAmzContentSHA256Mismatch"), a
    assert c.call("GET", "/proofs/k").body == b"content"
    s.expect_record(kind="sum", why="SignatureDoesNotMatch", within=2)
    records = s.log_records()
    assert len(records) >= before and not [r for r in records if r.get("key") == "other"], records
    # Who never proved a tenant is counted on the provider's log, which the tenant's capability does not open.
    end = time.monotonic() + 15                      # published with the next checkpoint
    while not [x for x in tlog.leaves(s.endpoints["logs"]["provider"]["url"]) if x["kind"] == "sum"]:
        assert time.monotonic() < end, "no summary on the provider log"
        time.sleep(0.2)


def test_undelete_brings_back_what_was_deleted_or_overwritten(case):
    """The owner brings back a deleted object and an overwritten one; the record says so."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/grave")
    small, large = b"first", os.urandom(3000000)
    for key, first in (("small", small), ("large", large), ("ä b", b"x")):
        path = "/grave/" + key.replace("ä", "%C3%A4").replace(" ", "%20")
        assert c.call("PUT", path, [["x-amz-meta-n", "1"]], first).status == 200
        assert c.call("PUT", path, body=b"second").status == 200
        s.tillit("undelete", s.dir, "grave", key)
        a = c.call("GET", path)
        assert a.body == first and a.get("x-amz-meta-n") == "1" and a.get("etag") == etag(first), a
        assert c.call("DELETE", path).status == 204
        assert c.call("GET", path).code == "NoSuchKey"
        s.tillit("undelete", s.dir, "grave", key)
        assert c.call("GET", path).body == first
        r = s.expect_record(act="Undelete", bucket="grave", key=key)
        assert r["dec"] == "allow" and r["w"] == 1, r
    s.tillit("undelete", s.dir, "grave", "never-there", ok=(1,))
    assert s.tillit("undelete", s.dir, "no-such-bucket", "k", ok=(1,)) == ""


def test_conditional_writes(case):
    """If-Match and If-None-Match decide whether a write happens, and the one that lost changed nothing."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/conditions")

    def put(body, *headers):
        a = c.call("PUT", "/conditions/k", [list(h) for h in headers], body)
        return a.status
    assert put(b"1", ("If-None-Match", "*")) == 200
    assert put(b"2", ("If-None-Match", "*")) == 412
    assert put(b"2", ("If-Match", etag(b"0"))) == 412
    assert c.call("GET", "/conditions/k").body == b"1"
    assert put(b"2", ("If-Match", etag(b"1"))) == 200
    assert put(b"3", ("If-Match", etag(b"1"))) == 412
    assert c.call("GET", "/conditions/k").body == b"2"
    writes = [r for r in s.log_records() if r.get("w") and r.get("bucket") == "conditions"]
    assert len(writes) == 2, writes


@limit(180)
def test_one_of_many_concurrent_creators_wins(case):
    """Of eight concurrent If-None-Match: * exactly one wins; the log has one write and the others' refusals."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/race")
    for turn in range(10):
        answers, start = {}, threading.Barrier(8)

        def put(i):
            r = c.sign("PUT", f"/race/{turn}", [["If-None-Match", "*"]], b"%d" % i)
            connection = c.connect()
            start.wait()
            answers[i] = connection.ask(r).status
            connection.close()
        threads = [threading.Thread(target=put, args=(i,)) for i in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert sorted(answers.values()) == [200] + [412] * 7, answers
        winner = next(i for i, status in answers.items() if status == 200)
        assert c.call("GET", f"/race/{turn}").body == b"%d" % winner
        mine = [r for r in s.log_records() if r.get("key") == str(turn) and r["act"] == "PutObject"]
        assert len([r for r in mine if r.get("w")]) == 1 and len([r for r in mine if r.get("why") == "PreconditionFailed"]) == 7, mine


@rows("P1.01")
def test_the_owner_reads_lists_and_exports_with_nobody_of_the_provider_there(case):
    """With the steward dead, no officer's key on the machine and nobody asked, the owner reads, lists, exports data and log."""
    s = case.store(start=False)
    # A store whose steward does not exist: not killed now and then, but never there.
    alone = case.path("bin")
    os.mkdir(alone)
    for name in ("tillit", "tillit-serve", "tillit-gate", "tillit-keeper", "ngx_http_tillit_module.so", "nginx.conf.in", *(x for x in os.listdir(s.build) if x.startswith("console"))):
        subprocess.run(["cp", os.path.join(s.build, name), alone], check=True)
    s.build = alone
    for name in ("officer", "officer.pub"):
        os.unlink(os.path.join(s.dir, "demo", name))
    s.start()
    c, objects = s.boto3(), {f"k/{i}": os.urandom(1000 * i * i) for i in range(20)}
    c.create_bucket(Bucket="mine")
    for key, data in objects.items():
        c.put_object(Bucket="mine", Key=key, Body=data)
    s.stop()
    s.start()
    assert not s.pids("steward"), s.pids()
    c, got, token = s.boto3(), {}, {}
    while True:
        page = c.list_objects_v2(Bucket="mine", MaxKeys=7, **token)
        for x in page["Contents"]:
            got[x["Key"]] = c.get_object(Bucket="mine", Key=x["Key"])["Body"].read()
        if not page["IsTruncated"]:
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    assert got == objects
    out = case.path("export")
    s.tillit("log", "export", s.dir, "--out", out)
    with open(os.path.join(out, "access.jsonl")) as f:
        reads = [line for line in f if '"GetObject"' in line]
    assert len(reads) == len(objects)


@rows("P3.02")
def test_log_export_opens_every_commitment(case):
    """`tillit log export` gives both logs in JSON Lines; by the written specification alone every opening holds against its leaf."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/exported")
    for i in range(300):
        assert c.call("PUT", f"/exported/{i}", body=b"x" * i).status == 200
    c.call("GET", "/exported/7", [["Range", "bytes=1-2"]])
    out = case.path("export")
    for log in ("access", "control"):
        text = s.tillit("log", "export", s.dir, "--out", out, "--log", log)
        with open(os.path.join(out, log + ".jsonl")) as f:
            lines = [tlog.check_line(x) for x in f]
        assert [x[0] for x in lines] == list(range(len(lines))) and f"{len(lines)} records" in text, text
        if log == "access":
            puts = [x for x in lines if x[1]["act"] == "PutObject"]
            assert len(puts) == 300 and puts[5][2]["obj"] == b"\0\x08exported5", puts[5]
            # Nothing readable about data or people stands in a leaf itself.
            for _, leaf, values in lines:
                text = json.dumps(leaf)
                assert "exported" not in text and s.info["access_key_id"] not in text and "127.0.0.1" not in text, leaf
                assert {"who", "obj", "peer"} <= set(values), leaf
    # Reading the record is itself on record.
    s.expect_record(act="ReadOpenings", dec="allow")


def test_log_follow_shows_an_access_within_a_second(case):
    """`tillit log follow` prints an access within a second of its answer."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/followed")
    p = subprocess.Popen([os.path.join(s.build, "tillit"), "log", "follow", s.dir, "--json"], stdout=subprocess.PIPE,
                         env={**os.environ, "AWS_ACCESS_KEY_ID": c.key, "AWS_SECRET_ACCESS_KEY": c.secret})
    try:
        seen, arrived = threading.Event(), []

        def read():
            for line in p.stdout:
                if json.loads(line).get("key") == "now":
                    arrived.append(time.monotonic())
                    seen.set()
        threading.Thread(target=read, daemon=True).start()
        time.sleep(1.2)                              # it has shown what was there
        assert c.call("PUT", "/followed/now", body=b"x").status == 200
        answered = time.monotonic()
        assert seen.wait(5), "it never came"
        assert arrived[0] - answered < 1.0, arrived[0] - answered
    finally:
        p.kill()
        p.wait()


def test_a_log_reader_is_turned_off_by_the_owner(case):
    """The owner gives a stranger a URL to a log; the stranger reads it; turned off, the same URL answers 404."""
    from lib.statement import say
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/read")
    c.call("PUT", "/read/k", body=b"x")
    capability = say(s, "reader.add", "access")["capability"]
    url = f"{s.endpoints['api']}/log/{capability}/"
    end = time.monotonic() + 15
    while not [x for x in tlog.leaves(url) if x.get("act") == "PutObject"]:
        assert time.monotonic() < end, "the write is not published"
        time.sleep(0.2)
    assert tlog.get(s.endpoints["api"] + "/log/aaaaaaaaaaaaaaaaaaaaaaaaaa/checkpoint")[0] == 404
    say(s, "reader.off", capability)
    end = time.monotonic() + 2
    while tlog.get(url + "checkpoint")[0] != 404:
        assert time.monotonic() < end, "still readable 2 s after it was turned off"
        time.sleep(0.05)
    assert tlog.get(url + "tile/entries/000.p/1")[0] == 404
    changes = [r for r in s.log_records("control") if r["kind"] == "rdr"]
    assert [r["on"] for r in changes[-2:]] == [1, 0], changes


@rows("P3.01")
@limit(180)
def test_nothing_happens_while_the_log_cannot_be_written(case):
    """With the log unwritable every read and write fails closed with 503, nothing has happened, and it comes back by itself."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/closed")
    assert c.call("PUT", "/closed/k", body=b"secret content").status == 200
    records = len(s.log_records())
    requests = [c.sign("GET", "/closed/k"), c.sign("HEAD", "/closed/k"), c.sign("PUT", "/closed/k", body=b"other"), c.sign("PUT", "/closed/new", body=b"other"),
                c.sign("DELETE", "/closed/k"), c.sign("GET", "/closed"), c.sign("GET", "/"), c.sign("PUT", "/closed-too")]
    s.breaks("wal-write-eio")
    for turn in range(2):
        answers = [None] * len(requests)

        def ask(i):
            answers[i] = c.send(requests[i])
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(requests))]
        [t.start() for t in threads]
        [t.join() for t in threads]
        for request, a in zip(requests, answers):
            assert a and a.status == 503 and b"secret" not in a.body, (request.method, request.target, a)
            assert not a.get("x-tillit-receipt") and not a.get("etag"), a.headers
    s.breaks()
    end = time.monotonic() + 10
    while c.call("GET", "/closed/k").status != 200:
        assert time.monotonic() < end, "not back 10 s after the fault ended"
        time.sleep(0.05)
    assert c.call("GET", "/closed/k").body == b"secret content"
    assert c.call("GET", "/closed/new").status == 404 and c.call("HEAD", "/closed-too").status == 404
    assert not [r for r in s.log_records()[records:] if r.get("w")], "a write stands on the log that was answered 503"
    # fdatasync that fails is never repeated: the gate ends and starts anew, and nothing unacknowledged was believed.
    s.breaks("wal-sync-eio")
    for request in (c.sign("GET", "/closed/k"), c.sign("PUT", "/closed/k", body=b"other")):
        try:
            a = c.send(request)
        except (Closed, OSError):
            continue
        assert a.status == 503 and b"secret" not in a.body, a
    s.breaks()
    end = time.monotonic() + 10
    while True:
        try:
            if c.call("GET", "/closed/k").status == 200:
                break
        except (Closed, OSError):
            pass
        assert time.monotonic() < end, "not back 10 s after fdatasync works again"
        time.sleep(0.1)
    assert c.call("GET", "/closed/k").body in (b"secret content", b"other")
    assert c.call("PUT", "/closed/k", body=b"again").status == 200 and c.call("GET", "/closed/k").body == b"again"


def test_virtual_host_addressing(case):
    """With a domain configured a bucket is named by host or by path, and both are the same bucket; the host never names another tenant's."""
    s = case.store(config="\n[s3]\ndomain = s3.example\n")
    c = Caller(s)
    assert c.call("PUT", "/", host="hosted.s3.example").status == 200
    assert c.call("PUT", "/a/b", body=b"by host", host="hosted.s3.example").status == 200
    assert c.call("GET", "/hosted/a/b").body == b"by host"
    assert b"<Key>a/b</Key>" in c.call("GET", "/?list-type=2", host="hosted.s3.example:9000").body
    assert c.call("GET", "/hosted/a/b", host="s3.example").body == b"by host"
    r = c.sign("GET", "/a/b", host="hosted.s3.example")
    a = c.send(r.set("Host", "other.s3.example"))
    assert (a.status, a.code) == (403, "SignatureDoesNotMatch"), a
    other = json.loads(s.tillit("tenant", "create", s.dir, "--tenant", "globex", "--json"))
    a = Caller(s, other["access_key_id"], other["secret_access_key"]).call("GET", "/a/b", host="hosted.s3.example")
    assert (a.status, a.code) == (404, "NoSuchBucket"), a


@limit(120)
def test_what_is_past_its_time_in_the_grave_is_gone(case):
    """A tenant keeps what it deleted for the time it set: within it undelete works; after it the bytes are gone from disk and undelete is refused."""
    s = case.store(start=False, config="\n[grave]\nkeep_ms = 300000\n")
    s.breaks("steward-grave-ms=300")                 # instead of once a minute
    s.start()
    c = Caller(s)
    c.call("PUT", "/brief")

    def large_files():
        return [os.path.join(top, n) for top, _, names in os.walk(os.path.join(s.dir, "keeper", "blobs")) for n in names
                if os.path.getsize(os.path.join(top, n)) == 5000000 + 16 * 77]
    assert c.call("PUT", "/brief/k", body=os.urandom(5000000)).status == 200
    assert c.call("DELETE", "/brief/k").status == 204
    time.sleep(1)
    s.tillit("undelete", s.dir, "brief", "k")
    assert c.call("HEAD", "/brief/k").status == 200
    assert c.call("DELETE", "/brief/k").status == 204
    assert len(large_files()) == 1
    s.stop()
    start_off_by(s, 400)                             # later; not so late that signatures of now are refused
    end = time.monotonic() + 30
    while large_files():
        assert time.monotonic() < end, "the bytes are still on disk after their time"
        time.sleep(0.2)
    s.tillit("undelete", s.dir, "brief", "k", ok=(1,))
    c = Caller(s)
    assert c.call("GET", "/brief/k").code == "NoSuchKey"
    r = s.expect_record(act="PurgeGrave", within=2)
    assert r["dec"] == "allow" and r["auth"] == "auto" and r["w"] == 1, r


@limit(120)
def test_reads_and_writes_of_many_at_once_are_whole(case):
    """Twelve writers and readers on a few keys: every read is one whole version that was written, and none is older than what its reader knew."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/many")
    keys, wrong, stop = 4, [], time.monotonic() + 8

    def body(key, n):
        return (b"%d:%06d;" % (key, n)) * (20 + 3000 * (n % 7))
    for k in range(keys):
        assert c.call("PUT", f"/many/{k}", body=body(k, 0)).status == 200
    known, writing = [0] * keys, [threading.Lock() for _ in range(keys)]

    def worker(i):
        connection, turn = c.connect(), 0
        while time.monotonic() < stop and not wrong:
            turn += 1
            k = (i + turn) % keys
            if i % 3 == 0:
                with writing[k]:                     # one writer a key at a time, so that its versions have an order
                    a = connection.ask(c.sign("PUT", f"/many/{k}", body=body(k, known[k] + 1)))
                    if a.status != 200:
                        wrong.append(f"PUT {a}")
                    known[k] += 1
                continue
            least = known[k]
            a = connection.ask(c.sign("GET", f"/many/{k}"))
            n = int(a.body.split(b":")[1][:6]) if a.status == 200 else -1
            if n < least:
                wrong.append(f"GET {k}: {a.status}, version {n} after {least} was acknowledged")
            elif a.body != body(k, n):
                wrong.append(f"GET {k}: a torn body of {len(a.body)} bytes")
        connection.close()
    threads = [threading.Thread(target=worker, args=(i,)) for i in range(12)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong, wrong[:5]
    out = case.path("export")
    for log in ("access", "control"):
        s.tillit("log", "export", s.dir, "--out", out, "--log", log)
    logs = s.endpoints["logs"]
    code, text = s.verify("replay", out, "--access-vkey", logs["access"]["vkey"], "--control-vkey", logs["control"]["vkey"],
                          "--access", logs["access"]["url"], "--control", logs["control"]["url"])
    assert code == 0, text
