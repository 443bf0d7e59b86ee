/* SPDX-License-Identifier: Apache-2.0
 * Geometry of a blob, and sealing and opening of one frame.
 * Role: arithmetic and cipher under frame_seal.c and frame_open.c.
 * Trusts: the keys given. Distrusts: stored bytes.
 * Law: 2. Spec: docs/spec/frame.md; NIST SP 800-38D (GCM); RFC 2104 (HMAC); Hoang, Reyhanitabar, Rogaway, Vizár
 * 2015 (STREAM: counter and last flag in the nonce).
 */
#include "frame/frame_internal.h"

#include <openssl/evp.h>

static_assert(SEGMENT_PLAIN_BYTES == SEGMENT_FRAMES * FRAME_PLAIN_BYTES, "a segment is whole frames");
static_assert(FRAME_BLOB_BYTES_MAX / SEGMENT_PLAIN_BYTES < UINT32_MAX, "a segment number fits u32");

#define SHA256_BLOCK_BYTES 64

/* sizes and offsets ----------------------------------------------------------------------------------------------- */

uint64_t frame_count(uint64_t plain_bytes) {
    ASSERT(plain_bytes <= FRAME_BLOB_BYTES_MAX);
    return plain_bytes == 0 ? 1 : (plain_bytes - 1) / FRAME_PLAIN_BYTES + 1;
}

uint32_t frame_segment_count(uint64_t plain_bytes) {
    return (uint32_t)((frame_count(plain_bytes) - 1) / SEGMENT_FRAMES + 1);
}

uint64_t frame_cipher_size(uint64_t plain_bytes) {
    return plain_bytes + frame_count(plain_bytes) * FRAME_TAG_BYTES;
}

enum err frame_plain_size(uint64_t cipher_bytes, uint64_t *plain_bytes) {
    *plain_bytes = 0;
    if (cipher_bytes < FRAME_TAG_BYTES) return ERR_CORRUPT;
    if (cipher_bytes > frame_cipher_size(FRAME_BLOB_BYTES_MAX)) return ERR_CORRUPT;
    uint64_t frames = (cipher_bytes - 1) / FRAME_CIPHER_BYTES + 1;
    uint64_t rest = cipher_bytes - (frames - 1) * FRAME_CIPHER_BYTES;
    /* Only the frame of an empty blob may be empty. */
    if (rest < FRAME_TAG_BYTES || (rest == FRAME_TAG_BYTES && frames > 1)) return ERR_CORRUPT;
    *plain_bytes = cipher_bytes - frames * FRAME_TAG_BYTES;
    ASSERT(frame_cipher_size(*plain_bytes) == cipher_bytes);
    return ERR_OK;
}

enum err frame_range(uint64_t plain_bytes, uint64_t offset, uint64_t bytes, struct frame_range *out) {
    *out = (struct frame_range){0};
    ASSERT(plain_bytes <= FRAME_BLOB_BYTES_MAX);
    if (offset > plain_bytes || bytes > plain_bytes - offset) return ERR_RANGE;
    uint64_t count = frame_count(plain_bytes);
    uint64_t first = MIN(offset / FRAME_PLAIN_BYTES, count - 1);
    uint64_t last = bytes == 0 ? first : (offset + bytes - 1) / FRAME_PLAIN_BYTES;
    ASSERT(first <= last && last < count);
    out->frame_first = first;
    out->frame_last = last;
    out->segment_first = (uint32_t)(first / SEGMENT_FRAMES);
    out->segment_last = (uint32_t)(last / SEGMENT_FRAMES);
    out->cipher_offset = first * FRAME_CIPHER_BYTES;
    uint64_t end = last == count - 1 ? frame_cipher_size(plain_bytes) : (last + 1) * FRAME_CIPHER_BYTES;
    out->cipher_bytes = end - out->cipher_offset;
    out->skip_bytes = (uint32_t)(offset - first * FRAME_PLAIN_BYTES);
    out->plain_bytes = bytes;
    return ERR_OK;
}

uint32_t frame_plain_at(uint64_t plain_bytes, uint64_t frame) {
    uint64_t before = frame * FRAME_PLAIN_BYTES;
    ASSERT(frame < frame_count(plain_bytes));
    return (uint32_t)MIN(plain_bytes - before, (uint64_t)FRAME_PLAIN_BYTES);
}

/* contexts --------------------------------------------------------------------------------------------------------- */

enum err frame_ctx_init(struct frame_ctx *c) {
    *c = (struct frame_ctx){0};
    /* Fetched once and kept by the contexts: a fetch for each use costs more than a small frame (about 0.3 us). */
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    c->cipher = EVP_CIPHER_CTX_new();
    c->md = EVP_MD_CTX_new();
    bool ok = cipher != NULL && md != NULL && c->cipher != NULL && c->md != NULL &&
              EVP_CipherInit_ex(c->cipher, cipher, NULL, NULL, NULL, 1) == 1 &&
              EVP_DigestInit_ex(c->md, md, NULL) == 1;
    EVP_CIPHER_free(cipher);
    EVP_MD_free(md);
    if (!ok) {
        frame_ctx_done(c);
        return ERR_CRYPTO;
    }
    return ERR_OK;
}

void frame_ctx_done(struct frame_ctx *c) {
    EVP_CIPHER_CTX_free(c->cipher);
    EVP_MD_CTX_free(c->md);
    *c = (struct frame_ctx){0};
}

/* HMAC-SHA256 by hand over a reused context (RFC 2104): EVP_MAC costs three times as much for a message this short. */
static bool hmac_pass(EVP_MD_CTX *md, const uint8_t key[FRAME_KEY_BYTES], uint8_t pad, const void *data, size_t n,
                      uint8_t out[HASH_BYTES]) {
    uint8_t block[SHA256_BLOCK_BYTES];
    memset(block, pad, sizeof block);
    for (size_t i = 0; i < FRAME_KEY_BYTES; i++) block[i] ^= key[i];
    bool ok = EVP_DigestInit_ex(md, NULL, NULL) == 1 && EVP_DigestUpdate(md, block, sizeof block) == 1 &&
              EVP_DigestUpdate(md, data, n) == 1 && EVP_DigestFinal_ex(md, out, NULL) == 1;
    wipe(block, sizeof block);
    return ok;
}

enum err frame_segment_key(struct frame_ctx *c, const uint8_t blob_key[FRAME_KEY_BYTES], uint32_t segment,
                           uint8_t out[FRAME_KEY_BYTES]) {
    static const char label[] = "tillit segment";
    uint8_t text[sizeof label - 1 + 4], inner[HASH_BYTES];
    memcpy(text, label, sizeof label - 1);
    put_be32(text + sizeof label - 1, segment);
    bool ok = hmac_pass(c->md, blob_key, 0x36, text, sizeof text, inner) &&
              hmac_pass(c->md, blob_key, 0x5c, inner, sizeof inner, out);
    wipe(inner, sizeof inner);
    if (!ok) wipe(out, FRAME_KEY_BYTES);
    return ok ? ERR_OK : ERR_CRYPTO;
}

/* one frame --------------------------------------------------------------------------------------------------------- */

enum err frame_start(struct frame_ctx *c, const uint8_t segment_key[FRAME_KEY_BYTES], const struct frame_id *id,
                     uint32_t segment, uint32_t number, bool last, bool seal) {
    ASSERT(number < SEGMENT_FRAMES);
    uint8_t nonce[12] = {0}, aad[2 * ID_BYTES + 4];
    put_be32(nonce + 7, number);
    nonce[11] = last ? 1 : 0;
    memcpy(aad, id->tenant, ID_BYTES);
    memcpy(aad + ID_BYTES, id->blob, ID_BYTES);
    put_be32(aad + 2 * ID_BYTES, segment);
    int n = 0;
    if (EVP_CipherInit_ex(c->cipher, NULL, NULL, segment_key, nonce, seal ? 1 : 0) != 1) return ERR_CRYPTO;
    if (EVP_CipherUpdate(c->cipher, NULL, &n, aad, (int)sizeof aad) != 1) return ERR_CRYPTO;
    return ERR_OK;
}

enum err frame_cipher(struct frame_ctx *c, const uint8_t *in, size_t n, uint8_t *out) {
    ASSERT(n <= FRAME_PLAIN_BYTES);
    if (n == 0) return ERR_OK;
    int done = 0;
    if (EVP_CipherUpdate(c->cipher, out, &done, in, (int)n) != 1 || (size_t)done != n) return ERR_CRYPTO;
    return ERR_OK;
}

enum err frame_seal_end(struct frame_ctx *c, uint8_t tag[FRAME_TAG_BYTES]) {
    uint8_t none[16];
    int n = 0;
    if (EVP_CipherFinal_ex(c->cipher, none, &n) != 1 || n != 0) return ERR_CRYPTO;
    if (EVP_CIPHER_CTX_ctrl(c->cipher, EVP_CTRL_AEAD_GET_TAG, FRAME_TAG_BYTES, tag) != 1) return ERR_CRYPTO;
    return ERR_OK;
}

enum err frame_seal_one(struct frame_ctx *c, const uint8_t segment_key[FRAME_KEY_BYTES], const struct frame_id *id,
                        uint32_t segment, uint32_t number, bool last, struct slice in, uint8_t *out) {
    ASSERT(in.n <= FRAME_PLAIN_BYTES);
    ASSERT(last || in.n == FRAME_PLAIN_BYTES);
    TRY(frame_start(c, segment_key, id, segment, number, last, true));
    TRY(frame_cipher(c, in.p, in.n, out));
    return frame_seal_end(c, out + in.n);
}

enum err frame_open_one(struct frame_ctx *c, const uint8_t segment_key[FRAME_KEY_BYTES], const struct frame_id *id,
                        uint32_t segment, uint32_t number, bool last, struct slice in, uint8_t *out) {
    if (in.n < FRAME_TAG_BYTES || in.n > FRAME_CIPHER_BYTES) return ERR_CORRUPT;
    size_t plain = in.n - FRAME_TAG_BYTES;
    uint8_t tag[FRAME_TAG_BYTES], none[16];
    int n = 0;
    memcpy(tag, in.p + plain, sizeof tag);
    TRY(frame_start(c, segment_key, id, segment, number, last, false));
    enum err e = frame_cipher(c, in.p, plain, out);
    if (e == ERR_OK && EVP_CIPHER_CTX_ctrl(c->cipher, EVP_CTRL_AEAD_SET_TAG, FRAME_TAG_BYTES, tag) != 1) e = ERR_CRYPTO;
    if (e == ERR_OK && EVP_CipherFinal_ex(c->cipher, none, &n) != 1) e = ERR_CORRUPT;
    /* What GCM has already written is unauthentic: nobody gets to see it. */
    if (e != ERR_OK && plain > 0) wipe(out, plain);
    return e;
}
