/* SPDX-License-Identifier: Apache-2.0
 * conn_gate: the one connection that commands.
 * Role: gate -> here -> commit, scan, read, stage.
 * Trusts: what it decided. Distrusts: its form: a frame that does not parse costs the connection.
 * Law: 2
 * Spec: docs/spec/wire.md, docs/spec/entry.md; DESIGN rules 1, 3, 7, 11
 */
#include "keeper/keeper.h"

#include <stdlib.h>

/* APPLY ----------------------------------------------------------------------------------------------------------------- */

static struct stage *claim_one(struct keeper *k, const uint8_t *id) {
    struct stage *s = stage_find(k, id);
    return s != NULL && stage_claim(s) ? s : NULL;
}

static void claim_all(struct keeper *k, struct commit_item *item) {
    struct command cmd;
    struct command_item i;
    size_t at = 0;
    command_begin(item->command, &cmd);
    if (cmd.kind == COMMAND_PURGE) return;
    while (command_next(&cmd, &i)) {
        size_t staged = command_claims(&i);
        for (size_t b = 0; b < staged; b++) {
            struct stage *s = claim_one(k, i.entry.blobs[b]);
            if (s == NULL) {
                conn_front_drain(k);
                s = claim_one(k, i.entry.blobs[b]);
            }
            ASSERT(at < item->claim_count);
            item->claims[at++] = s;
        }
    }
}

static enum err apply_command(struct keeper *k, uint64_t id, const struct wire_apply *m, struct slice command) {
    size_t claims = 0;
    TRY(command_check(command, m->index, &claims));
    struct commit_item *item = malloc(sizeof *item + command.n);
    ASSERT(item != NULL);
    *item = (struct commit_item){.kind = ITEM_APPLY, .wire_id = id, .gate_no = k->gate_no, .index = m->index, .claim_count = claims};
    list_init(&item->node);
    memcpy(item->log, m->log, ID_BYTES);
    memcpy(item + 1, command.p, command.n);
    item->command = slice_of(item + 1, command.n);
    if (claims > 0) {
        item->claims = calloc(claims, sizeof *item->claims);
        ASSERT(item->claims != NULL);
        claim_all(k, item);
    }
    commit_add(&k->commit, item);
    return ERR_OK;
}

static void pieces_forget(struct keeper *k) { buf_done(&k->pieces); }

/* A command longer than a frame comes in pieces, one command at a time: other frames may stand between them, but no other APPLY. */
static enum err on_apply(struct keeper *k, uint64_t id, struct slice payload) {
    struct wire_apply m;
    TRY(wire_get_apply(payload, &m));
    if (m.index == UINT64_MAX) return ERR_RANGE;
    if (m.last > 1 || (m.last == 0 && m.command.n == 0)) return ERR_INPUT;
    if (!k->ready_told) return ERR_INPUT; /* before READY nothing is commanded */
    if (commit_queued(&k->commit) >= KEEPER_QUEUE_MAX) return ERR_LIMIT; /* REQUESTS_MAX of the gate lies far below */
    bool begun = k->pieces.n > 0;
    if (!begun && m.last) return apply_command(k, id, &m, m.command);
    if (begun && (m.index != k->pieces_index || memcmp(m.log, k->pieces_log, ID_BYTES) != 0)) return ERR_INPUT;
    k->pieces_index = m.index;
    memcpy(k->pieces_log, m.log, ID_BYTES);
    buf_put_slice(&k->pieces, m.command);
    if (!buf_ok(&k->pieces)) return ERR_LIMIT;
    if (!m.last) return ERR_OK;
    enum err e = apply_command(k, id, &m, buf_slice(&k->pieces));
    pieces_forget(k);
    return e;
}

void conn_gate_settled(struct keeper *k, struct commit_item *item) {
    if (k->gate == NULL || item->gate_no != k->gate_no) return; /* the new gate sends it again and is answered from the rows */
    struct wire_settled m = {.index = item->index, .outcome = item->outcome, .objects = item->usage.objects, .bytes = item->usage.bytes};
    memcpy(m.log, item->log, ID_BYTES);
    enum err e = wire_put_settled(wire_conn_out(k->gate), item->wire_id, &m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(k->gate);
}

static enum err on_mark(struct keeper *k, struct slice payload) {
    struct wire_mark m;
    TRY(wire_get_mark(payload, &m));
    if (!k->ready_told) return ERR_INPUT;
    struct commit_item *item = calloc(1, sizeof *item);
    ASSERT(item != NULL);
    *item = (struct commit_item){.kind = ITEM_MARK, .index = m.mark, .gate_no = k->gate_no};
    list_init(&item->node);
    memcpy(item->log, m.log, ID_BYTES);
    commit_add(&k->commit, item);
    return ERR_OK;
}

/* start ------------------------------------------------------------------------------------------------------------------- */

/* USAGE frames before READY: a gate that serves knows what its quotas are measured against. */
static enum err usage_send(struct keeper *k, struct buf *list) {
    struct wire_usage m = {.usages = buf_slice(list)};
    enum err e = list->n == 0 ? ERR_OK : wire_put_usage(wire_conn_out(k->gate), 0, &m);
    buf_reset(list);
    return e;
}

static enum err send_usages(struct keeper *k) {
    AUTO(buf) struct buf list = BUF_INIT(WIRE_DATA_BYTES_MAX);
    size_t cursor = 0;
    struct slice log;
    enum err e = ERR_OK;
    pthread_mutex_lock(&k->commit.lock);
    for (const struct commit_log *l; e == ERR_OK && (l = map_next(k->commit.logs, &cursor, &log)) != NULL;) {
        if (list.n + WIRE_USAGE_ROW_BYTES > list.max) e = usage_send(k, &list);
        buf_put_slice(&list, log);
        buf_put_u64(&list, l->usage.objects);
        buf_put_u64(&list, l->usage.bytes);
    }
    pthread_mutex_unlock(&k->commit.lock);
    return e == ERR_OK ? usage_send(k, &list) : e;
}

static void send_ready(struct keeper *k, uint64_t id, uint8_t outcome, const char *message) {
    struct buf *list = &k->list_buf;
    buf_reset(list);
    struct wire_ready m = {.outcome = outcome, .message = slice_str(message)};
    if (outcome == WIRE_READY_OK) {
        size_t cursor = 0;
        struct slice log;
        pthread_mutex_lock(&k->commit.lock);
        m.apply_number = k->commit.apply_number;
        for (const struct commit_log *l; (l = map_next(k->commit.logs, &cursor, &log)) != NULL;) {
            buf_put_slice(list, log);
            buf_put_u64(list, l->watermark);
        }
        pthread_mutex_unlock(&k->commit.lock);
    }
    m.watermarks = buf_slice(list);
    enum err e = outcome == WIRE_READY_OK ? send_usages(k) : ERR_OK;
    if (e == ERR_OK) e = buf_ok(list) ? wire_put_ready(wire_conn_out(k->gate), id, &m) : ERR_LIMIT;
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "ready_too_long", "err=%s", err_name(e)); /* more logs than the wire's list holds */
        wire_conn_close(k->gate);
        return;
    }
    wire_conn_kick(k->gate);
    if (outcome != WIRE_READY_OK) return;
    k->ready_told = true;
    space_tell(k);
}

/* Rule 7: the batch that the old gate's commands run in is settled before the new one learns the watermarks. */
void conn_gate_ready(struct keeper *k) {
    if (!k->ready_due || k->gate == NULL || k->down || !commit_idle(&k->commit)) return;
    k->ready_due = false;
    send_ready(k, k->ready_id, WIRE_READY_OK, "");
}

static enum err on_openindex(struct keeper *k, uint64_t id, struct slice payload) {
    struct wire_openindex m;
    TRY(wire_get_openindex(payload, &m));
    if (k->ready_due || k->ready_told) return ERR_INPUT;
    char message[512] = "";
    uint8_t outcome = keeper_open_index(k, m.index_key, message, sizeof message);
    wipe(&m, sizeof m);
    if (outcome != WIRE_READY_OK) {
        log_line(LOG_ERROR, "index_not_opened", "outcome=%u", outcome);
        send_ready(k, id, outcome, message);
        return ERR_OK;
    }
    k->ready_due = true;
    k->ready_id = id;
    conn_gate_ready(k);
    return ERR_OK;
}

/* frames ------------------------------------------------------------------------------------------------------------------- */

static enum err on_grant(struct keeper *k, struct slice payload) {
    struct wire_grant m;
    TRY(wire_get_grant(payload, &m));
    if (m.front_id == 0) return ERR_INPUT;
    stage_grant(k, &m);
    return ERR_OK;
}

static enum err on_frame(struct wire_conn *conn, uint8_t type, uint64_t id, struct slice payload) {
    struct keeper *k = wire_conn_ctx(conn);
    if (conn != k->gate) return ERR_CLOSED; /* an older gate: dropped, not obeyed */
    switch (type) {
    case WIRE_HELLO: return ERR_OK;
    case WIRE_OPENINDEX: return on_openindex(k, id, payload);
    case WIRE_FIND: {
        struct wire_find m;
        TRY(wire_get_find(payload, &m));
        return read_find(k, id, &m);
    }
    case WIRE_SCAN: {
        struct wire_scan m;
        TRY(wire_get_scan(payload, &m));
        return scan_begin(k, id, &m);
    }
    case WIRE_APPLY: return on_apply(k, id, payload);
    case WIRE_MARK: return on_mark(k, payload);
    case WIRE_GRANT: return on_grant(k, payload);
    case WIRE_SETTLEDALL: {
        struct wire_settledall m;
        TRY(wire_get_settledall(payload, &m));
        stage_settled_all(k);
        return ERR_OK;
    }
    default: return ERR_INPUT;
    }
}

static void on_closed(struct wire_conn *conn, enum err why) {
    struct keeper *k = wire_conn_ctx(conn);
    if (conn != k->gate) return;
    log_line(why == ERR_OK || why == ERR_CLOSED ? LOG_INFO : LOG_WARN, "gate_closed", "err=%s", err_name(why));
    k->gate = NULL;
    k->gate_no++;
    k->ready_due = k->ready_told = false;
    pieces_forget(k);
    scan_abort_all(k, false);
}

static const struct wire_handler handler = {.frame = on_frame, .closed = on_closed};

void conn_gate_accepted(void *keeper, int fd) {
    struct keeper *k = keeper;
    struct wire_conn *old = k->gate;
    scan_abort_all(k, false);
    k->gate = NULL;
    k->gate_no++;
    k->ready_due = k->ready_told = false;
    pieces_forget(k);
    if (old != NULL) wire_conn_close(old);
    commit_forget_queued(&k->commit);
    k->gate = wire_conn_new(k->loop, fd, WIRE_ROLE_KEEPER, WIRE_ROLE_GATE, &k->hello, &handler, k);
}

void conn_gate_drain(struct keeper *k) {
    if (k->gate != NULL) wire_conn_pump(k->gate);
}
