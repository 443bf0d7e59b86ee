# SPDX-License-Identifier: Apache-2.0
"""What a store that lies would do: change a word of what is exported and make openings, leaves, tree and head anew, all under its own key, so that only
the meaning is wrong. Written from docs/spec/{record,log,export}.md and C2SP's signed notes; openssl signs."""
import base64
import hashlib
import hmac
import os
import re
import subprocess

from lib import tlog
from lib.case import program


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def root(leaves):
    """RFC 6962."""
    def tree(hashes):
        if len(hashes) == 1:
            return hashes[0]
        split = 1 << ((len(hashes) - 1).bit_length() - 1)
        return hashlib.sha256(b"\x01" + tree(hashes[:split]) + tree(hashes[split:])).digest()
    return tree([hashlib.sha256(b"\0" + x).digest() for x in leaves])


class Forger:
    """A log key of its own, under the origin of the true log."""

    def __init__(self, folder):
        self.pem = os.path.join(folder, "forger.pem")
        subprocess.run([program("openssl"), "genpkey", "-algorithm", "ed25519", "-out", self.pem], check=True, capture_output=True)
        self.public = subprocess.run(["openssl", "pkey", "-in", self.pem, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout[-32:]

    def hash(self, origin):
        return hashlib.sha256(origin.encode() + b"\n\x01" + self.public).digest()[:4]

    def vkey(self, origin):
        return f"{origin}+{self.hash(origin).hex()}+{base64.b64encode(bytes([1]) + self.public).decode()}"

    def checkpoint(self, origin, leaves, path):
        body = f"{origin}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n".encode()
        with open(path + ".body", "wb") as f:
            f.write(body)
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.pem, "-in", path + ".body"], check=True, capture_output=True).stdout
        with open(path, "wb") as f:
            f.write(body + f"\n\u2014 {origin} {base64.b64encode(self.hash(origin) + signature).decode()}\n".encode())
        os.unlink(path + ".body")


class Line:
    """One line of an export: the leaf's own text, and its opening."""

    def __init__(self, text):
        found = re.fullmatch(r'\{"index":(\d+),"leaf":(\{.*\}),"opening":"([^"]*)"\}\n', text)
        self.index, self.leaf, self.opening = int(found.group(1)), found.group(2), tlog.unbase64(found.group(3))

    def text(self):
        return f'{{"index":{self.index},"leaf":{self.leaf},"opening":"{url64(self.opening)}"}}\n'

    def value(self, field):
        return tlog.opening(self.opening)[field][1]

    def change(self, field, old, new):
        """old for new, as long as it, in what opens the field; the leaf commits to it again."""
        salt, value = tlog.opening(self.opening)[field]
        assert len(old) == len(new) and value.count(old) == 1 and self.opening.count(value) == 1, (field, old, value)
        changed = value.replace(old, new)
        commit = lambda v: url64(hmac.new(salt, field.encode() + b"\0" + v, hashlib.sha256).digest())
        assert self.leaf.count(commit(value)) == 1
        self.leaf = self.leaf.replace(commit(value), commit(changed))
        self.opening = self.opening.replace(value, changed)

    def reword(self, old, new):
        """In the leaf itself."""
        assert self.leaf.count(old) == 1, (old, self.leaf)
        self.leaf = self.leaf.replace(old, new)


def read(path):
    with open(path) as f:
        return [Line(x) for x in f]


def write(folder, name, lines, forger, origin):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name + ".jsonl"), "w") as f:
        f.write("".join(x.text() for x in lines))
    forger.checkpoint(origin, [x.leaf.encode() for x in lines], os.path.join(folder, name + ".checkpoint"))
