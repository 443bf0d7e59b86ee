/* SPDX-License-Identifier: Apache-2.0
 * Reader capabilities: which text below /log/ names which log, and how often it was used.
 * Role: conn.c asks for every LOGREAD; statements.c adds and revokes; the steward's tick makes the summaries.
 * Trusts: the fold of the control and provider logs. Distrusts: the text in a URL.
 * Law: 5 (a capability names one log and nothing else), 2 (fetches are on record, P3.09).
 * Spec: docs/spec/log.md, docs/spec/record.md (kinds rdr, fetch)
 */
#include "gate/tenants.h"

#include <stdlib.h>

#define READER_HEADS "heads"           /* the heads log is public: its capability is its name */
#define READERS_PER_TENANT 64

static struct gate_reader heads_reader = {.capability = READER_HEADS, .public = true};

void readers_init(struct gate *g)
{
    g->readers = map_new(TENANTS_MAX * 4);
    ASSERT(g->readers);
}

void readers_fold(struct gate *g, struct gate_tenant *t, bool on, struct slice value)
{
    if (value.n < 2 || value.n > ID_TEXT_CHARS + 1) return;        /* erased: the capability is gone with its opening */
    struct slice capability = slice_of(value.p + 1, value.n - 1);
    if (!on) {
        free(map_del(g->readers, capability));
        return;
    }
    struct gate_reader *r = calloc(1, sizeof *r);
    ASSERT(r);
    r->tenant = t;
    r->log = !t ? g->provider : value.p[0] == LOG_KIND_CONTROL ? t->control : t->access;
    memcpy(r->capability, capability.p, capability.n);
    if (map_put(g->readers, capability, r) != ERR_OK) free(r);
}

struct gate_log *readers_find(struct gate *g, struct slice capability)
{
    if (slice_is(capability, READER_HEADS)) {
        heads_reader.log = g->heads;
        return g->heads;
    }
    struct gate_reader *r = map_get(g->readers, capability);
    if (!r) return NULL;
    r->fetches++;
    return r->log;
}

static void summarise(struct gate *g, struct gate_reader *r)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX), value = BUF_INIT(64);
    uint8_t salt[SALT_BYTES];
    uint64_t t;
    struct record_writer w;
    if (log_time(r->tenant->access, loop_wall_ms(g->loop), &t) != ERR_OK) return;
    rng_fill(g->rng, salt, sizeof salt);
    buf_put_u8(&value, (uint8_t)log_kind_of(r->log));
    buf_put_str(&value, r->capability);
    record_begin(&w, RECORD_K_FETCH, &leaf, &opening);
    record_put_int(&w, RECORD_F_N, r->fetches);
    record_put_commit(&w, &g->hash, RECORD_F_RDR, salt, buf_slice(&value));
    record_put_int(&w, RECORD_F_T, t);
    enum err e = record_end(&w);
    ASSERT(e == ERR_OK);
    const struct log_append a = {.leaf = buf_slice(&leaf), .opening = buf_slice(&opening), .void_ref = UINT64_MAX};
    logbook_append(g->logbook, r->tenant->access, &a, NULL);
    r->fetches = 0;
}

void readers_summarise(struct gate *g)
{
    size_t cursor = 0;
    struct slice key;
    if (!logbook_ready(g->logbook, false)) return;
    for (struct gate_reader *r; (r = map_next(g->readers, &cursor, &key));)
        if (r->tenant && r->tenant->served && r->fetches > 0) summarise(g, r);
}
