/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: proofs as the front meets them. First line: the target; then headers, one a line.
 */
#include "s3/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct s3_target t;
    AUTO(buf) struct buf mem = BUF_INIT(S3_TARGET_BYTES_MAX);
    AUTO(buf) struct buf canon = BUF_INIT(S3_CANONICAL_BYTES_MAX);
    struct s3_header h[S3_HEADERS_MAX];
    struct slice rest = slice_of(data, n), target, line;
    struct s3_auth a;
    struct s3_fault f = {0};
    size_t count = 0;
    rest = slice_cut(rest, '\n', &target);
    while (rest.n && count < S3_HEADERS_MAX) {
        rest = slice_cut(rest, '\n', &line);
        h[count].value = slice_cut(line, ':', &h[count].name);
        count++;
    }
    if (s3_target_parse(target, &mem, &t) != S3E_NONE) return 0;
    enum s3_error e = s3_auth_front(&t, h, count, &a, &f);
    if (e != S3E_NONE) {
        AUTO(buf) struct buf xml = BUF_INIT(65536);
        ASSERT(f.code == e);
        s3_error_xml(&xml, &f, t.path, SLICE_LIT("id"), SLICE_LIT("host"));
        return 0;
    }
    if (a.kind == S3_AUTH_NONE) return 0;
    ASSERT(a.access_key.n > 0 && a.date.n == 8 && a.signature.n == 64);
    ASSERT(s3_is_signed(a.signed_headers, SLICE_LIT("host")));
    for (size_t i = 0; i < count; i++)
        if (s3_unsigned_class(h[i].name) == S3_UNSIGNED_REFUSED) ASSERT(s3_is_signed(a.signed_headers, h[i].name));
    (void)!s3_canon_build(&canon, SLICE_LIT("GET"), &t, h, count, a.signed_headers, SLICE_LIT("UNSIGNED-PAYLOAD"), a.kind == S3_AUTH_QUERY, &f);
    return 0;
}
