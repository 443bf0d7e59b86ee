# SPDX-License-Identifier: Apache-2.0
"""A log as a stranger reads it over HTTP: checkpoint and entry bundles (C2SP tlog-tiles), and openings checked against leaves.

Written from docs/spec/{record,log,export}.md; it shares no code with the server. Signatures and proofs are for tillit-verify and for
other people's verifiers (tests/foreign)."""
import base64
import hashlib
import hmac
import json
import struct
import urllib.error
import urllib.request

# Field numbers of openings: OPENS in record.def.
OPENED = {1: "obj", 2: "who", 3: "peer", 4: "ver", 5: "new", 6: "qry", 7: "res", 8: "copy", 9: "items", 10: "name", 11: "keyc", 12: "rdr", 13: "stmt",
          14: "vid", 15: "up", 16: "ctx", 17: "doc", 18: "sub"}
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def get(url):
    """(status, bytes)"""
    try:
        with OPENER.open(url, timeout=20) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def size(url):
    status, text = get(url + "checkpoint")
    assert status == 200, (status, text)
    return int(text.split(b"\n")[1])


def number(n):
    groups = []
    while True:
        groups.insert(0, f"{n % 1000:03}")
        n //= 1000
        if n == 0:
            return "/".join(["x" + g for g in groups[:-1]] + groups[-1:])


def leaves(url):
    """Every published leaf, parsed."""
    n, out = size(url), []
    for first in range(0, n, 256):
        width = min(256, n - first)
        status, data = get(url + "tile/entries/" + number(first // 256) + (f".p/{width}" if width < 256 else ""))
        assert status == 200, (status, data[:200])
        at = 0
        while at < len(data):
            length = struct.unpack_from(">H", data, at)[0]
            out.append(json.loads(data[at + 2:at + 2 + length]))
            at += 2 + length
    assert len(out) == n, (len(out), n)
    return out


def opening(data):
    """{field name: (salt, value)}"""
    out, at = {}, 1
    if not data:
        return out
    assert data[0] == 1, data[0]
    while at < len(data):
        field = data[at]
        at += 1
        if field & 0x80:
            out[OPENED[field & 0x7f]] = None
            continue
        salt = data[at:at + 16]
        width = 4 if OPENED[field] == "items" else 2
        n = int.from_bytes(data[at + 16:at + 16 + width], "big")
        at += 16 + width
        out[OPENED[field]] = (salt, data[at:at + n])
        at += n
    assert at == len(data)
    return out


def check_line(line):
    """One line of an export: gives (index, leaf, {field: value}) when every opening holds against its commitment."""
    record = json.loads(line)
    leaf, opened = record["leaf"], opening(unbase64(record["opening"]))
    for name, it in opened.items():
        if it:
            want = base64.urlsafe_b64encode(hmac.new(it[0], name.encode() + b"\0" + it[1], hashlib.sha256).digest()).rstrip(b"=").decode()
            assert leaf[name] == want, f"record {record['index']}: {name} does not open its commitment"
    return record["index"], leaf, {k: v[1] for k, v in opened.items() if v}
