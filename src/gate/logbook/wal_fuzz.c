/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: the WAL's parser. What it reads it writes back the same.
 * Role: tests. Spec: docs/spec/wal.md section 2
 */
#include "gate/logbook/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct ledger_hash hash;
    struct wal_header h;
    struct slice body;
    if (hash.ctx == NULL && ledger_hash_init(&hash) != ERR_OK) return 0;
    (void)logbook_wal_header(&hash, slice_of(data, size), &h, &body);
    /* The chain keeps random bytes out; the body is read without it too. */
    body = size > WAL_HEADER_BYTES ? slice_of(data + WAL_HEADER_BYTES, size - WAL_HEADER_BYTES) : slice_of(data, 0);
    AUTO(buf) struct buf again = BUF_INIT(1 << 24);
    struct reader r = reader_of(body);
    uint32_t records, rows;
    logbook_wal_counts(&r, &records, &rows);
    buf_put_u32(&again, records);
    buf_put_u32(&again, rows);
    for (uint32_t i = 0; i < records && !r.bad; i++) {
        struct wal_record rec;
        logbook_wal_record(&r, &rec);
        if (!r.bad) logbook_wal_put_record(&again, &rec);
    }
    for (uint32_t i = 0; i < rows && !r.bad; i++) {
        struct wal_row row;
        logbook_wal_row(&r, &row);
        if (!r.bad) logbook_wal_put_row(&again, &row);
    }
    if (reader_end(&r) == ERR_OK) ASSERT(slice_eq(buf_slice(&again), body));
    return 0;
}
