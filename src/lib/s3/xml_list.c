/* SPDX-License-Identifier: Apache-2.0
 * Listings beyond objects, written row by row: versions, uploads, parts.
 * Role: the front writes them from the gate's rows.
 * Trusts: its caller for order. Distrusts: names and keys: everything is escaped.
 * Spec: S3 API reference, response syntax of ListObjectVersions, ListMultipartUploads, ListParts.
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

static void put_owner(struct buf *out, const char *name, const struct s3_owner *owner)
{
    if (owner->id.n == 0) return;
    s3_put_open(out, name);
    s3_put_element(out, "ID", owner->id);
    if (owner->name.n) s3_put_element(out, "DisplayName", owner->name);
    s3_put_close(out, name);
}

static void put_sum_kind(struct buf *out, enum s3_sum sum, enum s3_sum_type type)
{
    if (sum == S3_SUM_NONE) return;
    s3_put_element_str(out, "ChecksumAlgorithm", s3_sum_name(sum));
    s3_put_element_str(out, "ChecksumType", s3_sum_type_name(type));
}

static void put_prefix(struct buf *out, const struct s3_versions_args *a, struct slice prefix)
{
    s3_put_open(out, "CommonPrefixes");
    s3_put_element_key(out, "Prefix", prefix, a->url);
    s3_put_close(out, "CommonPrefixes");
}

void s3_versions_begin(struct buf *out, const struct s3_versions_args *a, struct slice bucket)
{
    buf_put_str(out, S3_XML_HEAD "<ListVersionsResult" S3_XML_NS);
    s3_put_element(out, "Name", bucket);
    s3_put_element_key(out, "Prefix", a->prefix, a->url);
    s3_put_element_key(out, "KeyMarker", a->key_marker, a->url);
    s3_put_element(out, "VersionIdMarker", a->id_marker);
    s3_put_element_dec(out, "MaxKeys", a->max);
    if (a->delimiter.n) s3_put_element_key(out, "Delimiter", a->delimiter, a->url);
    if (a->url) s3_put_element_str(out, "EncodingType", "url");
}

void s3_versions_row(struct buf *out, const struct s3_versions_args *a, const struct s3_version_row *r)
{
    const char *name = r->marker ? "DeleteMarker" : "Version";
    s3_put_open(out, name);
    s3_put_element_key(out, "Key", r->key, a->url);
    s3_put_element(out, "VersionId", r->id);
    s3_put_element_str(out, "IsLatest", r->latest ? "true" : "false");
    s3_put_element_time(out, "LastModified", r->mtime_ms);
    if (!r->marker) {
        s3_put_element_etag(out, r->etag);
        put_sum_kind(out, r->sum, r->sum_type);
        s3_put_element_dec(out, "Size", r->size);
    }
    put_owner(out, "Owner", &r->owner);
    if (!r->marker) s3_put_element_str(out, "StorageClass", "STANDARD");
    s3_put_close(out, name);
}

void s3_versions_prefix(struct buf *out, const struct s3_versions_args *a, struct slice prefix) { put_prefix(out, a, prefix); }

void s3_versions_end(struct buf *out, const struct s3_versions_args *a, bool truncated, struct slice next_key, struct slice next_id)
{
    s3_put_element_str(out, "IsTruncated", truncated ? "true" : "false");
    if (truncated) s3_put_element_key(out, "NextKeyMarker", next_key, a->url);
    if (truncated && next_id.n) s3_put_element(out, "NextVersionIdMarker", next_id);
    buf_put_str(out, "</ListVersionsResult>");
}

void s3_uploads_begin(struct buf *out, const struct s3_versions_args *a, struct slice bucket)
{
    buf_put_str(out, S3_XML_HEAD "<ListMultipartUploadsResult" S3_XML_NS);
    s3_put_element(out, "Bucket", bucket);
    s3_put_element_key(out, "KeyMarker", a->key_marker, a->url);
    s3_put_element(out, "UploadIdMarker", a->id_marker);
    s3_put_element_key(out, "Prefix", a->prefix, a->url);
    if (a->delimiter.n) s3_put_element_key(out, "Delimiter", a->delimiter, a->url);
    s3_put_element_dec(out, "MaxUploads", a->max);
    if (a->url) s3_put_element_str(out, "EncodingType", "url");
}

void s3_uploads_row(struct buf *out, const struct s3_versions_args *a, const struct s3_upload_row *r)
{
    s3_put_open(out, "Upload");
    s3_put_element_key(out, "Key", r->key, a->url);
    s3_put_element(out, "UploadId", r->id);
    put_owner(out, "Initiator", &r->initiator);
    put_owner(out, "Owner", &r->owner);
    s3_put_element_str(out, "StorageClass", "STANDARD");
    s3_put_element_time(out, "Initiated", r->began_ms);
    put_sum_kind(out, r->sum, r->sum_type);
    s3_put_close(out, "Upload");
}

void s3_uploads_prefix(struct buf *out, const struct s3_versions_args *a, struct slice prefix) { put_prefix(out, a, prefix); }

void s3_uploads_end(struct buf *out, const struct s3_versions_args *a, bool truncated, struct slice next_key, struct slice next_id)
{
    if (truncated) s3_put_element_key(out, "NextKeyMarker", next_key, a->url);
    if (truncated) s3_put_element(out, "NextUploadIdMarker", next_id);
    s3_put_element_str(out, "IsTruncated", truncated ? "true" : "false");
    buf_put_str(out, "</ListMultipartUploadsResult>");
}

void s3_parts_begin(struct buf *out, const struct s3_parts_head *h)
{
    buf_put_str(out, S3_XML_HEAD "<ListPartsResult" S3_XML_NS);
    s3_put_element(out, "Bucket", h->bucket);
    s3_put_element_key(out, "Key", h->key, h->args->url);
    s3_put_element(out, "UploadId", h->upload);
    put_owner(out, "Initiator", &h->initiator);
    put_owner(out, "Owner", &h->owner);
    s3_put_element_str(out, "StorageClass", "STANDARD");
    put_sum_kind(out, h->sum, h->sum_type);
    s3_put_element_dec(out, "PartNumberMarker", h->args->marker);
    s3_put_element_dec(out, "MaxParts", h->args->max);
    if (h->args->url) s3_put_element_str(out, "EncodingType", "url");
}

void s3_put_part_sum(struct buf *out, enum s3_sum sum, struct slice value)
{
    if (sum == S3_SUM_NONE || value.n == 0) return;
    s3_put_open(out, s3_sum_element(sum));
    buf_put_base64(out, value);
    s3_put_close(out, s3_sum_element(sum));
}

void s3_parts_row(struct buf *out, const struct s3_part_row *r)
{
    s3_put_open(out, "Part");
    s3_put_element_dec(out, "PartNumber", r->number);
    s3_put_element_time(out, "LastModified", r->mtime_ms);
    s3_put_element_etag(out, r->etag);
    s3_put_element_dec(out, "Size", r->size);
    s3_put_part_sum(out, r->sum, r->sum_value);
    s3_put_close(out, "Part");
}

void s3_parts_end(struct buf *out, const struct s3_parts_head *h, bool truncated, uint32_t next)
{
    (void)h;
    s3_put_element_dec(out, "NextPartNumberMarker", next);
    s3_put_element_str(out, "IsTruncated", truncated ? "true" : "false");
    buf_put_str(out, "</ListPartsResult>");
}
