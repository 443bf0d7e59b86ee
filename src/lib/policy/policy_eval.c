/* SPDX-License-Identifier: Apache-2.0
 * What a compiled document says about one action on one resource.
 * Role: under the decision. Trusts: compiled documents. Distrusts: every name in the request.
 * Law: 4. Spec: docs/spec/policy.md section 4; "Policy evaluation logic".
 */
#include "policy/policy_internal.h"

/* How a principal of a policy is the caller. ACCOUNT: it is the caller's account, and the caller one of its users. */
enum fit { FIT_NO, FIT_ACCOUNT, FIT_CALLER };

static enum fit principal_fit(const struct policy_eval *e, const struct policy_principal *p) {
    if (p->kind == POLICY_P_ALL) return FIT_CALLER;
    if (p->kind == POLICY_P_NOBODY || p->kind == POLICY_P_FEDERATED || !e->proven || !slice_is(e->r->who.account, p->account)) return FIT_NO;
    if (p->kind == POLICY_P_ACCOUNT) return e->root ? FIT_CALLER : FIT_ACCOUNT;
    if (e->user == NULL) return FIT_NO;
    struct slice text = slice_of(p->text, p->n), path = slice_str(e->user->path);
    if (!slice_starts(text, path)) return FIT_NO;
    return slice_is(slice_of(text.p + path.n, text.n - path.n), e->user->name) ? FIT_CALLER : FIT_NO;
}

static enum fit best_fit(const struct policy_eval *e, const struct policy_doc *d, const struct policy_doc_statement *st) {
    enum fit best = FIT_NO;
    for (uint32_t at = st->principals; at != 0;) {
        const struct policy_principal *p = policy_doc_node(d, at);
        enum fit one = principal_fit(e, p);
        if (one > best) best = one;
        at = p->next;
    }
    return best;
}

/* NotPrincipal leaves out whom it names. A user is left out when the account is named as well: "When you use NotPrincipal with Deny, you
 * must also specify the account ARN of the not-denied principal. Otherwise, the policy might deny access to the entire account". */
static bool left_out(const struct policy_eval *e, const struct policy_doc *d, const struct policy_doc_statement *st) {
    bool caller = false, account = e->user == NULL;
    for (uint32_t at = st->principals; at != 0;) {
        const struct policy_principal *p = policy_doc_node(d, at);
        enum fit one = principal_fit(e, p);
        caller = caller || one == FIT_CALLER;
        account = account || one == FIT_ACCOUNT || p->kind == POLICY_P_ALL;
        at = p->next;
    }
    return caller && account;
}

/* In the account of the bucket a policy that names the account leaves the rest to the account's own policies: it gives its users nothing.
 * A deny of it holds for all of them. */
static bool principal_met(const struct policy_eval *e, const struct policy_doc *d, const struct policy_doc_statement *st) {
    if (st->not_principal) return !left_out(e, d, st);
    enum fit fit = best_fit(e, d, st);
    return fit == FIT_CALLER || (fit == FIT_ACCOUNT && (st->deny || !e->own));
}

static enum policy_met one_resource(struct policy_eval *e, const struct policy_pattern *p, struct slice resource) {
    struct slice s3 = SLICE_LIT("arn:aws:s3:::"), pattern;
    if (p->all) return POLICY_YES;
    if (p->in_s3) {
        if (!slice_starts(resource, s3)) return POLICY_NO;
        resource = slice_of(resource.p + s3.n, resource.n - s3.n);
        /* Most patterns begin with a name: what does not begin so is not looked at further. */
        if (resource.n > 0 && p->text[0] < POLICY_VARIABLE && p->text[0] != resource.p[0]) return POLICY_NO;
    }
    enum policy_met met = policy_expand(e, p, &pattern);
    if (met != POLICY_YES) return met;
    return p->wild ? policy_wild(e, pattern, resource) : slice_eq(pattern, resource) ? POLICY_YES : POLICY_NO;
}

static enum policy_met resource_met(struct policy_eval *e, const struct policy_doc *d, const struct policy_doc_statement *st, struct slice resource) {
    enum policy_met met = POLICY_NO;
    for (uint32_t at = st->resources; at != 0 && met != POLICY_YES;) {
        const struct policy_pattern *p = policy_doc_node(d, at);
        enum policy_met one = one_resource(e, p, resource);
        if (one != POLICY_NO) met = met == POLICY_UNSURE && one == POLICY_MAYBE ? met : one;
        at = p->next;
    }
    if (!st->not_resource || met == POLICY_UNSURE || met == POLICY_MAYBE) return met;
    return met == POLICY_YES ? POLICY_NO : POLICY_YES;
}

/* All parts of the statement; UNSURE is settled against the caller. */
static enum policy_met statement_met(struct policy_eval *e, const struct policy_doc *d, const struct policy_doc_statement *st, struct slice resource) {
    enum policy_met met = resource_met(e, d, st, resource);
    if (met == POLICY_UNSURE) met = st->deny ? POLICY_YES : POLICY_NO;
    for (uint32_t at = st->conditions; at != 0 && met != POLICY_NO;) {
        const struct policy_condition *c = policy_doc_node(d, at);
        enum policy_met one = policy_condition_met(e, d, c);
        if (one == POLICY_UNSURE) one = st->deny ? POLICY_YES : POLICY_NO;
        if (one != POLICY_YES) met = one;
        at = c->next;
    }
    return met;
}

void policy_doc_says(struct policy_eval *e, const struct policy_doc *d, bool identity, unsigned ask, struct slice resource,
                     struct policy_verdict *v) {
    for (uint32_t at = d->first; at != 0 && v->deny != POLICY_YES;) {
        const struct policy_doc_statement *st = policy_doc_node(d, at);
        at = st->next;
        if (!policy_ask_in(st->asks, ask)) continue;
        enum policy_met *says = st->deny ? &v->deny : &v->allow;
        if (*says == POLICY_YES || (!identity && !principal_met(e, d, st))) continue;
        enum policy_met met = statement_met(e, d, st, resource);
        if (met != POLICY_NO) *says = met;
    }
}

/* public -------------------------------------------------------------------------------------------------------------------- */

/* "values broader than /8 for IPv4 and /32 for IPv6" are everyone. */
static bool fixed_value(const struct policy_condition *c, const struct policy_pattern *v) {
    if (c->type == POLICY_OP_IP) return v->bits >= (v->address.size == 4 ? 8 : 32);
    return !v->wild && !v->variables;
}

static bool fixes(const struct policy_doc *d, const struct policy_condition *c) {
    bool text = c->type == POLICY_OP_STRING || c->type == POLICY_OP_ARN || c->type == POLICY_OP_IP;
    if (!policy_key_fixes((enum policy_key_id)c->key) || !text || c->negated || c->if_exists || c->set == POLICY_SET_ALL) return false;
    for (uint32_t at = c->values; at != 0;) {
        const struct policy_pattern *v = policy_doc_node(d, at);
        if (!fixed_value(c, v)) return false;
        at = v->next;
    }
    return true;
}

static bool names_everyone(const struct policy_doc *d, const struct policy_doc_statement *st) {
    for (uint32_t at = st->principals; at != 0;) {
        const struct policy_principal *p = policy_doc_node(d, at);
        if (p->kind == POLICY_P_ALL || p->kind == POLICY_P_FEDERATED) return true;
        at = p->next;
    }
    return false;
}

bool policy_doc_gives_everyone(const struct policy_doc *d) {
    for (uint32_t at = d->first; at != 0;) {
        const struct policy_doc_statement *st = policy_doc_node(d, at);
        bool fixed = false;
        for (uint32_t c_at = st->conditions; c_at != 0 && !fixed;) {
            const struct policy_condition *c = policy_doc_node(d, c_at);
            fixed = fixes(d, c);
            c_at = c->next;
        }
        if (!st->deny && !fixed && names_everyone(d, st)) return true;
        at = st->next;
    }
    return false;
}
