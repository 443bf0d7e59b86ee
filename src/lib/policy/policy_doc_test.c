/* SPDX-License-Identifier: Apache-2.0
 * Facts about documents: JSON, numbers, dates, addresses, bounds, and what a decision over many statements costs.
 * Role: unit test. Spec: docs/spec/policy.md section 4.
 */
#include "policy/policy_internal.h"
#include "policy/policy_rig.h"

#define GRANT(more) "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::one/*\"" more "}"
#define DOC(more) "{\"Version\":\"2012-10-17\",\"Statement\":" GRANT(more) "}"
#define STATEMENTS 100
#define ROUNDS 20000

static enum err check_bytes(const void *p, size_t n, const char **why) { return policy_doc_check(slice_of(p, n), SLICE_LIT("one"), why); }
static enum err check_text(const char *text) {
    const char *why = NULL;
    enum err e = check_bytes(text, strlen(text), &why);
    assert_true((e == ERR_OK) == (why == NULL));
    return e;
}

static void json_that_is_none_is_no_policy(void **unused) {
    (void)unused;
    static const char *const bad[] = {
        "", " ", "null", "true", "1", "\"x\"", "[]", "{}", "{", "{\"", DOC("") "x", DOC("") "{}", "{\"Statement\":" GRANT("") ",}",
        "{,\"Statement\":" GRANT("") "}", "{\"Statement\" " GRANT("") "}", "{\"Statement\":" GRANT("") " \"Id\":\"x\"}", "{'Statement':1}",
        "{\"Statement\":[" GRANT("") ",]}", "{\"Statement\":[" GRANT("") " " GRANT("") "]}", "{\"Statement\":[" GRANT("") "}",
        "{\"Statement\":nul}", "{\"Statement\":null}", "{\"Id\":1,\"Statement\":" GRANT("") "}", DOC(",\"Sid\":\"\\x\""), DOC(",\"Sid\":\"\\u12\""),
        DOC(",\"Sid\":\"\\u12g4\""), DOC(",\"Sid\":\"\\ud800\""), DOC(",\"Sid\":\"\\ud800x\""), DOC(",\"Sid\":\"\\ud800\\u0041\""),
        DOC(",\"Sid\":\"\\udc00\""), DOC(",\"Sid\":\"\\u0000\""), DOC(",\"Sid\":\"a\nb\""), DOC(",\"Sid\":\"a\tb\""), DOC(",\"Sid\":\"\xff\""),
        DOC(",\"Sid\":\"\xc0\x80\""), DOC(",\"Sid\":\"\xed\xa0\x80\""), "\xef\xbb\xbf" DOC(""), DOC(",\"Sid\":1"), DOC(",\"Sid\":[\"a\"]"),
        DOC(",\"\\u0045ffect\":\"Allow\""), DOC(",\"Condition\":[]"), DOC(",\"Condition\":{\"Bool\":{}}"), DOC(",\"Condition\":{\"Bool\":[]}"),
        DOC(",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":{}}}"), DOC(",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":null}}"),
        DOC(",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":[[\"true\"]]}}"), DOC(",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"yes\"}}"),
        DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":01}}"), DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":1.}}"),
        DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":-}}"), DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":1e}}"),
        DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":1e2}}"), DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":0.0000001}}"),
        DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":9000000000001}}"), DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":\"\"}}"),
        DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":\"1 \"}}"), DOC(",\"Condition\":{\"StringEquals\":{\"aws:\":\"x\"}}"),
        DOC(",\"Condition\":{\"StringEquals\":{\":x\":\"x\"}}"), DOC(",\"Condition\":{\"StringEquals\":{\"a b:x\":\"x\"}}"),
        DOC(",\"Condition\":{\"StringEquals\":{\"aws:x y\":\"x\"}}"), DOC(",\"Condition\":{\"StringEqualsIfExistsIfExists\":{\"aws:x\":\"x\"}}"),
        DOC(",\"Condition\":{\"ForAllValues:ForAnyValue:StringEquals\":{\"aws:x\":\"x\"}}"), DOC(",\"Condition\":{\"IfExists\":{\"aws:x\":\"x\"}}"),
        DOC(",\"Condition\":{\"stringequals\":{\"aws:x\":\"x\"}}"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (check_text(bad[i]) != ERR_INPUT) fail_msg("taken: %s", bad[i]);
    }
}

static void json_of_every_kind_is_read(void **unused) {
    (void)unused;
    static const char *const good[] = {
        DOC(""), " \t\r\n" DOC("") " \t\r\n", DOC(",\"Sid\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20ac\\ud83d\\ude00\""), DOC(",\"Sid\":\"\xf0\x9f\x98\x80\""),
        "{\"St\\u0061tement\":" GRANT("") "}", DOC(",\"Condition\":{}"), DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":[1,\"2\",-3.5,0]}}"),
        DOC(",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":[true,false,\"True\"]}}"), DOC(",\"Condition\":{\"StringEquals\":{\"s3:ExistingObjectTag/a b\xc3\xa4\":\"x\"}}"),
        DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":9000000000000}}"), DOC(",\"Condition\":{\"NumericEquals\":{\"s3:max-keys\":0.000001}}"),
        "{\"Statement\":[" GRANT("") "," GRANT("") "]}", DOC(",\"Sid\":\"\""),
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (check_text(good[i]) != ERR_OK) fail_msg("refused: %s", good[i]);
    }
}

/* bounds ----------------------------------------------------------------------------------------------------------------- */

static void documents_have_bounds(void **unused) {
    (void)unused;
    struct buf b = BUF_INIT(1024 * 1024);
    const char *why;
    for (unsigned past = 0; past < 2; past++) {
        buf_reset(&b);
        buf_put_str(&b, DOC(""));
        while (b.n < S3_POLICY_BYTES_MAX + past) buf_put_u8(&b, ' ');
        assert_int_equal(check_bytes(b.p, b.n, &why), past ? ERR_INPUT : ERR_OK);
        buf_reset(&b);
        buf_put_str(&b, "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"");
        size_t from = b.n;
        buf_put_str(&b, "s3:ExistingObjectTag/");
        while (b.n < from + POLICY_KEY_CHARS_MAX + past) buf_put_u8(&b, 'k');
        buf_put_str(&b, "\":\"x\"}}}}");
        assert_int_equal(check_bytes(b.p, b.n, &why), past ? ERR_INPUT : ERR_OK);
    }
    buf_done(&b);
}

static void json_has_a_depth(void **unused) {
    (void)unused;
    for (unsigned past = 0; past < 2; past++) {
        struct policy_json j;
        char text[2 * POLICY_JSON_DEPTH_MAX + 4] = {0};
        for (unsigned i = 0; i < POLICY_JSON_DEPTH_MAX + past; i++) {
            text[i] = '[';
            text[2 * (POLICY_JSON_DEPTH_MAX + past) - 1 - i] = ']';
        }
        assert_true(policy_json_init(&j, slice_str(text)));
        assert_true(policy_json_skip(&j) == (past == 0));
        policy_json_done(&j);
    }
}

static void as_many_statements_as_may_be(void **unused) {
    (void)unused;
    struct buf b = BUF_INIT(S3_POLICY_BYTES_MAX);
    struct policy_doc *d;
    const char *why;
    /* The shortest statement: a document of 20 480 bytes holds fewer of them than POLICY_STATEMENTS_MAX, which is met by none. */
    buf_put_str(&b, "{\"Statement\":[");
    unsigned n = 0;
    while (b.n + 64 < S3_POLICY_BYTES_MAX) {
        buf_put_str(&b, n++ == 0 ? "" : ",");
        buf_put_str(&b, "{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}");
    }
    buf_put_str(&b, "]}");
    assert_int_equal(policy_doc_compile(buf_slice(&b), slice_of(NULL, 0), &d, &why), ERR_OK);
    assert_int_equal(d->statement_count, n);
    assert_true(n > 400 && n <= POLICY_STATEMENTS_MAX);
    policy_doc_free(d);
    policy_doc_free(NULL);
    buf_done(&b);
}

static void blanks_outside_strings_have_no_weight(void **unused) {
    (void)unused;
    assert_int_equal(policy_doc_weight(SLICE_LIT("")), 0);
    assert_int_equal(policy_doc_weight(SLICE_LIT(" { \"a b\" :\n1 } ")), sizeof "{\"a b\":1}" - 1);
    assert_int_equal(policy_doc_weight(SLICE_LIT("\"a\\\" b\" ")), sizeof "\"a\\\" b\"" - 1);
    assert_int_equal(policy_doc_weight(SLICE_LIT("\"a\\")), 3);
}

/* values ------------------------------------------------------------------------------------------------------------------ */

static void numbers_dates_and_addresses_are_read_exactly(void **unused) {
    (void)unused;
    static const struct { const char *text; int64_t want; bool ok; } numbers[] = {
        {"0", 0, true}, {"10", 10000000, true}, {"-1.5", -1500000, true}, {"0.000001", 1, true}, {"", 0, false}, {"-", 0, false}, {".5", 0, false},
        {"1.", 0, false}, {"1.0000000", 0, false}, {"+1", 0, false}, {"1e3", 0, false}, {"9000000000000", 9000000000000000000, true},
        {"9000000000001", 0, false}, {"99999999999999999999999999", 0, false},
    };
    static const struct { const char *text; int64_t want; bool ok; } dates[] = {
        {"1970-01-01", 0, true}, {"1970-01-02T00:00:00Z", 86400000, true}, {"1970-01-01T01:00:00+01:00", 0, true}, {"1970-01-01T00:00:00-01:30", 5400000, true},
        {"1970-01-01T00:01Z", 60000, true}, {"1970-01-01T00:00:00.5Z", 500, true}, {"86400", 86400000, true}, {"1970-01-32", 0, false}, {"1970-13-01", 0, false},
        {"1970-01-01T", 0, false}, {"1970-01-01T00:00:00", 0, false}, {"1970-01-01 00:00:00Z", 0, false}, {"1970-01-01T00:00:00+24:00", 0, false},
        {"1970-01-01T00:00:00+0100", 0, false}, {"today", 0, false}, {"", 0, false}, {"1970-01-01T00:00:00.123456789012345678901234567890Z", 0, false},
    };
    static const struct { const char *text; int bits; } networks[] = { /* -1: none */
        {"1.2.3.4", 32}, {"1.2.3.4/0", 0}, {"1.2.3.4/32", 32}, {"1.2.3.4/33", -1}, {"1.2.3", -1}, {"1.2.3.4.5", -1}, {"1.2.3.256", -1}, {"01.2.3.4", -1},
        {"1.2.3.4/", -1}, {"1..3.4", -1}, {"1.2.3.4/-1", -1}, {"::", 128}, {"::1", 128}, {"1::", 128}, {"1:2:3:4:5:6:7:8", 128}, {"1:2:3:4:5:6:7:8/127", 127},
        {"1:2:3:4:5:6:7:8:9", -1}, {"1:2:3:4:5:6:7", -1}, {"1::2::3", -1}, {":1", -1}, {"1:", -1}, {":::", -1}, {"12345::", -1}, {"g::", -1}, {"::1.2.3.4", 128},
        {"::ffff:1.2.3.4", 32}, {"::ffff:1.2.3.0/120", 24}, {"::ffff:1.2.3.0/95", -1}, {"1:2:3:4:5:6:7:1.2.3.4", -1}, {"", -1}, {"::/129", -1},
        {"1:2:3:4:5:6:7::", 128}, {"1:2:3:4:5:6:7:8::", -1}, {"1.2.3.4x", -1},
    };
    int64_t v;
    struct policy_address a;
    uint8_t bits;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        bool ok = policy_number_parse(slice_str(numbers[i].text), &v) == ERR_OK;
        if (ok != numbers[i].ok || (ok && v != numbers[i].want)) fail_msg("number %s", numbers[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        bool ok = policy_date_parse(slice_str(dates[i].text), &v) == ERR_OK;
        if (ok != dates[i].ok || (ok && v != dates[i].want)) fail_msg("date %s", dates[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(networks); i++) {
        bool ok = policy_network_parse(slice_str(networks[i].text), &a, &bits);
        if (ok != (networks[i].bits >= 0) || (ok && bits != networks[i].bits)) fail_msg("network %s: %d %d", networks[i].text, ok, bits);
    }
}

/* evaluation at its bounds --------------------------------------------------------------------------------------------------- */

/* A pattern whose every match needs more steps than there may be. */
static void heavy_pattern(struct buf *b, const char *effect, const char *element) {
    buf_reset(b);
    buf_printf(b, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"%s\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"%s\":[\"arn:aws:s3:::one/*",
               effect, element);
    for (int i = 0; i < 400; i++) buf_put_u8(b, 'a');
    buf_put_str(b, "b*\",\"arn:aws:s3:::one/${s3:ExistingObjectTag/t}\"]}}");
    buf_put_u8(b, 0);
}

static void past_its_steps_a_match_is_none_of_an_allow_and_one_of_a_deny(void **unused) {
    (void)unused;
    struct policy_state s;
    struct buf doc = BUF_INIT(4096);
    char key[S3_KEY_BYTES_MAX + 1];
    memset(key, 'a', S3_KEY_BYTES_MAX);
    key[S3_KEY_BYTES_MAX] = 0;
    assert_int_equal(policy_init(&s), ERR_OK);
    assert_int_equal(apply(&s, GENESIS), ERR_OK);
    assert_int_equal(apply(&s, KEY(KEY1, ACCOUNT1, 1)), ERR_OK);
    assert_int_equal(apply(&s, BUCKET("one", 1, 1, WHO1)), ERR_OK);
    struct policy_request r = {.auth = POLICY_AUTH_HDR, .who = {slice_str(ACCOUNT1), slice_str("root"), slice_str(KEY1), {0}},
                               .act = POLICY_ACT_GetObject, .bucket = slice_str("one"), .key = slice_str(key), .object_known = true};
    struct policy_request anon = {.auth = POLICY_AUTH_ANON, .act = POLICY_ACT_GetObject, .bucket = slice_str("one"), .key = slice_str(key)};
    static const char *const effects[] = {"Allow", "Deny"};
    static const enum policy_reason roots[] = {POLICY_ALLOWED, POLICY_EXPLICIT_DENY}, everyones[] = {POLICY_ANONYMOUS, POLICY_EXPLICIT_DENY};
    for (int i = 0; i < 4; i++) {
        heavy_pattern(&doc, effects[i % 2], i < 2 ? "Resource" : "NotResource");
        assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, (const char *)doc.p)), ERR_OK);
        assert_int_equal(policy_decide(&s, &r).reason, roots[i % 2]);
        assert_int_equal(policy_decide(&s, &anon).reason, everyones[i % 2]);
        anon.key = slice_of(key, 40); /* few steps: it does not match, and is known not to; the tag's may */
        assert_int_equal(policy_decide(&s, &anon).reason, i == 1 || i == 3 ? POLICY_ANONYMOUS : POLICY_NEEDS_OBJECT);
        anon.key = slice_str(key);
    }
    policy_done(&s);
    buf_done(&doc);
}

static void a_variable_too_long_is_unsure(void **unused) {
    (void)unused;
    struct policy_state s;
    struct buf doc = BUF_INIT(S3_POLICY_BYTES_MAX), ctx = BUF_INIT(POLICY_CTX_BYTES_MAX);
    char prefix[901];
    assert_int_equal(policy_init(&s), ERR_OK);
    assert_int_equal(apply(&s, GENESIS), ERR_OK);
    assert_int_equal(apply(&s, KEY(KEY1, ACCOUNT1, 1)), ERR_OK);
    assert_int_equal(apply(&s, BUCKET("one", 1, 1, WHO1)), ERR_OK);
    memset(prefix, 'p', 900);
    prefix[900] = 0;
    buf_put_str(&doc, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::one\","
                      "\"Condition\":{\"StringEquals\":{\"s3:prefix\":\"");
    for (int i = 0; i < 10; i++) buf_put_str(&doc, "${s3:prefix}");
    buf_put_str(&doc, "\"}}}}");
    buf_put_u8(&doc, 0);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, (const char *)doc.p)), ERR_OK);
    struct policy_request r = {.auth = POLICY_AUTH_HDR, .who = {slice_str(ACCOUNT1), slice_str("root"), slice_str(KEY1), {0}},
                               .act = POLICY_ACT_ListObjectsV2, .bucket = slice_str("one")};
    for (int longer = 0; longer < 2; longer++) {
        buf_reset(&ctx);
        record_ctx_put(&ctx, SLICE_LIT("?prefix"), slice_of(prefix, longer ? 900 : 100));
        r.ctx = buf_slice(&ctx);
        assert_int_equal(policy_decide(&s, &r).reason, longer ? POLICY_EXPLICIT_DENY : POLICY_ALLOWED);
    }
    /* A value that is no text could hold what stands for a wildcard. */
    buf_reset(&ctx);
    record_ctx_put(&ctx, SLICE_LIT("?prefix"), SLICE_LIT("a\xff"));
    r.ctx = buf_slice(&ctx);
    assert_int_equal(policy_decide(&s, &r).reason, POLICY_EXPLICIT_DENY);
    policy_done(&s);
    buf_done(&doc);
    buf_done(&ctx);
}

static void names_of_ctx_are_seen_in_their_order_only(void **unused) {
    (void)unused;
    struct policy_eval e = {0};
    struct policy_request r = {0};
    struct buf ctx = BUF_INIT(POLICY_CTX_BYTES_MAX);
    record_ctx_put(&ctx, SLICE_LIT("referer"), SLICE_LIT("r"));
    record_ctx_put(&ctx, SLICE_LIT("nonsense"), SLICE_LIT("x"));
    record_ctx_put(&ctx, SLICE_LIT("if-match"), SLICE_LIT("late"));
    record_ctx_put(&ctx, SLICE_LIT("x-amz-acl"), SLICE_LIT(""));
    r.ctx = buf_slice(&ctx);
    e.r = &r;
    assert_true(slice_is(policy_ctx_value(&e, POLICY_CTX_REFERER), "r"));
    assert_null(policy_ctx_value(&e, POLICY_CTX_IF_MATCH).p);
    assert_non_null(policy_ctx_value(&e, POLICY_CTX_ACL).p);
    const char *name;
    size_t n = 0;
    while (policy_ctx_wanted(n, &name)) assert_non_null(name), n++;
    assert_null(name);
    assert_int_equal(n, POLICY_CTX__COUNT);
    buf_done(&ctx);
}

/* cost ------------------------------------------------------------------------------------------------------------------------ */

static void what_a_hundred_statements_cost(void **unused) {
    (void)unused;
    struct policy_state s;
    struct buf doc = BUF_INIT(S3_POLICY_BYTES_MAX);
    assert_int_equal(policy_init(&s), ERR_OK);
    assert_int_equal(apply(&s, GENESIS), ERR_OK);
    assert_int_equal(apply(&s, KEY(KEY1, ACCOUNT1, 1)), ERR_OK);
    assert_int_equal(apply(&s, BUCKET("one", 1, 1, WHO1)), ERR_OK);
    buf_put_str(&doc, "{\"Version\":\"2012-10-17\",\"Statement\":[");
    for (unsigned i = 0; i < STATEMENTS; i++) {
        buf_printf(&doc, "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"%012u\"},\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::one/team%u/*\"},", 999000000u + i, i);
    }
    doc.n--;
    buf_put_str(&doc, "]}");
    buf_put_u8(&doc, 0);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, (const char *)doc.p)), ERR_OK);
    struct policy_request r = {.auth = POLICY_AUTH_HDR, .who = {slice_str(ACCOUNT1), slice_str("root"), slice_str(KEY1), {0}},
                               .act = POLICY_ACT_GetObject, .bucket = slice_str("one"), .key = slice_str("team7/a/rather/usual/key.parquet")};
    struct policy_request anon = r;
    anon.auth = POLICY_AUTH_ANON;
    uint64_t from = clock_mono_us();
    for (unsigned i = 0; i < ROUNDS; i++) assert_true(policy_decide(&s, &r).allow);
    uint64_t other_principals = clock_mono_us() - from;
    buf_reset(&doc);
    buf_put_str(&doc, "{\"Version\":\"2012-10-17\",\"Statement\":[");
    for (unsigned i = 0; i < STATEMENTS; i++)
        buf_printf(&doc, "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::one/team%u/*\"},", i + 100);
    doc.n--;
    buf_put_str(&doc, "]}");
    buf_put_u8(&doc, 0);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, (const char *)doc.p)), ERR_OK);
    from = clock_mono_us();
    for (unsigned i = 0; i < ROUNDS; i++) assert_false(policy_decide(&s, &anon).allow);
    uint64_t other_resources = clock_mono_us() - from;
    print_message("a decision over %d statements: %.2f us (other principals), %.2f us (other resources)\n", STATEMENTS,
                  (double)other_principals / ROUNDS, (double)other_resources / ROUNDS);
    policy_done(&s);
    buf_done(&doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_that_is_none_is_no_policy),
        cmocka_unit_test(json_of_every_kind_is_read),
        cmocka_unit_test(documents_have_bounds),
        cmocka_unit_test(json_has_a_depth),
        cmocka_unit_test(as_many_statements_as_may_be),
        cmocka_unit_test(blanks_outside_strings_have_no_weight),
        cmocka_unit_test(numbers_dates_and_addresses_are_read_exactly),
        cmocka_unit_test(past_its_steps_a_match_is_none_of_an_allow_and_one_of_a_deny),
        cmocka_unit_test(a_variable_too_long_is_unsure),
        cmocka_unit_test(names_of_ctx_are_seen_in_their_order_only),
        cmocka_unit_test(what_a_hundred_statements_cost),
    };
    return cmocka_run_group_tests_name("policy_doc", tests, set_up, tear_down);
}
