/* SPDX-License-Identifier: Apache-2.0
 * Parts that come from other objects: shared, moved, refused.
 * Role: tests of op_part_copy.c. Trusts: upload_rig.c.
 * Law: 1, 2. Spec: docs/spec/order.md (uploads in parts)
 */
#include "gate/upload_rig.h"

#include <stdio.h>

static uint64_t part_copy(struct rig *r, const char *id, const char *number, const char *source, const char *range)
{
    char query[128];
    uint64_t n = rig_next++;
    rig_query(query, id, number);
    struct rig_ask a = {.method = "PUT", .path = "/bucket/up", .query = query, .header = "x-amz-copy-source", .value = source};
    if (range) a.headers[0] = (struct s3_header){SLICE_LIT("x-amz-copy-source-range"), slice_str(range)};
    rig_ask(r, n, a);
    return n;
}

static void source_put(struct rig *r, const char *body)
{
    uint64_t n = rig_next++;
    rig_put(r, n, "/bucket/src", body);
    rig_status(r, n, 200, "");
}

static void assert_copy(const struct rig_leaf *l, const char *key, uint64_t ver)
{
    struct record_copy c;
    const struct record_opened *o = record_opened_field(&l->opening, RECORD_F_COPY);
    assert_non_null(o);
    assert_int_equal(record_copy_get(o->value, &c), ERR_OK);
    assert_true(slice_is(c.bucket, RIG_BUCKET));
    assert_true(slice_is(c.key, key));
    assert_true(c.ver == ver);
}

static void a_whole_object_becomes_a_part_without_moving(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[1][40], body[1024];
    source_put(r, "hello");
    rig_create(r, NULL, NULL, id);
    uint64_t n = part_copy(r, id, "1", "/bucket/src", NULL);
    rig_status(r, n, 200, "");
    assert_int_equal(rig_seen.source, 1);
    rig_element(rig_answer(r, n).body, "ETag", body, sizeof body);
    assert_non_null(strstr(body, "5d41402abc4b2a76b9719d911017c592"));
    assert_int_equal(log_size(r->t->access), 3);   /* one leaf for both sides */
    struct rig_leaf l;
    rig_leaf(r, rig_leaf_at(r, n), &l);
    rig_assert_up(&l, id, 1);
    assert_copy(&l, "src", 0);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    rig_leaf_done(&l);
    snprintf(etags[0], sizeof etags[0], "5d41402abc4b2a76b9719d911017c592");
    rig_complete_xml(body, 1, rig_one_two, etags);
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 200, "");
    static const char *const bodies[] = {"hello"};
    rig_assert_rows_open(r, id, bodies, 1);
    assert_int_equal(holds_count(r->g->holds), 0);
    rig_free(r);
}

/* LAW-1: the front gets the source's keys behind a durable leaf of their own. */
static void a_range_moves_through_the_front_under_two_leaves(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1];
    source_put(r, "hello world");
    rig_create(r, NULL, NULL, id);
    uint64_t n = part_copy(r, id, "2", "bucket/src", "bytes=6-10");
    struct rig_frame *f = rig_wait(r, n);
    struct wire_ticket t;
    assert_int_equal(f->type, WIRE_TICKET);
    assert_int_equal(wire_get_ticket(buf_slice(&f->payload), &t), ERR_OK);
    assert_int_equal(t.copy, 1);
    assert_int_equal(t.size_max, 5);
    rig_forget(r, n);
    struct wire_release rel = rig_release(r, n);
    assert_int_equal(rel.off, 6);
    assert_int_equal(rel.len, 5);
    assert_int_equal(rel.size, 11);
    uint64_t read = rig_receipt(rel.receipt);
    assert_true(log_durable(r->t->access) > read);
    struct rig_leaf l;
    rig_leaf(r, read, &l);
    assert_copy(&l, "src", 0);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 0);
    assert_int_equal(record_int(&l.leaf, RECORD_F_BYTES, 0), 5);
    rig_leaf_done(&l);
    rig_forget(r, n);
    rig_commit(r, n, "world");
    rig_status(r, n, 200, "");
    rig_leaf(r, rig_leaf_at(r, n), &l);
    assert_null(record_opened_field(&l.opening, RECORD_F_COPY));       /* what was read stands in the leaf before */
    rig_assert_up(&l, id, 2);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    rig_leaf_done(&l);
    assert_int_equal(rig_seen.source, 0);
    assert_int_equal(log_size(r->t->access), 4);
    rig_free(r);
}

static void what_cannot_be_copied_is_refused(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1];
    source_put(r, "hello");
    rig_create(r, NULL, NULL, id);
    static const struct { const char *source, *range; unsigned status; const char *code; } bad[] = {
        {"no-slash", NULL, 400, "InvalidArgument"},
        {"/bucket/src", "0-2", 400, "InvalidArgument"},
        {"/bucket/src", "bytes=0", 400, "InvalidArgument"},
        {"/bucket/src", "bytes=0-bar", 400, "InvalidArgument"},
        {"/bucket/src", "bytes=0-2,3-5", 400, "InvalidArgument"},
        {"/bucket/src", "bytes=0-21", 416, "InvalidRange"},
        {"/bucket/none", NULL, 404, "NoSuchKey"},
        {"/nobucket/src", NULL, 404, "NoSuchBucket"},
        {"/bucket/src?versionId=aaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, 404, "NoSuchVersion"},
        {"/bucket/src?versionId=nonsense", NULL, 400, "InvalidArgument"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) rig_status(r, part_copy(r, id, "1", bad[i].source, bad[i].range), bad[i].status, bad[i].code);
    rig_status(r, part_copy(r, "aaaaaaaaaaaaaaaaaaaaaaaaaa", "1", "/bucket/src", NULL), 404, "NoSuchUpload");
    assert_int_equal(rig_parts_there(r), 0);
    assert_int_equal(holds_count(r->g->holds), 0);
    rig_free(r);
}

static void given_to_the_other_account(struct rig *r, const char *actions, const char *resource)
{
    char body[1024];
    uint64_t n = rig_next++;
    snprintf(body, sizeof body, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::" RIG_ACCOUNT_OTHER
             ":root\"},\"Action\":[%s],\"Resource\":%s}]}", actions, resource);
    rig_control(r, n, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "policy=", .body = body});
    rig_status(r, n, 204, "");
}

static uint64_t others_part_copy(struct rig *r, const char *id, const char *source)
{
    char query[128];
    uint64_t n = rig_next++;
    rig_query(query, id, "1");
    rig_ask(r, n, (struct rig_ask){.method = "PUT", .path = "/bucket/up", .query = query, .header = "x-amz-copy-source", .value = source, .key = RIG_KEY_OTHER});
    return n;
}

/* As a GET: who may not list the source's bucket is not told what is absent there. */
static void an_absent_source_is_403_to_who_may_not_list(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1];
    source_put(r, "hello");
    rig_create(r, NULL, NULL, id);
    given_to_the_other_account(r, "\"s3:GetObject\",\"s3:PutObject\"", "\"arn:aws:s3:::bucket/*\"");
    rig_status(r, others_part_copy(r, id, "/bucket/none"), 403, "AccessDenied");
    rig_status(r, others_part_copy(r, id, "/bucket/src"), 200, "");
    given_to_the_other_account(r, "\"s3:GetObject\",\"s3:PutObject\",\"s3:ListBucket\"", "[\"arn:aws:s3:::bucket/*\",\"arn:aws:s3:::bucket\"]");
    rig_status(r, others_part_copy(r, id, "/bucket/none"), 404, "NoSuchKey");
    rig_free(r);
}

/* Rule 8: a source that is being written is looked at again. */
static void a_copy_waits_for_a_write_of_its_source(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], body[1024];
    source_put(r, "hello");
    rig_create(r, NULL, NULL, id);
    r->hold_applies = true;
    uint64_t w = rig_next++;
    rig_put(r, w, "/bucket/src", "newer");
    rig_wait_event(r, "apply 2", 1);
    uint64_t n = part_copy(r, id, "1", "/bucket/src", NULL);
    rig_turns(r, 50);
    assert_null(rig_frame_of(r, n));
    r->hold_applies = false;
    rig_release_held(r);
    rig_status(r, w, 200, "");
    rig_status(r, n, 200, "");
    rig_element(rig_answer(r, n).body, "ETag", body, sizeof body);
    assert_null(strstr(body, "5d41402abc4b2a76b9719d911017c592"));
    struct rig_leaf l;
    rig_leaf(r, rig_leaf_at(r, n), &l);
    assert_copy(&l, "src", 2);
    rig_leaf_done(&l);
    assert_int_equal(holds_count(r->g->holds), 0);
    assert_int_equal(tenants_bucket(r->t, SLICE_LIT(RIG_BUCKET))->holds, 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_object_becomes_a_part_without_moving),
        cmocka_unit_test(a_range_moves_through_the_front_under_two_leaves),
        cmocka_unit_test(what_cannot_be_copied_is_refused),
        cmocka_unit_test(an_absent_source_is_403_to_who_may_not_list),
        cmocka_unit_test(a_copy_waits_for_a_write_of_its_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
