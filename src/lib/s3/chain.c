/* SPDX-License-Identifier: Apache-2.0
 * The chain of signatures over the chunks of an upload, checked link by link from the chunks' digests.
 * Role: the gate, which has the key; the data itself stays with the front, as with a signed SHA-256.
 * Trusts: the request's own signature, which was verified before. Distrusts: every digest and signature that follows it.
 * Law: 3. Spec: AWS "Signature calculations for the Authorization header: transferring payload in multiple chunks", and
 *         "... including trailing headers".
 */
#include "s3/s3.h"

#define WORD_CHARS_MAX 24
#define TEXT_BYTES_MAX (WORD_CHARS_MAX + 1 + 16 + 1 + S3_CREDENTIAL_CHARS_MAX + 3 * (1 + 2 * HASH_BYTES))

/* SHA-256 of nothing: what an empty chunk carries, and a constant line of every chunk's string to sign. */
static const uint8_t of_nothing[HASH_BYTES] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

void s3_chain_init(struct s3_chain *c, const uint8_t seed[HASH_BYTES], uint64_t length, bool trailer)
{
    *c = (struct s3_chain){.left = MIN(length / S3_CHUNK_BYTES_MIN + 2, (uint64_t)S3_CHUNKS_MAX), .trailer = trailer};
    memcpy(c->previous, seed, HASH_BYTES);
}

/* The link after c->previous: is it the one that was sent? Then it is the previous one. */
static enum s3_error link_check(struct s3_chain *c, struct s3_signing_key *k, const struct s3_auth *a, const char *word, bool nothing,
                                const uint8_t digest[HASH_BYTES], const uint8_t signature[HASH_BYTES])
{
    AUTO(buf) struct buf text = BUF_INIT(TEXT_BYTES_MAX);
    uint8_t want[HASH_BYTES];
    buf_put_str(&text, word);
    buf_put_u8(&text, '\n');
    buf_put(&text, a->amz_date, 16);
    buf_put_u8(&text, '\n');
    buf_put_slice(&text, a->scope);
    buf_put_u8(&text, '\n');
    buf_put_hex(&text, slice_of(c->previous, HASH_BYTES));
    buf_put_u8(&text, '\n');
    if (nothing) {
        buf_put_hex(&text, slice_of(of_nothing, HASH_BYTES));
        buf_put_u8(&text, '\n');
    }
    buf_put_hex(&text, slice_of(digest, HASH_BYTES));
    if (!buf_ok(&text) || s3_hmac(k, buf_slice(&text), want) != ERR_OK) {
        c->broken = true;
        return S3E_InternalError;
    }
    bool same = ct_equal(want, signature, HASH_BYTES);
    if (same) memcpy(c->previous, want, HASH_BYTES);
    else c->broken = true;
    wipe(want, sizeof want);                       /* the right answer to a wrong guess stays here */
    return same ? S3E_NONE : S3E_SignatureDoesNotMatch;
}

static enum s3_error refuse(struct s3_chain *c)
{
    c->broken = true;
    return S3E_SignatureDoesNotMatch;
}

enum s3_error s3_chain_chunk(struct s3_chain *c, struct s3_signing_key *k, const struct s3_auth *a, const uint8_t digest[HASH_BYTES],
                             const uint8_t signature[HASH_BYTES])
{
    ASSERT(a->kind != S3_AUTH_NONE);
    if (c->broken || c->ended || c->left == 0) return refuse(c);
    c->left--;
    enum s3_error e = link_check(c, k, a, "AWS4-HMAC-SHA256-PAYLOAD", true, digest, signature);
    if (e == S3E_NONE) c->ended = memcmp(digest, of_nothing, HASH_BYTES) == 0;
    return e;
}

enum s3_error s3_chain_trailer(struct s3_chain *c, struct s3_signing_key *k, const struct s3_auth *a, const uint8_t digest[HASH_BYTES],
                               const uint8_t signature[HASH_BYTES])
{
    ASSERT(a->kind != S3_AUTH_NONE);
    if (c->broken || !c->ended || !c->trailer || c->trailer_seen) return refuse(c);
    enum s3_error e = link_check(c, k, a, "AWS4-HMAC-SHA256-TRAILER", false, digest, signature);
    c->trailer_seen = e == S3E_NONE;
    return e;
}

bool s3_chain_whole(const struct s3_chain *c) { return !c->broken && c->ended && c->trailer == c->trailer_seen; }
