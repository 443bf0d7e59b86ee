/* SPDX-License-Identifier: Apache-2.0
 * request: the pool of requests, their table by id, and the one way out of the gate.
 * Role: from ASK to answer. Trusts: the operations to call back. Distrusts: peers (ids are theirs, bounds are ours).
 * Law: 1, 2. Spec: docs/spec/wire.md, docs/spec/order.md.
 */
#include "gate/request.h"

#include <assert.h>
#include <stdlib.h>

#include "gate/conn.h"

#define REQUEST_MAGIC 0x52455155u
#define TABLE_SLOTS 4096
#define HEADERS_OUT_MAX 16384
#define KEEP_BYTES 16384                           /* a pooled request's buffers above this are freed */

static_assert((TABLE_SLOTS & (TABLE_SLOTS - 1)) == 0, "slots are masked");

struct gate_requests {
    struct gate_request *table[TABLE_SLOTS];
    struct list spare, orphans;
    size_t count, spare_count;
};

struct gate_requests *requests_new(struct gate *g)
{
    (void)g;
    struct gate_requests *p = calloc(1, sizeof *p);
    ASSERT(p);
    list_init(&p->spare);
    list_init(&p->orphans);
    return p;
}

static void request_free(struct gate_request *r)
{
    buf_done(&r->payload);
    buf_done(&r->mem);
    buf_done(&r->body_bytes);
    buf_done(&r->headers_out);
    buf_done(&r->scratch);
    buf_done(&r->leaf);
    buf_done(&r->opening);
    buf_done(&r->ctx);
    free(r);
}

size_t requests_count(const struct gate_requests *p) { return p->count; }

static struct gate_request **table_slot(struct gate_requests *p, const struct gate_conn *c, uint64_t wire_id)
{
    uint64_t h = (wire_id + (c ? c->number << 40 : 0)) * 0x9e3779b97f4a7c15ull;
    return &p->table[h >> 52 & (TABLE_SLOTS - 1)];
}

struct gate_request *request_find(struct gate *g, struct gate_conn *c, uint64_t wire_id)
{
    struct gate_request *r = *table_slot(g->requests, c, wire_id);
    while (r && (r->conn != c || r->wire_id != wire_id)) r = r->by_id;
    return r;
}

static void table_remove(struct gate_request *r)
{
    struct gate_request **at = table_slot(r->gate->requests, r->conn, r->wire_id);
    while (*at && *at != r) at = &(*at)->by_id;
    ASSERT(*at == r);
    *at = r->by_id;
    r->by_id = NULL;
}

static struct gate_request *request_make(void)
{
    struct gate_request *r = calloc(1, sizeof *r);
    ASSERT(r);
    buf_init(&r->payload, WIRE_FRAME_BYTES_MAX);
    buf_init(&r->mem, 4 * S3_CANONICAL_BYTES_MAX);
    buf_init(&r->body_bytes, S3_DELETE_BODY_BYTES_MAX);
    buf_init(&r->headers_out, HEADERS_OUT_MAX);
    buf_init(&r->scratch, ENTRY_BYTES_MAX + ENTRY_META_BYTES_MAX);
    buf_init(&r->leaf, LEAF_BYTES_MAX);
    buf_init(&r->opening, OPENING_BYTES_MAX);
    buf_init(&r->ctx, POLICY_CTX_BYTES_MAX);
    list_init(&r->node);
    list_init(&r->waiting);
    r->magic = REQUEST_MAGIC;
    return r;
}

struct gate_request *request_new(struct gate *g, struct gate_conn *c, uint64_t wire_id)
{
    struct gate_requests *p = g->requests;
    if (p->count >= REQUESTS_MAX) return NULL;
    struct gate_request *r;
    if (list_empty(&p->spare)) {
        r = request_make();
    } else {
        r = container_of(p->spare.next, struct gate_request, node);
        list_del(&r->node);
        p->spare_count--;
    }
    ASSERT(r->magic == REQUEST_MAGIC);
    p->count++;
    r->gate = g;
    r->conn = c;
    r->wire_id = wire_id;
    r->state = REQUEST_WORKING;
    r->since_ms = loop_now_ms(g->loop);
    r->now_ms = loop_wall_ms(g->loop);
    rng_fill(g->rng, r->id, sizeof r->id);
    if (c) {
        struct gate_request **slot = table_slot(p, c, wire_id);
        r->by_id = *slot;
        *slot = r;
        list_add_tail(&c->requests, &r->node);
    } else {
        list_add_tail(&p->orphans, &r->node);
    }
    return r;
}

void request_orphan(struct gate_request *r)
{
    if (!r->conn) return;
    table_remove(r);
    list_del(&r->node);
    r->conn = NULL;
    list_add_tail(&r->gate->requests->orphans, &r->node);
    /* What nobody decided yet, or what only the client could carry on, ends here. */
    if (r->state == REQUEST_BODY || r->state == REQUEST_TICKET || r->state == REQUEST_PARKED || r->state == REQUEST_NEXT ||
        r->state == REQUEST_LINE)
        request_end(r);
}

static void trim(struct buf *b)
{
    if (b->cap > KEEP_BYTES) buf_done(b);
    else buf_reset(b);
}

void request_end(struct gate_request *r)
{
    ASSERT(r->magic == REQUEST_MAGIC && r->state != REQUEST_ANSWERED);
    struct gate_requests *p = r->gate->requests;
    if (r->cleanup) r->cleanup(r);
    meter_leave(r);
    request_unhold(r);
    keeper_forget(r->gate, &r->find);
    r->bucket = NULL;
    if (r->counted) r->tenant->flow->in_flight--;
    quota_give(r);
    ASSERT(!r->write);                             /* an appended write ends its request, never the other way round */
    if (r->conn) table_remove(r);
    list_del(&r->node);
    list_del(&r->waiting);
    trim(&r->payload);
    trim(&r->mem);
    trim(&r->body_bytes);
    trim(&r->headers_out);
    trim(&r->scratch);
    trim(&r->leaf);
    trim(&r->opening);
    trim(&r->ctx);
    r->state = REQUEST_ANSWERED;
    r->conn = NULL;
    r->tenant = NULL;
    r->verified = NULL;
    r->decided = NULL;
    r->counted = false;
    r->cleanup = NULL;
    r->body = NULL;
    r->next = NULL;
    r->durable = NULL;
    r->header_count = r->uns_count = 0;
    r->op = S3_OP_NONE;
    r->act = NULL;
    r->find_sent = 0;
    r->vid = slice_of(NULL, 0);
    r->vid_null = false;
    r->vid_index = r->vid_order = 0;
    r->has_ctx = r->object_known = false;
    r->sub_value = r->doc_value = r->tagging = slice_of(NULL, 0);
    r->fault.code = S3E_NONE;
    r->fault.message = NULL;
    r->fault.extra_count = 0;
    r->name = (struct s3_name){0};
    r->opens = (struct request_opens){0};
    r->stream = (struct meter_stream){0};
    memset(&r->u, 0, sizeof r->u);
    memset(&r->recorded_box, 0, sizeof r->recorded_box);
    p->count--;
    if (p->spare_count >= GATE_POOL_SPARE_MAX) {
        r->magic = 0;
        request_free(r);
        return;
    }
    list_add_tail(&p->spare, &r->node);
    p->spare_count++;
}

enum hold_result request_hold(struct gate_request *r, void (*got)(struct hold_wait *w, bool yes))
{
    ASSERT(r->bucket && !r->in_bucket);
    if (r->bucket->closing) return HOLD_FULL;      /* rule 9: DeleteBucket holds the bucket */
    r->hold.got = got;
    r->hold.ctx = r;
    enum hold_result h = hold_take(r->gate->holds, r->bucket->id, r->name.key, &r->hold);
    if (h == HOLD_FULL) return h;
    r->bucket->holds++;
    r->in_bucket = true;
    return h;
}

void request_unhold(struct gate_request *r)
{
    hold_release(&r->hold);
    if (!r->in_bucket) return;
    ASSERT(r->bucket && r->bucket->holds > 0);
    r->in_bucket = false;
    r->bucket->holds--;
}

struct slice request_header(const struct gate_request *r, const char *name)
{
    return s3_header_value(r->headers, r->header_count, name);
}

const struct s3_param *request_param(const struct gate_request *r, const char *name)
{
    return s3_param_find(r->s3.params, r->s3.param_count, name);
}

/* versions ---------------------------------------------------------------------------------------------------------------- */

/* As the control log says now (LAW-4); a bucket that is gone was never versioned. */
static enum policy_versioning request_versioning(const struct gate_request *r)
{
    const struct policy_bucket *b = r->bucket ? policy_bucket_of_id(r->tenant->state, r->bucket->id) : NULL;
    return b ? b->versioning : POLICY_VERSIONING_OFF;
}

bool request_versioned(const struct gate_request *r) { return request_versioning(r) != POLICY_VERSIONING_OFF; }

/* Only then can a write end a null version that is not the current one. */
bool request_wants_null(const struct gate_request *r) { return request_versioning(r) == POLICY_VERSIONING_SUSPENDED; }

uint8_t request_entry_flags(const struct gate_request *r)
{
    return request_versioning(r) == POLICY_VERSIONING_ENABLED ? 0 : ENTRY_NULL;
}

void request_turn(const struct gate_request *r, const struct wire_found *m, const struct entry *current, struct command_turn *out)
{
    *out = (struct command_turn){.guard = COMMAND_GUARD_ABSENT, .null_index = COMMAND_GUARD_ABSENT, .grave_ms = r->tenant->grave_ms};
    if (current) out->guard = current->index;
    switch (request_versioning(r)) {
    case POLICY_VERSIONING_OFF: break;             /* one version a key: what was there goes to the grave */
    case POLICY_VERSIONING_ENABLED: out->keep = current != NULL; break;
    case POLICY_VERSIONING_SUSPENDED:              /* one null version a key, wherever it stands */
        out->keep = current && !(current->flags & ENTRY_NULL);
        if (out->keep && m) out->null_index = m->null_index;
        break;
    }
}

void request_put_version(struct gate_request *r, const struct entry *e)
{
    if (!request_versioned(r)) return;
    /* A null version that a write of an object made while versioning is suspended goes unnamed, as AWS does it. */
    bool makes = r->op == S3_OP_PutObject || r->op == S3_OP_PostObject || r->op == S3_OP_CopyObject || r->op == S3_OP_CompleteMultipartUpload;
    if (makes && request_versioning(r) != POLICY_VERSIONING_ENABLED) return;
    AUTO(buf) struct buf text = BUF_INIT(ID_TEXT_CHARS);
    entry_version_text(e, &text);
    request_put_header(r, "x-amz-version-id", buf_slice(&text));
}

/* answers -------------------------------------------------------------------------------------------------------------- */

void request_put_header(struct gate_request *r, const char *name, struct slice value)
{
    wire_put_header(&r->headers_out, slice_str(name), value);
}

static void receipt_of(const struct recorded *rec, struct buf *out)
{
    if (!rec) return;
    ASSERT(recorded_durable(rec) || BREAK("release-before-durable"));   /* LAW-1: nothing is answered before its record */
    recorded_text(rec, out);
}

/* Browsers ask whoever answers; nothing is said of a tenant to somebody who did not come to it. */
void request_cors(struct gate_request *r)
{
    if (r->conn && r->tenant && request_header(r, "origin").p) cors_headers(r, &r->headers_out);
}

void request_fail(struct gate_request *r, const struct recorded *rec)
{
    AUTO(buf) struct buf receipt = BUF_INIT(96);
    AUTO(buf) struct buf elements = BUF_INIT(2048);
    ASSERT(r->fault.code != S3E_NONE);
    receipt_of(rec, &receipt);
    request_cors(r);
    if (r->conn) {
        for (size_t i = 0; i < r->fault.extra_count; i++)
            wire_put_header(&elements, slice_str(r->fault.extra[i].name), slice_str(r->fault.extra[i].value));
        const char *text = r->fault.message ? r->fault.message : s3_error_message(r->fault.code);
        struct wire_answer m = {.status = (uint16_t)s3_error_status(r->fault.code), .receipt = buf_slice(&receipt),
                                .code = slice_str(s3_error_code(r->fault.code)), .message = slice_str(text),
                                .elements = buf_slice(&elements), .headers = buf_slice(&r->headers_out),
                                .body_kind = r->fault.code == S3E_NotModified ? WIRE_BODY_NONE : WIRE_BODY_ERROR};
        memcpy(m.request, r->id, ID_BYTES);
        conn_put_answer(r->conn, r->wire_id, &m);
    }
    request_end(r);
}

void request_fail_code(struct gate_request *r, enum s3_error code, const char *message)
{
    r->fault.extra_count = 0;
    s3_fault_set(&r->fault, code, message);
    buf_reset(&r->headers_out);
    request_fail(r, NULL);
}

void request_answer(struct gate_request *r, const struct recorded *rec, uint16_t status, struct slice raw)
{
    AUTO(buf) struct buf receipt = BUF_INIT(96);
    receipt_of(rec, &receipt);
    request_cors(r);
    bool first = true;
    while (r->conn && (first || raw.n)) {
        size_t n = MIN(raw.n, (size_t)WIRE_DATA_BYTES_MAX / 2);
        struct wire_answer m = {.status = status, .body_kind = raw.n || !first ? WIRE_BODY_RAW : WIRE_BODY_NONE,
                                .receipt = buf_slice(&receipt), .body = slice_of(raw.p, n), .more = raw.n > n};
        memcpy(m.request, r->id, ID_BYTES);
        if (first) m.headers = buf_slice(&r->headers_out);
        conn_put_answer(r->conn, r->wire_id, &m);
        raw = slice_of(raw.p + n, raw.n - n);
        first = false;
    }
    request_end(r);
}

void request_want_body(struct gate_request *r, uint32_t size_max, void (*body)(struct gate_request *r, struct slice data, bool last))
{
    if (!r->conn) {
        request_end(r);
        return;
    }
    r->body = body;
    r->state = REQUEST_BODY;
    conn_put_wantbody(r->conn, r->wire_id, r->id, size_max);
}

bool request_may_record(struct gate_request *r, bool writes)
{
    if (writes && !r->gate->writable) {
        request_fail_code(r, S3E_ServiceUnavailable, "The store is full; reading goes on");
        return false;
    }
    if (logbook_ready(r->gate->logbook, writes)) return true;
    request_fail_code(r, S3E_ServiceUnavailable, "The record cannot be written; nothing was done");
    return false;
}
