/* SPDX-License-Identifier: Apache-2.0
 * Reads how a request proves who sent it: the Authorization header, the X-Amz-* query, or neither.
 * Role: the front reads what came; the gate reads what is under the signature, with the same code.
 * Trusts: nothing. Distrusts: every field; a proof that could be read two ways is refused.
 * Law: 3 (what matters must be signed), 5 (the credential decides the tenant).
 * Spec: AWS "Authenticating Requests (AWS Signature Version 4)", header and query forms; error codes as AWS answers.
 */
#include "s3/s3_inner.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

static enum s3_error malformed(const struct s3_auth *a, struct s3_fault *f, const char *why)
{
    bool query = a->kind == S3_AUTH_QUERY;
    return s3_fault_set(f, query ? S3E_AuthorizationQueryParametersError : S3E_AuthorizationHeaderMalformed, why);
}

/* AKID/date/region/service/aws4_request (A06, A07, A10). The region may be empty: the caller judges it. */
static enum s3_error read_credential(struct s3_auth *a, struct slice credential, struct s3_fault *f)
{
    struct slice rest, part[5];
    uint64_t day;
    char midnight[17];
    if (credential.n > S3_CREDENTIAL_CHARS_MAX) return malformed(a, f, "The credential is too long");
    for (size_t i = 0; i < credential.n; i++)
        if (credential.p[i] <= 0x20 || credential.p[i] >= 0x7f) return malformed(a, f, "The credential is malformed");
    a->credential = rest = credential;
    for (size_t i = 0; i < 5; i++) {
        if (!rest.p) return malformed(a, f, "The credential must be <access key>/<date>/<region>/<service>/aws4_request");
        rest = slice_cut(rest, '/', &part[i]);
        if (i == 0) a->scope = rest;
    }
    if (rest.p) return malformed(a, f, "The credential must be <access key>/<date>/<region>/<service>/aws4_request");
    if (!slice_is(part[4], "aws4_request")) return malformed(a, f, "The credential must end in aws4_request");
    if (part[0].n == 0) return malformed(a, f, "The credential names no access key");
    if (part[1].n != 8) return malformed(a, f, "The date of the credential must be YYYYMMDD");
    memcpy(midnight, part[1].p, 8);
    memcpy(midnight + 8, "T000000Z", 8);
    if (time_parse_amz(slice_of(midnight, 16), &day) != ERR_OK)
        return malformed(a, f, "The date of the credential must be YYYYMMDD");
    a->access_key = part[0];
    a->date = part[1];
    a->region = part[2];
    a->service = part[3];
    return S3E_NONE;
}

static enum s3_error read_signature(struct s3_auth *a, struct slice text, struct s3_fault *f)
{
    a->signature = text;
    if (hex_fixed(text, a->sig, HASH_BYTES) != ERR_OK) return malformed(a, f, "The signature must be 64 hex digits");
    return S3E_NONE;
}

static enum s3_error read_authorization(struct s3_auth *a, struct slice value, struct s3_fault *f)
{
    struct slice scheme, rest = slice_cut(slice_trim(value), ' ', &scheme), part, name;
    struct slice credential = {0}, headers = {0}, signature = {0};
    if (!rest.p) return s3_fault_set(f, S3E_InvalidArgument, "Authorization header is not valid: one space is needed");
    if (slice_is(scheme, "AWS"))
        return s3_fault_set(f, S3E_InvalidRequest, "Signature version 2 is not supported; use " ALGORITHM);
    if (!slice_is(scheme, ALGORITHM)) return s3_fault_set(f, S3E_InvalidArgument, "Unsupported authorization type");
    while (rest.p) {
        rest = slice_cut(rest, ',', &part);
        struct slice text = slice_cut(slice_trim(part), '=', &name), *to;
        if (!text.p) return malformed(a, f, "A component of the authorization header has no '='");
        to = slice_is(name, "Credential") ? &credential : slice_is(name, "SignedHeaders") ? &headers
             : slice_is(name, "Signature") ? &signature : NULL;
        if (!to || to->p) return malformed(a, f, "A component of the authorization header is unknown or repeated");
        *to = text;
    }
    if (!credential.p || !headers.p || !signature.p)
        return malformed(a, f, "The authorization header needs Credential, SignedHeaders and Signature");
    if (!s3_signed_list_ok(headers)) return malformed(a, f, "SignedHeaders must be lower case, sorted and without repeats");
    a->signed_headers = headers;
    enum s3_error e = read_credential(a, credential, f);
    return e != S3E_NONE ? e : read_signature(a, signature, f);
}

/* The value of a query parameter that must stand there exactly once. */
static enum s3_error take_param(const struct s3_param *p, size_t n, const char *name, struct slice *out, struct s3_fault *f)
{
    size_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (!slice_is(p[i].name, name)) continue;
        *out = p[i].value;
        seen++;
    }
    if (seen == 1) return S3E_NONE;
    return s3_fault_set(f, S3E_AuthorizationQueryParametersError,
                        "Query-string authentication requires X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
                        "X-Amz-SignedHeaders and X-Amz-Expires, each once");
}

/* All but the signature: P03, P05-P07. Expires 0 and expiry are s3_auth_check_time's. */
static enum s3_error read_query_form(struct s3_auth *a, const struct s3_param *p, size_t n, struct s3_fault *f)
{
    static const char *const names[] = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
                                        "X-Amz-SignedHeaders"};
    struct slice v[ARRAY_LEN(names)] = {0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        enum s3_error e = take_param(p, n, names[i], &v[i], f);
        if (e != S3E_NONE) return e;
    }
    if (!slice_is(v[0], ALGORITHM)) return malformed(a, f, "X-Amz-Algorithm only supports " ALGORITHM);
    enum s3_error e = read_credential(a, v[1], f);
    if (e != S3E_NONE) return e;
    if (time_parse_amz(v[2], &a->time_ms) != ERR_OK) return malformed(a, f, "X-Amz-Date must be yyyyMMddTHHmmssZ");
    memcpy(a->amz_date, v[2].p, 16);
    if (slice_u64(v[3], UINT32_MAX, &a->expires_s) != ERR_OK) return malformed(a, f, "X-Amz-Expires should be a number");
    if (a->expires_s > S3_PRESIGN_SECONDS_MAX) return malformed(a, f, "X-Amz-Expires must be less than a week (604800 seconds)");
    if (!s3_signed_list_ok(v[4])) return malformed(a, f, "X-Amz-SignedHeaders must be lower case, sorted and without repeats");
    a->signed_headers = v[4];
    const struct s3_param *token = s3_param_find(p, n, "X-Amz-Security-Token");
    if (token) a->token = token->value;
    return S3E_NONE;
}

/* x-amz-date, else Date (A17), into amz_date. *name: which one it was. */
static enum s3_error read_date(struct s3_auth *a, const struct s3_header *h, size_t n, const char **name, struct s3_fault *f)
{
    struct slice v = s3_header_value(h, n, "x-amz-date");
    *name = "x-amz-date";
    if (!v.p) {
        v = s3_header_value(h, n, "date");
        *name = "date";
    }
    if (time_parse_amz(v, &a->time_ms) == ERR_OK) {
        memcpy(a->amz_date, v.p, 16);
        return S3E_NONE;
    }
    if (time_parse_http(v, &a->time_ms) != ERR_OK)
        return s3_fault_set(f, S3E_AccessDenied, "AWS authentication requires a valid Date or x-amz-date header");
    char text[TIME_TEXT_MAX];
    time_amz(a->time_ms, text);
    memcpy(a->amz_date, text, 16);
    return S3E_NONE;
}

static enum s3_error not_signed(struct s3_fault *f, struct slice name)
{
    s3_fault_add(f, "HeadersNotSigned", name);
    return s3_fault_set(f, S3E_AccessDenied, "There were headers present in the request which were not signed");
}

/* LAW-3: what decides must be under the signature (A21). */
static enum s3_error check_covered(const struct s3_auth *a, const struct s3_header *h, size_t n, const char *date_name,
                                   struct s3_fault *f)
{
    /* IAM and STS sign the body's digest without stating it: the front computes it, and the gate compares it with the body. */
    bool stated = a->kind == S3_AUTH_HEADER && !slice_is(a->service, "iam") && !slice_is(a->service, "sts");
    const char *must[] = {"host", a->kind == S3_AUTH_HEADER ? date_name : "host", stated ? "x-amz-content-sha256" : "host"};
    if (stated && !s3_header_find(h, n, "x-amz-content-sha256"))
        return s3_fault_set(f, S3E_InvalidRequest, "Missing required header for this request: x-amz-content-sha256");
    for (size_t i = 0; i < ARRAY_LEN(must); i++)
        if (!s3_is_signed(a->signed_headers, slice_str(must[i]))) return not_signed(f, slice_str(must[i]));
    for (size_t i = 0; i < n; i++)
        if (s3_unsigned_class(h[i].name) == S3_UNSIGNED_REFUSED && !s3_is_signed(a->signed_headers, h[i].name))
            return not_signed(f, h[i].name);
    return S3E_NONE;
}

/* What header and query form, front and gate have in common. */
static enum s3_error finish(struct s3_auth *a, const struct s3_header *h, size_t n, struct s3_fault *f)
{
    const char *date_name = "x-amz-date";
    if (a->kind == S3_AUTH_HEADER) {
        enum s3_error e = read_date(a, h, n, &date_name, f);
        if (e != S3E_NONE) return e;
        struct slice token = s3_header_value(h, n, "x-amz-security-token");
        if (token.p) a->token = token;
    }
    if (memcmp(a->amz_date, a->date.p, 8) != 0)
        return malformed(a, f, "The date of the credential is not the day of the request's date");
    return check_covered(a, h, n, date_name, f);
}

enum s3_error s3_auth_front(const struct s3_target *t, const struct s3_header *h, size_t n, struct s3_auth *out,
                            struct s3_fault *f)
{
    const struct s3_param *p = t->params;
    size_t pn = t->param_count;
    const struct s3_header *header = s3_header_find(h, n, "authorization");
    bool query = s3_param_find(p, pn, "X-Amz-Signature") || s3_param_find(p, pn, "X-Amz-Credential") ||
                 s3_param_find(p, pn, "X-Amz-Algorithm");
    bool v2 = s3_param_find(p, pn, "AWSAccessKeyId") && s3_param_find(p, pn, "Signature");
    enum s3_error e;
    *out = (struct s3_auth){.token = slice_of("", 0)};
    if (header && (query || v2))
        return s3_fault_set(f, S3E_InvalidArgument,
                            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                            "parameter or the Authorization header should be specified");
    if (v2) return s3_fault_set(f, S3E_InvalidRequest, "Signature version 2 is not supported; use " ALGORITHM);
    if (!header && !query) return S3E_NONE;
    if (header) {
        size_t left = n - (size_t)(header - h) - 1;
        out->kind = S3_AUTH_HEADER;
        if (s3_header_find(header + 1, left, "authorization"))
            return s3_fault_set(f, S3E_InvalidArgument, "Only one Authorization header is allowed");
        e = read_authorization(out, header->value, f);
    } else {
        struct slice signature = {0};
        out->kind = S3_AUTH_QUERY;
        e = take_param(p, pn, "X-Amz-Signature", &signature, f);
        if (e == S3E_NONE) e = read_query_form(out, p, pn, f);
        if (e == S3E_NONE) e = read_signature(out, signature, f);
    }
    return e != S3E_NONE ? e : finish(out, h, n, f);
}

enum s3_error s3_auth_gate(enum s3_auth_kind kind, struct slice credential, struct slice signature,
                           const struct s3_request *r, struct s3_auth *out, struct s3_fault *f)
{
    enum s3_error e = S3E_NONE;
    *out = (struct s3_auth){.kind = kind, .token = slice_of("", 0)};
    if (kind == S3_AUTH_NONE) return S3E_NONE;
    if (kind == S3_AUTH_HEADER) {
        out->signed_headers = r->signed_headers;
        e = read_credential(out, credential, f);
    } else {
        e = read_query_form(out, r->params, r->param_count, f);
        /* Two statements of one thing must agree: the list signed in the query is the list in the canonical request, and the
         * credential presented is the one in the query. */
        if (e == S3E_NONE && (!slice_eq(out->signed_headers, r->signed_headers) || !slice_eq(out->credential, credential)))
            e = malformed(out, f, "The query does not say what was presented");
    }
    if (e == S3E_NONE) e = read_signature(out, signature, f);
    if (e == S3E_NONE) e = finish(out, r->headers, r->header_count, f);
    if (e != S3E_NONE) return e;
    /* LAW-3: the body's digest is said twice; one that differs would be two bodies. */
    struct slice hash = s3_header_value(r->headers, r->header_count, "x-amz-content-sha256");
    if (hash.p && !slice_eq(hash, r->payload_hash)) return s3_fault_set(f, S3E_SignatureDoesNotMatch, NULL);
    return S3E_NONE;
}

enum s3_error s3_auth_check_scope(const struct s3_auth *a, struct slice region, bool region_any, struct slice service,
                                  struct s3_fault *f)
{
    ASSERT(a->kind != S3_AUTH_NONE);
    if (!slice_eq(a->service, service)) return malformed(a, f, "The credential is for another service");
    if (region_any || slice_eq(a->region, region)) return S3E_NONE;
    s3_fault_add(f, "Region", region);
    return malformed(a, f, "The credential is for another region");
}

enum s3_error s3_auth_check_time(const struct s3_auth *a, uint64_t now_ms, struct s3_fault *f)
{
    char now_text[TIME_TEXT_MAX], text[TIME_TEXT_MAX];
    ASSERT(a->kind != S3_AUTH_NONE);
    if (a->kind == S3_AUTH_HEADER) {
        uint64_t off = a->time_ms > now_ms ? a->time_ms - now_ms : now_ms - a->time_ms;
        if (off <= S3_SKEW_MS) return S3E_NONE;
        time_iso8601(now_ms, now_text);
        s3_fault_add(f, "RequestTime", slice_of(a->amz_date, 16));
        s3_fault_add(f, "ServerTime", slice_str(now_text));
        s3_fault_add(f, "MaxAllowedSkewMilliseconds", SLICE_LIT("900000"));
        return s3_fault_set(f, S3E_RequestTimeTooSkewed, NULL);
    }
    if (a->time_ms > now_ms && a->time_ms - now_ms > S3_SKEW_MS)
        return s3_fault_set(f, S3E_AccessDenied, "Request is not valid yet");
    uint64_t end_ms = a->time_ms + a->expires_s * 1000;
    if (a->expires_s > 0 && now_ms <= end_ms) return S3E_NONE;
    AUTO(buf) struct buf expires = BUF_INIT(32);
    buf_put_dec(&expires, a->expires_s);
    time_iso8601(end_ms, text);
    time_iso8601(now_ms, now_text);
    s3_fault_add(f, "X-Amz-Expires", buf_slice(&expires));
    s3_fault_add(f, "Expires", slice_str(text));
    s3_fault_add(f, "ServerTime", slice_str(now_text));
    return s3_fault_set(f, S3E_AccessDenied, "Request has expired");
}
