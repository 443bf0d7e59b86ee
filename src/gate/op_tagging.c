/* SPDX-License-Identifier: Apache-2.0
 * op_tagging: GetObjectTagging, PutObjectTagging, DeleteObjectTagging: tags of one version, changed in place.
 * Role: GET is a read (op_read.c); the others: body, hold, FIND, the entry sealed again with other tags, leaf, REWRITE. Trusts: object.c. Distrusts: the body
 * until its digest fits.
 * Law: 1. Spec: docs/spec/order.md (tags), docs/spec/entry.md section 2 (REWRITE).
 */
#include <stdlib.h>

#include "gate/object.h"
#include "record/record.h"

#define TAGGING_XML_BYTES_MAX (2 * S3_TAGGING_BYTES_MAX + 4096)

/* get ----------------------------------------------------------------------------------------------------------------------- */

static void get_durable(struct gate_request *r, const struct recorded *rec)
{
    AUTO(buf) struct buf xml = BUF_INIT(TAGGING_XML_BYTES_MAX);
    s3_tagging_xml(&xml, buf_slice(&r->scratch));
    wipe(r->scratch.p, r->scratch.n);
    request_put_version(r, &r->u.get.entry);
    request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    request_answer(r, rec, 200, buf_slice(&xml));
}

static void get_got(struct gate_request *r)
{
    const struct entry *e = &r->u.get.entry;
    struct slice query = entry_meta_header(buf_slice(&r->body_bytes), "x-amz-tagging");
    buf_reset(&r->scratch);
    buf_put_slice(&r->scratch, query);
    wipe(r->body_bytes.p, r->body_bytes.n);
    buf_reset(&r->body_bytes);
    struct leaf_says says = {.has_ver = true, .ver = e->index, .rev = e->revision};
    step_record_or_fail(r, &says, NULL, get_durable);
}

/* put, delete ------------------------------------------------------------------------------------------------------------------ */

struct tagging {
    struct object_body body;
    struct buf query;                              /* canonical; empty: no tags */
    size_t count;
};

static void tagging_cleanup(struct gate_request *r)
{
    struct tagging *t = r->u.put.job;
    if (!t) return;
    object_body_done(&t->body);
    buf_done(&t->query);
    free(t);
    r->u.put.job = NULL;
}

static void tagging_refuse(struct gate_request *r, enum s3_error code)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    step_refuse(r);
}

static void tagging_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    r->write = NULL;
    if (applied) {
        request_answer(r, request_recorded(r), r->op == S3_OP_PutObjectTagging ? 200 : 204, slice_of(NULL, 0));
        return;
    }
    buf_reset(&r->headers_out);
    s3_fault_set(&r->fault, S3E_ServiceUnavailable, NULL);
    request_fail(r, request_recorded(r));
}

/* The same version, its place in the order unchanged, with other tags and a new revision. */
static enum err tagging_seal(struct gate_request *r, struct entry *e, struct gate_write *w, struct buf *fresh)
{
    struct gate *g = r->gate;
    const struct tagging *t = r->u.put.job;
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = r->name.key};
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX + 1), tagged = BUF_INIT(ENTRY_META_BYTES_MAX);
    uint64_t at, guard = e->revision;
    TRY(log_time(r->tenant->access, loop_wall_ms(g->loop), &at));
    TRY(entry_open_all(g->crypto, &g->hash, &r->bucket->key, &r->tenant->key, &place, e, &meta));
    entry_meta_set(buf_slice(&meta), "x-amz-tagging", buf_slice(&t->query), &tagged);
    if (!buf_ok(&tagged)) return ERR_LIMIT;
    e->facts.tags = (uint8_t)t->count;
    e->revision = log_size(r->tenant->access);
    buf_reset(&r->body_bytes);
    TRY(entry_seal(g->crypto, &g->hash, g->rng, &r->bucket->key, &r->tenant->key, &place, e, buf_slice(&tagged), &r->body_bytes));
    object_new(r, e, buf_slice(&tagged), fresh);
    command_begin(&w->command, COMMAND_REWRITE, at);
    command_place(&w->command, r->bucket->id, r->name.key);
    command_u64(&w->command, e->index);
    command_u64(&w->command, guard);
    command_entry(&w->command, buf_slice(&r->body_bytes));
    return buf_ok(&w->command) && buf_ok(fresh) ? ERR_OK : ERR_LIMIT;
}

static void tagging_write(struct gate_request *r, struct object_there *o)
{
    AUTO(buf) struct buf fresh = BUF_INIT(512);
    if (!request_may_record(r, true)) return;
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    enum err e = tagging_seal(r, &o->e, w, &fresh);
    entry_done(&o->e);
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "tags-not-sealed", "err=%s index=%llu", err_name(e), (unsigned long long)o->ver);
        flow_write_free(w);
        request_fail_code(r, e == ERR_LIMIT ? S3E_MetadataTooLarge : S3E_InternalError, NULL);
        return;
    }
    buf_reset(&r->headers_out);
    request_put_version(r, &o->e);
    struct leaf_says says = {.write = true, .has_ver = true, .ver = o->ver, .rev = o->rev, .fresh = buf_slice(&fresh)};
    object_append(r, w, &says, tagging_done);
}

static void tagging_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct object_there o;
    if (!object_seen(r, m, &o)) return;
    bool other = o.there && r->vid.p && !r->vid_null && (o.e.order != r->vid_order || (o.e.flags & ENTRY_NULL));
    if (!o.there || other) {
        enum s3_error code = r->vid.p ? S3E_NoSuchVersion : S3E_NoSuchKey;
        if (other) o.ver = RECORD_VER_NONE, o.rev = 0;
        s3_fault_set(&r->fault, code, NULL);
        s3_fault_add(&r->fault, "Key", r->name.key);
        object_refuse(r, code, &o, slice_of(NULL, 0));
    } else if (o.marker) {
        buf_reset(&r->headers_out);
        request_put_header(r, "x-amz-delete-marker", SLICE_LIT("true"));
        object_refuse(r, S3E_MethodNotAllowed, &o, slice_of(NULL, 0));
    } else {
        tagging_write(r, &o);
    }
}

static void tagging_body(struct gate_request *r, struct slice data, bool last)
{
    struct tagging *t = r->u.put.job;
    enum s3_error code = object_body_feed(r, &t->body, data, last);
    if (code == S3E_NONE && !last) return;
    if (code == S3E_NONE) code = s3_xml_tagging_end(t->body.xml, S3_TAGS_MAX, &t->query, &t->count, &r->fault);
    if (code != S3E_NONE) {
        tagging_refuse(r, code);
        return;
    }
    /* Policies may ask about the tags that the request gives: only now they are known. */
    r->tagging = t->query.p ? buf_slice(&t->query) : SLICE_LIT("");
    if (step_decide_and_bind(r)) object_hold_find(r, object_mode(r), tagging_found);
    else step_refuse(r);
}

void op_tagging_begin(struct gate_request *r)
{
    if (r->op == S3_OP_GetObjectTagging) {
        op_read(r, get_got);
        return;
    }
    struct tagging *t = calloc(1, sizeof *t);
    if (!t) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    buf_init(&t->query, S3_TAGGING_BYTES_MAX);
    r->u.put.job = t;
    r->cleanup = tagging_cleanup;
    if (r->op == S3_OP_DeleteObjectTagging) {
        object_hold_find(r, object_mode(r), tagging_found);
        return;
    }
    enum s3_error code = object_body_begin(r, S3_XML_TAGGING, &t->body);
    if (code == S3E_ServiceUnavailable) request_fail_code(r, code, NULL);
    else if (code != S3E_NONE) tagging_refuse(r, code);
    else request_want_body(r, S3_CONTROL_BODY_BYTES_MAX, tagging_body);
}
