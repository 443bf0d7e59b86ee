# SPDX-License-Identifier: Apache-2.0
"""Attack 15: one signed PUT is sent again and again, and once more after its time."""
import datetime

from lib.attack import attack, by_id, held, records, store
from lib.evilfront import Web

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
