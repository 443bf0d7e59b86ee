# SPDX-License-Identifier: Apache-2.0
"""The approvers' page as a person uses it: headless Chromium with its virtual authenticator, against a store that runs (docs/ops/access-approver.md)."""
import hashlib
import json
import os
import random
import shutil
import subprocess

import boto3
import botocore.exceptions
from botocore.config import Config

from lib.case import ROOT, limit, node_at_least, rows
from lib.chromium import Chromium
from lib.passkey import Passkey, b64
from lib.people import MIB, People, text
from lib.raw import Caller

EVIL = "reports/2026/<img src=x onerror=alert(1)>\u202egpj.exe"


def site(s):
    """The API's origin by the name that browsers take a passkey at without TLS."""
    return s.endpoints["api"].replace("127.0.0.1", "localhost")


def world(case):
    s = case.store()
    c = Caller(s)
    assert c.call("PUT", "/docs").status == 200
    s.boto3().put_object(Bucket="docs", Key=EVIL, Body=b"x" * 1000)
    s.boto3().put_object(Bucket="docs", Key="reports/2025", Body=b"x")
    p = People(s)
    p.purpose()
    ines, mats = p.person("ines", employer="Öst & <b>Väst</b> AB", subprocessor="hosting"), p.person("mats", roles=["manager"])
    p.say(p.owner, "origin.set", origin=site(s), rpid="localhost")
    return s, p, ines, mats


def enrol(page, id, name):
    """The key line that the page shows for a passkey it made."""
    page.run("document.querySelector('#enrolling').open = true")
    for selector, value in (("#enrol-id", id), ("#enrol-name", name)):
        page.fill(selector, value)
    page.click("#enrol button")
    page.wait("!document.querySelector('#enrolled').hidden")
    return page.text("#term")


def look(page, tenant):
    page.fill("#tenant", tenant)
    page.click("#look button")


def said(page, text):
    page.wait(f"document.querySelector('#status').innerText.includes({json.dumps(text)})")


def staff(s, credentials):
    return boto3.client("s3", endpoint_url=s.s3_access, region_name=s.info["region"], aws_access_key_id=credentials["AccessKeyId"],
                        aws_secret_access_key=credentials["SecretAccessKey"], aws_session_token=credentials["SessionToken"],
                        config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))


def shown(page, r):
    """All that P2.11 wants shown before the yes, as the requester's text and the provider's officers have it."""
    card = page.text(f"#grant-{r.grant}")
    for fact in ("Ines Berg (ines)", "Öst & <b>Väst</b> AB", "category hosting", "Office in\nSE", "Is now in\nSE", "support-ticket", "T-1001", "docs", "reports/", "head, list, read",
                 "Kinds of data\ngeneral", "1 h", "20 reads", "10 MiB (10485760 bytes)", "every request under this grant", r.digest, "customer-pending"):
        assert fact in card, f"{fact!r} is not shown:\n{card}"


def approve(page, r):
    """Narrowed to 5 MiB, one year, half an hour."""
    card = f"#grant-{r.grant}"
    fields = dict(zip(("prefix", "bytes", "reads", "for"), range(1, 5)))
    for name, value in (("prefix", "reports/2026/"), ("bytes", "5 MiB"), ("for", "30 min")):
        page.run(f"document.querySelectorAll('{card} form:not([class]) label:not(.check) input')[{fields[name] - 1}].value = {json.dumps(value)}")
    page.click(f"{card} form:not([class]) button")
    review = page.text(f"{card} pre:not(details pre)")
    assert review.split("\n") == ["bytes=5242880", "duration=1800000", "prefix=reports/2026/", "request=" + r.digest], review
    page.click(f"{card} button.yes")
    said(page, "Approved: it is approved now")


@limit(180)
@rows("P2.06", "P2.11", "P2.13")
def test_an_approver_with_a_passkey_approves_watches_and_ends(case):
    """Anna enrols a passkey on the page, reads a request, approves less than was asked for, watches each access appear, and ends it from there."""
    s, p, ines, mats = world(case)
    with Chromium(case) as browser:
        page = browser.page(site(s) + "/console/")
        page.authenticator()
        term = enrol(page, "anna", "Anna Lind")
        assert f"tillit approver set anna name='Anna Lind' key={term}" in page.text("#commands") and f"origin={site(s)} rpid=localhost" in page.text("#commands")
        look(page, p.tenant)
        said(page, "unknown-signer")
        p.say(p.owner, "approver.set", "anna", key=term, name="Anna Lind")
        r = p.request(ines, "docs", prefix="reports/")
        p.approve(r, mats)
        look(page, p.tenant)
        page.wait(f"document.querySelector('#grant-{r.grant}')")
        shown(page, r)
        approve(page, r)
        last = s.log_records("control")[-1]
        assert (last["act"], last["auth"], last["dec"]) == ("access.approve", "passkey", "allow"), last

        page.click(f"#grant-{r.grant} button.open")
        page.wait(f"document.querySelector('#grant-{r.grant} tbody')")
        web = staff(s, p.login(r, ines))
        page.wait(f"document.querySelector('#grant-{r.grant} .state').innerText == 'active'", 5)
        before = len(s.log_records("control"))
        assert len(web.get_object(Bucket="docs", Key=EVIL)["Body"].read()) == 1000
        row = f"document.querySelector('#grant-{r.grant} tbody tr')?.innerText"
        text = page.wait(f"{row}?.includes('GetObject') && {row}", 5)
        assert "<img src=x onerror=alert(1)>\u27e8U+202E\u27e9gpj.exe" in text and "\u202e" not in text and "p-ines, SE" in text, text
        try:
            web.get_object(Bucket="docs", Key="reports/2025")
            raise AssertionError("read outside what was approved")
        except botocore.exceptions.ClientError as e:
            assert e.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        page.wait(f"{row}?.includes('refused: grant-scope')", 5)
        assert "1 read, 1000 bytes" in page.text(f"#grant-{r.grant}") and len(s.log_records("control")) == before + 2       # watching itself is no leaf

        page.fill(f"#grant-{r.grant} form.access-revoke input", "that was not what the ticket is about")
        page.click(f"#grant-{r.grant} form.access-revoke button")
        said(page, "It is revoked now")
        page.wait(f"document.querySelector('#grant-{r.grant} .state').innerText == 'revoked'", 5)
        try:
            web.get_object(Bucket="docs", Key=EVIL)
            raise AssertionError("read after the end")
        except botocore.exceptions.ClientError as e:
            assert e.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403), e
        if case.keep:
            page.png(case.path("page.png"))
        wrong = [x for x in page.complaints() if "403" not in json.dumps(x)]
        assert not wrong, wrong


@limit(120)
def test_questions_rejections_and_changes_on_the_page(case):
    """Ask and reject; propose another approver's passkey, whom the first one then agrees to; what may not be signed is refused before the authenticator asks."""
    s, p, ines, mats = world(case)
    with Chromium(case) as browser:
        page = browser.page(site(s) + "/console/")
        page.authenticator()
        p.say(p.owner, "approver.set", "anna", key=enrol(page, "anna", "Anna Lind"), name="Anna Lind")
        r = p.request(ines, "docs", prefix="reports/", text="the invoices of \u00c5sa are wrong")
        p.approve(r, mats)
        look(page, p.tenant)
        card = f"#grant-{r.grant}"
        page.wait(f"document.querySelector('{card}')")
        assert "the invoices of \u00c5sa are wrong" in page.text(card)
        for field, value, words in ((1, "11 MiB", "only narrow"), (0, "other/", "only narrow"), (1, "many", "sizes are like"), (2, "0", "sizes are like")):
            old = page.run(f"document.querySelectorAll('{card} form:not([class]) label:not(.check) input')[{field}].value")
            page.run(f"document.querySelectorAll('{card} form:not([class]) label:not(.check) input')[{field}].value = {json.dumps(value)}")
            page.click(f"{card} form:not([class]) button")
            said(page, words)
            page.run(f"document.querySelectorAll('{card} form:not([class]) label:not(.check) input')[{field}].value = {json.dumps(old)}")
        page.fill(f"{card} form.access-ask input", 'why "all" of it?')
        page.click(f"{card} form.access-ask button")
        said(page, "a character that no statement may have")
        page.fill(f"{card} form.access-ask input", "why all of it?")
        page.click(f"{card} form.access-ask button")
        said(page, "It is more-info now")
        p.reply(r, "only 2026, then")
        page.click(f"{card} button.open")
        page.wait(f"document.querySelector('{card}').innerText.includes('only 2026, then')")
        page.click(f"{card} form.access-reject button")
        said(page, "It is rejected now")

        p.say(p.owner, "quorum.set", need=2, why="not-approver")
        bo = p.key("bo")
        page.fill("#enrol-id", "bo"), page.fill("#enrol-name", "Bo Holm"), page.fill("#propose-keys", bo.fingerprint)
        page.click("#propose button")
        said(page, "it has its effect")
        p.say(bo, "quorum.set", need=2)
        waits = p.say(bo, "rule.set", "docs/hr/", need=1, deny_employer="Öst & <b>Väst</b> AB")
        page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.fill("#proposal", waits.text)
        page.click("#agree button")
        page.wait("document.querySelector('#agreeing button')")
        assert all(x in page.text("#agreeing") for x in ("rule.set", "docs/hr/", "Öst & <b>Väst</b> AB", waits.digest))
        page.click("#agreeing button")
        said(page, "Agreed: it has its effect")


@limit(120)
def test_the_page_is_ours_alone(case):
    """What the page is served with: its policy, no framing, nothing of others; only its own files; and a passkey without PIN or finger does not sign."""
    s, p, ines, mats = world(case)
    c = Caller(s, url=s.endpoints["api"])
    r = c.send(c.plain("GET", "/console/"))
    assert r.status == 200 and r.get("content-type") == "text/html; charset=utf-8"
    policy = r.get("content-security-policy")
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "require-trusted-types-for 'script'" in policy and "unsafe" not in policy, policy
    assert r.get("x-content-type-options") == "nosniff" and r.get("x-frame-options") == "DENY"
    for method, path, status in (("GET", "/console/console.js", 200), ("HEAD", "/console/console.css", 200), ("GET", "/console/nginx.conf", 404), ("GET", "/console/../nginx.conf", 404),
                                 ("GET", "/console/%2e%2e/nginx.conf", 404), ("GET", "/console", 404), ("POST", "/console/", 405), ("PUT", "/console/x", 405)):
        got = c.send(c.plain(method, path)).status
        assert got == status or (status >= 400 and 400 <= got < 500), (method, path, got)
    with Chromium(case) as browser:
        page = browser.page(site(s) + "/console/")
        page.authenticator(verified=False)
        page.fill("#enrol-id", "anna"), page.fill("#enrol-name", "Anna")
        page.run("document.querySelector('#enrolling').open = true")
        page.click("#enrol button")
        page.wait("document.querySelector('#status').className == 'bad'")
        assert page.run("document.querySelector('#enrolled').hidden")


LIES = {"another budget": "g.request = g.request.replace('bytes=10485760', 'bytes=1048576')", "another tenant": "g.request = g.request.replace(/\"tenant\":\"./, '\"tenant\":\"7')",
        "another grant": "g.id = g.id.replace(/^./, 'z')", "no request": "delete g.request", "other words": "g.request = '{\"kind\":\"access.request\"}'",
        "another digest": "g.digest = g.digest.replace(/^./, '-')"}


@limit(120)
def test_an_answer_that_does_not_hold_together_cannot_be_approved(case):
    """The page reads the request from the text that was signed: whatever the store says beside it, nothing is offered to sign; and a smaller budget beside it is no budget."""
    s, p, ines, mats = world(case)
    with Chromium(case) as browser:
        page = browser.page(site(s) + "/console/")
        page.authenticator()
        p.say(p.owner, "approver.set", "anna", key=enrol(page, "anna", "Anna Lind"), name="Anna Lind")
        r = p.request(ines, "docs", prefix="reports/")
        p.approve(r, mats)
        page.run("window.honest = window.fetch")
        for name, lie in LIES.items():
            page.run("window.fetch = async (...a) => { const r = await honest(...a), j = await r.json(); for (const g of j.grants ?? []) { %s } return new Response(JSON.stringify(j)); }" % lie)
            page.run("document.querySelector('#requests').replaceChildren()")
            look(page, p.tenant)
            page.wait("document.querySelector('article .bad')")
            assert page.run("document.querySelectorAll('article form, article button').length") == 0, name
        page.run("window.fetch = async (...a) => { const r = await honest(...a), j = await r.json(); for (const g of j.grants ?? []) g.budget.bytes = 1; return new Response(JSON.stringify(j)); }")
        look(page, p.tenant)
        card = f"#grant-{r.grant}"
        page.wait(f"document.querySelector('{card} form')")
        page.click(f"{card} form:not([class]) button")
        assert "bytes=1\n" in page.text(f"{card} pre:not(details pre)"), page.text(card)


# What console_say.js makes of a job, under node: each answer beside what this file, or the vectors, say.
NODE = """
import * as say from "./console_say.mjs";
const job = JSON.parse(await new Promise((go) => { let s = ""; process.stdin.on("data", (d) => (s += d)).on("end", () => go(s)); }));
const tried = (f) => { try { return f(); } catch (e) { return "refused"; } };
console.log(JSON.stringify({
    texts: job.texts.map(([kind, tenant, subject, terms, t, nonce]) => tried(() => say.statement(kind, tenant, subject ?? undefined, terms, t, say.fromBase64url(nonce)))),
    digests: await Promise.all(job.texts.map((x) => say.digest(x[6]))), read: job.reads.map((x) => say.read(x) !== null), prefixes: job.prefixes.map(say.encodePrefix),
    keys: job.keys.map(([a, id, spki]) => say.passkeyTerm(a, say.fromBase64url(id), say.fromBase64url(spki))), seen: job.seen.map(say.seen),
    bytes: job.sizes.map(say.bytes), spans: job.spans.map(say.duration), size: job.sizes.map((x) => say.size(say.bytes(x))), span: job.spans.map((x) => say.span(say.duration(x))),
}));
"""


def spki(key):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    return b64(key.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def test_the_page_spells_statements_as_the_store_reads_them(case):
    """The page's texts, byte for byte, beside those of Python and of the vectors; what no statement may hold is refused; keys, sizes and what is not seen."""
    node, chance = node_at_least(18), random.Random(5)
    shutil.copy(os.path.join(ROOT, "src/front/web/console_say.js"), case.path("console_say.mjs"))
    tenant, letters = "aaaqeayeaudaocajbifqydiob4", ["a", "z", "=", " ", "<", "\u00e5", "\u0416", "\ufffd", "\U0001f511", "\u3042", "/", "~", "%"]
    texts = []
    for i in range(200):
        subject, nonce = chance.choice([None, "a" * 26, "docs/x"]), b64(chance.randbytes(16))
        terms = {"text": "".join(chance.choices(letters, k=chance.randrange(1, 20))), "verb": chance.sample(["list", "head", "read"], 2), "bytes": chance.randrange(1 << 53),
                 "deny-employer": ["".join(chance.choices(letters, k=3)) for _ in range(3)]}
        terms["deny-employer"] = sorted(set(terms["deny-employer"]))
        texts.append(["rule.set", tenant, subject, terms, 1764000000000 + i, nonce, text("rule.set", subject, tenant, terms, t=1764000000000 + i, nonce=nonce)])
    bad = [["agree", tenant, None, {"text": x}, 1, b64(bytes(16)), "x"] for x in ('"', "\\", "\n", "\u202e", "\u200b", "\u2028", "\x7f", "\u3164", "\ud800", "\ue000")]
    with open(os.path.join(ROOT, "tests/vectors/webauthn/vectors.tsv")) as f:
        vectors = [line.rstrip("\n").split("\t") for line in f]
    reads = [x[6] for x in texts[:20]] + [vectors[0][3]] + [texts[0][6][:-1], texts[0][6] + " ", texts[0][6].replace(":", ": ", 1), "[]", "null", '{"kind":1}', "", '{"kind":"a","kind":"a"}']
    prefixes = ["a b/\u00e5~-_.", "".join(map(chr, range(1, 128))), "\U0001f511"]
    es, ed = Passkey("x", "https://x"), Passkey("x", "https://x", "EdDSA")
    seen = {"a\u202eb": "a\u27e8U+202E\u27e9b", "\n": "\u27e8U+000A\u27e9", " \u00a0": " \u27e8U+00A0\u27e9", "\U000e0041": "\u27e8U+E0041\u27e9", "\u00e5\U0001f511": "\u00e5\U0001f511"}
    sizes = {"5MiB": (5 * MIB, "5 MiB (5242880 bytes)"), "5 MiB": (5 * MIB, "5 MiB (5242880 bytes)"), "500": (500, "500 bytes"), "1025": (1025, "1 KiB (1025 bytes)"), "1 GiB": (1 << 30, "1 GiB (1073741824 bytes)")}
    spans = {"1h30min": (5400000, "1 h 30 min"), "4 h": (14400000, "4 h"), "1 min": (60000, "1 min")}
    job = {"texts": texts + bad, "reads": reads, "prefixes": prefixes, "keys": [[-7, es.credential, spki(es)], [-8, ed.credential, spki(ed)]], "seen": list(seen),
           "sizes": [*sizes, "x", "5 TB", "-1", "1.5 MiB"], "spans": [*spans, "", "1", "1 s"]}
    r = subprocess.run([node, case.path("console_test.mjs", NODE.encode())], input=json.dumps(job), capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    got = json.loads(r.stdout)
    for mine, theirs in zip(got["texts"], texts):
        assert mine == theirs[6], (mine, theirs[6])
    assert got["texts"][len(texts):] == ["refused"] * len(bad), got["texts"][len(texts):]
    assert got["digests"][:len(texts)] == [b64(hashlib.sha256(x[6].encode()).digest()) for x in texts]
    assert got["read"] == [True] * 21 + [False] * (len(reads) - 21), got["read"]
    from urllib.parse import quote
    assert got["prefixes"] == [quote(x, safe="/~-_.") for x in prefixes], got["prefixes"]
    assert got["keys"] == [es.term, ed.term] and got["seen"] == list(seen.values()), (got["keys"], got["seen"])
    assert got["bytes"][:len(sizes)] == [x[0] for x in sizes.values()] and got["bytes"][len(sizes):] == [None] * 4, got["bytes"]
    assert got["size"][:len(sizes)] == [x[1] for x in sizes.values()] and got["span"][:len(spans)] == [x[1] for x in spans.values()], (got["size"], got["span"])
    assert got["spans"] == [x[0] for x in spans.values()] + [None] * 3, got["spans"]
