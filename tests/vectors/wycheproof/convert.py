#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns C2SP/wycheproof's testvectors_v1 JSON into one line a case, so that tests in C need no JSON reader.

Usage: convert.py hmac hmac_sha256_test.json > hmac_sha256.txt
       convert.py gcm aes_gcm_test.json > aes_256_gcm.txt     (256-bit keys, 96-bit nonces, 128-bit tags)
Empty bytes are written as a dash.
"""
import json
import sys

kind, path = sys.argv[1:]
doc = json.load(open(path))
print(f"# C2SP/wycheproof {path.rsplit('/', 1)[-1]}, Apache-2.0, converted by convert.py")
print("# " + {"hmac": "id result tag_bits key msg tag", "gcm": "id result key iv aad msg ct tag"}[kind])
for group in doc["testGroups"]:
    if kind == "gcm" and (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
        continue
    for t in group["tests"]:
        row = [t["tcId"], t["result"]]
        if kind == "hmac":
            row += [group["tagSize"], t["key"], t["msg"], t["tag"]]
        else:
            row += [t["key"], t["iv"], t["aad"], t["msg"], t["ct"], t["tag"]]
        print(*[x if x != "" else "-" for x in row])
