/* SPDX-License-Identifier: Apache-2.0
 * keys: secret memory, randomness, key hierarchy, sealing and wrapping, cached HMAC states.
 * Role: the gate's keys; the keeper and the front use secret memory and randomness only.
 * Trusts: the root provider; OpenSSL. Distrusts: every stored byte it opens.
 * Law: 2, 6. Spec: docs/spec/keys.md; C2SP XAES-256-GCM; NIST SP 800-38D; RFC 2104.
 *
 *   root key (provider) --derive--> epoch key --wrap--> tenant key --wrap--> bucket key --seal--> facts, meta
 *                                                         \--seal--> keybox
 *                                                         \--derive--> the keys of keys_label.def
 *   sealed      = nonce[24] ciphertext tag[16]                             XAES-256-GCM, random nonce
 *   wrapped key = u8 1 | u32 generation | nonce[24] | ciphertext[32] | tag[16]
 *   sealed at   = u32 boot | ciphertext | tag[16]                          AES-256-GCM, nonce = u32 boot | u64 index
 *
 * Caveats first
 *   keys_seal_at() is safe only while no (key, boot, index) is used twice: see keys_next_boot() and keys.md. Openings and
 *     commands of one log share indexes, so they need the two different labels.
 *   OpenSSL's own contexts (key schedules, HMAC states) are wiped when freed, but lie in ordinary memory. The process must
 *     be not dumpable, without core files and, where the limit allows it, mlockall'd.
 *   Locking memory can fail (RLIMIT_MEMLOCK). Then secrets still work and secret_status() says so: doctor shows it.
 * Threads: secret_* any; keys_rng() is per thread; a keys_ctx and what is made with it belong to one thread at a time.
 * Errors: CORRUPT (does not open: changed, or another key or associated data), VERSION, LIMIT, NOMEM, CRYPTO.
 */
#ifndef TILLIT_KEYS_H
#define TILLIT_KEYS_H

#include "base/base.h"
#include "base/limits.h"

#define KEYS_BYTES 32
#define KEYS_NONCE_BYTES 24
#define KEYS_TAG_BYTES 16
#define KEYS_SEAL_EXTRA_BYTES (KEYS_NONCE_BYTES + KEYS_TAG_BYTES)
#define KEYS_AT_EXTRA_BYTES (4 + KEYS_TAG_BYTES)
#define KEYS_WRAPPED_BYTES (1 + 4 + KEYS_NONCE_BYTES + KEYS_BYTES + KEYS_TAG_BYTES)

/* secret memory ------------------------------------------------------------------------------------------------------ */

/* Bytes in locked pages that are left out of dumps and not inherited by a fork; wiped when done. Up to
 * SECRET_SLOT_BYTES they share pages (thousands of keys in few pages); more gets pages of its own. A child process
 * starts without any: touching its parent's secrets is a fault, never a read of zeros. */
struct secret {
    uint8_t *p;
    size_t n;
};
#define SECRET_INIT ((struct secret){0})
MUST_USE enum err secret_new(struct secret *s, size_t n);      /* zeroed; 1..SECRET_BYTES_MAX: LIMIT; NOMEM */
MUST_USE enum err secret_copy(struct secret *s, struct slice bytes);
void secret_done(struct secret *s);                            /* AUTO(secret); accepts an empty one */
struct secret secret_take(struct secret *s);                   /* gives away: *s is empty afterwards */
static inline struct slice secret_slice(const struct secret *s) { return (struct slice){s->p, s->n}; }

struct secret_status {
    size_t mapped_bytes, locked_bytes;   /* locked < mapped: the lock limit was met */
    size_t live_count;
};
struct secret_status secret_status(void);

/* randomness --------------------------------------------------------------------------------------------------------- */

/* This thread's source: a locked page filled by RAND_bytes; bytes are wiped as they are handed out, the page is dropped
 * on fork. Aborts when the system gives no randomness. Valid in any thread. */
const struct rng *keys_rng(void);

/* contexts ----------------------------------------------------------------------------------------------------------- */

struct keys_ctx;
/* Fetched algorithms and reused contexts of one thread; NULL when OpenSSL lacks one or memory is short. */
struct keys_ctx *keys_ctx_new(void);
void keys_ctx_free(struct keys_ctx *c);

/* HMAC-SHA256 -------------------------------------------------------------------------------------------------------- */

struct evp_md_ctx_st;
/* A key's inner and outer state, kept: 0.3 us a message. Heap inside OpenSSL; init/done in pairs. */
struct keys_hmac {
    struct evp_md_ctx_st *inner, *outer;
};
MUST_USE enum err keys_hmac_init(struct keys_ctx *c, struct keys_hmac *h, struct slice key);
void keys_hmac_done(struct keys_hmac *h);
/* Over the parts in a row. */
MUST_USE enum err keys_hmac(struct keys_ctx *c, const struct keys_hmac *h, const struct slice *parts, size_t parts_count,
                            uint8_t out[HASH_BYTES]);
/* For a key used once. */
MUST_USE enum err keys_hmac_once(struct keys_ctx *c, struct slice key, const struct slice *parts, size_t parts_count,
                                 uint8_t out[HASH_BYTES]);

enum keys_label {
#define LABEL(name, text, context_bytes, from, what) KEYS_LABEL_##name,
#include "keys_label.def"
#undef LABEL
    KEYS_LABEL__COUNT
};
/* HMAC-SHA256(key, label | context). key has KEYS_BYTES and context the label's length (asserted). */
MUST_USE enum err keys_derive(struct keys_ctx *c, const struct secret *key, enum keys_label label, struct slice context,
                              struct secret *out);

/* sealing and wrapping: XAES-256-GCM ----------------------------------------------------------------------------------- */

/* Appends nonce | ciphertext | tag to out. The last key's state is kept, so many seals under one key in a row are cheap.
 * LIMIT past KEYS_SEAL_BYTES_MAX or KEYS_AAD_BYTES_MAX, or when out is full. */
MUST_USE enum err keys_seal(struct keys_ctx *c, const struct rng *rng, const struct secret *key, struct slice aad,
                            struct slice plain, struct buf *out);
/* Appends the plaintext to out; on error out is as before. */
MUST_USE enum err keys_open(struct keys_ctx *c, const struct secret *key, struct slice aad, struct slice sealed,
                            struct buf *out);
/* The same into secret memory (keyboxes). CORRUPT when it does not open or is empty. */
MUST_USE enum err keys_open_secret(struct keys_ctx *c, const struct secret *key, struct slice aad, struct slice sealed,
                                   struct secret *out);
/* With the nonce given: for vectors and tests. */
MUST_USE enum err keys_seal_with(struct keys_ctx *c, const uint8_t nonce[KEYS_NONCE_BYTES], const struct secret *key,
                                 struct slice aad, struct slice plain, struct buf *out);

enum keys_wrap_kind { KEYS_WRAP_TENANT = 1, KEYS_WRAP_BUCKET = 2 };
/* Associated data of a wrap: what the key is, whose, and the generation of the key it is wrapped under (the epoch, for
 * what lies under an epoch key; else 0). Tenant: tenant id. Bucket: tenant id and bucket id. */
struct keys_wrap_id {
    enum keys_wrap_kind kind;
    uint32_t generation;
    uint8_t tenant[ID_BYTES];
    uint8_t bucket[ID_BYTES];
};
/* Makes a fresh random key. */
MUST_USE enum err keys_new(const struct rng *rng, struct secret *out);
/* Appends KEYS_WRAPPED_BYTES to out; key has KEYS_BYTES (asserted). */
MUST_USE enum err keys_wrap(struct keys_ctx *c, const struct rng *rng, const struct secret *under,
                            const struct keys_wrap_id *id, const struct secret *key, struct buf *out);
/* id->generation must be the one in the bytes: keys_wrapped_generation() reads it. */
MUST_USE enum err keys_unwrap(struct keys_ctx *c, const struct secret *under, const struct keys_wrap_id *id,
                              struct slice wrapped, struct secret *out);
MUST_USE enum err keys_wrapped_generation(struct slice wrapped, uint32_t *generation);   /* TRUNCATED, TRAILING, VERSION */

/* sealing at a place in a log: AES-256-GCM, nonce = boot | index --------------------------------------------------------- */

/* Appends u32 boot | ciphertext | tag. key is from keys_derive(OPENING or COMMAND, log id). */
MUST_USE enum err keys_seal_at(struct keys_ctx *c, const struct secret *key, uint32_t boot, uint64_t index,
                               struct slice aad, struct slice plain, struct buf *out);
MUST_USE enum err keys_open_at(struct keys_ctx *c, const struct secret *key, uint64_t index, struct slice aad,
                               struct slice sealed, struct buf *out);
/* The boot number of a start: above the last one, and not below the wall clock in seconds, so that a gate directory put
 * back from a backup does not use numbers again. To be made durable before the first keys_seal_at(). RANGE at the end
 * of the numbers (year 2106). */
MUST_USE enum err keys_next_boot(uint32_t last, uint64_t wall_ms, uint32_t *next);

/* root providers ----------------------------------------------------------------------------------------------------------- */

/* What gives epoch keys. The file provider derives them from a root key; a token would unwrap them. */
struct keys_provider {
    const char *kind;                                            /* "file" */
    enum err (*epoch_key)(struct keys_provider *p, struct keys_ctx *c, uint32_t epoch, struct secret *out);
    /* 16 bytes that name the root without telling it: stored beside what it wraps, to know a wrong root at once. */
    enum err (*check)(struct keys_provider *p, struct keys_ctx *c, uint8_t out[ID_BYTES]);
    void (*close)(struct keys_provider *p);
};
/* Makes a new root key file: text "tillit-root-v1:" and base64 of 32 bytes and a newline; mode 0600; file and directory
 * are synced. EXISTS, MISSING (no such directory), FULL, IO. */
MUST_USE enum err keys_root_create(const char *path, const struct rng *rng);
/* MISSING; CONFIG: not a regular file of ours, or others may read it (mode & 077); INPUT: not the text form. */
MUST_USE enum err keys_root_open(const char *path, struct keys_provider **out);
void keys_provider_close(struct keys_provider *p);               /* accepts NULL */
/* Parses the text form, one final newline optional. */
MUST_USE enum err keys_root_parse(struct slice text, struct secret *out);

#endif
