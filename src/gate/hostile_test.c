/* SPDX-License-Identifier: Apache-2.0
 * Tests of the gate against peers that lie: a keeper that answers what it was not asked, a front that says anything.
 * Role: tests of keeper_link.c, flow.c, conn.c, request.c. Trusts: nothing. Law: 1, 2 (LAW-1). Spec: docs/spec/wire.md, docs/spec/order.md
 */
#include "gate/gate_rig.h"

#include <sys/socket.h>
#include <unistd.h>

/* the keeper -------------------------------------------------------------------------------------------------------------- */

static void a_write_settled_before_it_was_sent_costs_the_keeper_its_connection(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->hold_finds = true;
    rig_put(r, 1, "/bucket/k", "hello");
    rig_wait_event(r, "find k", 1);
    r->hold_finds = false;
    struct wire_settled m = {.index = 0, .outcome = WIRE_SETTLED_DONE};
    memcpy(m.log, log_id(r->t->access), ID_BYTES);
    rig_release_held(r);                           /* both frames in one turn: the leaf is appended, not durable, when SETTLED comes */
    assert_int_equal(wire_put_settled(wire_conn_out(r->keeper), 0, &m), ERR_OK);
    wire_conn_kick(r->keeper);
    rig_wait_event(r, "connected", 2);
    rig_status(r, 1, 200, "");                  /* by the answer to the APPLY of the new connection */
    assert_true(rig_saw(r, "apply 0", 0) >= 0);
    rig_free(r);
}

static void settlements_of_nothing_change_nothing(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/k", "hello");
    for (uint64_t i = 0; i < 4; i++) {
        struct wire_settled m = {.index = i == 3 ? UINT64_MAX : i, .outcome = WIRE_SETTLED_REFUSED};
        memcpy(m.log, log_id(r->t->access), ID_BYTES);
        if (i == 2) memset(m.log, 9, ID_BYTES);
        assert_int_equal(wire_put_settled(wire_conn_out(r->keeper), 0, &m), ERR_OK);
    }
    wire_conn_kick(r->keeper);
    rig_turns(r, 30);
    assert_int_equal(log_size(r->t->access), 1);   /* no void of what was done */
    assert_int_equal(r->t->flow->mark, 1);
    rig_free(r);
}

static void a_listing_from_an_impossible_snapshot_is_refused(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/a", "1");
    rig_put_done(r, 2, "/bucket/b", "2");
    static const uint64_t wrong[] = {1, 3, RECORD_INT_MAX, UINT64_MAX};     /* older than what it settled; newer than the log */
    for (uint64_t i = 0; i < ARRAY_LEN(wrong); i++) {
        r->as_of = wrong[i];
        rig_ask(r, 10 + i, (struct rig_ask){.method = "GET", .path = "/bucket", .query = "list-type=2"});
        rig_status(r, 10 + i, 500, "InternalError");
        rig_ask(r, 20 + i, (struct rig_ask){.method = "DELETE", .path = "/bucket"});
        rig_status(r, 20 + i, 500, "InternalError");
    }
    assert_int_equal(log_size(r->t->access), 2);
    r->as_of = 2;
    rig_ask(r, 30, (struct rig_ask){.method = "GET", .path = "/bucket", .query = "list-type=2"});
    assert_int_equal(rig_wait(r, 30)->type, WIRE_LISTING);
    rig_free(r);
}

static void an_entry_of_another_key_is_not_released(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/a", "1");
    rig_put_done(r, 2, "/bucket/b", "2");
    struct buf swap = r->objects[0].entry;
    r->objects[0].entry = r->objects[1].entry;
    r->objects[1].entry = swap;
    rig_ask(r, 3, (struct rig_ask){.method = "GET", .path = "/bucket/a"});
    rig_status(r, 3, 500, "InternalError");
    buf_reset(&r->objects[0].entry);               /* and one that is no entry at all, which a condition looks at */
    buf_put_str(&r->objects[0].entry, "nonsense");
    rig_ask(r, 4, (struct rig_ask){.method = "HEAD", .path = "/bucket/a"});
    rig_status(r, 4, 500, "InternalError");
    rig_put(r, 5, "/bucket/a", "3");
    rig_status(r, 5, 500, "InternalError");
    assert_int_equal(holds_count(r->g->holds), 0);
    rig_free(r);
}

static void rows_for_a_find_cost_the_keeper_its_connection(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/k", "hello");
    r->hold_finds = true;
    rig_ask(r, 2, (struct rig_ask){.method = "GET", .path = "/bucket/k"});
    rig_wait_event(r, "find k", 2);
    r->hold_finds = false;
    struct wire_rows rows = {.last = 1, .as_of = 1};
    assert_int_equal(wire_put_rows(wire_conn_out(r->keeper), r->held[0].id, &rows), ERR_OK);
    wire_conn_kick(r->keeper);
    rig_wait_event(r, "connected", 2);
    assert_int_equal(rig_wait(r, 2)->type, WIRE_RELEASE);
    rig_free(r);
}

/* the front --------------------------------------------------------------------------------------------------------------- */

static bool gone;
static enum err hears_nothing(struct wire_conn *c, uint8_t type, uint64_t id, struct slice payload)
{
    (void)c, (void)type, (void)id, (void)payload;
    return ERR_OK;
}
static void left(struct wire_conn *c, enum err why)
{
    (void)c, (void)why;
    gone = true;
}
static const struct wire_handler wild_handler = {.frame = hears_nothing, .closed = left};

static struct wire_conn *wild_front(struct rig *r)
{
    int fds[2];
    struct wire_hello hello = {.role = WIRE_ROLE_FRONT, .version = WIRE_VERSION};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_non_null(conn_accept(r->g, fds[0], WIRE_ROLE_FRONT));
    gone = false;
    return wire_conn_new(r->g->loop, fds[1], WIRE_ROLE_FRONT, WIRE_ROLE_GATE, &hello, &wild_handler, r);
}

static void wild_ask(struct rig *r, uint64_t id, uint32_t random)
{
    static const struct rig_ask asks[] = {
        {.method = "PUT", .path = "/bucket/k", .body = "hello"}, {.method = "GET", .path = "/bucket/k"},
        {.method = "DELETE", .path = "/bucket/k"}, {.method = "GET", .path = "/bucket", .query = "list-type=2"},
        {.method = "PUT", .path = "/bucket/k", .body = "hello", .header = "if-none-match", .value = "*"},
        {.method = "PUT", .path = "/b2", .body_size = 100}, {.method = "DELETE", .path = "/bucket2"},
        {.method = "POST", .path = "/bucket", .query = "delete", .body_size = 200}, {.method = "GET", .path = "/bucket/k", .anonymous = true},
        {.method = "PUT", .path = "/bucket/q", .body_size = 1 << 20}, {.method = "GET", .path = "/bucket/k", .wrong_signature = true},
        {.method = "POST", .path = "/bucket/k", .query = "uploads="}, {.method = "GET", .path = "/bucket", .query = "uploads="},
        {.method = "PUT", .path = "/bucket/k", .query = "partNumber=1&uploadId=aaaaaaaaaaaaaaaaaaaaaaaaaa", .body = "hello"},
        {.method = "POST", .path = "/bucket/k", .query = "uploadId=aaaaaaaaaaaaaaaaaaaaaaaaaa", .body_size = 60},
        {.method = "GET", .path = "/bucket/k", .query = "partNumber=1"}, {.method = "GET", .path = "/bucket", .query = "versions="},
        {.method = "GET", .path = "/bucket/k", .query = "versionId=null"}, {.method = "DELETE", .path = "/bucket/k", .query = "versionId=null"},
        {.method = "GET", .path = "/bucket/k", .query = "attributes=", .header = "x-amz-object-attributes", .value = "ETag"},
        {.method = "PUT", .path = "/bucket/k2", .header = "x-amz-copy-source", .value = "/bucket/k"},
        {.method = "PUT", .path = "/bucket/k2", .header = "x-amz-copy-source", .value = "/bucket/k",
         .headers = {{SLICE_LIT("x-amz-checksum-algorithm"), SLICE_LIT("SHA256")}}},
        {.method = "PUT", .path = "/bucket/k", .query = "tagging=", .body_size = 40}, {.method = "GET", .path = "/bucket/k", .query = "tagging="},
        {.method = "PUT", .path = "/bucket", .query = "versioning=", .body_size = 40}, {.method = "GET", .path = "/bucket", .query = "policy="},
        {.method = "POST", .path = "/", .service = "iam", .form = "Action=ListUsers&Version=2010-05-08"},
        {.method = "POST", .path = "/", .service = "sts", .form = "Action=%zz"}, {.method = "OPTIONS", .path = "/bucket/k", .anonymous = true},
        {.method = "POST", .path = "/bucket", .anonymous = true, .body_size = 20, .form = "\1\377"},
    };
    rig_ask(r, id, asks[random % ARRAY_LEN(asks)]);
}

/* One frame of a front that keeps no order: any id again, BODY and COMMIT of what wants none, ABORT of what is under way. */
static void wild_frame(struct rig *r, uint32_t random)
{
    uint64_t id = random >> 8 & 7;
    struct buf *out = wire_conn_out(r->front);
    enum err e = ERR_OK;
    switch (random & 7) {
    case 0: case 1: case 2: wild_ask(r, id, random >> 16); return;
    case 3: {
        struct wire_body m = {.last = random >> 16 & 1, .data = random >> 17 & 1 ? SLICE_LIT("<Delete><Object>") : SLICE_LIT("\xff\0x")};
        e = wire_put_body(out, id, &m);
        break;
    }
    case 4: rig_commit(r, id, random >> 16 & 1 ? "hello" : "jello"); return;
    case 5: {
        struct wire_abort m = {.code = SLICE_LIT("x")};
        e = wire_put_abort(out, id, &m);
        break;
    }
    case 6: if (random >> 16 & 1) {
        struct wire_next m = {0};
        e = wire_put_next(out, id, &m);
        break;
    } else {
        struct wire_commit m = {.size = UINT64_MAX - 3, .cipher_size = UINT64_MAX, .sums = SLICE_LIT("\1\377\377")};
        e = wire_put_commit(out, id, &m);
        break;
    }
    default: {
        struct wire_logread m = {.capability = SLICE_LIT("abc"), .path = SLICE_LIT("../../checkpoint")};
        e = wire_put_logread(out, id, &m);
        break;
    }
    }
    assert_int_equal(e, ERR_OK);
    wire_conn_kick(r->front);
}

static void a_front_that_keeps_no_order_leaves_nothing_behind(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct wire_conn *own = r->front;
    uint32_t random = 20251124;
    for (unsigned n = 0; n < 400; n++) {
        r->front = wild_front(r);
        for (unsigned i = 0; i < 12 && !gone; i++) {
            random = random * 1664525u + 1013904223u;
            wild_frame(r, random >> 3);
            if (random >> 30 == 0) loop_turn(r->g->loop, 1);
        }
        if (random >> 31) loop_turn(r->g->loop, 1);
        if (!gone) wire_conn_close(r->front);
        for (unsigned i = 0; i < 50 && !gone; i++) loop_turn(r->g->loop, 1);
        r->event_count = 0;
    }
    r->front = own;
    uint64_t until = clock_mono_ms() + 5000;
    while (requests_count(r->g->requests) > 0 && clock_mono_ms() < until) loop_turn(r->g->loop, 2);
    assert_int_equal(requests_count(r->g->requests), 0);
    assert_int_equal(holds_count(r->g->holds), 0);
    assert_int_equal(r->t->flow->in_flight, 0);
    assert_true(list_empty(&r->t->flow->unsettled));
    rig_put_done(r, 1, "/bucket/k", "hello");               /* and everybody else is served */
    rig_free(r);
}

static void an_unsigned_header_with_a_line_break_is_refused(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, 1, (struct rig_ask){.method = "PUT", .path = "/bucket/k", .body = "hello", .unsigned_header = "content-type",
                                   .unsigned_value = "text/plain\r\nset-cookie: a=b"});
    rig_status(r, 1, 400, "InvalidRequest");
    rig_ask(r, 2, (struct rig_ask){.method = "PUT", .path = "/bucket/k", .body = "hello", .unsigned_header = "content-type", .unsigned_value = "text/plain"});
    assert_int_equal(rig_wait(r, 2)->type, WIRE_TICKET);
    rig_free(r);
}

/* Its replies pile up only to the bound: then it is not read, and in the end it is dropped. */
static void a_front_that_reads_no_reply_is_bounded(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct gate_conn *c = conn_accept(r->g, fds[0], WIRE_ROLE_FRONT);
    assert_non_null(c);
    AUTO(buf) struct buf out = BUF_INIT(1 << 16);
    struct wire_hello hello = {.role = WIRE_ROLE_FRONT, .version = WIRE_VERSION};
    assert_int_equal(wire_put_hello(&out, 0, &hello), ERR_OK);
    assert_int_equal(send(fds[1], out.p, out.n, 0), out.n);
    buf_reset(&out);
    struct wire_logread m = {.capability = SLICE_LIT("none"), .path = SLICE_LIT("x")};
    for (uint64_t id = 1; id <= 256; id++) assert_int_equal(wire_put_logread(&out, id, &m), ERR_OK);
    size_t sent = 0, most = 0;
    for (unsigned stuck = 0; stuck < 20 && sent < 200u * out.n;) {
        size_t at = sent % out.n;
        ssize_t n = send(fds[1], out.p + at, out.n - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        stuck = n > 0 ? 0 : stuck + 1;
        if (n > 0) sent += (size_t)n;
        loop_turn(r->g->loop, 1);
        most = MAX(most, wire_conn_out(c->wire)->n);
    }
    assert_true(sent < 200u * out.n);              /* it was stopped */
    assert_true(most <= WIRE_OUT_BYTES_MAX);
    rig_put_done(r, 1, "/bucket/k", "hello");
    close(fds[1]);
    rig_turns(r, 20);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_settled_before_it_was_sent_costs_the_keeper_its_connection),
        cmocka_unit_test(settlements_of_nothing_change_nothing),
        cmocka_unit_test(a_listing_from_an_impossible_snapshot_is_refused),
        cmocka_unit_test(an_entry_of_another_key_is_not_released),
        cmocka_unit_test(rows_for_a_find_cost_the_keeper_its_connection),
        cmocka_unit_test(a_front_that_keeps_no_order_leaves_nothing_behind),
        cmocka_unit_test(an_unsigned_header_with_a_line_break_is_refused),
        cmocka_unit_test(a_front_that_reads_no_reply_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
