/* SPDX-License-Identifier: Apache-2.0
 * quota: see quota.h.
 * Role: asked by step.c before the decision and by the operations that add, before their leaf; told by keeper_link.c and flow.c.
 * Trusts: the keeper's counts (a keeper that lies can only let its own disk fill, or refuse). Distrusts: how many ask at once.
 * Law: 1 (what is refused for room stands on the log). Spec: docs/ops/limits.md, docs/spec/entry.md table Q.
 */
#include "gate/quota.h"

#include "gate/request.h"
#include "record/record.h"

#define DAY_MS 86400000ull
#define TOKEN 1000u                                /* one request */

/* the day ------------------------------------------------------------------------------------------------------------------- */

static bool leaf_before(struct gate_log *l, uint64_t index, uint64_t t)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    struct record_leaf r;
    enum err e = log_read(l, index, &leaf, &opening);
    (void)e;                                       /* an opening that was erased does not matter here: what came of the leaf is looked at */
    if (leaf.n == 0 || record_leaf_parse(buf_slice(&leaf), RECORD_LOG_ACCESS, &r) != ERR_OK) return true;    /* not there any more: long ago */
    return record_int(&r, RECORD_F_T, 0) < t;
}

/* At a start: the first leaf of today, by halving: times on a log never fall. */
static uint64_t find_day(struct gate_log *l, uint64_t begin_ms)
{
    uint64_t low = 0, high = log_durable(l);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (leaf_before(l, middle, begin_ms)) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void day_turn(struct gate *g, struct gate_tenant *t)
{
    struct quota *q = &t->flow->quota;
    uint64_t now;
    if (log_time(t->access, loop_wall_ms(g->loop), &now) != ERR_OK) return;       /* nothing is recorded then anyway */
    uint64_t day = now / DAY_MS;
    if (q->day_known && day == q->day) return;
    q->day_begin = q->day_known ? log_size(t->access) : find_day(t->access, day * DAY_MS);
    q->day = day;
    q->day_known = true;
}

uint64_t quota_records(struct gate *g, struct gate_tenant *t)
{
    struct quota *q = &t->flow->quota;
    if (q->limit.records_per_day == 0) return 0;
    day_turn(g, t);
    return q->day_known ? log_size(t->access) - q->day_begin : 0;
}

void quota_begin(struct gate *g, struct gate_tenant *t)
{
    struct quota *q = &t->flow->quota;
    conf_quota_of(&g->conf, slice_str(t->name), &q->limit);
    q->limit.requests_per_second = MIN(q->limit.requests_per_second, (uint64_t)QUOTA_RATE_MAX);
    q->tokens = q->limit.requests_per_second * QUOTA_BURST_MS;
    q->tokens_ms = loop_now_ms(g->loop);
    (void)quota_records(g, t);
}

/* asking ---------------------------------------------------------------------------------------------------------------------- */

static bool take_token(struct quota *q, uint64_t now)
{
    uint64_t rate = q->limit.requests_per_second, passed = MIN(now - q->tokens_ms, (uint64_t)QUOTA_BURST_MS);
    if (rate == 0) return true;
    q->tokens = MIN(q->tokens + passed * rate, rate * QUOTA_BURST_MS);    /* a thousandth of a request a millisecond and request a second */
    q->tokens_ms = now;
    if (q->tokens < TOKEN) return false;
    q->tokens -= TOKEN;
    return true;
}

/* What a tenant can do past its records of the day: look at what was recorded, and make room. */
static bool always(const struct gate_request *r)
{
    if (r->ask.flags & WIRE_ASK_API) return slice_is(r->s3.path, "/v1/openings");
    switch (r->op) {
    case S3_OP_DeleteObject:
    case S3_OP_DeleteObjectVersion:
    case S3_OP_DeleteObjects:
    case S3_OP_AbortMultipartUpload:
    case S3_OP_DeleteBucket: return true;
    default: return false;
    }
}

bool quota_admit(struct gate_request *r)
{
    struct gate_flow *f = r->tenant->flow;
    struct quota *q = &f->quota;
    if (!take_token(q, loop_now_ms(r->gate->loop))) return false;
    if (q->limit.records_per_day == 0 || always(r)) return true;
    /* Who is in flight has a leaf to come, or it stands already and is counted twice for a moment. */
    return quota_records(r->gate, r->tenant) + f->in_flight < q->limit.records_per_day;
}

static bool fits(uint64_t limit, uint64_t kept, uint64_t in_flight, uint64_t more)
{
    if (limit == 0 || more == 0) return true;
    return kept <= limit && in_flight <= limit - kept && more <= limit - kept - in_flight;
}

enum s3_error quota_take(struct gate_request *r, uint64_t objects, uint64_t bytes)
{
    struct quota *q = &r->tenant->flow->quota;
    const char *what = NULL;
    if (!fits(q->limit.objects, q->objects, q->objects_in_flight, objects)) what = "The quota of objects is used up: what was deleted counts until it is purged";
    if (!fits(q->limit.bytes, q->bytes, q->bytes_in_flight, bytes)) what = "The quota of stored bytes is used up: what was deleted counts until it is purged";
    if (what) return s3_fault_set(&r->fault, S3E_QuotaExceeded, what);
    q->objects_in_flight += objects;
    q->bytes_in_flight += bytes;
    r->quota_objects += objects;
    r->quota_bytes += bytes;
    return S3E_NONE;
}

void quota_give(struct gate_request *r)
{
    if (!r->quota_objects && !r->quota_bytes) return;
    struct quota *q = &r->tenant->flow->quota;
    ASSERT(q->objects_in_flight >= r->quota_objects && q->bytes_in_flight >= r->quota_bytes);
    q->objects_in_flight -= r->quota_objects;
    q->bytes_in_flight -= r->quota_bytes;
    r->quota_objects = r->quota_bytes = 0;
}

/* being told ------------------------------------------------------------------------------------------------------------------ */

void quota_settled(struct gate_tenant *t, const struct wire_settled *m)
{
    t->flow->quota.objects = m->objects;
    t->flow->quota.bytes = m->bytes;
}

enum err quota_usage(struct gate *g, const struct wire_usage *m)
{
    struct reader r = reader_of(m->usages);
    while (reader_left(&r) > 0) {
        struct slice log = reader_slice(&r, ID_BYTES);
        uint64_t objects = reader_u64(&r), bytes = reader_u64(&r);
        if (r.bad) return ERR_INPUT;
        struct gate_tenant *t = g->by_log ? map_get(g->by_log, log) : NULL;
        if (!t || !t->flow) continue;
        t->flow->quota.objects = objects;
        t->flow->quota.bytes = bytes;
        t->flow->quota.told = true;
    }
    return ERR_OK;
}

void quota_ready(struct gate *g)
{
    for (size_t i = 0; i < g->tenant_count; i++) {
        struct gate_flow *f = g->tenant_list[i]->flow;
        if (!f) continue;
        if (!f->quota.told) f->quota.objects = f->quota.bytes = 0;
        f->quota.told = false;
    }
}
