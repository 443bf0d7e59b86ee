# SPDX-License-Identifier: Apache-2.0
"""Attack 38: a flood of wrong signatures under a victim's access key: its log does not grow by it, and it is served meanwhile. (How much slower is a row of
`make bench`.)"""
import threading
import time

from lib.attack import attack, held, store
from lib.case import limit
from lib.raw import Caller, Closed, Connection

WORDS = "a flood of wrong signatures filled the victim's log"
SECONDS = 12


def flood(s, stop, counts, n):
    """Wrong signatures as fast as one connection gives answers."""
    c = Caller(s, s.credentials[0], "this is not the secret")
    request = c.sign("GET", "/victim/k")
    conn = None
    while not stop.is_set():
        try:
            conn = conn or Connection(s.endpoints["s3"])
            r = conn.ask(request)
            counts[n] += r.code == "SignatureDoesNotMatch"
        except (Closed, OSError):
            conn = None


@limit(120)
@attack("38", ("summary-each", WORDS))
def test_wrong_signatures_leave_two_leaves_a_minute(case):
    s = store(case)
    web = Caller(s)
    assert web.call("PUT", "/victim").status == 200 and web.call("PUT", "/victim/k", body=b"mine").status == 200
    before, begun = len(s.log_records()), time.monotonic()
    stop, counts = threading.Event(), [0] * 8
    threads = [threading.Thread(target=flood, args=(s, stop, counts, n), daemon=True) for n in range(len(counts))]
    for t in threads:
        t.start()
    served = 0
    while time.monotonic() - begun < SECONDS:
        assert web.call("GET", "/victim/k").body == b"mine"
        served += 1
        time.sleep(0.05)
    stop.set()
    for t in threads:
        t.join(10)
    log = s.log_records()[before:]
    sums = [r for r in log if r["kind"] == "sum"]
    minutes = (time.monotonic() - begun) / 60
    assert sum(counts) > 1000, counts
    held(len(sums) <= 2 * minutes + 2, WORDS, f"{len(sums)} leaves for {sum(counts)} requests in {minutes:.1f} min")
    reads = [r for r in log if r.get("act") == "GetObject"]
    assert len(reads) == served and all("why" not in r for r in reads), (len(reads), served)
