/* SPDX-License-Identifier: Apache-2.0
 * batch: many keys of one bucket, ended together (rule 13): op_batch.c asks for it (DeleteObjects), batch_auto() too (lifecycle); batch.c carries it out.
 *
 * Life: items are filled in -> batch_begin(): order, twins, the tenant's turn, holds in sorted order, FINDs -> slices, each a leaf and a BATCH command ->
 * all settled -> over(). What is over is the batch: over() ends the request, and with it the batch.
 * Threads: the loop's.
 */
#ifndef TILLIT_GATE_BATCH_H
#define TILLIT_GATE_BATCH_H

#include "gate/request.h"

/* What an item is about; of one key in this order. */
enum item_want { WANT_CURRENT, WANT_NULL, WANT_VERSION, WANT_UPLOAD };
/* What became of it: the kinds of record.md; OUT: it is no item of a leaf. */
enum item_kind { ITEM_NOTHING = 0, ITEM_ENDED = 2, ITEM_MARKER = 3, ITEM_VERSION = 4, ITEM_UPLOAD = 5, ITEM_OUT = 255 };

struct batch;
struct item {
    struct batch *batch;
    struct slice key, vid, etag;                   /* loans of the batch's; p NULL: absent */
    enum item_want want;
    uint64_t named, named_order;                   /* VERSION: leaf index, and the rest of the id */
    bool any_order;                                /* VERSION: the index alone names it */
    uint64_t expect;                               /* CURRENT: only while this one is current; UINT64_MAX: whatever is */
    uint8_t upload[ID_BYTES];
    uint32_t order;                                /* place in the request */

    struct keeper_ask find;
    struct hold_wait hold;                         /* of a key's first item, for all of them */
    struct item *lead;                             /* that one */
    bool held, split;                              /* of a lead; split: its items lie in several slices, and it is held to the end */
    bool twin, last;                               /* twin: the same as the item before; last: of its key */
    uint32_t slot;
    uint64_t ver;                                  /* what was found; UINT64_MAX: nothing */
    bool marker;                                   /* that, or what was made, is a delete marker */
    struct command_turn turn;                      /* CURRENT */
    enum item_kind kind;
    enum s3_error code;                            /* refused */
    const char *message;
    uint8_t made_flags;                            /* ITEM_MARKER: of its version id, with the two below */
    uint64_t made_index, made_order;
};
struct batch {
    struct gate_request *r;
    struct item *items;
    size_t count;
    bool automatic;                                /* the gate's own: no decision per item */
    /* S3E_NONE: every item has its outcome, what was recorded is settled and durable. Else nothing was recorded; with `denied` the request itself is refused,
     * and r->fault says how. */
    void (*over)(struct batch *b, enum s3_error code, bool denied);

    /* batch.c's own */
    size_t at, finding, next;                      /* item whose hold is due; FINDs under way; first item that is in no slice yet */
    size_t open;                                   /* slices not settled, and one while there are more to record */
    bool counted, failed, recorded;
    bool waits, in_record;                         /* a slice without `w` is not durable yet; step_record() is being called for it */
    enum policy_versioning versioning;             /* when the turns were made */
    struct hold_wait turn;                         /* at most one such job a tenant */
    struct loop_job job;
};

/* items and count are set, zeroed but for what is said above. InvalidRequest: one thing asked for in two ways. */
MUST_USE enum s3_error batch_order(struct batch *b);
void batch_begin(struct batch *b);
/* Gives back all that batch_begin() took, but not the items' memory. */
void batch_leave(struct batch *b);
/* The item that x has its outcome from: itself, or of a twin the one it repeats. */
const struct item *batch_outcome(const struct item *x);

#endif
