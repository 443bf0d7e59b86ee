/* SPDX-License-Identifier: Apache-2.0
 * Facts about the provider's people: who is who, whose key it is, who is eligible, what an officer may not say.
 * Role: unit test. Spec: docs/spec/access.md section 1.
 */
#include "policy/policy_people_rig.h"

static const struct policy_people *people(void) { return provider.people; }
static bool key_is(unsigned n, const char *account) {
    const struct policy_person *p = policy_person_of_key(people(), slice_str(key(n)));
    return p != NULL && strcmp(p->account, account) == 0;
}

static void a_person_is_found_by_account_and_by_each_key(void **unused) {
    (void)unused;
    struct rig_says w = plus(plus(person("anna", "p-1", key(1), "support"), term("key", key(2))), "manager=mona");
    check_say(rig_provider(&provider, plus(plus(w, "role=security"), "subprocessor=sub-1")), POLICY_SAY_DONE);
    const struct policy_person *p = policy_person(people(), SLICE_LIT("anna"));
    assert_non_null(p);
    assert_true(key_is(1, "anna") && key_is(2, "anna"));
    assert_string_equal(p->person, "p-1");
    assert_string_equal(p->manager, "mona");
    assert_string_equal(p->subprocessor, "sub-1");
    assert_string_equal(p->office, "DE");
    assert_string_equal(p->name, "anna");
    assert_string_equal(p->employer, "Northern Support");
    assert_int_equal(p->roles, 1u << POLICY_ROLE_support | 1u << POLICY_ROLE_security);
    assert_int_equal(p->training_ms, RIG_T0 - RIG_DAY);
    assert_int_equal(p->index, 1);
    assert_true(p->on);
    assert_null(policy_person(people(), SLICE_LIT("ann")));
    assert_null(policy_person_of_key(people(), slice_str(key(3))));
    assert_true(policy_officer(people(), slice_str(RIG_OFFICER)) && !policy_officer(people(), slice_str(key(1))));
    assert_int_equal(policy_people_genesis(people()), 0);
}

static void a_key_that_was_taken_away_is_remembered_and_never_comes_back(void **unused) {
    (void)unused;
    check_say(rig_provider(&provider, person("anna", "p-1", key(1), "support")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, person("anna", "p-1", key(2), "manager")), POLICY_SAY_DONE);
    assert_true(key_is(2, "anna"));
    assert_null(policy_person_of_key(people(), slice_str(key(1))));
    assert_true(policy_person_key_removed(people(), slice_str(key(1))));
    assert_false(policy_person_key_removed(people(), slice_str(key(2))));
    assert_false(policy_person_key_removed(people(), slice_str(key(3))));
    check_say(rig_provider(&provider, person("anna", "p-1", key(1), "support")), POLICY_SAY_KEY_REMOVED);
    check_say(rig_provider(&provider, person("bert", "p-2", key(1), "support")), POLICY_SAY_EXISTS);
    assert_int_equal(policy_person(people(), SLICE_LIT("anna"))->roles, 1u << POLICY_ROLE_manager);
}

static void off_and_on_again_keeps_the_keys(void **unused) {
    (void)unused;
    check_say(rig_provider(&provider, person("anna", "p-1", key(1), "support")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "anna", RIG_OFFICER, "text=left")), POLICY_SAY_DONE);
    assert_false(policy_person(people(), SLICE_LIT("anna"))->on);
    assert_int_equal(policy_person(people(), SLICE_LIT("anna"))->index, 2);
    assert_int_equal(policy_person_set_index(people(), SLICE_LIT("anna")), 1);
    assert_true(key_is(1, "anna"));
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "anna", RIG_OFFICER)), POLICY_SAY_STATE);
    check_say(rig_provider(&provider, person("anna", "p-1", key(1), "support")), POLICY_SAY_DONE);
    assert_true(policy_person(people(), SLICE_LIT("anna"))->on);
}

static void eligibility_ends_at_each_bound(void **unused) {
    (void)unused;
    const uint64_t t = 100000000000;
    struct policy_person p = {.on = true, .training_ms = t, .screening_ms = t, .review_ms = t};
    assert_true(policy_eligible(&p, t));
    p.review_ms = t - REVIEW_MS + 1, p.training_ms = t - TRAINING_MS + 1, p.screening_ms = t - SCREENING_MS + 1;
    assert_true(policy_eligible(&p, t));
    uint64_t *dates[] = {&p.review_ms, &p.training_ms, &p.screening_ms};
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        (*dates[i])--;
        assert_false(policy_eligible(&p, t));
        (*dates[i])++;
    }
    p.on = false;
    assert_false(policy_eligible(&p, t));
}

static struct rig_says with_keys(struct rig_says w, unsigned from, unsigned count) {
    for (unsigned i = 0; i < count; i++) w = plus(w, term("key", key(from + i)));
    return w;
}

static struct rig_says with_words(struct rig_says w, const char *name, unsigned count) {
    char word[16];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(word, sizeof word, "w%02u", i);
        w = plus(w, term(name, word));
    }
    return w;
}

#define PUB2 "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void what_an_officer_may_not_say(void **unused) { /* long because it is one table of cases */
    (void)unused;
    char day[32], past[32], long_word[67] = {0}, longest[66] = {0};
    (void)snprintf(day, sizeof day, "%llu", (unsigned long long)(RIG_T0 + 500 + RIG_DAY));
    (void)snprintf(past, sizeof past, "%llu", (unsigned long long)(RIG_T0 + 501 + RIG_DAY));
    memset(long_word, 'a', 65);
    memset(longest, 'a', 64);
    assert_int_equal(rig_provider(&provider, plus(person("anna", "p-1", key(1), "support"), "key=passkey:EdDSA:Y3JlZA:" PUB)), POLICY_SAY_DONE);
    assert_int_equal(rig_provider(&provider, person("anna", "p-1", key(2), "support")), POLICY_SAY_DONE);
    assert_int_equal(rig_provider(&provider, plus(person("carl", "p-3", key(4), "officer"), "key=passkey:EdDSA:Q2FybA:" PUB)), POLICY_SAY_DONE);
    const struct rig_says bert = person("bert", "p-2", key(3), "support"), some = purpose("fix");
    const struct {
        const char *what;
        struct rig_says says;
        enum policy_say want;
    } cases[] = {
        {"all is well", bert, POLICY_SAY_DONE},
        {"by nobody", by(bert, key(99), POLICY_KEY_SK), POLICY_SAY_UNKNOWN},
        {"by the person", by(bert, key(2), POLICY_KEY_SK), POLICY_SAY_NOT_OFFICER},
        {"by one with the role of an officer", by(bert, key(4), POLICY_KEY_SK), POLICY_SAY_NOT_OFFICER},
        {"with a passkey", by(bert, "passkey:EdDSA:Q2FybA:" PUB, POLICY_KEY_PASSKEY), POLICY_SAY_NOT_OFFICER},
        {"with a plain key", by(bert, key(2), POLICY_KEY_SSH), POLICY_SAY_NOT_HARDWARE},
        {"by a key taken away", by(bert, key(1), POLICY_KEY_SK), POLICY_SAY_KEY_REMOVED},
        {"about a tenant", RIG(QUORUM_SET, NULL, RIG_OFFICER, "need=1"), POLICY_SAY_NO_TENANT},
        {"a tenant that could not be made", RIG(TENANT_CREATE, "acme", RIG_OFFICER), POLICY_SAY_NOT_TAKEN},
        {"a tenant, by staff", RIG_SK(TENANT_CREATE, "acme", key(2)), POLICY_SAY_NOT_OFFICER},
        {"a tenant, by staff with a plain key", RIG(TENANT_CREATE, "acme", key(2)), POLICY_SAY_NOT_HARDWARE},
        {"a reader, by staff", RIG_SK(READER_ADD, "provider", key(2)), POLICY_SAY_NOT_OFFICER},
        {"an access key", RIG(KEY_ADD, "000000000001", RIG_OFFICER), POLICY_SAY_NO_TENANT},
        {"access without a tenant", RIG(ACCESS_LOOK, NULL, RIG_OFFICER), POLICY_SAY_NO_TENANT},
        {"a role there is not", with(bert, "role=king"), POLICY_SAY_NO_SUBJECT},
        {"an account with capitals", (struct rig_says){.kind = bert.kind, .subject = "Bert", .signer = RIG_OFFICER,
                                                       .terms = {bert.terms[0], bert.terms[1], bert.terms[2], bert.terms[3], bert.terms[4], bert.terms[5],
                                                                 bert.terms[6], bert.terms[7], bert.terms[8]}}, POLICY_SAY_SUBJECT},
        {"the longest account", person(longest, "p-2", key(3), "support"), POLICY_SAY_DONE},
        {"a longer account", person(long_word, "p-2", key(3), "support"), POLICY_SAY_SUBJECT},
        {"training a day ahead", with(bert, term("training", day)), POLICY_SAY_DONE},
        {"training further ahead", with(bert, term("training", past)), POLICY_SAY_RANGE},
        {"screening further ahead", with(bert, term("screening", past)), POLICY_SAY_RANGE},
        {"review further ahead", with(bert, term("review", past)), POLICY_SAY_RANGE},
        {"eight keys", with_keys(bert, 10, 7), POLICY_SAY_DONE},
        {"nine keys", with_keys(bert, 10, 8), POLICY_SAY_LIMIT},
        {"another's key", plus(bert, term("key", key(2))), POLICY_SAY_EXISTS},
        {"another's passkey", plus(bert, "key=passkey:EdDSA:Q2FybA:" PUB), POLICY_SAY_EXISTS},
        {"another key of another's device", plus(bert, "key=passkey:EdDSA:Q2FybA:" PUB2), POLICY_SAY_EXISTS},
        {"two keys of one device", plus(plus(bert, "key=passkey:EdDSA:QmVydA:" PUB), "key=passkey:EdDSA:QmVydA:" PUB2), POLICY_SAY_EXISTS},
        {"off, who is not there", RIG(PERSON_OFF, "bert", RIG_OFFICER), POLICY_SAY_NO_SUBJECT},
        {"a purpose", some, POLICY_SAY_DONE},
        {"a purpose that is off", RIG(PURPOSE_SET, "fix", RIG_OFFICER), POLICY_SAY_DONE},
        {"a purpose with a verb that is none", plus(some, "verb=write"), POLICY_SAY_VERB},
        {"a purpose for a role that is none", plus(some, "role=king"), POLICY_SAY_NO_SUBJECT},
        {"a purpose with a space", (struct rig_says){.kind = some.kind, .subject = "f x", .signer = RIG_OFFICER}, POLICY_SAY_SUBJECT},
        {"sixteen categories", with_words(RIG(PURPOSE_SET, "fix", RIG_OFFICER), "category", POLICY_WORDS_MAX), POLICY_SAY_DONE},
        {"seventeen categories", with_words(RIG(PURPOSE_SET, "fix", RIG_OFFICER), "category", POLICY_WORDS_MAX + 1), POLICY_SAY_LIMIT},
    };
    now_ms = RIG_T0 + 500;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rig_write(cases[i].says);
        check_say_at(policy_provider_say(&provider, &rig_statement), cases[i].want, cases[i].what, __LINE__);
    }
    /* The rig's officer has a fingerprint that no term can have: here one that can. */
    char list[SSH_FINGERPRINT_CHARS + 3];
    (void)snprintf(list, sizeof list, "\"%s\"", key(50));
    struct slice officers = slice_str(list);
    struct policy_people *p = policy_people_new();
    assert_int_equal(policy_people_genesis_fold(p, 0, officers), ERR_OK);
    assert_int_equal(policy_people_genesis_fold(p, 1, officers), ERR_EXISTS);
    rig_write(plus(bert, term("key", key(50))));
    check_say(policy_people_say(p, &rig_statement), POLICY_SAY_EXISTS);
    policy_people_free(p);
}

static void purposes_are_found_replaced_and_bounded(void **unused) {
    (void)unused;
    char name[16];
    for (unsigned i = 0; i < POLICY_PURPOSES_MAX; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        check_say(rig_provider(&provider, purpose(name)), POLICY_SAY_DONE);
    }
    check_say(rig_provider(&provider, purpose("more")), POLICY_SAY_LIMIT);
    check_say(rig_provider(&provider, RIG(PURPOSE_SET, "p3", RIG_OFFICER, "category=logs", "role=legal", "verb=head")), POLICY_SAY_DONE);
    const struct policy_purpose *p = policy_purpose(people(), SLICE_LIT("p3"));
    assert_non_null(p);
    assert_int_equal(p->roles, 1u << POLICY_ROLE_legal);
    assert_true(policy_words_have(&p->verbs, SLICE_LIT("head")) && !policy_words_have(&p->verbs, SLICE_LIT("read")));
    assert_int_equal(p->index, POLICY_PURPOSES_MAX + 2);
    assert_null(policy_purpose(people(), SLICE_LIT("more")));
}

static void leaves_out_of_order_are_refused(void **unused) {
    (void)unused;
    check_say(rig_provider(&provider, person("anna", "p-1", key(1), "support")), POLICY_SAY_DONE);
    assert_int_equal(policy_provider_apply(&provider, 1, &leaf, &opening), ERR_INPUT);
    uint64_t was = provider.t_ms;
    provider.t_ms = now_ms + 1;
    assert_int_equal(policy_provider_apply(&provider, 2, &leaf, &opening), ERR_INPUT);
    provider.t_ms = was;
    assert_int_equal(provider.size, 2);
}

/* The provider's own forgetting must not bring back whom it had put out. */
static void what_is_erased_turns_everybody_off(void **unused) {
    (void)unused;
    check_say(rig_provider(&provider, person("anna", "p-1", key(1), "support")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, purpose("fix")), POLICY_SAY_DONE);
    rig_write(RIG(PERSON_OFF, "anna", RIG_OFFICER));
    struct rig_says off = RIG(PERSON_OFF, "anna", RIG_OFFICER), limit = RIG(PURPOSE_SET, "fix", RIG_OFFICER);
    rig_leaf(&off, buf_slice(&rig_value), 0, UINT64_MAX, POLICY_SAY_DONE, RECORD_LOG_PROVIDER);
    assert_int_equal(record_opening_erase(&opening, RECORD_F_STMT), ERR_OK);
    assert_int_equal(policy_provider_apply(&provider, 3, &leaf, &opening), ERR_OK);
    assert_false(policy_person(people(), SLICE_LIT("anna"))->on);
    assert_int_equal(policy_purpose(people(), SLICE_LIT("fix"))->verbs.count, 3);
    rig_leaf(&limit, buf_slice(&rig_value), 0, UINT64_MAX, POLICY_SAY_DONE, RECORD_LOG_PROVIDER);
    assert_int_equal(record_opening_erase(&opening, RECORD_F_WHO), ERR_OK);
    assert_int_equal(policy_provider_apply(&provider, 4, &leaf, &opening), ERR_OK);
    assert_int_equal(policy_purpose(people(), SLICE_LIT("fix"))->verbs.count, 0);
    /* What followed it on the log, and makes no sense without it, passes without effect. */
    rig_write(off);
    rig_leaf(&off, buf_slice(&rig_value), 0, UINT64_MAX, POLICY_SAY_DONE, RECORD_LOG_PROVIDER);
    assert_int_equal(policy_provider_apply(&provider, 5, &leaf, &opening), ERR_OK);
    rig_write(person("anna", "p-1", key(1), "support"));
    struct rig_says anna = person("anna", "p-1", key(1), "support");
    rig_leaf(&anna, buf_slice(&rig_value), 0, UINT64_MAX, POLICY_SAY_DONE, RECORD_LOG_PROVIDER);
    assert_int_equal(policy_provider_apply(&provider, 6, &leaf, &opening), ERR_OK);
    assert_true(policy_person(people(), SLICE_LIT("anna"))->on);
}

/* many ------------------------------------------------------------------------------------------------------------------------- */

static void many_leaf(unsigned n, unsigned key_number) {
    char account[16], key_text[SSH_FINGERPRINT_CHARS + 1];
    (void)snprintf(account, sizeof account, "a%05u", n);
    (void)snprintf(key_text, sizeof key_text, "SHA256:%042uA", key_number);
    struct rig_says w = person(account, account, key_text, "support");
    rig_write(w);
    rig_leaf(&w, buf_slice(&rig_value), 0, UINT64_MAX, POLICY_SAY_DONE, RECORD_LOG_PROVIDER);
}

static void persons_up_to_the_bound_and_not_one_more(void **unused) {
    (void)unused;
    uint64_t fold_us = 0;
    for (unsigned n = 0; n < POLICY_PERSONS_MAX; n++) {
        many_leaf(n, 1000 + n);
        uint64_t began = clock_mono_us();
        assert_int_equal(policy_provider_apply(&provider, n + 1, &leaf, &opening), ERR_OK);
        fold_us += clock_mono_us() - began;
        if (n + 1 == 10000) print_message("10000 persons folded in %llu us\n", (unsigned long long)fold_us);
    }
    uint64_t began = clock_mono_us();
    for (unsigned n = 0; n < 10000; n++) {
        char account[16], key_text[SSH_FINGERPRINT_CHARS + 1];
        (void)snprintf(account, sizeof account, "a%05u", n);
        (void)snprintf(key_text, sizeof key_text, "SHA256:%042uA", 1000 + n);
        const struct policy_person *p = policy_person(people(), slice_str(account));
        assert_ptr_equal(p, policy_person_of_key(people(), slice_str(key_text)));
        assert_string_equal(p->account, account);
        assert_string_equal(p->name, account);
    }
    print_message("20000 lookups among %u persons in %llu us\n", POLICY_PERSONS_MAX, (unsigned long long)(clock_mono_us() - began));
    size_t cursor = 0, count = 0;
    for (const struct policy_person *p; (p = policy_person_next(people(), &cursor)) != NULL; count++)
        if (count == 77) assert_string_equal(p->account, "a00077");
    assert_int_equal(count, POLICY_PERSONS_MAX);
    rig_write(person("more", "more", key(1), "support"));
    check_say(policy_provider_say(&provider, &rig_statement), POLICY_SAY_LIMIT);
    many_leaf(5, 900000);
    check_say(policy_provider_say(&provider, &rig_statement), POLICY_SAY_DONE); /* who is there may change */
}

static void every_reason_of_people_was_reached(void **unused) {
    (void)unused;
    static const enum policy_say want[] = {SAYS_PEOPLE(SAYS_ONE)};
    check_reached(want, ARRAY_LEN(want));
}

int main(void) {
#define FACT(f) cmocka_unit_test_setup_teardown(f, people_set_up, people_tear_down)
    const struct CMUnitTest tests[] = {
        FACT(a_person_is_found_by_account_and_by_each_key),
        FACT(a_key_that_was_taken_away_is_remembered_and_never_comes_back),
        FACT(off_and_on_again_keeps_the_keys),
        FACT(eligibility_ends_at_each_bound),
        FACT(what_an_officer_may_not_say),
        FACT(purposes_are_found_replaced_and_bounded),
        FACT(leaves_out_of_order_are_refused),
        FACT(what_is_erased_turns_everybody_off),
        FACT(persons_up_to_the_bound_and_not_one_more),
        FACT(every_reason_of_people_was_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
