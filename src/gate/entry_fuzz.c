/* SPDX-License-Identifier: Apache-2.0
 * entry_fuzz: any bytes as an entry of the index, with the parts they contain sealed anew: refused or opened, never anything else.
 * Role: fuzz target. Trusts: nothing. Law: 2. Spec: docs/spec/entry.md
 */
#include "gate/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Facts are behind a seal: what a fuzzer can say about them must be sealed first. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct keys_ctx *c;
    static struct secret key;
    static const uint8_t id[ID_BYTES];
    struct entry e = {0};
    struct entry_facts f;
    if (!c) {
        c = keys_ctx_new();
        ASSERT(c && keys_new(keys_rng(), &key) == ERR_OK);
    }
    const struct entry_place place = {.tenant = id, .bucket = id, .key = SLICE_LIT("k")};
    if (entry_parse(slice_of(data, n), &e) == ERR_OK)
        ASSERT(entry_open_facts(c, &key, &place, e.facts_sealed, e.index, e.row_count, &f, e.row) != ERR_OK);   /* nobody sealed it */
    if (n > ENTRY_FACTS_BYTES_MAX) return 0;
    AUTO(buf) struct buf sealed = BUF_INIT(2 * ENTRY_FACTS_BYTES_MAX);
    uint8_t aad[15 + 1 + 2 * ID_BYTES + 8 + 2 + 1] = "tillit entry v1\x01";
    put_be16(aad + 56, 1);
    aad[58] = 'k';
    ASSERT(keys_seal(c, keys_rng(), &key, slice_of(aad, sizeof aad), slice_of(data, n), &sealed) == ERR_OK);
    if (entry_open_facts_listed(c, &key, &place, buf_slice(&sealed), 0, &f) == ERR_OK) ASSERT(f.etag_n <= ENTRY_ETAG_CHARS_MAX && f.sum_n <= sizeof f.sum_value);
    return 0;
}
