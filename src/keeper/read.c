/* SPDX-License-Identifier: Apache-2.0
 * read: FIND for the gate and READ for fronts: the two calls on the path of every GET.
 * Role: gate's FIND -> entry and locations; front's READ -> ciphertext.
 * Trusts: the index. Distrusts: locations that a front sends: they only ever name ciphertext, whose key the gate alone releases.
 * Spec: docs/spec/wire.md (FIND, FOUND, READ, DATA)
 */
#include "keeper/keeper.h"

#include <stdlib.h>

/* FIND ------------------------------------------------------------------------------------------------------------------ */

static void answer_found(struct keeper *k, uint64_t id, struct wire_found *m) {
    enum err e = wire_put_found(wire_conn_out(k->gate), id, m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(k->gate);
}

static enum err found_row(struct keeper *k, struct slice value, struct wire_found *m) {
    struct entry_row row;
    TRY(entry_row_parse(value, &row));
    struct buf *list = &k->list_buf;
    buf_reset(list);
    for (size_t i = 0; i < row.entry.blob_count; i++) buf_put_lp16(list, row.locations[i]);
    m->present = WIRE_FOUND_PRESENT;
    m->entry = row.entry.raw;
    m->locations = buf_slice(list);
    return ERR_OK;
}

static void find_current(struct keeper *k, uint64_t id, const struct wire_find *q, struct wire_found *m) {
    struct row_key key;
    struct store_pin pin;
    row_object(&key, ROW_ENTRY, slice_of(q->bucket, ID_BYTES), q->key);
    enum err e = store_get(k->store, STORE_ROWS, row_slice(&key), &pin);
    if (e == ERR_OK) e = found_row(k, pin.value, m);
    if (e != ERR_OK && e != ERR_MISSING) m->present = WIRE_FOUND_IO;
    answer_found(k, id, m);
    if (pin.hold != NULL) store_unpin(k->store, &pin);
}

/* The newest burial of the key: the inverse leaf index puts it first. */
static void find_grave(struct keeper *k, uint64_t id, const struct wire_find *q, struct wire_found *m) {
    struct row_key from;
    struct row_key to;
    row_object(&from, ROW_GRAVE, slice_of(q->bucket, ID_BYTES), q->key);
    to = from;
    ASSERT(row_after(&to));
    struct store_iter *it = store_iter_open(k->store, NULL, STORE_ROWS, row_slice(&to));
    store_iter_seek(k->store, it, row_slice(&from));
    enum err e = ERR_OK;
    if (store_iter_valid(k->store, it)) {
        struct slice v = store_iter_value(k->store, it);
        e = v.n < 8 ? ERR_CORRUPT : found_row(k, slice_of(v.p + 8, v.n - 8), m);
        if (e == ERR_OK) m->due_ms = get_be64(v.p);
    } else {
        e = store_iter_status(k->store, it);
    }
    if (e != ERR_OK) m->present = WIRE_FOUND_IO;
    answer_found(k, id, m);
    store_iter_close(k->store, it);
}

void read_find(struct keeper *k, uint64_t id, const struct wire_find *q) {
    struct wire_found m = {.present = WIRE_FOUND_ABSENT};
    if (k->store == NULL || k->down) {
        m.present = WIRE_FOUND_IO;
        answer_found(k, id, &m);
    } else if (q->key.n == 0 || memchr(q->key.p, 0, q->key.n) != NULL) {
        answer_found(k, id, &m); /* no object can have such a key */
    } else if (q->grave) {
        find_grave(k, id, q, &m);
    } else {
        find_current(k, id, q, &m);
    }
}

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
