/* SPDX-License-Identifier: Apache-2.0
 * Control bodies: XML and JSON that the gate parses itself are passed on to it as they come.
 * Role: after WANTBODY (the caller is proven) the body goes to the gate in BODY frames; ANSWER follows.
 * Trusts: the gate's bound. Distrusts: the body, which is not looked at here.
 * Law: 3 (the gate hashes and parses exactly what the client sent). Spec: docs/spec/wire.md WANTBODY, BODY.
 */
#include "flow/flow_in.h"

static void too_long(struct flow *f)
{
    bool xml = f->op == S3_OP_CreateBucket || f->op == S3_OP_DeleteObjects;
    flow_fail(f, xml ? S3E_MalformedXML : S3E_EntityTooLarge, NULL);
}

void flow_on_wantbody(struct flow *f, const struct wire_wantbody *m)
{
    struct flow_request q = {0};
    f->w->host->request(f, &q);
    f->step = FLOW_CONTROL;
    f->body_left_max = m->size_max;
    if (q.length_known && q.length > m->size_max) {
        too_long(f);
        return;
    }
    if (!q.has_body) flow_control_body(f, slice_of(NULL, 0), true);
    else f->w->host->body(f);
}

size_t flow_control_body(struct flow *f, struct slice in, bool end)
{
    size_t given = in.n;
    if (in.n > f->body_left_max) {
        too_long(f);
        return given;
    }
    f->body_left_max -= in.n;
    while (in.n || end) {
        struct wire_body m = {.data = slice_of(in.p, MIN(in.n, (size_t)WIRE_DATA_BYTES_MAX))};
        m.last = end && m.data.n == in.n;
        if (wire_put_body(flow_out(&f->w->gate.out), f->id, &m) != ERR_OK) {
            flow_fail(f, S3E_SlowDown, NULL);
            return given;
        }
        in = slice_of(in.p + m.data.n, in.n - m.data.n);
        if (m.last) break;
    }
    if (end) f->body_ended = true;
    f->w->host->kick(f->w);
    return given;
}
