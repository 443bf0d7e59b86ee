/* SPDX-License-Identifier: Apache-2.0
 * say_people: the people of the tests of statements, and what they say in most of them. Included once by each test.
 * Role: tests only. Spec: docs/spec/access.md
 */
#ifndef TILLIT_SAY_PEOPLE_H
#define TILLIT_SAY_PEOPLE_H

#include <stdio.h>
#include <stdlib.h>

#include "gate/say_rig.h"

#define UNUSED __attribute__((unused))
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define GRANT "aaaaaaaaaaaaaaaaaaaaaaaaae"
#define GRANT2 "aaaaaaaaaaaaaaaaaaaaaaaaai"
#define STRANGE "aaaaaaaaaaaaaaaaaaaaaaaaam"
#define SAY(k, KIND, subject, terms) say_rig_say(r, k, RECORD_STATEMENT_##KIND, subject, terms)
#define REQUEST_FOR(ms)                                                                                                                              \
    "bucket=" SAY_RIG_BUCKET "\nbytes=10485760\ncategory=general\ncountry=SE\nduration=" ms "\nobjects=20\nprefix=reports/\npurpose=support-ticket\n" \
    "ticket=T-1\nverb=list\nverb=head\nverb=read"
#define REQUEST_TERMS REQUEST_FOR("3600000")

static struct say_rig *r;
UNUSED static struct say_rig_key engineer, second, manager, stranger, approver, plain;

UNUSED static void person(struct say_rig_key *k, const char *account, const char *who, const char *role, const char *more)
{
    char terms[2048];
    uint64_t t = clock_wall_ms() - 86400000;
    snprintf(terms, sizeof terms, "employer=Nord AB\nkey=%s\nname=Person %s\noffice=SE\nperson=%s\nreview=%llu\nrole=%s\nscreening=%llu\ntraining=%llu%s", k->text, account,
             who, (unsigned long long)t, role, (unsigned long long)t, (unsigned long long)t, more);
    assert_int_equal(SAY(&r->officer, PERSON_SET, account, terms), 200);
}

UNUSED static int set_up(void **state)
{
    (void)state;
    r = say_rig_new();
    say_rig_key(r, &engineer, SAY_RIG_SK, 10);
    say_rig_key(r, &second, SAY_RIG_SK, 11);
    say_rig_key(r, &manager, SAY_RIG_SK, 12);
    say_rig_key(r, &stranger, SAY_RIG_SK, 13);
    say_rig_key(r, &approver, SAY_RIG_PASSKEY, 14);
    say_rig_key(r, &plain, SAY_RIG_PLAIN, 15);
    assert_int_equal(SAY(&r->officer, PURPOSE_SET, "support-ticket", "category=general\nrole=support\nverb=head\nverb=list\nverb=read"), 200);
    person(&engineer, "ines", "p-ines", "support", "");
    person(&second, "ines2", "p-ines", "manager", "");
    person(&manager, "mats", "p-mats", "manager", "");
    return 0;
}

UNUSED static int tear_down(void **state)
{
    (void)state;
    say_rig_free(r);
    return 0;
}

/* It has its effect, or waits for others. */
UNUSED static void taken(unsigned status)
{
    if (status != 200 && status != 202) fail_msg("%u %s", status, say_rig_text(r, "code"));
}

UNUSED static void request(const char *grant, char digest[64])
{
    taken(SAY(&engineer, ACCESS_REQUEST, grant, REQUEST_TERMS));
    say_rig_digest(r, digest);
}

UNUSED static unsigned approve(struct say_rig_key *k, const char *grant, const char *digest, const char *more)
{
    char terms[512];
    snprintf(terms, sizeof terms, "request=%s%s", digest, more);
    return SAY(k, ACCESS_APPROVE, grant, terms);
}

UNUSED static void granted(const char *grant)
{
    char digest[64];
    request(grant, digest);
    taken(approve(&manager, grant, digest, ""));
    taken(approve(&r->owner, grant, digest, "\nbytes=5242880"));
    assert_string_equal(say_rig_text(r, "state"), "approved");
}

UNUSED static void granted_for_a_minute(void)
{
    char digest[64];
    taken(SAY(&engineer, ACCESS_REQUEST, GRANT, REQUEST_FOR("60000")));
    say_rig_digest(r, digest);
    taken(approve(&manager, GRANT, digest, ""));
    taken(approve(&r->owner, GRANT, digest, ""));
}

UNUSED static enum policy_grant_state state_of(const char *grant)
{
    uint8_t id[ID_BYTES];
    assert_int_equal(base32_fixed(slice_str(grant), id, ID_BYTES), ERR_OK);
    const struct policy_grant *g = policy_grant(r->t->state, id);
    assert_non_null(g);
    return policy_grant_state(r->t->state, g, r->t->state->t_ms);
}

/* The log's time moves ahead of the wall's, as after a clock that ran fast: at most 15 minutes. */
UNUSED static void pass(uint64_t ms) { log_set_last_time(r->t->control, r->t->state->t_ms + ms); }

#endif
