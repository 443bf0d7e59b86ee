/* SPDX-License-Identifier: Apache-2.0
 * grave: what stopped being an object's version stays restorable until it is due, and is then taken apart.
 * Role: version buries and looks up for UNDELETE; PURGE is performed here, all as rows of the committer's batch.
 * Trusts: the command's time: a re-sent command gives the same rows. Distrusts: nothing.
 * Spec: docs/spec/entry.md sections 2 and 3; DESIGN rule 12
 */
#include "keeper/apply.h"

/* G: bucket key 00 inverse-leaf-of-burial inverse-leaf -> u64 due, value as in E.  D: bucket due both-inverse-leaves key -> empty. */
enum err grave_bury(struct apply *a, struct slice value, uint64_t leaf) {
    struct commit *c = a->c;
    uint64_t due_ms = a->cmd->at_ms + MAX(a->i->turn.grave_ms, (uint64_t)GRAVE_MIN_MS);
    struct row_key grave;
    struct row_key due;
    row_object(&grave, ROW_GRAVE, a->i->bucket, a->i->key);
    row_put_u64(&grave, ~a->item->index);
    row_put_u64(&grave, ~leaf);
    row_begin(&due, ROW_DUE);
    row_put(&due, a->i->bucket);
    row_put_u64(&due, due_ms);
    row_put_u64(&due, ~a->item->index);
    row_put_u64(&due, ~leaf);
    row_put(&due, a->i->key);
    struct slice seen = {0};
    bool buried_once = store_batch_get(c->batch, STORE_ROWS, row_slice(&grave), &seen) != STORE_PUT;
    ASSERT(buried_once); /* a version ends once */
    struct buf *b = &c->scratch2;
    buf_reset(b);
    buf_put_u64(b, due_ms);
    buf_put_slice(b, value);
    ASSERT(buf_ok(b));
    if (BREAK("grave-skipped")) return ERR_OK;
    store_batch_put(c->batch, STORE_ROWS, row_slice(&grave), buf_slice(b));
    store_batch_put(c->batch, STORE_ROWS, row_slice(&due), (struct slice){0});
    return ERR_OK;
}

/* ERR_MISSING: purged, or never there. A burial is settled before its key is commanded again, so the engine has it. */
enum err grave_lookup(struct apply *a, struct row_key *row) {
    struct commit *c = a->c;
    struct store *s = c->k->store;
    struct row_key from;
    struct row_key to;
    row_object(&from, ROW_GRAVE, a->i->bucket, a->i->key);
    to = from;
    ASSERT(row_after(&to));
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, row_slice(&to));
    enum err e = ERR_MISSING;
    unsigned looked = 0;
    for (store_iter_seek(s, it, row_slice(&from)); store_iter_valid(s, it) && looked < GRAVE_LOOK_MAX; store_iter_next(s, it), looked++) {
        struct slice key = store_iter_key(s, it);
        if (key.n != from.n + 16) {
            e = ERR_CORRUPT;
            break;
        }
        if (get_be64(key.p + key.n - 8) != ~a->i->version || apply_deleted(c, key)) continue;
        row->n = 0;
        row_put(row, key);
        buf_reset(&c->scratch2);
        buf_put_slice(&c->scratch2, store_iter_value(s, it));
        e = buf_ok(&c->scratch2) && c->scratch2.n > 8 ? ERR_OK : ERR_CORRUPT;
        break;
    }
    if (e == ERR_MISSING && store_iter_status(s, it) != ERR_OK) e = ERR_IO;
    store_iter_close(s, it);
    return e;
}

/* PURGE ----------------------------------------------------------------------------------------------------------------- */

/* A set whose last reference this is costs as many entries as it has parts. */
static enum err purge_cost(struct commit *c, const struct entry *e, unsigned *cost) {
    uint64_t count = 0;
    *cost = 1;
    if (e->set == NULL) return ERR_OK;
    TRY(blob_count(c, e->set, &count));
    if (count == 1) *cost = e->parts;
    return ERR_OK;
}

/* *left: how many entries this command may still take; 0 afterwards when this one did not fit. */
static enum err purge_one(struct commit *c, struct slice due_key, unsigned *left) {
    const size_t head = 1 + ID_BYTES;
    const size_t numbers = 8 + 16;
    if (due_key.n <= head + numbers) return ERR_CORRUPT;
    struct row_key grave;
    row_object(&grave, ROW_GRAVE, slice_of(due_key.p + 1, ID_BYTES), slice_of(due_key.p + head + numbers, due_key.n - head - numbers));
    row_put(&grave, slice_of(due_key.p + head + 8, 16));
    TRY(apply_get(c, STORE_ROWS, row_slice(&grave), &c->scratch));
    if (c->scratch.n < 8) return ERR_CORRUPT;
    struct slice value = slice_of(c->scratch.p + 8, c->scratch.n - 8);
    struct entry_row row;
    unsigned cost = 0;
    TRY(entry_row_parse(value, &row));
    TRY(purge_cost(c, &row.entry, &cost));
    if (cost > *left && *left < PURGE_ENTRIES_MAX) { /* one is always taken */
        *left = 0;
        return ERR_OK;
    }
    *left -= MIN(*left, cost);
    store_batch_del(c->batch, STORE_ROWS, row_slice(&grave));
    store_batch_del(c->batch, STORE_ROWS, due_key);
    usage_entry(c, &row.entry, -1);
    return blob_release_value(c, value);
}

static enum err purge_bucket(struct commit *c, struct slice bucket, uint64_t before_ms, unsigned *left) {
    struct store *s = c->k->store;
    struct row_key from;
    struct row_key to;
    row_begin(&from, ROW_DUE);
    row_put(&from, bucket);
    to = from;
    if (before_ms < UINT64_MAX) row_put_u64(&to, before_ms + 1);
    else ASSERT(row_after(&to));
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, row_slice(&to));
    enum err e = ERR_OK;
    for (store_iter_seek(s, it, row_slice(&from)); e == ERR_OK && *left > 0 && store_iter_valid(s, it); store_iter_next(s, it)) {
        struct slice key = store_iter_key(s, it);
        if (!apply_deleted(c, key)) e = purge_one(c, key, left);
    }
    if (e == ERR_OK) e = store_iter_status(s, it);
    store_iter_close(s, it);
    return e == ERR_MISSING ? ERR_CORRUPT : e; /* a due row without its grave row */
}

enum err grave_purge(struct commit *c, const struct command *cmd) {
    struct command walk = *cmd;
    struct slice bucket;
    bool gone = false;
    unsigned left = PURGE_ENTRIES_MAX;
    while (left > 0 && command_next_bucket(&walk, &bucket, &gone)) {
        TRY(purge_bucket(c, bucket, cmd->before_ms, &left));
        if (gone && left > 0) TRY(upload_purge(c, bucket, &left));
    }
    return ERR_OK;
}
