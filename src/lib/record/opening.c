/* SPDX-License-Identifier: Apache-2.0
 * Commitments and their openings: what a leaf hides, and the proof that it hid just that.
 * Role: the gate writes them, replay and auditors open them, erasure blanks them.
 * Trusts: the caller for fresh salts. Distrusts: openings: order, numbers, lengths, values.
 * Law: 4. Spec: docs/spec/record.md section 2; RFC 2104.
 */
#include "record/record_open.h"

#include <openssl/evp.h>

#define HMAC_BLOCK_BYTES 64
#define ERASED 0x80

/* Number of each COMMIT field in openings; 0: none. */
static const uint8_t numbers[RECORD_FIELD_COUNT] = {
#define OPENS(NAME, number) [RECORD_F_##NAME] = number,
#include "record/record.def"
};

/* HMAC by hand over the fetched digest and the reused context: a third of what EVP_MAC costs per new key. Two parts, so that
 * callers need not join them. */
static void hmac2(struct ledger_hash *h, struct slice key, struct slice a, struct slice b, uint8_t out[HASH_BYTES])
{
    uint8_t inner[HMAC_BLOCK_BYTES], outer[HMAC_BLOCK_BYTES], k[HMAC_BLOCK_BYTES] = {0}, hash[HASH_BYTES];
    if (key.n > sizeof k)
        ledger_sha256(h, key, k);
    else
        memcpy(k, key.p, key.n);
    for (unsigned i = 0; i < sizeof k; i++) {
        inner[i] = k[i] ^ 0x36;
        outer[i] = k[i] ^ 0x5c;
    }
    bool ok = EVP_DigestInit_ex(h->ctx, NULL, NULL) == 1 && EVP_DigestUpdate(h->ctx, inner, sizeof inner) == 1 &&
              EVP_DigestUpdate(h->ctx, a.p, a.n) == 1 && EVP_DigestUpdate(h->ctx, b.p, b.n) == 1 &&
              EVP_DigestFinal_ex(h->ctx, hash, NULL) == 1 && EVP_DigestInit_ex(h->ctx, NULL, NULL) == 1 &&
              EVP_DigestUpdate(h->ctx, outer, sizeof outer) == 1 && EVP_DigestUpdate(h->ctx, hash, sizeof hash) == 1 &&
              EVP_DigestFinal_ex(h->ctx, out, NULL) == 1;
    ASSERT(ok);
    wipe(k, sizeof k);
    wipe(inner, sizeof inner);
    wipe(outer, sizeof outer);
}

void record_hmac(struct ledger_hash *h, struct slice key, struct slice data, uint8_t out[HASH_BYTES])
{
    hmac2(h, key, data, SLICE_LIT(""), out);
}

void record_commitment(struct ledger_hash *h, enum record_field f, const uint8_t salt[SALT_BYTES], struct slice value,
                       uint8_t out[HASH_BYTES])
{
    ASSERT(record_field_type(f) == RECORD_COMMIT);
    const char *key = record_field_key(f);
    /* The string's own NUL is the separator. */
    hmac2(h, slice_of(salt, SALT_BYTES), slice_of(key, strlen(key) + 1), value, out);
}

void record_opened_put(const struct record_opened *o, struct buf *out)
{
    ASSERT(o->field < RECORD_FIELD_COUNT && numbers[o->field] != 0);
    if (o->erased) {
        buf_put_u8(out, numbers[o->field] | ERASED);
        return;
    }
    buf_put_u8(out, numbers[o->field]);
    buf_put(out, o->salt, SALT_BYTES);
    if (o->field == RECORD_F_ITEMS)
        buf_put_lp32(out, o->value);
    else
        buf_put_lp16(out, o->value);
}

void record_opening_put(const struct record_opening *o, struct buf *out)
{
    ASSERT(o->count <= RECORD_COMMITS_MAX);
    buf_put_u8(out, RECORD_OPENING_VERSION);
    for (unsigned i = 0; i < o->count; i++) record_opened_put(&o->item[i], out);
}

static bool field_of_number(uint8_t number, enum record_field *out)
{
    for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++) {
        if (number == 0 || numbers[f] != number) continue;
        *out = (enum record_field)f;
        return true;
    }
    return false;
}

enum err record_opening_parse(struct slice bytes, struct record_opening *out)
{
    *out = (struct record_opening){0};
    if (bytes.n > OPENING_BYTES_MAX) return ERR_LIMIT;
    struct reader r = reader_of(bytes);
    uint8_t version = reader_u8(&r);
    if (r.bad) return ERR_TRUNCATED;
    if (version != RECORD_OPENING_VERSION) return ERR_VERSION;
    while (reader_left(&r) > 0) {
        if (out->count == RECORD_COMMITS_MAX) return ERR_LIMIT;
        struct record_opened *o = &out->item[out->count];
        uint8_t number = reader_u8(&r);
        if (!field_of_number(number & (uint8_t)~ERASED, &o->field)) return ERR_INPUT;
        if (out->count > 0 && o->field <= out->item[out->count - 1].field) return ERR_INPUT;
        o->erased = number & ERASED;
        if (!o->erased) {
            reader_fixed(&r, o->salt, SALT_BYTES);
            o->value = o->field == RECORD_F_ITEMS ? reader_lp32(&r, OPENING_BYTES_MAX) : reader_lp16(&r, UINT16_MAX);
        }
        out->count++;
    }
    return reader_end(&r);
}

enum err record_opening_check(struct ledger_hash *h, const struct record_leaf *l, const struct record_opening *o)
{
    unsigned next = 0;
    for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++) {
        if (!record_has(l, (enum record_field)f) || record_field_type((enum record_field)f) != RECORD_COMMIT) continue;
        if (next == o->count || o->item[next].field != f) return ERR_VERIFY;
        const struct record_opened *item = &o->item[next++];
        uint8_t mac[HASH_BYTES];
        if (item->erased) continue;
        record_commitment(h, item->field, item->salt, item->value, mac);
        if (!ct_equal(mac, l->f[f].bytes, HASH_BYTES)) return ERR_VERIFY;
    }
    return next == o->count ? ERR_OK : ERR_VERIFY;
}

const struct record_opened *record_opened_field(const struct record_opening *o, enum record_field f)
{
    for (unsigned i = 0; i < o->count; i++)
        if (o->item[i].field == f && !o->item[i].erased) return &o->item[i];
    return NULL;
}

enum err record_opening_erase(struct record_opening *o, enum record_field f)
{
    for (unsigned i = 0; i < o->count; i++) {
        if (o->item[i].field != f) continue;
        o->item[i] = (struct record_opened){.field = f, .erased = true};
        return ERR_OK;
    }
    return ERR_MISSING;
}
