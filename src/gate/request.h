/* SPDX-License-Identifier: Apache-2.0
 * request: one request on its way through the gate, the pool of them, and how each is answered.
 *
 * A request begins with an ASK (or TEND) and ends with exactly one answer. Its client may go away before: then `conn` is NULL, what
 * was decided is finished all the same, and the answer falls on the floor. request_end() is the one way out: it gives back holds,
 * bucket, tenant's share and buffers.
 *
 * Ownership: the pool owns all; slices in `ask`, `s3`, `name`, `headers` point into the request's own buffers and live until
 * request_end(). Threads: the loop's.
 */
#ifndef TILLIT_GATE_REQUEST_H
#define TILLIT_GATE_REQUEST_H

#include "gate/entry.h"
#include "gate/flow.h"
#include "gate/gate.h"
#include "gate/hold.h"
#include "gate/keeper_link.h"
#include "gate/meter.h"
#include "gate/step.h"
#include "s3/s3_config.h"

struct gate_conn;
struct gate_op;                                    /* an operation's row in step.c */

enum request_state {
    REQUEST_WORKING,                               /* something of ours will call back */
    REQUEST_PARKED,                                /* waits for its tenant to be served */
    REQUEST_BODY,                                  /* WANTBODY was sent */
    REQUEST_REFUSED,                               /* refused before its body ended: its record is under way, the rest is dropped */
    REQUEST_TICKET,                                /* TICKET was sent, COMMIT is awaited */
    REQUEST_NEXT,                                  /* a RELEASE said more, or was metered: NEXT is awaited, or KILLED */
    REQUEST_LINE,                                  /* waits for a segment under its grant: meter.c */
    REQUEST_ANSWERED                               /* pool */
};

/* What a read keeps between FIND and release. */
struct request_get {
    struct entry entry;                            /* facts and rows; blob keys or set key in locked memory */
    uint64_t off, len;                             /* what is released */
    bool part;
    unsigned tries;                                /* rule 8 */
    struct buf locations;                          /* locations list of the blob rows */
    uint64_t released;                             /* of a set: plaintext offset up to which rows were released; NEXT goes on there */
    bool set_begun;                                /* a row of it was released */
    bool awaits_next;                              /* a RELEASE said more; the request lives on until the last one, or its client is gone */
    bool copy;                                     /* released behind a copy's TICKET: the request lives on after the last RELEASE too, for its COMMIT */
    struct buf parts;                              /* part rows list of the last FOUND */
    struct release_says says;
    uint32_t number;                               /* partNumber asked for; 0: none */
    uint32_t part_count;                           /* with it: parts of the object; 0: it did not come in parts */
    uint64_t want_off, want_len;                   /* plaintext bytes whose part rows FIND shall bring along; 0: none */
    bool spent;                                    /* the first RELEASE is out */
    bool metered;                                  /* under a grant: op_use.c; `released` and set_begun count for blob rows too */
    uint64_t first_leaf, read;                         /* metered: leaf of its first release; where the access log stood then */
    void (*got)(struct gate_request *r);           /* op_read() */
    void *job;                                     /* of whoever called it */
};
void request_get_done(struct request_get *q);
/* Under a grant a release is one segment, and each is decided. */
struct request_opens {
    bool known, goes_on;                           /* goes_on: not the stream's first */
    uint64_t bytes;                                /* what its key can open */
    uint64_t segment, off, len;                    /* number in its blob; bytes of the object that it gives of what was asked for */
};
struct request_put {
    struct s3_body body;
    struct s3_chain chain;                         /* of signed chunks */
    uint8_t blob[ID_BYTES];
    struct secret key;                             /* locked memory, wiped in request_end() */
    uint64_t size, cipher_size;
    uint8_t md5[16], sum[S3_SUM_BYTES_MAX], sha256[HASH_BYTES];
    bool has_sha256;
    uint64_t ticket_ms;                            /* when it was given */
    bool bounded;
    uint64_t size_min, size_max;                   /* when bounded: a form's content-length-range */
    enum s3_sum also;                              /* a second checksum that COMMIT must carry (an upload's own); NONE: none. Set before op_put_open() */
    uint8_t also_value[S3_SUM_BYTES_MAX];
    bool copy;                                     /* opened by op_put_open_copy() */
    void (*commit)(struct gate_request *r);        /* COMMIT's digests are right */
    void *job;                                     /* of whoever opened it: op_upload.c, op_copy.c, op_form.c */
    void (*job_cleanup)(struct gate_request *r);
};
struct request_list {
    uint8_t kind;                                  /* WIRE_SCAN_* */
    struct s3_list_args args;                      /* keys */
    struct s3_versions_args versions;              /* versions, uploads */
    struct s3_parts_args parts;
    uint8_t upload[ID_BYTES];                      /* parts: whose */
    struct slice after;                            /* in `mem` */
    uint64_t after_index;                          /* versions, parts: as in SCAN */
    uint8_t after_id[ID_BYTES];                    /* uploads: as in SCAN */
    struct buf next_id, about;                     /* id text of the last row; headers list of a listing of parts */
    struct slice next_key;                         /* of the last row, in `rows` */
    uint16_t next_number;
    struct buf rows, out;                          /* scan rows as they came; listing rows as they go */
    struct reader cursor;
    bool more, failed;
    uint64_t as_of;
    uint64_t mark;                                 /* settled when the SCAN was sent */
    uint32_t count;
    struct ledger_frontier root;
    struct loop_job job;
    struct list waiting;                           /* rule 9: in the tenant's list */
    void (*settled)(struct gate_request *r);       /* called when something was settled while in that list */
    struct loop_timer timer;                       /* DeleteBucket: looks whether the holds are gone */
};

struct gate_request {
    uint32_t magic;
    enum request_state state;
    struct gate *gate;
    struct gate_conn *conn;                        /* NULL: the client is gone */
    uint64_t wire_id;
    struct gate_request *by_id;                    /* next in the table's chain */
    struct list node;                              /* its connection's requests, or the pool's orphans */
    struct list waiting;                           /* parked, or holds a ticket */
    uint64_t since_ms;                             /* monotonic */
    uint64_t now_ms;                               /* wall, when it was asked */
    uint8_t id[ID_BYTES];                          /* x-amz-request-id */

    struct buf payload;                            /* the ASK as it came */
    struct buf mem;                                /* decoded parts of the canonical request */
    struct wire_ask ask;
    struct s3_request s3;
    struct s3_name name;
    struct s3_header headers[S3_HEADERS_MAX + GATE_UNSIGNED_MAX];   /* signed ones, then unsigned ones that may speak */
    size_t header_count;
    struct slice uns[GATE_UNSIGNED_MAX];           /* names of the unsigned ones, as the leaf lists them */
    size_t uns_count;
    enum s3_op op;
    const char *act;                               /* operation's name */
    struct slice vid;                              /* versionId as named; p NULL: not */
    bool vid_null;                                 /* it is "null" */
    uint64_t vid_index, vid_order;                 /* else */
    struct buf ctx;                                /* record_ctx pairs, when policies may ask */
    bool has_ctx;                                  /* the decision was made with it: it stands in the leaf */
    bool object_known;                             /* ctx holds what the object is */
    struct request_opens opens;                    /* under a grant: what the decision is about to release */
    struct meter_stream stream;                    /* meter.c: its place under its grant */
    struct slice tagging;                          /* the tags of a tagging document, once it was read; p NULL before */
    struct slice sub_value;                        /* IAM: value of `sub`, in scratch memory of op_iam.c */
    struct slice doc_value;                        /* CreateBucket: value of `doc` in the bkt leaf (record.md section 2); p NULL: none */
    struct s3_fault fault;                         /* what is answered when it is not S3E_NONE */

    struct step_box verified_box, decided_box, recorded_box;
    const struct verified *verified;
    const struct decided *decided;
    struct gate_tenant *tenant;                    /* NULL until verified */
    struct gate_bucket *bucket;                    /* buckets live as long as their tenant; see `dead` */
    bool counted;                                  /* in flow's in_flight */
    uint64_t quota_objects, quota_bytes;           /* in the tenant's quota, in flight */

    struct keeper_ask find;
    uint64_t find_sent;                            /* recent_now() when the FIND was sent */
    uint32_t slot;                                 /* recent.h */
    struct hold_wait hold;
    bool in_bucket;                                /* counted in bucket->holds */
    struct log_wait wait;
    void (*durable)(struct gate_request *r, const struct recorded *rec);
    struct gate_write *write;

    void (*body)(struct gate_request *r, struct slice data, bool last);   /* BODY frames */
    struct request_get *next;                      /* what NEXT goes on with; NULL: none is due */
    struct buf body_bytes;
    struct buf headers_out, scratch;               /* scratch: GET: locations of the rows; LIST, PUT: their own */
    struct buf leaf, opening;
    union {
        struct {                                   /* both: a streamed copy reads and writes, and a write remembers in get.entry what it answers */
            struct request_get get;
            struct request_put put;
        };
        struct request_list list;
        void *job;                                 /* op_batch.c, op_bucket.c, api.c: their own */
    } u;
    void (*cleanup)(struct gate_request *r);       /* of what is in u; NULL: nothing */
};

struct gate_requests;
struct gate_requests *requests_new(struct gate *g);
size_t requests_count(const struct gate_requests *p);      /* in flight; tests ask that none is left */

/* NULL: REQUESTS_MAX are in flight. conn may be NULL (the gate's own). */
struct gate_request *request_new(struct gate *g, struct gate_conn *c, uint64_t wire_id);
struct gate_request *request_find(struct gate *g, struct gate_conn *c, uint64_t wire_id);
void request_orphan(struct gate_request *r);       /* its connection is gone, or gave it up */
void request_end(struct gate_request *r);
/* The key hold of rule 0, and its place in its bucket (rule 9). got() gets r in w->ctx. HOLD_FULL also when the bucket closes. */
enum hold_result request_hold(struct gate_request *r, void (*got)(struct hold_wait *w, bool yes));
void request_unhold(struct gate_request *r);
struct slice request_header(const struct gate_request *r, const char *name);   /* p NULL: absent */
const struct s3_param *request_param(const struct gate_request *r, const char *name);

/* answers: each ends the request ----------------------------------------------------------------------------------------- */

/* r->fault, with the receipt when there is one. headers: headers list, may be empty. */
void request_fail(struct gate_request *r, const struct recorded *rec);
/* Sets the code and fails without a record: only for what depends on nobody's data (503, 500, grammar). */
void request_fail_code(struct gate_request *r, enum s3_error code, const char *message);
/* Success: r->headers_out, and raw in WIRE_DATA_BYTES_MAX pieces. rec NULL: nothing was recorded (API status). */
void request_answer(struct gate_request *r, const struct recorded *rec, uint16_t status, struct slice raw);
/* Asks for the control body; `body` gets the pieces. */
void request_want_body(struct gate_request *r, uint32_t size_max, void (*body)(struct gate_request *r, struct slice data, bool last));
/* What a write does with what is there: from the bucket's versioning now and what FIND saw (ask it with want_null when request_wants_null()).
 * current NULL: nothing is there. */
bool request_wants_null(const struct gate_request *r);
void request_turn(const struct gate_request *r, const struct wire_found *m, const struct entry *current, struct command_turn *out);
uint8_t request_entry_flags(const struct gate_request *r);       /* of the version it writes: ENTRY_NULL unless versioning is enabled */
bool request_versioned(const struct gate_request *r);            /* answers carry x-amz-version-id: enabled or suspended */
/* Adds x-amz-version-id of e to the answer when the bucket is, or was, versioned. */
void request_put_version(struct gate_request *r, const struct entry *e);
/* CORS headers of an answer to a request with an Origin, when the bucket's rules fit: cors.c. Called by request_answer, request_fail, releases and
 * listings, for everyone. */
void cors_headers(struct gate_request *r, struct buf *headers);
void request_cors(struct gate_request *r);         /* cors_headers() into r->headers_out, when there is an Origin and somebody to answer */
/* Adds to r->headers_out. */
void request_put_header(struct gate_request *r, const char *name, struct slice value);

/* 503 before the leaf: may another leaf be appended now? Answers and ends the request when not. */
MUST_USE bool request_may_record(struct gate_request *r, bool writes);

/* operations: step.c's table ------------------------------------------------------------------------------------------------ */

void op_get_begin(struct gate_request *r);         /* GetObject, HeadObject, their Version and Part forms */
void op_get_next(struct gate_request *r);          /* NEXT */
void op_attributes_begin(struct gate_request *r);
/* A read of one version by rule 8, for others than GET: FINDs (by r->vid, or the current one), decides again when the object matters, opens it into
 * r->u.get.entry and meta into r->body_bytes, answers what is absent itself (404, 405 of a marker, 403 when hidden), else calls got(). There the leaf must be
 * appended in the same turn. */
void op_read(struct gate_request *r, void (*got)(struct gate_request *r));
/* In got(), or behind another FIND of it: refuses with a leaf that names the version found. r->fault may hold more than the code. */
void read_refuse(struct gate_request *r, enum s3_error code);
/* Rule 8, the decision and the log's readiness once more, for the answer to a FIND behind got(). False: the request went another way (it may find anew). */
MUST_USE bool read_goes_on(struct gate_request *r, const struct wire_found *m);
/* Asks for rows of q's set from part number `from` on. */
void read_find_part(struct gate_request *r, const struct request_get *q, uint16_t from, uint32_t rows_max, void (*found)(struct keeper_ask *a, const struct wire_found *m));
/* From a durable receipt to what `says` asks for: one RELEASE, or of a set as many as it takes, each but the first on NEXT. With from->copy the request
 * lives on behind the last one, for its COMMIT. Headers are r->headers_out. The locations of from->entry's rows are in from->locations; part rows that FOUND
 * brought may be in from->parts, the others are asked for. from is &r->u.get; request_get_done() (op_read.c) frees what is in it. */
void read_release(struct gate_request *r, struct request_get *from, const struct release_says *says);
/* Under a grant (op_use.c): as op_read(), behind a place in line; got() sets off, len and part of u.get, then come use_takes() and use_release(). */
bool use_is(const struct gate_request *r);         /* a read of data under a grant: not HEAD */
void use_begin(struct gate_request *r, void (*got)(struct gate_request *r));
void use_takes(struct gate_request *r);
/* Asks for the rows of a set that come next, when they are not there. False: they are, or are not needed. */
bool use_find_rows(struct gate_request *r, void (*found)(struct keeper_ask *a, const struct wire_found *m));
void use_release(struct gate_request *r);          /* decides, records and releases the next segment */
MUST_USE enum err use_next(struct gate_request *r, uint64_t sent);          /* NEXT. INPUT: none is due, or it is not so */
void use_over(struct gate_request *r, const struct recorded *rec);           /* what was allowed is durable, and the grant ended meanwhile */
bool use_cut(struct gate_request *r);              /* a stream of a dead grant is reset, not answered: true: done */
void op_put_begin(struct gate_request *r);         /* PutObject */
void op_put_sweep(struct gate *g);                 /* tickets not committed for TICKET_MS */
MUST_USE enum err op_put_chunks(struct gate_request *r, const struct wire_chunks *m);   /* INPUT: none are due, or not so */
void op_put_commit(struct gate_request *r, const struct wire_commit *m);
/* Opens an upload of any kind: reads the body's headers, gives the ticket; commit(r) comes when COMMIT's digests are what they must be. What is refused before is
 * refused by it. The caller has set u.put.job before, if it needs one. */
void op_put_open(struct gate_request *r, void (*commit)(struct gate_request *r));
/* The same without a client's body: the front reads `size` bytes by the RELEASE that the caller sends behind the ticket. sum: what COMMIT must carry besides MD5. */
bool op_put_open_copy(struct gate_request *r, uint64_t size, enum s3_sum sum, void (*commit)(struct gate_request *r));   /* false: it ended the request */
/* Rows, size, ETag, checksum and key of what COMMIT sealed; the rest of e is zero. The key is u.put's. */
void op_put_entry(const struct gate_request *r, struct entry *e);
/* Of whatever becomes an object (PUT, form, upload in parts, copy with REPLACE): headers that ask for what is not here are refused; user metadata and tags
 * within their bounds. */
enum s3_error op_put_headers(struct gate_request *r);
/* The headers list that lies sealed as meta, x-amz-tagging in canonical form among it; *tags: their number. op_put_headers() found nothing wrong with them. */
void op_put_meta(struct gate_request *r, struct buf *out, uint8_t *tags);
/* What a PUT, a form or a copy commits: from the hold to the answer, as PutObject. */
void op_put_commit_object(struct gate_request *r);
void op_list_begin(struct gate_request *r);        /* v1, v2, versions, uploads, parts */
void op_list_settled(struct gate *g, struct gate_tenant *t);   /* a write of the tenant is done or voided: rule 9 */
void op_delete_begin(struct gate_request *r);      /* DeleteObject, DeleteObjectVersion */
void op_undelete_begin(struct gate_request *r);
void op_batch_begin(struct gate_request *r);       /* DeleteObjects */
/* A batch of the gate's own: one bucket, auth `auto`. Takes holds, finds again, leaves out what is not any more as it was wished for, and writes a
 * leaf and a BATCH command per slice, as DeleteObjects does. */
enum batch_wish_kind { BATCH_EXPIRE, BATCH_REMOVE, BATCH_ABORT };  /* like DeleteObject while `ver` is current; version ver; the upload */
struct batch_wish {
    uint8_t kind;
    struct slice key;                              /* copied */
    uint64_t ver;                                  /* leaf index of the version, or of the upload's beginning */
    uint8_t upload[ID_BYTES];
};
/* act: "LifecycleExpire", "LifecycleAbort" (all of one kind's act). n: 1 to S3_DELETE_KEYS_MAX, any order, each once. done is called once, from a
 * later turn; done_count: how many are settled; 0 too when nothing could be begun (busy, not served, denied): try another time. */
void batch_auto(struct gate *g, struct gate_tenant *t, struct gate_bucket *b, const char *act, const struct batch_wish *w, size_t n,
                void (*done)(void *ctx, size_t done_count), void *ctx);
void op_copy_begin(struct gate_request *r);        /* CopyObject */
void op_tagging_begin(struct gate_request *r);     /* Get, Put, DeleteObjectTagging */
void op_upload_begin(struct gate_request *r);      /* CreateMultipartUpload, AbortMultipartUpload */
void op_part_begin(struct gate_request *r);        /* UploadPart, UploadPartCopy */
void op_complete_begin(struct gate_request *r);
void op_form_begin(struct gate_request *r);        /* PostObject */
void op_config_begin(struct gate_request *r);      /* Put and Delete of a bucket's documents */
void op_iam_begin(struct gate_request *r);         /* POST / of IAM and STS; S3 Control */
void op_preflight_begin(struct gate_request *r);
void op_bucket_create_begin(struct gate_request *r);
/* A refused CreateBucket of a bucket the caller has: in S3's first region that is a success. False: it is a refusal like others. */
MUST_USE bool op_bucket_again(struct gate_request *r);
void op_bucket_delete_begin(struct gate_request *r);
void op_look_begin(struct gate_request *r);        /* HeadBucket, ListBuckets, what reads configuration, absent codes */
void op_look_object_acl(struct gate_request *r);   /* GetObjectAcl, and what PutObjectAcl has left to do: a read of the object */
/* What a form's upload is answered with, instead of a PUT's 200: by op_put.c, when its write is done. */
void op_form_answer(struct gate_request *r, const struct recorded *rec, struct slice etag);
void op_purge_all(struct gate *g);                 /* TEND_GRAVE */
void lifecycle_run(struct gate *g);                /* TEND_LIFECYCLE */

#endif
