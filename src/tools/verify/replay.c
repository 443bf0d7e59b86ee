/* SPDX-License-Identifier: Apache-2.0
 * replay: every decision and every version again, from an exported log and its openings.
 * Role: folds the control log up to each access leaf's `ctl`, decides again, and keeps the newest version of every key beside it.
 * Trusts: the two vkeys. Distrusts: the export, the gate that wrote it, the keeper that was read from.
 * Law: 1, 4. Spec: docs/spec/policy.md section 4; docs/spec/record.md section 4
 */
#include "verify/verify.h"

#include <stdlib.h>
#include <unistd.h>

struct control_leaf {
    struct buf leaf, opening;
};
struct replay {
    const struct verify_replay_args *args;
    struct verify_report *report;
    struct ledger_hash hash;
    struct verify_export access, control;
    struct control_leaf *leaves;                      /* of the control log, all of them: `ctl` names any size */
    uint64_t leaf_count, leaf_cap, applied;
    struct policy_state state;
    struct verify_statements statements;
    struct verify_fold fold;
    uint64_t t_ms, ctl, decisions, reads, lists, writes, voids, erased, blind;
    bool broken;                                      /* the control log does not fold: decisions past there say nothing */
};

static void find_decision(struct replay *p, const char *log, uint64_t index, const struct record_leaf *l, enum err e, const struct policy_decision *d)
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

/* A deleted bucket was empty: its keys' writes stand below it, for holds were waited out (rule 9). */
static void bucket_gone(struct replay *p, uint64_t index, const struct record_leaf *l, uint64_t at)
{
    struct verify_bucket *b = map_get(p->fold.buckets, slice_of(l->f[RECORD_F_BKT].bytes, ID_BYTES));
    if (!b || b->blind) return;
    uint64_t n = verify_fold_count(&p->fold, b, VERIFY_NOWHERE, at);
    if (n > 0) verify_find(p->report, "bucket-not-empty", "control", index, "the bucket was deleted with %llu keys in it", (unsigned long long)n);
}

/* Folds the control log up to `size`; at: the access leaf that names it. */
static void control_fold(struct replay *p, uint64_t size, uint64_t at)
{
    for (; p->applied < MIN(size, p->leaf_count) && !p->broken; p->applied++) {
        struct control_leaf *c = &p->leaves[p->applied];
        struct record_leaf l;
        struct record_opening o = {0};
        struct policy_decision d;
        enum err e = record_leaf_parse(buf_slice(&c->leaf), RECORD_LOG_CONTROL, &l);
        if (e == ERR_OK && c->opening.n > 0) e = record_opening_parse(buf_slice(&c->opening), &o);
        ASSERT(e == ERR_OK);                          /* they were parsed when they were read */
        verify_statement_check(&p->statements, &p->state, p->applied, &l, &o, &p->hash, p->report);
        if (l.kind == RECORD_K_BKT) {
            e = policy_check(&p->state, &l, &o, &d);
            p->decisions += e != ERR_MISSING;
            find_decision(p, "control", p->applied, &l, e, &d);
            if (record_int(&l, RECORD_F_ON, 0) == 0) bucket_gone(p, p->applied, &l, at);
        }
        e = policy_apply(&p->state, p->applied, &l, &o);
        if (e == ERR_OK) continue;
        verify_find(p->report, "bad-control", "control", p->applied, "the leaf cannot be folded here: %s", err_text(e));
        p->broken = true;
    }
}

/* the access log ----------------------------------------------------------------------------------------------------------------- */

/* Names and versions are commitments: those that were erased cannot be compared. */
static bool value(const struct replay *p, enum record_field f, struct slice *out)
{
    const struct record_opened *o = record_opened_field(&p->access.opening, f);
    *out = o ? o->value : slice_of(NULL, 0);
    return o != NULL;
}

static void find_ver(struct replay *p, uint64_t index, uint64_t says, uint64_t is)
{
    char a[24] = "none", b[24] = "none";
    if (says != RECORD_VER_NONE) snprintf(a, sizeof a, "%llu", (unsigned long long)says);
    if (is != RECORD_VER_NONE) snprintf(b, sizeof b, "%llu", (unsigned long long)is);
    verify_find(p->report, "stale-version", "access", index, "ver says %s, newest is %s", a, b);
}

/* What a GET was given fits the version it names. */
static void read_bytes(struct replay *p, uint64_t index, const struct record_leaf *l, const struct verify_write *w)
{
    uint64_t first = 0, last = 0, bytes = record_int(l, RECORD_F_BYTES, 0), want = w->size;
    if (!slice_is(record_text(l, RECORD_F_ACT), "GetObject") || record_has(l, RECORD_F_WHY)) return;
    if (record_has(l, RECORD_F_RANGE)) {
        struct slice list = l->f[RECORD_F_RANGE].text;
        bool two = record_list_int(&list, &first) && record_list_int(&list, &last);
        want = two && first <= last && last < w->size ? last - first + 1 : VERIFY_NOWHERE;
    }
    if (bytes != want) verify_find(p->report, "wrong-bytes", "access", index, "bytes is %llu of an object of %llu", (unsigned long long)bytes, (unsigned long long)w->size);
}

static void check_ver(struct replay *p, uint64_t index, const struct record_leaf *l, struct verify_key *k)
{
    struct slice v;
    uint64_t says, is = verify_fold_ver(&p->fold, k, index, index);
    if (!value(p, RECORD_F_VER, &v)) {
        p->erased++;
        return;
    }
    if (record_ver_get(v, &says, &says_rev) != ERR_OK) verify_find(p->report, "bad-opening", "access", index, "ver does not open to a version");
    else if (k->bucket->blind) p->blind++;
    else {
        p->reads++;
        if (says != is) find_ver(p, index, says, is);
        const struct verify_write *w = verify_fold_at(&p->fold, k, index, index);
        bool absent = slice_is(record_text(l, RECORD_F_WHY), "NoSuchKey");
        bool get = slice_is(record_text(l, RECORD_F_ACT), "GetObject") || slice_is(record_text(l, RECORD_F_ACT), "HeadObject");
        if (get && absent != (says == RECORD_VER_NONE)) verify_find(p->report, "wrong-answer", "access", index, "why and ver contradict each other");
        if (get && w && says == is && is != RECORD_VER_NONE) read_bytes(p, index, l, w);
    }
}

static void check_batch(struct replay *p, uint64_t index, const struct record_leaf *l, bool write)
{
    struct slice items, key;
    uint8_t kind, root[HASH_BYTES], hash[HASH_BYTES];
    uint64_t ver, n = 0;
    struct ledger_frontier f;
    struct verify_bucket *b;
    const uint8_t *id = l->f[RECORD_F_BKT].bytes;
    if (verify_fold_bucket(&p->fold, id, &b) != ERR_OK) return;
    if (!value(p, RECORD_F_ITEMS, &items)) {
        b->blind |= write;
        p->erased++;
        return;
    }
    ledger_frontier_init(&f);
    struct reader in = reader_of(items);
    for (; reader_left(&in) > 0; n++) {
        const uint8_t *from = in.p;
        struct verify_key *k;
        if (record_row_get(&in, &kind, &key, &ver) != ERR_OK || verify_fold_key(&p->fold, id, key, &k) != ERR_OK) {
            verify_find(p->report, "bad-opening", "access", index, "item %llu is none", (unsigned long long)n);
            return;
        }
        ledger_leaf_hash(&p->hash, slice_of(from, (size_t)(in.p - from)), hash);
        ledger_frontier_append(&p->hash, &f, hash, NULL, NULL);
        uint64_t is = verify_fold_ver(&p->fold, k, index, index);
        if (b->blind) p->blind++;
        else p->reads++;
        if (!b->blind && ver != is) find_ver(p, index, ver, is);
        if (write && ver != RECORD_VER_NONE && verify_fold_write(&p->fold, index, k, true, 0, slice_of(NULL, 0)) != ERR_OK) p->broken = true;
    }
    ledger_frontier_root(&p->hash, &f, root);
    if (n != record_int(l, RECORD_F_N, VERIFY_NOWHERE) || !record_has(l, RECORD_F_ROOT) || memcmp(root, l->f[RECORD_F_ROOT].bytes, HASH_BYTES) != 0)
        verify_find(p->report, "bad-opening", "access", index, "the items are not those of the leaf's root");
}

/* LIST, and the refusal to delete a bucket that is not empty: both looked at a snapshot. */
static void check_list(struct replay *p, uint64_t index, const struct record_leaf *l)
{
    struct slice q, s;
    struct record_qry qry;
    struct record_res res;
    struct verify_bucket *b;
    uint64_t asof = record_int(l, RECORD_F_ASOF, 0);
    AUTO(buf) struct buf why = BUF_INIT(256);
    if (!record_has(l, RECORD_F_BKT) || verify_fold_bucket(&p->fold, l->f[RECORD_F_BKT].bytes, &b) != ERR_OK) return;
    if (asof > index) {
        verify_find(p->report, "wrong-asof", "access", index, "asof is %llu, past its own place", (unsigned long long)asof);
        return;
    }
    if (b->blind) {
        p->blind++;
        return;
    }
    p->lists++;
    if (!record_has(l, RECORD_F_RES)) {
        if (slice_is(record_text(l, RECORD_F_WHY), "BucketNotEmpty") && verify_fold_count(&p->fold, b, asof, index) == 0)
            verify_find(p->report, "wrong-answer", "access", index, "refused as not empty, the fold below %llu has no key", (unsigned long long)asof);
        return;
    }
    if (!value(p, RECORD_F_QRY, &q) || !value(p, RECORD_F_RES, &s)) {
        p->erased++;
        return;
    }
    if (record_qry_get(q, &qry) != ERR_OK || record_res_get(s, &res) != ERR_OK) verify_find(p->report, "bad-opening", "access", index, "qry or res is none");
    else if (verify_list_check(&p->hash, &p->fold, b, asof, index, &qry, &res, &why) != ERR_OK)
        verify_find(p->report, "wrong-listing", "access", index, "%.*s", (int)why.n, (const char *)why.p);
}

static void write_keep(struct replay *p, uint64_t index, const struct record_leaf *l, struct verify_key *k)
{
    struct slice fresh, act = record_text(l, RECORD_F_ACT);
    struct record_new n = {0};
    bool removes = slice_is(act, "DeleteObject");
    bool has_new = record_has(l, RECORD_F_NEW);
    if (removes == has_new) verify_find(p->report, "bad-write", "access", index, "%.*s %s a new version", (int)act.n, (const char *)act.p, has_new ? "with" : "without");
    if (has_new && value(p, RECORD_F_NEW, &fresh)) {
        if (record_new_get(fresh, &n) != ERR_OK || memcmp(n.bucket, l->f[RECORD_F_BKT].bytes, ID_BYTES) != 0)
            verify_find(p->report, "bad-opening", "access", index, "new is none, or of another bucket");
        else if (record_has(l, RECORD_F_BYTES) && record_int(l, RECORD_F_BYTES, 0) != n.size)
            verify_find(p->report, "wrong-bytes", "access", index, "bytes is %llu, new has %llu", (unsigned long long)record_int(l, RECORD_F_BYTES, 0), (unsigned long long)n.size);
    }
    if (verify_fold_write(&p->fold, index, k, removes, n.size, n.etag) != ERR_OK) p->broken = true;
}

/* One key's request: the version it looked at, and what it wrote. */
static void check_key(struct replay *p, uint64_t index, const struct record_leaf *l, bool write)
{
    struct slice text;
    struct record_obj obj;
    struct verify_key *k;
    struct verify_bucket *b;
    if (!record_has(l, RECORD_F_BKT)) {
        verify_find(p->report, "bad-leaf", "access", index, "a version of no bucket");
        return;
    }
    if (verify_fold_bucket(&p->fold, l->f[RECORD_F_BKT].bytes, &b) != ERR_OK) return;
    if (!value(p, RECORD_F_OBJ, &text)) {
        b->blind |= write;
        p->erased++;
        return;
    }
    if (record_obj_get(text, &obj) != ERR_OK || verify_fold_key(&p->fold, b->id, obj.key, &k) != ERR_OK) {
        verify_find(p->report, "bad-opening", "access", index, "obj is no key");
        return;
    }
    if (record_has(l, RECORD_F_VER)) check_ver(p, index, l, k);
    else if (write) verify_find(p->report, "no-version", "access", index, "a write that names no version it replaced");
    if (write) write_keep(p, index, l, k);
}

static void check_acc(struct replay *p, uint64_t index, const struct record_leaf *l)
{
    uint64_t ctl = record_int(l, RECORD_F_CTL, 0);
    struct policy_decision d;
    struct slice act = record_text(l, RECORD_F_ACT);
    bool write = record_int(l, RECORD_F_W, 0) == 1;
    if (ctl < p->ctl || ctl > p->leaf_count) {
        verify_find(p->report, "wrong-ctl", "access", index, "ctl is %llu; it was %llu before, and the control log has %llu", (unsigned long long)ctl,
                    (unsigned long long)p->ctl, (unsigned long long)p->leaf_count);
    } else {
        p->ctl = ctl;
        control_fold(p, ctl, index);
        if (!p->broken) {
            enum err e = policy_check(&p->state, l, &p->access.opening, &d);
            p->decisions += e != ERR_MISSING;
            find_decision(p, "access", index, l, e, &d);
        }
    }
    p->writes += write;
    bool answered = slice_is(record_text(l, RECORD_F_DEC), "allow") && !record_has(l, RECORD_F_WHY);
    if (record_has(l, RECORD_F_ITEMS)) check_batch(p, index, l, write);
    else if (record_has(l, RECORD_F_ASOF)) check_list(p, index, l);
    else if (record_has(l, RECORD_F_VER) || (write && !slice_is(act, "PurgeGrave"))) check_key(p, index, l, write);
    else if (write && verify_fold_write(&p->fold, index, NULL, false, 0, slice_of(NULL, 0)) != ERR_OK) p->broken = true;
    else if (answered && (slice_is(act, "GetObject") || slice_is(act, "HeadObject")))
        verify_find(p->report, "no-version", "access", index, "a read that names no version");
}

static void access_leaf(struct replay *p, uint64_t index)
{
    const struct record_leaf *l = &p->access.leaf;
    uint64_t t = record_int(l, RECORD_F_T, 0);
    if (t < p->t_ms) verify_find(p->report, "time-falls", "access", index, "t is %llu after %llu", (unsigned long long)t, (unsigned long long)p->t_ms);
    p->t_ms = t;
    if (l->kind == RECORD_K_ACC) {
        check_acc(p, index, l);
        return;
    }
    if (l->kind != RECORD_K_VOID) return;
    uint64_t ref = record_int(l, RECORD_F_REF, 0);
    enum err e = ref < index ? verify_fold_void(&p->fold, ref, index) : ERR_MISSING;
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
    control_fold(p, p->leaf_count, VERIFY_NOWHERE);
}

/* trees, and the whole ------------------------------------------------------------------------------------------------------------ */

static int tree(struct replay *p, struct verify_export *x, const char *name, const char *vkey_text, const char *url)
{
    struct verify_log served;
    struct ledger_vkey vkey;
    char path[VERIFY_PLACE_CHARS_MAX + 32];
    snprintf(path, sizeof path, "%s/%s.checkpoint", p->args->dir, name);
    if (ledger_vkey_parse(&p->hash, slice_str(vkey_text), &vkey) != ERR_OK) {
        fprintf(stderr, "tillit-verify replay: --%s-vkey: not a verifier key (name+hash+key, as `tillit init` prints it)\n", name);
        return VERIFY_EXIT_USAGE;
    }
    if (!url && access(path, R_OK) != 0) {
        fprintf(stderr, "tillit-verify replay: give --%s URL, or put the log's checkpoint into %s\n", name, path);
        return VERIFY_EXIT_USAGE;
    }
    if (!url) {
        verify_export_tree(x, name, NULL, &vkey, path, &p->hash, p->report);
        return VERIFY_EXIT_HOLDS;
    }
    if (verify_log_open(&served, &p->hash, url, vkey_text, p->args->ca) == ERR_OK) verify_export_tree(x, name, &served, &vkey, path, &p->hash, p->report);
    else verify_unreachable(p->report, url, "not a URL or directory");
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
    verify_fact(r, "statements checked", p->statements.checked);
    verify_fact(r, "erased, not recomputed", p->erased);
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
    access_replay(p);
    int code = tree(p, &p->control, "control", a->control_vkey, a->control_url);
    if (code == VERIFY_EXIT_HOLDS) code = tree(p, &p->access, "access", a->access_vkey, a->access_url);
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
    if (p.statements.nonces && ledger_hash_init(&p.hash) == ERR_OK && policy_init(&p.state) == ERR_OK && verify_fold_init(&p.fold) == ERR_OK) code = run(&p);
    for (uint64_t i = 0; i < p.leaf_count; i++) {
        buf_done(&p.leaves[i].leaf);
        buf_done(&p.leaves[i].opening);
    }
    free(p.leaves);
    verify_export_close(&p.access);
    verify_export_close(&p.control);
    verify_fold_done(&p.fold);
    policy_done(&p.state);
    map_free(p.statements.nonces);
    ledger_hash_done(&p.hash);
    return code;
}
