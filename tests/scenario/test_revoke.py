# SPDX-License-Identifier: Apache-2.0
"""`make revoke` in short: each kind of client once, and a front that ignores the revocation. tests/lib/revoking.py says how."""
from lib.case import limit, rows
from lib.revoking import BLOB, MIB, PARTS, Revoking, client_run, hostile_run


@limit(150)
@rows("P2.09")
def test_a_revocation_stops_streams_within_a_second(case):
    """Whoever reads, however fast, over http or https, has the last byte within 1 s of the revocation's answer; connections are reset; a front that ignores
    it opens at most 8 MiB more, all streams together, and that it did not stop stands on the log."""
    x = Revoking(case.store(), 64 * MIB)
    for kind, tls, key in (("slow", False, BLOB), ("slow", True, PARTS), ("ten", False, PARTS), ("ten slow", True, BLOB), ("fast", True, BLOB),
                           ("curl", False, BLOB), ("aws", True, PARTS)):
        r = client_run(x, kind, tls, key)
        assert r.ms <= 1000, (kind, tls, r.ms)
        assert r.reset and r.closed is True, (kind, tls, r.ends, r.closed)
    for how, key in (("lies", PARTS), ("holds", BLOB)):
        h = hostile_run(x, how, key)
        assert h.past <= 8 * MIB and h.behind == 0 and h.killed, vars(h)
        assert h.closed is False and [r[1:3] for r in h.refused] == [("ANSWER", 403)] * 5, vars(h)
    acts = [r["act"] for r in x.store.log_records("control") if r.get("kind") == "grant"]
    assert acts.count("FailToClose") == 2, acts
