/* SPDX-License-Identifier: Apache-2.0
 * `tillit say KIND` and its short names (`tillit person set`, `tillit access approve`, ...): one statement, said by its signer.
 * Role: every kind of statement.def is a command: its text with a blank for the dot. What the command line can, `curl` and `ssh-keygen` can.
 * Trusts: the key it is given. Law: 6 (no door of its own), 7 (what is signed is shown first).
 * Spec: docs/spec/statement.md
 */
#include "tools/say.h"

#include <stdio.h>
#include <stdlib.h>

#include "s3/s3.h"

/* what was typed --------------------------------------------------------------------------------------------------------------- */

int say_term_add(struct say *s, enum record_term t, struct slice value)
{
    if (s->term_count == SAY_TERMS_MAX || value.n > RECORD_TEXT_BYTES_MAX) {
        fprintf(stderr, "tillit %s: %s: at most %d terms, each of at most %d bytes\n", s->command, record_term_name(t), SAY_TERMS_MAX, RECORD_TEXT_BYTES_MAX);
        return EXIT_USAGE;
    }
    struct say_term *x = &s->term[s->term_count++];
    x->term = t;
    if (value.n > 0) memcpy(x->value, value.p, value.n);
    x->value[value.n] = 0;
    return -1;
}

/* One value; a key is a fingerprint, a passkey's term, or a public key file. */
static int take_value(struct say *s, enum record_term t, struct slice typed)
{
    AUTO(buf) struct buf value = BUF_INIT(65536);
    if (say_term_type(t) == SAY_KEY && !slice_starts(typed, SLICE_LIT("SHA256:")) && !slice_starts(typed, SLICE_LIT("passkey:"))) {
        char path[TOOLS_PATH_MAX];
        /* Not every shell opens the ~ of key=~/.ssh/id_ed25519.pub. */
        const char *home = slice_starts(typed, SLICE_LIT("~/")) ? getenv("HOME") : NULL;
        size_t skip = home ? 1 : 0;
        snprintf(path, sizeof path, "%s%.*s", home ? home : "", (int)MIN(typed.n - skip, sizeof path - 1), typed.n > 0 ? (const char *)typed.p + skip : "");
        int code = say_key_fingerprint(s->command, path, &value);
        return code != EXIT_DONE ? code : say_term_add(s, t, buf_slice(&value));
    }
    const char *wrong = say_value(t, typed, clock_wall_ms(), &value);
    if (!wrong) return say_term_add(s, t, buf_slice(&value));
    fprintf(stderr, "tillit %s: %s=%.*s: %s\n", s->command, record_term_name(t), (int)typed.n, typed.n > 0 ? (const char *)typed.p : "", wrong);
    return EXIT_USAGE;
}

/* name=value. Words and countries take lists: verb=list,head. An empty value is the term left out (prefix=: everything). */
static int take_term(struct say *s, enum record_term t, struct slice typed)
{
    bool list = say_term_many(t) && (say_term_type(t) == SAY_WORD || say_term_type(t) == SAY_COUNTRY);
    if (typed.n == 0) return -1;
    if (!list) return take_value(s, t, typed);
    for (struct slice rest = typed, item; rest.p && rest.n > 0;) {
        rest = slice_cut(rest, ',', &item);
        int code = take_value(s, t, item);
        if (code != -1) return code;
    }
    return -1;
}

static int usage_error(const struct say *s, const char *what, const char *word)
{
    fprintf(stderr, "tillit %s: %s: %s\n\n", s->command, word, what);
    say_usage(stderr, s->kind, s->command);
    return EXIT_USAGE;
}

static int take_scope(struct say *s, const char *value)
{
    if (s->scope_count == SAY_SCOPE_MAX) return usage_error(s, "too many of them", "--scope");
    s->scope[s->scope_count++] = value;
    return -1;
}

/* --name [value] at argv[*i]; moves *i over the value. */
static int take_option(struct say *s, int argc, char **argv, int *i)
{
    const struct { const char *name; const char **value; bool *flag; } o[] = {
        {"--endpoint", &s->endpoint, NULL}, {"--dir", &s->dir, NULL}, {"--tenant", &s->tenant, NULL}, {"--key", &s->key, NULL},
        {"--subject", &s->subject, NULL}, {"--grant", &s->subject, NULL}, {"--statement", &s->statement, NULL}, {"--signature", &s->signature, NULL},
        {"--proposal", &s->proposal, NULL},
        {"--json", NULL, &s->json}, {"--yes", NULL, &s->yes}, {"--print", NULL, &s->print}};
    const char *name = argv[*i];
    enum record_term t;
    for (size_t k = 0; k < ARRAY_LEN(o); k++) {
        if (strcmp(name, o[k].name) != 0) continue;
        if (o[k].flag) *o[k].flag = true;
        else if (*i + 1 < argc) *o[k].value = argv[++*i];
        else return usage_error(s, "wants a value", name);
        return -1;
    }
    bool scope = strcmp(name, "--scope") == 0;
    if (!scope && !say_term_of(slice_str(name + 2), &t)) return usage_error(s, "there is no such option or term", name);
    if (*i + 1 == argc) return usage_error(s, "wants a value", name);
    const char *value = argv[++*i];
    return scope ? take_scope(s, value) : take_term(s, t, slice_str(value));
}

int say_read(struct say *s, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        struct slice name, value;
        enum record_term t;
        int code = -1;
        if (strcmp(argv[i], "--help") == 0) {
            say_usage(stdout, s->kind, s->command);
            return EXIT_DONE;
        }
        value = slice_cut(slice_str(argv[i]), '=', &name);
        if (strncmp(argv[i], "--", 2) == 0) code = take_option(s, argc, argv, &i);
        else if (name.n == strlen(argv[i]) && !s->subject) s->subject = argv[i];
        else if (name.n == strlen(argv[i])) return usage_error(s, "is one word too many; terms are name=value", argv[i]);
        else if (!say_term_of(name, &t)) return usage_error(s, "there is no such term", argv[i]);
        else code = take_term(s, t, value);
        if (code != -1) return code;
    }
    if (!s->endpoint && !s->dir) s->endpoint = getenv("TILLIT_ENDPOINT");
    if (!s->tenant && say_kind(s->kind)->required & RECORD_S_TENANT) s->tenant = getenv("TILLIT_TENANT");
    if (!s->key) s->key = getenv("TILLIT_KEY");
    return -1;
}

struct slice say_term(const struct say *s, enum record_term t)
{
    for (size_t i = 0; i < s->term_count; i++)
        if (s->term[i].term == t) return slice_str(s->term[i].value);
    return (struct slice){0};
}

void say_like(const struct say *from, enum record_statement_kind kind, struct say *out)
{
    *out = (struct say){.kind = kind, .endpoint = from->endpoint, .dir = from->dir, .tenant = from->tenant, .key = from->key, .client = from->client, .yes = true};
    memcpy(out->command, from->command, sizeof out->command);
}

/* the statement ---------------------------------------------------------------------------------------------------------------- */

/* What the kind's row wants and was not typed, or the other way round: each by its name. */
static bool row_ok(const struct say *s)
{
    const struct say_kind *row = say_kind(s->kind);
    unsigned have = (s->subject ? RECORD_S_SUBJECT : 0) | (s->tenant ? RECORD_S_TENANT : 0) | (s->scope_count ? RECORD_S_SCOPE : 0);
    static const struct { unsigned part; const char *name; } parts[] = {{RECORD_S_SUBJECT, "subject"}, {RECORD_S_TENANT, "--tenant"}, {RECORD_S_SCOPE, "--scope"}};
    uint64_t terms = 0;
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        bool missing = row->required & ~have & parts[i].part, extra = have & ~row->allowed & parts[i].part;
        if (missing) fprintf(stderr, "tillit %s: %s is missing\n", s->command, parts[i].name);
        if (extra) fprintf(stderr, "tillit %s: %s has no %s: leave it out\n", s->command, record_statement_kind_text(s->kind), parts[i].name);
        ok = ok && !missing && !extra;
    }
    for (size_t i = 0; i < s->term_count; i++) {
        enum record_term t = s->term[i].term;
        bool twice = terms >> t & 1 && !say_term_many(t), extra = !((row->terms | row->more) >> t & 1);
        if (twice) fprintf(stderr, "tillit %s: %s is there twice\n", s->command, record_term_name(t));
        if (extra) fprintf(stderr, "tillit %s: %s has no %s: leave it out\n", s->command, record_statement_kind_text(s->kind), record_term_name(t));
        ok = ok && !twice && !extra;
        terms |= 1ull << t;
    }
    for (unsigned t = 0; t < RECORD_TERM_COUNT; t++)
        if (row->terms >> t & ~(terms >> t) & 1) {
            fprintf(stderr, "tillit %s: %s is missing: give %s=...\n", s->command, record_term_name((enum record_term)t), record_term_name((enum record_term)t));
            ok = false;
        }
    if (!ok) fprintf(stderr, "tillit %s --help says what it wants\n", s->command);
    return ok;
}

/* Subjects that are made or encoded here: a new grant's id, a rule's place. */
static void subject_made(struct say *s)
{
    AUTO(buf) struct buf made = BUF_INIT(RECORD_TEXT_BYTES_MAX);
    uint8_t id[ID_BYTES];
    if (s->kind == RECORD_STATEMENT_ACCESS_REQUEST && !s->subject) {
        random_bytes(id, sizeof id);
        buf_put_base32(&made, slice_of(id, sizeof id));
    } else if ((s->kind == RECORD_STATEMENT_RULE_SET || s->kind == RECORD_STATEMENT_RULE_OFF) && s->subject && s->subject != s->made_subject) {
        say_place(slice_str(s->subject), &made);
    } else {
        return;
    }
    buf_put_u8(&made, 0);
    if (!buf_ok(&made)) return;        /* too long: stays as typed, and is refused */
    memcpy(s->made_subject, made.p, made.n);
    s->subject = s->made_subject;
}

int say_write(struct say *s, struct buf *text)
{
    struct record_statement st = {.kind = s->kind, .t = clock_wall_ms()};
    struct slice scope[SAY_SCOPE_MAX];
    struct record_term_value terms[SAY_TERMS_MAX];
    subject_made(s);
    if (!row_ok(s)) return EXIT_USAGE;
    random_bytes(st.nonce, sizeof st.nonce);
    if (s->tenant) {
        st.have |= RECORD_S_TENANT;
        if (record_id_get(slice_str(s->tenant), st.tenant) != ERR_OK) {
            fprintf(stderr, "tillit %s: --tenant %s: a tenant's id has 26 characters (run/endpoints.json, `tillit tenant create`)\n", s->command, s->tenant);
            return EXIT_USAGE;
        }
    }
    if (s->subject) st.subject = slice_str(s->subject), st.have |= RECORD_S_SUBJECT;
    if (s->scope_count > 0) st.have |= RECORD_S_SCOPE;
    for (size_t i = 0; i < s->scope_count; i++) scope[i] = slice_str(s->scope[i]);
    for (size_t i = 0; i < s->term_count; i++) terms[i] = (struct record_term_value){s->term[i].term, slice_str(s->term[i].value)};
    enum err e = record_kind_has_terms(s->kind) ? record_statement_write_terms(&st, terms, s->term_count, text)
                                                : record_statement_write(&st, scope, s->scope_count, text);
    if (e == ERR_OK) return EXIT_DONE;
    fprintf(stderr, "tillit %s: the statement cannot be written: the same value is there twice, a subject is not plain ASCII, or it is past %d bytes\n", s->command,
            STATEMENT_BYTES_MAX);
    return EXIT_USAGE;
}

int say_open(struct say *s)
{
    bool tenant_needed = say_kind(s->kind)->required & RECORD_S_TENANT;
    if (!s->endpoint && !s->dir) {
        if (s->print && (s->tenant || !tenant_needed)) return EXIT_DONE;
        fprintf(stderr, "tillit %s: which store? give --dir DIR (of a served store) or --endpoint http://HOST:9001, or set TILLIT_ENDPOINT\n", s->command);
        return EXIT_USAGE;
    }
    int code = client_open(&s->client, s->dir, s->endpoint, NULL, false);
    if (code != EXIT_DONE) return code;
    if (!s->tenant && tenant_needed && s->client.tenant[0]) s->tenant = s->client.tenant;
    return EXIT_DONE;
}

/* commands --------------------------------------------------------------------------------------------------------------------- */

static int send_files(struct say *s)
{
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX + 2), signature = BUF_INIT(65536);
    if (!s->statement || !s->signature) return usage_error(s, "both are wanted: what was signed, and its signature", "--statement, --signature");
    if (file_read(s->statement, &text) != ERR_OK || file_read(s->signature, &signature) != ERR_OK) {
        fprintf(stderr, "tillit %s: %s or %s cannot be read\n", s->command, s->statement, s->signature);
        return EXIT_USAGE;
    }
    json_t *answer = NULL;
    long status = 0;
    AUTO(buf) struct buf body = BUF_INIT(TOOLS_ANSWER_BYTES_MAX);
    int code = say_open(s);
    if (code == EXIT_DONE) code = say_send(s, buf_slice(&text), buf_slice(&signature), &status, &body);
    if (code != EXIT_DONE) return code;
    answer = json_loadb((const char *)body.p, body.n, 0, NULL);
    say_answer(s, status, answer, buf_slice(&text));
    json_decref(answer);
    return EXIT_DONE;
}

/* Whoever agrees sees what to: the proposal's own text, from a file that its author sent, in words; its digest is what is signed. */
static int proposal_read(struct say *s)
{
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX + 2), digest = BUF_INIT(64), tenant = BUF_INIT(ID_TEXT_CHARS);
    struct record_statement st;
    if (s->kind != RECORD_STATEMENT_AGREE) return usage_error(s, "is for `tillit agree` only", "--proposal");
    if (file_read(s->proposal, &text) != ERR_OK) return usage_error(s, "cannot be read", s->proposal);
    struct slice one = buf_slice(&text);
    if (one.n > 0 && one.p[one.n - 1] == '\n') one.n--;
    if (record_statement_parse(one, &st) != ERR_OK || !(st.have & RECORD_S_TENANT)) return usage_error(s, "is not the text of a statement about a tenant", s->proposal);
    buf_put_base32(&tenant, slice_of(st.tenant, sizeof st.tenant));
    if (s->tenant && !slice_is(buf_slice(&tenant), s->tenant)) return usage_error(s, "is about another tenant", s->proposal);
    fprintf(stderr, "The proposal is %s: %s\n", record_statement_kind_text(st.kind), say_meaning(st.kind));
    if (st.have & RECORD_S_SUBJECT) fprintf(stderr, "  %-14s %.*s\n", "about", (int)st.subject.n, (const char *)st.subject.p);
    say_terms_words(stderr, &st);
    fputc('\n', stderr);
    say_digest(one, &digest);
    struct slice typed = say_term(s, RECORD_TERM_REQUEST);
    if (typed.p && !slice_eq(typed, buf_slice(&digest))) return usage_error(s, "has another digest than --request", s->proposal);
    return typed.p ? -1 : say_term_add(s, RECORD_TERM_REQUEST, buf_slice(&digest));
}

static int say(struct say *s, int argc, char **argv)
{
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX), signature = BUF_INIT(65536), body = BUF_INIT(TOOLS_ANSWER_BYTES_MAX);
    long status = 0;
    int code = say_read(s, argc, argv);
    if (code != -1) return code;
    if (s->statement || s->signature) return send_files(s);
    if ((code = say_open(s)) != EXIT_DONE) return code;
    if (s->proposal && (code = proposal_read(s)) != -1) return code;
    if ((code = access_special(s)) != -1) return code;
    if ((code = say_write(s, &text)) != EXIT_DONE) return code;
    if (s->print) return fwrite(text.p, 1, text.n, stdout) == text.n ? EXIT_DONE : EXIT_INTERNAL;
    if (!s->key) return usage_error(s, "is missing: the file of the key you sign with", "--key");
    say_describe(stderr, s);
    if (!say_agreed(s, "Sign this?")) {
        fprintf(stderr, "tillit %s: nothing was signed\n", s->command);
        return EXIT_REFUSED;
    }
    if ((code = say_sign(s, buf_slice(&text), &signature)) != EXIT_DONE) return code;
    if ((code = say_send(s, buf_slice(&text), buf_slice(&signature), &status, &body)) != EXIT_DONE) return code;
    json_t *answer = json_loadb((const char *)body.p, body.n, 0, NULL);
    say_answer(s, status, answer, buf_slice(&text));
    json_decref(answer);
    wipe(body.p, body.n);              /* an answer may hold a secret */
    return EXIT_DONE;
}

int say_now(struct say *s, json_t **answer, struct buf *text)
{
    AUTO(buf) struct buf signature = BUF_INIT(65536), body = BUF_INIT(TOOLS_ANSWER_BYTES_MAX);
    long status = 0;
    *answer = NULL;
    int code = say_write(s, text);
    if (code == EXIT_DONE && !s->key) code = usage_error(s, "is missing: the file of the key you sign with", "--key");
    if (code == EXIT_DONE) code = say_sign(s, buf_slice(text), &signature);
    if (code == EXIT_DONE) code = say_send(s, buf_slice(text), buf_slice(&signature), &status, &body);
    if (code == EXIT_DONE && !(*answer = json_loadb((const char *)body.p, body.n, 0, NULL))) code = EXIT_INTERNAL;
    wipe(body.p, body.n);
    return code;
}

static void say_list(FILE *f)
{
    fputs("usage: tillit say KIND [SUBJECT] name=value ... --key FILE (--dir DIR | --endpoint URL)\n\nKinds, each with a --help of its own:\n\n", f);
    for (unsigned k = 0; k < RECORD_STATEMENT_COUNT; k++)
        fprintf(f, "  %-18s %s\n", record_statement_kind_text((enum record_statement_kind)k), say_meaning((enum record_statement_kind)k));
}

int cmd_say(int argc, char **argv)
{
    static struct say s;
    if (argc > 0 && strcmp(argv[0], "--help") == 0) {
        say_list(stdout);
        return EXIT_DONE;
    }
    if (argc < 1 || !record_statement_kind_of(slice_str(argv[0]), &s.kind)) {
        if (argc > 0) fprintf(stderr, "tillit say: there is no kind \"%.40s\"\n\n", argv[0]);
        say_list(stderr);
        return EXIT_USAGE;
    }
    snprintf(s.command, sizeof s.command, "say %s", argv[0]);
    return say(&s, argc - 1, argv + 1);
}

/* argv[0] is a word that begins kinds: `person` with `set`, `agree` alone. */
int cmd_say_short(int argc, char **argv)
{
    static struct say s;
    char text[SAY_COMMAND_CHARS_MAX];
    bool help = argc < 2 || strcmp(argv[1], "--help") == 0;
    snprintf(text, sizeof text, "%s", argv[0]);
    if (record_statement_kind_of(slice_str(text), &s.kind)) {
        snprintf(s.command, sizeof s.command, "%s", text);
        return say(&s, argc - 1, argv + 1);
    }
    if (!help) {
        if (strcmp(argv[0], "person") == 0 && strcmp(argv[1], "list") == 0) return cmd_person_list(argc - 2, argv + 2);
        int code = access_local(argv[0], argv[1], argc - 2, argv + 2);
        if (code != -1) return code;
        snprintf(text, sizeof text, "%.18s.%.18s", argv[0], argv[1]);
        if (record_statement_kind_of(slice_str(text), &s.kind)) {
            snprintf(s.command, sizeof s.command, "%s %s", argv[0], argv[1]);
            return say(&s, argc - 2, argv + 2);
        }
    }
    FILE *f = help && argc > 1 ? stdout : stderr;
    size_t n = strlen(argv[0]);
    fprintf(f, "usage: tillit %s WORD ...; each takes --help\n\n", argv[0]);
    for (unsigned k = 0; k < RECORD_STATEMENT_COUNT; k++) {
        const char *kind = record_statement_kind_text((enum record_statement_kind)k);
        if (strncmp(kind, argv[0], n) == 0 && kind[n] == '.') fprintf(f, "  %-12s %s\n", kind + n + 1, say_meaning((enum record_statement_kind)k));
    }
    if (strcmp(argv[0], "person") == 0) fputs("  list         all of them, from the provider log's export\n", f);
    if (strcmp(argv[0], "access") == 0) fputs("  show         one request or grant, and what happened under it\n  list         all of them\n  watch        one of them as it happens; r and Enter revoke it\n", f);
    return f == stdout ? EXIT_DONE : EXIT_USAGE;
}

bool say_begins(const char *word)
{
    size_t n = strlen(word);
    for (unsigned k = 0; n > 0 && k < RECORD_STATEMENT_COUNT; k++) {
        const char *kind = record_statement_kind_text((enum record_statement_kind)k);
        if (record_kind_has_terms((enum record_statement_kind)k) && strncmp(kind, word, n) == 0 && (kind[n] == '.' || kind[n] == 0)) return true;
    }
    return false;
}
