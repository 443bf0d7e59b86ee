# SPDX-License-Identifier: Apache-2.0
"""Eve, of the provider: every role there is, well trained, and without a grant for what she wants.

    w = Standing(case)
    w.sessions          {"over": ..., "elsewhere": ..., "other tenant": ...}: credentials of real grants, none for w.WANTED
    w.harmless(where, bytes)     none of the customer's marks is in there

What she has: a grant that is over, one for another bucket, one in another tenant, one that begins tomorrow, and requests that nobody or only a manager signed.
The customer's data is marked: content, metadata, tags, names, each with a word that stands nowhere else.
"""
import os
import secrets
import subprocess

from lib import people, tables
from lib.access import Access
from lib.attack import another_tenant, held
from lib.people import DAY, HOUR, Key, People, Person
from lib.raw import Caller

WORDS = "a read without a grant"


class Standing(Access):
    BUCKET, WANTED = "/docs", "reports/q1"

    def __init__(self, case):
        mark = lambda what: f"mark{what}{secrets.token_hex(10)}"
        self.content, self.meta, self.tag, self.name = mark("c"), mark("m"), mark("t"), mark("n")
        self.body = (self.content.encode() * 40)[:600]
        super().__init__(case, objects={})
        store, owner = self.store, self.owner
        red = getattr(case, "red", None)
        if red:
            store.breaks(red)
        for key in (self.WANTED, f"reports/{self.name}"):
            assert owner.call("PUT", f"{self.BUCKET}/{key}", [["x-amz-meta-note", self.meta], ["x-amz-tagging", "note=" + self.tag]], self.body).status == 200
        self.put("desk", {"open/hers": b"what she may read"})
        self.upload = owner.call("POST", f"{self.BUCKET}/{self.WANTED}?uploads").element("UploadId")
        assert owner.call("PUT", f"{self.BUCKET}/{self.WANTED}?uploadId={self.upload}&partNumber=1", body=self.body).status == 200
        self.forms = [x.encode() for x in (self.content, self.meta, self.tag, self.name)]
        self.before = self.seen_by_owner()
        self.eve = self.people.person("eve", roles=tables.roles())
        self.paper_work()
        self.settled()

    def paper_work(self):
        p, eve = self.people, self.eve
        info = another_tenant(self.store)
        self.other = People(self.store, tenant=info["tenant"], owner=Key(p.take("owner-globex", os.path.join(self.store.dir, "demo", "owner-globex"))))
        self.other_owner = Caller(self.store, info["access_key_id"], info["secret_access_key"])
        assert self.other_owner.call("PUT", "/theirs").status == 200 and self.other_owner.call("PUT", "/theirs/open", body=b"x").status == 200
        self.done = p.granted(eve, "docs", managers=[self.mats], prefix="reports/")
        self.elsewhere = p.granted(eve, "desk", managers=[self.mats], prefix="open/", objects=1000)
        self.tomorrow = p.granted(eve, "docs", managers=[self.mats], start=people.now_ms() + DAY, duration=HOUR)
        self.pending = p.request(eve, "docs", prefix="reports/")
        self.half = p.request(eve, "docs", prefix="reports/")
        p.approve(self.half, self.mats)
        abroad = self.other.granted(eve, "theirs", managers=[self.mats], approvers=[Person("owner", self.other.owner)])
        self.sessions = {"over": p.login(self.done, eve), "elsewhere": p.login(self.elsewhere, eve), "other tenant": self.other.login(abroad, eve)}
        p.complete(self.done)

    # -- what must hold --------------------------------------------------------------------------------------------------

    def harmless(self, where, *texts):
        for text in texts:
            raw = text if isinstance(text, bytes) else str(text).encode()
            found = [f for f in self.forms if f in raw]
            held(not found, WORDS, f"{where}: {found} in {raw[:300]!r}")

    def refused(self, where, answer):
        """An answer over HTTP."""
        held(answer.status >= 400, WORDS, f"{where}: {answer.status} {answer.body[:200]!r}")
        self.harmless(where, answer.body, answer.headers)

    def no_read_follows(self, where):
        """Whatever was said: nobody logs in for it, and no session that she has opens it."""
        for r in (self.done, self.tomorrow, self.pending, self.half):
            said = self.people.login(r, self.eve, any=True)
            held(not said.ok, WORDS, f"{where}: a login for {r.grant}: {said}")
            self.harmless(where, said.answer)
        for name, c in self.sessions.items():
            self.refused(f"{where}: {name}", self.session(c).call("GET", f"{self.BUCKET}/{self.WANTED}", [["x-unique", secrets.token_hex(8)]]))

    def seen_by_owner(self):
        o, at = self.owner, f"{self.BUCKET}/{self.WANTED}"
        answers = [o.call("GET", at), o.call("GET", at + "?tagging"), o.call("GET", self.BUCKET + "?list-type=2"), o.call("GET", f"{at}?uploadId={self.upload}"),
                   o.call("GET", self.BUCKET + "?policy"), o.call("GET", self.BUCKET + "?versioning"), o.call("GET", self.BUCKET + "?publicAccessBlock")]
        assert answers[0].status == 200 and answers[0].body == self.body, answers[0]
        strip = lambda a: [x for x in a.body.split(b"<") if not x.startswith((b"RequestId", b"HostId"))]
        return [(a.status, strip(a), a.get("etag"), a.get("last-modified")) for a in answers]

    def unchanged(self):
        held(self.seen_by_owner() == self.before, WORDS, "what the customer sees has changed")

    def replayed(self):
        """Everything that was tried is replayed from both logs; then the provider's own log, for which the store is stopped."""
        s, out, logs = self.store, self.case.path("replayed"), self.store.endpoints["logs"]
        for log in ("access", "control"):
            s.tillit("log", "export", s.dir, "--log", log, "--out", out)
        code, text = s.verify("replay", out, "--access-vkey", logs["access"]["vkey"], "--control-vkey", logs["control"]["vkey"],
                              "--access", logs["access"]["url"], "--control", logs["control"]["url"])
        assert code == 0, text
        s.stop()
        subprocess.run([os.path.join(s.build, "tillit-gate"), s.dir, "--export-provider", out], check=True, capture_output=True, timeout=60)
        code, text = s.verify("replay", out, "--provider-vkey", logs["provider"]["vkey"])
        assert code == 0, text

    # -- somebody who does not run the store -----------------------------------------------------------------------------

    def staff_key(self, uid):
        """Her key in a directory that this user reads."""
        home = self.case.path("eve")
        os.makedirs(home, mode=0o700, exist_ok=True)
        for end in ("", ".pub"):
            with open(self.eve.key.path + end) as f, open(os.path.join(home, "key" + end), "w") as out:
                out.write(f.read())
            os.chmod(os.path.join(home, "key" + end), 0o600)
            os.chown(os.path.join(home, "key" + end), uid, uid)
        os.chown(home, uid, uid)
        return Key(os.path.join(home, "key"), sk=True)
