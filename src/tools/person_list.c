/* SPDX-License-Identifier: Apache-2.0
 * `tillit person list`: the provider's people, from the provider log's export.
 * Role: folds what `tillit-gate DIR --export-provider OUT` wrote, with the same code as the gate; the log's openings name people and are given to nobody
 *       over a socket. Distrusts: the export; tillit-verify replays it. Law: 4. Spec: docs/spec/export.md, docs/spec/access.md section 1
 */
#include <stdio.h>
#include <stdlib.h>

#include "policy/policy_access.h"
#include "tools/say.h"

#define EXPORT_BYTES_MAX (1024u * 1024 * 1024)
#define SOON_MS (14ull * 86400000)

static const char usage[] =
    "usage: tillit person list --export OUT [--json]\n"
    "\n"
    "The provider's people, their roles, and until when each is eligible. OUT is what `tillit-gate DIR --export-provider OUT` wrote, of a store that\n"
    "is stopped: the names of people are given to nobody over the network. Exit code 1: somebody who is on is overdue.\n";

static const struct { const char *name; uint64_t good_ms; } clocks[] = {{"training", TRAINING_MS}, {"screening", SCREENING_MS}, {"review", REVIEW_MS}};

/* When the person's first clock runs out, and which. */
static uint64_t runs_out(const struct policy_person *p, const char **which)
{
    const uint64_t at[] = {p->training_ms, p->screening_ms, p->review_ms};
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
        if (at[i] + clocks[i].good_ms >= first) continue;
        first = at[i] + clocks[i].good_ms;
        *which = clocks[i].name;
    }
    return first;
}

static json_t *describe(const struct policy_person *p, uint64_t now)
{
    static const char *const roles[] = {
#define ROLE_TEXT(name) #name,
        POLICY_ROLES(ROLE_TEXT)
#undef ROLE_TEXT
    };
    const char *which = "";
    char until[TIME_TEXT_MAX];
    uint64_t out = runs_out(p, &which);
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (p->roles >> i & 1) json_array_append_new(list, json_string(roles[i]));
    time_iso8601(out, until);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:b, s:b, s:s, s:s}", "account", p->account, "person", p->person, "name", p->name, "employer", p->employer,
                     "subprocessor", p->subprocessor, "office", p->office, "manager", p->manager, "roles", list, "on", (int)p->on, "eligible",
                     (int)policy_eligible(p, now), "due_soon", (int)(policy_eligible(p, now) && out < now + SOON_MS), "until", until, "first", which);
}

static void print_line(const json_t *j)
{
    const char *text = json_string_value(json_object_get(j, "until"));
    bool on = json_is_true(json_object_get(j, "on")), eligible = json_is_true(json_object_get(j, "eligible"));
    printf("%-16s %-24s %-20s %s  ", json_string_value(json_object_get(j, "account")), json_string_value(json_object_get(j, "name")),
           json_string_value(json_object_get(j, "employer")), json_string_value(json_object_get(j, "office")));
    size_t i;
    json_t *role;
    json_array_foreach(json_object_get(j, "roles"), i, role) printf("%s%s", i > 0 ? "," : "", json_string_value(role));
    if (!on) puts("  off");
    else printf("  %s %.10s (%s)%s\n", eligible ? "until" : "OVERDUE since", text ? text : "", json_string_value(json_object_get(j, "first")),
                json_is_true(json_object_get(j, "due_soon")) ? ", soon" : "");
}

static enum err fold_line(struct policy_provider *p, struct ledger_hash *h, struct slice text)
{
    AUTO(buf) struct buf bytes = BUF_INIT(OPENING_BYTES_MAX);
    struct record_leaf leaf;
    static struct record_opening opening;
    struct slice leaf_text;
    uint64_t index;
    opening.count = 0;
    TRY(log_line_parse(text, &index, &leaf_text, &bytes));
    TRY(record_leaf_parse(leaf_text, RECORD_LOG_PROVIDER, &leaf));
    if (bytes.n > 0) TRY(record_opening_parse(buf_slice(&bytes), &opening));
    TRY(record_opening_check(h, &leaf, &opening));
    return policy_provider_apply(p, index, &leaf, &opening);
}

static enum err fold(struct policy_provider *p, struct slice text)
{
    struct ledger_hash h;
    struct slice one;
    enum err e = ledger_hash_init(&h);
    for (struct slice rest = text; e == ERR_OK && rest.p && rest.n > 0;) {
        rest = slice_cut(rest, '\n', &one);
        e = fold_line(p, &h, one);
    }
    ledger_hash_done(&h);
    return e;
}

int cmd_person_list(int argc, char **argv)
{
    const char *none[1], *export = NULL;
    bool as_json = false, overdue = false;
    const struct option o[] = {{"--export", &export, NULL}, {"--json", NULL, &as_json}};
    int n = options_read(argc, argv, o, ARRAY_LEN(o), none, 0, usage);
    if (n == -2) return EXIT_DONE;
    if (n != 0 || !export) {
        if (n >= 0) fputs(usage, stderr);
        return EXIT_USAGE;
    }
    char path[TOOLS_PATH_MAX];
    AUTO(buf) struct buf text = BUF_INIT(EXPORT_BYTES_MAX);
    struct policy_provider p;
    snprintf(path, sizeof path, "%s/provider.jsonl", export);
    if (file_read(path, &text) != ERR_OK) {
        fprintf(stderr, "tillit person list: %s cannot be read; `tillit-gate DIR --export-provider %s` writes it while the store is stopped\n", path, export);
        return EXIT_USAGE;
    }
    if (policy_provider_init(&p) != ERR_OK) return EXIT_INTERNAL;
    enum err e = fold(&p, buf_slice(&text));
    json_t *all = json_array(), *one;
    size_t cursor = 0, i;
    for (const struct policy_person *x; e == ERR_OK && (x = policy_person_next(p.people, &cursor));) json_array_append_new(all, describe(x, clock_wall_ms()));
    if (e == ERR_OK && as_json) json_dumpf(all, stdout, JSON_COMPACT), putchar('\n');
    json_array_foreach(all, i, one) {
        overdue = overdue || (json_is_true(json_object_get(one, "on")) && !json_is_true(json_object_get(one, "eligible")));
        if (!as_json) print_line(one);
    }
    if (e != ERR_OK) fprintf(stderr, "tillit person list: %s: the export does not hold: %s\n", path, err_text(e));
    json_decref(all);
    policy_provider_done(&p);
    return e != ERR_OK || overdue ? EXIT_REFUSED : EXIT_DONE;
}
