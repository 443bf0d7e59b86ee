/* SPDX-License-Identifier: Apache-2.0
 * Workers, slots, peers: which frame belongs to which request, and what becomes of requests when a peer goes away.
 * Role: the entry functions of flow.h that are not about one family of requests.
 * Trusts: the gate's frames once they parse. Distrusts: the order in which anything arrives.
 * Law: 1 (a flow moves on only by the gate's frame for its id: LAW-1). Spec: docs/spec/wire.md.
 */
#include "flow/flow_in.h"

#include <stdlib.h>
#include <unistd.h>

#define SLOT_NONE UINT32_MAX

enum err flow_worker_init(struct flow_worker *w, const struct flow_host *host, const struct rng *rng)
{
    w->host = host;
    w->rng = *rng;
    if (!w->role) w->role = WIRE_ROLE_FRONT;
    w->gate.role = WIRE_ROLE_GATE;
    w->keeper.role = WIRE_ROLE_KEEPER;
    flow_queue_init(&w->gate.out);
    flow_queue_init(&w->keeper.out);
    list_init(&w->parked);
    buf_init(&w->mem, 2 * S3_TARGET_BYTES_MAX + 2 * S3_CANONICAL_BYTES_MAX);
    buf_init(&w->canonical, S3_CANONICAL_BYTES_MAX);
    buf_init(&w->unsigned_headers, S3_CANONICAL_BYTES_MAX);
    w->slots = calloc(FLOW_SLOTS_MAX, sizeof *w->slots);
    w->fair = flow_fair_new();
    if (!w->slots || !w->fair) return ERR_NOMEM;
    w->slot_count = FLOW_SLOTS_MAX;
    uint32_t first;
    rng_fill(rng, &first, sizeof first);
    for (uint32_t i = 0; i < w->slot_count; i++) {
        w->slots[i].generation = first & 0x3fffffffu;
        w->slots[i].next_free = i + 1 < w->slot_count ? i + 1 : SLOT_NONE;
    }
    w->slot_free = 0;
    return frame_ctx_init(&w->frames);
}

void flow_worker_done(struct flow_worker *w)
{
    flow_queue_clear(w, &w->gate.out);
    flow_queue_clear(w, &w->keeper.out);
    buf_done(&w->gate.out.small);
    buf_done(&w->keeper.out.small);
    buf_done(&w->mem);
    buf_done(&w->canonical);
    buf_done(&w->unsigned_headers);
    flow_puts_done(w);
    free(w->slots);
    w->slots = NULL;
    flow_fair_free(w->fair);
    w->fair = NULL;
    frame_ctx_done(&w->frames);
}

static bool slot_take(struct flow *f)
{
    struct flow_worker *w = f->w;
    if (w->slot_free == SLOT_NONE) return false;
    uint32_t i = w->slot_free;
    struct flow_slot *s = &w->slots[i];
    w->slot_free = s->next_free;
    s->flow = f;
    s->generation = (s->generation + 1) & 0x7fffffffu;
    if (s->generation == 0) s->generation = 1;
    f->id = (uint64_t)s->generation << 32 | i;
    w->active++;
    return true;
}

static void slot_give(struct flow *f)
{
    struct flow_worker *w = f->w;
    if (f->id == 0) return;
    uint32_t i = (uint32_t)f->id & ((1u << FLOW_ID_INDEX_BITS) - 1);
    ASSERT(w->slots[i].flow == f && w->active > 0);
    w->slots[i].flow = NULL;
    w->slots[i].next_free = w->slot_free;
    w->slot_free = i;
    w->active--;
    f->id = 0;
}

static struct flow *slot_find(struct flow_worker *w, uint64_t id, unsigned *unit)
{
    uint32_t i = (uint32_t)id & ((1u << FLOW_ID_INDEX_BITS) - 1);
    *unit = (unsigned)((id & FLOW_ID_UNIT_MASK) >> FLOW_ID_UNIT_SHIFT);
    if (i >= w->slot_count || !w->slots[i].flow || w->slots[i].generation != id >> 32) return NULL;
    return w->slots[i].flow;
}

/* The end of an entry that was about f, which the host may free here. */
static void over(struct flow *f)
{
    flow_fair_look(f);
    f->w->host->after(f);
}

uint64_t flow_read_id(const struct flow *f, unsigned unit) { return f->id | (uint64_t)unit << FLOW_ID_UNIT_SHIFT; }

void flow_start(struct flow *f, struct flow_worker *w)
{
    f->magic = FLOW_MAGIC;
    f->w = w;
    f->step = FLOW_NEW;
    list_init(&f->node);
    list_init(&f->fair_node);
    if (!slot_take(f)) flow_fail(f, S3E_SlowDown, NULL);
    else flow_ask(f, false);
    over(f);
    flow_fair_serve(w);
}

void flow_park(struct flow *f)
{
    f->step = FLOW_PARKED;
    f->gate_open = false;
    if (f->parked_ms == 0) {
        f->parked_ms = f->w->now_ms;
        if (f->w->metrics) f->w->metrics->parked++;
    }
    list_del(&f->node);
    list_add_tail(&f->w->parked, &f->node);
}

bool flow_class_is_log(const struct flow *f) { return f->class == FLOW_CLASS_LOG; }

void flow_end(struct flow *f)
{
    if (f->magic != FLOW_MAGIC || f->step == FLOW_DONE) return;
    struct flow_metrics *m = f->w->metrics;
    if (f->put && f->step != FLOW_COMMITTED) flow_put_drop(f);   /* a commit is finished without us */
    flow_abort_gate(f, "");
    if (m) m->requests[f->class][f->head_sent && f->status < 600 ? f->status / 100 : 0]++;
    flow_get_end(f);
    flow_put_end(f);
    flow_form_end(f);
    flow_control_end(f);
    flow_list_end(f);
    flow_log_end(f);
    flow_fair_leave(f);                            /* who waits goes with the next entry, or tick */
    list_del(&f->node);
    slot_give(f);
    f->step = FLOW_DONE;
}

/* The gate says KILL, or is gone in the middle of a metered answer: nothing more leaves. */
static void reset_now(struct flow *f)
{
    if (f->killed) return;
    f->killed = true;
    f->gate_open = false;
    f->status = 0;                                 /* counted as cut */
    list_del(&f->node);                            /* parked no more */
    f->step = FLOW_SENDING;
    f->w->host->reset(f);
}

/* frames -------------------------------------------------------------------------------------------------------------------- */

/* A frame that its row allows but this request's step does not: the gate and we disagree about where the request stands. */
static enum err out_of_order(void) { return ERR_INPUT; }

static enum err gate_frame(struct flow *f, uint8_t type, struct slice payload)
{
    union {
        struct wire_answer answer;
        struct wire_ticket ticket;
        struct wire_listing listing;
        struct wire_wantbody wantbody;
        struct wire_logfile logfile;
    } m;
    if (f->killed) return ERR_OK;                  /* it crossed our KILLED */
    switch (type) {
    case WIRE_ANSWER:
        if (f->metered && !f->gate_open) return ERR_OK;      /* to the last NEXT, when the gate has let go of it meanwhile */
        if (!f->gate_open) return out_of_order();
        TRY(wire_get_answer(payload, &m.answer));
        flow_fair_answered(f, &m.answer);
        flow_on_answer(f, &m.answer);
        return ERR_OK;
    case WIRE_RELEASE:
        if (flow_get_waits_gate(f)) flow_on_more(f, payload);
        else if (f->step == FLOW_ASKED || (f->step == FLOW_COPY && !f->get)) flow_on_release(f, payload);
        else return out_of_order();
        return ERR_OK;
    case WIRE_TICKET:
        if (f->step != FLOW_ASKED || f->port != FLOW_PORT_S3 || (f->form && !f->form->reader)) return out_of_order();
        TRY(wire_get_ticket(payload, &m.ticket));
        flow_on_ticket(f, &m.ticket);
        wipe(m.ticket.key, sizeof m.ticket.key);
        return ERR_OK;
    case WIRE_LISTING:
        if (f->step != FLOW_ASKED && f->step != FLOW_LIST) return out_of_order();
        TRY(wire_get_listing(payload, &m.listing));
        flow_on_listing(f, &m.listing);
        return ERR_OK;
    case WIRE_WANTBODY:
        if (f->step != FLOW_ASKED) return out_of_order();
        TRY(wire_get_wantbody(payload, &m.wantbody));
        flow_on_wantbody(f, &m.wantbody);
        return ERR_OK;
    case WIRE_LOGFILE:
        if (f->step != FLOW_ASKED || !flow_class_is_log(f)) return out_of_order();
        TRY(wire_get_logfile(payload, &m.logfile));
        flow_on_logfile(f, &m.logfile);
        return ERR_OK;
    default:
        return out_of_order();
    }
}

static enum err keeper_frame(struct flow *f, unsigned unit, uint8_t type, struct slice payload)
{
    union {
        struct wire_credit credit;
        struct wire_sealed sealed;
        struct wire_data data;
    } m;
    switch (type) {
    case WIRE_CREDIT:
        TRY(wire_get_credit(payload, &m.credit));
        flow_on_credit(f, &m.credit);
        return ERR_OK;
    case WIRE_SEALED:
        TRY(wire_get_sealed(payload, &m.sealed));
        flow_on_sealed(f, &m.sealed);
        return ERR_OK;
    case WIRE_DATA:
        TRY(wire_get_data(payload, &m.data));
        flow_on_data(f, unit, &m.data);
        return ERR_OK;
    default:
        return out_of_order();
    }
}

/* All that waits for peers goes on: parked requests are asked, reads are sent again. */
static void peers_up(struct flow_worker *w)
{
    struct list local;
    list_init(&local);
    while (!list_empty(&w->parked)) {
        struct list *n = w->parked.next;
        list_del(n);
        list_add_tail(&local, n);
    }
    while (!list_empty(&local)) {
        struct flow *f = container_of(local.next, struct flow, node);
        list_del(&f->node);
        if (f->step == FLOW_PARKED) flow_ask(f, f->asked_before);
        else if (f->step == FLOW_READ && w->keeper.up) flow_get_again(f);
        else if (f->step == FLOW_READ) list_add_tail(&w->parked, &f->node);
        over(f);
    }
}

void flow_peer_connected(struct flow_worker *w, struct flow_peer *p, const uint8_t boot[ID_BYTES])
{
    struct wire_hello m = {.role = w->role, .version = WIRE_VERSION};
    memcpy(m.boot, boot, ID_BYTES);
    p->up = false;
    enum err e = wire_put_hello(flow_out(&p->out), 0, &m);
    ASSERT(e == ERR_OK);
    w->host->kick(w);
}

static enum err on_hello(struct flow_worker *w, struct flow_peer *p, struct slice payload)
{
    struct wire_hello m;
    TRY(wire_get_hello(payload, &m));
    if (p->up || m.role != p->role) return ERR_INPUT;
    if (m.version != WIRE_VERSION) return ERR_VERSION;
    memcpy(p->boot, m.boot, ID_BYTES);
    p->up = true;
    if (p == &w->keeper) w->front_id = m.front_id;
    peers_up(w);
    return ERR_OK;
}

/* Each KILL has its KILLED, also for a request that has ended: then its connection has nothing of it to give any more. */
static enum err on_kill(struct flow_worker *w, struct flow *f, uint64_t id, struct slice payload)
{
    struct wire_kill m;
    struct wire_killed done = {0};
    TRY(wire_get_kill(payload, &m));
    if (f) reset_now(f);
    TRY(wire_put_killed(flow_out(&w->gate.out), id, &done));
    w->host->kick(w);
    if (f) over(f);
    return ERR_OK;
}

static enum err peer_bytes(struct flow_worker *w, struct flow_peer *p, struct slice in, size_t *taken)
{
    for (;;) {
        uint8_t type;
        uint64_t id;
        struct slice payload;
        size_t frame_n;
        enum err e = wire_split(slice_of(in.p + *taken, in.n - *taken), &type, &id, &payload, &frame_n);
        if (e == ERR_TRUNCATED) return ERR_OK;
        TRY(e);
        *taken += frame_n;
        if (!wire_allowed(type, p->role, w->role)) return ERR_INPUT;
        if (type == WIRE_HELLO) {
            TRY(on_hello(w, p, payload));
            continue;
        }
        if (!p->up) return ERR_INPUT;
        unsigned unit;
        struct flow *f = slot_find(w, id, &unit);
        if (type == WIRE_KILL) {
            TRY(on_kill(w, f, id, payload));
            continue;
        }
        if (!f) continue;                          /* its request is gone: a late answer */
        if (p == &w->gate && type != WIRE_ANSWER) flow_fair_proven(f);       /* whatever else it says, it says to whom it knows */
        e = p == &w->gate ? gate_frame(f, type, payload) : keeper_frame(f, unit, type, payload);
        over(f);
        TRY(e);
    }
}

enum err flow_peer_bytes(struct flow_worker *w, struct flow_peer *p, struct slice in, size_t *taken)
{
    *taken = 0;
    enum err e = peer_bytes(w, p, in, taken);
    flow_fair_serve(w);
    return e;
}

static void gate_lost(struct flow *f)
{
    /* Nobody could revoke it any more. */
    if (f->metered && f->gate_open) reset_now(f);
    f->gate_open = false;
    switch (f->step) {
    case FLOW_ASKED:
        /* It may have been done and be durable: done once more it would make a second version, marker, upload or access key. */
        if (f->whole_change) {
            flow_fail(f, S3E_ServiceUnavailable, NULL);
            return;
        }
        flow_park(f);
        return;
    case FLOW_LIST:
        flow_list_end(f);
        flow_park(f);
        return;
    case FLOW_BODY:
    case FLOW_CONTROL:
        if (f->put) flow_put_drop(f);
        flow_put_end(f);
        /* A ticket of before is unknown to the new gate. Nothing of the body was read yet: ask for another one. */
        if (!f->body_began) flow_park(f);
        else flow_fail(f, S3E_SlowDown, NULL);
        return;
    case FLOW_COPY:
    case FLOW_SEALING:
        flow_put_drop(f);
        flow_put_end(f);
        flow_fail(f, S3E_SlowDown, NULL);
        return;
    case FLOW_READ:
        /* Rows it had not given yet are gone with it. */
        if (flow_get_needs_gate(f)) flow_fail(f, S3E_ServiceUnavailable, NULL);
        return;
    case FLOW_COMMITTED:
        /* Whether the record became durable is not known here: the client must look or try again. */
        flow_fail(f, S3E_ServiceUnavailable, NULL);
        return;
    case FLOW_RAW:
        flow_fail(f, S3E_ServiceUnavailable, NULL);
        return;
    default:
        return;
    }
}

static void keeper_lost(struct flow *f)
{
    switch (f->step) {
    case FLOW_BODY:
    case FLOW_COPY:
    case FLOW_SEALING:
        flow_put_end(f);
        flow_abort_gate(f, s3_error_code(S3E_SlowDown));
        flow_fail(f, S3E_SlowDown, NULL);
        return;
    case FLOW_READ:
        if (!flow_get_waits_keeper(f)) return;
        f->parked_ms = f->w->now_ms;
        list_del(&f->node);
        list_add_tail(&f->w->parked, &f->node);
        return;
    default:
        return;
    }
}

void flow_peer_lost(struct flow_worker *w, struct flow_peer *p)
{
    p->up = false;
    flow_queue_clear(w, &p->out);
    for (uint32_t i = 0; i < w->slot_count && w->active; i++) {
        struct flow *f = w->slots[i].flow;
        if (!f) continue;
        if (p == &w->gate) gate_lost(f);
        else keeper_lost(f);
        over(f);
    }
    flow_fair_serve(w);
}

void flow_tick(struct flow_worker *w)
{
    for (struct list *n = w->parked.next, *next; n != &w->parked; n = next) {
        next = n->next;
        struct flow *f = container_of(n, struct flow, node);
        if (w->now_ms - f->parked_ms < PARK_MS) continue;
        list_del(&f->node);
        flow_fail(f, S3E_ServiceUnavailable, NULL);
        over(f);
        next = w->parked.next;                     /* after() may have ended others: begin again */
    }
    flow_fair_tick(w);
}

/* events of the client's side ---------------------------------------------------------------------------------------------------- */

size_t flow_body(struct flow *f, struct slice in, bool end)
{
    size_t n = in.n;                               /* a request that is over takes what comes and drops it */
    if (in.n) f->body_began = true;
    if (f->step == FLOW_FORM) n = flow_form_body(f, in, end);
    else if (flow_form_holds(f)) n = 0;
    else if (f->step == FLOW_BODY) n = flow_put_body(f, in, end);
    else if (f->step == FLOW_CONTROL) n = flow_control_body(f, in, end);
    if (end && n == in.n) f->body_ended = true;
    if (f->w->metrics) f->w->metrics->bytes_in += n;
    struct flow_worker *w = f->w;
    over(f);
    flow_fair_serve(w);
    return n;
}

void flow_body_failed(struct flow *f, enum s3_error e)
{
    if (f->step == FLOW_BODY || f->step == FLOW_CONTROL || f->step == FLOW_FORM) {
        if (f->put) flow_put_drop(f);
        flow_abort_gate(f, s3_error_code(e));
        flow_fail(f, e, NULL);
    }
    struct flow_worker *w = f->w;
    over(f);
    flow_fair_serve(w);
}

void flow_can_write(struct flow *f)
{
    f->writing = false;
    if (f->step == FLOW_READ) flow_get_can_write(f);
    else if (f->step == FLOW_LOG) flow_log_can_write(f);
    struct flow_worker *w = f->w;
    over(f);
    flow_fair_serve(w);
}

void flow_file_done(struct flow *f, int64_t n)
{
    if (f->step == FLOW_READ || f->step == FLOW_COPY) flow_get_file_done(f, n);
    else if (f->step == FLOW_LOG) flow_log_file_done(f, n);
    struct flow_worker *w = f->w;
    over(f);
    flow_fair_serve(w);
}
