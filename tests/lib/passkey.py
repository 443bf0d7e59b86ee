# SPDX-License-Identifier: Apache-2.0
"""An authenticator and the browser around it, in software (Python's cryptography): passkeys that sign statements as docs/spec/statement.md section 7 wants them,
or wrongly in one way that a test names.

    bo = Passkey("sign.example", "https://sign.example")         # ES256; alg="EdDSA" for the other
    people.approver("bo", bo)                                     # its term stands where an SSH key's fingerprint would
    people.approve(request, bo)
    bo.sign(text, origin="https://evil.example")                  # one thing wrong
"""
import base64
import hashlib
import json
import os

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

UP, UV, BE, BS = 1, 4, 8, 16                       # flags: present, verified, may be backed up, is


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(signature):
    """An ES256 signature as JOSE has it, r and s behind each other: the form that WebAuthn does not take."""
    return b"".join(n.to_bytes(32, "big") for n in decode_dss_signature(signature))


class Passkey:
    def __init__(self, rpid, origin, alg="ES256", counter=0):
        self.rpid, self.origin, self.alg, self.counter = rpid, origin, alg, counter
        self.credential = b64(os.urandom(32))
        if alg == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
            public = self.private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        else:
            self.private = ed25519.Ed25519PrivateKey.generate()
            public = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.term = f"passkey:{alg}:{self.credential}:{b64(public)}"

    @property
    def fingerprint(self):
        """What names the key in terms, as an SSH key's fingerprint does."""
        return self.term

    def signature(self, message):
        return self.private.sign(message, ec.ECDSA(hashes.SHA256())) if self.alg == "ES256" else self.private.sign(message)

    def sign(self, text, type="webauthn.get", challenge=None, origin=None, rpid=None, flags=UP | UV, counter=None, change=None, **members):
        """The assertion over a statement. challenge: of another text; change: what becomes of the signature; members: further ones of the client's data."""
        if counter is None:
            counter = self.counter = self.counter + 1
        text = text if isinstance(text, bytes) else text.encode()
        challenge = text if challenge is None else challenge.encode()
        client = json.dumps({"type": type, "challenge": b64(hashlib.sha256(challenge).digest()), "origin": origin or self.origin, "crossOrigin": False, **members},
                            separators=(",", ":")).encode()
        data = hashlib.sha256((rpid or self.rpid).encode()).digest() + bytes([flags]) + counter.to_bytes(4, "big")
        signature = self.signature(data + hashlib.sha256(client).digest())
        return {"authenticatorData": b64(data), "clientDataJSON": b64(client), "credential": self.credential,
                "signature": b64(change(signature) if change else signature)}
