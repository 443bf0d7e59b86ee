/* SPDX-License-Identifier: Apache-2.0
 * content: what can be checked of a log's leaves without their openings.
 * Role: every leaf canonical and allowed in its log, time never falls, a void names an earlier write once, what was denied wrote
 *       nothing, epochs in order. Trusts: nothing. Distrusts: every leaf.
 * Law: 1 (denied: no effect). Spec: docs/spec/record.md sections 1, 3, 4
 */
#include "verify/verify.h"

#include <stdlib.h>

enum { MARK_WRITE = 1, MARK_VOID = 2 };

static bool mark(struct verify_content *c, uint64_t index, uint8_t bit)
{
    if (index >= c->mark_cap) {
        uint64_t cap = MAX(index + 1, MAX(c->mark_cap * 2, (uint64_t)4096));
        uint8_t *grown = realloc(c->marks, (size_t)cap);
        ASSERT(grown);
        memset(grown + c->mark_cap, 0, (size_t)(cap - c->mark_cap));
        c->marks = grown;
        c->mark_cap = cap;
    }
    bool had = c->marks[index] & bit;
    c->marks[index] |= bit;
    return had;
}

static void void_leaf(struct verify_content *c, uint64_t index, const struct record_leaf *l)
{
    uint64_t ref = record_int(l, RECORD_F_REF, 0);
    c->voids++;
    if (ref >= index || ref >= c->mark_cap || !(c->marks[ref] & MARK_WRITE))
        verify_find(c->report, "bad-void", c->log->name, index, "ref %llu is no earlier write leaf", (unsigned long long)ref);
    else if (mark(c, ref, MARK_VOID))
        verify_find(c->report, "bad-void", c->log->name, index, "leaf %llu had its void already", (unsigned long long)ref);
}

void verify_content_leaf(void *ctx, uint64_t index, struct slice entry)
{
    struct verify_content *c = ctx;
    struct record_leaf l;
    enum err e = record_leaf_parse(entry, c->log->kind, &l);
    if (e != ERR_OK) {
        verify_find(c->report, "bad-leaf", c->log->name, index, "not a leaf of this log: %s", err_text(e));
        return;
    }
    uint64_t t = record_int(&l, RECORD_F_T, 0);
    if (index == 0) c->log->first_t_ms = t;
    if (t < c->t_ms)
        verify_find(c->report, "time-falls", c->log->name, index, "t is %llu after %llu", (unsigned long long)t, (unsigned long long)c->t_ms);
    c->t_ms = t;
    bool denied = record_has(&l, RECORD_F_DEC) && !slice_is(record_text(&l, RECORD_F_DEC), "allow");
    c->denied += denied;
    if (record_int(&l, RECORD_F_W, 0) == 1) {
        c->writes++;
        mark(c, index, MARK_WRITE);
        if (denied) verify_find(c->report, "denied-write", c->log->name, index, "a write leaf whose decision is deny");
    }
    if (l.kind == RECORD_K_VOID) void_leaf(c, index, &l);
    if (l.kind == RECORD_K_EPOCH && c->heads) verify_heads_epoch(c->heads, index, &l);
    if (c->log->kind == RECORD_LOG_CONTROL && (l.kind == RECORD_K_GENESIS) != (index == 0))
        verify_find(c->report, "bad-genesis", c->log->name, index, "a control log begins with its genesis, and has no other");
}

void verify_content_done(struct verify_content *c)
{
    free(c->marks);
    c->marks = NULL;
}
