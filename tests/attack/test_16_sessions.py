# SPDX-License-Identifier: Apache-2.0
"""Attack 16: credentials by another way than theirs. The provider's people sign headers, at the access front; a presigned URL is something that others can use.

Automation of the provider (auth `auto` on the logs) is the gate's own acts: it has no credentials, takes no request from any connection (step_verify_auto() asserts
that nobody asked) and so can presign nothing. What claims to be it is a caller without a key. A principal with credentials and rights of its own is P9.01's."""
from lib.access import FORM, Access, Session
from lib.attack import attack, by_id, held, store
from lib.evilfront import EvilFront, Staff, Web
from lib.raw import Caller
from lib.wire import ROLE_ACCESS

URL, FRONT, OWN = "a presigned URL of a session was taken", "a session was taken at the front of own requests", "own credentials were taken at the access front"


def staff(case):
    w = Access(case, at=store(case))
    r = w.people.granted(w.ines, "docs", prefix="reports/")
    w.settled()
    return w, w.people.login(r)


@attack("16", ("staff-presigned-accepted", URL))
def test_a_session_presigns_nothing(case):
    w, credentials = staff(case)
    c = w.session(credentials)

    def with_token(p):
        p["X-Amz-Security-Token"] = credentials["SessionToken"]
    for method in ("GET", "HEAD"):
        a = c.send(c.presign(method, "/docs/reports/q1", change=with_token))
        held(a.status == 403 and b"first quarter" not in a.body, URL, f"{method}: {a}")
        w.last(act=method.capitalize() + "Object", dec="allow", why="presigned", auth="sts", person="p-ines")
    before = w.sizes()
    a = c.send(c.presign("GET", "/docs/reports/q1"))                  # without its token it is nobody's
    held(a.status == 403, URL, "without the token")
    for name in ("auto", "AUTO", "anon"):
        auto = Caller(w.store, name, "")
        for url in (w.store.endpoints["s3"], w.store.s3_access):
            auto.url = url
            a = auto.send(auto.presign("GET", "/docs/reports/q1"))
            held(a.status in (400, 403) and b"first quarter" not in a.body, "a presigned URL of automation was taken", f"{name}: {a}")
    assert w.sizes()["control"] == before["control"], "nobody proven, no leaf"


@attack("16", ("sts-on-front", FRONT))
def test_a_session_is_for_the_access_front_alone(case):
    w, credentials = staff(case)
    evil = EvilFront(w.store)                       # keys are what counts: a front that shows nothing may have them
    name, m = evil.ask(Staff(w.store, credentials).signed("GET", "/docs/reports/q1"))
    held(name == "ANSWER" and m["status"] == 400, FRONT, f"a front of own requests was given a {name}")
    evil.close()
    at_front = Session(w.store, credentials, url=w.store.endpoints["s3"])
    for method in ("GET", "HEAD"):
        a = at_front.call(method, "/docs/reports/q1", [["x-note", "2"]])
        held(a.status == 400 and b"first quarter" not in a.body, FRONT, f"{method}: {a}")
        w.last(act=method.capitalize() + "Object", why="InvalidToken", auth="sts", person="p-ines")
    plain = Caller(w.store, credentials["AccessKeyId"], credentials["SecretAccessKey"])
    held(plain.call("GET", "/docs/reports/q1").status == 403, FRONT, "without its token")
    owners = Caller(w.store)
    a = owners.call("GET", "/docs/reports/q1", [["x-amz-security-token", credentials["SessionToken"]]])
    held(a.status >= 400, FRONT, f"a session's token beside own credentials: {a}")
    assert w.session(credentials).call("GET", "/docs/reports/q1", [["x-note", "1"]]).status == 200


@attack("16", ("own-on-access", OWN))
def test_own_credentials_are_for_the_front_alone(case):
    w, credentials = staff(case)
    web, evil = Web(w.store, url=w.store.s3_access), EvilFront(w.store, ROLE_ACCESS)
    name, m = evil.ask(web.signed("GET", "/docs/reports/q1"))
    held(name == "ANSWER" and m["status"] == 403, OWN, f"a front of the provider's people was given a {name}")
    evil.close()
    for method, path in (("GET", "/docs/reports/q1"), ("HEAD", "/docs/reports/q1"), ("GET", "/docs"), ("PUT", "/docs/new"), ("DELETE", "/docs/reports/q1"), ("GET", "/")):
        a = web.request(method, path)
        held(a.status == 403, OWN, f"{method} {path}: {a.status}")
        assert by_id(w.store, a.id)["why"] == "AccessDenied"
    c = Caller(w.store, url=w.store.s3_access)
    held(c.send(c.presign("GET", "/docs/reports/q1")).status == 403, OWN, "presigned")
    held(c.send(c.plain("GET", "/docs/reports/q1")).status == 403, OWN, "unsigned")
    own = w.store.boto3()
    assert [x["Key"] for x in own.list_objects_v2(Bucket="docs")["Contents"]] == sorted(FORM), "nothing was written or removed"
