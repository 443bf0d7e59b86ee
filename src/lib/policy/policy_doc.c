/* SPDX-License-Identifier: Apache-2.0
 * Policy documents, compiled: the grammar of IAM's JSON policies into what decisions walk through.
 * Role: before the evaluation; what does not compile is no policy. Distrusts: every byte of a document.
 * Law: 4. Spec: docs/spec/policy.md section 4; "Grammar of the IAM JSON policy language".
 */
#include "policy/policy_internal.h"

#define ARN_IAM "arn:aws:iam::"

bool policy_build_bad(struct policy_build *b, const char *why) {
    if (b->why == NULL) b->why = b->j.why != NULL ? b->j.why : why;
    return false;
}

uint32_t policy_build_node(struct policy_build *b, size_t size) {
    size_t pad = (8 - b->out.n % 8) % 8;
    uint8_t *p = buf_room(&b->out, pad + size);
    if (p == NULL) {
        (void)policy_build_bad(b, "the policy is too large");
        return 0;
    }
    memset(p, 0, pad + size);
    b->out.n += pad + size;
    return (uint32_t)(b->out.n - size);
}

void *policy_build_at(struct policy_build *b, uint32_t at) {
    ASSERT(at > 0 && at < b->out.n && at % 8 == 0);
    return b->out.p + at;
}

/* lists: a value, or a list of at least one ----------------------------------------------------------------------------- */

typedef bool (*each_fn)(struct policy_build *b, struct slice text, uint32_t *out);

/* Every node begins with the place of the next one. */
static void link_node(struct policy_build *b, uint32_t *first, uint32_t *last, uint32_t at) {
    if (*last == 0) *first = at;
    else *(uint32_t *)policy_build_at(b, *last) = at;
    *last = at;
}

static bool one_or_more(struct policy_build *b, each_fn each, uint32_t *first, uint32_t *last) {
    struct slice text;
    uint32_t at;
    bool start = true;
    if (policy_json_peek(&b->j) != '[') {
        if (!policy_json_string(&b->j, &text)) return policy_build_bad(b, NULL);
        if (!each(b, text, &at)) return false;
        link_node(b, first, last, at);
        return true;
    }
    if (!policy_json_enter(&b->j, '[')) return policy_build_bad(b, NULL);
    while (policy_json_more(&b->j, ']', &start)) {
        if (!policy_json_string(&b->j, &text)) return policy_build_bad(b, NULL);
        if (!each(b, text, &at)) return false;
        link_node(b, first, last, at);
    }
    if (b->j.why != NULL) return policy_build_bad(b, NULL);
    return *last != 0 || policy_build_bad(b, "an empty list");
}

/* patterns ---------------------------------------------------------------------------------------------------------------- */

/* "${key}" or "${key, 'default'}" from text.p[*at] on (after "${"): the marker and what it stands for. */
static bool variable(struct policy_build *b, struct buf *to, struct slice text, size_t *at) {
    size_t end = *at;
    while (end < text.n && text.p[end] != '}' && text.p[end] != '\'') end++;
    struct slice name = slice_of(text.p + *at, end - *at), deflt = slice_of(NULL, 0), tag;
    enum policy_key_id id;
    bool has = end < text.n && text.p[end] == '\'';
    if (has) {
        size_t from = ++end;
        while (end < text.n && text.p[end] != '\'') end++;
        deflt = slice_of(text.p + from, end - from);
        if (end == text.n) return policy_build_bad(b, "a policy variable does not end");
        end++;
        name = slice_trim(name);
        if (name.n == 0 || name.p[name.n - 1] != ',') return policy_build_bad(b, "a policy variable that is none");
        name = slice_trim(slice_of(name.p, name.n - 1));
        while (end < text.n && text.p[end] == ' ') end++;
    }
    if (end == text.n || text.p[end] != '}') return policy_build_bad(b, "a policy variable does not end");
    *at = end + 1;
    if (!has && name.n == 1 && strchr("*?$", name.p[0]) != NULL) {
        buf_put_u8(to, name.p[0]);
        return true;
    }
    if (!policy_key_of(name, &id, &tag)) return policy_build_bad(b, "a policy variable that is none");
    buf_put_u8(to, POLICY_VARIABLE);
    buf_put_u16(to, (uint16_t)id);
    buf_put_lp16(to, tag);
    buf_put_u8(to, has ? 1 : 0);
    buf_put_lp16(to, deflt);
    return true;
}

static bool pattern_text(struct policy_build *b, struct buf *to, struct slice text, bool wild, struct policy_pattern *p) {
    for (size_t i = 0; i < text.n;) {
        uint8_t c = text.p[i++];
        if (b->variables && c == '$' && i < text.n && text.p[i] == '{') {
            size_t before = to->n;
            i++;
            if (!variable(b, to, text, &i)) return false;
            if (to->n > before + 1) p->variables = true;
        } else if (wild && (c == '*' || c == '?')) {
            p->wild = true;
            buf_put_u8(to, c == '*' ? POLICY_WILD_ANY : POLICY_WILD_ONE);
        } else {
            buf_put_u8(to, c);
        }
    }
    return true;
}

bool policy_build_pattern(struct policy_build *b, struct slice text, bool wild, uint32_t *out) {
    AUTO(buf) struct buf to = BUF_INIT(4 * text.n + 64);
    struct policy_pattern p = {.all = wild && slice_is(text, "*")};
    if (!pattern_text(b, &to, text, wild, &p)) return false;
    if (!buf_ok(&to)) return policy_build_bad(b, "the policy is too large");
    p.n = (uint32_t)to.n;
    *out = policy_build_node(b, sizeof p + to.n);
    if (*out == 0) return false;
    memcpy(policy_build_at(b, *out), &p, sizeof p);
    if (to.n > 0) memcpy((uint8_t *)policy_build_at(b, *out) + offsetof(struct policy_pattern, text), to.p, to.n);
    if (p.variables) b->at.conditional = true;
    return true;
}

/* Principal --------------------------------------------------------------------------------------------------------------- */

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c; }

static bool principal_node(struct policy_build *b, enum policy_principal_kind kind, struct slice account, struct slice user, uint32_t *out) {
    *out = policy_build_node(b, sizeof(struct policy_principal) + user.n);
    if (*out == 0) return false;
    struct policy_principal *p = policy_build_at(b, *out);
    p->kind = kind;
    p->n = (uint32_t)user.n;
    memcpy(p->account, account.p, account.n);
    if (user.n > 0) memcpy(p->text, user.p, user.n);
    return true;
}

/* A name where an account's number belongs, as other stores have: nobody here. It may stand in an allow, where nobody gets nothing. */
static bool name_of_elsewhere(struct slice account) {
    if (account.n == 0 || account.n > S3_BUCKET_CHARS_MAX || lower(account.p[0]) < 'a' || lower(account.p[0]) > 'z') return false;
    for (size_t i = 0; i < account.n; i++) {
        uint8_t c = lower(account.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) return false;
    }
    return true;
}

static bool principal_aws(struct policy_build *b, struct slice text, uint32_t *out) {
    struct slice none = slice_of("", 0), account, iam = SLICE_LIT(ARN_IAM), rest;
    if (slice_is(text, "*")) return principal_node(b, POLICY_P_ALL, none, none, out);
    if (policy_account_ok(text)) return principal_node(b, POLICY_P_ACCOUNT, text, none, out);
    bool sts = slice_starts(text, SLICE_LIT("arn:aws:sts::"));
    if (!sts && !slice_starts(text, iam)) return policy_build_bad(b, "a principal that is none");
    rest = slice_cut(slice_of(text.p + iam.n, text.n - iam.n), ':', &account);
    bool elsewhere = !sts && name_of_elsewhere(account) && !b->at.deny && !b->at.not_principal;
    if (!policy_account_ok(account) && !elsewhere) return policy_build_bad(b, "a principal of no account");
    if (sts) {
        bool known = slice_starts(rest, SLICE_LIT("assumed-role/")) || slice_starts(rest, SLICE_LIT("federated-user/"));
        if (!known || memchr(rest.p, '*', rest.n) != NULL) return policy_build_bad(b, "a principal that is none");
        return principal_node(b, POLICY_P_NOBODY, none, none, out);
    }
    if (elsewhere && rest.n > 0) return principal_node(b, POLICY_P_NOBODY, none, none, out);
    if (slice_is(rest, "root")) return principal_node(b, POLICY_P_ACCOUNT, account, none, out);
    bool user = slice_starts(rest, SLICE_LIT("user/")), role = slice_starts(rest, SLICE_LIT("role/"));
    if (!user && !role) return policy_build_bad(b, "a principal that is none");
    struct slice path = slice_of(rest.p + 4, rest.n - 4);
    size_t slash = path.n;
    while (slash > 0 && path.p[slash - 1] != '/') slash--;
    if (!policy_user_ok(slice_of(path.p + slash, path.n - slash)) || !policy_user_path_ok(slice_of(path.p, slash))) {
        return policy_build_bad(b, "a principal that is none");
    }
    return principal_node(b, user ? POLICY_P_USER : POLICY_P_NOBODY, account, path, out);
}

static bool principal_nobody(struct policy_build *b, struct slice text, uint32_t *out) {
    if (text.n == 0 || memchr(text.p, '*', text.n) != NULL) return policy_build_bad(b, "a principal that is none");
    return principal_node(b, POLICY_P_NOBODY, slice_of("", 0), slice_of("", 0), out);
}

static bool principal_federated(struct policy_build *b, struct slice text, uint32_t *out) {
    if (!principal_nobody(b, text, out)) return false;
    ((struct policy_principal *)policy_build_at(b, *out))->kind = POLICY_P_FEDERATED;
    return true;
}

static bool principals(struct policy_build *b) {
    static const char *const kinds[] = {"AWS", "Service", "CanonicalUser", "Federated"};
    static const each_fn each[] = {principal_aws, principal_nobody, principal_nobody, principal_federated};
    uint32_t last = 0, at;
    bool first = true, seen[ARRAY_LEN(kinds)] = {false};
    struct slice text;
    if (policy_json_peek(&b->j) != '{') {
        if (!policy_json_string(&b->j, &text)) return policy_build_bad(b, NULL);
        if (!slice_is(text, "*")) return policy_build_bad(b, "a principal that is none");
        if (!principal_aws(b, text, &at)) return false;
        link_node(b, &b->at.principals, &last, at);
        return true;
    }
    if (!policy_json_enter(&b->j, '{')) return policy_build_bad(b, NULL);
    while (policy_json_more(&b->j, '}', &first)) {
        if (!policy_json_key(&b->j, &text)) break;
        size_t k = 0;
        while (k < ARRAY_LEN(kinds) && !slice_is(text, kinds[k])) k++;
        if (k == ARRAY_LEN(kinds) || seen[k]) return policy_build_bad(b, "a kind of principal that is none, or is there twice");
        seen[k] = true;
        uint32_t before = last;
        if (!one_or_more(b, each[k], &b->at.principals, &last)) return false;
        if (last == before) return policy_build_bad(b, "an empty list");
    }
    if (b->j.why != NULL) return policy_build_bad(b, NULL);
    return last != 0 || policy_build_bad(b, "a principal is missing");
}

/* Statement --------------------------------------------------------------------------------------------------------------- */

static bool actions(struct policy_build *b, bool not_action) {
    uint32_t first = 0, last = 0;
    if (!one_or_more(b, policy_build_action, &first, &last)) return false;
    for (unsigned i = 0; not_action && i < POLICY_ASK_WORDS; i++) b->at.asks[i] = ~b->at.asks[i];
    return true;
}

enum element { SID, EFFECT, PRINCIPAL, NOT_PRINCIPAL, ACTION, NOT_ACTION, RESOURCE, NOT_RESOURCE, CONDITION, ELEMENTS };
static const char *const elements[ELEMENTS] = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction",
                                               "Resource", "NotResource", "Condition"};

static bool sid_ok(const struct policy_build *b, struct slice sid) {
    for (size_t i = 0; i < sid.n && b->bucket.n == 0; i++) {
        uint8_t c = lower(sid.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) return false;
    }
    return true;
}

static bool effect_of(struct policy_build *b, struct slice text) {
    b->at.deny = slice_is(text, "Deny");
    return b->at.deny || slice_is(text, "Allow") || policy_build_bad(b, "Effect is neither Allow nor Deny");
}

static bool read_element(struct policy_build *b, enum element e, struct slice *sid) {
    uint32_t last = 0;
    struct slice text;
    switch (e) {
    case SID:
        if (!policy_json_string(&b->j, sid)) return policy_build_bad(b, NULL);
        return sid_ok(b, *sid) || policy_build_bad(b, "a Sid of other characters than letters and digits");
    case EFFECT: /* read before: principals ask for it */
        return policy_json_string(&b->j, &text) || policy_build_bad(b, NULL);
    case PRINCIPAL:
    case NOT_PRINCIPAL:
        b->at.not_principal = e == NOT_PRINCIPAL;
        return principals(b);
    case ACTION:
    case NOT_ACTION: return actions(b, e == NOT_ACTION);
    case RESOURCE:
    case NOT_RESOURCE:
        b->at.not_resource = e == NOT_RESOURCE;
        return one_or_more(b, policy_build_resource, &b->at.resources, &last);
    case CONDITION: return policy_build_conditions(b, &b->at.conditions);
    case ELEMENTS: break;
    }
    return policy_build_bad(b, "an element that is none");
}

static bool has(unsigned seen, enum element e) { return seen >> e & 1; }

static bool complete(struct policy_build *b, unsigned seen) {
    if (!has(seen, EFFECT)) return policy_build_bad(b, "Effect is missing");
    if (has(seen, ACTION) == has(seen, NOT_ACTION)) return policy_build_bad(b, "one of Action and NotAction must be there");
    if (has(seen, RESOURCE) == has(seen, NOT_RESOURCE)) return policy_build_bad(b, "one of Resource and NotResource must be there");
    if (b->bucket.n == 0) {
        bool any = has(seen, PRINCIPAL) || has(seen, NOT_PRINCIPAL);
        return !any || policy_build_bad(b, "a user's policy names no principals");
    }
    if (has(seen, PRINCIPAL) == has(seen, NOT_PRINCIPAL)) return policy_build_bad(b, "one of Principal and NotPrincipal must be there");
    if (!b->at.deny && has(seen, NOT_PRINCIPAL)) return policy_build_bad(b, "Allow with NotPrincipal");
    return true;
}

/* Two passes over a statement: what is there, and Effect; then the rest, which may hang on it. */
static bool look_through(struct policy_build *b, unsigned *seen) {
    struct policy_json save = b->j;
    struct slice key, text;
    bool first = true;
    *seen = 0;
    if (!policy_json_enter(&b->j, '{')) return policy_build_bad(b, NULL);
    while (policy_json_more(&b->j, '}', &first)) {
        unsigned e = 0;
        if (!policy_json_key(&b->j, &key)) return policy_build_bad(b, NULL);
        while (e < ELEMENTS && !slice_is(key, elements[e])) e++;
        if (e == ELEMENTS) return policy_build_bad(b, "an element that is none");
        if (*seen >> e & 1) return policy_build_bad(b, "an element is there twice");
        *seen |= 1u << e;
        if (e == EFFECT) {
            if (!policy_json_string(&b->j, &text)) return policy_build_bad(b, NULL);
            if (!effect_of(b, text)) return false;
        } else if (!policy_json_skip(&b->j)) {
            return policy_build_bad(b, NULL);
        }
    }
    if (b->j.why != NULL) return policy_build_bad(b, NULL);
    b->j.at = save.at;
    b->j.depth = save.depth;
    b->j.text.n = save.text.n;
    return complete(b, *seen);
}

static bool statement(struct policy_build *b, uint32_t *out, struct slice *sid) {
    struct slice key;
    bool first = true;
    unsigned seen;
    b->at = (struct policy_doc_statement){0};
    *sid = slice_of(NULL, 0);
    *out = policy_build_node(b, sizeof b->at);
    if (*out == 0 || !look_through(b, &seen) || !policy_json_enter(&b->j, '{')) return policy_build_bad(b, NULL);
    while (policy_json_more(&b->j, '}', &first)) {
        unsigned e = 0;
        if (!policy_json_key(&b->j, &key)) return policy_build_bad(b, NULL);
        while (e < ELEMENTS && !slice_is(key, elements[e])) e++;
        if (!read_element(b, (enum element)e, sid)) return policy_build_bad(b, NULL);
    }
    if (b->j.why != NULL) return policy_build_bad(b, NULL);
    if (b->at.conditions != 0) b->at.conditional = true;
    memcpy(policy_build_at(b, *out), &b->at, sizeof b->at);
    struct policy_doc *d = (struct policy_doc *)(void *)b->out.p;
    for (unsigned i = 0; i < POLICY_ASK_WORDS; i++) {
        if (b->at.conditional) d->asks_conditional[i] |= b->at.asks[i];
        if (!b->at.deny) d->asks_allowed[i] |= b->at.asks[i];
    }
    d->statement_count++;
    return true;
}

/* Sids are text in j.text, which stays: the list of them lies in a buf as slices. */
static bool sid_is_new(struct policy_build *b, struct buf *sids, struct slice sid) {
    if (sid.n == 0) return true;
    const struct slice *list = (const struct slice *)(const void *)sids->p;
    for (size_t i = 0; i < sids->n / sizeof sid; i++) {
        if (slice_eq(list[i], sid)) return policy_build_bad(b, "two statements of one Sid");
    }
    buf_put(sids, &sid, sizeof sid);
    return buf_ok(sids) || policy_build_bad(b, "the policy is too large");
}

static bool add_statement(struct policy_build *b, struct buf *sids, uint32_t *first, uint32_t *last) {
    struct slice sid;
    uint32_t at;
    if (((struct policy_doc *)(void *)b->out.p)->statement_count == POLICY_STATEMENTS_MAX) return policy_build_bad(b, "too many statements");
    if (!statement(b, &at, &sid) || !sid_is_new(b, sids, sid)) return false;
    link_node(b, first, last, at);
    return true;
}

static bool statements(struct policy_build *b) {
    AUTO(buf) struct buf sids = BUF_INIT(POLICY_STATEMENTS_MAX * sizeof(struct slice));
    uint32_t first = 0, last = 0;
    bool start = true;
    if (policy_json_peek(&b->j) != '[') {
        if (!add_statement(b, &sids, &first, &last)) return false;
    } else {
        if (!policy_json_enter(&b->j, '[')) return policy_build_bad(b, NULL);
        while (policy_json_more(&b->j, ']', &start)) {
            if (!add_statement(b, &sids, &first, &last)) return false;
        }
        if (b->j.why != NULL) return policy_build_bad(b, NULL);
        if (last == 0) return policy_build_bad(b, "an empty list");
    }
    ((struct policy_doc *)(void *)b->out.p)->first = first;
    return true;
}

/* The document's own elements; Version may stand last, so this goes first. *at: where Statement's value begins. */
static bool top(struct policy_build *b, size_t *at) {
    bool first = true, id = false, version = false;
    struct slice key, text;
    *at = SIZE_MAX;
    if (!policy_json_enter(&b->j, '{')) return policy_build_bad(b, NULL);
    while (policy_json_more(&b->j, '}', &first)) {
        if (!policy_json_key(&b->j, &key)) return policy_build_bad(b, NULL);
        if (slice_is(key, "Version") && !version) {
            version = true;
            if (!policy_json_string(&b->j, &text)) return policy_build_bad(b, NULL);
            b->variables = slice_is(text, "2012-10-17");
            if (!b->variables && !slice_is(text, "2008-10-17")) return policy_build_bad(b, "a Version that is none");
        } else if (slice_is(key, "Id") && !id) {
            id = true;
            if (b->bucket.n == 0) return policy_build_bad(b, "a user's policy has no Id");
            if (!policy_json_string(&b->j, &text)) return policy_build_bad(b, NULL);
        } else if (slice_is(key, "Statement") && *at == SIZE_MAX) {
            *at = b->j.at;
            if (!policy_json_skip(&b->j)) return policy_build_bad(b, NULL);
        } else {
            return policy_build_bad(b, "an element that is none, or is there twice");
        }
    }
    if (!policy_json_end(&b->j)) return policy_build_bad(b, NULL);
    return *at != SIZE_MAX || policy_build_bad(b, "Statement is missing");
}

static bool compile(struct policy_build *b, struct slice text) {
    size_t at;
    if (text.n > S3_POLICY_BYTES_MAX) return policy_build_bad(b, "the policy is too large");
    if (!policy_json_init(&b->j, text)) return policy_build_bad(b, NULL);
    uint8_t *p = buf_room(&b->out, sizeof(struct policy_doc));
    if (p == NULL) return policy_build_bad(b, "out of memory");
    memset(p, 0, sizeof(struct policy_doc));
    b->out.n = sizeof(struct policy_doc);
    if (!top(b, &at)) return false;
    policy_json_again(&b->j);
    b->j.at = at;
    b->j.depth = 1;
    return statements(b);
}

static enum err finish(struct policy_build *b, struct slice text, struct policy_doc **out) {
    bool ok = compile(b, text);
    policy_json_done(&b->j);
    *out = NULL;
    if (!ok) {
        ASSERT(b->why != NULL);
        buf_done(&b->out);
        return ERR_INPUT;
    }
    struct policy_doc *d = (struct policy_doc *)(void *)b->out.p;
    d->own = b->out;
    *out = d;
    return ERR_OK;
}

enum err policy_doc_compile(struct slice text, struct slice bucket, struct policy_doc **out, const char **why) {
    struct policy_build b = {.bucket = bucket, .out = BUF_INIT(POLICY_COMPILED_BYTES_MAX)};
    enum err e = finish(&b, text, out);
    *why = b.why;
    return e;
}

bool policy_doc_is_public(struct slice text) {
    struct policy_build b = {.bucket = SLICE_LIT("any"), .any_bucket = true, .out = BUF_INIT(POLICY_COMPILED_BYTES_MAX)};
    struct policy_doc *d;
    if (finish(&b, text, &d) != ERR_OK) return false;
    bool is = policy_doc_gives_everyone(d);
    policy_doc_free(d);
    return is;
}

void policy_doc_free(struct policy_doc *d) {
    if (d == NULL) return;
    struct buf own = d->own;
    buf_done(&own);
}

enum err policy_doc_check(struct slice text, struct slice bucket, const char **why) {
    struct policy_doc *d;
    enum err e = policy_doc_compile(text, bucket, &d, why);
    policy_doc_free(d);
    return e;
}

size_t policy_doc_weight(struct slice text) {
    size_t n = 0;
    bool in = false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (in && c == '\\') {
            n += i + 1 < text.n ? 2 : 1;
            i++;
            continue;
        }
        if (c == '"') in = !in;
        if (in || (c != ' ' && c != '\t' && c != '\n' && c != '\r')) n++;
    }
    return n;
}
