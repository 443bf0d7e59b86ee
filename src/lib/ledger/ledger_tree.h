/* SPDX-License-Identifier: Apache-2.0
 * What the room's files share about subtrees; not for other rooms.
 * Spec: docs/spec/log.md
 */
#ifndef TILLIT_LEDGER_TREE_H
#define TILLIT_LEDGER_TREE_H

#include "ledger/ledger.h"

#define TILE_BITS 8
_Static_assert(TILE_LEAVES == 1 << TILE_BITS, "a tile is eight levels of the tree");

/* The root of the full subtree number `index` of 2^bits leaves. */
MUST_USE enum err ledger_subtree(struct ledger_hash *h, const struct ledger_reader *r, unsigned bits, uint64_t index,
                                 uint8_t out[HASH_BYTES]);
/* MTH(D[begin:end]) for a range that the RFC's splits produce: begin is a multiple of a power of two >= end - begin. */
MUST_USE enum err ledger_range(struct ledger_hash *h, const struct ledger_reader *r, uint64_t begin, uint64_t end,
                               uint8_t out[HASH_BYTES]);
#endif
