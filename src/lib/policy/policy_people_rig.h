/* SPDX-License-Identifier: Apache-2.0
 * What the tests of people, the customer's side and statements share: keys, persons, a dump of the customer's side, leaves kept for a second fold.
 * Role: included once by each of them. Trusts: the test. Spec: docs/spec/access.md.
 */
#ifndef TILLIT_POLICY_PEOPLE_RIG_H
#define TILLIT_POLICY_PEOPLE_RIG_H

#include "policy/policy_access_rig.h"

#define DAY_AGO "1763913600000"                    /* RIG_T0 less a day */
#define KEYS_MADE 256
#define TEXTS_MADE 1024

static struct policy_provider provider;
static struct policy_state state;

static bool said[POLICY_SAY__COUNT];               /* reasons that this program has seen */

static enum policy_say seen(enum policy_say s) {
    said[s] = true;
    return s;
}

static void check_say_at(enum policy_say got, enum policy_say want, const char *what, int line) {
    if (seen(got) == want) return;
    print_error("line %d, %s: got %s, want %s\n", line, what, policy_say_text(got), policy_say_text(want));
    _fail(__FILE__, line);
}
#define check_say(got, want) check_say_at((got), (want), #got, __LINE__)

/* Fingerprint number n, for as long as the program runs. */
static const char *key(unsigned n) {
    static char keys[KEYS_MADE][SSH_FINGERPRINT_CHARS + 1];
    assert_true(n < KEYS_MADE);
    (void)snprintf(keys[n], sizeof keys[n], "SHA256:%042uA", n);
    return keys[n];
}

/* A term, for some statements to come. */
static const char *term(const char *name, const char *value) {
    static char texts[TEXTS_MADE][RECORD_TEXT_BYTES_MAX];
    static size_t at;
    char *to = texts[at++ % TEXTS_MADE];
    (void)snprintf(to, sizeof texts[0], "%s=%s", name, value);
    return to;
}

static size_t terms_n(const struct rig_says *w) {
    size_t n = 0;
    while (w->terms[n] != NULL) n++;
    assert_true(n < RIG_TERMS_MAX);
    return n;
}

UNUSED static struct rig_says plus(struct rig_says w, const char *t) {
    w.terms[terms_n(&w)] = t;
    return w;
}

/* The term in the place of the one of its name. */
UNUSED static struct rig_says with(struct rig_says w, const char *t) {
    size_t name = (size_t)(strchr(t, '=') - t) + 1, n = terms_n(&w), i = 0;
    while (i < n && strncmp(w.terms[i], t, name) != 0) i++;
    w.terms[i] = t;
    return w;
}

UNUSED static struct rig_says by(struct rig_says w, const char *signer, enum policy_by_key how) {
    w.signer = signer;
    w.by = how;
    return w;
}

UNUSED static struct rig_says person(const char *account, const char *who, const char *key_text, const char *role) {
    return RIG(PERSON_SET, account, RIG_OFFICER, "employer=Northern Support", term("key", key_text), term("name", account), "office=DE", term("person", who),
               "review=" DAY_AGO, term("role", role), "screening=" DAY_AGO, "training=" DAY_AGO);
}

UNUSED static struct rig_says purpose(const char *name) {
    return RIG(PURPOSE_SET, name, RIG_OFFICER, "category=general", "role=support", "verb=head", "verb=list", "verb=read");
}

UNUSED static struct rig_says approver(const char *id, const char *key_text, const char *signer) {
    return RIG(APPROVER_SET, id, signer, term("key", key_text), term("name", id));
}

/* The digest of the statement said last, as a term. */
UNUSED static const char *request_of_last(void) {
    struct buf text = BUF_INIT(64);
    buf_put_base64url(&text, slice_of(rig_statement.digest, HASH_BYTES));
    buf_put_u8(&text, 0);
    const char *t = term("request", (const char *)text.p);
    buf_done(&text);
    return t;
}

UNUSED static int people_set_up(void **unused) {
    if (rig_set_up(unused) != 0 || policy_provider_init(&provider) != ERR_OK || policy_init(&state) != ERR_OK) return 1;
    rig_p = &provider;
    rig_provider_genesis(&provider);
    return apply(&state, GENESIS) != ERR_OK || apply(&state, KEY(KEY1, ACCOUNT1, 1)) != ERR_OK || apply(&state, BUCKET("one", 1, 1, WHO1)) != ERR_OK;
}

UNUSED static int people_tear_down(void **unused) {
    policy_provider_done(&provider);
    policy_done(&state);
    return rig_tear_down(unused);
}

#define say(...) rig_say(&state, __VA_ARGS__)
#define GRANT1 "m4aaaaaaaaaaaaaaaaaaaaaaae"
#define PUB "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define PASS_ANNA "passkey:EdDSA:QW5uYQ:" PUB
#define PASS_BOB "passkey:EdDSA:Qm9i:" PUB
#define ADA key(1)
#define BOB key(2)
#define ANNA key(31)
#define MONA key(32)
#define REC key(41)

/* Provider: anna (support), mona (manager), fix. Tenant: ada, bob with a passkey too; a key for recovery. */
UNUSED static void peopled(void) {
    check_say(rig_provider(&provider, plus(person("anna", "p-1", ANNA, "support"), "key=" PASS_ANNA)), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, person("mona", "p-2", MONA, "manager")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, purpose("fix")), POLICY_SAY_DONE);
    check_say(say(approver("ada", ADA, OWNER)), POLICY_SAY_DONE);
    check_say(say(plus(approver("bob", BOB, ADA), "key=" PASS_BOB)), POLICY_SAY_DONE);
    check_say(say(RIG(RECOVERY_SET, NULL, ADA, term("key", REC), term("key", key(42)), "need=2")), POLICY_SAY_DONE);
}

/* A leaf of the tenant that claims this of the statement. */
UNUSED static void leaf_of(struct rig_says w, enum policy_say claimed) {
    now_ms++;
    rig_write(w);
    rig_leaf(&w, buf_slice(&rig_value), state.size, UINT64_MAX, claimed, RECORD_LOG_CONTROL);
}

/* the customer's side, as text ------------------------------------------------------------------------------------------------ */

static void dump_proposal(struct buf *out, const struct policy_proposal *p) {
    buf_printf(out, "proposal %llu %llu %u\n", (unsigned long long)p->index, (unsigned long long)p->t_ms, p->agreed_count);
    buf_put(out, p->digest, HASH_BYTES);
    buf_put_slice(out, buf_slice(&p->text));
    buf_put_slice(out, buf_slice(&p->agreed));
}

static void dump_words(struct buf *out, const struct policy_words *w) {
    for (unsigned i = 0; i < w->count; i++) buf_printf(out, " %s", w->word[i]);
}

static void dump_rule(struct buf *out, const struct policy_state *s, const char *bucket, const char *object) {
    const struct policy_rule *r = policy_rule_for(s, slice_str(bucket), slice_str(object));
    buf_printf(out, "rule %s %s: %llu %u %llu", bucket, object, (unsigned long long)r->index, r->need, (unsigned long long)r->lapse_ms);
    dump_words(out, &r->approvers);
    for (size_t i = 0; i < r->country_count; i++) buf_printf(out, " %s", r->countries[i]);
    for (size_t i = 0; i < r->employer_count; i++) buf_printf(out, " %s", r->employers[i]);
}

static void dump_ring(struct buf *out, const struct policy_ring *r) {
    for (size_t i = 0; i < policy_ring_count(r); i++) {
        const struct policy_ring_key *k = policy_ring_at(r, i);
        buf_put_slice(out, buf_slice(&k->text));
        buf_printf(out, " %llu %u %u %d\n", (unsigned long long)k->index, k->holder, k->counter, k->removed);
    }
}

static void dump_side(const struct policy_state *s, struct buf *out) {
    const struct policy_customer *c = s->access->customer;
    const struct policy_notice *n;
    struct slice origin, rpid;
    buf_printf(out, "approvers %u quorum %u need %u recovering %d from %llu\n", c->approver_count, c->quorum, c->recovery_need, c->recovering,
               (unsigned long long)c->recovery_from_ms);
    dump_ring(out, &c->ring);
    buf_put_slice(out, buf_slice(&c->owners));
    for (size_t i = 0; i < policy_ring_count(&c->ring); i++) {
        const struct policy_approver *a = policy_approver_of_key(s, buf_slice(&policy_ring_at(&c->ring, i)->text));
        if (a != NULL) buf_printf(out, "%s %s\n", a->id, a->name);
    }
    for (size_t i = 0; i < c->proposals.n / sizeof(struct policy_proposal); i++) dump_proposal(out, (const struct policy_proposal *)(const void *)c->proposals.p + i);
    if (c->recovering) dump_proposal(out, &c->recovery);
    buf_printf(out, "rules %zu categories %zu limits %zu\n", c->rules.rules.n, c->rules.categories.n, c->rules.limits.n);
    buf_put_slice(out, buf_slice(&c->rules.limits));
    dump_rule(out, s, "one", "a/b");
    dump_rule(out, s, "one", "x");
    dump_rule(out, s, "two", "x");
    const struct policy_bucket *b = policy_bucket(s, SLICE_LIT("one"));
    if (b != NULL) buf_put_slice(out, policy_bucket_categories(s, b->id));
    if (policy_origin(s, &origin, &rpid)) buf_put_slice(out, origin), buf_put_slice(out, rpid);
    for (size_t cursor = 0; (n = policy_notice_next(s, &cursor)) != NULL;) buf_printf(out, "notice %s %s %s\n", n->id, n->webhook, n->mail);
    assert_true(buf_ok(out));
}

/* Where the customer's side differs from what it was: -1: nowhere. */
UNUSED static long side_differs(const struct policy_state *s, const struct buf *was) {
    struct buf now = BUF_INIT(1 << 22);
    dump_side(s, &now);
    long at = -1;
    for (size_t i = 0; at < 0 && i < MAX(now.n, was->n); i++) {
        if (i >= now.n || i >= was->n || now.p[i] != was->p[i]) at = (long)i;
    }
    buf_done(&now);
    return at;
}

/* Everything: the customer's side, people as mirrored, grants that are not over. */
UNUSED static void dump_all(const struct policy_state *s, struct buf *out) {
    const struct policy_person *p;
    const struct policy_grant *g;
    dump_side(s, out);
    buf_printf(out, "size %llu t %llu erased %d genesis %llu\n", (unsigned long long)s->size, (unsigned long long)s->t_ms, s->access->erased,
               (unsigned long long)policy_people_genesis(policy_people(s)));
    dump_ring(out, policy_people_ring(policy_people(s)));
    for (size_t cursor = 0; (p = policy_person_next(policy_people(s), &cursor)) != NULL;)
        buf_printf(out, "%s %s %s %s %s %s %s %x %llu %llu %llu %llu %d\n", p->account, p->person, p->manager, p->subprocessor, p->office, p->name, p->employer,
                   p->roles, (unsigned long long)p->training_ms, (unsigned long long)p->screening_ms, (unsigned long long)p->review_ms,
                   (unsigned long long)p->index, p->on);
    for (size_t cursor = 0; (g = policy_grant_next(s, &cursor)) != NULL;) {
        buf_put(out, g->id, ID_BYTES);
        buf_printf(out, " %d %s %s %llu %llu %zu\n", (int)g->state, g->account, g->purpose, (unsigned long long)g->used_objects,
                   (unsigned long long)g->used_bytes, g->approval_count);
    }
    assert_true(buf_ok(out));
}

/* which reasons which test reaches ---------------------------------------------------------------------------------------------- */

#define SAYS_PEOPLE(X) X(DONE) X(UNKNOWN) X(KEY_REMOVED) X(NOT_HARDWARE) X(NOT_OFFICER) X(NO_TENANT) X(NO_SUBJECT) X(EXISTS) X(STATE) X(RANGE) X(LIMIT) \
    X(SUBJECT) X(VERB)
#define SAYS_CUSTOMER(X) X(WAITS) X(KEY_PROPOSED) X(NOT_APPROVER) X(NOT_RECOVERY) X(NO_PROPOSAL) X(SAME_PERSON) X(LAPSED) X(TOO_EARLY) X(APPROVALS)
#define SAYS_RULES(X) X(DONE) X(RANGE) X(SUBJECT) X(LIMIT) X(VERB) X(NO_BUCKET) X(NO_SUBJECT) X(NOT_APPROVER)
#define SAYS_GRANTS(X) X(NOT_MANAGER) X(NOT_REQUESTER) X(NOT_YOURS) X(OWN_REQUEST) X(OTHER_PERSON) X(NOT_ELIGIBLE) X(NOT_ROLE) X(PURPOSE) X(CATEGORY) X(DENIED_BY_RULE) \
    X(COUNTRY) X(NO_GRANT) X(OTHER_REQUEST) X(WIDENS)          /* policy_grant_test.c */
#define SAYS_OWN(X) X(NOT_OWNER) X(NOT_TAKEN)      /* policy_side_test.c: kinds that have leaves of their own */
#define SAYS_GATE(X) X(NOT_TOUCHED) X(COPIED) X(REPEATED) X(CLOCK)     /* what only the gate sees */
#define SAYS_ONE(NAME) POLICY_SAY_##NAME,

UNUSED static void check_reached(const enum policy_say *want, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!said[want[i]]) fail_msg("no case reaches %s", policy_say_text(want[i]));
    }
}

#endif
