/* SPDX-License-Identifier: Apache-2.0
 * flow: a tenant's writes between leaf and settlement, in leaf order (rules 1 to 5), and what waits for them.
 *
 * Life of a write: flow_write_new() -> step_record() appends leaf and command in one record (flow_write_appended) -> durable ->
 * APPLY, in leaf order -> the keeper's SETTLED: done: holds go, `done(w, true)`; refused: void leaf appended, then holds go, and
 * `done(w, false)` when the void is durable. Only that answer decides: a lost connection means sending again (rule 3).
 *
 * A void goes before everything else of the tenant's: while one is wanted and the log takes no leaf, the tenant is not served.
 * Ownership: a write belongs to the flow from flow_write_appended() on and frees itself after done(). Threads: the loop's.
 */
#ifndef TILLIT_GATE_FLOW_H
#define TILLIT_GATE_FLOW_H

#include "gate/gate.h"
#include "gate/hold.h"
#include "gate/quota.h"

struct gate_write {
    uint32_t magic;
    struct list node;                              /* in flow->unsettled, leaf order */
    struct gate *gate;
    struct gate_tenant *tenant;
    uint64_t index;
    bool durable, refused, void_appended, finished, resent, recovered;
    bool sent;                                     /* to the keeper that is connected now */
    struct buf command;
    uint32_t slot;                                 /* recent.h; of a batch: the first of `slots` */
    uint32_t *slots;                               /* batch: owned; NULL: `slot` alone */
    size_t slot_count;                             /* 0: no key (purge, recovered) */
    struct log_wait wait, void_wait;
    /* Called when the holds may go: done, or the void is appended. May be NULL. */
    void (*unhold)(struct gate_write *w);
    /* Called once: true: done; false: refused and the void is durable. May be NULL. w is freed afterwards. */
    void (*done)(struct gate_write *w, bool applied);
    void *ctx;
    uint64_t grave_due_ms;                         /* what it buries may be purged then; 0: nothing */
};

struct gate_flow {
    struct list unsettled;                         /* struct gate_write */
    struct list lists;                             /* requests waiting by rule 9: gate_request.u.list.waiting */
    uint64_t mark;                                 /* one past the newest write below which all are finished (rule 5) */
    size_t recovering;                             /* recovered writes not yet finished */
    bool checked;                                  /* rule 7's check was made */
    uint64_t watermark;                            /* the keeper's, at its last READY */
    bool backlog;                                  /* a durable write was not sent because the keeper does not keep up: later ones wait behind it */
    bool refusals;                                 /* refusal rows may lie at the keeper: tell it the mark */
    bool mismatch;                                 /* rule 7: keeper and log disagree; not served until a keeper agrees */
    uint32_t in_flight;                            /* requests */
    struct quota quota;
    uint64_t grave_marks[GATE_GRAVE_MARKS_MAX];    /* due times, ascending, coarse */
    size_t grave_mark_count;
};

struct gate_write *flow_write_new(struct gate *g, struct gate_tenant *t);
void flow_write_free(struct gate_write *w);        /* one that was not appended */
/* From step_record() alone, right after logbook_append() gave `index`. */
void flow_write_appended(struct gate_write *w, uint64_t index);
/* The index of the oldest write that is neither done nor voided; UINT64_MAX when there is none (rule 9). */
uint64_t flow_oldest(const struct gate_tenant *t);

/* What a SCAN's answer may say of its snapshot: not older than what the keeper had settled when it was asked (`mark`, flow->mark then):
 * a listing of long ago would agree with replay; and not newer than what was sent to it. */
bool flow_as_of_ok(const struct gate_tenant *t, uint64_t as_of, uint64_t mark);

/* From keeper_link.c. INPUT: it settles what this connection was not sent. */
MUST_USE enum err flow_settled(struct gate *g, const struct wire_settled *m);
/* READY: rule 7's check, then re-sends in leaf order. */
void flow_ready(struct gate *g, const struct wire_ready *m);
/* All that was unsettled at READY is settled: SETTLEDALL may be sent. */
bool flow_all_resent(const struct gate *g);
/* The next purge from then on has something to do: a bucket is gone, and its uploads end. */
void flow_grave_note(struct gate_tenant *t, uint64_t due_ms);
void flow_drain(struct gate *g);                   /* the keeper reads again: what waited is sent, in leaf order */
void flow_tick(struct gate *g);                    /* every GATE_SWEEP_MS: marks for the keeper, voids that could not be appended */

#endif
