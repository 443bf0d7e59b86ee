/* SPDX-License-Identifier: Apache-2.0
 * session: a token is its session, sealed: the gate keeps nothing between login and the last request.
 * Role: say.c makes one at login, step_verify.c opens one with each request. Trusts: the tenant's state key, which nobody else has.
 * Distrusts: tokens as presented: what is not sealed here, for this tenant, tells nothing.
 * Law: 3 (sealed), 5 (the token's tenant opens it or nobody's key does). Spec: docs/spec/access.md section 5, docs/spec/keys.md.
 *
 *   token   = base64url of: id tenant | sealed under the tenant's state key, associated data = "tillit session" | id tenant
 *   session = u8 1 | id grant | lp16 account | 2 letters country | 20 characters access key | 40 characters secret | u64 expires, ms
 */
#include "gate/session.h"

#include <stdlib.h>

#define SESSION_VERSION 1
#define SESSION_PREFIX "ASIA"
#define SESSION_RANDOM_BYTES 10                    /* 16 characters of base32 */
#define SESSION_SECRET_BYTES 30                    /* 40 characters of base64 */

static void session_aad(const uint8_t tenant[ID_BYTES], struct buf *out)
{
    buf_put_str(out, "tillit session");
    buf_put(out, tenant, ID_BYTES);
}

/* A fresh pair: the prefix tells clients, and people, that it is worth nothing without its token. */
static void session_keys(const struct rng *rng, struct session *s)
{
    uint8_t random[SESSION_SECRET_BYTES];
    AUTO(buf) struct buf name = BUF_INIT(SESSION_ACCESS_KEY_CHARS);
    struct buf secret = BUF_INIT(SECRET_KEY_CHARS);
    rng_fill(rng, random, SESSION_RANDOM_BYTES);
    buf_put_str(&name, SESSION_PREFIX);
    buf_put_base32(&name, slice_of(random, SESSION_RANDOM_BYTES));
    ASSERT(buf_ok(&name) && name.n == SESSION_ACCESS_KEY_CHARS);
    for (size_t i = 0; i < name.n; i++) s->access_key[i] = (char)(name.p[i] >= 'a' && name.p[i] <= 'z' ? name.p[i] - 'a' + 'A' : name.p[i]);
    s->access_key[name.n] = 0;
    rng_fill(rng, random, sizeof random);
    buf_put_base64(&secret, slice_of(random, sizeof random));
    ASSERT(buf_ok(&secret) && secret.n == SECRET_KEY_CHARS);
    memcpy(s->secret_key, secret.p, secret.n);
    s->secret_key[secret.n] = 0;
    wipe(random, sizeof random);
    buf_wipe_done(&secret);
}

static void session_put(const struct session *s, struct buf *out)
{
    buf_put_u8(out, SESSION_VERSION);
    buf_put(out, s->grant, ID_BYTES);
    buf_put_lp16(out, slice_str(s->account));
    buf_put(out, s->country, sizeof s->country - 1);
    buf_put(out, s->access_key, SESSION_ACCESS_KEY_CHARS);
    buf_put(out, s->secret_key, SECRET_KEY_CHARS);
    buf_put_u64(out, s->expires_ms);
}

enum err session_make(struct gate *g, struct gate_tenant *t, struct session *s, struct buf *token)
{
    struct buf plain = BUF_INIT(SESSION_BYTES_MAX);
    AUTO(buf) struct buf aad = BUF_INIT(64), bytes = BUF_INIT(ID_BYTES + SESSION_BYTES_MAX + KEYS_SEAL_EXTRA_BYTES);
    ASSERT(strlen(s->country) == sizeof s->country - 1 && s->account[0]);
    memcpy(s->tenant, t->id, ID_BYTES);
    session_keys(g->rng, s);
    session_put(s, &plain);
    session_aad(t->id, &aad);
    buf_put(&bytes, t->id, ID_BYTES);
    ASSERT(buf_ok(&plain));                        /* its parts have their bounds */
    enum err e = keys_seal(g->crypto, g->rng, &t->state_key, buf_slice(&aad), buf_slice(&plain), &bytes);
    buf_wipe_done(&plain);
    TRY(e);
    buf_put_base64url(token, buf_slice(&bytes));
    return buf_ok(token) ? ERR_OK : ERR_LIMIT;
}

static enum err session_get(struct slice plain, struct session *s)
{
    struct reader in = reader_of(plain);
    if (reader_u8(&in) != SESSION_VERSION) return ERR_VERIFY;
    struct slice grant = reader_slice(&in, ID_BYTES), account = reader_lp16(&in, POLICY_WORD_CHARS_MAX), country = reader_slice(&in, sizeof s->country - 1);
    struct slice name = reader_slice(&in, SESSION_ACCESS_KEY_CHARS), secret = reader_slice(&in, SECRET_KEY_CHARS);
    s->expires_ms = reader_u64(&in);
    if (reader_end(&in) != ERR_OK || !account.n) return ERR_VERIFY;
    memcpy(s->grant, grant.p, grant.n);
    memcpy(s->account, account.p, account.n);
    memcpy(s->country, country.p, country.n);
    memcpy(s->access_key, name.p, name.n);
    memcpy(s->secret_key, secret.p, secret.n);
    return ERR_OK;
}

enum err session_open(struct gate *g, struct slice token, struct session *s)
{
    AUTO(buf) struct buf bytes = BUF_INIT(ID_BYTES + SESSION_BYTES_MAX + KEYS_SEAL_EXTRA_BYTES), aad = BUF_INIT(64);
    struct buf plain = BUF_INIT(SESSION_BYTES_MAX);
    memset(s, 0, sizeof *s);
    if (token.n > SESSION_TOKEN_CHARS_MAX || base64url_decode(token, &bytes) != ERR_OK || bytes.n <= ID_BYTES) return ERR_VERIFY;
    struct gate_tenant *t = map_get(g->tenants, slice_of(bytes.p, ID_BYTES));
    if (!t || !t->state) return ERR_MISSING;
    session_aad(t->id, &aad);
    enum err e = keys_open(g->crypto, &t->state_key, buf_slice(&aad), slice_of(bytes.p + ID_BYTES, bytes.n - ID_BYTES), &plain);
    e = e == ERR_OK ? session_get(buf_slice(&plain), s) : ERR_VERIFY;
    memcpy(s->tenant, t->id, ID_BYTES);
    buf_wipe_done(&plain);
    if (e != ERR_OK) wipe(s, sizeof *s);
    return e;
}

/* kept ---------------------------------------------------------------------------------------------------------------------------------- */

#define SESSION_SCOPE_CHARS_MAX 80

struct kept {
    char token[SESSION_TOKEN_CHARS_MAX], scope[SESSION_SCOPE_CHARS_MAX];         /* of the signing key: date/region/service/aws4_request */
    size_t token_n, scope_n;                       /* token_n 0: empty */
    struct session s;                              /* its secret is wiped: the signing key is what it is kept for */
    struct s3_signing_key key;
};
#define KEPT_WAYS 4                                /* two that meet must not put each other out with every request */
struct sessions {
    struct kept slot[SESSIONS_KEPT];
    unsigned turn;                                 /* whose place of a full set is taken next */
};
_Static_assert(SESSIONS_KEPT % KEPT_WAYS == 0, "sets of KEPT_WAYS");

static void kept_drop(struct kept *x)
{
    if (x->token_n) s3_signing_key_done(&x->key);
    wipe(x, sizeof *x);
}

void session_forget(struct gate *g)
{
    for (size_t i = 0; g->sessions && i < SESSIONS_KEPT; i++) kept_drop(&g->sessions->slot[i]);
    free(g->sessions);
    g->sessions = NULL;
}

/* Its set, by its last characters: they are of the seal's tag, which nobody chooses. */
static struct kept *kept_set(struct gate *g, struct slice token)
{
    size_t at = 0;
    if (!g->sessions) g->sessions = calloc(1, sizeof *g->sessions);
    if (!g->sessions) return NULL;
    for (size_t i = token.n > 8 ? token.n - 8 : 0; i < token.n; i++) at = at * 31 + token.p[i];
    return &g->sessions->slot[at % (SESSIONS_KEPT / KEPT_WAYS) * KEPT_WAYS];
}

static struct kept *kept_find(struct kept *set, const struct s3_auth *a)
{
    for (struct kept *x = set; x < set + KEPT_WAYS; x++)
        if (x->token_n && slice_eq(a->token, slice_of(x->token, x->token_n)) && slice_eq(a->scope, slice_of(x->scope, x->scope_n))) return x;
    return NULL;
}

static struct kept *kept_place(struct gate *g, struct kept *set)
{
    for (struct kept *x = set; x < set + KEPT_WAYS; x++)
        if (!x->token_n) return x;
    return set + g->sessions->turn++ % KEPT_WAYS;
}

enum err session_signing(struct gate *g, const struct s3_auth *a, struct session *s, struct s3_signing_key **k)
{
    struct kept *set = kept_set(g, a->token), *x = set ? kept_find(set, a) : NULL;
    if (!set) return ERR_NOMEM;
    if (!x) {
        TRY(session_open(g, a->token, s));
        x = kept_place(g, set);
        kept_drop(x);
        if (a->scope.n > sizeof x->scope) return ERR_LIMIT;
        enum err e = s3_signing_key_init(&x->key, slice_str(s->secret_key), a->date, a->region, a->service);
        wipe(s->secret_key, sizeof s->secret_key);
        TRY(e);
        memcpy(x->token, a->token.p, a->token.n);  /* it was opened: it has its bound */
        memcpy(x->scope, a->scope.p, a->scope.n);
        x->token_n = a->token.n;
        x->scope_n = a->scope.n;
        x->s = *s;
    }
    *s = x->s;
    *k = &x->key;
    return ERR_OK;
}
