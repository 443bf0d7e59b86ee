/* SPDX-License-Identifier: Apache-2.0
 * provider_replay: the provider log from its export: every statement's signature, and what came of it.
 * Role: the provider's officers, or whom they give the export, run it (`tillit-verify replay OUT --provider-vkey`). Trusts: the vkey.
 * Distrusts: the export, the gate that wrote it. Law: 4, 6. Spec: docs/spec/access.md sections 1 and 7, docs/spec/export.md
 */
#include "verify/verify.h"

struct provider {
    struct verify_report *report;
    struct ledger_hash hash;
    struct verify_export log;
    struct policy_provider state;
    struct verify_statements statements;
    struct map *tenants;                              /* ids of those that were created */
    uint64_t t_ms, said, erased, early;               /* early: named a tenant that was there, of whose genesis nothing stands here */
    bool broken, unknown;                             /* unknown: a statement was erased: outcomes are counted, not judged, from there on */
};

static const char *same_thing(const struct record_leaf *l, const struct record_statement *s)
{
    if (!record_kind_has_terms(s->kind) && !slice_is(record_text(l, RECORD_F_DEC), "deny")) return "what was taken of this kind stands in a leaf of its own";
    if (!slice_is(record_text(l, RECORD_F_ACT), record_statement_kind_text(s->kind))) return "act is another kind than the statement's";
    return record_has(l, RECORD_F_REF) ? "a mirror, on the provider log" : NULL;
}

/* A tenant's statements stand here only when there is no such tenant, or before its genesis: it has no log then. */
static enum policy_say outcome(struct provider *p, const struct record_leaf *l, const struct policy_statement *said)
{
    enum policy_say before = verify_said_before(&p->statements, l, said->s);
    if (before != POLICY_SAY_DONE) return before;
    bool tenants = (said->s->have & RECORD_S_TENANT) && said->s->kind != RECORD_STATEMENT_TENANT_CREATE;
    return tenants ? POLICY_SAY_NO_TENANT : policy_provider_say(&p->state, said);
}

static void stmt(struct provider *p, uint64_t index, const struct record_leaf *l, const struct record_opening *o)
{
    struct verify_signed v;
    if (!record_opened_field(o, RECORD_F_STMT) || !record_opened_field(o, RECORD_F_WHO)) {
        p->erased++;
        p->unknown |= slice_is(record_text(l, RECORD_F_DEC), "allow");
        verify_note(p->report, "provider/%llu: the statement, or who signed it, was erased and cannot be checked", (unsigned long long)index);
        return;
    }
    const char *why = verify_signature(&p->hash, l, o, NULL, &v);
    p->said++;
    if (why || (why = same_thing(l, &v.statement))) {
        verify_find(p->report, v.signer.key.p ? "wrong-statement" : "bad-signature", "provider", index, "%s", why);
        return;
    }
    struct policy_statement said = {.s = &v.statement, .signer = v.signer, .t_ms = record_int(l, RECORD_F_T, 0)};
    memcpy(said.digest, v.digest, HASH_BYTES);
    bool early = (v.statement.have & RECORD_S_TENANT) && map_get(p->tenants, slice_of(v.statement.tenant, ID_BYTES));
    /* Attack: a refusal is kept from the tenant's own log. When its genesis was said is known there alone: its owner can tell, this log cannot. */
    if (early)
        p->early++, verify_note(p->report, "provider/%llu: a statement about a tenant that was created before; right here only when its control log began later", (unsigned long long)index);
    if (p->unknown) p->erased++;
    else verify_said(&p->statements, "provider", index, l, &v.statement, outcome(p, l, &said), p->report);
}

/* Which tenants there are is said by the statement under each `tenant` leaf. */
static void tenant_keep(struct provider *p, const struct record_leaf *l, const struct record_opening *o)
{
    static char mark;
    struct record_stmt_value v;
    struct record_statement s;
    const struct record_opened *x = record_opened_field(o, RECORD_F_STMT);
    if (l->kind != RECORD_K_TENANT || !x || record_stmt_value_get(x->value, &v) != ERR_OK || record_statement_parse(v.text, &s) != ERR_OK) return;
    if (map_put(p->tenants, slice_of(s.tenant, ID_BYTES), &mark) == ERR_NOMEM) p->broken = true;
}

static void leaf(struct provider *p, uint64_t index)
{
    const struct record_leaf *l = &p->log.leaf;
    const struct record_opening *o = &p->log.opening;
    uint64_t t = record_int(l, RECORD_F_T, 0);
    if (t < p->t_ms) verify_find(p->report, "time-falls", "provider", index, "t is %llu after %llu", (unsigned long long)t, (unsigned long long)p->t_ms);
    p->t_ms = t;
    if (l->kind == RECORD_K_SUM || l->kind == RECORD_K_START || p->broken) return;
    tenant_keep(p, l, o);
    if (l->kind == RECORD_K_STMT) stmt(p, index, l, o);
    else verify_statement_check(&p->statements, NULL, p->state.people, index, l, o, &p->hash, p->report);
    enum err e = policy_provider_apply(&p->state, index, l, o);
    if (e == ERR_OK) return;
    verify_find(p->report, "bad-provider", "provider", index, "the leaf cannot be folded here: %s", err_text(e));
    p->broken = true;                                 /* what follows would be judged by a state that is none */
}

static int run(struct provider *p, const struct verify_replay_args *a)
{
    const char *why;
    enum err e;
    if (verify_export_open(&p->log, a->dir, "provider") != ERR_OK) {
        fprintf(stderr, "tillit-verify replay: %s must hold provider.jsonl: `tillit-gate DIR --export-provider OUT` writes it\n", a->dir);
        return VERIFY_EXIT_REACH;
    }
    while ((e = verify_export_next(&p->log, &p->hash, RECORD_LOG_PROVIDER, &why)) == ERR_OK) leaf(p, p->log.next - 1);
    if (e != ERR_MISSING) verify_find(p->report, "bad-export", "provider", p->log.next, "%s: %s", why, err_text(e));
    int code = verify_replay_tree(a, &p->log, "provider", a->provider_vkey, a->provider_url, &p->hash, p->report);
    verify_fact(p->report, "provider records", p->log.next);
    verify_fact(p->report, "statements checked", p->statements.checked + p->said);
    verify_fact(p->report, "erased, not recomputed", p->erased);
    if (p->early) verify_fact(p->report, "about tenants without a genesis, by this log", p->early);
    return code;
}

int verify_replay_provider(const struct verify_replay_args *a, struct verify_report *r)
{
    struct provider p = {.report = r, .statements.nonces = map_new(VERIFY_KEYS_MAX), .tenants = map_new(VERIFY_KEYS_MAX)};
    int code = VERIFY_EXIT_INTERNAL;
    if (p.statements.nonces && p.tenants && ledger_hash_init(&p.hash) == ERR_OK && policy_provider_init(&p.state) == ERR_OK) code = run(&p, a);
    verify_export_close(&p.log);
    policy_provider_done(&p.state);
    map_free(p.statements.nonces);
    map_free(p.tenants);
    ledger_hash_done(&p.hash);
    return code;
}
