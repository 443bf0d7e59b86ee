# SPDX-License-Identifier: Apache-2.0
"""Attack 11: under the signature of a HEAD, or of a range, a front hopes for keys that the request does not need."""
from lib.access import Access
from lib.attack import attack, held, records, store
from lib.evilfront import EvilFront, Staff, Web
from lib.wire import ROLE_ACCESS, get_release_rows

SEGMENT = 4 << 20


@attack("11", ("head-gives-key", "a HEAD opened the object"))
def test_keys_are_given_for_what_is_read_and_no_more(case):
    s = store(case)
    web, evil = Web(s), EvilFront(s)
    web.ok("PUT", "/heads")
    web.ok("PUT", "/heads/k", body=b"x" * (3 * SEGMENT + 5))
    name, m = evil.ask(web.signed("HEAD", "/heads/k"))
    held(name == "RELEASE" and m["head"] == 1 and not m["rows"], "a HEAD opened the object", name)
    name, m = evil.ask(web.signed("HEAD", "/heads/k", headers={"range": "bytes=0-0"}))
    held(name == "RELEASE" and not m["rows"], "a HEAD opened the object", "with a range")
    # The canonical request says HEAD: another method is another request.
    good = web.signed("HEAD", "/heads/k")
    name, m = evil.ask(good, canonical=b"GET" + good.canonical[4:])
    held(name == "ANSWER" and m["status"] == 403, "a HEAD opened the object", f"as GET: {name}")
    for range_, first, count in [("bytes=0-0", 0, 1), (f"bytes={SEGMENT - 1}-{SEGMENT}", 0, 2), (f"bytes={3 * SEGMENT}-", 3, 1)]:
        name, m = evil.ask(web.signed("GET", "/heads/k", headers={"range": range_}))
        rows = get_release_rows(m["rows"])
        held(len(rows) == 1 and rows[0]["first_segment"] == first and len(rows[0]["keys"]) == count, "a range opened more than its segments", range_)
    log = [r for r in records(s) if r.get("act") in ("HeadObject", "GetObject")]
    assert [(r["act"], r["bytes"], r.get("range")) for r in log] == [
        ("HeadObject", 0, None), ("HeadObject", 0, [0, 0]), ("GetObject", 1, [0, 0]), ("GetObject", 2, [SEGMENT - 1, SEGMENT]),
        ("GetObject", 5, [3 * SEGMENT, 3 * SEGMENT + 4])], log
    evil.close()


@attack("11", ("head-gives-key", "a HEAD opened the object"), ("staff-range-ignored", "a range opened more than its segments"))
def test_under_a_grant_keys_are_given_for_what_is_read_and_no_more(case):
    """The same by the provider's people: what a key opens is what their budget is charged for, so a HEAD has none and a byte has one segment's, whoever says NEXT."""
    w = Access(case, objects={"reports/big": b"x" * (5 * SEGMENT + 7)}, at=store(case))
    s, p = w.store, w.people
    r = p.granted(w.ines, "docs", prefix="reports/", bytes=60 << 20)
    w.settled()
    staff, evil = Staff(s, p.login(r)), EvilFront(s, ROLE_ACCESS)
    name, m = evil.ask(staff.signed("HEAD", "/docs/reports/big"))
    held(name == "RELEASE" and m["head"] == 1 and not m["rows"], "a HEAD opened the object", name)
    name, m = evil.ask(staff.signed("HEAD", "/docs/reports/big", headers={"range": f"bytes={5 * SEGMENT}-"}))
    held(name == "RELEASE" and not m["rows"], "a HEAD opened the object", "with a range")
    head = staff.signed("HEAD", "/docs/reports/big", headers={"x-note": "1"})
    name, m = evil.ask(head, canonical=b"GET" + head.canonical[4:])
    held(name == "ANSWER" and m["status"] == 403, "a HEAD opened the object", f"as GET: {name}")
    byte = staff.signed("GET", "/docs/reports/big", headers={"range": "bytes=0-0"})
    name, m = evil.ask(byte)
    rows = get_release_rows(m["rows"])
    held(name == "RELEASE" and [(x["first_segment"], len(x["keys"])) for x in rows] == [(0, 1)] and not m["more"], "a range opened more than its segments", f"{name} more={m.get('more')}")
    evil.gate.send("NEXT", evil.last, sent=1)          # it had all; and no answer comes
    name, m = evil.ask(byte, canonical=byte.canonical.replace(b"bytes=0-0", b"bytes=%d-%d" % (5 * SEGMENT, 5 * SEGMENT)))
    held(name == "ANSWER" and m["status"] == 403, "a range opened more than its segments", f"another range under the signature: {name}")
    last = staff.signed("GET", "/docs/reports/big", headers={"range": f"bytes={5 * SEGMENT}-{5 * SEGMENT}"})
    rows = get_release_rows(evil.ask(last)[1]["rows"])
    held([(x["first_segment"], len(x["keys"])) for x in rows] == [(5, 1)], "a range opened more than its segments", "the last one")
    log = [x for x in w.leaves() if x.get("auth") == "sts"]
    assert [(x["act"], x["bytes"], x.get("segs")) for x in log] == [("HeadObject", 0, None), ("HeadObject", 0, None), ("GetObject", SEGMENT, [0, 0]), ("GetObject", 7, [5, 5])], log
    evil.close()
