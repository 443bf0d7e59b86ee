/* SPDX-License-Identifier: Apache-2.0
 * signature: whose signature stands under an opened statement, from the statement's bytes alone.
 * Role: replay of control and provider logs asks it for each `stmt` leaf, before it asks policy what comes of the statement.
 * Trusts: the fold of origins and counters up to there. Distrusts: the leaf's `who` and `auth`, the signature, the assertion.
 * Law: 6. Spec: docs/spec/statement.md, docs/spec/access.md section 7
 */
#include "verify/verify.h"

static struct slice opened(const struct record_opening *o, enum record_field f)
{
    const struct record_opened *x = record_opened_field(o, f);
    return x ? x->value : slice_of(NULL, 0);
}

static const char *by_ssh(struct ledger_hash *h, struct slice who, struct slice auth, struct verify_signed *out)
{
    struct record_sshsig sig;
    if (record_sshsig_verify(h, out->value.signature, out->value.text, RECORD_STATEMENT_NAMESPACE, &sig) != ERR_OK)
        return "the signature under the statement does not verify";
    if (!slice_is(who, sig.key.fingerprint)) return "signed by another key than the leaf names";
    if (!slice_is(auth, sig.key.sk ? "sk" : "ssh")) return "auth is another kind of key than the one that signed";
    out->signer = (struct policy_signer){.key = who, .by = sig.key.sk ? POLICY_KEY_SK : POLICY_KEY_SSH};
    return NULL;
}

/* The leaf names the whole key (its term); which account or approver has it is policy's to say. */
static const char *by_passkey(struct ledger_hash *h, struct slice who, struct slice auth, const struct policy_state *state, struct verify_signed *out)
{
    struct record_passkey key;
    struct record_assertion a;
    struct slice origin = {0}, rpid = {0};
    uint32_t seen = 0, counter;
    if (!slice_is(auth, "passkey")) return "an assertion under another auth than passkey";
    if (record_passkey_parse(who, &key) != ERR_OK) return "who is no passkey";
    if (record_assertion_parse(out->value.signature, &a) != ERR_OK) return "not an assertion";
    if (!state || !policy_origin(state, &origin, &rpid)) return "a passkey, and no origin was pinned";
    (void)policy_passkey(state, key.credential, &seen);
    enum record_webauthn w = record_webauthn_verify(h, &key, &a, out->value.text, origin, rpid, seen, &counter);
    out->signer = (struct policy_signer){.key = who, .by = POLICY_KEY_PASSKEY};
    out->copied = w == RECORD_WEBAUTHN_COUNTER;       /* the signature is good: that a copy may have made it is what comes of the statement */
    return w == RECORD_WEBAUTHN_OK || out->copied ? NULL : "the passkey's assertion does not verify";
}

const char *verify_signature(struct ledger_hash *h, const struct record_leaf *l, const struct record_opening *o, const struct policy_state *state,
                             struct verify_signed *out)
{
    struct slice who = opened(o, RECORD_F_WHO), auth = record_text(l, RECORD_F_AUTH);
    *out = (struct verify_signed){0};
    if (record_stmt_value_get(opened(o, RECORD_F_STMT), &out->value) != ERR_OK || record_statement_parse(out->value.text, &out->statement) != ERR_OK)
        return "stmt opens to no statement";
    ledger_sha256(h, out->value.text, out->digest);
    return out->value.passkey ? by_passkey(h, who, auth, state, out) : by_ssh(h, who, auth, out);
}
