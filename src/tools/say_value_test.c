/* SPDX-License-Identifier: Apache-2.0
 * Values of terms as people write them.
 */
#include "base/test.h"
#include "tools/say.h"

#define NOW 1764000000000ull

static void check_said(enum record_term t, const char *typed, const char *want)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    const char *wrong = say_value(t, slice_str(typed), NOW, &out);
    if (wrong) fail_msg("%s=%s: %s", record_term_name(t), typed, wrong);
    check_text_at(buf_slice(&out), want, typed, 0);
}

static void check_wrong(enum record_term t, const char *typed)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    if (!say_value(t, slice_str(typed), NOW, &out)) fail_msg("%s=%s was taken as %.*s", record_term_name(t), typed, (int)out.n, (const char *)out.p);
}

static void check_words(enum record_term t, const char *said, const char *want)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    say_value_words(t, slice_str(said), &out);
    check_text_at(buf_slice(&out), want, said, 0);
}

static void a_duration_has_units(void **state)
{
    (void)state;
    check_said(RECORD_TERM_DURATION, "1h", "3600000");
    check_said(RECORD_TERM_DURATION, "1h30min", "5400000");
    check_said(RECORD_TERM_DURATION, "1d2h3m4s5ms", "93784005");
    check_said(RECORD_TERM_LAPSE, "9007199254740991ms", "9007199254740991");
    const char *const wrong[] = {"", "1", "60", "h", "1 h", "1h30", "-1h", "1.5h", "1w", "9007199254740992ms", "9007199254740991ms1ms", "99999999999999999999d", "1h "};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) check_wrong(RECORD_TERM_DURATION, wrong[i]);
}

static void a_size_has_a_unit_or_is_bytes(void **state)
{
    (void)state;
    check_said(RECORD_TERM_BYTES, "1", "1");
    check_said(RECORD_TERM_BYTES, "10MiB", "10485760");
    check_said(RECORD_TERM_BYTES, "10MB", "10000000");
    check_said(RECORD_TERM_BYTES, "9007199254740991", "9007199254740991");
    const char *const wrong[] = {"", "MiB", "10mb", "10 MiB", "1.5GiB", "1MiB1", "9007199254740992", "8388608GiBB", "8796093022208GiB", "0x10"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) check_wrong(RECORD_TERM_BYTES, wrong[i]);
}

static void a_time_is_a_date_or_from_now(void **state)
{
    (void)state;
    check_said(RECORD_TERM_TRAINING, "2026-11-24", "1795478400000");
    check_said(RECORD_TERM_TRAINING, "2026-11-24T10:00", "1795514400000");
    check_said(RECORD_TERM_TRAINING, "2026-11-24T10:00:30Z", "1795514430000");
    check_said(RECORD_TERM_TRAINING, "2028-02-29", "1835395200000");
    check_said(RECORD_TERM_START, "now", "1764000000000");
    check_said(RECORD_TERM_START, "+2h", "1764007200000");
    check_said(RECORD_TERM_START, "1764000000001", "1764000000001");
    const char *const wrong[] = {"", "20261124", "2026-02-29", "2026-13-01", "2026-11-31", "24.11.2026", "2026-11-24T25:00", "2026-11-24T10:00+01:00", "+2", "2026-11-24Z", "yesterday", "-1h", "1969-12-31"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) check_wrong(RECORD_TERM_START, wrong[i]);
}

static void a_prefix_is_encoded(void **state)
{
    (void)state;
    check_said(RECORD_TERM_PREFIX, "reports/2026 \xc3\xa5r/", "reports/2026%20%C3%A5r/");
    check_said(RECORD_TERM_PREFIX, "100%", "100%25");
    check_wrong(RECORD_TERM_PREFIX, "\xff");
    AUTO(buf) struct buf out = BUF_INIT(4096);
    say_place(SLICE_LIT("docs/a=b/c"), &out);
    check_text(buf_slice(&out), "docs/a%3Db/c");
    buf_reset(&out);
    say_place(SLICE_LIT("*"), &out);
    check_text(buf_slice(&out), "*");
    buf_reset(&out);
    say_place(SLICE_LIT("docs/"), &out);
    check_text(buf_slice(&out), "docs/");
}

static void words_numbers_and_texts_are_as_record_takes_them(void **state)
{
    (void)state;
    check_said(RECORD_TERM_VERB, "read", "read");
    check_said(RECORD_TERM_COUNTRY, "SE", "SE");
    check_said(RECORD_TERM_NEED, "2", "2");
    check_said(RECORD_TERM_NAME, "\xc3\x85sa \xc3\x96man", "\xc3\x85sa \xc3\x96man");
    check_wrong(RECORD_TERM_VERB, "Read");
    check_wrong(RECORD_TERM_VERB, "");
    check_wrong(RECORD_TERM_COUNTRY, "se");
    check_wrong(RECORD_TERM_COUNTRY, "SWE");
    check_wrong(RECORD_TERM_NEED, "2.0");
    check_wrong(RECORD_TERM_NEED, "9007199254740992");
    check_wrong(RECORD_TERM_BUCKET, "a");
    check_wrong(RECORD_TERM_NAME, "two\nlines");
    check_wrong(RECORD_TERM_NAME, "a \"quote\"");
    check_wrong(RECORD_TERM_NAME, "\xe2\x80\xae" "abc");       /* turns what follows round */
    check_wrong(RECORD_TERM_REQUEST, "short");
    check_wrong(RECORD_TERM_EXTENDS, "AAAQEAYEAUDAOCAJBIFQYDIOB4");
}

static void what_is_shown_is_what_is_said(void **state)
{
    (void)state;
    check_words(RECORD_TERM_DURATION, "5400000", "1 h 30 min");
    check_words(RECORD_TERM_DURATION, "5400001", "1 h 30 min 1 ms");
    check_words(RECORD_TERM_DURATION, "0", "0 ms");
    check_words(RECORD_TERM_BYTES, "10485760", "10 MiB (10485760 bytes)");
    check_words(RECORD_TERM_BYTES, "10485761", "10485761 bytes");
    check_words(RECORD_TERM_START, "1795514400000", "2026-11-24T10:00:00.000Z");
    check_words(RECORD_TERM_PREFIX, "reports/2026%20%C3%A5r/", "reports/2026 \xc3\xa5r/");
    check_words(RECORD_TERM_PREFIX, "a%0Ab", "a%0Ab");             /* a line break would make a line of its own */
    check_words(RECORD_TERM_PREFIX, "a%E2%80%AEb", "a%E2%80%AEb");
}

static void every_kind_has_a_meaning(void **state)
{
    (void)state;
    for (unsigned k = 0; k < RECORD_STATEMENT_COUNT; k++)
        if (!say_meaning((enum record_statement_kind)k)) fail_msg("%s has none", record_statement_kind_text((enum record_statement_kind)k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_has_units), cmocka_unit_test(a_size_has_a_unit_or_is_bytes), cmocka_unit_test(a_time_is_a_date_or_from_now),
        cmocka_unit_test(a_prefix_is_encoded), cmocka_unit_test(words_numbers_and_texts_are_as_record_takes_them), cmocka_unit_test(what_is_shown_is_what_is_said),
        cmocka_unit_test(every_kind_has_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
