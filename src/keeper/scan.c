/* SPDX-License-Identifier: Apache-2.0
 * scan: one page of a listing: rows in key order with common prefixes folded, from one snapshot, in slices of the loop's time.
 * Role: gate's SCAN -> ROWS; the gate opens the facts and appends the leaf.
 * Trusts: the gate. Distrusts: sizes: rows, bytes and rows looked at are bounded, and `more` says honestly that a bound was met.
 * Spec: docs/spec/wire.md (SCAN, ROWS); DESIGN rule 9
 */
#include "keeper/keeper.h"

#include <stdlib.h>

#define SCAN_CLOCK_ROWS 16 /* rows between two looks at the clock */

struct scan {
    struct list node;
    struct loop_job job;
    struct keeper *k;
    uint64_t wire_id, as_of;
    uint8_t bucket[ID_BYTES];
    struct buf prefix, delimiter, after;
    uint32_t rows_max, budget, count, looked;
    struct store_snap *snap;
    struct store_iter *it;
    struct buf rows;
    size_t bytes;
    struct buf next; /* what the page ends behind */
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
    store_snap_close(k->store, s->snap);
    buf_done(&s->prefix);
    buf_done(&s->delimiter);
    buf_done(&s->after);
    buf_done(&s->rows);
    buf_done(&s->next);
    free(s);
}

static void emit(struct scan *s, uint8_t kind, struct slice key, uint64_t leaf, struct slice facts) {
    size_t need = 1 + 2 + key.n + 8 + 2 + facts.n;
    if (s->rows.n + need > SCAN_PAGE_BYTES_MAX) send_rows(s, false, false, false);
    buf_put_u8(&s->rows, kind);
    buf_put_lp16(&s->rows, key);
    buf_put_u64(&s->rows, leaf);
    buf_put_lp16(&s->rows, facts);
    ASSERT(buf_ok(&s->rows));
    s->count++;
    s->bytes += need;
}

static void set_next(struct scan *s, struct slice key) {
    buf_reset(&s->next);
    buf_put_slice(&s->next, key);
}

static void scan_row_key(const struct scan *s, struct row_key *k, struct slice tail) {
    row_begin(k, ROW_ENTRY);
    row_put(k, slice_of(s->bucket, ID_BYTES));
    row_put(k, tail);
}

static void seek_past(struct scan *s, struct slice common) {
    struct row_key to;
    scan_row_key(s, &to, common);
    ASSERT(row_after(&to));
    store_iter_seek(s->k->store, s->it, row_slice(&to));
}

/* The common prefix that key folds into; n is 0 when it is a row of its own. */
static struct slice fold(const struct scan *s, struct slice key) {
    size_t from = s->prefix.n;
    if (s->delimiter.n == 0 || key.n <= from) return (struct slice){0};
    const uint8_t *at = memmem(key.p + from, key.n - from, s->delimiter.p, s->delimiter.n);
    return at == NULL ? (struct slice){0} : slice_of(key.p, (size_t)(at - key.p) + s->delimiter.n);
}

/* One row: moves the iterator on. */
static enum err scan_row(struct scan *s) {
    struct store *st = s->k->store;
    const size_t head = 1 + ID_BYTES;
    struct slice row = store_iter_key(st, s->it);
    if (row.n < head + 2) return ERR_CORRUPT;
    struct slice key = slice_of(row.p + head, row.n - head - 1);
    struct slice common = fold(s, key);
    s->looked++;
    if (common.n > 0) {
        set_next(s, common);
        if (slice_cmp(common, buf_slice(&s->after)) > 0) emit(s, 1, common, 0, (struct slice){0});
        seek_past(s, buf_slice(&s->next));
        return ERR_OK;
    }
    struct entry_row parsed;
    TRY(entry_row_parse(store_iter_value(st, s->it), &parsed));
    set_next(s, key);
    if ((parsed.entry.flags & ENTRY_FLAG_DELETE_MARKER) == 0) emit(s, 0, key, parsed.entry.leaf, parsed.entry.facts);
    store_iter_next(st, s->it);
    return ERR_OK;
}

/* More to do: true. */
static bool scan_run(struct loop_job *job, uint64_t budget_us) {
    struct scan *s = job->ctx;
    struct store *st = s->k->store;
    uint64_t end = clock_mono_us() + budget_us;
    enum err e = ERR_OK;
    unsigned n = 0;
    bool full = false;
    while (e == ERR_OK && store_iter_valid(st, s->it)) {
        full = s->count >= s->rows_max || s->looked >= s->budget || s->bytes >= SCAN_ANSWER_BYTES_MAX;
        if (full) break;
        if (++n % SCAN_CLOCK_ROWS == 0 && clock_mono_us() >= end) return true;
        e = scan_row(s);
    }
    if (e == ERR_OK && !full) e = store_iter_status(st, s->it);
    send_rows(s, true, full, e != ERR_OK);
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

static void scan_start(struct scan *s) {
    struct store *st = s->k->store;
    struct slice after = buf_slice(&s->after);
    struct slice prefix = buf_slice(&s->prefix);
    struct row_key upper;
    scan_row_key(s, &upper, prefix);
    ASSERT(row_after(&upper));
    s->it = store_iter_open(st, s->snap, STORE_ROWS, row_slice(&upper));
    struct slice common = slice_starts(after, prefix) ? fold(s, after) : (struct slice){0};
    if (common.n > 0) {
        seek_past(s, common); /* its whole group lies at or below `after` */
        return;
    }
    struct row_key from;
    if (after.n > 0 && slice_cmp(after, prefix) >= 0) {
        scan_row_key(s, &from, after);
        row_put_u8(&from, 1); /* the row of `after` itself goes on with 00 */
    } else {
        scan_row_key(s, &from, prefix);
    }
    store_iter_seek(st, s->it, row_slice(&from));
}

static struct buf copy_of(struct slice s) {
    struct buf b = BUF_INIT(S3_KEY_BYTES_MAX);
    buf_put_slice(&b, s);
    ASSERT(buf_ok(&b));
    return b;
}

void scan_begin(struct keeper *k, uint64_t wire_id, const struct wire_scan *m) {
    bool able = k->store != NULL && !k->down && k->scan_count < KEEPER_SCANS_MAX;
    if (!able) {
        struct wire_rows none = {.last = 1, .failed = 1};
        enum err e = wire_put_rows(wire_conn_out(k->gate), wire_id, &none);
        ASSERT(e == ERR_OK);
        wire_conn_kick(k->gate);
        return;
    }
    struct scan *s = calloc(1, sizeof *s);
    ASSERT(s != NULL);
    s->k = k;
    s->wire_id = wire_id;
    memcpy(s->bucket, m->bucket, ID_BYTES);
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
        return;
    }
    scan_start(s);
    loop_job_add(k->loop, &s->job);
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
