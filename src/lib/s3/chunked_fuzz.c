/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: aws-chunked framing. First byte: how it is cut and what was promised. However a body is cut, the same data and the
 * same answer must come out.
 */
#include "s3/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum s3_error run(struct slice text, size_t step, const struct s3_body *b, struct buf *out, struct buf *rows)
{
    static struct s3_chunked c;
    s3_chunked_init(&c, b);
    while (text.n) {
        size_t k = MIN(step, text.n);
        struct slice in = slice_of(text.p, k), piece;
        while (in.n) {
            enum s3_error e = s3_chunked_feed(&c, &in, &piece);
            if (c.chunk_whole) {
                buf_put(rows, c.digest, HASH_BYTES);
                buf_put(rows, c.signature, HASH_BYTES);
                c.chunk_whole = false;
            }
            if (e != S3E_NONE) {
                s3_chunked_done(&c);
                return e;
            }
            buf_put_slice(out, piece);
        }
        text = slice_of(text.p + k, text.n - k);
    }
    ASSERT(c.decoded == out->n);
    s3_chunked_done(&c);
    return s3_chunked_end(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2) return 0;
    AUTO(buf) struct buf a = BUF_INIT(n);
    AUTO(buf) struct buf b = BUF_INIT(n);
    AUTO(buf) struct buf rows_a = BUF_INIT(64 * n);
    AUTO(buf) struct buf rows_b = BUF_INIT(64 * n);
    struct s3_body body = {.chunked = true, .length_known = data[0] & 1, .length = data[1], .sum = S3_SUM_CRC32, .sum_in_trailer = data[0] & 2,
                           .chunk_signed = data[0] & 4, .trailer_signed = (data[0] & 12) == 12};
    struct slice text = slice_of(data + 2, n - 2);
    enum s3_error whole = run(text, n, &body, &a, &rows_a), cut = run(text, (size_t)(data[0] >> 4) + 1, &body, &b, &rows_b);
    ASSERT(buf_ok(&a) && buf_ok(&b));
    ASSERT(buf_ok(&rows_a) && buf_ok(&rows_b) && slice_eq(buf_slice(&rows_a), buf_slice(&rows_b)));
    ASSERT(whole == cut && slice_eq(buf_slice(&a), buf_slice(&b)));
    return 0;
}
