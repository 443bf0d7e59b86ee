/* SPDX-License-Identifier: Apache-2.0
 * Control bodies: XML and JSON that the gate parses itself are passed on to it as they come.
 * Role: after WANTBODY (the caller is proven) the body goes to the gate in BODY frames; ANSWER follows. One in aws-chunked framing is
 * unwrapped, and what its trailer states is compared here, as for an upload: until then the last BODY is kept back.
 * Trusts: the gate's bound. Distrusts: the body; its text is not looked at here.
 * Law: 3 (the gate hashes and parses exactly what the client sent). Spec: docs/spec/wire.md WANTBODY, BODY.
 */
#include "flow/flow_in.h"

#include <stdlib.h>

static void give_up(struct flow *f, enum s3_error e)
{
    flow_control_end(f);
    flow_fail(f, e, NULL);
}

static void too_long(struct flow *f)
{
    bool xml = f->op != S3_OP_NONE && f->op != S3_OP_PutBucketPolicy;
    give_up(f, xml ? S3E_MalformedXML : S3E_EntityTooLarge);
}

void flow_control_end(struct flow *f)
{
    struct flow_control *c = f->control;
    if (!c) return;
    f->control = NULL;
    if (c->sums_open) s3_sums_done(&c->sums);
    s3_chunked_done(&c->chunked);
    free(c);
}

/* The framing, when there is one. Chunks that are signed would have to be told to the gate beside the body: not for control bodies. */
static enum s3_error begin(struct flow *f, const struct flow_request *q)
{
    struct s3_body body;
    struct slice sha256;
    struct s3_fault fault = {0};
    struct slice v = s3_header_value(q->headers, q->header_count, "x-amz-content-sha256");
    if (!v.p || !slice_starts(v, SLICE_LIT("STREAMING-"))) return S3E_NONE;
    enum s3_error e = flow_body_read(q, S3_AUTH_HEADER, &body, &sha256, &fault);
    if (e != S3E_NONE) return e;
    if (body.chunk_signed) return S3E_NotImplemented;
    if (body.length_known && body.length > f->body_left_max) return S3E_MalformedXML;
    struct flow_control *c = f->control = calloc(1, sizeof *c);
    if (!c) return S3E_SlowDown;
    c->body = body;
    s3_chunked_init(&c->chunked, &c->body);
    enum err err = s3_sums_init(&c->sums, S3_SUM_BIT(S3_SUM_MD5) | S3_SUM_BIT(body.sum));
    c->sums_open = err == ERR_OK;
    return s3_error_of_err(err);
}

void flow_on_wantbody(struct flow *f, const struct wire_wantbody *m)
{
    struct flow_request q = {0};
    f->w->host->request(f, &q);
    flow_request_id(f, m->request);                /* a refusal of ours names the leaf that it will have */
    f->step = FLOW_CONTROL;
    f->body_left_max = m->size_max;
    enum s3_error e = begin(f, &q);
    if (e != S3E_NONE) give_up(f, e);
    else if (!f->control && q.length_known && q.length > m->size_max) too_long(f);
    else if (!q.has_body) flow_control_body(f, slice_of(NULL, 0), true);
    else f->w->host->body(f);
}

/* Passes text on. False: the request was answered. */
static bool pass(struct flow *f, struct slice text, bool last)
{
    if (text.n > f->body_left_max) {
        too_long(f);
        return false;
    }
    f->body_left_max -= text.n;
    while (text.n || last) {
        struct wire_body m = {.data = slice_of(text.p, MIN(text.n, (size_t)WIRE_DATA_BYTES_MAX))};
        m.last = last && m.data.n == text.n;
        if (wire_put_body(flow_out(&f->w->gate.out), f->id, &m) != ERR_OK) {
            give_up(f, S3E_SlowDown);
            return false;
        }
        text = slice_of(text.p + m.data.n, text.n - m.data.n);
        if (m.last) break;
    }
    return true;
}

static bool unwrap(struct flow *f, struct slice in)
{
    struct flow_control *c = f->control;
    while (in.n) {
        struct slice data;
        enum s3_error e = s3_chunked_feed(&c->chunked, &in, &data);
        if (e == S3E_NONE) e = s3_error_of_err(s3_sums_add(&c->sums, data));
        if (e != S3E_NONE) {
            give_up(f, e);
            return false;
        }
        if (data.n && !pass(f, data, false)) return false;
    }
    return true;
}

/* The framing ended as it said it would, and the digests are those that were stated. */
static enum s3_error compare(struct flow_control *c)
{
    uint8_t md5[S3_SUM_BYTES_MAX], sum[S3_SUM_BYTES_MAX];
    enum s3_error e = s3_chunked_end(&c->chunked);
    if (e != S3E_NONE) return e;
    if (c->chunked.trailer_seen) {
        memcpy(c->body.sum_value, c->chunked.trailer_value, sizeof c->body.sum_value);
        c->body.sum_given = true;
    }
    enum err err = s3_sums_get(&c->sums, S3_SUM_MD5, md5);
    if (err == ERR_OK && c->body.sum == S3_SUM_MD5) memcpy(sum, md5, sizeof sum);
    else if (err == ERR_OK) err = s3_sums_get(&c->sums, c->body.sum, sum);
    return err == ERR_OK ? s3_body_compare(&c->body, md5, sum, NULL, slice_of(NULL, 0)) : s3_error_of_err(err);
}

size_t flow_control_body(struct flow *f, struct slice in, bool end)
{
    if (!f->control) {
        if (!pass(f, in, end)) return in.n;
    } else {
        if (!unwrap(f, in)) return in.n;
        enum s3_error e = end ? compare(f->control) : S3E_NONE;
        if (e != S3E_NONE) {
            f->body_ended = true;
            give_up(f, e);
            return in.n;
        }
        if (end && !pass(f, slice_of(NULL, 0), true)) return in.n;
    }
    if (end) f->body_ended = true;
    f->w->host->kick(f->w);
    return in.n;
}
