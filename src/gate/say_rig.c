/* SPDX-License-Identifier: Apache-2.0
 * say_rig: makes the store, the keys and what they sign.
 * Role: tests only; signs as OpenSSH's devices and browsers' authenticators do (PROTOCOL.sshsig, PROTOCOL.u2f, WebAuthn). Trusts: the test. Law: none.
 * Spec: docs/spec/statement.md
 */
#include "gate/say_rig.h"

#include <ftw.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/recent.h"
#include "gate/repeat.h"
#include "gate/request.h"
#include "gate/summary.h"

#define SK "sk-ssh-ed25519@openssh.com"

/* keys ---------------------------------------------------------------------------------------------------------------------------------- */

static void raw_sign(const uint8_t seed[ED25519_SEED_BYTES], struct slice text, uint8_t sig[ED25519_SIG_BYTES])
{
    size_t n = ED25519_SIG_BYTES;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_BYTES);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_true(EVP_DigestSignInit(c, NULL, NULL, NULL, key) == 1 && EVP_DigestSign(c, sig, &n, text.p, text.n) == 1);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
}

static void put_string(struct buf *b, struct slice s) { buf_put_lp32(b, s); }

static void sk_blob(const struct say_rig_key *k, struct buf *blob)
{
    put_string(blob, SLICE_LIT(SK));
    put_string(blob, slice_of(k->public_key, sizeof k->public_key));
    put_string(blob, SLICE_LIT("ssh:"));
}

void say_rig_key(struct say_rig *r, struct say_rig_key *k, enum say_rig_kind kind, uint8_t seed)
{
    uint8_t bytes[ED25519_SEED_BYTES];
    memset(bytes, seed, sizeof bytes);
    say_rig_key_of(&r->g.hash, k, kind, bytes);
}

void say_rig_key_of(struct ledger_hash *h, struct say_rig_key *k, enum say_rig_kind kind, const uint8_t seed[ED25519_SEED_BYTES])
{
    AUTO(buf) struct buf text = BUF_INIT(512), blob = BUF_INIT(256);
    *k = (struct say_rig_key){.kind = kind, .flags = 5};
    memcpy(k->seed, seed, sizeof k->seed);
    assert_int_equal(record_ssh_private_make(h, k->seed, &k->private), ERR_OK);
    memcpy(k->public_key, k->private.key.public_key, sizeof k->public_key);
    if (kind == SAY_RIG_PLAIN) buf_put_str(&text, k->private.key.fingerprint);
    if (kind == SAY_RIG_SK) {
        struct record_ssh_key key;
        sk_blob(k, &blob);
        buf_put_str(&text, SK " ");
        buf_put_base64(&text, buf_slice(&blob));
        assert_int_equal(record_ssh_key_parse(h, buf_slice(&text), &key), ERR_OK);
        buf_reset(&text);
        buf_put_str(&text, key.fingerprint);
    }
    if (kind == SAY_RIG_PASSKEY) {
        buf_put_str(&text, "passkey:EdDSA:");
        buf_put_base64url(&text, slice_of(k->seed, 16));
        buf_put_u8(&text, ':');
        buf_put_base64url(&text, slice_of(k->public_key, sizeof k->public_key));
    }
    assert_true(buf_ok(&text) && text.n < sizeof k->text);
    memcpy(k->text, text.p, text.n);
}

static void sk_sign(struct ledger_hash *h, struct say_rig_key *k, struct slice message, struct buf *out)
{
    AUTO(buf) struct buf signed_text = BUF_INIT(1024), device = BUF_INIT(256), sig = BUF_INIT(256), blob = BUF_INIT(256), all = BUF_INIT(2048), b64 = BUF_INIT(4096);
    uint8_t hash[HASH_BYTES], raw[ED25519_SIG_BYTES];
    struct slice space = SLICE_LIT(RECORD_STATEMENT_NAMESPACE);
    ledger_sha256(h, message, hash);
    buf_put_str(&signed_text, "SSHSIG");
    put_string(&signed_text, space), put_string(&signed_text, SLICE_LIT("")), put_string(&signed_text, SLICE_LIT("sha256"));
    put_string(&signed_text, slice_of(hash, sizeof hash));
    ledger_sha256(h, SLICE_LIT("ssh:"), hash);
    buf_put(&device, hash, sizeof hash);
    buf_put_u8(&device, k->flags);
    buf_put_u32(&device, ++k->counter);
    ledger_sha256(h, buf_slice(&signed_text), hash);
    buf_put(&device, hash, sizeof hash);
    raw_sign(k->seed, buf_slice(&device), raw);
    put_string(&sig, SLICE_LIT(SK)), put_string(&sig, slice_of(raw, sizeof raw));
    buf_put_u8(&sig, k->flags);
    buf_put_u32(&sig, k->counter);
    sk_blob(k, &blob);
    buf_put_str(&all, "SSHSIG");
    buf_put_u32(&all, 1);
    put_string(&all, buf_slice(&blob)), put_string(&all, space), put_string(&all, SLICE_LIT("")), put_string(&all, SLICE_LIT("sha256"));
    put_string(&all, buf_slice(&sig));
    buf_put_base64(&b64, buf_slice(&all));
    buf_put_str(out, "-----BEGIN SSH SIGNATURE-----\n");
    for (size_t i = 0; i < b64.n; i += 70) {
        buf_put_slice(out, slice_of(b64.p + i, MIN((size_t)70, b64.n - i)));
        buf_put_u8(out, '\n');
    }
    buf_put_str(out, "-----END SSH SIGNATURE-----\n");
}

void say_rig_sign(struct ledger_hash *h, struct say_rig_key *k, struct slice message, struct buf *out)
{
    if (k->kind == SAY_RIG_SK) sk_sign(h, k, message, out);
    else assert_int_equal(record_sshsig_sign(&k->private, message, RECORD_STATEMENT_NAMESPACE, out), ERR_OK);
}

static json_t *b64(struct slice s)
{
    AUTO(buf) struct buf b = BUF_INIT(4096);
    buf_put_base64url(&b, s);
    return json_stringn((const char *)b.p, b.n);
}

static json_t *passkey_sign(struct say_rig *r, struct say_rig_key *k, struct slice message)
{
    AUTO(buf) struct buf auth = BUF_INIT(64), client = BUF_INIT(1024), challenge = BUF_INIT(64), both = BUF_INIT(2048);
    uint8_t hash[HASH_BYTES], raw[ED25519_SIG_BYTES];
    ledger_sha256(&r->g.hash, slice_str(k->rpid ? k->rpid : SAY_RIG_RPID), hash);
    buf_put(&auth, hash, sizeof hash);
    buf_put_u8(&auth, k->flags);
    buf_put_u32(&auth, ++k->counter);
    ledger_sha256(&r->g.hash, message, hash);
    buf_put_base64url(&challenge, slice_of(hash, sizeof hash));
    buf_printf(&client, "{\"type\":\"webauthn.get\",\"challenge\":\"%.*s\",\"origin\":\"%s\",\"crossOrigin\":false}", (int)challenge.n, challenge.p,
               k->origin ? k->origin : SAY_RIG_ORIGIN);
    ledger_sha256(&r->g.hash, buf_slice(&client), hash);
    buf_put_slice(&both, buf_slice(&auth));
    buf_put(&both, hash, sizeof hash);
    raw_sign(k->seed, buf_slice(&both), raw);
    return json_pack("{s:o, s:o, s:o, s:o}", "authenticatorData", b64(buf_slice(&auth)), "clientDataJSON", b64(buf_slice(&client)), "credential",
                     b64(slice_of(k->seed, 16)), "signature", b64(slice_of(raw, sizeof raw)));
}

/* statements ---------------------------------------------------------------------------------------------------------------------------- */

static size_t terms_read(const char *terms, struct record_term_value out[64])
{
    size_t n = 0;
    for (struct slice rest = slice_str(terms), line, name; rest.n;) {
        rest = slice_cut(rest, '\n', &line);
        struct slice value = slice_cut(line, '=', &name);
        enum record_term t = 0;
        while (t < RECORD_TERM_COUNT && !slice_is(name, record_term_name(t))) t++;
        assert_true(t < RECORD_TERM_COUNT && n < 64);
        out[n++] = (struct record_term_value){t, value};
    }
    return n;
}

void say_rig_statement(const uint8_t tenant[ID_BYTES], uint64_t t_ms, uint32_t nonce, enum record_statement_kind kind, const char *subject, const char *terms,
                       struct buf *out)
{
    static const unsigned allowed[] = {
#define STATEMENT(NAME, text, required, allowed_parts, terms_required, terms_allowed) [RECORD_STATEMENT_##NAME] = (allowed_parts),
#define S(x) RECORD_S_##x
#define T(x) 0
#include "record/statement.def"
#undef S
#undef T
    };
    struct record_statement s = {.kind = kind, .t = t_ms, .subject = slice_str(subject ? subject : "")};
    struct record_term_value values[64];
    struct slice scope[1] = {slice_str(terms)};
    if (subject) s.have |= RECORD_S_SUBJECT;
    if (allowed[kind] & RECORD_S_TENANT) s.have |= RECORD_S_TENANT;
    memcpy(s.tenant, tenant, ID_BYTES);
    put_be32(s.nonce, nonce);
    if (!record_kind_has_terms(kind)) {
        if (terms[0]) s.have |= RECORD_S_SCOPE;
        assert_int_equal(record_statement_write(&s, scope, terms[0] != 0, out), ERR_OK);
        return;
    }
    s.have |= RECORD_S_TERMS;
    assert_int_equal(record_statement_write_terms(&s, values, terms_read(terms, values), out), ERR_OK);
}

static void rig_done(void *ctx, uint16_t status, struct slice json)
{
    struct say_rig *r = ctx;
    json_decref(r->answer);
    r->answer = json_loadb((const char *)json.p, json.n, 0, NULL);
    assert_non_null(r->answer);
    r->status = status;
    r->answered = true;
}

void say_rig_send(struct say_rig *r, const char *body)
{
    r->answered = false;
    statements_submit(&r->g, slice_str(body), SLICE_LIT("192.0.2.9"), rig_done, r);
}

unsigned say_rig_wait(struct say_rig *r)
{
    uint64_t until = clock_mono_ms() + 40000;
    while (!r->answered) {
        assert_true(clock_mono_ms() < until);
        loop_turn(r->g.loop, 2);
    }
    return r->status;
}

void say_rig_begin(struct say_rig *r, struct say_rig_key *k, enum record_statement_kind kind, const char *subject, const char *terms)
{
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX), signature = BUF_INIT(4096);
    loop_turn(r->g.loop, 0);                       /* the clock of the turn */
    if (!r->same_nonce) r->nonce++;
    say_rig_statement(r->tenant, clock_wall_ms() + r->skew_ms, r->nonce, kind, subject, terms, &text);
    snprintf(r->text, sizeof r->text, "%.*s", (int)text.n, text.p);
    json_t *body = json_pack("{s:s}", "statement", r->text);
    if (k->kind == SAY_RIG_PASSKEY) {
        json_object_set_new(body, "assertion", passkey_sign(r, k, buf_slice(&text)));
    } else {
        say_rig_sign(&r->g.hash, k, buf_slice(&text), &signature);
        json_object_set_new(body, "signature", json_stringn((const char *)signature.p, signature.n));
    }
    free(r->body);
    r->body = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    say_rig_send(r, r->body);
}

unsigned say_rig_say(struct say_rig *r, struct say_rig_key *k, enum record_statement_kind kind, const char *subject, const char *terms)
{
    say_rig_begin(r, k, kind, subject, terms);
    return say_rig_wait(r);
}

const char *say_rig_text(const struct say_rig *r, const char *name)
{
    const char *s = json_string_value(json_object_get(r->answer, name));
    return s ? s : "";
}

void say_rig_digest(const struct say_rig *r, char out[64])
{
    AUTO(buf) struct buf b = BUF_INIT(64);
    struct ledger_hash h;
    uint8_t hash[HASH_BYTES];
    assert_int_equal(ledger_hash_init(&h), ERR_OK);
    ledger_sha256(&h, slice_str(r->text), hash);
    ledger_hash_done(&h);
    buf_put_base64url(&b, slice_of(hash, sizeof hash));
    snprintf(out, 64, "%.*s", (int)b.n, b.p);
}

void say_rig_durable(struct say_rig *r, struct gate_log *l)
{
    uint64_t until = clock_mono_ms() + 5000;
    while (log_durable(l) < log_size(l)) {
        assert_true(clock_mono_ms() < until);
        loop_turn(r->g.loop, 2);
    }
}

void say_rig_last(struct say_rig *r, const struct gate_tenant *t, struct say_read *x)
{
    struct gate_log *l = t ? t->control : r->g.provider;
    say_rig_durable(r, l);
    assert_int_equal(say_read(l, log_size(l) - 1, true, x), ERR_OK);
}

void say_rig_refused(struct say_rig *r, const struct gate_tenant *t, const char *why)
{
    AUTO(say_read) struct say_read x;
    if (strcmp(say_rig_text(r, "code"), why) != 0 || r->status < 400) fail_msg("%u %s, expected %s", r->status, say_rig_text(r, "code"), why);
    say_rig_last(r, t, &x);
    assert_int_equal(x.leaf.kind, RECORD_K_STMT);
    assert_true(slice_is(record_text(&x.leaf, RECORD_F_DEC), "deny"));
    assert_true(slice_is(record_text(&x.leaf, RECORD_F_WHY), why));
    assert_true(say_opened(&x, RECORD_F_STMT).n > 0 && say_opened(&x, RECORD_F_WHO).n > 0 && slice_is(say_opened(&x, RECORD_F_PEER), "192.0.2.9"));
    assert_non_null(strstr(say_rig_text(r, "receipt"), "/"));
}

/* life ---------------------------------------------------------------------------------------------------------------------------------- */

static void rig_open(struct say_rig *r)
{
    struct gate *g = &r->g;
    char path[128];
    uint8_t wal_key[32];
    AUTO(buf) struct buf why = BUF_INIT(1024);
    memset(g, 0, sizeof *g);
    g->dir = r->dir;
    g->loop = loop_new();
    g->rng = keys_rng();
    g->crypto = keys_ctx_new();
    assert_int_equal(ledger_hash_init(&g->hash), ERR_OK);
    assert_int_equal(conf_parse("rig", SLICE_LIT(""), &g->conf, NULL), ERR_OK);
    snprintf(path, sizeof path, "%s/gate/keys/root", r->dir);
    if (access(path, F_OK) != 0) assert_int_equal(tenants_keys_create(g, &why), ERR_OK);
    assert_int_equal(tenants_keys_open(g, wal_key, &why), ERR_OK);
    snprintf(path, sizeof path, "%s/gate", r->dir);
    struct logbook_config c = {.gate_dir = path, .loop = g->loop, .rng = g->rng, .wal_key = wal_key, .wall_ms = clock_wall_ms()};
    assert_int_equal(logbook_open(&g->logbook, &c, &g->boot, &why), ERR_OK);
    if (tenants_open(g, &why) != ERR_OK) fail_msg("%.*s", (int)why.n, why.p);
    g->requests = requests_new(g);
    g->holds = holds_new(g->loop);
    g->recent = recent_new(g->rng);
    g->repeats = repeats_new(g->rng);
    g->summaries = summaries_new(g);
    g->writable = true;
    r->t = map_get(g->tenants, slice_of(r->tenant, ID_BYTES));
}

static void put_commit(struct say_rig *r, struct record_writer *w, enum record_field f, struct slice value)
{
    uint8_t salt[SALT_BYTES];
    rng_fill(r->g.rng, salt, sizeof salt);
    record_put_commit(w, &r->g.hash, f, salt, value);
}

/* A bucket without the request that made it. */
static void rig_bucket(struct say_rig *r)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    struct gate_bucket *b;
    struct record_writer w;
    uint64_t t, index;
    assert_int_equal(tenants_bucket_prepare(&r->g, r->t, SLICE_LIT(SAY_RIG_BUCKET), &b), ERR_OK);
    assert_int_equal(log_time(r->t->control, loop_wall_ms(r->g.loop), &t), ERR_OK);
    record_begin(&w, RECORD_K_BKT, &leaf, &opening);
    record_put_text(&w, RECORD_F_ACCOUNT, SLICE_LIT("123456789012"));
    record_put_id(&w, RECORD_F_BKT, b->id);
    put_commit(r, &w, RECORD_F_NAME, SLICE_LIT(SAY_RIG_BUCKET));
    record_put_int(&w, RECORD_F_ON, 1);
    record_put_int(&w, RECORD_F_T, t);
    assert_int_equal(record_end(&w), ERR_OK);
    assert_int_equal(say_append_leaf(&r->g, r->t, buf_slice(&leaf), buf_slice(&opening), NULL, &index), ERR_OK);
}

struct say_rig *say_rig_new(void)
{
    struct say_rig *r = calloc(1, sizeof *r);
    char path[128];
    snprintf(r->dir, sizeof r->dir, "/tmp/say-rig-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    static const char *const dirs[] = {"gate", "gate/wal", "gate/logs", "gate/openings", "gate/keys", "gate/state"};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        snprintf(path, sizeof path, "%s/%s", r->dir, dirs[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    rig_open(r);
    memset(r->tenant, 7, ID_BYTES);
    say_rig_key(r, &r->officer, SAY_RIG_PLAIN, 1);
    say_rig_key(r, &r->owner, SAY_RIG_PLAIN, 2);
    assert_int_equal(say_rig_say(r, &r->officer, RECORD_STATEMENT_GENESIS_PROVIDER, NULL, r->officer.text), 200);
    assert_int_equal(say_rig_say(r, &r->officer, RECORD_STATEMENT_TENANT_CREATE, "acme", r->owner.text), 200);
    r->t = map_get(r->g.tenants, slice_of(r->tenant, ID_BYTES));
    assert_int_equal(say_rig_say(r, &r->owner, RECORD_STATEMENT_GENESIS_TENANT, "123456789012", r->owner.text), 200);
    rig_bucket(r);
    say_rig_durable(r, r->t->control);
    return r;
}

void say_rig_restart(struct say_rig *r)
{
    say_rig_durable(r, r->t->control);
    say_rig_durable(r, r->g.provider);
    logbook_close(r->g.logbook);
    rig_open(r);
    assert_non_null(r->t);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void say_rig_free(struct say_rig *r)
{
    logbook_close(r->g.logbook);
    nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    json_decref(r->answer);
    free(r->body);
    free(r);
}
