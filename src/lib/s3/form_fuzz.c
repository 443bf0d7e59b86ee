/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: upload forms with the boundary XX. First byte: how the body is cut; the result must be that of the whole body, and what is
 * found must be readable as fields.
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum s3_error run(struct slice body, size_t step, struct buf *file, struct buf *fields)
{
    enum s3_error e;
    struct s3_form *f = s3_form_new(SLICE_LIT("multipart/form-data; boundary=XX"), &e);
    if (!f) return S3E_SlowDown;
    for (size_t at = 0; at < body.n && e == S3E_NONE; at += step) {
        struct slice in = slice_of(body.p + at, MIN(step, body.n - at)), piece;
        do {
            e = s3_form_feed(f, &in, &piece);
            if (e == S3E_NONE) buf_put_slice(file, piece);
        } while (e == S3E_NONE && (in.n || piece.n));
    }
    if (e == S3E_NONE) e = s3_form_end(f);
    buf_put_slice(fields, s3_form_fields(f));
    s3_form_free(f);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1) return 0;
    struct slice body = slice_of(data + 1, n - 1), name, value;
    AUTO(buf) struct buf file1 = BUF_INIT(n + 1);
    AUTO(buf) struct buf file2 = BUF_INIT(n + 1);
    AUTO(buf) struct buf fields1 = BUF_INIT(FORM_BYTES_MAX);
    AUTO(buf) struct buf fields2 = BUF_INIT(FORM_BYTES_MAX);
    enum s3_error e1 = run(body, n, &file1, &fields1), e2 = run(body, (size_t)data[0] % 37 + 1, &file2, &fields2);
    ASSERT(e1 == e2 && buf_ok(&file1) && buf_ok(&file2));
    if (e1 != S3E_NONE) return 0;
    ASSERT(slice_eq(buf_slice(&file1), buf_slice(&file2)) && slice_eq(buf_slice(&fields1), buf_slice(&fields2)));
    struct reader r = reader_of(buf_slice(&fields1));
    while (s3_field_next(&r, &name, &value)) ASSERT(name.n > 0);
    ASSERT(reader_end(&r) == ERR_OK && s3_field(buf_slice(&fields1), "file").p);
    return 0;
}
