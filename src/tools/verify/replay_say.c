/* SPDX-License-Identifier: Apache-2.0
 * replay_say: one `stmt` leaf of the control log: who signed, what came of it, and mirrors of the provider log.
 * Role: replay.c asks before the leaf is folded. Trusts: the fold up to there; the provider log, when it was given. Distrusts: the leaf and its opening.
 * Law: 4, 6. Spec: docs/spec/access.md sections 2, 6 and 7
 */
#include "verify/replay_in.h"

/* Kinds whose subject is a grant: the leaf says which, in clear. */
static bool about_grant(const struct record_statement *s, uint8_t id[ID_BYTES])
{
    bool access = s->kind >= RECORD_STATEMENT_ACCESS_REQUEST && s->kind <= RECORD_STATEMENT_ACCESS_LOOK;
    return access && (s->have & RECORD_S_SUBJECT) && record_id_get(s->subject, id) == ERR_OK;
}

/* NULL: act, grant, ctl and tenant of the leaf are the statement's. */
static const char *same_thing(struct replay *p, uint64_t index, const struct record_leaf *l, const struct record_statement *s)
{
    uint8_t id[ID_BYTES];
    if (!record_kind_has_terms(s->kind) && !slice_is(record_text(l, RECORD_F_DEC), "deny")) return "what was taken of this kind stands in a leaf of its own";
    if (!slice_is(record_text(l, RECORD_F_ACT), record_statement_kind_text(s->kind))) return "act is another kind than the statement's";
    if (record_int(l, RECORD_F_CTL, index) != index) return "ctl is not its own place";
    if (!(s->have & RECORD_S_TENANT)) return "the statement names no tenant";
    if (!p->statements.has_tenant || memcmp(p->statements.tenant, s->tenant, ID_BYTES) != 0) return "the statement is about another tenant";
    bool grant = about_grant(s, id);
    if (grant != record_has(l, RECORD_F_GRANT)) return grant ? "the leaf does not name the grant" : "the leaf names a grant, the statement does not";
    return !grant || memcmp(id, l->f[RECORD_F_GRANT].bytes, ID_BYTES) == 0 ? NULL : "the leaf names another grant than the statement";
}

/* mirrors ------------------------------------------------------------------------------------------------------------------------ */

static bool mirrored(enum record_statement_kind k)
{
    return k == RECORD_STATEMENT_GENESIS_PROVIDER || k == RECORD_STATEMENT_PERSON_SET || k == RECORD_STATEMENT_PERSON_OFF || k == RECORD_STATEMENT_PURPOSE_SET;
}

static bool names(struct slice list, struct slice key)
{
    for (struct slice x; record_list_text(&list, &x);)
        if (slice_eq(x, key)) return true;
    return false;
}

/* It was taken on the provider log: when, and whether once, is told there. */
static const char *mirror_wrong(struct replay *p, const struct record_leaf *l, const struct verify_signed *v)
{
    const struct record_statement *s = &v->statement;
    if (!mirrored(s->kind)) return "a statement of a kind that is not mirrored";
    if (!slice_is(record_text(l, RECORD_F_ACT), record_statement_kind_text(s->kind))) return "act is another kind than the statement's";
    if (!slice_is(record_text(l, RECORD_F_DEC), "allow") || record_has(l, RECORD_F_WHY) || record_has(l, RECORD_F_GRANT)) return "a mirror is of what was taken";
    bool officer = s->kind == RECORD_STATEMENT_GENESIS_PROVIDER ? names(s->scope, v->signer.key) : policy_officer(policy_people(&p->state), v->signer.key);
    if (!officer && !p->unknown) return "signed by no officer";
    uint64_t ref = record_int(l, RECORD_F_REF, 0);
    return p->provider.loaded && ref < p->provider.count ? verify_provider_has(&p->provider, ref, s) : NULL;
}

/* An older copy of the provider log is no lie of the gate's; one that was asked for just now, and again for a while, is short of what it should have. */
static void mirror_ahead(struct replay *p, uint64_t index, const struct record_leaf *l)
{
    uint64_t ref = record_int(l, RECORD_F_REF, 0);
    if (!p->provider.loaded || ref < p->provider.count) return;
    verify_find(p->report, "mirror-ahead", "control", index, "a mirror of provider/%llu, and the provider log %s ends before %llu", (unsigned long long)ref,
                p->provider.log.source.curl ? "as it is served" : "at hand (an older copy?)", (unsigned long long)p->provider.count);
}

void replay_stmt(struct replay *p, uint64_t index, const struct record_leaf *l, const struct record_opening *o)
{
    struct verify_signed v;
    if (!record_opened_field(o, RECORD_F_STMT) || !record_opened_field(o, RECORD_F_WHO)) {
        p->erased++;
        p->unknown |= record_has(l, RECORD_F_REF) || slice_is(record_text(l, RECORD_F_DEC), "allow");
        verify_note(p->report, "control/%llu: the statement, or who signed it, was erased and cannot be checked", (unsigned long long)index);
        return;
    }
    const char *why = verify_signature(&p->hash, l, o, &p->state, &v);
    p->said++;
    if (why) {
        verify_find(p->report, "bad-signature", "control", index, "%s", why);
        return;
    }
    if (record_has(l, RECORD_F_REF)) {
        p->mirrors++;
        mirror_ahead(p, index, l);
        if ((why = v.copied ? "a passkey's counter went back" : mirror_wrong(p, l, &v))) verify_find(p->report, "wrong-mirror", "control", index, "%s", why);
        return;
    }
    if ((why = same_thing(p, index, l, &v.statement))) {
        verify_find(p->report, "wrong-statement", "control", index, "%s", why);
        return;
    }
    struct policy_statement said = {.s = &v.statement, .signer = v.signer, .t_ms = record_int(l, RECORD_F_T, 0)};
    memcpy(said.digest, v.digest, HASH_BYTES);
    enum policy_say is = verify_said_before(&p->statements, l, &v.statement);
    if (is == POLICY_SAY_DONE && v.copied) is = POLICY_SAY_COPIED;
    if (is == POLICY_SAY_DONE) is = policy_say(&p->state, &said);
    if (p->unknown) {
        p->erased++;
        return;
    }
    verify_said(&p->statements, "control", index, l, &v.statement, is, p->report);
}
