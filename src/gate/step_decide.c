/* SPDX-License-Identifier: Apache-2.0
 * step_decide: asks the policy room, which knows nothing but state and request.
 * Role: second step; asked again when the control log moved (rule 14). Trusts: struct verified. Distrusts: names.
 * Law: 4 (the control log is the state), 5. Spec: docs/spec/policy.md, docs/spec/order.md rule 14.
 */
#include <assert.h>

#include "gate/request.h"

#define DECIDED_MAGIC 0x44454349u

struct decided {
    uint32_t magic;
    bool allow;
    uint32_t engine;
    uint64_t ctl;
    enum policy_reason reason;
    const struct verified *verified;
};
static_assert(sizeof(struct decided) <= sizeof(struct step_box), "a value fits its box");

static void request_of(const struct gate_request *r, const struct verified *v, struct policy_request *out)
{
    const struct gate_key *k = verified_key(v);
    *out = (struct policy_request){.auth = verified_auth(v), .bucket = r->name.bucket, .key = r->name.key, .peer = r->ask.peer,
                                   .tls = r->ask.flags & WIRE_ASK_TLS, .t_ms = r->now_ms, .body = request_body(r),
                                   .act = r->act ? policy_act_of(slice_str(r->act)) : (enum policy_act)r->op};
    if (!k) return;
    out->who = (struct policy_who){.account = slice_str(k->account), .user = SLICE_LIT(POLICY_USER_ROOT), .access_key = slice_str(k->access_key)};
}

enum policy_body request_body(const struct gate_request *r)
{
    bool reads = slice_is(r->s3.method, "GET") || slice_is(r->s3.method, "HEAD");
    if (reads || r->ask.body_size == 0) return POLICY_BODY_NONE;
    switch (r->s3.payload) {
    case S3_PAYLOAD_SHA256: return POLICY_BODY_SHA256;
    case S3_PAYLOAD_UNSIGNED: return POLICY_BODY_UNS;
    case S3_PAYLOAD_STREAM_SIGNED:
    case S3_PAYLOAD_STREAM_SIGNED_TRAILER: return r->op == S3_OP_PutObject ? POLICY_BODY_CHUNK : POLICY_BODY_UNST;   /* nobody else checks */
    default: return POLICY_BODY_UNST;
    }
}

const struct decided *step_decide(struct gate_request *r, const struct verified *v)
{
    struct gate_tenant *t = verified_tenant(v);
    struct policy_request q;
    request_of(r, v, &q);
    ASSERT(t->state->size == log_size(t->control));          /* folded in the turn it is appended */
    struct policy_decision p = policy_decide(t->state, &q);
    struct decided *d = (struct decided *)r->decided_box.bytes;
    *d = (struct decided){.magic = DECIDED_MAGIC, .allow = p.allow, .engine = p.engine, .ctl = p.ctl, .reason = p.reason, .verified = v};
    if (q.auth == POLICY_AUTH_ANON && BREAK("anon-lists")) d->allow = true;
    return d;
}

bool step_decide_also(struct gate_request *r, const struct verified *v, enum s3_op op, struct slice key)
{
    struct gate_tenant *t = verified_tenant(v);
    struct policy_request q;
    request_of(r, v, &q);
    q.act = (enum policy_act)op;
    q.key = key;
    return policy_decide(t->state, &q).allow;
}

bool decided_allow(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return d->allow;
}

const char *decided_why(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return policy_reason_text(d->reason);
}

enum s3_error decided_code(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    enum s3_error e = s3_error_of_code(slice_str(policy_reason_s3(d->reason)));
    return e == S3E_NONE ? S3E_AccessDenied : e;
}

uint64_t decided_ctl(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return d->ctl;
}

uint32_t decided_engine(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return d->engine;
}

const struct verified *decided_of(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return d->verified;
}
