/* SPDX-License-Identifier: Apache-2.0
 * Lines of /v1/openings and of exports.
 */
#include "base/test.h"
#include "tools/tools.h"

#define LINE "{\"index\":7,\"leaf\":{\"v\":1},\"opening\":\"AAEC\"}"

static enum err parse(struct slice line, uint64_t *index, struct slice *leaf, struct buf *opening)
{
    buf_reset(opening);
    return log_line_parse(line, index, leaf, opening);
}

static void a_line_gives_its_parts(void **state)
{
    (void)state;
    AUTO(buf) struct buf opening = BUF_INIT(64);
    struct slice leaf;
    uint64_t index;
    check_err(parse(SLICE_LIT(LINE), &index, &leaf, &opening), ERR_OK);
    assert_int_equal(index, 7);
    check_text(leaf, "{\"v\":1}");
    check_bytes(buf_slice(&opening), slice_of("\0\1\2", 3));
    check_err(parse(SLICE_LIT("{\"index\":0,\"leaf\":{},\"opening\":\"\"}"), &index, &leaf, &opening), ERR_OK);
    assert_int_equal(opening.n, 0);
}

static void a_line_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    AUTO(buf) struct buf opening = BUF_INIT(64);
    struct slice leaf;
    uint64_t index;
    for (size_t n = 0; n < strlen(LINE); n++) {
        char *copy = test_malloc(n + 1);           /* to its end, so that a sanitizer sees a step past it */
        memcpy(copy, LINE, n);
        if (parse(slice_of(copy, n), &index, &leaf, &opening) == ERR_OK) fail_msg("%zu bytes were taken", n);
        test_free(copy);
    }
}

static void a_frame_that_ends_inside_itself_is_refused(void **state)
{
    (void)state;
    AUTO(buf) struct buf opening = BUF_INIT(64);
    struct slice leaf;
    uint64_t index;
    const char *const lines[] = {"{\"index\":7,\"leaf\":{},\"opening\":\"}", "{\"index\":7,\"leaf\":{},\"opening\":\"AA", "{\"index\":7,\"leaf\":{},\"opening\":\"AAEC\"} ",
                                 "{\"index\":-1,\"leaf\":{},\"opening\":\"\"}", "{\"index\":18446744073709551615,\"leaf\":{},\"opening\":\"\"}",
                                 "{\"index\":7,\"leaf\":{},\"opening\":\"A\"}", "{\"index\":7}", "{\"index\":7,", "[]"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (parse(slice_str(lines[i]), &index, &leaf, &opening) == ERR_OK) fail_msg("%s was taken", lines[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_line_gives_its_parts), cmocka_unit_test(a_line_cut_off_anywhere_is_refused),
                                       cmocka_unit_test(a_frame_that_ends_inside_itself_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
