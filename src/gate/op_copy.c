/* SPDX-License-Identifier: Apache-2.0
 * op_copy: CopyObject: a version made of another one.
 * Role: hold of the destination, FIND of both, both decisions, one leaf that names both, a PUT command that shares the bytes. When another checksum is asked
 * for the bytes go through the front: a read leaf, durable before it gets a key, and a write leaf when it has sealed them anew.
 * Trusts: copy_source.c, object.c, op_put.c, op_read.c's release. Distrusts: what the keeper found; that the source still stands (rule 8).
 * Law: 1, 2. Spec: docs/spec/order.md (copies), docs/spec/record.md (`copy`).
 */
#include <stdlib.h>

#include "frame/frame.h"
#include "gate/copy_source.h"
#include "gate/object.h"
#include "gate/recent.h"

#define COPY_XML_BYTES_MAX 2048

struct copy {
    struct copy_source source;                     /* opened in u.get */
    bool same;                                     /* source and destination are one key */
    bool replace_meta, replace_tags;
    enum s3_sum asked;                             /* x-amz-checksum-algorithm; NONE: whatever the source has */
    bool both;                                     /* overtaken too often: both keys are held, taken in their order */
};

static void copy_find(struct gate_request *r);

static struct copy *copy_of(struct gate_request *r) { return r->u.put.job; }

static void copy_job_cleanup(struct gate_request *r)
{
    struct copy *c = copy_of(r);
    if (!c) return;
    source_done(&c->source);
    free(c);
    r->u.put.job = NULL;
}

/* Until op_put_open_copy() has its own. */
static void copy_cleanup(struct gate_request *r)
{
    r->next = NULL;
    request_get_done(&r->u.get);
    copy_job_cleanup(r);
}

static void copy_refuse(struct gate_request *r, enum s3_error code, const struct object_there *o)
{
    struct copy_source *from = &copy_of(r)->source;
    struct slice value = source_value(from);
    source_unhold(from);
    object_refuse(r, code, o, value);
}

/* the answer ------------------------------------------------------------------------------------------------------------------ */

static void copy_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    const struct entry_facts *f = &r->u.get.entry.facts;
    r->write = NULL;
    if (!applied) {                                /* rule 4: the void is durable */
        buf_reset(&r->headers_out);
        s3_fault_set(&r->fault, S3E_ServiceUnavailable, "What was to be copied is not there any more; try again");
        request_fail(r, request_recorded(r));
        return;
    }
    AUTO(buf) struct buf xml = BUF_INIT(COPY_XML_BYTES_MAX), sum = BUF_INIT(128);
    enum s3_sum_type type = (enum s3_sum_type)f->sum_type;
    s3_sum_text(&sum, type, slice_of(f->sum_value, f->sum_n), f->parts);
    s3_copy_xml(&xml, false, slice_of(f->etag, f->etag_n), f->mtime_ms, (enum s3_sum)f->sum, type, buf_slice(&sum));
    request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    request_answer(r, request_recorded(r), 200, buf_slice(&xml));
}

/* the new version ---------------------------------------------------------------------------------------------------------------- */

/* Metadata and tags, each the source's or the request's. */
static enum err copy_meta(struct gate_request *r, uint8_t source_tags, struct buf *out, uint8_t *tags)
{
    const struct copy *c = copy_of(r);
    struct slice source = buf_slice(&c->source.meta);
    AUTO(buf) struct buf own = BUF_INIT(ENTRY_META_BYTES_MAX);
    op_put_meta(r, &own, tags);
    struct slice query = entry_meta_header(c->replace_tags ? buf_slice(&own) : source, "x-amz-tagging");
    if (!c->replace_tags) *tags = source_tags;
    entry_meta_set(c->replace_meta ? buf_slice(&own) : source, "x-amz-tagging", query, out);
    return buf_ok(&own) && buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

static void copy_write(struct gate_request *r, struct entry *e, const struct object_there *o, const struct wire_found *m, bool shared)
{
    struct copy *c = copy_of(r);
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX);
    uint8_t tags;
    if (copy_meta(r, e->facts.tags, &meta, &tags) != ERR_OK) {
        copy_refuse(r, S3E_MetadataTooLarge, o);
        return;
    }
    e->facts.tags = tags;
    struct object_write w = {.e = e, .meta = buf_slice(&meta), .there = o, .found = m, .shared = shared, .from_bucket = c->source.bucket->id,
                             .from_key = c->source.from.key, .from_ver = r->u.get.entry.index, .done = copy_done};
    if (shared) w.copy = source_value(&c->source);            /* bytes that moved were read under a leaf of their own, which names the source */
    source_unhold(&c->source);
    if (object_write(r, &w)) source_put_version(r, &c->source);
}

/* bytes that move ------------------------------------------------------------------------------------------------------------------ */

static void moved_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct object_there o;
    struct entry e;
    uint8_t tags = r->u.get.entry.facts.tags;
    if (!object_seen(r, m, &o)) return;
    enum s3_error code = object_write_guards(r, &o);
    if (code != S3E_NONE) {
        object_refuse(r, code, &o, slice_of(NULL, 0));
        return;
    }
    op_put_entry(r, &e);
    e.facts.tags = tags;
    copy_write(r, &e, &o, m, false);
}

static void moved_commit(struct gate_request *r)
{
    keeper_forget(r->gate, &r->find);              /* rows that the front did not wait for */
    r->next = NULL;
    object_hold_find(r, WIRE_FIND_CURRENT, moved_found);
}

static void moved_durable(struct gate_request *r, const struct recorded *rec)
{
    const struct entry *e = &r->u.get.entry;
    if (!r->conn) {
        request_end(r);
        return;
    }
    if (!keeper_ready(r->gate)) {
        s3_fault_set(&r->fault, S3E_ServiceUnavailable, NULL);
        request_fail(r, rec);
        return;
    }
    r->u.get.copy = true;
    buf_reset(&r->headers_out);
    struct release_says says = {.status = 200, .size = e->facts.size, .off = 0, .len = e->facts.size};
    if (op_put_open_copy(r, e->facts.size, copy_of(r)->asked, moved_commit)) read_release(r, &r->u.get, &says);
}

/* The read of a copy: like a GET's leaf, and `copy` names what is read. */
static void moved_read(struct gate_request *r)
{
    if (!request_may_record(r, true)) return;
    struct leaf_says says = {.has_bytes = true, .bytes = r->u.get.entry.facts.size, .copy = source_value(&copy_of(r)->source)};
    source_unhold(&copy_of(r)->source);
    step_record_or_fail(r, &says, NULL, moved_durable);
}

/* both are known --------------------------------------------------------------------------------------------------------------------- */

static enum s3_error copy_judge(struct gate_request *r)
{
    struct copy_source *from = &copy_of(r)->source;
    enum s3_error code = source_allowed(r, from);
    if (code == S3E_NONE) code = source_conditions(r, from);
    if (code != S3E_NONE) return code;
    if (r->u.get.entry.facts.size > S3_PUT_BYTES_MAX)
        return s3_fault_set(&r->fault, S3E_InvalidRequest, "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
    return S3E_NONE;
}

/* A copy of the current version onto itself has to change something. */
static enum s3_error copy_changes(struct gate_request *r, const struct object_there *o)
{
    const struct copy *c = copy_of(r);
    bool itself = c->same && o->there && o->ver == r->u.get.entry.index;
    bool asks = c->replace_meta || c->asked != S3_SUM_NONE || request_header(r, "x-amz-storage-class").p || request_header(r, "x-amz-server-side-encryption").p;
    if (!itself || asks) return S3E_NONE;
    return s3_fault_set(&r->fault, S3E_InvalidRequest, "This copy request is illegal because it is trying to copy an object to itself without changing the "
                        "object's metadata, storage class, website redirect location or encryption attributes.");
}

static void copy_both(struct gate_request *r);

/* Rule 8 for the source, asked when it is found, since a write that was unsettled then may be settled by now and what was found older than it; and
 * once more in the turn of the leaf. Under its own hold, or when it is the destination's key, nothing can have come between. */
static bool copy_stands(struct gate_request *r)
{
    struct copy *c = copy_of(r);
    if (c->same) return true;
    switch (source_stands(r, &c->source)) {
    case SOURCE_STANDS: return true;
    case SOURCE_AGAIN: copy_find(r); break;
    case SOURCE_OVERTAKEN: copy_both(r); break;
    }
    return false;
}

static void dest_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct copy *c = copy_of(r);
    struct object_there o;
    if (m && m->present != WIRE_FOUND_IO && !copy_stands(r)) return;
    if (!object_seen(r, m, &o)) return;
    enum s3_error code = copy_judge(r);
    if (code == S3E_NONE) code = object_write_guards(r, &o);
    if (code == S3E_NONE) code = copy_changes(r, &o);
    bool moved = c->asked != S3_SUM_NONE && c->asked != (enum s3_sum)r->u.get.entry.facts.sum;
    if (code == S3E_NONE) code = quota_take(r, 1, moved ? frame_cipher_size(r->u.get.entry.facts.size) : 0);
    if (code != S3E_NONE) {
        copy_refuse(r, code, &o);
        return;
    }
    if (moved) {
        moved_read(r);
        return;
    }
    struct entry e = r->u.get.entry;               /* the same rows or set under another place; keys are a loan */
    e.flags &= ENTRY_SET;
    copy_write(r, &e, &o, m, true);
}

static void source_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    if (!copy_stands(r)) return;
    enum err e = source_open(r, &copy_of(r)->source, m);
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "entry-does-not-open", "err=%s index=%llu", err_name(e), (unsigned long long)r->u.get.entry.index);
        request_fail_code(r, S3E_InternalError, NULL);
        return;
    }
    object_find(r, WIRE_FIND_CURRENT, dest_found);
}

static void copy_find(struct gate_request *r) { source_find(r, &copy_of(r)->source, source_found); }

/* holds ---------------------------------------------------------------------------------------------------------------------------- */

static void copy_take(struct gate_request *r);

static void dest_held(struct hold_wait *w, bool yes)
{
    if (yes) copy_take(w->ctx);
    else request_fail_code(w->ctx, S3E_SlowDown, NULL);
}

/* Takes what is not held yet, in the order of bucket and key, so that two copies cannot wait for each other; then looks. */
static void copy_take(struct gate_request *r)
{
    struct copy *c = copy_of(r);
    int order = memcmp(c->source.bucket->id, r->bucket->id, ID_BYTES);
    if (!order) order = slice_cmp(c->source.from.key, r->name.key);
    for (int i = 0; i < 2; i++) {
        bool source = (order < 0) == (i == 0);
        if (source ? !c->both || hold_is_held(&c->source.hold) : hold_is_held(&r->hold)) continue;
        enum hold_result h = source ? source_hold(r, &c->source, copy_take) : request_hold(r, dest_held);
        if (h == HOLD_FULL) request_fail_code(r, S3E_SlowDown, NULL);
        if (h != HOLD_TAKEN) return;
    }
    copy_find(r);
}

static void copy_both(struct gate_request *r)
{
    struct copy *c = copy_of(r);
    c->both = true;
    request_unhold(r);
    copy_take(r);
}

/* parameters ------------------------------------------------------------------------------------------------------------------------ */

static enum s3_error copy_sum(struct gate_request *r, struct copy *c)
{
    struct slice name = request_header(r, "x-amz-checksum-algorithm");
    if (!name.p) return S3E_NONE;
    c->asked = s3_sum_of_name(name);
    if (c->asked == S3_SUM_NONE) return s3_fault_set(&r->fault, S3E_InvalidRequest, "Checksum algorithm provided is unsupported.");
    return S3E_NONE;
}

static enum s3_error copy_read(struct gate_request *r, struct copy *c)
{
    enum s3_error e = op_put_headers(r);
    if (e == S3E_NONE) e = source_read(r, &c->source);
    if (e == S3E_NONE) e = s3_directive(r->headers, r->header_count, "x-amz-metadata-directive", &c->replace_meta, &r->fault);
    if (e == S3E_NONE) e = s3_directive(r->headers, r->header_count, "x-amz-tagging-directive", &c->replace_tags, &r->fault);
    if (e == S3E_NONE) e = copy_sum(r, c);
    c->same = c->source.bucket == r->bucket && slice_eq(c->source.from.key, r->name.key);
    return e;
}

void op_copy_begin(struct gate_request *r)
{
    struct copy *c = calloc(1, sizeof *c);
    if (!c) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    source_init(&c->source, &r->u.get);
    buf_init(&r->u.get.locations, ENTRY_BLOB_ROWS_MAX * (LOCATION_BYTES_MAX + 2));
    buf_init(&r->u.get.parts, FOUND_PARTS_BYTES_MAX + WIRE_FRAME_BYTES_MAX);
    r->u.put.job = c;
    r->u.put.job_cleanup = copy_job_cleanup;
    r->cleanup = copy_cleanup;
    r->slot = recent_slot(r->gate->recent, r->bucket->id, r->name.key);
    enum s3_error e = copy_read(r, c);
    if (e == S3E_NONE) {
        copy_take(r);
        return;
    }
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, e, NULL);
    step_refuse(r);
}
