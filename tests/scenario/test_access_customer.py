# SPDX-License-Identifier: Apache-2.0
"""The customer's side is the customer's: rules that count at each release, approvers by quorum, recovery keys; nothing of it by the provider's people (LAW-6)."""
import json
import os
import re

from lib import people
from lib.access import PURPOSE, Access
from lib.case import ROOT, limit, rows
from lib.people import HOUR
from lib.raw import Caller

DAY = 86400
ROLES = ["support", "engineer", "security", "legal", "facility", "manager", "officer"]


def kinds():
    """{kind: wants a quorum} of all that is said of the customer's side, from the table."""
    with open(os.path.join(ROOT, "src", "lib", "record", "statement.def")) as f:
        side = f.read().split("/* the customer's:")[1].split("/* access by the provider's persons")[0]
    found = {k: "/* Q */" in line for line in side.splitlines() for k in re.findall(r'^STATEMENT\(\w+, +"([^"]+)"', line)}
    assert len(found) >= 15 and sum(found.values()) >= 9, found
    return found


def sides(key):
    """What somebody would say who wanted the customer's side for themselves: (subject, terms) per kind."""
    return {"approver.set": ("alva", dict(key=key, name="Alva Berg")), "approver.off": ("anna", {}), "quorum.set": (None, dict(need=1)),
            "rule.set": ("docs", dict(need=1)), "rule.off": ("docs", {}), "category.set": ("docs", dict(category="general")),
            "purpose.limit": (PURPOSE, {}), "origin.set": (None, dict(origin="https://sign.example", rpid="sign.example")), "recovery.set": (None, dict(key=key, need=1)),
            "recovery.start": ("alva", dict(key=key, name="Alva Berg")), "recovery.cancel": (None, {}), "recovery.finish": (None, {}),
            "agree": (None, dict(request="A" * 43)), "notice.set": ("ops", dict(mail="alva@example.org")), "notice.off": ("ops", {})}


@limit(150)
@rows("P2.16")
def test_nobody_at_the_provider_changes_the_customers_side(case):
    """Every statement about the customer's side, by an officer and by a person with every role, alone and while proposals and a recovery wait: refused, on the log, nothing changed."""
    w = Access(case)
    p, anna = w.people, w.anna
    alva = p.person("alva", roles=ROLES)
    cases = sides(alva.key.fingerprint)
    assert set(cases) == set(kinds()), f"a kind without a case: {set(cases) ^ set(kinds())}"
    bo, safe = p.approver("bo"), [p.key(f"safe{i}") for i in range(3)]
    p.say(anna, "recovery.set", key=[k.fingerprint for k in safe], need=2)
    p.say(anna, "rule.set", "docs", need=2)
    p.say(anna, "quorum.set", need=2)
    waits = [p.say(anna, "approver.set", "carl", key=p.key("approver-carl").fingerprint, name="Carl Lund"),
             p.say(safe[0], "recovery.start", "dora", key=p.key("approver-dora").fingerprint, name="Dora Ny")]
    cases["agree"] = (None, dict(request=waits[0].digest))
    for who in (alva, p.officer):
        fingerprint = getattr(who, "key", who).fingerprint
        for kind, (subject, terms) in cases.items():
            want = "not-recovery" if kind in ("recovery.start", "recovery.finish") else "not-approver"
            with w.adds(control=[f"{kind} deny {want}"]) as added:
                p.say(who, kind, subject, why=want, **terms)
            assert added["control"][-1]["who"] == fingerprint
        with w.adds(control=["agree deny not-approver"]):
            p.agree(waits[1], who, any=True)
    plain = p.key("alva-plain")                           # nor with a key that the provider's log does not have
    with w.adds():
        for kind, (subject, terms) in cases.items():
            p.say(plain, kind, subject, why="unknown-signer", **terms)
    # What waited, waits; who approved, approves; and the provider's log cannot be told of an approver either.
    with w.adds(control=["agree allow"]):
        p.agree(waits[0], bo)
    said = p.say(p.officer, "approver.set", "alva", None, key=alva.key.fingerprint, name="Alva Berg", any=True)
    assert said.status == 400, said
    carl = p.key("approver-carl")
    r = p.request(w.ines, "docs", prefix="reports/")
    p.approve(r, w.mats)
    for who, state in ((anna, "customer-pending"), (carl, "approved")):
        assert p.approve(r, who).answer["state"] == state


@rows("P2.16")
def test_changes_want_a_quorum_of_approvers(case):
    """With a quorum of two each change waits for a second approver: never the proposer again, never for a proposal that is gone; it lapses after seven days."""
    w = Access(case)
    p, anna = w.people, w.anna
    bo = p.approver("bo")
    p.say(anna, "quorum.set", need=2)
    wanted = {k: v for k, v in sides(p.key("approver-new").fingerprint).items() if kinds()[k]}
    wanted["approver.set"] = ("new", dict(key=p.key("approver-new").fingerprint, name="Nora Ny"))
    wanted["approver.off"] = ("new", {})
    wanted["recovery.set"] = (None, dict(key=[p.key(f"safe{i}").fingerprint for i in range(3)], need=2))
    order = ["approver.set", "approver.off", "rule.set", "rule.off", "category.set", "purpose.limit", "origin.set", "recovery.set", "quorum.set"]
    assert sorted(order) == sorted(wanted), "a kind that wants a quorum, and no case"
    for kind in order:
        subject, terms = wanted[kind]
        with w.adds(control=[f"{kind} allow", "agree deny same-person", "agree deny no-proposal", "agree allow"]):
            proposal = p.say(anna, kind, subject, **terms)
            assert proposal.status == 202, (kind, proposal)
            p.agree(proposal, anna, why="same-person")
            p.agree(people.digest("nothing"), bo, why="no-proposal")
            assert p.agree(proposal, bo).status == 200
    # The quorum is one again. Who agrees must still be there, and a proposal does not wait for ever.
    p.say(anna, "quorum.set", need=2)
    old = p.say(anna, "approver.set", "carl", key=p.key("approver-carl").fingerprint, name="Carl Lund")
    w.later(7 * DAY + 60)
    with w.adds(control=["agree deny lapsed"]):
        p.agree(old, bo, any=True)


@limit(150)
@rows("P2.16")
def test_recovery_is_the_customers_own_and_slow(case):
    """Two of three recovery keys name a new approver; seven days everybody can see it and any approver stops it; then she is the only one."""
    w = Access(case)
    p, anna = w.people, w.anna
    bo, safe, dora = p.approver("bo"), [p.key(f"safe{i}") for i in range(3)], p.key("approver-dora")
    p.say(anna, "recovery.set", key=[k.fingerprint for k in safe], need=2)
    p.say(anna, "quorum.set", need=2)

    def started(*control):
        with w.adds(control=["recovery.start allow", *control, "agree allow"]):
            proposal = p.say(safe[0], "recovery.start", "dora", key=dora.fingerprint, name="Dora Ny")
            if control:
                p.say(safe[0], "recovery.finish", why="approvals")
                p.agree(proposal, safe[0], why="same-person")
                p.agree(proposal, anna, why="not-recovery")
                p.agree(proposal, p.officer, why="not-approver")
            p.agree(proposal, safe[2])
    started("recovery.finish deny approvals", "agree deny same-person", "agree deny not-recovery", "agree deny not-approver")
    with w.adds(control=["recovery.finish deny too-early", "recovery.start deny exists", "recovery.cancel deny not-approver", "recovery.cancel deny not-approver", "recovery.cancel allow",
                         "recovery.finish deny state"]):
        p.say(safe[0], "recovery.finish", why="too-early")
        p.say(safe[1], "recovery.start", "eva", key=p.key("approver-eva").fingerprint, name="Eva Ny", why="exists")
        p.say(p.officer, "recovery.cancel", why="not-approver")
        p.say(safe[1], "recovery.cancel", why="not-approver")
        p.say(bo, "recovery.cancel")                      # one of them is enough to stop it
        p.say(safe[0], "recovery.finish", why="state")
    started()
    running = p.granted(w.ines, "docs", prefix="reports/", duration=8 * HOUR)
    w.later(7 * DAY - 60)
    with w.adds(control=["recovery.finish deny too-early"]):
        p.say(safe[0], "recovery.finish", why="too-early")
    w.later(7 * DAY + 60)
    r = p.request(w.ines, "docs", prefix="reports/")
    p.approve(r, w.mats)
    p.approve(r, anna)
    c = w.session(p.login(r))
    w.settled()
    with w.adds(control=["GetObject allow 13", "recovery.finish deny not-recovery", "recovery.finish deny not-recovery", "recovery.finish allow", "GetObject deny approval-gone"]):
        assert c.call("GET", "/docs/reports/q1").status == 200
        p.say(p.officer, "recovery.finish", why="not-recovery")
        p.say(anna, "recovery.finish", why="not-recovery")
        p.say(safe[1], "recovery.finish")
        assert c.call("GET", "/docs/reports/q1", [["x-note", "after"]]).status == 403
    with w.adds(control=["quorum.set deny key-removed", "quorum.set deny key-removed", "category.set allow"]):
        p.say(anna, "quorum.set", need=1, why="key-removed")
        p.say(bo, "quorum.set", need=1, why="key-removed")
        p.say(dora, "category.set", "docs", category="general")       # alone: the quorum is one
    assert p.look(dora, running).answer["state"] == "expired"


# -- rules ----------------------------------------------------------------------------------------------------------------------

@limit(150)
@rows("P2.05", "P2.11")
def test_the_customers_rules_count_at_each_release(case):
    """Two of three for one prefix, one for the rest, no country that is denied; counted again at each read: an approver who is gone, a rule that was tightened, end it."""
    w = Access(case, objects={"hr/a": b"salary", "hr/b": b"review", "reports/q1": b"first quarter"})
    p, anna = w.people, w.anna
    bo, carl, dan = (p.approver(x) for x in ("bo", "carl", "dan"))
    with w.adds(control=["rule.set allow", "rule.set allow"]):
        p.say(anna, "rule.set", "docs/hr/", need=2, approver=["anna", "bo", "carl"])
        p.say(anna, "rule.set", "*", need=1, deny_country=["US", "CN"], deny_employer="Other AB")
    w.settled()

    def read(c, key, status, n=[0]):
        n[0] += 1
        a = c.call("GET", f"/docs/{key}", [["x-note", str(n[0])]])
        assert a.status == status, (key, a)
        return w.last(act="GetObject", key=key).get("why")

    hr = p.request(w.ines, "docs", prefix="hr/")
    p.approve(hr, w.mats)
    with w.adds(control=["access.approve deny denied-by-rule", "access.approve allow", "access.login deny state", "access.approve allow"]):
        p.approve(hr, dan, why="denied-by-rule")          # not one of those who count there
        assert p.approve(hr, anna).answer["state"] == "customer-pending"
        p.login(hr, why="state")
        assert p.approve(hr, bo).answer["state"] == "approved"
    all_of_it = p.request(w.ines, "docs", prefix="")
    p.approve(all_of_it, w.mats)
    assert p.approve(all_of_it, dan).answer["state"] == "approved"    # one is enough by the rule of its prefix
    c, wide = w.session(p.login(hr)), w.session(p.login(all_of_it))
    assert read(c, "hr/a", 200) is None and read(wide, "reports/q1", 200) is None
    assert read(wide, "hr/a", 403) == "approval-gone"     # but not for what a stricter rule is about

    with w.adds(control=["rule.set allow", "GetObject deny approval-gone", "rule.set allow", "GetObject allow 6"]):
        p.say(anna, "rule.set", "docs/hr/", need=3)
        read(c, "hr/b", 403)
        p.say(anna, "rule.set", "docs/hr/", need=2)
        read(c, "hr/b", 200)
    with w.adds(control=["approver.off allow", "GetObject deny approval-gone", "access.approve deny state", "GetObject deny approval-gone"]):
        p.say(anna, "approver.off", "bo")
        read(c, "hr/a", 403)
        p.approve(hr, carl, why="state")                  # what was granted is not signed anew
        read(c, "hr/a", 403)
    key = p.key("anna-new")
    again = p.request(w.ines, "docs", prefix="hr/")
    p.approve(again, w.mats)
    assert p.approve(again, anna).answer["state"] == "customer-pending"
    with w.adds(control=["approver.set allow"]):
        p.approver("anna", key=key, by=anna)              # the key that signed is gone, and what it signed with it
    for who, state in ((carl, "customer-pending"), (key, "approved")):
        assert p.approve(again, who).answer["state"] == state         # her new key takes the old one's place while it waits

    # By country and employer: of who asks, where they are, and what was signed already.
    for account, more in (("uma", dict(office="US")), ("otto", dict(employer="Other AB"))):
        who = p.person(account, **more)
        r = p.request(who, "docs", prefix="reports/", any=True)
        assert r.said.why == "denied-by-rule" and w.last(act="access.request", why="denied-by-rule"), r.said
    sue = p.request(p.person("sue", office="FI", subprocessor="sub-7", employer="Sub Contract Oy"), "docs", prefix="reports/", country="NO")
    shown = p.look(key, sue).answer["who"]
    assert shown == {"id": "sue", "name": "Sue Berg", "employer": "Sub Contract Oy", "subprocessor": "sub-7", "office": "FI", "country": "NO"}, shown
    assert p.request(w.ines, "docs", prefix="reports/", country="CN", any=True).said.why == "denied-by-rule"
    with w.adds(control=["rule.set allow", "GetObject deny grant-rule", "rule.off allow", "GetObject allow 13"]):
        p.say(key, "rule.set", "docs/reports/", need=1, deny_country="SE")
        read(wide, "reports/q1", 403)
        p.say(key, "rule.off", "docs/reports/")
        read(wide, "reports/q1", 200)


# -- seen, and ended ------------------------------------------------------------------------------------------------------------

@rows("P2.17")
def test_who_could_read_it_before_during_and_after(case):
    """who-can answers from decide(): nobody of the provider, then the engineer with the grant that lets her, then with the reason why not any more; each question is on the log."""
    w = Access(case)
    p = w.people

    def can(key="reports/q1"):
        with w.adds(control=None, access=["WhoCan allow"]):
            api = Caller(w.store, url=w.store.endpoints["api"])
            a = api.call("GET", f"/v1/who-can?bucket=docs&key={key}", service="tillit")
            assert a.status == 200, a
        return [(x.get("grant"), x["allow"], x.get("reason"), x.get("name")) for x in json.loads(a.body)["can"] if x["as"] == "grant"]
    assert can() == []
    r = p.request(w.ines, "docs", prefix="reports/")
    asked = can()
    p.approve(r, w.mats)
    p.approve(r, w.anna)
    waits = can()
    p.login(r)
    during = can()
    assert [x[:2] for x in during] == [(r.grant, True)] and during[0][3] == "Ines Berg", during
    assert [x[:3] for x in can("letters/l1")] == [(r.grant, False, "grant-scope")]
    p.say(w.anna, "rule.set", "docs/reports/", need=2)
    assert [x[:3] for x in can()] == [(r.grant, False, "approval-gone")]
    p.say(w.anna, "rule.off", "docs/reports/")
    p.person("ines", key=w.ines.key, review=91)
    assert [x[:3] for x in can()] == [(r.grant, False, "not-eligible")]
    p.person("ines", key=w.ines.key)
    assert can() == during
    p.revoke(r, w.anna)
    assert can() == []
    assert asked == waits == [(r.grant, False, "grant-state", "Ines Berg")], (asked, waits)     # asked for, and signed but nobody has logged in: not yet
