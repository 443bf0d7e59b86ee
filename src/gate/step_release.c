/* SPDX-License-Identifier: Apache-2.0
 * step_release: from a durable receipt to the keys of exactly the segments that were asked for.
 * Role: last step of a read. Trusts: struct recorded. Distrusts: rows of part sets, which the keeper gives; the range was cut to the object before.
 * Law: 1, 2 (the only door a read key leaves by). Spec: docs/spec/frame.md, docs/spec/entry.md, docs/spec/order.md.
 */
#include <stdlib.h>

#include "frame/frame.h"
#include "gate/conn.h"
#include "gate/request.h"

#define SEGMENT_BYTES ((uint64_t)SEGMENT_FRAMES * FRAME_PLAIN_BYTES)
#define ROWS_BYTES_MAX 262144                      /* of one RELEASE: wire.def */
#define ROW_FIXED_BYTES (ID_BYTES + 8 + 8 + 4 + 2 + 2)

static struct frame_ctx release_ctx;               /* the loop's thread */
static struct secret part_key;                     /* one part's at a time, in locked memory */

static enum err put_keys(struct buf *out, const uint8_t key[KEYS_BYTES], uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last; i++) {
        uint8_t *at = buf_room(out, FRAME_KEY_BYTES);
        if (!at) return ERR_LIMIT;
        TRY(frame_segment_key(&release_ctx, key, i, at));
        out->n += FRAME_KEY_BYTES;
    }
    return ERR_OK;
}

/* One blob at row_off of the object, and the part of [off, off+len) that lies in it. */
struct row_of {
    const uint8_t *blob, *key;
    uint64_t plain_size, row_off;
    struct slice location;
};

static enum err row_range(const struct row_of *row, uint64_t off, uint64_t len, struct frame_range *out)
{
    uint64_t begin = MAX(off, row->row_off), end = MIN(off + len, row->row_off + row->plain_size);
    return frame_range(row->plain_size, begin - row->row_off, end - begin, out);
}

static enum err put_row(struct buf *out, const struct row_of *row, const struct frame_range *range)
{
    uint32_t count = range->segment_last - range->segment_first + 1;
    buf_put(out, row->blob, ID_BYTES);
    buf_put_u64(out, row->plain_size);
    buf_put_u64(out, row->row_off);
    buf_put_u32(out, range->segment_first);
    buf_put_u16(out, (uint16_t)count);
    TRY(put_keys(out, row->key, range->segment_first, range->segment_last));
    buf_put_lp16(out, row->location);
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

/* An object of blob rows: all of them that overlap. */
static enum err put_rows(const struct request_get *q, struct buf *out)
{
    const struct release_says *says = &q->says;
    const struct entry *e = &q->entry;
    struct reader locations = reader_of(buf_slice(&q->locations));
    uint64_t row_off = 0;
    for (size_t i = 0; i < e->row_count; i++) {
        struct row_of row = {.blob = e->row[i].blob, .key = e->keys.p + i * KEYS_BYTES, .plain_size = e->row[i].plain_size, .row_off = row_off};
        struct frame_range range;
        row.location = reader_lp16(&locations, LOCATION_BYTES_MAX);
        if (locations.bad) return ERR_CORRUPT;
        bool empty = says->size == 0 && i == 0;    /* its one empty frame is read and checked like any other */
        bool overlaps = says->off < row_off + row.plain_size && row_off < says->off + says->len;
        if (empty || overlaps) {
            TRY(row_range(&row, says->off, says->len, &range));
            TRY(put_row(out, &row, &range));
        }
        row_off += row.plain_size;
    }
    return ERR_OK;
}

/* sets ---------------------------------------------------------------------------------------------------------------------- */

bool step_release_whole(const struct request_get *q) { return q->set_begun && q->released >= q->says.off + q->says.len; }

/* Whether the rows of the last FOUND hold the one that comes next. */
static bool next_row(const struct request_get *q, struct reader *list, struct wire_part_row *row)
{
    while (wire_next_part_row(list, row)) {
        bool empty = q->says.size == 0;
        if (row->off + row->plain_size > q->released || empty) return true;
    }
    return false;
}

bool step_release_rows_there(const struct request_get *q)
{
    struct reader list = reader_of(buf_slice(&q->parts));
    struct wire_part_row row;
    return next_row(q, &list, &row) && row.off <= q->released;
}

/* LAW-2: what the keeper says of a row counts for nothing; its seal says which part it is, and only at its place in its set does it open. */
enum err step_release_row(struct gate_request *r, const struct request_get *q, const struct wire_part_row *row, struct entry_part *part)
{
    uint64_t off = row->off;
    if (!part_key.n) TRY(secret_new(&part_key, KEYS_BYTES));
    wipe(part_key.p, part_key.n);
    TRY(entry_part_open(r->gate->crypto, &q->entry.keys, r->tenant->id, q->entry.set, off, row->sealed, part, part_key.p));
    uint64_t size = q->entry.facts.size;
    bool same = part->plain_size == row->plain_size && part->number == row->number && memcmp(part->blob, row->blob.p, ID_BYTES) == 0;
    return same && part->plain_size <= size && off <= size - part->plain_size ? ERR_OK : ERR_CORRUPT;
}

/* As many as fit of the rows that come next; parts lie one behind the other without a gap, so none can be left out. */
static enum err put_set_rows(struct gate_request *r, struct request_get *q, struct buf *out)
{
    struct reader list = reader_of(buf_slice(&q->parts));
    struct wire_part_row row;
    struct entry_part part;
    for (size_t count = 0; !step_release_whole(q) && count < WIRE_RELEASE_ROWS_MAX && next_row(q, &list, &row); count++) {
        struct frame_range range;
        bool gap = q->set_begun ? row.off != q->released : row.off > q->released;
        if (gap && !BREAK("set-row-gap")) return ERR_CORRUPT;
        TRY(step_release_row(r, q, &row, &part));
        struct row_of of = {.blob = part.blob, .key = part_key.p, .plain_size = part.plain_size, .row_off = row.off, .location = row.location};
        TRY(row_range(&of, q->says.off, q->says.len, &range));
        size_t need = ROW_FIXED_BYTES + (range.segment_last - range.segment_first + 1) * (size_t)FRAME_KEY_BYTES + row.location.n;
        if (out->n + need > ROWS_BYTES_MAX) break;
        TRY(put_row(out, &of, &range));
        q->released = row.off + row.plain_size;
        q->set_begun = true;
    }
    wipe(part_key.p, part_key.n);
    return list.bad || !out->n ? ERR_CORRUPT : ERR_OK;
}

/* under a grant: a segment at a time ------------------------------------------------------------------------------------------- */

/* The row that the next byte lies in; its key is a loan until the next row is opened. */
static enum err row_next(struct gate_request *r, const struct request_get *q, struct row_of *out, struct entry_part *part)
{
    const struct entry *e = &q->entry;
    struct wire_part_row row;
    if (e->flags & ENTRY_SET) {
        struct reader list = reader_of(buf_slice(&q->parts));
        if (!next_row(q, &list, &row) || row.off > q->released) return ERR_CORRUPT;
        TRY(step_release_row(r, q, &row, part));
        *out = (struct row_of){.blob = part->blob, .key = part_key.p, .plain_size = part->plain_size, .row_off = row.off, .location = row.location};
        return ERR_OK;
    }
    struct reader locations = reader_of(buf_slice(&q->locations));
    uint64_t row_off = 0;
    for (size_t i = 0; i < e->row_count; i++) {
        *out = (struct row_of){.blob = e->row[i].blob, .key = e->keys.p + i * KEYS_BYTES, .plain_size = e->row[i].plain_size, .row_off = row_off};
        out->location = reader_lp16(&locations, LOCATION_BYTES_MAX);
        row_off += out->plain_size;
        if (q->released < row_off || e->facts.size == 0) return locations.bad ? ERR_CORRUPT : ERR_OK;
    }
    return ERR_CORRUPT;
}

enum err step_release_segment(struct gate_request *r, struct request_get *q, struct request_opens *out)
{
    struct row_of row;
    struct entry_part part;
    ASSERT(q->metered && !step_release_whole(q));
    TRY(row_next(r, q, &row, &part));
    wipe(part_key.p, part_key.n);                  /* nothing is released yet */
    uint64_t at = q->released - row.row_off, first = at / SEGMENT_BYTES;
    uint64_t end = MIN((first + 1) * SEGMENT_BYTES, row.plain_size);
    if (BREAK("grant-unmetered")) end = row.plain_size;
    *out = (struct request_opens){.segment = first, .bytes = end - first * SEGMENT_BYTES, .off = q->released,
                                  .len = MIN(q->says.off + q->says.len, row.row_off + end) - q->released};
    return ERR_OK;
}

/* the frame ------------------------------------------------------------------------------------------------------------------ */

static void rows_done(struct buf *b) { buf_wipe_done(b); }

static void release_failed(struct gate_request *r, struct recorded *rec, enum err e)
{
    log_line(LOG_ERROR, "release-failed", "err=%s", err_name(e));
    s3_fault_set(&r->fault, S3E_InternalError, NULL);
    buf_reset(&r->headers_out);
    request_fail(r, rec);
}

static void release_begin(void)
{
    if (release_ctx.md) return;
    enum err e = frame_ctx_init(&release_ctx);
    ASSERT(e == ERR_OK);
}

/* first: it carries headers and the receipt is spent by it. */
static void release_put(struct gate_request *r, struct request_get *q, struct recorded *rec, bool first)
{
    const struct release_says *says = &q->says;
    ASSERT(recorded_durable(rec) || BREAK("release-before-durable"));   /* LAW-1; pair: conn_put_release() */
    __attribute__((cleanup(rows_done))) struct buf rows = BUF_INIT(ROWS_BYTES_MAX);
    bool set = q->entry.flags & ENTRY_SET, keys = !says->head || BREAK("head-gives-key");   /* LAW-2: HEAD opens nothing */
    if (set && says->head) keys = false;
    ASSERT(!keys || !verified_session(r->verified) || BREAK("head-gives-key"));      /* LAW-2: under a grant there is one door, step_release_metered() */
    release_begin();
    enum err e = !keys ? ERR_OK : set ? put_set_rows(r, q, &rows) : put_rows(q, &rows);
    if (e != ERR_OK) {
        release_failed(r, rec, e);
        return;
    }
    AUTO(buf) struct buf receipt = BUF_INIT(96);
    bool more = keys && set && !step_release_whole(q);
    recorded_text(rec, &receipt);
    if (first) request_cors(r);
    if (r->conn) {
        struct wire_release m = {.status = says->status, .receipt = buf_slice(&receipt), .size = says->size, .off = says->off, .len = says->len,
                                 .head = says->head, .more = more, .rows = buf_slice(&rows)};
        if (first) m.headers = buf_slice(&r->headers_out);
        memcpy(m.request, r->id, ID_BYTES);
        memcpy(m.tenant, r->tenant->id, ID_BYTES);
        conn_put_release(r->conn, r->wire_id, &m, rec);
    }
    q->awaits_next = more && r->conn;
    if (!q->copy && !q->awaits_next) request_end(r);
    else if (!q->copy) r->state = REQUEST_NEXT;
}

static enum err metered_rows(struct gate_request *r, const struct request_get *q, struct buf *out)
{
    struct row_of row;
    struct entry_part part;
    struct frame_range range;
    TRY(row_next(r, q, &row, &part));
    TRY(row_range(&row, r->opens.off, r->opens.len, &range));
    ASSERT(range.segment_first == r->opens.segment && (range.segment_last == range.segment_first || BREAK("grant-unmetered")));
    enum err e = put_row(out, &row, &range);
    wipe(part_key.p, part_key.n);
    return e;
}

static void release_metered_put(struct gate_request *r, const struct request_get *q, const struct recorded *rec, bool first, struct slice rows)
{
    AUTO(buf) struct buf receipt = BUF_INIT(96);
    recorded_text(rec, &receipt);
    if (first) request_cors(r);
    struct wire_release m = {.status = q->says.status, .receipt = buf_slice(&receipt), .size = q->says.size, .off = q->says.off, .len = q->says.len,
                             .metered = 1, .more = !step_release_whole(q), .rows = rows};
    if (first) m.headers = buf_slice(&r->headers_out);
    memcpy(m.request, r->id, ID_BYTES);
    memcpy(m.tenant, r->tenant->id, ID_BYTES);
    conn_put_release(r->conn, r->wire_id, &m, rec);
}

void step_release_metered(struct gate_request *r, struct request_get *q, struct recorded *rec)
{
    __attribute__((cleanup(rows_done))) struct buf rows = BUF_INIT(ROWS_BYTES_MAX);
    ASSERT(recorded_durable(rec));                 /* LAW-1; pair: conn_put_release() */
    if (!r->conn) {                                /* it may have been killed since: it holds nothing any more */
        request_end(r);
        return;
    }
    ASSERT(step_grant_lives(r));                   /* LAW-1: request_durable() has looked, in this turn; a dead grant releases nothing */
    ASSERT(q->metered && r->stream.holds && r->opens.known && decided_allow(r->decided));
    recorded_spend(rec);
    release_begin();
    enum err e = metered_rows(r, q, &rows);
    if (e != ERR_OK) {
        release_failed(r, rec, e);
        return;
    }
    bool first = !q->set_begun;
    q->released += r->opens.len;
    q->set_begun = true;
    release_metered_put(r, q, rec, first, buf_slice(&rows));
    r->next = q;
    q->awaits_next = true;
    r->stream.released = true;
    r->state = REQUEST_NEXT;
}

void step_release_from(struct gate_request *r, struct request_get *from, struct recorded *rec, const struct release_says *says)
{
    ASSERT(says->off + says->len >= says->off && says->off + says->len <= says->size);
    recorded_spend(rec);
    from->says = *says;
    from->spent = true;
    release_put(r, from, rec, true);
}

void step_release_next(struct gate_request *r, struct request_get *from)
{
    ASSERT(from->spent && !step_release_whole(from));
    release_put(r, from, request_recorded(r), false);
}
