# SPDX-License-Identifier: Apache-2.0
"""Passkeys sign what SSH keys sign: every kind of statement by an authenticator in software, against the store as it runs (docs/spec/statement.md section 7)."""
import os
import re

from lib.case import ROOT, rows
from lib.passkey import Passkey
from lib.people import MIB, People, Person, text
from lib.raw import Caller

RPID, ORIGIN = "sign.customer.example", "https://sign.customer.example"
PROVIDERS = {"genesis.provider", "person.set", "person.off", "purpose.set"}      # said on the provider log, where no origin is pinned


def kinds():
    """The kinds that a passkey may sign: those with terms that name a tenant."""
    with open(os.path.join(ROOT, "src", "lib", "record", "statement.def")) as f:
        found = re.findall(r'^STATEMENT\(\w+,\s*"([a-z.]+)"', f.read(), re.M)
    return set(found[found.index("person.set"):]) - PROVIDERS


def replayed(s):
    out, logs = s.case.path("replayed"), s.endpoints["logs"]
    for log in ("access", "control"):
        s.tillit("log", "export", s.dir, "--log", log, "--out", out)
    return s.verify("replay", out, "--access-vkey", logs["access"]["vkey"], "--control-vkey", logs["control"]["vkey"],
                    "--access", logs["access"]["url"], "--control", logs["control"]["url"])


def world(case):
    s = case.store()
    assert Caller(s).call("PUT", "/docs").status == 200
    p = People(s)
    p.purpose()
    p.say(p.owner, "origin.set", origin=ORIGIN, rpid=RPID)
    return s, p, lambda alg="ES256": Passkey(RPID, ORIGIN, alg)


def customers_side(p, passkey, said):
    """Each kind that changes the customer's side, by approvers who have nothing but passkeys, ES256 and EdDSA in turn."""
    anna, bo = passkey(), passkey("EdDSA")
    p.say(p.owner, "approver.set", "anna", key=anna.term, name="Anna Lind")
    said(anna, "approver.set", "bo", key=bo.term, name="Bo Holm")
    said(bo, "category.set", "docs", category="general")
    said(bo, "purpose.limit", "support-ticket", category="general", verb=["head", "list", "read"])
    said(anna, "rule.set", "docs/hr/", need=2)
    said(bo, "rule.off", "docs/hr/")
    said(anna, "notice.set", "desk", mail="desk@customer.example")
    said(bo, "notice.off", "desk")
    said(anna, "origin.set", origin=ORIGIN, rpid=RPID)
    said(anna, "quorum.set", need=2)
    carl, safe = passkey(), [passkey(), passkey("EdDSA")]
    waits = said(bo, "recovery.set", key=[k.term for k in safe], need=2)
    assert waits.status == 202
    said(anna, "agree", request=waits.digest)
    waits = said(safe[0], "recovery.start", "carl", key=carl.term, name="Carl Ny")
    said(safe[1], "agree", request=waits.digest)
    said(safe[0], "recovery.finish", why="too-early")
    said(bo, "recovery.cancel")
    said(anna, "approver.off", "bo", why="range")                      # one would be left, and two are needed
    waits = said(anna, "quorum.set", need=1)
    said(bo, "agree", request=waits.digest)
    said(anna, "approver.off", "bo")
    said(bo, "notice.off", "desk", why="key-removed")
    return Person("anna", anna)


def access(p, passkey, anna, said):
    """A person of the provider, their manager and an approver: passkeys all three."""
    ines, mats = p.person("ines", key=passkey()), p.person("mats", roles=["manager"], key=passkey("EdDSA"))
    term = {"bucket": "docs", "category": "general", "country": "SE", "duration": 3600_000, "objects": 20, "bytes": 10 * MIB, "purpose": "support-ticket", "ticket": "T-1",
            "verb": ["head", "list", "read"]}
    requests = []
    for grant in ("a" * 26, "b" * 25 + "a"):
        requests.append(said(ines.key, "access.request", grant, prefix="reports/", **term))
        said(mats.key, "access.approve", grant, request=requests[-1].digest)
    first, second = (r.digest for r in requests)
    said(anna.key, "access.look", "a" * 26)
    said(anna.key, "access.ask", "a" * 26, request=first, text="why all of it?")
    said(ines.key, "access.reply", "a" * 26, request=first, text="the fault may be anywhere")
    said(anna.key, "access.approve", "a" * 26, request=first, bytes=5 * MIB, prefix="reports/2026/")
    login = said(ines.key, "access.login", "a" * 26, country="SE")
    assert login.answer["SessionToken"]
    said(ines.key, "access.complete", "a" * 26)
    said(anna.key, "access.reject", "b" * 25 + "a", request=second)
    said(anna.key, "access.revoke", "b" * 25 + "a", why="state")


@rows("P2.03", "P2.06")
def test_every_kind_of_statement_is_signed_by_passkeys(case):
    """Staff, managers, approvers and recovery keys say every kind of statement with passkeys, ES256 and EdDSA; both are verified again from the logs alone."""
    s, p, passkey = world(case)
    seen = set()

    def said(key, kind, /, subject=None, **terms):
        seen.add(kind)
        return p.say(key, kind, subject, **terms)
    anna = customers_side(p, passkey, said)
    access(p, passkey, anna, said)
    copied = text("access.look", None, p.tenant, {})
    p.send(copied, anna.key.sign(copied, counter=1), why="counter")
    p.send(copied, anna.key.sign(copied, counter=1), why="repeated")
    assert seen == kinds(), seen ^ kinds()
    code, found = replayed(s)
    assert code == 0, found
    by = {r["auth"] for r in s.log_records("control") if r.get("act") == "access.approve"}
    assert by == {"passkey"}, by


def test_passkeys_are_off_until_an_origin_is_pinned(case):
    """Without origin.set no assertion counts; a new origin ends the old page at once; and on the provider log, where none is pinned, an officer's passkey says nothing."""
    s = case.store()
    p, anna = People(s), Passkey(RPID, ORIGIN)
    p.say(p.owner, "approver.set", "anna", key=[anna.term, p.key("anna").fingerprint], name="Anna Lind")
    ssh = Person("anna", p.key("anna"))
    p.look(anna, why="origin")
    p.say(ssh, "origin.set", origin=ORIGIN, rpid=RPID)
    p.look(anna)
    p.say(anna, "origin.set", origin="https://sign.customer.example:8443", rpid=RPID)
    p.look(anna, why="origin")
    anna.origin = "https://sign.customer.example:8443"
    p.look(anna)
    olle = Passkey(RPID, ORIGIN)
    p.person("olle", roles=["officer"], key=olle)
    p.say(olle, "purpose.set", "x", None, why="origin")
