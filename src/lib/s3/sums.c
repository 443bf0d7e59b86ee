/* SPDX-License-Identifier: Apache-2.0
 * Checksums of S3: names, sizes, and any set of them in one pass.
 * Role: the front sums each buffer of an upload while it is warm in cache.
 * Trusts: OpenSSL, libxxhash, crc.c. Distrusts: nothing (bytes are only summed).
 * Spec: S3 user guide, "Checking object integrity"; RFC 1321, FIPS 180-4; xxHash specification (seed 0, canonical big-endian form).
 */
#include "s3/s3_config.h"

#include <openssl/evp.h>
#include <xxhash.h>

static const struct {
    const char *name, *header, *element;
    size_t bytes;
    bool full, composite;                          /* what an upload in parts may ask for; full is the default where both are set */
} rows[S3_SUM__COUNT] = {
    [S3_SUM_NONE] = {"", "", "", 0, false, false},
    [S3_SUM_MD5] = {"MD5", "x-amz-checksum-md5", "ChecksumMD5", 16, false, true},
    [S3_SUM_SHA1] = {"SHA1", "x-amz-checksum-sha1", "ChecksumSHA1", 20, false, true},
    [S3_SUM_SHA256] = {"SHA256", "x-amz-checksum-sha256", "ChecksumSHA256", 32, false, true},
    [S3_SUM_CRC32] = {"CRC32", "x-amz-checksum-crc32", "ChecksumCRC32", 4, true, true},
    [S3_SUM_CRC32C] = {"CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C", 4, true, true},
    [S3_SUM_CRC64NVME] = {"CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME", 8, true, false},
    [S3_SUM_SHA512] = {"SHA512", "x-amz-checksum-sha512", "ChecksumSHA512", 64, false, true},
    [S3_SUM_XXHASH64] = {"XXHASH64", "x-amz-checksum-xxhash64", "ChecksumXXHASH64", 8, false, true},
    [S3_SUM_XXHASH3] = {"XXHASH3", "x-amz-checksum-xxhash3", "ChecksumXXHASH3", 8, false, true},
    [S3_SUM_XXHASH128] = {"XXHASH128", "x-amz-checksum-xxhash128", "ChecksumXXHASH128", 16, false, true},
};

size_t s3_sum_bytes(enum s3_sum s)
{
    ASSERT(s < S3_SUM__COUNT);
    return rows[s].bytes;
}

const char *s3_sum_name(enum s3_sum s)
{
    ASSERT(s < S3_SUM__COUNT);
    return rows[s].name;
}

const char *s3_sum_header(enum s3_sum s)
{
    ASSERT(s < S3_SUM__COUNT);
    return rows[s].header;
}

const char *s3_sum_element(enum s3_sum s)
{
    ASSERT(s < S3_SUM__COUNT);
    return rows[s].element;
}

enum s3_sum s3_sum_of_name(struct slice name)
{
    for (size_t i = S3_SUM_MD5; i < S3_SUM__COUNT; i++)
        if (slice_ieq(name, slice_str(rows[i].name))) return (enum s3_sum)i;
    return S3_SUM_NONE;
}

enum s3_sum s3_sum_of_header(struct slice name)
{
    for (size_t i = S3_SUM_MD5; i < S3_SUM__COUNT; i++)
        if (slice_ieq(name, slice_str(rows[i].header))) return (enum s3_sum)i;
    return S3_SUM_NONE;
}

const char *s3_sum_type_name(enum s3_sum_type t)
{
    ASSERT(t == S3_SUM_FULL || t == S3_SUM_COMPOSITE);
    return t == S3_SUM_FULL ? "FULL_OBJECT" : "COMPOSITE";
}

bool s3_sum_type_of_name(struct slice name, enum s3_sum_type *out)
{
    bool full = slice_is(name, "FULL_OBJECT");
    *out = full ? S3_SUM_FULL : S3_SUM_COMPOSITE;
    return full || slice_is(name, "COMPOSITE");
}

/* asked NULL: the default of the algorithm. */
static enum s3_error sum_type_check(enum s3_sum s, const enum s3_sum_type *asked, enum s3_sum_type *out, struct s3_fault *f)
{
    ASSERT(s < S3_SUM__COUNT);
    *out = S3_SUM_FULL;
    if (s == S3_SUM_NONE) {
        if (!asked) return S3E_NONE;
        return s3_fault_set(f, S3E_InvalidRequest, "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header");
    }
    if (asked && !(*asked == S3_SUM_FULL ? rows[s].full : rows[s].composite)) {
        s3_fault_add(f, "ChecksumAlgorithm", slice_str(rows[s].name));
        s3_fault_add(f, "ChecksumType", slice_str(s3_sum_type_name(*asked)));
        return s3_fault_set(f, S3E_InvalidRequest, "The checksum type cannot be used with this checksum algorithm");
    }
    /* AWS: of the two CRCs that may be either, an upload that does not say which gets the checksum of checksums. */
    *out = asked ? *asked : rows[s].composite ? S3_SUM_COMPOSITE : S3_SUM_FULL;
    return S3E_NONE;
}

enum s3_error s3_sum_of_upload(const struct s3_header *h, size_t n, enum s3_sum *sum, enum s3_sum_type *type, struct s3_fault *f)
{
    struct slice algorithm = s3_header_value(h, n, "x-amz-checksum-algorithm"), word = s3_header_value(h, n, "x-amz-checksum-type");
    enum s3_sum_type asked = S3_SUM_FULL;
    *sum = algorithm.p ? s3_sum_of_name(algorithm) : S3_SUM_NONE;
    *type = S3_SUM_FULL;
    if (algorithm.p && *sum == S3_SUM_NONE)
        return s3_fault_set(f, S3E_InvalidRequest, "Checksum algorithm provided is unsupported");
    if (word.p && !s3_sum_type_of_name(word, &asked))
        return s3_fault_set(f, S3E_InvalidRequest, "Value for x-amz-checksum-type header is invalid");
    return sum_type_check(*sum, word.p ? &asked : NULL, type, f);
}

void s3_sum_text(struct buf *out, enum s3_sum_type type, struct slice raw, uint32_t parts)
{
    buf_put_base64(out, raw);
    if (type != S3_SUM_COMPOSITE || parts == 0) return;
    buf_put_u8(out, '-');
    buf_put_dec(out, parts);
}

static const EVP_MD *digest_of(enum s3_sum s)
{
    switch (s) {
    case S3_SUM_MD5: return EVP_md5();
    case S3_SUM_SHA1: return EVP_sha1();
    case S3_SUM_SHA256: return EVP_sha256();
    case S3_SUM_SHA512: return EVP_sha512();
    case S3_SUM_NONE:
    case S3_SUM_CRC32:
    case S3_SUM_CRC32C:
    case S3_SUM_CRC64NVME:
    case S3_SUM_XXHASH64:
    case S3_SUM_XXHASH3:
    case S3_SUM_XXHASH128:
    case S3_SUM__COUNT: break;
    }
    return NULL;
}

/* XXH3's 64 and 128 bits come out of one kind of state. */
static enum err begin(struct s3_sums *s, enum s3_sum which)
{
    const EVP_MD *md = digest_of(which);
    if (md) {
        s->md[which] = EVP_MD_CTX_new();
        if (!s->md[which]) return ERR_NOMEM;
        return EVP_DigestInit_ex(s->md[which], md, NULL) == 1 ? ERR_OK : ERR_CRYPTO;
    }
    if (which == S3_SUM_XXHASH64) {
        s->md[which] = XXH64_createState();
        return s->md[which] && XXH64_reset(s->md[which], 0) == XXH_OK ? ERR_OK : ERR_NOMEM;
    }
    if (which == S3_SUM_XXHASH3 || which == S3_SUM_XXHASH128) {
        s->md[which] = XXH3_createState();
        if (!s->md[which]) return ERR_NOMEM;
        XXH_errorcode e = which == S3_SUM_XXHASH3 ? XXH3_64bits_reset(s->md[which]) : XXH3_128bits_reset(s->md[which]);
        return e == XXH_OK ? ERR_OK : ERR_NOMEM;
    }
    return ERR_OK;                                 /* the CRCs are numbers in the struct */
}

enum err s3_sums_init(struct s3_sums *s, uint32_t want)
{
    *s = (struct s3_sums){.want = want};
    ASSERT((want & ~(S3_SUM_BIT(S3_SUM__COUNT) - 2u)) == 0);
    for (size_t i = S3_SUM_MD5; i < S3_SUM__COUNT; i++) {
        if (!(want & S3_SUM_BIT(i))) continue;
        enum err e = begin(s, (enum s3_sum)i);
        if (e == ERR_OK) continue;
        s3_sums_done(s);
        return e;
    }
    return ERR_OK;
}

enum err s3_sums_add(struct s3_sums *s, struct slice data)
{
    if (data.n == 0) return ERR_OK;
    s->bytes += data.n;
    if (s->want & S3_SUM_BIT(S3_SUM_CRC32)) s->crc32 = s3_crc32(s->crc32, data.p, data.n);
    if (s->want & S3_SUM_BIT(S3_SUM_CRC32C)) s->crc32c = crc32c(s->crc32c, data.p, data.n);
    if (s->want & S3_SUM_BIT(S3_SUM_CRC64NVME)) s->crc64 = s3_crc64nvme(s->crc64, data.p, data.n);
    if (s->md[S3_SUM_XXHASH64] && XXH64_update(s->md[S3_SUM_XXHASH64], data.p, data.n) != XXH_OK) return ERR_CRYPTO;
    if (s->md[S3_SUM_XXHASH3] && XXH3_64bits_update(s->md[S3_SUM_XXHASH3], data.p, data.n) != XXH_OK) return ERR_CRYPTO;
    if (s->md[S3_SUM_XXHASH128] && XXH3_128bits_update(s->md[S3_SUM_XXHASH128], data.p, data.n) != XXH_OK) return ERR_CRYPTO;
    for (size_t i = S3_SUM_MD5; i <= S3_SUM_SHA512; i++)
        if (s->md[i] && EVP_DigestUpdate(s->md[i], data.p, data.n) != 1) return ERR_CRYPTO;
    return ERR_OK;
}

enum err s3_sums_get(struct s3_sums *s, enum s3_sum which, uint8_t out[S3_SUM_BYTES_MAX])
{
    ASSERT(which > S3_SUM_NONE && which < S3_SUM__COUNT && s->want & S3_SUM_BIT(which));
    XXH128_canonical_t wide;
    switch (which) {
    case S3_SUM_CRC32: put_be32(out, s->crc32); return ERR_OK;
    case S3_SUM_CRC32C: put_be32(out, s->crc32c); return ERR_OK;
    case S3_SUM_CRC64NVME: put_be64(out, s->crc64); return ERR_OK;
    case S3_SUM_XXHASH64: put_be64(out, XXH64_digest(s->md[which])); return ERR_OK;
    case S3_SUM_XXHASH3: put_be64(out, XXH3_64bits_digest(s->md[which])); return ERR_OK;
    case S3_SUM_XXHASH128:
        XXH128_canonicalFromHash(&wide, XXH3_128bits_digest(s->md[which]));
        memcpy(out, wide.digest, sizeof wide.digest);
        return ERR_OK;
    case S3_SUM_MD5:
    case S3_SUM_SHA1:
    case S3_SUM_SHA256:
    case S3_SUM_SHA512: break;
    case S3_SUM_NONE:
    case S3_SUM__COUNT: return ERR_INPUT;          /* asserted above */
    }
    return EVP_DigestFinal_ex(s->md[which], out, NULL) == 1 ? ERR_OK : ERR_CRYPTO;
}

void s3_sums_done(struct s3_sums *s)
{
    if (s->md[S3_SUM_XXHASH64]) XXH64_freeState(s->md[S3_SUM_XXHASH64]);
    if (s->md[S3_SUM_XXHASH3]) XXH3_freeState(s->md[S3_SUM_XXHASH3]);
    if (s->md[S3_SUM_XXHASH128]) XXH3_freeState(s->md[S3_SUM_XXHASH128]);
    for (size_t i = S3_SUM_MD5; i <= S3_SUM_SHA512; i++) EVP_MD_CTX_free(s->md[i]);   /* those of the CRCs are NULL */
    *s = (struct s3_sums){0};
}
