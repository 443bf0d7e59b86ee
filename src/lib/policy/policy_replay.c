/* SPDX-License-Identifier: Apache-2.0
 * The same decision again, from a recorded leaf.
 * Role: the verifier's side of policy. Trusts: checked openings. Distrusts: what the leaf says was decided.
 * Law: 4. Spec: docs/spec/policy.md sections 2 and 6.
 */
#include "policy/policy_internal.h"

static enum err value_of(const struct record_leaf *leaf, const struct record_opening *opening, enum record_field f,
                         struct slice *out) {
    *out = slice_of(NULL, 0);
    const struct record_opened *o = opening == NULL ? NULL : record_opened_field(opening, f);
    if (!record_has(leaf, f) || o == NULL) return ERR_MISSING;
    *out = o->value;
    return ERR_OK;
}

/* A field that need not be there, but must be open when it is. */
static enum err value_if(const struct record_leaf *leaf, const struct record_opening *opening, enum record_field f,
                         struct slice *out) {
    *out = slice_of(NULL, 0);
    return record_has(leaf, f) ? value_of(leaf, opening, f, out) : ERR_OK;
}

/* Every kind says in its own field what the request is about. */
static enum err about(const struct record_leaf *leaf, const struct record_opening *opening, struct policy_request *out) {
    struct slice value, sub;
    struct record_obj o;
    if (leaf->kind == RECORD_K_BKT || leaf->kind == RECORD_K_CFG) return value_of(leaf, opening, RECORD_F_NAME, &out->bucket);
    if (leaf->kind == RECORD_K_ACC) {
        TRY(value_of(leaf, opening, RECORD_F_OBJ, &value));
        TRY(record_obj_get(value, &o));
        out->bucket = o.bucket;
        out->key = o.key;
    }
    TRY(value_if(leaf, opening, RECORD_F_SUB, &sub));
    return sub.p == NULL ? ERR_OK : record_sub_get(sub, &out->sub);
}

/* The request that a leaf records. */
enum err policy_request_of(const struct record_leaf *leaf, const struct record_opening *opening, struct policy_request *out) {
    *out = (struct policy_request){0};
    struct slice who;
    bool request = leaf->kind == RECORD_K_ACC || leaf->kind == RECORD_K_BKT || leaf->kind == RECORD_K_CFG || leaf->kind == RECORD_K_IAM;
    if (!request) return ERR_INPUT;
    TRY(policy_auth_parse(record_text(leaf, RECORD_F_AUTH), &out->auth));
    TRY(value_of(leaf, opening, RECORD_F_WHO, &who));
    TRY(policy_who_parse(out->auth, who, &out->who));
    out->act = policy_act_of(record_text(leaf, RECORD_F_ACT));
    TRY(about(leaf, opening, out));
    TRY(value_if(leaf, opening, RECORD_F_VID, &out->version_id));
    TRY(value_if(leaf, opening, RECORD_F_CTX, &out->ctx));
    if (record_has(leaf, RECORD_F_BODY)) TRY(policy_body_parse(record_text(leaf, RECORD_F_BODY), &out->body));
    /* An erased address stops replay only where a policy asks for it. */
    if (value_of(leaf, opening, RECORD_F_PEER, &out->peer) != ERR_OK) out->peer = slice_of(NULL, 0);
    out->tls = record_int(leaf, RECORD_F_TLS, 0) == 1;
    out->t_ms = record_int(leaf, RECORD_F_T, 0);
    /* The leaf stands after FIND. A decision that did not wait for it is the same with what it found. */
    out->object_known = true;
    return ERR_OK;
}

enum err policy_check(const struct policy_state *s, const struct record_leaf *leaf, const struct record_opening *opening,
                      struct policy_decision *out) {
    struct policy_request r;
    struct policy_eval e;
    *out = (struct policy_decision){0};
    TRY(policy_request_of(leaf, opening, &r));
    if (record_int(leaf, RECORD_F_ENG, 0) != POLICY_ENGINE_VERSION) return ERR_VERSION;
    if (record_int(leaf, RECORD_F_CTL, UINT64_MAX) != s->size) return ERR_RANGE;
    *out = policy_decide_in(&e, s, &r);
    if (e.missing) return ERR_MISSING;
    struct slice dec = record_text(leaf, RECORD_F_DEC);
    if (!slice_is(dec, out->allow ? "allow" : "deny")) return ERR_VERIFY;
    if (!out->allow) {
        if (!slice_is(record_text(leaf, RECORD_F_WHY), policy_reason_text(out->reason))) return ERR_VERIFY;
        /* What was denied has no effect. */
        if (leaf->kind != RECORD_K_ACC || record_int(leaf, RECORD_F_W, 0) != 0) return ERR_VERIFY;
    }
    /* The same name may have been another bucket: the leaf's id must be the bucket decided on. */
    bool named = leaf->kind == RECORD_K_ACC || leaf->kind == RECORD_K_CFG;
    if (named && record_has(leaf, RECORD_F_BKT)) {
        if (out->bucket == NULL || memcmp(out->bucket->id, leaf->f[RECORD_F_BKT].bytes, ID_BYTES) != 0) return ERR_VERIFY;
    }
    return ERR_OK;
}
