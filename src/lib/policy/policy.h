/* SPDX-License-Identifier: Apache-2.0
 * policy: a tenant's state as the fold of its control log, and the decision on every request from that state alone.
 *
 *     control leaf + opening -> policy_apply() -> struct policy_state
 *     request                -> policy_decide(state, request) -> struct policy_decision
 *     recorded leaf + opening -> policy_check(state, ...): the same decision again, compared with what the leaf says
 *
 * Role: the gate decides with it, tillit-verify recomputes with it. Default is deny.
 * Trusts: that openings were checked against their leaves (record_opening_check) and that callers were proven.
 * Distrusts: leaves that make no sense where they stand: refused, and the state stays as it was.
 * Law: 4 (the control log is the state), 6 (only the customer widens). Spec: docs/spec/policy.md, docs/spec/record.md.
 *
 * Rules of engine 1, in this order; the first that fits decides
 *   no genesis, unknown act            deny
 *   anonymous                          deny (nobody can give everyone anything yet)
 *   the steward                        its own acts, nothing else
 *   a statement                        acts of OWNER rows, by a key that genesis names
 *   an access key                      must be known, on, and the named account's root user's
 *   CreateBucket                       the name is free and there is room
 *   anything in a bucket               the bucket is there; it is the account's own, or the account is the tenant's first;
 *                                      a write's body is under the signature where the bucket wants that
 *   otherwise                          allow
 * A change of these rules is a new POLICY_ENGINE_VERSION: leaves name the version they were decided by.
 *
 * Purity: no clock, file, environment, randomness, and no allocation but growth of struct buf and map. Equal logs give equal
 *   states and decisions. Threads: a state belongs to one at a time; decide and check only read it.
 */
#ifndef TILLIT_POLICY_H
#define TILLIT_POLICY_H

#include "base/base.h"
#include "base/limits.h"
#include "record/record.h"

#define POLICY_ENGINE_VERSION 1

/* state -------------------------------------------------------------------------------------------------------------- */

struct policy_key {
    char access_key[ACCESS_KEY_CHARS + 1];     /* empty: its opening was erased */
    char account[ACCOUNT_CHARS + 1];
    bool on;
    uint64_t index;                            /* the leaf that added it or turned it off last */
};

struct policy_bucket {
    uint8_t id[ID_BYTES];
    char name[S3_BUCKET_CHARS_MAX + 1];        /* empty: its opening was erased, it is found by id only */
    char account[ACCOUNT_CHARS + 1];           /* owner */
    uint64_t created_ms, index;                /* time and number of its leaf */
    bool present;                              /* false: a free row */
    bool require_signed_payload;
};

struct policy_state {
    uint32_t magic;
    uint64_t size;                             /* control leaves folded: what `ctl` in a leaf names */
    uint64_t t_ms;                             /* of the last leaf */
    bool founded;                              /* genesis was folded */
    bool founding;                             /* only leaves under the genesis statement followed it so far */
    char account[ACCOUNT_CHARS + 1];           /* the tenant's first account; its root user may do everything in the tenant */
    char name[S3_BUCKET_CHARS_MAX + 1];
    uint32_t owner_count;
    char owners[POLICY_OWNERS_MAX][SSH_FINGERPRINT_CHARS + 1];
    uint64_t grave_ms;                         /* how long what is no longer current stays restorable */
    struct buf keys, buckets;                  /* arrays of policy_key, policy_bucket */
    uint32_t bucket_count;                     /* present ones */
    struct map *key_by_text, *bucket_by_name, *bucket_by_id, *readers;
};
/* NOMEM. Pair: policy_done, which accepts a zeroed struct. */
MUST_USE enum err policy_init(struct policy_state *s);
void policy_done(struct policy_state *s);

/* Folds control leaf number `index` (record_leaf_parse with RECORD_LOG_CONTROL) with its opening (NULL: it has none).
 * INPUT: not the next index, time falls, a kind or value that has no sense here; AUTH: signed by nobody who may; EXISTS, MISSING:
 * a bucket, key or reader is there already, or not; LIMIT: a bound; VERSION: decided by a newer engine. On any error the state is as
 * before. */
MUST_USE enum err policy_apply(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                               const struct record_opening *opening);

/* What policy_apply would answer, without doing it: to be asked before a leaf is appended, so that no leaf exists that does not
 * fold. */
MUST_USE enum err policy_can_apply(const struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                                   const struct record_opening *opening);

/* NULL when not there. Pointers live until the next policy_apply. */
const struct policy_bucket *policy_bucket(const struct policy_state *s, struct slice name);
const struct policy_bucket *policy_bucket_of_id(const struct policy_state *s, const uint8_t id[ID_BYTES]);
const struct policy_key *policy_key(const struct policy_state *s, struct slice access_key);
/* Every present bucket, in the order of rows (not of names): begin with *cursor = 0; NULL at the end. */
const struct policy_bucket *policy_bucket_next(const struct policy_state *s, size_t *cursor);
bool policy_reader_on(const struct policy_state *s, struct slice capability);
bool policy_is_owner(const struct policy_state *s, struct slice fingerprint);

/* acts ----------------------------------------------------------------------------------------------------------------- */

/* The first values are those of enum s3_op, from the same table. */
enum policy_act {
    POLICY_ACT_NONE = 0,
#define S3_OP(level, method, sub, name, action, kind, answer) POLICY_ACT_##name,
#include "s3/s3_op.def"
#undef S3_OP
#define POLICY_ACT(name, level, who) POLICY_ACT_##name,
#include "policy/policy_act.def"
#undef POLICY_ACT
    POLICY_ACT__COUNT
};
enum policy_act policy_act_of(struct slice text);   /* POLICY_ACT_NONE when there is no such act */
const char *policy_act_text(enum policy_act a);     /* "GetObject" */

/* who ------------------------------------------------------------------------------------------------------------------ */

enum policy_auth { POLICY_AUTH_HDR, POLICY_AUTH_QRY, POLICY_AUTH_ANON, POLICY_AUTH_STMT, POLICY_AUTH_AUTO, POLICY_AUTH__COUNT };
const char *policy_auth_text(enum policy_auth a);   /* "hdr" */
MUST_USE enum err policy_auth_parse(struct slice text, enum policy_auth *out);

/* The value of the field `who`:
 *   hdr, qry   <account>:<user>:<access key id>    account 12 digits, user 1..POLICY_USER_CHARS_MAX of [A-Za-z0-9+=,.@_-]
 *   anon       anon
 *   stmt       the signer's fingerprint, SHA256:...
 *   auto       auto */
struct policy_who {
    struct slice account, user, access_key;         /* loans; empty where the kind has none */
    struct slice fingerprint;
};
#define POLICY_USER_ROOT "root"
MUST_USE enum err policy_who_parse(enum policy_auth auth, struct slice text, struct policy_who *out);
void policy_who_put(struct buf *out, enum policy_auth auth, const struct policy_who *w);

/* decisions ------------------------------------------------------------------------------------------------------------ */

enum policy_body { POLICY_BODY_NONE, POLICY_BODY_SHA256, POLICY_BODY_UNS, POLICY_BODY_UNST, POLICY_BODY_CHUNK, POLICY_BODY__COUNT };
const char *policy_body_text(enum policy_body b);   /* "none" "sha256" "uns" "unst" "chunk", as in a leaf */
MUST_USE enum err policy_body_parse(struct slice text, enum policy_body *out);

struct policy_request {
    enum policy_auth auth;
    struct policy_who who;
    enum policy_act act;
    struct slice bucket, key;                       /* names; empty where the act has none */
    enum policy_body body;
    struct slice peer;
    bool tls;
    uint64_t t_ms;                                  /* record time */
};

enum policy_reason {
#define REASON(name, text, s3, what) POLICY_##name,
#include "policy/policy_reason.def"
#undef REASON
    POLICY_REASON__COUNT
};
const char *policy_reason_text(enum policy_reason r);   /* for `why` */
const char *policy_reason_s3(enum policy_reason r);     /* "AccessDenied"; "" when allowed */

struct policy_decision {
    bool allow;
    enum policy_reason reason;
    uint32_t engine;                                /* POLICY_ENGINE_VERSION */
    uint64_t ctl;                                   /* state->size it was decided under */
    uint32_t obligations;                           /* 0: engine 1 has none; grants and approvals bring them */
    const struct policy_bucket *bucket;             /* the bucket named; NULL when denied before it was looked at, or none */
};
struct policy_decision policy_decide(const struct policy_state *s, const struct policy_request *r);

/* replay --------------------------------------------------------------------------------------------------------------- */

/* The request that an `acc` or `bkt` leaf records. INPUT: another kind, unknown words; MISSING: an opening is erased or absent. */
MUST_USE enum err policy_request_of(const struct record_leaf *leaf, const struct record_opening *opening,
                                    struct policy_request *out);
/* Decides again and compares with `dec`, `why` (when denied), `bkt`, `w`. The state must have been folded to the leaf's `ctl`
 * (a `bkt` leaf's: before it is applied itself): RANGE otherwise. VERIFY: the leaf says something else; *out is what should stand
 * there. VERSION: decided by an engine that is not known here. */
MUST_USE enum err policy_check(const struct policy_state *s, const struct record_leaf *leaf,
                               const struct record_opening *opening, struct policy_decision *out);

#endif
