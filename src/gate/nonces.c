/* SPDX-License-Identifier: Apache-2.0
 * nonces: two generations of nonces; the older one goes when the younger one is keep_ms old. Whose the young ones are is counted.
 * Role: asked by statements.c before a statement is looked at further, told when one is taken. Trusts: its caller for who signed.
 * Distrusts: how many statements come, and the wall clock. Law: 6. Spec: docs/spec/statement.md section 1.
 */
#include "gate/nonces.h"

#include <stdlib.h>

struct nonces {
    struct map *young, *old;
    struct map *counts;                            /* of the young ones: by side, by key */
    struct nonces_bounds max;
    uint64_t keep_ms, turned_ms, newest_ms;
};
static char mark;

static void young_new(struct nonces *n)
{
    n->young = map_new(n->max.all);
    n->counts = map_new(2 * n->max.all);
    ASSERT(n->young && n->counts);
}

struct nonces *nonces_new(struct nonces_bounds b, uint64_t keep_ms)
{
    struct nonces *n = calloc(1, sizeof *n);
    ASSERT(n);
    n->max = b;
    n->keep_ms = keep_ms;
    young_new(n);
    n->old = map_new(b.all);
    ASSERT(n->old);
    return n;
}

void nonces_free(struct nonces *n)
{
    if (!n) return;
    map_free(n->young);
    map_free(n->old);
    map_free(n->counts);
    free(n);
}

static void nonces_turn(struct nonces *n, uint64_t now_ms)
{
    if (now_ms <= n->turned_ms + n->keep_ms) return;
    map_free(n->old);
    map_free(n->counts);
    n->old = n->young;
    young_new(n);
    n->turned_ms = now_ms;
}

static size_t count_of(const struct nonces *n, struct slice who) { return who.n ? (size_t)(uintptr_t)map_get(n->counts, who) : 0; }

static enum err count_up(struct nonces *n, struct slice who)
{
    size_t had = count_of(n, who);
    if (!who.n) return ERR_OK;
    if (had) (void)map_del(n->counts, who);
    return map_put(n->counts, who, (void *)(uintptr_t)(had + 1));
}

enum err nonces_check(struct nonces *n, struct nonces_by by, struct slice nonce, uint64_t now_ms)
{
    /* A clock that ran ahead and was set back: what it made us forget could be sent again. */
    if (now_ms + n->keep_ms / 2 < n->newest_ms) return ERR_STALE;
    n->newest_ms = MAX(n->newest_ms, now_ms);
    nonces_turn(n, now_ms);
    if (map_get(n->young, nonce) || map_get(n->old, nonce)) return ERR_EXISTS;
    if (count_of(n, by.side) >= n->max.side || count_of(n, by.key) >= n->max.key) return ERR_FULL;
    return map_count(n->young) < n->max.all ? ERR_OK : ERR_FULL;
}

enum err nonces_note(struct nonces *n, struct nonces_by by, struct slice nonce, uint64_t now_ms)
{
    TRY(nonces_check(n, by, nonce, now_ms));
    TRY(map_put(n->young, nonce, &mark));
    TRY(count_up(n, by.side));
    return count_up(n, by.key);
}
