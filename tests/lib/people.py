# SPDX-License-Identifier: Apache-2.0
"""People who say statements with terms (docs/spec/access.md): officers, staff with security keys, customers' approvers.

Nothing of ours writes or signs here: canonical JSON by hand, `ssh-keygen -Y sign`, a POST. Security keys are in software (sk_software.c, loaded by
OpenSSH as SSH_SK_PROVIDER).

    people = People(store)
    people.purpose("support-ticket", verbs=["list", "head", "read"], categories=["general"])
    ines, mats = people.person("ines"), people.person("mats", roles=["manager"])
    anna = people.approver("anna")
    r = people.request(ines, "first", prefix="reports/")
    people.approve(r, mats), people.approve(r, anna, bytes=5 << 20)
    credentials = people.login(r, ines)              # {"AccessKeyId": ..., "SecretAccessKey": ..., "SessionToken": ..., ...}

Whatever is said gives a Said; one that is refused is an assertion, unless `why` names the reason it must be refused for (policy_say.def), or any=True.
"""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time

from lib import statement, tools
from lib.case import ROOT, program

DAY = 86400_000
HOUR = 3600_000
MIB = 1 << 20


def now_ms():
    return int(time.time() * 1000)


def new_id():
    return base64.b32encode(os.urandom(16)).rstrip(b"=").decode().lower()


def digest(text):
    """How a request or proposal is named by who approves it: base64url of SHA-256 of its text."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def sk_provider():
    """The software security key, built once below the tests' tools."""
    source = os.path.join(ROOT, "tests", "lib", "sk_software.c")

    def make(path):
        tools.run(program("cc"), "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o", os.path.join(path, "sk.so"), source, "-lcrypto")
    with open(source, "rb") as f:
        stamp = hashlib.sha256(f.read()).hexdigest()[:12]
    return os.path.join(tools.once("sk-software-" + stamp, make), "sk.so")


def terms_list(terms):
    """{"verb": ["read", "list"], "deny_country": "US", "bytes": 5} as the sorted list a statement has; None values are left out."""
    out = []
    for name, value in terms.items():
        for v in (value if isinstance(value, (list, tuple, set)) else [value]):
            if v is not None:
                out.append((name.replace("_", "-"), str(v)))
    return ["=".join(x) for x in sorted(out, key=lambda x: (x[0].encode(), x[1].encode()))]


# Kinds with terms always have the list, though it may be empty; the others never have it.
OLD_KINDS = ("genesis.provider", "genesis.tenant", "tenant.create", "key.add", "key.off", "reader.add", "reader.off")


def text(kind, subject=None, tenant=None, terms=None, t=None, nonce=None, **more):
    """A statement's one spelling. `more`: further keys (head=..., or such as must be refused)."""
    s = {"v": 1, "kind": kind, "t": now_ms() if t is None else t,
         "nonce": nonce or base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode(), **more}
    if subject is not None:
        s["subject"] = subject
    if tenant is not None:
        s["tenant"] = tenant
    if kind not in OLD_KINDS:
        s["terms"] = terms if isinstance(terms, list) else terms_list(terms or {})
    return json.dumps(s, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Key:
    """An SSH key in a file. sk: a security key (in software); options: ssh-keygen's -O (no-touch-required, verify-required)."""

    def __init__(self, path, sk=False, options=(), kind=None):
        self.path, self.sk = path, sk
        if not os.path.exists(path):
            args = ["ssh-keygen", "-q", "-t", kind or ("ed25519-sk" if sk else "ed25519"), "-N", "", "-C", os.path.basename(path), "-f", path]
            for o in options:
                args += ["-O", o]
            subprocess.run(args, check=True, capture_output=True, stdin=subprocess.DEVNULL, env=self.env())
        out = subprocess.run(["ssh-keygen", "-l", "-f", path + ".pub"], check=True, capture_output=True, text=True).stdout
        self.fingerprint = out.split()[1]

    def env(self):
        return {**os.environ, "SSH_SK_PROVIDER": sk_provider()} if self.sk else dict(os.environ)

    def sign(self, message, namespace="tillit-statement@v1"):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "statement")
            with open(path, "wb") as f:
                f.write(message if isinstance(message, bytes) else message.encode())
            r = subprocess.run(["ssh-keygen", "-Y", "sign", "-f", self.path, "-n", namespace, path], capture_output=True, text=True,
                               stdin=subprocess.DEVNULL, env=self.env())
            assert r.returncode == 0, r.stderr
            with open(path + ".sig") as f:
                return f.read()


class Said:
    """What was said and what came of it."""

    def __init__(self, text, signature, status, answer):
        self.text, self.signature, self.status, self.answer = text, signature, status, answer
        self.digest = digest(text)

    @property
    def ok(self):
        return self.status in (200, 202)

    @property
    def why(self):
        """The reason's word (policy_say.def); None when it was taken."""
        return None if self.ok else self.answer.get("code")

    def __repr__(self):
        return f"<{self.status} {self.answer} to {self.text}>"


class Person:
    """Somebody of the provider (account) or of the customer (approver's id), with the key they sign with."""

    def __init__(self, id, key, manager=False, said=None, country="SE"):
        self.id, self.key, self.manager, self.said, self.country = id, key, manager, said, country


class Request:
    """A request for access: `grant` its id, `digest` what approvals name."""

    def __init__(self, person, said, grant):
        self.person, self.said, self.grant, self.digest = person, said, grant, said.digest


class People:
    def __init__(self, store, tenant=None, owner=None, officer=None):
        self.store, self.dir = store, os.path.join(store.dir + ".people")
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        self.tenant = tenant or store.info["tenant"]
        self.officer = officer or Key(self.take("officer", store.info["officer_key"]))
        self.owner = owner or Key(self.take("owner", store.info["owner_key"]))
        self.persons, self.approvers, self.purposes = {}, {}, {}
        self.ahead = 0                                  # seconds that the store's clock, and so its people's, is ahead of the true one

    def take(self, name, path):
        """A copy: the demonstration's keys may lie where only root reads, and ssh-keygen wants 0600 of whoever calls it."""
        copy = os.path.join(self.dir, name)
        for end, mode in (("", 0o600), (".pub", 0o644)):
            if not os.path.exists(copy + end):
                shutil.copy(path + end, copy + end)
                os.chmod(copy + end, mode)
        return copy

    def key(self, name, sk=False, options=(), kind=None):
        return Key(os.path.join(self.dir, name), sk=sk, options=options, kind=kind)

    @property
    def api(self):
        return self.store.endpoints["api"]

    # -- saying ----------------------------------------------------------------------------------------------------------

    def say(self, key, kind, /, subject=None, tenant="", why=None, any=False, t=None, **terms):
        """tenant: "" this one, None none. Signed by key (a Key or Person); terms may have a `key`, too."""
        if isinstance(key, Person):
            key = key.key
        s = text(kind, subject, self.tenant if tenant == "" else tenant, terms, t=now_ms() + self.ahead * 1000 if t is None else t)
        return self.send(s, key.sign(s), why=why, any=any)

    def send(self, statement_text, signature, why=None, any=False):
        said = Said(statement_text, signature, *statement.post(self.api, statement_text, signature))
        if why:
            assert said.why == why, f"must be refused as {why}: {said!r}"
        elif not any:
            assert said.ok, said
        return said

    # -- the provider ----------------------------------------------------------------------------------------------------

    def person(self, account, roles=("support",), key=None, keys=None, person=None, name=None, employer="Nord Hosting AB", office="SE", training=1, screening=1,
               review=1, manager=None, subprocessor=None, by=None, why=None, any=False, sk=True):
        """person.set. training, screening, review: days ago. keys: all that the account has (Key or term); the first signs."""
        key = key or (keys[0] if keys else self.key("staff-" + account, sk=sk))
        t = now_ms() + self.ahead * 1000
        said = self.say(by or self.officer, "person.set", account, None, why=why, any=any, key=[getattr(k, "fingerprint", k) for k in keys or [key]],
                        name=name or account.capitalize() + " Berg", person=person or "p-" + account, employer=employer, office=office, role=list(roles),
                        training=int(t - training * DAY), screening=int(t - screening * DAY), review=int(t - review * DAY), manager=manager,
                        subprocessor=subprocessor)
        p = Person(account, key, "manager" in roles, said, office)
        if said.ok:
            self.persons[account] = p
        return p

    def person_off(self, account, **kw):
        return self.say(self.officer, "person.off", getattr(account, "id", account), None, **kw)

    def purpose(self, name="support-ticket", roles=("support", "engineer"), verbs=("list", "head", "read"), categories=("general",), **kw):
        self.purposes[name] = name
        return self.say(self.officer, "purpose.set", name, None, role=list(roles), verb=list(verbs), category=list(categories), **kw)

    # -- the customer ----------------------------------------------------------------------------------------------------

    def approver(self, id, key=None, keys=None, name=None, by=None, sk=False, why=None, any=False):
        """approver.set, said by `by` (else the first approver, else the owner)."""
        key = key or (keys[0] if keys else self.key("approver-" + id, sk=sk))
        said = self.say(by or self.first_approver(), "approver.set", id, why=why, any=any, key=[getattr(k, "fingerprint", k) for k in keys or [key]],
                        name=name or id.capitalize() + " Lind")
        p = Person(id, key, said=said)
        if said.ok:
            self.approvers[id] = p
        return p

    def first_approver(self):
        return next(iter(self.approvers.values())) if self.approvers else self.owner

    def agree(self, proposal, who, **kw):
        return self.say(who, "agree", request=proposal if isinstance(proposal, str) else proposal.digest, **kw)

    # -- access ----------------------------------------------------------------------------------------------------------

    def request(self, person, bucket, prefix=None, verbs=("list", "head", "read"), categories=("general",), purpose="support-ticket", ticket="T-1001",
                country=None, duration=HOUR, objects=20, bytes=10 * MIB, grant=None, **more):
        """access.request; more: extends, start, text, why, any."""
        grant = grant or new_id()
        said = self.say(person, "access.request", grant, bucket=bucket, prefix=prefix, verb=list(verbs), category=list(categories), purpose=purpose,
                        ticket=ticket, country=country or person.country, duration=duration, objects=objects, bytes=bytes, **more)
        return Request(person, said, grant)

    def approve(self, request, who, **more):
        """access.approve by a manager or an approver; more: what it narrows (bytes, objects, duration, prefix, verb, category), text, why, any."""
        return self.say(who, "access.approve", request.grant, **{"request": request.digest, **more})

    def reject(self, request, who, **more):
        return self.say(who, "access.reject", request.grant, **{"request": request.digest, **more})

    def ask(self, request, who, question, **more):
        return self.say(who, "access.ask", request.grant, **{"request": request.digest, "text": question, **more})

    def reply(self, request, answer, who=None, **more):
        return self.say(who or request.person, "access.reply", request.grant, **{"request": request.digest, "text": answer, **more})

    def revoke(self, request, who, **more):
        return self.say(who, "access.revoke", request.grant, **more)

    def complete(self, request, who=None, **more):
        return self.say(who or request.person, "access.complete", request.grant, **more)

    def login(self, request, who=None, country=None, **more):
        """Temporary credentials as credential_process wants them (or the Said, when `why` or any=True is given)."""
        who = who or request.person
        said = self.say(who, "access.login", request.grant, country=country or who.country, **more)
        return said if more.get("why") or more.get("any") else said.answer

    def look(self, who, request=None, after=None, **more):
        """What the store says of one request or grant, or (without) of all that `who` may see."""
        return self.say(who, "access.look", request.grant if request else None, after=after, **more)

    def granted(self, person, bucket, managers=None, approvers=None, **terms):
        """A request that everybody needed has signed. managers, approvers: who signs (else the first there is)."""
        r = self.request(person, bucket, **terms)
        for who in managers or [p for p in self.persons.values() if p.manager and p is not person][:1]:
            self.approve(r, who)
        for who in approvers or [next(iter(self.approvers.values())) if self.approvers else Person("owner", self.owner)]:
            self.approve(r, who)
        return r
