/* SPDX-License-Identifier: Apache-2.0
 * Small XML answers: uploads, copies, attributes, and a bucket's documents that have no rules of their own.
 * Role: the gate writes them whole.
 * Trusts: its caller. Distrusts: names, keys and texts: everything is escaped.
 * Spec: S3 API reference, response syntax of each operation.
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

static void put_sum(struct buf *out, enum s3_sum sum, enum s3_sum_type type, struct slice text)
{
    if (sum == S3_SUM_NONE) return;
    s3_put_element(out, s3_sum_element(sum), text);
    s3_put_element_str(out, "ChecksumType", s3_sum_type_name(type));
}

void s3_initiate_xml(struct buf *out, struct slice bucket, struct slice key, struct slice upload)
{
    buf_put_str(out, S3_XML_HEAD "<InitiateMultipartUploadResult" S3_XML_NS);
    s3_put_element(out, "Bucket", bucket);
    s3_put_element(out, "Key", key);
    s3_put_element(out, "UploadId", upload);
    buf_put_str(out, "</InitiateMultipartUploadResult>");
}

void s3_complete_xml(struct buf *out, struct slice location, struct slice bucket, struct slice key, struct slice etag, enum s3_sum sum,
                     enum s3_sum_type type, struct slice sum_text)
{
    buf_put_str(out, S3_XML_HEAD "<CompleteMultipartUploadResult" S3_XML_NS);
    s3_put_element(out, "Location", location);
    s3_put_element(out, "Bucket", bucket);
    s3_put_element(out, "Key", key);
    s3_put_element_etag(out, etag);
    put_sum(out, sum, type, sum_text);
    buf_put_str(out, "</CompleteMultipartUploadResult>");
}

void s3_copy_xml(struct buf *out, bool part, struct slice etag, uint64_t mtime_ms, enum s3_sum sum, enum s3_sum_type type, struct slice sum_text)
{
    const char *name = part ? "CopyPartResult" : "CopyObjectResult";
    buf_put_str(out, S3_XML_HEAD "<");
    buf_put_str(out, name);
    buf_put_str(out, S3_XML_NS);
    s3_put_element_etag(out, etag);
    s3_put_element_time(out, "LastModified", mtime_ms);
    if (part && sum != S3_SUM_NONE) s3_put_element(out, s3_sum_element(sum), sum_text);
    if (!part) put_sum(out, sum, type, sum_text);
    s3_put_close(out, name);
}

static void put_parts(struct buf *out, const struct s3_attributes *a)
{
    bool sums = false;
    for (size_t i = 0; i < a->row_count; i++) sums = sums || a->rows[i].sum_value.n > 0;
    s3_put_open(out, "ObjectParts");
    /* The name on the wire is PartsCount; the model calls it TotalPartsCount. */
    s3_put_element_dec(out, "PartsCount", a->part_count);
    if (sums) {
        s3_put_element_dec(out, "PartNumberMarker", a->args->marker);
        s3_put_element_dec(out, "NextPartNumberMarker", a->parts_next);
        s3_put_element_dec(out, "MaxParts", a->args->max);
        s3_put_element_str(out, "IsTruncated", a->parts_truncated ? "true" : "false");
        for (size_t i = 0; i < a->row_count; i++) {
            s3_put_open(out, "Part");
            s3_put_element_dec(out, "PartNumber", a->rows[i].number);
            s3_put_element_dec(out, "Size", a->rows[i].size);
            s3_put_part_sum(out, a->rows[i].sum, a->rows[i].sum_value);
            s3_put_close(out, "Part");
        }
    }
    s3_put_close(out, "ObjectParts");
}

void s3_attributes_xml(struct buf *out, const struct s3_attributes *a)
{
    buf_put_str(out, S3_XML_HEAD "<GetObjectAttributesResponse" S3_XML_NS);
    if (a->args->etag) s3_put_element(out, "ETag", a->etag);      /* without quotes, here only */
    if (a->args->checksum && a->sum != S3_SUM_NONE) {
        s3_put_open(out, "Checksum");
        put_sum(out, a->sum, a->sum_type, a->sum_text);
        s3_put_close(out, "Checksum");
    }
    if (a->args->parts && a->part_count) put_parts(out, a);
    if (a->args->storage_class) s3_put_element_str(out, "StorageClass", "STANDARD");
    if (a->args->size) s3_put_element_dec(out, "ObjectSize", a->size);
    buf_put_str(out, "</GetObjectAttributesResponse>");
}

void s3_block_xml(struct buf *out, const bool block[4])
{
    static const char *const names[4] = {"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"};
    buf_put_str(out, S3_XML_HEAD "<PublicAccessBlockConfiguration" S3_XML_NS);
    for (size_t i = 0; i < 4; i++) s3_put_element_str(out, names[i], block[i] ? "true" : "false");
    buf_put_str(out, "</PublicAccessBlockConfiguration>");
}

void s3_ownership_xml(struct buf *out, const char *word)
{
    buf_put_str(out, S3_XML_HEAD "<OwnershipControls" S3_XML_NS "<Rule>");
    s3_put_element_str(out, "ObjectOwnership", word);
    buf_put_str(out, "</Rule></OwnershipControls>");
}

void s3_policy_status_xml(struct buf *out, bool is_public)
{
    buf_put_str(out, S3_XML_HEAD "<PolicyStatus" S3_XML_NS);
    s3_put_element_str(out, "IsPublic", is_public ? "true" : "false");
    buf_put_str(out, "</PolicyStatus>");
}

static void put_id(struct buf *out, const struct s3_owner *owner)
{
    s3_put_element(out, "ID", owner->id);
    if (owner->name.n) s3_put_element(out, "DisplayName", owner->name);
}

void s3_acl_xml(struct buf *out, const struct s3_owner *owner)
{
    buf_put_str(out, S3_XML_HEAD "<AccessControlPolicy" S3_XML_NS "<Owner>");
    put_id(out, owner);
    buf_put_str(out, "</Owner><AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
                     "xsi:type=\"CanonicalUser\">");
    put_id(out, owner);
    buf_put_str(out, "</Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>");
}

void s3_encryption_xml(struct buf *out)
{
    buf_put_str(out, S3_XML_HEAD "<ServerSideEncryptionConfiguration" S3_XML_NS
                     "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>"
                     "<BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>");
}

void s3_accelerate_xml(struct buf *out) { buf_put_str(out, S3_XML_HEAD "<AccelerateConfiguration" S3_XML_NS "</AccelerateConfiguration>"); }

void s3_request_payment_xml(struct buf *out)
{
    buf_put_str(out, S3_XML_HEAD "<RequestPaymentConfiguration" S3_XML_NS "<Payer>BucketOwner</Payer></RequestPaymentConfiguration>");
}

void s3_logging_xml(struct buf *out) { buf_put_str(out, S3_XML_HEAD "<BucketLoggingStatus" S3_XML_NS "</BucketLoggingStatus>"); }

void s3_notification_xml(struct buf *out)
{
    buf_put_str(out, S3_XML_HEAD "<NotificationConfiguration" S3_XML_NS "</NotificationConfiguration>");
}

void s3_post_response_xml(struct buf *out, struct slice location, struct slice bucket, struct slice key, struct slice etag)
{
    buf_put_str(out, S3_XML_HEAD "<PostResponse>");
    s3_put_element(out, "Location", location);
    s3_put_element(out, "Bucket", bucket);
    s3_put_element(out, "Key", key);
    s3_put_element_etag(out, etag);
    buf_put_str(out, "</PostResponse>");
}
