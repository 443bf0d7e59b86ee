/* SPDX-License-Identifier: Apache-2.0
 * `tillit init`: directories, certificate, keys of a demonstration's officer and owner, and the first statements.
 * Role: makes a store that can be served. It signs with the keys it made, or with those it is given; the gate takes the statements
 *       through the same door as any later ones.
 * Trusts: who runs it. Law: 6 (the owner's key is the owner's: it lies in DIR/demo only because nobody gave one).
 * Spec: docs/spec/statement.md, docs/spec/dir.md
 */
#include "tools/tools.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/conf.h"
#include "s3/s3.h"

static const char usage[] =
    "usage: tillit init DIR --tenant NAME [--officer-key FILE] [--owner-key FILE] [--json]\n"
    "\n"
    "Makes a store in DIR (which must be empty or not there) with one tenant and one access key of its root user.\n"
    "Without key files it makes a pair for a demonstration, below DIR/demo: a real owner brings a key of their own.\n";

struct keys {
    struct record_ssh_private officer, owner;
    char officer_path[TOOLS_PATH_MAX], owner_path[TOOLS_PATH_MAX];
    bool officer_made, owner_made;
};

/* statements ---------------------------------------------------------------------------------------------------------- */

enum err statement_make(const struct statement_parts *p, const struct record_ssh_private *key, struct buf *out)
{
    AUTO(buf) struct buf text = BUF_INIT(65536), signature = BUF_INIT(8192);
    struct record_statement s = {.kind = p->kind, .t = clock_wall_ms()};
    struct slice scope[ARRAY_LEN(p->scope)];
    random_bytes(s.nonce, sizeof s.nonce);
    if (p->tenant) memcpy(s.tenant, p->tenant, ID_BYTES), s.have |= RECORD_S_TENANT;
    if (p->subject) s.subject = slice_str(p->subject), s.have |= RECORD_S_SUBJECT;
    if (p->scope_count > 0) s.have |= RECORD_S_SCOPE;
    for (size_t i = 0; i < p->scope_count; i++) scope[i] = slice_str(p->scope[i]);
    TRY(record_statement_write(&s, scope, p->scope_count, &text));
    TRY(record_sshsig_sign(key, buf_slice(&text), RECORD_STATEMENT_NAMESPACE, &signature));
    json_t *j = json_pack("{s:s%, s:s%}", "statement", text.p, text.n, "signature", signature.p, signature.n);
    char *dump = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    if (!dump) return ERR_NOMEM;
    buf_put_str(out, dump);
    free(dump);
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

enum err ssh_key_read(const char *path, struct record_ssh_private *out)
{
    struct buf text = BUF_INIT(65536);
    struct ledger_hash h;
    TRY(ledger_hash_init(&h));
    enum err e = file_read(path, &text);
    if (e == ERR_OK) e = record_ssh_private_parse(&h, buf_slice(&text), out);
    buf_wipe_done(&text);
    ledger_hash_done(&h);
    return e;
}

enum err ssh_key_make(const char *path, const char *comment, struct record_ssh_private *out)
{
    struct buf text = BUF_INIT(8192);
    AUTO(buf) struct buf public = BUF_INIT(4096);
    char public_path[TOOLS_PATH_MAX];
    uint8_t seed[32];
    uint32_t check;
    struct ledger_hash h;
    TRY(ledger_hash_init(&h));
    random_bytes(seed, sizeof seed), random_bytes(&check, sizeof check);
    enum err e = record_ssh_private_make(&h, seed, out);
    wipe(seed, sizeof seed);
    if (e == ERR_OK) e = record_ssh_private_format(out, check, slice_str(comment), &text);
    if (e == ERR_OK) e = file_write(path, buf_slice(&text), 0600);
    record_ssh_key_format(&out->key, slice_str(comment), &public);
    buf_put_str(&public, "\n");
    snprintf(public_path, sizeof public_path, "%s.pub", path);
    if (e == ERR_OK) e = file_write(public_path, buf_slice(&public), 0644);
    buf_wipe_done(&text);
    ledger_hash_done(&h);
    return e;
}

/* the directory ------------------------------------------------------------------------------------------------------- */

static int make_directories(const char *dir)
{
    static const char *const below[] = {"", "/gate", "/gate/wal", "/gate/logs", "/gate/openings", "/gate/state", "/gate/keys", "/keeper", "/keeper/index",
                                        "/keeper/blobs", "/keeper/stage", "/front", "/front/tls", "/front/tmp", "/access", "/access/tmp", "/run", "/demo"};
    char path[TOOLS_PATH_MAX];
    snprintf(path, sizeof path, "%s/format", dir);
    if (access(path, F_OK) == 0) {
        fprintf(stderr, "tillit init: %s holds a store already; nothing was changed\n", dir);
        return EXIT_REFUSED;
    }
    for (size_t i = 0; i < ARRAY_LEN(below); i++) {
        snprintf(path, sizeof path, "%s%s", dir, below[i]);
        mode_t mode = i == 0 ? 0755 : 0700;
        if (mkdir(path, mode) != 0 && !(errno == EEXIST)) {
            fprintf(stderr, "tillit init: %s: %s\n", path, strerror(errno));
            return EXIT_REFUSED;
        }
    }
    return EXIT_DONE;
}

static const char conf_text[] =
    "# Tillit. Every key, its section and its meaning: docs/spec/dir.md. After a change: restart, or SIGHUP for certificates.\n"
    "\n"
    "[s3]\n"
    "listen = 127.0.0.1\n"
    "port = 9000\n"
    "tls_port = 9443\n"
    "region = eu-north-1\n"
    "# tls_cert = front/tls/cert.pem\n"
    "# tls_key = front/tls/key.pem\n"
    "\n"
    "[api]\n"
    "port = 9001\n"
    "\n"
    "[access]\n"
    "port = 9002\n"
    "tls_port = 9444\n"
    "\n"
    "[log]\n"
    "origin = tillit.example\n";

static int write_files(const char *dir)
{
    char path[TOOLS_PATH_MAX];
    snprintf(path, sizeof path, "%s/tillit.conf", dir);
    if (access(path, F_OK) != 0 && file_write(path, slice_str(conf_text), 0644) != ERR_OK) goto failed;
    char ca[TOOLS_PATH_MAX];
    snprintf(path, sizeof path, "%s/front/tls", dir);
    snprintf(ca, sizeof ca, "%s/ca.pem", dir);         /* public: beside what is closed */
    if (tls_make(path, ca, "DNS:localhost,DNS:*.localhost,IP:127.0.0.1") != ERR_OK) goto failed;
    return EXIT_DONE;
failed:
    fprintf(stderr, "tillit init: %s: cannot be written: %s\n", path, strerror(errno));
    return EXIT_INTERNAL;
}

static int key_for(const char *given, const char *dir, const char *name, struct record_ssh_private *key, char path[TOOLS_PATH_MAX], bool *made)
{
    *made = given == NULL;
    if (given) snprintf(path, TOOLS_PATH_MAX, "%s", given);
    else snprintf(path, TOOLS_PATH_MAX, "%s/demo/%s", dir, name);
    enum err e = given ? ssh_key_read(path, key) : ssh_key_make(path, name, key);
    if (e == ERR_OK) return EXIT_DONE;
    fprintf(stderr, "tillit init: %s: %s\n", path,
            e == ERR_VERSION ? "must be an unencrypted OpenSSH ed25519 private key (ssh-keygen -t ed25519)" : given ? "cannot be read as a private key" : "cannot be written");
    return given ? EXIT_USAGE : EXIT_INTERNAL;
}

/* the gate takes the statements ------------------------------------------------------------------------------------------- */

static json_t *gate_init(const char *dir, struct slice statements)
{
    char self[TOOLS_PATH_MAX], gate[TOOLS_PATH_MAX + 32];
    int in[2], out[2], status = 0;
    AUTO(buf) struct buf answer = BUF_INIT(1024 * 1024);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || pipe(in) != 0 || pipe(out) != 0) return NULL;
    self[n] = 0;
    snprintf(gate, sizeof gate, "%s/tillit-gate", dirname(self));
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0), dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execl(gate, gate, dir, "--init", (char *)NULL);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    bool ok = pid > 0 && write(in[1], statements.p, statements.n) == (ssize_t)statements.n;
    close(in[1]);
    for (uint8_t *at; ok && (at = buf_room(&answer, 65536)) && (n = read(out[0], at, 65536)) > 0;) answer.n += (size_t)n;
    close(out[0]);
    if (pid > 0) waitpid(pid, &status, 0);
    json_t *j = json_loadb((const char *)answer.p, answer.n, 0, NULL);
    wipe(answer.p, answer.n);
    if (status == 0 && json_is_array(j)) return j;
    const char *detail = json_string_value(json_object_get(json_array_get(j, json_array_size(j) - 1), "detail"));
    fprintf(stderr, "tillit init: the gate refused: %s\n", detail ? detail : "see its message above");
    json_decref(j);
    return NULL;
}

static enum err first_statements(const char *tenant_name, const uint8_t tenant[ID_BYTES], const char *account, const struct keys *k, struct buf *out)
{
    const char *officer = k->officer.key.fingerprint, *owner = k->owner.key.fingerprint;
    const struct { struct statement_parts p; const struct record_ssh_private *by; } all[] = {
        {{.kind = RECORD_STATEMENT_GENESIS_PROVIDER, .subject = "provider", .scope = {officer}, .scope_count = 1}, &k->officer},
        {{.kind = RECORD_STATEMENT_TENANT_CREATE, .tenant = tenant, .subject = tenant_name, .scope = {owner}, .scope_count = 1}, &k->officer},
        {{.kind = RECORD_STATEMENT_GENESIS_TENANT, .tenant = tenant, .subject = account, .scope = {owner}, .scope_count = 1}, &k->owner},
        {{.kind = RECORD_STATEMENT_KEY_ADD, .tenant = tenant, .subject = account}, &k->owner},
        {{.kind = RECORD_STATEMENT_READER_ADD, .tenant = tenant, .subject = "control"}, &k->owner},
        {{.kind = RECORD_STATEMENT_READER_ADD, .tenant = tenant, .subject = "access"}, &k->owner},
        {{.kind = RECORD_STATEMENT_READER_ADD, .subject = "provider"}, &k->officer},
    };
    buf_put_str(out, "[");
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (i > 0) buf_put_str(out, ",");
        TRY(statement_make(&all[i].p, all[i].by, out));
    }
    buf_put_str(out, "]");
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

static json_t *log_object(const char *base, const char *capability, json_t *log)
{
    char url[512];
    snprintf(url, sizeof url, "%s/log/%s/", base, capability);
    return json_pack("{s:s, s:O, s:O}", "url", url, "origin", json_object_get(log, "origin"), "vkey", json_object_get(log, "vkey"));
}

enum { URL_S3, URL_S3_TLS, URL_ACCESS, URL_ACCESS_TLS, URL_API, URLS };
static const char *const url_marked[URLS] = {"http://@LISTEN@:@S3_PORT@", "https://@LISTEN@:@S3_TLS_PORT@", "http://@LISTEN@:@ACCESS_PORT@",
                                             "https://@LISTEN@:@ACCESS_TLS_PORT@", "http://@LISTEN@:@API_PORT@"};

/* What `init` prints and `serve` writes to run/endpoints.json: the same object, with ports where they are known. */
static json_t *describe(const struct conf *c, const char *dir, json_t *answers, const char *const urls[URLS])
{
    const char *api = urls[URL_API];
    char ca[TOOLS_PATH_MAX + 32], real[PATH_MAX];
    json_t *genesis = json_array_get(answers, 0), *created = json_array_get(answers, 1), *key = json_array_get(answers, 3);
    const char *cap[3];
    for (size_t i = 0; i < 3; i++) cap[i] = json_string_value(json_object_get(json_array_get(answers, 4 + i), "capability"));
    snprintf(ca, sizeof ca, "%s/ca.pem", realpath(dir, real) ? real : dir);
    json_t *logs = json_pack("{s:o, s:o, s:o, s:o}", "control", log_object(api, cap[0], json_object_get(created, "control")), "access",
                             log_object(api, cap[1], json_object_get(created, "access")), "provider", log_object(api, cap[2], json_object_get(genesis, "provider")),
                             "heads", log_object(api, "heads", json_object_get(genesis, "heads")));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O, s:O, s:o}", "s3", urls[URL_S3], "s3_tls", urls[URL_S3_TLS], "s3_access", urls[URL_ACCESS],
                     "s3_access_tls", urls[URL_ACCESS_TLS], "api", api, "ca_cert", ca, "region", c->region, "tenant", json_object_get(created, "tenant"), "account", json_object_get(key, "account"), "logs", logs);
}

static int finish(const char *dir, const struct conf *c, json_t *answers, const struct keys *k, bool as_json)
{
    char path[TOOLS_PATH_MAX], url[URLS][300];
    const char *urls[URLS];
    json_t *key = json_array_get(answers, 3);
    const char *id = json_string_value(json_object_get(key, "access_key_id")), *secret = json_string_value(json_object_get(key, "secret_access_key"));
    json_t *template = describe(c, dir, answers, url_marked);
    char *text = template ? json_dumps(template, JSON_INDENT(2)) : NULL;
    snprintf(path, sizeof path, "%s/front/endpoints.in", dir);
    if (!text || !id || !secret || file_write(path, slice_str(text), 0644) != ERR_OK) return EXIT_INTERNAL;
    free(text);
    json_decref(template);
    snprintf(path, sizeof path, "%s/format", dir);
    if (file_write(path, SLICE_LIT("tillit-dir 2\n"), 0644) != ERR_OK) return EXIT_INTERNAL;

    const uint64_t port[URLS] = {c->s3_port, c->s3_tls_port, c->access_port, c->access_tls_port, c->api_port};
    for (size_t i = 0; i < URLS; i++) {
        bool tls = i == URL_S3_TLS || i == URL_ACCESS_TLS;
        snprintf(url[i], sizeof url[i], "%s://%s:%llu", tls ? "https" : "http", c->listen, (unsigned long long)port[i]);
        urls[i] = url[i];
    }
    json_t *all = describe(c, dir, answers, urls);
    json_object_set_new(all, "access_key_id", json_string(id));
    json_object_set_new(all, "secret_access_key", json_string(secret));
    if (k->officer_made) json_object_set_new(all, "officer_key", json_string(k->officer_path));
    if (k->owner_made) json_object_set_new(all, "owner_key", json_string(k->owner_path));
    text = json_dumps(all, JSON_INDENT(2));
    if (as_json) printf("%s\n", text);
    else
        printf("made %s\n\n  access key   %s\n  secret key   %s\n\nThe secret is shown this once. Next: tillit serve %s\n", dir, id, secret, dir);
    wipe(text, strlen(text));
    free(text);
    json_decref(all);
    return EXIT_DONE;
}

int cmd_init(int argc, char **argv)
{
    const char *dir[1] = {NULL}, *tenant_name = NULL, *officer = NULL, *owner = NULL;
    bool as_json = false;
    const struct option o[] = {{"--tenant", &tenant_name, NULL}, {"--officer-key", &officer, NULL}, {"--owner-key", &owner, NULL}, {"--json", NULL, &as_json}};
    int n = options_read(argc, argv, o, ARRAY_LEN(o), dir, 1, usage);
    if (n == -2) return EXIT_DONE;
    if (n != 1 || !tenant_name || s3_bucket_name_check(slice_str(tenant_name)) != S3E_NONE) {
        fputs(usage, stderr);
        if (n == 1 && tenant_name) fprintf(stderr, "\n--tenant: 3 to 63 lower-case letters, digits and hyphens, like a bucket's name\n");
        return EXIT_USAGE;
    }
    int code = make_directories(dir[0]);
    if (code == EXIT_DONE) code = write_files(dir[0]);
    struct keys k = {0};
    if (code == EXIT_DONE) code = key_for(officer, dir[0], "officer", &k.officer, k.officer_path, &k.officer_made);
    if (code == EXIT_DONE) code = key_for(owner, dir[0], "owner", &k.owner, k.owner_path, &k.owner_made);
    if (code != EXIT_DONE) return code;

    AUTO(buf) struct buf statements = BUF_INIT(262144), why = BUF_INIT(2048);
    struct conf c;
    char path[TOOLS_PATH_MAX], account[16];
    uint8_t tenant[ID_BYTES];
    uint64_t number;
    random_bytes(tenant, sizeof tenant), random_bytes(&number, sizeof number);
    snprintf(account, sizeof account, "%012llu", (unsigned long long)(number % 1000000000000ull));
    snprintf(path, sizeof path, "%s/tillit.conf", dir[0]);
    if (conf_read(path, &c, &why) != ERR_OK) {
        fprintf(stderr, "tillit init: %.*s\n", (int)why.n, (const char *)why.p);
        return EXIT_USAGE;
    }
    if (first_statements(tenant_name, tenant, account, &k, &statements) != ERR_OK) return EXIT_INTERNAL;
    json_t *answers = gate_init(dir[0], buf_slice(&statements));
    code = answers ? finish(dir[0], &c, answers, &k, as_json) : EXIT_REFUSED;
    json_decref(answers);
    record_ssh_private_done(&k.officer), record_ssh_private_done(&k.owner);
    return code;
}
