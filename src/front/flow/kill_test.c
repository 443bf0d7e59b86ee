/* SPDX-License-Identifier: Apache-2.0
 * KILL: whatever a request is doing, its connection is reset once, nothing follows, and each KILL has one KILLED.
 * Role: unit tests. Trusts: nothing. Distrusts: the flows. Law: 1. Spec: docs/spec/access.md section 5, docs/spec/wire.md KILL.
 */
#include "flow/metered_kit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What comes later from wherever it may: no byte of it leaves. */
static void expect_dead(struct rig *r, size_t had)
{
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct wire_read q;
    uint8_t type;
    for (uint64_t id; rig_next(r, &r->w.keeper, &type, &id, &p);) {     /* READs that were under way */
        assert_int_equal(type, WIRE_READ);
        assert_int_equal(wire_get_read(buf_slice(&p), &q), ERR_OK);
        assert_int_equal(give_data(r, id, buf_slice(&cipher[q.location.p[q.location.n - 1] - 1]), &q, false), ERR_OK);
    }
    unsigned heads = r->heads;
    r->next_write = FLOW_WRITTEN;
    flow_can_write(&r->f);
    flow_tick(&r->w);
    flow_peer_lost(&r->w, &r->w.keeper);
    assert_int_equal(r->body.n, had);
    assert_int_equal(r->heads, heads);
    assert_int_equal(r->resets, 1);
    assert_int_equal(r->cuts, 0);
    flow_end(&r->f);
    expect_silence(r, &r->w.gate);                 /* no ABORT after KILLED */
}

static void begin_asked(struct rig *r, uint64_t id) { (void)r, (void)id; }
static void begin_first(struct rig *r, uint64_t id) { assert_int_equal(give_segment(r, id, 0), ERR_OK); }
static void begin_middle(struct rig *r, uint64_t id)
{
    begin_first(r, id);
    assert_true(answer_read(r));
}
static void begin_blocked(struct rig *r, uint64_t id)
{
    begin_first(r, id);
    r->next_write = FLOW_BUSY;
    assert_true(answer_read(r));
    assert_true(r->f.writing);
}
static void begin_told(struct rig *r, uint64_t id)
{
    begin_first(r, id);
    read_all(r);
    expect_next(r, id, segment_end(0));
}
static void begin_away(struct rig *r, uint64_t id)
{
    begin_middle(r, id);
    flow_peer_lost(&r->w, &r->w.keeper);           /* its READs wait for the keeper */
    assert_false(list_empty(&r->w.parked));
}
static void begin_whole(struct rig *r, uint64_t id)
{
    begin_first(r, id);
    for (unsigned i = 1; i < SEGMENTS; i++) {
        read_all(r);
        expect_next(r, id, segment_end(i - 1));
        assert_int_equal(give_segment(r, id, i), ERR_OK);
    }
    read_all(r);
    expect_next(r, id, object_size());
    assert_true(r->last);
}
static void begin_sending(struct rig *r, uint64_t id)
{
    r->next_write = FLOW_BUSY;                     /* an answer of the gate's, which the client is slow to take */
    give_answer(r, id, 404, "NoSuchKey", slice_of(NULL, 0));
    assert_int_equal(r->f.step, FLOW_SENDING);
}
static void begin_raw(struct rig *r, uint64_t id)
{
    AUTO(buf) struct buf frame = BUF_INIT(65536);
    struct wire_answer m = {.status = 200, .body_kind = WIRE_BODY_RAW, .body = SLICE_LIT("abc"), .more = 1};
    assert_int_equal(wire_put_answer(&frame, id, &m), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.gate, &frame), ERR_OK);
    assert_int_equal(r->f.step, FLOW_RAW);
}
static void begin_list(struct rig *r, uint64_t id)
{
    AUTO(buf) struct buf frame = BUF_INIT(65536);
    struct wire_listing m = {.kind = WIRE_SCAN_KEYS, .last = 0};
    assert_int_equal(wire_put_listing(&frame, id, &m), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.gate, &frame), ERR_OK);
    assert_int_equal(r->f.step, FLOW_LIST);
}
static void begin_control(struct rig *r, uint64_t id)
{
    AUTO(buf) struct buf frame = BUF_INIT(65536);
    struct wire_wantbody m = {.size_max = 100};
    assert_int_equal(wire_put_wantbody(&frame, id, &m), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.gate, &frame), ERR_OK);
    assert_int_equal(r->f.step, FLOW_CONTROL);
}

static void it_is_reset_in_every_state(void **state)
{
    (void)state;
    static const struct { const char *method, *target; void (*begin)(struct rig *, uint64_t); } cases[] = {
        {"GET", "/b/k", begin_asked}, {"GET", "/b/k", begin_first}, {"GET", "/b/k", begin_middle}, {"GET", "/b/k", begin_blocked},
        {"GET", "/b/k", begin_told}, {"GET", "/b/k", begin_away}, {"GET", "/b/k", begin_whole}, {"GET", "/b/k", begin_sending}, {"GET", "/b/k", begin_raw},
        {"GET", "/b?list-type=2", begin_list}, {"PUT", "/b?versioning", begin_control},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = setup_access(cases[i].method, cases[i].target);
        if (cases[i].begin == begin_control) {
            rig_header(r, "Content-Length", "5");
            r->q.length_known = r->q.has_body = true;
            r->q.length = 5;
        }
        uint64_t id = asked(r);
        cases[i].begin(r, id);
        size_t had = r->body.n;
        assert_int_equal(give_kill(r, id), ERR_OK);
        assert_int_equal(r->resets, 1);
        expect_killed(r, id);
        expect_dead(r, had);
        teardown(r);
    }
}

static void a_request_that_has_ended_is_killed_already(void **state)
{
    (void)state;
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r);
    begin_whole(r, id);
    flow_end(&r->f);
    assert_int_equal(give_kill(r, id), ERR_OK);
    expect_killed(r, id);
    assert_int_equal(give_kill(r, id + 1), ERR_OK);          /* one that never was */
    expect_killed(r, id + 1);
    assert_int_equal(r->resets, 0);                /* its connection may be another request's by now */
    teardown(r);
}

static void each_kill_has_its_killed_and_one_reset(void **state)
{
    (void)state;
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r);
    begin_middle(r, id);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(give_kill(r, id), ERR_OK);
        expect_killed(r, id);
    }
    assert_int_equal(r->resets, 1);
    teardown(r);
}

/* They were on their way when KILLED was said; they cost the gate's connection nothing. */
static void frames_that_cross_killed_are_dropped(void **state)
{
    (void)state;
    struct rig *r = setup_access("GET", "/b/k");
    uint64_t id = asked(r);
    begin_told(r, id);
    assert_int_equal(give_kill(r, id), ERR_OK);
    expect_killed(r, id);
    assert_int_equal(give_segment(r, id, 1), ERR_OK);
    give_answer(r, id, 503, "ServiceUnavailable", slice_of(NULL, 0));
    expect_silence(r, &r->w.keeper);
    expect_dead(r, segment_end(0));
    teardown(r);
}

/* A thread reads into the request's memory: that stays, and so does the file, until the host ends the flow. */
static void a_thread_that_reads_is_waited_for(void **state)
{
    (void)state;
    AUTO(buf) struct buf rows = BUF_INIT(65536), name = BUF_INIT(64);
    char dir[] = "/tmp/front-kill-XXXXXX", below[64], file[128];
    struct rig *r = setup_access("GET", "/b/k");
    put_segments(&rows, 0, 1, 3);
    assert_non_null(mkdtemp(dir));
    buf_put_base32(&name, slice_of(rows.p + rows.n - ID_BYTES, ID_BYTES));
    snprintf(below, sizeof below, "%s/%.2s", dir, (const char *)name.p);
    snprintf(file, sizeof file, "%s/%.26s", below, (const char *)name.p);
    assert_int_equal(mkdir(below, 0700), 0);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    r->w.blobs_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    r->file_later = true;
    uint64_t id = asked(r);
    assert_int_equal(give_metered(r, id, buf_slice(&rows), 0, object_size(), true), ERR_OK);
    assert_int_equal(r->files, 1);
    assert_int_equal(give_kill(r, id), ERR_OK);
    expect_killed(r, id);
    assert_true(fcntl(r->f.get->fd, F_GETFD) >= 0);
    memcpy(r->file_out, cipher[0].p + r->file_off, r->file_n);
    flow_file_done(&r->f, (int64_t)r->file_n);
    assert_int_equal(r->files, 1);
    expect_dead(r, 0);
    close(r->w.blobs_fd);
    unlink(file);
    rmdir(below);
    rmdir(dir);
    teardown(r);
}

/* Nobody is left who could revoke it. */
static void without_the_gate_what_is_metered_is_reset(void **state)
{
    (void)state;
    static void (*const begin[])(struct rig *, uint64_t) = {begin_first, begin_middle, begin_blocked, begin_told, begin_away};
    for (size_t i = 0; i < ARRAY_LEN(begin); i++) {
        struct rig *r = setup_access("GET", "/b/k");
        uint64_t id = asked(r);
        begin[i](r, id);
        size_t had = r->body.n;
        flow_peer_lost(&r->w, &r->w.gate);
        expect_dead(r, had);
        teardown(r);
    }
    struct rig *r = setup_access("GET", "/b/k");   /* all is with the socket: nothing to revoke */
    uint64_t id = asked(r);
    begin_whole(r, id);
    flow_peer_lost(&r->w, &r->w.gate);
    assert_int_equal(r->resets, 0);
    teardown(r);
    r = setup_access("GET", "/b/k");               /* not answered yet: asked again */
    asked(r);
    flow_peer_lost(&r->w, &r->w.gate);
    assert_int_equal(r->resets, 0);
    assert_int_equal(r->f.step, FLOW_PARKED);
    teardown(r);
}

static void a_kill_that_is_cut_short_or_too_long_costs_the_connection(void **state)
{
    (void)state;
    for (size_t n = 0; n < 3; n++) {
        AUTO(buf) struct buf frame = BUF_INIT(64);
        struct rig *r = setup_access("GET", "/b/k");
        uint64_t id = asked(r);
        buf_put_u32(&frame, (uint32_t)(WIRE_HEADER_BYTES - 4 + n));
        buf_put_u8(&frame, WIRE_KILL);
        buf_put_u64(&frame, id);
        for (size_t i = 0; i < n; i++) buf_put_u8(&frame, 0);
        assert_int_equal(rig_give(r, &r->w.gate, &frame), n == 1 ? ERR_OK : n == 0 ? ERR_TRUNCATED : ERR_TRAILING);
        assert_int_equal(r->resets, n == 1);
        teardown(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_reset_in_every_state),
        cmocka_unit_test(a_request_that_has_ended_is_killed_already),
        cmocka_unit_test(each_kill_has_its_killed_and_one_reset),
        cmocka_unit_test(frames_that_cross_killed_are_dropped),
        cmocka_unit_test(a_thread_that_reads_is_waited_for),
        cmocka_unit_test(without_the_gate_what_is_metered_is_reset),
        cmocka_unit_test(a_kill_that_is_cut_short_or_too_long_costs_the_connection),
    };
    return cmocka_run_group_tests(tests, object_begin, object_end);
}
