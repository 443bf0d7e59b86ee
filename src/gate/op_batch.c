/* SPDX-License-Identifier: Apache-2.0
 * op_batch: DeleteObjects: one body, its keys held in sorted order, one leaf and one command per slice (rule 13).
 * Role: body -> holds -> FINDs -> slices -> settlement -> DeleteResult. Trusts: flow.c. Distrusts: the body until its digest fits.
 * Law: 1. Spec: docs/spec/order.md rule 13; docs/spec/record.md (`items`, `root`).
 */
#include <stdlib.h>

#include "gate/recent.h"
#include "gate/request.h"
#include "record/record.h"

#define BATCH_XML_BYTES_MAX (4 * 1024 * 1024)
#define SLICE_ITEMS_BYTES_MAX 48000                /* an opening takes OPENING_BYTES_MAX; the rest of it is small */
#define ITEM_DELETE 2
#define ITEM_ABSENT 0

struct batch;
struct item {
    struct batch *batch;
    struct slice key, etag;                        /* in the XML reader */
    struct keeper_ask find;
    struct hold_wait hold;
    bool held, twin;                               /* twin: the same key as the item before */
    uint64_t ver;
    enum s3_error code;
    uint32_t slot, order;                          /* place in the request */
};
struct batch {
    struct gate_request *r;
    struct s3_xml *xml;
    struct s3_sums sums;
    struct s3_body body;
    struct s3_delete_list list;
    struct item *items;                            /* sorted by key */
    size_t count, at, finding, slices_open;
    bool summing, counted, turn_held, failed, read_pending;
    struct hold_wait turn;                         /* at most one such job a tenant */
};
struct batch_slice {                               /* ctx of a slice's write */
    struct batch *batch;
    size_t from, to;
};

struct slice_of_keys {
    size_t from, to;
    bool write;
};

static size_t jobs;                                /* of all tenants: GATE_BATCHES_MAX */

static void batch_unhold(struct batch *b, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (!b->items[i].hold.hold && !b->items[i].held) continue;
        hold_release(&b->items[i].hold);
        if (b->items[i].held) b->r->bucket->holds--;
        b->items[i].held = false;
    }
}

static void batch_cleanup(struct gate_request *r)
{
    struct batch *b = r->u.job;
    if (!b) return;
    ASSERT(b->slices_open == 0);
    for (size_t i = 0; i < b->count; i++) keeper_forget(r->gate, &b->items[i].find);
    if (b->items) batch_unhold(b, 0, b->count);
    hold_release(&b->turn);
    if (b->counted) jobs--;
    if (b->summing) s3_sums_done(&b->sums);
    s3_xml_free(b->xml);
    free(b->items);
    free(b);
    r->u.job = NULL;
}

static void batch_refuse(struct gate_request *r, enum s3_error code)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    step_refuse(r);
}

/* the answer ---------------------------------------------------------------------------------------------------------------- */

static int by_order(const void *a, const void *b)
{
    const struct item *x = *(const struct item *const *)a, *y = *(const struct item *const *)b;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void batch_answer(struct batch *b)
{
    struct gate_request *r = b->r;
    AUTO(buf) struct buf xml = BUF_INIT(BATCH_XML_BYTES_MAX);
    struct item **in_order = calloc(b->count + 1, sizeof(struct item *));
    ASSERT(in_order);
    for (size_t i = 0; i < b->count; i++) in_order[i] = &b->items[i];
    qsort(in_order, b->count, sizeof(struct item *), by_order);
    s3_delete_begin(&xml);
    for (size_t i = 0; i < b->count; i++) {
        const struct item *x = in_order[i];
        if (x->code != S3E_NONE) s3_delete_error(&xml, x->key, x->code, NULL);
        else if (!b->list.quiet) s3_delete_row(&xml, x->key);
    }
    s3_delete_end(&xml);
    free(in_order);
    buf_reset(&r->headers_out);
    request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    request_answer(r, request_recorded(r), 200, buf_slice(&xml));
}

static void slice_unhold(struct gate_write *w)
{
    struct batch_slice *s = w->ctx;
    batch_unhold(s->batch, s->from, s->to);
}

static void slice_over(struct batch_slice *s, bool applied)
{
    struct batch *b = s->batch;
    for (size_t i = s->from; i < s->to; i++)
        if (!applied && b->items[i].code == S3E_NONE && b->items[i].ver != UINT64_MAX) b->items[i].code = S3E_ServiceUnavailable;
    free(s);
    ASSERT(b->slices_open > 0);
    if (--b->slices_open == 0) {
        b->r->write = NULL;
        batch_answer(b);
    }
}

static void slice_done(struct gate_write *w, bool applied) { slice_over(w->ctx, applied); }

/* leaves ------------------------------------------------------------------------------------------------------------------------ */

/* An item's bytes in the opening. */
static size_t item_bytes(const struct item *x) { return 1 + 2 + x->key.n + 8; }

static void slice_items(struct batch *b, size_t from, size_t to, struct buf *items, struct leaf_says *says)
{
    struct gate *g = b->r->gate;
    struct ledger_frontier f;
    uint8_t hash[HASH_BYTES];
    ledger_frontier_init(&f);
    for (size_t i = from; i < to; i++) {
        const struct item *x = &b->items[i];
        if (x->twin || x->code != S3E_NONE) continue;
        size_t at = items->n;
        record_row_put(items, x->ver == UINT64_MAX ? ITEM_ABSENT : ITEM_DELETE, x->key, x->ver);
        ledger_leaf_hash(&g->hash, slice_of(items->p + at, items->n - at), hash);
        ledger_frontier_append(&g->hash, &f, hash, NULL, NULL);
    }
    says->has_batch = true;
    says->n = f.size;
    ledger_frontier_root(&g->hash, &f, says->root);
    says->items = items->n ? buf_slice(items) : SLICE_LIT("");
}

static void slice_command(struct batch *b, size_t from, size_t to, uint64_t at, struct gate_write *w)
{
    struct gate_tenant *t = b->r->tenant;
    size_t n = 0;
    for (size_t i = from; i < to; i++) n += b->items[i].ver != UINT64_MAX && !b->items[i].twin && b->items[i].code == S3E_NONE;
    w->slots = calloc(n, sizeof *w->slots);
    ASSERT(w->slots);
    command_begin(&w->command, COMMAND_BATCH, at);
    command_batch_count(&w->command, n);
    for (size_t i = from; i < to; i++) {
        const struct item *x = &b->items[i];
        if (x->ver == UINT64_MAX || x->twin || x->code != S3E_NONE) continue;
        buf_put_u8(&w->command, COMMAND_DELETE);
        command_key(&w->command, b->r->bucket->id, x->key, x->ver, t->grave_ms);
        w->slots[w->slot_count++] = x->slot;
    }
    w->grave_due_ms = at + MAX(t->grave_ms, (uint64_t)GRAVE_MIN_MS);
    ASSERT(buf_ok(&w->command) && w->slot_count == n);
}

static void nothing_durable(struct gate_request *r, const struct recorded *rec)
{
    (void)rec;
    batch_answer(r->u.job);
}

/* One slice: a write leaf when something of it is there; otherwise a read-like leaf, waited for only when it is the last of all. */
static enum err slice_record(struct batch *b, const struct slice_of_keys *k, bool last_of_reads)
{
    struct gate_request *r = b->r;
    AUTO(buf) struct buf items = BUF_INIT(OPENING_BYTES_MAX);
    struct leaf_says says = {.write = k->write};
    uint64_t at;
    TRY(log_time(r->tenant->access, loop_wall_ms(r->gate->loop), &at));
    slice_items(b, k->from, k->to, &items, &says);
    if (!k->write) return step_record(r, r->decided, &says, NULL, last_of_reads ? nothing_durable : NULL);
    struct batch_slice *s = calloc(1, sizeof *s);
    ASSERT(s);
    *s = (struct batch_slice){.batch = b, .from = k->from, .to = k->to};
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    slice_command(b, k->from, k->to, at, w);
    w->unhold = slice_unhold;
    w->done = slice_done;
    w->ctx = s;
    enum err e = step_record(r, r->decided, &says, w, NULL);
    if (e == ERR_OK) {
        b->slices_open++;
        r->write = w;                              /* keeps the request until the last slice is settled */
        return ERR_OK;
    }
    free(s);
    flow_write_free(w);
    return e;
}

static bool item_guards(struct batch *b, struct item *x)
{
    if (x->code != S3E_NONE) return false;
    if (!step_decide_also(b->r, b->r->verified, S3_OP_DeleteObject, x->key)) x->code = S3E_AccessDenied;
    return x->code == S3E_NONE && x->ver != UINT64_MAX && !x->twin;
}

/* Cuts the sorted items into slices whose openings fit. A twin stays beside its key. */
static size_t batch_cut(struct batch *b, struct slice_of_keys *out, size_t *writes)
{
    size_t n = 0, from = 0;
    *writes = 0;
    while (from < b->count) {
        struct slice_of_keys k = {.from = from, .to = from};
        for (size_t bytes = 0; k.to < b->count; k.to++) {
            struct item *x = &b->items[k.to];
            if (k.to > from && !x->twin && bytes + item_bytes(x) > SLICE_ITEMS_BYTES_MAX) break;
            bytes += x->twin ? 0 : item_bytes(x);
            k.write |= item_guards(b, x);
        }
        *writes += k.write;
        out[n++] = k;
        from = k.to;
    }
    return n;
}

/* All that is there is known, all is held: append every slice in this turn. Reads come first: they are on one log, so that they are
 * durable when the writes after them are, and the answer waits for those. */
static void batch_record(struct batch *b)
{
    struct gate_request *r = b->r;
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return;
    }
    if (!request_may_record(r, true)) return;
    struct slice_of_keys cut[S3_DELETE_KEYS_MAX];
    size_t writes, n = batch_cut(b, cut, &writes);
    enum err e = ERR_OK;
    for (size_t i = 0; i < n && e == ERR_OK; i++)
        if (!cut[i].write) {
            if (writes) batch_unhold(b, cut[i].from, cut[i].to);
            e = slice_record(b, &cut[i], !writes && i + 1 == n);
            if (e == ERR_OK && !writes && i + 1 == n) return;        /* b may be gone: the answer can come at once */
        }
    size_t failed = n;
    for (size_t i = 0; i < n && e == ERR_OK; i++)
        if (cut[i].write && (e = slice_record(b, &cut[i], false)) != ERR_OK) failed = i;
    if (e == ERR_OK) return;
    log_line(LOG_ERROR, "batch-not-recorded", "err=%s", err_name(e));
    if (b->slices_open == 0) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    for (size_t i = failed; i < n; i++) {          /* the slices before go on */
        if (!cut[i].write) continue;
        for (size_t k = cut[i].from; k < cut[i].to; k++) b->items[k].code = S3E_ServiceUnavailable;
        batch_unhold(b, cut[i].from, cut[i].to);
    }
}

/* finds ------------------------------------------------------------------------------------------------------------------------- */

static enum s3_error item_look(struct batch *b, struct item *x, const struct wire_found *m)
{
    struct gate_request *r = b->r;
    struct entry e = {0};
    if (m->present == WIRE_FOUND_IO) return S3E_ServiceUnavailable;
    if (m->present == WIRE_FOUND_ABSENT) return S3E_NONE;
    if (entry_parse(m->entry, &e) != ERR_OK) return S3E_InternalError;
    x->ver = e.index;
    if (!x->etag.p) return S3E_NONE;
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = x->key};
    if (entry_open_facts(r->gate->crypto, &r->bucket->key, &place, e.facts_sealed, e.index, e.row_count, &e.facts, NULL) != ERR_OK)
        return S3E_InternalError;
    struct s3_conditions c = {.if_match = x->etag};
    const char *condition = NULL;
    return s3_condition_delete(&c, true, slice_of(e.facts.etag, e.facts.etag_n), &condition);
}

static void item_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct item *x = a->ctx;
    struct batch *b = x->batch;
    if (!m) b->failed = true;
    else if (x->code == S3E_NONE) x->code = item_look(b, x, m);     /* refused already: a version that is not there */
    if (--b->finding) return;
    if (b->failed) request_fail_code(b->r, S3E_ServiceUnavailable, NULL);
    else batch_record(b);
}

static void batch_find(struct batch *b)
{
    struct gate_request *r = b->r;
    if (b->finding == 0) b->finding = 1;           /* until all are asked */
    for (size_t i = 0; i < b->count; i++) {
        struct item *x = &b->items[i];
        if (x->twin) continue;
        x->find.ctx = x;
        x->find.found = item_found;
        x->find.find = (struct wire_find){.key = x->key};
        memcpy(x->find.find.bucket, r->bucket->id, ID_BYTES);
        b->finding++;
        keeper_find(r->gate, &x->find);
    }
    b->finding--;
    ASSERT(b->finding > 0);                        /* answers come in later turns */
}

/* holds: one after another, in sorted order, so that two batches cannot wait for each other ---------------------------------------- */

static void item_held(struct hold_wait *w, bool yes);

static void batch_hold(struct batch *b)
{
    struct gate_request *r = b->r;
    for (; b->at < b->count; b->at++) {
        struct item *x = &b->items[b->at];
        if (x->twin) continue;
        x->hold.got = item_held;
        x->hold.ctx = x;
        if (r->bucket->closing) {
            request_fail_code(r, S3E_SlowDown, NULL);
            return;
        }
        enum hold_result h = hold_take(r->gate->holds, r->bucket->id, x->key, &x->hold);
        if (h == HOLD_FULL) {
            request_fail_code(r, S3E_SlowDown, NULL);
            return;
        }
        x->held = true;
        r->bucket->holds++;
        if (h == HOLD_WAITING) return;
    }
    batch_find(b);
}

static void item_held(struct hold_wait *w, bool yes)
{
    struct item *x = w->ctx;
    struct batch *b = x->batch;
    if (!yes) {
        x->held = false;
        b->r->bucket->holds--;
        request_fail_code(b->r, S3E_SlowDown, NULL);
        return;
    }
    b->at++;
    batch_hold(b);
}

static void batch_turn(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    struct batch *b = r->u.job;
    if (!yes || jobs >= GATE_BATCHES_MAX) {        /* four in all; a busy hour is for the client to wait out */
        request_fail_code(r, S3E_SlowDown, NULL);
        return;
    }
    jobs++;
    b->counted = true;
    batch_hold(b);
}

/* body ------------------------------------------------------------------------------------------------------------------------------ */

static int by_key(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int c = slice_cmp(x->key, y->key);
    return c ? c : x->order < y->order ? -1 : 1;
}

static enum s3_error batch_items(struct batch *b)
{
    enum s3_error code = s3_xml_delete_end(b->xml, &b->list);
    if (code != S3E_NONE) return code;
    b->items = calloc(b->list.count, sizeof *b->items);
    if (!b->items) return S3E_ServiceUnavailable;
    b->count = b->list.count;
    for (size_t i = 0; i < b->count; i++) {
        const struct s3_delete_key *k = &b->list.keys[i];
        struct item *x = &b->items[i];
        *x = (struct item){.batch = b, .key = k->key, .etag = k->etag, .ver = UINT64_MAX, .order = (uint32_t)i};
        if (!k->key.n || k->key.n > S3_KEY_BYTES_MAX) return S3E_MalformedXML;
        if (k->version_id.p && k->version_id.n && !slice_is(k->version_id, "null")) x->code = S3E_NoSuchVersion;
    }
    qsort(b->items, b->count, sizeof *b->items, by_key);
    for (size_t i = 0; i < b->count; i++) {
        struct item *x = &b->items[i];
        list_init(&x->hold.node);
        x->slot = recent_slot(b->r->gate->recent, b->r->bucket->id, x->key);
        x->twin = i > 0 && slice_eq(x->key, b->items[i - 1].key);
        /* A key named twice has one outcome: it must have been asked for in one way. */
        const struct item *y = x->twin ? &b->items[i - 1] : x;
        if (x->twin && (x->etag.p || y->etag.p || x->code != y->code)) return S3E_InvalidRequest;
    }
    return S3E_NONE;
}

/* Something strong must bind the body: the signed digest, Content-MD5, or a checksum header. */
static enum s3_error batch_digest(struct gate_request *r, struct batch *b)
{
    uint8_t md5[S3_SUM_BYTES_MAX], sum[S3_SUM_BYTES_MAX], sha256[S3_SUM_BYTES_MAX];
    if (!b->body.md5_given && !b->body.sum_given)
        return s3_fault_set(&r->fault, S3E_InvalidRequest, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
    if (s3_sums_get(&b->sums, S3_SUM_MD5, md5) != ERR_OK || s3_sums_get(&b->sums, S3_SUM_SHA256, sha256) != ERR_OK) return S3E_InternalError;
    if (b->body.sum == S3_SUM_SHA256) memcpy(sum, sha256, sizeof sum);
    else if (s3_sums_get(&b->sums, b->body.sum, sum) != ERR_OK) return S3E_InternalError;
    bool signed_digest = r->s3.payload == S3_PAYLOAD_SHA256;
    return s3_body_compare(&b->body, md5, sum, sha256, signed_digest ? r->s3.payload_hash : slice_of(NULL, 0));
}

static void batch_body(struct gate_request *r, struct slice data, bool last)
{
    struct batch *b = r->u.job;
    enum s3_error code = s3_sums_add(&b->sums, data) == ERR_OK ? S3E_NONE : S3E_InternalError;
    if (code == S3E_NONE) code = s3_xml_feed(b->xml, data);
    if (code == S3E_NONE && !last) return;
    if (code == S3E_NONE) code = batch_digest(r, b);
    if (code == S3E_NONE) code = batch_items(b);
    if (code != S3E_NONE) {
        batch_refuse(r, code);
        return;
    }
    b->turn.got = batch_turn;
    b->turn.ctx = r;
    /* One such job a tenant: a hold on a name that no bucket can have. */
    switch (hold_take(r->gate->holds, r->tenant->id, SLICE_LIT("\x01" "batch"), &b->turn)) {
    case HOLD_TAKEN: batch_turn(&b->turn, true); break;
    case HOLD_WAITING: break;
    case HOLD_FULL: request_fail_code(r, S3E_SlowDown, NULL); break;
    }
}

void op_batch_begin(struct gate_request *r)
{
    struct batch *b = calloc(1, sizeof *b);
    if (!b) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    b->r = r;
    r->u.job = b;
    r->cleanup = batch_cleanup;
    list_init(&b->turn.node);
    enum s3_error code = s3_body_read(r->headers, r->header_count, r->s3.payload, &b->body, &r->fault);
    if (code == S3E_NONE && b->body.sum_in_trailer) code = S3E_NotImplemented;
    if (code != S3E_NONE) {
        batch_refuse(r, code);
        return;
    }
    b->xml = s3_xml_new(S3_XML_DELETE);
    b->summing = b->xml && s3_sums_init(&b->sums, S3_SUM_BIT(S3_SUM_MD5) | S3_SUM_BIT(S3_SUM_SHA256) | S3_SUM_BIT(b->body.sum)) == ERR_OK;
    if (!b->summing) request_fail_code(r, S3E_ServiceUnavailable, NULL);
    else request_want_body(r, S3_DELETE_BODY_BYTES_MAX, batch_body);
}
