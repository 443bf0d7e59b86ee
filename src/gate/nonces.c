/* SPDX-License-Identifier: Apache-2.0
 * nonces: two generations of nonces; the older one goes when the younger one is keep_ms old.
 * Role: asked by statements.c before a statement is looked at further, told when one is taken. Trusts: its caller for who signed.
 * Distrusts: how many statements come, and the wall clock. Law: 6. Spec: docs/spec/statement.md section 1.
 */
#include "gate/nonces.h"

#include <stdlib.h>

struct nonces {
    struct map *young, *old;
    size_t max;
    uint64_t keep_ms, turned_ms, newest_ms;
};
static char mark;

struct nonces *nonces_new(size_t max, uint64_t keep_ms)
{
    struct nonces *n = calloc(1, sizeof *n);
    ASSERT(n);
    n->max = max;
    n->keep_ms = keep_ms;
    n->young = map_new(max);
    n->old = map_new(max);
    ASSERT(n->young && n->old);
    return n;
}

void nonces_free(struct nonces *n)
{
    if (!n) return;
    map_free(n->young);
    map_free(n->old);
    free(n);
}

static void nonces_turn(struct nonces *n, uint64_t now_ms)
{
    if (now_ms <= n->turned_ms + n->keep_ms) return;
    map_free(n->old);
    n->old = n->young;
    n->young = map_new(n->max);
    ASSERT(n->young);
    n->turned_ms = now_ms;
}

enum err nonces_check(struct nonces *n, struct slice nonce, uint64_t now_ms)
{
    /* A clock that ran ahead and was set back: what it made us forget could be sent again. */
    if (now_ms + n->keep_ms / 2 < n->newest_ms) return ERR_STALE;
    n->newest_ms = MAX(n->newest_ms, now_ms);
    nonces_turn(n, now_ms);
    if (map_get(n->young, nonce) || map_get(n->old, nonce)) return ERR_EXISTS;
    return map_count(n->young) < n->max ? ERR_OK : ERR_FULL;
}

enum err nonces_note(struct nonces *n, struct slice nonce, uint64_t now_ms)
{
    TRY(nonces_check(n, nonce, now_ms));
    return map_put(n->young, nonce, &mark);
}
