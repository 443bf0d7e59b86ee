/* SPDX-License-Identifier: Apache-2.0
 * A request, two approvals, a login and reads under the grant, with real signatures, replayed: whole, and each time with one thing wrong. What is
 * altered is altered in the openings, and leaf, tree and head made anew: only the meaning is wrong.
 * Spec: docs/spec/access.md sections 2, 5, 6, 7
 */
#include "verify/grant_test.h"

/* One thing that a story does differently. */
struct lie {
    bool signature, date, late_person, mirror_ref, mirror_act, stranger_mirror, other_genesis;
    bool budget_text, self_approval, no_manager, denied_login, elsewhere, told_elsewhere, wrong_grant, twice;
    bool by_passkey, other_origin, old_counter;       /* the customer's approver has one */
    const char *refused;                              /* `why` of the approver's leaf */
};

/* control/3 origin.set, 4 approver.set: from there on the owner is none. */
static void enrol(struct world *x, const struct lie *lie)
{
    char key[600];
    snprintf(key, sizeof key, "key=%s", x->passkey.who);
    utter(x, RECORD_STATEMENT_ORIGIN_SET, &x->owner, NULL, true, (const char *const[]){"origin=https://example.org", "rpid=example.org", NULL});
    stmt(x, &x->t.control, NULL, NO_REF);
    utter(x, RECORD_STATEMENT_APPROVER_SET, &x->owner, "anna", true, (const char *const[]){key, "name=Anna", NULL});
    stmt(x, &x->t.control, NULL, NO_REF);
    if (lie->other_origin) x->passkey.origin = "https://example.org.evil.example";
    if (!lie->old_counter) return;
    /* 5: a first assertion, with a counter that the second one has again */
    x->passkey.counter = 9;
    utter(x, RECORD_STATEMENT_NOTICE_SET, &x->passkey, "anna", true, (const char *const[]){"mail=anna@example.org", NULL});
    stmt(x, &x->t.control, NULL, NO_REF);
    x->passkey.counter = 9;
}

static void provider_side(struct world *x, const struct lie *lie)
{
    provider_genesis(x);                              /* provider/0 */
    person(x, "eng", &x->engineer, "engineer", lie->late_person ? T0 - 366 * DAY : T0 - DAY);
    stmt(x, &x->provider, NULL, NO_REF);              /* 1 */
    keep(x, &x->persons[0]);
    person(x, "mgr", &x->manager, "manager", T0 - DAY);
    stmt(x, &x->provider, NULL, NO_REF);              /* 2 */
    keep(x, &x->persons[1]);
    purpose(x);
    stmt(x, &x->provider, NULL, NO_REF);              /* 3 */
    keep(x, &x->purpose);
}

/* control/0 genesis, 1 key, 2 bucket; 3 to 6 mirrors; 7 request, 8 manager, 9 owner, 10 login. */
static void until_login(struct world *x, const struct lie *lie)
{
    world_init(x);
    tenant_bucket(&x->t, "photos", 1);
    provider_side(x, lie);
    if (lie->by_passkey) enrol(x, lie);
    if (lie->other_genesis) {
        struct signer keep_officer = x->officer;
        x->officer = x->stranger;
        utter(x, RECORD_STATEMENT_GENESIS_PROVIDER, &x->officer, "provider", false, NULL);
        stmt(x, &x->t.control, NULL, 0);
        x->officer = keep_officer;
        return;
    }
    mirror(x, RECORD_STATEMENT_GENESIS_PROVIDER, &x->genesis, 0);
    if (lie->date) {
        char from[64], to[64];
        snprintf(from, sizeof from, "training=%llu", (unsigned long long)(T0 - DAY));
        snprintf(to, sizeof to, "training=%llu", (unsigned long long)(T0 - 2 * DAY));
        buf_done(&x->said.value);
        x->said = (struct said){.kind = RECORD_STATEMENT_PERSON_SET, .by = &x->officer, .value = BUF_INIT(OPENING_BYTES_MAX)};
        buf_put_slice(&x->said.value, buf_slice(&x->persons[0]));
        reword(x, from, to);
        stmt(x, &x->t.control, NULL, 1);
    } else if (lie->stranger_mirror) {
        struct signer keep_officer = x->officer;
        x->officer = x->stranger;
        person(x, "eng", &x->engineer, "engineer", T0 - DAY);
        stmt(x, &x->t.control, NULL, 1);
        x->officer = keep_officer;
        return;
    } else {
        mirror(x, RECORD_STATEMENT_PERSON_SET, &x->persons[0], lie->mirror_ref ? 17 : lie->mirror_act ? 3 : 1);
    }
    if (lie->mirror_ref || lie->mirror_act) return;
    mirror(x, RECORD_STATEMENT_PERSON_SET, &x->persons[1], 2);
    mirror(x, RECORD_STATEMENT_PURPOSE_SET, &x->purpose, 3);
    request_terms(x, "20971520");
    if (lie->budget_text) reword(x, "bytes=20971520", "bytes=90971520");
    if (lie->signature) x->said.value.p[x->said.value.n - 60] ^= 2;
    if (lie->wrong_grant) x->said.grant[0] ^= 1;
    stmt(x, &x->t.control, NULL, NO_REF);
    if (lie->twice) stmt(x, &x->t.control, NULL, NO_REF);
    approve(x, lie->self_approval ? &x->engineer : &x->manager, NULL);
    if (!lie->no_manager) stmt(x, &x->t.control, NULL, NO_REF);
    approve(x, lie->by_passkey ? &x->passkey : &x->owner, "bytes=10485760");
    stmt(x, &x->t.control, lie->refused, NO_REF);
    if (lie->elsewhere) utter(x, RECORD_STATEMENT_ACCESS_LOGIN, &x->engineer, x->grant_text, true, (const char *const[]){"country=US", NULL});
    else login(x);
    stmt(x, &x->t.control, lie->denied_login ? "state" : lie->told_elsewhere ? "country" : NULL, NO_REF);
}

/* access/0 cases/a of 9 MiB, access/1 cases/b. */
static void granted(struct world *x)
{
    until_login(x, &(struct lie){0});
    put(&x->t, "cases/a", RECORD_VER_NONE, 9 * MIB);
    put(&x->t, "cases/b", RECORD_VER_NONE, 10);
}

/* All that may happen under a grant: control/11 and up. */
static void story(struct world *x)
{
    granted(x);
    read_key(x, "cases/a", 0, 0, 1, 8 * MIB, 0);                     /* 11 */
    put(&x->t, "cases/a", 0, 5);                                         /* access/2: the stream goes on with what it began */
    read_key(x, "cases/a", 0, 2, 2, MIB, 11);                            /* 12 */
    read_key(x, "cases/a", 2, 0, 0, 5, 0);                           /* 13 */
    listed(x, "cases/", "cases/", (struct row[]){{0, "cases/a", 2}, {0, "cases/b", 1}}, 2);
    use(x, &(struct use){.act = "HeadObject", .key = "cases/b", .has_ver = true, .ver = 1});
    use(x, &(struct use){.act = "GetObject", .key = "cases/none", .has_ver = true, .ver = RECORD_VER_NONE, .why = "NoSuchKey"});
    refused(x, "other", "grant-scope");
    put(&x->t, "cases/c", RECORD_VER_NONE, 9 * MIB);                      /* access/3 */
}

static void a_whole_story_holds(void **state)
{
    (void)state;
    for (int given = 0; given < 2; given++) {
        struct world x;
        story(&x);
        utter(&x, RECORD_STATEMENT_ACCESS_REVOKE, &x.owner, x.grant_text, true, NULL);
        stmt(&x, &x.t.control, NULL, NO_REF);
        refused(&x, "cases/b", "grant-state");
        login(&x);
        stmt(&x, &x.t.control, "state", NO_REF);
        x.provider_given = given;
        expect_world(&x, NULL, NULL, VERIFY_NOWHERE);
    }
}

static void a_grant_that_expires_holds(void **state)
{
    (void)state;
    struct world x;
    story(&x);
    x.t.now += 3600000;
    grant_leaf(&x, "Expire");
    refused(&x, "cases/b", "grant-state");
    expect_world(&x, NULL, NULL, VERIFY_NOWHERE);
}

static void each_statement_that_is_wrong_is_named(void **state)
{
    (void)state;
    struct world x;
#define WRONG(name, index, given, ...)                  \
    do {                                                    \
        until_login(&x, &(struct lie){__VA_ARGS__});        \
        x.provider_given = (given);                         \
        expect_world(&x, name, "control", index);           \
    } while (0)
    /* one signature, one date, one budget */
    WRONG("bad-signature", 7, false, .signature = true);
    WRONG("bad-signature", 4, false, .date = true);
    WRONG("bad-signature", 7, false, .budget_text = true);
    /* a date that an officer did sign, overdue: such a person may not ask */
    WRONG("wrong-statement", 7, false, .late_person = true);
    WRONG("wrong-statement", 8, false, .self_approval = true);
    WRONG("wrong-statement", 8, false, .no_manager = true);
    WRONG("wrong-statement", 10, false, .denied_login = true);
    /* from where the approvers did not see the person: refused by that name, never taken */
    WRONG("wrong-statement", 10, false, .elsewhere = true);
    WRONG(NULL, VERIFY_NOWHERE, false, .elsewhere = true, .told_elsewhere = true);
    WRONG("wrong-statement", 10, false, .told_elsewhere = true);
    WRONG("wrong-statement", 7, false, .wrong_grant = true);
    WRONG("wrong-statement", 8, false, .twice = true);
    /* passkeys */
    WRONG(NULL, VERIFY_NOWHERE, true, .by_passkey = true);
    WRONG("bad-signature", 11, false, .by_passkey = true, .other_origin = true);
    WRONG("wrong-statement", 12, false, .by_passkey = true, .old_counter = true);
    /* a counter that was seen is a reason by itself, and comes behind the gate's other two; it is none for another */
    WRONG(NULL, VERIFY_NOWHERE, true, .by_passkey = true, .old_counter = true, .refused = "counter", .denied_login = true);
    WRONG(NULL, VERIFY_NOWHERE, true, .by_passkey = true, .old_counter = true, .refused = "repeated", .denied_login = true);
    WRONG("wrong-statement", 12, false, .by_passkey = true, .old_counter = true, .refused = "state", .denied_login = true);
    WRONG("wrong-statement", 11, false, .by_passkey = true, .refused = "counter", .denied_login = true);
    WRONG("bad-signature", 11, false, .by_passkey = true, .other_origin = true, .refused = "counter", .denied_login = true);
    /* mirrors */
    WRONG("wrong-mirror", 4, false, .stranger_mirror = true);
    WRONG("mirror-ahead", 4, true, .mirror_ref = true);
    WRONG("wrong-mirror", 4, true, .mirror_act = true);
    WRONG("wrong-mirror", 3, true, .other_genesis = true);
#undef WRONG
}

static void each_release_that_is_wrong_is_named(void **state)
{
    (void)state;
    struct world x;
#define WRONG(name, index, ...)                            \
    do {                                                      \
        story(&x);                                            \
        uint64_t at = x.t.control.count;                      \
        (void)at;                                             \
        __VA_ARGS__;                                          \
        expect_world(&x, name, "control", index);             \
    } while (0)
    /* the budget has 1 MiB less 5 bytes left */
    WRONG(NULL, VERIFY_NOWHERE, use(&x, &(struct use){.act = "GetObject", .key = "cases/c", .deny = true, .why = "budget", .bytes = 4 * MIB, .has_ver = true, .ver = 3}));
    WRONG("wrong-decision", at, use(&x, &(struct use){.act = "GetObject", .key = "cases/c", .deny = true, .why = "budget", .bytes = 10, .has_ver = true, .ver = 3}));
    WRONG("budget", at, read_key(&x, "cases/c", 3, 0, 0, 4 * MIB, 0));
    WRONG("wrong-bytes", at, read_key(&x, "cases/c", 3, 0, 0, 10, 0));
    WRONG("wrong-bytes", at, read_key(&x, "cases/b", 1, 0, 0, 9, 0));
    /* streams */
    WRONG("wrong-release", at, read_key(&x, "cases/b", 1, 1, 1, 10, 0));
    WRONG("wrong-release", at, read_key(&x, "cases/a", 0, 2, 2, MIB, 11));       /* once more */
    WRONG("wrong-release", at, read_key(&x, "cases/b", 1, 0, 0, 10, 11));        /* another object */
    WRONG("wrong-release", at, read_key(&x, "cases/b", 1, 0, 0, 10, 5));         /* no stream */
    WRONG("wrong-release", at, use(&x, &(struct use){.act = "GetObject", .key = "cases/b", .has_ver = true, .ver = 1, .no_segs = true}));
    /* where it stands, and what stood there */
    WRONG("stale-version", at, read_key(&x, "cases/a", 0, 0, 0, 5, 0));
    WRONG("wrong-acc", at, use(&x, &(struct use){.act = "HeadObject", .key = "cases/b", .has_ver = true, .ver = 1, .no_acc = true}));
    WRONG("wrong-acc", at, use(&x, &(struct use){.act = "HeadObject", .key = "cases/a", .has_ver = true, .ver = 0, .lie_acc = true, .acc = 2}));
    WRONG("wrong-acc", at, use(&x, &(struct use){.act = "HeadObject", .key = "cases/b", .has_ver = true, .ver = 1, .lie_acc = true, .acc = 9}); put(&x.t, "z", RECORD_VER_NONE, 1));
    WRONG("wrong-listing", at, listed(&x, "cases/", "cases/", (struct row[]){{0, "cases/a", 2}}, 1));
    WRONG("wrong-listing", at, listed(&x, "cases/", "", (struct row[]){{0, "cases/a", 2}, {0, "cases/b", 1}, {0, "cases/c", 3}}, 3));
    /* who */
    WRONG("wrong-grant", at, use(&x, &(struct use){.person = "mgr", .act = "HeadObject", .key = "cases/b", .has_ver = true, .ver = 1}));
    WRONG("wrong-grant", at, use(&x, &(struct use){.purpose = "improve", .act = "HeadObject", .key = "cases/b", .has_ver = true, .ver = 1}));
    WRONG("wrong-grant", at, use(&x, &(struct use){.country = "US", .act = "HeadObject", .key = "cases/b", .has_ver = true, .ver = 1}));
    /* decisions and time */
    WRONG("wrong-decision", at, read_key(&x, "other", RECORD_VER_NONE, 0, 0, 0, 0));
    WRONG("wrong-decision", at, refused(&x, "cases/b", "grant-state"));
    WRONG("wrong-grant", at, grant_leaf(&x, "Expire"));
    WRONG("wrong-decision", at + 1, utter(&x, RECORD_STATEMENT_ACCESS_REVOKE, &x.owner, x.grant_text, true, NULL); stmt(&x, &x.t.control, NULL, NO_REF);
          read_key(&x, "cases/b", 1, 0, 0, 10, 0));
#undef WRONG
}

/* An object in parts: where they end is not on the log, and each part counts from 0. */
static void an_object_in_parts_holds(void **state)
{
    (void)state;
    struct world x;
    AUTO(buf) struct buf up = BUF_INIT(64);
    const uint8_t id[ID_BYTES] = {6};
    granted(&x);
    record_up_put(&up, id, 0);
    acc(&x.t, &(struct says){.act = "CreateMultipartUpload", .key = "cases/s", .write = true, .up = buf_slice(&up)});
    push(&x.t, "CompleteMultipartUpload", "cases/s", RECORD_VER_NONE, buf_slice(&up), slice_of(NULL, 0));
    read_key(&x, "cases/s", 3, 0, 0, 4, 0);
    read_key(&x, "cases/s", 3, 0, 0, 3, 11);
    expect_world(&x, NULL, NULL, VERIFY_NOWHERE);
    granted(&x);
    acc(&x.t, &(struct says){.act = "CreateMultipartUpload", .key = "cases/s", .write = true, .up = buf_slice(&up)});
    push(&x.t, "CompleteMultipartUpload", "cases/s", RECORD_VER_NONE, buf_slice(&up), slice_of(NULL, 0));
    read_key(&x, "cases/s", 3, 0, 0, 7, 0);
    read_key(&x, "cases/s", 3, 0, 0, 1, 11);          /* again, as if it were another part: an object that is not counted */
    expect_world(&x, "wrong-bytes", "control", 12);
    granted(&x);
    acc(&x.t, &(struct says){.act = "CreateMultipartUpload", .key = "cases/s", .write = true, .up = buf_slice(&up)});
    push(&x.t, "CompleteMultipartUpload", "cases/s", RECORD_VER_NONE, buf_slice(&up), slice_of(NULL, 0));
    read_key(&x, "cases/s", 3, 0, 0, 5 * MIB, 0);
    expect_world(&x, "wrong-bytes", "control", 11);
}

/* Where the log says what was uploaded, a release says as many bytes as a part's segments have: fewer would stretch the budget. */
static void an_object_in_known_parts_stretches_no_budget(void **state)
{
    (void)state;
    struct world x;
    AUTO(buf) struct buf up = BUF_INIT(64), part = BUF_INIT(64), fresh = BUF_INIT(1024);
    const uint8_t id[ID_BYTES] = {6};
    record_up_put(&up, id, 0);
    record_up_put(&part, id, 1);
    const struct { uint64_t bytes; const char *finding; } cases[] = {{7, NULL}, {1, "wrong-bytes"}, {6, "wrong-bytes"}, {8, "wrong-bytes"}, {0, "wrong-bytes"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        granted(&x);
        struct record_new n = {.size = 7, .etag = SLICE_LIT("p")};
        memcpy(n.bucket, x.t.bucket, ID_BYTES);
        buf_reset(&fresh);
        record_new_put(&fresh, &n);
        acc(&x.t, &(struct says){.act = "CreateMultipartUpload", .key = "cases/s", .write = true, .up = buf_slice(&up)});
        acc(&x.t, &(struct says){.act = "UploadPart", .key = "cases/s", .write = true, .has_ver = true, .ver = RECORD_VER_NONE, .fresh = buf_slice(&fresh), .up = buf_slice(&part)});
        push(&x.t, "CompleteMultipartUpload", "cases/s", RECORD_VER_NONE, buf_slice(&up), slice_of(NULL, 0));
        read_key(&x, "cases/s", 4, 0, 0, cases[i].bytes, 0);
        expect_world(&x, cases[i].finding, cases[i].finding ? "control" : NULL, cases[i].finding ? 11 : VERIFY_NOWHERE);
    }
}

/* A request whose statement the customer had erased: nobody knows any more what it allowed, and nobody is accused of it. */
static void what_was_erased_is_counted(void **state)
{
    (void)state;
    struct world x;
    struct record_opening o;
    story(&x);
    struct buf *of = &x.t.control.openings[7];
    assert_int_equal(record_opening_parse(buf_slice(of), &o), ERR_OK);
    assert_int_equal(record_opening_erase(&o, RECORD_F_STMT), ERR_OK);
    AUTO(buf) struct buf left = BUF_INIT(OPENING_BYTES_MAX);
    record_opening_put(&o, &left);
    buf_reset(of);
    buf_put_slice(of, buf_slice(&left));
    expect_world(&x, NULL, NULL, VERIFY_NOWHERE);
}

/* On the access log a budget would not see it. */
static void a_request_under_a_grant_on_the_access_log_is_named(void **state)
{
    (void)state;
    struct world x;
    granted(&x);
    struct log_made control = x.t.control;
    x.t.control = x.t.access;                         /* use() writes there */
    use(&x, &(struct use){.act = "HeadBucket", .key = ""});
    x.t.access = x.t.control;
    x.t.control = control;
    expect_world(&x, "wrong-grant", "access", 2);
}

/* The access log was exported first: what came under a grant behind its end is counted, not accused. */
static void a_release_past_the_export_is_counted(void **state)
{
    (void)state;
    struct world x;
    story(&x);
    x.t.cut = 1;
    read_key(&x, "cases/b", 1, 0, 0, 10, 0);
    expect_world(&x, NULL, NULL, VERIFY_NOWHERE);
    /* and so is how a stream goes on that began there: where it does not begin is known all the same */
    for (int wrong = 0; wrong < 2; wrong++) {
        granted(&x);
        put(&x.t, "z", RECORD_VER_NONE, 1);
        x.t.cut = 1;
        read_key(&x, "cases/a", 0, 0, 1, 8 * MIB, 0);
        read_key(&x, "cases/a", 0, 2, 2, MIB, wrong ? 10 : 11);
        expect_world(&x, wrong ? "wrong-release" : NULL, wrong ? "control" : NULL, wrong ? 12 : VERIFY_NOWHERE);
    }
}

/* the provider log ----------------------------------------------------------------------------------------------------------------------- */

static void the_provider_log_holds_or_what_is_wrong_is_named(void **state)
{
    (void)state;
    struct world x;
#define PROVIDER(name, index, ...)                \
    do {                                             \
        world_init(&x);                              \
        provider_side(&x, &(struct lie){0});         \
        __VA_ARGS__;                                 \
        expect_provider(&x, name, index);            \
    } while (0)
    PROVIDER(NULL, VERIFY_NOWHERE, (void)0);
    char from[64], to[64];
    snprintf(from, sizeof from, "training=%llu", (unsigned long long)(T0 - DAY));
    snprintf(to, sizeof to, "training=%llu", (unsigned long long)(T0 - 2 * DAY));
    PROVIDER("bad-signature", 4, person(&x, "new", &x.stranger, "engineer", T0 - DAY); reword(&x, from, to); stmt(&x, &x.provider, NULL, NO_REF));
    PROVIDER("bad-signature", 4, purpose(&x); x.said.value.p[x.said.value.n - 60] ^= 2; stmt(&x, &x.provider, NULL, NO_REF));
    /* by no officer, and taken; refused although an officer said it */
    PROVIDER("wrong-statement", 4, struct signer keep_officer = x.officer; x.officer = x.engineer; purpose(&x); stmt(&x, &x.provider, NULL, NO_REF);
             x.officer = keep_officer);
    PROVIDER("wrong-statement", 4, purpose(&x); stmt(&x, &x.provider, "not-officer", NO_REF));
    PROVIDER("wrong-statement", 5, purpose(&x); stmt(&x, &x.provider, NULL, NO_REF); stmt(&x, &x.provider, NULL, NO_REF));
    PROVIDER(NULL, VERIFY_NOWHERE, purpose(&x); stmt(&x, &x.provider, NULL, NO_REF); stmt(&x, &x.provider, "repeated", NO_REF));
    PROVIDER("wrong-statement", 4, purpose(&x); x.t.now += 2 * STATEMENT_SKEW_MS; stmt(&x, &x.provider, NULL, NO_REF));
    PROVIDER(NULL, VERIFY_NOWHERE, purpose(&x); x.t.now += 2 * STATEMENT_SKEW_MS; stmt(&x, &x.provider, "clock", NO_REF));
    PROVIDER(NULL, VERIFY_NOWHERE, login(&x); stmt(&x, &x.provider, "no-tenant", NO_REF));
    /* a tenant that was created and has no genesis yet has no log of its own: its statements stand here, and none is taken */
    PROVIDER(NULL, VERIFY_NOWHERE, tenant_made(&x); login(&x); stmt(&x, &x.provider, "no-tenant", NO_REF));
    PROVIDER(NULL, VERIFY_NOWHERE, tenant_made(&x); stmt(&x, &x.provider, "repeated", NO_REF));
    PROVIDER("wrong-statement", 5, tenant_made(&x); login(&x); stmt(&x, &x.provider, NULL, NO_REF));
#undef PROVIDER
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_story_holds),
        cmocka_unit_test(a_grant_that_expires_holds),
        cmocka_unit_test(each_statement_that_is_wrong_is_named),
        cmocka_unit_test(each_release_that_is_wrong_is_named),
        cmocka_unit_test(an_object_in_parts_holds),
        cmocka_unit_test(an_object_in_known_parts_stretches_no_budget),
        cmocka_unit_test(what_was_erased_is_counted),
        cmocka_unit_test(a_request_under_a_grant_on_the_access_log_is_named),
        cmocka_unit_test(a_release_past_the_export_is_counted),
        cmocka_unit_test(the_provider_log_holds_or_what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
