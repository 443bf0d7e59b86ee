/* SPDX-License-Identifier: Apache-2.0
 * object: what reads for a write, and writes, of object versions have in common: FIND, what is there, guards, one leaf with its command.
 *
 * Everything here is about r->name.key in r->bucket, and between FOUND and the leaf there is one turn. What a function ended (answered, or whose refusal
 * is under way) it says by false; r must not be touched then.
 * Threads: the loop's.
 */
#ifndef TILLIT_GATE_OBJECT_H
#define TILLIT_GATE_OBJECT_H

#include "gate/request.h"

/* What is at a key, as FOUND told it. */
struct object_there {
    bool there;                                    /* an entry, a delete marker too */
    bool marker;
    uint64_t ver, rev;                             /* UINT64_MAX, 0: nothing */
    struct entry e;                                /* facts are opened */
};

/* FIND by r->find. mode: WIRE_FIND_CURRENT (says the null version when that matters), GRAVE, NULLVER, VERSION (of r->vid_index). */
void object_find(struct gate_request *r, uint8_t mode, void (*found)(struct keeper_ask *a, const struct wire_found *m));
/* The key's hold, then FIND in that mode. 503 when it is not to be had. */
void object_hold_find(struct gate_request *r, uint8_t mode, void (*found)(struct keeper_ask *a, const struct wire_found *m));
/* The mode for the version that the request names, or for the current one. */
uint8_t object_mode(const struct gate_request *r);

/* What every FOUND for a write begins with: the keeper answered, the request is allowed still (rule 14), also for what is there (tags, writer). Fills *o. An
 * entry that does not open is answered 500. */
MUST_USE bool object_seen(struct gate_request *r, const struct wire_found *m, struct object_there *o);
/* If-Match, If-None-Match of a write; a delete marker is nothing. Sets r->fault. */
MUST_USE enum s3_error object_write_guards(struct gate_request *r, const struct object_there *o);

/* A refusal that depends on what is there: a read, and its leaf says what it saw. copy: value of `copy`, p NULL: none. */
void object_refuse(struct gate_request *r, enum s3_error code, const struct object_there *o, struct slice copy);

/* A new version: e has flags of its kind (SET), rows or set, facts and keys; index, order, the null flag, revision, time and writer are set here. */
struct object_write {
    struct entry *e;
    struct slice meta;
    const struct object_there *there;              /* what it takes the place of */
    const struct wire_found *found;
    bool shared;                                   /* the bytes are those of another version */
    const uint8_t *from_bucket;
    struct slice from_key;
    uint64_t from_ver;
    struct slice copy;                             /* value of the leaf's `copy`; p NULL: none */
    void (*done)(struct gate_write *w, bool applied);
};
/* Leaf and PUT command, under the hold. The written head (index, order, flags, facts; no keys) is then in r->u.get.entry, unless e is that one itself, and what
 * the answer says of it in r->headers_out. False: 503, nothing was appended. */
bool object_write(struct gate_request *r, const struct object_write *o);
/* The same for the command that the caller has begun in w. Common end of every write of a key. */
bool object_append(struct gate_request *r, struct gate_write *w, const struct leaf_says *says, void (*done)(struct gate_write *w, bool applied));

/* Head of a version made now by r's caller: index is the log's next, order random, null flag by the bucket's versioning, writer. */
void object_head(struct gate_request *r, uint8_t flags, uint64_t at, struct entry *e);
/* record_new of e. */
void object_new(struct gate_request *r, const struct entry *e, struct slice meta, struct buf *out);
/* The account that writes: the caller's, of everyone the bucket owner's. */
void object_writer(const struct gate_request *r, char account[ACCOUNT_CHARS + 1]);
const struct policy_bucket *object_bucket(const struct gate_request *r);
/* When what a turn or a DELVER buries may be purged; 0: it buries nothing. */
uint64_t object_grave_due(const struct gate_request *r, const struct command_turn *t, uint64_t at);

/* A control body with its digest: Content-MD5, a checksum header or the signed SHA-256. */
struct object_body {
    struct s3_xml *xml;
    struct s3_sums sums;
    struct s3_body body;
    bool summing;
};
MUST_USE enum s3_error object_body_begin(struct gate_request *r, enum s3_xml_kind kind, struct object_body *b);
/* After the last piece the digests are compared. */
MUST_USE enum s3_error object_body_feed(struct gate_request *r, struct object_body *b, struct slice data, bool last);
void object_body_done(struct object_body *b);

#endif
