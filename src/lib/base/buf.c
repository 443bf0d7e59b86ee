/* SPDX-License-Identifier: Apache-2.0
 * buf: owned bytes that grow up to a bound, with a sticky failure.
 * Role: every builder of frames, leaves, answers and files.
 * Distrusts: lengths; each is checked against what is left below max before anything is allocated.
 * Spec: src/lib/base/base.h
 */
#include "base/base.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_BYTES 64

void buf_init(struct buf *b, size_t max) { *b = BUF_INIT(max); }

void buf_done(struct buf *b) {
    free(b->p);
    *b = BUF_INIT(b->max);
}

void buf_wipe_done(struct buf *b) {
    if (b->p != NULL) wipe(b->p, b->cap);
    buf_done(b);
}

void buf_reset(struct buf *b) {
    b->n = 0;
    b->bad = false;
}

/* Growth moves the bytes by hand: realloc would leave a copy of a secret behind in freed memory. */
static bool buf_grow(struct buf *b, size_t need) {
    size_t cap = b->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : b->cap;
    while (cap < need) {
        if (!mul_size(cap, 2, &cap)) cap = need;
    }
    cap = MIN(cap, b->max);
    uint8_t *p = malloc(cap);
    if (p == NULL) return false;
    if (b->n > 0) memcpy(p, b->p, b->n);
    if (b->p != NULL) {
        wipe(b->p, b->n);
        free(b->p);
    }
    b->p = p;
    b->cap = cap;
    return true;
}

uint8_t *buf_room(struct buf *b, size_t n) {
    size_t need;
    if (b->bad || !add_size(b->n, n, &need) || need > b->max) {
        b->bad = true;
        return NULL;
    }
    /* Nonzero capacity even for n == 0, so that a good buffer never answers NULL; max 0 has no room to point at. */
    if ((need > b->cap || b->p == NULL) && b->max > 0 && !buf_grow(b, need)) {
        b->bad = true;
        return NULL;
    }
    return b->p == NULL ? NULL : b->p + b->n;
}

void buf_put(struct buf *b, const void *p, size_t n) {
    if (n == 0) return;
    uint8_t *to = buf_room(b, n);
    if (to == NULL) return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_put_slice(struct buf *b, struct slice s) { buf_put(b, s.p, s.n); }

void buf_put_str(struct buf *b, const char *s) { buf_put(b, s, strlen(s)); }

void buf_put_u8(struct buf *b, uint8_t v) { buf_put(b, &v, 1); }

void buf_put_u16(struct buf *b, uint16_t v) {
    uint8_t be[2];
    put_be16(be, v);
    buf_put(b, be, sizeof be);
}

void buf_put_u32(struct buf *b, uint32_t v) {
    uint8_t be[4];
    put_be32(be, v);
    buf_put(b, be, sizeof be);
}

void buf_put_u64(struct buf *b, uint64_t v) {
    uint8_t be[8];
    put_be64(be, v);
    buf_put(b, be, sizeof be);
}

/* All of it or nothing: a length without its bytes must never stand in a buffer that someone forgot to check. */
static void buf_put_lp(struct buf *b, struct slice s, size_t length_bytes, size_t length_max) {
    size_t need;
    if (s.n > length_max || !add_size(s.n, length_bytes, &need) || buf_room(b, need) == NULL) {
        b->bad = true;
        return;
    }
    if (length_bytes == 2) buf_put_u16(b, (uint16_t)s.n);
    else buf_put_u32(b, (uint32_t)s.n);
    buf_put_slice(b, s);
}

void buf_put_lp16(struct buf *b, struct slice s) { buf_put_lp(b, s, 2, UINT16_MAX); }

void buf_put_lp32(struct buf *b, struct slice s) { buf_put_lp(b, s, 4, UINT32_MAX); }

void buf_put_dec(struct buf *b, uint64_t v) {
    char text[24];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    buf_put(b, text + at, sizeof text - at);
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    size_t size = n < 0 ? 0 : (size_t)n;
    /* One byte more for the zero that vsnprintf writes: with max reached exactly it is written to the side. */
    uint8_t *to = n < 0 ? NULL : buf_room(b, size);
    if (to == NULL) {
        b->bad = true;
    } else if (b->cap - b->n > size) {
        (void)vsnprintf((char *)to, size + 1, fmt, again);
        b->n += size;
    } else {
        char *side = malloc(size + 1);
        if (side == NULL) b->bad = true;
        else {
            (void)vsnprintf(side, size + 1, fmt, again);
            buf_put(b, side, size);
            free(side);
        }
    }
    va_end(again);
}

void buf_drop_front(struct buf *b, size_t n) {
    ASSERT(n <= b->n);
    if (n == 0) return;
    b->n -= n;
    memmove(b->p, b->p + n, b->n);
}
