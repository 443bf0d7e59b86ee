# SPDX-License-Identifier: Apache-2.0
"""Every state that a request goes through (docs/spec/access.md section 4): as the customer is shown it and as it stands on the log; who may say what in it, and what time does."""
import os
import re
import signal

from lib.access import Access
from lib.case import ROOT, limit, rows
from lib.people import MIB, Person, now_ms

MINUTE = 60_000


def states():
    with open(os.path.join(ROOT, "src", "lib", "policy", "grant_state.def")) as f:
        return re.findall(r'GRANT_STATE\(\w+, +"([^"]+)"', f.read())


class Seen:
    """Grants that were asked for, and the states that the customer was shown."""

    def __init__(self, w):
        self.w, self.states = w, {"draft"}                # nobody has signed it: the store does not know it

    def asked(self, **terms):
        return self.w.people.request(self.w.ines, "docs", **{"prefix": "reports/", **terms})

    def granted(self, **terms):
        return self.w.people.granted(self.w.ines, "docs", **{"prefix": "reports/", **terms})

    def __call__(self, request, state):
        told = self.w.people.look(self.w.anna, request).answer
        assert told["state"] == state, (state, told["state"], told["events"][-3:])
        self.states.add(state)
        return told


def questions(w, see):
    p, mats, anna = w.people, w.mats, w.anna
    r = see.asked()
    see(r, "manager-pending")
    with w.adds(control=["access.ask deny not-manager", "person.set mirrored", "access.ask allow"]):
        p.ask(r, anna, "why so early?", why="not-manager")
        p.ask(r, mats, "which report?")
    see(r, "more-info")
    with w.adds(control=["access.approve deny state", "access.reply deny not-requester", "access.reply allow"]):
        p.approve(r, mats, why="state")
        p.reply(r, "never mind", who=anna, why="not-requester")
        p.reply(r, "number 17")
    see(r, "manager-pending")
    with w.adds(control=["access.approve allow", "access.ask allow", "access.ask deny state"]):
        p.approve(r, mats)
        p.ask(r, anna, "why all of reports/?")
        p.ask(r, mats, "and why today?", why="state")
    see(r, "more-info")
    p.reply(r, "we do not know which one is broken")
    told = see(r, "customer-pending")
    assert [(q["act"], q["text"], q["who"]["id"]) for q in told["questions"]] == [
        ("access.ask", "which report?", "mats"), ("access.reply", "number 17", "ines"), ("access.ask", "why all of reports/?", "anna"),
        ("access.reply", "we do not know which one is broken", "ines")], told["questions"]
    with w.adds(control=["access.complete deny state", "access.login deny state", "access.approve allow"]):
        p.complete(r, why="state")
        p.login(r, why="state")
        p.approve(r, anna)
    see(r, "approved")
    with w.adds(control=["access.ask deny state", "access.reject deny state", "access.approve deny state", "access.login allow"]):
        p.ask(r, anna, "too late?", why="state")
        p.reject(r, anna, why="state")
        p.approve(r, anna, why="state")
        p.login(r)
    see(r, "active")
    return r


def extended(w, see, r):
    """More time is a chain of its own, by all of them again; the first goes on to its own end."""
    p = w.people
    with w.adds(control=["access.request allow", "access.request deny state"]):
        more = see.asked(extends=r.grant)
        see.asked(extends=r.grant, prefix="", any=True)
    see(r, "extension-pending")
    see(more, "manager-pending")
    c = w.session(p.login(r))
    with w.adds(control=["GetObject allow 13"]):
        assert c.call("GET", "/docs/reports/q1").status == 200
    with w.adds(control=["access.approve allow", "access.login deny state", "access.approve allow"]):
        p.approve(more, w.mats)
        p.login(more, why="state")
        p.approve(more, w.anna)
    see(r, "active")
    see(more, "approved")
    with w.adds(control=["access.complete deny not-requester", "access.complete allow", "GetObject deny grant-state", "access.revoke deny state"]):
        p.complete(r, who=w.anna, why="not-requester")
        p.complete(r)
        assert c.call("GET", "/docs/reports/q1", [["x-note", "after"]]).status == 403
        p.revoke(r, w.anna, why="state")
    see(r, "completed")
    see(more, "approved")


def refused_and_revoked(w, see):
    p = w.people
    for who in (w.mats, w.anna):
        r = see.asked()
        if who is w.anna:
            p.approve(r, w.mats)
        with w.adds(control=["access.reject allow"]):
            p.reject(r, who, text="ask the service desk first")
        see(r, "rejected")
    with w.adds(control=["access.approve deny state"]):
        p.approve(r, w.anna, why="state")
    sten = p.person("sten")
    for who in (w.anna, w.mats, w.ines, Person("officer", p.officer)):
        r = see.granted()
        with w.adds(control=["access.revoke deny not-yours", "access.revoke allow"] if who is not w.anna else ["person.set mirrored", "access.revoke deny not-yours", "access.revoke allow"]):
            p.revoke(r, sten, why="not-yours")
            p.revoke(r, who)
        see(r, "revoked")
    r = see.asked()
    p.revoke(r, w.anna)                                   # before anybody signed
    see(r, "revoked")


def not_stopped(w, see):
    """A front that hangs does not stop a stream: the grant says so until the stream is known to be gone."""
    p, s = w.people, w.store
    r = see.granted(bytes=100 * MIB)
    c = w.session(p.login(r))
    open_one = c.connect()
    open_one.send(c.sign("GET", "/docs/reports/big", [c.token]).bytes())
    assert open_one.head()[0] == 200
    front = [pid for pid, _ in s.pids("access-worker")]
    for pid in front:
        os.kill(pid, signal.SIGSTOP)
    try:
        with w.adds(control=["access.revoke allow", "FailToClose"]):
            told = p.revoke(r, w.anna).answer
            assert (told["state"], told["closed"]) == ("failed-to-close", False), told
        see(r, "failed-to-close")
    finally:
        for pid in front:
            os.kill(pid, signal.SIGCONT)
    with w.adds(control=["Closed"], within=5):
        pass
    assert open_one.closed_within(2)
    see(r, "revoked")


@limit(150)
@rows("P2.08")
def test_every_state_is_seen_and_recorded(case):
    """Asked, questioned, answered, approved, scheduled, active, extended, completed, expired, revoked, rejected, lapsed, failed to close: each by a look and a leaf."""
    w = Access(case, objects={"reports/q1": b"first quarter", "reports/big": os.urandom(40 * MIB)})
    p, see = w.people, Seen(w)
    w.settled()
    extended(w, see, questions(w, see))
    refused_and_revoked(w, see)
    not_stopped(w, see)

    later = see.asked(start=now_ms() + 5 * MINUTE)
    p.approve(later, w.mats)
    p.approve(later, w.anna)
    see(later, "scheduled")
    with w.adds(control=["access.login deny state"]):
        p.login(later, why="state")
    short = see.granted(duration=MINUTE)
    p.login(short)
    see(short, "active")
    p.say(w.anna, "rule.set", "docs/soon/", need=1, lapse=15 * MINUTE)
    soon, day = see.asked(prefix="soon/"), see.asked()
    p.approve(soon, w.mats)
    told = see(soon, "customer-pending")
    assert told["lapse"] - told["requested"] == 15 * MINUTE, told

    w.later(310)
    with w.adds(control=["Start", "Expire"], within=5):
        pass
    see(later, "approved")
    see(short, "expired")
    with w.adds(control=["access.login deny state", "access.login allow"]):
        p.login(short, why="state")
        p.login(later)
    see(later, "active")
    w.later(950)
    with w.adds(control=["Lapse"], within=5):
        pass
    see(soon, "lapsed")
    with w.adds(control=["access.approve deny lapsed", "access.reply deny lapsed"]):
        p.approve(soon, w.anna, any=True)
        p.reply(soon, "here I am", any=True)
    see(day, "manager-pending")
    w.later(12 * 3600 + 60)
    with w.adds(control=["Expire", "Expire", "Lapse"], within=5):
        pass
    see(day, "lapsed")
    assert see.states == set(states()), set(states()) ^ see.states
