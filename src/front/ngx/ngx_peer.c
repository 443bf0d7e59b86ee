/* SPDX-License-Identifier: Apache-2.0
 * The worker's sockets to gate and keeper: connects, reads, writes once per turn of the event loop.
 * Role: transport under flow_peer_bytes() and flow_queue_pieces().
 * Trusts: the directory the sockets lie in (0700 below the store's). Distrusts: bytes, which flow checks.
 * Spec: docs/spec/wire.md; DESIGN of reconnection: every FLOW_RECONNECT_MS while a peer is away.
 */
#include "ngx_tillit.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static void peer_connect(struct tl_peer *p);

static void peer_later(struct tl_peer *p)
{
    /* A leaving worker reconnects only for requests it still owes an answer. */
    if ((ngx_exiting || ngx_quit || ngx_terminate) && tl.flow.active == 0) return;
    if (!p->retry.timer_set) ngx_add_timer(&p->retry, FLOW_RECONNECT_MS);
}

static void peer_close(struct tl_peer *p)
{
    if (p->c) {
        ngx_close_connection(p->c);
        p->c = NULL;
    }
    p->in_n = 0;
    if (p->in) ngx_free(p->in);
    p->in = NULL;
    if (p->flush.posted) {
        ngx_delete_posted_event(&p->flush);        /* two statements: the braces matter */
    }
}

static void peer_lost(struct tl_peer *p)
{
    peer_close(p);
    tl_now();
    flow_peer_lost(&tl.flow, p->flow);
    peer_later(p);
}

static void wait_writable(struct tl_peer *p)
{
    if (!p->c->write->active && ngx_add_event(p->c->write, NGX_WRITE_EVENT, NGX_CLEAR_EVENT) != NGX_OK) peer_lost(p);
}

static void peer_flush(struct tl_peer *p)
{
    struct flow_piece piece[FLOW_PIECES_MAX];
    struct iovec iov[FLOW_PIECES_MAX];
    tl_now();
    while (p->c && p->flow->out.bytes + p->flow->out.small.n > 0) {
        size_t n = flow_queue_pieces(&p->flow->out, piece, FLOW_PIECES_MAX), all = 0;
        for (size_t i = 0; i < n; i++) {
            iov[i].iov_base = (void *)(uintptr_t)piece[i].p;
            iov[i].iov_len = piece[i].n;
            all += piece[i].n;
        }
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
        ssize_t sent = sendmsg(p->c->fd, &m, MSG_NOSIGNAL);
        if (sent < 0) {
            if (ngx_errno == NGX_EINTR) continue;
            if (ngx_errno != NGX_EAGAIN) peer_lost(p);
            else wait_writable(p);
            return;
        }
        flow_queue_sent(&tl.flow, &p->flow->out, (size_t)sent);
        if ((size_t)sent == all) continue;
        wait_writable(p);
        return;
    }
    /* Watched only while blocked: on a unix socket every read of the peer would wake us for room that nobody needs. */
    if (p->c && p->c->write->active) ngx_del_event(p->c->write, NGX_WRITE_EVENT, 0);
}

static void flush_handler(ngx_event_t *ev) { peer_flush(ev->data); }

static void write_handler(ngx_event_t *wev)
{
    ngx_connection_t *c = wev->data;
    peer_flush(c->data);
}

static void read_handler(ngx_event_t *rev)
{
    ngx_connection_t *c = rev->data;
    struct tl_peer *p = c->data;
    tl_now();
    for (;;) {
        size_t room = FLOW_PEER_IN_BYTES - p->in_n, taken;
        ssize_t n = recv(c->fd, p->in + p->in_n, room, 0);
        if (n < 0 && ngx_errno == NGX_EINTR) continue;
        if (n < 0 && ngx_errno == NGX_EAGAIN) return;
        if (n <= 0) {
            peer_lost(p);
            return;
        }
        p->in_n += (size_t)n;
        enum err e = flow_peer_bytes(&tl.flow, p->flow, slice_of(p->in, p->in_n), &taken);
        if (e != ERR_OK) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "tillit: frame from %s refused: %s", p->name, err_name(e));
            peer_lost(p);
            return;
        }
        if (taken) {
            p->in_n -= taken;
            if (p->in_n) ngx_memmove(p->in, p->in + taken, p->in_n);
            /* Tickets and releases carry keys; what was read of them does not stay. */
            if (p == &tl.gate) wipe(p->in + p->in_n, taken);
        }
        if ((size_t)n < room) return;              /* all is read: the next bytes bring their own event */
    }
}

static void peer_connect(struct tl_peer *p)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (p->path.len >= sizeof a.sun_path) {
        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0, "tillit: the path of the store is too long for a socket");
        return;
    }
    ngx_memcpy(a.sun_path, p->path.data, p->path.len);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        peer_later(p);
        return;
    }
    /* A unix socket connects at once or not at all. */
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        close(fd);
        peer_later(p);
        return;
    }
    int bytes = 1 << 20;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    ngx_connection_t *c = ngx_get_connection(fd, ngx_cycle->log);
    p->in = c ? ngx_alloc(FLOW_PEER_IN_BYTES, ngx_cycle->log) : NULL;
    if (!p->in) {
        if (c) {
            ngx_free_connection(c);
            c->fd = (ngx_socket_t)-1;
        }
        close(fd);
        peer_later(p);
        return;
    }
    c->data = p;
    c->log = ngx_cycle->log;
    c->read->log = c->write->log = c->log;
    c->read->handler = read_handler;
    c->write->handler = write_handler;
    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        ngx_close_connection(c);
        ngx_free(p->in);
        p->in = NULL;
        peer_later(p);
        return;
    }
    p->c = c;
    p->in_n = 0;
    tl_now();
    flow_peer_connected(&tl.flow, p->flow, tl.boot);
}

static void retry_handler(ngx_event_t *ev)
{
    struct tl_peer *p = ev->data;
    if (!p->c) peer_connect(p);
}

void tl_host_kick(struct flow_worker *w)
{
    (void)w;
    struct tl_peer *both[] = {&tl.gate, &tl.keeper};
    for (size_t i = 0; i < 2; i++) {
        struct tl_peer *p = both[i];
        if (!p->c || p->flow->out.bytes + p->flow->out.small.n == 0) continue;
        ngx_post_event(&p->flush, &ngx_posted_events);
    }
}

static void peer_start(struct tl_peer *p, struct flow_peer *flow, const char *name, const ngx_str_t *dir)
{
    static u_char paths[2][256];
    u_char *path = paths[flow == &tl.flow.keeper];
    p->flow = flow;
    p->name = name;
    p->path.data = path;
    p->path.len = (size_t)(ngx_snprintf(path, sizeof paths[0], "%V/run/%s/%s", dir, name, tl.flow.role == WIRE_ROLE_ACCESS ? "access" : "front") - path);
    p->retry.handler = retry_handler;
    p->retry.data = p;
    p->retry.log = ngx_cycle->log;
    p->retry.cancelable = 1;
    p->flush.handler = flush_handler;
    p->flush.data = p;
    p->flush.log = ngx_cycle->log;
    peer_connect(p);
    if (p->c) peer_flush(p);                       /* an idle worker sleeps before it looks at posted events: HELLO would wait for a client */
}

void tl_peers_start(const ngx_str_t *dir)
{
    peer_start(&tl.keeper, &tl.flow.keeper, "keeper", dir);
    peer_start(&tl.gate, &tl.flow.gate, "gate", dir);
}

void tl_peers_stop(void)
{
    struct tl_peer *both[] = {&tl.gate, &tl.keeper};
    for (size_t i = 0; i < 2; i++) {
        peer_close(both[i]);
        if (both[i]->retry.timer_set) ngx_del_timer(&both[i]->retry);
    }
}
