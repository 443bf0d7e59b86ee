# SPDX-License-Identifier: Apache-2.0
"""Attack 14: x-amz-* headers added to a request after it was signed, by whoever carries it."""
from lib.attack import attack, held, records, store
from lib.evilfront import EvilFront, Web, id_text

ADDED = [("x-amz-copy-source", "/mine/secret"), ("x-amz-bypass-governance-retention", "true"), ("x-amz-acl", "public-read"),
         ("x-amz-tagging", "a=b"), ("x-amz-meta-note", "forged"), ("x-amz-anything-new", "1")]


@attack("14", ("unsigned-amz-accepted", "an unsigned header was listened to"))
def test_unsigned_amz_headers_are_refused(case):
    s = store(case)
    web, evil = Web(s), EvilFront(s)
    web.ok("PUT", "/mine")
    web.ok("PUT", "/mine/secret", body=b"secret")
    web.ok("PUT", "/mine/k", body=b"before")
    refused = []
    for name, value in ADDED:
        # The front refuses by itself and asks nobody; a front that does not gets no further.
        r = web.request("PUT", "/mine/k", body=b"after", after={name: value})
        held(r.status == 403 and r.code == "AccessDenied", "an unsigned header was listened to", f"{name}: {r.status} {r.code}")
        kind, m = evil.ask(web.signed("PUT", "/mine/k", body=b"after"), unsigned=[(name, value)], body_size=5)
        held(kind == "ANSWER" and m["status"] == 403 and m["code"] == b"AccessDenied", "an unsigned header was listened to",
             f"{name}, from a front: {kind} {m.get('status')} {m.get('code')}")
        refused.append((name, id_text(m["request"])))
    assert web.request("GET", "/mine/k").body == b"before"
    log = {r["id"]: r for r in records(s)}
    for name, id in refused:
        leaf = log.get(id)
        assert leaf and leaf["act"] == "PutObject" and not leaf.get("w") and leaf.get("why") == "AccessDenied", (name, leaf)
    assert [r["key"] for r in log.values() if r.get("w")] == ["secret", "k"], "no other write stands on the log"
    evil.close()
