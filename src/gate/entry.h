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
    uint8_t sum_value[32];
    size_t sum_n;
    uint8_t etag_kind;
};
struct entry {
    bool delete_marker;
    uint64_t index;                                /* leaf */
    uint8_t order[8];
    size_t row_count;
    struct entry_row row[ENTRY_BLOB_ROWS_MAX];
    struct slice facts_sealed, meta_sealed, keybox_sealed;   /* loans into the entry's bytes */
    struct entry_facts facts;                      /* after entry_open_facts() */
    uint8_t category, legal_hold;
    uint64_t retain_until_ms;
    struct secret keys;                            /* row_count x 32 bytes, after entry_open_keybox() */
};
/* Whose entry it is: the associated data. */
struct entry_place {
    const uint8_t *tenant, *bucket;
    struct slice key;
};

/* Part 1. Leaves `keys` alone: init the struct to zero once, entry_done() wipes. */
MUST_USE enum err entry_parse(struct slice bytes, struct entry *out);
MUST_USE enum err entry_open_facts(struct keys_ctx *c, const struct secret *bucket_key, const struct entry_place *p, struct slice sealed,
                                   uint64_t index, size_t rows, struct entry_facts *out, struct entry_row *row);
/* The same for a scan's row, where the number of blob rows is not told. */
MUST_USE enum err entry_open_facts_listed(struct keys_ctx *c, const struct secret *bucket_key, const struct entry_place *p, struct slice sealed,
                                          uint64_t index, struct entry_facts *out);
/* The headers list of the wire. */
MUST_USE enum err entry_open_meta(struct keys_ctx *c, const struct secret *bucket_key, const struct entry_place *p, const struct entry *e,
                                  struct buf *out);
/* Opens facts, meta (into meta) and keybox, and checks that the keybox names exactly these facts and meta. */
MUST_USE enum err entry_open_all(struct keys_ctx *c, struct ledger_hash *h, const struct secret *bucket_key, const struct secret *tenant_key,
                                 const struct entry_place *p, struct entry *e, struct buf *meta);
void entry_done(struct entry *e);

/* Appends the whole entry of e (index, order, rows, facts, keys) with meta, and gives H(facts, meta). */
MUST_USE enum err entry_seal(struct keys_ctx *c, struct ledger_hash *h, const struct rng *rng, const struct secret *bucket_key,
                             const struct secret *tenant_key, const struct entry_place *p, const struct entry *e, struct slice meta,
                             struct buf *out);
/* SHA-256(facts plaintext || meta plaintext), as the leaf's `new` names it before the index is known. */
void entry_hash(struct ledger_hash *h, const struct entry *e, struct slice meta, uint8_t out[HASH_BYTES]);

/* commands: command.c -------------------------------------------------------------------------------------------------- */

enum command_kind { COMMAND_PUT = 1, COMMAND_DELETE = 2, COMMAND_UNDELETE = 3, COMMAND_BATCH = 4, COMMAND_PURGE = 5 };
#define COMMAND_GUARD_ABSENT UINT64_MAX

void command_begin(struct buf *out, enum command_kind kind, uint64_t at_ms);
/* id bucket | lp16 key | u64 guard | u64 grave ms: the common part of PUT, DELETE, UNDELETE, and of a batch's items. */
void command_key(struct buf *out, const uint8_t bucket[ID_BYTES], struct slice key, uint64_t guard, uint64_t grave_ms);
void command_entry(struct buf *out, struct slice entry);                    /* PUT; UNDELETE after command_u64(grave leaf index) */
void command_u64(struct buf *out, uint64_t v);
void command_batch_count(struct buf *out, size_t count);                    /* then per item: u8 kind and command_key() */
void command_purge(struct buf *out, uint64_t before_ms, size_t bucket_count);   /* then the ids */

#endif
