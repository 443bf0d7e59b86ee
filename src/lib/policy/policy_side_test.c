/* SPDX-License-Identifier: Apache-2.0
 * LAW-6, the pair of the check in policy_customer.c: every kind of statement, signed by every officer and person of the provider, changes nothing
 * of the customer's side; the cases are of the statement table, and a kind without one fails.
 * Role: unit test. Spec: docs/spec/access.md section 1.
 */
#include "policy/policy_people_rig.h"

/* Statements that an approver, or a holder of a recovery key, could say. A kind that is new in the table has none, and fails. */
struct side_case {
    bool there, plain;                             /* plain: a kind without terms, of leaves of its own */
    const char *subject;
    const char *terms[14];
};
#define PLAIN {.there = true, .plain = true}
#define SIDE(subject_, ...) {.there = true, .subject = (subject_), .terms = {__VA_ARGS__}}
static const struct side_case side_cases[RECORD_STATEMENT_COUNT] = {
    [RECORD_STATEMENT_GENESIS_PROVIDER] = PLAIN,
    [RECORD_STATEMENT_GENESIS_TENANT] = PLAIN,
    [RECORD_STATEMENT_TENANT_CREATE] = PLAIN,
    [RECORD_STATEMENT_KEY_ADD] = PLAIN,
    [RECORD_STATEMENT_KEY_OFF] = PLAIN,
    [RECORD_STATEMENT_READER_ADD] = PLAIN,
    [RECORD_STATEMENT_READER_OFF] = PLAIN,
    [RECORD_STATEMENT_PERSON_SET] = SIDE("new", "employer=E", "key=K", "name=N", "office=DE", "person=p-7", "review=" DAY_AGO, "role=manager", "screening=" DAY_AGO,
                                         "training=" DAY_AGO),
    [RECORD_STATEMENT_PERSON_OFF] = SIDE("anna", NULL),
    [RECORD_STATEMENT_PURPOSE_SET] = SIDE("fix", "category=general", "role=support", "verb=read"),
    [RECORD_STATEMENT_APPROVER_SET] = SIDE("new", "key=K", "name=N"),
    [RECORD_STATEMENT_APPROVER_OFF] = SIDE("bob", NULL),
    [RECORD_STATEMENT_QUORUM_SET] = SIDE(NULL, "need=1"),
    [RECORD_STATEMENT_RULE_SET] = SIDE("one", "need=1"),
    [RECORD_STATEMENT_RULE_OFF] = SIDE("*", NULL),
    [RECORD_STATEMENT_CATEGORY_SET] = SIDE("one", "category=health"),
    [RECORD_STATEMENT_PURPOSE_LIMIT] = SIDE("improve", "category=general", "verb=read"),
    [RECORD_STATEMENT_ORIGIN_SET] = SIDE(NULL, "origin=https://evil.example", "rpid=evil.example"),
    [RECORD_STATEMENT_RECOVERY_SET] = SIDE(NULL, "key=K", "need=1"),
    [RECORD_STATEMENT_RECOVERY_START] = SIDE("new", "key=K", "name=N"),
    [RECORD_STATEMENT_RECOVERY_CANCEL] = SIDE(NULL, NULL),
    [RECORD_STATEMENT_RECOVERY_FINISH] = SIDE(NULL, NULL),
    [RECORD_STATEMENT_AGREE] = SIDE(NULL, "request=R"),
    [RECORD_STATEMENT_NOTICE_SET] = SIDE("ops", "mail=evil@evil.example"),
    [RECORD_STATEMENT_NOTICE_OFF] = SIDE("ops", NULL),
    [RECORD_STATEMENT_ACCESS_REQUEST] = SIDE("G", "bucket=one", "bytes=1", "category=general", "country=DE", "duration=60000", "objects=1", "purpose=fix", "ticket=T",
                                             "verb=read"),
    [RECORD_STATEMENT_ACCESS_APPROVE] = SIDE("G", "request=R"),
    [RECORD_STATEMENT_ACCESS_REJECT] = SIDE("G", "request=R"),
    [RECORD_STATEMENT_ACCESS_ASK] = SIDE("G", "request=R", "text=why"),
    [RECORD_STATEMENT_ACCESS_REPLY] = SIDE("G", "request=R", "text=so"),
    [RECORD_STATEMENT_ACCESS_REVOKE] = SIDE("G", NULL),
    [RECORD_STATEMENT_ACCESS_COMPLETE] = SIDE("G", NULL),
    [RECORD_STATEMENT_ACCESS_LOGIN] = SIDE("G", "country=DE"),
    [RECORD_STATEMENT_ACCESS_LOOK] = SIDE(NULL, NULL),
};

static const char *proposals[2];                   /* request= of what waits: a rule, a recovery */
static unsigned fresh_key;

/* The case number k, with a key or digest put in; turn: which proposal it agrees to. */
static struct rig_says side_says(enum record_statement_kind k, const char *signer, enum policy_by_key how, size_t turn) {
    const struct side_case *c = &side_cases[k];
    struct rig_says w = {.kind = k, .subject = c->subject, .signer = signer, .by = how};
    if (w.subject != NULL && strcmp(w.subject, "G") == 0) w.subject = GRANT1;
    for (size_t i = 0; c->terms[i] != NULL; i++) {
        w.terms[i] = c->terms[i];
        if (strcmp(w.terms[i], "key=K") == 0) w.terms[i] = term("key", key(200 + fresh_key++ % 50));
        if (strcmp(w.terms[i], "request=R") == 0) w.terms[i] = proposals[turn];
    }
    return w;
}

static void check_side(const struct buf *was, enum record_statement_kind k, const char *signer) {
    long at = side_differs(&state, was);
    if (at >= 0) fail_msg("%s by %s changes the customer's side at byte %ld", record_statement_kind_text(k), signer, at);
}

/* Said, with the refusal recorded; then recorded as if it had been allowed. */
static void try_kind(enum record_statement_kind k, const char *signer, enum policy_by_key how, size_t turn, const struct buf *was) {
    struct rig_says w = side_says(k, signer, how, turn);
    bool provider_kind = k == RECORD_STATEMENT_PERSON_SET || k == RECORD_STATEMENT_PERSON_OFF || k == RECORD_STATEMENT_PURPOSE_SET;
    enum policy_say got = say(w);
    if (policy_customer_takes(k) && (got == POLICY_SAY_DONE || got == POLICY_SAY_WAITS))
        fail_msg("%s by %s: %s", record_statement_kind_text(k), signer, policy_say_text(got));
    check_side(was, k, signer);
    leaf_of(w, POLICY_SAY_DONE);
    enum err e = apply_built(&state, state.size);
    if (policy_customer_takes(k) || provider_kind) assert_int_equal(e, ERR_VERIFY);
    check_side(was, k, signer);
    if (!provider_kind) return;
    /* On the provider's own log, and mirrored from there. */
    if (strcmp(signer, RIG_OFFICER) != 0) return;
    (void)rig_provider(&provider, w);
    (void)rig_mirror(&state, rig_kept_count - 1);
    check_side(was, k, signer);
}

/* Kinds that have leaves of their own: by nobody of the provider's, and a `stmt` leaf of one is a refusal, whoever signed. */
static void no_plain_kind(enum record_statement_kind k, const char *signer, enum policy_by_key how, const struct buf *was) {
    struct rig_says w = {.kind = k, .subject = "000000000009", .signer = signer, .by = how};
    enum policy_say got = say(w);
    bool officer = strcmp(signer, RIG_OFFICER) == 0;
    if (k == RECORD_STATEMENT_GENESIS_PROVIDER) check_say(got, POLICY_SAY_NO_TENANT);
    else if (officer) check_say(got, k == RECORD_STATEMENT_TENANT_CREATE ? POLICY_SAY_NOT_TAKEN : POLICY_SAY_NOT_OWNER);
    else if (got == POLICY_SAY_DONE || got == POLICY_SAY_WAITS || got == POLICY_SAY_NOT_TAKEN) fail_msg("%s by %s: %s", record_statement_kind_text(k), signer, policy_say_text(got));
    check_side(was, k, signer);
    leaf_of(w, POLICY_SAY_DONE);
    assert_int_equal(apply_built(&state, state.size), ERR_VERIFY);
    check_side(was, k, signer);
}

static void try_everything(const struct buf *was) {
    static const struct {
        unsigned key;                              /* 0: the officer */
        const char *text;
        enum policy_by_key how;
    } signers[] = {{0, RIG_OFFICER, POLICY_KEY_SSH}, {0, RIG_OFFICER, POLICY_KEY_SK}, {31, NULL, POLICY_KEY_SK}, {31, NULL, POLICY_KEY_SSH},
                   {0, PASS_ANNA, POLICY_KEY_PASSKEY}, {32, NULL, POLICY_KEY_SK}, {70, NULL, POLICY_KEY_SK}, {71, NULL, POLICY_KEY_SK},
                   {72, NULL, POLICY_KEY_SK}, {73, NULL, POLICY_KEY_SK}, {74, NULL, POLICY_KEY_SK}, {75, NULL, POLICY_KEY_SK}, {76, NULL, POLICY_KEY_SK}};
    for (unsigned k = 0; k < RECORD_STATEMENT_COUNT; k++) {
        if (!side_cases[k].there) fail_msg("no case for %s", record_statement_kind_text((enum record_statement_kind)k));
        assert_int_equal(side_cases[k].plain, !record_kind_has_terms((enum record_statement_kind)k));
        for (size_t i = 0; i < ARRAY_LEN(signers); i++) {
            const char *signer = signers[i].text != NULL ? signers[i].text : key(signers[i].key);
            if (side_cases[k].plain) no_plain_kind((enum record_statement_kind)k, signer, signers[i].how, was);
            for (size_t turn = 0; turn < 2 && !side_cases[k].plain; turn++) try_kind((enum record_statement_kind)k, signer, signers[i].how, turn, was);
        }
    }
}

/* One person of each role, one who is off, one whose key was taken away. */
static void every_role(void) {
    static const char *const roles[] = {"security", "legal", "facility", "officer", "engineer"};
    for (unsigned i = 0; i < ARRAY_LEN(roles); i++) check_say(rig_provider(&provider, person(roles[i], roles[i], key(70 + i), roles[i])), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, person("off", "off", key(75), "manager")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "off", RIG_OFFICER)), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, person("old", "old", key(76), "manager")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, person("old", "old", key(77), "manager")), POLICY_SAY_DONE);
}

static void nobody_of_the_providers_changes_the_customers_side(void **unused) {
    (void)unused;
    struct buf was = BUF_INIT(1 << 22);
    peopled();
    every_role();
    check_say(say(RIG(NOTICE_SET, "ops", ADA, "mail=a@b")), POLICY_SAY_DONE);
    check_say(say(RIG(RULE_SET, "*", ADA, "need=2")), POLICY_SAY_DONE);
    check_say(say(RIG(ORIGIN_SET, NULL, ADA, "origin=https://a.example", "rpid=a.example")), POLICY_SAY_DONE);
    check_say(say(RIG(QUORUM_SET, NULL, ADA, "need=2")), POLICY_SAY_DONE);
    check_say(say(RIG(RULE_SET, "one", ADA, "need=1")), POLICY_SAY_WAITS);
    proposals[0] = request_of_last();
    check_say(say(RIG(RECOVERY_START, "new", REC, term("key", key(250)), "name=N")), POLICY_SAY_WAITS);
    proposals[1] = request_of_last();
    static char kept[2][64];
    for (int i = 0; i < 2; i++) {
        policy_copy_text(kept[i], slice_str(proposals[i]));
        proposals[i] = kept[i];
    }
    dump_side(&state, &was);
    try_everything(&was);
    /* The cases are such as the customer's own can say. */
    check_say(say(RIG(AGREE, NULL, BOB, proposals[0])), POLICY_SAY_DONE);
    assert_true(side_differs(&state, &was) >= 0);
    check_say(say(RIG(AGREE, NULL, key(42), proposals[1])), POLICY_SAY_DONE);
    buf_done(&was);
}

static void nobody_of_the_providers_changes_it_while_owners_stand_in(void **unused) {
    (void)unused;
    struct buf was = BUF_INIT(1 << 22);
    check_say(rig_provider(&provider, plus(person("anna", "p-1", ANNA, "support"), "key=" PASS_ANNA)), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, person("mona", "p-2", MONA, "manager")), POLICY_SAY_DONE);
    every_role();
    proposals[0] = proposals[1] = "request=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    dump_side(&state, &was);
    try_everything(&was);
    check_say(say(approver("ada", ADA, OWNER)), POLICY_SAY_DONE);
    assert_true(side_differs(&state, &was) >= 0);
    buf_done(&was);
}

/* Who creates a tenant names its owners: an officer who named himself is nobody on the customer's side once that he is one is known. */
static void an_officer_who_is_an_owner_is_no_approver(void **unused) {
    (void)unused;
    struct policy_state own;
    struct says genesis = GENESIS;
    genesis.signer = RIG_OFFICER;
    assert_int_equal(policy_init(&own), ERR_OK);
    assert_int_equal(apply(&own, genesis), ERR_OK);
    check_say(rig_say(&own, RIG(RULE_SET, "*", RIG_OFFICER, "need=1")), POLICY_SAY_NOT_APPROVER);
    assert_null(policy_approver_of_key(&own, slice_str(RIG_OFFICER)));
    policy_done(&own);
}

int main(void) {
#define FACT(f) cmocka_unit_test_setup_teardown(f, people_set_up, people_tear_down)
    const struct CMUnitTest tests[] = {
        FACT(nobody_of_the_providers_changes_the_customers_side),
        FACT(nobody_of_the_providers_changes_it_while_owners_stand_in),
        FACT(an_officer_who_is_an_owner_is_no_approver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
