# SPDX-License-Identifier: Apache-2.0
"""kill -9 under load, the short form of `make kill`; and that its judge would notice."""
import os
import signal
import time

from crash.judge import judge
from crash.kill import SMALL_PARTS, run
from crash.load import Load
from crash.wide import PlainClient, WideClient
from lib.case import limit, rows


@rows("P12.04", partly={"P12.04": "no scrub; power cut in the fault engine only"})
@limit(180)
def test_nothing_acknowledged_is_lost(t):
    """gate, keeper, a worker and nginx's master die at random moments; what clients were told is in the log and in the store:
    objects, versions, uploads in parts, copies, tags, policies, users and keys."""
    verdict, times = run(t, rounds=16, seed=20, say=lambda *a, **k: None)
    assert verdict.clean, "\n".join(verdict.lines())
    assert sum(map(len, times.values())) == 16
    assert max(ms for x in times.values() for ms in x) < 10_000, times


@limit(180)
def test_a_store_that_forgets_its_voids_is_noticed(t):
    """The same with refused writes that get no void: the judge counts them."""
    verdict, _ = run(t, rounds=6, seed=21, say=lambda *a, **k: None, targets=["keeper"], breaks=["void-skipped"], wide=0)
    assert verdict.unvoided, "a store without voids ended clean"


@limit(180)
def test_a_gate_that_answers_too_early_is_noticed(t):
    """The same with answers before their record is durable: the judge names answers that the log does not know."""
    verdict, _ = run(t, rounds=4, seed=22, say=lambda *a, **k: None, targets=["gate"], breaks=["release-before-durable", "wal-sync-delay-ms=30"], wide=0)
    assert verdict.unrecorded, "a store that answers too early ended clean"


@limit(180)
def test_a_store_that_answers_with_old_versions_is_noticed(t):
    """The wide load's clients know what they were told, and name what does not fit, without a look at the log."""
    verdict, _ = run(t, rounds=4, seed=24, threads=0, say=lambda *a, **k: None, breaks=["stale-version"])
    assert any(line.startswith("wide-") and "it could only be" in line for line in verdict.lost), list(verdict.lines())


def runs(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as f:
            return f.read() != ""                            # a zombie has none
    except (FileNotFoundError, ProcessLookupError):
        return False


def until_gone(children, seconds=10):
    """serve is gone: its children end by themselves."""
    end = time.monotonic() + seconds
    while any(runs(pid) for pid, _ in children):
        assert time.monotonic() < end, f"still there without serve: {children}"
        time.sleep(0.01)


@limit(180)
def test_the_whole_store_dies_at_once(t):
    """Everything is killed under load, then serve alone; each time the next start finds all that was acknowledged."""
    s = t.store(config=SMALL_PARTS)
    load = Load(s, "kill-bucket", threads=3, seed=23, wide=[WideClient, PlainClient]).start()
    for round_number in range(4):
        time.sleep(0.4)
        if round_number % 2:
            children = s.pids()
            os.kill(s.process.pid, signal.SIGKILL)
            s.process.wait()
            until_gone(children)
        else:
            s.kill_all()
        s.start()
        load.round += 1
    time.sleep(0.3)
    load.stop()
    verdict = judge(s, load)
    assert verdict.clean, "\n".join(verdict.lines())
    assert len(load.told) > 100 and len(load.told_wide) > 100, (len(load.told), len(load.told_wide))
