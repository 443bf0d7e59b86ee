/* SPDX-License-Identifier: Apache-2.0
 * Writes of object versions, tags and copies, against a keeper that keeps them: what the leaf says, what the keeper is told, what the client gets.
 * Role: tests of object.c, op_put.c, op_delete.c, op_copy.c, op_tagging.c. Trusts: gate_rig.c. Law: 1. Spec: docs/spec/order.md, docs/spec/record.md
 */
#include <stdio.h>
#include <stdlib.h>

#include "gate/object_rig.h"

/* put ------------------------------------------------------------------------------------------------------------------------ */

static void without_versioning_a_put_ends_what_was_there_and_names_no_version(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    struct answer one = object_put(r, "/bucket/a", "one"), two = object_put(r, "/bucket/a", "two");
    assert_string_equal(one.version, "");
    assert_string_equal(two.version, "");
    struct rig_leaf l;
    rig_leaf(r, two.index, &l);
    assert_int_equal(rig_leaf_ver(&l), one.index);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    rig_leaf_done(&l);
    assert_int_equal(object_count(r, "a", RIG_GRAVE), 1);
    assert_int_equal(object_count(r, "a", RIG_CURRENT), 1);
    object_end(r);
}

static void with_versioning_every_put_is_a_version_that_is_kept(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_versioning(r, "Enabled");
    struct answer one = object_put(r, "/bucket/a", "one"), two = object_put(r, "/bucket/a", "two");
    assert_int_equal(strlen(one.version), ID_TEXT_CHARS);
    assert_string_not_equal(one.version, two.version);
    assert_true(strcmp(two.version, one.version) < 0);       /* the newer sorts first */
    assert_int_equal(object_count(r, "a", RIG_NONCURRENT), 1);
    assert_int_equal(object_get(r, "/bucket/a", NULL).status, 200);
    assert_string_equal(object_get(r, "/bucket/a", one.version).version, one.version);
    object_end(r);
}

static void suspended_there_is_one_null_version_wherever_it_stands(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_put(r, "/bucket/a", "null");
    object_versioning(r, "Enabled");
    struct answer kept = object_put(r, "/bucket/a", "kept");
    object_versioning(r, "Suspended");
    struct answer null = object_put(r, "/bucket/a", "null again");
    assert_string_equal(null.version, "");         /* it goes unnamed */
    assert_int_equal(object_count(r, "a", RIG_GRAVE), 1);    /* the first null version */
    assert_string_equal(object_get(r, "/bucket/a", NULL).version, "null");
    assert_int_equal(object_count(r, "a", RIG_NONCURRENT), 1);
    assert_string_equal(object_get(r, "/bucket/a", kept.version).version, kept.version);
    object_put(r, "/bucket/a", "and again");
    assert_int_equal(object_count(r, "a", RIG_GRAVE), 2);
    assert_int_equal(object_count(r, "a", RIG_NONCURRENT), 1);
    object_end(r);
}

static void a_delete_marker_is_nothing_to_a_conditional_put(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_versioning(r, "Enabled");
    object_put(r, "/bucket/a", "one");
    struct rig_ask only_new = {.method = "PUT", .path = "/bucket/a", .body = "two", .header = "if-none-match", .value = "*"};
    object_is(object_put_as(r, only_new), 412, "PreconditionFailed");
    object_is(object_delete(r, "/bucket/a", NULL), 204, "");
    object_is(object_put_as(r, only_new), 200, "");
    object_end(r);
}

static void acls_are_refused_as_the_buckets_ownership_says(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    struct rig_ask a = {.method = "PUT", .path = "/bucket/a", .body = "x", .header = "x-amz-acl", .value = "public-read"};
    object_is(object_ask(r, a), 400, "AccessControlListNotSupported");
    a.value = "bucket-owner-full-control";
    object_is(object_put_as(r, a), 200, "");
    object_control(r, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "ownershipControls=", .body =
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>"}, 200);
    a.value = "public-read";
    object_is(object_ask(r, a), 501, "NotImplemented");
    a.value = "private";
    object_is(object_put_as(r, a), 200, "");
    object_end(r);
}

static void a_put_that_the_keeper_refuses_is_a_void_and_503(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    r->refuse = true;
    object_is(object_put_as(r, (struct rig_ask){.method = "PUT", .path = "/bucket/a", .body = "x"}), 503, "ServiceUnavailable");
    r->refuse = false;
    struct rig_leaf l;
    rig_leaf(r, log_size(r->t->access) - 1, &l);
    assert_int_equal(l.leaf.kind, RECORD_K_VOID);
    rig_leaf_done(&l);
    object_is(object_put(r, "/bucket/a", "x"), 200, "");
    object_end(r);
}

static void abort_as(struct rig *r, uint64_t id, const char *code)
{
    struct wire_abort m = {.code = slice_str(code)};
    rig_ask(r, id, (struct rig_ask){.method = "PUT", .path = "/bucket/a", .body = "x"});
    assert_int_equal(rig_wait(r, id)->type, WIRE_TICKET);
    rig_forget(r, id);
    assert_int_equal(wire_put_abort(wire_conn_out(r->front), id, &m), ERR_OK);
    wire_conn_kick(r->front);
    rig_turns(r, 30);
    assert_null(rig_frame_of(r, id));
    assert_int_equal(requests_count(r->g->requests), 0);
}

/* LAW-1: what a proven caller was refused stands on the record, who ever refused it. */
static void a_body_that_the_front_refuses_has_its_leaf_and_spends_its_ticket(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    uint64_t size = log_size(r->t->access);
    abort_as(r, 950, "BadDigest");
    assert_int_equal(log_size(r->t->access), size + 1);
    struct rig_leaf l;
    rig_leaf(r, size, &l);
    assert_int_equal(l.leaf.kind, RECORD_K_ACC);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_DEC), "allow") && slice_is(record_text(&l.leaf, RECORD_F_WHY), "BadDigest"));
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 0);
    rig_leaf_done(&l);
    rig_commit(r, 950, "x");
    rig_status(r, 950, 503, "ServiceUnavailable");
    /* A document too. */
    struct wire_abort long_one = {.code = SLICE_LIT("MalformedXML")};
    rig_ask(r, 960, (struct rig_ask){.method = "PUT", .path = "/bucket/a", .query = "tagging=", .body = "<Tagging><TagSet/></Tagging>"});
    assert_int_equal(rig_wait(r, 960)->type, WIRE_WANTBODY);
    assert_int_equal(wire_put_abort(wire_conn_out(r->front), 960, &long_one), ERR_OK);
    wire_conn_kick(r->front);
    rig_turns(r, 30);
    assert_int_equal(log_size(r->t->access), ++size + 1);
    assert_int_equal(requests_count(r->g->requests), 0);
    /* A client that went away was refused nothing, nor one that was told to come again; other words are no codes. */
    abort_as(r, 951, "");
    abort_as(r, 952, "SlowDown");
    abort_as(r, 953, "NotModified");
    abort_as(r, 954, "NoSuchCode");
    assert_int_equal(log_size(r->t->access), size + 1);
    object_end(r);
}

static void a_key_that_is_held_too_long_is_answered_before_the_leaf(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    r->hold_applies = true;
    rig_put(r, 900, "/bucket/a", "first");
    rig_wait_event(r, "find a", 1);
    rig_turns(r, 20);
    uint64_t size = log_size(r->t->access);
    rig_put(r, 901, "/bucket/a", "second");
    rig_status(r, 901, 503, "SlowDown");
    assert_int_equal(log_size(r->t->access), size);
    r->hold_applies = false;
    rig_release_held(r);
    rig_status(r, 900, 200, "");
    object_end(r);
}

static void an_object_that_a_rule_will_end_says_so(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_control(r, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "lifecycle=", .body =
        "<LifecycleConfiguration><Rule><ID>soon</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>"
        "</LifecycleConfiguration>"}, 200);
    rig_put(r, 900, "/bucket/tmp/a", "x");
    struct slice says = rig_header(rig_answer(r, 900).headers, "x-amz-expiration");
    assert_true(says.n && memmem(says.p, says.n, "rule-id=\"soon\"", 14));
    rig_put(r, 901, "/bucket/a", "x");
    assert_null(rig_header(rig_answer(r, 901).headers, "x-amz-expiration").p);
    object_end(r);
}

/* delete ------------------------------------------------------------------------------------------------------------------------ */

static void a_delete_of_nothing_is_a_read_without_versioning_and_a_marker_with_it(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    struct answer a = object_delete(r, "/bucket/a", NULL);
    object_is(a, 204, "");
    assert_string_equal(a.marker, "");
    rig_leaf(r, a.index, &l);
    assert_false(record_has(&l.leaf, RECORD_F_W));
    assert_int_equal(rig_leaf_ver(&l), RECORD_VER_NONE);
    rig_leaf_done(&l);
    object_versioning(r, "Enabled");
    a = object_delete(r, "/bucket/a", NULL);
    assert_string_equal(a.marker, "true");
    assert_int_equal(strlen(a.version), ID_TEXT_CHARS);
    rig_leaf(r, a.index, &l);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    assert_int_equal(rig_leaf_ver(&l), RECORD_VER_NONE);
    assert_false(record_has(&l.leaf, RECORD_F_NEW));
    rig_leaf_done(&l);
    object_end(r);
}

static void a_marker_hides_and_its_own_deletion_brings_back(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_versioning(r, "Enabled");
    struct answer put = object_put(r, "/bucket/a", "one"), gone = object_delete(r, "/bucket/a", NULL);
    assert_string_equal(gone.marker, "true");
    struct answer absent = object_get(r, "/bucket/a", NULL);
    object_is(absent, 404, "NoSuchKey");
    assert_string_equal(absent.marker, "true");
    assert_string_equal(absent.version, gone.version);
    object_is(object_get(r, "/bucket/a", gone.version), 405, "MethodNotAllowed");
    struct answer back = object_delete(r, "/bucket/a", gone.version);
    object_is(back, 204, "");
    assert_string_equal(back.marker, "true");
    assert_string_equal(back.version, gone.version);
    struct answer now = object_get(r, "/bucket/a", NULL);
    assert_int_equal(now.status, 200);
    assert_string_equal(now.version, put.version);
    object_end(r);
}

static void a_version_that_is_not_there_is_deleted_silently_by_a_read(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    char other[ID_TEXT_CHARS + 1];
    (void)state;
    object_versioning(r, "Enabled");
    struct answer one = object_put(r, "/bucket/a", "one");
    memcpy(other, one.version, sizeof other);
    other[ID_TEXT_CHARS - 4] = other[ID_TEXT_CHARS - 4] == 'a' ? 'b' : 'a';      /* its leaf, another rest */
    const char *const absent[] = {"null", "aaaaaaaaaaaaaaaaaaaaaaaaaa", other};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        struct answer a = object_delete(r, "/bucket/a", absent[i]);
        object_is(a, 204, "");
        assert_string_equal(a.version, absent[i]);
        rig_leaf(r, a.index, &l);
        assert_false(record_has(&l.leaf, RECORD_F_W));
        rig_leaf_done(&l);
    }
    assert_int_equal(object_count(r, "a", RIG_CURRENT), 1);
    object_is(object_delete(r, "/bucket/a", one.version), 204, "");
    assert_int_equal(object_count(r, "a", RIG_CURRENT), 0);
    object_is(object_delete(r, "/bucket/a", "no id"), 400, "InvalidArgument");
    object_end(r);
}

static void if_match_guards_the_version_that_is_meant(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_versioning(r, "Enabled");
    struct answer one = object_put(r, "/bucket/a", "one");
    struct rig_ask a = {.method = "DELETE", .path = "/bucket/a", .header = "if-match", .value = "\"badetag\""};
    object_is(object_ask(r, a), 412, "PreconditionFailed");
    char query[64];
    snprintf(query, sizeof query, "versionId=%s", one.version);
    a.query = query;
    object_is(object_ask(r, a), 412, "PreconditionFailed");
    a.value = one.etag;
    object_is(object_ask(r, a), 204, "");
    object_end(r);
}

static void undelete_brings_a_version_back_under_a_new_number(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_put_as(r, (struct rig_ask){.method = "PUT", .path = "/bucket/a", .body = "one", .header = "x-amz-tagging", .value = "k=v"});
    object_is(object_delete(r, "/bucket/a", NULL), 204, "");
    object_undelete(r, "{\"bucket\":\"bucket\",\"key\":\"a\"}", 200);
    struct answer back = object_get(r, "/bucket/a", NULL);
    assert_int_equal(back.status, 200);
    object_has(object_get_tags(r, "/bucket/a", NULL), "<Tag><Key>k</Key><Value>v</Value></Tag>");
    object_undelete(r, "{\"bucket\":\"bucket\",\"key\":\"b\"}", 404);
    object_end(r);
}

/* tags ---------------------------------------------------------------------------------------------------------------------------- */

#define TAGS(k, v) "<Tagging><TagSet><Tag><Key>" k "</Key><Value>" v "</Value></Tag></TagSet></Tagging>"

static void tags_change_in_place_and_the_leaf_says_the_revision(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    uint64_t ver, rev;
    (void)state;
    struct answer put = object_put(r, "/bucket/a", "one");
    object_has(object_get_tags(r, "/bucket/a", NULL), "<TagSet></TagSet>");
    struct answer one = object_tag(r, "/bucket/a", NULL, TAGS("k", "v"));
    object_is(one, 200, "");
    rig_leaf(r, one.index, &l);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    assert_true(record_has(&l.leaf, RECORD_F_NEW));
    assert_int_equal(rig_leaf_ver(&l), put.index);
    rig_leaf_done(&l);
    object_has(object_get_tags(r, "/bucket/a", NULL), "<Key>k</Key><Value>v</Value>");
    struct answer two = object_ask(r, (struct rig_ask){.method = "DELETE", .path = "/bucket/a", .query = "tagging="});
    object_is(two, 204, "");
    rig_leaf(r, two.index, &l);
    assert_int_equal(record_ver_get(record_opened_field(&l.opening, RECORD_F_VER)->value, &ver, &rev), ERR_OK);
    assert_int_equal(ver, put.index);
    assert_int_equal(rev, one.index);
    rig_leaf_done(&l);
    object_has(object_get_tags(r, "/bucket/a", NULL), "<TagSet></TagSet>");
    assert_int_equal(object_count(r, "a", RIG_CURRENT), 1);
    assert_int_equal(object_count(r, "a", RIG_GRAVE), 0);
    object_end(r);
}

static void tags_of_a_named_version_leave_the_others_alone(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_versioning(r, "Enabled");
    struct answer one = object_put(r, "/bucket/a", "one"), two = object_put(r, "/bucket/a", "two");
    struct answer tagged = object_tag(r, "/bucket/a", one.version, TAGS("k", "v"));
    object_is(tagged, 200, "");
    assert_string_equal(tagged.version, one.version);
    object_has(object_get_tags(r, "/bucket/a", one.version), "<Key>k</Key>");
    object_has(object_get_tags(r, "/bucket/a", two.version), "<TagSet></TagSet>");
    struct answer gone = object_delete(r, "/bucket/a", NULL);
    object_is(object_tag(r, "/bucket/a", NULL, TAGS("k", "v")), 405, "MethodNotAllowed");
    object_is(object_tag(r, "/bucket/a", gone.version, TAGS("k", "v")), 405, "MethodNotAllowed");
    object_is(object_tag(r, "/bucket/b", NULL, TAGS("k", "v")), 404, "NoSuchKey");
    object_is(object_tag(r, "/bucket/a", "aaaaaaaaaaaaaaaaaaaaaaaaaa", TAGS("k", "v")), 404, "NoSuchVersion");
    object_end(r);
}

static void tags_that_came_with_the_object_are_counted_and_checked(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    struct rig_ask a = {.method = "PUT", .path = "/bucket/a", .body = "x", .header = "x-amz-tagging", .value = "a=1&b=%20"};
    object_is(object_put_as(r, a), 200, "");
    object_has(object_get_tags(r, "/bucket/a", NULL), "<Key>b</Key><Value> </Value>");
    assert_string_equal(object_get(r, "/bucket/a", NULL).tags, "2");
    a.value = "a=1&a=2";
    object_is(object_ask(r, a), 400, "InvalidTag");
    object_is(object_tag(r, "/bucket/a", NULL, "<Tagging><TagSet><Tag><Key>k</Key>"), 400, "MalformedXML");
    object_end(r);
}

static void a_tagging_body_that_is_not_the_signed_one_is_refused(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_put(r, "/bucket/a", "one");
    rig_ask(r, 700, (struct rig_ask){.method = "PUT", .path = "/bucket/a", .query = "tagging=", .body = TAGS("k", "v"), .header = "content-md5",
                                     .value = "1B2M2Y8AsgTpgAmY7PhCfg=="});
    assert_int_equal(rig_wait(r, 700)->type, WIRE_WANTBODY);
    rig_forget(r, 700);
    struct wire_body m = {.last = 1, .data = SLICE_LIT(TAGS("k", "w"))};
    assert_int_equal(wire_put_body(wire_conn_out(r->front), 700, &m), ERR_OK);
    wire_conn_kick(r->front);
    assert_int_equal(rig_answer(r, 700).status, 400);
    object_has(object_get_tags(r, "/bucket/a", NULL), "<TagSet></TagSet>");
    object_end(r);
}

/* policies that ask about the object --------------------------------------------------------------------------------------------------- */

static void what_hangs_on_the_objects_tags_is_decided_when_it_is_found(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    object_control(r, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "policy=", .body =
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" RIG_ACCOUNT_OTHER "\"},"
        "\"Action\":[\"s3:PutObjectTagging\",\"s3:DeleteObjectTagging\"],\"Resource\":\"arn:aws:s3:::bucket/*\","
        "\"Condition\":{\"StringEquals\":{\"s3:ExistingObjectTag/open\":\"yes\"}}}]}"}, 204);
    struct rig_ask put = {.method = "PUT", .path = "/bucket/open", .body = "x", .header = "x-amz-tagging", .value = "open=yes"};
    object_is(object_put_as(r, put), 200, "");
    put.path = "/bucket/shut";
    put.value = "open=no";
    object_is(object_put_as(r, put), 200, "");
    struct rig_ask end = {.method = "DELETE", .path = "/bucket/shut", .query = "tagging=", .key = RIG_KEY_OTHER};
    struct answer a = object_ask(r, end);
    object_is(a, 403, "AccessDenied");
    rig_leaf(r, a.index, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_DEC), "deny"));
    assert_true(record_has(&l.leaf, RECORD_F_CTX));          /* the tags it saw: replay decides the same */
    rig_leaf_done(&l);
    object_has(object_get_tags(r, "/bucket/shut", NULL), "<Value>no</Value>");
    end.path = "/bucket/none";
    object_is(object_ask(r, end), 403, "AccessDenied");      /* not 404: nothing there has no tags that would allow it */
    end.path = "/bucket/open";
    object_is(object_ask(r, end), 204, "");
    object_is(object_ask(r, end), 403, "AccessDenied");      /* what is there now has no tags any more */
    object_end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_versioning_a_put_ends_what_was_there_and_names_no_version),
        cmocka_unit_test(with_versioning_every_put_is_a_version_that_is_kept),
        cmocka_unit_test(suspended_there_is_one_null_version_wherever_it_stands),
        cmocka_unit_test(a_delete_marker_is_nothing_to_a_conditional_put),
        cmocka_unit_test(acls_are_refused_as_the_buckets_ownership_says),
        cmocka_unit_test(a_put_that_the_keeper_refuses_is_a_void_and_503),
        cmocka_unit_test(a_body_that_the_front_refuses_has_its_leaf_and_spends_its_ticket),
        cmocka_unit_test(an_object_that_a_rule_will_end_says_so),
        cmocka_unit_test(a_key_that_is_held_too_long_is_answered_before_the_leaf),
        cmocka_unit_test(a_delete_of_nothing_is_a_read_without_versioning_and_a_marker_with_it),
        cmocka_unit_test(a_marker_hides_and_its_own_deletion_brings_back),
        cmocka_unit_test(a_version_that_is_not_there_is_deleted_silently_by_a_read),
        cmocka_unit_test(if_match_guards_the_version_that_is_meant),
        cmocka_unit_test(undelete_brings_a_version_back_under_a_new_number),
        cmocka_unit_test(tags_change_in_place_and_the_leaf_says_the_revision),
        cmocka_unit_test(tags_of_a_named_version_leave_the_others_alone),
        cmocka_unit_test(tags_that_came_with_the_object_are_counted_and_checked),
        cmocka_unit_test(a_tagging_body_that_is_not_the_signed_one_is_refused),
        cmocka_unit_test(what_hangs_on_the_objects_tags_is_decided_when_it_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
