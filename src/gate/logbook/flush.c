/* SPDX-License-Identifier: Apache-2.0
 * The flusher: durable records go to the flat files; WAL files are made ahead of need and taken back when nothing needs them; the
 * trees are recomputed once after a start.
 * Role: its own thread, never in anybody's way: what it does late costs memory and WAL files, not answers.
 * Trusts: batches that the committer made durable.
 * Law: 1 (publishes only what is durable). Spec: docs/spec/log.md "Flat files", docs/spec/wal.md sections 5, 6
 *
 * Published and flushed. A record is *published* when it is written to the flat files: it is durable in the WAL already, so the front may
 * serve it from the page cache. It is *flushed* when the files are synced, which is done only when a WAL file is full and wants to go: with
 * a thousand logs that is five thousand syncs for 16 MiB of records instead of for each 200 ms.
 */
#include "gate/logbook/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* WAL files -------------------------------------------------------------------------------------------------------------- */

void logbook_file_free(struct wal_file *f) {
    if (f == NULL) return;
    if (f->fd >= 0) close(f->fd);
    free(f->slots);
    free(f);
}

/* Zeros that are really written: an extent that was only reserved costs a journal commit at its first write. */
enum err logbook_file_make(struct logbook *lb, const char *name, uint64_t bytes, int *fd) {
    static const uint8_t zeros[WAL_ZERO_BYTES];
    *fd = openat(lb->wal_dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0) return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
    enum err e = ERR_OK;
    for (uint64_t at = 0; at < bytes && e == ERR_OK; at += WAL_ZERO_BYTES) {
        e = logbook_io_write(lb->io, LOGBOOK_IO_MAKE, *fd, zeros, (size_t)MIN((uint64_t)WAL_ZERO_BYTES, bytes - at), at);
    }
    if (e == ERR_OK && lb->io->fdatasync(lb->io->ctx, LOGBOOK_IO_MAKE, *fd) != 0) e = ERR_IO;
    if (e == ERR_OK) return ERR_OK;
    close(*fd);
    *fd = -1;
    (void)unlinkat(lb->wal_dir, name, 0);
    return e;
}

static void spare_name(uint32_t number, char out[24]) { (void)snprintf(out, 24, "spare-%08u", number); }

static bool spare_make(struct logbook *lb) {
    int fd;
    char name[24];
    enum err e = logbook_file_make(lb, "new", lb->file_bytes, &fd);
    if (e == ERR_OK) close(fd);
    spare_name(lb->spare_number + 1, name);
    if (e == ERR_OK && lb->io->rename(lb->io->ctx, lb->wal_dir, "new", name) != 0) e = ERR_IO;
    atomic_store(&lb->disk_full, e != ERR_OK);
    if (e != ERR_OK) return false;
    lb->spare_number++;
    lb->spares++;
    return true;
}

/* The next file gets its name, durably, before it is needed. Spares are used newest first, so numbers stay dense. */
static bool next_prepare(struct logbook *lb) {
    if (lb->spares == 0 && !spare_make(lb)) return false;
    char from[24], to[24];
    spare_name(lb->spare_number, from);
    (void)snprintf(to, sizeof to, "%08u", lb->next_number);
    struct wal_file *f = calloc(1, sizeof *f);
    ASSERT(f != NULL);
    list_init(&f->node);
    f->number = lb->next_number;
    f->bytes = lb->file_bytes;
    f->fd = openat(lb->wal_dir, from, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool named = f->fd >= 0 && lb->io->rename(lb->io->ctx, lb->wal_dir, from, to) == 0 && lb->io->dirsync(lb->io->ctx, lb->wal_dir) == 0;
    if (!named) {
        logbook_file_free(f);
        return false;
    }
    lb->spares--;
    lb->spare_number--;
    lb->next_number++;
    pthread_mutex_lock(&lb->lock);
    lb->next = f;
    atomic_store(&lb->has_next, true);
    pthread_cond_signal(&lb->to_committer);
    pthread_mutex_unlock(&lb->lock);
    return true;
}

static bool file_needed(struct wal_file *f) {
    for (; f->checked < f->slot_count; f->checked++) {
        const struct wal_slot *s = &f->slots[f->checked];
        if (atomic_load(&s->log->flushed_durable) < s->end || atomic_load(&s->log->mark_durable) < s->mark_need) return true;
    }
    return false;
}

/* From the oldest on; the durable sizes in a synced row say that it may go. */
static void files_recycle(struct logbook *lb) {
    for (;;) {
        pthread_mutex_lock(&lb->lock);
        struct wal_file *f = list_empty(&lb->old_files) ? NULL : container_of(lb->old_files.next, struct wal_file, node);
        pthread_mutex_unlock(&lb->lock);
        if (f == NULL || file_needed(f)) return;
        pthread_mutex_lock(&lb->lock);
        list_del(&f->node);
        lb->old_count--;
        atomic_store(&lb->stat_files, lb->old_count + 1);
        pthread_mutex_unlock(&lb->lock);
        char from[24], to[24];
        (void)snprintf(from, sizeof from, "%08u", f->number);
        spare_name(lb->spare_number + 1, to);
        if (lb->spares < WAL_SPARE_FILES && f->bytes == lb->file_bytes) {
            if (lb->io->rename(lb->io->ctx, lb->wal_dir, from, to) == 0) {
                lb->spares++;
                lb->spare_number++;
            }
        } else {
            (void)unlinkat(lb->wal_dir, from, 0);
        }
        logbook_file_free(f);
    }
}

/* One step; true: everything is as it should be. */
static bool files_tend(struct logbook *lb) {
    files_recycle(lb);
    if (!atomic_load(&lb->has_next) && !next_prepare(lb)) return false;
    if (lb->spares < WAL_SPARE_FILES) (void)spare_make(lb);
    return lb->spares >= WAL_SPARE_FILES;
}

/* records ------------------------------------------------------------------------------------------------------------------ */

static void round_link(struct logbook *lb, struct batch *b) {
    for (size_t i = 0; i < b->record_count; i++) {
        struct batch_record *rec = &b->records[i];
        struct gate_log *l = rec->log;
        if (l->f_last == NULL) l->f_first = rec;
        else l->f_last->next = rec;
        l->f_last = rec;
        if (l->f_queued) continue;
        l->f_queued = true;
        l->f_next = lb->round_first;
        lb->round_first = l;
    }
    for (size_t i = 0; i < b->row_count; i++) {
        struct batch_row *row = &b->rows[i];
        if (!row->has_records) continue;
        row->log->f_size = row->size;
        memcpy(row->log->f_root, row->root, HASH_BYTES);
    }
    b->linked = true;
}

static void record_flushed(struct logbook *lb, struct batch_record *rec) {
    struct batch *b = rec->batch;
    ASSERT(b->unflushed > 0);
    if (--b->unflushed > 0) return;
    pthread_mutex_lock(&lb->lock);
    list_del(&b->node);
    lb->tail_bytes -= b->body.n;
    /* A large one was rare: its memory goes back. */
    if (b->body.cap > WAL_BATCH_BYTES_MAX / 4) buf_done(&b->body);
    list_add_tail(&lb->batch_pool, &b->node);
    pthread_mutex_unlock(&lb->lock);
}

/* One log's records, LOGBOOK_WRITE_BYTES at a time. On error what is not written stays linked. */
static enum err log_write(struct logbook *lb, struct gate_log *l) {
    while (l->f_first != NULL) {
        struct flat to = l->flat;
        struct batch_record *rec = l->f_first;
        for (uint64_t bytes = 0; rec != NULL && bytes < LOGBOOK_WRITE_BYTES; rec = rec->next) {
            ASSERT(rec->index == to.count);
            const uint8_t *body = rec->batch->body.p;
            TRY(logbook_flat_levels(lb, l, rec->index, (const uint8_t(*)[HASH_BYTES])&rec->batch->levels[rec->level_at], rec->level_count));
            struct flat_item item = {slice_of(body + rec->leaf_at, rec->leaf_n), slice_of(body + rec->opening_at, rec->opening_n), rec->hash};
            logbook_flat_gather(lb, l, &item, &to);
            bytes += item.leaf.n + item.opening.n;
        }
        TRY(logbook_flat_write(lb, l, &to));
        while (l->f_first != rec) {
            struct batch_record *done = l->f_first;
            l->f_first = done->next;
            record_flushed(lb, done);
        }
        if (l->f_first == NULL) l->f_last = NULL;
    }
    return ERR_OK;
}

void logbook_flat_unsynced(struct logbook *lb, struct gate_log *l) {
    if (l->f_unsynced) return;
    l->f_unsynced = true;
    l->sync_next = lb->unsynced_first;
    lb->unsynced_first = l;
}

static void log_publish(struct logbook *lb, struct gate_log *l) {
    ASSERT(l->flat.count == l->f_size && l->f_size <= atomic_load(&l->durable)); /* LAW-1, the pair of batch_done() */
    pthread_mutex_lock(&lb->lock);
    atomic_store(&l->published, l->f_size);
    memcpy(l->pub_root, l->f_root, HASH_BYTES);
    logbook_slot_dirty(lb, l);
    pthread_mutex_unlock(&lb->lock);
    logbook_flat_unsynced(lb, l);
}

/* false: something is left, because the disk did not take it. */
static bool round_run(struct logbook *lb) {
    pthread_mutex_lock(&lb->flat_lock);
    pthread_mutex_lock(&lb->lock);
    for (struct list *n = lb->batches.next; n != &lb->batches; n = n->next) {
        struct batch *b = container_of(n, struct batch, node);
        if (!b->linked) round_link(lb, b);
    }
    pthread_mutex_unlock(&lb->lock);
    struct gate_log *l = lb->round_first, *left = NULL;
    lb->round_first = NULL;
    for (struct gate_log *next; l != NULL; l = next) {
        next = l->f_next;
        if (log_write(lb, l) == ERR_OK) {
            l->f_queued = false;
            log_publish(lb, l);
        } else {
            l->f_next = left;
            left = l;
        }
    }
    lb->round_first = left;
    pthread_mutex_unlock(&lb->flat_lock);
    /* Both ways of meeting a full disk are over: files are there, and this was written. */
    if (left != NULL || lb->spares >= WAL_SPARE_FILES) atomic_store(&lb->disk_full, left != NULL);
    return left == NULL;
}

/* A slice of syncing: the logs that were unsynced when a WAL file was full, LOGBOOK_SYNC_MS at a time, because publishing and making WAL
 * files must not wait for thousands of syncs. true: there is more. A failed sync ends the process: the pages are called clean now, and
 * only the WAL at the next start has the bytes. */
static bool sync_slice(struct logbook *lb, uint64_t budget_ms) {
    uint64_t end = clock_mono_ms() + budget_ms;
    struct gate_log *done = NULL;
    pthread_mutex_lock(&lb->flat_lock);
    while (lb->sync_first != NULL && (done == NULL || clock_mono_ms() < end)) {
        struct gate_log *l = lb->sync_first;
        enum err e = logbook_flat_sync(lb, l);
        ASSERT(e == ERR_OK);
        lb->sync_first = l->sync_next;
        l->sync_next = done;
        l->sync_count = l->flat.count;
        done = l;
    }
    /* Directories that hold new logs' directories: once for all of the slice, before any of them counts as synced. */
    if (done != NULL && lb->parents_dirty) {
        bool synced = lb->io->dirsync(lb->io->ctx, lb->logs_dir) == 0 && lb->io->dirsync(lb->io->ctx, lb->openings_dir) == 0;
        ASSERT(synced);
        lb->parents_dirty = false;
    }
    bool any = done != NULL, more = lb->sync_first != NULL;
    pthread_mutex_lock(&lb->lock);
    for (struct gate_log *l = done, *next; l != NULL; l = next) {
        next = l->sync_next;
        l->f_unsynced = false;
        l->synced = l->sync_count;
        if (l->synced_queued) continue;
        l->synced_queued = true;
        l->synced_next = lb->synced_first;
        lb->synced_first = l;
    }
    if (any) {
        lb->kick = true;
        pthread_cond_signal(&lb->to_committer);
    }
    pthread_mutex_unlock(&lb->lock);
    pthread_mutex_unlock(&lb->flat_lock);
    if (any && !more) atomic_fetch_add(&lb->stat_flushed, 1);
    return more;
}

/* What is unsynced now is to be synced. */
static void sync_begin(struct logbook *lb) {
    pthread_mutex_lock(&lb->flat_lock);
    lb->sync_first = lb->unsynced_first;
    lb->unsynced_first = NULL;
    pthread_mutex_unlock(&lb->flat_lock);
}

/* recomputation ------------------------------------------------------------------------------------------------------------ */

static struct gate_log *check_next(struct logbook *lb, bool *all) {
    struct gate_log *found = NULL;
    *all = true;
    pthread_mutex_lock(&lb->lock);
    for (size_t i = 0; i < lb->log_count && found == NULL; i++) {
        size_t at = (lb->check_at + i) % lb->log_count;
        struct gate_log *l = lb->logs[at];
        if (l->check_done) continue;
        *all = false;
        if (!l->added) continue;
        found = l;
        lb->check_at = at;
    }
    pthread_mutex_unlock(&lb->lock);
    return found;
}

/* One step: LOGBOOK_CHECK_HASHES leaf hashes of one log. true: there is more to do. The head that the log was opened with must come out
 * of all its leaf hashes, not only of those that its frontier was read from. */
static bool check_step(struct logbook *lb) {
    if (atomic_load(&lb->stat_checked_ms) != 0) return false;
    bool all;
    struct gate_log *l = check_next(lb, &all);
    if (l == NULL) {
        if (all) atomic_store(&lb->stat_checked_ms, MAX(clock_mono_ms(), (uint64_t)1));
        return false;
    }
    uint8_t hashes[TILE_LEAVES * HASH_BYTES], root[HASH_BYTES];
    struct flat_reader_ctx ctx = {lb, l};
    bool readable = true;
    for (unsigned n = 0; n < LOGBOOK_CHECK_HASHES && lb->check.size < l->check_size && readable; n += TILE_LEAVES) {
        unsigned count = (unsigned)MIN((uint64_t)TILE_LEAVES, l->check_size - lb->check.size);
        readable = logbook_flat_hashes(&ctx, 0, lb->check.size, count, hashes) == ERR_OK;
        for (unsigned i = 0; i < count && readable; i++) {
            ledger_frontier_append(&lb->flush_hash, &lb->check, hashes + i * HASH_BYTES, NULL, NULL);
        }
    }
    if (readable && lb->check.size < l->check_size) return true;
    ledger_frontier_root(&lb->flush_hash, &lb->check, root);
    if (!readable || memcmp(root, l->check_root, HASH_BYTES) != 0) atomic_store(&l->corrupt, true);
    ledger_frontier_init(&lb->check);
    pthread_mutex_lock(&lb->lock);
    l->check_done = true;
    pthread_mutex_unlock(&lb->lock);
    return true;
}

/* the thread ----------------------------------------------------------------------------------------------------------------- */

/* Under the lock. */
static void flusher_wait(struct logbook *lb, uint64_t ms) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += (time_t)(ms / 1000);
    ts.tv_nsec += (long)(ms % 1000) * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&lb->to_flusher, &lb->lock, &ts);
}

/* Under the lock: is there a batch that no round has seen? The newest is the last one. */
static bool flusher_has_work(const struct logbook *lb) {
    return !list_empty(&lb->batches) && !container_of(lb->batches.prev, struct batch, node)->linked;
}

void logbook_flush_all(struct logbook *lb) {
    if (!round_run(lb)) return;
    while (sync_slice(lb, UINT32_MAX)) continue;
    sync_begin(lb);
    while (sync_slice(lb, UINT32_MAX)) continue;
}

/* Syncs follow a switch of WAL files, because only then something waits for them; a switch while they run is followed by the next ones. */
static bool flusher_sync(struct logbook *lb, bool *published) {
    if (lb->sync_first == NULL && *published) {
        *published = false;
        pthread_mutex_lock(&lb->lock);
        lb->switched = false;
        pthread_mutex_unlock(&lb->lock);
        sync_begin(lb);
    }
    return lb->sync_first != NULL && sync_slice(lb, LOGBOOK_SYNC_MS);
}

void *logbook_flusher(void *ctx) {
    struct logbook *lb = ctx;
    panic_context("flush", 0, 0);
    uint64_t round_due = 0, files_due = 0;
    bool left = false, published = false;
    for (;;) {
        uint64_t now = clock_mono_ms();
        bool tended = false;
        if (now >= files_due) {
            tended = files_tend(lb);
            files_due = !tended && atomic_load(&lb->disk_full) ? now + LOGBOOK_RETRY_MS : 0;
        }
        pthread_mutex_lock(&lb->lock);
        bool stop = lb->stop_flusher, work = left || flusher_has_work(lb);
        pthread_mutex_unlock(&lb->lock);
        if (stop) return NULL;
        if (work && now >= round_due) {
            pthread_mutex_lock(&lb->lock);
            bool switched = lb->switched;
            pthread_mutex_unlock(&lb->lock);
            left = !round_run(lb);
            published = published || (switched && !left); /* all of the full file is in the flat files now */
            round_due = clock_mono_ms() + (left ? LOGBOOK_RETRY_MS : LOGBOOK_ROUND_MS);
            continue;
        }
        if (!tended && files_due == 0) continue;
        bool more = flusher_sync(lb, &published);
        if (more) continue;
        if (!work && check_step(lb)) continue;
        pthread_mutex_lock(&lb->lock);
        bool news = lb->stop_flusher || (!work && flusher_has_work(lb)) || (lb->next == NULL && files_due == 0);
        uint64_t wait = work ? round_due - now : LOGBOOK_RETRY_MS;
        if (files_due != 0) wait = MIN(wait, LOGBOOK_RETRY_MS);
        lb->flusher_idle = !work;
        if (!news) flusher_wait(lb, MAX(wait, (uint64_t)1));
        lb->flusher_idle = false;
        pthread_mutex_unlock(&lb->lock);
    }
}
