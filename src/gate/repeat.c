/* SPDX-License-Identifier: Apache-2.0
 * repeat: the tables of seen signatures.
 * Role: asked once per verified request. Trusts: the signature was verified before. Distrusts: how many there are.
 * Law: 3. Spec: docs/spec/order.md, section repeats.
 */
#include "gate/repeat.h"

#include <assert.h>
#include <stdlib.h>

static_assert((GATE_REPEATS_READ_MAX & (GATE_REPEATS_READ_MAX - 1)) == 0, "slots are masked");
static_assert((GATE_REPEATS_MAX & (GATE_REPEATS_MAX - 1)) == 0, "the table grows by doubling up to this");

#define REPEATS_FIRST 1024

/* Signatures are HMAC values: nobody without a key chooses their bits, so 16 of the 32 bytes name one. */
struct repeat_row {
    uint8_t name[ID_BYTES];
    uint64_t since_ms;                             /* 0: empty */
    uint32_t count;
};
struct repeats {
    struct repeat_row *rows;                       /* open addressing, exact */
    size_t cap, used;
    unsigned rebuilds;
    uint64_t forgot_ms;
    struct repeat_row reads[GATE_REPEATS_READ_MAX];
};

struct repeats *repeats_new(const struct rng *rng)
{
    (void)rng;
    struct repeats *r = calloc(1, sizeof *r);
    ASSERT(r);
    r->cap = REPEATS_FIRST;
    r->rows = calloc(r->cap, sizeof *r->rows);
    ASSERT(r->rows);
    return r;
}

void repeats_free(struct repeats *r)
{
    if (!r) return;
    free(r->rows);
    free(r);
}

uint64_t repeats_forgot_ms(const struct repeats *r) { return r->forgot_ms; }

static size_t repeat_hash(const uint8_t name[ID_BYTES])
{
    uint64_t v;
    memcpy(&v, name, 8);
    return (size_t)(v * 0x9e3779b97f4a7c15ull >> 20);
}

static struct repeat_row *repeat_find(struct repeat_row *rows, size_t cap, const uint8_t name[ID_BYTES])
{
    for (size_t i = repeat_hash(name);; i++) {
        struct repeat_row *row = &rows[i & (cap - 1)];
        if (!row->since_ms || memcmp(row->name, name, ID_BYTES) == 0) return row;
    }
}

static bool repeat_old(const struct repeat_row *row, uint64_t now_ms)
{
    return row->since_ms + 2 * GATE_REPEAT_MS < now_ms;
}

/* Leaves the old ones out; doubles when more than half of what stays would fill the table. At the bound the older half of the time
 * that is in the table goes, or, if all came at once, a random half: counting stays exact for the newest, and the next rebuild is far away. */
static void repeat_rebuild(struct repeats *r, uint64_t now_ms)
{
    size_t live = 0;
    uint64_t oldest = now_ms;
    for (size_t i = 0; i < r->cap; i++) {
        if (!r->rows[i].since_ms || repeat_old(&r->rows[i], now_ms)) continue;
        live++;
        oldest = MIN(oldest, r->rows[i].since_ms);
    }
    size_t cap = r->cap;
    while (cap < GATE_REPEATS_MAX && live * 4 > cap) cap *= 2;
    uint64_t not_before = live * 2 > cap ? oldest + (now_ms - oldest) / 2 : 0;
    size_t newer = 0;
    for (size_t i = 0; i < r->cap; i++) newer += r->rows[i].since_ms && r->rows[i].since_ms >= not_before;
    bool halve = not_before && newer * 2 > cap;
    unsigned bit = r->rebuilds++ % (8 * ID_BYTES);   /* another one each time, or the same half would stay for ever */
    struct repeat_row *rows = calloc(cap, sizeof *rows);
    if (!rows) return;                             /* memory is short: go on with the crowded table */
    size_t used = 0;
    for (size_t i = 0; i < r->cap; i++) {
        struct repeat_row *old = &r->rows[i];
        if (!old->since_ms || repeat_old(old, now_ms)) continue;
        /* Half by a bit of the name, not by its place: what stays must stay spread. */
        if (old->since_ms < not_before || (halve && (old->name[bit / 8] >> bit % 8 & 1))) {
            r->forgot_ms = MAX(r->forgot_ms, old->since_ms);
            continue;
        }
        *repeat_find(rows, cap, old->name) = *old;
        used++;
    }
    free(r->rows);
    r->rows = rows;
    r->cap = cap;
    r->used = used;
}

static uint32_t repeat_read(struct repeats *r, const uint8_t *name, uint64_t now_ms)
{
    struct repeat_row *row = &r->reads[repeat_hash(name) & (GATE_REPEATS_READ_MAX - 1)];
    if (row->since_ms && !repeat_old(row, now_ms) && memcmp(row->name, name, ID_BYTES) == 0) return ++row->count;
    memcpy(row->name, name, ID_BYTES);
    row->since_ms = now_ms;
    return row->count = 1;
}

uint32_t repeat_count(struct repeats *r, const uint8_t signature[HASH_BYTES], bool changes_state, uint64_t now_ms)
{
    ASSERT(now_ms > 0);
    if (BREAK("repeat-uncounted")) return 1;
    if (!changes_state) return repeat_read(r, signature, now_ms);
    if (r->used * 4 >= r->cap * 3) repeat_rebuild(r, now_ms);
    struct repeat_row *row = repeat_find(r->rows, r->cap, signature);
    if (row->since_ms && !repeat_old(row, now_ms)) return ++row->count;
    if (!row->since_ms) {
        if (r->used + 1 >= r->cap) {               /* only when memory is short: a free slot must remain */
            r->forgot_ms = MAX(r->forgot_ms, now_ms);
            return 1;
        }
        r->used++;
    }
    memcpy(row->name, signature, ID_BYTES);
    row->since_ms = now_ms;
    return row->count = 1;
}
