# SPDX-License-Identifier: Apache-2.0
"""Statements about access over the API as it is: what is answered, when, and what stands on the logs."""
import json
import threading
import time

from lib.case import rows
from lib.people import People, new_id
from lib.raw import Caller


def granted(case, **terms):
    s = case.store()
    c = Caller(s)
    assert c.call("PUT", "/docs").status == 200
    p = People(s)
    p.purpose()
    ines = p.person("ines")
    p.person("mats", roles=["manager"])
    anna = p.approver("anna")
    return s, c, p, ines, anna, p.granted(ines, "docs", prefix="reports/", **terms)


@rows("P2.17")
def test_who_could_read_it_is_what_decide_says(case):
    """The customer asks who could read an object: the engineer with a grant inside its prefix, nobody from outside; the question stands on the log."""
    s, c, p, ines, anna, r = granted(case)
    p.login(r, ines)

    api = Caller(s, url=s.endpoints["api"])

    def can(key):
        a = api.call("GET", f"/v1/who-can?bucket=docs&key={key}", service="tillit")
        assert a.status == 200, (a.status, a.body)
        return {row["as"]: row for row in json.loads(a.body)["can"]}
    inside, outside = can("reports/q1"), can("other")
    assert inside["grant"]["allow"] and inside["grant"]["grant"] == r.grant and inside["grant"]["employer"] == "Nord Hosting AB"
    assert not outside["grant"]["allow"] and outside["grant"]["reason"] == "grant-scope"
    assert inside["user"]["allow"] and not inside["anonymous"]["allow"]
    s.expect_record(act="WhoCan", dec="allow")
    p.revoke(r, anna)
    assert "grant" not in can("reports/q1")
    assert api.call("GET", "/v1/who-can?bucket=docs", service="tillit").status == 400
    assert api.send(api.plain("GET", "/v1/who-can?bucket=docs&key=reports/q1")).status == 403


@rows("P2.13", partly="each statement and access as an event while one waits")
def test_a_watch_is_answered_while_it_waits(case):
    """The customer watches a grant: the answer comes when the engineer logs in, not before, and shows it; after a restart the watch goes on where it was."""
    s, c, p, ines, anna, r = granted(case)
    next_ = p.look(anna, r).answer["next"]
    got = {}

    def watch():
        got["answer"], got["at"] = p.look(anna, r, after=next_).answer, time.monotonic()
    t = threading.Thread(target=watch)
    t.start()
    time.sleep(1)
    assert t.is_alive()
    at = time.monotonic()
    p.login(r, ines)
    t.join(10)
    assert [e["act"] for e in got["answer"]["events"]] == ["access.login"] and got["at"] - at < 2, got
    assert got["answer"]["state"] == "active"
    s.stop()
    s.start()
    p.complete(r)
    after = p.look(anna, r, after=got["answer"]["next"]).answer
    assert [e["act"] for e in after["events"]] == ["access.complete"] and after["state"] == "completed"


@rows("P2.13")
def test_a_look_gives_a_watch_that_needs_no_more_signatures(case):
    """The answer to one signed look opens a watch: events come by a plain GET, nothing is shown to others, and it ends with the approver's role."""
    s, c, p, ines, anna, r = granted(case)
    bo = p.approver("bo")
    api, looked = Caller(s, url=s.endpoints["api"]), p.look(anna, r).answer
    get = lambda path: api.send(api.plain("GET", path))
    leaves = len(s.log_records("control"))
    a = json.loads(get(f"/v1/watch/{looked['watch']}").body)
    assert [e["act"] for e in a["events"]] == [e["act"] for e in looked["events"]] and a["next"] == leaves - 1, a
    assert len(s.log_records("control")) == leaves
    p.login(r, ines)
    at = time.monotonic()
    a = get(f"/v1/watch/{looked['watch']}?after={a['next']}")
    assert a.get("cache-control") == "no-store" and [e["act"] for e in json.loads(a.body)["events"]] == ["access.login"] and time.monotonic() - at < 5, a
    for path, status in ((f"{looked['watch'][:-1]}?after=1", 403), ("x", 403), ("", 403), (f"{looked['watch']}?after=x", 400), (f"{looked['watch']}/x", 403), ("A" * 2000, 403)):
        bad = get("/v1/watch/" + path)
        assert bad.status == status and (status != 403 or json.loads(bad.body)["code"] == "watch-over"), (path, bad)
    assert api.send(api.plain("POST", f"/v1/watch/{looked['watch']}")).status == 403
    p.say(bo, "approver.off", "anna")
    bad = get(f"/v1/watch/{looked['watch']}?after=1")
    assert bad.status == 403 and json.loads(bad.body)["code"] == "watch-over", bad


def test_refusals_stand_on_the_log_of_who_they_are_about(case):
    """A refused statement by somebody the store knows is a record of the tenant's control log; by a stranger it is a count; a body that is no statement is nothing."""
    s, c, p, ines, anna, r = granted(case)
    stranger = p.key("stranger", sk=True)
    p.approve(p.request(ines, "docs"), ines, why="own-request")
    before = len(s.log_records("control"))
    p.revoke(r, stranger, why="unknown-signer")
    assert len(s.log_records("control")) == before
    p.person_off(ines)
    said = p.login(r, ines, any=True)
    assert said.why == "not-eligible" and said.status == 403 and said.answer["receipt"], said
    last = s.log_records("control")[-1]
    assert (last["act"], last["dec"], last["why"]) == ("access.login", "deny", "not-eligible"), last
    p.say(anna, "access.revoke", new_id(), why="no-grant")
