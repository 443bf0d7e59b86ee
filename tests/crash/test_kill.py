# SPDX-License-Identifier: Apache-2.0
"""kill -9 under load, the short form of `make kill`; and that its judge would notice."""
import os
import signal
import time

from crash.judge import judge
from crash.kill import SMALL_PARTS, run
from crash.load import Load
from crash.wide import PlainClient, SharingClient, WideClient
from lib.case import limit, rows
from lib.raw import Caller


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
    verdict, _ = run(t, rounds=6, seed=21, say=lambda *a, **k: None, targets=["keeper"], breaks=["void-skipped"], threads=6, wide=0)
    assert verdict.unvoided, "a store without voids ended clean"


@limit(180)
def test_a_gate_that_answers_too_early_is_noticed(t):
    """The same with answers before their record is durable: the judge names answers that the log does not know."""
    verdict, _ = run(t, rounds=4, seed=22, say=lambda *a, **k: None, targets=["gate"], breaks=["release-before-durable", "wal-sync-delay-ms=30"], threads=6, wide=0)
    assert verdict.unrecorded, "a store that answers too early ended clean"


@limit(120)
def test_a_version_that_somebody_took_is_noticed(t):
    """A version goes by a request of its own, which the log knows: only the model of who put it there can tell, and names it."""
    s = t.store(config=SMALL_PARTS)
    load = Load(s, "kill-bucket", threads=0, seed=24, wide=[WideClient]).start()
    time.sleep(2)
    load.stop()
    c = load.wide[0]
    taken = next((k.name, v[0]) for k in c.keys_by_name.values() for v in k.worlds.possible(c.mode).pop() if v[1] and not isinstance(v[0], int))
    assert Caller(s).call("DELETE", f"{c.path(taken[0])}?versionId={taken[1]}").status == 204
    verdict = judge(s, load)
    assert len(verdict.lost) == 1 and taken[0] in verdict.lost[0] and taken[1] in verdict.lost[0], list(verdict.lines())
    assert not verdict.unrecorded and not verdict.unvoided and not verdict.other, list(verdict.lines())


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
    load = Load(s, "kill-bucket", threads=3, seed=23, wide=[WideClient, PlainClient, SharingClient]).start()
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
