/* SPDX-License-Identifier: Apache-2.0
 * Facts about the fold and the decision. LAW-4, LAW-5 (a tenant's state knows its own names only), LAW-6.
 * Role: unit test. Spec: docs/spec/policy.md.
 */
#include "policy/policy_rig.h"
#include "s3/s3.h"

/* acme: two accounts with a key and a bucket each. */
static void founded(struct policy_state *s) {
    assert_int_equal(policy_init(s), ERR_OK);
    assert_int_equal(apply(s, GENESIS), ERR_OK);
    assert_int_equal(apply(s, KEY(KEY1, ACCOUNT1, 1)), ERR_OK);
    assert_int_equal(apply(s, KEY(KEY2, ACCOUNT2, 1)), ERR_OK);
    assert_int_equal(apply(s, BUCKET("one", 1, 1, WHO1)), ERR_OK);
    assert_int_equal(apply(s, BUCKET("two", 2, 1, WHO2)), ERR_OK);
}

/* the fold ------------------------------------------------------------------------------------------------------------------ */

static void the_fold_is_what_the_log_says(void **state) {
    (void)state;
    struct policy_state s;
    founded(&s);
    assert_int_equal(s.size, 5);
    assert_string_equal(s.account, ACCOUNT1);
    assert_string_equal(s.name, "acme");
    assert_true(policy_is_owner(&s, slice_str(OWNER)));
    assert_false(policy_is_owner(&s, slice_str(STRANGER)));
    const struct policy_bucket *b = policy_bucket(&s, slice_str("two"));
    assert_non_null(b);
    assert_string_equal(b->account, ACCOUNT2);
    assert_int_equal(b->id[15], 2);
    assert_int_equal(b->index, 4);
    assert_ptr_equal(policy_bucket_of_id(&s, b->id), b);
    assert_int_equal(apply(&s, BUCKET("two", 2, 0, WHO2)), ERR_OK);
    assert_null(policy_bucket(&s, slice_str("two")));
    assert_int_equal(s.bucket_count, 1);
    assert_int_equal(apply(&s, BUCKET("two", 3, 1, WHO1)), ERR_OK); /* the name is free again, the row used again */
    assert_string_equal(policy_bucket(&s, slice_str("two"))->account, ACCOUNT1);
    assert_int_equal(s.buckets.n, 2 * sizeof(struct policy_bucket));
    size_t cursor = 0, seen = 0;
    while (policy_bucket_next(&s, &cursor) != NULL) seen++;
    assert_int_equal(seen, 2);
    policy_done(&s);
}

static void leaves_that_make_no_sense_are_refused_and_change_nothing(void **state) {
    (void)state;
    struct policy_state s;
    founded(&s);
    struct says erased_ctl = BUCKET("three", 3, 1, WHO1);
    erased_ctl.has_ctl = true;
    struct says denied = BUCKET("three", 3, 1, WHO1), newer = denied, past = KEY(KEY1, ACCOUNT1, 0);
    denied.dec = "deny";
    newer.eng = POLICY_ENGINE_VERSION + 1;
    past.t = 1;
    struct says moved = KEY(KEY1, ACCOUNT2, 0), number = KEY("not-a-key", ACCOUNT1, 1), digits = KEY(KEY1, "1111", 1);
    struct { const char *what; struct says says; enum err want; } cases[] = {
        {"genesis twice", GENESIS, ERR_EXISTS},
        {"a key twice", KEY(KEY1, ACCOUNT1, 1), ERR_EXISTS},
        {"an unknown key off", KEY("AKIACCCCCCCCCCCCCCCC", ACCOUNT1, 0), ERR_MISSING},
        {"a key of another account off", moved, ERR_INPUT},
        {"a key that is none", number, ERR_INPUT},
        {"an account that is none", digits, ERR_INPUT},
        {"on is 2", KEY("AKIACCCCCCCCCCCCCCCC", ACCOUNT1, 2), ERR_INPUT},
        {"time falls", past, ERR_INPUT},
        {"a bucket's name twice", BUCKET("one", 3, 1, WHO1), ERR_EXISTS},
        {"a bucket's name twice, by another account", BUCKET("one", 3, 1, WHO2), ERR_EXISTS},
        {"a bucket's id twice", BUCKET("three", 1, 1, WHO1), ERR_EXISTS},
        {"a bucket that is not there goes", BUCKET("three", 3, 0, WHO1), ERR_MISSING},
        {"id and name are two buckets", BUCKET("two", 1, 0, WHO1), ERR_INPUT},
        {"a name too short", BUCKET("ab", 3, 1, WHO1), ERR_INPUT},
        {"a name with a slash", BUCKET("a/b", 3, 1, WHO1), ERR_INPUT},
        {"decided under another size", erased_ctl, ERR_INPUT},
        {"denied, and yet", denied, ERR_INPUT},
        {"a newer engine", newer, ERR_VERSION},
        {"a reader that is not there goes", READER("nobody", 0), ERR_MISSING},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t size = s.size, t = s.t_ms;
        enum err e = apply(&s, cases[i].says);
        if (e != cases[i].want) fail_msg("%s: %s, want %s", cases[i].what, err_name(e), err_name(cases[i].want));
        assert_int_equal(s.size, size);
        assert_int_equal(s.t_ms, t);
        assert_int_equal(s.bucket_count, 2);
        assert_int_equal(s.keys.n, 2 * sizeof(struct policy_key));
    }
    assert_int_equal(apply(&s, BUCKET("three", 3, 1, WHO1)), ERR_OK); /* and it goes on */
    policy_done(&s);
}

static void order_matters(void **state) {
    (void)state;
    struct policy_state s;
    assert_int_equal(policy_init(&s), ERR_OK);
    assert_int_equal(apply(&s, KEY(KEY1, ACCOUNT1, 1)), ERR_INPUT); /* nothing before genesis */
    build(GENESIS);
    assert_int_equal(apply_built(&s, 1), ERR_INPUT); /* not the next one */
    assert_int_equal(apply_built(&s, 0), ERR_OK);
    assert_int_equal(apply_built(&s, 0), ERR_INPUT);
    assert_int_equal(apply(&s, BUCKET("one", 1, 0, WHO1)), ERR_MISSING);
    assert_int_equal(apply(&s, BUCKET("one", 1, 1, WHO1)), ERR_OK);
    assert_int_equal(apply(&s, BUCKET("one", 1, 0, WHO1)), ERR_OK);
    assert_int_equal(apply(&s, BUCKET("one", 1, 0, WHO1)), ERR_MISSING);
    policy_done(&s);
}

/* LAW-6: only the customer widens. */
static void keys_and_readers_change_by_owners_and_the_root_user_only(void **state) {
    (void)state;
    struct policy_state s;
    assert_int_equal(policy_init(&s), ERR_OK);
    struct says bare = KEY(KEY1, ACCOUNT1, 1), bare2 = KEY(KEY2, ACCOUNT2, 1), bare3 = KEY("AKIACCCCCCCCCCCCCCCC", ACCOUNT1, 1);
    bare.signer = bare2.signer = bare3.signer = NULL;
    struct says stranger = bare3, by_root = bare3, by_other = bare3, by_nobody = bare3, reader = READER("capability", 1);
    stranger.signer = STRANGER;
    by_root.who = WHO1;
    by_other.who = WHO2;
    by_nobody.who = ACCOUNT1 ":root:AKIADDDDDDDDDDDDDDDD";
    reader.signer = NULL;
    assert_int_equal(apply(&s, GENESIS), ERR_OK);
    assert_int_equal(apply(&s, bare), ERR_OK); /* under the genesis statement, directly after it */
    assert_int_equal(apply(&s, bare2), ERR_OK);
    assert_int_equal(apply(&s, BUCKET("one", 1, 1, WHO1)), ERR_OK);
    assert_int_equal(apply(&s, bare3), ERR_AUTH); /* not any more */
    assert_int_equal(apply(&s, reader), ERR_AUTH);
    assert_int_equal(apply(&s, stranger), ERR_AUTH);
    assert_int_equal(apply(&s, by_other), ERR_AUTH);
    assert_int_equal(apply(&s, by_nobody), ERR_AUTH);
    assert_null(policy_key(&s, slice_str("AKIACCCCCCCCCCCCCCCC")));
    assert_int_equal(apply(&s, by_root), ERR_OK);
    assert_int_equal(apply(&s, READER("capability", 1)), ERR_OK);
    assert_true(policy_reader_on(&s, slice_str("capability")));
    assert_int_equal(apply(&s, READER("capability", 1)), ERR_EXISTS);
    assert_int_equal(apply(&s, READER("capability", 0)), ERR_OK);
    assert_false(policy_reader_on(&s, slice_str("capability")));
    assert_int_equal(apply(&s, READER("capability", 0)), ERR_INPUT);
    assert_int_equal(apply(&s, READER("capability", 1)), ERR_EXISTS); /* a revoked one never comes back */
    policy_done(&s);
}

static void what_the_customer_had_erased_folds_all_the_same(void **state) {
    (void)state;
    struct policy_state s;
    founded(&s);
    struct says three = BUCKET("three", 3, 1, WHO1);
    three.ctl = s.size;
    build(three);
    assert_int_equal(record_opening_erase(&opening, RECORD_F_NAME), ERR_OK);
    assert_int_equal(record_opening_erase(&opening, RECORD_F_WHO), ERR_OK);
    assert_int_equal(apply_built(&s, s.size), ERR_OK);
    uint8_t id[ID_BYTES];
    memset(id, 3, sizeof id);
    assert_null(policy_bucket(&s, slice_str("three")));
    assert_non_null(policy_bucket_of_id(&s, id));
    assert_int_equal(apply(&s, BUCKET("three", 3, 0, WHO1)), ERR_OK);
    build(KEY(KEY1, ACCOUNT1, 0));
    assert_int_equal(policy_apply(&s, s.size, &leaf, NULL), ERR_MISSING); /* no opening at all is another thing */
    policy_done(&s);
}

static void bounds_are_refused_one_past(void **state) {
    (void)state;
    struct policy_state s;
    char name[32], key[ACCESS_KEY_CHARS + 1];
    uint8_t id[ID_BYTES] = {0};
    assert_int_equal(policy_init(&s), ERR_OK);
    assert_int_equal(apply(&s, GENESIS), ERR_OK);
    assert_int_equal(apply(&s, KEY(KEY1, ACCOUNT1, 1)), ERR_OK);
    for (uint32_t i = 0; i <= S3_BUCKETS_PER_TENANT_MAX; i++) {
        snprintf(name, sizeof name, "bucket-%u", i);
        struct says b = BUCKET(name, 1, 1, WHO1);
        b.ctl = s.size;
        build(b);
        put_be32(id, i + 1);
        memcpy(leaf.f[RECORD_F_BKT].bytes, id, ID_BYTES); /* ids of their own, past build()'s one byte */
        enum err e = apply_built(&s, s.size);
        if (e != (i < S3_BUCKETS_PER_TENANT_MAX ? ERR_OK : ERR_LIMIT)) fail_msg("bucket %u: %s", i, err_name(e));
    }
    struct policy_request r = {.who = {slice_str(ACCOUNT1), slice_str("root"), slice_str(KEY1), {0}},
                               .act = POLICY_ACT_CreateBucket, .bucket = slice_str("one-more")};
    assert_int_equal(policy_decide(&s, &r).reason, POLICY_BUCKETS_MAX);
    assert_int_equal(apply(&s, BUCKET("bucket-17", 0xee, 0, WHO1)), ERR_MISSING);
    put_be32(id, 18);
    build((struct says){.kind = RECORD_K_BKT, .name = "bucket-17", .id = 1, .on = 0, .who = WHO1, .ctl = s.size});
    memcpy(leaf.f[RECORD_F_BKT].bytes, id, ID_BYTES);
    assert_int_equal(apply_built(&s, s.size), ERR_OK);
    assert_int_equal(policy_decide(&s, &r).reason, POLICY_ALLOWED);
    for (uint32_t i = 1; i <= POLICY_KEYS_MAX; i++) { /* one is there already */
        snprintf(key, sizeof key, "AKIA%016u", i);
        enum err e = apply(&s, KEY(key, ACCOUNT1, 1));
        if (e != (i < POLICY_KEYS_MAX ? ERR_OK : ERR_LIMIT)) fail_msg("key %u: %s", i, err_name(e));
    }
    for (uint32_t i = 0; i <= POLICY_READERS_MAX; i++) {
        snprintf(key, sizeof key, "reader-%u", i);
        enum err e = apply(&s, READER(key, 1));
        if (e != (i < POLICY_READERS_MAX ? ERR_OK : ERR_LIMIT)) fail_msg("reader %u: %s", i, err_name(e));
    }
    policy_done(&s);
}

/* decisions -------------------------------------------------------------------------------------------------------------------- */

static struct policy_request request(enum policy_auth auth, const char *who, const char *act, const char *bucket) {
    struct policy_request r = {.auth = auth, .act = policy_act_of(slice_str(act)), .bucket = slice_str(bucket)};
    assert_int_equal(policy_who_parse(auth, slice_str(who), &r.who), ERR_OK);
    return r;
}

static void the_table_of_decisions(void **state) { /* long: one table */
    (void)state;
    struct policy_state s;
    founded(&s);
    assert_int_equal(apply(&s, KEY("AKIACCCCCCCCCCCCCCCC", ACCOUNT1, 1)), ERR_OK);
    assert_int_equal(apply(&s, KEY("AKIACCCCCCCCCCCCCCCC", ACCOUNT1, 0)), ERR_OK);
    enum { H = POLICY_AUTH_HDR, Q = POLICY_AUTH_QRY, N = POLICY_AUTH_ANON, T = POLICY_AUTH_STMT, A = POLICY_AUTH_AUTO };
    static const struct { int auth; const char *who, *act, *bucket; enum policy_reason want; } cases[] = {
        {H, WHO1, "ListBuckets", NULL, POLICY_ALLOWED},
        {H, WHO1, "GetObject", "one", POLICY_ALLOWED},
        {Q, WHO1, "GetObject", "one", POLICY_ALLOWED},
        {H, WHO1, "PutObject", "two", POLICY_OTHER_ACCOUNT},     /* the first account's root is another account there */
        {H, WHO2, "PutObject", "two", POLICY_ALLOWED},
        {H, WHO2, "GetObject", "one", POLICY_OTHER_ACCOUNT},
        {H, WHO2, "DeleteBucket", "one", POLICY_OTHER_ACCOUNT},
        {H, WHO2, "HeadBucket", "one", POLICY_OTHER_ACCOUNT},
        {H, WHO1, "GetObject", "three", POLICY_NO_BUCKET},
        {H, WHO1, "DeleteBucket", "three", POLICY_NO_BUCKET},
        {H, WHO1, "CreateBucket", "three", POLICY_ALLOWED},
        {H, WHO1, "CreateBucket", "one", POLICY_BUCKET_OWNED},
        {H, WHO1, "CreateBucket", "two", POLICY_BUCKET_TAKEN},
        {H, WHO2, "CreateBucket", "two", POLICY_BUCKET_OWNED},
        {H, WHO1, "Undelete", "one", POLICY_ALLOWED},
        {H, WHO1, "Undelete", "three", POLICY_NO_BUCKET},
        {H, WHO1, "Undelete", "two", POLICY_ALLOWED},
        {H, WHO2, "Undelete", "two", POLICY_NOT_OWNER},
        {H, WHO2, "ReadOpenings", NULL, POLICY_NOT_OWNER},
        {POLICY_AUTH_FORM, WHO1, "PostObject", "one", POLICY_ALLOWED},
        {POLICY_AUTH_FORM, WHO2, "PostObject", "one", POLICY_OTHER_ACCOUNT},
        {H, WHO1, "DeleteObjects", "one", POLICY_ALLOWED},
        {H, WHO2, "DeleteObjects", "one", POLICY_ALLOWED},       /* its items decide */
        {N, "anon", "DeleteObjects", "one", POLICY_ANONYMOUS},
        {N, "anon", "BucketPreflight", "one", POLICY_ALLOWED},
        {N, "anon", "ObjectPreflight", "one", POLICY_ALLOWED},
        {N, "anon", "BucketPreflight", "three", POLICY_ANONYMOUS},
        {H, WHO2, "GetCallerIdentity", NULL, POLICY_ALLOWED},
        {N, "anon", "GetCallerIdentity", NULL, POLICY_ANONYMOUS},
        {N, "anon", "CreateUser", NULL, POLICY_ANONYMOUS},
        {N, "anon", "CreateBucket", "one", POLICY_ANONYMOUS},
        {N, "anon", "ReadOpenings", NULL, POLICY_ANONYMOUS},
        {H, WHO2, "CreateUser", NULL, POLICY_ALLOWED},
        {H, WHO2, "ListTagsForResource", "two", POLICY_ALLOWED},
        {H, WHO2, "ListTagsForResource", "one", POLICY_OTHER_ACCOUNT},
        {A, "auto", "LifecycleExpire", "one", POLICY_ALLOWED},
        {A, "auto", "LifecycleExpire", "three", POLICY_NO_BUCKET},
        {H, WHO1, "LifecycleAbort", "one", POLICY_ONLY_AUTO},
        {H, WHO1, "ReadOpenings", NULL, POLICY_ALLOWED},
        {H, WHO1, "PurgeGrave", NULL, POLICY_ONLY_AUTO},
        {H, WHO1, "MakeTea", "one", POLICY_UNKNOWN_ACT},
        {H, WHO1, "", "one", POLICY_UNKNOWN_ACT},
        {H, WHO1, "getobject", "one", POLICY_UNKNOWN_ACT},
        {H, ACCOUNT1 ":root:AKIADDDDDDDDDDDDDDDD", "GetObject", "one", POLICY_UNKNOWN_KEY},
        {H, ACCOUNT1 ":root:AKIACCCCCCCCCCCCCCCC", "GetObject", "one", POLICY_KEY_OFF},
        {H, ACCOUNT2 ":root:" KEY1, "GetObject", "two", POLICY_OTHER_PRINCIPAL},
        {H, ACCOUNT1 ":eve:" KEY1, "GetObject", "one", POLICY_OTHER_PRINCIPAL},
        {N, "anon", "GetObject", "one", POLICY_ANONYMOUS},
        {N, "anon", "GetObject", "three", POLICY_ANONYMOUS},     /* the same whether it is there or not */
        {N, "anon", "ListBuckets", NULL, POLICY_ANONYMOUS},
        {N, "anon", "PurgeGrave", NULL, POLICY_ANONYMOUS},
        {A, "auto", "PurgeGrave", NULL, POLICY_ALLOWED},
        {A, "auto", "GetObject", "one", POLICY_NOT_FOR_AUTO},
        {A, "auto", "ReadOpenings", NULL, POLICY_NOT_FOR_AUTO},
        {T, OWNER, "ReadOpenings", NULL, POLICY_ALLOWED},
        {T, OWNER, "Undelete", "two", POLICY_ALLOWED},
        {T, OWNER, "GetObject", "one", POLICY_NOT_FOR_STMT},
        {T, STRANGER, "ReadOpenings", NULL, POLICY_NOT_OWNER},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy_request r = request((enum policy_auth)cases[i].auth, cases[i].who, cases[i].act, cases[i].bucket);
        struct policy_decision d = policy_decide(&s, &r);
        if (d.reason != cases[i].want) {
            fail_msg("%s %s %s: %s, want %s", cases[i].who, cases[i].act, cases[i].bucket == NULL ? "-" : cases[i].bucket,
                     policy_reason_text(d.reason), policy_reason_text(cases[i].want));
        }
        assert_true(d.allow == (d.reason == POLICY_ALLOWED));
        assert_int_equal(d.ctl, s.size);
        assert_int_equal(d.engine, POLICY_ENGINE_VERSION);
        assert_true((policy_reason_s3(d.reason)[0] == 0) == d.allow);
    }
    policy_done(&s);
}

static void nothing_is_allowed_before_genesis(void **state) {
    (void)state;
    struct policy_state s;
    assert_int_equal(policy_init(&s), ERR_OK);
    struct policy_request r = request(POLICY_AUTH_HDR, WHO1, "ListBuckets", NULL);
    assert_int_equal(policy_decide(&s, &r).reason, POLICY_NOT_FOUNDED);
    r = request(POLICY_AUTH_AUTO, "auto", "PurgeGrave", NULL);
    assert_int_equal(policy_decide(&s, &r).reason, POLICY_NOT_FOUNDED);
    policy_done(&s);
}

static void a_bucket_may_want_bodies_under_the_signature(void **state) {
    (void)state;
    struct policy_state s;
    founded(&s);
    ((struct policy_bucket *)(void *)s.buckets.p)[0].require_signed_payload = true; /* no leaf sets it yet */
    struct policy_request r = request(POLICY_AUTH_HDR, WHO1, "PutObject", "one");
    static const enum policy_reason want[POLICY_BODY__COUNT] = {POLICY_ALLOWED, POLICY_ALLOWED, POLICY_UNSIGNED_BODY,
                                                                POLICY_UNSIGNED_BODY, POLICY_ALLOWED};
    for (int b = 0; b < POLICY_BODY__COUNT; b++) {
        r.body = (enum policy_body)b;
        assert_int_equal(policy_decide(&s, &r).reason, want[b]);
    }
    r.act = POLICY_ACT_GetObject; /* reads have no body to sign */
    assert_int_equal(policy_decide(&s, &r).reason, POLICY_ALLOWED);
    r = request(POLICY_AUTH_HDR, WHO2, "PutObject", "two");
    r.body = POLICY_BODY_UNS;
    assert_int_equal(policy_decide(&s, &r).reason, POLICY_ALLOWED);
    policy_done(&s);
}

static void the_same_log_gives_the_same_decisions(void **state) {
    (void)state;
    struct policy_state a, b;
    now_ms = 1000;
    founded(&a);
    now_ms = 1000;
    founded(&b);
    static const char *const acts[] = {"GetObject", "CreateBucket", "ListObjectsV2"}, *const names[] = {"one", "two", "x"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            struct policy_request r = request(POLICY_AUTH_HDR, WHO2, acts[i], names[j]);
            struct policy_decision x = policy_decide(&a, &r), y = policy_decide(&b, &r);
            assert_int_equal(x.reason, y.reason);
            assert_int_equal(x.ctl, y.ctl);
        }
    }
    assert_int_equal(a.keys.n, b.keys.n);
    assert_memory_equal(a.keys.p, b.keys.p, a.keys.n);
    assert_memory_equal(a.buckets.p, b.buckets.p, a.buckets.n);
    policy_done(&a);
    policy_done(&b);
}

/* replay ------------------------------------------------------------------------------------------------------------------------- */

#define ACCESS(w, a, b, d, y) ((struct says){.kind = RECORD_K_ACC, .auth = "hdr", .who = w, .act = a, .bucket = b, .object = "k", \
                                             .dec = d, .why = y, .body = "sha256"})

static enum err check(const struct policy_state *s, struct says what, struct policy_decision *d) {
    if (!what.has_ctl) what.ctl = s->size;
    build(what);
    return policy_check(s, &leaf, &opening, d);
}

static void replay_finds_every_wrong_decision(void **state) {
    (void)state;
    struct policy_state s;
    struct policy_decision d;
    founded(&s);
    struct says other_bucket = ACCESS(WHO1, "GetObject", "one", "allow", NULL), this_bucket = other_bucket;
    other_bucket.id = 2;
    this_bucket.id = 1;
    struct says denied_write = ACCESS(WHO2, "PutObject", "one", "deny", "other-account"), old = other_bucket, engine = this_bucket;
    denied_write.w = 1;
    old.has_ctl = true;
    old.ctl = 4;
    engine.eng = POLICY_ENGINE_VERSION + 1;
    struct { const char *what; struct says says; enum err want; } cases[] = {
        {"allowed, as decided", ACCESS(WHO1, "GetObject", "one", "allow", NULL), ERR_OK},
        {"allowed, refused by the data", ACCESS(WHO1, "GetObject", "one", "allow", "NoSuchKey"), ERR_OK},
        {"allowed, with the right bucket", this_bucket, ERR_OK},
        {"allowed, with another bucket's id", other_bucket, ERR_VERIFY},
        {"denied, as decided", ACCESS(WHO2, "GetObject", "one", "deny", "other-account"), ERR_OK},
        {"denied for another reason", ACCESS(WHO2, "GetObject", "one", "deny", "anonymous"), ERR_VERIFY},
        {"denied without a reason", ACCESS(WHO2, "GetObject", "one", "deny", NULL), ERR_VERIFY},
        {"denied, should be allowed", ACCESS(WHO1, "GetObject", "one", "deny", "other-account"), ERR_VERIFY},
        {"allowed, should be denied", ACCESS(WHO2, "GetObject", "one", "allow", NULL), ERR_VERIFY},
        {"denied, and yet a write", denied_write, ERR_VERIFY},
        {"decided under another size", old, ERR_RANGE},
        {"decided by another engine", engine, ERR_VERSION},
        {"an auth that is none", (struct says){.kind = RECORD_K_ACC, .auth = "magic", .who = WHO1, .act = "GetObject",
                                               .bucket = "one"}, ERR_INPUT},
        {"a caller that is none", ACCESS("somebody", "GetObject", "one", "allow", NULL), ERR_INPUT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum err e = check(&s, cases[i].says, &d);
        if (e != cases[i].want) fail_msg("%s: %s, want %s", cases[i].what, err_name(e), err_name(cases[i].want));
    }
    build(ACCESS(WHO1, "GetObject", "one", "allow", NULL));
    assert_int_equal(record_opening_erase(&opening, RECORD_F_WHO), ERR_OK);
    assert_int_equal(policy_check(&s, &leaf, &opening, &d), ERR_MISSING); /* cannot be recomputed: said, not guessed */
    assert_int_equal(policy_check(&s, &leaf, NULL, &d), ERR_MISSING);
    policy_done(&s);
}

static void a_buckets_leaf_is_checked_before_it_is_folded(void **state) {
    (void)state;
    struct policy_state s;
    struct policy_decision d;
    founded(&s);
    assert_int_equal(check(&s, BUCKET("three", 3, 1, WHO2), &d), ERR_OK);
    assert_int_equal(apply_built(&s, s.size), ERR_OK);
    assert_int_equal(check(&s, BUCKET("three", 4, 1, WHO2), &d), ERR_VERIFY);
    assert_int_equal(d.reason, POLICY_BUCKET_OWNED);
    struct says gone = BUCKET("one", 1, 0, WHO2);
    gone.act = "DeleteBucket";
    assert_int_equal(check(&s, gone, &d), ERR_VERIFY);
    assert_int_equal(d.reason, POLICY_OTHER_ACCOUNT);
    policy_done(&s);
}

/* words ---------------------------------------------------------------------------------------------------------------------------- */

static void acts_have_the_numbers_of_s3_operations(void **state) {
    (void)state;
    assert_int_equal(POLICY_ACT_ListBuckets, S3_OP_ListBuckets);
    assert_int_equal(POLICY_ACT_GetObject, S3_OP_GetObject);
    assert_int_equal(POLICY_ACT_DeleteObject, S3_OP_DeleteObject);
    assert_int_equal(POLICY_ACT_Undelete, S3_OP__COUNT);
    for (int i = 1; i < POLICY_ACT__COUNT; i++) {
        assert_int_equal(policy_act_of(slice_str(policy_act_text((enum policy_act)i))), i);
    }
    assert_int_equal(policy_act_of(slice_str("")), POLICY_ACT_NONE);
}

static void reasons_are_distinct_and_no_s3_code(void **state) {
    (void)state;
    for (int i = 0; i < POLICY_REASON__COUNT; i++) {
        const char *text = policy_reason_text((enum policy_reason)i);
        assert_true(text[0] >= 'a' && text[0] <= 'z');
        for (int j = 0; j < i; j++) assert_string_not_equal(text, policy_reason_text((enum policy_reason)j));
    }
}

#define STS_GRANT "aaaqeayeaudaocajbifqydiob4"
#define STS_WHO "anna.b_c-1:" STS_GRANT ":" KEY1

static void a_session_names_a_person_a_grant_and_a_key(void **state) {
    (void)state;
    struct policy_who w;
    static const char *const bad[] = {":" STS_GRANT ":" KEY1, "Anna:" STS_GRANT ":" KEY1, "anna:AAAQEAYEAUDAOCAJBIFQYDIOB4:" KEY1, "anna::" KEY1,
                                      "anna:" STS_GRANT "a:" KEY1, "anna:" STS_GRANT ":" KEY1 "A", "anna:" STS_GRANT ":x:" KEY1, "an na:" STS_GRANT ":" KEY1};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_int_equal(policy_who_parse(POLICY_AUTH_STS, slice_str(bad[i]), &w), ERR_INPUT);
    char account[POLICY_WORD_CHARS_MAX + 2], text[200];
    memset(account, 'a', sizeof account);
    for (int past = 0; past < 2; past++) {
        snprintf(text, sizeof text, "%.*s:" STS_GRANT ":" KEY1, POLICY_WORD_CHARS_MAX + past, account);
        assert_int_equal(policy_who_parse(POLICY_AUTH_STS, slice_str(text), &w), past ? ERR_INPUT : ERR_OK);
    }
}

static void who_reads_back_and_nothing_shorter_does(void **state) {
    (void)state;
    struct policy_who w;
    static const struct { enum policy_auth auth; const char *text; size_t shortest; } good[] = {
        {POLICY_AUTH_HDR, WHO1, sizeof WHO1 - 1}, {POLICY_AUTH_QRY, ACCOUNT2 ":a.b@c:" KEY2, sizeof ACCOUNT2 ":a.b@c:" KEY2 - 1},
        {POLICY_AUTH_ANON, "anon", 4}, {POLICY_AUTH_AUTO, "auto", 4}, {POLICY_AUTH_STMT, OWNER, 7},
        {POLICY_AUTH_STS, STS_WHO, sizeof STS_WHO - 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct buf out = BUF_INIT(200);
        assert_int_equal(policy_who_parse(good[i].auth, slice_str(good[i].text), &w), ERR_OK);
        policy_who_put(&out, good[i].auth, &w);
        assert_true(slice_is(buf_slice(&out), good[i].text));
        buf_done(&out);
        for (size_t n = 0; n < good[i].shortest; n++) { /* truncation at every byte */
            assert_int_equal(policy_who_parse(good[i].auth, slice_of(good[i].text, n), &w), ERR_INPUT);
        }
    }
    static const char *const bad[] = {ACCOUNT1 "::" KEY1, ":root:" KEY1, ACCOUNT1 ":ro ot:" KEY1, ACCOUNT1 ":root:" KEY1 "A",
                                      ACCOUNT1 ":root:akiaaaaaaaaaaaaaaaaa", "1:root:" KEY1, ACCOUNT1 ":root:x:" KEY1};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(policy_who_parse(POLICY_AUTH_HDR, slice_str(bad[i]), &w), ERR_INPUT);
    }
    char user[POLICY_USER_CHARS_MAX + 2], text[200];
    memset(user, 'u', sizeof user);
    for (int past = 0; past < 2; past++) {
        snprintf(text, sizeof text, ACCOUNT1 ":%.*s:" KEY1, POLICY_USER_CHARS_MAX + past, user);
        assert_int_equal(policy_who_parse(POLICY_AUTH_HDR, slice_str(text), &w), past ? ERR_INPUT : ERR_OK);
    }
    assert_int_equal(policy_who_parse(POLICY_AUTH_STMT, slice_str(OWNER "x"), &w), ERR_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fold_is_what_the_log_says),
        cmocka_unit_test(leaves_that_make_no_sense_are_refused_and_change_nothing),
        cmocka_unit_test(order_matters),
        cmocka_unit_test(keys_and_readers_change_by_owners_and_the_root_user_only),
        cmocka_unit_test(what_the_customer_had_erased_folds_all_the_same),
        cmocka_unit_test(bounds_are_refused_one_past),
        cmocka_unit_test(the_table_of_decisions),
        cmocka_unit_test(nothing_is_allowed_before_genesis),
        cmocka_unit_test(a_bucket_may_want_bodies_under_the_signature),
        cmocka_unit_test(the_same_log_gives_the_same_decisions),
        cmocka_unit_test(replay_finds_every_wrong_decision),
        cmocka_unit_test(a_buckets_leaf_is_checked_before_it_is_folded),
        cmocka_unit_test(acts_have_the_numbers_of_s3_operations),
        cmocka_unit_test(reasons_are_distinct_and_no_s3_code),
        cmocka_unit_test(a_session_names_a_person_a_grant_and_a_key),
        cmocka_unit_test(who_reads_back_and_nothing_shorter_does),
    };
    return cmocka_run_group_tests_name("policy", tests, set_up, tear_down);
}
