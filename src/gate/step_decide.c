/* SPDX-License-Identifier: Apache-2.0
 * step_decide: asks the policy room, which knows nothing but state and request.
 * Role: second step; asked again when the control log moved (rule 14) and when it hangs on the object. Trusts: struct verified. Distrusts: names.
 * Law: 4 (the control log is the state), 5. Spec: docs/spec/policy.md, docs/spec/order.md rule 14.
 */
#include <assert.h>

#include "gate/request.h"
#include "policy/policy_access.h"
#include "s3/s3_config.h"

#define DECIDED_MAGIC 0x44454349u
#define CTX_TAGS "=tags"
#define CTX_OWNER "=owner"
#define CTX_ABSENT "=absent"
#define CTX_SOURCE_TAGS "=source-tags"
#define CTX_SOURCE_OWNER "=source-owner"

struct decided {
    uint32_t magic;
    bool allow, needs_object, hides, bucket;
    uint32_t engine;
    uint64_t ctl;
    enum policy_reason reason;
    const struct verified *verified;
};
static_assert(sizeof(struct decided) <= sizeof(struct step_box), "a value fits its box");

/* what policies may ask about ------------------------------------------------------------------------------------------------ */

/* What FIND said of the object; p NULL: it has none. */
struct about_object {
    struct slice tags, owner;
    bool absent;                                   /* there is no such version, or a delete marker */
};

static void ctx_put(struct buf *out, const char *name, struct slice value)
{
    if (value.p) record_ctx_put(out, slice_str(name), value);    /* an empty value is one */
}

static void ctx_put_known(struct gate_request *r, const struct verified *v, const char *name, const struct about_object *o, struct buf *out)
{
    if (strcmp(name, "=age") == 0 && verified_signed_ms(v)) {
        AUTO(buf) struct buf text = BUF_INIT(TIME_TEXT_MAX);
        buf_put_dec(&text, r->now_ms > verified_signed_ms(v) ? r->now_ms - verified_signed_ms(v) : 0);
        ctx_put(out, name, buf_slice(&text));
    }
    if (strcmp(name, CTX_ABSENT) == 0 && o->absent) ctx_put(out, name, SLICE_LIT("true"));
    if (strcmp(name, CTX_OWNER) == 0) ctx_put(out, name, o->owner);
    if (strcmp(name, CTX_TAGS) == 0) ctx_put(out, name, o->tags);
}

/* policy's closed table, in its order: a pair for each thing that is there. */
static void ctx_build(struct gate_request *r, const struct verified *v, const struct about_object *o, struct buf *out)
{
    static const char *const names[] = {
#define POLICY_CTX(NAME, text, what) text,
#include "policy/policy_ctx.def"
#undef POLICY_CTX
    };
    buf_reset(out);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *name = names[i];
        if (name[0] == '?') {
            const struct s3_param *p = request_param(r, name + 1);
            if (p) ctx_put(out, name, p->value.p ? p->value : SLICE_LIT(""));
        } else if (name[0] == '=') {
            ctx_put_known(r, v, name, o, out);
        } else if (r->tagging.p && strcmp(name, "x-amz-tagging") == 0) {
            ctx_put(out, name, r->tagging);
        } else {
            ctx_put(out, name, request_header(r, name));
        }
    }
}

static struct slice ctx_value(struct slice ctx, const char *name)
{
    struct reader list = reader_of(ctx);
    struct slice at, value;
    while (record_ctx_next(&list, &at, &value))
        if (slice_is(at, name)) return value;
    return slice_of(NULL, 0);
}

/* the request as policy sees it ------------------------------------------------------------------------------------------------ */

static void request_of_session(const struct gate_request *r, const struct verified_session *s, struct policy_request *out)
{
    out->who = (struct policy_who){.account = slice_str(s->account), .user = slice_str(s->grant_text), .access_key = slice_str(s->access_key)};
    memcpy(out->grant, s->grant, ID_BYTES);
    out->opens_known = r->opens.known && !BREAK("grant-budget-uncounted");
    out->opens = r->opens.bytes;
    out->goes_on = r->opens.goes_on;
}

static void request_of(const struct gate_request *r, const struct verified *v, struct policy_request *out)
{
    const struct gate_key *k = verified_key(v);
    *out = (struct policy_request){.auth = verified_auth(v), .bucket = r->name.bucket, .key = r->name.key, .peer = r->ask.peer,
                                   .tls = r->ask.flags & WIRE_ASK_TLS, .t_ms = r->now_ms, .body = request_body(r), .version_id = r->vid,
                                   .act = r->act ? policy_act_of(slice_str(r->act)) : (enum policy_act)r->op};
    if (r->sub_value.p && record_sub_get(r->sub_value, &out->sub) != ERR_OK) panic_at(__FILE__, __LINE__, __func__, "sub");   /* op_iam.c wrote it */
    if (k) out->who = (struct policy_who){.account = slice_str(k->account), .user = slice_str(k->user), .access_key = slice_str(k->access_key)};
    if (verified_session(v)) request_of_session(r, verified_session(v), out);
}

enum policy_body request_body(const struct gate_request *r)
{
    bool reads = slice_is(r->s3.method, "GET") || slice_is(r->s3.method, "HEAD");
    if (reads || r->ask.body_size == 0) return POLICY_BODY_NONE;
    switch (r->s3.payload) {
    case S3_PAYLOAD_SHA256: return POLICY_BODY_SHA256;
    case S3_PAYLOAD_UNSIGNED: return POLICY_BODY_UNS;
    case S3_PAYLOAD_STREAM_SIGNED:
    case S3_PAYLOAD_STREAM_SIGNED_TRAILER:         /* nobody else checks the chain */
        return r->op == S3_OP_PutObject || r->op == S3_OP_UploadPart ? POLICY_BODY_CHUNK : POLICY_BODY_UNST;
    default: return POLICY_BODY_UNST;
    }
}

/* The leaf carries ctx only when a condition can matter; what was found of object and source before stays in it when it is asked again. */
static void ctx_renew(struct gate_request *r, const struct verified *v, const struct about_object *o, struct policy_request *q)
{
    AUTO(buf) struct buf before = BUF_INIT(POLICY_CTX_BYTES_MAX);
    buf_put_slice(&before, buf_slice(&r->ctx));
    struct about_object kept = {0};                /* what an earlier FIND said counts only while it is the one that stands */
    if (r->object_known) kept = (struct about_object){.tags = ctx_value(buf_slice(&before), CTX_TAGS), .owner = ctx_value(buf_slice(&before), CTX_OWNER),
                                                      .absent = ctx_value(buf_slice(&before), CTX_ABSENT).n > 0};
    struct slice source_tags = ctx_value(buf_slice(&before), CTX_SOURCE_TAGS), source_owner = ctx_value(buf_slice(&before), CTX_SOURCE_OWNER);
    buf_reset(&r->ctx);
    bool wants = policy_wants_ctx(verified_tenant(v)->state, q);
    if (wants) ctx_build(r, v, o ? o : &kept, &r->ctx);
    ctx_put(&r->ctx, CTX_SOURCE_OWNER, source_owner);
    ctx_put(&r->ctx, CTX_SOURCE_TAGS, source_tags);
    if (!buf_ok(&r->ctx)) {                        /* decided without, and refused whatever comes of it */
        buf_reset(&r->ctx);
        if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, S3E_RequestHeaderSectionTooLarge, NULL);
    }
    r->has_ctx = r->ctx.n > 0;
    q->ctx = buf_slice(&r->ctx);
    q->object_known = r->object_known;
}

static const struct decided *decide(struct gate_request *r, const struct verified *v, const struct about_object *o)
{
    struct gate_tenant *t = verified_tenant(v);
    struct policy_request q;
    request_of(r, v, &q);
    ASSERT(t->state->size == log_size(t->control));          /* folded in the turn it is appended */
    uint64_t now;                                  /* as its leaf will say when it is appended in this turn */
    if (log_time(verified_session(v) ? t->control : t->access, loop_wall_ms(r->gate->loop), &now) == ERR_OK) q.t_ms = now;
    ctx_renew(r, v, o, &q);
    struct policy_decision p = policy_decide(t->state, &q);
    struct decided *d = (struct decided *)r->decided_box.bytes;
    ASSERT(!p.needs_object || !r->object_known);
    *d = (struct decided){.magic = DECIDED_MAGIC, .allow = p.allow && !p.needs_object, .needs_object = p.needs_object,
                          .hides = p.obligations & POLICY_HIDE_ABSENCE, .bucket = p.bucket, .engine = p.engine, .ctl = p.ctl, .reason = p.reason, .verified = v};
    if (p.reason == POLICY_NO_BUCKET && BREAK("foreign-bucket-told"))
        for (size_t i = 0; i < r->gate->tenant_count; i++)
            if (tenants_bucket(r->gate->tenant_list[i], q.bucket)) d->reason = POLICY_OTHER_ACCOUNT;
    if (p.reason == POLICY_GRANT_SCOPE && policy_bucket(t->state, q.bucket) && BREAK("staff-no-grant-needed")) d->allow = d->bucket = true;
    if (q.auth == POLICY_AUTH_ANON && BREAK("anon-lists")) {
        d->allow = true;
        d->needs_object = false;
    }
    return d;
}

const struct decided *step_decide(struct gate_request *r, const struct verified *v) { return decide(r, v, NULL); }

bool step_use(const struct gate_request *r, struct policy_use *out)
{
    struct policy_request q;
    request_of(r, r->verified, &q);
    return policy_use_of(verified_tenant(r->verified)->state, &q, out);
}

bool step_grant_lives(const struct gate_request *r)
{
    const struct verified_session *s = verified_session(r->verified);
    const struct policy_state *state = verified_tenant(r->verified)->state;
    const struct policy_grant *g = s ? policy_grant(state, s->grant) : NULL;
    uint64_t now = loop_wall_ms(r->gate->loop), t;
    if (log_time(verified_tenant(r->verified)->control, now, &t) == ERR_OK) now = t;
    switch (g ? policy_grant_state(state, g, now) : POLICY_GRANT__COUNT) {
    case POLICY_GRANT_ACTIVE:
    case POLICY_GRANT_EXTENSION_PENDING: break;
    default: return false;
    }
    /* And all else that it hangs on: people, approvals, rules, purposes. What it takes from the budget was taken when it was recorded. */
    struct policy_request q;
    request_of(r, r->verified, &q);
    q.t_ms = now;
    q.ctx = buf_slice(&r->ctx);
    q.opens_known = true;
    q.opens = 0;
    return decided_allow(r->decided) ? policy_use_stands(state, &q, decided_ctl(r->decided)) : policy_decide(state, &q).allow;
}

bool step_object_allowed(struct gate_request *r, struct slice tags, struct slice owner)
{
    ASSERT(r->fault.code == S3E_NONE);
    if (!decided_needs_object(r->decided) && !r->object_known) return true;
    r->object_known = true;
    const struct about_object o = {.tags = tags, .owner = owner, .absent = !owner.p};
    r->decided = decide(r, r->verified, &o);
    if (!decided_allow(r->decided) && r->fault.code == S3E_NONE) s3_fault_set(&r->fault, decided_code(r->decided), NULL);
    return r->fault.code == S3E_NONE;
}

bool step_decide_also(struct gate_request *r, const struct verified *v, enum s3_op op, struct slice key, struct slice vid)
{
    struct gate_tenant *t = verified_tenant(v);
    struct policy_request q;
    request_of(r, v, &q);
    q.act = (enum policy_act)op;
    q.key = key;
    q.version_id = vid;
    AUTO(buf) struct buf ctx = BUF_INIT(POLICY_CTX_BYTES_MAX);
    const struct about_object nothing = {0};
    if (policy_wants_ctx(t->state, &q)) ctx_build(r, v, &nothing, &ctx);
    if (!buf_ok(&ctx)) return false;
    q.ctx = buf_slice(&ctx);
    struct policy_decision p = policy_decide(t->state, &q);
    return p.allow && !p.needs_object;
}

/* A source that was overtaken is looked at, and decided on, again (rule 8): what was seen last stands. */
static void ctx_put_source(struct gate_request *r, struct slice tags, struct slice owner)
{
    AUTO(buf) struct buf before = BUF_INIT(POLICY_CTX_BYTES_MAX);
    struct slice name, value;
    buf_put_slice(&before, buf_slice(&r->ctx));
    struct reader list = reader_of(buf_slice(&before));
    buf_reset(&r->ctx);
    while (record_ctx_next(&list, &name, &value))
        if (!slice_is(name, CTX_SOURCE_OWNER) && !slice_is(name, CTX_SOURCE_TAGS)) record_ctx_put(&r->ctx, name, value);
    ctx_put(&r->ctx, CTX_SOURCE_OWNER, owner);
    ctx_put(&r->ctx, CTX_SOURCE_TAGS, tags);
}

bool step_decide_source(struct gate_request *r, const struct verified *v, const struct s3_copy_source *from, struct slice tags, struct slice owner)
{
    struct gate_tenant *t = verified_tenant(v);
    struct policy_request q;
    request_of(r, v, &q);
    q.act = (enum policy_act)(from->version.p ? S3_OP_GetObjectVersion : S3_OP_GetObject);
    q.bucket = from->bucket;
    q.key = from->key;
    q.version_id = from->version;
    q.body = POLICY_BODY_NONE;
    q.object_known = true;
    if (policy_wants_ctx(t->state, &q)) {
        AUTO(buf) struct buf ctx = BUF_INIT(POLICY_CTX_BYTES_MAX);
        const struct about_object o = {.tags = tags, .owner = owner};
        ctx_build(r, v, &o, &ctx);
        ctx_put_source(r, tags, owner);            /* the leaf says what this decision saw */
        if (!buf_ok(&ctx) || !buf_ok(&r->ctx)) return false;
        r->has_ctx = r->ctx.n > 0;
        q.ctx = buf_slice(&ctx);
        return policy_decide(t->state, &q).allow;
    }
    return policy_decide(t->state, &q).allow;
}

/* what was decided -------------------------------------------------------------------------------------------------------------- */

bool decided_allow(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return d->allow;
}

bool decided_needs_object(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return d->needs_object;
}

bool decided_hides(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return d->hides;
}

const char *decided_why(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return policy_reason_text(d->reason);
}

bool decided_bucket(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return d->bucket;
}

bool decided_budget(const struct decided *d)
{
    ASSERT(d && d->magic == DECIDED_MAGIC);
    return !d->allow && d->reason == POLICY_GRANT_BUDGET;
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
