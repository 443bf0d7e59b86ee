/* SPDX-License-Identifier: Apache-2.0
 * op_part: UploadPart: from the upload that must be there to the settled part.
 * Role: FIND of the upload, ticket (op_put.c), COMMIT, hold of the part's name, FIND, leaf, PART command. Trusts: op_put.c for the digests.
 * Distrusts: that the upload still stands when the part comes: then the keeper refuses, and the part becomes a void.
 * Law: 1. Spec: docs/spec/order.md (uploads in parts), docs/spec/entry.md; docs/decisions/0016-parts-are-sets.md.
 */
#include <stdlib.h>

#include "frame/frame.h"
#include "gate/op_upload.h"
#include "record/record.h"

#define PART_NAME_BYTES (1 + ID_BYTES + 2)

/* the job ------------------------------------------------------------------------------------------------------------------- */

static void part_job_cleanup(struct gate_request *r)
{
    struct part_job *j = r->u.put.job;
    if (!j) return;
    part_copy_cleanup(r);
    buf_done(&j->name);
    free(j);
    r->u.put.job = NULL;
}

/* Until op_put_open() has its own. */
static void part_cleanup(struct gate_request *r) { part_job_cleanup(r); }

/* NULL: refused, its leaf is under way. */
static struct part_job *part_job_new(struct gate_request *r)
{
    uint32_t number = 0;
    struct part_job *j = calloc(1, sizeof *j);
    if (!j) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return NULL;
    }
    buf_init(&j->name, PART_NAME_BYTES);
    r->u.put.job = j;
    r->u.put.job_cleanup = part_job_cleanup;
    r->cleanup = part_cleanup;
    enum s3_error e = op_put_headers(r);
    if (e == S3E_NONE) e = s3_part_number(r->s3.params, r->s3.param_count, &number, &r->fault);
    if (e == S3E_NONE && number == 0) e = s3_fault_set(&r->fault, S3E_InvalidArgument, "This operation does not accept a query without partNumber");
    if (e == S3E_NONE) e = upload_named(r, j->id);
    if (e != S3E_NONE) {
        part_refuse(r, e);
        return NULL;
    }
    ASSERT(number <= PARTS_MAX);
    j->number = (uint16_t)number;
    buf_put_u8(&j->name, 0);
    buf_put(&j->name, j->id, ID_BYTES);
    buf_put_u16(&j->name, j->number);
    return j;
}

void part_refuse(struct gate_request *r, enum s3_error code)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    step_refuse(r);
}

/* hold and FIND --------------------------------------------------------------------------------------------------------------- */

/* Still there after the part was looked for, so it was there then: what was found of the part was true. */
static void part_upload_stands(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct part_job *j = r->u.put.job;
    if (!upload_goes_on(r, m)) return;
    if (m->present != WIRE_FOUND_PRESENT) upload_refuse(r, S3E_NoSuchUpload, j->id, j->number, false, 0, 0);
    else if (request_may_record(r, true)) j->held(r);
}

static void part_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct part_job *j = r->u.put.job;
    struct entry e = {0};
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    j->guard = COMMAND_GUARD_ABSENT;
    if (m->present == WIRE_FOUND_PRESENT) {
        if (entry_parse(m->entry, &e) != ERR_OK || e.flags != ENTRY_PART) {
            log_line(LOG_ERROR, "part-does-not-open", "index=%llu", (unsigned long long)e.index);
            if (upload_goes_on(r, m)) upload_refuse(r, S3E_InternalError, j->id, j->number, false, 0, 0);
            return;
        }
        j->guard = e.index;
    }
    upload_find(r, WIRE_FIND_UPLOAD, j->id, 0, part_upload_stands);
}

static void part_find(struct gate_request *r)
{
    struct part_job *j = r->u.put.job;
    upload_find(r, WIRE_FIND_PART, j->id, j->number, part_found);
}

static void part_held(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    if (yes) part_find(r);
    else request_fail_code(r, S3E_SlowDown, NULL);
}

void part_hold(struct gate_request *r, void (*held)(struct gate_request *r))
{
    struct part_job *j = r->u.put.job;
    j->held = held;
    switch (upload_hold(r, buf_slice(&j->name), part_held)) {
    case HOLD_TAKEN: part_find(r); break;
    case HOLD_WAITING: break;
    case HOLD_FULL: request_fail_code(r, S3E_SlowDown, NULL); break;
    }
}

/* leaf and command --------------------------------------------------------------------------------------------------------------- */

static enum err part_seal(struct gate_request *r, const struct part_write *p, struct gate_write *w, struct buf *fresh)
{
    struct gate *g = r->gate;
    struct gate_tenant *t = r->tenant;
    struct part_job *j = r->u.put.job;
    struct entry *e = p->e;
    struct slice none = slice_of(NULL, 0);
    uint64_t at;
    TRY(log_time(t->access, loop_wall_ms(g->loop), &at));
    AUTO(buf) struct buf name = BUF_INIT(ENTRY_NAME_BYTES_MAX);
    entry_part_name(&name, r->name.key, j->id, j->number);
    struct entry_place place = {.tenant = t->id, .bucket = r->bucket->id, .key = buf_slice(&name)};
    e->flags = ENTRY_PART;
    e->index = e->revision = log_size(t->access);
    rng_fill(g->rng, &e->order, sizeof e->order);
    e->facts.mtime_ms = j->at = at;
    object_writer(r, e->facts.account);
    buf_reset(&r->body_bytes);
    TRY(entry_seal(g->crypto, &g->hash, g->rng, &r->bucket->key, &t->key, &place, e, none, &r->body_bytes));
    object_new(r, e, none, fresh);
    command_begin(&w->command, COMMAND_PART, at);
    command_place(&w->command, r->bucket->id, r->name.key);
    command_id(&w->command, j->id);
    command_u16(&w->command, j->number);
    command_u64(&w->command, j->guard);
    p->source(r, &w->command);
    command_entry(&w->command, buf_slice(&r->body_bytes));
    return buf_ok(fresh) ? ERR_OK : ERR_LIMIT;
}

void part_append(struct gate_request *r, const struct part_write *p)
{
    struct part_job *j = r->u.put.job;
    AUTO(buf) struct buf fresh = BUF_INIT(512), up = BUF_INIT(ID_BYTES + 2);
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    if (part_seal(r, p, w, &fresh) != ERR_OK) {
        flow_write_free(w);
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    record_up_put(&up, j->id, j->number);
    struct leaf_says says = {.write = true, .up = buf_slice(&up), .has_ver = true, .ver = j->guard, .has_bytes = true, .bytes = p->bytes,
                             .fresh = buf_slice(&fresh), .copy = p->copy};
    upload_append(r, w, &says, p->done);
}

static void part_gone_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    bool gone = m && m->present == WIRE_FOUND_ABSENT;
    s3_fault_set(&r->fault, gone ? S3E_NoSuchUpload : S3E_ServiceUnavailable, gone ? NULL : "What was uploaded is not there any more; try again");
    request_fail(r, request_recorded(r));
}

void part_refused(struct gate_request *r)
{
    struct part_job *j = r->u.put.job;
    buf_reset(&r->headers_out);
    upload_find(r, WIRE_FIND_UPLOAD, j->id, 0, part_gone_found);
}

/* UploadPart ---------------------------------------------------------------------------------------------------------------------- */

static void part_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    struct request_put *q = &r->u.put;
    r->write = NULL;
    if (!applied) {
        part_refused(r);
        return;
    }
    struct entry_facts f = {0};
    AUTO(buf) struct buf text = BUF_INIT(128);
    upload_etag(&f, q->md5);
    buf_reset(&r->headers_out);
    upload_put_etag(r, &f);
    /* The client's own, else its upload's. */
    bool own = q->body.sum_named || q->also == S3_SUM_NONE;
    enum s3_sum sum = own ? q->body.sum : q->also;
    s3_sum_text(&text, S3_SUM_FULL, slice_of(own ? q->sum : q->also_value, s3_sum_bytes(sum)), 0);
    request_put_header(r, s3_sum_header(sum), buf_slice(&text));
    request_put_header(r, "x-amz-server-side-encryption", SLICE_LIT("AES256"));
    request_answer(r, request_recorded(r), 200, slice_of(NULL, 0));
}

static void part_source(struct gate_request *r, struct buf *command)
{
    (void)r;
    command_staged(command);
}

/* Under the part's hold. */
static void part_commit_held(struct gate_request *r)
{
    struct request_put *q = &r->u.put;
    struct part_job *j = q->job;
    const uint8_t *sum = q->also == S3_SUM_NONE ? q->sum : q->also_value;
    struct entry e = {.row_count = 1, .keys = q->key};
    memcpy(e.row[0].blob, q->blob, ID_BYTES);
    e.row[0].cipher_size = q->cipher_size;
    e.row[0].plain_size = q->size;
    e.facts = (struct entry_facts){.size = q->size, .sum = (uint8_t)j->sum, .sum_n = s3_sum_bytes(j->sum)};
    memcpy(e.facts.sum_value, sum, e.facts.sum_n);
    upload_etag(&e.facts, q->md5);
    struct part_write p = {.e = &e, .bytes = q->size, .source = part_source, .done = part_done};
    part_append(r, &p);
}

static void part_commit(struct gate_request *r) { part_hold(r, part_commit_held); }

/* D11: all parts of an upload are summed as it was begun; one that asked for nothing takes what its client sends, and sums as well by default. */
static enum s3_error part_sums(struct gate_request *r, const struct entry *upload)
{
    struct request_put *q = &r->u.put;
    struct part_job *j = q->job;
    struct s3_body body;
    struct s3_fault passed = {0};
    j->named = upload->facts.sum != S3_SUM_NONE;
    j->sum = j->named ? (enum s3_sum)upload->facts.sum : S3_SUM_CRC64NVME;
    if (s3_body_read(r->headers, r->header_count, r->s3.payload, &body, &passed) != S3E_NONE) return S3E_NONE;   /* op_put_open() refuses it */
    if (j->named && body.sum_named && body.sum != j->sum)
        return s3_fault_set(&r->fault, S3E_InvalidRequest, "The checksum of this part is of another type than its upload's");
    if (body.sum != j->sum) q->also = j->sum;
    return S3E_NONE;
}

static void part_upload_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct part_job *j = r->u.put.job;
    struct entry e = {0};
    if (!upload_goes_on(r, m)) return;
    enum s3_error code = upload_open(r, m, j->id, &e, NULL);
    if (code == S3E_NONE) code = part_sums(r, &e);
    if (code != S3E_NONE) upload_refuse(r, code, j->id, j->number, false, 0, 0);
    else op_put_open(r, part_commit);
}

void op_part_begin(struct gate_request *r)
{
    struct part_job *j = part_job_new(r);
    if (!j) return;
    if (r->op == S3_OP_UploadPartCopy) part_copy_begin(r);
    else upload_find(r, WIRE_FIND_UPLOAD, j->id, 0, part_upload_found);
}
