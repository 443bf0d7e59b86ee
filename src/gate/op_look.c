/* SPDX-License-Identifier: Apache-2.0
 * op_look: answers what is configuration, or has no way of its own: a bucket's documents, the list of buckets, and the code that says that
 * there is none.
 * Role: decided -> answer made from the state it was decided under -> leaf -> durable -> answer. Trusts: policy's fold. Distrusts: parameters.
 * Law: 1, 4 (what is answered is the control log's state at the leaf's `ctl`), 5. Spec: docs/spec/order.md section 3.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gate/request.h"
#include "s3/s3_config.h"

#define BUCKETS_XML_BYTES_MAX (4 * 1024 * 1024)

/* the list of buckets ---------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct policy_bucket *const *)a)->name, (*(const struct policy_bucket *const *)b)->name);
}

/* A caller's own: another account's buckets are not its business, be they of the same tenant. */
static const struct policy_bucket **own_buckets(const struct gate_request *r, size_t *count)
{
    const struct gate_key *k = verified_key(r->verified);
    const struct policy_state *s = r->tenant->state;
    const struct policy_bucket **all = calloc((size_t)s->bucket_count + 1, sizeof(const struct policy_bucket *));
    size_t cursor = 0;
    ASSERT(all);
    *count = 0;
    for (const struct policy_bucket *b; k && (b = policy_bucket_next(s, &cursor));)
        if (slice_is(slice_str(b->account), k->account) && b->name[0]) all[(*count)++] = b;
    qsort(all, *count, sizeof(const struct policy_bucket *), by_name);
    return all;
}

static enum s3_error put_buckets(struct gate_request *r, struct buf *out)
{
    struct s3_buckets_args a;
    enum s3_error e = s3_buckets_args(r->s3.params, r->s3.param_count, &a, &r->fault);
    if (e != S3E_NONE) return e;
    const struct gate_key *k = verified_key(r->verified);
    size_t count, shown = 0;
    const struct policy_bucket **all = own_buckets(r, &count);
    struct slice next = slice_of(NULL, 0);
    bool elsewhere = a.region.n && !slice_is(a.region, r->gate->region);
    AUTO(buf) struct buf after = BUF_INIT(S3_BUCKET_CHARS_MAX);
    AUTO(buf) struct buf token = BUF_INIT(128);
    AUTO(buf) struct buf id = BUF_INIT(2 * HASH_BYTES);
    if (a.token.n && (s3_token_decode(a.token, &after) != S3E_NONE || !buf_ok(&after))) buf_reset(&after);
    tenants_owner(r->tenant, slice_str(k ? k->account : r->tenant->account), &id, NULL);
    s3_buckets_begin(out, buf_slice(&id));
    for (size_t i = 0; i < count && !elsewhere; i++) {
        struct slice bucket = slice_str(all[i]->name);
        if (a.prefix.n && !slice_starts(bucket, a.prefix)) continue;
        if (after.n && slice_cmp(bucket, buf_slice(&after)) <= 0) continue;
        if (a.paged && shown == a.max_buckets) {
            next = buf_slice(&token);
            break;
        }
        s3_buckets_row(out, bucket, all[i]->created_ms, a.paged ? slice_str(r->gate->region) : slice_of(NULL, 0));
        shown++;
        buf_reset(&token);
        buf_put_base64url(&token, bucket);         /* names are no secret from their own tenant: the token needs no seal */
    }
    s3_buckets_end(out, a.prefix, next);
    free(all);
    return S3E_NONE;
}

/* documents -------------------------------------------------------------------------------------------------------------------- */

static const char *versioning_word(const struct policy_bucket *b)
{
    return b->versioning == POLICY_VERSIONING_ENABLED ? "Enabled" : b->versioning == POLICY_VERSIONING_SUSPENDED ? "Suspended" : NULL;
}

static void put_acl(const struct gate_request *r, struct slice account, struct buf *out)
{
    AUTO(buf) struct buf id = BUF_INIT(2 * HASH_BYTES);
    AUTO(buf) struct buf name = BUF_INIT(ACCOUNT_CHARS);
    tenants_owner(r->tenant, account, &id, &name);
    s3_acl_xml(out, &(struct s3_owner){.id = buf_slice(&id), .name = buf_slice(&name)});
}

/* Those that may be absent: the document, and the code when there is none. */
static const struct {
    enum s3_op op;
    enum policy_doc_kind doc;
    enum s3_error absent;
} documents[] = {
    {S3_OP_GetBucketPolicy, POLICY_DOC_POLICY, S3E_NoSuchBucketPolicy},
    {S3_OP_GetBucketOwnershipControls, POLICY_DOC_OWNERSHIP, S3E_OwnershipControlsNotFoundError},
    {S3_OP_GetPublicAccessBlock, POLICY_DOC_BLOCK, S3E_NoSuchPublicAccessBlockConfiguration},
    {S3_OP_GetBucketTagging, POLICY_DOC_TAGGING, S3E_NoSuchTagSet},
    {S3_OP_GetBucketCors, POLICY_DOC_CORS, S3E_NoSuchCORSConfiguration},
    {S3_OP_GetBucketLifecycleConfiguration, POLICY_DOC_LIFECYCLE, S3E_NoSuchLifecycleConfiguration},
};

static enum s3_error put_document(const struct policy_bucket *b, size_t at, struct buf *out)
{
    struct slice doc = policy_bucket_doc(b, documents[at].doc);
    if (!doc.p || !doc.n) return documents[at].absent;
    char word[CONF_TEXT_MAX];
    switch (documents[at].doc) {
    case POLICY_DOC_OWNERSHIP:
        snprintf(word, sizeof word, "%.*s", (int)MIN(doc.n, sizeof word - 1), (const char *)doc.p);
        s3_ownership_xml(out, word);
        break;
    case POLICY_DOC_BLOCK: s3_block_xml(out, b->block); break;
    case POLICY_DOC_TAGGING: s3_tagging_xml(out, doc); break;
    default: buf_put_slice(out, doc); break;
    }
    return S3E_NONE;
}

/* The answer's body, as the state is now. */
static enum s3_error look_put(struct gate_request *r, struct buf *out)
{
    const struct policy_bucket *b = r->bucket ? policy_bucket_of_id(r->tenant->state, r->bucket->id) : NULL;
    ASSERT(!r->bucket || b);                       /* LAW-4: decided on this state, where the bucket is */
    for (size_t i = 0; i < ARRAY_LEN(documents); i++)
        if (documents[i].op == r->op) return put_document(b, i, out);
    switch (r->op) {
    case S3_OP_ListBuckets: return put_buckets(r, out);
    case S3_OP_GetBucketLocation: s3_location_xml(out, slice_str(r->gate->region)); break;
    case S3_OP_GetBucketVersioning: s3_versioning_xml(out, versioning_word(b)); break;
    case S3_OP_GetBucketPolicyStatus: s3_policy_status_xml(out, b->is_public); break;
    case S3_OP_GetBucketAcl: put_acl(r, slice_str(b->account), out); break;
    case S3_OP_GetBucketEncryption: s3_encryption_xml(out); break;
    case S3_OP_GetBucketAccelerateConfiguration: s3_accelerate_xml(out); break;
    case S3_OP_GetBucketRequestPayment: s3_request_payment_xml(out); break;
    case S3_OP_GetBucketLogging: s3_logging_xml(out); break;
    case S3_OP_GetBucketNotificationConfiguration: s3_notification_xml(out); break;
    default: return s3_op_row(r->op)->answer;      /* HeadBucket: NONE, without a body */
    }
    return S3E_NONE;
}

/* the way ------------------------------------------------------------------------------------------------------------------------ */

static void look_cleanup(struct gate_request *r)
{
    struct buf *out = r->u.job;
    if (out) buf_done(out);
    free(out);
    r->u.job = NULL;
}

static void look_durable(struct gate_request *r, const struct recorded *rec)
{
    const struct buf *out = r->u.job;
    buf_reset(&r->headers_out);
    if (r->op == S3_OP_HeadBucket) request_put_header(r, "x-amz-bucket-region", slice_str(r->gate->region));
    else if (out->n) request_put_header(r, "Content-Type", r->op == S3_OP_GetBucketPolicy ? SLICE_LIT("application/json") : SLICE_LIT("application/xml"));
    request_answer(r, rec, 200, buf_slice(out));
}

static void look_refused(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }

/* An object's ACL says one thing: its owner has all rights. That it is there is a read of it. */
static void acl_durable(struct gate_request *r, const struct recorded *rec)
{
    AUTO(buf) struct buf xml = BUF_INIT(4096);
    if (r->op == S3_OP_GetObjectAcl) {
        const struct policy_bucket *b = policy_bucket_of_id(r->tenant->state, r->bucket->id);
        struct slice writer = slice_of(r->u.get.entry.facts.account, ACCOUNT_CHARS);
        bool enforced = !b || b->ownership == POLICY_OWNERSHIP_ENFORCED || !writer.p[0];
        put_acl(r, enforced ? slice_str(b ? b->account : r->tenant->account) : writer, &xml);
        request_put_header(r, "Content-Type", SLICE_LIT("application/xml"));
    }
    request_put_version(r, &r->u.get.entry);
    request_answer(r, rec, 200, buf_slice(&xml));
}

static void acl_got(struct gate_request *r)
{
    if (!request_may_record(r, false)) return;
    struct leaf_says says = {.has_ver = true, .ver = r->u.get.entry.index, .rev = r->u.get.entry.revision};
    step_record_or_fail(r, &says, NULL, acl_durable);
}

void op_look_object_acl(struct gate_request *r) { op_read(r, acl_got); }

/* Everything without a way of its own: what is in memory, and the code that says it is not here. */
void op_look_begin(struct gate_request *r)
{
    if (r->op == S3_OP_GetObjectAcl) {
        op_look_object_acl(r);
        return;
    }
    struct buf *out = calloc(1, sizeof *out);
    if (!out) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    buf_init(out, BUCKETS_XML_BYTES_MAX);
    r->u.job = out;
    r->cleanup = look_cleanup;
    enum s3_error answer = look_put(r, out);
    if (answer == S3E_NONE && !buf_ok(out)) answer = S3E_InternalError;
    if (!request_may_record(r, false)) return;
    if (answer != S3E_NONE && r->fault.code == S3E_NONE) s3_fault_set(&r->fault, answer, NULL);
    struct leaf_says says = {.why = answer == S3E_NONE ? NULL : s3_error_code(answer)};
    step_record_or_fail(r, &says, NULL, answer == S3E_NONE ? look_durable : look_refused);
}
