# SPDX-License-Identifier: Apache-2.0
"""Statements as nobody should send them, to the gate as it is: each a clear refusal, nothing done, and a record when the signer is known."""
import base64
import json
import os
import re
import urllib.error
import urllib.request

from lib import people, tables, tlog
from lib.access import Access
from lib.case import limit
from lib.people import HOUR, MIB

NOTHING, COUNTED = "nothing kept", "counted"        # else: the word of the record
MINUTE = 60_000
# Each of a kind that is not seen as what it is (docs/spec/statement.md section 2).
UNSEEN = ["\x07", "\x7f", "\x85", "\u00ad", "\u061c", "\u200b", "\u200d", "\u200f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2060", "\u2066", "\u2069", "\u2800", "\u3164",
          "\ue000", "\ufe0f", "\ufeff", "\uffa0", "\ufffe", "\ufff9", "\U000e0001", "\U000e0041", "\U000e0100", "\U000f0000", "\U0010ffff", "\U00090000", '"', "\\", "\n", "\t"]


class World(Access):
    def __init__(self, case):
        super().__init__(case)
        self.grant, self.count = people.new_id(), 0

    def terms(self, **more):
        return {**dict(bucket="docs", bytes=MIB, category="general", country="SE", duration=HOUR, objects=9, purpose="support-ticket", ticket="T-1", verb="read"), **more}

    def request(self, **more):
        return people.text("access.request", people.new_id(), self.people.tenant, self.terms(), **more)

    def post(self, body):
        """(status, answer) to a body of any bytes; the answer must be readable."""
        request = urllib.request.Request(self.people.api + "/v1/statements", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as r:
                return r.status, json.loads(r.read())
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read())

    def send(self, text, signature):
        return self.post(json.dumps({"statement": text, "signature": signature}).encode())

    def refused(self, label, answer, want, status=None):
        """want: NOTHING, COUNTED or the word that the last leaf of the control log says, too."""
        code, said = answer
        assert 400 <= code < 500 and (status is None or code == status), (label, answer)
        assert said.get("detail") and said.get("title") and said.get("status") == code, (label, answer)
        if want in (NOTHING, COUNTED):
            assert "receipt" not in said, (label, answer)
            self.count += want == COUNTED
        else:
            assert said["code"] == want, (label, answer)
            leaf = self.store.log_records("control")[-1]
            assert (leaf["kind"], leaf["dec"], leaf["why"]) == ("stmt", "deny", want) and said["receipt"].endswith(f"/{leaf['index']}"), (label, leaf)

    def quiet(self, label, size):
        """The control log has just this many leaves, and the gate takes a good statement still."""
        assert len(self.store.log_records("control")) == size, label
        said = self.people.look(self.anna)
        assert said.ok, (label, said)
        return size + 1


@limit(120)
def test_cut_anywhere_and_far_too_long(case):
    """A good request cut behind every byte of text, signature and body, signed again or not; one of a megabyte, and at the bound of 64 KiB: refused, nothing kept."""
    w = World(case)
    size = len(w.store.log_records("control"))
    text = w.request()
    signature = w.ines.key.sign(text)
    body = json.dumps({"statement": text, "signature": signature}).encode()
    for n in range(len(text)):
        w.refused(f"text cut at {n}", w.send(text[:n], signature), NOTHING, 400)
    for n in range(0, len(text), 7):                 # signed as it is: it is no statement all the same
        w.refused(f"text cut at {n}, signed", w.send(text[:n], w.anna.key.sign(text[:n])), NOTHING, 400)
    for n in range(0, len(signature) - 1):
        w.refused(f"signature cut at {n}", w.send(text, signature[:n]), COUNTED, 403)
    for n in range(len(body)):
        w.refused(f"body cut at {n}", w.post(body[:n]), NOTHING, 400)
    size = w.quiet("cut", size)
    long_text = w.request()[:-1] + ',"zz":"' + "a" * MIB + '"}'
    for label, data in (("a text of 1 MB", json.dumps({"statement": long_text, "signature": signature}).encode()),
                        ("a signature of 1 MB", json.dumps({"statement": text, "signature": signature + "a" * MIB}).encode()),
                        ("a body of 1 MB of blanks", body + b" " * MIB), ("1 MB of one bracket", b"[" * MIB), ("1 MB of zeros", bytes(MIB))):
        w.refused(label, w.post(data), NOTHING)
    for n, status in ((65536, 400), (65537, 413)):
        answer = w.post(b"{" + b" " * (n - 2) + b"}")
        assert answer[0] in (status, 400), (n, answer)
        w.refused(f"{n} bytes", answer, NOTHING)
    size = w.quiet("long", size)
    assert w.send(text, signature)[0] == 202, "and the request itself is good"


@limit(120)
def test_one_spelling_and_texts_that_are_seen(case):
    """Unknown and doubled members, other spellings, terms that are not the kind's, characters that hide: 400, nothing kept, whoever signed."""
    w = World(case)
    size, good = len(w.store.log_records("control")), w.request()
    tenant, nonce = w.people.tenant, json.loads(good)["nonce"]
    swap = lambda a, b: good.replace(a, b, 1)
    spelled = {
        "an unknown member": swap('{"kind"', '{"extra":"1","kind"'), "a member of another kind": swap('"subject"', '"scope":["' + w.ines.key.fingerprint + '"],"subject"'),
        "a member twice": swap('{"kind":"access.request"', '{"kind":"access.request","kind":"access.request"'), "a term twice": swap('"verb=read"', '"verb=read","verb=read"'),
        "a term that may not be many, twice": swap('"bytes=1048576"', '"bytes=1","bytes=1048576"'), "an unknown term": swap('"verb=read"', '"verb=read","zeal=much"'),
        "a term of another kind": swap('"objects=9"', '"need=1","objects=9"'), "a required term missing": swap(',"ticket=T-1"', ""), "terms out of order": swap('"verb=read"]', '"verb=read","verb=list"]'),
        "an unknown kind": swap("access.request", "access.everything"), "a kind in capitals": swap("access.request", "Access.request"), "blanks": swap('{"kind":', '{ "kind": '),
        "members out of order": '{"v":1,' + good[1:].replace(',"v":1}', "}"), "a newline behind it": good + "\n", "an escape": swap("T-1", "T\\u002d1"), "a version ahead": swap('"v":1', '"v":2'),
        "a time with a fraction": re.sub(r'"t":(\d+)', r'"t":\1.0', good), "a time below zero": re.sub(r'"t":\d+', '"t":-1', good), "a time as text": re.sub(r'"t":(\d+)', r'"t":"\1"', good),
        "a time past 2^53": re.sub(r'"t":\d+', '"t":9007199254740992', good), "a short nonce": swap(nonce, nonce[:-1]), "a long nonce": swap(nonce, nonce + "A"),
        "no nonce": swap(f'"nonce":"{nonce}",', ""), "a tenant in capitals": swap(tenant, tenant.upper()), "no tenant": swap(f',"tenant":"{tenant}"', ""), "a short tenant": swap(tenant, tenant[:-1]),
        "a number that is none": swap("objects=9", "objects=nine"), "a number with a zero before it": swap("objects=9", "objects=09"), "a country that is none": swap("country=SE", "country=Sweden"),
        "a bucket that is none": swap("bucket=docs", "bucket=Do"), "another head": good.replace('{"kind"', '{"head":"1","kind"'), "an array": "[" + good + "]", "null": "null", "nothing": "",
    }
    assert good not in spelled.values(), [k for k, v in spelled.items() if v == good]
    for label, text in spelled.items():
        w.refused(label, w.send(text, w.ines.key.sign(text)), NOTHING, 400)
    size = w.quiet("spelled", size)
    types, hers = tables.terms(), w.ines.key
    sample = {"WORD": "w", "BUCKET": "docs", "PREFIX": "a", "INT": 5, "TIME": people.now_ms(), "ID": people.new_id(), "HASH": "A" * 43, "KEY": hers.fingerprint, "COUNTRY": "SE", "TEXT": "x"}
    told = set()
    for kind, row in tables.statements().items():
        subject, about = people.new_id() if "subject" in row.parts else None, tenant if "tenant" in row.parts else None
        for name in (x for x in row.required + row.more if types[x] == "TEXT"):
            make = lambda value: people.text(kind, subject, about, {x: value if x == name else sample[types[x]] for x in dict.fromkeys([*row.required, name])})
            told.add(name)
            text = make("a\u00e5 b")
            answer = w.send(text, hers.sign(text))
            assert answer[0] < 300 or "receipt" in answer[1], (kind, name, answer)                   # so it is the character
            for c in UNSEEN if kind == "access.request" else UNSEEN[5:14:4]:
                for value in (f"a{c}b", c, f"{c}b", f"a{c}")[:4 if kind == "access.request" else 1]:
                    text = make("QQ").replace("QQ", value)
                    w.refused(f"{kind} {name} {value!r}", w.send(text, hers.sign(text)), NOTHING, 400)
    assert told == {x for x in types if types[x] == "TEXT"}, told
    size = len(w.store.log_records("control"))
    raw = json.dumps({"statement": w.request().replace("T-1", "QQ"), "signature": w.ines.key.sign(good)}).encode()
    for label, data in (("half a surrogate", b"\\ud800"), ("a zero", b"\\u0000"), ("an overlong form", b"\xc0\xaf"), ("a surrogate in UTF-8", b"\xed\xa0\x80"), ("Latin-1", b"\xe5")):
        w.refused(label, w.post(raw.replace(b"QQ", data)), NOTHING, 400)
    size = w.quiet("unseen", size)
    body = json.dumps({"statement": good, "signature": w.ines.key.sign(good)})
    for label, data in {"the statement twice": body.replace('"signature"', '"statement":"{}","signature"'), "a third member": body.replace('"signature"', '"more":1,"signature"'),
                        "an object for a text": body.replace(json.dumps(good), good), "no signature": json.dumps({"statement": good}), "an array": f"[{body}]", "more behind it": body + "{}",
                        "a number": "1", "not JSON": "statement=" + good}.items():
        w.refused(label, w.post(data.encode()), NOTHING, 400)
    w.quiet("bodies", size)


@limit(120)
def test_signatures_that_do_not_count(case):
    """Other keys, other programs' signatures, another text: 403 and counted on the provider's log. A plain key of staff is a record."""
    w = World(case)
    p, size = w.people, len(w.store.log_records("control"))
    text, other = w.request(), w.request()
    for kind in ("ecdsa", "rsa"):
        key = p.key("of-" + kind, kind=kind)
        said = w.send(text, key.sign(text))
        w.refused(kind, said, COUNTED, 403)
        assert "ed25519" in said[1]["detail"], said
        enrol = people.text("approver.set", "eve", p.tenant, dict(key=key.fingerprint, name="Eve"))
        assert p.send(enrol, w.ines.key.sign(enrol), any=True).why == "not-approver"                 # a fingerprint tells no type: it could never sign
    size = len(w.store.log_records("control"))
    for namespace in ("git", "file", "tillit-statement@v2", "tillit-statement@v1 ", "tillit"):
        w.refused(f"namespace {namespace}", w.send(text, w.ines.key.sign(text, namespace)), COUNTED, 403)
    for label, signature in {"of another text": w.ines.key.sign(other), "of a newline more": w.ines.key.sign(text + "\n"), "not armored": base64.b64encode(os.urandom(200)).decode(),
                             "two of them": w.ines.key.sign(text) * 2, "a public key": open(w.ines.key.path + ".pub").read(), "nothing": ""}.items():
        w.refused(label, w.send(text, signature), COUNTED, 403)
    untouched = p.key("untouched", sk=True, options=["no-touch-required"])
    w.refused("nobody touched it", w.send(text, untouched.sign(text)), COUNTED, 403)
    stranger = p.key("stranger", sk=True)
    w.refused("a stranger", w.send(text, stranger.sign(text)), COUNTED, 403)
    own = people.text("key.add", w.store.info["account"], p.tenant)
    w.refused("a stranger's key.add", w.send(own, stranger.sign(own)), COUNTED, 403)
    w.refused("another program's key.add", w.send(own, p.owner.sign(own, "git")), COUNTED, 403)
    assert len(w.store.log_records("control")) == size
    p.person("pelle", key=p.key("plain"))
    w.refused("a plain key of staff", w.send(other, p.key("plain").sign(other)), "not-hardware", 403)
    counted = [x for x in tlog.leaves(w.store.endpoints["logs"]["provider"]["url"]) if x["kind"] == "sum" and x["why"] == "AccessDenied"]
    assert counted and counted[0]["n"] >= 1 and w.count > 15, (counted, w.count)
    assert w.send(text, w.ines.key.sign(text))[0] == 202, "the text itself is good"


@limit(120)
def test_clocks_and_nonces(case):
    """A clock 16 minutes before or behind, a nonce that was taken: refused with a record, of every sort of kind; a copy of a copy is not; after a restart the same."""
    w = World(case)
    p, now = w.people, people.now_ms
    kinds = {"access.request": (w.ines.key, lambda **more: w.request(**more)), "quorum.set": (w.anna.key, lambda **more: people.text("quorum.set", None, p.tenant, dict(need=1), **more)),
             "key.add": (p.owner, lambda **more: people.text("key.add", w.store.info["account"], p.tenant, **more))}
    for kind, (key, make) in kinds.items():
        for minutes in (-16, 16, -60 * 24 * 365, 60 * 24 * 365):
            text = make(t=now() + minutes * MINUTE)
            w.refused(f"{kind} {minutes} min", w.send(text, key.sign(text)), "clock", 409 if kind != "key.add" else 403)
        text = make(t=0)
        w.refused(f"{kind} at 0", w.send(text, key.sign(text)), "clock")
        for minutes in (-14, 14):
            text = make(t=now() + minutes * MINUTE)
            assert w.send(text, key.sign(text))[0] in (200, 202), (kind, minutes)
        text = make()
        signature = key.sign(text)
        assert w.send(text, signature)[0] in (200, 202), kind
        w.refused(f"{kind} again", w.send(text, signature), "repeated", 409)
        size = len(w.store.log_records("control"))
        for _ in range(3):
            w.refused(f"{kind} once more", w.send(text, signature), NOTHING, 409)                    # whoever saw it can send it for ever
        again = make(nonce=json.loads(text)["nonce"])
        w.refused(f"{kind}, its nonce in another", w.send(again, key.sign(again)), NOTHING, 409)
        assert len(w.store.log_records("control")) == size
    w.store.stop()
    w.store.start()
    w.refused("behind a restart", w.send(text, signature), "repeated", 409)
    out, logs = w.case.path("replayed"), w.store.endpoints["logs"]
    for log in ("access", "control"):
        w.store.tillit("log", "export", w.store.dir, "--log", log, "--out", out)
    code, told = w.store.verify("replay", out, "--access-vkey", logs["access"]["vkey"], "--control-vkey", logs["control"]["vkey"], "--access", logs["access"]["url"],
                                "--control", logs["control"]["url"])
    assert code == 0, told
