/* SPDX-License-Identifier: Apache-2.0
 * A front for the provider's people in tests: an object of three blobs in six segments, given segment by segment. On top of flow_kit.h.
 */
#ifndef TILLIT_METERED_KIT_H
#define TILLIT_METERED_KIT_H

#include "flow/flow_kit.h"

#define SEGMENTS 6
#define SEG SEGMENT_PLAIN_BYTES

/* Blob 1 has two whole segments and 100 bytes, blob 2 a small one, blob 3 a whole one and 5 bytes. */
static const size_t blob_size[] = {2 * SEG + 100, 70000, SEG + 5};
static const struct { unsigned blob, segment; } place[SEGMENTS] = {{0, 0}, {0, 1}, {0, 2}, {1, 0}, {2, 0}, {2, 1}};
static struct buf cipher[3];

static inline size_t blob_off(unsigned b) { return b == 0 ? 0 : blob_off(b - 1) + blob_size[b - 1]; }
static inline size_t object_size(void) { return blob_off(2) + blob_size[2]; }
/* Where segment i ends in the object. */
static inline size_t segment_end(unsigned i)
{
    return blob_off(place[i].blob) + MIN((place[i].segment + (size_t)1) * SEG, blob_size[place[i].blob]);
}

static inline int object_begin(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        buf_init(&cipher[i], 16 << 20);
        seal_part(&cipher[i], (uint8_t)(i + 1), blob_off(i), blob_size[i]);
    }
    return 0;
}
static inline int object_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) buf_done(&cipher[i]);
    return 0;
}

static inline struct rig *setup_access(const char *method, const char *target)
{
    struct rig *r = malloc(sizeof *r);
    rig_init(r);
    r->w.role = WIRE_ROLE_ACCESS;
    rig_request(r, method, target);
    rig_up(r);
    return r;
}

/* A row of `count` segments from segment i on, all of one blob. */
static inline void put_segments(struct buf *rows, unsigned i, unsigned count, uint8_t engine)
{
    unsigned b = place[i].blob;
    put_row_from(rows, (uint8_t)(b + 1), blob_size[b], blob_off(b), place[i].segment, count, engine);
}

static inline enum err give_metered(struct rig *r, uint64_t id, struct slice rows, uint64_t off, uint64_t len, bool more)
{
    return give_rows_of(r, id, (struct wire_release){.size = object_size(), .off = off, .len = len, .more = more, .metered = 1, .rows = rows});
}

/* A release of segment i alone, of the whole object. */
static inline enum err give_segment(struct rig *r, uint64_t id, unsigned i)
{
    AUTO(buf) struct buf rows = BUF_INIT(65536);
    put_segments(&rows, i, 1, 2);
    return give_metered(r, id, buf_slice(&rows), 0, object_size(), i + 1 < SEGMENTS);
}

/* Answers one READ; false when there is none. */
static inline bool answer_read(struct rig *r)
{
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct wire_read q;
    uint8_t type;
    uint64_t id;
    if (!rig_next(r, &r->w.keeper, &type, &id, &p)) return false;
    assert_string_equal(wire_type_name(type), "READ");
    assert_int_equal(wire_get_read(buf_slice(&p), &q), ERR_OK);
    unsigned b = q.location.p[q.location.n - 1] - 1u;
    assert_true(b < 3);
    assert_int_equal(give_data(r, id, buf_slice(&cipher[b]), &q, false), ERR_OK);
    return true;
}
static inline void read_all(struct rig *r)
{
    while (answer_read(r)) {}
}

static inline void expect_next(struct rig *r, uint64_t id, uint64_t sent)
{
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct wire_next m;
    assert_int_equal(expect_frame(r, &r->w.gate, WIRE_NEXT, &p), id);
    assert_int_equal(wire_get_next(buf_slice(&p), &m), ERR_OK);
    assert_int_equal(m.sent, sent);
    expect_silence(r, &r->w.gate);
}

static inline enum err give_kill(struct rig *r, uint64_t id)
{
    AUTO(buf) struct buf frame = BUF_INIT(4096);
    struct wire_kill m = {0};
    assert_int_equal(wire_put_kill(&frame, id, &m), ERR_OK);
    return rig_give(r, &r->w.gate, &frame);
}
static inline void expect_killed(struct rig *r, uint64_t id)
{
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    assert_int_equal(expect_frame(r, &r->w.gate, WIRE_KILLED, &p), id);
    expect_silence(r, &r->w.gate);
}

#endif
