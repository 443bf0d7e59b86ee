/* SPDX-License-Identifier: Apache-2.0
 * `tillit log`: the record of every access, opened for its owner.
 * Role: fetches leaves and openings from /v1/openings, checks every opening against its leaf, prints or exports them.
 * Trusts: nothing of the answer that the commitments do not hold. Law: 4 (what is printed is what was decided from).
 * Spec: docs/spec/record.md; docs/spec/export.md
 */
#include "tools/tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define LOG_PAGE 256                   /* records asked for at once */
#define FOLLOW_MS 500

static const char usage[] =
    "usage: tillit log query  DIR [--log access|control] [--from N] [--limit N] [--json]\n"
    "       tillit log follow DIR [--log access|control] [--json]\n"
    "       tillit log export DIR --out DIR [--log access|control]\n"
    "options: --endpoint URL (http://HOST:9001) instead of DIR, --credentials FILE\n"
    "\n"
    "Who did what to which object, from where, how many bytes, allowed or refused and why. Every line has been checked\n"
    "against the commitments in the log. Reading the record is itself recorded.\n";

struct view {
    struct store_client client;
    struct ledger_hash hash;
    const char *log;
    bool json;
    FILE *export;
    uint64_t next;                     /* first index not seen yet */
};

/* one record ----------------------------------------------------------------------------------------------------------- */

static void text_or_base64(json_t *j, const char *name, struct slice v)
{
    if (slice_is_utf8(v)) {
        json_object_set_new(j, name, json_stringn((const char *)v.p, v.n));
        return;
    }
    char key[64];
    AUTO(buf) struct buf b = BUF_INIT(131072);
    buf_put_base64url(&b, v);
    snprintf(key, sizeof key, "%s_base64", name);
    json_object_set_new(j, key, json_stringn((const char *)b.p, b.n));
}

static void add_upload(json_t *j, struct slice value)
{
    uint8_t id[ID_BYTES];
    uint16_t part;
    AUTO(buf) struct buf text = BUF_INIT(ID_TEXT_CHARS);
    if (record_up_get(value, id, &part) != ERR_OK) return;
    buf_put_base32(&text, slice_of(id, ID_BYTES));
    json_object_set_new(j, "upload_id", json_stringn((const char *)text.p, text.n));
    if (part) json_object_set_new(j, "part", json_integer(part));
}

static void add_copy(json_t *j, struct slice value)
{
    struct record_copy c;
    if (record_copy_get(value, &c) != ERR_OK) return;
    text_or_base64(j, "source_bucket", c.bucket);
    text_or_base64(j, "source_key", c.key);
    if (c.vid.n) text_or_base64(j, "source_version_id", c.vid);
    json_object_set_new(j, "source_version", c.ver == RECORD_VER_NONE ? json_null() : json_integer((json_int_t)c.ver));
}

static void add_subject(json_t *j, struct slice value)
{
    struct record_sub sub;
    if (record_sub_get(value, &sub) != ERR_OK) return;
    text_or_base64(j, "user", sub.user);
    if (sub.third.n) text_or_base64(j, "subject", sub.third);
    if (sub.more.n) text_or_base64(j, "detail", sub.more);
}

/* What policies could ask about, as an object. */
static void add_context(json_t *j, struct slice value)
{
    struct reader r = reader_of(value);
    struct slice name, text;
    json_t *all = json_object();
    while (record_ctx_next(&r, &name, &text)) {
        char key[256];
        snprintf(key, sizeof key, "%.*s", (int)MIN(name.n, sizeof key - 1), (const char *)name.p);
        text_or_base64(all, key, text);
    }
    json_object_set_new(j, "ctx", all);
}

static void add_opened(json_t *j, const struct record_opened *o)
{
    struct record_obj obj;
    struct record_new fresh;
    struct record_qry qry;
    struct record_stmt_value said;
    uint64_t ver, rev;                 /* a revision is an inner matter: what a reader asks is which version */
    if (o->erased) {
        json_object_set_new(j, record_field_key(o->field), json_string("(erased)"));
    } else if (o->field == RECORD_F_OBJ && record_obj_get(o->value, &obj) == ERR_OK) {
        text_or_base64(j, "bucket", obj.bucket);
        if (obj.key.n > 0) text_or_base64(j, "key", obj.key);
    } else if (o->field == RECORD_F_VER && record_ver_get(o->value, &ver, &rev) == ERR_OK) {
        json_object_set_new(j, "version", ver == RECORD_VER_NONE ? json_null() : json_integer((json_int_t)ver));
    } else if (o->field == RECORD_F_NEW && record_new_get(o->value, &fresh) == ERR_OK) {
        json_object_set_new(j, "size", json_integer((json_int_t)fresh.size));
        text_or_base64(j, "etag", fresh.etag);
    } else if (o->field == RECORD_F_QRY && record_qry_get(o->value, &qry) == ERR_OK) {
        text_or_base64(j, "prefix", qry.prefix);
        text_or_base64(j, "delimiter", qry.delimiter);
    } else if (o->field == RECORD_F_VID) {
        text_or_base64(j, "version_id", o->value);
    } else if (o->field == RECORD_F_UP) {
        add_upload(j, o->value);
    } else if (o->field == RECORD_F_COPY) {
        add_copy(j, o->value);
    } else if (o->field == RECORD_F_SUB) {
        add_subject(j, o->value);
    } else if (o->field == RECORD_F_CTX) {
        add_context(j, o->value);
    } else if (o->field == RECORD_F_DOC) {
        text_or_base64(j, "document", o->value);
    } else if (o->field == RECORD_F_STMT && record_stmt_value_get(o->value, &said) == ERR_OK) {
        text_or_base64(j, "statement", said.text);
    } else if (o->field == RECORD_F_ENT) {
        text_or_base64(j, "employer", o->value);
    } else if (o->field == RECORD_F_PERSON || o->field == RECORD_F_WHO || o->field == RECORD_F_PEER || o->field == RECORD_F_NAME || o->field == RECORD_F_KEYC) {
        text_or_base64(j, record_field_key(o->field), o->value);
    }
}

static json_t *describe(const struct record_leaf *l, const struct record_opening *o, uint64_t index)
{
    json_t *j = json_loadb((const char *)l->raw.p, l->raw.n, 0, NULL);
    if (!j) return NULL;
    char when[TIME_TEXT_MAX];
    json_object_set_new(j, "index", json_integer((json_int_t)index));
    time_iso8601(record_int(l, RECORD_F_T, 0), when);
    json_object_set_new(j, "time", json_string(when));
    /* Commitments are replaced by what they hide; those without a readable form (item roots) are left out. */
    for (unsigned i = 0; i < o->count; i++) json_object_del(j, record_field_key(o->item[i].field));
    for (unsigned i = 0; i < o->count; i++) add_opened(j, &o->item[i]);
    return j;
}

static const char *field(json_t *j, const char *name)
{
    const char *s = json_string_value(json_object_get(j, name));
    return s ? shown(s) : "-";
}

static void print_line(json_t *j)
{
    json_t *bytes = json_object_get(j, "bytes");
    if (strcmp(field(j, "kind"), "sum") == 0) {
        printf("%-24s %8" PRId64 "  deny  %" PRId64 " requests of callers who proved nothing (%s)\n", field(j, "time"),
               (int64_t)json_integer_value(json_object_get(j, "index")), (int64_t)json_integer_value(json_object_get(j, "n")), field(j, "why"));
        return;
    }
    printf("%-24s %8" PRId64 "  %-5s %-16s %s %s%s%s", field(j, "time"), (int64_t)json_integer_value(json_object_get(j, "index")), field(j, "dec"),
           json_object_get(j, "act") ? field(j, "act") : field(j, "kind"), field(j, "who"), field(j, "bucket"), json_object_get(j, "key") ? "/" : "",
           json_object_get(j, "key") ? field(j, "key") : "");
    if (bytes) printf(" %" PRId64 " bytes", (int64_t)json_integer_value(bytes));
    if (json_object_get(j, "why")) printf(" (%s)", field(j, "why"));
    printf(" from %s\n", field(j, "peer"));
}

static enum err show(struct view *v, uint64_t index, struct slice leaf_text, struct slice opening_bytes)
{
    struct record_leaf leaf;
    static struct record_opening opening;
    opening.count = 0;
    TRY(record_leaf_parse(leaf_text, RECORD_LOG_ACCESS | RECORD_LOG_CONTROL, &leaf));
    if (opening_bytes.n > 0) TRY(record_opening_parse(opening_bytes, &opening));
    TRY(record_opening_check(&v->hash, &leaf, &opening));
    json_t *j = describe(&leaf, &opening, index);
    if (!j) return ERR_INPUT;
    if (v->json) {
        json_dumpf(j, stdout, JSON_COMPACT | JSON_SORT_KEYS);
        putchar('\n');
    } else {
        print_line(j);
    }
    json_decref(j);
    return ERR_OK;
}

static enum err take_line(struct view *v, struct slice line)
{
    struct slice leaf;
    uint64_t index;
    AUTO(buf) struct buf opening = BUF_INIT(OPENING_BYTES_MAX);
    TRY(log_line_parse(line, &index, &leaf, &opening));
    if (index != v->next) return ERR_STALE;
    v->next = index + 1;
    if (!v->export) return show(v, index, leaf, buf_slice(&opening));
    return fwrite(line.p, 1, line.n, v->export) == line.n && fputc('\n', v->export) != EOF ? ERR_OK : ERR_IO;
}

/* One page from v->next. Gives an exit code; *got counts its records. */
static int page(struct view *v, uint64_t limit, uint64_t *got)
{
    AUTO(buf) struct buf answer = BUF_INIT(TOOLS_ANSWER_BYTES_MAX);
    char target[256];
    long status = 0;
    *got = 0;
    snprintf(target, sizeof target, "/v1/openings?count=%" PRIu64 "&from=%" PRIu64 "&log=%s", MIN(limit, LOG_PAGE), v->next, v->log);
    int code = client_request(&v->client, target, (struct slice){0}, true, &status, &answer);
    if (code != EXIT_DONE) return code;
    if (status != 200) return client_refused("log", status, buf_slice(&answer));
    struct slice rest = buf_slice(&answer), line;
    while (rest.p && rest.n > 0) {
        rest = slice_cut(rest, '\n', &line);
        enum err e = take_line(v, line);
        if (e != ERR_OK) {
            fprintf(stderr, "tillit log: record %" PRIu64 " does not hold: %s\n", v->next, err_text(e));
            return EXIT_REFUSED;
        }
        ++*got;
    }
    fflush(stdout);
    return EXIT_DONE;
}

/* commands --------------------------------------------------------------------------------------------------------------- */

static int query(struct view *v, uint64_t limit)
{
    uint64_t got = 1;
    int code = EXIT_DONE;
    while (code == EXIT_DONE && got > 0 && limit > 0) {
        code = page(v, limit, &got);
        limit -= MIN(limit, got);
        if (got < LOG_PAGE) break;
    }
    return code;
}

static int follow(struct view *v)
{
    uint64_t got = 0;
    for (int code;;) {
        if ((code = page(v, LOG_PAGE, &got)) != EXIT_DONE) return code;
        if (got == LOG_PAGE) continue;
        struct timespec wait = {0, FOLLOW_MS * 1000000L};
        nanosleep(&wait, NULL);
    }
}

static int export(struct view *v, const char *out)
{
    char path[TOOLS_PATH_MAX];
    if (!out) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    mkdir(out, 0700);
    snprintf(path, sizeof path, "%s/%s.jsonl", out, v->log);
    v->export = fopen(path, "we");
    if (!v->export) {
        fprintf(stderr, "tillit log export: %s cannot be written\n", path);
        return EXIT_INTERNAL;
    }
    int code = query(v, UINT64_MAX);
    bool ok = fclose(v->export) == 0;
    if (code == EXIT_DONE && !ok) code = EXIT_INTERNAL;
    if (code == EXIT_DONE) printf("%" PRIu64 " records in %s\n", v->next, path);
    return code;
}

int cmd_log(int argc, char **argv)
{
    const char *what[2] = {NULL, NULL}, *from = "0", *limit = NULL, *out = NULL, *endpoint = NULL, *credentials = NULL;
    struct view v = {.log = "access"};
    const struct option o[] = {{"--log", &v.log, NULL}, {"--from", &from, NULL}, {"--limit", &limit, NULL}, {"--out", &out, NULL},
                               {"--endpoint", &endpoint, NULL}, {"--credentials", &credentials, NULL}, {"--json", NULL, &v.json}};
    int n = options_read(argc, argv, o, ARRAY_LEN(o), what, 2, usage);
    uint64_t most = UINT64_MAX;
    if (n == -2) return EXIT_DONE;
    if (n < 1 || (n < 2 && !endpoint) || (strcmp(v.log, "access") != 0 && strcmp(v.log, "control") != 0) ||
        slice_u64(slice_str(from), RECORD_VER_NONE - 1, &v.next) != ERR_OK || (limit && slice_u64(slice_str(limit), UINT64_MAX, &most) != ERR_OK)) {
        if (n >= 0) fputs(usage, stderr);
        return EXIT_USAGE;
    }
    int code = client_open(&v.client, what[1], endpoint, credentials, true);
    if (code != EXIT_DONE) return code;
    if (ledger_hash_init(&v.hash) != ERR_OK) return EXIT_INTERNAL;
    if (strcmp(what[0], "query") == 0) code = query(&v, most);
    else if (strcmp(what[0], "follow") == 0) code = follow(&v);
    else if (strcmp(what[0], "export") == 0) code = export(&v, out);
    else fputs(usage, stderr), code = EXIT_USAGE;
    ledger_hash_done(&v.hash);
    wipe(&v.client, sizeof v.client);
    return code;
}
