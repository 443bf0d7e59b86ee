/* SPDX-License-Identifier: Apache-2.0
 * What the customer's approvers set: rules for approvals, categories of buckets, limits of purposes, the origin of passkeys, notices.
 * Role: behind policy_customer.c, which knows who may. Trusts: policy_customer.c for that. Distrusts: every word of a statement.
 * Law: 4, 6 (a limit takes away from what the provider's purpose allows, and adds nothing). Spec: docs/spec/access.md sections 1 and 3.
 */
#include "policy/policy_access_internal.h"

struct rule_row {
    char bucket[S3_BUCKET_CHARS_MAX + 1];          /* "": every one */
    struct buf prefix;                             /* decoded */
    struct buf countries, employers;
    struct policy_rule rule;
};
struct category_row {
    uint8_t bucket[ID_BYTES];
    struct policy_words words;
    struct buf joined;
};
struct limit_row {
    char name[POLICY_WORD_CHARS_MAX + 1];
    struct policy_words verbs, categories;
};

static const struct policy_rule rule_default = {.need = 1, .lapse_ms = GRANT_LAPSE_MS};
static const struct policy_words categories_default = {.count = 1, .word = {"general"}};

enum err policy_rules_init(struct policy_rules *r) {
    r->rules = BUF_INIT(POLICY_RULES_MAX * sizeof(struct rule_row));
    r->buckets = BUF_INIT(POLICY_RULES_MAX * sizeof(uint64_t));
    r->categories = BUF_INIT(S3_BUCKETS_PER_TENANT_MAX * sizeof(struct category_row));
    r->limits = BUF_INIT(POLICY_PURPOSES_MAX * sizeof(struct limit_row));
    r->notices = BUF_INIT(POLICY_NOTICES_MAX * sizeof(struct policy_notice));
    r->origin = BUF_INIT(2 * (POLICY_TEXT_BYTES_MAX + 1));
    r->category_by_bucket = map_new(S3_BUCKETS_PER_TENANT_MAX);
    return r->category_by_bucket == NULL ? ERR_NOMEM : ERR_OK;
}

static size_t rule_count(const struct policy_rules *r) { return r->rules.n / sizeof(struct rule_row); }
static struct rule_row *rule_at(const struct policy_rules *r, size_t row) { return (struct rule_row *)(void *)r->rules.p + row; }
static size_t category_count(const struct policy_rules *r) { return r->categories.n / sizeof(struct category_row); }
static struct category_row *category_at(const struct policy_rules *r, size_t row) { return (struct category_row *)(void *)r->categories.p + row; }
static size_t limit_count(const struct policy_rules *r) { return r->limits.n / sizeof(struct limit_row); }
static struct limit_row *limit_at(const struct policy_rules *r, size_t row) { return (struct limit_row *)(void *)r->limits.p + row; }
static size_t notice_count(const struct policy_rules *r) { return r->notices.n / sizeof(struct policy_notice); }
static struct policy_notice *notice_at(const struct policy_rules *r, size_t row) { return (struct policy_notice *)(void *)r->notices.p + row; }

static void rule_done(struct rule_row *row) {
    buf_done(&row->prefix);
    buf_done(&row->countries);
    buf_done(&row->employers);
}

void policy_rules_done(struct policy_rules *r) {
    for (size_t i = 0; i < rule_count(r); i++) rule_done(rule_at(r, i));
    for (size_t i = 0; i < category_count(r); i++) buf_done(&category_at(r, i)->joined);
    buf_done(&r->rules);
    buf_done(&r->buckets);
    buf_done(&r->categories);
    buf_done(&r->limits);
    buf_done(&r->notices);
    buf_done(&r->origin);
    map_free(r->category_by_bucket);
}

/* One row more at the end of an array, zeroed; NULL: no memory. */
static void *row_more(struct buf *rows, size_t size) {
    uint8_t *to = buf_room(rows, size);
    if (to == NULL) {
        rows->bad = false;
        return NULL;
    }
    memset(to, 0, size);
    rows->n += size;
    return to;
}

static void row_less(struct buf *rows, size_t size, size_t row) {
    uint8_t *at = rows->p + row * size;
    memmove(at, at + size, rows->n - (row + 1) * size);
    rows->n -= size;
}

/* looking ------------------------------------------------------------------------------------------------------------------------- */

/* Rows are large and looked through for every release: this array of small numbers says which can matter. */
static uint64_t bucket_mark(struct slice bucket) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bucket.n; i++) h = (h ^ bucket.p[i]) * 0x100000001b3u;
    return h;
}

/* The longest prefix; a bucket's before everybody's. */
const struct policy_rule *policy_rule_for(const struct policy_state *s, struct slice bucket, struct slice key) {
    const struct policy_rules *r = &s->access->customer->rules;
    const uint64_t *marks = (const uint64_t *)(const void *)r->buckets.p;
    const struct rule_row *best = NULL;
    uint64_t any = bucket_mark(slice_of(NULL, 0)), mine = bucket_mark(bucket);
    for (size_t i = 0; i < rule_count(r); i++) {
        if (marks[i] != mine && marks[i] != any) continue;
        const struct rule_row *row = rule_at(r, i);
        bool all = row->bucket[0] == 0;
        if (!all && (!slice_is(bucket, row->bucket) || !slice_starts(key, buf_slice(&row->prefix)))) continue;
        if (best == NULL || (best->bucket[0] == 0 && !all) || (!all && row->prefix.n > best->prefix.n)) best = row;
    }
    return best == NULL ? &rule_default : &best->rule;
}

const struct policy_rule *policy_rule_below(const struct policy_state *s, struct slice bucket, struct slice prefix, size_t *cursor) {
    const struct policy_rules *r = &s->access->customer->rules;
    while (*cursor < rule_count(r)) {
        const struct rule_row *row = rule_at(r, (*cursor)++);
        if (row->bucket[0] != 0 && slice_is(bucket, row->bucket) && slice_starts(buf_slice(&row->prefix), prefix)) return &row->rule;
    }
    return NULL;
}

bool policy_rule_refuses(const struct policy_rule *r, const struct policy_person *p, struct slice country) {
    for (size_t i = 0; i < r->country_count; i++) {
        if (strcmp(r->countries[i], p->office) == 0 || slice_is(country, r->countries[i])) return true;
    }
    for (size_t i = 0; i < r->employer_count; i++) {
        if (strcmp(r->employers[i], p->employer) == 0) return true;
    }
    return false;
}

static const struct category_row *category_row(const struct policy_state *s, const uint8_t bucket[ID_BYTES]) {
    const struct policy_rules *r = &s->access->customer->rules;
    void *v = map_get(r->category_by_bucket, slice_of(bucket, ID_BYTES));
    return v == NULL ? NULL : category_at(r, (size_t)(uintptr_t)v - 1);
}

const struct policy_words *policy_categories_of(const struct policy_state *s, const struct policy_bucket *b) {
    const struct category_row *row = category_row(s, b->id);
    return row == NULL ? &categories_default : &row->words;
}

struct slice policy_bucket_categories(const struct policy_state *s, const uint8_t bucket[ID_BYTES]) {
    const struct category_row *row = category_row(s, bucket);
    return row == NULL ? slice_str(categories_default.word[0]) : buf_slice(&row->joined);
}

static const struct limit_row *limit_of(const struct policy_rules *r, struct slice name) {
    for (size_t i = 0; i < limit_count(r); i++) {
        if (slice_is(name, limit_at(r, i)->name)) return limit_at(r, i);
    }
    return NULL;
}

static void words_both(const struct policy_words *a, const struct policy_words *b, struct policy_words *out) {
    out->count = 0;
    for (unsigned i = 0; i < a->count; i++) {
        if (b == NULL || policy_words_have(b, slice_str(a->word[i]))) memcpy(out->word[out->count++], a->word[i], sizeof a->word[i]);
    }
}

bool policy_purpose_here(const struct policy_state *s, struct slice name, struct policy_words *verbs, struct policy_words *categories, uint32_t *roles) {
    const struct policy_purpose *p = policy_purpose(s->access->people, name);
    const struct limit_row *limit = limit_of(&s->access->customer->rules, name);
    verbs->count = categories->count = 0;
    *roles = 0;
    if (p == NULL || (limit == NULL && slice_is(name, "improve"))) return false;
    words_both(&p->verbs, limit == NULL ? NULL : &limit->verbs, verbs);
    words_both(&p->categories, limit == NULL ? NULL : &limit->categories, categories);
    *roles = p->roles;
    return verbs->count > 0 && categories->count > 0;
}

bool policy_origin(const struct policy_state *s, struct slice *origin, struct slice *rpid) {
    const struct buf *b = &s->access->customer->rules.origin;
    *origin = *rpid = slice_of(NULL, 0);
    if (b->n == 0) return false;
    const uint8_t *end = memchr(b->p, 0, b->n); /* origin_set() ended both with a NUL */
    ASSERT(end);
    *origin = slice_of(b->p, (size_t)(end - b->p));
    *rpid = slice_of(end + 1, b->n - origin->n - 2);
    return true;
}

const struct policy_notice *policy_notice_next(const struct policy_state *s, size_t *cursor) {
    const struct policy_rules *r = &s->access->customer->rules;
    return *cursor < notice_count(r) ? notice_at(r, (*cursor)++) : NULL;
}

/* what makes sense ------------------------------------------------------------------------------------------------------------------- */

/* "*", "bucket", "bucket/prefix"; prefix: reset first. */
static bool place_of(struct slice subject, struct slice *bucket, struct buf *prefix) {
    *bucket = slice_of(NULL, 0);
    buf_reset(prefix);
    if (slice_is(subject, "*")) return true;
    struct slice rest = slice_cut(subject, '/', bucket);
    if (!policy_bucket_name_ok(*bucket)) return false;
    return rest.p == NULL || (rest.n > 0 && record_prefix_decode(rest, prefix) == ERR_OK && buf_ok(prefix));
}

static size_t rule_find(const struct policy_rules *r, struct slice bucket, struct slice prefix) {
    size_t i = 0;
    while (i < rule_count(r) && !(slice_is(bucket, rule_at(r, i)->bucket) && slice_eq(prefix, buf_slice(&rule_at(r, i)->prefix)))) i++;
    return i;
}

static size_t terms_count(const struct record_statement *t, enum record_term term) {
    size_t n = 0;
    while (record_term(t, term, n).p != NULL) n++;
    return n;
}

static enum policy_say rule_say(const struct policy_rules *r, const struct record_statement *t) {
    AUTO(buf) struct buf prefix = BUF_INIT(S3_KEY_BYTES_MAX);
    struct policy_words approvers;
    struct slice bucket;
    if (!place_of(t->subject, &bucket, &prefix)) return POLICY_SAY_SUBJECT;
    size_t at = rule_find(r, bucket, buf_slice(&prefix));
    if (t->kind == RECORD_STATEMENT_RULE_OFF) return at < rule_count(r) ? POLICY_SAY_DONE : POLICY_SAY_NO_SUBJECT;
    uint64_t need = record_term_int(t, RECORD_TERM_NEED, 0), lapse = record_term_int(t, RECORD_TERM_LAPSE, GRANT_LAPSE_MS);
    if (need < 1 || need > POLICY_NEED_MAX || lapse < GRANT_LAPSE_MIN_MS || lapse > GRANT_LAPSE_MAX_MS) return POLICY_SAY_RANGE;
    if (policy_words_take(t, RECORD_TERM_APPROVER, &approvers) != ERR_OK) return POLICY_SAY_LIMIT;
    if (approvers.count > 0 && need > approvers.count) return POLICY_SAY_RANGE;
    if (terms_count(t, RECORD_TERM_DENY_EMPLOYER) > POLICY_WORDS_MAX) return POLICY_SAY_LIMIT;
    return at < POLICY_RULES_MAX ? POLICY_SAY_DONE : POLICY_SAY_LIMIT;
}

static enum policy_say category_say(const struct policy_state *s, const struct record_statement *t) {
    struct policy_words words;
    if (policy_bucket(s, t->subject) == NULL) return POLICY_SAY_NO_BUCKET;
    return policy_words_take(t, RECORD_TERM_CATEGORY, &words) == ERR_OK ? POLICY_SAY_DONE : POLICY_SAY_LIMIT;
}

static enum policy_say limit_say(const struct policy_rules *r, const struct record_statement *t) {
    struct policy_words verbs, categories;
    if (!policy_word_ok(t->subject)) return POLICY_SAY_SUBJECT;
    if (policy_words_take(t, RECORD_TERM_VERB, &verbs) != ERR_OK || policy_words_take(t, RECORD_TERM_CATEGORY, &categories) != ERR_OK) return POLICY_SAY_LIMIT;
    if (!policy_verbs_ok(&verbs)) return POLICY_SAY_VERB;
    return limit_of(r, t->subject) != NULL || limit_count(r) < POLICY_PURPOSES_MAX ? POLICY_SAY_DONE : POLICY_SAY_LIMIT;
}

/* https://host[:port], and in tests http://localhost; rpid is the host or ends it at a dot: what a browser would take too. */
static bool origin_ok(struct slice origin, struct slice rpid) {
    bool https = slice_starts(origin, SLICE_LIT("https://"));
    if (!https && !slice_starts(origin, SLICE_LIT("http://"))) return false;
    size_t scheme = https ? 8 : 7;
    struct slice host, port = slice_cut(slice_of(origin.p + scheme, origin.n - scheme), ':', &host);
    uint64_t number;
    if (port.p != NULL && slice_u64(port, UINT16_MAX, &number) != ERR_OK) return false;
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-')) return false;
    }
    if (host.n == 0 || rpid.n == 0 || rpid.n > host.n || (!https && !slice_is(host, "localhost"))) return false;
    if (!slice_eq(slice_of(host.p + host.n - rpid.n, rpid.n), rpid)) return false;
    return rpid.n == host.n || (host.p[host.n - rpid.n - 1] == '.' && rpid.p[0] != '.');
}

/* What nobody could ever call is refused when it is said: else somebody waits for notices that never come. */
static bool target_ok(const struct record_statement *t) {
    struct slice hook = record_term(t, RECORD_TERM_WEBHOOK, 0), mail = record_term(t, RECORD_TERM_MAIL, 0);
    if (hook.p == NULL && mail.p == NULL) return false;
    size_t scheme = slice_starts(hook, SLICE_LIT("https://")) ? 8 : slice_starts(hook, SLICE_LIT("http://")) ? 7 : 0;
    if (hook.p != NULL && (scheme == 0 || hook.n == scheme || hook.p[scheme] == '/' || memchr(hook.p, ' ', hook.n) != NULL)) return false;
    return mail.p == NULL || slice_is_mail(mail);
}

static size_t notice_find(const struct policy_rules *r, struct slice id) {
    size_t i = 0;
    while (i < notice_count(r) && !slice_is(id, notice_at(r, i)->id)) i++;
    return i;
}

enum policy_say policy_rules_say(const struct policy_state *s, const struct record_statement *t) {
    const struct policy_rules *r = &s->access->customer->rules;
    switch (t->kind) {
    case RECORD_STATEMENT_RULE_SET:
    case RECORD_STATEMENT_RULE_OFF: return rule_say(r, t);
    case RECORD_STATEMENT_CATEGORY_SET: return category_say(s, t);
    case RECORD_STATEMENT_PURPOSE_LIMIT: return limit_say(r, t);
    case RECORD_STATEMENT_ORIGIN_SET:
        return origin_ok(record_term(t, RECORD_TERM_ORIGIN, 0), record_term(t, RECORD_TERM_RPID, 0)) ? POLICY_SAY_DONE : POLICY_SAY_SUBJECT;
    case RECORD_STATEMENT_NOTICE_SET:
        if (!policy_word_ok(t->subject) || !target_ok(t)) return POLICY_SAY_SUBJECT;
        return notice_find(r, t->subject) < POLICY_NOTICES_MAX ? POLICY_SAY_DONE : POLICY_SAY_LIMIT;
    default: break;
    }
    ASSERT(t->kind == RECORD_STATEMENT_NOTICE_OFF);
    return notice_find(r, t->subject) < notice_count(r) ? POLICY_SAY_DONE : POLICY_SAY_NO_SUBJECT;
}

/* effects ---------------------------------------------------------------------------------------------------------------------------- */

static bool rule_fill(struct rule_row *row, uint64_t index, const struct record_statement *t) {
    struct policy_rule *rule = &row->rule;
    struct slice text;
    rule->index = index;
    rule->need = (unsigned)record_term_int(t, RECORD_TERM_NEED, 1);
    rule->lapse_ms = record_term_int(t, RECORD_TERM_LAPSE, GRANT_LAPSE_MS);
    if (policy_words_take(t, RECORD_TERM_APPROVER, &rule->approvers) != ERR_OK) return false;
    for (; (text = record_term(t, RECORD_TERM_DENY_COUNTRY, rule->country_count)).p != NULL; rule->country_count++) {
        char *to = row_more(&row->countries, sizeof rule->countries[0]);
        if (to == NULL) return false;
        policy_copy_text(to, text);
    }
    for (; (text = record_term(t, RECORD_TERM_DENY_EMPLOYER, rule->employer_count)).p != NULL; rule->employer_count++) {
        char *to = row_more(&row->employers, sizeof rule->employers[0]);
        if (to == NULL) return false;
        policy_copy_text(to, text);
    }
    rule->countries = (const char (*)[3])(const void *)row->countries.p;
    rule->employers = (const char (*)[POLICY_TEXT_BYTES_MAX + 1])(const void *)row->employers.p;
    return true;
}

static enum err rule_set(struct policy_rules *r, uint64_t index, const struct record_statement *t) {
    struct rule_row made = {.prefix = BUF_INIT(S3_KEY_BYTES_MAX), .countries = BUF_INIT(STATEMENT_BYTES_MAX),
                            .employers = BUF_INIT(POLICY_WORDS_MAX * (POLICY_TEXT_BYTES_MAX + 1))};
    struct slice bucket;
    ASSERT(place_of(t->subject, &bucket, &made.prefix));
    size_t at = rule_find(r, bucket, buf_slice(&made.prefix));
    policy_copy_text(made.bucket, bucket);
    bool ok = rule_fill(&made, index, t);
    if (ok && at == rule_count(r)) {
        uint64_t *mark = row_more(&r->buckets, sizeof *mark);
        if (mark != NULL) *mark = bucket_mark(bucket);
        ok = mark != NULL && row_more(&r->rules, sizeof made) != NULL;
        if (mark != NULL && !ok) row_less(&r->buckets, sizeof *mark, at);
    } else if (ok) {
        rule_done(rule_at(r, at));
    }
    if (!ok) {
        rule_done(&made);
        return ERR_NOMEM;
    }
    *rule_at(r, at) = made;
    return ERR_OK;
}

static void rule_off(struct policy_rules *r, const struct record_statement *t) {
    AUTO(buf) struct buf prefix = BUF_INIT(S3_KEY_BYTES_MAX);
    struct slice bucket;
    ASSERT(place_of(t->subject, &bucket, &prefix));
    size_t at = rule_find(r, bucket, buf_slice(&prefix));
    rule_done(rule_at(r, at));
    row_less(&r->rules, sizeof(struct rule_row), at);
    row_less(&r->buckets, sizeof(uint64_t), at);
}

/* The row of a bucket that is gone serves again; when all are taken by buckets that are there, this one has its own. */
static enum err category_row_take(struct policy_state *s, const uint8_t bucket[ID_BYTES], size_t *at) {
    struct policy_rules *r = &s->access->customer->rules;
    const struct category_row *have = category_row(s, bucket);
    bool full = category_count(r) == S3_BUCKETS_PER_TENANT_MAX;
    *at = have != NULL ? (size_t)(have - category_at(r, 0)) : category_count(r);
    if (have != NULL) return ERR_OK;
    if (full) {
        for (*at = 0; policy_bucket_of_id(s, category_at(r, *at)->bucket) != NULL;) (*at)++;
        (void)map_del(r->category_by_bucket, slice_of(category_at(r, *at)->bucket, ID_BYTES));
    } else if (row_more(&r->categories, sizeof(struct category_row)) == NULL) {
        return ERR_NOMEM;
    }
    memcpy(category_at(r, *at)->bucket, bucket, ID_BYTES);
    return map_put(r->category_by_bucket, slice_of(bucket, ID_BYTES), (void *)(uintptr_t)(*at + 1));
}

static enum err category_set(struct policy_state *s, const struct record_statement *t) {
    struct category_row made = {.joined = BUF_INIT(POLICY_WORDS_MAX * (POLICY_WORD_CHARS_MAX + 1))};
    const struct policy_bucket *b = policy_bucket(s, t->subject);
    size_t at = 0;
    ASSERT(b != NULL);
    memcpy(made.bucket, b->id, ID_BYTES);
    TRY(policy_words_take(t, RECORD_TERM_CATEGORY, &made.words));
    for (unsigned i = 0; i < made.words.count; i++) {
        if (i > 0) buf_put_u8(&made.joined, '+');
        buf_put_str(&made.joined, made.words.word[i]);
    }
    enum err e = buf_ok(&made.joined) ? category_row_take(s, b->id, &at) : ERR_NOMEM;
    if (e != ERR_OK) {
        buf_done(&made.joined);
        return e;
    }
    struct category_row *row = category_at(&s->access->customer->rules, at);
    buf_done(&row->joined);
    *row = made;
    return ERR_OK;
}

static enum err limit_set(struct policy_rules *r, const struct record_statement *t) {
    struct limit_row made = {0};
    const struct limit_row *have = limit_of(r, t->subject);
    size_t at = have == NULL ? limit_count(r) : (size_t)(have - limit_at(r, 0));
    policy_copy_text(made.name, t->subject);
    TRY(policy_words_take(t, RECORD_TERM_VERB, &made.verbs));
    TRY(policy_words_take(t, RECORD_TERM_CATEGORY, &made.categories));
    if (have == NULL && row_more(&r->limits, sizeof made) == NULL) return ERR_NOMEM;
    *limit_at(r, at) = made;
    return ERR_OK;
}

static enum err origin_set(struct policy_rules *r, const struct record_statement *t) {
    struct buf made = BUF_INIT(2 * (POLICY_TEXT_BYTES_MAX + 1));
    buf_put_slice(&made, record_term(t, RECORD_TERM_ORIGIN, 0));
    buf_put_u8(&made, 0);
    buf_put_slice(&made, record_term(t, RECORD_TERM_RPID, 0));
    buf_put_u8(&made, 0);
    if (!buf_ok(&made)) {
        buf_done(&made);
        return ERR_NOMEM;
    }
    buf_done(&r->origin);
    r->origin = made;
    return ERR_OK;
}

static enum err notice_set(struct policy_rules *r, const struct record_statement *t) {
    struct policy_notice made = {0};
    size_t at = notice_find(r, t->subject);
    policy_copy_text(made.id, t->subject);
    policy_copy_text(made.webhook, record_term(t, RECORD_TERM_WEBHOOK, 0));
    policy_copy_text(made.mail, record_term(t, RECORD_TERM_MAIL, 0));
    if (at == notice_count(r) && row_more(&r->notices, sizeof made) == NULL) return ERR_NOMEM;
    *notice_at(r, at) = made;
    return ERR_OK;
}

enum err policy_rules_fold(struct policy_state *s, uint64_t index, const struct record_statement *t) {
    struct policy_rules *r = &s->access->customer->rules;
    switch (t->kind) {
    case RECORD_STATEMENT_RULE_SET: return rule_set(r, index, t);
    case RECORD_STATEMENT_RULE_OFF: rule_off(r, t); return ERR_OK;
    case RECORD_STATEMENT_CATEGORY_SET: return category_set(s, t);
    case RECORD_STATEMENT_PURPOSE_LIMIT: return limit_set(r, t);
    case RECORD_STATEMENT_ORIGIN_SET: return origin_set(r, t);
    case RECORD_STATEMENT_NOTICE_SET: return notice_set(r, t);
    default: break;
    }
    ASSERT(t->kind == RECORD_STATEMENT_NOTICE_OFF);
    row_less(&r->notices, sizeof(struct policy_notice), notice_find(r, t->subject));
    return ERR_OK;
}
