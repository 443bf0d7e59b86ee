/* SPDX-License-Identifier: Apache-2.0
 * hold: the table of held keys and the queues before them.
 * Role: step between decide and FIND of every write. Trusts: its callers to release. Distrusts: how many ask.
 * Law: 1 (guards are decided under the hold). Spec: docs/spec/order.md rule 0.
 */
#include "gate/hold.h"

#include <stdlib.h>

#define HOLD_MAGIC 0x484f4c44u

struct hold {
    uint32_t magic;
    struct hold_wait *owner;
    struct list waiters;
    struct hold *next_free;
    size_t key_n;
    uint8_t key[ID_BYTES + S3_KEY_BYTES_MAX];
};

struct holds {
    struct loop *loop;
    struct map *by_key;
    struct hold *spare;                            /* reused: no memory is taken on the way of a write after warm-up */
    size_t count;
};

struct holds *holds_new(struct loop *l)
{
    struct holds *t = calloc(1, sizeof *t);
    ASSERT(t);
    t->loop = l;
    t->by_key = map_new(HOLDS_MAX);
    return t;
}

void holds_free(struct holds *t)
{
    if (!t) return;
    size_t cursor = 0;
    for (struct hold *h; (h = map_next(t->by_key, &cursor, NULL));) free(h);
    while (t->spare) {
        struct hold *h = t->spare;
        t->spare = h->next_free;
        free(h);
    }
    map_free(t->by_key);
    free(t);
}

size_t holds_count(const struct holds *t) { return t->count; }
bool hold_is_held(const struct hold_wait *w) { return w->held; }

static struct hold *hold_make(struct holds *t, struct slice name)
{
    struct hold *h = t->spare;
    if (h) t->spare = h->next_free;
    else h = calloc(1, sizeof *h);
    ASSERT(h);
    h->magic = HOLD_MAGIC;
    list_init(&h->waiters);
    h->key_n = name.n;
    memcpy(h->key, name.p, name.n);
    return h;
}

static void hold_timeout(struct loop_timer *timer)
{
    struct hold_wait *w = timer->ctx;
    ASSERT(w->hold && !w->held);
    list_del(&w->node);
    w->hold = NULL;
    w->got(w, false);
}

enum hold_result hold_take(struct holds *t, const uint8_t scope[ID_BYTES], struct slice key, struct hold_wait *w)
{
    ASSERT(!w->hold && !w->held && key.n <= S3_KEY_BYTES_MAX);
    uint8_t name[ID_BYTES + S3_KEY_BYTES_MAX];
    memcpy(name, scope, ID_BYTES);
    if (key.n) memcpy(name + ID_BYTES, key.p, key.n);
    struct slice s = slice_of(name, ID_BYTES + key.n);

    struct hold *h = map_get(t->by_key, s);
    w->table = t;
    if (h && !BREAK("skip-hold")) {
        ASSERT(h->magic == HOLD_MAGIC && h->owner);
        w->hold = h;
        w->timer.fire = hold_timeout;
        w->timer.ctx = w;
        list_add_tail(&h->waiters, &w->node);
        loop_timer_set(t->loop, &w->timer, HOLD_WAIT_MS);
        return HOLD_WAITING;
    }
    if (h) {                                       /* the break: two owners of one key; the second one's release does nothing */
        w->held = true;
        w->hold = NULL;
        return HOLD_TAKEN;
    }
    if (t->count >= HOLDS_MAX) return HOLD_FULL;
    h = hold_make(t, s);
    if (map_put(t->by_key, s, h) != ERR_OK) {
        h->next_free = t->spare;
        t->spare = h;
        return HOLD_FULL;
    }
    t->count++;
    h->owner = w;
    w->hold = h;
    w->held = true;
    return HOLD_TAKEN;
}

void hold_release(struct hold_wait *w)
{
    if (!w->hold) {
        w->held = false;
        return;
    }
    struct hold *h = w->hold;
    struct holds *t = w->table;
    ASSERT(h->magic == HOLD_MAGIC);
    w->hold = NULL;
    if (!w->held) {                                /* was waiting */
        loop_timer_cancel(t->loop, &w->timer);
        list_del(&w->node);
        return;
    }
    w->held = false;
    ASSERT(h->owner == w);
    if (!list_empty(&h->waiters)) {
        struct hold_wait *next = container_of(h->waiters.next, struct hold_wait, node);
        list_del(&next->node);
        loop_timer_cancel(t->loop, &next->timer);
        h->owner = next;
        next->held = true;
        next->got(next, true);
        return;
    }
    void *was = map_del(t->by_key, slice_of(h->key, h->key_n));
    ASSERT(was == h);
    h->magic = 0;
    h->owner = NULL;
    h->next_free = t->spare;
    t->spare = h;
    t->count--;
}
