/* SPDX-License-Identifier: Apache-2.0
 * Metered answers: segment by segment across blobs, NEXT once for each RELEASE and not before the socket has taken its bytes.
 * Role: unit tests. Trusts: nothing. Distrusts: the flows. Law: 1, 2. Spec: docs/spec/access.md section 5, docs/spec/wire.md RELEASE, NEXT.
 */
#include "flow/metered_kit.h"

static void each_release_is_told_once_when_the_socket_has_it(void **state)
{
    (void)state;
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r);
    for (unsigned i = 0; i < SEGMENTS; i++) {
        assert_int_equal(give_segment(r, id, i), ERR_OK);
        while (r->body.n < segment_end(i)) {
            expect_silence(r, &r->w.gate);         /* nothing is asked for ahead */
            assert_true(answer_read(r));
        }
        check_body(r, 0, segment_end(i));
        expect_next(r, id, segment_end(i));
        expect_silence(r, &r->w.keeper);
        assert_int_equal(r->last, i + 1 == SEGMENTS);
    }
    assert_int_equal(r->status, 200);
    assert_int_equal(r->length, object_size());
    flow_end(&r->f);
    expect_silence(r, &r->w.gate);                 /* all was told: nothing to abort */
    assert_int_equal(r->cuts + r->resets, 0);
    teardown(r);
}

static void a_range_over_parts_of_blobs_is_given_whole(void **state)
{
    (void)state;
    /* From the middle of the second segment to the middle of the fifth: first and count of segments in each RELEASE. */
    static const struct { unsigned first, count, rows_of_blob2; } step[] = {{1, 2, 0}, {3, 1, 1}};
    uint64_t off = SEG + 77777, len = blob_off(2) + 99999 - off;
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r);
    for (unsigned i = 0; i < 2; i++) {
        AUTO(buf) struct buf rows = BUF_INIT(65536);
        put_segments(&rows, step[i].first, step[i].count, 2);
        if (step[i].rows_of_blob2) put_segments(&rows, 4, 1, 2);
        assert_int_equal(give_metered(r, id, buf_slice(&rows), off, len, i == 0), ERR_OK);
        read_all(r);
        expect_next(r, id, i == 0 ? segment_end(2) - off : len);
    }
    assert_int_equal(r->status, 206);
    assert_true(r->last);
    check_body(r, off, len);
    teardown(r);
}

static void what_the_socket_has_not_taken_is_not_told(void **state)
{
    (void)state;
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r), off = segment_end(3) - 10, len = 20;
    for (unsigned i = 3; i < 5; i++) {             /* one unit each: ten bytes of the one, ten of the other */
        AUTO(buf) struct buf rows = BUF_INIT(65536);
        put_segments(&rows, i, 1, 2);
        r->next_write = FLOW_BUSY;
        assert_int_equal(give_metered(r, id, buf_slice(&rows), off, len, i == 3), ERR_OK);
        read_all(r);
        check_body(r, off, i == 3 ? 10 : 20);
        expect_silence(r, &r->w.gate);
        assert_false(r->last);
        r->next_write = FLOW_WRITTEN;
        flow_can_write(&r->f);
        expect_next(r, id, i == 3 ? 10 : 20);
    }
    assert_true(r->last);
    flow_can_write(&r->f);
    expect_silence(r, &r->w.gate);
    teardown(r);
}

static void an_empty_object_is_told_as_well(void **state)
{
    (void)state;
    AUTO(buf) struct buf rows = BUF_INIT(65536), sealed = BUF_INIT(65536), p = BUF_INIT(1 << 20);
    struct wire_read q;
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r);
    seal_part(&sealed, 0, 0, 0);
    put_row(&rows, 0, 0, 0, 1, 2);
    assert_int_equal(give_rows_of(r, id, (struct wire_release){.metered = 1, .rows = buf_slice(&rows)}), ERR_OK);
    uint64_t read = next_read(r, &p, &q);
    assert_int_equal(give_data(r, read, buf_slice(&sealed), &q, false), ERR_OK);
    expect_next(r, id, 0);
    assert_true(r->last);
    assert_int_equal(r->status, 200);
    teardown(r);
}

static void a_head_gives_nothing_and_tells_nothing(void **state)
{
    (void)state;
    struct rig *r = setup_access("HEAD", "/b/k");
    uint64_t id = asked(r);
    assert_int_equal(give_rows_of(r, id, (struct wire_release){.size = 5, .len = 5, .head = 1, .metered = 1}), ERR_OK);
    assert_int_equal(r->length, 5);
    assert_true(r->no_body);
    flow_end(&r->f);
    expect_silence(r, &r->w.gate);
    teardown(r);
}

/* Rows that would put other bytes at a place than are there. */
static void segments_that_do_not_follow_each_other_are_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SEGMENTS; i++) {
        struct rig *r = setup_access("GET", "/b/k");
        uint64_t id = asked(r);
        assert_int_equal(give_segment(r, id, 0), ERR_OK);
        read_all(r);
        expect_next(r, id, segment_end(0));
        assert_int_equal(give_segment(r, id, i), ERR_OK);
        assert_int_equal(r->resets, i != 1);
        assert_int_equal(r->cuts, 0);
        teardown(r);
    }
    struct rig *r = setup_access("GET", "/b/k");   /* as the first one: nothing was sent yet */
    uint64_t id = asked(r);
    assert_int_equal(give_segment(r, id, 1), ERR_OK);
    assert_int_equal(r->status, 503);
    assert_int_equal(r->resets, 0);
    teardown(r);
}

/* Two rows of one RELEASE, of which the second leaves one out, or is the first again. */
static void a_gap_within_a_release_is_refused(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 3; second++) {
        AUTO(buf) struct buf rows = BUF_INIT(65536);
        struct rig *r = setup_access("GET", "/b/k");
        uint64_t id = asked(r);
        put_segments(&rows, 0, 1, 2);
        put_segments(&rows, second, 1, 2);
        assert_int_equal(give_metered(r, id, buf_slice(&rows), 0, object_size(), true), ERR_OK);
        read_all(r);
        assert_int_equal(r->resets, second != 1);
        teardown(r);
    }
}

static void rows_that_end_early_reset(void **state)
{
    (void)state;
    AUTO(buf) struct buf rows = BUF_INIT(65536);
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r);
    put_segments(&rows, 0, 1, 2);
    assert_int_equal(give_metered(r, id, buf_slice(&rows), 0, object_size(), false), ERR_OK);
    read_all(r);
    assert_int_equal(r->resets, 1);
    assert_false(r->last);
    teardown(r);
}

static void a_release_without_rows_is_refused(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct rig *r = setup_access("GET", "/b/k");
        uint64_t id = asked(r);
        if (!first) {
            assert_int_equal(give_segment(r, id, 0), ERR_OK);
            read_all(r);
            expect_next(r, id, segment_end(0));
        }
        assert_int_equal(give_metered(r, id, slice_of(NULL, 0), 0, object_size(), true), ERR_OK);
        if (first) assert_int_equal(r->status, 500);
        assert_int_equal(r->resets, !first);
        teardown(r);
    }
}

static void an_answer_does_not_stop_being_metered(void **state)
{
    (void)state;
    for (int metered = 0; metered < 2; metered++) {
        AUTO(buf) struct buf rows = BUF_INIT(65536), p = BUF_INIT(1 << 20);
        struct rig *r = setup_access("GET", "/b/k");
        uint64_t id = asked(r);
        struct wire_release m = {.size = object_size(), .len = object_size(), .more = 1};
        put_segments(&rows, 0, 3, 2);
        m.rows = buf_slice(&rows), m.metered = (uint8_t)metered;
        assert_int_equal(give_rows_of(r, id, m), ERR_OK);
        read_all(r);
        expect_next(r, id, metered ? segment_end(2) : 0);
        buf_reset(&rows);
        put_segments(&rows, 3, 1, 2);
        m.rows = buf_slice(&rows), m.metered = !metered;
        assert_int_equal(give_rows_of(r, id, m), ERR_OK);
        assert_int_equal(r->resets, metered);
        assert_int_equal(r->cuts, !metered);
        teardown(r);
    }
}

/* KILL would not reach it there. */
static void the_other_front_takes_nothing_metered(void **state)
{
    (void)state;
    struct rig *r = setup("GET", "/b/k");
    uint64_t id = asked(r);
    assert_int_equal(give_segment(r, id, 0), ERR_OK);
    assert_int_equal(r->status, 500);
    assert_int_equal(give_kill(r, id), ERR_INPUT);
    teardown(r);
}

static void nothing_is_staged_by_the_role(void **state)
{
    (void)state;
    AUTO(buf) struct buf frame = BUF_INIT(4096);
    struct wire_ticket m = {.size_max = 1};
    struct rig *r = setup_access("PUT", "/b/k");
    rig_header(r, "Content-Length", "0");
    r->q.length_known = true;
    uint64_t id = asked(r);
    assert_int_equal(wire_put_ticket(&frame, id, &m), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.gate, &frame), ERR_INPUT);
    teardown(r);
}

static void the_role_is_said_at_once(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(4096);
    const uint8_t boot[ID_BYTES] = {1};
    struct wire_hello m;
    for (int access = 0; access < 2; access++) {
        struct rig *r = malloc(sizeof *r);
        rig_init(r);
        if (access) r->w.role = WIRE_ROLE_ACCESS;
        flow_peer_connected(&r->w, &r->w.gate, boot);
        expect_frame(r, &r->w.gate, WIRE_HELLO, &p);
        assert_int_equal(wire_get_hello(buf_slice(&p), &m), ERR_OK);
        assert_int_equal(m.role, access ? WIRE_ROLE_ACCESS : WIRE_ROLE_FRONT);
        teardown(r);
    }
}

static void a_refused_next_segment_resets(void **state)
{
    (void)state;
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r);
    assert_int_equal(give_segment(r, id, 0), ERR_OK);
    read_all(r);
    expect_next(r, id, segment_end(0));
    give_answer(r, id, 403, "AccessDenied", slice_of(NULL, 0));
    assert_int_equal(r->resets, 1);
    assert_int_equal(r->heads, 1);
    check_body(r, 0, segment_end(0));
    flow_end(&r->f);
    expect_silence(r, &r->w.gate);
    teardown(r);
}

/* The gate may have given it up meanwhile, for it does not know that it was the last. */
static void an_answer_to_the_last_next_changes_nothing(void **state)
{
    (void)state;
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r);
    for (unsigned i = 0; i < SEGMENTS; i++) {
        assert_int_equal(give_segment(r, id, i), ERR_OK);
        read_all(r);
        expect_next(r, id, segment_end(i));
    }
    give_answer(r, id, 503, "ServiceUnavailable", slice_of(NULL, 0));
    assert_int_equal(r->resets + r->cuts, 0);
    assert_int_equal(r->heads, 1);
    check_body(r, 0, object_size());
    teardown(r);
}

static void a_client_that_leaves_aborts_at_any_point(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    for (int when = 0; when < 3; when++) {         /* nothing read, some, all of it told */
        struct rig *r = setup_access("GET", "/b/k");
        uint64_t id = asked(r);
        assert_int_equal(give_segment(r, id, 0), ERR_OK);
        if (when == 1) assert_true(answer_read(r));
        if (when == 2) {
            read_all(r);
            expect_next(r, id, segment_end(0));
        }
        flow_end(&r->f);
        assert_int_equal(expect_frame(r, &r->w.gate, WIRE_ABORT, &p), id);
        expect_silence(r, &r->w.gate);
        teardown(r);
    }
}

static void without_the_keeper_it_waits_and_is_told_once(void **state)
{
    (void)state;
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r);
    assert_int_equal(give_segment(r, id, 0), ERR_OK);
    assert_true(answer_read(r));
    flow_peer_lost(&r->w, &r->w.keeper);
    rig_up(r);
    read_all(r);
    check_body(r, 0, segment_end(0));
    expect_next(r, id, segment_end(0));
    teardown(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_release_is_told_once_when_the_socket_has_it),
        cmocka_unit_test(a_range_over_parts_of_blobs_is_given_whole),
        cmocka_unit_test(what_the_socket_has_not_taken_is_not_told),
        cmocka_unit_test(an_empty_object_is_told_as_well),
        cmocka_unit_test(a_head_gives_nothing_and_tells_nothing),
        cmocka_unit_test(segments_that_do_not_follow_each_other_are_refused),
        cmocka_unit_test(a_gap_within_a_release_is_refused),
        cmocka_unit_test(rows_that_end_early_reset),
        cmocka_unit_test(a_release_without_rows_is_refused),
        cmocka_unit_test(an_answer_does_not_stop_being_metered),
        cmocka_unit_test(the_other_front_takes_nothing_metered),
        cmocka_unit_test(nothing_is_staged_by_the_role),
        cmocka_unit_test(the_role_is_said_at_once),
        cmocka_unit_test(a_refused_next_segment_resets),
        cmocka_unit_test(an_answer_to_the_last_next_changes_nothing),
        cmocka_unit_test(a_client_that_leaves_aborts_at_any_point),
        cmocka_unit_test(without_the_keeper_it_waits_and_is_told_once),
    };
    return cmocka_run_group_tests(tests, object_begin, object_end);
}
