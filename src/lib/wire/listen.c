/* SPDX-License-Identifier: Apache-2.0
 * listen: unix stream sockets: who may connect is the path's directory, and the peer's uid.
 * Role: one listening path for each role of each process.
 * Distrusts: whoever connects, until the kernel names its uid.
 * Spec: docs/spec/wire.md; unix(7) SO_PEERCRED
 */
#include "wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN_MAX 16
#define ACCEPT_RETRY_MS 100

struct wire_listener {
    struct loop *loop;
    struct loop_fd watch;
    struct loop_timer retry;
    int allowed_uid;
    void (*accepted)(void *ctx, int fd);
    void *ctx;
    char *path;
};

/* sun_path holds 107 characters; a longer path goes through a descriptor of its directory. *dir_fd is -1 or to be closed. */
static enum err unix_address(const char *path, struct sockaddr_un *address, int *dir_fd) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    *dir_fd = -1;
    int n = snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
    if (n >= 0 && (size_t)n < sizeof address->sun_path) return ERR_OK;
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) return ERR_LIMIT;
    char *dir = strndup(path, (size_t)(slash - path));
    if (dir == NULL) return ERR_NOMEM;
    *dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    if (*dir_fd < 0) return errno == ENOENT ? ERR_MISSING : ERR_IO;
    n = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%s", *dir_fd, slash);
    if (n >= 0 && (size_t)n < sizeof address->sun_path) return ERR_OK;
    close(*dir_fd);
    *dir_fd = -1;
    return ERR_LIMIT;
}

/* Room for a staged message and more, so that a body of many megabytes wakes its reader less often. The kernel may give less. */
static void grow_send_buffer(int fd) {
    int bytes = WIRE_SEND_BUFFER_BYTES;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static bool peer_welcome(const struct wire_listener *w, int fd) {
    struct ucred peer;
    socklen_t n = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0) return false;
    return peer.uid == 0 || peer.uid == geteuid() || (w->allowed_uid >= 0 && peer.uid == (uid_t)w->allowed_uid);
}

static void listener_ready(struct loop_fd *watch, uint32_t events) {
    (void)events;
    struct wire_listener *w = watch->ctx;
    for (int i = 0; i < ACCEPTS_PER_TURN_MAX; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
            /* Out of descriptors: the connection stays in the backlog, and asking at once would only spin. */
            loop_fd_mod(w->loop, watch, 0);
            loop_timer_set(w->loop, &w->retry, ACCEPT_RETRY_MS);
            return;
        }
        if (peer_welcome(w, fd)) {
            grow_send_buffer(fd);
            w->accepted(w->ctx, fd);
        } else {
            close(fd);
        }
    }
}

static void listener_retry(struct loop_timer *t) {
    struct wire_listener *w = t->ctx;
    loop_fd_mod(w->loop, &w->watch, EPOLLIN);
}

/* A socket that a killed process left behind is in the way of bind(); anything else there is not ours to remove. */
static void remove_stale(const char *path) {
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) (void)unlink(path);
}

static int listen_fd(const char *path, int mode) {
    struct sockaddr_un address;
    int dir_fd;
    if (unix_address(path, &address, &dir_fd) != ERR_OK) return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        remove_stale(path);
        bool ok = bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && chmod(path, (mode_t)mode) == 0 &&
                  listen(fd, SOMAXCONN) == 0;
        if (!ok) {
            close(fd);
            fd = -1;
        }
    }
    if (dir_fd >= 0) close(dir_fd);
    return fd;
}

struct wire_listener *wire_listen(struct loop *l, const char *path, int mode, int allowed_uid, void (*accepted)(void *ctx, int fd),
                                  void *ctx) {
    int fd = listen_fd(path, mode);
    if (fd < 0) return NULL;
    struct wire_listener *w = calloc(1, sizeof *w);
    ASSERT(w != NULL);
    *w = (struct wire_listener){.loop = l, .allowed_uid = allowed_uid, .accepted = accepted, .ctx = ctx, .path = strdup(path)};
    ASSERT(w->path != NULL);
    w->retry = (struct loop_timer){.fire = listener_retry, .ctx = w};
    w->watch = (struct loop_fd){.fd = fd, .events = EPOLLIN, .ready = listener_ready, .ctx = w};
    loop_fd_add(l, &w->watch);
    return w;
}

void wire_listener_free(struct wire_listener *w) {
    if (w == NULL) return;
    loop_timer_cancel(w->loop, &w->retry);
    loop_fd_del(w->loop, &w->watch);
    close(w->watch.fd);
    (void)unlink(w->path);
    free(w->path);
    free(w);
}

enum err wire_connect(const char *path, int *fd) {
    struct sockaddr_un address;
    int dir_fd;
    TRY(unix_address(path, &address, &dir_fd));
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failed = s < 0 ? -1 : connect(s, (struct sockaddr *)&address, sizeof address);
    int why = errno;
    if (dir_fd >= 0) close(dir_fd);
    if (failed == 0) {
        grow_send_buffer(s);
        *fd = s;
        return ERR_OK;
    }
    if (s >= 0) close(s);
    if (why == ENOENT || why == ECONNREFUSED) return ERR_MISSING;
    return why == EAGAIN ? ERR_BUSY : ERR_IO;
}
