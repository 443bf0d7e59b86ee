/* SPDX-License-Identifier: Apache-2.0
 * read: READ for fronts: ciphertext by location.
 * Role: front's READ -> ciphertext, at once from memory, or from an I/O thread.
 * Trusts: the index. Distrusts: locations that a front sends: they only ever name ciphertext, whose key the gate alone releases.
 * Spec: docs/spec/wire.md (READ, DATA)
 */
#include "keeper/keeper.h"

#include <stdlib.h>

/* READ ------------------------------------------------------------------------------------------------------------------ */

struct slow_read {
    struct io_job io;
    struct list node; /* of the front */
    struct keeper *k;
    struct front *front; /* NULL: gone */
    uint64_t wire_id;
    uint8_t location[LOCATION_BYTES_MAX];
    struct location at;
    uint64_t off;
    uint32_t len;
    uint8_t *data;
    enum err result;
};

static void answer_data(struct front *f, uint64_t id, enum err e, struct slice data) {
    struct wire_data m = {.outcome = e == ERR_OK ? WIRE_DATA_OK : e == ERR_MISSING ? WIRE_DATA_GONE : WIRE_DATA_IO};
    if (e == ERR_OK) m.data = data;
    enum err put = wire_put_data(wire_conn_out(f->conn), id, &m);
    ASSERT(put == ERR_OK);
    wire_conn_kick(f->conn);
}

static void slow_work(struct io_job *j) {
    struct slow_read *r = j->ctx;
    r->data = malloc(r->len + 1u);
    if (r->data == NULL) r->result = ERR_NOMEM;
    else if (r->at.engine == LOCATION_FILE) r->result = store_files_read(r->k->files, r->at.file, r->off, r->data, r->len);
    else r->result = store_packs_read(r->k->packs, r->at.pack, r->at.off + r->off, r->data, r->len, false);
}

static void slow_done(struct io_job *j) {
    struct slow_read *r = j->ctx;
    r->k->read_count--;
    list_del(&r->node);
    if (r->front != NULL) answer_data(r->front, r->wire_id, r->result, slice_of(r->data, r->len));
    free(r->data);
    free(r);
}

static void slow_begin(struct front *f, uint64_t id, const struct wire_read *m) {
    struct keeper *k = f->k;
    if (k->read_count >= KEEPER_READS_MAX) {
        answer_data(f, id, ERR_BUSY, (struct slice){0});
        return;
    }
    struct slow_read *r = calloc(1, sizeof *r);
    ASSERT(r != NULL);
    memcpy(r->location, m->location.p, m->location.n);
    enum err e = location_parse(slice_of(r->location, m->location.n), &r->at);
    ASSERT(e == ERR_OK);
    r->k = k;
    r->front = f;
    r->wire_id = id;
    r->off = m->off;
    r->len = m->len;
    r->io = (struct io_job){.work = slow_work, .done = slow_done, .ctx = r};
    list_init(&r->io.node);
    list_add_tail(&f->reads, &r->node);
    k->read_count++;
    io_add(&k->io, &r->io);
}

static void read_inline(struct front *f, uint64_t id, const struct location *l, const struct wire_read *m) {
    struct keeper *k = f->k;
    struct store_pin pin = {0};
    enum err e = k->store == NULL || k->down ? ERR_BUSY : store_get(k->store, STORE_BLOBS, l->inline_key, &pin);
    bool inside = e == ERR_OK && m->off <= pin.value.n && m->len <= pin.value.n - m->off;
    if (e == ERR_OK && !inside) e = ERR_MISSING;
    answer_data(f, id, e, e == ERR_OK ? slice_of(pin.value.p + m->off, m->len) : (struct slice){0});
    if (pin.hold != NULL) store_unpin(k->store, &pin);
}

void read_begin(struct front *f, uint64_t id, const struct wire_read *m) {
    struct keeper *k = f->k;
    struct location l;
    enum err e = location_parse(m->location, &l);
    if (e == ERR_OK && m->len > WIRE_DATA_BYTES_MAX) e = ERR_LIMIT;
    if (e == ERR_OK && l.engine == LOCATION_PACK && (m->off > l.size || m->len > l.size - m->off)) e = ERR_MISSING;
    if (e != ERR_OK) {
        answer_data(f, id, ERR_MISSING, (struct slice){0});
        return;
    }
    if (l.engine == LOCATION_INLINE) {
        read_inline(f, id, &l, m);
        return;
    }
    if (l.engine == LOCATION_PACK) {
        buf_reset(&k->read_buf);
        uint8_t *to = buf_room(&k->read_buf, m->len);
        ASSERT(to != NULL || m->len == 0);
        e = store_packs_read(k->packs, l.pack, l.off + m->off, to, m->len, true);
        if (e != ERR_BUSY) {
            answer_data(f, id, e, slice_of(to, m->len));
            return;
        }
    }
    slow_begin(f, id, m);
}

void read_front_gone(struct front *f) {
    while (!list_empty(&f->reads)) {
        struct slow_read *r = container_of(f->reads.next, struct slow_read, node);
        list_del(&r->node);
        r->front = NULL;
    }
}
