/* SPDX-License-Identifier: Apache-2.0
 * op_iam: calls of IAM and STS (POST /, the act stands in the body), and the one call of S3 Control.
 * Role: verified, undecided -> body -> act and user -> decide -> op_iam_act.c -> leaf -> durable -> answer. Trusts: the digest of the body, which
 * step_verify.c compared with the signed one. Distrusts: what the body says.
 * Law: 1, 4 (users, keys and their policies are leaves of the control log). Spec: docs/spec/order.md section 3; IAM and STS Query APIs.
 */
#include "gate/op_iam.h"

#include <stdlib.h>

#include "gate/summary.h"
#include "gate/tenants.h"

#define IAM_BODY_BYTES_MAX (1024 * 1024)           /* a page of 1000 users */

static void iam_cleanup(struct gate_request *r)
{
    struct iam *i = r->u.job;
    if (!i) return;
    buf_done(&i->mem);
    buf_done(&i->sub);
    buf_wipe_done(&i->body);
    free(i);
    r->u.job = NULL;
    r->sub_value = slice_of(NULL, 0);
}

/* What op_iam_act.c calls -------------------------------------------------------------------------------------------------------------- */

struct slice iam_param(const struct iam *i, const char *name)
{
    const struct s3_param *p = s3_param_find(i->params, i->count, name);
    return p ? p->value : slice_of(NULL, 0);
}

bool iam_is_root(const struct iam *i) { return slice_is(i->user, POLICY_USER_ROOT); }

void iam_sub(struct gate_request *r, struct iam *i, struct slice third, struct slice more)
{
    buf_reset(&i->sub);
    record_sub_put(&i->sub, &(struct record_sub){.user = i->user, .third = third, .more = more});
    r->sub_value = buf_ok(&i->sub) ? buf_slice(&i->sub) : slice_of(NULL, 0);
}

void iam_open(struct iam *i) { s3_iam_open(&i->body, i->sts, i->act->name); }

void iam_close(struct gate_request *r, struct iam *i)
{
    char id[ID_TEXT_CHARS + 1];
    tenants_id_text(r->id, id);
    s3_iam_close(&i->body, i->act->name, slice_str(id));
}

static void iam_durable(struct gate_request *r, const struct recorded *rec)
{
    const struct iam *i = r->u.job;
    buf_reset(&r->headers_out);
    request_put_header(r, "Content-Type", SLICE_LIT("text/xml"));
    request_put_header(r, "Cache-Control", SLICE_LIT("no-store"));
    request_answer(r, rec, i->status, buf_slice(&i->body));
}

static void iam_leaf(struct gate_request *r, const struct iam *i, const char *why)
{
    if (!request_may_record(r, false)) return;
    struct leaf_says says = {.why = why, .sub = r->sub_value};
    (void)i;
    step_record_or_fail(r, &says, NULL, iam_durable);
}

void iam_answer(struct gate_request *r, struct iam *i)
{
    if (!buf_ok(&i->body)) {
        iam_refuse(r, S3_IAM_SERVICE_FAILURE, NULL);
        return;
    }
    i->status = 200;
    iam_leaf(r, i, NULL);
}

void iam_refuse(struct gate_request *r, enum s3_iam_error e, const char *message)
{
    struct iam *i = r->u.job;
    char id[ID_TEXT_CHARS + 1];
    tenants_id_text(r->id, id);
    buf_reset(&i->body);
    s3_iam_error_xml(&i->body, i->sts, e, message, slice_str(id));
    i->status = s3_iam_status(e);
    if (verified_key(r->verified)) {
        iam_leaf(r, i, s3_iam_code(e));
        return;
    }
    summary_count(r->gate, r->tenant, S3E_AccessDenied, r->id);       /* anonymous: unproven */
    request_put_header(r, "Content-Type", SLICE_LIT("text/xml"));
    request_answer(r, NULL, i->status, buf_slice(&i->body));
}

bool iam_record(struct gate_request *r, struct iam *i, bool on, struct slice doc)
{
    if (!request_may_record(r, true)) return false;
    i->status = 200;
    enum err e = step_record_iam(r, r->decided, slice_str(i->account), on, r->sub_value, doc, iam_durable);
    switch (e) {
    case ERR_OK: return true;
    case ERR_EXISTS: iam_refuse(r, S3_IAM_ALREADY_EXISTS, NULL); break;
    case ERR_MISSING: iam_refuse(r, S3_IAM_NO_SUCH_ENTITY, NULL); break;
    case ERR_LIMIT: iam_refuse(r, S3_IAM_LIMIT_EXCEEDED, NULL); break;
    case ERR_INPUT: iam_refuse(r, S3_IAM_VALIDATION, NULL); break;
    case ERR_BUSY: iam_refuse(r, S3_IAM_DELETE_CONFLICT, NULL); break;
    default:
        log_line(LOG_ERROR, "iam-not-recorded", "err=%s", err_name(e));
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        break;
    }
    return false;
}

/* the call ------------------------------------------------------------------------------------------------------------------------------- */

/* User names are not told apart by case. As the user is spelled is how it is decided on and recorded. */
static void iam_spelling(const struct gate_request *r, struct iam *i)
{
    size_t cursor = 0;
    if (i->act->act == POLICY_ACT_CreateUser || policy_user(r->tenant->state, slice_str(i->account), i->user)) return;
    for (const struct policy_user *u; i->user_named && (u = policy_user_next(r->tenant->state, slice_str(i->account), &cursor));)
        if (slice_ieq(i->user, slice_str(u->name))) {
            i->user = slice_str(u->name);
            return;
        }
}

/* Whom it is about. Root is the account's own and no user of that name: it is never named, only meant. */
static enum s3_iam_error iam_whom(struct gate_request *r, struct iam *i, const char **why)
{
    const struct gate_key *k = verified_key(r->verified);
    struct slice named = iam_param(i, "UserName");
    i->user_named = named.p != NULL && (i->act->on_user || i->act->act == POLICY_ACT_CreateUser);
    i->user = i->user_named ? named : slice_str(k ? k->user : POLICY_USER_ROOT);
    *why = "UserName must be 1 to 64 letters, digits or + = , . @ _ -";
    if (!i->user.n || i->user.n > POLICY_USER_CHARS_MAX) return S3_IAM_VALIDATION;
    for (size_t n = 0; n < i->user.n; n++) {
        uint8_t c = i->user.p[n];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || memchr("+=,.@_-", c, 7) != NULL;
        if (!word) return S3_IAM_VALIDATION;
    }
    *why = NULL;
    iam_spelling(r, i);
    return S3_IAM_NONE;
}

/* Users are looked for after the decision: who may not ask does not learn who there is. */
static bool iam_user_there(struct gate_request *r, struct iam *i)
{
    if (!i->act->on_user || (!i->user_named && iam_is_root(i))) return true;
    return !iam_is_root(i) && policy_user(r->tenant->state, slice_str(i->account), i->user) != NULL;
}

static void iam_go(struct gate_request *r, struct iam *i)
{
    const char *why = NULL;
    enum s3_iam_error e = iam_whom(r, i, &why);
    if (e != S3_IAM_NONE) i->user = SLICE_LIT("");
    struct slice third = iam_param(i, "AccessKeyId"), more = slice_of(NULL, 0);
    if (!third.p) third = iam_param(i, "PolicyName");
    if (i->act->act == POLICY_ACT_CreateUser) more = iam_param(i, "Path").p ? iam_param(i, "Path") : SLICE_LIT("/");
    if (third.n > POLICY_NAME_CHARS_MAX || more.n > POLICY_PATH_CHARS_MAX) {
        e = S3_IAM_VALIDATION;
        third = more = slice_of(NULL, 0);
    }
    iam_sub(r, i, third, more);
    bool allowed = step_decide_and_bind(r);
    if (!allowed && decided_allow(r->decided)) step_refuse(r);        /* of the signature's: too old, digest, headers */
    else if (!allowed) iam_refuse(r, S3_IAM_ACCESS_DENIED, NULL);
    else if (e != S3_IAM_NONE) iam_refuse(r, e, why);
    else if (!iam_user_there(r, i)) iam_refuse(r, S3_IAM_NO_SUCH_ENTITY, "The user with this name cannot be found");
    else i->act->run(r, i);
}

/* No act we know: it is decided as none, which is deny, and so recorded. */
static void iam_unknown(struct gate_request *r, struct iam *i)
{
    bool allowed;
    r->act = "Unknown";
    i->user = SLICE_LIT("");
    allowed = step_decide_and_bind(r);
    ASSERT(!allowed);
    iam_refuse(r, S3_IAM_INVALID_ACTION, NULL);
}

/* S3 Control: GET /v20180820/tags/{arn of a bucket} ------------------------------------------------------------------------------------------- */

static void control_durable(struct gate_request *r, const struct recorded *rec)
{
    const struct iam *i = r->u.job;
    request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    request_answer(r, rec, 200, buf_slice(&i->body));
}

static void control_tags(struct gate_request *r, struct iam *i, struct slice bucket)
{
    r->act = "ListTagsForResource";
    r->name = (struct s3_name){.bucket = bucket};
    if (!step_decide_and_bind(r)) {
        step_refuse(r);
        return;
    }
    const struct policy_bucket *b = policy_bucket_of_id(r->tenant->state, r->bucket->id);
    struct slice account = request_header(r, "x-amz-account-id");
    if (!b || !slice_is(account, b->account)) {
        s3_fault_set(&r->fault, S3E_AccessDenied, "x-amz-account-id is not the bucket's owner");
        step_refuse(r);
        return;
    }
    s3_control_tags_xml(&i->body, policy_bucket_doc(b, POLICY_DOC_TAGGING));
    if (!request_may_record(r, false)) return;
    struct leaf_says says = {0};
    step_record_or_fail(r, &says, NULL, control_durable);
}

static void control_go(struct gate_request *r, struct iam *i)
{
    struct slice path = r->s3.path, tags = SLICE_LIT("/v20180820/tags/"), arn = SLICE_LIT("arn:aws:s3:::");
    struct slice rest = slice_starts(path, tags) ? slice_of(path.p + tags.n, path.n - tags.n) : slice_of(NULL, 0);
    if (slice_is(r->s3.method, "GET") && slice_starts(rest, arn) && !memchr(rest.p, '/', rest.n)) {
        control_tags(r, i, slice_of(rest.p + arn.n, rest.n - arn.n));
        return;
    }
    r->act = "Unknown";
    r->name = (struct s3_name){0};
    bool allowed = step_decide_and_bind(r);
    ASSERT(!allowed);
    r->fault.code = S3E_NONE;
    s3_fault_set(&r->fault, S3E_NotImplemented, "S3 Control knows ListTagsForResource of buckets here");
    step_refuse(r);
}

void op_iam_begin(struct gate_request *r)
{
    const struct gate_key *k = verified_key(r->verified);
    struct iam *i = calloc(1, sizeof *i);
    if (!i) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    buf_init(&i->mem, 2 * FORM_BYTES_MAX);
    buf_init(&i->sub, 2048);
    buf_init(&i->body, IAM_BODY_BYTES_MAX);
    r->u.job = i;
    r->cleanup = iam_cleanup;
    if (k) memcpy(i->account, k->account, sizeof i->account);
    if (request_is_control(r)) {
        control_go(r, i);
        return;
    }
    r->name = (struct s3_name){0};
    bool read = s3_query_body(r->ask.form, &i->mem, i->params, ARRAY_LEN(i->params), &i->count) == S3E_NONE;
    struct slice action = read ? iam_param(i, "Action") : slice_of(NULL, 0);
    for (size_t n = 0; n < iam_act_count && action.n; n++)
        if (slice_is(action, iam_acts[n].name)) i->act = &iam_acts[n];
    if (!i->act) {
        iam_unknown(r, i);
        return;
    }
    i->sts = i->act->act == POLICY_ACT_GetCallerIdentity;
    r->act = i->act->name;
    iam_go(r, i);
}
