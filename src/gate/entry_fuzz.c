/* SPDX-License-Identifier: Apache-2.0
 * entry_fuzz: any bytes as an entry of the index, as facts and as a part row that were sealed anew: refused or opened, never anything else.
 * Role: fuzz target. Trusts: nothing. Law: 2. Spec: docs/spec/entry.md
 */
#include "gate/entry.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct keys_ctx *ctx;
static struct secret key;
static const uint8_t id[ID_BYTES];

/* Facts are behind a seal: what a fuzzer can say about them must be sealed first. */
static void as_facts(struct slice data)
{
    static const char label[] = "tillit entry v2\x01";          /* and flags, ids, index, revision of zero */
    uint8_t aad[sizeof label - 1 + 1 + 2 * ID_BYTES + 8 + 8 + 2 + 1] = {0};
    AUTO(buf) struct buf sealed = BUF_INIT(2 * ENTRY_FACTS_BYTES_MAX);
    const struct entry_place place = {.tenant = id, .bucket = id, .key = SLICE_LIT("k")};
    memcpy(aad, label, sizeof label - 1);
    aad[sizeof aad - 2] = 1;
    aad[sizeof aad - 1] = 'k';
    ASSERT(keys_seal(ctx, keys_rng(), &key, slice_of(aad, sizeof aad), data, &sealed) == ERR_OK);
    const struct wire_scan_row row = {.facts = buf_slice(&sealed)};
    struct entry e;
    entry_of_scan(&row, &e);
    enum err err = entry_open_facts(ctx, &key, &place, &e);
    if (data.n && data.p[0] == 2) ASSERT(err == ERR_OK || err == ERR_CORRUPT);
    if (err == ERR_OK) ASSERT(e.facts.etag_n <= ENTRY_ETAG_CHARS_MAX && e.facts.sum_n <= sizeof e.facts.sum_value);
}

static void as_part(struct slice data)
{
    static const char label[] = "tillit part v1";
    uint8_t aad[sizeof label - 1 + 2 * ID_BYTES + 8] = {0}, part_key[KEYS_BYTES];
    AUTO(buf) struct buf sealed = BUF_INIT(2 * PART_ROW_BYTES_MAX);
    struct entry_part part;
    memcpy(aad, label, sizeof label - 1);
    ASSERT(keys_seal(ctx, keys_rng(), &key, slice_of(aad, sizeof aad), data, &sealed) == ERR_OK);
    if (entry_part_open(ctx, &key, id, id, 0, buf_slice(&sealed), &part, part_key) == ERR_OK)
        ASSERT(part.number >= 1 && part.number <= PARTS_MAX && part.sum_n <= sizeof part.sum_value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct entry e = {0};
    if (!ctx) {
        ctx = keys_ctx_new();
        ASSERT(ctx && keys_new(keys_rng(), &key) == ERR_OK);
    }
    const struct entry_place place = {.tenant = id, .bucket = id, .key = SLICE_LIT("k")};
    if (entry_parse(slice_of(data, n), &e) == ERR_OK) ASSERT(entry_open_facts(ctx, &key, &place, &e) != ERR_OK);   /* nobody sealed it */
    if (n <= ENTRY_FACTS_BYTES_MAX) as_facts(slice_of(data, n));
    if (n <= PART_ROW_BYTES_MAX) as_part(slice_of(data, n));
    return 0;
}
