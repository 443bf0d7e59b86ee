# SPDX-License-Identifier: Apache-2.0
"""Attack 3: many reads at once, in parts, over http and TLS: one of them might get by without a record of its own."""
from lib.attack import attack, held, parallel, records, store
from lib.evilfront import Web

ROUNDS = 8


@attack("03", ("release-reuse", "reads without a record of their own"))
def test_every_read_has_a_record_of_its_own(case):
    s = store(case)
    http, tls = Web(s), Web(s, tls=True)
    http.ok("PUT", "/reads")
    body = bytes(range(256)) * 20000
    http.ok("PUT", "/reads/k", body=body)
    before = sum(r.get("act") == "GetObject" for r in records(s))
    ranges = [(0, 0), (5, 4099), (4 * 1024 * 1024 - 3, 4 * 1024 * 1024 + 3), (0, len(body) - 1)]

    def client(web, first, last, plain):
        def run():
            out = []
            for _ in range(ROUNDS):
                r = web.request("GET", "/reads/k", headers={} if plain else {"range": f"bytes={first}-{last}"})
                assert r.status == (200 if plain else 206), (r.status, r.body[:200])
                assert r.body == (body if plain else body[first:last + 1]), "other bytes than were stored"
                out.append(r)
            return out
        return run
    answers = sum(parallel(*[client(w, a, b, i == 3) for w in (http, tls) for i, (a, b) in enumerate(ranges)]), [])
    n = len(answers)
    log = [r for r in records(s) if r.get("act") == "GetObject"]
    held(len(log) - before == n, "reads without a record of their own", f"{n} reads, {len(log) - before} leaves")
    held(len({r.receipt for r in answers}) == n, "reads without a record of their own", "a receipt was given twice")
    found = {r["id"]: r for r in log}
    held({r.id for r in answers} <= set(found) and len({r.id for r in answers}) == n, "reads without a record of their own", "request ids")
    for r in answers:
        leaf = found[r.id]
        assert leaf["dec"] == "allow" and leaf["bytes"] == len(r.body) and r.receipt.endswith(f"/{leaf['index']}"), leaf
    assert sum(found[r.id].get("tls", 0) for r in answers) == n // 2, "TLS is noted in the leaf"
