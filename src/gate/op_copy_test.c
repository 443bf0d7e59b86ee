/* SPDX-License-Identifier: Apache-2.0
 * Copies: shared bytes, bytes that move, what of the source goes along, rule 8 for the source, refusals.
 * Role: tests of op_copy.c. Trusts: object_rig.c. Law: 1, 2. Spec: docs/spec/order.md (copies), docs/spec/record.md (`copy`)
 */
#include <stdio.h>

#include "gate/object_rig.h"

static struct record_copy copy_of_leaf(struct rig *r, uint64_t index, struct rig_leaf *l)
{
    struct record_copy c;
    rig_leaf(r, index, l);
    const struct record_opened *o = record_opened_field(&l->opening, RECORD_F_COPY);
    assert_non_null(o);
    assert_int_equal(record_copy_get(o->value, &c), ERR_OK);
    return c;
}

static void a_copy_shares_the_bytes_and_its_leaf_names_both(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    struct answer put = object_put_as(r, (struct rig_ask){.method = "PUT", .path = "/bucket/a", .body = "one", .header = "x-amz-meta-m", .value = "v"});
    struct answer copied = object_copy(r, "/bucket/b", "/bucket/a", NULL, NULL);
    object_is(copied, 200, "");
    object_has(copied, "<CopyObjectResult");
    assert_string_equal(copied.etag, put.etag);
    assert_true(rig_saw(r, "shared", 0) >= 0);
    struct record_copy c = copy_of_leaf(r, copied.index, &l);
    assert_true(slice_is(c.bucket, "bucket") && slice_is(c.key, "a"));
    assert_int_equal(c.ver, put.index);
    assert_int_equal(rig_leaf_ver(&l), RECORD_VER_NONE);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    rig_leaf_done(&l);
    rig_ask(r, 800, (struct rig_ask){.method = "GET", .path = "/bucket/b"});
    struct wire_release m = rig_release(r, 800);
    assert_true(slice_is(rig_header(m.headers, "x-amz-meta-m"), "v"));
    assert_int_equal(m.size, 3);
    object_end(r);
}

static void replace_takes_the_requests_metadata_and_tags(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_put_as(r, (struct rig_ask){.method = "PUT", .path = "/bucket/a", .body = "one", .header = "x-amz-meta-m", .value = "old",
                                      .headers = {{SLICE_LIT("x-amz-tagging"), SLICE_LIT("k=old")}}});
    struct rig_ask a = {.method = "PUT", .path = "/bucket/b", .header = "x-amz-copy-source", .value = "bucket/a",
                        .headers = {{SLICE_LIT("x-amz-meta-m"), SLICE_LIT("new")}, {SLICE_LIT("x-amz-metadata-directive"), SLICE_LIT("REPLACE")}}};
    object_is(object_ask(r, a), 200, "");
    object_has(object_get_tags(r, "/bucket/b", NULL), "<Value>old</Value>");
    rig_ask(r, 800, (struct rig_ask){.method = "GET", .path = "/bucket/b"});
    assert_true(slice_is(rig_header(rig_release(r, 800).headers, "x-amz-meta-m"), "new"));
    struct rig_ask tags = {.method = "PUT", .path = "/bucket/c", .header = "x-amz-copy-source", .value = "bucket/a",
                           .headers = {{SLICE_LIT("x-amz-tagging"), SLICE_LIT("k=new")}, {SLICE_LIT("x-amz-tagging-directive"), SLICE_LIT("REPLACE")}}};
    object_is(object_ask(r, tags), 200, "");
    object_has(object_get_tags(r, "/bucket/c", NULL), "<Value>new</Value>");
    tags.headers[1].value = SLICE_LIT("SOMETHING");
    object_is(object_ask(r, tags), 400, "InvalidArgument");
    object_end(r);
}

static void onto_itself_a_copy_must_change_something(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_put(r, "/bucket/a", "one");
    object_is(object_copy(r, "/bucket/a", "bucket/a", NULL, NULL), 400, "InvalidRequest");
    object_is(object_copy(r, "/bucket/a", "bucket/a", "x-amz-metadata-directive", "REPLACE"), 200, "");
    assert_int_equal(object_count(r, "a", RIG_GRAVE), 1);
    assert_int_equal(object_get(r, "/bucket/a", NULL).status, 200);
    object_end(r);
}

static void a_version_can_be_copied_and_brought_back(void **state)
{
    struct rig *r = object_begin();
    char source[128];
    (void)state;
    object_versioning(r, "Enabled");
    struct answer one = object_put(r, "/bucket/a", "one");
    object_put(r, "/bucket/a", "two!");
    snprintf(source, sizeof source, "bucket/a?versionId=%s", one.version);
    struct answer back = object_copy(r, "/bucket/a", source, NULL, NULL);
    object_is(back, 200, "");
    assert_string_equal(back.source_version, one.version);
    assert_string_equal(back.etag, one.etag);
    assert_int_equal(object_count(r, "a", RIG_NONCURRENT), 2);
    struct answer gone = object_delete(r, "/bucket/a", NULL);
    object_is(object_copy(r, "/bucket/b", "bucket/a", NULL, NULL), 404, "NoSuchKey");
    snprintf(source, sizeof source, "bucket/a?versionId=%s", gone.version);
    object_is(object_copy(r, "/bucket/b", source, NULL, NULL), 400, "InvalidRequest");
    object_is(object_copy(r, "/bucket/b", "bucket/a?versionId=aaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, NULL), 404, "NoSuchVersion");
    object_is(object_copy(r, "/bucket/b", "bucket/a?versionId=xyz", NULL, NULL), 400, "InvalidArgument");
    object_end(r);
}

static void conditions_are_judged_on_the_side_they_name(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    struct answer one = object_put(r, "/bucket/a", "one");
    object_is(object_copy(r, "/bucket/b", "bucket/a", "x-amz-copy-source-if-match", "\"no\""), 412, "PreconditionFailed");
    object_is(object_copy(r, "/bucket/b", "bucket/a", "x-amz-copy-source-if-none-match", one.etag), 412, "PreconditionFailed");
    object_is(object_copy(r, "/bucket/b", "bucket/a", "x-amz-copy-source-if-match", one.etag), 200, "");
    object_is(object_copy(r, "/bucket/b", "bucket/a", "if-none-match", "*"), 412, "PreconditionFailed");
    object_is(object_copy(r, "/bucket/b", "bucket/a", "if-match", one.etag), 200, "");
    object_end(r);
}

static void what_is_not_there_is_refused_with_a_leaf_that_names_it(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    struct answer a = object_copy(r, "/bucket/b", "bucket/a", NULL, NULL);
    object_is(a, 404, "NoSuchKey");
    struct record_copy c = copy_of_leaf(r, a.index, &l);
    assert_int_equal(c.ver, RECORD_VER_NONE);
    assert_false(record_has(&l.leaf, RECORD_F_W));
    rig_leaf_done(&l);
    object_is(object_copy(r, "/bucket/b", "elsewhere/a", NULL, NULL), 404, "NoSuchBucket");
    object_is(object_copy(r, "/bucket/b", "no-slash", NULL, NULL), 400, "InvalidArgument");
    object_is(object_copy(r, "/bucket/b", "bucket/a", "x-amz-checksum-algorithm", "FOO"), 400, "InvalidRequest");
    object_put(r, "/bucket/a", "one");
    struct answer other = object_ask(r, (struct rig_ask){.method = "PUT", .path = "/bucket/b", .header = "x-amz-copy-source", .value = "bucket/a",
                                                        .key = RIG_KEY_OTHER});
    assert_int_equal(other.status, 403);
    object_end(r);
}

static void a_copy_that_the_keeper_refuses_is_a_void_and_503(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    object_put(r, "/bucket/a", "one");
    r->refuse = true;
    object_is(object_copy(r, "/bucket/b", "bucket/a", NULL, NULL), 503, "ServiceUnavailable");
    rig_leaf(r, log_size(r->t->access) - 1, &l);
    assert_int_equal(l.leaf.kind, RECORD_K_VOID);
    rig_leaf_done(&l);
    r->refuse = false;
    assert_int_equal(object_get(r, "/bucket/b", NULL).status, 404);
    object_end(r);
}

/* Rule 8: between the source's FIND and the leaf the source is written: the copy looks again and takes what is there then. */
static void a_source_that_is_written_meanwhile_is_looked_at_again(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    object_put(r, "/bucket/a", "one");
    r->hold_finds = true;
    size_t from = r->event_count;
    rig_ask(r, 700, (struct rig_ask){.method = "PUT", .path = "/bucket/b", .header = "x-amz-copy-source", .value = "bucket/a"});
    rig_wait_event(r, "find a", 2);
    r->hold_finds = false;
    rig_put(r, 701, "/bucket/a", "two!");
    rig_status(r, 701, 200, "");
    uint64_t written = rig_receipt(rig_answer(r, 701).receipt);
    rig_release_held(r);                           /* the source as it was before */
    struct answer a = object_answer(r, 700);
    object_is(a, 200, "");
    struct record_copy c = copy_of_leaf(r, a.index, &l);
    assert_int_equal(c.ver, written);
    rig_leaf_done(&l);
    assert_true(rig_saw(r, "find a", from) >= 0);
    object_end(r);
}

/* The same with a write that is not settled: the copy waits for it. */
static void a_source_with_an_unsettled_write_is_waited_for(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    object_put(r, "/bucket/a", "one");
    r->hold_applies = true;
    rig_put(r, 701, "/bucket/a", "two!");
    rig_wait_event(r, "find a", 2);
    rig_turns(r, 20);
    uint64_t size = log_size(r->t->access);
    rig_ask(r, 700, (struct rig_ask){.method = "PUT", .path = "/bucket/b", .header = "x-amz-copy-source", .value = "bucket/a"});
    rig_turns(r, 50);
    assert_int_equal(log_size(r->t->access), size);          /* no leaf while it hangs */
    r->hold_applies = false;
    rig_release_held(r);
    rig_status(r, 701, 200, "");
    struct answer a = object_answer(r, 700);
    object_is(a, 200, "");
    struct record_copy c = copy_of_leaf(r, a.index, &l);
    assert_int_equal(c.ver, size - 1);
    rig_leaf_done(&l);
    object_end(r);
}

/* What the keeper found before it settled a write is old, even when the write is settled by the time the leaf is due. */
static void a_source_found_before_its_write_was_settled_is_looked_at_again(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    object_put(r, "/bucket/a", "one");
    r->hold_applies = true;
    rig_put(r, 701, "/bucket/a", "two!");
    rig_wait_event(r, "find a", 2);
    rig_turns(r, 20);
    uint64_t written = log_size(r->t->access) - 1;
    rig_ask(r, 700, (struct rig_ask){.method = "PUT", .path = "/bucket/b", .header = "x-amz-copy-source", .value = "bucket/a"});
    rig_wait_event(r, "find a", 3);                /* answered with what was there before */
    r->hold_finds = true;
    rig_turns(r, 30);
    r->hold_applies = r->hold_finds = false;
    rig_release_held(r);                           /* settled first, then whatever was asked behind it */
    rig_status(r, 701, 200, "");
    struct answer a = object_answer(r, 700);
    object_is(a, 200, "");
    struct record_copy c = copy_of_leaf(r, a.index, &l);
    assert_int_equal(c.ver, written);
    rig_leaf_done(&l);
    object_end(r);
}

/* Another checksum than the source has: read leaf, then TICKET and RELEASE, then COMMIT and the write leaf. */
static void another_checksum_moves_the_bytes_under_two_leaves(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    struct answer put = object_put(r, "/bucket/a", "one");
    rig_ask(r, 700, (struct rig_ask){.method = "PUT", .path = "/bucket/b", .header = "x-amz-copy-source", .value = "bucket/a",
                                     .headers = {{SLICE_LIT("x-amz-checksum-algorithm"), SLICE_LIT("SHA256")}}});
    struct rig_frame *f = rig_wait(r, 700);
    struct wire_ticket t;
    assert_int_equal(f->type, WIRE_TICKET);
    assert_int_equal(wire_get_ticket(buf_slice(&f->payload), &t), ERR_OK);
    assert_int_equal(t.copy, 1);
    assert_int_equal(t.size_max, 3);
    assert_true(t.sums & S3_SUM_BIT(S3_SUM_SHA256));
    rig_forget(r, 700);
    struct wire_release m = rig_release(r, 700);   /* behind the ticket */
    assert_int_equal(m.len, 3);
    assert_true(m.rows.n > 0);
    uint64_t read = rig_receipt(m.receipt);
    struct record_copy c = copy_of_leaf(r, read, &l);
    assert_int_equal(c.ver, put.index);
    assert_false(record_has(&l.leaf, RECORD_F_W));
    assert_int_equal(record_int(&l.leaf, RECORD_F_BYTES, 0), 3);
    rig_leaf_done(&l);
    assert_true(log_durable(r->t->access) > read);
    rig_forget(r, 700);
    rig_commit(r, 700, "one");
    struct answer a = object_answer(r, 700);
    object_is(a, 200, "");
    object_has(a, "<ChecksumSHA256>dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z/0Me0=</ChecksumSHA256>");
    assert_string_equal(a.etag, put.etag);
    rig_leaf(r, a.index, &l);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    assert_int_equal(a.index, read + 1);
    rig_leaf_done(&l);
    assert_int_equal(object_get(r, "/bucket/b", NULL).status, 200);
    object_end(r);
}

#define PARTS (WIRE_RELEASE_ROWS_MAX + 6)

/* An object of that many parts of four bytes. */
static void put_in_parts(struct rig *r, const char *path)
{
    char id[64], query[128];
    static char xml[PARTS * 128];
    size_t n = 0;
    r->g->conf.part_min_bytes = 1;
    struct answer a = object_ask(r, (struct rig_ask){.method = "POST", .path = path, .query = "uploads="});
    object_element(a, "UploadId", 0, id, sizeof id);
    n += (size_t)snprintf(xml, sizeof xml, "<CompleteMultipartUpload>");
    for (unsigned i = 1; i <= PARTS; i++) {
        snprintf(query, sizeof query, "partNumber=%u&uploadId=%s", i, id);
        struct answer part = object_put_as(r, (struct rig_ask){.method = "PUT", .path = path, .query = query, .body = "part"});
        object_is(part, 200, "");
        n += (size_t)snprintf(xml + n, sizeof xml - n, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", i, part.etag);
    }
    snprintf(xml + n, sizeof xml - n, "</CompleteMultipartUpload>");
    snprintf(query, sizeof query, "uploadId=%s", id);
    object_control(r, (struct rig_ask){.method = "POST", .path = path, .query = query, .body = xml}, 200);
}

/* A part set: shared whole; moved, its rows go out in portions, and the request lives on behind the last one, for its COMMIT. */
static void an_object_in_parts_is_shared_whole_or_moved_in_portions(void **state)
{
    struct rig *r = object_begin();
    char body[4 * PARTS + 1];
    (void)state;
    put_in_parts(r, "/bucket/a");
    struct answer shared = object_copy(r, "/bucket/b", "bucket/a", NULL, NULL);
    object_is(shared, 200, "");
    assert_non_null(strstr(shared.etag, "-70"));
    rig_ask(r, 700, (struct rig_ask){.method = "PUT", .path = "/bucket/c", .header = "x-amz-copy-source", .value = "bucket/a",
                                     .headers = {{SLICE_LIT("x-amz-checksum-algorithm"), SLICE_LIT("SHA256")}}});
    assert_int_equal(rig_wait(r, 700)->type, WIRE_TICKET);
    rig_forget(r, 700);
    struct wire_release m = rig_release(r, 700);
    assert_int_equal(m.len, 4 * PARTS);
    assert_int_equal(m.more, 1);
    rig_forget(r, 700);
    struct wire_next next = {0};
    assert_int_equal(wire_put_next(wire_conn_out(r->front), 700, &next), ERR_OK);
    wire_conn_kick(r->front);
    m = rig_release(r, 700);
    assert_int_equal(m.more, 0);
    assert_true(m.rows.n > 0);
    rig_forget(r, 700);
    for (size_t i = 0; i < PARTS; i++) memcpy(body + 4 * i, "part", 4);
    body[sizeof body - 1] = 0;
    rig_commit(r, 700, body);
    struct answer a = object_answer(r, 700);
    object_is(a, 200, "");
    assert_null(strchr(a.etag, '-'));              /* one blob now */
    assert_int_equal(object_get(r, "/bucket/c", NULL).status, 200);
    object_end(r);
}

/* The client goes while its rows are out: nothing is written, and the destination is as it was. */
static void a_moved_copy_whose_client_goes_leaves_nothing(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_put(r, "/bucket/a", "one");
    rig_ask(r, 700, (struct rig_ask){.method = "PUT", .path = "/bucket/b", .header = "x-amz-copy-source", .value = "bucket/a",
                                     .headers = {{SLICE_LIT("x-amz-checksum-algorithm"), SLICE_LIT("CRC32")}}});
    assert_int_equal(rig_wait(r, 700)->type, WIRE_TICKET);
    rig_forget(r, 700);
    rig_release(r, 700);
    uint64_t size = log_size(r->t->access);
    struct wire_abort m = {0};
    assert_int_equal(wire_put_abort(wire_conn_out(r->front), 700, &m), ERR_OK);
    wire_conn_kick(r->front);
    rig_turns(r, 30);
    assert_int_equal(requests_count(r->g->requests), 0);
    assert_int_equal(log_size(r->t->access), size);
    assert_int_equal(object_count(r, "b", RIG_CURRENT), 0);
    object_end(r);
}

static void a_moved_copy_judges_its_destination_when_it_commits(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_put(r, "/bucket/a", "one");
    rig_ask(r, 700, (struct rig_ask){.method = "PUT", .path = "/bucket/b", .header = "x-amz-copy-source", .value = "bucket/a",
                                     .headers = {{SLICE_LIT("x-amz-checksum-algorithm"), SLICE_LIT("CRC32")}, {SLICE_LIT("if-none-match"), SLICE_LIT("*")}}});
    assert_int_equal(rig_wait(r, 700)->type, WIRE_TICKET);
    rig_forget(r, 700);
    rig_release(r, 700);
    rig_forget(r, 700);
    object_put(r, "/bucket/b", "other");
    rig_commit(r, 700, "one");
    object_is(object_answer(r, 700), 412, "PreconditionFailed");
    object_end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_shares_the_bytes_and_its_leaf_names_both),
        cmocka_unit_test(replace_takes_the_requests_metadata_and_tags),
        cmocka_unit_test(onto_itself_a_copy_must_change_something),
        cmocka_unit_test(a_version_can_be_copied_and_brought_back),
        cmocka_unit_test(conditions_are_judged_on_the_side_they_name),
        cmocka_unit_test(what_is_not_there_is_refused_with_a_leaf_that_names_it),
        cmocka_unit_test(a_copy_that_the_keeper_refuses_is_a_void_and_503),
        cmocka_unit_test(a_source_that_is_written_meanwhile_is_looked_at_again),
        cmocka_unit_test(a_source_with_an_unsettled_write_is_waited_for),
        cmocka_unit_test(a_source_found_before_its_write_was_settled_is_looked_at_again),
        cmocka_unit_test(another_checksum_moves_the_bytes_under_two_leaves),
        cmocka_unit_test(an_object_in_parts_is_shared_whole_or_moved_in_portions),
        cmocka_unit_test(a_moved_copy_whose_client_goes_leaves_nothing),
        cmocka_unit_test(a_moved_copy_judges_its_destination_when_it_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
