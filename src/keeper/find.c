/* SPDX-License-Identifier: Apache-2.0
 * find: FIND for the gate: one entry, or rows of a part set.
 * Role: gate's FIND -> entry, locations, part rows; on the path of every GET.
 * Trusts: the index. Distrusts: how much a set holds: an answer is bounded, and `more` says honestly that it goes on.
 * Spec: docs/spec/wire.md (FIND, FOUND), docs/spec/entry.md section 3
 */
#include "keeper/keeper.h"

/* What an answer points into until it is sent. */
struct find {
    struct keeper *k;
    const struct wire_find *q;
    struct wire_found m;
    struct store_snap *snap;                      /* where two rows must be of one moment */
    struct store_pin pin;
    struct store_iter *it;
};

static void find_answer(struct keeper *k, uint64_t id, struct wire_found *m) {
    enum err e = wire_put_found(wire_conn_out(k->gate), id, m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(k->gate);
}

static struct slice bucket_of(const struct find *f) { return slice_of(f->q->bucket, ID_BYTES); }

/* Into f->pin; what it held goes. */
static enum err get(struct find *f, const struct row_key *key) {
    struct keeper *k = f->k;
    if (f->pin.hold != NULL) store_unpin(k->store, &f->pin);
    f->pin = (struct store_pin){0};
    return f->snap != NULL ? store_snap_get(k->store, f->snap, STORE_ROWS, row_slice(key), &f->pin)
                           : store_get(k->store, STORE_ROWS, row_slice(key), &f->pin);
}

static enum err found_value(struct find *f, struct slice value, struct entry_row *row) {
    TRY(entry_row_parse(value, row));
    struct buf *list = &f->k->list_buf;
    buf_reset(list);
    for (size_t i = 0; i < row->entry.blob_count; i++) buf_put_lp16(list, row->locations[i]);
    f->m.present = WIRE_FOUND_PRESENT;
    f->m.entry = row->entry.raw;
    f->m.locations = buf_slice(list);
    return ERR_OK;
}

/* part sets ------------------------------------------------------------------------------------------------------------- */

static void set_open(struct find *f, const uint8_t set[ID_BYTES]) {
    struct row_key upper;
    row_set(&upper, set);
    ASSERT(row_after(&upper));
    f->it = store_iter_open(f->k->store, f->snap, STORE_ROWS, row_slice(&upper));
}

/* The iterator's row when it is one of the set: ERR_MISSING past either end. */
static enum err set_at(struct find *f, const uint8_t set[ID_BYTES], struct set_row *row) {
    struct store *s = f->k->store;
    struct row_key prefix;
    if (!store_iter_valid(s, f->it)) {
        TRY(store_iter_status(s, f->it));
        return ERR_MISSING;
    }
    row_set(&prefix, set);
    if (!slice_starts(store_iter_key(s, f->it), row_slice(&prefix))) return ERR_MISSING;
    return set_row_parse(store_iter_key(s, f->it), store_iter_value(s, f->it), row);
}

/* The row that holds the byte at off, or the last before it: one seek, however many parts there are. */
static enum err set_seek(struct find *f, const uint8_t set[ID_BYTES], uint64_t off, struct set_row *row) {
    struct row_key key;
    row_set(&key, set);
    row_put_u64(&key, off);
    store_iter_seek_back(f->k->store, f->it, row_slice(&key));
    return set_at(f, set, row);
}

/* Rows from the iterator's on, up to the one that begins at or past end, as many as an answer holds. */
static enum err set_rows(struct find *f, const uint8_t set[ID_BYTES], uint64_t end, size_t rows_max) {
    struct buf *list = &f->k->part_buf;
    struct set_row row;
    enum err e;
    buf_reset(list);
    for (size_t n = 0; (e = set_at(f, set, &row)) == ERR_OK && row.off < end; n++) {
        if (n >= rows_max || list->n + WIRE_PART_ROW_BYTES_MAX > FOUND_PARTS_BYTES_MAX) {
            f->m.more = 1;
            break;
        }
        const struct wire_part_row out = {.number = row.number, .off = row.off, .plain_size = row.plain_size,
                                          .blob = slice_of(row.blob, ID_BYTES), .cipher_size = row.cipher_size,
                                          .location = row.location, .sealed = row.sealed};
        wire_put_part_row(list, &out);
        store_iter_next(f->k->store, f->it);
    }
    ASSERT(buf_ok(list));
    f->m.parts = buf_slice(list);
    return e == ERR_MISSING ? ERR_OK : e;
}

static enum err set_range(struct find *f, const uint8_t set[ID_BYTES]) {
    uint64_t off = f->q->off;
    uint64_t end = f->q->len > UINT64_MAX - off ? UINT64_MAX : off + f->q->len;
    struct set_row row;
    set_open(f, set);
    TRY(set_seek(f, set, off, &row)); /* ERR_MISSING: no such set, for the first row of each is at 0 */
    if (f->q->len == 0) return ERR_OK;
    if (row.plain_size <= off - row.off) store_iter_next(f->k->store, f->it); /* it ends before */
    return set_rows(f, set, end, FOUND_PARTS_MAX);
}

/* Between two rows of a set, lo below the number and hi at or above it: where to look next. Parts are mostly of one size, so that the
 * guess is; every second time the middle is taken, so that no choice of sizes makes it walk. */
static uint64_t probe_between(const struct set_row *lo, const struct set_row *hi, uint16_t number, unsigned round) {
    uint64_t gap = hi->off - lo->off;
    if (round % 2 == 1) return lo->off + gap / 2;
    uint64_t step = gap / (uint64_t)(hi->number - lo->number);
    return lo->off + step * (uint64_t)(number - lo->number) + step / 2;
}

/* Leaves the iterator at the first row whose number is at least `number`; ERR_MISSING: there is none. Numbers ascend with offsets. */
static enum err set_seek_number(struct find *f, const uint8_t set[ID_BYTES], uint16_t number) {
    struct set_row lo;
    struct set_row hi;
    TRY(set_seek(f, set, 0, &lo));
    if (lo.number >= number) return ERR_OK;
    TRY(set_seek(f, set, UINT64_MAX, &hi));
    if (hi.number < number) return ERR_MISSING;
    for (unsigned round = 0; round < SETPART_PROBES_MAX; round++) {
        if (hi.number <= lo.number || hi.off <= lo.off) return ERR_CORRUPT;
        if (hi.number - lo.number == 1) return set_seek(f, set, hi.off, &hi);
        struct set_row row;
        TRY(set_seek(f, set, MIN(probe_between(&lo, &hi, number, round), hi.off - 1), &row));
        if (row.off > lo.off) {
            if (row.number < number) lo = row;
            else hi = row;
            continue;
        }
        store_iter_next(f->k->store, f->it); /* the probe fell into lo: its neighbour is nearer than any other guess */
        TRY(set_at(f, set, &row));
        if (row.number >= number) return ERR_OK;
        lo = row;
    }
    return ERR_CORRUPT;
}

/* Whether there is such a set its count says: looking for rows that are gone would walk over all that was removed around them. */
static enum err find_set(struct find *f) {
    struct row_key key;
    row_begin(&key, ROW_BLOB);
    row_put(&key, slice_of(f->q->id, ID_BYTES));
    TRY(get(f, &key));
    f->m.present = WIRE_FOUND_PRESENT;
    enum err e;
    if (f->q->mode == WIRE_FIND_SET) {
        e = set_range(f, f->q->id);
        return e == ERR_MISSING ? ERR_CORRUPT : e;
    }
    set_open(f, f->q->id);
    e = set_seek_number(f, f->q->id, f->q->number);
    if (e == ERR_MISSING) return ERR_OK; /* past its last part */
    TRY(e);
    return set_rows(f, f->q->id, UINT64_MAX, MIN(f->q->rows_max, (uint32_t)FOUND_PARTS_MAX));
}

/* entries --------------------------------------------------------------------------------------------------------------- */

static enum err found_version(struct find *f, bool current) {
    struct entry_row row;
    TRY(found_value(f, f->pin.value, &row));
    f->m.current = current;
    if (row.entry.set == NULL || f->q->len == 0) return ERR_OK;
    enum err e = set_range(f, row.entry.set);
    return e == ERR_MISSING ? ERR_CORRUPT : e;
}

static enum err null_index(struct find *f, uint64_t *out) {
    struct row_key key;
    row_object(&key, ROW_NULL, bucket_of(f), f->q->key);
    enum err e = get(f, &key);
    *out = COMMAND_GUARD_ABSENT;
    if (e == ERR_MISSING) return ERR_OK;
    TRY(e);
    if (f->pin.value.n != 8) return ERR_CORRUPT;
    *out = get_be64(f->pin.value.p);
    return ERR_OK;
}

/* Its guards are read under the key's hold, and a read of a key that is being written is found again: no snapshot. */
static enum err find_current(struct find *f) {
    struct row_key key;
    if (f->q->want_null == 1) TRY(null_index(f, &f->m.null_index));
    row_object(&key, ROW_ENTRY, bucket_of(f), f->q->key);
    TRY(get(f, &key));
    return found_version(f, true);
}

static enum err find_version_row(struct find *f, uint64_t leaf) {
    struct row_key key;
    row_version(&key, bucket_of(f), f->q->key, leaf);
    TRY(get(f, &key));
    return found_version(f, false);
}

/* leaf: COMMAND_GUARD_ABSENT for the null version, which is the noncurrent one that U names or the current one. */
static enum err find_version(struct find *f, bool null, uint64_t leaf) {
    struct row_key key;
    struct entry_row row;
    f->snap = store_snap_open(f->k->store);
    if (null) TRY(null_index(f, &leaf));
    if (null && leaf != COMMAND_GUARD_ABSENT) return find_version_row(f, leaf);
    row_object(&key, ROW_ENTRY, bucket_of(f), f->q->key);
    enum err e = get(f, &key);
    if (e == ERR_MISSING && !null) return find_version_row(f, leaf);
    TRY(e);
    TRY(entry_row_parse(f->pin.value, &row));
    bool wanted = null ? (row.entry.flags & ENTRY_FLAG_NULL) != 0 : row.entry.leaf == leaf;
    if (wanted) return found_version(f, true);
    return null ? ERR_MISSING : find_version_row(f, leaf);
}

/* The newest burial of the key: the inverse leaf index puts it first. */
static enum err find_grave(struct find *f) {
    struct store *s = f->k->store;
    struct row_key from;
    struct row_key to;
    struct entry_row row;
    row_object(&from, ROW_GRAVE, bucket_of(f), f->q->key);
    to = from;
    ASSERT(row_after(&to));
    f->it = store_iter_open(s, NULL, STORE_ROWS, row_slice(&to));
    store_iter_seek(s, f->it, row_slice(&from));
    if (!store_iter_valid(s, f->it)) {
        TRY(store_iter_status(s, f->it));
        return ERR_MISSING;
    }
    struct slice v = store_iter_value(s, f->it);
    if (v.n < 8) return ERR_CORRUPT;
    f->m.due_ms = get_be64(v.p);
    return found_value(f, slice_of(v.p + 8, v.n - 8), &row);
}

static enum err find_upload(struct find *f) {
    struct row_key key;
    struct entry e;
    row_upload(&key, bucket_of(f), f->q->key, f->q->id);
    TRY(get(f, &key));
    TRY(entry_parse(f->pin.value, &e));
    f->m.present = WIRE_FOUND_PRESENT;
    f->m.entry = e.raw;
    return ERR_OK;
}

static enum err find_part(struct find *f) {
    struct row_key key;
    struct entry_row row;
    row_parts(&key, f->q->id);
    row_put_u16(&key, f->q->number);
    TRY(get(f, &key));
    return found_value(f, f->pin.value, &row);
}

static enum err find_any(struct find *f) {
    uint8_t mode = f->q->mode;
    if (mode == WIRE_FIND_SET || mode == WIRE_FIND_SETPART) return find_set(f);
    if (f->q->key.n == 0 || memchr(f->q->key.p, 0, f->q->key.n) != NULL) return ERR_MISSING; /* no object can have such a key */
    switch (mode) {
    case WIRE_FIND_CURRENT: return find_current(f);
    case WIRE_FIND_GRAVE: return find_grave(f);
    case WIRE_FIND_NULLVER: return find_version(f, true, COMMAND_GUARD_ABSENT);
    case WIRE_FIND_VERSION: return find_version(f, false, f->q->index);
    case WIRE_FIND_UPLOAD: return find_upload(f);
    default: return find_part(f);
    }
}

enum err read_find(struct keeper *k, uint64_t id, const struct wire_find *q) {
    if (q->mode > WIRE_FIND_SETPART || q->want_null > 1) return ERR_INPUT;
    struct find f = {.k = k, .q = q, .m = {.present = WIRE_FOUND_ABSENT, .null_index = COMMAND_GUARD_ABSENT}};
    bool able = k->store != NULL && !k->down;
    enum err e = able ? find_any(&f) : ERR_BUSY;
    if (e != ERR_OK) {
        f.m = (struct wire_found){.present = e == ERR_MISSING ? WIRE_FOUND_ABSENT : WIRE_FOUND_IO, .null_index = f.m.null_index};
    }
    find_answer(k, id, &f.m);
    if (f.pin.hold != NULL) store_unpin(k->store, &f.pin);
    if (f.it != NULL) store_iter_close(k->store, f.it);
    if (f.snap != NULL) store_snap_close(k->store, f.snap);
    return ERR_OK;
}
