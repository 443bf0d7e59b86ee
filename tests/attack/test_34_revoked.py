# SPDX-License-Identifier: Apache-2.0
"""Attack 34: a person goes on reading when the customer has revoked: a slow client with full buffers, and a front that ignores the revocation."""
from lib.attack import attack, held, store
from lib.case import limit
from lib.revoking import MIB, Revoking, client_run, hostile_run


@limit(120)
@attack("34", ("grant-kill-skipped", "a byte came more than a second after the revocation"), ("grant-unmetered", "more than 8 MiB past the revocation"))
def test_a_revoked_grant_gives_nothing_more(case):
    x = Revoking(store(case), 64 * MIB)
    run = client_run(x, "slow", False, seed=1)
    held(run.ms <= 1000, "a byte came more than a second after the revocation", f"{run.ms:.0f} ms")
    held(run.reset, "an answer was drained", run.ends)
    for how in ("holds", "lies"):
        h = hostile_run(x, how)
        held(h.past <= 8 * MIB, "more than 8 MiB past the revocation", f"{how}: {h.past}")
        held(h.behind == 0, "a key was released behind the revocation's leaf", h.behind)
        held([r[1:3] for r in h.refused] == [("ANSWER", 403)] * 5, "a revoked session was let in on another connection", h.refused)
        held(h.killed and h.closed is False, "a front that ignores KILL was said to have stopped")
