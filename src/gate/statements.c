/* SPDX-License-Identifier: Apache-2.0
 * Signed statements: the only way by which persons change who may do what (genesis, tenants, access keys, log readers).
 * Role: POST /v1/statements and `tillit-gate --init`; one JSON object in, one out. Kinds with terms go on in say.c.
 * Trusts: a statement's own SSH signature by a key that the log names. Distrusts: everything around it, the front included.
 * Law: 3 (decides from signed bytes), 6 (only the customer's keys widen: every kind names whose signature it takes).
 * Spec: docs/spec/statement.md
 */
#include "gate/nonces.h"
#include "gate/say.h"
#include "gate/tenants.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define STATEMENT_TEXT_BYTES_MAX 60000

struct submission {
    struct gate *gate;
    struct slice peer;
    struct record_statement s;
    struct record_sshsig sig;
    uint8_t side[SAY_SIDE_BYTES];
    struct nonces_by by;               /* whom it counts for */
    struct slice text, armored;
    struct gate_tenant *tenant;        /* named by the statement and known */
    struct gate_log *log;              /* where the leaf goes */
    uint64_t now, t;
    json_t *answer;
    const char *why;                   /* refusal text */
};

/* An answer that waits for its leaf. */
struct waiting {
    struct log_wait wait;
    statement_done done;
    void *ctx;
    json_t *answer;
};

static void refuse(statement_done done, void *ctx, uint16_t status, const char *title, const char *detail)
{
    say_respond(done, ctx, status, json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title, "status", status, "detail", detail));
}

static void on_durable(struct log_wait *w)
{
    struct waiting *x = container_of(w, struct waiting, wait);
    ASSERT(w->index < log_durable(w->log));                          /* LAW-1 */
    char receipt[96];
    snprintf(receipt, sizeof receipt, "%s/%llu", log_name(w->log), (unsigned long long)w->index);
    json_object_set_new(x->answer, "receipt", json_string(receipt));
    say_respond(x->done, x->ctx, 200, x->answer);
    free(x);
}

static bool signer_in(const struct gate_signers *s, const struct record_sshsig *sig)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->fingerprint[i], sig->key.fingerprint) == 0) return true;
    return false;
}

/* The leaf of a statement ----------------------------------------------------------------------------------------- */

struct leaf_parts {
    enum record_kind kind;
    struct slice name, access_key, reader, account;      /* p NULL: not in this kind */
    struct slice logs[4];
    size_t logs_count;
    const struct gate_signers *signers;
    int on;                                              /* -1: not in this kind */
    const char *act;
};

static void put_commit(struct submission *u, struct record_writer *w, enum record_field f, struct slice value)
{
    uint8_t salt[SALT_BYTES];
    rng_fill(u->gate->rng, salt, sizeof salt);
    record_put_commit(w, &u->gate->hash, f, salt, value);
}

/* Long because it is the table of fields in their order, one line each. */
static enum err leaf_write(struct submission *u, const struct leaf_parts *p, struct buf *leaf, struct buf *opening)
{
    AUTO(buf) struct buf statement = BUF_INIT(OPENING_BYTES_MAX);
    struct record_writer w;
    struct slice signers[SIGNERS_MAX];
    uint8_t id[ID_BYTES];
    size_t n = p->signers ? p->signers->count : 0;
    for (size_t i = 0; i < n; i++) signers[i] = slice_str(p->signers->fingerprint[i]);
    if (n == 0) signers[n++] = slice_str(u->sig.key.fingerprint);
    rng_fill(u->gate->rng, id, sizeof id);
    buf_put_lp16(&statement, u->text);
    buf_put_slice(&statement, u->armored);
    record_begin(&w, p->kind, leaf, opening);
    if (p->account.p) record_put_text(&w, RECORD_F_ACCOUNT, p->account);
    if (p->act) record_put_text(&w, RECORD_F_ACT, slice_str(p->act));
    if (p->act) record_put_id(&w, RECORD_F_ID, id);
    if (p->access_key.p) put_commit(u, &w, RECORD_F_KEYC, p->access_key);
    if (p->logs_count > 0) record_put_texts(&w, RECORD_F_LOGS, p->logs, p->logs_count);
    if (p->name.p) put_commit(u, &w, RECORD_F_NAME, p->name);
    if (p->on >= 0) record_put_int(&w, RECORD_F_ON, (uint64_t)p->on);
    if (p->act) put_commit(u, &w, RECORD_F_PEER, u->peer);
    if (p->reader.p) put_commit(u, &w, RECORD_F_RDR, p->reader);
    record_put_texts(&w, RECORD_F_SIGNER, signers, n);
    put_commit(u, &w, RECORD_F_STMT, buf_slice(&statement));
    record_put_int(&w, RECORD_F_T, u->t);
    return buf_ok(&statement) ? record_end(&w) : ERR_LIMIT;
}

/* Appends, folds at once (rule 14), and answers when durable. */
static enum err leaf_append(struct submission *u, const struct leaf_parts *p, statement_done done, void *ctx)
{
    struct gate *g = u->gate;
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    TRY(log_time(u->log, u->now, &u->t));
    TRY(leaf_write(u, p, &leaf, &opening));
    if (u->log != g->provider) {
        struct record_leaf l;
        struct record_opening o;
        TRY(record_leaf_parse(buf_slice(&leaf), RECORD_LOG_CONTROL, &l));
        TRY(record_opening_parse(buf_slice(&opening), &o));
        TRY(policy_can_apply(u->tenant->state, log_size(u->log), &l, &o));      /* a leaf that cannot be folded must not exist */
    }
    struct waiting *x = calloc(1, sizeof *x);
    if (!x) return ERR_NOMEM;
    enum err folded = u->log == g->provider ? say_provider_apply(g, log_size(u->log), buf_slice(&leaf), buf_slice(&opening)) : ERR_OK;
    if (folded != ERR_OK) {
        free(x);
        return folded;
    }
    enum err noted = nonces_note(say_nonces(u->gate), u->by, slice_of(u->s.nonce, NONCE_BYTES), u->now);
    ASSERT(noted == ERR_OK);           /* accept() asked */
    *x = (struct waiting){.wait.durable = on_durable, .done = done, .ctx = ctx, .answer = u->answer};
    const struct log_append a = {.leaf = buf_slice(&leaf), .opening = buf_slice(&opening), .void_ref = UINT64_MAX};
    uint64_t index = logbook_append(g->logbook, u->log, &a, &x->wait);
    u->answer = NULL;
    if (u->log != g->provider) {
        enum err e = tenants_control_apply(g, u->tenant, index, buf_slice(&leaf), buf_slice(&opening));
        ASSERT(e == ERR_OK);           /* it was asked before the append */
    }
    return ERR_OK;
}

static void log_place(const struct gate_log *l, uint32_t slot, char out[64], struct slice *item)
{
    char text[ID_TEXT_CHARS + 1];
    tenants_id_text(log_id(l), text);
    snprintf(out, 64, "%u:%s", slot, text);
    *item = slice_str(out);
}

static void describe_log(json_t *j, const char *name, const struct gate_log *l)
{
    AUTO(buf) struct buf vkey = BUF_INIT(1024);
    log_vkey(l, &vkey);
    json_object_set_new(j, name, json_pack("{s:s, s:s%}", "origin", log_origin(l), "vkey", vkey.p, vkey.n));
}

/* one function per kind: whose signature, what must hold, what it does ------------------------------------------------- */

static enum err genesis_provider(struct submission *u, statement_done done, void *ctx)
{
    struct gate *g = u->gate;
    struct gate_signers named;
    char place[64];
    struct leaf_parts p = {.kind = RECORD_K_GENESIS, .on = -1, .logs_count = 1, .name = u->s.subject};
    tenants_signers_take(&named, u->s.scope);
    u->why = "the provider log has its genesis already, or the signer is not among the officers that the statement names";
    if (log_size(g->provider) > 1 || g->officers.count > 0 || !signer_in(&named, &u->sig)) return ERR_AUTH;
    p.signers = &named;
    log_place(g->provider, 0, place, &p.logs[0]);
    u->log = g->provider;
    describe_log(u->answer, "provider", g->provider);
    describe_log(u->answer, "heads", g->heads);
    TRY(leaf_append(u, &p, done, ctx));
    g->officers = named;
    return ERR_OK;
}

static enum err tenant_create(struct submission *u, statement_done done, void *ctx)
{
    struct gate *g = u->gate;
    char name[ID_TEXT_CHARS + 3] = "t-", places[2][64];
    struct gate_signers owners;
    u->why = "only an officer named on the provider log creates tenants";
    if (!signer_in(&g->officers, &u->sig)) return ERR_AUTH;
    tenants_signers_take(&owners, u->s.scope);
    u->why = "the tenant's name must be like a bucket's, free, and the scope must list the owners' key fingerprints";
    if (u->tenant || tenants_by_name(g, u->s.subject)) return ERR_EXISTS;
    if (owners.count == 0 || s3_bucket_name_check(u->s.subject) != S3E_NONE) return ERR_INPUT;
    if (g->tenant_count == TENANTS_MAX) return ERR_LIMIT;
    /* Asked before anything is made: a tenant without its leaf would take data until the next start, and be gone then. */
    TRY(log_time(g->provider, u->now, &u->t));
    struct gate_tenant *t = tenants_new(u->s.tenant);
    t->owners = owners;
    t->number = (uint32_t)g->tenant_count;
    memcpy(t->name, u->s.subject.p, u->s.subject.n);
    tenants_id_text(t->id, name + 2);
    TRY(tenants_keyring_make(g, name, t->id, &t->key, &t->keyring));
    TRY(tenants_state_key(g, t));
    TRY(tenants_logs_open(g, t));
    TRY(map_put(g->tenants, slice_of(t->id, ID_BYTES), t));
    g->tenant_list[g->tenant_count++] = t;
    struct leaf_parts p = {.kind = RECORD_K_TENANT, .on = -1, .logs_count = 2, .name = u->s.subject, .signers = &t->owners};
    log_place(t->control, 1 + 2 * t->number, places[0], &p.logs[0]);
    log_place(t->access, 2 + 2 * t->number, places[1], &p.logs[1]);
    u->log = g->provider;
    json_object_set_new(u->answer, "tenant", json_string(name + 2));
    describe_log(u->answer, "control", t->control);
    describe_log(u->answer, "access", t->access);
    return leaf_append(u, &p, done, ctx);
}

static bool account_ok(struct slice a)
{
    uint64_t n;
    return a.n == ACCOUNT_CHARS && slice_u64(a, UINT64_MAX, &n) == ERR_OK;
}

static enum err genesis_tenant(struct submission *u, statement_done done, void *ctx)
{
    char place[64];
    struct gate_tenant *t = u->tenant;
    struct gate_signers named;
    u->why = "the tenant must have been created, without a genesis yet, and the signer must be an owner named at its creation";
    if (!t || log_size(t->control) > 0 || !signer_in(&t->owners, &u->sig)) return ERR_AUTH;
    tenants_signers_take(&named, u->s.scope);
    u->why = "the scope must list key fingerprints, the signer's among them, and the subject must be a free account of 12 digits";
    if (!signer_in(&named, &u->sig) || !account_ok(u->s.subject)) return ERR_INPUT;
    for (size_t i = 0; i < u->gate->tenant_count; i++)
        if (slice_is(u->s.subject, u->gate->tenant_list[i]->account)) return ERR_EXISTS;
    struct leaf_parts p = {.kind = RECORD_K_GENESIS, .on = -1, .logs_count = 1, .account = u->s.subject, .signers = &named,
                           .name = slice_str(t->name)};
    log_place(t->control, 1 + 2 * t->number, place, &p.logs[0]);
    u->log = t->control;
    enum err e = leaf_append(u, &p, done, ctx);
    if (e == ERR_OK) tenants_served(u->gate, t);
    return e;
}

static enum err owner(struct submission *u)
{
    u->why = "only an owner named in the tenant's genesis may say this";
    return u->tenant && log_size(u->tenant->control) > 0 && signer_in(&u->tenant->owners, &u->sig) ? ERR_OK : ERR_AUTH;
}

/* Accounts are what keys name: the first key makes one. Whose number it is in another tenant says nothing here (law 5). */
static enum err key_add(struct submission *u, statement_done done, void *ctx)
{
    struct gate_key *k;
    char secret[SECRET_KEY_CHARS];
    AUTO(buf) struct buf owner_id = BUF_INIT(2 * HASH_BYTES);
    TRY(owner(u));
    u->why = "the subject must be the account of 12 digits whose root user gets the key";
    if (!account_ok(u->s.subject)) return ERR_INPUT;
    u->why = NULL;
    TRY(tenants_key_make(u->gate, u->tenant, &k, secret));
    tenants_owner(u->tenant, u->s.subject, &owner_id, NULL);
    json_object_set_new(u->answer, "access_key_id", json_string(k->access_key));
    json_object_set_new(u->answer, "secret_access_key", json_stringn(secret, sizeof secret));
    json_object_set_new(u->answer, "account", json_stringn((const char *)u->s.subject.p, u->s.subject.n));
    json_object_set_new(u->answer, "canonical_id", json_stringn((const char *)owner_id.p, owner_id.n));
    wipe(secret, sizeof secret);
    const struct leaf_parts p = {.kind = RECORD_K_KEY, .on = 1, .act = "key.add", .account = u->s.subject, .access_key = slice_of(k->access_key, ACCESS_KEY_CHARS)};
    u->log = u->tenant->control;
    return leaf_append(u, &p, done, ctx);
}

static enum err key_off(struct submission *u, statement_done done, void *ctx)
{
    TRY(owner(u));
    struct gate_key *k = tenants_key(u->gate, u->s.subject);
    u->why = "the subject must be an access key of this tenant that is on";
    if (!k || k->tenant != u->tenant || !k->on) return ERR_INPUT;
    const struct leaf_parts p = {.kind = RECORD_K_KEY, .on = 0, .act = "key.off", .account = slice_str(k->account), .access_key = u->s.subject};
    u->log = u->tenant->control;
    return leaf_append(u, &p, done, ctx);
}

/* The provider's own log is read by leave of an officer; a tenant's logs by leave of its owners. */
static enum err reader_who(struct submission *u)
{
    if (u->s.have & RECORD_S_TENANT) return owner(u);
    u->why = "only an officer named on the provider log may say this";
    return signer_in(&u->gate->officers, &u->sig) ? ERR_OK : ERR_AUTH;
}

static enum err reader_add(struct submission *u, statement_done done, void *ctx)
{
    struct gate *g = u->gate;
    AUTO(buf) struct buf value = BUF_INIT(64);
    uint8_t random[ID_BYTES];
    char text[ID_TEXT_CHARS + 1];
    TRY(reader_who(u));
    bool control = slice_is(u->s.subject, "control"), access = slice_is(u->s.subject, "access"), provider = slice_is(u->s.subject, "provider");
    u->why = "the subject must be control or access with a tenant, provider without one";
    if (u->tenant ? !control && !access : !provider) return ERR_INPUT;
    struct gate_log *l = provider ? g->provider : control ? u->tenant->control : u->tenant->access;
    rng_fill(g->rng, random, sizeof random);
    tenants_id_text(random, text);
    buf_put_u8(&value, (uint8_t)log_kind_of(l));
    buf_put_str(&value, text);
    json_object_set_new(u->answer, "capability", json_string(text));
    describe_log(u->answer, "log", l);
    const struct leaf_parts p = {.kind = RECORD_K_RDR, .on = 1, .act = "reader.add", .reader = buf_slice(&value)};
    u->log = u->tenant ? u->tenant->control : g->provider;
    TRY(leaf_append(u, &p, done, ctx));
    if (!u->tenant) readers_fold(g, NULL, true, buf_slice(&value));
    return ERR_OK;
}

static enum err reader_off(struct submission *u, statement_done done, void *ctx)
{
    struct gate *g = u->gate;
    AUTO(buf) struct buf value = BUF_INIT(64);
    TRY(reader_who(u));
    const struct gate_reader *r = map_get(g->readers, u->s.subject);
    u->why = "the subject must be a live capability of the same tenant";
    if (!r || r->tenant != u->tenant) return ERR_INPUT;
    buf_put_u8(&value, (uint8_t)log_kind_of(r->log));
    buf_put_str(&value, r->capability);
    const struct leaf_parts p = {.kind = RECORD_K_RDR, .on = 0, .act = "reader.off", .reader = buf_slice(&value)};
    u->log = u->tenant ? u->tenant->control : g->provider;
    TRY(leaf_append(u, &p, done, ctx));
    if (!u->tenant) readers_fold(g, NULL, false, buf_slice(&value));
    return ERR_OK;
}

static enum err (*const kinds[RECORD_STATEMENT_COUNT])(struct submission *, statement_done, void *) = {
    [RECORD_STATEMENT_GENESIS_PROVIDER] = genesis_provider, [RECORD_STATEMENT_GENESIS_TENANT] = genesis_tenant,
    [RECORD_STATEMENT_TENANT_CREATE] = tenant_create, [RECORD_STATEMENT_KEY_ADD] = key_add, [RECORD_STATEMENT_KEY_OFF] = key_off,
    [RECORD_STATEMENT_READER_ADD] = reader_add, [RECORD_STATEMENT_READER_OFF] = reader_off,
};

/* arrival ----------------------------------------------------------------------------------------------------------- */

void statements_seen(struct gate *g, struct slice stmt_value)
{
    struct reader r = reader_of(stmt_value);
    struct record_statement s;
    struct slice text = reader_lp16(&r, STATEMENT_TEXT_BYTES_MAX);
    /* Old ones need no memory: the clock check refuses their copies. */
    uint64_t now = clock_wall_ms(), t;
    if (r.bad || !record_statement_time(text, &t) || t + STATEMENT_SKEW_MS < now || record_statement_parse(text, &s) != ERR_OK) return;
    enum err e = nonces_note(say_nonces(g), (struct nonces_by){0}, slice_of(s.nonce, NONCE_BYTES), now);
    /* Mirrors, and refused copies, have the nonce of what they are of. */
    if (e != ERR_OK && e != ERR_EXISTS) log_line(LOG_WARN, "nonce-not-kept", "err=%s", err_name(e));
}

static enum err accept(struct submission *u)
{
    u->why = "the signature does not verify: it must be `ssh-keygen -Y sign -n " RECORD_STATEMENT_NAMESPACE "` over exactly the statement, by an ed25519 key";
    if (record_sshsig_verify(&u->gate->hash, u->armored, u->text, RECORD_STATEMENT_NAMESPACE, &u->sig) != ERR_OK) return ERR_VERIFY;
    u->why = "the statement's time is more than 15 minutes from the gate's clock";
    if (u->s.t + STATEMENT_SKEW_MS < u->now || u->s.t > u->now + STATEMENT_SKEW_MS) return ERR_VERIFY;
    if (u->s.have & RECORD_S_TENANT) u->tenant = map_get(u->gate->tenants, slice_of(u->s.tenant, ID_BYTES));
    u->why = "the gate cannot write its log now";
    if (!logbook_ready(u->gate->logbook, true)) return ERR_FULL;
    /* Noted when it is taken (leaf_append): of a stranger's statement nothing is kept. */
    bool named = u->tenant && log_size(u->tenant->control) > 0;
    u->by = say_counts_for(u->gate, named ? u->tenant : NULL, slice_str(u->sig.key.fingerprint), u->side);
    enum err e = nonces_check(say_nonces(u->gate), u->by, slice_of(u->s.nonce, NONCE_BYTES), u->now);
    u->why = e == ERR_EXISTS ? "a statement with this nonce was taken already: write a new one"
                             : "the gate's clock was set back, or there were very many statements: wait, or ask the operator";
    return e;
}

/* The two members of a body; an assertion (WebAuthn) is kept as canonical JSON. False: not such a body. take_passkey: free() it. */
static bool body_read(json_t *j, struct slice *text, struct slice *signature, char **take_passkey)
{
    const char *t = NULL, *s = NULL;
    size_t t_n = 0, s_n = 0;
    json_t *assertion = NULL;
    *take_passkey = NULL;
    if (!j) return false;
    if (json_unpack_ex(j, NULL, JSON_STRICT, "{s:s%, s:s%}", "statement", &t, &t_n, "signature", &s, &s_n) == 0) {
        *signature = slice_of(s, s_n);
    } else if (json_unpack_ex(j, NULL, JSON_STRICT, "{s:s%, s:o}", "statement", &t, &t_n, "assertion", &assertion) == 0 && json_is_object(assertion)) {
        *take_passkey = json_dumps(assertion, JSON_COMPACT | JSON_SORT_KEYS);
        ASSERT(*take_passkey);
        *signature = slice_str(*take_passkey);
    } else {
        return false;
    }
    *text = slice_of(t, t_n);
    return signature->n <= (*take_passkey ? ASSERTION_CHARS_MAX : SSHSIG_CHARS_MAX);
}

/* LAW-1: what somebody known here says in vain stands on the log as well (access.md section 6): say.c knows whom it knows. */
static void refused(struct submission *u, uint16_t status, statement_done done, void *ctx)
{
    const struct say_submission said = {.text = u->text, .signature = u->armored, .s = u->s, .peer = u->peer, .now_ms = u->now, .status = status, .detail = u->why};
    say_submit(u->gate, &said, done, ctx);
}

static void submit_own(struct submission *u, statement_done done, void *ctx)
{
    u->answer = json_object();
    enum err e = accept(u);
    if (e == ERR_OK) {
        u->why = NULL;
        e = kinds[u->s.kind](u, done, ctx);
    }
    if (e == ERR_OK) return;
    enum err_class c = err_class(e);
    uint16_t status = c == ERRC_AUTH ? 403 : e == ERR_EXISTS ? 409 : c == ERRC_INPUT || c == ERRC_LIMIT ? 400 : 503;
    json_decref(u->answer);
    if (status != 503 && u->gate->loop) refused(u, status, done, ctx);          /* without a loop: `tillit init`, and there are no logs yet */
    else refuse(done, ctx, status, status == 403 ? "Forbidden" : status == 409 ? "Conflict" : status == 400 ? "Bad Request" : "Service Unavailable", u->why ? u->why : err_text(e));
}

void statements_submit(struct gate *g, struct slice json, struct slice peer, statement_done done, void *ctx)
{
    json_t *j = json_loadb((const char *)json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
    char *passkey = NULL;
    struct submission u = {.gate = g, .peer = peer, .now = g->loop ? loop_wall_ms(g->loop) : clock_wall_ms()};
    if (!body_read(j, &u.text, &u.armored, &passkey)) {
        refuse(done, ctx, 400, "Bad Request", "the body must be {\"statement\": canonical JSON as a string, \"signature\": armored SSH signature}, or \"assertion\": a WebAuthn assertion, in its place");
    } else if (record_statement_parse(u.text, &u.s) != ERR_OK) {
        refuse(done, ctx, 400, "Bad Request", "the statement is not canonical, or of a kind that is not known");
    } else if (record_kind_has_terms(u.s.kind)) {
        const struct say_submission said = {.text = u.text, .signature = u.armored, .passkey = passkey != NULL, .s = u.s, .peer = peer, .now_ms = u.now};
        say_submit(g, &said, done, ctx);
    } else if (passkey) {
        refuse(done, ctx, 403, "Forbidden", "a statement of this kind is signed by an SSH key");
    } else {
        submit_own(&u, done, ctx);
    }
    free(passkey);
    json_decref(j);
}
