# SPDX-License-Identifier: Apache-2.0
"""The auditor replays it all from logs and openings: every statement's signature, every decision under a grant, the sum of bytes; and finds what a store that lies would change."""
import json
import os
import subprocess
import time

from lib import relog
from lib.access import Access
from lib.case import limit, rows
from lib.people import MIB


def lived(w):
    """A story with everything in it: refusals of each side, questions, two grants, a read that the budget cuts off, a revocation. Gives the first request."""
    p, ines, mats, anna = w.people, w.ines, w.mats, w.anna
    bo = p.approver("bo")
    p.say(anna, "rule.set", "docs/letters/", need=2)
    p.say(anna, "category.set", "docs", category="general")
    r = p.request(ines, "docs", prefix="reports/")
    p.approve(r, ines, why="own-request")
    p.ask(r, mats, "which one?")
    p.reply(r, "number 17")
    p.approve(r, mats)
    p.approve(r, anna, bytes=11 * MIB, why="widens")
    p.approve(r, anna, bytes=5 * MIB)
    c = w.session(p.login(r))
    assert c.call("GET", "/docs/reports/q1").status == 200
    assert c.call("GET", "/docs?list-type=2&prefix=reports/").status == 200
    assert c.call("HEAD", "/docs/reports/q1").status == 200
    for target in ("/docs/letters/l1", "/docs/reports/none"):
        assert c.call("GET", target).status in (403, 404)
    assert c.call("PUT", "/docs/reports/q1", body=b"mine").status == 403
    stream = c.connect()
    stream.send(c.sign("GET", "/docs/reports/q2", [c.token]).bytes())
    assert stream.head()[0] == 200 and stream.closed_within(5) and 0 < len(stream.buffer) <= 4 * MIB
    two = p.granted(ines, "docs", managers=[mats], approvers=[bo, anna], prefix="letters/")
    c = w.session(p.login(two))
    assert c.call("GET", "/docs/letters/l1").status == 200
    p.revoke(two, bo)
    assert c.call("GET", "/docs/letters/l1", [["x-note", "2"]]).status == 403
    p.person("ines", key=ines.key, review=91)
    p.login(r, why="not-eligible")
    return r


def verify(s, *args):
    code, text = s.verify("replay", *args, "--json")
    try:
        told = json.loads(text)
    except ValueError:
        raise AssertionError(text)
    return code, [(f["name"], f["where"], f.get("index")) for f in told["findings"]], told


@limit(150)
@rows("P3.07", "P2.06", "P2.07", partly={"P3.07": "what is under grants"})
def test_the_auditor_replays_it_and_finds_one_altered_word(case):
    """Both logs and the provider's replay whole; with one signature, one budget, one eligibility date, one decision changed by the store itself, each is found and named."""
    w = Access(case)
    s, e = w.store, w.store.endpoints["logs"]
    w.settled()
    r = lived(w)
    time.sleep(1.2)                                                   # the provider's log is published a moment later than it is written
    out = case.path("out")
    for log in ("access", "control"):
        s.tillit("log", "export", s.dir, "--out", out, "--log", log)
    served = [x for log in ("access", "control", "provider") for x in (f"--{log}-vkey", e[log]["vkey"], f"--{log}", e[log]["url"])]
    code, findings, told = verify(s, out, *served)
    assert code == 0 and not findings, told
    assert told["statements checked"] >= 25 and told["mirrors checked"] >= 5 and told["releases under grants"] == 3 and told["bytes under grants"] == 4 * MIB + 13 + 10, told
    s.stop()
    said = subprocess.run([os.path.join(s.build, "tillit-gate"), s.dir, "--export-provider", out], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said
    code, findings, told = verify(s, out, "--provider-vkey", e["provider"]["vkey"])
    assert code == 0 and not findings, told

    # From here on the store lies: all is made anew under its key, so that tree, head and openings hold.
    forger = relog.Forger(case.dir)
    lies = iter(range(1000))

    def lie(log, change):
        folder = case.path(f"lie{next(lies)}")
        lines = {name: relog.read(os.path.join(out, name + ".jsonl")) for name in ("access", "control", "provider")}
        index = change(lines[log]) if change else None
        keys = []
        for name in (["provider"] if log == "provider" else ["access", "control"]):
            relog.write(folder, name, lines[name], forger, e[name]["origin"])
            keys += [f"--{name}-vkey", forger.vkey(e[name]["origin"])]
        code, findings, told = verify(s, folder, *keys)
        return code, findings, index, told

    def first(lines, act, has=b"", dec="allow", grant=r.grant, mirror=False):
        for x in lines:
            leaf = json.loads(x.leaf)
            if leaf.get("act") == act and leaf.get("dec") == dec and (not grant or leaf.get("grant") == grant) and ("ref" in leaf) == mirror:
                if not has or has in x.value("stmt"):
                    return x
        raise AssertionError((act, has))

    def opened(log, field, old, new, **which):
        def change(lines):
            x = first(lines, **which)
            x.change(field, old, new)
            return x.index
        return log, change

    def broken(log, **which):
        def change(lines):
            x = first(lines, **which)
            lines_of_it = x.value("stmt").split(b"\n")
            line = lines_of_it[-4]                                    # in the signature itself
            x.change("stmt", line, line[:20] + (b"A" if line[20:21] != b"A" else b"B") + line[21:])
            return x.index
        return log, change

    def leafed(old, new, **which):
        def change(lines):
            x = first(lines, **which)
            x.reword(old, new)
            return x.index
        return "control", change

    for log in ("control", "provider"):
        code, findings, _, told = lie(log, None)
        assert code == 0 and not findings, told                       # made anew, and nothing changed: it holds
    approval = dict(act="access.approve", has=b"bytes=5242880")
    for name, (log, change), want in (
            ("a budget that was asked for", opened("control", "stmt", b"bytes=10485760", b"bytes=90485760", act="access.request"), "bad-signature"),
            ("a budget that was approved", opened("control", "stmt", b"bytes=5242880", b"bytes=9242880", **approval), "bad-signature"),
            ("a signature of the customer's", broken("control", **approval), "bad-signature"),
            ("a signature of the manager's", broken("control", act="access.approve"), "bad-signature"),
            ("a mirrored training", opened("control", "stmt", b"training=17", b"training=18", act="person.set", has=b"p-ines", grant=None, mirror=True), "bad-signature"),
            ("a mirrored review", opened("control", "stmt", b"review=17", b"review=18", act="person.set", has=b"p-mats", grant=None, mirror=True), "bad-signature"),
            ("who signed", opened("control", "who", w.anna.key.fingerprint.encode(), w.mats.key.fingerprint.encode(), **approval), "bad-signature"),
            ("a screening on the provider log", opened("provider", "stmt", b"screening=17", b"screening=18", act="person.set", has=b"p-ines", grant=None), "bad-signature"),
            ("a signature of the officer's", broken("provider", act="person.set", has=b"p-mats", grant=None), "bad-signature"),
            ("what was read", leafed('"bytes":13,', '"bytes":12,', act="GetObject"), "wrong-bytes"),
            ("the refusal past the budget", leafed('"dec":"deny"', '"dec":"allow"', act="GetObject", dec="deny", has=b""), "wrong-decision")):
        code, findings, index, told = lie(log, change)
        assert code == 1 and findings and findings[0] == (want, f"{log}/{index}", index), (name, index, findings[:3])
