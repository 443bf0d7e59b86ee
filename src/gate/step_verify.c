/* SPDX-License-Identifier: Apache-2.0
 * step_verify: the caller is proven from the bytes the signature covers, or the request ends here.
 * Role: first step. Trusts: the keys the gate holds. Distrusts: the whole ASK; what the front adds can only narrow.
 * Law: 3 (signed or sealed), 5 (the credential decides the tenant). Spec: docs/spec/order.md; AWS Signature Version 4.
 */
#include <assert.h>
#include <stdlib.h>

#include "gate/conn.h"
#include "gate/repeat.h"
#include "gate/request.h"
#include "gate/session.h"
#include "gate/summary.h"
#include "gate/tenants.h"
#include "s3/s3_config.h"

#define SERVICE_S3 SLICE_LIT("s3")
#define FORM_V2_ACCESS_KEY_CHARS_MAX 128

#define VERIFIED_MAGIC 0x56455249u

struct verified {
    uint32_t magic;
    enum policy_auth auth;
    struct gate_tenant *tenant;
    struct gate_key *key;                          /* NULL: anonymous */
    uint32_t repeats;
    uint64_t signed_ms;
    const char *why;
    struct verified_session session;               /* auth STS */
};
static_assert(sizeof(struct verified) <= sizeof(struct step_box), "a value fits its box");

static struct verified *verified_make(struct gate_request *r, enum policy_auth auth, struct gate_tenant *t, struct gate_key *k,
                                            uint32_t repeats)
{
    struct verified *v = (struct verified *)r->verified_box.bytes;
    *v = (struct verified){.magic = VERIFIED_MAGIC, .auth = auth, .tenant = t, .key = k, .repeats = repeats};
    return v;
}

struct gate_tenant *verified_tenant(const struct verified *v)
{
    ASSERT(v && v->magic == VERIFIED_MAGIC);
    return v->tenant;
}

const struct gate_key *verified_key(const struct verified *v)
{
    ASSERT(v && v->magic == VERIFIED_MAGIC);
    return v->key;
}

uint32_t verified_repeats(const struct verified *v)
{
    ASSERT(v && v->magic == VERIFIED_MAGIC);
    return v->repeats;
}

enum policy_auth verified_auth(const struct verified *v)
{
    ASSERT(v && v->magic == VERIFIED_MAGIC);
    return v->auth;
}

uint64_t verified_signed_ms(const struct verified *v)
{
    ASSERT(v && v->magic == VERIFIED_MAGIC);
    return v->signed_ms;
}

const struct verified_session *verified_session(const struct verified *v)
{
    ASSERT(v && v->magic == VERIFIED_MAGIC);
    return v->auth == POLICY_AUTH_STS ? &v->session : NULL;
}

const char *verified_why(const struct verified *v)
{
    ASSERT(v && v->magic == VERIFIED_MAGIC);
    return v->why;
}

/* Not proven: counted on the tenant's log when its key was named, on the provider's otherwise. */
static const struct verified *not_proven(struct gate_request *r, struct gate_tenant *t, enum s3_error code)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    summary_count(r->gate, t, r->fault.code, r->id);
    return NULL;
}

static bool header_there(const struct gate_request *r, struct slice name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (slice_eq(r->headers[i].name, name)) return true;
    return false;
}

/* LAW-3: of what is outside the signature only the closed list is listened to; it narrows, or is stored and noted. */
static void take_unsigned(struct gate_request *r)
{
    struct reader list = reader_of(r->ask.unsigned_headers);
    struct wire_header h;
    while (wire_next_header(&list, &h)) {
        enum s3_unsigned class = s3_unsigned_class(h.name);
        /* Where nothing is signed there is nothing to tell them from; their names say much, so the leaf does not list them. */
        bool everyones = class == S3_UNSIGNED_REFUSED && r->ask.auth == WIRE_AUTH_NONE;
        if (everyones) class = S3_UNSIGNED_STORED;
        if (class == S3_UNSIGNED_REFUSED && BREAK("unsigned-amz-accepted")) class = S3_UNSIGNED_STORED;
        if (BREAK("key-of-other-object") && slice_is(h.name, "x-tillit-object")) class = S3_UNSIGNED_NARROWING;
        if (class == S3_UNSIGNED_IGNORED) continue;
        if (class == S3_UNSIGNED_REFUSED) {
            s3_fault_set(&r->fault, S3E_AccessDenied, "There were headers present in the request which were not signed");
            s3_fault_add(&r->fault, "HeadersNotSigned", h.name);
            return;
        }
        if (!s3_value_ok(h.value)) {               /* stored, a line break would split the answers that others get from an honest front */
            s3_fault_set(&r->fault, S3E_InvalidRequest, "A header holds a control character");
            return;
        }
        if (header_there(r, h.name)) continue;     /* what is signed wins; two of a kind say nothing new */
        if (r->uns_count == GATE_UNSIGNED_MAX || r->header_count == ARRAY_LEN(r->headers)) {
            s3_fault_set(&r->fault, S3E_InvalidRequest, "Too many headers");
            return;
        }
        r->headers[r->header_count++] = (struct s3_header){.name = h.name, .value = h.value};
        if (!everyones) r->uns[r->uns_count++] = h.name;
    }
    if (list.bad) s3_fault_set(&r->fault, S3E_InvalidRequest, NULL);
}

bool request_is_control(const struct gate_request *r)
{
    return slice_starts(r->s3.path, SLICE_LIT("/v20180820/")) && request_header(r, "x-amz-account-id").p;
}

/* The version named: text that cannot be one names nothing; whether there is such a version is answered later. */
static void take_version(struct gate_request *r)
{
    const struct s3_param *p = r->name.key.n ? request_param(r, "versionId") : NULL;
    if (!p) return;
    r->vid = p->value;
    if (p->value.n && entry_version_parse(p->value, &r->vid_null, &r->vid_index, &r->vid_order)) return;
    if (r->fault.code != S3E_NONE) return;
    s3_fault_set(&r->fault, S3E_InvalidArgument, "Invalid version id specified");
    s3_fault_add(&r->fault, "ArgumentName", SLICE_LIT("versionId"));
    s3_fault_add(&r->fault, "ArgumentValue", p->value);
}

/* Bucket, key and operation, from signed bytes only. What is wrong with them is answered to a proven caller, with a leaf. */
static void take_name(struct gate_request *r)
{
    struct slice domain = slice_str(r->gate->domain);
    struct slice host = s3_header_value(r->s3.headers, r->s3.header_count, "host");
    struct slice path = r->s3.path;
    if (request_is_control(r)) {                   /* S3 Control: op_iam.c reads the path */
        r->op = S3_OP_IamOrSts;
        return;
    }
    if (BREAK("key-of-other-object") && request_header(r, "x-tillit-object").p) path = request_header(r, "x-tillit-object");
    enum s3_error e = s3_split(path, host, &domain, domain.n ? 1 : 0, &r->name);
    r->name.bucket.n = MIN(r->name.bucket.n, (size_t)RECORD_BUCKET_BYTES_MAX);     /* it names none; so the leaf says what was decided about */
    r->name.key.n = MIN(r->name.key.n, (size_t)S3_KEY_BYTES_MAX);                  /* likewise: a longer one is KeyTooLongError, and an honest front says so before us */
    if (e == S3E_NONE)
        e = s3_op_resolve(r->s3.method, &r->name, r->s3.params, r->s3.param_count, r->headers, r->header_count, &r->op, &r->fault);
    if (e != S3E_NONE) {
        r->op = S3_OP_NONE;
        if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, e, NULL);
    }
    take_version(r);
}

/* A preflight carries no signature, but its URL may hold the credential of the request that is to follow: it names a tenant, and proves nothing
 * (THREATS.md: so a browser learns whether a bucket's CORS rules fit). */
static struct gate_tenant *preflight_tenant(const struct gate_request *r)
{
    const struct s3_param *p = request_param(r, "X-Amz-Credential");
    struct slice access_key;
    if (!p || !slice_is(r->s3.method, "OPTIONS")) return NULL;
    slice_cut(p->value, '/', &access_key);
    const struct gate_key *k = tenants_key(r->gate, access_key);
    return k ? k->tenant : NULL;
}

/* LAW-5: no credential: the tenant this listener is configured for, or nobody. */
static const struct verified *verify_anonymous(struct gate_request *r)
{
    struct gate *g = r->gate;
    struct gate_tenant *t = preflight_tenant(r);
    if (!t && g->anonymous_tenant[0]) t = tenants_by_name(g, slice_str(g->anonymous_tenant));
    if (!t && BREAK("anon-lists") && g->tenant_count) t = g->tenant_list[0];
    if (!t) return not_proven(r, NULL, S3E_AccessDenied);
    r->fault.code = S3E_NONE;
    take_unsigned(r);
    take_name(r);
    return verified_make(r, POLICY_AUTH_ANON, t, NULL, 1);
}

static enum err signing_key(struct gate_key *k, const struct s3_auth *a)
{
    if (k->cached && slice_is(a->date, k->cached_day) && slice_is(a->region, k->cached_region) && slice_is(a->service, k->cached_service))
        return ERR_OK;
    if (a->date.n >= sizeof k->cached_day || a->region.n >= sizeof k->cached_region || a->service.n >= sizeof k->cached_service)
        return ERR_LIMIT;
    if (!k->cached) {
        k->cached = calloc(1, sizeof *k->cached);
        if (!k->cached) return ERR_NOMEM;
    } else {
        s3_signing_key_done(k->cached);
    }
    k->cached_day[0] = 0;
    TRY(s3_signing_key_init(k->cached, secret_slice(&k->secret_key), a->date, a->region, a->service));
    memcpy(k->cached_region, a->region.p ? (const char *)a->region.p : "", a->region.n);
    k->cached_region[a->region.n] = 0;
    memcpy(k->cached_service, a->service.p, a->service.n);
    k->cached_service[a->service.n] = 0;
    memcpy(k->cached_day, a->date.p, a->date.n);
    k->cached_day[a->date.n] = 0;
    return ERR_OK;
}

/* Who asks for its buckets, or where one is, may not know the region yet and signs for S3's first (minio's clients do). */
static bool may_be_global(const struct gate_request *r, const struct s3_auth *a)
{
    bool asks = slice_is(r->s3.path, "/") || s3_param_find(r->s3.params, r->s3.param_count, "location");
    return asks && slice_is(r->s3.method, "GET") && slice_is(a->region, "us-east-1");
}

static bool is_global(const struct gate_request *r) { return r->op == S3_OP_ListBuckets || r->op == S3_OP_GetBucketLocation; }

/* IAM and STS are asked by POST / under names of their own; one region serves them. */
static bool is_iam(const struct gate_request *r, const struct s3_auth *a)
{
    return slice_is(r->s3.method, "POST") && slice_is(r->s3.path, "/") && (slice_is(a->service, "iam") || slice_is(a->service, "sts"));
}

/* Which region and service the credential may name. *global: S3's first region too, until the operation is known to be one that may. */
static enum s3_error check_scope(struct gate_request *r, const struct s3_auth *a, struct slice service, bool *global)
{
    struct gate *g = r->gate;
    bool s3 = slice_eq(service, SERVICE_S3), any = g->conf.any_region;
    *global = s3 && may_be_global(r, a);
    if (s3 && is_iam(r, a)) {
        any |= slice_is(a->region, "us-east-1");
        service = a->service;
    }
    return s3_auth_check_scope(a, slice_str(g->region), any || *global, service, &r->fault);
}

/* The one body that is in the ASK: its digest is signed. */
static void check_form_digest(struct gate_request *r)
{
    uint8_t digest[HASH_BYTES], said[HASH_BYTES];
    if (r->op != S3_OP_IamOrSts || request_is_control(r) || r->fault.code != S3E_NONE) return;
    ledger_sha256(&r->gate->hash, r->ask.form, digest);
    if (hex_fixed(r->s3.payload_hash, said, sizeof said) != ERR_OK || memcmp(said, digest, sizeof said) != 0)
        s3_fault_set(&r->fault, S3E_XAmzContentSHA256Mismatch, NULL);
}

/* What everyone's request goes through once its signature is right. From here on a refusal gets a leaf. */
static void take_proven(struct gate_request *r, const struct s3_auth *a, bool names, bool global)
{
    struct gate *g = r->gate;
    enum s3_error e = S3E_NONE;
    if (r->fault.code == S3E_NONE) e = s3_auth_check_time(a, r->now_ms, &r->fault);
    if (e != S3E_NONE && r->fault.code == S3E_NONE) s3_fault_set(&r->fault, e, NULL);
    take_unsigned(r);
    if (names) take_name(r);                       /* the API names things in its own way */
    check_form_digest(r);
    if (global && !g->conf.any_region && !is_global(r) && r->fault.code == S3E_NONE)
        (void)!s3_auth_check_scope(a, slice_str(g->region), false, SERVICE_S3, &r->fault);
}

/* sessions under a grant ------------------------------------------------------------------------------------------------------- */

static bool on_access(const struct gate_request *r) { return r->conn && r->conn->role == WIRE_ROLE_ACCESS; }

/* How a session may come: through its own front, by a signed header, once. What came before this gate began may have been taken by the one before. */
static void session_manners(struct gate_request *r, struct verified *v, const struct session *s, const uint8_t signature[HASH_BYTES])
{
    struct gate *g = r->gate;
    v->repeats = repeat_count(g->repeats, signature, true, r->now_ms);
    /* What was taken has its leaf, whatever the clock says now; and what was forgotten may have been taken. */
    bool before = v->signed_ms < MAX(MAX(g->started_ms, v->tenant->before_ms), repeats_forgot_ms(g->repeats));
    bool repeated = (v->repeats > 1 || before) && !BREAK("staff-repeat-accepted");
    if (r->fault.code != S3E_NONE) return;
    if (!on_access(r) && !BREAK("sts-on-front")) s3_fault_set(&r->fault, S3E_InvalidToken, "Sessions under a grant are taken on the access front alone");
    else if (s->expires_ms <= r->now_ms) s3_fault_set(&r->fault, S3E_ExpiredToken, NULL);
    else if (r->ask.auth != WIRE_AUTH_HEADER && !BREAK("staff-presigned-accepted")) v->why = "presigned";
    else if (repeated) v->why = "repeated";
    if (v->why) s3_fault_set(&r->fault, S3E_AccessDenied, v->why[0] == 'p' ? "A session under a grant signs headers; a presigned URL is not taken" : "A request under a grant is taken once");
}

static const struct verified *verify_session(struct gate_request *r, const struct s3_auth *a)
{
    struct gate *g = r->gate;
    struct session s;
    struct s3_signing_key *k;
    enum err opened = session_signing(g, a, &s, &k);
    if (opened != ERR_OK) return not_proven(r, NULL, opened == ERR_MISSING || opened == ERR_VERIFY ? S3E_InvalidToken : S3E_InternalError);
    struct gate_tenant *t = map_get(g->tenants, slice_of(s.tenant, ID_BYTES));   /* LAW-5: the token's; nothing names another */
    bool global = may_be_global(r, a);
    enum s3_error e = s3_auth_check_scope(a, slice_str(g->region), g->conf.any_region || global, SERVICE_S3, &r->fault);
    if (e == S3E_NONE) e = slice_is(a->access_key, s.access_key) ? s3_verify(k, a, r->ask.canonical) : S3E_InvalidAccessKeyId;
    if (e != S3E_NONE) return not_proven(r, t, e);
    take_proven(r, a, true, global);
    for (size_t i = 0; i < g->tenant_count && BREAK("tenant-by-bucket"); i++)
        if (tenants_bucket(g->tenant_list[i], r->name.bucket)) t = g->tenant_list[i];
    struct verified *v = verified_make(r, POLICY_AUTH_STS, t, NULL, 1);
    v->signed_ms = a->time_ms;
    memcpy(v->session.grant, s.grant, ID_BYTES);
    tenants_id_text(s.grant, v->session.grant_text);
    memcpy(v->session.account, s.account, sizeof s.account);
    memcpy(v->session.country, s.country, sizeof s.country);
    memcpy(v->session.access_key, s.access_key, sizeof s.access_key);
    session_manners(r, v, &s, a->sig);
    return v;
}

/* the customer's own ----------------------------------------------------------------------------------------------------------- */

static const struct verified *verify_signed(struct gate_request *r, struct slice service)
{
    struct gate *g = r->gate;
    struct s3_auth a;
    enum s3_error e = s3_auth_gate((enum s3_auth_kind)r->ask.auth, r->ask.credential, r->ask.signature, &r->s3, &a, &r->fault);
    if (e != S3E_NONE) return not_proven(r, NULL, e);
    struct gate_key *k = tenants_key(g, a.access_key);
    if (!k && a.token.n && slice_eq(service, SERVICE_S3)) return verify_session(r, &a);
    if (!k) {
        s3_fault_add(&r->fault, "AWSAccessKeyId", a.access_key);
        return not_proven(r, NULL, S3E_InvalidAccessKeyId);
    }
    struct gate_tenant *t = k->tenant;             /* LAW-5: from here on nothing names another tenant */
    bool global;
    e = check_scope(r, &a, service, &global);
    if (e != S3E_NONE) return not_proven(r, t, e);
    if (signing_key(k, &a) != ERR_OK) return not_proven(r, t, S3E_InternalError);
    e = s3_verify(k->cached, &a, r->ask.canonical);
    if (e != S3E_NONE && !BREAK("signature-unchecked")) {
        s3_fault_add(&r->fault, "AWSAccessKeyId", a.access_key);
        return not_proven(r, t, e);
    }
    if (a.token.n) s3_fault_set(&r->fault, S3E_InvalidToken, NULL);
    if (on_access(r) && !BREAK("own-on-access")) s3_fault_set(&r->fault, S3E_AccessDenied, "This front is for sessions under a grant");
    take_proven(r, &a, slice_eq(service, SERVICE_S3), global);
    for (size_t i = 0; i < g->tenant_count && BREAK("tenant-by-bucket"); i++)
        if (r->name.bucket.n && tenants_bucket(g->tenant_list[i], r->name.bucket)) t = g->tenant_list[i];
    bool changes = r->op != S3_OP_NONE ? s3_op_row(r->op)->kind == S3_KIND_WRITE || s3_op_row(r->op)->kind == S3_KIND_CONFIG
                                       : !slice_is(r->s3.method, "GET") && !slice_is(r->s3.method, "HEAD");
    uint32_t repeats = repeat_count(g->repeats, a.sig, changes, r->now_ms);
    if (repeats > 1) k->repeats++;
    struct verified *v = verified_make(r, r->ask.auth == WIRE_AUTH_QUERY ? POLICY_AUTH_QRY : POLICY_AUTH_HDR, t, k, repeats);
    v->signed_ms = a.time_ms;
    return v;
}

/* forms ---------------------------------------------------------------------------------------------------------------------- */

static struct slice form_field(const struct gate_request *r, const char *name)
{
    struct reader list = reader_of(r->ask.form);
    struct wire_header h;
    while (wire_next_header(&list, &h))
        if (slice_ieq(h.name, slice_str(name))) return h.value;
    return slice_of(NULL, 0);
}

/* AKID/date/region/s3/aws4_request; what it says otherwise gives another key and so no signature. */
static enum s3_error form_credential(struct gate_request *r, struct s3_auth *a)
{
    struct slice rest = r->ask.credential, end;
    rest = slice_cut(rest, '/', &a->access_key);
    rest = slice_cut(rest, '/', &a->date);
    rest = slice_cut(rest, '/', &a->region);
    rest = slice_cut(rest, '/', &a->service);
    slice_cut(rest, '/', &end);
    a->kind = S3_AUTH_HEADER;
    if (a->date.n != 8 || !slice_is(end, "aws4_request") || hex_fixed(r->ask.signature, a->sig, HASH_BYTES) != ERR_OK)
        return s3_fault_set(&r->fault, S3E_AuthorizationHeaderMalformed, "The credential or signature of the form is malformed");
    return S3E_NONE;
}

static enum s3_error form_signature(struct gate_request *r, struct gate_key *k, const struct s3_auth *a, struct slice policy64)
{
    uint8_t mac[HASH_BYTES];
    enum s3_error e = s3_auth_check_scope(a, slice_str(r->gate->region), r->gate->conf.any_region, SERVICE_S3, &r->fault);
    if (e != S3E_NONE) return e;
    if (signing_key(k, a) != ERR_OK || s3_hmac(k->cached, policy64, mac) != ERR_OK) return S3E_InternalError;
    return ct_equal(mac, a->sig, HASH_BYTES) ? S3E_NONE : S3E_SignatureDoesNotMatch;
}

/* A form's signature covers its policy, and the policy what the fields may be: op_form.c compares those. */
static const struct verified *verify_form(struct gate_request *r)
{
    struct gate *g = r->gate;
    struct s3_auth a = {0};
    struct slice policy64 = form_field(r, "policy");
    bool v2 = r->ask.credential.n <= FORM_V2_ACCESS_KEY_CHARS_MAX && !memchr(r->ask.credential.p ? r->ask.credential.p : (const uint8_t *)"", '/', r->ask.credential.n);
    enum s3_error e = S3E_NONE;
    if (!slice_is(r->s3.method, "POST") || !policy64.p) return not_proven(r, NULL, S3E_InvalidRequest);
    if (v2 && !g->conf.form_v2) return not_proven(r, NULL, S3E_InvalidRequest);
    if (v2) a.access_key = r->ask.credential;
    else e = form_credential(r, &a);
    if (e != S3E_NONE) return not_proven(r, NULL, e);
    struct gate_key *k = tenants_key(g, a.access_key);
    if (!k) return not_proven(r, NULL, S3E_InvalidAccessKeyId);
    if (!v2) e = form_signature(r, k, &a, policy64);
    else if (!s3_post_v2_ok(secret_slice(&k->secret_key), policy64, r->ask.signature)) e = S3E_SignatureDoesNotMatch;
    if (e != S3E_NONE && !BREAK("signature-unchecked")) return not_proven(r, k->tenant, e);
    /* Proven. */
    if (v2) ledger_sha256(&g->hash, r->ask.signature, a.sig);
    take_unsigned(r);
    take_name(r);
    if (r->op != S3_OP_PostObject && r->fault.code == S3E_NONE) s3_fault_set(&r->fault, S3E_MethodNotAllowed, NULL);
    uint32_t repeats = repeat_count(g->repeats, a.sig, true, r->now_ms);
    return verified_make(r, POLICY_AUTH_FORM, k->tenant, k, repeats);
}

const struct verified *step_verify_auto(struct gate_request *r, struct gate_tenant *t)
{
    ASSERT(!r->conn);                              /* nobody asked: no peer's request becomes the gate's own */
    return verified_make(r, POLICY_AUTH_AUTO, t, NULL, 1);
}

void step_verify_chunks(struct gate_request *r, struct s3_chain *c, struct slice rows, struct slice trailer)
{
    struct gate_key *k = r->verified->key;
    struct s3_fault fault = {0};
    struct s3_auth a;
    ASSERT(r->verified->magic == VERIFIED_MAGIC && k);       /* anonymous bodies have no chain */
    enum s3_error e = s3_auth_gate((enum s3_auth_kind)r->ask.auth, r->ask.credential, r->ask.signature, &r->s3, &a, &fault);
    if (e != S3E_NONE || signing_key(k, &a) != ERR_OK) {
        c->broken = true;
        return;
    }
    struct reader in = reader_of(rows);
    while (e == S3E_NONE && reader_left(&in) > 0) {
        struct slice digest = reader_slice(&in, HASH_BYTES), signature = reader_slice(&in, HASH_BYTES);
        if (in.bad) c->broken = true;
        e = in.bad ? S3E_InvalidRequest : s3_chain_chunk(c, k->cached, &a, digest.p, signature.p);
    }
    if (e == S3E_NONE && trailer.n == WIRE_CHUNK_ROW_BYTES) e = s3_chain_trailer(c, k->cached, &a, trailer.p, trailer.p + HASH_BYTES);
    ASSERT(e == S3E_NONE || c->broken);
}

const struct verified *step_verify(struct gate_request *r, struct slice service)
{
    r->fault.code = S3E_NONE;
    /* Exactly the bytes the signature covers are read; they are written again and compared (s3_canon_parse). */
    enum err e = s3_canon_parse(r->ask.canonical, &r->mem, &r->s3);
    if (e != ERR_OK) return not_proven(r, NULL, e == ERR_LIMIT ? S3E_RequestHeaderSectionTooLarge : S3E_InvalidRequest);
    memcpy(r->headers, r->s3.headers, r->s3.header_count * sizeof r->headers[0]);
    r->header_count = r->s3.header_count;
    if (on_access(r) && r->ask.auth != WIRE_AUTH_HEADER && r->ask.auth != WIRE_AUTH_QUERY) return not_proven(r, NULL, S3E_AccessDenied);
    if (r->ask.auth == WIRE_AUTH_NONE) return verify_anonymous(r);
    if (r->ask.auth == WIRE_AUTH_FORM && slice_eq(service, SERVICE_S3)) return verify_form(r);
    if (r->ask.auth != WIRE_AUTH_HEADER && r->ask.auth != WIRE_AUTH_QUERY) return not_proven(r, NULL, S3E_InvalidRequest);
    return verify_signed(r, service);
}
