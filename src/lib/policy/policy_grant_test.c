/* SPDX-License-Identifier: Apache-2.0
 * Grants: every move of the table is taken, every other pair of state and event is refused; every reason of the chain is reached.
 * Role: unit test. Everything goes through leaves. Spec: docs/spec/access.md sections 3 and 4. LAW-4, LAW-6.
 */
#include "policy/policy_grant_rig.h"

/* the table -------------------------------------------------------------------------------------------------------------------- */

static const char *const events[POLICY_EVENT__COUNT] = {
#define EVENT_NAME(name) #name,
    POLICY_EVENTS(EVENT_NAME)
};

/* What a chain must be so that the event can be tried in its state. */
struct way {
    bool two;                                      /* two approvers are needed */
    bool later;                                    /* start is ahead */
    bool managed;                                  /* MORE_INFO: asked by an approver, not the manager */
};
static struct way way_for(enum policy_event e) {
    return (struct way){.two = e == POLICY_EVENT_CUSTOMER, .later = e == POLICY_EVENT_ENOUGH_LATER || e == POLICY_EVENT_TIME_START,
                        .managed = e == POLICY_EVENT_REPLY_CUSTOMER};
}
static unsigned made;

static void ask_for(const char *id, struct way w) {
    struct rig_says r = request(id);
    if (w.two) r = with(r, "bucket=two");
    if (w.later) r = with(r, number("start", now_ms + HOUR));
    done(r);
}
static void approve_all(const char *id, struct way w) {
    done(approve(id, K_MONA));
    if (w.two) done(approve(id, K_BB));
    done(approve(id, K_AA));
}
static void after(const char *id, uint64_t until_ms, const char *act) {
    now_ms = until_ms;
    assert_int_equal(rig_time(&state, grant_of(id)->id, act), ERR_OK);
}

/* A fresh chain in this state. */
static const char *reach(enum policy_grant_state s, struct way w) {
    static char id[ID_TEXT_CHARS + 1];
    snprintf(id, sizeof id, "%s", gid(++made));
    if (s == POLICY_GRANT_DRAFT) return id;
    if (s == POLICY_GRANT_SCHEDULED) w.later = true;
    bool live = s >= POLICY_GRANT_APPROVED && s <= POLICY_GRANT_EXTENSION_PENDING;
    if (live && s != POLICY_GRANT_SCHEDULED) w.later = false;
    ask_for(id, w);
    switch (s) {
    case POLICY_GRANT_CUSTOMER_PENDING: done(approve(id, K_MONA)); break;
    case POLICY_GRANT_MORE_INFO:
        if (w.managed) done(approve(id, K_MONA));
        done(under(RECORD_STATEMENT_ACCESS_ASK, id, w.managed ? K_AA : K_MONA, w.managed ? POLICY_KEY_SSH : POLICY_KEY_SK));
        break;
    case POLICY_GRANT_APPROVED:
    case POLICY_GRANT_SCHEDULED: approve_all(id, w); break;
    case POLICY_GRANT_ACTIVE:
    case POLICY_GRANT_COMPLETED:
    case POLICY_GRANT_EXPIRED:
    case POLICY_GRANT_EXTENSION_PENDING:
        w.later = false;
        approve_all(id, w);
        if (s == POLICY_GRANT_COMPLETED) done(complete(id));
        else if (s == POLICY_GRANT_EXPIRED) after(id, MAX(now_ms, grant_of(id)->end_ms), "Expire");
        else done(login(id));
        break;
    case POLICY_GRANT_REVOKED:
    case POLICY_GRANT_FAILED_TO_CLOSE: done(revoke(id, K_AA)); break;
    case POLICY_GRANT_REJECTED: done(under(RECORD_STATEMENT_ACCESS_REJECT, id, K_MONA, POLICY_KEY_SK)); break;
    case POLICY_GRANT_LAPSED: after(id, grant_of(id)->lapse_ms, "Lapse"); break;
    default: break;
    }
    if (s == POLICY_GRANT_FAILED_TO_CLOSE) assert_int_equal(rig_time(&state, grant_of(id)->id, "FailToClose"), ERR_OK);
    if (s == POLICY_GRANT_EXTENSION_PENDING) {
        struct rig_says r = with(request(gid(++made)), term("extends", "x", 0));
        char *to = texts[text_at++ % ARRAY_LEN(texts)];
        snprintf(to, sizeof texts[0], "extends=%s", id);
        done(with(w.two ? with(r, "bucket=two") : r, to));
    }
    assert_int_equal(state_now(id), s);
    return id;
}

/* The extension of an EXTENSION_PENDING one is the chain made after it. */
static void end_extension(void) { done(under(RECORD_STATEMENT_ACCESS_REJECT, gid(made), K_MONA, POLICY_KEY_SK)); }

static bool said(struct rig_says w) {
    enum policy_say say = rig_say(&state, w);
    return say == POLICY_SAY_DONE || say == POLICY_SAY_WAITS;
}

static bool extend(const char *id, struct way w) {
    struct rig_says r = request(gid(++made));
    char *to = texts[text_at++ % ARRAY_LEN(texts)];
    snprintf(to, sizeof texts[0], "extends=%s", id);
    return said(with(w.two ? with(r, "bucket=two") : r, to));
}

static bool ask_instead(const char *id, enum record_statement_kind kind, enum policy_grant_state s, struct way w) {
    bool customer = s == POLICY_GRANT_CUSTOMER_PENDING || (s == POLICY_GRANT_MORE_INFO && w.managed);
    return said(under(kind, id, customer ? K_AA : K_MONA, customer ? POLICY_KEY_SSH : POLICY_KEY_SK));
}

static bool time_is(const char *id, const char *act, bool listed, uint64_t at) {
    static const uint8_t nobody[ID_BYTES];
    const struct policy_grant *g = grant_of(id);
    if (listed) now_ms = MAX(now_ms, at);
    enum err e = rig_time(&state, g == NULL ? nobody : g->id, act);
    if (e != ERR_OK) assert_int_equal(e, g == NULL ? ERR_MISSING : ERR_INPUT);
    return e == ERR_OK;
}

/* Tries the event: did it happen? */
static bool happens(const char *id, enum policy_grant_state s, enum policy_event e, struct way w, bool listed) {
    const struct policy_grant *g = grant_of(id);
    switch (e) {
    case POLICY_EVENT_REQUEST: return said(request(id));
    case POLICY_EVENT_MANAGER: return said(approve(id, K_MONA));
    case POLICY_EVENT_CUSTOMER:
    case POLICY_EVENT_ENOUGH:
    case POLICY_EVENT_ENOUGH_LATER: return said(approve(id, K_AA));
    case POLICY_EVENT_ASK: return ask_instead(id, RECORD_STATEMENT_ACCESS_ASK, s, w);
    case POLICY_EVENT_REJECT: return ask_instead(id, RECORD_STATEMENT_ACCESS_REJECT, s, w);
    case POLICY_EVENT_REPLY_MANAGER:
    case POLICY_EVENT_REPLY_CUSTOMER: return said(under(RECORD_STATEMENT_ACCESS_REPLY, id, K_ANNA, POLICY_KEY_SK));
    case POLICY_EVENT_REVOKE: return said(revoke(id, K_AA));
    case POLICY_EVENT_COMPLETE: return said(complete(id));
    case POLICY_EVENT_LOGIN: return said(login(id));
    case POLICY_EVENT_EXTEND: return extend(id, w);
    case POLICY_EVENT_EXTENDED:
        if (s != POLICY_GRANT_EXTENSION_PENDING) return false; /* there is none that could end */
        end_extension();
        return true;
    case POLICY_EVENT_FAIL: return time_is(id, "FailToClose", listed, 0);
    case POLICY_EVENT_CLOSED: return time_is(id, "Closed", listed, 0);
    case POLICY_EVENT_TIME_START: return time_is(id, "Start", listed, g == NULL ? 0 : g->start_ms);
    case POLICY_EVENT_TIME_END: return time_is(id, "Expire", listed, g == NULL ? 0 : g->end_ms);
    case POLICY_EVENT_TIME_LAPSE: return time_is(id, "Lapse", listed, g == NULL ? 0 : g->lapse_ms);
    default: fail_msg("no such event"); return false;
    }
}

static void every_move_is_taken_and_no_other(void **unused) {
    (void)unused;
    static const uint8_t table[POLICY_GRANT__COUNT][POLICY_EVENT__COUNT] = {
#define GRANT_MOVE(from, event, to) [POLICY_GRANT_##from][POLICY_EVENT_##event] = POLICY_GRANT_##to,
#include "policy/grant_move.def"
    };
    size_t taken = 0, rows = 0, refused = 0;
    for (int s = 0; s < POLICY_GRANT__COUNT; s++) {
        for (int e = 1; e < POLICY_EVENT__COUNT; e++) {
            bool listed = table[s][e] != POLICY_GRANT_DRAFT;
            struct way w = way_for((enum policy_event)e);
            const char *id = reach((enum policy_grant_state)s, w);
            rows += listed;
            bool did = happens(id, (enum policy_grant_state)s, (enum policy_event)e, w, listed);
            enum policy_grant_state now = grant_of(id) == NULL ? POLICY_GRANT_DRAFT : state_now(id);
            /* An answer to a question goes back to where it was asked. */
            bool other_reply = s == POLICY_GRANT_MORE_INFO && (e == POLICY_EVENT_REPLY_MANAGER || e == POLICY_EVENT_REPLY_CUSTOMER);
            if (did != listed || (listed && now != table[s][e]) || (!listed && !other_reply && now != (enum policy_grant_state)s)) {
                fail_msg("%s, %s: happened %d, listed %d, now %s", policy_grant_state_text((enum policy_grant_state)s), events[e], did, listed,
                         policy_grant_state_text(now));
            }
            taken += did;
            refused += !did;
        }
    }
    assert_int_equal(taken, rows);
    assert_int_equal(taken + refused, POLICY_GRANT__COUNT * (POLICY_EVENT__COUNT - 1));
}

static bool is_state(struct slice word) {
#define GRANT_STATE(NAME, text, kind) if (slice_is(word, #NAME)) return true;
#include "policy/grant_state.def"
    return false;
}

/* The picture of docs/spec/access.md: the states it names are the table's, all of them. */
static void the_picture_has_the_states_of_the_table(void **unused) {
    (void)unused;
    static char page[100000];
    FILE *f = fopen(TILLIT_ACCESS_MD, "r");
    assert_non_null(f);
    size_t n = fread(page, 1, sizeof page - 1, f);
    fclose(f);
    assert_true(n > 0 && n < sizeof page - 1);
    char *from = strstr(page, "    DRAFT --"), *to = from == NULL ? NULL : strstr(from, "\n\n");
    assert_non_null(to);
    *to = 0;
    for (char *p = from, *end; *p != 0; p = end) {
        for (end = p; (*end >= 'A' && *end <= 'Z') || *end == '_'; end++) {}
        if (end - p > 1 && !is_state(slice_of(p, (size_t)(end - p)))) fail_msg("%.*s is no state", (int)(end - p), p);
        if (end == p) end++;
    }
#define GRANT_STATE(NAME, text, kind) if (strstr(from, #NAME) == NULL) fail_msg("%s is not in the picture", #NAME);
#include "policy/grant_state.def"
}

static void states_have_texts_of_their_own(void **unused) {
    (void)unused;
    for (int i = 0; i < POLICY_GRANT__COUNT; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(policy_grant_state_text((enum policy_grant_state)i), policy_grant_state_text((enum policy_grant_state)j));
        }
    }
}

/* requests ------------------------------------------------------------------------------------------------------------------------ */

static void a_request_is_refused_by_what_is_wrong_with_it(void **unused) {
    (void)unused;
    const char *id = gid(1);
    struct rig_says r = request(id);
    struct rig_says many = r;
    size_t n = 0;
    while (many.terms[n] != NULL) n++;
    static char words[17][20];
    for (size_t i = 0; i < 17; i++) {
        snprintf(words[i], sizeof words[0], "category=c%02zu", i);
        many.terms[n++] = words[i];
    }
    char later[60];
    snprintf(later, sizeof later, "extends=%s", gid(99));
    const struct { const char *what; struct rig_says says; enum policy_say want; } cases[] = {
        {"an approver asks", signed_by(r, K_AA, POLICY_KEY_SSH), POLICY_SAY_NOT_ROLE},
        {"nobody asks", signed_by(r, STRANGER, POLICY_KEY_SK), POLICY_SAY_UNKNOWN},
        {"a plain key", signed_by(r, K_ANNA, POLICY_KEY_SSH), POLICY_SAY_NOT_HARDWARE},
        {"no role for it", signed_by(r, K_EVE, POLICY_KEY_SK), POLICY_SAY_NOT_ROLE},
        {"review overdue", signed_by(r, K_OLD, POLICY_KEY_SK), POLICY_SAY_NOT_ELIGIBLE},
        {"an id that is none", (struct rig_says){.kind = r.kind, .subject = "short", .signer = K_ANNA, .by = POLICY_KEY_SK, .terms = {r.terms[0],
            r.terms[1], r.terms[2], r.terms[3], r.terms[4], r.terms[5], r.terms[6], r.terms[7], r.terms[8], r.terms[9]}}, POLICY_SAY_RANGE},
        {"no such bucket", with(r, "bucket=none"), POLICY_SAY_NO_BUCKET},
        {"no such purpose", with(r, "purpose=none"), POLICY_SAY_PURPOSE},
        {"a verb that is none", with(r, "verb=write"), POLICY_SAY_VERB},
        {"a verb that the purpose lacks", with(r, "purpose=audit"), POLICY_SAY_VERB},
        {"a category that the purpose lacks", with(with(with(r, "purpose=audit"), "verb=list"), "category=mail"), POLICY_SAY_CATEGORY},
        {"not what lies in the bucket", with(r, "category=mail"), POLICY_SAY_CATEGORY},
        {"too many words", many, POLICY_SAY_LIMIT},
        {"no objects", with(r, "objects=0"), POLICY_SAY_RANGE},
        {"no bytes", with(r, "bytes=0"), POLICY_SAY_RANGE},
        {"too short", with(r, number("duration", GRANT_DURATION_MIN_MS - 1)), POLICY_SAY_RANGE},
        {"too long", with(r, number("duration", GRANT_DURATION_MAX_MS + 1)), POLICY_SAY_RANGE},
        {"extends nothing", with(r, later), POLICY_SAY_NO_GRANT},
        {"the shortest", with(r, number("duration", GRANT_DURATION_MIN_MS)), POLICY_SAY_WAITS},
        {"the longest", with(r, number("duration", GRANT_DURATION_MAX_MS)), POLICY_SAY_WAITS},
        {"the whole bucket", with(r, "prefix="), POLICY_SAY_WAITS},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rig_write(cases[i].says);
        rig_mirrors(&state, &provider, &rig_statement);
        enum policy_say got = policy_say(&state, &rig_statement);
        if (got != cases[i].want) fail_msg("%s: got %s, want %s", cases[i].what, policy_say_text(got), policy_say_text(cases[i].want));
    }
    done(r);
    check_say(rig_say(&state, r), POLICY_SAY_EXISTS);
}

static void a_rule_refuses_country_and_employer_and_tightens_the_wait(void **unused) {
    (void)unused;
    done(RIG(RULE_SET, "data/a/", K_AA, "need=1", "deny-country=IN", "deny-country=US", "deny-employer=Sub Ltd", "lapse=900000"));
    check_say(rig_say(&state, with(request(gid(1)), "country=US")), POLICY_SAY_DENIED_BY_RULE);
    check_say(rig_say(&state, signed_by(request(gid(1)), K_SUB, POLICY_KEY_SK)), POLICY_SAY_DENIED_BY_RULE);
    check_say(rig_say(&state, signed_by(with(request(gid(1)), "prefix=b/"), K_SUB, POLICY_KEY_SK)), POLICY_SAY_WAITS);
    assert_int_equal(grant_of(gid(1))->lapse_ms - grant_of(gid(1))->requested_ms, GRANT_LAPSE_MS);
    done(request(gid(2)));
    assert_int_equal(grant_of(gid(2))->lapse_ms - grant_of(gid(2))->requested_ms, GRANT_LAPSE_MIN_MS);
    /* A rule that comes later counts too. */
    done(approve(gid(2), K_MONA));
    done(RIG(RULE_SET, "data/a/", K_AA, "need=1", "deny-country=DE"));
    check_say(rig_say(&state, approve(gid(2), K_AA)), POLICY_SAY_DENIED_BY_RULE);
}

/* who signs -------------------------------------------------------------------------------------------------------------------------- */

static void nobody_signs_for_himself_or_twice(void **unused) {
    (void)unused;
    const char *id = gid(1);
    done(with(request(id), "bucket=two"));
    check_say(rig_say(&state, approve(id, K_AA)), POLICY_SAY_NOT_MANAGER);
    check_say(rig_say(&state, signed_by(approve(id, K_ANNA), K_ANNA, POLICY_KEY_SK)), POLICY_SAY_OWN_REQUEST);
    check_say(rig_say(&state, signed_by(approve(id, K_ANNA2), K_ANNA2, POLICY_KEY_SK)), POLICY_SAY_OWN_REQUEST); /* her second account */
    check_say(rig_say(&state, signed_by(approve(id, K_EVE), K_EVE, POLICY_KEY_SK)), POLICY_SAY_NOT_MANAGER);
    done(approve(id, K_MONA));
    check_say(rig_say(&state, approve(id, K_MONA)), POLICY_SAY_SAME_PERSON);
    check_say(rig_say(&state, approve(id, K_MAX)), POLICY_SAY_NOT_APPROVER);
    check_say(rig_say(&state, signed_by(approve(id, K_ANNA2), K_ANNA2, POLICY_KEY_SK)), POLICY_SAY_OWN_REQUEST);
    check_say(rig_say(&state, approve(id, OWNER)), POLICY_SAY_NOT_APPROVER); /* owners stood in only until there were approvers */
    check_say(rig_say(&state, approve(id, K_AA)), POLICY_SAY_WAITS);
    check_say(rig_say(&state, approve(id, K_AA)), POLICY_SAY_SAME_PERSON);
    check_say(rig_say(&state, approve(id, K_BB)), POLICY_SAY_DONE);
    assert_int_equal(state_now(id), POLICY_GRANT_APPROVED);
    check_say(rig_say(&state, approve(id, K_CC)), POLICY_SAY_STATE);
}

static void the_managers_record_names_who_manages(void **unused) {
    (void)unused;
    const char *id = gid(1);
    done(signed_by(request(id), K_SUB, POLICY_KEY_SK));
    check_say(rig_say(&state, approve(id, K_MONA)), POLICY_SAY_NOT_MANAGER);
    done(approve(id, K_MAX));
    /* A manager who is overdue signs nothing. */
    done(request(gid(2)));
    assert_int_equal(rig_provider(&provider, with(person("mona", K_MONA, "manager", "mona-p"), number("training", now_ms - TRAINING_MS))), POLICY_SAY_DONE);
    check_say(rig_say(&state, approve(gid(2), K_MONA)), POLICY_SAY_NOT_ELIGIBLE);
}

static void a_signature_is_for_one_request(void **unused) {
    (void)unused;
    done(request(gid(1)));
    done(with(request(gid(2)), "bytes=5"));
    struct rig_says other = approve(gid(2), K_MONA);
    other.subject = gid(1);
    check_say(rig_say(&state, other), POLICY_SAY_OTHER_REQUEST);
    check_say(rig_say(&state, approve(gid(3), K_MONA)), POLICY_SAY_NO_GRANT);
    struct rig_says asked = under(RECORD_STATEMENT_ACCESS_ASK, gid(2), K_MONA, POLICY_KEY_SK);
    asked.subject = gid(1);
    check_say(rig_say(&state, asked), POLICY_SAY_OTHER_REQUEST);
}

/* One grant has one name: what compares names as text would not see that it is the same. */
static void a_grant_in_capitals_is_no_grant(void **unused) {
    (void)unused;
    static char capitals[ID_TEXT_CHARS + 1];
    struct rig_says w;
    const char *id = gid(1);
    for (size_t i = 0; i <= ID_TEXT_CHARS; i++) capitals[i] = (char)(id[i] >= 'a' && id[i] <= 'z' ? id[i] - 'a' + 'A' : id[i]);
    check_say(rig_say(&state, request(capitals)), POLICY_SAY_RANGE);
    done(request(id));
    check_say(rig_say(&state, request(capitals)), POLICY_SAY_RANGE);
    w = approve(id, K_MONA);
    w.subject = capitals;
    check_say(rig_say(&state, w), POLICY_SAY_NO_GRANT);
    check_say(rig_say(&state, revoke(capitals, K_AA)), POLICY_SAY_NO_GRANT);
    done(approve(id, K_MONA));
}

static void an_approval_narrows_and_never_widens(void **unused) {
    (void)unused;
    const char *id = gid(1);
    done(RIG(CATEGORY_SET, "data", K_AA, "category=mail"));
    struct rig_says r = with(request(id), "category=mail");
    size_t n = 0;
    while (r.terms[n] != NULL) n++;
    r.terms[n] = "category=general";
    done(r);
    struct rig_says m = approve(id, K_MONA);
    static const char *const wide[] = {"prefix=a", "prefix=b/", "verb=write", "category=other", "bytes=10485761", "objects=21", "duration=3600001"};
    for (size_t i = 0; i < ARRAY_LEN(wide); i++) check_say(rig_say(&state, with(m, wide[i])), POLICY_SAY_WIDENS);
    static const char *const bad[] = {"bytes=0", "objects=0", "duration=59999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) check_say(rig_say(&state, with(m, bad[i])), POLICY_SAY_RANGE);
    done(with(with(m, "prefix=a/b%20"), "objects=19"));
    struct rig_says a = approve(id, K_AA);
    check_say(rig_say(&state, with(a, "objects=20")), POLICY_SAY_WIDENS); /* the manager narrowed it */
    check_say(rig_say(&state, with(a, "prefix=a/")), POLICY_SAY_WIDENS);
    done(with(with(with(with(a, "verb=read"), "category=mail"), "bytes=5242880"), "duration=60000"));
    const struct policy_terms *t = grant_of(id)->terms;
    assert_true(slice_is(t->prefix, "a/b "));
    assert_int_equal(t->objects, 19);
    assert_int_equal(t->bytes, 5 * MIB);
    assert_int_equal(t->duration_ms, 60000);
    assert_int_equal(t->verbs.count, 1);
    assert_int_equal(t->categories.count, 1);
    assert_int_equal(grant_of(id)->end_ms, now_ms + 60000);
    assert_int_equal(state_now(id), POLICY_GRANT_APPROVED);
}

static void a_narrower_prefix_is_counted_by_its_own_rule(void **unused) {
    (void)unused;
    done(RIG(RULE_SET, "data/a/secret/", K_AA, "need=2", "approver=bb", "approver=cc"));
    done(request(gid(1)));
    done(approve(gid(1), K_MONA));
    check_say(rig_say(&state, with(approve(gid(1), K_AA), "prefix=a/secret/")), POLICY_SAY_DENIED_BY_RULE); /* it names others */
    check_say(rig_say(&state, with(approve(gid(1), K_BB), "prefix=a/secret/")), POLICY_SAY_WAITS);
    check_say(rig_say(&state, approve(gid(1), K_CC)), POLICY_SAY_DONE);
}

static void an_approval_whose_key_is_gone_is_not_counted(void **unused) {
    (void)unused;
    const char *id = gid(1);
    done(with(request(id), "bucket=two"));
    done(approve(id, K_MONA));
    check_say(rig_say(&state, approve(id, K_BB)), POLICY_SAY_WAITS);
    done(RIG(APPROVER_SET, "bb", K_AA, "key=SHA256:approverBnew000000000000000000000000000000A", "name=B. B."));
    check_say(rig_say(&state, approve(id, K_BB)), POLICY_SAY_KEY_REMOVED);
    check_say(rig_say(&state, approve(id, K_AA)), POLICY_SAY_WAITS); /* hers is the only one that stands */
    /* With the new key the same person signs again, in the place of the old. */
    check_say(rig_say(&state, approve(id, "SHA256:approverBnew000000000000000000000000000000A")), POLICY_SAY_DONE);
    assert_int_equal(grant_of(id)->approval_count, 3);
}

static void without_its_manager_a_chain_is_not_signed(void **unused) {
    (void)unused;
    const char *id = gid(1);
    done(request(id));
    done(approve(id, K_MONA));
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "mona", RIG_OFFICER, NULL)), POLICY_SAY_DONE);
    check_say(rig_say(&state, approve(id, K_AA)), POLICY_SAY_APPROVALS);
}

/* ending ------------------------------------------------------------------------------------------------------------------------------ */

static void who_has_a_part_ends_it_and_nobody_else(void **unused) {
    (void)unused;
    const char *const keys[] = {K_AA, K_CC, RIG_OFFICER, K_MONA, K_ANNA};
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        const char *id = active(gid(i + 1));
        check_say(rig_say(&state, signed_by(revoke(id, K_MAX), K_MAX, POLICY_KEY_SK)), POLICY_SAY_NOT_YOURS);
        check_say(rig_say(&state, signed_by(complete(id), K_MONA, POLICY_KEY_SK)), POLICY_SAY_NOT_REQUESTER);
        bool provider_person = i >= 3;
        check_say(rig_say(&state, signed_by(revoke(id, keys[i]), keys[i], provider_person ? POLICY_KEY_SK : POLICY_KEY_SSH)), POLICY_SAY_DONE);
        assert_int_equal(state_now(id), POLICY_GRANT_REVOKED);
        check_say(rig_say(&state, revoke(id, K_AA)), POLICY_SAY_STATE);
        check_say(rig_say(&state, login(id)), POLICY_SAY_STATE);
    }
    done(request(gid(50)));
    check_say(rig_say(&state, revoke(gid(50), K_AA)), POLICY_SAY_DONE);
    check_say(rig_say(&state, revoke(gid(51), K_AA)), POLICY_SAY_NO_GRANT);
}

static void a_login_is_the_requesters_own(void **unused) {
    (void)unused;
    const char *id = gid(1);
    approved(id, request(id));
    check_say(rig_say(&state, signed_by(login(id), K_ANNA2, POLICY_KEY_SK)), POLICY_SAY_NOT_REQUESTER);
    check_say(rig_say(&state, signed_by(login(id), K_ANNA, POLICY_KEY_SSH)), POLICY_SAY_NOT_HARDWARE);
    check_say(rig_say(&state, with(login(id), "country=US")), POLICY_SAY_COUNTRY);
    done(RIG(RULE_SET, "data", K_AA, "need=2"));
    check_say(rig_say(&state, login(id)), POLICY_SAY_APPROVALS);
    done(RIG(RULE_SET, "data", K_AA, "need=1", "deny-country=DE"));
    check_say(rig_say(&state, login(id)), POLICY_SAY_DENIED_BY_RULE);
    done(RIG(RULE_OFF, "data", K_AA, NULL));
    check_say(rig_say(&state, login(id)), POLICY_SAY_DONE);
    check_say(rig_provider(&provider, RIG(PURPOSE_SET, "incident", RIG_OFFICER, NULL)), POLICY_SAY_DONE);
    check_say(rig_say(&state, login(id)), POLICY_SAY_PURPOSE);
    check_say(rig_provider(&provider, RIG(PERSON_OFF, "anna", RIG_OFFICER, NULL)), POLICY_SAY_DONE);
    enum policy_say off = rig_say(&state, login(id));
    assert_true(off == POLICY_SAY_KEY_REMOVED || off == POLICY_SAY_NOT_ELIGIBLE);
}

static void looking_is_for_who_has_a_part(void **unused) {
    (void)unused;
    const char *id = gid(1);
    done(signed_by(request(id), K_SUB, POLICY_KEY_SK));
    struct rig_says look = RIG(ACCESS_LOOK, id, K_SUB, NULL), all = RIG(ACCESS_LOOK, NULL, K_EVE, NULL);
    const struct { const char *key; enum policy_by_key by; enum policy_say want; } cases[] = {
        {K_SUB, POLICY_KEY_SK, POLICY_SAY_DONE}, {K_MAX, POLICY_KEY_SK, POLICY_SAY_DONE}, {K_BB, POLICY_KEY_SSH, POLICY_SAY_DONE},
        {K_MONA, POLICY_KEY_SK, POLICY_SAY_NOT_YOURS}, {K_EVE, POLICY_KEY_SK, POLICY_SAY_NOT_YOURS},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) check_say(rig_say(&state, signed_by(look, cases[i].key, cases[i].by)), cases[i].want);
    check_say(rig_say(&state, signed_by(all, K_EVE, POLICY_KEY_SK)), POLICY_SAY_DONE);
    check_say(rig_say(&state, all = signed_by(all, OWNER, POLICY_KEY_SSH)), POLICY_SAY_NOT_YOURS);
    look.subject = gid(2);
    check_say(rig_say(&state, signed_by(look, K_BB, POLICY_KEY_SSH)), POLICY_SAY_NO_GRANT);
    assert_int_equal(state_now(id), POLICY_GRANT_MANAGER_PENDING);
    /* put out: neither as the author, nor as who might have signed, nor in general */
    look.subject = id;
    const struct { const char *account, *key; } off[] = {{"sub", K_SUB}, {"max", K_MAX}, {"eve", K_EVE}};
    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        check_say(rig_provider(&provider, RIG(PERSON_OFF, off[i].account, RIG_OFFICER, NULL)), POLICY_SAY_DONE);
        check_say(rig_say(&state, signed_by(look, off[i].key, POLICY_KEY_SK)), POLICY_SAY_NOT_ELIGIBLE);
        check_say(rig_say(&state, signed_by(all, off[i].key, POLICY_KEY_SK)), POLICY_SAY_NOT_ELIGIBLE);
    }
}

/* time -------------------------------------------------------------------------------------------------------------------------------- */

static void time_needs_no_leaf(void **unused) {
    (void)unused;
    const char *id = gid(1);
    uint64_t start = now_ms + 2 * HOUR;
    done(with(request(id), number("start", start)));
    const struct policy_grant *g = grant_of(id);
    assert_int_equal(policy_grants_due(&state), g->lapse_ms);
    assert_int_equal(policy_grant_state(&state, g, g->lapse_ms - 1), POLICY_GRANT_MANAGER_PENDING);
    assert_int_equal(policy_grant_state(&state, g, g->lapse_ms), POLICY_GRANT_LAPSED);
    approve_all(id, (struct way){0});
    g = grant_of(id);
    assert_int_equal(g->start_ms, start);
    assert_int_equal(g->end_ms, start + HOUR);
    assert_int_equal(policy_grants_due(&state), start);
    assert_int_equal(policy_grant_state(&state, g, start - 1), POLICY_GRANT_SCHEDULED);
    assert_int_equal(policy_grant_state(&state, g, start), POLICY_GRANT_APPROVED);
    assert_int_equal(policy_grant_state(&state, g, start + HOUR - 1), POLICY_GRANT_APPROVED);
    assert_int_equal(policy_grant_state(&state, g, start + HOUR), POLICY_GRANT_EXPIRED);
    check_say(rig_say(&state, login(id)), POLICY_SAY_STATE);
    now_ms = start;
    done(login(id)); /* without the leaf that says Start */
    assert_int_equal(policy_grants_due(&state), start + HOUR);
    assert_int_equal(rig_time(&state, g->id, "Start"), ERR_INPUT);
    assert_int_equal(rig_time(&state, g->id, "Expire"), ERR_INPUT);
    now_ms = start + HOUR;
    assert_int_equal(rig_time(&state, grant_of(id)->id, "Expire"), ERR_OK);
    assert_int_equal(rig_time(&state, grant_of(id)->id, "Expire"), ERR_INPUT);
    assert_int_equal(policy_grants_due(&state), UINT64_MAX);
}

static void what_waited_too_long_has_lapsed(void **unused) {
    (void)unused;
    done(request(gid(1)));
    done(request(gid(2)));
    now_ms = grant_of(gid(1))->lapse_ms - 2; /* a statement is written two ms later */
    rig_write(approve(gid(1), K_MONA));
    rig_mirrors(&state, &provider, &rig_statement);
    rig_statement.t_ms = grant_of(gid(1))->lapse_ms - 1;
    check_say(policy_say(&state, &rig_statement), POLICY_SAY_WAITS);
    rig_statement.t_ms++;
    check_say(policy_say(&state, &rig_statement), POLICY_SAY_LAPSED);
    now_ms = grant_of(gid(2))->lapse_ms;
    check_say(rig_say(&state, under(RECORD_STATEMENT_ACCESS_REJECT, gid(2), K_MONA, POLICY_KEY_SK)), POLICY_SAY_LAPSED);
    check_say(rig_say(&state, revoke(gid(2), K_AA)), POLICY_SAY_STATE);
}

static void an_extension_is_a_chain_of_its_own(void **unused) {
    (void)unused;
    char term_text[60];
    const char *old = active(gid(1)), *id = gid(2);
    snprintf(term_text, sizeof term_text, "extends=%s", gid(1));
    uint64_t end = grant_of(old)->end_ms;
    struct rig_says r = with(request(id), term_text);
    check_say(rig_say(&state, with(r, "prefix=a/b/")), POLICY_SAY_WIDENS);
    check_say(rig_say(&state, signed_by(r, K_SUB, POLICY_KEY_SK)), POLICY_SAY_NOT_YOURS);
    done(r);
    assert_int_equal(state_now(old), POLICY_GRANT_EXTENSION_PENDING);
    check_say(rig_say(&state, with(request(gid(3)), term_text)), POLICY_SAY_STATE);
    done(approve(id, K_MONA));
    done(approve(id, K_AA));
    assert_int_equal(state_now(old), POLICY_GRANT_ACTIVE);
    assert_int_equal(grant_of(old)->end_ms, end);
    assert_true(grant_of(id)->end_ms > end);
    /* The next one lapses without a leaf. */
    done(RIG(RULE_SET, "data", K_AA, "need=1", "lapse=900000"));
    done(with(request(gid(3)), term_text));
    assert_int_equal(policy_grant_state(&state, grant_of(old), now_ms + 899000), POLICY_GRANT_EXTENSION_PENDING);
    assert_int_equal(policy_grant_state(&state, grant_of(old), now_ms + 901000), POLICY_GRANT_ACTIVE);
    now_ms += 901000;
    done(with(request(gid(4)), term_text));
    assert_int_equal(state_now(old), POLICY_GRANT_EXTENSION_PENDING);
    /* The lapsed one's leaf comes late, and does not end the new one. */
    assert_int_equal(rig_time(&state, grant_of(gid(3))->id, "Lapse"), ERR_OK);
    assert_int_equal(state_now(old), POLICY_GRANT_EXTENSION_PENDING);
    done(revoke(old, K_AA));
    assert_int_equal(state_now(gid(4)), POLICY_GRANT_MANAGER_PENDING);
}

/* size --------------------------------------------------------------------------------------------------------------------------------- */

static void what_is_over_is_small_and_found(void **unused) {
    (void)unused;
    for (unsigned i = 0; i < 300; i++) {
        done(request(gid(i)));
        if (i % 3 != 0) done(revoke(gid(i), K_AA));
    }
    size_t cursor = 0, open = 0;
    uint64_t last = 0;
    for (const struct policy_grant *g; (g = policy_grant_next(&state, &cursor)) != NULL; open++) {
        assert_true(g->index > last);
        last = g->index;
    }
    assert_int_equal(open, 100);
    for (unsigned i = 0; i < 300; i++) {
        const struct policy_grant *g = grant_of(gid(i));
        assert_non_null(g);
        assert_int_equal(g->state, i % 3 != 0 ? POLICY_GRANT_REVOKED : POLICY_GRANT_MANAGER_PENDING);
        assert_true((g->terms == NULL) == (i % 3 != 0));
        assert_string_equal(g->account, "anna");
    }
    assert_null(grant_of(gid(300)));
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(every_move_is_taken_and_no_other),
        cmocka_unit_test(the_picture_has_the_states_of_the_table),
        T(states_have_texts_of_their_own),
        T(a_request_is_refused_by_what_is_wrong_with_it),
        T(a_rule_refuses_country_and_employer_and_tightens_the_wait),
        T(nobody_signs_for_himself_or_twice),
        T(the_managers_record_names_who_manages),
        T(a_signature_is_for_one_request),
        T(a_grant_in_capitals_is_no_grant),
        T(an_approval_narrows_and_never_widens),
        T(a_narrower_prefix_is_counted_by_its_own_rule),
        T(an_approval_whose_key_is_gone_is_not_counted),
        T(without_its_manager_a_chain_is_not_signed),
        T(who_has_a_part_ends_it_and_nobody_else),
        T(a_login_is_the_requesters_own),
        T(looking_is_for_who_has_a_part),
        T(time_needs_no_leaf),
        T(what_waited_too_long_has_lapsed),
        T(an_extension_is_a_chain_of_its_own),
        T(what_is_over_is_small_and_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
