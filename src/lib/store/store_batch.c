/* SPDX-License-Identifier: Apache-2.0
 * store_batch: the rows one atomic write will change, readable before it is written.
 * Role: the committer folds many commands into one batch; a later command must see the rows of an earlier one.
 * Trusts: the committer. Distrusts: nothing.
 * Spec: src/lib/store/store.h
 */
#include "store/store_internal.h"

#include <stdlib.h>

#define BATCH_SLOTS_MIN 256

struct store_batch *store_batch_new(void) {
    struct store_batch *b = calloc(1, sizeof *b);
    ASSERT(b != NULL);
    b->slot_count = BATCH_SLOTS_MIN;
    b->slots = calloc(b->slot_count, sizeof *b->slots);
    ASSERT(b->slots != NULL);
    return b;
}

void store_batch_free(struct store_batch *b) {
    if (b == NULL) return;
    free(b->ops);
    free(b->slots);
    free(b->data);
    free(b);
}

void store_batch_reset(struct store_batch *b) {
    if (b->op_count > 0) memset(b->slots, 0, b->slot_count * sizeof *b->slots);
    b->op_count = 0;
    b->data_n = 0;
}

size_t store_batch_count(const struct store_batch *b) { return b->op_count; }

/* FNV-1a and a final mix. Names of tenants' objects are in here: a crowded chain costs time in one batch of bounded size. */
static uint64_t batch_hash(uint8_t table, struct slice key) {
    uint64_t h = 1469598103934665603u ^ table;
    for (size_t i = 0; i < key.n; i++) h = (h ^ key.p[i]) * 1099511628211u;
    h ^= h >> 32;
    return h * 0x9e3779b97f4a7c15u;
}

static struct store_op *batch_find(const struct store_batch *b, uint8_t table, struct slice key, uint64_t hash, size_t *slot) {
    size_t mask = b->slot_count - 1;
    size_t i = (size_t)(hash >> 20) & mask;
    for (; b->slots[i] != 0; i = (i + 1) & mask) {
        struct store_op *o = &b->ops[b->slots[i] - 1];
        if (o->hash == hash && o->table == table && slice_eq(store_op_key(b, o), key)) return o;
    }
    *slot = i;
    return NULL;
}

static void batch_grow_slots(struct store_batch *b) {
    free(b->slots);
    b->slot_count *= 2;
    b->slots = calloc(b->slot_count, sizeof *b->slots);
    ASSERT(b->slots != NULL);
    size_t mask = b->slot_count - 1;
    for (size_t k = 0; k < b->op_count; k++) {
        size_t i = (size_t)(b->ops[k].hash >> 20) & mask;
        while (b->slots[i] != 0) i = (i + 1) & mask;
        b->slots[i] = (uint32_t)(k + 1);
    }
}

static size_t batch_store(struct store_batch *b, struct slice key, struct slice value) {
    size_t need = b->data_n + key.n + value.n;
    if (need > b->data_cap) {
        size_t cap = b->data_cap == 0 ? 65536 : b->data_cap;
        while (cap < need) cap *= 2;
        uint8_t *grown = malloc(cap);
        ASSERT(grown != NULL);
        if (b->data_n > 0) memcpy(grown, b->data, b->data_n);
        if (key.n > 0) memcpy(grown + b->data_n, key.p, key.n); /* key or value may lie in the old data */
        if (value.n > 0) memcpy(grown + b->data_n + key.n, value.p, value.n);
        free(b->data);
        b->data = grown;
        b->data_cap = cap;
    } else {
        if (key.n > 0) memcpy(b->data + b->data_n, key.p, key.n);
        if (value.n > 0) memcpy(b->data + b->data_n + key.n, value.p, value.n);
    }
    size_t at = b->data_n;
    b->data_n = need;
    return at;
}

static void batch_set(struct store_batch *b, enum store_table t, struct slice key, struct slice value, bool del) {
    ASSERT(key.n > 0 && key.n <= UINT32_MAX && value.n <= UINT32_MAX);
    uint64_t hash = batch_hash((uint8_t)t, key);
    size_t slot = 0;
    struct store_op *o = batch_find(b, (uint8_t)t, key, hash, &slot);
    if (o == NULL) {
        if (b->op_count == b->op_cap) {
            b->op_cap = b->op_cap == 0 ? 256 : b->op_cap * 2;
            b->ops = realloc(b->ops, b->op_cap * sizeof *b->ops);
            ASSERT(b->ops != NULL);
        }
        b->slots[slot] = (uint32_t)(b->op_count + 1);
        o = &b->ops[b->op_count++];
    }
    *o = (struct store_op){.hash = hash, .at = batch_store(b, key, value), .key_n = (uint32_t)key.n,
                           .value_n = (uint32_t)value.n, .table = (uint8_t)t, .del = del};
    if (b->op_count * 2 > b->slot_count) batch_grow_slots(b);
}

void store_batch_put(struct store_batch *b, enum store_table t, struct slice key, struct slice value) {
    batch_set(b, t, key, value, false);
}

void store_batch_del(struct store_batch *b, enum store_table t, struct slice key) {
    batch_set(b, t, key, (struct slice){0}, true);
}

enum store_seen store_batch_get(const struct store_batch *b, enum store_table t, struct slice key, struct slice *value) {
    size_t slot = 0;
    const struct store_op *o = batch_find(b, (uint8_t)t, key, batch_hash((uint8_t)t, key), &slot);
    if (o == NULL) return STORE_UNTOUCHED;
    if (o->del) return STORE_DELETED;
    *value = store_op_value(b, o);
    return STORE_PUT;
}
