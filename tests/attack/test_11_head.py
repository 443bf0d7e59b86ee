# SPDX-License-Identifier: Apache-2.0
"""Attack 11: under the signature of a HEAD, or of a range, a front hopes for keys that the request does not need."""
from lib.attack import attack, held, records, store
from lib.evilfront import EvilFront, Web
from lib.wire import get_release_rows

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
