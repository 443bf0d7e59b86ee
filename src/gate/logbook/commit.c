/* SPDX-License-Identifier: Apache-2.0
 * The committer: chunks of appended leaves become one batch in the WAL, written and synced once; then they are durable.
 * Role: its own thread, so that a slow sync never stops the loop. It seals, hashes and encodes, which the loop then need not.
 * Trusts: the loop for canonical leaves and for indexes in order (asserted).
 * Law: 1. Nothing else makes a leaf durable: `durable` is stored after the sync came back, and nowhere else.
 * Spec: docs/spec/wal.md sections 2, 3, 6
 */
#include "gate/logbook/internal.h"

#include <stdlib.h>
#include <unistd.h>

void logbook_array_room(void **p, size_t *cap, size_t need, size_t item_bytes) {
    if (need <= *cap) return;
    size_t bigger = MAX(*cap * 2, MAX(need, (size_t)64)), bytes;
    bool fits = mul_size(bigger, item_bytes, &bytes);
    ASSERT(fits);
    void *grown = realloc(*p, bytes);
    ASSERT(grown != NULL);
    *p = grown;
    *cap = bigger;
}

/* rows: what holds for a log after this batch ---------------------------------------------------------------------------- */

static struct batch_row *batch_row(struct logbook *lb, struct batch *b, struct gate_log *l) {
    if (l->c_batch == lb->sequence) return &b->rows[l->c_row];
    logbook_array_room((void **)&b->rows, &b->row_cap, b->row_count + 1, sizeof *b->rows);
    l->c_batch = lb->sequence;
    l->c_row = (uint32_t)b->row_count;
    struct batch_row *row = &b->rows[b->row_count++];
    *row = (struct batch_row){.log = l};
    return row;
}

static void batch_rows_end(struct logbook *lb, struct batch *b) {
    for (size_t i = 0; i < b->row_count; i++) {
        struct batch_row *row = &b->rows[i];
        struct gate_log *l = row->log;
        if (row->has_records) ledger_frontier_root(&lb->commit_hash, &l->frontier, l->c_root);
        row->size = l->frontier.size;
        row->mark = l->c_mark;
        row->flushed = l->c_flushed;
        memcpy(row->root, l->c_root, HASH_BYTES);
        struct wal_row put = {.size = row->size, .mark = row->mark, .flushed = row->flushed};
        memcpy(put.id, l->id, ID_BYTES);
        memcpy(put.root, row->root, HASH_BYTES);
        logbook_wal_put_row(&b->body, &put);
    }
}

/* records ---------------------------------------------------------------------------------------------------------------- */

/* Seals straight into the batch: the length goes before the bytes, and is known. Nothing is sealed as nothing. The leaf's hash is
 * its associated data: what is sealed opens beside no other leaf (log.c). */
static void put_sealed(struct logbook *lb, struct batch *b, const struct secret *key, uint64_t index, struct slice leaf_hash, struct slice plain) {
    buf_put_u32(&b->body, plain.n == 0 ? 0 : (uint32_t)(plain.n + KEYS_AT_EXTRA_BYTES));
    if (plain.n == 0) return;
    enum err e = keys_seal_at(lb->commit_keys, key, lb->boot, index, leaf_hash, plain, &b->body);
    ASSERT(e == ERR_OK); /* the sizes were checked at append: only a failing library is left */
}

static void batch_append(struct logbook *lb, struct batch *b, const struct chunk_append *a, const uint8_t *plain) {
    struct gate_log *l = a->log;
    ASSERT(a->index == l->frontier.size); /* indexes were given in this order */
    struct batch_row *row = batch_row(lb, b, l);
    row->has_records = true;
    if (a->command_n > 0) row->mark_need = a->index + 1;
    else if (a->void_ref != WAL_NO_VOID) row->mark_need = MAX(row->mark_need, a->void_ref + 1);

    logbook_array_room((void **)&b->records, &b->record_cap, b->record_count + 1, sizeof *b->records);
    struct batch_record *rec = &b->records[b->record_count++];
    *rec = (struct batch_record){.log = l, .index = a->index, .leaf_n = a->leaf_n};

    bool voids = a->void_ref != WAL_NO_VOID;
    struct buf *body = &b->body;
    buf_put(body, l->id, ID_BYTES);
    buf_put_u64(body, a->index);
    buf_put_u8(body, (uint8_t)((a->command_n > 0 ? WAL_RECORD_COMMAND : 0) | (voids ? WAL_RECORD_VOIDS : 0)));
    if (voids) buf_put_u64(body, a->void_ref);
    rec->leaf_at = (uint32_t)body->n + 2;
    const struct slice leaf = slice_of(plain, a->leaf_n), leaf_hash = slice_of(rec->hash, HASH_BYTES);
    ledger_leaf_hash(&lb->commit_hash, leaf, rec->hash);
    buf_put_lp16(body, leaf);
    rec->opening_at = (uint32_t)body->n + 4;
    put_sealed(lb, b, &l->opening_key, a->index, leaf_hash, slice_of(plain + a->leaf_n, a->opening_n));
    rec->opening_n = a->opening_n == 0 ? 0 : a->opening_n + KEYS_AT_EXTRA_BYTES;
    if (a->command_n > 0) put_sealed(lb, b, &l->command_key, a->index, leaf_hash, slice_of(plain + a->leaf_n + a->opening_n, a->command_n));

    uint8_t levels[LEDGER_TILE_LEVELS_MAX][HASH_BYTES];
    unsigned level_count;
    ledger_frontier_append(&lb->commit_hash, &l->frontier, rec->hash, levels, &level_count);
    if (level_count == 0) return;
    logbook_array_room((void **)&b->levels, &b->level_cap, b->level_count + level_count, sizeof *b->levels);
    memcpy(b->levels[b->level_count], levels, level_count * sizeof *levels);
    rec->level_at = (uint32_t)b->level_count;
    rec->level_count = level_count;
    b->level_count += level_count;
}

/* files -------------------------------------------------------------------------------------------------------------------- */

/* The next file is there already, named and synced: taking it costs a pointer. It is waited for only when the disk is full and the
 * reserve used up; until then nothing was promised to anyone for what waits here. */
static bool file_switch(struct logbook *lb) {
    pthread_mutex_lock(&lb->lock);
    while (lb->next == NULL) {
        if (lb->stop_committer) {
            pthread_mutex_unlock(&lb->lock);
            return false;
        }
        pthread_cond_signal(&lb->to_flusher);
        pthread_cond_wait(&lb->to_committer, &lb->lock);
    }
    list_add_tail(&lb->old_files, &lb->file->node);
    lb->old_count++;
    lb->file = lb->next;
    lb->next = NULL;
    lb->file_at = 0;
    lb->switched = true;
    atomic_store(&lb->file_left, lb->file->bytes);
    atomic_store(&lb->has_next, false);
    atomic_store(&lb->stat_files, lb->old_count + 1);
    pthread_cond_signal(&lb->to_flusher);
    pthread_mutex_unlock(&lb->lock);
    return true;
}

/* What of which log keeps this file alive (wal.md section 5). */
static void file_note(struct logbook *lb, const struct batch *b) {
    struct wal_file *f = lb->file;
    for (size_t i = 0; i < b->row_count; i++) {
        const struct batch_row *row = &b->rows[i];
        struct gate_log *l = row->log;
        if (!row->has_records) continue;
        if (l->c_file != f->number) {
            logbook_array_room((void **)&f->slots, &f->slot_cap, f->slot_count + 1, sizeof *f->slots);
            l->c_file = f->number;
            l->c_file_slot = (uint32_t)f->slot_count++;
            f->slots[l->c_file_slot] = (struct wal_slot){.log = l};
        }
        struct wal_slot *slot = &f->slots[l->c_file_slot];
        slot->end = row->size;
        slot->mark_need = MAX(slot->mark_need, row->mark_need);
    }
}

/* One write, one sync, or the end of this process: never a second try on the same pages (DESIGN section 2, death rule). */
static void batch_write(struct logbook *lb, struct batch *b, bool first) {
    struct wal_header head = {
        .flags = first ? WAL_FLAG_FIRST : 0, .file = lb->file->number, .boot = lb->boot, .sequence = lb->sequence};
    memcpy(head.previous, lb->chain, WAL_CHAIN_BYTES);
    logbook_wal_seal(&lb->commit_hash, &head, &b->body);
    memcpy(lb->chain, head.chain, WAL_CHAIN_BYTES);
    ASSERT(lb->file_at + b->body.n <= lb->file->bytes);
    enum err written = logbook_io_write(lb->io, LOGBOOK_IO_WAL, lb->file->fd, b->body.p, b->body.n, lb->file_at);
    ASSERT(written == ERR_OK);
    int synced = lb->io->fdatasync(lb->io->ctx, LOGBOOK_IO_WAL, lb->file->fd);
    ASSERT(synced == 0);
    lb->file_at += b->body.n;
    atomic_store(&lb->file_left, lb->file->bytes - lb->file_at);
    atomic_fetch_add(&lb->stat_syncs, 1);
    atomic_fetch_add(&lb->stat_batches, 1);
    atomic_fetch_add(&lb->stat_records, b->record_count);
    atomic_fetch_add(&lb->stat_bytes, b->body.n);
}

/* one batch ---------------------------------------------------------------------------------------------------------------- */

static struct batch *batch_take(struct logbook *lb) {
    pthread_mutex_lock(&lb->lock);
    struct batch *b = NULL;
    if (!list_empty(&lb->batch_pool)) {
        b = container_of(lb->batch_pool.next, struct batch, node);
        list_del(&b->node);
    }
    pthread_mutex_unlock(&lb->lock);
    if (b == NULL) {
        b = calloc(1, sizeof *b);
        ASSERT(b != NULL);
        list_init(&b->node);
        b->body = BUF_INIT(UINT32_MAX);
    }
    buf_reset(&b->body);
    b->record_count = b->row_count = b->level_count = 0;
    b->unflushed = 0;
    b->linked = false;
    return b;
}

static uint64_t chunk_wal_bytes(const struct chunk *c) {
    return c->plain.n + c->append_count * (WAL_RECORD_FIXED_BYTES + 2 * KEYS_AT_EXTRA_BYTES);
}

/* Rows: for each appended log at most one, or all there are when the batch begins a file. */
static bool batch_begins_file(struct logbook *lb, uint64_t bytes, size_t rows) {
    uint64_t need = WAL_HEADER_BYTES + 8 + bytes + rows * WAL_ROW_BYTES;
    return need > lb->file->bytes - lb->file_at;
}

static void batch_encode(struct logbook *lb, struct batch *b, struct list *chunks, bool all) {
    uint8_t zero[WAL_HEADER_BYTES + 8] = {0};
    buf_put(&b->body, zero, sizeof zero);
    for (struct list *n = chunks->next; n != chunks; n = n->next) {
        struct chunk *c = container_of(n, struct chunk, node);
        const uint8_t *plain = c->plain.p;
        for (size_t i = 0; i < c->append_count; i++) {
            const struct chunk_append *a = &c->appends[i];
            batch_append(lb, b, a, plain);
            plain += a->leaf_n + a->opening_n + a->command_n;
        }
        ASSERT(plain == c->plain.p + c->plain.n || c->plain.n == 0);
        for (size_t i = 0; i < c->mark_count; i++) {
            c->marks[i].log->c_mark = c->marks[i].mark;
            (void)batch_row(lb, b, c->marks[i].log);
        }
    }
    for (size_t i = 0; i < lb->synced_count; i++) (void)batch_row(lb, b, lb->synced[i]);
    if (all) {
        pthread_mutex_lock(&lb->lock);
        size_t count = lb->log_count;
        pthread_mutex_unlock(&lb->lock);
        for (size_t i = 0; i < count; i++) {
            if (lb->logs[i]->frontier.size > 0) (void)batch_row(lb, b, lb->logs[i]);
        }
    }
    ASSERT(b->record_count <= UINT32_MAX);
    batch_rows_end(lb, b);
    logbook_wal_put_counts(&b->body, (uint32_t)b->record_count, (uint32_t)b->row_count);
    ASSERT(buf_ok(&b->body));
}

/* The record is durable: say so, to readers of `durable`, to the flusher and to the loop, in this order. */
static void batch_done(struct logbook *lb, struct batch *b, struct list *chunks) {
    for (size_t i = 0; i < b->row_count; i++) {
        struct batch_row *row = &b->rows[i];
        atomic_store(&row->log->durable, row->size);
        atomic_store(&row->log->mark_durable, row->mark);
        atomic_store(&row->log->flushed_durable, row->flushed);
    }
    b->unflushed = b->record_count;
    for (size_t i = 0; i < b->record_count; i++) b->records[i].batch = b;
    pthread_mutex_lock(&lb->lock);
    while (!list_empty(chunks)) {
        struct chunk *c = container_of(chunks->next, struct chunk, node);
        list_del(&c->node);
        while (!list_empty(&c->waits)) {
            struct list *w = c->waits.next;
            list_del(w);
            list_add_tail(&lb->done_waits, w);
        }
        lb->done_bytes += chunk_wal_bytes(c);
        list_add_tail(&lb->chunk_pool, &c->node);
    }
    if (b->record_count > 0) {
        lb->tail_bytes += b->body.n;
        list_add_tail(&lb->batches, &b->node);
    } else {
        list_add_tail(&lb->batch_pool, &b->node);
    }
    /* Not for each batch: while it waits for its time it needs no telling. */
    if (lb->flusher_idle) pthread_cond_signal(&lb->to_flusher);
    pthread_mutex_unlock(&lb->lock);
    loop_wake(&lb->wake);
}

bool logbook_commit(struct logbook *lb, struct list *chunks) {
    uint64_t bytes = 0;
    size_t rows = 0;
    for (struct list *n = chunks->next; n != chunks; n = n->next) {
        struct chunk *c = container_of(n, struct chunk, node);
        bytes += chunk_wal_bytes(c);
        rows += c->append_count + c->mark_count;
    }
    rows += lb->synced_count;
    bool all = batch_begins_file(lb, bytes, MIN(rows, (size_t)LOGS_MAX));
    if (all && !file_switch(lb)) return false;
    struct batch *b = batch_take(lb);
    lb->sequence++;
    pthread_mutex_lock(&lb->encode_lock);
    batch_encode(lb, b, chunks, all);
    pthread_mutex_unlock(&lb->encode_lock);
    batch_write(lb, b, all);
    file_note(lb, b);
    /* Plaintext of openings and commands does not stay behind in the pool. */
    for (struct list *n = chunks->next; n != chunks; n = n->next) {
        struct chunk *c = container_of(n, struct chunk, node);
        if (c->plain.n > 0) wipe(c->plain.p, c->plain.n);
    }
    batch_done(lb, b, chunks);
    return true;
}

/* the thread ------------------------------------------------------------------------------------------------------------- */

/* Takes as many chunks as fit in one batch: what came while the last one was being synced. Under the lock. */
static void chunks_take(struct logbook *lb, struct list *out) {
    uint64_t bytes = 0, most = MIN((uint64_t)WAL_BATCH_BYTES_MAX, lb->file_bytes / 4);
    while (!list_empty(&lb->chunks)) {
        struct chunk *c = container_of(lb->chunks.next, struct chunk, node);
        uint64_t more = chunk_wal_bytes(c);
        if (bytes > 0 && bytes + more > most) return;
        bytes += more;
        list_del(&c->node);
        list_add_tail(out, &c->node);
    }
}

/* Logs whose flushed size moved: it rides in this batch. Under the lock. */
void logbook_synced_take(struct logbook *lb) {
    lb->synced_count = 0;
    for (struct gate_log *l = lb->synced_first; l != NULL; l = l->synced_next) {
        logbook_array_room((void **)&lb->synced, &lb->synced_cap, lb->synced_count + 1, sizeof(struct gate_log *));
        lb->synced[lb->synced_count++] = l;
        l->synced_queued = false;
        l->c_flushed = l->synced;
    }
    lb->synced_first = NULL;
}

void *logbook_committer(void *ctx) {
    struct logbook *lb = ctx;
    panic_context("commit", 0, 0);
    for (;;) {
        struct list chunks;
        list_init(&chunks);
        pthread_mutex_lock(&lb->lock);
        while (list_empty(&lb->chunks) && !lb->kick && !lb->stop_committer) pthread_cond_wait(&lb->to_committer, &lb->lock);
        if (list_empty(&lb->chunks) && !lb->kick) break;
        lb->kick = false;
        chunks_take(lb, &chunks);
        logbook_synced_take(lb);
        pthread_mutex_unlock(&lb->lock);
        if (logbook_commit(lb, &chunks)) continue;
        pthread_mutex_lock(&lb->lock);
        while (!list_empty(&chunks)) {
            struct list *c = chunks.next;
            list_del(c);
            list_add_tail(&lb->chunk_pool, c);
        }
        break;
    }
    pthread_mutex_unlock(&lb->lock);
    return NULL;
}
