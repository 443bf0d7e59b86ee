/* SPDX-License-Identifier: Apache-2.0
 * What the tests of the flows play: the gate's and the keeper's frames, and bytes to carry. On top of flow_rig.h.
 */
#ifndef TILLIT_FLOW_KIT_H
#define TILLIT_FLOW_KIT_H

#include "flow/flow_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const uint8_t tenant[ID_BYTES] = {1, 2, 3}, blob[ID_BYTES] = {9, 8, 7}, blob_key[32] = {5, 5, 5};

static inline struct rig *setup(const char *method, const char *target)
{
    struct rig *r = malloc(sizeof *r);
    rig_init(r);
    rig_request(r, method, target);
    rig_up(r);
    return r;
}

static inline void teardown(struct rig *r)
{
    rig_done(r);
    free(r);
}

static inline uint64_t expect_frame(struct rig *r, struct flow_peer *p, uint8_t want, struct buf *payload)
{
    uint8_t type;
    uint64_t id;
    assert_true(rig_next(r, p, &type, &id, payload));
    assert_string_equal(wire_type_name(type), wire_type_name(want));
    return id;
}

static inline void expect_silence(struct rig *r, struct flow_peer *p)
{
    uint8_t type;
    uint64_t id;
    AUTO(buf) struct buf b = BUF_INIT(1 << 20);
    if (rig_next(r, p, &type, &id, &b)) fail_msg("a frame %s that nobody expects", wire_type_name(type));
}

/* n bytes of plaintext that differ from place to place. */
static inline uint8_t plain_at(size_t i) { return (uint8_t)(i * 7 + (i >> 8) + (i >> 16)); }

/* The blob of `n` bytes of the plaintext from `from` on, sealed under an id whose last byte is `number`. */
static inline void seal_part(struct buf *out, uint8_t number, size_t from, size_t n)
{
    struct frame_sealer s = {0};
    struct frame_id id;
    uint8_t *in = malloc(n + 1);
    memcpy(id.tenant, tenant, ID_BYTES);
    memcpy(id.blob, blob, ID_BYTES);
    id.blob[ID_BYTES - 1] = number;
    for (size_t i = 0; i < n; i++) in[i] = plain_at(from + i);
    assert_int_equal(frame_sealer_init(&s), ERR_OK);
    assert_int_equal(frame_sealer_begin(&s, &id, blob_key, n), ERR_OK);
    struct slice left = slice_of(in, n);
    size_t cap = (size_t)frame_cipher_size(n), got;
    uint8_t *at = buf_room(out, cap);
    assert_int_equal(frame_sealer_step(&s, &left, at, cap, &got), ERR_OK);
    out->n += got;
    assert_int_equal(frame_sealer_finish(&s), ERR_OK);
    frame_sealer_done(&s);
    free(in);
}

static inline void seal_all(struct buf *out, size_t n) { seal_part(out, 0, 0, n); }

/* One release row: blob `number` of `size` bytes at `off` of the object, `keys` of its segments from `first` on. engine: 2 pack, 3 file; a pack's
 * location ends in its number. */
static inline void put_row_from(struct buf *rows, uint8_t number, size_t size, size_t off, unsigned first, unsigned keys, uint8_t engine)
{
    struct frame_ctx ctx = {0};
    assert_int_equal(frame_ctx_init(&ctx), ERR_OK);
    uint8_t id[ID_BYTES], location[17] = "\2locationlocati";
    memcpy(id, blob, ID_BYTES);
    id[ID_BYTES - 1] = number;
    location[0] = engine;
    location[16] = number;
    buf_put(rows, id, ID_BYTES);
    buf_put_u64(rows, size);
    buf_put_u64(rows, off);
    buf_put_u32(rows, first);
    buf_put_u16(rows, (uint16_t)keys);
    for (unsigned i = first; i < first + keys; i++) {
        uint8_t key[32];
        assert_int_equal(frame_segment_key(&ctx, blob_key, i, key), ERR_OK);
        buf_put(rows, key, 32);
    }
    frame_ctx_done(&ctx);
    buf_put_lp16(rows, slice_of(location, sizeof location));
}

static inline void put_row(struct buf *rows, uint8_t number, size_t size, size_t off, unsigned keys, uint8_t engine)
{
    put_row_from(rows, number, size, off, 0, keys, engine);
}

static inline enum err give_rows_of(struct rig *r, uint64_t id, struct wire_release m)
{
    AUTO(buf) struct buf frame = BUF_INIT(1 << 20);
    if (!m.status) m.status = m.len == m.size ? 200 : 206;
    memcpy(m.tenant, tenant, ID_BYTES);
    assert_int_equal(wire_put_release(&frame, id, &m), ERR_OK);
    return rig_give(r, &r->w.gate, &frame);
}

static inline enum err give_rows(struct rig *r, uint64_t id, struct slice rows, uint64_t size, uint64_t off, uint64_t len, bool more)
{
    return give_rows_of(r, id, (struct wire_release){.size = size, .off = off, .len = len, .more = more, .rows = rows});
}

static inline enum err give_release(struct rig *r, uint64_t id, size_t size, uint64_t off, uint64_t len, unsigned keys)
{
    AUTO(buf) struct buf rows = BUF_INIT(65536);
    put_row(&rows, 0, size, 0, keys, 2);
    return give_rows(r, id, buf_slice(&rows), size, off, len, false);
}

static inline enum err give_data(struct rig *r, uint64_t id, struct slice cipher, const struct wire_read *q, bool flip)
{
    AUTO(buf) struct buf frame = BUF_INIT(1 << 20), part = BUF_INIT(1 << 20);
    buf_put(&part, cipher.p + q->off, q->len);
    if (flip) part.p[3] ^= 1;
    struct wire_data m = {.outcome = WIRE_DATA_OK, .data = buf_slice(&part)};
    assert_int_equal(wire_put_data(&frame, id, &m), ERR_OK);
    return rig_give(r, &r->w.keeper, &frame);
}

static inline uint64_t asked(struct rig *r)
{
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    rig_start(r);
    return expect_frame(r, &r->w.gate, WIRE_ASK, &p);
}

static inline uint64_t next_read(struct rig *r, struct buf *payload, struct wire_read *m)
{
    uint64_t id = expect_frame(r, &r->w.keeper, WIRE_READ, payload);
    assert_int_equal(wire_get_read(buf_slice(payload), m), ERR_OK);
    return id;
}

static inline void check_body(const struct rig *r, size_t from, size_t n)
{
    assert_int_equal(r->body.n, n);
    for (size_t i = 0; i < n; i++)
        if (r->body.p[i] != plain_at(from + i)) fail_msg("byte %zu of the answer is wrong", i);
}

static inline bool body_has(const struct rig *r, const char *text) { return memmem(r->body.p, r->body.n, text, strlen(text)) != NULL; }

static inline void give_ticket_of(struct rig *r, uint64_t id, uint64_t size_max, uint32_t sums, bool copy)
{
    AUTO(buf) struct buf frame = BUF_INIT(4096);
    struct wire_ticket m = {.size_max = size_max, .sums = sums, .copy = copy};
    memcpy(m.tenant, tenant, ID_BYTES);
    memcpy(m.blob, blob, ID_BYTES);
    memcpy(m.key, blob_key, 32);
    assert_int_equal(wire_put_ticket(&frame, id, &m), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.gate, &frame), ERR_OK);
}

static inline void give_ticket(struct rig *r, uint64_t id, uint64_t size_max) { give_ticket_of(r, id, size_max, 1u << WIRE_SUM_MD5, false); }

static inline void give_credit(struct rig *r, uint64_t id, uint64_t taken)
{
    AUTO(buf) struct buf frame = BUF_INIT(4096);
    struct wire_credit m = {.taken = taken};
    memcpy(m.blob, blob, ID_BYTES);
    assert_int_equal(wire_put_credit(&frame, id, &m), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.keeper, &frame), ERR_OK);
}

static inline void give_sealed(struct rig *r, uint64_t id, uint8_t outcome)
{
    AUTO(buf) struct buf frame = BUF_INIT(4096);
    struct wire_sealed m = {.outcome = outcome};
    memcpy(m.blob, blob, ID_BYTES);
    assert_int_equal(wire_put_sealed(&frame, id, &m), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.keeper, &frame), ERR_OK);
}

static inline void give_answer(struct rig *r, uint64_t id, uint16_t status, const char *code, struct slice headers)
{
    AUTO(buf) struct buf frame = BUF_INIT(65536);
    struct wire_answer m = {.status = status, .code = slice_str(code), .headers = headers, .body_kind = code[0] ? WIRE_BODY_ERROR : WIRE_BODY_NONE};
    assert_int_equal(wire_put_answer(&frame, id, &m), ERR_OK);
    assert_int_equal(rig_give(r, &r->w.gate, &frame), ERR_OK);
}

#endif
