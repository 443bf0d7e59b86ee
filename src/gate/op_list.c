/* SPDX-License-Identifier: Apache-2.0
 * op_list: listings of objects (both versions), object versions, uploads and parts: one SCAN in one snapshot, facts opened in slices, a leaf that names
 * the snapshot.
 * Role: SCAN, rule 9, leaf, LISTING. Trusts: op_list_rows.c to open rows. Distrusts: what the keeper says of its snapshot.
 * Law: 1. Spec: docs/spec/order.md rule 9, docs/spec/record.md (`qry`, `res`).
 */
#include "gate/conn.h"
#include "gate/op_list.h"
#include "record/record.h"

#define LIST_ROWS_BYTES_MAX (2 * 1024 * 1024)
#define LIST_OUT_BYTES_MAX (2 * 1024 * 1024)
#define LIST_ABOUT_BYTES_MAX 512
#define ROWS_BETWEEN_LOOKS 32                      /* rows between two looks at the clock */

static void list_cleanup(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    loop_job_del(r->gate->loop, &q->job);
    list_del(&q->waiting);
    buf_done(&q->rows);
    buf_done(&q->out);
    buf_done(&q->next_id);
    buf_done(&q->about);
}

/* the answer ------------------------------------------------------------------------------------------------------------------ */

/* The rows of one frame: as many whole ones as fit. */
static size_t rows_that_fit(struct slice left)
{
    struct reader rows = reader_of(left);
    struct wire_listing_row row;
    size_t n = 0;
    while (wire_next_listing_row(&rows, &row) && (size_t)(rows.p - left.p) <= WIRE_DATA_BYTES_MAX) n = (size_t)(rows.p - left.p);
    return n;
}

static void list_durable(struct gate_request *r, const struct recorded *rec)
{
    struct request_list *q = &r->u.list;
    AUTO(buf) struct buf receipt = BUF_INIT(96), next = BUF_INIT(2048), owner = BUF_INIT(160), headers = BUF_INIT(4096);
    ASSERT(recorded_durable(rec) || BREAK("release-before-durable"));   /* LAW-1 */
    recorded_text(rec, &receipt);
    if (q->more && list_next(r, &next) != ERR_OK) {
        s3_fault_set(&r->fault, S3E_InternalError, NULL);
        buf_reset(&r->headers_out);
        request_fail(r, rec);
        return;
    }
    list_owner(r, &owner);
    if (r->conn && request_header(r, "origin").p) cors_headers(r, &headers);
    struct slice left = buf_slice(&q->out);
    bool first = true;
    while (r->conn && (first || left.n)) {
        size_t n = rows_that_fit(left);
        ASSERT(n || !left.n);
        struct wire_listing m = {.receipt = buf_slice(&receipt), .kind = q->kind, .last = n == left.n, .truncated = q->more, .next = buf_slice(&next),
                                 .owner = buf_slice(&owner), .about = first ? buf_slice(&q->about) : slice_of(NULL, 0), .headers = buf_slice(&headers),
                                 .rows = slice_of(left.p, n)};
        memcpy(m.request, r->id, ID_BYTES);
        conn_put_listing(r->conn, r->wire_id, &m);
        left = slice_of(left.p + n, left.n - n);
        first = false;
    }
    request_end(r);
}

static void list_refused(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }

static void list_refuse(struct gate_request *r, enum s3_error code)
{
    AUTO(buf) struct buf up = BUF_INIT(ID_BYTES + 2);
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    buf_reset(&r->headers_out);
    if (!request_may_record(r, false)) return;
    struct leaf_says says = {.why = s3_error_code(code)};
    if (r->u.list.kind == WIRE_SCAN_PARTS) {
        record_up_put(&up, r->u.list.upload, 0);
        says.up = buf_slice(&up);
    }
    step_record_or_fail(r, &says, NULL, list_refused);
}

static void list_record(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return;
    }
    if (!request_may_record(r, false)) return;
    AUTO(buf) struct buf qry = BUF_INIT(4096);
    AUTO(buf) struct buf res = BUF_INIT(2048);
    struct record_qry ask = {.prefix = list_prefix(r), .delimiter = list_delimiter(q), .after = q->after, .keys_max = list_max(q), .kind = q->kind,
                             .after_index = q->after_index};
    memcpy(ask.id, q->kind == WIRE_SCAN_PARTS ? q->upload : q->after_id, ID_BYTES);
    struct record_res got = {.truncated = q->more, .next = q->more ? buf_slice(&r->scratch) : slice_of(NULL, 0), .count = q->count};
    ledger_frontier_root(&r->gate->hash, &q->root, got.root);
    record_qry_put(&qry, &ask);
    record_res_put(&res, &got);
    if (!buf_ok(&qry) || !buf_ok(&res)) {
        list_refuse(r, S3E_InvalidArgument);
        return;
    }
    AUTO(buf) struct buf up = BUF_INIT(ID_BYTES + 2);
    struct leaf_says says = {.has_asof = true, .asof = q->as_of, .qry = buf_slice(&qry), .res = buf_slice(&res)};
    if (q->kind == WIRE_SCAN_PARTS) {
        record_up_put(&up, q->upload, 0);
        says.up = buf_slice(&up);
    }
    if (BREAK("list-no-asof")) says.asof = log_size(r->tenant->access);
    step_record_or_fail(r, &says, NULL, list_durable);
}

/* Rule 9: the leaf waits until every write leaf below as_of is done or voided. */
static void list_settled(struct gate_request *r)
{
    if (flow_oldest(r->tenant) >= r->u.list.as_of || BREAK("list-no-asof")) list_record(r);
    else list_add_tail(&r->tenant->flow->lists, &r->u.list.waiting);
}

void op_list_settled(struct gate *g, struct gate_tenant *t)
{
    (void)g;
    struct list now;                               /* those that wait on will add themselves again */
    list_init(&now);
    while (!list_empty(&t->flow->lists)) {
        struct list *x = t->flow->lists.next;
        list_del(x);
        list_add_tail(&now, x);
    }
    while (!list_empty(&now)) {
        struct list *x = now.next;
        list_del(x);
        struct gate_request *r = container_of(x, struct gate_request, u.list.waiting);
        r->u.list.settled(r);
    }
}

/* rows -------------------------------------------------------------------------------------------------------------------------- */

/* Behind the last row: the id that goes with the keeper's `next` is the last row's when they are of one key. */
static void list_whole(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    if (q->kind != WIRE_SCAN_PARTS && !slice_eq(q->next_key, buf_slice(&r->scratch))) buf_reset(&q->next_id);
    list_settled(r);
}

static bool list_job(struct loop_job *j, uint64_t budget_us)
{
    struct gate_request *r = j->ctx;
    struct request_list *q = &r->u.list;
    uint64_t until = clock_mono_us() + budget_us;
    struct wire_scan_row row;
    for (unsigned n = 0; reader_left(&q->cursor) > 0; n++) {
        if (n == ROWS_BETWEEN_LOOKS) {
            if (clock_mono_us() >= until) return true;
            n = 0;
        }
        enum err e = wire_next_scan_row(&q->cursor, &row) ? list_row(r, &row) : ERR_CORRUPT;
        if (e == ERR_OK) continue;
        log_line(LOG_ERROR, "listing-does-not-open", "err=%s index=%llu", err_name(e), (unsigned long long)row.leaf_index);
        loop_job_del(r->gate->loop, j);
        if (!step_still_allowed(r)) step_refuse(r);
        else list_refuse(r, S3E_InternalError);
        return false;
    }
    loop_job_del(r->gate->loop, j);
    list_whole(r);
    return false;
}

static void list_open(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    q->cursor = reader_of(buf_slice(&q->rows));
    q->job.run = list_job;
    q->job.ctx = r;
    loop_job_add(r->gate->loop, &q->job);
}

/* Parts are those of an upload of this key that is still there: asked after the SCAN, so that it was there in the snapshot. */
static void list_upload_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    if (m->present == WIRE_FOUND_ABSENT) {
        if (!step_still_allowed(r)) step_refuse(r);
        else list_refuse(r, S3E_NoSuchUpload);
        return;
    }
    enum err e = list_about(r, m->entry);
    if (e == ERR_OK) {
        list_open(r);
        return;
    }
    log_line(LOG_ERROR, "upload-does-not-open", "err=%s", err_name(e));
    request_fail_code(r, S3E_InternalError, NULL);
}

/* The snapshot is whole, or nothing of it is wanted. */
static void list_scanned(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    if (q->kind != WIRE_SCAN_PARTS) {
        list_open(r);
        return;
    }
    r->find.found = list_upload_found;
    r->find.sending = NULL;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.mode = WIRE_FIND_UPLOAD, .key = r->name.key};
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    memcpy(r->find.find.id, q->upload, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

static void list_rows(struct keeper_ask *a, const struct wire_rows *m)
{
    struct gate_request *r = a->ctx;
    struct request_list *q = &r->u.list;
    if (m) buf_put_slice(&q->rows, m->rows);
    if (m && !m->last && buf_ok(&q->rows)) return;
    if (!m || m->failed || !buf_ok(&q->rows)) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    if (!flow_as_of_ok(r->tenant, m->as_of, q->mark)) {
        request_fail_code(r, S3E_InternalError, NULL);
        return;
    }
    q->as_of = m->as_of;
    q->more = m->more != 0;
    buf_reset(&r->scratch);
    buf_put_slice(&r->scratch, m->next);
    list_scanned(r);
}

static void list_sending(struct keeper_ask *a)
{
    struct gate_request *r = a->ctx;
    buf_reset(&r->u.list.rows);
    r->u.list.mark = r->tenant->flow->mark;
}

static void list_scan(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    r->find.rows = list_rows;
    r->find.sending = list_sending;
    r->find.ctx = r;
    r->find.scan = (struct wire_scan){.kind = q->kind, .prefix = list_prefix(r), .delimiter = list_delimiter(q), .after = q->after,
                                      .after_index = q->after_index, .rows_max = list_max(q), .budget = SCAN_ROWS_BUDGET};
    memcpy(r->find.scan.bucket, r->bucket->id, ID_BYTES);
    memcpy(r->find.scan.log, log_id(r->tenant->access), ID_BYTES);
    memcpy(r->find.scan.after_id, q->after_id, ID_BYTES);
    memcpy(r->find.scan.upload, q->upload, ID_BYTES);
    keeper_scan(r->gate, &r->find);
}

/* The version-id-marker "null" is the null version that is there now; without one the page begins behind the key. */
static void list_null_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct entry e = {0};
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    if (m->present == WIRE_FOUND_PRESENT && entry_parse(m->entry, &e) == ERR_OK) r->u.list.after_index = e.index;
    list_scan(r);
}

static void list_find_null(struct gate_request *r)
{
    r->find.found = list_null_found;
    r->find.sending = NULL;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.mode = WIRE_FIND_NULLVER, .key = r->u.list.after};
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

void op_list_begin(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    bool find_null;
    list_init(&q->waiting);
    buf_init(&q->rows, LIST_ROWS_BYTES_MAX);
    buf_init(&q->out, LIST_OUT_BYTES_MAX);
    buf_init(&q->next_id, ID_TEXT_CHARS);
    buf_init(&q->about, LIST_ABOUT_BYTES_MAX);
    ledger_frontier_init(&q->root);
    q->settled = list_settled;
    r->cleanup = list_cleanup;
    enum s3_error code = list_args(r, &find_null);
    if (code != S3E_NONE) {
        if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
        buf_reset(&r->headers_out);
        step_refuse(r);
        return;
    }
    if (list_max(q) > 0) {
        if (find_null) list_find_null(r);
        else list_scan(r);
        return;
    }
    q->as_of = r->tenant->flow->mark;              /* nothing is looked at: true of every state */
    list_scanned(r);
}
