/* SPDX-License-Identifier: Apache-2.0
 * copy_source: what CopyObject (op_copy.c) and UploadPartCopy (op_part_copy.c) have in common: the version that is copied.
 *
 * Life: source_init() -> source_read() names it -> source_find() -> in found(): source_stands(), source_open(), source_allowed(),
 * source_conditions() -> source_value() for the leaf, source_unhold() in the turn in which that is appended -> source_done().
 * Ownership: it lives as long as its request; *get is its owner's. Threads: the loop's.
 */
#ifndef TILLIT_GATE_COPY_SOURCE_H
#define TILLIT_GATE_COPY_SOURCE_H

#include "gate/request.h"
#include "s3/s3_config.h"

struct copy_source {
    struct buf mem, meta, value;                   /* its names; its meta; the leaf's `copy` */
    struct s3_copy_source from;
    bool null;                                     /* its version "null" is named */
    uint64_t index, order;                         /* another version of it is */
    struct gate_bucket *bucket;
    struct request_get *get;                       /* entry and locations of what was found last */
    bool there, marker;
    char version[ID_TEXT_CHARS + 1];               /* its version id */
    uint32_t slot;
    struct hold_wait hold;                         /* of its key, when it is overtaken too often */
    void (*held_now)(struct gate_request *r);
    bool held;                                     /* or waited for: the bucket counts it */
};
enum source_answer { SOURCE_STANDS, SOURCE_AGAIN, SOURCE_OVERTAKEN };

void source_init(struct copy_source *s, struct request_get *get);
void source_done(struct copy_source *s);           /* wipes; lets the hold go. *get is left alone */
/* x-amz-copy-source, a bucket of the caller's own tenant (LAW-5), x-amz-source-expected-bucket-owner. r->fault may hold more than the code. */
MUST_USE enum s3_error source_read(struct gate_request *r, struct copy_source *s);
/* FIND by r->find. */
void source_find(struct gate_request *r, const struct copy_source *s, void (*found)(struct keeper_ask *a, const struct wire_found *m));
/* Rule 8: AGAIN: source_find(); OVERTAKEN: too often, or by a write that is not settled: under source_hold(). */
enum source_answer source_stands(struct gate_request *r, struct copy_source *s);
/* held(r) comes when it was waited for and is there; when it is not to be had r is answered 503. FULL also when the bucket closes. */
MUST_USE enum hold_result source_hold(struct gate_request *r, struct copy_source *s, void (*held)(struct gate_request *r));
/* In the turn in which its leaf is appended: whoever gets the key next has to ask the keeper first. */
void source_unhold(struct copy_source *s);
/* Opens what FOUND holds. Nothing, or not the version named: ERR_OK, and it is not there. */
MUST_USE enum err source_open(struct gate_request *r, struct copy_source *s, const struct wire_found *m);
/* May the caller read it (step_decide_source(), with its tags and writer), and is it there? Who may not list its bucket is told 403 of what is absent. */
MUST_USE enum s3_error source_allowed(struct gate_request *r, struct copy_source *s);
/* x-amz-copy-source-if-*. */
MUST_USE enum s3_error source_conditions(struct gate_request *r, const struct copy_source *s);
/* Value of the leaf's `copy`: the source as it was found. Lives until the next call. */
struct slice source_value(struct copy_source *s);
/* x-amz-copy-source-version-id, when its bucket is or was versioned. */
void source_put_version(struct gate_request *r, const struct copy_source *s);

#endif
