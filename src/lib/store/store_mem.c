/* SPDX-License-Identifier: Apache-2.0
 * store_mem: the engine of tests: a sorted array under a lock, with failing writes on command.
 * Role: keeper's unit tests; keeps the promises of store.h within one process, and breaks them where told to.
 * Trusts: nothing to distrust. Distrusts: nothing.
 * Spec: src/lib/store/store.h
 */
#include "store/store_internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct mem_row {
    uint8_t *p; /* key, then value */
    size_t key_n, value_n;
};
struct mem_table {
    struct mem_row *rows;
    size_t n, cap;
};
#define MEM_TABLES 2

struct store_mem {
    struct store base;
    pthread_mutex_t lock;
    struct mem_table tables[MEM_TABLES];
    unsigned fail_in, reopen_failures;
    bool fail_persisted, broken;
};
struct store_snap {
    struct mem_table tables[MEM_TABLES];
};
struct store_iter {
    struct mem_table table;
    size_t at;
    uint8_t *upper;
    size_t upper_n;
    bool failed;
};

static struct slice row_key(const struct mem_row *r) { return slice_of(r->p, r->key_n); }

static size_t table_lower(const struct mem_table *t, struct slice key, bool *equal) {
    size_t lo = 0;
    size_t hi = t->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (slice_cmp(row_key(&t->rows[mid]), key) < 0) lo = mid + 1;
        else hi = mid;
    }
    *equal = lo < t->n && slice_eq(row_key(&t->rows[lo]), key);
    return lo;
}

static void table_free(struct mem_table *t) {
    for (size_t i = 0; i < t->n; i++) free(t->rows[i].p);
    free(t->rows);
    *t = (struct mem_table){0};
}

static struct mem_row row_make(struct slice key, struct slice value) {
    struct mem_row r = {.p = malloc(key.n + value.n + 1), .key_n = key.n, .value_n = value.n};
    ASSERT(r.p != NULL);
    memcpy(r.p, key.p, key.n);
    if (value.n > 0) memcpy(r.p + key.n, value.p, value.n);
    return r;
}

static struct mem_table table_copy(const struct mem_table *t) {
    struct mem_table c = {.rows = calloc(t->n + 1, sizeof *t->rows), .n = t->n, .cap = t->n + 1};
    ASSERT(c.rows != NULL);
    for (size_t i = 0; i < t->n; i++)
        c.rows[i] = row_make(row_key(&t->rows[i]), slice_of(t->rows[i].p + t->rows[i].key_n, t->rows[i].value_n));
    return c;
}

static void table_apply(struct mem_table *t, struct slice key, struct slice value, bool del) {
    bool equal = false;
    size_t at = table_lower(t, key, &equal);
    if (equal) {
        free(t->rows[at].p);
        if (!del) {
            t->rows[at] = row_make(key, value);
            return;
        }
        memmove(&t->rows[at], &t->rows[at + 1], (t->n - at - 1) * sizeof *t->rows);
        t->n--;
        return;
    }
    if (del) return;
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 64 : t->cap * 2;
        t->rows = realloc(t->rows, t->cap * sizeof *t->rows);
        ASSERT(t->rows != NULL);
    }
    memmove(&t->rows[at + 1], &t->rows[at], (t->n - at) * sizeof *t->rows);
    t->rows[at] = row_make(key, value);
    t->n++;
}

static enum err mem_open(const struct store_config *c, struct store **out, char *message, size_t message_n) {
    (void)c;
    (void)message;
    (void)message_n;
    struct store_mem *m = calloc(1, sizeof *m);
    ASSERT(m != NULL);
    m->base.engine = &store_engine_mem;
    pthread_mutex_init(&m->lock, NULL);
    *out = &m->base;
    return ERR_OK;
}

static void mem_close(struct store *s) {
    struct store_mem *m = (struct store_mem *)s;
    for (int i = 0; i < MEM_TABLES; i++) table_free(&m->tables[i]);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static enum err mem_reopen(struct store *s, char *message, size_t message_n) {
    struct store_mem *m = (struct store_mem *)s;
    enum err e = ERR_OK;
    pthread_mutex_lock(&m->lock);
    if (m->reopen_failures > 0) {
        m->reopen_failures--;
        (void)snprintf(message, message_n, "told to fail");
        e = ERR_IO;
    } else {
        m->broken = false;
    }
    pthread_mutex_unlock(&m->lock);
    return e;
}

void store_mem_fail(struct store *s, unsigned n, bool persisted, unsigned reopen_failures) {
    struct store_mem *m = (struct store_mem *)s;
    ASSERT(s->engine == &store_engine_mem);
    pthread_mutex_lock(&m->lock);
    m->fail_in = n;
    m->fail_persisted = persisted;
    m->reopen_failures = reopen_failures;
    pthread_mutex_unlock(&m->lock);
}

static enum err table_get(const struct mem_table *t, struct slice key, struct store_pin *pin) {
    bool equal = false;
    size_t at = table_lower(t, key, &equal);
    if (!equal) return ERR_MISSING;
    const struct mem_row *r = &t->rows[at];
    pin->hold = malloc(r->value_n + 1);
    ASSERT(pin->hold != NULL);
    memcpy(pin->hold, r->p + r->key_n, r->value_n);
    pin->value = slice_of(pin->hold, r->value_n);
    return ERR_OK;
}

static enum err mem_get(struct store *s, struct store_snap *snap, enum store_table t, struct slice key, struct store_pin *pin) {
    struct store_mem *m = (struct store_mem *)s;
    *pin = (struct store_pin){0};
    pthread_mutex_lock(&m->lock);
    enum err e = m->broken ? ERR_IO : table_get(snap != NULL ? &snap->tables[t] : &m->tables[t], key, pin);
    pthread_mutex_unlock(&m->lock);
    return e;
}

static void mem_unpin(struct store_pin *pin) { free(pin->hold); }

static enum err mem_write(struct store *s, const struct store_batch *b) {
    struct store_mem *m = (struct store_mem *)s;
    pthread_mutex_lock(&m->lock);
    bool fail = m->broken || (m->fail_in > 0 && --m->fail_in == 0);
    bool keep = !fail || (!m->broken && m->fail_persisted);
    for (size_t i = 0; keep && i < b->op_count; i++) {
        const struct store_op *o = &b->ops[i];
        table_apply(&m->tables[o->table], store_op_key(b, o), store_op_value(b, o), o->del != 0);
    }
    if (fail) m->broken = true;
    pthread_mutex_unlock(&m->lock);
    return fail ? ERR_IO : ERR_OK;
}

static enum err mem_flush(struct store *s) {
    (void)s;
    return ERR_OK;
}

static struct store_snap *mem_snap_open(struct store *s) {
    struct store_mem *m = (struct store_mem *)s;
    struct store_snap *snap = calloc(1, sizeof *snap);
    ASSERT(snap != NULL);
    pthread_mutex_lock(&m->lock);
    for (int i = 0; i < MEM_TABLES; i++) snap->tables[i] = table_copy(&m->tables[i]);
    pthread_mutex_unlock(&m->lock);
    return snap;
}

static void mem_snap_close(struct store *s, struct store_snap *snap) {
    (void)s;
    for (int i = 0; i < MEM_TABLES; i++) table_free(&snap->tables[i]);
    free(snap);
}

static struct store_iter *mem_iter_open(struct store *s, struct store_snap *snap, enum store_table t, struct slice upper) {
    struct store_mem *m = (struct store_mem *)s;
    struct store_iter *it = calloc(1, sizeof *it);
    ASSERT(it != NULL);
    pthread_mutex_lock(&m->lock);
    it->failed = m->broken;
    it->table = table_copy(snap != NULL ? &snap->tables[t] : &m->tables[t]);
    pthread_mutex_unlock(&m->lock);
    it->upper = malloc(upper.n);
    ASSERT(it->upper != NULL);
    memcpy(it->upper, upper.p, upper.n);
    it->upper_n = upper.n;
    return it;
}

static void mem_iter_close(struct store_iter *it) {
    table_free(&it->table);
    free(it->upper);
    free(it);
}

static void mem_iter_seek(struct store_iter *it, struct slice key) {
    bool equal = false;
    it->at = table_lower(&it->table, key, &equal);
}
static void mem_iter_seek_back(struct store_iter *it, struct slice key) {
    bool equal = false;
    it->at = table_lower(&it->table, key, &equal);
    if (equal) return;
    it->at = it->at > 0 ? it->at - 1 : it->table.n; /* n: none */
}
static void mem_iter_next(struct store_iter *it) { it->at++; }
static bool mem_iter_valid(struct store_iter *it) {
    return !it->failed && it->at < it->table.n && slice_cmp(row_key(&it->table.rows[it->at]), slice_of(it->upper, it->upper_n)) < 0;
}
static struct slice mem_iter_key(struct store_iter *it) { return row_key(&it->table.rows[it->at]); }
static struct slice mem_iter_value(struct store_iter *it) {
    const struct mem_row *r = &it->table.rows[it->at];
    return slice_of(r->p + r->key_n, r->value_n);
}
static enum err mem_iter_status(struct store_iter *it) { return it->failed ? ERR_IO : ERR_OK; }

const struct store_engine store_engine_mem = {
    .name = "mem",
    .open = mem_open,
    .close = mem_close,
    .reopen = mem_reopen,
    .get = mem_get,
    .unpin = mem_unpin,
    .write = mem_write,
    .flush = mem_flush,
    .snap_open = mem_snap_open,
    .snap_close = mem_snap_close,
    .iter_open = mem_iter_open,
    .iter_close = mem_iter_close,
    .iter_seek = mem_iter_seek,
    .iter_seek_back = mem_iter_seek_back,
    .iter_next = mem_iter_next,
    .iter_valid = mem_iter_valid,
    .iter_key = mem_iter_key,
    .iter_value = mem_iter_value,
    .iter_status = mem_iter_status,
};
