# SPDX-License-Identifier: Apache-2.0
"""The guides of the provider's officer and the customer's approver (docs/ops), typed as they stand: every line of their blocks is run, in a
story that both tell, and a line that no step of it types is a failure."""
import datetime
import json
import os
import re
import shutil
import subprocess
import time

from lib.case import ROOT, limit, program, rows
from lib.people import Key, People, sk_provider
from lib.raw import Caller


class Guide:
    """The lines of a document's indented blocks: commands as somebody types them, `\\` at the end of a line goes on."""

    def __init__(self, document):
        with open(os.path.join(ROOT, "docs", "ops", document)) as f:
            self.text = f.read()
        self.left = [line for block in self.blocks(self.text) for line in self.lines(block)]

    @staticmethod
    def lines(block):
        return [line.strip() for line in re.sub(r" *\\\n +", " ", block).splitlines() if line.strip()]

    @staticmethod
    def blocks(text):
        return [re.sub(r"(?m)^    ", "", b) for b in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.M) if b.strip()]

    def under(self, heading):
        part = re.split(r"(?m)^## ", self.text.split("## " + heading, 1)[1])[0]
        return self.blocks(part)

    def whole(self, block):
        """A block that is typed in one go."""
        for line in self.lines(block):
            self.left.remove(line)
        return block

    def line(self, start):
        """The first line not typed yet that begins so; without its remark."""
        at = next((i for i, x in enumerate(self.left) if x.startswith(start)), None)
        assert at is not None, f"no line of the guide begins with {start}: {self.left}"
        return re.sub(r"\s{3,}#.*", "", self.left.pop(at))


class Shell:
    """A person's terminal: a home with one SSH key, and what they exported."""

    def __init__(self, case, people, key, name, **exported):
        self.home = case.path("home-" + name)
        os.makedirs(os.path.join(self.home, ".ssh"), mode=0o700)
        for end in ("", ".pub"):
            shutil.copy(key.path + end, os.path.join(self.home, ".ssh", "id_ed25519" + end))
        self.env = {**{k: v for k, v in os.environ.items() if not k.startswith("TILLIT_")}, "HOME": self.home, "PATH": case.build + ":" + os.environ["PATH"],
                    "SSH_SK_PROVIDER": sk_provider(), "TILLIT_ENDPOINT": people.api, "TILLIT_TENANT": people.tenant, **exported}

    def put(self, name, path):
        to = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(path, to)

    def run(self, script, ok=(0,), stdin=None, **replaced):
        for word, value in replaced.items():
            script = re.sub(r"\b" + word + r"\b", value, script)
        r = subprocess.run(["sh", "-e", "-u", "-c", script], cwd=self.home, env=self.env, capture_output=True, text=True, timeout=120, input=stdin or "")
        assert r.returncode in ok, f"{script}\nexit {r.returncode}\n{r.stdout}\n{r.stderr}"
        return r.stdout + r.stderr


def fresh(line):
    """The dates of a guide are of the day it was written."""
    return re.sub(r"20\d\d-\d\d-\d\d", (datetime.date.today() - datetime.timedelta(days=3)).isoformat(), line)


def served(case):
    s = case.store()
    c = Caller(s)
    assert c.call("PUT", "/first").status == 200
    for i in range(3):
        assert c.call("PUT", f"/first/reports/{i}", body=b"report %d" % i).status == 200
    assert c.call("PUT", "/first/reports/17.pdf", body=b"%PDF" + bytes(1000)).status == 200
    return s, People(s)


@limit(300)
@rows("P2.06", "P2.11")
def test_an_approver_with_nothing_but_curl_and_ssh_keygen(case):
    """The block of the approver's guide looks at a request, computes its digest, approves it narrower and ends it, with a key that the officer never saw."""
    for name in ("curl", "openssl", "awk", "sed"):
        program(name)
    s, p = served(case)
    p.purpose()
    ines, mats = p.person("ines"), p.person("mats", roles=["manager"])
    anna = p.approver("anna")
    r = p.request(ines, "first", prefix="reports/")
    p.approve(r, mats)
    shell = Shell(case, p, anna.key, "anna", ID=r.grant)
    define, approve, end = Guide("access-approver.md").under("With nothing but curl and ssh-keygen")[:3]
    out = shell.run(define + approve)
    assert '"state":"approved"' in out, out
    told = p.look(ines, r).answer
    assert told["state"] == "approved" and told["budget"]["bytes"] == 5242880 and told["request"] == r.said.text, told
    with open(os.path.join(shell.home, "request")) as f:
        assert f.read() == r.said.text
    out = shell.run(define + end)
    assert p.look(ines, r).answer["state"] == "revoked", out


class Story:
    """Everybody of the two guides, each at a terminal, with the lines of the guide that is theirs."""

    def __init__(self, case):
        self.case = case
        self.store, self.people = served(case)
        self.inside, self.outside = Guide("access-officer.md"), Guide("access-approver.md")
        p = self.people
        self.officer = Shell(case, p, p.officer, "officer")
        self.officer.put("var/demo/officer", p.officer.path)
        self.officer.put("var/demo/officer.pub", p.officer.path + ".pub")
        self.officer.env["TILLIT_KEY"] = "var/demo/officer"
        anna, bo = Key(case.path("anna")), Key(case.path("bo"))
        self.anna, self.bo = Shell(case, p, anna, "anna"), Shell(case, p, bo, "bo")
        self.anna.put("var/demo/owner", p.owner.path)
        self.anna.put("bo.pub", bo.path + ".pub")
        self.bo.put("bo", bo.path)
        with open(os.path.join(self.anna.home, "var", "demo", "credentials"), "w") as f:
            f.write("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n" % self.store.credentials)
        self.staff = None

    def typed(self, shell, guide, start, more="", **kw):
        return shell.run(guide.line(start) + more, **kw)

    def agreed(self, out):
        """bo agrees to what anna proposed: by the line that was sent."""
        with open(os.path.join(self.bo.home, "FILE"), "w") as f:
            f.write(re.search(r'^\{"kind":.*\}$', out, re.M)[0] + "\n")
        return self.bo.run("tillit agree --proposal FILE --key bo")


def provider_begins(x):
    out = x.officer.run(x.inside.line("export TILLIT_ENDPOINT") .replace("http://127.0.0.1:9001", x.people.api) + "\ntillit person set --help")
    assert "training" in out, out
    x.officer.run(x.inside.line("tillit purpose set support-ticket role"))
    off = x.inside.line("tillit purpose set support-ticket")
    make = x.inside.line("ssh-keygen -t ed25519-sk")
    for name in ("ines", "mats"):
        x.officer.run(make.replace("ines", name) + " -q -N ''")
    for name in ("ines", "mats"):
        assert ": done" in x.officer.run(fresh(x.inside.line("tillit person set " + name)))
    x.staff = x.officer                             # one home: the guide types both keys by name
    x.officer.run(off)
    x.officer.run("tillit purpose set support-ticket role=support,engineer verb=list,head,read category=general")


def customer_begins(x):
    say = x.outside.line("export TILLIT_ENDPOINT")
    assert "TILLIT_TENANT=" in say
    x.typed(x.anna, x.outside, "tillit origin set origin=http://localhost")
    for name in ("anna", "bo"):
        x.typed(x.anna, x.outside, "tillit approver set " + name)
    x.anna.env["TILLIT_KEY"], x.bo.env["TILLIT_KEY"] = x.anna.home + "/.ssh/id_ed25519", x.bo.home + "/.ssh/id_ed25519"
    carl = Key(x.case.path("carl"))
    x.anna.put("carl.pub", carl.path + ".pub")
    x.anna.run("tillit approver set carl name='Carl Ost' key=carl.pub")
    with_passkey = x.outside.line("tillit approver set anna")          # the page shows the term; a browser makes one in other tests
    x.anna.run(with_passkey.replace("EdDSA:...", "EdDSA:YW5uYXMtcGhvbmU:" + "A" * 43))
    x.typed(x.anna, x.outside, "tillit quorum set")
    assert x.outside.line("tillit agree --proposal FILE --key bo")        # agreed() types it
    lines = ["tillit rule set '*'", "tillit rule set first/hr/", "tillit category set", "tillit purpose limit support-ticket verb", "tillit purpose limit",
             "tillit recovery set", "tillit origin set", "tillit notice set"]
    for n in (1, 2, 3):
        x.anna.put(f"safe{n}.pub", Key(x.case.path(f"safe{n}")).path + ".pub")
    assert Caller(x.store).call("PUT", "/staff").status == 200
    for start in lines:
        out = x.typed(x.anna, x.outside, start)
        if start == "tillit notice set":
            assert "whpk_" in out, out
        else:
            x.agreed(out)
    x.agreed(x.anna.run("tillit purpose limit support-ticket verb=list,head,read category=general"))
    x.agreed(x.anna.run("tillit rule off first/hr/"))
    x.agreed(x.anna.run("tillit rule set first/reports/ need=2 lapse=2h deny-country=US"))


def recovery(x):
    """It starts, and an approver stops it: the seven days are other tests'."""
    shell = Shell(x.case, x.people, Key(x.case.path("safe1")), "safe")
    for n in (1, 2):
        shell.put(f"safe{n}", x.case.path(f"safe{n}"))
    shell.put("dora.pub", Key(x.case.path("dora")).path + ".pub")
    out = x.typed(shell, x.outside, "tillit recovery start")
    x.typed(shell, x.outside, "tillit agree --request DIGEST --key safe2", DIGEST=re.search(r"--request (\S{43})", out)[1])
    assert "too-early" in shell.run("tillit recovery finish --key safe1", ok=(1,))
    x.anna.run("tillit recovery cancel")
    assert "state" in shell.run("tillit recovery finish --key safe1", ok=(1,))


def request(x, line):
    out = x.staff.run(line)
    return re.search(r"\b[a-z2-7]{26}\b", out.split("done", 1)[1])[0]


def granted(x):
    assert "TILLIT_TENANT=" in x.inside.line("export TILLIT_ENDPOINT")
    ask = x.inside.line("tillit access request")
    sign = x.inside.line("tillit access approve --grant ID --key mats")
    grant = request(x, ask)
    x.staff.run(sign, ID=grant)
    assert grant in x.typed(x.anna, x.outside, "tillit access list")
    out = x.typed(x.anna, x.outside, "tillit access show", ID=grant)
    for word in ("customer-pending", "Ines Berg", "Nord Hosting AB", "reports/", "10 MiB", "1 h", "T-1001", "SE", "0 of 2"):
        assert word in out, (word, out)
    sample = next(b for b in x.outside.under("Read a request") if "customer-pending" in b)
    for line in x.outside.whole(sample[sample.index("4ct"):]).splitlines():      # what the guide shows is what is shown
        label = re.match(r"  ([a-z][a-z ]*?)  ", line)
        assert label is None or re.search(r"(?m)^ +" + label[1] + r"  ", out), (line, out)
    x.typed(x.anna, x.outside, "tillit access ask", ID=grant)
    x.staff.run("tillit access reply --grant ID text='report 17 names another' --key ines", ID=grant)
    x.typed(x.anna, x.outside, "tillit access approve --grant ID", ID=grant)
    other = request(x, ask)
    x.staff.run(sign, ID=other)
    narrow = x.outside.line("tillit access approve --grant ID bytes=5MiB")
    x.anna.run(narrow, ID=other)
    x.typed(x.bo, x.outside, "tillit access reject", ID=other)
    x.bo.run("tillit access approve --grant ID", ID=grant)
    assert "approved" in x.staff.run("tillit access show --grant ID --key ines", ID=grant)
    return grant


def used(x, grant):
    profile = next(b for b in x.inside.under("A request, from the inside") if "[profile customer]" in b)
    lines, copy = profile.split("aws --profile", 1)
    x.inside.whole(profile)
    for word, value in (("ID", grant), ("TENANT", x.people.tenant), ("http://127.0.0.1:9002", x.store.s3_access), ("http://127.0.0.1:9001", x.people.api),
                        ("/path/to/ines", x.staff.home + "/ines")):
        lines = re.sub(r"(?<![\w/])" + re.escape(word) + r"\b", value, lines)
    os.makedirs(os.path.join(x.staff.home, ".aws"))
    with open(os.path.join(x.staff.home, ".aws", "config"), "w") as f:
        f.write(lines)
    x.staff.env["AWS_CONFIG_FILE"] = os.path.join(x.staff.home, ".aws", "config")
    x.staff.env["PATH"] = os.path.dirname(program("aws")) + ":" + x.staff.env["PATH"]
    x.staff.run("aws --endpoint-url " + x.store.s3_access + " --profile" + copy)
    with open(os.path.join(x.staff.home, "17.pdf"), "rb") as f:
        assert f.read(4) == b"%PDF"


def ended(x, grant):
    watch = x.outside.line("tillit access watch")
    revoke = x.outside.line("tillit access revoke")
    out = x.anna.run(watch + " --yes", stdin="r\n", ID=grant)
    assert "revoked" in out and "access.login" in out and "reports/17.pdf" in out, out
    assert "state" in x.anna.run(revoke, ok=(1,), ID=grant)
    assert "state" in x.staff.run("tillit access login --grant ID --country SE --key ines", ok=(1,), ID=grant)
    third = request(x, "tillit access request bucket=first prefix=reports/ verb=read category=general purpose=support-ticket ticket=T-1 country=SE duration=1h "
                    "objects=2 bytes=5MiB --key ines")
    x.staff.run("tillit access approve --grant ID --key mats", ID=third)
    for who in (x.anna, x.bo):
        who.run("tillit access approve --grant ID", ID=third)
    x.typed(x.staff, x.inside, "tillit access complete", ID=third)
    out = x.typed(x.anna, x.outside, "tillit who-can")
    assert "yes" in out and "no" in out, out


def doctor_and_list(x):
    for _ in range(40):                             # the gate says how it is once a second
        doctor = x.store.tillit("doctor", x.store.dir, ok=(0, 1))
        said = "the provider's people: 2 are on, 0 of them overdue" in doctor and "requests waiting 0, live grants 0" in doctor
        if said:
            break
        time.sleep(0.1)
    assert said, doctor
    x.store.stop()
    x.typed(x.officer, x.inside, "tillit-gate DIR --export-provider OUT", DIR=x.store.dir)
    out = x.typed(x.officer, x.inside, "tillit person list --export OUT")
    assert re.search(r"ines +Ines Berg .* support  until", out) and re.search(r"mats +Mats Ek .* manager  until", out), out
    x.store.start()
    x.typed(x.officer, x.inside, "tillit person off ines")


@limit(300)
@rows("P2.11", "P2.13", "P2.17")
def test_the_whole_story_on_the_command_line(case):
    """Both guides from end to end: people, purposes, approvers, rules, recovery, a request, its approval, the session, watching, revoking."""
    x = Story(case)
    provider_begins(x)
    customer_begins(x)
    recovery(x)
    grant = granted(x)
    used(x, grant)
    ended(x, grant)
    doctor_and_list(x)
    server = next(b for b in x.outside.under("With a passkey, on a page") if "server {" in b)
    x.outside.whole(server[server.index("server {"):])                 # of a web server of one's own
    for b in x.outside.under("With nothing but curl and ssh-keygen"):    # the other test's
        x.outside.whole(b)
    assert not x.inside.left and not x.outside.left, (x.inside.left, x.outside.left)
