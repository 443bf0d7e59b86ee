/* SPDX-License-Identifier: Apache-2.0
 * op_part_copy: UploadPartCopy: a part from an object that is there already.
 * Role: source parsed, FIND of upload and source, both decisions. Same bytes and the same checksum: the part names the source's blob and nothing moves.
 * Otherwise two leaves: the read, durable before the front gets a key; the write, when the front has sealed the bytes anew.
 * Trusts: op_part.c for hold, leaf and command; op_read.c for the release. Distrusts: what the keeper found; that the source still stands (rule 8).
 * Law: 1, 2. Spec: docs/spec/order.md (uploads in parts); docs/decisions/0016-parts-are-sets.md.
 */
#include <stdlib.h>

#include "frame/frame.h"
#include "gate/op_upload.h"
#include "gate/recent.h"
#include "record/record.h"

struct part_copy {
    struct buf mem, value;                         /* names of the source; the leaf's `copy` */
    struct s3_copy_source from;
    bool null;                                     /* version "null" is named */
    uint64_t index, order;                         /* another version is */
    struct gate_bucket *bucket;
    struct request_get src;                        /* the source as it was found last */
    struct buf meta;
    uint64_t first, len;
    bool ranged, shared, held_part;
    uint32_t slot;
    struct hold_wait hold;                         /* of the source's key, when it is overtaken too often */
    bool held;
};

static void source_find(struct gate_request *r);

static struct part_copy *copy_of(struct gate_request *r)
{
    struct part_job *j = r->u.put.job;
    return j->copy;
}

/* In the turn in which its leaf is appended: whoever gets the key next has to ask the keeper first. */
static void source_unhold(struct part_copy *c)
{
    hold_release(&c->hold);
    if (c->held) c->bucket->holds--;
    c->held = false;
}

void part_copy_cleanup(struct gate_request *r)
{
    struct part_copy *c = copy_of(r);
    if (!c) return;
    source_unhold(c);
    r->next = NULL;
    request_get_done(&c->src);
    if (c->meta.n) wipe(c->meta.p, c->meta.n);
    buf_done(&c->meta);
    buf_done(&c->value);
    buf_done(&c->mem);
    free(c);
}

/* refusals: all but the first kind depend on the source or the upload ---------------------------------------------------------- */

static void copy_says(struct gate_request *r)
{
    struct part_copy *c = copy_of(r);
    const struct entry *e = &c->src.entry;
    bool there = e->flags != 0 || e->row_count;
    struct record_copy v = {.bucket = c->from.bucket, .key = c->from.key, .vid = c->from.version, .ver = there ? e->index : RECORD_VER_NONE,
                            .revision = there ? e->revision : RECORD_VER_NONE};
    buf_reset(&c->value);
    record_copy_put(&c->value, &v);
}

static void refused_durable(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }

/* A read of the source: its leaf names the version it looked at, in `copy`. */
static void source_refuse(struct gate_request *r, enum s3_error code)
{
    struct part_job *j = r->u.put.job;
    AUTO(buf) struct buf up = BUF_INIT(ID_BYTES + 2);
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    if (!request_may_record(r, false)) return;
    record_up_put(&up, j->id, j->number);
    copy_says(r);
    source_unhold(j->copy);
    struct leaf_says says = {.why = s3_error_code(code), .up = buf_slice(&up), .copy = buf_slice(&j->copy->value)};
    step_record_or_fail(r, &says, NULL, refused_durable);
}

/* the answer -------------------------------------------------------------------------------------------------------------------- */

static void copy_answer(struct gate_request *r, const struct entry_facts *f)
{
    struct part_job *j = r->u.put.job;
    struct part_copy *c = j->copy;
    AUTO(buf) struct buf xml = BUF_INIT(2048), sum = BUF_INIT(128), vid = BUF_INIT(ID_TEXT_CHARS);
    const struct policy_bucket *b = policy_bucket(r->tenant->state, c->from.bucket);
    s3_sum_text(&sum, S3_SUM_FULL, slice_of(f->sum_value, f->sum_n), 0);
    s3_copy_xml(&xml, true, slice_of(f->etag, f->etag_n), f->mtime_ms, j->named ? j->sum : S3_SUM_NONE, S3_SUM_FULL, buf_slice(&sum));
    buf_reset(&r->headers_out);
    request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    request_put_header(r, "x-amz-server-side-encryption", SLICE_LIT("AES256"));
    if (b && b->versioning != POLICY_VERSIONING_OFF) {
        entry_version_text(&c->src.entry, &vid);
        request_put_header(r, "x-amz-copy-source-version-id", buf_slice(&vid));
    }
    request_answer(r, request_recorded(r), 200, buf_slice(&xml));
}

/* the bytes are there already ------------------------------------------------------------------------------------------------------ */

static void shared_source(struct gate_request *r, struct buf *command)
{
    struct part_copy *c = copy_of(r);
    command_shared(command, c->bucket->id, c->from.key, c->src.entry.index);
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
    copy_says(r);
    source_unhold(c);
    struct part_write p = {.e = &e, .bytes = e.facts.size, .copy = buf_slice(&c->value), .source = shared_source, .done = shared_done};
    part_append(r, &p);
}

static void shared_held(struct gate_request *r)
{
    copy_of(r)->held_part = true;
    source_find(r);
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
    copy_says(r);
    source_unhold(c);
    struct leaf_says says = {.has_bytes = true, .bytes = c->len, .has_range = c->ranged, .range_first = c->first, .range_last = c->first + c->len - 1,
                             .copy = buf_slice(&c->value)};
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
    struct s3_conditions k;
    const char *condition = NULL;
    uint64_t last = 0;
    s3_copy_conditions_of(r->headers, r->header_count, &k);
    enum s3_error code = s3_condition_copy(&k, slice_of(f->etag, f->etag_n), f->mtime_ms, &condition);
    if (code != S3E_NONE) {
        s3_fault_set(&r->fault, code, NULL);
        if (condition) s3_fault_add(&r->fault, "Condition", slice_str(condition));
        return code;
    }
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

static enum s3_error source_absent(struct gate_request *r)
{
    struct part_copy *c = copy_of(r);
    enum s3_error code = c->from.version.p ? S3E_NoSuchVersion : S3E_NoSuchKey;
    entry_done(&c->src.entry);
    c->src.entry = (struct entry){0};
    return s3_fault_set(&r->fault, code, NULL);
}

static enum s3_error source_open(struct gate_request *r, const struct wire_found *m)
{
    struct part_copy *c = copy_of(r);
    struct gate *g = r->gate;
    struct entry *e = &c->src.entry;
    struct entry_place place = {.tenant = r->tenant->id, .bucket = c->bucket->id, .key = c->from.key};
    buf_reset(&c->meta);
    entry_done(e);
    *e = (struct entry){0};
    if (m->present != WIRE_FOUND_PRESENT) return source_absent(r);
    enum err err = entry_parse(m->entry, e);
    if (err == ERR_OK && c->from.version.p && !c->null && (e->flags & ENTRY_NULL || e->order != c->order)) return source_absent(r);
    if (err == ERR_OK && e->flags & ENTRY_MARKER) {
        if (c->from.version.p) return s3_fault_set(&r->fault, S3E_InvalidRequest, "The source of a copy request may not specifically refer to a delete marker by version id.");
        return s3_fault_set(&r->fault, S3E_NoSuchKey, NULL);
    }
    if (err == ERR_OK) err = entry_open_all(g->crypto, &g->hash, &c->bucket->key, &r->tenant->key, &place, e, &c->meta);
    if (err == ERR_OK) {
        buf_reset(&c->src.locations);
        buf_put_slice(&c->src.locations, m->locations);
        if (buf_ok(&c->src.locations)) return S3E_NONE;
        err = ERR_LIMIT;
    }
    log_line(LOG_ERROR, "entry-does-not-open", "err=%s index=%llu", err_name(err), (unsigned long long)e->index);
    return s3_fault_set(&r->fault, S3E_InternalError, NULL);
}

static void source_held(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    if (yes) {
        source_find(r);
        return;
    }
    copy_of(r)->bucket->holds--;
    copy_of(r)->held = false;
    request_fail_code(r, S3E_SlowDown, NULL);
}

/* Rule 8, for a key that is not the request's. Parts' names are held by parts alone, so that waiting for a key under one cannot go round. */
static bool source_stands(struct gate_request *r)
{
    struct part_copy *c = copy_of(r);
    if (hold_is_held(&c->hold) || BREAK("read-no-recheck")) return true;
    enum recent_answer a = recent_ask(r->gate->recent, c->slot, r->find_sent);
    if (a == RECENT_CLEAR) return true;
    if (a == RECENT_SINCE && ++c->src.tries < GATE_READ_TRIES_MAX) {
        source_find(r);
        return false;
    }
    c->hold.got = source_held;
    c->hold.ctx = r;
    enum hold_result h = c->bucket->closing ? HOLD_FULL : hold_take(r->gate->holds, c->bucket->id, c->from.key, &c->hold);
    if (h == HOLD_FULL) {
        request_fail_code(r, S3E_SlowDown, NULL);
        return false;
    }
    c->bucket->holds++;
    c->held = true;
    if (h == HOLD_TAKEN) source_find(r);
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
    if (!source_stands(r) || !upload_goes_on(r, m)) return;
    enum s3_error code = source_open(r, m);
    struct slice owner = slice_str(c->src.entry.facts.account), tags = entry_meta_header(buf_slice(&c->meta), "x-amz-tagging");
    if (code != S3E_InternalError && !step_decide_source(r, r->verified, &c->from, tags, owner)) {
        r->fault.code = S3E_NONE;                  /* Y08: whether it is there is not told */
        code = s3_fault_set(&r->fault, S3E_AccessDenied, NULL);
    }
    if (code == S3E_NONE && c->bucket->dead) code = s3_fault_set(&r->fault, S3E_NoSuchBucket, NULL);
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
        source_unhold(c);                          /* the part's name first, then the key: for everyone */
        part_hold(r, shared_held);
    }
}

static void source_sending(struct keeper_ask *a)
{
    struct gate_request *r = a->ctx;
    r->find_sent = recent_now(r->gate->recent);
}

static void source_find(struct gate_request *r)
{
    struct part_copy *c = copy_of(r);
    r->find.found = source_found;
    r->find.sending = source_sending;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.key = c->from.key};
    if (c->null) r->find.find.mode = WIRE_FIND_NULLVER;
    else if (c->from.version.p) r->find.find = (struct wire_find){.mode = WIRE_FIND_VERSION, .key = c->from.key, .index = c->index};
    memcpy(r->find.find.bucket, c->bucket->id, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

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
    source_find(r);
}

/* Y01, Y02, and whose bucket it is. */
static enum s3_error source_read(struct gate_request *r, struct part_copy *c)
{
    enum s3_error e = s3_copy_source(request_header(r, "x-amz-copy-source"), &c->mem, &c->from, &r->fault);
    if (e == S3E_NONE && request_header(r, "x-amz-copy-source-server-side-encryption-customer-algorithm").p) e = S3E_NotImplemented;
    if (e != S3E_NONE) return e;
    if (c->from.version.p && !entry_version_parse(c->from.version, &c->null, &c->index, &c->order))
        return s3_fault_set(&r->fault, S3E_InvalidArgument, "Invalid version id specified");
    c->bucket = tenants_bucket(r->tenant, c->from.bucket);
    const struct policy_bucket *b = policy_bucket(r->tenant->state, c->from.bucket);
    if (!c->bucket || !b) return s3_fault_set(&r->fault, S3E_NoSuchBucket, NULL);
    struct slice expected = request_header(r, "x-amz-source-expected-bucket-owner");
    if (expected.p && !slice_is(expected, b->account)) return s3_fault_set(&r->fault, S3E_AccessDenied, NULL);
    return S3E_NONE;
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
    list_init(&c->hold.node);
    buf_init(&c->mem, 2 * S3_CANONICAL_BYTES_MAX);
    buf_init(&c->value, 4 * S3_KEY_BYTES_MAX);
    buf_init(&c->meta, ENTRY_META_BYTES_MAX);
    buf_init(&c->src.locations, WIRE_FRAME_BYTES_MAX);
    buf_init(&c->src.parts, WIRE_FRAME_BYTES_MAX);
    enum s3_error e = source_read(r, c);
    if (e != S3E_NONE) {
        part_refuse(r, e);
        return;
    }
    c->slot = recent_slot(r->gate->recent, c->bucket->id, c->from.key);
    upload_find(r, WIRE_FIND_UPLOAD, j->id, 0, copy_upload_found);
}
