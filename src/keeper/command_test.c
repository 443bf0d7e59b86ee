/* SPDX-License-Identifier: Apache-2.0
 * command_test: commands, entries, rows and locations at their bounds, one past them, and cut at every byte.
 * Role: unit tests of a parser.
 * Spec: docs/spec/entry.md
 */
#include "keeper/keeper_test.h"

#define LEAF 8

static const uint8_t upload_id[ID_BYTES] = "upload.........";
static const uint8_t other_id[ID_BYTES] = "other..........";

/* What a sample is made of; each test bends one of them. */
struct bend {
    uint8_t kind, flags, source, keep;
    size_t key_n;
    uint64_t leaf, revision;
    unsigned blobs;
    const uint8_t *set;
    uint16_t parts, part_count, number;
    uint64_t last_size;
    size_t sealed_n;
};

static struct bend bend_of(uint8_t kind) {
    struct bend b = {.kind = kind, .key_n = 3, .leaf = LEAF, .revision = LEAF, .blobs = 1, .number = 7, .part_count = 3, .last_size = 5, .sealed_n = 9};
    if (kind == COMMAND_UPLOAD) b.flags = ENTRY_FLAG_UPLOAD;
    if (kind == COMMAND_PART) b.flags = ENTRY_FLAG_PART;
    if (kind == COMMAND_COMPLETE) b.flags = ENTRY_FLAG_SET, b.set = upload_id, b.parts = 3;
    if (kind == COMMAND_REWRITE) b.leaf = 4;
    if ((b.flags & (ENTRY_FLAG_UPLOAD | ENTRY_FLAG_SET)) != 0) b.blobs = 0;
    return b;
}

static void put_entry(struct buf *out, const struct bend *b) {
    struct blob blobs[ENTRY_BLOB_ROWS_MAX + 1] = {0};
    const struct entry_parts e = {.flags = b->flags, .leaf = b->leaf, .revision = b->revision, .blobs = blobs, .blob_count = b->blobs,
                                  .set = b->set, .parts = b->parts};
    build_entry_lp32(out, &e);
}

static void put_parts(struct buf *out, const struct bend *b) {
    static const uint8_t zeros[PART_ROW_BYTES_MAX + 1];
    buf_put_u16(out, b->part_count);
    for (unsigned i = 0; i < b->part_count; i++) {
        buf_put_u16(out, (uint16_t)(i + 1));
        buf_put_u64(out, 100 + i);
        buf_put_u64(out, 10u * i);
        buf_put_u64(out, i + 1u < b->part_count ? 10 : b->last_size);
        buf_put_lp16(out, slice_of(zeros, b->sealed_n));
    }
}

static void put_item(struct buf *out, const struct bend *b) {
    char key[S3_KEY_BYTES_MAX + 2];
    memset(key, 'k', sizeof key);
    key[b->key_n] = 0;
    build_place(out, key);
    const struct command_turn t = {.guard = 5, .keep = b->keep == 1, .null_leaf = 3, .grave_ms = 60000};
    uint8_t k = b->kind;
    if (k == COMMAND_PUT || k == COMMAND_DELETE || k == COMMAND_UNDELETE || k == COMMAND_COMPLETE) build_turn(out, &t);
    if (k == COMMAND_UPLOAD || k == COMMAND_PART || k == COMMAND_COMPLETE || k == COMMAND_ABORT) buf_put(out, upload_id, ID_BYTES);
    if (k == COMMAND_UNDELETE || k == COMMAND_DELVER || k == COMMAND_REWRITE) buf_put_u64(out, 4);
    if (k == COMMAND_DELVER) buf_put_u64(out, 60000);
    if (k == COMMAND_PART) buf_put_u16(out, b->number);
    if (k == COMMAND_PART || k == COMMAND_REWRITE) buf_put_u64(out, 6);
    if (k == COMMAND_PUT || k == COMMAND_PART) {
        buf_put_u8(out, b->source);
        if (b->source == SOURCE_SHARED) {
            build_place(out, "from");
            buf_put_u64(out, 2);
        }
    }
    if (k != COMMAND_DELETE && k != COMMAND_DELVER && k != COMMAND_ABORT) put_entry(out, b);
    if (k == COMMAND_COMPLETE) put_parts(out, b);
}

static struct buf command_of(const struct bend *b) {
    struct buf out = BUF_INIT(COMMAND_BYTES_MAX * 2);
    build_head(&out, b->kind, 1000);
    put_item(&out, b);
    assert_true(buf_ok(&out));
    return out;
}

static struct buf sample(uint8_t kind) {
    struct bend b = bend_of(kind);
    if (kind != COMMAND_PURGE && kind != COMMAND_BATCH) return command_of(&b);
    struct buf out = BUF_INIT(COMMAND_BYTES_MAX);
    build_head(&out, kind, 1000);
    if (kind == COMMAND_PURGE) {
        buf_put_u64(&out, 7);
        buf_put_u16(&out, 2);
        for (uint8_t gone = 0; gone < 2; gone++) {
            buf_put(&out, rig_bucket, ID_BYTES);
            buf_put_u8(&out, gone);
        }
        return out;
    }
    static const uint8_t kinds[] = {COMMAND_PUT, COMMAND_DELETE, COMMAND_DELVER, COMMAND_ABORT};
    buf_put_u16(&out, ARRAY_LEN(kinds));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        b = bend_of(kinds[i]);
        if (kinds[i] == COMMAND_PUT) b.flags = ENTRY_FLAG_DELETE_MARKER, b.blobs = 0;
        buf_put_u8(&out, kinds[i]);
        put_item(&out, &b);
    }
    return out;
}

static enum err check(const struct buf *b) {
    size_t claims = 0;
    return command_check(buf_slice(b), LEAF, &claims);
}

static enum err check_bend(const struct bend *b) {
    AUTO(buf) struct buf c = command_of(b);
    return check(&c);
}

static void every_kind_is_read_and_walked(void **state) {
    (void)state;
    for (uint8_t kind = COMMAND_PUT; kind <= COMMAND_REWRITE; kind++) {
        size_t claims = 9;
        AUTO(buf) struct buf b = sample(kind);
        assert_int_equal(command_check(buf_slice(&b), LEAF, &claims), ERR_OK);
        assert_int_equal(claims, kind == COMMAND_PUT || kind == COMMAND_PART ? 1 : 0);
        struct command c;
        command_begin(buf_slice(&b), &c);
        assert_int_equal(c.kind, kind);
        assert_int_equal(c.at_ms, 1000);
        unsigned n = 0;
        if (kind == COMMAND_PURGE) {
            bool gone = false;
            for (struct slice bucket; command_next_bucket(&c, &bucket, &gone); n++) assert_int_equal(gone, n == 1);
            assert_int_equal(n, 2);
            continue;
        }
        for (struct command_item i; command_next(&c, &i); n++) {
            assert_true(slice_is(i.key, "kkk"));
            if (i.kind == COMMAND_PUT) assert_int_equal(i.turn.guard, 5);
            if (i.kind == COMMAND_PUT) assert_int_equal(i.turn.null_leaf, 3);
            if (i.kind == COMMAND_DELVER) assert_int_equal(i.version, 4);
            if (i.kind == COMMAND_PART) assert_int_equal(i.number, 7);
            if (i.kind == COMMAND_REWRITE) assert_int_equal(i.guard, 6);
            if (i.kind == COMMAND_ABORT) assert_memory_equal(i.upload, upload_id, ID_BYTES);
            unsigned parts = 0;
            if (i.kind == COMMAND_COMPLETE)
                for (struct command_part p; command_next_part(&i, &p); parts++) assert_int_equal(p.off, 10u * parts);
            assert_int_equal(parts, i.kind == COMMAND_COMPLETE ? 3 : 0);
        }
        assert_int_equal(n, kind == COMMAND_BATCH ? 4 : 1);
    }
}

static void a_shared_source_names_a_version_and_claims_nothing(void **state) {
    (void)state;
    static const uint8_t kinds[] = {COMMAND_PUT, COMMAND_PART};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct bend bend = bend_of(kinds[k]);
        bend.source = SOURCE_SHARED;
        size_t claims = 9;
        AUTO(buf) struct buf b = command_of(&bend);
        assert_int_equal(command_check(buf_slice(&b), LEAF, &claims), ERR_OK);
        assert_int_equal(claims, 0);
        struct command c;
        struct command_item i;
        command_begin(buf_slice(&b), &c);
        assert_true(command_next(&c, &i));
        assert_true(slice_is(i.source.key, "from"));
        assert_int_equal(i.source.leaf, 2);
        for (size_t n = 0; n < b.n; n++) assert_int_not_equal(command_check(slice_of(b.p, n), LEAF, &claims), ERR_OK);
        bend.source = 2;
        assert_int_equal(check_bend(&bend), ERR_INPUT);
    }
}

static void a_command_cut_anywhere_or_one_byte_too_long_is_refused(void **state) {
    (void)state;
    size_t claims = 0;
    for (uint8_t kind = COMMAND_PUT; kind <= COMMAND_REWRITE; kind++) {
        AUTO(buf) struct buf b = sample(kind);
        for (size_t n = 0; n < b.n; n++) assert_int_not_equal(command_check(slice_of(b.p, n), LEAF, &claims), ERR_OK);
        buf_put_u8(&b, 0);
        assert_int_equal(check(&b), ERR_TRAILING);
    }
}

static void an_entry_fits_its_kind_or_the_command_is_refused(void **state) {
    (void)state;
    /* the flags of the entry, by kind: those that pass; source 0 */
    static const uint8_t kinds[] = {COMMAND_PUT, COMMAND_UNDELETE, COMMAND_UPLOAD, COMMAND_PART, COMMAND_COMPLETE, COMMAND_REWRITE};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (unsigned flags = 0; flags <= ENTRY_FLAGS_ALL + 1u; flags++) {
            struct bend b = bend_of(kinds[k]);
            b.flags = (uint8_t)flags;
            unsigned what = flags & ~(unsigned)ENTRY_FLAG_NULL;
            b.blobs = what == 0 || what == ENTRY_FLAG_PART ? 1 : 0;
            b.set = (flags & ENTRY_FLAG_SET) != 0 ? upload_id : NULL;
            b.parts = 3;
            bool fits = false;
            switch (kinds[k]) {
            case COMMAND_PUT: fits = what == 0 || what == ENTRY_FLAG_DELETE_MARKER; break;
            case COMMAND_UNDELETE: fits = what == 0 || what == ENTRY_FLAG_SET; break;
            case COMMAND_UPLOAD: fits = flags == ENTRY_FLAG_UPLOAD; break;
            case COMMAND_PART: fits = flags == ENTRY_FLAG_PART; break;
            case COMMAND_COMPLETE: fits = what == ENTRY_FLAG_SET; break;
            default: fits = what == 0 || what == ENTRY_FLAG_SET || what == ENTRY_FLAG_DELETE_MARKER; break;
            }
            enum err e = check_bend(&b);
            if ((e == ERR_OK) != fits) fail_msg("kind %u flags %u: %s", kinds[k], flags, err_name(e));
        }
        struct bend b = bend_of(kinds[k]);
        b.leaf = 7;
        assert_int_equal(check_bend(&b), ERR_INPUT); /* of another leaf */
        b = bend_of(kinds[k]);
        b.revision = 7;
        assert_int_equal(check_bend(&b), ERR_INPUT);
    }
    struct bend b = bend_of(COMMAND_PUT);
    b.source = SOURCE_SHARED;
    b.flags = ENTRY_FLAG_SET, b.set = upload_id, b.parts = 1, b.blobs = 0;
    assert_int_equal(check_bend(&b), ERR_OK);
    b = bend_of(COMMAND_PUT);
    b.source = SOURCE_SHARED, b.flags = ENTRY_FLAG_DELETE_MARKER, b.blobs = 0;
    assert_int_equal(check_bend(&b), ERR_INPUT);
    b = bend_of(COMMAND_DELETE);
    b.keep = 1;
    assert_int_equal(check_bend(&b), ERR_INPUT);
    b = bend_of(COMMAND_PUT);
    b.keep = 1;
    assert_int_equal(check_bend(&b), ERR_OK);
}

static void bounds_hold_and_one_past_them_is_refused(void **state) {
    (void)state;
    for (uint8_t kind = COMMAND_PUT; kind <= COMMAND_REWRITE; kind++) {
        if (kind == COMMAND_BATCH || kind == COMMAND_PURGE) continue;
        struct bend b = bend_of(kind);
        for (b.key_n = 0; b.key_n <= S3_KEY_BYTES_MAX + 1; b.key_n++) {
            if (b.key_n > 1 && b.key_n < S3_KEY_BYTES_MAX) continue;
            assert_int_equal(check_bend(&b) == ERR_OK, b.key_n > 0 && b.key_n <= S3_KEY_BYTES_MAX);
        }
    }
    for (unsigned count = 0; count <= BATCH_ITEMS_MAX + 1; count++) {
        if (count > 1 && count < BATCH_ITEMS_MAX) continue;
        AUTO(buf) struct buf b = BUF_INIT(COMMAND_BYTES_MAX);
        struct bend item = bend_of(COMMAND_DELETE);
        build_head(&b, COMMAND_BATCH, 1000);
        buf_put_u16(&b, (uint16_t)count);
        for (unsigned i = 0; i < count; i++) {
            buf_put_u8(&b, COMMAND_DELETE);
            put_item(&b, &item);
        }
        assert_int_equal(check(&b), count >= 1 && count <= BATCH_ITEMS_MAX ? ERR_OK : ERR_RANGE);
    }
    for (unsigned count = GATE_PURGE_BUCKETS_MAX; count <= GATE_PURGE_BUCKETS_MAX + 1; count++) {
        AUTO(buf) struct buf b = BUF_INIT(COMMAND_BYTES_MAX);
        build_head(&b, COMMAND_PURGE, 1000);
        buf_put_u64(&b, 7);
        buf_put_u16(&b, (uint16_t)count);
        for (unsigned i = 0; i < count; i++) {
            buf_put(&b, rig_bucket, ID_BYTES);
            buf_put_u8(&b, 1);
        }
        assert_int_equal(check(&b), count <= GATE_PURGE_BUCKETS_MAX ? ERR_OK : ERR_RANGE);
        b.p[20 + 16] = 2;
        if (count <= GATE_PURGE_BUCKETS_MAX) assert_int_equal(check(&b), ERR_INPUT);
    }
    struct bend part = bend_of(COMMAND_PART);
    static const uint16_t numbers[] = {0, 1, PARTS_MAX, PARTS_MAX + 1};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        part.number = numbers[i];
        assert_int_equal(check_bend(&part), i == 1 || i == 2 ? ERR_OK : ERR_INPUT);
    }
    AUTO(buf) struct buf late = sample(COMMAND_DELETE);
    late.p[2] = 0x80; /* at: past any time */
    assert_int_equal(check(&late), ERR_RANGE);
}

static void the_parts_of_a_complete_are_in_order_and_without_gaps(void **state) {
    (void)state;
    struct bend b = bend_of(COMMAND_COMPLETE);
    static const uint16_t counts[] = {0, 1, 2, PARTS_MAX, PARTS_MAX + 1};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        b.part_count = b.parts = counts[i];
        assert_int_equal(check_bend(&b) == ERR_OK, counts[i] > 0 && counts[i] <= PARTS_MAX);
    }
    b = bend_of(COMMAND_COMPLETE);
    b.last_size = 0;
    assert_int_equal(check_bend(&b), ERR_OK);
    b.last_size = S3_PUT_BYTES_MAX;
    assert_int_equal(check_bend(&b), ERR_OK);
    b.last_size++;
    assert_int_equal(check_bend(&b), ERR_RANGE);
    b = bend_of(COMMAND_COMPLETE);
    b.sealed_n = PART_ROW_BYTES_MAX;
    assert_int_equal(check_bend(&b), ERR_OK);
    b.sealed_n++;
    assert_int_not_equal(check_bend(&b), ERR_OK);
    b = bend_of(COMMAND_COMPLETE);
    b.parts = 2; /* the entry says another number than there are */
    assert_int_equal(check_bend(&b), ERR_INPUT);
    b = bend_of(COMMAND_COMPLETE);
    b.set = other_id;
    assert_int_equal(check_bend(&b), ERR_INPUT);
    /* rows of 2 + 8 + 8 + 8 + 2 + 9 bytes from the end: number, guard, offset, size */
    const size_t row = 37;
    AUTO(buf) struct buf c = sample(COMMAND_COMPLETE);
    uint8_t *last = c.p + c.n - row;
    last[1] = 2; /* the number before it, again */
    assert_int_equal(check(&c), ERR_INPUT);
    last[1] = 200; /* a gap in numbers is fine */
    assert_int_equal(check(&c), ERR_OK);
    last[17] = 21; /* an offset that leaves a byte out */
    assert_int_equal(check(&c), ERR_INPUT);
    last[17] = 19;
    assert_int_equal(check(&c), ERR_INPUT);
    last[17] = 20;
    memset(last + 2, 0xff, 8); /* no part has that leaf */
    assert_int_equal(check(&c), ERR_INPUT);
    memset(last + 2, 0, 8);
    assert_int_equal(check(&c), ERR_OK);
    put_be64(last - row + 18, 0); /* an empty part that is not the last: two rows would have one offset */
    put_be64(last + 10, 10);
    assert_int_equal(check(&c), ERR_RANGE);
}

static void versions_kinds_and_flags_that_are_not_known_are_refused(void **state) {
    (void)state;
    AUTO(buf) struct buf b = sample(COMMAND_PUT);
    b.p[0] = 1;
    assert_int_equal(check(&b), ERR_VERSION);
    b.p[0] = 3;
    assert_int_equal(check(&b), ERR_VERSION);
    b.p[0] = 2;
    b.p[1] = COMMAND_REWRITE + 1;
    assert_int_equal(check(&b), ERR_INPUT);
    b.p[1] = 0;
    assert_int_equal(check(&b), ERR_INPUT);
    for (uint8_t kind = 0; kind < 16; kind++) {
        if (kind == COMMAND_PUT || kind == COMMAND_DELETE || kind == COMMAND_DELVER || kind == COMMAND_ABORT) continue;
        AUTO(buf) struct buf nested = BUF_INIT(COMMAND_BYTES_MAX);
        struct bend item = bend_of(kind);
        build_head(&nested, COMMAND_BATCH, 1000);
        buf_put_u16(&nested, 1);
        buf_put_u8(&nested, kind);
        put_item(&nested, &item);
        assert_int_equal(check(&nested), ERR_INPUT);
    }
    AUTO(buf) struct buf staged = BUF_INIT(COMMAND_BYTES_MAX); /* a batch's PUT is a delete marker */
    struct bend put = bend_of(COMMAND_PUT);
    build_head(&staged, COMMAND_BATCH, 1000);
    buf_put_u16(&staged, 1);
    buf_put_u8(&staged, COMMAND_PUT);
    put_item(&staged, &put);
    assert_int_equal(check(&staged), ERR_INPUT);
    static uint8_t long_one[COMMAND_BYTES_MAX + 1] = {COMMAND_VERSION, COMMAND_PURGE};
    size_t claims = 0;
    assert_int_equal(command_check(slice_of(long_one, sizeof long_one), LEAF, &claims), ERR_LIMIT);
}

static void an_entry_is_exact(void **state) {
    (void)state;
    static const struct entry_parts good[] = {
        {.flags = 0, .leaf = 1, .blob_count = 1},
        {.flags = ENTRY_FLAG_NULL, .leaf = 1, .blob_count = ENTRY_BLOB_ROWS_MAX},
        {.flags = ENTRY_FLAG_SET | ENTRY_FLAG_NULL, .leaf = 1, .set = upload_id, .parts = PARTS_MAX},
        {.flags = ENTRY_FLAG_DELETE_MARKER, .leaf = 1},
        {.flags = ENTRY_FLAG_UPLOAD, .leaf = 1},
        {.flags = ENTRY_FLAG_PART, .leaf = 1, .blob_count = 1},
    };
    static const struct entry_parts bad[] = {
        {.flags = 0, .leaf = 1},
        {.flags = 0, .leaf = 1, .blob_count = ENTRY_BLOB_ROWS_MAX + 1},
        {.flags = ENTRY_FLAG_DELETE_MARKER, .leaf = 1, .blob_count = 1},
        {.flags = ENTRY_FLAG_SET, .leaf = 1, .set = upload_id, .parts = 0},
        {.flags = ENTRY_FLAG_SET, .leaf = 1, .set = upload_id, .parts = PARTS_MAX + 1},
        {.flags = ENTRY_FLAG_SET, .leaf = 1, .set = upload_id, .parts = 1, .blob_count = 1},
        {.flags = ENTRY_FLAG_SET | ENTRY_FLAG_DELETE_MARKER, .leaf = 1, .set = upload_id, .parts = 1},
        {.flags = ENTRY_FLAG_PART, .leaf = 1, .blob_count = 2},
        {.flags = ENTRY_FLAG_PART | ENTRY_FLAG_NULL, .leaf = 1, .blob_count = 1},
        {.flags = ENTRY_FLAG_UPLOAD | ENTRY_FLAG_NULL, .leaf = 1},
        {.flags = 32, .leaf = 1, .blob_count = 1},
    };
    struct blob blobs[ENTRY_BLOB_ROWS_MAX + 1] = {0};
    struct entry e;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        AUTO(buf) struct buf raw = BUF_INIT(4096);
        struct entry_parts p = good[i];
        p.blobs = blobs;
        build_entry(&raw, &p);
        assert_int_equal(entry_parse(buf_slice(&raw), &e), ERR_OK);
        assert_int_equal(e.flags, p.flags);
        assert_int_equal(e.blob_count, p.blob_count);
        assert_int_equal(e.parts, p.parts);
        for (size_t n = 0; n < raw.n; n++) assert_int_not_equal(entry_parse(slice_of(raw.p, n), &e), ERR_OK);
        raw.p[0] = 1;
        assert_int_equal(entry_parse(buf_slice(&raw), &e), ERR_VERSION);
        raw.p[0] = 2;
        buf_put_u8(&raw, 0);
        assert_int_equal(entry_parse(buf_slice(&raw), &e), ERR_TRAILING);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(buf) struct buf raw = BUF_INIT(4096);
        struct entry_parts p = bad[i];
        p.blobs = blobs;
        build_entry(&raw, &p);
        assert_int_equal(entry_parse(buf_slice(&raw), &e), ERR_INPUT);
    }
}

static void a_set_row_comes_back_and_is_exact(void **state) {
    (void)state;
    struct row_key key;
    row_set(&key, upload_id);
    row_put_u64(&key, 12345);
    const struct set_row in = {.number = 3, .plain_size = 77, .cipher_size = 93, .blob = other_id, .location = SLICE_LIT("\3aaaaaaaaaaaaaaaa"),
                               .sealed = SLICE_LIT("sealed")};
    AUTO(buf) struct buf value = BUF_INIT(4096);
    struct set_row out;
    set_row_put(&value, &in);
    assert_int_equal(set_row_parse(row_slice(&key), buf_slice(&value), &out), ERR_OK);
    assert_int_equal(out.number, 3);
    assert_int_equal(out.off, 12345);
    assert_int_equal(out.plain_size, 77);
    assert_int_equal(out.cipher_size, 93);
    assert_memory_equal(out.blob, other_id, ID_BYTES);
    assert_true(slice_eq(out.location, in.location));
    assert_true(slice_eq(out.sealed, in.sealed));
    for (size_t n = 0; n < value.n; n++) assert_int_not_equal(set_row_parse(row_slice(&key), slice_of(value.p, n), &out), ERR_OK);
    assert_int_equal(set_row_parse(slice_of(key.p, key.n - 1), buf_slice(&value), &out), ERR_CORRUPT);
    buf_put_u8(&value, 0);
    assert_int_equal(set_row_parse(row_slice(&key), buf_slice(&value), &out), ERR_CORRUPT);
    value.p[0] = 2;
    assert_int_equal(set_row_parse(row_slice(&key), buf_slice(&value), &out), ERR_VERSION);
}

static void the_longest_row_key_fits(void **state) {
    (void)state;
    static uint8_t key[S3_KEY_BYTES_MAX];
    memset(key, 'k', sizeof key);
    struct row_key row;
    row_object(&row, ROW_GRAVE, slice_of(rig_bucket, ID_BYTES), slice_of(key, sizeof key));
    row_put_u64(&row, 1);
    row_put_u64(&row, 2);
    assert_true(row.n <= ROW_KEY_BYTES_MAX);
    row_upload(&row, slice_of(rig_bucket, ID_BYTES), slice_of(key, sizeof key), upload_id);
    assert_true(row.n < ROW_KEY_BYTES_MAX);
}

static void the_next_key_after_a_prefix_is_right_at_ff(void **state) {
    (void)state;
    struct row_key k;
    row_begin(&k, 'E');
    row_put(&k, SLICE_LIT("a\xff\xff"));
    assert_true(row_after(&k));
    assert_true(slice_is(row_slice(&k), "Eb"));
    row_begin(&k, 0xff);
    assert_false(row_after(&k));
}

static void a_location_is_exact_and_inside_its_pack(void **state) {
    (void)state;
    struct location l;
    AUTO(buf) struct buf b = BUF_INIT(64);
    buf_put_u8(&b, LOCATION_PACK);
    buf_put_u32(&b, 1);
    buf_put_u64(&b, PACK_BYTES - 10);
    buf_put_u64(&b, 10);
    assert_int_equal(location_parse(buf_slice(&b), &l), ERR_OK);
    for (size_t n = 0; n < b.n; n++) assert_int_not_equal(location_parse(slice_of(b.p, n), &l), ERR_OK);
    b.p[b.n - 1] = 11;
    assert_int_equal(location_parse(buf_slice(&b), &l), ERR_RANGE);
    buf_put_u8(&b, 0);
    b.p[b.n - 2] = 10;
    assert_int_equal(location_parse(buf_slice(&b), &l), ERR_TRAILING);
    assert_int_equal(location_parse(SLICE_LIT("\4aaaaaaaaaaaaaaaa"), &l), ERR_INPUT);
    assert_int_equal(location_parse(SLICE_LIT("\3aaaaaaaaaaaaaaaa"), &l), ERR_OK);
    assert_int_equal(location_parse((struct slice){0}, &l), ERR_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read_and_walked),
        cmocka_unit_test(a_shared_source_names_a_version_and_claims_nothing),
        cmocka_unit_test(a_command_cut_anywhere_or_one_byte_too_long_is_refused),
        cmocka_unit_test(an_entry_fits_its_kind_or_the_command_is_refused),
        cmocka_unit_test(bounds_hold_and_one_past_them_is_refused),
        cmocka_unit_test(the_parts_of_a_complete_are_in_order_and_without_gaps),
        cmocka_unit_test(versions_kinds_and_flags_that_are_not_known_are_refused),
        cmocka_unit_test(an_entry_is_exact),
        cmocka_unit_test(a_set_row_comes_back_and_is_exact),
        cmocka_unit_test(the_longest_row_key_fits),
        cmocka_unit_test(the_next_key_after_a_prefix_is_right_at_ff),
        cmocka_unit_test(a_location_is_exact_and_inside_its_pack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
