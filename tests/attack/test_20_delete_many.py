# SPDX-License-Identifier: Apache-2.0
"""Attack 20: DeleteObjects with documents that are meant to break a parser, or that are not what was signed; and one that a front taken over swapped."""
import base64
import hashlib
import struct
import zlib

from lib.attack import attack, by_id, held, store
from lib.case import limit
from lib.evilfront import EvilFront, Web

WORDS = "a document that is none deleted something"
KEYS = [f"k{i}" for i in range(8)]


def document(keys, head=b""):
    return head + b"<Delete>" + b"".join(b"<Object><Key>%s</Key></Object>" % k.encode() for k in keys) + b"</Delete>"


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


BOMB = b'<?xml version="1.0"?><!DOCTYPE Delete [<!ENTITY a "k0">' + b"".join(b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (98 + i, 97 + i, 97 + i, 97 + i, 97 + i) for i in range(12)) + \
       b"]><Delete><Object><Key>&m;</Key></Object></Delete>"


@limit(120)
@attack("20", ("delete-digest-unchecked", WORDS), ("xml-doctype-taken", WORDS))
def test_documents_that_are_none_delete_nothing(case):
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/many")
    for k in KEYS:
        web.ok("PUT", f"/many/{k}", body=b"kept")
    bad = {
        "a DOCTYPE": document(KEYS, b'<?xml version="1.0"?><!DOCTYPE Delete>'),
        "an external entity": document(KEYS, b'<?xml version="1.0"?><!DOCTYPE Delete [<!ENTITY x SYSTEM "file:///etc/passwd">]>').replace(b"k7", b"&x;"),
        "an entity bomb": BOMB,
        "1001 keys": document(KEYS + [f"n{i}" for i in range(1001 - len(KEYS))]),
        "a depth of 100 000": b"<Delete>" + b"<Object>" * 100000,
    }
    tries = [(what, doc, md5(doc), "MalformedXML") for what, doc in bad.items()]
    good = document(KEYS)
    tries += [("another document's digest", good, md5(document(KEYS[:1])), "BadDigest"), ("a digest that is none", good, "short", "InvalidDigest")]
    for what, doc, digest, code in tries:
        r = web.request("POST", "/many", "delete=", headers={"content-md5": digest}, body=doc)
        held(r.status == 400 and r.code == code, WORDS, f"{what}: {r.status} {r.code} {r.body[:200]!r}")
        if r.id and code != "InvalidDigest":
            leaf = by_id(s, r.id)
            held(not leaf.get("w") and leaf.get("why") == code, WORDS, f"{what}: {leaf}")
    for k in KEYS:
        r = web.request("GET", f"/many/{k}")
        held(r.status == 200 and r.body == b"kept", WORDS, f"{k}: {r.status}")


@limit(120)
@attack("20", ("grave-skipped", "what a swapped document deleted cannot be brought back"))
def test_a_swapped_unsigned_document_is_flagged_and_all_of_it_comes_back(case):
    """Old and new SDKs sign the body of DeleteObjects; where a client leaves it unsigned (only a CRC beside), a front taken over can swap it. The record
    says that the body was unsigned, and every object can be restored within the grace period."""
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/many")
    for k in KEYS:
        web.ok("PUT", f"/many/{k}", body=b"kept " + k.encode())
    swapped = document(KEYS)
    crc = base64.b64encode(struct.pack(">I", zlib.crc32(swapped))).decode()
    signed = web.signed("POST", "/many", "delete=", headers={"x-amz-checksum-crc32": crc, "x-amz-sdk-checksum-algorithm": "CRC32"}, body=b"", payload="UNSIGNED-PAYLOAD")
    evil = EvilFront(s)
    name, _ = evil.ask(signed, body_size=len(swapped))
    assert name == "WANTBODY", name
    evil.gate.send("BODY", evil.last, last=1, data=swapped)
    frame = evil.gate.recv_id(evil.last)
    evil.close()
    assert frame and frame[0] == "ANSWER" and frame[2]["status"] == 200, frame
    leaf = [r for r in s.log_records() if r.get("act") == "DeleteObjects"][-1]
    held(leaf.get("w") == 1 and leaf["body"] == "uns", "an unsigned document is not flagged", leaf)
    for k in KEYS:
        assert web.request("GET", f"/many/{k}").status == 404
        s.tillit("undelete", s.dir, "many", k, ok=(0, 1))
    for k in KEYS:
        r = web.request("GET", f"/many/{k}")
        held(r.status == 200 and r.body == b"kept " + k.encode(), "what a swapped document deleted cannot be brought back", f"{k}: {r.status}")
