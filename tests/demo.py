#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make demo: plays an owner's first day on a fresh store, then the day on which the provider must look at the owner's data (demo_access.py), prints what is
done and what came of it, and stops at the first thing that does not hold. Nothing is mocked: the product build, a directory below the temporary directory,
stock clients where they are installed.

  tests/demo.py [--build DIR]        last line: `demo: N steps, all held`, exit 0
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import demo_access                                      # noqa: E402
from lib import tlog                                    # noqa: E402
from lib.case import Case                               # noqa: E402
from lib.raw import Caller, Closed                      # noqa: E402

CANARY = "canary-7f3a91"
steps = 0


def step(text):
    global steps
    steps += 1
    print(f"\n{steps:2}  {text}", flush=True)


def said(text):
    for line in str(text).rstrip().splitlines():
        print(f"      {line[:150]}", flush=True)


def held(condition, what):
    if not condition:
        raise SystemExit(f"demo: step {steps} did not hold: {what}")


def made_and_served(case):
    step("tillit init: a store with one tenant; the owner's and the officer's keys are made because none were given")
    store = case.store(start=False)
    said(f"tenant {store.info['tenant']}, account {store.info['account']}, access key {store.info['access_key_id']}")
    step("tillit serve: keeper, gate, steward and nginx, each behind its own wall")
    begin = time.monotonic()
    store.start()
    said(f"ready after {time.monotonic() - begin:.2f} s: S3 {store.endpoints['s3']}, TLS {store.endpoints['s3_tls']}, API and logs {store.endpoints['api']}")
    return store


def owner_with_stock_tools(case, s):
    key, secret = s.credentials
    data = os.urandom(3 * 1024 * 1024 + 5) + CANARY.encode()
    up, down = case.path("up", data), case.path("down")
    aws = shutil.which("aws")
    if aws:
        step("aws cli, over https: a bucket, an object, a range of it, a listing")
        env = {**os.environ, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": s.info["region"],
               "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true"}

        def run(*args):
            command = [aws, "--endpoint-url", s.endpoints["s3_tls"], "--ca-bundle", s.info["ca_cert"], "--output", "text", *args]
            r = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
            said("$ aws " + " ".join(args))
            said(r.stdout + r.stderr)
            held(r.returncode == 0, f"aws exits {r.returncode}")
        run("s3api", "create-bucket", "--bucket", "cli")
        run("s3api", "put-object", "--bucket", "cli", "--key", "år/bok?.bin", "--body", up)
        run("s3api", "get-object", "--bucket", "cli", "--key", "år/bok?.bin", "--range", "bytes=1000-1999", down)
        with open(down, "rb") as f:
            held(f.read() == data[1000:2000], "the range")
        run("s3", "ls", "s3://cli", "--recursive")
    try:
        import boto3                                    # noqa: F401
    except ImportError:
        return data
    step("boto3, over http: put, get, list, delete")
    b = s.boto3()
    b.create_bucket(Bucket="python")
    for name in ("a//b/../c", "日本", "+%25", f"{CANARY}-name"):
        b.put_object(Bucket="python", Key=name, Body=data, Metadata={"note": f"{CANARY}-metadata"})
        held(b.get_object(Bucket="python", Key=name)["Body"].read() == data, f"the bytes of {name}")
    listed = [x["Key"] for x in b.list_objects_v2(Bucket="python")["Contents"]]
    said(f"listed {listed}")
    b.delete_object(Bucket="python", Key="+%25")
    held(len(b.list_objects_v2(Bucket="python")["Contents"]) == 3, "the deletion")
    return data


def conditions(s, c):
    step("conditional writes and undelete")
    held(c.call("PUT", "/first").status == 200, "a bucket")
    for headers, status in (([["If-None-Match", "*"]], 200), ([["If-None-Match", "*"]], 412), ([["If-Match", '"no"']], 412)):
        a = c.call("PUT", "/first/letter", headers, b"first " + CANARY.encode())
        said(f"PUT {headers[0][0]}: {headers[0][1]} -> {a.status} {a.code}")
        held(a.status == status, a)
    held(c.call("PUT", "/first/letter", body=b"second").status == 200, "an overwrite")
    s.tillit("undelete", s.dir, "first", "letter")
    said("tillit undelete brings the first one back: " + c.call("GET", "/first/letter").body.decode())
    held(c.call("GET", "/first/letter").body.startswith(b"first"), "undelete")


def refusals(s, c):
    step("a wrong signature, no signature, a request changed after signing: refused, nothing happened")
    changed = c.sign("PUT", "/first/letter", body=b"mine")
    changed.target = "/first/other"
    for what, request in (("wrong secret", c.sign("GET", "/first/letter", secret="x" * 40)), ("unsigned", c.plain("GET", "/first/letter")), ("changed", changed)):
        a = c.send(request)
        said(f"{what}: {a.status} {a.code}")
        held(a.status == 403 and CANARY.encode() not in a.body, a)
    held(c.call("GET", "/first/other").status == 404, "nothing was written")


def second_tenant(s, c):
    step("a second tenant cannot name the first one's bucket")
    info = json.loads(s.tillit("tenant", "create", s.dir, "--tenant", "globex", "--json"))
    other = Caller(s, info["access_key_id"], info["secret_access_key"])
    for bucket in ("first", "nobody-has-this"):
        a = other.call("GET", f"/{bucket}/letter")
        said(f"globex asks for {bucket}: {a.status} {a.code}")
        held((a.status, a.code) == (404, "NoSuchBucket"), a)
    held(other.call("PUT", "/first").status == 200, "the same name is free for it")


def record(s):
    step("tillit log: who, what, from where, how many bytes, allowed or refused and why")
    text = s.tillit("log", "query", s.dir)
    said("\n".join(text.splitlines()[-14:]))
    for word in ("PutObject", "GetObject", "ListObjectsV2", "Undelete", "PreconditionFailed", "from 127.0.0.1", s.info["access_key_id"]):
        held(word in text, f"{word} stands in the record")


def mirror(url, into):
    """What `wget -r` of a log would leave: checkpoint, slot, entries and the tiles of the lowest level."""
    n = tlog.size(url)
    for path in ["checkpoint", "slot"] + ["tile/" + kind + tlog.number(i // 256) + (f".p/{n - i}" if n - i < 256 else "")
                                          for kind in ("entries/", "0/") for i in range(0, n, 256)]:
        status, data = tlog.get(url + path)
        held(status == 200, f"{path}: {status}")
        os.makedirs(os.path.dirname(os.path.join(into, path)), exist_ok=True)
        with open(os.path.join(into, path), "wb") as f:
            f.write(data)


def strangers(case, s):
    logs = s.endpoints["logs"]
    access, heads = logs["access"], ["--heads", logs["heads"]["url"], "--heads-vkey", logs["heads"]["vkey"]]
    step("a stranger with a URL and a key verifies the whole log, against the public log of heads too")
    end = time.monotonic() + 40                         # the heads log states a new head every 10 s
    while True:
        code, text = s.verify("log", access["url"], "--vkey", access["vkey"], *heads)
        bound = re.search(r"bound by heads up to (\d+)", text)
        if (bound and int(bound.group(1)) >= 20) or code != 0 or time.monotonic() > end:
            break
        time.sleep(1)
    said(text)
    held(code == 0 and bound and int(bound.group(1)) >= 20, "the log verifies and its heads are public")
    step("one bit of the stranger's copy is turned: found and named")
    copy = case.path("copy")
    mirror(access["url"], copy)
    code, text = s.verify("log", copy, "--vkey", access["vkey"])
    held(code == 0, text)
    entries = os.path.join(copy, "tile", "entries")
    path = next(os.path.join(top, n) for top, _, names in os.walk(entries) for n in names)
    with open(path, "r+b") as f:
        data = bytearray(f.read())
        at = data.index(b'"act":"GetObject"') + 8
        data[at] ^= 1
        f.seek(0)
        f.write(data)
    code, text = s.verify("log", copy, "--vkey", access["vkey"])
    said(text)
    held(code == 1, f"exit {code}")
    step("the owner exports both logs with their openings and recomputes every decision")
    out = case.path("export")
    for log in ("access", "control"):
        said(s.tillit("log", "export", s.dir, "--out", out, "--log", log))
    code, text = s.verify("replay", out, "--access-vkey", access["vkey"], "--control-vkey", logs["control"]["vkey"],
                          "--access", access["url"], "--control", logs["control"]["url"])
    said(text)
    held(code == 0, "replay")


def killed(s, c, data):
    step("kill -9: gate, keeper, a worker, then all of it; what was acknowledged is there")
    for name in ("gate", "keeper", "worker"):
        c.call("PUT", f"/first/before-{name}", body=data[:200000])
        pid = s.pids(name)[0][0]
        os.kill(pid, signal.SIGKILL)
        begin = time.monotonic()
        while True:
            try:
                a = c.call("GET", f"/first/before-{name}")
                if a.status == 200:
                    break
            except (Closed, OSError):
                pass
            held(time.monotonic() - begin < 10, f"the {name} is not back within 10 s")
            time.sleep(0.01)
        held(a.body == data[:200000], f"bytes after the {name}'s death")
        said(f"{name} (pid {pid}) killed; first 200 after {1000 * (time.monotonic() - begin):.0f} ms")
    held(c.call("PUT", "/first/last", body=data).status == 200, "a write")
    s.kill_all()
    begin = time.monotonic()
    s.start()
    said(f"everything killed; served again after {time.monotonic() - begin:.2f} s")
    held(c.call("GET", "/first/last").body == data, "the last acknowledged write")


def canaries(s):
    step("grep for contents, names and metadata in the directory, the server's log and our processes: nothing")
    looked = 0

    def look(path):
        nonlocal looked
        try:
            with open(path, "rb") as f:
                text = f.read()
        except OSError:
            return
        looked += 1
        held(CANARY.encode() not in text, f"{path} holds the canary in clear")
    for top, _, names in os.walk(s.dir):
        for n in names:
            if not os.path.islink(os.path.join(top, n)):
                look(os.path.join(top, n))
    look(s.log_path)
    for pid, _ in s.pids():
        for n in ("environ", "cmdline", "maps"):
            look(f"/proc/{pid}/{n}")
    said(f"{looked} files read")


def doctor(s):
    step("tillit doctor")
    time.sleep(1.2)                                     # the store says how it is once a second, and it was just started
    r = subprocess.run([os.path.join(s.build, "tillit"), "doctor", s.dir], capture_output=True, text=True)
    said(r.stdout)
    bad = re.findall(r"(?m)^MEND (.*)$", r.stdout)
    held(not [x for x in bad if "locked in memory" not in x and "Landlock" not in x], bad)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(HERE, "..", "build"))
    case = Case("demo", os.path.abspath(p.parse_args().build), keep=False)
    try:
        s = made_and_served(case)
        c = Caller(s)
        data = owner_with_stock_tools(case, s)
        conditions(s, c)
        refusals(s, c)
        second_tenant(s, c)
        record(s)
        strangers(case, s)
        killed(s, c, data)
        demo_access.play(case, s, sys.modules[__name__])
        canaries(s)
        doctor(s)
        step("stop: drained, and nothing of it runs any more")
        pids = s.pids()
        s.stop()
        held(not [p for p, _ in pids if os.path.exists(f"/proc/{p}")], "a process is left")
    except BaseException:
        print(case.evidence(), file=sys.stderr)
        raise
    finally:
        case.close()
    print(f"\ndemo: {steps} steps, all held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
