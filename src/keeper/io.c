/* SPDX-License-Identifier: Apache-2.0
 * io: a few threads that may wait for a disk, so that the loop never does.
 * Role: stage files, seals, removals, slow reads.
 * Trusts: its jobs. Distrusts: nothing.
 * Spec: src/keeper/keeper.h
 */
#include "keeper/keeper.h"

static void *io_thread(void *arg) {
    struct io_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (list_empty(&p->queue) && !p->stop) pthread_cond_wait(&p->more, &p->lock);
        if (list_empty(&p->queue)) break;
        struct io_job *j = container_of(p->queue.next, struct io_job, node);
        list_del(&j->node);
        pthread_mutex_unlock(&p->lock);
        j->work(j);
        pthread_mutex_lock(&p->lock);
        bool first = list_empty(&p->finished);
        list_add_tail(&p->finished, &j->node);
        if (first) loop_wake(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void io_woken(struct loop_wake *w) {
    struct io_pool *p = w->ctx;
    struct list all;
    list_init(&all);
    pthread_mutex_lock(&p->lock);
    while (!list_empty(&p->finished)) {
        struct list *n = p->finished.next;
        list_del(n);
        list_add_tail(&all, n);
    }
    pthread_mutex_unlock(&p->lock);
    while (!list_empty(&all)) {
        struct io_job *j = container_of(all.next, struct io_job, node);
        list_del(&j->node);
        j->done(j);
    }
}

void io_start(struct io_pool *p, struct loop *l) {
    *p = (struct io_pool){.loop = l, .wake = {.woken = io_woken, .ctx = p}};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    list_init(&p->queue);
    list_init(&p->finished);
    loop_wake_add(l, &p->wake);
    for (int i = 0; i < KEEPER_IO_THREADS; i++) ASSERT(pthread_create(&p->threads[i], NULL, io_thread, p) == 0);
}

void io_stop(struct io_pool *p) {
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < KEEPER_IO_THREADS; i++) pthread_join(p->threads[i], NULL);
    io_woken(&p->wake);
    loop_wake_del(p->loop, &p->wake);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->more);
}

void io_add(struct io_pool *p, struct io_job *j) {
    pthread_mutex_lock(&p->lock);
    list_add_tail(&p->queue, &j->node);
    pthread_cond_signal(&p->more);
    pthread_mutex_unlock(&p->lock);
}
