/* SPDX-License-Identifier: Apache-2.0
 * CRC-32 and CRC-64/NVME, by carry-less multiplication where the processor has it, by table elsewhere.
 * Role: under the checksums every upload computes; a table CRC would be the front's largest cost after the cipher.
 * Trusts: the processor's own statement of what it can. Distrusts: nothing (bytes are only summed).
 * Spec: CRC-32 of IEEE 802.3; CRC-64/NVME of the NVM Command Set specification. Folding as in Gopal et al., "Fast CRC
 *       Computation for Generic Polynomials Using PCLMULQDQ" (2009), reflected form.
 *
 * How the folding works. A 16-byte block is a polynomial whose first bit has the highest power. Moving a block D bits to the
 * left adds its two halves times x^(D+64) and x^D, both reduced; carry-less products of reflected numbers come out one bit
 * too low, so the constants are x^(D+63) and x^(D-1) mod P, reflected in 64 bits. What is left at the end are 16 bytes with the
 * same remainder as all that came before, and the table finishes them.
 */
#include "s3/s3.h"

#include <pthread.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_CLMUL 1
#endif

#define POLY32 0xEDB88320u
#define POLY32C 0x82F63B78u
#define POLY64 0x9A6C9329AC4BC9B5ull

static uint32_t table32[8][256];
static uint64_t table64[8][256];
static bool clmul;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void build_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t a = i;
        uint64_t b = i;
        for (int bit = 0; bit < 8; bit++) {
            a = a & 1 ? a >> 1 ^ POLY32 : a >> 1;
            b = b & 1 ? b >> 1 ^ POLY64 : b >> 1;
        }
        table32[0][i] = a;
        table64[0][i] = b;
    }
    for (size_t k = 1; k < 8; k++) {
        for (uint32_t i = 0; i < 256; i++) {
            table32[k][i] = table32[k - 1][i] >> 8 ^ table32[0][table32[k - 1][i] & 255];
            table64[k][i] = table64[k - 1][i] >> 8 ^ table64[0][table64[k - 1][i] & 255];
        }
    }
#ifdef HAVE_CLMUL
    clmul = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

static uint64_t get_le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* Eight bytes a step. crc is the inner state (inverted). */
static uint64_t run64(uint64_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        crc ^= get_le64(p);
        crc = table64[7][crc & 255] ^ table64[6][crc >> 8 & 255] ^ table64[5][crc >> 16 & 255] ^ table64[4][crc >> 24 & 255] ^
              table64[3][crc >> 32 & 255] ^ table64[2][crc >> 40 & 255] ^ table64[1][crc >> 48 & 255] ^ table64[0][crc >> 56];
    }
    for (; n; n--) crc = crc >> 8 ^ table64[0][(crc ^ *p++) & 255];
    return crc;
}

static uint32_t run32(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v = get_le64(p) ^ crc;
        crc = table32[7][v & 255] ^ table32[6][v >> 8 & 255] ^ table32[5][v >> 16 & 255] ^ table32[4][v >> 24 & 255] ^
              table32[3][v >> 32 & 255] ^ table32[2][v >> 40 & 255] ^ table32[1][v >> 48 & 255] ^ table32[0][v >> 56];
    }
    for (; n; n--) crc = crc >> 8 ^ table32[0][(crc ^ *p++) & 255];
    return crc;
}

#ifdef HAVE_CLMUL
/* x^575, x^511 (four blocks on), x^191, x^127 (one block on) mod P, reflected in 64 bits. */
static const uint64_t fold64[4] = {0x0c32cdb31e18a84aull, 0x62242240ace5045aull, 0xeadc41fd2ba3d420ull, 0x21e9761e252621acull};
static const uint64_t fold32[4] = {0x653d982200000000ull, 0xcad38e8f00000000ull, 0x65673b4600000000ull, 0x9ba54c6f00000000ull};

__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i a, __m128i k, __m128i next)
{
    return _mm_xor_si128(next, _mm_xor_si128(_mm_clmulepi64_si128(a, k, 0x00), _mm_clmulepi64_si128(a, k, 0x11)));
}

static inline __m128i load(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }

/* Folds the leading n bytes (n >= 64, a multiple of 16) with the inner state put in front; leaves 16 bytes in rest. */
__attribute__((target("pclmul,sse4.1"))) static void fold_all(uint64_t state, const uint8_t *p, size_t n,
                                                              const uint64_t k[4], uint8_t rest[16])
{
    __m128i k4 = _mm_set_epi64x((long long)k[1], (long long)k[0]), k1 = _mm_set_epi64x((long long)k[3], (long long)k[2]);
    __m128i a = _mm_xor_si128(load(p), _mm_set_epi64x(0, (long long)state));
    __m128i b = load(p + 16), c = load(p + 32), d = load(p + 48);
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
        a = fold(a, k4, load(p));
        b = fold(b, k4, load(p + 16));
        c = fold(c, k4, load(p + 32));
        d = fold(d, k4, load(p + 48));
    }
    a = fold(fold(fold(a, k1, b), k1, c), k1, d);
    for (; n >= 16; p += 16, n -= 16) a = fold(a, k1, load(p));
    _mm_storeu_si128((__m128i *)(void *)rest, a);
}
#endif

uint64_t s3_crc64nvme_table(uint64_t crc, const void *p, size_t n)
{
    pthread_once(&once, build_tables);
    return ~run64(~crc, p, n);
}

uint32_t s3_crc32_table(uint32_t crc, const void *p, size_t n)
{
    pthread_once(&once, build_tables);
    return ~run32(~crc, p, n);
}

uint64_t s3_crc64nvme(uint64_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    pthread_once(&once, build_tables);
    crc = ~crc;
#ifdef HAVE_CLMUL
    if (clmul && n >= 128) {
        uint8_t rest[16];
        size_t whole = n & ~(size_t)15;
        fold_all(crc, p, whole, fold64, rest);
        crc = run64(0, rest, sizeof rest);
        p += whole;
        n -= whole;
    }
#endif
    return ~run64(crc, p, n);
}

uint32_t s3_crc32(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    pthread_once(&once, build_tables);
    crc = ~crc;
#ifdef HAVE_CLMUL
    if (clmul && n >= 128) {
        uint8_t rest[16];
        size_t whole = n & ~(size_t)15;
        fold_all(crc, p, whole, fold32, rest);
        crc = run32(0, rest, sizeof rest);
        p += whole;
        n -= whole;
    }
#endif
    return ~run32(crc, p, n);
}

/* The product of two polynomials mod P, all three reflected: the top bit is x^0. After zlib's idea of combining CRCs. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t top, uint64_t poly)
{
    uint64_t product = 0;
    for (uint64_t m = top; m; m >>= 1) {
        if (a & m) product ^= b;
        b = b & 1 ? b >> 1 ^ poly : b >> 1;
    }
    return product;
}

/* What the CRC of a becomes when b_size bytes follow: times x^(8 * b_size). The inversions of begin and end cancel out. */
static uint64_t combine(uint64_t a, uint64_t b, uint64_t b_size, uint64_t top, uint64_t poly)
{
    uint64_t power = top >> 8, shift = top;        /* x^8, and one */
    for (; b_size; b_size >>= 1) {
        if (b_size & 1) shift = multiply(power, shift, top, poly);
        power = multiply(power, power, top, poly);
    }
    return multiply(shift, a, top, poly) ^ b;
}

void s3_sum_combine(enum s3_sum s, uint8_t a[S3_SUM_BYTES_MAX], const uint8_t b[S3_SUM_BYTES_MAX], uint64_t b_size)
{
    ASSERT(s == S3_SUM_CRC32 || s == S3_SUM_CRC32C || s == S3_SUM_CRC64NVME);
    if (s == S3_SUM_CRC64NVME) {
        put_be64(a, combine(get_be64(a), get_be64(b), b_size, 1ull << 63, POLY64));
        return;
    }
    uint64_t poly = s == S3_SUM_CRC32 ? POLY32 : POLY32C;
    put_be32(a, (uint32_t)combine(get_be32(a), get_be32(b), b_size, 1ull << 31, poly));
}
