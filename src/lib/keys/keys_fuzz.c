/* SPDX-License-Identifier: Apache-2.0
 * Sealed bytes, wrapped keys and root texts from an attacker: only what was sealed under the key opens.
 * Role: fuzz target. Distrusts: everything. Spec: docs/spec/keys.md.
 * Input: u8 which | bytes.
 */
#include <stdlib.h>

#include "keys/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct keys_ctx *ctx;
    static const uint8_t key_bytes[KEYS_BYTES] = {1};
    if (size < 1) return 0;
    if (ctx == NULL && (ctx = keys_ctx_new()) == NULL) abort();
    struct slice in = slice_of(data + 1, size - 1);
    AUTO(secret) struct secret key = SECRET_INIT;
    AUTO(secret) struct secret got = SECRET_INIT;
    AUTO(buf) struct buf out = BUF_INIT(1 << 20);
    const struct keys_wrap_id id = {.kind = KEYS_WRAP_BUCKET, .generation = 1};
    if (secret_copy(&key, slice_of(key_bytes, sizeof key_bytes)) != ERR_OK) abort();
    enum err e;
    switch (data[0] % 4) {
    case 0:
        e = keys_root_parse(in, &got);
        if (e == ERR_OK && got.n != KEYS_BYTES) abort();
        break;
    case 1:
        e = keys_unwrap(ctx, &key, &id, in, &got);
        if (e == ERR_OK && got.n != KEYS_BYTES) abort();
        break;
    case 2:
        e = keys_open(ctx, &key, SLICE_LIT("fuzz"), in, &out);
        if (e == ERR_OK && out.n + KEYS_SEAL_EXTRA_BYTES != in.n) abort();
        break;
    default:
        e = keys_open_at(ctx, &key, 7, SLICE_LIT("fuzz"), in, &out);
        if (e == ERR_OK && out.n + KEYS_AT_EXTRA_BYTES != in.n) abort();
        break;
    }
    if (e != ERR_OK && (out.n != 0 || got.p != NULL)) abort();
    return 0;
}
