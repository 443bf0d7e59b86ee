/* SPDX-License-Identifier: Apache-2.0
 * op_complete: one CompleteMultipartUpload between its two files: op_complete.c (body, hold, guards, leaf, answer) and complete_parts.c (reads the
 * upload's parts page by page, checks them against the client's list and seals their rows anew, in slices of the loop's time).
 *
 * Ownership: u.job of its request. Threads: the loop's.
 */
#ifndef TILLIT_GATE_OP_COMPLETE_H
#define TILLIT_GATE_OP_COMPLETE_H

#include "gate/op_upload.h"

struct complete {
    struct gate_request *r;
    uint8_t id[ID_BYTES];
    bool counted;                                  /* among GATE_COMPLETES_MAX */
    /* body, as it came */
    struct buf body;
    size_t body_at;                                /* read up to here */
    bool body_last;
    struct loop_job job;                           /* reads it; later the parts */
    struct s3_xml *xml;
    bool summing;
    struct s3_sums body_sums;
    struct s3_complete_list list;
    /* what the client says of the whole */
    enum s3_sum said_sum;
    bool said_sum_bad;                             /* no checksum at all */
    uint8_t said_value[S3_SUM_BYTES_MAX];
    uint32_t said_parts;                           /* of "-N"; 0: none */
    bool said_type, said_size;
    enum s3_sum_type type;                         /* with said_type */
    uint64_t size;                                 /* with said_size */
    /* what is there, under the hold */
    struct entry upload;                           /* its facts */
    struct buf meta;                               /* the object's */
    struct wire_found found;                       /* of the current version: numbers only, no loans */
    struct entry current;                          /* flags, index, revision, facts; loans are gone */
    bool present;
    struct buf tags;                               /* of the current version, for policies */
    /* parts */
    struct secret set_key;
    enum s3_sum sum;
    enum s3_sum_type sum_type;
    bool hashing, scanning;
    struct s3_sums etags, sums;                    /* MD5 over the parts' MD5s; composite: over their checksums */
    uint8_t combined[S3_SUM_BYTES_MAX];            /* of the whole object, so far */
    struct buf rows;                               /* scan rows of a page as they came */
    struct reader cursor;
    bool more;
    uint64_t mark;                                 /* settled when the SCAN was sent */
    size_t at;                                     /* parts of the list that are done */
    uint16_t last_number;                          /* of the rows seen */
    uint64_t total, last_size;
    struct buf parts;                              /* of the command */
    void (*done)(struct complete *c, enum s3_error code);
};

/* Reads, checks and seals all parts of the list; the last thing a caller does. done: S3E_NONE, or the refusal (r->fault says more);
 * ServiceUnavailable: the keeper is gone, nothing was decided. */
void complete_parts(struct complete *c, void (*done)(struct complete *c, enum s3_error code));
/* Once all are done: ETag, checksum, size and number of parts into f. */
MUST_USE enum err complete_facts(struct complete *c, struct entry_facts *f);
/* What the client's list alone says the ETag is: false when it says nothing clear. */
bool complete_listed_etag(const struct complete *c, struct entry_facts *f);
void complete_parts_cleanup(struct complete *c);

#endif
