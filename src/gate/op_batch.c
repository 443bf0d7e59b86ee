/* SPDX-License-Identifier: Apache-2.0
 * op_batch: DeleteObjects, from its body to its DeleteResult; and the gate's own batches (lifecycle).
 * Role: body -> items -> batch.c -> answer. Trusts: batch.c. Distrusts: the body until its digest fits.
 * Law: 1. Spec: docs/spec/order.md (DeleteObjects).
 */
#include <assert.h>
#include <stdlib.h>

#include "gate/batch.h"
#include "gate/object.h"

#define BATCH_XML_BYTES_MAX (4 * 1024 * 1024)
#define BATCH_KEYS_BYTES_MAX (S3_DELETE_KEYS_MAX * (S3_KEY_BYTES_MAX + 1))

struct batch_delete {                              /* u.job points at `batch` */
    struct batch batch;
    struct object_body body;
    struct s3_delete_list list;
};
struct batch_own {
    struct batch batch;
    struct buf keys;
    void (*done)(void *ctx, size_t done_count);
    void *ctx;
};
static_assert(offsetof(struct batch_delete, batch) == 0 && offsetof(struct batch_own, batch) == 0, "u.job is the batch");

/* DeleteObjects: the answer -------------------------------------------------------------------------------------------------- */

static int by_order(const void *a, const void *b)
{
    const struct item *x = *(const struct item *const *)a, *y = *(const struct item *const *)b;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void item_answer(const struct item *x, bool quiet, struct buf *xml)
{
    const struct item *o = batch_outcome(x);
    AUTO(buf) struct buf id = BUF_INIT(ID_TEXT_CHARS);
    if (o->code != S3E_NONE) {
        s3_delete_error(xml, x->key, x->vid, o->code, o->message);
        return;
    }
    if (quiet) return;
    bool made = o->kind == ITEM_MARKER, gone = o->kind == ITEM_VERSION && o->marker;
    struct entry e = {.flags = o->made_flags, .index = o->made_index, .order = o->made_order};
    if (made) entry_version_text(&e, &id);
    s3_delete_row(xml, x->key, x->vid, made || gone, made ? buf_slice(&id) : gone ? x->vid : slice_of(NULL, 0));
}

static void delete_answer(struct batch_delete *d)
{
    struct batch *b = &d->batch;
    struct gate_request *r = b->r;
    AUTO(buf) struct buf xml = BUF_INIT(BATCH_XML_BYTES_MAX);
    struct item **in_order = calloc(b->count + 1, sizeof(struct item *));
    ASSERT(in_order);
    for (size_t i = 0; i < b->count; i++) in_order[i] = &b->items[i];
    qsort(in_order, b->count, sizeof(struct item *), by_order);
    s3_delete_begin(&xml);
    for (size_t i = 0; i < b->count; i++) item_answer(in_order[i], d->list.quiet, &xml);
    s3_delete_end(&xml);
    free(in_order);
    buf_reset(&r->headers_out);
    request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    request_answer(r, request_recorded(r), 200, buf_slice(&xml));
}

static void delete_over(struct batch *b, enum s3_error code, bool denied)
{
    if (denied) step_refuse(b->r);
    else if (code != S3E_NONE) request_fail_code(b->r, code, NULL);
    else delete_answer((struct batch_delete *)b);
}

/* DeleteObjects: the body ------------------------------------------------------------------------------------------------------ */

static void delete_cleanup(struct gate_request *r)
{
    struct batch_delete *d = r->u.job;
    if (!d) return;
    if (d->batch.items) batch_leave(&d->batch);
    object_body_done(&d->body);
    free(d->batch.items);
    free(d);
    r->u.job = NULL;
}

static void delete_refuse(struct gate_request *r, enum s3_error code)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    step_refuse(r);
}

static enum s3_error item_of(const struct s3_delete_key *k, struct item *x)
{
    bool null = false;
    x->key = k->key;
    x->etag = k->etag;
    x->expect = UINT64_MAX;
    if (!k->key.n || k->key.n > S3_KEY_BYTES_MAX) return S3E_MalformedXML;
    if (!k->version_id.n) return S3E_NONE;
    x->vid = k->version_id;
    x->want = WANT_VERSION;
    if (!entry_version_parse(k->version_id, &null, &x->named, &x->named_order)) {
        x->code = S3E_InvalidArgument;
        x->message = "Invalid version id specified";
    }
    if (null) x->want = WANT_NULL;
    return S3E_NONE;
}

static enum s3_error delete_items(struct gate_request *r, struct batch_delete *d)
{
    struct batch *b = &d->batch;
    enum s3_error code = s3_xml_delete_end(d->body.xml, &d->list);
    if (code != S3E_NONE) return code;
    b->items = calloc(d->list.count, sizeof *b->items);
    if (!b->items) return S3E_ServiceUnavailable;
    b->count = d->list.count;
    for (size_t i = 0; i < b->count && code == S3E_NONE; i++) {
        b->items[i].order = (uint32_t)i;
        code = item_of(&d->list.keys[i], &b->items[i]);
    }
    b->r = r;
    b->over = delete_over;
    return code == S3E_NONE ? batch_order(b) : code;
}

static void delete_body(struct gate_request *r, struct slice data, bool last)
{
    struct batch_delete *d = r->u.job;
    enum s3_error code = object_body_feed(r, &d->body, data, last);
    if (code == S3E_NONE && !last) return;
    if (code == S3E_NONE) code = delete_items(r, d);
    if (code != S3E_NONE) delete_refuse(r, code);
    else batch_begin(&d->batch);
}

void op_batch_begin(struct gate_request *r)
{
    struct batch_delete *d = calloc(1, sizeof *d);
    if (!d) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    r->u.job = d;
    r->cleanup = delete_cleanup;
    d->batch.r = r;
    enum s3_error code = object_body_begin(r, S3_XML_DELETE, &d->body);
    if (code == S3E_ServiceUnavailable) request_fail_code(r, code, NULL);
    else if (code != S3E_NONE) delete_refuse(r, code);
    else request_want_body(r, S3_DELETE_BODY_BYTES_MAX, delete_body);
}

/* the gate's own ------------------------------------------------------------------------------------------------------------------- */

static void own_cleanup(struct gate_request *r)
{
    struct batch_own *o = r->u.job;
    if (!o) return;
    batch_leave(&o->batch);
    buf_done(&o->keys);
    free(o->batch.items);
    free(o);
    r->u.job = NULL;
}

static void own_over(struct batch *b, enum s3_error code, bool denied)
{
    struct batch_own *o = (struct batch_own *)b;
    void (*done)(void *ctx, size_t done_count) = o->done;
    void *ctx = o->ctx;
    size_t n = 0;
    (void)denied;
    for (size_t i = 0; code == S3E_NONE && i < b->count; i++) n += b->items[i].code == S3E_NONE && b->items[i].kind != ITEM_OUT && !b->items[i].twin;
    request_end(b->r);
    done(ctx, n);
}

static void own_item(const struct batch_wish *w, struct item *x)
{
    static const enum item_want wants[] = {[BATCH_EXPIRE] = WANT_CURRENT, [BATCH_REMOVE] = WANT_VERSION, [BATCH_ABORT] = WANT_UPLOAD};
    ASSERT(w->kind <= BATCH_ABORT && w->key.n > 0 && w->key.n <= S3_KEY_BYTES_MAX);
    x->want = wants[w->kind];
    x->expect = w->kind == BATCH_EXPIRE ? w->ver : UINT64_MAX;
    x->named = w->kind == BATCH_REMOVE ? w->ver : 0;
    x->any_order = true;
    if (w->kind == BATCH_ABORT) memcpy(x->upload, w->upload, ID_BYTES);
}

/* In a turn of its own: whoever asked is not called from within its asking. */
static bool own_begin(struct loop_job *j, uint64_t budget_us)
{
    struct batch *b = j->ctx;
    struct gate_request *r = b->r;
    (void)budget_us;
    loop_job_del(r->gate->loop, j);
    if (r->tenant->served && !r->bucket->dead) r->decided = step_decide(r, r->verified);
    bool allowed = r->decided && decided_allow(r->decided) && batch_order(b) == S3E_NONE;
    if (allowed) batch_begin(b);
    else own_over(b, S3E_ServiceUnavailable, false);
    return false;
}

/* Every request there may be is in flight: clients' first. */
static bool own_no_room(struct loop_job *j, uint64_t budget_us)
{
    struct batch_own *o = j->ctx;
    void (*done)(void *ctx, size_t done_count) = o->done;
    void *ctx = o->ctx;
    (void)budget_us;
    free(o);
    done(ctx, 0);
    return false;
}

static struct gate_request *own_request(struct gate *g, struct gate_tenant *t, struct gate_bucket *bucket, const char *act)
{
    struct gate_request *r = request_new(g, NULL, 0);
    if (!r) return NULL;
    r->ask = (struct wire_ask){.peer = SLICE_LIT("local")};
    r->s3 = (struct s3_request){0};
    r->tenant = t;
    r->bucket = bucket;
    r->name = (struct s3_name){.bucket = slice_str(bucket->name)};
    r->act = act;
    r->verified = step_verify_auto(r, t);
    return r;
}

void batch_auto(struct gate *g, struct gate_tenant *t, struct gate_bucket *bucket, const char *act, const struct batch_wish *w, size_t n,
                void (*done)(void *ctx, size_t done_count), void *ctx)
{
    struct batch_own *o = calloc(1, sizeof *o);
    struct item *items = calloc(n, sizeof *items);
    ASSERT(o && items && n > 0 && n <= S3_DELETE_KEYS_MAX);
    struct gate_request *r = own_request(g, t, bucket, act);
    o->done = done;
    o->ctx = ctx;
    if (!r) {
        free(items);
        o->batch.job = (struct loop_job){.run = own_no_room, .ctx = o};
        loop_job_add(g->loop, &o->batch.job);
        return;
    }
    r->u.job = o;
    r->cleanup = own_cleanup;
    o->batch = (struct batch){.r = r, .items = items, .count = n, .automatic = true, .over = own_over};
    buf_init(&o->keys, BATCH_KEYS_BYTES_MAX);
    for (size_t i = 0; i < n; i++) buf_put_slice(&o->keys, w[i].key);
    ASSERT(buf_ok(&o->keys));
    const uint8_t *at = o->keys.p;
    for (size_t i = 0; i < n; i++) {
        items[i].order = (uint32_t)i;
        items[i].key = slice_of(at, w[i].key.n);
        at += w[i].key.n;
        own_item(&w[i], &items[i]);
    }
    o->batch.job.run = own_begin;
    o->batch.job.ctx = &o->batch;
    loop_job_add(g->loop, &o->batch.job);
}
