/* SPDX-License-Identifier: Apache-2.0
 * CORS rules: which a bucket may have, their canonical form, and which of them an origin fits.
 */
#include "s3/s3_test.h"

#include "s3/s3_config.h"

static enum s3_error put(const char *rules, size_t step, struct buf *out)
{
    struct buf doc = BUF_INIT(S3_CONTROL_BODY_BYTES_MAX);
    struct s3_fault f = {0};
    struct s3_xml *x = s3_xml_new(S3_XML_CORS);
    assert_non_null(x);
    buf_reset(out);
    buf_put_str(&doc, "<CORSConfiguration>");
    buf_put_str(&doc, rules);
    buf_put_str(&doc, "</CORSConfiguration>");
    for (size_t at = 0; at < doc.n; at += step)
        if (s3_xml_feed(x, slice_of(doc.p + at, MIN(step, doc.n - at))) != S3E_NONE) break;
    enum s3_error e = s3_xml_cors_end(x, out, &f);
    check_s3(f.code, e);
    s3_xml_free(x);
    buf_done(&doc);
    return e;
}

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define O(s) "<AllowedOrigin>" s "</AllowedOrigin>"
#define M(s) "<AllowedMethod>" s "</AllowedMethod>"
#define H(s) "<AllowedHeader>" s "</AllowedHeader>"
#define R(s) "<CORSRule>" s "</CORSRule>"

static void rules_get_one_canonical_form(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(S3_CONFIG_DOC_BYTES_MAX);
    static const char rules[] = R("\n" M("GET") M("PUT") "<MaxAgeSeconds>3000</MaxAgeSeconds><ExposeHeader>ETag</ExposeHeader>" O("*.get") O("*.put") H(" * ") "<ID>x</ID>");
    for (size_t step = 1; step < sizeof rules; step++) {
        check_s3(put(rules, step, &out), S3E_NONE);
        check_text(buf_slice(&out), HEAD "<CORSRule><ID>x</ID>" O("*.get") O("*.put") M("GET") M("PUT") H("*")
                                         "<ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule></CORSConfiguration>");
    }
    struct s3_xml *x;
    struct buf again = BUF_INIT(S3_CONFIG_DOC_BYTES_MAX);
    for (size_t n = 0; n <= out.n; n++) {                         /* truncated at every byte; whole, it is a fixed point */
        x = s3_xml_new(S3_XML_CORS);
        buf_reset(&again);
        enum s3_error fed = s3_xml_feed(x, slice_of(out.p, n));
        enum s3_error e = s3_xml_cors_end(x, &again, NULL);
        assert_true(fed == S3E_NONE || e != S3E_NONE);
        check_s3(e, n == out.n ? S3E_NONE : S3E_MalformedXML);
        s3_xml_free(x);
    }
    check_bytes(buf_slice(&again), buf_slice(&out));
    buf_done(&out), buf_done(&again);
}

static void rules_that_browsers_cannot_use_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        enum s3_error want;
    } rows[] = {
        {"", S3E_MalformedXML},
        {R(""), S3E_MalformedXML},
        {R(O("*")), S3E_MalformedXML},
        {R(M("GET")), S3E_MalformedXML},
        {R(O("*") M("FOO")), S3E_InvalidRequest},                 /* X16 */
        {R(O("*") M("OPTIONS")), S3E_InvalidRequest},
        {R(O("*") M("get")), S3E_InvalidRequest},
        {R(O("*a*") M("GET")), S3E_InvalidRequest},
        {R(O("") M("GET")), S3E_InvalidRequest},
        {R(O("a\r\nSet-Cookie: x") M("GET")), S3E_InvalidRequest},
        {R(O("*") M("GET") H("x-*-*")), S3E_InvalidRequest},
        {R(O("*") M("GET") H("x-amz-*")), S3E_NONE},
        {R(O("*") M("GET") "<ExposeHeader>x-*</ExposeHeader>"), S3E_InvalidRequest},
        {R(O("*") M("GET") "<ExposeHeader>a,b</ExposeHeader>"), S3E_InvalidRequest},
        {R(O("*") M("GET") "<MaxAgeSeconds>x</MaxAgeSeconds>"), S3E_MalformedXML},
        {R(O("*") M("GET") "<MaxAgeSeconds>1</MaxAgeSeconds><MaxAgeSeconds>2</MaxAgeSeconds>"), S3E_MalformedXML},
        {R(O("*") M("GET") "<Foo/>"), S3E_MalformedXML},
    };
    struct buf out = BUF_INIT(S3_CONFIG_DOC_BYTES_MAX), many = BUF_INIT(1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("%s\n", rows[i].rules);
        check_s3(put(rows[i].rules, 9, &out), rows[i].want);
    }
    for (size_t over = 0; over < 2; over++) {
        buf_reset(&many);
        for (size_t i = 0; i < S3_CORS_RULES_MAX + over; i++) buf_put_str(&many, R(O("*") M("GET")));
        buf_put_u8(&many, 0);
        check_s3(put((const char *)many.p, 999, &out), over ? S3E_MalformedXML : S3E_NONE);
        buf_reset(&many);
        buf_put_str(&many, "<CORSRule>" M("GET"));
        for (size_t i = 0; i < S3_CORS_WORDS_MAX + over; i++) buf_put_str(&many, O("http://a"));
        buf_put_str(&many, "</CORSRule>");
        buf_put_u8(&many, 0);
        check_s3(put((const char *)many.p, 999, &out), over ? S3E_InvalidRequest : S3E_NONE);
    }
    buf_done(&out), buf_done(&many);
}

static void origins_fit_as_the_suite_asserts(void **state)
{
    (void)state;                                                  /* test_cors_origin_response */
    static const struct {
        const char *origin, *method, *allowed;
    } rows[] = {
        {"foo.suffix", "GET", "foo.suffix"}, {"foo.bar", "GET", NULL}, {"foo.suffix.get", "GET", NULL}, {"startend", "GET", "startend"},
        {"start1end", "GET", "start1end"}, {"start12end", "GET", "start12end"}, {"0start12end", "GET", NULL}, {"prefix", "GET", "prefix"},
        {"prefix.suffix", "GET", "prefix.suffix"}, {"bla.prefix", "GET", NULL}, {"foo.suffix", "PUT", NULL}, {"foo.suffix", "DELETE", NULL},
        {"foo.put", "PUT", "foo.put"}, {"foo.put", "GET", NULL}, {"staend", "GET", NULL}, {"FOO.SUFFIX", "GET", NULL}, {"", "GET", NULL}, {"a\rb.suffix", "GET", NULL},
    };
    struct buf out = BUF_INIT(S3_CONFIG_DOC_BYTES_MAX), mem = BUF_INIT(1 << 17);
    check_s3(put(R(O("*suffix") M("GET")) R(O("start*end") M("GET")) R(O("prefix*") M("GET")) R(O("*.put") M("PUT")), 999, &out), S3E_NONE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_cors_answer a;
        print_message("%s %s\n", rows[i].method, rows[i].origin);
        buf_reset(&mem);
        assert_int_equal(s3_cors_match(buf_slice(&out), slice_str(rows[i].origin), slice_str(rows[i].method), slice_of(NULL, 0), &mem, &a), rows[i].allowed != NULL);
        if (!rows[i].allowed) continue;
        check_text(a.origin, rows[i].allowed);
        check_text(a.methods, rows[i].method);
        assert_true(a.credentials);
        assert_false(a.has_max_age);
        assert_int_equal(a.headers.n + a.expose.n, 0);
    }
    buf_done(&out), buf_done(&mem);
}

static void the_first_rule_that_fits_answers(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(S3_CONFIG_DOC_BYTES_MAX), mem = BUF_INIT(1 << 17);
    struct s3_cors_answer a;
    check_s3(put(R(O("http://a") M("GET") H("x-amz-*") H("Content-Type") "<MaxAgeSeconds>60</MaxAgeSeconds>")
                 R(O("*") M("GET") M("PUT") "<ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-meta-h</ExposeHeader>"), 999, &out), S3E_NONE);
    assert_true(s3_cors_match(buf_slice(&out), SLICE_LIT("http://a"), SLICE_LIT("GET"), SLICE_LIT("X-Amz-Date, content-type,,X-AMZ-ACL"), &mem, &a));
    check_text(a.origin, "http://a");
    check_text(a.headers, "x-amz-date, content-type, x-amz-acl");
    assert_true(a.has_max_age);
    assert_int_equal(a.max_age_s, 60);
    buf_reset(&mem);
    assert_true(s3_cors_match(buf_slice(&out), SLICE_LIT("http://b"), SLICE_LIT("PUT"), slice_of(NULL, 0), &mem, &a));
    check_text(a.origin, "*");
    check_text(a.methods, "GET, PUT");
    check_text(a.expose, "ETag, x-amz-meta-h");
    assert_false(a.credentials);
    /* test_cors_header_option: a header that no rule names */
    assert_false(s3_cors_match(buf_slice(&out), SLICE_LIT("http://b"), SLICE_LIT("GET"), SLICE_LIT("x-amz-meta-header2"), &mem, &a));
    assert_false(s3_cors_match(buf_slice(&out), SLICE_LIT("http://a"), SLICE_LIT("GET"), SLICE_LIT("x-amz-date\r\nx: y"), &mem, &a));
    struct buf small = BUF_INIT(150);                             /* room is asked for by the rule, not by the document */
    assert_true(out.n > 400);
    assert_true(s3_cors_match(buf_slice(&out), SLICE_LIT("http://b"), SLICE_LIT("PUT"), slice_of(NULL, 0), &small, &a));
    check_text(a.expose, "ETag, x-amz-meta-h");
    buf_done(&small);
    small = BUF_INIT(10);                                         /* and without it nothing fits */
    assert_false(s3_cors_match(buf_slice(&out), SLICE_LIT("http://b"), SLICE_LIT("PUT"), slice_of(NULL, 0), &small, &a));
    buf_done(&small);
    assert_false(s3_cors_match(SLICE_LIT("not a document"), SLICE_LIT("http://a"), SLICE_LIT("GET"), slice_of(NULL, 0), &mem, &a));
    buf_done(&out), buf_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_get_one_canonical_form),
        cmocka_unit_test(rules_that_browsers_cannot_use_are_refused),
        cmocka_unit_test(origins_fit_as_the_suite_asserts),
        cmocka_unit_test(the_first_rule_that_fits_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
