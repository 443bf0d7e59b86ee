/* SPDX-License-Identifier: Apache-2.0
 * Statements with terms at the gate: from the body to the leaf, and what comes of it.
 * Role: unit test of say*.c and statements.c over a real store. Law: 1, 4, 6. Spec: docs/spec/access.md
 */
#include "gate/say_people.h"

#include "gate/session.h"

/* meter.c as the test wants it (linked with --wrap=meter_kill): what it was asked, and when it answers ----------------------------------- */

static unsigned kills;
static bool kill_held;                             /* not answered: say_kill_answer() does */
static bool kill_fails;
static void (*kill_done)(void *ctx, bool ok);
static void *kill_ctx;

void __wrap_meter_kill(struct gate *g, struct gate_tenant *t, const uint8_t grant[ID_BYTES], void (*done)(void *ctx, bool ok), void *ctx);
void __wrap_meter_kill(struct gate *g, struct gate_tenant *t, const uint8_t grant[ID_BYTES], void (*done)(void *ctx, bool ok), void *ctx)
{
    assert_true(g == &r->g && t == r->t && policy_grant(t->state, grant));
    kills++;
    if (kill_held) kill_done = done, kill_ctx = ctx;
    else done(ctx, !kill_fails);
}

static int quiet(void **state)
{
    kills = 0;
    kill_held = kill_fails = false;
    return set_up(state);
}
#undef T
#define T(f) cmocka_unit_test_setup_teardown(f, quiet, tear_down)

/* the way of a grant -------------------------------------------------------------------------------------------------------------------- */

static void a_request_that_all_signed_gives_credentials_until_it_is_revoked(void **state)
{
    struct session s;
    char digest[64];
    (void)state;
    request(GRANT, digest);
    assert_string_equal(say_rig_text(r, "state"), "manager-pending");
    assert_string_equal(say_rig_text(r, "digest"), digest);
    taken(approve(&manager, GRANT, digest, ""));
    assert_string_equal(say_rig_text(r, "state"), "customer-pending");
    taken(approve(&r->owner, GRANT, digest, "\nbytes=5242880"));
    assert_string_equal(say_rig_text(r, "result"), "done");
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 200);
    assert_int_equal(json_integer_value(json_object_get(r->answer, "Version")), 1);
    assert_int_equal(session_open(&r->g, slice_str(say_rig_text(r, "SessionToken")), &s), ERR_OK);
    assert_string_equal(s.access_key, say_rig_text(r, "AccessKeyId"));
    assert_string_equal(s.secret_key, say_rig_text(r, "SecretAccessKey"));
    assert_string_equal(s.account, "ines");
    assert_true(s.expires_ms > clock_wall_ms() && s.expires_ms <= clock_wall_ms() + SESSION_MS_MAX);
    assert_int_equal(strlen(say_rig_text(r, "Expiration")), 24);
    assert_int_equal(state_of(GRANT), POLICY_GRANT_ACTIVE);
    assert_int_equal(SAY(&r->owner, ACCESS_REVOKE, GRANT, "text=enough"), 200);
    assert_true(json_is_true(json_object_get(r->answer, "closed")));
    assert_string_equal(say_rig_text(r, "state"), "revoked");
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 409);
    say_rig_refused(r, r->t, "state");
}

static void the_leaf_names_the_grant_and_who_signed(void **state)
{
    AUTO(say_read) struct say_read x;
    char digest[64];
    uint8_t id[ID_BYTES];
    (void)state;
    request(GRANT, digest);
    say_rig_last(r, r->t, &x);
    assert_true(slice_is(record_text(&x.leaf, RECORD_F_ACT), "access.request") && slice_is(record_text(&x.leaf, RECORD_F_AUTH), "sk"));
    assert_true(slice_is(say_opened(&x, RECORD_F_WHO), engineer.text));
    assert_true(say_leaf_grant(&x.leaf, id));
    assert_int_equal(record_int(&x.leaf, RECORD_F_CTL, 0), log_size(r->t->control) - 1);
    struct record_stmt_value v;
    assert_int_equal(record_stmt_value_get(say_opened(&x, RECORD_F_STMT), &v), ERR_OK);
    assert_true(slice_is(v.text, r->text));
}

static void what_a_request_relies_on_is_mirrored_before_it(void **state)
{
    char digest[64];
    uint64_t before = log_size(r->t->control);
    (void)state;
    assert_int_equal(policy_people_genesis(policy_people(r->t->state)), UINT64_MAX);
    request(GRANT, digest);
    assert_int_equal(policy_people_genesis(policy_people(r->t->state)), 0);
    assert_non_null(policy_person(policy_people(r->t->state), SLICE_LIT("ines")));
    assert_non_null(policy_purpose(policy_people(r->t->state), SLICE_LIT("support-ticket")));
    assert_null(policy_person(policy_people(r->t->state), SLICE_LIT("mats")));
    uint64_t after = log_size(r->t->control);
    assert_true(after >= before + 4);              /* genesis, person, purpose, the request */
    taken(approve(&manager, GRANT, digest, ""));
    assert_int_equal(log_size(r->t->control), after + 2);
}

static void who_is_off_at_the_provider_is_off_here_in_the_same_turn(void **state)
{
    AUTO(say_read) struct say_read x;
    (void)state;
    granted(GRANT);
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 200);
    uint64_t size = log_size(r->t->control);
    assert_int_equal(SAY(&r->officer, PERSON_OFF, "ines", "text=left"), 200);
    assert_int_equal(log_size(r->t->control), size + 1);
    assert_int_equal(kills, 1);
    assert_true(json_is_true(json_object_get(r->answer, "closed")));
    say_rig_last(r, r->t, &x);
    assert_true(record_has(&x.leaf, RECORD_F_REF) && slice_is(record_text(&x.leaf, RECORD_F_ACT), "person.off"));
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 403);
    say_rig_refused(r, r->t, "not-eligible");
}

static void a_manager_who_is_put_out_ends_what_hangs_on_the_signature(void **state)
{
    (void)state;
    granted(GRANT);
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 200);
    uint64_t size = log_size(r->t->control);
    assert_int_equal(SAY(&r->officer, PERSON_OFF, "mats", "text=left"), 200);
    assert_int_equal(log_size(r->t->control), size + 1);
    assert_int_equal(kills, 1);
    assert_true(json_is_true(json_object_get(r->answer, "closed")));
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 403);
    say_rig_refused(r, r->t, "approvals");
}

static void a_login_from_another_country_is_refused_by_that_name(void **state)
{
    (void)state;
    granted(GRANT);
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=US"), 403);
    say_rig_refused(r, r->t, "country");
    assert_null(json_object_get(r->answer, "SessionToken"));
    assert_int_equal(state_of(GRANT), POLICY_GRANT_APPROVED);
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 200);
}

static void what_ends_no_grant_stops_no_stream(void **state)
{
    (void)state;
    granted(GRANT);
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 200);
    assert_int_equal(SAY(&r->officer, PURPOSE_SET, "audit", "category=general\nrole=legal\nverb=read"), 200);
    assert_int_equal(SAY(&r->officer, PERSON_OFF, "ines2", ""), 200);
    assert_int_equal(SAY(&r->owner, RULE_SET, "*", "need=1"), 200);
    assert_int_equal(kills, 0);
    assert_null(json_object_get(r->answer, "closed"));
    assert_int_equal(SAY(&r->owner, RULE_SET, "*", "need=2"), 200);              /* one approval stands: too few from here on */
    assert_int_equal(kills, 1);
}

static void a_revocation_is_answered_when_the_streams_are_gone(void **state)
{
    (void)state;
    granted(GRANT);
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 200);
    kill_held = true;
    say_rig_begin(r, &r->owner, RECORD_STATEMENT_ACCESS_REVOKE, GRANT, "");
    assert_int_equal(state_of(GRANT), POLICY_GRANT_REVOKED);                     /* in the turn of its leaf */
    assert_int_equal(kills, 0);                                                 /* and nobody is told before it is durable */
    say_rig_durable(r, r->t->control);
    for (int i = 0; i < 10; i++) loop_turn(r->g.loop, 2);
    assert_int_equal(kills, 1);
    assert_false(r->answered);
    kill_done(kill_ctx, true);
    assert_true(r->answered && r->status == 200 && json_is_true(json_object_get(r->answer, "closed")));
}

static void a_stream_that_does_not_stop_is_on_the_log_until_it_is_gone(void **state)
{
    AUTO(say_read) struct say_read x;
    (void)state;
    granted(GRANT);
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 200);
    kill_fails = true;
    assert_int_equal(SAY(&r->owner, ACCESS_REVOKE, GRANT, ""), 200);
    assert_true(json_is_false(json_object_get(r->answer, "closed")));
    assert_string_equal(say_rig_text(r, "state"), "failed-to-close");
    assert_int_equal(state_of(GRANT), POLICY_GRANT_FAILED_TO_CLOSE);
    say_rig_last(r, r->t, &x);
    assert_true(x.leaf.kind == RECORD_K_GRANT && slice_is(record_text(&x.leaf, RECORD_F_ACT), "FailToClose"));
    say_read_done(&x);
    say_rig_restart(r);
    uint64_t size = log_size(r->t->control);
    say_tend(&r->g);
    assert_int_equal(kills, 2);
    assert_int_equal(log_size(r->t->control), size);
    kill_fails = false;
    say_tend(&r->g);                               /* within the second: not asked again */
    assert_int_equal(kills, 2);
    uint64_t until = clock_mono_ms() + 1100;
    while (clock_mono_ms() < until) loop_turn(r->g.loop, 10);
    say_tend(&r->g);
    assert_int_equal(log_size(r->t->control), size + 1);
    assert_int_equal(state_of(GRANT), POLICY_GRANT_REVOKED);
    assert_true(list_empty(&say_state(&r->g)->failed));
    say_rig_last(r, r->t, &x);
    assert_true(slice_is(record_text(&x.leaf, RECORD_F_ACT), "Closed"));
}

/* refusals ------------------------------------------------------------------------------------------------------------------------------ */

static void refusals_of_known_keys_stand_on_the_tenants_log(void **state)
{
    char digest[64], other[64];
    (void)state;
    request(GRANT, digest);
    request(GRANT2, other);
    approve(&engineer, GRANT, digest, "");
    say_rig_refused(r, r->t, "own-request");
    approve(&second, GRANT, digest, "");
    say_rig_refused(r, r->t, "own-request");
    approve(&r->owner, GRANT, digest, "");
    assert_true(r->status >= 400);
    say_rig_refused(r, r->t, say_rig_text(r, "code"));
    taken(approve(&manager, GRANT, digest, ""));
    approve(&manager, GRANT, digest, "");
    assert_true(r->status >= 400);
    say_rig_refused(r, r->t, say_rig_text(r, "code"));
    approve(&r->owner, GRANT, other, "");
    say_rig_refused(r, r->t, "other-request");
    approve(&r->owner, GRANT, digest, "\nbytes=20971520");
    say_rig_refused(r, r->t, "widens");
    approve(&r->owner, STRANGE, digest, "");
    say_rig_refused(r, r->t, "no-grant");
    approve(&r->officer, GRANT, digest, "");
    assert_true(r->status >= 400);
    say_rig_refused(r, r->t, say_rig_text(r, "code"));
    assert_int_equal(state_of(GRANT), POLICY_GRANT_CUSTOMER_PENDING);
}

static void no_statement_of_an_officer_changes_the_customers_side(void **state)
{
    char terms[256];
    (void)state;
    snprintf(terms, sizeof terms, "key=%s\nname=Eve", stranger.text);
    SAY(&r->officer, APPROVER_SET, "eve", terms);
    say_rig_refused(r, r->t, "not-approver");
    SAY(&r->owner, PERSON_OFF, "ines", "");
    assert_string_equal(say_rig_text(r, "code"), "unknown-signer");
}

static void kinds_with_leaves_of_their_own_are_recorded_when_refused(void **state)
{
    static const struct { enum record_statement_kind kind; const char *subject, *why, *officers; unsigned status; } cases[] = {
        {RECORD_STATEMENT_GENESIS_TENANT, "000000000009", "not-owner", "not-owner", 403}, {RECORD_STATEMENT_TENANT_CREATE, "other", "not-officer", "not-taken", 403},
        {RECORD_STATEMENT_KEY_ADD, "000000000009", "not-owner", "not-owner", 403}, {RECORD_STATEMENT_KEY_OFF, "AKIAAAAAAAAAAAAAAAAA", "not-owner", "not-owner", 403},
        {RECORD_STATEMENT_READER_ADD, "control", "not-owner", "not-owner", 403}, {RECORD_STATEMENT_READER_OFF, "aaaa", "not-owner", "not-owner", 403}};
    AUTO(say_read) struct say_read x;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(say_rig_say(r, &manager, cases[i].kind, cases[i].subject, r->owner.text), cases[i].status);
        say_rig_refused(r, r->t, cases[i].why);
        say_rig_say(r, &r->officer, cases[i].kind, cases[i].subject, r->owner.text);
        say_rig_refused(r, r->t, cases[i].officers);
    }
    /* By those who may, and yet not: what is wrong is told, and stands there. */
    assert_int_equal(say_rig_say(r, &r->owner, RECORD_STATEMENT_KEY_ADD, "12", ""), 400);
    say_rig_refused(r, r->t, "not-taken");
    assert_non_null(strstr(say_rig_text(r, "detail"), "12 digits"));
    assert_int_equal(say_rig_say(r, &r->owner, RECORD_STATEMENT_KEY_ADD, "000000000009", ""), 200);
    say_rig_send(r, r->body);
    say_rig_wait(r);
    say_rig_refused(r, r->t, "repeated");
    r->skew_ms = STATEMENT_SKEW_MS + 60000;
    say_rig_say(r, &manager, RECORD_STATEMENT_KEY_ADD, "000000000009", "");
    say_rig_refused(r, r->t, "clock");
    r->skew_ms = 0;
    say_rig_say(r, &plain, RECORD_STATEMENT_KEY_ADD, "000000000009", "");
    assert_string_equal(say_rig_text(r, "code"), "unknown-signer");
    uint64_t control = log_size(r->t->control);
    say_rig_restart(r);                            /* they fold again */
    assert_int_equal(log_size(r->t->control), control);
    say_rig_last(r, r->t, &x);
    assert_true(slice_is(record_text(&x.leaf, RECORD_F_WHY), "clock"));
}

static void a_plain_key_of_staff_is_refused(void **state)
{
    (void)state;
    person(&plain, "paul", "p-paul", "support", "");
    SAY(&plain, ACCESS_REQUEST, GRANT, REQUEST_TERMS);
    say_rig_refused(r, r->t, "not-hardware");
}

static void a_strangers_statement_is_counted_and_has_no_leaf(void **state)
{
    uint64_t control = log_size(r->t->control), provider = log_size(r->g.provider);
    (void)state;
    assert_int_equal(SAY(&stranger, ACCESS_REQUEST, GRANT, REQUEST_TERMS), 403);
    assert_string_equal(say_rig_text(r, "code"), "unknown-signer");
    assert_string_equal(say_rig_text(r, "receipt"), "");
    assert_int_equal(log_size(r->t->control), control);
    say_rig_durable(r, r->g.provider);
    assert_int_equal(log_size(r->g.provider), provider + 1);
    AUTO(say_read) struct say_read x;
    assert_int_equal(say_read(r->g.provider, provider, false, &x), ERR_OK);
    assert_int_equal(x.leaf.kind, RECORD_K_SUM);
}

static void a_device_that_nobody_touched_signs_nothing(void **state)
{
    uint64_t control = log_size(r->t->control);
    (void)state;
    engineer.flags = 0;
    assert_int_equal(SAY(&engineer, ACCESS_REQUEST, GRANT, REQUEST_TERMS), 403);
    assert_string_equal(say_rig_text(r, "code"), "signature");
    assert_int_equal(log_size(r->t->control), control);
}

static void a_clock_that_is_off_is_refused_with_a_leaf(void **state)
{
    (void)state;
    r->skew_ms = STATEMENT_SKEW_MS + 60000;
    SAY(&engineer, ACCESS_REQUEST, GRANT, REQUEST_TERMS);
    say_rig_refused(r, r->t, "clock");
    r->skew_ms = 0 - (uint64_t)(STATEMENT_SKEW_MS + 60000);
    SAY(&engineer, ACCESS_REQUEST, GRANT, REQUEST_TERMS);
    say_rig_refused(r, r->t, "clock");
    r->skew_ms = 0;
}

static void a_nonce_that_was_taken_is_refused_and_its_copies_fill_no_log(void **state)
{
    char digest[64];
    (void)state;
    request(GRANT, digest);
    say_rig_send(r, r->body);
    say_rig_wait(r);
    say_rig_refused(r, r->t, "repeated");
    uint64_t size = log_size(r->t->control);
    say_rig_send(r, r->body);
    assert_int_equal(say_rig_wait(r), 409);
    assert_int_equal(log_size(r->t->control), size);
    say_rig_restart(r);
    say_rig_send(r, r->body);
    say_rig_wait(r);
    assert_string_equal(say_rig_text(r, "code"), "repeated");
}

static void a_tenant_that_is_not_there_is_told_on_the_providers_log(void **state)
{
    uint8_t own[ID_BYTES];
    (void)state;
    memcpy(own, r->tenant, ID_BYTES);
    memset(r->tenant, 99, ID_BYTES);
    SAY(&engineer, ACCESS_REQUEST, GRANT, REQUEST_TERMS);
    memcpy(r->tenant, own, ID_BYTES);
    say_rig_refused(r, NULL, "no-tenant");
}

static void a_body_cut_anywhere_is_refused_and_leaves_nothing(void **state)
{
    char digest[64];
    (void)state;
    request(GRANT, digest);
    uint64_t control = log_size(r->t->control);
    char *body = r->body;
    r->body = NULL;
    for (size_t n = strlen(body); n-- > 0;) {
        body[n] = 0;
        say_rig_send(r, body);
        assert_true(r->answered);
        assert_int_equal(r->status, 400);
    }
    free(body);
    static const char *const bad[] = {"{\"statement\":\"{}\",\"signature\":\"x\"}", "{\"statement\":\"x\",\"signature\":\"x\",\"assertion\":{}}",
                                      "{\"statement\":\"x\",\"assertion\":\"x\"}", "{\"statement\":\"x\",\"statement\":\"x\",\"signature\":\"x\"}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        say_rig_send(r, bad[i]);
        assert_true(r->answered && r->status == 400);
    }
    assert_int_equal(log_size(r->t->control), control);
}

/* passkeys ------------------------------------------------------------------------------------------------------------------------------ */

static void enrol_passkey(void)
{
    char terms[1024];
    assert_int_equal(SAY(&r->owner, ORIGIN_SET, NULL, "origin=" SAY_RIG_ORIGIN "\nrpid=" SAY_RIG_RPID), 200);
    snprintf(terms, sizeof terms, "key=%s\nname=Anna", approver.text);
    assert_int_equal(SAY(&r->owner, APPROVER_SET, "anna", terms), 200);
}

static void an_approver_signs_by_passkey(void **state)
{
    AUTO(say_read) struct say_read x;
    char digest[64];
    (void)state;
    enrol_passkey();
    request(GRANT, digest);
    taken(approve(&manager, GRANT, digest, ""));
    taken(approve(&approver, GRANT, digest, ""));
    assert_string_equal(say_rig_text(r, "state"), "approved");
    say_rig_last(r, r->t, &x);
    assert_true(slice_is(record_text(&x.leaf, RECORD_F_AUTH), "passkey") && slice_is(say_opened(&x, RECORD_F_WHO), approver.text));
}

static void an_assertion_that_does_not_verify_has_no_leaf(void **state)
{
    char digest[64];
    (void)state;
    request(GRANT, digest);
    approve(&approver, GRANT, digest, "");
    assert_string_equal(say_rig_text(r, "code"), "origin");                      /* none is pinned */
    enrol_passkey();
    uint64_t size = log_size(r->t->control);
    approver.origin = "https://evil.example.test";
    assert_int_equal(approve(&approver, GRANT, digest, ""), 403);
    assert_string_equal(say_rig_text(r, "code"), "origin");
    approver.origin = NULL, approver.rpid = "evil.example.test";
    approve(&approver, GRANT, digest, "");
    assert_string_equal(say_rig_text(r, "code"), "rpid");
    approver.rpid = NULL, approver.flags = 1;
    approve(&approver, GRANT, digest, "");
    assert_string_equal(say_rig_text(r, "code"), "not-verified");
    approver.flags = 5;
    assert_int_equal(SAY(&approver, PERSON_OFF, "ines", ""), 403);
    assert_int_equal(log_size(r->t->control), size);
}

/* The device says 1, its copy 1: whichever is second is refused by name, with a leaf, and so is nothing of what it signed before. */
static void a_copied_passkey_is_told_on_the_log(void **state)
{
    char digest[64];
    (void)state;
    request(GRANT, digest);
    taken(approve(&manager, GRANT, digest, ""));
    enrol_passkey();
    assert_int_equal(SAY(&approver, ACCESS_LOOK, GRANT, ""), 200);
    approver.counter--;
    assert_int_equal(approve(&approver, GRANT, digest, ""), 403);
    say_rig_refused(r, r->t, "counter");
    uint64_t size = log_size(r->t->control);
    char *body = strdup(r->body);
    say_rig_send(r, body);                         /* that one again: told once more, and then no more */
    assert_int_equal(say_rig_wait(r), 409);
    say_rig_refused(r, r->t, "repeated");
    say_rig_send(r, body);
    assert_int_equal(say_rig_wait(r), 409);
    assert_int_equal(log_size(r->t->control), size + 1);
    free(body);
    taken(approve(&approver, GRANT, digest, ""));
    assert_string_equal(say_rig_text(r, "state"), "approved");
}

/* restarts ------------------------------------------------------------------------------------------------------------------------------ */

static void a_restart_folds_the_same_people_and_grants(void **state)
{
    (void)state;
    granted(GRANT);
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 200);
    say_rig_restart(r);
    assert_int_equal(state_of(GRANT), POLICY_GRANT_ACTIVE);
    assert_non_null(policy_person(say_state(&r->g)->provider.people, SLICE_LIT("mats")));
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 200);
    assert_int_equal(SAY(&engineer, ACCESS_COMPLETE, GRANT, ""), 200);
    assert_string_equal(say_rig_text(r, "state"), "completed");
}

static void a_crash_between_the_two_logs_is_made_good_at_start(void **state)
{
    (void)state;
    granted(GRANT);
    size_t tenants = r->g.tenant_count;
    r->g.tenant_count = 0;                         /* nobody is there to be mirrored to: as if the gate died before */
    assert_int_equal(SAY(&r->officer, PERSON_OFF, "ines", "text=left"), 200);
    r->g.tenant_count = tenants;
    say_rig_restart(r);
    assert_true(policy_person(policy_people(r->t->state), SLICE_LIT("ines"))->on);
    assert_int_equal(say_mirror(&r->g, r->t, NULL), ERR_OK);
    assert_false(policy_person(policy_people(r->t->state), SLICE_LIT("ines"))->on);
}

/* time ---------------------------------------------------------------------------------------------------------------------------------- */

static void what_time_does_to_a_grant_stands_on_the_log(void **state)
{
    AUTO(say_read) struct say_read x;
    (void)state;
    granted_for_a_minute();
    say_rig_durable(r, r->t->control);
    uint64_t size = log_size(r->t->control);
    say_tend(&r->g);
    assert_int_equal(log_size(r->t->control), size);
    pass(59000);
    say_tend(&r->g);
    assert_int_equal(log_size(r->t->control), size);
    pass(62000);
    say_tend(&r->g);
    assert_int_equal(log_size(r->t->control), size + 1);
    say_rig_last(r, r->t, &x);
    assert_int_equal(x.leaf.kind, RECORD_K_GRANT);
    assert_true(slice_is(record_text(&x.leaf, RECORD_F_ACT), "Expire"));
    assert_int_equal(state_of(GRANT), POLICY_GRANT_EXPIRED);
    say_tend(&r->g);
    assert_int_equal(log_size(r->t->control), size + 1);
    SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE");
    say_rig_refused(r, r->t, "state");
}

static void a_grant_for_later_begins_with_a_leaf(void **state)
{
    AUTO(say_read) struct say_read x;
    char digest[64], terms[1024];
    (void)state;
    snprintf(terms, sizeof terms, "%s\nstart=%llu", REQUEST_TERMS, (unsigned long long)clock_wall_ms() + 60000);
    taken(SAY(&engineer, ACCESS_REQUEST, GRANT, terms));
    say_rig_digest(r, digest);
    taken(approve(&manager, GRANT, digest, ""));
    taken(approve(&r->owner, GRANT, digest, ""));
    assert_string_equal(say_rig_text(r, "state"), "scheduled");
    uint64_t size = log_size(r->t->control);
    say_tend(&r->g);
    assert_int_equal(log_size(r->t->control), size);
    pass(62000);
    say_tend(&r->g);
    say_rig_last(r, r->t, &x);
    assert_true(x.leaf.kind == RECORD_K_GRANT && slice_is(record_text(&x.leaf, RECORD_F_ACT), "Start"));
    assert_int_equal(state_of(GRANT), POLICY_GRANT_APPROVED);
    assert_int_equal(kills, 0);
}

/* ---------------------------------------------------------------------------------------------------------------------------------------- */

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_request_that_all_signed_gives_credentials_until_it_is_revoked), T(the_leaf_names_the_grant_and_who_signed),
        T(what_a_request_relies_on_is_mirrored_before_it), T(who_is_off_at_the_provider_is_off_here_in_the_same_turn),
        T(a_manager_who_is_put_out_ends_what_hangs_on_the_signature),
        T(a_login_from_another_country_is_refused_by_that_name),
        T(what_ends_no_grant_stops_no_stream), T(a_revocation_is_answered_when_the_streams_are_gone), T(a_stream_that_does_not_stop_is_on_the_log_until_it_is_gone),
        T(refusals_of_known_keys_stand_on_the_tenants_log), T(no_statement_of_an_officer_changes_the_customers_side),
        T(kinds_with_leaves_of_their_own_are_recorded_when_refused), T(a_plain_key_of_staff_is_refused), T(a_strangers_statement_is_counted_and_has_no_leaf),
        T(a_device_that_nobody_touched_signs_nothing), T(a_clock_that_is_off_is_refused_with_a_leaf),
        T(a_nonce_that_was_taken_is_refused_and_its_copies_fill_no_log), T(a_tenant_that_is_not_there_is_told_on_the_providers_log),
        T(a_body_cut_anywhere_is_refused_and_leaves_nothing), T(an_approver_signs_by_passkey), T(an_assertion_that_does_not_verify_has_no_leaf), T(a_copied_passkey_is_told_on_the_log),
        T(a_restart_folds_the_same_people_and_grants), T(a_crash_between_the_two_logs_is_made_good_at_start),
        T(what_time_does_to_a_grant_stands_on_the_log), T(a_grant_for_later_begins_with_a_leaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
