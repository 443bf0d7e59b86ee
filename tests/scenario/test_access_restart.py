# SPDX-License-Identifier: Apache-2.0
"""The gate begins again in the middle of a grant, also with its clock set forward or back: who is in stays in, and nothing is taken or counted twice."""
import os
import signal
import time

from lib.access import Access, Session, short
from lib.case import limit, rows
from lib.evilfront import EvilFront, Staff
from lib.people import MIB
from lib.wire import ASK_AGAIN, ROLE_ACCESS


def used(w, r):
    return w.people.look(w.anna, r).answer["used"]


def until_up(w, session, seconds=20):
    """Asks until the gate is there again and takes signatures that are new."""
    end = time.monotonic() + seconds
    while True:
        a = session.call("HEAD", "/docs/reports/q1", [["x-try", str(time.monotonic())]])
        if a.status == 200:
            return
        assert time.monotonic() < end, a
        time.sleep(0.2)


@limit(120)
@rows("P2.07", "P2.12")
def test_a_gate_that_begins_again_takes_nothing_twice(case):
    """Killed and begun again: the same credentials go on, what was used is still used, and a signature of before is refused whether it was seen or not."""
    w = Access(case)
    s, p = w.store, w.people
    r = p.granted(w.ines, "docs", prefix="reports/", objects=3)
    w.settled()
    c = w.session(p.login(r))
    seen, unseen = c.sign("GET", "/docs/reports/q1", [c.token]), c.sign("GET", "/docs/reports/old/q0", [c.token])
    assert c.send(seen).body == b"first quarter" and used(w, r) == {"objects": 1, "bytes": 13}
    time.sleep(1.01)
    [(gate, _)] = s.pids("gate")
    os.kill(gate, signal.SIGKILL)
    until_up(w, c)
    assert used(w, r) == {"objects": 1, "bytes": 13}
    with w.adds(control=["GetObject allow repeated"] * 2):
        assert [c.send(x).status for x in (seen, unseen)] == [403, 403]
    with w.adds(control=["GetObject allow 8"]):
        assert c.call("GET", "/docs/reports/old/q0").body == b"long ago"
    assert used(w, r) == {"objects": 2, "bytes": 21}


@limit(120)
@rows("P2.12")
def test_a_request_asked_again_is_never_counted_for_less(case):
    """The gate dies behind a durable release: asked again by the front the request is refused, and the release that nobody may have got stays counted."""
    w = Access(case)
    s, p = w.store, w.people
    r = p.granted(w.ines, "docs", prefix="reports/", objects=3)
    w.settled()
    session = p.login(r)
    staff, evil = Staff(s, session), EvilFront(s, ROLE_ACCESS)
    asked = staff.signed("GET", "/docs/reports/q2")
    name, m = evil.ask(asked)
    assert name == "RELEASE" and m["metered"] == 1, (name, m)
    assert used(w, r) == {"objects": 1, "bytes": 4 * MIB}
    time.sleep(1.01)
    [(gate, _)] = s.pids("gate")
    os.kill(gate, signal.SIGKILL)
    until_up(w, w.session(session))
    again = EvilFront(s, ROLE_ACCESS)
    with w.adds(control=["GetObject allow repeated"]):
        name, m = again.ask(asked, flags=ASK_AGAIN)
        assert name == "ANSWER" and m["status"] == 403, (name, m)
    assert used(w, r) == {"objects": 1, "bytes": 4 * MIB}
    evil.close(), again.close()


@limit(120)
@rows("P2.12")
def test_a_front_that_asks_again_gives_nothing_twice(case):
    """A download stands while the gate is stopped and then killed: the front asks the new gate, the client is refused and signs anew."""
    w = Access(case)
    s, p = w.store, w.people
    r = p.granted(w.ines, "docs", prefix="reports/", objects=3)
    w.settled()
    c = w.session(p.login(r))
    [(gate, _)] = s.pids("gate")
    os.kill(gate, signal.SIGSTOP)
    staff = Staff(s, {"AccessKeyId": c.key, "SecretAccessKey": c.secret, "SessionToken": c.token[1]})
    sock = staff.send(staff.signed("GET", "/docs/reports/q1"))
    time.sleep(1.2)
    os.kill(gate, signal.SIGKILL)
    a = staff.receive(sock)
    assert (a.status, a.code) == (403, "AccessDenied"), (a.status, a.body)
    until_up(w, c)
    assert short(w.leaves()[-1]).startswith("HeadObject") and used(w, r) == {"objects": 0, "bytes": 0}
    assert c.call("GET", "/docs/reports/q1").body == b"first quarter"


@limit(180)
@rows("P2.07", "P2.12")
def test_a_clock_set_forward_or_back_opens_nothing(case):
    """Begun again with the clock 10 minutes back, what was signed before stays seen, and the grant is no longer than it was; forward, sessions end by the new time."""
    w = Access(case)
    s, p = w.store, w.people
    r = p.granted(w.ines, "docs", prefix="reports/", objects=9, duration=20 * 60_000)
    w.settled()
    credentials = p.login(r)
    c = w.session(credentials)
    seen = c.sign("GET", "/docs/reports/q1", [c.token])
    assert c.send(seen).status == 200
    before, end = used(w, r), p.look(w.anna, r).answer["end"]
    w.later(-600)
    with w.adds(control=["GetObject allow repeated"] * 2):
        assert c.send(seen).status == 403                            # on the log; by the clock it is of the future
        assert Session(s, credentials, ahead=-600).call("GET", "/docs/reports/q1").status == 403      # of before the newest leaf, too
    w.settled()
    with w.adds(control=["HeadObject allow 0"]):
        assert c.call("HEAD", "/docs/reports/q1").status == 200      # new since then
    told = p.say(w.anna, "access.look", r.grant, any=True).answer
    assert (told["used"], told["end"]) == (before, end), told

    w.later(19 * 60)
    a = c.call("GET", "/docs/reports/q1")
    assert (a.status, a.code) == (403, "RequestTimeTooSkewed"), a
    w.later(21 * 60)
    a = Session(s, credentials, ahead=21 * 60).call("GET", "/docs/reports/q1")
    assert (a.status, a.code) == (400, "ExpiredToken"), a
    assert w.leaves()[-1]["why"] == "grant-state", w.leaves()[-1]
    w.later(0)                                                         # back again: more than 15 minutes behind the log
    a = c.call("GET", "/docs/reports/q1")
    assert a.status == 503, a
