/* SPDX-License-Identifier: Apache-2.0
 * recent: the bounded table of recent write leaves.
 * Role: asked by every read before its leaf. Trusts: hold and step to report each write leaf. Distrusts: nothing from outside.
 * Law: 1, 4 (a read stands where its leaf stands). Spec: docs/spec/order.md rule 8.
 */
#include "gate/recent.h"

#include <assert.h>
#include <stdlib.h>

static_assert((RECENT_WRITES_MAX & (RECENT_WRITES_MAX - 1)) == 0, "slots are masked");

struct recent_row {
    uint64_t last;                                 /* number of the newest write leaf of this slot */
    uint32_t unsettled;
};
struct recent {
    uint64_t now;
    uint64_t seed[2];
    struct recent_row rows[RECENT_WRITES_MAX];
};

struct recent *recent_new(const struct rng *rng)
{
    struct recent *r = calloc(1, sizeof *r);
    ASSERT(r);
    rng_fill(rng, r->seed, sizeof r->seed);
    return r;
}

void recent_free(struct recent *r) { free(r); }

static uint64_t recent_mix(uint64_t h, uint64_t v)
{
    h ^= v;
    h *= 0x9fb21c651e98df25ull;
    return h ^ (h >> 32);
}

/* Keyed, so that nobody outside can choose two keys of one slot; a collision costs time, not truth. */
uint32_t recent_slot(const struct recent *r, const uint8_t bucket[ID_BYTES], struct slice key)
{
    uint64_t h = r->seed[0], v;
    for (size_t i = 0; i < ID_BYTES; i += 8) {
        memcpy(&v, bucket + i, 8);
        h = recent_mix(h, v);
    }
    size_t i = 0;
    for (; i + 8 <= key.n; i += 8) {
        memcpy(&v, key.p + i, 8);
        h = recent_mix(h, v);
    }
    v = 0;
    if (i < key.n) memcpy(&v, key.p + i, key.n - i);
    h = recent_mix(h, v);
    h = recent_mix(h, key.n ^ r->seed[1]);
    h = recent_mix(h, h >> 29);
    return (uint32_t)h & (RECENT_WRITES_MAX - 1);
}

uint64_t recent_now(const struct recent *r) { return r->now; }

void recent_appended(struct recent *r, uint32_t slot)
{
    ASSERT(slot < RECENT_WRITES_MAX);
    r->rows[slot].last = ++r->now;
    r->rows[slot].unsettled++;
}

void recent_settled(struct recent *r, uint32_t slot)
{
    ASSERT(slot < RECENT_WRITES_MAX && r->rows[slot].unsettled > 0);
    r->rows[slot].unsettled--;
}

enum recent_answer recent_ask(const struct recent *r, uint32_t slot, uint64_t sent)
{
    ASSERT(slot < RECENT_WRITES_MAX && sent <= r->now);
    if (r->rows[slot].unsettled) return RECENT_UNSETTLED;
    return r->rows[slot].last > sent ? RECENT_SINCE : RECENT_CLEAR;
}
