/* SPDX-License-Identifier: Apache-2.0
 * step_record: the decision becomes a leaf, and the leaf on disk a receipt.
 * Role: third step; the only place where leaves of requests are written. Trusts: struct decided. Distrusts: time (it never falls).
 * Law: 1 (record before effect), 4 (every input of decide is in the leaf). Spec: docs/spec/record.md, docs/spec/order.md.
 */
#include <assert.h>

#include "gate/request.h"
#include "policy/policy_access.h"
#include "record/record.h"

#define RECORDED_MAGIC 0x5245434fu

struct recorded {
    uint32_t magic;
    bool spent;
    const struct gate_log *log;
    uint64_t index;
};
static_assert(sizeof(struct recorded) <= sizeof(struct step_box), "a value fits its box");

bool recorded_durable(const struct recorded *rec)
{
    ASSERT(rec && rec->magic == RECORDED_MAGIC);
    return log_durable(rec->log) > rec->index;
}

void recorded_text(const struct recorded *rec, struct buf *out)
{
    ASSERT(rec && rec->magic == RECORDED_MAGIC);
    buf_put_str(out, log_name(rec->log));
    buf_put_u8(out, '/');
    buf_put_dec(out, rec->index);
}

void recorded_spend(struct recorded *rec)
{
    ASSERT(rec && rec->magic == RECORDED_MAGIC);
    ASSERT(!rec->spent);                           /* a receipt releases once (attack 3) */
    rec->spent = true;
}

static void put_commit(struct gate_request *r, struct record_writer *w, enum record_field f, struct slice value)
{
    uint8_t salt[SALT_BYTES];
    rng_fill(r->gate->rng, salt, sizeof salt);
    record_put_commit(w, &r->gate->hash, f, salt, value);
}

static void put_who(struct gate_request *r, struct record_writer *w, const struct verified *v)
{
    AUTO(buf) struct buf who = BUF_INIT(256);
    const struct gate_key *k = verified_key(v);
    struct policy_who p = {0};
    if (k) p = (struct policy_who){.account = slice_str(k->account), .user = slice_str(k->user), .access_key = slice_str(k->access_key)};
    const struct verified_session *s = verified_session(v);
    if (s) p = (struct policy_who){.account = slice_str(s->account), .user = slice_str(s->grant_text), .access_key = slice_str(s->access_key)};
    policy_who_put(&who, verified_auth(v), &p);
    put_commit(r, w, RECORD_F_WHO, buf_slice(&who));
}

static void put_obj(struct gate_request *r, struct record_writer *w)
{
    AUTO(buf) struct buf obj = BUF_INIT(2 + RECORD_BUCKET_BYTES_MAX + S3_KEY_BYTES_MAX);
    struct record_obj o = {.bucket = r->name.bucket, .key = r->name.key};
    ASSERT(o.bucket.n <= RECORD_BUCKET_BYTES_MAX);  /* LAW-4: what decided stands in the leaf, whole */
    record_obj_put(&obj, &o);
    put_commit(r, w, RECORD_F_OBJ, buf_slice(&obj));
}

/* `doc` stands between the two. */
static void put_dec_doc(struct gate_request *r, struct record_writer *w, const struct decided *d, struct slice doc)
{
    bool allow = decided_allow(d);
    if (BREAK("wrong-decision")) allow = !allow;
    record_put_text(w, RECORD_F_DEC, allow ? SLICE_LIT("allow") : SLICE_LIT("deny"));
    if (doc.p) put_commit(r, w, RECORD_F_DOC, doc);
    record_put_int(w, RECORD_F_ENG, decided_engine(d));
}

static void put_uns(struct gate_request *r, struct record_writer *w)
{
    if (r->ask.flags & WIRE_ASK_TLS) record_put_int(w, RECORD_F_TLS, 1);
    if (r->uns_count) record_put_texts(w, RECORD_F_UNS, r->uns, r->uns_count);
}

static void put_ver(struct gate_request *r, struct record_writer *w, const struct leaf_says *s)
{
    AUTO(buf) struct buf value = BUF_INIT(16);
    record_ver_put(&value, s->ver, s->rev ? s->rev : s->ver);
    put_commit(r, w, RECORD_F_VER, buf_slice(&value));
}

/* What both sides of a decision need to know: the same in every kind of leaf that holds one. */
static void put_ctx(struct gate_request *r, struct record_writer *w)
{
    if (r->has_ctx) put_commit(r, w, RECORD_F_CTX, buf_slice(&r->ctx));
}

/* What only a leaf under a grant says. Where a field has its place among the others, one of these puts it when there is a session. */
struct under_grant {
    const struct verified_session *session;        /* NULL: it is not under one */
    struct policy_use use;                         /* NULLs: grant or person is not known here */
};

static struct under_grant under_grant(const struct gate_request *r, const struct verified *v)
{
    struct under_grant u = {.session = verified_session(v)};
    if (u.session && !step_use(r, &u.use)) u.use = (struct policy_use){0};
    return u;
}

/* Where the access log stood when this was read: what names a version, or a snapshot, is compared with it there. */
static void put_read(const struct gate_request *r, struct record_writer *w, const struct under_grant *u, const struct leaf_says *s)
{
    if (u->session && (s->has_ver || s->has_asof)) record_put_int(w, RECORD_F_ACC, s->has_read ? s->read : log_size(r->tenant->access));
}

static void put_categories(const struct gate_request *r, struct record_writer *w, const struct under_grant *u)
{
    if (u->session && r->bucket && !r->bucket->dead) record_put_text(w, RECORD_F_CAT, policy_bucket_categories(r->tenant->state, r->bucket->id));
}

static void put_country(struct record_writer *w, const struct under_grant *u)
{
    if (u->session) record_put_text(w, RECORD_F_CTRY, slice_str(u->session->country));
}

static void put_grant(struct gate_request *r, struct record_writer *w, const struct under_grant *u)
{
    if (u->use.person) put_commit(r, w, RECORD_F_ENT, slice_str(u->use.person->employer));
    if (u->session) record_put_id(w, RECORD_F_GRANT, u->session->grant);
}

static void put_person(struct gate_request *r, struct record_writer *w, const struct under_grant *u)
{
    if (u->use.person) put_commit(r, w, RECORD_F_PERSON, slice_str(u->use.person->person));
    if (u->use.grant) record_put_text(w, RECORD_F_PURPOSE, slice_str(u->use.grant->purpose));
}

/* The fields stand in the order of record.def; record_put_* assert it. */
static enum err leaf_build(struct gate_request *r, const struct decided *d, const struct leaf_says *s, uint64_t t)
{
    struct record_writer w;
    const struct verified *v = decided_of(d);
    const struct under_grant u = under_grant(r, v);
    buf_reset(&r->leaf);
    buf_reset(&r->opening);
    record_begin(&w, RECORD_K_ACC, &r->leaf, &r->opening);
    put_read(r, &w, &u, s);
    record_put_text(&w, RECORD_F_ACT, slice_str(r->act));
    if (s->has_asof) record_put_int(&w, RECORD_F_ASOF, s->asof);
    record_put_text(&w, RECORD_F_AUTH, slice_str(policy_auth_text(verified_auth(v))));
    if (r->bucket && !r->bucket->dead && decided_bucket(d)) record_put_id(&w, RECORD_F_BKT, r->bucket->id);
    record_put_text(&w, RECORD_F_BODY, slice_str(policy_body_text(request_body(r))));
    if (s->has_bytes) record_put_int(&w, RECORD_F_BYTES, s->bytes);
    put_categories(r, &w, &u);
    if (s->copy.p) put_commit(r, &w, RECORD_F_COPY, s->copy);
    record_put_int(&w, RECORD_F_CTL, decided_ctl(d));
    put_country(&w, &u);
    put_ctx(r, &w);
    put_dec_doc(r, &w, d, slice_of(NULL, 0));
    put_grant(r, &w, &u);
    record_put_id(&w, RECORD_F_ID, r->id);
    if (s->items.p) put_commit(r, &w, RECORD_F_ITEMS, s->items);
    if (s->has_batch) record_put_int(&w, RECORD_F_N, s->n);
    if (s->fresh.p) put_commit(r, &w, RECORD_F_NEW, s->fresh);
    put_obj(r, &w);
    put_commit(r, &w, RECORD_F_PEER, r->ask.peer);
    put_person(r, &w, &u);
    if (s->qry.p) put_commit(r, &w, RECORD_F_QRY, s->qry);
    uint64_t range[2] = {s->range_first, s->range_last};
    if (s->has_range) record_put_ints(&w, RECORD_F_RANGE, range, 2);
    if (s->ref) record_put_int(&w, RECORD_F_REF, *s->ref);
    if (verified_repeats(v) > 1) record_put_int(&w, RECORD_F_REP, verified_repeats(v));
    if (s->res.p) put_commit(r, &w, RECORD_F_RES, s->res);
    if (s->has_batch) record_put_hash(&w, RECORD_F_ROOT, s->root);
    const uint64_t segments[2] = {s->segment, s->segment};
    if (s->has_segment) record_put_ints(&w, RECORD_F_SEGS, segments, 2);
    struct slice sub = s->sub.p ? s->sub : r->sub_value;
    if (sub.p) put_commit(r, &w, RECORD_F_SUB, sub);
    record_put_int(&w, RECORD_F_T, t);
    put_uns(r, &w);
    if (s->up.p) put_commit(r, &w, RECORD_F_UP, s->up);
    if (s->has_ver) put_ver(r, &w, s);
    if (r->vid.p) put_commit(r, &w, RECORD_F_VID, r->vid);
    if (s->write) record_put_int(&w, RECORD_F_W, 1);
    put_who(r, &w, v);
    const char *why = decided_allow(d) ? s->why : decided_why(d);
    if (why) record_put_text(&w, RECORD_F_WHY, slice_str(why));
    return record_end(&w);
}

static void request_durable(struct log_wait *wait)
{
    struct gate_request *r = container_of(wait, struct gate_request, wait);
    struct recorded *rec = (struct recorded *)r->recorded_box.bytes;
    ASSERT(rec->index == wait->index && recorded_durable(rec));
    void (*durable)(struct gate_request *r, const struct recorded *rec) = r->durable;
    r->durable = NULL;
    /* LAW-1: what was allowed and recorded is released only while the grant lives; the fold may have ended it since. */
    bool over = r->verified && verified_session(r->verified) && r->fault.code == S3E_NONE && (r->stream.killed || !step_grant_lives(r));
    if (over) use_over(r, rec);
    else if (durable) durable(r, rec);
}

static void recorded_make(struct gate_request *r, struct gate_log *l, uint64_t index)
{
    struct recorded *rec = (struct recorded *)r->recorded_box.bytes;
    *rec = (struct recorded){.magic = RECORDED_MAGIC, .log = l, .index = index};
    panic_context("recorded", 0, index);
}

struct recorded *request_recorded(struct gate_request *r)
{
    struct recorded *rec = (struct recorded *)r->recorded_box.bytes;
    return rec->magic == RECORDED_MAGIC ? rec : NULL;
}

static uint64_t control_put(struct gate_request *r, void (*durable)(struct gate_request *r, const struct recorded *rec))
{
    struct gate_tenant *t = r->tenant;
    struct log_append a = {.leaf = buf_slice(&r->leaf), .opening = buf_slice(&r->opening), .void_ref = UINT64_MAX};
    uint64_t index = log_size(t->control);
    r->durable = durable;
    r->wait.durable = request_durable;
    recorded_make(r, t->control, index);
    uint64_t got = logbook_append(r->gate->logbook, t->control, &a, &r->wait);
    ASSERT(got == index);
    return index;
}

/* Under a grant: nothing is written, and the leaf changes the state that decides: what was opened counts from this turn on. It is folded as
 * tenants_control_apply() does it, of which only policy's part is about such leaves, and nothing of what is behind commitments. */
static enum err record_use(struct gate_request *r, const struct decided *d, const struct leaf_says *says,
                           void (*durable)(struct gate_request *r, const struct recorded *rec))
{
    uint64_t now;
    struct record_leaf leaf;
    struct policy_state *state = r->tenant->state;
    ASSERT(durable);                               /* each is waited for: the log it stands on has no later one that implies it */
    TRY(log_time(r->tenant->control, loop_wall_ms(r->gate->loop), &now));
    TRY(leaf_build(r, d, says, now));
    TRY(record_leaf_parse(buf_slice(&r->leaf), RECORD_LOG_CONTROL, &leaf));
    TRY(policy_can_apply(state, log_size(r->tenant->control), &leaf, NULL));
    enum err e = policy_apply(state, control_put(r, durable), &leaf, NULL);
    ASSERT(e == ERR_OK);                           /* it was asked */
    request_unhold(r);                             /* rule 8, as below */
    return ERR_OK;
}

enum err step_record(struct gate_request *r, const struct decided *d, const struct leaf_says *says, struct gate_write *w,
                     void (*durable)(struct gate_request *r, const struct recorded *rec))
{
    struct gate_tenant *t = r->tenant;
    ASSERT(!w || !verified_session(decided_of(d)));          /* LAW-2: nobody of the provider writes */
    ASSERT(t->served);                             /* rule 4: recovery's voids stand before anything else */
    ASSERT(decided_ctl(d) == log_size(t->control));          /* rule 14 */
    ASSERT(!says->write == !w && !decided_needs_object(d));
    ASSERT(decided_allow(d) || !w);                /* LAW-1: what was denied has no effect */
    ASSERT(w || !r->durable);                      /* one leaf at a time: `wait` is in the logbook's list until then */
    r->state = REQUEST_WORKING;                    /* whatever was awaited from the client is not any more */
    uint64_t now;
    if (verified_session(decided_of(d))) return record_use(r, d, says, durable);
    TRY(log_time(t->access, loop_wall_ms(r->gate->loop), &now));
    TRY(leaf_build(r, d, says, now));
#ifdef TILLIT_BREAKS
    static struct recorded used;                   /* the break "release-reuse": a read goes out under an older read's receipt */
    if (!w && durable && BREAK("release-reuse") && used.log == t->access && log_durable(used.log) > used.index) {
        *(struct recorded *)r->recorded_box.bytes = used;
        request_unhold(r);
        durable(r, request_recorded(r));
        return ERR_OK;
    }
    if (!w) used = (struct recorded){.magic = RECORDED_MAGIC, .log = t->access, .index = log_size(t->access)};
#endif
    struct log_append a = {.leaf = buf_slice(&r->leaf), .opening = buf_slice(&r->opening), .void_ref = UINT64_MAX};
    if (w) a.command = buf_slice(&w->command);
    r->durable = durable;
    r->wait.durable = request_durable;
    uint64_t index = log_size(t->access);
    recorded_make(r, t->access, index);
    bool at_once = !w && BREAK("release-before-durable");
    uint64_t got = logbook_append(r->gate->logbook, t->access, &a, w ? &w->wait : at_once || !durable ? NULL : &r->wait);
    ASSERT(got == index);
    if (w) {
        flow_write_appended(w, index);
        return ERR_OK;
    }
    request_unhold(r);                             /* rule 8: a read's hold may go when its leaf has its place */
    if (at_once && durable) {
        r->durable = NULL;
        durable(r, request_recorded(r));
    }
    return ERR_OK;
}

/* The control log's kinds: the request's own record is what the state is folded from. ---------------------------------------- */

static void control_begin(struct gate_request *r, struct record_writer *w, enum record_kind kind)
{
    buf_reset(&r->leaf);
    buf_reset(&r->opening);
    record_begin(w, kind, &r->leaf, &r->opening);
}

/* The fields between `auth` and `id` that all of them have; doc p NULL: none. */
static void control_middle(struct gate_request *r, struct record_writer *w, const struct decided *d, bool body, struct slice doc)
{
    if (body) record_put_text(w, RECORD_F_BODY, slice_str(policy_body_text(request_body(r))));
    record_put_int(w, RECORD_F_CTL, decided_ctl(d));
    put_ctx(r, w);
    put_dec_doc(r, w, d, doc);
    record_put_id(w, RECORD_F_ID, r->id);
}

static void control_end(struct gate_request *r, struct record_writer *w, const struct decided *d, struct slice sub, uint64_t now)
{
    put_commit(r, w, RECORD_F_PEER, r->ask.peer);
    if (sub.p) put_commit(r, w, RECORD_F_SUB, sub);
    record_put_int(w, RECORD_F_T, now);
    put_uns(r, w);
    put_who(r, w, decided_of(d));
}

/* What the fold would say to it: no leaf may exist that does not fold. */
static enum err control_folds(struct gate_request *r)
{
    struct record_leaf leaf;
    struct record_opening opening;
    TRY(record_leaf_parse(buf_slice(&r->leaf), RECORD_LOG_CONTROL, &leaf));
    TRY(record_opening_parse(buf_slice(&r->opening), &opening));
    return policy_can_apply(r->tenant->state, log_size(r->tenant->control), &leaf, &opening);
}

static void control_append(struct gate_request *r, void (*durable)(struct gate_request *r, const struct recorded *rec))
{
    uint64_t index = control_put(r, durable);
    /* Rule 14: decisions from now on name the new size; none of them can be durable before this leaf. */
    enum err e = tenants_control_apply(r->gate, r->tenant, index, buf_slice(&r->leaf), buf_slice(&r->opening));
    ASSERT(e == ERR_OK);                           /* asked before: control_folds(), or decide itself for a bucket */
}

static enum err control_time(struct gate_request *r, const struct decided *d, uint64_t *now)
{
    struct gate_tenant *t = r->tenant;
    ASSERT(t->served && !verified_session(decided_of(d)) && decided_allow(d) && decided_ctl(d) == log_size(t->control) && !r->durable);
    r->state = REQUEST_WORKING;
    return log_time(t->control, loop_wall_ms(r->gate->loop), now);
}

enum err step_record_bucket(struct gate_request *r, const struct decided *d, const struct gate_bucket *b, bool on,
                            void (*durable)(struct gate_request *r, const struct recorded *rec))
{
    struct record_writer w;
    uint64_t now;
    TRY(control_time(r, d, &now));
    control_begin(r, &w, RECORD_K_BKT);
    record_put_text(&w, RECORD_F_ACT, slice_str(r->act));
    record_put_text(&w, RECORD_F_AUTH, slice_str(policy_auth_text(verified_auth(decided_of(d)))));
    record_put_id(&w, RECORD_F_BKT, b->id);
    control_middle(r, &w, d, false, on ? r->doc_value : slice_of(NULL, 0));
    put_commit(r, &w, RECORD_F_NAME, slice_str(b->name));
    record_put_int(&w, RECORD_F_ON, on);
    control_end(r, &w, d, slice_of(NULL, 0), now);
    TRY(record_end(&w));
    control_append(r, durable);
    if (!on) flow_grave_note(r->tenant, now);
    return ERR_OK;
}

enum err step_record_cfg(struct gate_request *r, const struct decided *d, bool on, struct slice doc,
                         void (*durable)(struct gate_request *r, const struct recorded *rec))
{
    struct record_writer w;
    uint64_t now;
    ASSERT(r->bucket && !r->bucket->dead);
    TRY(control_time(r, d, &now));
    control_begin(r, &w, RECORD_K_CFG);
    record_put_text(&w, RECORD_F_ACT, slice_str(r->act));
    record_put_text(&w, RECORD_F_AUTH, slice_str(policy_auth_text(verified_auth(decided_of(d)))));
    record_put_id(&w, RECORD_F_BKT, r->bucket->id);
    control_middle(r, &w, d, true, doc);
    put_commit(r, &w, RECORD_F_NAME, slice_str(r->bucket->name));
    record_put_int(&w, RECORD_F_ON, on);
    control_end(r, &w, d, slice_of(NULL, 0), now);
    TRY(record_end(&w));
    TRY(control_folds(r));
    control_append(r, durable);
    return ERR_OK;
}

enum err step_record_iam(struct gate_request *r, const struct decided *d, struct slice account, bool on, struct slice sub, struct slice doc,
                         void (*durable)(struct gate_request *r, const struct recorded *rec))
{
    struct record_writer w;
    uint64_t now;
    TRY(control_time(r, d, &now));
    control_begin(r, &w, RECORD_K_IAM);
    record_put_text(&w, RECORD_F_ACCOUNT, account);
    record_put_text(&w, RECORD_F_ACT, slice_str(r->act));
    record_put_text(&w, RECORD_F_AUTH, slice_str(policy_auth_text(verified_auth(decided_of(d)))));
    control_middle(r, &w, d, true, doc);
    record_put_int(&w, RECORD_F_ON, on);
    control_end(r, &w, d, sub, now);
    TRY(record_end(&w));
    TRY(control_folds(r));
    control_append(r, durable);
    return ERR_OK;
}
