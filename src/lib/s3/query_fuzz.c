/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: bodies of IAM and STS calls, tags in a header, copy sources. First byte: which.
 */
#include "s3/s3_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void call(struct slice s)
{
    struct s3_param p[S3_QUERY_BODY_PARAMS_MAX];
    AUTO(buf) struct buf mem = BUF_INIT(FORM_BYTES_MAX + 1);
    size_t n;
    if (s3_query_body(s, &mem, p, ARRAY_LEN(p), &n) != S3E_NONE) return;
    for (size_t i = 0; i < n; i++) ASSERT(slice_is_utf8(p[i].name) && slice_is_utf8(p[i].value));
}

static void tags(struct slice s)
{
    AUTO(buf) struct buf one = BUF_INIT(4 * S3_TAGGING_BYTES_MAX);
    AUTO(buf) struct buf two = BUF_INIT(4 * S3_TAGGING_BYTES_MAX);
    AUTO(buf) struct buf mem = BUF_INIT(4 * S3_TAGGING_BYTES_MAX);
    size_t count, again;
    struct slice query, key, value;
    if (s3_tags_query(s, S3_TAGS_MAX, &one, &count, NULL) != S3E_NONE) return;
    if (one.n > S3_TAGGING_BYTES_MAX) return;
    enum s3_error e = s3_tags_query(buf_slice(&one), S3_TAGS_MAX, &two, &again, NULL);
    ASSERT(e == S3E_NONE && again == count && slice_eq(buf_slice(&one), buf_slice(&two)));
    query = buf_slice(&one);
    while (s3_tags_next(&query, &mem, &key, &value)) count--;
    ASSERT(count == 0);
}

static void copy(struct slice s)
{
    AUTO(buf) struct buf mem = BUF_INIT(1 << 17);
    struct s3_copy_source c;
    uint64_t first, last;
    if (s3_copy_source(s, &mem, &c, NULL) == S3E_NONE)
        ASSERT(c.bucket.n > 0 && c.key.n > 0 && c.key.n <= S3_KEY_BYTES_MAX && slice_is_utf8(c.key) && (!c.version.p || c.version.n > 0));
    if (s3_copy_range(s, 1000, &first, &last, NULL) == S3E_NONE) ASSERT(first <= last && last < 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1) return 0;
    struct slice s = slice_of(data + 1, n - 1);
    if (data[0] % 3 == 0) call(s);
    else if (data[0] % 3 == 1) tags(s);
    else copy(s);
    return 0;
}
