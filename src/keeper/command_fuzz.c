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
        bool gone = false;
        for (struct slice bucket; command_next_bucket(&c, &bucket, &gone);) ASSERT(bucket.n == ID_BYTES);
        return;
    }
    for (struct command_item i; command_next(&c, &i);) {
        struct row_key key;
        row_object(&key, ROW_GRAVE, i.bucket, i.key);
        row_put_u64(&key, i.turn.guard);
        row_put_u64(&key, i.version);
        ASSERT(row_after(&key));
        ASSERT(command_claims(&i) <= i.entry.blob_count);
        if (i.upload != NULL) row_upload(&key, i.bucket, i.key, i.upload);
        if (i.kind != COMMAND_COMPLETE) continue;
        uint64_t off = 0;
        size_t n = 0;
        for (struct command_part p; command_next_part(&i, &p); n++, off += p.plain_size) ASSERT(p.off == off);
        ASSERT(n == i.entry.parts);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct slice in = slice_of(data, n);
    size_t claims = 0;
    struct entry e;
    struct entry_row row;
    struct location l;
    struct set_row part;
    struct row_key key;
    /* the index is the entry's own leaf: else nothing but a mismatch would ever be seen */
    uint64_t index = n >= 8 ? get_be64(data + n - 8) : 0;
    if (command_check(in, index, &claims) == ERR_OK) walk(in);
    if (command_check(in, 8, &claims) == ERR_OK) walk(in);
    (void)!entry_parse(in, &e);
    if (entry_row_parse(in, &row) == ERR_OK)
        for (size_t i = 0; i < row.entry.blob_count; i++) (void)!location_parse(row.locations[i], &l);
    (void)!location_parse(in, &l);
    row_begin(&key, ROW_SET);
    row_put(&key, SLICE_LIT("set.............offset.."));
    if (set_row_parse(row_slice(&key), in, &part) == ERR_OK) (void)!location_parse(part.location, &l);
    return 0;
}
