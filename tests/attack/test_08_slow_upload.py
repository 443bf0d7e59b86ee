# SPDX-License-Identifier: Apache-2.0
"""Attack 8: 64 MiB arrive slowly; somebody looks for plaintext wherever a body may be put down meanwhile."""
import hashlib
import os
import secrets
import time

from lib.attack import attack, held, records, shapes, store
from lib.case import limit
from lib.evilfront import Web
from lib.leaks import search_files, search_processes

SIZE, PIECES = 64 << 20, 12


@limit(60)
@attack("08", ("clear-frame", "plaintext of a body in a file"))
def test_no_plaintext_file_while_a_body_comes_in(case):
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/slow")
    word = "slowcanary" + secrets.token_hex(20)
    body = (word.encode() * (4096 // len(word)) + b"." * (4096 % len(word))) * (SIZE // 4096)
    r = web.signed("PUT", "/slow/big", payload="UNSIGNED-PAYLOAD")
    sock = web.connect()
    sock.sendall(web.head_of(r, {"connection": "close"}, len(body)))
    places = [s.dir, "/dev/shm", "/var/lib/nginx", "/var/tmp"]
    pids = [s.process.pid] + [p for p, _ in s.pids()]
    found, staged = [], 0
    for i in range(PIECES):
        sock.sendall(body[i * len(body) // PIECES:(i + 1) * len(body) // PIECES])
        time.sleep(0.1)
        # The word stands in every 4 KiB of the body: the first MiB of a file tells.
        found += search_files(places, [s.log_path], shapes(word), most=1 << 20)
        found += search_processes(pids, shapes(word), most=1 << 20)
        staged = max([staged] + [e.stat().st_size for e in os.scandir(os.path.join(s.dir, "keeper", "stage"))])
        held(not found, "plaintext of a body in a file", found[:4])
    answer = web.receive(sock)
    assert answer.status == 200 and answer.headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"', (answer.status, answer.body)
    assert staged > 1 << 20, "nothing was on its way while we looked"
    found = search_files([s.dir, "/dev/shm", "/var/lib/nginx"], [s.log_path], shapes(word))
    held(not found, "plaintext of a body in a file", found[:4])
    # A crash would put memory down: no process may leave a core.
    for pid in pids:
        with open(f"/proc/{pid}/limits") as f:
            core = [line.split()[4:6] for line in f if line.startswith("Max core file size")][0]
        name = open(f"/proc/{pid}/comm").read().strip()
        assert core[0] == "0" or name == "tillit-serve", f"{name} may leave a core file: {core}"
    leaf = [x for x in records(s) if x.get("key") == "big"]
    assert len(leaf) == 1 and leaf[0]["bytes"] == SIZE and leaf[0]["w"] == 1 and leaf[0]["body"] == "uns", leaf
