# SPDX-License-Identifier: Apache-2.0
"""Attack 37, grants: what one tenant's side signed is nothing in another. A session asks for another tenant's bucket; statements name another tenant's grant, approver
or request. Each is answered byte for byte as what nobody has, and the other tenant's log says nothing of it."""
import base64
import json
import os
import re

from lib.access import Access
from lib.attack import another_tenant, attack, held, store
from lib.case import rows
from lib.evilfront import Staff, Web
from lib.people import Key, People, new_id, text

WORDS = "another tenant's was told apart from nobody's"


def two_tenants(case):
    """Acme (w) with a grant that is live, and globex with an approver and a bucket of its own."""
    w = Access(case, at=store(case))
    other = another_tenant(w.store)
    theirs = People(w.store, tenant=other["tenant"], owner=Key(w.people.take("owner-globex", os.path.join(w.store.dir, "demo", "owner-globex"))))
    Web(w.store, info=other).ok("PUT", "/globex-docs")
    Web(w.store, info=other).ok("PUT", "/globex-docs/reports/q1", body=b"content of globex")
    bo = theirs.approver("bo")
    r = w.people.granted(w.ines, "docs", prefix="reports/")
    w.settled()
    return w, other, theirs, bo, r


def control(w, other=None):
    extra = ["--credentials", other["credentials"]] if other else []
    out = w.store.tillit("log", "query", w.store.dir, "--log", "control", "--json", *extra)
    return [x for x in map(json.loads, out.splitlines()) if x.get("act") != "ReadOpenings"]


def told(a, *names):
    body = re.sub(rb"<(RequestId|HostId)>[^<]*</\1>", b"", a.body)
    for n in names:
        body = body.replace(n.encode(), b"NAME")
    return a.status, body, sorted((k, v) for k, v in a.headers.items() if k not in ("x-amz-request-id", "x-amz-id-2", "date", "x-tillit-receipt"))


@rows("P5.01")
@attack("37", ("tenant-by-bucket", WORDS))
def test_a_session_is_of_its_own_tenant(case):
    w, other, theirs, bo, r = two_tenants(case)
    staff, before = Staff(w.store, w.people.login(r)), len(control(w, other))
    for method in ("GET", "HEAD"):
        for path, query in (("/{}/reports/q1", ""), ("/{}", "list-type=2&prefix=reports%2F"), ("/{}", ""), ("/{}", "location="), ("/{}/reports/q1", "versionId=null")):
            if method == "HEAD" and query:
                continue
            got = [told(staff.request(method, path.format(b), query), b) for b in ("globex-docs", "nobody-docs")]
            held(got[0] == got[1] and got[0][0] >= 400, WORDS, f"{method} {path}?{query}: {got}")
    held(len(control(w, other)) == before, WORDS, "a request of another's session stands on its log")
    mine = [x for x in control(w) if x.get("auth") == "sts"]
    held(len(mine) == 14 and all(x["dec"] == "deny" for x in mine), WORDS, f"{len(mine)} leaves: {mine}")
    token = base64.urlsafe_b64decode(staff.token + "==")
    raw = base64.b32decode(theirs.tenant.upper() + "======")
    staff.token = base64.urlsafe_b64encode(raw + token[16:]).rstrip(b"=").decode()      # the seal is over the tenant, too
    a = staff.request("GET", "/globex-docs/reports/q1")
    held(a.status == 400 and b"content" not in a.body, WORDS, f"a token that names another tenant: {a.status}")


@rows("P5.01")
@attack("37", ("tenant-by-grant", WORDS))
def test_a_grant_is_of_its_own_tenant(case):
    w, other, theirs, bo, r = two_tenants(case)
    p, nobody = w.people, new_id()

    def both(key, kind, terms):
        """What is answered about acme's grant and about one that nobody has, in a statement for globex."""
        out = []
        for grant in (r.grant, nobody):
            s = text(kind, grant, theirs.tenant, terms)
            said = theirs.send(s, key.sign(s), any=True)
            answer = {k: v for k, v in said.answer.items() if k != "receipt"}
            out.append((said.status, json.dumps(answer, sort_keys=True).replace(grant, "GRANT")))
        held(out[0] == out[1] and out[0][0] >= 400, WORDS, f"{kind} {terms}: {out}")
    mine, size = p.look(w.anna, r).answer, len(control(w))
    request = {"request": r.digest}
    for key in (bo.key, w.ines.key, w.mats.key, p.officer):
        for kind, terms in (("access.look", {}), ("access.approve", request), ("access.reject", request), ("access.ask", {**request, "text": "why"}), ("access.revoke", {}),
                            ("access.reply", {**request, "text": "so"}), ("access.complete", {}), ("access.login", {"country": "SE"})):
            both(key, kind, terms)
    said = [theirs.request(w.ines, "globex-docs", extends=g, any=True).said.why for g in (r.grant, nobody)]
    held(said == ["no-grant"] * 2, WORDS, f"to extend another tenant's: {said}")
    # The other way: somebody of globex signs for acme, and is nobody there.
    for kind, terms in (("access.look", {}), ("access.approve", request), ("access.revoke", {})):
        s = text(kind, r.grant, p.tenant, terms)
        answers = [p.send(s2, k.sign(s2), any=True) for k, s2 in ((bo.key, s), (p.key("stranger"), text(kind, r.grant, p.tenant, terms)))]
        held([x.why for x in answers] == ["unknown-signer"] * 2, WORDS, f"{kind} by another tenant's approver: {answers}")
    # And a statement of acme's own approver, sent for globex: the tenant stands in what was signed.
    s = text("access.revoke", r.grant, theirs.tenant, {})
    assert theirs.send(s, w.anna.key.sign(s), any=True).why == "unknown-signer"
    assert len(control(w)) == size and p.look(w.anna, r).answer["state"] == mine["state"] == "approved"
