# SPDX-License-Identifier: Apache-2.0
"""Strangers verify a served log with tools that others wrote, and tillit-verify names what is wrong with a spoilt one."""
import http.server
import json
import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request

from lib.attack import attack, held, store
from lib.case import Skip, limit, program, rows
from lib.tools import go_build, node_with

HERE = os.path.dirname(os.path.abspath(__file__))


TOOLS = {"x/mod/sumdb": lambda: [go_build(os.path.join(HERE, "sumdb"), 19, "sumdb")],
         "tessera fsck": lambda: [go_build(os.path.join(HERE, "tessera"), 24, "tessera")],
         "@sigstore/verify": lambda: [program("node"), os.path.join(node_with(os.path.join(HERE, "js")), "verify.mjs")]}


def verifiers():
    """Name and command of each program that is not ours and that this machine can have. One that it cannot is named in the output, and has
    a test of its own below that says skipped."""
    have = []
    for name, make in TOOLS.items():
        try:
            have.append((name, make()))
        except Skip as why:
            print(f"without {name}: {why}", flush=True)
    assert have, "no verifier but ours can be had"
    return have


def ask(command, log):
    r = subprocess.run([*command, log["url"], log["vkey"]], capture_output=True, text=True, timeout=120)
    return r.returncode, r.stdout + r.stderr


def found(s, *args):
    """tillit-verify with --json: (exit code, [(name, where)], everything)."""
    code, text = s.verify(*args, "--json")
    j = json.loads(text[text.index("{"):])
    return code, [(x["name"], x["where"]) for x in j["findings"]], j


def with_heads(s, log):
    e = s.endpoints["logs"]
    return ["log", log["url"], "--vkey", log["vkey"], "--heads", e["heads"]["url"], "--heads-vkey", e["heads"]["vkey"]]


class Load(threading.Thread):
    """Puts, gets and deletes until stopped."""

    def __init__(self, s, bucket):
        super().__init__(daemon=True)
        self.client, self.bucket, self.going, self.done, self.error = s.boto3(), bucket, True, 0, None
        self.client.create_bucket(Bucket=bucket)

    def run(self):
        try:
            while self.going:
                key = f"dir/{self.done % 53}"
                self.client.put_object(Bucket=self.bucket, Key=key, Body=b"x" * self.done)
                assert self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read() == b"x" * self.done
                if self.done % 5 == 0:
                    self.client.delete_object(Bucket=self.bucket, Key=key)
                self.done += 1
        except Exception as e:
            self.error = e

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.going = False
        self.join(30)
        assert self.error is None, self.error


class Mirror:
    """Serves a log through a hand that changes it: spoil(path, bytes) -> bytes, or None for 404."""

    def __init__(self, log, spoil=lambda path, data: data):
        self.log, self.spoil = log, spoil

    def __enter__(self):
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                try:
                    data = mirror.spoil(self.path[1:], urllib.request.urlopen(mirror.log["url"].rstrip("/") + self.path, timeout=20).read())
                except urllib.error.HTTPError:
                    data = None
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None     # a verifier that has seen enough hangs up
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return {"url": f"http://127.0.0.1:{self.server.server_address[1]}", "vkey": self.log["vkey"]}

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def fill(s, puts, bucket="filled"):
    """A log of a known minimum size, all of it published."""
    b = s.boto3()
    b.create_bucket(Bucket=bucket)
    for i in range(puts):
        b.put_object(Bucket=bucket, Key=f"k{i}", Body=b"y")
    settle(s, puts)
    return b


def settle(s, leaves, name="access"):
    log, end = s.endpoints["logs"][name], time.monotonic() + 15
    while int(urllib.request.urlopen(log["url"] + "checkpoint").read().split(b"\n")[1]) < leaves:
        assert time.monotonic() < end, "the log was not published"
        time.sleep(0.1)


@limit(900)
@rows("P3.03", partly={"P3.03": "no cosignatures yet"})
@attack("31", ("log-shorter-head", "a log is shown that is not the one the heads log names"))
def test_strangers_agree_on_a_live_log_under_load(case):
    """Go's x/mod, Tessera's fsck, @sigstore/verify and tillit-verify all verify every log of a store that is being written to."""
    others, s = verifiers(), store(case)
    with Load(s, "busy") as load:
        time.sleep(3)
        for round in range(2):
            for name, log in s.endpoints["logs"].items():
                code, text = s.verify("log", log["url"], "--vkey", log["vkey"])
                assert code == 0, f"tillit-verify {name}: {text}"
                for other, command in others:
                    code, text = ask(command, log)
                    assert code == 0 and "ok" in text, f"{other} {name}: {code} {text}"
    assert load.done > 20, "there was no load"
    # Quiet now: within two epochs each log is the one that the heads log names, to the last leaf.
    for name in ("access", "control", "provider"):
        end, code, all = time.monotonic() + 25, 1, None
        while code or all["bound by heads up to"] != all[f"{name} records"]:
            held(time.monotonic() < end, "a log is shown that is not the one the heads log names", f"{name}: {all}")
            code, names, all = found(s, *with_heads(s, s.endpoints["logs"][name]))
            time.sleep(0.5 if code == 0 else 1)
        assert name != "access" or all["access records"] > 256, "the log never filled a tile"


def flip(path_starts, at):
    """One bit of byte `at` in the first file whose path begins so."""
    def spoil(path, data):
        if path.startswith(path_starts) and len(data) > at:
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        return data
    return spoil


def another_leaf(path, data):
    """The first write leaf of the first bundle says other bytes; it stays canonical."""
    return re.sub(rb'"bytes":1,', b'"bytes":2,', data, count=1) if path.startswith("tile/entries/000") else data


def tail_dropped(path, data):
    return None if path.startswith("tile/entries/001") else data


@limit(900)
@rows("P3.03", partly={"P3.03": "no cosignatures yet"})
def test_a_spoilt_log_is_found_by_everybody_and_named(case):
    """A flipped bit, a changed leaf, a bad signature and a dropped tail: each verifier refuses, tillit-verify names which."""
    others, s = verifiers(), case.store()
    fill(s, 300)
    log = s.endpoints["logs"]["access"]
    # fsck and sumdb read hash tiles; the JavaScript verifier derives them from the entries and needs none.
    for spoil, want, blind in ((flip("tile/0/000", 5), ("flipped-bit", "access"), ["@sigstore/verify"]),
                               (flip("tile/1/000", 3), ("flipped-bit", "access"), ["@sigstore/verify", "x/mod/sumdb"]),
                               (another_leaf, ("changed-leaf", "access/0"), []),
                               (flip("checkpoint", 20), ("bad-signature", "access"), []),
                               (tail_dropped, ("dropped-tail", "access/256"), [])):
        with Mirror(log, spoil) as spoilt:
            code, names, all = found(s, "log", spoilt["url"], "--vkey", log["vkey"])
            assert code == 1 and want in names, f"{want}: {code} {all}"
            for other, command in others:
                code, text = ask(command, spoilt)
                assert code != 0 or other in blind, f"{other} took a log with {want}: {text}"
    # A server that hands out another slot with a log escapes the heads log no more than one that shows another log.
    def another_slot(number):
        return lambda path, data: re.sub(rb"slot \d+", b"slot %d" % number, data) if path == "slot" else data
    time.sleep(31)                                 # two epochs, and the newest one may be ten seconds old
    for number, want in ((0, "split-view"), (999, "not-in-heads")):
        with Mirror(log, another_slot(number)) as spoilt:
            code, names, all = found(s, *with_heads(s, spoilt))
            assert code == 1 and want in [n for n, _ in names], all
    with Mirror(log) as untouched:
        assert s.verify("log", untouched["url"], "--vkey", log["vkey"])[0] == 0


@limit(120)
@rows("P3.03", partly={"P3.03": "no cosignatures yet"})
def test_a_shorter_head_that_the_log_itself_signs_is_found(case):
    """A dropped tail under the log's own signature: found against the heads log, and against a head kept from before."""
    s = case.store()
    fill(s, 20)
    log, seen = s.endpoints["logs"]["access"], case.path("seen.json")
    code, text = s.verify("log", log["url"], "--vkey", log["vkey"], "--seen", seen)
    assert code == 0, text
    end = time.monotonic() + 25
    while found(s, *with_heads(s, log))[2].get("bound by heads up to", 0) < 20:
        assert time.monotonic() < end, "the heads log does not name the log's head"
        time.sleep(1)
    heads = s.endpoints["logs"]["heads"]
    before = urllib.request.urlopen(heads["url"] + "checkpoint").read()
    s.breaks("log-shorter-head")
    # Shown alone, a shorter log is a sound log: this is what the heads log and kept heads are for.
    assert s.verify("log", log["url"], "--vkey", log["vkey"])[0] == 0
    code, names, all = found(s, "log", log["url"], "--vkey", log["vkey"], "--seen", seen)
    assert code == 1 and names[0][0] == "dropped-tail", all
    # The heads log's own head is spared, as an operator who cuts one log would.
    with Mirror(heads, lambda path, data: before if path == "checkpoint" else data) as kept:
        code, names, all = found(s, "log", log["url"], "--vkey", log["vkey"], "--heads", kept["url"], "--heads-vkey", kept["vkey"])
    assert code == 1 and "dropped-tail" in [n for n, _ in names], all
    s.breaks()
    assert s.verify("log", log["url"], "--vkey", log["vkey"], "--seen", seen)[0] == 0


@limit(180)
@rows("P3.05")
def test_epochs_have_no_gaps_and_silence_is_told(case):
    """An epoch every 10 s; a stopped store shows as a silence from..to; a number left out is a difference with its index."""
    s = case.store()
    heads = s.endpoints["logs"]["heads"]
    time.sleep(21)
    code, names, all = found(s, "heads", heads["url"], "--vkey", heads["vkey"], "--strict-silence", "20")
    assert code == 0 and all["epochs"] >= 3 and all["silences"] == 0, all
    s.stop()
    time.sleep(22)
    s.start()
    time.sleep(1.5)
    code, text = s.verify("heads", heads["url"], "--vkey", heads["vkey"])
    assert code == 0 and re.search(r"no heartbeat from 20\S+Z to 20\S+Z", text), text
    code, names, all = found(s, "heads", heads["url"], "--vkey", heads["vkey"], "--strict-silence", "20")
    assert code == 1 and [n for n, _ in names] == ["silence"], all
    s.breaks("skipped-epoch")
    epochs = all["epochs"]
    settle(s, epochs + 1, "heads")
    s.breaks()
    code, names, all = found(s, "heads", heads["url"], "--vkey", heads["vkey"])
    assert code == 1 and ("skipped-epoch", f"heads/{epochs}") in names, all


def replay(s, case, manifest=None):
    e = s.endpoints["logs"]
    out = case.path("out")
    for log in ("access", "control"):
        s.tillit("log", "export", s.dir, "--out", out, "--log", log)
    args = ["replay", out, "--access-vkey", e["access"]["vkey"], "--control-vkey", e["control"]["vkey"], "--access", e["access"]["url"], "--control", e["control"]["url"]]
    return found(s, *args, *(["--manifest", manifest] if manifest else []))


def manifest(case, b):
    lines = []
    for bucket in b.list_buckets()["Buckets"]:
        for page in b.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            lines += [json.dumps({"bucket": bucket["Name"], "key": o["Key"], "etag": o["ETag"]}) for o in page.get("Contents", [])]
    return case.path("manifest.jsonl", "".join(x + "\n" for x in lines).encode())


def refused(call, code, **kw):
    from botocore.exceptions import ClientError
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code or str(e.response["ResponseMetadata"]["HTTPStatusCode"]) == code, e
        return
    raise AssertionError(f"{kw} was not refused")


def everyday(s, b):
    """One of each: what an owner does in a day, refusals and races included."""
    b.create_bucket(Bucket="one")
    b.create_bucket(Bucket="two")
    for i, key in enumerate(["a", "b/1", "b/2", "b0", "odd//..//ä +%25", "c"]):
        b.put_object(Bucket="one", Key=key, Body=b"z" * (i * 1000))
    b.put_object(Bucket="one", Key="big", Body=b"q" * 5_000_000)
    b.put_object(Bucket="one", Key="a", Body=b"second")
    assert b.get_object(Bucket="one", Key="a", Range="bytes=1-3")["Body"].read() == b"eco"
    b.get_object(Bucket="one", Key="big", Range="bytes=4194300-4194310")["Body"].read()
    tag = b.head_object(Bucket="one", Key="b/1")["ETag"]
    refused(b.get_object, "NoSuchKey", Bucket="one", Key="absent")
    refused(b.get_object, "304", Bucket="one", Key="b/1", IfNoneMatch=tag)
    refused(b.get_object, "InvalidRange", Bucket="one", Key="a", Range="bytes=100-")
    refused(b.get_object, "NoSuchBucket", Bucket="three", Key="a")
    refused(b.delete_bucket, "BucketNotEmpty", Bucket="one")
    for kw in ({}, {"Delimiter": "/"}, {"Prefix": "b/"}, {"Delimiter": "/", "MaxKeys": 2}, {"StartAfter": "b/1"}, {"StartAfter": "b/1", "Delimiter": "/"}, {"MaxKeys": 0}):
        page = b.list_objects_v2(Bucket="one", **kw)
        while page.get("NextContinuationToken"):
            page = b.list_objects_v2(Bucket="one", ContinuationToken=page["NextContinuationToken"], **kw)
    b.list_objects(Bucket="one", Delimiter="/")
    b.delete_object(Bucket="one", Key="c")
    b.delete_object(Bucket="one", Key="c")
    s.tillit("undelete", s.dir, "one", "c")
    assert len(b.get_object(Bucket="one", Key="c")["Body"].read()) == 5000
    b.delete_objects(Bucket="one", Delete={"Objects": [{"Key": k} for k in ("b/1", "b/2", "never", "b/1")]})
    b.put_object(Bucket="two", Key="x", Body=b"1")
    b.delete_object(Bucket="two", Key="x")
    b.delete_bucket(Bucket="two")
    b.create_bucket(Bucket="two")
    b.put_object(Bucket="two", Key="x", Body=b"2")


def race(s, bucket="one"):
    """Several clients on three keys at once: reads must still stand where their leaves stand."""
    def work(seed):
        b = s.boto3()
        for i in range(40):
            key = f"race{(i + seed) % 3}"
            if i % 4 == 3:
                b.delete_object(Bucket=bucket, Key=key)
            elif i % 4 == 2:
                b.list_objects_v2(Bucket=bucket, Prefix="race")
            else:
                b.put_object(Bucket=bucket, Key=key, Body=b"r" * i)
            try:
                b.get_object(Bucket=bucket, Key=key)["Body"].read()
            except b.exceptions.NoSuchKey:
                pass
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


@limit(180)
@rows("P3.07")
def test_replay_recomputes_everything_and_names_what_is_wrong(case):
    """Every decision and version of a busy day comes out again and fits the store; a stale read and a wrong decision are named."""
    s = case.store()
    b = s.boto3()
    everyday(s, b)
    race(s)
    code, names, all = replay(s, case, manifest(case, b))
    assert code == 0, all
    assert all["reads checked"] > 300 and all["listings checked"] > 40 and all["statements checked"] >= 4, all
    assert all["decisions recomputed"] >= all["records"], all

    s.breaks("stale-version")
    b.get_object(Bucket="one", Key="a")["Body"].read()
    s.breaks()
    stale = s.expect_record(act="GetObject", key="a", within=2)["index"]
    code, names, all = replay(s, case)
    assert code == 1 and names == [("stale-version", f"access/{stale}")], all

    s.breaks("wrong-decision")
    b.head_object(Bucket="one", Key="a")
    s.breaks()
    wrong = s.expect_record(act="HeadObject", key="a", within=2)["index"]
    code, names, all = replay(s, case)
    assert code == 1 and ("wrong-decision", f"access/{wrong}") in names, all


@limit(120)
@rows("P3.07")
def test_replay_holds_the_store_against_the_log(case):
    """A manifest with one key too many or too few, or another tag, is named."""
    s = case.store()
    b = fill(s, 5)
    path = manifest(case, b)
    lines = open(path).read().splitlines(True)
    code, names, all = replay(s, case, path)
    assert code == 0, all
    for text, want in ((lines[1:], "leaf-without-effect"), (lines + [json.dumps({"bucket": "filled", "key": "ghost"}) + "\n"], "effect-without-leaf"),
                       ([lines[0].replace(json.loads(lines[0])["etag"].strip('"'), "0" * 32), *lines[1:]], "effect-without-leaf")):
        code, names, all = replay(s, case, case.path("spoilt.jsonl", "".join(text).encode()))
        assert code == 1 and [n for n, _ in names] == [want], all


def agrees(case, name):
    command, s = TOOLS[name](), store(case)
    fill(s, 30)
    for log in s.endpoints["logs"].values():
        code, text = ask(command, log)
        assert code == 0, f"{name} does not accept {log['origin']}:\n{text}"


@limit(240)
def test_sumdb_accepts_every_log(case):
    """Go's x/mod/sumdb (Debian's Go suffices) accepts all four logs."""
    agrees(case, "x/mod/sumdb")


@limit(240)
def test_tessera_fsck_accepts_every_log(case):
    """tessera's fsck accepts all four logs."""
    agrees(case, "tessera fsck")


@limit(240)
def test_sigstore_accepts_every_log(case):
    """@sigstore/verify accepts all four logs."""
    agrees(case, "@sigstore/verify")
