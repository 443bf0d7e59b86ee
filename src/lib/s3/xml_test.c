/* SPDX-License-Identifier: Apache-2.0
 * XML both ways, and the error table.
 */
#include "s3/s3_test.h"

static void an_error_document_escapes_and_carries_its_elements(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(4096);
    struct s3_fault f = {0};
    s3_fault_add(&f, "Region", SLICE_LIT("eu-north-1"));
    s3_fault_set(&f, S3E_AuthorizationHeaderMalformed, "wrong <region>");
    s3_error_xml(&out, &f, SLICE_LIT("/b/a&\"\r\x01\n"), SLICE_LIT("ID"), SLICE_LIT(""));
    check_text(buf_slice(&out), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AuthorizationHeaderMalformed</Code>"
                                "<Message>wrong &lt;region&gt;</Message><Region>eu-north-1</Region>"
                                "<Resource>/b/a&amp;&quot;&#13;&#x1;&#xA;</Resource><RequestId>ID</RequestId></Error>");
    buf_done(&out);
}

static void every_error_has_a_status_a_text_and_its_code_back(void **state)
{
    (void)state;
    for (int i = 1; i < S3E__COUNT; i++) {
        int status = s3_error_status((enum s3_error)i);
        assert_true(status >= 301 && status <= 599);
        assert_true(strlen(s3_error_message((enum s3_error)i)) > 0);
        assert_int_equal(s3_error_of_code(slice_str(s3_error_code((enum s3_error)i))), i);
    }
    assert_int_equal(s3_error_of_code(SLICE_LIT("Nope")), S3E_NONE);
    assert_int_equal(s3_error_status(S3E_NoSuchKey), 404);
    check_s3(s3_error_of_err(ERR_OK), S3E_NONE);
    check_s3(s3_error_of_err(ERR_BUSY), S3E_SlowDown);
    check_s3(s3_error_of_err(ERR_IO), S3E_ServiceUnavailable);
    check_s3(s3_error_of_err(ERR_INPUT), S3E_InternalError);
}

static void extra_elements_have_bounds(void **state)
{
    (void)state;
    struct s3_fault f = {0};
    static char longer[S3_EXTRA_CHARS_MAX + 1];
    memset(longer, 'x', sizeof longer);
    for (int i = 0; i < S3_EXTRA_MAX + 1; i++) s3_fault_add(&f, "E", slice_of(longer, sizeof longer));
    assert_int_equal(f.extra_count, S3_EXTRA_MAX);
    assert_int_equal(strlen(f.extra[S3_EXTRA_MAX - 1].value), S3_EXTRA_CHARS_MAX);
}

static void a_listing_is_written_row_by_row(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(8192);
    struct s3_list_args a = {.v2 = true, .url = true, .prefix = SLICE_LIT("p q/"), .delimiter = SLICE_LIT("/"), .max_keys = 2,
                             .has_token = true, .token = SLICE_LIT("T")};
    struct s3_list_head h = {&a, SLICE_LIT("b")};
    struct s3_list_row row = {.key = SLICE_LIT("p q/\xC3\xBC+"), .etag = SLICE_LIT("e"), .size = 5, .mtime_ms = 1369353600000, .sum = S3_SUM_CRC64NVME,
                              .owner = SLICE_LIT("123456789012"), .owner_name = SLICE_LIT("n&")};
    s3_list_begin(&out, &h);
    s3_list_row(&out, &h, &row);
    s3_list_prefix(&out, &h, SLICE_LIT("p q/r/"));
    s3_list_end(&out, &h, true, SLICE_LIT("N"), 2);
    check_text(buf_slice(&out),
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
               "<Prefix>p%20q/</Prefix><ContinuationToken>T</ContinuationToken><MaxKeys>2</MaxKeys><Delimiter>/</Delimiter><EncodingType>url</EncodingType>"
               "<Contents><Key>p%20q/%C3%BC%2B</Key><LastModified>2013-05-24T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
               "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size><StorageClass>STANDARD</StorageClass></Contents>"
               "<CommonPrefixes><Prefix>p%20q/r/</Prefix></CommonPrefixes>"
               "<KeyCount>2</KeyCount><IsTruncated>true</IsTruncated><NextContinuationToken>N</NextContinuationToken></ListBucketResult>");
    /* v1, not encoded */
    struct s3_list_args v1 = {.max_keys = 1000, .fetch_owner = true, .marker = SLICE_LIT("m<")};
    struct s3_list_head h1 = {&v1, SLICE_LIT("b")};
    buf_reset(&out);
    row.key = SLICE_LIT("a\r&");
    row.sum = S3_SUM_NONE;
    s3_list_begin(&out, &h1);
    s3_list_row(&out, &h1, &row);
    s3_list_end(&out, &h1, true, SLICE_LIT("N"), 1);              /* no NextMarker without a delimiter */
    check_text(buf_slice(&out),
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
               "<Prefix></Prefix><Marker>m&lt;</Marker><MaxKeys>1000</MaxKeys>"
               "<Contents><Key>a&#13;&amp;</Key><LastModified>2013-05-24T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size>"
               "<Owner><ID>123456789012</ID><DisplayName>n&amp;</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>"
               "<IsTruncated>true</IsTruncated></ListBucketResult>");
    buf_done(&out);
}

static void small_documents_are_written(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(8192);
#define DOC "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    s3_location_xml(&out, SLICE_LIT("eu-north-1"));
    check_text(buf_slice(&out), DOC "<LocationConstraint" NS "eu-north-1</LocationConstraint>");
    buf_reset(&out);
    s3_location_xml(&out, SLICE_LIT("us-east-1"));
    check_text(buf_slice(&out), DOC "<LocationConstraint" NS "</LocationConstraint>");
    buf_reset(&out);
    s3_versioning_xml(&out, NULL);
    check_text(buf_slice(&out), DOC "<VersioningConfiguration" NS "</VersioningConfiguration>");
    buf_reset(&out);
    s3_buckets_begin(&out, SLICE_LIT("1"));
    s3_buckets_row(&out, SLICE_LIT("b"), 1369353600000, SLICE_LIT("r"));
    s3_buckets_end(&out, SLICE_LIT(""), SLICE_LIT("t"));
    check_text(buf_slice(&out), DOC "<ListAllMyBucketsResult" NS "<Owner><ID>1</ID><DisplayName>1</DisplayName></Owner><Buckets><Bucket><Name>b</Name>"
                                    "<CreationDate>2013-05-24T00:00:00.000Z</CreationDate><BucketRegion>r</BucketRegion></Bucket></Buckets>"
                                    "<ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>");
    buf_reset(&out);
    s3_delete_begin(&out);
    struct slice none = {0};
    s3_delete_row(&out, SLICE_LIT("a"), none, false, none);
    s3_delete_row(&out, SLICE_LIT("m"), none, true, SLICE_LIT("v2"));
    s3_delete_row(&out, SLICE_LIT("v"), SLICE_LIT("v1"), true, SLICE_LIT("v1"));
    s3_delete_error(&out, SLICE_LIT("b"), SLICE_LIT("null"), S3E_AccessDenied, NULL);
    s3_delete_end(&out);
    check_text(buf_slice(&out), DOC "<DeleteResult" NS "<Deleted><Key>a</Key></Deleted>"
                                    "<Deleted><Key>m</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>v2</DeleteMarkerVersionId></Deleted>"
                                    "<Deleted><Key>v</Key><VersionId>v1</VersionId><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>v1</DeleteMarkerVersionId></Deleted>"
                                    "<Error><Key>b</Key><VersionId>null</VersionId><Code>AccessDenied</Code>"
                                    "<Message>Access Denied</Message></Error></DeleteResult>");
    buf_done(&out);
}

/* Feeds text in pieces of step bytes. */
static enum s3_error read_delete(struct slice text, size_t step, struct s3_xml **x, struct s3_delete_list *list)
{
    *x = s3_xml_new(S3_XML_DELETE);
    assert_non_null(*x);
    while (text.n) {
        size_t n = MIN(step, text.n);
        if (s3_xml_feed(*x, slice_of(text.p, n)) != S3E_NONE) break;
        text = slice_of(text.p + n, text.n - n);
    }
    return s3_xml_delete_end(*x, list);
}

static void a_delete_document_is_read_in_every_cut_and_never_when_truncated(void **state)
{
    (void)state;
    struct slice doc = SLICE_LIT("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
                                 " <Object><Key>a&amp;b&#xFC;</Key></Object><Object><Key> </Key><VersionId>null</VersionId><ETag>\"e\"</ETag></Object>"
                                 "<Quiet>true</Quiet></Delete>");
    struct s3_xml *x;
    struct s3_delete_list list;
    for (size_t step = 1; step <= doc.n; step += step < 20 ? 1 : 37) {
        check_s3(read_delete(doc, step, &x, &list), S3E_NONE);
        assert_int_equal(list.count, 2);
        assert_true(list.quiet);
        check_text(list.keys[0].key, "a&b\xC3\xBC");
        assert_null(list.keys[0].version_id.p);
        check_text(list.keys[1].key, " ");
        check_text(list.keys[1].version_id, "null");
        check_text(list.keys[1].etag, "\"e\"");
        s3_xml_free(x);
    }
    for (size_t n = 0; n < doc.n; n++) {
        check_s3(read_delete(slice_of(doc.p, n), 1000, &x, &list), S3E_MalformedXML);
        s3_xml_free(x);
    }
}

static void a_condition_that_is_not_looked_at_is_refused(void **state)
{
    (void)state;
    static const char *const docs[] = {"<Delete><Object><Key>a</Key><Size>5</Size></Object></Delete>",
                                       "<Delete><Object><LastModifiedTime>x</LastModifiedTime><Key>a</Key></Object></Delete>"};
    for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
        struct s3_xml *x;
        struct s3_delete_list list;
        check_s3(read_delete(slice_str(docs[i]), 1, &x, &list), S3E_NotImplemented);
        s3_xml_free(x);
    }
}

static void malformed_delete_documents_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "x", "{}", "<Delete/>", "<Delete></Delete>", "<Delete><Quiet>true</Quiet></Delete>", "<Foo><Object><Key>a</Key></Object></Foo>",
        "<Delete><Object/></Delete>", "<Delete><Object><Key></Key></Object></Delete>", "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
        "<Delete><Object><Key>a<b/></Key></Object></Delete>", "<Delete><Object><Foo>1</Foo><Key>a</Key></Object></Delete>",
        "<Delete>x<Object><Key>a</Key></Object></Delete>", "<Delete><Object><Key>a</Key></Object><Quiet>perhaps</Quiet></Delete>",
        "<Delete><Object><Key>a</Key></Object></Delete><Delete/>", "<Delete><Object><Key>\x01</Key></Object></Delete>",
        "<Delete><Object><Key>&#0;</Key></Object></Delete>", "<Delete><Object><Key>\xFF</Key></Object></Delete>",
        "<!DOCTYPE Delete SYSTEM \"file:///etc/passwd\"><Delete><Object><Key>a</Key></Object></Delete>",                   /* X02 */
        "<!DOCTYPE d [<!ENTITY a \"x\"><!ENTITY b \"&a;&a;\">]><Delete><Object><Key>&b;</Key></Object></Delete>",          /* X03 */
        "<Delete><Object><Key>&foo;</Key></Object></Delete>",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct s3_xml *x;
        struct s3_delete_list list;
        print_message("%s\n", bad[i]);
        check_s3(read_delete(slice_str(bad[i]), 1000, &x, &list), S3E_MalformedXML);
        check_s3(s3_xml_feed(x, SLICE_LIT(" ")), S3E_MalformedXML);                                     /* and stays so */
        s3_xml_free(x);
    }
}

static void bounds_of_xml_hold(void **state)
{
    (void)state;
    struct buf doc = BUF_INIT(4 << 20);
    struct s3_xml *x;
    struct s3_delete_list list;
    for (int over = 0; over < 2; over++) {                        /* X01 */
        buf_reset(&doc);
        buf_put_str(&doc, "<Delete>");
        for (int i = 0; i < S3_DELETE_KEYS_MAX + over; i++) buf_put_str(&doc, "<Object><Key>k</Key></Object>");
        buf_put_str(&doc, "</Delete>");
        check_s3(read_delete(buf_slice(&doc), 16384, &x, &list), over ? S3E_MalformedXML : S3E_NONE);
        if (!over) assert_int_equal(list.count, S3_DELETE_KEYS_MAX);
        s3_xml_free(x);
    }
    for (size_t over = 0; over < 2; over++) {                     /* bytes */
        static const char start[] = "<Delete><Object><Key>k</Key></Object>", end[] = "</Delete>";
        buf_reset(&doc);
        buf_put_str(&doc, start);
        while (doc.n < S3_DELETE_BODY_BYTES_MAX - (sizeof end - 1) + over) buf_put_u8(&doc, ' ');
        buf_put_str(&doc, end);
        check_s3(read_delete(buf_slice(&doc), 16384, &x, &list), over ? S3E_MalformedXML : S3E_NONE);
        s3_xml_free(x);
    }
    buf_reset(&doc);                                              /* X04 */
    for (int i = 0; i < 100000; i++) buf_put_str(&doc, "<Delete>");
    check_s3(read_delete(buf_slice(&doc), 16384, &x, &list), S3E_MalformedXML);
    s3_xml_free(x);
    buf_done(&doc);
}

static void utf_16_is_refused_in_every_cut(void **state)
{
    static const char text[] = "<Delete><Object><Key>k</Key></Object></Delete>";
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {    /* with a byte order mark or without; which byte of two is the character's */
        bool mark = kind & 1, low = kind & 2;
        uint8_t doc[2 * sizeof text + 2];
        size_t n = 0;
        struct s3_xml *x = NULL;
        struct s3_delete_list list;
        if (mark) {
            doc[n++] = low ? 0xfe : 0xff;
            doc[n++] = low ? 0xff : 0xfe;
        }
        for (const char *c = text; *c; c++) {
            doc[n++] = low ? 0 : (uint8_t)*c;
            doc[n++] = low ? (uint8_t)*c : 0;
        }
        for (size_t piece = 1; piece <= n; piece++) {
            check_s3(read_delete(slice_of(doc, n), piece, &x, &list), S3E_MalformedXML);
            s3_xml_free(x);
        }
    }
}

static void a_bucket_configuration_names_its_region(void **state)
{
    (void)state;
    static const struct {
        const char *doc;
        enum s3_error want;
        const char *location;
    } rows[] = {
        {"", S3E_NONE, NULL},
        {"<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>eu-north-1</LocationConstraint></CreateBucketConfiguration>",
         S3E_NONE, "eu-north-1"},
        {"<CreateBucketConfiguration/>", S3E_NONE, NULL},
        {"<CreateBucketConfiguration><LocationConstraint/></CreateBucketConfiguration>", S3E_NONE, ""},
        {"<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>", S3E_NotImplemented, NULL},
        {"not xml", S3E_MalformedXML, NULL},                      /* B06 */
        {"<Delete/>", S3E_MalformedXML, NULL},
        {"<CreateBucketConfiguration><LocationConstraint>a</LocationConstraint><LocationConstraint>b</LocationConstraint></CreateBucketConfiguration>",
         S3E_MalformedXML, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice location;
        struct s3_xml *x = s3_xml_new(S3_XML_CREATE_BUCKET);
        enum s3_error fed = s3_xml_feed(x, slice_str(rows[i].doc));
        assert_true(fed == S3E_NONE || rows[i].want != S3E_NONE);
        check_s3(s3_xml_create_bucket_end(x, &location), rows[i].want);
        if (rows[i].location) check_text(location, rows[i].location);
        else assert_null(location.p);
        s3_xml_free(x);
    }
    s3_xml_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_document_escapes_and_carries_its_elements),
        cmocka_unit_test(every_error_has_a_status_a_text_and_its_code_back),
        cmocka_unit_test(extra_elements_have_bounds),
        cmocka_unit_test(a_listing_is_written_row_by_row),
        cmocka_unit_test(small_documents_are_written),
        cmocka_unit_test(a_delete_document_is_read_in_every_cut_and_never_when_truncated),
        cmocka_unit_test(a_condition_that_is_not_looked_at_is_refused),
        cmocka_unit_test(malformed_delete_documents_are_refused),
        cmocka_unit_test(bounds_of_xml_hold),
        cmocka_unit_test(utf_16_is_refused_in_every_cut),
        cmocka_unit_test(a_bucket_configuration_names_its_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
