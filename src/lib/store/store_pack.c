/* SPDX-License-Identifier: Apache-2.0
 * store_pack: append-only files of many small blobs.
 * Role: keeper's committer appends and syncs before the index names the bytes; loop and I/O threads read.
 * Trusts: the index for where a pack ends. Distrusts: offsets that come in with a READ: checked against the file.
 * Spec: src/lib/store/store.h
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PACK_ALIGN_SMALL 16u
#define PACK_ALIGN_LARGE 4096u
#define PACK_PUNCH_BYTES_MIN (16u * 1024)
#define PACK_FDS 256
#define PACK_GATHER_BYTES (256u * 1024) /* blobs of one batch are written together */

struct pack_fd {
    uint32_t pack; /* 0: free */
    int fd;
    unsigned users;
};

struct store_packs {
    int dir;
    uint32_t grow, last; /* the pack that grows (0: none yet) and the highest number ever seen */
    int grow_fd;
    uint64_t end;
    bool dirty;
    uint8_t *gather; /* behind the file's written part: what sync or the next large blob writes */
    size_t gather_n;
    uint64_t gather_at;
    pthread_mutex_t lock; /* fds */
    struct pack_fd fds[PACK_FDS];
};

static enum err io_err(int e) { return e == ENOSPC || e == EDQUOT ? ERR_FULL : e == ENOENT ? ERR_MISSING : ERR_IO; }

static void pack_name(uint32_t pack, char out[16]) { (void)snprintf(out, 16, "%08x", pack); }

enum err store_packs_open(const char *dir, struct store_packs **out) {
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) return io_err(errno);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return io_err(errno);
    struct store_packs *p = calloc(1, sizeof *p);
    ASSERT(p != NULL);
    p->dir = fd;
    p->grow_fd = -1;
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return ERR_OK;
}

void store_packs_close(struct store_packs *p) {
    if (p == NULL) return;
    for (size_t i = 0; i < PACK_FDS; i++)
        if (p->fds[i].pack != 0) close(p->fds[i].fd);
    if (p->grow_fd >= 0) close(p->grow_fd);
    close(p->dir);
    free(p->gather);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void store_packs_resume(struct store_packs *p, uint32_t pack, uint64_t end) {
    char name[16];
    pack_name(pack, name);
    if (pack > p->last) p->last = pack;
    if (end >= PACK_BYTES) return;
    int fd = openat(p->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return; /* the next append begins a new one */
    if (p->grow_fd >= 0) close(p->grow_fd);
    p->grow_fd = fd;
    p->grow = pack;
    p->end = (end + PACK_ALIGN_SMALL - 1) & ~(uint64_t)(PACK_ALIGN_SMALL - 1);
}

void store_packs_roll(struct store_packs *p) {
    if (p->grow_fd >= 0) close(p->grow_fd);
    p->grow_fd = -1;
    p->grow = 0;
    p->end = 0;
    p->dirty = false;
    p->gather_n = 0;
}

void store_packs_end(const struct store_packs *p, uint32_t *pack, uint64_t *end) {
    *pack = p->grow;
    *end = p->end;
}

static enum err pack_begin(struct store_packs *p) {
    char name[16];
    pack_name(p->last + 1, name);
    int fd = openat(p->dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return io_err(errno);
    int e = fallocate(fd, 0, 0, PACK_BYTES) == 0 ? 0 : errno;
    if (e == EOPNOTSUPP) e = 0;                               /* tmpfs of old kernels, network file systems: grow as we write */
    if (e == 0 && fsync(p->dir) != 0) e = errno;
    if (e != 0) {
        (void)unlinkat(p->dir, name, 0);
        close(fd);
        return io_err(e);
    }
    p->last++;
    p->grow = p->last;
    p->grow_fd = fd;
    p->end = 0;
    p->dirty = true;
    return ERR_OK;
}

static enum err write_all(int fd, struct slice data, uint64_t off) {
    while (data.n > 0) {
        ssize_t n = pwrite(fd, data.p, data.n, (off_t)off);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return io_err(n < 0 ? errno : EIO);
        data.p += n;
        data.n -= (size_t)n;
        off += (uint64_t)n;
    }
    return ERR_OK;
}

static enum err gather_write(struct store_packs *p) {
    if (p->gather_n == 0) return ERR_OK;
    struct slice all = slice_of(p->gather, p->gather_n);
    p->gather_n = 0; /* a failed write is answered by another pack, never by a second try */
    return write_all(p->grow_fd, all, p->gather_at);
}

/* Small blobs wait for their batch's sync: one write for all of them. */
static enum err gather_put(struct store_packs *p, struct slice data, uint64_t begin) {
    uint64_t at = p->gather_at + p->gather_n;
    bool behind = p->gather_n > 0 && begin >= at && begin - at < PACK_ALIGN_LARGE;
    if (!behind || begin - p->gather_at + data.n > PACK_GATHER_BYTES) {
        TRY(gather_write(p));
        if (data.n > PACK_GATHER_BYTES / 4) return write_all(p->grow_fd, data, begin);
        p->gather_at = at = begin;
    }
    if (p->gather == NULL) {
        p->gather = malloc(PACK_GATHER_BYTES);
        ASSERT(p->gather != NULL);
    }
    if (begin > at) memset(p->gather + p->gather_n, 0, (size_t)(begin - at));
    p->gather_n = (size_t)(begin - p->gather_at);
    memcpy(p->gather + p->gather_n, data.p, data.n);
    p->gather_n += data.n;
    return ERR_OK;
}

enum err store_packs_append(struct store_packs *p, struct slice data, uint32_t *pack, uint64_t *off, uint64_t *taken) {
    ASSERT(data.n > 0 && data.n <= BLOB_PACK_BYTES_MAX);
    uint64_t align = data.n >= PACK_PUNCH_BYTES_MIN ? PACK_ALIGN_LARGE : PACK_ALIGN_SMALL;
    uint64_t begin = (p->end + align - 1) & ~(align - 1);
    uint64_t room = (data.n + align - 1) & ~(align - 1);
    if (p->grow_fd >= 0 && begin + room > PACK_BYTES) {
        TRY(store_packs_sync(p)); /* what this batch already put there must not be forgotten */
        store_packs_roll(p);
    }
    if (p->grow_fd < 0) {
        TRY(pack_begin(p));
        begin = 0;
    }
    TRY(gather_put(p, data, begin));
    p->dirty = true;
    *pack = p->grow;
    *off = begin;
    *taken = begin + room - p->end;
    p->end = begin + room;
    return ERR_OK;
}

enum err store_packs_sync(struct store_packs *p) {
    if (!p->dirty) return ERR_OK;
    TRY(gather_write(p));
    if (fdatasync(p->grow_fd) != 0) return io_err(errno);
    p->dirty = false;
    return ERR_OK;
}

static struct pack_fd *pack_hold(struct store_packs *p, uint32_t pack, struct pack_fd *own, enum err *e) {
    char name[16];
    pack_name(pack, name);
    pthread_mutex_lock(&p->lock);
    struct pack_fd *f = &p->fds[pack % PACK_FDS];
    if (f->pack == pack) {
        f->users++;
        pthread_mutex_unlock(&p->lock);
        return f;
    }
    bool keep = f->users == 0;
    int fd = openat(p->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        *e = io_err(errno);
        pthread_mutex_unlock(&p->lock);
        return NULL;
    }
    if (keep) {
        if (f->pack != 0) close(f->fd);
        *f = (struct pack_fd){.pack = pack, .fd = fd, .users = 1};
    } else {
        f = own; /* its place is in use: open for this call only */
        *f = (struct pack_fd){.pack = pack, .fd = fd, .users = 1};
    }
    pthread_mutex_unlock(&p->lock);
    return f;
}

static void pack_let(struct store_packs *p, struct pack_fd *f, const struct pack_fd *own) {
    if (f == own) {
        close(f->fd);
        return;
    }
    pthread_mutex_lock(&p->lock);
    ASSERT(f->users > 0);
    f->users--;
    pthread_mutex_unlock(&p->lock);
}

static enum err read_all(int fd, uint64_t off, void *out, size_t n, bool nowait) {
    uint8_t *at = out;
    while (n > 0) {
        struct iovec v = {.iov_base = at, .iov_len = n};
        ssize_t got = preadv2(fd, &v, 1, (off_t)off, nowait ? RWF_NOWAIT : 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || (nowait && errno == EOPNOTSUPP))) return ERR_BUSY;
        if (got < 0) return io_err(errno);
        if (got == 0) return ERR_MISSING;
        at += got;
        n -= (size_t)got;
        off += (uint64_t)got;
    }
    return ERR_OK;
}

enum err store_packs_read(struct store_packs *p, uint32_t pack, uint64_t off, void *out, size_t n, bool nowait) {
    if (pack == 0 || off > PACK_BYTES || n > PACK_BYTES - off) return ERR_MISSING;
    struct pack_fd own;
    enum err e = ERR_OK;
    struct pack_fd *f = pack_hold(p, pack, &own, &e);
    if (f == NULL) return e;
    e = read_all(f->fd, off, out, n, nowait);
    pack_let(p, f, &own);
    return e;
}

enum err store_packs_punch(struct store_packs *p, uint32_t pack, uint64_t off, uint64_t n) {
    uint64_t begin = (off + PACK_ALIGN_LARGE - 1) & ~(uint64_t)(PACK_ALIGN_LARGE - 1);
    uint64_t end = off + n;
    if (off % PACK_ALIGN_LARGE == 0) end = (end + PACK_ALIGN_LARGE - 1) & ~(uint64_t)(PACK_ALIGN_LARGE - 1); /* its own padding */
    end &= ~(uint64_t)(PACK_ALIGN_LARGE - 1);
    if (n < PACK_PUNCH_BYTES_MIN || end <= begin) return ERR_OK;
    struct pack_fd own;
    enum err e = ERR_OK;
    struct pack_fd *f = pack_hold(p, pack, &own, &e);
    if (f == NULL) return e == ERR_MISSING ? ERR_OK : e;
    if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)begin, (off_t)(end - begin)) != 0 && errno != EOPNOTSUPP)
        e = io_err(errno);
    pack_let(p, f, &own);
    return e;
}

enum err store_packs_remove(struct store_packs *p, uint32_t pack) {
    char name[16];
    pack_name(pack, name);
    pthread_mutex_lock(&p->lock);
    struct pack_fd *f = &p->fds[pack % PACK_FDS];
    if (f->pack == pack && f->users == 0) {
        close(f->fd);
        *f = (struct pack_fd){0};
    }
    pthread_mutex_unlock(&p->lock);
    if (unlinkat(p->dir, name, 0) != 0 && errno != ENOENT) return io_err(errno);
    return ERR_OK;
}
