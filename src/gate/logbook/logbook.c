/* SPDX-License-Identifier: Apache-2.0
 * The logbook as the gate's loop sees it: open, logs, append, waiting, marks, reading back, checkpoints.
 * Role: the loop's side; the work is done by commit.c and flush.c in their threads.
 * Trusts: the pipeline for canonical leaves. Distrusts: what it finds on disk.
 * Law: 1 (durable() is called only for what the committer synced). Spec: docs/spec/wal.md, log.md; manual: gate/logbook.h
 */
#include "gate/logbook/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* logs ----------------------------------------------------------------------------------------------------------------------- */

struct gate_log *logbook_log_find(const struct logbook *lb, const uint8_t id[ID_BYTES]) {
    return map_get(lb->by_id, slice_of(id, ID_BYTES));
}

struct gate_log *logbook_log_new(struct logbook *lb, const uint8_t id[ID_BYTES]) {
    if (lb->log_count == LOGS_MAX) return NULL;
    struct gate_log *l = calloc(1, sizeof *l);
    if (l == NULL) return NULL;
    if (map_put(lb->by_id, slice_of(id, ID_BYTES), l) != ERR_OK) {
        free(l);
        return NULL;
    }
    l->lb = lb;
    memcpy(l->id, id, ID_BYTES);
    AUTO(buf) struct buf text = BUF_INIT(ID_TEXT_CHARS);
    buf_put_base32(&text, slice_of(id, ID_BYTES));
    ASSERT(text.n == ID_TEXT_CHARS);
    memcpy(l->id_text, text.p, ID_TEXT_CHARS);
    l->signed_size = UINT64_MAX;
    l->checkpoint = BUF_INIT(LEDGER_NOTE_BYTES_MAX);
    logbook_flat_init(&l->flat);
    memcpy(l->found.id, id, ID_BYTES);
    pthread_mutex_lock(&lb->lock);
    lb->logs[lb->log_count++] = l;
    pthread_mutex_unlock(&lb->lock);
    return l;
}

static void found_free(struct gate_log *l) {
    for (size_t i = 0; i < l->found_count; i++) free((void *)(uintptr_t)l->found_records[i].rec.leaf.p);
    free(l->found_records);
    l->found_records = NULL;
    l->found_count = l->found_cap = 0;
}

static void pending_free(struct gate_log *l) {
    for (size_t i = 0; i < l->pending_count; i++) free((void *)(uintptr_t)l->pending[i].leaf.p);
    free(l->pending);
    l->pending = NULL;
    l->pending_count = l->pending_cap = 0;
}

static void log_free(struct logbook *lb, struct gate_log *l) {
    logbook_flat_close(lb, l);
    found_free(l);
    pending_free(l);
    ledger_signer_done(&l->signer);
    secret_done(&l->opening_key);
    secret_done(&l->command_key);
    buf_done(&l->checkpoint);
    wipe(l->slot_salt, sizeof l->slot_salt);
    free(l->origin);
    free(l);
}

/* open and close ----------------------------------------------------------------------------------------------------------------- */

static enum err dir_open(const char *base, const char *name, mode_t mode, int *fd, struct buf *why) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", base, name);
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        buf_printf(why, "cannot make %s: %s", path, strerror(errno));
        return errno == ENOSPC ? ERR_FULL : ERR_IO;
    }
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd >= 0 && fchmod(*fd, mode) == 0) return ERR_OK;
    buf_printf(why, "cannot open %s: %s", path, strerror(errno));
    return ERR_IO;
}

static void logbook_free(struct logbook *lb) {
    for (size_t i = 0; i < lb->log_count; i++) log_free(lb, lb->logs[i]);
    map_free(lb->by_id);
    struct list *heads[] = {&lb->chunks, &lb->chunk_pool};
    if (lb->open != NULL) list_add_tail(&lb->chunk_pool, &lb->open->node);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        while (!list_empty(heads[i])) {
            struct chunk *c = container_of(heads[i]->next, struct chunk, node);
            list_del(&c->node);
            buf_wipe_done(&c->plain);
            free(c->appends);
            free(c->marks);
            free(c);
        }
    }
    struct list *batches[] = {&lb->batches, &lb->batch_pool};
    for (size_t i = 0; i < ARRAY_LEN(batches); i++) {
        while (!list_empty(batches[i])) {
            struct batch *b = container_of(batches[i]->next, struct batch, node);
            list_del(&b->node);
            buf_done(&b->body);
            free(b->records);
            free(b->rows);
            free(b->levels);
            free(b);
        }
    }
    while (!list_empty(&lb->old_files)) {
        struct wal_file *f = container_of(lb->old_files.next, struct wal_file, node);
        list_del(&f->node);
        logbook_file_free(f);
    }
    logbook_file_free(lb->file);
    logbook_file_free(lb->next);
    for (size_t i = 0; lb->gather != NULL && i < 5; i++) buf_done(&lb->gather[i]);
    free(lb->gather);
    buf_done(&lb->why);
    free(lb->synced);
    ledger_hash_done(&lb->hash);
    ledger_hash_done(&lb->flush_hash);
    ledger_hash_done(&lb->commit_hash);
    keys_ctx_free(lb->keys);
    keys_ctx_free(lb->commit_keys);
    secret_done(&lb->wal_key);
    int fds[] = {lb->wal_dir, lb->logs_dir, lb->openings_dir};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0) close(fds[i]);
    }
    pthread_mutex_destroy(&lb->lock);
    pthread_mutex_destroy(&lb->flat_lock);
    pthread_mutex_destroy(&lb->encode_lock);
    pthread_cond_destroy(&lb->to_committer);
    pthread_cond_destroy(&lb->to_flusher);
    free(lb);
}

static void delivered(struct loop_wake *w);
static void turn_ended(struct loop_after *a);
static void marks_due(struct loop_timer *t);

static struct logbook *logbook_new(const struct logbook_config *c, const struct logbook_io *io, uint64_t file_bytes) {
    struct logbook *lb = calloc(1, sizeof *lb);
    if (lb == NULL) return NULL;
    *lb = (struct logbook){.magic = LOGBOOK_MAGIC, .io = io, .loop = c->loop, .wal_dir = -1, .logs_dir = -1, .openings_dir = -1,
                           .file_bytes = file_bytes == 0 ? WAL_FILE_BYTES : file_bytes, .start_mono_ms = clock_mono_ms(),
                           .why = BUF_INIT(1024), .switched = true};
    struct list *lists[] = {&lb->delivering, &lb->chunks,    &lb->chunk_pool, &lb->done_waits,
                            &lb->batches,    &lb->batch_pool, &lb->old_files,  &lb->flat_lru};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) list_init(lists[i]);
    pthread_mutex_init(&lb->lock, NULL);
    pthread_mutex_init(&lb->flat_lock, NULL);
    pthread_mutex_init(&lb->encode_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&lb->to_committer, &attr);
    pthread_cond_init(&lb->to_flusher, &attr);
    pthread_condattr_destroy(&attr);
    lb->by_id = map_new(LOGS_MAX);
    lb->keys = keys_ctx_new();
    lb->commit_keys = keys_ctx_new();
    lb->gather = calloc(5, sizeof *lb->gather);
    bool made = lb->by_id != NULL && lb->keys != NULL && lb->commit_keys != NULL && lb->gather != NULL &&
                ledger_hash_init(&lb->hash) == ERR_OK && ledger_hash_init(&lb->flush_hash) == ERR_OK &&
                ledger_hash_init(&lb->commit_hash) == ERR_OK && secret_copy(&lb->wal_key, slice_of(c->wal_key, KEYS_BYTES)) == ERR_OK;
    for (size_t i = 0; made && i < 5; i++) lb->gather[i] = BUF_INIT(UINT32_MAX);
    if (made) return lb;
    logbook_free(lb);
    return NULL;
}

/* Signals are for the loop's signalfd: these two threads take none. */
static void threads_start(struct logbook *lb) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&lb->committer, NULL, logbook_committer, lb);
    ASSERT(failed == 0);
    failed = pthread_create(&lb->flusher, NULL, logbook_flusher, lb);
    ASSERT(failed == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    lb->running = true;
}

enum err logbook_open_with(struct logbook **out, const struct logbook_config *c, const struct logbook_io *io, uint64_t file_bytes,
                           uint32_t *boot, struct buf *why) {
    *out = NULL;
    *boot = 0;
    struct logbook *lb = logbook_new(c, io, file_bytes);
    if (lb == NULL) return ERR_NOMEM;
    enum err e = dir_open(c->gate_dir, "wal", 0700, &lb->wal_dir, why);
    if (e == ERR_OK) e = dir_open(c->gate_dir, "logs", 0711, &lb->logs_dir, why);
    if (e == ERR_OK) e = dir_open(c->gate_dir, "openings", 0700, &lb->openings_dir, why);
    if (e == ERR_OK) e = logbook_recover(lb, c->wall_ms, why);
    if (e != ERR_OK) {
        logbook_free(lb);
        return e;
    }
    lb->wake = (struct loop_wake){.woken = delivered, .ctx = lb};
    lb->after = (struct loop_after){.run = turn_ended, .ctx = lb};
    lb->mark_timer = (struct loop_timer){.fire = marks_due, .ctx = lb};
    list_init(&lb->after.node);
    loop_wake_add(lb->loop, &lb->wake);
    threads_start(lb);
    *boot = lb->boot;
    *out = lb;
    return ERR_OK;
}

enum err logbook_open(struct logbook **out, const struct logbook_config *c, uint32_t *boot, struct buf *why) {
    return logbook_open_with(out, c, &logbook_io_disk, 0, boot, why);
}

static void chunk_submit(struct logbook *lb);

/* What was appended becomes durable; who waits is not told any more, because the loop does not run. */
void logbook_close(struct logbook *lb) {
    if (lb == NULL) return;
    ASSERT(lb->magic == LOGBOOK_MAGIC);
    logbook_heads_stop(lb);
    if (lb->open != NULL) chunk_submit(lb);
    pthread_mutex_lock(&lb->lock);
    lb->stop_committer = true;
    pthread_cond_broadcast(&lb->to_committer);
    pthread_mutex_unlock(&lb->lock);
    pthread_join(lb->committer, NULL);
    pthread_mutex_lock(&lb->lock);
    lb->stop_flusher = true;
    pthread_cond_broadcast(&lb->to_flusher);
    pthread_mutex_unlock(&lb->lock);
    pthread_join(lb->flusher, NULL);
    lb->running = false;
    logbook_flush_all(lb);
    logbook_synced_take(lb);
    struct list none;
    list_init(&none);
    if (lb->synced_count > 0) (void)logbook_commit(lb, &none);
    loop_wake_del(lb->loop, &lb->wake);
    loop_after_del(lb->loop, &lb->after);
    loop_timer_cancel(lb->loop, &lb->mark_timer);
    logbook_free(lb);
}

/* adding logs ----------------------------------------------------------------------------------------------------------------------- */

/* Not in the WAL: then nothing may lie in its flat files either, for a log that was ever there has a row in each file's first batch. */
static enum err log_is_new(struct logbook *lb, struct gate_log *l, struct buf *why) {
    char path[ID_TEXT_CHARS + 16];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/hashes.0", l->id_text);
    if (fstatat(lb->logs_dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_size == 0) return ERR_OK;
    if (why != NULL) buf_printf(why, "log %s has flat files but the WAL does not know it: the WAL is older; restore wal/", l->name);
    return ERR_CORRUPT;
}

/* Leaves from the flushed size on are written from the WAL, over whatever lies there: it was never synced. */
static enum err found_write(struct logbook *lb, struct gate_log *l, struct ledger_frontier *f) {
    struct flat to = l->flat;
    uint64_t bytes = 0;
    for (size_t i = 0; i < l->found_count; i++) {
        const struct wal_record *rec = &l->found_records[i].rec;
        uint8_t hash[HASH_BYTES], flat[HASH_BYTES], levels[LEDGER_TILE_LEVELS_MAX][HASH_BYTES];
        unsigned level_count;
        ledger_leaf_hash(&lb->hash, rec->leaf, hash);
        if (rec->index < l->found.flushed) {
            struct flat_reader_ctx ctx = {lb, l};
            TRY(logbook_flat_hashes(&ctx, 0, rec->index, 1, flat));
            if (memcmp(hash, flat, HASH_BYTES) != 0) return ERR_CORRUPT;
            continue;
        }
        if (rec->index != f->size) return ERR_CORRUPT;
        ledger_frontier_append(&lb->hash, f, hash, levels, &level_count);
        TRY(logbook_flat_levels(lb, l, rec->index, (const uint8_t(*)[HASH_BYTES])levels, level_count));
        struct flat_item item = {rec->leaf, rec->opening, hash};
        logbook_flat_gather(lb, l, &item, &to);
        bytes += rec->leaf.n + rec->opening.n;
        if (bytes < LOGBOOK_WRITE_BYTES) continue;
        TRY(logbook_flat_write(lb, l, &to));
        bytes = 0;
    }
    if (to.count > l->flat.count) TRY(logbook_flat_write(lb, l, &to));
    return logbook_flat_cut(lb, l);
}

static enum err log_adopt(struct logbook *lb, struct gate_log *l, struct buf *why) {
    TRY(logbook_flat_adopt(lb, l, l->found.flushed, why));
    struct flat_reader_ctx ctx = {lb, l};
    struct ledger_reader reader = {logbook_flat_hashes, &ctx};
    struct ledger_frontier f;
    TRY(ledger_frontier_rebuild(&lb->hash, &reader, l->found.flushed, &f));
    TRY(found_write(lb, l, &f));
    uint8_t root[HASH_BYTES];
    ledger_frontier_root(&lb->hash, &f, root);
    if (f.size != l->found.size || memcmp(root, l->found.root, HASH_BYTES) != 0) {
        if (why != NULL) buf_printf(why, "log %s: flat files and WAL give different heads of size %llu; restore wal/, logs/%s and openings/%s from one backup", l->name,
                                   (unsigned long long)f.size, l->id_text, l->id_text);
        return ERR_CORRUPT;
    }
    /* The committer may be writing a row of it right now: same size and root, but another struct. */
    pthread_mutex_lock(&lb->encode_lock);
    l->frontier = f;
    pthread_mutex_unlock(&lb->encode_lock);
    l->flat.count = f.size;
    if (l->flat.rest_dirty || l->flat.levels_dirty != 0) logbook_flat_unsynced(lb, l);
    return ERR_OK;
}

static enum err log_pending_keep(struct gate_log *l) {
    for (size_t i = 0; i < l->found_count; i++) {
        const struct wal_record *rec = &l->found_records[i].rec;
        if (!rec->has_command) continue;
        uint8_t *p = malloc(rec->leaf.n + rec->command.n + 1);
        if (p == NULL) return ERR_NOMEM;
        logbook_array_room((void **)&l->pending, &l->pending_cap, l->pending_count + 1, sizeof *l->pending);
        memcpy(p, rec->leaf.p, rec->leaf.n);
        memcpy(p + rec->leaf.n, rec->command.p, rec->command.n);
        l->pending[l->pending_count++] = (struct pending){
            .index = rec->index, .leaf = slice_of(p, rec->leaf.n), .command = slice_of(p + rec->leaf.n, rec->command.n)};
    }
    return ERR_OK;
}

static enum err log_setup(struct logbook *lb, struct gate_log *l, const struct log_params *p) {
    static const char letters[] = {[LOG_KIND_CONTROL] = 'c', [LOG_KIND_ACCESS] = 'a', [LOG_KIND_PROVIDER] = 'p', [LOG_KIND_HEADS] = 'h'};
    ASSERT(p->kind >= LOG_KIND_CONTROL && p->kind <= LOG_KIND_HEADS);
    l->kind = p->kind;
    l->slot = p->slot;
    memcpy(l->slot_salt, p->slot_salt, sizeof l->slot_salt);
    (void)snprintf(l->name, sizeof l->name, "%c-%s", letters[p->kind], l->id_text);
    if (l->origin == NULL) l->origin = strdup(p->origin);
    if (l->origin == NULL) return ERR_NOMEM;
    if (l->opening_key.p == NULL) TRY(secret_copy(&l->opening_key, slice_of(p->opening_key, KEYS_BYTES)));
    /* Its own key for each log: commands of all logs share boot and index. */
    if (l->command_key.p == NULL) {
        TRY(keys_derive(lb->keys, &lb->wal_key, KEYS_LABEL_COMMAND, slice_of(l->id, ID_BYTES), &l->command_key));
    }
    if (l->signer.pkey == NULL) {
        TRY(ledger_signer_init(&l->signer, &lb->hash, slice_str(l->origin), LEDGER_ALG_ED25519, p->seed));
    }
    return ERR_OK;
}

enum err logbook_add(struct logbook *lb, const struct log_params *p, struct gate_log **out) {
    *out = NULL;
    AUTO(buf) struct buf why = BUF_INIT(1024);
    struct gate_log *l = logbook_log_find(lb, p->id);
    if (l == NULL) l = logbook_log_new(lb, p->id);
    if (l == NULL) return ERR_LIMIT;
    if (l->added) return ERR_EXISTS;
    TRY(log_setup(lb, l, p));
    enum err e;
    if (l->found.size == 0) {
        e = log_is_new(lb, l, &why);
        ledger_empty_root(&lb->hash, l->found.root);
        memcpy(l->c_root, l->found.root, HASH_BYTES);
    } else {
        pthread_mutex_lock(&lb->flat_lock);
        e = log_adopt(lb, l, &why);
        logbook_flat_close(lb, l);
        pthread_mutex_unlock(&lb->flat_lock);
    }
    if (e == ERR_OK) e = log_pending_keep(l);
    if (e != ERR_OK) {
        buf_reset(&lb->why);
        buf_put_slice(&lb->why, buf_slice(&why));
        return e;
    }
    found_free(l);
    pthread_mutex_lock(&lb->lock);
    l->published = l->found.size;
    memcpy(l->pub_root, l->found.root, HASH_BYTES);
    l->check_size = l->found.size;
    memcpy(l->check_root, l->found.root, HASH_BYTES);
    l->check_done = l->found.size == 0;
    l->added = true;
    logbook_slot_dirty(lb, l);
    pthread_mutex_unlock(&lb->lock);
    *out = l;
    return ERR_OK;
}

struct slice logbook_why(const struct logbook *lb) { return buf_slice(&lb->why); }

size_t logbook_unknown(struct logbook *lb) {
    size_t n = 0;
    for (size_t i = 0; i < lb->log_count; i++) n += !lb->logs[i]->added;
    int fd = openat(lb->logs_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        uint8_t id[ID_BYTES];
        if (base32_fixed(slice_str(e->d_name), id, sizeof id) == ERR_OK && logbook_log_find(lb, id) == NULL) n++;
    }
    if (d != NULL) closedir(d);
    return n;
}

/* appending ---------------------------------------------------------------------------------------------------------------------------- */

static struct chunk *chunk_open(struct logbook *lb) {
    if (lb->open != NULL) return lb->open;
    struct chunk *c = NULL;
    pthread_mutex_lock(&lb->lock);
    if (!list_empty(&lb->chunk_pool)) {
        c = container_of(lb->chunk_pool.next, struct chunk, node);
        list_del(&c->node);
    }
    pthread_mutex_unlock(&lb->lock);
    if (c == NULL) {
        c = calloc(1, sizeof *c);
        ASSERT(c != NULL);
        list_init(&c->node);
        list_init(&c->waits);
        c->plain = BUF_INIT(UINT32_MAX);
    }
    if (c->plain.cap > WAL_BATCH_BYTES_MAX / 4) buf_done(&c->plain); /* wiped by the committer */
    buf_reset(&c->plain);
    c->append_count = c->mark_count = 0;
    lb->open = c;
    return c;
}

static void chunk_submit(struct logbook *lb) {
    struct chunk *c = lb->open;
    lb->open = NULL;
    for (size_t i = 0; i < c->mark_count; i++) c->marks[i].log->mark_queued = false;
    pthread_mutex_lock(&lb->lock);
    list_add_tail(&lb->chunks, &c->node);
    pthread_cond_signal(&lb->to_committer);
    pthread_mutex_unlock(&lb->lock);
    loop_timer_cancel(lb->loop, &lb->mark_timer);
}

static void turn_ended(struct loop_after *a) {
    struct logbook *lb = a->ctx;
    struct chunk *c = lb->open;
    if (c == NULL) return;
    if (c->append_count > 0) chunk_submit(lb);
    else if (c->mark_count > 0 && lb->mark_timer.heap_index == 0) loop_timer_set(lb->loop, &lb->mark_timer, LOGBOOK_MARK_MS);
}

void logbook_mark_queue(struct logbook *lb, struct gate_log *l) {
    struct chunk *c = chunk_open(lb);
    if (!l->mark_queued) {
        logbook_array_room((void **)&c->marks, &c->mark_cap, c->mark_count + 1, sizeof *c->marks);
        l->mark_queued = true;
        l->mark_at = (uint32_t)c->mark_count++;
        c->marks[l->mark_at].log = l;
    }
    c->marks[l->mark_at].mark = l->mark;
    loop_after_add(lb->loop, &lb->after);
}

/* Marks that no record came along to carry. */
static void marks_due(struct loop_timer *t) {
    struct logbook *lb = t->ctx;
    if (lb->open != NULL) chunk_submit(lb);
}

uint64_t logbook_append(struct logbook *lb, struct gate_log *l, const struct log_append *a, struct log_wait *w) {
    ASSERT(l->added && a->leaf.n > 0 && a->leaf.n <= LEAF_BYTES_MAX && a->opening.n <= OPENING_BYTES_MAX);
    ASSERT(a->command.n <= COMMAND_BYTES_MAX && l->next < LEDGER_SIZE_MAX);
    ASSERT(a->void_ref == UINT64_MAX || (a->void_ref < l->next && a->command.n == 0));
    struct chunk *c = chunk_open(lb);
    logbook_array_room((void **)&c->appends, &c->append_cap, c->append_count + 1, sizeof *c->appends);
    uint64_t index = l->next++;
    c->appends[c->append_count++] = (struct chunk_append){.log = l, .index = index, .void_ref = a->void_ref, .leaf_n = (uint32_t)a->leaf.n,
                                                         .opening_n = (uint32_t)a->opening.n, .command_n = (uint32_t)a->command.n};
    buf_put_slice(&c->plain, a->leaf);
    buf_put_slice(&c->plain, a->opening);
    buf_put_slice(&c->plain, a->command);
    ASSERT(buf_ok(&c->plain));
    if (w != NULL) {
        ASSERT(w->durable != NULL);
        w->log = l;
        w->index = index;
        list_add_tail(&c->waits, &w->node);
    }
    for (size_t i = 0; a->void_ref != UINT64_MAX && i < l->pending_count; i++) {
        if (l->pending[i].index == a->void_ref) l->pending[i].voided = true;
    }
    lb->queued_bytes += a->leaf.n + a->opening.n + a->command.n + WAL_RECORD_FIXED_BYTES + 2 * KEYS_AT_EXTRA_BYTES;
    loop_after_add(lb->loop, &lb->after);
    if (c->plain.n >= MIN((uint64_t)WAL_BATCH_BYTES_MAX, lb->file_bytes / 4)) chunk_submit(lb);
    return index;
}

/* In append order, on the loop; a waiter may append again. */
static void delivered(struct loop_wake *w) {
    struct logbook *lb = w->ctx;
    pthread_mutex_lock(&lb->lock);
    while (!list_empty(&lb->done_waits)) {
        struct list *n = lb->done_waits.next;
        list_del(n);
        list_add_tail(&lb->delivering, n);
    }
    ASSERT(lb->queued_bytes >= lb->done_bytes);
    lb->queued_bytes -= lb->done_bytes;
    lb->done_bytes = 0;
    pthread_mutex_unlock(&lb->lock);
    while (!list_empty(&lb->delivering)) {
        struct log_wait *wait = container_of(lb->delivering.next, struct log_wait, node);
        list_del(&wait->node);
        ASSERT(wait->index < atomic_load(&wait->log->durable)); /* LAW-1 */
        wait->durable(wait);
    }
}

bool logbook_ready(struct logbook *lb, bool writes) {
    uint64_t left = atomic_load(&lb->file_left) + (atomic_load(&lb->spares) + (atomic_load(&lb->has_next) ? 1u : 0u)) * lb->file_bytes;
    /* Room for what is queued, one batch more, and the rows that begin each file. */
    uint64_t need = lb->queued_bytes + MIN((uint64_t)WAL_BATCH_BYTES_MAX, lb->file_bytes / 2) + 2 * lb->log_count * WAL_ROW_BYTES;
    if (writes && atomic_load(&lb->disk_full)) return false;
    return left > need && atomic_load(&lb->tail_bytes) < LOGBOOK_TAIL_BYTES_MAX;
}

void logbook_stats(const struct logbook *lb, struct logbook_stats *out) {
    uint64_t checked = atomic_load(&lb->stat_checked_ms);
    *out = (struct logbook_stats){.batches = atomic_load(&lb->stat_batches),
                                  .records = atomic_load(&lb->stat_records),
                                  .syncs = atomic_load(&lb->stat_syncs),
                                  .wal_bytes = atomic_load(&lb->stat_bytes),
                                  .wal_files = atomic_load(&lb->stat_files) + 1,
                                  .flushed = atomic_load(&lb->stat_flushed),
                                  .age_of_full_check_ms = checked == 0 ? UINT64_MAX : clock_mono_ms() - MIN(checked, clock_mono_ms()),
                                  .degraded_clock = lb->degraded_clock,
                                  .at_reserve = atomic_load(&lb->disk_full)};
    for (size_t i = 0; i < lb->log_count; i++) out->corrupt += atomic_load(&lb->logs[i]->corrupt) ? 1u : 0u;
}
