/* SPDX-License-Identifier: Apache-2.0
 * flow: carries every write from its leaf to its settlement.
 * Role: between step_record.c and keeper_link.c. Trusts: the keeper's settled answers. Distrusts: that answers come.
 * Law: 1. Spec: docs/spec/order.md rules 1 to 5, 7, 9, 11.
 */
#include "gate/flow.h"

#include <stdio.h>
#include <stdlib.h>

#include "gate/keeper_link.h"
#include "gate/recent.h"
#include "gate/request.h"
#include "gate/say.h"
#include "record/record.h"

#define WRITE_MAGIC 0x57524954u

static void write_durable(struct log_wait *wait);

static void write_slots(struct gate_write *w, void (*each)(struct recent *r, uint32_t slot))
{
    for (size_t i = 0; i < w->slot_count; i++) each(w->gate->recent, w->slots ? w->slots[i] : w->slot);
}

static void write_send(struct gate_write *w)
{
    ASSERT(w->durable || BREAK("apply-before-durable"));
    struct gate_flow *f = w->tenant->flow;
    f->backlog |= keeper_full(w->gate);
    if (f->backlog) return;                        /* rule 1: flow_drain() sends them, in their order */
    w->sent = keeper_ready(w->gate);
    keeper_apply(w->gate, log_id(w->tenant->access), w->index, buf_slice(&w->command));
}

static void write_durable(struct log_wait *wait)
{
    struct gate_write *w = container_of(wait, struct gate_write, wait);
    ASSERT(w->magic == WRITE_MAGIC && wait->index == w->index);
    ASSERT(log_durable(w->tenant->access) > w->index);       /* LAW-1: the leaf before the effect */
    w->durable = true;
    if (!BREAK("apply-before-durable")) write_send(w);        /* durable() comes in leaf order: so do APPLYs (rule 1) */
}

struct gate_write *flow_write_new(struct gate *g, struct gate_tenant *t)
{
    struct gate_write *w = calloc(1, sizeof *w);
    ASSERT(w);
    w->magic = WRITE_MAGIC;
    w->gate = g;
    w->tenant = t;
    w->wait.durable = write_durable;
    list_init(&w->node);
    w->wait.durable = write_durable;
    buf_init(&w->command, COMMAND_BYTES_MAX);
    return w;
}

void flow_write_free(struct gate_write *w)
{
    if (!w) return;
    ASSERT(w->magic == WRITE_MAGIC && list_empty(&w->node));
    w->magic = 0;
    buf_done(&w->command);
    free(w->slots);
    free(w);
}

void flow_write_appended(struct gate_write *w, uint64_t index)
{
    struct gate_flow *f = w->tenant->flow;
    struct list *last = f->unsettled.prev;
    if (last != &f->unsettled) ASSERT(container_of(last, struct gate_write, node)->index < index);
    w->index = index;
    list_add_tail(&f->unsettled, &w->node);
    write_slots(w, recent_appended);
    if (BREAK("apply-before-durable")) write_send(w);
}

uint64_t flow_oldest(const struct gate_tenant *t)
{
    const struct list *head = &t->flow->unsettled;
    for (const struct list *at = head->next; at != head; at = at->next) {
        const struct gate_write *w = container_of(at, struct gate_write, node);
        if (!w->void_appended && !w->finished) return w->index;
    }
    return UINT64_MAX;
}

static void flow_drain_tenant(struct gate_tenant *t)
{
    struct gate_flow *f = t->flow;
    f->backlog = false;
    for (struct list *at = f->unsettled.next; at != &f->unsettled && !f->backlog; at = at->next) {
        struct gate_write *w = container_of(at, struct gate_write, node);
        if (w->durable && !w->sent && !w->finished && !w->refused) write_send(w);
    }
}

void flow_drain(struct gate *g)
{
    for (size_t i = 0; keeper_ready(g) && i < g->tenant_count; i++) {
        struct gate_tenant *t = g->tenant_list[i];
        if (t->flow && t->flow->backlog && !t->flow->mismatch) flow_drain_tenant(t);
    }
}

/* Something of the tenant's was settled: its holds and readers may go on. */
static void write_let_go(struct gate_write *w)
{
    write_slots(w, recent_settled);
    w->slot_count = 0;
    if (w->unhold) w->unhold(w);
    w->unhold = NULL;
}

/* Rule 5: the mark passes what is finished, from the oldest on. */
static void flow_pop(struct gate *g, struct gate_tenant *t)
{
    struct gate_flow *f = t->flow;
    while (!list_empty(&f->unsettled)) {
        struct gate_write *w = container_of(f->unsettled.next, struct gate_write, node);
        if (!w->finished) break;
        list_del(&w->node);
        f->mark = w->index + 1;
        flow_write_free(w);
    }
    log_mark_set(t->access, f->mark);
    op_list_settled(g, t);
}

static void grave_note(struct gate_flow *f, uint64_t due_ms, uint64_t grave_ms)
{
    uint64_t grain = MAX(grave_ms / (GATE_GRAVE_MARKS_MAX / 2), (uint64_t)1000);
    due_ms = (due_ms + grain - 1) / grain * grain;
    size_t n = f->grave_mark_count;
    if (n && f->grave_marks[n - 1] >= due_ms) return;
    if (n == GATE_GRAVE_MARKS_MAX) f->grave_marks[n - 1] = due_ms;     /* coarser: what was due before goes with it */
    else f->grave_marks[f->grave_mark_count++] = due_ms;
}

void flow_grave_note(struct gate_tenant *t, uint64_t due_ms) { grave_note(t->flow, due_ms, t->grave_ms); }

static void flow_serve(struct gate *g, struct gate_tenant *t)
{
    struct gate_flow *f = t->flow;
    if (t->served || f->recovering || f->mismatch || !f->checked) return;
    /* What changed on the provider log while nobody looked (a crash between the two logs) is here before anything is decided. */
    enum err e = say_mirror(g, t, NULL);
    if (e != ERR_OK) log_line(LOG_ERROR, "mirror-not-written", "log=%s err=%s", log_name(t->control), err_name(e));
    t->served = true;
    t->unserved_why[0] = 0;
    step_served(g, t);
}

static void write_finish(struct gate_write *w, bool applied)
{
    struct gate *g = w->gate;
    struct gate_tenant *t = w->tenant;
    struct gate_flow *f = t->flow;
    if (applied && w->grave_due_ms) grave_note(f, w->grave_due_ms, t->grave_ms);
    if (w->recovered) {
        ASSERT(f->recovering > 0);
        f->recovering--;
    }
    w->finished = true;
    if (w->done) w->done(w, applied);
    w->done = NULL;
    flow_pop(g, t);                                /* w may be gone from here on */
    flow_serve(g, t);
}

/* voids --------------------------------------------------------------------------------------------------------------- */

static void void_durable(struct log_wait *wait)
{
    struct gate_write *w = container_of(wait, struct gate_write, void_wait);
    ASSERT(w->magic == WRITE_MAGIC && w->void_appended);
    w->tenant->flow->refusals = true;
    write_finish(w, false);
}

/* Rule 4. False: the log takes no leaf now; flow_tick() tries again. */
static bool void_append(struct gate_write *w)
{
    struct gate *g = w->gate;
    struct gate_log *l = w->tenant->access;
    uint64_t t;
    if (!logbook_ready(g->logbook, false) || log_time(l, loop_wall_ms(g->loop), &t) != ERR_OK) return false;
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX);
    struct record_writer rw;
    record_begin(&rw, RECORD_K_VOID, &leaf, NULL);
    record_put_int(&rw, RECORD_F_REF, w->index);
    record_put_int(&rw, RECORD_F_T, t);
    record_put_text(&rw, RECORD_F_WHY, SLICE_LIT("BlobMissing"));
    enum err e = record_end(&rw);
    ASSERT(e == ERR_OK);
    struct log_append a = {.leaf = buf_slice(&leaf), .void_ref = w->index};
    w->void_wait.durable = void_durable;
    logbook_append(g->logbook, l, &a, &w->void_wait);
    w->void_appended = true;
    write_let_go(w);
    op_list_settled(g, w->tenant);
    return true;
}

bool flow_as_of_ok(const struct gate_tenant *t, uint64_t as_of, uint64_t mark)
{
    bool ok = as_of >= mark && as_of <= log_durable(t->access);
    if (!ok) log_line(LOG_ERROR, "snapshot-impossible", "log=%s as_of=%llu mark=%llu", log_name(t->access), (unsigned long long)as_of, (unsigned long long)mark);
    return ok;
}

/* settlement ------------------------------------------------------------------------------------------------------------ */

static struct gate_tenant *flow_tenant(const struct gate *g, const uint8_t log[ID_BYTES])
{
    return map_get(g->by_log, slice_of(log, ID_BYTES));
}

enum err flow_settled(struct gate *g, const struct wire_settled *m)
{
    struct gate_tenant *t = flow_tenant(g, m->log);
    struct gate_write *w = NULL;
    for (struct list *at = t ? t->flow->unsettled.next : NULL; t && at != &t->flow->unsettled; at = at->next) {
        w = container_of(at, struct gate_write, node);
        if (w->index >= m->index) break;
    }
    if (!w || w->index != m->index || w->finished || w->refused) return ERR_OK;   /* answered twice: sent again and settled before */
    if (!w->sent) return ERR_INPUT;                /* a keeper that answers what it was not asked has nothing to say here */
    quota_settled(t, m);
    ASSERT(w->durable || BREAK("apply-before-durable"));
    panic_context("settled", 0, w->index);
    if (m->outcome == WIRE_SETTLED_DONE) {
        write_let_go(w);
        write_finish(w, true);
        return ERR_OK;
    }
    log_line(LOG_WARN, "refused", "log=%s index=%llu", log_name(t->access), (unsigned long long)w->index);
    w->refused = true;
    if (BREAK("void-skipped")) {
        write_let_go(w);
        write_finish(w, false);
        return ERR_OK;
    }
    void_append(w);
    return ERR_OK;
}

/* start and READY --------------------------------------------------------------------------------------------------------- */

static enum err flow_pending(void *ctx, uint64_t index, struct slice leaf, struct slice command)
{
    struct gate_write *w = flow_write_new(((struct gate_write *)ctx)->gate, ((struct gate_write *)ctx)->tenant);
    (void)leaf;
    buf_put_slice(&w->command, command);
    if (!buf_ok(&w->command)) {
        flow_write_free(w);
        return ERR_CORRUPT;
    }
    w->index = index;
    w->durable = true;                             /* rule 6: logbook_open() synced it before anyone could read it */
    w->recovered = true;
    list_add_tail(&w->tenant->flow->unsettled, &w->node);
    w->tenant->flow->recovering++;
    return ERR_OK;
}

enum err flow_begin(struct gate *g, struct gate_tenant *t)
{
    ASSERT(!t->flow);
    struct gate_flow *f = calloc(1, sizeof *f);
    if (!f) return ERR_NOMEM;
    list_init(&f->unsettled);
    list_init(&f->lists);
    t->flow = f;
    quota_begin(g, t);
    if (!g->by_log) g->by_log = map_new(TENANTS_MAX);
    TRY(map_put(g->by_log, slice_of(log_id(t->access), ID_BYTES), t));
    f->mark = log_mark_durable(t->access);
    struct gate_write for_ctx = {.gate = g, .tenant = t};
    TRY(log_pending(t->access, flow_pending, &for_ctx));
    /* What was buried before this start is not known here: look once. */
    if (log_size(t->access) > 0) f->grave_marks[f->grave_mark_count++] = loop_wall_ms(g->loop);
    f->checked = log_size(t->access) == 0 && g->keeper && keeper_ready(g);   /* a tenant made now: no row at the keeper */
    t->served = false;
    snprintf(t->unserved_why, sizeof t->unserved_why, "waiting for the keeper");
    flow_serve(g, t);
    return ERR_OK;
}

void tenants_served(struct gate *g, struct gate_tenant *t)
{
    if (t->flow) return;
    enum err e = flow_begin(g, t);
    ASSERT(e == ERR_OK);                           /* a tenant made now has no pending command */
}

/* Rule 7: equal histories, or nobody is served from them. */
static void flow_check(struct gate *g, struct gate_tenant *t, uint64_t watermark)
{
    struct gate_flow *f = t->flow;
    bool older = watermark < f->mark && !BREAK("watermark-unchecked"), newer = watermark > log_durable(t->access);
    f->checked = true;
    f->mismatch = older || newer;
    if (!f->mismatch) return;
    t->served = false;
    snprintf(t->unserved_why, sizeof t->unserved_why, "keeper settled up to %llu, %s %llu: the %s was put back from an older copy",
             (unsigned long long)watermark, older ? "log's mark is" : "log has",
             (unsigned long long)(older ? f->mark : log_durable(t->access)), older ? "keeper" : "log");
    log_line(LOG_ERROR, "not-served", "log=%s why=\"%s\"", log_name(t->access), t->unserved_why);
    (void)g;
}

void flow_ready(struct gate *g, const struct wire_ready *m)
{
    for (size_t i = 0; i < g->tenant_count; i++)
        if (g->tenant_list[i]->flow) g->tenant_list[i]->flow->watermark = 0;
    struct reader r = reader_of(m->watermarks);
    while (reader_left(&r) > 0) {
        struct slice log = reader_slice(&r, ID_BYTES);
        uint64_t watermark = reader_u64(&r);
        struct gate_tenant *t = r.bad ? NULL : flow_tenant(g, log.p);
        if (t) t->flow->watermark = watermark;
    }
    for (size_t i = 0; i < g->tenant_count; i++) {
        struct gate_tenant *t = g->tenant_list[i];
        if (!t->flow) continue;
        flow_check(g, t, t->flow->watermark);
        t->flow->backlog = false;
        struct list *at = t->flow->unsettled.next;
        for (; !t->flow->mismatch && at != &t->flow->unsettled; at = at->next) {
            struct gate_write *w = container_of(at, struct gate_write, node);
            w->sent = false;
            w->resent = w->durable && !w->finished && !w->refused;
            if (w->resent) write_send(w);          /* rule 3: re-sending, never a void on a guess */
        }
        flow_serve(g, t);
    }
}

bool flow_all_resent(const struct gate *g)
{
    for (size_t i = 0; i < g->tenant_count; i++) {
        const struct gate_flow *f = g->tenant_list[i]->flow;
        if (!f) continue;
        if (f->mismatch) return false;             /* what it staged may be wanted when the right copy is back */
        for (const struct list *at = f->unsettled.next; at != &f->unsettled; at = at->next) {
            const struct gate_write *w = container_of(at, struct gate_write, node);
            if (w->resent && !w->finished && !w->refused) return false;
        }
    }
    return true;
}

void flow_tick(struct gate *g)
{
    flow_drain(g);
    for (size_t i = 0; i < g->tenant_count; i++) {
        struct gate_tenant *t = g->tenant_list[i];
        struct gate_flow *f = t->flow;
        if (!f) continue;
        for (struct list *at = f->unsettled.next; at != &f->unsettled; at = at->next) {
            struct gate_write *w = container_of(at, struct gate_write, node);
            if (w->refused && !w->void_appended && !void_append(w)) break;
        }
        uint64_t mark = log_mark_durable(t->access);
        if (f->refusals && mark >= f->mark) {      /* rule 2: refusal rows go when the durable mark has passed them */
            keeper_mark(g, log_id(t->access), mark);
            f->refusals = false;
        }
    }
}
