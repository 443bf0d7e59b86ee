/* SPDX-License-Identifier: Apache-2.0
 * A provider with people and purposes, a tenant with buckets and approvers, and statements about grants: for the tests of those.
 * Role: shared by the unit tests of grants; included once by each. Trusts: the test. Spec: docs/spec/access.md.
 */
#ifndef TILLIT_POLICY_GRANT_RIG_H
#define TILLIT_POLICY_GRANT_RIG_H

#include "policy/policy_access_rig.h"
#include "policy/policy_grant.h"

#define K_ANNA "SHA256:anna00000000000000000000000000000000000000A"
#define K_ANNA2 "SHA256:anna22222222222222222222222222222222222222A"
#define K_MONA "SHA256:mona00000000000000000000000000000000000000A"
#define K_MAX "SHA256:max000000000000000000000000000000000000000A"
#define K_EVE "SHA256:eve000000000000000000000000000000000000000A"
#define K_OLD "SHA256:old000000000000000000000000000000000000000A"
#define K_SUB "SHA256:sub000000000000000000000000000000000000000A"
#define K_AA "SHA256:approverA000000000000000000000000000000000A"
#define K_BB "SHA256:approverB000000000000000000000000000000000A"
#define K_CC "SHA256:approverC000000000000000000000000000000000A"
#define HOUR 3600000ull
#define MIB 1048576ull

static struct policy_provider provider;
static struct policy_state state;
static char texts[64][100];                        /* terms that are made: each test uses a few */
static size_t text_at;

static const char *term(const char *name, const char *format, uint64_t value) {
    char *to = texts[text_at++ % ARRAY_LEN(texts)];
    int n = snprintf(to, sizeof texts[0], "%s=", name);
    snprintf(to + n, sizeof texts[0] - (size_t)n, format, (unsigned long long)value);
    return to;
}
static const char *number(const char *name, uint64_t value) { return term(name, "%llu", value); }

/* Sets a term: instead of the one of its name, or beside it. NULL value: takes it away. */
static struct rig_says with(struct rig_says w, const char *item) {
    size_t name = (size_t)(strchr(item, '=') - item) + 1, i = 0, to = 0;
    for (; w.terms[i] != NULL; i++) {
        if (strncmp(w.terms[i], item, name) != 0) w.terms[to++] = w.terms[i];
    }
    if (item[name] != 0) w.terms[to++] = item;
    w.terms[to] = NULL;
    return w;
}
UNUSED static struct rig_says signed_by(struct rig_says w, const char *key, enum policy_by_key by) {
    w.signer = key;
    w.by = by;
    return w;
}

/* Grant number n: its id as text. */
static const char *gid(unsigned n) {
    static char ids[8][ID_TEXT_CHARS + 1];
    static size_t turn;
    uint8_t id[ID_BYTES] = {0x67};
    struct buf b = BUF_INIT(ID_TEXT_CHARS);
    char *to = ids[turn++ % ARRAY_LEN(ids)];
    put_be32(id + 4, n);
    buf_put_base32(&b, slice_of(id, sizeof id));
    policy_copy_text(to, buf_slice(&b));
    buf_done(&b);
    return to;
}
static const struct policy_grant *grant_of(const char *id) {
    uint8_t bytes[ID_BYTES];
    assert_int_equal(base32_fixed(slice_str(id), bytes, ID_BYTES), ERR_OK);
    return policy_grant(&state, bytes);
}
UNUSED static enum policy_grant_state state_now(const char *id) { return policy_grant_state(&state, grant_of(id), now_ms); }

/* statements ------------------------------------------------------------------------------------------------------------------ */

UNUSED static struct rig_says request(const char *id) {
    return RIG_SK(ACCESS_REQUEST, id, K_ANNA, "bucket=data", "bytes=10485760", "category=general", "country=DE", "duration=3600000", "objects=20",
                  "prefix=a/", "purpose=incident", "ticket=T-1", "verb=head", "verb=list", "verb=read");
}
/* access.approve, reject, ask and reply: all name the request. */
static struct rig_says under(enum record_statement_kind kind, const char *id, const char *key, enum policy_by_key by) {
    struct buf b = BUF_INIT(60);
    char *to = texts[text_at++ % ARRAY_LEN(texts)];
    const struct policy_grant *g = grant_of(id);
    static const uint8_t none[HASH_BYTES];
    buf_put_str(&b, "request=");
    buf_put_base64url(&b, slice_of(g == NULL ? none : g->request, HASH_BYTES));
    policy_copy_text(to, buf_slice(&b));
    buf_done(&b);
    struct rig_says w = {.kind = kind, .subject = id, .signer = key, .by = by, .terms = {to}};
    if (kind == RECORD_STATEMENT_ACCESS_ASK || kind == RECORD_STATEMENT_ACCESS_REPLY) w.terms[1] = "text=why";
    return w;
}
UNUSED static struct rig_says approve(const char *id, const char *key) {
    bool manager = strcmp(key, K_MONA) == 0 || strcmp(key, K_MAX) == 0;
    return under(RECORD_STATEMENT_ACCESS_APPROVE, id, key, manager ? POLICY_KEY_SK : POLICY_KEY_SSH);
}
UNUSED static struct rig_says login(const char *id) { return RIG_SK(ACCESS_LOGIN, id, K_ANNA, "country=DE"); }
UNUSED static struct rig_says revoke(const char *id, const char *key) { return RIG(ACCESS_REVOKE, id, key, NULL); }
UNUSED static struct rig_says complete(const char *id) { return RIG_SK(ACCESS_COMPLETE, id, K_ANNA, NULL); }

#define check_say(got, want) check_say_at((got), (want), __FILE__, __LINE__)
static void check_say_at(enum policy_say got, enum policy_say want, const char *file, int line) {
    if (got == want) return;
    print_error("%s:%d: got %s, want %s\n", file, line, policy_say_text(got), policy_say_text(want));
    _fail(file, line);
}
static void check_done_at(struct rig_says w, const char *file, int line) {
    enum policy_say say = rig_say(&state, w);
    if (say != POLICY_SAY_WAITS) check_say_at(say, POLICY_SAY_DONE, file, line);
}
#define done(w) check_done_at((w), __FILE__, __LINE__)

/* Signed by all, in bucket data (one approver): approved; and logged in. */
UNUSED static const char *approved(const char *id, struct rig_says asked) {
    done(asked);
    done(approve(id, K_MONA));
    done(approve(id, K_AA));
    return id;
}
UNUSED static const char *active(const char *id) {
    approved(id, request(id));
    done(login(id));
    return id;
}

/* the world --------------------------------------------------------------------------------------------------------------------- */

static struct rig_says person(const char *account, const char *key, const char *role, const char *who) {
    struct rig_says w = RIG(PERSON_SET, account, RIG_OFFICER, "employer=Host AG", NULL);
    static char keys[16][100], roles[16][40], people[16][60];
    static size_t turn;
    size_t i = turn++ % ARRAY_LEN(keys);
    snprintf(keys[i], sizeof keys[0], "key=%s", key);
    snprintf(roles[i], sizeof roles[0], "role=%s", role);
    snprintf(people[i], sizeof people[0], "person=%s", who);
    w.terms[1] = keys[i];
    w.terms[2] = roles[i];
    w.terms[3] = people[i];
    w.terms[4] = "name=N. N.";
    w.terms[5] = "office=DE";
    w.terms[6] = number("review", now_ms - RIG_DAY);
    w.terms[7] = number("screening", now_ms - RIG_DAY);
    w.terms[8] = number("training", now_ms - RIG_DAY);
    return w;
}

/* now_ms is of both logs here: the provider's falls in the same order. */
static void world_provider(void) {
    assert_int_equal(policy_provider_init(&provider), ERR_OK);
    rig_provider_genesis(&provider);
    static const struct { const char *account, *key, *role, *who; } people[] = {
        {"anna", K_ANNA, "support", "anna-p"}, {"anna2", K_ANNA2, "manager", "anna-p"}, {"mona", K_MONA, "manager", "mona-p"},
        {"max", K_MAX, "manager", "max-p"},    {"eve", K_EVE, "legal", "eve-p"},
    };
    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        check_say(rig_provider(&provider, person(people[i].account, people[i].key, people[i].role, people[i].who)), POLICY_SAY_DONE);
    }
    struct rig_says old = with(person("old", K_OLD, "support", "old-p"), number("review", now_ms - REVIEW_MS - 1));
    check_say(rig_provider(&provider, old), POLICY_SAY_DONE);
    struct rig_says sub = with(with(person("sub", K_SUB, "support", "sub-p"), "employer=Sub Ltd"), "office=IN");
    check_say(rig_provider(&provider, with(sub, "manager=max")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, RIG(PURPOSE_SET, "incident", RIG_OFFICER, "category=general", "category=mail", "role=support", "role=manager",
                                          "verb=head", "verb=list", "verb=read")), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, RIG(PURPOSE_SET, "audit", RIG_OFFICER, "category=general", "role=legal", "role=support", "verb=list")), POLICY_SAY_DONE);
}

UNUSED static int world_up(void **unused) {
    if (rig_set_up(unused) != 0) return 1;
    world_provider();
    rig_p = &provider;
    assert_int_equal(policy_init(&state), ERR_OK);
    assert_int_equal(apply(&state, GENESIS), ERR_OK);
    assert_int_equal(apply(&state, KEY(KEY1, ACCOUNT1, 1)), ERR_OK);
    assert_int_equal(apply(&state, BUCKET("data", 1, 1, WHO1)), ERR_OK);
    assert_int_equal(apply(&state, BUCKET("two", 2, 1, WHO1)), ERR_OK);
    done(RIG(APPROVER_SET, "aa", OWNER, "key=" K_AA, "name=A. A."));
    done(RIG(APPROVER_SET, "bb", K_AA, "key=" K_BB, "name=B. B."));
    done(RIG(APPROVER_SET, "cc", K_AA, "key=" K_CC, "name=C. C."));
    done(RIG(RULE_SET, "two", K_AA, "need=2"));
    return 0;
}

UNUSED static int world_down(void **unused) {
    policy_done(&state);
    policy_provider_done(&provider);
    rig_p = NULL;
    return rig_tear_down(unused);
}

#endif
