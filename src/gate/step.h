/* SPDX-License-Identifier: Apache-2.0
 * step: the four steps of every request. Each makes one opaque value, and the next step wants it: there is no release without a
 * receipt, no receipt without a decision, no decision without a verified request (LAW-1, LAW-2, LAW-3).
 *
 *     ASK -> step_verify() -> struct verified -> step_decide() -> struct decided -> step_record() -> struct recorded
 *         -> durable -> step_release() -> struct released -> conn
 *
 * Only the file of a step knows what is in its value. All four live in the request they belong to.
 */
#ifndef TILLIT_GATE_STEP_H
#define TILLIT_GATE_STEP_H

#include "base/base.h"
#include "base/limits.h"
#include "gate/gate.h"

struct gate_request;
struct gate_write;
struct verified;
struct decided;
struct recorded;
struct released;
struct s3_copy_source;
struct request_get;

struct step_box {                                  /* room for one value; each step asserts that its own fits */
    _Alignas(16) uint8_t bytes[192];
};

/* step.c: the page ---------------------------------------------------------------------------------------------------- */

void step_begin(struct gate_request *r);           /* an ASK, copied into r */
void step_served(struct gate *g, struct gate_tenant *t);   /* a tenant is served: what was parked for it goes on */
void step_sweep(struct gate *g);                   /* every GATE_SWEEP_MS: parked too long, tickets too old */
/* A refusal of a proven caller: its leaf, then the answer when that is durable. The leaf says `dec` as decided and, when the
 * refusal is not decide's own, `why` as the S3 code. */
void step_refuse(struct gate_request *r);
/* The same decision still holds for the control log as it is now; decides again when it moved (rule 14). False: it is deny now,
 * or the bucket is gone: r->fault is set: let go of holds and call step_refuse(). */
MUST_USE bool step_still_allowed(struct gate_request *r);
/* Decides, and points r at its bucket. False: refused; r->fault says how and step_refuse() is next. */
MUST_USE bool step_decide_and_bind(struct gate_request *r);
/* step_record(), and when nothing was appended 503 and the end of the request. False then: w is still the caller's to free. */
struct leaf_says;
struct recorded;
bool step_record_or_fail(struct gate_request *r, const struct leaf_says *says, struct gate_write *w,
                         void (*durable)(struct gate_request *r, const struct recorded *rec));

/* step_verify.c ------------------------------------------------------------------------------------------------------- */

/* Reads exactly the bytes under the signature and proves the caller. NULL: not proven, r->fault says what to answer and the
 * summary has been counted. Otherwise r->fault.code may already hold a refusal that a proven caller gets with a leaf. */
const struct verified *step_verify(struct gate_request *r, struct slice service);
/* The gate's own work (lifecycle): nothing was signed, the caller is auth `auto`. */
const struct verified *step_verify_auto(struct gate_request *r, struct gate_tenant *t);
bool request_is_control(const struct gate_request *r);           /* S3 Control: by path and header, op IamOrSts */
struct gate_tenant *verified_tenant(const struct verified *v);
const struct gate_key *verified_key(const struct verified *v);   /* NULL: anonymous, or a session */
/* Who of the provider's people asks, under which grant: auth `sts`. */
struct verified_session {
    uint8_t grant[ID_BYTES];
    char grant_text[ID_TEXT_CHARS + 1];
    char account[POLICY_WORD_CHARS_MAX + 1];
    char country[3];
    char access_key[ACCESS_KEY_CHARS + 1];
};
const struct verified_session *verified_session(const struct verified *v);   /* NULL: somebody else */
/* Refused for how it was sent, which no decision sees: `why` of its leaf unless decide denies it too; NULL: the fault's S3 code says it. */
const char *verified_why(const struct verified *v);
uint32_t verified_repeats(const struct verified *v);             /* times this signature was seen, this one included */

enum policy_auth verified_auth(const struct verified *v);
uint64_t verified_signed_ms(const struct verified *v);           /* when the signature says it was made; 0: it does not */
/* Chunks that came under the request's signature, in order (chunk rows list of the wire), and its trailer's row or nothing. What is
 * wrong with them stays in *c. */
struct s3_chain;
void step_verify_chunks(struct gate_request *r, struct s3_chain *c, struct slice rows, struct slice trailer);

/* step_decide.c -------------------------------------------------------------------------------------------------------- */

/* Asks policy, with the control log as it is now. */
const struct decided *step_decide(struct gate_request *r, const struct verified *v);
struct policy_use;
/* Whom a leaf under a grant names. False: there is no such grant or person. */
bool step_use(const struct gate_request *r, struct policy_use *out);
bool step_grant_lives(const struct gate_request *r);             /* as the log says now: what was recorded before it ended is not released behind it */
/* For another action, key or version of the same request (items of a batch). vid p NULL: none. */
bool step_decide_also(struct gate_request *r, const struct verified *v, enum s3_op op, struct slice key, struct slice vid);
/* May the caller read the source of this copy? Another decision of the same request: bucket, key and version are the source's. tags and owner: of
 * what FIND saw there (empty when nothing). Its inputs stand in the leaf's `copy` and, when policies ask, in ctx as "=source-tags" and "=source-owner". */
bool step_decide_source(struct gate_request *r, const struct verified *v, const struct s3_copy_source *from, struct slice tags, struct slice owner);
/* The decision hangs on the object: after FIND comes step_object_allowed(). Such a decision does not record. */
bool decided_needs_object(const struct decided *d);
/* Decides again with what the object is: its tags (canonical query form) and its writer's account; both empty when there is none. Nothing
 * happens unless decided_needs_object(). False: r->fault is set, step_refuse() is next. */
MUST_USE bool step_object_allowed(struct gate_request *r, struct slice tags, struct slice owner);
bool decided_hides(const struct decided *d);       /* what is absent is answered 403 AccessDenied: POLICY_HIDE_ABSENCE */
bool decided_allow(const struct decided *d);
const char *decided_why(const struct decided *d);                /* policy's reason: `why` of a denied leaf */
bool decided_bucket(const struct decided *d);      /* it came as far as the bucket: its id stands in the leaf */
bool decided_budget(const struct decided *d);                    /* denied because the release would open more than is left */
enum s3_error decided_code(const struct decided *d);             /* what S3 answers then */
const struct verified *decided_of(const struct decided *d);
enum policy_body request_body(const struct gate_request *r);     /* how the body is bound to the signature */
uint64_t decided_ctl(const struct decided *d);                   /* size of the control log it was decided under */
uint32_t decided_engine(const struct decided *d);

/* step_record.c --------------------------------------------------------------------------------------------------------- */

/* What an operation says about itself; the rest of the leaf comes from the request, its verification and its decision. */
struct leaf_says {
    bool write;                                    /* `w`: authorises and commits; needs a gate_write with its command */
    const char *why;                               /* S3 code when the answer is a refusal; NULL */
    bool has_bytes, has_range, has_ver, has_asof, has_batch;
    bool has_read, has_segment;                    /* under a grant: `read` is where the access log stood when this was read (else its size now); segment */
    uint64_t read, segment;
    const uint64_t *ref;                           /* under a grant: `ref`, of a release that goes on; NULL: none */
    uint64_t bytes, range_first, range_last, ver, asof;
    uint64_t rev;                                  /* with has_ver: its revision; 0: none but ver */
    uint64_t n;                                    /* batch: items, and their root */
    uint8_t root[HASH_BYTES];
    struct slice fresh, qry, res, items, up, copy, sub;   /* values of the commitments new, qry, res ...; p NULL: absent */
};                                                 /* `vid` and `ctx` come from the request */
/* Appends the leaf to the tenant's access log; under a grant to its control log, where it is folded at once: the budget counts it. `durable` is called from the loop when it is on disk, with the receipt. With a
 * write, its command rides in the same record; the write's own callback tells what came of it, and `durable` may be NULL
 * (a read without it is one whose durability a later record of the same log implies). A read's
 * hold is let go here, when its leaf has its place. The last thing a caller does in its turn.
 * Errors, with nothing appended: RANGE the clock is too far behind, LIMIT the leaf does not fit. Asserts: allowed or refusing, decided under the control log's present size, logbook_ready() was asked. */
MUST_USE enum err step_record(struct gate_request *r, const struct decided *d, const struct leaf_says *says, struct gate_write *w,
                              void (*durable)(struct gate_request *r, const struct recorded *rec));
struct recorded *request_recorded(struct gate_request *r);       /* NULL: nothing was recorded yet */
/* Configuration by the request's own record in the control log, folded at once. cfg: a document of r->bucket set (on) or ended; iam: of
 * `account`. doc p NULL: none. EXISTS, MISSING, INPUT, LIMIT: the fold would refuse it and nothing was appended. */
MUST_USE enum err step_record_cfg(struct gate_request *r, const struct decided *d, bool on, struct slice doc,
                                  void (*durable)(struct gate_request *r, const struct recorded *rec));
MUST_USE enum err step_record_iam(struct gate_request *r, const struct decided *d, struct slice account, bool on, struct slice sub, struct slice doc,
                                  void (*durable)(struct gate_request *r, const struct recorded *rec));
/* The same for a bucket itself. */
MUST_USE enum err step_record_bucket(struct gate_request *r, const struct decided *d, const struct gate_bucket *b, bool on,
                                     void (*durable)(struct gate_request *r, const struct recorded *rec));
bool recorded_durable(const struct recorded *rec);               /* asks the logbook, keeps no flag of its own */
void recorded_text(const struct recorded *rec, struct buf *out); /* "<log>/<index>" */
void recorded_spend(struct recorded *rec);                       /* a receipt releases once */

/* step_release.c -------------------------------------------------------------------------------------------------------- */

struct release_says {
    uint16_t status;
    bool head;
    uint64_t size, off, len;
};
/* The makers of a RELEASE. rec must be durable and not spent (asserted). Segment keys are derived here and only for the segments in range; the
 * frame goes straight to the connection's buffer. Of an object in parts WIRE_RELEASE_ROWS_MAX rows go out at once, from the rows that from->parts
 * holds: call read_release() (request.h), which asks the keeper for them. Ends the request with the last one, unless from->copy. */
void step_release_from(struct gate_request *r, struct request_get *from, struct recorded *rec, const struct release_says *says);
void step_release_next(struct gate_request *r, struct request_get *from);
bool step_release_rows_there(const struct request_get *from);
/* Under a grant: what comes next of from's range, one segment of one blob. Rows of a set must be there. CORRUPT: they are not so. */
struct request_opens;
MUST_USE enum err step_release_segment(struct gate_request *r, struct request_get *from, struct request_opens *out);
/* Its RELEASE, by the receipt of its own leaf; the request lives on until NEXT says that it was sent. */
void step_release_metered(struct gate_request *r, struct request_get *from, struct recorded *rec);
bool step_release_whole(const struct request_get *from);         /* all of the range was released */
/* Opens a part row of q's set: what it says of itself is what its seal says. Its key stays in step_release.c's locked memory, till the next one. CORRUPT: not so. */
struct wire_part_row;
struct entry_part;
MUST_USE enum err step_release_row(struct gate_request *r, const struct request_get *q, const struct wire_part_row *row, struct entry_part *part);

#endif
