/* SPDX-License-Identifier: Apache-2.0
 * op_list_rows: rows of a SCAN become rows of a LISTING and of its recorded result.
 * Role: beside op_list.c. Trusts: entry.c's seals. Distrusts: what the keeper scanned: what does not open is not listed.
 * Law: 1, 2. Spec: docs/spec/wire.md (lists), docs/spec/record.md (`res`).
 */
#include "gate/op_list.h"

#include <assert.h>

#include "record/record.h"

static_assert(WIRE_SCAN_KEYS == 0 && WIRE_SCAN_VERSIONS == 1 && WIRE_SCAN_UPLOADS == 2 && WIRE_SCAN_PARTS == 3, "`kind` of qry");
static_assert(WIRE_ROW_ENTRY == 0 && WIRE_ROW_PREFIX == 1 && WIRE_ROW_MARKER == 2 && WIRE_ROW_UPLOAD == 3 && WIRE_ROW_PART == 4, "kinds of res");

/* Does the row belong into this listing, and do its flags say what its kind says? */
static bool row_fits(const struct request_list *q, const struct wire_scan_row *row)
{
    uint8_t flags = row->flags & (ENTRY_MARKER | ENTRY_UPLOAD | ENTRY_PART);
    switch (row->kind) {
    case WIRE_ROW_PREFIX: return q->kind != WIRE_SCAN_PARTS;
    case WIRE_ROW_ENTRY: return q->kind <= WIRE_SCAN_VERSIONS && flags == 0;
    case WIRE_ROW_MARKER: return q->kind == WIRE_SCAN_VERSIONS && flags == ENTRY_MARKER;
    case WIRE_ROW_UPLOAD: return q->kind == WIRE_SCAN_UPLOADS && flags == ENTRY_UPLOAD;
    case WIRE_ROW_PART: return q->kind == WIRE_SCAN_PARTS && flags == ENTRY_PART;
    default: return false;
    }
}

static enum err row_open(struct gate_request *r, const struct wire_scan_row *row, struct entry *e)
{
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = row->key};
    AUTO(buf) struct buf name = BUF_INIT(S3_KEY_BYTES_MAX + 1 + ID_BYTES + 2);
    if (row->kind == WIRE_ROW_UPLOAD) entry_part_name(&name, row->key, row->upload.p, 0);
    if (row->kind == WIRE_ROW_PART) entry_part_name(&name, r->name.key, r->u.list.upload, row->number);
    if (name.n) place.key = buf_slice(&name);
    if (row->kind == WIRE_ROW_PART) TRY(entry_parse(row->facts, e));
    else entry_of_scan(row, e);
    if (row->kind == WIRE_ROW_PART && e->index != row->leaf_index) return ERR_CORRUPT;
    return entry_open_facts(r->gate->crypto, &r->bucket->key, &place, e);
}

/* Version id, "null", upload id; nothing in a listing of keys. */
static void row_id(const struct request_list *q, const struct wire_scan_row *row, const struct entry *e, struct buf *out)
{
    if (row->kind == WIRE_ROW_UPLOAD) buf_put_base32(out, row->upload);
    else if (q->kind == WIRE_SCAN_VERSIONS && row->kind != WIRE_ROW_PREFIX) entry_version_text(e, out);
}

/* The result's root: what replay recomputes from the fold. */
static enum err row_hash(struct gate_request *r, const struct wire_scan_row *row)
{
    uint8_t hash[HASH_BYTES], number[2];
    struct slice name = row->key;
    if (row->kind == WIRE_ROW_PART) {
        put_be16(number, row->number);
        name = slice_of(number, sizeof number);
    }
    buf_reset(&r->body_bytes);
    record_row_put(&r->body_bytes, row->kind, name, row->kind == WIRE_ROW_PREFIX ? 0 : row->leaf_index);
    if (!buf_ok(&r->body_bytes)) return ERR_LIMIT;
    ledger_leaf_hash(&r->gate->hash, buf_slice(&r->body_bytes), hash);
    ledger_frontier_append(&r->gate->hash, &r->u.list.root, hash, NULL, NULL);
    return ERR_OK;
}

enum err list_row(struct gate_request *r, const struct wire_scan_row *row)
{
    struct request_list *q = &r->u.list;
    struct entry e = {0};
    if (!row_fits(q, row)) return ERR_CORRUPT;
    if (row->kind != WIRE_ROW_PREFIX) TRY(row_open(r, row, &e));
    AUTO(buf) struct buf id = BUF_INIT(ID_TEXT_CHARS);
    row_id(q, row, &e, &id);
    struct wire_listing_row out = {.kind = row->kind, .key = row->key, .size = e.facts.size, .mtime_ms = e.facts.mtime_ms,
                                   .etag = slice_of(e.facts.etag, e.facts.etag_n), .sum = e.facts.sum, .composite = e.facts.sum_type,
                                   .id = buf_slice(&id), .latest = row->current, .number = row->number};
    if (row->kind == WIRE_ROW_PART) out.sum_value = slice_of(e.facts.sum_value, e.facts.sum_n);
    wire_put_listing_row(&q->out, &out);
    if (!buf_ok(&q->out) || !buf_ok(&id)) return ERR_LIMIT;
    buf_reset(&q->next_id);
    buf_put_slice(&q->next_id, buf_slice(&id));
    q->next_key = row->key;
    q->next_number = row->number;
    q->count++;
    return row_hash(r, row);
}

void list_owner(const struct gate_request *r, struct buf *out)
{
    const struct policy_bucket *b = policy_bucket_of_id(r->tenant->state, r->bucket->id);
    AUTO(buf) struct buf id = BUF_INIT(2 * HASH_BYTES), name = BUF_INIT(64);
    tenants_owner(r->tenant, slice_str(b ? b->account : r->tenant->account), &id, &name);
    buf_put_lp16(out, buf_slice(&id));
    buf_put_lp16(out, buf_slice(&name));
}

enum err list_about(struct gate_request *r, struct slice entry)
{
    struct request_list *q = &r->u.list;
    struct entry e = {0};
    AUTO(buf) struct buf name = BUF_INIT(S3_KEY_BYTES_MAX + 1 + ID_BYTES + 2), id = BUF_INIT(2 * HASH_BYTES);
    entry_part_name(&name, r->name.key, q->upload, 0);
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = buf_slice(&name)};
    TRY(entry_parse(entry, &e));
    if (!(e.flags & ENTRY_UPLOAD)) return ERR_CORRUPT;
    TRY(entry_open_facts(r->gate->crypto, &r->bucket->key, &place, &e));
    buf_reset(&q->about);
    if (e.facts.sum != S3_SUM_NONE) {
        wire_put_header(&q->about, SLICE_LIT("checksum-algorithm"), slice_str(s3_sum_name((enum s3_sum)e.facts.sum)));
        wire_put_header(&q->about, SLICE_LIT("checksum-type"), slice_str(s3_sum_type_name((enum s3_sum_type)e.facts.sum_type)));
    }
    if (e.facts.account[0]) {
        tenants_owner(r->tenant, slice_str(e.facts.account), &id, NULL);
        wire_put_header(&q->about, SLICE_LIT("initiator"), buf_slice(&id));
    }
    return buf_ok(&q->about) ? ERR_OK : ERR_LIMIT;
}
