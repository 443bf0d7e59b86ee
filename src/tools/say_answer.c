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

/* A store's words go to a terminal: what could move its cursor or turn its text round is not printed. */
static void safe(struct slice s, struct buf *out)
{
    for (struct slice rest = s; rest.n > 0;) {
        size_t n = MIN(rest.n, (size_t)512);
        while (n > 0 && n < rest.n && (rest.p[n] & 0xc0) == 0x80) n--;
        if (n == 0) n = 1;
        struct slice part = slice_of(rest.p, n);
        if (record_text_ok(part)) buf_put_slice(out, part);
        else
            for (size_t i = 0; i < n; i++) buf_put_u8(out, part.p[i] >= 0x20 && part.p[i] < 0x7f ? part.p[i] : '?');
        rest = slice_of(rest.p + n, rest.n - n);
    }
}

static void line(FILE *f, const char *name, struct slice value)
{
    AUTO(buf) struct buf shown = BUF_INIT(TOOLS_ANSWER_BYTES_MAX);
    safe(value, &shown);
    fprintf(f, "  %-14s %.*s\n", name, (int)shown.n, shown.n > 0 ? (const char *)shown.p : "");
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
    if (status == 202) {
        printf("%s: waits for others to agree, at most 7 days. Each of them:\n  tillit agree --request %.*s%s%s\n", s->command, (int)digest.n, (const char *)digest.p,
               s->tenant ? " --tenant " : "", s->tenant ? s->tenant : "");
        return;
    }
    printf("%s: done\n", s->command);
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

static void terms_words(FILE *f, const struct record_statement *st)
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
    if (!record_term(st, RECORD_TERM_PREFIX, 0).p) line(f, "prefix", SLICE_LIT("(none: the whole bucket)"));
}

/* The request as its author signed it. False: the store does not tell it, or its digest is another one. */
static bool request_words(FILE *f, const json_t *grant)
{
    AUTO(buf) struct buf digest = BUF_INIT(64);
    struct record_statement st;
    struct slice text = slice_of(text_of(grant, "request"), strlen(text_of(grant, "request")));
    say_digest(text, &digest);
    if (record_statement_parse(text, &st) != ERR_OK || st.kind != RECORD_STATEMENT_ACCESS_REQUEST || !slice_is(buf_slice(&digest), text_of(grant, "digest"))) return false;
    terms_words(f, &st);
    line(f, "digest", buf_slice(&digest));
    return true;
}

static void who_words(FILE *f, const json_t *who)
{
    AUTO(buf) struct buf words = BUF_INIT(8192);
    buf_printf(&words, "%s, of %s", text_of(who, "name"), text_of(who, "employer"));
    if (*text_of(who, "subprocessor")) buf_printf(&words, " (subprocessor %s)", text_of(who, "subprocessor"));
    if (*text_of(who, "office")) buf_printf(&words, ", office in %s", text_of(who, "office"));
    if (*text_of(who, "country")) buf_printf(&words, ", now in %s", text_of(who, "country"));
    line(f, "who asks", buf_slice(&words));
}

static void used_words(FILE *f, const json_t *used)
{
    AUTO(buf) struct buf words = BUF_INIT(256);
    if (!json_is_object(used)) return;
    buf_printf(&words, "%" PRId64 " objects, ", (int64_t)json_integer_value(json_object_get(used, "objects")));
    say_bytes_words((uint64_t)json_integer_value(json_object_get(used, "bytes")), &words);
    line(f, "used", buf_slice(&words));
}

void access_event_words(FILE *f, const json_t *e)
{
    char when[TIME_TEXT_MAX] = "-";
    const char *name;
    json_t *v;
    AUTO(buf) struct buf words = BUF_INIT(TOOLS_ANSWER_BYTES_MAX), shown = BUF_INIT(TOOLS_ANSWER_BYTES_MAX);
    if (json_is_integer(json_object_get(e, "t"))) time_iso8601((uint64_t)json_integer_value(json_object_get(e, "t")), when);
    buf_printf(&words, "%s %" PRId64, when, (int64_t)json_integer_value(json_object_get(e, "index")));
    json_object_foreach((json_t *)e, name, v) {
        if (strcmp(name, "t") == 0 || strcmp(name, "index") == 0 || json_is_null(v)) continue;
        char *text = json_is_string(v) ? NULL : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        buf_printf(&words, "  %s=%s", name, text ? text : json_string_value(v));
        free(text);
    }
    safe(buf_slice(&words), &shown);
    fprintf(f, "%.*s\n", (int)shown.n, (const char *)shown.p);
}

void access_grant_words(FILE *f, const json_t *grant)
{
    static const char *const known[] = {"id", "state", "request", "digest", "who", "used", "events", "next", "requested", "start", "end", "lapse"};
    const char *name;
    json_t *v, *e;
    size_t i;
    fprintf(f, "%s: %s\n", text_of(grant, "id"), text_of(grant, "state"));
    who_words(f, json_object_get(grant, "who"));
    if (!request_words(f, grant)) line(f, "request", SLICE_LIT("(its text is not here, or is not the one its digest names)"));
    for (i = 8; i < ARRAY_LEN(known); i++) when_line(f, known[i], json_object_get(grant, known[i]));
    used_words(f, json_object_get(grant, "used"));
    json_object_foreach((json_t *)grant, name, v) {
        bool mine = false;
        for (i = 0; i < ARRAY_LEN(known); i++) mine = mine || strcmp(name, known[i]) == 0;
        if (!mine && !json_is_null(v)) json_line(f, name, v);
    }
    json_array_foreach(json_object_get(grant, "events"), i, e) {
        fputs("  ", f);
        access_event_words(f, e);
    }
}

void access_list_line(FILE *f, const json_t *grant)
{
    struct record_statement st;
    AUTO(buf) struct buf words = BUF_INIT(8192), shown = BUF_INIT(8192);
    const json_t *who = json_object_get(grant, "who");
    buf_printf(&words, "%s  %-18s %s (%s)", text_of(grant, "id"), text_of(grant, "state"), text_of(who, "name"), text_of(who, "employer"));
    if (record_statement_parse(slice_str(text_of(grant, "request")), &st) == ERR_OK) {
        struct slice bucket = record_term(&st, RECORD_TERM_BUCKET, 0), prefix = record_term(&st, RECORD_TERM_PREFIX, 0);
        buf_put_str(&words, "  ");
        buf_put_slice(&words, bucket);
        buf_put_u8(&words, '/');
        buf_put_slice(&words, prefix);
    }
    safe(buf_slice(&words), &shown);
    fprintf(f, "%.*s\n", (int)shown.n, (const char *)shown.p);
}
