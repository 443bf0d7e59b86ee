/* SPDX-License-Identifier: Apache-2.0
 * conn_front: the connections of fronts: STAGE, DROP, READ and nothing else; of access fronts READ alone (wire.def).
 * Role: front -> here -> stage, read.
 * Trusts: nothing. Distrusts: fronts: wire.def drops a front's FIND, SCAN, APPLY or GRANT with its connection before it comes
 *   here; a STAGE without a grant waits a second for one that may be on its way from the gate, then costs the connection.
 * Law: 2 (LAW-2 is enforced at on_frame and stage_data)
 * Spec: docs/spec/wire.md
 */
#include "keeper/keeper.h"

#include <stdlib.h>
#include <unistd.h>

static enum err on_stage(struct front *f, uint64_t id, struct slice payload) {
    struct wire_stage m;
    TRY(wire_get_stage(payload, &m));
    struct stage *s = stage_find(f->k, m.blob);
    if (s == NULL) {
        /* The gate sent the grant before the ticket, on another connection: it has arrived, it just was not read yet. */
        conn_gate_drain(f->k);
        s = stage_find(f->k, m.blob);
    }
    if (s != NULL) return stage_data(s, f, id, &m);
    if (BREAK("keeper-accept-ungranted")) {
        struct wire_grant all = {.front_id = f->id, .cipher_max = S3_PUT_BYTES_MAX, .expiry_ms = TICKET_MS};
        memcpy(all.blob, m.blob, ID_BYTES);
        stage_grant(f->k, &all);
        s = stage_find(f->k, m.blob);
        return s == NULL ? ERR_AUTH : stage_data(s, f, id, &m);
    }
    f->parked = true;
    f->parked_id = id;
    memcpy(f->parked_blob, m.blob, ID_BYTES);
    buf_reset(&f->parked_frame);
    buf_put_slice(&f->parked_frame, payload);
    ASSERT(buf_ok(&f->parked_frame));
    wire_conn_pause(f->conn, true);
    loop_timer_set(f->k->loop, &f->park_timer, KEEPER_PARK_MS);
    return ERR_OK;
}

void conn_front_granted(struct keeper *k, const uint8_t blob[ID_BYTES]) {
    for (struct list *n = k->fronts.next; n != &k->fronts; n = n->next) {
        struct front *f = container_of(n, struct front, node);
        if (!f->parked || memcmp(f->parked_blob, blob, ID_BYTES) != 0) continue;
        f->parked = false;
        loop_timer_cancel(k->loop, &f->park_timer);
        wire_conn_pause(f->conn, false);
        struct wire_stage m;
        enum err e = wire_get_stage(buf_slice(&f->parked_frame), &m);
        ASSERT(e == ERR_OK);
        struct stage *s = stage_find(k, blob);
        if (s == NULL || stage_data(s, f, f->parked_id, &m) != ERR_OK) wire_conn_close(f->conn);
        return; /* one blob, one front */
    }
}

static void park_over(struct loop_timer *t) {
    struct front *f = t->ctx;
    log_line(LOG_WARN, "stage_without_grant", "front=%llu", (unsigned long long)f->id);
    wire_conn_pause(f->conn, false);
    wire_conn_close(f->conn);
}

static enum err on_drop(struct front *f, struct slice payload) {
    struct wire_drop m;
    TRY(wire_get_drop(payload, &m));
    struct stage *s = stage_find(f->k, m.blob);
    if (s == NULL) return ERR_OK;
    if (s->front_id != f->id) return ERR_AUTH;
    /* The front gave up, but the gate may have decided already: its APPLY, if there is one, has arrived. */
    conn_gate_drain(f->k);
    s = stage_find(f->k, m.blob);
    if (s != NULL && !s->dropped) stage_drop(s);
    return ERR_OK;
}

static enum err on_frame(struct wire_conn *conn, uint8_t type, uint64_t id, struct slice payload) {
    struct front *f = wire_conn_ctx(conn);
    switch (type) {
    case WIRE_HELLO: return ERR_OK;
    case WIRE_STAGE: return on_stage(f, id, payload);
    case WIRE_DROP: return on_drop(f, payload);
    case WIRE_READ: {
        struct wire_read m;
        TRY(wire_get_read(payload, &m));
        read_begin(f, id, &m);
        return ERR_OK;
    }
    default: return ERR_INPUT;
    }
}

static void on_closed(struct wire_conn *conn, enum err why) {
    struct front *f = wire_conn_ctx(conn);
    struct keeper *k = f->k;
    if (why != ERR_OK && why != ERR_CLOSED) log_line(LOG_WARN, "front_closed", "front=%llu err=%s", (unsigned long long)f->id, err_name(why));
    if (!k->stopping) conn_gate_drain(k); /* an APPLY that has arrived claims its blob before the front's end drops it */
    loop_timer_cancel(k->loop, &f->park_timer);
    f->conn = NULL;
    stage_front_gone(f);
    read_front_gone(f);
    list_del(&f->node);
    k->front_count--;
    buf_done(&f->parked_frame);
    free(f);
}

static const struct wire_handler handler = {.frame = on_frame, .closed = on_closed};

static void front_begin(struct keeper *k, int fd, uint8_t role) {
    if (k->front_count >= KEEPER_FRONTS_MAX) {
        close(fd);
        return;
    }
    struct front *f = calloc(1, sizeof *f);
    ASSERT(f != NULL);
    f->k = k;
    f->id = k->front_next++;
    list_init(&f->reads);
    buf_init(&f->parked_frame, WIRE_FRAME_BYTES_MAX);
    f->park_timer = (struct loop_timer){.fire = park_over, .ctx = f};
    list_add_tail(&k->fronts, &f->node);
    k->front_count++;
    struct wire_hello hello = k->hello;
    /* It has a number all the same: 0 is that of blobs sealed before this start, which an end of this connection must not drop. */
    hello.front_id = role == WIRE_ROLE_ACCESS ? 0 : f->id;
    f->conn = wire_conn_new(k->loop, fd, WIRE_ROLE_KEEPER, role, &hello, &handler, f);
}

void conn_front_accepted(void *keeper, int fd) { front_begin(keeper, fd, WIRE_ROLE_FRONT); }
void conn_access_accepted(void *keeper, int fd) { front_begin(keeper, fd, WIRE_ROLE_ACCESS); }

/* A COMMIT follows its last STAGE through another process: the bytes have arrived when the APPLY has. */
void conn_front_drain(struct keeper *k) {
    struct list *next;
    for (struct list *n = k->fronts.next; n != &k->fronts; n = next) {
        next = n->next;
        struct front *f = container_of(n, struct front, node);
        if (!f->parked) wire_conn_pump(f->conn);
    }
}
