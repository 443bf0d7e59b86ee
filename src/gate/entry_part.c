/* SPDX-License-Identifier: Apache-2.0
 * entry_part: seals and opens the part rows of a set; version and upload ids.
 * Role: Complete seals them, a read of an object in parts opens them. Trusts: keys. Distrusts: every byte the keeper gives back.
 * Law: 2 (a part's key leaves the gate only as segment keys of what is released). Spec: docs/spec/entry.md section 1.
 */
#include "gate/entry.h"

#define PART_ROW_VERSION 1
#define PART_LABEL "tillit part v1"
#define PART_LABEL_BYTES (sizeof PART_LABEL - 1)
#define PART_AAD_BYTES (PART_LABEL_BYTES + 2 * ID_BYTES + 8)

static void part_secret_done(struct buf *b) { buf_wipe_done(b); }

/* Where a row lies is under its seal: at another offset, or of another set, it does not open. */
static struct slice part_aad(uint8_t out[PART_AAD_BYTES], const uint8_t tenant[ID_BYTES], const uint8_t set[ID_BYTES], uint64_t off)
{
    memcpy(out, PART_LABEL, PART_LABEL_BYTES);
    memcpy(out + PART_LABEL_BYTES, tenant, ID_BYTES);
    memcpy(out + PART_LABEL_BYTES + ID_BYTES, set, ID_BYTES);
    put_be64(out + PART_LABEL_BYTES + 2 * ID_BYTES, off);
    return slice_of(out, PART_AAD_BYTES);
}

enum err entry_part_seal(struct keys_ctx *c, const struct rng *rng, const struct secret *set_key, const uint8_t tenant[ID_BYTES],
                         const uint8_t set[ID_BYTES], uint64_t off, const struct entry_part *part, struct buf *out)
{
    ASSERT(part->number >= 1 && part->number <= PARTS_MAX && part->sum_n <= sizeof part->sum_value && part->key);
    uint8_t aad[PART_AAD_BYTES];
    __attribute__((cleanup(part_secret_done))) struct buf plain = BUF_INIT(PART_ROW_BYTES_MAX);
    buf_put_u8(&plain, PART_ROW_VERSION);
    buf_put_u16(&plain, part->number);
    buf_put_u64(&plain, part->plain_size);
    buf_put(&plain, part->blob, ID_BYTES);
    buf_put(&plain, part->key, KEYS_BYTES);
    buf_put_u8(&plain, part->sum);
    buf_put_lp16(&plain, slice_of(part->sum_value, part->sum_n));
    ASSERT(buf_ok(&plain));
    return keys_seal(c, rng, set_key, part_aad(aad, tenant, set, off), buf_slice(&plain), out);
}

enum err entry_part_open(struct keys_ctx *c, const struct secret *set_key, const uint8_t tenant[ID_BYTES], const uint8_t set[ID_BYTES],
                         uint64_t off, struct slice sealed, struct entry_part *out, uint8_t *key)
{
    uint8_t aad[PART_AAD_BYTES];
    __attribute__((cleanup(part_secret_done))) struct buf plain = BUF_INIT(PART_ROW_BYTES_MAX);
    TRY(keys_open(c, set_key, part_aad(aad, tenant, set, off), sealed, &plain));
    struct reader r = reader_of(buf_slice(&plain));
    if (reader_u8(&r) != PART_ROW_VERSION) return r.bad ? ERR_CORRUPT : ERR_VERSION;
    out->number = reader_u16(&r);
    out->plain_size = reader_u64(&r);
    reader_fixed(&r, out->blob, ID_BYTES);
    reader_fixed(&r, key, KEYS_BYTES);
    out->sum = reader_u8(&r);
    struct slice sum = reader_lp16(&r, sizeof out->sum_value);
    out->sum_n = sum.n;
    if (sum.n) memcpy(out->sum_value, sum.p, sum.n);
    out->key = key;
    if (reader_end(&r) != ERR_OK || out->number < 1 || out->number > PARTS_MAX) {
        wipe(key, KEYS_BYTES);
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

void entry_version_text(const struct entry *e, struct buf *out)
{
    uint8_t id[ID_BYTES];
    if (e->flags & ENTRY_NULL) {
        buf_put_str(out, "null");
        return;
    }
    put_be64(id, ~e->index);                       /* newest first, and no time is shown */
    put_be64(id + 8, e->order);
    buf_put_base32(out, slice_of(id, sizeof id));
}

bool entry_version_parse(struct slice text, bool *null, uint64_t *index, uint64_t *order)
{
    uint8_t id[ID_BYTES];
    *null = slice_is(text, "null");
    if (*null) return true;
    if (text.n != ID_TEXT_CHARS || base32_fixed(text, id, sizeof id) != ERR_OK) return false;
    *index = ~get_be64(id);
    *order = get_be64(id + 8);
    return true;
}

void entry_upload_id(uint64_t index, const uint8_t random[8], uint8_t out[ID_BYTES])
{
    put_be64(out, index);                          /* a key's uploads list in the order they began */
    memcpy(out + 8, random, 8);
}
