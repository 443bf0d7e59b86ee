/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: lines of an exported log. What is taken has an opening that fits its leaf and comes in order.
 * Spec: docs/spec/export.md
 */
#include "verify/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ledger_hash h;
    const char *why;
    struct verify_export x = {.opening_bytes = BUF_INIT(OPENING_BYTES_MAX)};
    if (n == 0 || ledger_hash_init(&h) != ERR_OK) return 0;
    x.file = fmemopen((void *)(uintptr_t)data, n, "r");
    uint64_t taken = 0;
    while (x.file && verify_export_next(&x, &h, RECORD_LOG_ACCESS | RECORD_LOG_CONTROL, &why) == ERR_OK) {
        taken++;
        ASSERT(x.next == taken && record_opening_check(&h, &x.leaf, &x.opening) == ERR_OK);
    }
    verify_export_close(&x);
    ledger_hash_done(&h);
    return 0;
}
