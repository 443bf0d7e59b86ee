/* SPDX-License-Identifier: Apache-2.0
 * Users, their keys and policies, by IAM's calls: what is answered, who may ask, and what stands on which log.
 * Role: tests of op_iam.c and op_iam_act.c. Trusts: gate_rig.c. Law: 1, 4, 5, 6. Spec: docs/spec/order.md; IAM and STS Query APIs
 */
#include <stdio.h>

#include "gate/gate_rig.h"

#define ALLOW_ALL "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22*%22%2C%22Resource%22%3A%22*%22%7D%5D%7D"

static uint64_t next_id;
static struct wire_answer iam_by(struct rig *r, const char *key, const char *form)
{
    rig_ask(r, ++next_id, (struct rig_ask){.method = "POST", .path = "/", .service = "iam", .key = key, .form = form});
    return rig_answer(r, next_id);
}

static struct wire_answer iam(struct rig *r, const char *form) { return iam_by(r, NULL, form); }

static bool has(struct slice in, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= in.n; i++)
        if (memcmp(in.p + i, text, n) == 0) return true;
    return false;
}

static void says(struct wire_answer m, unsigned status, const char *text)
{
    if (m.status != status || !has(m.body, text)) fail_msg("%u %.*s: not %u %s", m.status, (int)m.body.n, m.body.p, status, text);
}

/* The text between <name> and </name>, the first one behind `from`. */
static struct slice element(struct wire_answer m, const char *name)
{
    char open[64];
    size_t n = (size_t)snprintf(open, sizeof open, "<%s>", name);
    for (size_t i = 0; i + n <= m.body.n; i++) {
        if (memcmp(m.body.p + i, open, n) != 0) continue;
        struct slice text, rest = slice_of(m.body.p + i + n, m.body.n - i - n);
        slice_cut(rest, '<', &text);
        return text;
    }
    fail_msg("no <%s> in %.*s", name, (int)m.body.n, m.body.p);
    return slice_of(NULL, 0);
}

static void who_am_i(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, 1, (struct rig_ask){.method = "POST", .path = "/", .service = "sts", .form = "Action=GetCallerIdentity&Version=2011-06-15"});
    struct wire_answer m = rig_answer(r, 1);
    says(m, 200, "<Arn>arn:aws:iam::" RIG_ACCOUNT ":root</Arn>");
    says(m, 200, "<UserId>" RIG_ACCOUNT "</UserId>");
    says(m, 200, "<Account>" RIG_ACCOUNT "</Account>");
    says(m, 200, "sts.amazonaws.com");
    rig_free(r);
}

/* LAW-1, LAW-4 */
static void a_user_is_made_on_the_control_log_and_read_on_the_access_log(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    uint64_t control = log_size(r->t->control), access = log_size(r->t->access);
    struct wire_answer m = iam(r, "Action=CreateUser&UserName=ada&Path=%2Fa%2Fb%2F");
    says(m, 200, "<Arn>arn:aws:iam::" RIG_ACCOUNT ":user/a/b/ada</Arn>");
    says(m, 200, "<Path>/a/b/</Path>");
    assert_int_equal(rig_receipt(m.receipt), control);
    assert_int_equal(log_durable(r->t->control), control + 1);
    assert_int_equal(log_size(r->t->access), access);
    m = iam(r, "Action=GetUser&UserName=ada");
    says(m, 200, "<UserName>ada</UserName>");
    struct rig_leaf l;
    rig_leaf(r, rig_receipt(m.receipt), &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_ACT), "GetUser"));
    struct record_sub sub;
    assert_int_equal(record_sub_get(record_opened_field(&l.opening, RECORD_F_SUB)->value, &sub), ERR_OK);
    assert_true(slice_is(sub.user, "ada"));
    rig_leaf_done(&l);
    says(iam(r, "Action=CreateUser&UserName=ada"), 409, "<Code>EntityAlreadyExists</Code>");
    says(iam(r, "Action=CreateUser&UserName=ADA"), 409, "<Code>EntityAlreadyExists</Code>");
    says(iam(r, "Action=GetUser&UserName=ADA"), 200, "<UserName>ada</UserName>");
    says(iam(r, "Action=GetUser&UserName=bob"), 404, "<Code>NoSuchEntity</Code>");
    says(iam(r, "Action=CreateUser&UserName=a%2Fb"), 400, "<Code>ValidationError</Code>");
    says(iam(r, "Action=CreateUser&UserName=root"), 400, "<Code>ValidationError</Code>");
    says(iam(r, "Action=CreateUser&UserName=eve&Path=x"), 400, "<Code>ValidationError</Code>");
    says(iam(r, "Action=DeleteUser&UserName=ada"), 200, "DeleteUserResponse");
    says(iam(r, "Action=DeleteUser&UserName=ada"), 404, "<Code>NoSuchEntity</Code>");
    rig_free(r);
}

/* LAW-6 */
static void a_users_key_may_what_its_policies_allow(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    char key[ACCESS_KEY_CHARS + 1];
    rig_put(r, ++next_id, "/bucket/k", "hello");
    rig_status(r, next_id, 200, "");
    says(iam(r, "Action=CreateUser&UserName=ada"), 200, "<UserName>ada</UserName>");
    struct wire_answer m = iam(r, "Action=CreateAccessKey&UserName=ada");
    says(m, 200, "<SecretAccessKey>" RIG_SECRET "</SecretAccessKey>");
    snprintf(key, sizeof key, "%.*s", (int)element(m, "AccessKeyId").n, element(m, "AccessKeyId").p);
    rig_ask(r, ++next_id, (struct rig_ask){.method = "GET", .path = "/bucket/k", .key = key});
    rig_status(r, next_id, 403, "AccessDenied");
    says(iam_by(r, key, "Action=ListUsers"), 403, "<Code>AccessDenied</Code>");
    says(iam(r, "Action=PutUserPolicy&UserName=ada&PolicyName=all&PolicyDocument=" ALLOW_ALL), 200, "PutUserPolicyResponse");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "GET", .path = "/bucket/k", .key = key});
    assert_int_equal(rig_release(r, next_id).len, 5);
    says(iam_by(r, key, "Action=GetCallerIdentity"), 200, ":user/ada</Arn>");
    says(iam_by(r, key, "Action=GetUser"), 200, "<UserName>ada</UserName>");     /* itself */
    says(iam(r, "Action=GetUserPolicy&UserName=ada&PolicyName=all"), 200, "<PolicyDocument>%7B%22Version%22");
    says(iam(r, "Action=ListUserPolicies&UserName=ada"), 200, "<member>all</member>");
    says(iam(r, "Action=DeleteUser&UserName=ada"), 409, "<Code>DeleteConflict</Code>");
    says(iam(r, "Action=DeleteUserPolicy&UserName=ada&PolicyName=all"), 200, "DeleteUserPolicyResponse");
    says(iam(r, "Action=DeleteUserPolicy&UserName=ada&PolicyName=all"), 404, "<Code>NoSuchEntity</Code>");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "GET", .path = "/bucket/k", .key = key});
    rig_status(r, next_id, 403, "AccessDenied");
    rig_free(r);
}

static void keys_are_two_a_user_and_can_be_turned_off(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    char key[ACCESS_KEY_CHARS + 1], form[160];
    says(iam(r, "Action=CreateAccessKey&UserName=ada"), 404, "<Code>NoSuchEntity</Code>");
    says(iam(r, "Action=CreateUser&UserName=ada"), 200, "<UserName>ada</UserName>");
    struct wire_answer m = iam(r, "Action=CreateAccessKey&UserName=ada");
    snprintf(key, sizeof key, "%.*s", (int)element(m, "AccessKeyId").n, element(m, "AccessKeyId").p);
    says(iam(r, "Action=CreateAccessKey&UserName=ada"), 200, "Active");
    says(iam(r, "Action=CreateAccessKey&UserName=ada"), 409, "<Code>LimitExceeded</Code>");
    snprintf(form, sizeof form, "Action=UpdateAccessKey&UserName=ada&Status=Inactive&AccessKeyId=%s", key);
    says(iam(r, form), 200, "UpdateAccessKeyResponse");
    uint64_t control = log_size(r->t->control);
    says(iam(r, form), 200, "UpdateAccessKeyResponse");                          /* as it is: no leaf there */
    assert_int_equal(log_size(r->t->control), control);
    rig_ask(r, ++next_id, (struct rig_ask){.method = "POST", .path = "/", .service = "sts", .key = key, .form = "Action=GetCallerIdentity"});
    assert_int_equal(rig_answer(r, next_id).status, 403);
    says(iam(r, "Action=ListAccessKeys&UserName=ada"), 200, "Inactive");
    snprintf(form, sizeof form, "Action=DeleteAccessKey&UserName=ada&AccessKeyId=%s", key);
    says(iam(r, form), 200, "DeleteAccessKeyResponse");
    says(iam(r, form), 404, "<Code>NoSuchEntity</Code>");
    m = iam(r, "Action=ListAccessKeys&UserName=ada");
    says(m, 200, "<IsTruncated>false</IsTruncated>");
    assert_false(has(m.body, key));
    /* Root's own: nobody is named. */
    m = iam(r, "Action=CreateAccessKey");
    snprintf(form, sizeof form, "Action=DeleteAccessKey&AccessKeyId=%.*s", (int)element(m, "AccessKeyId").n, element(m, "AccessKeyId").p);
    says(iam(r, form), 200, "DeleteAccessKeyResponse");
    rig_free(r);
}

static void lists_come_in_pages(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    char form[200], seen[8] = "";
    for (char c = 'a'; c <= 'e'; c++) {
        snprintf(form, sizeof form, "Action=CreateUser&UserName=u%c&Path=%%2F%c%%2F", c, c == 'c' ? 'y' : 'x');
        says(iam(r, form), 200, "CreateUserResponse");
    }
    snprintf(form, sizeof form, "Action=ListUsers&MaxItems=2&PathPrefix=%%2Fx");
    for (;;) {
        struct wire_answer m = iam(r, form);
        says(m, 200, "ListUsersResponse");
        for (char c = 'a'; c <= 'e'; c++) {
            char name[32];
            snprintf(name, sizeof name, "<UserName>u%c</UserName>", c);
            if (has(m.body, name)) strncat(seen, &c, 1);
        }
        if (has(m.body, "<IsTruncated>false")) break;
        snprintf(form, sizeof form, "Action=ListUsers&MaxItems=2&PathPrefix=%%2Fx&Marker=%.*s", (int)element(m, "Marker").n, element(m, "Marker").p);
    }
    assert_string_equal(seen, "abde");
    says(iam(r, "Action=ListGroups"), 200, "<Groups></Groups>");
    says(iam(r, "Action=ListAttachedUserPolicies&UserName=ua"), 200, "<AttachedPolicies></AttachedPolicies>");
    says(iam(r, "Action=ListAttachedUserPolicies&UserName=none"), 404, "<Code>NoSuchEntity</Code>");
    says(iam(r, "Action=ListUsers&MaxItems=0"), 400, "<Code>ValidationError</Code>");
    says(iam(r, "Action=ListUsers&MaxItems=1001"), 400, "<Code>ValidationError</Code>");
    rig_free(r);
}

/* LAW-5 */
static void accounts_do_not_see_each_others_users(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    says(iam(r, "Action=CreateUser&UserName=ada"), 200, "<UserName>ada</UserName>");
    says(iam_by(r, RIG_KEY_OTHER, "Action=GetUser&UserName=ada"), 404, "<Code>NoSuchEntity</Code>");
    assert_false(has(iam_by(r, RIG_KEY_OTHER, "Action=ListUsers").body, "<UserName>ada"));
    says(iam_by(r, RIG_KEY_OTHER, "Action=CreateUser&UserName=ada"), 200, RIG_ACCOUNT_OTHER);
    rig_free(r);
}

static void what_is_no_call_is_refused_with_a_leaf(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    uint64_t leaves = log_size(r->t->access);
    says(iam(r, "Action=CreateRole"), 400, "<Code>InvalidAction</Code>");
    says(iam(r, "UserName=ada"), 400, "<Code>InvalidAction</Code>");
    says(iam(r, "Action=PutUserPolicy&UserName=ada&PolicyName=p&PolicyDocument=%7B"), 404, "<Code>NoSuchEntity</Code>");
    says(iam(r, "Action=CreateUser&UserName=ada"), 200, "<UserName>ada</UserName>");
    says(iam(r, "Action=PutUserPolicy&UserName=ada&PolicyName=p&PolicyDocument=%7B"), 400, "<Code>MalformedPolicyDocument</Code>");
    assert_int_equal(log_size(r->t->access), leaves + 4);
    struct rig_leaf l;
    rig_leaf(r, leaves, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_DEC), "deny"));
    rig_leaf_done(&l);
    rig_ask(r, ++next_id, (struct rig_ask){.method = "POST", .path = "/", .service = "iam", .form = "Action=ListUsers", .wrong_signature = true});
    rig_status(r, next_id, 403, "SignatureDoesNotMatch");
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_am_i),
        cmocka_unit_test(a_user_is_made_on_the_control_log_and_read_on_the_access_log),
        cmocka_unit_test(a_users_key_may_what_its_policies_allow),
        cmocka_unit_test(keys_are_two_a_user_and_can_be_turned_off),
        cmocka_unit_test(lists_come_in_pages),
        cmocka_unit_test(accounts_do_not_see_each_others_users),
        cmocka_unit_test(what_is_no_call_is_refused_with_a_leaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
