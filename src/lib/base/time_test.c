/* SPDX-License-Identifier: Apache-2.0
 * Unit tests of time.c. The C library's gmtime and timegm are the other side.
 */
#include "base/test.h"

#include <time.h>

#define MOMENT 1795508476000u /* 2026-11-24T08:21:16Z */

static void a_moment_is_written_in_three_ways(void **state) {
    (void)state;
    char out[TIME_TEXT_MAX];
    time_iso8601(MOMENT + 7, out);
    assert_string_equal(out, "2026-11-24T08:21:16.007Z");
    time_http(MOMENT, out);
    assert_string_equal(out, "Tue, 24 Nov 2026 08:21:16 GMT");
    time_amz(MOMENT, out);
    assert_string_equal(out, "20261124T082116Z");
    time_iso8601(0, out);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
}

static void the_largest_number_is_still_a_text(void **state) {
    (void)state;
    char out[TIME_TEXT_MAX];
    time_iso8601(UINT64_MAX, out);
    time_http(UINT64_MAX, out);
    time_amz(UINT64_MAX, out);
    assert_true(strlen(out) < TIME_TEXT_MAX - 1);
}

static void every_format_comes_back(void **state) {
    (void)state;
    char out[TIME_TEXT_MAX];
    uint64_t back;
    /* A prime number of seconds, through the leap years 2000 and 2400 and the year 2100 that is none. */
    for (uint64_t ms = 0; ms < 16000000000000u; ms += 99991u * 1000u * 13u) {
        time_amz(ms, out);
        check_err(time_parse_amz(slice_str(out), &back), ERR_OK);
        assert_true(back == ms);
        time_http(ms, out);
        check_err(time_parse_http(slice_str(out), &back), ERR_OK);
        assert_true(back == ms);
        time_iso8601(ms + 5, out);
        check_err(time_parse_iso8601(slice_str(out), &back), ERR_OK);
        assert_true(back == ms + 5);
        time_t seconds = (time_t)(ms / 1000);
        struct tm tm;
        char want[64];
        assert_non_null(gmtime_r(&seconds, &tm));
        strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        time_http(ms, out);
        assert_string_equal(out, want);
    }
}

static void http_dates_are_read_in_all_three_forms(void **state) {
    (void)state;
    uint64_t ms;
    static const char *const same[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        check_err(time_parse_http(slice_str(same[i]), &ms), ERR_OK);
        assert_true(ms == 784111777000u);
    }
    check_err(time_parse_http(SLICE_LIT("Monday, 01-Jan-69 00:00:00 GMT"), &ms), ERR_OK);
    assert_true(ms == 3124224000000u); /* 2069 */
}

static void fractions_are_cut_to_milliseconds(void **state) {
    (void)state;
    uint64_t ms;
    check_err(time_parse_iso8601(SLICE_LIT("2026-11-24T08:21:16Z"), &ms), ERR_OK);
    assert_true(ms == MOMENT);
    check_err(time_parse_iso8601(SLICE_LIT("2026-11-24T08:21:16.5Z"), &ms), ERR_OK);
    assert_true(ms == MOMENT + 500);
    check_err(time_parse_iso8601(SLICE_LIT("2026-11-24T08:21:16.123999999Z"), &ms), ERR_OK);
    assert_true(ms == MOMENT + 123);
}

typedef enum err (*parser)(struct slice s, uint64_t *ms);

static void check_refused(parser parse, const char *text) {
    uint64_t ms;
    enum err e = parse(slice_str(text), &ms);
    if (e != ERR_INPUT) print_error("'%s' gave %s\n", text, err_name(e));
    check_err(e, ERR_INPUT);
}

static void what_is_no_date_is_refused(void **state) {
    (void)state;
    static const char *const amz[] = {"", "20261124T082116", "20261124T082116z", "20261124 082116Z", "2026-11-24T08:21:16Z", "20261124T082116ZZ",
                                      "20260229T000000Z", "20261301T000000Z", "20260001T000000Z", "20260100T000000Z", "20260431T000000Z",
                                      "20261124T240000Z", "20261124T006000Z", "20261124T000060Z", "19691231T235959Z", "21000229T000000Z",
                                      "2026112AT082116Z", " 20261124T082116Z"};
    for (size_t i = 0; i < ARRAY_LEN(amz); i++) check_refused(time_parse_amz, amz[i]);
    static const char *const http[] = {"", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Xxx, 06 Nov 1994 08:49:37 GMT",
                                       "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT", "sun, 06 nov 1994 08:49:37 gmt",
                                       "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 06 08:49:37 94", "Sun, 06 Nov 1994 08:49:37 GMT "};
    for (size_t i = 0; i < ARRAY_LEN(http); i++) check_refused(time_parse_http, http[i]);
    static const char *const iso[] = {"2026-11-24T08:21:16", "2026-11-24T08:21:16.Z", "2026-11-24T08:21:16+00:00", "2026-11-24", "2026-11-24T08:21:16.5",
                                      "2026-11-24 08:21:16Z", "2026-02-30T00:00:00Z"};
    for (size_t i = 0; i < ARRAY_LEN(iso); i++) check_refused(time_parse_iso8601, iso[i]);
    uint64_t ms;
    check_err(time_parse_amz(SLICE_LIT("20240229T000000Z"), &ms), ERR_OK);
    check_err(time_parse_amz(SLICE_LIT("99991231T235959Z"), &ms), ERR_OK);
    /* Truncation at every byte. */
    static const char whole[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (size_t n = 0; n < sizeof whole - 1; n++) check_err(time_parse_http(slice_of(whole, n), &ms), ERR_INPUT);
}

static void clocks_agree_with_the_system(void **state) {
    (void)state;
    uint64_t wall = clock_wall_ms(), seconds = (uint64_t)time(NULL);
    assert_true(wall / 1000 <= seconds + 1 && seconds <= wall / 1000 + 1);
    uint64_t us = clock_mono_us(), ms = clock_mono_ms();
    assert_true(us / 1000 <= ms && ms - us / 1000 < 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_written_in_three_ways),
        cmocka_unit_test(the_largest_number_is_still_a_text),
        cmocka_unit_test(every_format_comes_back),
        cmocka_unit_test(http_dates_are_read_in_all_three_forms),
        cmocka_unit_test(fractions_are_cut_to_milliseconds),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(clocks_agree_with_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
