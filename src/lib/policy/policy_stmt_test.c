/* SPDX-License-Identifier: Apache-2.0
 * Facts about statements in the fold: leaves that say what comes of them, mirrors, passkeys, erasure, a second fold of the same log. LAW-4.
 * Role: unit test. Spec: docs/spec/access.md sections 2, 6 and 7.
 */
#include "policy/policy_people_rig.h"

static struct rig_says request(const char *id) {
    return RIG_SK(ACCESS_REQUEST, id, ANNA, "bucket=one", "bytes=10485760", "category=general", "country=DE", "duration=3600000", "objects=20", "prefix=a/",
                  "purpose=fix", "ticket=T-1", "verb=read");
}
static struct rig_says approve(const char *request_term, const char *signer, enum policy_by_key how) {
    return by(RIG(ACCESS_APPROVE, GRANT1, NULL, request_term), signer, how);
}
static const uint8_t *grant_id(void) {
    static uint8_t id[ID_BYTES];
    assert_int_equal(base32_fixed(slice_str(GRANT1), id, ID_BYTES), ERR_OK);
    return id;
}

/* mirrors ---------------------------------------------------------------------------------------------------------------------- */

static size_t wanted(struct rig_says w, uint64_t *first, uint64_t *last) {
    uint64_t refs[POLICY_MIRRORS_MAX];
    rig_write(w);
    size_t n = policy_mirrors(&state, &provider, &rig_statement, refs);
    *first = n > 0 ? refs[0] : UINT64_MAX;
    *last = n > 0 ? refs[n - 1] : UINT64_MAX;
    return n;
}

static void what_a_statement_relies_on_is_mirrored_first(void **unused) {
    (void)unused;
    uint64_t first, last, refs[POLICY_MIRRORS_MAX];
    peopled();
    assert_null(policy_person(policy_people(&state), SLICE_LIT("anna")));
    assert_int_equal(wanted(request(GRANT1), &first, &last), 3); /* genesis, anna, fix */
    assert_int_equal(first, 0);
    assert_int_equal(last, 3);
    check_say(say(request(GRANT1)), POLICY_SAY_WAITS);
    const char *asked = request_of_last();
    assert_int_equal(wanted(request(GRANT1), &first, &last), 0);
    assert_non_null(policy_person(policy_people(&state), SLICE_LIT("anna")));
    assert_null(policy_person(policy_people(&state), SLICE_LIT("mona")));
    assert_int_equal(wanted(approve(asked, MONA, POLICY_KEY_SK), &first, &last), 1);
    assert_int_equal(first, 2);
    /* A change of what a pending grant relies on is wanted at once; of others it is not. */
    assert_int_equal(policy_mirrors(&state, &provider, NULL, refs), 0);
    check_say(rig_provider(&provider, with(person("mona", "p-2", MONA, "manager"), "office=FR")), POLICY_SAY_DONE);
    assert_int_equal(policy_mirrors(&state, &provider, NULL, refs), 0);
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "anna", RIG_OFFICER)), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, RIG(PURPOSE_SET, "fix", RIG_OFFICER)), POLICY_SAY_DONE);
    assert_int_equal(policy_mirrors(&state, &provider, NULL, refs), 2);
    assert_int_equal(refs[0], 5);
    assert_int_equal(refs[1], 6);
    rig_mirrors(&state, &provider, NULL);
    assert_false(policy_person(policy_people(&state), SLICE_LIT("anna"))->on);
    assert_int_equal(policy_purpose(policy_people(&state), SLICE_LIT("fix"))->verbs.count, 0);
}

/* Who signed it as manager counts at every release, so what becomes of that person is wanted at once as well. */
static void a_manager_put_out_is_wanted_at_once(void **unused) {
    (void)unused;
    uint64_t refs[POLICY_MIRRORS_MAX];
    peopled();
    check_say(say(request(GRANT1)), POLICY_SAY_WAITS);
    const char *asked = request_of_last();
    check_say(say(approve(asked, MONA, POLICY_KEY_SK)), POLICY_SAY_WAITS);
    assert_int_equal(policy_mirrors(&state, &provider, NULL, refs), 0);
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "mona", RIG_OFFICER)), POLICY_SAY_DONE);
    assert_int_equal(policy_mirrors(&state, &provider, NULL, refs), 1);
    assert_int_equal(refs[0], 4);
    rig_mirrors(&state, &provider, NULL);
    assert_false(policy_person(policy_people(&state), SLICE_LIT("mona"))->on);
    check_say(say(by(RIG(ACCESS_REVOKE, GRANT1, NULL), ADA, POLICY_KEY_SSH)), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, person("mona", "p-2", MONA, "manager")), POLICY_SAY_DONE);
    assert_int_equal(policy_mirrors(&state, &provider, NULL, refs), 0);
}

static void a_person_put_out_before_anybody_knew_it_here_is_known_by_name(void **unused) {
    (void)unused;
    uint64_t first, last;
    check_say(rig_provider(&provider, person("anna", "p-1", key(30), "support")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, person("anna", "p-1", ANNA, "support")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "anna", RIG_OFFICER)), POLICY_SAY_DONE);
    assert_int_equal(wanted(request(GRANT1), &first, &last), 3);
    check_say(say(request(GRANT1)), POLICY_SAY_NOT_ELIGIBLE);
    /* The newer statement is here already; the older one only says whose key it was. */
    check_say(say(by(request(GRANT1), key(30), POLICY_KEY_SK)), POLICY_SAY_KEY_REMOVED);
    assert_true(policy_person_key_removed(policy_people(&state), slice_str(key(30))));
    assert_false(policy_person(policy_people(&state), SLICE_LIT("anna"))->on);
    assert_int_equal(rig_mirror(&state, 1), ERR_INPUT); /* again: it says nothing new */
    check_say(say(by(request(GRANT1), key(29), POLICY_KEY_SK)), POLICY_SAY_UNKNOWN);
}

static void mirrors_are_by_a_mirrored_officer_and_only_newer(void **unused) {
    (void)unused;
    peopled();
    assert_int_equal(rig_mirror(&state, 1), ERR_AUTH); /* genesis first */
    assert_int_equal(rig_mirror(&state, 0), ERR_OK);
    assert_int_equal(rig_mirror(&state, 0), ERR_EXISTS);
    assert_int_equal(rig_mirror(&state, 1), ERR_OK);
    assert_int_equal(rig_mirror(&state, 1), ERR_INPUT);
    assert_int_equal(rig_mirror(&state, 3), ERR_OK);
    assert_int_equal(rig_mirror(&state, 3), ERR_INPUT);
    /* By somebody who is no officer; a refusal as a mirror; a kind that stands on this log. */
    struct rig_says w = by(person("eve", "p-9", key(39), "manager"), MONA, POLICY_KEY_SK);
    rig_write(w);
    rig_leaf(&w, buf_slice(&rig_value), state.size, 9, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    assert_int_equal(apply_built(&state, state.size), ERR_AUTH);
    w = person("eve", "p-9", key(39), "manager");
    rig_write(w);
    rig_leaf(&w, buf_slice(&rig_value), state.size, 9, POLICY_SAY_NOT_OFFICER, RECORD_LOG_CONTROL);
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT);
    w = approver("eve", key(39), ADA);
    rig_write(w);
    rig_leaf(&w, buf_slice(&rig_value), state.size, 9, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT);
    /* What the provider log itself refuses: another's key. */
    w = person("eve", "p-9", ANNA, "manager");
    rig_write(w);
    rig_leaf(&w, buf_slice(&rig_value), state.size, 9, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT);
    /* Without `ref` it is no mirror, and has no place here. */
    w = person("eve", "p-9", key(39), "manager");
    rig_write(w);
    check_say(policy_say(&state, &rig_statement), POLICY_SAY_NO_TENANT);
    rig_leaf(&w, buf_slice(&rig_value), state.size, UINT64_MAX, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    assert_int_equal(apply_built(&state, state.size), ERR_VERIFY);
    assert_null(policy_person(policy_people(&state), SLICE_LIT("eve")));
}

/* leaves ------------------------------------------------------------------------------------------------------------------------- */

/* In the leaf's text, as a forger would; the opening stays. */
static void replace(const char *from, const char *to) {
    struct buf out = BUF_INIT(LEAF_BYTES_MAX);
    uint8_t *at = memmem(leaf_bytes.p, leaf_bytes.n, from, strlen(from));
    assert_non_null(at);
    buf_put(&out, leaf_bytes.p, (size_t)(at - leaf_bytes.p));
    buf_put_str(&out, to);
    buf_put(&out, at + strlen(from), leaf_bytes.n - (size_t)(at - leaf_bytes.p) - strlen(from));
    buf_reset(&leaf_bytes);
    buf_put_slice(&leaf_bytes, buf_slice(&out));
    buf_done(&out);
    assert_int_equal(record_leaf_parse(buf_slice(&leaf_bytes), RECORD_LOG_CONTROL, &leaf), ERR_OK);
}

static void a_leaf_says_what_comes_of_its_statement(void **unused) {
    (void)unused;
    peopled();
    const struct rig_says good = RIG(RULE_SET, "*", ADA, "need=2"), bad = RIG(RULE_SET, "*", OWNER, "need=2");
    struct rig_says other = good;
    struct buf side = BUF_INIT(1 << 22);
    dump_side(&state, &side);
    struct {
        enum policy_say claimed;
        enum err want;
    } refused[] = {{POLICY_SAY_DONE, ERR_VERIFY},   {POLICY_SAY_UNKNOWN, ERR_VERIFY}, {POLICY_SAY_NOT_APPROVER, ERR_OK},
                   {POLICY_SAY_REPEATED, ERR_OK},   {POLICY_SAY_CLOCK, ERR_OK},       {POLICY_SAY_NOT_TOUCHED, ERR_OK},
                   {POLICY_SAY_COPIED, ERR_OK}};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        leaf_of(bad, refused[i].claimed);
        assert_int_equal(apply_built(&state, state.size), refused[i].want);
    }
    leaf_of(good, POLICY_SAY_NOT_APPROVER); /* refused, though it should not be */
    assert_int_equal(apply_built(&state, state.size), ERR_VERIFY);
    leaf_of(bad, POLICY_SAY_NOT_APPROVER);
    replace("\"dec\":\"deny\"", "\"dec\":\"allow\"");
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT); /* allowed, with a reason why not */
    leaf_of(good, POLICY_SAY_DONE);
    replace("\"dec\":\"allow\"", "\"dec\":\"deny\"");
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT);
    leaf_of(good, POLICY_SAY_DONE);
    replace("\"act\":\"rule.set\"", "\"act\":\"rule.off\"");
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT);
    leaf_of(good, POLICY_SAY_DONE);
    replace("\"act\":\"rule.set\"", "\"act\":\"rule.new\"");
    assert_int_equal(apply_built(&state, state.size), ERR_VERSION);
    leaf_of(good, POLICY_SAY_DONE);
    replace("\"auth\":\"ssh\"", "\"auth\":\"passkey\"");
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT);
    leaf_of(good, POLICY_SAY_DONE);
    replace("\"auth\":\"ssh\"", "\"auth\":\"hdr\"");
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT);
    leaf_of(good, POLICY_SAY_DONE);
    other.signer = PASS_BOB; /* `who` is a passkey, the signature is SSH's */
    rig_leaf(&other, buf_slice(&rig_value), state.size, UINT64_MAX, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT);
    rig_leaf(&good, buf_slice(&rig_value), state.size + 1, UINT64_MAX, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT); /* decided under another log */
    leaf_of(good, POLICY_SAY_DONE);
    char eng[32], newer[32];
    (void)snprintf(eng, sizeof eng, "\"eng\":%d,", POLICY_ENGINE_VERSION);
    (void)snprintf(newer, sizeof newer, "\"eng\":%d,", POLICY_ENGINE_VERSION + 1);
    replace(eng, newer);
    assert_int_equal(apply_built(&state, state.size), ERR_VERSION);
    leaf_of(good, POLICY_SAY_DONE);
    opening.count = 0;
    assert_int_equal(apply_built(&state, state.size), ERR_MISSING);
    leaf_of(request(GRANT1), POLICY_SAY_UNKNOWN);
    replace("\"grant\":\"" GRANT1 "\"", "\"grant\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa\"");
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT); /* about another grant than it says */
    assert_int_equal(side_differs(&state, &side), -1);
    leaf_of(good, POLICY_SAY_DONE);
    assert_int_equal(apply_built(&state, state.size), ERR_OK);
    assert_true(side_differs(&state, &side) >= 0);
    buf_done(&side);
}

static void statements_need_a_founded_tenant(void **unused) {
    (void)unused;
    struct policy_state fresh;
    assert_int_equal(policy_init(&fresh), ERR_OK);
    rig_write(RIG(RULE_SET, "*", OWNER, "need=2"));
    check_say(policy_say(&fresh, &rig_statement), POLICY_SAY_NO_TENANT);
    leaf_of(RIG(RULE_SET, "*", OWNER, "need=2"), POLICY_SAY_NO_TENANT);
    assert_int_equal(policy_apply(&fresh, 0, &leaf, &opening), ERR_INPUT);
    policy_done(&fresh);
}

/* passkeys -------------------------------------------------------------------------------------------------------------------------- */

static void a_passkeys_counter_is_the_last_one_that_was_allowed(void **unused) {
    (void)unused;
    uint32_t counter;
    peopled();
    struct rig_says w = by(RIG(NOTICE_SET, "ops", NULL, "mail=a@b"), PASS_BOB, POLICY_KEY_PASSKEY);
    assert_true(slice_is(policy_passkey(&state, SLICE_LIT("Qm9i"), &counter), PASS_BOB));
    assert_int_equal(counter, 0);
    w.counter = 7;
    check_say(say(w), POLICY_SAY_DONE);
    (void)policy_passkey(&state, SLICE_LIT("Qm9i"), &counter);
    assert_int_equal(counter, 7);
    struct rig_says refused = by(RIG(NOTICE_SET, "ops", NULL), PASS_BOB, POLICY_KEY_PASSKEY);
    refused.counter = 9;
    check_say(say(refused), POLICY_SAY_SUBJECT);
    (void)policy_passkey(&state, SLICE_LIT("Qm9i"), &counter);
    assert_int_equal(counter, 7);
    w.counter = 0; /* devices without one always say 0 */
    check_say(say(w), POLICY_SAY_DONE);
    (void)policy_passkey(&state, SLICE_LIT("Qm9i"), &counter);
    assert_int_equal(counter, 7);
    /* A person's, before and after it is mirrored. */
    assert_null(policy_passkey(&state, SLICE_LIT("QW5uYQ"), &counter).p);
    assert_true(slice_is(policy_provider_passkey(&provider, SLICE_LIT("QW5uYQ"), &counter), PASS_ANNA));
    struct rig_says r = by(request(GRANT1), PASS_ANNA, POLICY_KEY_PASSKEY);
    r.counter = 3;
    check_say(say(r), POLICY_SAY_WAITS);
    assert_true(slice_is(policy_passkey(&state, SLICE_LIT("QW5uYQ"), &counter), PASS_ANNA));
    assert_int_equal(counter, 3);
    assert_null(policy_passkey(&state, SLICE_LIT("nobody"), &counter).p);
    assert_int_equal(counter, 0);
    assert_null(policy_passkey(&state, slice_str(ADA), &counter).p); /* a fingerprint is no credential */
}

static void the_providers_people_sign_with_hardware(void **unused) {
    (void)unused;
    peopled();
    check_say(say(by(request(GRANT1), ANNA, POLICY_KEY_SSH)), POLICY_SAY_NOT_HARDWARE);
    check_say(say(by(RIG(RULE_SET, "*", NULL, "need=1"), ANNA, POLICY_KEY_SSH)), POLICY_SAY_NOT_HARDWARE);
    check_say(say(by(request(GRANT1), PASS_ANNA, POLICY_KEY_PASSKEY)), POLICY_SAY_WAITS);
}

/* erasure ----------------------------------------------------------------------------------------------------------------------------------- */

static void erased(struct rig_says w, enum record_field f, enum policy_say claimed) {
    leaf_of(w, claimed);
    assert_int_equal(record_opening_erase(&opening, f), ERR_OK);
    assert_int_equal(apply_built(&state, state.size), ERR_OK);
}

static void what_was_erased_widens_nothing(void **unused) {
    (void)unused;
    peopled();
    erased(RIG(RULE_SET, "*", OWNER, "need=1"), RECORD_F_STMT, POLICY_SAY_NOT_APPROVER);
    erased(RIG(ACCESS_LOOK, NULL, ADA), RECORD_F_STMT, POLICY_SAY_DONE);
    assert_false(state.access->erased);
    check_say(say(request(GRANT1)), POLICY_SAY_WAITS);
    erased(RIG(APPROVER_OFF, "bob", ADA), RECORD_F_WHO, POLICY_SAY_DONE);
    assert_true(state.access->erased);
    /* No grant any more; the customer goes on; what makes no sense without it passes without effect. */
    check_say(say(by(RIG(ACCESS_REVOKE, GRANT1, NULL), ANNA, POLICY_KEY_SK)), POLICY_SAY_STATE);
    check_say(say(RIG(RULE_SET, "*", ADA, "need=2")), POLICY_SAY_DONE);
    leaf_of(RIG(APPROVER_OFF, "dan", ADA), POLICY_SAY_DONE);
    assert_int_equal(apply_built(&state, state.size), ERR_OK);
    leaf_of(RIG(RULE_SET, "*", BOB, "need=3"), POLICY_SAY_NOT_APPROVER);
    assert_int_equal(apply_built(&state, state.size), ERR_OK);
    assert_int_equal(policy_rule_for(&state, SLICE_LIT("one"), SLICE_LIT("x"))->need, 2);
}

static void an_erased_mirror_is_wanted_again(void **unused) {
    (void)unused;
    uint64_t refs[POLICY_MIRRORS_MAX];
    peopled();
    check_say(say(request(GRANT1)), POLICY_SAY_WAITS);
    check_say(rig_provider(&provider, with(person("anna", "p-1", ANNA, "support"), "office=FR")), POLICY_SAY_DONE);
    rig_leaf(&rig_kept[4].says, buf_slice(&rig_kept[4].value), state.size, 4, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    assert_int_equal(record_opening_erase(&opening, RECORD_F_STMT), ERR_OK);
    assert_int_equal(apply_built(&state, state.size), ERR_OK);
    assert_false(policy_person(policy_people(&state), SLICE_LIT("anna"))->on);
    assert_false(state.access->erased);
    assert_int_equal(policy_mirrors(&state, &provider, NULL, refs), 1);
    rig_mirrors(&state, &provider, NULL);
    assert_true(policy_person(policy_people(&state), SLICE_LIT("anna"))->on);
    assert_string_equal(policy_person(policy_people(&state), SLICE_LIT("anna"))->office, "FR");
}

/* use, and the whole again -------------------------------------------------------------------------------------------------------------------- */

static struct rig_use use_of(const char *dec, uint64_t bytes, uint64_t ref) {
    struct rig_use u = {.account = "anna", .act = "GetObject", .bucket = "one", .key = "a/k", .dec = dec, .bytes = bytes, .ref = ref, .person = "p-1",
                        .employer = "Northern Support", .purpose = "fix", .categories = "general", .country = "DE"};
    if (strcmp(dec, "deny") == 0) u.why = "budget";
    memcpy(u.grant, grant_id(), ID_BYTES);
    return u;
}

static enum err use(struct rig_use u) {
    now_ms++;
    rig_use_leaf(&state, &u);
    return apply_built(&state, state.size);
}

static void a_story(void) {
    peopled();
    check_say(say(RIG(CATEGORY_SET, "one", ADA, "category=general", "category=logs")), POLICY_SAY_DONE);
    check_say(say(RIG(CATEGORY_SET, "one", ADA, "category=general")), POLICY_SAY_DONE);
    check_say(say(RIG(PURPOSE_LIMIT, "fix", BOB, "category=general", "verb=read")), POLICY_SAY_DONE);
    check_say(say(RIG(NOTICE_SET, "ops", ADA, "mail=a@b")), POLICY_SAY_DONE);
    check_say(say(RIG(RULE_SET, "one/a", ADA, "approver=ada", "approver=bob", "deny-country=US", "deny-employer=E", "need=2")), POLICY_SAY_DONE);
    check_say(say(RIG(QUORUM_SET, NULL, ADA, "need=2")), POLICY_SAY_DONE);
    check_say(say(approver("cyd", key(3), ADA)), POLICY_SAY_WAITS);
    check_say(say(RIG(AGREE, NULL, BOB, request_of_last())), POLICY_SAY_DONE);
    check_say(say(RIG(RULE_OFF, "one/a", key(3))), POLICY_SAY_WAITS);
    check_say(say(RIG(RECOVERY_START, "new", REC, term("key", key(250)), "name=N")), POLICY_SAY_WAITS);
    check_say(say(request(GRANT1)), POLICY_SAY_WAITS);
    const char *asked = request_of_last();
    check_say(say(approve(asked, ADA, POLICY_KEY_SSH)), POLICY_SAY_NOT_MANAGER);
    check_say(say(approve(asked, MONA, POLICY_KEY_SK)), POLICY_SAY_WAITS);
    check_say(say(approve(asked, ADA, POLICY_KEY_SSH)), POLICY_SAY_WAITS);
    struct rig_says w = approve(asked, PASS_BOB, POLICY_KEY_PASSKEY);
    w.counter = 5;
    check_say(say(w), POLICY_SAY_DONE);
    check_say(say(by(RIG(ACCESS_LOGIN, GRANT1, NULL, "country=DE"), ANNA, POLICY_KEY_SK)), POLICY_SAY_DONE);
}

static void what_was_used_is_counted_once(void **unused) {
    (void)unused;
    a_story();
    const struct policy_grant *g = policy_grant(&state, grant_id());
    assert_int_equal(use(use_of("allow", 4096, UINT64_MAX)), ERR_OK);
    assert_int_equal(use(use_of("allow", 1000, state.size - 1)), ERR_OK);
    assert_int_equal(use(use_of("deny", UINT64_MAX, UINT64_MAX)), ERR_OK);
    struct rig_use head = use_of("allow", 0, UINT64_MAX);
    head.act = "HeadObject";
    assert_int_equal(use(head), ERR_OK);
    assert_int_equal(g->used_bytes, 5096);
    assert_int_equal(g->used_objects, 1);
    struct rig_use other = use_of("allow", 1, UINT64_MAX);
    other.grant[0] ^= 1;
    assert_int_equal(use(other), ERR_MISSING);
    now_ms++;
    struct rig_use good = use_of("allow", 1, UINT64_MAX);
    rig_use_leaf(&state, &good);
    replace("\"auth\":\"sts\"", "\"auth\":\"hdr\"");
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT);
    rig_use_leaf(&state, &good);
    char ctl[32], elsewhere[32];
    (void)snprintf(ctl, sizeof ctl, "\"ctl\":%llu,", (unsigned long long)state.size);
    (void)snprintf(elsewhere, sizeof elsewhere, "\"ctl\":%llu,", (unsigned long long)state.size - 1);
    replace(ctl, elsewhere);
    assert_int_equal(apply_built(&state, state.size), ERR_INPUT);
    assert_int_equal(g->used_bytes, 5096);
}

static void a_restart_gives_the_same_state(void **unused) {
    (void)unused;
    struct policy_state again;
    struct buf was = BUF_INIT(1 << 22), is = BUF_INIT(1 << 22);
    a_story();
    assert_int_equal(use(use_of("allow", 4096, UINT64_MAX)), ERR_OK);
    check_say(rig_provider(&provider, person("anna", "p-1", key(33), "support")), POLICY_SAY_DONE);
    rig_mirrors(&state, &provider, NULL);
    check_say(say(by(RIG(ACCESS_REVOKE, GRANT1, NULL), ANNA, POLICY_KEY_SK)), POLICY_SAY_KEY_REMOVED);
    dump_all(&state, &was);
    assert_int_equal(policy_init(&again), ERR_OK);
    assert_int_equal(fold_again(&again), ERR_OK);
    dump_all(&again, &is);
    assert_int_equal(is.n, was.n);
    assert_memory_equal(is.p, was.p, was.n);
    assert_true(again.access->people != NULL && policy_grant(&again, grant_id()) != NULL);
    assert_int_equal(policy_grant(&again, grant_id())->used_bytes, 4096);
    policy_done(&again);
    buf_done(&was);
    buf_done(&is);
}

static void every_reason_is_some_tests(void **unused) {
    (void)unused;
    static const enum policy_say all[] = {SAYS_PEOPLE(SAYS_ONE) SAYS_CUSTOMER(SAYS_ONE) SAYS_RULES(SAYS_ONE) SAYS_GRANTS(SAYS_ONE) SAYS_OWN(SAYS_ONE) SAYS_GATE(SAYS_ONE)};
    for (unsigned s = 0; s < POLICY_SAY__COUNT; s++) {
        bool there = false;
        for (size_t i = 0; i < ARRAY_LEN(all); i++) there = there || all[i] == s;
        if (!there) fail_msg("%s is in no list of policy_people_rig.h", policy_say_text((enum policy_say)s));
        assert_true(policy_say_status((enum policy_say)s) >= 200 && policy_say_what((enum policy_say)s)[0] != 0);
    }
}

int main(void) {
#define FACT(f) cmocka_unit_test_setup_teardown(f, people_set_up, people_tear_down)
    const struct CMUnitTest tests[] = {
        FACT(what_a_statement_relies_on_is_mirrored_first),
        FACT(a_manager_put_out_is_wanted_at_once),
        FACT(a_person_put_out_before_anybody_knew_it_here_is_known_by_name),
        FACT(mirrors_are_by_a_mirrored_officer_and_only_newer),
        FACT(a_leaf_says_what_comes_of_its_statement),
        FACT(statements_need_a_founded_tenant),
        FACT(a_passkeys_counter_is_the_last_one_that_was_allowed),
        FACT(the_providers_people_sign_with_hardware),
        FACT(what_was_erased_widens_nothing),
        FACT(an_erased_mirror_is_wanted_again),
        FACT(what_was_used_is_counted_once),
        FACT(a_restart_gives_the_same_state),
        FACT(every_reason_is_some_tests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
