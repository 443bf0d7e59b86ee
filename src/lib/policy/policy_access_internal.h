/* SPDX-License-Identifier: Apache-2.0
 * What the files of people, customers' sides and grants share within policy; no other room includes it.
 * Role: between policy_people.c, policy_customer.c, policy_grant.c, policy_use.c, policy_stmt.c. Law: 4, 6. Spec: docs/spec/access.md.
 */
#ifndef TILLIT_POLICY_ACCESS_INTERNAL_H
#define TILLIT_POLICY_ACCESS_INTERNAL_H

#include "policy/policy_access.h"
#include "policy/policy_internal.h"

struct policy_customer;                            /* policy_customer.c: approvers, proposals, rules, categories, limits, recovery, notices */
struct policy_grants;                              /* policy_grant.c */
struct policy_access {
    struct policy_people *people;
    struct policy_customer *customer;
    struct policy_grants *grants;
    bool erased;                                   /* a statement here was erased: nobody knows what it said, and no grant is live any more */
};
MUST_USE enum err policy_access_init(struct policy_state *s);      /* policy_stmt.c; called by policy_init() */
void policy_access_done(struct policy_state *s);

/* policy_stmt.c: folds `stmt` and `grant` leaves, and `acc` leaves of the control log. */
MUST_USE enum err policy_apply_stmt(struct policy_state *s, uint64_t index, const struct record_leaf *leaf, const struct record_opening *opening, bool dry);
MUST_USE enum err policy_apply_grant(struct policy_state *s, uint64_t index, const struct record_leaf *leaf, bool dry);
MUST_USE enum err policy_apply_use(struct policy_state *s, uint64_t index, const struct record_leaf *leaf, const struct record_opening *opening, bool dry);

/* people (policy_people.c) ---------------------------------------------------------------------------------------------------------- */

struct policy_people *policy_people_new(void);
void policy_people_free(struct policy_people *p);
/* person.set, person.off, purpose.set as `index` of the provider log says; genesis: officers. NOMEM, LIMIT. */
MUST_USE enum err policy_people_fold(struct policy_people *p, uint64_t index, const struct policy_statement *st);
MUST_USE enum err policy_people_genesis_fold(struct policy_people *p, uint64_t index, struct slice officers);    /* list, as scope or signer */

/* the customer's side (policy_customer.c) --------------------------------------------------------------------------------------------- */

MUST_USE enum err policy_customer_new(struct policy_state *s);
void policy_customer_free(struct policy_customer *c);
enum policy_say policy_customer_say(const struct policy_state *s, const struct policy_statement *st);
/* policy_customer_say() said DONE or WAITS. */
MUST_USE enum err policy_customer_fold(struct policy_state *s, uint64_t index, const struct policy_statement *st);
struct policy_rule {
    uint64_t index;                                /* 0: the default */
    unsigned need;
    struct policy_words approvers;                 /* none: any */
    uint64_t lapse_ms;
    size_t country_count, employer_count;
    const char (*countries)[3];
    const char (*employers)[POLICY_TEXT_BYTES_MAX + 1];
};
/* The rule for a key (or for a request's bucket and prefix). Never NULL. */
const struct policy_rule *policy_rule_for(const struct policy_state *s, struct slice bucket, struct slice key);
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

/* words */
bool policy_words_have(const struct policy_words *w, struct slice word);
bool policy_words_within(const struct policy_words *inner, const struct policy_words *outer);
/* All values of a MANY term. LIMIT: more than POLICY_WORDS_MAX. */
MUST_USE enum err policy_words_take(const struct record_statement *s, enum record_term t, struct policy_words *out);

#endif
