/* SPDX-License-Identifier: Apache-2.0
 * list: the items of the lists that ride in BYTES fields.
 * Role: readers of headers, sums, release, listing and scan rows, cursors and notices, one item a call.
 * Distrusts: the peer's bytes; an item that does not fit sets the reader bad and ends the list.
 * Spec: docs/spec/wire.md ("lists")
 */
#include "wire/wire.h"

/* Nothing left is the end; a reader that is bad already stays so. */
static bool list_more(const struct reader *r) { return reader_left(r) > 0; }

bool wire_next_header(struct reader *r, struct wire_header *out) {
    if (!list_more(r)) return false;
    out->name = reader_lp16(r, UINT16_MAX);
    out->value = reader_lp16(r, UINT16_MAX);
    if (out->name.n == 0) r->bad = true;
    return !r->bad;
}

void wire_put_header(struct buf *b, struct slice name, struct slice value) {
    if (name.n == 0) b->bad = true;
    buf_put_lp16(b, name);
    buf_put_lp16(b, value);
}

bool wire_next_sum(struct reader *r, struct wire_sum_item *out) {
    if (!list_more(r)) return false;
    out->sum = reader_u8(r);
    out->digest = reader_lp16(r, WIRE_DIGEST_BYTES_MAX);
    if (out->sum == WIRE_SUM_NONE || out->sum > WIRE_SUM_XXHASH128) r->bad = true;
    return !r->bad;
}

bool wire_next_release_row(struct reader *r, struct wire_release_row *out) {
    if (!list_more(r)) return false;
    out->blob = reader_slice(r, ID_BYTES);
    out->plain_size = reader_u64(r);
    out->plain_off = reader_u64(r);
    out->first_segment = reader_u32(r);
    out->key_count = reader_u16(r);
    out->keys = reader_slice(r, (size_t)out->key_count * HASH_BYTES);
    out->location = reader_lp16(r, WIRE_LOCATION_BYTES_MAX);
    return !r->bad;
}

bool wire_next_listing_row(struct reader *r, struct wire_listing_row *out) {
    if (!list_more(r)) return false;
    out->kind = reader_u8(r);
    out->key = reader_lp16(r, S3_KEY_BYTES_MAX);
    out->size = reader_u64(r);
    out->mtime_ms = reader_u64(r);
    out->etag = reader_lp16(r, WIRE_ETAG_BYTES_MAX);
    out->sum = reader_u8(r);
    out->composite = reader_u8(r);
    out->sum_value = reader_lp16(r, WIRE_DIGEST_BYTES_MAX);
    out->id = reader_lp16(r, ID_TEXT_CHARS);
    out->latest = reader_u8(r);
    out->number = reader_u16(r);
    if (out->kind > WIRE_ROW_PART || out->sum > WIRE_SUM_XXHASH128 || out->composite > 1 || out->latest > 1) r->bad = true;
    return !r->bad;
}

void wire_put_listing_row(struct buf *b, const struct wire_listing_row *row) {
    buf_put_u8(b, row->kind);
    buf_put_lp16(b, row->key);
    buf_put_u64(b, row->size);
    buf_put_u64(b, row->mtime_ms);
    buf_put_lp16(b, row->etag);
    buf_put_u8(b, row->sum);
    buf_put_u8(b, row->composite);
    buf_put_lp16(b, row->sum_value);
    buf_put_lp16(b, row->id);
    buf_put_u8(b, row->latest);
    buf_put_u16(b, row->number);
}

bool wire_next_scan_row(struct reader *r, struct wire_scan_row *out) {
    if (!list_more(r)) return false;
    out->kind = reader_u8(r);
    out->flags = reader_u8(r);
    out->current = reader_u8(r);
    out->key = reader_lp16(r, S3_KEY_BYTES_MAX);
    out->leaf_index = reader_u64(r);
    out->order = reader_u64(r);
    out->revision = reader_u64(r);
    out->upload = reader_slice(r, ID_BYTES);
    out->number = reader_u16(r);
    out->facts = reader_lp16(r, UINT16_MAX);
    if (out->kind > WIRE_ROW_PART || out->current > 1) r->bad = true;
    return !r->bad;
}

void wire_put_scan_row(struct buf *b, const struct wire_scan_row *row) {
    static const uint8_t zeros[ID_BYTES];
    buf_put_u8(b, row->kind);
    buf_put_u8(b, row->flags);
    buf_put_u8(b, row->current);
    buf_put_lp16(b, row->key);
    buf_put_u64(b, row->leaf_index);
    buf_put_u64(b, row->order);
    buf_put_u64(b, row->revision);
    buf_put(b, row->upload.p ? row->upload.p : zeros, ID_BYTES);
    buf_put_u16(b, row->number);
    buf_put_lp16(b, row->facts);
}

bool wire_next_part_row(struct reader *r, struct wire_part_row *out) {
    if (!list_more(r)) return false;
    out->number = reader_u16(r);
    out->off = reader_u64(r);
    out->plain_size = reader_u64(r);
    out->blob = reader_slice(r, ID_BYTES);
    out->cipher_size = reader_u64(r);
    out->location = reader_lp16(r, WIRE_LOCATION_BYTES_MAX);
    out->sealed = reader_lp16(r, PART_ROW_BYTES_MAX);
    return !r->bad;
}

void wire_put_part_row(struct buf *b, const struct wire_part_row *row) {
    buf_put_u16(b, row->number);
    buf_put_u64(b, row->off);
    buf_put_u64(b, row->plain_size);
    ASSERT(row->blob.n == ID_BYTES);
    buf_put(b, row->blob.p, ID_BYTES);
    buf_put_u64(b, row->cipher_size);
    buf_put_lp16(b, row->location);
    buf_put_lp16(b, row->sealed);
}

bool wire_next_cursor(struct reader *r, struct wire_cursor *out) {
    if (!list_more(r)) return false;
    out->tenant = reader_slice(r, ID_BYTES);
    out->index = reader_u64(r);
    return !r->bad;
}

void wire_put_cursor(struct buf *b, const struct wire_cursor *row) {
    ASSERT(row->tenant.n == ID_BYTES);
    buf_put(b, row->tenant.p, ID_BYTES);
    buf_put_u64(b, row->index);
}

/* Kind NONE only moves the cursor: it has nobody to tell. */
bool wire_next_notice(struct reader *r, struct wire_notice *out) {
    if (!list_more(r)) return false;
    out->tenant = reader_slice(r, ID_BYTES);
    out->index = reader_u64(r);
    out->kind = reader_u8(r);
    out->target = reader_lp16(r, UINT16_MAX);
    out->event = reader_lp16(r, UINT16_MAX);
    out->signature = reader_lp16(r, UINT16_MAX);
    if (out->kind > WIRE_NOTICE_MAIL || (out->kind == WIRE_NOTICE_NONE) != (out->target.n == 0)) r->bad = true;
    return !r->bad;
}

void wire_put_notice(struct buf *b, const struct wire_notice *row) {
    ASSERT(row->tenant.n == ID_BYTES);
    buf_put(b, row->tenant.p, ID_BYTES);
    buf_put_u64(b, row->index);
    buf_put_u8(b, row->kind);
    buf_put_lp16(b, row->target);
    buf_put_lp16(b, row->event);
    buf_put_lp16(b, row->signature);
}
