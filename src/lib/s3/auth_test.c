/* SPDX-License-Identifier: Apache-2.0
 * Every way a proof can be malformed, and the answer S3 clients expect. The names in the tables are the rows of the list of
 * malformed requests that Tillit answers to (A: headers, P: presigned).
 */
#include "s3/s3_test.h"

#define SIG64 "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
#define CRED "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
#define AUTH(cred, signed) "AWS4-HMAC-SHA256 Credential=" cred ", SignedHeaders=" signed ", Signature=" SIG64
#define SIGNED "host;x-amz-content-sha256;x-amz-date"
#define BASE "Host: h\nx-amz-content-sha256: UNSIGNED-PAYLOAD\nx-amz-date: 20130524T000000Z\n"

static struct s3_target t;
static struct buf mem = BUF_INIT(1 << 16);

static enum s3_error front(const char *target, const char *headers, struct s3_auth *a, struct s3_fault *f)
{
    struct s3_header h[S3_HEADERS_MAX];
    buf_reset(&mem);
    check_s3(s3_target_parse(slice_str(target), &mem, &t), S3E_NONE);
    *f = (struct s3_fault){0};
    enum s3_error e = s3_auth_front(&t, h, headers_of(slice_str(headers), h, S3_HEADERS_MAX), a, f);
    assert_true(e == S3E_NONE || f->code == e);
    return e;
}

static void header_proofs_are_refused_with_their_own_error(void **state)
{
    (void)state;
    static const struct {
        const char *row, *headers;
        enum s3_error want;
    } rows[] = {
        {"good", BASE "Authorization: " AUTH(CRED, SIGNED) "\n", S3E_NONE},
        {"no blank after comma", BASE "Authorization: AWS4-HMAC-SHA256 Credential=" CRED ",SignedHeaders=" SIGNED ",Signature=" SIG64 "\n", S3E_NONE},
        {"A01", BASE "Authorization: invalid_header\n", S3E_InvalidArgument},
        {"A02", BASE "Authorization: AWS2-HMAC-SHA1 Credential=" CRED ",SignedHeaders=host,Signature=x\n", S3E_InvalidArgument},
        {"A03", BASE "Authorization: AWS AKID:c2ln\n", S3E_InvalidRequest},
        {"SigV4A", BASE "Authorization: AWS4-ECDSA-P256-SHA256 Credential=" CRED ",SignedHeaders=host,Signature=x\n", S3E_InvalidArgument},
        {"A04", BASE "Authorization: AWS4-HMAC-SHA256 Credential=" CRED ", SignedHeaders=" SIGNED "\n", S3E_AuthorizationHeaderMalformed},
        {"A05", BASE "Authorization: AWS4-HMAC-SHA256 Credential=" CRED ", SignedHeaders, Signature=" SIG64 "\n", S3E_AuthorizationHeaderMalformed},
        {"repeated", BASE "Authorization: " AUTH(CRED, SIGNED) ", Credential=" CRED "\n", S3E_AuthorizationHeaderMalformed},
        {"A06", BASE "Authorization: " AUTH("AKID/20130524/us-east-1/s3", SIGNED) "\n", S3E_AuthorizationHeaderMalformed},
        {"A06 six", BASE "Authorization: " AUTH("AKID/20130524/us-east-1/s3/aws4_request/x", SIGNED) "\n", S3E_AuthorizationHeaderMalformed},
        {"A07", BASE "Authorization: " AUTH("AKID/20130524/us-east-1/s3/aws3_request", SIGNED) "\n", S3E_AuthorizationHeaderMalformed},
        {"A10", BASE "Authorization: " AUTH("AKID/3223423234/us-east-1/s3/aws4_request", SIGNED) "\n", S3E_AuthorizationHeaderMalformed},
        {"A10 no such day", BASE "Authorization: " AUTH("AKID/20130231/us-east-1/s3/aws4_request", SIGNED) "\n", S3E_AuthorizationHeaderMalformed},
        {"A11", BASE "Authorization: " AUTH("AKID/20130525/us-east-1/s3/aws4_request", SIGNED) "\n", S3E_AuthorizationHeaderMalformed},
        {"A17", "Host: h\nx-amz-content-sha256: UNSIGNED-PAYLOAD\nx-amz-date: 03032006\nAuthorization: " AUTH(CRED, SIGNED) "\n", S3E_AccessDenied},
        {"no date", "Host: h\nx-amz-content-sha256: UNSIGNED-PAYLOAD\nAuthorization: " AUTH(CRED, SIGNED) "\n", S3E_AccessDenied},
        {"A21", BASE "x-amz-tagging: a=b\nAuthorization: " AUTH(CRED, SIGNED) "\n", S3E_AccessDenied},
        {"host not signed", BASE "Authorization: " AUTH(CRED, "x-amz-content-sha256;x-amz-date") "\n", S3E_AccessDenied},
        {"date not signed", BASE "Authorization: " AUTH(CRED, "host;x-amz-content-sha256") "\n", S3E_AccessDenied},
        {"hash not signed", BASE "Authorization: " AUTH(CRED, "host;x-amz-date") "\n", S3E_AccessDenied},
        {"hash missing", "Host: h\nx-amz-date: 20130524T000000Z\nAuthorization: " AUTH(CRED, "host;x-amz-date") "\n", S3E_InvalidRequest},
        {"iam without hash", "Host: h\nx-amz-date: 20130524T000000Z\nAuthorization: " AUTH("AKID/20130524//iam/aws4_request", "host;x-amz-date") "\n", S3E_NONE},
        {"sts without hash", "Host: h\nx-amz-date: 20130524T000000Z\nAuthorization: " AUTH("AKID/20130524/us-east-1/sts/aws4_request", "host;x-amz-date") "\n", S3E_NONE},
        {"iam, hash not signed", BASE "Authorization: " AUTH("AKID/20130524/us-east-1/iam/aws4_request", "host;x-amz-date") "\n", S3E_AccessDenied},
        {"another service without hash", "Host: h\nx-amz-date: 20130524T000000Z\nAuthorization: " AUTH("AKID/20130524/us-east-1/iamx/aws4_request", "host;x-amz-date") "\n", S3E_InvalidRequest},
        {"Date instead of x-amz-date", "Host: h\nDate: Fri, 24 May 2013 00:00:00 GMT\nx-amz-content-sha256: UNSIGNED-PAYLOAD\nAuthorization: "
         AUTH(CRED, "date;host;x-amz-content-sha256") "\n", S3E_NONE},
        {"Date not signed", "Host: h\nDate: Fri, 24 May 2013 00:00:00 GMT\nx-amz-content-sha256: UNSIGNED-PAYLOAD\nAuthorization: "
         AUTH(CRED, "host;x-amz-content-sha256") "\n", S3E_AccessDenied},
        {"short signature", BASE "Authorization: AWS4-HMAC-SHA256 Credential=" CRED ", SignedHeaders=" SIGNED ", Signature=abcd\n", S3E_AuthorizationHeaderMalformed},
        {"list unsorted", BASE "Authorization: " AUTH(CRED, "x-amz-date;x-amz-content-sha256;host") "\n", S3E_AuthorizationHeaderMalformed},
        {"list upper case", BASE "Authorization: " AUTH(CRED, "Host;x-amz-content-sha256;x-amz-date") "\n", S3E_AuthorizationHeaderMalformed},
        {"two proofs", BASE "Authorization: " AUTH(CRED, SIGNED) "\nAuthorization: " AUTH(CRED, SIGNED) "\n", S3E_InvalidArgument},
        {"empty region", BASE "Authorization: " AUTH("AKID/20130524//iam/aws4_request", SIGNED) "\n", S3E_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_auth a;
        struct s3_fault f;
        print_message("%s\n", rows[i].row);
        check_s3(front("/b/k", rows[i].headers, &a, &f), rows[i].want);
        if (rows[i].want == S3E_NONE) assert_int_equal(a.kind, S3_AUTH_HEADER);
    }
}

static void an_unsigned_amz_header_is_named(void **state)
{
    (void)state;
    struct s3_auth a;
    struct s3_fault f;
    check_s3(front("/b/k", BASE "X-Amz-Copy-Source: /x/y\nAuthorization: " AUTH(CRED, SIGNED) "\n", &a, &f), S3E_AccessDenied);
    assert_int_equal(f.extra_count, 1);
    assert_string_equal(f.extra[0].name, "HeadersNotSigned");
    assert_string_equal(f.extra[0].value, "X-Amz-Copy-Source");
}

static void without_any_proof_the_request_is_anonymous(void **state)
{
    (void)state;
    struct s3_auth a;
    struct s3_fault f;
    check_s3(front("/b/k?x=1", "Host: h\n", &a, &f), S3E_NONE);
    assert_int_equal(a.kind, S3_AUTH_NONE);
}

#define QA "X-Amz-Algorithm=AWS4-HMAC-SHA256"
#define QC "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
#define QD "&X-Amz-Date=20130524T000000Z"
#define QE "&X-Amz-Expires=86400"
#define QH "&X-Amz-SignedHeaders=host"
#define QS "&X-Amz-Signature=" SIG64

static void query_proofs_are_refused_with_their_own_error(void **state)
{
    (void)state;
    static const struct {
        const char *row, *target;
        enum s3_error want;
    } rows[] = {
        {"good", "/b/k?" QA QC QD QE QH QS, S3E_NONE},
        {"P03", "/b/k?" QA QC QD "&X-Amz-Expires=abc" QH QS, S3E_AuthorizationQueryParametersError},
        {"negative", "/b/k?" QA QC QD "&X-Amz-Expires=-7" QH QS, S3E_AuthorizationQueryParametersError},
        {"a week", "/b/k?" QA QC QD "&X-Amz-Expires=604800" QH QS, S3E_NONE},
        {"over a week", "/b/k?" QA QC QD "&X-Amz-Expires=604801" QH QS, S3E_AuthorizationQueryParametersError},
        {"P05 algorithm", "/b/k?X-Amz-X=1" QC QD QE QH QS, S3E_AuthorizationQueryParametersError},
        {"P05 credential", "/b/k?" QA QD QE QH QS, S3E_AuthorizationQueryParametersError},
        {"P05 date", "/b/k?" QA QC QE QH QS, S3E_AuthorizationQueryParametersError},
        {"P05 expires", "/b/k?" QA QC QD QH QS, S3E_AuthorizationQueryParametersError},
        {"P05 headers", "/b/k?" QA QC QD QE QS, S3E_AuthorizationQueryParametersError},
        {"P05 signature", "/b/k?" QA QC QD QE QH, S3E_AuthorizationQueryParametersError},
        {"twice", "/b/k?" QA QC QD QD QE QH QS, S3E_AuthorizationQueryParametersError},
        {"P06", "/b/k?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256" QC QD QE QH QS, S3E_AuthorizationQueryParametersError},
        {"P07", "/b/k?" QA QC "&X-Amz-Date=2026-11-24" QE QH QS, S3E_AuthorizationQueryParametersError},
        {"other day", "/b/k?" QA QC "&X-Amz-Date=20130525T000000Z" QE QH QS, S3E_AuthorizationQueryParametersError},
        {"host not signed", "/b/k?" QA QC QD QE "&X-Amz-SignedHeaders=range" QS, S3E_AccessDenied},
        {"P11", "/b/k?AWSAccessKeyId=AKID&Signature=x&Expires=1", S3E_InvalidRequest},
    };
    struct s3_auth a;
    struct s3_fault f;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("%s\n", rows[i].row);
        check_s3(front(rows[i].target, "Host: h\n", &a, &f), rows[i].want);
    }
    check_s3(front("/b/k?" QA QC QD QE QH QS, BASE "Authorization: " AUTH(CRED, SIGNED) "\n", &a, &f), S3E_InvalidArgument);   /* A23 */
}

static void time_is_judged_at_its_bounds(void **state)
{
    (void)state;
    const uint64_t then = 1369353600000;
    struct s3_auth a = {.kind = S3_AUTH_HEADER, .time_ms = then};
    memcpy(a.amz_date, "20130524T000000Z", 17);
    struct s3_fault f = {0};
    check_s3(s3_auth_check_time(&a, then + S3_SKEW_MS, &f), S3E_NONE);
    check_s3(s3_auth_check_time(&a, then - S3_SKEW_MS, &f), S3E_NONE);
    check_s3(s3_auth_check_time(&a, then + S3_SKEW_MS + 1, &f), S3E_RequestTimeTooSkewed);      /* A13 */
    assert_string_equal(f.extra[0].name, "RequestTime");
    assert_string_equal(f.extra[1].value, "2013-05-24T00:15:00.001Z");
    assert_string_equal(f.extra[2].value, "900000");
    f = (struct s3_fault){0};
    check_s3(s3_auth_check_time(&a, then - S3_SKEW_MS - 1, &f), S3E_RequestTimeTooSkewed);      /* A12 */
    a.kind = S3_AUTH_QUERY;
    a.expires_s = 60;
    f = (struct s3_fault){0};
    check_s3(s3_auth_check_time(&a, then + 60000, &f), S3E_NONE);
    check_s3(s3_auth_check_time(&a, then + 60001, &f), S3E_AccessDenied);                       /* P09 */
    assert_string_equal(f.message, "Request has expired");
    assert_string_equal(f.extra[0].value, "60");
    check_s3(s3_auth_check_time(&a, then - S3_SKEW_MS - 1, &f), S3E_AccessDenied);              /* P08 */
    assert_string_equal(f.message, "Request is not valid yet");
    a.expires_s = 0;
    check_s3(s3_auth_check_time(&a, then, &f), S3E_AccessDenied);                               /* P04 */
}

static void another_region_is_answered_with_ours_and_another_service_is_refused(void **state)
{
    (void)state;
    struct s3_auth a = {.kind = S3_AUTH_HEADER, .region = SLICE_LIT("mars-1"), .service = SLICE_LIT("s3")};
    struct s3_fault f = {0};
    check_s3(s3_auth_check_scope(&a, SLICE_LIT("eu-north-1"), false, SLICE_LIT("s3"), &f), S3E_AuthorizationHeaderMalformed);   /* A09 */
    assert_string_equal(f.extra[0].name, "Region");
    assert_string_equal(f.extra[0].value, "eu-north-1");
    check_s3(s3_auth_check_scope(&a, SLICE_LIT("eu-north-1"), true, SLICE_LIT("s3"), &f), S3E_NONE);
    check_s3(s3_auth_check_scope(&a, SLICE_LIT("mars-1"), false, SLICE_LIT("ec2"), &f), S3E_AuthorizationHeaderMalformed);      /* A08 */
    a.kind = S3_AUTH_QUERY;
    check_s3(s3_auth_check_scope(&a, SLICE_LIT("eu-north-1"), false, SLICE_LIT("s3"), &f), S3E_AuthorizationQueryParametersError);
}

static void every_truncation_of_a_proof_is_refused(void **state)
{
    (void)state;
    static const char value[] = AUTH(CRED, SIGNED);
    for (size_t n = 0; n < sizeof value - 1; n++) {
        struct s3_header h[] = {{SLICE_LIT("host"), SLICE_LIT("h")}, {SLICE_LIT("x-amz-date"), SLICE_LIT("20130524T000000Z")},
                                {SLICE_LIT("x-amz-content-sha256"), SLICE_LIT("UNSIGNED-PAYLOAD")}, {SLICE_LIT("Authorization"), {0}}};
        struct s3_auth a;
        char *cut = malloc(n + 1);
        memcpy(cut, value, n);
        h[3].value = slice_of(cut, n);
        check_s3(s3_target_parse(SLICE_LIT("/b"), &mem, &t), S3E_NONE);
        assert_int_not_equal(s3_auth_front(&t, h, 4, &a, NULL), S3E_NONE);
        free(cut);
    }
}

static void payload_words_are_told_apart(void **state)
{
    (void)state;
    enum s3_payload p;
    check_s3(s3_payload_parse(SLICE_LIT(EMPTY_SHA256), &p), S3E_NONE);
    assert_int_equal(p, S3_PAYLOAD_SHA256);
    check_s3(s3_payload_parse(SLICE_LIT("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), &p), S3E_NONE);
    assert_int_equal(p, S3_PAYLOAD_STREAM_UNSIGNED_TRAILER);
    check_s3(s3_payload_parse(SLICE_LIT("invalid_sha256"), &p), S3E_InvalidArgument);           /* A18 */
    check_s3(s3_payload_parse(SLICE_LIT(""), &p), S3E_InvalidArgument);
    check_s3(s3_payload_parse(SLICE_LIT("E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), &p), S3E_InvalidArgument);
    check_s3(s3_payload_parse(SLICE_LIT("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"), &p), S3E_InvalidRequest);
}

static void the_last_line_of_the_canonical_request_is_chosen_by_how_one_signs(void **state)
{
    (void)state;
    static const struct {
        const char *row, *target, *headers, *signed_headers;
        enum s3_auth_kind kind;
        enum s3_error want;
        const char *hash;
    } rows[] = {
        {"header", "/", "x-amz-content-sha256: " EMPTY_SHA256 "\n", "host;x-amz-content-sha256", S3_AUTH_HEADER, S3E_NONE, EMPTY_SHA256},
        {"A18", "/", "x-amz-content-sha256: invalid_sha256\n", "host;x-amz-content-sha256", S3_AUTH_HEADER, S3E_InvalidArgument, ""},
        {"query", "/", "Host: h\n", "host", S3_AUTH_QUERY, S3E_NONE, "UNSIGNED-PAYLOAD"},
        {"query with parameter", "/?X-Amz-Content-Sha256=" EMPTY_SHA256, "Host: h\n", "host", S3_AUTH_QUERY, S3E_NONE, EMPTY_SHA256},
        {"query with header", "/", "x-amz-content-sha256: " EMPTY_SHA256 "\n", "host;x-amz-content-sha256", S3_AUTH_QUERY, S3E_NONE, EMPTY_SHA256},
        {"anonymous", "/", "Host: h\n", "", S3_AUTH_NONE, S3E_NONE, "UNSIGNED-PAYLOAD"},
        {"anonymous trailer", "/", "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\n", "", S3_AUTH_NONE, S3E_NONE, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
        {"C14", "/", "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n", "", S3_AUTH_NONE, S3E_InvalidRequest, ""},
        {"SigV4A", "/", "x-amz-content-sha256: STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD\n", "host;x-amz-content-sha256", S3_AUTH_HEADER, S3E_InvalidRequest, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_auth a = {.kind = rows[i].kind, .signed_headers = slice_str(rows[i].signed_headers)};
        struct s3_header h[4];
        struct slice hash;
        enum s3_payload payload;
        print_message("%s\n", rows[i].row);
        buf_reset(&mem);
        check_s3(s3_target_parse(slice_str(rows[i].target), &mem, &t), S3E_NONE);
        check_s3(s3_payload_hash(&a, &t, h, headers_of(slice_str(rows[i].headers), h, 4), &hash, &payload, NULL), rows[i].want);
        if (rows[i].want == S3E_NONE) check_text(hash, rows[i].hash);
    }
}

static void a_body_digest_said_twice_must_be_the_same(void **state)
{
    (void)state;
    static struct s3_request r;
    struct buf m = BUF_INIT(1 << 16);
    struct s3_auth a;
    static const char same[] = "GET\n/b\n\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:20130524T000000Z\n\n" SIGNED "\nUNSIGNED-PAYLOAD";
    static const char other[] = "GET\n/b\n\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:20130524T000000Z\n\n" SIGNED "\n" EMPTY_SHA256;
    check_err(s3_canon_parse(slice_str(same), &m, &r), ERR_OK);
    check_s3(s3_auth_gate(S3_AUTH_HEADER, SLICE_LIT(CRED), SLICE_LIT(SIG64), &r, &a, NULL), S3E_NONE);
    assert_int_equal(a.time_ms, 1369353600000);
    buf_reset(&m);
    check_err(s3_canon_parse(slice_str(other), &m, &r), ERR_OK);
    check_s3(s3_auth_gate(S3_AUTH_HEADER, SLICE_LIT(CRED), SLICE_LIT(SIG64), &r, &a, NULL), S3E_SignatureDoesNotMatch);
    buf_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_proofs_are_refused_with_their_own_error),
        cmocka_unit_test(an_unsigned_amz_header_is_named),
        cmocka_unit_test(without_any_proof_the_request_is_anonymous),
        cmocka_unit_test(query_proofs_are_refused_with_their_own_error),
        cmocka_unit_test(time_is_judged_at_its_bounds),
        cmocka_unit_test(another_region_is_answered_with_ours_and_another_service_is_refused),
        cmocka_unit_test(every_truncation_of_a_proof_is_refused),
        cmocka_unit_test(payload_words_are_told_apart),
        cmocka_unit_test(the_last_line_of_the_canonical_request_is_chosen_by_how_one_signs),
        cmocka_unit_test(a_body_digest_said_twice_must_be_the_same),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_done(&mem);
    return failed;
}
