# SPDX-License-Identifier: Apache-2.0
"""What a test is given: a directory of its own, a served store on demand, and words to speak with it."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PYTHON = "/usr/bin/python3"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Skip(Exception):
    """This machine lacks what the test needs; the reason names it."""


def rows(*ids, partly=None):
    """The promise rows a test shows; partly={"P3.03": "no cosignatures yet"} for a row kept in part."""
    def mark(f):
        f.promise_rows = list(ids)
        f.promise_partly = partly or {}
        return f
    return mark


def limit(seconds):
    def mark(f):
        f.limit_seconds = seconds
        return f
    return mark


def program(name):
    path = shutil.which(name)
    if not path:
        raise Skip(f"{name} is not installed")
    return path


def go_at_least(minor):
    """Path of a go that is at least 1.minor."""
    for path in ("/usr/local/go/bin/go", shutil.which("go"), "/usr/lib/go-1.19/bin/go"):
        if path and os.path.exists(path):
            text = subprocess.run([path, "version"], capture_output=True, text=True, env={**os.environ, "GOTOOLCHAIN": "local"}).stdout
            found = re.search(r"go1\.(\d+)", text)
            if found and int(found.group(1)) >= minor:
                return path
    raise Skip(f"needs go >= 1.{minor}")


def node_at_least(major):
    """Path of a node that is at least this major version."""
    path = program("node")
    found = re.match(r"v(\d+)", subprocess.run([path, "--version"], capture_output=True, text=True).stdout)
    if not found or int(found.group(1)) < major:
        raise Skip(f"needs node >= {major}")
    return path


class Store:
    """One directory served by `tillit serve`, with breaks and faults where the build knows them."""

    def __init__(self, case, tenants=("acme",), config=""):
        self.case, self.build = case, case.build
        self.dir = os.path.join(case.dir, f"store{len(case.stores)}")
        self.process, self.log_path = None, self.dir + ".log"
        out = self.tillit("init", self.dir, "--tenant", tenants[0], "--json")
        self.info = json.loads(out)
        with open(os.path.join(self.dir, "tillit.conf")) as f:
            text = f.read()
        text = re.sub(r"(?m)^(port|tls_port) *=.*$", r"\1 = 0", text)
        with open(os.path.join(self.dir, "tillit.conf"), "w") as f:
            f.write(text + config)
        case.stores.append(self)

    def tillit(self, *args, ok=(0,), **kw):
        env = {**os.environ}
        if hasattr(self, "info"):
            env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = self.credentials
        kw.setdefault("env", env)
        r = subprocess.run([os.path.join(self.build, "tillit"), *args], capture_output=True, text=True, timeout=60, **kw)
        if r.returncode not in ok:
            raise AssertionError(f"tillit {' '.join(args)}: exit {r.returncode}\n{r.stdout}\n{r.stderr}")
        return r.stdout

    def verify(self, *args):
        """tillit-verify; gives (exit code, all it printed)."""
        r = subprocess.run([os.path.join(self.build, "tillit-verify"), *args], capture_output=True, text=True, timeout=300)
        return r.returncode, r.stdout + r.stderr

    def start(self, wait=True):
        self.log = open(self.log_path, "ab")
        ports = []
        if hasattr(self, "endpoints"):
            # The same ports as before the restart, as an administrator's fixed ones would be.
            e = self.endpoints
            port = lambda url: url.rsplit(":", 1)[1].split("/")[0]
            ports = ["--s3-port", port(e["s3"]), "--s3-tls-port", port(e["s3_tls"]), "--api-port", port(e["api"]),
                     "--access-port", port(e["s3_access"]), "--access-tls-port", port(e["s3_access_tls"])]
        self.process = subprocess.Popen([os.path.join(self.build, "tillit"), "serve", self.dir, *ports], stdout=subprocess.PIPE, stderr=self.log)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=20):
        os.set_blocking(self.process.stdout.fileno(), False)
        end, seen = time.monotonic() + seconds, b""
        while b"ready\n" not in seen:
            seen += self.process.stdout.read() or b""
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"serve is not ready (exit {self.process.poll()}):\n{self.log_tail()}")
            time.sleep(0.01)
        with open(os.path.join(self.dir, "run", "endpoints.json")) as f:
            self.endpoints = json.load(f)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError("serve did not stop within 20 s of SIGTERM:\n" + self.log_tail())

    def kill_all(self):
        """The whole store at once, as a machine that stops would."""
        for pid in [self.process.pid] + [p for p, _ in self.pids()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def pids(self, name=None):
        """[(pid, name)] of serve's children and theirs; names gate, keeper, steward, nginx (master), worker; access, access-worker (its nginx)."""
        found, todo, access = [], [self.process.pid], set()
        while todo:
            parent = todo.pop()
            try:
                with open(f"/proc/{parent}/task/{parent}/children") as f:
                    children = [int(x) for x in f.read().split()]
                for pid in children:
                    with open(f"/proc/{pid}/cmdline", "rb") as f:
                        line = f.read().replace(b"\0", b" ").decode("utf-8", "replace")
                    kind = "worker" if "worker process" in line else "nginx" if "nginx" in line else re.sub(r".*tillit-(\w+).*", r"\1", line.split(" ")[0])
                    if "access/" in line:
                        kind = "access"
                        access.add(pid)
                    elif parent in access:
                        kind = "access-worker"
                    found.append((pid, kind))
                    todo.append(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
        return [x for x in found if name in (None, x[1])]

    def breaks(self, *lines):
        """Switches named breaks and faults on in the test build; none: all off. Read within 50 ms."""
        path = os.path.join(self.dir, "run", "breaks")
        with open(path + ".new", "w") as f:
            f.write("".join(x + "\n" for x in lines))
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)
        time.sleep(0.12)

    def log_tail(self, lines=60):
        with open(self.log_path, "rb") as f:
            return b"".join(f.readlines()[-lines:]).decode("utf-8", "replace")

    # -- the record ---------------------------------------------------------------------------------------------------

    def log_records(self, log="access", **kw):
        """What the owner sees: `tillit log query --json`, a list of records with their openings."""
        out = self.tillit("log", "query", self.dir, "--log", log, "--json", **kw)
        return [json.loads(line) for line in out.splitlines() if line]

    def expect_record(self, within=1.0, **want):
        """Waits until a record with these fields stands on the access log; gives the newest one."""
        end = time.monotonic() + within
        while True:
            found = [r for r in self.log_records() if all(r.get(k) == v for k, v in want.items())]
            if found:
                return found[-1]
            if time.monotonic() > end:
                raise AssertionError(f"no record {want} within {within} s; have:\n" + "\n".join(map(str, self.log_records()[-10:])))
            time.sleep(0.05)

    # -- clients ------------------------------------------------------------------------------------------------------

    @property
    def s3_access(self):
        """Where the provider's people come in, http; endpoints["s3_access_tls"] with TLS."""
        return self.endpoints["s3_access"]

    @property
    def credentials(self):
        return self.info["access_key_id"], self.info["secret_access_key"]

    def boto3(self, tls=False, **config):
        """Debian's boto3 in this process."""
        import boto3
        from botocore.config import Config
        key, secret = self.credentials
        config.setdefault("retries", {"max_attempts": 0})
        config.setdefault("s3", {"addressing_style": "path"})
        return boto3.client("s3", endpoint_url=self.endpoints["s3_tls" if tls else "s3"], region_name=self.info["region"], aws_access_key_id=key,
                            aws_secret_access_key=secret, verify=self.info["ca_cert"] if tls else None, config=Config(**config))


class Case:
    def __init__(self, title, build, keep):
        self.title, self.build, self.keep = title, build, keep
        self.dir = tempfile.mkdtemp(prefix="tillit-" + re.sub(r"\W+", "-", title)[-40:] + "-")
        os.chmod(self.dir, 0o755)
        self.stores = []

    def store(self, start=True, **kw):
        s = Store(self, **kw)
        return s.start() if start else s

    def path(self, name, data=None):
        p = os.path.join(self.dir, name)
        if data is not None:
            with open(p, "wb") as f:
                f.write(data)
        return p

    def evidence(self):
        return "".join(f"\n--- {s.dir} server log, last lines\n{s.log_tail(40)}" for s in self.stores if os.path.exists(s.log_path))

    def close(self):
        for s in self.stores:
            try:
                s.stop()
            except BaseException:
                pass
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)
