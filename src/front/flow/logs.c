/* SPDX-License-Identifier: Apache-2.0
 * /log/<capability>/...: tiles, entry bundles, checkpoints and slots as byte ranges of a log's flat files.
 * Role: the gate says whether the capability holds, which log it is and how many leaves are published; nothing past them is
 * served.
 * Trusts: LOGFILE, and the flat files below the published size (readers verify them; that is what they are for).
 * Distrusts: the path.
 * Spec: docs/spec/log.md "flat files"; c2sp.org/tlog-tiles.
 */
#include "flow/flow_in.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IMMUTABLE "max-age=31536000, immutable"
#define FILE_LATER (-2)

bool flow_log_split(struct slice target, struct slice *capability, struct slice *path)
{
    struct slice prefix = SLICE_LIT("/log/");
    if (!slice_starts(target, prefix)) return false;
    struct slice rest = slice_of(target.p + prefix.n, target.n - prefix.n);
    *path = slice_cut(rest, '/', capability);
    if (!path->p) *path = slice_of("", 0);
    return true;
}

void flow_log_end(struct flow *f)
{
    struct flow_log *l = f->log;
    if (!l) return;
    f->log = NULL;
    if (l->fd >= 0) close(l->fd);
    free(l);
}

/* x001/x234/067[.p/<width>]: groups of three digits, all but the last with an x, no leading zero group. */
static bool parse_number(struct slice s, struct flow_tile *t)
{
    struct slice group, rest = s;
    unsigned groups = 0;
    t->width = TILE_LEAVES;
    t->number = 0;
    for (;;) {
        rest = slice_cut(rest, '/', &group);
        bool more = group.n == 4 && group.p[0] == 'x';
        if (more) group = slice_of(group.p + 1, 3);
        if (!more && rest.p) {                     /* 067.p/12 */
            uint64_t w;
            if (group.n != 5 || memcmp(group.p + 3, ".p", 2) != 0 || slice_u64(rest, TILE_LEAVES - 1, &w) != ERR_OK) return false;
            if (w == 0 || rest.p[0] == '0') return false;
            group.n = 3;
            t->width = w;
            rest.p = NULL;
        }
        uint64_t v;
        if (group.n != 3 || slice_u64(group, 999, &v) != ERR_OK || ++groups > 6) return false;
        if (groups == 1 && more && v == 0) return false;
        t->number = t->number * 1000 + v;
        if (!more) return rest.p == NULL;
        if (!rest.p) return false;
    }
}

bool flow_tile_parse(struct slice path, struct flow_tile *t)
{
    struct slice word;
    struct slice rest = slice_cut(path, '/', &word);
    if (!rest.p || !slice_is(word, "tile")) return false;
    rest = slice_cut(rest, '/', &word);
    if (!rest.p) return false;
    uint64_t level = 0;
    t->entries = slice_is(word, "entries");
    if (!t->entries && (slice_u64(word, TREE_LEVELS_MAX / 8 - 1, &level) != ERR_OK || (word.n > 1 && word.p[0] == '0'))) return false;
    t->level = (unsigned)level;
    return parse_number(rest, t);
}

static int open_file(struct flow *f, const uint8_t log[ID_BYTES], const char *name)
{
    AUTO(buf) struct buf path = BUF_INIT(128);
    buf_put_base32(&path, slice_of(log, ID_BYTES));
    buf_put_u8(&path, '/');
    buf_put_str(&path, name);
    buf_put_u8(&path, 0);
    if (!buf_ok(&path) || f->w->logs_fd < 0) return -1;
    return openat(f->w->logs_fd, (const char *)path.p, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* Where a bundle's bytes lie: from the first entry's start to the end of the last one, whose own u16 length says where that
 * is: what follows may be an entry that is being written. */
static bool entry_range(struct flow *f, const uint8_t log[ID_BYTES], int entries_fd, uint64_t first, uint64_t count, uint64_t *off,
                        uint64_t *len)
{
    uint8_t from[8], last[8], size[2];
    int fd = open_file(f, log, "offsets");
    if (fd < 0) return false;
    bool ok = pread(fd, from, 8, (off_t)(first * 8)) == 8 && pread(fd, last, 8, (off_t)((first + count - 1) * 8)) == 8;
    close(fd);
    if (!ok || get_be64(last) < get_be64(from)) return false;
    if (pread(entries_fd, size, 2, (off_t)get_be64(last)) != 2) return false;
    *off = get_be64(from);
    *len = get_be64(last) - *off + 2u + get_be16(size);
    return true;
}

static void not_there(struct flow *f) { flow_fail(f, S3E_NoSuchKey, "This log has nothing at this path (yet)"); }

/* A piece is read: it goes to the client. */
static void piece_read(struct flow *f, int64_t n)
{
    struct flow_log *l = f->log;
    if (n != (int64_t)l->want) {
        flow_fail(f, S3E_InternalError, NULL);
        return;
    }
    l->off += l->want;
    l->left -= l->want;
    struct slice s = slice_of(l->bytes, l->want);
    bool last = l->left == 0;
    if (last) f->step = FLOW_SENDING, f->write_last = true;
    enum flow_write wr = f->w->host->write(f, &s, 1, last);
    if (f->w->metrics) f->w->metrics->bytes_out += l->want;
    if (wr == FLOW_BUSY && !last) f->writing = true;
}

static void read_more(struct flow *f)
{
    for (struct flow_log *l = f->log; l && l->left && f->step == FLOW_LOG && !f->writing; l = f->log) {
        l->want = (size_t)MIN(l->left, (uint64_t)FLOW_LOG_READ_BYTES);
        int64_t n = f->w->host->file_read(f, l->fd, l->off, l->bytes, l->want);
        if (n == FILE_LATER) return;
        piece_read(f, n);
    }
}

/* What is not in the page cache was read by a thread; the rest may be there. */
void flow_log_file_done(struct flow *f, int64_t n)
{
    piece_read(f, n);
    read_more(f);
}

void flow_log_can_write(struct flow *f) { read_more(f); }

static void send_range(struct flow *f, int fd, uint64_t off, uint64_t len)
{
    struct flow_log *l = calloc(1, sizeof *l);
    if (!l) {
        close(fd);
        flow_fail(f, S3E_SlowDown, NULL);
        return;
    }
    f->log = l;
    l->fd = fd;
    l->off = off;
    l->left = len;
    l->bytes = f->w->host->alloc(f, (size_t)MIN(MAX(len, 1), (uint64_t)FLOW_LOG_READ_BYTES));
    struct flow_head h;
    flow_head_fill(f, &h);
    h.status = f->status = 200;
    h.type = "application/octet-stream";
    h.cache = IMMUTABLE;
    h.length_known = true;
    h.length = len;
    f->head_sent = true;
    f->step = f->head_method ? FLOW_SENDING : FLOW_LOG;
    if (!l->bytes) f->w->host->cut(f);
    else if (f->w->host->head(f, &h) != FLOW_BROKEN && !f->head_method) read_more(f);
}

void flow_on_logfile(struct flow *f, const struct wire_logfile *m)
{
    f->gate_open = false;
    if (m->text.n) {
        struct flow_head h;
        flow_head_fill(f, &h);
        h.status = 200;
        h.type = "text/plain; charset=utf-8";
        h.cache = "no-cache";
        flow_reply(f, &h, m->text);
        return;
    }
    struct flow_tile t;
    if (!flow_tile_parse(f->log_path, &t)) {
        not_there(f);
        return;
    }
    /* How many nodes of this level the published tree has: a partial tile may be any width up to what there is. */
    uint64_t nodes = t.level < 8 ? m->size >> (8 * t.level) : 0;
    uint64_t first = t.number * TILE_LEAVES;
    if (t.number > (UINT64_MAX >> 9) / TILE_LEAVES || first >= nodes || t.width > nodes - first) {
        not_there(f);
        return;
    }
    char name[16] = "entries";
    if (!t.entries) snprintf(name, sizeof name, "hashes.%u", t.level);
    int fd = open_file(f, m->log, name);
    uint64_t off = first * HASH_BYTES, len = t.width * HASH_BYTES;
    if (fd < 0 || (t.entries && !entry_range(f, m->log, fd, first, t.width, &off, &len))) {
        if (fd >= 0) close(fd);
        flow_fail(f, S3E_ServiceUnavailable, NULL);
        return;
    }
    send_range(f, fd, off, len);
}
