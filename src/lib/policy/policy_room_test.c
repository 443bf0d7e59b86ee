/* SPDX-License-Identifier: Apache-2.0
 * Facts about how many grants may be open: of a tenant, and requests of one person that wait.
 * Role: unit test. Spec: docs/spec/access.md section 4.
 */
#include "policy/policy_grant_rig.h"

static void as_many_as_may_be_open_and_one_more(void **unused) {
    (void)unused;
    static char keys[POLICY_GRANTS_OPEN_MAX / POLICY_REQUESTS_EACH_MAX][SSH_FINGERPRINT_CHARS + 1];
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        char account[16];
        (void)snprintf(account, sizeof account, "p%u", i);
        (void)snprintf(keys[i], sizeof keys[i], "SHA256:%042uA", i);
        check_say(rig_provider(&provider, person(account, keys[i], "support", account)), POLICY_SAY_DONE);
    }
    for (unsigned i = 0; i < POLICY_GRANTS_OPEN_MAX; i++)
        check_say(rig_say(&state, signed_by(request(gid(i)), keys[i / POLICY_REQUESTS_EACH_MAX], POLICY_KEY_SK)), POLICY_SAY_WAITS);
    check_say(rig_say(&state, request(gid(POLICY_GRANTS_OPEN_MAX))), POLICY_SAY_LIMIT);
    done(revoke(gid(7), K_AA));
    check_say(rig_say(&state, request(gid(POLICY_GRANTS_OPEN_MAX))), POLICY_SAY_WAITS);
}

/* One account, or one person's several, may not keep everybody else from asking. */
static void as_many_of_one_person_as_may_wait_and_one_more(void **unused) {
    (void)unused;
    for (unsigned i = 0; i < POLICY_REQUESTS_EACH_MAX; i++) check_say(rig_say(&state, request(gid(i))), POLICY_SAY_WAITS);
    check_say(rig_say(&state, request(gid(POLICY_REQUESTS_EACH_MAX))), POLICY_SAY_LIMIT);
    check_say(rig_say(&state, signed_by(request(gid(900)), K_ANNA2, POLICY_KEY_SK)), POLICY_SAY_LIMIT);
    check_say(rig_say(&state, signed_by(with(request(gid(901)), "verb=list"), K_MAX, POLICY_KEY_SK)), POLICY_SAY_WAITS);
    done(approve(gid(3), K_MONA));
    check_say(rig_say(&state, request(gid(902))), POLICY_SAY_LIMIT);
    done(approve(gid(3), K_AA)); /* it waits no more */
    check_say(rig_say(&state, request(gid(902))), POLICY_SAY_WAITS);
    now_ms += GRANT_LAPSE_MS;
    check_say(rig_say(&state, request(gid(903))), POLICY_SAY_WAITS);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(as_many_as_may_be_open_and_one_more),
        T(as_many_of_one_person_as_may_wait_and_one_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
