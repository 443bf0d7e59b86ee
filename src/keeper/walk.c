/* SPDX-License-Identifier: Apache-2.0
 * walk: rows under a prefix as the batch in hand will leave them.
 * Role: upload ends parts, version finds what becomes current: both must see what an earlier command of the same batch put or took.
 * Trusts: that V and T rows are put by apply_put_walked() only. Distrusts: the engine: its failure is told, never taken for the end.
 * Spec: DESIGN rule 1
 */
#include "keeper/apply.h"

#include <stdlib.h>

static int by_key(const void *a, const void *b) { return slice_cmp(*(const struct slice *)a, *(const struct slice *)b); }

/* The batch's own keys under the prefix, sorted, each once. Copied: the list grows while rows are put. */
static void gather(struct walk *w, struct slice prefix) {
    size_t count = 0;
    struct reader r = reader_of(buf_slice(&w->c->walked));
    while (reader_left(&r) > 0) {
        struct slice key = reader_lp16(&r, ROW_KEY_BYTES_MAX);
        if (!slice_starts(key, prefix)) continue;
        buf_put_lp16(&w->fresh, key);
        count++;
    }
    if (count == 0) return;
    ASSERT(buf_ok(&w->fresh));
    w->keys = calloc(count, sizeof *w->keys);
    ASSERT(w->keys != NULL);
    r = reader_of(buf_slice(&w->fresh));
    for (size_t n = 0; n < count; n++) w->keys[n] = reader_lp16(&r, ROW_KEY_BYTES_MAX);
    qsort(w->keys, count, sizeof *w->keys, by_key);
    for (size_t n = 0; n < count; n++)
        if (n == 0 || !slice_eq(w->keys[n], w->keys[w->key_count - 1])) w->keys[w->key_count++] = w->keys[n];
}

void walk_open(struct walk *w, struct commit *c, const struct row_key *prefix) {
    struct row_key upper = *prefix;
    *w = (struct walk){.c = c, .fresh = BUF_INIT(SIZE_MAX / 2)};
    gather(w, row_slice(prefix));
    ASSERT(row_after(&upper));
    w->it = store_iter_open(c->k->store, NULL, STORE_ROWS, row_slice(&upper));
    store_iter_seek(c->k->store, w->it, row_slice(prefix));
}

enum err walk_next(struct walk *w, struct slice *key, struct slice *value) {
    struct store *s = w->c->k->store;
    for (;;) {
        if (w->at_engine) store_iter_next(s, w->it);
        w->at_engine = false;
        bool engine = store_iter_valid(s, w->it);
        bool fresh = w->key_at < w->key_count;
        if (!engine) TRY(store_iter_status(s, w->it));
        if (!engine && !fresh) return ERR_MISSING;
        struct slice of_engine = engine ? store_iter_key(s, w->it) : (struct slice){0};
        int order = !fresh ? -1 : !engine ? 1 : slice_cmp(of_engine, w->keys[w->key_at]);
        *key = order <= 0 ? of_engine : w->keys[w->key_at];
        w->at_engine = order <= 0;
        if (order >= 0) w->key_at++;
        enum store_seen seen = store_batch_get(w->c->batch, STORE_ROWS, *key, value);
        if (seen == STORE_DELETED) continue;
        if (seen == STORE_UNTOUCHED) *value = store_iter_value(s, w->it);
        return ERR_OK;
    }
}

void walk_done(struct walk *w) {
    store_iter_close(w->c->k->store, w->it);
    buf_done(&w->fresh);
    free(w->keys);
}
