/* SPDX-License-Identifier: Apache-2.0
 * op_bucket: makes and deletes buckets.
 * Role: CreateBucket, DeleteBucket (rule 9). What only looks is op_look.c's.
 * Trusts: policy's fold for what is there. Distrusts: names and bodies.
 * Law: 1, 4 (a bucket is a leaf of the control log). Spec: docs/spec/order.md rule 9.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gate/request.h"

/* create ------------------------------------------------------------------------------------------------------------------- */

struct create {
    struct s3_xml *xml;
    struct s3_sums sums;
    bool summing;
};

static void create_cleanup(struct gate_request *r)
{
    struct create *c = r->u.job;
    if (!c) return;
    s3_xml_free(c->xml);
    if (c->summing) s3_sums_done(&c->sums);
    free(c);
    r->u.job = NULL;
}

static void create_durable(struct gate_request *r, const struct recorded *rec)
{
    buf_reset(&r->scratch);
    buf_put_u8(&r->scratch, '/');
    buf_put_slice(&r->scratch, r->name.bucket);
    buf_reset(&r->headers_out);
    request_put_header(r, "Location", buf_slice(&r->scratch));
    request_answer(r, rec, 200, slice_of(NULL, 0));
}

static void create_make(struct gate_request *r)
{
    struct gate_bucket *b = NULL;
    if (!step_still_allowed(r)) {                  /* the name may have been taken since */
        step_refuse(r);
        return;
    }
    if (!request_may_record(r, true)) return;
    char begins[CONF_TEXT_MAX + 8];
    const struct conf *c = &r->gate->conf;
    struct slice ownership = request_header(r, "x-amz-object-ownership");
    snprintf(begins, sizeof begins, "%.*s %s", ownership.p ? (int)ownership.n : (int)strlen(c->object_ownership),
             ownership.p ? (const char *)ownership.p : c->object_ownership, c->public_access_block ? "1111" : "-");
    r->doc_value = slice_str(begins);
    enum err e = tenants_bucket_prepare(r->gate, r->tenant, r->name.bucket, &b);
    if (e == ERR_OK) {
        e = step_record_bucket(r, r->decided, b, true, create_durable);
        r->doc_value = slice_of(NULL, 0);
        if (e == ERR_OK) return;
        tenants_bucket_drop(r->gate, r->tenant, b);
    }
    r->doc_value = slice_of(NULL, 0);
    log_line(LOG_ERROR, "bucket-not-made", "err=%s", err_name(e));
    request_fail_code(r, S3E_ServiceUnavailable, NULL);
}

static void create_refuse(struct gate_request *r, enum s3_error code)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    step_refuse(r);
}

/* The body's digest, when it stands under the signature. */
static enum s3_error create_digest(struct gate_request *r, struct create *c)
{
    uint8_t sha256[S3_SUM_BYTES_MAX], signed_sha256[HASH_BYTES];
    if (r->s3.payload != S3_PAYLOAD_SHA256) return S3E_NONE;
    if (s3_sums_get(&c->sums, S3_SUM_SHA256, sha256) != ERR_OK) return S3E_InternalError;
    if (hex_fixed(r->s3.payload_hash, signed_sha256, sizeof signed_sha256) != ERR_OK) return S3E_InvalidRequest;
    return memcmp(sha256, signed_sha256, sizeof signed_sha256) == 0 ? S3E_NONE : S3E_XAmzContentSHA256Mismatch;
}

static void create_body(struct gate_request *r, struct slice data, bool last)
{
    struct create *c = r->u.job;
    enum s3_error code = s3_sums_add(&c->sums, data) == ERR_OK ? S3E_NONE : S3E_InternalError;
    if (code == S3E_NONE) code = s3_xml_feed(c->xml, data);
    if (code == S3E_NONE && !last) return;
    struct slice region = slice_of(NULL, 0);
    if (code == S3E_NONE) code = create_digest(r, c);
    if (code == S3E_NONE) code = s3_xml_create_bucket_end(c->xml, &region);
    if (code == S3E_NONE && region.n && !slice_is(region, r->gate->region)) code = S3E_InvalidLocationConstraint;
    if (code != S3E_NONE) create_refuse(r, code);
    else create_make(r);
}

/* What the headers say a new bucket is to be. */
static enum s3_error create_headers(const struct gate_request *r)
{
    struct slice acl = request_header(r, "x-amz-acl"), lock = request_header(r, "x-amz-bucket-object-lock-enabled");
    struct slice ownership = request_header(r, "x-amz-object-ownership");
    bool enforced = ownership.p ? slice_is(ownership, "BucketOwnerEnforced") : strcmp(r->gate->conf.object_ownership, "BucketOwnerEnforced") == 0;
    if (ownership.p && !enforced && !slice_is(ownership, "BucketOwnerPreferred") && !slice_is(ownership, "ObjectWriter")) return S3E_InvalidArgument;
    if (acl.p && !slice_is(acl, "private")) return enforced ? S3E_InvalidBucketAclWithObjectOwnership : S3E_NotImplemented;
    if (lock.p && !slice_ieq(lock, SLICE_LIT("false"))) return S3E_NotImplemented;
    return S3E_NONE;
}

void op_bucket_create_begin(struct gate_request *r)
{
    enum s3_error code = s3_bucket_name_check(r->name.bucket);
    if (code == S3E_NONE) code = create_headers(r);
    if (code != S3E_NONE) {
        create_refuse(r, code);
        return;
    }
    if (r->ask.body_size == 0) {
        create_make(r);
        return;
    }
    struct create *c = calloc(1, sizeof *c);
    r->u.job = c;
    r->cleanup = create_cleanup;
    if (c) c->xml = s3_xml_new(S3_XML_CREATE_BUCKET);
    if (c) c->summing = s3_sums_init(&c->sums, S3_SUM_BIT(S3_SUM_SHA256)) == ERR_OK;
    if (!c || !c->xml || !c->summing) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    request_want_body(r, S3_CONTROL_BODY_BYTES_MAX, create_body);
}

bool op_bucket_again(struct gate_request *r)
{
    if (r->op != S3_OP_CreateBucket || r->fault.code != S3E_BucketAlreadyOwnedByYou || strcmp(r->gate->region, "us-east-1") != 0) return false;
    r->fault.code = S3E_NONE;
    if (!request_may_record(r, false)) return true;
    struct leaf_says says = {.why = s3_error_code(S3E_BucketAlreadyOwnedByYou)};
    step_record_or_fail(r, &says, NULL, create_durable);
    return true;
}

/* delete: rule 9 --------------------------------------------------------------------------------------------------------------- */

/* u.list: scan of one row; `waiting` until what lies below as_of is settled. `more` is set while we hold the bucket. */
static void delete_leave(struct gate_request *r)
{
    if (r->bucket && r->u.list.more) r->bucket->closing = false;
    list_del(&r->u.list.waiting);
    loop_timer_cancel(r->gate->loop, &r->u.list.timer);
    buf_done(&r->u.list.rows);
}

static void delete_durable(struct gate_request *r, const struct recorded *rec) { request_answer(r, rec, 204, slice_of(NULL, 0)); }
static void delete_refused(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }

static void delete_decide(struct gate_request *r)
{
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return;
    }
    bool empty = r->u.list.count == 0;
    if (!request_may_record(r, empty)) return;
    if (!empty) {
        s3_fault_set(&r->fault, S3E_BucketNotEmpty, NULL);
        struct leaf_says says = {.why = s3_error_code(S3E_BucketNotEmpty), .has_asof = true, .asof = r->u.list.as_of};
        step_record_or_fail(r, &says, NULL, delete_refused);
        return;
    }
    if (step_record_bucket(r, r->decided, r->bucket, false, delete_durable) == ERR_OK) ASSERT(r->bucket->dead);   /* the fold says so */
    else request_fail_code(r, S3E_ServiceUnavailable, NULL);
}

static void delete_settled(struct gate_request *r)
{
    if (flow_oldest(r->tenant) < r->u.list.as_of) {
        r->u.list.settled = delete_settled;
        list_add_tail(&r->tenant->flow->lists, &r->u.list.waiting);
        return;
    }
    delete_decide(r);
}

static void delete_rows(struct keeper_ask *a, const struct wire_rows *m)
{
    struct gate_request *r = a->ctx;
    struct wire_scan_row row;
    if (m) {
        struct reader rows = reader_of(m->rows);
        while (wire_next_scan_row(&rows, &row)) r->u.list.count++;
        if (!m->last) return;
        r->u.list.as_of = m->as_of;
    }
    if (!m || m->failed) request_fail_code(r, S3E_ServiceUnavailable, NULL);
    else if (!flow_as_of_ok(r->tenant, m->as_of, r->u.list.mark)) request_fail_code(r, S3E_InternalError, NULL);
    else if (r->u.list.count == 0 && m->more) {    /* the budget was spent on nothing: go on behind it */
        buf_reset(&r->u.list.rows);
        buf_put_slice(&r->u.list.rows, m->next);
        r->find.scan.after = buf_slice(&r->u.list.rows);
        keeper_scan(r->gate, &r->find);
    } else {
        delete_settled(r);
    }
}

static void delete_sending(struct keeper_ask *a)
{
    struct gate_request *r = a->ctx;
    r->u.list.count = 0;
    r->u.list.mark = r->tenant->flow->mark;
}

/* No new holds; those there are go within HOLD_WAIT_MS or so, or the bucket stays. */
static void delete_wait(struct loop_timer *t)
{
    struct gate_request *r = t->ctx;
    if (r->bucket->holds > 0) {
        if (loop_now_ms(r->gate->loop) - r->since_ms > HOLD_WAIT_MS) request_fail_code(r, S3E_OperationAborted, NULL);
        else loop_timer_set(r->gate->loop, t, KEEPER_RETRY_MS);
        return;
    }
    r->find.rows = delete_rows;
    r->find.sending = delete_sending;
    r->find.ctx = r;
    /* Delete markers and old versions are contents too; uploads are not: they end with the bucket (PURGE, gone). */
    r->find.scan = (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .rows_max = 1, .budget = SCAN_ROWS_BUDGET};
    memcpy(r->find.scan.bucket, r->bucket->id, ID_BYTES);
    memcpy(r->find.scan.log, log_id(r->tenant->access), ID_BYTES);
    keeper_scan(r->gate, &r->find);
}

void op_bucket_delete_begin(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    list_init(&q->waiting);
    buf_init(&q->rows, S3_KEY_BYTES_MAX);
    q->timer.fire = delete_wait;
    q->timer.ctx = r;
    r->cleanup = delete_leave;
    if (r->bucket->closing) {
        request_fail_code(r, S3E_OperationAborted, NULL);
        return;
    }
    r->bucket->closing = q->more = true;
    delete_wait(&q->timer);
}
