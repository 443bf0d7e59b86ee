/* SPDX-License-Identifier: Apache-2.0
 * store_engine_rocks: the rocksdb engine's row, in C over the C face of the C++ file.
 * Role: store.c -> here -> store_rocks.cc.
 * Trusts: the C++ file's codes. Distrusts: nothing beyond.
 * Spec: src/lib/store/store.h
 */
#include "store/store_internal.h"
#include "store/store_rocks.h"

#include <stdlib.h>

struct store_rocks_handle {
    struct store base;
    struct store_rocks *r; /* NULL between a failed reopen and the next */
    char *dir;
    struct store_config config;
};

static enum err rocks_err(int code) {
    switch (code) {
    case STORE_ROCKS_OK: return ERR_OK;
    case STORE_ROCKS_MISSING: return ERR_MISSING;
    case STORE_ROCKS_FULL: return ERR_FULL;
    case STORE_ROCKS_CORRUPT: return ERR_CORRUPT;
    case STORE_ROCKS_WRONG_KEY: return ERR_AUTH;
    case STORE_ROCKS_VERSION: return ERR_VERSION;
    default: return ERR_IO;
    }
}

static struct store_rocks *rocks_of(struct store *s) { return ((struct store_rocks_handle *)s)->r; }

static enum err rocks_open(const struct store_config *c, struct store **out, char *message, size_t message_n) {
    struct store_rocks *r = NULL;
    TRY(rocks_err(store_rocks_open(c->dir, c->key, c->clear, &r, message, message_n)));
    struct store_rocks_handle *h = calloc(1, sizeof *h);
    ASSERT(h != NULL);
    h->base.engine = &store_engine_rocksdb;
    h->r = r;
    h->dir = strdup(c->dir);
    ASSERT(h->dir != NULL);
    h->config = *c;
    h->config.dir = h->dir;
    *out = &h->base;
    return ERR_OK;
}

static void rocks_close(struct store *s) {
    struct store_rocks_handle *h = (struct store_rocks_handle *)s;
    store_rocks_close(h->r);
    free(h->dir);
    wipe(&h->config, sizeof h->config);
    free(h);
}

static enum err rocks_reopen(struct store *s, char *message, size_t message_n) {
    struct store_rocks_handle *h = (struct store_rocks_handle *)s;
    store_rocks_close(h->r);
    h->r = NULL;
    return rocks_err(store_rocks_open(h->dir, h->config.key, h->config.clear, &h->r, message, message_n));
}

static enum err rocks_get(struct store *s, struct store_snap *snap, enum store_table t, struct slice key, struct store_pin *pin) {
    *pin = (struct store_pin){0};
    if (rocks_of(s) == NULL) return ERR_IO;
    return rocks_err(store_rocks_get(rocks_of(s), snap, (int)t, key.p, key.n, &pin->value.p, &pin->value.n, &pin->hold));
}

static void rocks_unpin(struct store_pin *pin) { store_rocks_unpin(pin->hold); }

static enum err rocks_write(struct store *s, const struct store_batch *b) {
    struct store_rocks *r = rocks_of(s);
    if (r == NULL) return ERR_IO;
    store_rocks_batch_clear(r);
    for (size_t i = 0; i < b->op_count; i++) {
        const struct store_op *o = &b->ops[i];
        struct slice k = store_op_key(b, o);
        struct slice v = store_op_value(b, o);
        if (o->del) store_rocks_batch_del(r, o->table, k.p, k.n);
        else store_rocks_batch_put(r, o->table, k.p, k.n, v.p, v.n);
    }
    return rocks_err(store_rocks_batch_write(r));
}

static enum err rocks_flush(struct store *s) { return rocks_of(s) == NULL ? ERR_IO : rocks_err(store_rocks_flush(rocks_of(s))); }

static struct store_snap *rocks_snap_open(struct store *s) {
    ASSERT(rocks_of(s) != NULL);
    return (struct store_snap *)(uintptr_t)store_rocks_snap_open(rocks_of(s));
}
static void rocks_snap_close(struct store *s, struct store_snap *snap) { store_rocks_snap_close(rocks_of(s), snap); }

static struct store_iter *rocks_iter_open(struct store *s, struct store_snap *snap, enum store_table t, struct slice upper) {
    ASSERT(rocks_of(s) != NULL);
    return store_rocks_iter_open(rocks_of(s), snap, (int)t, upper.p, upper.n);
}
static void rocks_iter_close(struct store_iter *it) { store_rocks_iter_close(it); }
static void rocks_iter_seek(struct store_iter *it, struct slice key) { store_rocks_iter_seek(it, key.p, key.n); }
static void rocks_iter_seek_back(struct store_iter *it, struct slice key) { store_rocks_iter_seek_back(it, key.p, key.n); }
static void rocks_iter_next(struct store_iter *it) { store_rocks_iter_next(it); }
static bool rocks_iter_valid(struct store_iter *it) { return store_rocks_iter_valid(it) != 0; }
static struct slice rocks_iter_key(struct store_iter *it) {
    struct slice s = {0};
    store_rocks_iter_key(it, &s.p, &s.n);
    return s;
}
static struct slice rocks_iter_value(struct store_iter *it) {
    struct slice s = {0};
    store_rocks_iter_value(it, &s.p, &s.n);
    return s;
}
static enum err rocks_iter_status(struct store_iter *it) { return rocks_err(store_rocks_iter_status(it)); }

const struct store_engine store_engine_rocksdb = {
    .name = "rocksdb",
    .open = rocks_open,
    .close = rocks_close,
    .reopen = rocks_reopen,
    .get = rocks_get,
    .unpin = rocks_unpin,
    .write = rocks_write,
    .flush = rocks_flush,
    .snap_open = rocks_snap_open,
    .snap_close = rocks_snap_close,
    .iter_open = rocks_iter_open,
    .iter_close = rocks_iter_close,
    .iter_seek = rocks_iter_seek,
    .iter_seek_back = rocks_iter_seek_back,
    .iter_next = rocks_iter_next,
    .iter_valid = rocks_iter_valid,
    .iter_key = rocks_iter_key,
    .iter_value = rocks_iter_value,
    .iter_status = rocks_iter_status,
};
