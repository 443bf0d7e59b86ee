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
 * Rules of engine 3 (docs/spec/policy.md has the table); the first that fits decides
 *   no genesis, unknown act            deny
 *   the steward                        its own acts, nothing else
 *   a statement                        acts of OWNER rows, by a key that genesis names
 *   a person's session                 what its grant says, and none of what follows (policy_use.c)
 *   an access key                      must be known, on, and the named account's and user's
 *   CreateBucket                       the name is free and there is room; root, or a user whose policies allow it
 *   anything in a bucket               the bucket is there; then the evaluation of AWS: an explicit deny in the bucket's policy or the
 *                                      user's wins; in the owner's account root, or an allow of either; from another account or from
 *                                      everyone an allow of the bucket's policy (not through a public one when the bucket restricts
 *                                      public policies), and of the user's own; an object's writer reads it where ownership is ObjectWriter
 *   IAM                                root of the account, or a user whose policies allow the action on that user
 *   otherwise                          deny
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

#define POLICY_ENGINE_VERSION 3

/* state -------------------------------------------------------------------------------------------------------------- */

struct policy_key {
    char access_key[ACCESS_KEY_CHARS + 1];     /* empty: its opening was erased */
    char account[ACCOUNT_CHARS + 1];
    char user[POLICY_USER_CHARS_MAX + 1];      /* POLICY_USER_ROOT: the account's own */
    bool on;
    bool by_iam;                               /* CreateAccessKey, not a key leaf */
    bool gone;                                 /* DeleteAccessKey: off for ever, no more in lists */
    uint64_t created_ms;
    uint64_t index;                            /* the leaf that added it or changed it last */
};

struct policy_doc;                             /* compiled; policy_doc.c */
struct policy_user_policy {
    char name[POLICY_NAME_CHARS_MAX + 1];
    struct buf text;                           /* as sent */
    struct policy_doc *doc;                    /* NULL: it was erased; then it denies */
};
struct policy_user {
    char account[ACCOUNT_CHARS + 1];
    char name[POLICY_USER_CHARS_MAX + 1];
    char path[POLICY_PATH_CHARS_MAX + 1];      /* "/" or "/a/b/" */
    char id[POLICY_USER_ID_CHARS + 1];         /* "AIDA" and 16 more, from its leaf's index: a user made anew is another one */
    uint64_t created_ms, index;
    bool unknown;                              /* a policy call of its account was erased: it may have been this user's, and it is denied */
    size_t policy_count;
    struct policy_user_policy policies[POLICY_USER_POLICIES_MAX];
};

enum policy_doc_kind {
#define POLICY_DOC(NAME, put, del, fold) POLICY_DOC_##NAME,
#include "policy/policy_doc.def"
#undef POLICY_DOC
    POLICY_DOC__COUNT
};
enum policy_versioning { POLICY_VERSIONING_OFF, POLICY_VERSIONING_ENABLED, POLICY_VERSIONING_SUSPENDED };
enum policy_ownership { POLICY_OWNERSHIP_ENFORCED, POLICY_OWNERSHIP_PREFERRED, POLICY_OWNERSHIP_WRITER };

struct policy_bucket {
    uint8_t id[ID_BYTES];
    char name[S3_BUCKET_CHARS_MAX + 1];        /* empty: its opening was erased, it is found by id only */
    char account[ACCOUNT_CHARS + 1];           /* owner */
    uint64_t created_ms, index;                /* time and number of its leaf */
    bool present;                              /* false: a free row */
    bool require_signed_payload;
    enum policy_versioning versioning;
    enum policy_ownership ownership;
    bool ownership_set;                        /* false: GET says that there is none; ENFORCED holds */
    bool block[4];                             /* BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets */
    bool is_public;                            /* its policy gives everyone something */
    struct buf text[POLICY_DOC__COUNT];        /* documents that are set; empty: none */
    struct policy_doc *policy;                 /* compiled; NULL: none */
    bool erased[POLICY_DOC__COUNT];            /* it is set, and the customer had it erased: nobody knows what it says */
};

struct policy_state {
    uint32_t magic;
    uint64_t size;                             /* control leaves folded: what `ctl` in a leaf names */
    uint64_t changed;                          /* the size behind the last of them that was no use of a grant: those change what it has used, and nothing else */
    uint64_t t_ms;                             /* of the last leaf */
    bool founded;                              /* genesis was folded */
    bool founding;                             /* only leaves under the genesis statement followed it so far */
    char account[ACCOUNT_CHARS + 1];           /* the tenant's first account; acts of OWNER rows are its root user's */
    char name[S3_BUCKET_CHARS_MAX + 1];
    uint32_t owner_count;
    char owners[POLICY_OWNERS_MAX][SSH_FINGERPRINT_CHARS + 1];
    uint64_t grave_ms;                         /* how long what is no longer current stays restorable */
    struct buf keys, buckets, users;           /* arrays of policy_key, policy_bucket, policy_user (in order of account and name) */
    uint32_t bucket_count;                     /* present ones */
    uint64_t doc_bytes;                        /* of all documents: POLICY_DOC_BYTES_TOTAL_MAX */
    bool iam_erased;                           /* of an IAM call it was erased whom it was about: users and keys may be unknown */
    struct map *key_by_text, *bucket_by_name, *bucket_by_id, *readers;
    struct policy_access *access;              /* mirrored people, the customer's side, grants: policy_access.h */
};
/* NOMEM. Pair: policy_done, which accepts a zeroed struct. */
MUST_USE enum err policy_init(struct policy_state *s);
void policy_done(struct policy_state *s);

/* Folds control leaf number `index` (record_leaf_parse with RECORD_LOG_CONTROL) with its opening (NULL: it has none).
 * INPUT: not the next index, time falls, a kind or value that has no sense here; AUTH: signed by nobody who may, or a public policy
 * that the bucket blocks; EXISTS, MISSING:
 * a bucket, key,
 * reader or user is there already, or not (DeleteUser: EXISTS while it has keys or policies); LIMIT: a bound; VERIFY: a statement's leaf
 * says something else than what comes of it; VERSION: decided by a newer engine, or a kind of statement that is not known here. On any error the state is as
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
const struct policy_user *policy_user(const struct policy_state *s, struct slice account, struct slice name);
/* Present users of the account, and keys of the account's user (turned off ones too, gone ones not), in order of name and of their
 * leaves; *cursor 0 to begin. */
const struct policy_user *policy_user_next(const struct policy_state *s, struct slice account, size_t *cursor);
const struct policy_key *policy_key_next(const struct policy_state *s, struct slice account, struct slice user, size_t *cursor);
const struct policy_user_policy *policy_user_policy(const struct policy_user *u, struct slice name);
/* The document as it was set; p NULL: there is none. */
struct slice policy_bucket_doc(const struct policy_bucket *b, enum policy_doc_kind k);
bool policy_reader_on(const struct policy_state *s, struct slice capability);
bool policy_is_owner(const struct policy_state *s, struct slice fingerprint);

/* acts ----------------------------------------------------------------------------------------------------------------- */

/* The first values are those of enum s3_op, from the same table. */
enum policy_act {
    POLICY_ACT_NONE = 0,
#define S3_OP(level, method, sub, name, action, kind, answer) POLICY_ACT_##name,
#include "s3/s3_op.def"
#undef S3_OP
#define POLICY_ACT(name, level, who, action) POLICY_ACT_##name,
#include "policy/policy_act.def"
#undef POLICY_ACT
    POLICY_ACT__COUNT
};
enum policy_act policy_act_of(struct slice text);   /* POLICY_ACT_NONE when there is no such act */
const char *policy_act_text(enum policy_act a);     /* "GetObject" */
const char *policy_act_action(enum policy_act a);   /* "s3:GetObject", "iam:CreateUser"; "" for the steward's */
/* Which document the act sets (*on) or ends; POLICY_DOC__COUNT: none. */
enum policy_doc_kind policy_doc_of_act(enum policy_act a, bool *on);

/* who ------------------------------------------------------------------------------------------------------------------ */

enum policy_auth { POLICY_AUTH_HDR, POLICY_AUTH_QRY, POLICY_AUTH_FORM, POLICY_AUTH_ANON, POLICY_AUTH_STMT, POLICY_AUTH_AUTO, POLICY_AUTH_STS, POLICY_AUTH__COUNT };
const char *policy_auth_text(enum policy_auth a);   /* "hdr" */
MUST_USE enum err policy_auth_parse(struct slice text, enum policy_auth *out);

/* The value of the field `who`:
 *   hdr, qry, form   <account>:<user>:<access key id>    account 12 digits, user 1..POLICY_USER_CHARS_MAX of [A-Za-z0-9+=,.@_-]
 *   anon       anon
 *   stmt       the signer's fingerprint, SHA256:...
 *   auto       auto
 *   sts        <account>:<grant id, base32>:<access key id>    a person's session under a grant (policy_access.h) */
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
    struct slice version_id;                        /* as the caller named it; p NULL: not */
    struct slice ctx;                               /* record_ctx pairs: what conditions may ask about (docs/spec/policy.md section 5); empty
                                                     * when policy_wants_ctx() says so */
    bool object_known;                              /* FIND was made: the ctx pairs "=tags", "=owner", "=absent" are complete */
    struct record_sub sub;                          /* IAM acts: whom it is about */
    uint8_t grant[ID_BYTES];                        /* STS: the grant; who.user is its text */
    bool opens_known;                               /* STS: this decision is about releasing `opens`; before FIND it is not known */
    uint64_t opens;                                 /* bytes that the keys to be released can open */
    bool goes_on;                                   /* a further release of a stream: its object was counted */
};
/* Whether any condition or ownership rule can matter to this request: else no ctx is put together, and none stands in its leaf. */
bool policy_wants_ctx(const struct policy_state *s, const struct policy_request *r);
/* The names of ctx pairs, in the order they are put (policy_ctx.def): begin with i 0; false past the last. "?x" is the query parameter x,
 * decoded; "=x" is what the gate knows; the others are request headers. A pair is put only when there is such a value; "=tags" and
 * "=owner" only after FIND, when an object (no delete marker) was found, and "=absent" only when none was. */
bool policy_ctx_wanted(size_t i, const char **name);

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
    bool needs_object;                              /* not decided yet: it hangs on the object's tags or writer. FIND, then ask again with
                                                     * object_known (with what is not there: no tags, no owner) */
    uint32_t obligations;                           /* POLICY_HIDE_ABSENCE */
    const struct policy_bucket *bucket;             /* the bucket named; NULL when denied before it was looked at, or none */
};
/* What is not there is answered 403, not 404: the caller may not list the bucket. Set for READ acts on objects. */
#define POLICY_HIDE_ABSENCE 1u
struct policy_decision policy_decide(const struct policy_state *s, const struct policy_request *r);

/* documents ----------------------------------------------------------------------------------------------------------------- */

/* Whether text is a policy AWS would take, for a bucket (name) or a user (bucket empty): syntax, known elements only, principals where
 * they belong, actions and resources of this bucket, condition operators and keys, POLICY limits. INPUT with *why for a person. */
MUST_USE enum err policy_doc_check(struct slice text, struct slice bucket, const char **why);
/* Does it give everyone something (as S3's block public access means it)? text passed policy_doc_check. */
bool policy_doc_is_public(struct slice text);

/* replay --------------------------------------------------------------------------------------------------------------- */

/* The request that an `acc`, `bkt`, `cfg` or `iam` leaf records. INPUT: another kind, unknown words; MISSING: an opening is erased or absent. The verifier asks with it
 * for the source of a copy too. */
MUST_USE enum err policy_request_of(const struct record_leaf *leaf, const struct record_opening *opening, struct policy_request *out);
/* Decides again and compares with `dec`, `why` (when denied), `bkt`, `w`. The state must have been folded to the leaf's `ctl`
 * (a `bkt` leaf's: before it is applied itself): RANGE otherwise. VERIFY: the leaf says something else; *out is what should stand
 * there. VERSION: decided by an engine that is not known here; INPUT: not a leaf of a request, or unknown
 * words; MISSING: an opening is erased or absent. */
MUST_USE enum err policy_check(const struct policy_state *s, const struct record_leaf *leaf,
                               const struct record_opening *opening, struct policy_decision *out);

#endif
