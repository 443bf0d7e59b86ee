/* SPDX-License-Identifier: Apache-2.0
 * Forms: what the fields may be, who they are, and what they are answered.
 * Role: tests of op_form.c. Trusts: gate_rig.c. Law: 1, 3. Spec: docs/spec/order.md; "Browser-based uploads using POST"
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "gate/gate_rig.h"

#define SIGNED "[\"starts-with\",\"$x-amz-credential\",\"\"],[\"starts-with\",\"$x-amz-algorithm\",\"\"],[\"starts-with\",\"$x-amz-date\",\"\"],"
#define POLICY(conditions) "{\"expiration\":\"2099-01-01T00:00:00Z\",\"conditions\":[" SIGNED "{\"bucket\":\"bucket\"},[\"starts-with\",\"$key\",\"f\"]" conditions "]}"
#define FIELDS_MAX 8

struct form {
    const char *policy;                            /* NULL: anonymous */
    bool v2, wrong;
    const char *fields[FIELDS_MAX][2];
};

static void put_fields(const struct form *f, const struct buf *policy64, const struct buf *credential, const struct buf *signature, struct buf *out)
{
    for (size_t i = 0; i < FIELDS_MAX && f->fields[i][0]; i++) wire_put_header(out, slice_str(f->fields[i][0]), slice_str(f->fields[i][1]));
    if (f->policy) {
        wire_put_header(out, SLICE_LIT("policy"), buf_slice(policy64));
        wire_put_header(out, f->v2 ? SLICE_LIT("AWSAccessKeyId") : SLICE_LIT("x-amz-credential"), buf_slice(credential));
        wire_put_header(out, f->v2 ? SLICE_LIT("signature") : SLICE_LIT("x-amz-signature"), buf_slice(signature));
        if (!f->v2) wire_put_header(out, SLICE_LIT("x-amz-algorithm"), SLICE_LIT("AWS4-HMAC-SHA256"));
        if (!f->v2) wire_put_header(out, SLICE_LIT("x-amz-date"), SLICE_LIT("20990101T000000Z"));
    }
    wire_put_header(out, SLICE_LIT("file"), SLICE_LIT("my file.txt"));
}

static void sign(const struct form *f, const struct buf *policy64, struct buf *credential, struct buf *signature)
{
    uint8_t mac[HASH_BYTES];
    unsigned n = sizeof mac;
    buf_put_str(credential, RIG_KEY);
    if (f->v2) {
        assert_non_null(HMAC(EVP_sha1(), RIG_SECRET, sizeof RIG_SECRET - 1, policy64->p, policy64->n, mac, &n));
        buf_put_base64(signature, slice_of(mac, n));
    } else {
        struct s3_signing_key k;
        assert_int_equal(s3_signing_key_init(&k, SLICE_LIT(RIG_SECRET), SLICE_LIT("20990101"), SLICE_LIT("eu-north-1"), SLICE_LIT("s3")), ERR_OK);
        assert_int_equal(s3_hmac(&k, buf_slice(policy64), mac), ERR_OK);
        s3_signing_key_done(&k);
        buf_put_str(credential, "/20990101/eu-north-1/s3/aws4_request");
        buf_put_hex(signature, slice_of(mac, sizeof mac));
    }
    if (f->wrong) signature->p[0] = signature->p[0] == 'a' ? 'b' : 'a';
}

static void ask(struct rig *r, uint64_t id, const struct form *f)
{
    AUTO(buf) struct buf mem = BUF_INIT(4096), canon = BUF_INIT(4096), policy64 = BUF_INIT(8192), credential = BUF_INIT(256), signature = BUF_INIT(256), form = BUF_INIT(FORM_BYTES_MAX);
    const struct s3_header h[] = {{SLICE_LIT("host"), SLICE_LIT("localhost")}};
    struct s3_target t;
    assert_int_equal(s3_target_parse(SLICE_LIT("/bucket"), &mem, &t), S3E_NONE);
    assert_int_equal(s3_canon_build(&canon, SLICE_LIT("POST"), &t, h, 1, slice_of(NULL, 0), SLICE_LIT("UNSIGNED-PAYLOAD"), false, NULL), S3E_NONE);
    if (f->policy) {
        buf_put_base64(&policy64, slice_str(f->policy));
        sign(f, &policy64, &credential, &signature);
    }
    put_fields(f, &policy64, &credential, &signature, &form);
    struct wire_ask m = {.auth = f->policy ? WIRE_AUTH_FORM : WIRE_AUTH_NONE, .front_id = 1, .body_size = WIRE_SIZE_UNKNOWN, .peer = SLICE_LIT("192.0.2.7"),
                         .canonical = buf_slice(&canon), .credential = buf_slice(&credential), .signature = buf_slice(&signature), .form = buf_slice(&form)};
    assert_int_equal(wire_put_ask(wire_conn_out(r->front), id, &m), ERR_OK);
    wire_conn_kick(r->front);
}

static struct wire_answer upload(struct rig *r, uint64_t id, const struct form *f)
{
    ask(r, id, f);
    if (rig_wait(r, id)->type != WIRE_TICKET) return rig_answer(r, id);
    rig_forget(r, id);
    rig_commit(r, id, "hello");
    return rig_answer(r, id);
}

static void is(struct wire_answer m, unsigned status, const char *code)
{
    if (m.status != status || !slice_is(m.code, code)) fail_msg("%u %.*s (%.*s), not %u %s", m.status, (int)m.code.n, m.code.p, (int)m.message.n, m.message.p, status, code);
}

/* LAW-1 */
static void a_signed_form_is_a_put_of_its_key(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    const struct form f = {.policy = POLICY(",{\"acl\":\"private\"},[\"starts-with\",\"$x-amz-meta-a\",\"\"],[\"starts-with\",\"$Content-Type\",\"\"]"),
                           .fields = {{"key", "f/${filename}"}, {"acl", "private"}, {"x-amz-meta-a", "b"}, {"Content-Type", "text/plain"}}};
    struct wire_answer m = upload(r, 1, &f);
    is(m, 204, "");
    assert_true(slice_is(rig_header(m.headers, "etag"), "\"5d41402abc4b2a76b9719d911017c592\""));
    struct rig_leaf l;
    rig_leaf(r, rig_receipt(m.receipt), &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_ACT), "PostObject"));
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_AUTH), "form"));
    struct record_obj obj;
    assert_int_equal(record_obj_get(record_opened_field(&l.opening, RECORD_F_OBJ)->value, &obj), ERR_OK);
    assert_true(slice_is(obj.key, "f/my file.txt"));
    rig_leaf_done(&l);
    rig_ask(r, 2, (struct rig_ask){.method = "HEAD", .path = "/bucket/f/my%20file.txt"});
    struct wire_release got = rig_release(r, 2);
    assert_true(slice_is(rig_header(got.headers, "x-amz-meta-a"), "b"));
    assert_true(slice_is(rig_header(got.headers, "content-type"), "text/plain"));
    rig_free(r);
}

static void a_form_is_answered_as_it_wishes(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct form f = {.policy = POLICY(",[\"starts-with\",\"$success_action_status\",\"\"],[\"starts-with\",\"$success_action_redirect\",\"\"]"),
                     .fields = {{"key", "foo"}, {"success_action_status", "201"}}};
    struct wire_answer m = upload(r, 1, &f);
    is(m, 201, "");
    assert_int_equal(m.body_kind, WIRE_BODY_RAW);
    f.fields[1][1] = "200";
    is(upload(r, 2, &f), 200, "");
    f.fields[1][1] = "404";
    is(upload(r, 3, &f), 204, "");
    f.fields[1][0] = "success_action_redirect";
    f.fields[1][1] = "http://localhost/done";
    m = upload(r, 4, &f);
    is(m, 303, "");
    assert_true(slice_is(rig_header(m.headers, "location"), "http://localhost/done?bucket=bucket&key=foo&etag=%225d41402abc4b2a76b9719d911017c592%22"));
    f.fields[1][1] = "javascript:alert(1)";        /* F09 */
    is(upload(r, 5, &f), 204, "");
    rig_free(r);
}

/* LAW-3 */
static void what_the_policy_does_not_say_is_refused(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    const struct { struct form f; unsigned status; const char *code; } rows[] = {
        {{.policy = POLICY(""), .fields = {{"key", "foo"}}}, 204, ""},
        {{.policy = POLICY(""), .fields = {{"key", "foo"}}, .wrong = true}, 403, "SignatureDoesNotMatch"},
        {{.policy = POLICY(""), .fields = {{"key", "bar"}}}, 403, "AccessDenied"},
        {{.policy = POLICY(""), .fields = {{"key", "foo"}, {"x-amz-meta-a", "b"}}}, 403, "AccessDenied"},
        {{.policy = "{\"expiration\":\"2001-01-01T00:00:00Z\",\"conditions\":[{\"bucket\":\"bucket\"},{\"key\":\"foo\"}]}", .fields = {{"key", "foo"}}}, 403, "AccessDenied"},
        {{.policy = "{\"expiration\":\"2099-01-01T00:00:00Z\"}", .fields = {{"key", "foo"}}}, 400, "InvalidPolicyDocument"},
        {{.policy = "no", .fields = {{"key", "foo"}}}, 400, "InvalidPolicyDocument"},
        {{.policy = POLICY(""), .fields = {{"x", "foo"}}}, 400, "InvalidArgument"},
        {{.policy = POLICY(",[\"content-length-range\",1,4]"), .fields = {{"key", "foo"}}}, 400, "EntityTooLarge"},
        {{.policy = POLICY(",[\"content-length-range\",6,9]"), .fields = {{"key", "foo"}}}, 400, "EntityTooSmall"},
        {{.policy = POLICY(",[\"content-length-range\",5,5]"), .fields = {{"key", "foo"}}}, 204, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct wire_answer m = upload(r, i + 1, &rows[i].f);
        if (m.status != rows[i].status || !slice_is(m.code, rows[i].code))
            fail_msg("row %zu: %u %.*s (%.*s)", i, m.status, (int)m.code.n, m.code.p, (int)m.message.n, m.message.p);
    }
    rig_free(r);
}

static void the_old_signature_is_the_test_profiles(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    const struct form f = {.policy = POLICY(""), .v2 = true, .fields = {{"key", "foo"}}};
    is(upload(r, 1, &f), 400, "InvalidRequest");
    r->g->conf.form_v2 = true;
    is(upload(r, 2, &f), 204, "");
    struct form wrong = f;
    wrong.wrong = true;
    is(upload(r, 3, &wrong), 403, "SignatureDoesNotMatch");
    rig_free(r);
}

static void a_form_without_a_policy_is_anonymous(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->anonymous = true;
    const struct form f = {.fields = {{"key", "foo"}}};
    is(upload(r, 1, &f), 403, "AccessDenied");
    rig_control(r, 2, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "policy=", .body =
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:PutObject\",\"Resource\":\"arn:aws:s3:::bucket/*\"}]}"});
    rig_status(r, 2, 204, "");
    struct wire_answer m = upload(r, 3, &f);
    is(m, 204, "");
    struct rig_leaf l;
    rig_leaf(r, rig_receipt(m.receipt), &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_AUTH), "anon"));
    rig_leaf_done(&l);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_form_is_a_put_of_its_key),
        cmocka_unit_test(a_form_is_answered_as_it_wishes),
        cmocka_unit_test(what_the_policy_does_not_say_is_refused),
        cmocka_unit_test(the_old_signature_is_the_test_profiles),
        cmocka_unit_test(a_form_without_a_policy_is_anonymous),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
