/* SPDX-License-Identifier: Apache-2.0
 * Helpers of the room's tests: vector files, and a log whose level files are in memory.
 * Spec: tests/vectors/tlog/README.md
 */
#ifndef TILLIT_LEDGER_TEST_H
#define TILLIT_LEDGER_TEST_H

#include "base/test.h"

#include <stdlib.h>

#include "ledger/ledger.h"

struct test_log {
    struct ledger_hash hash;
    struct ledger_frontier frontier;
    struct buf level[LEDGER_TILE_LEVELS_MAX + 1];
    uint64_t refused;                                 /* reads past what the log has: there must be none */
};

static inline enum err test_log_read(void *ctx, unsigned level, uint64_t index, unsigned count, uint8_t *out)
{
    struct test_log *l = (struct test_log *)ctx;
    const struct buf *b = &l->level[level];
    if (count == 0 || count > TILE_LEAVES || (index + count) * HASH_BYTES > b->n) {
        l->refused++;
        return ERR_MISSING;
    }
    memcpy(out, b->p + index * HASH_BYTES, (size_t)count * HASH_BYTES);
    return ERR_OK;
}

static inline struct ledger_reader test_log_reader(struct test_log *l)
{
    return (struct ledger_reader){test_log_read, l};
}

static inline void test_log_init(struct test_log *l)
{
    *l = (struct test_log){0};
    assert_int_equal(ledger_hash_init(&l->hash), ERR_OK);
    for (unsigned i = 0; i <= LEDGER_TILE_LEVELS_MAX; i++) buf_init(&l->level[i], 16u << 20);
}

static inline void test_log_done(struct test_log *l)
{
    assert_int_equal(l->refused, 0);
    for (unsigned i = 0; i <= LEDGER_TILE_LEVELS_MAX; i++) buf_done(&l->level[i]);
    ledger_hash_done(&l->hash);
}

static inline void test_log_add(struct test_log *l, struct slice leaf)
{
    uint8_t hash[HASH_BYTES], done[LEDGER_TILE_LEVELS_MAX][HASH_BYTES];
    unsigned levels = 0;
    ledger_leaf_hash(&l->hash, leaf, hash);
    ledger_frontier_append(&l->hash, &l->frontier, hash, done, &levels);
    buf_put(&l->level[0], hash, HASH_BYTES);
    for (unsigned i = 0; i < levels; i++) buf_put(&l->level[i + 1], done[i], HASH_BYTES);
}

/* Leaf i of the 300-leaf log in tests/vectors/tlog. */
static inline struct slice test_leaf(unsigned i, uint8_t room[32])
{
    static const char *const classic[] = {"",         "00",       "10",       "2021", "3031", "40414243", "5051525354555657",
                                          "606162636465666768696a6b6c6d6e6f"};
    if (i >= ARRAY_LEN(classic)) {
        int n = snprintf((char *)room, 32, "leaf-%u", i);
        return slice_of(room, (size_t)n);
    }
    size_t n = strlen(classic[i]) / 2;
    assert_int_equal(hex_fixed(slice_str(classic[i]), room, n), ERR_OK);
    return slice_of(room, n);
}

static inline void test_log_golden(struct test_log *l, unsigned size)
{
    uint8_t room[32];
    test_log_init(l);
    for (unsigned i = 0; i < size; i++) test_log_add(l, test_leaf(i, room));
}

#endif
