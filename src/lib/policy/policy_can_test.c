/* SPDX-License-Identifier: Apache-2.0
 * Who can: everyone is asked for once, and each answer is decide()'s own.
 * Role: unit test. Spec: docs/spec/policy.md section 7. LAW-4.
 */
#include "policy/policy_grant_rig.h"

#define ROWS_MAX 64
#define KEY_A "AKIAALICEALICEALICEA"
#define KEY_B "AKIABOBBOBBOBBOBBOBB"
#define KEY_C "AKIACAROLCAROLCAROLC"

static struct row {
    char text[120];                                /* auth account user-or-grant allow reason */
} rows[ROWS_MAX];
static size_t row_count;

static void note(void *ctx, const struct policy_can *c) {
    assert_ptr_equal(ctx, rows);
    assert_true(row_count < ROWS_MAX);
    struct buf b = BUF_INIT(sizeof rows[0].text - 1);
    buf_put_str(&b, policy_auth_text(c->auth));
    buf_put_u8(&b, ' ');
    buf_put_slice(&b, c->account);
    buf_put_u8(&b, ' ');
    if (c->auth == POLICY_AUTH_STS) buf_put_base32(&b, slice_of(c->grant, ID_BYTES));
    else buf_put_slice(&b, c->user);
    buf_put_str(&b, c->allow ? " yes " : " no ");
    buf_put_str(&b, policy_reason_text(c->reason));
    assert_true(buf_ok(&b));
    policy_copy_text(rows[row_count++].text, buf_slice(&b));
    buf_done(&b);
    assert_int_equal(c->allow, c->reason == POLICY_ALLOWED);
}

static void look(const char *bucket, const char *key) {
    row_count = 0;
    policy_who_can(&state, slice_str(bucket), slice_str(key), now_ms, note, rows);
}

static void expect(const char *const *want, size_t n) {
    for (size_t i = 0; i < n || i < row_count; i++) {
        const char *got = i < row_count ? rows[i].text : "nothing", *w = i < n ? want[i] : "nothing";
        if (strcmp(got, w) != 0) fail_msg("row %zu: got '%s', want '%s'", i, got, w);
    }
}

static void everyone_is_asked_for_once(void **unused) {
    (void)unused;
    char live[100], waits[100], keyless[] = "hdr " ACCOUNT1 " keyless no unknown-key";
    assert_int_equal(apply(&state, KEY(KEY2, ACCOUNT2, 1)), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateUser", 1, "alice", "", "/")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateUser", 1, "bob", "", "/")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateUser", 1, "gone", "", "/")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateUser", 1, "keyless", "", "/")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateAccessKey", 1, "alice", KEY_A, "")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "UpdateAccessKey", 0, "alice", KEY_A, "Inactive")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateAccessKey", 1, "alice", KEY_B, "")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateAccessKey", 1, "gone", KEY_C, "")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "DeleteAccessKey", 0, "gone", KEY_C, "")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "DeleteUser", 0, "gone", "", "")), ERR_OK);
    struct says put = IAM(WHO1, ACCOUNT1, "PutUserPolicy", 1, "alice", "p", "");
    put.doc = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::data/a/*\"}]}";
    assert_int_equal(apply(&state, put), ERR_OK);
    (void)active(gid(1));
    done(request(gid(2)));
    snprintf(live, sizeof live, "sts anna %s yes allowed", gid(1));
    snprintf(waits, sizeof waits, "sts anna %s no grant-state", gid(2));
    look("data", "a/1");
    const char *const inside[] = {"hdr " ACCOUNT1 " root yes allowed", "hdr " ACCOUNT2 " root no other-account", "hdr " ACCOUNT1 " alice yes allowed",
                                  "hdr " ACCOUNT1 " bob no unknown-key", keyless, "anon   no anonymous", live, waits};
    expect(inside, ARRAY_LEN(inside));
    look("data", "b/1");
    snprintf(live, sizeof live, "sts anna %s no grant-scope", gid(1));
    const char *const outside[] = {"hdr " ACCOUNT1 " root yes allowed", "hdr " ACCOUNT2 " root no other-account", "hdr " ACCOUNT1 " alice no not-allowed",
                                   "hdr " ACCOUNT1 " bob no unknown-key", keyless, "anon   no anonymous", live, waits};
    expect(outside, ARRAY_LEN(outside));
}

static void what_changes_shows_at_once(void **unused) {
    (void)unused;
    char yes[100];
    (void)active(gid(1));
    snprintf(yes, sizeof yes, "sts anna %s yes allowed", gid(1));
    look("data", "a/1");
    assert_int_equal(row_count, 3);
    assert_string_equal(rows[2].text, yes);
    done(RIG(APPROVER_OFF, "aa", K_BB, NULL));
    look("data", "a/1");
    snprintf(yes, sizeof yes, "sts anna %s no approval-gone", gid(1));
    assert_string_equal(rows[2].text, yes);
    done(revoke(gid(1), K_BB));
    look("data", "a/1");
    assert_int_equal(row_count, 2); /* what is over is nobody's way in */
    struct says open = CONFIG("data", 1, "PutBucketPolicy", 1,
                              "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\","
                              "\"Resource\":\"arn:aws:s3:::data/*\"}]}");
    assert_int_equal(apply(&state, open), ERR_OK);
    look("data", "a/1");
    assert_string_equal(rows[1].text, "anon   yes allowed");
    look("nowhere", "a/1");
    assert_string_equal(rows[0].text, "hdr " ACCOUNT1 " root no no-bucket");
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(everyone_is_asked_for_once),
        T(what_changes_shows_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
