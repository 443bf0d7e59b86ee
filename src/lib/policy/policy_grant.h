/* SPDX-License-Identifier: Apache-2.0
 * A grant that is not over, and the moves between states: what policy_grant.c, policy_chain.c and policy_use.c share.
 * Role: within policy; no other room and no other file includes it. Law: 4. Spec: docs/spec/access.md sections 3 and 4.
 */
#ifndef TILLIT_POLICY_GRANT_H
#define TILLIT_POLICY_GRANT_H

#include <stddef.h>

#include "policy/policy_access_internal.h"

#define POLICY_EVENTS(X)                                                                                                        \
    X(NONE) X(REQUEST) X(MANAGER) X(CUSTOMER) X(ENOUGH) X(ENOUGH_LATER) X(ASK) X(REPLY_MANAGER) X(REPLY_CUSTOMER) X(REJECT)     \
    X(REVOKE) X(COMPLETE) X(LOGIN) X(EXTEND) X(EXTENDED) X(FAIL) X(CLOSED) X(TIME_START) X(TIME_END) X(TIME_LAPSE)
enum policy_event {
#define POLICY_EVENT_ONE(name) POLICY_EVENT_##name,
    POLICY_EVENTS(POLICY_EVENT_ONE)
#undef POLICY_EVENT_ONE
    POLICY_EVENT__COUNT
};
/* DRAFT: no such move. */
enum policy_grant_state policy_grant_move(enum policy_grant_state from, enum policy_event e);
enum policy_grant_kind { POLICY_GRANT_NONE, POLICY_GRANT_PENDING, POLICY_GRANT_LIVE, POLICY_GRANT_OVER };
enum policy_grant_kind policy_grant_kind(enum policy_grant_state s);

/* Memory of its own, which never moves: terms and approvals of its row point into it. */
struct policy_open {
    struct buf own;
    size_t row;
    struct policy_terms terms;
    struct policy_approval approvals[POLICY_APPROVALS_MAX];
    struct buf keys[POLICY_APPROVALS_MAX];         /* of the approvals, each at the same place */
    struct buf prefix, key;                        /* key: the requester's, that signed the request */
    char person[POLICY_WORD_CHARS_MAX + 1];        /* the requester, when it asked; and what is shown to who signs */
    char employer[POLICY_TEXT_BYTES_MAX + 1], subprocessor[POLICY_WORD_CHARS_MAX + 1], office[3];
    uint8_t bucket[ID_BYTES];                      /* a bucket of the same name that is made later is another one */
    bool logged_in;
    bool has_extension;
    uint8_t extension[ID_BYTES];                   /* EXTENSION_PENDING: the chain that waits */
};
/* NULL: it is over. */
static inline const struct policy_open *policy_open_of(const struct policy_grant *g) {
    if (g->terms == NULL) return NULL;
    return (const struct policy_open *)(const void *)((const uint8_t *)g->terms - offsetof(struct policy_open, terms));
}

/* No room for another request, or for another one of this person's. */
bool policy_grants_full(const struct policy_state *s, const struct policy_person *p, uint64_t t_ms);

/* How many approvals of the customer's stand, by the rule: of approvers whose key it still is, and whom the rule names when it names any. */
unsigned policy_grant_standing(const struct policy_state *s, const struct policy_grant *g, const struct policy_rule *r);
/* The account is still who asked: an officer who gives it to somebody else gives no grant away with it. p NULL: it is nobody's. */
bool policy_grant_same_person(const struct policy_grant *g, const struct policy_person *p);
/* The manager's approval is there, and its key still a manager's. */
bool policy_grant_manager_stands(const struct policy_state *s, const struct policy_grant *g);

/* What a request asks for. DONE, or why not. `terms->prefix` lies in prefix. */
enum policy_say policy_grant_asked(const struct record_statement *s, struct policy_terms *terms, struct buf *prefix);
/* What is left of the terms after an approval. DONE, WIDENS, RANGE. */
enum policy_say policy_grant_narrowed(const struct policy_terms *from, const struct record_statement *s, struct policy_terms *terms, struct buf *prefix);
/* Whether the approval that st is would be the last one: its signer may sign, terms are what would be left. */
bool policy_grant_enough(const struct policy_state *s, const struct policy_grant *g, const struct policy_terms *terms);
/* An approval that stands no more and may give its place away; POLICY_APPROVALS_MAX: none, and there is no place. */
size_t policy_grant_place(const struct policy_state *s, const struct policy_grant *g, const char *id);

#endif
