/* SPDX-License-Identifier: Apache-2.0
 * keeper_rig: see keeper_test.h.
 * Role: tests only.
 * Trusts: the test. Distrusts: the keeper's answers: each is decoded and compared.
 * Spec: docs/spec/wire.md, docs/spec/entry.md
 */
#include "keeper/keeper_test.h"

#include <errno.h>
#include <ftw.h>

const uint8_t rig_log[ID_BYTES] = "log............";
const uint8_t rig_bucket[ID_BYTES] = "bucket.........";
static uint64_t blob_number;

uint8_t rig_pattern(uint64_t at) { return (uint8_t)(at * 31 + (at >> 8)); }

void rig_turn(struct rig *r, int ms) { (void)loop_turn(r->loop, ms); }

void peer_send(struct peer *p, const struct buf *frames) {
    size_t at = 0;
    while (at < frames->n) {
        ssize_t n = send(p->fd, frames->p + at, frames->n - at, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

/* False when the keeper closed. */
static bool peer_fill(struct peer *p) {
    uint8_t *to = buf_room(&p->in, 65536);
    assert_non_null(to);
    ssize_t n = recv(p->fd, to, 65536, MSG_DONTWAIT);
    if (n > 0) p->in.n += (size_t)n;
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static struct slice take_frame(struct peer *p, bool *whole) {
    static uint8_t copy[WIRE_FRAME_BYTES_MAX];
    struct slice payload;
    size_t n = 0;
    *whole = wire_split(buf_slice(&p->in), &p->type, &p->id, &payload, &n) == ERR_OK;
    if (!*whole) return (struct slice){0};
    memcpy(copy, payload.p, payload.n);
    payload.p = copy;
    buf_drop_front(&p->in, n);
    return payload;
}

static void take_usage(struct rig *r, struct slice payload) {
    struct wire_usage m;
    assert_int_equal(wire_get_usage(payload, &m), ERR_OK);
    struct reader list = reader_of(m.usages);
    while (reader_left(&list) > 0) {
        struct slice log = reader_slice(&list, ID_BYTES);
        struct usage u = {.objects = reader_u64(&list)};
        u.bytes = reader_u64(&list);
        assert_false(list.bad);
        if (memcmp(log.p, rig_log, ID_BYTES) == 0) r->usage = u;
    }
}

struct slice peer_recv(struct rig *r, struct peer *p, uint8_t type) {
    for (int i = 0; i < 3000; i++) {
        bool whole = false;
        struct slice payload = take_frame(p, &whole);
        if (whole && p->type == WIRE_SPACE && type != WIRE_SPACE) continue;
        if (whole && p->type == WIRE_USAGE) {
            take_usage(r, payload);
            continue;
        }
        if (whole && p->type == WIRE_CREDIT && type != WIRE_CREDIT) continue;
        if (whole) {
            assert_string_equal(wire_type_name(p->type), wire_type_name(type));
            return payload;
        }
        rig_turn(r, 2);
        if (!peer_fill(p)) fail_msg("closed while waiting for %s", wire_type_name(type));
    }
    fail_msg("no %s", wire_type_name(type));
    return (struct slice){0};
}

bool peer_closed(struct rig *r, struct peer *p, int within_ms) {
    uint64_t end = clock_mono_ms() + (uint64_t)within_ms;
    do {
        rig_turn(r, 2);
        if (!peer_fill(p)) return true;
    } while (clock_mono_ms() < end);
    return false;
}

bool peer_silent(struct rig *r, struct peer *p, int ms) {
    return !peer_closed(r, p, ms) && p->in.n == 0;
}

static int pair(int *keeper_end) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    int size = 4 << 20;
    (void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    *keeper_end = fds[1];
    return fds[0];
}

static void shake(struct rig *r, struct peer *p, uint8_t role) {
    PEER_SEND(p, hello, 0, .role = role, .version = WIRE_VERSION);
    struct wire_hello h;
    assert_int_equal(wire_get_hello(peer_recv(r, p, WIRE_HELLO), &h), ERR_OK);
    p->front_id = h.front_id;
}

void peer_gate(struct rig *r, struct peer *p) {
    int end = -1;
    *p = (struct peer){.fd = pair(&end), .in = BUF_INIT(SIZE_MAX / 2)};
    conn_gate_accepted(&r->k, end);
    shake(r, p, WIRE_ROLE_GATE);
}

void peer_front(struct rig *r, struct peer *p) {
    int end = -1;
    *p = (struct peer){.fd = pair(&end), .in = BUF_INIT(SIZE_MAX / 2)};
    conn_front_accepted(&r->k, end);
    shake(r, p, WIRE_ROLE_FRONT);
}

void peer_access(struct rig *r, struct peer *p) {
    int end = -1;
    *p = (struct peer){.fd = pair(&end), .in = BUF_INIT(SIZE_MAX / 2)};
    conn_access_accepted(&r->k, end);
    shake(r, p, WIRE_ROLE_ACCESS);
}

void peer_done(struct peer *p) {
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
    buf_done(&p->in);
}

void rig_start(struct rig *r, const struct store_engine *e) {
    uint8_t boot[ID_BYTES] = {1};
    r->loop = loop_new();
    struct keeper_config c = {.dir = r->dir, .engine = e, .reserve_bytes = 1};
    assert_int_equal(keeper_start(&r->k, r->loop, &c, boot), ERR_OK);
    peer_gate(r, &r->gate);
    PEER_SEND(&r->gate, openindex, 1, .index_key = {0});
    struct wire_ready ready;
    r->usage = (struct usage){0};
    assert_int_equal(wire_get_ready(peer_recv(r, &r->gate, WIRE_READY), &ready), ERR_OK);
    assert_int_equal(ready.outcome, WIRE_READY_OK);
    peer_front(r, &r->front);
}

void rig_open(struct rig *r, const struct store_engine *e) {
    *r = (struct rig){.dir = "/tmp/keeper-test-XXXXXX"};
    const char *breaks = getenv("KEEPER_TEST_BREAKS"); /* a file of break names: these tests must turn red under them */
    if (breaks != NULL) breaks_init(breaks);
    assert_non_null(mkdtemp(r->dir));
    rig_start(r, e);
}

void rig_halt(struct rig *r) {
    peer_done(&r->gate);
    peer_done(&r->front);
    keeper_stop(&r->k);
    loop_free(r->loop);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void rig_remove(struct rig *r) { assert_int_equal(nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0); }

void rig_close(struct rig *r) {
    rig_halt(r);
    rig_remove(r);
}

static unsigned counted;
static int count_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)path;
    (void)st;
    (void)ftw;
    if (kind == FTW_F) counted++;
    return 0;
}

unsigned rig_files(const struct rig *r, const char *below) {
    char path[128];
    counted = 0;
    (void)snprintf(path, sizeof path, "%s/%s", r->dir, below);
    assert_int_equal(nftw(path, count_one, 16, FTW_PHYS), 0);
    return counted;
}

/* blobs --------------------------------------------------------------------------------------------------------------- */

struct blob rig_blob(struct rig *r, uint64_t size) {
    (void)r;
    struct blob b = {.size = size};
    put_be64(b.id, ++blob_number);
    b.id[15] = 'b';
    return b;
}

void rig_grant(struct rig *r, const struct blob *b, const struct peer *front, uint64_t max) {
    struct wire_grant g = {.front_id = front->front_id, .cipher_max = max, .expiry_ms = 60000};
    memcpy(g.blob, b->id, ID_BYTES);
    struct buf frame = BUF_INIT(256);
    assert_int_equal(wire_put_grant(&frame, 0, &g), ERR_OK);
    peer_send(&r->gate, &frame);
    buf_done(&frame);
}

void rig_stage_piece(struct peer *p, const struct blob *b, uint64_t off, size_t n, bool last) {
    static uint8_t bytes[WIRE_DATA_BYTES_MAX];
    for (size_t i = 0; i < n; i++) bytes[i] = rig_pattern(off + i);
    struct wire_stage m = {.off = off, .last = last, .data = slice_of(bytes, n)};
    memcpy(m.blob, b->id, ID_BYTES);
    struct buf frame = BUF_INIT(WIRE_FRAME_BYTES_MAX + 64);
    assert_int_equal(wire_put_stage(&frame, 5, &m), ERR_OK);
    peer_send(p, &frame);
    buf_done(&frame);
}

struct blob rig_staged(struct rig *r, uint64_t size) {
    struct blob b = rig_blob(r, size);
    rig_grant(r, &b, &r->front, size);
    uint64_t credited = 0;
    for (uint64_t off = 0; off < size || size == 0;) {
        uint64_t n = MIN(size - off, (uint64_t)WIRE_DATA_BYTES_MAX);
        while (off + n - credited > STAGE_CREDIT_BYTES) {
            struct wire_credit c;
            assert_int_equal(wire_get_credit(peer_recv(r, &r->front, WIRE_CREDIT), &c), ERR_OK);
            credited = c.taken;
        }
        rig_stage_piece(&r->front, &b, off, (size_t)n, off + n == size);
        off += n;
        rig_turn(r, 0);
    }
    struct wire_sealed s;
    assert_int_equal(wire_get_sealed(peer_recv(r, &r->front, WIRE_SEALED), &s), ERR_OK);
    assert_int_equal(s.outcome, WIRE_SEALED_OK);
    return b;
}

/* commands ------------------------------------------------------------------------------------------------------------- */

void build_entry(struct buf *out, const struct entry_parts *p) {
    buf_put_u8(out, ENTRY_VERSION);
    buf_put_u8(out, p->flags);
    buf_put_u64(out, p->leaf);
    buf_put_u64(out, 77);
    buf_put_u64(out, p->revision != 0 ? p->revision : p->leaf);
    buf_put_u8(out, (uint8_t)p->blob_count);
    for (size_t i = 0; i < p->blob_count; i++) {
        buf_put(out, p->blobs[i].id, ID_BYTES);
        buf_put_u64(out, p->blobs[i].size);
    }
    if (p->set != NULL) {
        buf_put(out, p->set, ID_BYTES);
        buf_put_u16(out, p->parts);
    }
    buf_put_lp16(out, SLICE_LIT("facts"));
    buf_put_lp16(out, SLICE_LIT("meta"));
    buf_put_lp16(out, SLICE_LIT("keybox"));
}

void build_entry_lp32(struct buf *out, const struct entry_parts *p) {
    struct buf e = BUF_INIT(4096);
    build_entry(&e, p);
    assert_true(buf_ok(&e));
    buf_put_lp32(out, buf_slice(&e));
    buf_done(&e);
}

void build_head(struct buf *out, uint8_t kind, uint64_t at) {
    buf_put_u8(out, COMMAND_VERSION);
    buf_put_u8(out, kind);
    buf_put_u64(out, at);
}

void build_place(struct buf *out, const char *key) {
    buf_put(out, rig_bucket, ID_BYTES);
    buf_put_lp16(out, slice_str(key));
}

void build_turn(struct buf *out, const struct command_turn *t) {
    buf_put_u64(out, t->guard);
    buf_put_u8(out, t->keep);
    buf_put_u64(out, t->null_leaf);
    buf_put_u64(out, t->grave_ms);
}

static void put_head(struct buf *out, uint8_t kind, uint64_t at, const char *name, uint64_t guard) {
    const struct command_turn t = {.guard = guard, .null_leaf = COMMAND_GUARD_ABSENT};
    build_head(out, kind, at);
    build_place(out, name);
    build_turn(out, &t);
}

void command_put(struct buf *out, const char *name, uint64_t leaf, uint64_t guard, uint64_t at, const struct blob *b) {
    const struct entry_parts e = {.leaf = leaf, .blob_count = 1, .blobs = b};
    put_head(out, COMMAND_PUT, at, name, guard);
    buf_put_u8(out, SOURCE_STAGED);
    build_entry_lp32(out, &e);
}
void command_delete(struct buf *out, const char *name, uint64_t guard, uint64_t at) {
    put_head(out, COMMAND_DELETE, at, name, guard);
}
void command_undelete(struct buf *out, const char *name, uint64_t leaf, uint64_t guard, uint64_t grave_leaf, const struct blob *b) {
    const struct entry_parts e = {.leaf = leaf, .blob_count = 1, .blobs = b};
    put_head(out, COMMAND_UNDELETE, 1000, name, guard);
    buf_put_u64(out, grave_leaf);
    build_entry_lp32(out, &e);
}
void command_purge(struct buf *out, uint64_t before, bool gone) {
    build_head(out, COMMAND_PURGE, 5000);
    buf_put_u64(out, before);
    buf_put_u16(out, 1);
    buf_put(out, rig_bucket, ID_BYTES);
    buf_put_u8(out, gone);
}

/* In pieces of at most `piece` bytes. */
void rig_send_pieces(struct rig *r, uint64_t index, struct slice command, size_t piece) {
    struct buf frames = BUF_INIT(COMMAND_BYTES_MAX * 2);
    for (size_t at = 0;; at += piece) {
        size_t n = MIN(piece, command.n - at);
        struct wire_apply m = {.index = index, .last = at + n == command.n, .command = slice_of(command.p + at, n)};
        memcpy(m.log, rig_log, ID_BYTES);
        assert_int_equal(wire_put_apply(&frames, 100 + index, &m), ERR_OK);
        if (m.last) break;
    }
    size_t at = 0;
    while (at < frames.n) {
        ssize_t n = send(r->gate.fd, frames.p + at, frames.n - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) at += (size_t)n;
        else rig_turn(r, 1); /* the keeper reads in this thread */
    }
    buf_done(&frames);
}

void rig_send_apply(struct rig *r, uint64_t index, const struct buf *command) {
    rig_send_pieces(r, index, buf_slice(command), WIRE_DATA_BYTES_MAX);
}

uint8_t rig_outcome(struct rig *r, uint64_t index) {
    struct wire_settled s;
    assert_int_equal(wire_get_settled(peer_recv(r, &r->gate, WIRE_SETTLED), &s), ERR_OK);
    assert_int_equal(s.index, index);
    assert_int_equal(r->gate.id, 100 + index);
    assert_memory_equal(s.log, rig_log, ID_BYTES);
    r->usage = (struct usage){.objects = s.objects, .bytes = s.bytes};
    return s.outcome;
}

void rig_usage_more(struct rig *r, struct store_batch *b, uint64_t objects, uint64_t bytes) {
    struct row_key key;
    uint8_t value[17] = {1};
    r->usage.objects += objects;
    r->usage.bytes += bytes;
    put_be64(value + 1, r->usage.objects);
    put_be64(value + 9, r->usage.bytes);
    row_begin(&key, ROW_USAGE);
    row_put(&key, slice_of(rig_log, ID_BYTES));
    store_batch_put(b, STORE_ROWS, row_slice(&key), slice_of(value, sizeof value));
}

uint8_t rig_run(struct rig *r, struct buf *command) {
    assert_true(buf_ok(command));
    rig_send_apply(r, r->index, command);
    buf_done(command);
    return rig_outcome(r, r->index++);
}

uint8_t rig_put(struct rig *r, const char *name, uint64_t guard, const struct blob *b) {
    struct buf c = BUF_INIT(COMMAND_BYTES_MAX);
    command_put(&c, name, r->index, guard, 1000, b);
    return rig_run(r, &c);
}
uint8_t rig_delete(struct rig *r, const char *name, uint64_t guard) {
    struct buf c = BUF_INIT(COMMAND_BYTES_MAX);
    command_delete(&c, name, guard, 1000);
    return rig_run(r, &c);
}
uint8_t rig_purge(struct rig *r, uint64_t before) {
    struct buf c = BUF_INIT(COMMAND_BYTES_MAX);
    command_purge(&c, before, false);
    return rig_run(r, &c);
}

struct wire_found rig_find_any(struct rig *r, const char *name, struct wire_find q) {
    if (name != NULL) q.key = slice_str(name);
    memcpy(q.bucket, rig_bucket, ID_BYTES);
    struct buf frame = BUF_INIT(4096);
    assert_int_equal(wire_put_find(&frame, 9, &q), ERR_OK);
    peer_send(&r->gate, &frame);
    buf_done(&frame);
    struct wire_found f;
    assert_int_equal(wire_get_found(peer_recv(r, &r->gate, WIRE_FOUND), &f), ERR_OK);
    assert_int_not_equal(f.present, WIRE_FOUND_IO);
    return f;
}

uint64_t rig_find(struct rig *r, const char *name, bool grave, struct buf *location) {
    struct wire_found f = rig_find_any(r, name, (struct wire_find){.mode = grave ? WIRE_FIND_GRAVE : WIRE_FIND_CURRENT});
    if (f.present == WIRE_FOUND_ABSENT) return COMMAND_GUARD_ABSENT;
    struct entry e;
    assert_int_equal(entry_parse(f.entry, &e), ERR_OK);
    struct reader l = reader_of(f.locations);
    if (location != NULL) {
        buf_reset(location);
        buf_put_slice(location, reader_lp16(&l, LOCATION_BYTES_MAX));
    }
    return e.leaf;
}

uint8_t rig_read(struct rig *r, const struct buf *location, uint64_t off, uint32_t len) {
    PEER_SEND(&r->front, read, 8, .location = buf_slice(location), .off = off, .len = len);
    struct wire_data d;
    assert_int_equal(wire_get_data(peer_recv(r, &r->front, WIRE_DATA), &d), ERR_OK);
    if (d.outcome != WIRE_DATA_OK) return d.outcome;
    assert_int_equal(d.data.n, len);
    for (size_t i = 0; i < len; i++)
        if (d.data.p[i] != rig_pattern(off + i)) fail_msg("byte %zu differs", i);
    return WIRE_DATA_OK;
}
