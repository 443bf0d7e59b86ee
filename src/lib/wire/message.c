/* SPDX-License-Identifier: Apache-2.0
 * message: encoder and decoder of every row of wire.def.
 * Role: the bytes between gate, keeper, front and steward; no socket here.
 * Distrusts: the peer's bytes, whatever its role: every length is checked against the row's bound and against what is
 *   left, and a message that goes on after its last field is refused.
 * Spec: docs/spec/wire.md
 */
#include "wire/wire.h"

#include <assert.h>

#define WIRE_LENGTH_BYTES 4
#define WIRE_LENGTH_MIN (WIRE_HEADER_BYTES - WIRE_LENGTH_BYTES) /* type and id */

static const struct wire_row {
    const char *name;
    uint8_t senders, receivers;
} wire_rows[256] = {
#define MSG(NAME, name, number, senders, receiver, text) [number] = {#NAME, senders, receiver},
#define U8(name, text)
#define U16(name, text)
#define U32(name, text)
#define U64(name, text)
#define ID(name, text)
#define HASH(name, text)
#define BYTES(name, max, text)
#define END(NAME, name)
#include "wire/wire.def"
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef HASH
#undef BYTES
#undef END
};

const char *wire_type_name(uint8_t type) { return wire_rows[type].name; }

bool wire_allowed(uint8_t type, uint8_t sender_role, uint8_t receiver_role) {
    const struct wire_row *row = &wire_rows[type];
    return row->name != NULL && (row->senders & sender_role) != 0 && (row->receivers & receiver_role) != 0;
}

/* encoding --------------------------------------------------------------------------------------------------------- */

/* A message being appended: where its frame began, and whether a field was past its bound. */
struct wire_put {
    struct buf *out;
    size_t start;
    bool over;
};

static struct wire_put put_begin(struct buf *out, uint8_t type, uint64_t id) {
    struct wire_put w = {.out = out, .start = out->n, .over = out->bad};
    buf_put_u32(out, 0); /* the length, when it is known */
    buf_put_u8(out, type);
    buf_put_u64(out, id);
    return w;
}

static void put_bytes(struct wire_put *w, struct slice s, size_t max) {
    if (s.n > max) w->over = true;
    else buf_put_lp32(w->out, s);
}

/* A frame that does not fit leaves nothing behind: half a frame would make the peer read the next one as its rest. */
static enum err put_end(struct wire_put *w) {
    size_t frame = w->out->n - w->start;
    if (w->over || w->out->bad || frame > WIRE_HEADER_BYTES + WIRE_FRAME_BYTES_MAX) {
        w->out->n = w->start;
        w->out->bad = false;
        return ERR_LIMIT;
    }
    put_be32(w->out->p + w->start, (uint32_t)(frame - WIRE_LENGTH_BYTES));
    return ERR_OK;
}

#define MSG(NAME, name, number, senders, receiver, text)                                                              \
    enum err wire_put_##name(struct buf *out, uint64_t id, const struct wire_##name *m) {                             \
        struct wire_put w = put_begin(out, WIRE_##NAME, id);
#define U8(name, text) buf_put_u8(out, m->name);
#define U16(name, text) buf_put_u16(out, m->name);
#define U32(name, text) buf_put_u32(out, m->name);
#define U64(name, text) buf_put_u64(out, m->name);
#define ID(name, text) buf_put(out, m->name, sizeof m->name);
#define HASH(name, text) buf_put(out, m->name, sizeof m->name);
#define BYTES(name, max, text) put_bytes(&w, m->name, max);
#define END(NAME, name)                                                                                               \
    return put_end(&w);                                                                                               \
    }
#include "wire/wire.def"
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef HASH
#undef BYTES
#undef END

/* decoding --------------------------------------------------------------------------------------------------------- */

struct wire_get {
    struct reader r;
    bool over;
};

static struct slice get_bytes(struct wire_get *w, size_t max) {
    uint32_t n = reader_u32(&w->r);
    if (n > max) {
        w->over = true;
        w->r.bad = true;
        return (struct slice){NULL, 0};
    }
    return reader_slice(&w->r, n);
}

static enum err get_end(const struct wire_get *w) { return w->over ? ERR_LIMIT : reader_end(&w->r); }

#define MSG(NAME, name, number, senders, receiver, text)                                                              \
    enum err wire_get_##name(struct slice payload, struct wire_##name *m) {                                           \
        struct wire_get w = {.r = reader_of(payload)};
#define U8(name, text) m->name = reader_u8(&w.r);
#define U16(name, text) m->name = reader_u16(&w.r);
#define U32(name, text) m->name = reader_u32(&w.r);
#define U64(name, text) m->name = reader_u64(&w.r);
#define ID(name, text) reader_fixed(&w.r, m->name, sizeof m->name);
#define HASH(name, text) reader_fixed(&w.r, m->name, sizeof m->name);
#define BYTES(name, max, text) m->name = get_bytes(&w, max);
#define END(NAME, name)                                                                                               \
    return get_end(&w);                                                                                               \
    }
#include "wire/wire.def"
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef HASH
#undef BYTES
#undef END

enum err wire_split(struct slice in, uint8_t *type, uint64_t *id, struct slice *payload, size_t *frame_n) {
    if (in.n < WIRE_LENGTH_BYTES) return ERR_TRUNCATED;
    uint32_t length = get_be32(in.p);
    if (length > WIRE_LENGTH_MIN + WIRE_FRAME_BYTES_MAX) return ERR_LIMIT;
    if (length < WIRE_LENGTH_MIN) return ERR_INPUT;
    if (length > in.n - WIRE_LENGTH_BYTES) return ERR_TRUNCATED;
    *type = in.p[WIRE_LENGTH_BYTES];
    *id = get_be64(in.p + WIRE_LENGTH_BYTES + 1);
    *payload = slice_of(in.p + WIRE_HEADER_BYTES, length - WIRE_LENGTH_MIN);
    *frame_n = WIRE_LENGTH_BYTES + length;
    return ERR_OK;
}
