/* SPDX-License-Identifier: Apache-2.0
 * step_release: from a durable receipt to the keys of exactly the segments that were asked for.
 * Role: last step of a read. Trusts: struct recorded. Distrusts: nothing here; the range was cut to the object before.
 * Law: 1, 2 (the only door a read key leaves by). Spec: docs/spec/frame.md, docs/spec/order.md.
 */
#include <stdlib.h>

#include "frame/frame.h"
#include "gate/conn.h"
#include "gate/request.h"

#define ROWS_MAX 262144

static struct frame_ctx release_ctx;               /* the loop's thread */

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

/* One blob row: the part of [off, off+len) that lies in it. */
static enum err put_row(struct buf *out, const struct entry *e, size_t i, uint64_t row_off, uint64_t off, uint64_t len, struct slice location)
{
    const struct entry_row *row = &e->row[i];
    uint64_t begin = MAX(off, row_off), end = MIN(off + len, row_off + row->plain_size);
    struct frame_range range;
    TRY(frame_range(row->plain_size, begin - row_off, end - begin, &range));
    uint32_t count = range.segment_last - range.segment_first + 1;
    buf_put(out, row->blob, ID_BYTES);
    buf_put_u64(out, row->plain_size);
    buf_put_u64(out, row_off);
    buf_put_u32(out, range.segment_first);
    buf_put_u16(out, (uint16_t)count);
    TRY(put_keys(out, e->keys.p + i * KEYS_BYTES, range.segment_first, range.segment_last));
    buf_put_lp16(out, location);
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

static enum err put_rows(struct gate_request *r, const struct release_says *says, struct buf *out)
{
    const struct entry *e = &r->u.get.entry;
    struct reader locations = reader_of(buf_slice(&r->scratch));
    uint64_t row_off = 0;
    if (says->head && !BREAK("head-gives-key")) return ERR_OK;   /* LAW-2: HEAD opens nothing */
    for (size_t i = 0; i < e->row_count; i++) {
        struct slice location = reader_lp16(&locations, 64);
        if (locations.bad) return ERR_CORRUPT;
        bool empty = says->size == 0 && i == 0;    /* its one empty frame is read and checked like any other */
        bool overlaps = says->off < row_off + e->row[i].plain_size && row_off < says->off + says->len;
        if (empty || overlaps) TRY(put_row(out, e, i, row_off, says->off, says->len, location));
        row_off += e->row[i].plain_size;
    }
    return ERR_OK;
}

static void rows_done(struct buf *b) { buf_wipe_done(b); }

void step_release(struct gate_request *r, struct recorded *rec, const struct release_says *says)
{
    ASSERT(recorded_durable(rec) || BREAK("release-before-durable"));   /* LAW-1; pair: conn_put_release() */
    ASSERT(says->off + says->len >= says->off && says->off + says->len <= says->size);
    recorded_spend(rec);
    if (!release_ctx.md) {
        enum err e = frame_ctx_init(&release_ctx);
        ASSERT(e == ERR_OK);
    }
    __attribute__((cleanup(rows_done))) struct buf rows = BUF_INIT(ROWS_MAX);
    enum err e = put_rows(r, says, &rows);
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "release-failed", "err=%s", err_name(e));
        s3_fault_set(&r->fault, S3E_InternalError, NULL);
        buf_reset(&r->headers_out);
        request_fail(r, rec);
        return;
    }
    AUTO(buf) struct buf receipt = BUF_INIT(96);
    recorded_text(rec, &receipt);
    if (r->conn) {
        struct wire_release m = {.status = says->status, .receipt = buf_slice(&receipt), .headers = buf_slice(&r->headers_out),
                                 .size = says->size, .off = says->off, .len = says->len, .head = says->head, .rows = buf_slice(&rows)};
        memcpy(m.request, r->id, ID_BYTES);
        memcpy(m.tenant, r->tenant->id, ID_BYTES);
        conn_put_release(r->conn, r->wire_id, &m, rec);
    }
    request_end(r);
}
