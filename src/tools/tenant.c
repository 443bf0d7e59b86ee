/* SPDX-License-Identifier: Apache-2.0
 * `tillit tenant create`: adds a tenant to a served store: an officer's statement, then the owner's.
 * Role: makes the same calls as `curl` with `ssh-keygen -Y sign` would.
 * Trusts: the keys it is given. Law: 6 (the officer names the owner's key; from the genesis on only the owner widens).
 * Spec: docs/spec/statement.md
 */
#include "tools/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "s3/s3.h"

static const char usage[] =
    "usage: tillit tenant create DIR --tenant NAME [--officer-key FILE] [--owner-key FILE] [--endpoint URL] [--json]\n"
    "       tillit tenant list DIR [--json]\n"
    "\n"
    "The officer's key is the one that `tillit init` named (DIR/demo/officer in a demonstration). Without --owner-key an owner's\n"
    "key is made below DIR/demo. Prints the tenant's first access key: the secret is shown this once.\n"
    "list prints what each tenant keeps, and its quotas.\n";

/* Posts one statement; its answer, or NULL after the refusal was printed. */
static json_t *post(const struct store_client *c, const struct statement_parts *p, const struct record_ssh_private *key, int *code)
{
    AUTO(buf) struct buf body = BUF_INIT(65536), answer = BUF_INIT(65536);
    long status = 0;
    if (statement_make(p, key, &body) != ERR_OK) {
        fprintf(stderr, "tillit tenant: the statement cannot be written\n");
        *code = EXIT_INTERNAL;
        return NULL;
    }
    *code = client_request(c, "/v1/statements", buf_slice(&body), false, &status, &answer);
    if (*code == EXIT_DONE && status != 200) *code = client_refused("tenant", status, buf_slice(&answer));
    json_t *j = *code == EXIT_DONE ? json_loadb((const char *)answer.p, answer.n, 0, NULL) : NULL;
    if (*code == EXIT_DONE && !j) *code = EXIT_INTERNAL;
    wipe(answer.p, answer.n);
    return j;
}

static json_t *reader(const struct store_client *c, json_t *answer)
{
    char url[512];
    json_t *log = json_object_get(answer, "log");
    snprintf(url, sizeof url, "%s/log/%s/", c->api, json_string_value(json_object_get(answer, "capability")));
    return json_pack("{s:s, s:O, s:O}", "url", url, "origin", json_object_get(log, "origin"), "vkey", json_object_get(log, "vkey"));
}

static int create(const struct store_client *c, const char *name, const struct record_ssh_private *officer, const struct record_ssh_private *owner, bool as_json)
{
    uint8_t tenant[ID_BYTES];
    uint64_t number;
    char account[16];
    const char *who = owner->key.fingerprint;
    int code = EXIT_DONE;
    random_bytes(tenant, sizeof tenant), random_bytes(&number, sizeof number);
    snprintf(account, sizeof account, "%012llu", (unsigned long long)(number % 1000000000000ull));
    const struct { struct statement_parts p; const struct record_ssh_private *by; } all[] = {
        {{.kind = RECORD_STATEMENT_TENANT_CREATE, .tenant = tenant, .subject = name, .scope = {who}, .scope_count = 1}, officer},
        {{.kind = RECORD_STATEMENT_GENESIS_TENANT, .tenant = tenant, .subject = account, .scope = {who}, .scope_count = 1}, owner},
        {{.kind = RECORD_STATEMENT_KEY_ADD, .tenant = tenant, .subject = account}, owner},
        {{.kind = RECORD_STATEMENT_READER_ADD, .tenant = tenant, .subject = "control"}, owner},
        {{.kind = RECORD_STATEMENT_READER_ADD, .tenant = tenant, .subject = "access"}, owner},
    };
    json_t *answers[ARRAY_LEN(all)] = {NULL};
    for (size_t i = 0; i < ARRAY_LEN(all) && code == EXIT_DONE; i++) answers[i] = post(c, &all[i].p, all[i].by, &code);
    if (code == EXIT_DONE) {
        json_t *out = json_pack("{s:O, s:s, s:s, s:s, s:O, s:O, s:{s:o, s:o}}", "tenant", json_object_get(answers[0], "tenant"), "account", account, "region",
                                c->region, "api", c->api, "access_key_id", json_object_get(answers[2], "access_key_id"), "secret_access_key",
                                json_object_get(answers[2], "secret_access_key"), "logs", "control", reader(c, answers[3]), "access", reader(c, answers[4]));
        char *text = json_dumps(out, JSON_INDENT(2));
        if (as_json) printf("%s\n", text);
        else
            printf("tenant %s\n\n  access key   %s\n  secret key   %s\n\nThe secret is shown this once.\n", name,
                   json_string_value(json_object_get(out, "access_key_id")), json_string_value(json_object_get(out, "secret_access_key")));
        wipe(text, strlen(text));
        free(text);
        json_decref(out);
    }
    for (size_t i = 0; i < ARRAY_LEN(all); i++) json_decref(answers[i]);
    return code;
}

int cmd_tenant(int argc, char **argv)
{
    const char *p[2] = {NULL, NULL}, *name = NULL, *officer_path = NULL, *owner_path = NULL, *endpoint = NULL;
    char demo[TOOLS_PATH_MAX];
    bool as_json = false;
    const struct option o[] = {{"--tenant", &name, NULL}, {"--officer-key", &officer_path, NULL}, {"--owner-key", &owner_path, NULL},
                               {"--endpoint", &endpoint, NULL}, {"--json", NULL, &as_json}};
    int n = options_read(argc, argv, o, ARRAY_LEN(o), p, 2, usage);
    if (n == -2) return EXIT_DONE;
    if (n == 2 && strcmp(p[0], "list") == 0 && !name && !officer_path && !owner_path && !endpoint) return tenant_list(p[1], as_json);
    if (n != 2 || strcmp(p[0], "create") != 0 || !name || s3_bucket_name_check(slice_str(name)) != S3E_NONE) {
        if (n >= 0) fputs(usage, stderr);
        return EXIT_USAGE;
    }
    struct store_client c;
    struct record_ssh_private officer = {0}, owner = {0};
    int code = client_open(&c, p[1], endpoint, NULL, false);
    if (code != EXIT_DONE) return code;
    snprintf(demo, sizeof demo, "%s/demo/officer", p[1]);
    if (ssh_key_read(officer_path ? officer_path : demo, &officer) != ERR_OK) {
        fprintf(stderr, "tillit tenant: %s: no officer's key there; give --officer-key FILE\n", officer_path ? officer_path : demo);
        return EXIT_USAGE;
    }
    snprintf(demo, sizeof demo, "%s/demo/owner-%s", p[1], name);
    enum err e = owner_path ? ssh_key_read(owner_path, &owner) : access(demo, F_OK) == 0 ? ERR_EXISTS : ssh_key_make(demo, name, &owner);
    if (e != ERR_OK) {
        fprintf(stderr, "tillit tenant: %s: %s; give --owner-key FILE\n", owner_path ? owner_path : demo, err_text(e));
        return EXIT_USAGE;
    }
    code = create(&c, name, &officer, &owner, as_json);
    record_ssh_private_done(&officer), record_ssh_private_done(&owner);
    return code;
}
