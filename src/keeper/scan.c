/* SPDX-License-Identifier: Apache-2.0
 * scan: one page of a listing: objects, versions, uploads or parts, from one snapshot, in slices of the loop's time.
 * Role: gate's SCAN -> ROWS; the gate opens the facts and appends the leaf.
 * Trusts: the gate. Distrusts: sizes: rows, bytes and rows looked at are bounded, and `more` says honestly that a bound was met.
 * Spec: docs/spec/wire.md (SCAN, ROWS), docs/spec/entry.md section 4; DESIGN rule 9
 */
#include "keeper/keeper.h"

#include <stdlib.h>

#define SCAN_CLOCK_ROWS 16 /* rows between two looks at the clock */
#define SCAN_ROW_FIXED_BYTES 49 /* a scan row without its key and facts */

struct scan {
    struct list node;
    struct loop_job job;
    struct keeper *k;
    uint64_t wire_id, as_of;
    uint8_t kind;                                 /* WIRE_SCAN_* */
    uint8_t bucket[ID_BYTES], after_id[ID_BYTES], upload[ID_BYTES];
    uint64_t after_index;
    struct buf prefix, delimiter, after;
    uint32_t rows_max, budget, count, looked;
    struct store_snap *snap;
    struct store_iter *it;                        /* E rows; UPLOADS: M; PARTS: T */
    struct store_iter *kept;                      /* VERSIONS: V rows, merged with them */
    struct buf rows;
    size_t bytes;
    struct buf next;                              /* what the page ends behind */
    bool full;                                    /* a row is left, and none may come any more */
    bool between;                                 /* no `next` names where the scan is: the page may not end here */
};

static void send_rows(struct scan *s, bool last, bool more, bool failed) {
    struct keeper *k = s->k;
    struct wire_rows m = {.last = last, .more = more, .failed = failed, .rows = buf_slice(&s->rows)};
    if (last) {
        m.as_of = s->as_of;
        m.next = buf_slice(&s->next);
    }
    ASSERT(k->gate != NULL);
    enum err e = wire_put_rows(wire_conn_out(k->gate), s->wire_id, &m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(k->gate);
    buf_reset(&s->rows);
}

static void scan_free(struct scan *s) {
    struct keeper *k = s->k;
    loop_job_del(k->loop, &s->job);
    list_del(&s->node);
    k->scan_count--;
    store_iter_close(k->store, s->it);
    store_iter_close(k->store, s->kept);
    store_snap_close(k->store, s->snap);
    buf_done(&s->prefix);
    buf_done(&s->delimiter);
    buf_done(&s->after);
    buf_done(&s->rows);
    buf_done(&s->next);
    free(s);
}

static void emit(struct scan *s, const struct wire_scan_row *row) {
    size_t need = SCAN_ROW_FIXED_BYTES + row->key.n + row->facts.n;
    if (s->rows.n + need > SCAN_PAGE_BYTES_MAX) send_rows(s, false, false, false);
    wire_put_scan_row(&s->rows, row);
    ASSERT(buf_ok(&s->rows));
    s->count++;
    s->bytes += need;
}

static void emit_entry(struct scan *s, uint8_t kind, struct slice key, const struct entry *e, bool current) {
    const struct wire_scan_row row = {.kind = kind, .flags = e->flags, .current = current, .key = key, .leaf_index = e->leaf, .order = e->order,
                                      .revision = e->revision, .facts = e->facts};
    emit(s, &row);
}

static void set_next(struct scan *s, struct slice key) {
    buf_reset(&s->next);
    buf_put_slice(&s->next, key);
}

static void scan_row_key(const struct scan *s, struct row_key *k, uint8_t table, struct slice tail) {
    row_begin(k, table);
    row_put(k, slice_of(s->bucket, ID_BYTES));
    row_put(k, tail);
}

static uint8_t table_of(const struct scan *s) { return s->kind == WIRE_SCAN_UPLOADS ? ROW_UPLOAD : ROW_ENTRY; }

static void seek(struct scan *s, struct store_iter *it, const struct row_key *to) { store_iter_seek(s->k->store, it, row_slice(to)); }

static void seek_past(struct scan *s, struct slice common) {
    struct row_key to;
    scan_row_key(s, &to, table_of(s), common);
    ASSERT(row_after(&to));
    seek(s, s->it, &to);
    if (s->kept == NULL) return;
    scan_row_key(s, &to, ROW_VERSION, common);
    ASSERT(row_after(&to));
    seek(s, s->kept, &to);
}

/* The common prefix that key folds into; n is 0 when it is a row of its own. */
static struct slice fold(const struct scan *s, struct slice key) {
    size_t from = s->prefix.n;
    if (s->delimiter.n == 0 || key.n <= from) return (struct slice){0};
    const uint8_t *at = memmem(key.p + from, key.n - from, s->delimiter.p, s->delimiter.n);
    return at == NULL ? (struct slice){0} : slice_of(key.p, (size_t)(at - key.p) + s->delimiter.n);
}

/* one row ---------------------------------------------------------------------------------------------------------------- */

/* The object key in a row's key, of which `behind` bytes follow its 00; ERR_MISSING at the end. */
static enum err key_at(struct scan *s, struct store_iter *it, size_t behind, struct slice *key) {
    const size_t head = 1 + ID_BYTES;
    if (!store_iter_valid(s->k->store, it)) {
        TRY(store_iter_status(s->k->store, it));
        return ERR_MISSING;
    }
    struct slice row = store_iter_key(s->k->store, it);
    if (row.n < head + 2 + behind) return ERR_CORRUPT;
    *key = slice_of(row.p + head, row.n - head - 1 - behind);
    return ERR_OK;
}

/* VERSIONS: the current entry comes before the others of its key, which are newest first as they lie. */
static enum err pick(struct scan *s, struct store_iter **it, struct slice *key) {
    enum err e = key_at(s, s->it, s->kind == WIRE_SCAN_UPLOADS ? ID_BYTES : 0, key);
    *it = s->it;
    if (s->kept == NULL || (e != ERR_OK && e != ERR_MISSING)) return e;
    struct slice kept;
    enum err of_kept = key_at(s, s->kept, 8, &kept);
    if (of_kept == ERR_MISSING || (of_kept == ERR_OK && e == ERR_OK && slice_cmp(*key, kept) <= 0)) return e;
    TRY(of_kept);
    *key = kept;
    *it = s->kept;
    return ERR_OK;
}

/* A delete marker is passed over, and makes no common prefix. Where its key is itself the common prefix of a group, `after` of that name
 * would pass over the whole group: the page goes on to the next row. */
static void pass_marker(struct scan *s, struct slice key, struct slice common) {
    s->between = common.n > 0 && common.n == key.n;
    if (!s->between) set_next(s, key);
    store_iter_next(s->k->store, s->it);
}

static enum err scan_object(struct scan *s) {
    struct store *st = s->k->store;
    struct store_iter *it = NULL;
    struct slice key;
    struct entry_row parsed;
    TRY(pick(s, &it, &key));
    struct slice common = fold(s, key);
    s->looked++;
    s->between = false;
    if (s->kind == WIRE_SCAN_UPLOADS) TRY(entry_parse(store_iter_value(st, it), &parsed.entry));
    else TRY(entry_row_parse(store_iter_value(st, it), &parsed));
    if (s->kind == WIRE_SCAN_KEYS && (parsed.entry.flags & ENTRY_FLAG_DELETE_MARKER) != 0) {
        pass_marker(s, key, common);
        return ERR_OK;
    }
    if (s->count >= s->rows_max) { /* only now: markers alone behind the last row are not `more` */
        s->full = true;
        return ERR_OK;
    }
    if (common.n > 0) {
        const struct wire_scan_row row = {.kind = WIRE_ROW_PREFIX, .key = common};
        emit(s, &row);
        set_next(s, common);
        seek_past(s, buf_slice(&s->next));
        return ERR_OK;
    }
    if (s->kind == WIRE_SCAN_UPLOADS) {
        struct slice row = store_iter_key(st, it);
        const struct wire_scan_row out = {.kind = WIRE_ROW_UPLOAD, .flags = parsed.entry.flags, .key = key, .leaf_index = parsed.entry.leaf,
                                          .order = parsed.entry.order, .revision = parsed.entry.revision,
                                          .upload = slice_of(row.p + row.n - ID_BYTES, ID_BYTES), .facts = parsed.entry.facts};
        emit(s, &out);
    } else {
        bool marker = (parsed.entry.flags & ENTRY_FLAG_DELETE_MARKER) != 0;
        emit_entry(s, marker ? WIRE_ROW_MARKER : WIRE_ROW_ENTRY, key, &parsed.entry, it == s->it);
    }
    set_next(s, key);
    store_iter_next(st, it);
    return ERR_OK;
}

static enum err scan_part(struct scan *s) {
    struct store *st = s->k->store;
    struct entry_row parsed;
    if (!store_iter_valid(st, s->it)) {
        TRY(store_iter_status(st, s->it));
        return ERR_MISSING;
    }
    struct slice key = store_iter_key(st, s->it);
    if (key.n != 1 + ID_BYTES + 2) return ERR_CORRUPT;
    if (s->count >= s->rows_max) {
        s->full = true;
        return ERR_OK;
    }
    s->looked++;
    TRY(entry_row_parse(store_iter_value(st, s->it), &parsed));
    const struct entry *e = &parsed.entry;
    const struct wire_scan_row row = {.kind = WIRE_ROW_PART, .flags = e->flags, .leaf_index = e->leaf, .order = e->order, .revision = e->revision,
                                      .upload = slice_of(s->upload, ID_BYTES), .number = get_be16(key.p + 1 + ID_BYTES), .facts = e->raw};
    emit(s, &row);
    store_iter_next(st, s->it);
    return ERR_OK;
}

/* Whether there is a row to look at; ERR_MISSING at the end. */
static enum err scan_more(struct scan *s) {
    if (store_iter_valid(s->k->store, s->it)) return ERR_OK;
    if (s->kept != NULL && store_iter_valid(s->k->store, s->kept)) return ERR_OK;
    TRY(store_iter_status(s->k->store, s->it));
    if (s->kept != NULL) TRY(store_iter_status(s->k->store, s->kept));
    return ERR_MISSING;
}

/* More to do: true. */
static bool scan_run(struct loop_job *job, uint64_t budget_us) {
    struct scan *s = job->ctx;
    uint64_t end = clock_mono_us() + budget_us;
    unsigned n = 0;
    enum err e;
    while ((e = scan_more(s)) == ERR_OK) {
        if (!s->between && (s->looked >= s->budget || s->bytes >= SCAN_ANSWER_BYTES_MAX)) s->full = true;
        if (s->full) break;
        if (++n % SCAN_CLOCK_ROWS == 0 && clock_mono_us() >= end) return true;
        e = s->kind == WIRE_SCAN_PARTS ? scan_part(s) : scan_object(s);
        if (e != ERR_OK) break;
    }
    send_rows(s, true, s->full, e != ERR_OK && e != ERR_MISSING);
    scan_free(s);
    return false;
}

static enum err scan_as_of(struct scan *s, const uint8_t log[ID_BYTES]) {
    struct row_key key;
    struct store_pin pin;
    row_begin(&key, ROW_WATERMARK);
    row_put(&key, slice_of(log, ID_BYTES));
    enum err e = store_snap_get(s->k->store, s->snap, STORE_ROWS, row_slice(&key), &pin);
    if (e == ERR_MISSING) return ERR_OK;
    TRY(e);
    if (pin.value.n == 8) s->as_of = get_be64(pin.value.p);
    else e = ERR_CORRUPT;
    store_unpin(s->k->store, &pin);
    return e;
}

/* Behind `after`: behind all its rows, or only behind the one that after_index or after_id names. */
static void start_behind(struct scan *s, struct slice after) {
    static const uint8_t none[ID_BYTES];
    struct store *st = s->k->store;
    struct row_key from;
    struct slice key;
    scan_row_key(s, &from, table_of(s), after);
    if (s->kind == WIRE_SCAN_UPLOADS && memcmp(s->after_id, none, ID_BYTES) != 0) {
        row_put_u8(&from, 0);
        row_put(&from, slice_of(s->after_id, ID_BYTES));
        row_put_u8(&from, 0); /* the least key behind it */
        seek(s, s->it, &from);
        return;
    }
    bool within = s->kind == WIRE_SCAN_VERSIONS && s->after_index != 0;
    row_put_u8(&from, within ? 0 : 1); /* the rows of `after` itself go on with 00 */
    seek(s, s->it, &from);
    if (s->kept == NULL) return;
    struct entry_row row;
    bool own = within && key_at(s, s->it, 0, &key) == ERR_OK && slice_eq(key, after);
    if (own && entry_row_parse(store_iter_value(st, s->it), &row) == ERR_OK && row.entry.leaf >= s->after_index) store_iter_next(st, s->it);
    scan_row_key(s, &from, ROW_VERSION, after);
    row_put_u8(&from, within ? 0 : 1);
    if (within) row_put_u64(&from, ~s->after_index + 1);
    seek(s, s->kept, &from);
}

static void start_objects(struct scan *s) {
    struct store *st = s->k->store;
    struct slice after = buf_slice(&s->after);
    struct slice prefix = buf_slice(&s->prefix);
    struct row_key edge;
    scan_row_key(s, &edge, table_of(s), prefix);
    ASSERT(row_after(&edge));
    s->it = store_iter_open(st, s->snap, STORE_ROWS, row_slice(&edge));
    if (s->kind == WIRE_SCAN_VERSIONS) {
        scan_row_key(s, &edge, ROW_VERSION, prefix);
        ASSERT(row_after(&edge));
        s->kept = store_iter_open(st, s->snap, STORE_ROWS, row_slice(&edge));
    }
    struct slice common = slice_starts(after, prefix) ? fold(s, after) : (struct slice){0};
    if (common.n > 0 && common.n == after.n) {
        seek_past(s, common); /* `after` is a common prefix: its whole group was told */
    } else if (after.n > 0 && slice_cmp(after, prefix) >= 0) {
        start_behind(s, after);
    } else {
        scan_row_key(s, &edge, table_of(s), prefix);
        seek(s, s->it, &edge);
        if (s->kept == NULL) return;
        scan_row_key(s, &edge, ROW_VERSION, prefix);
        seek(s, s->kept, &edge);
    }
}

static void start_parts(struct scan *s) {
    struct row_key from;
    struct row_key upper;
    row_parts(&from, s->upload);
    upper = from;
    ASSERT(row_after(&upper));
    s->it = store_iter_open(s->k->store, s->snap, STORE_ROWS, row_slice(&upper));
    row_put_u16(&from, (uint16_t)(MIN(s->after_index, (uint64_t)PARTS_MAX) + 1)); /* no part has a number past PARTS_MAX */
    seek(s, s->it, &from);
}

static struct buf copy_of(struct slice s) {
    struct buf b = BUF_INIT(S3_KEY_BYTES_MAX);
    buf_put_slice(&b, s);
    ASSERT(buf_ok(&b));
    return b;
}

enum err scan_begin(struct keeper *k, uint64_t wire_id, const struct wire_scan *m) {
    if (m->kind > WIRE_SCAN_PARTS) return ERR_INPUT;
    bool able = k->store != NULL && !k->down && k->scan_count < KEEPER_SCANS_MAX;
    if (!able) {
        struct wire_rows none = {.last = 1, .failed = 1};
        enum err e = wire_put_rows(wire_conn_out(k->gate), wire_id, &none);
        ASSERT(e == ERR_OK);
        wire_conn_kick(k->gate);
        return ERR_OK;
    }
    struct scan *s = calloc(1, sizeof *s);
    ASSERT(s != NULL);
    s->k = k;
    s->wire_id = wire_id;
    s->kind = m->kind;
    s->after_index = m->after_index;
    memcpy(s->bucket, m->bucket, ID_BYTES);
    memcpy(s->after_id, m->after_id, ID_BYTES);
    memcpy(s->upload, m->upload, ID_BYTES);
    s->prefix = copy_of(m->prefix);
    s->delimiter = copy_of(m->delimiter);
    s->after = copy_of(m->after);
    s->rows_max = MIN(m->rows_max, (uint32_t)S3_LIST_KEYS_MAX);
    s->budget = MIN(m->budget, (uint32_t)SCAN_ROWS_BUDGET);
    buf_init(&s->rows, SCAN_PAGE_BYTES_MAX);
    buf_init(&s->next, S3_KEY_BYTES_MAX);
    buf_put_slice(&s->next, m->after);
    s->job = (struct loop_job){.run = scan_run, .ctx = s};
    list_add_tail(&k->scans, &s->node);
    k->scan_count++;
    s->snap = store_snap_open(k->store);
    if (scan_as_of(s, m->log) != ERR_OK) {
        send_rows(s, true, false, true);
        scan_free(s);
        return ERR_OK;
    }
    if (s->kind == WIRE_SCAN_PARTS) start_parts(s);
    else start_objects(s);
    loop_job_add(k->loop, &s->job);
    return ERR_OK;
}

/* The engine is about to be closed, or nobody waits any more. */
void scan_abort_all(struct keeper *k, bool answer) {
    while (!list_empty(&k->scans)) {
        struct scan *s = container_of(k->scans.next, struct scan, node);
        buf_reset(&s->rows);
        if (answer && k->gate != NULL) send_rows(s, true, false, true);
        scan_free(s);
    }
}
