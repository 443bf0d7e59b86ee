/* SPDX-License-Identifier: Apache-2.0
 * fair_test: who is asked when several callers ask at once, and that what a request took comes back on every way out.
 * Role: unit tests on flow_rig's host; one worker, many requests. Spec: docs/ops/limits.md.
 */
#include "flow/flow_in.h"
#include "flow/flow_kit.h"

#include <stdio.h>

#define CLIENTS_MAX 256
#define HALF (FAIR_SHARES / 2)                     /* of one caller beside another */

static struct rig *main_rig;
static struct rig *clients[CLIENTS_MAX];
static size_t client_count;
static char auths[CLIENTS_MAX][320], peers[CLIENTS_MAX][32];

static int begin(void **state)
{
    (void)state;
    main_rig = malloc(sizeof *main_rig);
    rig_init(main_rig);
    rig_up(main_rig);
    client_count = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < client_count; i++) {
        flow_end(&clients[i]->f);
        buf_done(&clients[i]->body);
        buf_done(&clients[i]->head);
        for (size_t k = 0; k < clients[i]->mem_count; k++) free(clients[i]->mem[k]);
        free(clients[i]);
    }
    assert_int_equal(main_rig->w.active, 0);
    rig_done(main_rig);
    free(main_rig);
    return 0;
}

static struct rig *client_from(char key, const char *peer, struct flow_proven *proven)
{
    assert_true(client_count < CLIENTS_MAX);
    struct rig *c = calloc(1, sizeof *c);
    buf_init(&c->body, 1 << 20);
    buf_init(&c->head, 65536);
    c->f.ctx = c;
    rig_request(c, "GET", "/b/k");
    snprintf(auths[client_count], sizeof auths[0],
             "AWS4-HMAC-SHA256 Credential=AKIATESTTESTTESTTES%c/20261124/eu-north-1/s3/aws4_request, "
             "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
             "Signature=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", key);
    snprintf(peers[client_count], sizeof peers[0], "%s", peer);
    for (size_t i = 0; i < c->q.header_count; i++)
        if (slice_is(c->headers[i].name, "Authorization")) c->headers[i].value = slice_str(auths[client_count]);
    c->q.peer = slice_str(peers[client_count]);
    c->q.proven = proven;
    clients[client_count++] = c;
    flow_start(&c->f, &main_rig->w);
    return c;
}

static struct rig *client(char key) { return client_from(key, "10.0.0.1", NULL); }

static bool asked_now(const struct rig *c) { return c->f.step == FLOW_ASKED; }

static size_t asked_of(size_t from, size_t to)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++) n += asked_now(clients[i]);
    return n;
}

/* The gate refuses, with a record unless a signature was wrong. */
static void answer(struct rig *c, const char *code)
{
    AUTO(buf) struct buf frame = BUF_INIT(65536);
    bool unproven = strcmp(code, "SignatureDoesNotMatch") == 0 || strcmp(code, "InvalidAccessKeyId") == 0;
    struct wire_answer m = {.status = 403, .code = slice_str(code), .body_kind = WIRE_BODY_ERROR, .receipt = slice_str(unproven ? "" : "a-log/1")};
    assert_int_equal(wire_put_answer(&frame, c->f.id, &m), ERR_OK);
    assert_int_equal(rig_give(main_rig, &main_rig->w.gate, &frame), ERR_OK);
}

static void one_caller_alone_is_never_held_back(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) assert_true(asked_now(client('A')));
}

static void two_callers_share_and_the_rest_waits_in_its_order(void **state)
{
    (void)state;
    client('B');
    for (int i = 0; i < 40; i++) client('A');
    assert_int_equal(asked_of(1, client_count), HALF);
    for (size_t i = 1; i <= 40; i++) assert_int_equal(asked_now(clients[i]), i <= HALF);
    answer(clients[5], "AccessDenied");
    assert_true(asked_now(clients[HALF + 1]) && !asked_now(clients[HALF + 2]));
    assert_int_equal(clients[HALF + 1]->afters, 2);          /* its start, and when its turn came */
    assert_int_equal(clients[5]->status, 403);
    for (int round = 0; round < 40 / HALF; round++)
        for (size_t i = 1; i <= 40; i++)
            if (asked_now(clients[i])) answer(clients[i], "AccessDenied");
    assert_int_equal(asked_of(1, client_count), 0);
    for (size_t i = 1; i <= 40; i++) assert_int_equal(clients[i]->status, 403);
}

static void what_was_in_flight_alone_stays_and_a_newcomer_is_asked_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) client('A');
    assert_int_equal(asked_of(0, 100), 100);
    assert_true(asked_now(client('B')));
    assert_false(asked_now(client('A')));
    for (int i = 0; i < HALF - 1; i++) assert_true(asked_now(client('B')));
    assert_false(asked_now(client('B')));
}

static void of_many_callers_each_has_the_least(void **state)
{
    (void)state;
    for (char k = 'A'; k <= 'Z'; k++) client(k);
    size_t from = client_count;
    for (int i = 0; i < 10; i++) client('C');
    assert_int_equal(asked_of(from, client_count), FAIR_SHARE_MIN - 1);
}

static void callers_take_turns_when_shares_grow(void **state)
{
    (void)state;
    for (char k = 'A'; k <= 'P'; k++) client(k);       /* 16: the least each */
    size_t from = client_count;
    for (int i = 0; i < HALF - 1; i++) client('A');
    for (int i = 0; i < HALF - 1; i++) client('B');
    size_t b = from + HALF - 1;
    assert_int_equal(asked_of(from, b), FAIR_SHARE_MIN - 1);
    assert_int_equal(asked_of(b, client_count), FAIR_SHARE_MIN - 1);
    for (size_t i = 2; i < 16; i++) answer(clients[i], "AccessDenied");
    assert_int_equal(asked_of(from, client_count), 2 * (FAIR_SHARE_MIN - 1));
    main_rig->w.now_ms += FAIR_ACTIVE_MS;              /* A and B are the only ones now */
    flow_tick(&main_rig->w);
    assert_int_equal(asked_of(from, b), HALF - 1);
    assert_int_equal(asked_of(b, client_count), HALF - 1);
}

static void counts_come_back_on_every_way_out(void **state)
{
    (void)state;
    client('B');
    for (int i = 0; i < HALF + 6; i++) client('A');
    flow_end(&clients[1]->f);                          /* its client went away */
    flow_tick(&main_rig->w);
    assert_true(asked_now(clients[HALF + 1]) && !asked_now(clients[HALF + 2]));
    flow_end(&clients[HALF + 2]->f);                   /* one that waits */
    flow_tick(&main_rig->w);
    assert_false(asked_now(clients[HALF + 3]));
    uint8_t nothing[64] = {0};
    AUTO(buf) struct buf frame = BUF_INIT(4096);
    struct wire_release bad = {.status = 200, .size = 1, .off = 5, .len = 9};   /* an error of ours: 500 */
    memcpy(bad.tenant, nothing, ID_BYTES);
    assert_int_equal(wire_put_release(&frame, clients[2]->f.id, &bad), ERR_OK);
    assert_int_equal(rig_give(main_rig, &main_rig->w.gate, &frame), ERR_OK);
    assert_int_equal(clients[2]->status, 500);
    assert_true(asked_now(clients[HALF + 3]) && !asked_now(clients[HALF + 4]));
    flow_peer_lost(&main_rig->w, &main_rig->w.gate);   /* the gate goes: what was asked is parked and takes nothing */
    for (size_t i = HALF + 3; i <= HALF + 6; i++) assert_true(clients[i]->f.step == FLOW_PARKED || clients[i]->f.step == FLOW_WAITING);
    rig_up(main_rig);
    assert_int_equal(asked_of(1, client_count), HALF);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < client_count; i++)
            if (asked_now(clients[i])) answer(clients[i], "AccessDenied");
    for (size_t i = 1; i < client_count; i++) assert_true(clients[i]->status || clients[i]->f.step == FLOW_DONE);
    main_rig->w.now_ms += FAIR_ACTIVE_MS;
    client('B');
    size_t from = client_count;
    for (int i = 0; i < 40; i++) client('A');
    assert_int_equal(asked_of(from, client_count), HALF);    /* nothing was lost on the way */
}

static void nobody_waits_for_ever_behind_requests_that_do_not_end(void **state)
{
    (void)state;
    client('B');
    for (int i = 0; i < 6 * HALF; i++) client('A');
    assert_int_equal(asked_of(1, 6 * HALF + 1), HALF);
    main_rig->w.now_ms += FAIR_HOLD_MS - 1;
    client('B');                                       /* somebody else still asks */
    flow_tick(&main_rig->w);
    assert_int_equal(asked_of(1, 6 * HALF + 1), HALF);
    main_rig->w.now_ms += 1;
    flow_tick(&main_rig->w);
    assert_int_equal(asked_of(1, 6 * HALF + 1), 2 * HALF);
}

static void who_waited_too_long_is_told_to_slow_down(void **state)
{
    (void)state;
    answer(client_from('A', "6.6.6.6", NULL), "SignatureDoesNotMatch");
    client('B');
    size_t from = client_count, waits = 0;
    for (int i = 0; i < 64; i++) client_from('A', "6.6.6.6", NULL);
    size_t to = client_count;
    assert_int_equal(asked_of(from, to), FAIR_UNPROVEN_MAX);
    for (unsigned ms = FAIR_HOLD_MS; ms <= FAIR_WAIT_MS; ms += FAIR_HOLD_MS) {
        main_rig->w.now_ms += FAIR_HOLD_MS;
        client('B');                                   /* somebody else still asks */
        if (ms == FAIR_WAIT_MS)
            for (size_t i = from; i < to; i++) assert_int_equal(clients[i]->status, 0);
        flow_tick(&main_rig->w);
    }
    for (size_t i = from; i < to; i++) waits += clients[i]->status == 503;
    assert_int_equal(asked_of(from, to), FAIR_UNPROVEN_MAX * FAIR_WAIT_MS / FAIR_HOLD_MS);
    assert_int_equal(waits, 64 - FAIR_UNPROVEN_MAX * FAIR_WAIT_MS / FAIR_HOLD_MS);
}

static void wrong_signatures_from_elsewhere_take_nothing_of_the_keys_share(void **state)
{
    (void)state;
    answer(client_from('A', "6.6.6.6", NULL), "SignatureDoesNotMatch");
    main_rig->w.now_ms += FAIR_ACTIVE_MS;
    size_t from = client_count;
    for (int i = 0; i < 64; i++) client_from('A', "6.6.6.6", NULL);
    assert_int_equal(asked_of(from, client_count), 64);    /* alone: a caller as others */
    size_t own = client_count;
    for (int i = 0; i < HALF; i++) client_from('A', "10.0.0.1", NULL);
    assert_int_equal(asked_of(own, client_count), HALF);     /* the key's own share is whole */
    for (size_t i = from; i < own; i++) answer(clients[i], "SignatureDoesNotMatch");
    size_t again = client_count;
    for (int i = 0; i < 10; i++) client_from('A', "6.6.6.6", NULL);
    assert_int_equal(asked_of(again, client_count), FAIR_UNPROVEN_MAX);
}

static void a_connection_that_was_proven_keeps_its_share_beside_a_liar_of_the_same_address(void **state)
{
    struct flow_proven mine = {0}, liar = {0};
    (void)state;
    answer(client_from('A', "10.0.0.1", &mine), "AccessDenied");   /* denied, but it is who it says */
    assert_true(mine.known);
    for (int i = 0; i < 2; i++) answer(client_from('A', "10.0.0.1", &liar), "SignatureDoesNotMatch");
    assert_false(liar.known);
    size_t from = client_count;
    for (int i = 0; i < 3; i++) client_from('A', "10.0.0.1", &mine);
    for (int i = 0; i < 10; i++) client_from('A', "10.0.0.1", &liar);
    assert_int_equal(asked_of(from, from + 3), 3);
    assert_int_equal(asked_of(from + 3, client_count), FAIR_UNPROVEN_MAX);
    for (int i = 0; i < 5; i++) assert_true(asked_now(client_from('A', "10.0.0.1", &mine)));
    for (size_t i = from; i < client_count; i++)
        if (asked_now(clients[i])) answer(clients[i], "SignatureDoesNotMatch");
    assert_false(mine.known);                          /* one wrong signature is enough to begin anew */
}

static void who_invents_keys_is_one_caller(void **state)
{
    (void)state;
    client('B');
    answer(client_from('1', "6.6.6.6", NULL), "InvalidAccessKeyId");
    size_t from = client_count;
    for (char k = '2'; k <= '9'; k++) client_from(k, "6.6.6.6", NULL);
    assert_int_equal(asked_of(from, client_count), FAIR_UNPROVEN_MAX);
    assert_true(asked_now(client_from('3', "10.0.0.1", NULL)));
}

static void what_waits_is_read_when_its_turn_comes_and_not_before(void **state)
{
    (void)state;
    client('B');
    for (int i = 0; i < HALF; i++) client('A');
    struct rig *c = calloc(1, sizeof *c);
    buf_init(&c->body, 1 << 20);
    buf_init(&c->head, 65536);
    c->f.ctx = c;
    rig_request(c, "GET", "/b/k\x01");                 /* no target */
    c->headers[c->q.header_count - 1].value = slice_str(auths[1]);
    c->q.peer = SLICE_LIT("10.0.0.1");
    clients[client_count++] = c;
    flow_start(&c->f, &main_rig->w);
    assert_int_equal(c->f.step, FLOW_WAITING);
    assert_int_equal(c->status, 0);
    answer(clients[1], "AccessDenied");
    assert_int_equal(c->status, 400);
    assert_true(asked_now(client('A')));               /* and took nothing */
}

static void callers_of_other_workers_count_and_one_that_is_with_several_counts_once(void **state)
{
    struct flow_metrics all[2];
    memset(all, 0, sizeof all);
    (void)state;
    main_rig->w.metrics = &all[0];
    main_rig->w.all_metrics = all;
    main_rig->w.all_metrics_count = 2;
    for (int i = 0; i < 70; i++) assert_true(asked_now(client('A')));
    assert_true(all[0].callers == 1 && all[0].sole != 0);
    all[1] = (struct flow_metrics){.callers = 1, .sole = all[0].sole, .callers_ms = main_rig->w.now_ms};
    for (int i = 0; i < 10; i++) assert_true(asked_now(client('A')));      /* the same one, at the other worker */
    all[1].sole++;
    assert_false(asked_now(client('A')));
    all[1].callers = 15;
    for (size_t i = 0; i < client_count; i++)
        if (asked_now(clients[i])) answer(clients[i], "AccessDenied");
    size_t from = client_count;
    for (int i = 0; i < 10; i++) client('A');
    assert_int_equal(asked_of(from, client_count), FAIR_SHARE_MIN);
    main_rig->w.now_ms += FAIR_ACTIVE_MS;              /* that worker has said nothing for a while */
    flow_tick(&main_rig->w);
    assert_int_equal(asked_of(from, client_count), 10);
    main_rig->w.metrics = NULL;
    main_rig->w.all_metrics = NULL;
}

static void callers_past_the_table_share_one_row(void **state)
{
    AUTO(buf) struct buf b = BUF_INIT(64);
    (void)state;
    struct flow f = {.w = &main_rig->w};
    static struct flow many[FAIR_KEYS_MAX + 40];
    memset(many, 0, sizeof many);
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        char peer[32];
        snprintf(peer, sizeof peer, "10.%zu.%zu.1", i / 250, i % 250);
        many[i] = f;
        list_init(&many[i].node);
        list_init(&many[i].fair_node);
        bool in = flow_fair_enter(&many[i], slice_of(NULL, 0), slice_str(peer));
        assert_int_equal(in, i < FAIR_KEYS_MAX + FAIR_UNPROVEN_MAX);
    }
    for (size_t i = ARRAY_LEN(many); i > 0; i--) flow_fair_leave(&many[i - 1]);
    main_rig->w.now_ms += FAIR_ACTIVE_MS;
    for (size_t i = 0; i < 200; i++) assert_true(flow_fair_enter(&many[i], slice_of(NULL, 0), SLICE_LIT("10.0.0.1")));
    for (size_t i = 0; i < 200; i++) flow_fair_leave(&many[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(one_caller_alone_is_never_held_back),
        T(two_callers_share_and_the_rest_waits_in_its_order),
        T(what_was_in_flight_alone_stays_and_a_newcomer_is_asked_at_once),
        T(of_many_callers_each_has_the_least),
        T(callers_take_turns_when_shares_grow),
        T(counts_come_back_on_every_way_out),
        T(nobody_waits_for_ever_behind_requests_that_do_not_end),
        T(who_waited_too_long_is_told_to_slow_down),
        T(wrong_signatures_from_elsewhere_take_nothing_of_the_keys_share),
        T(a_connection_that_was_proven_keeps_its_share_beside_a_liar_of_the_same_address),
        T(who_invents_keys_is_one_caller),
        T(what_waits_is_read_when_its_turn_comes_and_not_before),
        T(callers_of_other_workers_count_and_one_that_is_with_several_counts_once),
        T(callers_past_the_table_share_one_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
