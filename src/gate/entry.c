/* SPDX-License-Identifier: Apache-2.0
 * entry: seals and opens the four parts of an entry.
 * Role: between FIND and decide on a read; between decide and leaf on a write.
 * Trusts: keys. Distrusts: every byte the keeper gives back.
 * Law: 2 (bucket keys and keyboxes never leave the gate). Spec: docs/spec/entry.md section 1.
 */
#include "gate/entry.h"

#include <assert.h>

#define ENTRY_VERSION 1
#define ENTRY_FLAG_DELETE 1
#define AAD_MAX (15 + 1 + ID_BYTES + ID_BYTES + 8 + 2 + S3_KEY_BYTES_MAX)

enum entry_part { PART_FACTS = 1, PART_META = 2, PART_KEYBOX = 3 };

static struct slice entry_aad(uint8_t out[AAD_MAX], enum entry_part part, const struct entry_place *p, uint64_t index)
{
    ASSERT(p->key.n <= S3_KEY_BYTES_MAX);
    uint8_t *at = out;
    memcpy(at, "tillit entry v1", 15);
    at += 15;
    *at++ = (uint8_t)part;
    memcpy(at, p->tenant, ID_BYTES);
    memcpy(at + ID_BYTES, p->bucket, ID_BYTES);
    at += 2 * ID_BYTES;
    put_be64(at, index);
    put_be16(at + 8, (uint16_t)p->key.n);
    at += 10;
    if (p->key.n) memcpy(at, p->key.p, p->key.n);
    return slice_of(out, (size_t)(at - out) + p->key.n);
}

/* A wiping buffer for plaintext that holds keys. */
static void entry_secret_done(struct buf *b) { buf_wipe_done(b); }

enum err entry_parse(struct slice bytes, struct entry *out)
{
    struct reader r = reader_of(bytes);
    if (reader_u8(&r) != ENTRY_VERSION) return r.bad ? ERR_CORRUPT : ERR_VERSION;
    uint8_t flags = reader_u8(&r);
    if (flags & ~ENTRY_FLAG_DELETE) return ERR_VERSION;
    out->delete_marker = flags & ENTRY_FLAG_DELETE;
    out->index = reader_u64(&r);
    reader_fixed(&r, out->order, sizeof out->order);
    out->row_count = reader_u8(&r);
    if (out->row_count > ENTRY_BLOB_ROWS_MAX) return ERR_CORRUPT;
    for (size_t i = 0; i < out->row_count; i++) {
        reader_fixed(&r, out->row[i].blob, ID_BYTES);
        out->row[i].cipher_size = reader_u64(&r);
        out->row[i].plain_size = 0;
    }
    out->facts_sealed = reader_lp16(&r, UINT16_MAX);
    out->meta_sealed = reader_lp16(&r, UINT16_MAX);
    out->keybox_sealed = reader_lp16(&r, UINT16_MAX);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

static enum err facts_read(struct slice plain, size_t rows, struct entry_facts *f, struct entry_row *row)
{
    struct reader r = reader_of(plain);
    if (reader_u8(&r) != 1) return r.bad ? ERR_CORRUPT : ERR_VERSION;
    f->size = reader_u64(&r);
    f->mtime_ms = reader_u64(&r);
    struct slice etag = reader_lp16(&r, ENTRY_ETAG_CHARS_MAX);
    f->etag_n = etag.n;
    if (etag.n) memcpy(f->etag, etag.p, etag.n);
    f->etag[etag.n] = 0;
    f->sum = reader_u8(&r);
    struct slice sum = reader_lp16(&r, sizeof f->sum_value);
    f->sum_n = sum.n;
    if (sum.n) memcpy(f->sum_value, sum.p, sum.n);
    f->etag_kind = reader_u8(&r);
    uint64_t total = 0;
    for (size_t i = 0; i < rows; i++) {
        uint64_t n = reader_u64(&r);
        if (row) row[i].plain_size = n;
        if (__builtin_add_overflow(total, n, &total)) return ERR_CORRUPT;
    }
    if (reader_end(&r) != ERR_OK || (rows && total != f->size)) return ERR_CORRUPT;
    return ERR_OK;
}

enum err entry_open_facts(struct keys_ctx *c, const struct secret *bucket_key, const struct entry_place *p, struct slice sealed,
                          uint64_t index, size_t rows, struct entry_facts *out, struct entry_row *row)
{
    uint8_t aad[AAD_MAX];
    AUTO(buf) struct buf plain = BUF_INIT(ENTRY_FACTS_BYTES_MAX);
    TRY(keys_open(c, bucket_key, entry_aad(aad, PART_FACTS, p, index), sealed, &plain));
    return facts_read(buf_slice(&plain), rows, out, row);
}

enum err entry_open_facts_listed(struct keys_ctx *c, const struct secret *bucket_key, const struct entry_place *p, struct slice sealed,
                                 uint64_t index, struct entry_facts *out)
{
    uint8_t aad[AAD_MAX];
    AUTO(buf) struct buf plain = BUF_INIT(ENTRY_FACTS_BYTES_MAX);
    TRY(keys_open(c, bucket_key, entry_aad(aad, PART_FACTS, p, index), sealed, &plain));
    /* All but the sizes at the end has a length of its own. */
    struct reader r = reader_of(buf_slice(&plain));
    reader_slice(&r, 1 + 8 + 8);
    reader_lp16(&r, UINT16_MAX);
    reader_u8(&r);
    reader_lp16(&r, UINT16_MAX);
    reader_u8(&r);
    if (r.bad || reader_left(&r) % 8 != 0) return ERR_CORRUPT;
    return facts_read(buf_slice(&plain), reader_left(&r) / 8, out, NULL);
}

enum err entry_open_meta(struct keys_ctx *c, const struct secret *bucket_key, const struct entry_place *p, const struct entry *e,
                         struct buf *out)
{
    uint8_t aad[AAD_MAX];
    size_t from = out->n;
    TRY(keys_open(c, bucket_key, entry_aad(aad, PART_META, p, e->index), e->meta_sealed, out));
    if (out->n == from || out->p[from] != 1) return ERR_VERSION;
    memmove(out->p + from, out->p + from + 1, out->n - from - 1);
    out->n--;
    return ERR_OK;
}

static void facts_put(struct buf *b, const struct entry *e)
{
    const struct entry_facts *f = &e->facts;
    buf_put_u8(b, 1);
    buf_put_u64(b, f->size);
    buf_put_u64(b, f->mtime_ms);
    buf_put_lp16(b, slice_of(f->etag, f->etag_n));
    buf_put_u8(b, f->sum);
    buf_put_lp16(b, slice_of(f->sum_value, f->sum_n));
    buf_put_u8(b, f->etag_kind);
    for (size_t i = 0; i < e->row_count; i++) buf_put_u64(b, e->row[i].plain_size);
}

/* facts plaintext || meta plaintext, meta with its version byte. */
static void both_put(struct buf *b, const struct entry *e, struct slice meta)
{
    facts_put(b, e);
    buf_put_u8(b, 1);
    buf_put_slice(b, meta);
}

void entry_hash(struct ledger_hash *h, const struct entry *e, struct slice meta, uint8_t out[HASH_BYTES])
{
    AUTO(buf) struct buf both = BUF_INIT(ENTRY_FACTS_BYTES_MAX + 1 + ENTRY_META_BYTES_MAX);
    both_put(&both, e, meta);
    ASSERT(buf_ok(&both));
    ledger_sha256(h, buf_slice(&both), out);
}

static enum err keybox_open(struct keys_ctx *c, const struct secret *tenant_key, const struct entry_place *p, struct entry *e,
                            const uint8_t hash[HASH_BYTES])
{
    uint8_t aad[AAD_MAX];
    __attribute__((cleanup(entry_secret_done))) struct buf box = BUF_INIT(ENTRY_KEYBOX_BYTES_MAX);
    TRY(keys_open(c, tenant_key, entry_aad(aad, PART_KEYBOX, p, e->index), e->keybox_sealed, &box));
    struct reader r = reader_of(buf_slice(&box));
    if (reader_u8(&r) != 1) return ERR_VERSION;
    struct slice keys = reader_slice(&r, e->row_count * KEYS_BYTES);
    e->category = reader_u8(&r);
    e->retain_until_ms = reader_u64(&r);
    e->legal_hold = reader_u8(&r);
    uint8_t want[HASH_BYTES];
    reader_fixed(&r, want, sizeof want);
    /* The keybox is the one part under the tenant key: it says which facts and meta belong to it. */
    if (reader_end(&r) != ERR_OK || memcmp(want, hash, sizeof want) != 0) return ERR_CORRUPT;
    secret_done(&e->keys);
    return keys.n ? secret_copy(&e->keys, keys) : ERR_OK;
}

enum err entry_open_all(struct keys_ctx *c, struct ledger_hash *h, const struct secret *bucket_key, const struct secret *tenant_key,
                        const struct entry_place *p, struct entry *e, struct buf *meta)
{
    size_t from = meta->n;
    TRY(entry_open_facts(c, bucket_key, p, e->facts_sealed, e->index, e->row_count, &e->facts, e->row));
    TRY(entry_open_meta(c, bucket_key, p, e, meta));
    uint8_t hash[HASH_BYTES];
    entry_hash(h, e, slice_of(meta->p + from, meta->n - from), hash);
    return keybox_open(c, tenant_key, p, e, hash);
}

void entry_done(struct entry *e)
{
    secret_done(&e->keys);
}

static void lp16_seal(struct keys_ctx *c, const struct rng *rng, const struct secret *key, struct slice aad, struct slice plain,
                      struct buf *out, enum err *e)
{
    size_t at = out->n;
    buf_put_u16(out, 0);
    if (*e == ERR_OK) *e = keys_seal(c, rng, key, aad, plain, out);
    if (*e == ERR_OK && out->n - at - 2 > UINT16_MAX) *e = ERR_LIMIT;
    if (*e == ERR_OK) put_be16(out->p + at, (uint16_t)(out->n - at - 2));
}

enum err entry_seal(struct keys_ctx *c, struct ledger_hash *h, const struct rng *rng, const struct secret *bucket_key,
                    const struct secret *tenant_key, const struct entry_place *p, const struct entry *e, struct slice meta,
                    struct buf *out)
{
    ASSERT(e->row_count <= ENTRY_BLOB_ROWS_MAX && e->keys.n == e->row_count * KEYS_BYTES);
    uint8_t aad[AAD_MAX], hash[HASH_BYTES];
    AUTO(buf) struct buf both = BUF_INIT(ENTRY_FACTS_BYTES_MAX + 1 + ENTRY_META_BYTES_MAX);
    __attribute__((cleanup(entry_secret_done))) struct buf box = BUF_INIT(ENTRY_KEYBOX_BYTES_MAX);
    facts_put(&both, e);
    size_t facts_n = both.n;
    buf_put_u8(&both, 1);
    buf_put_slice(&both, meta);
    if (!buf_ok(&both)) return ERR_LIMIT;
    ledger_sha256(h, buf_slice(&both), hash);

    buf_put_u8(out, ENTRY_VERSION);
    buf_put_u8(out, e->delete_marker ? ENTRY_FLAG_DELETE : 0);
    buf_put_u64(out, e->index);
    buf_put(out, e->order, sizeof e->order);
    buf_put_u8(out, (uint8_t)e->row_count);
    for (size_t i = 0; i < e->row_count; i++) {
        buf_put(out, e->row[i].blob, ID_BYTES);
        buf_put_u64(out, e->row[i].cipher_size);
    }
    enum err err = ERR_OK;
    lp16_seal(c, rng, bucket_key, entry_aad(aad, PART_FACTS, p, e->index), slice_of(both.p, facts_n), out, &err);
    lp16_seal(c, rng, bucket_key, entry_aad(aad, PART_META, p, e->index), slice_of(both.p + facts_n, both.n - facts_n), out, &err);

    buf_put_u8(&box, 1);
    buf_put_slice(&box, secret_slice(&e->keys));
    buf_put_u8(&box, e->category);
    buf_put_u64(&box, e->retain_until_ms);
    buf_put_u8(&box, e->legal_hold);
    buf_put(&box, hash, sizeof hash);
    ASSERT(buf_ok(&box));
    lp16_seal(c, rng, tenant_key, entry_aad(aad, PART_KEYBOX, p, e->index), buf_slice(&box), out, &err);
    if (err == ERR_OK && !buf_ok(out)) err = ERR_LIMIT;
    return err;
}
