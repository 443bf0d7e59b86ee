/* SPDX-License-Identifier: Apache-2.0
 * Wrapped keys: a key sealed under the key above it, bound to what and whose it is.
 * Role: the hierarchy between root and buckets. Trusts: the wrapping key. Distrusts: stored wraps.
 * Law: 2, 6. Spec: docs/spec/keys.md section 2.
 */
#include "keys/keys_internal.h"

#define WRAP_VERSION 1
#define WRAP_HEAD_BYTES 5

static const char aad_label[] = "tillit key v1";
#define WRAP_AAD_BYTES (sizeof aad_label - 1 + 1 + 4 + 2 * ID_BYTES)

static void wrap_aad(const struct keys_wrap_id *id, uint8_t out[WRAP_AAD_BYTES]) {
    uint8_t *p = out;
    ASSERT(id->kind >= KEYS_WRAP_TENANT && id->kind <= KEYS_WRAP_BUCKET);
    memcpy(p, aad_label, sizeof aad_label - 1);
    p += sizeof aad_label - 1;
    *p++ = (uint8_t)id->kind;
    put_be32(p, id->generation);
    memcpy(p + 4, id->tenant, ID_BYTES);
    memcpy(p + 4 + ID_BYTES, id->bucket, ID_BYTES);
}

enum err keys_new(const struct rng *rng, struct secret *out) {
    TRY(secret_new(out, KEYS_BYTES));
    rng_fill(rng, out->p, out->n);
    return ERR_OK;
}

enum err keys_wrap(struct keys_ctx *c, const struct rng *rng, const struct secret *under,
                   const struct keys_wrap_id *id, const struct secret *key, struct buf *out) {
    uint8_t aad[WRAP_AAD_BYTES], head[WRAP_HEAD_BYTES] = {WRAP_VERSION};
    size_t before = out->n;
    ASSERT(key->n == KEYS_BYTES);
    wrap_aad(id, aad);
    put_be32(head + 1, id->generation);
    buf_put(out, head, sizeof head);
    if (!buf_ok(out)) return ERR_LIMIT;
    enum err e = keys_seal(c, rng, under, slice_of(aad, sizeof aad), secret_slice(key), out);
    if (e != ERR_OK) out->n = before;
    ASSERT(e != ERR_OK || out->n == before + KEYS_WRAPPED_BYTES);
    return e;
}

enum err keys_wrapped_generation(struct slice wrapped, uint32_t *generation) {
    struct reader r = reader_of(wrapped);
    uint8_t version = reader_u8(&r);
    *generation = 0;
    if (!r.bad && version != WRAP_VERSION) return ERR_VERSION;
    uint32_t found = reader_u32(&r);
    (void)reader_slice(&r, KEYS_BYTES + KEYS_SEAL_EXTRA_BYTES);
    TRY(reader_end(&r));
    *generation = found;
    return ERR_OK;
}

enum err keys_unwrap(struct keys_ctx *c, const struct secret *under, const struct keys_wrap_id *id,
                     struct slice wrapped, struct secret *out) {
    uint8_t aad[WRAP_AAD_BYTES];
    uint32_t generation;
    *out = SECRET_INIT;
    TRY(keys_wrapped_generation(wrapped, &generation));
    if (generation != id->generation) return ERR_CORRUPT;
    wrap_aad(id, aad);
    struct slice sealed = slice_of(wrapped.p + WRAP_HEAD_BYTES, wrapped.n - WRAP_HEAD_BYTES);
    TRY(keys_open_secret(c, under, slice_of(aad, sizeof aad), sealed, out));
    ASSERT(out->n == KEYS_BYTES); /* by the length checked above */
    return ERR_OK;
}
