/* SPDX-License-Identifier: Apache-2.0
 * Policies against the documentation they follow: every case names the sentence it comes from (tests/vectors/policy/cases.tsv).
 * Each case goes through leaves: its policies are folded, its request is decided, recorded, and decided again by replay.
 * Role: unit test. Spec: docs/spec/policy.md. LAW-4.
 */
#include "policy/policy_internal.h"
#include "policy/policy_rig.h"

#define CASES_MIN 200
#define KEY_ALICE "AKIAALICEALICEALICEA"
#define KEY_BOB "AKIABOBBOBBOBBOBBOBB"
#define KEY_DAVE "AKIADAVEDAVEDAVEDAVE"

enum column { NAME, CALLER, ACT, OBJECT, FACTS, BUCKET_POLICY, USER_POLICY, WANT, PAGE, QUOTE, COLUMNS };
struct row {
    char *field[COLUMNS];
    unsigned line;
};

static const struct caller {
    const char *name, *account, *user, *key;
} callers[] = {
    {"root1", ACCOUNT1, "root", KEY1},       {"root2", ACCOUNT2, "root", KEY2},      {"alice", ACCOUNT1, "alice", KEY_ALICE},
    {"bob", ACCOUNT2, "bob", KEY_BOB},       {"dave", ACCOUNT1, "dave", KEY_DAVE},
};

static struct policy_state state;
static char text[256 * 1024];
static struct row rows[1000];
static size_t row_count, wrong;

static void read_cases(void) {
    FILE *f = fopen(TILLIT_CASES, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    assert_true(n > 0 && n < sizeof text - 1);
    unsigned line = 0;
    for (char *p = text, *end; *p != 0; p = end + 1) {
        end = strchr(p, '\n');
        assert_non_null(end);
        *end = 0;
        line++;
        if (*p == '#') continue;
        struct row *r = &rows[row_count++];
        r->line = line;
        for (int c = 0; c < COLUMNS; c++) {
            r->field[c] = p;
            char *tab = strchr(p, '\t');
            assert_true((tab == NULL) == (c == COLUMNS - 1));
            if (tab != NULL) *tab = 0;
            p = tab == NULL ? p : tab + 1;
        }
    }
}

static int set_up_table(void **unused) {
    if (set_up(unused) != 0) return 1;
    read_cases();
    assert_int_equal(policy_init(&state), ERR_OK);
    assert_int_equal(apply(&state, GENESIS), ERR_OK);
    assert_int_equal(apply(&state, KEY(KEY1, ACCOUNT1, 1)), ERR_OK);
    assert_int_equal(apply(&state, KEY(KEY2, ACCOUNT2, 1)), ERR_OK);
    assert_int_equal(apply(&state, BUCKET("one", 1, 1, WHO1)), ERR_OK);
    assert_int_equal(apply(&state, BUCKET("two", 2, 1, WHO2)), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateUser", 1, "alice", "", "/")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateUser", 1, "dave", "", "/team/a/")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO2, ACCOUNT2, "CreateUser", 1, "bob", "", "/")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateAccessKey", 1, "alice", KEY_ALICE, "")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO1, ACCOUNT1, "CreateAccessKey", 1, "dave", KEY_DAVE, "")), ERR_OK);
    assert_int_equal(apply(&state, IAM(WHO2, ACCOUNT2, "CreateAccessKey", 1, "bob", KEY_BOB, "")), ERR_OK);
    return 0;
}

static int tear_down_table(void **unused) {
    policy_done(&state);
    return tear_down(unused);
}

/* facts ------------------------------------------------------------------------------------------------------------------ */

/* The facts column: name=value, parted by bars. NULL: not there. */
static const char *fact(const struct row *r, const char *name) {
    static char value[4][256];
    static int turn;
    size_t n = strlen(name);
    for (const char *p = r->field[FACTS]; p != NULL; p = strchr(p, '|') == NULL ? NULL : strchr(p, '|') + 1) {
        if (strncmp(p, name, n) != 0 || p[n] != '=') continue;
        const char *from = p + n + 1, *end = strchr(from, '|');
        size_t length = end == NULL ? strlen(from) : (size_t)(end - from);
        assert_true(length < sizeof value[0]);
        turn = (turn + 1) % 4;
        memcpy(value[turn], from, length);
        value[turn][length] = 0;
        return value[turn];
    }
    return NULL;
}

static void put_ctx(const struct row *r, struct buf *ctx) {
    const char *name;
    buf_reset(ctx);
    for (size_t i = 0; policy_ctx_wanted(i, &name); i++) {
        const char *v = fact(r, name);
        if (v != NULL) record_ctx_put(ctx, slice_str(name), slice_str(v));
    }
}

static const struct caller *caller_of(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
        if (strcmp(callers[i].name, name) == 0) return &callers[i];
    }
    return NULL;
}

/* "user:name" or "user:name:path"; "bucket/key"; "bucket"; "-". */
static void about(const struct row *r, struct policy_request *q) {
    struct slice rest = slice_str(r->field[OBJECT]), head;
    if (slice_is(rest, "-")) return;
    if (slice_starts(rest, SLICE_LIT("user:"))) {
        rest = slice_cut(slice_of(rest.p + 5, rest.n - 5), ':', &q->sub.user);
        if (rest.p != NULL) q->sub.more = rest;
        return;
    }
    rest = slice_cut(rest, '/', &head);
    q->bucket = head;
    if (rest.p != NULL) q->key = rest;
}

static struct policy_request request_of(const struct row *r, struct buf *ctx) {
    struct policy_request q = {.act = policy_act_of(slice_str(r->field[ACT])), .tls = fact(r, "tls") != NULL, .t_ms = 1795508476000};
    const struct caller *c = caller_of(r->field[CALLER]);
    assert_true(q.act != POLICY_ACT_NONE);
    q.auth = POLICY_AUTH_ANON;
    if (c != NULL) {
        const char *auth = fact(r, "auth");
        q.auth = POLICY_AUTH_HDR;
        if (auth != NULL) assert_int_equal(policy_auth_parse(slice_str(auth), &q.auth), ERR_OK);
        q.who = (struct policy_who){slice_str(c->account), slice_str(c->user), slice_str(c->key), {0}};
    } else {
        assert_string_equal(r->field[CALLER], "anon");
    }
    about(r, &q);
    q.peer = slice_str(fact(r, "ip") == NULL ? "192.0.2.1" : fact(r, "ip"));
    if (fact(r, "vid") != NULL) q.version_id = slice_str(fact(r, "vid"));
    q.object_known = fact(r, "find") != NULL;
    put_ctx(r, ctx);
    q.ctx = buf_slice(ctx);
    return q;
}

/* one case ----------------------------------------------------------------------------------------------------------------- */

static bool there(const char *field) { return strcmp(field, "-") != 0; }

/* What the case's policies do to the state; "" when all went well. */
static const char *arrange(const struct row *r) {
    const char *block = fact(r, "block"), *ownership = fact(r, "ownership");
    const struct caller *c = caller_of(r->field[CALLER]);
    if (block != NULL) assert_int_equal(apply(&state, CONFIG("one", 1, "PutPublicAccessBlock", 1, block)), ERR_OK);
    if (ownership != NULL) assert_int_equal(apply(&state, CONFIG("one", 1, "PutBucketOwnershipControls", 1, ownership)), ERR_OK);
    if (there(r->field[BUCKET_POLICY])) {
        enum err e = apply(&state, CONFIG("one", 1, "PutBucketPolicy", 1, r->field[BUCKET_POLICY]));
        if (e == ERR_AUTH) return "blocked";
        if (e != ERR_OK) return err_name(e);
    }
    if (there(r->field[USER_POLICY])) {
        assert_non_null(c);
        struct says s = IAM(strcmp(c->account, ACCOUNT1) == 0 ? WHO1 : WHO2, c->account, "PutUserPolicy", 1, c->user, "p", "");
        s.doc = r->field[USER_POLICY];
        enum err e = apply(&state, s);
        if (e != ERR_OK) return err_name(e);
    }
    return "";
}

static void put_back(const struct row *r) {
    const struct caller *c = caller_of(r->field[CALLER]);
    if (policy_bucket(&state, SLICE_LIT("one"))->text[POLICY_DOC_POLICY].n > 0)
        assert_int_equal(apply(&state, CONFIG("one", 1, "DeleteBucketPolicy", 0, NULL)), ERR_OK);
    if (fact(r, "block") != NULL) assert_int_equal(apply(&state, CONFIG("one", 1, "DeletePublicAccessBlock", 0, NULL)), ERR_OK);
    if (fact(r, "ownership") != NULL) assert_int_equal(apply(&state, CONFIG("one", 1, "DeleteBucketOwnershipControls", 0, NULL)), ERR_OK);
    if (there(r->field[USER_POLICY])) {
        const char *who = strcmp(c->account, ACCOUNT1) == 0 ? WHO1 : WHO2;
        assert_int_equal(apply(&state, IAM(who, c->account, "DeleteUserPolicy", 0, c->user, "p", "")), ERR_OK);
    }
    assert_int_equal(state.doc_bytes, 0);
}

#define AGREE(cond) do { if (!(cond)) fail_msg("line %u, %s: %s", r->line, r->field[NAME], #cond); } while (0)

/* Where no ctx is wanted it makes no difference, and nothing waits for the object. */
static void check_wants(const struct row *r, const struct policy_request *q, const struct policy_decision *d) {
    struct policy_request bare = *q, known = *q;
    known.object_known = true;
    if (policy_wants_ctx(&state, q)) {
        /* What did not wait for the object is the same after it. */
        if (!d->needs_object && !q->object_known) AGREE(policy_decide(&state, &known).reason == d->reason);
        return;
    }
    bare.ctx = slice_of(NULL, 0);
    struct policy_decision b = policy_decide(&state, &bare);
    AGREE(!d->needs_object && b.reason == d->reason && b.obligations == d->obligations);
    AGREE(policy_decide(&state, &known).reason == d->reason);
}

static void text_of(struct slice s, char *to) {
    if (s.n > 0) memcpy(to, s.p, s.n);
    to[s.n] = 0;
}

/* The decision as a leaf, and from it again. */
static void check_replay(const struct row *r, const struct policy_request *q, const struct policy_decision *d) {
    char bucket[64], key[256], user[64], path[64], who[200] = "anon", vid[64];
    struct policy_decision again;
    if (d->needs_object) return;
    text_of(q->bucket, bucket);
    text_of(q->key, key);
    text_of(q->sub.user, user);
    text_of(q->sub.more, path);
    if (q->auth != POLICY_AUTH_ANON) snprintf(who, sizeof who, "%.*s:%.*s:%.*s", 12, q->who.account.p, (int)q->who.user.n, q->who.user.p, 20, q->who.access_key.p);
    if (q->version_id.n > 0) snprintf(vid, sizeof vid, "%.*s", (int)q->version_id.n, q->version_id.p);
    struct says s = {.kind = RECORD_K_ACC, .auth = policy_auth_text(q->auth), .who = who, .act = r->field[ACT], .bucket = bucket, .object = key,
                     .dec = d->allow ? "allow" : "deny", .why = d->allow ? NULL : policy_reason_text(d->reason), .ctl = state.size,
                     .ctx = q->ctx, .user = q->sub.user.p == NULL ? NULL : user, .third = "", .more = path, .vid = q->version_id.n > 0 ? vid : NULL, .t = q->t_ms, .peer = q->peer, .tls = q->tls};
    build(s);
    enum err e = policy_check(&state, &leaf, &opening, &again);
    if (e != ERR_OK) fail_msg("line %u, %s: replay says %s (%s)", r->line, r->field[NAME], err_name(e), policy_reason_text(again.reason));
    /* One more pair, or none, and it is another leaf: nothing of that is looked at here. */
    s.dec = d->allow ? "deny" : "allow";
    s.why = d->allow ? "not-allowed" : NULL;
    build(s);
    AGREE(policy_check(&state, &leaf, &opening, &again) == ERR_VERIFY);
}

static void decide(const struct row *r, struct buf *ctx) {
    const char *failed = arrange(r), *want = r->field[WANT];
    if (failed[0] != 0) {
        if (strcmp(failed, want) != 0) {
            print_error("line %u, %s: its policies answer %s\n", r->line, r->field[NAME], failed);
            wrong++;
        }
        put_back(r);
        return;
    }
    struct policy_request q = request_of(r, ctx);
    struct policy_decision d = policy_decide(&state, &q);
    const char *have = d.allow ? "allow" : policy_reason_text(d.reason);
    if (strcmp(have, want) != 0) {
        print_error("line %u, %s: %s, want %s\n", r->line, r->field[NAME], have, want);
        wrong++;
    }
    AGREE(d.needs_object == (d.reason == POLICY_NEEDS_OBJECT));
    AGREE(fact(r, "hidden") == NULL || d.obligations == POLICY_HIDE_ABSENCE);
    AGREE(fact(r, "shown") == NULL || d.obligations == 0);
    check_wants(r, &q, &d);
    check_replay(r, &q, &d);
    put_back(r);
}

static void check_document(const struct row *r) {
    bool user = strcmp(r->field[ACT], "check-user") == 0, malformed = strcmp(r->field[WANT], "malformed") == 0;
    struct slice doc = slice_str(r->field[user ? USER_POLICY : BUCKET_POLICY]);
    const char *why = NULL;
    enum err e = policy_doc_check(doc, user ? slice_of(NULL, 0) : SLICE_LIT("one"), &why);
    if ((e == ERR_INPUT) != malformed) {
        print_error("line %u, %s: %s (%s)\n", r->line, r->field[NAME], err_name(e), why == NULL ? "-" : why);
        wrong++;
        return;
    }
    AGREE((why != NULL) == malformed);
    if (strcmp(r->field[WANT], "public") == 0) AGREE(policy_doc_is_public(doc));
    if (strcmp(r->field[WANT], "not-public") == 0) AGREE(!policy_doc_is_public(doc));
}

static void every_case_is_decided_as_its_sentence_says(void **unused) {
    (void)unused;
    struct buf ctx = BUF_INIT(POLICY_CTX_BYTES_MAX);
    for (size_t i = 0; i < row_count; i++) {
        if (strncmp(rows[i].field[ACT], "check-", 6) == 0) check_document(&rows[i]);
        else decide(&rows[i], &ctx);
    }
    print_message("%zu cases\n", row_count);
    assert_int_equal(wrong, 0);
    assert_true(row_count >= CASES_MIN);
    buf_done(&ctx);
}

/* what the table covers ---------------------------------------------------------------------------------------------------- */

static bool somewhere(const char *what, bool decided) {
    for (size_t i = 0; i < row_count; i++) {
        if (decided && strncmp(rows[i].field[ACT], "check-", 6) == 0) continue;
        if (strstr(rows[i].field[BUCKET_POLICY], what) != NULL || strstr(rows[i].field[USER_POLICY], what) != NULL) return true;
    }
    return false;
}

static bool wanted(const char *what) {
    for (size_t i = 0; i < row_count; i++) {
        if (strcmp(rows[i].field[WANT], what) == 0) return true;
    }
    return false;
}

static void every_operator_key_and_reason_of_policies_has_a_case(void **unused) {
    (void)unused;
    static const char *const ops[] = {
#define POLICY_OP(name, type, how, negated) "\"" name "\"",
#include "policy/policy_op.def"
#undef POLICY_OP
    };
    static const char *const keys[] = {
#define POLICY_KEY(NAME_, name, form, public) name,
#include "policy/policy_key.def"
#undef POLICY_KEY
    };
    static const char *const words[] = {"ForAllValues:", "ForAnyValue:", "IfExists", "NotAction", "NotResource", "NotPrincipal", "CanonicalUser",
                                        "Federated", "Service", ":root", ":user/", ":role/", "assumed-role", "${aws:username}", "${aws:userid}",
                                        "${s3:prefix}", "${*}", "${?}", "${$}", ", 'company-wide'}", "${s3:ExistingObjectTag/team}", "2008-10-17"};
    static const char *const reasons[] = {"allow", "explicit-deny", "not-allowed", "other-account", "anonymous", "needs-object", "no-bucket",
                                          "bucket-taken", "bucket-owned", "malformed", "blocked"};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (!somewhere(ops[i], true)) fail_msg("no case of %s", ops[i]);
    }
    for (size_t i = 1; i < ARRAY_LEN(keys); i++) {
        if (!somewhere(keys[i], false)) fail_msg("no case of %s", keys[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!somewhere(words[i], false)) fail_msg("no case of %s", words[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (!wanted(reasons[i])) fail_msg("no case wants %s", reasons[i]);
    }
}

static void every_case_has_its_sentence(void **unused) {
    (void)unused;
    for (size_t i = 0; i < row_count; i++) {
        const struct row *r = &rows[i];
        AGREE(strlen(r->field[PAGE]) > 3 && strlen(r->field[QUOTE]) > 3);
    }
}

/* Each document of the table, cut short anywhere, is no policy, and nothing of it is read past its end. */
static void a_document_cut_short_is_none(void **unused) {
    (void)unused;
    for (size_t i = 0; i < row_count; i += 7) {
        const struct row *r = &rows[i];
        struct slice doc = slice_str(r->field[BUCKET_POLICY]);
        if (!there(r->field[BUCKET_POLICY])) continue;
        const char *why;
        for (size_t n = 0; n < doc.n; n++) {
            uint8_t *cut = malloc(n + 1);
            if (n > 0) memcpy(cut, doc.p, n);
            AGREE(policy_doc_check(slice_of(cut, n), SLICE_LIT("one"), &why) == ERR_INPUT);
            free(cut);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_decided_as_its_sentence_says),
        cmocka_unit_test(every_operator_key_and_reason_of_policies_has_a_case),
        cmocka_unit_test(every_case_has_its_sentence),
        cmocka_unit_test(a_document_cut_short_is_none),
    };
    return cmocka_run_group_tests_name("policy_table", tests, set_up_table, tear_down_table);
}
