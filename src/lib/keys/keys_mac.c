/* SPDX-License-Identifier: Apache-2.0
 * Contexts of a thread; HMAC-SHA256 with kept states; derivations by label.
 * Role: commitments, request signatures, derived keys. Trusts: OpenSSL. Distrusts: nothing else comes in.
 * Law: 2. Spec: docs/spec/keys.md sections 2 and 3; RFC 2104.
 */
#include "keys/keys_internal.h"

#define SHA256_BLOCK_BYTES 64

/* contexts --------------------------------------------------------------------------------------------------------- */

struct keys_ctx *keys_ctx_new(void) {
    struct keys_ctx *c = OPENSSL_zalloc(sizeof *c);
    if (c == NULL) return NULL;
    c->magic = KEYS_CTX_MAGIC;
    /* Fetched once: an implicit fetch at each use costs more than the work itself. */
    EVP_CIPHER *gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    EVP_CIPHER *ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    c->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    c->md = EVP_MD_CTX_new();
    c->gcm = EVP_CIPHER_CTX_new();
    bool ok = gcm != NULL && ecb != NULL && c->sha256 != NULL && c->md != NULL && c->gcm != NULL &&
              EVP_CipherInit_ex(c->gcm, gcm, NULL, NULL, NULL, 1) == 1 && EVP_DigestInit_ex(c->md, c->sha256, NULL) == 1;
    for (size_t i = 0; ok && i < ARRAY_LEN(c->xaes); i++) {
        c->xaes[i].ecb = EVP_CIPHER_CTX_new();
        ok = c->xaes[i].ecb != NULL && EVP_EncryptInit_ex(c->xaes[i].ecb, ecb, NULL, NULL, NULL) == 1 &&
             EVP_CIPHER_CTX_set_padding(c->xaes[i].ecb, 0) == 1 && secret_new(&c->xaes[i].key, KEYS_BYTES + AES_BLOCK_BYTES) == ERR_OK;
    }
    EVP_CIPHER_free(gcm);
    EVP_CIPHER_free(ecb);
    if (!ok) {
        keys_ctx_free(c);
        return NULL;
    }
    return c;
}

void keys_ctx_free(struct keys_ctx *c) {
    if (c == NULL) return;
    ASSERT(c->magic == KEYS_CTX_MAGIC);
    EVP_CIPHER_CTX_free(c->gcm);
    for (size_t i = 0; i < ARRAY_LEN(c->xaes); i++) {
        EVP_CIPHER_CTX_free(c->xaes[i].ecb);
        secret_done(&c->xaes[i].key);
    }
    EVP_MD_CTX_free(c->md);
    EVP_MD_free(c->sha256);
    OPENSSL_clear_free(c, sizeof *c);
}

/* HMAC --------------------------------------------------------------------------------------------------------------- */

/* The state after one block of key ^ pad. block is the key, padded with zeros. */
static bool pad_state(struct keys_ctx *c, EVP_MD_CTX *md, const uint8_t block[SHA256_BLOCK_BYTES], uint8_t pad) {
    uint8_t padded[SHA256_BLOCK_BYTES];
    for (size_t i = 0; i < sizeof padded; i++) padded[i] = block[i] ^ pad;
    bool ok = EVP_DigestInit_ex(md, c->sha256, NULL) == 1 && EVP_DigestUpdate(md, padded, sizeof padded) == 1;
    wipe(padded, sizeof padded);
    return ok;
}

static bool key_block(struct keys_ctx *c, struct slice key, uint8_t block[SHA256_BLOCK_BYTES]) {
    memset(block, 0, SHA256_BLOCK_BYTES);
    if (key.n <= SHA256_BLOCK_BYTES) {
        if (key.n > 0) memcpy(block, key.p, key.n);
        return true;
    }
    return EVP_DigestInit_ex(c->md, c->sha256, NULL) == 1 && EVP_DigestUpdate(c->md, key.p, key.n) == 1 &&
           EVP_DigestFinal_ex(c->md, block, NULL) == 1;
}

static bool update(EVP_MD_CTX *md, const struct slice *parts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (parts[i].n > 0 && EVP_DigestUpdate(md, parts[i].p, parts[i].n) != 1) return false;
    }
    return true;
}

enum err keys_hmac_init(struct keys_ctx *c, struct keys_hmac *h, struct slice key) {
    ASSERT(c->magic == KEYS_CTX_MAGIC);
    uint8_t block[SHA256_BLOCK_BYTES];
    h->inner = EVP_MD_CTX_new();
    h->outer = EVP_MD_CTX_new();
    bool ok = h->inner != NULL && h->outer != NULL && key_block(c, key, block) && pad_state(c, h->inner, block, 0x36) &&
              pad_state(c, h->outer, block, 0x5c);
    wipe(block, sizeof block);
    if (!ok) keys_hmac_done(h);
    return ok ? ERR_OK : ERR_CRYPTO;
}

void keys_hmac_done(struct keys_hmac *h) {
    EVP_MD_CTX_free(h->inner);
    EVP_MD_CTX_free(h->outer);
    *h = (struct keys_hmac){0};
}

enum err keys_hmac(struct keys_ctx *c, const struct keys_hmac *h, const struct slice *parts, size_t parts_count,
                   uint8_t out[HASH_BYTES]) {
    ASSERT(h->inner != NULL && h->outer != NULL);
    uint8_t inner[HASH_BYTES];
    bool ok = EVP_MD_CTX_copy_ex(c->md, h->inner) == 1 && update(c->md, parts, parts_count) &&
              EVP_DigestFinal_ex(c->md, inner, NULL) == 1 && EVP_MD_CTX_copy_ex(c->md, h->outer) == 1 &&
              EVP_DigestUpdate(c->md, inner, sizeof inner) == 1 && EVP_DigestFinal_ex(c->md, out, NULL) == 1;
    wipe(inner, sizeof inner);
    return ok ? ERR_OK : ERR_CRYPTO;
}

enum err keys_hmac_once(struct keys_ctx *c, struct slice key, const struct slice *parts, size_t parts_count,
                        uint8_t out[HASH_BYTES]) {
    ASSERT(c->magic == KEYS_CTX_MAGIC);
    uint8_t block[SHA256_BLOCK_BYTES], inner[HASH_BYTES];
    bool ok = key_block(c, key, block) && pad_state(c, c->md, block, 0x36) && update(c->md, parts, parts_count) &&
              EVP_DigestFinal_ex(c->md, inner, NULL) == 1 && pad_state(c, c->md, block, 0x5c) &&
              EVP_DigestUpdate(c->md, inner, sizeof inner) == 1 && EVP_DigestFinal_ex(c->md, out, NULL) == 1;
    wipe(block, sizeof block);
    wipe(inner, sizeof inner);
    return ok ? ERR_OK : ERR_CRYPTO;
}

/* derivations --------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    size_t context_bytes;
} labels[KEYS_LABEL__COUNT] = {
#define LABEL(name, text, context_bytes, from, what) {text, context_bytes},
#include "keys_label.def"
#undef LABEL
};

enum err keys_derive(struct keys_ctx *c, const struct secret *key, enum keys_label label, struct slice context,
                     struct secret *out) {
    ASSERT(key->n == KEYS_BYTES);
    ASSERT((unsigned)label < KEYS_LABEL__COUNT && context.n == labels[label].context_bytes);
    struct slice parts[2] = {slice_str(labels[label].text), context};
    AUTO(secret) struct secret made = SECRET_INIT;
    TRY(secret_new(&made, KEYS_BYTES));
    TRY(keys_hmac_once(c, secret_slice(key), parts, ARRAY_LEN(parts), made.p));
    *out = secret_take(&made);
    return ERR_OK;
}
