# SPDX-License-Identifier: Apache-2.0
"""Quotas: each at its bound and one past it, after a restart, and after what was deleted is purged."""
import base64
import hashlib
import json
import threading
import time

from lib.case import limit, rows
from lib.clock import start_off_by
from lib.raw import Caller

CONF = "\n[grave]\nkeep_ms = 300000\n[quota]\n"


def kept(s, tenant=0):
    """(objects, bytes) as `tillit tenant list` says, once the gate has said it anew."""
    time.sleep(1.3)
    t = json.loads(s.tillit("tenant", "list", s.dir, "--json"))[tenant]
    return t["objects"], t["bytes"]


def put(c, path, n=10):
    return c.call("PUT", path, body=b"x" * n)


def upload(c, path):
    return c.call("POST", path + "?uploads").element("UploadId")


@limit(180)
@rows("P5.03")
def test_a_quota_of_objects_counts_all_that_is_kept_until_it_is_purged(case):
    s = case.store(start=False, config=CONF + "objects = 5\n")
    s.breaks("steward-grave-ms=300")
    s.start()
    c = Caller(s)
    assert c.call("PUT", "/box").status == 200
    assert [put(c, f"/box/{i}").status for i in range(3)] == [200] * 3
    up = upload(c, "/box/up")                          # the fourth
    assert put(c, f"/box/up?partNumber=1&uploadId={up}").status == 200
    for method, path, headers in (("PUT", "/box/more", ()), ("PUT", "/box/0", ()), ("PUT", f"/box/up?partNumber=2&uploadId={up}", ()), ("POST", "/box/up2?uploads", ()),
                                  ("PUT", "/box/copy", [["x-amz-copy-source", "/box/1"]]),
                                  ("PUT", f"/box/up?partNumber=3&uploadId={up}", [["x-amz-copy-source", "/box/1"]])):
        a = c.call(method, path, headers=headers, body=b"" if headers or method == "POST" else b"y")
        assert (a.status, a.code) == (403, "QuotaExceeded"), (method, path, a)
        r = s.expect_record(why="QuotaExceeded", id=a.get("x-amz-request-id"))
        assert r["dec"] == "allow" and "w" not in r, r
    assert c.call("GET", "/box/1").body == b"x" * 10
    assert kept(s)[0] == 5
    s.kill_all()
    s.start()
    c = Caller(s)
    assert put(c, "/box/more").code == "QuotaExceeded"   # after a restart as before
    assert c.call("DELETE", f"/box/up?uploadId={up}").status == 204
    assert put(c, "/box/4").status == 200 and put(c, "/box/5").status == 200
    assert put(c, "/box/6").code == "QuotaExceeded"
    assert c.call("DELETE", "/box/0").status == 204 and c.call("DELETE", "/box/1").status == 204
    assert put(c, "/box/6").code == "QuotaExceeded"      # what can be restored is kept
    assert kept(s)[0] == 5
    s.stop()
    start_off_by(s, 400)
    c = Caller(s)
    end = time.monotonic() + 30
    while put(c, "/box/6").status != 200:
        assert time.monotonic() < end, s.tillit("tenant", "list", s.dir)
        time.sleep(0.2)
    assert kept(s)[0] == 4
    text = s.tillit("tenant", "list", s.dir)
    assert "keeps 4 objects in" in text and "quota of objects 5, used 4" in text, text
    assert "keeps 4 objects" in s.tillit("doctor", s.dir, ok=(0, 1))


@limit(120)
@rows("P5.03")
def test_a_quota_of_bytes_is_of_stored_bytes_and_two_that_fit_alone_do_not_fit_together(case):
    s = case.store(config=CONF + "bytes = 100000\n[quota globex]\nbytes = 0\n")
    c = Caller(s)
    assert c.call("PUT", "/box").status == 200
    assert put(c, "/box/a", 50000).status == 200
    assert put(c, "/box/b", 49968).status == 200        # each has a tag of 16 bytes
    assert kept(s) == (2, 100000)
    assert put(c, "/box/c", 0).code == "QuotaExceeded"    # an empty object's tag is one too many
    assert c.call("PUT", "/box/copy", headers=[["x-amz-copy-source", "/box/a"]]).status == 200      # shares what is there
    assert kept(s) == (3, 100000)
    other = json.loads(s.tillit("tenant", "create", s.dir, "--tenant", "globex", "--json"))
    o = Caller(s, other["access_key_id"], other["secret_access_key"])
    assert o.call("PUT", "/box").status == 200 and put(o, "/box/large", 200000).status == 200
    third = json.loads(s.tillit("tenant", "create", s.dir, "--tenant", "third", "--json"))
    t = Caller(s, third["access_key_id"], third["secret_access_key"])
    assert t.call("PUT", "/box").status == 200
    got = []
    threads = [threading.Thread(target=lambda n=n: got.append(put(Caller(s, third["access_key_id"], third["secret_access_key"]), f"/box/{n}", 60000).status)) for n in range(8)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    assert sorted(got) == [200] + [403] * 7, got
    assert put(t, "/box/rest", 100000 - 60016 - 16).status == 200     # those refused gave back what they took


@limit(120)
@rows("P5.03")
def test_requests_a_second_are_bounded_with_two_seconds_at_once(case):
    s = case.store(config=CONF + "requests-per-second = 10\n")
    other = json.loads(s.tillit("tenant", "create", s.dir, "--tenant", "globex", "--json"))
    c, o = Caller(s), Caller(s, other["access_key_id"], other["secret_access_key"])
    assert c.call("PUT", "/box").status == 200
    time.sleep(2.2)
    before = len(s.log_records())
    time.sleep(2.2)
    begin = time.monotonic()
    got = [c.call("HEAD", "/box").status for _ in range(60)]
    took = time.monotonic() - begin
    assert got[:20] == [200] * 20, got
    assert 503 in got and got.count(200) <= 20 + 10 * took + 1, (got.count(200), took)
    assert o.call("GET", "/").status == 200             # another tenant has its own
    time.sleep(1.2)
    a = c.call("HEAD", "/box")
    assert a.status == 200
    time.sleep(2.2)
    assert len([r for r in s.log_records()[before:] if r["act"] == "HeadBucket"]) == got.count(200) + 1      # 503 stands before the leaf


@limit(180)
@rows("P5.03")
def test_records_a_day_are_bounded_and_what_reads_them_or_deletes_goes_on(case):
    s = case.store(config=CONF + "records-per-day = 8\n")
    c = Caller(s)
    assert c.call("PUT", "/box").status == 200            # stands on the control log
    assert put(c, "/box/k").status == 200 and put(c, "/box/l").status == 200
    assert [c.call("GET", "/box/k").status for _ in range(5)] == [200] * 5
    s.kill_all()
    s.start()
    c = Caller(s)
    assert c.call("GET", "/box/k").status == 200          # the eighth, also when the first seven were before a restart
    for method, path in (("GET", "/box/k"), ("PUT", "/box/m"), ("GET", "/box"), ("PUT", "/other"), ("HEAD", "/box")):
        a = c.call(method, path, body=b"x" if path == "/box/m" else b"")
        assert a.status == 503 and not a.get("x-tillit-receipt"), (method, path, a)
    records = s.log_records()                           # reading the log is never refused for its length
    assert len([r for r in records if r["kind"] == "acc" and r["act"] in ("GetObject", "PutObject")]) == 8, records
    assert c.call("DELETE", "/box/l").status == 204
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    assert c.call("POST", "/box?delete", headers=[["content-md5", base64.b64encode(hashlib.md5(body).digest()).decode()]], body=body).status == 200
    assert c.call("DELETE", "/box").status == 204
