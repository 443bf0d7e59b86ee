/* SPDX-License-Identifier: Apache-2.0
 * Listings of each kind, byte for byte; control bodies in aws-chunked framing; preflights; methods that there are not.
 * Role: unit tests. Trusts: nothing. Distrusts: the flows. Law: 1. Spec: flow.h, docs/spec/wire.md LISTING; the S3 API reference.
 */
#include "flow/flow_kit.h"

#define DOC "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define T0 1369353600000u                          /* 2013-05-24T00:00:00Z */

static void expect_body(const struct rig *r, const char *want)
{
    if (r->body.n != strlen(want) || memcmp(r->body.p, want, r->body.n) != 0) fail_msg("got\n%.*s\nwant\n%s", (int)r->body.n, r->body.p, want);
}

static enum err give_listing(struct rig *r, uint64_t id, struct wire_listing m)
{
    AUTO(buf) struct buf frame = BUF_INIT(1 << 20), owner = BUF_INIT(160);
    buf_put_lp16(&owner, SLICE_LIT("owner-id"));
    buf_put_lp16(&owner, SLICE_LIT("Own & Er"));
    m.owner = buf_slice(&owner);
    assert_int_equal(wire_put_listing(&frame, id, &m), ERR_OK);
    return rig_give(r, &r->w.gate, &frame);
}

static struct wire_listing_row row_of(uint8_t kind, const char *key, const char *id)
{
    return (struct wire_listing_row){.kind = kind, .key = slice_str(key), .mtime_ms = T0, .id = slice_str(id)};
}

static struct slice header_of(const struct rig *r, const char *name)
{
    struct reader rd = reader_of(buf_slice(&r->head));
    struct wire_header h;
    while (wire_next_header(&rd, &h))
        if (slice_is(h.name, name)) return h.value;
    return slice_of(NULL, 0);
}

static void objects_are_listed_as_s3_says(void **state)
{
    (void)state;
    AUTO(buf) struct buf rows = BUF_INIT(65536), headers = BUF_INIT(4096);
    struct rig *r = setup("GET", "/b?list-type=2&delimiter=%2F&fetch-owner=true");
    uint64_t id = asked(r);
    struct wire_listing_row row = row_of(WIRE_ROW_ENTRY, "a&b", "");
    row.size = 5, row.etag = SLICE_LIT("e1"), row.sum = WIRE_SUM_CRC32, row.composite = 1;
    wire_put_listing_row(&rows, &row);
    wire_put_header(&headers, SLICE_LIT("vary"), SLICE_LIT("Origin"));
    assert_int_equal(give_listing(r, id, (struct wire_listing){.kind = WIRE_SCAN_KEYS, .headers = buf_slice(&headers), .rows = buf_slice(&rows)}), ERR_OK);
    assert_int_equal(r->heads, 0);                 /* the page is not whole yet */
    buf_reset(&rows);
    row = row_of(WIRE_ROW_PREFIX, "dir/", "");
    wire_put_listing_row(&rows, &row);
    assert_int_equal(give_listing(r, id, (struct wire_listing){.kind = WIRE_SCAN_KEYS, .last = 1, .truncated = 1, .next = SLICE_LIT("tok"),
                                                               .rows = buf_slice(&rows)}), ERR_OK);
    assert_int_equal(r->status, 200);
    assert_true(slice_is(header_of(r, "vary"), "Origin"));
    expect_body(r, DOC "<ListBucketResult" NS "<Name>b</Name><Prefix></Prefix><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter>"
                   "<Contents><Key>a&amp;b</Key><LastModified>2013-05-24T00:00:00.000Z</LastModified><ETag>&quot;e1&quot;</ETag>"
                   "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType><Size>5</Size>"
                   "<Owner><ID>owner-id</ID><DisplayName>Own &amp; Er</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>"
                   "<CommonPrefixes><Prefix>dir/</Prefix></CommonPrefixes><KeyCount>2</KeyCount><IsTruncated>true</IsTruncated>"
                   "<NextContinuationToken>tok</NextContinuationToken></ListBucketResult>");
    teardown(r);
}

static void versions_are_listed_as_s3_says(void **state)
{
    (void)state;
    AUTO(buf) struct buf rows = BUF_INIT(65536), next = BUF_INIT(2048);
    struct rig *r = setup("GET", "/b?versions&max-keys=3&key-marker=a%20&encoding-type=url");
    uint64_t id = asked(r);
    struct wire_listing_row row = row_of(WIRE_ROW_MARKER, "k 1", "aaaaaaaaaaaaaaaaaaaaaaaaaa");
    row.latest = 1;
    wire_put_listing_row(&rows, &row);
    row = row_of(WIRE_ROW_ENTRY, "k 1", "null");
    row.size = 7, row.etag = SLICE_LIT("e");
    wire_put_listing_row(&rows, &row);
    row = row_of(WIRE_ROW_PREFIX, "p/", "");
    wire_put_listing_row(&rows, &row);
    buf_put_lp16(&next, SLICE_LIT("k 1"));
    buf_put_lp16(&next, SLICE_LIT("null"));
    assert_int_equal(give_listing(r, id, (struct wire_listing){.kind = WIRE_SCAN_VERSIONS, .last = 1, .truncated = 1, .next = buf_slice(&next),
                                                               .rows = buf_slice(&rows)}), ERR_OK);
    expect_body(r, DOC "<ListVersionsResult" NS "<Name>b</Name><Prefix></Prefix><KeyMarker>a%20</KeyMarker><VersionIdMarker></VersionIdMarker>"
                   "<MaxKeys>3</MaxKeys><EncodingType>url</EncodingType>"
                   "<DeleteMarker><Key>k%201</Key><VersionId>aaaaaaaaaaaaaaaaaaaaaaaaaa</VersionId><IsLatest>true</IsLatest>"
                   "<LastModified>2013-05-24T00:00:00.000Z</LastModified><Owner><ID>owner-id</ID><DisplayName>Own &amp; Er</DisplayName></Owner></DeleteMarker>"
                   "<Version><Key>k%201</Key><VersionId>null</VersionId><IsLatest>false</IsLatest><LastModified>2013-05-24T00:00:00.000Z</LastModified>"
                   "<ETag>&quot;e&quot;</ETag><Size>7</Size><Owner><ID>owner-id</ID><DisplayName>Own &amp; Er</DisplayName></Owner>"
                   "<StorageClass>STANDARD</StorageClass></Version><CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>"
                   "<IsTruncated>true</IsTruncated><NextKeyMarker>k%201</NextKeyMarker><NextVersionIdMarker>null</NextVersionIdMarker></ListVersionsResult>");
    teardown(r);
}

static void uploads_are_listed_as_s3_says(void **state)
{
    (void)state;
    AUTO(buf) struct buf rows = BUF_INIT(65536), next = BUF_INIT(2048);
    struct rig *r = setup("GET", "/b?uploads&prefix=k");
    uint64_t id = asked(r);
    struct wire_listing_row row = row_of(WIRE_ROW_UPLOAD, "k", "uuuuuuuuuuuuuuuuuuuuuuuuuu");
    row.sum = WIRE_SUM_SHA256, row.composite = 1;
    wire_put_listing_row(&rows, &row);
    buf_put_lp16(&next, SLICE_LIT("k"));
    buf_put_lp16(&next, SLICE_LIT("uuuuuuuuuuuuuuuuuuuuuuuuuu"));
    assert_int_equal(give_listing(r, id, (struct wire_listing){.kind = WIRE_SCAN_UPLOADS, .last = 1, .truncated = 1, .next = buf_slice(&next),
                                                               .rows = buf_slice(&rows)}), ERR_OK);
    expect_body(r, DOC "<ListMultipartUploadsResult" NS "<Bucket>b</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><Prefix>k</Prefix>"
                   "<MaxUploads>1000</MaxUploads><Upload><Key>k</Key><UploadId>uuuuuuuuuuuuuuuuuuuuuuuuuu</UploadId>"
                   "<Initiator><ID>owner-id</ID><DisplayName>Own &amp; Er</DisplayName></Initiator><Owner><ID>owner-id</ID><DisplayName>Own &amp; Er</DisplayName></Owner>"
                   "<StorageClass>STANDARD</StorageClass><Initiated>2013-05-24T00:00:00.000Z</Initiated><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>"
                   "<ChecksumType>COMPOSITE</ChecksumType></Upload><NextKeyMarker>k</NextKeyMarker>"
                   "<NextUploadIdMarker>uuuuuuuuuuuuuuuuuuuuuuuuuu</NextUploadIdMarker><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>");
    teardown(r);
}

static void parts_are_listed_as_s3_says(void **state)
{
    (void)state;
    AUTO(buf) struct buf rows = BUF_INIT(65536), about = BUF_INIT(2048);
    struct rig *r = setup("GET", "/b/dir/k?uploadId=uuuuuuuuuuuuuuuuuuuuuuuuuu&max-parts=1&part-number-marker=1");
    uint64_t id = asked(r);
    struct wire_listing_row row = row_of(WIRE_ROW_PART, "", "");
    row.number = 2, row.size = 5242880, row.etag = SLICE_LIT("e2"), row.sum = WIRE_SUM_CRC32, row.sum_value = SLICE_LIT("\1\2\3\4");
    wire_put_listing_row(&rows, &row);
    wire_put_header(&about, SLICE_LIT("checksum-algorithm"), SLICE_LIT("CRC32"));
    wire_put_header(&about, SLICE_LIT("checksum-type"), SLICE_LIT("FULL_OBJECT"));
    wire_put_header(&about, SLICE_LIT("initiator"), SLICE_LIT("who"));
    assert_int_equal(give_listing(r, id, (struct wire_listing){.kind = WIRE_SCAN_PARTS, .last = 1, .truncated = 1, .next = slice_of("\0\2", 2),
                                                               .about = buf_slice(&about), .rows = buf_slice(&rows)}), ERR_OK);
    expect_body(r, DOC "<ListPartsResult" NS "<Bucket>b</Bucket><Key>dir/k</Key><UploadId>uuuuuuuuuuuuuuuuuuuuuuuuuu</UploadId>"
                   "<Initiator><ID>who</ID></Initiator><Owner><ID>owner-id</ID><DisplayName>Own &amp; Er</DisplayName></Owner>"
                   "<StorageClass>STANDARD</StorageClass><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
                   "<PartNumberMarker>1</PartNumberMarker><MaxParts>1</MaxParts><Part><PartNumber>2</PartNumber>"
                   "<LastModified>2013-05-24T00:00:00.000Z</LastModified><ETag>&quot;e2&quot;</ETag><Size>5242880</Size>"
                   "<ChecksumCRC32>AQIDBA==</ChecksumCRC32></Part><NextPartNumberMarker>2</NextPartNumberMarker><IsTruncated>true</IsTruncated></ListPartsResult>");
    teardown(r);
}

static void frames_of_two_kinds_are_no_page(void **state)
{
    (void)state;
    struct rig *r = setup("GET", "/b?versions");
    uint64_t id = asked(r);
    assert_int_equal(give_listing(r, id, (struct wire_listing){.kind = WIRE_SCAN_VERSIONS}), ERR_OK);
    assert_int_equal(give_listing(r, id, (struct wire_listing){.kind = WIRE_SCAN_UPLOADS, .last = 1}), ERR_OK);
    assert_int_equal(r->status, 500);
    teardown(r);
}

/* control bodies ---------------------------------------------------------------------------------------------------------------------- */

static struct rig *controlling(const char *body_kind, const char *trailer, uint64_t *id, uint32_t size_max)
{
    AUTO(buf) struct buf frame = BUF_INIT(4096), p = BUF_INIT(1 << 20);
    struct wire_wantbody m = {.size_max = size_max};
    struct rig *r = setup("POST", "/b?delete");
    r->headers[2].value = slice_str(body_kind);
    rig_header(r, "x-amz-decoded-content-length", "10");
    if (trailer) rig_header(r, "x-amz-trailer", trailer);
    /* Everything x-amz-* must be signed. */
    r->headers[3].value = slice_str("AWS4-HMAC-SHA256 Credential=AKIATESTTESTTESTTEST/20261124/eu-north-1/s3/aws4_request, "
                                    "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-trailer, "
                                    "Signature=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    if (!trailer)
        r->headers[3].value = slice_str("AWS4-HMAC-SHA256 Credential=AKIATESTTESTTESTTEST/20261124/eu-north-1/s3/aws4_request, "
                                        "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length, "
                                        "Signature=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    r->q.has_body = true;
    rig_start(r);
    *id = expect_frame(r, &r->w.gate, WIRE_ASK, &p);
    assert_int_equal(wire_put_wantbody(&frame, *id, &m), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.gate, &frame), ERR_OK);
    return r;
}

/* All BODY frames; *last: whether the end was said. */
static void take_bodies(struct rig *r, struct buf *text, bool *last)
{
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    uint8_t type;
    uint64_t got;
    *last = false;
    while (rig_next(r, &r->w.gate, &type, &got, &p)) {
        struct wire_body m;
        assert_string_equal(wire_type_name(type), "BODY");
        assert_int_equal(wire_get_body(buf_slice(&p), &m), ERR_OK);
        buf_put_slice(text, m.data);
        *last = m.last != 0;
    }
}

/* CRC32 of "0123456789" is a684c7c6. */
static void the_framing_of_a_control_body_is_taken_off(void **state)
{
    (void)state;
    static const char body[] = "a\r\n0123456789\r\n0\r\nx-amz-checksum-crc32:poTHxg==\r\n\r\n";
    for (size_t step = 1; step < sizeof body; step++) {
        AUTO(buf) struct buf text = BUF_INIT(4096);
        uint64_t id;
        bool last;
        struct rig *r = controlling("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-checksum-crc32", &id, 10);
        assert_int_equal(r->bodies, 1);
        for (size_t at = 0; at < sizeof body - 1; at += MIN(step, sizeof body - 1 - at))
            flow_body(&r->f, slice_of(body + at, MIN(step, sizeof body - 1 - at)), false);
        take_bodies(r, &text, &last);
        assert_false(last);                        /* not before the trailer was compared */
        flow_body(&r->f, slice_of(NULL, 0), true);
        take_bodies(r, &text, &last);
        assert_true(last);
        assert_true(slice_is(buf_slice(&text), "0123456789"));
        teardown(r);
    }
}

static void a_control_body_that_is_not_what_it_says_never_ends_at_the_gate(void **state)
{
    (void)state;
    static const struct { const char *body, *code; uint32_t size_max; } rows[] = {
        {"a\r\n0123456789\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest", 100},
        {"a\r\n0123456789\r\n0\r\n\r\n", "MalformedTrailerError", 100},
        {"a\r\n01234", "IncompleteBody", 100},
        {"5\r\n01234\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "IncompleteBody", 100},
        {"", "MalformedXML", 9},                   /* longer than the operation takes: refused unread */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf) struct buf p = BUF_INIT(1 << 20);
        uint64_t id, got;
        uint8_t type = 0;
        struct rig *r = controlling("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-checksum-crc32", &id, rows[i].size_max);
        flow_body(&r->f, slice_str(rows[i].body), false);
        flow_body(&r->f, slice_of(NULL, 0), true);
        assert_int_equal(r->status, 400);
        if (!body_has(r, rows[i].code)) fail_msg("row %zu: %.*s", i, (int)r->body.n, r->body.p);
        while (rig_next(r, &r->w.gate, &type, &got, &p)) {
            struct wire_body m;
            if (type == WIRE_BODY && wire_get_body(buf_slice(&p), &m) == ERR_OK) assert_int_equal(m.last, 0);
        }
        assert_string_equal(wire_type_name(type), "ABORT");
        teardown(r);
    }
}

static void signed_chunks_of_a_control_body_are_not_known_here(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    uint64_t id;
    struct rig *r = controlling("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", NULL, &id, 100);
    assert_int_equal(r->bodies, 0);
    assert_int_equal(r->status, 501);
    expect_frame(r, &r->w.gate, WIRE_ABORT, &p);
    teardown(r);
}

/* methods ------------------------------------------------------------------------------------------------------------------------------ */

static void a_preflight_is_asked_as_nobodys(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20), headers = BUF_INIT(4096);
    struct wire_ask m;
    struct wire_header h;
    /* Of a presigned URL: what signs that is for another method. */
    struct rig *r = setup("OPTIONS", "/b/k?X-Amz-Signature=00&X-Amz-Credential=AKIATEST%2F20261124%2Feu-north-1%2Fs3%2Faws4_request");
    r->q.header_count = 1;
    rig_header(r, "Origin", "https://a.example");
    rig_header(r, "Access-Control-Request-Method", "PUT");
    rig_header(r, "Access-Control-Request-Headers", "content-type");
    uint64_t id = (rig_start(r), expect_frame(r, &r->w.gate, WIRE_ASK, &p));
    assert_int_equal(wire_get_ask(buf_slice(&p), &m), ERR_OK);
    assert_int_equal(m.auth, WIRE_AUTH_NONE);
    assert_true(slice_starts(m.canonical, SLICE_LIT("OPTIONS\n/b/k\nX-Amz-Credential=AKIATEST%2F20261124%2Feu-north-1%2Fs3%2Faws4_request&X-Amz-Signature=00\n")));
    struct reader rd = reader_of(m.unsigned_headers);
    size_t n = 0;
    while (wire_next_header(&rd, &h)) n++;
    assert_int_equal(n, 3);
    wire_put_header(&headers, SLICE_LIT("access-control-allow-origin"), SLICE_LIT("*"));
    give_answer(r, id, 200, "", buf_slice(&headers));
    assert_int_equal(r->status, 200);
    assert_true(slice_is(header_of(r, "access-control-allow-origin"), "*"));
    teardown(r);
}

static void a_405_says_which_methods_there_are(void **state)
{
    (void)state;
    AUTO(buf) struct buf headers = BUF_INIT(4096);
    struct rig *r = setup("BREW", "/b/k");
    rig_start(r);
    assert_int_equal(r->status, 405);
    assert_true(slice_is(header_of(r, "allow"), "GET, HEAD, PUT, DELETE, OPTIONS"));
    teardown(r);
    r = setup("GET", "/b/k?versionId=aaaaaaaaaaaaaaaaaaaaaaaaaa");
    wire_put_header(&headers, SLICE_LIT("x-amz-delete-marker"), SLICE_LIT("true"));
    give_answer(r, asked(r), 405, "MethodNotAllowed", buf_slice(&headers));
    assert_true(slice_is(header_of(r, "allow"), "DELETE"));
    assert_true(slice_is(header_of(r, "x-amz-delete-marker"), "true"));
    teardown(r);
}

static void s3_control_is_asked_without_a_bucket(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct wire_ask m;
    struct rig *r = setup("GET", "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Ab");
    rig_header(r, "x-amz-account-id", "123456789012");
    r->headers[3].value = slice_str("AWS4-HMAC-SHA256 Credential=AKIATESTTESTTESTTEST/20261124/eu-north-1/s3/aws4_request, "
                                    "SignedHeaders=host;x-amz-account-id;x-amz-content-sha256;x-amz-date, "
                                    "Signature=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    rig_start(r);
    expect_frame(r, &r->w.gate, WIRE_ASK, &p);
    assert_int_equal(wire_get_ask(buf_slice(&p), &m), ERR_OK);
    assert_int_equal(r->f.op, S3_OP_NONE);
    assert_int_equal(r->f.class, FLOW_CLASS_CONFIG);
    teardown(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_listed_as_s3_says),
        cmocka_unit_test(versions_are_listed_as_s3_says),
        cmocka_unit_test(uploads_are_listed_as_s3_says),
        cmocka_unit_test(parts_are_listed_as_s3_says),
        cmocka_unit_test(frames_of_two_kinds_are_no_page),
        cmocka_unit_test(the_framing_of_a_control_body_is_taken_off),
        cmocka_unit_test(a_control_body_that_is_not_what_it_says_never_ends_at_the_gate),
        cmocka_unit_test(signed_chunks_of_a_control_body_are_not_known_here),
        cmocka_unit_test(a_preflight_is_asked_as_nobodys),
        cmocka_unit_test(a_405_says_which_methods_there_are),
        cmocka_unit_test(s3_control_is_asked_without_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
