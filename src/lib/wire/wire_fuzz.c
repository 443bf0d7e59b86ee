/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target of message.c and list.c: any bytes as a stream of frames, each payload through its decoder; what decodes is
 * encoded again and must give the same frame. Lists are walked to their end.
 */
#include "wire/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_lists(struct slice s) {
    struct reader r = reader_of(s);
    struct wire_header header;
    while (wire_next_header(&r, &header)) continue;
    r = reader_of(s);
    struct wire_sum_item sum;
    while (wire_next_sum(&r, &sum)) continue;
    r = reader_of(s);
    struct wire_release_row release;
    while (wire_next_release_row(&r, &release)) continue;
    r = reader_of(s);
    struct wire_listing_row listing;
    while (wire_next_listing_row(&r, &listing)) continue;
    r = reader_of(s);
    struct wire_scan_row scan;
    while (wire_next_scan_row(&r, &scan)) continue;
    r = reader_of(s);
    struct wire_part_row part;
    while (wire_next_part_row(&r, &part)) continue;
    r = reader_of(s);
    struct wire_cursor cursor;
    while (wire_next_cursor(&r, &cursor)) continue;
    r = reader_of(s);
    struct wire_notice notice;
    while (wire_next_notice(&r, &notice)) continue;
}

#define U8(name, text)
#define U16(name, text)
#define U32(name, text)
#define U64(name, text)
#define ID(name, text)
#define HASH(name, text)
#define BYTES(name, max, text)
#define END(NAME, name)
#define MSG(NAME, name, number, senders, receiver, text)                                                              \
    case WIRE_##NAME: {                                                                                               \
        struct wire_##name m;                                                                                         \
        if (wire_get_##name(payload, &m) != ERR_OK) return true;                                                      \
        return wire_put_##name(again, id, &m) == ERR_OK;                                                              \
    }

/* False when what decodes cannot be encoded. */
static bool decode_and_encode(uint8_t type, uint64_t id, struct slice payload, struct buf *again) {
    switch (type) {
#include "wire/wire.def"
    default: return true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size), payload;
    uint8_t type;
    uint64_t id;
    size_t frame_n;
    while (wire_split(in, &type, &id, &payload, &frame_n) == ERR_OK) {
        AUTO(buf) struct buf again = BUF_INIT(WIRE_HEADER_BYTES + WIRE_FRAME_BYTES_MAX);
        ASSERT(decode_and_encode(type, id, payload, &again));
        ASSERT(again.n == 0 || slice_eq(buf_slice(&again), slice_of(in.p, frame_n)));
        walk_lists(payload);
        in = slice_of(in.p + frame_n, in.n - frame_n);
    }
    walk_lists(in);
    return 0;
}
