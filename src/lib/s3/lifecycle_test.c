/* SPDX-License-Identifier: Apache-2.0
 * Lifecycle rules: which a client may set, their canonical form, and what they say about objects, versions, markers and uploads.
 */
#include "s3/s3_test.h"

#include "s3/s3_config.h"

#define DAY 86400000ull
static const uint8_t seed[ID_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static enum s3_error put_in_pieces(struct slice doc, size_t step, struct buf *out, struct s3_fault *f)
{
    struct s3_xml *x = s3_xml_new(S3_XML_LIFECYCLE);
    assert_non_null(x);
    buf_reset(out);
    while (doc.n) {
        size_t n = MIN(step, doc.n);
        if (s3_xml_feed(x, slice_of(doc.p, n)) != S3E_NONE) break;
        doc = slice_of(doc.p + n, doc.n - n);
    }
    enum s3_error e = s3_xml_lifecycle_end(x, seed, out, f);
    if (f) check_s3(f->code, e);
    s3_xml_free(x);
    return e;
}

static enum s3_error put(const char *rules, struct buf *out)
{
    struct buf doc = BUF_INIT(S3_CONTROL_BODY_BYTES_MAX);
    struct s3_fault f = {0};
    buf_put_str(&doc, "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    buf_put_str(&doc, rules);
    buf_put_str(&doc, "</LifecycleConfiguration>");
    assert_true(buf_ok(&doc));
    enum s3_error e = put_in_pieces(buf_slice(&doc), 1000, out, &f);
    buf_done(&doc);
    return e;
}

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define RULE(inside) "<Rule>" inside "</Rule>"
#define ON "<Status>Enabled</Status>"
#define DAYS1 "<Expiration><Days>1</Days></Expiration>"

static void rules_get_one_canonical_form_in_every_cut(void **state)
{
    (void)state;
    struct slice doc = SLICE_LIT("<LifecycleConfiguration>\n <Rule><Expiration><Days> 365 </Days></Expiration><Status>Enabled</Status><Filter><And><Tag><Value>v</Value>"
                                 "<Key>k</Key></Tag><Prefix>logs/&amp; </Prefix><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter></Rule>"
                                 "<Rule><ID>two</ID><Prefix/><Status>Disabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>"
                                 "</AbortIncompleteMultipartUpload><NoncurrentVersionExpiration><NewerNoncurrentVersions>5</NewerNoncurrentVersions>"
                                 "<NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration><Expiration><Date>2030-01-01</Date></Expiration></Rule></LifecycleConfiguration>");
    struct buf out = BUF_INIT(S3_CONFIG_DOC_BYTES_MAX), again = BUF_INIT(S3_CONFIG_DOC_BYTES_MAX);
    for (size_t step = 1; step <= doc.n; step += step < 40 ? 1 : 41) {
        check_s3(put_in_pieces(doc, step, &out, NULL), S3E_NONE);
        check_text(buf_slice(&out), HEAD
            "<Rule><ID>0102030405060708090a0b0c0d0e0f10</ID><Filter><And><Prefix>logs/&amp; </Prefix><Tag><Key>k</Key><Value>v</Value></Tag>"
            "<ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter><Status>Enabled</Status><Expiration><Days>365</Days></Expiration></Rule>"
            "<Rule><ID>two</ID><Prefix></Prefix><Status>Disabled</Status><Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>"
            "<NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays><NewerNoncurrentVersions>5</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>");
    }
    check_s3(put_in_pieces(buf_slice(&out), 999, &again, NULL), S3E_NONE);
    check_bytes(buf_slice(&again), buf_slice(&out));              /* canonical is a fixed point */
    for (size_t n = 0; n < doc.n; n++) check_s3(put_in_pieces(slice_of(doc.p, n), 999, &out, NULL), S3E_MalformedXML);
    buf_done(&out), buf_done(&again);
}

static void rules_that_say_nothing_sound_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        enum s3_error want;
    } rows[] = {
        {"", S3E_MalformedXML},
        {RULE("<Prefix/>" ON DAYS1), S3E_NONE},
        {RULE("<Filter/>" ON DAYS1), S3E_NONE},
        {RULE("<ID>a</ID><Prefix/>" ON DAYS1) RULE("<ID>a</ID><Prefix>x</Prefix>" ON DAYS1), S3E_InvalidArgument},      /* X06 */
        {RULE("<Prefix/>" ON "<Expiration><Days>0</Days></Expiration>"), S3E_InvalidArgument},                          /* X06 */
        {RULE("<Prefix/>" ON "<Expiration><Days>-1</Days></Expiration>"), S3E_InvalidArgument},
        {RULE("<Prefix/>" ON "<Expiration><Days>x</Days></Expiration>"), S3E_MalformedXML},
        {RULE("<Prefix/>" ON "<Expiration><Days>2147483648</Days></Expiration>"), S3E_InvalidArgument},
        {RULE("<Prefix/>" ON "<Expiration><Days>2147483647</Days></Expiration>"), S3E_NONE},
        {RULE("<Prefix/><Status>enabled</Status>" DAYS1), S3E_MalformedXML},                                            /* X06 */
        {RULE("<Prefix/>" DAYS1), S3E_MalformedXML},
        {RULE(ON DAYS1), S3E_MalformedXML},
        {RULE("<Prefix/><Filter/>" ON DAYS1), S3E_MalformedXML},
        {RULE("<Prefix/>" ON), S3E_InvalidRequest},
        {RULE("<Prefix/>" ON "<Expiration/>"), S3E_MalformedXML},
        {RULE("<Prefix/>" ON "<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"), S3E_MalformedXML},
        {RULE("<Prefix/>" ON "<Expiration><Date>2017-09-27T00:00:00Z</Date></Expiration>"), S3E_NONE},                  /* test_lifecycle_set_date */
        {RULE("<Prefix/>" ON "<Expiration><Date>1970-08-23T00:55:27Z</Date></Expiration>"), S3E_InvalidArgument},       /* test_lifecycle_set_invalid_date */
        {RULE("<Prefix/>" ON "<Expiration><Date>20200101</Date></Expiration>"), S3E_MalformedXML},
        {RULE("<Prefix/>" ON "<Expiration><Date>2020-02-30</Date></Expiration>"), S3E_MalformedXML},
        {RULE("<Prefix/>" ON "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"), S3E_NONE},
        {RULE("<Prefix/>" ON "<Expiration><ExpiredObjectDeleteMarker>maybe</ExpiredObjectDeleteMarker></Expiration>"), S3E_MalformedXML},
        {RULE("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>" ON "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"), S3E_InvalidRequest},
        {RULE("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>" ON "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"), S3E_InvalidRequest},
        {RULE("<Filter><Tag><Key>k</Key></Tag></Filter>" ON DAYS1), S3E_MalformedXML},
        {RULE("<Filter><Tag><Key>aws:k</Key><Value/></Tag></Filter>" ON DAYS1), S3E_InvalidTag},
        {RULE("<Filter><ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan></Filter>" ON DAYS1), S3E_InvalidRequest},
        {RULE("<Prefix/>" ON "<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"), S3E_InvalidArgument},
        {RULE("<Prefix/>" ON "<NoncurrentVersionExpiration><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>"), S3E_MalformedXML},
        {RULE("<Prefix/>" ON "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>"), S3E_InvalidArgument},
        {RULE("<Prefix/>" ON "<AbortIncompleteMultipartUpload/>"), S3E_MalformedXML},
        {RULE("<Prefix/>" ON "<Transition><Days>0</Days><StorageClass>GLACIER</StorageClass></Transition>"), S3E_NotImplemented},
        {RULE("<Prefix/>" ON "<NoncurrentVersionTransition><NoncurrentDays>3</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>"), S3E_NotImplemented},
        {RULE("<Prefix/>" ON "<Transition><Days>1</Days><StorageClass>TAPE</StorageClass></Transition>"), S3E_MalformedXML},
        /* test_lifecycle_transition_set_invalid_date: as boto3 writes '20220927' */
        {RULE("<Prefix>test1/</Prefix>" ON "<Expiration><Date>2023-09-27T00:00:00Z</Date></Expiration><Transition><Date>1970-08-23T00:55:27Z</Date>"
              "<StorageClass>GLACIER</StorageClass></Transition>"), S3E_InvalidArgument},
        /* a rule that is wrong is told before one that is not implemented */
        {RULE("<Prefix/>" ON "<Transition><Days>0</Days><StorageClass>GLACIER</StorageClass></Transition>") RULE("<Prefix/>" ON "<Expiration><Days>0</Days></Expiration>"), S3E_InvalidArgument},
        {RULE("<Prefix/>" ON DAYS1 "<Foo/>"), S3E_MalformedXML},
    };
    struct buf out = BUF_INIT(S3_CONFIG_DOC_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("%s\n", rows[i].rules);
        check_s3(put(rows[i].rules, &out), rows[i].want);
    }
    buf_done(&out);
}

static void rules_have_bounds(void **state)
{
    (void)state;
    struct buf rules = BUF_INIT(S3_CONTROL_BODY_BYTES_MAX), out = BUF_INIT(2 * S3_CONFIG_DOC_BYTES_MAX);
    for (size_t over = 0; over < 2; over++) {
        buf_reset(&rules);                                        /* test_lifecycle_id_too_long */
        buf_put_str(&rules, "<Rule><ID>");
        for (size_t i = 0; i < S3_LIFECYCLE_ID_CHARS_MAX + over; i++) buf_put_u8(&rules, 'a');
        buf_put_str(&rules, "</ID><Prefix/>" ON DAYS1 "</Rule>");
        buf_put_u8(&rules, 0);
        check_s3(put((const char *)rules.p, &out), over ? S3E_InvalidArgument : S3E_NONE);
        buf_reset(&rules);
        buf_put_str(&rules, "<Rule><Prefix>");
        for (size_t i = 0; i < S3_KEY_BYTES_MAX + over; i++) buf_put_u8(&rules, 'a');
        buf_put_str(&rules, "</Prefix>" ON DAYS1 "</Rule>");
        buf_put_u8(&rules, 0);
        check_s3(put((const char *)rules.p, &out), over ? S3E_InvalidRequest : S3E_NONE);
        buf_reset(&rules);
        buf_put_str(&rules, "<Rule><Filter><And>");
        for (size_t i = 0; i < S3_TAGS_MAX + over; i++) buf_printf(&rules, "<Tag><Key>k%zu</Key><Value/></Tag>", i);
        buf_put_str(&rules, "</And></Filter>" ON DAYS1 "</Rule>");
        buf_put_u8(&rules, 0);
        check_s3(put((const char *)rules.p, &out), over ? S3E_InvalidRequest : S3E_NONE);
    }
    for (size_t over = 0; over < 2; over++) {
        buf_reset(&rules);
        buf_put_str(&rules, "<Rule><Prefix/>" ON);
        for (size_t i = 2; i < S3_LIFECYCLE_RULE_ELEMENTS_MAX + over; i++) buf_put_str(&rules, "<Transition><Days>0</Days><StorageClass>GLACIER</StorageClass></Transition>");
        buf_put_str(&rules, "</Rule>");
        buf_put_u8(&rules, 0);
        check_s3(put((const char *)rules.p, &out), over ? S3E_MalformedXML : S3E_NotImplemented);
    }
    buf_reset(&rules);                                            /* more than is kept, far below the number of rules */
    for (size_t i = 0; i < S3_LIFECYCLE_RULES_MAX; i++) buf_put_str(&rules, "<Rule><Prefix/>" ON DAYS1 "</Rule>");
    buf_put_u8(&rules, 0);
    check_s3(put((const char *)rules.p, &out), S3E_MalformedXML);
    buf_done(&rules), buf_done(&out);
}

static struct s3_lifecycle *read_rules(const char *rules)
{
    struct buf out = BUF_INIT(S3_CONFIG_DOC_BYTES_MAX);
    check_s3(put(rules, &out), S3E_NONE);
    struct s3_lifecycle *l = s3_lifecycle_read(buf_slice(&out));
    assert_non_null(l);
    buf_done(&out);                                               /* it keeps what it needs */
    return l;
}

static struct s3_lifecycle_object object(const char *key, const char *tags, uint64_t size)
{
    return (struct s3_lifecycle_object){.key = slice_str(key), .tags = slice_str(tags), .size = size, .mtime_ms = 10 * DAY + 1, .current = true};
}

static void objects_expire_at_the_midnight_after_their_days(void **state)
{
    (void)state;
    struct s3_lifecycle *l = read_rules(RULE("<ID>a \"1\"</ID><Prefix>p/</Prefix>" ON DAYS1) RULE("<Prefix>d/</Prefix>" ON "<Expiration><Date>1970-01-21</Date></Expiration>")
                                        RULE("<Prefix>off/</Prefix><Status>Disabled</Status>" DAYS1));
    struct s3_lifecycle_object o = object("p/x", "", 5);
    assert_int_equal(s3_lifecycle_judge(l, &o, 12 * DAY - 1, DAY), S3_LIFECYCLE_KEEP);
    assert_int_equal(s3_lifecycle_judge(l, &o, 12 * DAY, DAY), S3_LIFECYCLE_EXPIRE);
    o.mtime_ms = 10 * DAY;                                        /* made at midnight */
    assert_int_equal(s3_lifecycle_judge(l, &o, 11 * DAY, DAY), S3_LIFECYCLE_EXPIRE);
    o.mtime_ms = 10 * DAY + 1;
    assert_int_equal(s3_lifecycle_judge(l, &o, o.mtime_ms + 9999, 10000), S3_LIFECYCLE_KEEP);      /* short days are not rounded */
    assert_int_equal(s3_lifecycle_judge(l, &o, o.mtime_ms + 10000, 10000), S3_LIFECYCLE_EXPIRE);
    o.current = false;
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_KEEP);
    o = object("q/x", "", 5);
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_KEEP);
    o = object("off/x", "", 5);
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_KEEP);
    o = object("d/x", "", 5);
    assert_int_equal(s3_lifecycle_judge(l, &o, 20 * DAY - 1, 10000), S3_LIFECYCLE_KEEP);
    assert_int_equal(s3_lifecycle_judge(l, &o, 20 * DAY, 10000), S3_LIFECYCLE_EXPIRE);

    struct buf out = BUF_INIT(1000);
    o = object("p/x", "", 5);
    assert_true(s3_lifecycle_expiration(l, &o, &out));
    check_text(buf_slice(&out), "expiry-date=\"Tue, 13 Jan 1970 00:00:00 GMT\", rule-id=\"a%20%221%22\"");
    buf_reset(&out);
    o = object("off/x", "", 5);
    assert_false(s3_lifecycle_expiration(l, &o, &out));
    o = object("p/x", "", 5);
    o.delete_marker = true;
    assert_false(s3_lifecycle_expiration(l, &o, &out));
    assert_int_equal(out.n, 0);
    buf_done(&out);
    s3_lifecycle_free(l);
    s3_lifecycle_free(NULL);
}

static void every_condition_of_a_filter_counts(void **state)
{
    (void)state;
    /* as setup_lifecycle_tags2 of the suite writes it */
    struct s3_lifecycle *l = read_rules(RULE("<Filter><Prefix>days1/</Prefix><Tag><Key>tom</Key><Value>sawyer</Value></Tag><And><Prefix>days1</Prefix>"
                                             "<Tag><Key>huck f</Key><Value>finn=</Value></Tag></And></Filter>" ON DAYS1)
                                        RULE("<Filter><Prefix/><ObjectSizeGreaterThan>2000</ObjectSizeGreaterThan><ObjectSizeLessThan>3000</ObjectSizeLessThan></Filter>" ON DAYS1));
    struct s3_lifecycle_object o = object("days1/tom", "tom=sawyer", 5);
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_KEEP);
    o = object("days1/huck", "huck%20f=finn%3D&tom=sawyer", 5);
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_EXPIRE);
    o = object("days1/huck", "huck%20f=finn%3D&tom=sawyers", 5);
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_KEEP);
    o = object("days1/huck", "huck%20f=finn%3D&atom=sawyer", 5);
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_KEEP);
    static const struct {
        uint64_t size;
        enum s3_lifecycle_action want;
    } sizes[] = {{2000, S3_LIFECYCLE_KEEP}, {2001, S3_LIFECYCLE_EXPIRE}, {2999, S3_LIFECYCLE_EXPIRE}, {3000, S3_LIFECYCLE_KEEP}};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        o = object("k", "", sizes[i].size);
        assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), sizes[i].want);
    }
    o = object("k", "", 2500);                                    /* a marker has neither size nor tags */
    o.delete_marker = o.only_version = true;
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_KEEP);
    s3_lifecycle_free(l);
}

static void noncurrent_versions_go_but_for_the_newest(void **state)
{
    (void)state;
    struct s3_lifecycle *l = read_rules(RULE("<Filter><Prefix/></Filter>" ON "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>"
                                             "<NewerNoncurrentVersions>5</NewerNoncurrentVersions></NoncurrentVersionExpiration>"));
    struct s3_lifecycle_object o = object("k", "", 5);
    o.current = false;
    o.mtime_ms = 0;
    o.noncurrent_since_ms = 10 * DAY;
    for (uint32_t newer = 0; newer < 10; newer++) {
        o.newer_noncurrent = newer;
        assert_int_equal(s3_lifecycle_judge(l, &o, 12 * DAY, DAY), newer < 5 ? S3_LIFECYCLE_KEEP : S3_LIFECYCLE_REMOVE);
        assert_int_equal(s3_lifecycle_judge(l, &o, 12 * DAY - 1, DAY), S3_LIFECYCLE_KEEP);
    }
    o.delete_marker = true;
    assert_int_equal(s3_lifecycle_judge(l, &o, 12 * DAY, DAY), S3_LIFECYCLE_REMOVE);
    o.current = true;
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_KEEP);
    s3_lifecycle_free(l);
}

static void a_marker_goes_when_nothing_is_behind_it(void **state)
{
    (void)state;
    struct s3_lifecycle *l = read_rules(RULE("<Prefix>m/</Prefix>" ON "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>")
                                        RULE("<Prefix>d/</Prefix>" ON "<Expiration><Days>5</Days></Expiration>")
                                        RULE("<Prefix>f/</Prefix>" ON "<Expiration><ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker></Expiration>"));
    struct s3_lifecycle_object o = object("m/x", "", 0);
    o.delete_marker = true;
    assert_int_equal(s3_lifecycle_judge(l, &o, 10 * DAY + 2, DAY), S3_LIFECYCLE_KEEP);
    o.only_version = true;
    assert_int_equal(s3_lifecycle_judge(l, &o, 10 * DAY + 2, DAY), S3_LIFECYCLE_REMOVE);
    o.key = SLICE_LIT("d/x");                                     /* test_lifecycle_deletemarker_expiration_with_days_tag */
    assert_int_equal(s3_lifecycle_judge(l, &o, o.mtime_ms + 49999, 10000), S3_LIFECYCLE_KEEP);
    assert_int_equal(s3_lifecycle_judge(l, &o, o.mtime_ms + 50000, 10000), S3_LIFECYCLE_REMOVE);
    o.key = SLICE_LIT("f/x");
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_KEEP);
    o = object("m/x", "", 0);                                     /* an object, not a marker */
    o.only_version = true;
    assert_int_equal(s3_lifecycle_judge(l, &o, 99 * DAY, DAY), S3_LIFECYCLE_KEEP);
    s3_lifecycle_free(l);
}

static void uploads_are_given_up_after_their_days(void **state)
{
    (void)state;
#define ABORT(days) "<AbortIncompleteMultipartUpload><DaysAfterInitiation>" days "</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
    struct s3_lifecycle *l = read_rules(RULE("<ID>slow</ID><Prefix/>" ON ABORT("9")) RULE("<ID>quick</ID><Prefix>test1/</Prefix>" ON ABORT("2")));
    struct buf date = BUF_INIT(100), id = BUF_INIT(1000);
    assert_false(s3_lifecycle_abort(l, SLICE_LIT("test1/a"), 5, 19999, 10000));
    assert_true(s3_lifecycle_abort(l, SLICE_LIT("test1/a"), 5, 20005, 10000));
    assert_false(s3_lifecycle_abort(l, SLICE_LIT("test2/"), 5, 20005, 10000));
    assert_true(s3_lifecycle_abort(l, SLICE_LIT("test2/"), 5, 90005, 10000));
    assert_true(s3_lifecycle_abort_date(l, SLICE_LIT("test1/a"), 10 * DAY + 5, &date, &id));
    check_text(buf_slice(&date), "Wed, 14 Jan 1970 00:00:00 GMT");
    check_text(buf_slice(&id), "quick");
    s3_lifecycle_free(l);
    l = read_rules(RULE("<Prefix/>" ON DAYS1));
    assert_false(s3_lifecycle_abort_date(l, SLICE_LIT("test1/a"), 5, &date, &id));
    assert_false(s3_lifecycle_abort(l, SLICE_LIT("test1/a"), 5, UINT32_MAX, 1));
    s3_lifecycle_free(l);
    buf_done(&date), buf_done(&id);
}

static void what_is_no_canonical_document_is_not_read(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(S3_CONFIG_DOC_BYTES_MAX);
    check_s3(put(RULE("<Prefix>p</Prefix>" ON DAYS1), &out), S3E_NONE);
    for (size_t n = 0; n < out.n; n++) assert_null(s3_lifecycle_read(slice_of(out.p, n)));
    assert_null(s3_lifecycle_read(SLICE_LIT("<CORSConfiguration/>")));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_get_one_canonical_form_in_every_cut),
        cmocka_unit_test(rules_that_say_nothing_sound_are_refused),
        cmocka_unit_test(rules_have_bounds),
        cmocka_unit_test(objects_expire_at_the_midnight_after_their_days),
        cmocka_unit_test(every_condition_of_a_filter_counts),
        cmocka_unit_test(noncurrent_versions_go_but_for_the_newest),
        cmocka_unit_test(a_marker_goes_when_nothing_is_behind_it),
        cmocka_unit_test(uploads_are_given_up_after_their_days),
        cmocka_unit_test(what_is_no_canonical_document_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
