/* SPDX-License-Identifier: Apache-2.0
 * stage: blobs on their way in: granted by the gate, sent by one front, sealed, then adopted by an APPLY or dropped.
 * Role: conn_front -> here -> io (large blobs) -> commit adopts.
 * Trusts: the gate's grants. Distrusts: fronts: a byte that no grant covers, out of order, past the limit or after the end costs
 *   the connection; nothing that is sealed can be changed.
 * Law: 2
 * Spec: docs/spec/wire.md (GRANT, STAGE, CREDIT, SEALED, DROP); DESIGN rules 10, 11
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static struct slice id_slice(const uint8_t id[ID_BYTES]) { return slice_of(id, ID_BYTES); }

struct stage *stage_find(struct keeper *k, const uint8_t id[ID_BYTES]) { return map_get(k->stages, id_slice(id)); }

static struct stage *stage_new(struct keeper *k, const uint8_t id[ID_BYTES]) {
    struct stage *s = calloc(1, sizeof *s);
    ASSERT(s != NULL);
    memcpy(s->id, id, ID_BYTES);
    if (map_put(k->stages, id_slice(id), s) != ERR_OK) { /* there already, or KEEPER_STAGES_MAX */
        free(s);
        return NULL;
    }
    s->k = k;
    s->fd = -1;
    list_init(&s->waiting);
    list_add_tail(&k->stage_list, &s->node);
    return s;
}

/* credits -------------------------------------------------------------------------------------------------------------- */

static void send_credit(struct stage *s, uint64_t taken) {
    if (s->front == NULL || s->front->conn == NULL || s->dropped || s->last) return;
    if (taken < s->credited + KEEPER_CREDIT_STEP_BYTES) return;
    struct wire_credit m = {.taken = taken};
    memcpy(m.blob, s->id, ID_BYTES);
    s->credited = taken;
    enum err e = wire_put_credit(wire_conn_out(s->front->conn), s->wire_id, &m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(s->front->conn);
}

static uint64_t taken_of(const struct stage *s) { return s->in_file ? s->written : s->off; }

/* Past the memory bound bytes in memory earn no credit; a front then has at most STAGE_CREDIT_BYTES more to send. */
static void give_credit(struct stage *s) {
    struct keeper *k = s->k;
    if (k->stage_bytes <= KEEPER_STAGE_MEMORY_BYTES_MAX) {
        list_del(&s->waiting);
        send_credit(s, taken_of(s));
    } else if (list_empty(&s->waiting)) {
        list_add_tail(&k->credit_waiting, &s->waiting);
    }
}

static void memory_freed(struct keeper *k, size_t n) {
    ASSERT(k->stage_bytes >= n);
    k->stage_bytes -= n;
    while (!k->stopping && k->stage_bytes <= KEEPER_STAGE_MEMORY_BYTES_MAX && !list_empty(&k->credit_waiting)) {
        struct stage *s = container_of(k->credit_waiting.next, struct stage, waiting);
        list_del(&s->waiting);
        send_credit(s, taken_of(s));
    }
}

static void send_sealed(struct stage *s, uint8_t outcome) {
    if (s->front == NULL || s->front->conn == NULL) return;
    struct wire_sealed m = {.outcome = outcome};
    memcpy(m.blob, s->id, ID_BYTES);
    enum err e = wire_put_sealed(wire_conn_out(s->front->conn), s->wire_id, &m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(s->front->conn);
}

/* end ------------------------------------------------------------------------------------------------------------------- */

struct removal {
    struct io_job io;
    struct keeper *k;
    uint8_t id[ID_BYTES];
    bool adopted;
};

static void removal_work(struct io_job *j) {
    struct removal *r = j->ctx;
    enum err e = r->adopted ? store_files_unstage(r->k->files, r->id) : store_files_remove(r->k->files, r->id);
    if (e != ERR_OK) log_line(LOG_WARN, "unstage_failed", "err=%s", err_name(e)); /* the next start sweeps it */
}

static void removal_done(struct io_job *j) { free(j->ctx); }

static void remove_later(struct stage *s, bool adopted) {
    struct removal *r = calloc(1, sizeof *r);
    ASSERT(r != NULL);
    r->k = s->k;
    r->adopted = adopted;
    memcpy(r->id, s->id, ID_BYTES);
    r->io = (struct io_job){.work = removal_work, .done = removal_done, .ctx = r};
    list_init(&r->io.node);
    io_add(&s->k->io, &r->io);
}

static void stage_free(struct stage *s) {
    ASSERT(!s->io_busy);
    struct keeper *k = s->k;
    size_t held = s->mem.n + s->writing.n;
    void *was = map_del(k->stages, id_slice(s->id));
    ASSERT(was == s);
    list_del(&s->node);
    list_del(&s->waiting);
    if (s->fd >= 0) close(s->fd);
    buf_done(&s->mem);
    buf_done(&s->writing);
    free(s);
    memory_freed(k, held);
}

void stage_forget(struct stage *s) { stage_free(s); }

void stage_drop(struct stage *s) {
    if (s->k->stopping) {
        s->dropped = true;
        return;
    }
    if (s->state == STAGE_CLAIMED) {
        /* Rule 11. Without it a front's death takes the bytes from under a batch. */
        if (s->in_file && BREAK("keeper-no-claim")) remove_later(s, false);
        s->dropped = true;
        s->front = NULL;
        return;
    }
    s->dropped = true;
    s->front = NULL;
    if (s->io_busy) return; /* freed when the thread is done with it */
    if (s->in_file) remove_later(s, false);
    stage_free(s);
}

void stage_front_gone(struct front *f) {
    struct keeper *k = f->k;
    struct list *next;
    for (struct list *n = k->stage_list.next; n != &k->stage_list; n = next) {
        next = n->next;
        struct stage *s = container_of(n, struct stage, node);
        if (s->front_id == f->id) stage_drop(s);
    }
}

bool stage_claim(struct stage *s) {
    if (s->state != STAGE_SEALED) return false;
    s->state = STAGE_CLAIMED;
    return true;
}

void stage_unclaim(struct stage *s) {
    ASSERT(s->state == STAGE_CLAIMED);
    s->state = STAGE_SEALED;
    if (s->dropped) stage_drop(s);
}

void stage_adopted(struct stage *s) {
    ASSERT(s->state == STAGE_CLAIMED);
    if (s->in_file) remove_later(s, true);
    stage_free(s);
}

void stage_expire(struct keeper *k) {
    uint64_t now = loop_now_ms(k->loop);
    struct list *next;
    for (struct list *n = k->stage_list.next; n != &k->stage_list; n = next) {
        next = n->next;
        struct stage *s = container_of(n, struct stage, node);
        if (s->front_id != 0 && !s->dropped && now >= s->due_ms && s->state != STAGE_CLAIMED) stage_drop(s);
    }
}

/* Blobs that were sealed before this start: they wait for the gate's re-sends, and what those leave is dropped. */
void stage_sealed_before(void *keeper, const uint8_t id[ID_BYTES], uint64_t size) {
    struct stage *s = stage_new(keeper, id);
    if (s == NULL) return;
    s->state = STAGE_SEALED;
    s->in_file = s->last = true;
    s->off = s->written = size;
}

void stage_settled_all(struct keeper *k) {
    struct list *next;
    for (struct list *n = k->stage_list.next; n != &k->stage_list; n = next) {
        next = n->next;
        struct stage *s = container_of(n, struct stage, node);
        if (s->front_id == 0 && s->state == STAGE_SEALED) stage_drop(s);
    }
}

/* in ------------------------------------------------------------------------------------------------------------------- */

static bool front_there(const struct keeper *k, uint64_t id) {
    for (const struct list *n = k->fronts.next; n != &k->fronts; n = n->next)
        if (container_of(n, const struct front, node)->id == id) return true;
    return false;
}

void stage_grant(struct keeper *k, const struct wire_grant *g) {
    if (!front_there(k, g->front_id)) return; /* of a connection that has ended: nothing can come under it */
    struct stage *s = stage_new(k, g->blob);
    if (s == NULL) return; /* a blob id never repeats; over the bound the STAGE will find no grant */
    s->state = STAGE_GRANTED;
    s->front_id = g->front_id;
    s->cipher_max = g->cipher_max;
    s->due_ms = loop_now_ms(k->loop) + g->expiry_ms;
    buf_init(&s->mem, MIN(g->cipher_max, (uint64_t)BLOB_PACK_BYTES_MAX + 2 * STAGE_CREDIT_BYTES));
    buf_init(&s->writing, s->mem.max);
    conn_front_granted(k, g->blob);
}

static void io_work(struct io_job *j) {
    struct stage *s = j->ctx;
    s->io_result = ERR_OK;
    if (s->fd < 0) s->io_result = store_files_create(s->k->files, s->id, &s->fd);
    struct slice data = buf_slice(&s->writing);
    uint64_t off = s->written;
    while (s->io_result == ERR_OK && data.n > 0) {
        ssize_t n = pwrite(s->fd, data.p, data.n, (off_t)off);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            s->io_result = n < 0 && (errno == ENOSPC || errno == EDQUOT) ? ERR_FULL : ERR_IO;
            break;
        }
        data.p += n;
        data.n -= (size_t)n;
        off += (uint64_t)n;
    }
    if (s->io_result == ERR_OK && s->io_seal) s->io_result = store_files_seal(s->k->files, s->id, s->fd);
}

static void io_next(struct stage *s);

static void stage_fail(struct stage *s, uint8_t outcome) {
    if (s->state != STAGE_DEAD) send_sealed(s, outcome);
    s->state = STAGE_DEAD;
    size_t held = s->mem.n;
    buf_done(&s->mem);
    memory_freed(s->k, held);
}

static void io_done(struct io_job *j) {
    struct stage *s = j->ctx;
    struct keeper *k = s->k;
    s->io_busy = false;
    s->written += s->writing.n;
    size_t freed = s->writing.n;
    buf_reset(&s->writing);
    memory_freed(k, freed);
    if (s->dropped) {
        stage_drop(s);
        return;
    }
    if (s->io_result != ERR_OK) {
        log_line(LOG_ERROR, "stage_failed", "err=%s", err_name(s->io_result));
        stage_fail(s, s->io_result == ERR_FULL ? WIRE_SEALED_FULL : WIRE_SEALED_IO);
        return;
    }
    if (s->io_seal) {
        close(s->fd);
        s->fd = -1;
        s->state = STAGE_SEALED;
        buf_done(&s->writing);
        buf_done(&s->mem);
        send_sealed(s, WIRE_SEALED_OK);
        return;
    }
    give_credit(s);
    io_next(s);
}

/* One job a blob at a time: what arrives meanwhile is the next one's. */
static void io_next(struct stage *s) {
    if (s->io_busy || s->k->stopping || s->state == STAGE_DEAD || s->dropped || (s->mem.n == 0 && !s->last)) return;
    struct buf swap = s->writing;
    s->writing = s->mem;
    s->mem = swap;
    buf_reset(&s->mem);
    s->io_seal = s->last;
    if (s->io_seal) s->state = STAGE_SEALING;
    s->io_busy = true;
    s->job = (struct io_job){.work = io_work, .done = io_done, .ctx = s};
    list_init(&s->job.node);
    io_add(&s->k->io, &s->job);
}

enum err stage_data(struct stage *s, struct front *f, uint64_t wire_id, const struct wire_stage *m) {
    struct keeper *k = s->k;
    bool granted = s->front_id == f->id || BREAK("keeper-accept-ungranted");
    if (!granted || s->dropped) return ERR_AUTH;
    s->wire_id = wire_id;
    s->front = f;
    if (s->state == STAGE_DEAD) return ERR_OK; /* it was told; what was on its way may come in */
    if (s->state != STAGE_GRANTED && s->state != STAGE_OPEN && !BREAK("keeper-restage")) return ERR_INPUT;
    uint64_t left = s->cipher_max - s->off;
    if (m->off != s->off || m->data.n > left) return ERR_RANGE;
    if (s->off + m->data.n - s->credited > STAGE_CREDIT_BYTES) return ERR_LIMIT;
    s->state = STAGE_OPEN;
    if (!k->space.writable) {
        stage_fail(s, WIRE_SEALED_FULL);
        return ERR_OK;
    }
    buf_put_slice(&s->mem, m->data);
    ASSERT(buf_ok(&s->mem));
    s->off += m->data.n;
    k->stage_bytes += m->data.n;
    s->last = m->last != 0;
    if (!s->in_file && s->cipher_max > BLOB_PACK_BYTES_MAX && s->mem.n >= KEEPER_SPILL_BYTES) s->in_file = true;
    if (s->in_file) {
        io_next(s);
    } else if (s->last) {
        s->state = STAGE_SEALED; /* in memory: it is made durable by the batch that adopts it */
        send_sealed(s, WIRE_SEALED_OK);
    } else {
        give_credit(s);
    }
    return ERR_OK;
}
