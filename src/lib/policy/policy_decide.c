/* SPDX-License-Identifier: Apache-2.0
 * The decision: a function of state and request, nothing else.
 * Role: the second half of policy. Trusts: state and proven caller. Distrusts: every name in the request.
 * Law: 4. Spec: docs/spec/policy.md section 3. Changing what comes out here is a new POLICY_ENGINE_VERSION.
 */
#include "policy/policy_access_internal.h"

#define RESOURCE_BYTES_MAX (sizeof "arn:aws:s3:::/" + S3_BUCKET_CHARS_MAX + S3_KEY_BYTES_MAX)
#define IAM_RESOURCE_BYTES_MAX (POLICY_ARN_BYTES_MAX + POLICY_PATH_CHARS_MAX)

/* May this caller act at all? POLICY_ALLOWED: go on; e says who it is. */
static enum policy_reason caller(struct policy_eval *e) {
    const struct policy_state *s = e->s;
    const struct policy_request *r = e->r;
    enum policy_by by = policy_act_row(r->act)->by;
    switch (r->auth) {
    case POLICY_AUTH_ANON: return by == POLICY_BY_AUTO || by == POLICY_BY_OWNER || by == POLICY_BY_IAM ? POLICY_ANONYMOUS : POLICY_ALLOWED;
    case POLICY_AUTH_AUTO: return by == POLICY_BY_AUTO ? POLICY_ALLOWED : POLICY_NOT_FOR_AUTO;
    case POLICY_AUTH_STMT:
        if (!policy_is_owner(s, r->who.fingerprint)) return POLICY_NOT_OWNER;
        return by == POLICY_BY_OWNER ? POLICY_ALLOWED : POLICY_NOT_FOR_STMT;
    case POLICY_AUTH_HDR:
    case POLICY_AUTH_QRY:
    case POLICY_AUTH_FORM: break;
    case POLICY_AUTH_STS: return POLICY_NO_GRANT; /* a grant decides: policy_use.c */
    case POLICY_AUTH__COUNT: return POLICY_ANONYMOUS;
    }
    const struct policy_key *k = policy_key(s, r->who.access_key);
    if (k == NULL) return POLICY_UNKNOWN_KEY;
    if (!k->on) return POLICY_KEY_OFF;
    if (!slice_is(r->who.account, k->account) || !slice_is(r->who.user, k->user)) return POLICY_OTHER_PRINCIPAL;
    e->proven = true;
    e->root = slice_is(r->who.user, POLICY_USER_ROOT);
    if (!e->root) {
        e->user = policy_user(s, r->who.account, r->who.user);
        ASSERT(e->user != NULL); /* a user with keys is not deleted */
    }
    if (by == POLICY_BY_OWNER && !(e->root && slice_is(r->who.account, s->account))) return POLICY_NOT_OWNER;
    return by == POLICY_BY_AUTO ? POLICY_ONLY_AUTO : POLICY_ALLOWED;
}

/* Acts that are decided here, without policies. */
static bool needs_no_policy(const struct policy_eval *e) {
    enum policy_act act = e->r->act;
    enum policy_by by = policy_act_row(act)->by;
    if (by == POLICY_BY_OWNER || by == POLICY_BY_AUTO || by == POLICY_BY_SELF) return true;
    if (act == POLICY_ACT_BucketPreflight || act == POLICY_ACT_ObjectPreflight) return true;
    /* Which call it is, the body says: that one is decided. */
    if (act == POLICY_ACT_IamOrSts) return true;
    /* Each item of it is decided as a delete of its own. */
    if (act == POLICY_ACT_DeleteObjects) return e->proven || e->bucket->is_public;
    bool bucket_policy = act == POLICY_ACT_GetBucketPolicy || act == POLICY_ACT_PutBucketPolicy || act == POLICY_ACT_DeleteBucketPolicy;
    return bucket_policy && e->root && e->own;
}

static bool is_preflight(enum policy_act act) {
    return act == POLICY_ACT_BucketPreflight || act == POLICY_ACT_ObjectPreflight;
}

/* resources ----------------------------------------------------------------------------------------------------------------- */

static void put(char *to, size_t max, size_t *n, struct slice text) {
    size_t take = MIN(text.n, max - *n); /* a name longer than any that can be there is looked at as far as those go */
    if (take > 0) memcpy(to + *n, text.p, take);
    *n += take;
}

static struct slice s3_resource(const struct policy_request *r, bool with_key, char out[RESOURCE_BYTES_MAX]) {
    size_t n = 0;
    bool service = policy_act_row(r->act)->level == POLICY_LEVEL_SERVICE;
    put(out, RESOURCE_BYTES_MAX, &n, SLICE_LIT("arn:aws:s3:::"));
    put(out, RESOURCE_BYTES_MAX, &n, service ? SLICE_LIT("*") : r->bucket);
    if (with_key) {
        put(out, RESOURCE_BYTES_MAX, &n, SLICE_LIT("/"));
        put(out, RESOURCE_BYTES_MAX, &n, r->key);
    }
    return slice_of(out, n);
}

/* The user an IAM call is about. Of one that is not there the path is the root: only those who may act on all can ask. */
static struct slice iam_resource(const struct policy_eval *e, char out[IAM_RESOURCE_BYTES_MAX]) {
    const struct policy_request *r = e->r;
    const struct policy_user *u = policy_user(e->s, r->who.account, r->sub.user);
    struct slice path = u != NULL ? slice_str(u->path) : SLICE_LIT("/");
    bool create = r->act == POLICY_ACT_CreateUser || r->act == POLICY_ACT_ListUsers;
    if (u == NULL && create && r->sub.more.n > 0) path = r->sub.more;
    size_t n = 0;
    put(out, IAM_RESOURCE_BYTES_MAX, &n, SLICE_LIT("arn:aws:iam::"));
    put(out, IAM_RESOURCE_BYTES_MAX, &n, r->who.account);
    if (slice_is(r->sub.user, POLICY_USER_ROOT)) {
        put(out, IAM_RESOURCE_BYTES_MAX, &n, SLICE_LIT(":root"));
        return slice_of(out, n);
    }
    put(out, IAM_RESOURCE_BYTES_MAX, &n, SLICE_LIT(":user"));
    put(out, IAM_RESOURCE_BYTES_MAX, &n, path);
    put(out, IAM_RESOURCE_BYTES_MAX, &n, u != NULL ? slice_str(u->name) : r->sub.user);
    return slice_of(out, n);
}

/* one action on one resource -------------------------------------------------------------------------------------------------- */

enum outcome { OUT_ALLOW, OUT_MAYBE, OUT_DENY, OUT_NOTHING };

static enum policy_met either(enum policy_met a, enum policy_met b) {
    if (a == POLICY_YES || b == POLICY_YES) return POLICY_YES;
    return a == POLICY_MAYBE || b == POLICY_MAYBE ? POLICY_MAYBE : POLICY_NO;
}

static enum policy_met both(enum policy_met a, enum policy_met b) {
    if (a == POLICY_NO || b == POLICY_NO) return POLICY_NO;
    return a == POLICY_MAYBE || b == POLICY_MAYBE ? POLICY_MAYBE : POLICY_YES;
}

static bool reads_object(const struct policy_eval *e) {
    const struct policy_act_row *row = policy_act_row(e->r->act);
    return row->level == POLICY_LEVEL_OBJECT && row->kind == POLICY_KIND_READ; /* acts that are no S3 operation read nothing */
}

/* Where objects are their writers', a writer's account reads what it wrote. */
static enum policy_met is_writer(struct policy_eval *e) {
    if (e->listing || e->bucket->ownership != POLICY_OWNERSHIP_WRITER || !reads_object(e)) return POLICY_NO;
    if (!e->r->object_known) return POLICY_MAYBE;
    return slice_eq(policy_ctx_value(e, POLICY_CTX_OWNER), e->r->who.account) ? POLICY_YES : POLICY_NO;
}

/* A public policy of a bucket that restricts public policies counts for its own account only. */
static bool restricted(const struct policy_eval *e) { return e->bucket->block[3] && e->bucket->is_public && !e->own; }

/* A policy that the customer had erased: it is not known what it said, so it denies. */
static void unknown(struct policy_eval *e, struct policy_verdict *v) {
    v->deny = POLICY_YES;
    e->missing = true;
}

static enum outcome ask_policies(struct policy_eval *e, unsigned ask, struct slice resource) {
    struct policy_verdict own = {POLICY_NO, POLICY_NO}, of_bucket = own;
    if (e->user != NULL) {
        if (e->user->unknown) unknown(e, &own);
        for (size_t i = 0; i < e->user->policy_count; i++) {
            const struct policy_doc *d = e->user->policies[i].doc;
            if (d != NULL) policy_doc_says(e, d, true, ask, resource, &own);
            else unknown(e, &own);
        }
    }
    const struct policy_doc *d = e->bucket == NULL ? NULL : e->bucket->policy;
    if (e->bucket != NULL && e->bucket->erased[POLICY_DOC_POLICY]) unknown(e, &of_bucket);
    if (d != NULL) policy_doc_says(e, d, false, ask, resource, &of_bucket);
    if (d != NULL && restricted(e)) of_bucket.allow = POLICY_NO;
    if (e->root) own.allow = POLICY_YES;
    enum policy_met allow;
    if (e->own) allow = either(own.allow, of_bucket.allow);
    else if (!e->proven) allow = of_bucket.allow;
    else allow = both(own.allow, either(of_bucket.allow, is_writer(e)));
    enum policy_met deny = either(own.deny, of_bucket.deny);
    if (deny == POLICY_YES) return OUT_DENY;
    if (allow == POLICY_NO) return OUT_NOTHING;
    return allow == POLICY_YES && deny == POLICY_NO ? OUT_ALLOW : OUT_MAYBE;
}

/* The worst of what is asked: a deny, then what nothing allows, then what is not known yet. */
static enum outcome ask_all(struct policy_eval *e, struct slice resource) {
    unsigned asks[POLICY_ASKS_MAX], n = policy_asks(e, asks);
    enum outcome worst = OUT_ALLOW;
    for (unsigned i = 0; i < n; i++) {
        enum outcome one = ask_policies(e, asks[i], resource);
        if (one == OUT_DENY) return OUT_DENY;
        worst = MAX(worst, one == OUT_NOTHING ? OUT_NOTHING : one);
    }
    return worst;
}

/* Whether the caller could learn from a listing that the key is not there. */
static bool could_list(struct policy_eval *e) {
    char resource[RESOURCE_BYTES_MAX];
    /* Root in its own bucket, when nothing could deny it: most requests. */
    if (e->root && e->own && e->bucket->policy == NULL) return true;
    e->listing = true;
    enum outcome o = ask_policies(e, POLICY_ACT_ListObjectsV2, s3_resource(e->r, false, resource));
    e->listing = false;
    return o == OUT_ALLOW;
}

/* rules ------------------------------------------------------------------------------------------------------------------------ */

static enum policy_reason nothing_allows(const struct policy_eval *e) {
    if (!e->proven) return POLICY_ANONYMOUS;
    return e->own ? POLICY_NOT_ALLOWED : POLICY_OTHER_ACCOUNT;
}

static enum policy_reason create_bucket(const struct policy_eval *e) {
    const struct policy_bucket *b = e->bucket;
    if (b != NULL) return e->own ? POLICY_BUCKET_OWNED : POLICY_BUCKET_TAKEN;
    return e->s->bucket_count >= S3_BUCKETS_PER_TENANT_MAX ? POLICY_BUCKETS_MAX : POLICY_ALLOWED;
}

static enum policy_reason by_policies(struct policy_eval *e, struct policy_decision *d) {
    char text[MAX(RESOURCE_BYTES_MAX, IAM_RESOURCE_BYTES_MAX)];
    const struct policy_act_row *row = policy_act_row(e->r->act);
    bool of_object = row->level == POLICY_LEVEL_OBJECT || e->r->act == POLICY_ACT_PostObject;
    bool iam = row->by == POLICY_BY_IAM && row->level == POLICY_LEVEL_SERVICE;
    enum outcome o = ask_all(e, iam ? iam_resource(e, text) : s3_resource(e->r, of_object, text));
    if (o == OUT_DENY) return POLICY_EXPLICIT_DENY;
    if (o == OUT_MAYBE) {
        d->needs_object = true;
        return POLICY_NEEDS_OBJECT;
    }
    if (!reads_object(e)) return o == OUT_ALLOW ? POLICY_ALLOWED : nothing_allows(e);
    bool listed = could_list(e);
    if (o == OUT_ALLOW) {
        if (!listed) d->obligations |= POLICY_HIDE_ABSENCE;
        return POLICY_ALLOWED;
    }
    /* "If you have the s3:ListBucket permission on the bucket, Amazon S3 returns an HTTP status code 404": that nothing is there is no
     * secret from those who may list it. */
    if (!listed) return nothing_allows(e);
    if (!e->r->object_known) {
        d->needs_object = true;
        return POLICY_NEEDS_OBJECT;
    }
    return slice_is(policy_ctx_value(e, POLICY_CTX_ABSENT), "true") ? POLICY_ALLOWED : nothing_allows(e);
}

static enum policy_reason rules(struct policy_eval *e, struct policy_decision *d) {
    const struct policy_request *r = e->r;
    const struct policy_act_row *row = policy_act_row(r->act);
    e->own = e->proven;
    if (row->level != POLICY_LEVEL_SERVICE) {
        e->bucket = d->bucket = policy_bucket(e->s, r->bucket);
        bool create = r->act == POLICY_ACT_CreateBucket;
        /* Whether a bucket is there is told to proven callers only. */
        if (e->bucket == NULL && !create) return r->auth == POLICY_AUTH_ANON ? POLICY_ANONYMOUS : POLICY_NO_BUCKET;
        if (e->bucket != NULL) e->own = e->proven && slice_is(r->who.account, e->bucket->account);
    }
    if (r->auth == POLICY_AUTH_ANON && !is_preflight(r->act) && e->bucket == NULL) return POLICY_ANONYMOUS;
    if (needs_no_policy(e)) return POLICY_ALLOWED;
    if (r->act != POLICY_ACT_CreateBucket) return by_policies(e, d);
    /* A bucket that is there is somebody's; whether the caller may make one does not hang on its policy. */
    const struct policy_bucket *taken = e->bucket;
    bool own = e->own;
    e->bucket = NULL;
    e->own = true;
    enum policy_reason reason = by_policies(e, d);
    e->bucket = taken;
    e->own = own;
    return reason == POLICY_ALLOWED ? create_bucket(e) : reason;
}

struct policy_decision policy_decide_in(struct policy_eval *e, const struct policy_state *s, const struct policy_request *r) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    struct policy_decision d = {.reason = POLICY_UNKNOWN_ACT, .engine = POLICY_ENGINE_VERSION, .ctl = s->size};
    e->s = s;
    e->r = r;
    e->bucket = NULL;
    e->user = NULL;
    e->proven = e->root = e->own = e->listing = e->ctx_read = e->address_read = e->missing = false;
    e->steps = POLICY_DECISION_STEPS_MAX;
    e->arn_n = 0;
    if (!s->founded) {
        d.reason = POLICY_NOT_FOUNDED;
        return d;
    }
    if (r->act == POLICY_ACT_NONE || (unsigned)r->act >= POLICY_ACT__COUNT) return d;
    if (r->auth == POLICY_AUTH_STS) {
        /* Whatever an erased statement said: nobody can decide it again. */
        e->missing = s->access->erased;
        policy_decide_use(s, r, &d);
        return d;
    }
    d.reason = caller(e);
    if (d.reason == POLICY_ALLOWED) d.reason = rules(e, &d);
    bool unsigned_body = r->body == POLICY_BODY_UNS || r->body == POLICY_BODY_UNST;
    if (d.reason == POLICY_ALLOWED && d.bucket != NULL && d.bucket->require_signed_payload && unsigned_body &&
        policy_act_row(r->act)->kind == POLICY_KIND_WRITE) {
        d.reason = POLICY_UNSIGNED_BODY;
    }
    d.allow = d.reason == POLICY_ALLOWED;
    return d;
}

struct policy_decision policy_decide(const struct policy_state *s, const struct policy_request *r) {
    struct policy_eval e; /* its large parts are written before they are read */
    return policy_decide_in(&e, s, r);
}

/* ctx ---------------------------------------------------------------------------------------------------------------------------- */

static bool any_asks(const uint64_t *set, const unsigned *asks, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        if (policy_ask_in(set, asks[i])) return true;
    }
    return false;
}

static bool doc_may_ask(const struct policy_doc *d, const struct policy_request *r, const unsigned *asks, unsigned n, bool reads) {
    if (d == NULL) return false;
    if (policy_asks_by_ctx(r->act)) return true;
    unsigned list = POLICY_ACT_ListObjectsV2;
    if (any_asks(d->asks_conditional, asks, n)) return true;
    /* What is not there is told to those who may list it: then that counts too, and whether it is there. */
    return reads && (any_asks(d->asks_conditional, &list, 1) || any_asks(d->asks_allowed, &list, 1));
}

bool policy_wants_ctx(const struct policy_state *s, const struct policy_request *r) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    if (r->auth == POLICY_AUTH_STS) return policy_use_lists(r->act); /* the prefix that is listed */
    struct policy_eval e;
    e.s = s;
    e.r = r;
    e.bucket = NULL;
    e.user = NULL;
    e.proven = e.root = e.own = e.listing = e.address_read = e.missing = false;
    e.ctx_read = true; /* asked before there is one */
    memset(e.ctx, 0, sizeof e.ctx);
    if (!s->founded || r->act == POLICY_ACT_NONE || (unsigned)r->act >= POLICY_ACT__COUNT || caller(&e) != POLICY_ALLOWED) return false;
    const struct policy_act_row *row = policy_act_row(r->act);
    if (row->level != POLICY_LEVEL_SERVICE) {
        e.bucket = policy_bucket(s, r->bucket);
        if (e.bucket == NULL && r->act != POLICY_ACT_CreateBucket) return false;
    }
    if (e.bucket != NULL) e.own = e.proven && slice_is(r->who.account, e.bucket->account);
    if (needs_no_policy(&e)) return false;
    unsigned asks[POLICY_ASKS_MAX], n = policy_asks(&e, asks);
    bool reads = reads_object(&e);
    if (e.bucket != NULL && doc_may_ask(e.bucket->policy, r, asks, n, reads)) return true;
    if (e.user != NULL) {
        for (size_t i = 0; i < e.user->policy_count; i++) {
            if (doc_may_ask(e.user->policies[i].doc, r, asks, n, reads)) return true;
        }
    }
    return e.bucket != NULL && e.proven && !e.own && reads && e.bucket->ownership == POLICY_OWNERSHIP_WRITER;
}
