/* SPDX-License-Identifier: Apache-2.0
 * op_list: ListObjects, both versions: one SCAN in one snapshot, facts opened in slices, a leaf that names the snapshot.
 * Role: SCAN, rule 9, leaf, LISTING. Trusts: entry.c's seals. Distrusts: what the keeper scanned; tokens.
 * Law: 1, 5 (a token opens for its own tenant, bucket and prefix only). Spec: docs/spec/order.md rule 9.
 */
#include "gate/conn.h"
#include "gate/recent.h"
#include "gate/request.h"
#include "record/record.h"

#define LIST_ROWS_BYTES_MAX (2 * 1024 * 1024)
#define LIST_OUT_BYTES_MAX (2 * 1024 * 1024)
#define ROWS_BETWEEN_LOOKS 32                      /* rows between two looks at the clock */

static void list_cleanup(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    loop_job_del(r->gate->loop, &q->job);
    list_del(&q->waiting);
    buf_done(&q->rows);
    buf_done(&q->out);
}

/* tokens ------------------------------------------------------------------------------------------------------------------- */

static enum err token_key(struct gate_request *r, struct secret *out)
{
    return keys_derive(r->gate->crypto, &r->tenant->key, KEYS_LABEL_LISTING, slice_of(r->bucket->id, ID_BYTES), out);
}

static void token_aad(const struct gate_request *r, struct buf *out)
{
    buf_put(out, r->tenant->id, ID_BYTES);
    buf_put(out, r->bucket->id, ID_BYTES);
    buf_put_lp16(out, r->u.list.args.prefix);
    buf_put_lp16(out, r->u.list.args.delimiter);
}

/* The continuation token: the last name, sealed. */
static enum err token_put(struct gate_request *r, struct slice after, struct buf *out)
{
    AUTO(secret) struct secret key = SECRET_INIT;
    AUTO(buf) struct buf aad = BUF_INIT(KEYS_AAD_BYTES_MAX);
    AUTO(buf) struct buf sealed = BUF_INIT(S3_KEY_BYTES_MAX + KEYS_SEAL_EXTRA_BYTES);
    token_aad(r, &aad);
    TRY(token_key(r, &key));
    TRY(keys_seal(r->gate->crypto, r->gate->rng, &key, buf_slice(&aad), after, &sealed));
    buf_put_base64url(out, buf_slice(&sealed));
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

static enum err token_get(struct gate_request *r, struct slice text, struct buf *after)
{
    AUTO(secret) struct secret key = SECRET_INIT;
    AUTO(buf) struct buf aad = BUF_INIT(KEYS_AAD_BYTES_MAX);
    AUTO(buf) struct buf sealed = BUF_INIT(S3_TOKEN_CHARS_MAX);
    if (s3_token_decode(text, &sealed) != S3E_NONE) return ERR_INPUT;
    token_aad(r, &aad);
    TRY(token_key(r, &key));
    TRY(keys_open(r->gate->crypto, &key, buf_slice(&aad), buf_slice(&sealed), after));
    return after->n <= S3_KEY_BYTES_MAX ? ERR_OK : ERR_INPUT;
}

/* the answer ------------------------------------------------------------------------------------------------------------------ */

static void list_durable(struct gate_request *r, const struct recorded *rec)
{
    struct request_list *q = &r->u.list;
    AUTO(buf) struct buf receipt = BUF_INIT(96);
    AUTO(buf) struct buf next = BUF_INIT(2048);
    ASSERT(recorded_durable(rec) || BREAK("release-before-durable"));   /* LAW-1 */
    recorded_text(rec, &receipt);
    if (q->more && q->args.v2 && token_put(r, buf_slice(&r->scratch), &next) != ERR_OK) {
        s3_fault_set(&r->fault, S3E_InternalError, NULL);
        request_fail(r, rec);
        return;
    }
    if (q->more && !q->args.v2) buf_put_slice(&next, buf_slice(&r->scratch));
    struct slice left = buf_slice(&q->out);
    bool first = true;
    while (r->conn && (first || left.n)) {
        struct reader rows = reader_of(left);
        struct wire_listing_row row;
        size_t n = 0;
        while (wire_next_listing_row(&rows, &row) && (size_t)(rows.p - left.p) <= WIRE_DATA_BYTES_MAX) n = (size_t)(rows.p - left.p);
        struct wire_listing m = {.receipt = buf_slice(&receipt), .last = n == left.n, .truncated = q->more, .next = buf_slice(&next),
                                 .owner = slice_str(r->tenant->account), .rows = slice_of(left.p, n)};
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
    s3_fault_set(&r->fault, code, NULL);
    if (!request_may_record(r, false)) return;
    struct leaf_says says = {.why = s3_error_code(code)};
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
    struct record_qry ask = {.prefix = q->args.prefix, .delimiter = q->args.delimiter, .after = q->after, .keys_max = q->args.max_keys};
    struct record_res got = {.truncated = q->more, .next = q->more ? buf_slice(&r->scratch) : slice_of(NULL, 0), .count = q->count};
    ledger_frontier_root(&r->gate->hash, &q->root, got.root);
    record_qry_put(&qry, &ask);
    record_res_put(&res, &got);
    if (!buf_ok(&qry) || !buf_ok(&res)) {
        list_refuse(r, S3E_InvalidArgument);
        return;
    }
    struct leaf_says says = {.has_asof = true, .asof = q->as_of, .qry = buf_slice(&qry), .res = buf_slice(&res)};
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

static enum err list_row(struct gate_request *r, const struct wire_scan_row *row)
{
    struct request_list *q = &r->u.list;
    struct entry_facts f = {0};
    uint8_t hash[HASH_BYTES];
    if (row->kind == 0) {
        struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = row->key};
        /* Rows of one upload have one blob; with more, the sizes behind facts tell their number (entry.md). */
        TRY(entry_open_facts_listed(r->gate->crypto, &r->bucket->key, &place, row->facts, row->leaf_index, &f));
    }
    buf_put_u8(&q->out, row->kind);
    buf_put_lp16(&q->out, row->key);
    buf_put_u64(&q->out, f.size);
    buf_put_u64(&q->out, f.mtime_ms);
    buf_put_lp16(&q->out, slice_of(f.etag, f.etag_n));
    buf_put_u8(&q->out, f.sum);
    /* The result's root: what replay recomputes from the fold. */
    size_t at = r->body_bytes.n;
    record_row_put(&r->body_bytes, row->kind, row->key, row->kind == 0 ? row->leaf_index : 0);
    if (!buf_ok(&q->out) || !buf_ok(&r->body_bytes)) return ERR_LIMIT;
    ledger_leaf_hash(&r->gate->hash, slice_of(r->body_bytes.p + at, r->body_bytes.n - at), hash);
    ledger_frontier_append(&r->gate->hash, &q->root, hash, NULL, NULL);
    buf_reset(&r->body_bytes);
    q->count++;
    return ERR_OK;
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
        list_refuse(r, S3E_InternalError);
        return false;
    }
    loop_job_del(r->gate->loop, j);
    list_settled(r);
    return false;
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
    q->cursor = reader_of(buf_slice(&q->rows));
    q->job.run = list_job;
    q->job.ctx = r;
    loop_job_add(r->gate->loop, &q->job);
}

static void list_sending(struct keeper_ask *a)
{
    struct gate_request *r = a->ctx;
    buf_reset(&r->u.list.rows);
    r->u.list.mark = r->tenant->flow->mark;
}

/* Where the page begins: in q->after, whose bytes lie at the end of `headers_out`, which a listing does not use. */
static enum s3_error list_after(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    q->after = q->args.v2 ? q->args.start_after : q->args.marker;
    if (q->args.v2 && q->args.has_token && q->args.token.n) {
        if (token_get(r, q->args.token, &r->headers_out) != ERR_OK) return S3E_InvalidArgument;
        q->after = buf_slice(&r->headers_out);
    }
    return q->after.n > S3_KEY_BYTES_MAX || q->args.prefix.n > S3_KEY_BYTES_MAX || q->args.delimiter.n > S3_KEY_BYTES_MAX ? S3E_InvalidArgument
                                                                                                                           : S3E_NONE;
}

void op_list_begin(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    list_init(&q->waiting);
    buf_init(&q->rows, LIST_ROWS_BYTES_MAX);
    buf_init(&q->out, LIST_OUT_BYTES_MAX);
    ledger_frontier_init(&q->root);
    q->settled = list_settled;
    r->cleanup = list_cleanup;
    enum s3_error code = s3_list_args(r->s3.params, r->s3.param_count, &q->args, &r->fault);
    if (code == S3E_NONE) code = list_after(r);
    if (code != S3E_NONE) {
        if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
        step_refuse(r);
        return;
    }
    if (q->args.max_keys == 0) {                   /* nothing is looked at: true of every state */
        q->as_of = r->tenant->flow->mark;
        list_settled(r);
        return;
    }
    r->find.rows = list_rows;
    r->find.sending = list_sending;
    r->find.ctx = r;
    r->find.scan = (struct wire_scan){.prefix = q->args.prefix, .delimiter = q->args.delimiter, .after = q->after,
                                      .rows_max = q->args.max_keys, .budget = SCAN_ROWS_BUDGET};
    memcpy(r->find.scan.bucket, r->bucket->id, ID_BYTES);
    memcpy(r->find.scan.log, log_id(r->tenant->access), ID_BYTES);
    keeper_scan(r->gate, &r->find);
}
