/* SPDX-License-Identifier: Apache-2.0
 * use_rig: see use_rig.h.
 * Role: tests only; stands in for say.c and for the access front. Trusts: the test. Law: none. Spec: docs/spec/access.md
 */
#include "gate/use_rig.h"

#include <stdio.h>
#include <sys/socket.h>

#include "gate/tenants.h"

#define OFFICER "SHA256:QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"
#define ENGINEER "SHA256:EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE"
#define MANAGER "SHA256:MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM"
#define DAY_MS 86400000ull
#define NO_REF UINT64_MAX

/* statements -------------------------------------------------------------------------------------------------------------------------- */

static uint64_t nonces;

static enum record_term term_of(struct slice name)
{
    for (int t = 0; t < RECORD_TERM_COUNT; t++)
        if (slice_is(name, record_term_name((enum record_term)t))) return (enum record_term)t;
    fail_msg("no term %.*s", (int)name.n, name.p);
    return RECORD_TERM_COUNT;
}

static void statement_text(struct rig *r, enum record_statement_kind kind, const char *subject, const char *const *terms, uint64_t t, struct buf *text)
{
    struct record_term_value values[USE_TERMS_MAX];
    struct record_statement s = {.kind = kind, .t = t};
    struct slice officer = SLICE_LIT(OFFICER);
    size_t count = 0;
    put_be64(s.nonce, ++nonces);
    bool provider = kind == RECORD_STATEMENT_GENESIS_PROVIDER || kind == RECORD_STATEMENT_PERSON_SET || kind == RECORD_STATEMENT_PERSON_OFF ||
                    kind == RECORD_STATEMENT_PURPOSE_SET;
    if (subject) s.have |= RECORD_S_SUBJECT, s.subject = slice_str(subject);
    if (!provider) {
        s.have |= RECORD_S_TENANT;
        memcpy(s.tenant, r->t->id, ID_BYTES);
    }
    if (kind == RECORD_STATEMENT_GENESIS_PROVIDER) {
        s.have |= RECORD_S_SCOPE;
        assert_int_equal(record_statement_write(&s, &officer, 1, text), ERR_OK);
        return;
    }
    s.have |= RECORD_S_TERMS;
    for (; terms && terms[count]; count++) {
        struct slice name, value = slice_cut(slice_str(terms[count]), '=', &name);
        assert_true(count < USE_TERMS_MAX);
        values[count] = (struct record_term_value){term_of(name), value};
    }
    assert_int_equal(record_statement_write_terms(&s, values, count, text), ERR_OK);
}

static void commit(struct rig *r, struct record_writer *w, enum record_field f, struct slice value)
{
    uint8_t salt[SALT_BYTES];
    rng_fill(r->g->rng, salt, sizeof salt);
    record_put_commit(w, &r->g->hash, f, salt, value);
}

static void append(struct rig *r, struct buf *leaf, struct buf *opening)
{
    struct log_append a = {.leaf = buf_slice(leaf), .opening = buf_slice(opening), .void_ref = UINT64_MAX};
    uint64_t index = logbook_append(r->g->logbook, r->t->control, &a, NULL);
    assert_int_equal(tenants_control_apply(r->g, r->t, index, buf_slice(leaf), buf_slice(opening)), ERR_OK);
}

/* ref NO_REF: no mirror. digest: of the statement's text. */
static void say(struct rig *r, enum record_statement_kind kind, const char *subject, const char *signer, uint64_t ref, const char *const *terms,
                uint8_t digest[HASH_BYTES])
{
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX), value = BUF_INIT(65535), leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    struct record_writer w;
    struct record_statement parsed;
    bool plain = strcmp(signer, OFFICER) == 0 || strcmp(signer, USE_OWNER) == 0;
    uint64_t now;
    uint8_t id[ID_BYTES];
    assert_int_equal(log_time(r->t->control, clock_wall_ms(), &now), ERR_OK);
    statement_text(r, kind, subject, terms, now, &text);
    assert_int_equal(record_statement_parse(buf_slice(&text), &parsed), ERR_OK);
    struct policy_statement st = {.s = &parsed, .signer = {slice_str(signer), plain ? POLICY_KEY_SSH : POLICY_KEY_SK}, .t_ms = now};
    ledger_sha256(&r->g->hash, buf_slice(&text), st.digest);
    memcpy(digest, st.digest, HASH_BYTES);
    enum policy_say s = ref == NO_REF ? policy_say(r->t->state, &st) : POLICY_SAY_DONE;
    if (s != POLICY_SAY_DONE && s != POLICY_SAY_WAITS) fail_msg("%s: %s", record_statement_kind_text(kind), policy_say_text(s));
    buf_put_lp16(&value, buf_slice(&text));
    buf_put_str(&value, "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n");
    record_begin(&w, RECORD_K_STMT, &leaf, &opening);
    record_put_text(&w, RECORD_F_ACT, slice_str(record_statement_kind_text(kind)));
    record_put_text(&w, RECORD_F_AUTH, plain ? SLICE_LIT("ssh") : SLICE_LIT("sk"));
    record_put_int(&w, RECORD_F_CTL, log_size(r->t->control));
    record_put_text(&w, RECORD_F_DEC, SLICE_LIT("allow"));
    record_put_int(&w, RECORD_F_ENG, POLICY_ENGINE_VERSION);
    if (subject && base32_fixed(slice_str(subject), id, ID_BYTES) == ERR_OK) record_put_id(&w, RECORD_F_GRANT, id);
    rng_fill(r->g->rng, id, sizeof id);
    record_put_id(&w, RECORD_F_ID, id);
    commit(r, &w, RECORD_F_PEER, SLICE_LIT("192.0.2.1"));
    if (ref != NO_REF) record_put_int(&w, RECORD_F_REF, ref);
    commit(r, &w, RECORD_F_STMT, buf_slice(&value));
    record_put_int(&w, RECORD_F_T, now);
    commit(r, &w, RECORD_F_WHO, slice_str(signer));
    assert_int_equal(record_end(&w), ERR_OK);
    append(r, &leaf, &opening);
}

void use_say(struct rig *r, enum record_statement_kind kind, const char *subject, const char *signer, const char *const *terms)
{
    uint8_t digest[HASH_BYTES];
    say(r, kind, subject, signer, NO_REF, terms, digest);
}

static void person(struct rig *r, uint64_t ref, const char *account, const char *key, const char *role)
{
    char text[5][128];
    uint8_t digest[HASH_BYTES];
    unsigned long long day = clock_wall_ms() - DAY_MS;
    snprintf(text[0], sizeof text[0], "key=%s", key);
    snprintf(text[1], sizeof text[1], "role=%s", role);
    snprintf(text[2], sizeof text[2], "training=%llu", day);
    snprintf(text[3], sizeof text[3], "screening=%llu", day);
    snprintf(text[4], sizeof text[4], "review=%llu", day);
    const char *const terms[] = {"employer=Provider AB", text[0], "name=A Person", "office=SE", strcmp(role, "manager") == 0 ? "person=p-max" : "person=p-erin",
                                 text[4], text[1], text[3], text[2], NULL};
    say(r, RECORD_STATEMENT_PERSON_SET, account, OFFICER, ref, terms, digest);
}

/* the access front ------------------------------------------------------------------------------------------------------------------------ */

static enum err access_frame(struct wire_conn *c, uint8_t type, uint64_t id, struct slice payload)
{
    struct rig *r = wire_conn_ctx(c);
    if (type == WIRE_HELLO) return ERR_OK;
    assert_true(r->frame_count < RIG_FRAMES_MAX);
    struct rig_frame *f = &r->frames[r->frame_count++];
    *f = (struct rig_frame){.type = type, .id = id};
    buf_init(&f->payload, WIRE_FRAME_BYTES_MAX);
    buf_put_slice(&f->payload, payload);
    return ERR_OK;
}

static void access_closed(struct wire_conn *c, enum err why)
{
    struct rig *r = wire_conn_ctx(c);
    (void)why;
    r->access_gone = true;
    r->access = NULL;
}

static const struct wire_handler access_handler = {.frame = access_frame, .closed = access_closed};

void use_access(struct rig *r)
{
    int fds[2];
    struct wire_hello hello = {.role = WIRE_ROLE_ACCESS, .version = WIRE_VERSION};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_non_null(conn_accept(r->g, fds[0], WIRE_ROLE_ACCESS));
    r->access = wire_conn_new(r->g->loop, fds[1], WIRE_ROLE_ACCESS, WIRE_ROLE_GATE, &hello, &access_handler, r);
    r->access_gone = false;
}

void use_begin_rig(struct rig *r)
{
    static const char *const purpose[] = {"category=general", "role=support", "verb=head", "verb=list", "verb=read", NULL};
    uint8_t digest[HASH_BYTES];
    say(r, RECORD_STATEMENT_GENESIS_PROVIDER, NULL, OFFICER, 0, NULL, digest);
    say(r, RECORD_STATEMENT_PURPOSE_SET, "debug", OFFICER, 1, purpose, digest);
    person(r, 2, "erin", ENGINEER, "support");
    person(r, 3, "max", MANAGER, "manager");
    use_access(r);
}

/* grants ---------------------------------------------------------------------------------------------------------------------------------- */

void use_login(struct rig *r, uint64_t expires_ms, struct use *u)
{
    AUTO(buf) struct buf token = BUF_INIT(SESSION_TOKEN_CHARS_MAX);
    memset(&u->session, 0, sizeof u->session);
    memcpy(u->session.grant, u->grant, ID_BYTES);
    memcpy(u->session.account, "erin", 5);
    memcpy(u->session.country, "SE", 3);
    u->session.expires_ms = expires_ms;
    assert_int_equal(session_make(r->g, r->t, &u->session, &token), ERR_OK);
    memcpy(u->token, token.p, token.n);
    u->token[token.n] = 0;
}

void use_grant(struct rig *r, uint8_t n, struct use_terms t, struct use *u)
{
    char bytes[40], objects[40], duration[40], prefix[80], request[80];
    uint8_t digest[HASH_BYTES];
    AUTO(buf) struct buf hash = BUF_INIT(64);
    memset(u->grant, n, ID_BYTES);
    tenants_id_text(u->grant, u->grant_text);
    snprintf(bytes, sizeof bytes, "bytes=%llu", (unsigned long long)(t.bytes ? t.bytes : 1ull << 40));
    snprintf(objects, sizeof objects, "objects=%llu", (unsigned long long)(t.objects ? t.objects : 1000000));
    snprintf(duration, sizeof duration, "duration=%llu", (unsigned long long)(t.duration_ms ? t.duration_ms : 3600000));
    snprintf(prefix, sizeof prefix, "prefix=%s", t.prefix ? t.prefix : "");
    const char *const asked[] = {"bucket=bucket", bytes, "category=general", "country=SE", duration, objects, "purpose=debug", "ticket=T-1",
                                 "verb=head", "verb=list", "verb=read", t.prefix ? prefix : NULL, NULL};
    say(r, RECORD_STATEMENT_ACCESS_REQUEST, u->grant_text, ENGINEER, NO_REF, asked, digest);
    buf_put_base64url(&hash, slice_of(digest, sizeof digest));
    snprintf(request, sizeof request, "request=%.*s", (int)hash.n, hash.p);
    const char *const approved[] = {request, NULL};
    say(r, RECORD_STATEMENT_ACCESS_APPROVE, u->grant_text, MANAGER, NO_REF, approved, digest);
    say(r, RECORD_STATEMENT_ACCESS_APPROVE, u->grant_text, USE_OWNER, NO_REF, approved, digest);
    static const char *const login[] = {"country=SE", NULL};
    say(r, RECORD_STATEMENT_ACCESS_LOGIN, u->grant_text, ENGINEER, NO_REF, login, digest);
    use_login(r, clock_wall_ms() + 3600000, u);
}

void use_revoke(struct rig *r, const struct use *u)
{
    use_say(r, RECORD_STATEMENT_ACCESS_REVOKE, u->grant_text, USE_OWNER, NULL);
}

/* requests ---------------------------------------------------------------------------------------------------------------------------------- */

struct rig_ask use_ask(const struct use *u, struct rig_ask a)
{
    size_t n = 0;
    while (n < RIG_HEADERS_MAX && a.headers[n].name.p) n++;
    assert_true(n < RIG_HEADERS_MAX);
    a.headers[n] = (struct s3_header){SLICE_LIT("x-amz-security-token"), slice_str(u->token)};
    a.key = u->session.access_key;
    a.secret = u->session.secret_key;
    a.access = true;
    return a;
}

void use_get(struct rig *r, uint64_t id, const struct use *u, const char *path, const char *range)
{
    struct rig_ask a = {.method = "GET", .path = path};
    char nonce[24];                                /* two reads of one second would have one signature: clients too send something of their own */
    snprintf(nonce, sizeof nonce, "%llu", (unsigned long long)id);
    a.headers[0] = (struct s3_header){SLICE_LIT("x-amz-meta-nonce"), slice_str(nonce)};
    if (range) a.header = "range", a.value = range;
    rig_ask(r, id, use_ask(u, a));
}

void use_presigned(struct rig *r, uint64_t id, const struct use *u, const char *path)
{
    AUTO(buf) struct buf mem = BUF_INIT(65536), canon = BUF_INIT(32768), target = BUF_INIT(4096), credential = BUF_INIT(256), hex = BUF_INIT(64), escaped = BUF_INIT(512);
    char date[TIME_TEXT_MAX];
    struct s3_signing_key key;
    uint8_t sig[HASH_BYTES];
    struct s3_target t;
    time_amz(clock_wall_ms(), date);
    buf_printf(&credential, "%s/%.8s/eu-north-1/s3/aws4_request", u->session.access_key, date);
    for (size_t i = 0; i < credential.n; i++) {
        if (credential.p[i] == '/') buf_put_str(&escaped, "%2F");
        else buf_put_u8(&escaped, credential.p[i]);
    }
    buf_printf(&target, "%s?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%.*s&X-Amz-Date=%s&X-Amz-Expires=600&X-Amz-Security-Token=%s&X-Amz-SignedHeaders=host",
               path, (int)escaped.n, escaped.p, date, u->token);
    struct s3_header host[1] = {{SLICE_LIT("host"), SLICE_LIT("localhost")}};
    assert_int_equal(s3_target_parse(buf_slice(&target), &mem, &t), S3E_NONE);
    assert_int_equal(s3_canon_build(&canon, SLICE_LIT("GET"), &t, host, 1, SLICE_LIT("host"), SLICE_LIT("UNSIGNED-PAYLOAD"), true, NULL), S3E_NONE);
    assert_int_equal(s3_signing_key_init(&key, slice_str(u->session.secret_key), slice_of(date, 8), SLICE_LIT("eu-north-1"), SLICE_LIT("s3")), ERR_OK);
    struct slice scope, name;
    scope = slice_cut(buf_slice(&credential), '/', &name);
    assert_int_equal(s3_sign(&key, slice_str(date), scope, buf_slice(&canon), sig), ERR_OK);
    s3_signing_key_done(&key);
    buf_put_hex(&hex, slice_of(sig, sizeof sig));
    struct wire_ask m = {.auth = WIRE_AUTH_QUERY, .peer = SLICE_LIT("192.0.2.7"), .canonical = buf_slice(&canon), .credential = buf_slice(&credential), .signature = buf_slice(&hex)};
    assert_int_equal(wire_put_ask(wire_conn_out(r->access), id, &m), ERR_OK);
    wire_conn_kick(r->access);
}

void use_next_put(struct rig *r, uint64_t id, uint64_t sent)
{
    struct wire_next m = {.sent = sent};
    rig_forget(r, id);
    assert_int_equal(wire_put_next(wire_conn_out(r->access), id, &m), ERR_OK);
    wire_conn_kick(r->access);
}

void use_killed(struct rig *r, uint64_t id)
{
    struct wire_killed m = {0};
    assert_int_equal(wire_put_killed(wire_conn_out(r->access), id, &m), ERR_OK);
    wire_conn_kick(r->access);
}

void use_abort(struct rig *r, uint64_t id)
{
    struct wire_abort m = {0};
    assert_int_equal(wire_put_abort(wire_conn_out(r->access), id, &m), ERR_OK);
    wire_conn_kick(r->access);
}

void use_object(struct rig *r, const char *path, uint64_t size)
{
    uint64_t id = 0x5000000 + nonces++;
    rig_ask(r, id, (struct rig_ask){.method = "PUT", .path = path, .body_size = size});
    assert_int_equal(rig_wait(r, id)->type, WIRE_TICKET);
    rig_forget(r, id);
    rig_commit_size(r, id, size);
    rig_status(r, id, 200, "");
    rig_forget(r, id);
}

/* the log ------------------------------------------------------------------------------------------------------------------------------------- */

void use_leaf(struct rig *r, uint64_t index, struct rig_leaf *out)
{
    memset(out, 0, sizeof *out);
    buf_init(&out->bytes, LEAF_BYTES_MAX);
    buf_init(&out->opening_bytes, OPENING_BYTES_MAX);
    assert_int_equal(log_read(r->t->control, index, &out->bytes, &out->opening_bytes), ERR_OK);
    assert_int_equal(record_leaf_parse(buf_slice(&out->bytes), RECORD_LOG_CONTROL, &out->leaf), ERR_OK);
    if (!out->opening_bytes.n) return;
    assert_int_equal(record_opening_parse(buf_slice(&out->opening_bytes), &out->opening), ERR_OK);
    assert_int_equal(record_opening_check(&r->g->hash, &out->leaf, &out->opening), ERR_OK);
}

size_t use_leaves(struct rig *r, uint64_t from, const char *dec)
{
    size_t n = 0;
    for (uint64_t i = from; i < log_size(r->t->control); i++) {
        struct rig_leaf l;
        use_leaf(r, i, &l);
        n += l.leaf.kind == RECORD_K_ACC && slice_is(record_text(&l.leaf, RECORD_F_DEC), dec);
        rig_leaf_done(&l);
    }
    return n;
}

void use_replay(struct rig *r)
{
    struct policy_state s;
    rig_turns(r, 20);
    assert_int_equal(policy_init(&s), ERR_OK);
    for (uint64_t i = 0; i < log_size(r->t->control); i++) {
        struct rig_leaf l;
        struct policy_decision d;
        use_leaf(r, i, &l);
        if (l.leaf.kind == RECORD_K_ACC) {
            enum err e = policy_check(&s, &l.leaf, &l.opening, &d);
            if (e != ERR_OK) fail_msg("leaf %llu: %s: %.*s, and again: %s", (unsigned long long)i, err_name(e), (int)l.bytes.n, l.bytes.p, policy_reason_text(d.reason));
        }
        assert_int_equal(policy_apply(&s, i, &l.leaf, l.opening_bytes.n ? &l.opening : NULL), ERR_OK);
        rig_leaf_done(&l);
    }
    size_t cursor = 0;
    for (const struct policy_grant *g; (g = policy_grant_next(&s, &cursor));)
        if (g->terms) assert_true(g->used_bytes <= g->terms->bytes && g->used_objects <= g->terms->objects);
    policy_done(&s);
}

void use_set(struct rig *r, const char *path, unsigned parts, size_t part_n)
{
    AUTO(buf) struct buf list = BUF_INIT(1 << 20), body = BUF_INIT(1 << 20);
    char query[128], upload[64];
    uint64_t id = 0x6000000 + 1000 * nonces++;
    rig_ask(r, id, (struct rig_ask){.method = "POST", .path = path, .query = "uploads"});
    struct wire_answer a = rig_answer(r, id);
    const char *begin = strstr((const char *)a.body.p, "<UploadId>");
    assert_non_null(begin);
    snprintf(upload, sizeof upload, "%.*s", (int)strcspn(begin + 10, "<"), begin + 10);
    rig_forget(r, id);
    for (size_t i = 0; i < part_n; i++) buf_put_u8(&body, (uint8_t)('a' + i % 26));
    buf_put_u8(&body, 0);
    buf_put_str(&list, "<CompleteMultipartUpload>");
    for (unsigned i = 1; i <= parts; i++) {
        snprintf(query, sizeof query, "partNumber=%u&uploadId=%s", i, upload);
        rig_ask(r, id + i, (struct rig_ask){.method = "PUT", .path = path, .query = query, .body = (char *)body.p});
        assert_int_equal(rig_wait(r, id + i)->type, WIRE_TICKET);
        rig_forget(r, id + i);
        rig_commit(r, id + i, (char *)body.p);
        rig_status(r, id + i, 200, "");
        struct slice etag = rig_header(rig_answer(r, id + i).headers, "etag");
        buf_printf(&list, "<Part><PartNumber>%u</PartNumber><ETag>%.*s</ETag></Part>", i, (int)etag.n, etag.p);
        rig_forget(r, id + i);
    }
    buf_put_str(&list, "</CompleteMultipartUpload>");
    buf_put_u8(&list, 0);
    snprintf(query, sizeof query, "uploadId=%s", upload);
    rig_control(r, id, (struct rig_ask){.method = "POST", .path = path, .query = query, .body = (char *)list.p});
    rig_status(r, id, 200, "");
    rig_forget(r, id);
}
