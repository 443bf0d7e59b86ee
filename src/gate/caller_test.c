/* SPDX-License-Identifier: Apache-2.0
 * Who reads what: everyone, other accounts, conditions on the object, credentials of other services.
 * Role: tests of step_verify.c, step_decide.c. Trusts: gate_rig.c. Law: 1, 3, 4, 5. Spec: docs/spec/order.md, docs/spec/policy.md
 */
#include <stdio.h>

#include "gate/gate_rig.h"

static void policy(struct rig *r, uint64_t id, const char *statement)
{
    char body[2000];
    snprintf(body, sizeof body, "{\"Version\":\"2012-10-17\",\"Statement\":[%s]}", statement);
    rig_control(r, id, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "policy=", .body = body});
    rig_status(r, id, 204, "");
}

static bool body_has(struct slice body, const char *text) { return memmem(body.p, body.n, text, strlen(text)) != NULL; }

static void anon(struct rig *r, uint64_t id, const char *method, const char *path, const char *query)
{
    rig_ask(r, id, (struct rig_ask){.method = method, .path = path, .query = query, .anonymous = true});
}

#define ALLOW(who, what, on) "{\"Effect\":\"Allow\",\"Principal\":" who ",\"Action\":\"s3:" what "\",\"Resource\":\"arn:aws:s3:::bucket" on "\""
#define OTHER_ROOT "{\"AWS\":\"arn:aws:iam::" RIG_ACCOUNT_OTHER ":root\"}"

static void open_bucket(struct rig *r, uint64_t id)
{
    rig_ask(r, id, (struct rig_ask){.method = "DELETE", .path = "/bucket", .query = "publicAccessBlock="});
    rig_status(r, id, 204, "");
}

static void everyone_reads_what_the_policy_gives_and_is_not_told_what_is_absent(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->anonymous = true;
    rig_put_done(r, 1, "/bucket/k", "hello");
    anon(r, 2, "GET", "/bucket/k", NULL);
    rig_status(r, 2, 403, "AccessDenied");
    uint64_t leaves = log_size(r->t->access);
    open_bucket(r, 3);
    policy(r, 4, ALLOW("\"*\"", "GetObject", "/*") "}");
    leaves = log_size(r->t->access);
    anon(r, 5, "GET", "/bucket/k", NULL);
    struct wire_release m = rig_release(r, 5);
    assert_int_equal(m.size, 5);
    assert_int_equal(log_size(r->t->access), leaves + 1);                /* LAW-1: everyone's read too has its leaf */
    struct rig_leaf l;
    rig_leaf(r, rig_receipt(m.receipt), &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_AUTH), "anon"));
    rig_leaf_done(&l);
    anon(r, 6, "GET", "/bucket/none", NULL);       /* who may not list is not told */
    rig_status(r, 6, 403, "AccessDenied");
    rig_leaf(r, rig_receipt(rig_answer(r, 6).receipt), &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_WHY), "AccessDenied") && rig_leaf_ver(&l) == RECORD_VER_NONE);
    rig_leaf_done(&l);
    anon(r, 7, "GET", "/bucket/k", "response-content-type=a%2Fb");
    rig_status(r, 7, 400, "InvalidRequest");
    anon(r, 8, "GET", "/bucket", "list-type=2");
    rig_status(r, 8, 403, "AccessDenied");
    rig_free(r);
}

static void another_account_reads_by_the_tags_of_the_object_only(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct rig_ask ask = {.method = "GET", .path = "/bucket/k", .key = RIG_KEY_OTHER};
    rig_ask(r, 1, (struct rig_ask){.method = "PUT", .path = "/bucket/k", .body = "hello", .header = "x-amz-tagging", .value = "color=red"});
    assert_int_equal(rig_wait(r, 1)->type, WIRE_TICKET);
    rig_forget(r, 1);
    rig_commit(r, 1, "hello");
    rig_status(r, 1, 200, "");
    rig_put_done(r, 2, "/bucket/plain", "hello");
    rig_ask(r, 3, ask);
    rig_status(r, 3, 403, "AccessDenied");
    policy(r, 4, ALLOW(OTHER_ROOT, "GetObject", "/*") ",\"Condition\":{\"StringEquals\":{\"s3:ExistingObjectTag/color\":\"red\"}}}");
    rig_ask(r, 5, ask);
    struct wire_release m = rig_release(r, 5);
    struct rig_leaf l;
    rig_leaf(r, rig_receipt(m.receipt), &l);
    const struct record_opened *ctx = record_opened_field(&l.opening, RECORD_F_CTX);
    assert_non_null(ctx);                          /* LAW-4: what decided stands in the leaf */
    assert_non_null(memmem(ctx->value.p, ctx->value.n, "color=red", 9));
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_DEC), "allow"));
    struct policy_decision d;
    assert_int_equal(policy_check(r->t->state, &l.leaf, &l.opening, &d), ERR_OK);
    rig_leaf_done(&l);
    ask.path = "/bucket/plain";
    rig_ask(r, 6, ask);
    rig_status(r, 6, 403, "AccessDenied");
    rig_leaf(r, rig_receipt(rig_answer(r, 6).receipt), &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_DEC), "deny"));
    assert_int_equal(policy_check(r->t->state, &l.leaf, &l.opening, &d), ERR_OK);
    rig_leaf_done(&l);
    ask.path = "/bucket/none";
    rig_ask(r, 7, ask);
    rig_status(r, 7, 403, "AccessDenied");
    rig_leaf(r, rig_receipt(rig_answer(r, 7).receipt), &l);
    assert_int_equal(policy_check(r->t->state, &l.leaf, &l.opening, &d), ERR_OK);
    rig_leaf_done(&l);
    rig_free(r);
}

/* LAW-4, rule 8: what decides is the object that the leaf names, not one that was there a moment before. */
static void an_object_that_lost_its_tag_meanwhile_is_judged_as_it_is(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, 1, (struct rig_ask){.method = "PUT", .path = "/bucket/k", .body = "hello", .header = "x-amz-tagging", .value = "color=red"});
    assert_int_equal(rig_wait(r, 1)->type, WIRE_TICKET);
    rig_forget(r, 1);
    rig_commit(r, 1, "hello");
    rig_status(r, 1, 200, "");
    policy(r, 2, ALLOW(OTHER_ROOT, "GetObject", "/*") ",\"Condition\":{\"StringEquals\":{\"s3:ExistingObjectTag/color\":\"red\"}}}");
    AUTO(buf) struct buf tagged = BUF_INIT(ENTRY_BYTES_MAX);
    buf_put_slice(&tagged, buf_slice(&r->objects[0].entry));
    r->hold_finds = true;
    rig_ask(r, 3, (struct rig_ask){.method = "GET", .path = "/bucket/k", .key = RIG_KEY_OTHER});
    rig_wait_event(r, "find k", 2);
    struct rig_held slow = r->held[0];
    r->held_count = 0;
    r->hold_finds = false;
    rig_put_done(r, 4, "/bucket/k", "no tag");
    struct wire_found stale = {.present = 1, .current = 1, .null_index = UINT64_MAX, .entry = buf_slice(&tagged)};
    assert_int_equal(wire_put_found(wire_conn_out(r->keeper), slow.id, &stale), ERR_OK);
    wire_conn_kick(r->keeper);
    buf_done(&slow.payload);
    rig_status(r, 3, 403, "AccessDenied");
    struct rig_leaf l;
    struct policy_decision d;
    rig_leaf(r, rig_receipt(rig_answer(r, 3).receipt), &l);
    assert_int_equal(rig_leaf_ver(&l), rig_receipt(rig_answer(r, 4).receipt));
    assert_int_equal(policy_check(r->t->state, &l.leaf, &l.opening, &d), ERR_OK);
    rig_leaf_done(&l);
    rig_free(r);
}

/* Where nothing is signed, x-amz headers are everyone's words; where something is, they must be signed too (LAW-3). */
static void everyones_headers_are_listened_to_and_not_named_in_the_leaf(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->anonymous = true;
    open_bucket(r, 1);
    policy(r, 2, ALLOW("\"*\"", "PutObject", "/*") "}," ALLOW("\"*\"", "GetObject", "/*") "}");
    struct rig_ask a = {.method = "PUT", .path = "/bucket/k", .body = "hello", .anonymous = true,
                        .headers = {{SLICE_LIT("x-amz-meta-secret-name"), SLICE_LIT("v")}, {SLICE_LIT("content-type"), SLICE_LIT("a/b")}}};
    rig_ask(r, 3, a);
    assert_int_equal(rig_wait(r, 3)->type, WIRE_TICKET);
    rig_forget(r, 3);
    rig_commit(r, 3, "hello");
    rig_status(r, 3, 200, "");
    struct rig_leaf l;
    rig_leaf(r, rig_receipt(rig_answer(r, 3).receipt), &l);
    assert_null(memmem(l.bytes.p, l.bytes.n, "secret-name", 11));
    assert_non_null(memmem(l.bytes.p, l.bytes.n, "content-type", 12));
    rig_leaf_done(&l);
    rig_ask(r, 4, (struct rig_ask){.method = "GET", .path = "/bucket/k"});
    assert_true(slice_is(rig_header(rig_release(r, 4).headers, "x-amz-meta-secret-name"), "v"));
    rig_ask(r, 5, (struct rig_ask){.method = "PUT", .path = "/bucket/k", .body = "hello", .unsigned_header = "x-amz-meta-a", .unsigned_value = "v"});
    rig_status(r, 5, 403, "AccessDenied");
    rig_free(r);
}

static void the_owner_that_was_expected_is_the_buckets(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_put_done(r, 1, "/bucket/k", "hello");
    rig_ask(r, 2, (struct rig_ask){.method = "GET", .path = "/bucket/k", .header = "x-amz-expected-bucket-owner", .value = RIG_ACCOUNT});
    rig_release(r, 2);
    rig_ask(r, 3, (struct rig_ask){.method = "GET", .path = "/bucket/k", .header = "x-amz-expected-bucket-owner", .value = RIG_ACCOUNT_OTHER});
    rig_status(r, 3, 403, "AccessDenied");
    rig_free(r);
}

/* LAW-3: the call is in the body, and the body's digest is what was signed. */
static void an_sts_call_is_signed_for_its_service_and_body(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct rig_ask ask = {.method = "POST", .path = "/", .service = "sts", .form = "Action=GetCallerIdentity&Version=2011-06-15"};
    rig_ask(r, 1, ask);
    struct wire_answer m = rig_answer(r, 1);
    assert_int_equal(m.status, 200);
    assert_true(body_has(m.body, "<Account>" RIG_ACCOUNT "</Account>"));
    ask.service = "ec2";
    rig_ask(r, 2, ask);
    assert_int_equal(rig_answer(r, 2).status, 400);
    ask = (struct rig_ask){.method = "GET", .path = "/bucket/k", .service = "sts"};          /* not a key to S3 */
    rig_ask(r, 3, ask);
    assert_int_equal(rig_answer(r, 3).status, 400);
    rig_free(r);
}

static void a_preflight_finds_its_tenant_by_the_credential_in_the_url(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    anon(r, 1, "OPTIONS", "/bucket/k", NULL);
    rig_status(r, 1, 403, "AccessDenied");         /* no tenant */
    anon(r, 2, "OPTIONS", "/bucket/k", "X-Amz-Credential=" RIG_KEY "%2F20261124%2Feu-north-1%2Fs3%2Faws4_request");
    rig_status(r, 2, 400, "BadRequest");           /* its tenant's bucket; but no Origin */
    anon(r, 3, "GET", "/bucket/k", "X-Amz-Credential=" RIG_KEY "%2F20261124%2Feu-north-1%2Fs3%2Faws4_request");
    rig_status(r, 3, 403, "AccessDenied");         /* LAW-5: for a preflight only */
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everyone_reads_what_the_policy_gives_and_is_not_told_what_is_absent),
        cmocka_unit_test(another_account_reads_by_the_tags_of_the_object_only),
        cmocka_unit_test(an_object_that_lost_its_tag_meanwhile_is_judged_as_it_is),
        cmocka_unit_test(everyones_headers_are_listened_to_and_not_named_in_the_leaf),
        cmocka_unit_test(the_owner_that_was_expected_is_the_buckets),
        cmocka_unit_test(an_sts_call_is_signed_for_its_service_and_body),
        cmocka_unit_test(a_preflight_finds_its_tenant_by_the_credential_in_the_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
