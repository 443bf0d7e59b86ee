/* SPDX-License-Identifier: Apache-2.0
 * command: parses commands, entries, locations; builds row keys.
 * Role: conn_gate checks an APPLY here once; apply walks what was checked.
 * Trusts: nothing it is given. Distrusts: the gate's bytes as far as their form goes; their meaning is the gate's.
 * Spec: docs/spec/entry.md
 */
#include "keeper/command.h"

enum err entry_parse(struct slice raw, struct entry *out) {
    struct reader r = reader_of(raw);
    *out = (struct entry){.raw = raw};
    uint8_t version = reader_u8(&r);
    if (!r.bad && version != ENTRY_VERSION) return ERR_VERSION;
    out->flags = reader_u8(&r);
    out->leaf = reader_u64(&r);
    out->order = reader_u64(&r);
    out->blob_count = reader_u8(&r);
    if (out->blob_count > ENTRY_BLOB_ROWS_MAX || (out->flags & ~ENTRY_FLAG_DELETE_MARKER) != 0) return ERR_INPUT;
    for (size_t i = 0; i < out->blob_count; i++) {
        out->blobs[i] = reader_slice(&r, ID_BYTES).p;
        out->sizes[i] = reader_u64(&r);
    }
    out->facts = reader_lp16(&r, UINT16_MAX);
    (void)reader_lp16(&r, UINT16_MAX);
    (void)reader_lp16(&r, UINT16_MAX);
    TRY(reader_end(&r));
    bool marker = (out->flags & ENTRY_FLAG_DELETE_MARKER) != 0;
    return marker == (out->blob_count == 0) ? ERR_OK : ERR_INPUT;
}

enum err entry_row_parse(struct slice value, struct entry_row *out) {
    struct reader r = reader_of(value);
    uint8_t version = reader_u8(&r);
    uint8_t count = reader_u8(&r);
    if (r.bad || count > ENTRY_BLOB_ROWS_MAX) return ERR_CORRUPT;
    if (version != 1) return ERR_VERSION;
    for (size_t i = 0; i < count; i++) out->locations[i] = reader_lp16(&r, LOCATION_BYTES_MAX);
    if (r.bad) return ERR_CORRUPT;
    TRY(entry_parse(reader_slice(&r, reader_left(&r)), &out->entry));
    return out->entry.blob_count == count ? ERR_OK : ERR_CORRUPT;
}

static enum err item_parse(struct reader *r, uint8_t kind, uint64_t index, struct command_item *out) {
    *out = (struct command_item){.kind = kind};
    out->bucket = reader_slice(r, ID_BYTES);
    out->key = reader_lp16(r, S3_KEY_BYTES_MAX);
    out->guard = reader_u64(r);
    out->grave_ms = reader_u64(r);
    if (kind == COMMAND_UNDELETE) out->grave_leaf = reader_u64(r);
    struct slice raw = {0};
    if (kind != COMMAND_DELETE) raw = reader_lp32(r, ENTRY_BYTES_MAX);
    if (r->bad) return ERR_TRUNCATED;
    if (out->key.n == 0 || memchr(out->key.p, 0, out->key.n) != NULL) return ERR_INPUT;
    if (out->grave_ms > UINT64_MAX / 4) return ERR_RANGE;
    if (kind == COMMAND_DELETE) return ERR_OK;
    TRY(entry_parse(raw, &out->entry));
    return out->entry.leaf == index ? ERR_OK : ERR_INPUT;
}

enum err command_check(struct slice raw, uint64_t index, size_t *claims) {
    struct reader r = reader_of(raw);
    *claims = 0;
    uint8_t version = reader_u8(&r);
    uint8_t kind = reader_u8(&r);
    uint64_t at = reader_u64(&r);
    if (r.bad) return ERR_TRUNCATED;
    if (version != COMMAND_VERSION) return ERR_VERSION;
    if (at > UINT64_MAX / 4) return ERR_RANGE;
    size_t count = 1;
    if (kind == COMMAND_PURGE) {
        (void)reader_u64(&r);
        count = reader_u16(&r);
        (void)reader_slice(&r, count * ID_BYTES);
        return reader_end(&r);
    }
    if (kind == COMMAND_BATCH) {
        count = reader_u16(&r);
        if (r.bad) return ERR_TRUNCATED;
        if (count == 0 || count > BATCH_ITEMS_MAX) return ERR_RANGE;
    } else if (kind < COMMAND_PUT || kind > COMMAND_UNDELETE) {
        return ERR_INPUT;
    }
    for (size_t i = 0; i < count; i++) {
        struct command_item item;
        uint8_t item_kind = kind == COMMAND_BATCH ? reader_u8(&r) : kind;
        if (kind == COMMAND_BATCH && r.bad) return ERR_TRUNCATED;
        if (kind == COMMAND_BATCH && item_kind != COMMAND_PUT && item_kind != COMMAND_DELETE) return ERR_INPUT;
        TRY(item_parse(&r, item_kind, index, &item));
        if (item_kind == COMMAND_PUT) *claims += item.entry.blob_count;
    }
    return reader_end(&r);
}

void command_begin(struct slice raw, struct command *out) {
    struct reader r = reader_of(raw);
    *out = (struct command){.count = 1};
    (void)reader_u8(&r);
    out->kind = reader_u8(&r);
    out->at_ms = reader_u64(&r);
    if (out->kind == COMMAND_PURGE) out->before_ms = reader_u64(&r);
    if (out->kind == COMMAND_PURGE || out->kind == COMMAND_BATCH) out->count = reader_u16(&r);
    ASSERT(!r.bad);
    out->rest = r;
}

bool command_next(struct command *c, struct command_item *out) {
    ASSERT(c->kind != COMMAND_PURGE);
    if (c->count == 0) return false;
    c->count--;
    uint8_t kind = c->kind == COMMAND_BATCH ? reader_u8(&c->rest) : c->kind;
    /* Checked before: only the entry's leaf is asked again, with its own. */
    struct reader r = c->rest;
    enum err e = item_parse(&r, kind, 0, out);
    ASSERT(!r.bad && (e == ERR_OK || e == ERR_INPUT));
    c->rest = r;
    return true;
}

bool command_next_bucket(struct command *c, struct slice *bucket) {
    ASSERT(c->kind == COMMAND_PURGE);
    if (c->count == 0) return false;
    c->count--;
    *bucket = reader_slice(&c->rest, ID_BYTES);
    ASSERT(!c->rest.bad);
    return true;
}

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
bool row_after(struct row_key *k) {
    while (k->n > 0 && k->p[k->n - 1] == 0xff) k->n--;
    if (k->n == 0) return false;
    k->p[k->n - 1]++;
    return true;
}

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
