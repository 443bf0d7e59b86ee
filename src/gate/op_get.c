/* SPDX-License-Identifier: Apache-2.0
 * op_get: GetObject and HeadObject, of versions and parts too, between the version found and its release.
 * Role: conditions, range, headers, leaf; op_read.c finds before and releases behind. Trusts: entry.c's seals. Distrusts: rows of sets.
 * Law: 1, 2. Spec: docs/spec/order.md; RFC 9110 sections 13, 14.
 */
#include "gate/request.h"
#include "s3/s3_config.h"

static bool is_head(const struct gate_request *r) { return slice_is(r->s3.method, "HEAD"); }

static void get_durable(struct gate_request *r, const struct recorded *rec)
{
    (void)rec;
    struct request_get *q = &r->u.get;
    struct release_says says = {.status = q->part ? 206 : 200, .head = is_head(r), .size = q->entry.facts.size, .off = q->off, .len = q->len};
    read_release(r, q, &says);
}

/* response headers ------------------------------------------------------------------------------------------------------- */

static bool overridden(const struct s3_override *o, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_ieq(slice_str(o[i].header), name)) return true;
    return false;
}

/* Of the whole object, or of exactly the part that was asked for; a range has none. */
static void put_checksum(struct gate_request *r, const struct entry_part *part)
{
    const struct entry_facts *f = &r->u.get.entry.facts;
    enum s3_sum sum = (enum s3_sum)(part ? part->sum : f->sum);
    struct slice value = part ? slice_of(part->sum_value, part->sum_n) : slice_of(f->sum_value, f->sum_n);
    enum s3_sum_type type = part ? S3_SUM_FULL : (enum s3_sum_type)f->sum_type;
    if (!value.n || (r->u.get.part && !part && r->u.get.number == 0)) return;
    if (!slice_ieq(request_header(r, "x-amz-checksum-mode"), SLICE_LIT("ENABLED"))) return;
    AUTO(buf) struct buf text = BUF_INIT(128);
    s3_sum_text(&text, type, value, f->parts);
    request_put_header(r, s3_sum_header(sum), buf_slice(&text));
    request_put_header(r, "x-amz-checksum-type", slice_str(s3_sum_type_name((enum s3_sum_type)f->sum_type)));
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

/* Only a bucket with rules pays for reading them. */
static void put_expiration(struct gate_request *r, struct slice tags)
{
    const struct entry_facts *f = &r->u.get.entry.facts;
    const struct policy_bucket *b = r->vid.p ? NULL : policy_bucket_of_id(r->tenant->state, r->bucket->id);
    struct slice doc = b ? policy_bucket_doc(b, POLICY_DOC_LIFECYCLE) : slice_of(NULL, 0);
    if (!doc.n) return;
    AUTO(buf) struct buf text = BUF_INIT(1024);
    struct s3_lifecycle *l = s3_lifecycle_read(doc);
    const struct s3_lifecycle_object o = {.key = r->name.key, .tags = tags, .size = f->size, .mtime_ms = f->mtime_ms, .current = true};
    if (l && s3_lifecycle_expiration(l, &o, &text)) request_put_header(r, "x-amz-expiration", buf_slice(&text));
    s3_lifecycle_free(l);
}

static void put_number(struct gate_request *r, const char *name, uint64_t v)
{
    AUTO(buf) struct buf text = BUF_INIT(24);
    buf_put_dec(&text, v);
    request_put_header(r, name, buf_slice(&text));
}

/* How many tags there are is told to those who may read them. */
static void put_tag_count(struct gate_request *r)
{
    const struct entry_facts *f = &r->u.get.entry.facts;
    if (f->tags && step_decide_also(r, r->verified, S3_OP_GetObjectTagging, r->name.key, r->vid)) put_number(r, "x-amz-tagging-count", f->tags);
}

static enum s3_error take_overrides(struct gate_request *r, struct s3_override over[S3_OVERRIDES], size_t *n)
{
    enum s3_error e = s3_overrides(r->s3.params, r->s3.param_count, over, n);
    if (e == S3E_NONE && *n && verified_auth(r->verified) == POLICY_AUTH_ANON)
        return s3_fault_set(&r->fault, S3E_InvalidRequest, "Request specific response headers cannot be used for anonymous GET requests.");
    return e;
}

static enum s3_error put_headers(struct gate_request *r, struct slice meta, const struct entry_part *part)
{
    struct s3_override over[S3_OVERRIDES];
    const struct request_get *q = &r->u.get;
    size_t n = 0;
    enum s3_error e = take_overrides(r, over, &n);
    if (e != S3E_NONE) return e;
    put_tag_and_time(r, &q->entry.facts);
    struct reader list = reader_of(meta);
    struct wire_header h;
    struct slice tags = slice_of(NULL, 0);
    bool typed = false;
    while (wire_next_header(&list, &h)) {
        typed |= slice_is(h.name, "content-type");
        if (slice_is(h.name, "x-amz-tagging")) tags = h.value;
        else if (!overridden(over, n, h.name)) wire_put_header(&r->headers_out, h.name, h.value);
    }
    for (size_t i = 0; i < n; i++) {
        typed |= slice_ieq(slice_str(over[i].header), SLICE_LIT("content-type"));
        request_put_header(r, over[i].header, over[i].value);
    }
    if (!typed) request_put_header(r, "Content-Type", SLICE_LIT("binary/octet-stream"));
    request_put_header(r, "x-amz-server-side-encryption", SLICE_LIT("AES256"));
    put_checksum(r, part);
    request_put_version(r, &q->entry);
    put_tag_count(r);
    put_expiration(r, tags);
    if (q->number && q->entry.facts.parts) put_number(r, "x-amz-mp-parts-count", q->entry.facts.parts);
    return buf_ok(&r->headers_out) && !list.bad ? S3E_NONE : S3E_InternalError;
}

/* the decision's last part: what is there ------------------------------------------------------------------------------------ */

static enum s3_error get_conditions(struct gate_request *r, struct s3_conditions *c)
{
    const struct entry_facts *f = &r->u.get.entry.facts;
    const char *condition = NULL;
    s3_conditions_of(r->headers, r->header_count, c);
    enum s3_error e = s3_condition_read(c, slice_of(f->etag, f->etag_n), f->mtime_ms, &condition);
    if (e == S3E_NONE) return e;
    s3_fault_set(&r->fault, e, NULL);
    if (e == S3E_NotModified) {
        put_tag_and_time(r, f);
        request_put_version(r, &r->u.get.entry);
    } else if (condition) {
        s3_fault_add(&r->fault, "Condition", slice_str(condition));
    }
    return e;
}

static enum s3_error range_refused(struct gate_request *r, struct slice range, uint64_t size)
{
    AUTO(buf) struct buf text = BUF_INIT(64);
    s3_fault_set(&r->fault, S3E_InvalidRange, NULL);
    s3_fault_add(&r->fault, "RangeRequested", range);
    buf_put_dec(&text, size);
    s3_fault_add(&r->fault, "ActualObjectSize", buf_slice(&text));
    buf_reset(&text);
    buf_put_str(&text, "bytes */");
    buf_put_dec(&text, size);
    request_put_header(r, "Content-Range", buf_slice(&text));
    return S3E_InvalidRange;
}

/* S3E_NONE: off, len and part are set. */
static enum s3_error get_range(struct gate_request *r, const struct s3_conditions *c)
{
    struct request_get *q = &r->u.get;
    const struct entry_facts *f = &q->entry.facts;
    struct slice range = request_header(r, "range");
    uint64_t first = 0, last = 0;
    if (range.p && !s3_if_range(c, slice_of(f->etag, f->etag_n), f->mtime_ms)) range = slice_of(NULL, 0);
    enum s3_range kind = s3_range_parse(range, f->size, &first, &last);
    if (kind == S3_RANGE_UNSATISFIABLE) return range_refused(r, range, f->size);
    q->part = kind == S3_RANGE_PART;
    q->off = q->part ? first : 0;
    q->len = q->part ? last - first + 1 : f->size;
    return S3E_NONE;
}

/* Headers and leaf. part: the row of the part that was asked for by its number. */
static void get_answer(struct gate_request *r, const struct entry_part *part)
{
    struct request_get *q = &r->u.get;
    enum s3_error code = put_headers(r, buf_slice(&r->body_bytes), part);
    if (code != S3E_NONE) {
        buf_reset(&r->headers_out);
        read_refuse(r, code);
        return;
    }
    wipe(r->body_bytes.p, r->body_bytes.n);
    buf_reset(&r->body_bytes);
    if (q->metered) {
        use_release(r);
        return;
    }
    uint64_t ver = q->entry.index;
    if (BREAK("stale-version")) ver = ver ? ver - 1 : UINT64_MAX;
    struct leaf_says says = {.has_ver = true, .ver = ver, .rev = ver == q->entry.index ? q->entry.revision : 0, .has_bytes = true,
                             .bytes = is_head(r) ? 0 : q->len, .has_range = q->part, .range_first = q->off, .range_last = q->off + q->len - 1};
    step_record_or_fail(r, &says, NULL, get_durable);
}

/* The part with that number: what it is stands in its sealed row, and its place in the object too. */
static void get_part_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct request_get *q = &r->u.get;
    struct entry_part part;
    struct wire_part_row row = {0};
    if (!read_goes_on(r, m)) return;
    struct reader list = reader_of(m->parts);
    bool there = m->present == WIRE_FOUND_PRESENT && wire_next_part_row(&list, &row) && row.number == q->number;
    if (!there) {
        read_refuse(r, list.bad ? S3E_InternalError : S3E_InvalidPartNumber);
        return;
    }
    enum err e = step_release_row(r, q, &row, &part);
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "part-does-not-open", "err=%s index=%llu", err_name(e), (unsigned long long)q->entry.index);
        read_refuse(r, S3E_InternalError);
        return;
    }
    buf_reset(&q->parts);
    buf_put_slice(&q->parts, m->parts);
    q->off = row.off;
    q->len = part.plain_size;
    q->part = q->len > 0;                          /* a range of nothing has no name: then the whole is answered, as for an empty object */
    if (q->metered) use_takes(r);
    get_answer(r, &part);
}

/* Under a grant rows come before the leaf: it says what the key opens. */
static void get_rows_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (!read_goes_on(r, m)) return;
    buf_reset(&r->u.get.parts);
    buf_put_slice(&r->u.get.parts, m->parts);
    get_answer(r, NULL);
}

static void get_present(struct gate_request *r)
{
    struct request_get *q = &r->u.get;
    struct s3_conditions c;
    enum s3_error code = get_conditions(r, &c);
    if (code == S3E_NONE && q->number == 0) code = get_range(r, &c);
    if (code == S3E_NONE && q->number > 1 && !(q->entry.flags & ENTRY_SET)) code = S3E_InvalidPartNumber;
    if (code != S3E_NONE) {
        read_refuse(r, code);
        return;
    }
    if (q->number && (q->entry.flags & ENTRY_SET)) {
        read_find_part(r, q, (uint16_t)q->number, 1, get_part_found);
        return;
    }
    if (q->number) {                               /* what came in one piece is its own first part */
        q->off = 0;
        q->len = q->entry.facts.size;
        q->part = q->len > 0;
    }
    if (q->metered) use_takes(r);
    if (!q->metered || !use_find_rows(r, get_rows_found)) get_answer(r, NULL);
}

/* Rows of a set that a plain range needs come with the entry: one round trip. Those of a suffix are asked for when the size is known. */
static void get_hint(struct gate_request *r)
{
    struct request_get *q = &r->u.get;
    struct slice range = request_header(r, "range");
    uint64_t first = 0, last = 0;
    if (is_head(r) || q->number) return;
    if (!range.p || s3_range_parse(range, UINT64_MAX, &first, &last) != S3_RANGE_PART) {
        q->want_len = UINT64_MAX;
        return;
    }
    if (slice_starts(slice_trim(range), SLICE_LIT("bytes=-"))) return;
    q->want_off = first;
    q->want_len = last - first + 1;
}

void op_get_begin(struct gate_request *r)
{
    enum s3_error e = s3_part_number(r->s3.params, r->s3.param_count, &r->u.get.number, &r->fault);
    if (e == S3E_NONE && r->u.get.number && request_header(r, "range").p)
        e = s3_fault_set(&r->fault, S3E_InvalidRequest, "Cannot specify both Range header and partNumber query parameter");
    if (e != S3E_NONE) {
        if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, e, NULL);
        step_refuse(r);
        return;
    }
    get_hint(r);
    if (use_is(r)) use_begin(r, get_present);
    else op_read(r, get_present);
}
