/* SPDX-License-Identifier: Apache-2.0
 * LIST: the gate's rows become one XML page.
 * Role: collects LISTING frames of a page (bounded by SCAN_PAGE_BYTES_MAX at its source) and answers when the last is there.
 * Trusts: the gate's rows and their order. Distrusts: nothing the client sent is believed: its parameters only shape the page.
 * Law: 1 (rows come after the leaf that names them). Spec: docs/spec/wire.md LISTING; the S3 API's ListBucketResult.
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
    free(l);
}

static enum s3_error begin(struct flow *f)
{
    struct flow_list *l = calloc(1, sizeof *l);
    struct flow_request q = {0};
    struct s3_name name;
    enum s3_error e;
    if (!l) return S3E_SlowDown;
    f->list = l;
    buf_init(&l->xml, FLOW_XML_BYTES_MAX);
    buf_init(&l->mem, 2 * S3_TARGET_BYTES_MAX);
    f->w->host->request(f, &q);
    struct slice host = s3_header_value(q.headers, q.header_count, "host");
    if ((e = s3_target_parse(q.target, &l->mem, &l->target)) != S3E_NONE) return e;
    if ((e = s3_split(l->target.path, host, f->w->domains, f->w->domain_count, &name)) != S3E_NONE) return e;
    if ((e = s3_list_args(l->target.params, l->target.param_count, &l->args, NULL)) != S3E_NONE) return e;
    /* A bucket named by the host lies in the request's memory, which lives as long as the flow. */
    l->bucket = name.bucket;
    struct s3_list_head h = {&l->args, l->bucket};
    s3_list_begin(&l->xml, &h);
    return S3E_NONE;
}

static bool add_rows(struct flow_list *l, const struct wire_listing *m)
{
    struct reader r = reader_of(m->rows);
    struct wire_listing_row row;
    struct s3_list_head h = {&l->args, l->bucket};
    bool owner = !l->args.v2 || l->args.fetch_owner;
    while (wire_next_listing_row(&r, &row)) {
        l->rows++;
        if (row.kind == 1) {
            s3_list_prefix(&l->xml, &h, row.key);
            continue;
        }
        struct s3_list_row out = {.key = row.key, .etag = row.etag, .size = row.size, .mtime_ms = row.mtime_ms,
                                  .sum = row.sum < S3_SUM__COUNT ? (enum s3_sum)row.sum : S3_SUM_NONE,
                                  .owner = owner ? m->owner : slice_of(NULL, 0)};
        s3_list_row(&l->xml, &h, &out);
    }
    return reader_end(&r) == ERR_OK && buf_ok(&l->xml);
}

void flow_on_listing(struct flow *f, const struct wire_listing *m)
{
    f->step = FLOW_LIST;
    if (m->last) f->gate_open = false;
    enum s3_error e = f->list ? S3E_NONE : begin(f);
    if (e != S3E_NONE || !add_rows(f->list, m)) {
        flow_list_end(f);
        flow_fail(f, e != S3E_NONE ? e : S3E_InternalError, NULL);
        return;
    }
    if (!m->last) return;
    struct flow_list *l = f->list;
    struct s3_list_head h = {&l->args, l->bucket};
    struct flow_head head;
    s3_list_end(&l->xml, &h, m->truncated != 0, m->next, l->rows);
    flow_request_id(f, m->request);
    flow_head_fill(f, &head);
    head.status = 200;
    head.receipt = m->receipt;
    head.type = "application/xml";
    if (buf_ok(&l->xml)) flow_reply(f, &head, buf_slice(&l->xml));
    else flow_fail(f, S3E_InternalError, NULL);
    flow_list_end(f);
}
