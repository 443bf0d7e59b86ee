/* SPDX-License-Identifier: Apache-2.0
 * command: what APPLY carries, the clear part of an entry, and the keys of index rows, as docs/spec/entry.md lays them out.
 * Pure: no I/O. Everything is checked once by command_check(); the walk afterwards cannot fail.
 */
#ifndef TILLIT_KEEPER_COMMAND_H
#define TILLIT_KEEPER_COMMAND_H

#include "base/base.h"
#include "base/limits.h"

enum {
    COMMAND_PUT = 1, COMMAND_DELETE = 2, COMMAND_UNDELETE = 3, COMMAND_BATCH = 4, COMMAND_PURGE = 5, COMMAND_DELVER = 6,
    COMMAND_UPLOAD = 7, COMMAND_PART = 8, COMMAND_COMPLETE = 9, COMMAND_ABORT = 10, COMMAND_REWRITE = 11
};
enum { SOURCE_STAGED = 0, SOURCE_SHARED = 1 };
#define COMMAND_VERSION 2
#define COMMAND_GUARD_ABSENT UINT64_MAX
#define ENTRY_VERSION 2
enum {
    ENTRY_FLAG_DELETE_MARKER = 1, ENTRY_FLAG_NULL = 2, ENTRY_FLAG_SET = 4, ENTRY_FLAG_PART = 8, ENTRY_FLAG_UPLOAD = 16,
    ENTRY_FLAGS_ALL = 31
};

struct entry {
    uint8_t flags, blob_count;
    uint64_t leaf, order, revision;
    const uint8_t *blobs[ENTRY_BLOB_ROWS_MAX];    /* ids */
    uint64_t sizes[ENTRY_BLOB_ROWS_MAX];          /* ciphertext */
    const uint8_t *set;                           /* NULL without ENTRY_FLAG_SET */
    uint16_t parts;
    struct slice facts;
    struct slice raw;
};
/* ERR_TRUNCATED, ERR_TRAILING, ERR_VERSION, ERR_INPUT. Flags and rows fit together: marker and upload name no bytes, a set no blob rows,
 * a part one. */
MUST_USE enum err entry_parse(struct slice raw, struct entry *out);
/* The same bytes: the same blob rows in order, or the same set. */
bool entry_same_bytes(const struct entry *a, const struct entry *b);

/* The value of E, V and T rows, and behind the due time of G rows: u8 1 | u8 count | count x lp16 location | entry. */
struct entry_row {
    struct slice locations[ENTRY_BLOB_ROWS_MAX];
    struct entry entry;
};
MUST_USE enum err entry_row_parse(struct slice value, struct entry_row *out);

/* The value of an O row: u8 1 | u16 number | u64 plain size | id blob | u64 cipher size | lp16 location | lp16 sealed. */
struct set_row {
    uint16_t number;
    uint64_t off, plain_size, cipher_size;        /* off: from the key */
    const uint8_t *blob;
    struct slice location, sealed;
};
MUST_USE enum err set_row_parse(struct slice key, struct slice value, struct set_row *out);
void set_row_put(struct buf *out, const struct set_row *row);

/* What becomes of the version that is replaced. */
struct command_turn {
    uint64_t guard;                               /* leaf of the current entry */
    bool keep;                                    /* as noncurrent; else it goes to the grave */
    uint64_t null_leaf;                           /* the noncurrent null version that goes to the grave too, or COMMAND_GUARD_ABSENT */
    uint64_t grave_ms;
};
struct command_source {
    uint8_t kind;
    struct slice bucket, key;                     /* SOURCE_SHARED */
    uint64_t leaf;
};
struct command_item {
    uint8_t kind;
    struct slice bucket, key;
    struct command_turn turn;                     /* PUT, DELETE, UNDELETE, COMPLETE; DELVER: grave_ms */
    struct command_source source;                 /* PUT, PART */
    uint64_t version;                             /* leaf of: UNDELETE the buried entry, DELVER and REWRITE the version */
    uint64_t guard;                               /* PART: leaf of the part that is there; REWRITE: revision */
    const uint8_t *upload;                        /* UPLOAD, PART, COMPLETE, ABORT */
    uint16_t number;                              /* PART */
    struct entry entry;                           /* PUT, UNDELETE, UPLOAD, PART, COMPLETE, REWRITE */
    uint16_t part_count;                          /* COMPLETE */
    struct reader parts;
};
struct command_part {
    uint16_t number;
    uint64_t guard, off, plain_size;
    struct slice sealed;
};
struct command {
    uint8_t kind;
    uint64_t at_ms;
    uint16_t count;                               /* items; PURGE: buckets */
    struct reader rest;
    uint64_t before_ms;                           /* PURGE */
};
/* The whole command, every item, nothing left over. index is the leaf's: an entry that another leaf made is refused. *claims is how
 * many staged blobs it names. */
MUST_USE enum err command_check(struct slice raw, uint64_t index, size_t *claims);
/* After command_check. */
void command_begin(struct slice raw, struct command *out);
bool command_next(struct command *c, struct command_item *out);        /* all kinds but PURGE: false at the end */
bool command_next_bucket(struct command *c, struct slice *bucket, bool *gone);       /* PURGE */
bool command_next_part(struct command_item *i, struct command_part *out);            /* COMPLETE */
size_t command_claims(const struct command_item *i);                   /* staged blobs this item names */

/* index rows */
#define ROW_ENTRY 'E'
#define ROW_VERSION 'V'
#define ROW_NULL 'U'
#define ROW_UPLOAD 'M'
#define ROW_PART 'T'
#define ROW_SET 'O'
#define ROW_GRAVE 'G'
#define ROW_DUE 'D'
#define ROW_BLOB 'B'
#define ROW_WATERMARK 'W'
#define ROW_REFUSED 'R'
#define ROW_NUMBER 'N'
#define ROW_PACK 'P'
#define ROW_RELEASED 'X'
#define ROW_USAGE 'Q'
struct row_key {
    size_t n;
    uint8_t p[ROW_KEY_BYTES_MAX];
};
static inline struct slice row_slice(const struct row_key *k) { return slice_of(k->p, k->n); }
void row_begin(struct row_key *k, uint8_t table);
void row_put(struct row_key *k, struct slice s);
void row_put_u8(struct row_key *k, uint8_t v);
void row_put_u16(struct row_key *k, uint16_t v);
void row_put_u32(struct row_key *k, uint32_t v);
void row_put_u64(struct row_key *k, uint64_t v);
void row_object(struct row_key *k, uint8_t table, struct slice bucket, struct slice key);   /* with its 00 */
void row_version(struct row_key *k, struct slice bucket, struct slice key, uint64_t leaf);
void row_upload(struct row_key *k, struct slice bucket, struct slice key, const uint8_t upload[ID_BYTES]);
void row_parts(struct row_key *k, const uint8_t upload[ID_BYTES]);                          /* what all its T rows begin with */
void row_set(struct row_key *k, const uint8_t set[ID_BYTES]);                               /* its O rows */
bool row_after(struct row_key *k);                /* the least key past all that begin with it; false: there is none */

/* locations */
enum { LOCATION_INLINE = 1, LOCATION_PACK = 2, LOCATION_FILE = 3 };
#define LOCATION_INLINE_KEY_BYTES 24              /* batch number, blob id: in order of time */
struct location {
    uint8_t engine;
    struct slice inline_key;
    uint32_t pack;
    uint64_t off, size;
    const uint8_t *file;
};
MUST_USE enum err location_parse(struct slice raw, struct location *out);

#endif
