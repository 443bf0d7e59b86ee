/* SPDX-License-Identifier: Apache-2.0
 * What becomes of commands and questions when the keeper is lost, slow, or older than the log.
 * Role: tests of keeper_link.c, flow.c, op_purge.c. Trusts: gate_rig.c. Law: 1. Spec: docs/spec/order.md rules 1, 3, 7, 11
 */
#include <stdio.h>

#include "gate/gate_rig.h"

static void get(struct rig *r, uint64_t id, const char *path) { rig_ask(r, id, (struct rig_ask){.method = "GET", .path = path}); }
/* rules 1, 3 */
static void lost_answers_are_asked_for_again_in_leaf_order(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->hold_applies = true;
    rig_put(r, 1, "/bucket/a", "1");
    rig_put(r, 2, "/bucket/b", "2");
    rig_wait_event(r, "apply 1", 1);
    size_t before = r->event_count;
    rig_drop_keeper(r);
    rig_wait_event(r, "apply 1", 2);
    int again = rig_saw(r, "apply 0", before);
    assert_true(again >= 0 && again < rig_saw(r, "apply 1", before));
    assert_null(rig_frame_of(r, 1));
    assert_int_equal(log_size(r->t->access), 2);   /* no void on a guess */
    rig_release_held(r);
    rig_status(r, 1, 200, "");
    rig_status(r, 2, 200, "");
    rig_wait_event(r, "settledall", 2);            /* rule 11: after the last re-send */
    rig_free(r);
}

/* A write of the gate's own with a command of some 170 KB. */
static void big_write(struct rig *r, unsigned n)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX);
    struct record_writer w;
    record_begin(&w, RECORD_K_VOID, &leaf, NULL);  /* any leaf of this log will do */
    record_put_int(&w, RECORD_F_REF, n);
    record_put_int(&w, RECORD_F_T, clock_wall_ms());
    record_put_text(&w, RECORD_F_WHY, SLICE_LIT("test"));
    assert_int_equal(record_end(&w), ERR_OK);
    struct gate_write *write = flow_write_new(r->g, r->t);
    command_begin(&write->command, COMMAND_PURGE, n);
    command_purge(&write->command, 0, GATE_PURGE_BUCKETS_MAX);
    for (unsigned i = 0; i < GATE_PURGE_BUCKETS_MAX; i++) command_purge_bucket(&write->command, r->t->id, false);
    struct log_append a = {.leaf = buf_slice(&leaf), .command = buf_slice(&write->command), .void_ref = UINT64_MAX};
    flow_write_appended(write, logbook_append(r->g->logbook, r->t->access, &a, &write->wait));
}

/* rule 1: and what waits for it does not make it a peer to be dropped, now or when all is sent anew. */
static void a_keeper_that_reads_slowly_gets_every_command_in_order_and_is_not_dropped(void **state)
{
    (void)state;
    enum { BIG = 120 };                            /* 20 MB: more than a connection holds */
    struct rig *r = rig_new();
    wire_conn_pause(r->keeper, true);
    for (unsigned i = 0; i < BIG; i++) big_write(r, i);
    uint64_t until = clock_mono_ms() + 5000;
    while (log_durable(r->t->access) < BIG && clock_mono_ms() < until) loop_turn(r->g->loop, 2);
    rig_turns(r, 50);
    assert_true(r->t->flow->backlog);
    assert_int_equal(rig_saw(r, "apply 119", 0), -1);
    rig_drop_keeper(r);                            /* all of them are sent anew to the next connection */
    until = clock_mono_ms() + 10000;
    while (r->t->flow->mark < BIG && clock_mono_ms() < until) loop_turn(r->g->loop, 2);
    assert_int_equal(r->t->flow->mark, BIG);
    size_t connected = 0, last = 0;
    for (size_t i = 0; i < r->event_count; i++) {
        unsigned index;
        connected += strcmp(r->events[i], "connected") == 0;
        if (sscanf(r->events[i], "apply %u", &index) == 1) assert_int_equal(index, last++);
    }
    assert_int_equal(last, BIG);
    assert_int_equal(connected, 2);
    rig_free(r);
}

static void a_find_lost_with_the_keeper_is_asked_again(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->hold_finds = true;
    get(r, 1, "/bucket/k");
    rig_wait_event(r, "find k", 1);
    r->hold_finds = false;
    rig_drop_keeper(r);
    rig_status(r, 1, 404, "NoSuchKey");
    rig_free(r);
}

static void uploads_of_a_deleted_bucket_end_with_the_next_purge(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->t->grave_ms = 0;
    op_purge_all(r->g);
    rig_turns(r, 30);
    assert_int_equal(log_size(r->t->access), 0);   /* nothing is due: no record of nothing */
    rig_ask(r, 1, (struct rig_ask){.method = "DELETE", .path = "/bucket"});
    rig_status(r, 1, 204, "");
    rig_turns(r, 1100);
    op_purge_all(r->g);
    rig_wait_event(r, "purge gone", 1);
    struct rig_leaf l;
    rig_leaf(r, log_size(r->t->access) - 1, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_ACT), "PurgeGrave"));
    struct policy_decision d;
    assert_int_equal(policy_check(r->t->state, &l.leaf, &l.opening, &d), ERR_OK);
    rig_leaf_done(&l);
    rig_free(r);
}

/* rule 7 */
static void a_keeper_older_than_the_log_serves_nobody(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/k", "1");
    r->watermark = 0;
    rig_drop_keeper(r);
    rig_wait_event(r, "connected", 2);
    rig_turns(r, 50);
    assert_false(r->t->served);
    get(r, 2, "/bucket/k");
    rig_status(r, 2, 503, "ServiceUnavailable");
    r->watermark = 99;                             /* and one that is newer: the log was put back */
    rig_drop_keeper(r);
    rig_wait_event(r, "connected", 3);
    rig_turns(r, 50);
    assert_false(r->t->served);
    r->watermark = 1;
    rig_drop_keeper(r);
    rig_wait_event(r, "connected", 4);
    rig_turns(r, 50);
    assert_true(r->t->served);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_answers_are_asked_for_again_in_leaf_order),
        cmocka_unit_test(a_keeper_that_reads_slowly_gets_every_command_in_order_and_is_not_dropped),
        cmocka_unit_test(a_find_lost_with_the_keeper_is_asked_again),
        cmocka_unit_test(uploads_of_a_deleted_bucket_end_with_the_next_purge),
        cmocka_unit_test(a_keeper_older_than_the_log_serves_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
