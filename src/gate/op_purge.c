/* SPDX-License-Identifier: Apache-2.0
 * op_purge: removes from the grave what is past its due time, tenant by tenant, one write leaf each.
 * Role: the steward's tick (TEND_GRAVE). Trusts: flow.c's marks of due times, which may be early, never late.
 * Law: 1 (the steward's writes are on record like any other). Spec: docs/spec/order.md (PURGE).
 */
#include "gate/request.h"
#include "record/record.h"

static void put_commit(struct gate *g, struct record_writer *w, enum record_field f, struct slice value)
{
    uint8_t salt[SALT_BYTES];
    rng_fill(g->rng, salt, sizeof salt);
    record_put_commit(w, &g->hash, f, salt, value);
}

static enum err purge_leaf(struct gate *g, struct gate_tenant *t, uint64_t at, struct buf *leaf, struct buf *opening)
{
    struct record_writer w;
    AUTO(buf) struct buf who = BUF_INIT(64);
    AUTO(buf) struct buf obj = BUF_INIT(64);
    struct policy_who nobody = {0};
    struct policy_request q = {.auth = POLICY_AUTH_AUTO, .act = POLICY_ACT_PurgeGrave, .t_ms = at};
    struct policy_decision d = policy_decide(t->state, &q);
    uint8_t id[ID_BYTES];
    if (!d.allow) return ERR_AUTH;
    ASSERT(d.ctl == log_size(t->control));         /* rule 14 */
    rng_fill(g->rng, id, sizeof id);
    policy_who_put(&who, POLICY_AUTH_AUTO, &nobody);
    record_obj_put(&obj, &(struct record_obj){0});
    record_begin(&w, RECORD_K_ACC, leaf, opening);
    record_put_text(&w, RECORD_F_ACT, SLICE_LIT("PurgeGrave"));
    record_put_text(&w, RECORD_F_AUTH, slice_str(policy_auth_text(POLICY_AUTH_AUTO)));
    record_put_int(&w, RECORD_F_CTL, d.ctl);
    record_put_text(&w, RECORD_F_DEC, SLICE_LIT("allow"));
    record_put_int(&w, RECORD_F_ENG, d.engine);
    record_put_id(&w, RECORD_F_ID, id);
    put_commit(g, &w, RECORD_F_OBJ, buf_slice(&obj));
    put_commit(g, &w, RECORD_F_PEER, SLICE_LIT("local"));
    record_put_int(&w, RECORD_F_T, at);
    record_put_int(&w, RECORD_F_W, 1);
    put_commit(g, &w, RECORD_F_WHO, buf_slice(&who));
    return record_end(&w);
}

static void purge_tenant(struct gate *g, struct gate_tenant *t, uint64_t now)
{
    uint64_t at;
    if (!logbook_ready(g->logbook, false) || log_time(t->access, now, &at) != ERR_OK) return;
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX);
    AUTO(buf) struct buf opening = BUF_INIT(OPENING_BYTES_MAX);
    if (purge_leaf(g, t, at, &leaf, &opening) != ERR_OK) return;
    struct gate_write *w = flow_write_new(g, t);
    size_t n = MIN(map_count(t->bucket_ids), (size_t)GATE_PURGE_BUCKETS_MAX), cursor = 0;
    command_begin(&w->command, COMMAND_PURGE, at);
    command_purge(&w->command, at, n);             /* deleted buckets too: their graves outlive them */
    for (struct gate_bucket *b; n && (b = map_next(t->bucket_ids, &cursor, NULL)); n--) command_purge_bucket(&w->command, b->id, b->dead);
    ASSERT(buf_ok(&w->command));
    struct log_append a = {.leaf = buf_slice(&leaf), .opening = buf_slice(&opening), .command = buf_slice(&w->command), .void_ref = UINT64_MAX};
    flow_write_appended(w, logbook_append(g->logbook, t->access, &a, &w->wait));
    struct gate_flow *f = t->flow;
    size_t passed = 0;
    while (passed < f->grave_mark_count && f->grave_marks[passed] <= at) passed++;
    memmove(f->grave_marks, f->grave_marks + passed, (f->grave_mark_count - passed) * sizeof f->grave_marks[0]);
    f->grave_mark_count -= passed;
}

void op_purge_all(struct gate *g)
{
    uint64_t now = loop_wall_ms(g->loop);
    for (size_t i = 0; i < g->tenant_count; i++) {
        struct gate_tenant *t = g->tenant_list[i];
        struct gate_flow *f = t->flow;
        if (t->served && f->grave_mark_count && f->grave_marks[0] <= now) purge_tenant(g, t, now);
    }
}
