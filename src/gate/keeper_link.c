/* SPDX-License-Identifier: Apache-2.0
 * keeper_link: connects to the keeper, asks it, and carries commands to it in order.
 * Role: FIND and SCAN for the operations, APPLY for flow.c. Trusts: the path it connects to (0700 directory).
 * Distrusts: every frame; one that fits nothing costs the keeper its connection.
 * Law: 1, 2. Spec: docs/spec/wire.md, docs/spec/order.md rules 1, 3, 6, 7.
 */
#include "gate/keeper_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate/flow.h"

#define ASKS_FIRST 256

enum keeper_state { KEEPER_DOWN, KEEPER_HELLO, KEEPER_OPENING, KEEPER_READY };

struct gate_keeper {
    struct gate *gate;
    struct wire_conn *conn;                        /* NULL while down */
    enum keeper_state state;
    struct loop_timer retry;
    uint64_t retry_ms;
    struct keeper_ask **asks;                      /* by slot */
    uint32_t asks_cap, free_count;
    uint32_t *free_slots;
    uint64_t next_generation;
    struct list waiting, sent;                     /* keeper_ask.node */
    bool settledall_due;
    char path[512];
};

bool keeper_ready(const struct gate *g) { return g->keeper->state == KEEPER_READY; }

bool keeper_full(const struct gate *g)
{
    const struct gate_keeper *k = g->keeper;
    return k->state == KEEPER_READY && wire_conn_out(k->conn)->n > GATE_APPLY_QUEUED_BYTES;
}

/* asks ------------------------------------------------------------------------------------------------------------- */

static bool asks_grow(struct gate_keeper *k)
{
    uint32_t cap = k->asks_cap ? k->asks_cap * 2 : ASKS_FIRST;
    if (cap > KEEPER_ASKS_MAX) return false;
    struct keeper_ask **asks = realloc(k->asks, cap * sizeof *asks);
    ASSERT(asks);
    k->asks = asks;
    uint32_t *slots = realloc(k->free_slots, cap * sizeof *slots);
    ASSERT(slots);
    k->free_slots = slots;
    for (uint32_t i = cap; i > k->asks_cap; i--) {
        k->asks[i - 1] = NULL;
        k->free_slots[k->free_count++] = i - 1;
    }
    k->asks_cap = cap;
    return true;
}

static void ask_send(struct gate_keeper *k, struct keeper_ask *a)
{
    if (a->sending) a->sending(a);
    struct buf *out = wire_conn_out(k->conn);
    enum err e = a->is_scan ? wire_put_scan(out, a->wire_id, &a->scan) : wire_put_find(out, a->wire_id, &a->find);
    ASSERT(e == ERR_OK);                           /* bounds were checked where the request was parsed */
    a->sent = true;
    list_add_tail(&k->sent, &a->node);
    wire_conn_kick(k->conn);
}

static void ask_begin(struct gate *g, struct keeper_ask *a)
{
    struct gate_keeper *k = g->keeper;
    ASSERT(a->wire_id == 0);
    if (k->free_count == 0 && !asks_grow(k)) {
        /* Cannot be: REQUESTS_MAX and the batches' keys are fewer. */
        panic_at(__FILE__, __LINE__, __func__, "asks");
    }
    a->slot = k->free_slots[--k->free_count];
    k->asks[a->slot] = a;
    a->wire_id = ++k->next_generation << 32 | a->slot;
    a->since_ms = loop_now_ms(g->loop);
    a->sent = false;
    if (k->state == KEEPER_READY) ask_send(k, a);
    else list_add_tail(&k->waiting, &a->node);
}

void keeper_find(struct gate *g, struct keeper_ask *a)
{
    a->is_scan = false;
    ask_begin(g, a);
}

void keeper_scan(struct gate *g, struct keeper_ask *a)
{
    a->is_scan = true;
    ask_begin(g, a);
}

void keeper_forget(struct gate *g, struct keeper_ask *a)
{
    struct gate_keeper *k = g->keeper;
    if (!a->wire_id) return;
    ASSERT(k->asks[a->slot] == a);
    k->asks[a->slot] = NULL;
    k->free_slots[k->free_count++] = a->slot;
    a->wire_id = 0;
    list_del(&a->node);
}

static struct keeper_ask *ask_of(struct gate_keeper *k, uint64_t id)
{
    uint32_t slot = (uint32_t)id;
    if (slot >= k->asks_cap || !k->asks[slot] || k->asks[slot]->wire_id != id) return NULL;   /* forgotten since */
    return k->asks[slot];
}

void keeper_sweep(struct gate *g)
{
    struct gate_keeper *k = g->keeper;
    uint64_t now = loop_now_ms(g->loop);
    while (!list_empty(&k->waiting)) {
        struct keeper_ask *a = container_of(k->waiting.next, struct keeper_ask, node);
        if (now - a->since_ms < PARK_MS) break;    /* the list is in the order of since_ms */
        keeper_forget(g, a);
        if (a->is_scan) a->rows(a, NULL);
        else a->found(a, NULL);
    }
}

/* frames ------------------------------------------------------------------------------------------------------------ */

/* Rule 11: once after each READY, when all that was sent again is settled. */
static void settledall(struct gate *g)
{
    struct gate_keeper *k = g->keeper;
    if (k->state != KEEPER_READY || !k->settledall_due || !flow_all_resent(g)) return;
    struct wire_settledall m = {0};
    enum err e = wire_put_settledall(wire_conn_out(k->conn), 0, &m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(k->conn);
    k->settledall_due = false;
}

static enum err keeper_on_ready(struct gate_keeper *k, struct slice payload)
{
    struct wire_ready m;
    TRY(wire_get_ready(payload, &m));
    if (k->state != KEEPER_OPENING) return ERR_INPUT;
    if (m.outcome != WIRE_READY_OK) {
        /* A person reads it, so its words go to the log; but no line may be forged with them. */
        char text[513];
        size_t n = 0;
        for (; n < m.message.n && n < sizeof text - 1; n++) text[n] = m.message.p[n] >= 0x20 && m.message.p[n] < 0x7f && m.message.p[n] != '"' ? (char)m.message.p[n] : '?';
        text[n] = 0;
        log_line(LOG_ERROR, "keeper-not-ready", "outcome=%u message=\"%s\"", m.outcome, text);
        k->retry_ms = KEEPER_RETRY_SLOW_MS;
        return ERR_BUSY;
    }
    k->state = KEEPER_READY;
    k->retry_ms = KEEPER_RETRY_MS;
    k->settledall_due = true;
    log_line(LOG_INFO, "keeper-ready", "apply_number=%llu", (unsigned long long)m.apply_number);
    quota_ready(k->gate);                          /* before anybody is served */
    flow_ready(k->gate, &m);                       /* rules 3, 7: before any ask of now */
    while (!list_empty(&k->waiting)) {
        struct keeper_ask *a = container_of(k->waiting.next, struct keeper_ask, node);
        list_del(&a->node);
        ask_send(k, a);
    }
    settledall(k->gate);
    return ERR_OK;
}

static enum err keeper_on_found(struct gate_keeper *k, uint64_t id, struct slice payload)
{
    struct wire_found m;
    TRY(wire_get_found(payload, &m));
    struct keeper_ask *a = ask_of(k, id);
    if (!a) return ERR_OK;
    if (a->is_scan) return ERR_INPUT;
    keeper_forget(k->gate, a);
    a->found(a, &m);
    return ERR_OK;
}

static enum err keeper_on_rows(struct gate_keeper *k, uint64_t id, struct slice payload)
{
    struct wire_rows m;
    TRY(wire_get_rows(payload, &m));
    struct keeper_ask *a = ask_of(k, id);
    if (!a) return ERR_OK;
    if (!a->is_scan) return ERR_INPUT;
    if (m.last) keeper_forget(k->gate, a);
    a->rows(a, &m);
    return ERR_OK;
}

static enum err keeper_frame(struct wire_conn *c, uint8_t type, uint64_t id, struct slice payload)
{
    struct gate_keeper *k = wire_conn_ctx(c);
    switch (type) {
    case WIRE_HELLO: {
        if (k->state != KEEPER_HELLO) return ERR_INPUT;
        struct wire_openindex m;
        tenants_index_key(k->gate, m.index_key);
        enum err e = wire_put_openindex(wire_conn_out(c), 0, &m);
        wipe(&m, sizeof m);
        TRY(e);
        wire_conn_kick(c);
        k->state = KEEPER_OPENING;
        return ERR_OK;
    }
    case WIRE_READY: return keeper_on_ready(k, payload);
    case WIRE_USAGE: {
        struct wire_usage m;
        if (k->state != KEEPER_OPENING) return ERR_INPUT;
        TRY(wire_get_usage(payload, &m));
        return quota_usage(k->gate, &m);
    }
    case WIRE_SPACE: {
        struct wire_space m;
        TRY(wire_get_space(payload, &m));
        if (k->gate->writable != (m.writable != 0)) log_line(LOG_WARN, "space", "writable=%u free=%llu", m.writable, (unsigned long long)m.free_bytes);
        k->gate->writable = m.writable != 0;
        return ERR_OK;
    }
    default: break;
    }
    if (k->state != KEEPER_READY) return ERR_INPUT;
    if (type == WIRE_FOUND) return keeper_on_found(k, id, payload);
    if (type == WIRE_ROWS) return keeper_on_rows(k, id, payload);
    if (type != WIRE_SETTLED) return ERR_INPUT;
    struct wire_settled m;
    TRY(wire_get_settled(payload, &m));
    if (m.outcome != WIRE_SETTLED_DONE && m.outcome != WIRE_SETTLED_REFUSED) return ERR_INPUT;
    TRY(flow_settled(k->gate, &m));
    settledall(k->gate);
    return ERR_OK;
}

/* the connection ------------------------------------------------------------------------------------------------------ */

static void keeper_closed(struct wire_conn *c, enum err why)
{
    struct gate_keeper *k = wire_conn_ctx(c);
    if (k->conn != c) return;
    log_line(LOG_WARN, "keeper-lost", "why=%s", err_name(why));
    k->conn = NULL;
    k->state = KEEPER_DOWN;
    uint64_t now = loop_now_ms(k->gate->loop);
    while (!list_empty(&k->sent)) {                /* LAW-1, rule 3: lost answers are asked again, nothing is concluded from them */
        struct keeper_ask *a = container_of(k->sent.next, struct keeper_ask, node);
        list_del(&a->node);
        a->sent = false;
        a->since_ms = now;
        list_add_tail(&k->waiting, &a->node);
    }
    loop_timer_set(k->gate->loop, &k->retry, k->retry_ms);
}

static void keeper_drained(struct wire_conn *c)
{
    const struct gate_keeper *k = wire_conn_ctx(c);
    if (k->conn == c) flow_drain(k->gate);
}

static const struct wire_handler keeper_handler = {.frame = keeper_frame, .closed = keeper_closed, .drained = keeper_drained};

static void keeper_connect(struct loop_timer *t)
{
    struct gate_keeper *k = t->ctx;
    int fd;
    ASSERT(!k->conn);
    if (wire_connect(k->path, &fd) != ERR_OK) {
        loop_timer_set(k->gate->loop, &k->retry, k->retry_ms);
        return;
    }
    struct wire_hello hello = {.role = WIRE_ROLE_GATE, .version = WIRE_VERSION};
    rng_fill(k->gate->rng, hello.boot, sizeof hello.boot);
    k->state = KEEPER_HELLO;
    k->conn = wire_conn_new(k->gate->loop, fd, WIRE_ROLE_GATE, WIRE_ROLE_KEEPER, &hello, &keeper_handler, k);
}

struct gate_keeper *keeper_new(struct gate *g)
{
    struct gate_keeper *k = calloc(1, sizeof *k);
    ASSERT(k);
    k->gate = g;
    list_init(&k->waiting);
    list_init(&k->sent);
    k->retry.fire = keeper_connect;
    k->retry.ctx = k;
    k->retry_ms = KEEPER_RETRY_MS;
    snprintf(k->path, sizeof k->path, "%s/run/keeper/gate", g->dir);
    loop_timer_set(g->loop, &k->retry, 0);
    return k;
}

/* LAW-1, the pair of step_record.c's: whatever goes to the keeper stands durably on the log. flow.c calls in leaf order. */
void keeper_apply(struct gate *g, const uint8_t log[ID_BYTES], uint64_t index, struct slice command)
{
    struct gate_keeper *k = g->keeper;
    if (k->state != KEEPER_READY) return;
    struct wire_apply m = {.index = index};
    memcpy(m.log, log, ID_BYTES);
    ASSERT(command.n > 0 && command.n <= COMMAND_BYTES_MAX);
    while (!m.last) {                              /* its pieces stand right behind each other */
        m.command = slice_of(command.p, MIN(command.n, (size_t)WIRE_DATA_BYTES_MAX));
        command = slice_of(command.p + m.command.n, command.n - m.command.n);
        m.last = command.n == 0;
        enum err e = wire_put_apply(wire_conn_out(k->conn), 0, &m);
        ASSERT(e == ERR_OK);
    }
    wire_conn_kick(k->conn);
}

void keeper_mark(struct gate *g, const uint8_t log[ID_BYTES], uint64_t mark)
{
    struct gate_keeper *k = g->keeper;
    if (k->state != KEEPER_READY) return;
    struct wire_mark m = {.mark = mark};
    memcpy(m.log, log, ID_BYTES);
    enum err e = wire_put_mark(wire_conn_out(k->conn), 0, &m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(k->conn);
}

void keeper_grant(struct gate *g, const uint8_t blob[ID_BYTES], uint64_t front_id, uint64_t cipher_max)
{
    struct gate_keeper *k = g->keeper;
    if (k->state != KEEPER_READY) return;
    struct wire_grant m = {.front_id = front_id, .cipher_max = cipher_max, .expiry_ms = TICKET_MS};
    memcpy(m.blob, blob, ID_BYTES);
    enum err e = wire_put_grant(wire_conn_out(k->conn), 0, &m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(k->conn);
}

void keeper_flush(struct gate *g)
{
    if (g->keeper->state == KEEPER_READY) wire_conn_flush(g->keeper->conn);
}
