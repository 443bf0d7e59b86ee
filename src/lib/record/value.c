/* SPDX-License-Identifier: Apache-2.0
 * What stands inside opened values, and the slots of the heads log.
 * Role: the gate writes them, replay reads them.
 * Distrusts: lengths and flags that it reads.
 * Spec: docs/spec/record.md sections 2 and 5.
 */
#include "record/record.h"

enum err record_id_get(struct slice text, uint8_t out[ID_BYTES])
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= 'A' && text.p[i] <= 'Z') return ERR_INPUT;
    return base32_fixed(text, out, ID_BYTES);
}

void record_obj_put(struct buf *out, const struct record_obj *v)
{
    buf_put_lp16(out, v->bucket);
    buf_put_slice(out, v->key);
}

enum err record_obj_get(struct slice value, struct record_obj *v)
{
    struct reader r = reader_of(value);
    v->bucket = reader_lp16(&r, RECORD_BUCKET_BYTES_MAX);
    v->key = reader_slice(&r, reader_left(&r));
    TRY(reader_end(&r));
    return v->key.n <= S3_KEY_BYTES_MAX ? ERR_OK : ERR_LIMIT;
}

void record_new_put(struct buf *out, const struct record_new *v)
{
    buf_put(out, v->bucket, ID_BYTES);
    buf_put_u64(out, v->size);
    buf_put(out, v->blob, ID_BYTES);
    buf_put_u8(out, v->etag_kind);
    buf_put_lp16(out, v->etag);
    buf_put_u8(out, v->sum_kind);
    buf_put_lp16(out, v->sum);
    buf_put(out, v->entry_hash, HASH_BYTES);
    buf_put_u64(out, v->order);
}

enum err record_new_get(struct slice value, struct record_new *v)
{
    struct reader r = reader_of(value);
    reader_fixed(&r, v->bucket, ID_BYTES);
    v->size = reader_u64(&r);
    reader_fixed(&r, v->blob, ID_BYTES);
    v->etag_kind = reader_u8(&r);
    v->etag = reader_lp16(&r, UINT16_MAX);
    v->sum_kind = reader_u8(&r);
    v->sum = reader_lp16(&r, UINT16_MAX);
    reader_fixed(&r, v->entry_hash, HASH_BYTES);
    v->order = reader_u64(&r);
    return reader_end(&r);
}

void record_qry_put(struct buf *out, const struct record_qry *v)
{
    buf_put_lp16(out, v->prefix);
    buf_put_lp16(out, v->delimiter);
    buf_put_lp16(out, v->after);
    buf_put_u32(out, v->keys_max);
    buf_put_u8(out, v->kind);
    buf_put_u64(out, v->after_index);
    buf_put(out, v->id, ID_BYTES);
}

enum err record_qry_get(struct slice value, struct record_qry *v)
{
    struct reader r = reader_of(value);
    v->prefix = reader_lp16(&r, UINT16_MAX);
    v->delimiter = reader_lp16(&r, UINT16_MAX);
    v->after = reader_lp16(&r, UINT16_MAX);
    v->keys_max = reader_u32(&r);
    v->kind = reader_u8(&r);
    v->after_index = reader_u64(&r);
    reader_fixed(&r, v->id, ID_BYTES);
    return reader_end(&r);
}

void record_res_put(struct buf *out, const struct record_res *v)
{
    buf_put_u8(out, v->truncated);
    buf_put_lp16(out, v->next);
    buf_put_u32(out, v->count);
    buf_put(out, v->root, HASH_BYTES);
}

enum err record_res_get(struct slice value, struct record_res *v)
{
    struct reader r = reader_of(value);
    uint8_t truncated = reader_u8(&r);
    v->truncated = truncated;
    v->next = reader_lp16(&r, UINT16_MAX);
    v->count = reader_u32(&r);
    reader_fixed(&r, v->root, HASH_BYTES);
    TRY(reader_end(&r));
    return truncated <= 1 ? ERR_OK : ERR_INPUT;
}

void record_ver_put(struct buf *out, uint64_t leaf_index, uint64_t revision)
{
    buf_put_u64(out, leaf_index);
    if (revision != leaf_index) buf_put_u64(out, revision);
}

enum err record_ver_get(struct slice value, uint64_t *leaf_index, uint64_t *revision)
{
    struct reader r = reader_of(value);
    *leaf_index = *revision = reader_u64(&r);
    if (value.n == 8) return reader_end(&r);
    *revision = reader_u64(&r);
    TRY(reader_end(&r));
    /* One encoding each: what was not changed in place has no second number. */
    return *revision > *leaf_index ? ERR_OK : ERR_INPUT;
}

void record_copy_put(struct buf *out, const struct record_copy *v)
{
    buf_put_lp16(out, v->bucket);
    buf_put_lp16(out, v->key);
    buf_put_lp16(out, v->vid);
    buf_put_u64(out, v->ver);
    buf_put_u64(out, v->revision);
}

enum err record_copy_get(struct slice value, struct record_copy *v)
{
    struct reader r = reader_of(value);
    v->bucket = reader_lp16(&r, UINT16_MAX);
    v->key = reader_lp16(&r, S3_KEY_BYTES_MAX);
    v->vid = reader_lp16(&r, UINT16_MAX);
    v->ver = reader_u64(&r);
    v->revision = reader_u64(&r);
    return reader_end(&r);
}

void record_up_put(struct buf *out, const uint8_t upload[ID_BYTES], uint16_t part)
{
    buf_put(out, upload, ID_BYTES);
    buf_put_u16(out, part);
}

enum err record_up_get(struct slice value, uint8_t upload[ID_BYTES], uint16_t *part)
{
    struct reader r = reader_of(value);
    reader_fixed(&r, upload, ID_BYTES);
    *part = reader_u16(&r);
    return reader_end(&r);
}

void record_sub_put(struct buf *out, const struct record_sub *v)
{
    buf_put_lp16(out, v->user);
    buf_put_lp16(out, v->third);
    buf_put_lp16(out, v->more);
}

enum err record_sub_get(struct slice value, struct record_sub *v)
{
    struct reader r = reader_of(value);
    v->user = reader_lp16(&r, UINT16_MAX);
    v->third = reader_lp16(&r, UINT16_MAX);
    v->more = reader_lp16(&r, UINT16_MAX);
    return reader_end(&r);
}

void record_ctx_put(struct buf *out, struct slice name, struct slice value)
{
    buf_put_lp16(out, name);
    buf_put_lp16(out, value);
}

bool record_ctx_next(struct reader *r, struct slice *name, struct slice *value)
{
    if (reader_left(r) == 0) return false;
    *name = reader_lp16(r, UINT16_MAX);
    *value = reader_lp16(r, UINT16_MAX);
    return !r->bad;
}

void record_row_put(struct buf *out, uint8_t kind, struct slice key, uint64_t leaf_index)
{
    buf_put_u8(out, kind);
    buf_put_lp16(out, key);
    buf_put_u64(out, leaf_index);
}

enum err record_row_get(struct reader *r, uint8_t *kind, struct slice *key, uint64_t *leaf_index)
{
    *kind = reader_u8(r);
    *key = reader_lp16(r, S3_KEY_BYTES_MAX);
    *leaf_index = reader_u64(r);
    return r->bad ? ERR_TRUNCATED : ERR_OK;
}

/* slots ------------------------------------------------------------------------------------------------------------ */

void record_slot_value(struct ledger_hash *h, const uint8_t salt[SLOT_SALT_BYTES], struct slice origin, uint64_t size,
                       const uint8_t root[HASH_BYTES], uint8_t out[HASH_BYTES])
{
    AUTO(buf) struct buf text = BUF_INIT(LEDGER_NAME_BYTES_MAX + 128);
    buf_put_slice(&text, origin);
    buf_put_u8(&text, '\n');
    buf_put_dec(&text, size);
    buf_put_u8(&text, '\n');
    buf_put_base64(&text, slice_of(root, HASH_BYTES));
    ASSERT(buf_ok(&text));                            /* an origin is a name: bounded */
    record_hmac(h, slice_of(salt, SLOT_SALT_BYTES), buf_slice(&text), out);
}

void record_slot_format(const struct record_slot *s, struct buf *out)
{
    buf_put_str(out, "slot ");
    buf_put_dec(out, s->number);
    buf_put_str(out, "\nsalt ");
    buf_put_base64(out, slice_of(s->salt, SLOT_SALT_BYTES));
    buf_put_str(out, "\norigin ");
    buf_put_slice(out, s->origin);
    buf_put_u8(out, '\n');
}

/* "word value\n", cut off the front of *rest. */
static enum err take_line(struct slice *rest, const char *word, struct slice *value)
{
    struct slice all = *rest, line, head;
    *rest = slice_cut(all, '\n', &line);
    if (line.n == all.n) return ERR_TRUNCATED;
    *value = slice_cut(line, ' ', &head);
    return head.n < line.n && slice_is(head, word) ? ERR_OK : ERR_INPUT;
}

enum err record_slot_parse(struct slice text, struct record_slot *out)
{
    *out = (struct record_slot){0};
    struct slice rest = text, number, salt;
    TRY(take_line(&rest, "slot", &number));
    TRY(take_line(&rest, "salt", &salt));
    TRY(take_line(&rest, "origin", &out->origin));
    if (rest.n != 0) return ERR_TRAILING;
    if (number.n > 1 && number.p[0] == '0') return ERR_INPUT;
    TRY(slice_u64(number, RECORD_INT_MAX, &out->number));
    TRY(base64_fixed(salt, out->salt, SLOT_SALT_BYTES));
    return ledger_name_ok(out->origin) ? ERR_OK : ERR_INPUT;
}
