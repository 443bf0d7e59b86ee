/* SPDX-License-Identifier: Apache-2.0
 * op_config: sets and ends the documents of a bucket's configuration, and answers ACLs.
 * Role: body -> digest -> canonical document -> `cfg` leaf of the control log, folded in the same turn -> durable -> answer.
 * Trusts: policy's fold, which is asked before a leaf exists. Distrusts: the body until its digest fits; what it says.
 * Law: 1, 3 (who may read widens by signed bytes only), 4 (configuration is a leaf of the control log). Spec: docs/spec/order.md section 3.
 */
#include <stdlib.h>

#include "gate/request.h"
#include "s3/s3_config.h"

struct config {
    enum s3_op op;
    enum s3_xml_kind xml;                          /* POLICY and ended ones: none is read */
    bool on, strong;                               /* strong: its body's digest must be one that nobody can meet with another body */
    uint16_t status;
};
static const struct config table[] = {
    {S3_OP_PutBucketVersioning, S3_XML_VERSIONING, true, false, 200},
    {S3_OP_PutBucketPolicy, S3_XML__COUNT, true, true, 204},
    {S3_OP_DeleteBucketPolicy, S3_XML__COUNT, false, false, 204},
    {S3_OP_PutBucketOwnershipControls, S3_XML_OWNERSHIP, true, true, 200},
    {S3_OP_DeleteBucketOwnershipControls, S3_XML__COUNT, false, false, 204},
    {S3_OP_PutPublicAccessBlock, S3_XML_BLOCK, true, true, 200},
    {S3_OP_DeletePublicAccessBlock, S3_XML__COUNT, false, false, 204},
    {S3_OP_PutBucketTagging, S3_XML_TAGGING, true, false, 200},
    {S3_OP_DeleteBucketTagging, S3_XML__COUNT, false, false, 204},
    {S3_OP_PutBucketCors, S3_XML_CORS, true, false, 200},
    {S3_OP_DeleteBucketCors, S3_XML__COUNT, false, false, 204},
    {S3_OP_PutBucketLifecycleConfiguration, S3_XML_LIFECYCLE, true, false, 200},
    {S3_OP_DeleteBucketLifecycle, S3_XML__COUNT, false, false, 204},
    {S3_OP_PutBucketAcl, S3_XML_ACL, true, false, 200},
    {S3_OP_PutObjectAcl, S3_XML_ACL, true, false, 200},
};

struct config_job {
    const struct config *row;
    struct s3_xml *xml;
    struct s3_sums sums;
    struct s3_body body;
    struct buf text, doc;                          /* the policy as it came; the canonical document */
    bool summing;
};

static void config_cleanup(struct gate_request *r)
{
    struct config_job *c = r->u.job;
    if (!c) return;
    s3_xml_free(c->xml);
    if (c->summing) s3_sums_done(&c->sums);
    buf_done(&c->text);
    buf_done(&c->doc);
    free(c);
    r->u.job = NULL;
}

static void config_refuse(struct gate_request *r, enum s3_error code, const char *message)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, message);
    step_refuse(r);
}

/* the leaf ---------------------------------------------------------------------------------------------------------------------- */

static const struct policy_bucket *config_bucket(const struct gate_request *r) { return policy_bucket_of_id(r->tenant->state, r->bucket->id); }

static void config_durable(struct gate_request *r, const struct recorded *rec)
{
    const struct config_job *c = r->u.job;
    buf_reset(&r->headers_out);
    request_answer(r, rec, c->row->status, slice_of(NULL, 0));
}

/* Nothing changes: what is to end is not there. */
static void config_nothing(struct gate_request *r)
{
    struct leaf_says says = {0};
    if (!request_may_record(r, false)) return;
    step_record_or_fail(r, &says, NULL, config_durable);
}

static void config_record(struct gate_request *r)
{
    struct config_job *c = r->u.job;
    bool on = false;
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return;
    }
    enum policy_doc_kind kind = policy_doc_of_act(policy_act_of(slice_str(r->act)), &on);
    ASSERT(kind != POLICY_DOC__COUNT && on == c->row->on);
    struct slice have = policy_bucket_doc(config_bucket(r), kind);
    if (!on && !have.n) {
        config_nothing(r);
        return;
    }
    if (!request_may_record(r, true)) return;
    switch (step_record_cfg(r, r->decided, on, on ? buf_slice(&c->doc) : slice_of(NULL, 0), config_durable)) {
    case ERR_OK: break;
    case ERR_INPUT: config_refuse(r, c->row->op == S3_OP_PutBucketPolicy ? S3E_MalformedPolicy : S3E_MalformedXML, NULL); break;
    case ERR_LIMIT: config_refuse(r, S3E_InvalidRequest, "The configuration of all buckets together would be too large"); break;
    default: request_fail_code(r, S3E_ServiceUnavailable, NULL); break;
    }
}

/* documents: the body -> the canonical form --------------------------------------------------------------------------------------- */

static enum s3_error policy_document(struct gate_request *r, struct config_job *c)
{
    const char *why = NULL;
    if (c->text.n > S3_POLICY_BYTES_MAX) return S3E_PolicyTooLarge;
    if (policy_doc_check(buf_slice(&c->text), r->name.bucket, &why) != ERR_OK) return s3_fault_set(&r->fault, S3E_MalformedPolicy, why);
    if (config_bucket(r)->block[2] && policy_doc_is_public(buf_slice(&c->text)))
        return s3_fault_set(&r->fault, S3E_AccessDenied, "The bucket blocks public policies (BlockPublicPolicy)");
    buf_put_slice(&c->doc, buf_slice(&c->text));
    return S3E_NONE;
}

static enum s3_error word_document(struct config_job *c, enum s3_error e, const char *word)
{
    if (e == S3E_NONE) buf_put_str(&c->doc, word);
    return e;
}

static enum s3_error block_document(struct config_job *c)
{
    bool block[4];
    enum s3_error e = s3_xml_block_end(c->xml, block);
    for (size_t i = 0; i < ARRAY_LEN(block) && e == S3E_NONE; i++) buf_put_u8(&c->doc, block[i] ? '1' : '0');
    return e;
}

static enum s3_error document(struct gate_request *r, struct config_job *c)
{
    const char *word = NULL;
    size_t tags;
    enum s3_error e;
    switch (c->row->xml) {
    case S3_XML_VERSIONING: e = s3_xml_versioning_end(c->xml, &word); return word_document(c, e, word);
    case S3_XML_OWNERSHIP: e = s3_xml_ownership_end(c->xml, &word); return word_document(c, e, word);
    case S3_XML_BLOCK: return block_document(c);
    case S3_XML_TAGGING: return s3_xml_tagging_end(c->xml, S3_BUCKET_TAGS_MAX, &c->doc, &tags, &r->fault);
    case S3_XML_CORS: return s3_xml_cors_end(c->xml, &c->doc, &r->fault);
    case S3_XML_LIFECYCLE: return s3_xml_lifecycle_end(c->xml, r->id, &c->doc, &r->fault);
    default: return policy_document(r, c);
    }
}

/* ACLs: off, or no more than what is so without them -------------------------------------------------------------------------------- */

static bool acl_is_public(struct slice canned)
{
    return slice_is(canned, "public-read") || slice_is(canned, "public-read-write") || slice_is(canned, "authenticated-read");
}

/* Every ACL but "the owner may all" needs an engine for ACLs, which the bucket's ownership has switched off, or which is not there yet. */
static enum s3_error acl_refusal(const struct gate_request *r, bool is_public)
{
    const struct policy_bucket *b = config_bucket(r);
    if (is_public && b->block[0]) return S3E_AccessDenied;
    return b->ownership == POLICY_OWNERSHIP_ENFORCED ? S3E_AccessControlListNotSupported : S3E_NotImplemented;
}

static enum s3_error acl_headers(const struct gate_request *r)
{
    static const char *const grants[] = {"x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp"};
    struct slice canned = request_header(r, "x-amz-acl");
    for (size_t i = 0; i < ARRAY_LEN(grants); i++)
        if (request_header(r, grants[i]).p) return acl_refusal(r, false);
    if (!canned.p || slice_is(canned, "private") || slice_is(canned, "bucket-owner-full-control")) return S3E_NONE;
    bool known = acl_is_public(canned) || slice_is(canned, "aws-exec-read") || slice_is(canned, "bucket-owner-read") || slice_is(canned, "log-delivery-write");
    return known ? acl_refusal(r, acl_is_public(canned)) : S3E_InvalidArgument;
}

static void acl_record(struct gate_request *r)
{
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return;
    }
    if (r->op == S3_OP_PutBucketAcl) {
        config_nothing(r);
        return;
    }
    config_cleanup(r);                             /* op_read has the union from here on */
    r->cleanup = NULL;
    op_look_object_acl(r);
}

static enum s3_error acl_document(struct gate_request *r, struct config_job *c)
{
    AUTO(buf) struct buf owner = BUF_INIT(2 * HASH_BYTES);
    bool private_only = false;
    tenants_owner(r->tenant, slice_str(config_bucket(r)->account), &owner, NULL);
    enum s3_error e = s3_xml_acl_end(c->xml, buf_slice(&owner), &private_only);
    return e != S3E_NONE || private_only ? e : acl_refusal(r, false);
}

/* body ------------------------------------------------------------------------------------------------------------------------------ */

/* What the client said of the body is what came; for documents by which others may read, a signed digest of the strong kind said it. */
static enum s3_error config_digest(struct gate_request *r, struct config_job *c)
{
    uint8_t md5[S3_SUM_BYTES_MAX], sum[S3_SUM_BYTES_MAX] = {0}, sha256[S3_SUM_BYTES_MAX];
    bool signed_digest = r->s3.payload == S3_PAYLOAD_SHA256;
    bool strong = signed_digest || (c->body.sum_given && (c->body.sum == S3_SUM_SHA256 || c->body.sum == S3_SUM_SHA512));
    if (c->row->strong && !strong)
        return s3_fault_set(&r->fault, S3E_InvalidRequest, "This configuration needs its body's SHA-256 under the signature (x-amz-content-sha256)");
    if (!signed_digest) {
        enum s3_error e = s3_body_need_digest(&c->body, &r->fault);
        if (e != S3E_NONE) return e;
    }
    if (s3_sums_get(&c->sums, S3_SUM_MD5, md5) != ERR_OK || s3_sums_get(&c->sums, S3_SUM_SHA256, sha256) != ERR_OK) return S3E_InternalError;
    if (c->body.sum == S3_SUM_SHA256) memcpy(sum, sha256, sizeof sum);
    else if (c->body.sum == S3_SUM_MD5) memcpy(sum, md5, sizeof sum);
    else if (c->body.sum != S3_SUM_NONE && s3_sums_get(&c->sums, c->body.sum, sum) != ERR_OK) return S3E_InternalError;
    return s3_body_compare(&c->body, md5, sum, sha256, signed_digest ? r->s3.payload_hash : slice_of(NULL, 0));
}

static void config_body(struct gate_request *r, struct slice data, bool last)
{
    struct config_job *c = r->u.job;
    enum s3_error code = s3_sums_add(&c->sums, data) == ERR_OK ? S3E_NONE : S3E_InternalError;
    if (code == S3E_NONE && c->xml) code = s3_xml_feed(c->xml, data);
    if (!c->xml) buf_put_slice(&c->text, data);
    if (!buf_ok(&c->text)) code = S3E_PolicyTooLarge;
    if (code == S3E_NONE && !last) return;
    if (code == S3E_NONE) code = config_digest(r, c);
    if (code == S3E_NONE && r->bucket->dead) code = S3E_NoSuchBucket;
    bool acl = c->row->xml == S3_XML_ACL;
    if (code == S3E_NONE) code = acl ? acl_document(r, c) : document(r, c);
    if (code == S3E_NONE && !buf_ok(&c->doc)) code = S3E_MalformedXML;
    if (code != S3E_NONE) config_refuse(r, code, NULL);
    else if (acl) acl_record(r);
    else config_record(r);
}

static void config_want_body(struct gate_request *r, struct config_job *c)
{
    enum s3_error code = s3_body_read(r->headers, r->header_count, r->s3.payload, &c->body, &r->fault);
    if (code != S3E_NONE) {
        config_refuse(r, code, NULL);
        return;
    }
    if (c->row->xml != S3_XML__COUNT) c->xml = s3_xml_new(c->row->xml);
    uint32_t want = S3_SUM_BIT(S3_SUM_MD5) | S3_SUM_BIT(S3_SUM_SHA256);
    if (c->body.sum != S3_SUM_NONE) want |= S3_SUM_BIT(c->body.sum);
    c->summing = (c->xml || c->row->xml == S3_XML__COUNT) && s3_sums_init(&c->sums, want) == ERR_OK;
    if (!c->summing) request_fail_code(r, S3E_ServiceUnavailable, NULL);
    else if (r->ask.body_size == 0) config_body(r, slice_of(NULL, 0), true);
    else request_want_body(r, S3_CONTROL_BODY_BYTES_MAX, config_body);
}

void op_config_begin(struct gate_request *r)
{
    const struct config *row = NULL;
    for (size_t i = 0; i < ARRAY_LEN(table) && !row; i++)
        if (table[i].op == r->op) row = &table[i];
    if (!row) {                                    /* known to S3, not here: its code */
        op_look_begin(r);
        return;
    }
    struct config_job *c = calloc(1, sizeof *c);
    if (!c) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    c->row = row;
    buf_init(&c->text, S3_POLICY_BYTES_MAX + 1);
    buf_init(&c->doc, S3_CONFIG_DOC_BYTES_MAX);
    r->u.job = c;
    r->cleanup = config_cleanup;
    if (!row->on) {
        config_record(r);
        return;
    }
    if (row->xml == S3_XML_ACL) {
        enum s3_error code = acl_headers(r);
        if (code != S3E_NONE) {
            config_refuse(r, code, NULL);
            return;
        }
        if (r->ask.body_size == 0) {
            if (!request_header(r, "x-amz-acl").p) config_refuse(r, S3E_MissingSecurityHeader, NULL);   /* it asks for nothing */
            else acl_record(r);
            return;
        }
    }
    config_want_body(r, c);
}
