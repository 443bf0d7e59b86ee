# SPDX-License-Identifier: Apache-2.0
"""Notices: each step is told by webhook and mail, in order, signed, never lost."""
import json
import os
import shutil
import signal
import socket
import threading
import time

from lib.case import limit, rows
from lib.notices import Gate, Hook, Post, authority, wait_for
from lib.people import People
from lib.raw import Caller

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
PART = {"P3.10": "webhook and mail; feed and export to a SIEM wait"}
LOCAL = "[notices]\nallow_private = yes\n"


def ids(notices):
    return [n.id for n in notices]


# from the outside: a store, people, a receiver ---------------------------------------------------------------------------------


@rows("P3.10", partly=PART)
@limit(100)
def test_each_step_of_a_grant_is_told(case):
    """A grant's journey arrives at the customer's webhook, signed; nothing is lost while the receiver is down or the steward and the gate are killed; a refused attempt is an alarm."""
    hook, other = Hook(), Hook()
    s = case.store(config=LOCAL)
    c, p = Caller(s), People(s)
    assert c.call("PUT", "/docs").status == 200
    assert c.call("PUT", "/docs/reports/q1", body=b"x" * 1000).status == 200
    p.purpose()
    ines, mats, anna = p.person("ines"), p.person("mats", roles=["manager"]), p.approver("anna")
    key = p.say(anna, "notice.set", "desk", webhook=hook.url).answer["notice_key"]
    p.say(anna, "notice.set", "gone", webhook="http://127.0.0.1:9/never")
    p.say(anna, "notice.set", "other", webhook=other.url)
    r = p.request(ines, "docs", prefix="reports/", text="Ärende: näst\u00e4\u00e4n")
    p.ask(r, mats, "Why?")
    p.reply(r, "Because of T-1001.")
    p.approve(r, mats)
    p.approve(r, ines, why="own-request")
    want = ["request", "ask", "reply", "approve", "refused"]

    def types(h):
        """Since the request. What was said in the second before a target was set may be told it as well."""
        all = [n.event["type"].removeprefix("tillit.access.") for n in h.taken]
        return all[all.index("request"):] if "request" in all else []
    wait_for(lambda: len(types(hook)) >= len(want), 60, "the first steps")
    assert types(hook) == want, types(hook)

    hook.down()
    for name in ("steward", "gate"):
        os.kill(s.pids(name)[0][0], signal.SIGKILL)
    wait_for(lambda: len(s.pids("gate")) == 1 and p.look(anna, any=True).ok, 20, "the gate is not back")
    told = [r.said, p.approve(r, anna)]
    session = p.login(r, ines)
    os.kill(s.pids("steward")[0][0], signal.SIGKILL)
    reader = Caller(s, url=s.endpoints["s3_access"], key=session["AccessKeyId"], secret=session["SecretAccessKey"])
    token = [("x-amz-security-token", session["SessionToken"])]
    time.sleep(1.1)                                    # a signature of the gate's first second counts as seen (access.md section 5)
    got = reader.call("GET", "/docs/reports/q1", headers=token)
    assert got.status == 200, (got.status, got.body)
    assert reader.call("GET", "/docs/other", headers=token).status == 403
    told.append(p.revoke(r, anna))
    want += ["approve", "login", "denied", "revoke"]
    wait_for(lambda: types(other)[-4:] == want[-4:], 60, "the other, while the first is down")
    hook.up(hook.port)
    wait_for(lambda: set(want[-4:]) <= set(types(hook)), 60, "what happened while the receiver was down")

    for h in (hook, other):
        once = {n.id: n for n in h.taken}              # at least once: a kill may come between delivery and cursor
        got = [n.event for n in once.values()]
        for n in h.taken:
            n.verify(key)
        since = next(e["data"]["index"] for e in got if e["type"].endswith(".request"))    # a kill before the first cursor was written: told from the beginning
        assert [e["type"].removeprefix("tillit.access.") for e in got if e["data"]["index"] >= since] == want, [e["type"] for e in got]
        journey = [e["data"] for e in got if e["data"].get("grant") == r.grant]
        assert {(d["purpose"], d["requester"], d["scope"]["bucket"], d["scope"]["prefix"]) for d in journey} == {("support-ticket", "ines", "docs", "reports/")}
        alarm = next(e for e in got if e["type"] == "tillit.access.denied")
        assert alarm["data"]["why"] == "grant-scope" and alarm["data"]["person"] and alarm["subject"] == p.tenant, alarm
        for e in got:
            assert e["specversion"] == "1.0" and e["id"] == e["data"]["receipt"] and "terms" not in e["data"] and "peer" not in e["data"], e
        assert {said.answer["receipt"] for said in told} <= set(once), "what was said is what arrived"

    r = p.granted(ines, "docs", prefix="%01" * 339)    # names so long that the alarm about them would be none
    session = p.login(r, ines)
    reader = Caller(s, url=s.endpoints["s3_access"], key=session["AccessKeyId"], secret=session["SecretAccessKey"])
    assert reader.call("GET", "/docs/" + "%02" * 1024, headers=[("x-amz-security-token", session["SessionToken"])]).status == 403
    alarm = wait_for(lambda: [n for n in other.taken if n.event["data"].get("grant") == r.grant and n.event["type"].endswith(".denied")], 60)[0]
    alarm.verify(key)
    assert alarm.event["data"]["shortened"] is True and alarm.event["data"]["why"] == "grant-scope" and "key" not in alarm.event["data"], alarm.event


# the steward alone with a gate of the test's -------------------------------------------------------------------------------------


@rows("P3.10", partly=PART)
def test_a_webhook_is_told_in_order_and_signed(case):
    """Every step arrives once, in the log's order, as a CloudEvent under Standard Webhooks' headers, verified with the public key alone."""
    hook, gate = Hook(), Gate(case)
    told = [gate.tell(A, [("webhook", hook.url)], type="request", n=i, who={"id": "ines"}) for i in range(80)]
    gate.start()
    got = hook.wait(80)
    assert ids(got) == told
    for n in got:
        n.verify(gate.key)
        assert n.headers["content-type"] == "application/cloudevents+json" and n.event["specversion"] == "1.0", n.headers
    told += [gate.tell(A, []), gate.tell(A, [("webhook", hook.url.replace("127.0.0.1", "localhost"))], type="approve")]
    assert ids(hook.wait(81))[-1] == told[-1]
    time.sleep(1.2)
    assert len(hook.got) == 81, "told twice"
    gate.kill(signal.SIGTERM)
    assert "tenant " in open(gate.cursors).read() and hook.url not in open(gate.cursors).read()
    gate.start()
    time.sleep(1.5)
    assert len(hook.got) == 81, "told again after a restart"


class Silent:
    """Takes every connection and says nothing, or what `words` are, for ever."""

    def __init__(self, words=b""):
        self.words, self.count, self.socket = words, 0, socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"
        self.open = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.socket.accept()
            self.count += 1
            self.open.append(peer)
            if self.words:
                threading.Thread(target=self.speak, args=(peer,), daemon=True).start()

    def speak(self, peer):
        try:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                peer.sendall(self.words)
        except OSError:
            pass


@rows("P3.10", partly=PART)
def test_nobody_waits_for_one_that_is_dead(case):
    """Targets that take the connection and never answer, never end their answer, or refuse, hold up no one else, of the same tenant or another's; one that answers 500 is told again, with the same id."""
    silent, endless, hook, other = Silent(), Silent(b"x-a: " + b"y" * 1000 + b"\r\n"), Hook(), Hook(answer=lambda n: 500 if n == 1 else 200)
    gate = Gate(case)
    for i in range(16):
        gate.tell(bytes([i]) * 16, [("webhook", f"{(silent if k % 2 else endless).url}{i}/{k}") for k in range(16)])
    dead = "http://127.0.0.1:1/"
    told = [gate.tell(A, [("webhook", silent.url), ("webhook", dead), ("webhook", hook.url)]), gate.tell(B, [("webhook", other.url), ("webhook", endless.url)])]
    at = time.monotonic()
    gate.start()
    assert ids(hook.wait(1, within=8)) == told[:1]
    assert ids(other.wait(1, within=8)) == told[1:] and ids(other.got) == told[1:] * 2
    late = gate.tell(A, [("webhook", hook.url)])
    begin = time.monotonic()
    assert ids(hook.wait(2, within=8))[-1] == late
    case.note = f"behind 256 dead targets: {begin - at:.1f} s, with them known to be dead: {time.monotonic() - begin:.1f} s"
    assert silent.count > 0 and endless.count > 0


@rows("P3.10", partly=PART)
def test_what_nobody_heard_is_told_after_a_kill(case):
    """The receiver is down, the steward is killed again and again, the receiver comes back: all arrive, the first time each in order, none with a stale signature."""
    hook, gate = Hook(), Gate(case)
    hook.down()
    told = []
    gate.start()
    for i in range(4):
        told += [gate.tell(A, [("webhook", hook.url)], n=i) for _ in range(10)]
        time.sleep(0.4)
        gate.kill()
        gate.start()
    hook.delay = 0.02
    hook.up(hook.port)
    hook.wait(15, within=60)
    gate.kill()
    gate.start()
    wait_for(lambda: set(ids(hook.taken)) == set(told), 60, "not all arrived")
    first = list(dict.fromkeys(ids(hook.taken)))
    assert first == told
    for n in hook.taken:
        n.verify(gate.key, tolerance=70)


@rows("P3.10", partly=PART)
def test_a_webhook_is_no_way_inside(case):
    """Loopback, private and link-local addresses are not called unless the configuration says so; a redirect is not followed; the steward runs behind its wall."""
    inside, hook = Hook(), Hook()
    gate = Gate(case, conf="")
    for host in ("127.0.0.1", "localhost", "127.1", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
        gate.tell(A, [("webhook", f"http://{host}:{inside.port}/{host}")])
    gate.tell(B, [("webhook", "http://169.254.169.254/latest/meta-data/"), ("webhook", "file:///etc/passwd"), ("webhook", f"gopher://127.0.0.1:{inside.port}/"), ("webhook", "not a url")])
    gate.start()
    wait_for(lambda: gate.log_text().count("why=\"the address may not be called\"") >= 7, 20, "refusals")
    assert inside.got == [] and "127.0.0.1" not in gate.log_text(), gate.log_text()
    with open(f"/proc/{gate.process.pid}/status") as f:
        status = f.read()
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status, status
    gate.breaks("steward-any-address")                 # the test can see a call
    wait_for(lambda: inside.got, 60, "a call with the wall taken away")
    gate.kill()

    with open(os.path.join(gate.dir, "tillit.conf"), "w") as f:
        f.write(LOCAL)
    gate.breaks()
    inside.got.clear()
    hook.answer, hook.headers = lambda n: 302, {"Location": inside.url + "/redirected"}
    gate.tell(C, [("webhook", hook.url)])
    gate.start()
    wait_for(lambda: len(hook.got) >= 2, 20, "tried again")
    assert not [n for n in inside.got if "redirected" in n.path] and hook.taken == []


def test_cursors_that_cannot_be_read_stop_the_notices_alone(case):
    """A damaged steward/cursors is named in the log with its line, nobody is told everything again, and the steward's other work goes on."""
    hook, gate = Hook(), Gate(case)
    gate.tell(A, [("webhook", hook.url)])
    with open(gate.cursors, "w") as f:
        f.write("tillit cursors 1\nhello\n")
    gate.start()
    wait_for(lambda: gate.tends, 5, "errands")
    assert "steward/cursors:2 cannot be read" in gate.log_text() and hook.got == [] and gate.asked == []
    gate.kill()
    os.unlink(gate.cursors)
    gate.start()
    hook.wait(1)


# mail ------------------------------------------------------------------------------------------------------------------------------


NASTY = "x\r\nBcc: all@example.test\r\n\r\nhello \u202egnp.exe \u200b"


@rows("P3.10", partly=PART)
def test_a_mail_says_it_in_words(case):
    """A real mail server takes it: who, purpose, scope, state and receipt to read, the event attached; a text with line breaks and turned characters makes no header and no line of its own."""
    post = Post(case)
    gate = Gate(case, conf=post.conf())
    who = {"id": "ines", "name": "Ines B\u00e4rg", "employer": "Nord Hosting AB", "office": "SE", "key": "SHA256:abc"}
    grant = "a" * 26
    one = gate.tell(A, [("mail", "desk@example.test")], type="request", who=who, grant=grant, purpose="support-ticket", state="manager-pending",
                    scope={"bucket": "docs", "prefix": "r\u00e4ports/"}, text="look at q1")
    two = gate.tell(A, [("mail", "desk@example.test")], type="denied", person=NASTY, employer=NASTY, purpose=NASTY, state=NASTY, requester=NASTY, why=NASTY, key="secret-name",
                    scope={"bucket": NASTY, "prefix": NASTY}, grant=NASTY, bucket=NASTY)
    gate.tell(A, [("mail", "desk@example.test\r\nRCPT TO:<all@example.test>"), ("mail", "<all@example.test>"), ("mail", "a b@example.test"), ("mail", "nobody")])
    gate.start()
    mails = post.wait("desk", 2)
    assert [m["Message-ID"] for m in mails] == [f"<{x.replace('.', '_').replace('/', '_')[-90:]}@example.test>" for x in (one, two)], [m["Message-ID"] for m in mails]
    text = mails[0].get_body().get_content()
    for line in ("Who:         Ines B\u00e4rg (ines), of Nord Hosting AB, office in SE", "Purpose:     support-ticket", "Scope:       bucket docs, names that begin with r\u00e4ports/",
                 "State:       manager-pending", f"On your log: {one}", f"Access:      {grant}", "In words:    look at q1"):
        assert line in text.splitlines(), (line, text)
    assert mails[0]["Subject"] == "Tillit: Somebody at your provider asks for access to your data (bucket docs)" and mails[0]["From"] == "tillit@example.test"
    assert mails[0]["To"] == "desk@example.test" and mails[0]["Auto-Submitted"] == "auto-generated" and mails[0]["Date"].endswith("+0000")
    attached = [json.loads(m.get_payload(1).get_payload(decode=True)) for m in mails]
    assert attached[0]["id"] == one and attached[0]["data"]["who"] == who and mails[0].get_payload(1).get_content_type() == "application/cloudevents+json"

    m, text = mails[1], mails[1].get_body().get_content()
    assert m["Bcc"] is None and len(m.get_all("Subject")) == 1 and not any(c in text + m["Subject"] for c in "\u202e\u200b\r") and "\nBcc" not in text, m.as_string()
    assert "secret-name" not in m.as_string() and "key" not in attached[1]["data"] and "secret-name" not in text
    assert m.keys() == mails[0].keys(), (m.keys(), mails[0].keys())
    time.sleep(1.2)
    assert post.mails("all") == [] and len(post.mails("desk")) == 2


@rows("P3.10", partly=PART)
def test_a_customer_reads_of_a_grant_in_its_mail(case):
    """From a served store: request, approval and alarm arrive as mails that say who, what for and what to do; an attempt outside is an alarm by mail, too."""
    post = Post(case)
    s = case.store(config=post.conf())
    c, p = Caller(s), People(s)
    assert c.call("PUT", "/docs").status == 200
    p.purpose()
    ines, mats, anna = p.person("ines"), p.person("mats", roles=["manager"]), p.approver("anna")
    p.say(anna, "notice.set", "desk", mail="desk@example.test")
    r = p.request(ines, "docs", prefix="reports/", text="The totals of Q1 differ.")
    p.approve(r, mats)
    approved = p.approve(r, anna)
    session = p.login(r, ines)
    reader = Caller(s, url=s.endpoints["s3_access"], key=session["AccessKeyId"], secret=session["SecretAccessKey"])
    assert reader.call("GET", "/docs/hr/secret-name", headers=[("x-amz-security-token", session["SessionToken"])]).status == 403
    about = {m["Subject"].removeprefix("Tillit: "): m for m in wait_for(lambda: [m for m in post.mails("desk") if "An attempt" in m["Subject"]] and post.mails("desk"), 60)}
    asked = next(m for subject, m in about.items() if subject.startswith("Somebody at your provider asks")).get_body().get_content().splitlines()
    for line in ("Who:         Ines Berg (ines), of Nord Hosting AB, office in SE", "Purpose:     support-ticket", "Scope:       bucket docs, names that begin with reports/",
                 "In words:    The totals of Q1 differ.", f"Access:      {r.grant}", f"On your log: {r.said.answer['receipt']}"):
        assert line in asked, (line, asked)
    signed = [m.get_body().get_content() for m in post.mails("desk") if "was signed" in m["Subject"]]
    assert any("Who:         Anna Lind (anna)" in t and f"On your log: {approved.answer['receipt']}" in t for t in signed), signed
    alarm = next(m for subject, m in about.items() if subject.startswith("An attempt")).as_string()
    assert "grant-scope" in alarm and "Ines Berg" in alarm and "secret-name" not in alarm, alarm


@rows("P3.10", partly=PART)
def test_mail_waits_for_the_mail_server(case):
    """The mail server is away, the steward is killed: when it is back each mail arrives."""
    post = Post(case)
    gate = Gate(case, conf=post.conf())
    post.down()
    told = [gate.tell(A, [("mail", "desk@example.test")], n=i) for i in range(5)]
    gate.start()
    wait_for(lambda: "kind=mail" in gate.log_text(), 10, "a try")
    gate.kill()
    post.up()
    gate.start()
    assert {json.loads(m.get_payload(1).get_payload(decode=True))["id"] for m in post.wait("desk", 5)} == set(told)


@rows("P3.10", partly=PART)
def test_tls_is_held_to_its_certificate(case):
    """Over STARTTLS with a password, and https: with the authority named both arrive; with the system's neither does, and a server without STARTTLS gets no mail and no password."""
    tls = authority(case.path("tls"))
    post, plain, hook = Post(case, tls=tls), Post(case), Hook(tls=tls)
    gate = Gate(case)
    shutil.copy(os.path.join(tls, "ca.pem"), gate.dir)
    with open(os.open(os.path.join(gate.dir, "login"), os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
        f.write("tillit:open sesame\n")

    def started(p, ca):
        with open(os.path.join(gate.dir, "tillit.conf"), "w") as f:
            f.write(p.conf("starttls = yes\nlogin = login\nallow_private = yes\n" + ca))
        gate.start()
    gate.tell(A, [("mail", "desk@example.test"), ("webhook", hook.url)])
    started(post, "")
    wait_for(lambda: "kind=mail" in gate.log_text() and "kind=webhook" in gate.log_text(), 10, "tries")
    assert "certificate" in gate.log_text(), gate.log_text()
    gate.kill()
    started(plain, "ca = ca.pem\n")
    hook.wait(1)
    wait_for(lambda: gate.log_text().count("kind=mail") >= 2, 10, "a try")
    gate.kill()
    assert hook.got[0].verify(gate.key) is None and post.mails("desk") == plain.mails("desk") == []
    started(post, "ca = ca.pem\n")
    post.wait("desk", 1)
    assert "A=plain:tillit" in post.log_text() and "X=TLS" in post.log_text(), post.log_text()
    assert "sesame" not in gate.log_text() + post.log_text() + plain.log_text()
    gate.kill()
    os.chmod(os.path.join(gate.dir, "login"), 0o644)
    started(post, "ca = ca.pem\n")
    wait_for(lambda: "key=login" in gate.log_text(), 5, "the file that is open to all is named")
