# SPDX-License-Identifier: Apache-2.0
"""The disk says no: the log that cannot be written, and the disk that is full. Nothing is shown or done without its record."""
import concurrent.futures
import contextlib
import os
import shutil
import subprocess
import threading
import time

from lib.case import Skip, limit, program, rows
from lib.raw import Caller, Closed, Connection

SECRET = b"canary-of-the-body-" * 300
FAILS_CLOSED_S = 10                     # parked for a gate that may come back, then refused
BACK_S = 15
IMAGE_BYTES = 512 << 20                 # five WAL files, what they hold once more in flat files, the 144 MiB that writes want free, and room


def ask(caller, method, target, body=b""):
    begin = time.monotonic()
    try:
        answer = caller.call(method, target, body=body)
    except (Closed, OSError):
        answer = None
    assert time.monotonic() - begin < FAILS_CLOSED_S, f"{method} {target} hung {time.monotonic() - begin:.1f} s"
    return answer


def refused(answer, what):
    """503 or 507, or no answer at all; never a byte of the object."""
    assert answer is None or answer.status in (503, 507), f"{what}: {answer}"
    assert answer is None or (SECRET[:20] not in answer.body and answer.get("x-tillit-receipt") is None), f"{what}: {answer} {answer.headers}"


def until(condition, words, seconds=BACK_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{words}: not within {seconds} s")


def status(caller, method, target, body=b""):
    answer = ask(caller, method, target, body)
    return answer.status if answer else None


def whole(s):
    """The log tools find nothing."""
    logs = s.endpoints["logs"]
    code, text = s.verify("log", logs["access"]["url"], "--vkey", logs["access"]["vkey"])
    assert code == 0, text
    out = s.case.path("export")
    for log in ("access", "control"):
        s.tillit("log", "export", s.dir, "--out", out, "--log", log)
    code, text = s.verify("replay", out, "--access-vkey", logs["access"]["vkey"], "--control-vkey", logs["control"]["vkey"], "--access", logs["access"]["url"],
                          "--control", logs["control"]["url"])
    assert code == 0, text


def prepared(s):
    c = Caller(s)
    assert c.call("PUT", "/disk-bucket").status == 200
    assert c.call("PUT", "/disk-bucket/kept", body=SECRET).status == 200
    return c


def unwritable(t, fault):
    s = t.store()
    c = prepared(s)
    s.breaks(fault)
    # The first one meets the fault, the others a gate that cannot start; each of those is parked before it is refused.
    refused(ask(c, "PUT", "/disk-bucket/new", b"n"), f"{fault}: PUT")
    rest = [("GET", "/disk-bucket/kept"), ("HEAD", "/disk-bucket/kept"), ("GET", "/disk-bucket?list-type=2"), ("PUT", "/disk-bucket/other"), ("DELETE", "/disk-bucket/kept")]
    with concurrent.futures.ThreadPoolExecutor(len(rest)) as pool:
        for what, answer in zip(rest, pool.map(lambda x: ask(c, *x), rest)):
            refused(answer, f"{fault}: {what}")
    s.breaks()
    until(lambda: status(c, "GET", "/disk-bucket/kept") == 200, f"reads after {fault} is over")
    until(lambda: status(c, "PUT", "/disk-bucket/after", b"a") == 200, f"writes after {fault} is over")
    assert c.call("GET", "/disk-bucket/kept").body == SECRET, "an unanswered DELETE may not have come before the fault"
    whole(s)


@rows("P3.01")
@limit(120)
def test_log_write_fails(t):
    """A log that answers EIO to writes: every read and every write is refused without a byte, and all comes back by itself."""
    unwritable(t, "wal-write-eio")


@rows("P3.01")
@limit(120)
def test_log_sync_fails(t):
    """The same when the write is taken and fdatasync fails."""
    unwritable(t, "wal-sync-eio")


def blast(s, enough, seconds=80, connections=8, pipelined=32):
    """Reads whose records are long, as many as it takes until enough(answer statuses of one round) says so."""
    c = Caller(s)
    long = "x" * 1000
    request = c.sign("GET", f"/disk-bucket?delimiter={long}&list-type=2&prefix={long}&start-after={long}").bytes()
    end, stop, seen = time.monotonic() + seconds, threading.Event(), []

    def work():
        while not stop.is_set() and time.monotonic() < end:
            try:
                connection = Connection(c.url, timeout=FAILS_CLOSED_S)
                connection.send(request * pipelined)
                got = [connection.answer().status for _ in range(pipelined)]
                connection.close()
            except (Closed, OSError):
                got = [None]
            seen.extend(got)
            if enough(got):
                stop.set()
    threads = [threading.Thread(target=work) for _ in range(connections)]
    [x.start() for x in threads]
    [x.join() for x in threads]
    assert stop.is_set(), f"{len(seen)} reads in {seconds} s and no end of the reserve"
    return seen


def full(t, s, c, fill, clear):
    """What both kinds of full disk must do. fill(part) with "writes" and then "all"; clear() makes room."""
    fill("writes")
    # One may still be taken before the keeper has looked: not the key that must not show later.
    until(lambda: status(c, "PUT", "/disk-bucket/probe", b"n") in (503, 507), "writes stop on a full disk")
    refused(ask(c, "PUT", "/disk-bucket/new", b"n"), "a write on a full disk")
    refused(ask(c, "DELETE", "/disk-bucket/kept"), "DELETE on a full disk")
    assert c.call("GET", "/disk-bucket/kept").body == SECRET, "reads go on from the reserve"
    out = t.path("full-export")
    s.tillit("log", "export", s.dir, "--out", out, "--log", "access")
    assert os.path.getsize(os.path.join(out, "access.jsonl")) > 0
    fill("all")
    assert c.call("GET", "/disk-bucket/kept").body == SECRET, "reads go on from the reserve when nothing is free"
    blast(s, lambda got: all(x in (503, None) for x in got))
    refused(ask(c, "GET", "/disk-bucket/kept"), "a read with the reserve used up")
    refused(ask(c, "PUT", "/disk-bucket/new", b"n"), "a write with the reserve used up")
    clear()
    until(lambda: status(c, "GET", "/disk-bucket/kept") == 200, "reads when there is room again")
    until(lambda: status(c, "PUT", "/disk-bucket/after", b"a") == 200, "writes when there is room again")
    assert c.call("GET", "/disk-bucket/kept").body == SECRET
    assert c.call("GET", "/disk-bucket/new").status == 404, "a refused write shows"
    whole(s)


@contextlib.contextmanager
def small_disk(t, size):
    if os.geteuid() != 0:
        raise Skip("needs root to mount a small file system")
    if not shutil.which("mkfs.ext4"):
        raise Skip("mkfs.ext4 is not installed")
    image, place = t.path("image"), t.path("small")
    with open(image, "wb") as f:
        f.truncate(size)
    os.mkdir(place)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, place], capture_output=True).returncode != 0:
        raise Skip("this machine does not let us mount a loop device")
    try:
        os.chmod(place, 0o755)
        yield place
    finally:
        for s in t.stores:
            s.stop()
        if subprocess.run(["umount", place], capture_output=True).returncode != 0:
            subprocess.run(["umount", "-l", place])


def on_small_disk(t, place):
    """A store that has its directory there, and its server log elsewhere."""
    own, t.dir = t.dir, place
    try:
        s = t.store(start=False)
    finally:
        t.dir = own
    s.log_path = t.path("server.log")
    return s.start()


def free_bytes(place):
    v = os.statvfs(place)
    return v.f_bavail * v.f_frsize


@rows("P3.01", "P12.04", partly={"P12.04": "no scrub; power cut in the fault engine only"})
@limit(240)
def test_small_disk_is_full(t):
    """A real file system of half a GiB: merely full stops writes only; with the reserve used up reads fail closed; room brings all back."""
    with small_disk(t, IMAGE_BYTES) as place:
        s = on_small_disk(t, place)
        c = prepared(s)
        filler = os.path.join(place, "filler")

        def fill(part):
            want = free_bytes(place) - (64 << 20) if part == "writes" else free_bytes(place)
            with open(filler, "ab") as f:
                while want > 0:
                    piece = min(want, 1 << 20)
                    try:
                        os.write(f.fileno(), b"\1" * piece)
                    except OSError:
                        break
                    want -= piece
                os.fsync(f.fileno())
        full(t, s, c, fill, lambda: os.unlink(filler))


@rows("P3.01", "P12.04", partly={"P12.04": "no scrub; power cut in the fault engine only"})
@limit(240)
def test_log_has_no_space(t):
    """New files of the log answer ENOSPC: the ones there are carry reads on, then everything is refused, then all comes back."""
    s = t.store()
    c = prepared(s)
    s.breaks("wal-write-enospc")
    assert status(c, "GET", "/disk-bucket/kept") == 200
    blast(s, lambda got: status(c, "PUT", "/disk-bucket/new", b"n") in (503, 507))
    assert c.call("GET", "/disk-bucket/kept").body == SECRET, "reads go on from the reserve"
    blast(s, lambda got: all(x in (503, None) for x in got))
    refused(ask(c, "GET", "/disk-bucket/kept"), "a read with the reserve used up")
    refused(ask(c, "PUT", "/disk-bucket/new", b"n"), "a write with the reserve used up")
    s.breaks()
    until(lambda: status(c, "GET", "/disk-bucket/kept") == 200, "reads when there is room again")
    until(lambda: status(c, "PUT", "/disk-bucket/after", b"a") == 200, "writes when there is room again")
    assert c.call("GET", "/disk-bucket/kept").body == SECRET
    whole(s)


@rows("P3.01")
@limit(120)
def test_disk_hangs_and_is_read_only(t):
    """While the disk hangs nothing is answered; afterwards everything is. A start on a read-only disk says so and harms nothing."""
    with small_disk(t, IMAGE_BYTES) as place:
        s = on_small_disk(t, place)
        c = prepared(s)
        wanted = [("GET", "/disk-bucket/kept", b""), ("GET", "/disk-bucket?list-type=2", b""), ("PUT", "/disk-bucket/new", b"n")]
        program("fsfreeze")
        with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
            subprocess.run(["fsfreeze", "-f", place], check=True)
            try:
                asked = [pool.submit(c.call, m, target, body=body) for m, target, body in wanted]
                time.sleep(1.5)
                assert not any(x.done() for x in asked), f"answered without a record: {[x.result() for x in asked if x.done()]}"
            finally:
                subprocess.run(["fsfreeze", "-u", place], check=True)
            assert [x.result().status for x in asked] == [200, 200, 200]
        whole(s)
        s.stop()
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        r = subprocess.run([os.path.join(s.build, "tillit"), "serve", s.dir], capture_output=True, text=True, timeout=30)
        assert r.returncode != 0 and "Read-only file system" in r.stderr and s.dir in r.stderr, r
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
        s.start()
        assert c.call("GET", "/disk-bucket/kept").body == SECRET
        assert c.call("GET", "/disk-bucket/new").body == b"n"
