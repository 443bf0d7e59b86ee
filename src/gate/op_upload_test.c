/* SPDX-License-Identifier: Apache-2.0
 * Uploads in parts: leaves, commands, refusals, races.
 * Role: tests of op_upload.c, op_part.c, op_complete.c, complete_parts.c. Trusts: upload_rig.c.
 * Law: 1, 2. Spec: docs/spec/order.md (uploads in parts), docs/spec/entry.md
 */
#include "gate/upload_rig.h"

static void an_upload_begins_with_one_leaf_and_holds_nothing(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1];
    rig_create(r, "x-amz-checksum-algorithm", "SHA256", id);
    struct wire_answer m = rig_answer(r, 1);
    assert_true(slice_is(rig_header(m.headers, "x-amz-checksum-algorithm"), "SHA256"));
    assert_true(slice_is(rig_header(m.headers, "x-amz-checksum-type"), "COMPOSITE"));
    struct rig_leaf l;
    rig_leaf(r, rig_leaf_at(r, 1), &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_ACT), "CreateMultipartUpload"));
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    rig_assert_up(&l, id, 0);
    rig_leaf_done(&l);
    assert_int_equal(log_size(r->t->access), 1);
    assert_int_equal(r->upload_count, 1);
    assert_int_equal(holds_count(r->g->holds), 0);
    assert_int_equal(tenants_bucket(r->t, SLICE_LIT(RIG_BUCKET))->holds, 0);
    assert_int_equal(rig_saw(r, "find up", 0), -1);
    rig_free(r);
}

static void what_cannot_be_summed_so_is_refused(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    static const struct { const char *name, *value; } bad[] = {{"x-amz-checksum-algorithm", "FOO"}, {"x-amz-checksum-type", "FULL_OBJECT"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t n = rig_next++;
        rig_ask(r, n, (struct rig_ask){.method = "POST", .path = "/bucket/up", .query = "uploads=", .header = bad[i].name, .value = bad[i].value});
        rig_status(r, n, 400, "InvalidRequest");
    }
    assert_int_equal(r->upload_count, 0);
    rig_free(r);
}

static void a_part_is_a_leaf_that_names_the_part_it_replaces(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etag[40];
    rig_create(r, NULL, NULL, id);
    uint64_t first = rig_part_put(r, id, "3", "hello", etag);
    assert_string_equal(etag, "5d41402abc4b2a76b9719d911017c592");
    uint64_t second = rig_part_put(r, id, "3", "again", etag);
    struct rig_leaf l;
    rig_leaf(r, rig_leaf_at(r, first), &l);
    rig_assert_up(&l, id, 3);
    assert_true(rig_leaf_ver(&l) == RECORD_VER_NONE);
    assert_int_equal(record_int(&l.leaf, RECORD_F_BYTES, 0), 5);
    assert_non_null(record_opened_field(&l.opening, RECORD_F_NEW));
    rig_leaf_done(&l);
    rig_leaf(r, rig_leaf_at(r, second), &l);
    assert_true(rig_leaf_ver(&l) == rig_leaf_at(r, first));
    rig_leaf_done(&l);
    assert_int_equal(rig_parts_there(r), 1);
    assert_int_equal(holds_count(r->g->holds), 0);
    rig_free(r);
}

static void a_part_of_no_upload_gets_no_ticket(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    rig_part_ask(r, 1, "aaaaaaaaaaaaaaaaaaaaaaaaaa", "1", "hello");
    rig_status(r, 1, 404, "NoSuchUpload");
    rig_part_ask(r, 2, "nonsense", "1", "hello");
    rig_status(r, 2, 404, "NoSuchUpload");
    struct rig_leaf l;
    rig_leaf(r, rig_leaf_at(r, 1), &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_WHY), "NoSuchUpload"));
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 0);
    rig_leaf_done(&l);
    assert_int_equal(rig_saw(r, "grant", 0), -1);
    rig_free(r);
}

static void part_numbers_are_one_to_ten_thousand(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etag[40];
    static const char *const bad[] = {"0", "10001", "abc", "-1", ""};
    rig_create(r, NULL, NULL, id);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t n = rig_next++;
        rig_part_ask(r, n, id, bad[i], "hello");
        rig_status(r, n, 400, "InvalidArgument");
    }
    rig_part_put(r, id, "10000", "hello", etag);
    rig_free(r);
}

static void a_part_is_summed_as_its_upload_asks(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], query[128], etag[40];
    rig_create(r, "x-amz-checksum-algorithm", "SHA256", id);
    uint64_t n = rig_next++;
    rig_query(query, id, "1");
    rig_ask(r, n, (struct rig_ask){.method = "PUT", .path = "/bucket/up", .query = query, .body = "hello", .header = "x-amz-checksum-crc32", .value = "NhCmhg=="});
    rig_status(r, n, 400, "InvalidRequest");    /* D11 */
    n = rig_part_put(r, id, "1", "hello", etag);
    assert_true(slice_is(rig_header(rig_answer(r, n).headers, "x-amz-checksum-sha256"), "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="));
    rig_create(r, NULL, NULL, id);                     /* one that asked for nothing takes what comes */
    n = rig_next++;
    rig_query(query, id, "1");
    rig_ask(r, n, (struct rig_ask){.method = "PUT", .path = "/bucket/up", .query = query, .body = "hello", .header = "x-amz-checksum-crc32", .value = "NhCmhg=="});
    rig_ticket(r, n);
    rig_commit(r, n, "hello");
    rig_status(r, n, 200, "");
    assert_true(slice_is(rig_header(rig_answer(r, n).headers, "x-amz-checksum-crc32"), "NhCmhg=="));
    rig_free(r);
}

static void an_object_is_made_of_its_parts(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[2][40], body[1024], want[64], got[64];
    static const char *const bodies[] = {"hello ", "world"};
    rig_create(r, "x-amz-meta-color", "blue", id);
    rig_part_put(r, id, "2", bodies[1], etags[1]);
    rig_part_put(r, id, "1", bodies[0], etags[0]);
    rig_part_put(r, id, "7", "left out", want);
    rig_complete_xml(body, 2, rig_one_two, etags);
    uint64_t n = rig_complete(r, id, body, NULL, NULL);
    rig_status(r, n, 200, "");
    rig_etag_want(etags, 2, want);
    rig_element(rig_answer(r, n).body, "ETag", got, sizeof got);
    assert_non_null(strstr(got, want));
    rig_element(rig_answer(r, n).body, "ChecksumCRC64NVME", got, sizeof got);
    assert_string_equal(got, "jSnVw/bqjr4=");      /* of "hello world": combined from the parts' */
    rig_assert_rows_open(r, id, bodies, 2);
    struct rig_leaf l;
    struct record_new made;
    rig_leaf(r, rig_leaf_at(r, n), &l);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    assert_int_equal(record_int(&l.leaf, RECORD_F_BYTES, 0), 11);
    rig_assert_up(&l, id, 0);
    assert_true(rig_leaf_ver(&l) == RECORD_VER_NONE);
    assert_int_equal(record_new_get(record_opened_field(&l.opening, RECORD_F_NEW)->value, &made), ERR_OK);
    assert_true(slice_is(made.etag, want));
    rig_leaf_done(&l);
    assert_int_equal(holds_count(r->g->holds), 0);
    /* M09 */
    uint64_t size = log_size(r->t->access);
    n = rig_complete(r, id, body, NULL, NULL);
    rig_status(r, n, 200, "");
    rig_element(rig_answer(r, n).body, "ETag", got, sizeof got);
    assert_non_null(strstr(got, want));
    assert_int_equal(log_size(r->t->access), size + 1);
    rig_leaf(r, rig_leaf_at(r, n), &l);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 0);
    assert_true(rig_leaf_ver(&l) == size - 1);
    rig_leaf_done(&l);
    /* with other parts it is another upload's business */
    rig_complete_xml(body, 1, rig_one_two, etags);
    n = rig_complete(r, id, body, NULL, NULL);
    rig_status(r, n, 404, "NoSuchUpload");
    rig_free(r);
}

static void what_the_client_says_of_the_whole_must_be_so(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[2][40], body[1024];
    rig_create(r, "x-amz-checksum-algorithm", "SHA256", id);
    rig_part_put(r, id, "1", "hello ", etags[0]);
    rig_part_put(r, id, "2", "world", etags[1]);
    rig_complete_xml(body, 2, rig_one_two, etags);
    static const struct { const char *name, *value; unsigned status; const char *code; } said[] = {
        {"x-amz-checksum-sha256", "bad", 400, "BadDigest"},
        {"x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=-2", 400, "BadDigest"},
        {"x-amz-checksum-type", "FULL_OBJECT", 400, "BadDigest"},
        {"x-amz-mp-object-size", "12", 400, "InvalidRequest"},
        {"x-amz-mp-object-size", "many", 400, "InvalidRequest"},
    };
    for (size_t i = 0; i < ARRAY_LEN(said); i++) rig_status(r, rig_complete(r, id, body, said[i].name, said[i].value), said[i].status, said[i].code);
    rig_status(r, rig_complete(r, id, body, "x-amz-mp-object-size", "11"), 200, "");
    rig_free(r);
}

static void parts_are_those_that_are_there_in_ascending_order(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[2][40], swapped[2][40], body[1024];
    static const char *const two_one[] = {"2", "1"}, *const twice[] = {"1", "1"}, *const one_three[] = {"1", "3"};
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello ", etags[0]);
    rig_part_put(r, id, "2", "world", etags[1]);
    memcpy(swapped[0], etags[1], sizeof etags[0]);
    memcpy(swapped[1], etags[0], sizeof etags[0]);
    rig_complete_xml(body, 2, two_one, swapped);
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 400, "InvalidPartOrder");
    rig_complete_xml(body, 2, twice, etags);
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 400, "InvalidPartOrder");
    rig_complete_xml(body, 2, one_three, etags);
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 400, "InvalidPart");
    rig_complete_xml(body, 2, rig_one_two, swapped);
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 400, "InvalidPart");
    rig_status(r, rig_complete(r, id, "<CompleteMultipartUpload></CompleteMultipartUpload>", NULL, NULL), 400, "MalformedXML");
    r->g->conf.part_min_bytes = 7;
    rig_complete_xml(body, 2, rig_one_two, etags);
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 400, "EntityTooSmall");
    r->g->conf.part_min_bytes = 6;                 /* the last one may be smaller */
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 200, "");
    assert_int_equal(rig_seen.kind, COMMAND_COMPLETE);
    rig_free(r);
}

static void conditions_look_at_the_object_that_is_there(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[1][40], body[1024];
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etags[0]);
    rig_complete_xml(body, 1, rig_one_two, etags);
    rig_status(r, rig_complete(r, id, body, "if-match", "*"), 404, "NoSuchKey");
    rig_status(r, rig_complete(r, id, body, "if-none-match", "*"), 200, "");
    uint64_t made = log_size(r->t->access) - 1;
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etags[0]);
    rig_complete_xml(body, 1, rig_one_two, etags);
    uint64_t n = rig_complete(r, id, body, "if-none-match", "*");
    rig_status(r, n, 412, "PreconditionFailed");
    struct rig_leaf l;
    rig_leaf(r, rig_leaf_at(r, n), &l);
    assert_true(rig_leaf_ver(&l) == made);
    rig_assert_up(&l, id, 0);
    rig_leaf_done(&l);
    rig_status(r, rig_complete(r, id, body, "if-match", "*"), 200, "");
    rig_free(r);
}

/* Parts are not held against Complete: the order of the leaves decides. */
static void a_part_that_comes_behind_complete_is_a_void(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[1][40], body[1024];
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etags[0]);
    uint64_t late = rig_next++;
    rig_part_ask(r, late, id, "1", "other");
    rig_ticket(r, late);
    r->hold_applies = true;
    rig_complete_xml(body, 1, rig_one_two, etags);
    uint64_t whole = rig_complete(r, id, body, NULL, NULL);
    rig_wait_event(r, "apply 2", 1);
    rig_commit(r, late, "other");
    rig_wait_event(r, "apply 3", 1);
    r->hold_applies = false;
    rig_release_held(r);
    rig_status(r, whole, 200, "");
    rig_status(r, late, 404, "NoSuchUpload");
    struct rig_leaf l;
    rig_leaf(r, 4, &l);
    assert_int_equal(l.leaf.kind, RECORD_K_VOID);
    assert_int_equal(record_int(&l.leaf, RECORD_F_REF, 0), 3);
    rig_leaf_done(&l);
    rig_free(r);
}

static void a_part_that_comes_when_its_upload_is_over_is_refused_with_a_read(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[1][40], body[1024];
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etags[0]);
    uint64_t late = rig_next++;
    rig_part_ask(r, late, id, "1", "other");
    rig_ticket(r, late);
    rig_complete_xml(body, 1, rig_one_two, etags);
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 200, "");
    rig_commit(r, late, "other");
    rig_status(r, late, 404, "NoSuchUpload");
    struct rig_leaf l;
    rig_leaf(r, rig_leaf_at(r, late), &l);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 0);
    rig_assert_up(&l, id, 1);
    rig_leaf_done(&l);
    assert_int_equal(log_size(r->t->access), 4);
    rig_free(r);
}

static void a_part_that_comes_before_completes_leaf_makes_that_a_void(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[1][40], body[1024];
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etags[0]);
    uint64_t again = rig_next++;
    rig_part_ask(r, again, id, "1", "other");
    rig_ticket(r, again);
    r->hold_applies = true;
    rig_commit(r, again, "other");
    rig_wait_event(r, "apply 2", 1);
    rig_complete_xml(body, 1, rig_one_two, etags);
    uint64_t whole = rig_complete(r, id, body, NULL, NULL);     /* sees the part that is being replaced */
    rig_wait_event(r, "apply 3", 1);
    r->hold_applies = false;
    rig_release_held(r);
    rig_status(r, again, 200, "");
    rig_status(r, whole, 503, "ServiceUnavailable");
    assert_true(r->uploads[0].entry.n > 0);        /* the client asks again, and finds the other part */
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 400, "InvalidPart");
    rig_free(r);
}

static void an_upload_is_aborted_once(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], query[128], etag[40];
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etag);
    rig_query(query, id, NULL);
    uint64_t n = rig_next++;
    rig_ask(r, n, (struct rig_ask){.method = "DELETE", .path = "/bucket/up", .query = query});
    rig_status(r, n, 204, "");
    struct rig_leaf l;
    rig_leaf(r, rig_leaf_at(r, n), &l);
    rig_assert_up(&l, id, 0);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    rig_leaf_done(&l);
    assert_int_equal(rig_parts_there(r), 0);
    n = rig_next++;
    rig_ask(r, n, (struct rig_ask){.method = "DELETE", .path = "/bucket/up", .query = query});
    rig_status(r, n, 404, "NoSuchUpload");
    rig_status(r, rig_complete(r, id, "<CompleteMultipartUpload><Part><ETag>5d41402abc4b2a76b9719d911017c592</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>", NULL, NULL), 404,
                  "NoSuchUpload");
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_begins_with_one_leaf_and_holds_nothing),
        cmocka_unit_test(what_cannot_be_summed_so_is_refused),
        cmocka_unit_test(a_part_is_a_leaf_that_names_the_part_it_replaces),
        cmocka_unit_test(a_part_of_no_upload_gets_no_ticket),
        cmocka_unit_test(part_numbers_are_one_to_ten_thousand),
        cmocka_unit_test(a_part_is_summed_as_its_upload_asks),
        cmocka_unit_test(an_object_is_made_of_its_parts),
        cmocka_unit_test(what_the_client_says_of_the_whole_must_be_so),
        cmocka_unit_test(parts_are_those_that_are_there_in_ascending_order),
        cmocka_unit_test(conditions_look_at_the_object_that_is_there),
        cmocka_unit_test(a_part_that_comes_behind_complete_is_a_void),
        cmocka_unit_test(a_part_that_comes_when_its_upload_is_over_is_refused_with_a_read),
        cmocka_unit_test(a_part_that_comes_before_completes_leaf_makes_that_a_void),
        cmocka_unit_test(an_upload_is_aborted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
