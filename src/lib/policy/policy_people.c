/* SPDX-License-Identifier: Apache-2.0
 * The provider's people: officers, persons and their keys, purposes.
 * Role: the whole of it in the provider's own state, what was mirrored in a tenant's. Trusts: verified signatures; in a mirror that an
 *   officer signed (policy_stmt.c). Distrusts: every word of a statement.
 * Law: 4; 6 (a person gets no key in a tenant that is one of the customer's side there). Spec: docs/spec/access.md sections 1 and 2.
 */
#include "policy/policy_access_internal.h"

#define PROVIDER_MAGIC 0x54505056u /* "TPPV" */
#define DAY_MS 86400000u
#define PERSON_KEYS_EVER_MAX ((size_t)POLICY_PERSONS_MAX * POLICY_PERSON_KEYS_MAX)

/* 10 000 of these are held at once: the two long texts lie in memory of their own size. */
struct person_row {
    struct policy_person p;
    struct buf text;                               /* name NUL employer NUL */
    uint64_t set_index;
    uint32_t keys[POLICY_PERSON_KEYS_MAX];         /* rows of the ring */
    uint32_t key_count;
};
typedef char officer_row[SSH_FINGERPRINT_CHARS + 1];
struct policy_people {
    struct buf own;
    uint64_t genesis;
    struct buf officers, persons, purposes;        /* of officer_row, person_row, policy_purpose */
    struct map *by_account;                        /* to the person's row, from 1 on */
    struct policy_ring ring;
    bool erased;                                   /* a statement was erased: later ones may make no sense, and then have no effect */
};

static const char *const role_texts[POLICY_ROLE__COUNT] = {
#define ROLE_TEXT(name) #name,
    POLICY_ROLES(ROLE_TEXT)
#undef ROLE_TEXT
};

struct policy_people *policy_people_new(void) {
    struct buf own;
    struct policy_people *p = policy_own_new(sizeof *p, &own);
    if (p == NULL) return NULL;
    p->own = own;
    p->genesis = UINT64_MAX;
    p->officers = BUF_INIT(POLICY_OWNERS_MAX * sizeof(officer_row));
    p->persons = BUF_INIT(POLICY_PERSONS_MAX * sizeof(struct person_row));
    p->purposes = BUF_INIT(POLICY_PURPOSES_MAX * sizeof(struct policy_purpose));
    p->by_account = map_new(POLICY_PERSONS_MAX);
    if (p->by_account != NULL && policy_ring_init(&p->ring, PERSON_KEYS_EVER_MAX) == ERR_OK) return p;
    policy_people_free(p);
    return NULL;
}

static size_t person_count(const struct policy_people *p) { return p->persons.n / sizeof(struct person_row); }
static struct person_row *person_at(const struct policy_people *p, size_t row) {
    ASSERT(row < person_count(p));
    return (struct person_row *)(void *)p->persons.p + row;
}
static size_t purpose_count(const struct policy_people *p) { return p->purposes.n / sizeof(struct policy_purpose); }
static struct policy_purpose *purpose_at(const struct policy_people *p, size_t row) { return (struct policy_purpose *)(void *)p->purposes.p + row; }

void policy_people_free(struct policy_people *p) {
    if (p == NULL) return;
    for (size_t i = 0; i < person_count(p); i++) buf_done(&person_at(p, i)->text);
    buf_done(&p->officers);
    buf_done(&p->persons);
    buf_done(&p->purposes);
    map_free(p->by_account);
    policy_ring_done(&p->ring);
    struct buf own = p->own;
    buf_done(&own);
}

/* words ---------------------------------------------------------------------------------------------------------------------- */

bool policy_words_have(const struct policy_words *w, struct slice word) {
    for (unsigned i = 0; i < w->count; i++) {
        if (slice_is(word, w->word[i])) return true;
    }
    return false;
}

bool policy_words_within(const struct policy_words *inner, const struct policy_words *outer) {
    for (unsigned i = 0; i < inner->count; i++) {
        if (!policy_words_have(outer, slice_str(inner->word[i]))) return false;
    }
    return true;
}

enum err policy_words_take(const struct record_statement *s, enum record_term t, struct policy_words *out) {
    struct slice word;
    *out = (struct policy_words){0};
    for (size_t i = 0; (word = record_term(s, t, i)).p != NULL; i++) {
        if (i == POLICY_WORDS_MAX || word.n > POLICY_WORD_CHARS_MAX) return ERR_LIMIT;
        policy_copy_text(out->word[out->count++], word); /* in the statement's order, which is sorted, each once */
    }
    return ERR_OK;
}

bool policy_word_ok(struct slice word) {
    if (word.n == 0 || word.n > POLICY_WORD_CHARS_MAX) return false;
    for (size_t i = 0; i < word.n; i++) {
        uint8_t c = word.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')) return false;
    }
    return true;
}

bool policy_verbs_ok(const struct policy_words *w) {
    for (unsigned i = 0; i < w->count; i++) {
        struct slice verb = slice_str(w->word[i]);
        if (!slice_is(verb, "list") && !slice_is(verb, "head") && !slice_is(verb, "read")) return false;
    }
    return true;
}

/* looking ------------------------------------------------------------------------------------------------------------------------ */

static struct person_row *person_row(const struct policy_people *p, struct slice account) {
    void *v = map_get(p->by_account, account);
    return v == NULL ? NULL : person_at(p, (size_t)(uintptr_t)v - 1);
}

const struct policy_person *policy_person(const struct policy_people *p, struct slice account) {
    const struct person_row *row = person_row(p, account);
    return row == NULL ? NULL : &row->p;
}

const struct policy_person *policy_person_of_key(const struct policy_people *p, struct slice key) {
    const struct policy_ring_key *k = policy_ring_find(&p->ring, key);
    return k == NULL || k->removed ? NULL : &person_at(p, k->holder)->p;
}

bool policy_person_key_removed(const struct policy_people *p, struct slice key) {
    const struct policy_ring_key *k = policy_ring_find(&p->ring, key);
    return k != NULL && k->removed;
}

const struct policy_purpose *policy_purpose(const struct policy_people *p, struct slice name) {
    for (size_t i = 0; i < purpose_count(p); i++) {
        if (slice_is(name, purpose_at(p, i)->name)) return purpose_at(p, i);
    }
    return NULL;
}

bool policy_officer(const struct policy_people *p, struct slice fingerprint) {
    const officer_row *rows = (const officer_row *)(const void *)p->officers.p;
    for (size_t i = 0; i < p->officers.n / sizeof(officer_row); i++) {
        if (slice_is(fingerprint, rows[i])) return true;
    }
    return false;
}

uint64_t policy_people_genesis(const struct policy_people *p) { return p->genesis; }

/* An age is less than its bound, and a date that is ahead is no age at all. */
bool policy_eligible(const struct policy_person *p, uint64_t t_ms) {
    return p->on && t_ms < p->training_ms + TRAINING_MS && t_ms < p->screening_ms + SCREENING_MS && t_ms < p->review_ms + REVIEW_MS;
}

const struct policy_person *policy_person_next(const struct policy_people *p, size_t *cursor) {
    return *cursor < person_count(p) ? &person_at(p, (*cursor)++)->p : NULL;
}

const struct policy_ring *policy_people_ring(const struct policy_people *p) { return &p->ring; }

void policy_people_count_up(struct policy_people *p, struct slice key, uint32_t counter) { policy_ring_count_up(&p->ring, key, counter); }

bool policy_people_know(const struct policy_people *p, struct slice key) {
    return policy_officer(p, key) || policy_ring_same(&p->ring, key) != NULL;
}

uint64_t policy_person_set_index(const struct policy_people *p, struct slice account) {
    const struct person_row *row = person_row(p, account);
    return row == NULL ? UINT64_MAX : row->set_index;
}

struct slice policy_person_account(const struct policy_people *p, uint32_t holder) { return slice_str(person_at(p, holder)->p.account); }

/* what makes sense ----------------------------------------------------------------------------------------------------------------- */

static bool roles_take(const struct record_statement *s, uint32_t *roles) {
    struct slice word;
    *roles = 0;
    for (size_t i = 0; (word = record_term(s, RECORD_TERM_ROLE, i)).p != NULL; i++) {
        unsigned r = 0;
        while (r < POLICY_ROLE__COUNT && !slice_is(word, role_texts[r])) r++;
        if (r == POLICY_ROLE__COUNT) return false;
        *roles |= 1u << r;
    }
    return true;
}

/* A key belongs to one account, for ever; one that was taken away never comes back; an officer's is nobody else's. */
static enum policy_say person_keys_say(const struct policy_people *p, const struct record_statement *s) {
    struct slice key;
    size_t count = 0;
    for (; (key = record_term(s, RECORD_TERM_KEY, count)).p != NULL; count++) {
        if (count == POLICY_PERSON_KEYS_MAX) return POLICY_SAY_LIMIT;
        if (policy_officer(p, key) || policy_ring_twice(s, count)) return POLICY_SAY_EXISTS;
        const struct policy_ring_key *k = policy_ring_same(&p->ring, key);
        if (k == NULL) continue;
        if (!slice_eq(buf_slice(&k->text), key) || !slice_eq(policy_person_account(p, k->holder), s->subject)) return POLICY_SAY_EXISTS;
        if (k->removed) return POLICY_SAY_KEY_REMOVED;
    }
    return policy_ring_room(&p->ring, count) ? POLICY_SAY_DONE : POLICY_SAY_LIMIT;
}

static enum policy_say person_set_say(const struct policy_people *p, const struct policy_statement *st) {
    static const enum record_term dates[] = {RECORD_TERM_TRAINING, RECORD_TERM_SCREENING, RECORD_TERM_REVIEW};
    uint32_t roles;
    if (!policy_word_ok(st->s->subject)) return POLICY_SAY_SUBJECT;
    if (!roles_take(st->s, &roles)) return POLICY_SAY_NO_SUBJECT;
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        if (record_term_int(st->s, dates[i], UINT64_MAX) > st->t_ms + DAY_MS) return POLICY_SAY_RANGE;
    }
    if (person_row(p, st->s->subject) == NULL && person_count(p) >= POLICY_PERSONS_MAX) return POLICY_SAY_LIMIT;
    return person_keys_say(p, st->s);
}

static enum policy_say purpose_set_say(const struct policy_people *p, const struct record_statement *s) {
    struct policy_words verbs, categories;
    uint32_t roles;
    if (!policy_word_ok(s->subject)) return POLICY_SAY_SUBJECT;
    if (!roles_take(s, &roles)) return POLICY_SAY_NO_SUBJECT;
    if (policy_words_take(s, RECORD_TERM_CATEGORY, &categories) != ERR_OK || policy_words_take(s, RECORD_TERM_VERB, &verbs) != ERR_OK)
        return POLICY_SAY_LIMIT;
    if (!policy_verbs_ok(&verbs)) return POLICY_SAY_VERB;
    bool room = policy_purpose(p, s->subject) != NULL || purpose_count(p) < POLICY_PURPOSES_MAX;
    return room ? POLICY_SAY_DONE : POLICY_SAY_LIMIT;
}

enum policy_say policy_people_say(const struct policy_people *p, const struct policy_statement *st) {
    const struct person_row *row;
    switch (st->s->kind) {
    case RECORD_STATEMENT_PERSON_SET: return person_set_say(p, st);
    case RECORD_STATEMENT_PURPOSE_SET: return purpose_set_say(p, st->s);
    case RECORD_STATEMENT_PERSON_OFF:
        row = person_row(p, st->s->subject);
        return row == NULL ? POLICY_SAY_NO_SUBJECT : row->p.on ? POLICY_SAY_DONE : POLICY_SAY_STATE;
    default: return POLICY_SAY_NO_TENANT; /* all others are about a tenant */
    }
}

/* effects ---------------------------------------------------------------------------------------------------------------------------- */

/* Rows of the statement's keys, new ones added behind `had`. In a tenant a key of the customer's side stays the customer's, and one that
 * is proposed there stays free to become it: else an officer could put an approver out, or hold an enrolment or a recovery up, by giving that
 * key to a person. */
static enum err keys_take(struct policy_people *p, const struct record_statement *s, const struct policy_state *tenant, uint32_t holder,
                          uint64_t index, uint32_t keys[POLICY_PERSON_KEYS_MAX], uint32_t *count) {
    struct slice key;
    *count = 0;
    for (size_t i = 0; (key = record_term(s, RECORD_TERM_KEY, i)).p != NULL; i++) {
        if (tenant != NULL && policy_customer_claims(tenant, key)) continue;
        const struct policy_ring_key *have = policy_ring_find(&p->ring, key);
        size_t row = have == NULL ? policy_ring_count(&p->ring) : (size_t)(have - policy_ring_at(&p->ring, 0));
        if (have == NULL) TRY(policy_ring_add(&p->ring, key, holder, index));
        ASSERT(*count < POLICY_PERSON_KEYS_MAX);
        keys[(*count)++] = (uint32_t)row;
    }
    return ERR_OK;
}

bool policy_people_former(const struct policy_people *p, uint64_t index, const struct record_statement *s) {
    const struct person_row *row = s->kind == RECORD_STATEMENT_PERSON_SET ? person_row(p, s->subject) : NULL;
    struct slice key;
    if (row == NULL || index >= row->set_index) return false;
    for (size_t i = 0; (key = record_term(s, RECORD_TERM_KEY, i)).p != NULL; i++) {
        if (policy_ring_same(&p->ring, key) == NULL) return true;
    }
    return false;
}

/* A key never comes back on the provider log, so one of an older statement that a newer one has not was taken away. */
static enum err former_in(struct policy_people *p, uint64_t index, const struct record_statement *s, const struct policy_state *tenant) {
    uint32_t holder = (uint32_t)(person_row(p, s->subject) - person_at(p, 0));
    size_t had = policy_ring_count(&p->ring);
    struct slice key;
    for (size_t i = 0; (key = record_term(s, RECORD_TERM_KEY, i)).p != NULL; i++) {
        if (policy_ring_same(&p->ring, key) != NULL || policy_customer_claims(tenant, key)) continue;
        enum err e = policy_ring_room(&p->ring, 1) ? policy_ring_add(&p->ring, key, holder, index) : ERR_LIMIT;
        if (e != ERR_OK) {
            policy_ring_cut(&p->ring, had);
            return e;
        }
        policy_ring_at(&p->ring, policy_ring_count(&p->ring) - 1)->removed = true;
    }
    return ERR_OK;
}

static void keys_remove_others(struct policy_people *p, const struct person_row *old, const uint32_t *keys, uint32_t count) {
    for (uint32_t i = 0; i < old->key_count; i++) {
        bool stays = false;
        for (uint32_t k = 0; k < count; k++) stays = stays || keys[k] == old->keys[i];
        if (!stays) policy_ring_at(&p->ring, old->keys[i])->removed = true;
    }
}

static void person_fill(struct person_row *row, const struct record_statement *s, uint64_t index) {
    struct policy_person *q = &row->p;
    policy_copy_text(q->account, s->subject);
    policy_copy_text(q->person, record_term(s, RECORD_TERM_PERSON, 0));
    policy_copy_text(q->manager, record_term(s, RECORD_TERM_MANAGER, 0));
    policy_copy_text(q->subprocessor, record_term(s, RECORD_TERM_SUBPROCESSOR, 0));
    policy_copy_text(q->office, record_term(s, RECORD_TERM_OFFICE, 0));
    q->name = (const char *)row->text.p;
    q->employer = q->name + strlen(q->name) + 1;
    (void)roles_take(s, &q->roles);
    q->training_ms = record_term_int(s, RECORD_TERM_TRAINING, 0);
    q->screening_ms = record_term_int(s, RECORD_TERM_SCREENING, 0);
    q->review_ms = record_term_int(s, RECORD_TERM_REVIEW, 0);
    q->index = row->set_index = index;
    q->on = true;
}

static enum err person_set_in(struct policy_people *p, uint64_t index, const struct record_statement *s, const struct policy_state *tenant) {
    struct person_row made = {.text = BUF_INIT(2 * (POLICY_TEXT_BYTES_MAX + 1))}, *row = person_row(p, s->subject);
    size_t at = row == NULL ? person_count(p) : (size_t)(row - person_at(p, 0)), had = policy_ring_count(&p->ring);
    enum err e = keys_take(p, s, tenant, (uint32_t)at, index, made.keys, &made.key_count);
    buf_put_slice(&made.text, record_term(s, RECORD_TERM_NAME, 0));
    buf_put_u8(&made.text, 0);
    buf_put_slice(&made.text, record_term(s, RECORD_TERM_EMPLOYER, 0));
    buf_put_u8(&made.text, 0);
    if (e == ERR_OK && !buf_ok(&made.text)) e = ERR_NOMEM;
    if (e == ERR_OK && row == NULL) {
        row = (struct person_row *)(void *)buf_room(&p->persons, sizeof *row);
        if (row == NULL) p->persons.bad = false;
        e = row == NULL ? ERR_NOMEM : map_put(p->by_account, s->subject, (void *)(uintptr_t)(at + 1));
        if (e == ERR_OK) {
            memset(row, 0, sizeof *row);
            p->persons.n += sizeof *row;
        }
    }
    if (e != ERR_OK) {
        policy_ring_cut(&p->ring, had);
        buf_done(&made.text);
        return e;
    }
    keys_remove_others(p, row, made.keys, made.key_count);
    person_fill(&made, s, index);
    buf_done(&row->text);
    *row = made;
    return ERR_OK;
}

static enum err purpose_set_in(struct policy_people *p, uint64_t index, const struct record_statement *s) {
    struct policy_purpose made = {.index = index};
    size_t at = 0;
    policy_copy_text(made.name, s->subject);
    (void)roles_take(s, &made.roles);
    TRY(policy_words_take(s, RECORD_TERM_VERB, &made.verbs));
    TRY(policy_words_take(s, RECORD_TERM_CATEGORY, &made.categories));
    while (at < purpose_count(p) && !slice_is(s->subject, purpose_at(p, at)->name)) at++;
    if (at == purpose_count(p)) {
        if (buf_room(&p->purposes, sizeof made) == NULL) {
            p->purposes.bad = false;
            return ERR_NOMEM;
        }
        p->purposes.n += sizeof made;
    }
    *purpose_at(p, at) = made;
    return ERR_OK;
}

enum err policy_people_fold(struct policy_people *p, uint64_t index, const struct policy_statement *st, const struct policy_state *s) {
    struct person_row *row;
    switch (st->s->kind) {
    case RECORD_STATEMENT_PERSON_SET:
        if (s != NULL && policy_people_former(p, index, st->s)) return former_in(p, index, st->s, s);
        return person_set_in(p, index, st->s, s);
    case RECORD_STATEMENT_PURPOSE_SET: return purpose_set_in(p, index, st->s);
    default: break;
    }
    row = person_row(p, st->s->subject);
    ASSERT(st->s->kind == RECORD_STATEMENT_PERSON_OFF && row != NULL);
    row->p.on = false;
    row->p.index = index;
    return ERR_OK;
}

bool policy_people_were_erased(const struct policy_people *p) { return p->erased; }

/* It may have been anybody's, and may have taken something away: so everybody of that kind is off until somebody says otherwise. In a tenant
 * the index 0 has the gate write their mirrors again. */
void policy_people_erased(struct policy_people *p, const struct policy_said *d) {
    if (!d->allow) return;
    p->erased = true;
    for (size_t i = 0; i < person_count(p) && d->kind != RECORD_STATEMENT_PURPOSE_SET; i++) {
        person_at(p, i)->p.on = false;
        person_at(p, i)->p.index = person_at(p, i)->set_index = 0;
    }
    for (size_t i = 0; i < purpose_count(p) && d->kind == RECORD_STATEMENT_PURPOSE_SET; i++) {
        purpose_at(p, i)->verbs.count = 0;
        purpose_at(p, i)->index = 0;
    }
}

enum err policy_people_genesis_fold(struct policy_people *p, uint64_t index, struct slice officers) {
    struct slice one, list = officers;
    size_t count = 0;
    if (p->genesis != UINT64_MAX) return ERR_EXISTS;
    for (; record_list_text(&list, &one); count++) {
        if (count == POLICY_OWNERS_MAX) return ERR_LIMIT;
        if (one.n == 0 || one.n > SSH_FINGERPRINT_CHARS) return ERR_INPUT;
    }
    uint8_t *to = buf_room(&p->officers, count * sizeof(officer_row));
    if (count == 0 || to == NULL) {
        p->officers.bad = false;
        return count == 0 ? ERR_INPUT : ERR_NOMEM;
    }
    for (officer_row *row = (officer_row *)(void *)to; record_list_text(&officers, &one); row++) policy_copy_text(*row, one);
    p->officers.n = count * sizeof(officer_row);
    p->genesis = index;
    return ERR_OK;
}

/* the provider log -------------------------------------------------------------------------------------------------------------------- */

enum err policy_provider_init(struct policy_provider *p) {
    *p = (struct policy_provider){.magic = PROVIDER_MAGIC};
    p->people = policy_people_new();
    return p->people == NULL ? ERR_NOMEM : ERR_OK;
}

void policy_provider_done(struct policy_provider *p) {
    policy_people_free(p->people);
    ledger_hash_done(&p->hash);
    *p = (struct policy_provider){0};
}

enum policy_say policy_provider_say(const struct policy_provider *p, const struct policy_statement *st) {
    ASSERT(p->magic == PROVIDER_MAGIC);
    struct slice key = st->signer.key;
    bool own = false;                              /* it stands in a leaf of its own when it is taken: a `stmt` leaf is a refusal */
    switch (st->s->kind) {
    case RECORD_STATEMENT_PERSON_SET:
    case RECORD_STATEMENT_PERSON_OFF:
    case RECORD_STATEMENT_PURPOSE_SET: break;
    case RECORD_STATEMENT_GENESIS_PROVIDER:
    case RECORD_STATEMENT_TENANT_CREATE:
    case RECORD_STATEMENT_READER_ADD:
    case RECORD_STATEMENT_READER_OFF: own = true; break;
    default: return POLICY_SAY_NO_TENANT; /* it stands on a tenant's log */
    }
    if (policy_officer(p->people, key)) return own ? POLICY_SAY_NOT_TAKEN : policy_people_say(p->people, st);
    if (policy_person_key_removed(p->people, key)) return POLICY_SAY_KEY_REMOVED;
    if (policy_person_of_key(p->people, key) == NULL) return POLICY_SAY_UNKNOWN;
    return st->signer.by == POLICY_KEY_SSH ? POLICY_SAY_NOT_HARDWARE : POLICY_SAY_NOT_OFFICER;
}

static enum err provider_stmt(struct policy_provider *p, uint64_t index, const struct record_leaf *leaf, const struct record_opening *opening) {
    struct policy_said d;
    if (p->hash.ctx == NULL) TRY(ledger_hash_init(&p->hash));
    TRY(policy_said_of(&p->hash, leaf, opening, &d));
    if (d.mirror) return ERR_INPUT;
    if (d.erased) {
        policy_people_erased(p->people, &d);
        return ERR_OK;
    }
    enum err e = policy_said_check(&d, policy_provider_say(p, &d.st));
    if (e != ERR_OK) return p->people->erased ? ERR_OK : e;
    return d.allow ? policy_people_fold(p->people, index, &d.st, NULL) : ERR_OK;
}

enum err policy_provider_apply(struct policy_provider *p, uint64_t index, const struct record_leaf *leaf, const struct record_opening *opening) {
    ASSERT(p->magic == PROVIDER_MAGIC);
    uint64_t t = record_int(leaf, RECORD_F_T, 0);
    if (index < p->size || t < p->t_ms) return ERR_INPUT;
    if (leaf->kind == RECORD_K_GENESIS) TRY(policy_people_genesis_fold(p->people, index, leaf->f[RECORD_F_SIGNER].text));
    if (leaf->kind == RECORD_K_STMT) TRY(provider_stmt(p, index, leaf, opening));
    p->size = index + 1;
    p->t_ms = t;
    return ERR_OK;
}

struct slice policy_provider_passkey(const struct policy_provider *p, struct slice credential, uint32_t *counter) {
    const struct policy_ring_key *k = policy_ring_credential(&p->people->ring, credential);
    *counter = k == NULL ? 0 : k->counter;
    return k == NULL ? slice_of(NULL, 0) : buf_slice(&k->text);
}
