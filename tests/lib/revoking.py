# SPDX-License-Identifier: Apache-2.0
"""What comes after a revocation: at a client of any kind, and to a front that keeps no rule.

    x = Revoking(store, people, size)               an object in one blob and one in parts, a person, a manager, an approver
    r = client_run(x, "slow", tls=True)             r.ms: when its last byte came, in ms after the revocation was acknowledged (negative: before)
    h = hostile_run(x, "holds")                     h.past: bytes that a front which ignores KILL can open past the revocation

Each run has a grant of its own. Clients are processes of their own: one clock (CLOCK_MONOTONIC), nobody's interpreter in the way.
"""
import fcntl
import multiprocessing
import os
import random
import socket
import ssl
import struct
import subprocess
import termios
import threading
import time
import urllib.parse
import uuid

from lib.case import program
from lib.evilfront import EvilAccess, Staff, opened
from lib.people import People

MIB = 1 << 20
PACE = 1_000_000                        # bytes a second of a slow client
BUCKET, BLOB, PARTS = "docs", "reports/blob", "reports/parts"
PROGRAMS = {"curl": "curl", "aws": "/usr/bin/aws"}
KINDS = ("slow", "ten", "ten slow", "fast", *PROGRAMS)
PAUSE_S = {"slow": (1.0, 2.0), "ten": (0.05, 0.6), "ten slow": (1.0, 1.6), "fast": (0.05, 0.3), "curl": (0.1, 1.0), "aws": (0.1, 0.8)}


class Revoking:
    def __init__(self, store, size=256 * MIB):
        self.store, self.size, self.people = store, size, People(store)
        self.data = random.Random(5).randbytes(8 * MIB)
        self.data *= size // len(self.data)
        s3 = store.boto3()
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key=BLOB, Body=self.data)
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key=PARTS)["UploadId"]
        parts = [{"PartNumber": 1 + i // (8 * MIB), "ETag": s3.upload_part(Bucket=BUCKET, Key=PARTS, UploadId=upload, PartNumber=1 + i // (8 * MIB),
                                                                            Body=self.data[i:i + 8 * MIB])["ETag"]} for i in range(0, size, 8 * MIB)]
        s3.complete_multipart_upload(Bucket=BUCKET, Key=PARTS, UploadId=upload, MultipartUpload={"Parts": parts})
        self.people.purpose()
        self.ines = self.people.person("ines")
        self.people.person("mats", roles=["manager"])
        self.anna = self.people.approver("anna")

    def grant(self, **terms):
        """(request, credentials) of a new grant with a budget that is not in the way."""
        r = self.people.granted(self.ines, BUCKET, prefix="reports/", **{"objects": 1_000_000, "bytes": 1 << 40, **terms})
        return r, self.people.login(r, self.ines)

    def revoke(self, r):
        """(when it was acknowledged, the answer)"""
        said = self.people.revoke(r, self.anna)
        return time.monotonic(), said.answer

    def url(self, tls):
        return self.store.endpoints["s3_access_tls" if tls else "s3_access"]

    def signed(self, session, key, range_=None, tls=False):
        # As SDKs do: two requests of one second have different signatures.
        headers = {"amz-sdk-invocation-id": str(uuid.uuid4()), **({"range": "bytes=%d-%d" % range_} if range_ else {})}
        return Staff(self.store, session, self.url(tls)).signed("GET", f"/{BUCKET}/{key}", headers=headers)


# clients ----------------------------------------------------------------------------------------------------------------------------------

class Took:
    """What a client had: body bytes, when the last came, how each of its answers ended, the most that its kernel held for it."""
    def __init__(self):
        self.bytes, self.last, self.ends, self.held = 0, 0.0, [], 0


def read_once(x, session, tls, key, range_, pace, took, begun):
    """One GET; gives "whole", "reset", "cut" (an end that is none, without a reset) or "403"."""
    url, r = urllib.parse.urlsplit(x.url(tls)), x.signed(session, key, range_, tls)
    s = raw = socket.create_connection((url.hostname, url.port), 20)
    if tls:
        context = ssl.create_default_context(cafile=x.store.info["ca_cert"])
        s = context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False)
    want = (range_[1] - range_[0] + 1) if range_ else x.size
    try:
        head = "".join(f"{k}: {v}\r\n" for k, v in {**r.headers, "authorization": r.authorization, "connection": "close"}.items())
        s.sendall(f"GET {r.path} HTTP/1.1\r\n{head}\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            piece = s.recv(16384)
            if not piece:
                return "cut"
            data += piece
        status, got = int(data.split(b" ", 2)[1]), len(data.split(b"\r\n\r\n", 1)[1])
        if status not in (200, 206):
            return str(status)
        start = time.monotonic()
        took.bytes, took.last = took.bytes + got, start
        while got < want:
            if pace and got > pace * (time.monotonic() - start):
                time.sleep(0.005)
                continue
            held = struct.unpack("i", fcntl.ioctl(s.fileno(), termios.FIONREAD, bytes(4)))[0]
            piece = s.recv(16384 if pace else 262144)
            if not piece:
                return "cut"
            took.last, took.held = time.monotonic(), max(took.held, held)
            got += len(piece)
            took.bytes += len(piece)
            if got > 65536:
                begun.set()
        return "whole"
    except (ConnectionResetError, ssl.SSLEOFError, BrokenPipeError):       # SSLEOFError: how OpenSSL says a reset within a record
        return "reset"
    finally:
        s.close()


def read_on(x, session, tls, key, range_, pace, took, begun):
    """Again and again, until it is stopped or refused."""
    while True:
        end = read_once(x, session, tls, key, range_, pace, took, begun)
        if end != "whole":
            took.ends.append(end)
            return


def python_client(x, session, tls, key, kind, begun, pipe):
    pace = PACE if "slow" in kind else None
    n = 10 if kind.startswith("ten") else 1
    ranges = [(i * x.size // n, (i + 1) * x.size // n - 1) for i in range(n)] if n > 1 else [None]
    took = [Took() for _ in ranges]
    threads = [threading.Thread(target=read_on, args=(x, session, tls, key, r, pace, t, begun), daemon=True) for r, t in zip(ranges, took)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    pipe.send((sum(t.bytes for t in took), max(t.last for t in took), [e for t in took for e in t.ends], max(t.held for t in took)))


def tool_client(x, session, tls, key, kind, begun, pipe):
    """A program as it is, its output taken as it comes."""
    url, region, access_key, secret, token = x.url(tls), x.store.info["region"], *(session[n] for n in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    env = {**os.environ, "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token, "AWS_DEFAULT_REGION": region,
           "AWS_CA_BUNDLE": x.store.info["ca_cert"], "AWS_EC2_METADATA_DISABLED": "true", "no_proxy": "*",
           "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
    if kind == "aws":
        args = [PROGRAMS[kind], "--endpoint-url", url, "s3", "cp", f"s3://{BUCKET}/{key}", "-"]
    else:
        args = [PROGRAMS[kind], "-sS", "--noproxy", "*", "--limit-rate", "20M", *(["--cacert", x.store.info["ca_cert"]] if tls else []),
                "--user", f"{access_key}:{secret}", "--aws-sigv4", f"aws:amz:{region}:s3", "-H", f"x-amz-security-token: {token}",
                "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", f"{url}/{BUCKET}/{key}"]
    n, last, code, error = 0, 0.0, 0, b""
    while code == 0:                               # again and again, until it fails
        p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        while True:
            piece = os.read(p.stdout.fileno(), 1 << 20)
            if not piece:
                break
            n, last = n + len(piece), time.monotonic()
            begun.set()
        error = p.stderr.read()
        code = p.wait()
    pipe.send((n, last, [f"exit {code}: " + " ".join(error.decode("utf-8", "replace").split())[-160:]], 0))


class ClientRun:
    def __init__(self, kind, tls, key, ms, bytes, ends, held, closed):
        self.kind, self.tls, self.key, self.ms, self.bytes, self.ends, self.held, self.closed = kind, tls, key, ms, bytes, ends, held, closed

    @property
    def reset(self):
        """Its connections were reset, those that were under way; none was ended as if it were whole, or drained. A program says what it says."""
        return self.kind in PROGRAMS or "reset" in self.ends and set(self.ends) <= {"reset", "403"}


def client_run(x, kind, tls, key=BLOB, seed=None):
    if kind in PROGRAMS:
        program(PROGRAMS[kind])
    for _ in range(10):
        run = client_try(x, kind, tls, key, seed)
        if set(run.ends) != {"403"} or run.ms > 0:  # no download was under way: another one
            return run
    raise AssertionError(f"{kind}: each of ten revocations came between two downloads")


def client_try(x, kind, tls, key, seed):
    r, session = x.grant()
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(False)
    begun = context.Event()
    p = context.Process(target=tool_client if kind in PROGRAMS else python_client, args=(x, session, tls, key, kind, begun, send), daemon=True)
    p.start()
    assert begun.wait(30), f"{kind}: no byte came"
    time.sleep(random.Random(seed).uniform(*PAUSE_S[kind]))
    acknowledged, answer = x.revoke(r)
    assert receive.poll(60), f"{kind}: still reading a minute after the revocation"
    n, last, ends, held = receive.recv()
    p.join(10)
    return ClientRun(kind, tls, key, (last - acknowledged) * 1000, n, ends, held, answer.get("closed"))


# a front that keeps no rule -----------------------------------------------------------------------------------------------------------------

class HostileRun:
    def __init__(self, **kw):
        self.__dict__.update(kw)


def hostile_run(x, how, key=BLOB, streams=10):
    """how: "lies" says of each key at once that all of its bytes are with the client, so that more comes; "holds" says nothing until the revocation, keeps
    what it has, opens it then, and says then that it was sent. Both ignore KILL, go on asking, and ask anew, on a new connection too."""
    r, session = x.grant()
    evil = EvilAccess(x.store, how == "lies")

    def ask(front, range_=None):
        front.ask_begin(x.signed(session, key, range_))
    evil.whole = lambda: ask(evil)                 # it never has enough
    for i in range(streams):
        ask(evil, (i * x.size // streams, (i + 1) * x.size // streams - 1))
    evil.pump(10, lambda: len(evil.keys) >= 2)
    evil.pump(0.2)
    said = []
    t = threading.Thread(target=lambda: said.append(x.revoke(r)[1]))
    t.start()
    evil.pump(20, lambda: said)
    t.join()
    late = EvilAccess(x.store, True)
    evil.lies = True
    evil.say_sent()                                # and now everything is said to be sent
    for front in (evil, late):
        for i in range(5):
            ask(front, (i * 8 * MIB, (i + 1) * 8 * MIB - 1))
    evil.pump(1.0)
    late.pump(1.0, lambda: len(late.refused) == 5)
    out = judge(x, how, key, evil.keys + late.keys, said[0])
    out.killed, out.refused = len(evil.killed), late.refused
    evil.close()
    late.close()
    return out


def judge(x, how, key, keys, said):
    """Past the revocation is what came behind its leaf, by the log or by the clock, and what was not yet said to be sent when it was written."""
    leaf = int(said["receipt"].rsplit("/", 1)[1])
    stmt = next(e for e in x.store.log_records("control") if e["index"] == leaf)
    assert stmt["act"] == "access.revoke" and stmt["dec"] == "allow", stmt
    past = {}
    for k in keys:
        if k.leaf > leaf or k.at > stmt["t"] + 1 or k.said is None or how == "holds" and k.said > stmt["t"]:
            past[k.blob, k.segment] = k
    for k in past.values():
        plain = opened(x.store, k)
        assert len(plain) == k.bytes and plain == x.data[k.off:k.off + k.bytes], "a key does not open what it is said to"
    return HostileRun(how=how, key=key, closed=said.get("closed"), past=sum(k.bytes for k in past.values()),
                      before=sum(k.bytes for k in keys if (k.blob, k.segment) not in past), behind=sum(k.bytes for k in keys if k.leaf > leaf))
