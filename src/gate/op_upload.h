/* SPDX-License-Identifier: Apache-2.0
 * op_upload: what the files of uploads in parts share (op_upload.c, op_part.c, op_part_copy.c, op_complete.c; docs/decisions/0016).
 *
 * Ownership: the keeper_ask and the slices given must live as long as the request. Threads: the loop's.
 */
#ifndef TILLIT_GATE_OP_UPLOAD_H
#define TILLIT_GATE_OP_UPLOAD_H

#include "gate/object.h"
#include "s3/s3_config.h"

/* The upload that the parameter uploadId names. NoSuchUpload when it names none. */
MUST_USE enum s3_error upload_named(struct gate_request *r, uint8_t id[ID_BYTES]);
/* FIND of the request's key by r->find: mode UPLOAD, PART with its number, or CURRENT (null version too; id is not looked at). */
void upload_find(struct gate_request *r, uint8_t mode, const uint8_t id[ID_BYTES], uint16_t number,
                 void (*found)(struct keeper_ask *a, const struct wire_found *m));
/* What every FOUND begins with: the keeper answered, and the request is allowed still (rule 14). An upload is no object yet: what policies ask about the
 * existing object, they hear that there is none. False: answered, or its refusal is under way. */
MUST_USE bool upload_goes_on(struct gate_request *r, const struct wire_found *m);
/* Opens a found upload's facts, and its meta into meta unless that is NULL. NoSuchUpload, InternalError (logged). */
MUST_USE enum s3_error upload_open(struct gate_request *r, const struct wire_found *m, const uint8_t id[ID_BYTES], struct entry *e, struct buf *meta);
/* A refusal that depends on what uploads there are: its leaf names the upload. has_ver: and the version of the key it looked at. */
void upload_refuse(struct gate_request *r, enum s3_error code, const uint8_t id[ID_BYTES], uint16_t part, bool has_ver, uint64_t ver, uint64_t rev);
/* Appends leaf and command. When nothing can be appended: 503, and w is freed. */
void upload_append(struct gate_request *r, struct gate_write *w, const struct leaf_says *says, void (*done)(struct gate_write *w, bool applied));
/* The bucket counts the request (rule 9: DeleteBucket waits for it) and, with name.n, the name in it is held. HOLD_FULL also when the bucket closes. */
MUST_USE enum hold_result upload_hold(struct gate_request *r, struct slice name, void (*got)(struct hold_wait *w, bool yes));
/* The digest in lower-case hex, as an ETag. */
void upload_etag(struct entry_facts *f, const uint8_t md5[16]);
/* ETag: "..." */
void upload_put_etag(struct gate_request *r, const struct entry_facts *f);

/* UploadPartCopy: op_part_copy.c. Number and upload are read, nothing was asked yet. */
void part_copy_begin(struct gate_request *r);
void part_copy_cleanup(struct gate_request *r);

/* What a part keeps from ASK to its answer: u.put.job. */
struct part_job {
    uint8_t id[ID_BYTES];
    uint16_t number;
    bool named;                                    /* the upload asked for a checksum */
    enum s3_sum sum;                               /* the one of its parts */
    struct buf name;                               /* of the hold: 00 | upload | number: no object key begins so */
    uint64_t guard;                                /* leaf of the part that is there, or ABSENT */
    void (*held)(struct gate_request *r);          /* what comes when it is known */
    uint64_t at;                                   /* the part's time, once its leaf is appended */
    struct part_copy *copy;                        /* op_part_copy.c */
};
void part_refuse(struct gate_request *r, enum s3_error code);
/* The hold of the part's name, FIND of what is there; then held(r), with job->guard set. */
void part_hold(struct gate_request *r, void (*held)(struct gate_request *r));
/* Under the hold: entry e (bytes, size, sums and keys set; the rest is filled in here), leaf and PART command. source: writes the command's source. */
struct part_write {
    struct entry *e;
    uint64_t bytes;
    struct slice copy;                             /* value of the leaf's `copy`, or nothing */
    void (*source)(struct gate_request *r, struct buf *command);
    void (*done)(struct gate_write *w, bool applied);
};
void part_append(struct gate_request *r, const struct part_write *p);
/* Its void is durable: was it the upload that is gone, or the bytes? */
void part_refused(struct gate_request *r);

#endif
