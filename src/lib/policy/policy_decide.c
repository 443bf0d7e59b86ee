/* SPDX-License-Identifier: Apache-2.0
 * The decision: a function of state and request, nothing else; and the same decision again from a recorded leaf.
 * Role: second half of policy. Trusts: state and proven caller. Distrusts: every name in the request.
 * Law: 4. Spec: docs/spec/policy.md section 3. Changing what comes out here is a new POLICY_ENGINE_VERSION.
 */
#include "policy/policy_internal.h"

enum act_level { LEVEL_SERVICE, LEVEL_BUCKET, LEVEL_OBJECT };
enum act_kind { KIND_READ, KIND_WRITE, KIND_LIST, KIND_LOOK, KIND_CONFIG };
enum act_who { WHO_KEY, WHO_OWNER, WHO_AUTO };

static const struct {
    enum act_level level;
    enum act_kind kind;
    enum act_who who;
} rows[POLICY_ACT__COUNT] = {
    {LEVEL_SERVICE, KIND_READ, WHO_KEY},
#define S3_OP(level, method, sub, name, action, kind, answer) {LEVEL_##level, KIND_##kind, WHO_KEY},
#include "s3/s3_op.def"
#undef S3_OP
#define POLICY_ACT(name, level, who) {LEVEL_##level, KIND_READ, WHO_##who},
#include "policy/policy_act.def"
#undef POLICY_ACT
};

/* May this caller act at all? POLICY_ALLOWED: go on to the bucket. */
static enum policy_reason caller(const struct policy_state *s, const struct policy_request *r) {
    enum act_who who = rows[r->act].who;
    switch (r->auth) {
    case POLICY_AUTH_ANON: return POLICY_ANONYMOUS;
    case POLICY_AUTH_AUTO: return who == WHO_AUTO ? POLICY_ALLOWED : POLICY_NOT_FOR_AUTO;
    case POLICY_AUTH_STMT:
        if (!policy_is_owner(s, r->who.fingerprint)) return POLICY_NOT_OWNER;
        return who == WHO_OWNER ? POLICY_ALLOWED : POLICY_NOT_FOR_STMT;
    case POLICY_AUTH_HDR:
    case POLICY_AUTH_QRY: break;
    case POLICY_AUTH__COUNT: return POLICY_ANONYMOUS;
    }
    const struct policy_key *k = policy_key(s, r->who.access_key);
    if (k == NULL) return POLICY_UNKNOWN_KEY;
    if (!k->on) return POLICY_KEY_OFF;
    if (!slice_is(r->who.account, k->account) || !slice_is(r->who.user, POLICY_USER_ROOT)) return POLICY_OTHER_PRINCIPAL;
    return who == WHO_AUTO ? POLICY_ONLY_AUTO : POLICY_ALLOWED;
}

/* A statement of an owner's speaks for the first account. */
static bool is_account(const struct policy_state *s, const struct policy_request *r, const char *account) {
    return r->auth == POLICY_AUTH_STMT ? strcmp(s->account, account) == 0 : slice_is(r->who.account, account);
}

static enum policy_reason bucket_rules(const struct policy_state *s, const struct policy_request *r,
                                       const struct policy_bucket *b) {
    if (r->act == POLICY_ACT_CreateBucket) {
        if (b != NULL) return is_account(s, r, b->account) ? POLICY_BUCKET_OWNED : POLICY_BUCKET_TAKEN;
        return s->bucket_count >= S3_BUCKETS_PER_TENANT_MAX ? POLICY_BUCKETS_MAX : POLICY_ALLOWED;
    }
    if (b == NULL) return POLICY_NO_BUCKET;
    if (!is_account(s, r, s->account) && !is_account(s, r, b->account)) return POLICY_OTHER_ACCOUNT;
    bool unsigned_body = r->body == POLICY_BODY_UNS || r->body == POLICY_BODY_UNST;
    if (b->require_signed_payload && rows[r->act].kind == KIND_WRITE && unsigned_body) return POLICY_UNSIGNED_BODY;
    return POLICY_ALLOWED;
}

struct policy_decision policy_decide(const struct policy_state *s, const struct policy_request *r) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    struct policy_decision d = {.reason = POLICY_UNKNOWN_ACT, .engine = POLICY_ENGINE_VERSION, .ctl = s->size};
    if (!s->founded) {
        d.reason = POLICY_NOT_FOUNDED;
        return d;
    }
    if (r->act == POLICY_ACT_NONE || (unsigned)r->act >= POLICY_ACT__COUNT) return d;
    d.reason = caller(s, r);
    /* Whether a bucket is there is told to none but proven callers. */
    if (d.reason == POLICY_ALLOWED && rows[r->act].level != LEVEL_SERVICE) {
        d.bucket = policy_bucket(s, r->bucket);
        d.reason = bucket_rules(s, r, d.bucket);
    }
    d.allow = d.reason == POLICY_ALLOWED;
    return d;
}

/* replay --------------------------------------------------------------------------------------------------------------- */

static enum err value_of(const struct record_leaf *leaf, const struct record_opening *opening, enum record_field f,
                         struct slice *out) {
    *out = slice_of(NULL, 0);
    const struct record_opened *o = opening == NULL ? NULL : record_opened_field(opening, f);
    if (!record_has(leaf, f) || o == NULL) return ERR_MISSING;
    *out = o->value;
    return ERR_OK;
}

enum err policy_request_of(const struct record_leaf *leaf, const struct record_opening *opening,
                           struct policy_request *out) {
    *out = (struct policy_request){0};
    struct slice who, obj;
    if (leaf->kind != RECORD_K_ACC && leaf->kind != RECORD_K_BKT) return ERR_INPUT;
    TRY(policy_auth_parse(record_text(leaf, RECORD_F_AUTH), &out->auth));
    TRY(value_of(leaf, opening, RECORD_F_WHO, &who));
    TRY(policy_who_parse(out->auth, who, &out->who));
    out->act = policy_act_of(record_text(leaf, RECORD_F_ACT));
    if (leaf->kind == RECORD_K_BKT) {
        TRY(value_of(leaf, opening, RECORD_F_NAME, &out->bucket));
    } else {
        struct record_obj o;
        TRY(value_of(leaf, opening, RECORD_F_OBJ, &obj));
        TRY(record_obj_get(obj, &o));
        out->bucket = o.bucket;
        out->key = o.key;
    }
    if (record_has(leaf, RECORD_F_BODY)) TRY(policy_body_parse(record_text(leaf, RECORD_F_BODY), &out->body));
    /* An erased address does not stop replay: no rule of this engine looks at it. */
    if (value_of(leaf, opening, RECORD_F_PEER, &out->peer) != ERR_OK) out->peer = slice_of(NULL, 0);
    out->tls = record_int(leaf, RECORD_F_TLS, 0) == 1;
    out->t_ms = record_int(leaf, RECORD_F_T, 0);
    return ERR_OK;
}

enum err policy_check(const struct policy_state *s, const struct record_leaf *leaf, const struct record_opening *opening,
                      struct policy_decision *out) {
    struct policy_request r;
    *out = (struct policy_decision){0};
    TRY(policy_request_of(leaf, opening, &r));
    if (record_int(leaf, RECORD_F_ENG, 0) != POLICY_ENGINE_VERSION) return ERR_VERSION;
    if (record_int(leaf, RECORD_F_CTL, UINT64_MAX) != s->size) return ERR_RANGE;
    *out = policy_decide(s, &r);
    struct slice dec = record_text(leaf, RECORD_F_DEC);
    if (!slice_is(dec, out->allow ? "allow" : "deny")) return ERR_VERIFY;
    if (!out->allow) {
        if (!slice_is(record_text(leaf, RECORD_F_WHY), policy_reason_text(out->reason))) return ERR_VERIFY;
        /* What was denied has no effect. */
        if (leaf->kind == RECORD_K_BKT || record_int(leaf, RECORD_F_W, 0) != 0) return ERR_VERIFY;
    }
    /* The same name may have been another bucket: an access record's id must be the bucket decided on. */
    if (leaf->kind == RECORD_K_ACC && record_has(leaf, RECORD_F_BKT)) {
        if (out->bucket == NULL || memcmp(out->bucket->id, leaf->f[RECORD_F_BKT].bytes, ID_BYTES) != 0) return ERR_VERIFY;
    }
    return ERR_OK;
}
