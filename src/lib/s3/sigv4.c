/* SPDX-License-Identifier: Apache-2.0
 * Signature Version 4: signing keys, signatures, and signing for our own client.
 * Role: the gate verifies with it; tillit signs with it. Callers' secrets never leave the gate.
 * Trusts: OpenSSL. Distrusts: the presented signature (compared in constant time).
 * Law: 3.
 * Spec: AWS General Reference "SigV4 signing elements"; RFC 2104 (HMAC), whose two inner states are kept so that a
 *       signature costs no key set-up (hot path).
 */
#include "s3/s3_inner.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SHA256_BLOCK_BYTES 64

static enum err hash_start(EVP_MD_CTX **ctx, const EVP_MD *md, const uint8_t *block)
{
    *ctx = EVP_MD_CTX_new();
    if (!*ctx) return ERR_NOMEM;
    if (EVP_DigestInit_ex(*ctx, md, NULL) != 1) return ERR_CRYPTO;
    if (block && EVP_DigestUpdate(*ctx, block, SHA256_BLOCK_BYTES) != 1) return ERR_CRYPTO;
    return ERR_OK;
}

/* work := from; update; final */
static enum err hash_finish(void *work, const void *from, struct slice data, uint8_t out[HASH_BYTES])
{
    if (EVP_MD_CTX_copy_ex(work, from) != 1) return ERR_CRYPTO;
    if (data.n && EVP_DigestUpdate(work, data.p, data.n) != 1) return ERR_CRYPTO;
    return EVP_DigestFinal_ex(work, out, NULL) == 1 ? ERR_OK : ERR_CRYPTO;
}

static enum err hmac_once(const void *key, size_t key_n, struct slice text, uint8_t out[HASH_BYTES])
{
    return HMAC(EVP_sha256(), key, (int)key_n, text.p, text.n, out, NULL) ? ERR_OK : ERR_CRYPTO;
}

static enum err derive(struct slice secret, struct slice date, struct slice region, struct slice service,
                       uint8_t key[HASH_BYTES])
{
    uint8_t first[4 + 256];
    if (secret.n == 0 || secret.n > sizeof first - 4) return ERR_LIMIT;
    memcpy(first, "AWS4", 4);
    memcpy(first + 4, secret.p, secret.n);
    enum err e = hmac_once(first, 4 + secret.n, date, key);
    wipe(first, sizeof first);
    TRY(e);
    TRY(hmac_once(key, HASH_BYTES, region.p ? region : slice_of("", 0), key));
    TRY(hmac_once(key, HASH_BYTES, service, key));
    return hmac_once(key, HASH_BYTES, SLICE_LIT("aws4_request"), key);
}

static enum err set_up(struct s3_signing_key *k, const uint8_t key[HASH_BYTES])
{
    uint8_t pad[SHA256_BLOCK_BYTES];
    EVP_MD_CTX *ctx[4] = {0};
    enum err e = ERR_OK;
    for (size_t i = 0; i < 4 && e == ERR_OK; i++) {
        bool keyed = i < 2;
        for (size_t b = 0; keyed && b < sizeof pad; b++)
            pad[b] = (uint8_t)((b < HASH_BYTES ? key[b] : 0) ^ (i == 0 ? 0x36 : 0x5c));
        e = hash_start(&ctx[i], EVP_sha256(), keyed ? pad : NULL);
    }
    wipe(pad, sizeof pad);
    *k = (struct s3_signing_key){ctx[0], ctx[1], ctx[2], ctx[3]};
    return e;
}

enum err s3_signing_key_init(struct s3_signing_key *k, struct slice secret, struct slice date, struct slice region,
                             struct slice service)
{
    uint8_t key[HASH_BYTES];
    *k = (struct s3_signing_key){0};
    enum err e = derive(secret, date, region, service, key);
    if (e == ERR_OK) e = set_up(k, key);
    wipe(key, sizeof key);
    if (e != ERR_OK) s3_signing_key_done(k);
    return e;
}

void s3_signing_key_done(struct s3_signing_key *k)
{
    EVP_MD_CTX_free(k->inner);                                    /* OpenSSL wipes its states */
    EVP_MD_CTX_free(k->outer);
    EVP_MD_CTX_free(k->fresh);
    EVP_MD_CTX_free(k->work);
    *k = (struct s3_signing_key){0};
}

enum err s3_hmac(struct s3_signing_key *k, struct slice text, uint8_t mac[HASH_BYTES])
{
    uint8_t inner[HASH_BYTES];
    ASSERT(k->inner && k->outer && k->work);
    TRY(hash_finish(k->work, k->inner, text, inner));
    return hash_finish(k->work, k->outer, slice_of(inner, sizeof inner), mac);
}

enum err s3_sign(struct s3_signing_key *k, struct slice amz_date, struct slice scope, struct slice canon,
                 uint8_t sig[HASH_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t digest[HASH_BYTES], text[17 + 16 + 1 + S3_CREDENTIAL_CHARS_MAX + 1 + 2 * HASH_BYTES];
    size_t n = 0;
    if (amz_date.n != 16 || scope.n > S3_CREDENTIAL_CHARS_MAX) return ERR_INPUT;
    TRY(hash_finish(k->work, k->fresh, canon, digest));
    memcpy(text, "AWS4-HMAC-SHA256\n", 17);
    n = 17;
    memcpy(text + n, amz_date.p, 16);
    n += 16;
    text[n++] = '\n';
    memcpy(text + n, scope.p, scope.n);
    n += scope.n;
    text[n++] = '\n';
    for (size_t i = 0; i < HASH_BYTES; i++) {
        text[n++] = (uint8_t)hex[digest[i] >> 4];
        text[n++] = (uint8_t)hex[digest[i] & 15];
    }
    ASSERT(n <= sizeof text);
    return s3_hmac(k, slice_of(text, n), sig);
}

enum s3_error s3_verify(struct s3_signing_key *k, const struct s3_auth *a, struct slice canon)
{
    uint8_t sig[HASH_BYTES];
    ASSERT(a->kind != S3_AUTH_NONE);
    if (s3_sign(k, slice_of(a->amz_date, 16), a->scope, canon, sig) != ERR_OK) return S3E_InternalError;
    bool same = ct_equal(sig, a->sig, HASH_BYTES);
    wipe(sig, sizeof sig);                                        /* the right answer to a wrong guess stays here */
    return same ? S3E_NONE : S3E_SignatureDoesNotMatch;
}

/* SignedHeaders of h: lower case, ascending. */
static enum err put_signed_list(struct buf *out, const struct s3_header *h, size_t n)
{
    AUTO(buf) struct buf low = BUF_INIT(S3_HEADER_SECTION_BYTES_MAX);
    struct slice names[S3_HEADERS_MAX];
    if (n == 0 || n > S3_HEADERS_MAX) return ERR_LIMIT;
    if (!buf_room(&low, S3_HEADER_SECTION_BYTES_MAX)) return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        size_t from = low.n, at = i;
        for (size_t k = 0; k < h[i].name.n; k++) {
            uint8_t c = h[i].name.p[k];
            buf_put_u8(&low, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
        }
        struct slice name = slice_of(low.p + from, low.n - from);
        for (; at > 0 && slice_cmp(names[at - 1], name) > 0; at--) names[at] = names[at - 1];
        names[at] = name;
    }
    if (!buf_ok(&low)) return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        if (i && slice_eq(names[i], names[i - 1])) continue;
        if (i) buf_put_u8(out, ';');
        buf_put_slice(out, names[i]);
    }
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

enum err s3_client_sign(const struct s3_client_key *key, struct slice method, struct slice raw_target,
                        const struct s3_header *h, size_t n, uint64_t now_ms, struct slice payload_hash,
                        struct buf *authorization)
{
    AUTO(buf) struct buf mem = BUF_INIT(S3_CANONICAL_BYTES_MAX);
    AUTO(buf) struct buf canon = BUF_INIT(S3_CANONICAL_BYTES_MAX);
    AUTO(buf) struct buf list = BUF_INIT(S3_HEADER_SECTION_BYTES_MAX);
    AUTO(buf) struct buf scope = BUF_INIT(S3_CREDENTIAL_CHARS_MAX);
    AUTO(s3_signing_key) struct s3_signing_key k = {0};
    struct s3_target t;
    char date[TIME_TEXT_MAX];
    uint8_t sig[HASH_BYTES];
    time_amz(now_ms, date);
    if (s3_target_parse(raw_target, &mem, &t) != S3E_NONE) return ERR_INPUT;
    TRY(put_signed_list(&list, h, n));
    if (s3_canon_build(&canon, method, &t, h, n, buf_slice(&list), payload_hash, false, NULL) != S3E_NONE) return ERR_INPUT;
    buf_put(&scope, date, 8);
    buf_put_u8(&scope, '/');
    buf_put_slice(&scope, key->region);
    buf_put_u8(&scope, '/');
    buf_put_slice(&scope, key->service);
    buf_put_str(&scope, "/aws4_request");
    if (!buf_ok(&scope)) return ERR_LIMIT;
    TRY(s3_signing_key_init(&k, key->secret, slice_of(date, 8), key->region, key->service));
    TRY(s3_sign(&k, slice_of(date, 16), buf_slice(&scope), buf_slice(&canon), sig));
    buf_put_str(authorization, "AWS4-HMAC-SHA256 Credential=");
    buf_put_slice(authorization, key->access_key);
    buf_put_u8(authorization, '/');
    buf_put_slice(authorization, buf_slice(&scope));
    buf_put_str(authorization, ", SignedHeaders=");
    buf_put_slice(authorization, buf_slice(&list));
    buf_put_str(authorization, ", Signature=");
    buf_put_hex(authorization, slice_of(sig, sizeof sig));
    return buf_ok(authorization) ? ERR_OK : ERR_LIMIT;
}
