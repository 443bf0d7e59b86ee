/* SPDX-License-Identifier: Apache-2.0
 * Listings: the gate's rows become one XML page, of objects, versions, uploads, or parts of an upload.
 * Role: collects LISTING frames of a page (bounded by SCAN_PAGE_BYTES_MAX at its source) and answers when the last is there.
 * Trusts: the gate's rows and their order. Distrusts: nothing the client sent is believed: its parameters only shape the page.
 * Law: 1 (rows come after the leaf that names them). Spec: docs/spec/wire.md LISTING; the S3 API's ListBucketResult, ListVersionsResult,
 * ListMultipartUploadsResult, ListPartsResult.
 */
#include "flow/flow_in.h"

#include <stdlib.h>

void flow_list_end(struct flow *f)
{
    struct flow_list *l = f->list;
    if (!l) return;
    f->list = NULL;
    buf_done(&l->xml);
    buf_done(&l->mem);
    buf_done(&l->headers);
    free(l);
}

/* Within one frame's callback: it points into the frame. */
static struct s3_owner owner_of(const struct wire_listing *m)
{
    struct reader r = reader_of(m->owner);
    struct s3_owner o = {.id = reader_lp16(&r, UINT16_MAX), .name = reader_lp16(&r, UINT16_MAX)};
    return reader_end(&r) == ERR_OK ? o : (struct s3_owner){.id = slice_of("", 0), .name = slice_of("", 0)};
}

static enum s3_sum sum_of(uint8_t number) { return number < S3_SUM__COUNT ? (enum s3_sum)number : S3_SUM_NONE; }
static enum s3_sum_type type_of(const struct wire_listing_row *row) { return row->composite ? S3_SUM_COMPOSITE : S3_SUM_FULL; }

/* objects */

static enum s3_error keys_begin(struct flow_list *l)
{
    enum s3_error e = s3_list_args(l->target.params, l->target.param_count, &l->args, NULL);
    struct s3_list_head h = {&l->args, l->bucket};
    if (e == S3E_NONE) s3_list_begin(&l->xml, &h);
    return e;
}

static void keys_row(struct flow_list *l, const struct wire_listing *m, const struct wire_listing_row *row)
{
    struct s3_list_head h = {&l->args, l->bucket};
    struct s3_owner owner = owner_of(m);
    if (row->kind == WIRE_ROW_PREFIX) {
        s3_list_prefix(&l->xml, &h, row->key);
        return;
    }
    struct s3_list_row out = {.key = row->key, .etag = row->etag, .size = row->size, .mtime_ms = row->mtime_ms,
                              .sum = sum_of(row->sum), .sum_type = type_of(row),
                              .owner = owner.id, .owner_name = owner.name};
    s3_list_row(&l->xml, &h, &out);
}

static enum err keys_end(struct flow_list *l, const struct wire_listing *m)
{
    struct s3_list_head h = {&l->args, l->bucket};
    s3_list_end(&l->xml, &h, m->truncated != 0, m->next, l->rows);
    return ERR_OK;
}

/* versions and uploads */

static enum s3_error versions_begin(struct flow_list *l)
{
    bool uploads = l->kind == WIRE_SCAN_UPLOADS;
    enum s3_error e = s3_versions_args(l->target.params, l->target.param_count, uploads, &l->versions, NULL);
    if (e != S3E_NONE) return e;
    if (uploads) s3_uploads_begin(&l->xml, &l->versions, l->bucket);
    else s3_versions_begin(&l->xml, &l->versions, l->bucket);
    return S3E_NONE;
}

static void versions_row(struct flow_list *l, const struct wire_listing *m, const struct wire_listing_row *row)
{
    struct s3_version_row out = {.key = row->key, .id = row->id, .etag = row->etag, .latest = row->latest != 0,
                                 .marker = row->kind == WIRE_ROW_MARKER, .size = row->size, .mtime_ms = row->mtime_ms,
                                 .sum = sum_of(row->sum), .sum_type = type_of(row), .owner = owner_of(m)};
    if (row->kind == WIRE_ROW_PREFIX) s3_versions_prefix(&l->xml, &l->versions, row->key);
    else s3_versions_row(&l->xml, &l->versions, &out);
}

static void uploads_row(struct flow_list *l, const struct wire_listing *m, const struct wire_listing_row *row)
{
    struct s3_upload_row out = {.key = row->key, .id = row->id, .began_ms = row->mtime_ms, .sum = sum_of(row->sum), .sum_type = type_of(row),
                                .owner = owner_of(m), .initiator = owner_of(m)};
    if (row->kind == WIRE_ROW_PREFIX) s3_uploads_prefix(&l->xml, &l->versions, row->key);
    else s3_uploads_row(&l->xml, &l->versions, &out);
}

static enum err versions_end(struct flow_list *l, const struct wire_listing *m)
{
    struct slice key = slice_of("", 0), id = slice_of("", 0);
    if (m->next.n) {
        struct reader r = reader_of(m->next);
        key = reader_lp16(&r, S3_KEY_BYTES_MAX);
        id = reader_lp16(&r, ID_TEXT_CHARS);
        TRY(reader_end(&r));
    }
    if (l->kind == WIRE_SCAN_UPLOADS) s3_uploads_end(&l->xml, &l->versions, m->truncated != 0, key, id);
    else s3_versions_end(&l->xml, &l->versions, m->truncated != 0, key, id);
    return ERR_OK;
}

/* parts */

/* The first frame says of what upload the parts are. */
static void parts_about(struct flow_list *l, const struct wire_listing *m)
{
    struct reader r = reader_of(m->about);
    struct wire_header h;
    l->parts.owner = owner_of(m);
    l->parts.initiator = l->parts.owner;
    while (wire_next_header(&r, &h)) {
        if (slice_is(h.name, "checksum-algorithm")) l->parts.sum = s3_sum_of_name(h.value);
        if (slice_is(h.name, "checksum-type") && !s3_sum_type_of_name(h.value, &l->parts.sum_type)) l->parts.sum_type = S3_SUM_FULL;
        if (slice_is(h.name, "initiator") && !slice_eq(h.value, l->parts.owner.id)) l->parts.initiator = (struct s3_owner){.id = h.value};
    }
}

static enum s3_error parts_begin(struct flow_list *l, const struct wire_listing *m)
{
    enum s3_error e = s3_parts_args(l->target.params, l->target.param_count, &l->parts_args, NULL);
    if (e != S3E_NONE) return e;
    l->parts = (struct s3_parts_head){.bucket = l->bucket, .key = l->key, .upload = l->parts_args.upload, .args = &l->parts_args};
    parts_about(l, m);
    s3_parts_begin(&l->xml, &l->parts);
    return S3E_NONE;
}

static void parts_row(struct flow_list *l, const struct wire_listing_row *row)
{
    struct s3_part_row out = {.number = row->number, .size = row->size, .mtime_ms = row->mtime_ms, .etag = row->etag, .sum = sum_of(row->sum),
                              .sum_value = row->sum_value};
    s3_parts_row(&l->xml, &out);
}

static enum err parts_end(struct flow_list *l, const struct wire_listing *m)
{
    uint32_t next = 0;
    if (m->next.n) {
        struct reader r = reader_of(m->next);
        next = reader_u16(&r);
        TRY(reader_end(&r));
    }
    l->parts.owner = l->parts.initiator = owner_of(m);           /* the first frame, where they pointed to, is gone */
    s3_parts_end(&l->xml, &l->parts, m->truncated != 0, next);
    return ERR_OK;
}

/* all kinds */

static enum s3_error begin(struct flow *f, const struct wire_listing *m)
{
    struct flow_list *l = calloc(1, sizeof *l);
    struct flow_request q = {0};
    struct s3_name name;
    enum s3_error e;
    if (!l) return S3E_SlowDown;
    f->list = l;
    l->kind = m->kind;
    buf_init(&l->xml, FLOW_XML_BYTES_MAX);
    buf_init(&l->mem, 2 * S3_TARGET_BYTES_MAX);
    buf_init(&l->headers, FLOW_LIST_HEADER_BYTES_MAX);
    buf_put_slice(&l->headers, m->headers);
    if (!buf_ok(&l->headers)) return S3E_SlowDown;
    f->w->host->request(f, &q);
    struct slice host = s3_header_value(q.headers, q.header_count, "host");
    if ((e = s3_target_parse(q.target, &l->mem, &l->target)) != S3E_NONE) return e;
    if ((e = s3_split(l->target.path, host, f->w->domains, f->w->domain_count, &name)) != S3E_NONE) return e;
    /* A bucket named by the host lies in the request's memory, which lives as long as the flow. */
    l->bucket = name.bucket;
    l->key = name.key;
    switch (l->kind) {
    case WIRE_SCAN_KEYS: return keys_begin(l);
    case WIRE_SCAN_VERSIONS:
    case WIRE_SCAN_UPLOADS: return versions_begin(l);
    case WIRE_SCAN_PARTS: return parts_begin(l, m);
    default: return S3E_InternalError;
    }
}

static bool add_rows(struct flow_list *l, const struct wire_listing *m)
{
    struct reader r = reader_of(m->rows);
    struct wire_listing_row row;
    if (m->kind != l->kind) return false;
    while (wire_next_listing_row(&r, &row)) {
        l->rows++;
        switch (l->kind) {
        case WIRE_SCAN_KEYS: keys_row(l, m, &row); break;
        case WIRE_SCAN_VERSIONS: versions_row(l, m, &row); break;
        case WIRE_SCAN_UPLOADS: uploads_row(l, m, &row); break;
        default: parts_row(l, &row); break;
        }
    }
    return reader_end(&r) == ERR_OK && buf_ok(&l->xml);
}

static enum err end(struct flow_list *l, const struct wire_listing *m)
{
    switch (l->kind) {
    case WIRE_SCAN_KEYS: return keys_end(l, m);
    case WIRE_SCAN_PARTS: return parts_end(l, m);
    default: return versions_end(l, m);
    }
}

void flow_on_listing(struct flow *f, const struct wire_listing *m)
{
    f->step = FLOW_LIST;
    if (m->last) f->gate_open = false;
    enum s3_error e = f->list ? S3E_NONE : begin(f, m);
    if (e != S3E_NONE || !add_rows(f->list, m)) {
        flow_list_end(f);
        flow_fail(f, e != S3E_NONE ? e : S3E_InternalError, NULL);
        return;
    }
    if (!m->last) return;
    struct flow_list *l = f->list;
    struct flow_head head;
    enum err err = end(l, m);
    flow_request_id(f, m->request);
    flow_head_fill(f, &head);
    head.status = 200;
    head.receipt = m->receipt;
    head.headers = m->headers.n ? m->headers : buf_slice(&l->headers);
    head.type = "application/xml";
    if (err == ERR_OK && buf_ok(&l->xml)) flow_reply(f, &head, buf_slice(&l->xml));
    else flow_fail(f, S3E_InternalError, NULL);
    flow_list_end(f);
}
