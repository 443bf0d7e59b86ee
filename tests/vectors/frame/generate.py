#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden vectors of docs/spec/frame.md, computed without any of Tillit's code.

AES-GCM comes from the Python package `cryptography` (any version since 3.0), HMAC and SHA-256 from Python itself.
Prints one line a blob: name, plain size, blob key, tenant id, blob id, SHA-256 of the stored bytes, stored bytes in
hex when they are few. Plaintext byte i is (i * 7 + i // 251) mod 256.  Usage: generate.py > vectors.txt
"""
import hashlib
import hmac
import struct
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FRAME, SEGMENT_FRAMES = 65536, 64


def plaintext(size):
    return bytes((i * 7 + i // 251) & 255 for i in range(size))


def seal(tenant, blob, blob_key, plain):
    frames = [plain[i:i + FRAME] for i in range(0, len(plain), FRAME)] or [b""]
    out = b""
    for index, frame in enumerate(frames):
        segment, number = divmod(index, SEGMENT_FRAMES)
        key = hmac.new(blob_key, b"tillit segment" + struct.pack(">I", segment), hashlib.sha256).digest()
        nonce = bytes(7) + struct.pack(">IB", number, 1 if index == len(frames) - 1 else 0)
        aad = tenant + blob + struct.pack(">I", segment)
        out += AESGCM(key).encrypt(nonce, frame, aad)
    return out


def main():
    print("# made by generate.py; columns: name plain_size blob_key tenant blob sha256_of_stored stored_hex_or_dash")
    for name, size in [("empty", 0), ("one", 1), ("small", 100), ("frame_less_one", FRAME - 1), ("frame", FRAME),
                       ("frame_and_one", FRAME + 1), ("segment", 64 * FRAME), ("segment_and_one", 64 * FRAME + 1),
                       ("three_segments", 2 * 64 * FRAME + 3 * FRAME + 17)]:
        digest = hashlib.sha256(name.encode()).digest()
        key = hashlib.sha256(b"key " + name.encode()).digest()
        tenant, blob = digest[:16], digest[16:]
        stored = seal(tenant, blob, key, plaintext(size))
        print(name, size, key.hex(), tenant.hex(), blob.hex(), hashlib.sha256(stored).hexdigest(),
              stored.hex() if size <= 100 else "-")


main()
