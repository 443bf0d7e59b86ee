/* SPDX-License-Identifier: Apache-2.0
 * frame: a blob's bytes at rest: sealed frames in segments that each have a key of their own.
 * Role: the front seals what it stages and opens what it reads; tillit-verify and export open what they fetched.
 * Trusts: the blob key or segment keys it is given. Distrusts: every stored byte.
 * Law: 2 (nothing is read without a key from the gate). Spec: docs/spec/frame.md.
 *
 *   blob       = segment*                        segment i has 64 frames but for the last one, which has 1 to 64
 *   frame      = ciphertext[1..65536] tag[16]    the frame of an empty blob has a ciphertext of no bytes
 *   cipher     AES-256-GCM, tag 16 bytes
 *   key        HMAC-SHA256(blob key, "tillit segment" | u32 segment)
 *   nonce      zero[7] | u32 frame number within the segment | u8 last (1: last frame of the blob, else 0)
 *   AAD        tenant id[16] | blob id[16] | u32 segment
 *
 * Caveats first
 *   A blob id and its key seal one sequence of bytes, ever: sealing other bytes under both repeats nonces. The gate
 *     gives each ticket a fresh blob id and key, and a ticket is spent by its first stage.
 *   A sealer must be told the size before the first byte, because the last frame has another nonce. S3 says it, but for the file in a
 *     form: its bound is told first and its size before the last frame (frame_sealer_settle).
 *   An opener gives out no plaintext of a frame before that frame's tag has been checked.
 *   The size an opener is given comes from sealed facts. With a wrong size the last frame fails: a blob cut at a frame
 *     border, or one that goes on, is ERR_CORRUPT.
 * Ownership: the structs hold key bytes and OpenSSL contexts; *_done wipes and frees both. Slices are loans for the call.
 * Threads: none inside; a struct belongs to one thread at a time. No clock, file, environment or randomness; memory
 *   only inside OpenSSL's contexts, made by *_init and reused.
 * Errors: CORRUPT (a tag does not verify, or bytes are missing), RANGE (a size, offset or count past what is there),
 *   MISSING (no key for this segment), CRYPTO (the crypto library failed).
 */
#ifndef TILLIT_FRAME_H
#define TILLIT_FRAME_H

#include "base/base.h"
#include "base/limits.h"

#define FRAME_CIPHER_BYTES (FRAME_PLAIN_BYTES + FRAME_TAG_BYTES)
#define FRAME_KEY_BYTES 32

/* sizes and offsets ----------------------------------------------------------------------------------------------- */

/* All take a plain size of at most FRAME_BLOB_BYTES_MAX (asserted: sizes are checked where they are parsed). */
uint64_t frame_count(uint64_t plain_bytes);             /* frames of the blob, at least 1 */
uint32_t frame_segment_count(uint64_t plain_bytes);     /* segments of the blob, at least 1 */
uint64_t frame_cipher_size(uint64_t plain_bytes);       /* stored bytes of the blob */
/* The plain size of a blob with so many stored bytes; ERR_CORRUPT when no blob has that many. */
MUST_USE enum err frame_plain_size(uint64_t cipher_bytes, uint64_t *plain_bytes);

struct frame_range {
    uint64_t frame_first, frame_last;     /* counted over the whole blob */
    uint32_t segment_first, segment_last; /* keys are needed from first to last, both included */
    uint64_t cipher_offset;               /* where the first frame begins in the stored bytes */
    uint64_t cipher_bytes;                /* stored bytes from there to the end of the last frame */
    uint32_t skip_bytes;                  /* plaintext of the first frame that is not asked for */
    uint64_t plain_bytes;                 /* plaintext asked for */
};
/* What must be read and opened for `bytes` from `offset`. No bytes (bytes 0, or an empty blob) still names one frame:
 * even an empty answer is opened and checked. ERR_RANGE when the range does not lie within the blob. */
MUST_USE enum err frame_range(uint64_t plain_bytes, uint64_t offset, uint64_t bytes, struct frame_range *out);

/* one frame ------------------------------------------------------------------------------------------------------- */

struct evp_cipher_ctx_st;
struct evp_md_ctx_st;

/* Reused OpenSSL contexts: one per thread is enough for seal_one, open_one and segment keys. */
struct frame_ctx {
    struct evp_cipher_ctx_st *cipher;
    struct evp_md_ctx_st *md;
};
MUST_USE enum err frame_ctx_init(struct frame_ctx *c);  /* CRYPTO */
void frame_ctx_done(struct frame_ctx *c);               /* accepts one that is zero */

struct frame_id {
    uint8_t tenant[ID_BYTES];
    uint8_t blob[ID_BYTES];
};

MUST_USE enum err frame_segment_key(struct frame_ctx *c, const uint8_t blob_key[FRAME_KEY_BYTES], uint32_t segment,
                                    uint8_t out[FRAME_KEY_BYTES]);

/* Seals exactly one frame: in has at most FRAME_PLAIN_BYTES (fewer only when last), out room for in.n +
 * FRAME_TAG_BYTES. number < SEGMENT_FRAMES. out may be in.p. */
MUST_USE enum err frame_seal_one(struct frame_ctx *c, const uint8_t segment_key[FRAME_KEY_BYTES],
                                 const struct frame_id *id, uint32_t segment, uint32_t number, bool last,
                                 struct slice in, uint8_t *out);
/* Opens exactly one frame; out has room for in.n - FRAME_TAG_BYTES and may be in.p. On ERR_CORRUPT out is wiped. */
MUST_USE enum err frame_open_one(struct frame_ctx *c, const uint8_t segment_key[FRAME_KEY_BYTES],
                                 const struct frame_id *id, uint32_t segment, uint32_t number, bool last,
                                 struct slice in, uint8_t *out);

/* sealing a stream -------------------------------------------------------------------------------------------------- */

struct frame_sealer {
    uint32_t magic;
    struct frame_ctx ctx;
    struct frame_id id;
    uint8_t blob_key[FRAME_KEY_BYTES];
    uint64_t plain_bytes;        /* of the whole blob, as announced */
    uint64_t taken_bytes;        /* plaintext sealed so far */
    uint64_t frame;              /* the frame being sealed, counted over the blob */
    uint32_t frame_left_bytes;   /* plaintext this frame still wants */
    bool frame_begun;
    bool finished;               /* all frames are out, but for what lies in tag */
    uint8_t tag[FRAME_TAG_BYTES];
    uint32_t tag_left_bytes;     /* tag bytes not yet given out */
};
MUST_USE enum err frame_sealer_init(struct frame_sealer *s);   /* once; then a blob per begin */
void frame_sealer_done(struct frame_sealer *s);
/* RANGE when plain_bytes is past FRAME_BLOB_BYTES_MAX. */
MUST_USE enum err frame_sealer_begin(struct frame_sealer *s, const struct frame_id *id,
                                     const uint8_t blob_key[FRAME_KEY_BYTES], uint64_t plain_bytes);
/* The size announced was a bound; this is the size. Only between two frames, before the last one begins: whoever does not know the size
 * keeps back what may be the last frame. RANGE: within a frame, less than was taken, or more than was announced. */
MUST_USE enum err frame_sealer_settle(struct frame_sealer *s, uint64_t plain_bytes);
/* Takes plaintext from *in (advancing it) and writes stored bytes to out, at most out_max; *out_n says how many. The
 * caller's slices and output pieces may be cut anywhere; nothing is copied twice. Returns when in is empty or out is
 * full. RANGE when more plaintext comes than was announced: the blob must be dropped. Call with an empty `in` to fetch
 * the rest of a tag, and once at least for an empty blob. in and out must not overlap. */
MUST_USE enum err frame_sealer_step(struct frame_sealer *s, struct slice *in, uint8_t *out, size_t out_max,
                                    size_t *out_n);
/* ERR_OK when all announced plaintext was taken and all stored bytes were given out; otherwise TRUNCATED. */
MUST_USE enum err frame_sealer_finish(const struct frame_sealer *s);

/* opening a range ----------------------------------------------------------------------------------------------------- */

struct frame_opener {
    uint32_t magic;
    struct frame_ctx ctx;
    struct frame_id id;
    struct frame_range range;
    uint64_t plain_bytes;        /* of the whole blob */
    uint64_t frame;              /* the next frame, counted over the blob */
    uint64_t given_bytes;        /* plaintext of the range given out */
    bool has_blob_key;
    uint8_t blob_key[FRAME_KEY_BYTES];
    const uint8_t (*keys)[FRAME_KEY_BYTES];   /* loan: segment keys from keys_first on */
    uint32_t keys_first, keys_count;
    uint8_t segment_key[FRAME_KEY_BYTES];     /* of key_segment, when has_segment_key */
    uint32_t key_segment;
    bool has_segment_key;
};
MUST_USE enum err frame_opener_init(struct frame_opener *o);
void frame_opener_done(struct frame_opener *o);
/* Then one of the two below gives keys. RANGE as frame_range. */
MUST_USE enum err frame_opener_begin(struct frame_opener *o, const struct frame_id *id, uint64_t plain_bytes,
                                     uint64_t offset, uint64_t bytes);
void frame_opener_blob_key(struct frame_opener *o, const uint8_t blob_key[FRAME_KEY_BYTES]);
/* Segment keys from `first` on; a loan until the next call or done. May be called again as more keys are released. */
void frame_opener_keys(struct frame_opener *o, uint32_t first, const uint8_t (*keys)[FRAME_KEY_BYTES],
                       uint32_t count);
/* Stored bytes of the next frame of the range; 0 when all are opened. */
uint32_t frame_opener_next(const struct frame_opener *o);
/* Opens the next frame. in must have exactly frame_opener_next() bytes (fewer or more: CORRUPT, as from a short read);
 * out has room for in.n - FRAME_TAG_BYTES and may be in.p. *plain is the part of out that was asked for, perhaps of no
 * bytes. After an error the opener stays on that frame; the answer must be cut off. */
MUST_USE enum err frame_opener_open(struct frame_opener *o, struct slice in, uint8_t *out, struct slice *plain);
/* ERR_OK when every frame of the range was opened; CORRUPT when the stream ended before. */
MUST_USE enum err frame_opener_finish(const struct frame_opener *o);

#endif
