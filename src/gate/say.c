/* SPDX-License-Identifier: Apache-2.0
 * say: statements with terms: whose signature, what comes of it, its leaf, its answer.
 * Role: behind statements.c, which has parsed the text, and takes the kinds without terms itself: their refusals come here. Trusts: signatures verified here, and the fold for who has which key.
 * Distrusts: every word, the peer's address, the signer's clock.
 * Law: 1 (answered when durable), 3 (decides from signed bytes), 4 (policy_say() alone decides), 6. Spec: docs/spec/access.md section 6.
 */
#include "gate/say_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "gate/nonces.h"
#include "gate/session.h"
#include "gate/summary.h"

#define SAY_TOKEN_BYTES_MAX 2048

static const char *const by_text[] = {[POLICY_KEY_SSH] = "ssh", [POLICY_KEY_SK] = "sk", [POLICY_KEY_PASSKEY] = "passkey"};

/* answers ---------------------------------------------------------------------------------------------------------------------------- */

void say_respond(statement_done done, void *ctx, uint16_t status, json_t *take_j)
{
    char *text = json_dumps(take_j, JSON_COMPACT | JSON_SORT_KEYS);
    ASSERT(text);
    done(ctx, status, slice_str(text));
    wipe(text, strlen(text));                      /* a session's secret passes through here */
    free(text);
    json_decref(take_j);
}

static const char *title_of(unsigned status)
{
    return status == 400 ? "Bad Request" : status == 403 ? "Forbidden" : status == 404 ? "Not Found" : status == 409 ? "Conflict" : "Service Unavailable";
}

static json_t *problem(unsigned status, const char *code, const char *detail)
{
    json_t *j = json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title", title_of(status), "status", (int)status, "detail", detail, "code", code);
    ASSERT(j);
    return j;
}

static void say_free(struct say *s)
{
    json_decref(s->answer);
    buf_done(&s->key);
    free(s->ends);
    free(s);
}

static void say_put_receipt(struct say *s)
{
    char receipt[96];
    snprintf(receipt, sizeof receipt, "%s/%llu", log_name(s->log), (unsigned long long)s->wait.index);
    json_object_set_new(s->answer, "receipt", json_string(receipt));
}

void say_answer(struct say *take_s)
{
    struct say *s = take_s;
    json_t *j = s->answer;
    s->answer = NULL;
    say_respond(s->done, s->ctx, s->unavailable ? 503 : s->status ? s->status : (uint16_t)policy_say_status(s->say), j);
    say_free(s);
}

/* Nothing is on record: only what depends on nobody's data, and callers whom nobody here knows. */
static void say_refuse(struct say *take_s, unsigned status, const char *code, const char *detail)
{
    struct say *s = take_s;
    say_respond(s->done, s->ctx, (uint16_t)status, problem(status, code, detail));
    say_free(s);
}

static void say_unproven(struct say *take_s, const char *code, const char *detail)
{
    uint8_t id[ID_BYTES];
    rng_fill(take_s->g->rng, id, sizeof id);
    summary_count(take_s->g, NULL, S3E_AccessDenied, id);
    say_refuse(take_s, 403, code, detail);
}

/* whose it is ------------------------------------------------------------------------------------------------------------------------ */

/* NULL: it is by s->key. Else the code of the refusal. */
static const char *signed_by_ssh(struct say *s, const struct say_submission *u, const char **detail)
{
    struct record_sshsig sig;
    *detail = "the signature does not verify: it must be `ssh-keygen -Y sign -n " RECORD_STATEMENT_NAMESPACE "` over exactly the statement, by an ed25519 or ed25519-sk key";
    enum err e = record_sshsig_verify(&s->g->hash, u->signature, u->text, RECORD_STATEMENT_NAMESPACE, &sig);
    if (e == ERR_VERSION) *detail = "keys must be ed25519 or ed25519-sk";
    if (e != ERR_OK) return "signature";
    s->by = sig.key.sk ? POLICY_KEY_SK : POLICY_KEY_SSH;
    buf_put_str(&s->key, sig.key.fingerprint);
    return NULL;
}

/* Only ever true in the test build: what the red runs of attack 32 leave unchecked. */
static bool passkey_let(enum record_webauthn w)
{
    switch (w) {
    case RECORD_WEBAUTHN_TYPE: return BREAK("passkey-type-unchecked");
    case RECORD_WEBAUTHN_CHALLENGE: return BREAK("passkey-challenge-unchecked");
    case RECORD_WEBAUTHN_ORIGIN: return BREAK("passkey-origin-unchecked");
    case RECORD_WEBAUTHN_CROSS_ORIGIN: return BREAK("passkey-cross-origin-unchecked");
    case RECORD_WEBAUTHN_RPID: return BREAK("passkey-rpid-unchecked");
    case RECORD_WEBAUTHN_NOT_VERIFIED: return BREAK("passkey-uv-unchecked");
    case RECORD_WEBAUTHN_ALGORITHM: return BREAK("passkey-algorithm-unchecked");
    case RECORD_WEBAUTHN_COUNTER: return BREAK("passkey-counter-unchecked");
    default: return false;
    }
}

/* LAW-3: origin and relying party are what the tenant pinned by a statement of its own, never what the browser says they are. */
static const char *signed_by_passkey(struct say *s, const struct say_submission *u, const char **detail)
{
    struct record_assertion a;
    struct record_passkey key;
    struct slice origin, rpid;
    uint32_t seen = 0, counter;
    *detail = "the assertion does not verify (W3C Web Authentication, section 7.2)";
    if (record_assertion_parse(u->signature, &a) != ERR_OK) return record_webauthn_text(RECORD_WEBAUTHN_MALFORMED);
    if (!s->t || !policy_origin(s->t->state, &origin, &rpid)) return record_webauthn_text(RECORD_WEBAUTHN_ORIGIN);
    struct slice term = policy_passkey(s->t->state, a.credential, &seen);
    if (!term.p) {                                 /* a person who was not mirrored here yet: no counter was seen here either */
        term = policy_provider_passkey(&say_state(s->g)->provider, a.credential, &seen);
        seen = 0;
    }
    if (!term.p || record_passkey_parse(term, &key) != ERR_OK) return policy_say_text(POLICY_SAY_UNKNOWN);
    enum record_webauthn w = record_webauthn_verify(&s->g->hash, &key, &a, u->text, origin, rpid, seen, &counter);
    s->copied = w == RECORD_WEBAUTHN_COUNTER && !passkey_let(w);           /* by the key, or a copy of it: who has it is told by a leaf */
    if (w != RECORD_WEBAUTHN_OK && !s->copied && !passkey_let(w)) return record_webauthn_text(w);
    s->by = POLICY_KEY_PASSKEY;
    buf_put_slice(&s->key, term);
    return NULL;
}

static bool provider_knows(const struct policy_people *p, struct slice key)
{
    return policy_officer(p, key) || policy_person_of_key(p, key) || policy_person_key_removed(p, key);
}

/* A refusal is worth a leaf when anybody here knows who it is: strangers must not fill a customer's log (attack 38). */
static bool known(const struct say *s)
{
    struct slice key = buf_slice(&s->key);
    if (s->t && policy_knows_key(s->t->state, key)) return true;
    return provider_knows(say_state(s->g)->provider.people, key);
}

/* the leaf --------------------------------------------------------------------------------------------------------------------------- */

static void put_commit(struct gate *g, struct record_writer *w, enum record_field f, struct slice value)
{
    uint8_t salt[SALT_BYTES];
    rng_fill(g->rng, salt, sizeof salt);
    record_put_commit(w, &g->hash, f, salt, value);
}

/* The fields stand in the order of record.def; record_put_* assert it. */
static enum err leaf_write(struct gate *g, struct gate_tenant *t, const struct say_leaf *p, uint64_t t_ms, struct buf *leaf, struct buf *opening)
{
    struct record_writer w;
    uint8_t id[ID_BYTES];
    rng_fill(g->rng, id, sizeof id);
    record_begin(&w, RECORD_K_STMT, leaf, opening);
    record_put_text(&w, RECORD_F_ACT, p->act);
    record_put_text(&w, RECORD_F_AUTH, p->auth);
    if (t) record_put_int(&w, RECORD_F_CTL, log_size(t->control));
    record_put_text(&w, RECORD_F_DEC, p->why ? SLICE_LIT("deny") : SLICE_LIT("allow"));
    record_put_int(&w, RECORD_F_ENG, POLICY_ENGINE_VERSION);
    if (p->grant) record_put_id(&w, RECORD_F_GRANT, p->grant);
    record_put_id(&w, RECORD_F_ID, id);
    if (p->peer.p) put_commit(g, &w, RECORD_F_PEER, p->peer);
    if (p->mirror) record_put_int(&w, RECORD_F_REF, p->ref);
    put_commit(g, &w, RECORD_F_STMT, p->stmt);
    record_put_int(&w, RECORD_F_T, t_ms);
    put_commit(g, &w, RECORD_F_WHO, p->who);
    if (p->why) record_put_text(&w, RECORD_F_WHY, slice_str(p->why));
    return record_end(&w);
}

enum err say_append_leaf(struct gate *g, struct gate_tenant *t, struct slice leaf, struct slice opening, struct log_wait *w, uint64_t *index)
{
    struct gate_log *log = t ? t->control : g->provider;
    const struct log_append a = {.leaf = leaf, .opening = opening, .void_ref = UINT64_MAX};
    *index = log_size(log);
    if (t) {
        struct record_leaf l;
        struct record_opening o = {0};
        TRY(record_leaf_parse(leaf, RECORD_LOG_CONTROL, &l));
        if (opening.n > 0) TRY(record_opening_parse(opening, &o));
        TRY(policy_can_apply(t->state, *index, &l, opening.n > 0 ? &o : NULL));     /* a leaf that cannot be folded must not exist */
    } else {
        TRY(say_provider_apply(g, *index, leaf, opening));                         /* nothing can fail from here on */
    }
    uint64_t got = logbook_append(g->logbook, log, &a, w);
    ASSERT(got == *index);
    if (!t) return ERR_OK;
    enum err e = tenants_control_apply(g, t, *index, leaf, opening);               /* rule 14: in this turn */
    ASSERT(e == ERR_OK);                           /* it was asked before the append */
    return ERR_OK;
}

enum err say_append(struct gate *g, struct gate_tenant *t, const struct say_leaf *p, uint64_t t_ms, struct log_wait *w, uint64_t *index)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    TRY(leaf_write(g, t, p, t_ms, &leaf, &opening));
    return say_append_leaf(g, t, buf_slice(&leaf), buf_slice(&opening), w, index);
}

/* effects, behind the durable leaf --------------------------------------------------------------------------------------------------- */

static void login(struct say *s)
{
    AUTO(buf) struct buf token = BUF_INIT(SAY_TOKEN_BYTES_MAX);
    struct session x = {0};
    char until[TIME_TEXT_MAX];
    const struct policy_grant *grant = policy_grant(s->t->state, s->grant);
    ASSERT(grant);                                 /* policy_say() allowed it */
    memcpy(x.tenant, s->t->id, ID_BYTES);
    memcpy(x.grant, s->grant, ID_BYTES);
    memcpy(x.account, grant->account, sizeof x.account);
    memcpy(x.country, s->country, sizeof x.country);
    x.expires_ms = MIN(grant->end_ms, loop_wall_ms(s->g->loop) + SESSION_MS_MAX);
    if (session_make(s->g, s->t, &x, &token) != ERR_OK) {
        wipe(&x, sizeof x);
        json_object_set_new(s->answer, "code", json_string("busy"));
        json_object_set_new(s->answer, "detail", json_string("the session could not be made: log in again"));
        s->unavailable = true;
        say_answer(s);
        return;
    }
    time_iso8601(x.expires_ms, until);
    json_object_set_new(s->answer, "Version", json_integer(1));
    json_object_set_new(s->answer, "AccessKeyId", json_string(x.access_key));
    json_object_set_new(s->answer, "SecretAccessKey", json_string(x.secret_key));
    json_object_set_new(s->answer, "SessionToken", json_stringn((const char *)token.p, token.n));
    json_object_set_new(s->answer, "Expiration", json_string(until));
    wipe(&x, sizeof x);
    say_answer(s);
}

static void put_notice_key(struct say *s)
{
    AUTO(buf) struct buf key = BUF_INIT(128);
    if (say_notice_key(s->g, s->t, &key) == ERR_OK) json_object_set_new(s->answer, "notice_key", json_stringn((const char *)key.p, key.n));
}

static void put_state(struct say *s, const struct policy_grant *grant)
{
    json_object_set_new(s->answer, "state", json_string(policy_grant_state_text(policy_grant_state(s->t->state, grant, s->t->state->t_ms))));
}

static void ended(struct say *s)
{
    const struct policy_grant *grant = s->t && s->has_grant ? policy_grant(s->t->state, s->grant) : NULL;
    if (s->end_count > 0) json_object_set_new(s->answer, "closed", json_boolean(!s->end_failed));
    if (s->end_failed && grant) put_state(s, grant);          /* another than when it was said */
    say_answer(s);
}

static void say_durable(struct log_wait *w)
{
    struct say *s = container_of(w, struct say, wait);
    ASSERT(w->index < log_durable(w->log));        /* LAW-1 */
    if (s->source) {
        list_del(&s->source->node);
        say_source_done(s->source), free(s->source), s->source = NULL;
    }
    say_put_receipt(s);
    if (s->say != POLICY_SAY_DONE) say_answer(s);
    else if (s->kind == RECORD_STATEMENT_ACCESS_LOGIN) login(s);
    else if (s->kind == RECORD_STATEMENT_ACCESS_LOOK) say_look(s);
    else {
        if (s->kind == RECORD_STATEMENT_NOTICE_SET) put_notice_key(s);
        say_ends_kill(s, ended);
    }
}

/* arrival ---------------------------------------------------------------------------------------------------------------------------- */

static void say_put_outcome(struct say *s, const struct say_submission *u)
{
    AUTO(buf) struct buf digest = BUF_INIT(64);
    char id[ID_TEXT_CHARS + 1];
    bool taken = s->say == POLICY_SAY_DONE || s->say == POLICY_SAY_WAITS;
    if (!taken) {
        bool gates = s->say == POLICY_SAY_REPEATED || s->say == POLICY_SAY_CLOCK;        /* they say it best themselves */
        s->status = u->status ? u->status : (uint16_t)policy_say_status(s->say);
        s->answer = problem(s->status, policy_say_text(s->say), u->detail && !gates ? u->detail : policy_say_what(s->say));
        return;
    }
    buf_put_base64url(&digest, slice_of(s->digest, HASH_BYTES));
    s->answer = json_pack("{s:s, s:s, s:s%}", "result", policy_say_text(s->say), "what", policy_say_what(s->say), "digest", digest.p, digest.n);
    ASSERT(s->answer);
    const struct policy_grant *grant = s->t && s->has_grant ? policy_grant(s->t->state, s->grant) : NULL;
    if (!grant) return;
    tenants_id_text(s->grant, id);
    json_object_set_new(s->answer, "grant", json_string(id));
    put_state(s, grant);
}

/* A statement whose nonce was taken, whose time is wrong, or that a copied device may have signed, is refused whatever it says. */
static enum policy_say again(const struct say *s, const struct say_submission *u, enum err nonce)
{
    if (nonce == ERR_EXISTS) return POLICY_SAY_REPEATED;
    bool late = u->s.t + STATEMENT_SKEW_MS < u->now_ms, early = u->s.t > u->now_ms + STATEMENT_SKEW_MS;
    return late || early ? POLICY_SAY_CLOCK : s->copied ? POLICY_SAY_COPIED : POLICY_SAY_DONE;
}

/* So that mirrors find it in this turn. */
static struct say_source *source_of(struct say *s, const struct say_leaf *p)
{
    struct say_source *x = calloc(1, sizeof *x);
    ASSERT(x);
    snprintf(x->auth, sizeof x->auth, "%s", by_text[s->by]);
    buf_init(&x->act, POLICY_WORD_CHARS_MAX), buf_init(&x->who, SAY_KEY_BYTES_MAX), buf_init(&x->stmt, OPENING_BYTES_MAX);
    buf_put_slice(&x->act, p->act), buf_put_slice(&x->who, p->who), buf_put_slice(&x->stmt, p->stmt);
    ASSERT(buf_ok(&x->act) && buf_ok(&x->who) && buf_ok(&x->stmt));
    return x;
}

static enum err say_record(struct say *s, const struct say_submission *u, struct policy_statement *st, enum policy_say first)
{
    AUTO(buf) struct buf stmt = BUF_INIT(OPENING_BYTES_MAX);
    TRY(log_time(s->log, u->now_ms, &st->t_ms));
    if (s->t) TRY(say_mirror(s->g, s->t, st));
    TRY(log_time(s->log, u->now_ms, &st->t_ms));   /* mirrors stand before it */
    s->say = first != POLICY_SAY_DONE ? first : s->t ? policy_say(s->t->state, st) : policy_provider_say(&say_state(s->g)->provider, st);
    ASSERT(record_kind_has_terms(u->s.kind) || (s->say != POLICY_SAY_DONE && s->say != POLICY_SAY_WAITS));      /* statements.c takes those */
    buf_put_lp16(&stmt, u->text);
    buf_put_slice(&stmt, u->signature);
    if (!buf_ok(&stmt)) return ERR_LIMIT;
    bool taken = s->say == POLICY_SAY_DONE || s->say == POLICY_SAY_WAITS;
    const struct say_leaf p = {.act = slice_str(record_statement_kind_text(u->s.kind)), .auth = slice_str(by_text[s->by]), .peer = u->peer, .stmt = buf_slice(&stmt),
                         .who = buf_slice(&s->key), .grant = s->has_grant ? s->grant : NULL, .why = taken ? NULL : policy_say_text(s->say)};
    TRY(say_append(s->g, s->t, &p, st->t_ms, &s->wait, &s->wait.index));
    if (s->t || s->say != POLICY_SAY_DONE) return ERR_OK;
    s->source = source_of(s, &p);
    s->source->index = s->wait.index;
    list_add_tail(&say_state(s->g)->fresh, &s->source->node);
    say_mirror_all(s->g);                          /* access.md section 2: what hangs on it is off in this turn */
    return ERR_OK;
}

static void say_read_statement(struct say *s, const struct record_statement *r)
{
    struct slice kind = slice_str(record_statement_kind_text(r->kind)), country = record_term(r, RECORD_TERM_COUNTRY, 0);
    s->kind = r->kind;
    s->has_grant = slice_starts(kind, SLICE_LIT("access.")) && record_id_get(r->subject, s->grant) == ERR_OK;
    if (country.n == 2) memcpy(s->country, country.p, 2);
    s->after = record_term_int(r, RECORD_TERM_AFTER, UINT64_MAX);
    s->has_after = s->after != UINT64_MAX;
}

/* A tenant's own people, whoever the provider says has their keys too; officers; everybody else of the provider's. */
struct nonces_by say_counts_for(struct gate *g, const struct gate_tenant *t, struct slice key, uint8_t out[SAY_SIDE_BYTES])
{
    const struct policy_people *here = t && t->state ? policy_people(t->state) : NULL;
    bool officer = policy_officer(say_state(g)->provider.people, key);
    bool staff = !here || policy_person_of_key(here, key) || policy_person_key_removed(here, key) || !policy_knows_key(t->state, key);
    memset(out, 0, SAY_SIDE_BYTES);
    if (t) memcpy(out, t->id, ID_BYTES);
    out[ID_BYTES] = officer ? 'o' : staff ? 's' : 't';
    return (struct nonces_by){.side = slice_of(out, SAY_SIDE_BYTES), .key = key};
}

/* The nonce of a statement that was taken may come again and again (anyone who saw it can send it): the first time is told, the others counted. */
static bool repeated_before(struct gate *g, struct slice nonce, uint64_t now) { return nonces_note(say_state(g)->told, (struct nonces_by){0}, nonce, now) != ERR_OK; }

static struct say *say_new(struct gate *g, const struct say_submission *u, statement_done done, void *ctx)
{
    struct say *s = calloc(1, sizeof *s);
    ASSERT(s);
    s->g = g, s->done = done, s->ctx = ctx, s->wait.durable = say_durable;
    buf_init(&s->key, SAY_KEY_BYTES_MAX);
    say_read_statement(s, &u->s);
    ledger_sha256(&g->hash, u->text, s->digest);
    struct gate_tenant *t = u->s.have & RECORD_S_TENANT ? map_get(g->tenants, slice_of(u->s.tenant, ID_BYTES)) : NULL;
    for (size_t i = 0; i < g->tenant_count && s->has_grant && BREAK("tenant-by-grant"); i++)
        if (policy_grant(g->tenant_list[i]->state, s->grant)) t = g->tenant_list[i];
    if (t && log_size(t->control) > 0) s->t = t;   /* before its genesis a tenant has no log to say anything on */
    s->log = s->t ? s->t->control : g->provider;
    return s;
}

void say_submit(struct gate *g, const struct say_submission *u, statement_done done, void *ctx)
{
    struct slice nonce = slice_of(u->s.nonce, NONCE_BYTES);
    struct say *s = say_new(g, u, done, ctx);
    const char *detail = NULL, *code = u->passkey ? signed_by_passkey(s, u, &detail) : signed_by_ssh(s, u, &detail);
    if (code || !buf_ok(&s->key)) {
        say_unproven(s, code ? code : "signature", detail);
        return;
    }
    if (!known(s)) {
        say_unproven(s, policy_say_text(POLICY_SAY_UNKNOWN), policy_say_what(POLICY_SAY_UNKNOWN));
        return;
    }
    uint8_t side[SAY_SIDE_BYTES];
    struct nonces_by by = say_counts_for(g, s->t, buf_slice(&s->key), side);
    enum err e = logbook_ready(g->logbook, true) && log_size(s->log) > 0 ? nonces_check(say_nonces(g), by, nonce, u->now_ms) : ERR_FULL;
    if (e != ERR_OK && e != ERR_EXISTS) {
        say_refuse(s, 503, "busy", "the gate cannot take statements now: its log, its clock or very many of them; nothing was done");
        return;
    }
    enum policy_say first = again(s, u, e);
    if (first == POLICY_SAY_REPEATED && repeated_before(g, nonce, u->now_ms)) {
        say_refuse(s, policy_say_status(first), policy_say_text(first), policy_say_what(first));
        return;
    }
    struct policy_statement st = {.s = &u->s, .signer = {.key = buf_slice(&s->key), .by = s->by}};
    memcpy(st.digest, s->digest, HASH_BYTES);
    bool taken_before = e == ERR_EXISTS;
    e = say_record(s, u, &st, first);
    if (e != ERR_OK) {
        log_line(LOG_WARN, "statement-not-kept", "err=%s", err_name(e));
        say_refuse(s, 503, "busy", "the statement could not be recorded; nothing was done");
        return;
    }
    if (!taken_before) {
        e = nonces_note(say_nonces(g), by, nonce, u->now_ms);
        ASSERT(e == ERR_OK);                       /* it was asked above */
    }
    say_put_outcome(s, u);
    if (s->say == POLICY_SAY_DONE) say_ends_find(s);
}
