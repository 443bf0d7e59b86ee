/* SPDX-License-Identifier: Apache-2.0
 * meter: bounds what is released and not yet sent under each grant, and stops it all when the grant is over.
 * Role: op_use.c asks for a segment before each release; say.c kills. Trusts: the fold, which says what a grant is. Distrusts: what a front reports: by a
 * lie it gains METER_SEGMENTS_MAX segments at a time, and each is a leaf within the budget.
 * Law: 1 (nothing is released here: who may, decides and records first). Spec: docs/spec/access.md section 5.
 */
#include "gate/meter.h"

#include <stdlib.h>

#include "gate/conn.h"
#include "gate/session.h"

#define METER_NAME_BYTES (2 * ID_BYTES)

struct meter {
    uint8_t name[METER_NAME_BYTES];                /* tenant | grant: two tenants may have grants of the same id */
    struct meters *all;
    struct gate_tenant *tenant;
    struct list streams, line;
    struct list ready;                             /* in meters.ready: somebody's turn may have come */
    size_t count, held;
};
struct kill {
    struct list node;
    uint8_t name[METER_NAME_BYTES];
    struct gate *gate;
    struct loop_timer timer;
    void (*done)(void *ctx, bool ok);
    void *ctx;
};

struct meters {                                    /* the gate's */
    struct map *all;                               /* by name */
    struct list ready, kills;
    struct loop_after after;
    struct loop *loop;
};

static void meters_turn(struct loop_after *a);

static struct meters *meters_of(struct gate *g)
{
    if (g->meters) return g->meters;
    struct meters *x = g->meters = calloc(1, sizeof *x);
    ASSERT(x);
    x->all = map_new(REQUESTS_MAX);
    list_init(&x->ready);
    list_init(&x->kills);
    x->after = (struct loop_after){.run = meters_turn, .ctx = x};
    x->loop = g->loop;
    return x;
}

static void meter_name(const uint8_t tenant[ID_BYTES], const uint8_t grant[ID_BYTES], uint8_t out[METER_NAME_BYTES])
{
    memcpy(out, tenant, ID_BYTES);
    memcpy(out + ID_BYTES, grant, ID_BYTES);
}

static struct meter *meter_of(const struct meters *all, const uint8_t name[METER_NAME_BYTES]) { return map_get(all->all, slice_of(name, METER_NAME_BYTES)); }

static struct gate_request *request_of(struct list *node) { return container_of(node, struct gate_request, stream.node); }

/* the line ---------------------------------------------------------------------------------------------------------------------- */

static void meter_ready(struct meter *m)
{
    list_del(&m->ready);
    list_add_tail(&m->all->ready, &m->ready);
    loop_after_add(m->all->loop, &m->all->after);
}

static void meter_take(struct meter *m, struct gate_request *r)
{
    ASSERT(!r->stream.holds && m->held < METER_SEGMENTS_MAX);
    r->stream.holds = true;
    m->held++;
}

static struct meter *meter_make(struct meters *all, struct gate_request *r, const uint8_t name[METER_NAME_BYTES])
{
    struct meter *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    memcpy(m->name, name, METER_NAME_BYTES);
    m->all = all;
    m->tenant = r->tenant;
    list_init(&m->streams);
    list_init(&m->line);
    list_init(&m->ready);
    if (map_put(all->all, slice_of(name, METER_NAME_BYTES), m) == ERR_OK) return m;
    free(m);
    return NULL;
}

static bool meter_join(struct gate_request *r)
{
    uint8_t name[METER_NAME_BYTES];
    struct meters *all = meters_of(r->gate);
    meter_name(r->tenant->id, verified_session(r->verified)->grant, name);
    struct meter *m = meter_of(all, name);
    if (r->tenant->streams >= METER_STREAMS_TENANT_MAX || (m && m->count >= METER_STREAMS_MAX)) return false;
    if (!m && !(m = meter_make(all, r, name))) return false;
    r->stream = (struct meter_stream){.meter = m};
    list_init(&r->stream.line);
    list_add_tail(&m->streams, &r->stream.node);
    m->count++;
    r->tenant->streams++;
    return true;
}

bool meter_enter(struct gate_request *r, void (*go)(struct gate_request *r))
{
    if (!r->stream.meter && !meter_join(r)) return false;
    struct meter *m = r->stream.meter;
    r->stream.go = go;
    if (list_empty(&m->line) && m->held < METER_SEGMENTS_MAX) {
        meter_take(m, r);
        go(r);
        return true;
    }
    r->state = REQUEST_LINE;
    list_add_tail(&m->line, &r->stream.line);
    if (m->held < METER_SEGMENTS_MAX) meter_ready(m);
    return true;
}

static void meter_give(struct gate_request *r)
{
    struct meter *m = r->stream.meter;
    if (!r->stream.holds) return;
    r->stream.holds = false;
    m->held--;
    meter_ready(m);
}

void meter_sent(struct gate_request *r)
{
    ASSERT(r->stream.meter && r->stream.holds);
    meter_give(r);
}

void meter_leave(struct gate_request *r)
{
    struct meter *m = r->stream.meter;
    if (!m) return;
    struct meters *all = m->all;
    meter_give(r);
    list_del(&r->stream.line);
    list_del(&r->stream.node);
    r->stream.meter = NULL;
    m->count--;
    m->tenant->streams--;
    if (m->count == 0) {
        list_del(&m->ready);
        map_del(all->all, slice_of(m->name, METER_NAME_BYTES));
        free(m);
    }
    if (!list_empty(&all->kills)) loop_after_add(all->loop, &all->after);
}

/* the end of a grant -------------------------------------------------------------------------------------------------------------- */

static bool streams_left(const struct meters *all, const uint8_t name[METER_NAME_BYTES])
{
    const struct meter *m = meter_of(all, name);
    for (struct list *n = m ? m->streams.next : NULL; n && n != &m->streams; n = n->next)
        if (request_of(n)->stream.released) return true;
    return false;
}

bool meter_open(struct gate *g, const struct gate_tenant *t, const uint8_t grant[ID_BYTES])
{
    uint8_t name[METER_NAME_BYTES];
    meter_name(t->id, grant, name);
    return streams_left(meters_of(g), name);
}

static void kill_end(struct kill *k, bool ok)
{
    void (*done)(void *ctx, bool ok) = k->done;
    void *ctx = k->ctx;
    loop_timer_cancel(k->gate->loop, &k->timer);
    list_del(&k->node);
    free(k);
    done(ctx, ok);
}

static void kill_late(struct loop_timer *t) { kill_end(t->ctx, false); }

/* Handed over and told at the end of the turn, never out of request_end(): both may end requests themselves. */
static void meters_turn(struct loop_after *a)
{
    struct meters *all = a->ctx;
    while (!list_empty(&all->ready)) {
        struct meter *m = container_of(all->ready.next, struct meter, ready);
        if (list_empty(&m->line) || m->held >= METER_SEGMENTS_MAX) {
            list_del(&m->ready);
            continue;
        }
        struct gate_request *r = container_of(m->line.next, struct gate_request, stream.line);
        list_del(&r->stream.line);
        meter_take(m, r);
        r->state = REQUEST_WORKING;
        r->stream.go(r);
    }
    struct list *next;
    for (struct list *n = all->kills.next; n != &all->kills; n = next) {
        next = n->next;
        struct kill *k = container_of(n, struct kill, node);
        if (!streams_left(all, k->name)) {
            kill_end(k, true);
            next = all->kills.next;              /* done() may have begun or ended others */
        }
    }
}

void meter_put_kill(struct gate_request *r)
{
    if (r->stream.killed || !r->conn) return;
    r->stream.killed = true;
    conn_put_kill(r->conn, r->wire_id);
}

/* The first in line that nothing was released for; the fold refuses it now. */
static struct gate_request *waits_in_vain(struct meter *m)
{
    for (struct list *n = m ? m->line.next : NULL; n && n != &m->line; n = n->next) {
        struct gate_request *r = container_of(n, struct gate_request, stream.line);
        if (!r->stream.released) return r;
    }
    return NULL;
}

static void drop_waiting(const struct meters *all, const uint8_t name[METER_NAME_BYTES])
{
    for (struct gate_request *r; (r = waits_in_vain(meter_of(all, name)));) {
        meter_leave(r);
        r->state = REQUEST_WORKING;
        if (step_still_allowed(r)) s3_fault_set(&r->fault, S3E_AccessDenied, NULL);
        step_refuse(r);
    }
}

void meter_kill(struct gate *g, struct gate_tenant *t, const uint8_t grant[ID_BYTES], void (*done)(void *ctx, bool ok), void *ctx)
{
    uint8_t name[METER_NAME_BYTES];
    struct meters *all = meters_of(g);
    meter_name(t->id, grant, name);
    struct meter *m = BREAK("grant-kill-skipped") ? NULL : meter_of(all, name);
    for (struct list *n = m ? m->streams.next : NULL; n && n != &m->streams; n = n->next)
        if (request_of(n)->stream.released) meter_put_kill(request_of(n));
    if (m) drop_waiting(all, name);
    struct kill *k = m && streams_left(all, name) ? calloc(1, sizeof *k) : NULL;
    if (!k) {
        done(ctx, !m || !streams_left(all, name));      /* no memory to wait with: it is not known to be closed */
        return;
    }
    *k = (struct kill){.gate = g, .done = done, .ctx = ctx, .timer = {.fire = kill_late, .ctx = k}};
    memcpy(k->name, name, sizeof name);
    list_add_tail(&all->kills, &k->node);
    loop_timer_set(g->loop, &k->timer, METER_KILL_MS);
}
