/* SPDX-License-Identifier: Apache-2.0
 * Checksums of S3: names, sizes, and any set of them in one pass.
 * Role: the front sums each buffer of an upload while it is warm in cache.
 * Trusts: OpenSSL, crc.c. Distrusts: nothing.
 * Spec: S3 user guide, "Checking object integrity"; RFC 1321, FIPS 180-4.
 */
#include "s3/s3.h"

#include <openssl/evp.h>

static const struct {
    const char *name, *header, *element;
    size_t bytes;
} rows[S3_SUM__COUNT] = {
    [S3_SUM_NONE] = {"", "", "", 0},
    [S3_SUM_MD5] = {"MD5", "content-md5", "ContentMD5", 16},
    [S3_SUM_SHA1] = {"SHA1", "x-amz-checksum-sha1", "ChecksumSHA1", 20},
    [S3_SUM_SHA256] = {"SHA256", "x-amz-checksum-sha256", "ChecksumSHA256", 32},
    [S3_SUM_CRC32] = {"CRC32", "x-amz-checksum-crc32", "ChecksumCRC32", 4},
    [S3_SUM_CRC32C] = {"CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C", 4},
    [S3_SUM_CRC64NVME] = {"CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME", 8},
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
    for (size_t i = S3_SUM_SHA1; i < S3_SUM__COUNT; i++)
        if (slice_ieq(name, slice_str(rows[i].name))) return (enum s3_sum)i;
    return S3_SUM_NONE;
}

enum s3_sum s3_sum_of_header(struct slice name)
{
    for (size_t i = S3_SUM_SHA1; i < S3_SUM__COUNT; i++)
        if (slice_ieq(name, slice_str(rows[i].header))) return (enum s3_sum)i;
    return S3_SUM_NONE;
}

static const EVP_MD *digest_of(enum s3_sum s)
{
    return s == S3_SUM_MD5 ? EVP_md5() : s == S3_SUM_SHA1 ? EVP_sha1() : EVP_sha256();
}

enum err s3_sums_init(struct s3_sums *s, uint32_t want)
{
    *s = (struct s3_sums){.want = want};
    ASSERT((want & ~(S3_SUM_BIT(S3_SUM__COUNT) - 2u)) == 0);
    for (size_t i = S3_SUM_MD5; i <= S3_SUM_SHA256; i++) {
        if (!(want & S3_SUM_BIT(i))) continue;
        s->md[i] = EVP_MD_CTX_new();
        if (s->md[i] && EVP_DigestInit_ex(s->md[i], digest_of((enum s3_sum)i), NULL) == 1) continue;
        enum err e = s->md[i] ? ERR_CRYPTO : ERR_NOMEM;
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
    for (size_t i = S3_SUM_MD5; i <= S3_SUM_SHA256; i++)
        if (s->md[i] && EVP_DigestUpdate(s->md[i], data.p, data.n) != 1) return ERR_CRYPTO;
    return ERR_OK;
}

enum err s3_sums_get(struct s3_sums *s, enum s3_sum which, uint8_t out[S3_SUM_BYTES_MAX])
{
    ASSERT(which > S3_SUM_NONE && which < S3_SUM__COUNT && s->want & S3_SUM_BIT(which));
    switch (which) {
    case S3_SUM_CRC32: put_be32(out, s->crc32); return ERR_OK;
    case S3_SUM_CRC32C: put_be32(out, s->crc32c); return ERR_OK;
    case S3_SUM_CRC64NVME: put_be64(out, s->crc64); return ERR_OK;
    case S3_SUM_MD5:
    case S3_SUM_SHA1:
    case S3_SUM_SHA256:
    case S3_SUM_NONE:
    case S3_SUM__COUNT: break;
    }
    return EVP_DigestFinal_ex(s->md[which], out, NULL) == 1 ? ERR_OK : ERR_CRYPTO;
}

void s3_sums_done(struct s3_sums *s)
{
    for (size_t i = 0; i < ARRAY_LEN(s->md); i++) EVP_MD_CTX_free(s->md[i]);
    *s = (struct s3_sums){0};
}
