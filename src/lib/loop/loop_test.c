/* SPDX-License-Identifier: Apache-2.0
 * Unit tests of loop.c.
 */
#include "base/test.h"
#include "loop/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct fixture {
    struct loop *l;
    int count;
    char order[64];
    size_t order_n;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->l = loop_new();
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    loop_free(f->l);
    free(f);
    return 0;
}

/* timers */

struct named_timer {
    struct loop_timer t;
    struct fixture *f;
    char name;
    struct named_timer *cancels;
    int again;
};

static void named_fire(struct loop_timer *t) {
    struct named_timer *n = container_of(t, struct named_timer, t);
    n->f->order[n->f->order_n++] = n->name;
    if (n->cancels != NULL) loop_timer_cancel(n->f->l, &n->cancels->t);
    if (n->again-- > 0) loop_timer_set(n->f->l, t, 0);
}

static void timers_fire_in_order_of_their_time(void **state) {
    struct fixture *f = *state;
    struct named_timer t[5];
    static const uint64_t in_ms[5] = {30, 10, 20, 0, 40};
    for (size_t i = 0; i < 5; i++) {
        t[i] = (struct named_timer){.t = {.fire = named_fire}, .f = f, .name = (char)('a' + i)};
        loop_timer_set(f->l, &t[i].t, in_ms[i]);
    }
    loop_timer_set(f->l, &t[4].t, 5); /* moved forward */
    while (f->order_n < 5) loop_turn(f->l, -1);
    assert_string_equal(f->order, "debca");
    assert_int_equal(t[0].t.heap_index, 0);
}

static void a_cancelled_timer_does_not_fire_even_in_the_same_turn(void **state) {
    struct fixture *f = *state;
    struct named_timer a = {.t = {.fire = named_fire}, .f = f, .name = 'a'}, b = {.t = {.fire = named_fire}, .f = f, .name = 'b'};
    a.cancels = &b;
    loop_timer_set(f->l, &a.t, 1);
    loop_timer_set(f->l, &b.t, 2);
    usleep(5000);
    loop_turn(f->l, 20);
    loop_turn(f->l, 20);
    assert_string_equal(f->order, "a");
    loop_timer_cancel(f->l, &b.t); /* not armed: nothing happens */
}

static void a_timer_that_sets_itself_lets_other_work_happen(void **state) {
    struct fixture *f = *state;
    struct named_timer a = {.t = {.fire = named_fire}, .f = f, .name = 'a', .again = 1000};
    loop_timer_set(f->l, &a.t, 0);
    loop_turn(f->l, 0);
    assert_string_equal(f->order, "a");
    loop_timer_cancel(f->l, &a.t);
}

static void count_fire(struct loop_timer *t) {
    struct fixture *f = t->ctx;
    assert_true(t->due_ms <= loop_now_ms(f->l));
    f->count++;
}

static void many_timers_with_random_cancels_all_come_due(void **state) {
    struct fixture *f = *state;
    enum { N = 2000 };
    struct loop_timer *t = calloc(N, sizeof *t);
    assert_non_null(t);
    uint32_t seed = 3;
    for (size_t i = 0; i < N; i++) {
        t[i] = (struct loop_timer){.fire = count_fire, .ctx = f};
        loop_timer_set(f->l, &t[i], (seed = seed * 1664525u + 1013904223u) >> 27);
    }
    for (size_t i = 0; i < N; i += 3) loop_timer_cancel(f->l, &t[i]);
    for (size_t i = 1; i < N; i += 3) loop_timer_set(f->l, &t[i], (seed = seed * 1664525u + 1013904223u) >> 27);
    int want = N - (N + 2) / 3;
    for (int turns = 0; f->count < want && turns < 1000; turns++) loop_turn(f->l, 50);
    assert_int_equal(f->count, want);
    loop_turn(f->l, 0);
    assert_int_equal(f->count, want);
    free(t);
}

/* fds */

struct pipe_watch {
    struct loop_fd w;
    int write_fd;
    struct fixture *f;
    struct pipe_watch *deletes;
};

static void pipe_ready(struct loop_fd *w, uint32_t events) {
    struct pipe_watch *p = container_of(w, struct pipe_watch, w);
    assert_true((events & (uint32_t)EPOLLIN) != 0);
    p->f->count++;
    if (p->deletes != NULL) loop_fd_del(p->f->l, &p->deletes->w);
    char c;
    assert_int_equal(read(w->fd, &c, 1), 1);
}

static void pipe_open(struct pipe_watch *p, struct fixture *f) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    *p = (struct pipe_watch){.w = {.fd = fds[0], .events = EPOLLIN, .ready = pipe_ready}, .write_fd = fds[1], .f = f};
    loop_fd_add(f->l, &p->w);
    assert_int_equal(write(p->write_fd, "xx", 2), 2);
}

static void pipe_close(struct pipe_watch *p) {
    loop_fd_del(p->f->l, &p->w);
    close(p->w.fd);
    close(p->write_fd);
}

static void fds_are_level_triggered(void **state) {
    struct fixture *f = *state;
    struct pipe_watch p;
    pipe_open(&p, f);
    loop_turn(f->l, 0);
    loop_turn(f->l, 0);
    loop_turn(f->l, 0);
    assert_int_equal(f->count, 2);
    pipe_close(&p);
}

static void a_watch_deleted_by_another_is_not_called_in_that_turn(void **state) {
    struct fixture *f = *state;
    struct pipe_watch a, b;
    pipe_open(&a, f);
    pipe_open(&b, f);
    a.deletes = &b;
    b.deletes = &a;
    loop_turn(f->l, 0);
    assert_int_equal(f->count, 1);
    pipe_close(&a);
    pipe_close(&b);
}

static void delete_from_timer(struct loop_timer *t) {
    struct pipe_watch *p = t->ctx;
    loop_fd_del(p->f->l, &p->w);
}

static void a_watch_deleted_by_a_timer_is_not_called_in_that_turn(void **state) {
    struct fixture *f = *state;
    struct pipe_watch p;
    pipe_open(&p, f);
    struct loop_timer t = {.fire = delete_from_timer, .ctx = &p};
    loop_timer_set(f->l, &t, 0);
    loop_turn(f->l, 0);
    assert_int_equal(f->count, 0);
    pipe_close(&p);
}

static void a_masked_watch_is_quiet(void **state) {
    struct fixture *f = *state;
    struct pipe_watch p;
    pipe_open(&p, f);
    loop_fd_mod(f->l, &p.w, 0);
    loop_turn(f->l, 0);
    assert_int_equal(f->count, 0);
    loop_fd_mod(f->l, &p.w, EPOLLIN);
    loop_turn(f->l, 0);
    assert_int_equal(f->count, 1);
    pipe_close(&p);
}

/* wake-ups and signals */

static void on_woken(struct loop_wake *w) {
    struct fixture *f = w->ctx;
    f->count++;
}

static void *wake_from_thread(void *arg) {
    struct loop_wake *w = arg;
    for (int i = 0; i < 100; i++) loop_wake(w);
    return NULL;
}

static void wakes_from_another_thread_run_the_callback_once(void **state) {
    struct fixture *f = *state;
    struct loop_wake w = {.woken = on_woken, .ctx = f};
    loop_wake_add(f->l, &w);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_from_thread, &w), 0);
    pthread_join(thread, NULL);
    loop_turn(f->l, 1000);
    assert_int_equal(f->count, 1);
    loop_turn(f->l, 0);
    assert_int_equal(f->count, 1);
    loop_wake(&w);
    loop_turn(f->l, 1000);
    assert_int_equal(f->count, 2);
    loop_wake_del(f->l, &w);
}

static void on_signal(void *ctx, int sig) {
    struct fixture *f = ctx;
    f->order[f->order_n++] = sig == SIGTERM ? 't' : sig == SIGHUP ? 'h' : '?';
    if (sig == SIGTERM) loop_stop(f->l);
}

static void signals_arrive_on_the_loop_and_stop_ends_it(void **state) {
    struct fixture *f = *state;
    loop_signal(f->l, SIGHUP, on_signal, f);
    loop_signal(f->l, SIGTERM, on_signal, f);
    kill(getpid(), SIGHUP);
    loop_turn(f->l, 1000);
    kill(getpid(), SIGTERM);
    loop_run(f->l);
    assert_string_equal(f->order, "ht");
    assert_false(loop_turn(f->l, 0));
}

/* afters and jobs */

struct named_after {
    struct loop_after a;
    struct fixture *f;
    char name;
    struct named_after *adds;
};

static void named_run(struct loop_after *a) {
    struct named_after *n = container_of(a, struct named_after, a);
    n->f->order[n->f->order_n++] = n->name;
    if (n->adds != NULL) loop_after_add(n->f->l, &n->adds->a);
}

static void afters_run_once_in_order_and_those_they_add_too(void **state) {
    struct fixture *f = *state;
    struct named_after c = {{.run = named_run}, f, 'c', NULL}, b = {{.run = named_run}, f, 'b', NULL}, a = {{.run = named_run}, f, 'a', &c},
                       gone = {{.run = named_run}, f, 'x', NULL};
    loop_after_add(f->l, &a.a);
    loop_after_add(f->l, &gone.a);
    loop_after_add(f->l, &b.a);
    loop_after_add(f->l, &a.a);
    loop_after_del(f->l, &gone.a);
    loop_turn(f->l, 5000); /* does not wait: there is work */
    loop_turn(f->l, 0);
    assert_string_equal(f->order, "abc");
}

struct named_job {
    struct loop_job j;
    struct fixture *f;
    char name;
    int slices;
};

static bool job_run(struct loop_job *j, uint64_t budget_us) {
    struct named_job *n = container_of(j, struct named_job, j);
    assert_int_equal(budget_us, JOB_SLICE_US);
    n->f->order[n->f->order_n++] = n->name;
    return --n->slices > 0;
}

static void jobs_take_turns(void **state) {
    struct fixture *f = *state;
    struct named_job a = {{.run = job_run}, f, 'a', 3}, b = {{.run = job_run}, f, 'b', 2};
    loop_job_add(f->l, &a.j);
    loop_job_add(f->l, &b.j);
    loop_job_add(f->l, &a.j);
    for (int i = 0; i < 8; i++) loop_turn(f->l, 0);
    assert_string_equal(f->order, "ababa");
    loop_job_add(f->l, &a.j);
    loop_job_del(f->l, &a.j);
    loop_turn(f->l, 0);
    assert_string_equal(f->order, "ababa");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_fire_in_order_of_their_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_timer_does_not_fire_even_in_the_same_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_that_sets_itself_lets_other_work_happen, setup, teardown),
        cmocka_unit_test_setup_teardown(many_timers_with_random_cancels_all_come_due, setup, teardown),
        cmocka_unit_test_setup_teardown(fds_are_level_triggered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_watch_deleted_by_another_is_not_called_in_that_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_watch_deleted_by_a_timer_is_not_called_in_that_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_masked_watch_is_quiet, setup, teardown),
        cmocka_unit_test_setup_teardown(wakes_from_another_thread_run_the_callback_once, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_arrive_on_the_loop_and_stop_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(afters_run_once_in_order_and_those_they_add_too, setup, teardown),
        cmocka_unit_test_setup_teardown(jobs_take_turns, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
