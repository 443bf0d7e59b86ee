/* SPDX-License-Identifier: Apache-2.0
 * One log as the gate's loop sees it: sizes, time, marks, pending commands, reading back, checkpoints.
 * Role: the loop's side, after logbook.c.
 * Distrusts: what it reads back from the flat files.
 * Law: 1. Spec: docs/spec/log.md, DESIGN section 4 rule 5; manual: gate/logbook.h
 */
#include "gate/logbook/internal.h"

#include <stdlib.h>

uint64_t log_size(const struct gate_log *l) { return l->next; }
uint64_t log_durable(const struct gate_log *l) { return atomic_load(&l->durable); }
uint64_t log_published(const struct gate_log *l) { return atomic_load(&l->published); }
uint64_t log_mark_durable(const struct gate_log *l) { return atomic_load(&l->mark_durable); }
enum log_kind log_kind_of(const struct gate_log *l) { return l->kind; }
const uint8_t *log_id(const struct gate_log *l) { return l->id; }
const char *log_origin(const struct gate_log *l) { return l->origin; }
const char *log_name(const struct gate_log *l) { return l->name; }
void log_vkey(const struct gate_log *l, struct buf *out) { ledger_vkey_format(&l->signer.vkey, out); }

enum err log_time(struct gate_log *l, uint64_t wall_ms, uint64_t *t) {
    *t = MAX(l->last_t, wall_ms);
    uint64_t behind = *t - wall_ms;
    l->lb->degraded_clock = behind > LOG_CLOCK_DEGRADED_MS;
    if (behind > LOG_CLOCK_REFUSED_MS) return ERR_STALE;
    l->last_t = *t;
    return ERR_OK;
}

void log_set_last_time(struct gate_log *l, uint64_t t) { l->last_t = MAX(l->last_t, t); }

/* LAW-6: the files have no key, so whoever writes the disk of a stopped gate can make leaf, hashes and WAL agree on an owner of his own.
 * What is sealed was sealed with its leaf's hash: it opens beside no other leaf. */
enum err logbook_open_beside(struct ledger_hash *h, struct keys_ctx *c, const struct secret *key, uint64_t index, struct slice leaf, struct slice sealed,
                             struct buf *out) {
    uint8_t hash[HASH_BYTES];
    ledger_leaf_hash(h, leaf, hash);
    return keys_open_at(c, key, index, slice_of(hash, HASH_BYTES), sealed, out);
}

static enum err open_beside(struct gate_log *l, const struct secret *key, uint64_t index, struct slice leaf, struct slice sealed, struct buf *out) {
    return logbook_open_beside(&l->lb->hash, l->lb->keys, key, index, leaf, sealed, out);
}

/* marks and pending commands (rule 5) ------------------------------------------------------------------------------------------ */

void log_mark_set(struct gate_log *l, uint64_t mark) {
    ASSERT(mark >= l->mark && mark <= atomic_load(&l->durable));
    if (mark == l->mark) return;
    l->mark = mark;
    logbook_mark_queue(l->lb, l);
}

enum err log_pending(struct gate_log *l, log_pending_cb cb, void *ctx) {
    AUTO(buf) struct buf command = BUF_INIT(COMMAND_BYTES_MAX);
    for (size_t i = 0; i < l->pending_count; i++) {
        struct pending p = l->pending[i];
        if (p.voided || p.index < l->mark) continue;
        buf_reset(&command);
        TRY(open_beside(l, &l->command_key, p.index, p.leaf, p.command, &command));
        TRY(cb(ctx, p.index, p.leaf, buf_slice(&command)));
    }
    return ERR_OK;
}

/* reading back --------------------------------------------------------------------------------------------------------------------- */

/* What is durable and not in flat files yet lies in the batches. */
static bool tail_read(struct gate_log *l, uint64_t index, struct buf *leaf, struct buf *sealed) {
    struct logbook *lb = l->lb;
    bool found = false;
    pthread_mutex_lock(&lb->lock);
    for (struct list *n = lb->batches.next; n != &lb->batches && !found; n = n->next) {
        struct batch *b = container_of(n, struct batch, node);
        for (size_t i = 0; i < b->record_count && !found; i++) {
            const struct batch_record *rec = &b->records[i];
            if (rec->log != l || rec->index != index) continue;
            if (leaf != NULL) buf_put(leaf, b->body.p + rec->leaf_at, rec->leaf_n);
            if (sealed != NULL) buf_put(sealed, b->body.p + rec->opening_at, rec->opening_n);
            found = true;
        }
    }
    pthread_mutex_unlock(&lb->lock);
    return found;
}

enum err log_read(struct gate_log *l, uint64_t index, struct buf *leaf, struct buf *opening) {
    if (index >= atomic_load(&l->durable)) return ERR_MISSING;
    AUTO(buf) struct buf sealed = BUF_INIT(OPENING_BYTES_MAX + KEYS_AT_EXTRA_BYTES), own = BUF_INIT(LEAF_BYTES_MAX);
    if (leaf == NULL) leaf = &own;
    size_t from = leaf->n;
    struct buf *want = opening == NULL ? NULL : &sealed;
    /* Published after the batch was looked for means that it went to the flat files between the two looks. */
    bool flat = index < atomic_load(&l->published) || !tail_read(l, index, leaf, want);
    if (flat) TRY(logbook_flat_read(l->lb, l, index, leaf, want));
    if (!buf_ok(leaf) || !buf_ok(&sealed)) return ERR_LIMIT;
    if (opening == NULL || sealed.n == 0) return ERR_OK; /* a leaf without commitments has no opening */
    return open_beside(l, &l->opening_key, index, slice_of(leaf->p + from, leaf->n - from), buf_slice(&sealed), opening);
}

/* heads ------------------------------------------------------------------------------------------------------------------------------ */

enum err log_checkpoint(struct gate_log *l, struct buf *out) {
    struct logbook *lb = l->lb;
    uint8_t root[HASH_BYTES];
    if (atomic_load(&l->corrupt)) return ERR_CORRUPT;
    pthread_mutex_lock(&lb->lock);
    uint64_t size = atomic_load(&l->published);
    memcpy(root, l->pub_root, HASH_BYTES);
    pthread_mutex_unlock(&lb->lock);
    ASSERT(size <= atomic_load(&l->durable)); /* LAW-1: only what is durable is signed */
    if (BREAK("log-shorter-head") && size > 1) {
        struct flat_reader_ctx ctx = {lb, l};
        struct ledger_reader reader = {logbook_flat_hashes, &ctx};
        size--;
        TRY(ledger_root_at(&lb->hash, &reader, size, root));
    }
    if (l->signed_size != size) {
        l->signed_size = UINT64_MAX;
        buf_reset(&l->checkpoint);
        TRY(ledger_checkpoint_sign(&l->signer, size, root, &l->checkpoint));
        l->signed_size = size;
    }
    buf_put_slice(out, buf_slice(&l->checkpoint));
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}
