/* SPDX-License-Identifier: Apache-2.0
 * Acts and the actions that policies are asked for: one act may ask several.
 * Role: between requests and policies. Trusts: the tables.
 * Law: 4. Spec: docs/spec/policy.md section 3; "Required permissions for Amazon S3 API operations".
 */
#include "policy/policy_internal.h"

static const struct policy_act_row rows[POLICY_ACT__COUNT] = {
    {POLICY_LEVEL_SERVICE, POLICY_KIND_READ, POLICY_BY_KEY},
#define S3_OP(level, method, sub, name, action, kind, answer) {POLICY_LEVEL_##level, POLICY_KIND_##kind, POLICY_BY_KEY},
#include "s3/s3_op.def"
#undef S3_OP
#define POLICY_ACT(name, level, who, action) {POLICY_LEVEL_##level, POLICY_KIND_LOOK, POLICY_BY_##who},
#include "policy/policy_act.def"
#undef POLICY_ACT
};

static const char *const actions[POLICY_ASK__COUNT] = {
    "",
#define S3_OP(level, method, sub, name, action, kind, answer) action,
#include "s3/s3_op.def"
#undef S3_OP
#define POLICY_ACT(name, level, who, action) action,
#include "policy/policy_act.def"
#undef POLICY_ACT
#define POLICY_ASK(NAME, action) action,
#include "policy/policy_ask.def"
#undef POLICY_ASK
};

const struct policy_act_row *policy_act_row(enum policy_act a) {
    ASSERT((unsigned)a < POLICY_ACT__COUNT);
    return &rows[a];
}

const char *policy_ask_action(unsigned ask) {
    ASSERT(ask < POLICY_ASK__COUNT);
    return actions[ask];
}

const char *policy_act_action(enum policy_act a) {
    ASSERT((unsigned)a < POLICY_ACT__COUNT);
    return actions[a];
}

/* What is asked when the request names a version. */
static unsigned of_version(enum policy_act act) {
    switch (act) {
    case POLICY_ACT_GetObject:
    case POLICY_ACT_HeadObject:
    case POLICY_ACT_GetObjectPart:
    case POLICY_ACT_HeadObjectPart: return POLICY_ACT_GetObjectVersion;
    case POLICY_ACT_DeleteObject: return POLICY_ACT_DeleteObjectVersion;
    case POLICY_ACT_GetObjectTagging: return POLICY_ASK_GetObjectVersionTagging;
    case POLICY_ACT_PutObjectTagging: return POLICY_ASK_PutObjectVersionTagging;
    case POLICY_ACT_DeleteObjectTagging: return POLICY_ASK_DeleteObjectVersionTagging;
    case POLICY_ACT_GetObjectAcl: return POLICY_ASK_GetObjectVersionAcl;
    case POLICY_ACT_PutObjectAcl: return POLICY_ASK_PutObjectVersionAcl;
    case POLICY_ACT_GetObjectAttributes: return POLICY_ASK_GetObjectVersionAttributes;
    default: return act;
    }
}

static bool makes_object(enum policy_act act) {
    return act == POLICY_ACT_PutObject || act == POLICY_ACT_PostObject || act == POLICY_ACT_CopyObject ||
           act == POLICY_ACT_CreateMultipartUpload;
}

/* "If-Match ... requires s3:GetObject": whoever may not read must not learn an entity tag by trying. */
static bool compares(enum policy_act act) {
    return act == POLICY_ACT_PutObject || act == POLICY_ACT_CopyObject || act == POLICY_ACT_CompleteMultipartUpload ||
           act == POLICY_ACT_DeleteObject || act == POLICY_ACT_DeleteObjectVersion;
}

bool policy_asks_by_ctx(enum policy_act act) { return makes_object(act) || compares(act) || act == POLICY_ACT_CreateBucket; }

static bool gives_acl(struct policy_eval *e) {
    static const enum policy_ctx_id ids[] = {POLICY_CTX_ACL, POLICY_CTX_GRANT_FULL, POLICY_CTX_GRANT_READ, POLICY_CTX_GRANT_READ_ACP,
                                             POLICY_CTX_GRANT_WRITE, POLICY_CTX_GRANT_WRITE_ACP};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        if (policy_ctx_value(e, ids[i]).p != NULL) return true;
    }
    return false;
}

unsigned policy_asks(struct policy_eval *e, unsigned asks[POLICY_ASKS_MAX]) {
    enum policy_act act = e->r->act;
    unsigned n = 0;
    bool version = e->r->version_id.p != NULL;
    asks[n++] = version ? of_version(act) : (unsigned)act;
    if (act == POLICY_ACT_GetObjectAttributes) asks[n++] = version ? POLICY_ACT_GetObjectVersion : POLICY_ACT_GetObject;
    if (makes_object(act)) {
        if (policy_ctx_value(e, POLICY_CTX_TAGGING).n > 0) asks[n++] = POLICY_ACT_PutObjectTagging;
        if (gives_acl(e)) asks[n++] = POLICY_ACT_PutObjectAcl;
    }
    if (act == POLICY_ACT_CreateBucket && gives_acl(e)) asks[n++] = POLICY_ACT_PutBucketAcl;
    if (compares(act) && policy_ctx_value(e, POLICY_CTX_IF_MATCH).p != NULL) asks[n++] = POLICY_ACT_GetObject;
    ASSERT(n <= POLICY_ASKS_MAX);
    return n;
}
