# SPDX-License-Identifier: Apache-2.0
"""make demo goes on: somebody at the provider must look at the customer's data. Real commands, real signatures (the security keys are in software), stock
clients where they are installed; the same steps are asserted leaf by leaf in tests/scenario/test_access_*.py."""
import json
import os
import re
import shutil
import subprocess
import threading
import time

from lib import people, relog
from lib.access import Access
from lib.people import MIB

ROLES = "support,engineer,security,legal,facility,manager,officer"


class Story(Access):
    """The demonstration's store; show: step(), said() and held() of the demonstration."""

    def __init__(self, case, store, show):
        self.serve(case, store)
        self.step, self.said, self.held = show.step, show.said, show.held

    def run(self, *args, key=None, refused=None, show=True, loud=False):
        """A command as a person types it, and what it printed. refused: the reason that it must be refused for."""
        r = self.tillit(*args, key=key, ok=(1,) if refused else (0,))
        if show:
            self.said("$ tillit " + " ".join(f"'{a}'" if " " in a else a for a in args))
            text = r.stderr if refused or loud else ""
            lines = [x for x in (text + r.stdout).splitlines() if x.strip() and not x.startswith("Confirm user presence")]
            self.said("\n".join(lines[-1:] if refused else lines))
        if refused:
            self.held(f"({refused})" in r.stderr, f"refused as {refused}")
        return r


def nobody_without_a_grant(x):
    x.step("somebody at the provider with every role, without a grant: every way in is shut")
    p, day = x.people, time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
    alva = people.Person("alva", p.key("alva", sk=True))
    x.run("person", "set", "alva", "name=Alva Berg", "person=e0001", "employer=Nord Hosting AB", "office=SE", f"role={ROLES}", f"key={alva.key.path}.pub",
          f"training={day}", f"screening={day}", f"review={day}", key=p.officer, show=False)
    for args, why in ((("access", "login", "--grant", people.new_id(), "country=SE"), "no-grant"), (("approver", "set", "alva", "name=Alva Berg", f"key={alva.key.path}.pub"), "not-approver"),
                      (("rule", "set", "*", "need=1"), "not-approver"), (("purpose", "set", "all", "role=officer", "verb=read", "category=general"), "not-officer")):
        x.run(*args, key=alva.key, refused=why)
    for url in (x.store.endpoints["s3"], x.store.s3_access):
        c = type(x.owner)(x.store, url=url)
        a = c.send(c.plain("GET", "/first/letter"))
        x.said(f"GET {url}/first/letter, unsigned: {a.status} {a.code}")
        x.held(a.status == 403, a)
    return day


def who_is_who(x, day):
    p = x.people
    x.step("the provider's officer names a purpose and two people, each with a security key")
    keys, plain = {name: p.key("demo-" + name, sk=True) for name in ("ines", "mats")}, p.key("demo-plain")
    x.run("purpose", "set", "support-ticket", "role=support,engineer", "verb=list,head,read", "category=general", key=p.officer)
    for name, full, number, role in (("ines", "Ines Berg", "e1041", "support"), ("mats", "Mats Ek", "e0007", "manager")):
        x.run("person", "set", name, f"name={full}", f"person={number}", "employer=Nord Hosting AB", "office=SE", f"role={role}", f"key={keys[name].path}.pub",
              *([f"key={plain.path}.pub"] if name == "ines" else []), f"training={day}", f"screening={day}", f"review={day}", key=p.officer)
    x.step("the customer enrols who approves, with the SSH key she has")
    anna = p.key("demo-anna")
    x.run("approver", "set", "anna", "name=Anna Lind", f"key={anna.path}.pub", key=p.owner)
    return people.Person("ines", keys["ines"]), plain, people.Person("mats", keys["mats"]), people.Person("anna", anna)


def asked_and_signed(x, ines, plain, mats, anna):
    ask = ["access", "request", "bucket=first", "prefix=reports/", "verb=list,head,read", "category=general", "purpose=support-ticket", "ticket=T-1001", "country=SE", "duration=1h",
           "objects=20", "bytes=10MiB", "text=report 17 does not open"]
    x.step("Ines asks: one bucket, one prefix, one hour, twenty objects, 10 MiB; with a key that is only a file she is refused")
    x.run(*ask, key=plain, refused="not-hardware")
    r = x.run(*ask, key=ines.key)
    grant, digest = (re.search(rf"(?m)^  {name} +(\S+)$", r.stdout).group(1) for name in ("grant", "digest"))
    x.step("not by herself, and not the customer before her manager")
    x.run("access", "approve", "--grant", grant, "--request", digest, key=ines.key, refused="own-request")
    x.run("access", "approve", "--grant", grant, "--request", digest, key=anna.key, refused="not-manager")
    x.step("her manager signs")
    x.run("access", "approve", "--grant", grant, key=mats.key)
    x.step("the customer's approver is shown exactly what would be granted; wider is refused; she narrows it to 5 MiB")
    x.run("access", "approve", "--grant", grant, "--request", digest, "--bytes", "11MiB", key=anna.key, refused="widens")
    r = x.run("access", "approve", "--grant", grant, "--bytes", "5MiB", key=anna.key, loud=True)
    for word in ("Ines Berg", "Nord Hosting AB", "now in SE", "support-ticket", "T-1001", "first/reports/", "1 h", "20 objects", "10 MiB", "5 MiB", "Mats Ek", digest):
        x.held(word in r.stderr, f"she is shown {word}")
    return people.Request(ines, type("Said", (), {"digest": digest}), grant)


def inside_and_outside(x, r, ines):
    env, down = x.profile(r, ines.key), x.case.path("granted")
    aws, rclone = shutil.which("aws"), shutil.which("rclone")

    def client(works, *args):
        q = subprocess.run(args, env=env, capture_output=True, text=True, timeout=120)
        x.said("$ " + " ".join([os.path.basename(args[0]), *args[1:]]))
        lines = [y.split("\r")[-1] for y in (q.stdout + q.stderr).splitlines() if y.strip() and "Confirm user" not in y and "NOTICE" not in y and not y.startswith("Completed")]
        x.said("\n".join(lines[-3:]))
        x.held((q.returncode == 0) == works, f"exit {q.returncode}")
    if aws:
        x.step("aws cli with `tillit access login` as credential_process: inside the prefix it reads; outside, writing, past the budget it does not")
        client(True, aws, "s3", "ls", "s3://first/reports/")
        client(True, aws, "s3", "cp", "s3://first/reports/q1", down)
        for args in (("s3", "cp", "s3://first/letter", "-"), ("s3", "ls", "s3://first/"), ("s3", "cp", down, "s3://first/reports/q1"), ("s3", "rm", "s3://first/reports/q1"),
                     ("s3api", "get-object", "--bucket", "first", "--key", "reports/q2", down)):
            client(False, aws, *args)
    if rclone:
        x.step("rclone, by the same profile")
        client(True, rclone, "lsf", "t:first/reports")
        client(False, rclone, "lsf", "t:first")
    x.step("all of it is on the customer's own log, what was refused with the reason")
    text = x.store.tillit("log", "query", x.store.dir, "--log", "control")
    x.said("\n".join(text.splitlines()[-24:]))
    for word in ("grant-scope", "grant-act", "budget") if aws else ():
        x.held(word in text, f"{word} is a reason there")


def by_passkey(x, ines, mats, anna):
    """A second request, of all of reports/; gives it signed."""
    p = x.people
    try:
        from lib.passkey import Passkey
    except ImportError:                                    # Python's cryptography is the authenticator
        return p.granted(ines, "first", managers=[mats], approvers=[anna], prefix="reports/", bytes=200 * MIB)
    x.step("another approver has a passkey (the authenticator is in software): pinned to the customer's origin, she signs the next request with it")
    p.say(anna, "origin.set", origin="https://sign.example", rpid="sign.example")
    bo = p.approver("bo", key=Passkey("sign.example", "https://sign.example"), by=anna)
    r = p.request(ines, "first", prefix="reports/", bytes=200 * MIB)
    p.approve(r, mats)
    text = people.text("access.approve", r.grant, p.tenant, {"request": r.digest})
    for what, signature, state in (("an assertion for another origin", bo.key.sign(text, origin="https://sign.example.evil"), None), ("hers", bo.key.sign(text), "approved")):
        said = p.send(text, signature, any=True)
        x.said(f"{what}: {said.status} {said.answer.get('state') or said.answer.get('code')}")
        x.held(said.answer.get("state") == state, said)
    return r


def watched_and_revoked(x, r, anna):
    p = x.people
    x.step("the customer watches a download, and ends it with nothing but ssh-keygen and curl; the last byte is there within a second")
    credentials = p.login(r)
    watch = subprocess.Popen([os.path.join(x.store.build, "tillit"), "access", "watch", "--grant", r.grant, "--tenant", p.tenant, "--endpoint", p.api, "--key", anna.key.path],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    c = x.session(credentials)
    stream, got, done = c.connect(), [], threading.Event()

    def slowly():                                          # 4 MB/s, and when each piece came
        try:
            while True:
                piece = stream.sock.recv(1 << 17)
                if not piece:
                    break
                got.append((time.monotonic(), len(piece)))
                time.sleep(0.03)
        except OSError as e:
            got.append((time.monotonic(), 0))
            x.ended = type(e).__name__
        done.set()
    stream.send(c.sign("GET", "/first/reports/big", [c.token]).bytes())
    threading.Thread(target=slowly, daemon=True).start()
    time.sleep(1.5)
    x.held(not done.is_set(), "the download runs")
    home = x.case.path("by-hand")
    os.makedirs(home)
    text = people.text("access.revoke", r.grant, p.tenant, {})
    with open(os.path.join(home, "statement"), "w") as f:
        f.write(text)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "tillit-statement@v1", "-f", anna.key.path, "statement"], cwd=home, check=True, capture_output=True)
    with open(os.path.join(home, "body"), "w") as f:
        json.dump({"statement": text, "signature": open(os.path.join(home, "statement.sig")).read()}, f)
    x.said("$ ssh-keygen -Y sign -n tillit-statement@v1 -f anna statement; curl --data-binary @body $TILLIT_ENDPOINT/v1/statements")
    answer = subprocess.run(["curl", "-sS", "-H", "content-type: application/json", "--data-binary", "@body", p.api + "/v1/statements"], cwd=home, capture_output=True, text=True, timeout=30)
    acknowledged = time.monotonic()
    x.said(answer.stdout)
    x.held(json.loads(answer.stdout).get("state") == "revoked" and json.loads(answer.stdout).get("closed") is True, answer)
    x.held(done.wait(5), "the connection ended")
    late = 1000 * (max([t for t, n in got if n], default=acknowledged) - acknowledged)
    x.said(f"{sum(n for _, n in got) / MIB:.1f} of 64 MiB came; last byte {late:+.0f} ms from the acknowledgement; {getattr(x, 'ended', 'end of the stream')}")
    x.held(late < 1000 and sum(n for _, n in got) < 64 * MIB, "the last byte within a second")
    x.said("what the customer saw of it:")
    x.said(watch.communicate(timeout=20)[0])
    x.held(watch.returncode == 0, "the watch ends with the grant")
    a = c.call("GET", "/first/reports/q1")
    x.said(f"and now: {a.status} {a.code}")
    x.held(a.status == 403, a)


def who_can(x, r, when, want):
    x.step("who could read it? decide() answers, with reasons, " + when)
    key, secret = x.store.credentials
    q = x.store.tillit("who-can", "--endpoint", x.people.api, "--bucket", "first", "--key", "reports/q1", env={**os.environ, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret})
    x.said("$ tillit who-can --bucket first --key reports/q1")
    x.said(q)
    x.held(("Ines Berg" in q) == want, "the engineer is named while she may")


def audited(x):
    s, e = x.store, x.store.endpoints["logs"]
    x.step("the auditor replays it all from logs and openings: signatures, decisions, budgets; the provider's people against the provider's own log")
    time.sleep(1)
    out = x.case.path("export-access")
    for log in ("access", "control"):
        s.tillit("log", "export", s.dir, "--out", out, "--log", log)
    code, text = s.verify("replay", out, *[y for log in ("access", "control", "provider") for y in (f"--{log}-vkey", e[log]["vkey"], f"--{log}", e[log]["url"])])
    x.said(text)
    x.held(code == 0 and re.search(r"releases under grants [1-9]", text), "replay")
    x.step("a store that lies: one figure of an approval is changed, and openings, leaves, tree and head are made anew: found and named")
    forger, lied = relog.Forger(x.case.dir), x.case.path("lied")
    lines = {log: relog.read(os.path.join(out, log + ".jsonl")) for log in ("access", "control")}
    one = next(y for y in lines["control"] if '"act":"access.approve"' in y.leaf and b"bytes=5242880" in y.value("stmt"))
    one.change("stmt", b"bytes=5242880", b"bytes=9242880")
    for log in lines:
        relog.write(lied, log, lines[log], forger, e[log]["origin"])
    code, text = s.verify("replay", lied, *[y for log in lines for y in (f"--{log}-vkey", forger.vkey(e[log]["origin"]))])
    x.said("\n".join(text.splitlines()[:2] + text.splitlines()[-1:]))
    x.held(code == 1 and f"control/{one.index}" in text and "bad-signature" in text, "the altered budget is named")


def play(case, store, show):
    x = Story(case, store, show)
    for key, data in (("q1", b"first quarter"), ("q2", os.urandom(6 * MIB)), ("big", os.urandom(64 * MIB))):
        x.held(x.owner.call("PUT", "/first/reports/" + key, body=data).status == 200, "an object")
    ines, plain, mats, anna = who_is_who(x, nobody_without_a_grant(x))
    r = asked_and_signed(x, ines, plain, mats, anna)
    inside_and_outside(x, r, ines)
    who_can(x, r, "while the grant runs", True)
    watched_and_revoked(x, by_passkey(x, ines, mats, anna), anna)
    x.run("access", "complete", "--grant", r.grant, key=ines.key, show=False)
    who_can(x, r, "when it is done", False)
    audited(x)
