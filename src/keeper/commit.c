/* SPDX-License-Identifier: Apache-2.0
 * commit: one thread that turns queued APPLYs into one synced batch after another.
 * Role: conn_gate -> here (apply) -> store -> conn_gate answers SETTLED.
 * Trusts: the order of its queue, which is the gate's order, which is the log's (rule 1).
 * Distrusts: the engine: a failed write has an unknown outcome until the engine is opened again and the apply number read back.
 * Law: 1, 2
 * Spec: docs/spec/entry.md section 3; DESIGN rules 1, 2, 6, 7, 11, 12
 */
#include "keeper/keeper.h"

#include <stdlib.h>
#include <time.h>

static struct slice number_key(void) { return SLICE_LIT("Napply"); }

static void commit_item_free(struct commit_item *item) {
    free(item->claims);
    free(item);
}

/* start ---------------------------------------------------------------------------------------------------------------- */

static struct commit_log *log_of(struct commit *c, struct slice id) {
    struct commit_log *l = map_get(c->logs, id);
    if (l != NULL) return l;
    l = calloc(1, sizeof *l);
    ASSERT(l != NULL);
    enum err e = map_put(c->logs, id, l);
    ASSERT(e == ERR_OK); /* KEEPER_LOGS_MAX covers TENANTS_MAX twice */
    return l;
}

static enum err load_watermark(struct commit_log *l, struct slice value) {
    if (value.n != 8) return ERR_CORRUPT;
    l->watermark = get_be64(value.p);
    return ERR_OK;
}

static enum err load_usage(struct commit_log *l, struct slice value) { return usage_parse(value, &l->usage); }

/* W and Q rows: one of each log */
static enum err load_logs(struct commit *c, struct slice from, struct slice to, enum err (*load)(struct commit_log *l, struct slice value)) {
    struct store *s = c->k->store;
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, to);
    enum err e = ERR_OK;
    for (store_iter_seek(s, it, from); e == ERR_OK && store_iter_valid(s, it); store_iter_next(s, it)) {
        struct slice key = store_iter_key(s, it);
        e = key.n == 1 + ID_BYTES ? load(log_of(c, slice_of(key.p + 1, ID_BYTES)), store_iter_value(s, it)) : ERR_CORRUPT;
    }
    if (e == ERR_OK) e = store_iter_status(s, it);
    store_iter_close(s, it);
    return e;
}

/* Bytes whose release was synced and whose removal a crash cut short; and how many refusal rows there are. */
static enum err load_lists(struct commit *c) {
    struct store *s = c->k->store;
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, SLICE_LIT("Y"));
    for (store_iter_seek(s, it, SLICE_LIT("X")); store_iter_valid(s, it); store_iter_next(s, it)) {
        struct slice key = store_iter_key(s, it);
        struct slice location = slice_of(key.p + 1, key.n - 1);
        struct location l;
        buf_put_lp16(&c->release, location);
        /* A pack that is about to be removed keeps its number: a new one of that name would go with it. */
        if (location_parse(location, &l) == ERR_OK && l.engine == LOCATION_PACK) store_packs_resume(c->k->packs, l.pack, PACK_BYTES);
    }
    enum err e = store_iter_status(s, it);
    store_iter_close(s, it);
    TRY(e);
    it = store_iter_open(s, NULL, STORE_ROWS, SLICE_LIT("S"));
    for (store_iter_seek(s, it, SLICE_LIT("R")); store_iter_valid(s, it); store_iter_next(s, it)) c->refusals++;
    e = store_iter_status(s, it);
    store_iter_close(s, it);
    return e;
}

static enum err load_packs(struct commit *c) {
    struct store *s = c->k->store;
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, SLICE_LIT("Q"));
    for (store_iter_seek(s, it, SLICE_LIT("P")); store_iter_valid(s, it); store_iter_next(s, it)) {
        struct slice key = store_iter_key(s, it);
        struct slice value = store_iter_value(s, it);
        if (key.n == 5 && value.n == 16) store_packs_resume(c->k->packs, get_be32(key.p + 1), get_be64(value.p + 8));
    }
    enum err e = store_iter_status(s, it);
    store_iter_close(s, it);
    return e;
}

static enum err read_number(struct commit *c, uint64_t *out) {
    struct store_pin pin;
    *out = 0;
    enum err e = store_get(c->k->store, STORE_ROWS, number_key(), &pin);
    if (e == ERR_MISSING) return ERR_OK;
    TRY(e);
    e = pin.value.n == 8 ? ERR_OK : ERR_CORRUPT;
    if (e == ERR_OK) *out = get_be64(pin.value.p);
    store_unpin(c->k->store, &pin);
    return e;
}

enum err commit_load(struct commit *c) {
    TRY(store_flush(c->k->store)); /* rule 6 */
    TRY(read_number(c, &c->apply_number));
    TRY(load_logs(c, SLICE_LIT("W"), SLICE_LIT("X"), load_watermark));
    TRY(load_logs(c, SLICE_LIT("Q"), SLICE_LIT("R"), load_usage));
    TRY(load_packs(c));
    return load_lists(c);
}

/* release: after the sync, on an I/O thread; what is done is forgotten with a later batch -------------------------------- */

struct release_job {
    struct io_job io;
    struct commit *c;
    struct buf locations;
};

static void release_work(struct io_job *j) {
    struct release_job *r = j->ctx;
    release_bytes(r->c->k, buf_slice(&r->locations));
}

static void release_done(struct io_job *j) {
    struct release_job *r = j->ctx;
    pthread_mutex_lock(&r->c->lock);
    buf_put_slice(&r->c->freed, buf_slice(&r->locations));
    pthread_mutex_unlock(&r->c->lock);
    buf_done(&r->locations);
    free(r);
}

static void release_start(struct commit *c) {
    if (c->release.n == 0) return;
    struct release_job *r = calloc(1, sizeof *r);
    ASSERT(r != NULL);
    r->c = c;
    r->locations = c->release;
    c->release = BUF_INIT(c->release.max);
    r->io = (struct io_job){.work = release_work, .done = release_done, .ctx = r};
    list_init(&r->io.node);
    io_add(&c->k->io, &r->io);
}

static void put_freed(struct commit *c, struct slice freed) {
    struct reader r = reader_of(freed);
    while (reader_left(&r) > 0) {
        struct row_key key;
        row_begin(&key, ROW_RELEASED);
        row_put(&key, reader_lp16(&r, LOCATION_BYTES_MAX));
        store_batch_del(c->batch, STORE_ROWS, row_slice(&key));
    }
}

/* one batch -------------------------------------------------------------------------------------------------------------- */

static enum err put_mark(struct commit *c, const struct commit_item *item) {
    if (c->refusals == 0) return ERR_OK;
    struct store *s = c->k->store;
    struct row_key from;
    struct row_key to;
    row_begin(&from, ROW_REFUSED);
    row_put(&from, slice_of(item->log, ID_BYTES));
    to = from;
    row_put_u64(&to, item->index);
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, row_slice(&to));
    for (store_iter_seek(s, it, row_slice(&from)); store_iter_valid(s, it); store_iter_next(s, it)) {
        store_batch_del(c->batch, STORE_ROWS, store_iter_key(s, it));
        if (c->refusals > 0) c->refusals--;
    }
    enum err e = store_iter_status(s, it);
    store_iter_close(s, it);
    return e;
}

static enum err build(struct commit *c, struct list *items, struct slice freed) {
    store_batch_reset(c->batch);
    buf_reset(&c->release);
    buf_reset(&c->walked);
    c->pack_failed = false;
    c->alone = items->next == items->prev;
    struct list *n;
    for (n = items->next; n != items; n = n->next) {
        struct commit_item *item = container_of(n, struct commit_item, node);
        panic_context("apply", item->wire_id, item->index);
        if (item->kind == ITEM_MARK) TRY(put_mark(c, item));
        else TRY(apply_item(c, item));
    }
    if (store_batch_count(c->batch) == 0 && freed.n == 0) return ERR_OK;
    put_freed(c, freed);
    uint8_t number[8];
    put_be64(number, c->apply_number + 1);
    store_batch_put(c->batch, STORE_ROWS, number_key(), slice_of(number, 8));
    if (store_packs_sync(c->k->packs) != ERR_OK) { /* layout c: the bytes first, then the rows that name them */
        c->pack_failed = true;
        return ERR_IO;
    }
    return ERR_OK;
}

static bool stopping(struct commit *c) {
    pthread_mutex_lock(&c->lock);
    bool stop = c->stop;
    pthread_mutex_unlock(&c->lock);
    return stop;
}

static void pause_ms(unsigned ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

/* The loop lets go of its iterators and stops asking the engine, then the engine is closed and opened until it works. */
static bool reopen(struct commit *c) {
    pthread_mutex_lock(&c->lock);
    c->down_wanted = true;
    c->down_acked = false;
    loop_wake(&c->wake);
    while (!c->down_acked && !c->stop) pthread_cond_wait(&c->more, &c->lock);
    bool stop = c->stop;
    pthread_mutex_unlock(&c->lock);
    char message[512];
    while (!stop) {
        enum err e = store_reopen(c->k->store, message, sizeof message);
        if (e == ERR_OK) e = store_flush(c->k->store);
        if (e == ERR_OK) break;
        log_line(LOG_ERROR, "reopen_failed", "err=%s", err_name(e));
        if (e == ERR_FULL) space_give_ballast(c->k);
        pause_ms(KEEPER_REOPEN_MS);
        stop = stopping(c);
    }
    return !stop;
}

static void reopened(struct commit *c) {
    pthread_mutex_lock(&c->lock);
    c->down_wanted = false;
    loop_wake(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

/* Until the batch is synced, whatever fails; false only when the process stops. Order is never given up: nothing behind this
 * batch is looked at before it is settled. */
static bool settle(struct commit *c, struct list *items, struct slice freed) {
    bool built = false;
    for (;;) {
        enum err e = built ? ERR_OK : build(c, items, freed);
        if (e == ERR_OK && store_batch_count(c->batch) == 0) return true;
        if (e != ERR_OK && c->pack_failed) {
            /* Nothing in the index names these bytes yet: they are written again, into another pack. */
            log_line(LOG_ERROR, "pack_failed", "err=%s", err_name(e));
            if (e == ERR_FULL) space_give_ballast(c->k);
            store_packs_roll(c->k->packs);
            if (stopping(c)) return false;
            pause_ms(KEEPER_REOPEN_MS);
            continue;
        }
        if (e == ERR_OK) {
            built = true;
            if (BREAK("keeper-purge-before-sync")) release_bytes(c->k, buf_slice(&c->release));
            e = store_write(c->k->store, c->batch);
        }
        if (e == ERR_OK) break;
        log_line(LOG_ERROR, "batch_failed", "err=%s apply_number=%llu", err_name(e), (unsigned long long)c->apply_number + 1);
        if (e == ERR_FULL) space_give_ballast(c->k);
        uint64_t number = 0;
        do {
            if (!reopen(c)) return false;
            e = read_number(c, &number);
        } while (e != ERR_OK);
        reopened(c);
        ASSERT(number == c->apply_number || number == c->apply_number + 1);
        if (built && number == c->apply_number + 1) break; /* failed, but persisted */
    }
    c->apply_number++;
    return true;
}

static void publish(struct commit *c, struct list *items) {
    release_start(c); /* rule 12: only now */
    pthread_mutex_lock(&c->lock);
    while (!list_empty(items)) {
        struct commit_item *item = container_of(items->next, struct commit_item, node);
        list_del(&item->node);
        if (item->kind == ITEM_APPLY) {
            struct commit_log *l = log_of(c, slice_of(item->log, ID_BYTES));
            l->watermark = MAX(l->watermark, item->index + 1);
            l->usage = item->usage;
        }
        list_add_tail(&c->done, &item->node);
    }
    c->busy = false;
    loop_wake(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

static size_t item_bytes(const struct commit_item *item) {
    size_t n = item->command.n;
    for (size_t i = 0; i < item->claim_count; i++)
        if (item->claims[i] != NULL) n += item->claims[i]->mem.n;
    return n;
}

static void *commit_thread(void *arg) {
    struct commit *c = arg;
    struct list items;
    list_init(&items);
    struct buf freed = BUF_INIT(SIZE_MAX / 2);
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (list_empty(&c->queue) && !c->stop) pthread_cond_wait(&c->more, &c->lock);
        if (c->stop) break;
        size_t count = 0;
        size_t bytes = 0;
        while (!list_empty(&c->queue) && count < KEEPER_BATCH_ITEMS_MAX && bytes < KEEPER_BATCH_BYTES_MAX) {
            struct commit_item *item = container_of(c->queue.next, struct commit_item, node);
            list_del(&item->node);
            list_add_tail(&items, &item->node);
            c->queued--;
            count++;
            bytes += item_bytes(item);
        }
        c->busy = true;
        buf_reset(&freed);
        buf_put_slice(&freed, buf_slice(&c->freed));
        buf_reset(&c->freed);
        pthread_mutex_unlock(&c->lock);
        bool settled = settle(c, &items, buf_slice(&freed));
        if (settled) publish(c, &items);
        pthread_mutex_lock(&c->lock);
        if (!settled) break; /* the process stops with the batch's outcome unknown: the gate sends it again */
    }
    c->busy = false;
    pthread_mutex_unlock(&c->lock);
    while (!list_empty(&items)) {
        struct commit_item *item = container_of(items.next, struct commit_item, node);
        list_del(&item->node);
        commit_item_free(item);
    }
    buf_done(&freed);
    return NULL;
}

/* the loop's side -------------------------------------------------------------------------------------------------------- */

static void commit_woken(struct loop_wake *w) {
    struct commit *c = w->ctx;
    struct keeper *k = c->k;
    struct list done;
    list_init(&done);
    pthread_mutex_lock(&c->lock);
    while (!list_empty(&c->done)) {
        struct list *n = c->done.next;
        list_del(n);
        list_add_tail(&done, n);
    }
    bool down = c->down_wanted;
    bool ack = down && !c->down_acked;
    pthread_mutex_unlock(&c->lock);
    if (ack) scan_abort_all(k, true);
    k->down = down;
    if (ack) {
        pthread_mutex_lock(&c->lock);
        c->down_acked = true;
        pthread_cond_broadcast(&c->more);
        pthread_mutex_unlock(&c->lock);
    }
    while (!list_empty(&done)) {
        struct commit_item *item = container_of(done.next, struct commit_item, node);
        list_del(&item->node);
        for (size_t i = 0; i < item->claim_count; i++) {
            if (item->claims[i] == NULL) continue;
            if (item->outcome == WIRE_SETTLED_DONE) stage_adopted(item->claims[i]);
            else stage_unclaim(item->claims[i]);
        }
        if (item->kind == ITEM_APPLY) conn_gate_settled(k, item);
        commit_item_free(item);
    }
    conn_gate_ready(k);
}

void commit_start(struct commit *c, struct keeper *k) {
    *c = (struct commit){.k = k, .wake = {.woken = commit_woken, .ctx = c}};
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->more, NULL);
    list_init(&c->queue);
    list_init(&c->done);
    c->logs = map_new(KEEPER_LOGS_MAX);
    c->batch = store_batch_new();
    c->freed = BUF_INIT(SIZE_MAX / 2);
    c->release = BUF_INIT(SIZE_MAX / 2);
    c->scratch = BUF_INIT(COMMAND_BYTES_MAX * 2);
    c->scratch2 = BUF_INIT(COMMAND_BYTES_MAX * 2);
    c->places = BUF_INIT(ENTRY_BLOB_ROWS_MAX * (2 + LOCATION_BYTES_MAX));
    c->walked = BUF_INIT(SIZE_MAX / 2);
    loop_wake_add(k->loop, &c->wake);
}

static void free_list(struct list *l) {
    while (!list_empty(l)) {
        struct commit_item *item = container_of(l->next, struct commit_item, node);
        list_del(&item->node);
        commit_item_free(item);
    }
}

void commit_stop(struct commit *c) {
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->more);
    pthread_mutex_unlock(&c->lock);
    if (c->started) pthread_join(c->thread, NULL);
    loop_wake_del(c->k->loop, &c->wake);
}

void commit_done(struct commit *c) {
    free_list(&c->queue);
    free_list(&c->done);
    size_t cursor = 0;
    for (void *l; (l = map_next(c->logs, &cursor, NULL)) != NULL;) free(l);
    map_free(c->logs);
    store_batch_free(c->batch);
    buf_done(&c->freed);
    buf_done(&c->release);
    buf_done(&c->scratch);
    buf_done(&c->scratch2);
    buf_done(&c->places);
    buf_done(&c->walked);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->more);
}

void commit_add(struct commit *c, struct commit_item *item) {
    pthread_mutex_lock(&c->lock);
    list_add_tail(&c->queue, &item->node);
    c->queued++;
    pthread_mutex_unlock(&c->lock);
    loop_after_add(c->k->loop, &c->k->kick);
}

void commit_kick(struct commit *c) {
    pthread_mutex_lock(&c->lock);
    if (!c->started && c->k->store != NULL) {
        release_start(c); /* what a crash cut short */
        c->started = true;
        ASSERT(pthread_create(&c->thread, NULL, commit_thread, c) == 0);
    }
    if (!list_empty(&c->queue)) pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
}

void commit_forget_queued(struct commit *c) {
    struct list all;
    list_init(&all);
    pthread_mutex_lock(&c->lock);
    while (!list_empty(&c->queue)) {
        struct list *n = c->queue.next;
        list_del(n);
        list_add_tail(&all, n);
    }
    c->queued = 0;
    pthread_mutex_unlock(&c->lock);
    for (struct list *n = all.next; n != &all; n = n->next) {
        struct commit_item *item = container_of(n, struct commit_item, node);
        for (size_t i = 0; i < item->claim_count; i++)
            if (item->claims[i] != NULL) stage_unclaim(item->claims[i]);
    }
    free_list(&all);
}

bool commit_idle(struct commit *c) {
    pthread_mutex_lock(&c->lock);
    bool idle = !c->busy && list_empty(&c->queue) && list_empty(&c->done);
    pthread_mutex_unlock(&c->lock);
    return idle;
}

size_t commit_queued(struct commit *c) {
    pthread_mutex_lock(&c->lock);
    size_t n = c->queued;
    pthread_mutex_unlock(&c->lock);
    return n;
}
