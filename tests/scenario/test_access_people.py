# SPDX-License-Identifier: Apache-2.0
"""Who at the provider may ask, and for what: eligible only while training, screening and review are current; purposes are a closed list, which the customer tightens."""
import os
import re
import subprocess
import threading
import time

from lib.access import PURPOSE, Access, short
from lib.case import limit, rows
from lib.people import HOUR, MIB

DAY = 86400


@limit(150)
@rows("P2.02")
def test_overdue_is_off_at_once(case):
    """Training, screening or review overdue, or the person off: no request, no login, no signature, and the very next read of a running grant is refused; a new date says them in again."""
    w = Access(case)
    p, ines, mats, anna = w.people, w.ines, w.mats, w.anna
    waits = p.request(ines, "docs", prefix="reports/")
    r = p.granted(ines, "docs", prefix="reports/", objects=100)
    c = w.session(p.login(r))
    w.settled()

    def read(status, n=[0]):
        n[0] += 1
        assert c.call("GET", "/docs/reports/q1", [["x-note", str(n[0])]]).status == status, (n, status)

    read(200)
    for late in (dict(training=365.01), dict(screening=730.01), dict(review=90.01), dict(off=True)):
        with w.adds(provider=["person.off allow" if "off" in late else "person.set allow"], control=[
                "person.off mirrored" if "off" in late else "person.set mirrored", "GetObject deny not-eligible", "access.login deny not-eligible", "access.request deny not-eligible"]) as added:
            p.person_off(ines) if "off" in late else p.person("ines", key=ines.key, **late)
            read(403)
            p.login(r, why="not-eligible")
            p.request(ines, "docs", prefix="reports/", why="not-eligible")
        leaf = added["control"][1]
        assert (leaf["person"], leaf["grant"]) == ("p-ines", r.grant), leaf
        with w.adds(control=["person.set mirrored", "GetObject allow 13"]):
            p.person("ines", key=ines.key, training=364.99, screening=729.99, review=89.99)
            read(200)
    with w.adds(control=["person.set mirrored", "access.approve deny not-eligible", "person.set mirrored", "access.approve allow"]):
        p.person("mats", key=mats.key, roles=["manager"], review=91)
        p.approve(waits, mats, why="not-eligible")
        p.person("mats", key=mats.key, roles=["manager"])
        p.approve(waits, mats)
    for ahead in ("training", "screening", "review"):
        assert p.person("ines", key=ines.key, any=True, **{ahead: -2}).said.why == "range"       # nobody trains tomorrow

    # No clock has to be set off for it: hours later the review of 89.99 days is overdue, whatever anybody says.
    long = p.granted(ines, "docs", prefix="reports/", duration=8 * HOUR)
    credentials = p.login(long)
    w.later(3 * 3600)
    with w.adds(control=["GetObject deny not-eligible", "access.login deny not-eligible"]):
        assert w.session(credentials).call("GET", "/docs/reports/q1").status in (400, 403)
        p.login(long, why="not-eligible")


@rows("P2.02", "P2.10")
def test_purposes_are_a_closed_list_that_the_customer_tightens(case):
    """A purpose allows roles, verbs and categories; outside of it, or when the customer turned it down, there is no request and no read; `improve` is off unless the customer turns it on."""
    w = Access(case, objects={"reports/q1": b"first quarter"})
    w.put("staff", {"a": b"salary"})
    p, ines, anna = w.people, w.ines, w.anna
    p.purpose("audit", roles=["security"], verbs=["list", "head"], categories=["general", "hr"])
    p.purpose("improve", roles=["engineer"], verbs=["read"], categories=["general"])
    p.purpose("gone", roles=["support"], verbs=[], categories=[])
    sven, eli = p.person("sven", roles=["security"]), p.person("eli", roles=["engineer"])
    p.say(anna, "category.set", "staff", category=["general", "hr"])

    def asks(who, why=None, bucket="docs", **terms):
        with w.adds(control=[f"access.request deny {why}" if why else "access.request allow"]):
            return p.request(who, bucket, **{"any": True, **terms})

    asks(ines, "purpose", purpose="curiosity")
    asks(ines, "purpose", purpose="gone")
    asks(ines, "role", purpose="audit")
    asks(sven, "role")
    asks(sven, "verb", purpose="audit", verbs=["read"])
    asks(ines, "category", categories=["general", "hr"])
    asks(ines, "category", bucket="staff")                            # it holds more than the purpose is for
    asks(sven, purpose="audit", verbs=["list"], bucket="staff", categories=["general", "hr"])
    asks(ines, "verb", verbs=["list", "write"])

    asks(eli, "purpose", purpose="improve", verbs=["read"])
    with w.adds(control=["purpose.limit deny not-approver", "purpose.limit allow", "access.request allow"]):
        p.say(p.officer, "purpose.limit", "improve", verb="read", category="general", why="not-approver")
        p.say(anna, "purpose.limit", "improve", verb="read", category="general")
        p.request(eli, "docs", purpose="improve", verbs=["read"])

    # What held when it was signed must hold at each read.
    r = p.granted(ines, "docs", prefix="reports/")
    c = w.session(p.login(r))
    w.settled()

    def read(why=None, n=[0]):
        n[0] += 1
        with w.adds(control=[f"GetObject deny {why}" if why else "GetObject allow 13"]) as added:
            assert c.call("GET", "/docs/reports/q1", [["x-note", str(n[0])]]).status == (403 if why else 200)
        assert added["control"][-1]["purpose"] == PURPOSE
    read()
    p.say(anna, "category.set", "docs", category=["general", "hr"])
    read("grant-category")
    p.say(anna, "category.set", "docs", category="general")
    read()
    p.say(anna, "purpose.limit", PURPOSE, verb=["list", "head"], category="general")
    read("grant-purpose")
    p.say(anna, "purpose.limit", PURPOSE, verb=["list", "head", "read"], category="general")
    read()
    with w.adds(control=["purpose.set mirrored", "GetObject deny grant-purpose", "purpose.set mirrored", "GetObject allow 13"]):
        p.purpose(PURPOSE, verbs=[], categories=[])                   # the provider turns it off
        assert c.call("GET", "/docs/reports/q1", [["x-note", "off"]]).status == 403
        p.purpose(PURPOSE)
        assert c.call("GET", "/docs/reports/q1", [["x-note", "on"]]).status == 200
    p.person("ines", key=ines.key, roles=["legal"])
    read("grant-purpose")


@rows("P2.07", "P2.08")
def test_time_and_budget_have_bounds(case):
    """A minute to eight hours, at least one object and one byte, a request that waits 15 minutes to 14 days: at each bound it is taken, one past it refused."""
    w = Access(case)
    p, anna, minute = w.people, w.anna, 60_000
    for inside, past in ((dict(duration=minute), dict(duration=minute - 1)), (dict(duration=8 * HOUR), dict(duration=8 * HOUR + 1)), (dict(objects=1), dict(objects=0)),
                         (dict(bytes=1), dict(bytes=0))):
        with w.adds(control=["access.request allow", "access.request deny range"]):
            p.request(w.ines, "docs", **inside)
            p.request(w.ines, "docs", why="range", **past)
    r = p.request(w.ines, "docs")
    p.approve(r, w.mats)
    for past in (dict(duration=minute - 1), dict(objects=0), dict(bytes=0)):
        with w.adds(control=["access.approve deny range"]):
            p.approve(r, anna, why="range", **past)
    days = 14 * DAY * 1000
    for inside, past in ((15 * minute, 15 * minute - 1), (days, days + 1)):
        with w.adds(control=["rule.set allow", "rule.set deny range"]):
            p.say(anna, "rule.set", "docs", need=1, lapse=inside)
            p.say(anna, "rule.set", "docs", need=1, lapse=past, why="range")
    told = p.look(anna, p.request(w.ines, "docs")).answer
    assert told["lapse"] - told["requested"] == days, told
    p.say(anna, "rule.off", "docs")
    told = p.look(anna, p.request(w.ines, "docs")).answer
    assert told["lapse"] - told["requested"] == 12 * HOUR, told


@limit(120)
@rows("P2.13", partly={"P2.13": "on the command line: the page is a test of its own"})
def test_watched_as_it_happens_and_ended_from_the_same_place(case):
    """`tillit access watch` prints each step while it happens; r and Enter end the access in the middle of a download; `tillit access revoke` does it from anywhere."""
    w = Access(case, objects={"reports/q1": b"first quarter", "reports/big": os.urandom(48 * MIB)})
    p, anna = w.people, w.anna
    r = p.granted(w.ines, "docs", prefix="reports/", bytes=200 * MIB)
    w.settled()
    env = {k: v for k, v in os.environ.items() if not k.startswith("TILLIT_")}
    watch = subprocess.Popen([os.path.join(w.store.build, "tillit"), "access", "watch", "--grant", r.grant, "--tenant", p.tenant, "--endpoint", p.api, "--key", anna.key.path, "--yes"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    seen, lock = [], threading.Condition()

    def follow():
        for line in watch.stdout:
            with lock:
                seen.append((time.monotonic(), line))
                lock.notify_all()
    threading.Thread(target=follow, daemon=True).start()

    def shows(pattern, within=3):
        end = time.monotonic() + within
        with lock:
            while not any(re.search(pattern, line) for _, line in seen):
                left = end - time.monotonic()
                assert left > 0 and lock.wait(left), (pattern, seen)
            return next(t for t, line in seen if re.search(pattern, line))
    try:
        shows("access.approve by Anna Lind")
        begin = time.monotonic()
        c = w.session(p.login(r))
        assert shows(r"allow +access.login by Ines Berg") - begin < 2
        begin = time.monotonic()
        assert c.call("GET", "/docs/reports/q1").status == 200
        assert shows(r"allow +GetObject docs/reports/q1.* 13 bytes") - begin < 2
        assert c.call("GET", "/docs/letters/l1").status == 403
        shows(r"deny +GetObject docs/letters/l1.*grant-scope")
        stream = c.connect()
        stream.send(c.sign("GET", "/docs/reports/big", [c.token]).bytes())
        assert stream.head()[0] == 200
        shows(r"allow +GetObject docs/reports/big.*4 MiB")
        watch.stdin.write("r\n")
        watch.stdin.flush()
        begin = shows("access.revoke|revoked")
        assert stream.closed_within(2) and len(stream.buffer) < 48 * MIB and time.monotonic() - begin < 2
        shows("state: revoked")
        assert watch.wait(10) == 0
    finally:
        watch.kill()
    said = [short(x) for x in w.leaves() if x.get("grant") == r.grant and x.get("act") != "access.look"]
    assert "access.revoke allow" in said and "FailToClose" not in said, said
    again = p.granted(w.ines, "docs", prefix="reports/")
    c = w.session(p.login(again))
    with w.adds(control=["access.revoke allow", "GetObject deny grant-state"]):
        assert "revoked" in w.tillit("access", "revoke", "--grant", again.grant, "text=enough", key=anna.key).stdout
        assert c.call("GET", "/docs/reports/q1").status == 403
