/* SPDX-License-Identifier: Apache-2.0
 * The canonical request, written by the front and read by the gate: one form only, and no header read two ways.
 */
#include "s3/s3_test.h"

static struct s3_request r;
static struct buf mem = BUF_INIT(1 << 17);

static enum err parse(struct slice canon)
{
    buf_reset(&mem);
    return s3_canon_parse(canon, &mem, &r);
}

#define TAIL "\nhost;x-amz-date\nUNSIGNED-PAYLOAD"
#define HEAD "host:h\nx-amz-date:20130524T000000Z\n"

static void a_canonical_request_is_read_as_it_was_signed(void **state)
{
    (void)state;
    check_err(parse(SLICE_LIT("GET\n/b/a%20b//%2B\nlist-type=2&prefix=a%2Fb\n" HEAD TAIL)), ERR_OK);
    check_text(r.method, "GET");
    check_text(r.path, "/b/a b//+");
    assert_int_equal(r.param_count, 2);
    check_text(r.params[1].value, "a/b");
    assert_int_equal(r.header_count, 2);
    check_text(r.headers[0].value, "h");
    check_text(r.signed_headers, "host;x-amz-date");
    assert_int_equal(r.payload, S3_PAYLOAD_UNSIGNED);
    /* anonymous: nothing signed */
    check_err(parse(SLICE_LIT("GET\n/b/k\n\n\n\nUNSIGNED-PAYLOAD")), ERR_OK);
    assert_int_equal(r.header_count, 0);
}

static void whatever_is_not_canonical_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "GET\n/b/a b\n\n" HEAD TAIL,                              /* blank not encoded */
        "GET\n/b/%61\n\n" HEAD TAIL,                              /* encoded without need */
        "GET\n/b/%2b\n\n" HEAD TAIL,                              /* lower-case hex */
        "GET\n/b/%ZZ\n\n" HEAD TAIL,
        "GET\n/b/%FF\n\n" HEAD TAIL,
        "GET\n/b/%00\n\n" HEAD TAIL,
        "GET\nb\n\n" HEAD TAIL,
        "get\n/b\n\n" HEAD TAIL,
        "TRACE\n/b\n\n" HEAD TAIL,
        "GET\n/b\nb=1&a=2\n" HEAD TAIL,                           /* not sorted */
        "GET\n/b\na\n" HEAD TAIL,                                 /* no '=' */
        "GET\n/b\na=1&\n" HEAD TAIL,
        "GET\n/b\na=b/c\n" HEAD TAIL,                             /* slash in a query value */
        "GET\n/b\na=b+c\n" HEAD TAIL,
        "GET\n/b\n\nhost: h\nx-amz-date:20130524T000000Z\n" TAIL, /* not trimmed */
        "GET\n/b\n\nhost:h  h\nx-amz-date:20130524T000000Z\n" TAIL,
        "GET\n/b\n\nHost:h\nx-amz-date:20130524T000000Z\n" TAIL,
        "GET\n/b\n\nx-amz-date:20130524T000000Z\nhost:h\n" TAIL,  /* order */
        "GET\n/b\n\nhost:h\n" TAIL,                               /* signed but not there */
        "GET\n/b\n\n" HEAD "y:1\n" TAIL,                          /* there but not signed */
        "GET\n/b\n\n" HEAD "\nx-amz-date;host\nUNSIGNED-PAYLOAD",
        "GET\n/b\n\nhost:h\nhost:h\n\nhost;host\nUNSIGNED-PAYLOAD",
        "GET\n/b\n\nhost:h\n\n\nUNSIGNED-PAYLOAD",                /* a header, and an empty list */
        "GET\n/b\n\n" HEAD TAIL "\n",
        "GET\n/b\n\n" HEAD "\nhost;x-amz-date\nwhatever",
        "GET\n/b\n\nhost:h\r\nx-amz-date:20130524T000000Z\n" TAIL,
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        print_message("%s\n--\n", bad[i]);
        enum err e = parse(slice_str(bad[i]));
        assert_true(e == ERR_INPUT || e == ERR_TRUNCATED);
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    static const char whole[] = "GET\n/b/a%20b\nlist-type=2&prefix=a%2Fb\n" HEAD "\nhost;x-amz-date\n" EMPTY_SHA256;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        char *cut = malloc(n + 1);
        memcpy(cut, whole, n);
        assert_int_not_equal(parse(slice_of(cut, n)), ERR_OK);
        free(cut);
    }
    check_err(parse(slice_of(whole, sizeof whole - 1)), ERR_OK);
}

static void bounds_hold(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1 << 17);
    for (int over = 0; over < 2; over++) {                        /* parameters */
        buf_reset(&b);
        buf_put_str(&b, "GET\n/b\n");
        for (int i = 0; i < S3_QUERY_PARAMS_MAX + over; i++) buf_put_str(&b, i ? "&a=" : "a=");
        buf_put_str(&b, "\n" HEAD TAIL);
        check_err(parse(buf_slice(&b)), over ? ERR_LIMIT : ERR_OK);
    }
    for (int over = 0; over < 2; over++) {                        /* headers */
        buf_reset(&b);
        buf_put_str(&b, "GET\n/b\n\n");
        for (int i = 0; i < S3_HEADERS_MAX + over; i++) buf_printf(&b, "h%03d:v\n", i);
        buf_put_u8(&b, '\n');
        for (int i = 0; i < S3_HEADERS_MAX + over; i++) buf_printf(&b, "%sh%03d", i ? ";" : "", i);
        buf_put_str(&b, "\nUNSIGNED-PAYLOAD");
        check_err(parse(buf_slice(&b)), over ? ERR_LIMIT : ERR_OK);
    }
    for (int over = 0; over < 2; over++) {                        /* bytes */
        static const char start[] = "GET\n/b/", end[] = "\n\n" HEAD TAIL;
        buf_reset(&b);
        buf_put_str(&b, start);
        while (b.n < S3_CANONICAL_BYTES_MAX - (sizeof end - 1) + (size_t)over) buf_put_u8(&b, 'k');
        buf_put_str(&b, end);
        check_err(parse(buf_slice(&b)), over ? ERR_LIMIT : ERR_OK);
    }
    buf_done(&b);
}

static enum s3_error build(const char *headers, const char *signed_headers, struct buf *out)
{
    struct s3_header h[S3_HEADERS_MAX];
    static struct s3_target t;
    buf_reset(out);
    buf_reset(&mem);
    check_s3(s3_target_parse(SLICE_LIT("/b/k"), &mem, &t), S3E_NONE);
    return s3_canon_build(out, SLICE_LIT("PUT"), &t, h, headers_of(slice_str(headers), h, S3_HEADERS_MAX), slice_str(signed_headers),
                          SLICE_LIT("UNSIGNED-PAYLOAD"), false, NULL);
}

static void headers_that_may_stand_once_are_refused_twice(void **state)
{
    (void)state;
    static const char *const singles[] = {"Host", "x-amz-content-sha256", "Content-Type", "Range", "Content-Length", "X-Amz-Copy-Source",
                                          "If-Match", "Authorization"};
    struct buf out = BUF_INIT(8192);
    char text[256];
    for (size_t i = 0; i < ARRAY_LEN(singles); i++) {
        snprintf(text, sizeof text, "A: 1\n%s: x\n%s: x\n", singles[i], singles[i]);
        check_s3(build(text, "a", &out), S3E_InvalidRequest);
    }
    check_s3(build("A: 1\nX-Amz-Date: 1\nx-amz-date: 2\n", "a", &out), S3E_SignatureDoesNotMatch);      /* A30 */
    check_s3(build("x-amz-meta-a: 1\nX-Amz-Meta-A:  2  3 \n", "x-amz-meta-a", &out), S3E_NONE);
    check_text(buf_slice(&out), "PUT\n/b/k\n\nx-amz-meta-a:1,2 3\n\nx-amz-meta-a\nUNSIGNED-PAYLOAD");
    check_s3(build("A: 1\n", "b", &out), S3E_SignatureDoesNotMatch);
    check_s3(build("A: 1\n", "b;a", &out), S3E_AuthorizationHeaderMalformed);
    check_s3(build("A: 1\x01\n", "a", &out), S3E_InvalidRequest);
    check_s3(build("A: 1\rx-amz-date:2\n", "a", &out), S3E_InvalidRequest);
    buf_done(&out);
}

static void headers_outside_the_signature_have_a_closed_list(void **state)
{
    (void)state;
    assert_int_equal(s3_unsigned_class(SLICE_LIT("Range")), S3_UNSIGNED_NARROWING);
    assert_int_equal(s3_unsigned_class(SLICE_LIT("IF-NONE-MATCH")), S3_UNSIGNED_NARROWING);
    assert_int_equal(s3_unsigned_class(SLICE_LIT("Origin")), S3_UNSIGNED_NARROWING);
    assert_int_equal(s3_unsigned_class(SLICE_LIT("Access-Control-Request-Method")), S3_UNSIGNED_NARROWING);
    assert_int_equal(s3_unsigned_class(SLICE_LIT("Access-Control-Request-Headers")), S3_UNSIGNED_NARROWING);
    assert_int_equal(s3_unsigned_class(SLICE_LIT("content-type")), S3_UNSIGNED_STORED);
    assert_int_equal(s3_unsigned_class(SLICE_LIT("Expires")), S3_UNSIGNED_STORED);
    assert_int_equal(s3_unsigned_class(SLICE_LIT("User-Agent")), S3_UNSIGNED_IGNORED);
    assert_int_equal(s3_unsigned_class(SLICE_LIT("x-amzn-trace-id")), S3_UNSIGNED_IGNORED);
    assert_int_equal(s3_unsigned_class(SLICE_LIT("X-AMZ-Meta-a")), S3_UNSIGNED_REFUSED);
    assert_int_equal(s3_unsigned_class(SLICE_LIT("x-amz-date")), S3_UNSIGNED_REFUSED);
    assert_true(s3_is_signed(SLICE_LIT("host;x-amz-date"), SLICE_LIT("X-Amz-Date")));
    assert_false(s3_is_signed(SLICE_LIT("host;x-amz-date"), SLICE_LIT("x-amz")));
    assert_false(s3_is_signed(SLICE_LIT(""), SLICE_LIT("")));
}

static void queries_sort_by_their_encoded_form(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(8192);
    static struct s3_target t;
    buf_reset(&mem);
    check_s3(s3_target_parse(SLICE_LIT("/?b=1&B=1&a~=1&a=2&a=1&a%2F=1&a-=1&%E1%88%B4=1&X-Amz-Signature=x&uploads"), &mem, &t), S3E_NONE);
    check_s3(s3_canon_build(&out, SLICE_LIT("GET"), &t, NULL, 0, SLICE_LIT(""), SLICE_LIT("UNSIGNED-PAYLOAD"), true, NULL), S3E_NONE);
    check_text(buf_slice(&out), "GET\n/\n%E1%88%B4=1&B=1&a=1&a=2&a%2F=1&a-=1&a~=1&b=1&uploads=\n\n\nUNSIGNED-PAYLOAD");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_canonical_request_is_read_as_it_was_signed),
        cmocka_unit_test(whatever_is_not_canonical_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(headers_that_may_stand_once_are_refused_twice),
        cmocka_unit_test(headers_outside_the_signature_have_a_closed_list),
        cmocka_unit_test(queries_sort_by_their_encoded_form),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_done(&mem);
    return failed;
}
