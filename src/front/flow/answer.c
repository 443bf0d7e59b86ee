/* SPDX-License-Identifier: Apache-2.0
 * Answers: the gate's ANSWER as it is, and errors as S3 XML, IAM's XML, or problem+json.
 * Role: the last step of flows that carry no object.
 * Trusts: the gate. Distrusts: nothing here reads the client.
 * Spec: docs/spec/wire.md ANSWER; RFC 9457 (problem details); the S3 API's error document; IAM's and STS's ErrorResponse.
 */
#include "flow/flow_in.h"

void flow_request_id(struct flow *f, const uint8_t id[ID_BYTES])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    memcpy(f->request_id, id, ID_BYTES);
    /* base32 of 16 bytes: 25 digits of 5 bits and one of 3, without a buffer on the hot path. */
    uint32_t bits = 0, have = 0;
    size_t n = 0;
    for (size_t i = 0; i < ID_BYTES; i++) {
        bits = bits << 8 | id[i];
        have += 8;
        while (have >= 5) {
            have -= 5;
            f->request_text[n++] = alphabet[bits >> have & 31];
        }
    }
    f->request_text[n++] = alphabet[bits << (5 - have) & 31];
    f->request_text[n] = 0;
    f->request_id_known = true;
}

void flow_head_fill(struct flow *f, struct flow_head *h)
{
    memset(h, 0, sizeof *h);
    if (!f->request_id_known) {
        uint8_t id[ID_BYTES];
        rng_fill(&f->w->rng, id, sizeof id);
        flow_request_id(f, id);
    }
    h->request_id = slice_str(f->request_text);
    h->no_body = f->head_method;
    /* A body that was not read, or not to its end, would be taken for the next request. */
    h->close = f->has_body && !f->body_ended && f->body_began;
}

void flow_reply(struct flow *f, struct flow_head *h, struct slice body)
{
    const struct flow_host *host = f->w->host;
    h->length_known = true;
    if (!h->no_body || body.n) h->length = body.n;
    f->status = h->status;
    f->step = FLOW_SENDING;
    if (h->status == 204 || h->status == 304 || f->head_method) h->no_body = true;
    uint8_t *copy = NULL;
    if (!h->no_body && body.n) {
        copy = host->alloc(f, body.n);
        if (!copy) {
            host->cut(f);
            return;
        }
        memcpy(copy, body.p, body.n);
    }
    f->head_sent = true;
    if (host->head(f, h) == FLOW_BROKEN || h->no_body) return;
    struct slice s = slice_of(copy, body.n);
    f->write_last = true;
    if (host->write(f, &s, body.n ? 1 : 0, true) != FLOW_BROKEN && f->w->metrics) f->w->metrics->bytes_out += body.n;
}

static void put_json(struct buf *out, struct slice s)
{
    buf_put_u8(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '"' || c == '\\') buf_put_u8(out, '\\'), buf_put_u8(out, c);
        else if (c < 0x20 || c == 0x7f) buf_printf(out, "\\u%04x", c);
        else buf_put_u8(out, c);
    }
    buf_put_u8(out, '"');
}

/* RFC 9457: type about:blank means that title says it all; code is S3's word for it. */
static void put_problem(struct buf *out, uint16_t status, struct slice code, struct slice message, struct slice request_id)
{
    buf_put_str(out, "{\"type\":\"about:blank\",\"title\":");
    put_json(out, code);
    buf_put_str(out, ",\"status\":");
    buf_put_dec(out, status);
    buf_put_str(out, ",\"code\":");
    put_json(out, code);
    buf_put_str(out, ",\"detail\":");
    put_json(out, message);
    if (request_id.n) {
        buf_put_str(out, ",\"request_id\":");
        put_json(out, request_id);
    }
    buf_put_str(out, "}\n");
}

void flow_error_body(struct buf *out, enum flow_port port, enum s3_error e, const char *message, struct slice resource,
                     struct slice request_id, struct slice host_id)
{
    struct s3_fault fault = {.code = e, .message = message};
    if (port == FLOW_PORT_API)
        put_problem(out, (uint16_t)s3_error_status(e), slice_str(s3_error_code(e)), slice_str(message ? message : s3_error_message(e)),
                    request_id);
    else s3_error_xml(out, &fault, resource, request_id, host_id);
}

void flow_abort_gate(struct flow *f, const char *code)
{
    if (!f->gate_open) return;
    f->gate_open = false;
    /* After COMMIT the gate finishes whatever becomes of us. */
    if (f->step == FLOW_COMMITTED || !f->w->gate.up) return;
    struct wire_abort m = {.code = slice_str(code)};
    if (wire_put_abort(flow_out(&f->w->gate.out), f->id, &m) == ERR_OK) f->w->host->kick(f->w);
}

void flow_put_allow(struct flow *f, struct buf *out)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"};
    struct flow_request q = {0};
    struct s3_target target;
    struct s3_name name = {0};
    enum s3_op op;
    size_t before = out->n;
    AUTO(buf) struct buf mem = BUF_INIT(2 * S3_TARGET_BYTES_MAX);
    f->w->host->request(f, &q);
    if (f->port == FLOW_PORT_API || s3_target_parse(q.target, &mem, &target) != S3E_NONE ||
        s3_split(target.path, s3_header_value(q.headers, q.header_count, "host"), f->w->domains, f->w->domain_count, &name) != S3E_NONE) {
        buf_put_str(out, "GET, HEAD");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (s3_op_resolve(slice_str(methods[i]), &name, target.params, target.param_count, q.headers, q.header_count, &op, NULL) != S3E_NONE)
            continue;
        if (out->n > before) buf_put_str(out, ", ");
        buf_put_str(out, methods[i]);
    }
}

/* RFC 9110 15.5.6: a 405 says which methods there are. A marker that was named can only be deleted. */
static struct slice with_allow(struct flow *f, uint16_t status, struct slice headers, struct buf *out)
{
    struct reader r = reader_of(headers);
    struct wire_header h;
    bool marker = false;
    if (status != 405) return headers;
    while (wire_next_header(&r, &h)) {
        if (slice_is(h.name, "allow")) return headers;
        if (slice_is(h.name, "x-amz-delete-marker")) marker = true;
    }
    AUTO(buf) struct buf methods = BUF_INIT(FLOW_ALLOW_BYTES_MAX);
    if (marker) buf_put_str(&methods, "DELETE");
    else flow_put_allow(f, &methods);
    buf_put_slice(out, headers);
    wire_put_header(out, SLICE_LIT("allow"), buf_slice(&methods));
    return buf_ok(out) && buf_ok(&methods) ? buf_slice(out) : headers;
}

/* IAM and STS have an error document of their own, and codes that differ for what is ours to say. */
static enum s3_iam_error iam_error(enum s3_error e)
{
    if (s3_error_status(e) >= 500) return S3_IAM_SERVICE_FAILURE;
    return s3_error_status(e) == 403 ? S3_IAM_ACCESS_DENIED : S3_IAM_VALIDATION;
}

static bool is_iam(const struct flow *f) { return f->op == S3_OP_IamOrSts && f->port == FLOW_PORT_S3; }

void flow_fail(struct flow *f, enum s3_error e, const char *message)
{
    if (f->head_sent) {
        f->step = FLOW_SENDING;
        if (f->metered) f->w->host->reset(f);
        else f->w->host->cut(f);
        return;
    }
    flow_abort_gate(f, s3_error_code(e));
    struct flow_head h;
    AUTO(buf) struct buf body = BUF_INIT(WIRE_BATCH_BYTES);
    flow_head_fill(f, &h);
    h.status = (uint16_t)s3_error_status(e);
    h.type = f->port == FLOW_PORT_API ? "application/problem+json" : "application/xml";
    AUTO(buf) struct buf headers = BUF_INIT(WIRE_BATCH_BYTES);
    h.headers = with_allow(f, h.status, h.headers, &headers);
    if (is_iam(f)) {
        h.status = s3_iam_status(iam_error(e));
        h.type = "text/xml";
        s3_iam_error_xml(&body, f->sts, iam_error(e), message ? message : s3_error_message(e), h.request_id);
    } else {
        flow_error_body(&body, f->port, e, message, f->resource, h.request_id, slice_str(f->w->host_id));
    }
    flow_reply(f, &h, buf_slice(&body));
}

/* ErrorResponse with a code that is the gate's. */
static void put_error_iam(struct flow *f, struct buf *out, const struct wire_answer *m)
{
    buf_put_str(out, f->sts ? "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>"
                            : "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>");
    buf_put_str(out, m->status >= 500 ? "Receiver</Type><Code>" : "Sender</Type><Code>");
    s3_put_xml(out, m->code);
    buf_put_str(out, "</Code><Message>");
    s3_put_xml(out, m->message.n ? m->message : slice_str(s3_error_message(s3_error_of_code(m->code))));
    buf_put_str(out, "</Message></Error><RequestId>");
    buf_put_str(out, f->request_text);
    buf_put_str(out, "</RequestId></ErrorResponse>");
}

/* <Error> as s3_error_xml writes it, but for codes and texts that come from the gate. */
static void put_error_xml(struct flow *f, struct buf *out, const struct wire_answer *m)
{
    buf_put_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>");
    s3_put_xml(out, m->code);
    buf_put_str(out, "</Code><Message>");
    s3_put_xml(out, m->message.n ? m->message : slice_str(s3_error_message(s3_error_of_code(m->code))));
    buf_put_str(out, "</Message>");
    struct reader r = reader_of(m->elements);
    struct wire_header h;
    while (wire_next_header(&r, &h)) {
        buf_put_u8(out, '<');
        s3_put_xml(out, h.name);
        buf_put_u8(out, '>');
        s3_put_xml(out, h.value);
        buf_put_str(out, "</");
        s3_put_xml(out, h.name);
        buf_put_u8(out, '>');
    }
    buf_put_str(out, "<Resource>");
    s3_put_xml(out, f->resource);
    buf_put_str(out, "</Resource><RequestId>");
    buf_put_str(out, f->request_text);
    buf_put_str(out, "</RequestId><HostId>");
    buf_put_str(out, f->w->host_id);
    buf_put_str(out, "</HostId></Error>");
}

/* A raw body in several frames: the length is known at the last one only, so it leaves chunked, piece by piece. */
static void raw_piece(struct flow *f, const struct wire_answer *m)
{
    const struct flow_host *host = f->w->host;
    if (!f->head_sent) {
        struct flow_head h;
        flow_head_fill(f, &h);
        h.status = f->status = m->status;
        h.receipt = m->receipt;
        h.headers = m->headers;
        f->step = FLOW_RAW;
        f->head_sent = true;
        if (host->head(f, &h) == FLOW_BROKEN) return;
    }
    f->gate_open = m->more;
    if (f->head_method) return;
    uint8_t *copy = m->body.n ? host->alloc(f, m->body.n) : NULL;
    if (m->body.n && !copy) {
        host->cut(f);
        return;
    }
    if (copy) memcpy(copy, m->body.p, m->body.n);
    struct slice s = slice_of(copy, m->body.n);
    if (!m->more) f->step = FLOW_SENDING, f->write_last = true;
    if (host->write(f, &s, m->body.n ? 1 : 0, !m->more) != FLOW_BROKEN && f->w->metrics) f->w->metrics->bytes_out += m->body.n;
}

void flow_on_answer(struct flow *f, const struct wire_answer *m)
{
    struct flow_head h;
    /* The keeper need not hold what was not committed; what was is no longer ours to drop. */
    if (f->put && (f->step != FLOW_COMMITTED || m->status >= 300)) flow_put_drop(f);
    flow_put_end(f);
    flow_control_end(f);
    flow_list_end(f);
    if (f->head_sent && f->step != FLOW_RAW) {     /* the rest of a GET's rows is refused: what was sent cannot be taken back */
        f->gate_open = false;
        flow_fail(f, S3E_ServiceUnavailable, NULL);
        return;
    }
    flow_request_id(f, m->request);
    if (m->body_kind == WIRE_BODY_RAW && (m->more || f->step == FLOW_RAW)) {
        raw_piece(f, m);
        return;
    }
    f->gate_open = false;
    flow_head_fill(f, &h);
    h.status = m->status;
    h.receipt = m->receipt;
    AUTO(buf) struct buf headers = BUF_INIT(WIRE_BATCH_BYTES);
    h.headers = with_allow(f, m->status, m->headers, &headers);
    if (m->body_kind == WIRE_BODY_RAW) {
        flow_reply(f, &h, m->body);
        return;
    }
    AUTO(buf) struct buf body = BUF_INIT(WIRE_BATCH_BYTES);
    if (m->body_kind == WIRE_BODY_ERROR && f->port == FLOW_PORT_API) {
        h.type = "application/problem+json";
        put_problem(&body, m->status, m->code, m->message, h.request_id);
    } else if (m->body_kind == WIRE_BODY_ERROR && is_iam(f)) {
        h.type = "text/xml";
        put_error_iam(f, &body, m);
    } else if (m->body_kind == WIRE_BODY_ERROR) {
        h.type = "application/xml";
        put_error_xml(f, &body, m);
    }
    flow_reply(f, &h, buf_slice(&body));
}
