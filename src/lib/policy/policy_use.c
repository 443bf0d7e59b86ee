/* SPDX-License-Identifier: Apache-2.0
 * A request under a grant: everything that decide() says of it. Own requests never come here, and nothing of their rules holds for these.
 * Role: policy_decide() of auth STS. Trusts: the state; that the session is the named account's. Distrusts: what the request asks for; that what
 * held when the grant was signed still holds: people, purposes, rules, approvers and categories are looked at anew each time.
 * Law: 4, 6 (narrowing takes effect with its leaf). Spec: docs/spec/access.md sections 3 to 5, docs/spec/policy.md section 7.
 */
#include "policy/policy_grant.h"

enum verb { VERB_none, VERB_list, VERB_head, VERB_read, VERB_any };
static const uint8_t verbs[POLICY_ACT__COUNT] = {
#define POLICY_VERB(act, verb) [POLICY_ACT_##act] = VERB_##verb,
#include "policy/policy_verb.def"
};
static const char *const verb_words[] = {"", "list", "head", "read", ""};

bool policy_use_lists(enum policy_act a) { return (unsigned)a < POLICY_ACT__COUNT && verbs[a] == VERB_list; }

/* The query parameter `prefix` of a listing. Without one, or when the pairs are no pairs, all is listed: only a grant
 * without a prefix covers that. */
struct slice policy_use_prefix(const struct policy_request *r) {
    struct reader in = reader_of(r->ctx);
    struct slice name, value;
    while (record_ctx_next(&in, &name, &value)) {
        if (slice_is(name, "?prefix")) return value;
    }
    return SLICE_LIT("");
}

/* The grant that the session names, and whose it is. */
static enum policy_reason find(const struct policy_state *s, const struct policy_request *r, struct policy_use *use) {
    uint8_t id[ID_BYTES];
    bool same = record_id_get(r->who.user, id) == ERR_OK && memcmp(id, r->grant, ID_BYTES) == 0;
    use->grant = same ? policy_grant(s, r->grant) : NULL;
    if (use->grant == NULL) return POLICY_NO_GRANT;
    if (!slice_is(r->who.account, use->grant->account)) return POLICY_OTHER_PRINCIPAL;
    use->person = policy_person(policy_people(s), slice_str(use->grant->account));
    return POLICY_ALLOWED;
}

bool policy_use_of(const struct policy_state *s, const struct policy_request *r, struct policy_use *out) {
    *out = (struct policy_use){0};
    return find(s, r, out) == POLICY_ALLOWED && out->person != NULL;
}

/* Approved is not enough: somebody has logged in under it. */
static enum policy_reason live(const struct policy_state *s, const struct policy_request *r, const struct policy_use *use) {
    enum policy_grant_state now = policy_grant_state(s, use->grant, r->t_ms);
    bool running = now == POLICY_GRANT_ACTIVE || now == POLICY_GRANT_EXTENSION_PENDING;
    if (!running || !policy_open_of(use->grant)->logged_in || s->access->erased) return POLICY_GRANT_STATE;
    return use->person != NULL && policy_eligible(use->person, r->t_ms) ? POLICY_ALLOWED : POLICY_NOT_ELIGIBLE;
}

/* *at: what a rule is looked for by: the key, or the prefix that is listed, or that of the grant. */
static enum policy_reason in_scope(const struct policy_state *s, const struct policy_request *r, const struct policy_use *use, struct policy_decision *d,
                                   struct slice *at) {
    const struct policy_terms *t = use->grant->terms;
    enum verb verb = (enum verb)verbs[r->act];
    if (verb == VERB_none) return POLICY_GRANT_ACT;
    if (verb != VERB_any && !policy_words_have(&t->verbs, slice_str(verb_words[verb]))) return POLICY_GRANT_VERB;
    if (!slice_is(r->bucket, t->bucket)) return POLICY_GRANT_SCOPE;
    *at = verb == VERB_any ? t->prefix : verb == VERB_list ? policy_use_prefix(r) : r->key;
    if (!slice_starts(*at, t->prefix)) return POLICY_GRANT_SCOPE;
    const struct policy_bucket *b = policy_bucket(s, r->bucket);
    if (b == NULL) return POLICY_NO_BUCKET;
    if (memcmp(b->id, policy_open_of(use->grant)->bucket, ID_BYTES) != 0) return POLICY_GRANT_SCOPE;
    d->bucket = b;
    return POLICY_ALLOWED;
}

/* Does the purpose still allow it, to this person, here? */
static enum policy_reason for_purpose(const struct policy_state *s, const struct policy_request *r, const struct policy_use *use, const struct policy_decision *d) {
    struct policy_words allowed, categories;
    uint32_t roles;
    enum verb verb = (enum verb)verbs[r->act];
    const struct policy_words *here = policy_categories_of(s, d->bucket);
    if (!policy_purpose_here(s, slice_str(use->grant->purpose), &allowed, &categories, &roles)) return POLICY_GRANT_PURPOSE;
    if ((use->person->roles & roles) == 0) return POLICY_GRANT_PURPOSE;
    if (verb != VERB_any && !policy_words_have(&allowed, slice_str(verb_words[verb]))) return POLICY_GRANT_PURPOSE;
    bool covered = policy_words_within(here, &use->grant->terms->categories) && policy_words_within(here, &categories);
    return covered ? POLICY_ALLOWED : POLICY_GRANT_CATEGORY;
}

static enum policy_reason by_rule(const struct policy_state *s, const struct policy_use *use, const struct policy_rule *rule) {
    const struct policy_grant *g = use->grant;
    if (policy_rule_refuses(rule, use->person, slice_str(g->country))) return POLICY_GRANT_RULE;
    bool stand = policy_grant_manager_stands(s, g) && policy_grant_standing(s, g, rule) >= rule->need;
    return stand ? POLICY_ALLOWED : POLICY_GRANT_APPROVAL;
}

/* A listing shows names that other rules are for: those of longer prefixes count too. */
static enum policy_reason by_rules(const struct policy_state *s, const struct policy_request *r, const struct policy_use *use, struct slice at) {
    struct slice bucket = slice_str(use->grant->terms->bucket);
    enum policy_reason reason = by_rule(s, use, policy_rule_for(s, bucket, at));
    const struct policy_rule *below;
    size_t cursor = 0;
    while (reason == POLICY_ALLOWED && verbs[r->act] == VERB_list && (below = policy_rule_below(s, bucket, at, &cursor)) != NULL) reason = by_rule(s, use, below);
    return reason;
}

/* Only reads take from the budget. Before it is known what would be opened: is anything left at all? */
static enum policy_reason within_budget(const struct policy_request *r, const struct policy_use *use) {
    const struct policy_grant *g = use->grant;
    const struct policy_terms *t = g->terms;
    if (verbs[r->act] != VERB_read || (r->opens_known && r->opens == 0)) return POLICY_ALLOWED;
    bool object = r->goes_on ? g->used_objects <= t->objects : g->used_objects < t->objects;
    bool bytes = g->used_bytes < t->bytes && (!r->opens_known || r->opens <= t->bytes - g->used_bytes);
    return object && bytes ? POLICY_ALLOWED : POLICY_GRANT_BUDGET;
}

void policy_decide_use(const struct policy_state *s, const struct policy_request *r, struct policy_decision *d) {
    struct policy_use use = {0};
    struct slice at;
    d->reason = find(s, r, &use);
    if (d->reason == POLICY_ALLOWED) d->reason = live(s, r, &use);
    if (d->reason == POLICY_ALLOWED) d->reason = in_scope(s, r, &use, d, &at);
    if (d->reason == POLICY_ALLOWED) d->reason = for_purpose(s, r, &use, d);
    if (d->reason == POLICY_ALLOWED) d->reason = by_rules(s, r, &use, at);
    if (d->reason == POLICY_ALLOWED && !policy_grant_same_person(use.grant, use.person)) d->reason = POLICY_OTHER_PRINCIPAL;
    if (d->reason == POLICY_ALLOWED) d->reason = within_budget(r, &use);
    d->allow = d->reason == POLICY_ALLOWED;
}

bool policy_use_stands(const struct policy_state *s, const struct policy_request *r, uint64_t ctl) {
    struct policy_use use = {0};
    ASSERT(ctl <= s->size && r->opens_known && r->opens == 0);
    if (s->changed > ctl) return policy_decide(s, r).allow;
    return find(s, r, &use) == POLICY_ALLOWED && live(s, r, &use) == POLICY_ALLOWED;
}
