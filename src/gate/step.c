/* SPDX-License-Identifier: Apache-2.0
 * step: the way of every request through the gate, on one page.
 *
 *     ASK -> verify -> (tenant served?) -> decide -> the operation: FIND or SCAN -> leaf -> durable -> release, or APPLY -> answer
 *
 * A refusal of a proven caller is such a way too: leaf -> durable -> answer. An unproven caller is counted and answered.
 * Role: parent of the four steps and of the operations. Trusts: them. Distrusts: every ASK.
 * Law: 1, 2, 3, 5. Spec: docs/spec/order.md.
 */
#include "gate/step.h"

#include "gate/conn.h"
#include "gate/request.h"
#include "gate/summary.h"

static const struct {
    enum s3_op op;
    void (*begin)(struct gate_request *r);
} operations[] = {
    {S3_OP_GetObject, op_get_begin},
    {S3_OP_HeadObject, op_get_begin},
    {S3_OP_GetObjectVersion, op_get_begin},
    {S3_OP_HeadObjectVersion, op_get_begin},
    {S3_OP_GetObjectPart, op_get_begin},
    {S3_OP_HeadObjectPart, op_get_begin},
    {S3_OP_GetObjectAttributes, op_attributes_begin},
    {S3_OP_PutObject, op_put_begin},
    {S3_OP_CopyObject, op_copy_begin},
    {S3_OP_DeleteObject, op_delete_begin},
    {S3_OP_DeleteObjectVersion, op_delete_begin},
    {S3_OP_DeleteObjects, op_batch_begin},
    {S3_OP_GetObjectTagging, op_tagging_begin},
    {S3_OP_PutObjectTagging, op_tagging_begin},
    {S3_OP_DeleteObjectTagging, op_tagging_begin},
    {S3_OP_CreateMultipartUpload, op_upload_begin},
    {S3_OP_AbortMultipartUpload, op_upload_begin},
    {S3_OP_UploadPart, op_part_begin},
    {S3_OP_UploadPartCopy, op_part_begin},
    {S3_OP_CompleteMultipartUpload, op_complete_begin},
    {S3_OP_ListObjects, op_list_begin},
    {S3_OP_ListObjectsV2, op_list_begin},
    {S3_OP_ListObjectVersions, op_list_begin},
    {S3_OP_ListMultipartUploads, op_list_begin},
    {S3_OP_ListParts, op_list_begin},
    {S3_OP_BucketPreflight, op_preflight_begin},
    {S3_OP_ObjectPreflight, op_preflight_begin},
    {S3_OP_CreateBucket, op_bucket_create_begin},
    {S3_OP_DeleteBucket, op_bucket_delete_begin},
};

/* What sets or ends a document of a bucket, by policy's table; ACLs, which set nothing, by the same door. */
static bool is_config(enum s3_op op)
{
    bool on;
    if (op == S3_OP_PutBucketAcl || op == S3_OP_PutObjectAcl) return true;
    return policy_doc_of_act((enum policy_act)op, &on) != POLICY_DOC__COUNT;
}

/* parked requests: their tenant is not served yet */
static struct list parked;
static struct list *parked_list(void)
{
    if (!parked.next) list_init(&parked);
    return &parked;
}

static void step_go(struct gate_request *r);

static void step_park(struct gate_request *r)
{
    if (r->tenant->flow && r->tenant->flow->mismatch) {      /* rule 7: waiting does not help */
        request_fail_code(r, S3E_ServiceUnavailable, "This tenant is not served; the operator's doctor says why");
        return;
    }
    r->state = REQUEST_PARKED;
    list_add_tail(parked_list(), &r->waiting);
}

void step_begin(struct gate_request *r)
{
    bool api = r->ask.flags & WIRE_ASK_API;
    panic_context("verify", r->wire_id, 0);
    if (api && r->conn && r->conn->role == WIRE_ROLE_ACCESS) {   /* no such port there: only a front that is not honest says so */
        s3_fault_set(&r->fault, S3E_AccessDenied, NULL);
        summary_count(r->gate, NULL, r->fault.code, r->id);
        request_fail(r, NULL);
        return;
    }
    if (api && r->ask.auth == WIRE_AUTH_NONE) {    /* statements carry their own signature; status says nothing of data */
        api_ask(r);
        return;
    }
    r->verified = step_verify(r, api ? SLICE_LIT("tillit") : SLICE_LIT("s3"));
    if (!r->verified) {
        request_fail(r, NULL);
        return;
    }
    r->tenant = verified_tenant(r->verified);
    if (!r->tenant->served) step_park(r);
    else step_go(r);
}

static void step_operation(struct gate_request *r)
{
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        if (operations[i].op == r->op) {
            operations[i].begin(r);
            return;
        }
    if (is_config(r->op)) op_config_begin(r);
    else op_look_begin(r);                         /* what reads configuration, and what is not implemented */
}

static void step_go(struct gate_request *r)
{
    struct gate_flow *f = r->tenant->flow;
    r->state = REQUEST_WORKING;
    if (f->in_flight >= GATE_IN_FLIGHT_PER_TENANT_MAX || !quota_admit(r)) {
        request_fail_code(r, S3E_SlowDown, NULL);
        return;
    }
    f->in_flight++;
    r->counted = true;
    if (r->ask.flags & WIRE_ASK_API) {
        if (slice_is(r->s3.path, "/v1/undelete") && r->fault.code == S3E_NONE) op_undelete_begin(r);
        else if (r->fault.code != S3E_NONE) request_fail(r, NULL);
        else api_ask(r);
        return;
    }
    r->act = r->op == S3_OP_NONE ? "Unknown" : s3_op_row(r->op)->name;
    panic_context("decide", r->wire_id, 0);
    bool staff = verified_session(r->verified), whole = r->fault.code == S3E_NONE;
    if (whole && !staff && r->op == S3_OP_IamOrSts) {   /* the body says which act it is: they decide */
        op_iam_begin(r);
        return;
    }
    if (whole && !staff && r->op == S3_OP_PostObject) {
        op_form_begin(r);
        return;
    }
    if (!step_decide_and_bind(r)) {
        if (op_bucket_again(r)) return;
        /* What is denied without the tags of a document that is still to come may be allowed with them: op_tagging.c decides again. */
        bool early = whole && !staff && r->op == S3_OP_PutObjectTagging && r->has_ctx && r->fault.code == S3E_AccessDenied && !decided_needs_object(r->decided);
        if (!early) {
            step_refuse(r);
            return;
        }
        r->fault = (struct s3_fault){0};
    }
    step_operation(r);
}

/* The client said whose bucket it means: one that turned out to be another's must not be read or written by mistake. */
static bool owner_is_another(const struct gate_request *r)
{
    struct slice expected = request_header(r, "x-amz-expected-bucket-owner");
    const struct policy_bucket *b = expected.p ? policy_bucket_of_id(r->tenant->state, r->bucket->id) : NULL;
    return expected.p && !(b && slice_is(slice_trim(expected), b->account));
}

/* Decides, and points the request at the bucket that the decision was about. False: refused, r->fault says how. */
bool step_decide_and_bind(struct gate_request *r)
{
    r->decided = step_decide(r, r->verified);
    if (!decided_allow(r->decided) && !decided_needs_object(r->decided)) {
        if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, decided_code(r->decided), NULL);
        return false;
    }
    if (r->name.bucket.n && r->op != S3_OP_CreateBucket && !r->bucket) {
        struct gate_bucket *b = tenants_bucket(r->tenant, r->name.bucket);
        ASSERT(b);                                 /* LAW-4: the state that decided and the table of keys are one fold */
        r->bucket = b;
        if (r->fault.code == S3E_NONE && owner_is_another(r)) s3_fault_set(&r->fault, S3E_AccessDenied, NULL);
    }
    return r->fault.code == S3E_NONE;
}

bool step_still_allowed(struct gate_request *r)
{
    ASSERT(r->fault.code == S3E_NONE);
    /* Rule 14; and conditions may be about the time, which is the record's; a grant always is. */
    if (decided_ctl(r->decided) != log_size(r->tenant->control) || r->has_ctx || verified_session(r->verified)) {
        r->decided = step_decide(r, r->verified);
        if (!decided_allow(r->decided) && !decided_needs_object(r->decided) && r->fault.code == S3E_NONE)
            s3_fault_set(&r->fault, decided_code(r->decided), NULL);
    }
    if (r->fault.code == S3E_NONE && r->bucket && r->bucket->dead) s3_fault_set(&r->fault, S3E_NoSuchBucket, NULL);
    return r->fault.code == S3E_NONE;
}

static void refused_durable(struct gate_request *r, const struct recorded *rec)
{
    if (!use_cut(r)) request_fail(r, rec);
}

void step_refuse(struct gate_request *r)
{
    ASSERT(r->fault.code != S3E_NONE);
    request_unhold(r);
    if (r->state == REQUEST_BODY) r->state = REQUEST_REFUSED;    /* or its next frame would refuse, and record, a second time */
    bool proven = verified_key(r->verified) || verified_session(r->verified);
    if (!proven) {                                 /* anonymous: counted */
        summary_count(r->gate, r->tenant, r->fault.code, r->id);
        request_fail(r, NULL);
        return;
    }
    enum s3_error code = r->fault.code;
    if (!request_may_record(r, false)) return;
    if (decided_ctl(r->decided) != log_size(r->tenant->control) || r->has_ctx || verified_session(r->verified)) r->decided = step_decide(r, r->verified);
    if (decided_needs_object(r->decided)) {        /* refused before anyone looked: as if nothing were there */
        r->object_known = true;
        r->decided = step_decide(r, r->verified);
    }
    struct leaf_says says = {.why = verified_why(r->verified) ? verified_why(r->verified) : s3_error_code(code)};
    if (decided_budget(r->decided) && r->opens.known) says.has_bytes = true, says.bytes = r->opens.bytes;
    if (r->opens.goes_on) says.ref = &r->u.get.first_leaf;   /* a stream that is refused its next segment */
    step_record_or_fail(r, &says, NULL, refused_durable);
}

/* Nothing was appended when the clock or a bound is against it: 503, and what was taken is given back. */
bool step_record_or_fail(struct gate_request *r, const struct leaf_says *says, struct gate_write *w,
                         void (*durable)(struct gate_request *r, const struct recorded *rec))
{
    enum err e = step_record(r, r->decided, says, w, durable);
    if (e == ERR_OK) return true;
    log_line(LOG_ERROR, "not-recorded", "err=%s", err_name(e));
    request_fail_code(r, e == ERR_LIMIT ? S3E_InternalError : S3E_ServiceUnavailable, NULL);
    return false;
}

void step_served(struct gate *g, struct gate_tenant *t)
{
    (void)g;
    struct list *at = parked_list()->next;
    while (at != parked_list()) {
        struct gate_request *r = container_of(at, struct gate_request, waiting);
        at = at->next;
        if (r->tenant != t) continue;
        list_del(&r->waiting);
        step_go(r);                                /* may answer, never touches another parked one */
    }
}

void step_sweep(struct gate *g)
{
    uint64_t now = loop_now_ms(g->loop);
    while (!list_empty(parked_list())) {
        struct gate_request *r = container_of(parked_list()->next, struct gate_request, waiting);
        if (now - r->since_ms < PARK_MS) break;
        request_fail_code(r, S3E_ServiceUnavailable, "This tenant is not served yet");
    }
    op_put_sweep(g);
    keeper_sweep(g);
    flow_tick(g);
}
