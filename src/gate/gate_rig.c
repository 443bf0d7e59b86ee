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

#include "frame/frame.h"
#include "gate/recent.h"
#include "gate/repeat.h"
#include "gate/summary.h"

#define SECRET_TEXT "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define ACCOUNT "123456789012"

static struct gate gate;
static struct rig *the_rig;
static struct gate_bucket made_bucket;

/* what tenants.c, readers.c and api.c give the pipeline ------------------------------------------------------------------ */

void tenants_index_key(struct gate *g, uint8_t out[HASH_BYTES])
{
    (void)g;
    memset(out, 7, HASH_BYTES);
}

enum err tenants_bucket_prepare(struct gate *g, struct gate_tenant *t, struct slice name, struct gate_bucket **out)
{
    (void)t;
    memset(&made_bucket, 0, sizeof made_bucket);
    rng_fill(g->rng, made_bucket.id, ID_BYTES);
    memcpy(made_bucket.name, name.p, name.n);
    *out = &made_bucket;
    return keys_new(g->rng, &made_bucket.key);
}

void tenants_bucket_drop(struct gate *g, struct gate_tenant *t, struct gate_bucket *b)
{
    (void)g, (void)t;
    secret_done(&b->key);
}

enum err tenants_control_apply(struct gate *g, struct gate_tenant *t, uint64_t index, struct slice leaf, struct slice opening)
{
    struct record_leaf l;
    struct record_opening o = {0};
    (void)g;
    TRY(record_leaf_parse(leaf, RECORD_LOG_CONTROL, &l));
    TRY(record_opening_parse(opening, &o));
    TRY(policy_apply(t->state, index, &l, &o));
    if (l.kind != RECORD_K_BKT) return ERR_OK;
    struct slice name = record_opened_field(&o, RECORD_F_NAME)->value;
    if (record_int(&l, RECORD_F_ON, 0)) return map_put(t->buckets, name, &made_bucket);
    map_del(t->buckets, name);
    return ERR_OK;
}

struct gate_bucket *tenants_bucket(struct gate_tenant *t, struct slice name) { return map_get(t->buckets, name); }
struct gate_key *tenants_key(struct gate *g, struct slice access_key)
{
    (void)g;
    return slice_is(access_key, RIG_KEY) ? &the_rig->key : NULL;
}
struct gate_tenant *tenants_by_name(struct gate *g, struct slice name)
{
    (void)g, (void)name;
    return NULL;
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
static void control(struct gate_tenant *t, enum record_kind kind, const uint8_t *bucket)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    struct record_writer w;
    struct slice signer = SLICE_LIT("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    record_begin(&w, kind, &leaf, &opening);
    record_put_text(&w, RECORD_F_ACCOUNT, SLICE_LIT(ACCOUNT));
    if (bucket) record_put_id(&w, RECORD_F_BKT, bucket);
    if (kind == RECORD_K_KEY) {
        record_put_text(&w, RECORD_F_ACT, SLICE_LIT("AddKey"));
        commit(&w, RECORD_F_KEYC, SLICE_LIT(RIG_KEY));
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
    memcpy(t->account, ACCOUNT, sizeof ACCOUNT);
    t->grave_ms = GRAVE_DEFAULT_MS;
    t->state = calloc(1, sizeof *t->state);
    assert_int_equal(policy_init(t->state), ERR_OK);
    assert_int_equal(keys_new(g->rng, &t->key), ERR_OK);
    assert_int_equal(keys_new(g->rng, &bucket.key), ERR_OK);
    t->control = rig_log(g, 1, LOG_KIND_CONTROL);
    t->access = rig_log(g, 2, LOG_KIND_ACCESS);
    t->buckets = map_new(100);
    t->bucket_ids = map_new(100);
    assert_int_equal(map_put(t->buckets, SLICE_LIT(RIG_BUCKET), &bucket), ERR_OK);
    assert_int_equal(map_put(t->bucket_ids, slice_of(bucket.id, ID_BYTES), &bucket), ERR_OK);
    control(t, RECORD_K_GENESIS, NULL);
    control(t, RECORD_K_KEY, NULL);
    control(t, RECORD_K_BKT, bucket.id);
    g->tenant_list[g->tenant_count++] = t;
    r->key = (struct gate_key){.access_key = RIG_KEY, .tenant = t, .account = ACCOUNT, .on = true};
    assert_int_equal(secret_copy(&r->key.secret_key, SLICE_LIT(SECRET_TEXT)), ERR_OK);
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
    wire_conn_close(r->keeper);
    r->keeper = NULL;
}

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

/* requests -------------------------------------------------------------------------------------------------------------------------- */

void rig_ask(struct rig *r, uint64_t id, struct rig_ask a)
{
    AUTO(buf) struct buf mem = BUF_INIT(65536), canon = BUF_INIT(32768), authorization = BUF_INIT(2048), uns = BUF_INIT(1024), target = BUF_INIT(4096);
    char date[TIME_TEXT_MAX], hash[65] = "UNSIGNED-PAYLOAD";
    time_amz(clock_wall_ms(), date);
    if (a.body || a.body_size == 0) {
        uint8_t h[HASH_BYTES];
        AUTO(buf) struct buf hex = BUF_INIT(64);
        ledger_sha256(&r->g->hash, slice_str(a.body ? a.body : ""), h);
        buf_put_hex(&hex, slice_of(h, sizeof h));
        memcpy(hash, hex.p, 64);
        hash[64] = 0;
    }
    struct s3_header h[6] = {{SLICE_LIT("host"), SLICE_LIT("localhost")}, {SLICE_LIT("x-amz-content-sha256"), slice_str(hash)},
                             {SLICE_LIT("x-amz-date"), slice_str(date)}};
    size_t n = 3;
    if (a.header) h[n++] = (struct s3_header){slice_str(a.header), slice_str(a.value)};
    if (a.header2) h[n++] = (struct s3_header){slice_str(a.header2), slice_str(a.value2)};
    buf_put_str(&target, a.path);
    if (a.query) {
        buf_put_u8(&target, '?');
        buf_put_str(&target, a.query);
    }
    struct s3_client_key key = {.access_key = SLICE_LIT(RIG_KEY), .secret = SLICE_LIT(SECRET_TEXT), .region = SLICE_LIT("eu-north-1"), .service = SLICE_LIT("s3")};
    assert_int_equal(s3_client_sign(&key, slice_str(a.method), buf_slice(&target), h, n, clock_wall_ms(), slice_str(hash), &authorization), ERR_OK);
    h[n] = (struct s3_header){SLICE_LIT("authorization"), buf_slice(&authorization)};
    struct s3_target t;
    struct s3_auth auth = {0};
    assert_int_equal(s3_target_parse(buf_slice(&target), &mem, &t), S3E_NONE);
    assert_int_equal(s3_auth_front(&t, h, n + 1, &auth, NULL), S3E_NONE);
    struct slice none = slice_of(NULL, 0);
    assert_int_equal(s3_canon_build(&canon, slice_str(a.method), &t, h, n, a.anonymous ? none : auth.signed_headers, slice_str(hash), false, NULL), S3E_NONE);
    if (a.unsigned_header) wire_put_header(&uns, slice_str(a.unsigned_header), slice_str(a.unsigned_value));
    char signature[65];
    memcpy(signature, auth.signature.p, 64);
    if (a.wrong_signature) signature[3] = signature[3] == '0' ? '1' : '0';
    struct wire_ask m = {.auth = a.anonymous ? WIRE_AUTH_NONE : WIRE_AUTH_HEADER, .front_id = 1, .body_size = a.body ? strlen(a.body) : a.body_size,
                         .peer = SLICE_LIT("192.0.2.7"), .canonical = buf_slice(&canon), .credential = a.anonymous ? none : auth.credential,
                         .signature = a.anonymous ? none : slice_of(signature, 64), .unsigned_headers = buf_slice(&uns)};
    assert_int_equal(wire_put_ask(wire_conn_out(r->front), id, &m), ERR_OK);
    wire_conn_kick(r->front);
}

void rig_commit(struct rig *r, uint64_t id, const char *body)
{
    AUTO(buf) struct buf list = BUF_INIT(512);
    struct s3_sums s;
    uint8_t digest[S3_SUM_BYTES_MAX];
    static const enum s3_sum all[] = {S3_SUM_MD5, S3_SUM_SHA256, S3_SUM_CRC32, S3_SUM_CRC64NVME};
    assert_int_equal(s3_sums_init(&s, S3_SUM_BIT(S3_SUM_MD5) | S3_SUM_BIT(S3_SUM_SHA256) | S3_SUM_BIT(S3_SUM_CRC32) | S3_SUM_BIT(S3_SUM_CRC64NVME)), ERR_OK);
    assert_int_equal(s3_sums_add(&s, slice_str(body)), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        assert_int_equal(s3_sums_get(&s, all[i], digest), ERR_OK);
        buf_put_u8(&list, (uint8_t)all[i]);
        buf_put_lp16(&list, slice_of(digest, s3_sum_bytes(all[i])));
    }
    s3_sums_done(&s);
    struct wire_commit m = {.size = strlen(body), .cipher_size = frame_cipher_size(strlen(body)), .sums = buf_slice(&list)};
    assert_int_equal(wire_put_commit(wire_conn_out(r->front), id, &m), ERR_OK);
    wire_conn_kick(r->front);
}

void rig_put(struct rig *r, uint64_t id, const char *path, const char *body)
{
    rig_ask(r, id, (struct rig_ask){.method = "PUT", .path = path, .body = body});
    struct rig_frame *f = rig_wait(r, id);
    assert_int_equal(f->type, WIRE_TICKET);
    f->id = UINT64_MAX;                            /* seen */
    rig_commit(r, id, body);
}

/* leaves ------------------------------------------------------------------------------------------------------------------------------ */

void rig_leaf(struct rig *r, uint64_t index, struct rig_leaf *out)
{
    memset(out, 0, sizeof *out);
    buf_init(&out->bytes, LEAF_BYTES_MAX);
    buf_init(&out->opening_bytes, OPENING_BYTES_MAX);
    assert_int_equal(log_read(r->t->access, index, &out->bytes, &out->opening_bytes), ERR_OK);
    assert_int_equal(record_leaf_parse(buf_slice(&out->bytes), RECORD_LOG_ACCESS, &out->leaf), ERR_OK);
    if (!out->opening_bytes.n) return;
    assert_int_equal(record_opening_parse(buf_slice(&out->opening_bytes), &out->opening), ERR_OK);
    assert_int_equal(record_opening_check(&r->g->hash, &out->leaf, &out->opening), ERR_OK);
}

uint64_t rig_leaf_ver(const struct rig_leaf *l)
{
    uint64_t ver, rev;
    const struct record_opened *o = record_opened_field(&l->opening, RECORD_F_VER);
    assert_non_null(o);
    assert_int_equal(record_ver_get(o->value, &ver, &rev), ERR_OK);
    return ver;
}

void rig_leaf_done(struct rig_leaf *l)
{
    buf_done(&l->bytes);
    buf_done(&l->opening_bytes);
}

uint64_t rig_receipt(struct slice receipt)
{
    struct slice log, index = slice_cut(receipt, '/', &log);
    uint64_t n;
    assert_int_equal(slice_u64(index, UINT64_MAX, &n), ERR_OK);
    return n;
}
