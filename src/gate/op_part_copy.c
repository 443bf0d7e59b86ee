/* SPDX-License-Identifier: Apache-2.0
 * op_part_copy: UploadPartCopy: a part from an object that is there already.
 * Role: source parsed, FIND of upload and source, both decisions. Same bytes and the same checksum: the part names the source's blob and nothing moves.
 * Otherwise two leaves: the read, durable before the front gets a key; the write, when the front has sealed the bytes anew.
 * Trusts: copy_source.c; op_part.c for hold, leaf and command; op_read.c for the release. Distrusts: what the keeper found; that the source still stands (rule 8).
 * Law: 1, 2. Spec: docs/spec/order.md (uploads in parts); docs/decisions/0016-parts-are-sets.md.
 */
#include <stdlib.h>

#include "frame/frame.h"
#include "gate/copy_source.h"
#include "gate/op_upload.h"
#include "record/record.h"

struct part_copy {
    struct copy_source source;
    struct request_get src;                        /* the source as it was found last */
    uint64_t first, len;
    bool ranged, shared, held_part;
};

static void copy_find(struct gate_request *r);

static struct part_copy *copy_of(struct gate_request *r)
{
    struct part_job *j = r->u.put.job;
    return j->copy;
}

void part_copy_cleanup(struct gate_request *r)
{
    struct part_copy *c = copy_of(r);
    if (!c) return;
    r->next = NULL;
    source_done(&c->source);
    request_get_done(&c->src);
    free(c);
}

/* refusals: all but the first kind depend on the source or the upload ---------------------------------------------------------- */

static void refused_durable(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }

/* A read of the source: its leaf names the version it looked at, in `copy`. */
static void source_refuse(struct gate_request *r, enum s3_error code)
{
    struct part_job *j = r->u.put.job;
    AUTO(buf) struct buf up = BUF_INIT(ID_BYTES + 2);
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    if (!request_may_record(r, false)) return;
    record_up_put(&up, j->id, j->number);
    struct leaf_says says = {.why = s3_error_code(code), .up = buf_slice(&up), .copy = source_value(&j->copy->source)};
    source_unhold(&j->copy->source);
    step_record_or_fail(r, &says, NULL, refused_durable);
}

/* the answer -------------------------------------------------------------------------------------------------------------------- */

static void copy_answer(struct gate_request *r, const struct entry_facts *f)
{
    struct part_job *j = r->u.put.job;
    AUTO(buf) struct buf xml = BUF_INIT(2048), sum = BUF_INIT(128);
    s3_sum_text(&sum, S3_SUM_FULL, slice_of(f->sum_value, f->sum_n), 0);
    s3_copy_xml(&xml, true, slice_of(f->etag, f->etag_n), f->mtime_ms, j->named ? j->sum : S3_SUM_NONE, S3_SUM_FULL, buf_slice(&sum));
    buf_reset(&r->headers_out);
    request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    request_put_header(r, "x-amz-server-side-encryption", SLICE_LIT("AES256"));
    source_put_version(r, &j->copy->source);
    request_answer(r, request_recorded(r), 200, buf_slice(&xml));
}

/* the bytes are there already ------------------------------------------------------------------------------------------------------ */

static void shared_source(struct gate_request *r, struct buf *command)
{
    struct part_copy *c = copy_of(r);
    command_shared(command, c->source.bucket->id, c->source.from.key, c->src.entry.index);
}

static void shared_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    struct part_copy *c = copy_of(r);
    r->write = NULL;
    if (!applied) {
        part_refused(r);
        return;
    }
    struct entry_facts f = c->src.entry.facts;
    f.mtime_ms = ((struct part_job *)r->u.put.job)->at;
    copy_answer(r, &f);
}

/* Under the part's hold, with the source found since: one leaf for both. */
static void shared_write(struct gate_request *r)
{
    struct part_copy *c = copy_of(r);
    const struct entry *s = &c->src.entry;
    struct entry e = {.row_count = 1, .keys = s->keys};
    e.row[0] = s->row[0];
    e.facts = (struct entry_facts){.size = s->facts.size, .etag_n = s->facts.etag_n, .sum = s->facts.sum, .sum_n = s->facts.sum_n};
    memcpy(e.facts.etag, s->facts.etag, sizeof e.facts.etag);
    memcpy(e.facts.sum_value, s->facts.sum_value, sizeof e.facts.sum_value);
    source_unhold(&c->source);
    struct part_write p = {.e = &e, .bytes = e.facts.size, .copy = source_value(&c->source), .source = shared_source, .done = shared_done};
    part_append(r, &p);
}

static void shared_held(struct gate_request *r)
{
    copy_of(r)->held_part = true;
    copy_find(r);
}

/* the bytes move through the front --------------------------------------------------------------------------------------------------- */

static void moved_source(struct gate_request *r, struct buf *command)
{
    (void)r;
    command_staged(command);
}

static void moved_facts(struct gate_request *r, struct entry_facts *f)
{
    struct request_put *q = &r->u.put;
    struct part_job *j = q->job;
    *f = (struct entry_facts){.size = q->size, .mtime_ms = j->at, .sum = (uint8_t)j->sum, .sum_n = s3_sum_bytes(j->sum)};
    memcpy(f->sum_value, q->sum, f->sum_n);
    upload_etag(f, q->md5);
}

static void moved_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    struct entry_facts f;
    r->write = NULL;
    if (!applied) {
        part_refused(r);
        return;
    }
    moved_facts(r, &f);
    copy_answer(r, &f);
}

static void moved_held(struct gate_request *r)
{
    struct request_put *q = &r->u.put;
    struct entry e = {.row_count = 1, .keys = q->key};
    memcpy(e.row[0].blob, q->blob, ID_BYTES);
    e.row[0].cipher_size = q->cipher_size;
    e.row[0].plain_size = q->size;
    moved_facts(r, &e.facts);
    /* No `copy`: what moved was read where the other leaf stands, and may be another version by now. */
    struct part_write p = {.e = &e, .bytes = q->size, .source = moved_source, .done = moved_done};
    part_append(r, &p);
}

static void moved_commit(struct gate_request *r)
{
    keeper_forget(r->gate, &r->find);              /* rows that the front did not wait for */
    r->next = NULL;
    part_hold(r, moved_held);
}

static void moved_durable(struct gate_request *r, const struct recorded *rec)
{
    struct part_job *j = r->u.put.job;
    struct part_copy *c = j->copy;
    if (!r->conn) {
        request_end(r);
        return;
    }
    if (!keeper_ready(r->gate)) {
        s3_fault_set(&r->fault, S3E_ServiceUnavailable, NULL);
        request_fail(r, rec);
        return;
    }
    c->src.copy = true;
    buf_reset(&r->headers_out);
    struct release_says says = {.status = 200, .size = c->src.entry.facts.size, .off = c->first, .len = c->len};
    if (op_put_open_copy(r, c->len, j->sum, moved_commit)) read_release(r, &c->src, &says);
}

static void moved_read(struct gate_request *r)
{
    struct part_copy *c = copy_of(r);
    source_unhold(&c->source);
    struct leaf_says says = {.has_bytes = true, .bytes = c->len, .has_range = c->ranged, .range_first = c->first, .range_last = c->first + c->len - 1,
                             .copy = source_value(&c->source)};
    step_record_or_fail(r, &says, NULL, moved_durable);
}

/* the source -------------------------------------------------------------------------------------------------------------------------- */

/* Y06, Y07, conditions; then whether its blob can be shared. */
static enum s3_error source_judge(struct gate_request *r)
{
    struct part_job *j = r->u.put.job;
    struct part_copy *c = j->copy;
    const struct entry *e = &c->src.entry;
    const struct entry_facts *f = &e->facts;
    uint64_t last = 0;
    enum s3_error code = source_conditions(r, &c->source);
    if (code != S3E_NONE) return code;
    struct slice range = request_header(r, "x-amz-copy-source-range");
    c->first = 0;
    c->len = f->size;
    c->ranged = range.p != NULL;
    if (range.p) {
        code = s3_copy_range(range, f->size, &c->first, &last, &r->fault);
        if (code != S3E_NONE) return code;
        c->len = last - c->first + 1;
    }
    if (c->len > S3_PUT_BYTES_MAX) return s3_fault_set(&r->fault, S3E_InvalidRequest, "The specified copy source is larger than the maximum allowable size for a copy source");
    bool whole = c->len == f->size, one = !(e->flags & ENTRY_SET) && e->row_count == 1;
    c->shared = whole && one && f->etag_kind == 0 && f->parts == 0 && f->sum == (uint8_t)j->sum && f->sum_type == S3_SUM_FULL;
    return S3E_NONE;
}

/* Rule 8, for a key that is not the request's. Parts' names are held by parts alone, so that waiting for a key under one cannot go round. */
static bool copy_stands(struct gate_request *r)
{
    struct part_copy *c = copy_of(r);
    enum source_answer a = source_stands(r, &c->source);
    if (a == SOURCE_STANDS) return true;
    enum hold_result h = a == SOURCE_AGAIN ? HOLD_TAKEN : source_hold(r, &c->source, copy_find);
    if (h == HOLD_TAKEN) copy_find(r);
    if (h == HOLD_FULL) request_fail_code(r, S3E_SlowDown, NULL);
    return false;
}

static void source_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct part_copy *c = copy_of(r);
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    if (!copy_stands(r) || !upload_goes_on(r, m)) return;
    enum err e = source_open(r, &c->source, m);
    if (e != ERR_OK) log_line(LOG_ERROR, "entry-does-not-open", "err=%s index=%llu", err_name(e), (unsigned long long)c->src.entry.index);
    enum s3_error code = e == ERR_OK ? source_allowed(r, &c->source) : S3E_InternalError;
    if (code == S3E_NONE) code = source_judge(r);
    quota_give(r);                                 /* looked before: it may be another version now */
    if (code == S3E_NONE) code = quota_take(r, 1, c->shared ? 0 : frame_cipher_size(c->len));
    if (code != S3E_NONE) {
        source_refuse(r, code);
        return;
    }
    if (!request_may_record(r, true)) return;
    if (!c->shared) {
        moved_read(r);
    } else if (c->held_part) {
        shared_write(r);
    } else {
        source_unhold(&c->source);                 /* the part's name first, then the key: for everyone */
        part_hold(r, shared_held);
    }
}

static void copy_find(struct gate_request *r) { source_find(r, &copy_of(r)->source, source_found); }

/* begin ---------------------------------------------------------------------------------------------------------------------------------- */

static void copy_upload_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct part_job *j = r->u.put.job;
    struct entry e = {0};
    if (!upload_goes_on(r, m)) return;
    enum s3_error code = upload_open(r, m, j->id, &e, NULL);
    if (code != S3E_NONE) {
        upload_refuse(r, code, j->id, j->number, false, 0, 0);
        return;
    }
    j->named = e.facts.sum != S3_SUM_NONE;
    j->sum = j->named ? (enum s3_sum)e.facts.sum : S3_SUM_CRC64NVME;
    copy_find(r);
}

void part_copy_begin(struct gate_request *r)
{
    struct part_job *j = r->u.put.job;
    struct part_copy *c = calloc(1, sizeof *c);
    if (!c) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    j->copy = c;
    source_init(&c->source, &c->src);
    buf_init(&c->src.locations, WIRE_FRAME_BYTES_MAX);
    buf_init(&c->src.parts, WIRE_FRAME_BYTES_MAX);
    enum s3_error e = source_read(r, &c->source);
    if (e != S3E_NONE) {
        part_refuse(r, e);
        return;
    }
    upload_find(r, WIRE_FIND_UPLOAD, j->id, 0, copy_upload_found);
}
