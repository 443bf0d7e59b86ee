# SPDX-License-Identifier: Apache-2.0
"""Attack 10: under the signature of a GET for A, a front asks for the key of B, of A's twin in another bucket, of A in another tenant."""
import time

from lib.attack import another_tenant, attack, held, records, store
from lib.evilfront import EvilFront, Web
from lib.wire import get_release_rows


def blobs(m):
    return {row["blob"] for row in get_release_rows(m["rows"])}


@attack("10", ("key-of-other-object", "the key of another object"), ("signature-unchecked", "the key of another object"))
def test_a_signature_opens_what_it_names(case):
    s = store(case)
    web, evil = Web(s), EvilFront(s)
    for bucket in ("one", "twin"):
        web.ok("PUT", f"/{bucket}")
    for path, body in [("/one/a", b"aaaa"), ("/one/b", b"bbbb"), ("/twin/a", b"tttt")]:
        web.ok("PUT", path, body=body)
    blob = {path: blobs(evil.ask(web.signed("GET", path))[1]) for path in ("/one/a", "/one/b", "/twin/a")}
    assert all(len(b) == 1 for b in blob.values()) and len(set.union(*blob.values())) == 3
    good = web.signed("GET", "/one/a")
    before = len(records(s))
    for other in ("/one/b", "/twin/a"):
        # Another name beside the signature: only the signed one counts.
        name, m = evil.ask(good, unsigned=[("x-tillit-object", other)])
        held(name != "RELEASE" or blobs(m) == blob["/one/a"], "the key of another object", f"{other} named beside the signature")
        # Another name in the canonical request: the signature is not of it.
        name, m = evil.ask(good, canonical=good.canonical.replace(b"/one/a", other.encode()))
        held(name == "ANSWER" and m["status"] == 403 and m["code"] == b"SignatureDoesNotMatch", "the key of another object", f"{other}: {name} {m.get('code')}")
        # The host is signed; another one would name another bucket where buckets are labels.
        name, m = evil.ask(good, canonical=good.canonical.replace(b"host:", b"host:twin."))
        held(name == "ANSWER" and m["status"] == 403, "the key of another object", f"by host: {name}")
    mine = records(s)[before:]
    assert {r["key"] for r in mine if r.get("act") == "GetObject"} == {"a"}, mine
    assert any(r["kind"] == "sum" and r["why"] == "SignatureDoesNotMatch" for r in mine), mine
    evil.close()


@attack("10", ("tenant-by-bucket", "the key of another tenant"))
def test_a_credential_opens_its_own_tenant(case):
    s = store(case)
    globex = another_tenant(s)
    mine, theirs, evil = Web(s), Web(s, info=globex), EvilFront(s)
    theirs.ok("PUT", "/theirs")
    theirs.ok("PUT", "/theirs/a", body=b"secret of globex")
    before = len(records(s, tenant=globex))
    good = mine.signed("GET", "/theirs/a")
    absent = evil.ask(mine.signed("GET", "/nobodys/a"))
    name, m = evil.ask(good)
    held(name == "ANSWER" and m["status"] in (403, 404), "the key of another tenant", f"{name} {m.get('status')}")
    held((m["status"], m["code"]) == (absent[1]["status"], absent[1]["code"]), "the key of another tenant", "told apart from what nobody has")
    # The other's access key in the credential, our signature below it.
    name, m = evil.ask(good, credential=good.credential.replace(mine.credentials.key, theirs.credentials.key))
    held(name == "ANSWER" and m["status"] == 403, "the key of another tenant", f"{name} {m.get('status')}")
    time.sleep(0.2)
    ours = [r for r in records(s) if r.get("bucket") == "theirs"]
    assert ours and all(r["dec"] == "deny" and r["why"] for r in ours), ours
    others = records(s, tenant=globex)[before:]
    assert not [r for r in others if r.get("act") == "GetObject"], others
    assert any(r["kind"] == "sum" and r["why"] == "SignatureDoesNotMatch" for r in others), others
    evil.close()
