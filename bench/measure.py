# SPDX-License-Identifier: Apache-2.0
"""What the benchmark measures with: signed requests made beforehand, CPU of process trees, PSS, nginx as the reference."""
import datetime
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests"))
TICK = os.sysconf("SC_CLK_TCK")


class Signer:
    """SigV4 header signatures, one signing key a day."""

    def __init__(self, key, secret, region, host):
        self.key, self.region, self.host = key, region, host
        self.now = datetime.datetime.now(datetime.timezone.utc)
        self.day = self.now.strftime("%Y%m%d")
        k = ("AWS4" + secret).encode()
        for part in (self.day, region, "s3", "aws4_request"):
            k = hmac.new(k, part.encode(), hashlib.sha256).digest()
        self.signing_key = k

    def request(self, method, path, body=b"", query="", seconds_ago=0, extra=(), digest=None):
        """The raw bytes of one request. Each second_ago gives other bytes, so that requests are not repeats."""
        date = (self.now - datetime.timedelta(seconds=seconds_ago)).strftime("%Y%m%dT%H%M%SZ")
        digest = digest or hashlib.sha256(body).hexdigest()
        headers = sorted([("host", self.host), ("x-amz-content-sha256", digest), ("x-amz-date", date), *extra])
        names = ";".join(n for n, _ in headers)
        canonical_query = "&".join(sorted(q if "=" in q else q + "=" for q in query.split("&") if q))
        canonical = "\n".join([method, urllib.parse.quote(path, safe="/~-._"), canonical_query, *(f"{n}:{v}" for n, v in headers), "", names, digest])
        scope = f"{self.day}/{self.region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.new(self.signing_key, text.encode(), hashlib.sha256).hexdigest()
        target = urllib.parse.quote(path, safe="/~-._") + ("?" + query if query else "")
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers),
                 f"Authorization: AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"]
        if body or method == "PUT":
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def write_requests(path, requests):
    with open(path, "wb") as f:
        for r in requests:
            f.write(struct.pack("<I", len(r)) + r)
    return path


def cpu_seconds(pids):
    """utime + stime, all threads."""
    total = 0.0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / TICK
        except FileNotFoundError:
            pass
    return total


def pss_mib(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total / 1024


def load(build, port, connections, seconds, path, most=None):
    r = subprocess.run([os.path.join(build, "bench", "bench-load"), "127.0.0.1", str(port), str(connections), str(seconds), path, *([str(most)] if most else [])],
                       capture_output=True, text=True)
    if r.returncode:
        raise SystemExit(f"load: exit {r.returncode} {r.stderr}")
    return json.loads(r.stdout)


class Static:
    """nginx serving one file, as the reference: same workers, sendfile, no access log, no open_file_cache."""

    def __init__(self, directory, workers, port, data):
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "object"), "wb") as f:
            f.write(data)
        os.chmod(directory, 0o755)
        conf = f"""daemon off; worker_processes {workers}; pid {directory}/pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; client_body_temp_path {directory}/t; proxy_temp_path {directory}/t; fastcgi_temp_path {directory}/t;
 uwsgi_temp_path {directory}/t; scgi_temp_path {directory}/t;
 server {{ listen 127.0.0.1:{port} backlog=1024; root {directory}; }} }}"""
        with open(os.path.join(directory, "nginx.conf"), "w") as f:
            f.write(conf)
        self.port = port
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-p", directory, "-c", os.path.join(directory, "nginx.conf"), "-e", "stderr"])
        time.sleep(0.5)

    def pids(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            return [self.process.pid] + [int(x) for x in f.read().split()]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def put_requests(path, signer, prefix, first, count, body):
    """A file of PUTs of one body under keys prefix + number."""
    digest = hashlib.sha256(body).hexdigest()
    return write_requests(path, (signer.request("PUT", f"{prefix}{i:07d}", body, digest=digest) for i in range(first, first + count)))


def get_requests(path, signer, prefix, count, seconds):
    """GETs of count keys, each signed for as many seconds: that many requests pass before bytes repeat."""
    return write_requests(path, (signer.request("GET", f"{prefix}{i:07d}", seconds_ago=s) for s in range(seconds) for i in range(count)))


def send(port, raw, tls=None, host="127.0.0.1"):
    """One request over a connection of its own: (status, body bytes received, seconds to the last byte)."""
    begin = time.monotonic()
    with socket.create_connection((host, port)) as s:
        if tls:
            s = tls.wrap_socket(s, server_hostname=host)
        s.sendall(raw)
        status, n, _ = receive(s)
    return status, n, time.monotonic() - begin


def first_answer(store, port, raw):
    """Seconds from the start of a store that stands still to its first 200 to these bytes."""
    begin = time.monotonic()
    store.start(wait=False)
    while True:
        try:
            if send(port, raw)[0] == 200:
                break
        except OSError:
            pass
        if time.monotonic() - begin > 60:
            raise SystemExit(f"bench: no answer in 60 s after a start\n{store.log_tail(20)}")
        time.sleep(0.002)
    took = time.monotonic() - begin
    store.wait_ready()
    return took


def receive(s, keep=False):
    head = b""
    while b"\r\n\r\n" not in head:
        more = s.recv(16384)
        if not more:
            return 0, 0, b""
        head += more
    head, body = head.split(b"\r\n\r\n", 1)
    status, want, chunked = int(head[9:12]), 0, False
    for line in head.split(b"\r\n")[1:]:
        name, value = line.split(b":", 1)
        if name.lower() == b"content-length":
            want = int(value)
        chunked |= name.lower() == b"transfer-encoding" and b"chunked" in value
    got, kept, buffer = len(body), [body], bytearray(1 << 18)
    while chunked and not kept[-1].endswith(b"0\r\n\r\n") or not chunked and got < want:
        n = s.recv_into(buffer)
        if n == 0:
            break
        got += n
        if keep or chunked:
            kept.append(bytes(buffer[:n]))
    return status, got, b"".join(kept)


def syncs(pids, run):
    """fdatasyncs and fsyncs of these processes while run() runs, counted by the kernel; None where perf may not."""
    events = "syscalls:sys_enter_fdatasync,syscalls:sys_enter_fsync,syscalls:sys_enter_sync_file_range,syscalls:sys_enter_msync"
    try:
        p = subprocess.Popen(["perf", "stat", "-x", ",", "-e", events, "-p", ",".join(map(str, pids))], stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        return run(), None
    time.sleep(0.3)
    result = run()
    p.send_signal(signal.SIGINT)
    text = p.communicate()[1]
    found = {line.split(",")[2].rsplit("_enter_", 1)[1]: int(line.split(",")[0]) for line in text.splitlines() if line[:1].isdigit()}
    return result, found or None


def tree_bytes(directory, skip=lambda path: False):
    total = 0
    for base, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(base, name)
            try:
                if not skip(path):
                    total += os.lstat(path).st_size
            except FileNotFoundError:
                pass
    return total


def machine(directory):
    def first(path, start):
        with open(path) as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith(start)), "?")
    mount = subprocess.run(["findmnt", "-no", "SOURCE,FSTYPE,OPTIONS", "-T", directory], capture_output=True, text=True).stdout.strip()
    nginx = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True).stderr.strip()
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.strip()
    return {"cpu": f"{first('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores", "memory": first("/proc/meminfo", "MemTotal"),
            "kernel": os.uname().release, "disk": mount, "with": f"{nginx}; {openssl}"}


def profile(pids, run, path):
    """Writes where the processes' time went while run() ran: by thread, inclusive and innermost function of ours. Text, for people."""
    data = path + ".data"
    p = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "--call-graph", "dwarf,6000", "-o", data, "-p", ",".join(map(str, pids))],
                         stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    run()
    p.send_signal(signal.SIGINT)
    p.wait()
    text = subprocess.run(["perf", "script", "-i", data, "-F", "comm,pid,tid,event,ip,sym,dso"], capture_output=True, text=True, errors="replace").stdout
    os.unlink(data)
    inclusive, innermost, total = {}, {}, {}
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        m = re.match(r"^\s*(.+?)\s+(\d+)/(\d+)", lines[0])
        if not m:
            continue
        thread, seen, own = f"{m.group(1)} thread {m.group(3)}", set(), None
        for line in lines[1:]:
            words = line.split()
            name, library = words[1].split("+")[0], words[-1].strip("()").rsplit("/", 1)[-1]
            name = f"[{library}]" if name == "[unknown]" else name
            seen.add(name)
            own = own or (name if "tillit" in library else None)
        total[thread] = total.get(thread, 0) + 1
        table = inclusive.setdefault(thread, {})
        for name in seen:
            table[name] = table.get(name, 0) + 1
        table = innermost.setdefault(thread, {})
        table[own or "(outside)"] = table.get(own or "(outside)", 0) + 1
    everything = sum(total.values()) or 1
    with open(path, "w") as f:
        f.write("Samples of cpu-clock over all processes and threads. `inclusive`: the function or what it called was running; `innermost`: the\n"
                "function of ours nearest to what was running (system calls and libraries count to it).\n")
        for thread in sorted(total, key=total.get, reverse=True):
            if total[thread] < everything * 0.03:
                continue
            f.write(f"\n{re.sub(r' thread [0-9]+', '', thread)}: a thread with {100 * total[thread] / everything:.1f} % of all samples\n")
            for label, table, most in (("inclusive", inclusive, 40), ("innermost", innermost, 25)):
                rows = sorted(table[thread].items(), key=lambda x: -x[1])[:most]
                f.write(f"  {label}:\n" + "".join(f"    {100 * n / total[thread]:5.1f} %  {name[:90]}\n" for name, n in rows))
