/* SPDX-License-Identifier: Apache-2.0
 * usage: how many objects and stored bytes each log's commands keep, in a row that changes in the same batch as what it counts.
 * Role: version, upload, grave and blob say what is added or gone; apply writes the row; SETTLED and USAGE tell the gate, which holds quotas.
 * Trusts: that every row and blob that comes or goes is told here (model_test counts the index again). Distrusts: the row: what falls below
 *   nothing is ERR_CORRUPT.
 * Spec: docs/spec/entry.md section 3, table Q
 */
#include "keeper/apply.h"

#define VALUE_VERSION 1
#define VALUE_BYTES 17

enum err usage_parse(struct slice value, struct usage *out) {
    if (value.n != VALUE_BYTES) return ERR_CORRUPT;
    if (value.p[0] != VALUE_VERSION) return ERR_VERSION;
    *out = (struct usage){.objects = get_be64(value.p + 1), .bytes = get_be64(value.p + 9)};
    return ERR_OK;
}

void usage_begin(struct commit *c) { c->more_objects = c->more_bytes = 0; }

void usage_objects(struct commit *c, int64_t more) { c->more_objects += more; }

void usage_bytes(struct commit *c, uint64_t size, bool more) {
    ASSERT(size <= INT64_MAX);
    c->more_bytes += more ? (int64_t)size : -(int64_t)size;
}

void usage_entry(struct commit *c, const struct entry *e, int64_t more) {
    if ((e->flags & ENTRY_FLAG_DELETE_MARKER) == 0) usage_objects(c, more);
}

static enum err changed(uint64_t *at, int64_t more) {
    uint64_t less = more < 0 ? (uint64_t)-more : 0;
    if (less > *at || (more > 0 && (uint64_t)more > UINT64_MAX - *at)) return ERR_CORRUPT;
    *at = *at - less + (more > 0 ? (uint64_t)more : 0);
    return ERR_OK;
}

enum err usage_end(struct commit *c, struct commit_item *item) {
    struct row_key key;
    AUTO(buf) struct buf b = BUF_INIT(VALUE_BYTES);
    row_begin(&key, ROW_USAGE);
    row_put(&key, slice_of(item->log, ID_BYTES));
    item->usage = (struct usage){0};
    enum err e = apply_get(c, STORE_ROWS, row_slice(&key), &b);
    if (e == ERR_OK) e = usage_parse(buf_slice(&b), &item->usage);
    if (e != ERR_OK && e != ERR_MISSING) return e;
    if (c->more_objects == 0 && c->more_bytes == 0) return ERR_OK;
    TRY(changed(&item->usage.objects, c->more_objects));
    TRY(changed(&item->usage.bytes, c->more_bytes));
    buf_reset(&b);
    buf_put_u8(&b, VALUE_VERSION);
    buf_put_u64(&b, item->usage.objects);
    buf_put_u64(&b, item->usage.bytes);
    store_batch_put(c->batch, STORE_ROWS, row_slice(&key), buf_slice(&b));
    return ERR_OK;
}
