/* SPDX-License-Identifier: Apache-2.0
 * op_upload: CreateMultipartUpload and AbortMultipartUpload, and what all operations of an upload in parts share.
 * Role: Create: leaf, command, answer; Abort: hold, FIND, leaf, command, answer. Trusts: flow.c to settle. Distrusts: what the keeper found.
 * Law: 1. Spec: docs/spec/order.md (uploads in parts), docs/spec/entry.md; docs/decisions/0016-parts-are-sets.md.
 */
#include "gate/op_upload.h"

#include <stdlib.h>

#include "gate/recent.h"
#include "record/record.h"

/* shared --------------------------------------------------------------------------------------------------------------- */

enum s3_error upload_named(struct gate_request *r, uint8_t id[ID_BYTES])
{
    const struct s3_param *p = request_param(r, "uploadId");
    if (p && s3_id_parse(p->value, id)) return S3E_NONE;
    return s3_fault_set(&r->fault, S3E_NoSuchUpload, NULL);
}

void upload_find(struct gate_request *r, uint8_t mode, const uint8_t id[ID_BYTES], uint16_t number,
                 void (*found)(struct keeper_ask *a, const struct wire_found *m))
{
    r->find.found = found;
    r->find.sending = NULL;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.mode = mode, .want_null = mode == WIRE_FIND_CURRENT, .key = r->name.key, .number = number};
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    if (mode != WIRE_FIND_CURRENT) memcpy(r->find.find.id, id, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

bool upload_goes_on(struct gate_request *r, const struct wire_found *m)
{
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return false;
    }
    if (step_still_allowed(r) && step_object_allowed(r, slice_of(NULL, 0), slice_of(NULL, 0))) return true;
    step_refuse(r);
    return false;
}

enum s3_error upload_open(struct gate_request *r, const struct wire_found *m, const uint8_t id[ID_BYTES], struct entry *e, struct buf *meta)
{
    struct gate *g = r->gate;
    if (m->present != WIRE_FOUND_PRESENT) return s3_fault_set(&r->fault, S3E_NoSuchUpload, NULL);
    AUTO(buf) struct buf name = BUF_INIT(ENTRY_NAME_BYTES_MAX);
    entry_part_name(&name, r->name.key, id, 0);
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = buf_slice(&name)};
    enum err err = entry_parse(m->entry, e);
    if (err == ERR_OK && e->flags != ENTRY_UPLOAD) err = ERR_CORRUPT;
    if (err == ERR_OK) err = entry_open_facts(g->crypto, &r->bucket->key, &place, e);
    if (err == ERR_OK && meta) err = entry_open_meta(g->crypto, &r->bucket->key, &place, e, meta);
    if (err == ERR_OK) return S3E_NONE;
    log_line(LOG_ERROR, "upload-does-not-open", "err=%s index=%llu", err_name(err), (unsigned long long)e->index);
    return s3_fault_set(&r->fault, S3E_InternalError, NULL);
}

static void refused_durable(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }

void upload_refuse(struct gate_request *r, enum s3_error code, const uint8_t id[ID_BYTES], uint16_t part, bool has_ver, uint64_t ver, uint64_t rev)
{
    AUTO(buf) struct buf up = BUF_INIT(ID_BYTES + 2);
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    if (!request_may_record(r, false)) return;
    record_up_put(&up, id, part);
    struct leaf_says says = {.why = s3_error_code(code), .up = buf_slice(&up), .has_ver = has_ver, .ver = ver, .rev = rev};
    step_record_or_fail(r, &says, NULL, refused_durable);
}

static void upload_unhold(struct gate_write *w) { request_unhold(w->ctx); }

void upload_append(struct gate_request *r, struct gate_write *w, const struct leaf_says *says, void (*done)(struct gate_write *w, bool applied))
{
    w->unhold = upload_unhold;
    w->done = done;
    w->ctx = r;
    r->write = w;
    if (buf_ok(&w->command) && step_record(r, r->decided, says, w, NULL) == ERR_OK) return;
    r->write = NULL;
    flow_write_free(w);
    request_fail_code(r, S3E_ServiceUnavailable, NULL);
}

enum hold_result upload_hold(struct gate_request *r, struct slice name, void (*got)(struct hold_wait *w, bool yes))
{
    ASSERT(r->bucket && !r->in_bucket);
    if (r->bucket->closing) return HOLD_FULL;      /* rule 9 */
    enum hold_result h = HOLD_TAKEN;
    if (name.n) {
        r->hold.got = got;
        r->hold.ctx = r;
        h = hold_take(r->gate->holds, r->bucket->id, name, &r->hold);
    }
    if (h == HOLD_FULL) return h;
    r->bucket->holds++;
    r->in_bucket = true;
    return h;
}

void upload_etag(struct entry_facts *f, const uint8_t md5[16])
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        f->etag[2 * i] = hex[md5[i] >> 4];
        f->etag[2 * i + 1] = hex[md5[i] & 15];
    }
    f->etag_n = 32;
    f->etag[f->etag_n] = 0;
}

void upload_put_etag(struct gate_request *r, const struct entry_facts *f)
{
    char text[ENTRY_ETAG_CHARS_MAX + 2];
    text[0] = '"';
    memcpy(text + 1, f->etag, f->etag_n);
    text[f->etag_n + 1] = '"';
    request_put_header(r, "ETag", slice_of(text, f->etag_n + 2));
}

/* CreateMultipartUpload ---------------------------------------------------------------------------------------------------- */

struct create {
    uint8_t id[ID_BYTES];
    enum s3_sum sum;                               /* NONE: not asked for; CRC64NVME is computed then */
    enum s3_sum_type type;
    uint64_t at;
};

static void create_cleanup(struct gate_request *r)
{
    free(r->u.job);
    r->u.job = NULL;
}

/* When a lifecycle rule will end the upload, clients are told so. */
static void create_abort_date(struct gate_request *r, uint64_t at)
{
    AUTO(buf) struct buf date = BUF_INIT(TIME_TEXT_MAX), rule = BUF_INIT(4 * S3_LIFECYCLE_ID_CHARS_MAX);
    const struct policy_bucket *b = policy_bucket(r->tenant->state, r->name.bucket);
    struct slice doc = b ? policy_bucket_doc(b, POLICY_DOC_LIFECYCLE) : slice_of(NULL, 0);
    struct s3_lifecycle *l = doc.p ? s3_lifecycle_read(doc) : NULL;
    if (l && s3_lifecycle_abort_date(l, r->name.key, at, &date, &rule)) {
        request_put_header(r, "x-amz-abort-date", buf_slice(&date));
        request_put_header(r, "x-amz-abort-rule-id", buf_slice(&rule));
    }
    s3_lifecycle_free(l);
}

static void create_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    struct create *c = r->u.job;
    r->write = NULL;
    buf_reset(&r->headers_out);
    if (!applied) {
        s3_fault_set(&r->fault, S3E_ServiceUnavailable, NULL);
        request_fail(r, request_recorded(r));
        return;
    }
    AUTO(buf) struct buf xml = BUF_INIT(8 * S3_KEY_BYTES_MAX), id = BUF_INIT(ID_TEXT_CHARS);
    buf_put_base32(&id, slice_of(c->id, ID_BYTES));
    s3_initiate_xml(&xml, r->name.bucket, r->name.key, buf_slice(&id));
    request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    request_put_header(r, "x-amz-server-side-encryption", SLICE_LIT("AES256"));
    if (c->sum != S3_SUM_NONE) {
        request_put_header(r, "x-amz-checksum-algorithm", slice_str(s3_sum_name(c->sum)));
        request_put_header(r, "x-amz-checksum-type", slice_str(s3_sum_type_name(c->type)));
    }
    create_abort_date(r, c->at);
    request_answer(r, request_recorded(r), 200, buf_slice(&xml));
}

/* The upload's own entry: what the object will be called by, and how its parts are summed. */
static enum err create_seal(struct gate_request *r, struct create *c, struct gate_write *w)
{
    struct gate *g = r->gate;
    struct gate_tenant *t = r->tenant;
    uint8_t random[8];
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX), name = BUF_INIT(ENTRY_NAME_BYTES_MAX);
    struct entry e = {.flags = ENTRY_UPLOAD, .index = log_size(t->access), .revision = log_size(t->access)};
    TRY(log_time(t->access, loop_wall_ms(g->loop), &c->at));
    rng_fill(g->rng, random, sizeof random);
    rng_fill(g->rng, &e.order, sizeof e.order);
    entry_upload_id(e.index, random, c->id);
    e.facts = (struct entry_facts){.mtime_ms = c->at, .sum = (uint8_t)c->sum, .sum_type = (uint8_t)c->type};
    object_writer(r, e.facts.account);
    op_put_meta(r, &meta, &e.facts.tags);
    if (!buf_ok(&meta)) return ERR_LIMIT;
    entry_part_name(&name, r->name.key, c->id, 0);
    struct entry_place place = {.tenant = t->id, .bucket = r->bucket->id, .key = buf_slice(&name)};
    buf_reset(&r->body_bytes);
    TRY(entry_seal(g->crypto, &g->hash, g->rng, &r->bucket->key, &t->key, &place, &e, buf_slice(&meta), &r->body_bytes));
    command_begin(&w->command, COMMAND_UPLOAD, c->at);
    command_place(&w->command, r->bucket->id, r->name.key);
    command_id(&w->command, c->id);
    command_entry(&w->command, buf_slice(&r->body_bytes));
    return ERR_OK;
}

/* No hold on a name: the id is fresh, nobody else can mean it. */
static void create_go(struct gate_request *r)
{
    struct create *c = r->u.job;
    if (upload_hold(r, slice_of(NULL, 0), NULL) == HOLD_FULL) {
        request_fail_code(r, S3E_SlowDown, NULL);
        return;
    }
    if (!request_may_record(r, true)) return;
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    enum err e = create_seal(r, c, w);
    if (e != ERR_OK) {
        flow_write_free(w);
        request_fail_code(r, s3_error_of_err(e) == S3E_InternalError ? S3E_InternalError : S3E_ServiceUnavailable, NULL);
        return;
    }
    AUTO(buf) struct buf up = BUF_INIT(ID_BYTES + 2);
    record_up_put(&up, c->id, 0);
    struct leaf_says says = {.write = true, .up = buf_slice(&up)};
    upload_append(r, w, &says, create_done);
}

/* The keeper is back; what it found is not looked at. */
static void create_keeper_back(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (upload_goes_on(r, m)) create_go(r);
}

static void create_begin(struct gate_request *r)
{
    struct create *c = calloc(1, sizeof *c);
    if (!c) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    r->u.job = c;
    r->cleanup = create_cleanup;
    enum s3_error e = op_put_headers(r);
    if (e == S3E_NONE) e = s3_sum_of_upload(r->headers, r->header_count, &c->sum, &c->type, &r->fault);
    if (e == S3E_NONE) e = quota_take(r, 1, 0);
    if (e != S3E_NONE) {
        if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, e, NULL);
        step_refuse(r);
    } else if (!keeper_ready(r->gate)) {
        upload_find(r, WIRE_FIND_CURRENT, c->id, 0, create_keeper_back);
    } else if (!step_object_allowed(r, slice_of(NULL, 0), slice_of(NULL, 0))) {
        step_refuse(r);
    } else {
        create_go(r);
    }
}

/* AbortMultipartUpload ------------------------------------------------------------------------------------------------------- */

static void abort_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    r->write = NULL;
    buf_reset(&r->headers_out);
    if (applied) {
        request_answer(r, request_recorded(r), 204, slice_of(NULL, 0));
        return;
    }
    s3_fault_set(&r->fault, S3E_NoSuchUpload, NULL);
    request_fail(r, request_recorded(r));
}

static void abort_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    uint8_t id[ID_BYTES];
    uint64_t at;
    memcpy(id, a->find.id, ID_BYTES);
    if (!upload_goes_on(r, m)) return;
    if (m->present != WIRE_FOUND_PRESENT) {
        upload_refuse(r, S3E_NoSuchUpload, id, 0, false, 0, 0);
        return;
    }
    if (!request_may_record(r, true)) return;
    if (log_time(r->tenant->access, loop_wall_ms(r->gate->loop), &at) != ERR_OK) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    command_begin(&w->command, COMMAND_ABORT, at);
    command_place(&w->command, r->bucket->id, r->name.key);
    command_id(&w->command, id);
    AUTO(buf) struct buf up = BUF_INIT(ID_BYTES + 2);
    record_up_put(&up, id, 0);
    struct leaf_says says = {.write = true, .up = buf_slice(&up)};
    upload_append(r, w, &says, abort_done);
}

static void abort_go(struct gate_request *r)
{
    uint8_t id[ID_BYTES];
    enum s3_error e = upload_named(r, id);
    ASSERT(e == S3E_NONE);                         /* it was read once before the hold was asked for */
    upload_find(r, WIRE_FIND_UPLOAD, id, 0, abort_found);
}

static void abort_held(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    if (yes) abort_go(r);
    else request_fail_code(r, S3E_SlowDown, NULL);
}

/* Complete and Abort hold the key: an upload ends once. */
static void abort_begin(struct gate_request *r)
{
    uint8_t id[ID_BYTES];
    if (upload_named(r, id) != S3E_NONE) {
        step_refuse(r);
        return;
    }
    switch (request_hold(r, abort_held)) {
    case HOLD_TAKEN: abort_go(r); break;
    case HOLD_WAITING: break;
    case HOLD_FULL: request_fail_code(r, S3E_SlowDown, NULL); break;
    }
}

void op_upload_begin(struct gate_request *r)
{
    if (r->op == S3_OP_CreateMultipartUpload) create_begin(r);
    else abort_begin(r);
}
