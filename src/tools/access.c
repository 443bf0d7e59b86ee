/* SPDX-License-Identifier: Apache-2.0
 * `tillit access show|list|watch|approve|login`: what looks at requests before, or while, something is said about them.
 * Role: all of it by access.look, a statement like others: who may not see a grant is refused by the gate.
 * Trusts: see say_answer.c. Law: 7. Spec: docs/spec/access.md sections 3 to 5
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/say.h"

/* looking ---------------------------------------------------------------------------------------------------------------------- */

static int look(const struct say *like, const char *grant, const char *after, json_t **answer)
{
    struct say *s = calloc(1, sizeof *s);
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX);
    *answer = NULL;
    if (!s) return EXIT_INTERNAL;
    say_like(like, RECORD_STATEMENT_ACCESS_LOOK, s);
    s->subject = grant;
    int code = after ? say_term_add(s, RECORD_TERM_AFTER, slice_str(after)) : -1;
    if (code == -1) code = say_now(s, answer, &text);
    free(s);
    return code;
}

static int show(struct say *s)
{
    json_t *answer;
    if (!s->subject) {
        fprintf(stderr, "tillit %s: which one? give --grant ID (tillit access list)\n", s->command);
        return EXIT_USAGE;
    }
    int code = look(s, s->subject, NULL, &answer);
    if (code != EXIT_DONE) return code;
    if (s->json) json_dumpf(answer, stdout, JSON_COMPACT), putchar('\n');
    else access_grant_words(stdout, answer);
    json_decref(answer);
    return EXIT_DONE;
}

/* What is pending or live, page by page. */
static int list(struct say *s)
{
    json_t *all = json_array(), *answer, *grant;
    char after[24] = "";
    size_t i;
    int code = EXIT_DONE;
    for (bool more = true; more && code == EXIT_DONE;) {
        more = false;
        if ((code = look(s, NULL, *after ? after : NULL, &answer)) != EXIT_DONE) break;
        json_t *next = json_object_get(answer, "next"), *page = json_object_get(answer, "grants");
        json_array_extend(all, page);
        if (json_is_integer(next) && json_array_size(page) > 0) {
            snprintf(after, sizeof after, "%lld", (long long)json_integer_value(next));
            more = true;
        }
        json_decref(answer);
    }
    if (code == EXIT_DONE && s->json) json_dumpf(all, stdout, JSON_COMPACT), putchar('\n');
    else if (code == EXIT_DONE && json_array_size(all) == 0) puts("no open requests and no live grants");
    else if (code == EXIT_DONE)
        json_array_foreach(all, i, grant) access_list_line(stdout, grant);
    json_decref(all);
    return code;
}

/* watching --------------------------------------------------------------------------------------------------------------------- */

struct watch {
    struct say *s;
    bool typing;                       /* stdin is there: r and Enter */
    bool wanted;                       /* they came */
};

/* A line on stdin, when there is one: curl asks about once a second while it waits for the store. */
static bool wanted(void *ctx)
{
    struct watch *w = ctx;
    char line[64];
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    while (w->typing && !w->wanted && poll(&p, 1, 0) == 1) {
        ssize_t n = read(STDIN_FILENO, line, sizeof line);
        if (n <= 0) w->typing = false;
        else if (line[0] == 'r' || line[0] == 'R') w->wanted = true;
    }
    return w->wanted;
}

static int end_access(struct watch *w)
{
    struct say *r = calloc(1, sizeof *r);
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX);
    json_t *answer = NULL;
    if (!r) return EXIT_INTERNAL;
    w->wanted = false;
    say_like(w->s, RECORD_STATEMENT_ACCESS_REVOKE, r);
    r->client.interrupted = NULL;
    r->subject = w->s->subject;
    r->yes = w->s->yes;
    say_describe(stderr, r);
    int code = EXIT_DONE;
    if (say_agreed(r, "End this access now?")) {
        code = say_now(r, &answer, &text);
        if (code == EXIT_DONE) say_answer(r, 200, answer, buf_slice(&text));
    }
    json_decref(answer);
    free(r);
    return code;
}

static bool over(const char *state)
{
    static const char *const states[] = {
#define GRANT_STATE_IS_NONE 0
#define GRANT_STATE_IS_PENDING 0
#define GRANT_STATE_IS_LIVE 0
#define GRANT_STATE_IS_OVER 1
#define GRANT_STATE(NAME, text, kind) GRANT_STATE_IS_##kind ? text : "",
#include "policy/grant_state.def"
    };
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (*state && strcmp(states[i], state) == 0) return true;
    return false;
}

static void print_events(const struct say *s, json_t *answer)
{
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(answer, "events"), i, e) {
        if (s->json) json_dumpf(e, stdout, JSON_COMPACT), putchar('\n');
        else access_event_words(stdout, e);
    }
    fflush(stdout);
}

/* What came: printed, and where to go on. */
static void watch_take(const struct say *s, json_t *answer, char after[24], char state[32])
{
    const char *now = json_string_value(json_object_get(answer, "state"));
    json_t *next = json_object_get(answer, "next");
    print_events(s, answer);
    if (now && strcmp(now, state) != 0 && !s->json) printf("state: %s\n", shown(now)), fflush(stdout);
    snprintf(state, 32, "%s", now ? now : "");
    if (json_is_integer(next)) snprintf(after, 24, "%lld", (long long)json_integer_value(next));
    json_decref(answer);
}

static int watch(struct say *s)
{
    struct watch w = {.s = s, .typing = true};
    char after[24] = "", state[32] = "";
    int code = EXIT_DONE;
    if (!s->subject) {
        fprintf(stderr, "tillit access watch: which one? give --grant ID (tillit access list)\n");
        return EXIT_USAGE;
    }
    fprintf(stderr, "watching %s; r and Enter end the access, Ctrl-C ends watching\n", s->subject);
    s->client.interrupted = wanted, s->client.interrupted_ctx = &w;
    while (code == EXIT_DONE && !over(state)) {
        json_t *answer;
        code = look(s, s->subject, *after ? after : NULL, &answer);
        if (code == EXIT_DONE) watch_take(s, answer, after, state);
        else if (!w.wanted) break;
        if (wanted(&w)) code = end_access(&w);
    }
    return code;
}

/* what is said with a look before it ------------------------------------------------------------------------------------------- */

/* Attack: the store answers with another request, whose words are harmless: its digest approves nothing here, but the approver would believe to have approved it. */
static bool is_request_of(const struct say *s, struct slice text)
{
    struct record_statement st;
    AUTO(buf) struct buf tenant = BUF_INIT(ID_TEXT_CHARS);
    if (record_statement_parse(text, &st) != ERR_OK || st.kind != RECORD_STATEMENT_ACCESS_REQUEST) return false;
    buf_put_base32(&tenant, slice_of(st.tenant, sizeof st.tenant));
    return slice_is(st.subject, s->subject) && s->tenant && slice_is(buf_slice(&tenant), s->tenant);
}

/* The request's digest, when it was not typed: from what the store shows, of which the approver sees every word that they sign for. */
static int request_found(struct say *s)
{
    json_t *grant;
    AUTO(buf) struct buf digest = BUF_INIT(64);
    struct slice typed = say_term(s, RECORD_TERM_REQUEST);
    int code = look(s, s->subject, NULL, &grant);
    if (code != EXIT_DONE) return code;
    const char *text = json_string_value(json_object_get(grant, "request"));
    fputs("The store says:\n", stderr);
    access_grant_words(stderr, grant);
    if (text) say_digest(slice_str(text), &digest);
    json_t *said = json_object_get(grant, "digest");
    code = -1;
    if (!text || !json_is_string(said) || !slice_is(buf_slice(&digest), json_string_value(said))) {
        fprintf(stderr, "tillit %s: the store does not show the request's text, or the text has another digest: nothing was signed\n", s->command);
        code = EXIT_REFUSED;
    } else if (!is_request_of(s, slice_str(text))) {
        fprintf(stderr, "tillit %s: the store shows another request than that of %s in this tenant: nothing was signed\n", s->command, s->subject);
        code = EXIT_REFUSED;
    } else if (typed.p && !slice_eq(typed, buf_slice(&digest))) {
        fprintf(stderr, "tillit %s: request=%.*s is not this request's digest: nothing was signed\n", s->command, (int)typed.n, (const char *)typed.p);
        code = EXIT_REFUSED;
    } else if (!typed.p) {
        code = say_term_add(s, RECORD_TERM_REQUEST, buf_slice(&digest));
    }
    json_decref(grant);
    fputc('\n', stderr);
    return code;
}

/* For credential_process: stdout has the five members it knows and nothing else; nothing is asked, nothing is kept. */
static int login(struct say *s)
{
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX);
    json_t *answer;
    int code = say_now(s, &answer, &text);
    if (code != EXIT_DONE) return code;
    json_t *out = json_pack("{s:O, s:O, s:O, s:O, s:O}", "Version", json_object_get(answer, "Version"), "AccessKeyId", json_object_get(answer, "AccessKeyId"),
                            "SecretAccessKey", json_object_get(answer, "SecretAccessKey"), "SessionToken", json_object_get(answer, "SessionToken"), "Expiration",
                            json_object_get(answer, "Expiration"));
    char *dump = out ? json_dumps(out, JSON_COMPACT) : NULL;
    if (!dump) fprintf(stderr, "tillit access login: the store's answer holds no credentials\n"), code = EXIT_INTERNAL;
    else printf("%s\n", dump), wipe(dump, strlen(dump));
    free(dump);
    json_decref(out);
    json_decref(answer);
    return code;
}

int access_special(struct say *s)
{
    bool names_request = s->kind == RECORD_STATEMENT_ACCESS_REJECT || s->kind == RECORD_STATEMENT_ACCESS_ASK || s->kind == RECORD_STATEMENT_ACCESS_REPLY;
    bool typed = say_term(s, RECORD_TERM_REQUEST).p != NULL;
    if (s->kind == RECORD_STATEMENT_ACCESS_LOGIN && !s->print) return login(s);
    if (s->print || !s->subject || !s->key) return -1;
    /* An approver sees what they approve; who typed its digest and --yes has seen it. */
    if (s->kind == RECORD_STATEMENT_ACCESS_APPROVE && !(typed && s->yes)) return request_found(s);
    return names_request && !typed ? request_found(s) : -1;
}

int access_local(const char *word, const char *verb, int argc, char **argv)
{
    static struct say s;
    static const char usage[] =
        "usage: tillit access list           --key FILE (--dir DIR | --endpoint URL) [--tenant ID] [--json]\n"
        "       tillit access show  --grant ID --key FILE (--dir DIR | --endpoint URL) [--tenant ID] [--json]\n"
        "       tillit access watch --grant ID --key FILE (--dir DIR | --endpoint URL) [--tenant ID] [--json] [--yes]\n"
        "\n"
        "Requests and grants as the store tells them to those who have a part in them. watch prints each event as it happens; r and Enter\n"
        "end the access, after a question (--yes: without). Each look is signed: use a key that needs no touch for each, or an agent.\n";
    if (strcmp(word, "access") != 0 || (strcmp(verb, "show") != 0 && strcmp(verb, "list") != 0 && strcmp(verb, "watch") != 0)) return -1;
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return EXIT_DONE;
        }
    s = (struct say){.kind = RECORD_STATEMENT_ACCESS_LOOK};
    snprintf(s.command, sizeof s.command, "access %s", verb);
    int code = say_read(&s, argc, argv);
    if (code == -1) code = say_open(&s);
    if (code != EXIT_DONE && code != -1) return code;
    return strcmp(verb, "watch") == 0 ? watch(&s) : strcmp(verb, "show") == 0 ? show(&s) : list(&s);
}
