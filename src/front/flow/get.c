/* SPDX-License-Identifier: Apache-2.0
 * What a RELEASE gives to read, to its last byte, in units of a few frames: GET and HEAD to the client, a copy to put.c.
 * Role: reads units from the keeper (two under way) or from a blob file, opens their frames, gives them to the sink in order. Asks for the next
 * rows when the last of the present ones is begun, so that they are there in time and at most one RELEASE waits. When metered: only when the
 * socket has taken every byte of the present ones, of which the gate hears also when they were the last.
 * Trusts: the RELEASE. Distrusts: every stored byte: no byte of a frame leaves before its tag was checked, and no head
 * before the first unit was.
 * Law: 1 (nothing before RELEASE), 2 (keys only from it). Spec: docs/spec/wire.md RELEASE, READ; docs/spec/frame.md.
 */
#include "flow/flow_in.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ENGINE_INLINE 1
#define ENGINE_PACK 2
#define ENGINE_FILE 3
#define FILE_LATER (-2)

static void drive(struct flow *f);

static bool reading(const struct flow *f) { return f->step == FLOW_READ || f->step == FLOW_COPY; }

void flow_get_end(struct flow *f)
{
    struct flow_get *g = f->get;
    if (!g) return;
    if (g->fd >= 0) close(g->fd);
    g->fd = -1;
    wipe(g->payload, g->payload_n);                /* keys */
    for (size_t i = 0; i < ARRAY_LEN(g->portion); i++) buf_wipe_done(&g->portion[i]);
    f->get = NULL;
}

/* Stored bytes are wrong or gone. With the head out there is nothing left to say but a cut connection. */
static void bad_data(struct flow *f, bool corrupt)
{
    if (corrupt && f->w->metrics) f->w->metrics->frames_bad++;
    flow_fail(f, corrupt ? S3E_InternalError : S3E_ServiceUnavailable, NULL);
}

static bool is_file(const struct flow_get *g) { return g->row.location.n > 0 && g->row.location.p[0] == ENGINE_FILE; }

static enum err open_blob(struct flow *f)
{
    struct flow_get *g = f->get;
    AUTO(buf) struct buf path = BUF_INIT(64);
    if (g->row.location.n != 1 + ID_BYTES || f->w->blobs_fd < 0) return ERR_MISSING;
    AUTO(buf) struct buf name = BUF_INIT(ID_TEXT_CHARS);
    buf_put_base32(&name, slice_of(g->row.location.p + 1, ID_BYTES));
    buf_put(&path, name.p, 2);
    buf_put_u8(&path, '/');
    buf_put_slice(&path, buf_slice(&name));
    buf_put_u8(&path, 0);
    if (!buf_ok(&path)) return ERR_NOMEM;
    g->fd = openat(f->w->blobs_fd, (const char *)path.p, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return g->fd < 0 ? ERR_MISSING : ERR_OK;
}

static enum err ask_more(struct flow *f)
{
    struct flow_get *g = f->get;
    struct wire_next m = {.sent = f->metered ? g->sent : 0};
    if (!f->w->gate.up) return ERR_MISSING;
    TRY(wire_put_next(flow_out(&f->w->gate.out), f->id, &m));
    f->w->host->kick(f->w);
    g->asked = true;
    return ERR_OK;
}

/* The rows that came ahead take the place of those that are used up, whose keys go. */
static void use_ahead(struct flow_get *g)
{
    unsigned next = g->portion_used == 0 ? 1 : 0;
    if (g->portion_used != FLOW_PORTION_FIRST) wipe(g->portion[g->portion_used].p, g->portion[g->portion_used].n);
    g->portion_used = next;
    g->rows = reader_of(g->rows_ahead);
    g->more = g->more_ahead;
    g->ahead = false;
}

/* What of the open row is asked for: of a metered one that of its segments, and it goes on where the row before ended. */
static enum err row_part(struct flow *f)
{
    struct flow_get *g = f->get;
    const struct wire_release_row *row = &g->row;
    uint64_t end = g->rel.off + g->rel.len, row_end;
    if (row->plain_size > FRAME_BLOB_BYTES_MAX) return ERR_RANGE;
    if (__builtin_add_overflow(row->plain_off, row->plain_size, &row_end)) return ERR_RANGE;
    uint64_t from = MAX(row->plain_off, g->rel.off), to = MIN(row_end, end);
    if (f->metered) {
        uint64_t first = (uint64_t)row->first_segment * SEGMENT_PLAIN_BYTES, after = first + (uint64_t)row->key_count * SEGMENT_PLAIN_BYTES;
        from = MAX(from, row->plain_off + MIN(first, row->plain_size));
        to = MIN(to, row->plain_off + MIN(after, row->plain_size));
        if (from != g->rel.off + g->begun || (to == from && g->rel.len > 0)) return ERR_RANGE;
    }
    if (to < from) return ERR_RANGE;
    g->begun += to - from;
    TRY(frame_range(row->plain_size, from - row->plain_off, to - from, &g->range));
    if (row->first_segment > g->range.segment_first || (uint64_t)row->first_segment + row->key_count <= g->range.segment_last) return ERR_MISSING;
    return ERR_OK;
}

/* The next row that overlaps what is asked for. Neither row_open nor rows_done afterwards: the gate was asked for more. */
static enum err next_row(struct flow *f)
{
    struct flow_get *g = f->get;
    if (g->fd >= 0) close(g->fd);
    g->fd = -1;
    while (!wire_next_release_row(&g->rows, &g->row)) {
        TRY(reader_end(&g->rows));
        if (!g->more) {
            g->rows_done = true;
            return ERR_OK;
        }
        if (!g->ahead) return g->asked || f->metered ? ERR_OK : ask_more(f);
        use_ahead(g);
    }
    if (g->more && !g->ahead && !g->asked && !f->metered && reader_left(&g->rows) == 0) TRY(ask_more(f));
    TRY(row_part(f));
    g->frame_next = g->range.frame_first;
    g->row_open = true;
    return is_file(g) ? open_blob(f) : ERR_OK;
}

static uint32_t frame_cipher(const struct flow_get *g, uint64_t frame)
{
    uint64_t count = frame_count(g->row.plain_size);
    if (frame + 1 < count) return FRAME_CIPHER_BYTES;
    return (uint32_t)(g->row.plain_size - frame * FRAME_PLAIN_BYTES) + FRAME_TAG_BYTES;
}

/* Room of a unit is what this object needs, not what it could need: page faults cost more than all else of a small GET. */
static bool unit_room(struct flow *f, struct flow_unit *u, size_t n)
{
    if (u->cap >= n) return true;
    /* That memory is not given back before the end: rows that grow one after the other must not each take their own. */
    if (u->cap) n = FLOW_UNIT_FRAMES_MAX * FRAME_CIPHER_BYTES;
    u->bytes = f->w->host->alloc(f, n);
    u->cap = u->bytes ? n : 0;
    return u->bytes != NULL;
}

/* The part of a frame's plaintext that was asked for. */
static struct slice asked_part(const struct flow_get *g, uint64_t frame, uint8_t *plain, uint32_t plain_bytes)
{
    uint32_t from = frame == g->range.frame_first ? g->range.skip_bytes : 0;
    uint64_t start = (frame - g->range.frame_first) * FRAME_PLAIN_BYTES;    /* of this frame, counted from the first one's */
    uint64_t end = g->range.skip_bytes + g->range.plain_bytes;              /* of what is asked, likewise */
    uint64_t to = end > start ? MIN(end - start, plain_bytes) : 0;
    if (to < from) to = from;
    return slice_of(plain + from, (size_t)to - from);
}

/* Checks and opens the frames of a unit: from `in`, or in place. Slices of what was asked for land in u->out. */
static enum err unit_open(struct flow *f, struct flow_unit *u, const uint8_t *in, bool in_place)
{
    struct flow_get *g = f->get;
    struct frame_id id;
    memcpy(id.tenant, g->rel.tenant, ID_BYTES);
    memcpy(id.blob, g->row.blob.p, ID_BYTES);
    uint64_t count = frame_count(g->row.plain_size);
    size_t at = 0, plain_at = 0;
    u->out_count = 0;
    for (uint64_t frame = u->frame; frame < u->frame + u->frame_count; frame++) {
        uint32_t n = frame_cipher(g, frame), segment = (uint32_t)(frame / SEGMENT_FRAMES);
        uint8_t *out = in_place ? u->bytes + at : u->bytes + plain_at;
        TRY(frame_open_one(&f->w->frames, g->row.keys.p + (size_t)(segment - g->row.first_segment) * FRAME_KEY_BYTES, &id, segment,
                           (uint32_t)(frame % SEGMENT_FRAMES), frame + 1 == count, slice_of(in + at, n), out));
        u->out[u->out_count++] = asked_part(g, frame, out, n - FRAME_TAG_BYTES);
        at += n;
        plain_at += n - FRAME_TAG_BYTES;
    }
    u->state = FLOW_UNIT_READY;
    return ERR_OK;
}

static uint64_t unit_offset(const struct flow_get *g, const struct flow_unit *u)
{
    return g->range.cipher_offset + (u->frame - g->range.frame_first) * FRAME_CIPHER_BYTES;
}

static enum err send_read(struct flow *f, const struct flow_unit *u)
{
    struct flow_get *g = f->get;
    struct wire_read m = {.location = g->row.location, .off = unit_offset(g, u), .len = u->cipher_bytes};
    TRY(wire_put_read(flow_out(&f->w->keeper.out), flow_read_id(f, (unsigned)(u - g->unit)), &m));
    f->w->host->kick(f->w);
    return ERR_OK;
}

static enum err unit_start(struct flow *f, struct flow_unit *u)
{
    struct flow_get *g = f->get;
    uint64_t left = g->range.frame_last + 1 - g->frame_next;
    u->number = g->unit_next++;
    u->frame = g->frame_next;
    u->frame_count = (uint32_t)MIN(left, is_file(g) ? FLOW_UNIT_FRAMES_MAX : FLOW_READ_FRAMES_MAX);
    u->cipher_bytes = 0;
    for (uint32_t i = 0; i < u->frame_count; i++) u->cipher_bytes += frame_cipher(g, u->frame + i);
    g->frame_next += u->frame_count;
    u->state = FLOW_UNIT_READING;
    size_t plain = u->cipher_bytes - (size_t)u->frame_count * FRAME_TAG_BYTES;
    if (!unit_room(f, u, is_file(g) ? u->cipher_bytes : MAX(plain, 1))) return ERR_NOMEM;
    if (!is_file(g)) return f->w->keeper.up ? send_read(f, u) : ERR_BUSY;
    int64_t n = f->w->host->file_read(f, g->fd, unit_offset(g, u), u->bytes, u->cipher_bytes);
    if (n == FILE_LATER) return ERR_OK;
    if (n != (int64_t)u->cipher_bytes) return n < 0 ? ERR_IO : ERR_CORRUPT;
    return unit_open(f, u, u->bytes, true);
}

static struct flow_unit *unit_free(struct flow_get *g)
{
    /* A file's unit is read when the one before is gone: reading ahead is the kernel's work there. */
    unsigned max = is_file(g) ? 1 : FLOW_UNITS;
    for (unsigned i = 0; i < max; i++)
        if (g->unit[i].state == FLOW_UNIT_FREE) return &g->unit[i];
    return NULL;
}

/* Starts as many reads as there is room for. Rows are read one after the other: a row's geometry serves all its units. */
static enum err fill(struct flow *f)
{
    struct flow_get *g = f->get;
    while (!g->rows_done) {
        if (g->row_open && g->frame_next > g->range.frame_last) {
            for (unsigned i = 0; i < FLOW_UNITS; i++)
                if (g->unit[i].state == FLOW_UNIT_READING) return ERR_OK;
            g->row_open = false;
        }
        if (!g->row_open) {
            TRY(next_row(f));
            if (!g->row_open) return ERR_OK;       /* all rows were read, or more are on their way */
            continue;
        }
        struct flow_unit *u = unit_free(g);
        if (!u) return ERR_OK;
        enum err e = unit_start(f, u);
        if (e == ERR_BUSY) {
            /* The keeper is away: sent again when it is back (flow_get_again). */
            if (list_empty(&f->node)) {
                f->parked_ms = f->w->now_ms;
                list_add_tail(&f->w->parked, &f->node);
            }
            return ERR_OK;
        }
        TRY(e);
        if (u->state == FLOW_UNIT_READY) return ERR_OK;
    }
    return ERR_OK;
}

static bool send_head(struct flow *f)
{
    struct flow_get *g = f->get;
    struct flow_head h;
    flow_head_fill(f, &h);
    h.status = f->status = g->rel.status;
    h.receipt = g->rel.receipt;
    h.headers = g->rel.headers;
    h.length_known = true;
    h.length = g->rel.len;
    h.part = g->rel.status == 206;
    h.part_first = g->rel.off;
    h.part_total = g->rel.size;
    if (g->rel.head) h.no_body = true;
    f->head_sent = true;
    return f->w->host->head(f, &h) != FLOW_BROKEN;
}

/* One unit into the sink. */
static enum flow_write give(struct flow *f, const struct flow_unit *u, uint64_t bytes, bool last)
{
    if (f->step == FLOW_COPY) return flow_put_copy(f, u->out, u->out_count, last);
    if (f->w->metrics) f->w->metrics->bytes_out += bytes;
    if (last) f->step = FLOW_SENDING, f->write_last = true;
    return f->w->host->write(f, u->out, u->out_count, last);
}

/* Gives the unit whose turn it is. True: something moved. */
static bool send_ready(struct flow *f)
{
    struct flow_get *g = f->get;
    if (f->writing) return false;
    for (unsigned i = 0; i < FLOW_UNITS; i++) {
        struct flow_unit *u = &g->unit[i];
        if (u->state != FLOW_UNIT_READY || u->number != g->unit_send) continue;
        uint64_t bytes = 0;
        for (size_t k = 0; k < u->out_count; k++) bytes += u->out[k].n;
        if (bytes > g->rel.len - g->sent) {
            bad_data(f, false);
            return false;
        }
        if (f->step == FLOW_READ && !f->head_sent && !send_head(f)) return false;
        g->sent += bytes;
        g->unit_send++;
        bool last = g->sent == g->rel.len && !f->metered;    /* a metered one ends when the socket has it all */
        u->state = FLOW_UNIT_WRITING;
        enum flow_write wr = give(f, u, bytes, last);
        if (last || wr == FLOW_BROKEN) return false;
        if (wr == FLOW_WRITTEN) u->state = FLOW_UNIT_FREE;
        else f->writing = true;
        return true;
    }
    return false;
}

/* Every byte that the present rows give was taken by the socket. */
static bool rows_spent(const struct flow *f)
{
    const struct flow_get *g = f->get;
    if (!f->metered || !reading(f) || !f->head_sent || g->row_open || g->asked || g->ahead || reader_left(&g->rows) > 0) return false;
    for (unsigned i = 0; i < FLOW_UNITS; i++)
        if (g->unit[i].state != FLOW_UNIT_FREE) return false;
    return true;
}

/* NEXT, once for each RELEASE. The last one has no answer: the body ends here. */
static void tell_spent(struct flow *f)
{
    struct flow_get *g = f->get;
    if (ask_more(f) != ERR_OK) {
        bad_data(f, false);
        return;
    }
    if (g->more) return;
    f->gate_open = false;
    f->step = FLOW_SENDING;
    f->write_last = true;
    f->w->host->write(f, NULL, 0, true);
}

static void drive(struct flow *f)
{
    do {
        struct flow_get *g = f->get;
        enum err e = reading(f) && g ? fill(f) : ERR_OK;
        if (e != ERR_OK) {
            bad_data(f, e == ERR_CORRUPT);
            return;
        }
        if (reading(f) && g->rows_done && g->unit_next == g->unit_send && !f->writing && g->sent != g->rel.len) {
            bad_data(f, false);                    /* the rows end before the length that was promised */
            return;
        }
    } while (reading(f) && send_ready(f));
    if (f->get && rows_spent(f)) tell_spent(f);
}

/* What cannot be stopped is not metered either: KILL reaches the role ACCESS alone. */
static bool release_ok(const struct flow *f, const struct wire_release *rel, bool copy)
{
    if (rel->metered && (copy || f->w->role != WIRE_ROLE_ACCESS || (!rel->head && rel->rows.n == 0))) return false;
    return rel->len <= rel->size && rel->off <= rel->size - rel->len && (rel->status == 200 || rel->status == 206) && !(copy && rel->head);
}

void flow_on_release(struct flow *f, struct slice payload)
{
    bool copy = f->step == FLOW_COPY;
    struct flow_get *g = f->w->host->alloc(f, sizeof *g + payload.n);
    if (!g) {
        flow_fail(f, S3E_SlowDown, NULL);
        return;
    }
    memset(g, 0, sizeof *g);
    g->fd = -1;
    g->portion_used = FLOW_PORTION_FIRST;
    for (size_t i = 0; i < ARRAY_LEN(g->portion); i++) buf_init(&g->portion[i], WIRE_FRAME_BYTES_MAX);
    g->payload = (uint8_t *)(g + 1);
    g->payload_n = payload.n;
    memcpy(g->payload, payload.p, payload.n);
    f->get = g;
    if (!copy) f->step = FLOW_READ;
    if (wire_get_release(slice_of(g->payload, payload.n), &g->rel) != ERR_OK || !release_ok(f, &g->rel, copy)) {
        flow_fail(f, S3E_InternalError, NULL);
        return;
    }
    g->more = g->rel.more != 0 && !g->rel.head;
    /* LAW-1: decided and recorded; from here on bytes may be read. The gate holds nothing of ours any more, unless it has more to give. */
    f->metered = g->rel.metered && !g->rel.head;
    f->gate_open = copy || g->more || f->metered;
    g->rows = reader_of(g->rel.rows);
    if (copy) {
        if (flow_put_copy_size(f, g->rel.len)) drive(f);
        return;
    }
    flow_request_id(f, g->rel.request);
    if (g->rel.head || f->head_method) {
        g->rel.head = 1;
        f->step = FLOW_SENDING;
        send_head(f);
        return;
    }
    drive(f);
}

bool flow_get_waits_gate(const struct flow *f) { return reading(f) && f->get && f->get->asked; }
bool flow_get_needs_gate(const struct flow *f) { return f->get && (f->get->ahead ? f->get->more_ahead : f->get->more); }

/* Keys of later rows; all else was said by the first RELEASE. */
void flow_on_more(struct flow *f, struct slice payload)
{
    struct flow_get *g = f->get;
    struct wire_release m;
    struct buf *to = &g->portion[g->portion_used == 0 ? 1 : 0];
    g->asked = false;
    if (to->p) wipe(to->p, to->n);
    buf_reset(to);
    buf_put_slice(to, payload);
    if (!buf_ok(to) || wire_get_release(buf_slice(to), &m) != ERR_OK || (m.metered != 0) != f->metered || (f->metered && m.rows.n == 0)) {
        bad_data(f, false);
        return;
    }
    g->ahead = true;
    g->rows_ahead = m.rows;
    g->more_ahead = m.more != 0;
    if (!g->more_ahead && f->step == FLOW_READ && !f->metered) f->gate_open = false;
    if (!g->row_open) drive(f);
}

void flow_on_data(struct flow *f, unsigned unit, const struct wire_data *m)
{
    struct flow_get *g = f->get;
    if (!g || !reading(f) || unit >= FLOW_UNITS || g->unit[unit].state != FLOW_UNIT_READING) return;
    struct flow_unit *u = &g->unit[unit];
    if (m->outcome != WIRE_DATA_OK) {
        bad_data(f, false);
        return;
    }
    if (m->data.n != u->cipher_bytes || unit_open(f, u, m->data.p, false) != ERR_OK) {
        bad_data(f, true);
        return;
    }
    drive(f);
}

void flow_get_file_done(struct flow *f, int64_t n)
{
    struct flow_get *g = f->get;
    struct flow_unit *u = &g->unit[0];
    if (n != (int64_t)u->cipher_bytes || unit_open(f, u, u->bytes, true) != ERR_OK) {
        bad_data(f, n >= 0);
        return;
    }
    drive(f);
}

void flow_get_can_write(struct flow *f)
{
    struct flow_get *g = f->get;
    for (unsigned i = 0; i < FLOW_UNITS; i++)
        if (g->unit[i].state == FLOW_UNIT_WRITING) g->unit[i].state = FLOW_UNIT_FREE;
    drive(f);
}

bool flow_get_waits_keeper(const struct flow *f)
{
    const struct flow_get *g = f->get;
    if (!g || !g->row_open || is_file(g)) return false;
    for (unsigned i = 0; i < FLOW_UNITS; i++)
        if (g->unit[i].state == FLOW_UNIT_READING) return true;
    return false;
}

void flow_get_again(struct flow *f)
{
    struct flow_get *g = f->get;
    for (unsigned i = 0; g && i < FLOW_UNITS; i++) {
        if (g->unit[i].state != FLOW_UNIT_READING) continue;
        if (send_read(f, &g->unit[i]) != ERR_OK) {
            bad_data(f, false);
            return;
        }
    }
    if (g) drive(f);
}
