/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 over leaves and nodes with one fetched digest and one reused context; Ed25519 verification.
 * Role: the only place of the room, next to note.c's signing, that calls OpenSSL.
 * Trusts: OpenSSL. Distrusts: the lengths of keys and signatures it is given.
 * Spec: RFC 6962 section 2.1; RFC 8032.
 */
#include "ledger/ledger.h"

#include <openssl/evp.h>

enum err ledger_hash_init(struct ledger_hash *h)
{
    h->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    h->ctx = EVP_MD_CTX_new();
    /* The first init sets the context's digest; later ones pass NULL, which is the fast way. */
    if (h->md == NULL || h->ctx == NULL || EVP_DigestInit_ex(h->ctx, h->md, NULL) != 1) {
        ledger_hash_done(h);
        return ERR_CRYPTO;
    }
    return ERR_OK;
}

void ledger_hash_done(struct ledger_hash *h)
{
    EVP_MD_CTX_free(h->ctx);
    EVP_MD_free(h->md);
    *h = (struct ledger_hash){0};
}

/* Why a panic and not an error: SHA-256 on a context that was set up cannot fail but by memory corruption, and a log
 * with a wrong hash in it is worse than a process that stopped. */
static void sha256_parts(struct ledger_hash *h, struct slice head, struct slice body, uint8_t out[HASH_BYTES])
{
    ASSERT(h->ctx != NULL);
    bool ok = EVP_DigestInit_ex(h->ctx, NULL, NULL) == 1 && EVP_DigestUpdate(h->ctx, head.p, head.n) == 1 &&
              EVP_DigestUpdate(h->ctx, body.p, body.n) == 1 && EVP_DigestFinal_ex(h->ctx, out, NULL) == 1;
    ASSERT(ok);
}

void ledger_sha256(struct ledger_hash *h, struct slice data, uint8_t out[HASH_BYTES])
{
    sha256_parts(h, SLICE_LIT(""), data, out);
}

void ledger_leaf_hash(struct ledger_hash *h, struct slice leaf, uint8_t out[HASH_BYTES])
{
    sha256_parts(h, SLICE_LIT("\x00"), leaf, out);
}

void ledger_node_hash(struct ledger_hash *h, const uint8_t left[HASH_BYTES], const uint8_t right[HASH_BYTES],
                      uint8_t out[HASH_BYTES])
{
    uint8_t block[1 + 2 * HASH_BYTES];
    block[0] = 1;
    memcpy(block + 1, left, HASH_BYTES);
    memcpy(block + 1 + HASH_BYTES, right, HASH_BYTES);
    sha256_parts(h, SLICE_LIT(""), slice_of(block, sizeof block), out);
}

void ledger_empty_root(struct ledger_hash *h, uint8_t out[HASH_BYTES])
{
    ledger_sha256(h, SLICE_LIT(""), out);
}

enum err ledger_ed25519_verify(const uint8_t public_key[ED25519_KEY_BYTES], struct slice message, struct slice signature)
{
    if (signature.n != ED25519_SIG_BYTES) return ERR_VERIFY;
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_KEY_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = key != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, signature.p, signature.n, message.n ? message.p : (const uint8_t *)"", message.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok ? ERR_OK : ERR_VERIFY;
}
