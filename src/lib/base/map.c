/* SPDX-License-Identifier: Apache-2.0
 * map: a bounded open-addressing hash map from byte strings to pointers.
 * Role: tables of live things (holds, tickets, access keys, requests).
 * Distrusts: keys, which callers of the service choose: the hash is keyed per process so that nobody can aim at one
 *   chain, and the number of entries has a bound from the start.
 * Spec: SipHash (Aumasson, Bernstein 2012), here with 1 and 3 rounds
 */
#include "base/base.h"

#include <stdlib.h>
#include <sys/auxv.h>

#define MAP_SLOTS_MIN 16
#define MAP_INLINE_BYTES 24 /* identifiers and access keys need no allocation of their own */

struct map_slot {
    uint64_t hash;
    void *value; /* NULL: free */
    size_t key_n;
    union {
        uint8_t bytes[MAP_INLINE_BYTES];
        uint8_t *p;
    } key;
};

struct map {
    struct map_slot *slots;
    size_t slot_count; /* a power of two */
    size_t count, entries_max;
    uint64_t k0, k1;
};

static uint64_t rotate(uint64_t v, int bits) { return v << bits | v >> (64 - bits); }

static uint64_t load_le64(const uint8_t *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static uint64_t map_hash(const struct map *m, struct slice key) {
    uint64_t v[4] = {m->k0 ^ 0x736f6d6570736575u, m->k1 ^ 0x646f72616e646f6du, m->k0 ^ 0x6c7967656e657261u,
                     m->k1 ^ 0x7465646279746573u};
    size_t at = 0;
    for (; key.n - at >= 8; at += 8) {
        uint64_t word = load_le64(key.p + at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)key.n << 56 | load_le64(key.p + at, key.n - at);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct slice slot_key(const struct map_slot *s) {
    return slice_of(s->key_n <= MAP_INLINE_BYTES ? s->key.bytes : s->key.p, s->key_n);
}

/* The kernel's sixteen random bytes of this process: no call that could fail or block, and no argument to forget. */
static void map_seed(struct map *m) {
    const uint8_t *random = (const uint8_t *)getauxval(AT_RANDOM);
    ASSERT(random != NULL);
    uint64_t a = load_le64(random, 8), b = load_le64(random + 8, 8);
    /* The stack protector takes its canary from the same bytes, so they are hashed and not used as they are. */
    struct map keyed = {.k0 = a, .k1 = b};
    m->k0 = map_hash(&keyed, SLICE_LIT("map key 0"));
    m->k1 = map_hash(&keyed, SLICE_LIT("map key 1"));
}

struct map *map_new(size_t entries_max) {
    ASSERT(entries_max > 0 && entries_max < SIZE_MAX / 4 / sizeof(struct map_slot));
    struct map *m = calloc(1, sizeof *m);
    ASSERT(m != NULL);
    m->entries_max = entries_max;
    map_seed(m);
    return m;
}

void map_free(struct map *m) {
    if (m == NULL) return;
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].value != NULL && m->slots[i].key_n > MAP_INLINE_BYTES) free(m->slots[i].key.p);
    }
    free(m->slots);
    free(m);
}

/* The slot that holds key, or the free one where it would go. At least a quarter of the slots is free, so it ends. */
static struct map_slot *map_find(const struct map *m, struct slice key, uint64_t hash) {
    size_t mask = m->slot_count - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct map_slot *s = &m->slots[i];
        if (s->value == NULL || (s->hash == hash && slice_eq(slot_key(s), key))) return s;
    }
}

static bool map_grow(struct map *m) {
    size_t slot_count = m->slot_count == 0 ? MAP_SLOTS_MIN : m->slot_count * 2;
    struct map_slot *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL) return false;
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].value == NULL) continue;
        size_t to = m->slots[i].hash & (slot_count - 1);
        while (slots[to].value != NULL) to = (to + 1) & (slot_count - 1);
        slots[to] = m->slots[i];
    }
    free(m->slots);
    m->slots = slots;
    m->slot_count = slot_count;
    return true;
}

void *map_get(const struct map *m, struct slice key) {
    return m->count == 0 ? NULL : map_find(m, key, map_hash(m, key))->value;
}

enum err map_put(struct map *m, struct slice key, void *value) {
    ASSERT(value != NULL);
    uint64_t hash = map_hash(m, key);
    if (m->count > 0 && map_find(m, key, hash)->value != NULL) return ERR_EXISTS;
    if (m->count >= m->entries_max) return ERR_LIMIT;
    if ((m->count + 1) * 4 > m->slot_count * 3 && !map_grow(m)) return ERR_NOMEM;
    struct map_slot *s = map_find(m, key, hash);
    uint8_t *to = s->key.bytes;
    if (key.n > MAP_INLINE_BYTES) {
        to = malloc(key.n);
        if (to == NULL) return ERR_NOMEM;
        s->key.p = to;
    }
    if (key.n > 0) memcpy(to, key.p, key.n);
    s->key_n = key.n;
    s->hash = hash;
    s->value = value;
    m->count++;
    return ERR_OK;
}

void *map_del(struct map *m, struct slice key) {
    if (m->count == 0) return NULL;
    struct map_slot *s = map_find(m, key, map_hash(m, key));
    void *value = s->value;
    if (value == NULL) return NULL;
    if (s->key_n > MAP_INLINE_BYTES) free(s->key.p);
    /* No tombstones: what was pushed past the hole moves back into it, unless it would leave its own home behind. */
    size_t mask = m->slot_count - 1, hole = (size_t)(s - m->slots);
    for (size_t i = (hole + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole] = (struct map_slot){.value = NULL};
    m->count--;
    return value;
}

size_t map_count(const struct map *m) { return m->count; }

void *map_next(const struct map *m, size_t *cursor, struct slice *key) {
    while (*cursor < m->slot_count) {
        const struct map_slot *s = &m->slots[(*cursor)++];
        if (s->value == NULL) continue;
        if (key != NULL) *key = slot_key(s);
        return s->value;
    }
    return NULL;
}
