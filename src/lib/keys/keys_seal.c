/* SPDX-License-Identifier: Apache-2.0
 * Sealing: XAES-256-GCM under a random nonce, and AES-256-GCM at a place in a log.
 * Role: facts, meta, keyboxes, wrapped keys; openings and commands. Trusts: the keys. Distrusts: every sealed byte.
 * Law: 2. Spec: docs/spec/keys.md sections 4 and 7; C2SP XAES-256-GCM; NIST SP 800-38D, SP 800-108 (CMAC counter mode).
 */
#include "keys/keys_internal.h"

/* AES-256-GCM --------------------------------------------------------------------------------------------------------- */

static enum err gcm_start(struct keys_ctx *c, const uint8_t key[KEYS_BYTES], const uint8_t nonce[GCM_NONCE_BYTES],
                          struct slice aad, int seal) {
    int n = 0;
    ASSERT(aad.n <= KEYS_AAD_BYTES_MAX);
    if (EVP_CipherInit_ex(c->gcm, NULL, NULL, key, nonce, seal) != 1) return ERR_CRYPTO;
    if (aad.n > 0 && EVP_CipherUpdate(c->gcm, NULL, &n, aad.p, (int)aad.n) != 1) return ERR_CRYPTO;
    return ERR_OK;
}

enum err keys_gcm_seal(struct keys_ctx *c, const uint8_t key[KEYS_BYTES], const uint8_t nonce[GCM_NONCE_BYTES],
                       struct slice aad, struct slice plain, uint8_t *out) {
    uint8_t none[AES_BLOCK_BYTES];
    int n = 0;
    ASSERT(c->magic == KEYS_CTX_MAGIC && plain.n <= KEYS_SEAL_BYTES_MAX);
    TRY(gcm_start(c, key, nonce, aad, 1));
    if (plain.n > 0 && EVP_CipherUpdate(c->gcm, out, &n, plain.p, (int)plain.n) != 1) return ERR_CRYPTO;
    if (EVP_CipherFinal_ex(c->gcm, none, &n) != 1) return ERR_CRYPTO;
    if (EVP_CIPHER_CTX_ctrl(c->gcm, EVP_CTRL_AEAD_GET_TAG, KEYS_TAG_BYTES, out + plain.n) != 1) return ERR_CRYPTO;
    return ERR_OK;
}

enum err keys_gcm_open(struct keys_ctx *c, const uint8_t key[KEYS_BYTES], const uint8_t nonce[GCM_NONCE_BYTES],
                       struct slice aad, struct slice sealed, uint8_t *out) {
    uint8_t none[AES_BLOCK_BYTES], tag[KEYS_TAG_BYTES];
    int n = 0;
    ASSERT(c->magic == KEYS_CTX_MAGIC);
    ASSERT(sealed.n >= KEYS_TAG_BYTES && sealed.n <= KEYS_SEAL_BYTES_MAX + KEYS_TAG_BYTES);
    size_t plain = sealed.n - KEYS_TAG_BYTES;
    memcpy(tag, sealed.p + plain, sizeof tag);
    enum err e = gcm_start(c, key, nonce, aad, 0);
    if (e == ERR_OK && plain > 0 && EVP_CipherUpdate(c->gcm, out, &n, sealed.p, (int)plain) != 1) e = ERR_CRYPTO;
    if (e == ERR_OK && EVP_CIPHER_CTX_ctrl(c->gcm, EVP_CTRL_AEAD_SET_TAG, KEYS_TAG_BYTES, tag) != 1) e = ERR_CRYPTO;
    if (e == ERR_OK && EVP_CipherFinal_ex(c->gcm, none, &n) != 1) e = ERR_CORRUPT;
    if (e != ERR_OK && plain > 0) wipe(out, plain); /* unauthentic plaintext: nobody sees it */
    return e;
}

/* XAES-256-GCM ----------------------------------------------------------------------------------------------------------- */

static bool aes_block(EVP_CIPHER_CTX *ecb, const uint8_t *in, uint8_t *out, int blocks) {
    int n = 0;
    return EVP_EncryptUpdate(ecb, out, &n, in, blocks * AES_BLOCK_BYTES) == 1 && n == blocks * AES_BLOCK_BYTES;
}

/* Loads the key's schedule and its CMAC subkey K1, unless they are loaded: listings open a thousand facts under one key, and each
 * read opens its entry under two. */
static enum err load_key(struct keys_ctx *c, const struct secret *key, struct keys_xaes **out) {
    ASSERT(key->n == KEYS_BYTES);
    for (unsigned i = 0; i < ARRAY_LEN(c->xaes); i++) {
        *out = &c->xaes[i];
        if (!(*out)->loaded || !ct_equal((*out)->key.p, key->p, KEYS_BYTES)) continue;
        c->xaes_next = (i + 1) % ARRAY_LEN(c->xaes);
        return ERR_OK;
    }
    struct keys_xaes *x = *out = &c->xaes[c->xaes_next];
    c->xaes_next = (c->xaes_next + 1) % ARRAY_LEN(c->xaes);
    uint8_t l[AES_BLOCK_BYTES] = {0}, *k1 = x->key.p + KEYS_BYTES;
    x->loaded = false;
    if (EVP_EncryptInit_ex(x->ecb, NULL, NULL, key->p, NULL) != 1 || !aes_block(x->ecb, l, l, 1)) return ERR_CRYPTO;
    /* Doubling in GF(2^128), the mask instead of a branch on a secret bit. */
    uint8_t mask = (uint8_t)(0u - (unsigned)(l[0] >> 7));
    for (size_t i = 0; i < AES_BLOCK_BYTES; i++) {
        k1[i] = (uint8_t)((l[i] << 1) | (i + 1 < AES_BLOCK_BYTES ? l[i + 1] >> 7 : 0));
    }
    k1[AES_BLOCK_BYTES - 1] ^= mask & 0x87;
    memcpy(x->key.p, key->p, KEYS_BYTES);
    x->loaded = true;
    wipe(l, sizeof l);
    return ERR_OK;
}

/* The key of one message: CMAC counter-mode KDF over the first 12 bytes of its nonce. */
static enum err message_key(struct keys_ctx *c, const struct secret *key, const uint8_t nonce[KEYS_NONCE_BYTES],
                            uint8_t out[KEYS_BYTES]) {
    uint8_t m[2 * AES_BLOCK_BYTES] = {[1] = 1, [2] = 'X', [17] = 2, [18] = 'X'};
    struct keys_xaes *x;
    TRY(load_key(c, key, &x));
    const uint8_t *k1 = x->key.p + KEYS_BYTES;
    memcpy(m + 4, nonce, 12);
    memcpy(m + 20, nonce, 12);
    for (size_t i = 0; i < AES_BLOCK_BYTES; i++) {
        m[i] ^= k1[i];
        m[AES_BLOCK_BYTES + i] ^= k1[i];
    }
    bool ok = aes_block(x->ecb, m, out, 2);
    wipe(m, sizeof m); /* K1 can be read from it */
    return ok ? ERR_OK : ERR_CRYPTO;
}

enum err keys_seal_with(struct keys_ctx *c, const uint8_t nonce[KEYS_NONCE_BYTES], const struct secret *key,
                        struct slice aad, struct slice plain, struct buf *out) {
    uint8_t message[KEYS_BYTES];
    if (plain.n > KEYS_SEAL_BYTES_MAX || aad.n > KEYS_AAD_BYTES_MAX) return ERR_LIMIT;
    uint8_t *to = buf_room(out, plain.n + KEYS_SEAL_EXTRA_BYTES);
    if (to == NULL) return ERR_LIMIT;
    enum err e = message_key(c, key, nonce, message);
    if (e == ERR_OK) e = keys_gcm_seal(c, message, nonce + 12, aad, plain, to + KEYS_NONCE_BYTES);
    wipe(message, sizeof message);
    TRY(e);
    memcpy(to, nonce, KEYS_NONCE_BYTES);
    out->n += plain.n + KEYS_SEAL_EXTRA_BYTES;
    return ERR_OK;
}

enum err keys_seal(struct keys_ctx *c, const struct rng *rng, const struct secret *key, struct slice aad,
                   struct slice plain, struct buf *out) {
    uint8_t nonce[KEYS_NONCE_BYTES];
    rng_fill(rng, nonce, sizeof nonce);
    return keys_seal_with(c, nonce, key, aad, plain, out);
}

/* Opens into memory of sealed.n - KEYS_SEAL_EXTRA_BYTES bytes; the size was checked by the caller. */
static enum err open_into(struct keys_ctx *c, const struct secret *key, struct slice aad, struct slice sealed,
                          uint8_t *to) {
    uint8_t message[KEYS_BYTES];
    enum err e = message_key(c, key, sealed.p, message);
    struct slice rest = slice_of(sealed.p + KEYS_NONCE_BYTES, sealed.n - KEYS_NONCE_BYTES);
    if (e == ERR_OK) e = keys_gcm_open(c, message, sealed.p + 12, aad, rest, to);
    wipe(message, sizeof message);
    return e;
}

enum err keys_open(struct keys_ctx *c, const struct secret *key, struct slice aad, struct slice sealed,
                   struct buf *out) {
    if (sealed.n < KEYS_SEAL_EXTRA_BYTES) return ERR_CORRUPT;
    size_t n = sealed.n - KEYS_SEAL_EXTRA_BYTES;
    if (n > KEYS_SEAL_BYTES_MAX || aad.n > KEYS_AAD_BYTES_MAX) return ERR_LIMIT;
    uint8_t *to = buf_room(out, n);
    if (to == NULL && n > 0) return ERR_LIMIT;
    TRY(open_into(c, key, aad, sealed, to));
    out->n += n;
    return ERR_OK;
}

enum err keys_open_secret(struct keys_ctx *c, const struct secret *key, struct slice aad, struct slice sealed,
                          struct secret *out) {
    *out = SECRET_INIT;
    if (sealed.n <= KEYS_SEAL_EXTRA_BYTES) return ERR_CORRUPT;
    if (aad.n > KEYS_AAD_BYTES_MAX) return ERR_LIMIT;
    AUTO(secret) struct secret s = SECRET_INIT;
    TRY(secret_new(&s, sealed.n - KEYS_SEAL_EXTRA_BYTES));
    TRY(open_into(c, key, aad, sealed, s.p));
    *out = secret_take(&s);
    return ERR_OK;
}

/* at a place in a log ------------------------------------------------------------------------------------------------------ */

static void at_nonce(uint32_t boot, uint64_t index, uint8_t nonce[GCM_NONCE_BYTES]) {
    put_be32(nonce, boot);
    put_be64(nonce + 4, index);
}

enum err keys_seal_at(struct keys_ctx *c, const struct secret *key, uint32_t boot, uint64_t index, struct slice aad,
                      struct slice plain, struct buf *out) {
    uint8_t nonce[GCM_NONCE_BYTES];
    ASSERT(key->n == KEYS_BYTES);
    if (plain.n > KEYS_SEAL_BYTES_MAX || aad.n > KEYS_AAD_BYTES_MAX) return ERR_LIMIT;
    uint8_t *to = buf_room(out, plain.n + KEYS_AT_EXTRA_BYTES);
    if (to == NULL) return ERR_LIMIT;
    at_nonce(boot, index, nonce);
    TRY(keys_gcm_seal(c, key->p, nonce, aad, plain, to + 4));
    put_be32(to, boot);
    out->n += plain.n + KEYS_AT_EXTRA_BYTES;
    return ERR_OK;
}

enum err keys_open_at(struct keys_ctx *c, const struct secret *key, uint64_t index, struct slice aad,
                      struct slice sealed, struct buf *out) {
    uint8_t nonce[GCM_NONCE_BYTES];
    ASSERT(key->n == KEYS_BYTES);
    if (sealed.n < KEYS_AT_EXTRA_BYTES) return ERR_CORRUPT;
    size_t n = sealed.n - KEYS_AT_EXTRA_BYTES;
    if (n > KEYS_SEAL_BYTES_MAX || aad.n > KEYS_AAD_BYTES_MAX) return ERR_LIMIT;
    uint8_t *to = buf_room(out, n);
    if (to == NULL && n > 0) return ERR_LIMIT;
    at_nonce(get_be32(sealed.p), index, nonce);
    TRY(keys_gcm_open(c, key->p, nonce, aad, slice_of(sealed.p + 4, sealed.n - 4), to));
    out->n += n;
    return ERR_OK;
}

enum err keys_next_boot(uint32_t last, uint64_t wall_ms, uint32_t *next) {
    uint64_t n = MAX((uint64_t)last + 1, wall_ms / 1000);
    *next = 0;
    if (n > UINT32_MAX) return ERR_RANGE;
    *next = (uint32_t)n;
    return ERR_OK;
}
