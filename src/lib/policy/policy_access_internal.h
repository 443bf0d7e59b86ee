/* SPDX-License-Identifier: Apache-2.0
 * What the files of people, customers' sides and grants share within policy; no other room includes it.
 * Role: between policy_people.c, policy_customer.c, policy_grant.c, policy_use.c, policy_stmt.c. Law: 4, 6. Spec: docs/spec/access.md.
 */
#ifndef TILLIT_POLICY_ACCESS_INTERNAL_H
#define TILLIT_POLICY_ACCESS_INTERNAL_H

#include "policy/policy_access.h"
#include "policy/policy_internal.h"

struct policy_customer;                            /* policy_customer.c: approvers, proposals, recovery; policy_rules.c: the rest */
struct policy_grants;                              /* policy_grant.c */
struct policy_access {
    struct buf own;                                /* the memory that this lies in; so with the others of these */
    struct policy_people *people;
    struct policy_customer *customer;
    struct policy_grants *grants;
    struct ledger_hash hash;                       /* made when the first statement is read */
    bool erased;                                   /* a statement here was erased: nobody knows what it said, and no grant is live any more */
};
MUST_USE enum err policy_access_init(struct policy_state *s);      /* policy_stmt.c; called by policy_init() */
void policy_access_done(struct policy_state *s);

/* policy_stmt.c: folds `stmt` and `grant` leaves, and `acc` leaves of the control log. */
MUST_USE enum err policy_apply_stmt(struct policy_state *s, uint64_t index, const struct record_leaf *leaf, const struct record_opening *opening, bool dry);
MUST_USE enum err policy_apply_grant(struct policy_state *s, uint64_t index, const struct record_leaf *leaf, bool dry);
MUST_USE enum err policy_apply_use(struct policy_state *s, uint64_t index, const struct record_leaf *leaf, bool dry);

/* A `stmt` leaf, read (policy_stmt.c). Not to be copied: st points into it. */
struct policy_said {
    struct record_statement s;
    struct record_stmt_value value;
    struct policy_statement st;
    bool allow, erased, mirror;                    /* erased: nobody knows what it said or who; s, value and st are nothing then */
    enum record_statement_kind kind;               /* as `act` says, and s too */
    uint64_t ref;
    struct slice why;
};
MUST_USE enum err policy_said_of(struct ledger_hash *h, const struct record_leaf *leaf, const struct record_opening *opening, struct policy_said *out);
/* VERIFY: what the leaf says is not what comes of it. */
MUST_USE enum err policy_said_check(const struct policy_said *d, enum policy_say say);

/* A struct in memory of its own, without malloc: its buf keeps the address. NULL: no memory. */
void *policy_own_new(size_t size, struct buf *own);

/* keys (policy_ring.c) --------------------------------------------------------------------------------------------------------------- */

/* Keys by what names them: an SSH fingerprint, or a passkey's credential id (two terms of one credential are never both here). A key that was
 * taken away stays, as `removed`, and never comes back. */
struct policy_ring_key {
    struct buf text;                               /* as terms and `who` say it */
    uint64_t index;                                /* of the statement that brought it */
    uint32_t holder;                               /* row of a person or approver */
    uint32_t counter;                              /* passkeys: last seen */
    bool removed;
};
struct policy_ring {
    struct buf keys;                               /* of struct policy_ring_key */
    struct map *by_id;
};
MUST_USE enum err policy_ring_init(struct policy_ring *r, size_t keys_max);
void policy_ring_done(struct policy_ring *r);
size_t policy_ring_count(const struct policy_ring *r);
struct policy_ring_key *policy_ring_at(const struct policy_ring *r, size_t row);
struct policy_ring_key *policy_ring_find(const struct policy_ring *r, struct slice key);     /* exactly this key; NULL: none */
struct policy_ring_key *policy_ring_same(const struct policy_ring *r, struct slice key);     /* this key, or another of its credential */
struct policy_ring_key *policy_ring_credential(const struct policy_ring *r, struct slice credential);
bool policy_ring_room(const struct policy_ring *r, size_t more);
MUST_USE enum err policy_ring_add(struct policy_ring *r, struct slice key, uint32_t holder, uint64_t index);    /* the new last row */
void policy_ring_cut(struct policy_ring *r, size_t count);                                   /* takes back what was added behind `count` rows */
bool policy_ring_twice(const struct record_statement *s, size_t nth);    /* KEY term number nth names a key that an earlier one names */
bool policy_ring_named(const struct record_statement *s, struct slice key);      /* a KEY term is this key, or another of its credential */
/* The counter of an assertion by this key; what is not higher changes nothing. */
void policy_ring_count_up(struct policy_ring *r, struct slice key, uint32_t counter);

/* people (policy_people.c) ---------------------------------------------------------------------------------------------------------- */

struct policy_people *policy_people_new(void);
void policy_people_free(struct policy_people *p);
/* Whether person.set, person.off or purpose.set makes sense there; who signed is not looked at. */
enum policy_say policy_people_say(const struct policy_people *p, const struct policy_statement *st);
/* Its effect, as `index` of the provider log says; policy_people_say() said DONE. s: in whose log this is a mirror: keys of the customer's
 * side are not the person's there (NULL: the provider's own state). NOMEM. */
MUST_USE enum err policy_people_fold(struct policy_people *p, uint64_t index, const struct policy_statement *st, const struct policy_state *s);
MUST_USE enum err policy_people_genesis_fold(struct policy_people *p, uint64_t index, struct slice officers);    /* list, as scope or signer */
/* Is it an older person.set than the one here, with a key that is not known? Its fold then adds such keys, as taken away, and nothing else. */
bool policy_people_former(const struct policy_people *p, uint64_t index, const struct record_statement *s);
/* A statement about them, or its mirror here, was erased: nothing is widened by that. From then on what makes no sense has no effect. */
void policy_people_erased(struct policy_people *p, const struct policy_said *d);
bool policy_people_were_erased(const struct policy_people *p);
void policy_people_count_up(struct policy_people *p, struct slice key, uint32_t counter);
const struct policy_ring *policy_people_ring(const struct policy_people *p);
/* Somebody of the provider's, now or before: officer, person's key, removed one. */
bool policy_people_know(const struct policy_people *p, struct slice key);
/* Index of the person.set that holds (person.off may have come later); UINT64_MAX: no such account. */
uint64_t policy_person_set_index(const struct policy_people *p, struct slice account);
/* Account of the person row that a key of the ring names as its holder. */
struct slice policy_person_account(const struct policy_people *p, uint32_t holder);

/* the customer's side (policy_customer.c) --------------------------------------------------------------------------------------------- */

struct policy_rule {
    uint64_t index;                                /* 0: the default */
    unsigned need;
    struct policy_words approvers;                 /* none: any */
    uint64_t lapse_ms;
    size_t country_count, employer_count;
    const char (*countries)[3];
    const char (*employers)[POLICY_TEXT_BYTES_MAX + 1];
};
/* What the customer set beside approvers (policy_rules.c). */
struct policy_rules {
    struct buf rules, categories, limits, notices; /* of struct rule_row, category_row, limit_row, policy_notice */
    struct buf buckets;                            /* u64 of each rule's bucket */
    struct map *category_by_bucket;
    struct buf origin;                             /* origin NUL rpid NUL; empty: none */
};
MUST_USE enum err policy_rules_init(struct policy_rules *r);
void policy_rules_done(struct policy_rules *r);
/* rule.*, category.set, purpose.limit, origin.set, notice.*; who signed is not looked at. */
enum policy_say policy_rules_say(const struct policy_state *s, const struct record_statement *st);
MUST_USE enum err policy_rules_fold(struct policy_state *s, uint64_t index, const struct record_statement *st);   /* NOMEM */

/* A statement that waits for others to agree. */
struct policy_proposal {
    uint8_t digest[HASH_BYTES];
    uint64_t index, t_ms;
    struct record_statement s;                     /* loans of text */
    struct buf text;
    unsigned agreed_count;
    struct buf agreed;                             /* lp16 approver's id (recovery: empty) | lp16 key, of each who agreed */
};
#define POLICY_HOLDER_RECOVERY UINT32_MAX          /* in the customer's ring: a recovery key */
struct policy_customer {
    struct buf own;
    struct policy_ring ring;                       /* keys of approvers and for recovery */
    struct buf owners;                             /* of struct policy_approver: the stand-ins */
    struct buf approvers;                          /* of struct approver_row; rows of those who left are used again */
    unsigned approver_count;                       /* enrolled; 0: owners stand in */
    unsigned quorum;
    struct buf proposals;                          /* of struct policy_proposal */
    unsigned recovery_need;
    bool recovering;
    struct policy_proposal recovery;
    uint64_t recovery_from_ms;                     /* enough agreed: the delay runs from here; 0: not yet */
    struct policy_rules rules;
};
MUST_USE enum err policy_customer_new(struct policy_state *s);
void policy_customer_free(struct policy_customer *c);
MUST_USE enum err policy_customer_genesis(struct policy_state *s);      /* owners of genesis are known */
/* A key of the customer's side (or another of its credential), now or before: owner, approver, recovery key; not proposed ones. */
bool policy_customer_knows(const struct policy_state *s, struct slice key);
/* Or it is to become one, by a proposal or recovery that waits (lapsed or not): what the provider says of it then comes too late. */
bool policy_customer_claims(const struct policy_state *s, struct slice key);
bool policy_customer_signs(const struct policy_state *s, struct slice key);    /* not taken away */
bool policy_customer_proposed(const struct policy_state *s, struct slice key, uint64_t t_ms);      /* and has not lapsed at t */
bool policy_customer_takes(enum record_statement_kind k);
struct slice policy_customer_proposed_passkey(const struct policy_state *s, struct slice credential);
enum policy_say policy_customer_say(const struct policy_state *s, const struct policy_statement *st);
/* policy_customer_say() said DONE or WAITS. */
MUST_USE enum err policy_customer_fold(struct policy_state *s, uint64_t index, const struct policy_statement *st);
/* The rule for a key (or for a request's bucket and prefix). Never NULL. */
const struct policy_rule *policy_rule_for(const struct policy_state *s, struct slice bucket, struct slice key);
/* Those of the bucket whose prefix begins with this one; *cursor 0 to begin. NULL: no more. */
const struct policy_rule *policy_rule_below(const struct policy_state *s, struct slice bucket, struct slice prefix, size_t *cursor);
bool policy_rule_refuses(const struct policy_rule *r, const struct policy_person *p, struct slice country);
/* What the purpose allows here: the provider's, tightened by the tenant's limit. False: off. `improve` only where the tenant said so. */
bool policy_purpose_here(const struct policy_state *s, struct slice name, struct policy_words *verbs, struct policy_words *categories, uint32_t *roles);
const struct policy_words *policy_categories_of(const struct policy_state *s, const struct policy_bucket *b);
/* Is it, now, an approver's key of this id? */
bool policy_approver_holds(const struct policy_state *s, const char *id, struct slice key);

/* grants (policy_grant.c) ---------------------------------------------------------------------------------------------------------------- */

MUST_USE enum err policy_grants_new(struct policy_state *s);
void policy_grants_free(struct policy_grants *g);
enum policy_say policy_grant_say(const struct policy_state *s, const struct policy_statement *st);
MUST_USE enum err policy_grant_fold(struct policy_state *s, uint64_t index, const struct policy_statement *st);
/* `grant` leaves: act Start, Expire, Lapse, FailToClose, Closed. INPUT: not true at t. */
MUST_USE enum err policy_grant_time_fold(struct policy_state *s, uint64_t index, const uint8_t id[ID_BYTES], struct slice act, uint64_t t_ms, bool dry);
MUST_USE enum err policy_grant_used(struct policy_state *s, const uint8_t id[ID_BYTES], uint64_t bytes, bool object);

/* deciding (policy_use.c) --------------------------------------------------------------------------------------------------------------------- */

/* auth STS: everything that decide() says of it. */
void policy_decide_use(const struct policy_state *s, const struct policy_request *r, struct policy_decision *d);

/* words (policy_people.c) */
bool policy_words_have(const struct policy_words *w, struct slice word);
bool policy_words_within(const struct policy_words *inner, const struct policy_words *outer);
/* All values of a MANY term. LIMIT: more than POLICY_WORDS_MAX. */
bool policy_word_ok(struct slice word);            /* WORD: [a-z0-9._-]{1,64} */
bool policy_verbs_ok(const struct policy_words *w);
MUST_USE enum err policy_words_take(const struct record_statement *s, enum record_term t, struct policy_words *out);

#endif
