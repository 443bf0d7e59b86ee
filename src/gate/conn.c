/* SPDX-License-Identifier: Apache-2.0
 * conn: frames of fronts and of the steward in, answers out.
 * Role: the gate's only door to what carries requests. Trusts: the path a peer connected by (0700, SO_PEERCRED).
 * Distrusts: every frame. Law: 1, 2. Spec: docs/spec/wire.md.
 */
#include "gate/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate/say.h"
#include "gate/summary.h"

#define CONN_MAGIC 0x434f4e4eu

struct ticket_out {
    struct gate_conn *conn;
    uint64_t wire_id;
    struct wire_ticket m;
};

/* One per process. */
static struct conns {
    struct gate *gate;
    struct wire_listener *front, *access, *steward;
    struct gate_conn *all[GATE_FRONTS_MAX];
    uint64_t next_number;
    uint8_t boot[ID_BYTES];
    bool booted;
    struct loop_after tickets_after;
    struct ticket_out *tickets;
    size_t ticket_count, ticket_cap;
} conns;

/* out -------------------------------------------------------------------------------------------------------------------- */

static void conn_done(struct gate_conn *c, enum err e)
{
    if (e != ERR_OK) {
        /* Our own answer does not fit its message: the peer must not wait for it. */
        log_line(LOG_ERROR, "answer-too-large", "err=%s", err_name(e));
        wire_conn_close(c->wire);
        return;
    }
    wire_conn_kick(c->wire);
    if (wire_conn_full(c->wire)) wire_conn_pause(c->wire, true);
}

void conn_put_answer(struct gate_conn *c, uint64_t wire_id, const struct wire_answer *m)
{
    conn_done(c, wire_put_answer(wire_conn_out(c->wire), wire_id, m));
}

void conn_put_wantbody(struct gate_conn *c, uint64_t wire_id, const uint8_t request[ID_BYTES], uint32_t size_max)
{
    struct wire_wantbody m = {.size_max = size_max};
    memcpy(m.request, request, ID_BYTES);
    conn_done(c, wire_put_wantbody(wire_conn_out(c->wire), wire_id, &m));
}

void conn_put_listing(struct gate_conn *c, uint64_t wire_id, const struct wire_listing *m)
{
    conn_done(c, wire_put_listing(wire_conn_out(c->wire), wire_id, m));
}

void conn_put_release(struct gate_conn *c, uint64_t wire_id, const struct wire_release *m, const struct recorded *rec)
{
    ASSERT(recorded_durable(rec) || BREAK("release-before-durable"));   /* LAW-1: no key leaves before its record is durable */
    ASSERT(c->role != WIRE_ROLE_ACCESS || m->metered || !m->rows.n || BREAK("own-on-access"));    /* LAW-1: and under a grant a segment at a time; pair: release_metered_put() */
    conn_done(c, wire_put_release(wire_conn_out(c->wire), wire_id, m));
}

void conn_put_kill(struct gate_conn *c, uint64_t wire_id)
{
    const struct wire_kill m = {0};
    conn_done(c, wire_put_kill(wire_conn_out(c->wire), wire_id, &m));
    wire_conn_flush(c->wire);                      /* now: every millisecond counts */
}

static void tickets_leave(struct loop_after *a)
{
    (void)a;
    keeper_flush(conns.gate);                      /* the keeper knows the blob before the front can stage it */
    for (size_t i = 0; i < conns.ticket_count; i++) {
        struct ticket_out *t = &conns.tickets[i];
        if (t->conn) conn_done(t->conn, wire_put_ticket(wire_conn_out(t->conn->wire), t->wire_id, &t->m));
        wipe(&t->m, sizeof t->m);
    }
    conns.ticket_count = 0;
}

void conn_tickets_leave(void) { tickets_leave(&conns.tickets_after); }

void conn_put_ticket(struct gate_conn *c, uint64_t wire_id, const struct wire_ticket *m)
{
    if (conns.ticket_count == conns.ticket_cap) {
        size_t cap = conns.ticket_cap ? conns.ticket_cap * 2 : 64;
        struct ticket_out *n = calloc(cap, sizeof *n);
        ASSERT(n);
        if (conns.ticket_count) memcpy(n, conns.tickets, conns.ticket_count * sizeof *n);
        if (conns.tickets) wipe(conns.tickets, conns.ticket_cap * sizeof *n);   /* they hold keys: no realloc */
        free(conns.tickets);
        conns.tickets = n;
        conns.ticket_cap = cap;
    }
    conns.tickets[conns.ticket_count++] = (struct ticket_out){.conn = c, .wire_id = wire_id, .m = *m};
    loop_after_add(c->gate->loop, &conns.tickets_after);
}

/* in --------------------------------------------------------------------------------------------------------------------- */

static void answer_plain(struct gate_conn *c, uint64_t id, enum s3_error code)
{
    struct wire_answer m = {.status = (uint16_t)s3_error_status(code), .code = slice_str(s3_error_code(code)),
                            .message = slice_str(s3_error_message(code)), .body_kind = code == S3E_NONE ? WIRE_BODY_NONE : WIRE_BODY_ERROR};
    rng_fill(c->gate->rng, m.request, sizeof m.request);
    conn_put_answer(c, id, &m);
}

static enum err on_ask(struct gate_conn *c, uint64_t id, struct slice payload)
{
    struct wire_ask check;
    TRY(wire_get_ask(payload, &check));
    if (request_find(c->gate, c, id)) return ERR_EXISTS;
    struct gate_request *r = request_new(c->gate, c, id);
    if (!r) {
        answer_plain(c, id, S3E_SlowDown);         /* overload: before the leaf, never after it */
        return ERR_OK;
    }
    buf_put_slice(&r->payload, payload);           /* the request outlives the frame */
    enum err e = wire_get_ask(buf_slice(&r->payload), &r->ask);
    ASSERT(e == ERR_OK);
    step_begin(r);
    return ERR_OK;
}

static enum err on_body(struct gate_conn *c, uint64_t id, struct slice payload)
{
    struct wire_body m;
    TRY(wire_get_body(payload, &m));
    struct gate_request *r = request_find(c->gate, c, id);
    if (!r || r->state == REQUEST_REFUSED) return ERR_OK;   /* what was under way when it was refused */
    if (r->state != REQUEST_BODY) return r->body ? ERR_OK : ERR_INPUT;     /* refused by its beginning: the rest is passed over */
    if (m.last) r->state = REQUEST_WORKING;
    r->body(r, m.data, m.last != 0);
    return ERR_OK;
}

static enum err on_chunks(struct gate_conn *c, uint64_t id, struct slice payload)
{
    struct wire_chunks m;
    TRY(wire_get_chunks(payload, &m));
    struct gate_request *r = request_find(c->gate, c, id);
    if (!r) return ERR_OK;                         /* the ticket lapsed: COMMIT will hear of it */
    return r->state == REQUEST_TICKET ? op_put_chunks(r, &m) : ERR_INPUT;
}

static enum err on_commit(struct gate_conn *c, uint64_t id, struct slice payload)
{
    struct wire_commit m;
    TRY(wire_get_commit(payload, &m));
    struct gate_request *r = request_find(c->gate, c, id);
    if (!r) {
        answer_plain(c, id, S3E_ServiceUnavailable);   /* rule 10: an unknown ticket (the gate restarted, or it lapsed) */
        return ERR_OK;
    }
    if (r->state != REQUEST_TICKET) return ERR_INPUT;
    r->state = REQUEST_WORKING;                    /* rule 10: COMMIT spends the ticket */
    list_del(&r->waiting);
    op_put_commit(r, &m);
    return ERR_OK;
}

static enum err on_next(struct gate_conn *c, uint64_t id, struct slice payload)
{
    struct wire_next m;
    TRY(wire_get_next(payload, &m));
    struct gate_request *r = request_find(c->gate, c, id);
    if (!r) {
        answer_plain(c, id, S3E_ServiceUnavailable);         /* the gate restarted, or gave it up */
        return ERR_OK;
    }
    if (r->stream.meter) return use_next(r, m.sent);
    if (!r->next || !r->next->awaits_next) return ERR_INPUT;
    op_get_next(r);
    return ERR_OK;
}

/* The stream is over, whatever is still under way for it here. */
static enum err on_killed(struct gate_conn *c, uint64_t id, struct slice payload)
{
    struct wire_killed m;
    TRY(wire_get_killed(payload, &m));
    struct gate_request *r = request_find(c->gate, c, id);
    if (!r) return ERR_OK;                         /* it was over when KILL came */
    if (!r->stream.killed) return ERR_INPUT;
    meter_leave(r);
    request_orphan(r);
    return ERR_OK;
}

static enum err on_abort(struct gate_conn *c, uint64_t id, struct slice payload)
{
    struct wire_abort m;
    TRY(wire_get_abort(payload, &m));
    struct gate_request *r = request_find(c->gate, c, id);
    if (!r) return ERR_OK;
    /* Of a body that the front refused itself and answered: the caller was proven, so the refusal has its leaf. Of a copy the bytes are our own. */
    enum s3_error code = s3_error_of_code(m.code);
    bool waits = r->state == REQUEST_TICKET ? !r->u.put.copy : r->state == REQUEST_BODY;
    bool refused = waits && code != S3E_NONE && s3_error_status(code) >= 400 && s3_error_status(code) < 500;
    if (refused) {
        r->state = REQUEST_WORKING;                /* rule 10: it spends the ticket, as COMMIT does */
        list_del(&r->waiting);
    }
    request_orphan(r);
    if (!refused) return ERR_OK;
    r->fault = (struct s3_fault){0};
    s3_fault_set(&r->fault, code, NULL);
    step_refuse(r);
    return ERR_OK;
}

static enum err on_logread(struct gate_conn *c, uint64_t id, struct slice payload)
{
    struct wire_logread m;
    TRY(wire_get_logread(payload, &m));
    struct gate_log *l = readers_find(c->gate, m.capability);
    if (!l) {
        answer_plain(c, id, S3E_NoSuchKey);
        return ERR_OK;
    }
    AUTO(buf) struct buf text = BUF_INIT(8192);
    struct wire_logfile out = {.size = log_published(l)};
    memcpy(out.log, log_id(l), ID_BYTES);
    enum err e = ERR_OK;
    if (slice_is(m.path, "checkpoint")) e = log_checkpoint(l, &text);
    else if (slice_is(m.path, "slot")) log_slot_text(l, &text);
    if (e != ERR_OK || !buf_ok(&text)) {
        answer_plain(c, id, S3E_ServiceUnavailable);
        return ERR_OK;
    }
    out.text = buf_slice(&text);
    conn_done(c, wire_put_logfile(wire_conn_out(c->wire), id, &out));
    return ERR_OK;
}

static enum err on_tend(struct gate_conn *c, uint64_t id, struct slice payload)
{
    struct wire_tend m;
    TRY(wire_get_tend(payload, &m));
    if (m.what == WIRE_TEND_GRAVE) op_purge_all(c->gate);
    else if (m.what == WIRE_TEND_SUMMARIES) readers_summarise(c->gate);
    else if (m.what == WIRE_TEND_LIFECYCLE) lifecycle_run(c->gate);
    else if (m.what == WIRE_TEND_GRANTS) say_tend(c->gate);
    else return ERR_INPUT;
    answer_plain(c, id, S3E_NONE);
    return ERR_OK;
}

static enum err on_notices(struct gate_conn *c, uint64_t id, struct slice payload)
{
    struct wire_notices m;
    AUTO(buf) struct buf rows = BUF_INIT(WIRE_DATA_BYTES_MAX);
    bool more = false;
    TRY(wire_get_notices(payload, &m));
    if (!say_notices(c->gate, m.cursors, &rows, &more)) return ERR_INPUT;
    const struct wire_noticed out = {.more = more, .rows = buf_slice(&rows)};
    conn_done(c, wire_put_noticed(wire_conn_out(c->wire), id, &out));
    return ERR_OK;
}

static enum err conn_frame(struct wire_conn *w, uint8_t type, uint64_t id, struct slice payload)
{
    struct gate_conn *c = wire_conn_ctx(w);
    ASSERT(c->magic == CONN_MAGIC);
    switch (type) {
    case WIRE_HELLO: return ERR_OK;
    case WIRE_ASK: return on_ask(c, id, payload);
    case WIRE_BODY: return on_body(c, id, payload);
    case WIRE_CHUNKS: return on_chunks(c, id, payload);
    case WIRE_COMMIT: return on_commit(c, id, payload);
    case WIRE_ABORT: return on_abort(c, id, payload);
    case WIRE_NEXT: return on_next(c, id, payload);
    case WIRE_KILLED: return on_killed(c, id, payload);
    case WIRE_LOGREAD: return on_logread(c, id, payload);
    case WIRE_TEND: return on_tend(c, id, payload);
    case WIRE_NOTICES: return on_notices(c, id, payload);
    default: return ERR_INPUT;
    }
}

static void conn_closed(struct wire_conn *w, enum err why)
{
    struct gate_conn *c = wire_conn_ctx(w);
    ASSERT(c->magic == CONN_MAGIC);
    if (why != ERR_OK && why != ERR_CLOSED) log_line(LOG_WARN, "peer-dropped", "role=%u why=%s", c->role, err_name(why));
    for (size_t i = 0; i < conns.ticket_count; i++)
        if (conns.tickets[i].conn == c) conns.tickets[i].conn = NULL;
    while (!list_empty(&c->requests)) request_orphan(container_of(c->requests.next, struct gate_request, node));
    for (size_t i = 0; i < GATE_FRONTS_MAX; i++)
        if (conns.all[i] == c) conns.all[i] = NULL;
    c->magic = 0;
    free(c);
}

static void conn_drained(struct wire_conn *w) { wire_conn_pause(w, false); }

static const struct wire_handler conn_handler = {.frame = conn_frame, .closed = conn_closed, .drained = conn_drained};

static void conns_begin(struct gate *g)
{
    if (conns.booted) return;
    conns.gate = g;
    conns.tickets_after.run = tickets_leave;
    rng_fill(g->rng, conns.boot, sizeof conns.boot);
    conns.booted = true;
}

struct gate_conn *conn_accept(struct gate *g, int fd, uint8_t role)
{
    conns_begin(g);
    conns.gate = g;
    size_t i = 0;
    while (i < GATE_FRONTS_MAX && conns.all[i]) i++;
    if (i == GATE_FRONTS_MAX) {
        log_line(LOG_WARN, "too-many-peers", "max=%d", GATE_FRONTS_MAX);
        close(fd);
        return NULL;
    }
    struct gate_conn *c = calloc(1, sizeof *c);
    ASSERT(c);
    c->magic = CONN_MAGIC;
    c->gate = g;
    c->role = role;
    c->number = ++conns.next_number;
    list_init(&c->requests);
    struct wire_hello hello = {.role = WIRE_ROLE_GATE, .version = WIRE_VERSION};
    memcpy(hello.boot, conns.boot, ID_BYTES);
    c->wire = wire_conn_new(g->loop, fd, WIRE_ROLE_GATE, role, &hello, &conn_handler, c);
    conns.all[i] = c;
    return c;
}

static void front_accepted(void *ctx, int fd) { conn_accept(ctx, fd, WIRE_ROLE_FRONT); }
static void access_accepted(void *ctx, int fd) { conn_accept(ctx, fd, WIRE_ROLE_ACCESS); }
static void steward_accepted(void *ctx, int fd) { conn_accept(ctx, fd, WIRE_ROLE_STEWARD); }

enum err conns_open(struct gate *g, int front_uid, int access_uid, int steward_uid)
{
    char path[512];
    conns_begin(g);
    snprintf(path, sizeof path, "%s/run/gate/front", g->dir);
    conns.front = wire_listen(g->loop, path, 0666, front_uid, front_accepted, g);
    snprintf(path, sizeof path, "%s/run/gate/access", g->dir);
    conns.access = wire_listen(g->loop, path, 0666, access_uid, access_accepted, g);
    snprintf(path, sizeof path, "%s/run/gate/steward", g->dir);
    conns.steward = wire_listen(g->loop, path, 0666, steward_uid, steward_accepted, g);
    return conns.front && conns.access && conns.steward ? ERR_OK : ERR_IO;
}

void conns_close(struct gate *g)
{
    (void)g;
    wire_listener_free(conns.front);
    wire_listener_free(conns.access);
    wire_listener_free(conns.steward);
    conns.front = conns.access = conns.steward = NULL;
}
