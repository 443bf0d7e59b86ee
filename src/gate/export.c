/* SPDX-License-Identifier: Apache-2.0
 * `tillit-gate DIR --export-provider OUT`: the provider log with its openings, for replay, from a store that is stopped.
 * Role: an operator with the root key runs it for the provider's officers and their auditors; api.c writes the same lines for tenants.
 * Trusts: who can read the root key. Law: 4 (what is exported is what was decided from). Spec: docs/spec/export.md, docs/ops/verify.md
 */
#include "gate/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT_PATH_MAX 1024
#define EXPORT_WAIT_MS 10000
#define EXPORT_POLL_MS 10
#define EXPORT_LINE_BYTES_MAX (LEAF_BYTES_MAX + 2 * OPENING_BYTES_MAX + 128)

void export_line(uint64_t index, struct slice leaf, struct slice opening, struct buf *out)
{
    buf_put_str(out, "{\"index\":");
    buf_put_dec(out, index);
    buf_put_str(out, ",\"leaf\":");
    buf_put_slice(out, leaf);
    buf_put_str(out, ",\"opening\":\"");
    buf_put_base64url(out, opening);
    buf_put_str(out, "\"}\n");
}

/* -1: the store is served, or the directory is none. */
static int lock(const char *dir)
{
    char path[EXPORT_PATH_MAX];
    snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    close(fd);
    return -1;
}

/* Personal data of the provider's people: for whoever runs this, and no one else. */
static FILE *file_make(const char *out, const char *name)
{
    char path[EXPORT_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", out, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f && fd >= 0) close(fd);
    return f;
}

static bool records(struct gate_log *l, uint64_t size, FILE *f)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX), line = BUF_INIT(EXPORT_LINE_BYTES_MAX);
    for (uint64_t i = 0; i < size; i++) {
        buf_reset(&leaf), buf_reset(&opening), buf_reset(&line);
        if (log_read(l, i, &leaf, &opening) != ERR_OK) return false;
        export_line(i, buf_slice(&leaf), buf_slice(&opening), &line);
        if (!buf_ok(&line) || fwrite(line.p, 1, line.n, f) != line.n) return false;
    }
    return true;
}

static struct {
    const char *out;
    FILE *lines, *head;
} to;

/* A store that was served belongs to its gate's uid, and what the flusher writes on the way must, too: root becomes the root key's owner. */
static bool become_owner(const char *dir)
{
    char path[EXPORT_PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/gate/keys/root", dir);
    if (stat(path, &st) != 0 || geteuid() != 0 || st.st_uid == 0) return true;       /* a missing key is told by who opens it */
    return setgroups(0, NULL) == 0 && setgid(st.st_gid) == 0 && setuid(st.st_uid) == 0;
}

int export_begin(const char *dir, const char *out)
{
    if (lock(dir) < 0) {
        fprintf(stderr, "tillit-gate: %s is served, or is no store of yours: stop it first\n", dir);
        return 2;
    }
    mkdir(out, 0700);
    to.out = out;
    to.lines = file_make(out, "provider.jsonl"), to.head = file_make(out, "provider.checkpoint");
    if (to.lines && to.head && become_owner(dir)) return 0;
    fprintf(stderr, "tillit-gate: %s: the provider log cannot be exported there: %s\n", out, strerror(errno));
    return 4;
}

int export_provider(struct gate *g)
{
    AUTO(buf) struct buf note = BUF_INIT(LEDGER_NOTE_BYTES_MAX), vkey = BUF_INIT(1024);
    uint64_t size = log_size(g->provider);
    /* Nothing is appended here; what the last run left in the WAL the flusher writes first, and only what is written is signed. */
    for (unsigned ms = 0; log_published(g->provider) < size && ms < EXPORT_WAIT_MS; ms += EXPORT_POLL_MS) usleep(EXPORT_POLL_MS * 1000);
    bool ok = log_published(g->provider) == size && records(g->provider, size, to.lines);
    ok = ok && log_checkpoint(g->provider, &note) == ERR_OK && fwrite(note.p, 1, note.n, to.head) == note.n;
    if (fclose(to.lines) != 0) ok = false;
    if (fclose(to.head) != 0) ok = false;
    if (!ok) {
        fprintf(stderr, "tillit-gate: %s: the provider log cannot be exported\n", to.out);
        return 4;
    }
    log_vkey(g->provider, &vkey);
    printf("%llu records in %s/provider.jsonl; vkey %.*s\n", (unsigned long long)size, to.out, (int)vkey.n, (const char *)vkey.p);
    return 0;
}
