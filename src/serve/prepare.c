/* SPDX-License-Identifier: Apache-2.0
 * What must stand before the first child starts: lock, format, directories with their owners, ports, nginx.conf.
 * Role: everything here happens once, before anything is served, and every refusal names file and remedy.
 * Trusts: the administrator's configuration. Distrusts: what another process left in DIR.
 * Law: 2 (owners and modes keep every role to its own door).
 * Spec: docs/spec/dir.md
 */
#include "serve/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORMAT_TEXT "tillit-dir 2\n"
#define FORMAT_OLD "tillit-dir 1\n"        /* before anything was released: not read */
#define FRONT_MODULE "ngx_http_tillit_module.so"
/* What the kernel holds of an answer that was given to it whole; a client at 1 MB/s has it within a fraction of a second (docs/spec/access.md). */
#define ACCESS_SNDBUF "64k"
#define MODULE_BYTES_MAX (64 * 1024 * 1024)
#define LOCK_WAIT_MS 1500
#define LOCK_POLL_MS 20

static void say(const char *fmt, const char *a, const char *b)
{
    fprintf(stderr, "tillit serve: ");
    /* fmt is a constant of this file: every caller is below. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    fprintf(stderr, fmt, a, b);
#pragma GCC diagnostic pop
    fputc('\n', stderr);
}

static void in_dir(const struct serve *s, const char *rel, char out[SERVE_PATH_MAX]) { conf_path(s->dir, rel, out, SERVE_PATH_MAX); }

enum err prepare_lock(struct serve *s)
{
    char path[SERVE_PATH_MAX];
    in_dir(s, "lock", path);
    /* Inherited by every child on purpose: while one of them lives, the store is taken. Else a killed serve would free the lock
     * before its gate has ended, and a second gate could read the log that the first still writes. */
    s->lock_fd = open(path, O_RDWR | O_CREAT, 0600);
    if (s->lock_fd < 0) {
        say("%s: %s; the directory must exist and be writable: `tillit init` makes it", path, strerror(errno));
        return ERR_IO;
    }
    for (int waited_ms = 0; flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0; waited_ms += LOCK_POLL_MS) {
        const struct timespec poll = {0, LOCK_POLL_MS * 1000000L};
        if (waited_ms < LOCK_WAIT_MS) {
            nanosleep(&poll, NULL);    /* children of a killed serve end within a moment */
            continue;
        }
        say("%s is held: another `tillit serve` runs on this directory; stop it first%s", path, "");
        return ERR_BUSY;
    }
    return ERR_OK;
}

enum err prepare_format(struct serve *s)
{
    char path[SERVE_PATH_MAX], text[64] = {0};
    in_dir(s, "format", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        say("%s: %s; this is not a Tillit directory: `tillit init` makes one", path, strerror(errno));
        return ERR_MISSING;
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n == (ssize_t)strlen(FORMAT_TEXT) && strcmp(text, FORMAT_TEXT) == 0) return ERR_OK;
    if (strcmp(text, FORMAT_OLD) == 0)
        say("%s: this directory was made by a Tillit from before its first release, and is not read any more: `tillit init` makes a new one%s", path, "");
    else
        say("%s: format not known to this version; it was written by a newer Tillit: use that version or newer%s", path, "");
    return ERR_VERSION;
}

struct place {
    const char *rel;
    mode_t mode;
    char owner;                        /* g gate, k keeper, f front, a access, w steward, s serve, t serve with the front's group */
};
static const struct place tree[] = {
    {"gate", 0711, 'g'}, {"gate/wal", 0700, 'g'}, {"gate/logs", 0711, 'g'}, {"gate/openings", 0700, 'g'}, {"gate/state", 0700, 'g'},
    {"gate/keys", 0700, 'g'}, {"keeper", 0711, 'k'}, {"keeper/index", 0700, 'k'}, {"keeper/blobs", 0711, 'k'},
    {"keeper/stage", 0700, 'k'}, {"front", 0711, 's'}, {"front/tmp", 0700, 'f'}, {"front/tls", 0750, 't'},
    {"front/console", 0711, 's'},
    {"access", 0711, 's'}, {"access/tmp", 0700, 'a'},
    {"run", 0711, 's'}, {"run/gate", 0711, 'g'}, {"run/keeper", 0711, 'k'},
    {"steward", 0700, 'w'},
};

static uid_t owner_uid(const struct serve *s, char owner)
{
    switch (owner) {
    case 'g': return (uid_t)s->conf.gate_uid;
    case 'k': return (uid_t)s->conf.keeper_uid;
    case 'f': return (uid_t)s->conf.front_uid;
    case 'a': return (uid_t)s->conf.access_uid;
    case 'w': return (uid_t)s->conf.steward_uid;
    default: return 0;
    }
}

/* Through a descriptor that follows no link: some of these lie where a process that was taken over may have put one. */
static enum err own_path(const struct serve *s, const char *path, int flags, const struct place *p)
{
    uid_t uid = owner_uid(s, p->owner);
    gid_t gid = p->owner == 't' ? (gid_t)s->conf.front_uid : (gid_t)uid;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | flags);
    if (fd < 0) return errno == ENOENT ? ERR_MISSING : ERR_IO;
    /* Without root every process has one uid, and the directory is the whole wall: others get nothing. */
    mode_t mode = s->root ? p->mode : p->mode & 0700;
    bool ok = (!s->root || fchown(fd, uid, gid) == 0) && fchmod(fd, mode) == 0;
    close(fd);
    return ok ? ERR_OK : ERR_IO;
}

static enum err own(const struct serve *s, const char *path, const struct place *p) { return own_path(s, path, O_DIRECTORY, p); }

/* The front reads its certificate and key and nothing else of front/, and changes nothing of it: neither what nginx is started with nor
 * what strangers are told about the logs. Called again before a reload: an administrator's new key is root's. */
void prepare_front_files(struct serve *s)
{
    char path[SERVE_PATH_MAX];
    const struct { const char *rel; struct place p; } files[] = {{s->conf.tls_cert, {NULL, 0640, 't'}}, {s->conf.tls_key, {NULL, 0640, 't'}},
                                                                 {"front/endpoints.in", {NULL, 0644, 's'}}};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (files[i].rel[0] == '/') continue;      /* not below DIR: the administrator's own affair */
        in_dir(s, files[i].rel, path);
        if (own_path(s, path, 0, &files[i].p) == ERR_IO) say("%s: owner or mode cannot be set: %s", path, strerror(errno));
    }
}

/* Files made by `tillit init` as root belong to the role whose directory they lie in. Two levels are all there are. */
static enum err own_below(const struct serve *s, const char *cmd_dir, uint64_t uid)
{
    if (!s->root) return ERR_OK;
    char owner[48];
    snprintf(owner, sizeof owner, "%llu:%llu", (unsigned long long)uid, (unsigned long long)uid);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/chown", "chown", "-RhP", owner, "--", cmd_dir, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) return ERR_IO;
    return ERR_OK;
}

enum err prepare_tree(struct serve *s)
{
    char path[SERVE_PATH_MAX];
    static const struct { const char *rel; size_t uid_off; } roles[] = {
        {"gate", offsetof(struct conf, gate_uid)}, {"keeper", offsetof(struct conf, keeper_uid)}, {"steward", offsetof(struct conf, steward_uid)}};
    struct stat top;
    /* Every role passes through DIR by name; a strict umask at `init` would have closed it. Nobody may list it for that. */
    if (s->root && (stat(s->dir, &top) != 0 || chmod(s->dir, (top.st_mode & 07777) | 0111) != 0)) {
        say("%s: its mode cannot be set: %s", s->dir, strerror(errno));
        return ERR_IO;
    }
    for (size_t i = 0; i < ARRAY_LEN(tree); i++) {
        in_dir(s, tree[i].rel, path);
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            say("%s: %s; the file system must be writable", path, strerror(errno));
            return ERR_IO;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        struct stat st;
        in_dir(s, roles[i].rel, path);
        uint64_t uid = *(const uint64_t *)(const void *)((const char *)&s->conf + roles[i].uid_off);
        /* Only when the owner is not right yet: a store with a million files must not be walked at each start. */
        if (stat(path, &st) == 0 && s->root && st.st_uid != uid && own_below(s, path, uid) != ERR_OK) {
            say("%s: cannot give it to its own uid%s", path, "");
            return ERR_IO;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(tree); i++) {
        in_dir(s, tree[i].rel, path);
        if (own(s, path, &tree[i]) != ERR_OK) {
            say("%s: owner or mode cannot be set: %s", path, strerror(errno));
            return ERR_IO;
        }
    }
    prepare_front_files(s);
    return ERR_OK;
}

/* Ports that others have taken are told before nginx says so in its own words. */
static enum err port_open(const char *listen_on, uint64_t *port, const char *key, int *out)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t n = sizeof a;
    char text[24];
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(text, sizeof text, "%llu", (unsigned long long)*port);
    if (fd < 0 || inet_pton(AF_INET, listen_on, &a.sin_addr) != 1) {
        if (fd >= 0) close(fd);
        say("tillit.conf: \"listen\" in [s3] must be an IPv4 address, not \"%s\"%s", listen_on, "");
        return ERR_CONFIG;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    enum err e = ERR_OK;
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 1024) != 0) {
        say("port %s (%s) cannot be bound: another program has it, or it needs root; set another one in tillit.conf or on the command line", text, key);
        e = ERR_CONFIG;
    } else if (*port == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0) {
        *port = ntohs(a.sin_port);
    }
    if (e != ERR_OK) close(fd);
    else *out = fd;
    return e;
}

enum err prepare_ports(struct serve *s)
{
    TRY(port_open(s->conf.listen, &s->conf.s3_port, "[s3] port", &s->listen_fd[SERVE_HTTP]));
    TRY(port_open(s->conf.listen, &s->conf.s3_tls_port, "[s3] tls_port", &s->listen_fd[SERVE_HTTPS]));
    TRY(port_open(s->conf.listen, &s->conf.api_port, "[api] port", &s->listen_fd[SERVE_API]));
    TRY(port_open(s->conf.listen, &s->conf.access_port, "[access] port", &s->listen_fd[SERVE_ACCESS_HTTP]));
    return port_open(s->conf.listen, &s->conf.access_tls_port, "[access] tls_port", &s->listen_fd[SERVE_ACCESS_HTTPS]);
}

static enum err read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ERR_MISSING;
    for (;;) {
        uint8_t *at = buf_room(out, 4096);
        ssize_t n = at ? read(fd, at, 4096) : -1;
        if (n <= 0) {
            close(fd);
            return n == 0 ? ERR_OK : ERR_IO;
        }
        out->n += (size_t)n;
    }
}

/* Written whole under another name and renamed: a reader finds the old or the new file, never half of one. */
static enum err write_file(const char *path, struct slice text, mode_t mode)
{
    char tmp[SERVE_PATH_MAX + 8];
    snprintf(tmp, sizeof tmp, "%s.new", path);
    /* Some of these directories are another uid's: a link left there must not lead root's pen elsewhere. */
    unlink(tmp);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) return ERR_IO;
    bool ok = write(fd, text.p, text.n) == (ssize_t)text.n && fchmod(fd, mode) == 0;
    ok = close(fd) == 0 && ok;
    return ok && rename(tmp, path) == 0 ? ERR_OK : ERR_IO;
}

/* access: S3_PORT and what else differs between the two fronts is the access front's. */
static void substitute(const struct serve *s, bool access, struct slice name, struct buf *out)
{
    if (slice_is(name, "DIR")) buf_put_str(out, ".");
    else if (slice_is(name, "MODULE")) buf_put_str(out, "../front/" FRONT_MODULE);
    else if (slice_is(name, "ROLE")) buf_put_str(out, access ? "access" : "front");
    else if (slice_is(name, "FRONT")) buf_put_str(out, access ? "#" : "");
    else if (slice_is(name, "SNDBUF")) buf_put_str(out, access ? " sndbuf=" ACCESS_SNDBUF : "");
    else if (slice_is(name, "WORKERS")) buf_put_dec(out, access ? s->conf.access_workers : s->conf.workers);
    else if (slice_is(name, "LISTEN")) buf_put_str(out, s->conf.listen);
    else if (slice_is(name, "S3_PORT")) buf_put_dec(out, access ? s->conf.access_port : s->conf.s3_port);
    else if (slice_is(name, "S3_TLS_PORT")) buf_put_dec(out, access ? s->conf.access_tls_port : s->conf.s3_tls_port);
    else if (slice_is(name, "ACCESS_PORT")) buf_put_dec(out, s->conf.access_port);
    else if (slice_is(name, "ACCESS_TLS_PORT")) buf_put_dec(out, s->conf.access_tls_port);
    else if (slice_is(name, "API_PORT")) buf_put_dec(out, s->conf.api_port);
    else if (slice_is(name, "REGION")) buf_put_str(out, s->conf.region);
    else if (slice_is(name, "DOMAIN")) buf_put_str(out, s->conf.domain);
    else if (slice_is(name, "TLS_CERT")) buf_printf(out, "%s%s", s->conf.tls_cert[0] == '/' ? "" : "../", s->conf.tls_cert);
    else if (slice_is(name, "TLS_KEY")) buf_printf(out, "%s%s", s->conf.tls_key[0] == '/' ? "" : "../", s->conf.tls_key);
    else out->bad = true;
}

/* text with every @NAME@ replaced. */
static void fill_in(const struct serve *s, bool access, struct slice text, struct buf *out)
{
    struct slice head, name;
    while (text.p) {
        text = slice_cut(text, '@', &head);
        buf_put_slice(out, head);
        if (!text.p) break;
        text = slice_cut(text, '@', &name);
        substitute(s, access, name, out);
    }
}

/* What the front reads stands beside nginx.conf: where it was built may be out of the front's reach. below: of front/, with its slash. */
static enum err place_file(struct serve *s, const char *name, const char *below)
{
    char from[SERVE_PATH_MAX + 64], rel[128], to[SERVE_PATH_MAX];
    AUTO(buf) struct buf bytes = BUF_INIT(MODULE_BYTES_MAX);
    snprintf(from, sizeof from, "%s/%s", s->bin, name);
    snprintf(rel, sizeof rel, "front/%s%s", below, name);
    in_dir(s, rel, to);
    if (read_file(from, &bytes) != ERR_OK) {
        say("%s is missing; build Tillit again (`make`)%s", from, "");
        return ERR_MISSING;
    }
    if (write_file(to, buf_slice(&bytes), 0644) == ERR_OK) return ERR_OK;
    say("%s cannot be written: %s", to, strerror(errno));
    return ERR_IO;
}

static const char *const console[] = {"console.html", "console.css", "console.js", "console_say.js"};

enum err prepare_nginx(struct serve *s)
{
    char path[SERVE_PATH_MAX];
    TRY(place_file(s, FRONT_MODULE, ""));
    for (size_t i = 0; i < ARRAY_LEN(console); i++) TRY(place_file(s, console[i], "console/"));
    snprintf(path, sizeof path, "%s/nginx.conf.in", s->bin);
    AUTO(buf) struct buf in = BUF_INIT(65536);
    if (read_file(path, &in) != ERR_OK) {
        say("%s is missing; build Tillit again (`make`)%s", path, "");
        return ERR_MISSING;
    }
    for (int access = 0; access < 2; access++) {
        AUTO(buf) struct buf out = BUF_INIT(131072);
        fill_in(s, access, buf_slice(&in), &out);
        in_dir(s, access ? "access/nginx.conf" : "front/nginx.conf", path);
        if (!buf_ok(&out) || write_file(path, buf_slice(&out), 0644) != ERR_OK) {
            say("%s cannot be written: %s", path, strerror(errno));
            return ERR_IO;
        }
    }
    return ERR_OK;
}

enum err prepare_endpoints(struct serve *s)
{
    char from[SERVE_PATH_MAX], to[SERVE_PATH_MAX];
    AUTO(buf) struct buf in = BUF_INIT(65536), out = BUF_INIT(131072);
    /* init leaves what does not change between starts (tenant, vkeys, log paths) as text with the ports marked. */
    in_dir(s, "front/endpoints.in", from);
    in_dir(s, "run/endpoints.json", to);
    if (read_file(from, &in) != ERR_OK) {
        say("%s is missing; `tillit init` writes it%s", from, "");
        return ERR_MISSING;
    }
    fill_in(s, false, buf_slice(&in), &out);
    if (!buf_ok(&out) || write_file(to, buf_slice(&out), 0644) != ERR_OK) {
        say("%s cannot be written: %s", to, strerror(errno));
        return ERR_IO;
    }
    return ERR_OK;
}

void prepare_pids(struct serve *s, struct slice lines)
{
    char path[SERVE_PATH_MAX];
    in_dir(s, "run/pids", path);
    (void)write_file(path, lines, 0644);       /* a full disk must not stop the store: doctor then says less */
}
