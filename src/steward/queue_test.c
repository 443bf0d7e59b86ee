/* SPDX-License-Identifier: Apache-2.0
 * queue_test: who is told what next: order, nothing lost, nothing twice without need, bounds, and what a file of cursors may say.
 * Role: unit test of queue.c and cursors.c; a gate is played by rows. Spec: src/steward/notice.h
 */
#include "base/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steward/notice.h"

static uint8_t A[ID_BYTES] = "tenant-a-tenant", B[ID_BYTES] = "tenant-b-tenant";
static struct notice_queue *q;
static struct buf rows;

static int begin(void **state)
{
    (void)state;
    q = notice_queue_new();
    rows = BUF_INIT(64 * 1024 * 1024);
    return 0;
}

static int end(void **state)
{
    (void)state;
    notice_queue_free(q);
    buf_done(&rows);
    return 0;
}

static void row(const uint8_t *tenant, uint64_t index, const char *target)
{
    char event[64];
    snprintf(event, sizeof event, "{\"n\":%llu}", (unsigned long long)index);
    const struct wire_notice n = {.tenant = slice_of(tenant, ID_BYTES), .index = index, .kind = !target ? WIRE_NOTICE_NONE : strchr(target, '@') ? WIRE_NOTICE_MAIL : WIRE_NOTICE_WEBHOOK,
                                  .target = slice_str(target), .event = target ? slice_str(event) : slice_of(NULL, 0), .signature = target ? SLICE_LIT("1 v1a,x") : slice_of(NULL, 0)};
    wire_put_notice(&rows, &n);
}

/* What the gate is asked about a tenant; 0 when it is not listed. */
static uint64_t asked(const uint8_t *tenant, bool back, uint64_t now)
{
    AUTO(buf) struct buf cursors = BUF_INIT(WIRE_DATA_BYTES_MAX);
    struct wire_cursor c;
    uint64_t at = 0;
    notice_ask(q, back, now, &cursors);
    struct reader r = reader_of(buf_slice(&cursors));
    while (wire_next_cursor(&r, &c))
        if (slice_eq(c.tenant, slice_of(tenant, ID_BYTES))) at = c.index;
    return at;
}

static enum err take(uint64_t now)
{
    enum err e = notice_take(q, buf_slice(&rows), now);
    buf_reset(&rows);
    return e;
}

static uint64_t told(uint64_t now, bool ok)
{
    struct notice_target *t = notice_next(q, now);
    if (!t) return UINT64_MAX;
    uint64_t index = notice_first(t)->index;
    notice_done(q, t, ok, now);
    return index;
}

static void each_row_is_told_once_and_in_order(void **state)
{
    (void)state;
    assert_int_equal(asked(A, false, 0), 0);
    row(A, 2, "http://x"), row(A, 5, "http://x"), row(A, 7, NULL);
    check_err(take(0), ERR_OK);
    assert_int_equal(asked(A, false, 0), 8);
    assert_int_equal(told(0, true), 2);
    assert_int_equal(notice_changed(q), NOTICE_TOLD);
    assert_int_equal(told(0, true), 5);
    assert_int_equal(told(0, true), UINT64_MAX);
    assert_int_equal(notice_target_count(q), 0);           /* whoever has been told all is forgotten */
    assert_int_equal(notice_bytes(q), 0);
    assert_int_equal(asked(A, false, 0), 8);
}

static void one_call_at_a_time_to_a_target(void **state)
{
    (void)state;
    row(A, 0, "http://x"), row(A, 1, "http://x");
    check_err(take(0), ERR_OK);
    struct notice_target *t = notice_next(q, 0);
    assert_non_null(t);
    assert_null(notice_next(q, 0));
    notice_done(q, t, true, 0);
    assert_int_equal(told(0, true), 1);
}

static void who_fails_waits_longer_each_time_and_is_told_from_where_it_stopped(void **state)
{
    (void)state;
    row(A, 0, "http://x"), row(A, 1, "http://x"), row(A, 2, "http://y");
    check_err(take(0), ERR_OK);
    assert_int_equal(told(0, false), 0);
    assert_int_equal(told(0, true), 2);                    /* the other is told meanwhile */
    assert_int_equal(notice_bytes(q), 0);                  /* nothing is kept for who is away */
    assert_false(notice_behind(q, 999));
    assert_true(notice_behind(q, 1000));
    assert_int_equal(asked(A, true, 1000), 0);
    row(A, 0, "http://x"), row(A, 1, "http://x"), row(A, 2, "http://y");
    check_err(take(1000), ERR_OK);
    assert_int_equal(told(1000, true), 0);                 /* who had been told is not told again; of who failed one row was kept */
    assert_true(notice_behind(q, 1000));
    assert_int_equal(asked(A, true, 1000), 1);
    row(A, 1, "http://x"), row(A, 2, "http://y");
    check_err(take(1000), ERR_OK);
    assert_int_equal(told(1000, true), 1);
    assert_int_equal(told(1000, true), UINT64_MAX);
    assert_int_equal(notice_target_count(q), 0);
}

static void the_wait_doubles_up_to_its_end(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (unsigned i = 1; i < 100; i++) {
        assert_true(notice_backoff_ms(i) >= before);
        before = notice_backoff_ms(i);
    }
    assert_int_equal(notice_backoff_ms(1), NOTICE_BACKOFF_FIRST_MS);
    assert_int_equal(notice_backoff_ms(2), 2 * NOTICE_BACKOFF_FIRST_MS);
    assert_int_equal(before, NOTICE_BACKOFF_LAST_MS);
    assert_true(NOTICE_BACKOFF_LAST_MS + 10000 < 60000);   /* "within 60 s" holds for who comes back */
}

static void a_row_that_waited_too_long_is_asked_for_again(void **state)
{
    (void)state;
    row(A, 0, "http://x");
    check_err(take(0), ERR_OK);
    assert_int_equal(told(NOTICE_STALE_MS + 1, true), UINT64_MAX);
    assert_true(notice_behind(q, NOTICE_STALE_MS + 1));
    assert_int_equal(asked(A, true, NOTICE_STALE_MS + 1), 0);
}

static void of_one_target_so_many_rows_are_held_and_the_next_comes_later(void **state)
{
    (void)state;
    for (uint64_t i = 0; i <= NOTICE_ROWS_MAX; i++) row(A, i, "http://x");
    check_err(take(0), ERR_OK);
    for (uint64_t i = 0; i < NOTICE_ROWS_MAX; i++) assert_int_equal(told(0, true), i);
    assert_int_equal(told(0, true), UINT64_MAX);
    assert_true(notice_behind(q, 0));
    assert_int_equal(asked(A, true, 0), NOTICE_ROWS_MAX);
    row(A, NOTICE_ROWS_MAX, "http://x");
    check_err(take(0), ERR_OK);
    assert_int_equal(told(0, true), NOTICE_ROWS_MAX);
    assert_int_equal(notice_target_count(q), 0);
}

static void a_tenant_has_so_many_calls_and_another_is_not_kept_waiting(void **state)
{
    char target[32];
    (void)state;
    for (unsigned i = 0; i <= NOTICE_SENDS_PER_TENANT_MAX; i++) snprintf(target, sizeof target, "http://%u", i), row(A, 0, target);
    row(B, 0, "http://b");
    check_err(take(0), ERR_OK);
    for (unsigned i = 0; i < NOTICE_SENDS_PER_TENANT_MAX; i++) assert_memory_equal(notice_next(q, 0)->tenant->id, A, ID_BYTES);
    assert_memory_equal(notice_next(q, 0)->tenant->id, B, ID_BYTES);
    assert_null(notice_next(q, 0));
}

/* Attack: tenants name targets that take a connection and never answer, and so all calls are theirs. */
static void those_that_failed_leave_calls_to_the_others(void **state)
{
    uint8_t id[ID_BYTES] = "tenant-x-0000000";
    (void)state;
    for (uint8_t i = 0; i <= NOTICE_SENDS_FAILING_MAX; i++) id[8] = i, row(id, 0, "http://dead");
    check_err(take(0), ERR_OK);
    for (unsigned i = 0; i <= NOTICE_SENDS_FAILING_MAX; i++) assert_int_equal(told(0, false), 0);
    for (uint8_t i = 0; i <= NOTICE_SENDS_FAILING_MAX; i++) {
        AUTO(buf) struct buf cursors = BUF_INIT(WIRE_DATA_BYTES_MAX);
        struct wire_cursor c;
        notice_ask(q, true, 1000, &cursors);
        struct reader r = reader_of(buf_slice(&cursors));
        while (wire_next_cursor(&r, &c))
            if (c.index == 0) row(c.tenant.p, 0, "http://dead");   /* one tenant each time */
        check_err(take(1000), ERR_OK);
    }
    for (unsigned i = 0; i < NOTICE_SENDS_FAILING_MAX; i++) assert_non_null(notice_next(q, 1000));
    assert_null(notice_next(q, 1000));
    row(B, 0, "http://b");
    check_err(take(1000), ERR_OK);
    assert_int_equal(told(1000, true), 0);
}

static void who_is_far_behind_is_asked_for_one_tenant_at_a_time(void **state)
{
    (void)state;
    row(A, 9, "http://a"), row(B, 9, "http://b");
    check_err(take(0), ERR_OK);
    assert_int_equal(told(0, false), 9), assert_int_equal(told(0, false), 9);
    AUTO(buf) struct buf cursors = BUF_INIT(WIRE_DATA_BYTES_MAX);
    struct wire_cursor c;
    unsigned behind = 0;
    notice_ask(q, true, 1000, &cursors);
    struct reader r = reader_of(buf_slice(&cursors));
    while (wire_next_cursor(&r, &c)) behind += c.index == 9;
    assert_int_equal(behind, 1);
    check_err(take(1000), ERR_OK);                         /* an answer without it: not asked again at once, the other has its turn */
    assert_true(notice_behind(q, 1000));
    cursors.n = 0;
    notice_ask(q, true, 1000, &cursors);
    check_err(take(1000), ERR_OK);
    assert_false(notice_behind(q, 1000));
    assert_true(notice_behind(q, 2000));
}

static void a_target_that_is_named_no_more_is_forgotten(void **state)
{
    (void)state;
    row(A, 0, "http://x"), row(A, 3, NULL);
    check_err(take(0), ERR_OK);
    assert_int_equal(told(0, false), 0);
    assert_int_equal(asked(A, true, 1000), 0);
    row(A, 3, NULL);
    check_err(take(1000), ERR_OK);
    assert_int_equal(notice_target_count(q), 0);
}

static void more_targets_than_may_be_known_are_told_later(void **state)
{
    char target[32];
    (void)state;
    for (unsigned i = 0; i <= NOTICE_TARGETS_TENANT_MAX; i++) snprintf(target, sizeof target, "http://%u", i), row(A, i, target);
    check_err(take(0), ERR_OK);
    assert_int_equal(notice_target_count(q), NOTICE_TARGETS_TENANT_MAX);
    assert_int_equal(asked(A, false, 0), NOTICE_TARGETS_TENANT_MAX);      /* this leaf is looked at again */
    check_err(take(0), ERR_OK);
    assert_int_equal(told(0, true), 0);
    assert_int_equal(asked(A, false, 0), NOTICE_TARGETS_TENANT_MAX);
    row(A, NOTICE_TARGETS_TENANT_MAX, target);
    check_err(take(0), ERR_OK);
    assert_int_equal(notice_target_count(q), NOTICE_TARGETS_TENANT_MAX);
    assert_int_equal(asked(A, false, 0), NOTICE_TARGETS_TENANT_MAX + 1);
}

static const uint8_t *tenant_no(unsigned n)
{
    static uint8_t id[ID_BYTES];
    put_be64(id, n + 1);
    return id;
}

/* Of all tenants together; and one that names no end of targets is the only one that waits for it. */
static void a_tenant_with_no_end_of_targets_hinders_no_other(void **state)
{
    char target[32];
    unsigned tenants = NOTICE_TARGETS_MAX / NOTICE_TARGETS_TENANT_MAX;
    (void)state;
    for (unsigned i = 0; i < NOTICE_TARGETS_MAX; i++) snprintf(target, sizeof target, "http://%u", i), row(A, i, target);
    check_err(take(0), ERR_OK);
    row(B, 0, "http://b");
    check_err(take(0), ERR_OK);
    assert_int_equal(notice_target_count(q), NOTICE_TARGETS_TENANT_MAX + 1);
    assert_int_equal(asked(B, false, 0), 1);
    for (unsigned n = 0; n < tenants; n++)
        for (unsigned i = 0; i < NOTICE_TARGETS_TENANT_MAX; i++) snprintf(target, sizeof target, "http://%u", i), row(tenant_no(n), i, target);
    check_err(take(0), ERR_OK);
    assert_int_equal(notice_target_count(q), NOTICE_TARGETS_MAX);
}

static char big[60000];

static void put_big(const uint8_t *tenant, uint64_t index, const char *target)
{
    const struct wire_notice r = {.tenant = slice_of(tenant, ID_BYTES), .index = index, .kind = WIRE_NOTICE_WEBHOOK, .target = slice_str(target), .event = slice_of(big, sizeof big),
                                  .signature = SLICE_LIT("1 v1a,x")};
    wire_put_notice(&rows, &r);
}

/* One tenant's targets are slow, and many things are told to each. */
static void another_finds_room_beside_those_who_wait_with_many(void **state)
{
    char target[32];
    (void)state;
    memset(big, 'x', sizeof big);
    for (unsigned index = 0; index < NOTICE_ROWS_MAX; index++)
        for (unsigned i = 0; i < 16; i++) snprintf(target, sizeof target, "http://%u", i), put_big(A, index, target);
    check_err(take(0), ERR_OK);
    put_big(B, 0, "http://b"), put_big(B, 1, "http://b");
    check_err(take(0), ERR_OK);
    struct notice_target *t;
    unsigned of_b = 0;
    while ((t = notice_next(q, 0))) of_b += memcmp(t->tenant->id, B, ID_BYTES) == 0;
    assert_int_equal(of_b, 1);
}

static void memory_is_bounded_and_what_found_no_room_is_asked_for_again(void **state)
{
    char target[32];
    unsigned n = 2 * NOTICE_BYTES_MAX / sizeof big;
    (void)state;
    memset(big, 'x', sizeof big);
    for (unsigned i = 0; i < n; i++) {
        snprintf(target, sizeof target, "http://%u", i);
        put_big(tenant_no(i / 32), 0, target);
    }
    check_err(take(0), ERR_OK);
    assert_true(notice_bytes(q) <= NOTICE_BYTES_MAX && notice_bytes(q) > NOTICE_BYTES_MAX - 2 * sizeof big);
    assert_int_equal(notice_target_count(q), n);
    assert_true(notice_behind(q, 0));
}

static void refused(uint64_t index, const char *type, unsigned second)
{
    char event[256];
    snprintf(event, sizeof event, "{\"id\":\"x\",\"time\":\"2026-11-24T08:21:%02u.000Z\",\"type\":\"tillit.access.%s\"}", second, type);
    const struct wire_notice n = {.tenant = slice_of(A, ID_BYTES), .index = index, .kind = WIRE_NOTICE_WEBHOOK, .target = SLICE_LIT("http://x"), .event = slice_str(event),
                                  .signature = SLICE_LIT("1 v1a,x")};
    wire_put_notice(&rows, &n);
}

static void thousands_of_alarms_do_not_stand_before_what_is_done(void **state)
{
    uint64_t index = 0;
    (void)state;
    refused(index++, "login", 11);
    check_err(take(0), ERR_OK);
    struct notice_target *slow = notice_next(q, 0);
    for (unsigned batch = 0; batch < 20; batch++) {
        for (unsigned i = 0; i < 100; i++) refused(index++, i % 2 ? "denied" : "refused", 11 + batch / 10 * 9);    /* 9 s later: the same ten seconds */
        check_err(take(0), ERR_OK);
    }
    refused(index, "revoke", 20);
    check_err(take(0), ERR_OK);
    notice_done(q, slow, true, 0);
    for (unsigned i = 1; i <= NOTICE_ALARMS_MAX; i++) assert_int_equal(told(0, true), i);
    assert_int_equal(told(0, true), index);
    assert_int_equal(told(0, true), UINT64_MAX);
    assert_int_equal(notice_target_count(q), 0);
}

static void ten_seconds_later_alarms_are_told_again(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NOTICE_ALARMS_MAX; i++) refused(i, "denied", 10);
    refused(NOTICE_ALARMS_MAX, "denied", 19);
    refused(NOTICE_ALARMS_MAX + 1, "denied", 20);
    check_err(take(0), ERR_OK);
    for (unsigned i = 0; i < NOTICE_ALARMS_MAX; i++) assert_int_equal(told(0, true), i);
    assert_int_equal(told(0, true), NOTICE_ALARMS_MAX + 1);
    assert_int_equal(told(0, true), UINT64_MAX);
    assert_int_equal(notice_target_count(q), 0);
}

static void alarms_of_who_was_away_are_told_all_the_same(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NOTICE_ALARMS_MAX; i++) refused(i, "denied", 10);
    check_err(take(0), ERR_OK);
    assert_int_equal(told(0, false), 0);
    for (unsigned from = 0; from < 2; from++) {
        assert_int_equal(asked(A, true, 1000), from);
        for (unsigned i = from; i < NOTICE_ALARMS_MAX; i++) refused(i, "denied", 10);
        check_err(take(1000), ERR_OK);
        assert_int_equal(told(1000, true), from);
    }
    for (unsigned i = 2; i < NOTICE_ALARMS_MAX; i++) assert_int_equal(told(1000, true), i);
}

static void an_answer_to_something_else_is_refused(void **state)
{
    (void)state;
    row(A, 5, "http://x"), row(A, 4, "http://x");
    check_err(take(0), ERR_INPUT);
    row(A, 7, NULL);
    check_err(take(0), ERR_OK);
    (void)asked(A, false, 0);
    row(A, 3, "http://x");                                 /* below what was asked */
    check_err(take(0), ERR_INPUT);
    row(A, 9, "http://x\nwebhook 0 http://y");            /* would be a line of its own in the file */
    check_err(take(0), ERR_INPUT);
    row(A, RECORD_INT_MAX, "http://x");
    check_err(take(0), ERR_INPUT);
}

static void rows_cut_at_every_byte_are_refused(void **state)
{
    (void)state;
    row(A, 1, "http://x"), row(A, 2, NULL);
    size_t whole = rows.n, first = 16 + 8 + 1 + 2 + 8 + 2 + 7 + 2 + 7;
    for (size_t n = 1; n < whole; n++) {
        struct notice_queue *own = notice_queue_new();
        check_err(notice_take(own, slice_of(rows.p, n), 0), n == first ? ERR_OK : ERR_INPUT);
        notice_queue_free(own);
    }
}

/* the file -------------------------------------------------------------------------------------------------------------------------------- */

static void what_is_written_is_read_and_goes_on_from_there(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(65536), again = BUF_INIT(65536);
    size_t line;
    (void)state;
    row(A, 2, "http://x y"), row(A, 4, "desk@example.test"), row(A, 6, NULL), row(B, 3, NULL);
    check_err(take(0), ERR_OK);
    notice_write(q, &text);
    struct notice_queue *second = notice_queue_new();
    check_err(notice_read(second, buf_slice(&text), &line), ERR_OK);
    notice_write(second, &again);
    notice_queue_free(q);
    q = second;
    assert_int_equal(again.n, text.n);
    assert_int_equal(notice_target_count(q), 2);
    assert_int_equal(asked(A, false, 0), 7);
    assert_int_equal(asked(B, false, 0), 4);
    check_err(take(0), ERR_OK);
    assert_true(notice_behind(q, 0));
    uint64_t at = asked(A, true, 0);
    assert_true(at == 2 || at == 4);
}

static void read_text(const char *text, enum err want, size_t want_line)
{
    struct notice_queue *own = notice_queue_new();
    size_t line;
    enum err got = notice_read(own, slice_str(text), &line);
    notice_queue_free(own);
    if (got != want || (want != ERR_OK && line != want_line)) fail_msg("'%s': got %s in line %zu, want %s in %zu", text, err_name(got), line, err_name(want), want_line);
}

#define T "tenant aeaqcaibaeaqcaibaeaqcaibae 5\n"

static void a_file_that_is_not_ours_is_refused_with_its_line(void **state)
{
    (void)state;
    read_text("tillit cursors 1\n" T "webhook 5 http://x\nmail 0 a@b\n", ERR_OK, 0);
    read_text("tillit cursors 1\n", ERR_OK, 0);
    read_text("", ERR_INPUT, 1);
    read_text("tillit cursors 2\n", ERR_INPUT, 1);
    read_text("tillit cursors 1", ERR_INPUT, 1);
    read_text("tillit cursors 1\n" T T, ERR_INPUT, 3);
    read_text("tillit cursors 1\nwebhook 5 http://x\n", ERR_INPUT, 2);                 /* of which tenant? */
    read_text("tillit cursors 1\n" T "webhook 6 http://x\n", ERR_INPUT, 3);            /* told past what was looked at */
    read_text("tillit cursors 1\n" T "webhook 5 \n", ERR_INPUT, 3);
    read_text("tillit cursors 1\n" T "webhook 5 x\nwebhook 4 x\n", ERR_INPUT, 4);
    read_text("tillit cursors 1\n" T "fax 5 x\n", ERR_INPUT, 3);
    read_text("tillit cursors 1\n" T "webhook 5 x", ERR_INPUT, 3);
    read_text("tillit cursors 1\n" T "\n", ERR_INPUT, 3);
    read_text("tillit cursors 1\ntenant aeaq 5\n", ERR_INPUT, 2);
    read_text("tillit cursors 1\ntenant aeaqcaibaeaqcaibaeaqcaibae -1\n", ERR_INPUT, 2);
    read_text("tillit cursors 1\ntenant aeaqcaibaeaqcaibaeaqcaibae 9007199254740992\n", ERR_INPUT, 2);
}

static void the_longest_target_is_read_and_one_longer_is_not(void **state)
{
    char text[NOTICE_TARGET_BYTES_MAX + 128];
    (void)state;
    for (size_t n = NOTICE_TARGET_BYTES_MAX; n <= NOTICE_TARGET_BYTES_MAX + 1; n++) {
        int at = snprintf(text, sizeof text, "tillit cursors 1\n" T "webhook 1 ");
        memset(text + at, 'x', n);
        memcpy(text + at + n, "\n", 2);
        read_text(text, n > NOTICE_TARGET_BYTES_MAX ? ERR_INPUT : ERR_OK, 3);
    }
}

static void the_file_is_the_old_one_or_the_new_one(void **state)
{
    char dir[] = "/tmp/tillit-cursors-XXXXXX", path[64], tmp[80];
    size_t line;
    struct stat st;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/cursors", dir);
    snprintf(tmp, sizeof tmp, "%s.new", path);
    check_err(cursors_read(path, q, &line), ERR_MISSING);
    row(A, 2, "http://x");
    check_err(take(0), ERR_OK);
    assert_int_equal(symlink("/dev/null", tmp), 0);        /* somebody's link is not written through */
    check_err(cursors_write(path, q), ERR_IO);
    assert_int_equal(unlink(tmp), 0);
    check_err(cursors_write(path, q), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_not_equal(access(tmp, F_OK), 0);
    assert_int_equal(mkdir(tmp, 0700), 0);                 /* it cannot be written: the old one stays */
    assert_int_equal(told(0, true), 2);
    check_err(cursors_write(path, q), ERR_IO);
    struct notice_queue *own = notice_queue_new();
    check_err(cursors_read(path, own, &line), ERR_OK);
    assert_int_equal(notice_target_count(own), 1);
    notice_queue_free(own);
    rmdir(tmp), unlink(path), rmdir(dir);
}

int main(void)
{
#define FACT(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        FACT(each_row_is_told_once_and_in_order), FACT(one_call_at_a_time_to_a_target), FACT(who_fails_waits_longer_each_time_and_is_told_from_where_it_stopped),
        FACT(the_wait_doubles_up_to_its_end), FACT(a_row_that_waited_too_long_is_asked_for_again), FACT(of_one_target_so_many_rows_are_held_and_the_next_comes_later),
        FACT(a_tenant_has_so_many_calls_and_another_is_not_kept_waiting), FACT(those_that_failed_leave_calls_to_the_others),
        FACT(who_is_far_behind_is_asked_for_one_tenant_at_a_time), FACT(a_target_that_is_named_no_more_is_forgotten), FACT(more_targets_than_may_be_known_are_told_later),
        FACT(another_finds_room_beside_those_who_wait_with_many), FACT(a_tenant_with_no_end_of_targets_hinders_no_other),
        FACT(memory_is_bounded_and_what_found_no_room_is_asked_for_again), FACT(thousands_of_alarms_do_not_stand_before_what_is_done), FACT(ten_seconds_later_alarms_are_told_again), FACT(alarms_of_who_was_away_are_told_all_the_same),
        FACT(an_answer_to_something_else_is_refused), FACT(rows_cut_at_every_byte_are_refused),
        FACT(what_is_written_is_read_and_goes_on_from_there), FACT(a_file_that_is_not_ours_is_refused_with_its_line),
        FACT(the_longest_target_is_read_and_one_longer_is_not), FACT(the_file_is_the_old_one_or_the_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
