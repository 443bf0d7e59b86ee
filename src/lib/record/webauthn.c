/* SPDX-License-Identifier: Apache-2.0
 * Passkeys: public keys as terms of statements, assertions, and whether one stands under a statement.
 * Role: the gate when a statement arrives, replay when it reads one. Trusts: that the caller took the key from the record and pins origin and rpId.
 * Distrusts: every byte of an assertion: it comes from a browser, over the page of whoever wants something signed.
 * Law: 6. Spec: docs/spec/statement.md section 7; W3C Web Authentication Level 2, sections 6.1 and 7.2; FIPS 186-5.
 */
#include "record/record_json.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#define FLAG_PRESENT 0x01
#define FLAG_VERIFIED 0x04
#define FLAG_BACKUP_ELIGIBLE 0x08
#define FLAG_BACKED_UP 0x10
#define FLAG_ATTESTED 0x40
#define FLAG_EXTENSIONS 0x80
#define AUTH_DATA_BYTES (HASH_BYTES + 1 + 4)      /* rpIdHash | flags | counter; extensions behind it */

/* keys and assertions, as text ------------------------------------------------------------------------------------------------- */

static enum err base64url_ok(struct slice text, size_t min, size_t max)
{
    uint8_t bytes[WEBAUTHN_CLIENT_DATA_BYTES_MAX];
    size_t n = text.n / 4 * 3 + text.n % 4 * 3 / 4;
    ASSERT(max <= sizeof bytes);
    if (n > max) return ERR_LIMIT;
    return n < min ? ERR_INPUT : base64url_fixed(text, bytes, n);
}

enum err record_passkey_parse(struct slice term, struct record_passkey *out)
{
    *out = (struct record_passkey){0};
    struct slice head, alg, rest = slice_cut(term, ':', &head);
    if (!slice_is(head, "passkey")) return ERR_INPUT;
    rest = slice_cut(rest, ':', &alg);
    struct slice public_key = slice_cut(rest, ':', &out->credential);
    TRY(base64url_ok(out->credential, 1, WEBAUTHN_CREDENTIAL_BYTES_MAX));
    out->alg = slice_is(alg, "ES256") ? RECORD_COSE_ES256 : RECORD_COSE_EDDSA;
    out->public_key_n = out->alg == RECORD_COSE_ES256 ? sizeof out->public_key : ED25519_KEY_BYTES;
    if (out->alg == RECORD_COSE_EDDSA && !slice_is(alg, "EdDSA")) return ERR_VERSION;
    TRY(base64url_fixed(public_key, out->public_key, out->public_key_n));
    return out->alg == RECORD_COSE_EDDSA || out->public_key[0] == 4 ? ERR_OK : ERR_INPUT;      /* 4: both coordinates, not compressed */
}

enum err record_assertion_parse(struct slice text, struct record_assertion *out)
{
    *out = (struct record_assertion){0};
    const struct { const char *key; struct slice *to; size_t min, max; } parts[] = {
        {"authenticatorData", &out->authenticator_data, AUTH_DATA_BYTES, WEBAUTHN_AUTH_DATA_BYTES_MAX},
        {"clientDataJSON", &out->client_data, 2, WEBAUTHN_CLIENT_DATA_BYTES_MAX},
        {"credential", &out->credential, 1, WEBAUTHN_CREDENTIAL_BYTES_MAX},
        {"signature", &out->signature, 1, WEBAUTHN_SIG_BYTES_MAX},
    };
    if (text.n > ASSERTION_CHARS_MAX) return ERR_LIMIT;
    struct record_json j;
    struct slice key;
    bool more;
    TRY(record_json_open(&j, text));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        TRY(record_json_next(&j, &key, &more));
        if (!more || !slice_is(key, parts[i].key)) return ERR_INPUT;
        TRY(record_json_get_text_max(&j, ASSERTION_CHARS_MAX, parts[i].to));
        TRY(base64url_ok(*parts[i].to, parts[i].min, parts[i].max));
    }
    TRY(record_json_next(&j, &key, &more));
    return more ? ERR_INPUT : ERR_OK;
}

const char *record_webauthn_text(enum record_webauthn w)
{
    static const char *const texts[RECORD_WEBAUTHN__COUNT] = {
#define ONE(NAME, text) [RECORD_WEBAUTHN_##NAME] = text,
        RECORD_WEBAUTHN(ONE)
#undef ONE
    };
    ASSERT(w < RECORD_WEBAUTHN__COUNT);
    return texts[w];
}

/* signatures --------------------------------------------------------------------------------------------------------------------- */

/* INTEGER of DER: positive, as short as it can be, at most 32 bytes of value. OpenSSL asks the same today. */
static bool take_integer(struct reader *r)
{
    uint8_t tag = reader_u8(r), n = reader_u8(r);
    struct slice v = reader_slice(r, n);
    if (r->bad || tag != 0x02 || n == 0 || n > 33 || v.p[0] & 0x80) return false;
    return v.p[0] != 0 ? n <= 32 : n > 1 && v.p[1] & 0x80;
}

static bool is_der(struct slice sig)
{
    struct reader r = reader_of(sig);
    if (reader_u8(&r) != 0x30 || reader_u8(&r) != sig.n - 2) return false;
    return take_integer(&r) && take_integer(&r) && reader_end(&r) == ERR_OK;
}

static bool es256_verify(const uint8_t point[65], struct slice message, struct slice sig)
{
    char group[] = "P-256";
    uint8_t copy[65];
    memcpy(copy, point, sizeof copy);                 /* OSSL_PARAM takes no const */
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof copy), OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    /* A point that is not on the curve makes no key. */
    bool ok = make && ctx && EVP_PKEY_fromdata_init(make) == 1 && EVP_PKEY_fromdata(make, &key, EVP_PKEY_PUBLIC_KEY, params) == 1 &&
              EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 && EVP_DigestVerify(ctx, sig.p, sig.n, message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(make);
    return ok;
}

/* The assertion does not say its algorithm: the key does. A signature of another one's form is told apart, for whoever debugs a page. */
static enum record_webauthn signature(const struct record_passkey *key, struct slice message, struct slice sig)
{
    bool raw = sig.n == ED25519_SIG_BYTES, der = is_der(sig), ok;
    if (key->alg == RECORD_COSE_EDDSA ? !raw && der : !der && raw) return RECORD_WEBAUTHN_ALGORITHM;
    if (key->alg == RECORD_COSE_EDDSA)
        ok = ledger_ed25519_verify(key->public_key, message, sig) == ERR_OK;
    else
        ok = der && es256_verify(key->public_key, message, sig);
    return ok ? RECORD_WEBAUTHN_OK : RECORD_WEBAUTHN_SIGNATURE;
}

/* 7.2, steps 15 to 18 */
static enum record_webauthn auth_data(struct ledger_hash *h, struct slice data, struct slice rpid)
{
    uint8_t hash[HASH_BYTES], flags;
    if (data.n < AUTH_DATA_BYTES) return RECORD_WEBAUTHN_MALFORMED;
    ledger_sha256(h, rpid, hash);
    if (!ct_equal(hash, data.p, HASH_BYTES)) return RECORD_WEBAUTHN_RPID;
    flags = data.p[HASH_BYTES];
    /* No key is attested when one is used; extensions, if any, are one CBOR map, which we asked for nothing in. */
    bool longer = data.n > AUTH_DATA_BYTES, map = longer && data.p[AUTH_DATA_BYTES] >> 5 == 5;
    if (flags & FLAG_ATTESTED || longer != !!(flags & FLAG_EXTENSIONS) || longer != map) return RECORD_WEBAUTHN_MALFORMED;
    if (flags & FLAG_BACKED_UP && !(flags & FLAG_BACKUP_ELIGIBLE)) return RECORD_WEBAUTHN_MALFORMED;
    if (!(flags & FLAG_PRESENT)) return RECORD_WEBAUTHN_NOT_PRESENT;
    return flags & FLAG_VERIFIED ? RECORD_WEBAUTHN_OK : RECORD_WEBAUTHN_NOT_VERIFIED;
}

/* the whole of it ------------------------------------------------------------------------------------------------------------------ */

uint32_t record_assertion_counter(const struct record_assertion *a)
{
    AUTO(buf) struct buf data = BUF_INIT(WEBAUTHN_AUTH_DATA_BYTES_MAX);
    if (base64url_decode(a->authenticator_data, &data) != ERR_OK || data.n < AUTH_DATA_BYTES) return 0;
    return get_be32(data.p + HASH_BYTES + 1);
}

enum record_webauthn record_webauthn_verify(struct ledger_hash *h, const struct record_passkey *key, const struct record_assertion *a, struct slice statement,
                                            struct slice origin, struct slice rpid, uint32_t counter_seen, uint32_t *counter)
{
    AUTO(buf) struct buf client = BUF_INIT(WEBAUTHN_CLIENT_DATA_BYTES_MAX), sig = BUF_INIT(WEBAUTHN_SIG_BYTES_MAX), challenge = BUF_INIT(64),
                         message = BUF_INIT(WEBAUTHN_AUTH_DATA_BYTES_MAX + HASH_BYTES);
    uint8_t hash[HASH_BYTES];
    enum record_webauthn w;
    *counter = record_assertion_counter(a);
    if (!slice_eq(a->credential, key->credential)) return RECORD_WEBAUTHN_CREDENTIAL;
    if (base64url_decode(a->client_data, &client) != ERR_OK || base64url_decode(a->authenticator_data, &message) != ERR_OK ||
        base64url_decode(a->signature, &sig) != ERR_OK)
        return RECORD_WEBAUTHN_MALFORMED;
    ledger_sha256(h, statement, hash);
    buf_put_base64url(&challenge, slice_of(hash, HASH_BYTES));
    w = record_client_data_check(buf_slice(&client), buf_slice(&challenge), origin);
    if (w == RECORD_WEBAUTHN_OK) w = auth_data(h, buf_slice(&message), rpid);
    if (w != RECORD_WEBAUTHN_OK) return w;
    ledger_sha256(h, buf_slice(&client), hash);
    buf_put(&message, hash, HASH_BYTES);
    ASSERT(buf_ok(&message));
    w = signature(key, buf_slice(&message), buf_slice(&sig));
    /* Last, as the standard has it: a counter that stands still under a good signature means a copied key. */
    if (w == RECORD_WEBAUTHN_OK && (*counter || counter_seen) && *counter <= counter_seen) return RECORD_WEBAUTHN_COUNTER;
    return w;
}
