/* SPDX-License-Identifier: Apache-2.0
 * The pipeline against a keeper and a front that the test plays: order, voids, reads, re-sending.
 * Role: tests of step.c, flow.c, keeper_link.c, conn.c and the operations. Trusts: gate_rig.c.
 * Law: 1, 2, 3, 4, 5. Spec: docs/spec/order.md
 */
#include "gate/gate_rig.h"

static void get(struct rig *r, uint64_t id, const char *path) { rig_ask(r, id, (struct rig_ask){.method = "GET", .path = path}); }

/* LAW-1, LAW-2 */
static void a_read_is_released_after_its_leaf_with_the_keys_of_its_range(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/k", "hello");
    uint64_t written = rig_receipt(rig_answer(r, 1).receipt);
    rig_ask(r, 2, (struct rig_ask){.method = "GET", .path = "/bucket/k", .header = "range", .value = "bytes=1-2"});
    struct wire_release m = rig_release(r, 2);
    assert_int_equal(m.status, 206);
    assert_int_equal(m.size, 5);
    assert_int_equal(m.off, 1);
    assert_int_equal(m.len, 2);
    struct reader rows = reader_of(m.rows);
    struct wire_release_row row;
    assert_true(wire_next_release_row(&rows, &row));
    assert_int_equal(row.first_segment, 0);
    assert_int_equal(row.key_count, 1);
    assert_false(wire_next_release_row(&rows, &row));
    uint64_t index = rig_receipt(m.receipt);
    assert_true(log_durable(r->t->access) > index);
    struct rig_leaf l;
    rig_leaf(r, index, &l);
    assert_int_equal(rig_leaf_ver(&l), written);
    assert_int_equal(record_int(&l.leaf, RECORD_F_BYTES, 99), 2);
    assert_int_equal(record_int(&l.leaf, RECORD_F_CTL, 99), RIG_CONTROL_LEAVES);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_DEC), "allow"));
    rig_leaf_done(&l);
    rig_free(r);
}

static void head_gives_no_key(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/k", "hello");
    rig_ask(r, 2, (struct rig_ask){.method = "HEAD", .path = "/bucket/k"});
    struct wire_release m = rig_release(r, 2);
    assert_int_equal(m.head, 1);
    assert_int_equal(m.len, 5);
    assert_int_equal(m.rows.n, 0);
    rig_free(r);
}

/* LAW-3, LAW-5 */
static void unproven_callers_are_counted_and_nothing_is_asked_for_them(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    uint64_t provider = log_size(r->g->provider);
    rig_ask(r, 1, (struct rig_ask){.method = "GET", .path = "/bucket/k", .wrong_signature = true});
    rig_status(r, 1, 403, "SignatureDoesNotMatch");
    rig_ask(r, 2, (struct rig_ask){.method = "GET", .path = "/bucket/k", .anonymous = true});
    rig_status(r, 2, 403, "AccessDenied");
    for (uint64_t id = 3; id < 20; id++) rig_ask(r, id, (struct rig_ask){.method = "GET", .path = "/bucket/k", .wrong_signature = true});
    rig_wait(r, 19);
    rig_turns(r, 50);
    assert_int_equal(rig_saw(r, "find k", 0), -1);
    assert_int_equal(log_size(r->g->provider), provider + 1);
    assert_int_equal(log_size(r->t->access), 1);   /* a flood is one leaf now; the rest waits for the next half minute */
    struct rig_leaf l;
    rig_leaf(r, 0, &l);
    assert_int_equal(l.leaf.kind, RECORD_K_SUM);
    rig_leaf_done(&l);
    rig_free(r);
}

static void a_refused_proven_caller_gets_a_leaf_before_the_answer(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    get(r, 1, "/nobucket/k");
    rig_status(r, 1, 404, "NoSuchBucket");
    rig_ask(r, 2, (struct rig_ask){.method = "GET", .path = "/bucket/k", .unsigned_header = "x-amz-copy-source", .unsigned_value = "/a/b"});
    rig_status(r, 2, 403, "AccessDenied");
    get(r, 3, "/bucket/k");
    rig_status(r, 3, 404, "NoSuchKey");
    assert_int_equal(log_durable(r->t->access), 3);
    struct rig_leaf l;
    rig_leaf(r, 0, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_DEC), "deny"));
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_WHY), "no-bucket"));
    rig_leaf_done(&l);
    rig_leaf(r, 1, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_DEC), "allow"));
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_WHY), "AccessDenied"));
    rig_leaf_done(&l);
    rig_leaf(r, 2, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_WHY), "NoSuchKey"));
    assert_int_equal(rig_leaf_ver(&l), RECORD_VER_NONE);
    rig_leaf_done(&l);
    assert_int_equal(rig_saw(r, "apply 0", 0), -1);
    rig_free(r);
}

/* rule 3 */
static void a_put_is_answered_after_the_keeper_settled_it(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->hold_applies = true;
    rig_put(r, 1, "/bucket/k", "hello");
    rig_wait_event(r, "apply 0", 1);
    assert_true(rig_saw(r, "grant", 0) < rig_saw(r, "TICKET", 0) || rig_saw(r, "TICKET", 0) < 0);
    rig_turns(r, 50);
    assert_null(rig_frame_of(r, 1));
    rig_release_held(r);
    rig_status(r, 1, 200, "");
    assert_int_equal(r->t->flow->mark, 1);
    rig_free(r);
}

static void bytes_other_than_the_signed_ones_are_refused_at_commit(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, 1, (struct rig_ask){.method = "PUT", .path = "/bucket/k", .body = "hello"});
    rig_wait(r, 1)->id = UINT64_MAX;
    rig_commit(r, 1, "jello");
    rig_status(r, 1, 400, "XAmzContentSHA256Mismatch");
    rig_turns(r, 20);
    assert_int_equal(rig_saw(r, "apply 0", 0), -1);
    rig_free(r);
}

/* rule 10 */
static void a_ticket_is_committed_once(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_commit(r, 77, "hello");
    rig_status(r, 77, 503, "ServiceUnavailable");
    r->hold_applies = true;
    rig_put(r, 1, "/bucket/k", "hello");
    rig_wait_event(r, "apply 0", 1);
    rig_commit(r, 1, "hello");
    rig_turns(r, 50);
    assert_true(r->front_gone);                    /* the second COMMIT cost the front its connection */
    rig_release_held(r);
    rig_turns(r, 50);
    assert_int_equal(r->t->flow->mark, 1);         /* and the operation is finished all the same */
    assert_int_equal(log_size(r->t->access), 1);
    rig_free(r);
}

/* rule 4 */
static void a_refused_write_is_voided_before_anyone_reads_its_key(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/k", "old");
    r->hold_applies = true;
    r->refuse = true;
    rig_put(r, 2, "/bucket/k", "new");
    rig_wait_event(r, "apply 1", 1);
    get(r, 3, "/bucket/k");
    rig_turns(r, 50);
    assert_null(rig_frame_of(r, 3));               /* rule 8: a write of its key is unsettled */
    rig_release_held(r);
    rig_status(r, 2, 503, "ServiceUnavailable");
    struct wire_release m = rig_release(r, 3);
    struct rig_leaf l;
    rig_leaf(r, 2, &l);
    assert_int_equal(l.leaf.kind, RECORD_K_VOID);
    assert_int_equal(record_int(&l.leaf, RECORD_F_REF, 99), 1);
    rig_leaf_done(&l);
    assert_int_equal(rig_receipt(m.receipt), 3);
    rig_leaf(r, 3, &l);
    assert_int_equal(rig_leaf_ver(&l), 0);
    rig_leaf_done(&l);
    assert_int_equal(r->t->flow->mark, 2);
    rig_free(r);
}

/* rule 0 */
static void the_second_writer_waits_for_the_first(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->hold_applies = true;
    rig_put(r, 1, "/bucket/k", "1");
    rig_put(r, 2, "/bucket/k", "2");
    rig_wait_event(r, "apply 0", 1);
    rig_turns(r, 50);
    assert_int_equal(log_size(r->t->access), 1);
    r->hold_applies = false;
    rig_release_held(r);
    rig_status(r, 1, 200, "");
    rig_status(r, 2, 200, "");
    struct rig_leaf l;
    rig_leaf(r, 1, &l);
    assert_int_equal(rig_leaf_ver(&l), 0);
    rig_leaf_done(&l);
    rig_free(r);
}

static void who_waits_for_a_hold_too_long_is_told_before_any_leaf(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->hold_applies = true;
    rig_put(r, 1, "/bucket/k", "1");
    rig_wait_event(r, "apply 0", 1);
    rig_put(r, 2, "/bucket/k", "2");
    rig_status(r, 2, 503, "SlowDown");
    assert_int_equal(log_size(r->t->access), 1);
    rig_free(r);
}

static void if_none_match_lets_one_of_two_writers_through(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, 1, (struct rig_ask){.method = "PUT", .path = "/bucket/k", .body = "1", .header = "if-none-match", .value = "*"});
    rig_ask(r, 2, (struct rig_ask){.method = "PUT", .path = "/bucket/k", .body = "2", .header = "if-none-match", .value = "*"});
    rig_wait(r, 1)->id = UINT64_MAX;
    rig_wait(r, 2)->id = UINT64_MAX;
    rig_commit(r, 1, "1");
    rig_commit(r, 2, "2");
    rig_status(r, 1, 200, "");
    rig_status(r, 2, 412, "PreconditionFailed");
    rig_free(r);
}

/* rule 8 */
static void a_read_overtaken_by_a_whole_write_looks_again(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/k", "old");
    r->hold_finds = true;
    get(r, 2, "/bucket/k");
    rig_wait_event(r, "find k", 2);                /* the first one was the PUT's */
    struct rig_held slow = r->held[0];
    r->held_count = 0;
    r->hold_finds = false;
    struct rig_object *o = &r->objects[0];
    AUTO(buf) struct buf old = BUF_INIT(ENTRY_BYTES_MAX);
    buf_put_slice(&old, buf_slice(&o->entry));
    rig_put_done(r, 3, "/bucket/k", "new");
    struct wire_found stale = {.present = 1, .entry = buf_slice(&old)};
    assert_int_equal(wire_put_found(wire_conn_out(r->keeper), slow.id, &stale), ERR_OK);
    wire_conn_kick(r->keeper);
    buf_done(&slow.payload);
    struct wire_release m = rig_release(r, 2);
    struct rig_leaf l;
    rig_leaf(r, rig_receipt(m.receipt), &l);
    assert_int_equal(rig_leaf_ver(&l), 1);
    rig_leaf_done(&l);
    rig_free(r);
}

/* rule 9 */
static void a_listing_waits_until_what_it_saw_is_settled_here_too(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->hold_applies = true;
    rig_put(r, 1, "/bucket/k", "1");
    rig_wait_event(r, "apply 0", 1);
    r->as_of = 1;                                  /* the snapshot has it, the SETTLED is still on its way */
    rig_ask(r, 2, (struct rig_ask){.method = "GET", .path = "/bucket", .query = "list-type=2"});
    rig_wait_event(r, "scan", 1);
    rig_turns(r, 50);
    assert_null(rig_frame_of(r, 2));
    assert_int_equal(log_size(r->t->access), 1);
    rig_release_held(r);
    struct rig_frame *f = rig_wait(r, 2);
    assert_int_equal(f->type, WIRE_LISTING);
    struct rig_leaf l;
    rig_leaf(r, 1, &l);
    assert_int_equal(record_int(&l.leaf, RECORD_F_ASOF, 99), 1);
    rig_leaf_done(&l);
    rig_free(r);
}

/* rule 14, LAW-4 */
static void a_decision_is_made_again_when_the_control_log_moved(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->hold_finds = true;
    get(r, 1, "/bucket/k");
    rig_wait_event(r, "find k", 1);
    r->hold_finds = false;
    rig_ask(r, 2, (struct rig_ask){.method = "PUT", .path = "/another"});
    rig_status(r, 2, 200, "");
    rig_release_held(r);
    struct rig_leaf l;
    rig_leaf(r, rig_receipt(rig_answer(r, 1).receipt), &l);
    assert_int_equal(record_int(&l.leaf, RECORD_F_CTL, 99), RIG_CONTROL_LEAVES + 1);
    rig_leaf_done(&l);
    rig_free(r);
}

static void a_bucket_deleted_under_a_read_is_gone_for_it(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->hold_finds = true;
    get(r, 1, "/bucket/k");
    rig_wait_event(r, "find k", 1);
    rig_ask(r, 2, (struct rig_ask){.method = "DELETE", .path = "/bucket"});
    rig_status(r, 2, 204, "");
    rig_release_held(r);
    rig_status(r, 1, 404, "NoSuchBucket");
    rig_free(r);
}

/* rule 13 */
static void a_batch_is_one_leaf_and_one_command(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/b", "1");
    rig_put_done(r, 2, "/bucket/a", "2");
    static const char body[] = "<Delete><Object><Key>b</Key></Object><Object><Key>none</Key></Object><Object><Key>a</Key></Object></Delete>";
    uint8_t md5[S3_SUM_BYTES_MAX];
    struct s3_sums s;
    AUTO(buf) struct buf text = BUF_INIT(64);
    assert_int_equal(s3_sums_init(&s, S3_SUM_BIT(S3_SUM_MD5)), ERR_OK);
    assert_int_equal(s3_sums_add(&s, SLICE_LIT(body)), ERR_OK);
    assert_int_equal(s3_sums_get(&s, S3_SUM_MD5, md5), ERR_OK);
    s3_sums_done(&s);
    buf_put_base64(&text, slice_of(md5, 16));
    buf_put_u8(&text, 0);
    rig_ask(r, 3, (struct rig_ask){.method = "POST", .path = "/bucket", .query = "delete=", .body = body, .header = "content-md5", .value = (char *)text.p});
    assert_int_equal(rig_wait(r, 3)->type, WIRE_WANTBODY);
    rig_wait(r, 3)->id = UINT64_MAX;
    struct wire_body m = {.last = 1, .data = SLICE_LIT(body)};
    assert_int_equal(wire_put_body(wire_conn_out(r->front), 3, &m), ERR_OK);
    wire_conn_kick(r->front);
    rig_status(r, 3, 200, "");
    assert_int_equal(log_size(r->t->access), 3);
    struct rig_leaf l;
    rig_leaf(r, 2, &l);
    assert_int_equal(record_int(&l.leaf, RECORD_F_N, 0), 3);
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    struct reader items = reader_of(record_opened_field(&l.opening, RECORD_F_ITEMS)->value);
    static const struct { uint8_t kind; const char *key; uint64_t ver; } want[] = {{2, "a", 1}, {2, "b", 0}, {0, "none", UINT64_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        uint8_t kind;
        struct slice key;
        uint64_t ver;
        assert_int_equal(record_row_get(&items, &kind, &key, &ver), ERR_OK);
        assert_int_equal(kind, want[i].kind);
        assert_true(slice_is(key, want[i].key));
        assert_true(ver == want[i].ver);
    }
    rig_leaf_done(&l);
    get(r, 4, "/bucket/a");
    rig_status(r, 4, 404, "NoSuchKey");
    rig_free(r);
}

static void a_body_refused_by_its_beginning_is_refused_once(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, 1, (struct rig_ask){.method = "PUT", .path = "/fresh", .body = "this is not XML"});
    assert_int_equal(rig_wait(r, 1)->type, WIRE_WANTBODY);
    rig_wait(r, 1)->id = UINT64_MAX;
    static const char *const pieces[] = {"this ", "is ", "not XML", ""};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct wire_body m = {.last = i + 1 == ARRAY_LEN(pieces), .data = slice_str(pieces[i])};
        assert_int_equal(wire_put_body(wire_conn_out(r->front), 1, &m), ERR_OK);
    }
    wire_conn_kick(r->front);
    rig_status(r, 1, 400, "MalformedXML");
    rig_turns(r, 50);
    assert_false(r->front_gone);
    assert_int_equal(log_size(r->t->access), 1);
    rig_free(r);
}

/* LAW-1: attack 15 */
static void a_repeated_request_says_so_in_its_leaf(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    for (uint64_t id = 1; id <= 3; id++) rig_ask(r, id, (struct rig_ask){.method = "DELETE", .path = "/bucket/k", .header = "x-amz-meta-n", .value = "1"});
    rig_wait(r, 3);
    struct rig_leaf l;
    for (uint64_t i = 0; i < 3; i++) {
        rig_leaf(r, i, &l);
        /* Signed within one second they are one request; a second's border may part them. */
        assert_true(record_int(&l.leaf, RECORD_F_REP, 1) <= i + 1);
        if (i == 2) assert_true(record_int(&l.leaf, RECORD_F_REP, 1) >= 2);
        rig_leaf_done(&l);
    }
    rig_free(r);
}

static void a_frame_that_does_not_fit_costs_the_connection(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->hold_finds = true;
    get(r, 1, "/bucket/k");
    rig_wait_event(r, "find k", 1);
    get(r, 1, "/bucket/k");                        /* an id that is in use */
    rig_turns(r, 50);
    assert_true(r->front_gone);
    rig_release_held(r);                           /* the read is finished for nobody */
    rig_turns(r, 50);
    assert_int_equal(log_durable(r->t->access), 1);
    assert_int_equal(requests_count(r->g->requests), 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_is_released_after_its_leaf_with_the_keys_of_its_range),
        cmocka_unit_test(head_gives_no_key),
        cmocka_unit_test(unproven_callers_are_counted_and_nothing_is_asked_for_them),
        cmocka_unit_test(a_refused_proven_caller_gets_a_leaf_before_the_answer),
        cmocka_unit_test(a_put_is_answered_after_the_keeper_settled_it),
        cmocka_unit_test(bytes_other_than_the_signed_ones_are_refused_at_commit),
        cmocka_unit_test(a_ticket_is_committed_once),
        cmocka_unit_test(a_refused_write_is_voided_before_anyone_reads_its_key),
        cmocka_unit_test(the_second_writer_waits_for_the_first),
        cmocka_unit_test(who_waits_for_a_hold_too_long_is_told_before_any_leaf),
        cmocka_unit_test(if_none_match_lets_one_of_two_writers_through),
        cmocka_unit_test(a_read_overtaken_by_a_whole_write_looks_again),
        cmocka_unit_test(a_listing_waits_until_what_it_saw_is_settled_here_too),
        cmocka_unit_test(a_decision_is_made_again_when_the_control_log_moved),
        cmocka_unit_test(a_bucket_deleted_under_a_read_is_gone_for_it),
        cmocka_unit_test(a_batch_is_one_leaf_and_one_command),
        cmocka_unit_test(a_body_refused_by_its_beginning_is_refused_once),
        cmocka_unit_test(a_repeated_request_says_so_in_its_leaf),
        cmocka_unit_test(a_frame_that_does_not_fit_costs_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
