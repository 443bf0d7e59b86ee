/* SPDX-License-Identifier: Apache-2.0
 * Inclusion and consistency proofs: made from the level files, verified against roots.
 * Role: receipts on demand, the steward's publishing, tillit-verify.
 * Trusts: nothing it verifies. Distrusts: proofs, sizes, indexes.
 * Law: 7 (what we claim is checked by others with the same algorithm).
 * Spec: RFC 6962 sections 2.1.1, 2.1.2; RFC 9162 sections 2.1.3.2, 2.1.4.2.
 */
#include "ledger/ledger_tree.h"

/* The largest power of two below n; n >= 2. */
static uint64_t split(uint64_t n)
{
    ASSERT(n >= 2);
    return 1ull << (63 - __builtin_clzll(n - 1));
}

/* The paths are found from the root down and written from the leaf up. */
static void reverse(struct ledger_proof *p)
{
    for (unsigned i = 0, j = p->count; i + 1 < j; i++) {
        uint8_t t[HASH_BYTES];
        j--;
        memcpy(t, p->hash[i], HASH_BYTES);
        memcpy(p->hash[i], p->hash[j], HASH_BYTES);
        memcpy(p->hash[j], t, HASH_BYTES);
    }
}

static enum err add_range(struct ledger_hash *h, const struct ledger_reader *r, uint64_t begin, uint64_t end,
                          struct ledger_proof *out)
{
    ASSERT(out->count < TREE_LEVELS_MAX);
    return ledger_range(h, r, begin, end, out->hash[out->count++]);
}

enum err ledger_inclusion_make(struct ledger_hash *h, const struct ledger_reader *r, uint64_t index, uint64_t size,
                               struct ledger_proof *out)
{
    out->count = 0;
    if (size > LEDGER_SIZE_MAX || index >= size) return ERR_RANGE;
    uint64_t begin = 0, end = size;
    while (end - begin > 1) {
        uint64_t mid = begin + split(end - begin);
        if (index < mid) {
            TRY(add_range(h, r, mid, end, out));
            end = mid;
        } else {
            TRY(add_range(h, r, begin, mid, out));
            begin = mid;
        }
    }
    reverse(out);
    return ERR_OK;
}

enum err ledger_consistency_make(struct ledger_hash *h, const struct ledger_reader *r, uint64_t old_size, uint64_t size,
                                 struct ledger_proof *out)
{
    out->count = 0;
    if (size > LEDGER_SIZE_MAX || old_size == 0 || old_size > size) return ERR_RANGE;
    uint64_t begin = 0, end = size;
    /* While we only went left, the old tree is a subtree whose root the verifier has: `known`. */
    bool known = true;
    while (old_size != end) {
        uint64_t mid = begin + split(end - begin);
        if (old_size <= mid) {
            TRY(add_range(h, r, mid, end, out));
            end = mid;
        } else {
            TRY(add_range(h, r, begin, mid, out));
            begin = mid;
            known = false;
        }
    }
    if (!known) TRY(add_range(h, r, begin, end, out));
    reverse(out);
    return ERR_OK;
}

enum err ledger_inclusion_verify(struct ledger_hash *h, uint64_t index, uint64_t size, const uint8_t leaf_hash[HASH_BYTES],
                                 const struct ledger_proof *proof, const uint8_t root[HASH_BYTES])
{
    if (size > LEDGER_SIZE_MAX || index >= size) return ERR_RANGE;
    if (proof->count > TREE_LEVELS_MAX) return ERR_VERIFY;
    uint64_t fn = index, sn = size - 1;
    uint8_t cur[HASH_BYTES];
    memcpy(cur, leaf_hash, HASH_BYTES);
    for (unsigned i = 0; i < proof->count; i++) {
        if (sn == 0) return ERR_VERIFY;
        if ((fn & 1) || fn == sn) {
            ledger_node_hash(h, proof->hash[i], cur, cur);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            ledger_node_hash(h, cur, proof->hash[i], cur);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && memcmp(cur, root, HASH_BYTES) == 0 ? ERR_OK : ERR_VERIFY;
}

enum err ledger_consistency_verify(struct ledger_hash *h, uint64_t old_size, uint64_t size, const uint8_t old_root[HASH_BYTES],
                                   const uint8_t root[HASH_BYTES], const struct ledger_proof *proof)
{
    if (size > LEDGER_SIZE_MAX || old_size == 0 || old_size > size) return ERR_RANGE;
    if (proof->count > TREE_LEVELS_MAX) return ERR_VERIFY;
    if (old_size == size) return proof->count == 0 && memcmp(old_root, root, HASH_BYTES) == 0 ? ERR_OK : ERR_VERIFY;
    if (proof->count == 0) return ERR_VERIFY;
    /* A power of two: the old root is itself the first hash of the path and is not sent. */
    unsigned next = 0;
    const uint8_t *seed = (old_size & (old_size - 1)) == 0 ? old_root : proof->hash[next++];
    uint64_t fn = old_size - 1, sn = size - 1;
    for (; fn & 1; fn >>= 1) sn >>= 1;
    uint8_t fr[HASH_BYTES], sr[HASH_BYTES];
    memcpy(fr, seed, HASH_BYTES);
    memcpy(sr, seed, HASH_BYTES);
    for (; next < proof->count; next++) {
        const uint8_t *c = proof->hash[next];
        if (sn == 0) return ERR_VERIFY;
        if ((fn & 1) || fn == sn) {
            ledger_node_hash(h, c, fr, fr);
            ledger_node_hash(h, c, sr, sr);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            ledger_node_hash(h, sr, c, sr);
        }
        fn >>= 1;
        sn >>= 1;
    }
    bool ok = sn == 0 && memcmp(fr, old_root, HASH_BYTES) == 0 && memcmp(sr, root, HASH_BYTES) == 0;
    return ok ? ERR_OK : ERR_VERIFY;
}
