/* SPDX-License-Identifier: Apache-2.0
 * Statements in the fold: what comes of one, its leaf, mirrors of the provider log, and what was used under a grant.
 * Role: before policy_people.c, policy_customer.c and policy_grant.c. Trusts: that the signature verified by the key that `who` opens to:
 *   the fold verifies none (the gate did before the leaf, tillit-verify does again). Distrusts: every word; a leaf that says something else
 *   than what comes of its statement is refused, in both directions.
 * Law: 4, 6. Spec: docs/spec/access.md sections 2, 6 and 7.
 */
#include "policy/policy_access_internal.h"

static const struct {
    const char *text, *what;
    unsigned status;
} says[POLICY_SAY__COUNT] = {
#define SAY(NAME, text, status, what) {text, what, status},
#include "policy/policy_say.def"
};

const char *policy_say_text(enum policy_say s) {
    ASSERT((unsigned)s < POLICY_SAY__COUNT);
    return says[s].text;
}

const char *policy_say_what(enum policy_say s) {
    ASSERT((unsigned)s < POLICY_SAY__COUNT);
    return says[s].what;
}

unsigned policy_say_status(enum policy_say s) {
    ASSERT((unsigned)s < POLICY_SAY__COUNT);
    return says[s].status;
}

enum err policy_access_init(struct policy_state *s) {
    struct buf own;
    s->access = policy_own_new(sizeof *s->access, &own);
    if (s->access == NULL) return ERR_NOMEM;
    s->access->own = own;
    s->access->people = policy_people_new();
    if (s->access->people == NULL) return ERR_NOMEM;
    TRY(policy_customer_new(s));
    return policy_grants_new(s);
}

void policy_access_done(struct policy_state *s) {
    struct policy_access *a = s->access;
    if (a == NULL) return;
    policy_grants_free(a->grants);
    policy_customer_free(a->customer);
    policy_people_free(a->people);
    ledger_hash_done(&a->hash);
    struct buf own = a->own;
    buf_done(&own);
    s->access = NULL;
}

const struct policy_people *policy_people(const struct policy_state *s) { return s->access->people; }

/* what comes of a statement --------------------------------------------------------------------------------------------------- */

enum part { PART_NONE, PART_PROVIDER, PART_CUSTOMER, PART_ACCESS, PART_OWN };
static enum part part_of(enum record_statement_kind k) {
    switch (k) {
    case RECORD_STATEMENT_GENESIS_PROVIDER:
    case RECORD_STATEMENT_PERSON_SET:
    case RECORD_STATEMENT_PERSON_OFF:
    case RECORD_STATEMENT_PURPOSE_SET: return PART_PROVIDER;
    case RECORD_STATEMENT_ACCESS_REQUEST:
    case RECORD_STATEMENT_ACCESS_APPROVE:
    case RECORD_STATEMENT_ACCESS_REJECT:
    case RECORD_STATEMENT_ACCESS_ASK:
    case RECORD_STATEMENT_ACCESS_REPLY:
    case RECORD_STATEMENT_ACCESS_REVOKE:
    case RECORD_STATEMENT_ACCESS_COMPLETE:
    case RECORD_STATEMENT_ACCESS_LOGIN:
    case RECORD_STATEMENT_ACCESS_LOOK: return PART_ACCESS;
    case RECORD_STATEMENT_GENESIS_TENANT:
    case RECORD_STATEMENT_TENANT_CREATE:
    case RECORD_STATEMENT_KEY_ADD:
    case RECORD_STATEMENT_KEY_OFF:
    case RECORD_STATEMENT_READER_ADD:
    case RECORD_STATEMENT_READER_OFF: return PART_OWN;
    default: return policy_customer_takes(k) ? PART_CUSTOMER : PART_NONE;
    }
}

/* Kinds that stand in leaves of their own when they are taken: a `stmt` leaf of one is a refusal, and never DONE. */
static enum policy_say own_say(const struct policy_state *s, const struct policy_statement *st) {
    struct slice key = st->signer.key;
    if (st->s->kind == RECORD_STATEMENT_TENANT_CREATE) return policy_officer(s->access->people, key) ? POLICY_SAY_NOT_TAKEN : POLICY_SAY_NOT_OFFICER;
    return policy_is_owner(s, key) ? POLICY_SAY_NOT_TAKEN : POLICY_SAY_NOT_OWNER;
}

bool policy_knows_key(const struct policy_state *s, struct slice key) {
    return policy_customer_knows(s, key) || policy_people_know(s->access->people, key) || policy_customer_proposed(s, key, 0);
}

/* DONE: the key may sign here; what it may say is another matter. */
static enum policy_say signer_say(const struct policy_state *s, const struct policy_statement *st) {
    const struct policy_people *people = s->access->people;
    struct slice key = st->signer.key;
    if (policy_customer_signs(s, key) || policy_officer(people, key)) return POLICY_SAY_DONE;
    if (policy_person_of_key(people, key) != NULL) return st->signer.by == POLICY_KEY_SSH ? POLICY_SAY_NOT_HARDWARE : POLICY_SAY_DONE;
    if (policy_customer_knows(s, key) || policy_people_know(people, key)) return POLICY_SAY_KEY_REMOVED;
    return policy_customer_proposed(s, key, st->t_ms) ? POLICY_SAY_KEY_PROPOSED : POLICY_SAY_UNKNOWN;
}

enum policy_say policy_say(const struct policy_state *s, const struct policy_statement *st) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    enum part part = part_of(st->s->kind);
    /* What stands on the provider log has no place here but as a mirror. */
    if (!s->founded || (part != PART_CUSTOMER && part != PART_ACCESS && part != PART_OWN)) return POLICY_SAY_NO_TENANT;
    enum policy_say say = signer_say(s, st);
    if (say != POLICY_SAY_DONE) return say;
    if (part == PART_CUSTOMER) return policy_customer_say(s, st);
    if (part == PART_OWN) return own_say(s, st);
    /* Nobody knows what was allowed, so nothing is, from here on. */
    if (s->access->erased && st->s->kind != RECORD_STATEMENT_ACCESS_LOOK) return POLICY_SAY_STATE;
    return policy_grant_say(s, st);
}

struct slice policy_passkey(const struct policy_state *s, struct slice credential, uint32_t *counter) {
    const struct policy_ring_key *k = policy_ring_credential(&s->access->customer->ring, credential);
    if (k == NULL) k = policy_ring_credential(policy_people_ring(s->access->people), credential);
    *counter = k == NULL ? 0 : k->counter;
    return k == NULL ? policy_customer_proposed_passkey(s, credential) : buf_slice(&k->text);
}

/* `stmt` leaves ------------------------------------------------------------------------------------------------------------------ */

static bool by_of(struct slice auth, enum policy_by_key *by) {
    static const char *const texts[] = {[POLICY_KEY_SSH] = "ssh", [POLICY_KEY_SK] = "sk", [POLICY_KEY_PASSKEY] = "passkey"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *by = (enum policy_by_key)i;
        if (slice_is(auth, texts[i])) return true;
    }
    return false;
}

enum err policy_said_of(struct ledger_hash *h, const struct record_leaf *leaf, const struct record_opening *opening, struct policy_said *out) {
    struct slice value, who, dec = record_text(leaf, RECORD_F_DEC);
    bool stmt_erased, who_erased;
    *out = (struct policy_said){.mirror = record_has(leaf, RECORD_F_REF), .ref = record_int(leaf, RECORD_F_REF, UINT64_MAX)};
    out->why = record_text(leaf, RECORD_F_WHY);
    out->allow = slice_is(dec, "allow");
    out->st.t_ms = record_int(leaf, RECORD_F_T, 0);
    if (!out->allow && !slice_is(dec, "deny")) return ERR_INPUT;
    if (out->allow == record_has(leaf, RECORD_F_WHY)) return ERR_INPUT;
    if (!record_statement_kind_of(record_text(leaf, RECORD_F_ACT), &out->kind)) return ERR_VERSION;
    if (!by_of(record_text(leaf, RECORD_F_AUTH), &out->st.signer.by)) return ERR_INPUT;
    TRY(policy_opened(leaf, opening, RECORD_F_STMT, &value, &stmt_erased));
    TRY(policy_opened(leaf, opening, RECORD_F_WHO, &who, &who_erased));
    out->erased = stmt_erased || who_erased;
    if (out->erased) return ERR_OK;
    TRY(record_stmt_value_get(value, &out->value));
    TRY(record_statement_parse(out->value.text, &out->s));
    bool passkey = out->st.signer.by == POLICY_KEY_PASSKEY;
    if (out->s.kind != out->kind || out->value.passkey != passkey || slice_starts(who, SLICE_LIT("passkey:")) != passkey) return ERR_INPUT;
    out->st.s = &out->s;
    out->st.signer.key = who;
    ledger_sha256(h, out->value.text, out->st.digest);
    return ERR_OK;
}

/* Refusals that hang on what only the gate sees: nonces, its clock, a device's flags and counter. They change nothing here. */
static bool gates_own(struct slice why) {
    static const enum policy_say own[] = {POLICY_SAY_REPEATED, POLICY_SAY_CLOCK, POLICY_SAY_NOT_TOUCHED, POLICY_SAY_COPIED};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (slice_is(why, says[own[i]].text)) return true;
    }
    return false;
}

enum err policy_said_check(const struct policy_said *d, enum policy_say say) {
    bool allowed = say == POLICY_SAY_DONE || say == POLICY_SAY_WAITS;
    if (d->allow) return allowed ? ERR_OK : ERR_VERIFY;
    if (gates_own(d->why)) return ERR_OK;
    return !allowed && slice_is(d->why, says[say].text) ? ERR_OK : ERR_VERIFY;
}

static bool names(struct slice list, struct slice key) {
    struct slice one;
    while (record_list_text(&list, &one)) {
        if (slice_eq(one, key)) return true;
    }
    return false;
}

/* AUTH: no mirrored officer signed it. Mirrors decide nothing by themselves: they bring to this log what stands on the other one. */
static enum err mirror_check(const struct policy_people *p, const struct policy_said *d) {
    uint64_t have = 0;
    if (d->kind == RECORD_STATEMENT_GENESIS_PROVIDER) {
        if (policy_people_genesis(p) != UINT64_MAX) return ERR_EXISTS;
        return names(d->s.scope, d->st.signer.key) ? ERR_OK : ERR_AUTH;
    }
    if (policy_people_genesis(p) == UINT64_MAX || !policy_officer(p, d->st.signer.key)) return ERR_AUTH;
    const struct policy_person *q = policy_person(p, d->s.subject);
    const struct policy_purpose *u = policy_purpose(p, d->s.subject);
    if (d->kind == RECORD_STATEMENT_PURPOSE_SET) have = u == NULL ? 0 : u->index;
    else have = q == NULL ? 0 : q->index;
    /* An older statement over a newer one would bring back a person who was put out: it only says whose a key was. */
    if (d->ref <= have) return policy_people_former(p, d->ref, &d->s) ? ERR_OK : ERR_INPUT;
    return policy_people_say(p, &d->st) == POLICY_SAY_DONE ? ERR_OK : ERR_INPUT;
}

static enum err apply_mirror(struct policy_state *s, const struct policy_said *d, bool dry) {
    struct policy_people *p = s->access->people;
    if (!d->allow || part_of(d->kind) != PART_PROVIDER) return ERR_INPUT;
    if (d->erased) {
        if (!dry) policy_people_erased(p, d);
        return ERR_OK;
    }
    enum err e = mirror_check(p, d);
    if (e != ERR_OK) return policy_people_were_erased(p) ? ERR_OK : e;
    if (dry) return ERR_OK;
    if (d->kind == RECORD_STATEMENT_GENESIS_PROVIDER) return policy_people_genesis_fold(p, d->ref, d->s.scope);
    return policy_people_fold(p, d->ref, &d->st, s);
}

/* A signature by a copy of the device counts no further than the device: what was seen is kept. */
static void count_up(struct policy_state *s, const struct policy_said *d) {
    struct record_assertion a;
    if (!d->value.passkey || record_assertion_parse(d->value.signature, &a) != ERR_OK) return;
    policy_ring_count_up(&s->access->customer->ring, d->st.signer.key, record_assertion_counter(&a));
    policy_people_count_up(s->access->people, d->st.signer.key, record_assertion_counter(&a));
}

static enum err grant_named(const struct record_leaf *leaf, const struct policy_said *d) {
    uint8_t id[ID_BYTES];
    if (!record_has(leaf, RECORD_F_GRANT) || d->erased) return ERR_OK;
    if (part_of(d->kind) != PART_ACCESS || record_id_get(d->s.subject, id) != ERR_OK) return ERR_INPUT;
    return memcmp(id, leaf->f[RECORD_F_GRANT].bytes, ID_BYTES) == 0 ? ERR_OK : ERR_INPUT;
}

enum err policy_apply_stmt(struct policy_state *s, uint64_t index, const struct record_leaf *leaf, const struct record_opening *opening, bool dry) {
    struct policy_access *a = s->access;
    struct policy_said d;
    if (record_int(leaf, RECORD_F_CTL, index) != index) return ERR_INPUT;
    if (record_int(leaf, RECORD_F_ENG, POLICY_ENGINE_VERSION) > POLICY_ENGINE_VERSION) return ERR_VERSION;
    if (a->hash.ctx == NULL) TRY(ledger_hash_init(&a->hash));
    TRY(policy_said_of(&a->hash, leaf, opening, &d));
    TRY(grant_named(leaf, &d));
    if (!dry) s->founding = false;
    if (d.mirror) return apply_mirror(s, &d, dry);
    if (d.erased) {
        if (!dry && d.allow && d.kind != RECORD_STATEMENT_ACCESS_LOOK) a->erased = true;
        return ERR_OK;
    }
    /* Behind what was erased a statement may make no sense any more: then it has no effect, and no grant is live anyway. */
    enum err e = policy_said_check(&d, policy_say(s, &d.st));
    if (e != ERR_OK) return a->erased || policy_people_were_erased(a->people) ? ERR_OK : e;
    if (dry || !d.allow) return ERR_OK;
    if (part_of(d.kind) == PART_CUSTOMER) TRY(policy_customer_fold(s, index, &d.st));
    else TRY(policy_grant_fold(s, index, &d.st));
    count_up(s, &d);
    return ERR_OK;
}

/* `grant` leaves, `acc` leaves of the control log -------------------------------------------------------------------------------------- */

enum err policy_apply_grant(struct policy_state *s, uint64_t index, const struct record_leaf *leaf, bool dry) {
    enum err e = policy_grant_time_fold(s, index, leaf->f[RECORD_F_GRANT].bytes, record_text(leaf, RECORD_F_ACT), record_int(leaf, RECORD_F_T, 0), dry);
    if (e != ERR_OK && s->access->erased) return ERR_OK;
    if (e == ERR_OK && !dry) s->founding = false;
    return e;
}

/* The request's own record. Whether it was decided right is policy_check()'s; here it counts. */
enum err policy_apply_use(struct policy_state *s, uint64_t index, const struct record_leaf *leaf, bool dry) {
    struct slice dec = record_text(leaf, RECORD_F_DEC);
    uint64_t bytes = record_int(leaf, RECORD_F_BYTES, 0);
    bool allow = slice_is(dec, "allow");
    if (record_int(leaf, RECORD_F_CTL, UINT64_MAX) != index || !slice_is(record_text(leaf, RECORD_F_AUTH), "sts")) return ERR_INPUT;
    if (record_int(leaf, RECORD_F_ENG, UINT64_MAX) > POLICY_ENGINE_VERSION) return ERR_VERSION;
    if (!allow && !slice_is(dec, "deny")) return ERR_INPUT;
    if (!dry) s->founding = false;
    if (!allow) return ERR_OK;
    if (!record_has(leaf, RECORD_F_GRANT)) return ERR_INPUT;
    const uint8_t *id = leaf->f[RECORD_F_GRANT].bytes;
    if (policy_grant(s, id) == NULL) return s->access->erased ? ERR_OK : ERR_MISSING;
    if (dry || bytes == 0) return ERR_OK; /* it opened nothing */
    return policy_grant_used(s, id, bytes, !record_has(leaf, RECORD_F_REF));
}

/* mirrors --------------------------------------------------------------------------------------------------------------------------------- */

struct wanted {
    const struct policy_state *s;
    const struct policy_people *have, *from;
    uint64_t *out;
    size_t n;
};

static void want(struct wanted *w, uint64_t index) {
    for (size_t i = 0; i < w->n; i++) {
        if (w->out[i] == index) return;
    }
    if (w->n < POLICY_MIRRORS_MAX) w->out[w->n++] = index;
}

static void want_genesis(struct wanted *w) {
    uint64_t index = policy_people_genesis(w->from);
    if (index != UINT64_MAX && policy_people_genesis(w->have) == UINT64_MAX) want(w, index);
}

/* What the person is, and behind it that it is off: off alone would not say whose key it is that is refused. */
static void want_person(struct wanted *w, struct slice account) {
    const struct policy_person *from = policy_person(w->from, account), *have = policy_person(w->have, account);
    if (from == NULL) return;
    uint64_t set = policy_person_set_index(w->from, account);
    want_genesis(w);
    if (have == NULL || policy_person_set_index(w->have, account) < set) want(w, set);
    if (from->index > set && (have == NULL || have->index < from->index)) want(w, from->index);
}

/* Whose key it is, or was: for that the statement that brought it. */
static void want_key(struct wanted *w, struct slice key) {
    if (policy_officer(w->from, key)) want_genesis(w);
    const struct policy_ring_key *k = policy_ring_same(policy_people_ring(w->from), key);
    if (k == NULL) return;
    want_genesis(w);
    if (k->removed && !policy_people_know(w->have, key) && !policy_customer_claims(w->s, key)) want(w, k->index);
    want_person(w, policy_person_account(w->from, k->holder));
}

static void want_purpose(struct wanted *w, struct slice name) {
    const struct policy_purpose *from = policy_purpose(w->from, name), *have = policy_purpose(w->have, name);
    if (from == NULL) return;
    want_genesis(w);
    if (have == NULL || have->index < from->index) want(w, from->index);
}

static void want_grant(struct wanted *w, const struct policy_grant *g) {
    want_person(w, slice_str(g->account));
    want_purpose(w, slice_str(g->purpose));
    for (size_t i = 0; i < g->approval_count; i++) {
        if (g->approvals[i].manager) want_person(w, slice_str(g->approvals[i].id));
    }
}

size_t policy_mirrors(const struct policy_state *s, const struct policy_provider *p, const struct policy_statement *st, uint64_t out[POLICY_MIRRORS_MAX]) {
    struct wanted w = {.s = s, .have = s->access->people, .from = p->people, .out = out};
    const struct policy_grant *g;
    uint8_t id[ID_BYTES];
    struct slice key;
    if (st == NULL) {
        for (size_t cursor = 0; (g = policy_grant_next(s, &cursor)) != NULL;) want_grant(&w, g);
        return w.n;
    }
    want_key(&w, st->signer.key);
    /* A key of the provider's people must not become an approver's, so it has to be known here whose it is. */
    for (size_t i = 0; part_of(st->s->kind) == PART_CUSTOMER && (key = record_term(st->s, RECORD_TERM_KEY, i)).p != NULL; i++) want_key(&w, key);
    if (part_of(st->s->kind) != PART_ACCESS) return w.n;
    want_purpose(&w, record_term(st->s, RECORD_TERM_PURPOSE, 0));
    g = record_id_get(st->s->subject, id) == ERR_OK ? policy_grant(s, id) : NULL;
    if (g != NULL) want_grant(&w, g);
    return w.n;
}
