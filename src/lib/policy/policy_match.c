/* SPDX-License-Identifier: Apache-2.0
 * Matching: wildcards, variables, and one condition against what a request says.
 * Role: under the evaluation. Trusts: compiled documents. Distrusts: every value of a request: patterns are bounded in steps.
 * Law: 4. Spec: docs/spec/policy.md section 4; "IAM JSON policy elements: Condition operators".
 */
#include "policy/policy_internal.h"

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c; }

/* One character of UTF-8. */
static size_t past_char(struct slice text, size_t at) {
    at++;
    while (at < text.n && (text.p[at] & 0xc0) == 0x80) at++;
    return at;
}

/* Only the last star is ever tried again: that finds every match. */
enum policy_met policy_wild(struct policy_eval *e, struct slice pattern, struct slice text) {
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
    uint32_t steps = 0, most = MIN(e->steps, (uint32_t)POLICY_WILDCARD_STEPS_MAX);
    enum policy_met met = POLICY_YES;
    while (t < text.n && met == POLICY_YES) {
        if (++steps > most) {
            met = POLICY_UNSURE;
        } else if (p < pattern.n && pattern.p[p] == POLICY_WILD_ANY) {
            star = p++;
            from = t;
        } else if (p < pattern.n && pattern.p[p] == POLICY_WILD_ONE) {
            p++;
            t = past_char(text, t);
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            if (star + 1 == pattern.n) break; /* the rest is anything */
            p = star + 1;
            t = ++from;
        } else {
            met = POLICY_NO;
        }
    }
    e->steps -= MIN(steps, e->steps);
    if (met != POLICY_YES || (star != SIZE_MAX && star + 1 == pattern.n)) return met;
    while (p < pattern.n && pattern.p[p] == POLICY_WILD_ANY) p++;
    return p == pattern.n ? POLICY_YES : POLICY_NO;
}

/* A value's bytes must be text: others would be taken for what stands for a wildcard. */
static bool is_text(struct slice v) {
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] > POLICY_BYTE_TEXT_MAX) return false;
    }
    return true;
}

static enum policy_met one_variable(struct policy_eval *e, struct reader *r, struct slice *out) {
    enum policy_key_id key = (enum policy_key_id)reader_u16(r);
    struct slice tag = reader_lp16(r, UINT16_MAX);
    bool has = reader_u8(r) == 1;
    struct slice deflt = reader_lp16(r, UINT16_MAX);
    ASSERT(!r->bad && key < POLICY_KEY__COUNT);
    /* A key of several values has no one text. */
    enum policy_met met = key == POLICY_KEY_REQUEST_TAG_KEYS ? POLICY_NO : policy_value(e, key, tag, 0, out);
    if (met == POLICY_YES) return is_text(*out) ? POLICY_YES : POLICY_UNSURE;
    *out = deflt;
    return met == POLICY_NO && has ? POLICY_YES : met;
}

enum policy_met policy_expand(struct policy_eval *e, const struct policy_pattern *p, struct slice *out) {
    *out = slice_of(p->text, p->n);
    if (!p->variables) return POLICY_YES;
    struct reader r = reader_of(*out);
    size_t n = 0;
    while (reader_left(&r) > 0) {
        uint8_t c = reader_u8(&r);
        struct slice v = slice_of(&c, 1);
        if (c == POLICY_VARIABLE) {
            enum policy_met met = one_variable(e, &r, &v);
            if (met != POLICY_YES) return met;
        }
        if (v.n > sizeof e->expanded - n) return POLICY_UNSURE;
        if (v.n > 0) memcpy(e->expanded + n, v.p, v.n);
        n += v.n;
    }
    *out = slice_of(e->expanded, n);
    return POLICY_YES;
}

/* by type ----------------------------------------------------------------------------------------------------------------- */

static enum policy_met yes_if(bool fact) { return fact ? POLICY_YES : POLICY_NO; }

static enum policy_met ordered(enum policy_op_how how, int64_t have, int64_t want) {
    switch (how) {
    case POLICY_HOW_LT: return yes_if(have < want);
    case POLICY_HOW_LE: return yes_if(have <= want);
    case POLICY_HOW_GT: return yes_if(have > want);
    case POLICY_HOW_GE: return yes_if(have >= want);
    case POLICY_HOW_EQ:
    case POLICY_HOW_IEQ:
    case POLICY_HOW_LIKE: break;
    }
    return yes_if(have == want);
}

/* "Each of the six colon-delimited components of the ARN is checked separately and each can include multi-character match wildcards." */
static enum policy_met arn_like(struct policy_eval *e, struct slice pattern, struct slice text) {
    struct slice p = pattern, t = text, one_p, one_t;
    const uint8_t any = POLICY_WILD_ANY;
    if (slice_eq(pattern, slice_of(&any, 1))) return yes_if(slice_starts(text, SLICE_LIT("arn:")));
    for (int i = 0; i < 5; i++) {
        p = slice_cut(p, ':', &one_p);
        t = slice_cut(t, ':', &one_t);
        if (p.p == NULL || t.p == NULL) return POLICY_NO;
        enum policy_met met = policy_wild(e, one_p, one_t);
        if (met != POLICY_YES) return met;
    }
    return policy_wild(e, p, t);
}

static bool ignoring_case(struct slice a, struct slice b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) return false;
    }
    return true;
}

static enum policy_met in_network(struct policy_eval *e, const struct policy_pattern *v, struct slice have) {
    struct policy_address a;
    /* The peer's address is read once for a decision. */
    if (have.p == e->r->peer.p && e->address_read) {
        a = e->address;
    } else {
        (void)policy_address_parse(have, &a);
        if (have.p == e->r->peer.p) {
            e->address = a;
            e->address_read = true;
        }
    }
    if (a.size != v->address.size) return POLICY_NO;
    unsigned whole = v->bits / 8, rest = v->bits % 8;
    if (memcmp(a.bytes, v->address.bytes, whole) != 0) return POLICY_NO;
    return yes_if(rest == 0 || (a.bytes[whole] ^ v->address.bytes[whole]) >> (8 - rest) == 0);
}

static enum policy_met is_bytes(const struct policy_pattern *v, struct slice have) {
    AUTO(buf) struct buf bytes = BUF_INIT(have.n + 1);
    return yes_if(base64_decode(have, &bytes) == ERR_OK && slice_eq(buf_slice(&bytes), slice_of(v->text, v->n)));
}

static enum policy_met text_is(struct policy_eval *e, const struct policy_condition *c, const struct policy_pattern *v, struct slice have) {
    struct slice want;
    enum policy_met met = policy_expand(e, v, &want);
    if (met != POLICY_YES) return met;
    if (c->type == POLICY_OP_ARN) return arn_like(e, want, have);
    if (c->how == POLICY_HOW_LIKE) return policy_wild(e, want, have);
    return yes_if(c->how == POLICY_HOW_IEQ ? ignoring_case(want, have) : slice_eq(want, have));
}

static enum policy_met value_is(struct policy_eval *e, const struct policy_condition *c, const struct policy_pattern *v, struct slice have) {
    int64_t n;
    switch (c->type) {
    case POLICY_OP_STRING:
    case POLICY_OP_ARN: return text_is(e, c, v, have);
    case POLICY_OP_NUMERIC: return policy_number_parse(have, &n) == ERR_OK ? ordered(c->how, n, v->number) : POLICY_NO;
    case POLICY_OP_DATE: return policy_date_parse(have, &n) == ERR_OK ? ordered(c->how, n, v->number) : POLICY_NO;
    case POLICY_OP_BOOL: return yes_if(policy_bool_parse(have, &n) && n == v->number);
    case POLICY_OP_BINARY: return is_bytes(v, have);
    case POLICY_OP_IP: return in_network(e, v, have);
    case POLICY_OP_NULL: break;
    }
    return POLICY_NO;
}

/* conditions -------------------------------------------------------------------------------------------------------------- */

/* YES beats all, then what is not decided. */
static enum policy_met any_of(enum policy_met a, enum policy_met b) {
    static const int rank[] = {[POLICY_NO] = 0, [POLICY_MAYBE] = 1, [POLICY_UNSURE] = 2, [POLICY_YES] = 3};
    return rank[a] >= rank[b] ? a : b;
}

/* NO beats all; UNSURE comes before MAYBE, since looking at the object would not settle it. */
static enum policy_met all_of(enum policy_met a, enum policy_met b) {
    static const int rank[] = {[POLICY_NO] = 3, [POLICY_UNSURE] = 2, [POLICY_MAYBE] = 1, [POLICY_YES] = 0};
    return rank[a] >= rank[b] ? a : b;
}

static enum policy_met not_so(enum policy_met m) { return m == POLICY_YES ? POLICY_NO : m == POLICY_NO ? POLICY_YES : m; }

static enum policy_met is_null(struct policy_eval *e, const struct policy_doc *d, const struct policy_condition *c, struct slice tag) {
    struct slice have;
    enum policy_met there = policy_value(e, (enum policy_key_id)c->key, tag, 0, &have), met = POLICY_NO;
    if (there == POLICY_MAYBE) return POLICY_MAYBE;
    for (uint32_t at = c->values; at != 0;) {
        const struct policy_pattern *v = policy_doc_node(d, at);
        met = any_of(met, yes_if((v->number == 1) == (there == POLICY_NO)));
        at = v->next;
    }
    return met;
}

static enum policy_met one_value(struct policy_eval *e, const struct policy_doc *d, const struct policy_condition *c, struct slice have) {
    enum policy_met met = POLICY_NO;
    char kept[POLICY_VALUE_TEXT_MAX];
    /* A variable may need e->text, where this value lies. */
    if (have.p == (const uint8_t *)e->text) {
        memcpy(kept, have.p, have.n);
        have.p = (const uint8_t *)kept;
    }
    for (uint32_t at = c->values; at != 0 && met != POLICY_YES;) {
        const struct policy_pattern *v = policy_doc_node(d, at);
        met = any_of(met, value_is(e, c, v, have));
        at = v->next;
    }
    return c->negated ? not_so(met) : met;
}

/* What a condition says of a key that the request does not have. */
static enum policy_met absent(const struct policy_condition *c) {
    if (c->set == POLICY_SET_ALL || c->if_exists) return POLICY_YES;
    if (c->set == POLICY_SET_ANY) return POLICY_NO;
    return yes_if(c->negated);
}

enum policy_met policy_condition_met(struct policy_eval *e, const struct policy_doc *d, const struct policy_condition *c) {
    struct slice tag = slice_of(c->text, c->n), have;
    if (c->type == POLICY_OP_NULL) return is_null(e, d, c, tag);
    /* Without a set operator a key of several values is met by any of them, and a negated operator by all. */
    bool all = c->set == POLICY_SET_ALL || (c->set == POLICY_SET_NONE && c->negated), any = false;
    enum policy_met met = all ? POLICY_YES : POLICY_NO;
    for (size_t i = 0;; i++) {
        enum policy_met there = policy_value(e, (enum policy_key_id)c->key, tag, i, &have);
        if (there == POLICY_NO) return any ? met : absent(c);
        if (there != POLICY_YES) return there;
        if (c->set != POLICY_SET_NONE && have.n == 0) continue; /* "a null data set, such as an empty string" */
        any = true;
        enum policy_met one = one_value(e, d, c, have);
        met = all ? all_of(met, one) : any_of(met, one);
    }
}
