/* SPDX-License-Identifier: Apache-2.0
 * apply: what the files that turn a command into rows share. The committer's thread alone.
 *
 * judge_* look and put nothing: ERR_OK, ERR_MISSING (the command is refused) or an engine's error. perform_* put rows and cannot refuse any
 * more; what they find otherwise than the gate's FIND saw it under the hold is asserted (rule 2), what the index itself contradicts is
 * ERR_CORRUPT.
 */
#ifndef TILLIT_KEEPER_APPLY_H
#define TILLIT_KEEPER_APPLY_H

#include "keeper/keeper.h"

/* One item of a command on its way into the batch. */
struct apply {
    struct commit *c;
    const struct command *cmd;
    struct command_item *i;
    struct commit_item *item;
    size_t claim;                                 /* the next of item->claims */
};

/* apply.c */
MUST_USE enum err apply_get(struct commit *c, enum store_table t, struct slice key, struct buf *out);   /* batch first; ERR_MISSING */
MUST_USE enum err apply_get_u64(struct commit *c, struct slice key, uint64_t *out);
MUST_USE enum err apply_there(struct commit *c, struct slice key);                                      /* ERR_OK, ERR_MISSING */
bool apply_deleted(struct commit *c, struct slice key);                                                 /* by this batch */
/* V and T rows: the walks of this batch see them too. */
void apply_put_walked(struct commit *c, struct slice key, struct slice value);
/* Puts u8 1 | count | locations (c->places) | entry under key. */
void apply_put_entry(struct apply *a, const struct row_key *key, bool walked);

/* walk.c: V or T rows that begin with a prefix as this batch leaves them, in key order: those of the engine and those of the batch. */
struct walk {
    struct commit *c;
    struct store_iter *it;
    bool at_engine;                               /* the engine's row was given last */
    struct buf fresh;
    struct slice *keys;
    size_t key_count, key_at;
};
void walk_open(struct walk *w, struct commit *c, const struct row_key *prefix);
/* ERR_MISSING: no more. key lives until the next call, value until then or the next put into the batch. */
MUST_USE enum err walk_next(struct walk *w, struct slice *key, struct slice *value);
void walk_done(struct walk *w);

/* blob.c: bytes and who refers to them */
MUST_USE enum err blob_count(struct commit *c, const uint8_t *id, uint64_t *count);    /* of a blob or a set; 0: nobody */
void blob_put_count(struct commit *c, const uint8_t *id, uint64_t count);
MUST_USE enum err blob_release(struct commit *c, const uint8_t *id, uint64_t size, struct slice location);
MUST_USE enum err blob_release_value(struct commit *c, struct slice value);            /* what a row's entry names, set or blobs */
MUST_USE enum err blob_judge_source(struct apply *a);
/* Fills c->places with the locations of the entry's blob rows, and counts. */
MUST_USE enum err blob_take_source(struct apply *a);

/* version.c: E, V and U rows */
/* The version of i's place or a source's whose leaf it is, wherever it stands: value and row point into c->scratch. ERR_MISSING. */
MUST_USE enum err version_find(struct commit *c, struct slice bucket, struct slice key, uint64_t leaf, struct row_key *at, struct entry_row *row,
                               bool *current);
MUST_USE enum err version_turn(struct apply *a);  /* ends or keeps what a->i replaces */
MUST_USE enum err judge_put(struct apply *a);
MUST_USE enum err judge_undelete(struct apply *a);
MUST_USE enum err perform_put(struct apply *a);
MUST_USE enum err perform_delete(struct apply *a);
MUST_USE enum err perform_undelete(struct apply *a);
MUST_USE enum err perform_delver(struct apply *a);
MUST_USE enum err perform_rewrite(struct apply *a);

/* usage.c: Q rows. begin and end stand around an item; end fills item->usage. */
void usage_begin(struct commit *c);
void usage_objects(struct commit *c, int64_t more);
void usage_entry(struct commit *c, const struct entry *e, int64_t more);               /* nothing when it is a delete marker */
void usage_bytes(struct commit *c, uint64_t size, bool more);
MUST_USE enum err usage_end(struct commit *c, struct commit_item *item);

/* upload.c: M, T and O rows */
MUST_USE enum err judge_part(struct apply *a);
MUST_USE enum err judge_complete(struct apply *a);
MUST_USE enum err judge_abort(struct apply *a);
MUST_USE enum err perform_upload(struct apply *a);
MUST_USE enum err perform_part(struct apply *a);
MUST_USE enum err perform_complete(struct apply *a);
MUST_USE enum err perform_abort(struct apply *a);
/* The uploads of a bucket that is gone, at most *left entries of them; a part counts as one. */
MUST_USE enum err upload_purge(struct commit *c, struct slice bucket, unsigned *left);

/* grave.c: G and D rows */
MUST_USE enum err grave_bury(struct apply *a, struct slice value, uint64_t leaf);
/* The buried version whose own leaf is a->i->version: its key into *row, its value (with the due time in front) into c->scratch2. */
MUST_USE enum err grave_lookup(struct apply *a, struct row_key *row);
MUST_USE enum err grave_purge(struct commit *c, const struct command *cmd);

#endif
