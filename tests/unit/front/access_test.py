#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The front of the provider's people through real nginx, against a gate that meters and kills, and a keeper. Prints TAP.

  access_test.py MODULE.so [--only SUBSTRING]
"""
import fcntl
import hashlib
import os
import signal
import socket
import ssl
import struct
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fake  # noqa: E402
import rig  # noqa: E402
import wire  # noqa: E402

from rig import code_of, request, status_of  # noqa: E402

SEGMENT = fake.FRAME * fake.SEGMENT_FRAMES


class Keeper(fake.Keeper):
    peer = wire.ROLE_ACCESS


class Gate(fake.Gate):
    """Releases one segment at a time. `streams` has what stands of each request; `said` all that the front said of it."""
    peer = wire.ROLE_ACCESS
    streams, said, changed, hold = {}, [], threading.Condition(), False

    def release(self, c, id, o, head, range_):
        off, length, status = 0, o["size"], 200
        if range_:
            a, b = range_.split("=")[1].split("-")
            off, length, status = int(a), int(b) - int(a) + 1, 206
        with self.changed:
            self.streams[id] = {"conn": c, "o": o, "off": off, "len": length, "status": status, "segment": off // SEGMENT}
            self.changed.notify_all()
        self.give(id)

    def on_ask(self, c, id, m):
        self.told("ask", 0, c, id)
        super().on_ask(c, id, m)

    def give(self, id):
        s = self.streams[id]
        o, i = s["o"], s["segment"]
        s["more"] = (i + 1) * SEGMENT < s["off"] + s["len"]
        s["segment"] += 1
        s["given"] = min((i + 1) * SEGMENT, s["off"] + s["len"]) - s["off"]
        row = wire.put_release_row(o["blob"], o["size"], 0, i, [fake.segment_key(o["key"], i)], bytes([o["engine"]]) + o["blob"])
        s["conn"].send("RELEASE", id, status=s["status"], request=os.urandom(16), receipt="log/2", size=o["size"], off=s["off"], len=s["len"],
                       tenant=fake.TENANT, more=s["more"], metered=1, rows=row)

    def told(self, *what):
        with self.changed:
            self.said.append(what)
            self.changed.notify_all()

    def on_next(self, c, id, m):
        s = self.streams.get(id)
        self.told("next", id, m["sent"])
        if s is None:                              # of a test before
            return
        assert m["sent"] == s["given"], (m["sent"], s["given"])
        if s["more"] and not self.hold:
            self.give(id)

    def on_killed(self, c, id, m):
        self.told("killed", id, time.monotonic())

    def on_abort(self, c, id, m):
        self.told("abort", id)

    def wait(self, what, within=5.0):
        with self.changed:
            assert self.changed.wait_for(what, within), (what, self.said[-5:])

    def stream(self, n):
        """The id of the n-th stream since begin()."""
        self.wait(lambda: len(self.streams) > n)
        return list(self.streams)[n]

    def begin(self):
        self.streams.clear()
        self.said.clear()
        self.hold = False

    def kill(self, id, conn=None):
        (conn or self.streams[id]["conn"]).send("KILL", id)
        self.wait(lambda: any(x[:2] == ("killed", id) for x in self.said))
        return next(x[2] for x in self.said if x[:2] == ("killed", id))

    def nexts(self, id):
        return [x[2] for x in self.said if x[:2] == ("next", id)]

    def count(self, what, id):
        return sum(1 for x in self.said if x[:2] == (what, id))


def put(r, key, n, engine=3):
    """An object that was there before."""
    body, blob, secret = os.urandom(min(n, 1 << 20)) * (n // (1 << 20) + 1), os.urandom(16), os.urandom(32)
    body = body[:n]
    cipher = fake.seal(fake.TENANT, blob, secret, body)
    if engine == 3:
        name = fake.b32(blob)
        path = os.path.join(r.dir, "keeper/blobs", name[:2], name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(cipher)
    else:
        path = None
        r.store.blobs[blob] = cipher
    r.store.objects["b", key] = {"blob": blob, "key": secret, "size": n, "etag": hashlib.md5(body).hexdigest(), "engine": engine, "type": None,
                                 "meta": [], "path": path}
    return body


def opened(r, key, tls=False, buffer=65536, close=True):
    """A client that has asked and not yet read. With a small receive buffer what it has not read waits in the server's kernel; None: the usual one."""
    s = socket.socket()
    if buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    s.settimeout(20)
    s.connect(("127.0.0.1", r.https if tls else r.http))
    if tls:
        # A stream that ends without TLS' own close is an error, not an end.
        s = ssl.create_default_context(cafile=r.cert).wrap_socket(s, server_hostname="localhost", suppress_ragged_eofs=False)
    s.sendall(request(r, "GET", "/b/" + key, close=close))
    return s


def rest(s, pace=None, until=None):
    """(bytes, how it ended, when the last byte came): read at most `pace` bytes a second."""
    out, last, began = 0, time.monotonic(), time.monotonic()
    while until is None or out < until:
        if pace and out > pace * (time.monotonic() - began):
            time.sleep(0.01)
            continue
        try:
            piece = s.recv(16384)
        except ConnectionResetError:
            return out, "reset", last
        except ssl.SSLEOFError:                    # how OpenSSL says a reset within a record
            return out, "reset", last
        if not piece:
            return out, "end", last
        out, last = out + len(piece), time.monotonic()
    return out, "more", last


def waiting(s):
    """Bytes that the client's kernel has for it."""
    return struct.unpack("i", fcntl.ioctl(s.fileno(), termios.FIONREAD, bytes(4)))[0]


def test_objects_come_back_segment_by_segment(r):
    for engine in (2, 3):
        for n in (0, 1, 65536, SEGMENT, SEGMENT + 1, 2 * SEGMENT + 70000):
            body = put(r, "o%d-%d" % (engine, n), n, engine)
            for tls in (False, True):
                r.gate.begin()
                got = r.client(tls).get_object(Bucket="b", Key="o%d-%d" % (engine, n))
                assert got["Body"].read() == body, (engine, n, tls)
                id = r.gate.stream(0)
                want = [min(i + SEGMENT, n) for i in range(0, max(n, 1), SEGMENT)]
                r.gate.wait(lambda: len(r.gate.nexts(id)) == len(want))
                time.sleep(0.02)
                assert r.gate.nexts(id) == want, (engine, n, tls, r.gate.nexts(id))
                assert not r.gate.count("abort", id)


def test_ranges_begin_and_end_anywhere(r):
    body = put(r, "range", 3 * SEGMENT)
    for a, b in ((0, 0), (SEGMENT - 1, SEGMENT), (5, 2 * SEGMENT + 5), (2 * SEGMENT, 3 * SEGMENT - 1)):
        r.gate.begin()
        assert r.client().get_object(Bucket="b", Key="range", Range="bytes=%d-%d" % (a, b))["Body"].read() == body[a:b + 1], (a, b)
        id = r.gate.stream(0)
        r.gate.wait(lambda: r.gate.nexts(id) and r.gate.nexts(id)[-1] == b - a + 1)


def test_next_waits_for_the_socket(r):
    put(r, "big", 3 * SEGMENT)
    for tls in (False, True):
        r.gate.begin()
        s = opened(r, "big", tls)
        id = r.gate.stream(0)
        time.sleep(0.5)
        assert r.gate.nexts(id) == [], "told before the socket had it"
        got = rest(s, until=SEGMENT - (1 << 20))[0]
        time.sleep(0.3)
        assert r.gate.nexts(id) == [], "told before the socket had it"
        rest(s, until=(1 << 20) + 100000)
        r.gate.wait(lambda: r.gate.nexts(id) == [SEGMENT])
        got += rest(s)[0]
        r.gate.wait(lambda: r.gate.nexts(id) == [SEGMENT, 2 * SEGMENT, 3 * SEGMENT])
        s.close()


def told_unread(r, n, tls):
    """Whether an object of n bytes is told of while nobody reads; then every byte must be there with the front stopped."""
    put(r, "fits", n)
    r.gate.begin()
    s = opened(r, "fits", tls, close=False)
    id = r.gate.stream(0)
    time.sleep(0.03)
    told = r.gate.nexts(id) == [n]
    workers = r.workers() if told else []
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        s.settimeout(1)
        head = s.recv(2000).split(b"\r\n\r\n", 1) if told else []
        assert not told or len(head) == 2 and rest(s, until=n - len(head[1]))[0] == n - len(head[1])
    except socket.timeout:
        raise AssertionError("%d bytes were told and the socket did not have them" % n)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        s.close()
    return told


def test_what_was_told_comes_without_the_front(r):
    """Sizes around what the kernel's buffers take. TLS keeps up to a record of 16 KiB back: that is not told before the socket has it."""
    for tls in (False, True):
        edge = next(n for n in range(50000, 1000000, 20000) if not told_unread(r, n, tls))
        told = [told_unread(r, n, tls) for n in range(edge - 40000, edge + 20000, 1000)]
        assert any(told) and not all(told), told


def test_kill_resets_a_client_that_does_not_read(r):
    put(r, "big", 3 * SEGMENT)
    for tls in (False, True):
        for before in (0, 1 << 20, SEGMENT + 100000):
            r.gate.begin()
            s = opened(r, "big", tls)
            id = r.gate.stream(0)
            rest(s, until=before) if before else None
            time.sleep(0.2)
            r.gate.kill(id)
            had = waiting(s)
            time.sleep(0.2)
            assert waiting(s) == had, "bytes came after KILLED"
            n, end, _ = rest(s)
            assert end == "reset", (tls, before, end)
            assert n <= had + 16384, (n, had)      # TLS: what was read of the record before
            time.sleep(0.05)
            assert r.gate.count("killed", id) == 1 and not r.gate.count("abort", id), r.gate.said
            s.close()


def test_a_slow_client_has_its_last_byte_within_a_second(r):
    """1 MB/s with full buffers: the kernel's own size of them, and what it had is all it gets."""
    put(r, "slow", 6 * SEGMENT)
    worst = 0
    for tls in (False, True):
        for i in range(3):
            r.gate.begin()
            s, out = opened(r, "slow", tls, buffer=None), []
            t = threading.Thread(target=lambda s=s, out=out: out.append(rest(s, pace=1 << 20)), daemon=True)
            t.start()
            time.sleep(1.5)
            id = r.gate.stream(0)
            killed = r.gate.kill(id)
            t.join(10)
            n, end, last = out[0]
            assert end == "reset", end
            worst = max(worst, last - killed)
            s.close()
    print("# last byte %.0f ms after KILLED at worst" % (worst * 1000), flush=True)
    assert worst < 1.0, worst


def test_kill_before_the_answer_resets(r):
    put(r, "small", 10, 2)
    for tls in (False, True):
        r.gate.begin()
        r.store.no_answer = True
        s = opened(r, "small", tls)
        r.gate.wait(lambda: r.gate.count("ask", 0) == 1)
        conn, id = next(x[2:] for x in r.gate.said if x[0] == "ask")
        r.gate.kill(id, conn)
        assert rest(s)[:2] == (0, "reset")
        s.close()


def test_kill_reaches_one_request_of_a_connection(r):
    """Kept alive and pipelined: an ended request's KILL harms nobody, a running one's takes the connection with all behind it."""
    put(r, "one", 5, 2)
    put(r, "big", 3 * SEGMENT)
    for tls in (False, True):
        r.gate.begin()
        s = opened(r, "one", tls, close=False)
        first = s.recv(65536)
        while b"\r\n\r\n" not in first or len(first.split(b"\r\n\r\n", 1)[1]) < 5:
            first += s.recv(65536)
        assert status_of(first) == 200
        s.sendall(request(r, "GET", "/b/big", close=False) + request(r, "GET", "/b/one", close=False))
        ended, running = r.gate.stream(0), r.gate.stream(1)
        conn = r.gate.streams[ended]["conn"]
        rest(s, until=1000)
        r.gate.kill(ended, conn)
        assert rest(s, until=SEGMENT + 5000)[1] == "more", "an ended request's KILL broke another one"
        r.gate.kill(running)
        assert rest(s)[1] == "reset"
        time.sleep(0.1)
        assert len(r.gate.streams) == 2, "a request behind a killed one was asked"
        s.close()


def test_kill_while_a_thread_reads(r):
    """The page cache is emptied, so that reads go to threads; KILL comes at any moment."""
    put(r, "cold", 3 * SEGMENT)
    path = r.store.objects["b", "cold"]["path"]
    for i in range(40):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        r.gate.begin()
        s = opened(r, "cold", i % 2 == 1)
        t = threading.Thread(target=rest, args=(s,), daemon=True)
        t.start()
        id = r.gate.stream(0)
        time.sleep(i * 0.0005)
        r.gate.kill(id)
        t.join(5)
        assert not t.is_alive()
        s.close()
    assert r.client().get_object(Bucket="b", Key="cold")["Body"].read(10)


def test_a_client_that_leaves_is_told_of_once(r):
    put(r, "big", 3 * SEGMENT)
    r.gate.begin()
    s = opened(r, "big")
    id = r.gate.stream(0)
    rest(s, until=100000)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    r.gate.wait(lambda: r.gate.count("abort", id) == 1)
    r.gate.kill(id)
    assert r.gate.count("killed", id) == 1


def test_without_the_gate_metered_answers_are_reset(r):
    put(r, "big", 3 * SEGMENT)
    for tls in (False, True):
        r.gate.begin()
        s = opened(r, "big", tls)
        r.gate.stream(0)
        rest(s, until=100000)
        r.gate.close()
        time.sleep(0.2)
        n, end, _ = rest(s)
        assert end == "reset" and n < 1 << 20, (n, end)
        s.close()
        r.gate.reopen()
        time.sleep(0.2)
    assert r.client().get_object(Bucket="b", Key="big")["ContentLength"] == 3 * SEGMENT


def test_a_refusal_in_the_middle_resets(r):
    put(r, "big", 3 * SEGMENT)
    r.gate.begin()
    r.gate.hold = True
    s = opened(r, "big")
    id = r.gate.stream(0)
    rest(s, until=SEGMENT)
    r.gate.wait(lambda: r.gate.nexts(id) == [SEGMENT])
    r.gate.answer(r.gate.streams[id]["conn"], id, 403, "AccessDenied")
    assert rest(s)[1] == "reset"
    s.close()


def test_writing_is_the_gates_to_refuse(r):
    r.store.refuse = (403, "AccessDenied")
    out = r.raw(request(r, "PUT", "/b/x", b"hello"))
    assert status_of(out) == 403 and code_of(out) == "AccessDenied", out
    assert not r.store.blobs.get("x")


if __name__ == "__main__":
    rig.main(sys.argv, [(n, f) for n, f in list(globals().items()) if n.startswith("test_")], role="access", gate=Gate, keeper=Keeper)
