/* SPDX-License-Identifier: Apache-2.0
 * What a bucket's configuration is answered with, and what stands on which log then.
 * Role: tests of op_config.c, op_look.c, op_bucket.c. Trusts: gate_rig.c. Law: 1, 3, 4, 5. Spec: docs/spec/order.md, docs/spec/record.md
 */
#include <stdio.h>

#include "gate/gate_rig.h"

#define PUBLIC_POLICY "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::bucket/*\"}]}"

static uint64_t next_id;
static struct wire_answer get(struct rig *r, const char *path, const char *query)
{
    rig_ask(r, ++next_id, (struct rig_ask){.method = "GET", .path = path, .query = query});
    return rig_answer(r, next_id);
}

static struct wire_answer call(struct rig *r, const char *method, const char *path, const char *query)
{
    rig_ask(r, ++next_id, (struct rig_ask){.method = method, .path = path, .query = query});
    return rig_answer(r, next_id);
}

static struct wire_answer put(struct rig *r, const char *path, const char *query, const char *body)
{
    rig_control(r, ++next_id, (struct rig_ask){.method = "PUT", .path = path, .query = query, .body = body});
    return rig_answer(r, next_id);
}

static void is(struct wire_answer m, unsigned status, const char *code)
{
    if (m.status != status || !slice_is(m.code, code)) fail_msg("%u %.*s (%.*s), not %u %s", m.status, (int)m.code.n, m.code.p, (int)m.message.n, m.message.p, status, code);
}

static bool has(struct slice in, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= in.n; i++)
        if (memcmp(in.p + i, text, n) == 0) return true;
    return false;
}

static void says(struct wire_answer m, const char *text)
{
    is(m, 200, "");
    if (!has(m.body, text)) fail_msg("%.*s: no %s", (int)m.body.n, m.body.p, text);
}

/* The newest leaf of the control log. */
static void control_leaf(struct rig *r, struct rig_leaf *out)
{
    memset(out, 0, sizeof *out);
    buf_init(&out->bytes, LEAF_BYTES_MAX);
    buf_init(&out->opening_bytes, OPENING_BYTES_MAX);
    assert_int_equal(log_read(r->t->control, log_size(r->t->control) - 1, &out->bytes, &out->opening_bytes), ERR_OK);
    assert_int_equal(record_leaf_parse(buf_slice(&out->bytes), RECORD_LOG_CONTROL, &out->leaf), ERR_OK);
    assert_int_equal(record_opening_parse(buf_slice(&out->opening_bytes), &out->opening), ERR_OK);
    assert_int_equal(record_opening_check(&r->g->hash, &out->leaf, &out->opening), ERR_OK);
}

static void a_new_bucket_blocks_public_access_and_takes_no_acls(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    is(call(r, "PUT", "/fresh", NULL), 200, "");
    says(get(r, "/fresh", "ownershipControls="), "<ObjectOwnership>BucketOwnerEnforced</ObjectOwnership>");
    struct wire_answer m = get(r, "/fresh", "publicAccessBlock=");
    says(m, "<BlockPublicPolicy>true</BlockPublicPolicy>");
    says(m, "<RestrictPublicBuckets>true</RestrictPublicBuckets>");
    struct rig_leaf l;
    control_leaf(r, &l);
    assert_int_equal(l.leaf.kind, RECORD_K_BKT);
    assert_true(slice_is(record_opened_field(&l.opening, RECORD_F_DOC)->value, "BucketOwnerEnforced 1111"));
    rig_leaf_done(&l);
    is(call(r, "DELETE", "/fresh", "publicAccessBlock="), 204, "");
    is(get(r, "/fresh", "publicAccessBlock="), 404, "NoSuchPublicAccessBlockConfiguration");
    rig_free(r);
}

static void the_test_profile_makes_buckets_of_the_old_kind(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    snprintf(r->g->conf.object_ownership, sizeof r->g->conf.object_ownership, "ObjectWriter");
    r->g->conf.public_access_block = false;
    is(call(r, "PUT", "/fresh", NULL), 200, "");
    says(get(r, "/fresh", "ownershipControls="), "ObjectWriter");
    is(get(r, "/fresh", "publicAccessBlock="), 404, "NoSuchPublicAccessBlockConfiguration");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/other", .header = "x-amz-object-ownership", .value = "BucketOwnerPreferred"});
    rig_status(r, next_id, 200, "");
    says(get(r, "/other", "ownershipControls="), "BucketOwnerPreferred");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/third", .header = "x-amz-object-ownership", .value = "Mine"});
    rig_status(r, next_id, 400, "InvalidArgument");
    rig_free(r);
}

static void acls_of_new_buckets_are_private_or_refused(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/fresh", .header = "x-amz-acl", .value = "public-read"});
    rig_status(r, next_id, 400, "InvalidBucketAclWithObjectOwnership");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/fresh", .header = "x-amz-acl", .value = "private"});
    rig_status(r, next_id, 200, "");
    is(call(r, "PUT", "/fresh", NULL), 409, "BucketAlreadyOwnedByYou");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/fresh", .key = RIG_KEY_OTHER});
    rig_status(r, next_id, 409, "BucketAlreadyExists");
    rig_free(r);
}

static void a_bucket_made_again_is_there_in_s3s_first_region(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    snprintf(r->g->region, sizeof r->g->region, "us-east-1");
    r->g->conf.any_region = true;
    uint64_t control = log_size(r->t->control);
    is(call(r, "PUT", "/bucket", NULL), 200, "");
    assert_int_equal(log_size(r->t->control), control);
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/bucket", .key = RIG_KEY_OTHER});
    rig_status(r, next_id, 409, "BucketAlreadyExists");
    rig_free(r);
}

/* LAW-1, LAW-4 */
static void a_document_is_a_leaf_of_the_control_log_before_it_is_answered(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    uint64_t size = log_size(r->t->control);
    struct wire_answer m = put(r, "/bucket", "versioning=", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");
    is(m, 200, "");
    assert_int_equal(rig_receipt(m.receipt), size);
    assert_int_equal(log_durable(r->t->control), size + 1);
    struct rig_leaf l;
    control_leaf(r, &l);
    assert_int_equal(l.leaf.kind, RECORD_K_CFG);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_ACT), "PutBucketVersioning"));
    assert_int_equal(record_int(&l.leaf, RECORD_F_CTL, 0), size);
    assert_true(slice_is(record_opened_field(&l.opening, RECORD_F_DOC)->value, "Enabled"));
    rig_leaf_done(&l);
    says(get(r, "/bucket", "versioning="), "<Status>Enabled</Status>");
    is(put(r, "/bucket", "versioning=", "<VersioningConfiguration><Status>Foo</Status></VersioningConfiguration>"), 400, "MalformedXML");
    assert_int_equal(log_size(r->t->control), size + 1);
    rig_free(r);
}

static void what_is_absent_has_a_code_of_its_own(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    static const struct { const char *query, *code; } rows[] = {
        {"policy=", "NoSuchBucketPolicy"}, {"ownershipControls=", "OwnershipControlsNotFoundError"}, {"publicAccessBlock=", "NoSuchPublicAccessBlockConfiguration"},
        {"tagging=", "NoSuchTagSet"}, {"cors=", "NoSuchCORSConfiguration"}, {"lifecycle=", "NoSuchLifecycleConfiguration"},
        {"website=", "NoSuchWebsiteConfiguration"}, {"replication=", "ReplicationConfigurationNotFoundError"},
        {"object-lock=", "ObjectLockConfigurationNotFoundError"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) is(get(r, "/bucket", rows[i].query), 404, rows[i].code);
    static const char *const there[] = {"accelerate=", "requestPayment=", "logging=", "notification=", "encryption=", "versioning=", "location=", "acl=", "policyStatus="};
    uint64_t leaves = log_size(r->t->access);
    for (size_t i = 0; i < ARRAY_LEN(there); i++) is(get(r, "/bucket", there[i]), 200, "");
    assert_int_equal(log_size(r->t->access), leaves + ARRAY_LEN(there));         /* one leaf each */
    says(get(r, "/bucket", "encryption="), "AES256");
    says(get(r, "/bucket", "policyStatus="), "<IsPublic>false</IsPublic>");
    is(get(r, "/bucket", "inventory="), 501, "NotImplemented");
    rig_free(r);
}

static void ending_what_is_not_there_is_a_read(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    static const char *const queries[] = {"policy=", "ownershipControls=", "publicAccessBlock=", "tagging=", "cors=", "lifecycle="};
    uint64_t control = log_size(r->t->control), access = log_size(r->t->access);
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) is(call(r, "DELETE", "/bucket", queries[i]), 204, "");
    assert_int_equal(log_size(r->t->control), control);
    assert_int_equal(log_size(r->t->access), access + ARRAY_LEN(queries));
    rig_free(r);
}

static void a_policy_gives_everyone_something_unless_the_bucket_blocks_it(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->anonymous = true;
    rig_put(r, ++next_id, "/bucket/k", "hello");
    rig_status(r, next_id, 200, "");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "GET", .path = "/bucket/k", .anonymous = true});
    rig_status(r, next_id, 403, "AccessDenied");
    is(put(r, "/bucket", "policy=", PUBLIC_POLICY), 204, "");
    struct wire_answer m = get(r, "/bucket", "policy=");
    assert_true(slice_is(m.body, PUBLIC_POLICY));  /* byte for byte */
    says(get(r, "/bucket", "policyStatus="), "<IsPublic>true</IsPublic>");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "GET", .path = "/bucket/k", .anonymous = true});
    assert_int_equal(rig_release(r, next_id).len, 5);
    is(put(r, "/bucket", "publicAccessBlock=", "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets><BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>"), 200, "");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "GET", .path = "/bucket/k", .anonymous = true});
    rig_status(r, next_id, 403, "AccessDenied");
    is(put(r, "/bucket", "policy=", PUBLIC_POLICY), 403, "AccessDenied");        /* BlockPublicPolicy */
    is(call(r, "DELETE", "/bucket", "policy="), 204, "");
    is(get(r, "/bucket", "policy="), 404, "NoSuchBucketPolicy");
    rig_free(r);
}

static void what_is_no_policy_is_refused(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    static char large[S3_POLICY_BYTES_MAX + 2];
    memset(large, ' ', sizeof large - 1);
    uint64_t control = log_size(r->t->control);
    is(put(r, "/bucket", "policy=", "{"), 400, "MalformedPolicy");
    is(put(r, "/bucket", "policy=", "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"NotPrincipal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::bucket/*\"}]}"),
       400, "MalformedPolicy");
    is(put(r, "/bucket", "policy=", "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::else/*\"}]}"),
       400, "MalformedPolicy");
    is(put(r, "/bucket", "policy=", large), 400, "PolicyTooLarge");
    assert_int_equal(log_size(r->t->control), control);
    rig_free(r);
}

/* LAW-3 */
static void a_policy_wants_its_digest_under_the_signature(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "policy=", .body_size = strlen(PUBLIC_POLICY),
                                           .header = "content-md5", .value = "1B2M2Y8AsgTpgAmY7PhCfg=="});
    assert_int_equal(rig_wait(r, next_id)->type, WIRE_WANTBODY);
    rig_forget(r, next_id);
    struct wire_body m = {.last = 1, .data = slice_str(PUBLIC_POLICY)};
    assert_int_equal(wire_put_body(wire_conn_out(r->front), next_id, &m), ERR_OK);
    wire_conn_kick(r->front);
    rig_status(r, next_id, 400, "InvalidRequest");
    /* A digest that is signed and is another body's. */
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "policy=", .body = "{}"});
    assert_int_equal(rig_wait(r, next_id)->type, WIRE_WANTBODY);
    rig_forget(r, next_id);
    m.data = slice_str(PUBLIC_POLICY);
    assert_int_equal(wire_put_body(wire_conn_out(r->front), next_id, &m), ERR_OK);
    wire_conn_kick(r->front);
    rig_status(r, next_id, 400, "XAmzContentSHA256Mismatch");
    is(get(r, "/bucket", "policy="), 404, "NoSuchBucketPolicy");
    rig_free(r);
}

static void tags_of_a_bucket_are_read_by_s3_and_by_s3_control(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    const char *arn = "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Abucket";
    const struct rig_ask ask = {.method = "GET", .path = arn, .header = "x-amz-account-id", .value = RIG_ACCOUNT};
    rig_ask(r, ++next_id, ask);
    is(rig_answer(r, next_id), 200, "");
    is(put(r, "/bucket", "tagging=", "<Tagging><TagSet><Tag><Key>a b</Key><Value>1</Value></Tag></TagSet></Tagging>"), 200, "");
    says(get(r, "/bucket", "tagging="), "<Key>a b</Key><Value>1</Value>");
    rig_ask(r, ++next_id, ask);
    says(rig_answer(r, next_id), "<Key>a b</Key><Value>1</Value>");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "GET", .path = arn, .header = "x-amz-account-id", .value = RIG_ACCOUNT_OTHER});
    rig_status(r, next_id, 403, "AccessDenied");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "GET", .path = "/v20180820/jobs", .header = "x-amz-account-id", .value = RIG_ACCOUNT});
    rig_status(r, next_id, 501, "NotImplemented");
    rig_free(r);
}

static void acls_say_that_the_owner_may_all(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    AUTO(buf) struct buf owner = BUF_INIT(100);
    tenants_owner(r->t, SLICE_LIT(RIG_ACCOUNT), &owner, NULL);
    buf_put_u8(&owner, 0);
    says(get(r, "/bucket", "acl="), (char *)owner.p);
    rig_put(r, ++next_id, "/bucket/k", "hello");
    uint64_t written = rig_receipt(rig_answer(r, next_id).receipt);
    struct wire_answer m = get(r, "/bucket/k", "acl=");
    says(m, "FULL_CONTROL");
    struct rig_leaf l;
    rig_leaf(r, rig_receipt(m.receipt), &l);
    assert_int_equal(rig_leaf_ver(&l), written);
    rig_leaf_done(&l);
    is(get(r, "/bucket/none", "acl="), 404, "NoSuchKey");
    static const struct { const char *path, *acl; unsigned status; const char *code; } rows[] = {
        {"/bucket", "private", 200, ""}, {"/bucket", "public-read", 400, "AccessControlListNotSupported"}, {"/bucket", "mine", 400, "InvalidArgument"},
        {"/bucket/k", "private", 200, ""}, {"/bucket/k", "public-read", 400, "AccessControlListNotSupported"}, {"/bucket/none", "private", 404, "NoSuchKey"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = rows[i].path, .query = "acl=", .header = "x-amz-acl", .value = rows[i].acl});
        rig_status(r, next_id, rows[i].status, rows[i].code);
    }
    is(put(r, "/bucket", "publicAccessBlock=", "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>"), 200, "");
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "acl=", .header = "x-amz-acl", .value = "public-read"});
    rig_status(r, next_id, 403, "AccessDenied");
    rig_free(r);
}

/* LAW-5 */
static void an_account_lists_its_own_buckets(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    rig_ask(r, ++next_id, (struct rig_ask){.method = "PUT", .path = "/theirs", .key = RIG_KEY_OTHER});
    rig_status(r, next_id, 200, "");
    struct wire_answer m = get(r, "/", NULL);
    says(m, "<Name>bucket</Name>");
    assert_false(has(m.body, "theirs"));
    rig_ask(r, ++next_id, (struct rig_ask){.method = "GET", .path = "/", .key = RIG_KEY_OTHER});
    m = rig_answer(r, next_id);
    says(m, "<Name>theirs</Name>");
    assert_false(has(m.body, "<Name>bucket</Name>"));
    is(get(r, "/theirs", "policy="), 403, "AccessDenied");
    says(get(r, "/", "max-buckets=1"), "<BucketRegion>eu-north-1</BucketRegion>");
    is(get(r, "/", "max-buckets=0"), 400, "InvalidArgument");
    rig_free(r);
}

static void a_bucket_with_old_versions_stays(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    is(put(r, "/bucket", "versioning=", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"), 200, "");
    rig_put(r, ++next_id, "/bucket/k", "hello");
    rig_status(r, next_id, 200, "");
    is(call(r, "DELETE", "/bucket/k", NULL), 204, "");
    is(call(r, "DELETE", "/bucket", NULL), 409, "BucketNotEmpty");
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_bucket_blocks_public_access_and_takes_no_acls),
        cmocka_unit_test(the_test_profile_makes_buckets_of_the_old_kind),
        cmocka_unit_test(acls_of_new_buckets_are_private_or_refused),
        cmocka_unit_test(a_bucket_made_again_is_there_in_s3s_first_region),
        cmocka_unit_test(a_document_is_a_leaf_of_the_control_log_before_it_is_answered),
        cmocka_unit_test(what_is_absent_has_a_code_of_its_own),
        cmocka_unit_test(ending_what_is_not_there_is_a_read),
        cmocka_unit_test(a_policy_gives_everyone_something_unless_the_bucket_blocks_it),
        cmocka_unit_test(what_is_no_policy_is_refused),
        cmocka_unit_test(a_policy_wants_its_digest_under_the_signature),
        cmocka_unit_test(tags_of_a_bucket_are_read_by_s3_and_by_s3_control),
        cmocka_unit_test(acls_say_that_the_owner_may_all),
        cmocka_unit_test(an_account_lists_its_own_buckets),
        cmocka_unit_test(a_bucket_with_old_versions_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
