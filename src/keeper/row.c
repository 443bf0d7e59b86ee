/* SPDX-License-Identifier: Apache-2.0
 * row: keys and values of the index's rows.
 * Role: apply, grave, read and scan build and read rows here, so that a row's layout stands in one place.
 * Trusts: the committer's own rows. Distrusts: what the engine gives back: it is parsed, and what does not fit is ERR_CORRUPT.
 * Spec: docs/spec/entry.md section 3
 */
#include "keeper/command.h"

#define VALUE_VERSION 1

enum err entry_row_parse(struct slice value, struct entry_row *out) {
    struct reader r = reader_of(value);
    uint8_t version = reader_u8(&r);
    uint8_t count = reader_u8(&r);
    if (r.bad || count > ENTRY_BLOB_ROWS_MAX) return ERR_CORRUPT;
    if (version != VALUE_VERSION) return ERR_VERSION;
    for (size_t i = 0; i < count; i++) out->locations[i] = reader_lp16(&r, LOCATION_BYTES_MAX);
    if (r.bad) return ERR_CORRUPT;
    TRY(entry_parse(reader_slice(&r, reader_left(&r)), &out->entry));
    return out->entry.blob_count == count ? ERR_OK : ERR_CORRUPT;
}

enum err set_row_parse(struct slice key, struct slice value, struct set_row *out) {
    struct reader r = reader_of(value);
    if (key.n != 1 + ID_BYTES + 8) return ERR_CORRUPT;
    uint8_t version = reader_u8(&r);
    if (!r.bad && version != VALUE_VERSION) return ERR_VERSION;
    *out = (struct set_row){.off = get_be64(key.p + 1 + ID_BYTES)};
    out->number = reader_u16(&r);
    out->plain_size = reader_u64(&r);
    out->blob = reader_slice(&r, ID_BYTES).p;
    out->cipher_size = reader_u64(&r);
    out->location = reader_lp16(&r, LOCATION_BYTES_MAX);
    out->sealed = reader_lp16(&r, PART_ROW_BYTES_MAX);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

void set_row_put(struct buf *out, const struct set_row *row) {
    buf_put_u8(out, VALUE_VERSION);
    buf_put_u16(out, row->number);
    buf_put_u64(out, row->plain_size);
    buf_put(out, row->blob, ID_BYTES);
    buf_put_u64(out, row->cipher_size);
    buf_put_lp16(out, row->location);
    buf_put_lp16(out, row->sealed);
}

/* keys ------------------------------------------------------------------------------------------------------------------ */

void row_begin(struct row_key *k, uint8_t table) {
    k->n = 1;
    k->p[0] = table;
}
void row_put(struct row_key *k, struct slice s) {
    ASSERT(s.n <= sizeof k->p - k->n);
    if (s.n > 0) memcpy(k->p + k->n, s.p, s.n);
    k->n += s.n;
}
void row_put_u8(struct row_key *k, uint8_t v) { row_put(k, slice_of(&v, 1)); }
void row_put_u16(struct row_key *k, uint16_t v) {
    uint8_t b[2];
    put_be16(b, v);
    row_put(k, slice_of(b, 2));
}
void row_put_u32(struct row_key *k, uint32_t v) {
    uint8_t b[4];
    put_be32(b, v);
    row_put(k, slice_of(b, 4));
}
void row_put_u64(struct row_key *k, uint64_t v) {
    uint8_t b[8];
    put_be64(b, v);
    row_put(k, slice_of(b, 8));
}
void row_object(struct row_key *k, uint8_t table, struct slice bucket, struct slice key) {
    ASSERT(bucket.n == ID_BYTES);
    row_begin(k, table);
    row_put(k, bucket);
    row_put(k, key);
    row_put_u8(k, 0);
}
void row_version(struct row_key *k, struct slice bucket, struct slice key, uint64_t leaf) {
    row_object(k, ROW_VERSION, bucket, key);
    row_put_u64(k, ~leaf);
}
void row_upload(struct row_key *k, struct slice bucket, struct slice key, const uint8_t upload[ID_BYTES]) {
    row_object(k, ROW_UPLOAD, bucket, key);
    row_put(k, slice_of(upload, ID_BYTES));
}
void row_parts(struct row_key *k, const uint8_t upload[ID_BYTES]) {
    row_begin(k, ROW_PART);
    row_put(k, slice_of(upload, ID_BYTES));
}
void row_set(struct row_key *k, const uint8_t set[ID_BYTES]) {
    row_begin(k, ROW_SET);
    row_put(k, slice_of(set, ID_BYTES));
}
bool row_after(struct row_key *k) {
    while (k->n > 0 && k->p[k->n - 1] == 0xff) k->n--;
    if (k->n == 0) return false;
    k->p[k->n - 1]++;
    return true;
}

/* locations -------------------------------------------------------------------------------------------------------------- */

enum err location_parse(struct slice raw, struct location *out) {
    struct reader r = reader_of(raw);
    *out = (struct location){.engine = reader_u8(&r)};
    if (out->engine == LOCATION_INLINE) {
        out->inline_key = reader_slice(&r, LOCATION_INLINE_KEY_BYTES);
    } else if (out->engine == LOCATION_PACK) {
        out->pack = reader_u32(&r);
        out->off = reader_u64(&r);
        out->size = reader_u64(&r);
        if (!r.bad && (out->pack == 0 || out->off > PACK_BYTES || out->size > PACK_BYTES - out->off)) return ERR_RANGE;
    } else if (out->engine == LOCATION_FILE) {
        out->file = reader_slice(&r, ID_BYTES).p;
    } else {
        return ERR_INPUT;
    }
    return reader_end(&r);
}
