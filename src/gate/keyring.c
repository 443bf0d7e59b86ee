/* SPDX-License-Identifier: Apache-2.0
 * Keeps a tenant's wrapped keys in an append-only file.
 * Role: tenants.c reads it at start and appends when a bucket or access key is made.
 * Trusts: nothing in the file: every payload is sealed under a key that is not in it. Distrusts: the disk's last write.
 * Law: 4 (secrets lie sealed beside the fold)
 * Spec: keyring.h, docs/spec/keys.md
 */
#include "gate/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err errno_err(void) { return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : errno == ENOENT ? ERR_MISSING : errno == EEXIST ? ERR_EXISTS : ERR_IO; }

static enum err read_whole(int fd, struct buf *out)
{
    for (;;) {
        uint8_t *at = buf_room(out, 65536);
        if (!at) return ERR_LIMIT;
        ssize_t n = read(fd, at, 65536);
        if (n < 0) return ERR_IO;
        if (n == 0) return ERR_OK;
        out->n += (size_t)n;
    }
}

/* One record off the front; ERR_TRUNCATED is the torn tail. */
static enum err take(struct reader *r, enum keyring_type *type, struct slice *payload)
{
    uint32_t n = reader_u32(r);
    if (r->bad) return ERR_TRUNCATED;
    if (n < 1 || n > KEYRING_RECORD_BYTES_MAX) return ERR_CORRUPT;
    struct slice body = reader_slice(r, n);
    uint32_t crc = reader_u32(r);
    if (r->bad) return ERR_TRUNCATED;
    if (crc != crc32c(0, body.p, body.n)) return ERR_CORRUPT;
    *type = (enum keyring_type)body.p[0];
    *payload = slice_of(body.p + 1, body.n - 1);
    return ERR_OK;
}

/* A torn append is the beginning of one record. Whole records behind the place mean that something was damaged, and cutting there would
 * throw away keys that nothing brings back. */
static bool records_follow(struct slice tail)
{
    for (size_t at = 1; at < tail.n; at++) {
        enum keyring_type type;
        struct slice payload;
        struct reader r = reader_of(slice_of(tail.p + at, tail.n - at));
        if (take(&r, &type, &payload) == ERR_OK) return true;
    }
    return false;
}

enum err keyring_open(struct keyring *k, const char *path, keyring_each each, void *ctx)
{
    k->fd = open(path, O_RDWR | O_CLOEXEC);
    if (k->fd < 0) return errno_err();
    AUTO(buf) struct buf all = BUF_INIT(KEYRING_FILE_BYTES_MAX);
    enum err e = read_whole(k->fd, &all);
    struct reader r = reader_of(buf_slice(&all));
    size_t good = 0;
    while (e == ERR_OK && reader_left(&r) > 0) {
        enum keyring_type type;
        struct slice payload;
        e = take(&r, &type, &payload);
        if (e == ERR_OK) e = each(ctx, type, payload);
        if (e == ERR_OK) good = (size_t)(r.p - all.p);
    }
    /* A zero length is what a file system leaves where a torn append was: cut as well. */
    bool zeros = e == ERR_CORRUPT;
    for (size_t i = good; zeros && i < all.n; i++) zeros = all.p[i] == 0;
    if (e == ERR_TRUNCATED && records_follow(slice_of(all.p + good, all.n - good))) e = ERR_CORRUPT;
    if (e == ERR_TRUNCATED || zeros) e = ftruncate(k->fd, (off_t)good) == 0 && fdatasync(k->fd) == 0 ? ERR_OK : ERR_IO;
    if (e == ERR_OK && lseek(k->fd, (off_t)good, SEEK_SET) < 0) e = ERR_IO;
    if (e != ERR_OK) keyring_close(k);
    return e;
}

enum err keyring_create(struct keyring *k, const char *path)
{
    char dir[4096];
    k->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (k->fd < 0) return errno_err();
    snprintf(dir, sizeof dir, "%s", path);
    int d = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = d >= 0 && fsync(d) == 0;
    if (d >= 0) close(d);
    if (ok) return ERR_OK;
    keyring_close(k);
    return ERR_IO;
}

enum err keyring_append(struct keyring *k, enum keyring_type type, struct slice payload)
{
    AUTO(buf) struct buf b = BUF_INIT(KEYRING_RECORD_BYTES_MAX + 16);
    if (payload.n >= KEYRING_RECORD_BYTES_MAX) return ERR_LIMIT;
    buf_put_u32(&b, (uint32_t)(payload.n + 1));
    buf_put_u8(&b, (uint8_t)type);
    buf_put_slice(&b, payload);
    buf_put_u32(&b, crc32c(0, b.p + 4, b.n - 4));
    if (!buf_ok(&b)) return ERR_LIMIT;
    off_t at = lseek(k->fd, 0, SEEK_CUR);
    ssize_t n = write(k->fd, b.p, b.n);
    if (n == (ssize_t)b.n && fdatasync(k->fd) == 0) return ERR_OK;
    enum err e = n < 0 ? errno_err() : n == (ssize_t)b.n ? ERR_IO : ERR_FULL;
    /* Half a record would make everything after it unreadable. When even this fails the next open cuts it off. */
    if (at >= 0 && ftruncate(k->fd, at) == 0) lseek(k->fd, at, SEEK_SET);
    return e;
}

void keyring_close(struct keyring *k)
{
    if (k->fd >= 0) close(k->fd);
    k->fd = -1;
}
