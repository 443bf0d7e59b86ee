/* SPDX-License-Identifier: Apache-2.0
 * The documents a client may send, but for rules (cors_test.c, lifecycle_test.c): each read whole, in every cut, and never when truncated.
 */
#include "s3/s3_test.h"

#include "s3/s3_config.h"

#define NS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static struct s3_xml *fed(enum s3_xml_kind kind, struct slice doc, size_t step)
{
    struct s3_xml *x = s3_xml_new(kind);
    assert_non_null(x);
    while (doc.n) {
        size_t n = MIN(step, doc.n);
        if (s3_xml_feed(x, slice_of(doc.p, n)) != S3E_NONE) break;
        doc = slice_of(doc.p + n, doc.n - n);
    }
    return x;
}

static enum s3_error tagging(struct slice doc, size_t step, size_t max, struct buf *out, size_t *count)
{
    struct s3_fault f = {0};
    struct s3_xml *x = fed(S3_XML_TAGGING, doc, step);
    buf_reset(out);
    enum s3_error e = s3_xml_tagging_end(x, max, out, count, &f);
    check_s3(f.code, e);
    s3_xml_free(x);
    return e;
}

static void a_tagging_document_becomes_the_canonical_query(void **state)
{
    (void)state;
    struct slice doc = SLICE_LIT("<?xml version=\"1.0\"?><Tagging" NS ">\n<TagSet>\n<Tag><Key>b k</Key><Value>&amp;=/</Value></Tag><Tag><Key>a</Key><Value/></Tag>"
                                 "</TagSet></Tagging>");
    struct buf out = BUF_INIT(S3_TAGGING_BYTES_MAX);
    size_t count;
    for (size_t step = 1; step <= doc.n; step++) {
        check_s3(tagging(doc, step, S3_TAGS_MAX, &out, &count), S3E_NONE);
        assert_int_equal(count, 2);
        check_text(buf_slice(&out), "a=&b%20k=%26%3D%2F");
    }
    for (size_t n = 0; n < doc.n; n++) check_s3(tagging(slice_of(doc.p, n), 1000, S3_TAGS_MAX, &out, &count), S3E_MalformedXML);
    check_s3(tagging(SLICE_LIT("<Tagging><TagSet/></Tagging>"), 99, S3_TAGS_MAX, &out, &count), S3E_NONE);
    assert_int_equal(count, 0);
    assert_int_equal(out.n, 0);
    buf_done(&out);
}

static void put_tags_doc(struct buf *doc, size_t n, size_t key_chars, size_t value_chars)
{
    buf_reset(doc);
    buf_put_str(doc, "<Tagging><TagSet>");
    for (size_t i = 0; i < n; i++) {
        buf_put_str(doc, "<Tag><Key>");
        for (size_t k = 0; k < key_chars - 2; k++) buf_put_str(doc, "\xC3\xBC");          /* characters, not bytes, count */
        buf_put_u8(doc, (uint8_t)('a' + i / 26));
        buf_put_u8(doc, (uint8_t)('a' + i % 26));
        buf_put_str(doc, "</Key><Value>");
        for (size_t k = 0; k < value_chars; k++) buf_put_str(doc, "\xC3\xBC");
        buf_put_str(doc, "</Value></Tag>");
    }
    buf_put_str(doc, "</TagSet></Tagging>");
}

static void tags_have_bounds(void **state)
{
    (void)state;
    struct buf doc = BUF_INIT(1 << 20), out = BUF_INIT(200000);
    size_t count;
    for (size_t over = 0; over < 2; over++) {
        put_tags_doc(&doc, S3_TAGS_MAX + over, 5, 5);                                     /* X09 */
        check_s3(tagging(buf_slice(&doc), 999, S3_TAGS_MAX, &out, &count), over ? S3E_BadRequest : S3E_NONE);
        put_tags_doc(&doc, S3_BUCKET_TAGS_MAX + over, 5, 5);
        check_s3(tagging(buf_slice(&doc), 999, S3_BUCKET_TAGS_MAX, &out, &count), over ? S3E_BadRequest : S3E_NONE);
        put_tags_doc(&doc, 1, S3_TAG_KEY_CHARS_MAX + over, 1);                            /* X10 */
        check_s3(tagging(buf_slice(&doc), 999, S3_TAGS_MAX, &out, &count), over ? S3E_InvalidTag : S3E_NONE);
        put_tags_doc(&doc, S3_TAGS_MAX, 2, S3_TAG_VALUE_CHARS_MAX + over);
        check_s3(tagging(buf_slice(&doc), 999, S3_TAGS_MAX, &out, &count), over ? S3E_InvalidTag : S3E_NONE);
    }
    buf_done(&doc), buf_done(&out);
}

static void tags_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *tags;
        enum s3_error want;
    } rows[] = {
        {"<Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value>2</Value></Tag>", S3E_InvalidTag},
        {"<Tag><Key></Key><Value>1</Value></Tag>", S3E_InvalidTag},
        {"<Tag><Key>aws:x</Key><Value>1</Value></Tag>", S3E_InvalidTag},
        {"<Tag><Key>a</Key></Tag>", S3E_MalformedXML},
        {"<Tag><Value>a</Value></Tag>", S3E_MalformedXML},
        {"<Tag><Key>a</Key><Value>1</Value><Foo/></Tag>", S3E_MalformedXML},
        {"<Tag><Key>a</Key><Key>a</Key><Value>1</Value></Tag>", S3E_MalformedXML},
        {"text", S3E_MalformedXML},
    };
    struct buf doc = BUF_INIT(4096), out = BUF_INIT(4096);
    size_t count;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&doc);
        buf_put_str(&doc, "<Tagging><TagSet>");
        buf_put_str(&doc, rows[i].tags);
        buf_put_str(&doc, "</TagSet></Tagging>");
        print_message("%s\n", rows[i].tags);
        check_s3(tagging(buf_slice(&doc), 7, S3_TAGS_MAX, &out, &count), rows[i].want);
    }
    check_s3(tagging(SLICE_LIT("<Tagging/>"), 7, S3_TAGS_MAX, &out, &count), S3E_MalformedXML);
    buf_done(&doc), buf_done(&out);
}

static void versioning_is_enabled_or_suspended(void **state)
{
    (void)state;
    static const struct {
        const char *body, *status;
        enum s3_error want;
    } rows[] = {
        {"<Status>Enabled</Status>", "Enabled", S3E_NONE},
        {"<Status>Suspended</Status><MfaDelete>Disabled</MfaDelete>", "Suspended", S3E_NONE},
        {"<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", NULL, S3E_NotImplemented},
        {"<Status>Foo</Status>", NULL, S3E_MalformedXML},                                 /* X05 */
        {"<Status>enabled</Status>", NULL, S3E_MalformedXML},
        {"<Status>Enabled</Status><Status>Enabled</Status>", NULL, S3E_MalformedXML},
        {"<MfaDelete>Foo</MfaDelete><Status>Enabled</Status>", NULL, S3E_MalformedXML},
        {"", NULL, S3E_MalformedXML},
    };
    struct buf doc = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *status;
        buf_reset(&doc);
        buf_put_str(&doc, "<VersioningConfiguration" NS ">");
        buf_put_str(&doc, rows[i].body);
        buf_put_str(&doc, "</VersioningConfiguration>");
        struct s3_xml *x = fed(S3_XML_VERSIONING, buf_slice(&doc), 5);
        check_s3(s3_xml_versioning_end(x, &status), rows[i].want);
        if (rows[i].status) assert_string_equal(status, rows[i].status);
        else assert_null(status);
        s3_xml_free(x);
        for (size_t n = 0; n < doc.n; n++) {
            x = fed(S3_XML_VERSIONING, slice_of(doc.p, n), 999);
            assert_true(s3_xml_versioning_end(x, &status) != S3E_NONE);
            s3_xml_free(x);
        }
    }
    buf_done(&doc);
}

static void a_list_of_parts_is_read_in_every_cut(void **state)
{
    (void)state;
    struct slice doc = SLICE_LIT("<CompleteMultipartUpload" NS "><Part><ETag>&quot;aa&quot;</ETag><PartNumber>2</PartNumber></Part>"
                                 "<Part><PartNumber>1</PartNumber><ETag>bb</ETag><ChecksumCRC32>NhCmhg==</ChecksumCRC32></Part></CompleteMultipartUpload>");
    struct s3_complete_list list;
    for (size_t step = 1; step <= doc.n; step++) {
        struct s3_xml *x = fed(S3_XML_COMPLETE, doc, step);
        check_s3(s3_xml_complete_end(x, &list), S3E_NONE);
        assert_int_equal(list.count, 2);
        assert_int_equal(list.parts[0].number, 2);
        check_text(list.parts[0].etag, "aa");
        assert_int_equal(list.parts[0].sum, S3_SUM_NONE);
        check_text(list.parts[1].etag, "bb");
        assert_int_equal(list.parts[1].sum, S3_SUM_CRC32);
        assert_memory_equal(list.parts[1].sum_value, "\x36\x10\xa6\x86", 4);
        s3_xml_free(x);
    }
    for (size_t n = 0; n < doc.n; n++) {                          /* M01: no body among them */
        struct s3_xml *x = fed(S3_XML_COMPLETE, slice_of(doc.p, n), 999);
        check_s3(s3_xml_complete_end(x, &list), S3E_MalformedXML);
        s3_xml_free(x);
    }
}

static void lists_of_parts_that_say_nothing_sound_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *parts;
        enum s3_error want;
    } rows[] = {
        {"", S3E_MalformedXML},                                   /* M01 */
        {"<Part><PartNumber>1</PartNumber></Part>", S3E_MalformedXML},
        {"<Part><ETag>a</ETag></Part>", S3E_MalformedXML},
        {"<Part><PartNumber>0</PartNumber><ETag>a</ETag></Part>", S3E_MalformedXML},
        {"<Part><PartNumber>x</PartNumber><ETag>a</ETag></Part>", S3E_MalformedXML},
        {"<Part><PartNumber>-1</PartNumber><ETag>a</ETag></Part>", S3E_MalformedXML},
        {"<Part><PartNumber>10001</PartNumber><ETag>a</ETag></Part>", S3E_InvalidPart},
        {"<Part><PartNumber>10000</PartNumber><ETag>a</ETag></Part>", S3E_NONE},
        {"<Part><PartNumber>1</PartNumber><ETag>a</ETag><ChecksumSHA256>bad</ChecksumSHA256></Part>", S3E_InvalidPart},
        {"<Part><PartNumber>1</PartNumber><ETag>a</ETag><ChecksumCRC32>NhCmhg==</ChecksumCRC32><ChecksumCRC32C>NhCmhg==</ChecksumCRC32C></Part>", S3E_InvalidRequest},
        {"<Part><PartNumber>1</PartNumber><ETag>a</ETag><ChecksumCRC32>NhCmhg==</ChecksumCRC32><ChecksumCRC32>NhCmhg==</ChecksumCRC32></Part>", S3E_MalformedXML},
        {"<Part><PartNumber>1</PartNumber><ETag>a</ETag><ChecksumFOO>NhCmhg==</ChecksumFOO></Part>", S3E_MalformedXML},
        {"<Part><PartNumber>1</PartNumber><ETag>a</ETag><ETag>a</ETag></Part>", S3E_MalformedXML},
    };
    struct buf doc = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_complete_list list;
        buf_reset(&doc);
        buf_put_str(&doc, "<CompleteMultipartUpload>");
        buf_put_str(&doc, rows[i].parts);
        buf_put_str(&doc, "</CompleteMultipartUpload>");
        print_message("%s\n", rows[i].parts);
        struct s3_xml *x = fed(S3_XML_COMPLETE, buf_slice(&doc), 9);
        check_s3(s3_xml_complete_end(x, &list), rows[i].want);
        s3_xml_free(x);
    }
    buf_done(&doc);
}

static void ten_thousand_parts_are_read_and_one_more_is_not(void **state)
{
    (void)state;
    struct buf doc = BUF_INIT(S3_COMPLETE_BODY_BYTES_MAX);
    for (unsigned over = 0; over < 2; over++) {
        struct s3_complete_list list;
        buf_reset(&doc);
        buf_put_str(&doc, "<CompleteMultipartUpload>");
        for (unsigned i = 1; i <= PARTS_MAX + over; i++)
            buf_printf(&doc, "<Part><ETag>\"0123456789abcdef0123456789abcdef\"</ETag><PartNumber>%u</PartNumber><ChecksumSHA512>"
                             "m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw==</ChecksumSHA512></Part>", MIN(i, 10000u));
        buf_put_str(&doc, "</CompleteMultipartUpload>");
        assert_true(buf_ok(&doc));
        struct s3_xml *x = fed(S3_XML_COMPLETE, buf_slice(&doc), 16384);
        check_s3(s3_xml_complete_end(x, &list), over ? S3E_MalformedXML : S3E_NONE);
        assert_int_equal(list.count, over ? 0 : PARTS_MAX);
        s3_xml_free(x);
    }
    buf_done(&doc);
}

static void a_document_of_too_many_elements_is_refused(void **state)
{
    (void)state;
    struct buf doc = BUF_INIT(S3_COMPLETE_BODY_BYTES_MAX);
    struct s3_complete_list list;
    buf_put_str(&doc, "<CompleteMultipartUpload>");
    for (int i = 0; i < S3_XML_NODES_MAX; i++) buf_put_str(&doc, "<Part/>");
    struct s3_xml *x = fed(S3_XML_COMPLETE, buf_slice(&doc), 16384);
    check_s3(s3_xml_feed(x, SLICE_LIT(" ")), S3E_MalformedXML);
    check_s3(s3_xml_complete_end(x, &list), S3E_MalformedXML);
    s3_xml_free(x);
    buf_done(&doc);
}

static void an_oversized_first_piece_is_no_empty_document(void **state)
{
    (void)state;
    struct buf doc = BUF_INIT(S3_CONTROL_BODY_BYTES_MAX + 1);
    struct slice location;
    while (doc.n < S3_CONTROL_BODY_BYTES_MAX + 1) buf_put_u8(&doc, ' ');
    struct s3_xml *x = fed(S3_XML_CREATE_BUCKET, buf_slice(&doc), doc.n);
    check_s3(s3_xml_create_bucket_end(x, &location), S3E_MalformedXML);
    s3_xml_free(x);
    buf_done(&doc);
}

static void a_public_access_block_says_four_things(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum s3_error want;
        bool block[4];
    } rows[] = {
        {"<BlockPublicAcls>true</BlockPublicAcls><RestrictPublicBuckets>TRUE</RestrictPublicBuckets>", S3E_NONE, {true, false, false, true}},
        {"<IgnorePublicAcls>false</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>", S3E_NONE, {false, false, true, false}},
        {"", S3E_NONE, {false}},
        {"<BlockPublicAcls>yes</BlockPublicAcls>", S3E_MalformedXML, {false}},
        {"<BlockPublicAcls/>", S3E_MalformedXML, {false}},
        {"<BlockEverything>true</BlockEverything>", S3E_MalformedXML, {false}},
    };
    struct buf doc = BUF_INIT(4096), out = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool block[4];
        buf_reset(&doc);
        buf_put_str(&doc, "<PublicAccessBlockConfiguration" NS ">");
        buf_put_str(&doc, rows[i].body);
        buf_put_str(&doc, "</PublicAccessBlockConfiguration>");
        struct s3_xml *x = fed(S3_XML_BLOCK, buf_slice(&doc), 3);
        check_s3(s3_xml_block_end(x, block), rows[i].want);
        s3_xml_free(x);
        if (rows[i].want != S3E_NONE) continue;
        assert_memory_equal(block, rows[i].block, sizeof block);
        buf_reset(&out);
        s3_block_xml(&out, block);                                /* what we write we read */
        x = fed(S3_XML_BLOCK, buf_slice(&out), 999);
        check_s3(s3_xml_block_end(x, block), S3E_NONE);
        assert_memory_equal(block, rows[i].block, sizeof block);
        s3_xml_free(x);
    }
    buf_done(&doc), buf_done(&out);
}

static void ownership_is_one_of_three_words(void **state)
{
    (void)state;
    static const char *const good[] = {"BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"};
    static const char *const bad[] = {
        "<OwnershipControls><Rule><ObjectOwnership>Nobody</ObjectOwnership></Rule></OwnershipControls>",
        "<OwnershipControls><Rule/></OwnershipControls>", "<OwnershipControls/>", "",
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
    };
    struct buf out = BUF_INIT(4096);
    const char *word;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        buf_reset(&out);
        s3_ownership_xml(&out, good[i]);
        struct s3_xml *x = fed(S3_XML_OWNERSHIP, buf_slice(&out), 4);
        check_s3(s3_xml_ownership_end(x, &word), S3E_NONE);
        assert_string_equal(word, good[i]);
        s3_xml_free(x);
        for (size_t n = 0; n < out.n; n++) {
            x = fed(S3_XML_OWNERSHIP, slice_of(out.p, n), 999);
            check_s3(s3_xml_ownership_end(x, &word), S3E_MalformedXML);
            s3_xml_free(x);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct s3_xml *x = fed(S3_XML_OWNERSHIP, slice_str(bad[i]), 4);
        check_s3(s3_xml_ownership_end(x, &word), S3E_MalformedXML);
        assert_null(word);
        s3_xml_free(x);
    }
    buf_done(&out);
}

#define OWNER "<Owner><ID>123456789012</ID></Owner>"
#define GRANT(id, permission) "<Grant><Grantee xmlns:xsi=\"x\" xsi:type=\"CanonicalUser\"><ID>" id "</ID></Grantee><Permission>" permission "</Permission></Grant>"

static void an_acl_of_the_owner_alone_is_told_from_others(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum s3_error want;
        bool alone;
    } rows[] = {
        {OWNER "<AccessControlList>" GRANT("123456789012", "FULL_CONTROL") "</AccessControlList>", S3E_NONE, true},
        {OWNER "<AccessControlList>" GRANT("123456789012", "READ") "</AccessControlList>", S3E_NONE, false},
        {OWNER "<AccessControlList>" GRANT("123456789012", "FULL_CONTROL") GRANT("999999999999", "READ") "</AccessControlList>", S3E_NONE, false},
        {OWNER "<AccessControlList><Grant><Grantee><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>"
               "</AccessControlList>", S3E_NONE, false},
        {"<Owner><ID>999999999999</ID></Owner><AccessControlList>" GRANT("123456789012", "FULL_CONTROL") "</AccessControlList>", S3E_NONE, false},
        {OWNER "<AccessControlList/>", S3E_NONE, false},
        {OWNER "<AccessControlList>" GRANT("123456789012", "EVERYTHING") "</AccessControlList>", S3E_MalformedXML, false},
        {OWNER "<AccessControlList><Grant><Permission>READ</Permission></Grant></AccessControlList>", S3E_MalformedXML, false},
        {"<AccessControlList/>", S3E_MalformedXML, false},
        {OWNER, S3E_MalformedXML, false},
    };
    struct buf doc = BUF_INIT(4096);
    bool alone;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&doc);
        buf_put_str(&doc, "<AccessControlPolicy" NS ">");
        buf_put_str(&doc, rows[i].body);
        buf_put_str(&doc, "</AccessControlPolicy>");
        struct s3_xml *x = fed(S3_XML_ACL, buf_slice(&doc), 11);
        check_s3(s3_xml_acl_end(x, SLICE_LIT("123456789012"), &alone), rows[i].want);
        if (rows[i].want == S3E_NONE) assert_int_equal(alone, rows[i].alone);
        s3_xml_free(x);
    }
    struct s3_owner owner = {SLICE_LIT("123456789012"), SLICE_LIT("me")};
    buf_reset(&doc);
    s3_acl_xml(&doc, &owner);                                     /* what GET ?acl answers may be put back */
    struct s3_xml *x = fed(S3_XML_ACL, buf_slice(&doc), 999);
    check_s3(s3_xml_acl_end(x, owner.id, &alone), S3E_NONE);
    assert_true(alone);
    s3_xml_free(x);
    buf_done(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tagging_document_becomes_the_canonical_query),
        cmocka_unit_test(tags_have_bounds),
        cmocka_unit_test(tags_that_are_none_are_refused),
        cmocka_unit_test(versioning_is_enabled_or_suspended),
        cmocka_unit_test(a_list_of_parts_is_read_in_every_cut),
        cmocka_unit_test(lists_of_parts_that_say_nothing_sound_are_refused),
        cmocka_unit_test(ten_thousand_parts_are_read_and_one_more_is_not),
        cmocka_unit_test(a_document_of_too_many_elements_is_refused),
        cmocka_unit_test(an_oversized_first_piece_is_no_empty_document),
        cmocka_unit_test(a_public_access_block_says_four_things),
        cmocka_unit_test(ownership_is_one_of_three_words),
        cmocka_unit_test(an_acl_of_the_owner_alone_is_told_from_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
