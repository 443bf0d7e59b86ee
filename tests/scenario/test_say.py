# SPDX-License-Identifier: Apache-2.0
"""`tillit say` and its short names, against statements written by hand and signatures checked by ssh-keygen: no store is needed for these."""
import http.server
import json
import os
import re
import subprocess
import threading

from lib import people, tables

TENANT = "aaaqeayeaudaocajbifqydiob4"
HASH = "A" * 43
TYPED = {                              # term: what a person types, what the statement says
    "after": ("7", "7"), "approver": ("anna,bo", ["anna", "bo"]), "bucket": ("docs", "docs"), "bytes": ("10MiB", "10485760"), "category": ("hr", "hr"),
    "country": ("SE", "SE"), "deny-country": ("US,CN", ["CN", "US"]), "deny-employer": ("Öst AB", "Öst AB"), "duration": ("1h30min", "5400000"),
    "employer": ("Nord AB", "Nord AB"), "extends": ("b" * 25 + "a", "b" * 25 + "a"), "lapse": ("12h", "43200000"), "mail": ("a@example.org", "a@example.org"),
    "manager": ("mats", "mats"), "name": ("Åsa Öman", "Åsa Öman"), "need": ("2", "2"), "objects": ("20", "20"), "office": ("SE", "SE"),
    "origin": ("https://sign.example", "https://sign.example"), "person": ("p-1", "p-1"), "prefix": ("år/2026/", "%C3%A5r/2026/"), "purpose": ("ticket", "ticket"),
    "request": (HASH, HASH), "review": ("2026-11-24", "1795478400000"), "role": ("support,manager", ["manager", "support"]), "rpid": ("sign.example", "sign.example"),
    "screening": ("2026-11-24", "1795478400000"), "start": ("2026-11-24T10:00", "1795514400000"), "subprocessor": ("sub", "sub"), "text": ("why = because", "why = because"),
    "ticket": ("T-1", "T-1"), "training": ("2026-11-24", "1795478400000"), "verb": ("read,list", ["list", "read"]), "webhook": ("https://h.example/x", "https://h.example/x"),
}
SUBJECT = {"rule.set": ("docs/år", "docs/%C3%A5r"), "rule.off": ("docs/år", "docs/%C3%A5r")}


def kinds():
    """(kind, parts allowed, terms required, terms beside them) of statement.def."""
    found = list(tables.statements().values())
    assert len(found) > 30 and sum("text" in row.more for row in found) > 5, found
    return found


def tillit(case, *args, env=None, **kw):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TILLIT_")}
    return subprocess.run([os.path.join(case.build, "tillit"), *args], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env={**clean, **(env or {})}, **kw)


def typed(kind, parts, terms, key):
    """(arguments, the statement's subject, its terms)."""
    args, said, subject = [], {}, None
    for t in terms:
        word, value = (key.path + ".pub", key.fingerprint) if t == "key" else TYPED[t]
        args.append(f"{t}={word}")
        said[t] = value
    if "subject" in parts:
        word, subject = SUBJECT.get(kind, ("c" * 25 + "a",) * 2)
        args.insert(0, word)
    if "tenant" in parts:
        args += ["--tenant", TENANT]
    return args, subject, said


def test_every_kind_is_written_as_by_hand(case):
    """`tillit say KIND` and the kind's short name, with all its terms and with those it must have, write byte for byte what the specification says."""
    key = people.Key(case.path("key"))
    count = 0
    for kind, parts, required, more in kinds():
        for terms in (required, required + more):
            args, subject, said = typed(kind, parts, terms, key)
            scope = [key.fingerprint] if "scope" in parts else None
            if scope:
                args += ["--scope", scope[0]]
            commands = [["say", kind]] if kind in people.OLD_KINDS else [["say", kind], kind.split(".")]
            for command in commands:
                r = tillit(case, *command, *args, "--print")
                assert r.returncode == 0, (command, args, r.stderr)
                got = json.loads(r.stdout)
                more_keys = {"scope": scope} if scope else {}
                want = people.text(kind, subject, TENANT if "tenant" in parts else None, said, t=got["t"], nonce=got["nonce"], **more_keys)
                assert r.stdout == want, f"{r.stdout}\nnot\n{want}"
                count += 1
    assert count > 120, count


def test_what_is_missing_or_too_much_is_named(case):
    """Without one of its required terms, with one of another kind, with one twice: usage, exit 2, and the term's name."""
    key = people.Key(case.path("key"))
    for kind, parts, required, more in kinds():
        if kind in people.OLD_KINDS:
            continue
        args, _, _ = typed(kind, parts, required, key)
        for gone in required:
            r = tillit(case, "say", kind, *[a for a in args if not a.startswith(gone + "=")], "--print")
            assert r.returncode == 2 and f"{gone} is missing" in r.stderr and not r.stdout, (kind, gone, r)
        other = next(t for t in TYPED if t not in required + more)
        r = tillit(case, "say", kind, *args, f"{other}={TYPED[other][0]}", "--print")
        assert r.returncode == 2 and f"has no {other}" in r.stderr and not r.stdout, (kind, other, r)
    r = tillit(case, "quorum", "set", "need=1", "need=2", "--tenant", TENANT, "--print")
    assert r.returncode == 2 and "need is there twice" in r.stderr, r
    r = tillit(case, "quorum", "set", "need=two", "--tenant", TENANT, "--print")
    assert r.returncode == 2 and "need=two" in r.stderr, r
    for args in (["say", "no.kind"], ["person", "dance"], ["quorum", "set", "colour=red"], ["quorum", "set", "--colour", "red"], ["quorum", "set", "need=1", "--tenant", "x", "--print"]):
        assert tillit(case, *args).returncode == 2, args


def test_who_agrees_sees_to_what(case):
    """agree --proposal shows the proposal's text in words and signs its digest; a text of another digest or tenant, or no statement, is not signed."""
    g, key = gate(), people.Key(case.path("key"))
    text = people.text("rule.set", "docs/", TENANT, dict(need=2, deny_country="US", lapse=7200000))
    proposal = case.path("proposal", text.encode() + b"\n")
    args = ["agree", "--tenant", TENANT, "--key", key.path, "--endpoint", g.url]
    r = tillit(case, *args, "--proposal", proposal)
    assert r.returncode == 0 and all(w in r.stderr for w in ("rule.set", "docs/", "US", "2 h")), r
    assert verified(case, g.got.pop(), key)["terms"] == ["request=" + people.digest(text)]
    for wrong in (["--proposal", proposal, "--request", HASH], ["--proposal", case.path("x", b"{}")], ["--proposal", case.path("nothing")],
                  ["--proposal", case.path("other", people.text("quorum.set", None, "b" * 25 + "a", dict(need=1)).encode())]):
        r = tillit(case, *args, *wrong)
        assert r.returncode == 2 and not g.got, (wrong, r)


class Gate(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent, and answers what it was told to."""
    def do_POST(self):
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        status, answer = self.server.answers.pop(0) if self.server.answers else (200, {"result": "done"})
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def gate():
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    s.got, s.answers = [], []
    threading.Thread(target=s.serve_forever, daemon=True).start()
    s.url = f"http://127.0.0.1:{s.server_address[1]}"
    return s


def verified(case, sent, key):
    """ssh-keygen takes the signature over exactly that text, by that key."""
    with open(key.path + ".pub") as f:
        allowed = case.path("allowed", b"who " + f.read().encode())
    signature = case.path("signature", sent["signature"].encode())
    r = subprocess.run(["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "who", "-n", "tillit-statement@v1", "-s", signature], input=sent["statement"],
                       capture_output=True, text=True)
    assert r.returncode == 0, r
    return json.loads(sent["statement"])


def test_keys_of_each_sort_sign(case):
    """An ed25519 file, one with a passphrase in an agent, a security key: all sign. Others, and a key that nobody touches, are refused by name before anything is sent."""
    g = gate()
    args = ["quorum", "set", "need=2", "--tenant", TENANT, "--endpoint", g.url]
    plain, sk = people.Key(case.path("plain")), people.Key(case.path("sk"), sk=True)
    for key in (plain, sk):
        r = tillit(case, *args, "--key", key.path, env=key.env())
        assert r.returncode == 0 and "need" in r.stderr and "2" in r.stderr, r
        assert verified(case, g.got.pop(), key)["terms"] == ["need=2"]
    r = tillit(case, *args, env={"TILLIT_KEY": plain.path})
    assert r.returncode == 0 and verified(case, g.got.pop(), plain), r
    locked = people.Key(case.path("locked"))
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", locked.path], check=True, capture_output=True)
    agent = subprocess.run(["ssh-agent", "-s"], check=True, capture_output=True, text=True).stdout
    env = dict(re.findall(r"(SSH_\w+)=([^;]+);", agent))
    try:
        ask = case.path("ask", b"#!/bin/sh\necho secret\n")
        os.chmod(ask, 0o700)
        subprocess.run(["ssh-add", "-q", locked.path], check=True, stdin=subprocess.DEVNULL, env={**os.environ, **env, "SSH_ASKPASS": ask, "SSH_ASKPASS_REQUIRE": "force"})
        r = tillit(case, *args, "--key", locked.path + ".pub", env=env)
        assert r.returncode == 0, r
        verified(case, g.got.pop(), locked)
    finally:
        os.kill(int(env["SSH_AGENT_PID"]), 15)
    ecdsa = people.Key(case.path("ecdsa"), kind="ecdsa")
    untouched = people.Key(case.path("untouched"), sk=True, options=["no-touch-required"])
    for key, word in ((ecdsa, "ed25519"), (untouched, "touched")):
        r = tillit(case, *args, "--key", key.path, env=key.env())
        assert r.returncode == 1 and word in r.stderr and not g.got, r
    r = tillit(case, *args, "--key", case.path("nothing"))
    assert r.returncode == 2 and not g.got, r
    r = tillit(case, "approver", "set", "anna", "name=Anna", f"key={ecdsa.path}.pub", "--tenant", TENANT, "--print")
    assert r.returncode == 2 and "key=" in r.stderr and "ed25519" in r.stderr, r
    r = tillit(case, "approver", "set", "anna", "name=Anna", f"key={plain.path}", "--tenant", TENANT, "--print")
    assert r.returncode == 2 and "private key" in r.stderr, r


def test_signed_elsewhere(case):
    """--print, ssh-keygen and --signature: the same bytes arrive."""
    g, key = gate(), people.Key(case.path("key"))
    text = tillit(case, "quorum", "set", "need=2", "--tenant", TENANT, "--print").stdout
    statement, signature = case.path("s", text.encode()), case.path("s.sig", key.sign(text).encode())
    r = tillit(case, "say", "quorum.set", "--statement", statement, "--signature", signature, "--endpoint", g.url)
    assert r.returncode == 0, r
    sent = g.got.pop()
    assert sent["statement"] == text and verified(case, sent, key)
    assert tillit(case, "say", "quorum.set", "--statement", statement, "--endpoint", g.url).returncode == 2


def test_exit_codes(case):
    """0 done, and when it waits for others; 1 refused, with code and reason; 3 nobody there."""
    g, key = gate(), people.Key(case.path("key"))
    args = ["quorum", "set", "need=2", "--tenant", TENANT, "--key", key.path]
    g.answers = [(202, {"result": "waits"}), (403, {"code": "not-approver", "detail": "only an approver of the tenant may say this"}), (200, {"result": "done", "x": 1})]
    r = tillit(case, *args, "--endpoint", g.url)
    assert r.returncode == 0 and "tillit agree --request " + people.digest(g.got[-1]["statement"]) in r.stdout, r
    r = tillit(case, *args, "--endpoint", g.url)
    assert r.returncode == 1 and "not-approver" in r.stderr and "only an approver" in r.stderr, r
    r = tillit(case, *args, "--endpoint", g.url, "--json")
    assert r.returncode == 0 and json.loads(r.stdout) == {"result": "done", "x": 1}, r
    r = tillit(case, *args, "--endpoint", "http://127.0.0.1:1")
    assert r.returncode == 3 and not r.stdout, r
    assert tillit(case, *args).returncode == 2


def shown(text, **more):
    """A request as access.look tells it."""
    return {"result": "done", "id": "c" * 25 + "a", "state": "customer-pending", "request": text, "digest": people.digest(text), "requested": 1795514400000, "lapse": 1795557600000,
            "who": {"id": "ines", "name": "Ines Berg", "employer": "Nord Hosting AB", "subprocessor": "sub-1", "office": "SE", "country": "FI"},
            "scope": {"bucket": "docs", "prefix": "år/"}, "verbs": ["read"], "categories": ["hr"], "duration_ms": 3600000, "budget": {"objects": 20, "bytes": 10485760},
            "used": {"objects": 0, "bytes": 0}, "approvals": [{"id": "mats", "name": "Mats Ek", "manager": True, "index": 7, "t": 1795514400000}], "approved": 0, "needed": 1,
            "questions": [], "events": [], "next": 8, **more}


def a_request():
    return people.text("access.request", "c" * 25 + "a", TENANT, dict(bucket="docs", prefix="%C3%A5r/", verb="read", category="hr", purpose="ticket", ticket="T-77",
                       country="FI", duration=3600000, objects=20, bytes=10485760))


def test_an_approver_signs_what_they_saw(case):
    """approve looks first, shows who, employer, country, purpose, scope, time, budget and digest, and signs that digest; a text that is not the digest's is not signed."""
    g, key, text = gate(), people.Key(case.path("key")), a_request()
    args = ["access", "approve", "--grant", "c" * 25 + "a", "--bytes", "5MiB", "--tenant", TENANT, "--key", key.path, "--endpoint", g.url]
    g.answers = [(200, shown(text)), (200, {"result": "done", "state": "approved"})]
    r = tillit(case, *args)
    assert r.returncode == 0 and "state" in r.stdout, r
    for word in ("Ines Berg", "Nord Hosting AB", "sub-1", "now in FI", "office in SE", "T-77", "ticket", "docs", "år/", "read", "hr", "1 h", "10 MiB", "5 MiB", "Mats Ek", people.digest(text)):
        assert word in r.stderr, (word, r.stderr)
    look, said = g.got
    assert verified(case, look, key)["kind"] == "access.look"
    assert verified(case, said, key)["terms"] == ["bytes=5242880", "request=" + people.digest(text)]

    wider = a_request().replace("objects=20", "objects=2000")
    others = [text.replace("c" * 25 + "a", "d" * 25 + "a"), text.replace(TENANT, "b" * 25 + "a"), people.text("quorum.set", None, TENANT, dict(need=1))]
    for told in (shown(text, request=wider), shown(text, request=wider, digest=people.digest(text)), shown(text, request=""), {"grants": []}, *map(shown, others)):
        g.got, g.answers = [], [(200, told)]
        r = tillit(case, *args)
        assert r.returncode == 1 and "nothing was signed" in r.stderr and len(g.got) == 1, r
    g.got, g.answers = [], [(200, shown(wider))]
    r = tillit(case, *args, "--request", people.digest(text))
    assert r.returncode == 1 and "nothing was signed" in r.stderr and len(g.got) == 1, r
    g.got, g.answers = [], []
    r = tillit(case, *args, "--request", people.digest(text), "--yes")
    assert r.returncode == 0 and len(g.got) == 1, r


def test_words_of_a_store_move_no_cursor(case):
    """A name, a state, a member's name, a reason of refusal with escape sequences, or with characters that turn text round, is not shown as it is."""
    g, key, text = gate(), people.Key(case.path("key")), a_request()
    g.answers = [(200, shown(text, who={"id": "x", "name": "In\x1b[2Jes \u202egreB", "employer": "a\nb"}))]
    args = ["--grant", "c" * 25 + "a", "--tenant", TENANT, "--key", key.path, "--endpoint", g.url]
    r = tillit(case, "access", "show", *args)
    assert r.returncode == 0 and "\x1b" not in r.stdout and "\u202e" not in r.stdout and "a\nb" not in r.stdout, r
    bad = "no\x1b[2J\u202e\u009b\nSign this? [y/N]"
    for verb, answers in (("show", [(200, shown(text, state=bad))]), ("show", [(200, shown(text, id=bad))]), ("show", [(403, {"code": bad, "detail": bad})]),
                          ("watch", [(200, {"state": bad, "events": [], "next": 1}), (200, {"state": "expired", "events": [], "next": 1})]),
                          ("approve", [(200, shown(text, state=bad)), (200, {"result": "done", bad: bad})])):
        g.answers = list(answers)
        r = tillit(case, "access", verb, *args)
        assert "no?[2J" in r.stdout + r.stderr, (verb, r)
        for c in ("\x1b", "\u202e", "\u009b", "\nSign this? [y/N]\n"):
            assert c not in r.stdout + r.stderr, (verb, c, r)


def test_login_is_a_credential_process(case):
    """stdout is exactly what credential_process wants, nothing else anywhere; refused: nothing on stdout."""
    g, key = gate(), people.Key(case.path("key"), sk=True)
    credentials = {"Version": 1, "AccessKeyId": "ASIAAAAAAAAAAAAAAAAA", "SecretAccessKey": "s" * 40, "SessionToken": "t" * 200, "Expiration": "2026-11-24T11:00:00Z"}
    g.answers = [(200, {**credentials, "result": "done", "digest": HASH}), (403, {"code": "not-eligible", "detail": "review is overdue"}), (200, {"result": "done"})]
    args = ["access", "login", "--grant", "c" * 25 + "a", "--country", "SE", "--tenant", TENANT, "--key", key.path, "--endpoint", g.url]
    r = tillit(case, *args, env=key.env())
    assert r.returncode == 0 and json.loads(r.stdout) == credentials, r
    assert verified(case, g.got[0], key)["kind"] == "access.login"
    r = tillit(case, *args, env=key.env())
    assert r.returncode == 1 and r.stdout == "" and "not-eligible" in r.stderr, r
    r = tillit(case, *args, env=key.env())
    assert r.returncode == 4 and r.stdout == "", r


def test_watching_and_ending(case):
    """watch goes on behind the last event it saw, prints one line each, ends the access on r and Enter, and stops when the grant is over."""
    g, key, text = gate(), people.Key(case.path("key")), a_request()
    event = lambda i, **more: {"index": i, "t": 1795514400000 + i, "kind": "access", "act": "GetObject", "decision": "allow", "bucket": "docs", "key": f"år/{i}", "bytes": 4194304,
                               "person": "Ines Berg", "employer": "Nord Hosting AB", "country": "FI", "peer": "192.0.2.1", **more}
    g.answers = [(200, shown(text, state="active", events=[event(9)], next=9)), (200, {"state": "active", "events": [event(11), event(12)], "next": 12}),
                 (200, {"state": "completed", "events": [], "next": 12})]
    args = ["access", "watch", "--grant", "c" * 25 + "a", "--tenant", TENANT, "--key", key.path, "--endpoint", g.url]
    r = tillit(case, *args)
    assert r.returncode == 0 and r.stdout.count("GetObject docs/år/") == 3 and "state: completed" in r.stdout, r
    assert [json.loads(x["statement"])["terms"] for x in g.got] == [[], ["after=9"], ["after=12"]]

    g.got, g.answers = [], [(200, {"state": "active", "events": [], "next": 12})] * 2 + [(200, {"result": "done", "state": "revoked"}), (200, {"state": "revoked", "events": [], "next": 13})]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TILLIT_")}
    r = subprocess.run([os.path.join(case.build, "tillit"), *args, "--yes"], input="r\n", capture_output=True, text=True, timeout=60, env=clean)
    kinds_said = [json.loads(x["statement"])["kind"] for x in g.got]
    assert r.returncode == 0 and "access.revoke" in kinds_said and "revoked" in r.stdout, (r, kinds_said)


def test_lists_come_in_pages(case):
    """list asks for the next page until there is none."""
    g, key, text = gate(), people.Key(case.path("key")), a_request()
    g.answers = [(200, {"grants": [shown(text)] * 2, "next": 5}), (200, {"grants": [shown(text)]})]
    args = ["access", "list", "--tenant", TENANT, "--key", key.path, "--endpoint", g.url]
    r = tillit(case, *args)
    assert r.returncode == 0 and r.stdout.count("customer-pending") == 3 and "Ines Berg" in r.stdout and "docs/%C3%A5r/" in r.stdout, r
    g.answers = [(200, {"grants": []})]
    assert tillit(case, *args, "--json").stdout == "[]\n"
