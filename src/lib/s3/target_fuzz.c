/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: request targets. What parses must survive the way to the gate: built canonical, read again, the same path and
 * parameters, whatever order they came in.
 */
#include "s3/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct s3_target t;
    static struct s3_request r;
    AUTO(buf) struct buf mem = BUF_INIT(S3_TARGET_BYTES_MAX);
    AUTO(buf) struct buf canon = BUF_INIT(S3_CANONICAL_BYTES_MAX);
    AUTO(buf) struct buf gate_mem = BUF_INIT(2 * S3_CANONICAL_BYTES_MAX);
    struct s3_header h = {SLICE_LIT("Host"), SLICE_LIT("b.s3.example:9000")};
    struct slice domain = SLICE_LIT("s3.example");
    struct s3_name name;
    if (s3_target_parse(slice_of(data, n), &mem, &t) != S3E_NONE) return 0;
    ASSERT(t.path.n > 0 && t.path.p[0] == '/');
    if (s3_split(t.path, h.value, &domain, 1, &name) == S3E_NONE) ASSERT(name.virtual_host && name.key.n <= S3_KEY_BYTES_MAX);
    if (s3_split(t.path, h.value, NULL, 0, &name) == S3E_NONE) ASSERT(name.bucket.n > 0 || name.key.n == 0);
    if (s3_canon_build(&canon, SLICE_LIT("GET"), &t, &h, 1, SLICE_LIT("host"), SLICE_LIT("UNSIGNED-PAYLOAD"), false, NULL) != S3E_NONE)
        return 0;                                                 /* percent encoding made it too long */
    ASSERT(s3_canon_parse(buf_slice(&canon), &gate_mem, &r) == ERR_OK);
    ASSERT(slice_eq(r.path, t.path) && r.param_count == t.param_count);
    return 0;
}
