/* SPDX-License-Identifier: Apache-2.0
 * Parameters of listings beyond objects, copies, tags in headers, calls in forms.
 */
#include "s3/s3_test.h"

#include "s3/s3_config.h"

static struct s3_target t;
static struct buf mem = BUF_INIT(1 << 18);

static void target(const char *query)
{
    buf_reset(&mem);
    check_s3(s3_target_parse(slice_str(query), &mem, &t), S3E_NONE);
}

static void version_listings_have_markers_in_pairs(void **state)
{
    (void)state;
    struct s3_versions_args a;
    struct s3_fault f = {0};
    target("/b?versions&prefix=p&delimiter=/&key-marker=k&version-id-marker=v&max-keys=5&encoding-type=url");
    check_s3(s3_versions_args(t.params, t.param_count, false, &a, &f), S3E_NONE);
    assert_true(a.url);
    assert_int_equal(a.max, 5);
    check_text(a.prefix, "p");
    check_text(a.delimiter, "/");
    check_text(a.key_marker, "k");
    check_text(a.id_marker, "v");
    target("/b?versions&version-id-marker=v");
    check_s3(s3_versions_args(t.params, t.param_count, false, &a, &f), S3E_InvalidArgument);
    target("/b?versions&version-id-marker=&key-marker=");         /* empty is none */
    check_s3(s3_versions_args(t.params, t.param_count, false, &a, NULL), S3E_NONE);
    assert_int_equal(a.max, S3_LIST_KEYS_MAX);
    target("/b?uploads&upload-id-marker=v&max-uploads=3&max-keys=x");
    check_s3(s3_versions_args(t.params, t.param_count, true, &a, NULL), S3E_NONE);
    assert_int_equal(a.max, 3);
    assert_int_equal(a.id_marker.n, 0);
    static const char *const bad[] = {"/b?versions&max-keys=x", "/b?versions&max-keys=-1", "/b?versions&max-keys=2147483648", "/b?versions&encoding-type=xml"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        target(bad[i]);
        check_s3(s3_versions_args(t.params, t.param_count, false, &a, NULL), S3E_InvalidArgument);
    }
    target("/b?versions&max-keys=1001");
    check_s3(s3_versions_args(t.params, t.param_count, false, &a, NULL), S3E_NONE);
    assert_int_equal(a.max, S3_LIST_KEYS_MAX);
    for (size_t over = 0; over < 2; over++) {
        char query[S3_KEY_BYTES_MAX + 100] = "/b?versions&prefix=";
        size_t n = strlen(query);
        memset(query + n, 'p', S3_KEY_BYTES_MAX + over);
        target(query);
        check_s3(s3_versions_args(t.params, t.param_count, false, &a, NULL), over ? S3E_KeyTooLongError : S3E_NONE);
    }
}

static void parts_are_numbered_from_one_to_ten_thousand(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        enum s3_error want;
        uint32_t number;
    } rows[] = {                                                  /* M06 */
        {"/b/k?partNumber=1", S3E_NONE, 1}, {"/b/k?partNumber=10000", S3E_NONE, 10000}, {"/b/k", S3E_NONE, 0}, {"/b/k?partNumber=0", S3E_InvalidArgument, 0},
        {"/b/k?partNumber=10001", S3E_InvalidArgument, 0}, {"/b/k?partNumber=abc", S3E_InvalidArgument, 0}, {"/b/k?partNumber=", S3E_InvalidArgument, 0},
        {"/b/k?partNumber=+1", S3E_InvalidArgument, 0}, {"/b/k?partNumber=99999999999999999999", S3E_InvalidArgument, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t number;
        target(rows[i].query);
        check_s3(s3_part_number(t.params, t.param_count, &number, NULL), rows[i].want);
        assert_int_equal(number, rows[i].number);
    }
    struct s3_parts_args a;
    target("/b/k?uploadId=u&part-number-marker=7&max-parts=2000&encoding-type=url");
    check_s3(s3_parts_args(t.params, t.param_count, &a, NULL), S3E_NONE);
    check_text(a.upload, "u");
    assert_int_equal(a.marker, 7);
    assert_int_equal(a.max, S3_PART_NUMBERS_SHOWN_MAX);
    assert_true(a.url);
    static const char *const bad[] = {"/b/k?uploadId=u&part-number-marker=x", "/b/k?uploadId=u&max-parts=-1", "/b/k?uploadId=u&encoding-type=x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        target(bad[i]);
        check_s3(s3_parts_args(t.params, t.param_count, &a, NULL), S3E_InvalidArgument);
    }
}

static void attributes_are_asked_for_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        enum s3_error want;
    } rows[] = {
        {"x-amz-object-attributes: ETag,Checksum, ObjectParts ,StorageClass,ObjectSize\n", S3E_NONE},
        {"x-amz-object-attributes: ETag\nx-amz-object-attributes: Checksum\nx-amz-object-attributes: ObjectParts,StorageClass,ObjectSize\n", S3E_NONE},
        {"", S3E_InvalidRequest}, {"x-amz-object-attributes:\n", S3E_InvalidRequest}, {"x-amz-object-attributes: ,\n", S3E_InvalidRequest},
        {"x-amz-object-attributes: Etag\n", S3E_InvalidArgument},
        {"x-amz-object-attributes: ETag\nx-amz-max-parts: x\n", S3E_InvalidArgument},
        {"x-amz-object-attributes: ETag\nx-amz-part-number-marker: -1\n", S3E_InvalidArgument},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_header h[8];
        struct s3_attributes_args a;
        check_s3(s3_attributes_args(h, headers_of(slice_str(rows[i].headers), h, 8), &a, NULL), rows[i].want);
        if (rows[i].want == S3E_NONE) assert_true(a.etag && a.checksum && a.parts && a.storage_class && a.size && a.max == S3_PART_NUMBERS_SHOWN_MAX);
    }
    struct s3_header h[8];
    struct s3_attributes_args a;
    check_s3(s3_attributes_args(h, headers_of(SLICE_LIT("x-amz-object-attributes: ObjectParts\nx-amz-max-parts: 2\nx-amz-part-number-marker: 3\n"), h, 8), &a, NULL), S3E_NONE);
    assert_int_equal(a.max, 2);
    assert_int_equal(a.marker, 3);
    assert_false(a.etag);
}

static void ids_are_26_characters(void **state)
{
    (void)state;
    uint8_t id[ID_BYTES];
    assert_true(s3_id_parse(SLICE_LIT("aaaqeayeaudaocajbifqydiob4"), id));
    assert_int_equal(id[15], 15);
    assert_false(s3_id_parse(SLICE_LIT("aaaqeayeaudaocajbifqydiob"), id));
    assert_false(s3_id_parse(SLICE_LIT("aaaqeayeaudaocajbifqydiob44"), id));
    assert_false(s3_id_parse(SLICE_LIT("aaaqeayeaudaocajbifqydiob1"), id));
    assert_false(s3_id_parse(SLICE_LIT("null"), id));
    assert_false(s3_id_parse(slice_of(NULL, 0), id));
}

static void a_copy_source_names_bucket_key_and_version(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum s3_error want;
        const char *bucket, *key, *version;
    } rows[] = {
        {"/b/k", S3E_NONE, "b", "k", NULL},
        {"b/k", S3E_NONE, "b", "k", NULL},
        {" b/a//b/../c%20%C3%BC+%2B%3F ", S3E_NONE, "b", "a//b/../c \xC3\xBC++?", NULL},
        {"b%2Fk", S3E_NONE, "b", "k", NULL},
        {"b/k?versionId=abc", S3E_NONE, "b", "k", "abc"},
        {"b/k?versionId=null", S3E_NONE, "b", "k", "null"},
        {"b/a?b?versionId=x", S3E_NONE, "b", "a?b", "x"},
        {"b/k%3FversionId=x", S3E_NONE, "b", "k?versionId=x", NULL},
        {"b/k?x", S3E_NONE, "b", "k?x", NULL},
        {"b/k?versionId=", S3E_InvalidArgument, NULL, NULL, NULL},
        {"no-slash", S3E_InvalidArgument, NULL, NULL, NULL},      /* Y01 */
        {"/no-slash", S3E_InvalidArgument, NULL, NULL, NULL},
        {"", S3E_InvalidArgument, NULL, NULL, NULL},
        {"b/", S3E_InvalidArgument, NULL, NULL, NULL},
        {"//k", S3E_InvalidArgument, NULL, NULL, NULL},
        {"b/%zz", S3E_InvalidArgument, NULL, NULL, NULL},         /* Y02 */
        {"b/%", S3E_InvalidArgument, NULL, NULL, NULL},
        {"b/%00", S3E_InvalidArgument, NULL, NULL, NULL},
        {"b/%FF", S3E_InvalidArgument, NULL, NULL, NULL},
        {"b/k?versionId=%zz", S3E_InvalidArgument, NULL, NULL, NULL},
        {"arn:aws:s3:eu-north-1:123456789012:accesspoint/a/object/k", S3E_NotImplemented, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_copy_source s;
        struct s3_fault f = {0};
        print_message("%s\n", rows[i].value);
        buf_reset(&mem);
        check_s3(s3_copy_source(slice_str(rows[i].value), &mem, &s, &f), rows[i].want);
        check_s3(f.code, rows[i].want);
        if (rows[i].want != S3E_NONE) continue;
        check_text(s.bucket, rows[i].bucket);
        check_text(s.key, rows[i].key);
        if (rows[i].version) check_text(s.version, rows[i].version);
        else assert_null(s.version.p);
    }
    char value[S3_KEY_BYTES_MAX + 10] = "b/";
    struct s3_copy_source s;
    for (size_t over = 0; over < 2; over++) {
        memset(value + 2, 'k', S3_KEY_BYTES_MAX + over);
        buf_reset(&mem);
        check_s3(s3_copy_source(slice_str(value), &mem, &s, NULL), over ? S3E_KeyTooLongError : S3E_NONE);
    }
}

static void a_copy_range_has_both_ends(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum s3_error want;
    } rows[] = {
        {"bytes=0-9", S3E_NONE}, {"bytes=3-3", S3E_NONE}, {"bytes=0-10", S3E_InvalidRange}, {"bytes=0-21", S3E_InvalidRange},   /* Y07 */
        {"bytes=0-bar", S3E_InvalidArgument}, {"0-2", S3E_InvalidArgument}, {"bytes=0-2,3-5", S3E_InvalidArgument},           /* Y06 */
        {"bytes=5-4", S3E_InvalidArgument}, {"bytes=-5", S3E_InvalidArgument}, {"bytes=5-", S3E_InvalidArgument}, {"bytes=hello-world", S3E_InvalidArgument},
        {"", S3E_InvalidArgument}, {"bytes", S3E_InvalidArgument}, {"bytes=0-99999999999999999999", S3E_InvalidArgument}, {"bytes 0-1", S3E_InvalidArgument},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t first = 0, last = 0;
        print_message("%s\n", rows[i].value);
        check_s3(s3_copy_range(slice_str(rows[i].value), 10, &first, &last, NULL), rows[i].want);
        if (rows[i].want == S3E_NONE) assert_true(first <= last && last < 10);
    }
}

static void conditions_on_a_source_answer_412(void **state)
{
    (void)state;
    static const struct {
        const char *headers, *failed;
    } rows[] = {
        {"x-amz-copy-source-if-match: \"e\"\n", NULL},
        {"x-amz-copy-source-if-match: other\n", "x-amz-copy-source-If-Match"},
        {"x-amz-copy-source-if-none-match: e\n", "x-amz-copy-source-If-None-Match"},
        {"x-amz-copy-source-if-none-match: other\n", NULL},
        {"x-amz-copy-source-if-modified-since: Sat, 25 May 2013 00:00:00 GMT\n", "x-amz-copy-source-If-Modified-Since"},
        {"x-amz-copy-source-if-unmodified-since: Thu, 23 May 2013 00:00:00 GMT\n", "x-amz-copy-source-If-Unmodified-Since"},
        {"if-match: other\n", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_header h[4];
        struct s3_conditions c;
        const char *failed = NULL;
        s3_copy_conditions_of(h, headers_of(slice_str(rows[i].headers), h, 4), &c);
        check_s3(s3_condition_copy(&c, SLICE_LIT("e"), 1369353600000, &failed), rows[i].failed ? S3E_PreconditionFailed : S3E_NONE);
        if (rows[i].failed) assert_string_equal(failed, rows[i].failed);
    }
    struct s3_header h[4];
    bool replace;
    check_s3(s3_directive(h, headers_of(SLICE_LIT("x-amz-metadata-directive: REPLACE\n"), h, 4), "x-amz-metadata-directive", &replace, NULL), S3E_NONE);
    assert_true(replace);
    check_s3(s3_directive(h, 1, "x-amz-tagging-directive", &replace, NULL), S3E_NONE);
    assert_false(replace);
    check_s3(s3_directive(h, headers_of(SLICE_LIT("x-amz-tagging-directive: COPY\n"), h, 4), "x-amz-tagging-directive", &replace, NULL), S3E_NONE);
    assert_false(replace);
    check_s3(s3_directive(h, headers_of(SLICE_LIT("x-amz-tagging-directive: replace\n"), h, 4), "x-amz-tagging-directive", &replace, NULL), S3E_InvalidArgument);
}

static void tags_in_a_header_get_one_canonical_form(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        enum s3_error want;
        const char *canonical;
        size_t count;
    } rows[] = {
        {"foo=bar&bar", S3E_NONE, "bar=&foo=bar", 2},             /* test_put_obj_with_tags: ascending by key */
        {"", S3E_NONE, "", 0},
        {"a=1&&b=2&", S3E_NONE, "a=1&b=2", 2},
        {"a+b=c%20d&x=%2b/%3D", S3E_NONE, "a%20b=c%20d&x=%2B%2F%3D", 2},
        {"k=a=b", S3E_NONE, "k=a%3Db", 1},
        {"%C3%BC=x", S3E_NONE, "%C3%BC=x", 1},
        {"%zz", S3E_InvalidArgument, NULL, 0},                    /* X11 */
        {"a=%FF", S3E_InvalidArgument, NULL, 0},
        {"a=1&a=2", S3E_InvalidTag, NULL, 0},                     /* X10 */
        {"a=1&%61=2", S3E_InvalidTag, NULL, 0},
        {"AWS:a=1", S3E_InvalidTag, NULL, 0},
        {"=1", S3E_InvalidTag, NULL, 0},
        {"a%0A=1", S3E_InvalidTag, NULL, 0},
        {"1=&2=&3=&4=&5=&6=&7=&8=&9=&0=", S3E_NONE, "0=&1=&2=&3=&4=&5=&6=&7=&8=&9=", 10},
        {"1=&2=&3=&4=&5=&6=&7=&8=&9=&0=&a=", S3E_BadRequest, NULL, 0},                    /* X09 */
    };
    struct buf out = BUF_INIT(S3_TAGGING_BYTES_MAX), again = BUF_INIT(S3_TAGGING_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t count;
        print_message("%s\n", rows[i].query);
        buf_reset(&out);
        check_s3(s3_tags_query(slice_str(rows[i].query), S3_TAGS_MAX, &out, &count, NULL), rows[i].want);
        if (rows[i].want != S3E_NONE) continue;
        check_text(buf_slice(&out), rows[i].canonical);
        assert_int_equal(count, rows[i].count);
        buf_reset(&again);
        check_s3(s3_tags_query(buf_slice(&out), S3_TAGS_MAX, &again, &count, NULL), S3E_NONE);
        check_bytes(buf_slice(&again), buf_slice(&out));
    }
    /* ten tags as long as may be fit what is kept */
    struct buf long_query = BUF_INIT(1 << 16);
    for (int i = 0; i < S3_TAGS_MAX; i++) {
        buf_printf(&long_query, "&%02d", i);
        for (int k = 0; k < S3_TAG_KEY_CHARS_MAX - 2; k++) buf_put_str(&long_query, "k");
        buf_put_u8(&long_query, '=');
        for (int k = 0; k < S3_TAG_VALUE_CHARS_MAX; k++) buf_put_str(&long_query, "%20");
    }
    size_t count;
    buf_reset(&out);
    check_s3(s3_tags_query(buf_slice(&long_query), S3_TAGS_MAX, &out, &count, NULL), S3E_NONE);
    assert_int_equal(count, S3_TAGS_MAX);
    buf_done(&out), buf_done(&again), buf_done(&long_query);
}

static void tags_are_read_back_and_written_as_xml(void **state)
{
    (void)state;
    struct slice query = SLICE_LIT("a%20b=%26&c="), key, value;
    struct buf out = BUF_INIT(4096);
    buf_reset(&mem);
    assert_true(s3_tags_next(&query, &mem, &key, &value));
    check_text(key, "a b");
    check_text(value, "&");
    assert_true(s3_tags_next(&query, &mem, &key, &value));
    check_text(key, "c");
    check_text(value, "");
    assert_false(s3_tags_next(&query, &mem, &key, &value));
    s3_tagging_xml(&out, SLICE_LIT("a%20b=%26&c="));
    check_text(buf_slice(&out), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>"
                                "<Tag><Key>a b</Key><Value>&amp;</Value></Tag><Tag><Key>c</Key><Value></Value></Tag></TagSet></Tagging>");
    buf_reset(&out);
    s3_control_tags_xml(&out, slice_of(NULL, 0));
    check_text(buf_slice(&out), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListTagsForResourceResult xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\">"
                                "<Tags></Tags></ListTagsForResourceResult>");
    buf_done(&out);
}

static void calls_are_read_from_forms(void **state)
{
    (void)state;
    struct s3_param p[S3_QUERY_BODY_PARAMS_MAX];
    size_t n;
    buf_reset(&mem);
    check_s3(s3_query_body(SLICE_LIT("Action=CreateUser&UserName=a+b%2F&&Version=2010-05-08"), &mem, p, ARRAY_LEN(p), &n), S3E_NONE);
    assert_int_equal(n, 3);
    check_text(s3_param_find(p, n, "UserName")->value, "a b/");
    check_s3(s3_query_body(slice_of(NULL, 0), &mem, p, ARRAY_LEN(p), &n), S3E_NONE);
    assert_int_equal(n, 0);
    static const char *const bad[] = {"a=%zz", "%=1", "a=%", "a=%00", "a=%FF", "Action=A&Action=B", "a&%61=1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        buf_reset(&mem);
        check_s3(s3_query_body(slice_str(bad[i]), &mem, p, ARRAY_LEN(p), &n), S3E_InvalidRequest);
    }
    struct buf body = BUF_INIT(1 << 18);
    for (size_t over = 0; over < 2; over++) {
        buf_reset(&body);
        for (size_t i = 0; i < S3_QUERY_BODY_PARAMS_MAX + over; i++) buf_printf(&body, "p%zu=1&", i);
        buf_reset(&mem);
        check_s3(s3_query_body(buf_slice(&body), &mem, p, ARRAY_LEN(p), &n), over ? S3E_InvalidRequest : S3E_NONE);
        buf_reset(&body);
        buf_put_str(&body, "a=");
        while (body.n < FORM_BYTES_MAX + over) buf_put_u8(&body, 'x');
        buf_reset(&mem);
        check_s3(s3_query_body(buf_slice(&body), &mem, p, ARRAY_LEN(p), &n), over ? S3E_InvalidRequest : S3E_NONE);
    }
    buf_done(&body);
}

static void iam_and_sts_answer_in_their_own_form(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(4096);
    s3_iam_open(&out, false, "CreateUser");
    s3_iam_tag(&out, "User", true);
    s3_iam_element(&out, "UserName", SLICE_LIT("a&b"));
    s3_iam_tag(&out, "User", false);
    s3_iam_close(&out, "CreateUser", SLICE_LIT("R"));
    check_text(buf_slice(&out), "<CreateUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateUserResult><User><UserName>a&amp;b</UserName></User>"
                                "</CreateUserResult><ResponseMetadata><RequestId>R</RequestId></ResponseMetadata></CreateUserResponse>");
    buf_reset(&out);
    s3_iam_error_xml(&out, true, S3_IAM_ACCESS_DENIED, NULL, SLICE_LIT("R"));
    check_text(buf_slice(&out), "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</Code>"
                                "<Message>Not authorized to perform this action</Message></Error><RequestId>R</RequestId></ErrorResponse>");
    static const struct {
        enum s3_iam_error e;
        const char *code;
        int status;
    } rows[] = {
        {S3_IAM_NO_SUCH_ENTITY, "NoSuchEntity", 404}, {S3_IAM_ALREADY_EXISTS, "EntityAlreadyExists", 409}, {S3_IAM_MALFORMED_POLICY, "MalformedPolicyDocument", 400},
        {S3_IAM_DELETE_CONFLICT, "DeleteConflict", 409}, {S3_IAM_LIMIT_EXCEEDED, "LimitExceeded", 409}, {S3_IAM_VALIDATION, "ValidationError", 400},
        {S3_IAM_INVALID_ACTION, "InvalidAction", 400}, {S3_IAM_SERVICE_FAILURE, "ServiceFailure", 500},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(s3_iam_code(rows[i].e), rows[i].code);
        assert_int_equal(s3_iam_status(rows[i].e), rows[i].status);
    }
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_listings_have_markers_in_pairs),
        cmocka_unit_test(parts_are_numbered_from_one_to_ten_thousand),
        cmocka_unit_test(attributes_are_asked_for_by_name),
        cmocka_unit_test(ids_are_26_characters),
        cmocka_unit_test(a_copy_source_names_bucket_key_and_version),
        cmocka_unit_test(a_copy_range_has_both_ends),
        cmocka_unit_test(conditions_on_a_source_answer_412),
        cmocka_unit_test(tags_in_a_header_get_one_canonical_form),
        cmocka_unit_test(tags_are_read_back_and_written_as_xml),
        cmocka_unit_test(calls_are_read_from_forms),
        cmocka_unit_test(iam_and_sts_answer_in_their_own_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
