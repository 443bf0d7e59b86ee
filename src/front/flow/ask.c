/* SPDX-License-Identifier: Apache-2.0
 * Reads a request and asks the gate: the canonical bytes its signature covers, the signature, and the closed list beside.
 * Role: first step of every flow. It refuses what does not parse; who may do what is the gate's word alone.
 * Trusts: nothing the client sent. Distrusts: request target, headers, lengths.
 * Law: 3 (the gate is sent exactly the signed bytes; unsigned headers only from the closed list), 5.
 * Spec: docs/spec/wire.md ASK, LOGREAD; AWS Signature Version 4 for S3.
 */
#include "flow/flow_in.h"

static enum flow_class class_of(enum s3_op op)
{
    if (op == S3_OP_NONE) return FLOW_CLASS_OTHER;
    switch (s3_op_row(op)->kind) {
    case S3_KIND_READ: return FLOW_CLASS_READ;
    case S3_KIND_WRITE: return FLOW_CLASS_WRITE;
    case S3_KIND_LIST: return FLOW_CLASS_LIST;
    default: return FLOW_CLASS_CONFIG;
    }
}

/* A refusal of the grammar: nobody was asked, so no record stands; it is counted. */
static void refuse(struct flow *f, enum s3_error e, struct s3_fault *fault)
{
    if (f->w->metrics) f->w->metrics->grammar++;
    const char *message = fault && fault->code == e ? fault->message : NULL;
    if (!fault || fault->extra_count == 0 || f->port == FLOW_PORT_API) {
        flow_fail(f, e, message);
        return;
    }
    struct flow_head h;
    AUTO(buf) struct buf body = BUF_INIT(WIRE_BATCH_BYTES);
    flow_head_fill(f, &h);
    h.status = (uint16_t)s3_error_status(e);
    h.type = "application/xml";
    s3_error_xml(&body, fault, f->resource, slice_str(f->request_text), slice_str(f->w->host_id));
    flow_reply(f, &h, buf_slice(&body));
}

/* Headers outside the signature that narrow or are stored, as the wire's headers list. The rest never reaches the gate. */
static enum s3_error collect_unsigned(struct flow_worker *w, const struct flow_request *q, struct slice signed_headers, bool form)
{
    struct buf *out = &w->unsigned_headers;
    buf_reset(out);
    for (size_t i = 0; i < q->header_count; i++) {
        const struct s3_header *h = &q->headers[i];
        enum s3_unsigned c = s3_unsigned_class(h->name);
        if (c == S3_UNSIGNED_IGNORED || (c == S3_UNSIGNED_REFUSED && form)) continue;
        if (form && c == S3_UNSIGNED_STORED) continue;                /* they speak of the form; its file has fields of its own */
        if (s3_is_signed(signed_headers, h->name)) continue;
        if (c == S3_UNSIGNED_REFUSED && signed_headers.n) return S3E_AccessDenied;   /* where nothing is signed they are everyone's words */
        struct slice v = slice_trim(h->value);
        for (size_t k = 0; k < v.n; k++)
            if ((v.p[k] < 0x20 && v.p[k] != '\t') || v.p[k] == 0x7f) return S3E_InvalidArgument;
        /* Two of one kind could be read two ways: refuse rather than choose. */
        for (size_t k = 0; k < i; k++)
            if (slice_ieq(q->headers[k].name, h->name)) return S3E_InvalidRequest;
        uint8_t name[128];
        if (h->name.n > sizeof name) return S3E_InvalidRequest;   /* a copy's source or a tag must not get lost on the way */
        for (size_t k = 0; k < h->name.n; k++) {
            uint8_t b = h->name.p[k];
            name[k] = b >= 'A' && b <= 'Z' ? (uint8_t)(b + 32) : b;
        }
        wire_put_header(out, slice_of(name, h->name.n), v);
    }
    return buf_ok(out) ? S3E_NONE : S3E_RequestHeaderSectionTooLarge;
}

static enum s3_error check_host(const struct flow_request *q, const struct s3_target *t, struct slice *host)
{
    const struct s3_header *h = s3_header_find(q->headers, q->header_count, "host");
    *host = h ? slice_trim(h->value) : slice_of(NULL, 0);
    /* An absolute-form target that names another host than the signed header would be two requests in one (H10). */
    if (t->authority.n && !slice_ieq(t->authority, *host)) return S3E_BadRequest;
    return S3E_NONE;
}

struct ask_scratch {
    struct flow_request q;
    struct s3_target target;
    struct s3_auth auth;
    struct s3_name name;
    struct s3_fault fault;
    char hash[2 * HASH_BYTES];
};

/* Who asks, and for which operation. */
static enum s3_error read_request(struct flow *f, struct ask_scratch *s)
{
    struct flow_worker *w = f->w;
    struct flow_request *q = &s->q;
    struct slice host, bucket;
    enum s3_error e;
    if (q->refuse != S3E_NONE) return q->refuse;
    if (!s3_method_ok(q->method)) return S3E_MethodNotAllowed;
    buf_reset(&w->mem);
    if ((e = s3_target_parse(q->target, &w->mem, &s->target)) != S3E_NONE) return e;
    if ((e = check_host(q, &s->target, &host)) != S3E_NONE) return e;
    if (f->port == FLOW_PORT_S3 && s3_control_of(q->method, s->target.path, q->headers, q->header_count, &bucket) != S3_CONTROL_NO) {
        f->class = FLOW_CLASS_CONFIG;              /* its paths name no bucket as others do; the gate answers for them */
    } else if (f->port == FLOW_PORT_S3) {
        if ((e = s3_split(s->target.path, host, w->domains, w->domain_count, &s->name)) != S3E_NONE) return e;
        /* What does not resolve is asked all the same: the refusal of a proven caller is the gate's to record. */
        if (s3_op_resolve(q->method, &s->name, s->target.params, s->target.param_count, q->headers, q->header_count, &f->op,
                          NULL) != S3E_NONE)
            f->op = S3_OP_NONE;
        f->class = class_of(f->op);
    }
    /* A preflight of a presigned URL carries that URL's signature, which is for another method: a browser proves nothing here. */
    if (slice_is(q->method, "OPTIONS")) return S3E_NONE;
    e = s3_auth_front(&s->target, q->headers, q->header_count, &s->auth, &s->fault);
    f->sts = slice_is(s->auth.service, "sts");
    return e;
}

static enum s3_error build(struct flow *f, struct ask_scratch *s, struct wire_ask *m)
{
    struct flow_worker *w = f->w;
    struct flow_request *q = &s->q;
    enum s3_error e;
    struct slice payload = s3_header_value(q->headers, q->header_count, "x-amz-content-sha256");
    if (!payload.p || s->auth.kind != S3_AUTH_HEADER) payload = SLICE_LIT("UNSIGNED-PAYLOAD");
    m->auth = (uint8_t)s->auth.kind;
    m->credential = s->auth.credential;
    m->signature = s->auth.signature;
    m->body_size = q->length_known ? q->length : q->has_body ? WIRE_SIZE_UNKNOWN : 0;
    if ((f->op == S3_OP_PutObject || f->op == S3_OP_UploadPart) &&
        (e = flow_put_check(q, &s->auth, &m->body_size, &s->fault)) != S3E_NONE)
        return e;
    if (f->form && (e = flow_form_ask(f, &s->auth, m, s->hash, &payload, &s->fault)) != S3E_NONE) return e;
    buf_reset(&w->canonical);
    e = s3_canon_build(&w->canonical, q->method, &s->target, q->headers, q->header_count, s->auth.signed_headers, payload,
                       s->auth.kind == S3_AUTH_QUERY, &s->fault);
    if (e != S3E_NONE) return e;
    if ((e = collect_unsigned(w, q, s->auth.signed_headers, f->op == S3_OP_PostObject)) != S3E_NONE) return e;
    m->peer = q->peer;
    m->canonical = buf_slice(&w->canonical);
    m->unsigned_headers = buf_slice(&w->unsigned_headers);
    m->flags = (uint8_t)((q->tls ? WIRE_ASK_TLS : 0) | (f->port == FLOW_PORT_API ? WIRE_ASK_API : 0));
    return S3E_NONE;
}

static void sent(struct flow *f, enum err e)
{
    if (e != ERR_OK) {
        flow_fail(f, s3_error_of_err(e), NULL);
        return;
    }
    f->step = FLOW_ASKED;
    f->gate_open = f->asked_before = true;
    f->w->host->kick(f->w);
}

static void ask_log(struct flow *f, struct slice peer, struct slice capability, struct slice path)
{
    struct wire_logread m = {.capability = capability, .path = path};
    f->class = FLOW_CLASS_LOG;
    f->log_path = path;
    if (!f->w->gate.up) flow_park(f);
    else if (!flow_fair_enter(f, slice_of(NULL, 0), peer)) f->step = FLOW_WAITING;
    else sent(f, wire_put_logread(flow_out(&f->w->gate.out), f->id, &m));
}

/* What this ASK says is all of a change: the gate waits neither for a body nor for a COMMIT. */
static bool whole_change(const struct flow *f, struct slice method)
{
    if (slice_is(method, "GET") || slice_is(method, "HEAD") || slice_is(method, "OPTIONS")) return false;
    if (f->op == S3_OP_PutObject || f->op == S3_OP_UploadPart) return false;
    return !f->has_body || f->op == S3_OP_IamOrSts;    /* of an IAM call the body stands in the ASK */
}

void flow_ask(struct flow *f, bool again)
{
    struct flow_worker *w = f->w;
    struct ask_scratch s = {0};
    struct wire_ask m = {0};
    struct slice capability, path;
    w->host->request(f, &s.q);
    f->port = s.q.port;
    f->class = FLOW_CLASS_OTHER;
    f->head_method = slice_is(s.q.method, "HEAD");
    f->has_body = s.q.has_body;
    f->proven = s.q.proven;
    slice_cut(s.q.target, '?', &f->resource);
    if (f->port == FLOW_PORT_API && flow_log_split(s.q.target, &capability, &path)) {
        if (!slice_is(s.q.method, "GET") && !f->head_method) refuse(f, S3E_MethodNotAllowed, NULL);
        else ask_log(f, s.q.peer, capability, path);
        return;
    }
    if (f->port == FLOW_PORT_API && !slice_starts(s.q.target, SLICE_LIT("/v1/"))) {
        flow_fail(f, S3E_NoSuchKey, "There is nothing at this path");
        return;
    }
    if (w->gate.up && s.q.refuse == S3E_NONE && flow_fair_early(f, &s.q)) {
        f->step = FLOW_WAITING;
        return;
    }
    enum s3_error e = read_request(f, &s);
    if (e == S3E_NONE && flow_form_wanted(f) && !f->form) {
        flow_form_begin(f, &s.q);                  /* asks again when it has what to ask */
        return;
    }
    if (e == S3E_NONE) e = build(f, &s, &m);
    if (e != S3E_NONE) {
        refuse(f, e, &s.fault);
        return;
    }
    if (!w->gate.up || (f->port == FLOW_PORT_S3 && !w->keeper.up)) {
        flow_park(f);
        return;
    }
    if (!flow_fair_enter(f, m.credential, m.peer)) {
        f->step = FLOW_WAITING;
        return;
    }
    if (again) {
        m.flags |= WIRE_ASK_AGAIN;
        if (w->metrics) w->metrics->asked_again++;
    }
    f->whole_change = whole_change(f, s.q.method);
    m.front_id = f->front_id = w->front_id;
    sent(f, wire_put_ask(flow_out(&w->gate.out), f->id, &m));
}
