# SPDX-License-Identifier: Apache-2.0
"""Attack 5: a front taken over asks for a LIST and a HEAD that nobody signed, and asks the keeper for the same."""
import os
import time

from lib.attack import attack, held, leaves, records, store
from lib.evilfront import EvilFront, Web, canonical_unsigned, gone
from lib.wire import AUTH_NONE


@attack("05", ("anon-lists", "an unsigned request was answered"))
def test_nothing_is_told_without_a_signature(case):
    s = store(case)
    web, evil = Web(s), EvilFront(s)
    web.ok("PUT", "/quiet")
    web.ok("PUT", "/quiet/k", body=b"hello", headers={"x-amz-meta-m": "metavalue"})
    before = len(records(s))
    for method, path, query in [("GET", "/quiet", "list-type=2"), ("HEAD", "/quiet/k", ""), ("GET", "/quiet/k", ""), ("HEAD", "/quiet", ""),
                                ("GET", "/quiet/absent", ""), ("GET", "/", "")]:
        name, m = evil.ask(canonical=canonical_unsigned(method, path, query))
        held(name == "ANSWER" and m["status"] == 403, "an unsigned request was answered", f"{method} {path}: {name} {m.get('status')}")
        held(b"hello" not in bytes(m["headers"] + m["body"] + m["message"] + m["elements"]) and b"metavalue" not in m["headers"] + m["body"],
             "an unsigned request was answered", m)
        assert not m["receipt"], "an unproven caller makes no leaf of his own"

    # A credential without its signature, and another request under a good one.
    good = web.signed("HEAD", "/quiet/k")
    other = web.signed("GET", "/quiet", "list-type=2")
    for label, fields in [("no signature", {"signature": b""}), ("signature of another request", {"signature": other.signature}),
                          ("declared anonymous", {"auth": AUTH_NONE}), ("zero signature", {"signature": b"0" * 64})]:
        name, m = evil.ask(good, **fields)
        held(name in ("ANSWER", None) and m.get("status", 403) in (400, 403), "an unsigned request was answered", f"{label}: {name} {m}")
        if name is None:
            evil.close()
            evil = EvilFront(s)

    # What the log says: nothing of it on the access log but summaries, and the unproven ones on the provider's.
    time.sleep(0.7)
    mine = records(s)[before:]
    assert not [r for r in mine if r["kind"] == "acc" and r.get("act") not in ("Openings", "LogQuery", None) and r.get("dec") == "allow"
                and r.get("bucket") == "quiet"], mine
    assert any(r["kind"] == "sum" and r["why"] == "SignatureDoesNotMatch" for r in mine), mine
    assert any(r["kind"] == "sum" and r["why"] == "AccessDenied" and r["n"] >= 1 for r in leaves(s, "provider")), "no summary on the provider log"
    evil.close()


@attack("05", ("anon-lists", "a front reads the index"))
def test_the_keeper_tells_a_front_nothing(case):
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/quiet")
    web.ok("PUT", "/quiet/k", body=b"hello")
    for name, fields in [("FIND", {"bucket": os.urandom(16), "key": b"k"}), ("SCAN", {"bucket": os.urandom(16), "log": os.urandom(16), "rows_max": 10, "budget": 10})]:
        evil = EvilFront(s)
        evil.keeper.send(name, 1, **fields)
        held(gone(evil.keeper), "a front reads the index", name)
        evil.close()
    # The rows of a page are the gate's to give: with the signature left out it gives none.
    evil = EvilFront(s)
    name, m = evil.ask(canonical=canonical_unsigned("GET", "/quiet", "list-type=2"))
    held(name != "LISTING", "a front reads the index", "through the gate, unsigned")
    assert web.request("GET", "/quiet/k").body == b"hello", "the store serves on"
    evil.close()
