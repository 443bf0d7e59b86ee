/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: XML bodies. First byte: which document; second: how it is cut. What is read has bounds, what is canonical is a fixed point.
 */
#include "s3/s3_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const uint8_t seed[ID_BYTES] = {7};

/* Reads a canonical document again: it must be accepted and come out the same. */
static void again(enum s3_xml_kind kind, const struct buf *first)
{
    AUTO(buf) struct buf second = BUF_INIT(8 * S3_CONTROL_BODY_BYTES_MAX);
    struct s3_xml *x = s3_xml_new(kind);
    size_t count;
    enum s3_error e = s3_xml_feed(x, buf_slice(first));
    ASSERT(e == S3E_NONE);
    if (kind == S3_XML_CORS) e = s3_xml_cors_end(x, &second, NULL);
    else if (kind == S3_XML_LIFECYCLE) e = s3_xml_lifecycle_end(x, seed, &second, NULL);
    else e = s3_xml_tagging_end(x, S3_BUCKET_TAGS_MAX, &second, &count, NULL);
    ASSERT(e == S3E_NONE);
    if (kind != S3_XML_TAGGING) ASSERT(slice_eq(buf_slice(first), buf_slice(&second)));
    s3_xml_free(x);
}

static void end_delete(struct s3_xml *x)
{
    struct s3_delete_list list;
    AUTO(buf) struct buf out = BUF_INIT(64 * S3_DELETE_BODY_BYTES_MAX);
    if (s3_xml_delete_end(x, &list) != S3E_NONE) return;
    ASSERT(list.count > 0 && list.count <= S3_DELETE_KEYS_MAX);
    s3_delete_begin(&out);
    for (size_t i = 0; i < list.count; i++) {
        ASSERT(list.keys[i].key.n > 0 && slice_is_utf8(list.keys[i].key));
        s3_delete_row(&out, list.keys[i].key, list.keys[i].version_id, false, list.keys[i].version_id);
    }
    s3_delete_end(&out);
}

static void end_complete(struct s3_xml *x)
{
    struct s3_complete_list list;
    if (s3_xml_complete_end(x, &list) != S3E_NONE) return;
    ASSERT(list.count > 0 && list.count <= PARTS_MAX);
    for (size_t i = 0; i < list.count; i++) ASSERT(list.parts[i].number >= 1 && list.parts[i].number <= PARTS_MAX && list.parts[i].sum < S3_SUM__COUNT);
}

static void end_tagging(struct s3_xml *x)
{
    AUTO(buf) struct buf query = BUF_INIT(8 * S3_CONTROL_BODY_BYTES_MAX);
    AUTO(buf) struct buf xml = BUF_INIT(8 * S3_CONTROL_BODY_BYTES_MAX);
    size_t count;
    if (s3_xml_tagging_end(x, S3_BUCKET_TAGS_MAX, &query, &count, NULL) != S3E_NONE) return;
    s3_tagging_xml(&xml, buf_slice(&query));
    ASSERT(buf_ok(&xml) && count <= S3_BUCKET_TAGS_MAX);
    again(S3_XML_TAGGING, &xml);
}

static void end_cors(struct s3_xml *x)
{
    AUTO(buf) struct buf out = BUF_INIT(8 * S3_CONTROL_BODY_BYTES_MAX);
    AUTO(buf) struct buf mem = BUF_INIT(S3_CONTROL_BODY_BYTES_MAX);
    struct s3_cors_answer a;
    if (s3_xml_cors_end(x, &out, NULL) != S3E_NONE) return;
    again(S3_XML_CORS, &out);
    if (s3_cors_match(buf_slice(&out), SLICE_LIT("http://a"), SLICE_LIT("GET"), SLICE_LIT("x-amz-date"), &mem, &a))
        ASSERT(s3_value_ok(a.origin) && s3_value_ok(a.methods) && s3_value_ok(a.headers) && s3_value_ok(a.expose));
}

static void end_lifecycle(struct s3_xml *x)
{
    AUTO(buf) struct buf out = BUF_INIT(8 * S3_CONTROL_BODY_BYTES_MAX);
    AUTO(buf) struct buf header = BUF_INIT(4096);
    if (s3_xml_lifecycle_end(x, seed, &out, NULL) != S3E_NONE) return;
    again(S3_XML_LIFECYCLE, &out);
    struct s3_lifecycle *l = s3_lifecycle_read(buf_slice(&out));
    ASSERT(l);
    struct s3_lifecycle_object o = {.key = SLICE_LIT("a/b"), .tags = SLICE_LIT("a=1&b=2"), .size = 1000, .mtime_ms = 86400000, .current = true};
    enum s3_lifecycle_action now = s3_lifecycle_judge(l, &o, 0, 86400000), later = s3_lifecycle_judge(l, &o, UINT64_MAX / 4, 86400000);
    ASSERT(now == S3_LIFECYCLE_KEEP || later == now);             /* what is over stays over */
    if (s3_lifecycle_expiration(l, &o, &header)) ASSERT(later == S3_LIFECYCLE_EXPIRE && s3_value_ok(buf_slice(&header)));
    s3_lifecycle_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2) return 0;
    enum s3_xml_kind kind = (enum s3_xml_kind)(data[0] % S3_XML__COUNT);
    size_t step = (size_t)data[1] + 1;
    struct s3_xml *x = s3_xml_new(kind);
    struct slice text;
    const char *word;
    bool block[4], alone;
    if (!x) return 0;
    for (size_t at = 2; at < n; at += step)
        if (s3_xml_feed(x, slice_of(data + at, MIN(step, n - at))) != S3E_NONE) break;
    switch (kind) {
    case S3_XML_CREATE_BUCKET: (void)!s3_xml_create_bucket_end(x, &text); break;
    case S3_XML_DELETE: end_delete(x); break;
    case S3_XML_TAGGING: end_tagging(x); break;
    case S3_XML_VERSIONING: ASSERT((s3_xml_versioning_end(x, &word) == S3E_NONE) == (word != NULL)); break;
    case S3_XML_COMPLETE: end_complete(x); break;
    case S3_XML_CORS: end_cors(x); break;
    case S3_XML_LIFECYCLE: end_lifecycle(x); break;
    case S3_XML_BLOCK: (void)!s3_xml_block_end(x, block); break;
    case S3_XML_OWNERSHIP: ASSERT((s3_xml_ownership_end(x, &word) == S3E_NONE) == (word != NULL)); break;
    case S3_XML_ACL: (void)!s3_xml_acl_end(x, SLICE_LIT("1"), &alone); break;
    case S3_XML__COUNT: break;
    }
    s3_xml_free(x);
    return 0;
}
