/* SPDX-License-Identifier: Apache-2.0
 * The customer's side: approvers and their keys, what waits for a quorum of them, recovery.
 * Role: what a tenant's own people say; policy_rules.c has what they set beside. Trusts: verified signatures. Distrusts: every word, and
 *   everybody who is neither approver nor holder of a recovery key.
 * Law: 4, 6. Spec: docs/spec/access.md section 1.
 */
#include "policy/policy_access_internal.h"

struct approver_row {
    struct policy_approver a;
    bool on;
    uint32_t keys[POLICY_APPROVER_KEYS_MAX];       /* rows of the ring */
    uint32_t key_count;
};

/* Who may say it. A kind that does not stand here is not the customer's. */
enum who { WHO_NOBODY, WHO_QUORUM, WHO_APPROVER, WHO_RECOVERY, WHO_EITHER };
static const uint8_t who_says[RECORD_STATEMENT_COUNT] = {
    [RECORD_STATEMENT_APPROVER_SET] = WHO_QUORUM,    [RECORD_STATEMENT_APPROVER_OFF] = WHO_QUORUM,
    [RECORD_STATEMENT_QUORUM_SET] = WHO_QUORUM,      [RECORD_STATEMENT_RULE_SET] = WHO_QUORUM,
    [RECORD_STATEMENT_RULE_OFF] = WHO_QUORUM,        [RECORD_STATEMENT_CATEGORY_SET] = WHO_QUORUM,
    [RECORD_STATEMENT_PURPOSE_LIMIT] = WHO_QUORUM,   [RECORD_STATEMENT_ORIGIN_SET] = WHO_QUORUM,
    [RECORD_STATEMENT_RECOVERY_SET] = WHO_QUORUM,    [RECORD_STATEMENT_NOTICE_SET] = WHO_APPROVER,
    [RECORD_STATEMENT_NOTICE_OFF] = WHO_APPROVER,    [RECORD_STATEMENT_RECOVERY_CANCEL] = WHO_APPROVER,
    [RECORD_STATEMENT_RECOVERY_START] = WHO_RECOVERY, [RECORD_STATEMENT_RECOVERY_FINISH] = WHO_RECOVERY,
    [RECORD_STATEMENT_AGREE] = WHO_EITHER,
};

bool policy_customer_takes(enum record_statement_kind k) { return who_says[k] != WHO_NOBODY; }

/* memory ---------------------------------------------------------------------------------------------------------------------- */

enum err policy_customer_new(struct policy_state *s) {
    struct buf own;
    struct policy_customer *c = policy_own_new(sizeof *c, &own);
    if (c == NULL) return ERR_NOMEM;
    c->own = own;
    c->quorum = 1;
    c->owners = BUF_INIT(POLICY_OWNERS_MAX * sizeof(struct policy_approver));
    c->approvers = BUF_INIT(POLICY_APPROVERS_MAX * sizeof(struct approver_row));
    c->proposals = BUF_INIT(POLICY_PROPOSALS_MAX * sizeof(struct policy_proposal));
    s->access->customer = c;
    TRY(policy_ring_init(&c->ring, POLICY_CUSTOMER_KEYS_MAX));
    return policy_rules_init(&c->rules);
}

static size_t row_count(const struct policy_customer *c) { return c->approvers.n / sizeof(struct approver_row); }
static struct approver_row *row_at(const struct policy_customer *c, size_t row) {
    ASSERT(row < row_count(c));
    return (struct approver_row *)(void *)c->approvers.p + row;
}
static size_t proposal_count(const struct policy_customer *c) { return c->proposals.n / sizeof(struct policy_proposal); }
static struct policy_proposal *proposal_at(const struct policy_customer *c, size_t row) { return (struct policy_proposal *)(void *)c->proposals.p + row; }

static void proposal_done(struct policy_proposal *p) {
    buf_done(&p->text);
    buf_done(&p->agreed);
}

static void proposal_remove(struct policy_customer *c, size_t row) {
    struct policy_proposal *p = proposal_at(c, row);
    proposal_done(p);
    memmove(p, p + 1, (proposal_count(c) - row - 1) * sizeof *p);
    c->proposals.n -= sizeof *p;
}

static void recovery_end(struct policy_customer *c) {
    proposal_done(&c->recovery);
    c->recovery = (struct policy_proposal){0};
    c->recovering = false;
    c->recovery_from_ms = 0;
}

void policy_customer_free(struct policy_customer *c) {
    if (c == NULL) return;
    while (proposal_count(c) > 0) proposal_remove(c, proposal_count(c) - 1);
    recovery_end(c);
    policy_ring_done(&c->ring);
    policy_rules_done(&c->rules);
    buf_done(&c->owners);
    buf_done(&c->approvers);
    buf_done(&c->proposals);
    struct buf own = c->own;
    buf_done(&own);
}

enum err policy_customer_genesis(struct policy_state *s) {
    struct buf *owners = &s->access->customer->owners;
    for (uint32_t i = 0; i < s->owner_count; i++) {
        bool twice = false;
        for (uint32_t k = 0; k < i; k++) twice = twice || strcmp(s->owners[k], s->owners[i]) == 0;
        struct policy_approver *a = twice ? NULL : (struct policy_approver *)(void *)buf_room(owners, sizeof *a);
        if (a == NULL && !twice) return ERR_NOMEM;
        if (a == NULL) continue;
        *a = (struct policy_approver){0};
        policy_copy_text(a->id, slice_str(s->owners[i]));
        owners->n += sizeof *a;
    }
    return ERR_OK;
}

/* who ---------------------------------------------------------------------------------------------------------------------------- */

/* LAW-6: who is no approver by this, and holds no recovery key by the next, changes nothing here. An officer's key is nobody's, even where
 * the officer made himself an owner when he created the tenant; persons get no key that is one of these (policy_people.c). */
const struct policy_approver *policy_approver_of_key(const struct policy_state *s, struct slice key) {
    const struct policy_customer *c = s->access->customer;
    const struct policy_approver *owner = (const struct policy_approver *)(const void *)c->owners.p;
    if (policy_officer(s->access->people, key)) return NULL;
    if (c->approver_count > 0) {
        const struct policy_ring_key *k = policy_ring_find(&c->ring, key);
        return k == NULL || k->removed || k->holder == POLICY_HOLDER_RECOVERY ? NULL : &row_at(c, k->holder)->a;
    }
    for (size_t i = 0; i < c->owners.n / sizeof *owner; i++) {
        if (slice_is(key, owner[i].id)) return &owner[i];
    }
    return NULL;
}

static bool recovery_key(const struct policy_state *s, struct slice key) {
    const struct policy_ring_key *k = policy_ring_find(&s->access->customer->ring, key);
    return k != NULL && !k->removed && k->holder == POLICY_HOLDER_RECOVERY && !policy_officer(s->access->people, key);
}

bool policy_approver_holds(const struct policy_state *s, const char *id, struct slice key) {
    const struct policy_approver *a = policy_approver_of_key(s, key);
    return a != NULL && strcmp(a->id, id) == 0;
}

bool policy_customer_knows(const struct policy_state *s, struct slice key) {
    return policy_is_owner(s, key) || policy_ring_same(&s->access->customer->ring, key) != NULL;
}

bool policy_customer_claims(const struct policy_state *s, struct slice key) {
    const struct policy_customer *c = s->access->customer;
    bool claimed = policy_customer_knows(s, key) || (c->recovering && policy_ring_named(&c->recovery.s, key));
    for (size_t i = 0; !claimed && i < proposal_count(c); i++) claimed = policy_ring_named(&proposal_at(c, i)->s, key);
    return claimed;
}

bool policy_customer_signs(const struct policy_state *s, struct slice key) {
    const struct policy_ring_key *k = policy_ring_find(&s->access->customer->ring, key);
    return k != NULL ? !k->removed : policy_is_owner(s, key);
}

static unsigned approvers_now(const struct policy_customer *c) {
    return c->approver_count > 0 ? c->approver_count : (unsigned)(c->owners.n / sizeof(struct policy_approver));
}

/* proposals ------------------------------------------------------------------------------------------------------------------------ */

static bool agreed_next(struct reader *r, struct slice *id, struct slice *key) {
    if (reader_left(r) == 0) return false;
    *id = reader_lp16(r, UINT16_MAX);
    *key = reader_lp16(r, UINT16_MAX);
    return true;
}

/* Whoever agreed must still be who they were, with that key: a key that was stolen and taken away agrees to nothing. */
static bool proposal_alive(const struct policy_state *s, const struct policy_proposal *p, uint64_t t_ms) {
    struct reader r = reader_of(buf_slice(&p->agreed));
    struct slice id, key;
    if (t_ms >= p->t_ms + PROPOSAL_LAPSE_MS) return false;
    while (agreed_next(&r, &id, &key)) {
        const struct policy_approver *a = policy_approver_of_key(s, key);
        if (a == NULL || !slice_is(id, a->id)) return false;
    }
    return true;
}

static bool recovery_alive(const struct policy_customer *c, uint64_t t_ms) {
    uint64_t from = c->recovery_from_ms != 0 ? c->recovery_from_ms + RECOVERY_DELAY_MS : c->recovery.t_ms;
    return c->recovering && t_ms < from + PROPOSAL_LAPSE_MS;
}

static bool agreed_by(const struct policy_proposal *p, struct slice who, struct slice signer) {
    struct reader r = reader_of(buf_slice(&p->agreed));
    struct slice id, key;
    while (agreed_next(&r, &id, &key)) {
        if (slice_eq(key, signer) || (who.n > 0 && slice_eq(id, who))) return true;
    }
    return false;
}

static struct policy_proposal *proposal_find(const struct policy_customer *c, const uint8_t digest[HASH_BYTES]) {
    for (size_t i = 0; i < proposal_count(c); i++) {
        if (memcmp(proposal_at(c, i)->digest, digest, HASH_BYTES) == 0) return proposal_at(c, i);
    }
    return NULL;
}

/* Each approver has room of its own: one who fills it keeps nobody else from proposing to put that one out. */
static bool proposals_full(const struct policy_state *s, const char *id, uint64_t t_ms) {
    const struct policy_customer *c = s->access->customer;
    unsigned alive = 0;
    for (size_t i = 0; i < proposal_count(c); i++) {
        struct reader r = reader_of(buf_slice(&proposal_at(c, i)->agreed));
        if (slice_is(reader_lp16(&r, UINT16_MAX), id) && proposal_alive(s, proposal_at(c, i), t_ms)) alive++;
    }
    return alive >= POLICY_PROPOSALS_EACH_MAX;
}

static bool names_key(const struct policy_proposal *p, struct slice key) {
    struct slice one;
    for (size_t i = 0; (one = record_term(&p->s, RECORD_TERM_KEY, i)).p != NULL; i++) {
        if (slice_eq(one, key)) return true;
    }
    return false;
}

bool policy_customer_proposed(const struct policy_state *s, struct slice key, uint64_t t_ms) {
    const struct policy_customer *c = s->access->customer;
    for (size_t i = 0; i < proposal_count(c); i++) {
        if (names_key(proposal_at(c, i), key) && proposal_alive(s, proposal_at(c, i), t_ms)) return true;
    }
    return recovery_alive(c, t_ms) && names_key(&c->recovery, key);
}

static struct slice names_credential(const struct policy_proposal *p, struct slice credential) {
    struct record_passkey k;
    struct slice one;
    for (size_t i = 0; (one = record_term(&p->s, RECORD_TERM_KEY, i)).p != NULL; i++) {
        if (slice_starts(one, SLICE_LIT("passkey:")) && record_passkey_parse(one, &k) == ERR_OK && slice_eq(k.credential, credential)) return one;
    }
    return one;
}

struct slice policy_customer_proposed_passkey(const struct policy_state *s, struct slice credential) {
    const struct policy_customer *c = s->access->customer;
    for (size_t i = 0; i < proposal_count(c); i++) {
        struct slice term = names_credential(proposal_at(c, i), credential);
        if (term.p != NULL) return term;
    }
    return c->recovering ? names_credential(&c->recovery, credential) : slice_of(NULL, 0);
}

/* what makes sense ------------------------------------------------------------------------------------------------------------------- */

static struct approver_row *row_of(const struct policy_customer *c, struct slice id) {
    for (size_t i = 0; i < row_count(c); i++) {
        if (row_at(c, i)->on && slice_is(id, row_at(c, i)->a.id)) return row_at(c, i);
    }
    return NULL;
}

/* A key is one approver's only, or for recovery; never one of the provider's people, else one of them could approve. id empty: for recovery. */
static enum policy_say keys_say(const struct policy_state *s, const struct record_statement *t, size_t keys_max, struct slice id) {
    const struct policy_customer *c = s->access->customer;
    const struct approver_row *row = id.n == 0 ? NULL : row_of(c, id);
    uint32_t holder = id.n == 0 ? POLICY_HOLDER_RECOVERY : row == NULL ? POLICY_HOLDER_RECOVERY - 1 : (uint32_t)(row - row_at(c, 0));
    struct slice key;
    size_t count = 0;
    for (; (key = record_term(t, RECORD_TERM_KEY, count)).p != NULL; count++) {
        if (count == keys_max) return POLICY_SAY_LIMIT;
        if (policy_people_know(s->access->people, key) || policy_ring_twice(t, count)) return POLICY_SAY_EXISTS;
        const struct policy_ring_key *k = policy_ring_same(&c->ring, key);
        if (k == NULL) continue;
        if (k->removed) return POLICY_SAY_KEY_REMOVED;
        if (k->holder != holder || !slice_eq(buf_slice(&k->text), key)) return POLICY_SAY_EXISTS;
    }
    return policy_ring_room(&c->ring, count) ? POLICY_SAY_DONE : POLICY_SAY_LIMIT;
}

static enum policy_say approver_say(const struct policy_state *s, const struct record_statement *t) {
    return policy_word_ok(t->subject) ? keys_say(s, t, POLICY_APPROVER_KEYS_MAX, t->subject) : POLICY_SAY_SUBJECT;
}

static enum policy_say approver_set_say(const struct policy_state *s, const struct record_statement *t) {
    const struct policy_customer *c = s->access->customer;
    enum policy_say say = approver_say(s, t);
    if (say != POLICY_SAY_DONE) return say;
    /* The first one replaces the owners: alone it could never reach their quorum. */
    if (c->approver_count == 0 && c->quorum > 1) return POLICY_SAY_RANGE;
    return row_of(c, t->subject) == NULL && c->approver_count >= POLICY_APPROVERS_MAX ? POLICY_SAY_LIMIT : POLICY_SAY_DONE;
}

static bool need_within(const struct record_statement *t, uint64_t most) {
    uint64_t need = record_term_int(t, RECORD_TERM_NEED, 0);
    return need >= 1 && need <= most;
}

static enum policy_say recovery_set_say(const struct policy_state *s, const struct record_statement *t) {
    uint64_t count = 0;
    while (record_term(t, RECORD_TERM_KEY, count).p != NULL) count++;
    if (!need_within(t, count)) return POLICY_SAY_RANGE;
    return keys_say(s, t, POLICY_RECOVERY_KEYS_MAX, slice_of(NULL, 0));
}

/* What a quorum decides, whoever agrees to it. */
static enum policy_say change_say(const struct policy_state *s, const struct record_statement *t) {
    const struct policy_customer *c = s->access->customer;
    switch (t->kind) {
    case RECORD_STATEMENT_APPROVER_SET: return approver_set_say(s, t);
    case RECORD_STATEMENT_APPROVER_OFF:
        if (row_of(c, t->subject) == NULL) return POLICY_SAY_NO_SUBJECT;
        return c->approver_count - 1 >= c->quorum ? POLICY_SAY_DONE : POLICY_SAY_RANGE;
    case RECORD_STATEMENT_QUORUM_SET: return need_within(t, approvers_now(c)) ? POLICY_SAY_DONE : POLICY_SAY_RANGE;
    case RECORD_STATEMENT_RECOVERY_SET: return recovery_set_say(s, t);
    default: return policy_rules_say(s, t);
    }
}

static enum policy_say quorum_say(const struct policy_state *s, const struct policy_statement *st) {
    const struct policy_customer *c = s->access->customer;
    enum policy_say say = change_say(s, st->s);
    if (say != POLICY_SAY_DONE || c->quorum <= 1) return say;
    if (proposal_find(c, st->digest) != NULL) return POLICY_SAY_EXISTS;
    return proposals_full(s, policy_approver_of_key(s, st->signer.key)->id, st->t_ms) ? POLICY_SAY_LIMIT : POLICY_SAY_WAITS;
}

static enum policy_say recovery_say(const struct policy_state *s, const struct policy_statement *st) {
    const struct policy_customer *c = s->access->customer;
    if (st->s->kind == RECORD_STATEMENT_RECOVERY_START) {
        /* Who took one recovery key and begins and begins must not keep the holders of the others from it: until enough agreed, another key's
         * takes its place. */
        bool stays = c->recovery_from_ms != 0 || agreed_by(&c->recovery, slice_of(NULL, 0), st->signer.key);
        if (recovery_alive(c, st->t_ms) && stays) return POLICY_SAY_EXISTS;
        enum policy_say say = approver_say(s, st->s);
        return say != POLICY_SAY_DONE || c->recovery_need <= 1 ? say : POLICY_SAY_WAITS;
    }
    if (!c->recovering) return POLICY_SAY_STATE;
    if (!recovery_alive(c, st->t_ms)) return POLICY_SAY_LAPSED;
    if (c->recovery_from_ms == 0) return POLICY_SAY_APPROVALS;
    if (st->t_ms < c->recovery_from_ms + RECOVERY_DELAY_MS) return POLICY_SAY_TOO_EARLY;
    return approver_say(s, &c->recovery.s);
}

static bool digest_of(const struct record_statement *t, uint8_t digest[HASH_BYTES]) {
    return base64url_fixed(record_term(t, RECORD_TERM_REQUEST, 0), digest, HASH_BYTES) == ERR_OK;
}

static enum policy_say agree_recovery_say(const struct policy_state *s, const struct policy_statement *st) {
    const struct policy_customer *c = s->access->customer;
    if (!recovery_key(s, st->signer.key)) return POLICY_SAY_NOT_RECOVERY;
    if (!recovery_alive(c, st->t_ms)) return POLICY_SAY_LAPSED;
    if (c->recovery_from_ms != 0) return POLICY_SAY_STATE;
    if (agreed_by(&c->recovery, slice_of(NULL, 0), st->signer.key)) return POLICY_SAY_SAME_PERSON;
    return c->recovery.agreed_count + 1 >= c->recovery_need ? POLICY_SAY_DONE : POLICY_SAY_WAITS;
}

static bool is_recovery(const struct policy_customer *c, const uint8_t digest[HASH_BYTES]) {
    return c->recovering && memcmp(c->recovery.digest, digest, HASH_BYTES) == 0;
}

static enum policy_say agree_say(const struct policy_state *s, const struct policy_statement *st) {
    const struct policy_customer *c = s->access->customer;
    const struct policy_approver *a = policy_approver_of_key(s, st->signer.key);
    uint8_t digest[HASH_BYTES];
    if (a == NULL && !recovery_key(s, st->signer.key)) return POLICY_SAY_NOT_APPROVER;
    if (!digest_of(st->s, digest)) return POLICY_SAY_NO_PROPOSAL;
    if (is_recovery(c, digest)) return agree_recovery_say(s, st);
    const struct policy_proposal *p = proposal_find(c, digest);
    if (p == NULL) return POLICY_SAY_NO_PROPOSAL;
    if (a == NULL) return POLICY_SAY_NOT_APPROVER;
    if (!proposal_alive(s, p, st->t_ms)) return POLICY_SAY_LAPSED;
    if (agreed_by(p, slice_str(a->id), st->signer.key)) return POLICY_SAY_SAME_PERSON;
    /* Much may have changed since it was proposed. */
    return p->agreed_count + 1 >= c->quorum ? change_say(s, &p->s) : POLICY_SAY_WAITS;
}

enum policy_say policy_customer_say(const struct policy_state *s, const struct policy_statement *st) {
    const struct policy_customer *c = s->access->customer;
    enum who who = (enum who)who_says[st->s->kind];
    ASSERT(who != WHO_NOBODY);
    if (who == WHO_EITHER) return agree_say(s, st);
    if (who == WHO_RECOVERY) return recovery_key(s, st->signer.key) ? recovery_say(s, st) : POLICY_SAY_NOT_RECOVERY;
    if (policy_approver_of_key(s, st->signer.key) == NULL) return POLICY_SAY_NOT_APPROVER;
    if (who == WHO_QUORUM) return quorum_say(s, st);
    if (st->s->kind == RECORD_STATEMENT_RECOVERY_CANCEL) return recovery_alive(c, st->t_ms) ? POLICY_SAY_DONE : POLICY_SAY_STATE;
    return policy_rules_say(s, st->s);
}

/* effects ------------------------------------------------------------------------------------------------------------------------------ */

/* Takes the keys of the statement for holder: rows of them, new ones added. On an error the ring is as before. */
static enum err keys_take(struct policy_customer *c, uint64_t index, const struct record_statement *t, uint32_t holder, uint32_t *rows, uint32_t *count) {
    size_t had = policy_ring_count(&c->ring);
    struct slice key;
    *count = 0;
    for (size_t i = 0; (key = record_term(t, RECORD_TERM_KEY, i)).p != NULL; i++) {
        const struct policy_ring_key *k = policy_ring_find(&c->ring, key);
        size_t row = k == NULL ? policy_ring_count(&c->ring) : (size_t)(k - policy_ring_at(&c->ring, 0));
        enum err e = k == NULL ? policy_ring_add(&c->ring, key, holder, index) : ERR_OK;
        if (e != ERR_OK) {
            policy_ring_cut(&c->ring, had);
            return e;
        }
        rows[(*count)++] = (uint32_t)row;
    }
    return ERR_OK;
}

/* All that holder has beside these rows is taken away. */
static void keys_remove_others(struct policy_customer *c, uint32_t holder, const uint32_t *rows, uint32_t count) {
    for (size_t i = 0; i < policy_ring_count(&c->ring); i++) {
        bool stays = policy_ring_at(&c->ring, i)->holder != holder;
        for (uint32_t k = 0; k < count; k++) stays = stays || rows[k] == i;
        if (!stays) policy_ring_at(&c->ring, i)->removed = true;
    }
}

static void approver_off(struct policy_customer *c, struct approver_row *row) {
    keys_remove_others(c, (uint32_t)(row - row_at(c, 0)), NULL, 0);
    row->on = false;
    c->approver_count--;
}

static enum err approver_put(struct policy_customer *c, uint64_t index, const struct record_statement *t, size_t at) {
    struct approver_row made = {.on = true};
    if (at == row_count(c)) {
        uint8_t *to = buf_room(&c->approvers, sizeof made);
        if (to == NULL) {
            c->approvers.bad = false;
            return ERR_NOMEM;
        }
        memset(to, 0, sizeof made);
        c->approvers.n += sizeof made;
    }
    TRY(keys_take(c, index, t, (uint32_t)at, made.keys, &made.key_count));
    keys_remove_others(c, (uint32_t)at, made.keys, made.key_count);
    policy_copy_text(made.a.id, t->subject);
    policy_copy_text(made.a.name, record_term(t, RECORD_TERM_NAME, 0));
    if (!row_at(c, at)->on) c->approver_count++;
    *row_at(c, at) = made;
    return ERR_OK;
}

/* The approver's own row, else a free one, else a new one; one past the last when all are taken. */
static size_t row_for(const struct policy_customer *c, struct slice id) {
    const struct approver_row *own = row_of(c, id);
    size_t at = 0;
    if (own != NULL) return (size_t)(own - row_at(c, 0));
    while (at < row_count(c) && row_at(c, at)->on) at++;
    return at;
}

static enum err recovery_set_fold(struct policy_customer *c, uint64_t index, const struct record_statement *t) {
    uint32_t rows[POLICY_RECOVERY_KEYS_MAX], count;
    TRY(keys_take(c, index, t, POLICY_HOLDER_RECOVERY, rows, &count));
    keys_remove_others(c, POLICY_HOLDER_RECOVERY, rows, count);
    c->recovery_need = (unsigned)record_term_int(t, RECORD_TERM_NEED, 1);
    recovery_end(c); /* by keys that may be gone */
    return ERR_OK;
}

static enum err change_fold(struct policy_state *s, uint64_t index, const struct record_statement *t) {
    struct policy_customer *c = s->access->customer;
    switch (t->kind) {
    case RECORD_STATEMENT_APPROVER_SET: return approver_put(c, index, t, row_for(c, t->subject));
    case RECORD_STATEMENT_APPROVER_OFF: approver_off(c, row_of(c, t->subject)); return ERR_OK;
    case RECORD_STATEMENT_QUORUM_SET: c->quorum = (unsigned)record_term_int(t, RECORD_TERM_NEED, 1); return ERR_OK;
    case RECORD_STATEMENT_RECOVERY_SET: return recovery_set_fold(c, index, t);
    default: return policy_rules_fold(s, index, t);
    }
}

static enum err agreed_add(struct policy_proposal *p, struct slice id, struct slice key) {
    size_t had = p->agreed.n;
    buf_put_lp16(&p->agreed, id);
    buf_put_lp16(&p->agreed, key);
    if (!buf_ok(&p->agreed)) {
        p->agreed.bad = false;
        p->agreed.n = had;
        return ERR_NOMEM;
    }
    p->agreed_count++;
    return ERR_OK;
}

static enum err proposal_make(struct policy_proposal *p, uint64_t index, const struct policy_statement *st, struct slice id) {
    *p = (struct policy_proposal){.index = index, .t_ms = st->t_ms, .s = *st->s, .text = BUF_INIT(STATEMENT_BYTES_MAX),
                                  .agreed = BUF_INIT(POLICY_APPROVERS_MAX * 2 * RECORD_TEXT_BYTES_MAX)};
    memcpy(p->digest, st->digest, HASH_BYTES);
    buf_put_slice(&p->text, st->s->subject);
    buf_put_slice(&p->text, st->s->terms);
    enum err e = buf_ok(&p->text) ? agreed_add(p, id, st->signer.key) : ERR_NOMEM;
    if (e != ERR_OK) proposal_done(p);
    p->s.scope = slice_of(NULL, 0);
    p->s.subject = slice_of(p->text.p, st->s->subject.n);
    p->s.terms = slice_of(p->text.p + st->s->subject.n, st->s->terms.n);
    return e;
}

static enum err propose(struct policy_state *s, uint64_t index, const struct policy_statement *st) {
    struct policy_customer *c = s->access->customer;
    struct policy_proposal made;
    if (proposal_count(c) == POLICY_PROPOSALS_MAX) {
        size_t dead = 0; /* approvers times their rooms is no more, and this one has room: one at least has lapsed */
        while (proposal_alive(s, proposal_at(c, dead), st->t_ms)) dead++;
        proposal_remove(c, dead);
    }
    TRY(proposal_make(&made, index, st, slice_str(policy_approver_of_key(s, st->signer.key)->id)));
    buf_put(&c->proposals, &made, sizeof made);
    if (buf_ok(&c->proposals)) return ERR_OK;
    c->proposals.bad = false;
    proposal_done(&made);
    return ERR_NOMEM;
}

static enum err recovery_start(struct policy_customer *c, uint64_t index, const struct policy_statement *st) {
    struct policy_proposal made;
    TRY(proposal_make(&made, index, st, slice_of(NULL, 0)));
    recovery_end(c);
    c->recovery = made;
    c->recovering = true;
    if (c->recovery_need <= 1) c->recovery_from_ms = st->t_ms;
    return ERR_OK;
}

/* The new approver is the only one; what others proposed is void with them. */
static enum err recovery_finish(struct policy_customer *c, uint64_t index) {
    size_t at = row_for(c, c->recovery.s.subject);
    if (at >= POLICY_APPROVERS_MAX) at = 0; /* all rows are taken, by approvers who go */
    TRY(approver_put(c, index, &c->recovery.s, at));
    for (size_t i = 0; i < row_count(c); i++) {
        if (i != at && row_at(c, i)->on) approver_off(c, row_at(c, i));
    }
    c->quorum = 1;
    while (proposal_count(c) > 0) proposal_remove(c, proposal_count(c) - 1);
    recovery_end(c);
    return ERR_OK;
}

static enum err agree(struct policy_state *s, uint64_t index, const struct policy_statement *st) {
    struct policy_customer *c = s->access->customer;
    uint8_t digest[HASH_BYTES];
    ASSERT(digest_of(st->s, digest));
    if (is_recovery(c, digest)) {
        TRY(agreed_add(&c->recovery, slice_of(NULL, 0), st->signer.key));
        if (c->recovery.agreed_count >= c->recovery_need) c->recovery_from_ms = st->t_ms;
        return ERR_OK;
    }
    struct policy_proposal *p = proposal_find(c, digest);
    ASSERT(p != NULL);
    if (p->agreed_count + 1 < c->quorum) return agreed_add(p, slice_str(policy_approver_of_key(s, st->signer.key)->id), st->signer.key);
    TRY(change_fold(s, index, &p->s));
    proposal_remove(c, (size_t)(p - proposal_at(c, 0)));
    return ERR_OK;
}

enum err policy_customer_fold(struct policy_state *s, uint64_t index, const struct policy_statement *st) {
    struct policy_customer *c = s->access->customer;
    /* LAW-6: again here, whatever was asked before. */
    ASSERT(policy_approver_of_key(s, st->signer.key) != NULL || recovery_key(s, st->signer.key));
    switch (st->s->kind) {
    case RECORD_STATEMENT_AGREE: return agree(s, index, st);
    case RECORD_STATEMENT_RECOVERY_START: return recovery_start(c, index, st);
    case RECORD_STATEMENT_RECOVERY_FINISH: return recovery_finish(c, index);
    case RECORD_STATEMENT_RECOVERY_CANCEL: recovery_end(c); return ERR_OK;
    default: break;
    }
    bool waits = who_says[st->s->kind] == WHO_QUORUM && c->quorum > 1;
    return waits ? propose(s, index, st) : change_fold(s, index, st->s);
}
