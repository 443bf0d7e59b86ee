/* SPDX-License-Identifier: Apache-2.0
 * Passkeys: public keys as terms of statements.
 * Role: the gate and replay. Distrusts: every byte. Law: 6.
 * Spec: docs/spec/statement.md section 7; W3C Web Authentication Level 2, section 7.2.
 */
#include "record/record_json.h"

static bool is_base64url(struct slice text, size_t max)
{
    uint8_t bytes[WEBAUTHN_CREDENTIAL_BYTES_MAX];
    size_t n = text.n / 4 * 3 + text.n % 4 * 3 / 4;
    ASSERT(max <= sizeof bytes);
    return n >= 1 && n <= max && base64url_fixed(text, bytes, n) == ERR_OK;
}

/* passkey:<alg>:<credential id>:<public key> */
enum err record_passkey_parse(struct slice term, struct record_passkey *out)
{
    *out = (struct record_passkey){0};
    struct slice head, alg, rest = slice_cut(term, ':', &head);
    if (!slice_is(head, "passkey")) return ERR_INPUT;
    rest = slice_cut(rest, ':', &alg);
    struct slice public_key = slice_cut(rest, ':', &out->credential);
    if (!is_base64url(out->credential, WEBAUTHN_CREDENTIAL_BYTES_MAX)) return ERR_INPUT;
    out->alg = slice_is(alg, "ES256") ? RECORD_COSE_ES256 : RECORD_COSE_EDDSA;
    out->public_key_n = out->alg == RECORD_COSE_ES256 ? sizeof out->public_key : ED25519_KEY_BYTES;
    if (out->alg == RECORD_COSE_EDDSA && !slice_is(alg, "EdDSA")) return ERR_VERSION;
    TRY(base64url_fixed(public_key, out->public_key, out->public_key_n));
    return out->alg == RECORD_COSE_EDDSA || out->public_key[0] == 4 ? ERR_OK : ERR_INPUT;      /* 4: both coordinates, not compressed */
}
