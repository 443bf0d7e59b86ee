/* SPDX-License-Identifier: Apache-2.0
 * statement: the person's signature under a leaf that founds, adds a key or a reader, and that the leaf says what the statement says.
 * Role: replay of control and provider logs asks for each leaf with such a statement, before it is folded; those with terms: replay_say.c. Trusts: the fold of owners up to there.
 * Distrusts: the leaf: a gate that writes other than it was told is what this finds.
 * Law: 6 (only the customer widens). Spec: docs/spec/statement.md
 */
#include "verify/verify.h"

static char nonce_mark;

static struct slice opened(const struct record_opening *o, enum record_field f)
{
    const struct record_opened *x = record_opened_field(o, f);
    return x ? x->value : slice_of(NULL, 0);
}

bool verify_lists_equal(struct slice a, struct slice b)
{
    struct slice x, y;
    for (;;) {
        bool more_a = record_list_text(&a, &x), more_b = record_list_text(&b, &y);
        if (more_a != more_b) return false;
        if (!more_a) return true;
        if (!slice_eq(x, y)) return false;
    }
}

static bool list_has(struct slice list, const char *text)
{
    struct slice x;
    while (record_list_text(&list, &x))
        if (slice_is(x, text)) return true;
    return false;
}

/* The capability stands behind one byte that says which log it reads. */
static bool reader_is(struct slice value, struct slice text) { return value.n > 0 && slice_eq(slice_of(value.p + 1, value.n - 1), text); }

/* NULL: the leaf is what the statement asked for. */
static const char *same_thing(const struct record_leaf *l, const struct record_opening *o, const struct record_statement *s)
{
    bool on = record_int(l, RECORD_F_ON, 0) == 1;
    switch (s->kind) {
    case RECORD_STATEMENT_GENESIS_TENANT:
        if (l->kind != RECORD_K_GENESIS) return "a genesis statement under another leaf";
        if (!verify_lists_equal(s->scope, l->f[RECORD_F_SIGNER].text)) return "the leaf names other keys than the statement";
        return slice_eq(record_text(l, RECORD_F_ACCOUNT), s->subject) ? NULL : "the leaf names another account than the statement";
    case RECORD_STATEMENT_GENESIS_PROVIDER:
        if (l->kind != RECORD_K_GENESIS) return "a genesis statement under another leaf";
        return verify_lists_equal(s->scope, l->f[RECORD_F_SIGNER].text) ? NULL : "the leaf names other keys than the statement";
    case RECORD_STATEMENT_TENANT_CREATE:
        if (l->kind != RECORD_K_TENANT) return "the statement makes a tenant, the leaf does not";
        if (!verify_lists_equal(s->scope, l->f[RECORD_F_SIGNER].text)) return "the leaf names other owners than the statement";
        return slice_eq(opened(o, RECORD_F_NAME), s->subject) ? NULL : "the leaf names another tenant than the statement";
    case RECORD_STATEMENT_KEY_ADD:
        if (l->kind != RECORD_K_KEY || !on) return "the statement adds an access key, the leaf does not";
        return slice_eq(record_text(l, RECORD_F_ACCOUNT), s->subject) ? NULL : "the leaf names another account than the statement";
    case RECORD_STATEMENT_KEY_OFF:
        if (l->kind != RECORD_K_KEY || on) return "the statement turns an access key off, the leaf does not";
        return slice_eq(opened(o, RECORD_F_KEYC), s->subject) ? NULL : "the leaf names another access key than the statement";
    case RECORD_STATEMENT_READER_ADD:
        return l->kind == RECORD_K_RDR && on ? NULL : "the statement adds a reader, the leaf does not";
    case RECORD_STATEMENT_READER_OFF:
        if (l->kind != RECORD_K_RDR || on) return "the statement takes a reader away, the leaf does not";
        return reader_is(opened(o, RECORD_F_RDR), s->subject) ? NULL : "the leaf names another reader than the statement";
    default: return "a statement of a kind that no control log holds";
    }
}

bool verify_statement_near(const struct record_leaf *l, const struct record_statement *s)
{
    uint64_t t = record_int(l, RECORD_F_T, 0);
    return s->t <= t + STATEMENT_SKEW_MS && t <= s->t + STATEMENT_SKEW_MS;
}

/* Once each, of a control log all about one tenant, near the leaf's time. */
static const char *fits(struct verify_statements *all, const struct record_leaf *l, const struct record_statement *s, bool control)
{
    if (control && !(s->have & RECORD_S_TENANT)) return "the statement names no tenant";
    if (control && all->has_tenant && memcmp(all->tenant, s->tenant, ID_BYTES) != 0) return "the statement is about another tenant";
    memcpy(all->tenant, s->tenant, ID_BYTES);
    all->has_tenant = control;
    if (map_put(all->nonces, slice_of(s->nonce, NONCE_BYTES), &nonce_mark) != ERR_OK) return "this statement was used before";
    return verify_statement_near(l, s) ? NULL : "the statement's time is more than 15 minutes from the leaf's";
}

/* Who may: for genesis one of the keys it names; later the keys that genesis named; and the leaf must name who signed (a tenant's: its owners). */
static const char *signer_ok(const struct policy_state *state, const struct policy_people *officers, const struct record_leaf *l, const struct record_sshsig *sig)
{
    if (l->kind != RECORD_K_TENANT && !list_has(l->f[RECORD_F_SIGNER].text, sig->key.fingerprint)) return "signed by a key that the leaf does not name";
    if (l->kind == RECORD_K_GENESIS) return NULL;
    bool may = state ? policy_is_owner(state, slice_str(sig->key.fingerprint)) : policy_officer(officers, slice_str(sig->key.fingerprint));
    return may ? NULL : "signed by a key that genesis does not name";
}

void verify_statement_check(struct verify_statements *s, const struct policy_state *state, const struct policy_people *officers, uint64_t index,
                            const struct record_leaf *l, const struct record_opening *o, struct ledger_hash *h, struct verify_report *r)
{
    const char *log = state ? "control" : "provider";
    struct record_statement statement;
    struct record_sshsig sig;
    if (!record_has(l, RECORD_F_STMT)) {
        if (l->kind != RECORD_K_BKT && !record_has(l, RECORD_F_WHO))
            verify_find(r, "unsigned-statement", log, index, "a %s leaf without a statement and without a caller", record_kind_text(l->kind));
        return;
    }
    struct slice value = opened(o, RECORD_F_STMT);
    if (!value.p) {
        verify_note(r, "%s/%llu: the statement was erased and cannot be checked", log, (unsigned long long)index);
        return;
    }
    struct reader in = reader_of(value);
    struct slice text = reader_lp16(&in, STATEMENT_BYTES_MAX);
    struct slice armored = reader_slice(&in, reader_left(&in));
    const char *why = "the opened value holds no statement";
    enum err e = in.bad ? ERR_TRUNCATED : record_statement_parse(text, &statement);
    if (e == ERR_OK) {
        why = "the signature under the statement does not verify";
        e = record_sshsig_verify(h, armored, text, RECORD_STATEMENT_NAMESPACE, &sig);
    }
    if (e == ERR_OK) {
        why = signer_ok(state, officers, l, &sig);
        if (!why) why = same_thing(l, o, &statement);
        if (!why) why = fits(s, l, &statement, state != NULL);
    }
    s->checked++;
    if (why) verify_find(r, "bad-statement", log, index, "%s", why);
}
