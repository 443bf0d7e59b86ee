/* SPDX-License-Identifier: Apache-2.0
 * Stored bytes and sizes from an attacker through the opener: nothing opens, nothing breaks.
 * Role: fuzz target. Distrusts: everything. Spec: docs/spec/frame.md.
 * Input: u32 plain size | u32 offset | u32 bytes | stored bytes.
 */
#include <stdlib.h>

#include "frame/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t out[FRAME_PLAIN_BYTES];
    static const uint8_t key[FRAME_KEY_BYTES] = {1};
    static const struct frame_id id = {{2}, {3}};
    struct reader r = reader_of(slice_of(data, size));
    uint64_t plain_bytes = reader_u32(&r), offset = reader_u32(&r), bytes = reader_u32(&r), back;
    if (r.bad) return 0;
    struct frame_opener o;
    if (frame_opener_init(&o) != ERR_OK) abort();
    if (frame_plain_size(plain_bytes, &back) == ERR_OK && frame_cipher_size(back) != plain_bytes) abort();
    if (frame_opener_begin(&o, &id, plain_bytes, offset, bytes) == ERR_OK) {
        frame_opener_blob_key(&o, key);
        struct slice plain;
        while (frame_opener_next(&o) > 0) {
            struct slice in = reader_slice(&r, MIN((size_t)frame_opener_next(&o), reader_left(&r)));
            if (frame_opener_open(&o, in, out, &plain) != ERR_OK) break;
        }
        if (frame_opener_next(&o) > 0 && frame_opener_finish(&o) != ERR_CORRUPT) abort();
    }
    frame_opener_done(&o);
    return 0;
}
