/* SPDX-License-Identifier: Apache-2.0
 * cursors: DIR/steward/cursors, the only thing the steward keeps.
 * Role: read once at start, written after targets were told. Trusts: nothing below DIR/steward is another's.
 * Spec: docs/spec/dir.md; src/steward/notice.h
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steward/notice.h"

static enum err read_all(int fd, struct buf *out)
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

enum err cursors_read(const char *path, struct notice_queue *q, size_t *line)
{
    AUTO(buf) struct buf text = BUF_INIT(NOTICE_CURSORS_BYTES_MAX);
    *line = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT ? ERR_MISSING : ERR_IO;
    enum err e = read_all(fd, &text);
    close(fd);
    TRY(e);
    return notice_read(q, buf_slice(&text), line);
}

static bool write_all(int fd, struct slice text)
{
    while (text.n > 0) {
        ssize_t n = write(fd, text.p, text.n);
        if (n <= 0) return false;
        text = slice_of(text.p + n, text.n - (size_t)n);
    }
    return true;
}

/* The name is not synced: after a power cut the older file tells some targets twice, with the same ids. */
enum err cursors_write(const char *path, const struct notice_queue *q)
{
    AUTO(buf) struct buf text = BUF_INIT(NOTICE_CURSORS_BYTES_MAX);
    char tmp[1300];
    notice_write(q, &text);
    if (!buf_ok(&text)) return ERR_LIMIT;
    snprintf(tmp, sizeof tmp, "%s.new", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return ERR_IO;
    bool ok = write_all(fd, buf_slice(&text)) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    return ok && rename(tmp, path) == 0 ? ERR_OK : ERR_IO;
}
