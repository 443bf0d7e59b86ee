/* SPDX-License-Identifier: Apache-2.0
 * grave: what stopped being current stays restorable until it is due, and is then taken apart.
 * Role: apply buries, looks up for UNDELETE, and purges, all as rows of the committer's batch.
 * Trusts: the command's time: a re-sent command gives the same rows. Distrusts: nothing.
 * Spec: docs/spec/entry.md sections 2 and 3; DESIGN rule 12
 */
#include "keeper/keeper.h"

/* G: bucket key 00 inverse leaf of the burial -> u64 due, value as in E.  D: bucket due inverse-leaf key -> empty. */
enum err grave_bury(struct commit *c, struct slice bucket, struct slice key, struct slice value, uint64_t due_ms, uint64_t index) {
    struct row_key grave;
    struct row_key due;
    row_object(&grave, ROW_GRAVE, bucket, key);
    row_put_u64(&grave, ~index);
    row_begin(&due, ROW_DUE);
    row_put(&due, bucket);
    row_put_u64(&due, due_ms);
    row_put_u64(&due, ~index);
    row_put(&due, key);
    struct slice seen = {0};
    bool buried_once = store_batch_get(c->batch, STORE_ROWS, row_slice(&grave), &seen) != STORE_PUT;
    ASSERT(buried_once); /* a batch names a key once */
    struct buf *b = &c->scratch2;
    buf_reset(b);
    buf_put_u64(b, due_ms);
    buf_put_slice(b, value);
    ASSERT(buf_ok(b));
    store_batch_put(c->batch, STORE_ROWS, row_slice(&grave), buf_slice(b));
    store_batch_put(c->batch, STORE_ROWS, row_slice(&due), (struct slice){0});
    return ERR_OK;
}

static bool in_batch_deleted(struct commit *c, struct slice key) {
    struct slice seen = {0};
    return store_batch_get(c->batch, STORE_ROWS, key, &seen) == STORE_DELETED;
}

/* The buried version of the key whose own leaf is grave_leaf. ERR_MISSING: purged, or never there. */
enum err grave_lookup(struct commit *c, const struct command_item *i, uint8_t row[ROW_KEY_BYTES_MAX], size_t *row_n, struct buf *value) {
    struct store *s = c->k->store;
    struct row_key from;
    struct row_key to;
    row_object(&from, ROW_GRAVE, i->bucket, i->key);
    to = from;
    ASSERT(row_after(&to));
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, row_slice(&to));
    enum err e = ERR_MISSING;
    unsigned looked = 0;
    for (store_iter_seek(s, it, row_slice(&from)); store_iter_valid(s, it) && looked < GRAVE_LOOK_MAX; store_iter_next(s, it), looked++) {
        struct slice v = store_iter_value(s, it);
        struct slice key = store_iter_key(s, it);
        struct entry_row parsed;
        if (v.n < 8 || entry_row_parse(slice_of(v.p + 8, v.n - 8), &parsed) != ERR_OK) {
            e = ERR_CORRUPT;
            break;
        }
        if (parsed.entry.leaf != i->grave_leaf || in_batch_deleted(c, key)) continue;
        ASSERT(key.n <= ROW_KEY_BYTES_MAX);
        memcpy(row, key.p, key.n);
        *row_n = key.n;
        buf_reset(value);
        buf_put_slice(value, v);
        e = buf_ok(value) ? ERR_OK : ERR_LIMIT;
        break;
    }
    if (e == ERR_MISSING && store_iter_status(s, it) != ERR_OK) e = ERR_IO;
    store_iter_close(s, it);
    return e;
}

static enum err purge_one(struct commit *c, struct slice due_key) {
    const size_t head = 1 + ID_BYTES;
    if (due_key.n <= head + 16) return ERR_CORRUPT;
    struct row_key grave;
    row_object(&grave, ROW_GRAVE, slice_of(due_key.p + 1, ID_BYTES), slice_of(due_key.p + head + 16, due_key.n - head - 16));
    row_put(&grave, slice_of(due_key.p + head + 8, 8));
    TRY(apply_get(c, STORE_ROWS, row_slice(&grave), &c->scratch));
    if (c->scratch.n < 8) return ERR_CORRUPT;
    struct slice value = slice_of(c->scratch.p + 8, c->scratch.n - 8);
    struct entry_row row;
    TRY(entry_row_parse(value, &row));
    store_batch_del(c->batch, STORE_ROWS, row_slice(&grave));
    store_batch_del(c->batch, STORE_ROWS, due_key);
    return apply_release(c, &row.entry, value);
}

enum err grave_purge(struct commit *c, const struct command *cmd) {
    struct store *s = c->k->store;
    struct command walk = *cmd;
    struct slice bucket;
    unsigned left = PURGE_ENTRIES_MAX;
    while (left > 0 && command_next_bucket(&walk, &bucket)) {
        struct row_key from;
        struct row_key to;
        row_begin(&from, ROW_DUE);
        row_put(&from, bucket);
        to = from;
        if (cmd->before_ms < UINT64_MAX) row_put_u64(&to, cmd->before_ms + 1);
        else ASSERT(row_after(&to));
        struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, row_slice(&to));
        enum err e = ERR_OK;
        for (store_iter_seek(s, it, row_slice(&from)); e == ERR_OK && left > 0 && store_iter_valid(s, it); store_iter_next(s, it)) {
            struct slice key = store_iter_key(s, it);
            if (in_batch_deleted(c, key)) continue;
            left--;
            e = purge_one(c, key);
        }
        if (e == ERR_OK) e = store_iter_status(s, it);
        store_iter_close(s, it);
        if (e == ERR_MISSING) e = ERR_CORRUPT; /* a due row without its grave row */
        TRY(e);
    }
    return ERR_OK;
}
