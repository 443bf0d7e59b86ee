/* SPDX-License-Identifier: Apache-2.0
 * reader: a cursor over bytes that someone else wrote.
 * Role: the first layer of every decoder of wire messages and disk records.
 * Distrusts: every length; it is compared with what is left (`n > end - p`), never added to a pointer first.
 * Spec: src/lib/base/base.h
 */
#include "base/base.h"

/* The one place that moves the cursor: NULL, and bad for ever, when fewer than n bytes are left. */
static const uint8_t *reader_take(struct reader *r, size_t n) {
    if (r->bad || n > (size_t)(r->end - r->p)) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *at = r->p;
    r->p += n;
    return at;
}

uint8_t reader_u8(struct reader *r) {
    const uint8_t *p = reader_take(r, 1);
    return p == NULL ? 0 : p[0];
}

uint16_t reader_u16(struct reader *r) {
    const uint8_t *p = reader_take(r, 2);
    return p == NULL ? 0 : get_be16(p);
}

uint32_t reader_u32(struct reader *r) {
    const uint8_t *p = reader_take(r, 4);
    return p == NULL ? 0 : get_be32(p);
}

uint64_t reader_u64(struct reader *r) {
    const uint8_t *p = reader_take(r, 8);
    return p == NULL ? 0 : get_be64(p);
}

struct slice reader_slice(struct reader *r, size_t n) {
    if (n == 0) return (struct slice){r->bad ? NULL : r->p, 0};
    const uint8_t *p = reader_take(r, n);
    return p == NULL ? (struct slice){NULL, 0} : slice_of(p, n);
}

void reader_fixed(struct reader *r, void *out, size_t n) {
    if (n == 0) return;
    const uint8_t *p = reader_take(r, n);
    if (p == NULL) memset(out, 0, n);
    else memcpy(out, p, n);
}

static struct slice reader_lp(struct reader *r, size_t n, size_t max) {
    if (n > max) r->bad = true;
    return reader_slice(r, n > max ? 0 : n);
}

struct slice reader_lp16(struct reader *r, size_t max) { return reader_lp(r, reader_u16(r), max); }

struct slice reader_lp32(struct reader *r, size_t max) { return reader_lp(r, reader_u32(r), max); }

enum err reader_end(const struct reader *r) {
    if (r->bad) return ERR_TRUNCATED;
    return r->p == r->end ? ERR_OK : ERR_TRAILING;
}
