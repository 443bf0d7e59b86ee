/* SPDX-License-Identifier: Apache-2.0
 * The XML answers of S3, written row by row.
 * Role: the front writes listings from the gate's rows; the gate writes small documents.
 * Trusts: its caller for order. Distrusts: names and keys: everything is escaped.
 * Spec: S3 API reference, response syntax of each operation.
 */
#include "s3/s3_inner.h"

void s3_put_open(struct buf *out, const char *name)
{
    buf_put_u8(out, '<');
    buf_put_str(out, name);
    buf_put_u8(out, '>');
}

void s3_put_close(struct buf *out, const char *name)
{
    buf_put_str(out, "</");
    buf_put_str(out, name);
    buf_put_u8(out, '>');
}

void s3_put_element(struct buf *out, const char *name, struct slice text)
{
    s3_put_open(out, name);
    s3_put_xml(out, text);
    s3_put_close(out, name);
}

void s3_put_element_str(struct buf *out, const char *name, const char *text) { s3_put_element(out, name, slice_str(text)); }

void s3_put_element_dec(struct buf *out, const char *name, uint64_t v)
{
    s3_put_open(out, name);
    buf_put_dec(out, v);
    s3_put_close(out, name);
}

void s3_put_element_time(struct buf *out, const char *name, uint64_t ms)
{
    char text[TIME_TEXT_MAX];
    time_iso8601(ms, text);
    s3_put_element_str(out, name, text);
}

static void element_owner(struct buf *out, struct slice owner)
{
    s3_put_open(out, "Owner");
    s3_put_element(out, "ID", owner);
    s3_put_element(out, "DisplayName", owner);
    s3_put_close(out, "Owner");
}

void s3_put_element_key(struct buf *out, const char *name, struct slice key, bool url)
{
    s3_put_open(out, name);
    if (url) s3_put_uri(out, key, true);
    else s3_put_xml(out, key);
    s3_put_close(out, name);
}

void s3_put_element_etag(struct buf *out, struct slice etag)
{
    buf_put_str(out, "<ETag>&quot;");
    s3_put_xml(out, etag);
    buf_put_str(out, "&quot;</ETag>");
}

static bool xml_can_say(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r') return false;
    return true;
}

void s3_list_begin(struct buf *out, const struct s3_list_head *h)
{
    const struct s3_list_args *a = h->args;
    buf_put_str(out, S3_XML_HEAD "<ListBucketResult" S3_XML_NS);
    s3_put_element(out, "Name", h->bucket);
    /* botocore decodes the page's own Prefix in version 2 alone: in version 1 it stays as it is, unless XML 1.0 has no way to say it. */
    s3_put_element_key(out, "Prefix", a->prefix, a->url && (a->v2 || !xml_can_say(a->prefix)));
    if (!a->v2) s3_put_element_key(out, "Marker", a->marker, a->url);
    if (a->has_start_after) s3_put_element_key(out, "StartAfter", a->start_after, a->url);
    if (a->has_token) s3_put_element(out, "ContinuationToken", a->token);
    s3_put_element_dec(out, "MaxKeys", a->max_keys);
    if (a->delimiter.n) s3_put_element_key(out, "Delimiter", a->delimiter, a->url);
    if (a->url) s3_put_element_str(out, "EncodingType", "url");
}

void s3_list_row(struct buf *out, const struct s3_list_head *h, const struct s3_list_row *row)
{
    s3_put_open(out, "Contents");
    s3_put_element_key(out, "Key", row->key, h->args->url);
    s3_put_element_time(out, "LastModified", row->mtime_ms);
    s3_put_element_etag(out, row->etag);
    if (row->sum != S3_SUM_NONE) {
        s3_put_element_str(out, "ChecksumAlgorithm", s3_sum_name(row->sum));
        s3_put_element_str(out, "ChecksumType", s3_sum_type_name(row->sum_type));
    }
    s3_put_element_dec(out, "Size", row->size);
    if (row->owner.n && h->args->fetch_owner) {
        s3_put_open(out, "Owner");
        s3_put_element(out, "ID", row->owner);
        if (row->owner_name.n) s3_put_element(out, "DisplayName", row->owner_name);
        s3_put_close(out, "Owner");
    }
    s3_put_element_str(out, "StorageClass", "STANDARD");
    s3_put_close(out, "Contents");
}

void s3_list_prefix(struct buf *out, const struct s3_list_head *h, struct slice prefix)
{
    s3_put_open(out, "CommonPrefixes");
    s3_put_element_key(out, "Prefix", prefix, h->args->url);
    s3_put_close(out, "CommonPrefixes");
}

void s3_list_end(struct buf *out, const struct s3_list_head *h, bool truncated, struct slice next, uint64_t row_count)
{
    const struct s3_list_args *a = h->args;
    if (a->v2) s3_put_element_dec(out, "KeyCount", row_count);
    s3_put_element_str(out, "IsTruncated", truncated ? "true" : "false");
    if (truncated && a->v2) s3_put_element(out, "NextContinuationToken", next);
    if (truncated && !a->v2 && a->delimiter.n) s3_put_element_key(out, "NextMarker", next, a->url);
    buf_put_str(out, "</ListBucketResult>");
}

void s3_buckets_begin(struct buf *out, struct slice owner)
{
    buf_put_str(out, S3_XML_HEAD "<ListAllMyBucketsResult" S3_XML_NS);
    element_owner(out, owner);
    s3_put_open(out, "Buckets");
}

void s3_buckets_row(struct buf *out, struct slice name, uint64_t created_ms, struct slice region)
{
    s3_put_open(out, "Bucket");
    s3_put_element(out, "Name", name);
    s3_put_element_time(out, "CreationDate", created_ms);
    if (region.n) s3_put_element(out, "BucketRegion", region);
    s3_put_close(out, "Bucket");
}

void s3_buckets_end(struct buf *out, struct slice prefix, struct slice next)
{
    s3_put_close(out, "Buckets");
    if (next.n) s3_put_element(out, "ContinuationToken", next);
    if (prefix.n) s3_put_element(out, "Prefix", prefix);
    buf_put_str(out, "</ListAllMyBucketsResult>");
}

void s3_location_xml(struct buf *out, struct slice region)
{
    buf_put_str(out, S3_XML_HEAD "<LocationConstraint" S3_XML_NS);
    if (!slice_is(region, "us-east-1")) s3_put_xml(out, region);
    buf_put_str(out, "</LocationConstraint>");
}

void s3_versioning_xml(struct buf *out, const char *status)
{
    buf_put_str(out, S3_XML_HEAD "<VersioningConfiguration" S3_XML_NS);
    if (status) s3_put_element_str(out, "Status", status);
    buf_put_str(out, "</VersioningConfiguration>");
}

void s3_delete_begin(struct buf *out) { buf_put_str(out, S3_XML_HEAD "<DeleteResult" S3_XML_NS); }

void s3_delete_row(struct buf *out, struct slice key, struct slice version, bool marker, struct slice marker_version)
{
    s3_put_open(out, "Deleted");
    s3_put_element(out, "Key", key);
    if (version.p) s3_put_element(out, "VersionId", version);
    if (marker) s3_put_element_str(out, "DeleteMarker", "true");
    if (marker && marker_version.p) s3_put_element(out, "DeleteMarkerVersionId", marker_version);
    s3_put_close(out, "Deleted");
}

void s3_delete_error(struct buf *out, struct slice key, struct slice version, enum s3_error code, const char *message)
{
    s3_put_open(out, "Error");
    s3_put_element(out, "Key", key);
    if (version.p) s3_put_element(out, "VersionId", version);
    s3_put_element_str(out, "Code", s3_error_code(code));
    s3_put_element_str(out, "Message", message ? message : s3_error_message(code));
    s3_put_close(out, "Error");
}

void s3_delete_end(struct buf *out) { buf_put_str(out, "</DeleteResult>"); }
