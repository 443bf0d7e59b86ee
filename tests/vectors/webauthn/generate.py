#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes assertions as an authenticator and a browser would, right ones and each kind of wrong one.

    tests/vectors/webauthn/generate.py > tests/vectors/webauthn/vectors.tsv

The keys are public test keys (RFC 6979 A.2.5, RFC 8032 7.1 test 1): nobody's secret. ES256 signatures are random: another run writes other ones.
"""
import base64, hashlib, json
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

STATEMENT = ('{"kind":"agree","nonce":"AAECAwQFBgcICQoLDA0ODw","t":1764000000000,"tenant":"aaaqeayeaudaocajbifqydiob4",'
             '"terms":["request=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"],"v":1}')
ORIGIN, RPID = 'https://sign.example.com', 'sign.example.com'
UP, UV, BE, BS, AT = 1, 4, 8, 16, 64
P256 = ec.derive_private_key(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721, ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'))
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def es256(message):
    return P256.sign(message, ec.ECDSA(hashes.SHA256()))


def point():
    n = P256.public_key().public_numbers()
    return b'\x04' + n.x.to_bytes(32, 'big') + n.y.to_bytes(32, 'big')


CRED_ES, CRED_ED = b64(bytes(range(32))), b64(bytes(range(64, 80)))
KEY_ES = 'passkey:ES256:%s:%s' % (CRED_ES, b64(point()))
KEY_ED = 'passkey:EdDSA:%s:%s' % (CRED_ED, b64(bytes.fromhex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')))
CHALLENGE = b64(hashlib.sha256(STATEMENT.encode()).digest())
CLIENT = '{"type":"webauthn.get","challenge":"%s","origin":"%s","crossOrigin":false}' % (CHALLENGE, ORIGIN)


def row(name, result, key=KEY_ES, sign=es256, credential=CRED_ES, client=CLIENT, rpid=RPID, flags=UP | UV, counter=7, seen=6, more=b'', change=lambda s: s,
        statement=STATEMENT, origin=ORIGIN):
    data = hashlib.sha256(rpid.encode()).digest() + bytes([flags]) + counter.to_bytes(4, 'big') + more
    client = client.encode() if isinstance(client, str) else client
    sig = change(sign(data + hashlib.sha256(client).digest()))
    assertion = {'authenticatorData': b64(data), 'clientDataJSON': b64(client), 'credential': credential, 'signature': b64(sig)}
    print('\t'.join([name, result, key, statement, origin, RPID, str(seen), json.dumps(assertion, sort_keys=True, separators=(',', ':'))]))


def swapped(a, b):
    assert a in CLIENT
    return CLIENT.replace(a, b)


def raw(sig):
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    r, s = decode_dss_signature(sig)
    return r.to_bytes(32, 'big') + s.to_bytes(32, 'big')


ED_ARGS = dict(key=KEY_ED, sign=ED.sign, credential=CRED_ED)
row('es256', 'ok')
row('eddsa', 'ok', **ED_ARGS)
row('es256-no-counter', 'ok', counter=0, seen=0)
row('eddsa-first-counter', 'ok', counter=1, seen=0, **ED_ARGS)
row('cross-origin-absent', 'ok', client=swapped(',"crossOrigin":false', ''))
row('members-added', 'ok', client=swapped('}', ',"other_keys_can_be_added_here":"do not compare clientDataJSON against a template","x":[1,{"a":null}]}'))
row('token-binding-supported', 'ok', client=swapped('}', ',"tokenBinding":{"status":"supported"}}'))
row('extensions', 'ok', flags=UP | UV | 128, more=b'\xa0')
row('backed-up', 'ok', flags=UP | UV | BE | BS)
row('escaped-origin', 'ok', client=swapped('https://', 'https:\\/\\/'))
row('type-create', 'type', client=swapped('webauthn.get', 'webauthn.create'))
row('type-absent', 'type', client=swapped('"type":"webauthn.get",', ''))
row('challenge-of-another', 'challenge', client=swapped(CHALLENGE, b64(hashlib.sha256(b'another').digest())))
row('challenge-padded', 'challenge', client=swapped(CHALLENGE, CHALLENGE + '='))
row('statement-changed', 'challenge', statement=STATEMENT.replace('1764000000000', '1764000000001'))
row('origin-http', 'origin', client=swapped('https://', 'http://'))
row('origin-port', 'origin', client=swapped(ORIGIN, ORIGIN + ':8443'))
row('origin-slash', 'origin', client=swapped(ORIGIN, ORIGIN + '/'))
row('origin-sub', 'origin', client=swapped(ORIGIN, 'https://evil.sign.example.com'))
row('cross-origin-true', 'cross-origin', client=swapped('"crossOrigin":false', '"crossOrigin":true'))
row('cross-origin-text', 'cross-origin', client=swapped('"crossOrigin":false', '"crossOrigin":"false"'))
row('top-origin', 'cross-origin', client=swapped('}', ',"topOrigin":"https://evil.example"}'))
row('token-binding-present', 'token-binding', client=swapped('}', ',"tokenBinding":{"status":"present","id":"AA"}}'))
row('rpid-other', 'rpid', rpid='example.com')
row('not-present', 'not-present', flags=UV)
row('not-verified', 'not-verified', flags=UP)
row('counter-same', 'counter', counter=6)
row('counter-below', 'counter', counter=5)
row('counter-gone', 'counter', counter=0)
row('credential-other', 'credential', credential=CRED_ED)
row('signature-raw', 'algorithm', change=raw)
row('eddsa-key-es256-signature', 'algorithm', key=KEY_ED, credential=CRED_ED)
row('es256-key-eddsa-signature', 'algorithm', sign=ED.sign)
row('signature-by-another', 'signature', sign=lambda m: es256(m + b'x'))
row('eddsa-signature-wrong', 'signature', key=KEY_ED, credential=CRED_ED, sign=lambda m: ED.sign(m + b'x'))
row('signature-trailing', 'signature', sign=lambda m: next(s for s in iter(lambda: es256(m), 0) if len(s) < 72), change=lambda s: s + b'\0')
row('key-off-the-curve', 'signature', key='passkey:ES256:%s:%s' % (CRED_ES, b64(point()[:-1] + bytes([point()[-1] ^ 1]))))
row('member-twice', 'malformed', client=swapped('}', ',"type":"webauthn.get"}'))
row('member-twice-escaped', 'malformed', client=swapped('}', ',"\\u006frigin":"%s"}' % ORIGIN))
row('client-data-cut', 'malformed', client=CLIENT[:-1])
row('client-data-more', 'malformed', client=CLIENT + '{}')
row('client-data-mark', 'malformed', client=b'\xef\xbb\xbf' + CLIENT.encode())
row('client-data-not-utf8', 'malformed', client=CLIENT[:-1].encode() + b',"x":"\xc0\xaf"}')
row('attested-flag', 'malformed', flags=UP | UV | AT)
row('extensions-missing', 'malformed', flags=UP | UV | 128)
row('extensions-unannounced', 'malformed', more=b'\xa0')
row('extensions-no-map', 'malformed', flags=UP | UV | 128, more=b'\x01')
row('backed-up-alone', 'malformed', flags=UP | UV | BS)
