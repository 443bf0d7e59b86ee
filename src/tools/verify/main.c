/* SPDX-License-Identifier: Apache-2.0
 * tillit-verify: what a stranger runs on a log, an owner and an officer on their own record. Options and the three commands.
 * Role: main. Trusts: its command line. Distrusts: what it fetches.
 * Law: 7. Spec: docs/ops/verify.md
 */
#include "verify/verify.h"

#include <curl/curl.h>
#include <stdlib.h>

static const char usage[] =
    "usage: tillit-verify log    URL|DIR --vkey VKEY [--heads URL|DIR --heads-vkey VKEY] [--seen FILE]\n"
    "       tillit-verify heads  URL|DIR --vkey VKEY [--strict-silence SECONDS] [--seen FILE]\n"
    "       tillit-verify replay EXPORTDIR --access-vkey VKEY --control-vkey VKEY [--access URL|DIR --control URL|DIR] [--manifest FILE]\n"
    "                            [--provider URL|DIR --provider-vkey VKEY]\n"
    "       tillit-verify replay EXPORTDIR --provider-vkey VKEY [--provider URL|DIR]\n"
    "all:   [--json] [--ca FILE]\n"
    "\n"
    "log      recomputes the whole log from its entries: every leaf, tile, the root, the signature; with --heads also that it is\n"
    "         neither shorter nor another one than the heads log says; with --seen FILE than at earlier runs\n"
    "heads    the same for the heads log: epochs without a gap, every slot root; tells each silence of the heartbeat\n"
    "replay   the owner's check: every decision and statement again, no read older than the newest write, what was released under\n"
    "         grants; with --provider that what it says of the provider's people stands on the provider log; with nothing but\n"
    "         --provider-vkey the provider log itself, from its export (docs/ops/verify.md)\n"
    "\n"
    "Exit: 0 all that was asked for holds, 1 a difference was found and named, 2 usage, 3 something could not be read.\n";

struct args {
    const char *place, *vkey, *heads, *heads_vkey, *seen, *ca, *silence;
    struct verify_replay_args replay;
    bool json;
};

static bool args_read(int argc, char **argv, struct args *a)
{
    const struct { const char *name; const char **value; } options[] = {
        {"--vkey", &a->vkey}, {"--heads", &a->heads}, {"--heads-vkey", &a->heads_vkey}, {"--seen", &a->seen}, {"--ca", &a->ca},
        {"--strict-silence", &a->silence}, {"--access-vkey", &a->replay.access_vkey}, {"--control-vkey", &a->replay.control_vkey},
        {"--access", &a->replay.access_url}, {"--control", &a->replay.control_url}, {"--manifest", &a->replay.manifest},
        {"--provider-vkey", &a->replay.provider_vkey}, {"--provider", &a->replay.provider_url}};
    for (int i = 0; i < argc; i++) {
        size_t k = 0;
        if (strcmp(argv[i], "--json") == 0) {
            a->json = true;
            continue;
        }
        if (argv[i][0] != '-') {
            if (a->place) return false;
            a->place = argv[i];
            continue;
        }
        while (k < ARRAY_LEN(options) && strcmp(argv[i], options[k].name) != 0) k++;
        if (k == ARRAY_LEN(options) || i + 1 == argc) {
            fprintf(stderr, "tillit-verify: %s %s\n\n", argv[i], k == ARRAY_LEN(options) ? "is no option" : "wants a value");
            return false;
        }
        *options[k].value = argv[++i];
    }
    return a->place != NULL;
}

static int open_log(struct verify_log *l, struct ledger_hash *h, const char *place, const char *vkey, const char *ca)
{
    enum err e = verify_log_open(l, h, place, vkey, ca);
    if (e == ERR_OK) return VERIFY_EXIT_HOLDS;
    fprintf(stderr, "tillit-verify: %s: not a verifier key, or not a URL or directory: %s\n", place, err_text(e));
    return VERIFY_EXIT_USAGE;
}

/* Fetches and recomputes one log with the rules of its kind. */
static bool whole(struct verify_log *l, struct verify_heads *heads, struct verify_report *r)
{
    struct verify_content c = {.report = r, .log = l, .heads = heads};
    bool good = verify_log_load(l, r, verify_content_leaf, &c);
    char name[64];
    const struct { const char *what; uint64_t n; } all[] = {{"records", l->size}, {"writes", c.writes}, {"voids", c.voids}, {"denied", c.denied}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (i > 0 && l->kind != RECORD_LOG_ACCESS) continue;
        snprintf(name, sizeof name, "%s %s", l->name, all[i].what);
        verify_fact(r, name, all[i].n);
    }
    verify_content_done(&c);
    return good;
}

static bool slot_fetch(struct verify_log *l, struct buf *text, struct record_slot *slot, struct verify_report *r)
{
    char what[VERIFY_PLACE_CHARS_MAX + 8];
    snprintf(what, sizeof what, "%s/slot", l->source.base);
    enum err e = verify_source_get(&l->source, "slot", text);
    if (e != ERR_OK) {
        verify_unreachable(r, what, e == ERR_IO ? l->source.why : "it is not there");
        return false;
    }
    e = record_slot_parse(buf_slice(text), slot);
    if (e != ERR_OK || !slice_is(slot->origin, l->vkey.name)) {
        verify_find(r, "bad-slot", l->name, VERIFY_NOWHERE, "slot is malformed or of another log's origin");
        return false;
    }
    return true;
}

/* The heads log is read first: what it says of the log then is at most what the log has when it is read after. */
static void with_heads(struct verify_log *l, struct verify_log *heads_log, struct verify_heads *h, struct verify_report *r)
{
    AUTO(buf) struct buf text = BUF_INIT(LEDGER_NOTE_BYTES_MAX);
    struct record_slot slot;
    if (!slot_fetch(l, &text, &slot, r)) return;
    h->slot = slot.number;
    bool heads_good = verify_log_head(heads_log, r) && whole(heads_log, h, r);
    if (!verify_log_head(l, r) || !whole(l, NULL, r) || !heads_good) return;
    verify_slot_check(l, h, &slot, r);
    /* Heads that stopped bind nothing that came after: it is told. */
    if (heads_log->source.curl) verify_heads_until(h, clock_wall_ms());
}

static void seen_check(struct verify_seen *seen, struct verify_log *l, struct verify_report *r)
{
    if (seen->all && l->sound) verify_seen_check(seen, l, r);
}

/* What was seen is remembered only when all of this run held. */
static int seen_end(struct verify_seen *seen, struct verify_report *r, const char *command)
{
    bool save = seen->all && !r->found && !r->unreachable;
    enum err e = save ? verify_seen_save(seen) : ERR_OK;
    if (e != ERR_OK) fprintf(stderr, "tillit-verify: %s cannot be written\n", seen->path);
    int code = verify_report_end(r, command);
    verify_seen_close(seen);
    return e == ERR_OK ? code : VERIFY_EXIT_INTERNAL;
}

static int seen_begin(struct verify_seen *seen, const char *path)
{
    *seen = (struct verify_seen){0};
    if (!path || verify_seen_open(seen, path) == ERR_OK) return VERIFY_EXIT_HOLDS;
    fprintf(stderr, "tillit-verify: %s: not a file that --seen wrote; choose another, or mend it\n", path);
    return VERIFY_EXIT_USAGE;
}

static int cmd_log(const struct args *a, struct ledger_hash *h)
{
    struct verify_report r;
    struct verify_log log = {0}, heads_log = {0};
    struct verify_seen seen;
    struct verify_heads heads = {.hash = h, .report = &r, .name = "heads", .slot = VERIFY_NOWHERE};
    int code = seen_begin(&seen, a->seen);
    if (code == VERIFY_EXIT_HOLDS) code = open_log(&log, h, a->place, a->vkey, a->ca);
    if (code == VERIFY_EXIT_HOLDS && a->heads) code = open_log(&heads_log, h, a->heads, a->heads_vkey, a->ca);
    if (code == VERIFY_EXIT_HOLDS) {
        verify_report_init(&r, a->json);
        struct verify_heads own = {.hash = h, .report = &r, .name = log.name, .slot = VERIFY_NOWHERE};
        if (a->heads) with_heads(&log, &heads_log, &heads, &r);
        else if (verify_log_head(&log, &r)) whole(&log, log.kind == RECORD_LOG_HEADS ? &own : NULL, &r);
        seen_check(&seen, &log, &r);
        if (a->heads) seen_check(&seen, &heads_log, &r);
        code = seen_end(&seen, &r, "log");
        verify_heads_done(&own);
    }
    verify_heads_done(&heads);
    verify_log_close(&log);
    verify_log_close(&heads_log);
    return code;
}

static int cmd_heads(const struct args *a, struct ledger_hash *h)
{
    struct verify_report r;
    struct verify_log log = {0};
    struct verify_seen seen;
    struct verify_heads heads = {.hash = h, .report = &r, .name = "heads", .slot = VERIFY_NOWHERE};
    uint64_t seconds = 0;
    if (a->silence && slice_u64(slice_str(a->silence), UINT32_MAX, &seconds) != ERR_OK) {
        fputs(usage, stderr);
        return VERIFY_EXIT_USAGE;
    }
    heads.silence_strict_ms = seconds * 1000;
    int code = seen_begin(&seen, a->seen);
    if (code == VERIFY_EXIT_HOLDS) code = open_log(&log, h, a->place, a->vkey, a->ca);
    if (code == VERIFY_EXIT_HOLDS) {
        verify_report_init(&r, a->json);
        log.kind = RECORD_LOG_HEADS;
        log.name = "heads";
        if (verify_log_head(&log, &r)) whole(&log, &heads, &r);
        /* A mirror in a directory may be as old as it likes; a server's newest epoch may not. */
        if (log.source.curl && log.sound) verify_heads_until(&heads, clock_wall_ms());
        verify_fact(&r, "epochs", heads.epochs);
        verify_fact(&r, "slots", heads.slots);
        verify_fact(&r, "silences", heads.silences);
        verify_fact(&r, "longest silence ms", heads.silence_max_ms);
        seen_check(&seen, &log, &r);
        code = seen_end(&seen, &r, "heads");
    }
    verify_heads_done(&heads);
    verify_log_close(&log);
    return code;
}

static int cmd_replay(struct args *a)
{
    struct verify_report r;
    a->replay.dir = a->place;
    a->replay.ca = a->ca;
    verify_report_init(&r, a->json);
    int code = a->replay.access_vkey ? verify_replay(&a->replay, &r) : verify_replay_provider(&a->replay, &r);
    if (code == VERIFY_EXIT_HOLDS) return verify_report_end(&r, "replay");
    json_decref(r.findings);
    json_decref(r.facts);
    return code;
}

static int run(const char *command, struct args *a)
{
    struct ledger_hash h = {0};
    int code = VERIFY_EXIT_INTERNAL;
    bool log = strcmp(command, "log") == 0, heads = strcmp(command, "heads") == 0, replay = strcmp(command, "replay") == 0;
    const struct verify_replay_args *p = &a->replay;
    bool both = p->access_vkey && p->control_vkey && !p->provider_url == !p->provider_vkey;
    bool provider = !p->access_vkey && !p->control_vkey && !p->access_url && !p->control_url && !p->manifest && p->provider_vkey;
    bool complete = log ? a->vkey && !a->heads == !a->heads_vkey : heads ? a->vkey != NULL : replay && (both || provider);
    if (!complete) {
        fputs(usage, stderr);
        return VERIFY_EXIT_USAGE;
    }
    if (ledger_hash_init(&h) == ERR_OK) code = log ? cmd_log(a, &h) : heads ? cmd_heads(a, &h) : cmd_replay(a);
    ledger_hash_done(&h);
    return code;
}

int main(int argc, char **argv)
{
    struct args a = {0};
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return VERIFY_EXIT_HOLDS;
    }
    if (argc < 3 || !args_read(argc - 2, argv + 2, &a)) {
        fputs(usage, stderr);
        return VERIFY_EXIT_USAGE;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return VERIFY_EXIT_INTERNAL;
    int code = run(argv[1], &a);
    curl_global_cleanup();
    return fflush(stdout) == 0 ? code : VERIFY_EXIT_INTERNAL;
}
