/* SPDX-License-Identifier: Apache-2.0
 * Deciding under a grant: every reason is reached, what is taken away counts from its leaf on, and the recorded leaf is decided again.
 * Role: unit test. Spec: docs/spec/access.md sections 3 to 7, docs/spec/policy.md section 7. LAW-4, LAW-6.
 */
#include "base/test.h"
#include "policy/policy_grant_rig.h"

#define UNKNOWN UINT64_MAX                         /* opens: before FIND */

struct ask {
    const char *act, *bucket, *key, *prefix;       /* prefix: of a listing; NULL: none */
    uint64_t opens;
    bool goes_on;
};
#define GET(key_, opens_) ((struct ask){.act = "GetObject", .bucket = "data", .key = (key_), .opens = (opens_)})
#define LIST(prefix_) ((struct ask){.act = "ListObjectsV2", .bucket = "data", .key = "", .prefix = (prefix_), .opens = UNKNOWN})

static struct policy_decision decide_as(const char *id, const char *account, struct ask a, uint64_t t_ms) {
    struct policy_request r = {.auth = POLICY_AUTH_STS, .act = policy_act_of(slice_str(a.act)), .bucket = slice_str(a.bucket), .key = slice_str(a.key),
                               .t_ms = t_ms, .opens_known = a.opens != UNKNOWN, .opens = a.opens != UNKNOWN ? a.opens : 0, .goes_on = a.goes_on};
    struct buf ctx = BUF_INIT(POLICY_CTX_BYTES_MAX);
    if (a.prefix != NULL) record_ctx_put(&ctx, SLICE_LIT("?prefix"), slice_str(a.prefix));
    r.ctx = buf_slice(&ctx);
    r.who = (struct policy_who){.account = slice_str(account), .user = slice_str(id), .access_key = SLICE_LIT(KEY1)};
    assert_int_equal(base32_fixed(slice_str(id), r.grant, ID_BYTES), ERR_OK);
    struct policy_decision d = policy_decide(&state, &r);
    assert_int_equal(d.allow, d.reason == POLICY_ALLOWED);
    assert_false(d.needs_object);
    buf_done(&ctx);
    return d;
}
static enum policy_reason decide(const char *id, struct ask a) { return decide_as(id, "anna", a, now_ms).reason; }

#define check_reason(got, want) check_reason_at((got), POLICY_##want, __FILE__, __LINE__)
static void check_reason_at(enum policy_reason got, enum policy_reason want, const char *file, int line) {
    if (got == want) return;
    print_error("%s:%d: got %s, want %s\n", file, line, policy_reason_text(got), policy_reason_text(want));
    _fail(file, line);
}

/* the leaf of a decision ---------------------------------------------------------------------------------------------------------- */

static struct rig_use use_of(const char *id, struct ask a) {
    struct policy_decision d = decide_as(id, "anna", a, now_ms);
    struct rig_use u = {.account = "anna", .act = a.act, .bucket = a.bucket, .key = a.key, .prefix = a.prefix, .dec = d.allow ? "allow" : "deny",
                        .why = d.allow ? NULL : policy_reason_text(d.reason), .bytes = a.opens, .ref = a.goes_on ? 1 : UINT64_MAX,
                        .person = "anna-p", .employer = "Host AG", .purpose = "incident", .categories = "general", .country = "DE"};
    assert_int_equal(base32_fixed(slice_str(id), u.grant, ID_BYTES), ERR_OK);
    return u;
}

static enum err replay(const struct rig_use *u) {
    struct policy_decision d;
    rig_use_leaf(&state, u);
    return policy_check(&state, &leaf, &opening, &d);
}

/* Decided, recorded, decided again, folded. */
static enum policy_reason uses(const char *id, struct ask a) {
    now_ms++;
    struct rig_use u = use_of(id, a);
    check_err(replay(&u), ERR_OK);
    enum policy_reason reason = decide(id, a);
    assert_int_equal(apply_built(&state, state.size), ERR_OK);
    return reason;
}

/* scope ----------------------------------------------------------------------------------------------------------------------------- */

static void only_what_it_names_is_allowed(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    check_reason(decide(id, GET("a/1", UNKNOWN)), ALLOWED);
    check_reason(decide(id, GET("a/", UNKNOWN)), ALLOWED);
    check_reason(decide(id, GET("a", UNKNOWN)), GRANT_SCOPE);
    check_reason(decide(id, GET("b/1", UNKNOWN)), GRANT_SCOPE);
    check_reason(decide(id, GET("", UNKNOWN)), GRANT_SCOPE);
    struct ask other = GET("a/1", UNKNOWN);
    other.bucket = "two";
    check_reason(decide(id, other), GRANT_SCOPE);
    other.bucket = "nowhere";
    check_reason(decide(id, other), GRANT_SCOPE);
    check_reason(decide(id, LIST("a/")), ALLOWED);
    check_reason(decide(id, LIST("a/x")), ALLOWED);
    check_reason(decide(id, LIST("a")), GRANT_SCOPE);
    check_reason(decide(id, LIST("")), GRANT_SCOPE);
    check_reason(decide(id, LIST(NULL)), GRANT_SCOPE);
    struct ask head = {.act = "HeadBucket", .bucket = "data", .key = "", .opens = UNKNOWN};
    check_reason(decide(id, head), ALLOWED);
    head.act = "GetBucketLocation";
    check_reason(decide(id, head), ALLOWED);
    head.bucket = "two";
    check_reason(decide(id, head), GRANT_SCOPE);
    assert_ptr_equal(decide_as(id, "anna", GET("a/1", 1), now_ms).bucket, policy_bucket(&state, SLICE_LIT("data")));
    const char *whole = approved(gid(2), with(request(gid(2)), "prefix="));
    done(login(whole));
    check_reason(decide(whole, LIST(NULL)), ALLOWED);
    check_reason(decide(whole, GET("b/1", UNKNOWN)), ALLOWED);
}

static void every_other_act_is_refused(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    static const char *const allowed[] = {"ListObjects", "ListObjectsV2", "ListObjectVersions", "HeadObject", "HeadObjectVersion", "HeadObjectPart",
                                          "GetObject", "GetObjectVersion", "GetObjectPart", "HeadBucket", "GetBucketLocation"};
    size_t seen = 0;
    for (int a = 1; a < POLICY_ACT__COUNT; a++) {
        const char *act = policy_act_text((enum policy_act)a);
        bool want = false;
        for (size_t i = 0; i < ARRAY_LEN(allowed); i++) want = want || strcmp(act, allowed[i]) == 0;
        enum policy_reason got = decide(id, (struct ask){.act = act, .bucket = "data", .key = "a/1", .prefix = "a/", .opens = UNKNOWN});
        if (got != (want ? POLICY_ALLOWED : POLICY_GRANT_ACT)) fail_msg("%s: %s", act, policy_reason_text(got));
        seen += want;
    }
    assert_int_equal(seen, ARRAY_LEN(allowed));
}

static void a_verb_allows_its_acts_alone(void **unused) {
    (void)unused;
    static const struct { const char *verb, *yes, *no[2]; } cases[] = {
        {"verb=list", "ListObjects", {"HeadObject", "GetObject"}}, {"verb=head", "HeadObjectVersion", {"ListObjectVersions", "GetObjectPart"}},
        {"verb=read", "GetObjectVersion", {"ListObjectsV2", "HeadObject"}},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        const char *id = approved(gid(i + 1), with(request(gid(i + 1)), cases[i].verb));
        done(login(id));
        struct ask a = {.act = cases[i].yes, .bucket = "data", .key = "a/1", .prefix = "a/", .opens = UNKNOWN};
        check_reason(decide(id, a), ALLOWED);
        for (int k = 0; k < 2; k++) {
            a.act = cases[i].no[k];
            check_reason(decide(id, a), GRANT_VERB);
        }
        a.act = "HeadBucket";
        check_reason(decide(id, a), ALLOWED);
    }
}

static void a_bucket_made_anew_is_another_one(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    assert_int_equal(apply(&state, BUCKET("data", 1, 0, WHO1)), ERR_OK);
    check_reason(decide(id, GET("a/1", UNKNOWN)), NO_BUCKET);
    assert_int_equal(apply(&state, BUCKET("data", 3, 1, WHO1)), ERR_OK);
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_SCOPE);
}

/* who and when ------------------------------------------------------------------------------------------------------------------------ */

static void only_after_a_login_and_until_its_end(void **unused) {
    (void)unused;
    const char *id = gid(1);
    check_reason(decide(id, GET("a/1", UNKNOWN)), NO_GRANT);
    done(request(id));
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_STATE);
    done(approve(id, K_MONA));
    done(approve(id, K_AA));
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_STATE);
    done(login(id));
    check_reason(decide(id, GET("a/1", UNKNOWN)), ALLOWED);
    check_reason(decide_as(id, "anna2", GET("a/1", UNKNOWN), now_ms).reason, OTHER_PRINCIPAL);
    uint64_t end = grant_of(id)->end_ms;
    check_reason(decide_as(id, "anna", GET("a/1", UNKNOWN), end - 1).reason, ALLOWED);
    check_reason(decide_as(id, "anna", GET("a/1", UNKNOWN), end).reason, GRANT_STATE);
    done(revoke(id, K_CC));
    check_reason(decide_as(id, "anna", GET("a/1", 5), now_ms).reason, GRANT_STATE);
}

static void a_session_names_its_own_grant(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    struct policy_request r = {.auth = POLICY_AUTH_STS, .act = POLICY_ACT_GetObject, .bucket = SLICE_LIT("data"), .key = SLICE_LIT("a/1"), .t_ms = now_ms};
    r.who = (struct policy_who){.account = SLICE_LIT("anna"), .user = slice_str(id)};
    memcpy(r.grant, grant_of(id)->id, ID_BYTES);
    assert_true(policy_decide(&state, &r).allow);
    struct policy_use use;
    assert_true(policy_use_of(&state, &r, &use));
    assert_string_equal(use.person->person, "anna-p");
    assert_ptr_equal(use.grant, grant_of(id));
    r.who.user = slice_str(gid(2));
    check_reason(policy_decide(&state, &r).reason, NO_GRANT);
    assert_false(policy_use_of(&state, &r, &use));
}

static void an_extension_that_waits_keeps_a_session_and_makes_none(void **unused) {
    (void)unused;
    char extends[60];
    const char *id = approved(gid(1), request(gid(1)));
    snprintf(extends, sizeof extends, "extends=%s", gid(1));
    done(with(request(gid(2)), extends));
    assert_int_equal(state_now(id), POLICY_GRANT_EXTENSION_PENDING);
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_STATE); /* nobody has logged in */
    done(login(id));
    assert_int_equal(state_now(id), POLICY_GRANT_EXTENSION_PENDING);
    check_reason(decide(id, GET("a/1", UNKNOWN)), ALLOWED);
    check_reason(decide(gid(2), GET("a/1", UNKNOWN)), GRANT_STATE);
}

static bool stands(const char *id, uint64_t ctl, uint64_t t_ms) {
    struct policy_request r = {.auth = POLICY_AUTH_STS, .act = POLICY_ACT_GetObject, .bucket = SLICE_LIT("data"), .key = SLICE_LIT("a/1"), .t_ms = t_ms, .opens_known = true};
    r.who = (struct policy_who){.account = SLICE_LIT("anna"), .user = slice_str(id), .access_key = SLICE_LIT(KEY1)};
    memcpy(r.grant, grant_of(id)->id, ID_BYTES);
    return policy_use_stands(&state, &r, ctl);
}

/* Uses change nothing of it; time does by itself; every other leaf has all of it asked again. */
static void what_was_allowed_stands_until_a_leaf_or_time_ends_it(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    uint64_t ctl = state.size;
    check_reason(uses(id, GET("a/1", 5)), ALLOWED);
    assert_int_equal(state.changed, ctl);
    uint64_t end = grant_of(id)->end_ms;
    assert_true(stands(id, ctl, now_ms));
    assert_true(stands(id, ctl, end - 1));
    assert_false(stands(id, ctl, end));
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "mona", RIG_OFFICER, NULL)), POLICY_SAY_DONE);
    assert_true(stands(id, ctl, now_ms));          /* it is not in this log yet */
    assert_int_equal(rig_mirror(&state, rig_kept_count - 1), ERR_OK);
    assert_int_equal(state.changed, state.size);
    assert_false(stands(id, ctl, now_ms));
}

static void overdue_is_off_in_the_ms_after(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    const struct policy_person *anna = policy_person(policy_people(&state), SLICE_LIT("anna"));
    uint64_t last = anna->review_ms + REVIEW_MS;
    /* The grant would live so long: only the date ends it. */
    now_ms = last - HOUR / 2;
    id = active(gid(2));
    check_reason(decide_as(id, "anna", GET("a/1", UNKNOWN), last - 1).reason, ALLOWED);
    check_reason(decide_as(id, "anna", GET("a/1", UNKNOWN), last).reason, NOT_ELIGIBLE);
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "anna", RIG_OFFICER, NULL)), POLICY_SAY_DONE);
    rig_mirrors(&state, &provider, NULL);
    check_reason(decide(id, GET("a/1", UNKNOWN)), NOT_ELIGIBLE);
}

/* what is taken away ---------------------------------------------------------------------------------------------------------------------- */

static void a_purpose_that_is_tightened_or_off_counts_at_once(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    done(RIG(PURPOSE_LIMIT, "incident", K_AA, "category=general", "verb=list"));
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_PURPOSE);
    check_reason(decide(id, LIST("a/")), ALLOWED);
    done(RIG(PURPOSE_LIMIT, "incident", K_AA, "category=mail", "verb=read"));
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_CATEGORY);
    done(RIG(PURPOSE_LIMIT, "incident", K_AA, NULL));
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_PURPOSE);
    done(RIG(PURPOSE_LIMIT, "incident", K_AA, "category=general", "verb=read"));
    check_reason(decide(id, GET("a/1", UNKNOWN)), ALLOWED);
    check_say(rig_provider(&provider, RIG(PURPOSE_SET, "incident", RIG_OFFICER, "category=general", "role=legal", "verb=read")), POLICY_SAY_DONE);
    rig_mirrors(&state, &provider, NULL);
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_PURPOSE);
}

static void a_category_that_comes_into_the_bucket_counts_at_once(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    done(RIG(CATEGORY_SET, "data", K_AA, "category=general", "category=mail"));
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_CATEGORY);
    done(RIG(CATEGORY_SET, "data", K_AA, "category=general"));
    check_reason(decide(id, GET("a/1", UNKNOWN)), ALLOWED);
}

static void the_rule_of_the_key_counts(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    done(RIG(RULE_SET, "data/a/secret/", K_AA, "need=2"));
    check_reason(decide(id, GET("a/secret/1", UNKNOWN)), GRANT_APPROVAL);
    check_reason(decide(id, GET("a/secret", UNKNOWN)), ALLOWED);
    check_reason(decide(id, LIST("a/secret/")), GRANT_APPROVAL);
    check_reason(decide(id, LIST("a/")), GRANT_APPROVAL);     /* it would show the names below */
    check_reason(decide(id, LIST("a/secret")), GRANT_APPROVAL);
    check_reason(decide(id, LIST("a/s1")), ALLOWED);
    done(RIG(RULE_SET, "data/a/secret/", K_AA, "need=1", "approver=bb"));
    check_reason(decide(id, GET("a/secret/1", UNKNOWN)), GRANT_APPROVAL);
    done(RIG(RULE_SET, "data/a/secret/", K_AA, "need=1", "deny-country=DE"));
    check_reason(decide(id, GET("a/secret/1", UNKNOWN)), GRANT_RULE);
    done(RIG(RULE_SET, "data/a/secret/", K_AA, "need=1", "deny-employer=Host AG"));
    check_reason(decide(id, GET("a/secret/1", UNKNOWN)), GRANT_RULE);
    done(RIG(RULE_OFF, "data/a/secret/", K_AA, NULL));
    check_reason(decide(id, GET("a/secret/1", UNKNOWN)), ALLOWED);
}

static void an_approval_is_gone_with_its_approver_and_with_the_key(void **unused) {
    (void)unused;
    const char *id = active(gid(1)), *by_b = gid(2);
    done(request(by_b));
    done(approve(by_b, K_MONA));
    done(approve(by_b, K_BB));
    done(login(by_b));
    check_reason(decide(by_b, GET("a/1", UNKNOWN)), ALLOWED);
    done(RIG(APPROVER_OFF, "bb", K_AA, NULL));
    check_reason(decide(by_b, GET("a/1", UNKNOWN)), GRANT_APPROVAL);
    check_reason(decide(id, GET("a/1", UNKNOWN)), ALLOWED);
    done(RIG(APPROVER_SET, "aa", K_CC, "key=SHA256:approverAnew000000000000000000000000000000A", "name=A. A."));
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_APPROVAL);
}

static void a_manager_who_is_none_any_more_has_approved_nothing(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    check_say(rig_provider(&provider, person("mona", K_MONA, "legal", "mona-p")), POLICY_SAY_DONE);
    assert_int_equal(rig_mirror(&state, rig_kept_count - 1), ERR_OK);
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_APPROVAL);
    check_say(rig_provider(&provider, person("mona", K_MONA, "manager", "mona-p")), POLICY_SAY_DONE);
    assert_int_equal(rig_mirror(&state, rig_kept_count - 1), ERR_OK);
    check_reason(decide(id, GET("a/1", UNKNOWN)), ALLOWED);
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "mona", RIG_OFFICER, NULL)), POLICY_SAY_DONE);
    assert_int_equal(rig_mirror(&state, rig_kept_count - 1), ERR_OK);
    check_reason(decide(id, GET("a/1", UNKNOWN)), GRANT_APPROVAL);
}

/* An officer with a friend: who was approved is respectable, and who logs in is not. */
static void an_account_that_is_given_to_another_has_no_grant(void **unused) {
    (void)unused;
    const char *id = active(gid(1)), *waits = gid(2);
    done(request(waits));
    done(approve(waits, K_MONA));
    static const struct { const char *who, *term; } cases[] = {{"bob-p", "office=DE"}, {"anna-p", "office=US"}, {"anna-p", "employer=Sub Ltd"}, {"anna-p", "subprocessor=sub"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_say(rig_provider(&provider, with(person("anna", K_ANNA, "support", cases[i].who), cases[i].term)), POLICY_SAY_DONE);
        rig_mirrors(&state, &provider, NULL);
        check_reason(decide(id, GET("a/1", UNKNOWN)), OTHER_PRINCIPAL);
        check_say(rig_say(&state, login(id)), POLICY_SAY_OTHER_PERSON);
        check_say(rig_say(&state, approve(waits, K_AA)), POLICY_SAY_OTHER_PERSON);
    }
    /* A new date, a new name and a new key are the same person's. */
    check_say(rig_provider(&provider, with(person("anna", K_ANNA, "support", "anna-p"), "name=N. M.")), POLICY_SAY_DONE);
    rig_mirrors(&state, &provider, NULL);
    check_reason(decide(id, GET("a/1", UNKNOWN)), ALLOWED);
    done(approve(waits, K_AA));
}

/* budget ---------------------------------------------------------------------------------------------------------------------------------- */

static void bytes_and_objects_run_out(void **unused) {
    (void)unused;
    const char *id = gid(1);
    done(with(request(id), "objects=3"));
    done(approve(id, K_MONA));
    done(with(approve(id, K_AA), "bytes=1000"));
    done(login(id));
    check_reason(decide(id, GET("a/1", 1001)), GRANT_BUDGET);
    check_reason(uses(id, GET("a/1", 600)), ALLOWED);
    check_reason(uses(id, GET("a/1", 401)), GRANT_BUDGET);
    struct ask on = GET("a/1", 200);
    on.goes_on = true;
    check_reason(uses(id, on), ALLOWED);
    assert_int_equal(grant_of(id)->used_bytes, 800);
    check_reason(decide(id, GET("a/1", UINT64_MAX - 100)), GRANT_BUDGET); /* 800 more is a small number again */
    assert_int_equal(grant_of(id)->used_objects, 1);
    check_reason(uses(id, GET("a/1", 0)), ALLOWED); /* an empty object opens nothing */
    check_reason(uses(id, GET("a/2", 100)), ALLOWED);
    check_reason(uses(id, GET("a/3", 50)), ALLOWED);
    assert_int_equal(grant_of(id)->used_objects, 3);
    check_reason(uses(id, GET("a/4", 1)), GRANT_BUDGET);
    check_reason(uses(id, GET("a/4", UNKNOWN)), GRANT_BUDGET);
    on.opens = 50;
    check_reason(uses(id, on), ALLOWED); /* the third one's stream goes on */
    on.opens = 1;
    check_reason(uses(id, on), GRANT_BUDGET);
    on.opens = UINT64_MAX - 1;
    check_reason(decide(id, on), GRANT_BUDGET);
    struct ask head = {.act = "HeadObject", .bucket = "data", .key = "a/1", .opens = UNKNOWN};
    check_reason(uses(id, head), ALLOWED);
    check_reason(uses(id, LIST("a/")), ALLOWED);
    assert_int_equal(grant_of(id)->used_bytes, 1000);
    done(revoke(id, K_AA));
    assert_int_equal(grant_of(id)->used_bytes, 1000);
    /* Objects are left, and no byte. */
    id = gid(2);
    done(with(request(id), "bytes=7"));
    done(approve(id, K_MONA));
    done(approve(id, K_AA));
    done(login(id));
    check_reason(uses(id, GET("a/1", 7)), ALLOWED);
    check_reason(uses(id, GET("a/1", UNKNOWN)), GRANT_BUDGET);
    check_reason(uses(id, GET("a/1", 0)), ALLOWED);
}

/* replay ------------------------------------------------------------------------------------------------------------------------------------- */

static void a_leaf_that_says_something_else_is_found(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    struct rig_use good = use_of(id, GET("a/1", 1000)), list = use_of(id, LIST("a/")), denied = use_of(id, GET("b/1", UNKNOWN));
    assert_string_equal(denied.why, "grant-scope");
    check_err(replay(&good), ERR_OK);
    check_err(replay(&list), ERR_OK);
    check_err(replay(&denied), ERR_OK);
    struct rig_use lied = denied, hidden = good;
    lied.dec = "allow";
    lied.why = NULL;
    hidden.dec = "deny";
    hidden.why = "budget";
    const struct { const char *what; struct rig_use u; enum err want; } cases[] = {
#define WITH(base, field, value) ({ struct rig_use u_ = base; u_.field = value; u_; })
        {"more than the budget", WITH(good, bytes, 10485761), ERR_VERIFY},
        {"another person", WITH(good, person, "eve-p"), ERR_VERIFY},
        {"no person", WITH(good, person, NULL), ERR_VERIFY},
        {"another employer", WITH(good, employer, "Sub Ltd"), ERR_VERIFY},
        {"another purpose", WITH(good, purpose, "audit"), ERR_VERIFY},
        {"no purpose", WITH(good, purpose, NULL), ERR_VERIFY},
        {"another category", WITH(good, categories, "general+mail"), ERR_VERIFY},
        {"another country", WITH(good, country, "US"), ERR_VERIFY},
        {"another account", WITH(good, account, "eve"), ERR_VERIFY},
        {"outside", WITH(good, key, "b/1"), ERR_VERIFY},
        {"another bucket", WITH(good, bucket, "two"), ERR_VERIFY},
        {"an effect", WITH(good, w, 1), ERR_VERIFY},
        {"a write", WITH(good, act, "PutObject"), ERR_VERIFY},
        {"denied and said allowed", lied, ERR_VERIFY},
        {"allowed and said denied", hidden, ERR_VERIFY},
        {"another reason", WITH(denied, why, "budget"), ERR_VERIFY},
        {"an engine without grants", WITH(good, eng, 2), ERR_VERSION},
        {"a newer engine", WITH(good, eng, POLICY_ENGINE_VERSION + 1), ERR_VERSION},
        {"a listing of more", WITH(list, prefix, ""), ERR_VERIFY},
        {"a listing of all", WITH(list, prefix, NULL), ERR_VERIFY},
        {"a listing as decided", WITH(list, listed, "a/"), ERR_OK},
        {"one thing decided, another listed", WITH(list, listed, ""), ERR_VERIFY},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum err got = replay(&cases[i].u);
        if (got != cases[i].want) fail_msg("%s: %s", cases[i].what, err_name(got));
    }
    /* Under another log than the one it stands on. */
    struct policy_decision d;
    rig_use_leaf(&state, &good);
    done(request(gid(2)));
    rig_use_leaf(&state, &good);
    state.size++;
    check_err(policy_check(&state, &leaf, &opening, &d), ERR_RANGE);
    state.size--;
}

static void only_listings_want_their_prefix(void **unused) {
    (void)unused;
    struct policy_request r = {.auth = POLICY_AUTH_STS, .act = POLICY_ACT_ListObjectVersions};
    assert_true(policy_wants_ctx(&state, &r));
    r.act = POLICY_ACT_GetObject;
    assert_false(policy_wants_ctx(&state, &r));
}

static void an_erased_statement_ends_all_grants(void **unused) {
    (void)unused;
    const char *id = active(gid(1));
    struct rig_use good = use_of(id, GET("a/1", 1000));
    check_err(replay(&good), ERR_OK);
    state.access->erased = true;
    check_reason(decide(id, GET("a/1", 1000)), GRANT_STATE);
    check_err(replay(&good), ERR_MISSING);
}

/* Engine 2 knew no grants, and said of everybody else what engine 3 says. */
static void own_requests_of_the_engine_before_replay(void **unused) {
    (void)unused;
    struct says own = {.kind = RECORD_K_ACC, .who = WHO1, .auth = "hdr", .act = "GetObject", .bucket = "data", .object = "a/1", .body = "none", .ctl = state.size};
    struct policy_decision d;
    for (uint64_t eng = 1; eng <= 4; eng++) {
        own.eng = eng;
        build(own);
        check_err(policy_check(&state, &leaf, &opening, &d), eng == 2 || eng == 3 ? ERR_OK : ERR_VERSION);
    }
}

/* The time of a decision does not hang on how many grants there are or were. */
static void past_grants_do_not_slow_a_decision(void **unused) {
    (void)unused;
    (void)active(gid(1));
    for (unsigned i = 10; i < 3010; i++) {
        done(request(gid(i)));
        if (i > 130) done(revoke(gid(i), K_AA));
    }
    check_reason(decide(gid(1), GET("a/1", 5)), ALLOWED);
    assert_int_equal(policy_grants_due(&state), grant_of(gid(1))->end_ms);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(only_what_it_names_is_allowed),
        T(every_other_act_is_refused),
        T(a_verb_allows_its_acts_alone),
        T(a_bucket_made_anew_is_another_one),
        T(only_after_a_login_and_until_its_end),
        T(a_session_names_its_own_grant),
        T(what_was_allowed_stands_until_a_leaf_or_time_ends_it), T(an_extension_that_waits_keeps_a_session_and_makes_none),
        T(overdue_is_off_in_the_ms_after),
        T(a_purpose_that_is_tightened_or_off_counts_at_once),
        T(a_category_that_comes_into_the_bucket_counts_at_once),
        T(the_rule_of_the_key_counts),
        T(an_account_that_is_given_to_another_has_no_grant),
        T(an_approval_is_gone_with_its_approver_and_with_the_key),
        T(a_manager_who_is_none_any_more_has_approved_nothing),
        T(bytes_and_objects_run_out),
        T(a_leaf_that_says_something_else_is_found),
        T(only_listings_want_their_prefix),
        T(an_erased_statement_ends_all_grants),
        T(own_requests_of_the_engine_before_replay),
        T(past_grants_do_not_slow_a_decision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
