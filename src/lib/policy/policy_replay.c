/* SPDX-License-Identifier: Apache-2.0
 * The same decision again, from a recorded leaf.
 * Role: the verifier's side of policy. Trusts: checked openings. Distrusts: what the leaf says was decided.
 * Law: 4. Spec: docs/spec/policy.md sections 2 and 6.
 */
#include "policy/policy_access_internal.h"

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

/* A denied release says what it would have opened; a decision before that was known has no `bytes`. */
static enum err under_grant(const struct record_leaf *leaf, struct policy_request *out) {
    if (leaf->kind != RECORD_K_ACC || !record_has(leaf, RECORD_F_GRANT)) return ERR_INPUT;
    memcpy(out->grant, leaf->f[RECORD_F_GRANT].bytes, ID_BYTES);
    out->opens_known = record_has(leaf, RECORD_F_BYTES);
    out->opens = record_int(leaf, RECORD_F_BYTES, 0);
    out->goes_on = record_has(leaf, RECORD_F_REF);
    return ERR_OK;
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
    return out->auth == POLICY_AUTH_STS ? under_grant(leaf, out) : ERR_OK;
}

/* Engine 3 is engine 2 with grants: of everybody else's requests both say the same. */
static bool engine_known(const struct record_leaf *leaf, enum policy_auth auth) {
    uint64_t eng = record_int(leaf, RECORD_F_ENG, 0);
    return eng == POLICY_ENGINE_VERSION || (eng == 2 && auth != POLICY_AUTH_STS);
}

/* ERASED values say nothing any more, and nothing wrong. */
static bool opened_is(const struct record_leaf *leaf, const struct record_opening *opening, enum record_field f, const char *want, bool required) {
    if (!record_has(leaf, f)) return !required;
    const struct record_opened *o = record_opened_field(opening, f);
    return o == NULL || slice_is(o->value, want);
}

static bool text_is(const struct record_leaf *leaf, enum record_field f, struct slice want, bool required) {
    return record_has(leaf, f) ? slice_eq(record_text(leaf, f), want) : !required;
}

/* The listing that was made is the one that was decided: `qry` says what was listed, `ctx` what was asked. */
static bool listed_is(const struct record_leaf *leaf, const struct record_opening *opening, const struct policy_request *r) {
    struct record_qry q;
    const struct record_opened *o = record_has(leaf, RECORD_F_QRY) ? record_opened_field(opening, RECORD_F_QRY) : NULL;
    return o == NULL || (record_qry_get(o->value, &q) == ERR_OK && slice_eq(q.prefix, policy_use_prefix(r)));
}

/* Who it was, for whom, why and what lies there, as the customer reads it: what was allowed says all of it. */
static enum err says_who(const struct policy_state *s, const struct record_leaf *leaf, const struct record_opening *opening, const struct policy_request *r,
                         const struct policy_decision *d) {
    struct policy_use use;
    if (record_int(leaf, RECORD_F_W, 0) != 0) return ERR_VERIFY; /* a grant is for reading */
    if (!policy_use_of(s, r, &use)) return d->allow ? ERR_VERIFY : ERR_OK;
    bool ok = opened_is(leaf, opening, RECORD_F_PERSON, use.person->person, d->allow) &&
              opened_is(leaf, opening, RECORD_F_ENT, use.person->employer, d->allow) &&
              text_is(leaf, RECORD_F_PURPOSE, slice_str(use.grant->purpose), d->allow) &&
              text_is(leaf, RECORD_F_CTRY, slice_str(use.grant->country), d->allow);
    if (d->bucket != NULL) ok = ok && text_is(leaf, RECORD_F_CAT, policy_bucket_categories(s, d->bucket->id), d->allow);
    return ok && listed_is(leaf, opening, r) ? ERR_OK : ERR_VERIFY;
}

enum err policy_check(const struct policy_state *s, const struct record_leaf *leaf, const struct record_opening *opening,
                      struct policy_decision *out) {
    struct policy_request r;
    struct policy_eval e;
    *out = (struct policy_decision){0};
    TRY(policy_request_of(leaf, opening, &r));
    if (!engine_known(leaf, r.auth)) return ERR_VERSION;
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
    if (r.auth == POLICY_AUTH_STS) TRY(says_who(s, leaf, opening, &r, out));
    /* The same name may have been another bucket: the leaf's id must be the bucket decided on. */
    bool named = leaf->kind == RECORD_K_ACC || leaf->kind == RECORD_K_CFG;
    if (named && record_has(leaf, RECORD_F_BKT)) {
        if (out->bucket == NULL || memcmp(out->bucket->id, leaf->f[RECORD_F_BKT].bytes, ID_BYTES) != 0) return ERR_VERIFY;
    }
    return ERR_OK;
}
