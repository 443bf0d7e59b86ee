# SPDX-License-Identifier: Apache-2.0
"""Attack 15: one signed PUT is sent again and again, and once more after its time."""
import datetime

from lib.access import Access
from lib.attack import attack, by_id, held, records, store
from lib.evilfront import EvilFront, Staff, Web
from lib.wire import ASK_AGAIN, ROLE_ACCESS

TIMES = 10


@attack("15", ("repeat-uncounted", "a repeat was not counted"))
def test_repeats_are_counted_and_old_ones_refused(case):
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/again")
    signed = web.signed("PUT", "/again/k", body=b"once")
    ids = []
    for _ in range(TIMES):
        r = web.request("PUT", "/again/k", body=b"once", signed=signed)
        assert r.status == 200, (r.status, r.body)
        ids.append(r.id)
    log = {r["id"]: r for r in records(s)}
    assert len(set(ids)) == TIMES and all(log[i].get("w") == 1 for i in ids), "each has a leaf of its own"
    held([log[i].get("rep") for i in ids] == [None] + list(range(2, TIMES + 1)), "a repeat was not counted", [log[i].get("rep") for i in ids])
    other = web.ok("PUT", "/again/k", body=b"once", headers={"x-amz-meta-a": "b"})
    assert "rep" not in by_id(s, other.id), "another request is not a repeat"

    now = datetime.datetime.now(datetime.timezone.utc)
    for minutes in (16, -16):
        r = web.request("PUT", "/again/k", body=b"late", at=now - datetime.timedelta(minutes=minutes))
        held(r.status == 403 and r.code == "RequestTimeTooSkewed", "an old request was taken", f"{minutes} min: {r.status} {r.code}")
        leaf = by_id(s, r.id)
        assert leaf["why"] == "RequestTimeTooSkewed" and not leaf.get("w"), leaf
    r = web.request("PUT", "/again/k", body=b"late", at=now - datetime.timedelta(minutes=14))
    assert r.status == 200, "14 minutes are within the quarter of an hour"


@attack("15", ("staff-repeat-accepted", "a request under a grant was taken twice"))
def test_under_a_grant_a_request_is_taken_once(case):
    """Whoever saw a request of the provider's people, a front, a log of a proxy, cannot send it again: not to read, not to look, not as one that the gate is asked again."""
    w = Access(case, at=store(case))
    s, p = w.store, w.people
    r = p.granted(w.ines, "docs", prefix="reports/")
    w.settled()
    staff = Staff(s, p.login(r))
    for method, status in (("GET", 200), ("HEAD", 200)):
        signed = staff.signed(method, "/docs/reports/q1")
        assert staff.request(method, "/docs/reports/q1", signed=signed).status == status
        for _ in range(2):
            a = staff.request(method, "/docs/reports/q1", signed=signed)
            held(a.status == 403, "a request under a grant was taken twice", f"{method}: {a.status}")
    evil = EvilFront(s, ROLE_ACCESS)
    name, m = evil.ask(signed, flags=ASK_AGAIN)
    held(name == "ANSWER" and m["status"] == 403, "a request under a grant was taken twice", f"asked again by a front: {name}")
    log = [x for x in w.leaves() if x.get("auth") == "sts"]
    assert [(x["act"], x.get("why"), x.get("rep")) for x in log] == [
        ("GetObject", None, None), ("GetObject", "repeated", 2), ("GetObject", "repeated", 3),
        ("HeadObject", None, None), ("HeadObject", "repeated", 2), ("HeadObject", "repeated", 3), ("HeadObject", "repeated", 4)], log
    assert p.look(w.anna, r).answer["used"] == {"objects": 1, "bytes": 13}
    evil.close()
