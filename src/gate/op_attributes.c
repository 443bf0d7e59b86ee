/* SPDX-License-Identifier: Apache-2.0
 * op_attributes: GetObjectAttributes: what is known of one version, and a page of its parts.
 * Role: behind op_read.c; parts are asked for in small pages, the leaf comes behind the last. Trusts: seals. Distrusts: rows of sets.
 * Law: 1, 2. Spec: docs/spec/order.md.
 */
#include <stdlib.h>

#include "gate/request.h"
#include "s3/s3_config.h"

#define PARTS_PER_FIND 100                         /* opening as many takes the loop's share of a turn */

/* What the answer is made of, while its parts are collected. */
struct attributes_job {
    struct s3_attributes_args args;
    struct s3_part_row *rows;                      /* args.max + 1: one more says whether there are more */
    uint8_t (*sums)[S3_SUM_BYTES_MAX];
    size_t count;
    struct buf xml;
};

static void job_free(struct attributes_job *j)
{
    if (!j) return;
    buf_done(&j->xml);
    free(j->rows);
    free(j->sums);
    free(j);
}

static void attributes_cleanup(struct gate_request *r)
{
    job_free(r->u.get.job);
    r->u.get.job = NULL;
    request_get_done(&r->u.get);
}

static void attributes_durable(struct gate_request *r, const struct recorded *rec)
{
    struct attributes_job *j = r->u.get.job;
    request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    request_answer(r, rec, 200, buf_slice(&j->xml));
}

static void attributes_record(struct gate_request *r)
{
    struct request_get *q = &r->u.get;
    struct attributes_job *j = q->job;
    const struct entry_facts *f = &q->entry.facts;
    char time[TIME_TEXT_MAX];
    AUTO(buf) struct buf sum = BUF_INIT(128);
    if (f->sum_n) s3_sum_text(&sum, (enum s3_sum_type)f->sum_type, slice_of(f->sum_value, f->sum_n), f->parts);
    bool more = j->count > j->args.max;
    size_t shown = more ? j->args.max : j->count;
    const struct s3_attributes a = {.args = &j->args, .etag = slice_of(f->etag, f->etag_n), .size = f->size, .sum = (enum s3_sum)f->sum,
                                    .sum_type = (enum s3_sum_type)f->sum_type, .sum_text = buf_slice(&sum), .part_count = f->parts,
                                    .parts_truncated = more, .parts_next = shown ? j->rows[shown - 1].number : j->args.marker, .rows = j->rows,
                                    .row_count = shown};
    buf_init(&j->xml, S3_CONTROL_BODY_BYTES_MAX);
    s3_attributes_xml(&j->xml, &a);
    if (!buf_ok(&j->xml)) {
        read_refuse(r, S3E_InternalError);
        return;
    }
    time_http(f->mtime_ms, time);
    request_put_header(r, "Last-Modified", slice_str(time));
    request_put_version(r, &q->entry);
    struct leaf_says says = {.has_ver = true, .ver = q->entry.index, .rev = q->entry.revision};
    step_record_or_fail(r, &says, NULL, attributes_durable);
}

static void attributes_found(struct keeper_ask *a, const struct wire_found *m);

static void attributes_find(struct gate_request *r)
{
    const struct attributes_job *j = r->u.get.job;
    uint32_t from = j->count ? j->rows[j->count - 1].number : j->args.marker;
    size_t left = j->args.max + 1 - j->count;
    if (from >= PARTS_MAX || left == 0) attributes_record(r);
    else read_find_part(r, &r->u.get, (uint16_t)(from + 1), (uint32_t)MIN(left, (size_t)PARTS_PER_FIND), attributes_found);
}

/* False: a row that is not what it says. */
static bool attributes_take(struct gate_request *r, const struct wire_part_row *row)
{
    struct attributes_job *j = r->u.get.job;
    struct entry_part part;
    uint32_t last = j->count ? j->rows[j->count - 1].number : j->args.marker;
    if (row->number <= last || j->count > j->args.max || step_release_row(r, &r->u.get, row, &part) != ERR_OK) return false;
    memcpy(j->sums[j->count], part.sum_value, sizeof part.sum_value);
    j->rows[j->count] = (struct s3_part_row){.number = part.number, .size = part.plain_size, .sum = (enum s3_sum)part.sum,
                                             .sum_value = slice_of(j->sums[j->count], part.sum_n)};
    j->count++;
    return true;
}

static void attributes_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct wire_part_row row;
    if (!read_goes_on(r, m)) return;
    struct reader list = reader_of(m->parts);
    size_t asked = r->find.find.rows_max, got = 0;
    bool ok = m->present == WIRE_FOUND_PRESENT;
    while (ok && wire_next_part_row(&list, &row)) {
        ok = attributes_take(r, &row);
        got++;
    }
    if (!ok || list.bad) {
        log_line(LOG_ERROR, "part-does-not-open", "index=%llu", (unsigned long long)r->u.get.entry.index);
        read_refuse(r, S3E_InternalError);
    } else if (got == asked || (m->more && got)) {
        attributes_find(r);
    } else {
        attributes_record(r);
    }
}

static void attributes_present(struct gate_request *r)
{
    struct request_get *q = &r->u.get;
    struct attributes_job *j = q->job;
    wipe(r->body_bytes.p, r->body_bytes.n);
    buf_reset(&r->body_bytes);
    j->count = 0;                                  /* found anew: so are its parts */
    if (!j->args.parts || !(q->entry.flags & ENTRY_SET)) {
        attributes_record(r);
        return;
    }
    if (!j->rows) {
        j->rows = calloc(j->args.max + 1, sizeof *j->rows);
        j->sums = calloc(j->args.max + 1, sizeof *j->sums);
        ASSERT(j->rows && j->sums);
    }
    attributes_find(r);
}

void op_attributes_begin(struct gate_request *r)
{
    struct attributes_job *j = calloc(1, sizeof *j);
    ASSERT(j);
    enum s3_error e = s3_attributes_args(r->headers, r->header_count, &j->args, &r->fault);
    if (e != S3E_NONE) {
        job_free(j);
        if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, e, NULL);
        step_refuse(r);
        return;
    }
    op_read(r, attributes_present);
    r->u.get.job = j;
    r->cleanup = attributes_cleanup;
}
