/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: canonical requests. What the gate takes is exactly what is written from its reading; and the proof, the operation
 * and the parameters are then read from it without harm.
 */
#include "s3/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct s3_request r;
    AUTO(buf) struct buf mem = BUF_INIT(2 * S3_CANONICAL_BYTES_MAX);
    AUTO(buf) struct buf again = BUF_INIT(S3_CANONICAL_BYTES_MAX);
    struct s3_auth a;
    struct s3_fault f = {0};
    struct s3_name name;
    struct s3_list_args list;
    struct s3_buckets_args buckets;
    struct s3_body body;
    struct s3_override overrides[S3_OVERRIDES];
    enum s3_op op;
    size_t count;
    if (s3_canon_parse(slice_of(data, n), &mem, &r) != ERR_OK) return 0;
    s3_canon_write(&again, r.method, r.path, r.params, r.param_count, r.headers, r.header_count, r.signed_headers, r.payload_hash);
    ASSERT(slice_eq(buf_slice(&again), slice_of(data, n)));
    for (size_t i = 0; i < r.header_count; i++) ASSERT(s3_is_signed(r.signed_headers, r.headers[i].name));
    for (enum s3_auth_kind kind = S3_AUTH_NONE; kind <= S3_AUTH_QUERY; kind++) {
        enum s3_error e = s3_auth_gate(kind, SLICE_LIT("AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"),
                                       SLICE_LIT("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"), &r, &a, &f);
        if (e != S3E_NONE || kind == S3_AUTH_NONE) continue;
        ASSERT(s3_is_signed(r.signed_headers, SLICE_LIT("host")));
        (void)!s3_auth_check_time(&a, 1369353600000, &f);
    }
    if (s3_split(r.path, slice_of("", 0), NULL, 0, &name) != S3E_NONE) return 0;
    (void)!s3_op_resolve(r.method, &name, r.params, r.param_count, r.headers, r.header_count, &op, &f);
    (void)!s3_list_args(r.params, r.param_count, &list, &f);
    (void)!s3_buckets_args(r.params, r.param_count, &buckets, &f);
    (void)!s3_overrides(r.params, r.param_count, overrides, &count);
    (void)!s3_body_read(r.headers, r.header_count, r.payload, &body, &f);
    (void)!s3_meta_check(r.headers, r.header_count, &f);
    return 0;
}
