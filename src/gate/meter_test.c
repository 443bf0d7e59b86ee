/* SPDX-License-Identifier: Apache-2.0
 * Unit tests of meter.c and op_use.c: what is released under a grant, in which portions, to whom next, and how it ends.
 */
#include "gate/use_rig.h"

static struct rig *begin(void)
{
    struct rig *r = rig_new();
    use_begin_rig(r);
    return r;
}

static void end(struct rig *r)
{
    use_replay(r);
    assert_int_equal(requests_count(r->g->requests), 0);
    assert_int_equal(r->t->streams, 0);
    rig_free(r);
}

/* Of a metered RELEASE: one row, one key. */
static struct wire_release_row row_of(const struct wire_release *m)
{
    struct reader list = reader_of(m->rows);
    struct wire_release_row row, other;
    assert_true(m->metered);
    assert_true(wire_next_release_row(&list, &row));
    assert_int_equal(row.key_count, 1);
    assert_false(wire_next_release_row(&list, &other));
    assert_false(list.bad);
    return row;
}

static size_t frames_of_type(const struct rig *r, uint8_t type)
{
    size_t n = 0;
    for (size_t i = 0; i < r->frame_count; i++) n += r->frames[i].type == type && r->frames[i].id != UINT64_MAX;
    return n;
}

static const struct policy_grant *grant_of(struct rig *r, const struct use *u)
{
    const struct policy_grant *g = policy_grant(r->t->state, u->grant);
    assert_non_null(g);
    return g;
}

static void segs_are(const struct rig_leaf *l, uint64_t segment)
{
    AUTO(buf) struct buf want = BUF_INIT(64);
    buf_printf(&want, "\"segs\":[%llu,%llu]", (unsigned long long)segment, (unsigned long long)segment);
    buf_put_u8(&want, 0);
    buf_put_u8((struct buf *)&l->bytes, 0);
    assert_non_null(strstr((const char *)l->bytes.p, (const char *)want.p));
}

static void a_stream_is_released_segment_by_segment_each_under_its_own_leaf(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 10 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    uint64_t first = log_size(r->t->control), access = log_size(r->t->access);
    use_get(r, 1, &u, "/bucket/big", NULL);
    for (uint64_t i = 0; i < 3; i++) {
        struct wire_release m = rig_release(r, 1);
        struct wire_release_row row = row_of(&m);
        struct rig_leaf l;
        assert_true(m.status == 200 && m.size == 10 * USE_MIB && m.off == 0 && m.len == 10 * USE_MIB);
        assert_true(row.first_segment == i && row.plain_size == 10 * USE_MIB && row.plain_off == 0);
        assert_int_equal(m.more, i < 2);
        assert_int_equal(m.headers.n > 0, i == 0);
        assert_int_equal(rig_receipt(m.receipt), first + i);
        assert_int_equal(log_size(r->t->control), first + i + 1);
        use_leaf(r, first + i, &l);
        assert_int_equal(record_int(&l.leaf, RECORD_F_BYTES, 0), i < 2 ? USE_SEGMENT : 2 * USE_MIB);
        assert_int_equal(record_int(&l.leaf, RECORD_F_ACC, 0), access);
        assert_int_equal(record_int(&l.leaf, RECORD_F_REF, UINT64_MAX), i == 0 ? UINT64_MAX : first);
        segs_are(&l, i);
        rig_leaf_done(&l);
        rig_turns(r, 20);
        assert_int_equal(frames_of_type(r, WIRE_RELEASE), 1);        /* not before it was sent */
        use_next_put(r, 1, MIN((i + 1) * USE_SEGMENT, 10 * USE_MIB));
    }
    rig_turns(r, 20);
    assert_int_equal(requests_count(r->g->requests), 0);             /* the last NEXT has no answer */
    assert_int_equal(frames_of_type(r, WIRE_RELEASE), 0);
    assert_true(grant_of(r, &u)->used_bytes == 10 * USE_MIB && grant_of(r, &u)->used_objects == 1);
    assert_int_equal(log_size(r->t->access), access);
    end(r);
}

static void a_range_gives_the_keys_of_its_segments_alone(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 10 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    use_get(r, 1, &u, "/bucket/big", "bytes=4194300-4194310");      /* over a border: two segments */
    struct wire_release m = rig_release(r, 1);
    assert_true(m.status == 206 && m.off == 4194300 && m.len == 11 && m.more);
    assert_int_equal(row_of(&m).first_segment, 0);
    use_next_put(r, 1, 4);
    m = rig_release(r, 1);
    assert_int_equal(row_of(&m).first_segment, 1);
    assert_false(m.more);
    use_next_put(r, 1, 11);
    use_get(r, 2, &u, "/bucket/big", "bytes=-1");
    m = rig_release(r, 2);
    assert_int_equal(row_of(&m).first_segment, 2);
    assert_false(m.more);
    use_next_put(r, 2, 1);
    rig_turns(r, 20);
    assert_int_equal(grant_of(r, &u)->used_bytes, 10 * USE_MIB);
    end(r);
}

static void of_an_object_in_parts_each_part_has_segments_of_its_own(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_set(r, "/bucket/m", 4, 6);
    use_grant(r, 1, (struct use_terms){0}, &u);
    uint64_t first = log_size(r->t->control);
    for (unsigned round = 0; round < 3; round++) {
        uint64_t id = 10 + round, off = round == 0 ? 0 : round == 1 ? 4 : 20;
        r->found_parts_max = round == 0 ? 1 : 0;                     /* the keeper's answers end early: it is asked again */
        use_get(r, id, &u, "/bucket/m", round == 0 ? NULL : round == 1 ? "bytes=4-13" : "bytes=-4");
        uint64_t sent = 0, len = round == 0 ? 24 : round == 1 ? 10 : 4;
        for (uint64_t at = off; at < off + len;) {
            struct wire_release m = rig_release(r, id);
            struct wire_release_row row = row_of(&m);
            assert_true(m.len == len && m.off == off && row.first_segment == 0 && row.plain_size == 6 && row.plain_off == at / 6 * 6);
            uint64_t next = MIN(row.plain_off + 6, off + len);
            sent += next - at;
            at = next;
            assert_int_equal(m.more, at < off + len);
            use_next_put(r, id, sent);
        }
        rig_turns(r, 20);
    }
    use_get(r, 20, &u, "/bucket/m", NULL);
    rig_forget(r, 20 + 0 * (rig_release(r, 20).more));
    use_abort(r, 20);
    rig_turns(r, 20);
    assert_int_equal(log_size(r->t->control), first + 4 + 3 + 1 + 1);
    assert_true(grant_of(r, &u)->used_bytes == 9 * 6 && grant_of(r, &u)->used_objects == 4);
    end(r);
}

static void an_empty_object_is_one_release_that_opens_nothing(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    rig_put_done(r, 1, "/bucket/empty", "");
    rig_forget(r, 1);
    use_grant(r, 1, (struct use_terms){0}, &u);
    use_get(r, 2, &u, "/bucket/empty", NULL);
    struct wire_release m = rig_release(r, 2);
    (void)row_of(&m);
    assert_true(m.len == 0 && !m.more);
    use_next_put(r, 2, 0);
    rig_turns(r, 20);
    assert_int_equal(grant_of(r, &u)->used_bytes, 0);
    end(r);
}

static void head_waits_for_nobody_and_opens_nothing(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 10 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    use_get(r, 1, &u, "/bucket/big", NULL);
    use_get(r, 2, &u, "/bucket/big", NULL);
    (void)rig_release(r, 1);
    (void)rig_release(r, 2);
    rig_ask(r, 3, use_ask(&u, (struct rig_ask){.method = "HEAD", .path = "/bucket/big"}));
    struct wire_release m = rig_release(r, 3);
    assert_true(m.head && !m.rows.n && !m.metered && m.len == 10 * USE_MIB);
    struct rig_leaf l;
    use_leaf(r, rig_receipt(m.receipt), &l);
    assert_int_equal(record_int(&l.leaf, RECORD_F_BYTES, 9), 0);
    assert_true(record_has(&l.leaf, RECORD_F_ACC) && !record_has(&l.leaf, RECORD_F_SEGS));
    rig_leaf_done(&l);
    use_abort(r, 1);
    use_abort(r, 2);
    rig_turns(r, 20);
    assert_int_equal(grant_of(r, &u)->used_objects, 2);
    end(r);
}

static void two_segments_of_a_grant_are_out_and_the_others_wait_in_order(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u, other;
    use_object(r, "/bucket/big", 6 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    use_grant(r, 2, (struct use_terms){0}, &other);
    for (uint64_t i = 1; i <= 6; i++) {
        use_get(r, i, &u, "/bucket/big", NULL);
        rig_turns(r, 10);
    }
    rig_turns(r, 30);
    assert_int_equal(frames_of_type(r, WIRE_RELEASE), METER_SEGMENTS_MAX);
    assert_true(rig_frame_of(r, 1) && rig_frame_of(r, 2));
    use_get(r, 9, &other, "/bucket/big", NULL);   /* another grant is not held up */
    assert_int_equal(rig_release(r, 9).metered, 1);
    use_abort(r, 9);
    rig_forget(r, 9);
    static const uint64_t order[] = {3, 4, 5, 6};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {                  /* 1 and 2 want more too, but behind those that came before */
        uint64_t done = i < 2 ? i + 1 : order[i - 2];
        use_next_put(r, done, USE_SEGMENT);
        assert_int_equal(rig_release(r, order[i]).more, 1);
        rig_turns(r, 10);
        assert_int_equal(frames_of_type(r, WIRE_RELEASE), METER_SEGMENTS_MAX);
    }
    use_next_put(r, 5, USE_SEGMENT);
    assert_int_equal(rig_release(r, 1).more, 0);
    use_next_put(r, 6, USE_SEGMENT);
    assert_int_equal(rig_release(r, 2).more, 0);
    for (uint64_t i = 1; i <= 6; i++) use_abort(r, i);
    rig_turns(r, 30);
    end(r);
}

static void who_is_gone_leaves_the_line_and_gives_back_what_it_held(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 6 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    for (uint64_t i = 1; i <= 4; i++) use_get(r, i, &u, "/bucket/big", NULL);
    rig_turns(r, 30);
    uint64_t leaves = log_size(r->t->control);
    use_abort(r, 3);                               /* waits */
    use_abort(r, 1);                               /* holds */
    assert_int_equal(rig_release(r, 4).more, 1);
    assert_null(rig_frame_of(r, 3));
    assert_int_equal(log_size(r->t->control), leaves + 1);           /* of 3 there is no leaf */
    wire_conn_close(r->access);
    rig_turns(r, 30);
    assert_int_equal(requests_count(r->g->requests), 0);
    end(r);
}

static void a_grant_has_so_many_streams_and_one_more_is_told_to_slow_down(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 6 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    for (uint64_t i = 1; i <= METER_STREAMS_MAX + 1; i++) use_get(r, i, &u, "/bucket/big", NULL);
    rig_status(r, METER_STREAMS_MAX + 1, 503, "SlowDown");
    rig_turns(r, 50);
    assert_int_equal(r->t->streams, METER_STREAMS_MAX);
    wire_conn_close(r->access);
    rig_turns(r, 50);
    end(r);
}

static void next_that_is_not_due_or_not_so_costs_the_front_its_connection(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 6 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t leaves = log_size(r->t->control);
        use_get(r, 10 + i, &u, "/bucket/big", NULL);
        (void)rig_release(r, 10 + i);
        use_get(r, 20 + i, &u, "/bucket/big", NULL);
        (void)rig_release(r, 20 + i);
        use_get(r, 30 + i, &u, "/bucket/big", NULL);                 /* in line */
        rig_turns(r, 20);
        struct wire_next m = {.sent = i == 0 ? USE_SEGMENT - 1 : i == 1 ? USE_SEGMENT + 1 : USE_SEGMENT};
        assert_int_equal(wire_put_next(wire_conn_out(r->access), i == 2 ? 30 + i : 10 + i, &m), ERR_OK);
        if (i == 3) assert_int_equal(wire_put_next(wire_conn_out(r->access), 10 + i, &m), ERR_OK);   /* twice */
        wire_conn_kick(r->access);
        rig_turns(r, 50);
        assert_true(r->access_gone);
        assert_int_equal(requests_count(r->g->requests), 0);
        assert_in_range(log_size(r->t->control), leaves + 2, leaves + 3);
        use_access(r);
    }
    end(r);
}

/* kills ------------------------------------------------------------------------------------------------------------------------------- */

static unsigned done_count, done_ok;
static void done(void *ctx, bool ok)
{
    assert_ptr_equal(ctx, &done_count);
    done_count++;
    done_ok += ok;
}

static void kill_grant(struct rig *r, const struct use *u)
{
    done_count = done_ok = 0;
    meter_kill(r->g, r->t, u->grant, done, &done_count);
}

static void a_kill_stops_each_stream_and_waits_until_all_have_stopped(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u, other;
    use_object(r, "/bucket/big", 20 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    use_grant(r, 2, (struct use_terms){0}, &other);
    for (uint64_t i = 1; i <= 4; i++) use_get(r, i, &u, "/bucket/big", NULL);
    use_get(r, 5, &other, "/bucket/big", NULL);
    rig_turns(r, 50);
    use_next_put(r, 1, USE_SEGMENT);               /* 1 waits behind 4, in the middle */
    (void)rig_release(r, 3);
    rig_turns(r, 20);
    uint64_t used = grant_of(r, &u)->used_bytes;
    assert_int_equal(used, 3 * USE_SEGMENT);
    use_revoke(r, &u);
    uint64_t leaves = log_size(r->t->control);
    kill_grant(r, &u);
    assert_int_equal(done_count, 0);
    rig_status(r, 4, 403, "AccessDenied");         /* nothing was released for it yet */
    rig_turns(r, 30);
    assert_int_equal(frames_of_type(r, WIRE_KILL), 3);
    assert_null(rig_frame_of(r, 5) && rig_frame_of(r, 5)->type == WIRE_KILL ? (void *)1 : NULL);
    assert_int_equal(use_leaves(r, leaves, "deny"), 1);
    assert_true(meter_open(r->g, r->t, u.grant));
    struct wire_next crossed = {.sent = USE_SEGMENT};
    assert_int_equal(wire_put_next(wire_conn_out(r->access), 2, &crossed), ERR_OK);
    use_killed(r, 1);
    use_killed(r, 2);
    rig_turns(r, 30);
    assert_int_equal(done_count, 0);               /* 3 still runs */
    use_killed(r, 3);
    rig_turns(r, 30);
    assert_true(done_count == 1 && done_ok == 1);
    assert_false(meter_open(r->g, r->t, u.grant));
    assert_int_equal(grant_of(r, &u)->used_bytes, used);
    rig_turns(r, METER_KILL_MS + 50);
    assert_int_equal(done_count, 1);
    use_killed(r, 3);                              /* of one that is over: nothing */
    rig_turns(r, 20);
    assert_false(r->access_gone);
    use_abort(r, 5);
    rig_turns(r, 20);
    end(r);
}

static void a_kill_with_nothing_under_way_is_done_at_once(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_grant(r, 1, (struct use_terms){0}, &u);
    kill_grant(r, &u);
    assert_true(done_count == 1 && done_ok == 1);
    end(r);
}

static void a_front_that_does_not_stop_is_named_and_is_gone_when_its_connection_is(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 20 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    use_get(r, 1, &u, "/bucket/big", NULL);
    (void)rig_release(r, 1);
    use_revoke(r, &u);
    uint64_t before = clock_mono_ms();
    kill_grant(r, &u);
    while (!done_count && clock_mono_ms() < before + 3000) rig_turns(r, 5);
    assert_true(done_count == 1 && done_ok == 0);
    assert_in_range(clock_mono_ms() - before, METER_KILL_MS - 5, METER_KILL_MS + 300);
    assert_true(meter_open(r->g, r->t, u.grant));
    wire_conn_close(r->access);
    rig_turns(r, 30);
    assert_false(meter_open(r->g, r->t, u.grant));
    assert_int_equal(done_count, 1);
    end(r);
}

static void a_connection_that_goes_is_as_good_as_killed(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 20 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    use_get(r, 1, &u, "/bucket/big", NULL);
    (void)rig_release(r, 1);
    use_revoke(r, &u);
    kill_grant(r, &u);
    wire_conn_close(r->access);
    rig_turns(r, 30);
    assert_true(done_count == 1 && done_ok == 1);
    end(r);
}

/* The grant dies and nobody has said KILL yet: the next segment is refused, and the stream is reset, not ended as if it were whole. */
static void a_stream_whose_grant_died_is_killed_when_it_asks_for_more(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 20 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    use_get(r, 1, &u, "/bucket/big", NULL);
    uint64_t first = rig_receipt(rig_release(r, 1).receipt);
    use_revoke(r, &u);
    uint64_t leaf = log_size(r->t->control);
    use_next_put(r, 1, USE_SEGMENT);
    assert_int_equal(rig_wait(r, 1)->type, WIRE_KILL);
    struct rig_leaf l;
    use_leaf(r, leaf, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_DEC), "deny"));
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_WHY), "grant-state"));
    assert_int_equal(record_int(&l.leaf, RECORD_F_REF, 0), first);
    rig_leaf_done(&l);
    kill_grant(r, &u);
    rig_turns(r, 20);
    assert_int_equal(frames_of_type(r, WIRE_KILL), 1);               /* once */
    assert_int_equal(done_count, 0);
    use_killed(r, 1);
    rig_turns(r, 20);
    assert_int_equal(done_ok, 1);
    end(r);
}

/* LAW-1: its leaf stands before the revocation's, and becomes durable behind it: no key leaves all the same. */
static void what_was_recorded_before_the_end_is_not_released_behind_it(void **state)
{
    (void)state;
    static const char *const rule[] = {"need=2", NULL};
    for (unsigned i = 0; i < 6; i++) {             /* a first segment, a further one, a HEAD; it is revoked, two approvers are wanted now */
        struct rig *r = begin();
        struct use u;
        use_object(r, "/bucket/big", 20 * USE_MIB);
        use_grant(r, 1, (struct use_terms){0}, &u);
        uint64_t leaves = log_size(r->t->control);
        if (i % 3 == 2) {
            rig_ask(r, 1, use_ask(&u, (struct rig_ask){.method = "HEAD", .path = "/bucket/big"}));
        } else {
            use_get(r, 1, &u, "/bucket/big", NULL);
        }
        if (i % 3 == 1) {
            (void)rig_release(r, 1);
            leaves++;
            use_next_put(r, 1, USE_SEGMENT);
        }
        while (log_size(r->t->control) == leaves) loop_turn(r->g->loop, 1);
        if (i < 3) use_revoke(r, &u);
        else use_say(r, RECORD_STATEMENT_RULE_SET, "*", USE_OWNER, rule);
        if (i % 3 == 1) {
            assert_int_equal(rig_wait(r, 1)->type, WIRE_KILL);
            use_killed(r, 1);
        } else {
            rig_status(r, 1, 403, "AccessDenied");
        }
        rig_turns(r, 20);
        assert_int_equal(frames_of_type(r, WIRE_RELEASE), 0);
        end(r);
    }
}

/* The grant is good again before the front has stopped its streams (a person was off and is on): what is being killed gets no turn, no leaf, no key. */
static void a_stream_that_is_being_killed_goes_on_for_nobody(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 20 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    for (uint64_t i = 1; i <= 3; i++) use_get(r, i, &u, "/bucket/big", NULL);
    (void)rig_release(r, 1);
    (void)rig_release(r, 2);
    use_next_put(r, 1, USE_SEGMENT);               /* 3's turn; 1 is behind it */
    (void)rig_release(r, 3);
    rig_turns(r, 20);
    uint64_t leaves = log_size(r->t->control);
    kill_grant(r, &u);
    use_killed(r, 2);
    for (unsigned i = 0; i < 50 && log_size(r->t->control) == leaves; i++) loop_turn(r->g->loop, 1);
    use_killed(r, 1);                              /* between a leaf and its being durable, if it had one */
    use_killed(r, 3);
    rig_turns(r, 50);
    assert_int_equal(log_size(r->t->control), leaves);
    assert_true(done_count == 1 && done_ok == 1);
    end(r);
}

static void killed_that_nobody_asked_for_costs_the_front_its_connection(void **state)
{
    (void)state;
    struct rig *r = begin();
    struct use u;
    use_object(r, "/bucket/big", 20 * USE_MIB);
    use_grant(r, 1, (struct use_terms){0}, &u);
    use_get(r, 1, &u, "/bucket/big", NULL);
    (void)rig_release(r, 1);
    use_killed(r, 1);
    rig_turns(r, 20);
    assert_true(r->access_gone);
    end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_released_segment_by_segment_each_under_its_own_leaf),
        cmocka_unit_test(a_range_gives_the_keys_of_its_segments_alone),
        cmocka_unit_test(of_an_object_in_parts_each_part_has_segments_of_its_own),
        cmocka_unit_test(an_empty_object_is_one_release_that_opens_nothing),
        cmocka_unit_test(head_waits_for_nobody_and_opens_nothing),
        cmocka_unit_test(two_segments_of_a_grant_are_out_and_the_others_wait_in_order),
        cmocka_unit_test(who_is_gone_leaves_the_line_and_gives_back_what_it_held),
        cmocka_unit_test(a_grant_has_so_many_streams_and_one_more_is_told_to_slow_down),
        cmocka_unit_test(next_that_is_not_due_or_not_so_costs_the_front_its_connection),
        cmocka_unit_test(a_kill_stops_each_stream_and_waits_until_all_have_stopped),
        cmocka_unit_test(a_kill_with_nothing_under_way_is_done_at_once),
        cmocka_unit_test(a_front_that_does_not_stop_is_named_and_is_gone_when_its_connection_is),
        cmocka_unit_test(a_connection_that_goes_is_as_good_as_killed),
        cmocka_unit_test(a_stream_whose_grant_died_is_killed_when_it_asks_for_more),
        cmocka_unit_test(what_was_recorded_before_the_end_is_not_released_behind_it),
        cmocka_unit_test(a_stream_that_is_being_killed_goes_on_for_nobody),
        cmocka_unit_test(killed_that_nobody_asked_for_costs_the_front_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
