/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: tlog-proofs. What is read must be written back the same.
 * Spec: C2SP tlog-proof.
 */
#include "ledger/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ledger_tlog_proof p;
    if (ledger_tlog_proof_parse(slice_of(data, n), &p) != ERR_OK) return 0;
    AUTO(buf) struct buf out = BUF_INIT(LEDGER_TLOG_PROOF_BYTES_MAX);
    ledger_tlog_proof_format(&p, &out);
    ASSERT(slice_eq(buf_slice(&out), slice_of(data, n)));
    return 0;
}
