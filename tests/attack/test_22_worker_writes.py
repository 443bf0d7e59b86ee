# SPDX-License-Identifier: Apache-2.0
"""Attack 22: a worker taken over opens, cuts, removes and renames what lies below the data directory, and stages on after SEAL."""
import json
import os
import subprocess

from lib.attack import attack, held, records, store, stored
from lib.case import PYTHON, Skip, program
from lib.evilfront import EvilFront, Web, gone
from lib.wire import get_release_rows

PROBE = r"""
import json, os, sys
done = []
def attempt(what, path, f):
    try:
        f()
        done.append(what + " " + path)
    except OSError:
        pass
def one(path, directory):
    if directory:
        attempt("create below", path, lambda: os.close(os.open(path + "/evil", os.O_CREAT | os.O_WRONLY)))
        attempt("mkdir below", path, lambda: os.mkdir(path + "/evildir"))
        attempt("chmod", path, lambda: os.chmod(path, 0o777))
        return
    attempt("open for writing", path, lambda: os.close(os.open(path, os.O_WRONLY)))
    attempt("open for appending", path, lambda: os.close(os.open(path, os.O_RDWR | os.O_APPEND)))
    attempt("truncate", path, lambda: os.truncate(path, 0))
    attempt("chmod", path, lambda: os.chmod(path, 0o666))
    attempt("link", path, lambda: os.link(path, path + ".evil"))
    attempt("rename", path, lambda: os.rename(path, path + ".evil"))
    attempt("unlink", path, lambda: os.unlink(path))
for path, directory in json.load(sys.stdin):
    one(path, directory)
print(json.dumps(done))
"""


def everything(s):
    """Paths below DIR but the front's own corner (front/tmp), sockets and what processes say of themselves apart."""
    out = [(s.dir, True)]
    for directory, names, files in os.walk(s.dir):
        if directory == os.path.join(s.dir, "front") and "tmp" in names:
            names.remove("tmp")
        out += [(os.path.join(directory, n), True) for n in names] + [(os.path.join(directory, n), False) for n in files]
    return out


@attack("22", ("blobs-writable", "the front's uid changed something"))
def test_the_fronts_uid_changes_nothing(case):
    if os.geteuid() != 0:
        raise Skip("needs root: each process has a uid of its own")
    setpriv = program("setpriv")
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/kept")
    body = os.urandom(3 << 20)
    web.ok("PUT", "/kept/file", body=body)
    web.ok("PUT", "/kept/pack", body=body[:50000])
    with open(f"/proc/{s.pids('worker')[0][0]}/status") as f:
        uid = [line.split()[1] for line in f if line.startswith("Uid:")][0]
    probe, before = case.path("probe.py", PROBE.encode()), stored(s)
    paths = everything(s)
    assert len(paths) > 1000 and any("/blobs/" in p and not d for p, d in paths), "nothing to try"
    r = subprocess.run([setpriv, "--reuid", uid, "--regid", uid, "--clear-groups", PYTHON, probe], input=json.dumps(paths), capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    done = json.loads(r.stdout)
    held(not done, "the front's uid changed something", done[:5])
    held(stored(s) == before, "the front's uid changed something", "stored bytes")
    assert web.request("GET", "/kept/file").body == body
    assert sum(1 for x in records(s) if x.get("w")) == 2, "two writes, two write leaves"


@attack("22", ("keeper-restage", "staged after SEAL"))
def test_sealed_bytes_stay_what_they_are(case):
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/kept")
    # Sealed, not committed; sealed and adopted.
    for adopted in (False, True):
        for size in (100, 3 << 20):
            evil, key = EvilFront(s), f"/kept/{adopted}{size}"
            plain = b"p" * size if adopted and size == 100 else None
            name, t = evil.ask(web.signed("PUT", key, payload="UNSIGNED-PAYLOAD"), body_size=size)
            assert name == "TICKET", (name, t)
            cipher = os.urandom(size + 16 * max(1, -(-size // 65536)))
            cut = len(cipher) - 16                             # a credit is left: 16 bytes of the grant are not used
            assert evil.stage(t["blob"], cipher[:cut] if not adopted else cipher) == 0
            if adopted:
                if plain is None:
                    evil.close()
                    continue
                answer = evil.commit(evil.last, plain, len(cipher))
                assert answer and answer[0] == "ANSWER" and answer[1]["status"] == 200, answer
                rows = get_release_rows(evil.ask(web.signed("GET", key))[1]["rows"])
            evil.keeper.send("STAGE", 9, blob=t["blob"], off=cut if not adopted else len(cipher), last=1, data=b"forged bytes 16.")
            held(gone(evil.keeper), "staged after SEAL", f"{'adopted' if adopted else 'sealed'}, {size} bytes")
            if adopted:
                look = EvilFront(s)
                look.keeper.send("READ", 3, location=rows[0]["location"], off=0, len=len(cipher))
                name, _, m = look.keeper.read_frame()
                held(name == "DATA" and m["data"] == cipher, "staged after SEAL", "other bytes than were sealed")
                look.close()
            evil.close()
    # COMMIT spends the ticket: what was staged and lost with its connection is no object, and the log has the one write.
    assert [r["key"] for r in records(s) if r.get("w")] == ["True100"]
