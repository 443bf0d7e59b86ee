/* SPDX-License-Identifier: Apache-2.0
 * Parameters and headers of single operations: listings, tokens, response overrides, user metadata.
 * Role: the gate reads them from the canonical request; the front uses the same when it writes the answer.
 * Trusts: nothing. Distrusts: every value.
 * Spec: S3 API reference of each operation.
 */
#include "s3/s3_inner.h"

struct slice s3_param_value(const struct s3_param *p, size_t n, const char *name)
{
    const struct s3_param *x = s3_param_find(p, n, name);
    if (!x) return slice_of(NULL, 0);
    return x->value.p ? x->value : slice_of("", 0);
}

enum s3_error s3_bad_argument(struct s3_fault *f, const char *name, struct slice value, const char *why)
{
    s3_fault_add(f, "ArgumentName", slice_str(name));
    s3_fault_add(f, "ArgumentValue", value);
    return s3_fault_set(f, S3E_InvalidArgument, why);
}

enum s3_error s3_list_args(const struct s3_param *p, size_t n, struct s3_list_args *out, struct s3_fault *f)
{
    struct slice type = s3_param_value(p, n, "list-type"), max = s3_param_value(p, n, "max-keys");
    struct slice encoding = s3_param_value(p, n, "encoding-type"), owner = s3_param_value(p, n, "fetch-owner");
    uint64_t count = S3_LIST_KEYS_MAX;
    *out = (struct s3_list_args){.v2 = type.p != NULL};
    if (type.p && !slice_is(type, "2")) return s3_bad_argument(f, "list-type", type, "list-type must be 2");
    if (max.n && slice_u64(max, INT32_MAX, &count) != ERR_OK)
        return s3_bad_argument(f, "max-keys", max, "max-keys must be an integer between 0 and 2147483647");
    out->max_keys = (uint32_t)MIN(count, (uint64_t)S3_LIST_KEYS_MAX);
    if (encoding.n && !slice_is(encoding, "url"))
        return s3_bad_argument(f, "encoding-type", encoding, "Invalid Encoding Method specified in Request");
    out->url = encoding.n > 0;
    out->fetch_owner = !out->v2 || slice_is(owner, "true");
    out->prefix = s3_param_value(p, n, "prefix");
    out->delimiter = s3_param_value(p, n, "delimiter");
    if (out->prefix.n > S3_KEY_BYTES_MAX || out->delimiter.n > S3_KEY_BYTES_MAX)
        return s3_fault_set(f, S3E_KeyTooLongError, NULL);
    if (!out->v2) {
        out->marker = s3_param_value(p, n, "marker");
        return out->marker.n > S3_KEY_BYTES_MAX ? s3_fault_set(f, S3E_KeyTooLongError, NULL) : S3E_NONE;
    }
    out->start_after = s3_param_value(p, n, "start-after");
    out->token = s3_param_value(p, n, "continuation-token");
    out->has_start_after = out->start_after.p != NULL;
    out->has_token = out->token.p != NULL;
    if (out->start_after.n > S3_KEY_BYTES_MAX) return s3_fault_set(f, S3E_KeyTooLongError, NULL);
    if (out->token.n > 2 * S3_TOKEN_CHARS_MAX)
        return s3_bad_argument(f, "continuation-token", SLICE_LIT(""), "The continuation token provided is incorrect");
    return S3E_NONE;
}

enum s3_error s3_buckets_args(const struct s3_param *p, size_t n, struct s3_buckets_args *out, struct s3_fault *f)
{
    struct slice max = s3_param_value(p, n, "max-buckets");
    uint64_t count = S3_BUCKETS_PAGE_MAX;
    *out = (struct s3_buckets_args){.prefix = s3_param_value(p, n, "prefix"), .token = s3_param_value(p, n, "continuation-token"),
                                    .region = s3_param_value(p, n, "bucket-region")};
    out->paged = max.p || out->prefix.p || out->token.p || out->region.p;
    if (max.p && (slice_u64(max, S3_BUCKETS_PAGE_MAX, &count) != ERR_OK || count == 0))
        return s3_bad_argument(f, "max-buckets", max, "max-buckets must be an integer between 1 and 10000");
    if (out->token.n > 2 * S3_TOKEN_CHARS_MAX)
        return s3_bad_argument(f, "continuation-token", SLICE_LIT(""), "The continuation token provided is incorrect");
    out->max_buckets = (uint32_t)count;
    return S3E_NONE;
}

enum s3_error s3_token_decode(struct slice text, struct buf *out)
{
    return text.n <= 2 * S3_TOKEN_CHARS_MAX && base64url_decode(text, out) == ERR_OK ? S3E_NONE : S3E_InvalidArgument;
}

enum s3_error s3_overrides(const struct s3_param *p, size_t n, struct s3_override out[S3_OVERRIDES], size_t *count)
{
    static const struct {
        const char *param, *header;
    } rows[S3_OVERRIDES] = {
        {"response-content-type", "Content-Type"},
        {"response-content-language", "Content-Language"},
        {"response-expires", "Expires"},
        {"response-cache-control", "Cache-Control"},
        {"response-content-disposition", "Content-Disposition"},
        {"response-content-encoding", "Content-Encoding"},
    };
    *count = 0;
    for (size_t i = 0; i < S3_OVERRIDES; i++) {
        const struct s3_param *x = s3_param_find(p, n, rows[i].param);
        if (!x) continue;
        if (!s3_value_ok(x->value)) return S3E_InvalidArgument;   /* a line break here would split the answer */
        out[(*count)++] = (struct s3_override){rows[i].header, x->value};
    }
    return S3E_NONE;
}

enum s3_error s3_meta_check(const struct s3_header *h, size_t n, struct s3_fault *f)
{
    struct slice prefix = SLICE_LIT("x-amz-meta-");
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (h[i].name.n < prefix.n || !slice_ieq(slice_of(h[i].name.p, prefix.n), prefix)) continue;
        if (!add_size(total, h[i].name.n - prefix.n + slice_trim(h[i].value).n, &total)) total = SIZE_MAX;
    }
    if (total <= S3_USER_META_BYTES_MAX) return S3E_NONE;
    s3_fault_add(f, "MaxSizeAllowed", SLICE_LIT("2048"));
    return s3_fault_set(f, S3E_MetadataTooLarge, NULL);
}
