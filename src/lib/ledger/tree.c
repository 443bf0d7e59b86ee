/* SPDX-License-Identifier: Apache-2.0
 * The frontier (append, root, persisted form) and hashes of subtrees read from the level files.
 * Role: the gate appends with it; recovery, proofs and verifiers read with it.
 * Trusts: the level files' reader for its answer's length. Distrusts: persisted sizes and hash counts.
 * Spec: docs/spec/log.md; RFC 6962 section 2.1.
 */
#include "ledger/ledger_tree.h"

void ledger_frontier_init(struct ledger_frontier *f)
{
    *f = (struct ledger_frontier){0};
}

void ledger_frontier_append(struct ledger_hash *h, struct ledger_frontier *f, const uint8_t leaf_hash[HASH_BYTES],
                            uint8_t level_hashes[LEDGER_TILE_LEVELS_MAX][HASH_BYTES], unsigned *level_count)
{
    ASSERT(f->size < LEDGER_SIZE_MAX);
    ASSERT((level_hashes == NULL) == (level_count == NULL));
    uint8_t cur[HASH_BYTES];
    memcpy(cur, leaf_hash, HASH_BYTES);
    unsigned k = 0, levels = 0;
    for (; f->size >> k & 1; k++) {
        ledger_node_hash(h, f->hash[k], cur, cur);
        if ((k + 1) % TILE_BITS != 0) continue;
        ASSERT(levels < LEDGER_TILE_LEVELS_MAX);
        if (level_hashes != NULL) memcpy(level_hashes[levels], cur, HASH_BYTES);
        levels++;
    }
    memcpy(f->hash[k], cur, HASH_BYTES);
    f->size++;
    if (level_count != NULL) *level_count = levels;
}

void ledger_frontier_root(struct ledger_hash *h, const struct ledger_frontier *f, uint8_t out[HASH_BYTES])
{
    if (f->size == 0) {
        ledger_empty_root(h, out);
        return;
    }
    unsigned k = (unsigned)__builtin_ctzll(f->size);
    memcpy(out, f->hash[k], HASH_BYTES);
    for (k++; k < TREE_LEVELS_MAX; k++)
        if (f->size >> k & 1) ledger_node_hash(h, f->hash[k], out, out);
}

void ledger_frontier_put(const struct ledger_frontier *f, struct buf *out)
{
    buf_put_u64(out, f->size);
    for (unsigned k = TREE_LEVELS_MAX; k-- > 0;)
        if (f->size >> k & 1) buf_put(out, f->hash[k], HASH_BYTES);
}

enum err ledger_frontier_from_hashes(uint64_t size, struct slice hashes, struct ledger_frontier *f)
{
    ledger_frontier_init(f);
    if (size > LEDGER_SIZE_MAX) return ERR_RANGE;
    if (hashes.n != (size_t)__builtin_popcountll(size) * HASH_BYTES) return ERR_INPUT;
    f->size = size;
    struct reader r = reader_of(hashes);
    for (unsigned k = TREE_LEVELS_MAX; k-- > 0;)
        if (size >> k & 1) reader_fixed(&r, f->hash[k], HASH_BYTES);
    return reader_end(&r);
}

enum err ledger_frontier_get(struct reader *r, struct ledger_frontier *f)
{
    uint64_t size = reader_u64(r);
    struct slice hashes = reader_slice(r, (size_t)__builtin_popcountll(size) * HASH_BYTES);
    ledger_frontier_init(f);
    if (r->bad) return ERR_TRUNCATED;
    return ledger_frontier_from_hashes(size, hashes, f);
}

enum err ledger_subtree(struct ledger_hash *h, const struct ledger_reader *r, unsigned bits, uint64_t index,
                        uint8_t out[HASH_BYTES])
{
    /* The nearest level below that is on file, then at most seven rounds of pairing. */
    unsigned level = bits / TILE_BITS, count = 1u << (bits % TILE_BITS);
    uint8_t hashes[TILE_LEAVES / 2][HASH_BYTES];
    ASSERT(bits < TREE_LEVELS_MAX && count <= TILE_LEAVES / 2);
    TRY(r->read(r->ctx, level, index * count, count, hashes[0]));
    for (; count > 1; count /= 2)
        for (unsigned i = 0; i < count / 2; i++) ledger_node_hash(h, hashes[2 * i], hashes[2 * i + 1], hashes[i]);
    memcpy(out, hashes[0], HASH_BYTES);
    return ERR_OK;
}

enum err ledger_range(struct ledger_hash *h, const struct ledger_reader *r, uint64_t begin, uint64_t end, uint8_t out[HASH_BYTES])
{
    ASSERT(begin < end);
    /* RFC 6962 splits at the largest power of two below the width, so a range is the full subtrees of its width's
     * binary digits, largest first; hashing goes from the smallest (last) to the largest. */
    uint64_t width = end - begin;
    bool first = true;
    for (unsigned k = 0; k < TREE_LEVELS_MAX; k++) {
        if (!(width >> k & 1)) continue;
        end -= 1ull << k;
        ASSERT((end & ((1ull << k) - 1)) == 0);
        uint8_t part[HASH_BYTES];
        TRY(ledger_subtree(h, r, k, end >> k, part));
        if (first)
            memcpy(out, part, HASH_BYTES);
        else
            ledger_node_hash(h, part, out, out);
        first = false;
    }
    ASSERT(end == begin);
    return ERR_OK;
}

enum err ledger_frontier_rebuild(struct ledger_hash *h, const struct ledger_reader *r, uint64_t size, struct ledger_frontier *f)
{
    ledger_frontier_init(f);
    if (size > LEDGER_SIZE_MAX) return ERR_RANGE;
    for (unsigned k = TREE_LEVELS_MAX; k-- > 0;) {
        if (!(size >> k & 1)) continue;
        /* The subtree of bit k begins after those of the higher bits. */
        TRY(ledger_subtree(h, r, k, (size >> k) - 1, f->hash[k]));
    }
    f->size = size;
    return ERR_OK;
}

enum err ledger_root_at(struct ledger_hash *h, const struct ledger_reader *r, uint64_t size, uint8_t out[HASH_BYTES])
{
    struct ledger_frontier f;
    TRY(ledger_frontier_rebuild(h, r, size, &f));
    ledger_frontier_root(h, &f, out);
    return ERR_OK;
}
