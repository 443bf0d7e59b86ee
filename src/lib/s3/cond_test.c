/* SPDX-License-Identifier: Apache-2.0
 * Ranges and conditions at their edges.
 */
#include "s3/s3_test.h"

static void ranges_are_one_part_the_whole_or_unsatisfiable(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint64_t size;
        enum s3_range kind;
        uint64_t first, last;
    } rows[] = {
        {"bytes=0-9", 100, S3_RANGE_PART, 0, 9},
        {"bytes=0-0", 1, S3_RANGE_PART, 0, 0},
        {"bytes=4-", 10, S3_RANGE_PART, 4, 9},
        {"bytes=9-9", 10, S3_RANGE_PART, 9, 9},
        {"bytes=0-999999", 10, S3_RANGE_PART, 0, 9},
        {"bytes=5-99999999999999999999999", 10, S3_RANGE_PART, 5, 9},
        {"bytes=-3", 10, S3_RANGE_PART, 7, 9},
        {"bytes=-30", 10, S3_RANGE_PART, 0, 9},
        {" Bytes= 1-2 ", 10, S3_RANGE_PART, 1, 2},
        {"bytes=10-", 10, S3_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=100-200", 10, S3_RANGE_UNSATISFIABLE, 0, 0},                /* B13 */
        {"bytes=99999999999999999999999-", 10, S3_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", 10, S3_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-", 0, S3_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", 0, S3_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-1,3-4", 10, S3_RANGE_WHOLE, 0, 0},                        /* B14 */
        {"bytes=5-2", 10, S3_RANGE_WHOLE, 0, 0},
        {"bytes=", 10, S3_RANGE_WHOLE, 0, 0},
        {"bytes=-", 10, S3_RANGE_WHOLE, 0, 0},
        {"bytes=a-b", 10, S3_RANGE_WHOLE, 0, 0},
        {"bytes=1", 10, S3_RANGE_WHOLE, 0, 0},
        {"bytes=+1-2", 10, S3_RANGE_WHOLE, 0, 0},
        {"items=0-1", 10, S3_RANGE_WHOLE, 0, 0},
        {"", 10, S3_RANGE_WHOLE, 0, 0},
        {NULL, 10, S3_RANGE_WHOLE, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t first = 0, last = 0;
        print_message("%s of %d\n", rows[i].value ? rows[i].value : "(none)", (int)rows[i].size);
        assert_int_equal(s3_range_parse(slice_str(rows[i].value), rows[i].size, &first, &last), rows[i].kind);
        assert_int_equal(first, rows[i].first);
        assert_int_equal(last, rows[i].last);
    }
}

#define ETAG "5d41402abc4b2a76b9719d911017c592"
#define THEN 1369353600999ull                                     /* Fri, 24 May 2013 00:00:00 GMT and 999 ms */
#define DATE "Fri, 24 May 2013 00:00:00 GMT"
#define BEFORE "Thu, 23 May 2013 23:59:59 GMT"
#define AFTER "Fri, 24 May 2013 00:00:01 GMT"

static void reads_follow_rfc_9110(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        enum s3_error want;
        const char *condition;
    } rows[] = {
        {"X: y\n", S3E_NONE, NULL},
        {"If-Match: \"" ETAG "\"\n", S3E_NONE, NULL},
        {"If-Match: " ETAG "\n", S3E_NONE, NULL},
        {"If-Match: \"x\", \"" ETAG "\"\n", S3E_NONE, NULL},
        {"If-Match: *\n", S3E_NONE, NULL},
        {"If-Match: \"x\"\n", S3E_PreconditionFailed, "If-Match"},
        {"If-Match: W/\"" ETAG "\"\n", S3E_PreconditionFailed, "If-Match"},
        {"If-Match: \n", S3E_PreconditionFailed, "If-Match"},
        {"If-None-Match: \"" ETAG "\"\n", S3E_NotModified, "If-None-Match"},
        {"If-None-Match: W/\"" ETAG "\"\n", S3E_NotModified, "If-None-Match"},
        {"If-None-Match: *\n", S3E_NotModified, "If-None-Match"},
        {"If-None-Match: \"x\"\n", S3E_NONE, NULL},
        {"If-Modified-Since: " DATE "\n", S3E_NotModified, "If-Modified-Since"},
        {"If-Modified-Since: " BEFORE "\n", S3E_NONE, NULL},
        {"If-Modified-Since: " AFTER "\n", S3E_NotModified, "If-Modified-Since"},
        {"If-Unmodified-Since: " DATE "\n", S3E_NONE, NULL},
        {"If-Unmodified-Since: " BEFORE "\n", S3E_PreconditionFailed, "If-Unmodified-Since"},
        {"If-Unmodified-Since: yesterday\n", S3E_NONE, NULL},
        {"If-Match: \"" ETAG "\"\nIf-Unmodified-Since: " BEFORE "\n", S3E_NONE, NULL},                 /* If-Match goes first */
        {"If-None-Match: \"x\"\nIf-Modified-Since: " AFTER "\n", S3E_NONE, NULL},                      /* If-None-Match goes first */
        {"If-Match: \"x\"\nIf-None-Match: \"" ETAG "\"\n", S3E_PreconditionFailed, "If-Match"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_header h[4];
        struct s3_conditions c;
        const char *condition = NULL;
        print_message("%s", rows[i].headers);
        s3_conditions_of(h, headers_of(slice_str(rows[i].headers), h, 4), &c);
        check_s3(s3_condition_read(&c, SLICE_LIT(ETAG), THEN, &condition), rows[i].want);
        if (rows[i].condition) assert_string_equal(condition, rows[i].condition);
        assert_int_equal(s3_conditions_any(&c), i > 0);
    }
}

static void writes_and_deletes_are_guarded(void **state)
{
    (void)state;
    static const struct {
        const char *row, *headers;
        bool exists;
        enum s3_error write, del;
    } rows[] = {
        {"none", "X: y\n", true, S3E_NONE, S3E_NONE},
        {"W01", "If-None-Match: *\n", true, S3E_PreconditionFailed, S3E_NONE},
        {"W01 absent", "If-None-Match: *\n", false, S3E_NONE, S3E_NONE},
        {"W02 W07", "If-Match: \"" ETAG "\"\n", false, S3E_NoSuchKey, S3E_NoSuchKey},
        {"If-Match", "If-Match: \"" ETAG "\"\n", true, S3E_NONE, S3E_NONE},
        {"W06", "If-Match: \"x\"\n", true, S3E_PreconditionFailed, S3E_PreconditionFailed},
        {"W03 equal", "If-None-Match: \"" ETAG "\"\n", true, S3E_PreconditionFailed, S3E_NONE},
        {"W03 other", "If-None-Match: \"x\"\n", true, S3E_NONE, S3E_NONE},
        {"W04", "If-Match: *\nIf-None-Match: *\n", true, S3E_NotImplemented, S3E_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_header h[4];
        struct s3_conditions c;
        print_message("%s\n", rows[i].row);
        s3_conditions_of(h, headers_of(slice_str(rows[i].headers), h, 4), &c);
        check_s3(s3_condition_write(&c, rows[i].exists, SLICE_LIT(ETAG), NULL), rows[i].write);
        check_s3(s3_condition_delete(&c, rows[i].exists, SLICE_LIT(ETAG), NULL), rows[i].del);
    }
}

static void if_range_of_another_object_takes_the_range_away(void **state)
{
    (void)state;
    struct s3_conditions c = {0};
    assert_true(s3_if_range(&c, SLICE_LIT(ETAG), THEN));
    c.if_range = SLICE_LIT("\"" ETAG "\"");
    assert_true(s3_if_range(&c, SLICE_LIT(ETAG), THEN));
    c.if_range = SLICE_LIT("W/\"" ETAG "\"");
    assert_false(s3_if_range(&c, SLICE_LIT(ETAG), THEN));
    c.if_range = SLICE_LIT(DATE);
    assert_true(s3_if_range(&c, SLICE_LIT(ETAG), THEN));
    c.if_range = SLICE_LIT(AFTER);
    assert_false(s3_if_range(&c, SLICE_LIT(ETAG), THEN));
}

static void at_most_the_named_number_of_tags_is_looked_at(void **state)
{
    (void)state;
    struct buf list = BUF_INIT(4096);
    struct s3_conditions c = {0};
    for (int i = 0; i < S3_CONDITION_ETAGS_MAX - 1; i++) buf_put_str(&list, "\"x\",");
    size_t n = list.n;
    buf_put_str(&list, "\"" ETAG "\"");
    c.if_match = buf_slice(&list);
    check_s3(s3_condition_read(&c, SLICE_LIT(ETAG), THEN, NULL), S3E_NONE);
    list.n = n;
    buf_put_str(&list, "\"x\",\"" ETAG "\"");
    c.if_match = buf_slice(&list);
    check_s3(s3_condition_read(&c, SLICE_LIT(ETAG), THEN, NULL), S3E_PreconditionFailed);
    buf_done(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_one_part_the_whole_or_unsatisfiable),
        cmocka_unit_test(reads_follow_rfc_9110),
        cmocka_unit_test(writes_and_deletes_are_guarded),
        cmocka_unit_test(if_range_of_another_object_takes_the_range_away),
        cmocka_unit_test(at_most_the_named_number_of_tags_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
