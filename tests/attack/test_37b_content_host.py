# SPDX-License-Identifier: Apache-2.0
"""Attack 37b: somebody who may write objects stores a page with a script, and an approver opens it in the browser that holds their passkey. The script wants an
approval signed, the approvers' page and the API. The browser gives it no signature for their site; where operator and customer gave all of it one name, the store
refuses the origin; and there is no cookie, no open answer and no frame to make anything of."""
import json
import urllib.parse

import boto3
from botocore.config import Config

from lib.attack import attack, held, store
from lib.case import limit
from lib.chromium import Chromium
from lib.people import People, text
from lib.raw import Caller

WORDS = "an approval that a page at the content host got signed was taken"
# What the script finds out, in window.found: how each of its tries went.
EVIL = b"""<!DOCTYPE html><title>holiday pictures</title><body><script>
window.found = (async () => {
    const job = JSON.parse(decodeURIComponent(location.hash.slice(1))), got = { cookie: document.cookie, kept: localStorage.getItem("tillit") };
    const tried = async (name, f) => { try { got[name] = await f(); } catch (e) { got[name] = e.name; } };
    const b64 = (x) => btoa(String.fromCharCode(...new Uint8Array(x))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const bytes = (s) => Uint8Array.from(atob(s.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    await tried("assertion", async () => {
        const a = await navigator.credentials.get({ publicKey: { challenge: await crypto.subtle.digest("SHA-256", new TextEncoder().encode(job.statement)), rpId: job.rpid,
            userVerification: "required", allowCredentials: [{ type: "public-key", id: bytes(job.credential) }] } });
        return { authenticatorData: b64(a.response.authenticatorData), clientDataJSON: b64(a.response.clientDataJSON), credential: b64(a.rawId), signature: b64(a.response.signature) };
    });
    const body = JSON.stringify({ statement: job.statement, assertion: got.assertion }), post = { method: "POST", body, credentials: "include" };
    await tried("json", async () => (await fetch(job.api + "/v1/statements", { ...post, headers: { "content-type": "application/json" } })).status);
    await tried("plain", async () => (await fetch(job.api + "/v1/statements", post)).status);
    await tried("blind", async () => (await fetch(job.api + "/v1/statements", { ...post, mode: "no-cors" })).type);
    await tried("page", async () => (await fetch(job.api + "/console/", { credentials: "include" })).status);
    await tried("who-can", async () => (await fetch(job.api + "/v1/who-can?bucket=docs&key=x", { credentials: "include" })).status);
    await tried("script", () => new Promise((go) => { const s = document.createElement("script"); s.type = "module"; s.src = job.api + "/console/console_say.js";
        s.onload = () => go("ran"); s.onerror = () => go("refused"); document.body.append(s); }));
    await tried("frame", () => new Promise((go) => { const f = document.createElement("iframe"); f.src = job.api + "/console/"; document.body.append(f);
        f.onload = () => { try { go(f.contentDocument.title); } catch (e) { go(e.name); } }; setTimeout(() => go("nothing"), 3000); }));
    await tried("window", async () => { const w = open(job.api + "/console/"); await new Promise((go) => setTimeout(go, 1500)); return w === null || w.closed ? "closed" : w.document.title; });
    return got;
})();
</script>"""


def content(s, host):
    """The link that the approver is sent: the object's page at one of the content host's names."""
    port = s.endpoints["s3"].rsplit(":", 1)[1]
    key, secret = s.credentials
    c = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name=s.info["region"], aws_access_key_id=key, aws_secret_access_key=secret,
                     config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
    return c.generate_presigned_url("get_object", Params={"Bucket": "docs", "Key": "holiday.html"}, ExpiresIn=600)


def enrolled(page, p):
    """Anna's passkey, made on the approvers' page in this browser."""
    page.authenticator()
    page.fill("#enrol-id", "anna"), page.fill("#enrol-name", "Anna Lind")
    page.run("document.querySelector('#enrolling').open = true")
    page.click("#enrol button")
    term = page.wait("!document.querySelector('#enrolled').hidden && document.querySelector('#term').innerText")
    p.say(p.owner, "approver.set", "anna", key=[term, p.key("anna").fingerprint], name="Anna Lind")
    return term.split(":")[2]


def opened(page, url, job):
    page.go(url + "#" + urllib.parse.quote(json.dumps(job)))
    return page.run("await window.found")


@limit(180)
@attack("37b", ("passkey-origin-unchecked", WORDS))
def test_a_page_at_the_content_host_gets_nothing_signed(case):
    s = store(case)
    assert Caller(s).call("PUT", "/docs").status == 200
    s.boto3().put_object(Bucket="docs", Key="holiday.html", Body=EVIL, ContentType="text/html")
    p, api = People(s), s.endpoints["api"].replace("127.0.0.1", "localhost")
    p.purpose()
    ines, mats = p.person("ines"), p.person("mats", roles=["manager"])
    p.say(p.owner, "origin.set", origin=api, rpid="localhost")
    with Chromium(case) as browser:
        page = browser.page(api + "/console/")
        credential, anna = enrolled(page, p), p.key("anna")
        r = p.request(ines, "docs", prefix="reports/")
        p.approve(r, mats)
        for host, browser_says in (("127.0.0.1", "SecurityError"), ("content.localhost", "SecurityError"), ("localhost", None)):
            said = text("access.approve", r.grant, p.tenant, {"request": r.digest})
            got = opened(page, content(s, host), {"api": api, "rpid": "localhost", "credential": credential, "statement": said})
            if browser_says:
                assert got["assertion"] == browser_says, got
            else:                                  # one name for all: the browser signs, and says which page that was
                answer = p.send(said, got["assertion"], any=True)
                held(not answer.ok and p.look(anna, r).answer["state"] == "customer-pending", WORDS, answer)
                assert answer.why == "origin", answer
            assert got["cookie"] == "" and got["kept"] is None, got
            for name in ("json", "plain", "page", "who-can"):
                assert got[name] == "TypeError", (host, name, got)                     # nothing of an answer may be read
            assert got["blind"] in ("opaque", "TypeError") and got["script"] == "refused" and got["frame"] not in ("Tillit: access to your data",), (host, got)
            assert got["window"] in ("closed", "SecurityError", "TypeError"), (host, got)
            held(p.look(anna, r).answer["state"] == "customer-pending", WORDS, host)
        acts = [(x["act"], x["dec"]) for x in s.log_records("control") if x.get("act") == "access.approve"]
        held(acts == [("access.approve", "allow")], WORDS, acts)                       # the manager's
