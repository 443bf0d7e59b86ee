/* SPDX-License-Identifier: Apache-2.0
 * summary: bounded counters of unproven callers, and the leaves made of them.
 * Role: what step_verify.c does with a caller it could not prove. Trusts: nothing of the request but its count.
 * Law: 1, 5. Spec: docs/spec/record.md section 3 (`sum`).
 */
#include "gate/summary.h"

#include <stdlib.h>

#include "record/record.h"

#define SUMMARY_REASONS 8                          /* a log's different reasons; more are counted under the last */

struct summary_row {
    enum s3_error why;
    uint64_t n;
    uint8_t id[ID_BYTES];                          /* of the first one */
};
struct summary {
    struct list node;                              /* in `due` while something is counted */
    struct gate_tenant *tenant;                    /* NULL: provider */
    uint64_t last_ms;                              /* monotonic time of the last leaf + 1; 0: none yet */
    struct summary_row rows[SUMMARY_REASONS];
    size_t row_count;
};
struct summaries {
    struct gate *gate;
    struct map *by_tenant;
    struct summary provider;
    struct list due;
    struct loop_timer timer;
};

static void summary_pass(struct summaries *s);

static void summary_timer(struct loop_timer *t) { summary_pass(t->ctx); }

struct summaries *summaries_new(struct gate *g)
{
    struct summaries *s = calloc(1, sizeof *s);
    ASSERT(s);
    s->gate = g;
    s->by_tenant = map_new(TENANTS_MAX);
    s->timer.fire = summary_timer;
    s->timer.ctx = s;
    list_init(&s->due);
    list_init(&s->provider.node);
    return s;
}

/* Appends the leaf of one reason, the one with the greatest count. False: not now. */
static bool summary_append(struct summaries *s, struct summary *x)
{
    struct gate *g = s->gate;
    struct gate_log *l = x->tenant ? x->tenant->access : g->provider;
    uint64_t t;
    if (x->tenant && !x->tenant->served) return false;       /* rule 4: recovery's voids come first */
    if (!logbook_ready(g->logbook, false) || log_time(l, loop_wall_ms(g->loop), &t) != ERR_OK) return false;
    struct summary_row *most = &x->rows[0];
    for (size_t i = 1; i < x->row_count; i++)
        if (x->rows[i].n > most->n) most = &x->rows[i];
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX);
    struct record_writer w;
    record_begin(&w, RECORD_K_SUM, &leaf, NULL);
    record_put_id(&w, RECORD_F_ID, most->id);
    record_put_int(&w, RECORD_F_N, most->n);
    record_put_int(&w, RECORD_F_T, t);
    record_put_text(&w, RECORD_F_WHY, slice_str(s3_error_code(most->why)));
    enum err e = record_end(&w);
    ASSERT(e == ERR_OK);
    struct log_append a = {.leaf = buf_slice(&leaf), .void_ref = UINT64_MAX};
    logbook_append(g->logbook, l, &a, NULL);
    *most = x->rows[--x->row_count];
    x->last_ms = loop_now_ms(g->loop) + 1;
    return true;
}

static void summary_pass(struct summaries *s)
{
    uint64_t now = loop_now_ms(s->gate->loop);
    struct list *at = s->due.next;
    while (at != &s->due) {
        struct summary *x = container_of(at, struct summary, node);
        at = at->next;
        if (x->last_ms && now < x->last_ms - 1 + GATE_SUMMARY_GAP_MS && !BREAK("summary-each")) continue;
        if (summary_append(s, x) && x->row_count == 0) list_del(&x->node);
    }
    if (!list_empty(&s->due)) loop_timer_set(s->gate->loop, &s->timer, 1000);
}

static struct summary *summary_of(struct summaries *s, struct gate_tenant *t)
{
    if (!t) return &s->provider;
    struct slice id = slice_of(t->id, ID_BYTES);
    struct summary *x = map_get(s->by_tenant, id);
    if (x) return x;
    x = calloc(1, sizeof *x);
    ASSERT(x);
    x->tenant = t;
    list_init(&x->node);
    enum err e = map_put(s->by_tenant, id, x);
    ASSERT(e == ERR_OK);
    return x;
}

void summary_count(struct gate *g, struct gate_tenant *t, enum s3_error why, const uint8_t id[ID_BYTES])
{
    struct summaries *s = g->summaries;
    struct summary *x = summary_of(s, t);
    size_t i = 0;
    while (i < x->row_count && x->rows[i].why != why) i++;
    if (i == SUMMARY_REASONS) i--;
    if (i == x->row_count) {
        x->rows[i].why = why;
        x->rows[i].n = 0;
        memcpy(x->rows[i].id, id, ID_BYTES);
        x->row_count++;
    }
    x->rows[i].n++;
    if (list_empty(&x->node)) list_add_tail(&s->due, &x->node);
    summary_pass(s);                               /* the first one after a quiet time is on record at once */
}
