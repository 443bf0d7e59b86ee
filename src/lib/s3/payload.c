/* SPDX-License-Identifier: Apache-2.0
 * What a request states about its body's digest: the last line of the canonical request.
 * Role: front, before it builds the canonical request; the gate reads the same words.
 * Trusts: nothing. Distrusts: the value; only the words S3 knows and 64 lower-case hex digits pass.
 * Law: 3.
 * Spec: SigV4 for S3, "x-amz-content-sha256".
 */
#include "s3/s3.h"

enum s3_error s3_payload_parse(struct slice value, enum s3_payload *out)
{
    static const struct {
        const char *text;
        enum s3_payload payload;
    } words[] = {
        {"UNSIGNED-PAYLOAD", S3_PAYLOAD_UNSIGNED},
        {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", S3_PAYLOAD_STREAM_UNSIGNED_TRAILER},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", S3_PAYLOAD_STREAM_SIGNED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", S3_PAYLOAD_STREAM_SIGNED_TRAILER},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!slice_is(value, words[i].text)) continue;
        *out = words[i].payload;
        return S3E_NONE;
    }
    if (slice_starts(value, SLICE_LIT("STREAMING-AWS4-ECDSA-"))) return S3E_InvalidRequest;
    if (value.n != 2 * HASH_BYTES) return S3E_InvalidArgument;
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.p[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return S3E_InvalidArgument;
    }
    *out = S3_PAYLOAD_SHA256;
    return S3E_NONE;
}

enum s3_error s3_payload_hash(const struct s3_auth *a, const struct s3_target *t, const struct s3_header *h, size_t n,
                              struct slice *hash, enum s3_payload *payload, struct s3_fault *f)
{
    struct slice name = SLICE_LIT("x-amz-content-sha256"), v = s3_header_value(h, n, "x-amz-content-sha256");
    if (a->kind == S3_AUTH_QUERY && !s3_is_signed(a->signed_headers, name)) {
        const struct s3_param *p = s3_param_find(t->params, t->param_count, "X-Amz-Content-Sha256");
        v = p ? p->value : slice_of(NULL, 0);
    }
    *hash = v.p ? v : SLICE_LIT("UNSIGNED-PAYLOAD");
    enum s3_error e = s3_payload_parse(*hash, payload);
    if (e != S3E_NONE) return s3_fault_set(f, e, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING- word or a SHA-256");
    if (a->kind == S3_AUTH_NONE && (*payload == S3_PAYLOAD_STREAM_SIGNED || *payload == S3_PAYLOAD_STREAM_SIGNED_TRAILER))
        return s3_fault_set(f, S3E_InvalidRequest, "Anonymous requests cannot carry chunk signatures");
    return S3E_NONE;
}
