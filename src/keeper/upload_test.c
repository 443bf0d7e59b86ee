/* SPDX-License-Identifier: Apache-2.0
 * upload_test: objects of many parts: commands in pieces, what FIND gives of their sets, and what is left when they end.
 * Role: unit tests over socket pairs.
 * Law: LAW-2: what no command asks for does not change
 * Spec: docs/spec/entry.md, docs/spec/wire.md (APPLY, FIND, FOUND)
 */
#include "keeper/keeper_test.h"

#define ABSENT COMMAND_GUARD_ABSENT
#define PART_PLAIN 1000 /* the test's own: sizes are the gate's to know */

static const uint8_t upload_id[ID_BYTES] = "upload.........";

static const struct store_engine *const mem = &store_engine_mem;

static void begin(struct rig *r, const char *key, const uint8_t *id) {
    const struct entry_parts e = {.flags = ENTRY_FLAG_UPLOAD, .leaf = r->index};
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_UPLOAD, 1000);
    build_place(&c, key);
    buf_put(&c, id, ID_BYTES);
    build_entry_lp32(&c, &e);
    assert_int_equal(rig_run(r, &c), WIRE_SETTLED_DONE);
}

static void part_command(struct buf *c, const char *key, const uint8_t *id, uint16_t number, uint64_t guard, uint64_t leaf, const struct blob *b) {
    const struct entry_parts e = {.flags = ENTRY_FLAG_PART, .leaf = leaf, .blobs = b, .blob_count = 1};
    build_head(c, COMMAND_PART, 1000);
    build_place(c, key);
    buf_put(c, id, ID_BYTES);
    buf_put_u16(c, number);
    buf_put_u64(c, guard);
    buf_put_u8(c, SOURCE_STAGED);
    build_entry_lp32(c, &e);
}

static uint8_t put_part(struct rig *r, const char *key, const uint8_t *id, uint16_t number, uint64_t guard, const struct blob *b) {
    struct buf c = BUF_INIT(8192);
    part_command(&c, key, id, number, guard, r->index, b);
    return rig_run(r, &c);
}

/* numbers: of the parts, ascending; leaves: their guards. Sizes grow by one from part to part, so that no two rows are alike. */
static void complete_command(struct buf *c, const char *key, const uint8_t *id, uint64_t guard, uint64_t leaf, uint16_t count,
                             const uint16_t *numbers, const uint64_t *leaves) {
    const struct command_turn t = {.guard = guard, .null_leaf = ABSENT};
    const struct entry_parts e = {.flags = ENTRY_FLAG_SET, .leaf = leaf, .set = id, .parts = count};
    static const uint8_t sealed[120] = {7};
    uint64_t off = 0;
    build_head(c, COMMAND_COMPLETE, 1000);
    build_place(c, key);
    build_turn(c, &t);
    buf_put(c, id, ID_BYTES);
    build_entry_lp32(c, &e);
    buf_put_u16(c, count);
    for (uint16_t i = 0; i < count; i++) {
        buf_put_u16(c, numbers[i]);
        buf_put_u64(c, leaves[i]);
        buf_put_u64(c, off);
        buf_put_u64(c, PART_PLAIN + i);
        buf_put_lp16(c, slice_of(sealed, sizeof sealed));
        off += PART_PLAIN + i;
    }
    assert_true(buf_ok(c));
}

static uint64_t off_of(uint64_t part) { return part * PART_PLAIN + part * (part - 1) / 2; } /* of the part-th, from 0 */

/* count T rows straight into the engine, as PART would have put them: 10 000 uploads over sockets would test nothing more. */
static void parts_into_engine(struct rig *r, const uint8_t *id, uint16_t count, uint64_t leaf) {
    struct store_batch *batch = store_batch_new();
    uint64_t bytes = 0;
    for (uint16_t i = 0; i < count; i++) {
        struct blob b = rig_blob(r, PART_PLAIN + i + FRAME_TAG_BYTES);
        bytes += b.size;
        const struct entry_parts e = {.flags = ENTRY_FLAG_PART, .leaf = leaf + i, .blobs = &b, .blob_count = 1};
        struct row_key key;
        struct row_key blob;
        struct buf value = BUF_INIT(4096);
        uint8_t one[4] = {0, 0, 0, 1};
        buf_put_u8(&value, 1);
        buf_put_u8(&value, 1);
        buf_put_u16(&value, 1 + ID_BYTES);
        buf_put_u8(&value, LOCATION_FILE);
        buf_put(&value, b.id, ID_BYTES);
        build_entry(&value, &e);
        row_parts(&key, id);
        row_put_u16(&key, (uint16_t)(i + 1));
        row_begin(&blob, ROW_BLOB);
        row_put(&blob, slice_of(b.id, ID_BYTES));
        store_batch_put(batch, STORE_ROWS, row_slice(&key), buf_slice(&value));
        store_batch_put(batch, STORE_ROWS, row_slice(&blob), slice_of(one, 4));
        buf_done(&value);
    }
    rig_usage_more(r, batch, count, bytes);
    assert_int_equal(store_write(r->k.store, batch), ERR_OK);
    store_batch_free(batch);
}

static unsigned rows_of(struct rig *r, char table) {
    unsigned n = 0;
    uint8_t upper = (uint8_t)(table + 1);
    struct store_iter *it = store_iter_open(r->k.store, NULL, STORE_ROWS, slice_of(&upper, 1));
    for (store_iter_seek(r->k.store, it, slice_of(&table, 1)); store_iter_valid(r->k.store, it); store_iter_next(r->k.store, it)) n++;
    store_iter_close(r->k.store, it);
    return n;
}

/* An object of count parts that the engine was given; its leaf. */
static uint64_t object_of_parts(struct rig *r, const char *key, uint16_t count, size_t piece, uint64_t *took_us) {
    static uint16_t numbers[PARTS_MAX];
    static uint64_t leaves[PARTS_MAX];
    begin(r, key, upload_id);
    parts_into_engine(r, upload_id, count, 500000);
    for (uint16_t i = 0; i < count; i++) {
        numbers[i] = (uint16_t)(i + 1);
        leaves[i] = 500000u + i;
    }
    struct buf c = BUF_INIT(COMMAND_BYTES_MAX);
    complete_command(&c, key, upload_id, ABSENT, r->index, count, numbers, leaves);
    uint64_t at = clock_mono_us();
    rig_send_pieces(r, r->index, buf_slice(&c), piece);
    assert_int_equal(rig_outcome(r, r->index), WIRE_SETTLED_DONE);
    if (took_us != NULL) *took_us = clock_mono_us() - at;
    buf_done(&c);
    return r->index++;
}

static void a_complete_of_all_the_parts_there_may_be_comes_in_pieces(void **state) {
    struct rig r;
    static const uint16_t counts[] = {1000, PARTS_MAX};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        uint64_t took_us = 0;
        rig_open(&r, *state);
        (void)object_of_parts(&r, "big", counts[i], WIRE_DATA_BYTES_MAX, &took_us);
        print_message("COMPLETE of %u parts: %llu us from the first byte sent to SETTLED\n", counts[i], (unsigned long long)took_us);
        assert_int_equal(rows_of(&r, ROW_SET), counts[i]);
        assert_int_equal(rows_of(&r, ROW_PART), 0);
        assert_int_equal(rows_of(&r, ROW_UPLOAD), 0);
        assert_int_equal(rows_of(&r, ROW_BLOB), counts[i] + 1u);
        rig_close(&r);
    }
}

static void pieces_of_any_size_make_the_same_command(void **state) {
    (void)state;
    static const size_t pieces[] = {1, 7, 100, 4096};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct rig r;
        rig_open(&r, mem);
        (void)object_of_parts(&r, "k", 3, pieces[i], NULL);
        assert_int_equal(rows_of(&r, ROW_SET), 3);
        rig_close(&r);
    }
}

static void send_piece(struct rig *r, uint64_t index, uint8_t last, struct slice bytes) {
    struct wire_apply m = {.index = index, .last = last, .command = bytes};
    memcpy(m.log, rig_log, ID_BYTES);
    struct buf frame = BUF_INIT(WIRE_FRAME_BYTES_MAX + 64);
    assert_int_equal(wire_put_apply(&frame, 1, &m), ERR_OK);
    (void)send(r->gate.fd, frame.p, frame.n, MSG_NOSIGNAL);
    rig_turn(r, 0);
    buf_done(&frame);
}

static void pieces_that_do_not_belong_together_cost_the_connection(void **state) {
    (void)state;
    static uint8_t much[WIRE_DATA_BYTES_MAX];
    for (int what = 0; what < 5; what++) {
        struct rig r;
        rig_open(&r, mem);
        struct buf c = BUF_INIT(4096);
        command_delete(&c, "a", ABSENT, 1000);
        send_piece(&r, 0, what == 3 ? 2 : 0, what == 1 ? (struct slice){0} : slice_of(c.p, 10));
        if (what == 0) send_piece(&r, 1, 1, slice_of(c.p + 10, c.n - 10));         /* of another command */
        if (what == 2) send_piece(&r, 0, 1, slice_of(c.p + 10, c.n - 11));         /* one byte short */
        for (size_t n = 0; what == 4 && n <= COMMAND_BYTES_MAX / sizeof much; n++) send_piece(&r, 0, 0, slice_of(much, sizeof much));
        assert_true(peer_closed(&r, &r.gate, 1000));
        /* what the old connection left of a command is not part of the next one's */
        peer_done(&r.gate);
        peer_gate(&r, &r.gate);
        PEER_SEND(&r.gate, openindex, 1, .index_key = {0});
        (void)peer_recv(&r, &r.gate, WIRE_READY);
        assert_int_equal(rig_delete(&r, "a", ABSENT), WIRE_SETTLED_DONE);
        buf_done(&c);
        rig_close(&r);
    }
}

static void finds_may_stand_between_pieces(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    struct blob b = rig_staged(&r, 20);
    assert_int_equal(rig_put(&r, "a", ABSENT, &b), WIRE_SETTLED_DONE);
    struct buf c = BUF_INIT(4096);
    command_delete(&c, "a", 0, 1000);
    send_piece(&r, 1, 0, slice_of(c.p, 10));
    assert_int_equal(rig_find(&r, "a", false, NULL), 0);
    r.index = 1;
    struct wire_apply m = {.index = 1, .last = 1, .command = slice_of(c.p + 10, c.n - 10)};
    memcpy(m.log, rig_log, ID_BYTES);
    struct buf frame = BUF_INIT(4096);
    assert_int_equal(wire_put_apply(&frame, 101, &m), ERR_OK);
    peer_send(&r.gate, &frame);
    assert_int_equal(rig_outcome(&r, 1), WIRE_SETTLED_DONE);
    assert_int_equal(rig_find(&r, "a", false, NULL), ABSENT);
    buf_done(&frame);
    buf_done(&c);
    rig_close(&r);
}

/* FIND ------------------------------------------------------------------------------------------------------------------- */

/* How many part rows came, checked to be the parts from `first` (counted from 0) on. */
static size_t rows_from(const struct wire_found *f, uint64_t first) {
    struct reader rows = reader_of(f->parts);
    size_t n = 0;
    for (struct wire_part_row row; wire_next_part_row(&rows, &row); n++) {
        assert_int_equal(row.number, first + n + 1);
        assert_int_equal(row.off, off_of(first + n));
        assert_int_equal(row.plain_size, PART_PLAIN + first + n);
        assert_int_equal(row.cipher_size, row.plain_size + FRAME_TAG_BYTES);
        assert_int_equal(row.location.p[0], LOCATION_FILE);
        assert_int_equal(row.sealed.n, 120);
    }
    assert_false(rows.bad);
    return n;
}

static void a_range_finds_its_part_rows_and_no_others(void **state) {
    struct rig r;
    rig_open(&r, *state);
    uint64_t leaf = object_of_parts(&r, "big", 2000, WIRE_DATA_BYTES_MAX, NULL);
    uint64_t size = off_of(2000);
    static const uint8_t modes[] = {WIRE_FIND_CURRENT, WIRE_FIND_VERSION, WIRE_FIND_SET};
    const struct {
        uint64_t off, len, first;
        size_t n;
    } cases[] = {
        {0, 1, 0, 1},
        {0, PART_PLAIN, 0, 1},
        {0, PART_PLAIN + 1, 0, 2},
        {PART_PLAIN - 1, 1, 0, 1},
        {PART_PLAIN, 1, 1, 1},
        {off_of(700), off_of(703) - off_of(700), 700, 3},
        {off_of(700) + 5, off_of(703) - off_of(700), 700, 4},
        {off_of(1999), 5, 1999, 1},
        {size - 1, 1, 1999, 1},
        {off_of(1999), UINT64_MAX, 1999, 1},
        {size, 1, 0, 0},
        {UINT64_MAX, 1, 0, 0},
        {5, 0, 0, 0},
    };
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            struct wire_find q = {.mode = modes[m], .index = leaf, .off = cases[i].off, .len = cases[i].len};
            memcpy(q.id, upload_id, ID_BYTES);
            struct wire_found f = rig_find_any(&r, modes[m] == WIRE_FIND_SET ? NULL : "big", q);
            assert_int_equal(f.present, WIRE_FOUND_PRESENT);
            assert_int_equal(f.entry.n > 0, modes[m] != WIRE_FIND_SET);
            assert_int_equal(f.current, modes[m] != WIRE_FIND_SET);
            assert_int_equal(rows_from(&f, cases[i].first), cases[i].n);
            assert_int_equal(f.more, 0);
        }
    }
    /* the whole of it, page by page */
    uint64_t got = 0;
    for (int page = 0;; page++) {
        struct wire_find q = {.mode = page == 0 ? WIRE_FIND_CURRENT : WIRE_FIND_SET, .off = off_of(got), .len = size - off_of(got)};
        memcpy(q.id, upload_id, ID_BYTES);
        struct wire_found f = rig_find_any(&r, page == 0 ? "big" : NULL, q);
        size_t n = rows_from(&f, got);
        assert_true(n > 0 && n <= FOUND_PARTS_MAX);
        assert_true(f.parts.n <= FOUND_PARTS_BYTES_MAX);
        got += n;
        if (!f.more) break;
        assert_int_equal(n, FOUND_PARTS_MAX);
    }
    assert_int_equal(got, 2000);
    struct wire_find none = {.mode = WIRE_FIND_SET, .len = 1, .id = "no such set"};
    assert_int_equal(rig_find_any(&r, NULL, none).present, WIRE_FOUND_ABSENT);
    rig_close(&r);
}

static void a_part_of_a_set_is_found_by_its_number(void **state) {
    struct rig r;
    rig_open(&r, *state);
    const uint16_t count = 3000;
    (void)object_of_parts(&r, "big", count, WIRE_DATA_BYTES_MAX, NULL);
    for (unsigned number = 0; number <= count + 1u; number += number < 5 || number > count - 5u ? 1 : 97) {
        for (uint32_t rows_max = 0; rows_max <= 2; rows_max++) {
            struct wire_find q = {.mode = WIRE_FIND_SETPART, .number = (uint16_t)number, .rows_max = rows_max};
            memcpy(q.id, upload_id, ID_BYTES);
            struct wire_found f = rig_find_any(&r, NULL, q);
            uint64_t first = number == 0 ? 0 : number - 1;
            size_t left = number > count ? 0 : count - first;
            assert_int_equal(f.present, WIRE_FOUND_PRESENT);
            assert_int_equal(rows_from(&f, first), MIN(left, (size_t)rows_max));
            assert_int_equal(f.more, left > rows_max);
        }
    }
    struct wire_find many = {.mode = WIRE_FIND_SETPART, .number = 11, .rows_max = 100000};
    memcpy(many.id, upload_id, ID_BYTES);
    struct wire_found f = rig_find_any(&r, NULL, many);
    assert_int_equal(rows_from(&f, 10), FOUND_PARTS_MAX);
    assert_int_equal(f.more, 1);
    struct wire_find none = {.mode = WIRE_FIND_SETPART, .number = 1, .rows_max = 1, .id = "no such set"};
    assert_int_equal(rig_find_any(&r, NULL, none).present, WIRE_FOUND_ABSENT);
    rig_close(&r);
}

/* One huge part among small ones is where guessing by size goes wrong. */
static void sizes_that_are_far_apart_do_not_hide_a_part(void **state) {
    (void)state;
    for (int huge_at = 0; huge_at < 3; huge_at++) {
        struct rig r;
        rig_open(&r, mem);
        struct store_batch *batch = store_batch_new();
        const uint16_t count = 300;
        uint64_t off = 0;
        struct row_key counted;
        row_begin(&counted, ROW_BLOB);
        row_put(&counted, slice_of(upload_id, ID_BYTES));
        store_batch_put(batch, STORE_ROWS, row_slice(&counted), SLICE_LIT("\0\0\0\1"));
        for (uint16_t i = 0; i < count; i++) {
            bool huge = i == (huge_at == 0 ? 0 : huge_at == 1 ? count / 2 : count - 2);
            const struct set_row row = {.number = (uint16_t)(20 * i + 1), .plain_size = huge ? S3_PUT_BYTES_MAX : 1, .blob = upload_id,
                                        .location = SLICE_LIT("\3aaaaaaaaaaaaaaaa"), .sealed = SLICE_LIT("s")};
            struct row_key key;
            struct buf value = BUF_INIT(4096);
            row_set(&key, upload_id);
            row_put_u64(&key, off);
            set_row_put(&value, &row);
            store_batch_put(batch, STORE_ROWS, row_slice(&key), buf_slice(&value));
            buf_done(&value);
            off += row.plain_size;
        }
        assert_int_equal(store_write(r.k.store, batch), ERR_OK);
        store_batch_free(batch);
        for (uint16_t number = 1; number <= 20 * count - 19; number++) {
            struct wire_find q = {.mode = WIRE_FIND_SETPART, .number = number, .rows_max = 1};
            memcpy(q.id, upload_id, ID_BYTES);
            struct wire_found f = rig_find_any(&r, NULL, q);
            struct reader rows = reader_of(f.parts);
            struct wire_part_row row;
            assert_true(wire_next_part_row(&rows, &row));
            assert_int_equal(row.number, (number + 18) / 20 * 20 + 1); /* the first that is not below */
        }
        rig_close(&r);
    }
}

static void versions_uploads_and_parts_are_found_by_name(void **state) {
    struct rig r;
    rig_open(&r, *state);
    /* leaf 0 null, kept; leaf 1 another; leaf 2 a delete marker: E=2, V=1,0, U=0 */
    struct entry_parts e[3] = {{.flags = ENTRY_FLAG_NULL, .blob_count = 1}, {.leaf = 1, .blob_count = 1}, {.flags = ENTRY_FLAG_DELETE_MARKER, .leaf = 2}};
    for (uint64_t i = 0; i < 3; i++) {
        struct blob b = {0};
        if (e[i].blob_count > 0) b = rig_staged(&r, 20);
        const struct command_turn t = {.guard = i == 0 ? ABSENT : i - 1, .keep = i > 0, .null_leaf = ABSENT};
        struct buf c = BUF_INIT(8192);
        e[i].blobs = &b;
        build_head(&c, COMMAND_PUT, 1000);
        build_place(&c, "k");
        build_turn(&c, &t);
        buf_put_u8(&c, SOURCE_STAGED);
        build_entry_lp32(&c, &e[i]);
        assert_int_equal(rig_run(&r, &c), WIRE_SETTLED_DONE);
        struct wire_found f = rig_find_any(&r, "k", (struct wire_find){.mode = WIRE_FIND_NULLVER});
        assert_int_equal(f.present, WIRE_FOUND_PRESENT);
        assert_int_equal(f.current, i == 0);
        assert_int_equal(get_be64(f.entry.p + 2), 0);
        f = rig_find_any(&r, "k", (struct wire_find){.mode = WIRE_FIND_CURRENT, .want_null = 1});
        assert_int_equal(get_be64(f.entry.p + 2), i);
        assert_int_equal(f.null_index, i == 0 ? ABSENT : 0);
        f = rig_find_any(&r, "k", (struct wire_find){.mode = WIRE_FIND_CURRENT});
        assert_int_equal(f.null_index, ABSENT);
    }
    for (uint64_t i = 0; i < 4; i++) {
        struct wire_found f = rig_find_any(&r, "k", (struct wire_find){.mode = WIRE_FIND_VERSION, .index = i});
        assert_int_equal(f.present, i < 3 ? WIRE_FOUND_PRESENT : WIRE_FOUND_ABSENT);
        assert_int_equal(f.current, i == 2);
        if (i < 3) assert_int_equal(get_be64(f.entry.p + 2), i);
        if (i < 2) assert_int_equal(f.locations.n, 2 + 1 + LOCATION_INLINE_KEY_BYTES);
    }
    static const uint8_t modes[] = {WIRE_FIND_CURRENT, WIRE_FIND_GRAVE, WIRE_FIND_NULLVER, WIRE_FIND_VERSION, WIRE_FIND_UPLOAD};
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        struct wire_found f = rig_find_any(&r, "nothing", (struct wire_find){.mode = modes[m], .want_null = modes[m] == WIRE_FIND_CURRENT});
        assert_int_equal(f.present, WIRE_FOUND_ABSENT);
        assert_int_equal(f.null_index, ABSENT);
    }
    begin(&r, "k", upload_id);
    struct wire_find q = {.mode = WIRE_FIND_UPLOAD};
    memcpy(q.id, upload_id, ID_BYTES);
    struct wire_found f = rig_find_any(&r, "k", q);
    assert_int_equal(f.present, WIRE_FOUND_PRESENT);
    assert_int_equal(get_be64(f.entry.p + 2), 3);
    assert_int_equal(rig_find_any(&r, "k2", q).present, WIRE_FOUND_ABSENT); /* of another key */
    struct blob b = rig_staged(&r, 20);
    assert_int_equal(put_part(&r, "k", upload_id, 9, ABSENT, &b), WIRE_SETTLED_DONE);
    q.mode = WIRE_FIND_PART;
    q.number = 9;
    f = rig_find_any(&r, "k", q);
    assert_int_equal(f.present, WIRE_FOUND_PRESENT);
    assert_int_equal(get_be64(f.entry.p + 2), 4);
    assert_true(f.locations.n > 0);
    q.number = 8;
    assert_int_equal(rig_find_any(&r, "k", q).present, WIRE_FOUND_ABSENT);
    PEER_SEND(&r.gate, find, 9, .mode = WIRE_FIND_SETPART + 1, .key = SLICE_LIT("k"));
    assert_true(peer_closed(&r, &r.gate, 1000));
    rig_close(&r);
}

/* ends ------------------------------------------------------------------------------------------------------------------- */

static void a_set_lives_as_long_as_one_copy_of_it(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    uint64_t leaf = object_of_parts(&r, "one", 5, WIRE_DATA_BYTES_MAX, NULL);
    const struct command_turn t = {.guard = ABSENT, .null_leaf = ABSENT};
    const struct entry_parts e = {.flags = ENTRY_FLAG_SET, .leaf = r.index, .set = upload_id, .parts = 5};
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_PUT, 1000);
    build_place(&c, "two");
    build_turn(&c, &t);
    buf_put_u8(&c, SOURCE_SHARED);
    build_place(&c, "one");
    buf_put_u64(&c, leaf);
    build_entry_lp32(&c, &e);
    assert_int_equal(rig_run(&r, &c), WIRE_SETTLED_DONE);
    assert_int_equal(rig_delete(&r, "one", leaf), WIRE_SETTLED_DONE);
    assert_int_equal(rig_purge(&r, UINT64_MAX / 8), WIRE_SETTLED_DONE);
    assert_int_equal(rows_of(&r, ROW_SET), 5);
    struct wire_found f = rig_find_any(&r, "two", (struct wire_find){.mode = WIRE_FIND_CURRENT, .len = UINT64_MAX});
    assert_int_equal(rows_from(&f, 0), 5);
    assert_int_equal(rig_delete(&r, "two", leaf + 1), WIRE_SETTLED_DONE);
    assert_int_equal(rig_purge(&r, UINT64_MAX / 8), WIRE_SETTLED_DONE);
    assert_int_equal(rows_of(&r, ROW_SET), 0);
    assert_int_equal(rows_of(&r, ROW_BLOB), 0);
    rig_close(&r);
}

/* Two sets of 6000 parts, due in one millisecond with a plain object: one command takes the one buried last, the next the others. */
static void a_purge_takes_no_more_entries_than_it_may(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    struct blob b = rig_staged(&r, 20);
    assert_int_equal(rig_put(&r, "plain", ABSENT, &b), WIRE_SETTLED_DONE);
    assert_int_equal(rig_delete(&r, "plain", 0), WIRE_SETTLED_DONE);
    static uint16_t numbers[6000];
    static uint64_t leaves[6000];
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t id[ID_BYTES] = "set............";
        char key[3] = {'k', (char)('0' + i), 0};
        id[0] = i;
        begin(&r, key, id);
        parts_into_engine(&r, id, 6000, 1000);
        for (uint16_t n = 0; n < 6000; n++) {
            numbers[n] = (uint16_t)(n + 1);
            leaves[n] = 1000u + n;
        }
        struct buf c = BUF_INIT(COMMAND_BYTES_MAX);
        complete_command(&c, key, id, ABSENT, r.index, 6000, numbers, leaves);
        assert_int_equal(rig_run(&r, &c), WIRE_SETTLED_DONE);
        assert_int_equal(rig_delete(&r, key, r.index - 1), WIRE_SETTLED_DONE);
    }
    static const unsigned left[] = {12000, 6000, 0, 0};
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        assert_int_equal(rows_of(&r, ROW_SET), left[i]);
        assert_int_equal(rows_of(&r, ROW_DUE), i == 0 ? 3 : i == 1 ? 2 : 0);
        assert_int_equal(rig_purge(&r, UINT64_MAX / 8), WIRE_SETTLED_DONE);
    }
    rig_close(&r);
}

static void a_bucket_that_is_gone_loses_its_uploads_within_the_bound(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t id[ID_BYTES] = "upload.........";
        id[0] = i;
        begin(&r, "k", id);
        parts_into_engine(&r, id, 6000, 1000);
    }
    static const unsigned left[] = {12000, 6000, 0};
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        struct buf c = BUF_INIT(256);
        command_purge(&c, 0, i > 0); /* the first time the bucket is there still */
        assert_int_equal(rows_of(&r, ROW_PART), left[i == 0 ? 0 : i - 1]);
        assert_int_equal(rig_run(&r, &c), WIRE_SETTLED_DONE);
        assert_int_equal(rows_of(&r, ROW_PART), left[i]);
        assert_int_equal(rows_of(&r, ROW_UPLOAD), left[i] / 6000);
    }
    rig_close(&r);
}

/* Large parts, in files: what Complete does not list is removed from the disk, and so is what is replaced or aborted. */
static void the_bytes_of_parts_go_when_the_parts_do(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_rocksdb);
    begin(&r, "k", upload_id);
    uint64_t leaves[4];
    for (uint16_t i = 0; i < 4; i++) {
        struct blob b = rig_staged(&r, BLOB_PACK_BYTES_MAX + 4096u);
        leaves[i] = r.index;
        assert_int_equal(put_part(&r, "k", upload_id, (uint16_t)(i + 1), ABSENT, &b), WIRE_SETTLED_DONE);
    }
    assert_int_equal(rig_files(&r, "blobs"), 4);
    struct blob other = rig_staged(&r, BLOB_PACK_BYTES_MAX + 4096u);
    assert_int_equal(put_part(&r, "k", upload_id, 2, leaves[1] + 100, &other), WIRE_SETTLED_REFUSED);
    assert_int_equal(put_part(&r, "k", upload_id, 2, leaves[1], &other), WIRE_SETTLED_DONE);
    leaves[1] = r.index - 1;
    for (int i = 0; i < 20; i++) rig_turn(&r, 2);
    assert_int_equal(rig_files(&r, "blobs"), 4);
    static const uint16_t numbers[] = {2, 4};
    const uint64_t chosen[] = {leaves[1], leaves[3]};
    struct buf c = BUF_INIT(8192);
    complete_command(&c, "k", upload_id, ABSENT, r.index, 2, numbers, chosen);
    assert_int_equal(rig_run(&r, &c), WIRE_SETTLED_DONE);
    for (int i = 0; i < 20; i++) rig_turn(&r, 2);
    assert_int_equal(rig_files(&r, "blobs"), 2);
    rig_halt(&r);
    rig_start(&r, &store_engine_rocksdb);
    struct wire_found f = rig_find_any(&r, "k", (struct wire_find){.mode = WIRE_FIND_CURRENT, .len = UINT64_MAX});
    struct reader rows = reader_of(f.parts);
    struct wire_part_row row;
    assert_true(wire_next_part_row(&rows, &row));
    assert_int_equal(row.number, 2); /* parts keep the numbers they were uploaded under */
    for (uint16_t asked = 0; asked <= 5; asked++) {
        struct wire_find q = {.mode = WIRE_FIND_SETPART, .number = asked, .rows_max = 5};
        memcpy(q.id, upload_id, ID_BYTES);
        f = rig_find_any(&r, NULL, q);
        rows = reader_of(f.parts);
        for (uint16_t i = 0; i < 2; i++)
            if (numbers[i] >= asked) assert_true(wire_next_part_row(&rows, &row) && row.number == numbers[i]);
        assert_int_equal(reader_left(&rows), 0);
        assert_int_equal(f.more, 0);
    }
    f = rig_find_any(&r, "k", (struct wire_find){.mode = WIRE_FIND_CURRENT, .len = 1});
    rows = reader_of(f.parts);
    assert_true(wire_next_part_row(&rows, &row));
    struct buf at = BUF_INIT(64);
    buf_put_slice(&at, row.location);
    assert_int_equal(rig_read(&r, &at, 0, 4096), WIRE_DATA_OK);
    assert_int_equal(rig_delete(&r, "k", r.index - 1), WIRE_SETTLED_DONE);
    assert_int_equal(rig_purge(&r, UINT64_MAX / 8), WIRE_SETTLED_DONE);
    for (int i = 0; i < 20; i++) rig_turn(&r, 2);
    assert_int_equal(rig_files(&r, "blobs"), 0);
    buf_done(&at);
    rig_close(&r);
}

#define WITH(test, engine, text) {#test text, test, NULL, NULL, (void *)(uintptr_t)&(engine)}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(a_complete_of_all_the_parts_there_may_be_comes_in_pieces, store_engine_mem, " [mem]"),
        WITH(a_complete_of_all_the_parts_there_may_be_comes_in_pieces, store_engine_rocksdb, " [rocksdb]"),
        cmocka_unit_test(pieces_of_any_size_make_the_same_command),
        cmocka_unit_test(pieces_that_do_not_belong_together_cost_the_connection),
        cmocka_unit_test(finds_may_stand_between_pieces),
        WITH(a_range_finds_its_part_rows_and_no_others, store_engine_mem, " [mem]"),
        WITH(a_range_finds_its_part_rows_and_no_others, store_engine_rocksdb, " [rocksdb]"),
        WITH(a_part_of_a_set_is_found_by_its_number, store_engine_rocksdb, " [rocksdb]"),
        cmocka_unit_test(sizes_that_are_far_apart_do_not_hide_a_part),
        WITH(versions_uploads_and_parts_are_found_by_name, store_engine_mem, " [mem]"),
        WITH(versions_uploads_and_parts_are_found_by_name, store_engine_rocksdb, " [rocksdb]"),
        cmocka_unit_test(a_set_lives_as_long_as_one_copy_of_it),
        cmocka_unit_test(a_purge_takes_no_more_entries_than_it_may),
        cmocka_unit_test(a_bucket_that_is_gone_loses_its_uploads_within_the_bound),
        cmocka_unit_test(the_bytes_of_parts_go_when_the_parts_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
