# SPDX-License-Identifier: Apache-2.0
"""Attack 35: a hundred ranges at once under a grant of 10 MiB: by a front that says of each key at once that it was used, and by a client."""
import json
import threading

from lib.attack import attack, held, parallel, store
from lib.case import limit
from lib.evilfront import EvilAccess, opened
from lib.revoking import BLOB, BUCKET, MIB, Revoking, Took, read_once

BUDGET, ODD, WORDS = 10 * MIB, "reports/odd", "released keys open more than the budget"


def ranges(x):
    """Everywhere in the large object; each fifth in one that opens less."""
    return [(ODD, (i, i + 999)) if i % 5 == 4 else (BLOB, (i * x.size // 100, i * x.size // 100 + 999)) for i in range(100)]


def hostile(x, session):
    """Bytes that the keys open which a front gets that lies."""
    evil = EvilAccess(x.store, True)
    for key, range_ in ranges(x):
        evil.ask_begin(x.signed(session, key, range_))
    evil.pump(20, lambda: len(evil.keys) + len(evil.refused) == 100)
    for k in evil.keys:
        plain = opened(x.store, k)
        assert len(plain) == k.bytes and plain == x.data[k.off:k.off + k.bytes]
    held(all(r[1:3] == ("ANSWER", 403) for r in evil.refused), "what the budget did not allow was answered otherwise", evil.refused)
    evil.close()
    assert len(evil.keys) + len(evil.refused) == 100, (len(evil.keys), len(evil.refused))
    return sum(k.bytes for k in evil.keys), len(evil.keys)


def polite(x, session):
    """How many of a client's ranges were answered."""
    ends = parallel(*[lambda key=key, r=r: read_once(x, session, False, key, r, None, Took(), threading.Event()) for key, r in ranges(x)])
    held(set(ends) <= {"whole", "403"}, "what the budget did not allow was answered otherwise", ends)
    return ends.count("whole")


def audited(s):
    """What the auditor says the keys opened."""
    out, logs = s.case.path("audited"), s.endpoints["logs"]
    for log in ("access", "control"):
        s.tillit("log", "export", s.dir, "--log", log, "--out", out)
    code, text = s.verify("replay", out, "--access-vkey", logs["access"]["vkey"], "--control-vkey", logs["control"]["vkey"], "--access", logs["access"]["url"],
                          "--control", logs["control"]["url"], "--json")
    held(code == 0, "the auditor finds a difference", text)
    return json.loads(text)["bytes under grants"]


@limit(120)
@attack("35", ("grant-budget-uncounted", WORDS))
def test_a_budget_holds_against_a_hundred_at_once(case):
    x = Revoking(store(case), 64 * MIB)
    x.store.boto3().put_object(Bucket=BUCKET, Key=ODD, Body=x.data[:5 * MIB // 4])
    sums = []
    for attack_ in (hostile, polite):
        r, session = x.grant(bytes=BUDGET)
        got = attack_(x, session)
        leaves = [e for e in x.store.log_records("control") if e["kind"] == "acc" and e.get("grant") == r.grant]
        allowed = [e for e in leaves if e["dec"] == "allow"]
        sums.append(sum(e["bytes"] for e in allowed))
        held(sums[-1] <= BUDGET, WORDS, f"{sums[-1]} bytes by the log")
        assert sums[-1] > BUDGET - 5 * MIB // 4, "the budget was not used up"
        if attack_ is hostile:
            held(got[0] <= BUDGET, WORDS, got[0])
            assert got == (sums[-1], len(allowed)), (got, sums[-1], len(allowed))
        else:
            assert got == len(allowed), (got, len(allowed))
        held(len(leaves) == 100 and {e["why"] for e in leaves if e["dec"] == "deny"} == {"budget"}, "a refusal is not on the record", len(leaves))
    told = audited(x.store)
    held(told == sum(sums), "the auditor's sum is another", (told, sums))
