# SPDX-License-Identifier: Apache-2.0
"""A byte changed in a stopped store: what was stored is given back as it was or refused, and what refuses to start says what to do."""
import glob
import json
import os
import re
import shutil
import subprocess
import time

from lib.case import limit
from lib.raw import Caller, Closed

SMALL, PACKED, LARGE = b"s" * 500, b"p" * 100_000, bytes(range(256)) * 12_000
# What is damaged, and where in the file (of its size). `aside` files hold nothing that a start must have.
WHAT = ["gate/wal/0*", "gate/logs/*/hashes.0", "gate/logs/*/entries", "gate/logs/*/offsets", "gate/openings/*/data", "gate/openings/*/offsets",
        "gate/keys/root", "gate/keys/provider", "gate/keys/t-*", "keeper/index/MANIFEST-*", "keeper/index/CURRENT", "keeper/index/*.sst", "keeper/index/*.log",
        "keeper/packs/*", "keeper/blobs/*/*", "format"]
PLACES = [0.0, 0.6]


def copy(here, there):
    subprocess.run(["cp", "-a", here, there], check=True)     # owners too: each process has its own


def flip(path, place):
    used = len(open(path, "rb").read().rstrip(b"\0"))
    if used == 0:
        return False
    with open(path, "r+b") as f:
        f.seek(int((used - 1) * place))
        byte = f.read(1)[0]
        f.seek(-1, 1)
        f.write(bytes([byte ^ 0x20]))
    return True


def said(s):
    """What the processes told the operator: everything but their usual lines."""
    with open(s.log_path) as f:
        return [line for line in f.read().splitlines() if line and " info " not in line and "[notice]" not in line]


def ready_or_refused(s):
    end, heard = time.monotonic() + 10, None
    while time.monotonic() < end:
        if b"ready\n" in (s.process.stdout.read() or b""):
            with open(os.path.join(s.dir, "run", "endpoints.json")) as f:
                s.endpoints = json.load(f)
            return True
        if not heard and said(s):
            heard = time.monotonic()
        if s.process.poll() is not None or (heard and time.monotonic() > heard + 0.1):
            return False
        time.sleep(0.01)
    return False


def try_store(s, objects):
    """(what is wrong, what happened)."""
    s.start(wait=False)
    os.set_blocking(s.process.stdout.fileno(), False)
    if not ready_or_refused(s):
        words = " ".join(said(s))
        return (None if s.dir in words or re.search("restore |put (it |them |the .*)?back", words) else "it does not start and does not say what to do"), "not started: " + words
    wrong, codes = None, []
    c = Caller(s)
    for name, body in objects:
        try:
            a = c.call("GET", f"/damage/{name}")
        except Closed:                             # cut off in the middle: what came before it was checked
            codes.append("cut")
            c = Caller(s)
            continue
        codes.append(a.status)
        if a.status == 200 and a.body != body:
            wrong = f"{name}: 200 with other bytes"
        if a.status == 503:                        # parked for seconds, and so would be the others
            return wrong, f"served {codes}"
    codes.append(c.call("PUT", "/damage/new", body=b"new").status)
    codes.append(c.call("GET", "/damage?list-type=2").status)
    return wrong, f"served {codes}"


@limit(300)
def test_a_changed_byte_is_never_given_out_as_data(case):
    """Sixteen kinds of files, two places each: never other bytes, never a start that fails without a word, never an assertion."""
    s = case.store()
    c = Caller(s)
    objects = [("small", SMALL), ("packed", PACKED), ("large", LARGE), ("empty", b"")]
    assert c.call("PUT", "/damage").status == 200
    for name, body in objects:
        assert c.call("PUT", f"/damage/{name}", body=body).status == 200
    time.sleep(1.5)                                # the flusher's turn
    s.stop()
    sound = s.dir + ".sound"
    copy(s.dir, sound)
    bad, seen = [], []
    for what in WHAT:
        for place in PLACES:
            shutil.rmtree(s.dir)
            copy(sound, s.dir)
            paths = [p for p in sorted(glob.glob(os.path.join(s.dir, what))) if os.path.isfile(p) and flip(p, place)]
            if not paths:
                continue
            open(s.log_path, "w").close()
            wrong, happened = try_store(s, objects)
            s.kill_all()
            log = open(s.log_path).read()
            if " panic " in log:
                wrong = wrong or "an assertion failed: " + next(line for line in log.splitlines() if " panic " in line)
            seen.append(f"{what} {place}: {happened}")
            if wrong:
                bad.append(f"{what} {place}: {wrong}")
    assert not bad, "\n".join(bad + [""] + seen)
