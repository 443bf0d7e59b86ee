/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: XML bodies. First byte: which document and how it is cut. What is read has bounds, and can be written again.
 */
#include "s3/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1) return 0;
    bool is_delete = data[0] & 1;
    size_t step = (size_t)(data[0] >> 1) + 1;
    struct s3_xml *x = s3_xml_new(is_delete ? S3_XML_DELETE : S3_XML_CREATE_BUCKET);
    AUTO(buf) struct buf out = BUF_INIT(16 * n + 65536);
    if (!x) return 0;
    for (size_t at = 1; at < n; at += step)
        if (s3_xml_feed(x, slice_of(data + at, MIN(step, n - at))) != S3E_NONE) break;
    if (is_delete) {
        struct s3_delete_list list;
        if (s3_xml_delete_end(x, &list) == S3E_NONE) {
            ASSERT(list.count > 0 && list.count <= S3_DELETE_KEYS_MAX);
            s3_delete_begin(&out);
            for (size_t i = 0; i < list.count; i++) {
                ASSERT(list.keys[i].key.n > 0 && slice_is_utf8(list.keys[i].key));
                s3_delete_row(&out, list.keys[i].key, list.keys[i].version_id, false, list.keys[i].version_id);
            }
            s3_delete_end(&out);
        }
    } else {
        struct slice location;
        if (s3_xml_create_bucket_end(x, &location) == S3E_NONE && location.n) s3_location_xml(&out, location);
    }
    s3_xml_free(x);
    return 0;
}
