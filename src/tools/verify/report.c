/* SPDX-License-Identifier: Apache-2.0
 * report: what was found, as lines as it is found or as one JSON object at the end.
 * Role: the only file that prints. Trusts: the caller's formats. Distrusts: text from logs, which it never prints unescaped.
 * Spec: docs/ops/verify.md
 */
#include "verify/verify.h"

#include <stdarg.h>

void verify_report_init(struct verify_report *r, bool json)
{
    *r = (struct verify_report){.json = json, .findings = json_array(), .facts = json_object()};
    ASSERT(r->findings && r->facts);
}

/* Names of keys come from customers: control characters would let one write into somebody's terminal. */
static void printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
}

void verify_find(struct verify_report *r, const char *name, const char *log, uint64_t index, const char *fmt, ...)
{
    char detail[1024], where[320];
    va_list args;
    if (r->found++ >= VERIFY_FINDINGS_MAX) return;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    printable(detail);
    if (index == VERIFY_NOWHERE) snprintf(where, sizeof where, "%s", log);
    else snprintf(where, sizeof where, "%s/%llu", log, (unsigned long long)index);
    if (!r->json) printf("%s: %s (%s)\n", where, detail, name);
    /* A name cut or not in UTF-8 is no JSON string. */
    for (char *p = detail; !slice_is_utf8(slice_str(detail)) && *p; p++)
        if ((unsigned char)*p >= 0x80) *p = '?';
    json_t *j = json_pack("{s:s, s:s, s:s}", "name", name, "where", where, "detail", detail);
    if (index != VERIFY_NOWHERE) json_object_set_new(j, "index", json_integer((json_int_t)index));
    json_array_append_new(r->findings, j);
}

void verify_fact(struct verify_report *r, const char *name, uint64_t n)
{
    json_object_set_new(r->facts, name, json_integer((json_int_t)n));
}

void verify_note(struct verify_report *r, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    printable(text);
    if (!r->json) printf("note: %s\n", text);
    json_t *notes = json_object_get(r->facts, "notes");
    if (!notes) {
        notes = json_array();
        json_object_set_new(r->facts, "notes", notes);
    }
    if (json_array_size(notes) < VERIFY_FINDINGS_MAX) json_array_append_new(notes, json_string(text));
}

void verify_unreachable(struct verify_report *r, const char *what, const char *why)
{
    r->unreachable = true;
    fprintf(stderr, "tillit-verify: %s cannot be read: %s\n", what, why);
}

static void print_facts(const struct verify_report *r)
{
    const char *name, *between = "";
    json_t *value;
    json_object_foreach(r->facts, name, value) {
        if (!json_is_integer(value)) continue;
        printf("%s%s %lld", between, name, (long long)json_integer_value(value));
        between = ", ";
    }
    if (*between) putchar('\n');
}

int verify_report_end(struct verify_report *r, const char *command)
{
    int code = r->found ? VERIFY_EXIT_DIFFERS : r->unreachable ? VERIFY_EXIT_REACH : VERIFY_EXIT_HOLDS;
    if (r->json) {
        json_object_set_new(r->facts, "command", json_string(command));
        json_object_set_new(r->facts, "ok", json_boolean(code == VERIFY_EXIT_HOLDS));
        json_object_set_new(r->facts, "differences", json_integer(r->found));
        json_object_set(r->facts, "findings", r->findings);
        json_dumpf(r->facts, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_facts(r);
        if (r->found > VERIFY_FINDINGS_MAX) printf("%u more differences are not shown\n", r->found - VERIFY_FINDINGS_MAX);
        if (code == VERIFY_EXIT_HOLDS) printf("verified\n");
        else if (r->found) printf("NOT verified: %u difference%s\n", r->found, r->found == 1 ? "" : "s");
        else printf("NOT verified: not everything could be read\n");
    }
    json_decref(r->findings);
    json_decref(r->facts);
    return code;
}
