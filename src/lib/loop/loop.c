/* SPDX-License-Identifier: Apache-2.0
 * loop: epoll, a timer heap, signalfd, eventfd wake-ups, end-of-turn work and sliced jobs.
 * Role: the one thread of each process; a turn is timers and fds, then one job slice, then the afters (flushes).
 * Trusts: its owner, who embeds the structs and keeps them alive while they are added.
 * Spec: src/lib/loop/loop.h
 */
#include "loop/loop.h"
#include "base/limits.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct loop {
    int epoll_fd;
    bool stopped, firing;
    uint64_t now_ms, wall_ms;
    /* The events of this turn that are not handed out yet; a deleted watch is struck out here. */
    struct epoll_event events[LOOP_EVENTS_PER_TURN_MAX];
    size_t event_at, event_count;
    /* Min-heap from index 1; index 0 stays unused so that 0 can mean "not armed". */
    struct loop_timer **timers;
    size_t timer_count, timer_cap;
    struct list afters, jobs;
    struct loop_fd signal_watch;
    sigset_t signals;
    struct {
        void (*got)(void *ctx, int sig);
        void *ctx;
    } handlers[NSIG];
};

static void loop_take_time(struct loop *l) {
    l->now_ms = clock_mono_ms();
    l->wall_ms = clock_wall_ms();
}

struct loop *loop_new(void) {
    struct loop *l = calloc(1, sizeof *l);
    ASSERT(l != NULL);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ASSERT(l->epoll_fd >= 0);
    list_init(&l->afters);
    list_init(&l->jobs);
    sigemptyset(&l->signals);
    l->signal_watch.fd = -1;
    loop_take_time(l);
    return l;
}

void loop_free(struct loop *l) {
    if (l == NULL) return;
    if (l->signal_watch.fd >= 0) {
        loop_fd_del(l, &l->signal_watch);
        close(l->signal_watch.fd);
    }
    for (size_t i = 1; i <= l->timer_count; i++) l->timers[i]->heap_index = 0;
    free(l->timers);
    close(l->epoll_fd);
    free(l);
}

void loop_stop(struct loop *l) { l->stopped = true; }

uint64_t loop_now_ms(const struct loop *l) { return l->now_ms; }

uint64_t loop_wall_ms(const struct loop *l) { return l->wall_ms; }

/* fds ------------------------------------------------------------------------------------------------------------ */

void loop_fd_add(struct loop *l, struct loop_fd *w) {
    ASSERT(!w->active && w->ready != NULL);
    struct epoll_event e = {.events = w->events, .data.ptr = w};
    int failed = epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &e);
    ASSERT(failed == 0);
    w->active = true;
}

void loop_fd_mod(struct loop *l, struct loop_fd *w, uint32_t events) {
    ASSERT(w->active);
    if (events == w->events) return;
    struct epoll_event e = {.events = events, .data.ptr = w};
    int failed = epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &e);
    ASSERT(failed == 0);
    w->events = events;
}

void loop_fd_del(struct loop *l, struct loop_fd *w) {
    if (!w->active) return;
    int failed = epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    ASSERT(failed == 0); /* a watch outlived its fd: the owner closed first */
    w->active = false;
    /* Its memory may be gone before this turn's remaining events are handed out. */
    for (size_t i = l->event_at; i < l->event_count; i++) {
        if (l->events[i].data.ptr == w) l->events[i].data.ptr = NULL;
    }
}

/* timers --------------------------------------------------------------------------------------------------------- */

static void heap_place(struct loop *l, size_t i, struct loop_timer *t) {
    l->timers[i] = t;
    t->heap_index = i;
}

static void heap_up(struct loop *l, size_t i, struct loop_timer *t) {
    while (i > 1 && l->timers[i / 2]->due_ms > t->due_ms) {
        heap_place(l, i, l->timers[i / 2]);
        i /= 2;
    }
    heap_place(l, i, t);
}

static void heap_down(struct loop *l, size_t i, struct loop_timer *t) {
    for (size_t child; (child = 2 * i) <= l->timer_count; i = child) {
        if (child < l->timer_count && l->timers[child + 1]->due_ms < l->timers[child]->due_ms) child++;
        if (l->timers[child]->due_ms >= t->due_ms) break;
        heap_place(l, i, l->timers[child]);
    }
    heap_place(l, i, t);
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t) {
    size_t i = t->heap_index;
    if (i == 0) return;
    ASSERT(i <= l->timer_count && l->timers[i] == t);
    t->heap_index = 0;
    struct loop_timer *last = l->timers[l->timer_count--];
    if (last == t) return;
    if (i > 1 && l->timers[i / 2]->due_ms > last->due_ms) heap_up(l, i, last);
    else heap_down(l, i, last);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t in_ms) {
    ASSERT(t->fire != NULL);
    loop_timer_cancel(l, t);
    /* Counted from this turn's clock: what happens in one turn happens at one moment. */
    if (__builtin_add_overflow(l->now_ms, in_ms, &t->due_ms)) t->due_ms = UINT64_MAX;
    /* A timer that sets itself to 0 ms runs again in the next turn, not for ever in this one. */
    if (l->firing && t->due_ms <= l->now_ms) t->due_ms = l->now_ms + 1;
    if (l->timer_count + 1 >= l->timer_cap) {
        size_t cap = l->timer_cap == 0 ? 64 : l->timer_cap * 2;
        struct loop_timer **timers = realloc(l->timers, cap * sizeof *timers);
        ASSERT(timers != NULL); /* as many timers as owners embed: their bounds bound this */
        l->timers = timers;
        l->timer_cap = cap;
    }
    heap_up(l, ++l->timer_count, t);
}

static void loop_fire_timers(struct loop *l) {
    l->firing = true;
    while (l->timer_count > 0 && l->timers[1]->due_ms <= l->now_ms && !l->stopped) {
        struct loop_timer *due = l->timers[1];
        loop_timer_cancel(l, due);
        due->fire(due);
    }
    l->firing = false;
}

/* wake-ups ------------------------------------------------------------------------------------------------------- */

static void loop_wake_ready(struct loop_fd *fd, uint32_t events) {
    (void)events;
    struct loop_wake *w = container_of(fd, struct loop_wake, fd);
    uint64_t count;
    /* Drained before the callback, so that a wake during it is not lost. */
    ssize_t n = read(fd->fd, &count, sizeof count);
    if (n == (ssize_t)sizeof count) w->woken(w);
}

void loop_wake_add(struct loop *l, struct loop_wake *w) {
    ASSERT(w->woken != NULL);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ASSERT(fd >= 0);
    w->fd = (struct loop_fd){.fd = fd, .events = EPOLLIN, .ready = loop_wake_ready};
    loop_fd_add(l, &w->fd);
}

void loop_wake_del(struct loop *l, struct loop_wake *w) {
    if (!w->fd.active) return;
    loop_fd_del(l, &w->fd);
    close(w->fd.fd);
}

void loop_wake(struct loop_wake *w) {
    uint64_t one = 1;
    ssize_t n;
    do n = write(w->fd.fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    ASSERT(n == (ssize_t)sizeof one || errno == EAGAIN); /* EAGAIN: the counter is full, so it is awake */
}

/* signals -------------------------------------------------------------------------------------------------------- */

static void loop_signal_ready(struct loop_fd *fd, uint32_t events) {
    (void)events;
    struct loop *l = container_of(fd, struct loop, signal_watch);
    struct signalfd_siginfo info;
    while (!l->stopped && read(fd->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo < NSIG && l->handlers[info.ssi_signo].got != NULL) {
            l->handlers[info.ssi_signo].got(l->handlers[info.ssi_signo].ctx, (int)info.ssi_signo);
        }
    }
}

void loop_signal(struct loop *l, int sig, void (*got)(void *ctx, int sig), void *ctx) {
    ASSERT(sig > 0 && sig < NSIG && got != NULL);
    l->handlers[sig].got = got;
    l->handlers[sig].ctx = ctx;
    sigaddset(&l->signals, sig);
    int failed = pthread_sigmask(SIG_BLOCK, &l->signals, NULL);
    ASSERT(failed == 0);
    int fd = signalfd(l->signal_watch.fd, &l->signals, SFD_NONBLOCK | SFD_CLOEXEC);
    ASSERT(fd >= 0);
    if (l->signal_watch.active) return;
    l->signal_watch = (struct loop_fd){.fd = fd, .events = EPOLLIN, .ready = loop_signal_ready};
    loop_fd_add(l, &l->signal_watch);
}

/* end of turn, and jobs -------------------------------------------------------------------------------------------- */

void loop_after_add(struct loop *l, struct loop_after *a) {
    if (a->queued) return;
    a->queued = true;
    list_add_tail(&l->afters, &a->node);
}

void loop_after_del(struct loop *l, struct loop_after *a) {
    (void)l;
    if (!a->queued) return;
    a->queued = false;
    list_del(&a->node);
}

/* Until none is left: an after that queues output for another connection must not wait for the next event. The bound
 * turns two that add each other for ever into a crash and not into a hang. */
static void loop_run_afters(struct loop *l) {
    for (size_t n = 0; !list_empty(&l->afters); n++) {
        ASSERT(n < LOOP_AFTERS_PER_TURN_MAX);
        struct loop_after *a = container_of(l->afters.next, struct loop_after, node);
        loop_after_del(l, a);
        a->run(a);
    }
}

void loop_job_add(struct loop *l, struct loop_job *j) {
    if (j->queued) return;
    j->queued = true;
    list_add_tail(&l->jobs, &j->node);
}

void loop_job_del(struct loop *l, struct loop_job *j) {
    (void)l;
    if (!j->queued) return;
    j->queued = false;
    list_del(&j->node);
}

/* One job a turn, so that a long job costs each turn of everybody else one slice and not more. It is taken off before
 * it runs, because it may free itself when it is done. */
static void loop_run_job(struct loop *l) {
    if (list_empty(&l->jobs)) return;
    struct loop_job *j = container_of(l->jobs.next, struct loop_job, node);
    loop_job_del(l, j);
    if (j->run(j, JOB_SLICE_US)) loop_job_add(l, j);
}

/* turns ---------------------------------------------------------------------------------------------------------- */

static int loop_wait_ms(const struct loop *l, int timeout_ms) {
    if (!list_empty(&l->jobs) || !list_empty(&l->afters)) return 0;
    if (l->timer_count == 0) return timeout_ms;
    uint64_t due = l->timers[1]->due_ms, now = clock_mono_ms(), wait = due > now ? due - now : 0;
    if (timeout_ms >= 0 && (uint64_t)timeout_ms <= wait) return timeout_ms;
    return (int)MIN(wait, (uint64_t)LOOP_WAIT_MS_MAX);
}

bool loop_turn(struct loop *l, int timeout_ms) {
    if (l->stopped) return false;
    int n = epoll_wait(l->epoll_fd, l->events, ARRAY_LEN(l->events), loop_wait_ms(l, timeout_ms));
    ASSERT(n >= 0 || errno == EINTR);
    loop_take_time(l);
    l->event_at = 0;
    l->event_count = n < 0 ? 0 : (size_t)n;
    loop_fire_timers(l);
    while (l->event_at < l->event_count && !l->stopped) {
        struct epoll_event e = l->events[l->event_at++];
        struct loop_fd *w = e.data.ptr;
        if (w != NULL) w->ready(w, e.events);
    }
    l->event_at = l->event_count = 0;
    if (!l->stopped) loop_run_job(l);
    loop_run_afters(l);
    return !l->stopped;
}

void loop_run(struct loop *l) {
    while (loop_turn(l, -1)) continue;
}
