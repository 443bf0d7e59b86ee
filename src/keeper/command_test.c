/* SPDX-License-Identifier: Apache-2.0
 * command_test: commands, entries and locations at their bounds, one past them, and cut at every byte.
 * Role: unit tests of a parser.
 * Spec: docs/spec/entry.md
 */
#include "keeper/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void put_entry(struct buf *b, uint64_t leaf, unsigned blobs, size_t facts) {
    static uint8_t zero[UINT16_MAX];
    buf_put_u8(b, 1);
    buf_put_u8(b, blobs == 0 ? ENTRY_FLAG_DELETE_MARKER : 0);
    buf_put_u64(b, leaf);
    buf_put_u64(b, 9);
    buf_put_u8(b, (uint8_t)blobs);
    for (unsigned i = 0; i < blobs; i++) {
        buf_put(b, "blob............", ID_BYTES);
        buf_put_u64(b, i);
    }
    buf_put_lp16(b, slice_of(zero, facts));
    buf_put_lp16(b, SLICE_LIT("m"));
    buf_put_lp16(b, SLICE_LIT("k"));
}

static void put_item(struct buf *b, uint8_t kind, size_t key_n, uint64_t leaf) {
    uint8_t key[S3_KEY_BYTES_MAX + 1];
    memset(key, 'k', sizeof key);
    buf_put(b, "bucket..........", ID_BYTES);
    buf_put_lp16(b, slice_of(key, key_n));
    buf_put_u64(b, 5);
    buf_put_u64(b, 60000);
    if (kind == COMMAND_UNDELETE) buf_put_u64(b, 4);
    if (kind == COMMAND_DELETE) return;
    AUTO(buf) struct buf e = BUF_INIT(COMMAND_BYTES_MAX);
    put_entry(&e, leaf, 1, 10);
    buf_put_lp32(b, buf_slice(&e));
}

static void put_head(struct buf *b, uint8_t kind) {
    buf_reset(b);
    buf_put_u8(b, COMMAND_VERSION);
    buf_put_u8(b, kind);
    buf_put_u64(b, 1000);
}

static struct buf sample(uint8_t kind) {
    struct buf b = BUF_INIT(COMMAND_BYTES_MAX);
    put_head(&b, kind);
    if (kind == COMMAND_PURGE) {
        buf_put_u64(&b, 7);
        buf_put_u16(&b, 2);
        buf_put(&b, "bucket..........bucket.........2", 32);
    } else if (kind == COMMAND_BATCH) {
        buf_put_u16(&b, 2);
        buf_put_u8(&b, COMMAND_PUT);
        put_item(&b, COMMAND_PUT, 3, 8);
        buf_put_u8(&b, COMMAND_DELETE);
        put_item(&b, COMMAND_DELETE, 3, 8);
    } else {
        put_item(&b, kind, 3, 8);
    }
    assert_true(buf_ok(&b));
    return b;
}

static void every_kind_is_read_and_walked(void **state) {
    (void)state;
    size_t claims = 0;
    for (uint8_t kind = COMMAND_PUT; kind <= COMMAND_PURGE; kind++) {
        AUTO(buf) struct buf b = sample(kind);
        assert_int_equal(command_check(buf_slice(&b), 8, &claims), ERR_OK);
        assert_int_equal(claims, kind == COMMAND_PUT || kind == COMMAND_BATCH ? 1 : 0);
        struct command c;
        command_begin(buf_slice(&b), &c);
        assert_int_equal(c.at_ms, 1000);
        unsigned n = 0;
        if (kind == COMMAND_PURGE) {
            for (struct slice bucket; command_next_bucket(&c, &bucket);) n++;
        } else {
            for (struct command_item i; command_next(&c, &i); n++) {
                assert_true(slice_is(i.key, "kkk"));
                assert_int_equal(i.guard, 5);
                if (i.kind != COMMAND_DELETE) assert_int_equal(i.entry.leaf, 8);
            }
        }
        assert_int_equal(n, kind >= COMMAND_BATCH ? 2 : 1);
    }
}

static void a_command_cut_anywhere_or_one_byte_too_long_is_refused(void **state) {
    (void)state;
    size_t claims = 0;
    for (uint8_t kind = COMMAND_PUT; kind <= COMMAND_PURGE; kind++) {
        AUTO(buf) struct buf b = sample(kind);
        for (size_t n = 0; n < b.n; n++) assert_int_not_equal(command_check(slice_of(b.p, n), 8, &claims), ERR_OK);
        buf_put_u8(&b, 0);
        assert_int_equal(command_check(buf_slice(&b), 8, &claims), ERR_TRAILING);
    }
}

static enum err check_item(uint8_t kind, size_t key_n, uint64_t leaf) {
    size_t claims = 0;
    AUTO(buf) struct buf b = BUF_INIT(COMMAND_BYTES_MAX);
    put_head(&b, kind);
    put_item(&b, kind, key_n, leaf);
    return command_check(buf_slice(&b), 8, &claims);
}

static void bounds_hold_and_one_past_them_is_refused(void **state) {
    (void)state;
    size_t claims = 0;
    assert_int_equal(check_item(COMMAND_PUT, 1, 8), ERR_OK);
    assert_int_equal(check_item(COMMAND_PUT, S3_KEY_BYTES_MAX, 8), ERR_OK);
    assert_int_not_equal(check_item(COMMAND_PUT, S3_KEY_BYTES_MAX + 1, 8), ERR_OK);
    assert_int_equal(check_item(COMMAND_PUT, 0, 8), ERR_INPUT);
    assert_int_equal(check_item(COMMAND_PUT, 3, 7), ERR_INPUT); /* an entry of another leaf */
    for (unsigned count = 0; count <= BATCH_ITEMS_MAX + 1; count++) {
        if (count > 1 && count < BATCH_ITEMS_MAX) continue;
        AUTO(buf) struct buf b = BUF_INIT(COMMAND_BYTES_MAX);
        put_head(&b, COMMAND_BATCH);
        buf_put_u16(&b, (uint16_t)count);
        for (unsigned i = 0; i < count; i++) {
            buf_put_u8(&b, COMMAND_DELETE);
            put_item(&b, COMMAND_DELETE, 3, 8);
        }
        bool within = count >= 1 && count <= BATCH_ITEMS_MAX;
        assert_int_equal(command_check(buf_slice(&b), 8, &claims), within ? ERR_OK : ERR_RANGE);
    }
    for (unsigned blobs = 0; blobs <= ENTRY_BLOB_ROWS_MAX + 1; blobs++) {
        AUTO(buf) struct buf b = BUF_INIT(4096);
        struct entry e;
        put_entry(&b, 1, blobs, 3);
        assert_int_equal(entry_parse(buf_slice(&b), &e), blobs <= ENTRY_BLOB_ROWS_MAX ? ERR_OK : ERR_INPUT);
    }
}

static void versions_kinds_and_flags_that_are_not_known_are_refused(void **state) {
    (void)state;
    size_t claims = 0;
    AUTO(buf) struct buf b = sample(COMMAND_PUT);
    b.p[0] = 2;
    assert_int_equal(command_check(buf_slice(&b), 8, &claims), ERR_VERSION);
    b.p[0] = 1;
    b.p[1] = 6;
    assert_int_equal(command_check(buf_slice(&b), 8, &claims), ERR_INPUT);
    b.p[1] = 0;
    assert_int_equal(command_check(buf_slice(&b), 8, &claims), ERR_INPUT);
    AUTO(buf) struct buf nested = sample(COMMAND_BATCH);
    nested.p[12] = COMMAND_BATCH;
    assert_int_equal(command_check(buf_slice(&nested), 8, &claims), ERR_INPUT);
    AUTO(buf) struct buf raw = BUF_INIT(4096);
    struct entry e;
    put_entry(&raw, 1, 1, 3);
    for (size_t n = 0; n < raw.n; n++) assert_int_not_equal(entry_parse(slice_of(raw.p, n), &e), ERR_OK);
    raw.p[1] = 2;
    assert_int_equal(entry_parse(buf_slice(&raw), &e), ERR_INPUT);
    raw.p[1] = ENTRY_FLAG_DELETE_MARKER; /* a marker has no blobs */
    assert_int_equal(entry_parse(buf_slice(&raw), &e), ERR_INPUT);
    raw.p[0] = 2;
    assert_int_equal(entry_parse(buf_slice(&raw), &e), ERR_VERSION);
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
        cmocka_unit_test(a_command_cut_anywhere_or_one_byte_too_long_is_refused),
        cmocka_unit_test(bounds_hold_and_one_past_them_is_refused),
        cmocka_unit_test(versions_kinds_and_flags_that_are_not_known_are_refused),
        cmocka_unit_test(the_next_key_after_a_prefix_is_right_at_ff),
        cmocka_unit_test(a_location_is_exact_and_inside_its_pack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
