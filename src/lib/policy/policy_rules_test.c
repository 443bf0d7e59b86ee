/* SPDX-License-Identifier: Apache-2.0
 * Facts about what approvers set: rules, categories, limits of purposes, the origin of passkeys, notices.
 * Role: unit test. Spec: docs/spec/access.md sections 1 and 3.
 */
#include "policy/policy_people_rig.h"


static struct rig_says rule(const char *place, const char *signer) { return RIG(RULE_SET, place, signer, "need=2"); }
static unsigned need_of(const char *bucket, const char *object) { return policy_rule_for(&state, slice_str(bucket), slice_str(object))->need; }

static void the_most_specific_rule_counts(void **unused) {
    (void)unused;
    assert_int_equal(need_of("one", "x"), 1);
    assert_int_equal(policy_rule_for(&state, SLICE_LIT("one"), SLICE_LIT("x"))->lapse_ms, GRANT_LAPSE_MS);
    check_say(say(RIG(RULE_SET, "one/a%20b", OWNER, "need=5")), POLICY_SAY_DONE);
    check_say(say(RIG(RULE_SET, "one/a", OWNER, "need=4")), POLICY_SAY_DONE);
    check_say(say(RIG(RULE_SET, "one", OWNER, "need=3", "lapse=900000")), POLICY_SAY_DONE);
    check_say(say(RIG(RULE_SET, "*", OWNER, "need=2")), POLICY_SAY_DONE);
    check_say(say(RIG(RULE_SET, "on", OWNER, "need=9")), POLICY_SAY_SUBJECT); /* too short a name */
    assert_int_equal(need_of("one", "a b/c"), 5);
    assert_int_equal(need_of("one", "a bc"), 5);
    assert_int_equal(need_of("one", "a"), 4);
    assert_int_equal(need_of("one", "ab"), 4);
    assert_int_equal(need_of("one", "b"), 3);
    assert_int_equal(need_of("one", ""), 3);
    assert_int_equal(need_of("one-more", "a"), 2);
    assert_int_equal(policy_rule_for(&state, SLICE_LIT("one"), SLICE_LIT("b"))->lapse_ms, 900000);
    check_say(say(RIG(RULE_SET, "one/a", OWNER, "need=7")), POLICY_SAY_DONE);
    assert_int_equal(need_of("one", "ab"), 7);
    check_say(say(RIG(RULE_OFF, "one/a", OWNER)), POLICY_SAY_DONE);
    assert_int_equal(need_of("one", "ab"), 3);
    assert_int_equal(need_of("one", "a b/c"), 5);
    check_say(say(RIG(RULE_OFF, "one/a", OWNER)), POLICY_SAY_NO_SUBJECT);
    check_say(say(RIG(RULE_OFF, "one", OWNER)), POLICY_SAY_DONE);
    check_say(say(RIG(RULE_OFF, "*", OWNER)), POLICY_SAY_DONE);
    assert_int_equal(need_of("one", "b"), 1);
    assert_int_equal(need_of("one", "a b"), 5);
}

static struct rig_says employers(unsigned count) {
    char name[16];
    struct rig_says w = RIG(RULE_SET, "*", OWNER, "need=1");
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "e%02u", i);
        w = plus(w, term("deny-employer", name));
    }
    return w;
}

static void rules_have_bounds(void **unused) {
    (void)unused;
    char deep[1100] = "one/", place[32];
    memset(deep + 4, 'p', S3_KEY_BYTES_MAX - 8);
    const struct {
        const char *what;
        struct rig_says says;
        enum policy_say want;
    } cases[] = {
        {"nobody is needed", RIG(RULE_SET, "*", OWNER, "need=0"), POLICY_SAY_RANGE},
        {"sixteen are", RIG(RULE_SET, "*", OWNER, "need=16"), POLICY_SAY_DONE},
        {"seventeen are", RIG(RULE_SET, "*", OWNER, "need=17"), POLICY_SAY_RANGE},
        {"two of two", RIG(RULE_SET, "*", OWNER, "approver=ada", "approver=bob", "need=2"), POLICY_SAY_DONE},
        {"three of two", RIG(RULE_SET, "*", OWNER, "approver=ada", "approver=bob", "need=3"), POLICY_SAY_RANGE},
        {"a quarter of an hour", RIG(RULE_SET, "*", OWNER, "need=1", "lapse=900000"), POLICY_SAY_DONE},
        {"less", RIG(RULE_SET, "*", OWNER, "need=1", "lapse=899999"), POLICY_SAY_RANGE},
        {"a fortnight", RIG(RULE_SET, "*", OWNER, "need=1", "lapse=1209600000"), POLICY_SAY_DONE},
        {"more", RIG(RULE_SET, "*", OWNER, "need=1", "lapse=1209600001"), POLICY_SAY_RANGE},
        {"sixteen employers", employers(POLICY_WORDS_MAX), POLICY_SAY_DONE},
        {"seventeen employers", employers(POLICY_WORDS_MAX + 1), POLICY_SAY_LIMIT},
        {"an empty prefix", RIG(RULE_SET, "one/", OWNER, "need=1"), POLICY_SAY_SUBJECT},
        {"a second spelling", RIG(RULE_SET, "one/%61", OWNER, "need=1"), POLICY_SAY_SUBJECT},
        {"half an escape", RIG(RULE_SET, "one/%6", OWNER, "need=1"), POLICY_SAY_SUBJECT},
        {"a bucket with capitals", RIG(RULE_SET, "One", OWNER, "need=1"), POLICY_SAY_SUBJECT},
        {"nothing", RIG(RULE_SET, "", OWNER, "need=1"), POLICY_SAY_SUBJECT},
        {"a deep prefix", RIG(RULE_SET, deep, OWNER, "need=1"), POLICY_SAY_DONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) check_say_at(rig_ask(&state, cases[i].says), cases[i].want, cases[i].what, __LINE__);
    for (unsigned i = 0; i < POLICY_RULES_MAX; i++) {
        (void)snprintf(place, sizeof place, "bucket-%u", i);
        check_say(say(rule(place, OWNER)), POLICY_SAY_DONE);
    }
    check_say(say(rule("one", OWNER)), POLICY_SAY_LIMIT);
    check_say(say(rule("bucket-7", OWNER)), POLICY_SAY_DONE);
    check_say(say(RIG(RULE_OFF, "bucket-3", OWNER)), POLICY_SAY_DONE);
    check_say(say(rule("one", OWNER)), POLICY_SAY_DONE);
    assert_int_equal(need_of("bucket-3", "x"), 1);
    assert_int_equal(need_of("bucket-255", "x"), 2);
    assert_int_equal(need_of("one", "x"), 2);
}

static void a_rule_refuses_countries_and_employers(void **unused) {
    (void)unused;
    struct rig_says w = RIG(RULE_SET, "one", OWNER, "deny-country=KP", "deny-country=US", "deny-employer=Northern Support", "need=1");
    check_say(say(w), POLICY_SAY_DONE);
    const struct policy_rule *r = policy_rule_for(&state, SLICE_LIT("one"), SLICE_LIT("k")), *other = policy_rule_for(&state, SLICE_LIT("two"), SLICE_LIT("k"));
    struct policy_person p = {.office = "DE", .employer = "Southern Support"};
    assert_false(policy_rule_refuses(r, &p, SLICE_LIT("DE")));
    assert_true(policy_rule_refuses(r, &p, SLICE_LIT("US")));
    memcpy(p.office, "KP", 3);
    assert_true(policy_rule_refuses(r, &p, SLICE_LIT("DE")));
    memcpy(p.office, "DE", 3);
    p.employer = "Northern Support";
    assert_true(policy_rule_refuses(r, &p, SLICE_LIT("DE")));
    assert_false(policy_rule_refuses(other, &p, SLICE_LIT("US")));
}

static void a_new_bucket_of_the_name_has_no_categories_of_the_old(void **unused) {
    (void)unused;
    const struct policy_bucket *b = policy_bucket(&state, SLICE_LIT("one"));
    assert_true(slice_is(policy_bucket_categories(&state, b->id), "general"));
    assert_true(policy_words_have(policy_categories_of(&state, b), SLICE_LIT("general")));
    check_say(say(RIG(CATEGORY_SET, "one", OWNER, "category=health", "category=logs")), POLICY_SAY_DONE);
    assert_true(slice_is(policy_bucket_categories(&state, b->id), "health+logs"));
    assert_int_equal(policy_categories_of(&state, b)->count, 2);
    check_say(say(RIG(CATEGORY_SET, "two", OWNER, "category=health")), POLICY_SAY_NO_BUCKET);
    check_say(say(RIG(CATEGORY_SET, "one", OWNER, "category=health")), POLICY_SAY_DONE);
    assert_true(slice_is(policy_bucket_categories(&state, b->id), "health"));
    assert_int_equal(apply(&state, BUCKET("one", 1, 0, WHO1)), ERR_OK);
    assert_int_equal(apply(&state, BUCKET("one", 2, 1, WHO1)), ERR_OK);
    assert_true(slice_is(policy_bucket_categories(&state, policy_bucket(&state, SLICE_LIT("one"))->id), "general"));
}

static struct rig_says many_categories(unsigned count) {
    char name[16];
    struct rig_says w = RIG(CATEGORY_SET, "one", OWNER, "category=a");
    for (unsigned i = 1; i < count; i++) {
        (void)snprintf(name, sizeof name, "c%02u", i);
        w = plus(w, term("category", name));
    }
    return w;
}

static void a_limit_takes_away_and_adds_nothing(void **unused) {
    (void)unused;
    struct policy_words verbs, categories;
    uint32_t roles;
    check_say(rig_ask(&state, many_categories(POLICY_WORDS_MAX)), POLICY_SAY_DONE);
    check_say(rig_ask(&state, many_categories(POLICY_WORDS_MAX + 1)), POLICY_SAY_LIMIT);
    assert_false(policy_purpose_here(&state, SLICE_LIT("fix"), &verbs, &categories, &roles));
    check_say(rig_provider(&provider, plus(purpose("fix"), "category=logs")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, purpose("improve")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, RIG(PURPOSE_SET, "none", RIG_OFFICER, "category=general", "role=support")), POLICY_SAY_DONE);
    for (uint64_t i = 0; i < 4; i++) assert_int_equal(rig_mirror(&state, i), ERR_OK);
    assert_true(policy_purpose_here(&state, SLICE_LIT("fix"), &verbs, &categories, &roles));
    assert_int_equal(verbs.count, 3);
    assert_int_equal(categories.count, 2);
    assert_int_equal(roles, 1u << POLICY_ROLE_support);
    assert_false(policy_purpose_here(&state, SLICE_LIT("none"), &verbs, &categories, &roles));
    assert_false(policy_purpose_here(&state, SLICE_LIT("improve"), &verbs, &categories, &roles));
    check_say(say(RIG(PURPOSE_LIMIT, "fix", OWNER, "category=general", "category=health", "verb=list", "verb=read")), POLICY_SAY_DONE);
    assert_true(policy_purpose_here(&state, SLICE_LIT("fix"), &verbs, &categories, &roles));
    assert_int_equal(categories.count, 1);
    assert_true(verbs.count == 2 && !policy_words_have(&verbs, SLICE_LIT("head")));
    check_say(say(RIG(PURPOSE_LIMIT, "fix", OWNER, "verb=read")), POLICY_SAY_DONE); /* no category is named: none is allowed */
    assert_false(policy_purpose_here(&state, SLICE_LIT("fix"), &verbs, &categories, &roles));
    check_say(say(RIG(PURPOSE_LIMIT, "improve", OWNER, "category=general", "verb=read")), POLICY_SAY_DONE);
    assert_true(policy_purpose_here(&state, SLICE_LIT("improve"), &verbs, &categories, &roles));
    check_say(say(RIG(PURPOSE_LIMIT, "fix", OWNER, "verb=write")), POLICY_SAY_VERB);
    check_say(say(RIG(PURPOSE_LIMIT, "Fix", OWNER, "verb=read")), POLICY_SAY_SUBJECT);
    char name[16];
    for (unsigned i = 2; i < POLICY_PURPOSES_MAX; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        check_say(say(RIG(PURPOSE_LIMIT, name, OWNER)), POLICY_SAY_DONE);
    }
    check_say(say(RIG(PURPOSE_LIMIT, "more", OWNER)), POLICY_SAY_LIMIT);
}

static void origins_that_a_browser_would_take(void **unused) {
    (void)unused;
    struct slice origin, rpid;
    static const struct {
        const char *origin, *rpid;
        bool ok;
    } cases[] = {
        {"https://a.example", "a.example", true},      {"https://a.example", "example", true},        {"https://a.example:8443", "a.example", true},
        {"http://localhost:9005", "localhost", true},  {"http://a.example", "a.example", false},      {"https://a.example", "b.example", false},
        {"https://a.example", ".example", false},      {"https://aexample", "example", false},        {"https://a.example/", "a.example", false},
        {"https://a.example:", "a.example", false},    {"https://a.example:65536", "a.example", false}, {"https://A.example", "A.example", false},
        {"https://", "a", false},                      {"ftp://a.example", "a.example", false},       {"https://a.example", "xa.example", false},
        {"https://u@a.example", "a.example", false},   {"http://localhost.example", "localhost", false},
    };
    assert_false(policy_origin(&state, &origin, &rpid));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig_says w = RIG(ORIGIN_SET, NULL, OWNER, term("origin", cases[i].origin), term("rpid", cases[i].rpid));
        check_say_at(rig_ask(&state, w), cases[i].ok ? POLICY_SAY_DONE : POLICY_SAY_SUBJECT, cases[i].origin, __LINE__);
    }
    check_say(say(RIG(ORIGIN_SET, NULL, OWNER, "origin=https://a.example", "rpid=example")), POLICY_SAY_DONE);
    check_say(say(RIG(ORIGIN_SET, NULL, OWNER, "origin=https://b.example:1", "rpid=b.example")), POLICY_SAY_DONE);
    assert_true(policy_origin(&state, &origin, &rpid));
    assert_true(slice_is(origin, "https://b.example:1") && slice_is(rpid, "b.example"));
}

static void notices_are_one_approvers_to_set(void **unused) {
    (void)unused;
    char id[16];
    check_say(say(approver("ada", ADA, OWNER)), POLICY_SAY_DONE);
    check_say(say(approver("bob", BOB, ADA)), POLICY_SAY_DONE);
    check_say(say(RIG(QUORUM_SET, NULL, ADA, "need=2")), POLICY_SAY_DONE); /* notices ask for none */
    check_say(say(RIG(NOTICE_SET, "ops", ADA, "mail=ops@a.example", "webhook=https://a.example/in")), POLICY_SAY_DONE);
    size_t cursor = 0;
    const struct policy_notice *n = policy_notice_next(&state, &cursor);
    assert_string_equal(n->id, "ops");
    assert_string_equal(n->mail, "ops@a.example");
    assert_string_equal(n->webhook, "https://a.example/in");
    assert_null(policy_notice_next(&state, &cursor));
    check_say(say(RIG(NOTICE_SET, "ops", BOB, "mail=two@a.example")), POLICY_SAY_DONE);
    cursor = 0;
    assert_string_equal(policy_notice_next(&state, &cursor)->webhook, "");
    check_say(say(RIG(NOTICE_SET, "ops", OWNER, "mail=two@a.example")), POLICY_SAY_NOT_APPROVER);
    check_say(say(RIG(NOTICE_SET, "ops", ADA)), POLICY_SAY_SUBJECT);
    check_say(say(RIG(NOTICE_SET, "ops", ADA, "webhook=file:///etc/passwd")), POLICY_SAY_SUBJECT);
    check_say(say(RIG(NOTICE_SET, "ops", ADA, "mail=nobody")), POLICY_SAY_SUBJECT);
    check_say(say(RIG(NOTICE_SET, "ops", ADA, "mail=@a.example")), POLICY_SAY_SUBJECT);
    check_say(say(RIG(NOTICE_SET, "ops", ADA, "mail=a@b c")), POLICY_SAY_SUBJECT);
    static const char *const never[] = {"mail=a@b,c@d", "mail=<a@b>", "mail=\xc3\xa5@b.example", "mail=a@b.", "webhook=https://", "webhook=http:///in", "webhook=https://a.example/ in"};
    for (size_t i = 0; i < ARRAY_LEN(never); i++) check_say(say(RIG(NOTICE_SET, "ops", ADA, never[i])), POLICY_SAY_SUBJECT);
    for (unsigned i = 1; i < POLICY_NOTICES_MAX; i++) {
        (void)snprintf(id, sizeof id, "n%u", i);
        check_say(say(RIG(NOTICE_SET, id, ADA, "mail=a@b")), POLICY_SAY_DONE);
    }
    check_say(say(RIG(NOTICE_SET, "more", ADA, "mail=a@b")), POLICY_SAY_LIMIT);
    check_say(say(RIG(NOTICE_OFF, "n1", BOB)), POLICY_SAY_DONE);
    check_say(say(RIG(NOTICE_OFF, "n1", BOB)), POLICY_SAY_NO_SUBJECT);
    check_say(say(RIG(NOTICE_SET, "more", ADA, "mail=a@b")), POLICY_SAY_DONE);
}

static void every_reason_of_rules_was_reached(void **unused) {
    (void)unused;
    static const enum policy_say want[] = {SAYS_RULES(SAYS_ONE)};
    check_reached(want, ARRAY_LEN(want));
}

int main(void) {
#define FACT(f) cmocka_unit_test_setup_teardown(f, people_set_up, people_tear_down)
    const struct CMUnitTest tests[] = {
        FACT(the_most_specific_rule_counts),
        FACT(rules_have_bounds),
        FACT(a_rule_refuses_countries_and_employers),
        FACT(a_new_bucket_of_the_name_has_no_categories_of_the_old),
        FACT(a_limit_takes_away_and_adds_nothing),
        FACT(origins_that_a_browser_would_take),
        FACT(notices_are_one_approvers_to_set),
        FACT(every_reason_of_rules_was_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
