/* SPDX-License-Identifier: Apache-2.0
 * op_get: GetObject and HeadObject between decide and release.
 * Role: FIND, conditions, range, rule 8, leaf; then step_release(). Trusts: entry.c's seals. Distrusts: what the keeper found.
 * Law: 1, 2 (existence too is told only after the leaf). Spec: docs/spec/order.md; RFC 9110 sections 13, 14.
 */
#include "gate/recent.h"
#include "gate/request.h"

static void get_find(struct gate_request *r);

static void get_cleanup(struct gate_request *r) { entry_done(&r->u.get.entry); }

static void get_sending(struct keeper_ask *a)
{
    struct gate_request *r = a->ctx;
    r->find_sent = recent_now(r->gate->recent);
}

static void get_refused(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }

/* A refusal that depends on data is a read: its leaf names the version it looked at. */
static void get_refuse(struct gate_request *r, enum s3_error code, uint64_t ver)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    struct leaf_says says = {.why = s3_error_code(code), .has_ver = true, .ver = ver};
    step_record_or_fail(r, &says, NULL, get_refused);
}

static void get_durable(struct gate_request *r, const struct recorded *rec)
{
    (void)rec;
    struct request_get *q = &r->u.get;
    struct release_says says = {.status = q->part ? 206 : 200, .head = r->op == S3_OP_HeadObject, .size = q->entry.facts.size,
                                .off = q->off, .len = q->len};
    step_release(r, request_recorded(r), &says);
}

/* response headers ------------------------------------------------------------------------------------------------------- */

static bool overridden(const struct s3_override *o, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_ieq(slice_str(o[i].header), name)) return true;
    return false;
}

static void put_checksum(struct gate_request *r, const struct entry_facts *f)
{
    struct slice mode = request_header(r, "x-amz-checksum-mode");
    if (!f->sum_n || r->u.get.part || !slice_ieq(mode, SLICE_LIT("ENABLED"))) return;
    AUTO(buf) struct buf text = BUF_INIT(64);
    buf_put_base64(&text, slice_of(f->sum_value, f->sum_n));
    request_put_header(r, s3_sum_header((enum s3_sum)f->sum), buf_slice(&text));
    request_put_header(r, "x-amz-checksum-type", SLICE_LIT("FULL_OBJECT"));
}

static void put_tag_and_time(struct gate_request *r, const struct entry_facts *f)
{
    char text[TIME_TEXT_MAX], etag[ENTRY_ETAG_CHARS_MAX + 3];
    etag[0] = '"';
    memcpy(etag + 1, f->etag, f->etag_n);
    etag[f->etag_n + 1] = '"';
    request_put_header(r, "ETag", slice_of(etag, f->etag_n + 2));
    time_http(f->mtime_ms, text);
    request_put_header(r, "Last-Modified", slice_str(text));
}

static enum s3_error put_headers(struct gate_request *r, struct slice meta)
{
    struct s3_override over[S3_OVERRIDES];
    size_t n = 0;
    if (verified_key(r->verified)) {               /* anonymous requests may not say how they are answered */
        enum s3_error e = s3_overrides(r->s3.params, r->s3.param_count, over, &n);
        if (e != S3E_NONE) return e;
    }
    put_tag_and_time(r, &r->u.get.entry.facts);
    struct reader list = reader_of(meta);
    struct wire_header h;
    bool typed = false;
    while (wire_next_header(&list, &h)) {
        typed |= slice_is(h.name, "content-type");
        if (!overridden(over, n, h.name)) wire_put_header(&r->headers_out, h.name, h.value);
    }
    for (size_t i = 0; i < n; i++) {
        typed |= slice_ieq(slice_str(over[i].header), SLICE_LIT("content-type"));
        request_put_header(r, over[i].header, over[i].value);
    }
    if (!typed) request_put_header(r, "Content-Type", SLICE_LIT("binary/octet-stream"));
    request_put_header(r, "x-amz-server-side-encryption", SLICE_LIT("AES256"));
    put_checksum(r, &r->u.get.entry.facts);
    return buf_ok(&r->headers_out) && !list.bad ? S3E_NONE : S3E_InternalError;
}

/* the decision's last part: what is there ------------------------------------------------------------------------------------ */

/* S3E_NONE: off, len and part are set. */
static enum s3_error get_range(struct gate_request *r)
{
    struct request_get *q = &r->u.get;
    struct s3_conditions c;
    const char *condition = NULL;
    const struct entry_facts *f = &q->entry.facts;
    struct slice etag = slice_of(f->etag, f->etag_n);
    s3_conditions_of(r->headers, r->header_count, &c);
    enum s3_error e = s3_condition_read(&c, etag, f->mtime_ms, &condition);
    if (e != S3E_NONE) {
        s3_fault_set(&r->fault, e, NULL);
        if (e == S3E_NotModified) put_tag_and_time(r, f);
        else if (condition) s3_fault_add(&r->fault, "Condition", slice_str(condition));
        return e;
    }
    struct slice range = request_header(r, "range");
    if (range.p && !s3_if_range(&c, etag, f->mtime_ms)) range = slice_of(NULL, 0);
    uint64_t first = 0, last = 0;
    switch (s3_range_parse(range, f->size, &first, &last)) {
    case S3_RANGE_UNSATISFIABLE: {
        AUTO(buf) struct buf text = BUF_INIT(64);
        s3_fault_set(&r->fault, S3E_InvalidRange, NULL);
        s3_fault_add(&r->fault, "RangeRequested", range);
        buf_put_dec(&text, f->size);
        s3_fault_add(&r->fault, "ActualObjectSize", buf_slice(&text));
        buf_reset(&text);
        buf_put_str(&text, "bytes */");
        buf_put_dec(&text, f->size);
        request_put_header(r, "Content-Range", buf_slice(&text));
        return S3E_InvalidRange;
    }
    case S3_RANGE_PART:
        q->part = true;
        q->off = first;
        q->len = last - first + 1;
        return S3E_NONE;
    default:
        q->part = false;
        q->off = 0;
        q->len = f->size;
        return S3E_NONE;
    }
}

static void get_present(struct gate_request *r, const struct wire_found *m)
{
    struct gate *g = r->gate;
    struct request_get *q = &r->u.get;
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = r->name.key};
    buf_reset(&r->body_bytes);                     /* meta in clear, until the headers are built */
    enum err e = entry_parse(m->entry, &q->entry);
    if (e == ERR_OK) e = entry_open_all(g->crypto, &g->hash, &r->bucket->key, &r->tenant->key, &place, &q->entry, &r->body_bytes);
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "entry-does-not-open", "err=%s index=%llu", err_name(e), (unsigned long long)q->entry.index);
        get_refuse(r, S3E_InternalError, q->entry.index);
        return;
    }
    uint64_t ver = q->entry.index;
    if (BREAK("stale-version")) ver = ver ? ver - 1 : UINT64_MAX;
    enum s3_error code = q->entry.delete_marker ? S3E_NoSuchKey : get_range(r);
    if (code == S3E_NONE && (code = put_headers(r, buf_slice(&r->body_bytes))) != S3E_NONE) buf_reset(&r->headers_out);
    wipe(r->body_bytes.p, r->body_bytes.n);
    buf_reset(&r->body_bytes);
    if (code != S3E_NONE) {
        get_refuse(r, code, ver);
        return;
    }
    buf_reset(&r->scratch);
    buf_put_slice(&r->scratch, m->locations);
    struct leaf_says says = {.has_ver = true, .ver = ver, .has_bytes = true, .bytes = r->op == S3_OP_HeadObject ? 0 : q->len,
                             .has_range = q->part, .range_first = q->off, .range_last = q->off + q->len - 1};
    step_record_or_fail(r, &says, NULL, get_durable);
}

static void get_held(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    if (!yes) request_fail_code(r, S3E_SlowDown, NULL);
    else get_find(r);
}

/* Rule 8. True: the read stands; false: it looks again, or waits for the key. */
static bool get_stands(struct gate_request *r)
{
    if (hold_is_held(&r->hold) || BREAK("read-no-recheck")) return true;
    enum recent_answer a = recent_ask(r->gate->recent, r->slot, r->find_sent);
    if (a == RECENT_CLEAR) return true;
    if (a == RECENT_SINCE && ++r->u.get.tries < GATE_READ_TRIES_MAX) {
        get_find(r);
        return false;
    }
    switch (request_hold(r, get_held)) {
    case HOLD_TAKEN: get_find(r); break;
    case HOLD_WAITING: break;
    case HOLD_FULL: request_fail_code(r, S3E_SlowDown, NULL); break;
    }
    return false;
}

static void get_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    if (!get_stands(r)) return;
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return;
    }
    if (!request_may_record(r, false)) return;
    if (m->present == WIRE_FOUND_PRESENT) {
        get_present(r, m);
        return;
    }
    s3_fault_set(&r->fault, S3E_NoSuchKey, NULL);
    s3_fault_add(&r->fault, "Key", r->name.key);
    get_refuse(r, S3E_NoSuchKey, UINT64_MAX);
}

static void get_find(struct gate_request *r)
{
    r->find.found = get_found;
    r->find.sending = get_sending;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.grave = 0, .key = r->name.key};
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

void op_get_begin(struct gate_request *r)
{
    r->cleanup = get_cleanup;
    r->slot = recent_slot(r->gate->recent, r->bucket->id, r->name.key);
    get_find(r);
}
