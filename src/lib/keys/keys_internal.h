/* SPDX-License-Identifier: Apache-2.0
 * What the files of keys share, and no other room includes.
 * Role: reused contexts. Trusts: its callers in this room. Law: 2. Spec: docs/spec/keys.md.
 */
#ifndef TILLIT_KEYS_INTERNAL_H
#define TILLIT_KEYS_INTERNAL_H

#include <assert.h>

#include "keys/keys.h"

#include <openssl/evp.h>

#define KEYS_CTX_MAGIC 0x544b4331u /* "TKC1" */
#define AES_BLOCK_BYTES 16
#define GCM_NONCE_BYTES 12

struct keys_ctx {
    uint32_t magic;
    EVP_MD *sha256;
    EVP_MD_CTX *md;
    EVP_CIPHER_CTX *gcm;
    /* The last two XAES keys: an entry is opened under its bucket's key and its tenant's, by turns. */
    struct keys_xaes {
        EVP_CIPHER_CTX *ecb; /* holds the key schedule of `key` while loaded */
        struct secret key;   /* KEYS_BYTES of the key, then its K1 */
        bool loaded;
    } xaes[2];
    unsigned xaes_next;      /* the one that is given up for the next new key */
};

/* One AES-256-GCM seal into out (plain.n + KEYS_TAG_BYTES) or open into out (sealed.n - KEYS_TAG_BYTES, wiped on error). */
MUST_USE enum err keys_gcm_seal(struct keys_ctx *c, const uint8_t key[KEYS_BYTES], const uint8_t nonce[GCM_NONCE_BYTES],
                                struct slice aad, struct slice plain, uint8_t *out);
MUST_USE enum err keys_gcm_open(struct keys_ctx *c, const uint8_t key[KEYS_BYTES], const uint8_t nonce[GCM_NONCE_BYTES],
                                struct slice aad, struct slice sealed, uint8_t *out);

#endif
