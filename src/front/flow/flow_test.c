/* SPDX-License-Identifier: Apache-2.0
 * The flows against orders of events that a network seldom shows.
 * Role: unit tests. Trusts: nothing. Distrusts: the flows. Law: 1, 2. Spec: flow.h, docs/spec/wire.md.
 */
#include "flow/flow_kit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* GET --------------------------------------------------------------------------------------------------------------------------- */

/* LAW-1, LAW-2 */
static void nothing_is_read_before_release(void **state)
{
    (void)state;
    struct rig *r = setup("GET", "/b/k");
    asked(r);
    expect_silence(r, &r->w.keeper);
    assert_int_equal(r->heads, 0);
    teardown(r);
}

static void a_small_object_is_one_read(void **state)
{
    (void)state;
    AUTO(buf) struct buf cipher = BUF_INIT(1 << 20), p = BUF_INIT(1 << 20);
    struct wire_read q;
    struct rig *r = setup("GET", "/b/k");
    seal_all(&cipher, 4096);
    uint64_t id = asked(r);
    assert_int_equal(give_release(r, id, 4096, 0, 4096, 1), ERR_OK);
    assert_int_equal(r->heads, 0);                 /* not before its first frame is checked */
    uint64_t read = next_read(r, &p, &q);
    assert_int_equal(q.len, 4096 + FRAME_TAG_BYTES);
    expect_silence(r, &r->w.keeper);
    assert_int_equal(give_data(r, read, buf_slice(&cipher), &q, false), ERR_OK);
    assert_int_equal(r->status, 200);
    assert_int_equal(r->length, 4096);
    assert_true(r->last);
    check_body(r, 0, 4096);
    teardown(r);
}

static void units_that_arrive_in_another_order_leave_in_theirs(void **state)
{
    (void)state;
    size_t size = 9 * FRAME_PLAIN_BYTES + 100;
    AUTO(buf) struct buf cipher = BUF_INIT(1 << 20), p = BUF_INIT(1 << 20);
    struct wire_read q[4];
    uint64_t id[4];
    struct rig *r = setup("GET", "/b/k");
    seal_all(&cipher, size);
    assert_int_equal(give_release(r, asked(r), size, 0, size, 1), ERR_OK);
    id[0] = next_read(r, &p, &q[0]);
    id[1] = next_read(r, &p, &q[1]);
    expect_silence(r, &r->w.keeper);               /* two under way, not more */
    assert_int_equal(give_data(r, id[1], buf_slice(&cipher), &q[1], false), ERR_OK);
    assert_int_equal(r->heads, 0);
    assert_int_equal(give_data(r, id[0], buf_slice(&cipher), &q[0], false), ERR_OK);
    id[2] = next_read(r, &p, &q[2]);
    id[3] = next_read(r, &p, &q[3]);
    assert_int_equal(give_data(r, id[2], buf_slice(&cipher), &q[2], false), ERR_OK);
    assert_false(r->last);
    assert_int_equal(give_data(r, id[3], buf_slice(&cipher), &q[3], false), ERR_OK);
    assert_true(r->last);
    check_body(r, 0, size);
    teardown(r);
}

static void a_busy_client_holds_the_reads_back(void **state)
{
    (void)state;
    size_t size = 12 * FRAME_PLAIN_BYTES;
    AUTO(buf) struct buf cipher = BUF_INIT(1 << 20), p = BUF_INIT(1 << 20);
    struct wire_read q;
    struct rig *r = setup("GET", "/b/k");
    seal_all(&cipher, size);
    r->next_write = FLOW_BUSY;
    assert_int_equal(give_release(r, asked(r), size, 0, size, 1), ERR_OK);
    for (int i = 0; i < 2; i++) {
        uint64_t id = next_read(r, &p, &q);
        struct wire_read keep = q;
        assert_int_equal(give_data(r, id, buf_slice(&cipher), &keep, false), ERR_OK);
        if (i == 0) continue;
    }
    expect_silence(r, &r->w.keeper);
    assert_int_equal(r->body.n, 3 * FRAME_PLAIN_BYTES);
    r->next_write = FLOW_WRITTEN;
    flow_can_write(&r->f);
    while (r->body.n < size) {
        uint64_t id = next_read(r, &p, &q);
        assert_int_equal(give_data(r, id, buf_slice(&cipher), &q, false), ERR_OK);
    }
    check_body(r, 0, size);
    teardown(r);
}

static void a_range_over_frames_is_cut_at_both_ends(void **state)
{
    (void)state;
    size_t size = 4 * FRAME_PLAIN_BYTES;
    AUTO(buf) struct buf cipher = BUF_INIT(1 << 20), p = BUF_INIT(1 << 20);
    struct wire_read q;
    struct rig *r = setup("GET", "/b/k");
    seal_all(&cipher, size);
    assert_int_equal(give_release(r, asked(r), size, FRAME_PLAIN_BYTES - 1, FRAME_PLAIN_BYTES + 2, 1), ERR_OK);
    uint64_t id = next_read(r, &p, &q);
    assert_int_equal(q.off, 0);
    assert_int_equal(give_data(r, id, buf_slice(&cipher), &q, false), ERR_OK);
    assert_int_equal(r->status, 206);
    check_body(r, FRAME_PLAIN_BYTES - 1, FRAME_PLAIN_BYTES + 2);
    teardown(r);
}

static void a_wrong_first_frame_is_answered_and_a_later_one_cuts(void **state)
{
    (void)state;
    size_t size = 6 * FRAME_PLAIN_BYTES;
    AUTO(buf) struct buf cipher = BUF_INIT(1 << 20), p = BUF_INIT(1 << 20);
    seal_all(&cipher, size);
    for (int which = 0; which < 2; which++) {
        struct wire_read q;
        struct rig *r = setup("GET", "/b/k");
        assert_int_equal(give_release(r, asked(r), size, 0, size, 1), ERR_OK);
        uint64_t id = next_read(r, &p, &q);
        assert_int_equal(give_data(r, id, buf_slice(&cipher), &q, which == 0), ERR_OK);
        if (which == 1) {
            id = next_read(r, &p, &q);
            assert_int_equal(give_data(r, id, buf_slice(&cipher), &q, true), ERR_OK);
            assert_int_equal(r->cuts, 1);
            assert_int_equal(r->status, 200);
            check_body(r, 0, 3 * FRAME_PLAIN_BYTES);
        } else {
            assert_int_equal(r->cuts, 0);
            assert_int_equal(r->status, 500);
        }
        teardown(r);
    }
}

static void a_release_without_a_needed_key_is_refused(void **state)
{
    (void)state;
    struct rig *r = setup("GET", "/b/k");
    assert_int_equal(give_release(r, asked(r), SEGMENT_PLAIN_BYTES + 1, 0, SEGMENT_PLAIN_BYTES + 1, 1), ERR_OK);
    expect_silence(r, &r->w.keeper);
    assert_int_equal(r->status, 503);
    teardown(r);
}

static void reads_are_sent_again_to_a_new_keeper(void **state)
{
    (void)state;
    AUTO(buf) struct buf cipher = BUF_INIT(1 << 20), p = BUF_INIT(1 << 20);
    struct wire_read q;
    struct rig *r = setup("GET", "/b/k");
    seal_all(&cipher, 5000);
    assert_int_equal(give_release(r, asked(r), 5000, 0, 5000, 1), ERR_OK);
    next_read(r, &p, &q);
    flow_peer_lost(&r->w, &r->w.keeper);
    rig_up(r);
    uint64_t id = next_read(r, &p, &q);
    assert_int_equal(give_data(r, id, buf_slice(&cipher), &q, false), ERR_OK);
    check_body(r, 0, 5000);
    teardown(r);
}

/* PUT ---------------------------------------------------------------------------------------------------------------------------- */

static struct rig *setup_put(uint64_t size)
{
    static char length[24];
    struct rig *r = setup("PUT", "/b/k");
    AUTO(buf) struct buf b = BUF_INIT(24);
    buf_put_dec(&b, size);
    buf_put_u8(&b, 0);
    memcpy(length, b.p, b.n);
    rig_header(r, "Content-Length", length);
    r->q.length_known = true;
    r->q.length = size;
    r->q.has_body = size > 0;
    return r;
}

/* Feeds the body in pieces of `step`, taking what is staged as it comes. */
static void feed(struct rig *r, uint64_t id, size_t size, size_t step, struct buf *staged)
{
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    uint8_t *all = malloc(size + 1), type;
    uint64_t got;
    for (size_t i = 0; i < size; i++) all[i] = plain_at(i);
    for (size_t at = 0;; ) {
        size_t n = MIN(step, size - at);
        at += flow_body(&r->f, slice_of(all + at, n), false);
        while (rig_next(r, &r->w.keeper, &type, &got, &p)) {
            struct wire_stage m;
            assert_int_equal(type, WIRE_STAGE);
            assert_int_equal(wire_get_stage(buf_slice(&p), &m), ERR_OK);
            assert_int_equal(m.off, staged->n);
            assert_int_equal(m.last, 0);
            buf_put_slice(staged, m.data);
            give_credit(r, id, staged->n);
        }
        if (at == size) break;
    }
    flow_body(&r->f, slice_of(NULL, 0), true);
    while (rig_next(r, &r->w.keeper, &type, &got, &p)) {
        struct wire_stage m;
        assert_int_equal(wire_get_stage(buf_slice(&p), &m), ERR_OK);
        buf_put_slice(staged, m.data);
        if (!m.last) give_credit(r, id, staged->n);
    }
    free(all);
}

static void a_body_in_any_pieces_is_sealed_the_same(void **state)
{
    (void)state;
    static const struct { size_t size, step; } cases[] = {
        {0, 1}, {1, 1}, {3000, 1}, {65536, 65536}, {65536, 4099}, {65537, 7}, {700000, 65536}, {262144, 300000}, {4194304 + 5, 65536}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf) struct buf want = BUF_INIT(8 << 20), staged = BUF_INIT(8 << 20), p = BUF_INIT(1 << 20);
        struct rig *r = setup_put(cases[i].size);
        seal_all(&want, cases[i].size);
        uint64_t id = asked(r);
        assert_int_equal(r->bodies, 0);
        give_ticket(r, id, S3_PUT_BYTES_MAX);
        assert_int_equal(r->bodies, 1);
        feed(r, id, cases[i].size, cases[i].step, &staged);
        assert_int_equal(staged.n, want.n);
        assert_memory_equal(staged.p, want.p, want.n);
        expect_silence(r, &r->w.gate);             /* no COMMIT before SEALED */
        give_sealed(r, id, WIRE_SEALED_OK);
        struct wire_commit c;
        expect_frame(r, &r->w.gate, WIRE_COMMIT, &p);
        assert_int_equal(wire_get_commit(buf_slice(&p), &c), ERR_OK);
        assert_int_equal(c.size, cases[i].size);
        assert_int_equal(c.cipher_size, want.n);
        teardown(r);
    }
}

static void without_credit_the_body_waits(void **state)
{
    (void)state;
    size_t size = 3 << 20;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct rig *r = setup_put(size);
    uint64_t id = asked(r), got;
    uint8_t *all = calloc(1, size), type;
    give_ticket(r, id, S3_PUT_BYTES_MAX);
    size_t at = 0, staged = 0, n;
    for (;;) {
        n = flow_body(&r->f, slice_of(all + at, size - at), false);
        at += n;
        bool any = false;
        while (rig_next(r, &r->w.keeper, &type, &got, &p)) {
            struct wire_stage m;
            assert_int_equal(wire_get_stage(buf_slice(&p), &m), ERR_OK);
            staged += m.data.n;
            any = true;
        }
        if (!any && n == 0) break;
    }
    assert_true(staged <= STAGE_CREDIT_BYTES && staged > STAGE_CREDIT_BYTES / 2);
    unsigned bodies = r->bodies;
    give_credit(r, id, staged);
    assert_int_equal(r->bodies, bodies + 1);       /* goes on */
    give_credit(r, id, staged + 1);                /* more than was sent is not believed */
    free(all);
    teardown(r);
}

static void a_wrong_digest_is_dropped_and_aborted(void **state)
{
    (void)state;
    AUTO(buf) struct buf staged = BUF_INIT(1 << 20), p = BUF_INIT(1 << 20);
    struct rig *r = setup_put(5);
    r->headers[4] = (struct s3_header){slice_str("Content-MD5"), slice_str("1B2M2Y8AsgTpgAmY7PhCfg==")};
    r->headers[5] = (struct s3_header){slice_str("Content-Length"), slice_str("5")};
    r->q.header_count = 6;
    uint64_t id = asked(r);
    give_ticket(r, id, S3_PUT_BYTES_MAX);
    flow_body(&r->f, slice_of("hello", 5), false);
    flow_body(&r->f, slice_of(NULL, 0), true);
    expect_silence(r, &r->w.keeper);               /* small: nothing had left yet, nothing to drop */
    expect_frame(r, &r->w.gate, WIRE_ABORT, &p);
    assert_int_equal(r->status, 400);
    assert_non_null(memmem(r->body.p, r->body.n, "BadDigest", 9));
    teardown(r);
}

static void a_body_past_the_ticket_is_refused_before_it_is_read(void **state)
{
    (void)state;
    struct rig *r = setup_put(1000);
    give_ticket(r, asked(r), 999);
    assert_int_equal(r->bodies, 0);
    assert_int_equal(r->status, 400);
    assert_non_null(memmem(r->body.p, r->body.n, "EntityTooLarge", 14));
    teardown(r);
}

/* peers ---------------------------------------------------------------------------------------------------------------------------- */

static void a_lost_gate_is_asked_again_with_the_same_id(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct wire_ask m;
    struct rig *r = setup("GET", "/b/k");
    uint64_t id = asked(r);
    flow_peer_lost(&r->w, &r->w.gate);
    assert_int_equal(r->heads, 0);
    rig_up(r);
    assert_int_equal(expect_frame(r, &r->w.gate, WIRE_ASK, &p), id);
    assert_int_equal(wire_get_ask(buf_slice(&p), &m), ERR_OK);
    assert_int_equal(m.flags & WIRE_ASK_AGAIN, WIRE_ASK_AGAIN);
    teardown(r);
}

static void a_change_that_may_have_been_done_is_not_asked_again(void **state)
{
    (void)state;
    static const char *const all[][2] = {{"DELETE", "/b/k"}, {"POST", "/b/k?uploads"}, {"PUT", "/b"}, {"DELETE", "/b/k?tagging"}};
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct rig *r = setup(all[i][0], all[i][1]);
        asked(r);
        flow_peer_lost(&r->w, &r->w.gate);
        assert_int_equal(r->status, 503);
        rig_up(r);
        expect_silence(r, &r->w.gate);
        teardown(r);
    }
    struct rig *r = setup_put(5);                      /* nothing of an object is there before its COMMIT */
    uint64_t id = asked(r);
    flow_peer_lost(&r->w, &r->w.gate);
    rig_up(r);
    assert_int_equal(expect_frame(r, &r->w.gate, WIRE_ASK, &p), id);
    teardown(r);
}

static void a_change_that_was_not_asked_for_yet_waits(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct rig *r = setup("DELETE", "/b/k");
    flow_peer_lost(&r->w, &r->w.gate);
    rig_start(r);
    assert_int_equal(r->heads, 0);
    rig_up(r);
    expect_frame(r, &r->w.gate, WIRE_ASK, &p);
    teardown(r);
}

static void parked_requests_are_given_up_after_park_ms(void **state)
{
    (void)state;
    struct rig *r = setup("GET", "/b/k");
    asked(r);
    flow_peer_lost(&r->w, &r->w.gate);
    r->w.now_ms += PARK_MS - 1;
    flow_tick(&r->w);
    assert_int_equal(r->heads, 0);
    r->w.now_ms += 1;
    flow_tick(&r->w);
    assert_int_equal(r->status, 503);
    teardown(r);
}

static void a_committed_upload_is_not_asked_again(void **state)
{
    (void)state;
    AUTO(buf) struct buf staged = BUF_INIT(1 << 20), p = BUF_INIT(1 << 20);
    struct rig *r = setup_put(5);
    uint64_t id = asked(r);
    give_ticket(r, id, S3_PUT_BYTES_MAX);
    feed(r, id, 5, 5, &staged);
    give_sealed(r, id, WIRE_SEALED_OK);
    flow_peer_lost(&r->w, &r->w.gate);
    assert_int_equal(r->status, 503);
    expect_silence(r, &r->w.keeper);               /* what was committed is not dropped */
    rig_up(r);
    expect_silence(r, &r->w.gate);
    teardown(r);
}

static void a_body_begun_is_not_asked_again_either(void **state)
{
    (void)state;
    struct rig *r = setup_put(500);
    uint64_t id = asked(r);
    give_ticket(r, id, S3_PUT_BYTES_MAX);
    flow_body(&r->f, slice_of("hello", 5), false);
    flow_peer_lost(&r->w, &r->w.gate);
    assert_int_equal(r->status, 503);
    assert_true(r->close);                         /* the rest of the body would be read as a request */
    teardown(r);
}

static void a_ticket_for_another_keeper_connection_is_not_used(void **state)
{
    (void)state;
    struct rig *r = setup_put(5);
    uint64_t id = asked(r);
    flow_peer_lost(&r->w, &r->w.keeper);
    give_ticket(r, id, S3_PUT_BYTES_MAX);
    assert_int_equal(r->bodies, 0);
    assert_int_equal(r->status, 503);
    teardown(r);
}

static void late_answers_find_nobody(void **state)
{
    (void)state;
    struct rig *r = setup("GET", "/b/k");
    uint64_t id = asked(r);
    flow_end(&r->f);
    assert_int_equal(give_release(r, id, 10, 0, 10, 1), ERR_OK);
    expect_silence(r, &r->w.keeper);
    assert_int_equal(r->heads, 0);
    teardown(r);
}

static void frames_out_of_order_cost_the_connection(void **state)
{
    (void)state;
    AUTO(buf) struct buf frame = BUF_INIT(4096);
    struct rig *r = setup("GET", "/b/k");
    uint64_t id = asked(r);
    struct wire_logfile lf = {.size = 3};
    assert_int_equal(wire_put_logfile(&frame, id, &lf), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.gate, &frame), ERR_INPUT);   /* not asked for */
    buf_reset(&frame);
    struct wire_find find = {0};
    assert_int_equal(wire_put_find(&frame, id, &find), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.gate, &frame), ERR_INPUT);   /* a gate never says that to a front */
    assert_int_equal(give_release(r, id, 10, 0, 10, 1), ERR_OK);
    assert_int_equal(give_release(r, id, 10, 0, 10, 1), ERR_INPUT); /* twice */
    teardown(r);
}

#define BUNDLE_ENTRY_BYTES 500

/* A bundle of several reads, each of which a thread has to do. */
static void a_bundle_that_is_not_in_the_page_cache_comes_whole(void **state)
{
    (void)state;
    char top[] = "/tmp/front-log-XXXXXX", dir[ID_TEXT_CHARS + 1];
    AUTO(buf) struct buf frame = BUF_INIT(4096), entries = BUF_INIT(1 << 20), offsets = BUF_INIT(8192), name = BUF_INIT(64), p = BUF_INIT(1 << 20);
    struct wire_logfile m = {.log = {7}, .size = TILE_LEAVES};
    assert_non_null(mkdtemp(top));
    buf_put_base32(&name, slice_of(m.log, ID_BYTES));
    memcpy(dir, name.p, ID_TEXT_CHARS);
    dir[ID_TEXT_CHARS] = 0;
    for (uint64_t i = 0; i < TILE_LEAVES; i++) {
        buf_put_u64(&offsets, entries.n);
        buf_put_u16(&entries, BUNDLE_ENTRY_BYTES);
        for (unsigned j = 0; j < BUNDLE_ENTRY_BYTES; j++) buf_put_u8(&entries, (uint8_t)(i + j));
    }
    assert_true(entries.n > FLOW_LOG_READ_BYTES);
    struct rig *r = setup("GET", "/log/abc/tile/entries/000");
    r->q.port = FLOW_PORT_API;
    r->w.logs_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(r->w.logs_fd, dir, 0700), 0);
    int at = openat(r->w.logs_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct buf *files[] = {&entries, &offsets};
    static const char *const names[] = {"entries", "offsets"};
    for (size_t i = 0; i < 2; i++) {
        int fd = openat(at, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, files[i]->p, files[i]->n), (ssize_t)files[i]->n);
        close(fd);
    }
    buf_put(&r->file, entries.p, entries.n);
    r->file_later = true;
    rig_start(r);
    uint64_t id = expect_frame(r, &r->w.gate, WIRE_LOGREAD, &p);
    assert_int_equal(wire_put_logfile(&frame, id, &m), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.gate, &frame), ERR_OK);
    for (unsigned i = 0; i < 16 && !r->last; i++) {
        unsigned before = r->files;
        memcpy(r->file_out, r->file.p + r->file_off, r->file_n);
        flow_file_done(&r->f, (int64_t)r->file_n);
        assert_true(r->last || r->files == before + 1);   /* the next piece is asked for */
    }
    assert_true(r->last);
    assert_int_equal(r->body.n, entries.n);
    assert_memory_equal(r->body.p, entries.p, entries.n);
    for (size_t i = 0; i < 2; i++) unlinkat(at, names[i], 0);
    unlinkat(r->w.logs_fd, dir, AT_REMOVEDIR);
    close(at);
    close(r->w.logs_fd);
    rmdir(top);
    teardown(r);
}

static void when_slots_are_used_up_requests_are_slowed_down(void **state)
{
    (void)state;
    struct rig *r = setup("GET", "/b/k");
    struct flow *many = calloc(FLOW_SLOTS_MAX, sizeof *many);
    for (size_t i = 0; i < FLOW_SLOTS_MAX; i++) {
        many[i].ctx = r;
        flow_start(&many[i], &r->w);
        assert_int_equal(many[i].step, FLOW_ASKED);
    }
    rig_start(r);
    assert_int_equal(r->status, 503);
    for (size_t i = 0; i < FLOW_SLOTS_MAX; i++) flow_end(&many[i]);
    free(many);
    teardown(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_read_before_release),
        cmocka_unit_test(a_small_object_is_one_read),
        cmocka_unit_test(units_that_arrive_in_another_order_leave_in_theirs),
        cmocka_unit_test(a_busy_client_holds_the_reads_back),
        cmocka_unit_test(a_range_over_frames_is_cut_at_both_ends),
        cmocka_unit_test(a_wrong_first_frame_is_answered_and_a_later_one_cuts),
        cmocka_unit_test(a_release_without_a_needed_key_is_refused),
        cmocka_unit_test(reads_are_sent_again_to_a_new_keeper),
        cmocka_unit_test(a_body_in_any_pieces_is_sealed_the_same),
        cmocka_unit_test(without_credit_the_body_waits),
        cmocka_unit_test(a_wrong_digest_is_dropped_and_aborted),
        cmocka_unit_test(a_body_past_the_ticket_is_refused_before_it_is_read),
        cmocka_unit_test(a_lost_gate_is_asked_again_with_the_same_id),
        cmocka_unit_test(a_change_that_may_have_been_done_is_not_asked_again),
        cmocka_unit_test(a_change_that_was_not_asked_for_yet_waits),
        cmocka_unit_test(parked_requests_are_given_up_after_park_ms),
        cmocka_unit_test(a_committed_upload_is_not_asked_again),
        cmocka_unit_test(a_body_begun_is_not_asked_again_either),
        cmocka_unit_test(a_ticket_for_another_keeper_connection_is_not_used),
        cmocka_unit_test(late_answers_find_nobody),
        cmocka_unit_test(frames_out_of_order_cost_the_connection),
        cmocka_unit_test(a_bundle_that_is_not_in_the_page_cache_comes_whole),
        cmocka_unit_test(when_slots_are_used_up_requests_are_slowed_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
