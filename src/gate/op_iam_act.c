/* SPDX-License-Identifier: Apache-2.0
 * op_iam_act: what each action of IAM and STS does, once it is allowed: users, access keys, users' policies, who am I.
 * Role: called by op_iam.c; ends in iam_answer(), iam_record() or iam_refuse(). Trusts: the fold. Distrusts: parameters.
 * Law: 1, 4, 6 (a new secret is in the one answer and sealed in the keyring, nowhere else). Spec: IAM and STS Query APIs.
 */
#include "gate/op_iam.h"

#define IAM_PAGE_ITEMS 100
#define IAM_PAGE_ITEMS_MAX 1000

/* pieces of answers ------------------------------------------------------------------------------------------------------------------- */

static void put_time(struct buf *out, uint64_t ms)
{
    char text[TIME_TEXT_MAX];
    time_iso8601(ms / 1000 * 1000, text);
    text[19] = 'Z', text[20] = 0;                  /* whole seconds, as IAM writes them */
    s3_iam_element(out, "CreateDate", slice_str(text));
}

static void put_arn(struct buf *out, const char *account, const struct policy_user *u)
{
    AUTO(buf) struct buf arn = BUF_INIT(POLICY_PATH_CHARS_MAX + 256);
    buf_put_str(&arn, "arn:aws:iam::");
    buf_put_str(&arn, account);
    buf_put_str(&arn, u ? ":user" : ":root");
    if (u) buf_put_str(&arn, u->path), buf_put_str(&arn, u->name);
    s3_iam_element(out, "Arn", buf_slice(&arn));
}

static void put_user(struct buf *out, const char *tag, const struct policy_user *u)
{
    s3_iam_tag(out, tag, true);
    s3_iam_element(out, "Path", slice_str(u->path));
    s3_iam_element(out, "UserName", slice_str(u->name));
    s3_iam_element(out, "UserId", slice_str(u->id));
    put_arn(out, u->account, u);
    put_time(out, u->created_ms);
    s3_iam_tag(out, tag, false);
}

static const struct policy_user *the_user(const struct gate_request *r, const struct iam *i)
{
    return iam_is_root(i) ? NULL : policy_user(r->tenant->state, slice_str(i->account), i->user);
}

/* A page: rows behind `Marker`, at most MaxItems. */
struct page {
    struct slice after;                            /* name of the row the page before ended with */
    uint64_t left;
    bool sorted, skipping, truncated;              /* sorted: rows come in the order of names, so that a row that is gone is no hole */
    struct buf last, after_bytes;
};

static void page_done(struct page *p)
{
    buf_done(&p->last);
    buf_done(&p->after_bytes);
}

static bool page_begin(const struct iam *i, struct page *p)
{
    struct slice items = iam_param(i, "MaxItems"), marker = iam_param(i, "Marker");
    *p = (struct page){.left = IAM_PAGE_ITEMS, .last = BUF_INIT(POLICY_NAME_CHARS_MAX), .after_bytes = BUF_INIT(POLICY_NAME_CHARS_MAX)};
    if (items.p && (slice_u64(items, IAM_PAGE_ITEMS_MAX, &p->left) != ERR_OK || p->left == 0)) return false;
    if (!marker.p) return true;
    p->after = base64url_decode(marker, &p->after_bytes) == ERR_OK && buf_ok(&p->after_bytes) ? buf_slice(&p->after_bytes) : slice_of(NULL, 0);
    p->skipping = true;
    return p->after.n > 0;
}

/* Whether the row stands in this page. Rows come in an order that does not change: that of the row the page before ended with. */
static bool page_takes(struct page *p, struct slice name)
{
    if (p->sorted && p->skipping) {
        if (slice_cmp(name, p->after) <= 0) return false;
        p->skipping = false;
    } else if (p->skipping) {
        if (slice_eq(name, p->after)) p->skipping = false;
        return false;
    }
    if (p->left == 0) {
        p->truncated = true;
        return false;
    }
    p->left--;
    buf_reset(&p->last);
    buf_put_slice(&p->last, name);
    return true;
}

static void page_end(struct iam *i, struct page *p)
{
    s3_iam_element(&i->body, "IsTruncated", p->truncated ? SLICE_LIT("true") : SLICE_LIT("false"));
    if (!p->truncated) return;
    AUTO(buf) struct buf marker = BUF_INIT(2 * POLICY_NAME_CHARS_MAX);
    buf_put_base64url(&marker, buf_slice(&p->last));
    s3_iam_element(&i->body, "Marker", buf_slice(&marker));
}

static void refuse_page(struct gate_request *r) { iam_refuse(r, S3_IAM_VALIDATION, "MaxItems must be 1 to 1000, Marker what the page before gave"); }

/* who am I ------------------------------------------------------------------------------------------------------------------------------ */

static void get_caller_identity(struct gate_request *r, struct iam *i)
{
    const struct policy_user *u = the_user(r, i);
    AUTO(buf) struct buf arn = BUF_INIT(1024);
    iam_open(i);
    put_arn(&i->body, i->account, u);
    s3_iam_element(&i->body, "UserId", u ? slice_str(u->id) : slice_str(i->account));
    s3_iam_element(&i->body, "Account", slice_str(i->account));
    iam_close(r, i);
    iam_answer(r, i);
}

/* users ---------------------------------------------------------------------------------------------------------------------------------- */

static bool path_ok(struct slice path)
{
    if (!path.n || path.n > POLICY_PATH_CHARS_MAX || path.p[0] != '/' || path.p[path.n - 1] != '/') return false;
    for (size_t n = 0; n < path.n; n++)
        if (path.p[n] < 0x21 || path.p[n] > 0x7e) return false;
    return true;
}

static void create_user(struct gate_request *r, struct iam *i)
{
    struct slice path = iam_param(i, "Path").p ? iam_param(i, "Path") : SLICE_LIT("/");
    if (!i->user_named || iam_is_root(i) || !path_ok(path)) {
        iam_refuse(r, S3_IAM_VALIDATION, "UserName is needed and may not be root; Path begins and ends with /");
        return;
    }
    if (policy_user(r->tenant->state, slice_str(i->account), i->user)) {
        iam_refuse(r, S3_IAM_ALREADY_EXISTS, "A user with this name exists already");
        return;
    }
    iam_sub(r, i, slice_of(NULL, 0), path);
    if (!iam_record(r, i, true, slice_of(NULL, 0))) return;
    const struct policy_user *u = the_user(r, i);
    ASSERT(u);                                     /* LAW-4: folded */
    iam_open(i);
    put_user(&i->body, "User", u);
    iam_close(r, i);
}

static void get_user(struct gate_request *r, struct iam *i)
{
    const struct policy_user *u = the_user(r, i);
    iam_open(i);
    if (u) {
        put_user(&i->body, "User", u);
    } else {
        s3_iam_tag(&i->body, "User", true);
        s3_iam_element(&i->body, "Path", SLICE_LIT("/"));
        s3_iam_element(&i->body, "UserName", SLICE_LIT(POLICY_USER_ROOT));
        s3_iam_element(&i->body, "UserId", slice_str(i->account));
        put_arn(&i->body, i->account, NULL);
        put_time(&i->body, 0);
        s3_iam_tag(&i->body, "User", false);
    }
    iam_close(r, i);
    iam_answer(r, i);
}

static void list_users(struct gate_request *r, struct iam *i)
{
    AUTO(page) struct page p;
    struct slice prefix = iam_param(i, "PathPrefix");
    size_t cursor = 0;
    if (!page_begin(i, &p)) {
        refuse_page(r);
        return;
    }
    p.sorted = true;
    iam_open(i);
    s3_iam_tag(&i->body, "Users", true);
    for (const struct policy_user *u; (u = policy_user_next(r->tenant->state, slice_str(i->account), &cursor));)
        if ((!prefix.n || slice_starts(slice_str(u->path), prefix)) && page_takes(&p, slice_str(u->name))) put_user(&i->body, "member", u);
    s3_iam_tag(&i->body, "Users", false);
    page_end(i, &p);
    iam_close(r, i);
    iam_answer(r, i);
}

static void delete_user(struct gate_request *r, struct iam *i)
{
    size_t cursor = 0;
    const struct policy_user *u = the_user(r, i);
    if (!u || !i->user_named) {
        iam_refuse(r, S3_IAM_VALIDATION, "UserName is needed");
        return;
    }
    if (u->policy_count || policy_key_next(r->tenant->state, slice_str(i->account), i->user, &cursor)) {
        iam_refuse(r, S3_IAM_DELETE_CONFLICT, "The user's access keys and policies must be deleted first");
        return;
    }
    iam_sub(r, i, slice_of(NULL, 0), slice_of(NULL, 0));
    if (!iam_record(r, i, false, slice_of(NULL, 0))) return;
    iam_open(i);
    iam_close(r, i);
}

/* access keys ------------------------------------------------------------------------------------------------------------------------------ */

static const struct policy_key *the_key(const struct gate_request *r, const struct iam *i)
{
    const struct policy_key *k = policy_key(r->tenant->state, iam_param(i, "AccessKeyId"));
    bool theirs = k && !k->gone && slice_is(slice_str(k->account), i->account) && slice_is(i->user, k->user);
    return theirs ? k : NULL;
}

static void put_key(struct iam *i, const struct policy_key *k, const char *tag, struct slice secret)
{
    s3_iam_tag(&i->body, tag, true);
    if (!iam_is_root(i)) s3_iam_element(&i->body, "UserName", i->user);
    s3_iam_element(&i->body, "AccessKeyId", slice_str(k->access_key));
    s3_iam_element(&i->body, "Status", k->on ? SLICE_LIT("Active") : SLICE_LIT("Inactive"));
    if (secret.n) s3_iam_element(&i->body, "SecretAccessKey", secret);
    put_time(&i->body, k->created_ms);
    s3_iam_tag(&i->body, tag, false);
}

static void create_access_key(struct gate_request *r, struct iam *i)
{
    struct gate_key *k = NULL;
    char secret[SECRET_KEY_CHARS];
    size_t cursor = 0, have = 0;
    while (policy_key_next(r->tenant->state, slice_str(i->account), i->user, &cursor)) have++;
    if (have >= POLICY_USER_KEYS_MAX && !iam_is_root(i)) {
        iam_refuse(r, S3_IAM_LIMIT_EXCEEDED, "A user has at most two access keys");
        return;
    }
    if (!request_may_record(r, true)) return;
    /* Sealed and synced before the leaf refers to it. */
    if (tenants_key_make(r->gate, r->tenant, &k, secret) != ERR_OK) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    iam_sub(r, i, slice_str(k->access_key), slice_of(NULL, 0));
    if (iam_record(r, i, true, slice_of(NULL, 0))) {
        const struct policy_key *p = policy_key(r->tenant->state, slice_str(k->access_key));
        ASSERT(p && k->on);                        /* LAW-4: folded, here and in tenants.c */
        iam_open(i);
        put_key(i, p, "AccessKey", slice_of(secret, sizeof secret));
        iam_close(r, i);
    }
    wipe(secret, sizeof secret);
}

static void list_access_keys(struct gate_request *r, struct iam *i)
{
    AUTO(page) struct page p;
    size_t cursor = 0;
    if (!page_begin(i, &p)) {
        refuse_page(r);
        return;
    }
    iam_open(i);
    s3_iam_tag(&i->body, "AccessKeyMetadata", true);
    for (const struct policy_key *k; (k = policy_key_next(r->tenant->state, slice_str(i->account), i->user, &cursor));)
        if (page_takes(&p, slice_str(k->access_key))) put_key(i, k, "member", slice_of(NULL, 0));
    s3_iam_tag(&i->body, "AccessKeyMetadata", false);
    page_end(i, &p);
    iam_close(r, i);
    iam_answer(r, i);
}

static void done(struct gate_request *r, struct iam *i)
{
    iam_open(i);
    iam_close(r, i);
}

static void update_access_key(struct gate_request *r, struct iam *i)
{
    struct slice status = iam_param(i, "Status");
    const struct policy_key *k = the_key(r, i);
    bool on = slice_is(status, "Active");
    if (!on && !slice_is(status, "Inactive")) {
        iam_refuse(r, S3_IAM_VALIDATION, "Status must be Active or Inactive");
    } else if (!k) {
        iam_refuse(r, S3_IAM_NO_SUCH_ENTITY, "The access key with this id cannot be found");
    } else if (k->on == on) {                      /* as it is: a read */
        done(r, i);
        iam_answer(r, i);
    } else {
        iam_sub(r, i, iam_param(i, "AccessKeyId"), status);
        if (iam_record(r, i, on, slice_of(NULL, 0))) done(r, i);
    }
}

static void delete_access_key(struct gate_request *r, struct iam *i)
{
    if (!the_key(r, i)) {
        iam_refuse(r, S3_IAM_NO_SUCH_ENTITY, "The access key with this id cannot be found");
        return;
    }
    iam_sub(r, i, iam_param(i, "AccessKeyId"), slice_of(NULL, 0));
    if (iam_record(r, i, false, slice_of(NULL, 0))) done(r, i);
}

/* users' policies ------------------------------------------------------------------------------------------------------------------------------ */

/* The user that a policy's act needs by name, and the policy's name; refused: false. */
static bool policy_named(struct gate_request *r, struct iam *i)
{
    struct slice name = iam_param(i, "PolicyName");
    bool ok = i->user_named && name.n > 0 && name.n <= POLICY_NAME_CHARS_MAX;
    for (size_t n = 0; n < name.n && ok; n++) ok = name.p[n] > 0x20 && name.p[n] < 0x7f && !memchr("\"&<>/\\", name.p[n], 6);
    if (!ok) iam_refuse(r, S3_IAM_VALIDATION, "UserName and PolicyName of 1 to 128 characters are needed");
    return ok;
}

static void put_user_policy(struct gate_request *r, struct iam *i)
{
    struct slice text = iam_param(i, "PolicyDocument"), name = iam_param(i, "PolicyName");
    const char *why = NULL;
    if (!policy_named(r, i)) return;
    if (policy_doc_check(text, slice_of(NULL, 0), &why) != ERR_OK) {
        iam_refuse(r, S3_IAM_MALFORMED_POLICY, why);
        return;
    }
    iam_sub(r, i, name, slice_of(NULL, 0));
    if (iam_record(r, i, true, text)) done(r, i);
}

static void get_user_policy(struct gate_request *r, struct iam *i)
{
    if (!policy_named(r, i)) return;
    const struct policy_user *u = the_user(r, i);
    const struct policy_user_policy *p = u ? policy_user_policy(u, iam_param(i, "PolicyName")) : NULL;
    if (!p) {
        iam_refuse(r, S3_IAM_NO_SUCH_ENTITY, "The user policy with this name cannot be found");
        return;
    }
    AUTO(buf) struct buf escaped = BUF_INIT(3 * FORM_BYTES_MAX);
    s3_put_uri(&escaped, buf_slice(&p->text), false);
    iam_open(i);
    s3_iam_element(&i->body, "UserName", i->user);
    s3_iam_element(&i->body, "PolicyName", slice_str(p->name));
    s3_iam_element(&i->body, "PolicyDocument", buf_slice(&escaped));
    iam_close(r, i);
    iam_answer(r, i);
}

static void list_user_policies(struct gate_request *r, struct iam *i)
{
    AUTO(page) struct page p;
    const struct policy_user *u = the_user(r, i);
    if (!u || !page_begin(i, &p)) {
        refuse_page(r);
        return;
    }
    iam_open(i);
    s3_iam_tag(&i->body, "PolicyNames", true);
    for (size_t n = 0; n < u->policy_count; n++)
        if (page_takes(&p, slice_str(u->policies[n].name))) s3_iam_element(&i->body, "member", slice_str(u->policies[n].name));
    s3_iam_tag(&i->body, "PolicyNames", false);
    page_end(i, &p);
    iam_close(r, i);
    iam_answer(r, i);
}

static void delete_user_policy(struct gate_request *r, struct iam *i)
{
    if (!policy_named(r, i)) return;
    const struct policy_user *u = the_user(r, i);
    if (!u || !policy_user_policy(u, iam_param(i, "PolicyName"))) {
        iam_refuse(r, S3_IAM_NO_SUCH_ENTITY, "The user policy with this name cannot be found");
        return;
    }
    iam_sub(r, i, iam_param(i, "PolicyName"), slice_of(NULL, 0));
    if (iam_record(r, i, false, slice_of(NULL, 0))) done(r, i);
}

/* Groups, managed policies, roles, identity providers: there are none here, and clients that clean up ask. */
static void list_none(struct gate_request *r, struct iam *i)
{
    static const struct { enum policy_act act; const char *tag; } tags[] = {
        {POLICY_ACT_ListGroups, "Groups"}, {POLICY_ACT_ListGroupsForUser, "Groups"}, {POLICY_ACT_ListAttachedUserPolicies, "AttachedPolicies"},
        {POLICY_ACT_ListRoles, "Roles"}, {POLICY_ACT_ListOpenIDConnectProviders, "OpenIDConnectProviderList"}};
    const char *tag = NULL;
    for (size_t n = 0; n < ARRAY_LEN(tags); n++)
        if (tags[n].act == i->act->act) tag = tags[n].tag;
    ASSERT(tag);
    iam_open(i);
    s3_iam_tag(&i->body, tag, true);
    s3_iam_tag(&i->body, tag, false);
    s3_iam_element(&i->body, "IsTruncated", SLICE_LIT("false"));
    iam_close(r, i);
    iam_answer(r, i);
}

#define ROW(name, on_user, run) {#name, POLICY_ACT_##name, on_user, run}
const struct iam_act iam_acts[] = {
    ROW(GetCallerIdentity, false, get_caller_identity), ROW(CreateUser, false, create_user), ROW(GetUser, true, get_user),
    ROW(ListUsers, false, list_users), ROW(DeleteUser, true, delete_user), ROW(CreateAccessKey, true, create_access_key),
    ROW(ListAccessKeys, true, list_access_keys), ROW(UpdateAccessKey, true, update_access_key), ROW(DeleteAccessKey, true, delete_access_key),
    ROW(PutUserPolicy, true, put_user_policy), ROW(GetUserPolicy, true, get_user_policy), ROW(ListUserPolicies, true, list_user_policies),
    ROW(DeleteUserPolicy, true, delete_user_policy), ROW(ListGroups, false, list_none), ROW(ListGroupsForUser, true, list_none),
    ROW(ListAttachedUserPolicies, true, list_none), ROW(ListRoles, false, list_none), ROW(ListOpenIDConnectProviders, false, list_none),
};
const size_t iam_act_count = ARRAY_LEN(iam_acts);
