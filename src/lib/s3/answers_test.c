/* SPDX-License-Identifier: Apache-2.0
 * XML answers beyond object listings, whole, with names that need escaping.
 */
#include "s3/s3_test.h"

#include "s3/s3_config.h"

#define DOC "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define T0 "2013-05-24T00:00:00.000Z"
#define MS 1369353600000ull

static struct buf out = BUF_INIT(1 << 16);

static void check_out(const char *want)
{
    assert_true(buf_ok(&out));
    check_text(buf_slice(&out), want);
    buf_reset(&out);
}

static void versions_and_markers_are_listed(void **state)
{
    (void)state;
    struct s3_versions_args a = {.url = true, .prefix = SLICE_LIT("a b"), .delimiter = SLICE_LIT("+"), .key_marker = SLICE_LIT("\xC3\xBC"), .id_marker = SLICE_LIT("v<"), .max = 3};
    struct s3_version_row row = {.key = SLICE_LIT("a b/\r"), .id = SLICE_LIT("null"), .etag = SLICE_LIT("e"), .latest = true, .size = 5, .mtime_ms = MS, .sum = S3_SUM_SHA256,
                                 .sum_type = S3_SUM_COMPOSITE, .owner = {SLICE_LIT("1"), SLICE_LIT("me")}};
    s3_versions_begin(&out, &a, SLICE_LIT("b"));
    s3_versions_row(&out, &a, &row);
    row.marker = true;
    row.latest = false;
    row.owner.name = slice_of(NULL, 0);
    s3_versions_row(&out, &a, &row);
    s3_versions_prefix(&out, &a, SLICE_LIT("a b+"));
    s3_versions_end(&out, &a, true, SLICE_LIT("a b/"), SLICE_LIT("x"));
    check_out(DOC "<ListVersionsResult" NS "<Name>b</Name><Prefix>a%20b</Prefix><KeyMarker>%C3%BC</KeyMarker><VersionIdMarker>v&lt;</VersionIdMarker><MaxKeys>3</MaxKeys>"
              "<Delimiter>%2B</Delimiter><EncodingType>url</EncodingType>"
              "<Version><Key>a%20b/%0D</Key><VersionId>null</VersionId><IsLatest>true</IsLatest><LastModified>" T0 "</LastModified><ETag>&quot;e&quot;</ETag>"
              "<ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType><Size>5</Size><Owner><ID>1</ID><DisplayName>me</DisplayName></Owner>"
              "<StorageClass>STANDARD</StorageClass></Version>"
              "<DeleteMarker><Key>a%20b/%0D</Key><VersionId>null</VersionId><IsLatest>false</IsLatest><LastModified>" T0 "</LastModified><Owner><ID>1</ID></Owner></DeleteMarker>"
              "<CommonPrefixes><Prefix>a%20b%2B</Prefix></CommonPrefixes>"
              "<IsTruncated>true</IsTruncated><NextKeyMarker>a%20b/</NextKeyMarker><NextVersionIdMarker>x</NextVersionIdMarker></ListVersionsResult>");
    struct s3_versions_args plain = {.max = 1000};
    s3_versions_begin(&out, &plain, SLICE_LIT("b"));
    s3_versions_end(&out, &plain, false, SLICE_LIT(""), SLICE_LIT(""));
    check_out(DOC "<ListVersionsResult" NS "<Name>b</Name><Prefix></Prefix><KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker><MaxKeys>1000</MaxKeys>"
              "<IsTruncated>false</IsTruncated></ListVersionsResult>");
}

static void uploads_and_parts_are_listed(void **state)
{
    (void)state;
    struct s3_versions_args a = {.prefix = SLICE_LIT("p"), .max = 2};
    struct s3_upload_row u = {.key = SLICE_LIT("p&"), .id = SLICE_LIT("U"), .began_ms = MS, .sum = S3_SUM_CRC32, .sum_type = S3_SUM_FULL, .owner = {SLICE_LIT("1"), SLICE_LIT("me")},
                              .initiator = {SLICE_LIT("2"), SLICE_LIT("you")}};
    s3_uploads_begin(&out, &a, SLICE_LIT("b"));
    s3_uploads_row(&out, &a, &u);
    s3_uploads_prefix(&out, &a, SLICE_LIT("p/"));
    s3_uploads_end(&out, &a, true, SLICE_LIT("p&"), SLICE_LIT("U"));
    check_out(DOC "<ListMultipartUploadsResult" NS "<Bucket>b</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><Prefix>p</Prefix><MaxUploads>2</MaxUploads>"
              "<Upload><Key>p&amp;</Key><UploadId>U</UploadId><Initiator><ID>2</ID><DisplayName>you</DisplayName></Initiator><Owner><ID>1</ID><DisplayName>me</DisplayName></Owner>"
              "<StorageClass>STANDARD</StorageClass><Initiated>" T0 "</Initiated><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType></Upload>"
              "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>"
              "<NextKeyMarker>p&amp;</NextKeyMarker><NextUploadIdMarker>U</NextUploadIdMarker><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>");
    struct s3_parts_args pa = {.marker = 1, .max = 2, .url = true};
    struct s3_parts_head h = {.bucket = SLICE_LIT("b"), .key = SLICE_LIT("k "), .upload = SLICE_LIT("U"), .args = &pa, .owner = {SLICE_LIT("1"), SLICE_LIT("")}, .sum = S3_SUM_NONE};
    struct s3_part_row p = {.number = 2, .size = 7, .mtime_ms = MS, .etag = SLICE_LIT("e"), .sum = S3_SUM_CRC32, .sum_value = SLICE_LIT("\x36\x10\xa6\x86")};
    s3_parts_begin(&out, &h);
    s3_parts_row(&out, &p);
    s3_parts_end(&out, &h, true, 2);
    check_out(DOC "<ListPartsResult" NS "<Bucket>b</Bucket><Key>k%20</Key><UploadId>U</UploadId><Owner><ID>1</ID></Owner><StorageClass>STANDARD</StorageClass>"
              "<PartNumberMarker>1</PartNumberMarker><MaxParts>2</MaxParts><EncodingType>url</EncodingType>"
              "<Part><PartNumber>2</PartNumber><LastModified>" T0 "</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size><ChecksumCRC32>NhCmhg==</ChecksumCRC32></Part>"
              "<NextPartNumberMarker>2</NextPartNumberMarker><IsTruncated>true</IsTruncated></ListPartsResult>");
}

static void uploads_and_copies_are_answered(void **state)
{
    (void)state;
    s3_initiate_xml(&out, SLICE_LIT("b"), SLICE_LIT("k<"), SLICE_LIT("U"));
    check_out(DOC "<InitiateMultipartUploadResult" NS "<Bucket>b</Bucket><Key>k&lt;</Key><UploadId>U</UploadId></InitiateMultipartUploadResult>");
    s3_complete_xml(&out, SLICE_LIT("http://h/b/k"), SLICE_LIT("b"), SLICE_LIT("k"), SLICE_LIT("e-2"), S3_SUM_CRC64NVME, S3_SUM_FULL, SLICE_LIT("M3eFcAZSQlc="));
    check_out(DOC "<CompleteMultipartUploadResult" NS "<Location>http://h/b/k</Location><Bucket>b</Bucket><Key>k</Key><ETag>&quot;e-2&quot;</ETag>"
              "<ChecksumCRC64NVME>M3eFcAZSQlc=</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>");
    s3_copy_xml(&out, false, SLICE_LIT("e"), MS, S3_SUM_SHA1, S3_SUM_COMPOSITE, SLICE_LIT("x-1"));
    check_out(DOC "<CopyObjectResult" NS "<ETag>&quot;e&quot;</ETag><LastModified>" T0 "</LastModified><ChecksumSHA1>x-1</ChecksumSHA1><ChecksumType>COMPOSITE</ChecksumType></CopyObjectResult>");
    s3_copy_xml(&out, true, SLICE_LIT("e"), MS, S3_SUM_NONE, S3_SUM_FULL, slice_of(NULL, 0));
    check_out(DOC "<CopyPartResult" NS "<ETag>&quot;e&quot;</ETag><LastModified>" T0 "</LastModified></CopyPartResult>");
    s3_post_response_xml(&out, SLICE_LIT("http://h/b/k"), SLICE_LIT("b"), SLICE_LIT("k"), SLICE_LIT("e"));
    check_out(DOC "<PostResponse><Location>http://h/b/k</Location><Bucket>b</Bucket><Key>k</Key><ETag>&quot;e&quot;</ETag></PostResponse>");
}

static void attributes_show_what_was_asked_for(void **state)
{
    (void)state;
    struct s3_attributes_args all = {.etag = true, .checksum = true, .parts = true, .storage_class = true, .size = true, .max = 1};
    struct s3_part_row rows[] = {{.number = 1, .size = 5, .sum = S3_SUM_CRC32, .sum_value = SLICE_LIT("\x36\x10\xa6\x86")}};
    struct s3_attributes a = {.args = &all, .etag = SLICE_LIT("e-2"), .size = 10, .sum = S3_SUM_CRC32, .sum_type = S3_SUM_COMPOSITE, .sum_text = SLICE_LIT("x-2"), .part_count = 2,
                              .parts_truncated = true, .parts_next = 1, .rows = rows, .row_count = 1};
    s3_attributes_xml(&out, &a);
    check_out(DOC "<GetObjectAttributesResponse" NS "<ETag>e-2</ETag><Checksum><ChecksumCRC32>x-2</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType></Checksum>"
              "<ObjectParts><PartsCount>2</PartsCount><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>1</NextPartNumberMarker><MaxParts>1</MaxParts>"
              "<IsTruncated>true</IsTruncated><Part><PartNumber>1</PartNumber><Size>5</Size><ChecksumCRC32>NhCmhg==</ChecksumCRC32></Part></ObjectParts>"
              "<StorageClass>STANDARD</StorageClass><ObjectSize>10</ObjectSize></GetObjectAttributesResponse>");
    rows[0].sum_value = slice_of(NULL, 0);                        /* parts without checksums: their number alone */
    a.sum = S3_SUM_NONE;
    s3_attributes_xml(&out, &a);
    check_out(DOC "<GetObjectAttributesResponse" NS "<ETag>e-2</ETag><ObjectParts><PartsCount>2</PartsCount></ObjectParts>"
              "<StorageClass>STANDARD</StorageClass><ObjectSize>10</ObjectSize></GetObjectAttributesResponse>");
    struct s3_attributes_args size = {.size = true, .parts = true};
    struct s3_attributes one = {.args = &size, .size = 3};
    s3_attributes_xml(&out, &one);
    check_out(DOC "<GetObjectAttributesResponse" NS "<ObjectSize>3</ObjectSize></GetObjectAttributesResponse>");
}

static void documents_of_a_bucket_are_answered(void **state)
{
    (void)state;
    s3_policy_status_xml(&out, true);
    check_out(DOC "<PolicyStatus" NS "<IsPublic>true</IsPublic></PolicyStatus>");
    s3_encryption_xml(&out);
    check_out(DOC "<ServerSideEncryptionConfiguration" NS "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>"
              "<BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>");
    s3_accelerate_xml(&out);
    check_out(DOC "<AccelerateConfiguration" NS "</AccelerateConfiguration>");
    s3_request_payment_xml(&out);
    check_out(DOC "<RequestPaymentConfiguration" NS "<Payer>BucketOwner</Payer></RequestPaymentConfiguration>");
    s3_logging_xml(&out);
    check_out(DOC "<BucketLoggingStatus" NS "</BucketLoggingStatus>");
    s3_notification_xml(&out);
    check_out(DOC "<NotificationConfiguration" NS "</NotificationConfiguration>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_and_markers_are_listed),
        cmocka_unit_test(uploads_and_parts_are_listed),
        cmocka_unit_test(uploads_and_copies_are_answered),
        cmocka_unit_test(attributes_show_what_was_asked_for),
        cmocka_unit_test(documents_of_a_bucket_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
