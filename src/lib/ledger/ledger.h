/* SPDX-License-Identifier: Apache-2.0
 * ledger: the RFC 6962 tree, its tiles, proofs, signed notes, checkpoints and cosignatures. It knows no leaf content.
 *
 * Role: gate (append, root, sign), front (tile paths), steward and tillit-verify (rebuild, prove, verify).
 * Trusts: nothing but its arguments. Distrusts: every text and every hash that it is given to parse or verify.
 * Law: 1 and 7 rest on it: what is on the log can be checked by tools that others wrote.
 * Spec: docs/spec/log.md; RFC 6962 section 2.1, RFC 9162 section 2.1; C2SP signed-note, tlog-checkpoint, tlog-tiles,
 *       tlog-cosignature (Ed25519), tlog-proof.
 *
 * The tree. Leaf hash = SHA-256(0x00 || leaf), node hash = SHA-256(0x01 || left || right), empty root = SHA-256("").
 * A *frontier* is what is needed to append: the roots of the full subtrees that the size's binary digits name. On disk a
 * log is one flat file of 32-byte hashes per level: the file of level L holds, in order, the root of every full subtree
 * of 256^L leaves (level 0: the leaf hashes). A C2SP tile is a byte range of such a file (ledger_tile_range).
 *
 * Purity: no clock, file, random, environment. Memory only through struct buf and inside OpenSSL.
 * Threads: a struct ledger_hash or ledger_signer belongs to one thread at a time; everything else is plain data.
 * Errors: what a text lacks is ERR_INPUT, a bound ERR_LIMIT, a number ERR_RANGE, a hash or signature that does not fit
 * ERR_VERIFY. A failing SHA-256 is not an error but a panic: the process must not go on without its hash function.
 */
#ifndef TILLIT_LEDGER_H
#define TILLIT_LEDGER_H

#include "base/base.h"
#include "base/limits.h"

/* hashing ---------------------------------------------------------------------------------------------------------- */

struct evp_md_st;
struct evp_md_ctx_st;
struct evp_pkey_st;

/* A fetched SHA-256 and one reusable context: fetching per call costs more than hashing (a leaf: 455 against 151 ns). */
struct ledger_hash {
    struct evp_md_st *md;
    struct evp_md_ctx_st *ctx;
};
/* ERR_CRYPTO when the library has no SHA-256. Pair: ledger_hash_done, which accepts a zeroed struct. */
MUST_USE enum err ledger_hash_init(struct ledger_hash *h);
void ledger_hash_done(struct ledger_hash *h);

void ledger_sha256(struct ledger_hash *h, struct slice data, uint8_t out[HASH_BYTES]);
void ledger_leaf_hash(struct ledger_hash *h, struct slice leaf, uint8_t out[HASH_BYTES]);
/* out may be left or right. */
void ledger_node_hash(struct ledger_hash *h, const uint8_t left[HASH_BYTES], const uint8_t right[HASH_BYTES],
                      uint8_t out[HASH_BYTES]);
void ledger_empty_root(struct ledger_hash *h, uint8_t out[HASH_BYTES]);

/* frontier --------------------------------------------------------------------------------------------------------- */

struct ledger_frontier {
    uint64_t size;                                    /* leaves; at most LEDGER_SIZE_MAX */
    uint8_t hash[TREE_LEVELS_MAX][HASH_BYTES];        /* [k]: root of the full 2^k subtree; meaningful when bit k of size is set */
};
void ledger_frontier_init(struct ledger_frontier *f);

/* Appends one leaf hash: amortised one node hash. level_hashes[i] and the number of them in *level_count are the level
 * i + 1 hashes (roots of 256, 256^2, ... leaves) which this leaf completed, to be appended to those levels' files; the
 * leaf hash itself goes to the file of level 0. Mostly *level_count is 0. Both may be NULL. Asserts size < LEDGER_SIZE_MAX. */
void ledger_frontier_append(struct ledger_hash *h, struct ledger_frontier *f, const uint8_t leaf_hash[HASH_BYTES],
                            uint8_t level_hashes[LEDGER_TILE_LEVELS_MAX][HASH_BYTES], unsigned *level_count);
void ledger_frontier_root(struct ledger_hash *h, const struct ledger_frontier *f, uint8_t out[HASH_BYTES]);

/* Persisted form: size (u64), then the hashes of the set bits, highest bit first. Same size and hashes, same bytes.
 * from_hashes takes exactly popcount(size) hashes: ERR_INPUT for another count, ERR_RANGE for a size past the maximum. */
void ledger_frontier_put(const struct ledger_frontier *f, struct buf *out);
MUST_USE enum err ledger_frontier_get(struct reader *r, struct ledger_frontier *f);
MUST_USE enum err ledger_frontier_from_hashes(uint64_t size, struct slice hashes, struct ledger_frontier *f);

/* reading the level files ------------------------------------------------------------------------------------------ */

/* Gives `count` (1..256) consecutive hashes of a level's file, from hash number `index` on, into out (32 * count bytes).
 * It never asks for a hash that a log of the named size does not have; what it returns is passed on as it is. */
struct ledger_reader {
    enum err (*read)(void *ctx, unsigned level, uint64_t index, unsigned count, uint8_t *out);
    void *ctx;
};
/* Hashes that a log of this size has in the file of `level`. */
static inline uint64_t ledger_level_count(uint64_t size, unsigned level) { return level < 8 ? size >> (8 * level) : 0; }

/* The frontier of the first `size` leaves: at most 255 hashes read per level. Errors: ERR_RANGE, the reader's. */
MUST_USE enum err ledger_frontier_rebuild(struct ledger_hash *h, const struct ledger_reader *r, uint64_t size,
                                          struct ledger_frontier *f);
/* The root of the first `size` leaves. */
MUST_USE enum err ledger_root_at(struct ledger_hash *h, const struct ledger_reader *r, uint64_t size, uint8_t out[HASH_BYTES]);

/* proofs ----------------------------------------------------------------------------------------------------------- */

struct ledger_proof {
    unsigned count;
    uint8_t hash[TREE_LEVELS_MAX][HASH_BYTES];        /* leaf's sibling first */
};
/* ERR_RANGE unless index < size (inclusion), 0 < old_size <= size (consistency; equal gives an empty proof). The proof is
 * what the files say: it proves nothing until it is verified against a root known otherwise. */
MUST_USE enum err ledger_inclusion_make(struct ledger_hash *h, const struct ledger_reader *r, uint64_t index, uint64_t size,
                                        struct ledger_proof *out);
MUST_USE enum err ledger_consistency_make(struct ledger_hash *h, const struct ledger_reader *r, uint64_t old_size,
                                          uint64_t size, struct ledger_proof *out);

/* RFC 9162 2.1.3.2 and 2.1.4.2. ERR_VERIFY for anything but the one right proof: one hash too few, too many, swapped.
 * ERR_RANGE for index >= size, old_size 0 (an empty tree is consistent with anything: asking is a mistake) or
 * old_size > size. Equal sizes need equal roots and an empty proof. */
MUST_USE enum err ledger_inclusion_verify(struct ledger_hash *h, uint64_t index, uint64_t size,
                                          const uint8_t leaf_hash[HASH_BYTES], const struct ledger_proof *proof,
                                          const uint8_t root[HASH_BYTES]);
MUST_USE enum err ledger_consistency_verify(struct ledger_hash *h, uint64_t old_size, uint64_t size,
                                            const uint8_t old_root[HASH_BYTES], const uint8_t root[HASH_BYTES],
                                            const struct ledger_proof *proof);

/* tiles (C2SP tlog-tiles) ------------------------------------------------------------------------------------------ */

struct ledger_tile {
    bool entries;                                     /* tile/entries/<N>, and level is 0; else tile/<L>/<N> */
    unsigned level;                                   /* 0..LEDGER_TILE_LEVEL_MAX */
    unsigned width;                                   /* 1..TILE_LEAVES; TILE_LEAVES: a full tile, without .p/<W> */
    uint64_t index;                                   /* number of the tile in its level */
};
/* "tile/0/x001/234.p/5": no leading slash, no leading zeros, no superfluous x000, W 1..255. Anything else ERR_INPUT. */
MUST_USE enum err ledger_tile_parse(struct slice path, struct ledger_tile *out);
void ledger_tile_format(const struct ledger_tile *t, struct buf *out);
/* Does a log of this size have all hashes (entries) of the tile? A narrower part of a wider tile counts. */
bool ledger_tile_exists(const struct ledger_tile *t, uint64_t size);
/* Where a hash tile lies in the file of its level, in bytes. Asserts !entries. ERR_RANGE past 2^63. */
MUST_USE enum err ledger_tile_range(const struct ledger_tile *t, uint64_t *offset, uint64_t *bytes);

/* Entry bundles: u16 length, bytes, up to 256 times. put makes out bad when the entry is longer than 65535. */
void ledger_bundle_put(struct buf *out, struct slice entry);
/* Splits a bundle of exactly `count` entries; out[] are loans into bundle. ERR_TRUNCATED, ERR_TRAILING; count > 256 is
 * ERR_RANGE. */
MUST_USE enum err ledger_bundle_split(struct slice bundle, unsigned count, struct slice out[TILE_LEAVES]);

/* Ed25519 ---------------------------------------------------------------------------------------------------------- */

/* Strict as OpenSSL is: S below the group order, 64 bytes exactly. ERR_VERIFY. */
MUST_USE enum err ledger_ed25519_verify(const uint8_t public_key[ED25519_KEY_BYTES], struct slice message, struct slice signature);

/* signed notes (C2SP signed-note) ---------------------------------------------------------------------------------- */

enum ledger_alg {
    LEDGER_ALG_ED25519 = 0x01,                        /* signature over the note text */
    LEDGER_ALG_COSIGNATURE = 0x04,                    /* cosignature/v1: over "cosignature/v1\ntime T\n" and the text */
};
struct ledger_vkey {
    char name[LEDGER_NAME_BYTES_MAX + 1];
    uint32_t key_id;                                  /* first 4 bytes of SHA-256(name || 0x0A || alg || public key) */
    enum ledger_alg alg;
    uint8_t public_key[ED25519_KEY_BYTES];
};
/* A name is 1..LEDGER_NAME_BYTES_MAX bytes of UTF-8 without spaces (Unicode's too), control characters and '+'. */
bool ledger_name_ok(struct slice name);
/* Fills in the key id. ERR_INPUT for a bad name. */
MUST_USE enum err ledger_vkey_make(struct ledger_hash *h, struct slice name, enum ledger_alg alg,
                                   const uint8_t public_key[ED25519_KEY_BYTES], struct ledger_vkey *out);
/* "name+hex8+base64(alg || key)". A key id that is not the right one is ERR_VERIFY, an algorithm not known here ERR_VERSION. */
MUST_USE enum err ledger_vkey_parse(struct ledger_hash *h, struct slice text, struct ledger_vkey *out);
void ledger_vkey_format(const struct ledger_vkey *k, struct buf *out);

/* A private key inside OpenSSL's own (wiped) memory. Pair: ledger_signer_done; accepts a zeroed struct. */
struct ledger_signer {
    struct ledger_vkey vkey;
    struct evp_pkey_st *pkey;
};
MUST_USE enum err ledger_signer_init(struct ledger_signer *s, struct ledger_hash *h, struct slice name, enum ledger_alg alg,
                                     const uint8_t seed[ED25519_SEED_BYTES]);
void ledger_signer_done(struct ledger_signer *s);

struct ledger_note_sig {
    struct slice name;                                /* loans into the note */
    struct slice base64;
    uint32_t key_id;
};
struct ledger_note {
    struct slice text;                                /* with its last newline */
    unsigned sig_count;                               /* 1..LEDGER_NOTE_SIGS_MAX */
    struct ledger_note_sig sig[LEDGER_NOTE_SIGS_MAX];
};
/* Structure only: signatures by unknown keys are kept and harmless, malformed lines refuse the whole note. */
MUST_USE enum err ledger_note_parse(struct slice note, struct ledger_note *out);
/* Is there a signature by this key, and does it verify? ERR_MISSING: none by it. ERR_VERIFY: there is one and it is wrong
 * (other signatures do not heal that). *time_s gets a cosignature's time, else 0; may be NULL. */
MUST_USE enum err ledger_note_verify(const struct ledger_note *n, const struct ledger_vkey *key, uint64_t *time_s);
/* Appends the line "— name base64\n" that signs text. time_s is used by cosignatures only. The caller writes the text and
 * one empty line before the first. ERR_INPUT when text is no note text, ERR_CRYPTO. */
MUST_USE enum err ledger_note_sign(const struct ledger_signer *s, struct slice text, uint64_t time_s, struct buf *out);

/* checkpoints (C2SP tlog-checkpoint) ------------------------------------------------------------------------------- */

struct ledger_checkpoint {
    struct slice origin;
    uint64_t size;
    uint8_t root[HASH_BYTES];
    struct slice extension;                           /* further lines, with their newlines; we write none */
};
MUST_USE enum err ledger_checkpoint_parse(struct slice text, struct ledger_checkpoint *out);     /* note text, not the note */
/* Makes out bad when origin is no name. */
void ledger_checkpoint_format(const struct ledger_checkpoint *c, struct buf *out);
/* Text, empty line and the log's own signature, the log's name as origin. */
MUST_USE enum err ledger_checkpoint_sign(const struct ledger_signer *log, uint64_t size, const uint8_t root[HASH_BYTES],
                                         struct buf *out);
/* Parses a signed checkpoint, verifies the log's signature and that origin is the key's name. note may be NULL; it gets
 * the parsed note, for cosignatures. Loans into text. */
MUST_USE enum err ledger_checkpoint_open(struct slice text, const struct ledger_vkey *log, struct ledger_checkpoint *out,
                                         struct ledger_note *note);

/* tlog-proof (c2sp.org/tlog-proof@v1) ------------------------------------------------------------------------------ */

struct ledger_tlog_proof {
    bool has_extra;
    struct slice extra_base64;                        /* well-formed base64; not authenticated: never decide by it */
    uint64_t index;
    struct ledger_proof proof;
    struct slice checkpoint;                          /* the signed note, verbatim */
};
void ledger_tlog_proof_format(const struct ledger_tlog_proof *p, struct buf *out);
MUST_USE enum err ledger_tlog_proof_parse(struct slice text, struct ledger_tlog_proof *out);
/* All of it: the checkpoint's signature by `log`, and that leaf_hash stands at index. *size may be NULL. */
MUST_USE enum err ledger_tlog_proof_verify(struct ledger_hash *h, const struct ledger_tlog_proof *p,
                                           const struct ledger_vkey *log, const uint8_t leaf_hash[HASH_BYTES], uint64_t *size);

#endif
