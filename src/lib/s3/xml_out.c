/* SPDX-License-Identifier: Apache-2.0
 * The XML answers of S3, written row by row.
 * Role: the front writes listings from the gate's rows; the gate writes small documents.
 * Trusts: its caller for order. Distrusts: names and keys: everything is escaped.
 * Spec: S3 API reference, response syntax of each operation.
 */
#include "s3/s3.h"

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define XML_NS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"

static void open_tag(struct buf *out, const char *name)
{
    buf_put_u8(out, '<');
    buf_put_str(out, name);
    buf_put_u8(out, '>');
}

static void close_tag(struct buf *out, const char *name)
{
    buf_put_str(out, "</");
    buf_put_str(out, name);
    buf_put_u8(out, '>');
}

static void element(struct buf *out, const char *name, struct slice text)
{
    open_tag(out, name);
    s3_put_xml(out, text);
    close_tag(out, name);
}

static void element_str(struct buf *out, const char *name, const char *text) { element(out, name, slice_str(text)); }

static void element_dec(struct buf *out, const char *name, uint64_t v)
{
    open_tag(out, name);
    buf_put_dec(out, v);
    close_tag(out, name);
}

static void element_time(struct buf *out, const char *name, uint64_t ms)
{
    char text[TIME_TEXT_MAX];
    time_iso8601(ms, text);
    element_str(out, name, text);
}

static void element_owner(struct buf *out, struct slice owner)
{
    open_tag(out, "Owner");
    element(out, "ID", owner);
    element(out, "DisplayName", owner);
    close_tag(out, "Owner");
}

/* A key, prefix, marker or delimiter: percent-encoded when the client asked for it. */
static void element_key(struct buf *out, const char *name, struct slice key, bool url)
{
    open_tag(out, name);
    if (url) s3_put_uri(out, key, true);
    else s3_put_xml(out, key);
    close_tag(out, name);
}

void s3_list_begin(struct buf *out, const struct s3_list_head *h)
{
    const struct s3_list_args *a = h->args;
    buf_put_str(out, XML_HEAD "<ListBucketResult" XML_NS);
    element(out, "Name", h->bucket);
    element_key(out, "Prefix", a->prefix, a->url);
    if (!a->v2) element_key(out, "Marker", a->marker, a->url);
    if (a->has_start_after) element_key(out, "StartAfter", a->start_after, a->url);
    if (a->has_token) element(out, "ContinuationToken", a->token);
    element_dec(out, "MaxKeys", a->max_keys);
    if (a->delimiter.n) element_key(out, "Delimiter", a->delimiter, a->url);
    if (a->url) element_str(out, "EncodingType", "url");
}

void s3_list_row(struct buf *out, const struct s3_list_head *h, const struct s3_list_row *row)
{
    open_tag(out, "Contents");
    element_key(out, "Key", row->key, h->args->url);
    element_time(out, "LastModified", row->mtime_ms);
    buf_put_str(out, "<ETag>&quot;");
    s3_put_xml(out, row->etag);
    buf_put_str(out, "&quot;</ETag>");
    if (row->sum != S3_SUM_NONE) {
        element_str(out, "ChecksumAlgorithm", s3_sum_name(row->sum));
        element_str(out, "ChecksumType", "FULL_OBJECT");
    }
    element_dec(out, "Size", row->size);
    if (row->owner.n && h->args->fetch_owner) element_owner(out, row->owner);
    element_str(out, "StorageClass", "STANDARD");
    close_tag(out, "Contents");
}

void s3_list_prefix(struct buf *out, const struct s3_list_head *h, struct slice prefix)
{
    open_tag(out, "CommonPrefixes");
    element_key(out, "Prefix", prefix, h->args->url);
    close_tag(out, "CommonPrefixes");
}

void s3_list_end(struct buf *out, const struct s3_list_head *h, bool truncated, struct slice next, uint64_t row_count)
{
    const struct s3_list_args *a = h->args;
    if (a->v2) element_dec(out, "KeyCount", row_count);
    element_str(out, "IsTruncated", truncated ? "true" : "false");
    if (truncated && a->v2) element(out, "NextContinuationToken", next);
    if (truncated && !a->v2 && a->delimiter.n) element_key(out, "NextMarker", next, a->url);
    buf_put_str(out, "</ListBucketResult>");
}

void s3_buckets_begin(struct buf *out, struct slice owner)
{
    buf_put_str(out, XML_HEAD "<ListAllMyBucketsResult" XML_NS);
    element_owner(out, owner);
    open_tag(out, "Buckets");
}

void s3_buckets_row(struct buf *out, struct slice name, uint64_t created_ms, struct slice region)
{
    open_tag(out, "Bucket");
    element(out, "Name", name);
    element_time(out, "CreationDate", created_ms);
    if (region.n) element(out, "BucketRegion", region);
    close_tag(out, "Bucket");
}

void s3_buckets_end(struct buf *out, struct slice prefix, struct slice next)
{
    close_tag(out, "Buckets");
    if (next.n) element(out, "ContinuationToken", next);
    if (prefix.n) element(out, "Prefix", prefix);
    buf_put_str(out, "</ListAllMyBucketsResult>");
}

void s3_location_xml(struct buf *out, struct slice region)
{
    buf_put_str(out, XML_HEAD "<LocationConstraint" XML_NS);
    if (!slice_is(region, "us-east-1")) s3_put_xml(out, region);
    buf_put_str(out, "</LocationConstraint>");
}

void s3_versioning_xml(struct buf *out, const char *status)
{
    buf_put_str(out, XML_HEAD "<VersioningConfiguration" XML_NS);
    if (status) element_str(out, "Status", status);
    buf_put_str(out, "</VersioningConfiguration>");
}

void s3_delete_begin(struct buf *out) { buf_put_str(out, XML_HEAD "<DeleteResult" XML_NS); }

void s3_delete_row(struct buf *out, struct slice key)
{
    open_tag(out, "Deleted");
    element(out, "Key", key);
    close_tag(out, "Deleted");
}

void s3_delete_error(struct buf *out, struct slice key, enum s3_error code, const char *message)
{
    open_tag(out, "Error");
    element(out, "Key", key);
    element_str(out, "Code", s3_error_code(code));
    element_str(out, "Message", message ? message : s3_error_message(code));
    close_tag(out, "Error");
}

void s3_delete_end(struct buf *out) { buf_put_str(out, "</DeleteResult>"); }
