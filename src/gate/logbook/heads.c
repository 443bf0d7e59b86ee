/* SPDX-License-Identifier: Apache-2.0
 * The heads log: every EPOCH_MS one leaf with the root over all slots and the slots that changed.
 * Role: position binding and heartbeat; witnesses see only this log. On the loop, as a sliced job.
 * Trusts: published sizes and roots. Law: 7 (a log shown shorter or forked differs from its slot).
 * Spec: docs/spec/record.md section 5, docs/spec/log.md "Heads"
 *
 * Each leaf stands by itself: `root` is over the slot values *as stated* up to and including its own `chg`. When more slots changed than
 * fit, the rest goes into further leaves at once, each with the next `n`. A slot that was never stated counts as 32 zero bytes.
 */
#include "gate/logbook/internal.h"
#include "record/record.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOT_TEXT_CHARS 54                             /* "4294967295:" and 43 characters of base64url */
#define CHG_ITEM_BYTES (SLOT_TEXT_CHARS + 3)           /* quotes and comma */
#define CHG_PER_LEAF ((LEAF_BYTES_MAX - 512) / CHG_ITEM_BYTES)
#define HEADS_LEVELS 20                                /* of the tree over the slots: LOGS_MAX < 2^15 */

struct heads {
    struct gate_log *log;
    struct loop_timer timer;
    struct loop_job job;
    struct ledger_hash *hash;
    size_t slot_count;
    /* levels[0]: leaf hashes of the slots; levels[k][i]: root over slots [i * 2^k, ...), an unpaired last one promoted */
    uint8_t (*levels[HEADS_LEVELS])[HASH_BYTES];
    size_t level_cap[HEADS_LEVELS];
    /* this epoch's chg */
    char (*texts)[SLOT_TEXT_CHARS + 1];
    struct slice *items;
    size_t chg_count;
    uint64_t number;                                   /* n of the next leaf */
    struct buf leaf;
};

static size_t level_count(size_t slots, unsigned level) {
    for (; level > 0; level--) slots = (slots + 1) / 2;
    return slots;
}

static void parents_update(struct heads *h, size_t i) {
    for (unsigned k = 0; level_count(h->slot_count, k) > 1; k++) {
        size_t left = i & ~(size_t)1, count = level_count(h->slot_count, k);
        uint8_t *parent = h->levels[k + 1][i / 2];
        if (left + 1 < count) ledger_node_hash(h->hash, h->levels[k][left], h->levels[k][left + 1], parent);
        else memcpy(parent, h->levels[k][left], HASH_BYTES); /* RFC 6962: an unpaired subtree is its parent */
        i /= 2;
    }
}

/* Slots come in order of creation: growing by one is one path. */
static void slots_grow(struct heads *h, size_t slots) {
    uint8_t zero[HASH_BYTES] = {0};
    while (h->slot_count < slots) {
        h->slot_count++;
        for (unsigned k = 0; k < HEADS_LEVELS; k++) {
            size_t need = level_count(h->slot_count, k);
            logbook_array_room((void **)&h->levels[k], &h->level_cap[k], need, HASH_BYTES);
            if (need == 1) break;
        }
        ledger_leaf_hash(h->hash, slice_of(zero, sizeof zero), h->levels[0][h->slot_count - 1]);
        parents_update(h, h->slot_count - 1);
    }
}

static void root_of_slots(struct heads *h, uint8_t out[HASH_BYTES]) {
    unsigned k = 0;
    if (h->slot_count == 0) {
        ledger_empty_root(h->hash, out);
        return;
    }
    while (level_count(h->slot_count, k) > 1) k++;
    memcpy(out, h->levels[k][0], HASH_BYTES);
}

static void slot_state(struct heads *h, struct gate_log *l, uint64_t size, const uint8_t root[HASH_BYTES]) {
    uint8_t value[HASH_BYTES];
    slots_grow(h, (size_t)l->slot + 1);
    record_slot_value(h->hash, l->slot_salt, slice_str(l->origin), size, root, value);
    ledger_leaf_hash(h->hash, slice_of(value, sizeof value), h->levels[0][l->slot]);
    parents_update(h, l->slot);
    char *text = h->texts[h->chg_count];
    int n = snprintf(text, SLOT_TEXT_CHARS + 1, "%u:", l->slot);
    AUTO(buf) struct buf b = BUF_INIT(64);
    buf_put_base64url(&b, slice_of(value, sizeof value));
    ASSERT(n > 0 && buf_ok(&b) && (size_t)n + b.n <= SLOT_TEXT_CHARS);
    memcpy(text + n, b.p, b.n);
    h->items[h->chg_count++] = slice_of(text, (size_t)n + b.n);
}

/* Ends an epoch leaf and appends it. false: it may not be now (no room, clock); the slots stay stated for the next leaf. */
static bool epoch_append(struct logbook *lb) {
    struct heads *h = lb->heads;
    uint64_t t;
    uint8_t root[HASH_BYTES];
    struct record_writer w;
    if (!logbook_ready(lb, false) || log_time(h->log, loop_wall_ms(lb->loop), &t) != ERR_OK) return false;
    if (BREAK("skipped-epoch")) h->number++;
    root_of_slots(h, root);
    buf_reset(&h->leaf);
    record_begin(&w, RECORD_K_EPOCH, &h->leaf, NULL);
    record_put_texts(&w, RECORD_F_CHG, h->items, h->chg_count);
    record_put_int(&w, RECORD_F_N, h->number);
    record_put_hash(&w, RECORD_F_ROOT, root);
    record_put_int(&w, RECORD_F_SLOTS, h->slot_count);
    record_put_int(&w, RECORD_F_T, t);
    enum err e = record_end(&w);
    ASSERT(e == ERR_OK); /* CHG_PER_LEAF bounds it */
    struct log_append a = {.leaf = buf_slice(&h->leaf), .void_ref = UINT64_MAX};
    (void)logbook_append(lb, h->log, &a, NULL);
    h->number++;
    h->chg_count = 0;
    return true;
}

static struct gate_log *slot_pop(struct logbook *lb, uint64_t *size, uint8_t root[HASH_BYTES]) {
    pthread_mutex_lock(&lb->lock);
    struct gate_log *l = lb->slot_first;
    if (l != NULL) {
        lb->slot_first = l->slot_next;
        l->slot_dirty = false;
        *size = atomic_load(&l->published);
        memcpy(root, l->pub_root, HASH_BYTES);
    }
    pthread_mutex_unlock(&lb->lock);
    return l;
}

static bool epoch_job(struct loop_job *j, uint64_t budget_us) {
    struct logbook *lb = j->ctx;
    struct heads *h = lb->heads;
    uint64_t end = clock_mono_us() + budget_us, size = 0;
    uint8_t root[HASH_BYTES];
    for (unsigned n = 1; h->chg_count < CHG_PER_LEAF; n++) {
        struct gate_log *l = slot_pop(lb, &size, root);
        if (l == NULL) break;
        slot_state(h, l, size, root);
        if (n % 16 == 0 && clock_mono_us() >= end) return true;
    }
    bool full = h->chg_count == CHG_PER_LEAF;
    if (!epoch_append(lb)) return false; /* at the next epoch again */
    pthread_mutex_lock(&lb->lock);
    bool more = full && lb->slot_first != NULL;
    pthread_mutex_unlock(&lb->lock);
    return more;
}

static void epoch_due(struct loop_timer *t) {
    struct logbook *lb = t->ctx;
    loop_timer_set(lb->loop, t, EPOCH_MS);
    loop_job_add(lb->loop, &lb->heads->job);
}

/* n of the next leaf and the last time, from the last leaf. */
static void heads_continue(struct logbook *lb) {
    struct heads *h = lb->heads;
    struct record_leaf leaf;
    uint64_t size = log_durable(h->log);
    if (size == 0) return;
    buf_reset(&h->leaf);
    enum err e = log_read(h->log, size - 1, &h->leaf, NULL);
    if (e == ERR_OK) e = record_leaf_parse(buf_slice(&h->leaf), RECORD_LOG_HEADS, &leaf);
    /* A head that is there and cannot be read stops the epochs: going on from a guess would be a gap. */
    if (e != ERR_OK) {
        atomic_store(&h->log->corrupt, true);
        return;
    }
    h->number = record_int(&leaf, RECORD_F_N, 0) + 1;
    log_set_last_time(h->log, record_int(&leaf, RECORD_F_T, 0));
}

static int by_slot_falling(const void *a, const void *b) {
    const struct gate_log *x = *(struct gate_log *const *)a, *y = *(struct gate_log *const *)b;
    return x->slot > y->slot ? -1 : x->slot < y->slot;
}

/* A start states every slot again, from slot 0 on: so either one leaf states them all, or `slots` is less than in the leaf before, which
 * tells whoever folds to begin anew. */
static void slots_order(struct logbook *lb) {
    struct gate_log **order = calloc(lb->log_count + 1, sizeof(struct gate_log *));
    ASSERT(order != NULL);
    size_t count = 0;
    pthread_mutex_lock(&lb->lock);
    for (struct gate_log *l = lb->slot_first; l != NULL; l = l->slot_next) order[count++] = l;
    qsort(order, count, sizeof(struct gate_log *), by_slot_falling);
    lb->slot_first = NULL;
    for (size_t i = 0; i < count; i++) {
        order[i]->slot_next = lb->slot_first;
        lb->slot_first = order[i];
    }
    pthread_mutex_unlock(&lb->lock);
    free(order);
}

void logbook_heads_start(struct logbook *lb, struct gate_log *heads) {
    ASSERT(lb->heads == NULL && heads->kind == LOG_KIND_HEADS);
    struct heads *h = calloc(1, sizeof *h);
    ASSERT(h != NULL);
    h->log = heads;
    h->hash = &lb->hash;
    h->texts = calloc(CHG_PER_LEAF, sizeof *h->texts);
    h->items = calloc(CHG_PER_LEAF, sizeof *h->items);
    ASSERT(h->texts != NULL && h->items != NULL);
    h->leaf = BUF_INIT(LEAF_BYTES_MAX);
    h->timer = (struct loop_timer){.fire = epoch_due, .ctx = lb};
    h->job = (struct loop_job){.run = epoch_job, .ctx = lb};
    list_init(&h->job.node);
    lb->heads = h;
    heads_continue(lb);
    slots_order(lb);
    if (!atomic_load(&heads->corrupt)) epoch_due(&h->timer);
}

void logbook_heads_stop(struct logbook *lb) {
    struct heads *h = lb->heads;
    if (h == NULL) return;
    loop_timer_cancel(lb->loop, &h->timer);
    loop_job_del(lb->loop, &h->job);
    for (unsigned k = 0; k < HEADS_LEVELS; k++) free(h->levels[k]);
    free(h->texts);
    free(h->items);
    buf_done(&h->leaf);
    free(h);
    lb->heads = NULL;
}

void logbook_slot_dirty(struct logbook *lb, struct gate_log *l) {
    if (l->slot == UINT32_MAX || l->slot_dirty) return;
    ASSERT(l->slot < LOGS_MAX);
    l->slot_dirty = true;
    l->slot_next = lb->slot_first;
    lb->slot_first = l;
}

void log_slot_text(const struct gate_log *l, struct buf *out) {
    struct record_slot s = {.number = l->slot, .origin = slice_str(l->origin)};
    memcpy(s.salt, l->slot_salt, sizeof s.salt);
    record_slot_format(&s, out);
}
