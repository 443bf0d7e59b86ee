/* SPDX-License-Identifier: Apache-2.0
 * Who could read an object now: everyone there is, asked of decide() itself.
 * Role: `tillit who-can` and GET /v1/who-can. Trusts: the state. Distrusts: that a list of rights could say it: no rule is read here.
 * Law: 4. Spec: docs/spec/policy.md section 7.
 *
 * What a caller may send with a request is not known here: addresses, headers and tags that conditions ask for are taken as absent, over TLS.
 */
#include "policy/policy_access_internal.h"

#define PRINCIPAL_CHARS (ACCOUNT_CHARS + 1 + POLICY_USER_CHARS_MAX)

struct ask {
    const struct policy_state *s;
    struct policy_request r;
    void (*f)(void *ctx, const struct policy_can *c);
    void *ctx;
};

static void ask(struct ask *a, struct policy_can *c) {
    struct policy_decision d = policy_decide(a->s, &a->r);
    c->auth = a->r.auth;
    c->allow = d.allow;
    c->reason = d.reason;
    a->f(a->ctx, c);
}

static struct slice principal(char out[PRINCIPAL_CHARS], const char *account, const char *user) {
    size_t n = strlen(account), m = strlen(user);
    ASSERT(n + 1 + m <= PRINCIPAL_CHARS);
    memcpy(out, account, n);
    out[n] = ':';
    memcpy(out + n + 1, user, m);
    return slice_of(out, n + 1 + m);
}

/* Everyone's best key: one that is on, when there is one. Values are row numbers + 1. NULL: no memory for it. */
static struct map *best_keys(const struct policy_state *s) {
    const struct policy_key *keys = (const struct policy_key *)(const void *)s->keys.p;
    struct map *best = map_new(POLICY_KEYS_MAX);
    for (size_t i = 0; best != NULL && i < s->keys.n / sizeof *keys; i++) {
        char text[PRINCIPAL_CHARS];
        struct slice who = principal(text, keys[i].account, keys[i].user);
        const void *have = map_get(best, who);
        bool better = have == NULL || (keys[i].on && !keys[(uintptr_t)have - 1].on);
        if (have != NULL && better) (void)map_del(best, who);
        if (better && map_put(best, who, (void *)(uintptr_t)(i + 1)) != ERR_OK) {
            map_free(best);
            return NULL;
        }
    }
    return best;
}

static void ask_key(struct ask *a, const char *account, const char *user, const char *access_key) {
    struct policy_can c = {.account = slice_str(account), .user = slice_str(user)};
    a->r.auth = POLICY_AUTH_HDR;
    a->r.who = (struct policy_who){.account = c.account, .user = c.user, .access_key = slice_str(access_key)};
    ask(a, &c);
}

static void ask_grant(struct ask *a, const struct policy_grant *g) {
    struct policy_can c = {.account = slice_str(g->account)};
    struct buf id = BUF_INIT(ID_TEXT_CHARS);
    buf_put_base32(&id, slice_of(g->id, ID_BYTES));
    memcpy(c.grant, g->id, ID_BYTES);
    a->r.auth = POLICY_AUTH_STS;
    a->r.who = (struct policy_who){.account = c.account, .user = buf_slice(&id)};
    memcpy(a->r.grant, g->id, ID_BYTES);
    ask(a, &c);
    buf_done(&id);
}

void policy_who_can(const struct policy_state *s, struct slice bucket, struct slice key, uint64_t t_ms,
                    void (*f)(void *ctx, const struct policy_can *c), void *ctx) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    struct ask a = {.s = s, .r = {.act = POLICY_ACT_GetObject, .bucket = bucket, .key = key, .tls = true, .t_ms = t_ms, .object_known = true},
                    .f = f, .ctx = ctx};
    const struct policy_key *keys = (const struct policy_key *)(const void *)s->keys.p;
    const struct policy_user *users = (const struct policy_user *)(const void *)s->users.p;
    struct map *best = best_keys(s);
    for (size_t i = 0; i < s->keys.n / sizeof *keys; i++) {
        char text[PRINCIPAL_CHARS];
        bool its = best == NULL || map_get(best, principal(text, keys[i].account, keys[i].user)) == (void *)(uintptr_t)(i + 1);
        /* Keys of a user who was deleted are nobody's. */
        bool there = strcmp(keys[i].user, POLICY_USER_ROOT) == 0 || policy_user(s, slice_str(keys[i].account), slice_str(keys[i].user)) != NULL;
        if (its && there) ask_key(&a, keys[i].account, keys[i].user, keys[i].access_key);
    }
    for (size_t i = 0; i < s->users.n / sizeof *users; i++) {
        char text[PRINCIPAL_CHARS];
        bool keyless = best == NULL || map_get(best, principal(text, users[i].account, users[i].name)) == NULL;
        if (keyless) ask_key(&a, users[i].account, users[i].name, "");
    }
    map_free(best);
    struct policy_can nobody = {0};
    a.r.auth = POLICY_AUTH_ANON;
    a.r.who = (struct policy_who){0};
    ask(&a, &nobody);
    size_t cursor = 0;
    for (const struct policy_grant *g; (g = policy_grant_next(s, &cursor)) != NULL;) ask_grant(&a, g);
}
