/* SPDX-License-Identifier: Apache-2.0
 * Two logs more for the tests of replay: people of a provider, whose statements are really signed (plain keys, and security keys in software), their
 * mirrors on a tenant's control log, and requests under a grant.
 * Spec: docs/spec/access.md, docs/spec/statement.md section 3
 */
#ifndef TILLIT_GRANT_TEST_H
#define TILLIT_GRANT_TEST_H

#include <openssl/evp.h>

#include "verify/replay_test.h"

#define T0 1764000000000ull
#define DAY 86400000ull
#define MIB ((uint64_t)1 << 20)
#define TEST_SESSION "ASIAAAAAAAAAAAAAAAAA"
#define TERMS_MAX 24
#define NO_REF UINT64_MAX

/* signers ------------------------------------------------------------------------------------------------------------------------- */

struct signer {
    struct record_ssh_private key;                    /* of a passkey only its seed is used */
    bool sk, passkey;                                 /* device_sign(), passkey_sign() */
    const char *origin;
    uint32_t counter;                                 /* passkey: of its next assertion */
    char who[512];                                    /* fingerprint, or the passkey's term */
};

static inline void ed25519(const uint8_t seed[ED25519_SEED_BYTES], struct slice message, uint8_t out[ED25519_SIG_BYTES])
{
    size_t n = ED25519_SIG_BYTES;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, out, &n, message.p, message.n), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}

static inline void key_blob(const struct signer *s, struct buf *out)
{
    buf_put_lp32(out, SLICE_LIT("sk-ssh-ed25519@openssh.com"));
    buf_put_lp32(out, slice_of(s->key.key.public_key, ED25519_KEY_BYTES));
    buf_put_lp32(out, SLICE_LIT("ssh:"));
}

static inline void signer_make(struct ledger_hash *h, uint8_t number, bool sk, struct signer *out)
{
    const uint8_t seed[ED25519_SEED_BYTES] = {number, 77};
    AUTO(buf) struct buf blob = BUF_INIT(1024), line = BUF_INIT(1024);
    *out = (struct signer){.sk = sk};
    assert_int_equal(record_ssh_private_make(h, seed, &out->key), ERR_OK);
    if (sk) {
        key_blob(out, &blob);
        buf_put_str(&line, "sk-ssh-ed25519@openssh.com ");
        buf_put_base64(&line, buf_slice(&blob));
        assert_int_equal(record_ssh_key_parse(h, buf_slice(&line), &out->key.key), ERR_OK);
    }
    snprintf(out->who, sizeof out->who, "%s", out->key.key.fingerprint);
}

static inline void passkey_make(struct ledger_hash *h, uint8_t number, const char *origin, struct signer *out)
{
    AUTO(buf) struct buf term = BUF_INIT(512);
    signer_make(h, number, false, out);
    buf_put_str(&term, "passkey:EdDSA:AQIDBAUGBwgJCgsMDQ4PEA:");
    buf_put_base64url(&term, slice_of(out->key.key.public_key, ED25519_KEY_BYTES));
    out->passkey = true, out->origin = origin, out->counter = 1;
    snprintf(out->who, sizeof out->who, "%.*s", (int)term.n, (const char *)term.p);
}

/* What a browser and its authenticator would give, for relying party example.org. */
static inline void passkey_sign(struct ledger_hash *h, struct signer *s, struct slice message, struct buf *out)
{
    AUTO(buf) struct buf client = BUF_INIT(1024), data = BUF_INIT(1024);
    uint8_t hash[HASH_BYTES], sig[ED25519_SIG_BYTES];
    ledger_sha256(h, message, hash);
    buf_put_str(&client, "{\"type\":\"webauthn.get\",\"challenge\":\"");
    buf_put_base64url(&client, slice_of(hash, HASH_BYTES));
    buf_printf(&client, "\",\"origin\":\"%s\",\"crossOrigin\":false}", s->origin);
    ledger_sha256(h, SLICE_LIT("example.org"), hash);
    buf_put(&data, hash, HASH_BYTES);
    buf_put_u8(&data, 0x05);                          /* somebody is there, and was verified */
    buf_put_u32(&data, s->counter++);
    buf_put_str(out, "{\"authenticatorData\":\"");
    buf_put_base64url(out, buf_slice(&data));
    buf_put_str(out, "\",\"clientDataJSON\":\"");
    buf_put_base64url(out, buf_slice(&client));
    ledger_sha256(h, buf_slice(&client), hash);
    buf_put(&data, hash, HASH_BYTES);
    ed25519(s->key.seed, buf_slice(&data), sig);
    buf_put_str(out, "\",\"credential\":\"AQIDBAUGBwgJCgsMDQ4PEA\",\"signature\":\"");
    buf_put_base64url(out, slice_of(sig, sizeof sig));
    buf_put_str(out, "\"}");
}

/* What a device that somebody touched signs (PROTOCOL.u2f), in PROTOCOL.sshsig's envelope. */
static inline void device_sign(struct ledger_hash *h, const struct signer *s, struct slice message, struct buf *out)
{
    AUTO(buf) struct buf text = BUF_INIT(1024), device = BUF_INIT(1024), blob = BUF_INIT(2048), part = BUF_INIT(1024), base64 = BUF_INIT(4096);
    uint8_t hash[HASH_BYTES], sig[ED25519_SIG_BYTES];
    ledger_sha256(h, message, hash);
    buf_put_str(&text, "SSHSIG");
    const struct slice parts[] = {SLICE_LIT(RECORD_STATEMENT_NAMESPACE), SLICE_LIT(""), SLICE_LIT("sha256"), slice_of(hash, HASH_BYTES)};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) buf_put_lp32(&text, parts[i]);
    ledger_sha256(h, SLICE_LIT("ssh:"), hash);
    buf_put(&device, hash, HASH_BYTES);
    buf_put_u8(&device, RECORD_SK_PRESENT);
    buf_put_u32(&device, 7);
    ledger_sha256(h, buf_slice(&text), hash);
    buf_put(&device, hash, HASH_BYTES);
    ed25519(s->key.seed, buf_slice(&device), sig);
    buf_put_str(&blob, "SSHSIG");
    buf_put_u32(&blob, 1);
    key_blob(s, &part);
    buf_put_lp32(&blob, buf_slice(&part));
    for (size_t i = 0; i < 3; i++) buf_put_lp32(&blob, parts[i]);
    buf_reset(&part);
    buf_put_lp32(&part, SLICE_LIT("sk-ssh-ed25519@openssh.com"));
    buf_put_lp32(&part, slice_of(sig, sizeof sig));
    buf_put_u8(&part, RECORD_SK_PRESENT);
    buf_put_u32(&part, 7);
    buf_put_lp32(&blob, buf_slice(&part));
    buf_put_base64(&base64, buf_slice(&blob));
    buf_put_str(out, "-----BEGIN SSH SIGNATURE-----\n");
    for (size_t i = 0; i < base64.n; i += 70) {
        buf_put(out, base64.p + i, MIN((size_t)70, base64.n - i));
        buf_put_u8(out, '\n');
    }
    buf_put_str(out, "-----END SSH SIGNATURE-----\n");
}

/* statements ------------------------------------------------------------------------------------------------------------------------ */

struct said {
    enum record_statement_kind kind;
    const struct signer *by;
    struct buf value;                                 /* of `stmt` */
    uint8_t digest[HASH_BYTES];
    uint8_t grant[ID_BYTES];
    bool has_grant;
};
/* A provider beside the tenant, and what all of them said last. */
struct world {
    struct tenant t;
    struct log_made provider;
    struct signer officer, engineer, manager, owner, stranger, passkey;
    struct said said;                                 /* the last one; the leaf may be of a changed copy */
    struct buf genesis, persons[2], purpose;          /* values for mirrors */
    char grant_text[ID_TEXT_CHARS + 1];
    uint8_t grant[ID_BYTES], request[HASH_BYTES];
    uint64_t began[64];                               /* `acc` of control leaves: of streams that go on */
    bool provider_given;                              /* expect_world() hands the provider log to replay */
};

static inline enum record_term term_of(struct slice name)
{
    for (int i = 0; i < RECORD_TERM_COUNT; i++)
        if (slice_is(name, record_term_name((enum record_term)i))) return (enum record_term)i;
    fail_msg("no such term: %.*s", (int)name.n, (const char *)name.p);
    return RECORD_TERM_COUNT;
}

/* Says it: signed now. tenant false: a kind of the provider's. terms: "name=value", NULL ends. */
static inline void utter(struct world *w_, enum record_statement_kind kind, struct signer *by, const char *subject, bool tenant, const char *const *terms)
{
    struct ledger_hash *h = &w_->t.access.files.hash;
    struct record_term_value all[TERMS_MAX];
    struct record_statement s = {.kind = kind, .t = w_->t.now};
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX), armored = BUF_INIT(SSHSIG_CHARS_MAX);
    struct slice scope = slice_str(by->who);
    size_t n = 0;
    s.nonce[0] = ++w_->t.nonce, s.nonce[1] = 1;
    if (subject) s.have |= RECORD_S_SUBJECT, s.subject = slice_str(subject);
    if (tenant) s.have |= RECORD_S_TENANT, memcpy(s.tenant, w_->t.tenant_id, ID_BYTES);
    for (; terms && terms[n]; n++) {
        struct slice name, value = slice_cut(slice_str(terms[n]), '=', &name);
        assert_true(n < TERMS_MAX);
        all[n] = (struct record_term_value){term_of(name), value};
    }
    if (!record_kind_has_terms(kind)) {
        s.have |= RECORD_S_SCOPE;
        assert_int_equal(record_statement_write(&s, &scope, 1, &text), ERR_OK);
    } else {
        assert_int_equal(record_statement_write_terms(&s, all, n, &text), ERR_OK);
    }
    if (by->passkey) passkey_sign(h, by, buf_slice(&text), &armored);
    else if (by->sk) device_sign(h, by, buf_slice(&text), &armored);
    else assert_int_equal(record_sshsig_sign(&by->key, buf_slice(&text), RECORD_STATEMENT_NAMESPACE, &armored), ERR_OK);
    struct said *to = &w_->said;
    buf_done(&to->value);
    *to = (struct said){.kind = kind, .by = by, .value = BUF_INIT(OPENING_BYTES_MAX)};
    buf_put_lp16(&to->value, buf_slice(&text));
    buf_put_slice(&to->value, buf_slice(&armored));
    ledger_sha256(h, buf_slice(&text), to->digest);
    to->has_grant = kind >= RECORD_STATEMENT_ACCESS_REQUEST && subject && base32_fixed(slice_str(subject), to->grant, ID_BYTES) == ERR_OK;
}

/* Something else in its text, and the signature as it was: what somebody who rewrites the record can do. */
static inline void reword(struct world *w_, const char *from, const char *to)
{
    struct buf *v = &w_->said.value;
    uint8_t *at = memmem(v->p, v->n, from, strlen(from));
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

/* Its leaf. dec NULL: allow; ref NO_REF: no mirror. */
static inline void stmt(struct world *w_, struct log_made *log, const char *why, uint64_t ref)
{
    struct tenant *t = &w_->t;
    const struct said *s = &w_->said;
    uint8_t id[ID_BYTES] = {8};
    begin(t, RECORD_K_STMT);
    record_put_text(&w, RECORD_F_ACT, slice_str(record_statement_kind_text(s->kind)));
    record_put_text(&w, RECORD_F_AUTH, s->by->passkey ? SLICE_LIT("passkey") : s->by->sk ? SLICE_LIT("sk") : SLICE_LIT("ssh"));
    if (log == &t->control) record_put_int(&w, RECORD_F_CTL, log->count);
    record_put_text(&w, RECORD_F_DEC, why ? SLICE_LIT("deny") : SLICE_LIT("allow"));
    record_put_int(&w, RECORD_F_ENG, POLICY_ENGINE_VERSION);
    if (s->has_grant) record_put_id(&w, RECORD_F_GRANT, s->grant);
    record_put_id(&w, RECORD_F_ID, id);
    if (ref == NO_REF) commit(t, RECORD_F_PEER, SLICE_LIT("local"));
    if (ref != NO_REF) record_put_int(&w, RECORD_F_REF, ref);
    commit(t, RECORD_F_STMT, buf_slice(&s->value));
    record_put_int(&w, RECORD_F_T, t->now);
    commit(t, RECORD_F_WHO, slice_str(s->by->who));
    if (why) record_put_text(&w, RECORD_F_WHY, slice_str(why));
    end(t, log);
}

static inline void keep(struct world *w_, struct buf *to)
{
    *to = BUF_INIT(OPENING_BYTES_MAX);
    buf_put_slice(to, buf_slice(&w_->said.value));
}

/* A mirror of what was kept. */
static inline void mirror(struct world *w_, enum record_statement_kind kind, const struct buf *value, uint64_t ref)
{
    buf_done(&w_->said.value);
    w_->said = (struct said){.kind = kind, .by = &w_->officer, .value = BUF_INIT(OPENING_BYTES_MAX)};
    buf_put_slice(&w_->said.value, buf_slice(value));
    stmt(w_, &w_->t.control, NULL, ref);
}

/* the provider ----------------------------------------------------------------------------------------------------------------------- */

static inline void provider_genesis(struct world *w_)
{
    struct tenant *t = &w_->t;
    struct slice signer = slice_str(w_->officer.key.key.fingerprint);
    utter(w_, RECORD_STATEMENT_GENESIS_PROVIDER, &w_->officer, "provider", false, NULL);
    keep(w_, &w_->genesis);
    begin(t, RECORD_K_GENESIS);
    commit(t, RECORD_F_NAME, SLICE_LIT("provider"));
    record_put_texts(&w, RECORD_F_SIGNER, &signer, 1);
    commit(t, RECORD_F_STMT, buf_slice(&w_->genesis));
    record_put_int(&w, RECORD_F_T, t->now);
    end(t, &w_->provider);
}

/* The leaf of a tenant that an officer created. */
static inline void tenant_made(struct world *w_)
{
    struct tenant *t = &w_->t;
    struct slice signer = slice_str(w_->officer.key.key.fingerprint);
    utter(w_, RECORD_STATEMENT_TENANT_CREATE, &w_->officer, "acme", true, NULL);
    begin(t, RECORD_K_TENANT);
    commit(t, RECORD_F_NAME, SLICE_LIT("acme"));
    record_put_texts(&w, RECORD_F_SIGNER, &signer, 1);
    commit(t, RECORD_F_STMT, buf_slice(&w_->said.value));
    record_put_int(&w, RECORD_F_T, t->now);
    end(t, &w_->provider);
}

/* training: ms since 1970. */
static inline void person(struct world *w_, const char *account, const struct signer *s, const char *role, uint64_t training)
{
    char key[64], name[64], date[3][64];
    snprintf(key, sizeof key, "key=%s", s->key.key.fingerprint);
    snprintf(name, sizeof name, "person=%s", account);
    snprintf(date[0], sizeof date[0], "training=%llu", (unsigned long long)training);
    snprintf(date[1], sizeof date[1], "screening=%llu", (unsigned long long)(T0 - DAY));
    snprintf(date[2], sizeof date[2], "review=%llu", (unsigned long long)(T0 - DAY));
    char role_term[64];
    snprintf(role_term, sizeof role_term, "role=%s", role);
    utter(w_, RECORD_STATEMENT_PERSON_SET, &w_->officer, account, false,
          (const char *const[]){"employer=Provider AB", key, "name=Some Person", "office=SE", name, role_term, date[0], date[1], date[2], NULL});
}

static inline void purpose(struct world *w_)
{
    utter(w_, RECORD_STATEMENT_PURPOSE_SET, &w_->officer, "support", false,
          (const char *const[]){"category=general", "role=engineer", "verb=list", "verb=head", "verb=read", NULL});
}

/* the tenant --------------------------------------------------------------------------------------------------------------------------- */

static inline void request_terms(struct world *w_, const char *bytes)
{
    char term[64];
    snprintf(term, sizeof term, "bytes=%s", bytes);
    utter(w_, RECORD_STATEMENT_ACCESS_REQUEST, &w_->engineer, w_->grant_text, true,
          (const char *const[]){"bucket=photos", term, "category=general", "country=SE", "duration=3600000", "objects=5", "prefix=cases/", "purpose=support",
                                "ticket=T-1", "verb=head", "verb=list", "verb=read", NULL});
    memcpy(w_->request, w_->said.digest, HASH_BYTES);
}

static inline void approve(struct world *w_, struct signer *by, const char *more)
{
    AUTO(buf) struct buf term = BUF_INIT(128);
    buf_put_str(&term, "request=");
    buf_put_base64url(&term, slice_of(w_->request, HASH_BYTES));
    buf_put_u8(&term, 0);
    utter(w_, RECORD_STATEMENT_ACCESS_APPROVE, by, w_->grant_text, true, (const char *const[]){(const char *)term.p, more, NULL});
}

static inline void login(struct world *w_)
{
    utter(w_, RECORD_STATEMENT_ACCESS_LOGIN, &w_->engineer, w_->grant_text, true, (const char *const[]){"country=SE", NULL});
}

struct use {
    const char *act, *key, *why, *ctx_prefix;
    const char *person, *purpose, *country;           /* NULL: as it should be */
    bool deny, no_acc, lie_acc, has_range, no_segs;
    uint64_t ver, asof, acc, bytes, first, last, range[2];
    uint64_t ref;                                     /* 0: a stream's first */
    struct slice qry, res;
    bool has_ver, has_asof;
};

static inline void use(struct world *w_, const struct use *u)
{
    struct tenant *t = &w_->t;
    AUTO(buf) struct buf obj = BUF_INIT(2048), ver = BUF_INIT(16), who = BUF_INIT(256), ctx = BUF_INIT(2048);
    uint8_t id[ID_BYTES] = {4};
    uint64_t segs[2] = {u->first, u->last};
    bool released = !u->deny && !u->no_segs && strcmp(u->act, "GetObject") == 0 && !u->why;
    record_obj_put(&obj, &(struct record_obj){.bucket = slice_str(t->bucket_name), .key = slice_str(u->key)});
    buf_put_str(&who, "eng:");
    buf_put_str(&who, w_->grant_text);
    buf_put_str(&who, ":" TEST_SESSION);
    record_ver_put(&ver, u->ver, u->ver);
    if (u->ctx_prefix) record_ctx_put(&ctx, SLICE_LIT("?prefix"), slice_str(u->ctx_prefix));
    begin(t, RECORD_K_ACC);
    w_->began[t->control.count] = t->access.count;
    if (!u->no_acc && (u->has_ver || u->has_asof)) record_put_int(&w, RECORD_F_ACC, u->lie_acc ? u->acc : u->ref ? w_->began[u->ref] : t->access.count);
    record_put_text(&w, RECORD_F_ACT, slice_str(u->act));
    if (u->has_asof) record_put_int(&w, RECORD_F_ASOF, u->asof);
    record_put_text(&w, RECORD_F_AUTH, SLICE_LIT("sts"));
    /* What is refused before its bucket is looked at names none. */
    if (!u->deny || u->has_ver) record_put_id(&w, RECORD_F_BKT, t->bucket);
    record_put_text(&w, RECORD_F_BODY, SLICE_LIT("none"));
    if (released || (u->deny && u->bytes)) record_put_int(&w, RECORD_F_BYTES, u->bytes);
    record_put_text(&w, RECORD_F_CAT, SLICE_LIT("general"));
    record_put_int(&w, RECORD_F_CTL, t->control.count);
    record_put_text(&w, RECORD_F_CTRY, slice_str(u->country ? u->country : "SE"));
    if (ctx.n) commit(t, RECORD_F_CTX, buf_slice(&ctx));
    record_put_text(&w, RECORD_F_DEC, u->deny ? SLICE_LIT("deny") : SLICE_LIT("allow"));
    record_put_int(&w, RECORD_F_ENG, POLICY_ENGINE_VERSION);
    commit(t, RECORD_F_ENT, SLICE_LIT("Provider AB"));
    record_put_id(&w, RECORD_F_GRANT, w_->grant);
    record_put_id(&w, RECORD_F_ID, id);
    commit(t, RECORD_F_OBJ, buf_slice(&obj));
    commit(t, RECORD_F_PEER, SLICE_LIT("local"));
    commit(t, RECORD_F_PERSON, slice_str(u->person ? u->person : "eng"));
    record_put_text(&w, RECORD_F_PURPOSE, slice_str(u->purpose ? u->purpose : "support"));
    if (u->qry.p) commit(t, RECORD_F_QRY, u->qry);
    if (u->has_range) record_put_ints(&w, RECORD_F_RANGE, u->range, 2);
    if (u->ref != 0) record_put_int(&w, RECORD_F_REF, u->ref);
    if (u->res.p) commit(t, RECORD_F_RES, u->res);
    if (released) record_put_ints(&w, RECORD_F_SEGS, segs, 2);
    record_put_int(&w, RECORD_F_T, t->now);
    if (u->has_ver) commit(t, RECORD_F_VER, buf_slice(&ver));
    commit(t, RECORD_F_WHO, buf_slice(&who));
    if (u->why) record_put_text(&w, RECORD_F_WHY, slice_str(u->why));
    end(t, &t->control);
}

static inline void read_key(struct world *w_, const char *key, uint64_t ver, uint64_t first, uint64_t last, uint64_t bytes, uint64_t ref)
{
    use(w_, &(struct use){.act = "GetObject", .key = key, .has_ver = true, .ver = ver, .first = first, .last = last, .bytes = bytes, .ref = ref});
}

static inline void refused(struct world *w_, const char *key, const char *why)
{
    use(w_, &(struct use){.act = "GetObject", .key = key, .deny = true, .why = why});
}

static inline void listed(struct world *w_, const char *ctx, const char *prefix, const struct row *rows, size_t n)
{
    AUTO(buf) struct buf all = BUF_INIT(4096), qry = BUF_INIT(4096), res = BUF_INIT(4096);
    struct record_res r = {.count = (uint32_t)n};
    rows_root(&w_->t.access.files.hash, rows, n, &all, r.root);
    record_qry_put(&qry, &(struct record_qry){.prefix = slice_str(prefix), .keys_max = 1000});
    record_res_put(&res, &r);
    use(w_, &(struct use){.act = "ListObjectsV2", .key = "", .has_asof = true, .asof = w_->t.access.count, .ctx_prefix = ctx, .qry = buf_slice(&qry),
                          .res = buf_slice(&res)});
}

/* `grant` leaf. */
static inline void grant_leaf(struct world *w_, const char *act)
{
    begin(&w_->t, RECORD_K_GRANT);
    record_put_text(&w, RECORD_F_ACT, slice_str(act));
    record_put_id(&w, RECORD_F_GRANT, w_->grant);
    record_put_int(&w, RECORD_F_T, w_->t.now);
    end(&w_->t, &w_->t.control);
}

/* worlds ---------------------------------------------------------------------------------------------------------------------------------- */

static inline void world_init(struct world *w_)
{
    struct ledger_hash *h;
    *w_ = (struct world){.grant = {0x11, 0x22}};
    tenant_init(&w_->t);
    w_->t.now = T0;
    h = &w_->t.access.files.hash;
    made_init(&w_->provider.files, "log.example/provider");
    signer_make(h, 1, false, &w_->officer);
    signer_make(h, 2, true, &w_->engineer);
    signer_make(h, 3, true, &w_->manager);
    signer_make(h, 4, false, &w_->stranger);
    w_->owner = (struct signer){.key = w_->t.owner};
    snprintf(w_->owner.who, sizeof w_->owner.who, "%s", w_->t.owner.key.fingerprint);
    passkey_make(h, 5, "https://example.org", &w_->passkey);
    AUTO(buf) struct buf id = BUF_INIT(ID_TEXT_CHARS);
    buf_put_base32(&id, slice_of(w_->grant, ID_BYTES));
    memcpy(w_->grant_text, id.p, id.n);
}

static inline void world_done(struct world *w_)
{
    buf_done(&w_->said.value);
    buf_done(&w_->genesis), buf_done(&w_->persons[0]), buf_done(&w_->persons[1]), buf_done(&w_->purpose);
}

static inline void vkey_text(const struct log_made *l, struct buf *out) { ledger_vkey_format(&l->files.signer.vkey, out), buf_put_u8(out, 0); }

/* Replays the provider log from its own export, beside its checkpoint. Ends the world. */
static inline void expect_provider(struct world *w_, const char *name, uint64_t index)
{
    struct verify_report r;
    AUTO(buf) struct buf vkey = BUF_INIT(1024);
    export_log(&w_->t, &w_->provider, "provider");
    checkpoint_beside(&w_->t, &w_->provider, "provider.checkpoint");
    vkey_text(&w_->provider, &vkey);
    const struct verify_replay_args args = {.dir = w_->t.access.files.dir, .provider_vkey = (const char *)vkey.p};
    verify_report_init(&r, true);
    assert_int_equal(verify_replay_provider(&args, &r), VERIFY_EXIT_HOLDS);
    assert_found(&r, name, name ? "provider" : NULL, index);
    log_done(&w_->provider), log_done(&w_->t.access), log_done(&w_->t.control);
    world_done(w_);
    buf_done(&test_leaf), buf_done(&test_opening);
}

/* Replays the tenant's two logs, the provider log given when provider_given. Ends the world. */
static inline void expect_world(struct world *w_, const char *name, const char *log, uint64_t index)
{
    AUTO(buf) struct buf vkey = BUF_INIT(1024);
    made_write(&w_->provider.files);
    vkey_text(&w_->provider, &vkey);
    w_->t.provider_url = w_->provider_given ? w_->provider.files.dir : NULL;
    w_->t.provider_vkey = (const char *)vkey.p;
    expect(&w_->t, name, log, index);
    log_done(&w_->provider);
    world_done(w_);
}

#endif
