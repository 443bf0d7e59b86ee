/* SPDX-License-Identifier: Apache-2.0
 * What lifecycle rules end, and that each of it stands on the log.
 * Role: tests of lifecycle.c and of batches of the gate's own. Trusts: gate_rig.c. Law: 1, 4. Spec: docs/spec/order.md
 */
#include <stdio.h>

#include "gate/gate_rig.h"

#define RULES(inside) "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status>" inside "</Rule></LifecycleConfiguration>"

static uint64_t next_id;
static void put(struct rig *r, const char *path)
{
    rig_put(r, ++next_id, path, "hello");
    rig_status(r, next_id, 200, "");
}

static void set(struct rig *r, const char *query, const char *body)
{
    rig_control(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = query, .body = body});
    rig_status(r, next_id, 200, "");
}

/* A day is a millisecond: whatever is there is old. */
static void sweep(struct rig *r)
{
    r->g->conf.lifecycle_day_ms = 1;
    rig_turns(r, 20);
    lifecycle_run(r->g);
    rig_turns(r, 300);
}

static unsigned status_of(struct rig *r, const char *path)
{
    rig_ask(r, ++next_id, (struct rig_ask){.method = "HEAD", .path = path});
    return rig_wait(r, next_id)->type == WIRE_RELEASE ? 200 : rig_answer(r, next_id).status;
}

/* LAW-1 */
static void what_a_rule_ends_goes_under_a_leaf_of_the_gates_own(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    put(r, "/bucket/old/1"), put(r, "/bucket/old/2"), put(r, "/bucket/new/1");
    set(r, "lifecycle=", RULES("<Filter><Prefix>old/</Prefix></Filter><Expiration><Days>1</Days></Expiration>"));
    uint64_t at = log_size(r->t->access);
    sweep(r);
    assert_int_equal(log_durable(r->t->access), at + 1);
    struct rig_leaf l;
    rig_leaf(r, at, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_ACT), "LifecycleExpire"));
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_AUTH), "auto"));
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    assert_int_equal(record_int(&l.leaf, RECORD_F_N, 0), 2);
    rig_leaf_done(&l);
    assert_int_equal(status_of(r, "/bucket/old/1"), 404);
    assert_int_equal(status_of(r, "/bucket/old/2"), 404);
    assert_int_equal(status_of(r, "/bucket/new/1"), 200);
    at = log_size(r->t->access);
    sweep(r);                                      /* nothing is left to do: no leaf */
    assert_int_equal(log_size(r->t->access), at);
    rig_free(r);
}

static void a_real_day_is_a_day(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    put(r, "/bucket/k");
    set(r, "lifecycle=", RULES("<Filter></Filter><Expiration><Days>1</Days></Expiration>"));
    uint64_t at = log_size(r->t->access);
    lifecycle_run(r->g);
    rig_turns(r, 100);
    assert_int_equal(log_size(r->t->access), at);
    assert_int_equal(status_of(r, "/bucket/k"), 200);
    rig_free(r);
}

static void old_versions_and_lonely_markers_go(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    set(r, "versioning=", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");
    put(r, "/bucket/k"), put(r, "/bucket/k"), put(r, "/bucket/gone");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "DELETE", .path = "/bucket/gone"});
    rig_status(r, next_id, 204, "");
    set(r, "lifecycle=", RULES("<Filter></Filter><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
                               "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"));
    sweep(r);                                      /* the noncurrent ones */
    assert_int_equal(status_of(r, "/bucket/k"), 200);
    sweep(r);                                      /* and the marker that has nothing behind it now */
    rig_ask(r, ++next_id, (struct rig_ask){.method = "DELETE", .path = "/bucket/k"});
    rig_status(r, next_id, 204, "");
    size_t left = 0;
    for (size_t i = 0; i < r->object_count; i++) left += r->objects[i].state == RIG_CURRENT || r->objects[i].state == RIG_NONCURRENT;
    assert_int_equal(left, 2);                     /* k's newest version, and its new marker */
    rig_free(r);
}

static void tags_are_asked_for_where_a_rule_asks(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/bucket/tagged", .body = "hello", .header = "x-amz-tagging", .value = "a=b"});
    assert_int_equal(rig_wait(r, next_id)->type, WIRE_TICKET);
    rig_forget(r, next_id);
    rig_commit(r, next_id, "hello");
    rig_status(r, next_id, 200, "");
    put(r, "/bucket/plain");
    set(r, "lifecycle=", RULES("<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter><Expiration><Days>1</Days></Expiration>"));
    sweep(r);
    assert_int_equal(status_of(r, "/bucket/tagged"), 404);
    assert_int_equal(status_of(r, "/bucket/plain"), 200);
    rig_free(r);
}

static void uploads_that_nobody_ends_are_ended(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, ++next_id, (struct rig_ask){.method = "POST", .path = "/bucket/u", .query = "uploads="});
    rig_status(r, next_id, 200, "");
    set(r, "lifecycle=", RULES("<Filter></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"));
    uint64_t at = log_size(r->t->access);
    sweep(r);
    assert_int_equal(log_size(r->t->access), at + 1);
    struct rig_leaf l;
    rig_leaf(r, at, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_ACT), "LifecycleAbort"));
    rig_leaf_done(&l);
    assert_int_equal(r->uploads[0].entry.n, 0);
    rig_free(r);
}

/* The keeper goes away in the middle of a sweep: the next one does the work. */
static void a_sweep_that_is_cut_short_is_made_good(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    put(r, "/bucket/k");
    set(r, "lifecycle=", RULES("<Filter></Filter><Expiration><Days>1</Days></Expiration>"));
    r->g->conf.lifecycle_day_ms = 1;
    rig_turns(r, 20);
    r->hold_scans = true;
    lifecycle_run(r->g);
    rig_turns(r, 50);
    rig_drop_keeper(r);
    r->hold_scans = false;
    rig_turns(r, 500);
    lifecycle_run(r->g);
    rig_turns(r, 300);
    assert_int_equal(status_of(r, "/bucket/k"), 404);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_rule_ends_goes_under_a_leaf_of_the_gates_own),
        cmocka_unit_test(a_real_day_is_a_day),
        cmocka_unit_test(old_versions_and_lonely_markers_go),
        cmocka_unit_test(tags_are_asked_for_where_a_rule_asks),
        cmocka_unit_test(uploads_that_nobody_ends_are_ended),
        cmocka_unit_test(a_sweep_that_is_cut_short_is_made_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
