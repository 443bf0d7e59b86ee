/* SPDX-License-Identifier: Apache-2.0
 * op_form: POST of a browser's form: the fields become what a PUT's headers are, the policy says what they may be.
 * Role: verified, undecided -> fields -> decide (as PutObject at the form's key) -> policy -> ticket; from there on op_put.c's. The answer is the form's.
 * Trusts: step_verify.c, which proved the policy's signature. Distrusts: every field, until the policy covers it.
 * Law: 1, 3 (what the signed policy does not cover is refused). Spec: docs/spec/order.md section 3; "Browser-based uploads using POST".
 */
#include <stdlib.h>

#include "gate/request.h"
#include "s3/s3_config.h"

#define FORM_MEM_BYTES_MAX (4 * FORM_BYTES_MAX)
#define FORM_URL_BYTES_MAX 16384

struct form {
    struct buf mem;
    struct s3_post post;
};

static void form_cleanup(struct gate_request *r)
{
    struct form *f = r->u.put.job;
    if (!f) return;
    r->name.key = slice_of(NULL, 0);
    r->header_count = 0;                           /* they lie in mem */
    buf_done(&f->mem);
    free(f);
    r->u.put.job = NULL;
}

static void form_refuse(struct gate_request *r, enum s3_error e)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, e, NULL);
    step_refuse(r);
}

/* Headers of the POST itself that say something about the object speak of the form, not of the file. These are kept. */
static bool kept(struct slice name)
{
    static const char *const names[] = {"host", "origin", "access-control-request-method", "access-control-request-headers", "user-agent", "referer",
                                        "x-amz-expected-bucket-owner"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_is(name, names[i])) return true;
    return false;
}

static enum s3_error form_headers(struct gate_request *r, const struct form *f)
{
    size_t n = 0, uns = 0;
    for (size_t i = 0; i < r->header_count; i++)
        if (kept(r->headers[i].name)) r->headers[n++] = r->headers[i];
    for (size_t i = 0; i < r->uns_count; i++)
        if (kept(r->uns[i])) r->uns[uns++] = r->uns[i];
    for (size_t i = 0; i < f->post.header_count; i++) {
        const struct s3_header *h = &f->post.headers[i];
        if (slice_is(h->name, "x-amz-acl") && slice_is(h->value, "private")) continue;    /* it is, and forms have always said so */
        if (n == ARRAY_LEN(r->headers)) return S3E_InvalidRequest;
        r->headers[n++] = *h;
    }
    r->header_count = n;
    r->uns_count = uns;
    return S3E_NONE;
}

static enum s3_error form_policy(struct gate_request *r, struct form *f)
{
    AUTO(buf) struct buf text = BUF_INIT(FORM_BYTES_MAX);
    if (!f->post.signed_form) return verified_key(r->verified) ? S3E_AccessDenied : S3E_NONE;
    if (base64_decode(f->post.policy64, &text) != ERR_OK || !buf_ok(&text)) return S3E_InvalidPolicyDocument;
    if (BREAK("form-policy-unchecked")) return S3E_NONE;
    return s3_post_policy(buf_slice(&text), r->ask.form, r->name.bucket, r->now_ms, &f->post, &r->fault);
}

void op_form_begin(struct gate_request *r)
{
    struct form *f = calloc(1, sizeof *f);
    if (!f) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    buf_init(&f->mem, FORM_MEM_BYTES_MAX);
    r->u.put.job = f;
    r->u.put.job_cleanup = form_cleanup;
    r->cleanup = form_cleanup;                     /* op_put_open() takes its place, and calls this one */
    enum s3_error e = s3_post_read(r->ask.form, r->name.bucket, r->gate->conf.form_v2, &f->mem, &f->post, &r->fault);
    if (e == S3E_NONE && f->post.key.n > S3_KEY_BYTES_MAX) e = S3E_KeyTooLongError;
    if (e == S3E_NONE && !slice_is_utf8(f->post.key)) e = S3E_InvalidArgument;
    if (e == S3E_NONE) e = form_headers(r, f);
    if (e == S3E_NONE) r->name.key = f->post.key;
    else if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, e, NULL);
    if (!step_decide_and_bind(r)) {
        step_refuse(r);
        return;
    }
    e = form_policy(r, f);
    if (e == S3E_NONE) e = op_put_headers(r);
    if (e != S3E_NONE) {
        form_refuse(r, e);
        return;
    }
    r->u.put.bounded = true;
    r->u.put.size_min = f->post.size_min;
    r->u.put.size_max = f->post.size_max;
    op_put_open(r, op_put_commit_object);
}

/* the answer ------------------------------------------------------------------------------------------------------------------------------- */

static void form_location(const struct gate_request *r, struct buf *out)
{
    struct slice host = request_header(r, "host");
    if (host.n) {
        buf_put_str(out, r->ask.flags & WIRE_ASK_TLS ? "https://" : "http://");
        buf_put_slice(out, host);
    }
    buf_put_u8(out, '/');
    if (!r->name.virtual_host) buf_put_slice(out, r->name.bucket), buf_put_u8(out, '/');
    s3_put_uri(out, r->name.key, true);
}

static void form_redirect(const struct gate_request *r, const struct form *f, struct slice etag, struct buf *out)
{
    buf_put_slice(out, f->post.redirect);
    buf_put_str(out, memchr(f->post.redirect.p, '?', f->post.redirect.n) ? "&bucket=" : "?bucket=");
    s3_put_uri(out, r->name.bucket, false);
    buf_put_str(out, "&key=");
    s3_put_uri(out, r->name.key, false);
    buf_put_str(out, "&etag=%22");
    s3_put_uri(out, etag, false);
    buf_put_str(out, "%22");
}

void op_form_answer(struct gate_request *r, const struct recorded *rec, struct slice etag)
{
    const struct form *f = r->u.put.job;
    AUTO(buf) struct buf location = BUF_INIT(FORM_URL_BYTES_MAX);
    AUTO(buf) struct buf xml = BUF_INIT(FORM_URL_BYTES_MAX + 8192);
    ASSERT(f && r->op == S3_OP_PostObject);
    if (f->post.redirect.n) {
        form_redirect(r, f, etag, &location);
        if (buf_ok(&location)) {
            request_put_header(r, "Location", buf_slice(&location));
            request_answer(r, rec, 303, slice_of(NULL, 0));
            return;
        }
        buf_reset(&location);
    }
    form_location(r, &location);
    if (buf_ok(&location)) request_put_header(r, "Location", buf_slice(&location));
    if (f->post.status == 201) {
        s3_post_response_xml(&xml, buf_slice(&location), r->name.bucket, r->name.key, etag);
        request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    }
    request_answer(r, rec, f->post.status ? f->post.status : 204, buf_slice(&xml));
}
