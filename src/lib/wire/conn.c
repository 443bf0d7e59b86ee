/* SPDX-License-Identifier: Apache-2.0
 * conn: one stream connection between two of Tillit's processes.
 * Role: frames in, one send() of batched frames out a turn; checks HELLO and who may send what before anyone sees a frame.
 * Distrusts: the peer: a frame its role may not send, a bad length, or output it does not read costs it the connection.
 * Spec: docs/spec/wire.md
 */
#include "wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONN_READ_BYTES_MIN 16384 /* room offered to a recv() at least */

struct wire_conn {
    struct loop *loop;
    struct loop_fd watch;
    struct loop_after after;
    const struct wire_handler *handler;
    void *ctx;
    struct buf in, out;
    size_t out_sent; /* bytes at the front of out that the kernel has */
    uint8_t own_role, peer_roles, peer_role;
    enum err why;
    bool dead;        /* closed() is due at the end of the turn; nothing is read or sent any more */
    bool paused;      /* by the owner */
    bool hung_up;     /* seen while paused: the fd is off the loop until the owner goes on reading */
    bool dispatching; /* a frame callback is running: its payload lies in `in` */
    bool was_full;
};

static size_t conn_queued(const struct wire_conn *c) { return c->out.n - c->out_sent; }

/* The owner may be in the middle of a callback of this very connection, so it hears of the end after the turn. */
static void conn_die(struct wire_conn *c, enum err why) {
    if (c->dead) return;
    c->dead = true;
    c->why = why;
    loop_fd_del(c->loop, &c->watch);
    loop_after_add(c->loop, &c->after);
}

static void conn_watch(struct wire_conn *c) {
    if (c->dead || c->hung_up) return;
    uint32_t events = (c->paused ? 0u : (uint32_t)EPOLLIN) | (conn_queued(c) > 0 ? (uint32_t)EPOLLOUT : 0u);
    loop_fd_mod(c->loop, &c->watch, events);
}

/* output ----------------------------------------------------------------------------------------------------------- */

static void conn_send(struct wire_conn *c) {
    while (!c->dead && conn_queued(c) > 0) {
        ssize_t n = send(c->watch.fd, c->out.p + c->out_sent, conn_queued(c), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            c->out_sent += (size_t)n;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            /* What the peer sent before it went may still lie in the socket: reading finds that, then the end. */
            if (errno == EPIPE || errno == ECONNRESET) c->out_sent = c->out.n;
            else conn_die(c, ERR_IO);
        }
    }
    if (conn_queued(c) == 0) {
        /* The gate's frames carry read keys: they do not stay behind in its memory. */
        if (c->own_role == WIRE_ROLE_GATE && c->out.n > 0) wipe(c->out.p, c->out.n);
        if (c->out.cap > WIRE_BATCH_BYTES * 4) buf_done(&c->out);
        buf_reset(&c->out);
        c->out_sent = 0;
    } else if (c->out_sent >= c->out.n / 2) {
        buf_drop_front(&c->out, c->out_sent);
        c->out_sent = 0;
    }
    if (conn_queued(c) > WIRE_OUT_BYTES_MAX) conn_die(c, ERR_LIMIT);
    if (conn_queued(c) > WIRE_BATCH_BYTES) c->was_full = true;
}

bool wire_conn_flush(struct wire_conn *c) {
    conn_send(c);
    conn_watch(c);
    return conn_queued(c) == 0;
}

struct buf *wire_conn_out(struct wire_conn *c) { return &c->out; }

void wire_conn_kick(struct wire_conn *c) {
    if (c->dead) {
        buf_reset(&c->out);
        c->out_sent = 0;
        return;
    }
    /* A peer that is slow already is not asked on every frame: EPOLLOUT tells when it reads again. */
    if (conn_queued(c) > WIRE_OUT_BYTES_MAX || (conn_queued(c) >= WIRE_BATCH_BYTES && !c->was_full)) wire_conn_flush(c);
    else loop_after_add(c->loop, &c->after);
}

bool wire_conn_full(const struct wire_conn *c) { return conn_queued(c) > WIRE_BATCH_BYTES; }

/* Never out of wire_conn_kick: the owner would be called while it is still putting frames. */
static void conn_tell_drained(struct wire_conn *c) {
    if (c->dead || !c->was_full || conn_queued(c) >= WIRE_BATCH_BYTES) return;
    c->was_full = false;
    if (c->handler->drained != NULL) c->handler->drained(c);
}

/* input ------------------------------------------------------------------------------------------------------------ */

static enum err conn_hello(struct wire_conn *c, struct slice payload) {
    struct wire_hello hello;
    TRY(wire_get_hello(payload, &hello));
    if (hello.version != WIRE_VERSION) return ERR_VERSION;
    bool one_bit = hello.role != 0 && (hello.role & (hello.role - 1)) == 0;
    if (!one_bit || (hello.role & c->peer_roles) == 0) return ERR_AUTH;
    c->peer_role = hello.role;
    return ERR_OK;
}

static enum err conn_frame(struct wire_conn *c, uint8_t type, uint64_t id, struct slice payload) {
    if (c->peer_role == 0) {
        if (type != WIRE_HELLO) return ERR_INPUT;
        TRY(conn_hello(c, payload));
    } else if (type == WIRE_HELLO || !wire_allowed(type, c->peer_role, c->own_role)) {
        return ERR_INPUT;
    }
    return c->handler->frame(c, type, id, payload);
}

static void conn_dispatch(struct wire_conn *c) {
    size_t at = 0;
    c->dispatching = true;
    while (!c->dead && !c->paused) {
        uint8_t type;
        uint64_t id;
        struct slice payload;
        size_t frame_n;
        enum err e = wire_split(slice_of(c->in.p + at, c->in.n - at), &type, &id, &payload, &frame_n);
        if (e == ERR_TRUNCATED) break;
        if (e == ERR_OK) e = conn_frame(c, type, id, payload);
        if (e != ERR_OK) conn_die(c, e);
        else at += frame_n;
    }
    c->dispatching = false;
    if (!c->dead) buf_drop_front(&c->in, at);
}

/* One recv; false when there is nothing more to read now. `in` has room for one frame of the longest, so a full one
 * always holds a whole frame and reading goes on. *drained: it took less than it had room for, so another would find nothing. */
static bool conn_read(struct wire_conn *c, bool *drained) {
    *drained = false;
    if (c->in.max - c->in.n == 0) return false;
    size_t room = MIN(MAX(c->in.cap - c->in.n, (size_t)CONN_READ_BYTES_MIN), c->in.max - c->in.n);
    uint8_t *to = buf_room(&c->in, room);
    if (to == NULL) {
        conn_die(c, ERR_NOMEM);
        return false;
    }
    ssize_t n = recv(c->watch.fd, to, room, MSG_DONTWAIT);
    if (n > 0) {
        c->in.n += (size_t)n;
        *drained = (size_t)n < room;
        return true;
    }
    if (n < 0 && errno == EINTR) return true;
    if (n < 0 && errno == EAGAIN) return false;
    conn_die(c, n == 0 || errno == ECONNRESET || errno == EPIPE ? ERR_CLOSED : ERR_IO);
    return false;
}

static void conn_input(struct wire_conn *c, size_t reads_max, bool to_the_end) {
    if (c->dispatching) return;
    conn_dispatch(c); /* what a pause left behind */
    for (size_t i = 0; i < reads_max && !c->dead && !c->paused; i++) {
        bool drained;
        if (!conn_read(c, &drained)) break;
        conn_dispatch(c);
        if (drained && !to_the_end) break; /* what comes from here on makes an event of its own */
    }
}

void wire_conn_pump(struct wire_conn *c) { conn_input(c, WIRE_PUMP_READS_MAX, true); }

void wire_conn_pause(struct wire_conn *c, bool paused) {
    if (c->dead || c->paused == paused) return;
    c->paused = paused;
    if (!paused && c->hung_up) {
        c->hung_up = false;
        loop_fd_add(c->loop, &c->watch);
    }
    conn_watch(c);
    if (!paused) loop_after_add(c->loop, &c->after); /* frames that came in before the pause make no new event */
}

static void conn_ready(struct loop_fd *w, uint32_t events) {
    struct wire_conn *c = w->ctx;
    uint32_t gone = events & (uint32_t)(EPOLLHUP | EPOLLERR);
    if (c->paused && gone != 0) {
        /* epoll reports this whether asked or not; what the peer still sent is read when the owner goes on. */
        c->hung_up = true;
        loop_fd_del(c->loop, &c->watch);
        return;
    }
    if ((events & (uint32_t)EPOLLOUT) != 0) wire_conn_flush(c);
    if ((events & (uint32_t)EPOLLIN) != 0 || gone != 0) conn_input(c, WIRE_READS_PER_TURN_MAX, gone != 0);
    conn_tell_drained(c);
}

/* life ------------------------------------------------------------------------------------------------------------- */

static void conn_free(struct wire_conn *c) {
    close(c->watch.fd);
    /* Frames carry keys. */
    buf_wipe_done(&c->in);
    buf_wipe_done(&c->out);
    free(c);
}

static void conn_after(struct loop_after *a) {
    struct wire_conn *c = a->ctx;
    if (!c->dead) {
        conn_dispatch(c);
        wire_conn_flush(c);
        conn_tell_drained(c);
    }
    if (!c->dead) return;
    loop_after_del(c->loop, &c->after);
    c->handler->closed(c, c->why);
    loop_after_del(c->loop, &c->after); /* closed() may have kicked */
    conn_free(c);
}

struct wire_conn *wire_conn_new(struct loop *l, int fd, uint8_t own_role, uint8_t peer_roles, const struct wire_hello *hello,
                                const struct wire_handler *h, void *ctx) {
    ASSERT(h->frame != NULL && h->closed != NULL);
    struct wire_conn *c = calloc(1, sizeof *c);
    ASSERT(c != NULL);
    int flags = fcntl(fd, F_GETFL);
    ASSERT(flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
    c->loop = l;
    c->handler = h;
    c->ctx = ctx;
    c->own_role = own_role;
    c->peer_roles = peer_roles;
    buf_init(&c->in, WIRE_HEADER_BYTES + WIRE_FRAME_BYTES_MAX);
    /* Twice the bound (what is sent may still lie in front) and one frame: a put never fails for a peer that is slow,
     * the kick that follows it closes the connection. */
    buf_init(&c->out, WIRE_OUT_BYTES_MAX * 2 + WIRE_HEADER_BYTES + WIRE_FRAME_BYTES_MAX);
    c->after = (struct loop_after){.run = conn_after, .ctx = c};
    c->watch = (struct loop_fd){.fd = fd, .events = EPOLLIN, .ready = conn_ready, .ctx = c};
    loop_fd_add(l, &c->watch);
    struct wire_hello ours = *hello;
    ours.role = own_role;
    ours.version = WIRE_VERSION;
    enum err e = wire_put_hello(&c->out, 0, &ours);
    ASSERT(e == ERR_OK);
    wire_conn_kick(c);
    return c;
}

void *wire_conn_ctx(const struct wire_conn *c) { return c->ctx; }

uint8_t wire_conn_peer_role(const struct wire_conn *c) { return c->peer_role; }

void wire_conn_close(struct wire_conn *c) {
    if (c->dead) return;
    conn_send(c); /* an answer put just before is the reason that the peer will want to know */
    conn_die(c, ERR_OK);
}
