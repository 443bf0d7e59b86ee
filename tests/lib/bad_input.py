# SPDX-License-Identifier: Apache-2.0
"""What the rows of tests/s3/bad-input.tsv share: the table, the world they are asked in, and how an answer is compared."""
import datetime
import os
import re
import socket
import time

from lib.raw import Caller, Closed

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "s3", "bad-input.tsv")
BUCKET, TEN = "bad-input", b"0123456789"
ROWS, FREE = {}, {}
# Where this version answers otherwise, and why; each is as closed as the row's own answer, and the row stays in the table.
DIFFERS = {
    ("K09", 0): (400, ["InvalidURI"], "nginx refuses a path that climbs above its beginning before we see it; ../ further in is an ordinary part of a key"),
}
# Refusals without a leaf: no signature proved anybody (they are counted in summaries), or the front refuses what is malformed before it asks the gate.
# Every other refusal of this table leaves one. A name with a number is one request of the row.
UNPROVEN = "A01 A02 A03 A04 A05 A06 A07 A09 A10 A11 A14 A15 A17 A18 A21 A23 A27 A28 A30 P03 P05 P06 P07 P11 F01 F02".split()
GRAMMAR = "C04 C07 C08 C12 C14 C17 D01 D03 D05 D07 H02 H03 H05 H06 H09[0] H10 K07 K08 K09 K11".split()
UNRECORDED = set(UNPROVEN + GRAMMAR)
# Elements that the answer must carry besides Code, by row.
CARRIES = {"A09": ["Region"], "A13": ["RequestTime", "ServerTime", "MaxAllowedSkewMilliseconds"], "A21": ["HeadersNotSigned"],
           "P09": ["X-Amz-Expires", "Expires", "ServerTime"], "B13": ["RangeRequested", "ActualObjectSize"], "W01": ["Condition"]}
# Headers that the answer must carry, by row; None: with any value.
HEADERS = {"B20": {"x-amz-delete-marker": "true", "last-modified": None}, "B21": {"x-amz-delete-marker": "true"}}


def table():
    with open(TABLE) as f:
        lines = [x.rstrip("\n").split("\t") for x in f if not x.startswith("#")]
    return {r[0]: {"request": r[1], "status": r[2], "codes": [c for c in re.findall(r"[A-Za-z0-9]+", r[3].split("(")[0]) if c[0].isupper()]}
            for r in lines[1:]}


def row(name):
    """Yields requests; each must be answered as the table says."""
    def take(f):
        ROWS[name] = f
        return f
    return take


def free(name):
    """Looks for itself; yields what is wrong."""
    def take(f):
        FREE[name] = f
        return f
    return take


class World:
    def __init__(self, store):
        self.store, self.c = store, Caller(store)
        self.count, self.refused = 0, []
        assert self.c.call("PUT", "/" + BUCKET).status == 200
        assert self.c.call("PUT", f"/{BUCKET}/ten", body=TEN).status == 200
        assert self.c.call("PUT", f"/{BUCKET}/empty").status == 200

    def fresh(self):
        """A key that nothing may ever be stored under."""
        self.count += 1
        return f"/{BUCKET}/refused-{self.count}"


def in_step(w, connection, answer):
    """None, or what is wrong with the connection after an answer."""
    if (answer.get("connection") or "").lower() == "close":
        return None if connection.closed_within() else "it said close and stayed open"
    try:
        again = connection.ask(w.c.sign("GET", f"/{BUCKET}/ten"))
    except Closed:
        return None
    except (TimeoutError, socket.timeout):
        return "the next request on the connection got no answer"
    if again.status != 200 or again.body != TEN:
        return f"the next request on the connection got {again}"
    return None


def ask(w, request, status, codes, carries=(), no_continue=False, label=None):
    """What differs in one request's answer. label: the row, and whether the refusal stands on the record is looked at by group()."""
    connection = w.c.connect()
    try:
        return list(differs(w, connection, request, status, codes, carries, no_continue, label))
    except Closed as e:
        return [f"connection closed without an answer ({e})"]
    except (TimeoutError, socket.timeout):
        return ["no answer"]
    finally:
        connection.close()


def differs(w, connection, request, status, codes, carries, no_continue, label=None):
    a = connection.ask(request)
    if label and a.status >= 400:
        w.refused.append((label, request, a))
    for name, value in HEADERS.get((label or "").split("[")[0], {}).items():
        if not a.get(name) or value not in (None, a.get(name)):
            yield f"the header {name} is {a.get(name)}"
    if a.status != status:
        yield f"got {a}"
    if request.method == "HEAD":
        stray = connection.stray()
        if stray:
            yield f"HEAD was followed by {stray[:60]!r}"
    elif a.status >= 400 and a.status == status:
        if codes and a.code not in codes:
            yield f"got {a}"
        if not a.get("x-amz-request-id") or a.element("RequestId") != a.get("x-amz-request-id"):
            yield f"RequestId {a.element('RequestId')} and x-amz-request-id {a.get('x-amz-request-id')} differ"
        if not (a.get("content-type") or "").startswith("application/xml"):
            yield f"content-type {a.get('content-type')}"
        for name in carries:
            if not a.element(name):
                yield f"no <{name}> in the body"
    if no_continue and connection.continued:
        yield "100 Continue was sent"
    wrong = in_step(w, connection, a)
    if wrong:
        yield wrong


def unrecorded(w, within=3.0):
    """Refusals that did not leave exactly one leaf which says why and writes nothing; of UNRECORDED rows, those that left one. A refusal of a body
    is answered before its leaf is on disk, so the record is looked at again for a while."""
    end = time.monotonic() + within
    while True:
        wrong = list(unrecorded_now(w))
        if not wrong or time.monotonic() > end:
            return wrong
        time.sleep(0.1)


def unrecorded_now(w):
    said = {}
    for log in ("access", "control") if w.refused else ():
        for r in w.store.log_records(log):
            said.setdefault(r.get("id"), []).append(r)
    for label, request, a in w.refused:
        leaves = said.get(a.get("x-amz-request-id"), [])
        none = label in UNRECORDED or label.split("[")[0] in UNRECORDED
        if len(leaves) != (0 if none else 1) or any(not r.get("why") or r.get("w") for r in leaves):
            yield f"{label}: {request.method} {request.target[:60]} {a} left {leaves}"


def replayed(w):
    """The record says the same to whoever recomputes it."""
    out = os.path.join(w.store.case.dir, "export")
    for log in ("access", "control"):
        w.store.tillit("log", "export", w.store.dir, "--log", log, "--out", out)
    logs = w.store.endpoints["logs"]
    code, text = w.store.verify("replay", out, "--access", logs["access"]["url"], "--access-vkey", logs["access"]["vkey"],
                                "--control", logs["control"]["url"], "--control-vkey", logs["control"]["vkey"])
    if code:
        yield f"tillit-verify replay: exit {code}\n{text[-2000:]}"


def group(case, letters, config="", only=None):
    store = case.store(config=config)
    w, rows, wrong = World(store), table(), []
    names = [n for n in rows if n[0] in letters and (only is None or n in only)]
    for name in names:
        want = rows[name]
        if name in FREE:
            try:
                wrong += [f"{name} {want['request'][:60]}: {x}" for x in FREE[name](w)]
            except (Closed, OSError, AssertionError) as e:
                wrong.append(f"{name} {want['request'][:60]}: {type(e).__name__} {e}")
            continue
        assert name in ROWS, f"no request is written for row {name}"
        for i, request in enumerate(ROWS[name](w)):
            status, codes, _ = DIFFERS.get((name, i), (int(want["status"]), want["codes"], ""))
            got = ask(w, request, status, codes, CARRIES.get(name, ()), no_continue=name == "H08", label=f"{name}[{i}]")
            wrong += [f"{name}[{i}] {want['request'][:60]}: want {status} {'/'.join(codes)}; {x}" for x in got]
    wrong += unrecorded(w)
    left = w.c.call("GET", f"/{BUCKET}?list-type=2&prefix=refused-")
    if b"<Key>" in left.body:
        wrong.append("stored although refused: " + ", ".join(re.findall(r"<Key>([^<]*)", left.body.decode())))
    if w.c.call("GET", f"/{BUCKET}/ten").body != TEN:
        wrong.append("an object that nobody changed reads differently")
    wrong += replayed(w)
    assert not wrong, f"{len(wrong)} differences in {len(names)} rows:\n" + "\n".join(wrong)


def ago(**kw):
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**kw)


def bent(w, old, new):
    return w.c.sign("GET", "/").change("Authorization", old, new)
