/* SPDX-License-Identifier: Apache-2.0
 * say_grant: what ends a grant outside the fold: streams that must stop, `grant` leaves for what time does, and for fronts that did not stop.
 * Role: behind say.c's durable leaves; conn.c calls say_tend() at the steward's tick. Trusts: policy for who may still read; meter.c for what is gone.
 * Distrusts: time (leaves carry the log's). Law: 1, 4 (decisions do not wait for these leaves). Spec: docs/spec/access.md sections 4, 5.
 */
#include "gate/say_internal.h"

#include <stdlib.h>

#include "gate/session.h"

#define TEND_LEAVES_MAX 256                        /* of one tenant at one tick: the next one goes on */
#define KILL_AGAIN_MS 1000

/* A grant whose front did not say that its streams are gone: on the log as FailToClose, until a later look finds none. */
struct failed {
    struct list node;
    struct gate *g;
    struct gate_tenant *t;
    uint8_t grant[ID_BYTES];
    bool asking;
    uint64_t asked_ms;
};

struct say_end {
    struct say *s;
    struct gate_tenant *t;
    uint8_t grant[ID_BYTES];
    void (*then)(struct say *s);
};

/* `grant` leaves ------------------------------------------------------------------------------------------------------------------------ */

static enum err grant_leaf(struct gate *g, struct gate_tenant *t, const uint8_t id[ID_BYTES], const char *act)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX);
    struct record_writer w;
    uint64_t now, index;
    if (!logbook_ready(g->logbook, false)) return ERR_FULL;
    TRY(log_time(t->control, loop_wall_ms(g->loop), &now));
    record_begin(&w, RECORD_K_GRANT, &leaf, NULL);
    record_put_text(&w, RECORD_F_ACT, slice_str(act));
    record_put_id(&w, RECORD_F_GRANT, id);
    record_put_int(&w, RECORD_F_T, now);
    TRY(record_end(&w));
    return say_append_leaf(g, t, buf_slice(&leaf), (struct slice){0}, NULL, &index);
}

static struct failed *failed_find(struct gate *g, const struct gate_tenant *t, const uint8_t id[ID_BYTES])
{
    struct gate_say *s = say_state(g);
    for (struct list *at = s->failed.next; at != &s->failed; at = at->next) {
        struct failed *f = container_of(at, struct failed, node);
        if (f->t == t && memcmp(f->grant, id, ID_BYTES) == 0) return f;
    }
    return NULL;
}

void say_grant_folded(struct gate *g, struct gate_tenant *t, const struct record_leaf *l)
{
    const uint8_t *id = l->f[RECORD_F_GRANT].bytes;
    struct slice act = record_text(l, RECORD_F_ACT);
    struct failed *f = failed_find(g, t, id);
    if (slice_is(act, "Closed") && f) list_del(&f->node), free(f);
    if (!slice_is(act, "FailToClose") || f) return;
    f = calloc(1, sizeof *f);
    ASSERT(f);
    *f = (struct failed){.g = g, .t = t};
    memcpy(f->grant, id, ID_BYTES);
    list_add_tail(&say_state(g)->failed, &f->node);
}

static void note_failure(struct gate *g, struct gate_tenant *t, const uint8_t id[ID_BYTES])
{
    enum err e = grant_leaf(g, t, id, "FailToClose");
    /* A grant that is not over has no such state: its person is off, or its approvals are gone, and what it asks for next is refused. */
    log_line(LOG_ERROR, "stream-not-closed", "log=%s leaf=%s", log_name(t->control), err_name(e));
}

/* what a statement ends ----------------------------------------------------------------------------------------------------------------- */

static bool may_end(enum record_statement_kind k)
{
    switch (k) {
    case RECORD_STATEMENT_PERSON_SET: case RECORD_STATEMENT_PERSON_OFF: case RECORD_STATEMENT_PURPOSE_SET:
    case RECORD_STATEMENT_APPROVER_SET: case RECORD_STATEMENT_APPROVER_OFF: case RECORD_STATEMENT_RULE_SET: case RECORD_STATEMENT_RULE_OFF:
    case RECORD_STATEMENT_CATEGORY_SET: case RECORD_STATEMENT_PURPOSE_LIMIT: case RECORD_STATEMENT_RECOVERY_FINISH: case RECORD_STATEMENT_AGREE:
        return true;
    default: return false;
    }
}

/* What any request under the grant may: looking at its bucket. Denied: nothing under it is released any more. */
static bool usable(const struct policy_state *state, const struct policy_grant *g, uint64_t t_ms)
{
    char id[ID_TEXT_CHARS + 1];
    tenants_id_text(g->id, id);
    struct policy_request r = {.auth = POLICY_AUTH_STS, .act = POLICY_ACT_HeadBucket, .t_ms = t_ms, .bucket = slice_str(g->terms ? g->terms->bucket : ""),
                               .who = {.account = slice_str(g->account), .user = slice_str(id)}};
    memcpy(r.grant, g->id, ID_BYTES);
    return policy_decide(state, &r).allow;
}

/* Somebody has logged in, and it is not over. */
static bool may_stream(const struct policy_state *state, const struct policy_grant *g)
{
    enum policy_grant_state now = policy_grant_state(state, g, state->t_ms);
    return now == POLICY_GRANT_ACTIVE || now == POLICY_GRANT_EXTENSION_PENDING;
}

static void end_add(struct say *s, struct gate_tenant *t, const uint8_t id[ID_BYTES])
{
    struct say_end *more = realloc(s->ends, (s->end_count + 1) * sizeof *more);
    ASSERT(more);
    s->ends = more;
    s->ends[s->end_count] = (struct say_end){.s = s, .t = t};
    memcpy(s->ends[s->end_count++].grant, id, ID_BYTES);
}

static void ends_of(struct say *s, struct gate_tenant *t)
{
    size_t cursor = 0;
    for (const struct policy_grant *x; (x = policy_grant_next(t->state, &cursor));)
        if (may_stream(t->state, x) && !usable(t->state, x, t->state->t_ms)) end_add(s, t, x->id);
}

void say_ends_find(struct say *s)
{
    if (s->kind == RECORD_STATEMENT_ACCESS_REVOKE || s->kind == RECORD_STATEMENT_ACCESS_COMPLETE) end_add(s, s->t, s->grant);
    if (!may_end(s->kind)) return;
    if (s->t) ends_of(s, s->t);
    for (size_t i = 0; !s->t && i < s->g->tenant_count; i++)
        if (log_size(s->g->tenant_list[i]->control) > 0) ends_of(s, s->g->tenant_list[i]);
}

static void end_done(void *ctx, bool ok)
{
    struct say_end *x = ctx;
    struct say *s = x->s;
    if (!ok) {
        s->end_failed = true;
        note_failure(s->g, x->t, x->grant);
    }
    ASSERT(s->end_left > 0);
    void (*then)(struct say *s) = x->then;
    if (--s->end_left == 0) then(s);
}

void say_ends_kill(struct say *s, void (*then)(struct say *s))
{
    size_t n = s->end_left = s->end_count;
    struct gate *g = s->g;
    if (n == 0) {
        then(s);
        return;
    }
    struct say_end *ends = s->ends;                /* the last call may free s: nothing of it is touched behind that */
    for (size_t i = 0; i < n; i++) ends[i].then = then;
    for (size_t i = 0; i < n; i++) meter_kill(g, ends[i].t, ends[i].grant, end_done, &ends[i]);
}

/* the steward's tick -------------------------------------------------------------------------------------------------------------------- */

struct expired {
    struct gate *g;
    struct gate_tenant *t;
    uint8_t grant[ID_BYTES];
};

static void expired_done(void *ctx, bool ok)
{
    struct expired *x = ctx;
    if (!ok) note_failure(x->g, x->t, x->grant);
    free(x);
}

static void expired_kill(struct gate *g, struct gate_tenant *t, const uint8_t id[ID_BYTES])
{
    struct expired *x = calloc(1, sizeof *x);
    ASSERT(x);
    *x = (struct expired){.g = g, .t = t};
    memcpy(x->grant, id, ID_BYTES);
    meter_kill(g, t, id, expired_done, x);
}

static const char *due_act(const struct policy_state *state, const struct policy_grant *x, uint64_t t_ms)
{
    enum policy_grant_state now = policy_grant_state(state, x, t_ms);
    if (now == x->state) return NULL;
    return now == POLICY_GRANT_EXPIRED ? "Expire" : now == POLICY_GRANT_LAPSED ? "Lapse" : now == POLICY_GRANT_APPROVED ? "Start" : NULL;
}

/* False: none is due. The fold moves what policy_grant_next() walks over, so each leaf is looked for anew. */
static bool tend_one(struct gate *g, struct gate_tenant *t, uint64_t t_ms)
{
    size_t cursor = 0;
    uint8_t id[ID_BYTES];
    for (const struct policy_grant *x; (x = policy_grant_next(t->state, &cursor));) {
        const char *act = due_act(t->state, x, t_ms);
        if (!act) continue;
        memcpy(id, x->id, ID_BYTES);
        enum err e = grant_leaf(g, t, id, act);
        if (e != ERR_OK) {
            log_line(LOG_ERROR, "grant-leaf", "act=%s err=%s", act, err_name(e));
            return false;
        }
        if (strcmp(act, "Expire") == 0) expired_kill(g, t, id);
        return true;
    }
    return false;
}

static void closed_done(void *ctx, bool ok)
{
    struct failed *f = ctx;
    f->asking = false;
    if (!ok) return;
    enum err e = grant_leaf(f->g, f->t, f->grant, "Closed");         /* its fold frees f */
    if (e != ERR_OK) log_line(LOG_ERROR, "grant-leaf", "act=Closed err=%s", err_name(e));
}

static void tend_failed(struct gate *g)
{
    struct gate_say *s = say_state(g);
    uint64_t now = loop_now_ms(g->loop);
    for (struct list *at = s->failed.next, *next; at != &s->failed; at = next) {
        struct failed *f = container_of(at, struct failed, node);
        next = at->next;
        if (f->asking || now < f->asked_ms + KILL_AGAIN_MS) continue;
        f->asking = true;
        f->asked_ms = now;
        meter_kill(g, f->t, f->grant, closed_done, f);
    }
}

void say_tend(struct gate *g)
{
    uint64_t now = loop_wall_ms(g->loop), t_ms;
    if (say_state(g)->behind) say_mirror_all(g);
    for (size_t i = 0; i < g->tenant_count; i++) {
        struct gate_tenant *t = g->tenant_list[i];
        if (log_size(t->control) == 0 || log_time(t->control, now, &t_ms) != ERR_OK || policy_grants_due(t->state) > t_ms) continue;
        unsigned left = TEND_LEAVES_MAX;
        while (left-- > 0 && tend_one(g, t, t_ms)) {}
    }
    tend_failed(g);
}
