/* SPDX-License-Identifier: Apache-2.0
 * Unit tests of conn.c and listen.c: two ends on one loop, or our end against bytes written by hand.
 */
#include "base/test.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct end {
    struct wire_conn *c;
    size_t frames, bytes, drained, closed;
    uint64_t last_id;
    uint8_t last_type;
    enum err why, answer;
    bool pause_at_frame;
    struct wire_conn *pump;
};

struct fixture {
    struct loop *l;
    struct end a, b;
    int raw; /* the peer's side of a connection driven by hand */
};

static enum err on_frame(struct wire_conn *c, uint8_t type, uint64_t id, struct slice payload) {
    struct end *e = wire_conn_ctx(c);
    e->frames++;
    e->bytes += payload.n;
    e->last_type = type;
    e->last_id = id;
    if (e->pause_at_frame) wire_conn_pause(c, true);
    if (e->pump != NULL) wire_conn_pump(e->pump);
    return e->answer;
}

static void on_closed(struct wire_conn *c, enum err why) {
    struct end *e = wire_conn_ctx(c);
    e->closed++;
    e->why = why;
    e->c = NULL;
}

static void on_drained(struct wire_conn *c) {
    struct end *e = wire_conn_ctx(c);
    assert_false(wire_conn_full(c));
    e->drained++;
}

static const struct wire_handler handler = {.frame = on_frame, .closed = on_closed, .drained = on_drained};

static void turns(struct fixture *f, int n) {
    while (n-- > 0) loop_turn(f->l, 0);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->l = loop_new();
    f->raw = -1;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    if (f->a.c != NULL) wire_conn_close(f->a.c);
    if (f->b.c != NULL) wire_conn_close(f->b.c);
    turns(f, 2);
    if (f->raw >= 0) close(f->raw);
    loop_free(f->l);
    free(f);
    return 0;
}

static const struct wire_hello plain_hello = {.front_id = 7};

/* a is a front, b the keeper. */
static void open_pair(struct fixture *f) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    f->a.c = wire_conn_new(f->l, fds[0], WIRE_ROLE_FRONT, WIRE_ROLE_KEEPER, &plain_hello, &handler, &f->a);
    f->b.c = wire_conn_new(f->l, fds[1], WIRE_ROLE_KEEPER, WIRE_ROLE_FRONT, &plain_hello, &handler, &f->b);
    turns(f, 3);
}

/* b is the keeper; the test writes its peer's bytes. */
static void open_raw(struct fixture *f) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    f->raw = fds[0];
    f->b.c = wire_conn_new(f->l, fds[1], WIRE_ROLE_KEEPER, WIRE_ROLE_FRONT | WIRE_ROLE_GATE, &plain_hello, &handler, &f->b);
}

static void raw_write(struct fixture *f, const struct buf *b) {
    assert_int_equal(write(f->raw, b->p, b->n), (ssize_t)b->n);
}

static void raw_hello(struct fixture *f, uint8_t role, uint8_t version) {
    AUTO(buf) struct buf b = BUF_INIT(256);
    struct wire_hello m = {.role = role, .version = version};
    check_err(wire_put_hello(&b, 0, &m), ERR_OK);
    raw_write(f, &b);
    turns(f, 2);
}

static void both_sides_get_the_others_hello_first(void **state) {
    struct fixture *f = *state;
    open_pair(f);
    assert_int_equal(f->a.frames, 1);
    assert_int_equal(f->a.last_type, WIRE_HELLO);
    assert_int_equal(wire_conn_peer_role(f->a.c), WIRE_ROLE_KEEPER);
    assert_int_equal(wire_conn_peer_role(f->b.c), WIRE_ROLE_FRONT);
}

static void put_reads(struct wire_conn *c, size_t n) {
    struct wire_read m = {.location = SLICE_LIT("x"), .len = 1};
    for (size_t i = 0; i < n; i++) {
        check_err(wire_put_read(wire_conn_out(c), i, &m), ERR_OK);
        wire_conn_kick(c);
    }
}

static void frames_of_a_turn_arrive_in_order(void **state) {
    struct fixture *f = *state;
    open_pair(f);
    put_reads(f->a.c, 1000);
    turns(f, 10);
    assert_int_equal(f->b.frames, 1001);
    assert_int_equal(f->b.last_id, 999);
    assert_int_equal(f->b.last_type, WIRE_READ);
}

static void a_frame_may_arrive_byte_by_byte(void **state) {
    struct fixture *f = *state;
    open_raw(f);
    AUTO(buf) struct buf b = BUF_INIT(1024);
    struct wire_hello hello = {.role = WIRE_ROLE_FRONT, .version = WIRE_VERSION};
    struct wire_drop drop = {.blob = {1}};
    check_err(wire_put_hello(&b, 0, &hello), ERR_OK);
    check_err(wire_put_drop(&b, 5, &drop), ERR_OK);
    for (size_t i = 0; i < b.n; i++) {
        assert_int_equal(write(f->raw, b.p + i, 1), 1);
        turns(f, 1);
        assert_int_equal(f->b.frames, i == b.n - 1 ? 2 : i >= WIRE_HEADER_BYTES + 25 ? 1 : 0);
    }
    assert_int_equal(f->b.closed, 0);
}

static void check_closed(struct fixture *f, enum err why) {
    turns(f, 2);
    assert_int_equal(f->b.closed, 1);
    check_err(f->b.why, why);
    char c;
    while (read(f->raw, &c, 1) > 0) continue; /* our hello */
    assert_int_equal(read(f->raw, &c, 1), 0);
}

static void a_hello_of_the_wrong_role_version_or_number_of_roles_is_refused(void **state) {
    (void)state;
    static const struct {
        uint8_t role, version;
        enum err why;
    } rows[] = {
        {WIRE_ROLE_STEWARD, WIRE_VERSION, ERR_AUTH}, {0, WIRE_VERSION, ERR_AUTH}, {WIRE_ROLE_FRONT | WIRE_ROLE_GATE, WIRE_VERSION, ERR_AUTH},
        {WIRE_ROLE_FRONT, WIRE_VERSION + 1, ERR_VERSION}, {WIRE_ROLE_FRONT, 0, ERR_VERSION},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *own = NULL;
        setup(&own);
        struct fixture *f = own;
        open_raw(f);
        raw_hello(f, rows[i].role, rows[i].version);
        check_closed(f, rows[i].why);
        assert_int_equal(f->b.frames, 0);
        teardown(&own);
    }
}

static void a_frame_before_hello_is_refused(void **state) {
    struct fixture *f = *state;
    open_raw(f);
    AUTO(buf) struct buf b = BUF_INIT(1024);
    struct wire_drop drop = {.blob = {1}};
    check_err(wire_put_drop(&b, 5, &drop), ERR_OK);
    raw_write(f, &b);
    check_closed(f, ERR_INPUT);
    assert_int_equal(f->b.frames, 0);
}

static void a_second_hello_is_refused(void **state) {
    struct fixture *f = *state;
    open_raw(f);
    raw_hello(f, WIRE_ROLE_FRONT, WIRE_VERSION);
    raw_hello(f, WIRE_ROLE_FRONT, WIRE_VERSION);
    check_closed(f, ERR_INPUT);
}

/* LAW-2: only the gate commands the keeper, whatever a front says. */
static void an_apply_from_a_front_costs_it_the_connection(void **state) {
    struct fixture *f = *state;
    open_raw(f);
    raw_hello(f, WIRE_ROLE_FRONT, WIRE_VERSION);
    AUTO(buf) struct buf b = BUF_INIT(1024);
    struct wire_apply apply = {.index = 1, .command = SLICE_LIT("x")};
    check_err(wire_put_apply(&b, 5, &apply), ERR_OK);
    raw_write(f, &b);
    check_closed(f, ERR_INPUT);
    assert_int_equal(f->b.frames, 1);
}

static void an_unknown_type_costs_the_connection(void **state) {
    struct fixture *f = *state;
    open_raw(f);
    raw_hello(f, WIRE_ROLE_FRONT, WIRE_VERSION);
    AUTO(buf) struct buf b = BUF_INIT(64);
    buf_put_u32(&b, 9);
    buf_put_u8(&b, 0xee);
    buf_put_u64(&b, 0);
    raw_write(f, &b);
    check_closed(f, ERR_INPUT);
}

static void a_length_one_past_the_bound_costs_the_connection(void **state) {
    struct fixture *f = *state;
    open_raw(f);
    raw_hello(f, WIRE_ROLE_FRONT, WIRE_VERSION);
    AUTO(buf) struct buf b = BUF_INIT(64);
    buf_put_u32(&b, 9 + WIRE_FRAME_BYTES_MAX + 1);
    raw_write(f, &b);
    check_closed(f, ERR_LIMIT);
}

static void an_error_of_the_callback_closes(void **state) {
    struct fixture *f = *state;
    open_raw(f);
    f->b.answer = ERR_CORRUPT;
    raw_hello(f, WIRE_ROLE_FRONT, WIRE_VERSION);
    check_closed(f, ERR_CORRUPT);
}

static void what_the_peer_sent_before_it_went_is_still_delivered(void **state) {
    struct fixture *f = *state;
    open_raw(f);
    AUTO(buf) struct buf b = BUF_INIT(1024);
    struct wire_hello hello = {.role = WIRE_ROLE_FRONT, .version = WIRE_VERSION};
    struct wire_drop drop = {.blob = {1}};
    check_err(wire_put_hello(&b, 0, &hello), ERR_OK);
    check_err(wire_put_drop(&b, 5, &drop), ERR_OK);
    raw_write(f, &b);
    close(f->raw);
    f->raw = -1;
    turns(f, 3);
    assert_int_equal(f->b.frames, 2);
    assert_int_equal(f->b.closed, 1);
    check_err(f->b.why, ERR_CLOSED);
}

static void a_slow_reader_makes_full_then_drained(void **state) {
    struct fixture *f = *state;
    open_pair(f);
    wire_conn_pause(f->b.c, true);
    static uint8_t data[WIRE_DATA_BYTES_MAX];
    struct wire_stage stage = {.data = slice_of(data, sizeof data)};
    size_t sent = 0;
    for (; !wire_conn_full(f->a.c) && sent < 64; sent++) {
        check_err(wire_put_stage(wire_conn_out(f->a.c), sent, &stage), ERR_OK);
        wire_conn_kick(f->a.c);
        turns(f, 1);
    }
    assert_true(wire_conn_full(f->a.c));
    assert_int_equal(f->a.drained, 0);
    wire_conn_pause(f->b.c, false);
    turns(f, 100);
    assert_false(wire_conn_full(f->a.c));
    assert_int_equal(f->a.drained, 1);
    assert_int_equal(f->b.frames, 1 + sent);
    assert_int_equal(f->b.last_id, sent - 1);
}

static void a_peer_that_never_reads_is_closed_at_the_bound(void **state) {
    struct fixture *f = *state;
    open_pair(f);
    wire_conn_pause(f->b.c, true);
    static uint8_t data[WIRE_DATA_BYTES_MAX];
    struct wire_stage stage = {.data = slice_of(data, sizeof data)};
    size_t sent = 0;
    while (f->a.closed == 0 && sent < 100) {
        check_err(wire_put_stage(wire_conn_out(f->a.c), sent++, &stage), ERR_OK);
        wire_conn_kick(f->a.c);
        turns(f, 1);
    }
    assert_int_equal(f->a.closed, 1);
    check_err(f->a.why, ERR_LIMIT);
    assert_true(sent * sizeof data > WIRE_OUT_BYTES_MAX);
}

static void a_pause_inside_a_frame_keeps_the_rest_for_later(void **state) {
    struct fixture *f = *state;
    open_pair(f);
    f->b.pause_at_frame = true;
    put_reads(f->a.c, 3);
    turns(f, 4);
    assert_int_equal(f->b.frames, 2);
    wire_conn_pause(f->b.c, false);
    turns(f, 2);
    assert_int_equal(f->b.frames, 3);
    f->b.pause_at_frame = false;
    wire_conn_pause(f->b.c, false);
    turns(f, 2);
    assert_int_equal(f->b.frames, 4);
}

static void a_peer_that_goes_while_paused_is_noticed_after_the_pause(void **state) {
    struct fixture *f = *state;
    open_pair(f);
    wire_conn_pause(f->b.c, true);
    put_reads(f->a.c, 2);
    turns(f, 1);
    wire_conn_close(f->a.c);
    turns(f, 5);
    assert_int_equal(f->b.closed, 0);
    wire_conn_pause(f->b.c, false);
    turns(f, 3);
    assert_int_equal(f->b.frames, 3);
    assert_int_equal(f->b.closed, 1);
    check_err(f->b.why, ERR_CLOSED);
}

static void pump_dispatches_now_and_not_into_itself(void **state) {
    struct fixture *f = *state;
    open_pair(f);
    put_reads(f->a.c, 5);
    wire_conn_flush(f->a.c);
    f->b.pump = f->b.c; /* from inside its own callback: must do nothing */
    wire_conn_pump(f->b.c);
    assert_int_equal(f->b.frames, 6);
}

static void close_tells_the_owner_later_in_the_turn_and_sends_what_was_put(void **state) {
    struct fixture *f = *state;
    open_pair(f);
    put_reads(f->a.c, 1);
    wire_conn_close(f->a.c);
    assert_int_equal(f->a.closed, 0);
    put_reads(f->a.c, 3); /* after the close: goes nowhere, harms nothing */
    turns(f, 3);
    assert_int_equal(f->a.closed, 1);
    check_err(f->a.why, ERR_OK);
    assert_int_equal(f->b.frames, 2);
    assert_int_equal(f->b.closed, 1);
}

/* listening */

struct accepting {
    int fds[8];
    size_t n;
};

static void on_accepted(void *ctx, int fd) {
    struct accepting *a = ctx;
    a->fds[a->n++] = fd;
}

static void check_listens(struct fixture *f, const char *path) {
    struct accepting got = {.n = 0};
    int fd;
    check_err(wire_connect(path, &fd), ERR_MISSING);
    struct wire_listener *w = wire_listen(f->l, path, 0600, -1, on_accepted, &got);
    assert_non_null(w);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    check_err(wire_connect(path, &fd), ERR_OK);
    turns(f, 1);
    assert_int_equal(got.n, 1);
    close(fd);
    close(got.fds[0]);
    /* A killed process leaves its socket behind: the next one takes the place. */
    struct wire_listener *again = wire_listen(f->l, path, 0600, -1, on_accepted, &got);
    assert_non_null(again);
    wire_listener_free(w);
    wire_listener_free(again);
    wire_listener_free(NULL);
    check_err(wire_connect(path, &fd), ERR_MISSING);
}

static void a_path_is_listened_on_and_connected_to(void **state) {
    struct fixture *f = *state;
    char dir[] = "/tmp/tillit-wire-XXXXXX", path[512], deep[300];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    check_listens(f, path);
    /* Longer than a socket address holds. */
    snprintf(deep, sizeof deep, "%s/%0150d", dir, 0);
    assert_int_equal(mkdir(deep, 0700), 0);
    snprintf(path, sizeof path, "%s/front", deep);
    check_listens(f, path);
    rmdir(deep);
    rmdir(dir);
}

static void a_file_in_the_way_is_not_removed(void **state) {
    struct fixture *f = *state;
    char path[] = "/tmp/tillit-wire-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_null(wire_listen(f->l, path, 0600, -1, on_accepted, NULL));
    assert_int_equal(unlink(path), 0);
}

/* Connects as another uid in a child; true when it was served. */
static bool serves_uid(struct fixture *f, const char *path, int allowed_uid, uid_t uid) {
    struct accepting got = {.n = 0};
    struct wire_listener *w = wire_listen(f->l, path, 0666, allowed_uid, on_accepted, &got);
    assert_non_null(w);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
        int s = socket(AF_UNIX, SOCK_STREAM, 0);
        char c;
        if (setuid(uid) != 0 || connect(s, (struct sockaddr *)&address, sizeof address) != 0) _exit(3);
        _exit(read(s, &c, 1) == 0 ? 0 : 4);
    }
    for (int i = 0; i < 20 && got.n == 0; i++) loop_turn(f->l, 10);
    bool served = got.n > 0;
    if (served) close(got.fds[0]);
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    wire_listener_free(w);
    return served;
}

static void a_peer_of_another_uid_is_turned_away(void **state) {
    struct fixture *f = *state;
    if (geteuid() != 0) skip(); /* only root can become somebody else */
    char dir[] = "/tmp/tillit-wire-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    snprintf(path, sizeof path, "%s/s", dir);
    assert_false(serves_uid(f, path, -1, 12345));
    assert_false(serves_uid(f, path, 12346, 12345));
    assert_true(serves_uid(f, path, 12345, 12345));
    rmdir(dir);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(both_sides_get_the_others_hello_first),
        T(frames_of_a_turn_arrive_in_order),
        T(a_frame_may_arrive_byte_by_byte),
        T(a_hello_of_the_wrong_role_version_or_number_of_roles_is_refused),
        T(a_frame_before_hello_is_refused),
        T(a_second_hello_is_refused),
        T(an_apply_from_a_front_costs_it_the_connection),
        T(an_unknown_type_costs_the_connection),
        T(a_length_one_past_the_bound_costs_the_connection),
        T(an_error_of_the_callback_closes),
        T(what_the_peer_sent_before_it_went_is_still_delivered),
        T(a_slow_reader_makes_full_then_drained),
        T(a_peer_that_never_reads_is_closed_at_the_bound),
        T(a_pause_inside_a_frame_keeps_the_rest_for_later),
        T(a_peer_that_goes_while_paused_is_noticed_after_the_pause),
        T(pump_dispatches_now_and_not_into_itself),
        T(close_tells_the_owner_later_in_the_turn_and_sends_what_was_put),
        T(a_path_is_listened_on_and_connected_to),
        T(a_file_in_the_way_is_not_removed),
        T(a_peer_of_another_uid_is_turned_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
