/* SPDX-License-Identifier: Apache-2.0
 * store_file: one file per large blob: written under stage/, synced, then named under blobs/.
 * Role: keeper's I/O threads write and seal; the front opens blobs/<2 chars>/<id> itself, read-only and by name.
 * Trusts: its directory's owner. Distrusts: names found in stage/ at start: anything that is not an id is left alone.
 * Spec: src/lib/store/store.h; docs/spec/entry.md (location)
 */
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_PATH_CHARS (ID_TEXT_CHARS + 8)
static const char base32_digits[33] = "abcdefghijklmnopqrstuvwxyz234567";

struct store_files {
    int stage, blobs;
};

static enum err io_err(int e) {
    return e == ENOSPC || e == EDQUOT ? ERR_FULL : e == ENOENT ? ERR_MISSING : e == EEXIST ? ERR_EXISTS : ERR_IO;
}

/* "aaaaaaaa..." and "aa/aaaaaaaa..." */
static void id_text(const uint8_t id[ID_BYTES], char out[ID_TEXT_CHARS + 1]) {
    uint64_t acc = 0;
    int bits = 0;
    size_t o = 0;
    for (size_t i = 0; i < ID_BYTES; i++) {
        acc = acc << 8 | id[i];
        bits += 8;
        while (bits >= 5) {
            out[o++] = base32_digits[acc >> (bits - 5) & 31];
            bits -= 5;
        }
    }
    if (bits > 0) out[o++] = base32_digits[acc << (5 - bits) & 31];
    ASSERT(o == ID_TEXT_CHARS);
    out[o] = 0;
}

static void id_path(const uint8_t id[ID_BYTES], char out[FILES_PATH_CHARS]) {
    char text[ID_TEXT_CHARS + 1];
    id_text(id, text);
    (void)snprintf(out, FILES_PATH_CHARS, "%.2s/%s", text, text);
}

static int dir_at(int at, const char *name, mode_t mode) {
    if (mkdirat(at, name, mode) != 0 && errno != EEXIST) return -1;
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* The last of the 1024 is made last: where it is, all are. */
static enum err blobs_make(int blobs) {
    struct stat st;
    if (fstatat(blobs, "77", &st, AT_SYMLINK_NOFOLLOW) == 0) return ERR_OK;
    for (int i = 0; i < 1024; i++) {
        char name[3] = {base32_digits[i / 32], base32_digits[i % 32], 0};
        if (mkdirat(blobs, name, 0711) != 0 && errno != EEXIST) return io_err(errno);
        if (fchmodat(blobs, name, 0711, 0) != 0) return io_err(errno);
    }
    return fsync(blobs) == 0 ? ERR_OK : io_err(errno);
}

enum err store_files_open(const char *keeper_dir, struct store_files **out) {
    int top = open(keeper_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0) return io_err(errno);
    int stage = dir_at(top, "stage", 0700);
    int blobs = dir_at(top, "blobs", 0711);
    int e = stage < 0 || blobs < 0 || fchmod(blobs, 0711) != 0 ? errno : 0;
    close(top);
    enum err rc = e != 0 ? io_err(e) : blobs_make(blobs);
    if (rc != ERR_OK) {
        if (stage >= 0) close(stage);
        if (blobs >= 0) close(blobs);
        return rc;
    }
    struct store_files *f = calloc(1, sizeof *f);
    ASSERT(f != NULL);
    f->stage = stage;
    f->blobs = blobs;
    *out = f;
    return ERR_OK;
}

void store_files_close(struct store_files *f) {
    if (f == NULL) return;
    close(f->stage);
    close(f->blobs);
    free(f);
}

enum err store_files_create(struct store_files *f, const uint8_t id[ID_BYTES], int *fd) {
    char name[ID_TEXT_CHARS + 1];
    id_text(id, name);
    *fd = openat(f->stage, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0) return io_err(errno);
    /* The front opens the sealed file by its random name; the directory of torn ones is closed to it. */
    if (fchmod(*fd, BREAK("blobs-writable") ? 0666 : 0644) != 0) {
        int e = errno;
        close(*fd);
        (void)unlinkat(f->stage, name, 0);
        return io_err(e);
    }
    return ERR_OK;
}

static enum err sync_parent(struct store_files *f, const char *path) {
    char name[3] = {path[0], path[1], 0};
    int fd = openat(f->blobs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return io_err(errno);
    int e = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return e == 0 ? ERR_OK : io_err(e);
}

enum err store_files_seal(struct store_files *f, const uint8_t id[ID_BYTES], int fd) {
    char name[ID_TEXT_CHARS + 1];
    char path[FILES_PATH_CHARS];
    id_text(id, name);
    id_path(id, path);
    if (fsync(fd) != 0) return io_err(errno);
    if (linkat(f->stage, name, f->blobs, path, 0) != 0) return io_err(errno);
    TRY(sync_parent(f, path));
    return fsync(f->stage) == 0 ? ERR_OK : io_err(errno);
}

enum err store_files_unstage(struct store_files *f, const uint8_t id[ID_BYTES]) {
    char name[ID_TEXT_CHARS + 1];
    id_text(id, name);
    return unlinkat(f->stage, name, 0) == 0 || errno == ENOENT ? ERR_OK : io_err(errno);
}

enum err store_files_remove(struct store_files *f, const uint8_t id[ID_BYTES]) {
    char path[FILES_PATH_CHARS];
    id_path(id, path);
    /* blobs/ first: a lone name under stage/ is a torn upload to the next start, a lone one under blobs/ would be forgotten. */
    if (unlinkat(f->blobs, path, 0) != 0 && errno != ENOENT) return io_err(errno);
    return store_files_unstage(f, id);
}

enum err store_files_read(struct store_files *f, const uint8_t id[ID_BYTES], uint64_t off, void *out, size_t n) {
    char path[FILES_PATH_CHARS];
    id_path(id, path);
    int fd = openat(f->blobs, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return io_err(errno);
    enum err e = ERR_OK;
    uint8_t *at = out;
    while (n > 0) {
        ssize_t got = pread(fd, at, n, (off_t)off);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            e = got == 0 ? ERR_MISSING : io_err(errno);
            break;
        }
        at += got;
        n -= (size_t)got;
        off += (uint64_t)got;
    }
    close(fd);
    return e;
}

enum err store_files_sweep(struct store_files *f, void (*sealed)(void *ctx, const uint8_t id[ID_BYTES], uint64_t size), void *ctx) {
    int fd = openat(f->stage, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        int e = errno;
        if (fd >= 0) close(fd);
        return io_err(e);
    }
    const struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        uint8_t id[ID_BYTES];
        struct stat st;
        if (strlen(e->d_name) != ID_TEXT_CHARS || base32_fixed(slice_str(e->d_name), id, sizeof id) != ERR_OK) continue;
        if (fstatat(f->stage, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) continue;
        if (st.st_nlink >= 2) sealed(ctx, id, (uint64_t)st.st_size);
        else (void)unlinkat(f->stage, e->d_name, 0);
    }
    closedir(d);
    return ERR_OK;
}
