/* SPDX-License-Identifier: Apache-2.0
 * What a copy says about its source: where it is, which bytes, under which conditions, and what of it is kept.
 * Role: the gate reads the headers of CopyObject and UploadPartCopy.
 * Trusts: nothing. Distrusts: the source's name: it is decoded once and then opaque; the gate judges it like any other read.
 * Spec: S3 API reference (CopyObject, UploadPartCopy).
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

#include <stdio.h>

static enum s3_error bad_source(struct s3_fault *f, const char *why)
{
    s3_fault_add(f, "ArgumentName", SLICE_LIT("x-amz-copy-source"));
    return s3_fault_set(f, S3E_InvalidArgument, why);
}

enum s3_error s3_copy_source(struct slice value, struct buf *mem, struct s3_copy_source *out, struct s3_fault *f)
{
    struct slice path, query, bucket, key;
    *out = (struct s3_copy_source){0};
    value = slice_trim(value);
    if (slice_starts(value, SLICE_LIT("arn:"))) return s3_fault_set(f, S3E_NotImplemented, "Copying from an access point is not implemented");
    if (value.n > 4 * S3_KEY_BYTES_MAX) return s3_fault_set(f, S3E_KeyTooLongError, NULL);   /* every byte escaped is three */
    /* The question mark that counts is the one before versionId: one in a key would be escaped by most clients, not by all. */
    path = value;
    query = slice_of(NULL, 0);
    struct slice tag = SLICE_LIT("?versionId=");
    for (size_t i = 0; i + tag.n <= value.n; i++) {
        if (!slice_eq(slice_of(value.p + i, tag.n), tag)) continue;
        path = slice_of(value.p, i);
        query = slice_of(value.p + i + tag.n, value.n - i - tag.n);
    }
    if (path.n && path.p[0] == '/') path = slice_of(path.p + 1, path.n - 1);
    if (value.n && !buf_room(mem, value.n)) return s3_error_of_err(ERR_NOMEM);
    /* Bucket and key are cut after decoding: clients that escape the whole path escape the slash between them too. */
    if (s3_uri_decode(path, false, mem, &path) != S3E_NONE) return bad_source(f, "Invalid copy source encoding.");
    key = slice_cut(path, '/', &bucket);
    if (!key.p || key.n == 0 || bucket.n == 0) return bad_source(f, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    if (key.n > S3_KEY_BYTES_MAX) return s3_fault_set(f, S3E_KeyTooLongError, NULL);
    if (bucket.n > S3_BUCKET_CHARS_MAX) return bad_source(f, "Invalid copy source bucket name");
    if (query.p) {
        if (s3_uri_decode(query, false, mem, &query) != S3E_NONE) return bad_source(f, "Invalid copy source encoding.");
        if (query.n == 0) return bad_source(f, "Version id cannot be the empty string");
        out->version = query;
    }
    out->bucket = bucket;
    out->key = key;
    return S3E_NONE;
}

enum s3_error s3_copy_range(struct slice value, uint64_t size, uint64_t *first, uint64_t *last, struct s3_fault *f)
{
    struct slice unit, from, to;
    static const char why[] = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                              "zero-based offsets of the first and last bytes to copy";
    value = slice_trim(value);
    to = slice_cut(value, '=', &unit);
    if (!to.p || !slice_is(unit, "bytes")) return s3_bad_argument(f, "x-amz-copy-source-range", value, why);
    to = slice_cut(to, '-', &from);
    if (!to.p || slice_u64(from, INT64_MAX, first) != ERR_OK || slice_u64(to, INT64_MAX, last) != ERR_OK || *last < *first)
        return s3_bad_argument(f, "x-amz-copy-source-range", value, why);
    if (*last < size) return S3E_NONE;
    char text[24];
    s3_fault_add(f, "RangeRequested", value);
    snprintf(text, sizeof text, "%llu", (unsigned long long)size);
    s3_fault_add(f, "ActualObjectSize", slice_str(text));
    return s3_fault_set(f, S3E_InvalidRange, NULL);
}

void s3_copy_conditions_of(const struct s3_header *h, size_t n, struct s3_conditions *out)
{
    *out = (struct s3_conditions){
        .if_match = s3_header_value(h, n, "x-amz-copy-source-if-match"),
        .if_none_match = s3_header_value(h, n, "x-amz-copy-source-if-none-match"),
        .if_modified_since = s3_header_value(h, n, "x-amz-copy-source-if-modified-since"),
        .if_unmodified_since = s3_header_value(h, n, "x-amz-copy-source-if-unmodified-since"),
    };
}

enum s3_error s3_condition_copy(const struct s3_conditions *c, struct slice etag, uint64_t mtime_ms, const char **condition)
{
    static const struct {
        const char *read, *copy;
    } names[] = {
        {"If-Match", "x-amz-copy-source-If-Match"},
        {"If-None-Match", "x-amz-copy-source-If-None-Match"},
        {"If-Modified-Since", "x-amz-copy-source-If-Modified-Since"},
        {"If-Unmodified-Since", "x-amz-copy-source-If-Unmodified-Since"},
    };
    const char *failed = NULL;
    if (s3_condition_read(c, etag, mtime_ms, &failed) == S3E_NONE) return S3E_NONE;
    for (size_t i = 0; i < ARRAY_LEN(names) && condition; i++)
        if (failed && strcmp(failed, names[i].read) == 0) *condition = names[i].copy;
    return S3E_PreconditionFailed;
}

enum s3_error s3_directive(const struct s3_header *h, size_t n, const char *name, bool *replace, struct s3_fault *f)
{
    struct slice v = s3_header_value(h, n, name);
    *replace = slice_is(v, "REPLACE");
    if (!v.p || *replace || slice_is(v, "COPY")) return S3E_NONE;
    return s3_bad_argument(f, name, v, "Unknown directive");
}
