/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: Range, conditions and dates. First byte: the object's size; then the header's value.
 */
#include "s3/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1) return 0;
    struct slice value = slice_of(data + 1, n - 1), etag = SLICE_LIT("5d41402abc4b2a76b9719d911017c592");
    uint64_t size = data[0], first = 0, last = 0;
    if (s3_range_parse(value, size, &first, &last) == S3_RANGE_PART) ASSERT(first <= last && last < size);
    struct s3_conditions c = {.if_match = value, .if_none_match = value, .if_modified_since = value, .if_unmodified_since = value, .if_range = value};
    const char *condition;
    (void)s3_condition_read(&c, etag, 1369353600000, &condition);
    (void)s3_if_range(&c, etag, 1369353600000);
    c.if_match = slice_of(NULL, 0);
    (void)s3_condition_read(&c, etag, 1369353600000, &condition);
    (void)s3_condition_write(&c, true, etag, &condition);
    return 0;
}
