/* SPDX-License-Identifier: Apache-2.0
 * store: the doors of the shard interface; each call goes to the engine's row.
 * Role: keeper -> store -> engine.
 * Trusts: its one caller, the keeper. Distrusts: nothing; no input of others comes here unparsed.
 * Spec: src/lib/store/store.h
 */
#include "store/store_internal.h"

enum err store_open(const struct store_engine *e, const struct store_config *c, struct store **out, char *message,
                    size_t message_n) {
    ASSERT(message != NULL && message_n > 0);
    message[0] = 0;
    *out = NULL;
    TRY(e->open(c, out, message, message_n));
    ASSERT((*out)->engine == e);
    return ERR_OK;
}

void store_close(struct store *s) {
    if (s != NULL) s->engine->close(s);
}

enum err store_reopen(struct store *s, char *message, size_t message_n) {
    message[0] = 0;
    return s->engine->reopen(s, message, message_n);
}

enum err store_get(struct store *s, enum store_table t, struct slice key, struct store_pin *pin) {
    return s->engine->get(s, NULL, t, key, pin);
}

enum err store_snap_get(struct store *s, struct store_snap *snap, enum store_table t, struct slice key, struct store_pin *pin) {
    return s->engine->get(s, snap, t, key, pin);
}

void store_unpin(struct store *s, struct store_pin *pin) {
    if (pin->hold != NULL) s->engine->unpin(pin);
    pin->hold = NULL;
    pin->value = (struct slice){0};
}

enum err store_write(struct store *s, const struct store_batch *b) { return s->engine->write(s, b); }
enum err store_flush(struct store *s) { return s->engine->flush(s); }
struct store_snap *store_snap_open(struct store *s) { return s->engine->snap_open(s); }
void store_snap_close(struct store *s, struct store_snap *snap) {
    if (snap != NULL) s->engine->snap_close(s, snap);
}

struct store_iter *store_iter_open(struct store *s, struct store_snap *snap, enum store_table t, struct slice upper) {
    ASSERT(upper.n > 0); /* an iterator without a bound walks over every tombstone to the end of the table */
    return s->engine->iter_open(s, snap, t, upper);
}

void store_iter_close(struct store *s, struct store_iter *it) {
    if (it != NULL) s->engine->iter_close(it);
}

void store_iter_seek(struct store *s, struct store_iter *it, struct slice key) { s->engine->iter_seek(it, key); }
void store_iter_seek_back(struct store *s, struct store_iter *it, struct slice key) { s->engine->iter_seek_back(it, key); }
void store_iter_next(struct store *s, struct store_iter *it) { s->engine->iter_next(it); }
bool store_iter_valid(struct store *s, struct store_iter *it) { return s->engine->iter_valid(it); }
struct slice store_iter_key(struct store *s, struct store_iter *it) { return s->engine->iter_key(it); }
struct slice store_iter_value(struct store *s, struct store_iter *it) { return s->engine->iter_value(it); }
enum err store_iter_status(struct store *s, struct store_iter *it) { return s->engine->iter_status(it); }
