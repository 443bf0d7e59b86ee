/* SPDX-License-Identifier: Apache-2.0
 * say_mirror: the provider's people as the gate folds them, and what of them is written into tenants' control logs before anything there relies on it.
 * Role: tenants.c and statements.c give every leaf of the provider log; say.c, flow.c and say_grant.c ask for mirrors. Trusts: policy_mirrors() for which are
 * needed, and in which order. Distrusts: nothing but its own logs. Law: 4 (a tenant's decisions hang on its own control log alone).
 * Spec: docs/spec/access.md section 2.
 */
#include "gate/say_internal.h"

#include <stdlib.h>

#include "gate/nonces.h"

#define MIRROR_ROUNDS_MAX 4096                     /* of POLICY_MIRRORS_MAX each: more than a tenant's open grants can rely on */

void say_source_done(struct say_source *x)
{
    buf_done(&x->act), buf_done(&x->who), buf_done(&x->stmt);
}

struct gate_say *say_state(struct gate *g)
{
    if (g->say) return g->say;
    struct gate_say *s = calloc(1, sizeof *s);
    ASSERT(s);
    list_init(&s->fresh);
    list_init(&s->failed);
    s->taken = nonces_new(NONCES_STATEMENTS, 2 * STATEMENT_SKEW_MS);
    s->told = nonces_new(NONCES_STATEMENTS, 2 * STATEMENT_SKEW_MS);
    enum err e = policy_provider_init(&s->provider);
    ASSERT(e == ERR_OK);
    g->say = s;
    return s;
}

struct nonces *say_nonces(struct gate *g) { return say_state(g)->taken; }

enum err say_provider_open(struct gate *g)
{
    ASSERT(!g->say);
    say_state(g);
    return ERR_OK;
}

enum err say_provider_apply(struct gate *g, uint64_t index, struct slice leaf, struct slice opening)
{
    struct record_leaf l;
    struct record_opening o = {0};
    TRY(record_leaf_parse(leaf, RECORD_LOG_PROVIDER, &l));
    if (l.kind != RECORD_K_GENESIS && l.kind != RECORD_K_STMT) return ERR_OK;
    TRY(record_opening_parse(opening, &o));
    TRY(record_opening_check(&g->hash, &l, &o));   /* LAW-6: as for a tenant's control log */
    return policy_provider_apply(&say_state(g)->provider, index, &l, &o);
}

/* one mirror ------------------------------------------------------------------------------------------------------------------------- */

enum err say_read(struct gate_log *l, uint64_t index, bool opened, struct say_read *out)
{
    *out = (struct say_read){.leaf_bytes = BUF_INIT(LEAF_BYTES_MAX), .opening_bytes = BUF_INIT(OPENING_BYTES_MAX)};
    TRY(log_read(l, index, &out->leaf_bytes, opened ? &out->opening_bytes : NULL));
    TRY(record_leaf_parse(buf_slice(&out->leaf_bytes), RECORD_LOG_ANY, &out->leaf));
    return out->opening_bytes.n ? record_opening_parse(buf_slice(&out->opening_bytes), &out->opening) : ERR_OK;
}

void say_read_done(struct say_read *x) { buf_done(&x->leaf_bytes), buf_done(&x->opening_bytes); }

struct slice say_opened(const struct say_read *x, enum record_field f)
{
    const struct record_opened *o = record_opened_field(&x->opening, f);
    return o && !o->erased ? o->value : (struct slice){0};
}

/* Genesis says whose keys are officers', not which of them signed: that is in the signature. */
static enum err genesis_signer(struct gate *g, struct slice stmt, struct record_sshsig *sig)
{
    struct record_stmt_value v;
    TRY(record_stmt_value_get(stmt, &v));
    return record_sshsig_verify(&g->hash, v.signature, v.text, RECORD_STATEMENT_NAMESPACE, sig);
}

static enum err mirror_append(struct gate *g, struct gate_tenant *t, struct say_leaf *p, uint64_t ref)
{
    uint64_t now, index;
    p->mirror = true;
    p->ref = ref;
    TRY(log_time(t->control, loop_wall_ms(g->loop), &now));
    return say_append(g, t, p, now, NULL, &index);
}

static enum err mirror_read(struct gate *g, struct gate_tenant *t, uint64_t ref)
{
    AUTO(say_read) struct say_read x;
    struct record_sshsig sig;
    TRY(say_read(g->provider, ref, true, &x));
    struct say_leaf p = {.act = record_text(&x.leaf, RECORD_F_ACT), .auth = record_text(&x.leaf, RECORD_F_AUTH), .stmt = say_opened(&x, RECORD_F_STMT),
                         .who = say_opened(&x, RECORD_F_WHO)};
    if (x.leaf.kind == RECORD_K_GENESIS) {
        TRY(genesis_signer(g, p.stmt, &sig));
        p.act = SLICE_LIT("genesis.provider");
        p.auth = sig.key.sk ? SLICE_LIT("sk") : SLICE_LIT("ssh");
        p.who = slice_str(sig.key.fingerprint);
    }
    if (!p.stmt.n || !p.who.n || !p.auth.n) return ERR_MISSING;       /* erased: what it said is not known any more */
    return mirror_append(g, t, &p, ref);
}

static enum err mirror_one(struct gate *g, struct gate_tenant *t, uint64_t ref)
{
    struct gate_say *s = say_state(g);
    for (struct list *at = s->fresh.next; at != &s->fresh; at = at->next) {
        const struct say_source *x = container_of(at, struct say_source, node);
        if (x->index != ref) continue;
        struct say_leaf p = {.act = buf_slice(&x->act), .auth = slice_str(x->auth), .stmt = buf_slice(&x->stmt), .who = buf_slice(&x->who)};
        return mirror_append(g, t, &p, ref);
    }
    return mirror_read(g, t, ref);
}

/* all that are needed ---------------------------------------------------------------------------------------------------------------- */

enum err say_mirror(struct gate *g, struct gate_tenant *t, const struct policy_statement *st)
{
    uint64_t need[POLICY_MIRRORS_MAX], last = UINT64_MAX;
    if (log_size(t->control) == 0) return ERR_OK;
    for (unsigned round = 0; round < MIRROR_ROUNDS_MAX; round++) {
        size_t n = policy_mirrors(t->state, &say_state(g)->provider, st, need);
        if (n == 0) return ERR_OK;
        ASSERT(n <= POLICY_MIRRORS_MAX);
        if (need[0] == last) return ERR_CORRUPT;   /* it was just mirrored, and is not up to date: it never will be */
        last = need[0];
        if (!logbook_ready(g->logbook, false)) return ERR_FULL;
        for (size_t i = 0; i < n; i++) TRY(mirror_one(g, t, need[i]));
    }
    return ERR_LIMIT;
}

void say_mirror_all(struct gate *g)
{
    struct gate_say *s = say_state(g);
    s->behind = false;
    for (size_t i = 0; i < g->tenant_count; i++) {
        enum err e = say_mirror(g, g->tenant_list[i], NULL);
        if (e == ERR_OK) continue;
        s->behind = true;
        log_line(LOG_ERROR, "mirror-not-written", "tenant=%zu err=%s", i, err_name(e));
    }
}
