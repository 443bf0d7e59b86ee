/* SPDX-License-Identifier: Apache-2.0
 * Facts about the customer's side: approvers, quorum, proposals, recovery.
 * Role: unit test. Spec: docs/spec/access.md section 1.
 */
#include "policy/policy_people_rig.h"

#define PUB2 "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define CYD key(3)

static const struct policy_customer *side(void) { return state.access->customer; }

static bool is_approver(const char *key_text, const char *id) {
    const struct policy_approver *a = policy_approver_of_key(&state, slice_str(key_text));
    bool holds = a != NULL && policy_approver_holds(&state, id, slice_str(key_text));
    return a != NULL && strcmp(a->id, id) == 0 && holds;
}
static bool is_none(const char *key_text) { return policy_approver_of_key(&state, slice_str(key_text)) == NULL; }

/* ada, bob, cyd; quorum as wanted */
static void enrolled(const char *quorum) {
    check_say(say(approver("ada", ADA, OWNER)), POLICY_SAY_DONE);
    check_say(say(approver("bob", BOB, ADA)), POLICY_SAY_DONE);
    check_say(say(approver("cyd", CYD, BOB)), POLICY_SAY_DONE);
    if (quorum != NULL) check_say(say(RIG(QUORUM_SET, NULL, ADA, quorum)), POLICY_SAY_DONE);
}

static struct rig_says rule(const char *place, const char *signer) { return RIG(RULE_SET, place, signer, "need=2"); }
static struct rig_says agree(const char *signer, const char *request) { return RIG(AGREE, NULL, signer, request); }
static unsigned need_of(const char *bucket, const char *object) { return policy_rule_for(&state, slice_str(bucket), slice_str(object))->need; }

/* approvers ------------------------------------------------------------------------------------------------------------------- */

static void owners_stand_in_until_there_is_an_approver(void **unused) {
    (void)unused;
    assert_true(is_approver(OWNER, OWNER));
    assert_true(is_none(STRANGER) && is_none(ADA));
    check_say(say(approver("ada", ADA, STRANGER)), POLICY_SAY_UNKNOWN);
    check_say(say(approver("ada", ADA, OWNER)), POLICY_SAY_DONE);
    assert_true(is_approver(ADA, "ada") && is_none(OWNER));
    assert_string_equal(policy_approver_of_key(&state, slice_str(ADA))->name, "ada");
    check_say(say(rule("*", OWNER)), POLICY_SAY_NOT_APPROVER);
    check_say(say(rule("*", ADA)), POLICY_SAY_DONE);
    assert_true(policy_knows_key(&state, slice_str(OWNER)) && policy_knows_key(&state, slice_str(ADA)) && !policy_knows_key(&state, slice_str(BOB)));
}

static void a_key_is_changed_and_the_old_one_is_remembered(void **unused) {
    (void)unused;
    enrolled(NULL);
    check_say(say(plus(approver("ada", ADA, BOB), term("key", key(11)))), POLICY_SAY_DONE);
    assert_true(is_approver(ADA, "ada") && is_approver(key(11), "ada"));
    check_say(say(approver("ada", key(11), BOB)), POLICY_SAY_DONE);
    assert_true(is_none(ADA) && is_approver(key(11), "ada"));
    assert_true(policy_knows_key(&state, slice_str(ADA)));
    check_say(say(rule("*", ADA)), POLICY_SAY_KEY_REMOVED);
    check_say(say(approver("ada", ADA, BOB)), POLICY_SAY_KEY_REMOVED);
    check_say(say(RIG(APPROVER_OFF, "ada", BOB)), POLICY_SAY_DONE);
    assert_true(is_none(key(11)) && side()->approver_count == 2);
    check_say(say(RIG(APPROVER_OFF, "ada", BOB)), POLICY_SAY_NO_SUBJECT);
    check_say(say(approver("ada", key(12), BOB)), POLICY_SAY_DONE);
    assert_true(is_approver(key(12), "ada") && is_none(key(11)));
}

static struct rig_says with_keys(struct rig_says w, unsigned from, unsigned count) {
    for (unsigned i = 0; i < count; i++) w = plus(w, term("key", key(from + i)));
    return w;
}

static void whose_keys_may_not_be_an_approvers(void **unused) {
    (void)unused;
    char too_long[67] = {0};
    memset(too_long, 'a', 65);
    check_say(rig_provider(&provider, person("anna", "p-1", key(30), "support")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, plus(person("anna", "p-1", key(31), "support"), "key=passkey:EdDSA:QW5uYQ:" PUB)), POLICY_SAY_DONE);
    enrolled(NULL);
    check_say(say(plus(approver("bob", BOB, ADA), "key=passkey:EdDSA:Qm9i:" PUB)), POLICY_SAY_DONE);
    check_say(say(RIG(RECOVERY_SET, NULL, ADA, term("key", key(40)), "need=1")), POLICY_SAY_DONE);
    check_say(say(approver("cyd", key(13), ADA)), POLICY_SAY_DONE);
    const struct rig_says dan = approver("dan", key(4), ADA);
    const struct {
        const char *what;
        struct rig_says says;
        enum policy_say want;
    } cases[] = {
        {"a new key", dan, POLICY_SAY_DONE},
        {"an owner's", plus(dan, term("key", OWNER)), POLICY_SAY_DONE},
        {"another approver's", plus(dan, term("key", BOB)), POLICY_SAY_EXISTS},
        {"another's passkey", plus(dan, "key=passkey:EdDSA:Qm9i:" PUB), POLICY_SAY_EXISTS},
        {"another key of another's device", plus(dan, "key=passkey:EdDSA:Qm9i:" PUB2), POLICY_SAY_EXISTS},
        {"another key of one's own device", plus(approver("bob", BOB, ADA), "key=passkey:EdDSA:Qm9i:" PUB2), POLICY_SAY_EXISTS},
        {"two of one device", plus(plus(dan, "key=passkey:EdDSA:RGFu:" PUB), "key=passkey:EdDSA:RGFu:" PUB2), POLICY_SAY_EXISTS},
        {"one for recovery", plus(dan, term("key", key(40))), POLICY_SAY_EXISTS},
        {"one taken away", plus(dan, term("key", CYD)), POLICY_SAY_KEY_REMOVED},
        {"a person's of the provider", plus(dan, term("key", key(31))), POLICY_SAY_EXISTS},
        {"a person's passkey", plus(dan, "key=passkey:EdDSA:QW5uYQ:" PUB), POLICY_SAY_EXISTS},
        {"a person's former key", plus(dan, term("key", key(30))), POLICY_SAY_EXISTS},
        {"eight keys", with_keys(dan, 50, 7), POLICY_SAY_DONE},
        {"nine keys", with_keys(dan, 50, 8), POLICY_SAY_LIMIT},
        {"a name with capitals", approver("Dan", key(4), ADA), POLICY_SAY_SUBJECT},
        {"a name that is long", approver(too_long, key(4), ADA), POLICY_SAY_SUBJECT},
        {"recovery by an approver's key", RIG(RECOVERY_SET, NULL, ADA, term("key", BOB), "need=1"), POLICY_SAY_EXISTS},
        {"recovery by a person's key", RIG(RECOVERY_SET, NULL, ADA, term("key", key(31)), "need=1"), POLICY_SAY_EXISTS},
        {"recovery by the keys there are", RIG(RECOVERY_SET, NULL, ADA, term("key", key(40)), "need=1"), POLICY_SAY_DONE},
        {"recovery that needs none", RIG(RECOVERY_SET, NULL, ADA, term("key", key(41)), "need=0"), POLICY_SAY_RANGE},
        {"recovery that needs more than there are", RIG(RECOVERY_SET, NULL, ADA, term("key", key(41)), "need=2"), POLICY_SAY_RANGE},
        {"sixteen for recovery", with_keys(RIG(RECOVERY_SET, NULL, ADA, "need=16"), 60, 16), POLICY_SAY_DONE},
        {"seventeen", with_keys(RIG(RECOVERY_SET, NULL, ADA, "need=16"), 60, 17), POLICY_SAY_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rig_write(cases[i].says);
        rig_mirrors(&state, &provider, &rig_statement);
        check_say_at(policy_say(&state, &rig_statement), cases[i].want, cases[i].what, __LINE__);
    }
}

/* Else an officer could put an approver out by giving the approver's key to a person. */
static void an_approvers_key_stays_the_approvers(void **unused) {
    (void)unused;
    enrolled(NULL);
    check_say(rig_provider(&provider, plus(person("anna", "p-1", ADA, "support"), term("key", key(31)))), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, person("otto", "p-2", OWNER, "support")), POLICY_SAY_DONE);
    for (uint64_t i = 0; i < 3; i++) assert_int_equal(rig_mirror(&state, i), ERR_OK);
    assert_true(is_approver(ADA, "ada"));
    assert_null(policy_person_of_key(policy_people(&state), slice_str(ADA)));
    assert_null(policy_person_of_key(policy_people(&state), slice_str(OWNER)));
    assert_non_null(policy_person_of_key(policy_people(&state), slice_str(key(31))));
    check_say(say(rule("*", ADA)), POLICY_SAY_DONE);
}

static void approvers_up_to_the_bound_and_not_one_more(void **unused) {
    (void)unused;
    char id[16];
    const char *signer = OWNER;
    for (unsigned i = 0; i < POLICY_APPROVERS_MAX; i++) {
        (void)snprintf(id, sizeof id, "a%u", i);
        check_say(say(approver(id, key(100 + i), signer)), POLICY_SAY_DONE);
        signer = key(100);
    }
    check_say(say(approver("more", key(1), signer)), POLICY_SAY_LIMIT);
    check_say(say(approver("a5", key(1), signer)), POLICY_SAY_DONE);
    check_say(say(RIG(APPROVER_OFF, "a7", signer)), POLICY_SAY_DONE);
    check_say(say(approver("more", key(2), signer)), POLICY_SAY_DONE);
    assert_int_equal(side()->approver_count, POLICY_APPROVERS_MAX);
    assert_true(is_none(key(107)) && is_approver(key(2), "more") && is_approver(key(108), "a8"));
}

/* quorum ------------------------------------------------------------------------------------------------------------------------ */

static void a_quorum_is_of_different_approvers(void **unused) {
    (void)unused;
    enrolled("need=3");
    check_say(say(plus(approver("bob", BOB, ADA), term("key", key(12)))), POLICY_SAY_WAITS);
    const char *enrol = request_of_last();
    check_say(say(rule("one", ADA)), POLICY_SAY_WAITS);
    const char *ruling = request_of_last();
    assert_int_equal(need_of("one", "x"), 1);
    check_say(say(agree(ADA, ruling)), POLICY_SAY_SAME_PERSON);
    check_say(say(agree(BOB, ruling)), POLICY_SAY_WAITS);
    assert_int_equal(need_of("one", "x"), 1);
    check_say(say(agree(BOB, ruling)), POLICY_SAY_SAME_PERSON);
    check_say(say(agree(STRANGER, ruling)), POLICY_SAY_UNKNOWN);
    check_say(say(agree(OWNER, ruling)), POLICY_SAY_NOT_APPROVER);
    check_say(say(agree(BOB, enrol)), POLICY_SAY_WAITS);
    check_say(say(agree(CYD, enrol)), POLICY_SAY_DONE);
    assert_true(is_approver(key(12), "bob"));
    check_say(say(agree(key(12), ruling)), POLICY_SAY_SAME_PERSON); /* with another key he is the same */
    check_say(say(agree(CYD, ruling)), POLICY_SAY_DONE);
    assert_int_equal(need_of("one", "x"), 2);
    check_say(say(agree(CYD, ruling)), POLICY_SAY_NO_PROPOSAL);
    check_say(say(agree(CYD, "request=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")), POLICY_SAY_NO_PROPOSAL);
    /* The same text twice: the gate's nonces keep that off, and it would wait once. */
    check_say(say(rule("two", ADA)), POLICY_SAY_WAITS);
    check_say(policy_say(&state, &rig_statement), POLICY_SAY_EXISTS);
}

static void a_quorum_has_bounds(void **unused) {
    (void)unused;
    check_say(say(RIG(QUORUM_SET, NULL, OWNER, "need=2")), POLICY_SAY_RANGE); /* one owner */
    enrolled(NULL);
    check_say(say(RIG(QUORUM_SET, NULL, ADA, "need=0")), POLICY_SAY_RANGE);
    check_say(say(RIG(QUORUM_SET, NULL, ADA, "need=4")), POLICY_SAY_RANGE);
    check_say(say(RIG(QUORUM_SET, NULL, ADA, "need=3")), POLICY_SAY_DONE);
    check_say(say(RIG(APPROVER_OFF, "cyd", ADA)), POLICY_SAY_RANGE);
    check_say(say(RIG(QUORUM_SET, NULL, ADA, "need=2")), POLICY_SAY_WAITS);
    const char *two = request_of_last();
    check_say(say(agree(BOB, two)), POLICY_SAY_WAITS);
    check_say(say(agree(CYD, two)), POLICY_SAY_DONE);
    assert_int_equal(side()->quorum, 2);
    check_say(say(RIG(APPROVER_OFF, "cyd", ADA)), POLICY_SAY_WAITS);
    const char *off = request_of_last();
    check_say(say(RIG(APPROVER_OFF, "bob", ADA)), POLICY_SAY_WAITS);
    const char *other = request_of_last();
    check_say(say(agree(BOB, off)), POLICY_SAY_DONE);
    assert_true(is_none(CYD));
    check_say(say(agree(BOB, other)), POLICY_SAY_RANGE); /* now one would be left */
    assert_true(is_approver(BOB, "bob"));
}

static void owners_lower_their_quorum_before_they_enrol(void **unused) {
    (void)unused;
    state.access->customer->quorum = 2;
    check_say(rig_ask(&state, approver("ada", ADA, OWNER)), POLICY_SAY_RANGE);
}

static void proposals_lapse(void **unused) {
    (void)unused;
    enrolled("need=2");
    check_say(say(rule("one", ADA)), POLICY_SAY_WAITS);
    const char *request = request_of_last();
    uint64_t proposed = now_ms;
    now_ms = proposed + PROPOSAL_LAPSE_MS - 1;
    check_say(rig_ask(&state, agree(BOB, request)), POLICY_SAY_DONE);
    now_ms = proposed + PROPOSAL_LAPSE_MS;
    check_say(rig_ask(&state, agree(BOB, request)), POLICY_SAY_LAPSED);
    check_say(say(agree(BOB, request)), POLICY_SAY_LAPSED);
    /* Its signer is no approver any more; then one who agreed has lost the key he agreed with. */
    check_say(say(rule("one", CYD)), POLICY_SAY_WAITS);
    const char *of_cyd = request_of_last();
    check_say(say(RIG(APPROVER_OFF, "cyd", ADA)), POLICY_SAY_WAITS);
    check_say(say(agree(BOB, request_of_last())), POLICY_SAY_DONE);
    check_say(say(agree(BOB, of_cyd)), POLICY_SAY_LAPSED);
    check_say(say(rule("one", ADA)), POLICY_SAY_WAITS);
    const char *of_ada = request_of_last();
    check_say(say(approver("ada", key(11), BOB)), POLICY_SAY_WAITS);
    check_say(say(agree(ADA, request_of_last())), POLICY_SAY_DONE);
    check_say(say(agree(BOB, of_ada)), POLICY_SAY_LAPSED);
    assert_int_equal(need_of("one", "x"), 1);
}

static void a_proposed_key_is_known_and_may_nothing(void **unused) {
    (void)unused;
    uint32_t counter;
    enrolled("need=2");
    check_say(say(plus(approver("dan", key(4), ADA), "key=passkey:EdDSA:RGFu:" PUB)), POLICY_SAY_WAITS);
    const char *request = request_of_last();
    assert_true(policy_knows_key(&state, slice_str(key(4))));
    check_say(say(agree(key(4), request)), POLICY_SAY_KEY_PROPOSED);
    assert_true(slice_is(policy_passkey(&state, SLICE_LIT("RGFu"), &counter), "passkey:EdDSA:RGFu:" PUB));
    assert_null(policy_passkey(&state, SLICE_LIT("RGFv"), &counter).p);
    now_ms += PROPOSAL_LAPSE_MS;
    check_say(say(agree(key(4), request)), POLICY_SAY_UNKNOWN);
}

/* One approver who fills the room there is keeps nobody from proposing to put that one out. */
static void each_approver_has_room_for_proposals(void **unused) {
    (void)unused;
    char id[16];
    const char *signer = OWNER;
    for (unsigned i = 0; i < POLICY_APPROVERS_MAX; i++) {
        (void)snprintf(id, sizeof id, "a%u", i);
        check_say(say(approver(id, key(100 + i), signer)), POLICY_SAY_DONE);
        signer = key(100);
    }
    check_say(say(RIG(QUORUM_SET, NULL, signer, "need=2")), POLICY_SAY_DONE);
    for (unsigned i = 0; i < POLICY_APPROVERS_MAX; i++) {
        for (unsigned k = 0; k < POLICY_PROPOSALS_EACH_MAX; k++) check_say(say(rule("one", key(100 + i))), POLICY_SAY_WAITS);
        check_say(say(rule("one", key(100 + i))), POLICY_SAY_LIMIT);
    }
    assert_int_equal(side()->proposals.n / sizeof(struct policy_proposal), POLICY_PROPOSALS_MAX);
    now_ms += PROPOSAL_LAPSE_MS;
    check_say(say(rule("one", key(100))), POLICY_SAY_WAITS);
    assert_int_equal(side()->proposals.n / sizeof(struct policy_proposal), POLICY_PROPOSALS_MAX);
    check_say(say(agree(key(101), request_of_last())), POLICY_SAY_DONE);
}

/* recovery ---------------------------------------------------------------------------------------------------------------------- */

#define R1 key(41)
#define R2 key(42)
#define R3 key(43)

static void recoverable(void) {
    enrolled(NULL);
    struct rig_says w = RIG(RECOVERY_SET, NULL, ADA, term("key", R1), term("key", R2), term("key", R3), "need=2");
    check_say(say(w), POLICY_SAY_DONE);
}
static struct rig_says start(const char *signer) { return RIG(RECOVERY_START, "eve", signer, term("key", key(5)), "name=Eve"); }

static void recovery_takes_its_keys_and_its_delay(void **unused) {
    (void)unused;
    recoverable();
    check_say(say(start(ADA)), POLICY_SAY_NOT_RECOVERY);
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_STATE);
    check_say(say(RIG(RECOVERY_CANCEL, NULL, ADA)), POLICY_SAY_STATE);
    check_say(say(RIG(RECOVERY_START, "bob", R1, term("key", ADA), "name=Bob")), POLICY_SAY_EXISTS);
    check_say(say(start(R1)), POLICY_SAY_WAITS);
    const char *request = request_of_last();
    check_say(say(start(R1)), POLICY_SAY_EXISTS);
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_APPROVALS);
    check_say(say(agree(R1, request)), POLICY_SAY_SAME_PERSON);
    check_say(say(agree(ADA, request)), POLICY_SAY_NOT_RECOVERY);
    check_say(say(agree(key(5), request)), POLICY_SAY_KEY_PROPOSED);
    check_say(say(agree(R2, request)), POLICY_SAY_DONE);
    uint64_t from = now_ms;
    check_say(say(agree(R3, request)), POLICY_SAY_STATE);
    check_say(say(start(R3)), POLICY_SAY_EXISTS);
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_TOO_EARLY);
    check_say(say(RIG(RECOVERY_FINISH, NULL, ADA)), POLICY_SAY_NOT_RECOVERY);
    now_ms = from + RECOVERY_DELAY_MS - 1;
    check_say(rig_ask(&state, RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_TOO_EARLY);
    now_ms = from + RECOVERY_DELAY_MS;
    check_say(rig_ask(&state, RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_DONE);
    now_ms = from + RECOVERY_DELAY_MS + PROPOSAL_LAPSE_MS;
    check_say(rig_ask(&state, RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_LAPSED);
    now_ms = from + RECOVERY_DELAY_MS;
    assert_true(is_approver(ADA, "ada") && is_none(key(5)));
    check_say(say(RIG(RECOVERY_FINISH, NULL, R3)), POLICY_SAY_DONE);
    assert_true(is_none(ADA) && is_none(BOB) && is_none(CYD) && is_approver(key(5), "eve"));
    assert_int_equal(side()->quorum, 1);
    assert_int_equal(side()->approver_count, 1);
    check_say(say(rule("*", ADA)), POLICY_SAY_KEY_REMOVED);
    check_say(say(rule("*", key(5))), POLICY_SAY_DONE);
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_STATE);
}

/* LAW-6: an officer sees which key is proposed, gives it to a person whom the tenant's log needs, and the seven days were for nothing. */
static void an_officer_takes_no_proposed_key_away(void **unused) {
    (void)unused;
    recoverable();
    check_say(say(RIG(QUORUM_SET, NULL, ADA, "need=2")), POLICY_SAY_DONE);
    check_say(say(plus(approver("dan", key(4), ADA), "key=passkey:EdDSA:RGFu:" PUB)), POLICY_SAY_WAITS);
    const char *dan = request_of_last();
    check_say(say(start(R1)), POLICY_SAY_WAITS);
    const char *eve = request_of_last();
    struct rig_says p = plus(plus(person("anna", "p-1", key(31), "support"), term("key", key(4))), term("key", key(5)));
    check_say(rig_provider(&provider, plus(p, "key=passkey:EdDSA:RGFu:" PUB2)), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, person("anna", "p-1", key(31), "support")), POLICY_SAY_DONE);      /* removed ones are as good */
    check_say(say(RIG_SK(ACCESS_LOOK, NULL, key(31), NULL)), POLICY_SAY_DONE);
    for (uint64_t i = 1; i < 3; i++) (void)rig_mirror(&state, i);
    check_say(say(by(RIG(ACCESS_LOOK, NULL, key(4), NULL), key(4), POLICY_KEY_SK)), POLICY_SAY_KEY_PROPOSED);
    check_say(say(agree(BOB, dan)), POLICY_SAY_DONE);
    assert_true(is_approver(key(4), "dan"));
    check_say(say(agree(R2, eve)), POLICY_SAY_DONE);
    now_ms += RECOVERY_DELAY_MS;
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_DONE);
    assert_true(is_approver(key(5), "eve"));
}

/* Two of three are needed: one that was stolen neither recovers nor keeps the others from it. */
static void one_stolen_recovery_key_stops_nobody(void **unused) {
    (void)unused;
    recoverable();
    check_say(say(RIG(RECOVERY_START, "thief", R3, term("key", key(6)), "name=T")), POLICY_SAY_WAITS);
    const char *thiefs = request_of_last();
    check_say(say(start(R1)), POLICY_SAY_WAITS);
    const char *request = request_of_last();
    check_say(say(agree(R2, thiefs)), POLICY_SAY_NO_PROPOSAL);
    check_say(say(agree(R2, request)), POLICY_SAY_DONE);
    check_say(say(RIG(RECOVERY_START, "thief", R3, term("key", key(7)), "name=T")), POLICY_SAY_EXISTS);
    now_ms += RECOVERY_DELAY_MS;
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_DONE);
    assert_true(is_approver(key(5), "eve"));
}

static void any_approver_cancels_a_recovery(void **unused) {
    (void)unused;
    recoverable();
    check_say(say(start(R1)), POLICY_SAY_WAITS);
    check_say(say(agree(R2, request_of_last())), POLICY_SAY_DONE);
    check_say(say(RIG(RECOVERY_CANCEL, NULL, R3)), POLICY_SAY_NOT_APPROVER);
    check_say(say(RIG(RECOVERY_CANCEL, NULL, CYD)), POLICY_SAY_DONE);
    now_ms += RECOVERY_DELAY_MS;
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_STATE);
    assert_true(is_approver(CYD, "cyd"));
}

static void a_recovery_that_few_agree_to_lapses(void **unused) {
    (void)unused;
    recoverable();
    check_say(say(start(R1)), POLICY_SAY_WAITS);
    const char *request = request_of_last();
    now_ms += PROPOSAL_LAPSE_MS;
    check_say(say(agree(R2, request)), POLICY_SAY_LAPSED);
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_LAPSED);
    check_say(say(RIG(RECOVERY_CANCEL, NULL, ADA)), POLICY_SAY_STATE);
    check_say(say(start(R2)), POLICY_SAY_WAITS);
    /* Other keys for recovery end it, and those left out are taken away. */
    check_say(say(RIG(RECOVERY_SET, NULL, ADA, term("key", R1), "need=1")), POLICY_SAY_DONE);
    assert_false(side()->recovering);
    check_say(say(start(R2)), POLICY_SAY_KEY_REMOVED);
    check_say(say(start(R1)), POLICY_SAY_DONE); /* one is enough now */
    now_ms += RECOVERY_DELAY_MS;
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_DONE);
}

static void recovery_among_the_most_approvers(void **unused) {
    (void)unused;
    char id[16];
    const char *signer = OWNER;
    for (unsigned i = 0; i < POLICY_APPROVERS_MAX; i++) {
        (void)snprintf(id, sizeof id, "a%u", i);
        check_say(say(approver(id, key(100 + i), signer)), POLICY_SAY_DONE);
        signer = key(100);
    }
    check_say(say(RIG(RECOVERY_SET, NULL, signer, term("key", R1), "need=1")), POLICY_SAY_DONE);
    check_say(say(RIG(QUORUM_SET, NULL, signer, "need=2")), POLICY_SAY_DONE);
    check_say(say(rule("*", signer)), POLICY_SAY_WAITS);
    const char *waiting = request_of_last();
    check_say(say(start(R1)), POLICY_SAY_DONE);
    now_ms += RECOVERY_DELAY_MS;
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_DONE);
    assert_int_equal(side()->approver_count, 1);
    for (unsigned i = 0; i < POLICY_APPROVERS_MAX; i++) assert_true(is_none(key(100 + i)));
    check_say(say(agree(key(5), waiting)), POLICY_SAY_NO_PROPOSAL);
    /* Who is there stays, with the key that is named again. */
    check_say(say(RIG(RECOVERY_START, "eve", R1, term("key", key(5)), term("key", key(6)), "name=Eve")), POLICY_SAY_DONE);
    now_ms += RECOVERY_DELAY_MS;
    check_say(say(RIG(RECOVERY_FINISH, NULL, R1)), POLICY_SAY_DONE);
    assert_true(is_approver(key(5), "eve") && is_approver(key(6), "eve"));
    assert_int_equal(side()->approver_count, 1);
}

static void every_reason_of_the_customers_side_was_reached(void **unused) {
    (void)unused;
    static const enum policy_say want[] = {SAYS_CUSTOMER(SAYS_ONE)};
    check_reached(want, ARRAY_LEN(want));
}

int main(void) {
#define FACT(f) cmocka_unit_test_setup_teardown(f, people_set_up, people_tear_down)
    const struct CMUnitTest tests[] = {
        FACT(owners_stand_in_until_there_is_an_approver),
        FACT(a_key_is_changed_and_the_old_one_is_remembered),
        FACT(whose_keys_may_not_be_an_approvers),
        FACT(an_approvers_key_stays_the_approvers),
        FACT(approvers_up_to_the_bound_and_not_one_more),
        FACT(a_quorum_is_of_different_approvers),
        FACT(a_quorum_has_bounds),
        FACT(owners_lower_their_quorum_before_they_enrol),
        FACT(proposals_lapse),
        FACT(a_proposed_key_is_known_and_may_nothing),
        FACT(each_approver_has_room_for_proposals),
        FACT(recovery_takes_its_keys_and_its_delay),
        FACT(an_officer_takes_no_proposed_key_away), FACT(one_stolen_recovery_key_stops_nobody), FACT(any_approver_cancels_a_recovery),
        FACT(a_recovery_that_few_agree_to_lapses),
        FACT(recovery_among_the_most_approvers),
        FACT(every_reason_of_the_customers_side_was_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
