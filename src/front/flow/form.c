/* SPDX-License-Identifier: Apache-2.0
 * Bodies that are the question: the fields of a POST form, and the call in the body of an IAM or STS request.
 * Role: reads them before ASK, bounded, and puts them into it. The file behind a form's fields stays where it is until the ticket.
 * This is the one exception to "no body is read, and no 100 sent, before the gate's word": who asks, and for what, stands in the
 * body, so 100-continue leaves when its fields are to be read.
 * Trusts: nothing. Distrusts: the form; what its fields mean is the gate's matter, whose policy and signature it checks itself.
 * Law: 3 (the gate is sent the fields as they came, and the digest that a call's signature covers). Spec: docs/spec/wire.md ASK.form;
 * "Browser-based uploads using POST"; the IAM and STS Query APIs.
 */
#include "flow/flow_in.h"

#include <stdlib.h>

bool flow_form_wanted(const struct flow *f) { return f->op == S3_OP_PostObject || f->op == S3_OP_IamOrSts; }

bool flow_form_holds(const struct flow *f)
{
    return f->form && f->form->reader && (f->step == FLOW_ASKED || f->step == FLOW_PARKED || f->step == FLOW_WAITING);
}

void flow_form_end(struct flow *f)
{
    struct flow_form *form = f->form;
    if (!form) return;
    f->form = NULL;
    f->w->forms--;
    s3_form_free(form->reader);
    buf_wipe_done(&form->body);                    /* a call may carry a secret */
    free(form);
}

static void refuse(struct flow *f, enum s3_error e)
{
    if (f->w->metrics) f->w->metrics->grammar++;
    flow_form_end(f);
    flow_fail(f, e, NULL);
}

void flow_form_begin(struct flow *f, const struct flow_request *q)
{
    enum s3_error e = S3E_SlowDown;
    struct s3_form *reader = NULL;
    if (f->op == S3_OP_PostObject) {
        struct slice type = s3_header_value(q->headers, q->header_count, "content-type");
        reader = s3_form_new(type.p ? type : slice_of("", 0), &e);
        if (!reader) {
            refuse(f, e);
            return;
        }
    }
    struct flow_form *form = f->w->forms < FLOW_FORMS_MAX ? calloc(1, sizeof *form) : NULL;
    if (!form) {
        s3_form_free(reader);
        refuse(f, S3E_SlowDown);
        return;
    }
    f->w->forms++;
    f->form = form;
    form->reader = reader;
    buf_init(&form->body, FORM_BYTES_MAX);
    f->step = FLOW_FORM;
    if (!reader && q->length_known && q->length > FORM_BYTES_MAX) refuse(f, S3E_EntityTooLarge);
    else if (!q->has_body) flow_form_body(f, slice_of(NULL, 0), true);
    else f->w->host->body(f);
}

size_t flow_form_body(struct flow *f, struct slice in, bool end)
{
    struct flow_form *form = f->form;
    size_t given = in.n;
    if (!form->reader) {
        buf_put_slice(&form->body, in);
        if (!buf_ok(&form->body)) {
            refuse(f, S3E_EntityTooLarge);
            return given;
        }
        if (!end) return given;
        f->body_ended = form->read = true;
        flow_ask(f, false);
        return given;
    }
    while (in.n && !s3_form_at_file(form->reader)) {
        struct slice data;
        enum s3_error e = s3_form_feed(form->reader, &in, &data);
        if (e != S3E_NONE) {
            refuse(f, e);
            return given;
        }
    }
    if (s3_form_at_file(form->reader)) {
        form->read = true;
        flow_ask(f, false);
        return given - in.n;
    }
    if (end) {
        enum s3_error e = s3_form_end(form->reader);
        f->body_ended = true;
        refuse(f, e != S3E_NONE ? e : S3E_MalformedPOSTRequest);
    }
    return given;
}

/* The first field of that name, in any case. */
static struct slice field(struct slice fields, const char *name)
{
    struct reader r = reader_of(fields);
    struct wire_header h;
    while (wire_next_header(&r, &h))
        if (slice_ieq(h.name, slice_str(name))) return h.value;
    return slice_of(NULL, 0);
}

static enum s3_error lacks(struct s3_fault *fault, const char *name, const char *message)
{
    s3_fault_add(fault, "ArgumentName", slice_str(name));
    return s3_fault_set(fault, S3E_InvalidArgument, message);
}

/* Who signed the form: version 4 says so in x-amz-*, version 2 in AWSAccessKeyId and signature. A form with a part of it is no anonymous one. */
static enum s3_error signed_form(struct slice fields, struct wire_ask *m, struct s3_fault *fault)
{
    struct slice policy = field(fields, "policy"), signature = field(fields, "x-amz-signature"), credential = field(fields, "x-amz-credential");
    bool v2 = !signature.p && !credential.p;
    if (v2) signature = field(fields, "signature"), credential = field(fields, "AWSAccessKeyId");
    if (!policy.p && !signature.p && !credential.p) return S3E_NONE;
    if (!policy.p) return lacks(fault, "policy", "Bucket POST must contain a field named 'policy'. If it is specified, please check the order of the fields.");
    if (!signature.p)
        return v2 ? lacks(fault, "signature", "Bucket POST must contain a field named 'signature'. If it is specified, please check the order of the fields.")
                  : lacks(fault, "x-amz-signature", "Bucket POST must contain a field named 'X-Amz-Signature'. If it is specified, please check the order of the fields.");
    if (!credential.p)
        return v2 ? lacks(fault, "AWSAccessKeyId", "Bucket POST must contain a field named 'AWSAccessKeyId'. If it is specified, please check the order of the fields.")
                  : lacks(fault, "x-amz-credential", "Bucket POST must contain a field named 'X-Amz-Credential'. If it is specified, please check the order of the fields.");
    if (credential.n > FLOW_CREDENTIAL_BYTES_MAX) return lacks(fault, "x-amz-credential", "The credential is too long");
    if (signature.n > 2 * HASH_BYTES) return s3_fault_set(fault, S3E_SignatureDoesNotMatch, NULL);
    m->auth = WIRE_AUTH_FORM;
    m->credential = credential;
    m->signature = signature;
    return S3E_NONE;
}

static enum s3_error sha256_hex(struct slice body, char out[2 * HASH_BYTES])
{
    struct s3_sums sums;
    uint8_t digest[S3_SUM_BYTES_MAX];
    AUTO(buf) struct buf hex = BUF_INIT(2 * HASH_BYTES);
    enum err e = s3_sums_init(&sums, S3_SUM_BIT(S3_SUM_SHA256));
    if (e != ERR_OK) return s3_error_of_err(e);
    e = s3_sums_add(&sums, body);
    if (e == ERR_OK) e = s3_sums_get(&sums, S3_SUM_SHA256, digest);
    s3_sums_done(&sums);
    if (e != ERR_OK) return s3_error_of_err(e);
    buf_put_hex(&hex, slice_of(digest, HASH_BYTES));
    if (!buf_ok(&hex)) return S3E_SlowDown;
    memcpy(out, hex.p, 2 * HASH_BYTES);
    return S3E_NONE;
}

enum s3_error flow_form_ask(struct flow *f, const struct s3_auth *a, struct wire_ask *m, char hash[2 * HASH_BYTES], struct slice *payload,
                            struct s3_fault *fault)
{
    struct flow_form *form = f->form;
    ASSERT(form->read);
    if (form->reader) {
        if (a->kind != S3_AUTH_NONE) return s3_fault_set(fault, S3E_InvalidArgument, "Only one auth mechanism allowed: a form is authorised by its fields");
        m->form = s3_form_fields(form->reader);
        m->body_size = WIRE_SIZE_UNKNOWN;          /* of the file; the ticket bounds it */
        return signed_form(m->form, m, fault);
    }
    m->form = buf_slice(&form->body);
    if (a->kind != S3_AUTH_HEADER) return S3E_NONE;
    /* Not what a header states: these two services sign the body's digest without saying it. */
    enum s3_error e = sha256_hex(m->form, hash);
    *payload = slice_of(hash, 2 * HASH_BYTES);
    return e;
}
