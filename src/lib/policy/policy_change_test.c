/* SPDX-License-Identifier: Apache-2.0
 * Facts about the fold of configuration and users. LAW-4, LAW-6 (nothing that was erased widens).
 * Role: unit test. Spec: docs/spec/policy.md section 1.
 */
#include "policy/policy_internal.h"
#include "policy/policy_rig.h"

#define KEY_U1 "AKIAUUUUUUUUUUUUUUU1"
#define KEY_U2 "AKIAUUUUUUUUUUUUUUU2"
#define KEY_U3 "AKIAUUUUUUUUUUUUUUU3"
#define ALLOW_ALL "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}"
#define PUBLIC "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::one/*\"}}"
#define CLOSED "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::one/*\"}}"

static struct says iam(const char *act, int on, const char *user, const char *third, const char *more) {
    return IAM(WHO1, ACCOUNT1, act, on, user, third, more);
}

static struct says put_policy(const char *user, const char *name, const char *doc) {
    struct says s = iam("PutUserPolicy", 1, user, name, "");
    s.doc = doc;
    return s;
}

static void founded(struct policy_state *s) {
    assert_int_equal(policy_init(s), ERR_OK);
    assert_int_equal(apply(s, GENESIS), ERR_OK);
    assert_int_equal(apply(s, KEY(KEY1, ACCOUNT1, 1)), ERR_OK);
    assert_int_equal(apply(s, KEY(KEY2, ACCOUNT2, 1)), ERR_OK);
    assert_int_equal(apply(s, BUCKET("one", 1, 1, WHO1)), ERR_OK);
}

static struct policy_request request(const char *user, const char *key, enum policy_act act) {
    return (struct policy_request){.auth = POLICY_AUTH_HDR, .who = {slice_str(ACCOUNT1), slice_str(user), slice_str(key), {0}}, .act = act,
                                   .bucket = SLICE_LIT("one"), .key = SLICE_LIT("k"), .peer = SLICE_LIT("192.0.2.1")};
}

static enum policy_reason reads(const struct policy_state *s, const char *user, const char *key) {
    struct policy_request r = request(user, key, POLICY_ACT_GetObject);
    r.object_known = true;
    return policy_decide(s, &r).reason;
}

/* configuration ------------------------------------------------------------------------------------------------------------ */

static void documents_are_set_replaced_and_ended(void **unused) {
    (void)unused;
    struct policy_state s;
    founded(&s);
    const struct policy_bucket *b = policy_bucket(&s, SLICE_LIT("one"));
    assert_int_equal(b->versioning, POLICY_VERSIONING_OFF);
    assert_null(policy_bucket_doc(b, POLICY_DOC_VERSIONING).p);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketVersioning", 1, "Enabled")), ERR_OK);
    assert_int_equal(b->versioning, POLICY_VERSIONING_ENABLED);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketVersioning", 1, "Suspended")), ERR_OK);
    assert_int_equal(b->versioning, POLICY_VERSIONING_SUSPENDED);
    assert_true(slice_is(policy_bucket_doc(b, POLICY_DOC_VERSIONING), "Suspended"));
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketOwnershipControls", 1, "ObjectWriter")), ERR_OK);
    assert_int_equal(b->ownership, POLICY_OWNERSHIP_WRITER);
    assert_true(b->ownership_set);
    assert_int_equal(apply(&s, CONFIG("one", 1, "DeleteBucketOwnershipControls", 0, NULL)), ERR_OK);
    assert_int_equal(b->ownership, POLICY_OWNERSHIP_ENFORCED);
    assert_false(b->ownership_set);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutPublicAccessBlock", 1, "1010")), ERR_OK);
    assert_true(b->block[0] && !b->block[1] && b->block[2] && !b->block[3]);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, PUBLIC)), ERR_AUTH); /* LAW-6: BlockPublicPolicy */
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, CLOSED)), ERR_OK);
    assert_false(b->is_public);
    assert_int_equal(apply(&s, CONFIG("one", 1, "DeletePublicAccessBlock", 0, NULL)), ERR_OK);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, PUBLIC)), ERR_OK);
    assert_true(b->is_public && b->policy != NULL);
    assert_true(slice_is(policy_bucket_doc(b, POLICY_DOC_POLICY), PUBLIC));
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketTagging", 1, "<Tagging/>")), ERR_OK);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketCors", 1, "<Cors/>")), ERR_OK);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketLifecycleConfiguration", 1, "<L/>")), ERR_OK);
    assert_int_equal(s.doc_bytes, strlen("Suspended" PUBLIC "<Tagging/>" "<Cors/>" "<L/>"));
    assert_int_equal(apply(&s, CONFIG("one", 1, "DeleteBucketPolicy", 0, NULL)), ERR_OK);
    assert_int_equal(apply(&s, CONFIG("one", 1, "DeleteBucketPolicy", 0, NULL)), ERR_OK); /* as S3: gone is gone */
    assert_true(!b->is_public && b->policy == NULL);
    assert_int_equal(apply(&s, CONFIG("one", 1, "DeleteBucketTagging", 0, NULL)), ERR_OK);
    assert_int_equal(apply(&s, BUCKET("one", 1, 0, WHO1)), ERR_OK); /* a bucket takes its documents along */
    assert_int_equal(s.doc_bytes, 0);
    assert_int_equal(apply(&s, BUCKET("one", 2, 1, WHO1)), ERR_OK);
    b = policy_bucket(&s, SLICE_LIT("one"));
    assert_int_equal(b->versioning, POLICY_VERSIONING_OFF);
    assert_null(policy_bucket_doc(b, POLICY_DOC_CORS).p);
    policy_done(&s);
}

static void documents_without_sense_are_refused(void **unused) {
    (void)unused;
    struct policy_state s;
    founded(&s);
    char long_doc[S3_CONFIG_DOC_BYTES_MAX + 2];
    memset(long_doc, 'x', sizeof long_doc);
    long_doc[sizeof long_doc - 1] = 0;
    struct says old = CONFIG("one", 1, "PutBucketVersioning", 1, "Enabled"), denied = old, newer = old;
    old.has_ctl = true;
    denied.dec = "deny";
    newer.eng = POLICY_ENGINE_VERSION + 1;
    struct { const char *what; struct says says; enum err want; } cases[] = {
        {"versioning off", CONFIG("one", 1, "PutBucketVersioning", 1, "Off"), ERR_INPUT},
        {"versioning ended", CONFIG("one", 1, "PutBucketVersioning", 0, NULL), ERR_INPUT},
        {"another word of ownership", CONFIG("one", 1, "PutBucketOwnershipControls", 1, "Everybody"), ERR_INPUT},
        {"three of four", CONFIG("one", 1, "PutPublicAccessBlock", 1, "101"), ERR_INPUT},
        {"another digit", CONFIG("one", 1, "PutPublicAccessBlock", 1, "1012"), ERR_INPUT},
        {"no policy", CONFIG("one", 1, "PutBucketPolicy", 1, "{}"), ERR_INPUT},
        {"a policy of another bucket", CONFIG("one", 1, "PutBucketPolicy", 1, "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\","
         "\"Resource\":\"arn:aws:s3:::two\"}}"), ERR_INPUT},
        {"an empty document", CONFIG("one", 1, "PutBucketTagging", 1, ""), ERR_INPUT},
        {"one past the bound", CONFIG("one", 1, "PutBucketTagging", 1, long_doc), ERR_INPUT},
        {"no document", CONFIG("one", 1, "PutBucketTagging", 1, NULL), ERR_MISSING},
        {"an end with a document", CONFIG("one", 1, "DeleteBucketTagging", 0, "<Tagging/>"), ERR_INPUT},
        {"a put that ends", CONFIG("one", 1, "PutBucketTagging", 0, NULL), ERR_INPUT},
        {"a delete that sets", CONFIG("one", 1, "DeleteBucketTagging", 1, "<Tagging/>"), ERR_INPUT},
        {"an act that sets nothing", CONFIG("one", 1, "GetObject", 1, "x"), ERR_INPUT},
        {"a bucket that is not there", CONFIG("none", 9, "PutBucketTagging", 1, "<Tagging/>"), ERR_MISSING},
        {"another bucket's name", CONFIG("two", 1, "PutBucketTagging", 1, "<Tagging/>"), ERR_INPUT},
        {"decided under another size", old, ERR_INPUT},
        {"denied, and yet", denied, ERR_INPUT},
        {"a newer engine", newer, ERR_VERSION},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t size = s.size;
        enum err e = apply(&s, cases[i].says);
        if (e != cases[i].want) fail_msg("%s: %s, want %s", cases[i].what, err_name(e), err_name(cases[i].want));
        assert_int_equal(s.size, size);
        assert_int_equal(s.doc_bytes, 0);
    }
    long_doc[S3_CONFIG_DOC_BYTES_MAX] = 0;
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketTagging", 1, long_doc)), ERR_OK);
    policy_done(&s);
}

static void all_documents_of_a_tenant_have_a_bound(void **unused) {
    (void)unused;
    struct policy_state s;
    founded(&s);
    char doc[65];
    memset(doc, 'x', sizeof doc);
    doc[64] = 0;
    s.doc_bytes = POLICY_DOC_BYTES_TOTAL_MAX - 64; /* as if others were there */
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketTagging", 1, doc)), ERR_OK);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketCors", 1, "x")), ERR_LIMIT);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketTagging", 1, doc)), ERR_OK); /* in place of itself */
    s.doc_bytes = 64;
    policy_done(&s);
}

/* users --------------------------------------------------------------------------------------------------------------------- */

static void users_keys_and_policies_come_and_go(void **unused) {
    (void)unused;
    struct policy_state s;
    founded(&s);
    assert_int_equal(apply(&s, iam("CreateUser", 1, "zoe", "", "")), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateUser", 1, "ann", "", "/a/")), ERR_OK);
    assert_int_equal(apply(&s, IAM(WHO2, ACCOUNT2, "CreateUser", 1, "bob", "", "/")), ERR_OK);
    const struct policy_user *u = policy_user(&s, SLICE_LIT(ACCOUNT1), SLICE_LIT("zoe"));
    assert_non_null(u);
    assert_string_equal(u->path, "/");
    assert_int_equal(strlen(u->id), POLICY_USER_ID_CHARS);
    char id[POLICY_USER_ID_CHARS + 1];
    memcpy(id, u->id, sizeof id);
    size_t cursor = 0;
    assert_string_equal(policy_user_next(&s, SLICE_LIT(ACCOUNT1), &cursor)->name, "ann"); /* in order of name */
    assert_string_equal(policy_user_next(&s, SLICE_LIT(ACCOUNT1), &cursor)->name, "zoe");
    assert_null(policy_user_next(&s, SLICE_LIT(ACCOUNT1), &cursor));
    cursor = 0;
    assert_null(policy_user_next(&s, SLICE_LIT("999999999999"), &cursor));
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "zoe", KEY_U1, "")), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "zoe", KEY_U2, "")), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "zoe", KEY_U3, "")), ERR_LIMIT); /* two, and no more */
    assert_int_equal(reads(&s, "zoe", KEY_U1), POLICY_NOT_ALLOWED);
    assert_int_equal(apply(&s, put_policy("zoe", "p", ALLOW_ALL)), ERR_OK);
    assert_int_equal(reads(&s, "zoe", KEY_U1), POLICY_ALLOWED);
    assert_int_equal(reads(&s, "root", KEY_U1), POLICY_OTHER_PRINCIPAL); /* LAW-6: a user's key is not root's */
    assert_int_equal(reads(&s, "ann", KEY_U1), POLICY_OTHER_PRINCIPAL);
    u = policy_user(&s, SLICE_LIT(ACCOUNT1), SLICE_LIT("zoe"));
    assert_true(slice_is(buf_slice(&policy_user_policy(u, SLICE_LIT("p"))->text), ALLOW_ALL));
    assert_null(policy_user_policy(u, SLICE_LIT("q")));
    assert_int_equal(apply(&s, iam("UpdateAccessKey", 0, "zoe", KEY_U1, "Inactive")), ERR_OK);
    assert_int_equal(reads(&s, "zoe", KEY_U1), POLICY_KEY_OFF);
    assert_int_equal(reads(&s, "zoe", KEY_U2), POLICY_ALLOWED);
    assert_int_equal(apply(&s, iam("UpdateAccessKey", 1, "zoe", KEY_U1, "Active")), ERR_OK);
    assert_int_equal(reads(&s, "zoe", KEY_U1), POLICY_ALLOWED);
    assert_int_equal(apply(&s, iam("DeleteUser", 0, "zoe", "", "")), ERR_EXISTS);
    assert_int_equal(apply(&s, iam("DeleteAccessKey", 0, "zoe", KEY_U1, "")), ERR_OK);
    assert_int_equal(apply(&s, iam("DeleteAccessKey", 0, "zoe", KEY_U1, "")), ERR_MISSING);
    assert_int_equal(apply(&s, iam("UpdateAccessKey", 1, "zoe", KEY_U1, "Active")), ERR_MISSING);
    assert_int_equal(apply(&s, KEY(KEY_U1, ACCOUNT1, 1)), ERR_INPUT); /* a deleted key never comes back */
    assert_int_equal(reads(&s, "zoe", KEY_U1), POLICY_KEY_OFF);
    cursor = 0;
    assert_string_equal(policy_key_next(&s, SLICE_LIT(ACCOUNT1), SLICE_LIT("zoe"), &cursor)->access_key, KEY_U2);
    assert_null(policy_key_next(&s, SLICE_LIT(ACCOUNT1), SLICE_LIT("zoe"), &cursor));
    assert_int_equal(apply(&s, iam("DeleteAccessKey", 0, "zoe", KEY_U2, "")), ERR_OK);
    assert_int_equal(apply(&s, iam("DeleteUser", 0, "zoe", "", "")), ERR_EXISTS);
    assert_int_equal(apply(&s, iam("DeleteUserPolicy", 0, "zoe", "p", "")), ERR_OK);
    assert_int_equal(apply(&s, iam("DeleteUserPolicy", 0, "zoe", "p", "")), ERR_MISSING);
    assert_int_equal(s.doc_bytes, 0);
    assert_int_equal(apply(&s, iam("DeleteUser", 0, "zoe", "", "")), ERR_OK);
    assert_null(policy_user(&s, SLICE_LIT(ACCOUNT1), SLICE_LIT("zoe")));
    assert_int_equal(apply(&s, iam("CreateUser", 1, "zoe", "", "/")), ERR_OK);
    assert_string_not_equal(policy_user(&s, SLICE_LIT(ACCOUNT1), SLICE_LIT("zoe"))->id, id); /* another one */
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "root", KEY_U3, "")), ERR_OK);
    assert_int_equal(reads(&s, "root", KEY_U3), POLICY_ALLOWED);
    policy_done(&s);
}

static void calls_without_sense_are_refused(void **unused) { /* long: one table */
    (void)unused;
    struct policy_state s;
    founded(&s);
    assert_int_equal(apply(&s, iam("CreateUser", 1, "ann", "", "/")), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "ann", KEY_U1, "")), ERR_OK);
    char name[POLICY_NAME_CHARS_MAX + 2], user[POLICY_USER_CHARS_MAX + 2];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    memset(user, 'u', sizeof user);
    user[sizeof user - 1] = 0;
    struct says nobody = iam("CreateUser", 1, "eve", "", "/"), other = nobody, off = nobody, no_doc = iam("PutUserPolicy", 1, "ann", "p", "");
    struct says with_doc = nobody, denied = nobody, imposter = nobody;
    nobody.who = ACCOUNT1 ":root:AKIADDDDDDDDDDDDDDDD";
    other.who = WHO2;
    imposter.who = ACCOUNT1 ":root:" KEY_U1;
    off.account = "1111";
    with_doc.doc = ALLOW_ALL;
    denied.dec = "deny";
    struct { const char *what; struct says says; enum err want; } cases[] = {
        {"a user twice", iam("CreateUser", 1, "ann", "", "/"), ERR_EXISTS},
        {"a user twice, in other letters", iam("CreateUser", 1, "ANN", "", "/"), ERR_EXISTS},
        {"root", iam("CreateUser", 1, "root", "", "/"), ERR_INPUT},
        {"root, in other letters", iam("CreateUser", 1, "Root", "", "/"), ERR_INPUT},
        {"no name", iam("CreateUser", 1, "", "", "/"), ERR_INPUT},
        {"a name with a blank", iam("CreateUser", 1, "a b", "", "/"), ERR_INPUT},
        {"a name one too long", iam("CreateUser", 1, user, "", "/"), ERR_INPUT},
        {"a path that does not begin", iam("CreateUser", 1, "eve", "", "a/"), ERR_INPUT},
        {"a path that does not end", iam("CreateUser", 1, "eve", "", "/a"), ERR_INPUT},
        {"a path with a star", iam("CreateUser", 1, "eve", "", "/*/"), ERR_INPUT},
        {"a user with a third", iam("CreateUser", 1, "eve", "x", "/"), ERR_INPUT},
        {"by a key that is not there", nobody, ERR_AUTH},
        {"by another account", other, ERR_AUTH},
        {"by a user who says root", imposter, ERR_AUTH},
        {"an account that is none", off, ERR_INPUT},
        {"a document that nobody asked", with_doc, ERR_INPUT},
        {"denied, and yet", denied, ERR_INPUT},
        {"a create that is off", iam("CreateUser", 0, "eve", "", "/"), ERR_INPUT},
        {"a delete that is on", iam("DeleteUser", 1, "ann", "", ""), ERR_INPUT},
        {"an act that changes nothing", iam("GetUser", 1, "ann", "", ""), ERR_INPUT},
        {"nobody deleted", iam("DeleteUser", 0, "eve", "", ""), ERR_MISSING},
        {"a key of nobody's", iam("CreateAccessKey", 1, "eve", KEY_U2, ""), ERR_MISSING},
        {"a key that is none", iam("CreateAccessKey", 1, "ann", "short", ""), ERR_INPUT},
        {"a key twice", iam("CreateAccessKey", 1, "ann", KEY_U1, ""), ERR_EXISTS},
        {"another account's key", iam("CreateAccessKey", 1, "ann", KEY2, ""), ERR_EXISTS},
        {"a status that is none", iam("UpdateAccessKey", 0, "ann", KEY_U1, "Off"), ERR_INPUT},
        {"a status and its on", iam("UpdateAccessKey", 0, "ann", KEY_U1, "Active"), ERR_INPUT},
        {"a status and its off", iam("UpdateAccessKey", 1, "ann", KEY_U1, "Inactive"), ERR_INPUT},
        {"another user's key", iam("UpdateAccessKey", 0, "root", KEY_U1, "Inactive"), ERR_MISSING},
        {"another account's key turned off", iam("UpdateAccessKey", 0, "root", KEY2, "Inactive"), ERR_MISSING},
        {"a key that never was", iam("DeleteAccessKey", 0, "ann", KEY_U3, ""), ERR_MISSING},
        {"a policy without document", no_doc, ERR_MISSING},
        {"a policy that is none", put_policy("ann", "p", "{}"), ERR_INPUT},
        {"a bucket's policy", put_policy("ann", "p", PUBLIC), ERR_INPUT},
        {"a policy without name", put_policy("ann", "", ALLOW_ALL), ERR_INPUT},
        {"a policy's name with a slash", put_policy("ann", "a/b", ALLOW_ALL), ERR_INPUT},
        {"a policy's name one too long", put_policy("ann", name, ALLOW_ALL), ERR_INPUT},
        {"a policy of nobody's", put_policy("eve", "p", ALLOW_ALL), ERR_MISSING},
        {"a policy of root's", put_policy("root", "p", ALLOW_ALL), ERR_MISSING},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t size = s.size;
        enum err e = apply(&s, cases[i].says);
        if (e != cases[i].want) fail_msg("%s: %s, want %s", cases[i].what, err_name(e), err_name(cases[i].want));
        assert_int_equal(s.size, size);
        assert_int_equal(s.users.n, sizeof(struct policy_user));
        assert_int_equal(s.keys.n, 3 * sizeof(struct policy_key));
    }
    name[POLICY_NAME_CHARS_MAX] = 0;
    user[POLICY_USER_CHARS_MAX] = 0;
    assert_int_equal(apply(&s, put_policy("ann", name, ALLOW_ALL)), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateUser", 1, user, "", "/")), ERR_OK);
    policy_done(&s);
}

static void a_users_policies_have_bounds(void **unused) {
    (void)unused;
    struct policy_state s;
    founded(&s);
    char name[8], doc[POLICY_USER_POLICY_BYTES_MAX + 300];
    assert_int_equal(apply(&s, iam("CreateUser", 1, "ann", "", "/")), ERR_OK);
    for (int i = 0; i <= POLICY_USER_POLICIES_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(apply(&s, put_policy("ann", name, ALLOW_ALL)), i < POLICY_USER_POLICIES_MAX ? ERR_OK : ERR_LIMIT);
    }
    assert_int_equal(apply(&s, put_policy("ann", "p3", ALLOW_ALL)), ERR_OK); /* in place of itself */
    assert_int_equal(s.doc_bytes, POLICY_USER_POLICIES_MAX * strlen(ALLOW_ALL));
    for (int i = 1; i < POLICY_USER_POLICIES_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(apply(&s, iam("DeleteUserPolicy", 0, "ann", name, "")), ERR_OK);
    }
    for (int past = 0; past < 2; past++) {
        int n = snprintf(doc, sizeof doc, "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",   \n \"Resource\":\"arn:aws:s3:::");
        size_t weight = strlen(ALLOW_ALL) + policy_doc_weight(slice_str(doc)) + strlen("\"}}");
        while (weight + (size_t)past < POLICY_USER_POLICY_BYTES_MAX + 2 * (size_t)past) {
            doc[n++] = 'b';
            weight++;
        }
        snprintf(doc + n, sizeof doc - (size_t)n, "\"}}");
        assert_int_equal(apply(&s, put_policy("ann", "long", doc)), past ? ERR_LIMIT : ERR_OK);
    }
    policy_done(&s);
}

static void users_have_a_bound(void **unused) {
    (void)unused;
    struct policy_state s;
    char name[16];
    founded(&s);
    for (int i = 0; i <= POLICY_USERS_MAX; i++) {
        snprintf(name, sizeof name, "u%d", (i * 7919) % 100003);
        enum err e = apply(&s, iam("CreateUser", 1, name, "", "/"));
        if (e != (i < POLICY_USERS_MAX ? ERR_OK : ERR_LIMIT)) fail_msg("user %d: %s", i, err_name(e));
    }
    size_t cursor = 0, n = 0;
    const struct policy_user *u;
    const char *before = "";
    while ((u = policy_user_next(&s, SLICE_LIT(ACCOUNT1), &cursor)) != NULL) {
        assert_true(strcmp(before, u->name) < 0);
        before = u->name;
        n++;
    }
    assert_int_equal(n, POLICY_USERS_MAX);
    policy_done(&s);
}

/* what was erased ------------------------------------------------------------------------------------------------------------ */

static void erase(struct policy_state *s, struct says what, enum record_field f) {
    what.ctl = s->size;
    build(what);
    assert_int_equal(record_opening_erase(&opening, f), ERR_OK);
    assert_int_equal(apply_built(s, s->size), ERR_OK);
}

static void an_erased_policy_denies(void **unused) {
    (void)unused;
    struct policy_state s;
    struct policy_decision d;
    founded(&s);
    erase(&s, CONFIG("one", 1, "PutBucketPolicy", 1, PUBLIC), RECORD_F_DOC);
    assert_int_equal(reads(&s, "root", KEY1), POLICY_EXPLICIT_DENY);
    struct says leaf_of = {.kind = RECORD_K_ACC, .auth = "hdr", .who = WHO1, .act = "GetObject", .bucket = "one", .object = "k", .dec = "allow", .ctl = s.size};
    build(leaf_of);
    assert_int_equal(policy_check(&s, &leaf, &opening, &d), ERR_MISSING); /* said, not guessed */
    struct policy_request r = request("root", KEY1, POLICY_ACT_DeleteBucketPolicy);
    assert_true(policy_decide(&s, &r).allow);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, PUBLIC)), ERR_OK);
    assert_int_equal(reads(&s, "root", KEY1), POLICY_ALLOWED);
    erase(&s, CONFIG("one", 1, "PutBucketVersioning", 1, "Enabled"), RECORD_F_DOC);
    assert_int_equal(policy_bucket(&s, SLICE_LIT("one"))->versioning, POLICY_VERSIONING_OFF); /* what was known last */
    assert_true(policy_bucket(&s, SLICE_LIT("one"))->erased[POLICY_DOC_VERSIONING]);
    policy_done(&s);
}

static void erased_calls_never_widen(void **unused) {
    (void)unused;
    struct policy_state s;
    founded(&s);
    assert_int_equal(apply(&s, iam("CreateUser", 1, "ann", "", "/")), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "ann", KEY_U1, "")), ERR_OK);
    assert_int_equal(apply(&s, put_policy("ann", "p", ALLOW_ALL)), ERR_OK);
    assert_int_equal(reads(&s, "ann", KEY_U1), POLICY_ALLOWED);
    erase(&s, iam("DeleteAccessKey", 0, "ann", KEY_U1, ""), RECORD_F_SUB);
    assert_int_equal(reads(&s, "ann", KEY_U1), POLICY_KEY_OFF); /* it may have been this one */
    assert_int_equal(reads(&s, "root", KEY1), POLICY_ALLOWED);  /* not made by a call */
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "ann", KEY_U2, "")), ERR_OK);
    assert_int_equal(reads(&s, "ann", KEY_U2), POLICY_ALLOWED);
    erase(&s, put_policy("ann", "q", ALLOW_ALL), RECORD_F_DOC);
    assert_int_equal(reads(&s, "ann", KEY_U2), POLICY_EXPLICIT_DENY);
    assert_int_equal(apply(&s, iam("DeleteUserPolicy", 0, "ann", "q", "")), ERR_OK);
    assert_int_equal(reads(&s, "ann", KEY_U2), POLICY_ALLOWED);
    erase(&s, iam("DeleteUserPolicy", 0, "ann", "p", ""), RECORD_F_SUB);
    assert_int_equal(reads(&s, "ann", KEY_U2), POLICY_EXPLICIT_DENY);
    /* Later leaves about what the erased ones made still fold. */
    erase(&s, iam("CreateUser", 1, "eve", "", "/"), RECORD_F_SUB);
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "eve", KEY_U3, "")), ERR_OK);
    assert_int_equal(reads(&s, "eve", KEY_U3), POLICY_NOT_ALLOWED);
    assert_int_equal(apply(&s, put_policy("fay", "p", ALLOW_ALL)), ERR_OK);
    assert_non_null(policy_user(&s, SLICE_LIT(ACCOUNT1), SLICE_LIT("fay")));
    assert_int_equal(apply(&s, iam("DeleteUser", 0, "gus", "", "")), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateUser", 1, "fay", "", "/")), ERR_OK);
    policy_done(&s);
}

static void an_erased_address_stops_replay_where_it_is_asked_for(void **unused) {
    (void)unused;
    struct policy_state s;
    struct policy_decision d;
    founded(&s);
    struct says says = {.kind = RECORD_K_ACC, .auth = "hdr", .who = WHO1, .act = "GetObject", .bucket = "one", .object = "k", .dec = "allow", .ctl = s.size};
    build(says);
    assert_int_equal(record_opening_erase(&opening, RECORD_F_PEER), ERR_OK);
    assert_int_equal(policy_check(&s, &leaf, &opening, &d), ERR_OK);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":"
                     "\"arn:aws:s3:::one/*\",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"198.51.100.0/24\"}}}}")), ERR_OK);
    says.ctl = s.size;
    build(says);
    assert_int_equal(policy_check(&s, &leaf, &opening, &d), ERR_OK);
    assert_int_equal(record_opening_erase(&opening, RECORD_F_PEER), ERR_OK);
    assert_int_equal(policy_check(&s, &leaf, &opening, &d), ERR_MISSING);
    policy_done(&s);
}

/* replay of their own leaves --------------------------------------------------------------------------------------------------- */

static void cfg_and_iam_leaves_are_checked_like_any_request(void **unused) {
    (void)unused;
    struct policy_state s;
    struct policy_decision d;
    founded(&s);
    assert_int_equal(apply(&s, iam("CreateUser", 1, "ann", "", "/")), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "ann", KEY_U1, "")), ERR_OK);
    struct says ok = CONFIG("one", 1, "PutBucketTagging", 1, "<T/>"), other = ok, user = ok, calls = iam("CreateUser", 1, "eve", "", "/"), uses = calls, wrong = ok;
    other.who = WHO2;
    user.who = uses.who = ACCOUNT1 ":ann:" KEY_U1;
    wrong.id = 7;
    struct { const char *what; struct says says; enum err want; } cases[] = {
        {"root sets", ok, ERR_OK}, {"another account sets", other, ERR_VERIFY}, {"a user without policies sets", user, ERR_VERIFY},
        {"another bucket's id", wrong, ERR_VERIFY}, {"root calls", calls, ERR_OK}, {"a user without policies calls", uses, ERR_VERIFY},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cases[i].says.ctl = s.size;
        build(cases[i].says);
        enum err e = policy_check(&s, &leaf, &opening, &d);
        if (e != cases[i].want) fail_msg("%s: %s", cases[i].what, err_name(e));
    }
    build((struct says){.kind = RECORD_K_KEY, .account = ACCOUNT1, .key = KEY_U2, .on = 1, .signer = OWNER});
    assert_int_equal(policy_check(&s, &leaf, &opening, &d), ERR_INPUT);
    policy_done(&s);
}

static void acts_of_documents(void **unused) {
    (void)unused;
    bool on;
    assert_int_equal(policy_doc_of_act(POLICY_ACT_PutBucketPolicy, &on), POLICY_DOC_POLICY);
    assert_true(on);
    assert_int_equal(policy_doc_of_act(POLICY_ACT_DeleteBucketPolicy, &on), POLICY_DOC_POLICY);
    assert_false(on);
    assert_int_equal(policy_doc_of_act(POLICY_ACT_GetObject, &on), POLICY_DOC__COUNT);
    assert_int_equal(policy_doc_of_act(POLICY_ACT_NONE, &on), POLICY_DOC__COUNT);
    assert_string_equal(policy_act_action(POLICY_ACT_GetObject), "s3:GetObject");
    assert_string_equal(policy_act_action(POLICY_ACT_CreateUser), "iam:CreateUser");
    assert_string_equal(policy_act_action(POLICY_ACT_PurgeGrave), "");
}

/* decisions that no document decides ---------------------------------------------------------------------------------------------- */

static void corners_of_the_decision(void **unused) {
    (void)unused;
    struct policy_state s;
    founded(&s);
    assert_int_equal(apply(&s, iam("CreateUser", 1, "ann", "", "/")), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "ann", KEY_U1, "")), ERR_OK);
    assert_int_equal(apply(&s, put_policy("ann", "p", ALLOW_ALL)), ERR_OK);
    struct policy_request root = request("root", KEY1, POLICY_ACT_IamOrSts), ann = request("ann", KEY_U1, POLICY_ACT_Undelete);
    struct policy_request anon = {.auth = POLICY_AUTH_ANON, .act = POLICY_ACT_DeleteObjects, .bucket = SLICE_LIT("one")}, nobody = anon;
    assert_int_equal(policy_decide(&s, &root).reason, POLICY_ALLOWED);
    assert_int_equal(policy_decide(&s, &ann).reason, POLICY_NOT_OWNER); /* whatever a policy says: acts of OWNER rows are root's */
    assert_int_equal(policy_decide(&s, &anon).reason, POLICY_ANONYMOUS);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, CLOSED)), ERR_OK);
    assert_int_equal(policy_decide(&s, &anon).reason, POLICY_ANONYMOUS);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, PUBLIC)), ERR_OK);
    assert_int_equal(policy_decide(&s, &anon).reason, POLICY_ALLOWED); /* its items are decided */
    anon.bucket = SLICE_LIT("none");
    assert_int_equal(policy_decide(&s, &anon).reason, POLICY_ANONYMOUS);
    assert_false(policy_wants_ctx(&s, &anon)); /* no bucket, nothing to ask */
    nobody.auth = POLICY_AUTH__COUNT;
    assert_int_equal(policy_decide(&s, &nobody).reason, POLICY_ANONYMOUS);
    root.act = POLICY_ACT__COUNT;
    assert_int_equal(policy_decide(&s, &root).reason, POLICY_UNKNOWN_ACT);
    assert_false(policy_wants_ctx(&s, &root));
    root.act = POLICY_ACT_NONE;
    assert_false(policy_wants_ctx(&s, &root));
    root = request("root", KEY_U3, POLICY_ACT_GetObject);
    assert_false(policy_wants_ctx(&s, &root));
    ((struct policy_bucket *)(void *)s.buckets.p)->require_signed_payload = true; /* no leaf sets it yet */
    root = request("root", KEY1, POLICY_ACT_PutObject);
    root.body = POLICY_BODY_UNST;
    assert_int_equal(policy_decide(&s, &root).reason, POLICY_UNSIGNED_BODY);
    root.act = POLICY_ACT_GetObject;
    assert_int_equal(policy_decide(&s, &root).reason, POLICY_ALLOWED);
    policy_done(&s);
    assert_int_equal(policy_init(&s), ERR_OK);
    assert_false(policy_wants_ctx(&s, &root)); /* nothing is founded */
    policy_done(&s);
}

/* Whatever is asked of whichever bucket by whomever: what waits for the object had a ctx wanted, and what did not wait is the same after. */
static void what_waits_for_the_object_wanted_a_ctx(void **unused) {
    (void)unused;
    struct policy_state s;
    founded(&s);
    assert_int_equal(apply(&s, BUCKET("two", 2, 1, WHO2)), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateUser", 1, "ann", "", "/")), ERR_OK);
    assert_int_equal(apply(&s, iam("CreateAccessKey", 1, "ann", KEY_U1, "")), ERR_OK);
    assert_int_equal(apply(&s, CONFIG("one", 1, "PutBucketPolicy", 1, "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\","
                     "\"Condition\":{\"StringEquals\":{\"s3:ExistingObjectTag/a\":\"b\"}}}}")), ERR_OK);
    static const char *const buckets[] = {"", "one", "two", "none"};
    static const struct policy_who callers[] = {
        {SLICE_LIT(ACCOUNT1), SLICE_LIT("root"), SLICE_LIT(KEY1), SLICE_LIT(OWNER)},
        {SLICE_LIT(ACCOUNT1), SLICE_LIT("ann"), SLICE_LIT(KEY_U1), SLICE_LIT(STRANGER)},
        {SLICE_LIT(ACCOUNT2), SLICE_LIT("root"), SLICE_LIT(KEY2), SLICE_LIT(OWNER)},
    };
    unsigned waited = 0;
    for (unsigned i = 0; i < POLICY_ACT__COUNT * (unsigned)POLICY_AUTH__COUNT * ARRAY_LEN(buckets) * ARRAY_LEN(callers) * 4; i++) {
        unsigned n = i;
        struct policy_request r = {.act = (enum policy_act)(n % POLICY_ACT__COUNT)};
        n /= POLICY_ACT__COUNT;
        r.auth = (enum policy_auth)(n % POLICY_AUTH__COUNT);
        n /= POLICY_AUTH__COUNT;
        r.bucket = slice_str(buckets[n % ARRAY_LEN(buckets)]);
        n /= (unsigned)ARRAY_LEN(buckets);
        r.who = callers[n % ARRAY_LEN(callers)];
        n /= (unsigned)ARRAY_LEN(callers);
        if (n & 1) r.key = SLICE_LIT("k");
        if (n & 2) r.version_id = SLICE_LIT("v");
        struct policy_decision before = policy_decide(&s, &r);
        if (before.needs_object) assert_true(policy_wants_ctx(&s, &r));
        r.object_known = true;
        struct policy_decision after = policy_decide(&s, &r);
        assert_false(after.needs_object);
        assert_true(after.reason == before.reason || before.needs_object);
        assert_true(after.allow == (after.reason == POLICY_ALLOWED));
        waited += before.needs_object;
    }
    assert_true(waited > 0);
    policy_done(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_set_replaced_and_ended),
        cmocka_unit_test(documents_without_sense_are_refused),
        cmocka_unit_test(all_documents_of_a_tenant_have_a_bound),
        cmocka_unit_test(users_keys_and_policies_come_and_go),
        cmocka_unit_test(calls_without_sense_are_refused),
        cmocka_unit_test(a_users_policies_have_bounds),
        cmocka_unit_test(users_have_a_bound),
        cmocka_unit_test(an_erased_policy_denies),
        cmocka_unit_test(erased_calls_never_widen),
        cmocka_unit_test(an_erased_address_stops_replay_where_it_is_asked_for),
        cmocka_unit_test(cfg_and_iam_leaves_are_checked_like_any_request),
        cmocka_unit_test(acts_of_documents),
        cmocka_unit_test(corners_of_the_decision),
        cmocka_unit_test(what_waits_for_the_object_wanted_a_ctx),
    };
    return cmocka_run_group_tests_name("policy_change", tests, set_up, tear_down);
}
