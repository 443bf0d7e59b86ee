/* SPDX-License-Identifier: Apache-2.0
 * All leaves of a log, in order: reading, unsealing and checking on a thread of its own, ahead of whoever folds them.
 * Role: a start's way through control logs and the provider's. Trusts: nothing in the files but what opens beside its leaf. Distrusts: the files.
 * Law: 1. Spec: docs/spec/log.md; manual: gate/logbook.h
 *
 * Threads: R (the reader) owns the batch that it fills, the caller the one that it reads; `filled` and `taken` say whose each is, under `lock`.
 */
#include "gate/logbook/internal.h"

#include <signal.h>
#include <stdlib.h>

#define WALK_BATCHES 4
#define WALK_ITEMS 256                             /* of a batch, or as many as fill WALK_BYTES */
#define WALK_BYTES (256 * 1024)
#define WALK_THREAD_MIN 2048                       /* fewer leaves are not worth a thread */

struct walk_batch {
    struct buf bytes;                              /* leaf | opening of each */
    size_t leaf_n[WALK_ITEMS], opening_n[WALK_ITEMS], count;
    enum err end;                                  /* what came behind these */
};
struct walk {
    struct gate_log *log;
    log_check check;
    struct flat_walk flat;
    struct ledger_hash hash;
    struct keys_ctx *keys;
    uint64_t next, to;                             /* R: which leaves */
    struct walk_batch batch[WALK_BATCHES];
    pthread_mutex_t lock;
    pthread_cond_t moved;
    size_t filled, taken;                          /* ever */
    bool stop;
};

static enum err walk_read(struct walk *w, struct walk_batch *b) {
    struct slice leaf, sealed;
    size_t at = b->bytes.n;
    TRY(logbook_flat_walk_item(&w->flat, w->next, &leaf, &sealed));
    buf_put_slice(&b->bytes, leaf);
    if (sealed.n > 0) TRY(logbook_open_beside(&w->hash, w->keys, &w->log->opening_key, w->next, leaf, sealed, &b->bytes));
    if (!buf_ok(&b->bytes)) return ERR_NOMEM;
    b->leaf_n[b->count] = leaf.n;
    b->opening_n[b->count] = b->bytes.n - at - leaf.n;
    if (w->check != NULL) TRY(w->check(&w->hash, slice_of(b->bytes.p + at, leaf.n), slice_of(b->bytes.p + at + leaf.n, b->opening_n[b->count])));
    b->count++;
    w->next++;
    return ERR_OK;
}

static void walk_fill(struct walk *w, struct walk_batch *b) {
    buf_reset(&b->bytes);
    b->count = 0;
    b->end = ERR_OK;
    while (b->end == ERR_OK && w->next < w->to && b->count < WALK_ITEMS && b->bytes.n < WALK_BYTES) b->end = walk_read(w, b);
}

static void *walk_reader(void *ctx) {
    struct walk *w = ctx;
    for (bool more = true; more;) {
        pthread_mutex_lock(&w->lock);
        while (!w->stop && w->filled - w->taken == WALK_BATCHES) pthread_cond_wait(&w->moved, &w->lock);
        bool stop = w->stop;
        pthread_mutex_unlock(&w->lock);
        if (stop) break;
        struct walk_batch *b = &w->batch[w->filled % WALK_BATCHES];
        walk_fill(w, b);
        more = b->end == ERR_OK && w->next < w->to;
        pthread_mutex_lock(&w->lock);
        w->filled++;
        pthread_cond_broadcast(&w->moved);
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

static enum err batch_each(const struct walk_batch *b, uint64_t *index, log_each each, void *ctx) {
    size_t at = 0;
    for (size_t i = 0; i < b->count; i++) {
        struct slice leaf = slice_of(b->bytes.p + at, b->leaf_n[i]), opening = slice_of(b->bytes.p + at + leaf.n, b->opening_n[i]);
        TRY(each(ctx, (*index)++, leaf, opening));
        at += leaf.n + opening.n;
    }
    return b->end;
}

static enum err walk_threaded(struct walk *w, log_each each, void *ctx) {
    pthread_t reader;
    sigset_t all, before;
    enum err e = ERR_OK;
    sigfillset(&all);                              /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&reader, NULL, walk_reader, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) return ERR_NOMEM;
    for (uint64_t index = 0; e == ERR_OK && index < w->to;) {
        pthread_mutex_lock(&w->lock);
        while (w->filled == w->taken) pthread_cond_wait(&w->moved, &w->lock);
        pthread_mutex_unlock(&w->lock);
        e = batch_each(&w->batch[w->taken % WALK_BATCHES], &index, each, ctx);
        pthread_mutex_lock(&w->lock);
        w->taken++;
        w->stop = e != ERR_OK;
        pthread_cond_broadcast(&w->moved);
        pthread_mutex_unlock(&w->lock);
    }
    pthread_join(reader, NULL);
    return e;
}

static enum err walk_here(struct walk *w, log_each each, void *ctx) {
    uint64_t index = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && index < w->to) {
        walk_fill(w, &w->batch[0]);
        e = batch_each(&w->batch[0], &index, each, ctx);
    }
    return e;
}

static enum err walk_flat(struct walk *w, log_each each, void *ctx) {
    enum err e = logbook_flat_walk_begin(w->log->lb, w->log, &w->flat);
    w->keys = keys_ctx_new();
    if (e == ERR_OK) e = w->keys == NULL ? ERR_CRYPTO : ledger_hash_init(&w->hash);
    if (e == ERR_MISSING) e = ERR_CORRUPT;
    for (size_t i = 0; i < WALK_BATCHES; i++) w->batch[i].bytes = BUF_INIT(WALK_BYTES + LEAF_BYTES_MAX + OPENING_BYTES_MAX);
    if (e == ERR_OK) e = w->to < WALK_THREAD_MIN ? walk_here(w, each, ctx) : walk_threaded(w, each, ctx);
    for (size_t i = 0; i < WALK_BATCHES; i++) buf_wipe_done(&w->batch[i].bytes);
    logbook_flat_walk_end(&w->flat);
    keys_ctx_free(w->keys);
    ledger_hash_done(&w->hash);
    return e;
}

/* What the flusher has not written yet. */
static enum err walk_tail(struct gate_log *l, uint64_t from, uint64_t to, log_check check, log_each each, void *ctx) {
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    for (uint64_t i = from; i < to; i++) {
        buf_reset(&leaf);
        buf_reset(&opening);
        TRY(log_read(l, i, &leaf, &opening));
        if (check != NULL) TRY(check(&l->lb->hash, buf_slice(&leaf), buf_slice(&opening)));
        TRY(each(ctx, i, buf_slice(&leaf), buf_slice(&opening)));
    }
    return ERR_OK;
}

enum err log_walk(struct gate_log *l, log_check check, log_each each, void *ctx) {
    uint64_t n = atomic_load(&l->durable), flat = MIN(n, atomic_load(&l->published));
    if (flat > 0) {
        struct walk *w = calloc(1, sizeof *w);
        if (w == NULL) return ERR_NOMEM;
        w->log = l;
        w->check = check;
        w->to = flat;
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->moved, NULL);
        enum err e = walk_flat(w, each, ctx);
        pthread_cond_destroy(&w->moved);
        pthread_mutex_destroy(&w->lock);
        free(w);
        TRY(e);
    }
    return walk_tail(l, flat, n, check, each, ctx);
}
