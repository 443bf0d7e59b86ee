/* SPDX-License-Identifier: Apache-2.0
 * op_complete: CompleteMultipartUpload: the parts of an upload become an object.
 * Role: body, hold of the key, FIND of upload and current version, guards; complete_parts.c; entry, leaf, COMPLETE command, answer.
 * Trusts: complete_parts.c for the rows. Distrusts: the client's list, until every part of it was found as it says.
 * Law: 1. Spec: docs/spec/order.md (uploads in parts), docs/spec/entry.md; docs/decisions/0016-parts-are-sets.md.
 */
#include "gate/op_complete.h"

#include <stdlib.h>

#include "gate/recent.h"
#include "record/record.h"

#define BODY_PIECE_BYTES 8192                      /* read between two looks at the clock */

static size_t completes;                           /* past their bodies: GATE_COMPLETES_MAX */

static void complete_cleanup(struct gate_request *r)
{
    struct complete *c = r->u.job;
    if (!c) return;
    complete_parts_cleanup(c);
    if (c->counted) completes--;
    if (c->summing) s3_sums_done(&c->body_sums);
    s3_xml_free(c->xml);
    entry_done(&c->upload);
    entry_done(&c->current);
    buf_done(&c->body);
    buf_done(&c->meta);
    buf_done(&c->tags);
    free(c);
    r->u.job = NULL;
}

static void refuse_plain(struct gate_request *r, enum s3_error code)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    step_refuse(r);
}

/* A refusal that depends on data: it names the upload and the version that was current. */
static void refuse(struct complete *c, enum s3_error code)
{
    uint64_t ver = c->present ? c->current.index : UINT64_MAX;
    uint64_t rev = c->present && c->current.revision != c->current.index ? c->current.revision : 0;
    if (c->r->fault.code == S3E_NONE) s3_fault_set(&c->r->fault, code, NULL);
    upload_refuse(c->r, code, c->id, 0, true, ver, rev);
}

/* the answer ---------------------------------------------------------------------------------------------------------------- */

static void put_location(const struct gate_request *r, struct buf *out)
{
    buf_put_str(out, r->ask.flags & WIRE_ASK_TLS ? "https://" : "http://");
    buf_put_slice(out, request_header(r, "host"));
    buf_put_u8(out, '/');
    if (!r->name.virtual_host) {
        buf_put_slice(out, r->name.bucket);
        buf_put_u8(out, '/');
    }
    s3_put_uri(out, r->name.key, true);
}

static void put_expiration(struct gate_request *r, const struct entry *e, struct slice meta)
{
    AUTO(buf) struct buf text = BUF_INIT(2048);
    const struct policy_bucket *b = policy_bucket(r->tenant->state, r->name.bucket);
    struct slice doc = b ? policy_bucket_doc(b, POLICY_DOC_LIFECYCLE) : slice_of(NULL, 0);
    struct s3_lifecycle *l = doc.p ? s3_lifecycle_read(doc) : NULL;
    struct s3_lifecycle_object o = {.key = r->name.key, .tags = entry_meta_header(meta, "x-amz-tagging"), .size = e->facts.size,
                                    .mtime_ms = e->facts.mtime_ms, .current = true};
    if (l && s3_lifecycle_expiration(l, &o, &text)) request_put_header(r, "x-amz-expiration", buf_slice(&text));
    s3_lifecycle_free(l);
}

/* e: the object, which has its facts. */
static void answer(struct complete *c, const struct entry *e)
{
    struct gate_request *r = c->r;
    AUTO(buf) struct buf xml = BUF_INIT(16 * S3_KEY_BYTES_MAX), location = BUF_INIT(4 * S3_KEY_BYTES_MAX + S3_HEADER_SECTION_BYTES_MAX), sum = BUF_INIT(128);
    const struct entry_facts *f = &e->facts;
    enum s3_sum_type type = (enum s3_sum_type)f->sum_type;
    put_location(r, &location);
    s3_sum_text(&sum, type, slice_of(f->sum_value, f->sum_n), type == S3_SUM_COMPOSITE ? f->parts : 0);
    s3_complete_xml(&xml, buf_slice(&location), r->name.bucket, r->name.key, slice_of(f->etag, f->etag_n), (enum s3_sum)f->sum, type, buf_slice(&sum));
    buf_reset(&r->headers_out);
    request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    request_put_header(r, "x-amz-server-side-encryption", SLICE_LIT("AES256"));
    request_put_version(r, e);
    put_expiration(r, e, buf_slice(&c->meta));
    request_answer(r, request_recorded(r), 200, buf_slice(&xml));
}

static void complete_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    struct complete *c = r->u.job;
    r->write = NULL;
    if (applied) {
        answer(c, &c->upload);
        return;
    }
    /* A part was sent again while this went on, and its leaf came first: the client may ask once more, with that part's ETag. */
    buf_reset(&r->headers_out);
    s3_fault_set(&r->fault, S3E_ServiceUnavailable, "A part changed while the upload was completed; try again");
    request_fail(r, request_recorded(r));
}

/* leaf and command ------------------------------------------------------------------------------------------------------------ */

/* D12, D13: what the client says of the whole against what it is. */
static enum s3_error said_judge(struct complete *c, const struct entry_facts *f)
{
    struct s3_fault *fault = &c->r->fault;
    bool unasked = c->upload.facts.sum == S3_SUM_NONE;
    if (c->said_size && c->size != f->size)
        return s3_fault_set(fault, S3E_InvalidRequest, "x-amz-mp-object-size is not the size of the object");
    if (c->said_type && c->type != (enum s3_sum_type)f->sum_type)
        return s3_fault_set(fault, S3E_BadDigest, "The checksum type is not the one the upload was begun with");
    if (c->said_sum == S3_SUM_NONE) return S3E_NONE;
    if (c->said_sum != (enum s3_sum)f->sum)
        return s3_fault_set(fault, unasked ? S3E_InvalidRequest : S3E_BadDigest, "The checksum is of another type than its upload's");
    bool parts_good = c->said_parts == 0 || (f->sum_type == S3_SUM_COMPOSITE && c->said_parts == f->parts);
    if (c->said_sum_bad || !parts_good || !ct_equal(c->said_value, f->sum_value, f->sum_n)) return s3_fault_set(fault, S3E_BadDigest, NULL);
    return S3E_NONE;
}

/* The object's entry: c->upload becomes it. Its key is the set's. */
static enum err complete_seal(struct complete *c, uint64_t at, struct gate_write *w, struct buf *fresh)
{
    struct gate_request *r = c->r;
    struct gate *g = r->gate;
    struct gate_tenant *t = r->tenant;
    struct entry *e = &c->upload;
    struct entry_place place = {.tenant = t->id, .bucket = r->bucket->id, .key = r->name.key};
    struct command_turn turn;
    request_turn(r, &c->found, c->present ? &c->current : NULL, &turn);
    e->flags = (uint8_t)(ENTRY_SET | request_entry_flags(r));
    e->index = e->revision = log_size(t->access);
    rng_fill(g->rng, &e->order, sizeof e->order);
    e->row_count = 0;
    memcpy(e->set, c->id, ID_BYTES);
    e->parts = (uint16_t)c->at;
    e->facts.mtime_ms = at;
    secret_done(&e->keys);
    e->keys = secret_take(&c->set_key);
    buf_reset(&r->scratch);
    TRY(entry_seal(g->crypto, &g->hash, g->rng, &r->bucket->key, &t->key, &place, e, buf_slice(&c->meta), &r->scratch));
    object_new(r, e, buf_slice(&c->meta), fresh);
    command_begin(&w->command, COMMAND_COMPLETE, at);
    command_place(&w->command, r->bucket->id, r->name.key);
    command_turn(&w->command, &turn);
    command_id(&w->command, c->id);
    command_entry(&w->command, buf_slice(&r->scratch));
    command_u16(&w->command, e->parts);
    buf_put_slice(&w->command, buf_slice(&c->parts));
    bool buries = (turn.guard != COMMAND_GUARD_ABSENT && !turn.keep) || turn.null_index != COMMAND_GUARD_ABSENT;
    if (buries) w->grave_due_ms = at + MAX(turn.grave_ms, (uint64_t)GRAVE_MIN_MS);
    w->slot = r->slot;
    w->slot_count = 1;
    return buf_ok(&w->command) && buf_ok(fresh) ? ERR_OK : ERR_LIMIT;
}

static void complete_record(struct complete *c)
{
    struct gate_request *r = c->r;
    AUTO(buf) struct buf fresh = BUF_INIT(512), up = BUF_INIT(ID_BYTES + 2);
    uint64_t at;
    if (!request_may_record(r, true)) return;
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    enum err err = log_time(r->tenant->access, loop_wall_ms(r->gate->loop), &at);
    if (err == ERR_OK) err = complete_seal(c, at, w, &fresh);
    if (err != ERR_OK) {
        flow_write_free(w);
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    record_up_put(&up, c->id, 0);
    struct leaf_says says = {.write = true, .up = buf_slice(&up), .has_ver = true, .ver = c->present ? c->current.index : UINT64_MAX,
                             .rev = c->present && c->current.revision != c->current.index ? c->current.revision : 0,
                             .has_bytes = true, .bytes = c->upload.facts.size, .fresh = buf_slice(&fresh)};
    upload_append(r, w, &says, complete_done);
}

/* Rule 14, with what the key's current version is, when policies ask. */
static bool still_allowed(struct complete *c)
{
    struct gate_request *r = c->r;
    bool object = c->present && !(c->current.flags & ENTRY_MARKER);
    struct slice owner = slice_of(c->current.facts.account, object ? strlen(c->current.facts.account) : 0);
    if (step_still_allowed(r) && step_object_allowed(r, buf_slice(&c->tags), owner)) return true;
    step_refuse(r);
    return false;
}

static void parts_done(struct complete *c, enum s3_error code)
{
    if (code == S3E_ServiceUnavailable) {
        request_fail_code(c->r, code, NULL);
        return;
    }
    struct entry_facts *f = &c->upload.facts;
    if (code == S3E_NONE) {
        struct entry_facts made = *f;
        if (complete_facts(c, &made) != ERR_OK) code = S3E_InternalError;
        else code = said_judge(c, &made);
        if (code == S3E_NONE) *f = made;
    }
    if (code != S3E_NONE) {
        /* The refusal stands in a leaf, so it is decided now, too (rule 14). */
        struct s3_fault kept = c->r->fault;
        c->r->fault.code = S3E_NONE;
        if (!still_allowed(c)) return;
        c->r->fault = kept;
        refuse(c, code);
        return;
    }
    if (still_allowed(c)) complete_record(c);
}

/* under the hold ---------------------------------------------------------------------------------------------------------------- */

/* M09: completed before, with the same parts: the same answer, by the leaf of a read. */
static void repeat_recorded(struct gate_request *r, const struct recorded *rec)
{
    struct complete *c = r->u.job;
    (void)rec;
    answer(c, &c->current);
}

static void repeat_or_refuse(struct complete *c)
{
    struct entry_facts listed = {0};
    struct entry *e = &c->current;
    bool same = c->present && e->flags & ENTRY_SET && memcmp(e->set, c->id, ID_BYTES) == 0 && complete_listed_etag(c, &listed) &&
                slice_eq(slice_of(listed.etag, listed.etag_n), slice_of(e->facts.etag, e->facts.etag_n));
    if (!same) {
        refuse(c, S3E_NoSuchUpload);
        return;
    }
    if (!request_may_record(c->r, false)) return;
    AUTO(buf) struct buf up = BUF_INIT(ID_BYTES + 2);
    record_up_put(&up, c->id, 0);
    struct leaf_says says = {.up = buf_slice(&up), .has_ver = true, .ver = e->index, .rev = e->revision != e->index ? e->revision : 0};
    step_record_or_fail(c->r, &says, NULL, repeat_recorded);
}

static enum s3_error current_open(struct complete *c, const struct wire_found *m)
{
    struct gate_request *r = c->r;
    struct gate *g = r->gate;
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = r->name.key};
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX);
    c->found = (struct wire_found){.present = m->present, .current = m->current, .null_index = m->null_index};
    c->present = m->present == WIRE_FOUND_PRESENT;
    if (!c->present) return S3E_NONE;
    enum err err = entry_parse(m->entry, &c->current);
    if (err == ERR_OK) err = entry_open_facts(g->crypto, &r->bucket->key, &place, &c->current);
    if (err == ERR_OK) err = entry_open_meta(g->crypto, &r->bucket->key, &place, &c->current, &meta);
    if (err != ERR_OK) {
        log_line(LOG_ERROR, "entry-does-not-open", "err=%s index=%llu", err_name(err), (unsigned long long)c->current.index);
        return s3_fault_set(&r->fault, S3E_InternalError, NULL);
    }
    buf_put_slice(&c->tags, entry_meta_header(buf_slice(&meta), "x-amz-tagging"));
    return S3E_NONE;
}

/* If-Match, If-None-Match on what is current. */
static enum s3_error conditions_judge(struct complete *c)
{
    struct s3_conditions k;
    const char *condition = NULL;
    const struct entry_facts *f = &c->current.facts;
    s3_conditions_of(c->r->headers, c->r->header_count, &k);
    enum s3_error code = s3_condition_write(&k, c->present && !(c->current.flags & ENTRY_MARKER), slice_of(f->etag, f->etag_n), &condition);
    if (code == S3E_NONE) return code;
    s3_fault_set(&c->r->fault, code, NULL);
    if (condition) s3_fault_add(&c->r->fault, "Condition", slice_str(condition));
    return code;
}

static void current_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct complete *c = r->u.job;
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    bool gone = r->fault.code == S3E_NoSuchUpload;
    r->fault.code = S3E_NONE;
    enum s3_error code = current_open(c, m);
    if (code == S3E_NONE) {
        if (!still_allowed(c)) return;
        if (gone) {
            repeat_or_refuse(c);
            return;
        }
        code = conditions_judge(c);
    }
    if (code != S3E_NONE) refuse(c, code);
    else complete_parts(c, parts_done);
}

static void upload_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct complete *c = r->u.job;
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    enum s3_error code = upload_open(r, m, c->id, &c->upload, &c->meta);     /* NoSuchUpload stays in the fault until the current version is known */
    if (code == S3E_InternalError) {
        r->fault.code = S3E_NONE;
        if (upload_goes_on(r, m)) upload_refuse(r, code, c->id, 0, false, 0, 0);
        return;
    }
    upload_find(r, WIRE_FIND_CURRENT, c->id, 0, current_found);
}

static void complete_go(struct gate_request *r)
{
    struct complete *c = r->u.job;
    upload_find(r, WIRE_FIND_UPLOAD, c->id, 0, upload_found);
}

static void complete_held(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    if (yes) complete_go(r);
    else request_fail_code(r, S3E_SlowDown, NULL);
}

/* body ---------------------------------------------------------------------------------------------------------------------------- */

/* x-amz-checksum-* are about the object here, not about the body. */
static enum s3_error said_read(struct gate_request *r, struct complete *c)
{
    struct slice size = request_header(r, "x-amz-mp-object-size"), type = request_header(r, "x-amz-checksum-type");
    for (size_t i = 0; i < r->header_count; i++) {
        enum s3_sum sum = s3_sum_of_header(r->headers[i].name);
        if (sum == S3_SUM_NONE) continue;
        if (c->said_sum != S3_SUM_NONE) return s3_fault_set(&r->fault, S3E_InvalidRequest, "Expecting a single x-amz-checksum- header");
        struct slice value, parts = slice_cut(slice_trim(r->headers[i].value), '-', &value);
        uint64_t n = 0;
        c->said_sum = sum;
        c->said_sum_bad = base64_fixed(value, c->said_value, s3_sum_bytes(sum)) != ERR_OK || (parts.p && slice_u64(parts, PARTS_MAX, &n) != ERR_OK);
        c->said_parts = (uint32_t)n;
    }
    c->said_type = type.p;
    if (type.p && !s3_sum_type_of_name(type, &c->type)) return s3_fault_set(&r->fault, S3E_InvalidRequest, "The value of x-amz-checksum-type is not valid");
    c->said_size = size.p;
    if (size.p && slice_u64(size, S3_OBJECT_BYTES_MAX, &c->size) != ERR_OK)
        return s3_fault_set(&r->fault, S3E_InvalidRequest, "x-amz-mp-object-size is not the size of the object");
    return S3E_NONE;
}

/* LAW-3: what names the parts is what was signed, when anything was. */
static enum s3_error body_digest(struct gate_request *r, struct complete *c)
{
    uint8_t md5[S3_SUM_BYTES_MAX], sha256[S3_SUM_BYTES_MAX], given[16];
    struct slice said = request_header(r, "content-md5");
    if (s3_sums_get(&c->body_sums, S3_SUM_MD5, md5) != ERR_OK || s3_sums_get(&c->body_sums, S3_SUM_SHA256, sha256) != ERR_OK) return S3E_InternalError;
    struct s3_body b = {.md5_given = said.p};
    if (said.p && base64_fixed(said, given, sizeof given) != ERR_OK) return S3E_InvalidDigest;
    if (said.p) memcpy(b.md5, given, sizeof given);
    bool signed_digest = r->s3.payload == S3_PAYLOAD_SHA256;
    return s3_body_compare(&b, md5, NULL, sha256, signed_digest ? r->s3.payload_hash : slice_of(NULL, 0));
}

/* M04: strictly ascending. */
static enum s3_error list_judge(const struct complete *c)
{
    for (size_t i = 1; i < c->list.count; i++)
        if (c->list.parts[i].number <= c->list.parts[i - 1].number) return S3E_InvalidPartOrder;
    return S3E_NONE;
}

static void body_ended(struct complete *c)
{
    struct gate_request *r = c->r;
    enum s3_error code = body_digest(r, c);
    if (code == S3E_NONE) code = s3_xml_complete_end(c->xml, &c->list);
    if (code == S3E_NONE) code = list_judge(c);
    if (code != S3E_NONE) {
        refuse_plain(r, code);
        return;
    }
    if (completes >= GATE_COMPLETES_MAX) {
        request_fail_code(r, S3E_SlowDown, NULL);
        return;
    }
    completes++;
    c->counted = true;
    buf_done(&c->body);
    r->slot = recent_slot(r->gate->recent, r->bucket->id, r->name.key);
    switch (request_hold(r, complete_held)) {
    case HOLD_TAKEN: complete_go(r); break;
    case HOLD_WAITING: break;
    case HOLD_FULL: request_fail_code(r, S3E_SlowDown, NULL); break;
    }
}

/* A list of ten thousand parts is a megabyte of XML: it is read in slices. */
static bool body_run(struct loop_job *j, uint64_t budget_us)
{
    struct complete *c = j->ctx;
    uint64_t begin = clock_mono_us();
    while (c->body_at < c->body.n) {
        struct slice piece = slice_of(c->body.p + c->body_at, MIN(c->body.n - c->body_at, (size_t)BODY_PIECE_BYTES));
        enum s3_error code = s3_sums_add(&c->body_sums, piece) == ERR_OK ? S3E_NONE : S3E_InternalError;
        if (code == S3E_NONE) code = s3_xml_feed(c->xml, piece);
        if (code != S3E_NONE) {
            refuse_plain(c->r, code);
            return false;
        }
        c->body_at += piece.n;
        if (clock_mono_us() - begin >= budget_us) return true;
    }
    if (c->body_last) body_ended(c);
    return false;
}

static void complete_body(struct gate_request *r, struct slice data, bool last)
{
    struct complete *c = r->u.job;
    buf_put_slice(&c->body, data);
    c->body_last = last;
    if (buf_ok(&c->body)) loop_job_add(r->gate->loop, &c->job);
    else refuse_plain(r, S3E_MalformedXML);
}

void op_complete_begin(struct gate_request *r)
{
    struct complete *c = calloc(1, sizeof *c);
    if (!c) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    c->r = r;
    r->u.job = c;
    r->cleanup = complete_cleanup;
    c->job.run = body_run;
    c->job.ctx = c;
    buf_init(&c->body, S3_COMPLETE_BODY_BYTES_MAX);
    buf_init(&c->meta, ENTRY_META_BYTES_MAX);
    buf_init(&c->tags, S3_TAGGING_BYTES_MAX);
    enum s3_error code = upload_named(r, c->id);
    if (code == S3E_NONE) code = said_read(r, c);
    if (code != S3E_NONE) {
        refuse_plain(r, code);
        return;
    }
    c->xml = s3_xml_new(S3_XML_COMPLETE);
    c->summing = c->xml && s3_sums_init(&c->body_sums, S3_SUM_BIT(S3_SUM_MD5) | S3_SUM_BIT(S3_SUM_SHA256)) == ERR_OK;
    if (!c->summing) request_fail_code(r, S3E_ServiceUnavailable, NULL);
    else request_want_body(r, S3_COMPLETE_BODY_BYTES_MAX, complete_body);
}
