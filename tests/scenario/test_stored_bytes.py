# SPDX-License-Identifier: Apache-2.0
"""Hostile storage: stored bytes are cut, swapped, reordered or another tenant's. A read says so and never gives wrong bytes."""
import json
import os
import socket

from lib.case import limit, rows
from lib.raw import Caller, Closed

FRAME = 65536 + 16


def stored_size(n):
    return n + 16 * max(1, -(-n // 65536))


def read(c, target):
    """(status, bytes that came, whether the answer was whole)"""
    connection = c.connect()
    try:
        connection.send(c.sign("GET", target).bytes())
        status, headers = connection.head()
        want = int(dict(headers).get("content-length", 0))
        while len(connection.buffer) < want:
            connection.more()
        return status, bytes(connection.buffer), True
    except (Closed, socket.timeout):
        return locals().get("status", 0), bytes(connection.buffer), False
    finally:
        connection.close()


def refused(c, target, plain, what):
    """The read fails; what came before it failed is the object's own beginning."""
    status, got, whole = read(c, target)
    if status == 200:
        assert not whole, f"{what}: a whole answer of {len(got)} bytes"
        assert plain.startswith(got), f"{what}: bytes that are not the object's were given out"
    else:
        assert status >= 500 and plain[:64] not in got, f"{what}: {status} {got[:100]}"


def files_of(s, size):
    """Paths below keeper/blobs whose size is exactly that of a stored blob: large blobs have a file each."""
    return {os.path.join(top, n) for top, _, names in os.walk(os.path.join(s.dir, "keeper", "blobs")) for n in names
            if os.path.getsize(os.path.join(top, n)) == size}


def put_files(s, c, objects):
    """Stores large objects one by one; gives {target: path of its file}."""
    places = {}
    for target, data in objects.items():
        before = files_of(s, stored_size(len(data)))
        assert c.call("PUT", target, body=data).status == 200
        new = files_of(s, stored_size(len(data))) - before
        assert len(new) == 1, (target, new)
        places[target] = new.pop()
    return places


def packs(s):
    """{path: bytes} of the pack files: what lies below keeper/ and is neither the index nor a blob of its own."""
    out = {}
    for top, _, names in os.walk(os.path.join(s.dir, "keeper")):
        if os.sep + "index" in top:
            continue
        for n in names:
            if len(n) == 8 and all(x in "0123456789abcdef" for x in n):
                with open(os.path.join(top, n), "rb") as f:
                    out[os.path.join(top, n)] = f.read()
    return out


def put_packs(s, c, objects):
    """Stores small objects one by one; gives {target: (path, offset)} in the pack that took it."""
    places = {}
    for target, data in objects.items():
        before = packs(s)
        assert c.call("PUT", target, body=data).status == 200
        after = packs(s)
        grown = [p for p in after if after[p] != before.get(p)]
        assert len(grown) == 1, (target, grown)
        path, old = grown[0], before.get(grown[0], b"")
        # Packs may be preallocated: the blob begins at the first 16 bytes that changed.
        new = after[path]
        at = next(i for i in range(0, len(new), 16) if new[i:i + 16] != old[i:i + 16].ljust(len(new[i:i + 16]), b"\0") or i >= len(old))
        places[target] = (path, at)
    return places


def edit(path, at, data):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(data)


def at(path, offset, n):
    with open(path, "rb") as f:
        f.seek(offset)
        return f.read(n)


@rows("P4.02")
@limit(180)
def test_cut_reordered_and_swapped_files_are_detected_on_read(case):
    """Large objects: cut off, two frames exchanged, two segments exchanged, one object's bytes under another, one bit turned: each read fails."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/large")
    objects = {f"/large/{i}": os.urandom(9 << 20) for i in range(2)}
    places = put_files(s, c, objects)
    a, b = "/large/0", "/large/1"
    path, plain = places[a], objects[a]
    whole = at(path, 0, stored_size(len(plain)))
    other = at(places[b], 0, len(whole))
    segment = 64 * FRAME
    damages = {
        "cut off at a frame": whole[:-(len(whole) % FRAME or FRAME)],
        "cut off inside a frame": whole[:-100],
        "emptied": b"",
        "first two frames exchanged": whole[FRAME:2 * FRAME] + whole[:FRAME] + whole[2 * FRAME:],
        "first two segments exchanged": whole[segment:2 * segment] + whole[:segment] + whole[2 * segment:],
        "a frame repeated": whole[:FRAME] + whole[:FRAME] + whole[2 * FRAME:],
        "another object's bytes": other,
        "another object's second segment": whole[:segment] + other[segment:2 * segment] + whole[2 * segment:],
        "one bit of the last byte": whole[:-1] + bytes([whole[-1] ^ 1]),
        "one bit of the first byte": bytes([whole[0] ^ 1]) + whole[1:],
    }
    for what, bytes_ in damages.items():
        s.stop()
        with open(path, "r+b") as f:
            f.truncate(0)
            f.write(bytes_)
        s.start()
        refused(c, a, plain, what)
        assert c.call("GET", b).body == objects[b], f"{what}: another object is hurt"
    s.stop()
    with open(path, "r+b") as f:
        f.truncate(0)
        f.write(whole)
    s.start()
    assert c.call("GET", a).body == plain, "with the bytes put back the object reads again"


@rows("P4.02")
@limit(180)
def test_cut_reordered_and_swapped_packs_are_detected_on_read(case):
    """Small objects, packed together: two exchanged, frames reordered, the pack cut off, a bit turned: each read fails."""
    s = case.store()
    c = Caller(s)
    c.call("PUT", "/small")
    objects = {"/small/0": os.urandom(200000), "/small/1": os.urandom(200000), "/small/2": os.urandom(12000), "/small/3": os.urandom(12000)}
    places = put_packs(s, c, objects)
    s.stop()
    saved = packs(s)

    def damaged(what, hurt, change):
        for p, data in saved.items():
            with open(p, "r+b") as f:
                f.truncate(0)
                f.write(data)
        change()
        s.start()
        for target in objects:
            if target in hurt:
                refused(c, target, objects[target], what)
            else:
                assert c.call("GET", target).body == objects[target], f"{what}: {target} is hurt"
        s.stop()

    def exchange(x, y):
        n = stored_size(len(objects[x]))
        bx, by = at(*places[x], n), at(*places[y], n)
        edit(*places[x], by)
        edit(*places[y], bx)
    damaged("two of several frames exchanged", ["/small/0", "/small/1"], lambda: exchange("/small/0", "/small/1"))
    damaged("two of one frame exchanged", ["/small/2", "/small/3"], lambda: exchange("/small/2", "/small/3"))

    def reorder():
        path, off = places["/small/0"]
        first, second = at(path, off, FRAME), at(path, off + FRAME, FRAME)
        edit(path, off, second + first)
    damaged("frames exchanged", ["/small/0"], reorder)

    def flip(target, offset):
        path, off = places[target]
        edit(path, off + offset, bytes([at(path, off + offset, 1)[0] ^ 0x80]))
    damaged("one bit turned", ["/small/3"], lambda: flip("/small/3", 2500))
    damaged("one bit of a late frame turned", ["/small/1"], lambda: flip("/small/1", 150000))
    last = max(places, key=lambda t: places[t][1])
    damaged("the pack cut off", [last], lambda: os.truncate(places[last][0], places[last][1] + 100))
    for p, data in saved.items():
        with open(p, "r+b") as f:
            f.truncate(0)
            f.write(data)
    s.start()
    for target, data in objects.items():
        assert c.call("GET", target).body == data


@rows("P5.02")
@limit(180)
def test_one_tenants_bytes_under_another_tenants_name_are_only_ciphertext(case):
    """A storage that mixes up two tenants' blobs gives an error to both, never the other's plaintext."""
    s = case.store()
    a = Caller(s)
    info = json.loads(s.tillit("tenant", "create", s.dir, "--tenant", "globex", "--json"))
    b = Caller(s, info["access_key_id"], info["secret_access_key"])
    for c in (a, b):
        assert c.call("PUT", "/mixed").status == 200
    large = {c: b"CANARY of one tenant " * 100000 for c in (a, b)}
    small = {c: (b"CANARY of one tenant " * 10000)[:200000] for c in (a, b)}
    files = {c: put_files(s, c, {"/mixed/large": large[c]})["/mixed/large"] for c in (a, b)}
    packed = {c: put_packs(s, c, {"/mixed/small": small[c]})["/mixed/small"] for c in (a, b)}
    s.stop()
    n = stored_size(len(large[a]))
    mine, theirs = at(files[a], 0, n), at(files[b], 0, n)
    assert mine != theirs, "equal contents of two tenants are equal bytes on disk"
    edit(files[b], 0, mine)
    edit(files[a], 0, theirs)
    n = stored_size(len(small[a]))
    mine, theirs = at(*packed[a], n), at(*packed[b], n)
    assert mine != theirs
    edit(*packed[b], mine)
    edit(*packed[a], theirs)
    s.start()
    for c in (a, b):
        for target in ("/mixed/large", "/mixed/small"):
            status, got, whole = read(c, target)
            assert b"CANARY" not in got and not (status == 200 and whole), (target, status, got[:60])
