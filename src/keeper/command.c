/* SPDX-License-Identifier: Apache-2.0
 * command: parses commands and the clear part of entries.
 * Role: conn_gate checks an APPLY here once; apply walks what was checked.
 * Trusts: nothing it is given. Distrusts: the gate's bytes as far as their form goes; their meaning is the gate's.
 * Spec: docs/spec/entry.md sections 1 and 2
 */
#include "keeper/command.h"

#define TIME_MS_MAX (UINT64_MAX / 4) /* sums of two times never wrap */

/* What names no bytes has no rows; what names a set has no rows; a part has one, an object up to eight. */
static bool entry_fits(const struct entry *e) {
    switch (e->flags & ~ENTRY_FLAG_NULL) {
    case 0: return e->blob_count > 0;
    case ENTRY_FLAG_DELETE_MARKER: return e->blob_count == 0;
    case ENTRY_FLAG_SET: return e->blob_count == 0 && e->parts > 0 && e->parts <= PARTS_MAX;
    case ENTRY_FLAG_PART: return e->blob_count == 1 && (e->flags & ENTRY_FLAG_NULL) == 0;
    case ENTRY_FLAG_UPLOAD: return e->blob_count == 0 && (e->flags & ENTRY_FLAG_NULL) == 0;
    default: return false; /* one of them at most */
    }
}

enum err entry_parse(struct slice raw, struct entry *out) {
    struct reader r = reader_of(raw);
    *out = (struct entry){.raw = raw};
    uint8_t version = reader_u8(&r);
    if (!r.bad && version != ENTRY_VERSION) return ERR_VERSION;
    out->flags = reader_u8(&r);
    out->leaf = reader_u64(&r);
    out->order = reader_u64(&r);
    out->revision = reader_u64(&r);
    out->blob_count = reader_u8(&r);
    if (out->blob_count > ENTRY_BLOB_ROWS_MAX || (out->flags & ~ENTRY_FLAGS_ALL) != 0) return ERR_INPUT;
    for (size_t i = 0; i < out->blob_count; i++) {
        out->blobs[i] = reader_slice(&r, ID_BYTES).p;
        out->sizes[i] = reader_u64(&r);
    }
    if ((out->flags & ENTRY_FLAG_SET) != 0) {
        out->set = reader_slice(&r, ID_BYTES).p;
        out->parts = reader_u16(&r);
    }
    out->facts = reader_lp16(&r, UINT16_MAX);
    (void)reader_lp16(&r, UINT16_MAX);
    (void)reader_lp16(&r, UINT16_MAX);
    TRY(reader_end(&r));
    return entry_fits(out) ? ERR_OK : ERR_INPUT;
}

bool entry_same_bytes(const struct entry *a, const struct entry *b) {
    if (a->blob_count != b->blob_count || (a->set == NULL) != (b->set == NULL)) return false;
    if (a->set != NULL && (a->parts != b->parts || memcmp(a->set, b->set, ID_BYTES) != 0)) return false;
    for (size_t i = 0; i < a->blob_count; i++)
        if (memcmp(a->blobs[i], b->blobs[i], ID_BYTES) != 0 || a->sizes[i] != b->sizes[i]) return false;
    return true;
}

/* one item ------------------------------------------------------------------------------------------------------------- */

static bool key_good(struct slice key) { return key.n > 0 && memchr(key.p, 0, key.n) == NULL; }

static enum err turn_parse(struct reader *r, struct command_turn *out) {
    out->guard = reader_u64(r);
    uint8_t keep = reader_u8(r);
    out->keep = keep == 1;
    out->null_leaf = reader_u64(r);
    out->grave_ms = reader_u64(r);
    if (r->bad) return ERR_TRUNCATED;
    if (keep > 1) return ERR_INPUT;
    return out->grave_ms > TIME_MS_MAX ? ERR_RANGE : ERR_OK;
}

static enum err source_parse(struct reader *r, struct command_source *out) {
    out->kind = reader_u8(r);
    if (r->bad) return ERR_TRUNCATED;
    if (out->kind == SOURCE_STAGED) return ERR_OK;
    if (out->kind != SOURCE_SHARED) return ERR_INPUT;
    out->bucket = reader_slice(r, ID_BYTES);
    out->key = reader_lp16(r, S3_KEY_BYTES_MAX);
    out->leaf = reader_u64(r);
    if (r->bad) return ERR_TRUNCATED;
    return key_good(out->key) ? ERR_OK : ERR_INPUT;
}

static bool kind_turns(uint8_t k) { return k == COMMAND_PUT || k == COMMAND_DELETE || k == COMMAND_UNDELETE || k == COMMAND_COMPLETE; }
static bool kind_uploads(uint8_t k) { return k == COMMAND_UPLOAD || k == COMMAND_PART || k == COMMAND_COMPLETE || k == COMMAND_ABORT; }
static bool kind_seals(uint8_t k) { return k != COMMAND_DELETE && k != COMMAND_DELVER && k != COMMAND_ABORT; }

static enum err item_parse(struct reader *r, uint8_t kind, struct command_item *out) {
    *out = (struct command_item){.kind = kind};
    out->bucket = reader_slice(r, ID_BYTES);
    out->key = reader_lp16(r, S3_KEY_BYTES_MAX);
    if (r->bad) return ERR_TRUNCATED;
    if (!key_good(out->key)) return ERR_INPUT;
    if (kind_turns(kind)) TRY(turn_parse(r, &out->turn));
    if (kind_uploads(kind)) out->upload = reader_slice(r, ID_BYTES).p;
    if (kind == COMMAND_UNDELETE || kind == COMMAND_DELVER || kind == COMMAND_REWRITE) out->version = reader_u64(r);
    if (kind == COMMAND_DELVER) out->turn.grave_ms = reader_u64(r);
    if (kind == COMMAND_PART) out->number = reader_u16(r);
    if (kind == COMMAND_PART || kind == COMMAND_REWRITE) out->guard = reader_u64(r);
    if (kind == COMMAND_PUT || kind == COMMAND_PART) TRY(source_parse(r, &out->source));
    if (r->bad) return ERR_TRUNCATED;
    if (out->turn.grave_ms > TIME_MS_MAX) return ERR_RANGE;
    if (!kind_seals(kind)) return ERR_OK;
    struct slice raw = reader_lp32(r, ENTRY_BYTES_MAX);
    if (r->bad) return ERR_TRUNCATED;
    TRY(entry_parse(raw, &out->entry));
    if (kind != COMMAND_COMPLETE) return ERR_OK;
    out->part_count = reader_u16(r);
    if (r->bad) return ERR_TRUNCATED;
    out->parts = reader_of(reader_slice(r, reader_left(r)));
    return ERR_OK;
}

static void part_read(struct reader *r, struct command_part *out) {
    out->number = reader_u16(r);
    out->guard = reader_u64(r);
    out->off = reader_u64(r);
    out->plain_size = reader_u64(r);
    out->sealed = reader_lp16(r, PART_ROW_BYTES_MAX);
}

/* Rows of a set are keyed by their offset, so none but the last may be empty. */
static enum err parts_check(const struct command_item *i) {
    struct reader r = i->parts;
    if (i->part_count == 0 || i->part_count > PARTS_MAX) return ERR_RANGE;
    uint16_t number = 0;
    uint64_t off = 0;
    for (size_t n = 0; n < i->part_count; n++) {
        struct command_part p;
        part_read(&r, &p);
        if (r.bad) return ERR_TRUNCATED;
        if (p.number <= number || p.number > PARTS_MAX || p.off != off || p.guard == COMMAND_GUARD_ABSENT) return ERR_INPUT;
        if (p.plain_size > S3_PUT_BYTES_MAX || (p.plain_size == 0 && n + 1u < i->part_count)) return ERR_RANGE;
        number = p.number;
        off += p.plain_size;
    }
    return reader_end(&r);
}

/* The entry's flags, rows and leaf are those that the kind can have made. */
static enum err item_check(const struct command_item *i, uint64_t index) {
    const struct entry *e = &i->entry;
    uint8_t what = e->flags & (ENTRY_FLAG_DELETE_MARKER | ENTRY_FLAG_SET | ENTRY_FLAG_PART | ENTRY_FLAG_UPLOAD);
    bool fits = true;
    switch (i->kind) {
    case COMMAND_PUT:
        fits = i->source.kind == SOURCE_STAGED ? what == 0 || what == ENTRY_FLAG_DELETE_MARKER : what == 0 || what == ENTRY_FLAG_SET;
        break;
    case COMMAND_DELETE: fits = !i->turn.keep; break; /* a key without a current entry has no versions */
    case COMMAND_UNDELETE: fits = what == 0 || what == ENTRY_FLAG_SET; break;
    case COMMAND_UPLOAD: fits = what == ENTRY_FLAG_UPLOAD; break;
    case COMMAND_PART:
        fits = what == ENTRY_FLAG_PART && i->number > 0 && i->number <= PARTS_MAX;
        if (e->raw.n > UINT16_MAX) return ERR_LIMIT; /* a scan's row holds the whole of it */
        break;
    case COMMAND_COMPLETE:
        fits = what == ENTRY_FLAG_SET && e->parts == i->part_count && memcmp(e->set, i->upload, ID_BYTES) == 0;
        if (fits) TRY(parts_check(i));
        break;
    case COMMAND_REWRITE:
        fits = (what & (ENTRY_FLAG_PART | ENTRY_FLAG_UPLOAD)) == 0 && e->leaf == i->version && e->revision == index;
        break;
    default: break;
    }
    if (kind_seals(i->kind) && i->kind != COMMAND_REWRITE) fits = fits && e->leaf == index && e->revision == index;
    return fits ? ERR_OK : ERR_INPUT;
}

/* What a batch may hold: delete markers, deletes, ends of versions and of uploads. */
static bool batch_takes(const struct command_item *i) {
    if (i->kind == COMMAND_PUT) return i->source.kind == SOURCE_STAGED && (i->entry.flags & ENTRY_FLAG_DELETE_MARKER) != 0;
    return i->kind == COMMAND_DELETE || i->kind == COMMAND_DELVER || i->kind == COMMAND_ABORT;
}

/* the whole ------------------------------------------------------------------------------------------------------------ */

static enum err purge_check(struct reader *r) {
    (void)reader_u64(r);
    size_t count = reader_u16(r);
    if (r->bad) return ERR_TRUNCATED;
    if (count > GATE_PURGE_BUCKETS_MAX) return ERR_RANGE;
    for (size_t i = 0; i < count; i++) {
        (void)reader_slice(r, ID_BYTES);
        if (reader_u8(r) > 1) return ERR_INPUT;
    }
    return reader_end(r);
}

size_t command_claims(const struct command_item *i) {
    bool staged = (i->kind == COMMAND_PUT || i->kind == COMMAND_PART) && i->source.kind == SOURCE_STAGED;
    return staged ? i->entry.blob_count : 0;
}

enum err command_check(struct slice raw, uint64_t index, size_t *claims) {
    struct reader r = reader_of(raw);
    *claims = 0;
    if (raw.n > COMMAND_BYTES_MAX) return ERR_LIMIT;
    uint8_t version = reader_u8(&r);
    uint8_t kind = reader_u8(&r);
    uint64_t at = reader_u64(&r);
    if (r.bad) return ERR_TRUNCATED;
    if (version != COMMAND_VERSION) return ERR_VERSION;
    if (at > TIME_MS_MAX) return ERR_RANGE;
    if (kind == COMMAND_PURGE) return purge_check(&r);
    if (kind < COMMAND_PUT || kind > COMMAND_REWRITE) return ERR_INPUT;
    size_t count = 1;
    if (kind == COMMAND_BATCH) {
        count = reader_u16(&r);
        if (r.bad) return ERR_TRUNCATED;
        if (count == 0 || count > BATCH_ITEMS_MAX) return ERR_RANGE;
    }
    for (size_t i = 0; i < count; i++) {
        struct command_item item;
        uint8_t item_kind = kind == COMMAND_BATCH ? reader_u8(&r) : kind;
        if (r.bad) return ERR_TRUNCATED;
        if (item_kind < COMMAND_PUT || item_kind > COMMAND_REWRITE || item_kind == COMMAND_BATCH || item_kind == COMMAND_PURGE) return ERR_INPUT;
        TRY(item_parse(&r, item_kind, &item));
        if (kind == COMMAND_BATCH && !batch_takes(&item)) return ERR_INPUT;
        TRY(item_check(&item, index));
        *claims += command_claims(&item);
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
    enum err e = item_parse(&c->rest, kind, out);
    ASSERT(!c->rest.bad && e == ERR_OK);
    return true;
}

bool command_next_bucket(struct command *c, struct slice *bucket, bool *gone) {
    ASSERT(c->kind == COMMAND_PURGE);
    if (c->count == 0) return false;
    c->count--;
    *bucket = reader_slice(&c->rest, ID_BYTES);
    *gone = reader_u8(&c->rest) == 1;
    ASSERT(!c->rest.bad);
    return true;
}

bool command_next_part(struct command_item *i, struct command_part *out) {
    ASSERT(i->kind == COMMAND_COMPLETE);
    if (reader_left(&i->parts) == 0) return false;
    part_read(&i->parts, out);
    ASSERT(!i->parts.bad);
    return true;
}
