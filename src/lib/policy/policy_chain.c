/* SPDX-License-Identifier: Apache-2.0
 * A chain of signatures for a grant: who may say what next, and what is left of the terms.
 * Role: policy_say() of access.*, behind policy_stmt.c, which saw to the kind of key. Trusts: who signed. Distrusts: every word, and that who
 * asks, manages and approves are different people: each is compared by person and by key.
 * Law: 4, 6 (nothing here is widened after the request, and no grant is without the customer's approvers). Spec: docs/spec/access.md sections 3, 4.
 */
#include "policy/policy_grant.h"

/* terms ---------------------------------------------------------------------------------------------------------------------- */

static enum policy_say prefix_of(const struct record_statement *s, struct buf *prefix) {
    struct slice text = record_term(s, RECORD_TERM_PREFIX, 0);
    if (text.p == NULL) return POLICY_SAY_DONE;
    return record_prefix_decode(text, prefix) == ERR_OK && buf_ok(prefix) ? POLICY_SAY_DONE : POLICY_SAY_RANGE;
}

static bool duration_ok(uint64_t ms) { return ms >= GRANT_DURATION_MIN_MS && ms <= GRANT_DURATION_MAX_MS; }

enum policy_say policy_grant_asked(const struct record_statement *s, struct policy_terms *terms, struct buf *prefix) {
    struct slice bucket = record_term(s, RECORD_TERM_BUCKET, 0);
    *terms = (struct policy_terms){.duration_ms = record_term_int(s, RECORD_TERM_DURATION, 0), .objects = record_term_int(s, RECORD_TERM_OBJECTS, 0),
                                   .bytes = record_term_int(s, RECORD_TERM_BYTES, 0)};
    if (bucket.n > S3_BUCKET_CHARS_MAX) return POLICY_SAY_NO_BUCKET;
    policy_copy_text(terms->bucket, bucket);
    if (policy_words_take(s, RECORD_TERM_VERB, &terms->verbs) != ERR_OK) return POLICY_SAY_LIMIT;
    if (policy_words_take(s, RECORD_TERM_CATEGORY, &terms->categories) != ERR_OK) return POLICY_SAY_LIMIT;
    if (!duration_ok(terms->duration_ms) || terms->objects == 0 || terms->bytes == 0) return POLICY_SAY_RANGE;
    enum policy_say say = prefix_of(s, prefix);
    terms->prefix = buf_slice(prefix);
    return say;
}

/* A number that the approval names, or the one there was. */
static enum policy_say less(const struct record_statement *s, enum record_term t, uint64_t least, uint64_t *value) {
    uint64_t want = record_term_int(s, t, *value);
    if (want < least) return POLICY_SAY_RANGE;
    if (want > *value) return POLICY_SAY_WIDENS;
    *value = want;
    return POLICY_SAY_DONE;
}

static enum policy_say fewer(const struct record_statement *s, enum record_term t, struct policy_words *words) {
    struct policy_words want;
    if (record_term(s, t, 0).p == NULL) return POLICY_SAY_DONE;
    if (policy_words_take(s, t, &want) != ERR_OK || !policy_words_within(&want, words)) return POLICY_SAY_WIDENS;
    *words = want;
    return POLICY_SAY_DONE;
}

#define SAY_TRY(expr)                                       \
    do {                                                    \
        enum policy_say say_ = (expr);                      \
        if (say_ != POLICY_SAY_DONE) return say_;           \
    } while (0)

enum policy_say policy_grant_narrowed(const struct policy_terms *from, const struct record_statement *s, struct policy_terms *terms, struct buf *prefix) {
    *terms = *from;
    SAY_TRY(less(s, RECORD_TERM_DURATION, GRANT_DURATION_MIN_MS, &terms->duration_ms));
    SAY_TRY(less(s, RECORD_TERM_OBJECTS, 1, &terms->objects));
    SAY_TRY(less(s, RECORD_TERM_BYTES, 1, &terms->bytes));
    SAY_TRY(fewer(s, RECORD_TERM_VERB, &terms->verbs));
    SAY_TRY(fewer(s, RECORD_TERM_CATEGORY, &terms->categories));
    if (record_term(s, RECORD_TERM_PREFIX, 0).p == NULL) buf_put_slice(prefix, from->prefix);
    else SAY_TRY(prefix_of(s, prefix));
    if (!buf_ok(prefix) || !slice_starts(buf_slice(prefix), from->prefix)) return POLICY_SAY_WIDENS;
    terms->prefix = buf_slice(prefix);
    return POLICY_SAY_DONE;
}

/* approvals -------------------------------------------------------------------------------------------------------------------------- */

static bool stands(const struct policy_state *s, const struct policy_approval *a) { return policy_approver_holds(s, a->id, a->key); }

unsigned policy_grant_standing(const struct policy_state *s, const struct policy_grant *g, const struct policy_rule *r) {
    unsigned n = 0;
    for (size_t i = 0; i < g->approval_count; i++) {
        const struct policy_approval *a = &g->approvals[i];
        if (a->manager || (r->approvers.count > 0 && !policy_words_have(&r->approvers, slice_str(a->id)))) continue;
        if (stands(s, a)) n++;
    }
    return n;
}

bool policy_grant_same_person(const struct policy_grant *g, const struct policy_person *p) {
    const struct policy_open *o = policy_open_of(g);
    return o != NULL && p != NULL && strcmp(o->person, p->person) == 0 && strcmp(o->employer, p->employer) == 0 &&
           strcmp(o->subprocessor, p->subprocessor) == 0 && strcmp(o->office, p->office) == 0;
}

bool policy_grant_manager_stands(const struct policy_state *s, const struct policy_grant *g) {
    const struct policy_approval *a = g->approval_count > 0 ? &g->approvals[0] : NULL;
    if (a == NULL || !a->manager) return false;
    const struct policy_person *p = policy_person_of_key(policy_people(s), a->key);
    return p != NULL && p->on && strcmp(p->account, a->id) == 0 && (p->roles >> POLICY_ROLE_manager & 1) != 0;
}

bool policy_grant_enough(const struct policy_state *s, const struct policy_grant *g, const struct policy_terms *terms) {
    const struct policy_rule *r = policy_rule_for(s, slice_str(terms->bucket), terms->prefix);
    return policy_grant_standing(s, g, r) + 1 >= r->need;
}

size_t policy_grant_place(const struct policy_state *s, const struct policy_grant *g, const char *id) {
    size_t gone = POLICY_APPROVALS_MAX;
    for (size_t i = 0; i < g->approval_count; i++) {
        if (g->approvals[i].manager) continue;
        if (strcmp(g->approvals[i].id, id) == 0) return i;
        if (gone == POLICY_APPROVALS_MAX && !stands(s, &g->approvals[i])) gone = i;
    }
    return g->approval_count < POLICY_APPROVALS_MAX ? g->approval_count : gone;
}

/* who ---------------------------------------------------------------------------------------------------------------------------------- */

/* One statement about one grant. */
struct word {
    const struct policy_state *s;
    const struct policy_statement *st;
    const struct policy_grant *g;
    enum policy_grant_state now;
    const struct policy_person *signer;            /* NULL: no person of the provider's */
    const struct policy_approver *approver;        /* NULL: none of the customer's */
};

static bool is_author(const struct word *w) { return w->signer != NULL && strcmp(w->signer->account, w->g->account) == 0; }

static bool may_manage(const struct word *w) {
    const struct policy_person *author = policy_person(policy_people(w->s), slice_str(w->g->account));
    if (w->signer == NULL || author == NULL || (w->signer->roles >> POLICY_ROLE_manager & 1) == 0) return false;
    return author->manager[0] == 0 || strcmp(author->manager, w->signer->account) == 0;
}

/* Somebody who signed already, or whose key did: nobody counts twice. */
static bool signed_already(const struct word *w) {
    for (size_t i = 0; i < w->g->approval_count; i++) {
        const struct policy_approval *a = &w->g->approvals[i];
        if (slice_eq(a->key, w->st->signer.key)) return true;
        if (!a->manager && w->approver != NULL && strcmp(a->id, w->approver->id) == 0 && stands(w->s, a)) return true;
        const struct policy_person *p = a->manager ? policy_person(policy_people(w->s), slice_str(a->id)) : NULL;
        if (p != NULL && w->signer != NULL && strcmp(p->person, w->signer->person) == 0) return true;
    }
    return false;
}

/* Whose turn it is: first a manager's, then approvers'. LAW-6: the provider's people are never counted among them. */
static enum policy_say next_signer(const struct word *w, const struct policy_rule *r) {
    const struct policy_open *o = policy_open_of(w->g);
    bool own = slice_eq(w->st->signer.key, buf_slice(&o->key)) || is_author(w) || (w->signer != NULL && strcmp(w->signer->person, o->person) == 0);
    if (own) return POLICY_SAY_OWN_REQUEST;
    if (w->g->approval_count == 0) {
        if (!may_manage(w)) return POLICY_SAY_NOT_MANAGER;
        return policy_eligible(w->signer, w->st->t_ms) ? POLICY_SAY_DONE : POLICY_SAY_NOT_ELIGIBLE;
    }
    if (signed_already(w)) return POLICY_SAY_SAME_PERSON;
    if (w->approver == NULL) return POLICY_SAY_NOT_APPROVER;
    bool named = r->approvers.count == 0 || policy_words_have(&r->approvers, slice_str(w->approver->id));
    return named ? POLICY_SAY_DONE : POLICY_SAY_DENIED_BY_RULE;
}

/* requests -------------------------------------------------------------------------------------------------------------------------------- */

static bool verbs_known(const struct policy_words *verbs) {
    for (size_t i = 0; i < verbs->count; i++) {
        struct slice v = slice_str(verbs->word[i]);
        if (!slice_is(v, "list") && !slice_is(v, "head") && !slice_is(v, "read")) return false;
    }
    return verbs->count > 0;
}

/* Does the purpose allow it to this person, here? */
static enum policy_say purpose_allows(const struct policy_state *s, const struct policy_person *p, struct slice purpose, const struct policy_terms *t) {
    struct policy_words verbs, categories;
    uint32_t roles;
    if (!policy_purpose_here(s, purpose, &verbs, &categories, &roles)) return POLICY_SAY_PURPOSE;
    if ((p->roles & roles) == 0) return POLICY_SAY_NOT_ROLE;
    if (!verbs_known(&t->verbs) || !policy_words_within(&t->verbs, &verbs)) return POLICY_SAY_VERB;
    return policy_words_within(&t->categories, &categories) ? POLICY_SAY_DONE : POLICY_SAY_CATEGORY;
}

static enum policy_say may_extend(const struct word *w, const struct policy_terms *t) {
    struct slice text = record_term(w->st->s, RECORD_TERM_EXTENDS, 0);
    uint8_t id[ID_BYTES];
    if (text.p == NULL) return POLICY_SAY_DONE;
    const struct policy_grant *g = record_id_get(text, id) == ERR_OK ? policy_grant(w->s, id) : NULL;
    if (g == NULL) return POLICY_SAY_NO_GRANT;
    if (strcmp(g->account, w->signer->account) != 0) return POLICY_SAY_NOT_YOURS;
    if (policy_grant_move(policy_grant_state(w->s, g, w->st->t_ms), POLICY_EVENT_EXTEND) == POLICY_GRANT_DRAFT) return POLICY_SAY_STATE;
    bool same = strcmp(g->terms->bucket, t->bucket) == 0 && slice_eq(g->terms->prefix, t->prefix);
    return same ? POLICY_SAY_DONE : POLICY_SAY_WIDENS;
}

static enum policy_say say_request_terms(const struct word *w, struct buf *prefix) {
    const struct record_statement *a = w->st->s;
    struct policy_terms t;
    SAY_TRY(policy_grant_asked(a, &t, prefix));
    const struct policy_bucket *b = policy_bucket(w->s, slice_str(t.bucket));
    if (b == NULL) return POLICY_SAY_NO_BUCKET;
    SAY_TRY(purpose_allows(w->s, w->signer, record_term(a, RECORD_TERM_PURPOSE, 0), &t));
    if (!policy_words_within(policy_categories_of(w->s, b), &t.categories)) return POLICY_SAY_CATEGORY;
    const struct policy_rule *r = policy_rule_for(w->s, slice_str(t.bucket), t.prefix);
    if (policy_rule_refuses(r, w->signer, record_term(a, RECORD_TERM_COUNTRY, 0))) return POLICY_SAY_DENIED_BY_RULE;
    SAY_TRY(may_extend(w, &t));
    return POLICY_SAY_WAITS;
}

static enum policy_say say_request(const struct word *w) {
    uint8_t id[ID_BYTES];
    if (w->signer == NULL) return POLICY_SAY_NOT_ROLE;
    if (!policy_eligible(w->signer, w->st->t_ms)) return POLICY_SAY_NOT_ELIGIBLE;
    if (record_id_get(w->st->s->subject, id) != ERR_OK) return POLICY_SAY_RANGE;
    if (policy_grant(w->s, id) != NULL) return POLICY_SAY_EXISTS;
    if (policy_grants_full(w->s, w->signer, w->st->t_ms)) return POLICY_SAY_LIMIT;
    struct buf prefix = BUF_INIT(S3_KEY_BYTES_MAX);
    enum policy_say say = say_request_terms(w, &prefix);
    buf_done(&prefix);
    return say;
}

/* signatures under it ---------------------------------------------------------------------------------------------------------------------- */

/* What signs under a request names its text: a signature for one request is none for another, nor in another tenant. */
static enum policy_say same_request(const struct word *w) {
    uint8_t digest[HASH_BYTES];
    bool same = base64url_fixed(record_term(w->st->s, RECORD_TERM_REQUEST, 0), digest, HASH_BYTES) == ERR_OK &&
                memcmp(digest, w->g->request, HASH_BYTES) == 0;
    return same ? POLICY_SAY_DONE : POLICY_SAY_OTHER_REQUEST;
}

static enum policy_say in_state(const struct word *w, enum policy_event e) {
    if (policy_grant_move(w->now, e) != POLICY_GRANT_DRAFT) return POLICY_SAY_DONE;
    return w->now == POLICY_GRANT_LAPSED ? POLICY_SAY_LAPSED : POLICY_SAY_STATE;
}

static enum policy_say say_approve_terms(const struct word *w, struct buf *prefix) {
    struct policy_terms t;
    const struct policy_terms *now = w->g->terms;
    bool manager = w->g->approval_count == 0;
    enum policy_say narrowed = policy_grant_narrowed(now, w->st->s, &t, prefix);
    const struct policy_rule *r = policy_rule_for(w->s, slice_str(now->bucket), narrowed == POLICY_SAY_DONE ? t.prefix : now->prefix);
    SAY_TRY(next_signer(w, r));
    SAY_TRY(narrowed);
    if (manager) return POLICY_SAY_WAITS;
    const struct policy_person *author = policy_person(policy_people(w->s), slice_str(w->g->account));
    if (author == NULL || policy_rule_refuses(r, author, slice_str(w->g->country))) return POLICY_SAY_DENIED_BY_RULE;
    if (!policy_grant_same_person(w->g, author)) return POLICY_SAY_OTHER_PERSON;
    if (!policy_grant_manager_stands(w->s, w->g)) return POLICY_SAY_APPROVALS;
    if (policy_grant_place(w->s, w->g, w->approver->id) >= POLICY_APPROVALS_MAX) return POLICY_SAY_LIMIT;
    return policy_grant_enough(w->s, w->g, &t) ? POLICY_SAY_DONE : POLICY_SAY_WAITS;
}

static enum policy_say say_approve(const struct word *w) {
    SAY_TRY(same_request(w));
    SAY_TRY(in_state(w, w->now == POLICY_GRANT_MANAGER_PENDING ? POLICY_EVENT_MANAGER : POLICY_EVENT_CUSTOMER));
    struct buf prefix = BUF_INIT(S3_KEY_BYTES_MAX);
    enum policy_say say = say_approve_terms(w, &prefix);
    buf_done(&prefix);
    return say;
}

/* Reject and ask: whoever's turn it is. */
static enum policy_say say_instead(const struct word *w, enum policy_event e) {
    SAY_TRY(same_request(w));
    SAY_TRY(in_state(w, e));
    return next_signer(w, policy_rule_for(w->s, slice_str(w->g->terms->bucket), w->g->terms->prefix));
}

static enum policy_say say_reply(const struct word *w) {
    SAY_TRY(same_request(w));
    SAY_TRY(in_state(w, w->g->approval_count == 0 ? POLICY_EVENT_REPLY_MANAGER : POLICY_EVENT_REPLY_CUSTOMER));
    if (!is_author(w)) return POLICY_SAY_NOT_REQUESTER;
    return policy_eligible(w->signer, w->st->t_ms) ? POLICY_SAY_DONE : POLICY_SAY_NOT_ELIGIBLE;
}

/* Ending needs no eligibility: it only takes away. */
static enum policy_say say_end(const struct word *w, enum policy_event e) {
    if (policy_grant_move(w->now, e) == POLICY_GRANT_DRAFT) return POLICY_SAY_STATE;
    if (is_author(w)) return POLICY_SAY_DONE;
    if (e == POLICY_EVENT_COMPLETE) return POLICY_SAY_NOT_REQUESTER;
    if (w->approver != NULL || policy_officer(policy_people(w->s), w->st->signer.key)) return POLICY_SAY_DONE;
    const struct policy_approval *first = w->g->approval_count > 0 ? &w->g->approvals[0] : NULL;
    bool managed = first != NULL && first->manager && w->signer != NULL && strcmp(first->id, w->signer->account) == 0;
    return managed ? POLICY_SAY_DONE : POLICY_SAY_NOT_YOURS;
}

static enum policy_say say_login(const struct word *w) {
    struct slice country = record_term(w->st->s, RECORD_TERM_COUNTRY, 0);
    if (policy_grant_move(w->now, POLICY_EVENT_LOGIN) == POLICY_GRANT_DRAFT) return POLICY_SAY_STATE;
    if (!is_author(w)) return POLICY_SAY_NOT_REQUESTER;
    if (!policy_grant_same_person(w->g, w->signer)) return POLICY_SAY_OTHER_PERSON;
    if (!policy_eligible(w->signer, w->st->t_ms)) return POLICY_SAY_NOT_ELIGIBLE;
    /* The approvers saw where the person is; from elsewhere it is another request. */
    if (!slice_is(country, w->g->country)) return POLICY_SAY_COUNTRY;
    const struct policy_terms *t = w->g->terms;
    SAY_TRY(purpose_allows(w->s, w->signer, slice_str(w->g->purpose), t));
    const struct policy_rule *r = policy_rule_for(w->s, slice_str(t->bucket), t->prefix);
    if (policy_rule_refuses(r, w->signer, country)) return POLICY_SAY_DENIED_BY_RULE;
    bool stand = policy_grant_standing(w->s, w->g, r) >= r->need && policy_grant_manager_stands(w->s, w->g);
    return stand ? POLICY_SAY_DONE : POLICY_SAY_APPROVALS;
}

/* Reading what the control log says of a grant: who has a part in it. */
static enum policy_say say_look(const struct word *w) {
    /* Whoever was put out sees nothing any more, not even what was their own: keys stay a person's, so that what they sign is refused by name. */
    if (w->signer != NULL && !w->signer->on && w->approver == NULL) return POLICY_SAY_NOT_ELIGIBLE;
    if ((w->st->s->have & RECORD_S_SUBJECT) == 0) return w->signer != NULL || w->approver != NULL ? POLICY_SAY_DONE : POLICY_SAY_NOT_YOURS;
    if (w->g == NULL) return POLICY_SAY_NO_GRANT;
    bool managed = w->g->approval_count > 0 && w->signer != NULL && strcmp(w->g->approvals[0].id, w->signer->account) == 0;
    return is_author(w) || managed || may_manage(w) || w->approver != NULL ? POLICY_SAY_DONE : POLICY_SAY_NOT_YOURS;
}

enum policy_say policy_grant_say(const struct policy_state *s, const struct policy_statement *st) {
    uint8_t id[ID_BYTES];
    struct word w = {.s = s, .st = st, .signer = policy_person_of_key(policy_people(s), st->signer.key),
                     .approver = policy_approver_of_key(s, st->signer.key)};
    if (st->s->kind == RECORD_STATEMENT_ACCESS_REQUEST) return say_request(&w);
    bool named = (st->s->have & RECORD_S_SUBJECT) != 0 && record_id_get(st->s->subject, id) == ERR_OK;
    w.g = named ? policy_grant(s, id) : NULL;
    if (st->s->kind == RECORD_STATEMENT_ACCESS_LOOK) return say_look(&w);
    if (w.g == NULL) return POLICY_SAY_NO_GRANT;
    w.now = policy_grant_state(s, w.g, st->t_ms);
    switch (st->s->kind) {
    case RECORD_STATEMENT_ACCESS_APPROVE: return say_approve(&w);
    case RECORD_STATEMENT_ACCESS_REJECT: return say_instead(&w, POLICY_EVENT_REJECT);
    case RECORD_STATEMENT_ACCESS_ASK: return say_instead(&w, POLICY_EVENT_ASK);
    case RECORD_STATEMENT_ACCESS_REPLY: return say_reply(&w);
    case RECORD_STATEMENT_ACCESS_REVOKE: return say_end(&w, POLICY_EVENT_REVOKE);
    case RECORD_STATEMENT_ACCESS_COMPLETE: return say_end(&w, POLICY_EVENT_COMPLETE);
    case RECORD_STATEMENT_ACCESS_LOGIN: return say_login(&w);
    default: return POLICY_SAY_STATE;
    }
}
