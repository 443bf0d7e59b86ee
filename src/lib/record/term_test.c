/* SPDX-License-Identifier: Apache-2.0
 * Terms of statements: each type at its bounds, one spelling of a list, what a person may be shown.
 * Role: unit test. Spec: docs/spec/statement.md section 2.
 */
#include "record/record_test.h"

#define HEAD "{\"kind\":\""
#define MIDDLE "\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"subject\":\"x\",\"t\":1,\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",\"terms\":["
#define TAIL "],\"v\":1}"
#define FINGERPRINT "SHA256:1IY4tRu7lq62KKR/nQvSkgLvZ07RxlDpo278zX07Oh8"
#define HASH43 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define ES256_65 "BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-P0A"

static enum err parse_terms(const char *kind, struct slice list)
{
    struct record_statement s;
    AUTO(buf) struct buf b = BUF_INIT(4 * STATEMENT_BYTES_MAX);
    buf_put_str(&b, HEAD);
    buf_put_str(&b, kind);
    buf_put_str(&b, MIDDLE);
    buf_put_slice(&b, list);
    buf_put_str(&b, TAIL);
    assert_true(buf_ok(&b));
    /* Exactly as long as it is: reading past it is seen by the sanitizer. */
    uint8_t *exact = (uint8_t *)malloc(b.n);
    memcpy(exact, b.p, b.n);
    enum err e = record_statement_parse(slice_of(exact, b.n), &s);
    if (e == ERR_OK) assert_true(s.have & RECORD_S_TERMS);
    free(exact);
    return e;
}

/* One term in a kind that takes it beside others that are always there. */
static enum err one(const char *kind, const char *before, const char *name, struct slice value, const char *after)
{
    AUTO(buf) struct buf b = BUF_INIT(4 * STATEMENT_BYTES_MAX);
    buf_put_str(&b, before);
    buf_put_u8(&b, '"');
    buf_put_str(&b, name);
    buf_put_u8(&b, '=');
    buf_put_slice(&b, value);
    buf_put_u8(&b, '"');
    buf_put_str(&b, after);
    assert_true(buf_ok(&b));
    return parse_terms(kind, buf_slice(&b));
}

static struct slice times(struct buf *b, const char *what, size_t n)
{
    buf_reset(b);
    while (n-- > 0) buf_put_str(b, what);
    return buf_slice(b);
}

#define OK(kind, before, name, value, after) assert_err(one(kind, before, name, value, after), ERR_OK, name)
#define NO(kind, before, name, value, after) assert_err(one(kind, before, name, value, after), ERR_INPUT, name)

static void words_numbers_and_names_hold_at_their_bounds(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(8192);
    const char *set = "category.set", *look = "access.look";
    static const char *const words[] = {"a", "z", "0", "9", "a.b_c-d", "-", "."};
    static const char *const no_words[] = {"", "A", "a b", "a/b", "a=b", "\xc3\xa9", "a:", "a\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) OK(set, "", "category", slice_str(words[i]), "");
    for (size_t i = 0; i < ARRAY_LEN(no_words); i++) NO(set, "", "category", slice_str(no_words[i]), "");
    OK(set, "", "category", times(&b, "a", 64), "");
    NO(set, "", "category", times(&b, "a", 65), "");
    static const char *const ints[] = {"0", "1", "10", "9007199254740991"};
    static const char *const no_ints[] = {"", "00", "01", "9007199254740992", "18446744073709551616", "-1", "+1", "1.0", "1e3", " 1", "0x1"};
    for (size_t i = 0; i < ARRAY_LEN(ints); i++) OK(look, "", "after", slice_str(ints[i]), "");
    for (size_t i = 0; i < ARRAY_LEN(no_ints); i++) NO(look, "", "after", slice_str(no_ints[i]), "");
    static const char *const no_countries[] = {"", "A", "ATT", "at", "A1", "A\xc3"};
    OK("access.login", "", "country", SLICE_LIT("AT"), "");
    for (size_t i = 0; i < ARRAY_LEN(no_countries); i++) NO("access.login", "", "country", slice_str(no_countries[i]), "");
    OK("access.reject", "", "request", SLICE_LIT(HASH43), "");
    NO("access.reject", "", "request", SLICE_LIT(HASH43 "A"), "");
    NO("access.reject", "", "request", slice_of(HASH43, 42), "");
    NO("access.reject", "", "request", SLICE_LIT("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9"), "");     /* bits behind the last byte */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_numbers_and_names_hold_at_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
