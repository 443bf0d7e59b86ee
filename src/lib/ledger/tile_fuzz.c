/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: tile paths and entry bundles. A path that is read is the only spelling of its tile.
 * Spec: C2SP tlog-tiles.
 */
#include "ledger/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ledger_tile t;
    if (ledger_tile_parse(slice_of(data, n), &t) == ERR_OK) {
        AUTO(buf) struct buf out = BUF_INIT(LEDGER_TILE_PATH_BYTES_MAX);
        ledger_tile_format(&t, &out);
        ASSERT(slice_eq(buf_slice(&out), slice_of(data, n)));
        uint64_t offset, bytes;
        if (!t.entries && ledger_tile_range(&t, &offset, &bytes) == ERR_OK) ASSERT(bytes <= TILE_LEAVES * HASH_BYTES);
    }
    if (n == 0) return 0;
    struct slice entry[TILE_LEAVES];
    unsigned count = data[0] + 1u;
    if (ledger_bundle_split(slice_of(data + 1, n - 1), count, entry) == ERR_OK) {
        size_t sum = 0;
        for (unsigned i = 0; i < count; i++) sum += 2 + entry[i].n;
        ASSERT(sum == n - 1);
    }
    return 0;
}
