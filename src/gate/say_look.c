/* SPDX-License-Identifier: Apache-2.0
 * say_look: access.look: grants as they stand, and what happens to one of them, as it happens.
 * Role: behind the durable leaf of the look itself; and watches by the capability that a look gave, of which that leaf is the record.
 * Trusts: policy_say(), which allowed it. Distrusts: how much there is: pages, and a job in slices; capabilities as presented.
 * Law: 1 (looking is on record before anything is shown), 5 (the tenant that the statement names). Spec: docs/spec/access.md section 8.
 */
#include "gate/say_internal.h"

#include <stdlib.h>

#define LOOK_GRANTS_MAX 64                         /* of one answer about all */
#define LOOK_LEAVES_MAX 65536                      /* looked at for one answer */
#define LOOK_EVENTS_MAX 256
#define WATCH_MS 25000
#define WATCH_EVERY_MS 100
#define WATCHES_MAX 1024                           /* more at once wait shorter */
#define WATCHES_TENANT_MAX 64                      /* of one tenant: nobody's keep another's short */
#define WATCH_BUSY_MS 1000                         /* not at once: who asks again and again would fill the log with looks */

struct scan {
    struct say *s;
    struct loop_job job;
    struct loop_timer timer;
    uint64_t next, end_ms;
    size_t looked;
    json_t *events, *questions;                    /* questions: of a first look; NULL: a watch, which waits */
    bool waits;                                    /* counted in gate_say.watches */
    bool names;                                    /* objects' names are the customer's data: a manager is not told them */
};

/* whose eyes ---------------------------------------------------------------------------------------------------------------------------- */

static bool customers(const struct say *s)
{
    return policy_approver_of_key(s->t->state, buf_slice(&s->key)) || policy_is_owner(s->t->state, buf_slice(&s->key));
}

/* Attack: somebody who was put out, or is no manager any more, goes on watching. Only whom a grant needs is mirrored in the turn in which that is said; a watch
 * is no decision, and asks the provider's side itself. */
static const struct policy_person *staff(const struct say *s)
{
    const struct policy_person *here = policy_person_of_key(policy_people(s->t->state), buf_slice(&s->key));
    const struct policy_person *now = policy_person_of_key(say_state(s->g)->provider.people, buf_slice(&s->key));
    return here && here->on && now && now->on ? now : NULL;
}

static bool its_own(const struct say *s, const struct policy_grant *g)
{
    const struct policy_person *p = staff(s);
    return p && strcmp(p->account, g->account) == 0;
}

static bool may_see(const struct say *s, const struct policy_grant *g)
{
    const struct policy_people *people = policy_people(s->t->state);
    if (customers(s) || its_own(s, g)) return true;
    const struct policy_person *p = staff(s), *asks = policy_person(people, slice_str(g->account));
    if (!p) return false;
    if (!(p->roles & 1u << POLICY_ROLE_manager)) return false;
    return !asks || !asks->manager[0] || strcmp(asks->manager, p->account) == 0;
}

/* all that are open --------------------------------------------------------------------------------------------------------------------- */

static void put_notice_key(struct say *s)
{
    AUTO(buf) struct buf key = BUF_INIT(128);
    if (say_notice_key(s->g, s->t, &key) == ERR_OK) json_object_set_new(s->answer, "notice_key", json_stringn((const char *)key.p, key.n));
}

/* `after`: behind the request at that index, so that a long list comes in pages. */
static void look_all(struct say *s)
{
    size_t cursor = 0;
    uint64_t t_ms = loop_wall_ms(s->g->loop), next = 0;
    json_t *list = json_array();
    bool more = false;
    for (const struct policy_grant *x; (x = policy_grant_next(s->t->state, &cursor));) {
        if ((s->has_after && x->index <= s->after) || !may_see(s, x)) continue;
        if (json_array_size(list) == LOOK_GRANTS_MAX) {
            more = true;
            break;
        }
        json_array_append_new(list, say_grant_json(s->t, x, t_ms));
        next = x->index;
    }
    json_object_set_new(s->answer, "grants", list);
    if (more) json_object_set_new(s->answer, "next", json_integer((json_int_t)next));
    put_notice_key(s);
    say_answer(s);
}

/* a watch's capability: the look that gave it is named by its leaf, and whoever signed that must still be one who may see --------------- */

#define WATCH_VERSION 1
#define WATCH_BYTES (1 + ID_BYTES + 8 + 8)         /* version | grant | index of the look's leaf | ms when it is over */

static void watch_aad(const struct gate_tenant *t, struct buf *out)
{
    buf_put_str(out, "tillit watch");
    buf_put(out, t->id, ID_BYTES);
}

static enum err watch_make(struct say *s, struct buf *capability)
{
    AUTO(buf) struct buf plain = BUF_INIT(WATCH_BYTES), aad = BUF_INIT(64), bytes = BUF_INIT(ID_BYTES + WATCH_BYTES + KEYS_SEAL_EXTRA_BYTES);
    buf_put_u8(&plain, WATCH_VERSION);
    buf_put(&plain, s->grant, ID_BYTES);
    buf_put_u64(&plain, s->wait.index);
    buf_put_u64(&plain, loop_wall_ms(s->g->loop) + WATCH_MS_MAX);
    watch_aad(s->t, &aad);
    buf_put(&bytes, s->t->id, ID_BYTES);
    TRY(keys_seal(s->g->crypto, s->g->rng, &s->t->state_key, buf_slice(&aad), buf_slice(&plain), &bytes));
    buf_put_base64url(capability, buf_slice(&bytes));
    return buf_ok(capability) ? ERR_OK : ERR_LIMIT;
}

static void put_watch(struct say *s)
{
    AUTO(buf) struct buf capability = BUF_INIT(SESSION_TOKEN_CHARS_MAX);
    if (watch_make(s, &capability) == ERR_OK) json_object_set_new(s->answer, "watch", json_stringn((const char *)capability.p, capability.n));
}

/* Whose look it was, into s->key. VERIFY: not sealed here, for this tenant (LAW-5), or over. */
static enum err watch_open(struct say *s, struct slice capability)
{
    AUTO(buf) struct buf plain = BUF_INIT(WATCH_BYTES), aad = BUF_INIT(64), bytes = BUF_INIT(ID_BYTES + WATCH_BYTES + KEYS_SEAL_EXTRA_BYTES);
    if (capability.n > SESSION_TOKEN_CHARS_MAX || base64url_decode(capability, &bytes) != ERR_OK || bytes.n <= ID_BYTES) return ERR_VERIFY;
    s->t = map_get(s->g->tenants, slice_of(bytes.p, ID_BYTES));
    if (!s->t || !s->t->state) return ERR_VERIFY;
    watch_aad(s->t, &aad);
    TRY(keys_open(s->g->crypto, &s->t->state_key, buf_slice(&aad), slice_of(bytes.p + ID_BYTES, bytes.n - ID_BYTES), &plain));
    struct reader in = reader_of(buf_slice(&plain));
    if (reader_u8(&in) != WATCH_VERSION) return ERR_VERIFY;
    struct slice grant = reader_slice(&in, ID_BYTES);
    uint64_t index = reader_u64(&in), over_ms = reader_u64(&in);
    if (reader_end(&in) != ERR_OK || loop_wall_ms(s->g->loop) >= over_ms) return ERR_VERIFY;
    memcpy(s->grant, grant.p, ID_BYTES);
    AUTO(say_read) struct say_read look;
    TRY(say_read(s->t->control, index, true, &look));
    buf_put_slice(&s->key, say_opened(&look, RECORD_F_WHO));
    return buf_ok(&s->key) && s->key.n ? ERR_OK : ERR_VERIFY;
}

/* What came since the look, or since the question, may have taken a role away: nothing is told then. */
static void look_over(struct say *s)
{
    json_decref(s->answer);
    if (s->wait.durable) {
        s->answer = json_pack("{s:[]}", "grants");
    } else {
        s->say = POLICY_SAY_NOT_YOURS;
        s->answer = json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title", "Forbidden", "status", 403, "code", "watch-over", "detail",
                              "this watch is over, or never was: look at the grant again");
    }
    ASSERT(s->answer);
    say_answer(s);
}

/* one grant ------------------------------------------------------------------------------------------------------------------------------ */

static void scan_answer(struct scan *c)
{
    struct say *s = c->s;
    const struct policy_grant *x = policy_grant(s->t->state, s->grant);
    ASSERT(x);                                     /* grants are never forgotten */
    loop_job_del(s->g->loop, &c->job);
    loop_timer_cancel(s->g->loop, &c->timer);
    if (c->waits) say_state(s->g)->watches--, s->t->watches--;
    if (!may_see(s, x)) {
        json_decref(c->events), json_decref(c->questions);
        free(c);
        look_over(s);
        return;
    }
    json_object_del(s->answer, "digest");          /* the look's own; the request's is told */
    if (c->questions) {
        json_t *grant = say_grant_json(s->t, x, loop_wall_ms(s->g->loop));
        json_object_update(s->answer, grant);
        json_decref(grant);
        json_object_set_new(s->answer, "questions", c->questions);
        put_notice_key(s);
        put_watch(s);
    } else {
        json_object_set_new(s->answer, "state", json_string(policy_grant_state_text(policy_grant_state(s->t->state, x, loop_wall_ms(s->g->loop)))));
    }
    json_object_set_new(s->answer, "next", json_integer((json_int_t)c->next - 1));
    json_object_set_new(s->answer, "events", c->events);
    free(c);
    say_answer(s);
}

static bool wanted(const struct scan *c, const struct record_leaf *l)
{
    uint8_t id[ID_BYTES];
    return say_leaf_grant(l, id) && memcmp(id, c->s->grant, ID_BYTES) == 0;
}

static bool is_question(const struct record_leaf *l)
{
    struct slice act = record_text(l, RECORD_F_ACT);
    return l->kind == RECORD_K_STMT && slice_is(record_text(l, RECORD_F_DEC), "allow") && (slice_is(act, "access.ask") || slice_is(act, "access.reply"));
}

static void scan_leaf(struct scan *c, uint64_t index)
{
    struct gate_log *log = c->s->t->control;
    AUTO(say_read) struct say_read x;
    if (say_read(log, index, false, &x) != ERR_OK || !wanted(c, &x.leaf)) return;
    say_read_done(&x);
    if (say_read(log, index, true, &x) != ERR_OK) return;
    json_t *event = say_event(c->s->t, index, &x);
    if (!c->names) json_object_del(event, "key");
    if (c->questions && is_question(&x.leaf)) json_array_append(c->questions, event);
    json_array_append_new(c->events, event);
}

static bool scan_run(struct loop_job *j, uint64_t budget_us)
{
    struct scan *c = j->ctx;
    struct gate *g = c->s->g;
    uint64_t until = clock_mono_us() + budget_us, size = log_durable(c->s->t->control);
    bool full = false;
    while (c->next < size && !full && clock_mono_us() < until) {
        scan_leaf(c, c->next++);
        full = json_array_size(c->events) == LOOK_EVENTS_MAX || ++c->looked == LOOK_LEAVES_MAX;
    }
    if (c->next < size && !full) return true;
    if (!full && c->waits && json_array_size(c->events) == 0 && loop_now_ms(g->loop) < c->end_ms) {
        loop_timer_set(g->loop, &c->timer, WATCH_EVERY_MS);
        return false;
    }
    scan_answer(c);
    return false;
}

static void scan_again(struct loop_timer *t)
{
    struct scan *c = t->ctx;
    if (c->next < log_durable(c->s->t->control) || loop_now_ms(c->s->g->loop) >= c->end_ms) loop_job_add(c->s->g->loop, &c->job);
    else loop_timer_set(c->s->g->loop, t, WATCH_EVERY_MS);
}

static void scan_begin(struct say *s, const struct policy_grant *g, uint64_t from, bool first)
{
    struct scan *c = calloc(1, sizeof *c);
    struct gate_say *all = say_state(s->g);
    ASSERT(c);
    bool busy = all->watches >= WATCHES_MAX || s->t->watches >= WATCHES_TENANT_MAX;
    *c = (struct scan){.s = s, .next = from, .events = json_array(), .questions = first ? json_array() : NULL,
                       .end_ms = loop_now_ms(s->g->loop) + (busy ? WATCH_BUSY_MS : WATCH_MS), .waits = !first, .names = customers(s) || its_own(s, g)};
    c->job = (struct loop_job){.run = scan_run, .ctx = c};
    c->timer = (struct loop_timer){.fire = scan_again, .ctx = c};
    if (c->waits) all->watches++, s->t->watches++;
    loop_job_add(s->g->loop, &c->job);
}

void say_look(struct say *take_s)
{
    struct say *s = take_s;
    if (!s->has_grant) {
        look_all(s);
        return;
    }
    const struct policy_grant *x = policy_grant(s->t->state, s->grant);
    if (!x || !may_see(s, x)) {                    /* policy_say() said so before */
        look_over(s);
        return;
    }
    /* The request's own leaf is told as the request. */
    scan_begin(s, x, MAX(x->index, s->has_after ? s->after : 0) + 1, !s->has_after);
}

void say_watch(struct gate *g, struct slice capability, uint64_t after, statement_done done, void *ctx)
{
    struct say *s = calloc(1, sizeof *s);
    ASSERT(s);
    s->g = g, s->done = done, s->ctx = ctx, s->say = POLICY_SAY_DONE;
    buf_init(&s->key, SAY_KEY_BYTES_MAX);
    s->answer = json_object();
    enum err e = watch_open(s, capability);
    const struct policy_grant *x = e == ERR_OK ? policy_grant(s->t->state, s->grant) : NULL;
    if (!x || !may_see(s, x)) look_over(s);
    else scan_begin(s, x, MAX(x->index, after == UINT64_MAX ? 0 : after) + 1, false);
}
