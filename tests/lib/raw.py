# SPDX-License-Identifier: Apache-2.0
"""HTTP by hand: a socket, the bytes that are wanted on it, and AWS Signature Version 4 that can be made wrong on purpose.

  c = Caller(store)                                    the store's first access key, region and http port
  r = c.call("PUT", "/b/k", body=b"x")                 signed, on a connection of its own
  wire = c.sign("GET", "/b/k", when=..., region=...)   a Request whose header list a test may bend before it is sent
  Connection(url).ask(wire)                            one request, one answer; .state() says what the connection is good for

Written from RFC 9112 and the AWS Signature Version 4 documentation; it shares nothing with the server's reading of them.
"""
import datetime
import hashlib
import hmac
import re
import socket
import ssl
import urllib.parse

UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"


def encode(raw, keep=b""):
    raw = raw.encode() if isinstance(raw, str) else raw
    return "".join(chr(b) if b in UNRESERVED or b in keep else f"%{b:02X}" for b in raw)


def canonical_query(query):
    pairs = []
    for part in query.split("&") if query else []:
        k, _, v = part.partition("=")
        pairs.append((encode(urllib.parse.unquote_to_bytes(k)), encode(urllib.parse.unquote_to_bytes(v))))
    return "&".join(f"{k}={v}" for k, v in sorted(pairs))


def hmac256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signing_key(secret, date, region, service, terminal="aws4_request"):
    return hmac256(hmac256(hmac256(hmac256(b"AWS4" + secret.encode(), date), region), service), terminal)


def amz_date(when):
    return when.strftime("%Y%m%dT%H%M%SZ")


class Request:
    """Method, target and a list of [name, value]; bytes() puts them on the wire as they are."""

    def __init__(self, method, target, headers, body=b""):
        self.method, self.target, self.headers, self.body = method, target, [list(h) for h in headers], body
        self.signature = self.scope = self.key = None

    def get(self, name):
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def set(self, name, value):
        self.drop(name)
        self.headers.append([name, value])
        return self

    def add(self, name, value):
        self.headers.append([name, value])
        return self

    def drop(self, name):
        self.headers = [h for h in self.headers if h[0].lower() != name.lower()]
        return self

    def change(self, name, old, new):
        for h in self.headers:
            if h[0].lower() == name.lower():
                assert old in h[1], (old, h[1])
                h[1] = h[1].replace(old, new)
        return self

    def bytes(self):
        lines = [f"{self.method} {self.target} HTTP/1.1"] + [f"{n}: {v}" for n, v in self.headers]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def get(self, name):
        return next((v for n, v in self.headers if n == name.lower()), None)

    @property
    def code(self):
        found = re.search(rb"<Code>([^<]*)</Code>", self.body)
        return found.group(1).decode() if found else ""

    def element(self, name):
        found = re.search(rb"<" + name.encode() + rb">([^<]*)</" + name.encode() + rb">", self.body)
        return found.group(1).decode() if found else None

    def __repr__(self):
        return f"{self.status} {self.code or self.body[:60]!r}"


class Closed(Exception):
    """The connection ended before a whole answer."""


class Connection:
    def __init__(self, url, ca=None, timeout=15):
        u = urllib.parse.urlsplit(url)
        self.host = u.netloc
        self.sock = socket.create_connection((u.hostname, u.port), timeout)
        if u.scheme == "https":
            context = ssl.create_default_context(cafile=ca)
            self.sock = context.wrap_socket(self.sock, server_hostname=u.hostname)
        self.buffer = bytearray()

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass                                   # the answer may stand in our buffer all the same

    def more(self):
        try:
            piece = self.sock.recv(1 << 18)
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise Closed(bytes(self.buffer[:200]))
        self.buffer += piece

    def take(self, n):
        while len(self.buffer) < n:
            self.more()
        out = bytes(self.buffer[:n])
        del self.buffer[:n]
        return out

    def line(self, end=b"\r\n"):
        while end not in self.buffer:
            self.more()
        out = self.take(self.buffer.index(end))
        self.take(len(end))
        return out

    def head(self):
        """Status and headers of one answer, 1xx included."""
        first, *rest = self.line(b"\r\n\r\n").decode("latin-1").split("\r\n")
        found = re.match(r"HTTP/1\.[01] (\d{3})", first)
        if not found:
            raise Closed(first)
        return int(found.group(1)), [(n.strip().lower(), v.strip()) for n, _, v in (h.partition(":") for h in rest)]

    def answer(self, method="GET"):
        """The next final answer; `continued` counts the 100s before it."""
        self.continued = 0
        status, headers = self.head()
        while status < 200:
            self.continued += 1
            status, headers = self.head()
        a = Answer(status, headers, b"")
        if method == "HEAD" or status in (204, 304):
            return a
        if (a.get("transfer-encoding") or "").lower() == "chunked":
            while True:
                n = int(self.line().split(b";")[0], 16)
                a.body += self.take(n)
                self.line()
                if n == 0:
                    return a
        if a.get("content-length") is not None:
            a.body = self.take(int(a.get("content-length")))
            return a
        try:                                        # until the end of the connection
            while True:
                self.more()
        except Closed:
            a.body = self.take(len(self.buffer))
        return a

    def ask(self, request):
        self.send(request.bytes())
        return self.answer(request.method)

    def stray(self, seconds=0.15):
        """Bytes that came without having been asked for (after HEAD: a body)."""
        self.sock.settimeout(seconds)
        try:
            while True:
                self.more()
        except (TimeoutError, socket.timeout, Closed, OSError):
            return bytes(self.buffer)
        finally:
            self.sock.settimeout(15)

    def closed_within(self, seconds=8):
        self.sock.settimeout(seconds)
        try:
            while True:
                self.more()
        except Closed:
            return True
        except (TimeoutError, socket.timeout):
            return False
        except OSError:
            return True
        finally:
            self.sock.settimeout(15)

    def close(self):
        self.sock.close()


class Caller:
    """One access key at one endpoint."""

    def __init__(self, store, key=None, secret=None, url=None, region=None):
        self.url = url or store.endpoints["s3"]
        self.ca = store.info["ca_cert"]
        self.host = urllib.parse.urlsplit(self.url).netloc
        self.region = region or store.info["region"]
        self.key, self.secret = (key, secret) if key else store.credentials

    def connect(self):
        return Connection(self.url, self.ca)

    def sign(self, method, target, headers=(), body=b"", payload=None, when=None, region=None, service="s3", terminal="aws4_request", key=None,
             secret=None, host=None, date=None, unsigned=(), length=True, scope_date=None, omit=()):
        """headers: signed. unsigned: sent, not signed. payload: x-amz-content-sha256 (default: of body). omit: headers left out."""
        when = when or datetime.datetime.now(datetime.timezone.utc)
        date = date or amz_date(when)
        region = self.region if region is None else region
        payload = payload if payload is not None else hashlib.sha256(body).hexdigest()
        all_headers = [["Host", host or self.host], ["x-amz-date", date], ["x-amz-content-sha256", payload], *[list(h) for h in headers]]
        all_headers = [h for h in all_headers if h[0].lower() not in omit]
        path, _, query = target.partition("?")
        values = {}
        for n, v in all_headers:
            values.setdefault(n.lower(), []).append(" ".join(v.split()))
        names = ";".join(sorted(values))
        canonical = "\n".join([method, encode(urllib.parse.unquote_to_bytes(path), b"/"), canonical_query(query),
                               "".join(f"{n}:{','.join(values[n])}\n" for n in sorted(values)), names, payload])
        day = scope_date or when.strftime("%Y%m%d")
        scope = f"{day}/{region}/{service}/{terminal}"
        text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        k = signing_key(secret or self.secret, day, region, service, terminal)
        signature = hmac.new(k, text.encode(), hashlib.sha256).hexdigest()
        r = Request(method, target, all_headers, body)
        r.add("Authorization", f"AWS4-HMAC-SHA256 Credential={key or self.key}/{scope}, SignedHeaders={names}, Signature={signature}")
        for n, v in unsigned:
            r.add(n, v)
        if length and (body or method in ("PUT", "POST")) and not r.get("content-length") and not r.get("transfer-encoding"):
            r.add("Content-Length", str(len(body)))
        r.signature, r.scope, r.key = signature, scope, k
        r.date = date
        return r

    def presign(self, method, target, expires="3600", when=None, headers=(), change=None, body=b""):
        """A request with the signature in its query. change(parameters) bends them before signing; None drops one."""
        when = when or datetime.datetime.now(datetime.timezone.utc)
        scope = f"{when.strftime('%Y%m%d')}/{self.region}/s3/aws4_request"
        p = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{self.key}/{scope}", "X-Amz-Date": amz_date(when), "X-Amz-Expires": expires,
             "X-Amz-SignedHeaders": ";".join(sorted(["host"] + [h[0].lower() for h in headers]))}
        if change:
            change(p)
        path, _, query = target.partition("?")
        query = "&".join(([query] if query else []) + [f"{k}={encode(v)}" for k, v in p.items() if v is not None])
        values = dict([("host", self.host)] + [(n.lower(), v) for n, v in headers])
        canonical = "\n".join([method, encode(urllib.parse.unquote_to_bytes(path), b"/"), canonical_query(query),
                               "".join(f"{n}:{values[n]}\n" for n in sorted(values)), ";".join(sorted(values)), UNSIGNED])
        text = "\n".join(["AWS4-HMAC-SHA256", p.get("X-Amz-Date") or "", scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.new(signing_key(self.secret, when.strftime("%Y%m%d"), self.region, "s3"), text.encode(), hashlib.sha256).hexdigest()
        r = Request(method, f"{path}?{query}&X-Amz-Signature={signature}", [["Host", self.host], *headers], body)
        if body or method in ("PUT", "POST"):
            r.add("Content-Length", str(len(body)))
        return r

    def plain(self, method, target, headers=(), body=b""):
        """Unsigned."""
        r = Request(method, target, [["Host", self.host], *headers], body)
        if body or method in ("PUT", "POST"):
            r.add("Content-Length", str(len(body)))
        return r

    def send(self, request):
        c = self.connect()
        try:
            return c.ask(request)
        finally:
            c.close()

    def call(self, method, target, headers=(), body=b"", **kw):
        return self.send(self.sign(method, target, headers, body, **kw))

    # -- aws-chunked -----------------------------------------------------------------------------------------------------

    def chunked(self, target, chunks, trailer=b"", headers=(), decoded=None, algorithm="STREAMING-UNSIGNED-PAYLOAD-TRAILER", **kw):
        """An upload in unsigned chunks; trailer: the raw lines behind the last chunk."""
        body = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n" + trailer + b"\r\n"
        return self.framed(target, body, sum(map(len, chunks)) if decoded is None else decoded, headers, algorithm, **kw)

    def framed(self, target, body, decoded, headers=(), algorithm="STREAMING-UNSIGNED-PAYLOAD-TRAILER", **kw):
        extra = [["Content-Encoding", "aws-chunked"]] + ([["x-amz-decoded-content-length", str(decoded)]] if decoded != "" else [])
        r = self.sign("PUT", target, [*extra, *headers], payload=algorithm, length=False, **kw)
        r.body = body
        return r.add("Content-Length", str(len(body)))

    def signed_chunks(self, target, chunks, bend=lambda i, signature: signature, headers=()):
        """STREAMING-AWS4-HMAC-SHA256-PAYLOAD; bend(i, signature) changes what is sent for chunk i (the chain goes on from the true one)."""
        r = self.sign("PUT", target, [["Content-Encoding", "aws-chunked"], ["x-amz-decoded-content-length", str(sum(map(len, chunks)))], *headers],
                      payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD", length=False)
        previous = r.signature
        for i, c in enumerate([*chunks, b""]):
            text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", r.date, r.scope, previous, EMPTY_SHA256, hashlib.sha256(c).hexdigest()])
            previous = hmac.new(r.key, text.encode(), hashlib.sha256).hexdigest()
            r.body += b"%x;chunk-signature=%s\r\n%s\r\n" % (len(c), bend(i, previous).encode(), c)
        return r.add("Content-Length", str(len(r.body)))
