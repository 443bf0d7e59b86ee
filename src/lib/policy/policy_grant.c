/* SPDX-License-Identifier: Apache-2.0
 * Grants: their states as a table, what time does to them, and the fold of statements that were allowed.
 * Role: behind policy_stmt.c; policy_chain.c says what is allowed. Trusts: that policy_grant_say() said DONE or WAITS of what is folded.
 * Distrusts: leaves about time: each must be true at its time. Law: 4. Spec: docs/spec/access.md section 4.
 *
 * A grant is a row for ever, found by its id; what all its signatures allow together is memory of its own until it is over. The open ones stand in
 * a list in the order of their rows, which is that of their requests: nothing that a request for data does walks through it.
 */
#include "policy/policy_grant.h"

struct policy_grants {
    struct buf own;
    struct buf rows;                               /* struct policy_grant */
    struct buf open;                               /* struct slot, by row */
    struct map *by_id;                             /* row number + 1 */
    uint64_t due_ms;                               /* policy_grants_due(), while due_known */
    bool due_known;
};
struct slot {
    size_t row;
    struct policy_open *open;
};

/* states ---------------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    enum policy_grant_kind kind;
} states[POLICY_GRANT__COUNT] = {
#define GRANT_STATE(NAME, text, kind) {text, POLICY_GRANT_##kind},
#include "policy/grant_state.def"
};

/* 0 is DRAFT, into which nothing moves: no move. */
static const uint8_t moves[POLICY_GRANT__COUNT][POLICY_EVENT__COUNT] = {
#define GRANT_MOVE(from, event, to) [POLICY_GRANT_##from][POLICY_EVENT_##event] = POLICY_GRANT_##to,
#include "policy/grant_move.def"
};
_Static_assert(POLICY_GRANT_DRAFT == 0, "an empty place in the table is no move");

const char *policy_grant_state_text(enum policy_grant_state s) {
    ASSERT((unsigned)s < POLICY_GRANT__COUNT);
    return states[s].text;
}

enum policy_grant_kind policy_grant_kind(enum policy_grant_state s) {
    ASSERT((unsigned)s < POLICY_GRANT__COUNT);
    return states[s].kind;
}

enum policy_grant_state policy_grant_move(enum policy_grant_state from, enum policy_event e) {
    ASSERT((unsigned)from < POLICY_GRANT__COUNT && (unsigned)e < POLICY_EVENT__COUNT);
    return (enum policy_grant_state)moves[from][e];
}

/* memory -------------------------------------------------------------------------------------------------------------------------- */

enum err policy_grants_new(struct policy_state *s) {
    struct buf own;
    struct policy_grants *g = policy_own_new(sizeof *g, &own);
    if (g == NULL) return ERR_NOMEM;
    *g = (struct policy_grants){.own = own, .rows = BUF_INIT(POLICY_GRANTS_MAX * sizeof(struct policy_grant)),
                                .open = BUF_INIT(POLICY_GRANTS_OPEN_MAX * sizeof(struct slot)), .by_id = map_new(POLICY_GRANTS_MAX)};
    if (g->by_id == NULL) {
        buf_done(&own);
        return ERR_NOMEM;
    }
    s->access->grants = g;
    return ERR_OK;
}

static void open_free(struct policy_open *o) {
    if (o == NULL) return;
    for (size_t i = 0; i < POLICY_APPROVALS_MAX; i++) buf_done(&o->keys[i]);
    buf_done(&o->prefix);
    buf_done(&o->key);
    struct buf own = o->own;
    buf_done(&own);
}

static struct policy_open *open_new(size_t row) {
    struct buf own;
    struct policy_open *o = policy_own_new(sizeof *o, &own);
    if (o == NULL) return NULL;
    *o = (struct policy_open){.own = own, .row = row, .prefix = BUF_INIT(S3_KEY_BYTES_MAX), .key = BUF_INIT(STATEMENT_BYTES_MAX)};
    for (size_t i = 0; i < POLICY_APPROVALS_MAX; i++) o->keys[i] = BUF_INIT(STATEMENT_BYTES_MAX);
    return o;
}

static struct policy_grant *row_at(const struct policy_grants *g, size_t row) {
    ASSERT(row < g->rows.n / sizeof(struct policy_grant));
    return (struct policy_grant *)(void *)g->rows.p + row;
}
static size_t slot_count(const struct policy_grants *g) { return g->open.n / sizeof(struct slot); }
static struct slot *slot_at(const struct policy_grants *g, size_t i) { return (struct slot *)(void *)g->open.p + i; }

void policy_grants_free(struct policy_grants *g) {
    if (g == NULL) return;
    for (size_t i = 0; i < slot_count(g); i++) open_free(slot_at(g, i)->open);
    buf_done(&g->rows);
    buf_done(&g->open);
    map_free(g->by_id);
    struct buf own = g->own;
    buf_done(&own);
}

static struct policy_grant *find(const struct policy_state *s, const uint8_t id[ID_BYTES]) {
    const struct policy_grants *g = s->access->grants;
    void *v = map_get(g->by_id, slice_of(id, ID_BYTES));
    return v == NULL ? NULL : row_at(g, (size_t)(uintptr_t)v - 1);
}

/* The fold's own view: everything that policy_open_of() shows belongs to this state. */
static struct policy_open *open_of(const struct policy_grant *g) { return (struct policy_open *)(uintptr_t)policy_open_of(g); }

/* A new row and its memory. The caller checked that the id is not there. */
static enum err row_add(struct policy_grants *g, const struct policy_grant *row, struct policy_open *take_open) {
    size_t at = g->rows.n / sizeof *row;
    struct slot slot = {at, take_open};
    uint8_t *to = at < POLICY_GRANTS_MAX ? buf_room(&g->rows, sizeof *row) : NULL;
    uint8_t *in_list = slot_count(g) < POLICY_GRANTS_OPEN_MAX ? buf_room(&g->open, sizeof slot) : NULL;
    g->rows.bad = g->open.bad = false; /* refused, nothing stored: the state goes on as it was */
    if (to == NULL || in_list == NULL) {
        open_free(take_open);
        return ERR_LIMIT;
    }
    enum err e = map_put(g->by_id, slice_of(row->id, ID_BYTES), (void *)(uintptr_t)(at + 1));
    if (e != ERR_OK) {
        open_free(take_open);
        return e;
    }
    memcpy(to, row, sizeof *row);
    memcpy(in_list, &slot, sizeof slot);
    g->rows.n += sizeof *row;
    g->open.n += sizeof slot;
    return ERR_OK;
}

static void row_close(struct policy_grants *g, struct policy_grant *row) {
    struct policy_open *o = open_of(row);
    row->terms = NULL;
    row->approvals = NULL;
    row->approval_count = 0;
    if (o == NULL) return;
    size_t low = 0, high = slot_count(g);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slot_at(g, middle)->row < o->row) low = middle + 1;
        else high = middle;
    }
    ASSERT(low < slot_count(g) && slot_at(g, low)->open == o);
    memmove(slot_at(g, low), slot_at(g, low) + 1, (slot_count(g) - low - 1) * sizeof(struct slot));
    g->open.n -= sizeof(struct slot);
    open_free(o);
}

/* time ------------------------------------------------------------------------------------------------------------------------------ */

/* The chain that would extend it still waits for signatures. Whatever comes of that one, this one needs no leaf to be as it was. */
static bool extension_waits(const struct policy_state *s, const struct policy_grant *g, uint64_t t_ms) {
    const struct policy_open *o = policy_open_of(g);
    const struct policy_grant *e = o == NULL || !o->has_extension ? NULL : find(s, o->extension);
    return e != NULL && policy_grant_kind(e->state) == POLICY_GRANT_PENDING && t_ms < e->lapse_ms;
}

static enum policy_grant_state state_at(const struct policy_state *s, const struct policy_grant *g, uint64_t t_ms) {
    enum policy_grant_state now = g->state;
    switch (policy_grant_kind(now)) {
    case POLICY_GRANT_PENDING: return t_ms < g->lapse_ms ? now : policy_grant_move(now, POLICY_EVENT_TIME_LAPSE);
    case POLICY_GRANT_LIVE: break;
    case POLICY_GRANT_NONE:
    case POLICY_GRANT_OVER: return now;
    }
    if (now == POLICY_GRANT_EXTENSION_PENDING && !extension_waits(s, g, t_ms)) now = policy_grant_move(now, POLICY_EVENT_EXTENDED);
    if (now == POLICY_GRANT_SCHEDULED && t_ms >= g->start_ms) now = policy_grant_move(now, POLICY_EVENT_TIME_START);
    if (now != POLICY_GRANT_SCHEDULED && t_ms >= g->end_ms) now = policy_grant_move(now, POLICY_EVENT_TIME_END);
    return now;
}

enum policy_grant_state policy_grant_state(const struct policy_state *s, const struct policy_grant *g, uint64_t t_ms) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    return state_at(s, g, t_ms);
}

static uint64_t due_of(const struct policy_grant *g) {
    if (policy_grant_kind(g->state) == POLICY_GRANT_PENDING) return g->lapse_ms;
    return g->state == POLICY_GRANT_SCHEDULED ? g->start_ms : g->end_ms;
}

/* The gate asks in every turn: looked for anew only after a statement or a leaf about time. */
uint64_t policy_grants_due(const struct policy_state *s) {
    struct policy_grants *g = s->access->grants;
    if (g->due_known) return g->due_ms;
    g->due_ms = UINT64_MAX;
    for (size_t i = 0; i < slot_count(g); i++) g->due_ms = MIN(g->due_ms, due_of(row_at(g, slot_at(g, i)->row)));
    g->due_known = true;
    return g->due_ms;
}

/* reading ------------------------------------------------------------------------------------------------------------------------------ */

const struct policy_grant *policy_grant(const struct policy_state *s, const uint8_t id[ID_BYTES]) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    return find(s, id);
}

const struct policy_grant *policy_grant_next(const struct policy_state *s, size_t *cursor) {
    const struct policy_grants *g = s->access->grants;
    return *cursor < slot_count(g) ? row_at(g, slot_at(g, (*cursor)++)->row) : NULL;
}

unsigned policy_grant_need(const struct policy_state *s, const struct policy_grant *g, unsigned *standing) {
    ASSERT(s->magic == POLICY_STATE_MAGIC && g->terms != NULL);
    const struct policy_rule *rule = policy_rule_for(s, slice_str(g->terms->bucket), g->terms->prefix);
    *standing = policy_grant_standing(s, g, rule);
    return rule->need;
}

bool policy_grants_full(const struct policy_state *s, const struct policy_person *p, uint64_t t_ms) {
    const struct policy_grants *g = s->access->grants;
    unsigned waiting = 0;
    for (size_t i = 0; i < slot_count(g); i++) {
        const struct slot *x = slot_at(g, i);
        bool his = strcmp(x->open->person, p->person) == 0;
        waiting += his && policy_grant_kind(state_at(s, row_at(g, x->row), t_ms)) == POLICY_GRANT_PENDING;
    }
    if (waiting >= POLICY_REQUESTS_EACH_MAX) return true;
    return slot_count(g) >= POLICY_GRANTS_OPEN_MAX || g->rows.n / sizeof(struct policy_grant) >= POLICY_GRANTS_MAX;
}

/* changes -------------------------------------------------------------------------------------------------------------------------------- */

/* Every change of a state goes through here. */
static void enter(struct policy_state *s, struct policy_grant *g, enum policy_grant_state to) {
    ASSERT(to != POLICY_GRANT_DRAFT); /* LAW-4: what the table does not have was refused before */
    g->state = to;
    if (policy_grant_kind(to) == POLICY_GRANT_OVER) row_close(s->access->grants, g);
    s->access->grants->due_known = false;
}

static enum err fold_request(struct policy_state *s, uint64_t index, const struct policy_statement *st) {
    const struct record_statement *a = st->s;
    struct policy_grant g = {.state = policy_grant_move(POLICY_GRANT_DRAFT, POLICY_EVENT_REQUEST), .index = index, .requested_ms = st->t_ms};
    const struct policy_person *p = policy_person_of_key(policy_people(s), st->signer.key);
    struct slice extends = record_term(a, RECORD_TERM_EXTENDS, 0);
    struct policy_open *o = open_new(s->access->grants->rows.n / sizeof g);
    if (o == NULL) return ERR_NOMEM;
    buf_put_slice(&o->key, st->signer.key);
    enum policy_say asked = policy_grant_asked(a, &o->terms, &o->prefix);
    const struct policy_bucket *b = policy_bucket(s, slice_str(o->terms.bucket));
    ASSERT(p != NULL && asked == POLICY_SAY_DONE && b != NULL && record_id_get(a->subject, g.id) == ERR_OK);
    if (!buf_ok(&o->key)) {
        open_free(o);
        return ERR_NOMEM;
    }
    memcpy(o->bucket, b->id, ID_BYTES);
    memcpy(o->person, p->person, sizeof o->person);
    memcpy(o->subprocessor, p->subprocessor, sizeof o->subprocessor);
    memcpy(o->office, p->office, sizeof o->office);
    policy_copy_text(o->employer, slice_str(p->employer));
    memcpy(g.account, p->account, sizeof g.account);
    memcpy(g.request, st->digest, HASH_BYTES);
    policy_copy_text(g.purpose, record_term(a, RECORD_TERM_PURPOSE, 0));
    policy_copy_text(g.country, record_term(a, RECORD_TERM_COUNTRY, 0));
    g.start_ms = record_term_int(a, RECORD_TERM_START, 0);
    g.lapse_ms = st->t_ms + policy_rule_for(s, slice_str(o->terms.bucket), o->terms.prefix)->lapse_ms;
    g.terms = &o->terms;
    g.approvals = o->approvals;
    g.has_extends = extends.p != NULL && record_id_get(extends, g.extends) == ERR_OK;
    TRY(row_add(s->access->grants, &g, o));
    s->access->grants->due_known = false;
    struct policy_grant *old = g.has_extends ? find(s, g.extends) : NULL;
    if (old == NULL) return ERR_OK;
    enum policy_grant_state to = policy_grant_move(state_at(s, old, st->t_ms), POLICY_EVENT_EXTEND);
    memcpy(open_of(old)->extension, g.id, ID_BYTES);
    open_of(old)->has_extension = true;
    enter(s, old, to);
    return ERR_OK;
}

static enum err approval_add(struct policy_state *s, struct policy_grant *g, uint64_t index, const struct policy_statement *st, bool manager) {
    struct policy_open *o = open_of(g);
    struct policy_approval a = {.manager = manager, .index = index, .t_ms = st->t_ms};
    struct buf key = BUF_INIT(STATEMENT_BYTES_MAX);
    const struct policy_approver *approver = policy_approver_of_key(s, st->signer.key);
    const struct policy_person *person = policy_person_of_key(policy_people(s), st->signer.key);
    ASSERT(manager ? person != NULL : approver != NULL);
    policy_copy_text(a.id, slice_str(manager ? person->account : approver->id));
    size_t at = policy_grant_place(s, g, a.id);
    ASSERT(at < POLICY_APPROVALS_MAX);
    buf_put_slice(&key, st->signer.key);
    if (!buf_ok(&key)) {
        buf_done(&key);
        return ERR_NOMEM;
    }
    buf_done(&o->keys[at]);
    o->keys[at] = key;
    a.key = buf_slice(&o->keys[at]);
    o->approvals[at] = a;
    g->approval_count = MAX(g->approval_count, at + 1);
    return ERR_OK;
}

static enum err fold_approve(struct policy_state *s, uint64_t index, const struct policy_statement *st, struct policy_grant *g) {
    struct policy_open *o = open_of(g);
    enum policy_grant_state now = state_at(s, g, st->t_ms);
    bool manager = now == POLICY_GRANT_MANAGER_PENDING;
    enum policy_event e = manager ? POLICY_EVENT_MANAGER : POLICY_EVENT_CUSTOMER;
    struct policy_terms terms;
    struct buf prefix = BUF_INIT(S3_KEY_BYTES_MAX);
    enum policy_say narrowed = policy_grant_narrowed(&o->terms, st->s, &terms, &prefix);
    ASSERT(narrowed == POLICY_SAY_DONE);
    if (!manager && policy_grant_enough(s, g, &terms)) e = g->start_ms > st->t_ms ? POLICY_EVENT_ENOUGH_LATER : POLICY_EVENT_ENOUGH;
    enum err err = approval_add(s, g, index, st, manager);
    if (err != ERR_OK) {
        buf_done(&prefix);
        return err;
    }
    buf_done(&o->prefix);
    o->prefix = prefix;
    terms.prefix = buf_slice(&o->prefix);
    o->terms = terms;
    if (e == POLICY_EVENT_ENOUGH || e == POLICY_EVENT_ENOUGH_LATER) {
        g->start_ms = MAX(g->start_ms, st->t_ms);
        g->end_ms = g->start_ms + terms.duration_ms;
    }
    enter(s, g, policy_grant_move(now, e));
    return ERR_OK;
}

enum err policy_grant_fold(struct policy_state *s, uint64_t index, const struct policy_statement *st) {
    uint8_t id[ID_BYTES];
    if (st->s->kind == RECORD_STATEMENT_ACCESS_LOOK) return ERR_OK;
    if (st->s->kind == RECORD_STATEMENT_ACCESS_REQUEST) return fold_request(s, index, st);
    struct policy_grant *g = record_id_get(st->s->subject, id) == ERR_OK ? find(s, id) : NULL;
    if (g == NULL) return ERR_MISSING;
    enum policy_event e;
    switch (st->s->kind) {
    case RECORD_STATEMENT_ACCESS_APPROVE: return fold_approve(s, index, st, g);
    case RECORD_STATEMENT_ACCESS_REJECT: e = POLICY_EVENT_REJECT; break;
    case RECORD_STATEMENT_ACCESS_ASK: e = POLICY_EVENT_ASK; break;
    case RECORD_STATEMENT_ACCESS_REPLY: e = g->approval_count > 0 ? POLICY_EVENT_REPLY_CUSTOMER : POLICY_EVENT_REPLY_MANAGER; break;
    case RECORD_STATEMENT_ACCESS_REVOKE: e = POLICY_EVENT_REVOKE; break;
    case RECORD_STATEMENT_ACCESS_COMPLETE: e = POLICY_EVENT_COMPLETE; break;
    case RECORD_STATEMENT_ACCESS_LOGIN: e = POLICY_EVENT_LOGIN; break;
    default: return ERR_INPUT;
    }
    if (e == POLICY_EVENT_LOGIN) open_of(g)->logged_in = true;
    enter(s, g, policy_grant_move(state_at(s, g, st->t_ms), e));
    return ERR_OK;
}

/* What each act says has happened, and the state that it must have led to. */
static const struct {
    const char *act;
    enum policy_event event;
    enum policy_grant_state to;
} times[] = {
    {"Start", POLICY_EVENT_TIME_START, POLICY_GRANT_APPROVED},    {"Expire", POLICY_EVENT_TIME_END, POLICY_GRANT_EXPIRED},
    {"Lapse", POLICY_EVENT_TIME_LAPSE, POLICY_GRANT_LAPSED},      {"FailToClose", POLICY_EVENT_FAIL, POLICY_GRANT_FAILED_TO_CLOSE},
    {"Closed", POLICY_EVENT_CLOSED, POLICY_GRANT_REVOKED},
};

enum err policy_grant_time_fold(struct policy_state *s, uint64_t index, const uint8_t id[ID_BYTES], struct slice act, uint64_t t_ms, bool dry) {
    (void)index;
    struct policy_grant *g = find(s, id);
    size_t i = 0;
    while (i < ARRAY_LEN(times) && !slice_is(act, times[i].act)) i++;
    if (i == ARRAY_LEN(times)) return ERR_INPUT;
    if (g == NULL) return ERR_MISSING;
    enum policy_grant_state now = state_at(s, g, t_ms);
    if (times[i].event == POLICY_EVENT_FAIL || times[i].event == POLICY_EVENT_CLOSED) now = policy_grant_move(now, times[i].event);
    /* Said twice, or of what has not come: not true. */
    if (now != times[i].to || now == g->state) return ERR_INPUT;
    if (!dry) enter(s, g, now);
    return ERR_OK;
}

/* Of a grant that is over too: the release was decided before, and its leaf says what its keys open. */
enum err policy_grant_used(struct policy_state *s, const uint8_t id[ID_BYTES], uint64_t bytes, bool object) {
    struct policy_grant *g = find(s, id);
    if (g == NULL) return ERR_MISSING;
    g->used_bytes += MIN(bytes, RECORD_INT_MAX - MIN(g->used_bytes, RECORD_INT_MAX));
    if (object) g->used_objects++;
    return ERR_OK;
}
