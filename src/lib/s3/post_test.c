/* SPDX-License-Identifier: Apache-2.0
 * What the fields of an upload form ask for, and whether its policy says so. The policies are those of ceph/s3-tests (test_post_object_*),
 * each with the status that suite asserts.
 */
#include "s3/s3_test.h"

#include "s3/s3_config.h"
#include "s3/s3_inner.h"

#define NOW 1763985600000ull                       /* 2025-11-24T12:00:00Z */

static struct s3_post post;
static struct buf mem = BUF_INIT(1 << 18), list = BUF_INIT(1 << 17);

/* "name=value\n" lines to the fields' list; a value may not hold a line break. */
static struct slice fields_of(const char *text)
{
    struct slice rest = slice_str(text), line, name;
    buf_reset(&list);
    while (rest.p && rest.n) {
        rest = slice_cut(rest, '\n', &line);
        struct slice value = slice_cut(line, '=', &name);
        buf_put_lp16(&list, name);
        buf_put_lp16(&list, value.p ? value : slice_of("", 0));
    }
    return buf_slice(&list);
}

static enum s3_error read_post(const char *text, bool v2, struct s3_fault *f)
{
    buf_reset(&mem);
    enum s3_error e = s3_post_read(fields_of(text), SLICE_LIT("my-bucket"), v2, &mem, &post, f);
    if (f) check_s3(f->code, e);
    return e;
}

#define V2 "AWSAccessKeyId=AKIAEXAMPLE\nacl=private\nsignature=c2ln\npolicy=cG9s\nContent-Type=text/plain\n"
#define POLICY(expiration, conditions) "{\"" expiration "\":\"2025-11-24T13:40:00Z\",\"conditions\":[" conditions "]}"
#define BUCKET "{\"bucket\":\"my-bucket\"}"
#define KEY ",[\"starts-with\",\"$key\",\"foo\"]"
#define ACL ",{\"acl\":\"private\"}"
#define CT ",[\"starts-with\",\"$Content-Type\",\"text/plain\"]"
#define LEN ",[\"content-length-range\",0,1024]"
#define FOO "key=foo.txt\n" V2 "file=file\n"

static void policies_of_the_suite_are_judged_as_it_asserts(void **state)
{
    (void)state;
    static const struct {
        const char *test, *policy, *fields;
        int status;
    } rows[] = {
        {"authenticated_request", POLICY("expiration", BUCKET KEY ACL CT LEN), FOO, 200},
        {"authenticated_no_content_type", POLICY("expiration", BUCKET KEY ACL LEN), "key=foo.txt\nAWSAccessKeyId=A\nacl=private\nsignature=c2ln\npolicy=cG9s\nfile=file\n", 200},
        {"set_key_from_filename", POLICY("expiration", BUCKET KEY ACL CT LEN), "key=${filename}\n" V2 "file=foo.txt\n", 200},
        {"ignored_header", POLICY("expiration", BUCKET KEY ACL CT LEN), "key=foo.txt\n" V2 "x-ignore-foo=bar\nfile=file\n", 200},
        {"case_insensitive_condition_fields",
         POLICY("expiration", "{\"bUcKeT\":\"my-bucket\"},[\"StArTs-WiTh\",\"$KeY\",\"foo\"],{\"AcL\":\"private\"},[\"StArTs-WiTh\",\"$CoNtEnT-TyPe\",\"text/plain\"]" LEN),
         "kEy=foo.txt\nAWSAccessKeyId=A\naCl=private\nsignature=c2ln\npOLICy=cG9s\nContent-Type=text/plain\nfile=file\n", 200},
        {"escaped_field_values", POLICY("expiration", BUCKET ",[\"starts-with\",\"$key\",\"\\\\$foo\"]" ACL CT LEN), "key=\\$foo.txt\n" V2 "file=file\n", 200},
        {"success_redirect_action", POLICY("expiration", BUCKET KEY ACL CT ",[\"eq\",\"$success_action_redirect\",\"http://h/my-bucket\"]" LEN),
         "key=foo.txt\n" V2 "success_action_redirect=http://h/my-bucket\nfile=file\n", 200},
        {"invalid_date_format", "{\"expiration\":\"2025-11-24 13:40:00.000000+00:00\",\"conditions\":[" BUCKET KEY ACL CT LEN "]}", FOO, 400},
        {"missing_policy_condition", POLICY("expiration", "[\"starts-with\",\"$key\",\"foo\"]" ACL CT LEN), FOO, 403},
        {"request_missing_policy_specified_field", POLICY("expiration", BUCKET KEY ACL CT LEN ",[\"starts-with\",\"$x-amz-meta-foo\",\"bar\"]"), FOO, 403},
        {"condition_is_case_sensitive", "{\"expiration\":\"2025-11-24T13:40:00Z\",\"CONDITIONS\":[" BUCKET KEY ACL CT LEN "]}", FOO, 400},
        {"expires_is_case_sensitive", POLICY("EXPIRATION", BUCKET KEY ACL CT LEN), FOO, 400},
        {"expired_policy", "{\"expiration\":\"2025-11-24T11:59:59Z\",\"conditions\":[" BUCKET KEY ACL CT LEN "]}", FOO, 403},          /* F04 */
        {"invalid_request_field_value", POLICY("expiration", BUCKET KEY ACL CT LEN ",[\"eq\",\"$x-amz-meta-foo\",\"\"]"),
         "key=foo.txt\n" V2 "x-amz-meta-foo=barclamp\nfile=file\n", 403},
        {"missing_expires_condition", "{\"conditions\":[" BUCKET KEY ACL CT LEN "]}", FOO, 400},
        {"missing_conditions_list", "{\"expiration\":\"2025-11-24T13:40:00Z\"}", FOO, 400},
        {"missing_content_length_argument", POLICY("expiration", BUCKET KEY ACL CT ",[\"content-length-range\",0]"), FOO, 400},
        {"invalid_content_length_argument", POLICY("expiration", BUCKET KEY ACL CT ",[\"content-length-range\",-1,0]"), FOO, 400},
        {"empty_conditions", POLICY("expiration", "{}"), FOO, 400},
        {"tags_authenticated_request", POLICY("expiration", BUCKET KEY ACL CT LEN ",[\"starts-with\",\"$tagging\",\"\"]"),
         "key=foo.txt\n" V2 "tagging=<Tagging><TagSet><Tag><Key>0</Key><Value>0</Value></Tag></TagSet></Tagging>\nfile=file\n", 200},
        {"upload_checksum", POLICY("expiration", BUCKET KEY ACL CT LEN), "key=foo.txt\n" V2 "x-amz-checksum-sha256=aTL9MeXa9HObn6eP93eygxsJlcwdCwCTysgGAZAgE7w=\nfile=file\n", 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_fault f = {0};
        print_message("test_post_object_%s\n", rows[i].test);
        check_s3(read_post(rows[i].fields, true, &f), S3E_NONE);
        assert_true(post.signed_form && post.v2);
        enum s3_error e = s3_post_policy(slice_str(rows[i].policy), fields_of(rows[i].fields), SLICE_LIT("my-bucket"), NOW, &post, &f);
        assert_int_equal(s3_error_status(e), rows[i].status);
        check_s3(f.code, e);
        if (rows[i].status == 403) check_s3(e, S3E_AccessDenied);
        if (rows[i].status == 400) check_s3(e, S3E_InvalidPolicyDocument);
    }
}

static void a_form_without_a_key_is_refused(void **state)
{
    (void)state;
    struct s3_fault f = {0};
    check_s3(read_post(V2 "file=file\n", true, &f), S3E_InvalidArgument);                 /* test_post_object_no_key_specified */
    check_s3(read_post("key=\nfile=x\n", true, &f), S3E_InvalidArgument);
    check_s3(read_post("key=${filename}\nfile=\n", true, &f), S3E_InvalidArgument);
    check_s3(read_post("key=k\n", true, &f), S3E_InvalidArgument);                        /* F02 */
    check_s3(read_post("key=k\nKEY=l\nfile=x\n", true, &f), S3E_InvalidArgument);
    check_s3(read_post("key=k\nbucket=other\nfile=x\n", true, &f), S3E_InvalidArgument);
    check_s3(read_post("key=\xFF\nfile=x\n", true, &f), S3E_InvalidURI);
}

static void a_policy_must_cover_every_field(void **state)
{
    (void)state;
    struct s3_fault f = {0};
    static const char fields[] = "key=foo.txt\n" V2 "x-amz-meta-color=red\nfile=file\n";
    check_s3(read_post(fields, true, &f), S3E_NONE);
    check_s3(s3_post_policy(SLICE_LIT(POLICY("expiration", BUCKET KEY ACL CT)), fields_of(fields), SLICE_LIT("my-bucket"), NOW, &post, &f), S3E_AccessDenied);   /* F05 */
    check_text(slice_str(f.message), "Invalid according to Policy: Extra input fields");
    check_text(slice_str(f.extra[0].value), "x-amz-meta-color");
    check_s3(read_post(fields, true, NULL), S3E_NONE);
    check_s3(s3_post_policy(SLICE_LIT(POLICY("expiration", BUCKET KEY ACL CT ",[\"starts-with\",\"$x-amz-meta-color\",\"\"]")), fields_of(fields),
                            SLICE_LIT("my-bucket"), NOW, &post, NULL), S3E_NONE);
    /* for another bucket */
    check_s3(s3_post_policy(SLICE_LIT(POLICY("expiration", BUCKET KEY ACL CT ",[\"starts-with\",\"$x-amz-meta-color\",\"\"]")), fields_of(fields),
                            SLICE_LIT("other"), NOW, &post, NULL), S3E_AccessDenied);
    /* a SigV4 form: its names of SigV2 are fields like any other */
    static const char v4[] = "key=k\npolicy=cG9s\nx-amz-signature=00\nx-amz-credential=c\nx-amz-date=d\nx-amz-algorithm=AWS4-HMAC-SHA256\nsignature2=x\nfile=f\n";
    check_s3(read_post(v4, false, NULL), S3E_NONE);
    assert_false(post.v2);
    check_text(post.credential, "c");
    check_text(post.date, "d");
#define AUTH ",{\"key\":\"k\"},{\"x-amz-credential\":\"c\"},{\"x-amz-date\":\"d\"},{\"x-amz-algorithm\":\"AWS4-HMAC-SHA256\"}"
    check_s3(s3_post_policy(SLICE_LIT(POLICY("expiration", BUCKET AUTH)), fields_of(v4), SLICE_LIT("my-bucket"), NOW, &post, NULL), S3E_AccessDenied);
    check_s3(s3_post_policy(SLICE_LIT(POLICY("expiration", BUCKET AUTH ",{\"signature2\":\"x\"}")), fields_of(v4), SLICE_LIT("my-bucket"), NOW, &post, NULL), S3E_NONE);
}

static void policies_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "x", "[]", "null", "{\"expiration\":\"2025-11-24T13:40:00Z\",\"conditions\":[" BUCKET "]", POLICY("expiration", BUCKET) "x",
        "{\"expiration\":1,\"conditions\":[]}", "{\"expiration\":\"2025-11-24T13:40:00Z\",\"conditions\":{}}",
        "{\"expiration\":\"2025-11-24T13:40:00Z\",\"conditions\":[" BUCKET "],\"more\":1}",
        "{\"expiration\":\"2025-11-24T13:40:00Z\",\"expiration\":\"2026-11-24T13:40:00Z\",\"conditions\":[" BUCKET "]}",
        POLICY("expiration", "1"), POLICY("expiration", "[]"), POLICY("expiration", "[\"eq\",\"$key\"]"), POLICY("expiration", "[\"eq\",\"key\",\"foo.txt\"]"),
        POLICY("expiration", "[\"like\",\"$key\",\"foo.txt\"]"), POLICY("expiration", "[\"eq\",\"$key\",\"a\",\"b\"]"), POLICY("expiration", "{\"key\":1}"),
        POLICY("expiration", "{\"key\":\"foo.txt\",\"acl\":\"private\"}"), POLICY("expiration", "[\"content-length-range\",\"a\",\"b\"]"),
        POLICY("expiration", "[\"content-length-range\",5,4]"), POLICY("expiration", "[\"content-length-range\",0,99999999999999999999999]"),
        POLICY("expiration", "{\"key\":\"wrong\"},{}"), POLICY("expiration", "{\"key\":\"\\u0000\"}"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        print_message("%s\n", bad[i]);
        check_s3(read_post(FOO, true, NULL), S3E_NONE);
        check_s3(s3_post_policy(slice_str(bad[i]), fields_of(FOO), SLICE_LIT("my-bucket"), NOW, &post, NULL), S3E_InvalidPolicyDocument);
    }
    static const char whole[] = POLICY("expiration", BUCKET KEY ACL CT LEN);
    for (size_t n = 0; n < sizeof whole - 1; n++)
        check_s3(s3_post_policy(slice_of(whole, n), fields_of(FOO), SLICE_LIT("my-bucket"), NOW, &post, NULL), S3E_InvalidPolicyDocument);
}

static void policies_have_bounds(void **state)
{
    (void)state;
    struct buf doc = BUF_INIT(1 << 18);
    for (size_t over = 0; over < 2; over++) {
        buf_reset(&doc);
        buf_put_str(&doc, "{\"expiration\":\"2025-11-24T13:40:00Z\",\"conditions\":[" BUCKET KEY ACL CT);
        for (size_t i = 4; i < S3_POST_CONDITIONS_MAX + over; i++) buf_put_str(&doc, ACL);
        buf_put_str(&doc, "]}");
        check_s3(read_post(FOO, true, NULL), S3E_NONE);
        check_s3(s3_post_policy(buf_slice(&doc), fields_of(FOO), SLICE_LIT("my-bucket"), NOW, &post, NULL), over ? S3E_InvalidPolicyDocument : S3E_NONE);
        buf_reset(&doc);
        buf_put_str(&doc, POLICY("expiration", BUCKET KEY ACL CT));
        while (doc.n < FORM_BYTES_MAX + over) buf_put_u8(&doc, ' ');
        check_s3(s3_post_policy(buf_slice(&doc), fields_of(FOO), SLICE_LIT("my-bucket"), NOW, &post, NULL), over ? S3E_InvalidPolicyDocument : S3E_NONE);
    }
    buf_reset(&doc);
    for (size_t i = 0; i < FORM_BYTES_MAX; i++) buf_put_u8(&doc, '[');
    check_s3(s3_post_policy(buf_slice(&doc), fields_of(FOO), SLICE_LIT("my-bucket"), NOW, &post, NULL), S3E_InvalidPolicyDocument);
    buf_done(&doc);
    /* ranges: the narrowest of all */
    check_s3(read_post(FOO, true, NULL), S3E_NONE);
    assert_int_equal(post.size_min, 0);
    assert_true(post.size_max == S3_PUT_BYTES_MAX);
    check_s3(s3_post_policy(SLICE_LIT(POLICY("expiration", BUCKET KEY ACL CT LEN ",[\"content-length-range\",5,2000]")), fields_of(FOO), SLICE_LIT("my-bucket"), NOW,
                            &post, NULL), S3E_NONE);
    assert_int_equal(post.size_min, 5);
    assert_int_equal(post.size_max, 1024);
}

static void keys_take_the_last_part_of_the_file_name(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *key;
    } rows[] = {                                                  /* F10 */
        {"key=a/${filename}\nfile=C:\\x\\y.txt\n", "a/y.txt"},
        {"key=${filename}${filename}\nfile=/etc/passwd\n", "passwdpasswd"},
        {"key=$filename}${filename\nfile=f\n", "$filename}${filename"},
        {"key=../x\nfile=f\n", "../x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_s3(read_post(rows[i].fields, false, NULL), S3E_NONE);
        check_text(post.key, rows[i].key);
        assert_false(post.signed_form);
    }
    struct buf text = BUF_INIT(4096);
    for (size_t over = 0; over < 2; over++) {
        buf_reset(&text);
        buf_put_str(&text, "file=f\nkey=");
        for (size_t i = 0; i < S3_KEY_BYTES_MAX + over; i++) buf_put_u8(&text, 'k');
        buf_put_u8(&text, 0);
        check_s3(read_post((const char *)text.p, false, NULL), over ? S3E_KeyTooLongError : S3E_NONE);
    }
    buf_done(&text);
}

static void fields_become_headers_status_and_redirect(void **state)
{
    (void)state;
    check_s3(read_post("key=k\nCONTENT-Type= text/html\nacl=public-read\nX-Amz-Meta-A=1\nx-amz-storage-class=STANDARD\nother=x\nExpires=never\n"
                       "tagging=<Tagging><TagSet><Tag><Key>b</Key><Value>x y</Value></Tag><Tag><Key>a</Key><Value/></Tag></TagSet></Tagging>\n"
                       "success_action_status=201\nsuccess_action_redirect=https://h/\nfile=f\n", false, NULL), S3E_NONE);
    assert_int_equal(post.header_count, 6);
    check_text(s3_header_value(post.headers, post.header_count, "content-type"), "text/html");
    check_text(s3_header_value(post.headers, post.header_count, "x-amz-acl"), "public-read");
    check_text(s3_header_value(post.headers, post.header_count, "x-amz-meta-a"), "1");
    check_text(s3_header_value(post.headers, post.header_count, "x-amz-tagging"), "a=&b=x%20y");
    check_text(s3_header_value(post.headers, post.header_count, "expires"), "never");
    assert_int_equal(post.status, 201);
    check_text(post.redirect, "https://h/");
    static const struct {
        const char *fields;
        int status;
        bool redirect;
    } rows[] = {
        {"key=k\nfile=f\n", 204, false},
        {"key=k\nsuccess_action_status=200\nfile=f\n", 200, false},
        {"key=k\nsuccess_action_status=404\nfile=f\n", 204, false},                       /* test_post_object_set_invalid_success_code */
        {"key=k\nsuccess_action_redirect=javascript:alert(1)\nfile=f\n", 204, false},     /* F09 */
        {"key=k\nsuccess_action_redirect=//h\nfile=f\n", 204, false},
        {"key=k\nsuccess_action_redirect=http://h\r\nfile=f\n", 204, false},
        {"key=k\nredirect=HTTP://h\nfile=f\n", 204, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_s3(read_post(rows[i].fields, false, NULL), S3E_NONE);
        assert_int_equal(post.status, rows[i].status);
        assert_int_equal(post.redirect.n > 0, rows[i].redirect);
    }
    check_s3(read_post("key=k\nx-amz-meta-a=b\rc\nfile=f\n", false, NULL), S3E_InvalidArgument);
    check_s3(read_post("key=k\ntagging=<Tagging>\nfile=f\n", false, NULL), S3E_MalformedXML);
    check_s3(read_post("key=k\ntagging=<Tagging><TagSet><Tag><Key>aws:a</Key><Value/></Tag></TagSet></Tagging>\nfile=f\n", false, NULL), S3E_InvalidTag);
    check_s3(read_post("key=k\ntagging=<Tagging><TagSet/></Tagging>\nfile=f\n", false, NULL), S3E_NONE);
    assert_int_equal(post.header_count, 0);
}

static void half_an_authorization_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        bool v2;
        enum s3_error want;
    } rows[] = {
        {"key=k\nAWSAccessKeyId=a\npolicy=p\nsignature=s\nfile=f\n", true, S3E_NONE},
        {"key=k\nAWSAccessKeyId=a\npolicy=p\nsignature=s\nfile=f\n", false, S3E_InvalidRequest},
        {"key=k\nAWSAccessKeyId=a\npolicy=p\nfile=f\n", true, S3E_InvalidArgument},
        {"key=k\npolicy=p\nsignature=s\nfile=f\n", true, S3E_InvalidArgument},
        {"key=k\nAWSAccessKeyId=a\nsignature=s\nfile=f\n", true, S3E_InvalidArgument},
        {"key=k\npolicy=p\nfile=f\n", true, S3E_InvalidArgument},
        {"key=k\nx-amz-signature=s\nsignature=s\npolicy=p\nfile=f\n", true, S3E_InvalidArgument},
        {"key=k\nx-amz-signature=s\npolicy=p\nx-amz-credential=c\nx-amz-date=d\nfile=f\n", true, S3E_InvalidArgument},
        {"key=k\nx-amz-signature=s\npolicy=p\nx-amz-algorithm=AWS4-HMAC-SHA256\nx-amz-date=d\nfile=f\n", true, S3E_InvalidArgument},
        {"key=k\nx-amz-credential=c\nfile=f\n", true, S3E_InvalidArgument},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("%s", rows[i].fields);
        check_s3(read_post(rows[i].fields, rows[i].v2, NULL), rows[i].want);
    }
}

static void a_fields_list_that_is_none_is_refused_at_every_byte(void **state)
{
    (void)state;
    struct slice whole = fields_of("key=k\nfile=f\n");
    for (size_t n = 0; n <= whole.n; n++) {
        buf_reset(&mem);
        enum s3_error e = s3_post_read(slice_of(whole.p, n), SLICE_LIT("b"), true, &mem, &post, NULL);
        assert_int_equal(e == S3E_NONE, n == whole.n);
    }
    char many[2048] = "";
    for (int i = 0; i < S3_FORM_FIELDS_MAX + 2; i++) snprintf(many + strlen(many), sizeof many - strlen(many), "f%d=\n", i);
    check_s3(read_post(many, true, NULL), S3E_MalformedPOSTRequest);
}

static void signatures_of_version_2_are_compared(void **state)
{
    (void)state;
    /* RFC 2202 section 3, test case 2 */
    struct slice key = SLICE_LIT("Jefe"), text = SLICE_LIT("what do ya want for nothing?");
    assert_true(s3_post_v2_ok(key, text, SLICE_LIT("7/zfauXrL6LSdBbV8YTfnCWafHk=")));
    assert_false(s3_post_v2_ok(key, text, SLICE_LIT("7/zfauXrL6LSdBbV8YTfnCWafHg=")));
    assert_false(s3_post_v2_ok(key, SLICE_LIT("what do ya want for nothing"), SLICE_LIT("7/zfauXrL6LSdBbV8YTfnCWafHk=")));
    assert_false(s3_post_v2_ok(key, text, SLICE_LIT("=kHfaWCff8TY1VBBdS6LLrXuafz/7")));
    assert_false(s3_post_v2_ok(key, text, slice_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_of_the_suite_are_judged_as_it_asserts),
        cmocka_unit_test(a_form_without_a_key_is_refused),
        cmocka_unit_test(a_policy_must_cover_every_field),
        cmocka_unit_test(policies_that_are_none_are_refused),
        cmocka_unit_test(policies_have_bounds),
        cmocka_unit_test(keys_take_the_last_part_of_the_file_name),
        cmocka_unit_test(fields_become_headers_status_and_redirect),
        cmocka_unit_test(half_an_authorization_is_none),
        cmocka_unit_test(a_fields_list_that_is_none_is_refused_at_every_byte),
        cmocka_unit_test(signatures_of_version_2_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
