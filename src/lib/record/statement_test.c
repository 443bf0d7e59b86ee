/* SPDX-License-Identifier: Apache-2.0
 * Statements: one spelling, the parts that their kind asks for, bounds.
 * Role: unit test. Spec: docs/spec/statement.md.
 */
#include "record/record_test.h"

#define GENESIS                                                                                                       \
    "{\"kind\":\"genesis.tenant\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[\"SHA256:1IY4tRu7lq62KKR/nQvSkgLvZ07RxlDpo278zX07Oh8\"],"     \
    "\"subject\":\"demo\",\"t\":1764000000000,\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",\"v\":1}"
#define KEY_OFF                                                                                                       \
    "{\"head\":\"300:6h6Tv1rREuXiImxSG8F2BWpEVHKCztefqS9sRweEgaU\",\"kind\":\"key.off\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\","               \
    "\"subject\":\"AKIA\",\"t\":0,\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",\"v\":1}"

static void written_statements_are_the_documented_bytes_and_read_back(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(STATEMENT_BYTES_MAX);
    struct record_statement s = {.kind = RECORD_STATEMENT_GENESIS_TENANT,
                                 .have = RECORD_S_SCOPE | RECORD_S_SUBJECT | RECORD_S_TENANT,
                                 .subject = SLICE_LIT("demo"), .t = 1764000000000}, r;
    const struct slice scope[] = {SLICE_LIT("SHA256:1IY4tRu7lq62KKR/nQvSkgLvZ07RxlDpo278zX07Oh8")};
    test_count(s.nonce, NONCE_BYTES, 0);
    test_count(s.tenant, ID_BYTES, 0);
    assert_err(record_statement_write(&s, scope, 1, &b), ERR_OK, "genesis");
    assert_same(buf_slice(&b), SLICE_LIT(GENESIS));
    assert_err(record_statement_parse(buf_slice(&b), &r), ERR_OK, "genesis");
    struct slice list = r.scope, item;
    assert_true(record_list_text(&list, &item));
    assert_same(item, scope[0]);
    assert_false(record_list_text(&list, &item));
    assert_int_equal(r.have, s.have);
    assert_int_equal(r.t, s.t);
    assert_memory_equal(r.nonce, s.nonce, NONCE_BYTES);
    buf_reset(&b);
    s = (struct record_statement){.kind = RECORD_STATEMENT_KEY_OFF, .have = RECORD_S_HEAD | RECORD_S_SUBJECT | RECORD_S_TENANT,
                                  .subject = SLICE_LIT("AKIA"), .head_size = 300};
    test_count(s.nonce, NONCE_BYTES, 0);
    test_count(s.tenant, ID_BYTES, 0);
    assert_err(base64_fixed(SLICE_LIT("6h6Tv1rREuXiImxSG8F2BWpEVHKCztefqS9sRweEgaU="), s.head_root, HASH_BYTES), ERR_OK, "root");
    assert_err(record_statement_write(&s, NULL, 0, &b), ERR_OK, "key.off");
    assert_same(buf_slice(&b), SLICE_LIT(KEY_OFF));
    assert_err(record_statement_parse(buf_slice(&b), &r), ERR_OK, "key.off");
    assert_int_equal(r.head_size, 300);
    assert_memory_equal(r.head_root, s.head_root, HASH_BYTES);
    buf_done(&b);
}

static void its_time_is_told_without_the_rest(void **state)
{
    (void)state;
    uint64_t t;
    assert_true(record_statement_time(SLICE_LIT(GENESIS), &t));
    assert_int_equal(t, 1764000000000);
    assert_true(record_statement_time(SLICE_LIT(KEY_OFF), &t));
    assert_int_equal(t, 0);
    static const char *const none[] = {"", "\"t\"", "\"t\":", "\"t\":x", "\"t\":-1", "\"tt\":1", "\"t\":9007199254740992", "t:1"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        if (record_statement_time(slice_str(none[i]), &t)) fail_msg("%s", none[i]);
    }
}

static void a_statement_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct record_statement s;
    for (size_t n = 0; n < strlen(GENESIS); n++) {
        uint8_t *exact = (uint8_t *)malloc(n + 1);
        memcpy(exact, GENESIS, n);
        if (record_statement_parse(slice_of(exact, n), &s) == ERR_OK) fail_msg("cut at %zu", n);
        free(exact);
    }
    assert_err(record_statement_parse(SLICE_LIT(GENESIS "\n"), &s), ERR_TRAILING, "newline");
}

static void parts_that_the_kind_lacks_or_does_not_know_are_refused(void **state)
{
    (void)state;
    struct record_statement s;
    static const struct { const char *text; enum err want; } cases[] = {
        {"{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[],\"t\":1,\"v\":1}", ERR_OK},
        {"{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"t\":1,\"v\":1}", ERR_INPUT},
        {"{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[],\"t\":1,\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",\"v\":1}", ERR_INPUT},
        {"{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[],\"v\":1}", ERR_INPUT},
        {"{\"kind\":\"genesis.provider\",\"scope\":[],\"t\":1,\"v\":1}", ERR_INPUT},
        {"{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[],\"t\":1}", ERR_INPUT},
        {"{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[],\"t\":1,\"v\":2}", ERR_VERSION},
        {"{\"kind\":\"genesis.everything\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[],\"t\":1,\"v\":1}", ERR_VERSION},
        {"{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODx\",\"scope\":[],\"t\":1,\"v\":1}", ERR_INPUT},
        {"{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0O\",\"scope\":[],\"t\":1,\"v\":1}", ERR_INPUT},
        {"{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[1],\"t\":1,\"v\":1}", ERR_INPUT},
        {"{\"kind\":\"genesis.provider\",\"more\":1,\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[],\"t\":1,\"v\":1}", ERR_INPUT},
        {"{\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"kind\":\"genesis.provider\",\"scope\":[],\"t\":1,\"v\":1}", ERR_INPUT},
        {"{\"head\":\"0300:6h6Tv1rREuXiImxSG8F2BWpEVHKCztefqS9sRweEgaU\",\"kind\":\"reader.off\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"subject\":\"r\",\"t\":1,\"v\":1}", ERR_INPUT},
        {"{\"head\":\"300\",\"kind\":\"reader.off\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"subject\":\"r\",\"t\":1,\"v\":1}", ERR_INPUT},
        {"{\"kind\":\"reader.off\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"subject\":\"r\",\"t\":1,\"tenant\":\"AAAQEAYEAUDAOCAJBIFQYDIOB4\",\"v\":1}", ERR_INPUT},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
        assert_err(record_statement_parse(slice_str(cases[i].text), &s), cases[i].want, cases[i].text);
    struct buf b = BUF_INIT(STATEMENT_BYTES_MAX);
    s = (struct record_statement){.kind = RECORD_STATEMENT_GENESIS_PROVIDER};
    assert_err(record_statement_write(&s, NULL, 0, &b), ERR_INPUT, "a part is missing");
    s = (struct record_statement){.kind = RECORD_STATEMENT_READER_OFF, .have = RECORD_S_SUBJECT, .subject = SLICE_LIT("a\"b")};
    assert_err(record_statement_write(&s, NULL, 0, &b), ERR_INPUT, "not canonical");
    buf_done(&b);
}

static void a_statement_may_be_as_long_as_the_bound_and_no_longer(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(2 * STATEMENT_BYTES_MAX);
    struct record_statement s;
    const char *head = "{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[\"x\"", *tail = "],\"t\":1,\"v\":1}";
    for (size_t past = 0; past <= 1; past++) {
        buf_reset(&b);
        buf_put_str(&b, head);
        size_t left = STATEMENT_BYTES_MAX + past - strlen(head) - strlen(tail);
        while (left > 0) {
            size_t n = left - 3 < 900 ? left - 3 : 800;
            buf_put_str(&b, ",\"");
            for (size_t i = 0; i < n; i++) buf_put_u8(&b, 'y');
            buf_put_u8(&b, '"');
            left -= n + 3;
        }
        buf_put_str(&b, tail);
        assert_int_equal(b.n, STATEMENT_BYTES_MAX + past);
        assert_err(record_statement_parse(buf_slice(&b), &s), past ? ERR_LIMIT : ERR_OK, "length");
    }
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_statements_are_the_documented_bytes_and_read_back),
        cmocka_unit_test(its_time_is_told_without_the_rest),
        cmocka_unit_test(a_statement_cut_anywhere_is_refused),
        cmocka_unit_test(parts_that_the_kind_lacks_or_does_not_know_are_refused),
        cmocka_unit_test(a_statement_may_be_as_long_as_the_bound_and_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
