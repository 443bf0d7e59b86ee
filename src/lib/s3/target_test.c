/* SPDX-License-Identifier: Apache-2.0
 * Targets, bucket and key, bucket names: what is opaque stays, what is ambiguous is refused.
 */
#include "s3/s3_test.h"

static struct s3_target t;
static struct buf mem = BUF_INIT(1 << 16);

static enum s3_error parse(const char *raw)
{
    buf_reset(&mem);
    return s3_target_parse(slice_str(raw), &mem, &t);
}

static void paths_are_decoded_once_and_never_normalised(void **state)
{
    (void)state;
    check_s3(parse("/b/a//b/../c%20%C3%BC%2B%25/./"), S3E_NONE);
    check_text(t.path, "/b/a//b/../c \xC3\xBC+%/./");
    check_s3(parse("/b/%252e+x"), S3E_NONE);
    check_text(t.path, "/b/%2e+x");
    check_s3(parse("/b/%2F"), S3E_NONE);
    check_text(t.path, "/b//");
}

static void parameters_keep_their_order_and_a_plus_is_a_blank(void **state)
{
    (void)state;
    check_s3(parse("/b?z=1&a=%3D+%26&uploads&&x=&=v"), S3E_NONE);
    assert_int_equal(t.param_count, 5);
    check_text(t.params[0].name, "z");
    check_text(t.params[1].value, "= &");
    check_text(t.params[2].name, "uploads");
    check_text(t.params[2].value, "");
    check_text(t.params[3].value, "");
    check_text(t.params[4].name, "");
    assert_null(s3_param_find(t.params, t.param_count, "Z"));
    check_s3(parse("/?"), S3E_NONE);
    assert_int_equal(t.param_count, 0);
}

static void broken_targets_are_invalid_uris(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "b", "*", "?x", "/b/%ZZ", "/b/%", "/b/%4", "/b/%00", "/b?x=%00", "/b/%FF", "/b/%C0%80", "/b/%ED%A0%80",
                                      "/b?%zz", "/b?a=%C3", "/b\x01", "/b\x7f", "http://", "http:///x", "ftp://h/x", "%2Fb"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        print_message("%s\n", bad[i]);
        check_s3(parse(bad[i]), S3E_InvalidURI);
    }
}

static void absolute_form_gives_its_authority(void **state)
{
    (void)state;
    check_s3(parse("http://evil:80/b/k?x=1"), S3E_NONE);
    check_text(t.authority, "evil:80");
    check_text(t.path, "/b/k");
    check_s3(parse("https://h?x=1"), S3E_NONE);
    check_text(t.path, "/");
    assert_int_equal(t.param_count, 1);
}

static void bounds_of_a_target_hold(void **state)
{
    (void)state;
    struct buf raw = BUF_INIT(1 << 16);
    buf_put_str(&raw, "/b?");
    for (int i = 0; i < S3_QUERY_PARAMS_MAX; i++) buf_put_str(&raw, i ? "&a" : "a");
    check_s3(s3_target_parse(buf_slice(&raw), &mem, &t), S3E_NONE);
    buf_put_str(&raw, "&a");
    check_s3(s3_target_parse(buf_slice(&raw), &mem, &t), S3E_InvalidRequest);
    buf_reset(&raw);
    buf_put_u8(&raw, '/');
    while (raw.n < S3_TARGET_BYTES_MAX) buf_put_u8(&raw, 'a');
    buf_reset(&mem);
    check_s3(s3_target_parse(buf_slice(&raw), &mem, &t), S3E_NONE);
    buf_put_u8(&raw, 'a');
    check_s3(s3_target_parse(buf_slice(&raw), &mem, &t), S3E_InvalidURI);
    buf_done(&raw);
}

static void every_truncation_is_answered(void **state)
{
    (void)state;
    static const char whole[] = "http://h.example/b/k%C3%BC%2F?list-type=2&prefix=%E1%88%B4&x=+";
    for (size_t n = 0; n < sizeof whole; n++) {
        char *cut = malloc(n + 1);                                /* exact size: a read past it is seen */
        memcpy(cut, whole, n);
        buf_reset(&mem);
        enum s3_error e = s3_target_parse(slice_of(cut, n), &mem, &t);
        assert_true(e == S3E_NONE || e == S3E_InvalidURI);
        free(cut);
    }
}

static void check_split(const char *path, const char *host, enum s3_error want, const char *bucket, const char *key)
{
    struct slice domains[] = {SLICE_LIT("s3.example"), SLICE_LIT("s3.eu.example")};
    struct s3_name n;
    print_message("%s %s\n", path, host);
    check_s3(s3_split(slice_str(path), slice_str(host), domains, 2, &n), want);
    if (want != S3E_NONE) return;
    check_text(n.bucket, bucket);
    check_text(n.key, key);
}

static void bucket_and_key_are_told_apart(void **state)
{
    (void)state;
    check_split("/", "s3.example", S3E_NONE, "", "");
    check_split("/b", "127.0.0.1:9000", S3E_NONE, "b", "");
    check_split("/b/", "127.0.0.1", S3E_NONE, "b", "");
    check_split("/b//", "h", S3E_NONE, "b", "/");
    check_split("/b/../../etc/passwd", "h", S3E_NONE, "b", "../../etc/passwd");
    check_split("/b/.", "h", S3E_NONE, "b", ".");
    check_split("/k/l", "B.s3.example:9000", S3E_NONE, "B", "k/l");
    check_split("/", "b.S3.Example", S3E_NONE, "b", "");
    check_split("//", "b.s3.example", S3E_NONE, "b", "/");
    check_split("/x", "a.b.s3.eu.example", S3E_NONE, "a.b", "x");
    check_split("/b/k", "S3.EXAMPLE", S3E_NONE, "b", "k");
    check_split("/b/k", ".s3.example", S3E_NONE, "b", "k");
    check_split("/b/k", "xs3.example", S3E_NONE, "b", "k");
    check_split("/x", "bucket..s3.example", S3E_NONE, "bucket.", "x");
    check_split("//", "h", S3E_InvalidBucketName, "", "");
    check_split("//k", "h", S3E_InvalidBucketName, "", "");
}

static void a_key_of_1024_bytes_is_taken_and_1025_are_too_long(void **state)
{
    (void)state;
    char path[3 + S3_KEY_BYTES_MAX + 2] = "/b/";
    struct s3_name n;
    memset(path + 3, 'k', S3_KEY_BYTES_MAX + 1);
    check_s3(s3_split(slice_of(path, 3 + S3_KEY_BYTES_MAX), SLICE_LIT("h"), NULL, 0, &n), S3E_NONE);
    check_s3(s3_split(slice_of(path, 3 + S3_KEY_BYTES_MAX + 1), SLICE_LIT("h"), NULL, 0, &n), S3E_KeyTooLongError);
}

static void bucket_names_follow_the_rules(void **state)
{
    (void)state;
    static const char *const good[] = {"abc", "a-b", "a.b.c", "1ab", "192.168.5", "foo--bar", "a23456789012345678901234567890123456789012345678901234567890123"};
    static const char *const bad[] = {"Foo", "a", "ab", "192.168.5.123", "foo_bar", "foo-", "foo..bar", "foo.-bar", "foo-.bar", "_foo", "-foo", ".foo",
                                      "foo.", "xn--foo", "sthree-x", "foo-s3alias", "foo--ol-s3", "foo--x-s3", "amzn-s3-demo-x", "foo bar", "f\xC3\xBCr", "",
                                      "a234567890123456789012345678901234567890123456789012345678901234"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) check_s3(s3_bucket_name_check(slice_str(good[i])), S3E_NONE);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        print_message("%s\n", bad[i]);
        check_s3(s3_bucket_name_check(slice_str(bad[i])), S3E_InvalidBucketName);
    }
}

static void trimall_and_percent_encoding_do_what_sigv4_says(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } trims[] = {{"  a  b\t c ", "a b c"}, {"", ""}, {"   ", ""}, {"a", "a"}, {"a b", "a b"}, {"\ta\tb", "a b"}, {"a  ", "a"}, {"\"a   b\"", "\"a b\""}};
    struct buf b = BUF_INIT(256);
    for (size_t i = 0; i < ARRAY_LEN(trims); i++) {
        buf_reset(&b);
        s3_put_trimall(&b, slice_str(trims[i].in));
        check_text(buf_slice(&b), trims[i].out);
    }
    buf_reset(&b);
    s3_put_uri(&b, SLICE_LIT("a/b~_-.9 \xC3\xBC*"), true);
    check_text(buf_slice(&b), "a/b~_-.9%20%C3%BC%2A");
    buf_reset(&b);
    s3_put_uri(&b, SLICE_LIT("/="), false);
    check_text(buf_slice(&b), "%2F%3D");
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_decoded_once_and_never_normalised),
        cmocka_unit_test(parameters_keep_their_order_and_a_plus_is_a_blank),
        cmocka_unit_test(broken_targets_are_invalid_uris),
        cmocka_unit_test(absolute_form_gives_its_authority),
        cmocka_unit_test(bounds_of_a_target_hold),
        cmocka_unit_test(every_truncation_is_answered),
        cmocka_unit_test(bucket_and_key_are_told_apart),
        cmocka_unit_test(a_key_of_1024_bytes_is_taken_and_1025_are_too_long),
        cmocka_unit_test(bucket_names_follow_the_rules),
        cmocka_unit_test(trimall_and_percent_encoding_do_what_sigv4_says),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_done(&mem);
    return failed;
}
