/* SPDX-License-Identifier: Apache-2.0
 * The row of functions an engine is, and the shape of a batch: for the files of this room only.
 */
#ifndef TILLIT_STORE_INTERNAL_H
#define TILLIT_STORE_INTERNAL_H

#include "store/store.h"

struct store_op {
    uint64_t hash;
    size_t at; /* key, then value, in data */
    uint32_t key_n, value_n;
    uint8_t table, del;
};

struct store_batch {
    struct store_op *ops;
    size_t op_count, op_cap;
    uint32_t *slots; /* index + 1 of the op; open addressing */
    size_t slot_count;
    uint8_t *data;
    size_t data_n, data_cap;
};

static inline struct slice store_op_key(const struct store_batch *b, const struct store_op *o) {
    return slice_of(b->data + o->at, o->key_n);
}
static inline struct slice store_op_value(const struct store_batch *b, const struct store_op *o) {
    return slice_of(b->data + o->at + o->key_n, o->value_n);
}

/* Every engine's handle begins with this. */
struct store {
    const struct store_engine *engine;
};

struct store_engine {
    const char *name;
    enum err (*open)(const struct store_config *c, struct store **out, char *message, size_t message_n);
    void (*close)(struct store *s);
    enum err (*reopen)(struct store *s, char *message, size_t message_n);
    enum err (*get)(struct store *s, struct store_snap *snap, enum store_table t, struct slice key, struct store_pin *pin);
    void (*unpin)(struct store_pin *pin);
    enum err (*write)(struct store *s, const struct store_batch *b);
    enum err (*flush)(struct store *s);
    struct store_snap *(*snap_open)(struct store *s);
    void (*snap_close)(struct store *s, struct store_snap *snap);
    struct store_iter *(*iter_open)(struct store *s, struct store_snap *snap, enum store_table t, struct slice upper);
    void (*iter_close)(struct store_iter *it);
    void (*iter_seek)(struct store_iter *it, struct slice key);
    void (*iter_seek_back)(struct store_iter *it, struct slice key);
    void (*iter_next)(struct store_iter *it);
    bool (*iter_valid)(struct store_iter *it);
    struct slice (*iter_key)(struct store_iter *it);
    struct slice (*iter_value)(struct store_iter *it);
    enum err (*iter_status)(struct store_iter *it);
};

#endif
