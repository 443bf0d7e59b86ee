/* SPDX-License-Identifier: Apache-2.0
 * What came of a statement, and what the store tells of a request or grant, in words.
 * Role: prints. Trusts: nothing of the store that the request's own text can say: terms are read from that text, whose digest is computed here,
 *       so that an approver signs what they saw. What the store alone knows (state, name behind an account) is printed as such.
 * Law: 7. Spec: docs/spec/access.md
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/say.h"

static const char *text_of(const json_t *j, const char *name)
{
    const char *s = json_string_value(json_object_get(j, name));
    return s ? s : "";
}

static void line(FILE *f, const char *name, struct slice value)
{
    AUTO(buf) struct buf words = BUF_INIT(TOOLS_ANSWER_BYTES_MAX);
    shown_put(value, &words);
    fprintf(f, "  %-14s %.*s\n", shown(name), (int)words.n, words.n > 0 ? (const char *)words.p : "");
}

static void json_line(FILE *f, const char *name, const json_t *v)
{
    if (json_is_string(v)) {
        line(f, name, slice_of(json_string_value(v), json_string_length(v)));
        return;
    }
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text) line(f, name, slice_str(text));
    free(text);
}

/* statements ------------------------------------------------------------------------------------------------------------------- */

void say_answer(const struct say *s, long status, json_t *answer, struct slice text)
{
    AUTO(buf) struct buf digest = BUF_INIT(64);
    const char *name;
    json_t *v;
    if (s->json) {
        if (answer) json_dumpf(answer, stdout, JSON_COMPACT), putchar('\n');
        return;
    }
    say_digest(text, &digest);
    bool access = strncmp(record_statement_kind_text(s->kind), "access.", 7) == 0;
    if (status == 202 && !access) {
        printf("%s: waits for others to agree, at most 7 days. Each of them:\n  tillit agree --request %.*s%s%s\nor, with the proposal's text in a file, of which every word is shown then:\n"
               "  tillit agree --proposal FILE\n%.*s\n", s->command, (int)digest.n, (const char *)digest.p, s->tenant ? " --tenant " : "", s->tenant ? s->tenant : "",
               (int)text.n, (const char *)text.p);
        return;
    }
    printf("%s: done%s\n", s->command, status == 202 ? "; it waits for others to sign" : "");
    json_object_foreach(answer, name, v)
        if (strcmp(name, "result") != 0 && strcmp(name, "what") != 0 && strcmp(name, "receipt") != 0) json_line(stdout, name, v);
}

/* requests and grants ---------------------------------------------------------------------------------------------------------- */

static void when_line(FILE *f, const char *name, const json_t *ms)
{
    char text[TIME_TEXT_MAX];
    if (!json_is_integer(ms) || json_integer_value(ms) <= 0) return;
    time_iso8601((uint64_t)json_integer_value(ms), text);
    line(f, name, slice_str(text));
}

void say_terms_words(FILE *f, const struct record_statement *st)
{
    for (unsigned t = 0; t < RECORD_TERM_COUNT; t++) {
        AUTO(buf) struct buf words = BUF_INIT(65536);
        struct slice v;
        for (size_t i = 0; (v = record_term(st, (enum record_term)t, i)).p; i++) {
            if (i > 0) buf_put_str(&words, ", ");
            say_value_words((enum record_term)t, v, &words);
            if (!say_term_many((enum record_term)t)) break;
        }
        if (words.n > 0) line(f, record_term_name((enum record_term)t), buf_slice(&words));
    }
    if (st->kind == RECORD_STATEMENT_ACCESS_REQUEST && !record_term(st, RECORD_TERM_PREFIX, 0).p) line(f, "prefix", SLICE_LIT("(none: the whole bucket)"));
}

/* The request as its author signed it. False: the store does not tell it, or its digest is another one. */
static bool request_words(FILE *f, const json_t *grant)
{
    AUTO(buf) struct buf digest = BUF_INIT(64);
    struct record_statement st;
    struct slice text = slice_of(text_of(grant, "request"), strlen(text_of(grant, "request")));
    say_digest(text, &digest);
    if (record_statement_parse(text, &st) != ERR_OK || st.kind != RECORD_STATEMENT_ACCESS_REQUEST || !slice_is(buf_slice(&digest), text_of(grant, "digest"))) return false;
    say_terms_words(f, &st);
    line(f, "digest", buf_slice(&digest));
    return true;
}

/* "Ines Berg (ines), of Nord Hosting AB": of somebody the store knows the name of, else the key. */
static void name_words(const json_t *who, struct buf *words)
{
    if (*text_of(who, "name")) buf_printf(words, "%s%s%s%s", text_of(who, "name"), *text_of(who, "id") ? " (" : "", text_of(who, "id"), *text_of(who, "id") ? ")" : "");
    else buf_put_str(words, *text_of(who, "id") ? text_of(who, "id") : text_of(who, "key"));
    if (*text_of(who, "employer")) buf_printf(words, ", of %s", text_of(who, "employer"));
}

static void who_words(FILE *f, const json_t *who)
{
    AUTO(buf) struct buf words = BUF_INIT(65536);
    name_words(who, &words);
    if (*text_of(who, "subprocessor")) buf_printf(&words, " (subprocessor %s)", text_of(who, "subprocessor"));
    if (*text_of(who, "office")) buf_printf(&words, ", office in %s", text_of(who, "office"));
    if (*text_of(who, "country")) buf_printf(&words, ", now in %s", text_of(who, "country"));
    line(f, "who asks", buf_slice(&words));
}

static uint64_t number(const json_t *j, const char *name) { return (uint64_t)json_integer_value(json_object_get(j, name)); }

static void list_words(const json_t *list, struct buf *words)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v) buf_printf(words, "%s%s", i > 0 ? ", " : "", json_string_value(v) ? json_string_value(v) : "?");
}

/* What all who signed allow together, by the store's count: narrower than the request once somebody narrowed it. */
static void allowed_words(FILE *f, const json_t *grant)
{
    AUTO(buf) struct buf words = BUF_INIT(65536);
    const json_t *scope = json_object_get(grant, "scope"), *budget = json_object_get(grant, "budget");
    if (!json_is_object(scope)) return;
    list_words(json_object_get(grant, "verbs"), &words);
    buf_printf(&words, " of %s/%s; ", text_of(scope, "bucket"), text_of(scope, "prefix"));
    list_words(json_object_get(grant, "categories"), &words);
    buf_put_str(&words, "; ");
    say_duration_words(number(grant, "duration_ms"), &words);
    buf_printf(&words, "; %" PRIu64 " objects, ", number(budget, "objects"));
    say_bytes_words(number(budget, "bytes"), &words);
    line(f, number(grant, "end") > 0 ? "grants" : "would grant", buf_slice(&words));
}

static void approvals_words(FILE *f, const json_t *grant)
{
    size_t i;
    json_t *a;
    json_array_foreach(json_object_get(grant, "approvals"), i, a) {
        AUTO(buf) struct buf words = BUF_INIT(65536);
        char when[TIME_TEXT_MAX];
        time_iso8601(number(a, "t"), when);
        buf_put_str(&words, json_is_true(json_object_get(a, "manager")) ? "manager " : "approver ");
        name_words(a, &words);
        buf_printf(&words, ", %s", when);
        line(f, "signed by", buf_slice(&words));
    }
    if (!json_is_integer(json_object_get(grant, "needed"))) return;
    AUTO(buf) struct buf words = BUF_INIT(128);
    buf_printf(&words, "%" PRIu64 " of %" PRIu64 " needed", number(grant, "approved"), number(grant, "needed"));
    line(f, "approvers", buf_slice(&words));
}

static void used_words(FILE *f, const json_t *used)
{
    AUTO(buf) struct buf words = BUF_INIT(256);
    if (!json_is_object(used)) return;
    buf_printf(&words, "%" PRIu64 " objects, ", number(used, "objects"));
    say_bytes_words(number(used, "bytes"), &words);
    line(f, "used", buf_slice(&words));
}

/* A statement's terms but for the digest that is every approval's. */
static void event_terms(const json_t *terms, struct buf *words)
{
    const char *between = ": ";
    size_t i;
    json_t *v;
    json_array_foreach(terms, i, v) {
        struct slice name, value = slice_cut(slice_of(json_string_value(v), json_string_length(v)), '=', &name);
        enum record_term t;
        if (!say_term_of(name, &t) || t == RECORD_TERM_REQUEST) continue;
        buf_printf(words, "%s%s ", between, record_term_name(t));
        say_value_words(t, value, words);
        between = ", ";
    }
}

/* What a request read, and what it was answered. */
static void event_access(const json_t *e, struct buf *words)
{
    buf_printf(words, " %s/%s", text_of(e, "bucket"), text_of(e, "key"));
    if (json_is_integer(json_object_get(e, "bytes"))) buf_put_str(words, ", "), say_bytes_words(number(e, "bytes"), words);
    if (json_is_true(json_object_get(e, "goes_on"))) buf_put_str(words, " more");
    buf_printf(words, "; %s, of %s, in %s, from %s", text_of(e, "person"), text_of(e, "employer"), text_of(e, "country"), text_of(e, "peer"));
}

void access_event_words(FILE *f, const json_t *e)
{
    char when[TIME_TEXT_MAX] = "-";
    AUTO(buf) struct buf words = BUF_INIT(TOOLS_ANSWER_BYTES_MAX), out = BUF_INIT(TOOLS_ANSWER_BYTES_MAX);
    if (json_is_integer(json_object_get(e, "t"))) time_iso8601(number(e, "t"), when);
    buf_printf(&words, "%s  %-5s %s", when, text_of(e, "decision"), text_of(e, "act"));
    if (strcmp(text_of(e, "kind"), "access") == 0) event_access(e, &words);
    if (json_is_object(json_object_get(e, "who"))) buf_put_str(&words, " by "), name_words(json_object_get(e, "who"), &words);
    event_terms(json_object_get(e, "terms"), &words);
    if (*text_of(e, "why")) buf_printf(&words, " (%s)", text_of(e, "why"));
    shown_put(buf_slice(&words), &out);
    fprintf(f, "%.*s\n", (int)out.n, (const char *)out.p);
}

void access_grant_words(FILE *f, const json_t *grant)
{
    static const struct { const char *name, *shown; } times[] = {{"requested", "asked at"}, {"lapse", "lapses"}, {"start", "begins"}, {"end", "ends"}};
    json_t *e;
    size_t i;
    bool pending = number(grant, "end") == 0;
    fprintf(f, "%s: %s\n", shown(text_of(grant, "id")), shown(text_of(grant, "state")));
    who_words(f, json_object_get(grant, "who"));
    if (!request_words(f, grant)) line(f, "request", SLICE_LIT("(its text is not here, or is not the one its digest names)"));
    allowed_words(f, grant);
    for (i = 0; i < ARRAY_LEN(times); i++)
        if (pending || strcmp(times[i].name, "lapse") != 0) when_line(f, times[i].shown, json_object_get(grant, times[i].name));
    used_words(f, json_object_get(grant, "used"));
    approvals_words(f, grant);
    json_array_foreach(json_object_get(grant, "events"), i, e) {
        fputs("  ", f);
        access_event_words(f, e);
    }
}

void access_list_line(FILE *f, const json_t *grant)
{
    struct record_statement st;
    AUTO(buf) struct buf words = BUF_INIT(8192), out = BUF_INIT(8192);
    const json_t *who = json_object_get(grant, "who");
    buf_printf(&words, "%s  %-17s ", text_of(grant, "id"), text_of(grant, "state"));
    name_words(who, &words);
    if (record_statement_parse(slice_str(text_of(grant, "request")), &st) == ERR_OK) {
        struct slice bucket = record_term(&st, RECORD_TERM_BUCKET, 0), prefix = record_term(&st, RECORD_TERM_PREFIX, 0);
        buf_put_str(&words, "  ");
        buf_put_slice(&words, bucket);
        buf_put_u8(&words, '/');
        buf_put_slice(&words, prefix);
    }
    shown_put(buf_slice(&words), &out);
    fprintf(f, "%.*s\n", (int)out.n, (const char *)out.p);
}
