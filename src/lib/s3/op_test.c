/* SPDX-License-Identifier: Apache-2.0
 * Which operation a request is, and the parameters of listings.
 */
#include "s3/s3_test.h"

static struct s3_target t;
static struct buf mem = BUF_INIT(1 << 16);

static enum s3_error resolve(const char *method, const char *target, const char *headers, enum s3_op *op)
{
    struct s3_header h[16];
    struct s3_name name;
    buf_reset(&mem);
    check_s3(s3_target_parse(slice_str(target), &mem, &t), S3E_NONE);
    check_s3(s3_split(t.path, SLICE_LIT("h"), NULL, 0, &name), S3E_NONE);
    return s3_op_resolve(slice_str(method), &name, t.params, t.param_count, h, headers_of(slice_str(headers), h, 16), op, NULL);
}

static void requests_resolve_to_their_operation(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target, *headers, *name, *action;
        enum s3_error answer;
    } rows[] = {
        {"GET", "/", "", "ListBuckets", "s3:ListAllMyBuckets", S3E_NONE},
        {"GET", "/?x-id=ListBuckets", "", "ListBuckets", "s3:ListAllMyBuckets", S3E_NONE},
        {"PUT", "/b", "", "CreateBucket", "s3:CreateBucket", S3E_NONE},
        {"PUT", "/b/", "", "CreateBucket", "s3:CreateBucket", S3E_NONE},
        {"DELETE", "/b", "", "DeleteBucket", "s3:DeleteBucket", S3E_NONE},
        {"HEAD", "/b", "", "HeadBucket", "s3:ListBucket", S3E_NONE},
        {"GET", "/b", "", "ListObjects", "s3:ListBucket", S3E_NONE},
        {"GET", "/b?prefix=x&max-keys=2", "", "ListObjects", "s3:ListBucket", S3E_NONE},
        {"GET", "/b?list-type=2&prefix=x", "", "ListObjectsV2", "s3:ListBucket", S3E_NONE},
        {"GET", "/b?foobar", "", "ListObjects", "s3:ListBucket", S3E_NONE},                            /* B25 */
        {"GET", "/b?location", "", "GetBucketLocation", "s3:GetBucketLocation", S3E_NONE},
        {"GET", "/b?versioning", "", "GetBucketVersioning", "s3:GetBucketVersioning", S3E_NONE},
        {"POST", "/b/?delete=", "", "DeleteObjects", "s3:DeleteObject", S3E_NONE},
        {"GET", "/b?tagging", "", "GetBucketTagging", "s3:GetBucketTagging", S3E_NONE},
        {"GET", "/b?policy", "", "GetBucketPolicy", "s3:GetBucketPolicy", S3E_NONE},
        {"GET", "/b?cors", "", "GetBucketCors", "s3:GetBucketCORS", S3E_NONE},
        {"GET", "/b?lifecycle", "", "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", S3E_NONE},
        {"GET", "/b?website", "", "GetBucketWebsite", "s3:GetBucketWebsite", S3E_NoSuchWebsiteConfiguration},
        {"GET", "/b?replication", "", "GetBucketReplication", "s3:GetReplicationConfiguration", S3E_ReplicationConfigurationNotFoundError},
        {"GET", "/b?object-lock", "", "GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", S3E_ObjectLockConfigurationNotFoundError},
        {"GET", "/b?publicAccessBlock", "", "GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", S3E_NONE},
        {"GET", "/b?ownershipControls", "", "GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", S3E_NONE},
        {"PUT", "/b?versioning", "", "PutBucketVersioning", "s3:PutBucketVersioning", S3E_NONE},
        {"GET", "/b?versions", "", "ListObjectVersions", "s3:ListBucketVersions", S3E_NONE},
        {"GET", "/b?uploads", "", "ListMultipartUploads", "s3:ListBucketMultipartUploads", S3E_NONE},
        {"GET", "/b?session", "", "CreateSession", "s3express:CreateSession", S3E_NotImplemented},
        {"POST", "/b", "", "PostObject", "s3:PutObject", S3E_NONE},
        {"PUT", "/b/k?x-id=PutObject", "", "PutObject", "s3:PutObject", S3E_NONE},
        {"GET", "/b/k", "", "GetObject", "s3:GetObject", S3E_NONE},
        {"HEAD", "/b/k", "", "HeadObject", "s3:GetObject", S3E_NONE},
        {"DELETE", "/b/k", "", "DeleteObject", "s3:DeleteObject", S3E_NONE},
        {"GET", "/b/k?versionId=null", "", "GetObjectVersion", "s3:GetObjectVersion", S3E_NONE},
        {"GET", "/b/k?versionId=abc", "", "GetObjectVersion", "s3:GetObjectVersion", S3E_NONE},
        {"GET", "/b/k?tagging&versionId=abc", "", "GetObjectTagging", "s3:GetObjectTagging", S3E_NONE},
        {"PUT", "/b/k", "X-Amz-Copy-Source: /b/x\n", "CopyObject", "s3:PutObject", S3E_NONE},
        {"PUT", "/b/k?partNumber=1&uploadId=u", "", "UploadPart", "s3:PutObject", S3E_NONE},
        {"PUT", "/b/k?partNumber=1&uploadId=u", "x-amz-copy-source: /b/x\n", "UploadPartCopy", "s3:PutObject", S3E_NONE},
        {"POST", "/", "", "IamOrSts", "", S3E_NONE},
        {"OPTIONS", "/b", "", "BucketPreflight", "", S3E_NONE},
        {"OPTIONS", "/b/k", "", "ObjectPreflight", "", S3E_NONE},
        {"OPTIONS", "/b/k?uploads", "", "ObjectPreflight", "", S3E_NONE},
        {"OPTIONS", "/b?delete&X-Amz-Signature=x", "", "BucketPreflight", "", S3E_NONE},
        {"DELETE", "/b/k?versionId=null", "", "DeleteObjectVersion", "s3:DeleteObjectVersion", S3E_NONE},
        {"PUT", "/b/k?tagging&versionId=x", "", "PutObjectTagging", "s3:PutObjectTagging", S3E_NONE},
        {"DELETE", "/b/k?tagging&versionId=x", "", "DeleteObjectTagging", "s3:DeleteObjectTagging", S3E_NONE},
        {"GET", "/b/k?attributes&versionId=x", "", "GetObjectAttributes", "s3:GetObjectAttributes", S3E_NONE},
        {"GET", "/b/k?partNumber=1&versionId=x", "", "GetObjectVersion", "s3:GetObjectVersion", S3E_NONE},
        {"POST", "/b/k?uploads", "", "CreateMultipartUpload", "s3:PutObject", S3E_NONE},
        {"POST", "/b/k?uploadId=u", "", "CompleteMultipartUpload", "s3:PutObject", S3E_NONE},
        {"DELETE", "/b/k?uploadId=u", "", "AbortMultipartUpload", "s3:AbortMultipartUpload", S3E_NONE},
        {"GET", "/b/k?uploadId=u", "", "ListParts", "s3:ListMultipartUploadParts", S3E_NONE},
        {"PUT", "/b/k?acl", "", "PutObjectAcl", "s3:PutObjectAcl", S3E_NONE},
        {"POST", "/b/k?select&select-type=2", "", "SelectObjectContent", "s3:GetObject", S3E_NotImplemented},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum s3_op op;
        print_message("%s %s\n", rows[i].method, rows[i].target);
        check_s3(resolve(rows[i].method, rows[i].target, rows[i].headers, &op), S3E_NONE);
        assert_string_equal(s3_op_row(op)->name, rows[i].name);
        assert_string_equal(s3_op_row(op)->action, rows[i].action);
        check_s3(s3_op_row(op)->answer, rows[i].answer);
    }
}

static void a_sub_resource_with_a_foreign_method_never_becomes_the_plain_operation(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target;
        enum s3_error want;
    } rows[] = {
        {"DELETE", "/b?location", S3E_MethodNotAllowed}, {"DELETE", "/b?acl", S3E_MethodNotAllowed},   {"DELETE", "/b?versioning", S3E_MethodNotAllowed},
        {"DELETE", "/b?uploads", S3E_MethodNotAllowed},  {"PUT", "/b/k?uploads", S3E_MethodNotAllowed}, {"DELETE", "/b/k?acl", S3E_MethodNotAllowed},
        {"PUT", "/b/k?attributes", S3E_MethodNotAllowed}, {"POST", "/b/k", S3E_MethodNotAllowed},       {"PUT", "/", S3E_MethodNotAllowed},
        {"OPTIONS", "/", S3E_MethodNotAllowed},           {"GET", "/b/k?uploads", S3E_InvalidRequest},  {"GET", "/b/k?versions", S3E_InvalidRequest},
        {"PUT", "/b/k?partNumber=1", S3E_InvalidArgument}, {"PUT", "/b/k?versionId=x", S3E_InvalidArgument},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum s3_op op;
        print_message("%s %s\n", rows[i].method, rows[i].target);
        check_s3(resolve(rows[i].method, rows[i].target, "", &op), rows[i].want);
        assert_int_equal(op, S3_OP_NONE);
    }
}

/* Queries of S3's sub-resources, from its API model: each has a row, or a request for it would become one for the whole bucket or object. */
static void every_sub_resource_of_s3_has_a_row(void **state)
{
    (void)state;
    static const char *const bucket[] = {"abac", "accelerate", "acl", "analytics", "cors", "delete", "encryption", "intelligent-tiering", "inventory", "lifecycle",
        "location", "logging", "metadataAnnotationTable", "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics",
        "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment", "session", "tagging",
        "uploads", "versioning", "versions", "website"};
    static const char *const object[] = {"acl", "annotation", "attributes", "encryption", "legal-hold", "renameObject", "restore", "retention", "select", "tagging",
        "torrent", "uploads"};
    static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "DELETE"};
    for (size_t k = 0; k < ARRAY_LEN(bucket) + ARRAY_LEN(object); k++) {
        bool b = k < ARRAY_LEN(bucket);
        bool any = false;
        for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
            char target[100];
            enum s3_op op;
            snprintf(target, sizeof target, b ? "/b?%s" : "/b/k?%s", b ? bucket[k] : object[k - ARRAY_LEN(bucket)]);
            enum s3_error e = resolve(methods[m], target, "", &op);
            if (e != S3E_NONE) continue;
            any = true;
            static const enum s3_op plain[] = {S3_OP_ListObjects, S3_OP_HeadBucket, S3_OP_CreateBucket, S3_OP_DeleteBucket, S3_OP_PostObject,
                                               S3_OP_GetObject, S3_OP_HeadObject, S3_OP_PutObject, S3_OP_DeleteObject};
            for (size_t i = 0; i < ARRAY_LEN(plain); i++)
                if (op == plain[i]) fail_msg("%s %s became %s", methods[m], target, s3_op_row(op)->name);
        }
        if (!any) fail_msg("no row for %s", b ? bucket[k] : object[k - ARRAY_LEN(bucket)]);
    }
}

static void s3_control_is_told_by_path_and_header(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *headers;
        enum s3_control want;
    } rows[] = {
        {"GET", "/v20180820/tags/arn:aws:s3:::my-bucket", "x-amz-account-id: 123456789012\n", S3_CONTROL_TAGS},
        {"GET", "/v20180820/tags/arn:aws:s3:::my-bucket", "", S3_CONTROL_NO},
        {"GET", "/v20180821/tags/arn:aws:s3:::my-bucket", "x-amz-account-id: 1\n", S3_CONTROL_NO},
        {"POST", "/v20180820/tags/arn:aws:s3:::my-bucket", "x-amz-account-id: 1\n", S3_CONTROL_OTHER},
        {"GET", "/v20180820/tags/arn:aws:s3:::my-bucket/key", "x-amz-account-id: 1\n", S3_CONTROL_OTHER},
        {"GET", "/v20180820/tags/arn:aws:s3:::", "x-amz-account-id: 1\n", S3_CONTROL_OTHER},
        {"GET", "/v20180820/tags/", "x-amz-account-id: 1\n", S3_CONTROL_OTHER},
        {"GET", "/v20180820/configuration/publicAccessBlock", "X-Amz-Account-Id: 1\n", S3_CONTROL_OTHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_header h[4];
        struct slice bucket;
        size_t n = headers_of(slice_str(rows[i].headers), h, 4);
        assert_int_equal(s3_control_of(slice_str(rows[i].method), slice_str(rows[i].path), h, n, &bucket), rows[i].want);
        if (rows[i].want == S3_CONTROL_TAGS) check_text(bucket, "my-bucket");
        else assert_null(bucket.p);
    }
}

static void every_row_of_the_table_can_be_reached(void **state)
{
    (void)state;
    static const struct {
        const char *level, *method, *sub, *name;
    } rows[] = {
#define S3_OP(level, method, sub, name, action, kind, answer) {#level, method, sub, #name},
#include "s3/s3_op.def"
#undef S3_OP
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char target[200], headers[100] = "", sub[100];
        enum s3_op op;
        snprintf(sub, sizeof sub, "%s", rows[i].sub);
        char *h = strstr(sub, "h:");
        if (h) {
            snprintf(headers, sizeof headers, "%s: x\n", h + 2);
            *(h > sub ? h - 1 : h) = 0;
        }
        snprintf(target, sizeof target, "%s%s%s", rows[i].level[0] == 'S' ? "/" : rows[i].level[0] == 'B' ? "/b" : "/b/k", sub[0] ? "?" : "", sub);
        check_s3(resolve(rows[i].method, target, headers, &op), S3E_NONE);
        assert_string_equal(s3_op_row(op)->name, rows[i].name);
    }
}

static enum s3_error list_args(const char *query, struct s3_list_args *a)
{
    buf_reset(&mem);
    check_s3(s3_target_parse(slice_str(query), &mem, &t), S3E_NONE);
    return s3_list_args(t.params, t.param_count, a, NULL);
}

static void listing_parameters_are_read_and_judged(void **state)
{
    (void)state;
    struct s3_list_args a;
    check_s3(list_args("/b?list-type=2&prefix=p%2F&delimiter=%2F&max-keys=5&start-after=s&encoding-type=url&fetch-owner=true", &a), S3E_NONE);
    assert_true(a.v2 && a.url && a.fetch_owner && a.has_start_after && !a.has_token);
    check_text(a.prefix, "p/");
    assert_int_equal(a.max_keys, 5);
    check_s3(list_args("/b?marker=m", &a), S3E_NONE);
    assert_true(!a.v2 && a.fetch_owner);
    assert_int_equal(a.max_keys, 1000);
    check_s3(list_args("/b?max-keys=0", &a), S3E_NONE);
    assert_int_equal(a.max_keys, 0);
    check_s3(list_args("/b?max-keys=1001", &a), S3E_NONE);
    assert_int_equal(a.max_keys, 1000);
    check_s3(list_args("/b?max-keys=", &a), S3E_NONE);
    check_s3(list_args("/b?list-type=2&continuation-token=", &a), S3E_NONE);                           /* B09 */
    assert_true(a.has_token && a.token.n == 0);
    check_s3(list_args("/b?list-type=2&max-keys=blah", &a), S3E_InvalidArgument);                      /* B07 */
    check_s3(list_args("/b?list-type=2&max-keys=-1", &a), S3E_InvalidArgument);                        /* B08 */
    check_s3(list_args("/b?max-keys=2147483648", &a), S3E_InvalidArgument);
    check_s3(list_args("/b?list-type=3", &a), S3E_InvalidArgument);
    check_s3(list_args("/b?encoding-type=base64", &a), S3E_InvalidArgument);
    struct s3_buckets_args b;
    static const struct {
        const char *q;
        enum s3_error want;
    } rows[] = {{"/?max-buckets=0", S3E_InvalidArgument}, {"/?max-buckets=10001", S3E_InvalidArgument}, {"/?max-buckets=10000", S3E_NONE}, {"/", S3E_NONE}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {                                                     /* B11 */
        buf_reset(&mem);
        check_s3(s3_target_parse(slice_str(rows[i].q), &mem, &t), S3E_NONE);
        check_s3(s3_buckets_args(t.params, t.param_count, &b, NULL), rows[i].want);
    }
    assert_false(b.paged);
}

static void overrides_tokens_and_user_metadata_have_bounds(void **state)
{
    (void)state;
    struct s3_override o[S3_OVERRIDES];
    size_t n;
    buf_reset(&mem);
    check_s3(s3_target_parse(SLICE_LIT("/b/k?response-content-type=text%2Fplain&response-expires=x"), &mem, &t), S3E_NONE);
    check_s3(s3_overrides(t.params, t.param_count, o, &n), S3E_NONE);
    assert_int_equal(n, 2);
    assert_string_equal(o[0].header, "Content-Type");
    check_text(o[0].value, "text/plain");
    buf_reset(&mem);
    check_s3(s3_target_parse(SLICE_LIT("/b/k?response-content-type=a%0D%0ASet-Cookie:b"), &mem, &t), S3E_NONE);
    check_s3(s3_overrides(t.params, t.param_count, o, &n), S3E_InvalidArgument);

    static char value[S3_USER_META_BYTES_MAX];
    memset(value, 'v', sizeof value);
    struct s3_header h = {SLICE_LIT("X-Amz-Meta-ab"), slice_of(value, sizeof value - 2)};
    check_s3(s3_meta_check(&h, 1, NULL), S3E_NONE);
    h.value.n++;
    check_s3(s3_meta_check(&h, 1, NULL), S3E_MetadataTooLarge);                                        /* H05 */

    struct buf out = BUF_INIT(4096);
    check_s3(s3_token_decode(SLICE_LIT("YWJj"), &out), S3E_NONE);
    check_text(buf_slice(&out), "abc");
    check_s3(s3_token_decode(SLICE_LIT("not a token"), &out), S3E_InvalidArgument);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_resolve_to_their_operation),
        cmocka_unit_test(a_sub_resource_with_a_foreign_method_never_becomes_the_plain_operation),
        cmocka_unit_test(every_sub_resource_of_s3_has_a_row),
        cmocka_unit_test(s3_control_is_told_by_path_and_header),
        cmocka_unit_test(every_row_of_the_table_can_be_reached),
        cmocka_unit_test(listing_parameters_are_read_and_judged),
        cmocka_unit_test(overrides_tokens_and_user_metadata_have_bounds),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_done(&mem);
    return failed;
}
