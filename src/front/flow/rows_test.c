/* SPDX-License-Identifier: Apache-2.0
 * Objects of many rows, read over several RELEASEs, and copies: what a RELEASE gives to read, sealed again under a ticket.
 * Role: unit tests. Trusts: nothing. Distrusts: the flows. Law: 1, 2. Spec: flow.h, docs/spec/wire.md RELEASE, NEXT, TICKET.
 */
#include "flow/flow_kit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTS_HERE 6

/* An object of parts: part i is blob i + 1. */
struct parts {
    size_t count, size[PARTS_HERE], off[PARTS_HERE], all;
    uint8_t engine[PARTS_HERE];
    struct buf cipher[PARTS_HERE];
};

static struct parts *parts_new(size_t count, const size_t *size)
{
    struct parts *s = calloc(1, sizeof *s);
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        s->size[i] = size[i];
        s->off[i] = s->all;
        s->all += size[i];
        s->engine[i] = 2;
        buf_init(&s->cipher[i], 8 << 20);
        seal_part(&s->cipher[i], (uint8_t)(i + 1), s->off[i], size[i]);
    }
    return s;
}

static void parts_free(struct parts *s)
{
    for (size_t i = 0; i < s->count; i++) buf_done(&s->cipher[i]);
    free(s);
}

/* Rows `from` to `to`, the latter not included. */
static enum err give_parts(struct rig *r, uint64_t id, const struct parts *s, size_t from, size_t to, bool more)
{
    AUTO(buf) struct buf rows = BUF_INIT(65536);
    for (size_t i = from; i < to; i++)
        put_row(&rows, (uint8_t)(i + 1), s->size[i], s->off[i], frame_segment_count(s->size[i]), s->engine[i]);
    return give_rows(r, id, buf_slice(&rows), s->all, 0, s->all, more);
}

/* Answers one READ; false when there is none. *part: whose it was. */
static bool answer_read(struct rig *r, const struct parts *s, size_t *part)
{
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct wire_read q;
    uint8_t type;
    uint64_t id;
    if (!rig_next(r, &r->w.keeper, &type, &id, &p)) return false;
    assert_string_equal(wire_type_name(type), "READ");
    assert_int_equal(wire_get_read(buf_slice(&p), &q), ERR_OK);
    *part = (size_t)q.location.p[q.location.n - 1] - 1;
    assert_true(*part < s->count);
    assert_int_equal(give_data(r, id, buf_slice(&s->cipher[*part]), &q, false), ERR_OK);
    return true;
}

static void read_all(struct rig *r, const struct parts *s)
{
    size_t part;
    while (answer_read(r, s, &part)) {}
}

static const size_t six[PARTS_HERE] = {70000, 1, 200000, 65536, 300000, 5};

/* many rows ---------------------------------------------------------------------------------------------------------------------- */

static void the_next_rows_are_asked_for_when_the_last_is_begun(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct parts *s = parts_new(6, six);
    struct rig *r = setup("GET", "/b/k");
    uint64_t id = asked(r);
    size_t part = 0;
    assert_int_equal(give_parts(r, id, s, 0, 3, true), ERR_OK);
    expect_silence(r, &r->w.gate);
    assert_true(answer_read(r, s, &part) && part == 0);
    expect_silence(r, &r->w.gate);                 /* the second of three is begun */
    assert_true(answer_read(r, s, &part) && part == 1);
    assert_int_equal(expect_frame(r, &r->w.gate, WIRE_NEXT, &p), id);   /* the third: its bytes are still to come */
    expect_silence(r, &r->w.gate);
    assert_int_equal(give_parts(r, id, s, 3, 6, false), ERR_OK);
    assert_int_equal(give_parts(r, id, s, 3, 6, false), ERR_INPUT);     /* nobody asked for those */
    read_all(r, s);
    assert_true(r->last);
    assert_int_equal(r->status, 200);
    assert_int_equal(r->length, s->all);
    check_body(r, 0, s->all);
    flow_end(&r->f);
    expect_silence(r, &r->w.gate);                 /* all was given: there is nothing to abort */
    teardown(r);
    parts_free(s);
}

static void rows_that_come_late_are_waited_for(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct parts *s = parts_new(6, six);
    struct rig *r = setup("GET", "/b/k");
    uint64_t id = asked(r);
    for (size_t i = 0; i < 6; i++) {               /* one row a RELEASE */
        assert_int_equal(give_parts(r, id, s, i, i + 1, i < 5), ERR_OK);
        read_all(r, s);
        check_body(r, 0, s->off[i] + s->size[i]);
        assert_int_equal(r->last, i == 5);
        if (i < 5) expect_frame(r, &r->w.gate, WIRE_NEXT, &p);
    }
    assert_int_equal(r->cuts, 0);
    teardown(r);
    parts_free(s);
}

static void a_release_without_rows_is_passed_over(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct parts *s = parts_new(2, six);
    struct rig *r = setup("GET", "/b/k");
    uint64_t id = asked(r);
    assert_int_equal(give_parts(r, id, s, 0, 0, true), ERR_OK);
    expect_frame(r, &r->w.gate, WIRE_NEXT, &p);
    assert_int_equal(give_parts(r, id, s, 0, 2, false), ERR_OK);
    read_all(r, s);
    check_body(r, 0, s->all);
    teardown(r);
    parts_free(s);
}

static void rows_that_end_early_cut_the_answer(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct parts *s = parts_new(3, six);
    struct rig *r = setup("GET", "/b/k");
    uint64_t id = asked(r);
    assert_int_equal(give_parts(r, id, s, 0, 1, true), ERR_OK);
    read_all(r, s);
    expect_frame(r, &r->w.gate, WIRE_NEXT, &p);
    assert_int_equal(give_parts(r, id, s, 1, 2, false), ERR_OK);
    read_all(r, s);
    assert_int_equal(r->cuts, 1);
    assert_false(r->last);
    teardown(r);
    parts_free(s);
}

/* A blob directory with the file that the location of row `part` names; the rig's file is that part's ciphertext. */
struct blobs {
    char dir[32], path[64], file[96];
};
static void blobs_begin(struct blobs *b, struct rig *r, const struct parts *s, size_t part, struct buf *rows)
{
    AUTO(buf) struct buf name = BUF_INIT(64);
    snprintf(b->dir, sizeof b->dir, "%s", "/tmp/front-rows-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    for (size_t i = 0; i < s->count; i++) put_row(rows, (uint8_t)(i + 1), s->size[i], s->off[i], 1, i == part ? 3 : s->engine[i]);
    for (size_t at = 0; at + 17 <= rows->n; at++)
        if (rows->p[at] == 3 && memcmp(rows->p + at + 1, "location", 8) == 0) buf_put_base32(&name, slice_of(rows->p + at + 1, ID_BYTES));
    snprintf(b->path, sizeof b->path, "%s/%.2s", b->dir, (const char *)name.p);
    assert_int_equal(mkdir(b->path, 0700), 0);
    snprintf(b->file, sizeof b->file, "%s/%.26s", b->path, (const char *)name.p);
    int fd = open(b->file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    r->w.blobs_fd = open(b->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    buf_put_slice(&r->file, buf_slice(&s->cipher[part]));
}
static void blobs_end(const struct blobs *b, struct rig *r)
{
    close(r->w.blobs_fd);
    unlink(b->file);
    rmdir(b->path);
    rmdir(b->dir);
}
/* A thread has read what was asked of it. */
static void thread_reads(struct rig *r)
{
    memcpy(r->file_out, r->file.p + r->file_off, r->file_n);
    flow_file_done(&r->f, (int64_t)r->file_n);
}

static void packs_and_files_are_read_in_the_order_of_rows(void **state)
{
    (void)state;
    struct blobs b;
    struct parts *s = parts_new(4, (const size_t[]){70000, 300000, 9, 200000});
    struct rig *r = setup("GET", "/b/k");
    AUTO(buf) struct buf rows = BUF_INIT(65536);
    blobs_begin(&b, r, s, 1, &rows);
    uint64_t id = asked(r);
    size_t part;
    r->file_later = true;
    assert_int_equal(give_rows(r, id, buf_slice(&rows), s->all, 0, s->all, false), ERR_OK);
    assert_true(answer_read(r, s, &part) && part == 0);
    assert_int_equal(r->files, 1);                 /* the file's turn: a thread reads it */
    expect_silence(r, &r->w.keeper);
    r->file_later = false;
    thread_reads(r);
    read_all(r, s);
    check_body(r, 0, s->all);
    assert_true(r->last);
    blobs_end(&b, r);
    teardown(r);
    parts_free(s);
}

static void a_byte_of_a_set_costs_one_frame(void **state)
{
    (void)state;
    AUTO(buf) struct buf rows = BUF_INIT(65536), p = BUF_INIT(1 << 20);
    struct parts *s = parts_new(3, (const size_t[]){200000, 300000, 70000});
    struct rig *r = setup("GET", "/b/k");
    struct wire_read q;
    uint64_t id = asked(r);
    put_row(&rows, 2, s->size[1], s->off[1], 1, 2);
    assert_int_equal(give_rows(r, id, buf_slice(&rows), s->all, 270000, 1, false), ERR_OK);
    uint64_t read = next_read(r, &p, &q);
    assert_int_equal(q.len, FRAME_CIPHER_BYTES);
    assert_int_equal(q.off, FRAME_CIPHER_BYTES);   /* the second frame of that part */
    expect_silence(r, &r->w.keeper);
    assert_int_equal(give_data(r, read, buf_slice(&s->cipher[1]), &q, false), ERR_OK);
    assert_int_equal(r->status, 206);
    check_body(r, 270000, 1);
    teardown(r);
    parts_free(s);
}

static void a_client_that_leaves_before_all_rows_aborts(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct parts *s = parts_new(2, six);
    struct rig *r = setup("GET", "/b/k");
    uint64_t id = asked(r);
    assert_int_equal(give_parts(r, id, s, 0, 1, true), ERR_OK);
    expect_frame(r, &r->w.gate, WIRE_NEXT, &p);
    flow_end(&r->f);
    assert_int_equal(expect_frame(r, &r->w.gate, WIRE_ABORT, &p), id);
    assert_int_equal(give_parts(r, id, s, 1, 2, false), ERR_OK);        /* late: nobody's */
    teardown(r);
    parts_free(s);
}

static void without_the_gate_the_rest_of_the_rows_is_lost(void **state)
{
    (void)state;
    struct parts *s = parts_new(2, six);
    for (int sent = 0; sent < 2; sent++) {
        struct rig *r = setup("GET", "/b/k");
        uint64_t id = asked(r);
        assert_int_equal(give_parts(r, id, s, 0, 1, true), ERR_OK);
        if (sent) read_all(r, s);
        flow_peer_lost(&r->w, &r->w.gate);
        assert_int_equal(r->cuts, sent);
        assert_int_equal(r->status, sent ? 200 : 503);
        teardown(r);
    }
    struct rig *r = setup("GET", "/b/k");          /* with all rows given it is not missed */
    assert_int_equal(give_parts(r, asked(r), s, 0, 2, false), ERR_OK);
    flow_peer_lost(&r->w, &r->w.gate);
    read_all(r, s);
    check_body(r, 0, s->all);
    teardown(r);
    parts_free(s);
}

static void a_refusal_in_the_middle_cuts(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct parts *s = parts_new(2, six);
    struct rig *r = setup("GET", "/b/k");
    uint64_t id = asked(r);
    assert_int_equal(give_parts(r, id, s, 0, 1, true), ERR_OK);
    read_all(r, s);
    expect_frame(r, &r->w.gate, WIRE_NEXT, &p);
    give_answer(r, id, 503, "SlowDown", slice_of(NULL, 0));
    assert_int_equal(r->heads, 1);
    assert_int_equal(r->cuts, 1);
    teardown(r);
    parts_free(s);
}

/* copies ----------------------------------------------------------------------------------------------------------------------------- */

static struct rig *copying(uint64_t *id, uint64_t size_max, uint32_t sums)
{
    struct rig *r = setup("PUT", "/b/k");
    rig_header(r, "Content-Length", "0");
    r->q.length_known = true;
    *id = asked(r);
    give_ticket_of(r, *id, size_max, sums, true);
    assert_int_equal(r->bodies, 0);                /* the client has sent none */
    return r;
}

/* Plays keeper for all that is queued: answers READs, keeps what is staged. False: nothing was queued. */
static bool turn(struct rig *r, const struct parts *s, struct buf *staged, bool *done)
{
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    uint8_t type;
    uint64_t got;
    bool moved = false;
    for (; rig_next(r, &r->w.keeper, &type, &got, &p); moved = true) {
        if (type == WIRE_STAGE) {
            struct wire_stage m;
            assert_int_equal(wire_get_stage(buf_slice(&p), &m), ERR_OK);
            assert_int_equal(m.off, staged->n);
            assert_false(*done);
            buf_put_slice(staged, m.data);
            *done = m.last != 0;
            continue;
        }
        struct wire_read q;
        assert_int_equal(type, WIRE_READ);
        assert_int_equal(wire_get_read(buf_slice(&p), &q), ERR_OK);
        size_t part = (size_t)q.location.p[q.location.n - 1] - 1;
        assert_int_equal(give_data(r, got, buf_slice(&s->cipher[part]), &q, false), ERR_OK);
    }
    return moved;
}

/* Credits come only when nothing moves any more: back-pressure. */
static void run_copy(struct rig *r, uint64_t id, const struct parts *s, struct buf *staged)
{
    bool done = false;
    for (uint64_t credited = UINT64_MAX; !done;) {
        while (turn(r, s, staged, &done)) {}
        if (done) return;
        assert_true(credited != staged->n);        /* else it stands still */
        credited = staged->n;
        give_credit(r, id, credited);
    }
}

static void a_copy_is_its_source_sealed_anew(void **state)
{
    (void)state;
    static const struct { size_t count, size[4]; } cases[] = {
        {1, {0}}, {1, {1}}, {1, {65536}}, {1, {65537}}, {1, {700000}}, {3, {70000, 1, 200000}}, {4, {65536, 65536, 65536, 3000000}}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf) struct buf want = BUF_INIT(8 << 20), staged = BUF_INIT(8 << 20), p = BUF_INIT(1 << 20);
        struct parts *s = parts_new(cases[i].count, cases[i].size);
        uint64_t id;
        struct rig *r = copying(&id, S3_PUT_BYTES_MAX, ((1u << S3_SUM__COUNT) - 1) & ~1u);
        seal_all(&want, s->all);
        assert_int_equal(give_parts(r, id, s, 0, s->count, false), ERR_OK);
        run_copy(r, id, s, &staged);
        assert_int_equal(staged.n, want.n);
        assert_memory_equal(staged.p, want.p, want.n);
        assert_int_equal(r->heads, 0);
        expect_silence(r, &r->w.gate);             /* no COMMIT before SEALED */
        give_sealed(r, id, WIRE_SEALED_OK);
        struct wire_commit c;
        struct wire_sum_item item;
        assert_int_equal(expect_frame(r, &r->w.gate, WIRE_COMMIT, &p), id);
        assert_int_equal(wire_get_commit(buf_slice(&p), &c), ERR_OK);
        assert_int_equal(c.size, s->all);
        assert_int_equal(c.cipher_size, want.n);
        assert_int_equal(c.client_algorithm, WIRE_SUM_NONE);
        struct reader sums = reader_of(c.sums);
        unsigned n = 0;
        while (wire_next_sum(&sums, &item)) n++;
        assert_int_equal(reader_end(&sums), ERR_OK);
        assert_int_equal(n, S3_SUM__COUNT - 1);    /* all ten */
        give_answer(r, id, 200, "", slice_of(NULL, 0));
        assert_int_equal(r->status, 200);
        teardown(r);
        parts_free(s);
    }
}

static void a_copy_goes_on_when_a_thread_has_read_its_file(void **state)
{
    (void)state;
    AUTO(buf) struct buf want = BUF_INIT(8 << 20), staged = BUF_INIT(8 << 20), rows = BUF_INIT(65536);
    struct blobs b;
    struct parts *s = parts_new(3, (const size_t[]){70000, 3000000, 9});
    uint64_t id;
    bool done = false;
    struct rig *r = copying(&id, S3_PUT_BYTES_MAX, 0);
    seal_all(&want, s->all);
    blobs_begin(&b, r, s, 1, &rows);
    r->file_later = true;
    assert_int_equal(give_rows(r, id, buf_slice(&rows), s->all, 0, s->all, false), ERR_OK);
    for (unsigned read = 0, still = 0; !done;) {
        while (turn(r, s, &staged, &done)) still = 0;
        assert_true(still++ < 3);                  /* nothing waits for ever */
        if (r->files > read) {
            read = (unsigned)r->files;
            thread_reads(r);
        } else if (!done) {
            give_credit(r, id, staged.n);
        }
    }
    assert_int_equal(staged.n, want.n);
    assert_memory_equal(staged.p, want.p, want.n);
    blobs_end(&b, r);
    teardown(r);
    parts_free(s);
}

static void a_copy_over_several_releases(void **state)
{
    (void)state;
    AUTO(buf) struct buf want = BUF_INIT(8 << 20), staged = BUF_INIT(8 << 20), p = BUF_INIT(1 << 20);
    struct parts *s = parts_new(6, six);
    uint64_t id, got;
    uint8_t type;
    struct rig *r = copying(&id, S3_PUT_BYTES_MAX, 0);
    seal_all(&want, s->all);
    assert_int_equal(give_parts(r, id, s, 0, 2, true), ERR_OK);
    size_t next = 2;
    for (bool done = false; !done;) {
        while (turn(r, s, &staged, &done)) {}
        if (!done) give_credit(r, id, staged.n);
        if (!rig_next(r, &r->w.gate, &type, &got, &p)) continue;
        assert_int_equal(type, WIRE_NEXT);
        assert_int_equal(give_parts(r, id, s, next, next + 2, next + 2 < 6), ERR_OK);
        next += 2;
    }
    assert_int_equal(next, 6);
    assert_int_equal(staged.n, want.n);
    assert_memory_equal(staged.p, want.p, want.n);
    teardown(r);
    parts_free(s);
}

static void a_copy_past_its_ticket_is_refused(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct parts *s = parts_new(1, six);
    uint64_t id;
    struct rig *r = copying(&id, six[0] - 1, 0);
    assert_int_equal(give_parts(r, id, s, 0, 1, false), ERR_OK);
    expect_silence(r, &r->w.keeper);
    expect_frame(r, &r->w.gate, WIRE_ABORT, &p);
    assert_int_equal(r->status, 400);
    assert_true(body_has(r, "EntityTooLarge"));
    teardown(r);
    parts_free(s);
}

/* A peer that goes, and a source that cannot be read: nothing is committed, what was staged is dropped. */
static void a_copy_that_cannot_go_on_is_given_up(void **state)
{
    (void)state;
    struct parts *s = parts_new(1, (const size_t[]){1000000});
    for (int how = 0; how < 4; how++) {
        AUTO(buf) struct buf staged = BUF_INIT(8 << 20), p = BUF_INIT(1 << 20);
        struct wire_read q;
        uint64_t id, read;
        struct rig *r = copying(&id, S3_PUT_BYTES_MAX, 0);
        assert_int_equal(give_parts(r, id, s, 0, 1, false), ERR_OK);
        read = next_read(r, &p, &q);
        assert_int_equal(give_data(r, read, buf_slice(&s->cipher[0]), &q, false), ERR_OK);
        read = next_read(r, &p, &q);
        assert_int_equal(give_data(r, read, buf_slice(&s->cipher[0]), &q, false), ERR_OK);
        read = next_read(r, &p, &q);               /* by now a STAGE is out or queued */
        if (how == 0) flow_peer_lost(&r->w, &r->w.keeper);
        if (how == 1) flow_peer_lost(&r->w, &r->w.gate);
        if (how == 2) assert_int_equal(give_data(r, read, buf_slice(&s->cipher[0]), &q, true), ERR_OK);
        if (how == 3) give_answer(r, id, 503, "SlowDown", slice_of(NULL, 0));
        assert_int_equal(r->status, how == 2 ? 500 : 503);
        assert_int_equal(r->heads, 1);
        if (how == 0 || how == 2) expect_frame(r, &r->w.gate, WIRE_ABORT, &p);
        else if (how == 3) expect_silence(r, &r->w.gate);
        flow_end(&r->f);
        if (how == 1 || how == 2 || how == 3) {
            uint8_t type = 0;
            uint64_t got;
            bool dropped = false;
            while (rig_next(r, &r->w.keeper, &type, &got, &p)) dropped |= type == WIRE_DROP;
            assert_true(dropped);
        }
        teardown(r);
    }
    parts_free(s);
}

static void without_credit_a_copy_waits(void **state)
{
    (void)state;
    AUTO(buf) struct buf staged = BUF_INIT(8 << 20);
    struct parts *s = parts_new(1, (const size_t[]){3000000});
    uint64_t id;
    bool done = false;
    struct rig *r = copying(&id, S3_PUT_BYTES_MAX, 0);
    assert_int_equal(give_parts(r, id, s, 0, 1, false), ERR_OK);
    while (turn(r, s, &staged, &done)) {}
    assert_true(staged.n <= STAGE_CREDIT_BYTES && staged.n > STAGE_CREDIT_BYTES / 2);
    give_credit(r, id, staged.n);
    assert_true(r->w.keeper.out.bytes + r->w.keeper.out.small.n > 0);   /* goes on by itself */
    teardown(r);
    parts_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_rows_are_asked_for_when_the_last_is_begun),
        cmocka_unit_test(rows_that_come_late_are_waited_for),
        cmocka_unit_test(a_release_without_rows_is_passed_over),
        cmocka_unit_test(rows_that_end_early_cut_the_answer),
        cmocka_unit_test(packs_and_files_are_read_in_the_order_of_rows),
        cmocka_unit_test(a_byte_of_a_set_costs_one_frame),
        cmocka_unit_test(a_client_that_leaves_before_all_rows_aborts),
        cmocka_unit_test(without_the_gate_the_rest_of_the_rows_is_lost),
        cmocka_unit_test(a_refusal_in_the_middle_cuts),
        cmocka_unit_test(a_copy_is_its_source_sealed_anew),
        cmocka_unit_test(a_copy_goes_on_when_a_thread_has_read_its_file),
        cmocka_unit_test(a_copy_over_several_releases),
        cmocka_unit_test(a_copy_past_its_ticket_is_refused),
        cmocka_unit_test(a_copy_that_cannot_go_on_is_given_up),
        cmocka_unit_test(without_credit_a_copy_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
