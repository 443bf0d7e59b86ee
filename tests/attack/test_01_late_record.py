# SPDX-License-Identifier: Apache-2.0
"""Attack 1: the log's disk is slow, and somebody hopes to be answered before the record is on it."""
import time

from lib.attack import attack, by_id, held, parallel, store
from lib.case import limit
from lib.evilfront import Web

DELAY_S = 2.0


@limit(60)
@attack("01", ("release-before-durable", "answered before its record was durable"))
def test_no_status_line_before_the_record_is_on_disk(case):
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/slow")
    web.ok("PUT", "/slow/k", body=b"hello")
    s.breaks(f"wal-sync-delay-ms={int(DELAY_S * 1000)}")
    asked = [("GET", "/slow/k", "", 200), ("HEAD", "/slow/k", "", 200), ("GET", "/slow/absent", "", 404), ("GET", "/slow", "list-type=2", 200),
             ("PUT", "/slow/new", "", 200)]

    def one(method, path, query, status):
        def run():
            begin = time.monotonic()
            sock = web.send(web.signed(method, path, query))
            return method, status, web.receive(sock, method, begin)
        return run
    answers = parallel(*[one(*a) for a in asked])
    s.breaks()
    for method, status, r in answers:
        held(r.first_byte_s >= DELAY_S * 0.9, "answered before its record was durable", f"{method} {r.status} after {r.first_byte_s:.2f} s")
        assert r.status == status, (method, status, r.status, r.body)
    for (method, path, query, status), (_, _, r) in zip(asked, answers):
        leaf = by_id(s, r.id)
        assert leaf["dec"] == "allow" and r.receipt.endswith(f"/{leaf['index']}"), (leaf, r.headers)
        assert leaf.get("why") == ("NoSuchKey" if status == 404 else None), leaf
