/* SPDX-License-Identifier: Apache-2.0
 * gate_rig_keeper: what the rig's keeper does with commands and asks: versions, uploads, parts and sets in plain arrays.
 * Role: tests only; a keeper slow and simple enough to be right by looking. Guards are asserted: a wrong one is the gate's mistake. Trusts: the test.
 * Law: none. Spec: docs/spec/entry.md section 2, docs/spec/wire.md
 */
#include "gate/gate_rig.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t entry_index(const struct buf *b) { return b->n >= 10 ? get_be64(b->p + 2) : UINT64_MAX; }
static uint8_t entry_flags(const struct buf *b) { return b->n >= 2 ? b->p[1] : 0; }

/* versions ---------------------------------------------------------------------------------------------------------------- */

static bool same_key(const struct rig_object *o, const uint8_t *bucket, struct slice key)
{
    return o->state != RIG_GONE && slice_is(key, o->key) && memcmp(o->bucket, bucket, ID_BYTES) == 0;
}

static struct rig_object *version_in(struct rig *r, const uint8_t *bucket, struct slice key, enum rig_state state)
{
    struct rig_object *best = NULL;
    for (size_t i = 0; i < r->object_count; i++) {
        struct rig_object *o = &r->objects[i];
        if (!same_key(o, bucket, key) || o->state != state || !o->entry.n) continue;
        if (!best || (state == RIG_GRAVE ? o->buried > best->buried : entry_index(&o->entry) > entry_index(&best->entry))) best = o;
    }
    return best;
}

static struct rig_object *version_of(struct rig *r, const uint8_t *bucket, struct slice key, uint64_t index, bool grave)
{
    for (size_t i = 0; i < r->object_count; i++) {
        struct rig_object *o = &r->objects[i];
        if (same_key(o, bucket, key) && (o->state == RIG_GRAVE) == grave && o->entry.n && entry_index(&o->entry) == index) return o;
    }
    return NULL;
}

static struct rig_object *null_of(struct rig *r, const uint8_t *bucket, struct slice key, bool noncurrent_only)
{
    struct rig_object *o = version_in(r, bucket, key, RIG_CURRENT);
    if (o && (entry_flags(&o->entry) & ENTRY_NULL)) return noncurrent_only ? NULL : o;
    for (size_t i = 0; i < r->object_count; i++) {
        o = &r->objects[i];
        if (same_key(o, bucket, key) && o->state == RIG_NONCURRENT && (entry_flags(&o->entry) & ENTRY_NULL)) return o;
    }
    return NULL;
}

static struct rig_object *version_new(struct rig *r, const uint8_t *bucket, struct slice key, struct slice entry)
{
    struct rig_object *o = NULL;
    for (size_t i = 0; i < r->object_count && !o; i++)
        if (r->objects[i].state == RIG_GONE) o = &r->objects[i];
    for (size_t i = 0; r->object_count == RIG_OBJECTS_MAX && i < r->object_count && !o; i++)
        if (r->objects[i].state == RIG_GRAVE) o = &r->objects[i];        /* forgotten: its time is over */
    if (!o) {
        assert_true(r->object_count < RIG_OBJECTS_MAX);
        o = &r->objects[r->object_count++];
        buf_init(&o->entry, ENTRY_BYTES_MAX);
    }
    assert_true(key.n < sizeof o->key);
    memset(o->key, 0, sizeof o->key);
    memcpy(o->key, key.p, key.n);
    memcpy(o->bucket, bucket, ID_BYTES);
    o->state = RIG_CURRENT;
    buf_reset(&o->entry);
    buf_put_slice(&o->entry, entry);
    return o;
}

static void bury(struct rig *r, struct rig_object *o)
{
    o->state = entry_flags(&o->entry) & ENTRY_MARKER ? RIG_GONE : RIG_GRAVE;
    o->buried = ++r->burials;
}

static void take_turn(struct rig *r, struct reader *in, const uint8_t *bucket, struct slice key)
{
    uint64_t guard = reader_u64(in);
    uint8_t keep = reader_u8(in);
    uint64_t null = reader_u64(in);
    reader_u64(in);
    struct rig_object *o = version_in(r, bucket, key, RIG_CURRENT);
    assert_int_equal(guard, o ? entry_index(&o->entry) : UINT64_MAX);
    if (null != UINT64_MAX) {
        struct rig_object *n = null_of(r, bucket, key, true);
        assert_non_null(n);
        assert_int_equal(null, entry_index(&n->entry));
        bury(r, n);
    }
    if (o && keep) o->state = RIG_NONCURRENT;
    else if (o) bury(r, o);
}

/* source of the bytes; true: they are there */
static bool take_source(struct rig *r, struct reader *in)
{
    if (reader_u8(in) == 0) return true;
    struct slice bucket = reader_slice(in, ID_BYTES), key = reader_lp16(in, S3_KEY_BYTES_MAX);
    uint64_t index = reader_u64(in);
    rig_event(r, "shared", "");
    return version_of(r, bucket.p, key, index, false) != NULL;
}

/* uploads and parts ---------------------------------------------------------------------------------------------------------- */

static struct rig_upload *upload_of(struct rig *r, struct slice key, struct slice id)
{
    for (size_t i = 0; i < r->upload_count; i++)
        if (r->uploads[i].entry.n && slice_is(key, r->uploads[i].key) && memcmp(r->uploads[i].id, id.p, ID_BYTES) == 0) return &r->uploads[i];
    return NULL;
}

static struct rig_part *part_of(struct rig *r, struct slice id, uint16_t number)
{
    for (size_t i = 0; i < r->part_count; i++)
        if (r->parts[i].entry.n && r->parts[i].number == number && memcmp(r->parts[i].id, id.p, ID_BYTES) == 0) return &r->parts[i];
    return NULL;
}

static bool do_upload(struct rig *r, struct reader *in)
{
    struct slice bucket = reader_slice(in, ID_BYTES), key = reader_lp16(in, S3_KEY_BYTES_MAX), id = reader_slice(in, ID_BYTES);
    struct slice entry = reader_lp32(in, ENTRY_BYTES_MAX);
    assert_true(key.n < sizeof r->uploads[0].key && !upload_of(r, key, id));
    struct rig_upload *u = NULL;
    for (size_t i = 0; i < r->upload_count && !u; i++)
        if (!r->uploads[i].entry.n) u = &r->uploads[i];
    if (!u) u = r->upload_count < RIG_UPLOADS_MAX ? &r->uploads[r->upload_count++] : &r->uploads[0];    /* forgets the oldest */
    buf_done(&u->entry);
    memset(u, 0, sizeof *u);
    memcpy(u->key, key.p, key.n);
    memcpy(u->bucket, bucket.p, ID_BYTES);
    memcpy(u->id, id.p, ID_BYTES);
    buf_init(&u->entry, ENTRY_BYTES_MAX);
    buf_put_slice(&u->entry, entry);
    return true;
}

static bool do_part(struct rig *r, struct reader *in)
{
    reader_slice(in, ID_BYTES);
    struct slice key = reader_lp16(in, S3_KEY_BYTES_MAX), id = reader_slice(in, ID_BYTES);
    uint16_t number = reader_u16(in);
    uint64_t guard = reader_u64(in);
    bool source = take_source(r, in);
    struct slice entry = reader_lp32(in, ENTRY_BYTES_MAX);
    struct rig_part *p = part_of(r, id, number);
    if (!source || !upload_of(r, key, id) || guard != (p ? entry_index(&p->entry) : UINT64_MAX)) return false;
    if (!p) {
        assert_true(r->part_count < RIG_PARTS_MAX);
        p = &r->parts[r->part_count++];
        buf_init(&p->entry, ENTRY_BYTES_MAX);
    }
    p->number = number;
    memcpy(p->id, id.p, ID_BYTES);
    buf_reset(&p->entry);
    buf_put_slice(&p->entry, entry);
    return true;
}

static void upload_end(struct rig *r, struct slice key, struct slice id)
{
    buf_reset(&upload_of(r, key, id)->entry);
    for (size_t i = 0; i < r->part_count; i++)
        if (memcmp(r->parts[i].id, id.p, ID_BYTES) == 0) buf_reset(&r->parts[i].entry);
}

static bool complete_rows(struct rig *r, struct reader *in, struct slice id)
{
    bool ok = true;
    for (size_t n = reader_u16(in); n--;) {
        uint16_t number = reader_u16(in);
        uint64_t guard = reader_u64(in), off = reader_u64(in), size = reader_u64(in);
        struct slice sealed = reader_lp16(in, PART_ROW_BYTES_MAX);
        const struct rig_part *p = part_of(r, id, number);
        struct entry e = {0};
        ok &= p && entry_index(&p->entry) == guard && entry_parse(buf_slice(&p->entry), &e) == ERR_OK;
        if (!ok) continue;
        assert_true(r->row_count < RIG_PARTS_MAX);
        struct rig_row *row = &r->rows[r->row_count++];
        *row = (struct rig_row){.number = number, .off = off, .plain_size = size, .cipher_size = e.row[0].cipher_size};
        memcpy(row->set, id.p, ID_BYTES);
        memcpy(row->blob, e.row[0].blob, ID_BYTES);
        buf_init(&row->sealed, PART_ROW_BYTES_MAX);
        buf_put_slice(&row->sealed, sealed);
    }
    return ok;
}

static bool do_complete(struct rig *r, struct reader *in)
{
    struct slice bucket = reader_slice(in, ID_BYTES), key = reader_lp16(in, S3_KEY_BYTES_MAX);
    struct reader turn = *in;
    reader_slice(in, 8 + 1 + 8 + 8);
    struct slice id = reader_slice(in, ID_BYTES), entry = reader_lp32(in, ENTRY_BYTES_MAX);
    size_t rows = r->row_count;
    if (!upload_of(r, key, id) || !complete_rows(r, in, id)) {
        while (r->row_count > rows) buf_done(&r->rows[--r->row_count].sealed);
        *in = (struct reader){in->end, in->end, false};
        return false;
    }
    take_turn(r, &turn, bucket.p, key);
    version_new(r, bucket.p, key, entry);
    upload_end(r, key, id);
    return true;
}

/* commands ---------------------------------------------------------------------------------------------------------------------- */

static bool effect(struct rig *r, struct reader *in, uint8_t kind)
{
    if (kind == COMMAND_UPLOAD) return do_upload(r, in);
    if (kind == COMMAND_PART) return do_part(r, in);
    if (kind == COMMAND_COMPLETE) return do_complete(r, in);
    struct slice bucket = reader_slice(in, ID_BYTES), key = reader_lp16(in, S3_KEY_BYTES_MAX), entry;
    struct rig_object *o;
    switch (kind) {
    case COMMAND_PUT: {
        struct reader turn = *in;
        reader_slice(in, 8 + 1 + 8 + 8);
        bool ok = take_source(r, in);
        entry = reader_lp32(in, ENTRY_BYTES_MAX);
        if (ok) take_turn(r, &turn, bucket.p, key);
        if (ok) version_new(r, bucket.p, key, entry);
        return ok;
    }
    case COMMAND_DELETE: take_turn(r, in, bucket.p, key); return true;
    case COMMAND_UNDELETE: {
        struct reader turn = *in;
        reader_slice(in, 8 + 1 + 8 + 8);
        o = version_of(r, bucket.p, key, reader_u64(in), true);
        entry = reader_lp32(in, ENTRY_BYTES_MAX);
        if (!o) return false;
        take_turn(r, &turn, bucket.p, key);
        version_new(r, bucket.p, key, entry);
        o->state = RIG_GONE;
        return true;
    }
    case COMMAND_DELVER: {
        o = version_of(r, bucket.p, key, reader_u64(in), false);
        reader_u64(in);
        assert_non_null(o);
        bool current = o->state == RIG_CURRENT;
        bury(r, o);
        o = current ? version_in(r, bucket.p, key, RIG_NONCURRENT) : NULL;
        if (o) o->state = RIG_CURRENT;
        return true;
    }
    case COMMAND_ABORT: {
        struct slice id = reader_slice(in, ID_BYTES);
        if (!upload_of(r, key, id)) return false;
        upload_end(r, key, id);
        return true;
    }
    case COMMAND_REWRITE:
        o = version_of(r, bucket.p, key, reader_u64(in), false);
        assert_non_null(o);
        assert_int_equal(reader_u64(in), get_be64(o->entry.p + 18));
        entry = reader_lp32(in, ENTRY_BYTES_MAX);
        buf_reset(&o->entry);
        buf_put_slice(&o->entry, entry);
        return true;
    default: fail_msg("command of kind %u", kind); return false;
    }
}

bool rig_command(struct rig *r, struct slice command)
{
    struct reader in = reader_of(command);
    bool done = true;
    assert_int_equal(reader_u8(&in), 2);
    uint8_t kind = reader_u8(&in);
    reader_u64(&in);
    if (kind == COMMAND_PURGE) {
        reader_u64(&in);
        bool gone = false;
        for (size_t n = reader_u16(&in); n--;) {
            reader_slice(&in, ID_BYTES);
            gone |= reader_u8(&in);
        }
        rig_event(r, "purge", gone ? "gone" : "");
    } else if (kind == COMMAND_BATCH) {
        for (size_t n = reader_u16(&in); n--;) done &= effect(r, &in, reader_u8(&in));
    } else {
        done = effect(r, &in, kind);
    }
    assert_int_equal(reader_end(&in), ERR_OK);
    return done;
}

/* FIND ---------------------------------------------------------------------------------------------------------------------------- */

static const uint8_t one_location[] = {0, 1, 1};   /* engine 1 */

static void set_rows(struct rig *r, const uint8_t *set, uint64_t off, uint64_t len, uint16_t from, size_t most, struct wire_found *out, struct buf *list)
{
    uint64_t end = len > UINT64_MAX - off ? UINT64_MAX : off + len;
    size_t count = 0;
    for (size_t i = 0; i < r->row_count; i++) {    /* complete_rows() put them in order */
        const struct rig_row *row = &r->rows[i];
        if (memcmp(row->set, set, ID_BYTES) != 0) continue;
        out->present = WIRE_FOUND_PRESENT;
        bool in = from ? row->number >= from : row->off < end && row->off + row->plain_size > off;
        if (!in) continue;
        if (count++ >= most) {
            out->more = 1;
            break;
        }
        const struct wire_part_row w = {.number = row->number, .off = row->off, .plain_size = row->plain_size, .blob = slice_of(row->blob, ID_BYTES),
                                        .cipher_size = row->cipher_size, .location = slice_of(one_location + 2, 1), .sealed = buf_slice(&row->sealed)};
        wire_put_part_row(list, &w);
    }
    out->parts = buf_slice(list);
}

static const struct buf *find_entry(struct rig *r, const struct wire_find *m, struct wire_found *out)
{
    struct rig_object *o = NULL, *null;
    switch (m->mode) {
    case WIRE_FIND_UPLOAD: {
        struct rig_upload *u = upload_of(r, m->key, slice_of(m->id, ID_BYTES));
        return u ? &u->entry : NULL;
    }
    case WIRE_FIND_PART: {
        struct rig_part *p = part_of(r, slice_of(m->id, ID_BYTES), m->number);
        return p ? &p->entry : NULL;
    }
    case WIRE_FIND_GRAVE: o = version_in(r, m->bucket, m->key, RIG_GRAVE); break;
    case WIRE_FIND_NULLVER: o = null_of(r, m->bucket, m->key, false); break;
    case WIRE_FIND_VERSION: o = version_of(r, m->bucket, m->key, m->index, false); break;
    default:
        o = version_in(r, m->bucket, m->key, RIG_CURRENT);
        null = null_of(r, m->bucket, m->key, true);
        out->null_index = m->want_null && null ? entry_index(&null->entry) : UINT64_MAX;
        break;
    }
    out->current = o && o->state == RIG_CURRENT;
    if (o && o->state == RIG_GRAVE) out->due_ms = clock_wall_ms() + GRAVE_DEFAULT_MS;
    return o ? &o->entry : NULL;
}

void rig_find(struct rig *r, uint64_t id, const struct wire_find *m)
{
    AUTO(buf) struct buf parts = BUF_INIT(FOUND_PARTS_BYTES_MAX), locations = BUF_INIT(4096);
    struct wire_found out = {.null_index = UINT64_MAX};
    size_t most = r->found_parts_max ? r->found_parts_max : FOUND_PARTS_MAX;
    if (m->mode == WIRE_FIND_SET) {
        set_rows(r, m->id, m->off, m->len, 0, most, &out, &parts);
    } else if (m->mode == WIRE_FIND_SETPART) {
        set_rows(r, m->id, 0, 0, m->number, MIN(most, (size_t)m->rows_max), &out, &parts);
    } else {
        const struct buf *entry = find_entry(r, m, &out);
        struct entry e = {0};
        out.present = entry && entry->n ? WIRE_FOUND_PRESENT : WIRE_FOUND_ABSENT;
        if (out.present) out.entry = buf_slice(entry);
        bool parsed = out.present && entry_parse(out.entry, &e) == ERR_OK;
        for (size_t i = 0; out.present && i < (parsed ? e.row_count : 1); i++) buf_put(&locations, one_location, sizeof one_location);
        out.locations = buf_slice(&locations);
        if (parsed && (e.flags & ENTRY_SET) && m->len) set_rows(r, e.set, m->off, m->len, 0, most, &out, &parts);
    }
    assert_int_equal(wire_put_found(wire_conn_out(r->keeper), id, &out), ERR_OK);
    wire_conn_kick(r->keeper);
}

/* SCAN ------------------------------------------------------------------------------------------------------------------------------ */

static int row_order(const void *a, const void *b)
{
    const struct wire_scan_row *x = a, *y = b;
    int c = slice_cmp(x->key, y->key);
    if (c) return c;
    if (x->kind == WIRE_ROW_UPLOAD) return memcmp(x->upload.p, y->upload.p, ID_BYTES);
    if (x->kind == WIRE_ROW_PART) return (int)x->number - (int)y->number;
    return x->leaf_index < y->leaf_index ? 1 : -1;
}

static size_t scan_rows(struct rig *r, const struct wire_scan *m, struct wire_scan_row *rows)
{
    size_t n = 0;
    for (size_t i = 0; m->kind <= WIRE_SCAN_VERSIONS && i < r->object_count; i++) {
        const struct rig_object *o = &r->objects[i];
        bool versions = m->kind == WIRE_SCAN_VERSIONS, marker = entry_flags(&o->entry) & ENTRY_MARKER;
        struct entry e = {0};
        if (memcmp(o->bucket, m->bucket, ID_BYTES) != 0 || (o->state != RIG_CURRENT && !(versions && o->state == RIG_NONCURRENT)) || (marker && !versions)) continue;
        if (entry_parse(buf_slice(&o->entry), &e) != ERR_OK) continue;
        rows[n++] = (struct wire_scan_row){.kind = marker ? WIRE_ROW_MARKER : WIRE_ROW_ENTRY, .flags = e.flags, .current = o->state == RIG_CURRENT,
                                           .key = slice_str(o->key), .leaf_index = e.index, .order = e.order, .revision = e.revision, .facts = e.facts_sealed};
    }
    for (size_t i = 0; m->kind == WIRE_SCAN_UPLOADS && i < r->upload_count; i++) {
        const struct rig_upload *u = &r->uploads[i];
        struct entry e = {0};
        if (!u->entry.n || memcmp(u->bucket, m->bucket, ID_BYTES) != 0 || entry_parse(buf_slice(&u->entry), &e) != ERR_OK) continue;
        rows[n++] = (struct wire_scan_row){.kind = WIRE_ROW_UPLOAD, .flags = e.flags, .key = slice_str(u->key), .leaf_index = e.index, .order = e.order,
                                           .revision = e.revision, .upload = slice_of(u->id, ID_BYTES), .facts = e.facts_sealed};
    }
    for (size_t i = 0; m->kind == WIRE_SCAN_PARTS && i < r->part_count; i++) {
        const struct rig_part *p = &r->parts[i];
        struct entry e = {0};
        if (memcmp(p->id, m->upload, ID_BYTES) != 0 || !p->entry.n || entry_parse(buf_slice(&p->entry), &e) != ERR_OK) continue;
        rows[n++] = (struct wire_scan_row){.kind = WIRE_ROW_PART, .flags = e.flags, .leaf_index = e.index, .order = e.order, .revision = e.revision,
                                           .number = p->number, .facts = buf_slice(&p->entry)};
    }
    qsort(rows, n, sizeof *rows, row_order);
    return n;
}

/* Whether the page begins behind it. */
static bool passed_over(const struct wire_scan *m, const struct wire_scan_row *row)
{
    static const uint8_t none[ID_BYTES];
    if (m->kind == WIRE_SCAN_PARTS) return row->number <= m->after_index;
    if (!slice_starts(row->key, m->prefix)) return true;
    if (!m->after.n) return false;
    int c = slice_cmp(row->key, m->after);
    if (c != 0) return c < 0;
    if (m->kind == WIRE_SCAN_VERSIONS && m->after_index) return row->leaf_index >= m->after_index;
    if (m->kind == WIRE_SCAN_UPLOADS && memcmp(m->after_id, none, ID_BYTES) != 0) return memcmp(row->upload.p, m->after_id, ID_BYTES) <= 0;
    return true;
}

/* The common prefix that a key falls under; empty: none. */
static struct slice prefix_of(const struct wire_scan *m, struct slice key)
{
    for (size_t i = m->prefix.n; m->delimiter.n && i + m->delimiter.n <= key.n; i++)
        if (memcmp(key.p + i, m->delimiter.p, m->delimiter.n) == 0) return slice_of(key.p, i + m->delimiter.n);
    return slice_of(NULL, 0);
}

void rig_scan(struct rig *r, uint64_t id, const struct wire_scan *m)
{
    AUTO(buf) struct buf list = BUF_INIT(WIRE_DATA_BYTES_MAX);
    struct wire_scan_row rows[RIG_OBJECTS_MAX + RIG_UPLOADS_MAX + RIG_PARTS_MAX];
    struct wire_rows out = {.last = 1, .as_of = r->as_of ? r->as_of : r->watermark};
    struct slice last = slice_of(NULL, 0);
    size_t n = scan_rows(r, m, rows), count = 0;
    for (size_t i = 0; i < n; i++) {
        if (passed_over(m, &rows[i])) continue;
        struct slice prefix = prefix_of(m, rows[i].key);
        if (prefix.n && (slice_eq(prefix, last) || (m->after.n && slice_cmp(prefix, m->after) <= 0 && m->after_index == 0))) continue;
        if (count++ >= m->rows_max) {
            out.more = 1;
            break;
        }
        struct wire_scan_row row = rows[i];
        if (prefix.n) row = (struct wire_scan_row){.kind = WIRE_ROW_PREFIX, .key = prefix};
        last = prefix.n ? prefix : rows[i].key;
        wire_put_scan_row(&list, &row);
    }
    out.next = m->kind == WIRE_SCAN_PARTS ? slice_of(NULL, 0) : last;
    out.rows = buf_slice(&list);
    assert_int_equal(wire_put_rows(wire_conn_out(r->keeper), id, &out), ERR_OK);
    wire_conn_kick(r->keeper);
}

void rig_keeper_done(struct rig *r)
{
    for (size_t i = 0; i < r->object_count; i++) buf_done(&r->objects[i].entry);
    for (size_t i = 0; i < r->upload_count; i++) buf_done(&r->uploads[i].entry);
    for (size_t i = 0; i < r->part_count; i++) buf_done(&r->parts[i].entry);
    for (size_t i = 0; i < r->row_count; i++) buf_done(&r->rows[i].sealed);
    buf_done(&r->pieces);
}
