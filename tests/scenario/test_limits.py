# SPDX-License-Identifier: Apache-2.0
"""Limits of the machine and of a store: few descriptors, many tenants, many buckets."""
import json
import os
import resource
import subprocess
import time

from lib.case import limit
from lib.raw import Caller


def open_files(pid):
    with open(f"/proc/{pid}/limits") as f:
        return int(next(line for line in f if line.startswith("Max open files")).split()[3])


def test_a_low_soft_limit_for_open_files_is_raised_and_a_low_hard_one_is_named(case):
    """`ulimit -n 64` before `tillit serve` does no harm; where no more can be had it says so and starts nothing."""
    s = case.store(start=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    s.start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    a = Caller(s)
    for i in range(40):                            # each bucket and object: flat files, keyrings, packs
        assert a.call("PUT", f"/bucket-{i}").status == 200
        assert a.call("PUT", f"/bucket-{i}/k", body=b"x" * (i * 1000)).status == 200
    callers = [Caller(s) for _ in range(100)]      # all connected at once
    assert all(c.call("GET", "/bucket-7/k").body == b"x" * 7000 for c in callers)
    for pid, name in s.pids():
        assert open_files(pid) >= min(hard, 1024), (name, open_files(pid))
    s.stop()
    few = subprocess.run(["prlimit", "--nofile=64:64", os.path.join(s.build, "tillit"), "serve", s.dir], capture_output=True, text=True, timeout=20)
    assert few.returncode == 2 and "ulimit -n" in few.stderr, few


@limit(180)
def test_many_tenants_and_buckets_come_back_after_a_kill(case):
    """50 tenants with an object each, 2000 buckets in one: after kill -9 all are there, and a start still takes seconds."""
    s = case.store()
    a = Caller(s)
    for i in range(2000):
        assert a.call("PUT", f"/many-{i:04}").status == 200
    others = []
    for i in range(49):
        info = json.loads(s.tillit("tenant", "create", s.dir, "--tenant", f"tenant-{i}", "--json"))
        others.append((info["access_key_id"], info["secret_access_key"]))
    for i, (key, secret) in enumerate(others):
        c = Caller(s, key, secret)
        assert c.call("PUT", "/mine").status == 200
        assert c.call("PUT", "/mine/k", body=b"of %d" % i).status == 200
    s.kill_all()
    begin = time.monotonic()
    s.start()
    assert time.monotonic() - begin < 15
    for i, (key, secret) in enumerate(others):
        assert Caller(s, key, secret).call("GET", "/mine/k").body == b"of %d" % i
    a = Caller(s)
    body = a.call("GET", "/").body
    assert body.count(b"<Bucket>") == 2000, body[:300]
    assert a.call("DELETE", "/many-0250").status == 204
    assert a.call("GET", "/").body.count(b"<Bucket>") == 1999
