/* SPDX-License-Identifier: Apache-2.0
 * command_fuzz: any bytes as a command, an entry, an index row, a location: refused or walked, never anything else.
 * Role: fuzz target.
 * Spec: docs/spec/entry.md
 */
#include "keeper/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void walk(struct slice raw) {
    struct command c;
    command_begin(raw, &c);
    if (c.kind == COMMAND_PURGE) {
        for (struct slice bucket; command_next_bucket(&c, &bucket);) ASSERT(bucket.n == ID_BYTES);
        return;
    }
    for (struct command_item i; command_next(&c, &i);) {
        struct row_key key;
        row_object(&key, ROW_GRAVE, i.bucket, i.key);
        row_put_u64(&key, i.guard);
        ASSERT(row_after(&key));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct slice in = slice_of(data, n);
    size_t claims = 0;
    struct entry e;
    struct entry_row row;
    struct location l;
    /* the index is the entry's own leaf: else nothing but a mismatch would ever be seen */
    uint64_t index = n >= 8 ? get_be64(data + n - 8) : 0;
    if (command_check(in, index, &claims) == ERR_OK) walk(in);
    if (command_check(in, 8, &claims) == ERR_OK) walk(in);
    (void)!entry_parse(in, &e);
    if (entry_row_parse(in, &row) == ERR_OK)
        for (size_t i = 0; i < row.entry.blob_count; i++) (void)!location_parse(row.locations[i], &l);
    (void)!location_parse(in, &l);
    return 0;
}
