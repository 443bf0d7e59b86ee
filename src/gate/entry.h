/* SPDX-License-Identifier: Apache-2.0
 * entry: seals and opens what the gate writes about an object version, and encodes commands (docs/spec/entry.md).
 *
 * Facts, meta and keybox are sealed apart, each with associated data of part, tenant, bucket, leaf index and key: none opens in
 * another place. Blob keys come only into locked memory. Errors: CORRUPT for whatever does not open or does not fit together,
 * VERSION for newer formats. Threads: the loop's (keys_ctx).
 */
#ifndef TILLIT_GATE_ENTRY_H
#define TILLIT_GATE_ENTRY_H

#include "base/base.h"
#include "base/limits.h"
#include "keys/keys.h"
#include "ledger/ledger.h"

struct entry_row {
    uint8_t blob[ID_BYTES];
    uint64_t cipher_size;
    uint64_t plain_size;                           /* from facts */
};
struct entry_facts {
    uint64_t size, mtime_ms;
    char etag[ENTRY_ETAG_CHARS_MAX + 1];
    size_t etag_n;
    uint8_t sum;                                   /* enum s3_sum */
    uint8_t sum_type;                              /* enum s3_sum_type */
    uint8_t sum_value[64];
    size_t sum_n;
    uint8_t etag_kind;
    uint8_t tags;                                  /* their number */
    uint16_t parts;                                /* 0: not from a multipart upload */
    char account[ACCOUNT_CHARS + 1];               /* the writer's; empty: everyone */
};
enum { ENTRY_MARKER = 1, ENTRY_NULL = 2, ENTRY_SET = 4, ENTRY_PART = 8, ENTRY_UPLOAD = 16 };
struct entry {
    uint8_t flags;                                 /* ENTRY_*, as in the clear part */
    uint64_t index;                                /* leaf that made the version */
    uint64_t order;
    uint64_t revision;                             /* leaf that changed it last; index when none did */
    size_t row_count;
    struct entry_row row[ENTRY_BLOB_ROWS_MAX];
    uint8_t set[ID_BYTES];                         /* with ENTRY_SET */
    uint16_t parts;                                /* with ENTRY_SET: rows of the set */
    struct slice facts_sealed, meta_sealed, keybox_sealed;   /* loans into the entry's bytes */
    struct entry_facts facts;                      /* after entry_open_facts() */
    uint8_t category, legal_hold;
    uint64_t retain_until_ms;
    struct secret keys;                            /* row_count x 32 bytes, or the set key; after entry_open_all() */
    bool scanned;                                  /* from entry_of_scan(): rows and set are not known */
};
/* Whose entry it is: the associated data. key: of a part or an upload the name of entry.md section 1 (entry_part_name). */
struct entry_place {
    const uint8_t *tenant, *bucket;
    struct slice key;
};
/* key | 00 | upload [| u16 number]; part 0: the upload's. */
void entry_part_name(struct buf *out, struct slice key, const uint8_t upload[ID_BYTES], uint16_t part);

/* Part 1. Leaves `keys` alone: init the struct to zero once, entry_done() wipes. */
MUST_USE enum err entry_parse(struct slice bytes, struct entry *out);
/* The head of an entry as a scan told it: flags, index, order, revision and sealed facts. Then entry_open_facts(), which does not know the
 * rows' sizes then. */
struct wire_scan_row;
void entry_of_scan(const struct wire_scan_row *row, struct entry *out);
/* Opens e->facts_sealed into e->facts, and the rows' plain sizes when entry_parse() told how many there are. */
MUST_USE enum err entry_open_facts(struct keys_ctx *c, const struct secret *bucket_key, const struct entry_place *p, struct entry *e);
/* The headers list of the wire. */
MUST_USE enum err entry_open_meta(struct keys_ctx *c, const struct secret *bucket_key, const struct entry_place *p, const struct entry *e,
                                  struct buf *out);
/* Opens facts, meta (into meta) and keybox, and checks that the keybox names exactly these facts and meta. */
MUST_USE enum err entry_open_all(struct keys_ctx *c, struct ledger_hash *h, const struct secret *bucket_key, const struct secret *tenant_key,
                                 const struct entry_place *p, struct entry *e, struct buf *meta);
void entry_done(struct entry *e);

/* Appends the whole entry of e (flags, index, order, revision, rows or set, facts, keys) with meta. */
MUST_USE enum err entry_seal(struct keys_ctx *c, struct ledger_hash *h, const struct rng *rng, const struct secret *bucket_key,
                             const struct secret *tenant_key, const struct entry_place *p, const struct entry *e, struct slice meta,
                             struct buf *out);
/* SHA-256(facts plaintext || meta plaintext), as the leaf's `new` names it before the index is known. */
void entry_hash(struct ledger_hash *h, const struct entry *e, struct slice meta, uint8_t out[HASH_BYTES]);
/* One header of meta (a headers list); p NULL: absent. The object's tags are "x-amz-tagging". */
struct slice entry_meta_header(struct slice meta, const char *name);
/* meta again with that header set to value, or without it (value.n 0), the others as they were. */
void entry_meta_set(struct slice meta, const char *name, struct slice value, struct buf *out);

/* version ids: 26 base32 characters, or "null" of a null version */
void entry_version_text(const struct entry *e, struct buf *out);
/* False: no version id. *null: it is "null", index and order are not set. */
MUST_USE bool entry_version_parse(struct slice text, bool *null, uint64_t *index, uint64_t *order);
/* upload id of the CreateMultipartUpload leaf index and 8 random bytes */
void entry_upload_id(uint64_t index, const uint8_t random[8], uint8_t out[ID_BYTES]);

/* part rows of a set ----------------------------------------------------------------------------------------------------- */

struct entry_part {
    uint16_t number;                               /* 1 to PARTS_MAX, consecutive */
    uint64_t plain_size;
    uint8_t blob[ID_BYTES];
    const uint8_t *key;                            /* 32 bytes; opened: into the secret given */
    uint8_t sum;
    uint8_t sum_value[64];
    size_t sum_n;
};
MUST_USE enum err entry_part_seal(struct keys_ctx *c, const struct rng *rng, const struct secret *set_key, const uint8_t tenant[ID_BYTES],
                                  const uint8_t set[ID_BYTES], uint64_t off, const struct entry_part *part, struct buf *out);
/* key: 32 bytes of locked memory of the caller's. CORRUPT: another set, place or key. */
MUST_USE enum err entry_part_open(struct keys_ctx *c, const struct secret *set_key, const uint8_t tenant[ID_BYTES], const uint8_t set[ID_BYTES],
                                  uint64_t off, struct slice sealed, struct entry_part *out, uint8_t *key);

/* commands: command.c -------------------------------------------------------------------------------------------------- */

enum command_kind {
    COMMAND_PUT = 1, COMMAND_DELETE = 2, COMMAND_UNDELETE = 3, COMMAND_BATCH = 4, COMMAND_PURGE = 5, COMMAND_DELVER = 6, COMMAND_UPLOAD = 7,
    COMMAND_PART = 8, COMMAND_COMPLETE = 9, COMMAND_ABORT = 10, COMMAND_REWRITE = 11
};
#define COMMAND_GUARD_ABSENT UINT64_MAX

/* What becomes of what is there (entry.md, "turn"). request_turn() makes it from the bucket's versioning and what FIND saw. */
struct command_turn {
    uint64_t guard;                                /* leaf index of the current entry, or ABSENT */
    bool keep;                                     /* it becomes noncurrent; false: it goes to the grave */
    uint64_t null_index;                           /* noncurrent null version that goes to the grave too, or ABSENT */
    uint64_t grave_ms;
};
/* Each appends; in the order of entry.md's table. */
void command_begin(struct buf *out, enum command_kind kind, uint64_t at_ms);
void command_item(struct buf *out, enum command_kind kind);                 /* of a BATCH, before its fields */
void command_place(struct buf *out, const uint8_t bucket[ID_BYTES], struct slice key);
void command_turn(struct buf *out, const struct command_turn *t);
void command_staged(struct buf *out);                                       /* source 0 */
void command_shared(struct buf *out, const uint8_t bucket[ID_BYTES], struct slice key, uint64_t leaf_index);   /* source 1 */
void command_id(struct buf *out, const uint8_t id[ID_BYTES]);
void command_u16(struct buf *out, uint16_t v);
void command_u64(struct buf *out, uint64_t v);
void command_entry(struct buf *out, struct slice entry);
void command_part_row(struct buf *out, uint16_t number, uint64_t guard, uint64_t off, uint64_t plain_size, struct slice sealed);   /* of COMPLETE */
void command_batch_count(struct buf *out, size_t count);
void command_purge(struct buf *out, uint64_t before_ms, size_t bucket_count);
void command_purge_bucket(struct buf *out, const uint8_t bucket[ID_BYTES], bool gone);

#endif
