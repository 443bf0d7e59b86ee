/* SPDX-License-Identifier: Apache-2.0
 * The root key in a file of its own: the provider that is there from the start.
 * Role: gives epoch keys to the gate. Trusts: the file's owner and mode. Distrusts: the file's text.
 * Law: 6 (the provider of keys is outside database and backups). Spec: docs/spec/keys.md section 1.
 */
#include "keys/keys_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char root_head[] = "tillit-root-v1:";
#define ROOT_BASE64_CHARS 44
#define ROOT_TEXT_CHARS (sizeof root_head - 1 + ROOT_BASE64_CHARS + 1)

struct root_file {
    struct keys_provider provider;
    struct secret root;
};

static enum err root_epoch_key(struct keys_provider *p, struct keys_ctx *c, uint32_t epoch, struct secret *out) {
    struct root_file *f = container_of(p, struct root_file, provider);
    uint8_t context[4];
    put_be32(context, epoch);
    return keys_derive(c, &f->root, KEYS_LABEL_EPOCH, slice_of(context, sizeof context), out);
}

static enum err root_check(struct keys_provider *p, struct keys_ctx *c, uint8_t out[ID_BYTES]) {
    struct root_file *f = container_of(p, struct root_file, provider);
    AUTO(secret) struct secret check = SECRET_INIT;
    TRY(keys_derive(c, &f->root, KEYS_LABEL_ROOT_CHECK, slice_of("", 0), &check));
    memcpy(out, check.p, ID_BYTES);
    return ERR_OK;
}

static void root_close(struct keys_provider *p) {
    struct root_file *f = container_of(p, struct root_file, provider);
    secret_done(&f->root);
    free(f);
}

void keys_provider_close(struct keys_provider *p) {
    if (p != NULL) p->close(p);
}

enum err keys_root_parse(struct slice text, struct secret *out) {
    *out = SECRET_INIT;
    if (text.n > 0 && text.p[text.n - 1] == '\n') text.n--;
    struct slice head = slice_of(root_head, sizeof root_head - 1);
    if (!slice_starts(text, head)) return slice_starts(text, SLICE_LIT("tillit-root-v")) ? ERR_VERSION : ERR_INPUT;
    AUTO(secret) struct secret s = SECRET_INIT;
    TRY(secret_new(&s, KEYS_BYTES));
    TRY(base64_fixed(slice_of(text.p + head.n, text.n - head.n), s.p, KEYS_BYTES));
    *out = secret_take(&s);
    return ERR_OK;
}

static enum err from_errno(void) {
    switch (errno) {
    case ENOENT:
    case ENOTDIR: return ERR_MISSING;
    case EEXIST: return ERR_EXISTS;
    case EACCES:
    case EPERM:
    case ELOOP: return ERR_CONFIG;
    case ENOSPC:
    case EDQUOT: return ERR_FULL;
    default: return ERR_IO;
    }
}

enum err keys_root_open(const char *path, struct keys_provider **out) {
    *out = NULL;
    /* No symlink and no fifo: what is checked is what is read. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return from_errno();
    struct stat st;
    AUTO(secret) struct secret text = SECRET_INIT;
    enum err e = fstat(fd, &st) == 0 ? ERR_OK : ERR_IO;
    if (e == ERR_OK && (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0 || st.st_uid != geteuid())) e = ERR_CONFIG;
    if (e == ERR_OK) e = secret_new(&text, KEYS_ROOT_FILE_BYTES_MAX);
    ssize_t n = e == ERR_OK ? pread(fd, text.p, text.n, 0) : 0;
    close(fd);
    TRY(e);
    if (n < 0) return ERR_IO;
    if ((size_t)n == text.n) return ERR_INPUT; /* longer than any root key */
    AUTO(secret) struct secret root = SECRET_INIT;
    TRY(keys_root_parse(slice_of(text.p, (size_t)n), &root));
    struct root_file *f = calloc(1, sizeof *f);
    if (f == NULL) return ERR_NOMEM;
    f->provider = (struct keys_provider){"file", root_epoch_key, root_check, root_close};
    f->root = secret_take(&root);
    *out = &f->provider;
    return ERR_OK;
}

static enum err write_all(int fd, struct slice s) {
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return from_errno();
        s = slice_of(s.p + n, s.n - (size_t)n);
    }
    return fsync(fd) == 0 ? ERR_OK : from_errno();
}

/* The directory entry must survive a power cut too: data sealed under a lost root is lost. */
static enum err sync_parent(const char *path) {
    char dir[4096];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (n >= sizeof dir) return ERR_INPUT;
    memcpy(dir, slash == NULL ? "." : path, n);
    dir[n] = 0;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return from_errno();
    enum err e = fsync(fd) == 0 ? ERR_OK : ERR_IO;
    close(fd);
    return e;
}

enum err keys_root_create(const char *path, const struct rng *rng) {
    AUTO(secret) struct secret root = SECRET_INIT;
    TRY(keys_new(rng, &root));
    struct buf text = BUF_INIT(ROOT_TEXT_CHARS);
    buf_put_str(&text, root_head);
    buf_put_base64(&text, secret_slice(&root));
    buf_put_u8(&text, '\n');
    ASSERT(buf_ok(&text) && text.n == ROOT_TEXT_CHARS);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum err e = fd < 0 ? from_errno() : write_all(fd, buf_slice(&text));
    if (fd >= 0) {
        close(fd);
        if (e != ERR_OK) unlink(path); /* half a root key helps nobody */
    }
    if (e == ERR_OK) e = sync_parent(path);
    buf_wipe_done(&text);
    return e;
}
