/* SPDX-License-Identifier: Apache-2.0
 * The WAL's bytes: every truncation, every bound and one past it is refused.
 * Role: tests. Spec: docs/spec/wal.md section 2
 */
#include "gate/logbook/logbook_test.h"

static struct ledger_hash hash;

/* A batch of two records (the second voids the first and has no command) and one row. */
static void batch_make(struct buf *b, size_t leaf_n, size_t opening_n, size_t command_n) {
    static uint8_t bytes[COMMAND_BYTES_MAX + KEYS_AT_EXTRA_BYTES + 1];
    uint8_t zero[WAL_HEADER_BYTES + 8] = {0};
    struct wal_record first = {.index = 6, .void_ref = WAL_NO_VOID, .has_command = true, .leaf = slice_of(bytes, leaf_n),
                               .opening = slice_of(bytes, opening_n), .command = slice_of(bytes, command_n)};
    struct wal_record second = {.index = 7, .void_ref = 6, .leaf = SLICE_LIT("leaf"), .opening = SLICE_LIT("opening")};
    struct wal_row row = {.size = 8, .mark = 5, .flushed = 3};
    struct wal_header h = {.flags = WAL_FLAG_FIRST, .file = 12, .boot = 3, .sequence = 99};
    buf_reset(b);
    buf_put(b, zero, sizeof zero);
    logbook_wal_put_record(b, &first);
    logbook_wal_put_record(b, &second);
    logbook_wal_put_row(b, &row);
    logbook_wal_put_counts(b, 2, 1);
    logbook_wal_seal(&hash, &h, b);
}

static enum err body_read(struct slice body) {
    struct reader r = reader_of(body);
    uint32_t records, rows;
    logbook_wal_counts(&r, &records, &rows);
    for (uint32_t i = 0; i < records && !r.bad; i++) {
        struct wal_record rec;
        logbook_wal_record(&r, &rec);
    }
    for (uint32_t i = 0; i < rows && !r.bad; i++) {
        struct wal_row row;
        logbook_wal_row(&r, &row);
    }
    return reader_end(&r);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(1 << 20);
    struct wal_header h;
    struct slice body;
    batch_make(&b, 10, 20, 30);
    assert_int_equal(logbook_wal_header(&hash, buf_slice(&b), &h, &body), ERR_OK);
    assert_int_equal(h.file, 12);
    assert_int_equal(h.boot, 3);
    assert_int_equal(h.sequence, 99);
    assert_int_equal(h.flags, WAL_FLAG_FIRST);
    assert_int_equal(body.n, b.n - WAL_HEADER_BYTES);
    struct reader r = reader_of(body);
    uint32_t records, rows;
    struct wal_record rec;
    struct wal_row row;
    logbook_wal_counts(&r, &records, &rows);
    assert_int_equal(records, 2);
    assert_int_equal(rows, 1);
    logbook_wal_record(&r, &rec);
    assert_int_equal(rec.index, 6);
    assert_true(rec.has_command && rec.void_ref == WAL_NO_VOID && rec.command.n == 30 && rec.opening.n == 20 && rec.leaf.n == 10);
    logbook_wal_record(&r, &rec);
    assert_true(!rec.has_command && rec.void_ref == 6 && slice_is(rec.leaf, "leaf"));
    logbook_wal_row(&r, &row);
    assert_true(row.size == 8 && row.mark == 5 && row.flushed == 3);
    assert_int_equal(reader_end(&r), ERR_OK);
}

static void cut_at_any_byte_it_is_refused(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(1 << 20);
    struct wal_header h;
    struct slice body;
    batch_make(&b, 10, 20, 30);
    for (size_t n = 0; n < b.n; n++) assert_int_equal(logbook_wal_header(&hash, slice_of(b.p, n), &h, &body), ERR_CORRUPT);
    body = slice_of(b.p + WAL_HEADER_BYTES, b.n - WAL_HEADER_BYTES);
    for (size_t n = 0; n < body.n; n++) assert_int_not_equal(body_read(slice_of(body.p, n)), ERR_OK);
    assert_int_equal(body_read(body), ERR_OK);
}

static void any_changed_bit_is_refused(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(1 << 20);
    struct wal_header h;
    struct slice body;
    batch_make(&b, 10, 20, 30);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        assert_int_not_equal(logbook_wal_header(&hash, buf_slice(&b), &h, &body), ERR_OK);
        b.p[i] ^= 1;
    }
}

static void a_newer_version_is_named_as_such(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(1 << 20);
    struct wal_header h = {.flags = 0x8000};
    struct slice body;
    batch_make(&b, 10, 20, 30);
    logbook_wal_seal(&hash, &h, &b);
    assert_int_equal(logbook_wal_header(&hash, buf_slice(&b), &h, &body), ERR_VERSION);
}

static void texts_at_their_bounds_are_read_and_one_past_is_refused(void **state) {
    (void)state;
    static const size_t max[3] = {LEAF_BYTES_MAX, OPENING_BYTES_MAX + KEYS_AT_EXTRA_BYTES, COMMAND_BYTES_MAX + KEYS_AT_EXTRA_BYTES};
    AUTO(buf) struct buf b = BUF_INIT(2 * COMMAND_BYTES_MAX);
    for (unsigned i = 0; i <= 3; i++) {
        batch_make(&b, max[0] + (i == 1), max[1] + (i == 2), max[2] + (i == 3));
        enum err e = body_read(slice_of(b.p + WAL_HEADER_BYTES, b.n - WAL_HEADER_BYTES));
        if (i == 0) assert_int_equal(e, ERR_OK);
        else assert_int_not_equal(e, ERR_OK);
    }
}

static void a_row_whose_mark_or_flushed_is_past_its_size_is_refused(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        AUTO(buf) struct buf b = BUF_INIT(1024);
        struct wal_row row = {.size = 8, .mark = i == 1 ? 9 : 8, .flushed = i == 2 ? 9 : 8}, out;
        if (i == 3) row.size = (uint64_t)LEDGER_SIZE_MAX + 1;
        logbook_wal_put_row(&b, &row);
        assert_int_equal(b.n, WAL_ROW_BYTES);
        struct reader r = reader_of(buf_slice(&b));
        logbook_wal_row(&r, &out);
        assert_int_equal(reader_end(&r) == ERR_OK, i == 0);
    }
}

static void a_void_of_itself_or_of_what_comes_later_is_refused(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        AUTO(buf) struct buf b = BUF_INIT(1024);
        struct wal_record rec = {.index = 7, .void_ref = 6 + i, .leaf = SLICE_LIT("x")}, out;
        logbook_wal_put_record(&b, &rec);
        struct reader r = reader_of(buf_slice(&b));
        logbook_wal_record(&r, &out);
        assert_int_equal(reader_end(&r) == ERR_OK, i == 0);
    }
}

static void more_rows_than_logs_can_be_is_refused(void **state) {
    (void)state;
    for (unsigned past = 0; past < 2; past++) {
        uint8_t bytes[8];
        uint32_t records, rows;
        put_be32(bytes, 0);
        put_be32(bytes + 4, LOGS_MAX + past);
        struct reader r = reader_of(slice_of(bytes, sizeof bytes));
        logbook_wal_counts(&r, &records, &rows);
        assert_int_equal(r.bad, past == 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(cut_at_any_byte_it_is_refused),
        cmocka_unit_test(any_changed_bit_is_refused),
        cmocka_unit_test(a_newer_version_is_named_as_such),
        cmocka_unit_test(texts_at_their_bounds_are_read_and_one_past_is_refused),
        cmocka_unit_test(a_row_whose_mark_or_flushed_is_past_its_size_is_refused),
        cmocka_unit_test(a_void_of_itself_or_of_what_comes_later_is_refused),
        cmocka_unit_test(more_rows_than_logs_can_be_is_refused),
    };
    if (ledger_hash_init(&hash) != ERR_OK) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ledger_hash_done(&hash);
    return failed;
}
