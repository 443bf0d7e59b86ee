/* SPDX-License-Identifier: Apache-2.0
 * A log's flat files: gathering, writing, syncing, reading back, and what of them counts at a start.
 * Role: the flusher writes them, the front serves byte ranges of them, the gate reads openings back.
 * Trusts: its own file sizes while it runs. Distrusts: what lies in the files at a start.
 * Law: 1 (nothing gets here that is not durable in the WAL). Spec: docs/spec/log.md, "Flat files"
 */
#include "gate/logbook/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GATHER_HASHES, GATHER_ENTRIES, GATHER_OFFSETS, GATHER_DATA, GATHER_DATA_OFFSETS, GATHER_COUNT };

#define PATH_CHARS (ID_TEXT_CHARS + 16)
#define LOG_DIR_MODE 0711       /* like blobs: whoever was told the name may open, nobody may list */
#define LOG_FILE_MODE 0644
#define OPENING_DIR_MODE 0700
#define OPENING_FILE_MODE 0600

void logbook_flat_init(struct flat *f) {
    *f = (struct flat){.hashes = -1, .entries = -1, .offsets = -1, .data = -1, .data_offsets = -1};
    list_init(&f->lru);
}

/* The mode is set, not only asked for: a umask must not shut the front out. */
static int flat_file(int dir, const struct gate_log *l, const char *name, int flags, mode_t mode) {
    char path[PATH_CHARS];
    (void)snprintf(path, sizeof path, "%s/%s", l->id_text, name);
    int fd = openat(dir, path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0 || (flags & O_CREAT) == 0 || fchmod(fd, mode) == 0) return fd;
    close(fd);
    return -1;
}

static enum err flat_errno(void) {
    switch (errno) {
    case ENOENT: return ERR_MISSING;
    case ENOSPC:
    case EDQUOT: return ERR_FULL;
    default: return ERR_IO;
    }
}

/* opening ------------------------------------------------------------------------------------------------------------ */

void logbook_flat_close(struct logbook *lb, struct gate_log *l) {
    struct flat *f = &l->flat;
    int *fds[] = {&f->hashes, &f->entries, &f->offsets, &f->data, &f->data_offsets};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (*fds[i] >= 0) close(*fds[i]);
        *fds[i] = -1;
    }
    if (!f->open) return;
    f->open = false;
    list_del(&f->lru);
    lb->flat_open--;
}

enum err logbook_flat_open(struct logbook *lb, struct gate_log *l, bool make) {
    struct flat *f = &l->flat;
    if (f->open) {
        list_del(&f->lru);
        list_add_tail(&lb->flat_lru, &f->lru);
        return ERR_OK;
    }
    if (make) {
        bool made = mkdirat(lb->logs_dir, l->id_text, LOG_DIR_MODE) == 0;
        if (!made && errno != EEXIST) return flat_errno();
        bool made_too = mkdirat(lb->openings_dir, l->id_text, OPENING_DIR_MODE) == 0;
        if (!made_too && errno != EEXIST) return flat_errno();
        if ((made && fchmodat(lb->logs_dir, l->id_text, LOG_DIR_MODE, 0) != 0) ||
            (made_too && fchmodat(lb->openings_dir, l->id_text, OPENING_DIR_MODE, 0) != 0)) {
            return flat_errno();
        }
        f->dir_dirty = f->dir_dirty || made || made_too;
        lb->parents_dirty = lb->parents_dirty || made || made_too;
    }
    int flags = O_RDWR | (make ? O_CREAT : 0);
    f->hashes = flat_file(lb->logs_dir, l, "hashes.0", flags, LOG_FILE_MODE);
    f->entries = flat_file(lb->logs_dir, l, "entries", flags, LOG_FILE_MODE);
    f->offsets = flat_file(lb->logs_dir, l, "offsets", flags, LOG_FILE_MODE);
    f->data = flat_file(lb->openings_dir, l, "data", flags, OPENING_FILE_MODE);
    f->data_offsets = flat_file(lb->openings_dir, l, "offsets", flags, OPENING_FILE_MODE);
    if (f->hashes < 0 || f->entries < 0 || f->offsets < 0 || f->data < 0 || f->data_offsets < 0) {
        enum err e = flat_errno();
        logbook_flat_close(lb, l);
        return e;
    }
    /* The oldest goes before the new one counts: two fewer than the bound never happens, one more neither. */
    if (lb->flat_open >= LOGBOOK_OPEN_LOGS) logbook_flat_close(lb, container_of(lb->flat_lru.next, struct gate_log, flat.lru));
    f->open = true;
    list_add_tail(&lb->flat_lru, &f->lru);
    lb->flat_open++;
    return ERR_OK;
}

/* Where the item behind `count` items begins: the last one's offset, its length field and its length. */
static enum err flat_end(int offsets, int data, unsigned length_bytes, uint64_t count, uint64_t *end) {
    *end = 0;
    if (count == 0) return ERR_OK;
    uint8_t at[8], length[4];
    TRY(logbook_io_read(offsets, at, sizeof at, (count - 1) * 8));
    uint64_t offset = get_be64(at);
    if (offset > INT64_MAX - UINT32_MAX - 4) return ERR_CORRUPT;
    TRY(logbook_io_read(data, length, length_bytes, offset));
    *end = offset + length_bytes + (length_bytes == 2 ? get_be16(length) : get_be32(length));
    return ERR_OK;
}

static enum err flat_at_least(int fd, uint64_t bytes) {
    struct stat st;
    if (fstat(fd, &st) != 0) return ERR_IO;
    return st.st_size < 0 || (uint64_t)st.st_size < bytes ? ERR_CORRUPT : ERR_OK;
}

/* What the WAL calls flushed was synced: if it is not all there, somebody shortened the files. */
enum err logbook_flat_adopt(struct logbook *lb, struct gate_log *l, uint64_t flushed, struct buf *why) {
    struct flat *f = &l->flat;
    enum err e = logbook_flat_open(lb, l, flushed == 0);
    if (e == ERR_MISSING) e = ERR_CORRUPT;
    if (e == ERR_OK) e = flat_at_least(f->hashes, flushed * HASH_BYTES);
    if (e == ERR_OK) e = flat_at_least(f->offsets, flushed * 8);
    if (e == ERR_OK) e = flat_at_least(f->data_offsets, flushed * 8);
    for (unsigned level = 1; e == ERR_OK && ledger_level_count(flushed, level) > 0; level++) {
        char name[16];
        (void)snprintf(name, sizeof name, "hashes.%u", level);
        int fd = flat_file(lb->logs_dir, l, name, O_RDONLY, 0);
        e = fd < 0 ? ERR_CORRUPT : flat_at_least(fd, ledger_level_count(flushed, level) * HASH_BYTES);
        if (fd >= 0) close(fd);
    }
    if (e == ERR_OK) e = flat_end(f->offsets, f->entries, 2, flushed, &f->entries_bytes);
    if (e == ERR_OK) e = flat_end(f->data_offsets, f->data, 4, flushed, &f->openings_bytes);
    if (e == ERR_OK) e = flat_at_least(f->entries, f->entries_bytes);
    if (e == ERR_OK) e = flat_at_least(f->data, f->openings_bytes);
    if (e == ERR_TRUNCATED) e = ERR_CORRUPT;
    f->count = flushed;
    if (e == ERR_CORRUPT && why != NULL) {
        buf_printf(why, "log %s: its flat files end before leaf %llu, which the WAL says was synced there; restore logs/%s and openings/%s",
                   l->name, (unsigned long long)flushed, l->id_text, l->id_text);
    }
    return e;
}

/* writing ------------------------------------------------------------------------------------------------------------ */

void logbook_flat_gather(struct logbook *lb, struct gate_log *l, const struct flat_item *item, struct flat *to) {
    struct buf *g = lb->gather;
    if (to->count == l->flat.count) {
        for (size_t i = 0; i < GATHER_COUNT; i++) buf_reset(&g[i]);
    }
    buf_put(&g[GATHER_HASHES], item->hash, HASH_BYTES);
    buf_put_u64(&g[GATHER_OFFSETS], to->entries_bytes);
    ledger_bundle_put(&g[GATHER_ENTRIES], item->leaf);
    buf_put_u64(&g[GATHER_DATA_OFFSETS], to->openings_bytes);
    buf_put_lp32(&g[GATHER_DATA], item->opening);
    to->entries_bytes += 2 + item->leaf.n;
    to->openings_bytes += 4 + item->opening.n;
    to->count++;
}

enum err logbook_flat_write(struct logbook *lb, struct gate_log *l, const struct flat *to) {
    struct flat *f = &l->flat;
    struct buf *g = lb->gather;
    TRY(logbook_flat_open(lb, l, true));
    const struct {
        int fd;
        uint64_t at;
    } where[GATHER_COUNT] = {
        [GATHER_HASHES] = {f->hashes, f->count * HASH_BYTES},     [GATHER_ENTRIES] = {f->entries, f->entries_bytes},
        [GATHER_OFFSETS] = {f->offsets, f->count * 8},            [GATHER_DATA] = {f->data, f->openings_bytes},
        [GATHER_DATA_OFFSETS] = {f->data_offsets, f->count * 8},
    };
    f->rest_dirty = true;
    for (size_t i = 0; i < GATHER_COUNT; i++) {
        ASSERT(buf_ok(&g[i]));
        TRY(logbook_io_write(lb->io, LOGBOOK_IO_FLAT, where[i].fd, g[i].p, g[i].n, where[i].at));
    }
    f->count = to->count;
    f->entries_bytes = to->entries_bytes;
    f->openings_bytes = to->openings_bytes;
    return ERR_OK;
}

enum err logbook_flat_levels(struct logbook *lb, struct gate_log *l, uint64_t index, const uint8_t (*levels)[HASH_BYTES], unsigned count) {
    if (count > 0) TRY(logbook_flat_open(lb, l, true)); /* the directory, when these are the log's first leaves */
    for (unsigned i = 0; i < count; i++) {
        unsigned level = i + 1;
        char name[16];
        (void)snprintf(name, sizeof name, "hashes.%u", level);
        int fd = flat_file(lb->logs_dir, l, name, O_RDWR | O_CREAT, LOG_FILE_MODE);
        if (fd < 0) return flat_errno();
        uint64_t number = ledger_level_count(index + 1, level) - 1;
        if (number == 0) l->flat.dir_dirty = true;
        l->flat.levels_dirty |= (uint16_t)(1u << level);
        enum err e = logbook_io_write(lb->io, LOGBOOK_IO_FLAT, fd, levels[i], HASH_BYTES, number * HASH_BYTES);
        close(fd);
        TRY(e);
    }
    return ERR_OK;
}

enum err logbook_flat_cut(struct logbook *lb, struct gate_log *l) {
    struct flat *f = &l->flat;
    TRY(logbook_flat_open(lb, l, true));
    const struct {
        int fd;
        uint64_t bytes;
    } files[] = {{f->hashes, f->count * HASH_BYTES}, {f->offsets, f->count * 8}, {f->entries, f->entries_bytes},
                 {f->data, f->openings_bytes},       {f->data_offsets, f->count * 8}};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct stat st;
        if (fstat(files[i].fd, &st) != 0) return ERR_IO;
        if ((uint64_t)st.st_size == files[i].bytes) continue;
        f->rest_dirty = true;
        if (ftruncate(files[i].fd, (off_t)files[i].bytes) != 0) return ERR_IO;
    }
    for (unsigned level = 1; level <= LEDGER_TILE_LEVELS_MAX; level++) {
        char name[16];
        (void)snprintf(name, sizeof name, "hashes.%u", level);
        int fd = flat_file(lb->logs_dir, l, name, O_RDWR, 0);
        if (fd < 0) break;
        uint64_t bytes = ledger_level_count(f->count, level) * HASH_BYTES;
        struct stat st;
        bool ok = fstat(fd, &st) == 0 && ((uint64_t)st.st_size <= bytes || ftruncate(fd, (off_t)bytes) == 0);
        close(fd);
        if (!ok) return ERR_IO;
    }
    return ERR_OK;
}

/* The log's files and its own directories; their parents are the caller's (parents_dirty). A failed sync is the caller's end (wal.md section 3): the pages are called clean now, and only a start writes them again. */
enum err logbook_flat_sync(struct logbook *lb, struct gate_log *l) {
    struct flat *f = &l->flat;
    TRY(logbook_flat_open(lb, l, true));
    if (f->rest_dirty) {
        const int fds[] = {f->entries, f->offsets, f->data, f->data_offsets, f->hashes};
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
            if (lb->io->fdatasync(lb->io->ctx, LOGBOOK_IO_FLAT, fds[i]) != 0) return ERR_IO;
        }
        f->rest_dirty = false;
    }
    for (unsigned level = 1; level <= LEDGER_TILE_LEVELS_MAX; level++) {
        if ((f->levels_dirty >> level & 1) == 0) continue;
        char name[16];
        (void)snprintf(name, sizeof name, "hashes.%u", level);
        int fd = flat_file(lb->logs_dir, l, name, O_RDWR, 0);
        if (fd < 0) return ERR_IO;
        int failed = lb->io->fdatasync(lb->io->ctx, LOGBOOK_IO_FLAT, fd);
        close(fd);
        if (failed != 0) return ERR_IO;
    }
    f->levels_dirty = 0;
    if (!f->dir_dirty) return ERR_OK;
    const int parents[] = {lb->logs_dir, lb->openings_dir};
    for (size_t i = 0; i < ARRAY_LEN(parents); i++) {
        int dir = openat(parents[i], l->id_text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0) return ERR_IO;
        int failed = lb->io->dirsync(lb->io->ctx, dir);
        close(dir);
        if (failed != 0) return ERR_IO;
    }
    f->dir_dirty = false;
    return ERR_OK;
}

/* reading: any thread; own descriptors -------------------------------------------------------------------------------- */

static enum err flat_read_item(int dir, const struct gate_log *l, const char *offsets, const char *data, unsigned length_bytes,
                               uint64_t index, size_t max, struct buf *out) {
    int at_fd = flat_file(dir, l, offsets, O_RDONLY, 0), fd = flat_file(dir, l, data, O_RDONLY, 0);
    uint8_t at[8] = {0}, length[4] = {0};
    enum err e = at_fd < 0 || fd < 0 ? flat_errno() : logbook_io_read(at_fd, at, sizeof at, index * 8);
    uint64_t offset = get_be64(at);
    if (e == ERR_OK && offset > INT64_MAX - UINT32_MAX - 4) e = ERR_CORRUPT;
    if (e == ERR_OK) e = logbook_io_read(fd, length, length_bytes, offset);
    size_t n = length_bytes == 2 ? get_be16(length) : get_be32(length);
    if (e == ERR_OK && n > max) e = ERR_CORRUPT;
    uint8_t *to = e == ERR_OK ? buf_room(out, n) : NULL;
    if (e == ERR_OK && to == NULL && n > 0) e = ERR_LIMIT;
    if (e == ERR_OK) e = logbook_io_read(fd, to, n, offset + length_bytes);
    if (e == ERR_OK) out->n += n;
    if (at_fd >= 0) close(at_fd);
    if (fd >= 0) close(fd);
    return e == ERR_TRUNCATED || e == ERR_MISSING ? ERR_CORRUPT : e;
}

enum err logbook_flat_read(struct logbook *lb, const struct gate_log *l, uint64_t index, struct buf *leaf, struct buf *sealed) {
    if (leaf != NULL) TRY(flat_read_item(lb->logs_dir, l, "offsets", "entries", 2, index, LEAF_BYTES_MAX, leaf));
    if (sealed != NULL) {
        TRY(flat_read_item(lb->openings_dir, l, "offsets", "data", 4, index, OPENING_BYTES_MAX + KEYS_AT_EXTRA_BYTES, sealed));
    }
    return ERR_OK;
}

/* walking: as above, from windows of the files --------------------------------------------------------------------------- */

#define WINDOW_BYTES (256 * 1024)
_Static_assert(WINDOW_BYTES >= 4 + OPENING_BYTES_MAX + KEYS_AT_EXTRA_BYTES && WINDOW_BYTES >= 2 + LEAF_BYTES_MAX, "each item fits");

static enum err window_open(int dir, const struct gate_log *l, const char *name, struct flat_window *w) {
    struct stat st;
    w->fd = flat_file(dir, l, name, O_RDONLY, 0);
    if (w->fd < 0) return flat_errno();
    if (fstat(w->fd, &st) != 0 || st.st_size < 0) return ERR_IO;
    w->size = (uint64_t)st.st_size;
    return ERR_OK;
}

/* n bytes of the file at `offset`: a loan until the next call. */
static enum err window_get(struct flat_window *w, uint64_t offset, size_t n, const uint8_t **out) {
    if (offset > w->size || n > w->size - offset) return ERR_CORRUPT;
    if (offset < w->at || offset - w->at > w->held.n || n > w->held.n - (offset - w->at)) {
        size_t take = (size_t)MIN((uint64_t)WINDOW_BYTES, w->size - offset);
        buf_reset(&w->held);
        uint8_t *to = buf_room(&w->held, take);
        if (to == NULL) return ERR_NOMEM;
        TRY(logbook_io_read(w->fd, to, take, offset));
        w->held.n = take;
        w->at = offset;
    }
    *out = w->held.p + (offset - w->at);
    return ERR_OK;
}

static enum err window_item(struct flat_window *offsets, struct flat_window *data, unsigned length_bytes, uint64_t index, size_t max, struct slice *out) {
    const uint8_t *p;
    if (index > INT64_MAX / 8) return ERR_CORRUPT;
    TRY(window_get(offsets, index * 8, 8, &p));
    uint64_t offset = get_be64(p);
    if (offset > INT64_MAX - UINT32_MAX - 4) return ERR_CORRUPT;
    TRY(window_get(data, offset, length_bytes, &p));
    size_t n = length_bytes == 2 ? get_be16(p) : get_be32(p);
    if (n > max) return ERR_CORRUPT;
    TRY(window_get(data, offset, length_bytes + n, &p));
    *out = slice_of(p + length_bytes, n);
    return ERR_OK;
}

enum err logbook_flat_walk_begin(struct logbook *lb, const struct gate_log *l, struct flat_walk *w) {
    struct flat_window *all[] = {&w->offsets, &w->entries, &w->data_offsets, &w->data};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) *all[i] = (struct flat_window){.fd = -1, .held = BUF_INIT(WINDOW_BYTES)};
    TRY(window_open(lb->logs_dir, l, "offsets", &w->offsets));
    TRY(window_open(lb->logs_dir, l, "entries", &w->entries));
    TRY(window_open(lb->openings_dir, l, "offsets", &w->data_offsets));
    return window_open(lb->openings_dir, l, "data", &w->data);
}

enum err logbook_flat_walk_item(struct flat_walk *w, uint64_t index, struct slice *leaf, struct slice *sealed) {
    enum err e = window_item(&w->offsets, &w->entries, 2, index, LEAF_BYTES_MAX, leaf);
    if (e == ERR_OK) e = window_item(&w->data_offsets, &w->data, 4, index, OPENING_BYTES_MAX + KEYS_AT_EXTRA_BYTES, sealed);
    return e == ERR_TRUNCATED ? ERR_CORRUPT : e;
}

void logbook_flat_walk_end(struct flat_walk *w) {
    struct flat_window *all[] = {&w->offsets, &w->entries, &w->data_offsets, &w->data};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i]->fd >= 0) close(all[i]->fd);
        buf_done(&all[i]->held);
    }
}

enum err logbook_flat_hashes(void *ctx, unsigned level, uint64_t index, unsigned count, uint8_t *out) {
    struct flat_reader_ctx *c = ctx;
    char name[16];
    (void)snprintf(name, sizeof name, "hashes.%u", level);
    int fd = flat_file(c->lb->logs_dir, c->log, name, O_RDONLY, 0);
    if (fd < 0) return ERR_CORRUPT;
    enum err e = logbook_io_read(fd, out, (size_t)count * HASH_BYTES, index * HASH_BYTES);
    close(fd);
    return e == ERR_TRUNCATED ? ERR_CORRUPT : e;
}
