# SPDX-License-Identifier: Apache-2.0
"""Starts nginx with the module on free ports, with a fake gate and keeper (fake.py), in a directory of its own."""
import hashlib
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, HERE)
import fake  # noqa: E402


def free_ports(n):
    socks = [socket.socket() for _ in range(n)]
    for s in socks:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in socks]
    for s in socks:
        s.close()
    return ports


class Rig:
    def __init__(self, module, workers=2, env=None, role="front", gate=fake.Gate, keeper=fake.Keeper):
        self.dir = tempfile.mkdtemp(prefix="front-")
        for d in ("run/gate", "run/keeper", "keeper/blobs", "gate/logs", "front/tmp", "front/tls"):
            os.makedirs(os.path.join(self.dir, d))
        self.http, self.https, self.api = free_ports(3)
        self.cert, self.key = os.path.join(self.dir, "front/tls/cert.pem"), os.path.join(self.dir, "front/tls/key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key, "-out", self.cert],
                       check=True, capture_output=True)
        text = open(os.path.join(ROOT, "src/front/ngx/nginx.conf.in")).read()
        values = {"MODULE": module, "DIR": self.dir, "WORKERS": workers, "LISTEN": "127.0.0.1", "S3_PORT": self.http,
                  "S3_TLS_PORT": self.https, "API_PORT": self.api, "ROLE": role,
                  "FRONT": "" if role == "front" else "#", "SNDBUF": " sndbuf=64k" if role == "access" else "", "DOMAIN": "s3.test", "TLS_CERT": self.cert, "TLS_KEY": self.key}
        for k, v in values.items():
            text = text.replace("@%s@" % k, str(v))
        text = text.replace("client_body_timeout 30s", "client_body_timeout 3s").replace("send_timeout 60s", "send_timeout 5s")
        if os.getuid() == 0:
            text = text.replace("daemon off;", "daemon off;\nuser root;")   # the test's directory is its own
        self.conf = os.path.join(self.dir, "front/nginx.conf")
        open(self.conf, "w").write(text)
        self.store = fake.Store(self.dir)
        self.gate, self.keeper = gate(self.store), keeper(self.store)
        self.errors = os.path.join(self.dir, "stderr")
        self.nginx = subprocess.Popen(["/usr/sbin/nginx", "-p", os.path.join(self.dir, "front/"), "-c", self.conf, "-e", "stderr"],
                                      stderr=open(self.errors, "w"), env={**os.environ, "LD_PRELOAD": os.environ.get("FRONT_PRELOAD", ""), **(env or {})})
        for _ in range(200):
            try:
                if role == "front" and self.raw_api("GET", "/-/ready")[0] == 200:
                    return
                if role == "access" and self.gate.greeted >= workers and self.keeper.greeted >= workers:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        self.nginx.kill()
        raise SystemExit("nginx is not ready:\n" + open(self.errors).read())

    def raw_api(self, method, path, body=None, headers={}):
        c = http.client.HTTPConnection("127.0.0.1", self.api, timeout=10)
        c.request(method, path, body, headers)
        r = c.getresponse()
        out = r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read()
        c.close()
        return out

    def client(self, tls=False, **config):
        import boto3
        from botocore.config import Config
        config.setdefault("retries", {"max_attempts": 0})
        return boto3.client("s3", endpoint_url=("https://localhost:%d" % self.https) if tls else "http://127.0.0.1:%d" % self.http,
                            aws_access_key_id=fake.AKID, aws_secret_access_key=fake.SECRET, region_name=fake.REGION,
                            verify=self.cert if tls else None, config=Config(s3={"addressing_style": "path"}, **config))

    def signed(self, method, path, body=b"", headers={}, payload=None, port=None):
        """Header-signed request headers by hand, for what no client would send."""
        import datetime
        import hmac
        import urllib.parse
        now = datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
        h = {"host": "127.0.0.1:%d" % (port or self.http), "x-amz-date": now,
             "x-amz-content-sha256": payload or hashlib.sha256(body).hexdigest()}
        h.update({k.lower(): v for k, v in headers.items()})
        p, _, q = path.partition("?")
        query = "&".join(sorted((k if "=" in k else k + "=") for k in q.split("&") if k))
        names = ";".join(sorted(h))
        canonical = "\n".join([method, p, query] + ["%s:%s" % (k, h[k].strip()) for k in sorted(h)] + ["", names, h["x-amz-content-sha256"]])
        cred = "/".join([fake.AKID, now[:8], fake.REGION, "s3", "aws4_request"])
        sig = self.gate.signature(canonical.encode(), cred, now)
        h["authorization"] = "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s" % (cred, names, sig)
        return h

    def socket(self, tls=False):
        s = socket.create_connection(("127.0.0.1", self.https if tls else self.http), timeout=10)
        if tls:
            ctx = ssl.create_default_context(cafile=self.cert)
            s = ctx.wrap_socket(s, server_hostname="localhost")
        return s

    def raw(self, data, read_all=True, timeout=10):
        """Bytes in, bytes out until the server closes or is silent for a while."""
        s = self.socket()
        s.settimeout(timeout)
        s.sendall(data)
        out = b""
        try:
            while read_all or b"\r\n\r\n" not in out:
                piece = s.recv(65536)
                if not piece:
                    break
                out += piece
        except (socket.timeout, ConnectionResetError):
            pass                        # a lingering close that timed out resets, after the answer
        s.close()
        return out

    def workers(self):
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.nginx.pid)], capture_output=True, text=True).stdout
        return [int(x) for x in out.split()]

    def stderr(self):
        return open(self.errors).read()

    def stop(self):
        self.nginx.send_signal(signal.SIGTERM)
        try:
            self.nginx.wait(10)
        except subprocess.TimeoutExpired:
            self.nginx.kill()
            self.nginx.wait()
        self.gate.close()
        self.keeper.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def code_of(data):
    m = re.search(rb"<Code>(\w+)</Code>", data)
    return m.group(1).decode() if m else None


def status_of(data):
    return int(data.split(b" ", 2)[1])


def request(r, method, path, body=b"", headers={}, sign=True, payload=None, extra=b"", close=True):
    """One raw request as bytes."""
    h = r.signed(method, path, body, headers, payload) if sign else dict(headers, host="x")
    if body and "transfer-encoding" not in h and "content-length" not in h:
        h["content-length"] = str(len(body))
    if close:
        h["connection"] = "close"
    return ("%s %s HTTP/1.1\r\n" % (method, path)).encode() + "".join("%s: %s\r\n" % kv for kv in h.items()).encode() + b"\r\n" + body + extra


def main(argv, tests, **kw):
    """Runs tests one after the other on one rig, and prints TAP."""
    only = argv[argv.index("--only") + 1] if "--only" in argv else ""
    tests = [(n, f) for n, f in tests if only in n]
    print("1..%d" % len(tests), flush=True)
    r = Rig(os.path.abspath(argv[1]), **kw)
    bad = 0
    try:
        for i, (name, f) in enumerate(tests, 1):
            try:
                f(r)
                print("ok %d - %s" % (i, name[5:]), flush=True)
            except BaseException:
                bad += 1
                print("not ok %d - %s" % (i, name[5:]), flush=True)
                traceback.print_exc()
            s = r.store
            s.answer_delay, s.no_answer, s.no_data, s.no_credit, s.refuse, s.flip = 0, False, False, False, None, None
        errors = [ln for ln in r.stderr().splitlines() if "alert" in ln or "emerg" in ln or "ERROR: " in ln or "runtime error" in ln]
        if errors:
            bad += 1
            print("\n".join(errors[:40]), file=sys.stderr)
    finally:
        if r.nginx.poll() is None and "--keep" in argv:
            print(r.dir)
            input()
        text = r.stderr()
        r.stop()
    if bad:
        print(text[-6000:], file=sys.stderr)
    sys.exit(1 if bad else 0)

