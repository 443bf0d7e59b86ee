/* SPDX-License-Identifier: Apache-2.0
 * command: what APPLY carries, the clear part of an entry, and the keys of index rows, as docs/spec/entry.md lays them out.
 * Pure: no I/O. Everything is checked once by command_check(); the walk afterwards cannot fail.
 */
#ifndef TILLIT_KEEPER_COMMAND_H
#define TILLIT_KEEPER_COMMAND_H

#include "base/base.h"
#include "base/limits.h"

enum { COMMAND_PUT = 1, COMMAND_DELETE = 2, COMMAND_UNDELETE = 3, COMMAND_BATCH = 4, COMMAND_PURGE = 5 };
#define COMMAND_VERSION 1
#define COMMAND_GUARD_ABSENT UINT64_MAX
#define ENTRY_VERSION 1
#define ENTRY_FLAG_DELETE_MARKER 1

struct entry {
    uint8_t flags, blob_count;
    uint64_t leaf, order;
    const uint8_t *blobs[ENTRY_BLOB_ROWS_MAX];    /* ids */
    uint64_t sizes[ENTRY_BLOB_ROWS_MAX];          /* ciphertext */
    struct slice facts;
    struct slice raw;
};
MUST_USE enum err entry_parse(struct slice raw, struct entry *out);    /* ERR_TRUNCATED, ERR_TRAILING, ERR_VERSION, ERR_INPUT */

/* The value of an E row: u8 1 | u8 count | count x lp16 location | entry. */
struct entry_row {
    struct slice locations[ENTRY_BLOB_ROWS_MAX];
    struct entry entry;
};
MUST_USE enum err entry_row_parse(struct slice value, struct entry_row *out);

struct command_item {
    uint8_t kind;                                 /* PUT, DELETE, UNDELETE */
    struct slice bucket, key;
    uint64_t guard, grave_ms, grave_leaf;
    struct entry entry;                           /* PUT, UNDELETE */
};
struct command {
    uint8_t kind;
    uint64_t at_ms;
    uint16_t count;                               /* items; PURGE: buckets */
    struct reader rest;
    uint64_t before_ms;                           /* PURGE */
};
/* The whole command, every item, nothing left over. index is the leaf's: an entry that names another is refused. *claims is how
 * many blobs its PUTs name. */
MUST_USE enum err command_check(struct slice raw, uint64_t index, size_t *claims);
/* After command_check. */
void command_begin(struct slice raw, struct command *out);
bool command_next(struct command *c, struct command_item *out);        /* PUT, DELETE, UNDELETE, BATCH: false at the end */
bool command_next_bucket(struct command *c, struct slice *bucket);     /* PURGE */

/* index rows */
#define ROW_ENTRY 'E'
#define ROW_GRAVE 'G'
#define ROW_DUE 'D'
#define ROW_BLOB 'B'
#define ROW_WATERMARK 'W'
#define ROW_REFUSED 'R'
#define ROW_NUMBER 'N'
#define ROW_PACK 'P'
#define ROW_RELEASED 'X'
struct row_key {
    size_t n;
    uint8_t p[ROW_KEY_BYTES_MAX];
};
static inline struct slice row_slice(const struct row_key *k) { return slice_of(k->p, k->n); }
void row_begin(struct row_key *k, uint8_t table);
void row_put(struct row_key *k, struct slice s);
void row_put_u8(struct row_key *k, uint8_t v);
void row_put_u32(struct row_key *k, uint32_t v);
void row_put_u64(struct row_key *k, uint64_t v);
void row_object(struct row_key *k, uint8_t table, struct slice bucket, struct slice key);   /* with its 00 */
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
