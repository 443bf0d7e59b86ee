/* SPDX-License-Identifier: Apache-2.0
 * crc: CRC-32C (Castagnoli), by the CPU's instruction where there is one.
 * Role: torn-write detection of disk records; no defence against anyone who means it.
 * Trusts: nothing beyond the CPU.
 * Spec: RFC 3720 appendix B.4 (test vectors), reflected polynomial 0x82F63B78
 */
#include "base/base.h"

#include <pthread.h>

#define CRC32C_POLYNOMIAL 0x82F63B78u

static uint32_t crc_table[8][256];
static pthread_once_t crc_table_once = PTHREAD_ONCE_INIT;

static void crc_table_make(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = (c >> 1) ^ ((c & 1) != 0 ? CRC32C_POLYNOMIAL : 0);
        crc_table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int k = 1; k < 8; k++) crc_table[k][i] = (crc_table[k - 1][i] >> 8) ^ crc_table[0][crc_table[k - 1][i] & 0xFF];
    }
}

/* Eight bytes a step; the bytes are taken one by one so that byte order of the machine does not matter. */
static uint32_t crc32c_soft(uint32_t c, const uint8_t *p, size_t n) {
    pthread_once(&crc_table_once, crc_table_make);
    for (; n >= 8; n -= 8, p += 8) {
        c = crc_table[7][(c ^ p[0]) & 0xFF] ^ crc_table[6][((c >> 8) ^ p[1]) & 0xFF] ^ crc_table[5][((c >> 16) ^ p[2]) & 0xFF] ^
            crc_table[4][((c >> 24) ^ p[3]) & 0xFF] ^ crc_table[3][p[4]] ^ crc_table[2][p[5]] ^ crc_table[1][p[6]] ^
            crc_table[0][p[7]];
    }
    for (; n > 0; n--, p++) c = (c >> 8) ^ crc_table[0][(c ^ *p) & 0xFF];
    return c;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_hard(uint32_t crc, const uint8_t *p, size_t n) {
    uint64_t c = crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        c = __builtin_ia32_crc32di(c, word);
    }
    uint32_t c32 = (uint32_t)c;
    for (; n > 0; n--, p++) c32 = __builtin_ia32_crc32qi(c32, *p);
    return c32;
}
#endif

uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n) { return n == 0 ? crc : ~crc32c_soft(~crc, p, n); }

uint32_t crc32c(uint32_t crc, const void *p, size_t n) {
    if (n == 0) return crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~crc32c_hard(~crc, p, n);
#endif
    return crc32c_portable(crc, p, n);
}
