/* SPDX-License-Identifier: Apache-2.0
 * Unit tests of slice.c, buf.c, reader.c, err.c and crc.c.
 */
#include "base/test.h"

#include <stdlib.h>

/* slices */

static void cut_gives_head_and_rest(void **state) {
    (void)state;
    struct slice head, rest = slice_cut(SLICE_LIT("a=b=c"), '=', &head);
    check_text(head, "a");
    check_text(rest, "b=c");
    rest = slice_cut(SLICE_LIT("abc="), '=', &head);
    check_text(head, "abc");
    assert_non_null(rest.p);
    assert_int_equal(rest.n, 0);
    rest = slice_cut(SLICE_LIT("abc"), '=', &head);
    check_text(head, "abc");
    assert_null(rest.p);
    rest = slice_cut((struct slice){NULL, 0}, '=', &head);
    assert_null(rest.p);
    assert_int_equal(head.n, 0);
}

static void comparison_is_bytewise_then_shorter_first(void **state) {
    (void)state;
    assert_int_equal(slice_cmp(SLICE_LIT("a"), SLICE_LIT("b")), -1);
    assert_int_equal(slice_cmp(SLICE_LIT("\xff"), SLICE_LIT("b")), 1);
    assert_int_equal(slice_cmp(SLICE_LIT("a"), SLICE_LIT("aa")), -1);
    assert_int_equal(slice_cmp(SLICE_LIT("aa"), SLICE_LIT("aa")), 0);
    assert_int_equal(slice_cmp((struct slice){NULL, 0}, SLICE_LIT("")), 0);
    assert_true(slice_ieq(SLICE_LIT("Content-MD5"), SLICE_LIT("content-md5")));
    assert_false(slice_ieq(SLICE_LIT("a["), SLICE_LIT("a{"))); /* 0x20 apart, and no letters */
    assert_true(slice_starts(SLICE_LIT("abc"), SLICE_LIT("ab")));
    assert_true(slice_starts(SLICE_LIT("abc"), (struct slice){NULL, 0}));
    assert_false(slice_starts(SLICE_LIT("ab"), SLICE_LIT("abc")));
    check_text(slice_trim(SLICE_LIT(" \ta b\t ")), "a b");
    check_text(slice_trim(SLICE_LIT(" \t ")), "");
    check_text(slice_trim(SLICE_LIT("\na")), "\na");
}

static void decimal_takes_digits_only_and_no_more_than_max(void **state) {
    (void)state;
    uint64_t v;
    check_err(slice_u64(SLICE_LIT("18446744073709551615"), UINT64_MAX, &v), ERR_OK);
    assert_true(v == UINT64_MAX);
    check_err(slice_u64(SLICE_LIT("0"), 0, &v), ERR_OK);
    check_err(slice_u64(SLICE_LIT("0007"), 7, &v), ERR_OK);
    assert_int_equal(v, 7);
    static const char *const bad[] = {"", "+1", "-1", " 1", "1 ", "1x", "0x1", "18446744073709551616", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) check_err(slice_u64(slice_str(bad[i]), UINT64_MAX, &v), ERR_INPUT);
    check_err(slice_u64(SLICE_LIT("8"), 7, &v), ERR_INPUT);
}

static void utf8_is_accepted_only_well_formed(void **state) {
    (void)state;
    static const char *const good[] = {"", "abc", "\xc3\xa5", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) assert_true(slice_is_utf8(slice_str(good[i])));
    static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3(", "a\xe2(\xac", "\xe2\x82("};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(slice_is_utf8(slice_str(bad[i])));
}

static void constant_time_equality_is_equality(void **state) {
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    assert_true(ct_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] = 0x80;
        assert_false(ct_equal(a, b, sizeof a));
        assert_true(ct_equal(a, b, i));
        b[i] = 0;
    }
    memset(a, 7, sizeof a);
    wipe(a, sizeof a);
    assert_true(ct_equal(a, b, sizeof a));
}

/* buffers */

static void a_put_past_max_is_sticky_and_stores_nothing(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(8);
    buf_put_u64(&b, 0x0102030405060708u);
    assert_true(buf_ok(&b));
    buf_put_u8(&b, 9);
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 8);
    buf_reset(&b);
    assert_true(buf_ok(&b));
    buf_put(&b, "123456789", 9);
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 0);
    buf_put_u8(&b, 1); /* would fit, but the builder's result is broken already */
    assert_int_equal(b.n, 0);
    assert_null(buf_room(&b, 1));
}

static void a_length_that_would_wrap_is_refused(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(SIZE_MAX);
    buf_put_u8(&b, 1);
    assert_null(buf_room(&b, SIZE_MAX));
    assert_false(buf_ok(&b));
}

static void length_prefixes_are_all_or_nothing(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(70000);
    uint8_t *big = calloc(1, 65536);
    assert_non_null(big);
    buf_put_lp16(&b, slice_of(big, 65535));
    assert_true(buf_ok(&b));
    buf_reset(&b);
    buf_put_lp16(&b, slice_of(big, 65536));
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 0);
    buf_reset(&b);
    buf_put_lp32(&b, slice_of(big, 65536));
    assert_true(buf_ok(&b));
    buf_put_lp32(&b, slice_of(big, 4461)); /* with its length one past max */
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 65540);
    free(big);
}

static void printf_may_fill_a_buffer_to_the_last_byte(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(5);
    buf_printf(&b, "%d", 12345);
    assert_true(buf_ok(&b));
    check_text(buf_slice(&b), "12345");
    buf_reset(&b);
    buf_printf(&b, "%d", 123456);
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 0);
    buf_reset(&b);
    buf_put_dec(&b, 0);
    buf_put_dec(&b, 9876);
    check_text(buf_slice(&b), "09876");
    buf_drop_front(&b, 2);
    check_text(buf_slice(&b), "876");
    buf_drop_front(&b, 3);
    assert_int_equal(b.n, 0);
}

static void decimal_writes_the_largest_number(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(20);
    buf_put_dec(&b, UINT64_MAX);
    check_text(buf_slice(&b), "18446744073709551615");
}

static void bytes_survive_growth(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(1 << 20);
    for (uint32_t i = 0; i < 100000; i++) buf_put_u32(&b, i);
    struct reader r = reader_of(buf_slice(&b));
    for (uint32_t i = 0; i < 100000; i++) assert_int_equal(reader_u32(&r), i);
    check_err(reader_end(&r), ERR_OK);
    buf_wipe_done(&b);
    assert_int_equal(b.n, 0);
    assert_int_equal(b.max, 1 << 20);
}

/* reader */

static enum err read_all_kinds(struct slice in) {
    struct reader r = reader_of(in);
    uint8_t fixed[3];
    reader_u8(&r);
    reader_u16(&r);
    reader_u32(&r);
    reader_u64(&r);
    reader_fixed(&r, fixed, sizeof fixed);
    reader_slice(&r, 2);
    reader_lp16(&r, 4);
    reader_lp32(&r, 4);
    return reader_end(&r);
}

static void reading_stops_at_every_truncation_and_at_trailing_bytes(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(64);
    buf_put_u8(&b, 1);
    buf_put_u16(&b, 2);
    buf_put_u32(&b, 3);
    buf_put_u64(&b, 4);
    buf_put_str(&b, "abcde");
    buf_put_lp16(&b, SLICE_LIT("lp16"));
    buf_put_lp32(&b, SLICE_LIT("lp32"));
    check_err(read_all_kinds(buf_slice(&b)), ERR_OK);
    for (size_t n = 0; n < b.n; n++) {
        uint8_t *exact = malloc(n + 1); /* so that a sanitizer sees one byte too many */
        assert_non_null(exact);
        memcpy(exact, b.p, n);
        check_err(read_all_kinds(slice_of(exact, n)), ERR_TRUNCATED);
        free(exact);
    }
    buf_put_u8(&b, 0);
    check_err(read_all_kinds(buf_slice(&b)), ERR_TRAILING);
}

static void a_bad_reader_gives_zeros_for_ever(void **state) {
    (void)state;
    struct reader r = reader_of(SLICE_LIT("\x01\x02\x03"));
    assert_int_equal(reader_u32(&r), 0);
    assert_int_equal(reader_u8(&r), 0);
    uint8_t fixed[2] = {9, 9};
    reader_fixed(&r, fixed, 2);
    assert_int_equal(fixed[0] | fixed[1], 0);
    assert_null(reader_slice(&r, 0).p);
    assert_int_equal(reader_left(&r), 0);
    check_err(reader_end(&r), ERR_TRUNCATED);
}

static void a_length_one_past_max_is_refused(void **state) {
    (void)state;
    struct reader r = reader_of(SLICE_LIT("\x00\x03" "abc"));
    check_text(reader_lp16(&r, 3), "abc");
    check_err(reader_end(&r), ERR_OK);
    r = reader_of(SLICE_LIT("\x00\x03" "abc"));
    assert_int_equal(reader_lp16(&r, 2).n, 0);
    assert_true(r.bad);
    r = reader_of(SLICE_LIT("\xff\xff\xff\xff"));
    assert_int_equal(reader_lp32(&r, SIZE_MAX).n, 0);
    assert_true(r.bad);
}

/* errors, crc */

static void every_error_has_a_name_a_text_and_a_class(void **state) {
    (void)state;
    for (int e = 0; e < ERR__COUNT; e++) {
        assert_true(strlen(err_name((enum err)e)) > 1);
        assert_true(strlen(err_text((enum err)e)) > 1);
        assert_true((err_class((enum err)e) == ERRC_NONE) == (e == ERR_OK));
    }
}

/* RFC 3720 appendix B.4. */
static void crc32c_gives_the_rfc_3720_vectors(void **state) {
    (void)state;
    uint8_t b[32];
    memset(b, 0, sizeof b);
    assert_int_equal(crc32c(0, b, sizeof b), 0x8a9136aau);
    memset(b, 0xff, sizeof b);
    assert_int_equal(crc32c(0, b, sizeof b), 0x62a8ab43u);
    for (size_t i = 0; i < sizeof b; i++) b[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, b, sizeof b), 0x46dd794eu);
    for (size_t i = 0; i < sizeof b; i++) b[i] = (uint8_t)(31 - i);
    assert_int_equal(crc32c(0, b, sizeof b), 0x113fdb5cu);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
    assert_int_equal(crc32c_portable(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c_portable(0, b, sizeof b), 0x113fdb5cu);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_gives_head_and_rest),
        cmocka_unit_test(comparison_is_bytewise_then_shorter_first),
        cmocka_unit_test(decimal_takes_digits_only_and_no_more_than_max),
        cmocka_unit_test(utf8_is_accepted_only_well_formed),
        cmocka_unit_test(constant_time_equality_is_equality),
        cmocka_unit_test(a_put_past_max_is_sticky_and_stores_nothing),
        cmocka_unit_test(a_length_that_would_wrap_is_refused),
        cmocka_unit_test(length_prefixes_are_all_or_nothing),
        cmocka_unit_test(printf_may_fill_a_buffer_to_the_last_byte),
        cmocka_unit_test(decimal_writes_the_largest_number),
        cmocka_unit_test(bytes_survive_growth),
        cmocka_unit_test(reading_stops_at_every_truncation_and_at_trailing_bytes),
        cmocka_unit_test(a_bad_reader_gives_zeros_for_ever),
        cmocka_unit_test(a_length_one_past_max_is_refused),
        cmocka_unit_test(every_error_has_a_name_a_text_and_a_class),
        cmocka_unit_test(crc32c_gives_the_rfc_3720_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
