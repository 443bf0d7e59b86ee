/* SPDX-License-Identifier: Apache-2.0
 * gate_rig: builds the gate under test, and plays keeper and front.
 * Role: tests only; stands in for tenants.c with one tenant in memory. Trusts: the test. Law: none.
 * Spec: docs/spec/order.md
 */
#include "gate/gate_rig.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/recent.h"
#include "gate/repeat.h"
#include "gate/summary.h"
#include "gate/tenants.h"

#define RIG_MADE_MAX 8

static struct gate gate;
static struct rig *the_rig;
static struct gate_bucket made_buckets[RIG_MADE_MAX];
static struct gate_key made_keys[RIG_MADE_MAX];
static size_t made_bucket_count, made_key_count;

/* what tenants.c, readers.c and api.c give the pipeline ------------------------------------------------------------------ */

void tenants_index_key(struct gate *g, uint8_t out[HASH_BYTES])
{
    (void)g;
    memset(out, 7, HASH_BYTES);
}

void tenants_id_text(const uint8_t id[ID_BYTES], char out[ID_TEXT_CHARS + 1])
{
    AUTO(buf) struct buf text = BUF_INIT(ID_TEXT_CHARS);
    buf_put_base32(&text, slice_of(id, ID_BYTES));
    memcpy(out, text.p, ID_TEXT_CHARS);
    out[ID_TEXT_CHARS] = 0;
}

enum err tenants_bucket_prepare(struct gate *g, struct gate_tenant *t, struct slice name, struct gate_bucket **out)
{
    assert_true(made_bucket_count < RIG_MADE_MAX);
    struct gate_bucket *b = *out = &made_buckets[made_bucket_count++];
    memset(b, 0, sizeof *b);
    rng_fill(g->rng, b->id, ID_BYTES);
    memcpy(b->name, name.p, name.n);
    TRY(map_put(t->bucket_ids, slice_of(b->id, ID_BYTES), b));
    return keys_new(g->rng, &b->key);
}

void tenants_bucket_drop(struct gate *g, struct gate_tenant *t, struct gate_bucket *b)
{
    (void)g;
    map_del(t->bucket_ids, slice_of(b->id, ID_BYTES));
    secret_done(&b->key);
}

enum err tenants_key_make(struct gate *g, struct gate_tenant *t, struct gate_key **out, char secret[SECRET_KEY_CHARS])
{
    (void)g;
    assert_true(made_key_count < RIG_MADE_MAX);
    struct gate_key *k = *out = &made_keys[made_key_count];
    *k = (struct gate_key){.tenant = t};
    snprintf(k->access_key, sizeof k->access_key, "AKIACCCCCCCCCCCCCCC%c", (char)('A' + made_key_count++));
    memcpy(secret, RIG_SECRET, SECRET_KEY_CHARS);
    return secret_copy(&k->secret_key, SLICE_LIT(RIG_SECRET));
}

static void made_key_fold(const struct record_leaf *l, const struct record_opening *o)
{
    struct record_sub sub;
    const struct record_opened *opened = record_opened_field(o, RECORD_F_SUB);
    if (!opened || record_sub_get(opened->value, &sub) != ERR_OK) return;
    for (size_t i = 0; i < made_key_count; i++) {
        struct gate_key *k = &made_keys[i];
        if (!slice_is(sub.third, k->access_key)) continue;
        snprintf(k->account, sizeof k->account, "%.*s", (int)record_text(l, RECORD_F_ACCOUNT).n, record_text(l, RECORD_F_ACCOUNT).p);
        snprintf(k->user, sizeof k->user, "%.*s", (int)sub.user.n, sub.user.p);
        k->on = record_int(l, RECORD_F_ON, 0);
    }
}

enum err tenants_control_apply(struct gate *g, struct gate_tenant *t, uint64_t index, struct slice leaf, struct slice opening)
{
    struct record_leaf l;
    struct record_opening o = {0};
    (void)g;
    TRY(record_leaf_parse(leaf, RECORD_LOG_CONTROL, &l));
    if (opening.n) TRY(record_opening_parse(opening, &o));
    TRY(policy_apply(t->state, index, &l, opening.n ? &o : NULL));
    if (l.kind == RECORD_K_IAM) made_key_fold(&l, &o);
    if (l.kind != RECORD_K_BKT) return ERR_OK;
    struct slice name = record_opened_field(&o, RECORD_F_NAME)->value;
    struct gate_bucket *b = map_get(t->bucket_ids, slice_of(l.f[RECORD_F_BKT].bytes, ID_BYTES));
    assert_non_null(b);
    if (record_int(&l, RECORD_F_ON, 0)) return map_put(t->buckets, name, b);
    map_del(t->buckets, name);
    b->dead = true;
    return ERR_OK;
}

struct gate_bucket *tenants_bucket(struct gate_tenant *t, struct slice name) { return map_get(t->buckets, name); }
struct gate_key *tenants_key(struct gate *g, struct slice access_key)
{
    (void)g;
    for (size_t i = 0; i < made_key_count; i++)
        if (slice_is(access_key, made_keys[i].access_key)) return &made_keys[i];
    return slice_is(access_key, RIG_KEY) ? &the_rig->key : slice_is(access_key, RIG_KEY_OTHER) ? &the_rig->other_key : NULL;
}
struct gate_tenant *tenants_by_name(struct gate *g, struct slice name)
{
    (void)g;
    return the_rig->anonymous && slice_is(name, "acme") ? the_rig->t : NULL;
}
void tenants_owner(const struct gate_tenant *t, struct slice account, struct buf *id, struct buf *name)
{
    uint8_t hash[HASH_BYTES];
    AUTO(buf) struct buf text = BUF_INIT(64);
    buf_put_str(&text, "tillit account v1");
    buf_put(&text, t->id, ID_BYTES);
    buf_put_slice(&text, account);
    ledger_sha256(&gate.hash, buf_slice(&text), hash);
    buf_put_hex(id, slice_of(hash, sizeof hash));
    if (name && t->display_name) buf_put_slice(name, account);
}
struct gate_log *readers_find(struct gate *g, struct slice capability)
{
    return slice_is(capability, "abc") ? g->provider : NULL;
}
void readers_summarise(struct gate *g) { (void)g; }
void api_ask(struct gate_request *r) { request_fail_code(r, S3E_NotImplemented, NULL); }

/* the tenant --------------------------------------------------------------------------------------------------------------- */

static struct gate_log *rig_log(struct gate *g, uint8_t n, enum log_kind kind)
{
    struct log_params p = {.kind = kind, .origin = "rig", .slot = n};
    struct gate_log *l;
    memset(p.id, n, sizeof p.id);
    memset(p.seed, n, sizeof p.seed);
    memset(p.opening_key, n + 100, sizeof p.opening_key);
    assert_int_equal(logbook_add(g->logbook, &p, &l), ERR_OK);
    return l;
}

static void commit(struct record_writer *w, enum record_field f, struct slice value)
{
    uint8_t salt[SALT_BYTES];
    rng_fill(gate.rng, salt, sizeof salt);
    record_put_commit(w, &gate.hash, f, salt, value);
}

/* Appends one of the leaves that found the tenant, and folds it. */
static void control(struct gate_tenant *t, enum record_kind kind, const uint8_t *bucket, const char *key, const char *account)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    struct record_writer w;
    struct slice signer = SLICE_LIT("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    record_begin(&w, kind, &leaf, &opening);
    record_put_text(&w, RECORD_F_ACCOUNT, slice_str(account));
    if (bucket) record_put_id(&w, RECORD_F_BKT, bucket);
    if (kind == RECORD_K_KEY) {
        record_put_text(&w, RECORD_F_ACT, SLICE_LIT("AddKey"));
        commit(&w, RECORD_F_KEYC, slice_str(key));
    } else {
        commit(&w, RECORD_F_NAME, kind == RECORD_K_BKT ? SLICE_LIT(RIG_BUCKET) : SLICE_LIT("acme"));
    }
    if (kind != RECORD_K_GENESIS) record_put_int(&w, RECORD_F_ON, 1);
    if (kind == RECORD_K_GENESIS) {
        record_put_texts(&w, RECORD_F_SIGNER, &signer, 1);
        commit(&w, RECORD_F_STMT, SLICE_LIT("statement"));
    }
    record_put_int(&w, RECORD_F_T, clock_wall_ms());
    assert_int_equal(record_end(&w), ERR_OK);
    struct log_append a = {.leaf = buf_slice(&leaf), .opening = buf_slice(&opening), .void_ref = UINT64_MAX};
    uint64_t index = logbook_append(gate.logbook, t->control, &a, NULL);
    struct record_leaf l;
    struct record_opening o;
    assert_int_equal(record_leaf_parse(buf_slice(&leaf), RECORD_LOG_CONTROL, &l), ERR_OK);
    assert_int_equal(record_opening_parse(buf_slice(&opening), &o), ERR_OK);
    assert_int_equal(policy_apply(t->state, index, &l, &o), ERR_OK);
}

static void rig_tenant(struct rig *r)
{
    struct gate *g = r->g;
    struct gate_tenant *t = calloc(1, sizeof *t);
    static struct gate_bucket bucket;
    memset(&bucket, 0, sizeof bucket);
    r->t = t;
    memset(t->id, 1, ID_BYTES);
    memset(bucket.id, 2, ID_BYTES);
    memcpy(bucket.name, RIG_BUCKET, sizeof RIG_BUCKET);
    memcpy(t->account, RIG_ACCOUNT, sizeof RIG_ACCOUNT);
    t->grave_ms = GRAVE_DEFAULT_MS;
    t->state = calloc(1, sizeof *t->state);
    assert_int_equal(policy_init(t->state), ERR_OK);
    assert_int_equal(keys_new(g->rng, &t->key), ERR_OK);
    assert_int_equal(keys_new(g->rng, &t->state_key), ERR_OK);
    g->tenants = map_new(4);
    assert_int_equal(map_put(g->tenants, slice_of(t->id, ID_BYTES), t), ERR_OK);
    assert_int_equal(keys_new(g->rng, &bucket.key), ERR_OK);
    t->control = rig_log(g, 1, LOG_KIND_CONTROL);
    t->access = rig_log(g, 2, LOG_KIND_ACCESS);
    t->buckets = map_new(100);
    t->bucket_ids = map_new(100);
    assert_int_equal(map_put(t->buckets, SLICE_LIT(RIG_BUCKET), &bucket), ERR_OK);
    assert_int_equal(map_put(t->bucket_ids, slice_of(bucket.id, ID_BYTES), &bucket), ERR_OK);
    control(t, RECORD_K_GENESIS, NULL, NULL, RIG_ACCOUNT);
    control(t, RECORD_K_KEY, NULL, RIG_KEY, RIG_ACCOUNT);
    control(t, RECORD_K_KEY, NULL, RIG_KEY_OTHER, RIG_ACCOUNT_OTHER);
    control(t, RECORD_K_BKT, bucket.id, NULL, RIG_ACCOUNT);
    g->tenant_list[g->tenant_count++] = t;
    r->key = (struct gate_key){.access_key = RIG_KEY, .tenant = t, .account = RIG_ACCOUNT, .user = POLICY_USER_ROOT, .on = true};
    r->other_key = (struct gate_key){.access_key = RIG_KEY_OTHER, .tenant = t, .account = RIG_ACCOUNT_OTHER, .user = POLICY_USER_ROOT, .on = true};
    assert_int_equal(secret_copy(&r->key.secret_key, SLICE_LIT(RIG_SECRET)), ERR_OK);
    assert_int_equal(secret_copy(&r->other_key.secret_key, SLICE_LIT(RIG_SECRET)), ERR_OK);
    made_bucket_count = made_key_count = 0;
}

/* the keeper ------------------------------------------------------------------------------------------------------------------ */

void rig_event(struct rig *r, const char *what, const char *detail)
{
    assert_true(r->event_count < RIG_EVENTS_MAX);
    snprintf(r->events[r->event_count++], sizeof r->events[0], "%s%s%s", what, *detail ? " " : "", detail);
}

static void event_u64(struct rig *r, const char *what, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    rig_event(r, what, text);
}

static void keeper_settles(struct rig *r, const struct wire_apply *m)
{
    bool done = !r->refuse;
    if (!r->pieces.max) buf_init(&r->pieces, COMMAND_BYTES_MAX);
    buf_put_slice(&r->pieces, m->command);
    if (!m->last) return;
    if (m->index >= r->watermark && !r->refuse) done = rig_command(r, buf_slice(&r->pieces));
    buf_reset(&r->pieces);
    struct wire_settled out = {.index = m->index, .outcome = done ? WIRE_SETTLED_DONE : WIRE_SETTLED_REFUSED};
    memcpy(out.log, m->log, ID_BYTES);
    r->watermark = MAX(r->watermark, m->index + 1);
    event_u64(r, done ? "done" : "refused", m->index);
    assert_int_equal(wire_put_settled(wire_conn_out(r->keeper), 0, &out), ERR_OK);
    wire_conn_kick(r->keeper);
}

static void keeper_answers(struct rig *r, uint8_t type, uint64_t id, struct slice payload)
{
    struct wire_find find;
    struct wire_apply apply;
    struct wire_scan scan;
    if (r->keeper_also && r->keeper_also(r, type, id, payload)) return;
    if (type == WIRE_FIND) {
        assert_int_equal(wire_get_find(payload, &find), ERR_OK);
        rig_find(r, id, &find);
    } else if (type == WIRE_APPLY) {
        assert_int_equal(wire_get_apply(payload, &apply), ERR_OK);
        keeper_settles(r, &apply);
    } else {
        assert_int_equal(wire_get_scan(payload, &scan), ERR_OK);
        rig_scan(r, id, &scan);
    }
}

static void keeper_ready_now(struct rig *r)
{
    AUTO(buf) struct buf marks = BUF_INIT(64);
    buf_put(&marks, log_id(r->t->access), ID_BYTES);
    buf_put_u64(&marks, r->watermark);
    struct wire_ready out = {.outcome = WIRE_READY_OK, .watermarks = buf_slice(&marks)};
    assert_int_equal(wire_put_ready(wire_conn_out(r->keeper), 0, &out), ERR_OK);
    wire_conn_kick(r->keeper);
}

static enum err keeper_frame(struct wire_conn *c, uint8_t type, uint64_t id, struct slice payload)
{
    struct rig *r = wire_conn_ctx(c);
    char key[64] = "";
    bool hold = false;
    switch (type) {
    case WIRE_HELLO: return ERR_OK;
    case WIRE_OPENINDEX: keeper_ready_now(r); return ERR_OK;
    case WIRE_GRANT: rig_event(r, "grant", ""); return ERR_OK;
    case WIRE_MARK: rig_event(r, "mark", ""); return ERR_OK;
    case WIRE_SETTLEDALL: rig_event(r, "settledall", ""); return ERR_OK;
    case WIRE_FIND: {
        struct wire_find m;
        assert_int_equal(wire_get_find(payload, &m), ERR_OK);
        snprintf(key, sizeof key, "%.*s", (int)m.key.n, m.key.p);
        rig_event(r, "find", key);
        hold = r->hold_finds;
        break;
    }
    case WIRE_APPLY: {
        struct wire_apply m;
        assert_int_equal(wire_get_apply(payload, &m), ERR_OK);
        /* LAW-1: whatever is asked of the keeper stands durably on the log. */
        assert_true(log_durable(r->t->access) > m.index);
        if (m.last) event_u64(r, "apply", m.index);
        hold = r->hold_applies;
        break;
    }
    case WIRE_SCAN: rig_event(r, "scan", ""); hold = r->hold_scans; break;
    default: fail_msg("keeper got type %u", type);
    }
    if (!hold) {
        keeper_answers(r, type, id, payload);
        return ERR_OK;
    }
    assert_true(r->held_count < RIG_FRAMES_MAX);
    struct rig_held *h = &r->held[r->held_count++];
    *h = (struct rig_held){.type = type, .id = id};
    buf_init(&h->payload, WIRE_FRAME_BYTES_MAX);
    buf_put_slice(&h->payload, payload);
    return ERR_OK;
}

static void keeper_closed(struct wire_conn *c, enum err why)
{
    struct rig *r = wire_conn_ctx(c);
    (void)why;
    if (r->keeper == c) r->keeper = NULL;
}

static const struct wire_handler keeper_handler = {.frame = keeper_frame, .closed = keeper_closed};

static void keeper_accepted(void *ctx, int fd)
{
    struct rig *r = ctx;
    struct wire_hello hello = {.role = WIRE_ROLE_KEEPER, .version = WIRE_VERSION};
    r->keeper = wire_conn_new(r->g->loop, fd, WIRE_ROLE_KEEPER, WIRE_ROLE_GATE, &hello, &keeper_handler, r);
    rig_event(r, "connected", "");
}

void rig_release_held(struct rig *r)
{
    for (size_t i = 0; i < r->held_count; i++) {
        struct rig_held *h = &r->held[i];
        if (r->keeper) keeper_answers(r, h->type, h->id, buf_slice(&h->payload));
        buf_done(&h->payload);
    }
    r->held_count = 0;
}

void rig_drop_keeper(struct rig *r)
{
    for (size_t i = 0; i < r->held_count; i++) buf_done(&r->held[i].payload);
    r->held_count = 0;
    buf_reset(&r->pieces);
    wire_conn_close(r->keeper);
    r->keeper = NULL;
}

#ifdef TILLIT_BREAKS
void rig_breaks(struct rig *r, const char *lines)
{
    char path[128];
    snprintf(path, sizeof path, "%s/breaks", r->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(lines, f);
    fclose(f);
    breaks_init(path);
    usleep(120000);                                /* the file is looked at every 50 ms */
}
#endif

/* the front --------------------------------------------------------------------------------------------------------------------- */

static enum err front_frame(struct wire_conn *c, uint8_t type, uint64_t id, struct slice payload)
{
    struct rig *r = wire_conn_ctx(c);
    if (type == WIRE_HELLO) return ERR_OK;
    assert_true(r->frame_count < RIG_FRAMES_MAX);
    struct rig_frame *f = &r->frames[r->frame_count++];
    *f = (struct rig_frame){.type = type, .id = id};
    buf_init(&f->payload, WIRE_FRAME_BYTES_MAX);
    buf_put_slice(&f->payload, payload);
    rig_event(r, wire_type_name(type), "");
    return ERR_OK;
}

static void front_closed(struct wire_conn *c, enum err why)
{
    struct rig *r = wire_conn_ctx(c);
    (void)why;
    r->front_gone = true;
    r->front = NULL;
}

static const struct wire_handler front_handler = {.frame = front_frame, .closed = front_closed};

/* life ---------------------------------------------------------------------------------------------------------------------------- */

static void sweep(struct loop_timer *t)
{
    step_sweep(&gate);
    loop_timer_set(gate.loop, t, GATE_SWEEP_MS);
}

struct rig *rig_new(void)
{
    static struct loop_timer timer;
    struct rig *r = calloc(1, sizeof *r);
    struct gate *g = &gate;
    char path[128];
    int fds[2];
    static const uint8_t wal_key[KEYS_BYTES] = {5};
    the_rig = r;
    memset(g, 0, sizeof *g);
    r->g = g;
    snprintf(r->dir, sizeof r->dir, "/tmp/gate-rig-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    static const char *const dirs[] = {"gate", "gate/wal", "gate/logs", "gate/openings", "run", "run/keeper"};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        snprintf(path, sizeof path, "%s/%s", r->dir, dirs[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    g->dir = r->dir;
    g->loop = loop_new();
    g->rng = keys_rng();
    g->crypto = keys_ctx_new();
    assert_int_equal(ledger_hash_init(&g->hash), ERR_OK);
    snprintf(g->region, sizeof g->region, "eu-north-1");
    snprintf(g->anonymous_tenant, sizeof g->anonymous_tenant, "acme");
    assert_int_equal(conf_parse("rig", SLICE_LIT("[s3]\npart-min-bytes = 5\n"), &g->conf, NULL), ERR_OK);
    snprintf(path, sizeof path, "%s/gate", r->dir);
    struct logbook_config c = {.gate_dir = path, .loop = g->loop, .rng = g->rng, .wal_key = wal_key, .wall_ms = clock_wall_ms()};
    AUTO(buf) struct buf why = BUF_INIT(1024);
    assert_int_equal(logbook_open(&g->logbook, &c, &g->boot, &why), ERR_OK);
    g->provider = rig_log(g, 3, LOG_KIND_PROVIDER);
    g->requests = requests_new(g);
    g->holds = holds_new(g->loop);
    g->recent = recent_new(g->rng);
    g->repeats = repeats_new(g->rng);
    g->summaries = summaries_new(g);
    g->writable = true;
    rig_tenant(r);
    snprintf(path, sizeof path, "%s/run/keeper/gate", r->dir);
    r->listener = wire_listen(g->loop, path, 0600, -1, keeper_accepted, r);
    assert_non_null(r->listener);
    g->keeper = keeper_new(g);
    assert_int_equal(flow_begin(g, r->t), ERR_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_non_null(conn_accept(g, fds[0], WIRE_ROLE_FRONT));
    struct wire_hello hello = {.role = WIRE_ROLE_FRONT, .version = WIRE_VERSION};
    r->front = wire_conn_new(g->loop, fds[1], WIRE_ROLE_FRONT, WIRE_ROLE_GATE, &hello, &front_handler, r);
    timer = (struct loop_timer){.fire = sweep};
    loop_timer_set(g->loop, &timer, GATE_SWEEP_MS);
    rig_wait_event(r, "settledall", 1);
    assert_true(r->t->served);
    return r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void rig_free(struct rig *r)
{
    logbook_close(r->g->logbook);
    for (size_t i = 0; i < r->frame_count; i++) buf_done(&r->frames[i].payload);
    rig_keeper_done(r);
    nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(r);
}

void rig_turns(struct rig *r, unsigned ms)
{
    uint64_t until = clock_mono_ms() + ms;
    do loop_turn(r->g->loop, 2);
    while (clock_mono_ms() < until);
}

int rig_saw(const struct rig *r, const char *text, size_t from)
{
    for (size_t i = from; i < r->event_count; i++)
        if (strcmp(r->events[i], text) == 0) return (int)i;
    return -1;
}

void rig_wait_event(struct rig *r, const char *text, size_t count)
{
    uint64_t until = clock_mono_ms() + 5000;
    for (;;) {
        size_t seen = 0;
        for (size_t i = 0; i < r->event_count; i++) seen += strcmp(r->events[i], text) == 0;
        if (seen >= count) return;
        if (clock_mono_ms() > until) {
            for (size_t i = 0; i < r->event_count; i++) print_message("  %s\n", r->events[i]);
            fail_msg("no event \"%s\"", text);
        }
        loop_turn(r->g->loop, 2);
    }
}

struct rig_frame *rig_frame_of(struct rig *r, uint64_t id)
{
    for (size_t i = 0; i < r->frame_count; i++)
        if (r->frames[i].id == id) return &r->frames[i];
    return NULL;
}

struct rig_frame *rig_wait(struct rig *r, uint64_t id)
{
    uint64_t until = clock_mono_ms() + 5000;
    while (!rig_frame_of(r, id)) {
        if (clock_mono_ms() > until) {
            for (size_t i = 0; i < r->event_count; i++) print_message("  %s\n", r->events[i]);
            fail_msg("no answer to %llu", (unsigned long long)id);
        }
        loop_turn(r->g->loop, 2);
    }
    return rig_frame_of(r, id);
}
