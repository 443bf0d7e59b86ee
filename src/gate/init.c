/* SPDX-License-Identifier: Apache-2.0
 * `tillit-gate DIR --init`: takes the first statements of a store from stdin, one after another, through the same door as all others.
 * Role: `tillit init` runs it before anything is served; there is no other way to make a genesis.
 * Trusts: nothing more than statements.c does.
 * Law: 6 (a genesis is a signature, not a flag)
 * Spec: docs/spec/statement.md, docs/spec/dir.md
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "gate/gate.h"

#define INIT_BYTES_MAX (1024 * 1024)

struct init {
    struct gate *gate;
    json_t *in, *out;
    size_t next;
    int code;
    struct loop_after again;
};

static void submit_next(struct loop_after *a);

static void submitted(void *ctx, uint16_t status, struct slice json)
{
    struct init *n = ctx;
    json_t *j = json_loadb((const char *)json.p, json.n, 0, NULL);
    ASSERT(j);
    json_array_append_new(n->out, j);
    if (status >= 300) n->code = 1;
    n->again.run = submit_next, n->again.ctx = n;
    loop_after_add(n->gate->loop, &n->again);
}

static void submit_next(struct loop_after *a)
{
    struct init *n = a->ctx;
    if (n->code != 0 || n->next == json_array_size(n->in)) {
        loop_stop(n->gate->loop);
        return;
    }
    char *text = json_dumps(json_array_get(n->in, n->next++), JSON_COMPACT);
    ASSERT(text);
    statements_submit(n->gate, slice_str(text), SLICE_LIT("init"), submitted, n);
    free(text);
}

int init_run(struct gate *g)
{
    json_error_t at;
    static char text[INIT_BYTES_MAX];
    size_t size = fread(text, 1, sizeof text, stdin);
    struct init n = {.gate = g, .in = json_loadb(text, size, 0, &at), .out = json_array()};
    if (!json_is_array(n.in)) {
        fprintf(stderr, "tillit-gate --init: stdin must hold a JSON array of statements: %s\n", at.text);
        return 2;
    }
    n.again.run = submit_next, n.again.ctx = &n;
    loop_after_add(g->loop, &n.again);
    loop_run(g->loop);
    json_dumpf(n.out, stdout, JSON_COMPACT | JSON_SORT_KEYS);
    putchar('\n');
    fflush(stdout);
    json_decref(n.in), json_decref(n.out);
    return n.code;
}
