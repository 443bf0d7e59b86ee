/* SPDX-License-Identifier: Apache-2.0
 * policy, second header: the provider's people, the customer's side (approvers, rules), and grants.
 *
 *     statement + who signed it -> policy_say(): what comes of it, and why not   (the gate asks before a leaf is written; replay asks again)
 *     its `stmt` leaf           -> policy_apply() / policy_provider_apply(): the effect
 *     request under a grant     -> policy_decide() with auth STS (policy.h)
 *
 * Role: gate, tillit-verify and `who-can` use it. Trusts: that signatures were verified, by whom `struct policy_signer` says.
 * Distrusts: every word of a statement; its effect is allowed only where policy_say() says so with the state before it.
 * Law: 4 (all of it is a fold), 6 (no statement of an officer or of staff changes approvers, rules or recovery).
 * Spec: docs/spec/access.md. Purity, threads: as policy.h. Clocks: everything that depends on time takes t, in ms since 1970.
 */
#ifndef TILLIT_POLICY_ACCESS_H
#define TILLIT_POLICY_ACCESS_H

#include "policy/policy.h"

/* who signed ----------------------------------------------------------------------------------------------------------------- */

enum policy_by_key { POLICY_KEY_SSH, POLICY_KEY_SK, POLICY_KEY_PASSKEY };     /* `auth` of a stmt leaf: ssh, sk, passkey */
struct policy_signer {
    struct slice key;                              /* SHA256:... (SSH), or the term passkey:... of the key that verified */
    enum policy_by_key by;
};

/* the provider --------------------------------------------------------------------------------------------------------------- */

#define POLICY_ROLES(X) X(support) X(engineer) X(security) X(legal) X(facility) X(manager) X(officer)
enum policy_role {
#define POLICY_ROLE_ONE(name) POLICY_ROLE_##name,
    POLICY_ROLES(POLICY_ROLE_ONE)
#undef POLICY_ROLE_ONE
    POLICY_ROLE__COUNT
};

struct policy_person {
    char account[POLICY_WORD_CHARS_MAX + 1];       /* subject of person.set */
    char person[POLICY_WORD_CHARS_MAX + 1];
    char manager[POLICY_WORD_CHARS_MAX + 1];       /* "": any manager */
    char subprocessor[POLICY_WORD_CHARS_MAX + 1];  /* "": the provider's own */
    char office[3];
    const char *name, *employer;                   /* loans of the people's memory */
    uint32_t roles;                                /* 1 << POLICY_ROLE_* */
    uint64_t training_ms, screening_ms, review_ms;
    uint64_t index;                                /* of its statement on the provider log */
    bool on;
};
struct policy_words {                              /* a small set of words (verbs, categories, approvers): sorted, each once */
    uint8_t count;
    char word[POLICY_WORDS_MAX][POLICY_WORD_CHARS_MAX + 1];
};
struct policy_purpose {
    char name[POLICY_WORD_CHARS_MAX + 1];
    uint32_t roles;
    struct policy_words verbs, categories;         /* either empty: off */
    uint64_t index;
};

/* Officers, persons, purposes: all of them in the provider's own state, those that were mirrored in a tenant's. */
struct policy_people;
struct policy_provider {
    uint32_t magic;
    uint64_t size;                                 /* the next leaf has this index, or a higher one */
    uint64_t t_ms;
    struct policy_people *people;
    struct ledger_hash hash;                       /* made when the first statement is read */
};
MUST_USE enum err policy_provider_init(struct policy_provider *p);
void policy_provider_done(struct policy_provider *p);
/* Folds a leaf of the provider log; leaves of other kinds than genesis and stmt pass, and need not be given. Errors as policy_apply. Asked
 * before a leaf is appended: policy_provider_say() gives what the leaf must say. */
MUST_USE enum err policy_provider_apply(struct policy_provider *p, uint64_t index, const struct record_leaf *leaf, const struct record_opening *opening);

/* NULL: not there. Loans until the next apply. */
const struct policy_person *policy_person(const struct policy_people *p, struct slice account);
const struct policy_person *policy_person_of_key(const struct policy_people *p, struct slice key);   /* a key taken away: NULL */
bool policy_person_key_removed(const struct policy_people *p, struct slice key);
const struct policy_purpose *policy_purpose(const struct policy_people *p, struct slice name);
bool policy_officer(const struct policy_people *p, struct slice fingerprint);
uint64_t policy_people_genesis(const struct policy_people *p);      /* index of genesis on the provider log; UINT64_MAX: not mirrored */
bool policy_eligible(const struct policy_person *p, uint64_t t_ms);
/* Every account, in order of their first statements; *cursor 0 to begin. */
const struct policy_person *policy_person_next(const struct policy_people *p, size_t *cursor);

/* the customer's side ---------------------------------------------------------------------------------------------------------- */

struct policy_access;                              /* in struct policy_state: everything below of one tenant */

struct policy_approver {
    char id[SSH_FINGERPRINT_CHARS + POLICY_WORD_CHARS_MAX + 1];      /* word; of an owner who stands in for approvers, its fingerprint */
    char name[POLICY_TEXT_BYTES_MAX + 1];
};
const struct policy_people *policy_people(const struct policy_state *s);       /* the mirrored ones */
/* Who this key is an approver as; NULL: of none. */
const struct policy_approver *policy_approver_of_key(const struct policy_state *s, struct slice key);
bool policy_knows_key(const struct policy_state *s, struct slice key);          /* anybody here, a removed or proposed one included: refusals get a leaf */
/* Origin and rpId for passkeys of this tenant's approvers; false: none are pinned, passkeys are refused. */
bool policy_origin(const struct policy_state *s, struct slice *origin, struct slice *rpid);
/* The passkey term that has this credential id (base64url), of an approver or a mirrored person; p NULL: none. *counter: last seen. */
struct slice policy_passkey(const struct policy_state *s, struct slice credential, uint32_t *counter);
struct slice policy_provider_passkey(const struct policy_provider *p, struct slice credential, uint32_t *counter);
/* Where notices go: cursor 0 to begin. */
struct policy_notice {
    char id[POLICY_WORD_CHARS_MAX + 1];
    char webhook[POLICY_TEXT_BYTES_MAX + 1], mail[POLICY_TEXT_BYTES_MAX + 1];   /* "": not that way */
};
const struct policy_notice *policy_notice_next(const struct policy_state *s, size_t *cursor);
struct slice policy_bucket_categories(const struct policy_state *s, const uint8_t bucket[ID_BYTES]);   /* joined by '+': `cat` of a leaf */

/* grants --------------------------------------------------------------------------------------------------------------------------- */

enum policy_grant_state {
#define GRANT_STATE(NAME, text, kind) POLICY_GRANT_##NAME,
#include "policy/grant_state.def"
    POLICY_GRANT__COUNT
};
const char *policy_grant_state_text(enum policy_grant_state s);

struct policy_terms {
    char bucket[S3_BUCKET_CHARS_MAX + 1];
    struct slice prefix;                           /* decoded; loan of the grant's memory */
    struct policy_words verbs, categories;
    uint64_t duration_ms, objects, bytes;
};
#define POLICY_APPROVALS_MAX 17                    /* a manager and 16 approvers */
struct policy_approval {
    bool manager;
    char id[SSH_FINGERPRINT_CHARS + POLICY_WORD_CHARS_MAX + 1];      /* account of the manager, id of the approver */
    struct slice key;
    uint64_t index, t_ms;
};
/* What is over keeps id, state, who and what was used; terms and approvals are let go of (their statements stand on the log). */
struct policy_grant {
    uint8_t id[ID_BYTES];
    enum policy_grant_state state;                 /* as of the last leaf about it: ask policy_grant_state() */
    char account[POLICY_WORD_CHARS_MAX + 1];       /* the requester's */
    uint8_t request[HASH_BYTES];                   /* SHA-256 of the request's text */
    uint64_t index;                                /* of the request's leaf */
    uint64_t requested_ms, lapse_ms;               /* lapses at, while pending */
    uint64_t start_ms, end_ms;                     /* once approved; before, start_ms is what was asked for or 0 */
    uint64_t used_objects, used_bytes;
    bool has_extends;
    uint8_t extends[ID_BYTES];
    struct policy_terms *terms;                    /* what all signatures allow together; NULL once it is over */
    char purpose[POLICY_WORD_CHARS_MAX + 1], country[3];
    size_t approval_count;
    struct policy_approval *approvals;
};
const struct policy_grant *policy_grant(const struct policy_state *s, const uint8_t id[ID_BYTES]);
enum policy_grant_state policy_grant_state(const struct policy_state *s, const struct policy_grant *g, uint64_t t_ms);
/* Those that are not over, in order of their requests; *cursor 0 to begin. */
const struct policy_grant *policy_grant_next(const struct policy_state *s, size_t *cursor);
/* Approvals of the customer's that the rule of its bucket and prefix wants now; *standing: how many of those given still count. Not over (asserted). */
unsigned policy_grant_need(const struct policy_state *s, const struct policy_grant *g, unsigned *standing);
/* The next moment at which time changes a state (start, end, lapse): a `grant` leaf is due then. UINT64_MAX: none. */
uint64_t policy_grants_due(const struct policy_state *s);

/* statements ------------------------------------------------------------------------------------------------------------------------- */

enum policy_say {
#define SAY(NAME, text, status, what) POLICY_SAY_##NAME,
#include "policy/policy_say.def"
    POLICY_SAY__COUNT
};
const char *policy_say_text(enum policy_say s);
const char *policy_say_what(enum policy_say s);
unsigned policy_say_status(enum policy_say s);

struct policy_statement {
    const struct record_statement *s;              /* of any kind; those without terms have leaves of their own when they are taken: here they are refused */
    uint8_t digest[HASH_BYTES];                    /* SHA-256 of its text */
    struct policy_signer signer;
    uint64_t t_ms;                                 /* record time */
};
/* What comes of it: DONE or WAITS, or why it is refused. Nothing changes. Kinds of the provider log ask policy_provider_say. For access.* and
 * the customer's kinds the persons and purposes it relies on must be mirrored: policy_mirrors() says which are not, or are out of date. */
enum policy_say policy_say(const struct policy_state *s, const struct policy_statement *st);
enum policy_say policy_provider_say(const struct policy_provider *p, const struct policy_statement *st);

/* Indices on the provider log whose mirrors must come before st is said here (or, st NULL, before anything is decided at all: those that a
 * pending or live grant relies on and that changed), in the order in which they must be written. At most POLICY_MIRRORS_MAX: ask again until
 * there are none; gives their count. */
#define POLICY_MIRRORS_MAX 48
size_t policy_mirrors(const struct policy_state *s, const struct policy_provider *p, const struct policy_statement *st, uint64_t out[POLICY_MIRRORS_MAX]);

/* using a grant ------------------------------------------------------------------------------------------------------------------------- */

/* policy_request (policy.h) of auth STS: who.account = account, who.user = grant id as text, grant and opens set. Who a request's leaf names. */
struct policy_use {
    const struct policy_grant *grant;
    const struct policy_person *person;
};
bool policy_use_of(const struct policy_state *s, const struct policy_request *r, struct policy_use *out);
/* What policy_decide() would allow now, of what it allowed when `ctl` leaves were folded; beside the budget, which was taken then. Only what time
 * alone changes is looked at when no leaf since did more than use grants. */
bool policy_use_stands(const struct policy_state *s, const struct policy_request *r, uint64_t ctl);

/* who can (P2.17) -------------------------------------------------------------------------------------------------------------------------- */

struct policy_can {
    enum policy_auth auth;                         /* HDR: a user or root by any of its keys; ANON; STS: a grant */
    struct slice account, user;                    /* STS: account of the person, grant id in base32 in `grant` */
    uint8_t grant[ID_BYTES];
    bool allow;
    enum policy_reason reason;
};
/* For everyone in the tenant, root and users of each account, unsigned callers, and each grant that is not over: what decide() says of reading
 * the object now. f is called once for each, denied ones too. */
void policy_who_can(const struct policy_state *s, struct slice bucket, struct slice key, uint64_t t_ms,
                    void (*f)(void *ctx, const struct policy_can *c), void *ctx);

#endif
