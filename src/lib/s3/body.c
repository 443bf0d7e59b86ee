/* SPDX-License-Identifier: Apache-2.0
 * What a request says about its body: framing, length, digests; and whether the body kept its word.
 * Role: front, before the body is read and after it.
 * Trusts: nothing. Distrusts: each header, and that they agree with each other.
 * Spec: S3 user guide, "Checking object integrity" (headers, trailers); RFC 1864 (Content-MD5).
 */
#include "s3/s3.h"

static enum s3_error bad_request(struct s3_fault *f, const char *why) { return s3_fault_set(f, S3E_InvalidRequest, why); }

static enum s3_error read_length(const struct s3_header *h, size_t n, struct s3_body *out, struct s3_fault *f)
{
    struct slice v = s3_header_value(h, n, out->chunked ? "x-amz-decoded-content-length" : "content-length");
    if (v.p) out->length_known = slice_u64(v, UINT64_MAX / 2, &out->length) == ERR_OK;
    if (out->chunked && !out->length_known) return s3_fault_set(f, S3E_MissingContentLength, NULL);
    if (v.p && !out->length_known) return s3_fault_set(f, S3E_BadRequest, "Content-Length is not a number");
    if (out->length_known && out->length > S3_PUT_BYTES_MAX) return s3_fault_set(f, S3E_EntityTooLarge, NULL);
    return S3E_NONE;
}

static enum s3_error read_md5(const struct s3_header *h, size_t n, struct s3_body *out, struct s3_fault *f)
{
    struct slice v = s3_header_value(h, n, "content-md5");
    if (!v.p) return S3E_NONE;
    if (base64_fixed(v, out->md5, sizeof out->md5) != ERR_OK) return s3_fault_set(f, S3E_InvalidDigest, NULL);
    out->md5_given = true;
    return S3E_NONE;
}

/* The one x-amz-checksum-* header, if there is one (D05). */
static enum s3_error read_value(const struct s3_header *h, size_t n, struct s3_body *out, struct s3_fault *f)
{
    for (size_t i = 0; i < n; i++) {
        struct slice prefix = SLICE_LIT("x-amz-checksum-");
        if (h[i].name.n < prefix.n || !slice_ieq(slice_of(h[i].name.p, prefix.n), prefix)) continue;
        if (slice_ieq(h[i].name, SLICE_LIT("x-amz-checksum-algorithm")) ||
            slice_ieq(h[i].name, SLICE_LIT("x-amz-checksum-type")) || slice_ieq(h[i].name, SLICE_LIT("x-amz-checksum-mode")))
            continue;
        enum s3_sum sum = s3_sum_of_header(h[i].name);
        if (sum == S3_SUM_NONE) return s3_fault_set(f, S3E_NotImplemented, "This checksum algorithm is not supported");
        if (out->sum != S3_SUM_NONE) return bad_request(f, "Expecting a single x-amz-checksum- header");
        if (base64_fixed(slice_trim(h[i].value), out->sum_value, s3_sum_bytes(sum)) != ERR_OK) {
            s3_fault_add(f, "HeaderName", slice_str(s3_sum_header(sum)));
            return s3_fault_set(f, S3E_BadDigest, "The value of the checksum header is not valid");
        }
        out->sum = sum;
        out->sum_given = true;
    }
    return S3E_NONE;
}

static enum s3_error read_trailer(const struct s3_header *h, size_t n, struct s3_body *out, struct s3_fault *f)
{
    struct slice v = s3_header_value(h, n, "x-amz-trailer");
    if (!v.p || v.n == 0) return S3E_NONE;
    enum s3_sum sum = s3_sum_of_header(v);
    if (sum == S3_SUM_NONE) return bad_request(f, "The value specified in the x-amz-trailer header is not supported");
    if (!out->chunked) return bad_request(f, "x-amz-trailer needs an aws-chunked body");
    if (out->chunk_signed && !out->trailer_signed) return bad_request(f, "x-amz-trailer needs a body whose trailer is signed too");
    if (out->sum != S3_SUM_NONE) return bad_request(f, "Expecting a single x-amz-checksum- header");
    out->sum = sum;
    out->sum_in_trailer = true;
    return S3E_NONE;
}

enum s3_error s3_body_read(const struct s3_header *h, size_t n, enum s3_payload payload, struct s3_body *out,
                           struct s3_fault *f)
{
    *out = (struct s3_body){
        .chunked = payload >= S3_PAYLOAD_STREAM_UNSIGNED_TRAILER,
        .chunk_signed = payload == S3_PAYLOAD_STREAM_SIGNED || payload == S3_PAYLOAD_STREAM_SIGNED_TRAILER,
        .trailer_signed = payload == S3_PAYLOAD_STREAM_SIGNED_TRAILER,
    };
    enum s3_error e = read_length(h, n, out, f);
    if (e == S3E_NONE) e = read_md5(h, n, out, f);
    if (e == S3E_NONE) e = read_value(h, n, out, f);
    if (e == S3E_NONE) e = read_trailer(h, n, out, f);
    if (e != S3E_NONE) return e;

    struct slice sdk = s3_header_value(h, n, "x-amz-sdk-checksum-algorithm");
    if (sdk.n) {                                                  /* C08, D07 */
        enum s3_sum sum = s3_sum_of_name(sdk);
        if (sum == S3_SUM_NONE) return bad_request(f, "Value for x-amz-sdk-checksum-algorithm header is invalid");
        if (out->sum != sum)
            return bad_request(f, "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                                  "x-amz-trailer headers were found");
    }
    struct slice algorithm = s3_header_value(h, n, "x-amz-checksum-algorithm");
    if (algorithm.n) {                                            /* names the algorithm; may agree with a value or a trailer */
        enum s3_sum sum = s3_sum_of_name(algorithm);
        if (sum == S3_SUM_NONE || (out->sum != S3_SUM_NONE && out->sum != sum))
            return bad_request(f, "Checksum algorithm provided is unsupported, or contradicts the checksum sent");
        out->sum = sum;
    }
    out->sum_named = out->sum != S3_SUM_NONE;
    if (!out->sum_named) out->sum = S3_SUM_CRC64NVME;
    return S3E_NONE;
}

enum s3_error s3_body_need_digest(const struct s3_body *b, struct s3_fault *f)
{
    if (b->md5_given || b->sum_given || b->sum_in_trailer) return S3E_NONE;
    return s3_fault_set(f, S3E_InvalidRequest, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
}

enum s3_error s3_body_compare(const struct s3_body *b, const uint8_t *md5, const uint8_t *sum, const uint8_t *sha256,
                              struct slice signed_sha256)
{
    if (signed_sha256.n) {
        uint8_t want[HASH_BYTES];
        ASSERT(sha256);
        if (hex_fixed(signed_sha256, want, sizeof want) != ERR_OK) return S3E_InvalidArgument;
        if (!ct_equal(want, sha256, sizeof want)) return S3E_XAmzContentSHA256Mismatch;
    }
    if (b->md5_given) {
        ASSERT(md5);
        if (!ct_equal(b->md5, md5, sizeof b->md5)) return S3E_BadDigest;
    }
    if (b->sum_given) {
        ASSERT(sum);
        if (!ct_equal(b->sum_value, sum, s3_sum_bytes(b->sum))) return S3E_BadDigest;
    }
    return S3E_NONE;
}
