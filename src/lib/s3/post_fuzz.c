/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: a form's fields and its policy. The first two bytes are the length of the fields' list, the rest is the policy. A form that
 * is accepted has every field covered: with one more field it is not.
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct s3_post post;
    if (n < 2) return 0;
    size_t size = MIN((size_t)get_be16(data), n - 2);
    struct slice fields = slice_of(data + 2, size), policy = slice_of(data + 2 + size, n - 2 - size), bucket = SLICE_LIT("b");
    AUTO(buf) struct buf mem = BUF_INIT(1 << 18);
    struct s3_fault f = {0};
    if (s3_post_read(fields, bucket, true, &mem, &post, &f) != S3E_NONE) return 0;
    ASSERT(post.key.n > 0 && post.key.n <= S3_KEY_BYTES_MAX && slice_is_utf8(post.key));
    ASSERT(post.status == 200 || post.status == 201 || post.status == 204);
    for (size_t i = 0; i < post.header_count; i++) ASSERT(s3_value_ok(post.headers[i].value));
    ASSERT(!post.redirect.p || s3_value_ok(post.redirect));
    if (!post.signed_form || s3_post_policy(policy, fields, bucket, 1000, &post, &f) != S3E_NONE) return 0;
    ASSERT(post.size_min <= INT64_MAX && post.size_max <= S3_PUT_BYTES_MAX);
    AUTO(buf) struct buf more = BUF_INIT(1 << 17);
    buf_put_slice(&more, fields);
    buf_put_lp16(&more, SLICE_LIT("x-amz-meta-nobody-named-this"));
    buf_put_lp16(&more, SLICE_LIT(""));
    enum s3_error e = s3_post_policy(policy, buf_slice(&more), bucket, 1000, &post, NULL);
    bool named = memmem(policy.p, policy.n, "nobody", 6) || memchr(policy.p, '\\', policy.n);
    ASSERT(named || e == S3E_AccessDenied);
    return 0;
}
