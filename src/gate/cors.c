/* SPDX-License-Identifier: Apache-2.0
 * cors: what a browser is told about a bucket's rules for other origins: on answers that it gets anyway, and when it asks before.
 * Role: request.c, step_release.c and op_list.c add cors_headers() to what they send; OPTIONS is a preflight.
 * Trusts: the fold's document. Distrusts: Origin and the other headers, which are outside every signature and only choose what is shown.
 * Law: 1 (rules are a bucket's configuration: shown with an answer that has its record, never with one that has none). Spec: docs/spec/order.md
 */
#include "gate/request.h"
#include "s3/s3_config.h"

#define CORS_TEXT_BYTES_MAX 16384

static const char vary[] = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

static bool is_preflight(const struct gate_request *r) { return r->op == S3_OP_BucketPreflight || r->op == S3_OP_ObjectPreflight; }

/* The rules of the bucket a request is about, as the state is now. Nothing for a caller whose refusal is not on record. */
static struct slice cors_document(struct gate_request *r)
{
    const struct policy_bucket *b = NULL;
    if (r->bucket) b = policy_bucket_of_id(r->tenant->state, r->bucket->id);
    else if (r->tenant && r->name.bucket.n && request_recorded(r)) b = policy_bucket(r->tenant->state, r->name.bucket);
    return b ? policy_bucket_doc(b, POLICY_DOC_CORS) : slice_of(NULL, 0);
}

static void cors_put(const struct s3_cors_answer *a, bool preflight, struct buf *headers)
{
    wire_put_header(headers, SLICE_LIT("Access-Control-Allow-Origin"), a->origin);
    if (a->methods.n) wire_put_header(headers, SLICE_LIT("Access-Control-Allow-Methods"), a->methods);
    if (preflight && a->headers.n) wire_put_header(headers, SLICE_LIT("Access-Control-Allow-Headers"), a->headers);
    if (a->expose.n) wire_put_header(headers, SLICE_LIT("Access-Control-Expose-Headers"), a->expose);
    if (a->credentials) wire_put_header(headers, SLICE_LIT("Access-Control-Allow-Credentials"), SLICE_LIT("true"));
    if (a->has_max_age) {
        AUTO(buf) struct buf seconds = BUF_INIT(32);
        buf_put_dec(&seconds, a->max_age_s);
        wire_put_header(headers, SLICE_LIT("Access-Control-Max-Age"), buf_slice(&seconds));
    }
    wire_put_header(headers, SLICE_LIT("Vary"), slice_str(vary));
}

/* A request that names the method it would like to use is asked for that one, as S3 does. */
static struct slice cors_method(const struct gate_request *r)
{
    struct slice asked = request_header(r, "access-control-request-method");
    return asked.p && asked.n ? asked : r->s3.method;
}

void cors_headers(struct gate_request *r, struct buf *headers)
{
    struct slice origin = request_header(r, "origin");
    struct s3_cors_answer a;
    if (!origin.n || is_preflight(r)) return;
    struct slice doc = cors_document(r);
    if (!doc.n) return;
    AUTO(buf) struct buf mem = BUF_INIT(CORS_TEXT_BYTES_MAX);
    if (s3_cors_match(doc, origin, cors_method(r), slice_of(NULL, 0), &mem, &a) && buf_ok(&mem)) cors_put(&a, false, headers);
}

static void preflight_durable(struct gate_request *r, const struct recorded *rec) { request_answer(r, rec, 200, slice_of(NULL, 0)); }

void op_preflight_begin(struct gate_request *r)
{
    struct slice origin = request_header(r, "origin"), method = request_header(r, "access-control-request-method");
    struct slice headers = request_header(r, "access-control-request-headers");
    AUTO(buf) struct buf mem = BUF_INIT(CORS_TEXT_BYTES_MAX);
    struct s3_cors_answer a;
    if (!origin.n || !method.n) {
        s3_fault_set(&r->fault, S3E_BadRequest, "Insufficient information. Origin and Access-Control-Request-Method headers are needed.");
        step_refuse(r);
        return;
    }
    struct slice doc = cors_document(r);
    if (!doc.n || !s3_cors_match(doc, origin, method, headers, &mem, &a) || !buf_ok(&mem)) {
        s3_fault_set(&r->fault, S3E_AccessForbidden, NULL);
        step_refuse(r);
        return;
    }
    if (!request_may_record(r, false)) return;
    cors_put(&a, true, &r->headers_out);
    struct leaf_says says = {0};
    step_record_or_fail(r, &says, NULL, preflight_durable);
}
