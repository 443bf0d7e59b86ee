/* SPDX-License-Identifier: Apache-2.0
 * slice: questions about borrowed bytes.
 * Role: the leaves of every parser.
 * Distrusts: the bytes; nothing here reads past n or expects a terminating zero.
 * Spec: RFC 3629 (UTF-8)
 */
#include "base/base.h"

static uint8_t ascii_lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c; }

bool slice_ieq(struct slice a, struct slice b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++) {
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i])) return false;
    }
    return true;
}

int slice_cmp(struct slice a, struct slice b) {
    size_t n = MIN(a.n, b.n);
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
    if (c != 0) return c < 0 ? -1 : 1;
    return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

bool slice_starts(struct slice a, struct slice prefix) {
    return prefix.n <= a.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

struct slice slice_trim(struct slice a) {
    while (a.n > 0 && (a.p[0] == ' ' || a.p[0] == '\t')) {
        a.p++;
        a.n--;
    }
    while (a.n > 0 && (a.p[a.n - 1] == ' ' || a.p[a.n - 1] == '\t')) a.n--;
    return a;
}

struct slice slice_cut(struct slice a, uint8_t c, struct slice *head) {
    const uint8_t *at = a.n == 0 ? NULL : memchr(a.p, c, a.n);
    if (at == NULL) {
        *head = a;
        return (struct slice){NULL, 0};
    }
    *head = slice_of(a.p, (size_t)(at - a.p));
    return slice_of(at + 1, a.n - head->n - 1);
}

/* Length of the well-formed UTF-8 sequence at p, 0 when there is none (RFC 3629, section 4). */
static size_t utf8_sequence(const uint8_t *p, size_t n) {
    uint8_t c = p[0];
    if (c < 0x80) return 1;
    if (c < 0xC2 || c > 0xF4) return 0;
    size_t want = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (want > n) return 0;
    /* The second byte alone rules out overlong forms, surrogates and what lies past U+10FFFF. */
    uint8_t low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    uint8_t high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < want; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF) return 0;
    }
    return want;
}

bool slice_is_utf8(struct slice a) {
    for (size_t at = 0; at < a.n;) {
        size_t step = utf8_sequence(a.p + at, a.n - at);
        if (step == 0) return false;
        at += step;
    }
    return true;
}

enum err slice_u64(struct slice a, uint64_t max, uint64_t *out) {
    if (a.n == 0) return ERR_INPUT;
    uint64_t v = 0;
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] < '0' || a.p[i] > '9') return ERR_INPUT;
        uint64_t digit = (uint64_t)(a.p[i] - '0');
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v) || v > max) return ERR_INPUT;
    }
    *out = v;
    return ERR_OK;
}

bool ct_equal(const void *a, const void *b, size_t n) {
    const volatile uint8_t *x = a, *y = b;
    uint8_t diff = 0;
    for (size_t i = 0; i < n; i++) diff = (uint8_t)(diff | (x[i] ^ y[i]));
    return diff == 0;
}

void wipe(void *p, size_t n) {
    if (n == 0) return;
    memset(p, 0, n);
    /* The compiler must believe that someone reads the zeroes. */
    __asm__ volatile("" : : "r"(p) : "memory");
}

bool slice_is_mail(struct slice a) {
    struct slice local, domain = slice_cut(a, '@', &local);
    if (local.n == 0 || local.n > 64 || domain.n == 0 || domain.n > 190 || local.p[0] == '.' || local.p[local.n - 1] == '.') return false;
    for (size_t i = 0; i < a.n; i++) {
        uint8_t c = a.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        bool atext = i < local.n && memchr("!#$%&'*+/=?^_`{|}~", c, 18) != NULL;
        if (c == '.' && i > 0 && a.p[i - 1] == '.') return false;
        if (!plain && !atext && c != '.' && i != local.n) return false;
    }
    return domain.p[0] != '.' && domain.p[0] != '-' && domain.p[domain.n - 1] != '.' && domain.p[domain.n - 1] != '-';
}
