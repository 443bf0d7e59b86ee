# SPDX-License-Identifier: Apache-2.0
"""Who is told: a webhook's receiver, a mail server, and a gate of which the steward asks what there is to tell.

  hook = Hook()                          an HTTP server on loopback; hook.url, hook.got [Notice], hook.answer = lambda n: 200
  hook.wait(3)                           until three were taken (2xx); gives them
  notice.verify(key)                     Standard Webhooks, v1a (Ed25519), against the answer of notice.set

  gate = Gate(case)                      what the steward sees of a gate, played over the wire; gate.tell(tenant, [("webhook", url)], data...)
  gate.start(), gate.kill()              the steward, alone with it

  post = Post(case)                      exim on a loopback port, a Maildir below the case's directory; post.mails("desk"), post.conf() for tillit.conf
"""
import base64
import email
import email.policy
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

from lib import wire
from lib.case import Skip

WEBHOOK, MAIL = 1, 2


def wait_for(what, within=10.0, why="nothing came of it"):
    """Gives what() once it is true."""
    end = time.monotonic() + within
    while True:
        got = what()
        if got:
            return got
        assert time.monotonic() < end, f"{why} within {within} s"
        time.sleep(0.02)


class Notice:
    def __init__(self, at, path, headers, body, status):
        self.at, self.path, self.headers, self.body, self.status = at, path, {k.lower(): v for k, v in headers.items()}, body, status
        self.id = self.headers.get("webhook-id", "")

    @property
    def event(self):
        return json.loads(self.body)

    def verify(self, key, tolerance=300):
        """As a receiver does: id, time and body are signed, and the time is now."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        kind, _, raw = key.partition("_")
        assert kind == "whpk", key
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(raw))
        stamp = self.headers["webhook-timestamp"]
        assert abs(time.time() - int(stamp)) < tolerance, f"signed {time.time() - int(stamp):.0f} s ago"
        version, _, signature = self.headers["webhook-signature"].partition(",")
        assert version == "v1a", version
        public.verify(base64.b64decode(signature), f"{self.id}.{stamp}.".encode() + self.body)
        assert self.event["id"] == self.id, (self.event["id"], self.id)


class Hook:
    def __init__(self, port=0, answer=None, delay=0.0, tls=None):
        self.tls = tls
        self.got, self.answer, self.delay, self.lock, self.seen, self.headers = [], answer or (lambda n: 200), delay, threading.Lock(), 0, {}
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with hook.lock:
                    hook.seen += 1
                    status = hook.answer(hook.seen)
                    hook.got.append(Notice(time.time(), self.path, self.headers, body, status))
                time.sleep(hook.delay)
                try:
                    self.send_response(status)
                    for k, v in hook.headers.items():
                        self.send_header(k, v)
                    self.end_headers()
                except OSError:
                    pass

            def do_GET(self):
                with hook.lock:
                    hook.got.append(Notice(time.time(), self.path, self.headers, b"", 0))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *a):
                pass
        self.handler = Handler
        self.up(port)

    def up(self, port=0):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self.handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *a: None         # who hangs up is not news
        self.port = self.server.server_address[1]
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(self.tls, "cert.pem"), os.path.join(self.tls, "key.pem"))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/tillit"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def down(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def taken(self):
        return [n for n in self.got if 200 <= n.status < 300]

    def wait(self, count, within=20.0):
        wait_for(lambda: len(self.taken) >= count, within, f"{len(self.taken)} of {count} notices")
        return self.taken


# a gate ------------------------------------------------------------------------------------------------------------------------


class Gate:
    """Control logs of made-up tenants, and the steward that asks for them. A leaf is a list of (kind, target, event bytes); [] tells nobody."""

    def __init__(self, case, conf="[notices]\nallow_private = yes\n"):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives import serialization as s
        self.case, self.dir = case, case.path("steward-dir")
        self.private = Ed25519PrivateKey.generate()
        self.key = "whpk_" + base64.b64encode(self.private.public_key().public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)).decode()
        self.logs, self.asked, self.tends, self.lock, self.process, self.leaves_max, self.bytes_max = {}, [], [], threading.Lock(), None, 512, 262144
        os.makedirs(os.path.join(self.dir, "run", "gate"))
        os.makedirs(os.path.join(self.dir, "steward"))
        with open(os.path.join(self.dir, "tillit.conf"), "w") as f:
            f.write(conf)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(os.path.join(self.dir, "run", "gate", "steward"))
        self.socket.listen(5)
        self.log = case.path("steward.log")
        self.cursors = os.path.join(self.dir, "steward", "cursors")
        threading.Thread(target=self.serve, daemon=True).start()

    def tell(self, tenant, targets, type="request", **data):
        """Appends a leaf; gives its event's id."""
        with self.lock:
            log = self.logs.setdefault(tenant, [])
            id = f"tillit.example/t/{tenant.hex()}/{len(log)}"
            event = json.dumps({"specversion": "1.0", "id": id, "source": "tillit.example", "type": "tillit.access." + type, "subject": "t" * 26,
                                "time": "2026-11-24T08:21:16.000Z", "datacontenttype": "application/json", "data": data}, sort_keys=True, separators=(",", ":"))
            log.append([(MAIL if kind == "mail" else WEBHOOK, target, event.encode()) for kind, target in targets])
            return id

    def sign(self, event):
        stamp = str(int(time.time()))
        return f"{stamp} v1a,".encode() + base64.b64encode(self.private.sign(f"{json.loads(event)['id']}.{stamp}.".encode() + event))

    def noticed(self, cursors):
        """As src/gate/say_notice.c answers; a leaf's rows all or none."""
        with self.lock:
            logs = {t: list(leaves) for t, leaves in self.logs.items()}
        rows, left = b"", self.leaves_max
        for tenant, leaves in logs.items():
            start = i = cursors.get(tenant, 0)
            told = None
            while i < len(leaves) and left > 0:
                one = b"".join(tenant + struct.pack(">QB", i, kind) + wire.lp16(target) + wire.lp16(event) + wire.lp16(self.sign(event))
                               for kind, target, event in leaves[i])
                if len(rows) + len(one) + 70 > self.bytes_max:
                    break
                rows, told, i, left = rows + one, i if one else told, i + 1, left - 1
            if i > start and told != i - 1:
                rows += tenant + struct.pack(">QB", i - 1, 0) + wire.lp16(b"") * 3
            if i < len(leaves):
                return 1, rows
        return 0, rows

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(wire.Conn(peer),), daemon=True).start()

    def answer(self, c):
        try:
            c.send("HELLO", 0, role=wire.ROLE_GATE, version=wire.VERSION, boot=os.urandom(16))
            while (frame := c.read_frame()):
                name, id, fields = frame
                if name == "TEND":
                    self.tends.append((time.monotonic(), fields["what"]))
                    c.send("ANSWER", id, status=200)
                if name == "NOTICES":
                    r, cursors = wire.Reader(fields["cursors"]), {}
                    while r.more():
                        tenant = r.take(16)
                        cursors[tenant] = r.num("U64")
                    self.asked.append((time.monotonic(), cursors))
                    more, rows = self.noticed(cursors)
                    c.send("NOTICED", id, more=more, rows=rows)
        except OSError:
            pass

    def breaks(self, *lines):
        path = os.path.join(self.dir, "run", "breaks")
        with open(path + ".new", "w") as f:
            f.write("".join(x + "\n" for x in lines))
        os.rename(path + ".new", path)
        time.sleep(0.12)

    def start(self):
        self.process = subprocess.Popen([os.path.join(self.case.build, "tillit-steward"), self.dir], stderr=open(self.log, "ab"))
        return self

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        return self.process.wait(10)

    def log_text(self):
        with open(self.log) as f:
            return f.read()


# mail --------------------------------------------------------------------------------------------------------------------------

def authority(path):
    """A certificate authority and a certificate of its for 127.0.0.1 and localhost: path/{ca,cert,key}.pem."""
    os.makedirs(path, exist_ok=True)

    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=path)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "cert.csr", "-subj", "/CN=localhost")
    with open(os.path.join(path, "ext"), "w") as f:
        f.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("x509", "-req", "-in", "cert.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "cert.pem")
    os.chmod(os.path.join(path, "key.pem"), 0o644)
    return path


EXIM = """
primary_hostname = mail.example.test
domainlist local_domains = example.test
qualify_domain = example.test
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
log_file_path = {dir}/log/%s
spool_directory = {dir}/spool
pid_file_path = {dir}/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
{tls}
host_lookup =
rfc1413_query_timeout = 0s
queue_only = false
never_users =
trusted_users = {user}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{tillit}}}}{{eq{{$auth3}}{{open sesame}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
begin acl
rcpt:
  {need}
  accept domains = +local_domains
  deny message = relay not permitted
begin routers
local:
  driver = accept
  domains = +local_domains
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {dir}/mail
  maildir_format
  create_directory
  delivery_date_add
  envelope_to_add
  return_path_add
  user = {user}
begin retry
* * F,1h,1m
"""


class Post:
    """Debian's exim, as a daemon of its own on a loopback port; it takes mail for example.test and delivers to Maildirs."""

    def __init__(self, case, port=0, tls=None):
        """tls: authority()'s directory; then nothing is taken but over TLS by who knows the password."""
        self.program = shutil.which("exim4") or ("/usr/sbin/exim4" if os.path.exists("/usr/sbin/exim4") else None)
        if not self.program:
            raise Skip("exim4 is not installed")
        if os.geteuid() != 0:
            raise Skip("exim is a daemon for root alone")
        self.dir, self.user = case.path("post"), "Debian-exim"
        for name in ("", "log", "spool", "mail"):
            os.makedirs(os.path.join(self.dir, name), exist_ok=True)
            shutil.chown(os.path.join(self.dir, name), self.user, self.user)
        with socket.socket() as s:
            s.bind(("127.0.0.1", port))
            self.port = s.getsockname()[1]
        self.config = case.path("exim.conf", EXIM.format(
            dir=self.dir, port=self.port, user=self.user, need="require authenticated = *" if tls else "",
            tls=f"tls_advertise_hosts = *\ntls_certificate = {tls}/cert.pem\ntls_privatekey = {tls}/key.pem" if tls else "tls_advertise_hosts =").encode())
        os.chmod(self.config, 0o644)
        self.process = None
        self.up()

    def up(self):
        self.process = subprocess.Popen([self.program, "-C", self.config, "-bdf", "-q1m"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            assert self.process.poll() is None, self.log_text()
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                    return s.recv(3) == b"220"
            except OSError:
                return False
        wait_for(answers, 10, "exim does not answer")
        return self

    def down(self):
        self.process.terminate()
        self.process.wait(10)

    def conf(self, more=""):
        return f"[notices]\nsmtp = smtp://127.0.0.1:{self.port}\nfrom = tillit@example.test\n{more}"

    def log_text(self):
        out = ""
        for name in ("main", "panic"):
            path = os.path.join(self.dir, "log", name)
            out += open(path).read() if os.path.exists(path) else ""
        return out

    def mails(self, user):
        """What was delivered to user@example.test, in order of arrival, parsed."""
        top = os.path.join(self.dir, "mail", "new")
        names = sorted(os.listdir(top), key=lambda n: os.stat(os.path.join(top, n)).st_mtime_ns) if os.path.isdir(top) else []
        out = []
        for name in names:
            with open(os.path.join(top, name), "rb") as f:
                m = email.message_from_binary_file(f, policy=email.policy.default)
            out += [m] if m["Envelope-To"] == user + "@example.test" else []
        return out

    def wait(self, user, count, within=20.0):
        wait_for(lambda: len(self.mails(user)) >= count, within, f"{len(self.mails(user))} of {count} mails")
        return self.mails(user)
