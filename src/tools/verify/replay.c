/* SPDX-License-Identifier: Apache-2.0
 * replay: every decision and every version again, from an exported log and its openings.
 * Role: folds the control log up to each access leaf's `ctl`, decides again, and keeps the newest version of every key beside it. So both logs are folded in
 *       the one order in which their leaves were appended; a leaf under a grant, on the control log, says by `acc` where it stands in it.
 * Trusts: the two vkeys. Distrusts: the export, the gate that wrote it, the keeper that was read from.
 * Law: 1, 4. Spec: docs/spec/policy.md section 4; docs/spec/record.md section 4
 */
#include "verify/replay_in.h"

#include <stdlib.h>
#include <unistd.h>

void replay_decision(struct replay *p, const char *log, uint64_t index, const struct record_leaf *l, enum err e, const struct policy_decision *d)
{
    struct slice dec = record_text(l, RECORD_F_DEC);
    if (e == ERR_OK) return;
    if (e == ERR_MISSING) p->erased++;
    else if (e == ERR_VERSION)
        verify_find(p->report, "unknown-engine", log, index, "decided by engine %llu, which is not known here", (unsigned long long)record_int(l, RECORD_F_ENG, 0));
    else if (e == ERR_RANGE)
        verify_find(p->report, "wrong-ctl", log, index, "decided under control log size %llu, %llu stand before it",
                    (unsigned long long)record_int(l, RECORD_F_CTL, 0), (unsigned long long)p->state.size);
    else if (e == ERR_VERIFY)
        verify_find(p->report, "wrong-decision", log, index, "dec says %.*s%s%.*s, recomputed %s (%s)", (int)dec.n, (const char *)dec.p,
                    record_has(l, RECORD_F_WHY) ? " " : "", (int)record_text(l, RECORD_F_WHY).n, (const char *)record_text(l, RECORD_F_WHY).p, d->allow ? "allow" : "deny",
                    policy_reason_text(d->reason));
    else
        verify_find(p->report, "bad-request", log, index, "what the leaf opens to is no request: %s", err_text(e));
}

/* the control log ---------------------------------------------------------------------------------------------------------------- */

static enum err control_load(struct replay *p)
{
    const char *why;
    enum err e;
    while ((e = verify_export_next(&p->control, &p->hash, RECORD_LOG_CONTROL, &why)) == ERR_OK) {
        if (p->leaf_count == p->leaf_cap) {
            p->leaf_cap = MAX(p->leaf_cap * 2, (uint64_t)64);
            void *grown = realloc(p->leaves, (size_t)p->leaf_cap * sizeof *p->leaves);
            if (!grown) return ERR_NOMEM;
            p->leaves = grown;
        }
        struct control_leaf *c = &p->leaves[p->leaf_count++];
        *c = (struct control_leaf){.leaf = BUF_INIT(LEAF_BYTES_MAX), .opening = BUF_INIT(OPENING_BYTES_MAX)};
        buf_put_slice(&c->leaf, p->control.leaf_text);
        buf_put_slice(&c->opening, buf_slice(&p->control.opening_bytes));
        if (!buf_ok(&c->leaf) || !buf_ok(&c->opening)) return ERR_NOMEM;
    }
    if (e != ERR_MISSING) verify_find(p->report, "bad-export", "control", p->control.next, "%s: %s", why, err_text(e));
    return ERR_OK;
}

/* How long the provider log must be for all mirrors. Attack: a `ref` of no log's length; it is looked for as others are, a bounded time. */
static uint64_t mirrored(const struct replay *p)
{
    uint64_t least = 0;
    for (uint64_t i = 0; i < p->leaf_count; i++) {
        struct record_leaf l;
        if (record_leaf_parse(buf_slice(&p->leaves[i].leaf), RECORD_LOG_CONTROL, &l) != ERR_OK || l.kind != RECORD_K_STMT || !record_has(&l, RECORD_F_REF)) continue;
        least = MAX(least, record_int(&l, RECORD_F_REF, 0) + 1);
    }
    return least;
}

/* A deleted bucket was empty: its keys' writes stand below it, for holds were waited out (rule 9). */
static void bucket_gone(struct replay *p, uint64_t index, const struct record_leaf *l)
{
    struct verify_bucket *b = map_get(p->fold.buckets, slice_of(l->f[RECORD_F_BKT].bytes, ID_BYTES));
    if (!b || b->blind) return;
    uint64_t n = verify_fold_count(&p->fold, b, VERIFY_NOWHERE);
    if (n > 0) verify_find(p->report, "bucket-not-empty", "control", index, "the bucket was deleted with %llu keys in it", (unsigned long long)n);
}

void replay_control(struct replay *p, uint64_t size)
{
    for (; p->applied < MIN(size, p->leaf_count) && !p->broken; p->applied++) {
        struct control_leaf *c = &p->leaves[p->applied];
        struct record_leaf l;
        struct record_opening o = {0};
        struct policy_decision d;
        enum err e = record_leaf_parse(buf_slice(&c->leaf), RECORD_LOG_CONTROL, &l);
        if (e == ERR_OK && c->opening.n > 0) e = record_opening_parse(buf_slice(&c->opening), &o);
        ASSERT(e == ERR_OK);                          /* they were parsed when they were read */
        if (l.kind == RECORD_K_STMT) replay_stmt(p, p->applied, &l, &o);
        else if (l.kind == RECORD_K_ACC) replay_use(p, p->applied, &l, &o);
        else if (l.kind != RECORD_K_GRANT) verify_statement_check(&p->statements, &p->state, NULL, p->applied, &l, &o, &p->hash, p->report);
        if (l.kind == RECORD_K_BKT || l.kind == RECORD_K_CFG || l.kind == RECORD_K_IAM) {
            e = policy_check(&p->state, &l, &o, &d);
            p->decisions += e != ERR_MISSING;
            replay_decision(p, "control", p->applied, &l, e, &d);
            if (l.kind == RECORD_K_BKT && record_int(&l, RECORD_F_ON, 0) == 0) bucket_gone(p, p->applied, &l);
        }
        e = policy_apply(&p->state, p->applied, &l, &o);
        if (e == ERR_OK) continue;
        verify_find(p->report, l.kind == RECORD_K_GRANT ? "wrong-grant" : "bad-control", "control", p->applied, "the leaf cannot be folded here: %s", err_text(e));
        p->broken = true;
    }
}

/* the access log ----------------------------------------------------------------------------------------------------------------- */

static void access_leaf(struct replay *p, uint64_t index)
{
    const struct record_leaf *l = &p->access.leaf;
    uint64_t t = record_int(l, RECORD_F_T, 0);
    p->before = index;
    if (t < p->t_ms) verify_find(p->report, "time-falls", "access", index, "t is %llu after %llu", (unsigned long long)t, (unsigned long long)p->t_ms);
    p->t_ms = t;
    if (l->kind == RECORD_K_ACC) {
        replay_acc(p, index, l);
        return;
    }
    if (l->kind != RECORD_K_VOID) return;
    uint64_t ref = record_int(l, RECORD_F_REF, 0);
    enum err e = ref < index ? verify_fold_void(&p->fold, ref) : ERR_MISSING;
    p->voids++;
    if (e != ERR_OK)
        verify_find(p->report, "bad-void", "access", index, e == ERR_EXISTS ? "leaf %llu had its void already" : "ref %llu is no earlier write leaf", (unsigned long long)ref);
}

static void access_replay(struct replay *p)
{
    const char *why;
    enum err e;
    while ((e = verify_export_next(&p->access, &p->hash, RECORD_LOG_ACCESS, &why)) == ERR_OK) access_leaf(p, p->access.next - 1);
    if (e != ERR_MISSING) verify_find(p->report, "bad-export", "access", p->access.next, "%s: %s", why, err_text(e));
    p->before = p->access.next;
    p->ended = true;
    replay_control(p, p->leaf_count);
    uint64_t ended, late = verify_upload_late(&p->fold, &ended);
    if (late != VERIFY_NOWHERE)
        verify_find(p->report, "late-part", "access", late, "the upload had ended at leaf %llu, and neither has a void", (unsigned long long)ended);
}

/* trees, and the whole ------------------------------------------------------------------------------------------------------------ */

int verify_replay_tree(const struct verify_replay_args *a, struct verify_export *x, const char *name, const char *vkey_text, const char *url, struct ledger_hash *h,
                       struct verify_report *r)
{
    struct verify_log served;
    struct ledger_vkey vkey;
    char path[VERIFY_PLACE_CHARS_MAX + 32];
    snprintf(path, sizeof path, "%s/%s.checkpoint", a->dir, name);
    if (ledger_vkey_parse(h, slice_str(vkey_text), &vkey) != ERR_OK) {
        fprintf(stderr, "tillit-verify replay: --%s-vkey: not a verifier key (name+hash+key, as `tillit init` prints it)\n", name);
        return VERIFY_EXIT_USAGE;
    }
    if (!url && access(path, R_OK) != 0) {
        fprintf(stderr, "tillit-verify replay: give --%s URL, or put the log's checkpoint into %s\n", name, path);
        return VERIFY_EXIT_USAGE;
    }
    if (!url) {
        verify_export_tree(x, name, NULL, &vkey, path, h, r);
        return VERIFY_EXIT_HOLDS;
    }
    if (verify_log_open(&served, h, url, vkey_text, a->ca) == ERR_OK) verify_export_tree(x, name, &served, &vkey, path, h, r);
    else verify_unreachable(r, url, "not a URL or directory");
    verify_log_close(&served);
    return VERIFY_EXIT_HOLDS;
}

static void facts(struct replay *p)
{
    struct verify_report *r = p->report;
    verify_fact(r, "records", p->access.next);
    verify_fact(r, "control records", p->control.next);
    verify_fact(r, "decisions recomputed", p->decisions);
    verify_fact(r, "reads checked", p->reads);
    verify_fact(r, "listings checked", p->lists);
    verify_fact(r, "writes", p->writes);
    verify_fact(r, "voids", p->voids);
    verify_fact(r, "statements checked", p->statements.checked + p->said);
    verify_fact(r, "mirrors checked", p->mirrors);
    verify_fact(r, "releases under grants", p->uses);
    verify_fact(r, "bytes under grants", p->used_bytes);
    verify_fact(r, "erased, not recomputed", p->erased);
    if (p->ahead) verify_fact(r, "not compared, past the access log's export", p->ahead);
    if (p->blind) verify_fact(r, "not compared behind an erased write", p->blind);
}

static int run(struct replay *p)
{
    const struct verify_replay_args *a = p->args;
    if (verify_export_open(&p->access, a->dir, "access") != ERR_OK || verify_export_open(&p->control, a->dir, "control") != ERR_OK) {
        fprintf(stderr, "tillit-verify replay: %s must hold access.jsonl and control.jsonl: `tillit log export` writes them\n", a->dir);
        return VERIFY_EXIT_REACH;
    }
    if (control_load(p) != ERR_OK) return VERIFY_EXIT_INTERNAL;
    if (a->provider_url) verify_provider_load(&p->provider, &p->hash, a, mirrored(p), p->report);
    access_replay(p);
    int code = verify_replay_tree(a, &p->control, "control", a->control_vkey, a->control_url, &p->hash, p->report);
    if (code == VERIFY_EXIT_HOLDS) code = verify_replay_tree(a, &p->access, "access", a->access_vkey, a->access_url, &p->hash, p->report);
    if (code != VERIFY_EXIT_HOLDS) return code;
    if (a->manifest) verify_manifest(a->manifest, &p->fold, &p->state, p->report);
    facts(p);
    return VERIFY_EXIT_HOLDS;
}

int verify_replay(const struct verify_replay_args *a, struct verify_report *r)
{
    struct replay p = {.args = a, .report = r};
    int code = VERIFY_EXIT_INTERNAL;
    p.statements.nonces = map_new(VERIFY_KEYS_MAX);
    p.streams = map_new(VERIFY_KEYS_MAX);
    if (p.statements.nonces && p.streams && ledger_hash_init(&p.hash) == ERR_OK && policy_init(&p.state) == ERR_OK && verify_fold_init(&p.fold) == ERR_OK) code = run(&p);
    for (uint64_t i = 0; i < p.leaf_count; i++) {
        buf_done(&p.leaves[i].leaf);
        buf_done(&p.leaves[i].opening);
    }
    free(p.leaves);
    verify_export_close(&p.access);
    verify_export_close(&p.control);
    verify_fold_done(&p.fold);
    verify_provider_done(&p.provider);
    replay_use_done(&p);
    policy_done(&p.state);
    map_free(p.statements.nonces);
    ledger_hash_done(&p.hash);
    return code;
}
