/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: openings and the values in them. What is read is written again and must be the same bytes.
 * Spec: docs/spec/record.md section 2.
 */
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_value(const struct record_opened *o, struct buf *out)
{
    struct record_obj obj;
    struct record_new new;
    struct record_qry qry;
    struct record_res res;
    buf_reset(out);
    if (o->field == RECORD_F_OBJ && record_obj_get(o->value, &obj) == ERR_OK)
        record_obj_put(out, &obj);
    else if (o->field == RECORD_F_NEW && record_new_get(o->value, &new) == ERR_OK)
        record_new_put(out, &new);
    else if (o->field == RECORD_F_QRY && record_qry_get(o->value, &qry) == ERR_OK)
        record_qry_put(out, &qry);
    else if (o->field == RECORD_F_RES && record_res_get(o->value, &res) == ERR_OK)
        record_res_put(out, &res);
    else
        return;
    ASSERT(slice_eq(buf_slice(out), o->value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct record_opening o;
    if (record_opening_parse(slice_of(data, n), &o) != ERR_OK) return 0;
    AUTO(buf) struct buf out = BUF_INIT(OPENING_BYTES_MAX);
    record_opening_put(&o, &out);
    ASSERT(slice_eq(buf_slice(&out), slice_of(data, n)));
    for (unsigned i = 0; i < o.count; i++)
        if (!o.item[i].erased) read_value(&o.item[i], &out);
    return 0;
}
