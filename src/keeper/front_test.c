/* SPDX-License-Identifier: Apache-2.0
 * front_test: what a front that was taken over gets from the keeper: nothing, and its connection closed (attacks 21 and 22).
 * Role: unit tests over socket pairs.
 * Law: LAW-2: nothing is changed without a command from the gate
 * Spec: docs/spec/wire.md
 */
#include "keeper/keeper_test.h"

static void refuse(struct rig *r, struct peer *p) {
    assert_true(peer_closed(r, p, 500));
    peer_done(p);
}

static void a_front_that_commands_loses_its_connection(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    struct blob b = rig_staged(&r, 20);
    assert_int_equal(rig_put(&r, "a", COMMAND_GUARD_ABSENT, &b), WIRE_SETTLED_DONE);
    struct buf del = BUF_INIT(4096);
    command_delete(&del, "a", 0, 1000);
    for (int what = 0; what < 6; what++) {
        struct peer f;
        peer_front(&r, &f);
        switch (what) {
        case 0: PEER_SEND(&f, find, 1, .key = SLICE_LIT("a")); break;
        case 1: PEER_SEND(&f, scan, 1, .rows_max = 10, .budget = 10); break;
        case 2: PEER_SEND(&f, apply, 1, .index = 1, .last = 1, .command = buf_slice(&del)); break;
        case 3: PEER_SEND(&f, grant, 1, .front_id = f.front_id, .cipher_max = 1, .expiry_ms = 1000); break;
        case 4: PEER_SEND(&f, settledall, 1, .unused = 0); break;
        default: PEER_SEND(&f, sealed, 1, .outcome = 0); break;
        }
        refuse(&r, &f);
    }
    assert_int_equal(rig_find(&r, "a", false, NULL), 0);
    buf_done(&del);
    rig_close(&r);
}

static void staging_without_a_grant_waits_a_second_and_closes(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    struct blob b = rig_blob(&r, 20);
    rig_stage_piece(&r.front, &b, 0, 20, true);
    assert_false(peer_closed(&r, &r.front, KEEPER_PARK_MS / 2));
    assert_true(peer_closed(&r, &r.front, KEEPER_PARK_MS));
    assert_int_equal(map_count(r.k.stages), 0);
    rig_close(&r);
}

static void staging_may_overtake_its_grant(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    struct blob b = rig_blob(&r, 30);
    rig_stage_piece(&r.front, &b, 0, 20, false);
    rig_stage_piece(&r.front, &b, 20, 10, true);
    assert_true(peer_silent(&r, &r.front, 30));
    rig_grant(&r, &b, &r.front, 30);
    struct wire_sealed s;
    assert_int_equal(wire_get_sealed(peer_recv(&r, &r.front, WIRE_SEALED), &s), ERR_OK);
    assert_int_equal(s.outcome, WIRE_SEALED_OK);
    assert_int_equal(rig_put(&r, "a", COMMAND_GUARD_ABSENT, &b), WIRE_SETTLED_DONE);
    rig_close(&r);
}

/* One row: what a front does with a grant of 100 bytes. */
struct misuse {
    const char *name;
    uint64_t max, first, off, second;
    bool first_last, other_front;
};
static const struct misuse misuses[] = {
    {"another front's grant", 100, 50, 0, 0, false, true},
    {"more than granted", 100, 101, 0, 0, false, false},
    {"more than granted, in the second piece", 100, 60, 60, 41, false, false},
    {"a hole", 100, 50, 51, 10, false, false},
    {"back over what was sent", 100, 50, 49, 10, false, false},
    {"after the end (attack 22)", 100, 50, 50, 10, true, false},
    {"over the end (attack 22)", 100, 50, 0, 50, true, false},
};

static void misuse_of_a_grant_closes(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    for (size_t i = 0; i < ARRAY_LEN(misuses); i++) {
        const struct misuse *m = &misuses[i];
        struct peer f;
        struct blob b = rig_blob(&r, m->first);
        peer_front(&r, &f);
        rig_grant(&r, &b, m->other_front ? &r.front : &f, m->max);
        rig_turn(&r, 1);
        rig_stage_piece(&f, &b, 0, (size_t)m->first, m->first_last);
        if (m->second > 0) rig_stage_piece(&f, &b, m->off, (size_t)m->second, true);
        if (!peer_closed(&r, &f, 500)) fail_msg("not closed: %s", m->name);
        peer_done(&f);
        if (!m->first_last) assert_int_equal(rig_put(&r, "a", COMMAND_GUARD_ABSENT, &b), WIRE_SETTLED_REFUSED);
    }
    rig_close(&r);
}

static void more_in_flight_than_credited_closes(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    struct blob b = rig_blob(&r, 4 << 20);
    rig_grant(&r, &b, &r.front, b.size);
    for (int i = 0; i < 4; i++) rig_stage_piece(&r.front, &b, (uint64_t)i * WIRE_DATA_BYTES_MAX, WIRE_DATA_BYTES_MAX, false);
    struct stage *s = NULL;
    for (int i = 0; i < 200 && (s == NULL || s->off < 4 * WIRE_DATA_BYTES_MAX); i++) {
        rig_turn(&r, 2);
        s = stage_find(&r.k, b.id);
    }
    assert_non_null(s);
    assert_int_equal(s->off, 4 * WIRE_DATA_BYTES_MAX); /* exactly STAGE_CREDIT_BYTES is within the rule */
    s->credited = 0;                                   /* as if the disk had taken nothing yet */
    rig_stage_piece(&r.front, &b, s->off, 1, false);
    assert_true(peer_closed(&r, &r.front, 500));
    rig_close(&r);
}

static void a_read_gives_nothing_beyond_its_location(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    struct blob b = rig_staged(&r, 5000);
    assert_int_equal(rig_put(&r, "a", COMMAND_GUARD_ABSENT, &b), WIRE_SETTLED_DONE);
    struct buf at = BUF_INIT(64);
    (void)rig_find(&r, "a", false, &at);
    assert_int_equal(rig_read(&r, &at, 4999, 1), WIRE_DATA_OK);
    assert_int_equal(rig_read(&r, &at, 4999, 2), WIRE_DATA_GONE);
    assert_int_equal(rig_read(&r, &at, UINT64_MAX, 1), WIRE_DATA_GONE);
    assert_int_equal(rig_read(&r, &at, 0, WIRE_DATA_BYTES_MAX + 1), WIRE_DATA_GONE);
    for (size_t n = 0; n < at.n; n++) {
        struct buf cut = BUF_INIT(64);
        buf_put(&cut, at.p, n);
        assert_int_equal(rig_read(&r, &cut, 0, 1), WIRE_DATA_GONE);
        buf_done(&cut);
    }
    buf_done(&at);
    rig_close(&r);
}

static void an_access_front_reads_and_does_nothing_else(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    struct blob b = rig_staged(&r, 20);
    assert_int_equal(rig_put(&r, "a", COMMAND_GUARD_ABSENT, &b), WIRE_SETTLED_DONE);
    struct buf at = BUF_INIT(64);
    (void)rig_find(&r, "a", false, &at);
    struct blob granted = rig_blob(&r, 20);
    rig_grant(&r, &granted, &r.front, 20);
    rig_turn(&r, 2);
    for (int what = 0; what < 5; what++) {
        struct peer a;
        peer_access(&r, &a);
        assert_true(a.front_id == 0);
        PEER_SEND(&a, read, 7, .location = buf_slice(&at), .off = 0, .len = 20);
        struct wire_data d;
        assert_int_equal(wire_get_data(peer_recv(&r, &a, WIRE_DATA), &d), ERR_OK);
        assert_int_equal(d.outcome, WIRE_DATA_OK);
        switch (what) {
        case 0: rig_stage_piece(&a, &granted, 0, 20, true); break;
        case 1: PEER_SEND(&a, drop, 1, .blob = {0}); break;
        case 2: PEER_SEND(&a, find, 1, .key = SLICE_LIT("a")); break;
        case 3: PEER_SEND(&a, grant, 1, .front_id = 1, .cipher_max = 1, .expiry_ms = 1000); break;
        default: PEER_SEND(&a, apply, 1, .index = 1, .last = 1, .command = SLICE_LIT("x")); break;
        }
        refuse(&r, &a);
    }
    assert_int_equal(map_count(r.k.stages), 1);
    buf_done(&at);
    rig_close(&r);
}

static void a_role_comes_by_its_own_path(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    for (int path = 0; path < 2; path++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        struct peer p = {.fd = fds[0], .in = BUF_INIT(SIZE_MAX / 2)};
        if (path == 0) conn_access_accepted(&r.k, fds[1]);
        else conn_front_accepted(&r.k, fds[1]);
        PEER_SEND(&p, hello, 0, .role = path == 0 ? WIRE_ROLE_FRONT : WIRE_ROLE_ACCESS, .version = WIRE_VERSION);
        refuse(&r, &p);
    }
    rig_close(&r);
}

/* Blobs sealed before this start carry the number 0 until the gate has settled what it knows. */
static void the_end_of_an_access_front_drops_no_blob_of_before(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    const uint8_t id[ID_BYTES] = {9};
    stage_sealed_before(&r.k, id, 20);
    struct peer a;
    peer_access(&r, &a);
    peer_done(&a);
    rig_turn(&r, 5);
    rig_turn(&r, 5);
    assert_int_equal(r.k.front_count, 1);
    assert_non_null(stage_find(&r.k, id));
    rig_close(&r);
}

static void a_dropped_or_expired_grant_is_gone(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    struct blob b = rig_staged(&r, 20);
    struct wire_drop d;
    memcpy(d.blob, b.id, ID_BYTES);
    struct buf frame = BUF_INIT(64);
    assert_int_equal(wire_put_drop(&frame, 0, &d), ERR_OK);
    peer_send(&r.front, &frame);
    assert_true(peer_silent(&r, &r.front, 20));
    assert_int_equal(map_count(r.k.stages), 0);
    struct wire_grant g = {.front_id = r.front.front_id, .cipher_max = 10, .expiry_ms = 0};
    memcpy(g.blob, b.id, ID_BYTES);
    buf_reset(&frame);
    assert_int_equal(wire_put_grant(&frame, 0, &g), ERR_OK);
    peer_send(&r.gate, &frame);
    rig_turn(&r, 5);
    rig_turn(&r, 5);
    stage_expire(&r.k);
    assert_int_equal(map_count(r.k.stages), 0);
    buf_done(&frame);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_front_that_commands_loses_its_connection),
        cmocka_unit_test(staging_without_a_grant_waits_a_second_and_closes),
        cmocka_unit_test(staging_may_overtake_its_grant),
        cmocka_unit_test(misuse_of_a_grant_closes),
        cmocka_unit_test(more_in_flight_than_credited_closes),
        cmocka_unit_test(a_read_gives_nothing_beyond_its_location),
        cmocka_unit_test(an_access_front_reads_and_does_nothing_else),
        cmocka_unit_test(a_role_comes_by_its_own_path),
        cmocka_unit_test(the_end_of_an_access_front_drops_no_blob_of_before),
        cmocka_unit_test(a_dropped_or_expired_grant_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
