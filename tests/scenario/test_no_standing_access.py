# SPDX-License-Identifier: Apache-2.0
"""Somebody of the provider with every role there is tries every interface without a grant. The cases are the product's own tables: a row without one fails."""
import base64
import datetime
import json
import secrets

from lib import people, tables, tlog
from lib.attack import attack, held
from lib.case import limit, rows
from lib.people import HOUR, MIB, digest
from lib.raw import Caller, amz_date, hmac256, signing_key
from lib.standing import WORDS, Standing

# Where no session can be proven, so that a refusal is a count: a preflight carries no signature, and a form none of a session's.
UNPROVEN = {"BucketPreflight", "ObjectPreflight", "PostObject"}
REFUSED_BY = ("presigned", "repeated", "InvalidToken", "ExpiredToken")       # a leaf's `why` beside what decide() says


# -- the operation tables ------------------------------------------------------------------------------------------------------

def form(c, bucket, fields):
    """A form with a policy that this caller signed."""
    now = datetime.datetime.now(datetime.timezone.utc)
    day = now.strftime("%Y%m%d")
    fields = {**fields, "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": f"{c.key}/{day}/{c.region}/s3/aws4_request", "x-amz-date": amz_date(now)}
    policy = {"expiration": (now + datetime.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"), "conditions": [{k: v} for k, v in fields.items()]}
    fields["policy"] = base64.b64encode(json.dumps(policy).encode()).decode()
    fields["x-amz-signature"] = hmac256(signing_key(c.secret, day, c.region, "s3"), fields["policy"]).hex()
    body = "".join(f'--edge\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items())
    body = (body + '--edge\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nwritten by staff\r\n--edge--\r\n').encode()
    return c.plain("POST", bucket, [["Content-Type", "multipart/form-data; boundary=edge"]], body)


class Way:
    """How she comes to a front. log: where a leaf of each refusal must be; None: a count."""
    def __init__(self, caller, token=(), log=None, signs=True, presigns=False, service=None):
        self.caller, self.token, self.log, self.signs, self.presigns, self.service = caller, list(token), log, signs, presigns, service

    def send(self, method, target, headers, body, service="s3"):
        c = self.caller
        if (method, target) == ("POST", Standing.BUCKET):
            return c.send(form(c, target, {"key": Standing.WANTED, **dict(self.token)}))
        headers = [*headers, *self.token]
        if not self.signs:
            return c.send(c.plain(method, target, headers, body))
        if self.presigns:
            token = [["x-amz-security-token", v] for n, v in self.token]
            return c.send(c.presign(method, target, headers=[h for h in headers if h not in self.token and h[0].lower() != "content-type"], body=body,
                                    change=lambda p: p.update({"X-Amz-Security-Token": token[0][1]}) if token else None))
        return c.send(c.sign(method, target, headers, body, service=self.service or service))


def ways(w):
    s, out = w.store, {}
    for front, url in (("s3", s.endpoints["s3"]), ("access", s.s3_access)):
        c = lambda key=None, secret=None: Caller(s, key, secret, url=url)
        out[front, "nothing"] = Way(c(), signs=False)
        out[front, "an invented key"] = Way(c("AKIA" + "A" * 16, "invented"))
        out[front, "an invented session"] = Way(c("ASIA" + "A" * 16, "invented"), [["x-amz-security-token", secrets.token_urlsafe(300)]])
        for name, x in w.sessions.items():
            token = [["x-amz-security-token", x["SessionToken"]]]
            log = "other" if name == "other tenant" else "control"
            out[front, name] = Way(c(x["AccessKeyId"], x["SecretAccessKey"]), token, log, service="s3")
            out[front, name + ", wrong secret"] = Way(c(x["AccessKeyId"], "invented"), token, service="s3")
        x = w.sessions["elsewhere"]
        out[front, "presigned"] = Way(c(x["AccessKeyId"], x["SecretAccessKey"]), [["x-amz-security-token", x["SessionToken"]]], "control", presigns=True)
    out["access", "the customer's own key"] = Way(Caller(s, url=s.s3_access), log="access")
    return out


def iam(action):
    return "POST", "/", [["Content-Type", "application/x-www-form-urlencoded"]], f"Action={action}&Version=2010-05-08&UserName=eve".encode(), "iam"


def api(method, target, body=b""):
    return method, target, [], body, "tillit"


# What can be asked for and is no S3 operation. None: nothing that anybody sends names it.
ACTS = {
    "Undelete": api("POST", "/v1/undelete", b'{"bucket":"docs","key":"reports/q1"}'), "ReadOpenings": api("GET", "/v1/openings?log=control"),
    "WhoCan": api("GET", "/v1/who-can?bucket=docs&key=reports/q1"), "AddReader": None, "PurgeGrave": None, "LifecycleExpire": None, "LifecycleAbort": None,
    "ListTagsForResource": ("GET", "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Adocs", [["x-amz-account-id", "000000000000"]], b"", "s3"),
    "GetCallerIdentity": ("POST", "/", [["Content-Type", "application/x-www-form-urlencoded"]], b"Action=GetCallerIdentity&Version=2011-06-15", "sts"),
    **{a: iam(a) for a in ("CreateUser", "GetUser", "ListUsers", "DeleteUser", "CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey", "PutUserPolicy",
                           "GetUserPolicy", "ListUserPolicies", "DeleteUserPolicy", "ListGroups", "ListGroupsForUser", "ListAttachedUserPolicies", "ListRoles",
                           "ListOpenIDConnectProviders")},
}


def leaves(w, log):
    if log == "other":
        o = w.other_owner
        out = w.store.tillit("log", "query", w.store.dir, "--log", "control", "--json", env={"AWS_ACCESS_KEY_ID": o.key, "AWS_SECRET_ACCESS_KEY": o.secret})
        return [json.loads(x) for x in out.splitlines()]
    return w.store.log_records(log)


def check_leaves(w, asked):
    """asked: (where, name, log, request id). Each stands on its log, denied; gives the names that the gate itself knew them by, under a grant."""
    known = {log: {r["id"]: r for r in leaves(w, log) if "id" in r} for log in ("control", "access", "other")}
    named = {}
    for where, name, log, id in asked:
        leaf = known[log].get(id)
        held(leaf is not None, "a refusal is on no log", f"{where}: {name} {id} not on {log}")
        assert leaf["dec"] == "deny" or leaf["why"] in REFUSED_BY or log == "access" and leaf["why"] == "AccessDenied", (where, leaf)
        assert "bytes" not in leaf or leaf["bytes"] == 0 or leaf["dec"] == "deny", leaf
        named.setdefault(where, set()).add(leaf["act"])
    return named


@limit(100)
@rows("P2.01")
@attack("P2.01", ("staff-no-grant-needed", WORDS))
def test_every_operation_is_refused_without_a_grant(case):
    """Every S3 operation and other act, on both fronts, with nothing, with invented credentials and with those of every grant that is not for it."""
    w = Standing(case)
    held(w.session(w.sessions["elsewhere"]).call("GET", "/desk/open/hers").body == b"what she may read", "a grant opens what it is for")
    assert not tables.missing(tables.acts(), ACTS), "policy_act.def and the cases here differ"
    asked, operations = [], [(n, m, t, h, b, "s3") for n, m, t, h, b in tables.requests(w.BUCKET, w.WANTED, w.upload)]
    for where, way in ways(w).items():
        for name, method, target, headers, body, service in operations + [(n, *case_) for n, case_ in ACTS.items() if case_ and case_[4] != "tillit"]:
            a = way.send(method, target, headers, body, service)
            w.refused(f"{name} with {where}", a)
            if way.log and service == "s3" and name not in UNPROVEN:
                asked.append((where, name, way.log, a.get("x-amz-request-id")))
    for name, way in [(n, x) for n, x in ways(w).items() if n[0] == "s3"]:
        way.caller = Caller(w.store, way.caller.key, way.caller.secret, url=w.store.endpoints["api"])
        way.service = way.service and "tillit"
        for act, case_ in ACTS.items():
            if case_ and case_[4] == "tillit":
                w.refused(f"{act} with {name}", way.send(*case_))
    named = check_leaves(w, asked)
    # The gate itself knew them for what they are: a row that no request here reaches is missed.
    known = {o.name for o in tables.operations()} - UNPROVEN
    for where in (("access", "elsewhere"), ("access", "over"), ("s3", "elsewhere")):
        assert not known - named[where], (where, sorted(known - named[where]))
    w.unchanged()
    counted = [x for x in tlog.leaves(w.store.endpoints["logs"]["provider"]["url"]) if x["kind"] == "sum"]
    assert {"AccessDenied", "InvalidAccessKeyId"} & {x["why"] for x in counted}, counted
    assert any(r["kind"] == "sum" and r["why"] == "SignatureDoesNotMatch" for r in w.store.log_records("access"))
    w.replayed()


# -- statements ----------------------------------------------------------------------------------------------------------------

TAKEN = None                                       # it is hers to say; then nothing that she may read follows from it
SET = dict(employer="E", name="Eve", office="SE", person="p-eve")


def said(w):
    """{kind: [(why it must be refused or TAKEN, subject, terms)]}, by Eve, about the customer where the kind can name one."""
    p, own, days = w.people, lambda r, **more: {"request": r.digest, **more}, dict(training=people.now_ms(), screening=people.now_ms(), review=people.now_ms())
    key = dict(key=p.key("eves-second", sk=True).fingerprint)
    asks = dict(bucket="docs", verb=["list", "head", "read"], category="general", purpose="support-ticket", ticket="T", country="SE", duration=HOUR, objects=9, bytes=MIB)
    theirs = p.request(p.person("ines2", person="p-ines"), "docs")
    live = p.granted(w.ines, "docs", managers=[w.mats], prefix="reports/")                            # somebody else's, and it opens what she wants
    x = w.session(p.login(live, w.ines))
    w.settled()
    assert x.call("GET", f"{w.BUCKET}/reports/{w.name}").body == w.body
    assert [e["key"] for e in p.look(w.anna, live).answer["events"] if e["kind"] == "access"] == ["reports/" + w.name]
    live = live.grant
    wait, done, half = w.pending.grant, w.done.grant, w.half.grant
    officer, approver, owner = "not-officer", "not-approver", "not-owner"
    return {
        "genesis.provider": [(officer, None, {})], "genesis.tenant": [(owner, "000000000001", {})], "tenant.create": [(officer, "hers", {})],
        "key.add": [(owner, "000000000001", {}), (owner, w.store.info["account"], {})], "key.off": [(owner, w.store.info["access_key_id"], {})],
        "reader.add": [(owner, "control", {}), (owner, "access", {}), (officer, "provider", None)], "reader.off": [(owner, "a" * 26, {}), (officer, "a" * 26, None)],
        "person.set": [(officer, "eve", {**SET, **days, **key, "role": tables.roles()}), (officer, "new", {**SET, **days, **key, "role": "officer"})],
        "person.off": [(officer, "mats", {})], "purpose.set": [(officer, "improve", dict(role="support", verb="read", category="general"))],
        "approver.set": [(approver, "eve", {**key, "name": "Eve"}), (approver, "anna", {**key, "name": "Anna"})], "approver.off": [(approver, "anna", {})],
        "quorum.set": [(approver, None, dict(need=1))], "rule.set": [(approver, "*", dict(need=1)), (approver, "docs/reports/", dict(need=1, approver="eve"))],
        "rule.off": [(approver, "*", {})], "category.set": [(approver, "docs", dict(category="general"))],
        "purpose.limit": [(approver, "improve", dict(category="general", verb="read"))],
        "origin.set": [(approver, None, dict(origin="https://eve.example", rpid="eve.example"))], "recovery.set": [(approver, None, {**key, "need": 1})],
        "recovery.start": [("not-recovery", "eve", {**key, "name": "Eve"})], "recovery.cancel": [(approver, None, {})], "recovery.finish": [("not-recovery", None, {})],
        "agree": [(approver, None, dict(request=w.pending.digest))], "notice.set": [(approver, "eve", dict(webhook="https://eve.example/"))], "notice.off": [(approver, "eve", {})],
        "access.request": [(TAKEN, people.new_id(), asks), ("exists", done, asks),
                           ("purpose", people.new_id(), {**asks, "purpose": "improve"}), (TAKEN, people.new_id(), {**asks, "extends": w.elsewhere.grant, "bucket": "desk", "prefix": "open/"})],
        "access.approve": [("own-request", wait, own(w.pending)), ("own-request", half, own(w.half)), ("state", done, own(w.done)), (TAKEN, theirs.grant, own(theirs)),
                           ("same-person", theirs.grant, own(theirs)), ("no-grant", people.new_id(), own(theirs))],
        "access.reject": [("own-request", wait, own(w.pending))], "access.ask": [("own-request", wait, own(w.pending, text="why"))],
        "access.reply": [("state", wait, own(w.pending, text="because"))], "access.revoke": [("state", done, {}), ("not-yours", live, {}), (TAKEN, w.tomorrow.grant, {})],
        "access.complete": [("state", done, {}), ("not-requester", live, {})],
        "access.login": [("state", wait, dict(country="SE")), ("state", half, dict(country="SE")), ("state", done, dict(country="SE")), ("not-requester", live, dict(country="SE")),
                         ("no-grant", people.new_id(), dict(country="SE"))],
        "access.look": [(TAKEN, None, {}), (TAKEN, wait, {}), (TAKEN, w.elsewhere.grant, {}), (TAKEN, live, {})],               # a manager's part: who, when, how much; names are not
    }


def say(w, key, kind, subject, terms):
    """terms None: it names no tenant, where it may."""
    parts = tables.statements()[kind].parts
    tenant = w.people.tenant if "tenant" in parts and terms is not None else None
    more = {"scope": [key.fingerprint]} if "scope" in parts else {}
    text = people.text(kind, subject, tenant, terms or {}, **more)
    return w.people.send(text, key.sign(text), any=True), tenant


def on_log(w, tenant, said_, kind, why, key, provider):
    """The refusal is the leaf that its receipt names: on the control log of the tenant it names, opened; else on the provider's, as anybody sees it."""
    log, index = said_.answer["receipt"].split("/")
    if tenant:
        leaf = w.store.log_records("control")[int(index)]
        assert leaf["who"] == key.fingerprint and leaf["statement"] == said_.text and leaf["peer"] == "127.0.0.1", leaf
    else:
        leaf = provider()[int(index)]
    assert (leaf["kind"], leaf["act"], leaf["dec"], leaf["why"]) == ("stmt", kind, "deny", why), (said_, leaf)


@limit(120)
@rows("P2.01")
def test_every_statement_kind_by_every_role_opens_nothing(case):
    """Every kind of statement, by who has all roles and by an officer's key: refused with a leaf that says why; what is theirs to say opens nothing."""
    w = Standing(case)
    w.people.purpose("improve", roles=tables.roles())
    cases = said(w)
    assert not tables.missing(tables.statements(), cases), "statement.def and the cases here differ"
    told = []
    for kind, tries in cases.items():
        for why, subject, terms in tries:
            x, tenant = say(w, w.eve.key, kind, subject, terms)
            w.harmless(f"{kind} by eve", x.answer)
            held(x.why == why, WORDS if x.ok else f"{kind} {subject}: refused for another reason", f"{x}, not {why}")
            if why is not TAKEN:
                told.append((tenant, x, kind, why, w.eve.key))
            else:
                w.no_read_follows(f"{kind} {subject}")
    # An officer's own key: what is the provider's to say stands on its log; the customer's side and grants are not.
    officer = w.people.officer
    for kind, tries in cases.items():
        if kind in ("person.set", "person.off", "purpose.set", "access.look", "access.revoke"):                # an officer's to say
            continue
        for _, subject, terms in tries:
            x, tenant = say(w, officer, kind, subject, terms)
            w.harmless(f"{kind} by an officer", x.answer)
            held(not x.ok or terms is None, WORDS, f"{kind} {subject} by an officer: {x}")
            if not x.ok:
                told.append((tenant, x, kind, x.why, officer))
    for kind in ("access.look", "purpose.set", "person.set"):
        for n, (_, subject, terms) in enumerate(cases[kind]):
            x, _ = say(w, officer, kind, subject, terms)
            assert x.ok == (kind != "access.look") or n > 0, x
            w.harmless(f"{kind} by an officer", x.answer)
            w.no_read_follows(f"{kind} {subject} by an officer")
    control, provider = w.store.log_records("control"), tlog.leaves(w.store.endpoints["logs"]["provider"]["url"])
    w.store.log_records = lambda log: control
    for x in told:
        on_log(w, *x, lambda: provider)
    del w.store.log_records
    assert len(told) > 60, len(told)
    w.no_read_follows("at the end")
    w.unchanged()
    w.replayed()


def test_a_row_without_a_case_is_missed(case):
    """The tables are read whole, and one row more or less than there are cases is told by its name."""
    for rows_ in (tables.acts(), tables.statements(), tables.messages(), tables.commands(), tables.programs()):
        cases = {r: 1 for r in rows_}
        assert not tables.missing(rows_, cases) and tables.missing([*rows_, "NewOne"], cases) == ["NewOne"]
        gone = cases.popitem()[0]
        assert tables.missing(rows_, cases) == [gone]
    for found, right in ((["one"], False), (["one", "two"], True)):
        try:
            read = bool(tables.whole(found, "S3_OP(BUCKET, 1)\n  S3_OP(a, b)\n", "S3_OP"))
        except AssertionError:
            read = False
        assert read == right, found
