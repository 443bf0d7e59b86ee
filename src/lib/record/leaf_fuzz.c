/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: leaves. What is read is written again and must be the same bytes.
 * Spec: docs/spec/record.md section 1.
 */
#include "record/record.h"
#include "record/record_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void put_list(struct buf *out, const struct record_value *v, bool texts)
{
    struct slice list = v->text, text;
    uint64_t number, count = 0;
    buf_put_u8(out, '[');
    while (texts ? record_list_text(&list, &text) : record_list_int(&list, &number)) {
        if (count++ > 0) buf_put_u8(out, ',');
        if (texts)
            record_json_text(out, text);
        else
            buf_put_dec(out, number);
    }
    buf_put_u8(out, ']');
    ASSERT(count == v->n && list.n == 0);
}

static void put_again(struct buf *out, const struct record_leaf *l)
{
    bool first = true;
    for (unsigned i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field f = (enum record_field)i;
        const struct record_value *v = &l->f[i];
        if (!record_has(l, f)) continue;
        record_json_key(out, first, record_field_key(f));
        first = false;
        switch (record_field_type(f)) {
        case RECORD_INT: buf_put_dec(out, v->n); continue;
        case RECORD_INTS: put_list(out, v, false); continue;
        case RECORD_TEXTS: put_list(out, v, true); continue;
        case RECORD_TEXT: record_json_text(out, v->text); continue;
        case RECORD_ID:
        case RECORD_HASH:
        case RECORD_COMMIT: break;
        }
        buf_put_u8(out, '"');
        if (record_field_type(f) == RECORD_ID)
            buf_put_base32(out, slice_of(v->bytes, ID_BYTES));
        else
            buf_put_base64url(out, slice_of(v->bytes, HASH_BYTES));
        buf_put_u8(out, '"');
    }
    buf_put_u8(out, '}');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct record_leaf l;
    AUTO(buf) struct buf out = BUF_INIT(LEAF_BYTES_MAX);
    if (record_leaf_parse(slice_of(data, n), RECORD_LOG_ANY, &l) == ERR_OK) {
        put_again(&out, &l);
        ASSERT(slice_eq(buf_slice(&out), slice_of(data, n)));
    }
    return 0;
}
