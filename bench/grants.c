/* SPDX-License-Identifier: Apache-2.0
 * What a request under a grant costs the gate beside an own one, and what many people and grants add: prints `own US use US own-full US use-full US`,
 * medians of rounds that take turns, CPU time. A cost is deciding, writing the leaf, and under a grant folding it as the gate does (parsed, counted). `full` is the
 * state with 10 000 persons, 100 000 past and 1 000 live grants, each request under another one of them. Statements and leaves are written as the
 * unit tests of the policy room write them.
 */
#include "policy/policy_access_rig.h"

#include <time.h>

#define ROUNDS 15
#define TURNS 5000
#define PERSONS 10000
#define PAST 100000
#define LIVE 1000
#define BUDGET_OBJECTS "1000000000000"
#define BUDGET_BYTES "1000000000000000"

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "bench-grants: %s\n", what);
    exit(1);
}

/* writing a state ---------------------------------------------------------------------------------------------------------------------- */

static struct world {
    struct policy_state state;
    struct policy_provider provider;
    uint64_t provider_size;
    unsigned persons, past, live;
    struct one *sessions;
} worlds[2] = {{.persons = 1, .live = 1}, {.persons = PERSONS, .past = PAST, .live = LIVE}}, *at;

static void key_of(unsigned number, char out[64]) { snprintf(out, 64, "SHA256:%042uA", number); }

static void folded(const char *what)
{
    enum err e = policy_apply(&at->state, at->state.size, &leaf, &opening);
    if (e != ERR_OK) fprintf(stderr, "bench-grants: %s: %s\n", what, err_name(e));
    must(e == ERR_OK, "a leaf does not fold");
}

/* A statement of the provider's, and its mirror in the tenant's log at once: more than a tenant ever has. */
static void say_provider(struct rig_says w)
{
    now_ms++;
    rig_write(w);
    rig_leaf(&w, buf_slice(&rig_value), 0, UINT64_MAX, POLICY_SAY_DONE, RECORD_LOG_PROVIDER);
    must(policy_provider_apply(&at->provider, at->provider_size, &leaf, &opening) == ERR_OK, "a leaf of the provider log does not fold");
    rig_leaf(&w, buf_slice(&rig_value), at->state.size, at->provider_size++, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    folded("mirror");
}

static void person(unsigned number, const char *role)
{
    char account[32], key[80], who[64], dates[3][48];
    snprintf(account, sizeof account, "p%u", number);
    key_of(number, who);
    snprintf(key, sizeof key, "key=%s", who);
    static const char *const names[3] = {"training", "screening", "review"};
    for (int i = 0; i < 3; i++) snprintf(dates[i], sizeof dates[i], "%s=%llu", names[i], (unsigned long long)(RIG_T0 - RIG_DAY));
    char id[48];
    snprintf(id, sizeof id, "person=%s", account);
    say_provider(RIG(PERSON_SET, account, RIG_OFFICER, "employer=Provider AB", key, "name=Some Person", "office=SE", id, role, dates[0], dates[1], dates[2]));
}

static void say(struct rig_says w)
{
    now_ms++;
    rig_write(w);
    rig_leaf(&w, buf_slice(&rig_value), at->state.size, UINT64_MAX, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    folded(record_statement_kind_text(w.kind));
}

static void grant_id(unsigned number, uint8_t id[ID_BYTES], char text[ID_TEXT_CHARS + 1])
{
    struct buf b = BUF_INIT(ID_TEXT_CHARS);
    memset(id, 0, ID_BYTES);
    ledger_sha256(&hash, slice_of((const uint8_t *)&number, sizeof number), rig_statement.digest);       /* spread, as random ids are */
    memcpy(id, rig_statement.digest, ID_BYTES);
    buf_put_base32(&b, slice_of(id, ID_BYTES));
    memcpy(text, b.p, b.n);
    text[b.n] = 0;
    buf_done(&b);
}

/* live: through both approvals and a login; else it is rejected. */
static void grant(unsigned number, unsigned engineer, bool live)
{
    char id[ID_TEXT_CHARS + 1], who[64], manager[64], request[80];
    uint8_t bytes[ID_BYTES];
    struct buf digest = BUF_INIT(64);
    grant_id(number, bytes, id);
    key_of(engineer, who);
    key_of(0, manager);
    say(RIG_SK(ACCESS_REQUEST, id, who, "bucket=one", "bytes=" BUDGET_BYTES, "category=general", "country=SE", "duration=28800000", "objects=" BUDGET_OBJECTS,
               "prefix=cases/", "purpose=support", "ticket=T-1", "verb=head", "verb=read"));
    buf_put_base64url(&digest, slice_of(rig_statement.digest, HASH_BYTES));
    snprintf(request, sizeof request, "request=%.*s", (int)digest.n, (const char *)digest.p);
    buf_done(&digest);
    if (!live) {
        say(RIG_SK(ACCESS_REJECT, id, manager, request));
        return;
    }
    say(RIG_SK(ACCESS_APPROVE, id, manager, request));
    say(RIG(ACCESS_APPROVE, id, OWNER, request));
    say(RIG_SK(ACCESS_LOGIN, id, who, "country=SE"));
}

static void fill(void)
{
    struct rig_says genesis = {.kind = RECORD_STATEMENT_GENESIS_PROVIDER, .signer = RIG_OFFICER};
    struct policy_state *s = &at->state;
    must(policy_init(s) == ERR_OK && policy_provider_init(&at->provider) == ERR_OK, "no memory");
    must(apply(s, GENESIS) == ERR_OK && apply(s, KEY(KEY1, ACCOUNT1, 1)) == ERR_OK && apply(s, BUCKET("one", 1, 1, WHO1)) == ERR_OK, "no tenant");
    rig_provider_genesis(&at->provider);
    at->provider_size = 1;
    rig_write(genesis);
    rig_leaf(&genesis, buf_slice(&rig_kept[rig_kept_count - 1].value), at->state.size, 0, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    folded("genesis.provider");
    say_provider(RIG(PURPOSE_SET, "support", RIG_OFFICER, "category=general", "role=engineer", "verb=head", "verb=read"));
    person(0, "role=manager");
    for (unsigned i = 1; i <= at->persons; i++) person(i, "role=engineer");
    for (unsigned i = 0; i < at->past; i++) grant(at->live + i, 1 + i % at->persons, false);
    for (unsigned i = 0; i < at->live; i++) grant(i, 1 + i % at->persons, true);
}

/* one request -------------------------------------------------------------------------------------------------------------------------- */

/* What a session says; the rest of a request is the same for all, so that what is measured is not the bench's own memory. */
struct one {
    uint8_t id[ID_BYTES];
    char account[16], grant[ID_TEXT_CHARS + 1];
};

static void session_make(struct one *x, unsigned number, unsigned engineer)
{
    snprintf(x->account, sizeof x->account, "p%u", engineer);
    grant_id(number, x->id, x->grant);
}

/* Fields as step_record.c puts them. use NULL: an own request's leaf. */
static void leaf_write(const struct policy_request *r, const struct policy_decision *d, const struct policy_use *use)
{
    static struct buf obj = BUF_INIT(2048), who = BUF_INIT(256), ver = BUF_INIT(16);
    static const uint8_t id[ID_BYTES] = {8};
    const uint64_t segs[2] = {0, 0};
    struct record_writer w;
    const struct record_obj o = {r->bucket, r->key};
    buf_reset(&obj), buf_reset(&who), buf_reset(&ver), buf_reset(&leaf_bytes), buf_reset(&opening_bytes);
    record_obj_put(&obj, &o);
    record_ver_put(&ver, 7, 7);
    policy_who_put(&who, r->auth, &r->who);
    record_begin(&w, RECORD_K_ACC, &leaf_bytes, &opening_bytes);
    if (use) record_put_int(&w, RECORD_F_ACC, 9);
    put_text(&w, RECORD_F_ACT, policy_act_text(r->act));
    put_text(&w, RECORD_F_AUTH, policy_auth_text(r->auth));
    record_put_id(&w, RECORD_F_BKT, d->bucket->id);
    put_text(&w, RECORD_F_BODY, "none");
    record_put_int(&w, RECORD_F_BYTES, 4096);
    if (use) record_put_text(&w, RECORD_F_CAT, policy_bucket_categories(&at->state, d->bucket->id));
    record_put_int(&w, RECORD_F_CTL, d->ctl);
    if (use) put_text(&w, RECORD_F_CTRY, "SE");
    put_text(&w, RECORD_F_DEC, "allow");
    record_put_int(&w, RECORD_F_ENG, d->engine);
    if (use) put_commit(&w, RECORD_F_ENT, slice_str(use->person->employer));
    if (use) record_put_id(&w, RECORD_F_GRANT, r->grant);
    record_put_id(&w, RECORD_F_ID, id);
    put_commit(&w, RECORD_F_OBJ, buf_slice(&obj));
    put_commit(&w, RECORD_F_PEER, SLICE_LIT("192.0.2.1"));
    if (use) put_commit(&w, RECORD_F_PERSON, slice_str(use->person->person));
    if (use) put_text(&w, RECORD_F_PURPOSE, use->grant->purpose);
    if (use) record_put_ints(&w, RECORD_F_SEGS, segs, 2);
    record_put_int(&w, RECORD_F_T, now_ms);
    put_commit(&w, RECORD_F_VER, buf_slice(&ver));
    put_commit(&w, RECORD_F_WHO, buf_slice(&who));
    must(record_end(&w) == ERR_OK, "a leaf is not written");
}

static void own(void)
{
    const struct policy_request r = {.auth = POLICY_AUTH_HDR, .act = POLICY_ACT_GetObject, .bucket = SLICE_LIT("one"), .key = SLICE_LIT("cases/a/rather/usual/key.parquet"),
                                     .t_ms = now_ms, .who = {SLICE_LIT(ACCOUNT1), SLICE_LIT("root"), SLICE_LIT(KEY1)}};
    struct policy_decision d = policy_decide(&at->state, &r);
    must(d.allow, "an own request is denied");
    leaf_write(&r, &d, NULL);
}

/* tenants_control_apply(): the leaf is folded in the turn it is appended. */
static void under_grant(const struct one *x)
{
    struct policy_use use;
    struct policy_request r = {.auth = POLICY_AUTH_STS, .act = POLICY_ACT_GetObject, .bucket = SLICE_LIT("one"), .key = SLICE_LIT("cases/a/rather/usual/key.parquet"),
                               .t_ms = now_ms, .object_known = true, .opens_known = true, .opens = 4096,
                               .who = {.account = slice_str(x->account), .user = slice_str(x->grant), .access_key = SLICE_LIT(KEY1)}};
    memcpy(r.grant, x->id, ID_BYTES);
    struct policy_decision d = policy_decide(&at->state, &r);
    if (!d.allow) fprintf(stderr, "bench-grants: %s\n", policy_reason_text(d.reason));
    must(d.allow && policy_use_of(&at->state, &r, &use), "a request under a grant is denied");
    leaf_write(&r, &d, &use);
    must(record_leaf_parse(buf_slice(&leaf_bytes), RECORD_LOG_CONTROL, &leaf) == ERR_OK && record_opening_parse(buf_slice(&opening_bytes), &opening) == ERR_OK,
         "a leaf is none");
    folded("use");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double turns(bool granted)
{
    double from = cpu_us();
    for (unsigned i = 0; i < TURNS; i++) {
        if (granted) under_grant(&at->sessions[i % at->live]);
        else own();
    }
    return (cpu_us() - from) / TURNS;
}

int main(void)
{
    static const char *const names[] = {"own", "use", "own-full", "use-full"};
    double took[4][ROUNDS];
    if (rig_set_up(NULL) != 0) return 1;
    for (at = worlds; at < worlds + 2; at++) {
        fill();
        at->sessions = calloc(at->live, sizeof *at->sessions);
        must(at->sessions != NULL, "no memory");
        for (unsigned i = 0; i < at->live; i++) session_make(&at->sessions[i], i, 1 + i % at->persons);
    }
    for (unsigned k = 0; k < ROUNDS; k++) {
        for (unsigned i = 0; i < 4; i++) {
            at = &worlds[i / 2];
            took[i][k] = turns(i % 2);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        qsort(took[i], ROUNDS, sizeof took[i][0], by_value);
        printf("%s %.3f%s", names[i], took[i][ROUNDS / 2], i < 3 ? " " : "\n");
    }
    for (at = worlds; at < worlds + 2; at++) {
        policy_done(&at->state);
        policy_provider_done(&at->provider);
        free(at->sessions);
    }
    return rig_tear_down(NULL);
}
