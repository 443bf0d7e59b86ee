/* SPDX-License-Identifier: Apache-2.0
 * loop: one thread's epoll loop: fds, timers, signals, wake-ups from other threads, end-of-turn work, sliced jobs.
 * The structs are embedded by their owners and never allocated here. Threads: all calls from the loop's own thread,
 * except loop_wake().
 */
#ifndef TILLIT_LOOP_H
#define TILLIT_LOOP_H

#include "base/base.h"

struct loop;
struct loop *loop_new(void);                          /* aborts when the kernel gives no epoll fd */
void loop_free(struct loop *l);
void loop_run(struct loop *l);                        /* until loop_stop */
void loop_stop(struct loop *l);
bool loop_turn(struct loop *l, int timeout_ms);       /* one turn, for tests; false once stopped */
uint64_t loop_now_ms(const struct loop *l);           /* monotonic, taken once a turn */
uint64_t loop_wall_ms(const struct loop *l);          /* wall clock, taken once a turn */

/* fds: level-triggered. events are EPOLLIN, EPOLLOUT. The callback may delete its own watch or any other. */
struct loop_fd {
    int fd;
    uint32_t events;
    void (*ready)(struct loop_fd *w, uint32_t events);
    void *ctx;
    bool active;
};
void loop_fd_add(struct loop *l, struct loop_fd *w);
void loop_fd_mod(struct loop *l, struct loop_fd *w, uint32_t events);
void loop_fd_del(struct loop *l, struct loop_fd *w);  /* does not close; safe when not active */

/* timers: one shot; setting an armed one moves it. */
struct loop_timer {
    uint64_t due_ms;
    void (*fire)(struct loop_timer *t);
    void *ctx;
    size_t heap_index;                                /* 0: not armed */
};
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t in_ms);
void loop_timer_cancel(struct loop *l, struct loop_timer *t);

/* wake: from any thread; the callback runs on the loop, once for any number of wakes before it. */
struct loop_wake {
    struct loop_fd fd;
    void (*woken)(struct loop_wake *w);
    void *ctx;
};
void loop_wake_add(struct loop *l, struct loop_wake *w);
void loop_wake_del(struct loop *l, struct loop_wake *w);
void loop_wake(struct loop_wake *w);

/* signals by signalfd: blocks sig in this thread (call before starting others). */
void loop_signal(struct loop *l, int sig, void (*got)(void *ctx, int sig), void *ctx);

/* after: runs once at the end of the current turn, before the next epoll_wait; adding an added one does nothing.
 * Connections flush here, so that all frames of a turn leave in one send(); the gate kicks its committer here. */
struct loop_after {
    struct list node;
    void (*run)(struct loop_after *a);
    void *ctx;
    bool queued;
};
void loop_after_add(struct loop *l, struct loop_after *a);
void loop_after_del(struct loop *l, struct loop_after *a);

/* jobs: run() is called a turn at a time, round robin, with the time it may take (JOB_SLICE_US); true = more to do. */
#define JOB_SLICE_US 200
struct loop_job {
    struct list node;
    bool (*run)(struct loop_job *j, uint64_t budget_us);
    void *ctx;
    bool queued;
};
void loop_job_add(struct loop *l, struct loop_job *j);
void loop_job_del(struct loop *l, struct loop_job *j);

#endif
