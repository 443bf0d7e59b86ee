/* SPDX-License-Identifier: Apache-2.0
 * entry: seals and opens the parts of an entry.
 * Role: between FIND and decide on a read; between decide and leaf on a write.
 * Trusts: keys. Distrusts: every byte the keeper gives back.
 * Law: 2 (bucket keys and keyboxes never leave the gate). Spec: docs/spec/entry.md section 1.
 */
#include "gate/entry.h"

#include <assert.h>

#include "wire/wire.h"

#define ENTRY_VERSION 2
#define ENTRY_FACTS_VERSION 2
#define ENTRY_META_VERSION 1
#define ENTRY_KEYBOX_VERSION 2
#define ENTRY_FLAGS (ENTRY_MARKER | ENTRY_NULL | ENTRY_SET | ENTRY_PART | ENTRY_UPLOAD)
#define AAD_LABEL "tillit entry v2"
#define AAD_LABEL_BYTES (sizeof AAD_LABEL - 1)
#define NAME_BYTES_MAX (S3_KEY_BYTES_MAX + 1 + ID_BYTES + 2)   /* a part's: key | 00 | upload | number */
#define AAD_MAX (AAD_LABEL_BYTES + 2 + 2 * ID_BYTES + 8 + 8 + 2 + NAME_BYTES_MAX)

static_assert(AAD_MAX <= KEYS_AAD_BYTES_MAX, "associated data fits");

enum entry_piece { PIECE_FACTS = 1, PIECE_META = 2, PIECE_KEYBOX = 3 };

void entry_part_name(struct buf *out, struct slice key, const uint8_t upload[ID_BYTES], uint16_t part)
{
    buf_put_slice(out, key);
    buf_put_u8(out, 0);
    buf_put(out, upload, ID_BYTES);
    if (part) buf_put_u16(out, part);
}

static struct slice entry_aad(uint8_t out[AAD_MAX], enum entry_piece piece, const struct entry_place *p, const struct entry *e)
{
    ASSERT(p->key.n <= NAME_BYTES_MAX);
    uint8_t *at = out;
    memcpy(at, AAD_LABEL, AAD_LABEL_BYTES);
    at += AAD_LABEL_BYTES;
    *at++ = (uint8_t)piece;
    *at++ = e->flags;                              /* a marker does not open as an object, nor a null version as another */
    memcpy(at, p->tenant, ID_BYTES);
    memcpy(at + ID_BYTES, p->bucket, ID_BYTES);
    at += 2 * ID_BYTES;
    put_be64(at, e->index);
    put_be64(at + 8, e->revision);
    put_be16(at + 16, (uint16_t)p->key.n);
    at += 18;
    if (p->key.n) memcpy(at, p->key.p, p->key.n);
    return slice_of(out, (size_t)(at - out) + p->key.n);
}

/* A wiping buffer for plaintext that holds keys. */
static void entry_secret_done(struct buf *b) { buf_wipe_done(b); }

/* Keys in the keybox: one a blob row, or the set's. */
static size_t entry_key_count(const struct entry *e) { return e->row_count + (e->flags & ENTRY_SET ? 1u : 0u); }

/* Which flags go together, and what each says of rows. */
static bool entry_shape_ok(const struct entry *e)
{
    switch (e->flags) {
    case 0:
    case ENTRY_NULL: return e->row_count > 0;      /* an empty object has one row too */
    case ENTRY_PART: return e->row_count == 1;
    case ENTRY_MARKER:
    case ENTRY_MARKER | ENTRY_NULL:
    case ENTRY_UPLOAD: return e->row_count == 0;
    case ENTRY_SET:
    case ENTRY_SET | ENTRY_NULL: return e->row_count == 0 && e->parts > 0 && e->parts <= PARTS_MAX;
    default: return false;
    }
}

enum err entry_parse(struct slice bytes, struct entry *out)
{
    struct reader r = reader_of(bytes);
    if (reader_u8(&r) != ENTRY_VERSION) return r.bad ? ERR_CORRUPT : ERR_VERSION;
    out->flags = reader_u8(&r);
    if (out->flags & ~ENTRY_FLAGS) return ERR_VERSION;
    out->index = reader_u64(&r);
    out->order = reader_u64(&r);
    out->revision = reader_u64(&r);
    out->row_count = reader_u8(&r);
    out->scanned = false;
    if (out->row_count > ENTRY_BLOB_ROWS_MAX) return ERR_CORRUPT;
    for (size_t i = 0; i < out->row_count; i++) {
        reader_fixed(&r, out->row[i].blob, ID_BYTES);
        out->row[i].cipher_size = reader_u64(&r);
        out->row[i].plain_size = 0;
    }
    memset(out->set, 0, sizeof out->set);
    out->parts = 0;
    if (out->flags & ENTRY_SET) {
        reader_fixed(&r, out->set, ID_BYTES);
        out->parts = reader_u16(&r);
    }
    out->facts_sealed = reader_lp16(&r, UINT16_MAX);
    out->meta_sealed = reader_lp16(&r, UINT16_MAX);
    out->keybox_sealed = reader_lp16(&r, UINT16_MAX);
    if (reader_end(&r) != ERR_OK || !entry_shape_ok(out) || out->revision < out->index) return ERR_CORRUPT;
    return ERR_OK;
}

void entry_of_scan(const struct wire_scan_row *row, struct entry *out)
{
    *out = (struct entry){.flags = row->flags, .index = row->leaf_index, .order = row->order, .revision = row->revision, .scanned = true,
                          .facts_sealed = row->facts};
}

/* facts ------------------------------------------------------------------------------------------------------------------ */

static void facts_read_account(struct reader *r, struct entry_facts *f)
{
    char text[ACCOUNT_CHARS];
    reader_fixed(r, text, sizeof text);
    memset(f->account, 0, sizeof f->account);
    if (text[0]) memcpy(f->account, text, sizeof text);      /* zeros: everyone */
    for (size_t i = 0; i < sizeof text; i++)
        if (text[0] ? text[i] < '0' || text[i] > '9' : text[i] != 0) r->bad = true;
}

static enum err facts_read(struct slice plain, struct entry *e)
{
    struct entry_facts *f = &e->facts;
    struct reader r = reader_of(plain);
    if (reader_u8(&r) != ENTRY_FACTS_VERSION) return r.bad ? ERR_CORRUPT : ERR_VERSION;
    f->size = reader_u64(&r);
    f->mtime_ms = reader_u64(&r);
    struct slice etag = reader_lp16(&r, ENTRY_ETAG_CHARS_MAX);
    f->etag_n = etag.n;
    if (etag.n) memcpy(f->etag, etag.p, etag.n);
    f->etag[etag.n] = 0;
    f->sum = reader_u8(&r);
    f->sum_type = reader_u8(&r);
    struct slice sum = reader_lp16(&r, sizeof f->sum_value);
    f->sum_n = sum.n;
    if (sum.n) memcpy(f->sum_value, sum.p, sum.n);
    f->etag_kind = reader_u8(&r);
    f->tags = reader_u8(&r);
    f->parts = reader_u16(&r);
    facts_read_account(&r, f);
    uint64_t total = 0;
    size_t rows = e->scanned ? reader_left(&r) / 8 : e->row_count;   /* a scan does not tell how many rows there are */
    if (rows > ENTRY_BLOB_ROWS_MAX) return ERR_CORRUPT;
    for (size_t i = 0; i < rows; i++) {
        uint64_t n = reader_u64(&r);
        if (!e->scanned) e->row[i].plain_size = n;
        if (__builtin_add_overflow(total, n, &total)) return ERR_CORRUPT;
    }
    if (reader_end(&r) != ERR_OK || (rows && total != f->size)) return ERR_CORRUPT;
    return ERR_OK;
}

static void facts_put(struct buf *b, const struct entry *e)
{
    static const uint8_t nobody[ACCOUNT_CHARS];
    const struct entry_facts *f = &e->facts;
    buf_put_u8(b, ENTRY_FACTS_VERSION);
    buf_put_u64(b, f->size);
    buf_put_u64(b, f->mtime_ms);
    buf_put_lp16(b, slice_of(f->etag, f->etag_n));
    buf_put_u8(b, f->sum);
    buf_put_u8(b, f->sum_type);
    buf_put_lp16(b, slice_of(f->sum_value, f->sum_n));
    buf_put_u8(b, f->etag_kind);
    buf_put_u8(b, f->tags);
    buf_put_u16(b, f->parts);
    ASSERT(!f->account[0] || strlen(f->account) == ACCOUNT_CHARS);
    buf_put(b, f->account[0] ? (const uint8_t *)f->account : nobody, ACCOUNT_CHARS);
    for (size_t i = 0; i < e->row_count; i++) buf_put_u64(b, e->row[i].plain_size);
}

enum err entry_open_facts(struct keys_ctx *c, const struct secret *bucket_key, const struct entry_place *p, struct entry *e)
{
    uint8_t aad[AAD_MAX];
    AUTO(buf) struct buf plain = BUF_INIT(ENTRY_FACTS_BYTES_MAX);
    TRY(keys_open(c, bucket_key, entry_aad(aad, PIECE_FACTS, p, e), e->facts_sealed, &plain));
    return facts_read(buf_slice(&plain), e);
}

/* meta ------------------------------------------------------------------------------------------------------------------- */

enum err entry_open_meta(struct keys_ctx *c, const struct secret *bucket_key, const struct entry_place *p, const struct entry *e,
                         struct buf *out)
{
    uint8_t aad[AAD_MAX];
    size_t from = out->n;
    TRY(keys_open(c, bucket_key, entry_aad(aad, PIECE_META, p, e), e->meta_sealed, out));
    if (out->n == from || out->p[from] != ENTRY_META_VERSION) return ERR_VERSION;
    memmove(out->p + from, out->p + from + 1, out->n - from - 1);
    out->n--;
    return ERR_OK;
}

struct slice entry_meta_header(struct slice meta, const char *name)
{
    struct reader list = reader_of(meta);
    struct wire_header h;
    while (wire_next_header(&list, &h))
        if (slice_is(h.name, name)) return h.value;
    return slice_of(NULL, 0);
}

void entry_meta_set(struct slice meta, const char *name, struct slice value, struct buf *out)
{
    struct reader list = reader_of(meta);
    struct wire_header h;
    while (wire_next_header(&list, &h))
        if (!slice_is(h.name, name)) wire_put_header(out, h.name, h.value);
    if (value.n) wire_put_header(out, slice_str(name), value);
}

/* all of it ---------------------------------------------------------------------------------------------------------------- */

void entry_hash(struct ledger_hash *h, const struct entry *e, struct slice meta, uint8_t out[HASH_BYTES])
{
    AUTO(buf) struct buf both = BUF_INIT(ENTRY_FACTS_BYTES_MAX + 1 + ENTRY_META_BYTES_MAX);
    facts_put(&both, e);
    buf_put_u8(&both, ENTRY_META_VERSION);
    buf_put_slice(&both, meta);
    ASSERT(buf_ok(&both));
    ledger_sha256(h, buf_slice(&both), out);
}

static enum err keybox_open(struct keys_ctx *c, const struct secret *tenant_key, const struct entry_place *p, struct entry *e,
                            const uint8_t hash[HASH_BYTES])
{
    uint8_t aad[AAD_MAX];
    __attribute__((cleanup(entry_secret_done))) struct buf box = BUF_INIT(ENTRY_KEYBOX_BYTES_MAX);
    TRY(keys_open(c, tenant_key, entry_aad(aad, PIECE_KEYBOX, p, e), e->keybox_sealed, &box));
    struct reader r = reader_of(buf_slice(&box));
    if (reader_u8(&r) != ENTRY_KEYBOX_VERSION) return ERR_VERSION;
    struct slice keys = reader_slice(&r, entry_key_count(e) * KEYS_BYTES);
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
    ASSERT(!e->scanned);
    TRY(entry_open_facts(c, bucket_key, p, e));
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

static void clear_put(struct buf *out, const struct entry *e)
{
    buf_put_u8(out, ENTRY_VERSION);
    buf_put_u8(out, e->flags);
    buf_put_u64(out, e->index);
    buf_put_u64(out, e->order);
    buf_put_u64(out, e->revision);
    buf_put_u8(out, (uint8_t)e->row_count);
    for (size_t i = 0; i < e->row_count; i++) {
        buf_put(out, e->row[i].blob, ID_BYTES);
        buf_put_u64(out, e->row[i].cipher_size);
    }
    if (!(e->flags & ENTRY_SET)) return;
    buf_put(out, e->set, ID_BYTES);
    buf_put_u16(out, e->parts);
}

enum err entry_seal(struct keys_ctx *c, struct ledger_hash *h, const struct rng *rng, const struct secret *bucket_key,
                    const struct secret *tenant_key, const struct entry_place *p, const struct entry *e, struct slice meta,
                    struct buf *out)
{
    ASSERT(e->row_count <= ENTRY_BLOB_ROWS_MAX && entry_shape_ok(e) && e->keys.n == entry_key_count(e) * KEYS_BYTES);
    ASSERT(e->revision >= e->index && !e->scanned);
    uint8_t aad[AAD_MAX], hash[HASH_BYTES];
    AUTO(buf) struct buf both = BUF_INIT(ENTRY_FACTS_BYTES_MAX + 1 + ENTRY_META_BYTES_MAX);
    __attribute__((cleanup(entry_secret_done))) struct buf box = BUF_INIT(ENTRY_KEYBOX_BYTES_MAX);
    facts_put(&both, e);
    size_t facts_n = both.n;
    buf_put_u8(&both, ENTRY_META_VERSION);
    buf_put_slice(&both, meta);
    if (!buf_ok(&both)) return ERR_LIMIT;
    ledger_sha256(h, buf_slice(&both), hash);

    clear_put(out, e);
    enum err err = ERR_OK;
    lp16_seal(c, rng, bucket_key, entry_aad(aad, PIECE_FACTS, p, e), slice_of(both.p, facts_n), out, &err);
    lp16_seal(c, rng, bucket_key, entry_aad(aad, PIECE_META, p, e), slice_of(both.p + facts_n, both.n - facts_n), out, &err);

    buf_put_u8(&box, ENTRY_KEYBOX_VERSION);
    buf_put_slice(&box, secret_slice(&e->keys));
    buf_put_u8(&box, e->category);
    buf_put_u64(&box, e->retain_until_ms);
    buf_put_u8(&box, e->legal_hold);
    buf_put(&box, hash, sizeof hash);
    ASSERT(buf_ok(&box));
    lp16_seal(c, rng, tenant_key, entry_aad(aad, PIECE_KEYBOX, p, e), buf_slice(&box), out, &err);
    if (err == ERR_OK && !buf_ok(out)) err = ERR_LIMIT;
    return err;
}
