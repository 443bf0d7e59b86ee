/* SPDX-License-Identifier: Apache-2.0
 * Requests no client should send, by the names the list of bad input gives them, as far as this room decides and no other test of it names
 * them: targets, keys, bucket names, sub-resources, header sections, trailers.
 */
#include "s3/s3_test.h"

static struct s3_target t;
static struct buf mem = BUF_INIT(1 << 17);

static enum s3_error target(const char *raw)
{
    buf_reset(&mem);
    return s3_target_parse(slice_str(raw), &mem, &t);
}

static void bucket_names_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *id, *name;
    } rows[] = {
        {"K01", "Foo"}, {"K02", "a"}, {"K02", "ab"}, {"K02", "a123456789012345678901234567890123456789012345678901234567890123"}, {"K03", "192.168.5.123"},
        {"K04", "foo_bar"}, {"K04", "foo-"}, {"K04", "foo..bar"}, {"K04", "foo.-bar"}, {"K04", "foo-.bar"}, {"K04", "_foo"},
        {"K05", "xn--foo"}, {"K05", "sthree-x"}, {"K05", "foo-s3alias"}, {"K05", "foo--ol-s3"}, {"K05", "foo--x-s3"}, {"K05", "amzn-s3-demo-x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("%s %s\n", rows[i].id, rows[i].name);
        check_s3(s3_bucket_name_check(slice_str(rows[i].name)), S3E_InvalidBucketName);
    }
}

static void keys_are_opaque_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *id, *target, *key;
        enum s3_error want;
    } rows[] = {
        {"K07", "/b/%FF", NULL, S3E_InvalidURI},
        {"K08", "/b/%ZZ", NULL, S3E_InvalidURI},
        {"K09", "/b/../../etc/passwd", "../../etc/passwd", S3E_NONE},
        {"K10", "/b/.", ".", S3E_NONE},
        {"K10", "/b/..", "..", S3E_NONE},
        {"K10", "/b/a//b", "a//b", S3E_NONE},
        {"K11", "/b/a%00", NULL, S3E_InvalidURI},
        {"K12", "/b/a%01", "a\x01", S3E_NONE},
        {"K13", "/b/%C3%BC", "\xC3\xBC", S3E_NONE},
        {"K13", "/b/u%CC%88", "u\xCC\x88", S3E_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_name name;
        print_message("%s %s\n", rows[i].id, rows[i].target);
        check_s3(target(rows[i].target), rows[i].want);
        if (!rows[i].key) continue;
        check_s3(s3_split(t.path, SLICE_LIT("h"), NULL, 0, &name), S3E_NONE);
        check_text(name.key, rows[i].key);
    }
    struct buf out = BUF_INIT(100);                               /* K12, listed without encoding-type=url */
    s3_put_xml(&out, SLICE_LIT("a\x01"));
    check_text(buf_slice(&out), "a&#x1;");
    buf_done(&out);
}

static void requests_that_name_two_things_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *id, *method, *target;
        enum s3_error want;
    } rows[] = {
        {"B24", "GET", "/b/k?uploads", S3E_InvalidRequest},
        {"B24", "GET", "/b/k?versions", S3E_InvalidRequest},
        {"B25", "GET", "/b/k?foobar", S3E_NONE},
        {"M07", "PUT", "/b/k?partNumber=1", S3E_InvalidArgument},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_name name;
        enum s3_op op;
        print_message("%s %s\n", rows[i].id, rows[i].target);
        check_s3(target(rows[i].target), S3E_NONE);
        check_s3(s3_split(t.path, SLICE_LIT("h"), NULL, 0, &name), S3E_NONE);
        check_s3(s3_op_resolve(slice_str(rows[i].method), &name, t.params, t.param_count, NULL, 0, &op, NULL), rows[i].want);
    }
}

static void an_unknown_host_names_no_bucket(void **state)
{
    (void)state;                                                  /* H09: what follows in the path is looked for, and is not there */
    struct slice domains[] = {SLICE_LIT("s3.example")};
    struct s3_name name;
    check_s3(s3_split(SLICE_LIT("/x"), SLICE_LIT("bucket.elsewhere"), domains, 1, &name), S3E_NONE);
    check_text(name.bucket, "x");
    assert_false(name.virtual_host);
    enum s3_error e = s3_split(SLICE_LIT("/x"), SLICE_LIT("bucket..s3.example"), domains, 1, &name);
    assert_true(e == S3E_InvalidBucketName || s3_bucket_name_check(name.bucket) == S3E_InvalidBucketName);
}

static void a_header_section_past_its_bound_is_refused(void **state)
{
    (void)state;                                                  /* H06: the canonical request it would make */
    static char value[S3_CANONICAL_BYTES_MAX];
    memset(value, 'v', sizeof value);
    struct s3_header h[] = {{SLICE_LIT("Host"), SLICE_LIT("h")}, {SLICE_LIT("X-Amz-Meta-A"), {(const uint8_t *)value, sizeof value}}};
    AUTO(buf) struct buf out = BUF_INIT(S3_CANONICAL_BYTES_MAX);
    check_s3(target("/b/k"), S3E_NONE);
    check_s3(s3_canon_build(&out, SLICE_LIT("GET"), &t, h, 2, SLICE_LIT("host;x-amz-meta-a"), SLICE_LIT("UNSIGNED-PAYLOAD"), false, NULL),
             S3E_RequestHeaderSectionTooLarge);
}

static void a_trailer_that_is_another_sum_is_told(void **state)
{
    (void)state;                                                  /* C06 */
    struct s3_header h[4];
    struct s3_body b;
    struct s3_chunked c;
    struct slice in = SLICE_LIT("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), data;
    uint8_t sum[S3_SUM_BYTES_MAX] = {0};
    size_t n = headers_of(SLICE_LIT("x-amz-decoded-content-length: 5\nx-amz-trailer: x-amz-checksum-crc32\n"), h, 4);
    check_s3(s3_body_read(h, n, S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, &b, NULL), S3E_NONE);
    check_s3(s3_body_need_digest(&b, NULL), S3E_NONE);            /* a control body may come like this too */
    s3_chunked_init(&c, &b);
    while (in.n) check_s3(s3_chunked_feed(&c, &in, &data), S3E_NONE);
    check_s3(s3_chunked_end(&c), S3E_NONE);
    assert_true(c.trailer_seen);
    memcpy(b.sum_value, c.trailer_value, sizeof b.sum_value);
    b.sum_given = true;
    put_be32(sum, s3_crc32(0, "hello", 5));
    check_s3(s3_body_compare(&b, NULL, sum, NULL, SLICE_LIT("")), S3E_NONE);
    put_be32(sum, s3_crc32(0, "hellO", 5));
    check_s3(s3_body_compare(&b, NULL, sum, NULL, SLICE_LIT("")), S3E_BadDigest);
    s3_chunked_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket_names_are_judged),
        cmocka_unit_test(keys_are_opaque_or_refused),
        cmocka_unit_test(requests_that_name_two_things_are_refused),
        cmocka_unit_test(an_unknown_host_names_no_bucket),
        cmocka_unit_test(a_header_section_past_its_bound_is_refused),
        cmocka_unit_test(a_trailer_that_is_another_sum_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
