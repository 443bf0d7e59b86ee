# SPDX-License-Identifier: Apache-2.0
"""Attack 6: a canary's content, name and metadata, looked for in every file, log and process after everything went wrong once."""
import os
import secrets

from lib.attack import attack, held, records, shapes, store
from lib.case import limit
from lib.evilfront import Web
from lib.leaks import search_files, search_processes

WORDS = "a canary lies in the clear"


class Canary:
    def __init__(self):
        mark = lambda kind: f"canary{kind}" + secrets.token_hex(12)
        self.content, self.name, self.meta, self.bucket, self.query = mark("c"), mark("n"), mark("m"), "canary" + secrets.token_hex(6), mark("q")
        self.all = {f"{what}, {shape}": form for what, word in vars(self).items() for shape, form in shapes(word).items()}


def flip(path):
    with open(path, "r+b") as f:
        byte = f.read(1)[0]
        f.seek(0)
        f.write(bytes([byte ^ 1]))


def requests(s, web, canary):
    """Every answer that an error path has, each with the canary in its request."""
    bucket, name = f"/{canary.bucket}", canary.name
    meta = {"x-amz-meta-note": canary.meta}
    web.ok("PUT", bucket)
    body = lambda size: (canary.content.encode() * (size // len(canary.content) + 1))[:size]
    for label, size in [("inline", 600), ("pack", 60000), ("file", 3 << 20)]:
        web.ok("PUT", f"{bucket}/{name}-{label}", body=body(size), headers=meta)
        web.request("GET", f"{bucket}/{name}-{label}")
    web.ok("PUT", f"{bucket}/{name}-inline", body=body(700), headers=meta)          # overwritten: one lies in the grave
    web.ok("PUT", f"{bucket}/{name}-gone", body=body(800), headers=meta)
    web.ok("DELETE", f"{bucket}/{name}-gone")
    web.ok("GET", bucket, f"list-type=2&prefix={name}")

    def ask(want, *args, **kw):
        r = web.request(*args, **kw)
        assert r.status in (want if isinstance(want, tuple) else (want,)), (want, r.status, r.body[:300])
    ask(404, "GET", f"{bucket}/{name}-absent")
    ask(400, "PUT", f"{bucket}/{name}-digest", body=body(900), headers={"content-md5": "AAAAAAAAAAAAAAAAAAAAAA==", **meta})
    ask(403, "GET", f"{bucket}/{name}-inline", after={"authorization": web.signed("GET", "/other").authorization, "x-note": canary.query})
    ask((403, 400), "GET", f"{bucket}/{name}-inline", after={"authorization": None, "cookie": canary.query})
    ask(416, "GET", f"{bucket}/{name}-inline", headers={"range": "bytes=900000-"})
    ask(412, "GET", f"{bucket}/{name}-inline", headers={"if-match": f'"{canary.query}"'})
    # Sizes and grammar: heads only, the body is never sent.
    for want, method, target, headers in [
            ((413, 400), "PUT", f"{bucket}/{name}-huge", {"content-length": str(1 << 50)}),
            ((414, 400), "GET", f"{bucket}/{name}?x={canary.query}" + "a" * 70000, {}),
            ((431, 400), "GET", f"{bucket}/{name}", {"x-note": canary.query + "a" * 70000}),
            ((411, 400), "PUT", f"{bucket}/{name}-nolength", {}),
            ((400,), "GET", f"{bucket}/{name}\x01", {}),
            ((400,), "GET", f"{bucket}/{name}%zz", {}),
            ((400, 405, 501), canary.query.upper()[:16], f"{bucket}/{name}", {"content-length": "0"})]:
        sock = web.connect()
        r = web.signed(method, target.split("?")[0], target.partition("?")[2], {k: v for k, v in headers.items() if k != "content-length"})
        sock.sendall(web.head_of(r, {"connection": "close", **headers}))
        answer = web.receive(sock, method)
        assert answer.status in want, (want, answer.status, answer.body[:300])
    # 503 and 500: the blob's file is taken away below the keeper, and changed. And a client that leaves in the middle of a body.
    files = [os.path.join(d, f) for d, _, names in os.walk(os.path.join(s.dir, "keeper", "blobs")) for f in names]
    largest = max(files, key=os.path.getmtime)
    os.rename(largest, s.case.path("taken-away"))
    ask(503, "GET", f"{bucket}/{name}-file")
    os.rename(s.case.path("taken-away"), largest)
    flip(largest)
    ask(500, "GET", f"{bucket}/{name}-file")
    flip(largest)
    sock = web.connect()
    sock.sendall(web.head_of(web.signed("PUT", f"{bucket}/{name}-half", payload="UNSIGNED-PAYLOAD", headers=meta), length=5 << 20) + body(2 << 20))
    sock.close()


@limit(100)
@attack("06", ("keeper-clear-index", WORDS), ("clear-frame", WORDS))
def test_no_canary_in_files_logs_or_processes(case):
    s = store(case)
    canary = Canary()
    web = Web(s)
    requests(s, web, canary)
    second = Canary()
    requests(s, Web(s, tls=True), second)
    canary.all.update(second.all)

    # The log says it all to its owner, and nothing of it to who reads the tiles or the files.
    log = records(s)
    assert any(r.get("key", "").startswith(canary.name) and r.get("act") == "GetObject" and r["dec"] == "allow" for r in log)
    assert any(r.get("why") == "NoSuchKey" for r in log) and any(r["kind"] == "sum" and r["why"] == "SignatureDoesNotMatch" for r in log)

    places = [s.dir, "/var/lib/nginx", "/var/log/nginx", "/dev/shm"]
    logs = [s.log_path]
    found = search_files(places, logs, canary.all) + search_processes([s.process.pid] + [p for p, _ in s.pids()], canary.all)
    held(not found, WORDS, f"while serving: {found[:6]}")
    s.kill_all()
    found = search_files(places, logs, canary.all)
    held(not found, WORDS, f"after kill -9: {found[:6]}")
    s.start()
    found = search_files(places, logs, canary.all)
    held(not found, WORDS, f"after the restart: {found[:6]}")
    for label in ("inline", "pack", "file"):
        r = web.request("GET", f"/{canary.bucket}/{canary.name}-{label}")
        assert r.status == 200 and canary.content.encode() in r.body, (label, r.status)
