# SPDX-License-Identifier: Apache-2.0
"""Attack 21: a front taken over tells the keeper what only the gate may, and stages what it was not given."""
import os
import socket

from lib.attack import attack, held, records, store, stored
from lib.evilfront import EvilFront, Web, gone
from lib.wire import ROLE_FRONT, ROLE_GATE, ROLE_KEEPER, ROLE_STEWARD, Conn, get_release_rows

SIZE = 3 << 20


@attack("21", ("keeper-accept-ungranted", "the keeper took it"))
def test_a_front_cannot_command_the_keeper(case):
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/kept")
    body = os.urandom(SIZE)
    web.ok("PUT", "/kept/file", body=body)
    web.ok("PUT", "/kept/small", body=b"small")
    probe = EvilFront(s)
    rows = get_release_rows(probe.ask(web.signed("GET", "/kept/file"))[1]["rows"])
    log_id, bucket, blob = os.urandom(16), os.urandom(16), rows[0]["blob"]
    before, log_before = stored(s), len(records(s))

    # What gates say.
    for name, fields in [
            ("FIND", {"bucket": bucket, "key": b"file"}), ("SCAN", {"bucket": bucket, "log": log_id, "rows_max": 1000, "budget": 1000}),
            ("APPLY", {"log": log_id, "index": 0, "command": b"\1\2" + bytes(8) + bucket + b"\0\4file" + b"\xff" * 8 + bytes(8)}),
            ("MARK", {"log": log_id, "mark": 1 << 40}), ("GRANT", {"blob": blob, "front_id": probe.front_id, "cipher_max": 1 << 30, "expiry_ms": 1 << 30}),
            ("OPENINDEX", {"index_key": os.urandom(32)}), ("SETTLEDALL", {}), ("READY", {}), ("SEALED", {"blob": blob}), ("ASK", {})]:
        evil = EvilFront(s)
        evil.keeper.send(name, 1, **fields)
        held(gone(evil.keeper), "the keeper took it", name)
        evil.close()
    # A role that is not the path's.
    for role in (ROLE_GATE, ROLE_KEEPER, ROLE_STEWARD, ROLE_FRONT | ROLE_GATE, 0):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(os.path.join(s.dir, "run", "keeper", "front"))
        conn = Conn(sock)
        conn.send("HELLO", 0, role=role, version=1, boot=os.urandom(16))
        conn.sock.settimeout(4)
        frames = []
        try:
            conn.send("OPENINDEX", 1, index_key=os.urandom(32))
            while (frame := conn.read_frame()) is not None:
                frames.append(frame[0])
        except (ConnectionResetError, BrokenPipeError):
            pass
        held(frames in ([], ["HELLO"]), "the keeper took it", f"role {role}: {frames}")
        conn.close()
    # Blobs that nobody gave: a new id, one that is adopted, one that was given to another front.
    other, mine = EvilFront(s), EvilFront(s)
    name, ticket = other.ask(web.signed("PUT", "/kept/new", body=b"x" * 100), body_size=100)
    assert name == "TICKET"
    for label, id in [("a new id", os.urandom(16)), ("an adopted blob", blob), ("another front's", ticket["blob"])]:
        evil = EvilFront(s)
        evil.keeper.send("STAGE", 1, blob=id, off=0, last=1, data=b"forged" * 10)
        held(gone(evil.keeper), "the keeper took it", f"staged under {label}")
        evil.close()
    mine.keeper.send("DROP", 1, blob=ticket["blob"])
    held(gone(mine.keeper), "the keeper took it", "dropped another front's blob")
    # More than was granted, and not in order.
    for label, off, n in [("over its quota", 0, 100000), ("not in order", 7, 10)]:
        evil = EvilFront(s)
        name, t = evil.ask(web.signed("PUT", "/kept/new", body=b"x" * 100), body_size=100)
        evil.keeper.send("STAGE", 1, blob=t["blob"], off=off, last=1, data=b"y" * n)
        held(gone(evil.keeper), "the keeper took it", label)
        evil.close()

    held(stored(s) == before, "the keeper took it", "stored bytes changed")
    assert web.request("GET", "/kept/file").body == body and web.request("GET", "/kept/small").body == b"small"
    # Nothing of it became a write: the log has no write leaf more, and the index lists the same keys.
    assert not [r for r in records(s)[log_before:] if r.get("w")]
    assert [o["Key"] for o in s.boto3().list_objects_v2(Bucket="kept")["Contents"]] == ["file", "small"]
    assert other.stage(ticket["blob"], b"z" * 116) == 0, "the one it was given to may still stage"
    for e in (other, mine, probe):
        e.close()
