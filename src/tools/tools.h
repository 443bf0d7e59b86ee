/* SPDX-License-Identifier: Apache-2.0
 * tillit: the command line. Files: tillit.c (commands), client.c (requests to a store), init.c, tls_make.c, log.c, log_line.c, tenant.c, account.c,
 * undelete.c, doctor.c; people, approvers and access: say.h. Exit codes: 0 done, 1 refused or not verified, 2 usage, 3 cannot reach, 4 internal.
 */
#ifndef TILLIT_TOOLS_H
#define TILLIT_TOOLS_H

#include <jansson.h>

#include "base/base.h"
#include "base/limits.h"
#include "record/record.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_REACH = 3, EXIT_INTERNAL = 4 };

#define TOOLS_PATH_MAX 1024
#define TOOLS_FILE_BYTES_MAX (256 * 1024)
#define TOOLS_ANSWER_BYTES_MAX (64 * 1024 * 1024)

/* tls_make.c: dir gets cert.pem (with the authority's behind it) and key.pem, ca_file the authority's alone. names: subjectAltName, "DNS:localhost,IP:127.0.0.1". */
MUST_USE enum err tls_make(const char *dir, const char *ca_file, const char *names);

/* Options of a command: `--name value` in any order, flags without value; everything else is positional. */
struct option {
    const char *name;                  /* "--json" */
    const char **value;                /* NULL: a flag */
    bool *flag;
};
/* Gives the positional arguments' count; on a mistake prints the usage text and returns -1. */
int options_read(int argc, char **argv, const struct option *o, size_t n, const char **positional, int positional_max, const char *usage);

/* client.c: words that somebody else chose (a store, who wrote an object, a person's name) go to a terminal: what could move its cursor, turn its text round or
 * hide is not printed. shown(): one of a few lines' length, a loan until SHOWN_AT_ONCE_MAX more were asked for. */
#define SHOWN_CHARS_MAX 4096
#define SHOWN_AT_ONCE_MAX 16
void shown_put(struct slice text, struct buf *out);
const char *shown(const char *text);

/* client.c: a store to speak to. */
struct store_client {
    char api[256], s3[256];            /* http://host:port */
    char tenant[64];                   /* the store's first one: its id */
    char region[64];
    char access_key[64];
    char secret[128];
    char ca[TOOLS_PATH_MAX];
    bool (*interrupted)(void *ctx);    /* asked about once a second while an answer is waited for; true breaks off. NULL: never */
    void *interrupted_ctx;
};
/* `dir` may be NULL when --endpoint is given. Credentials: --credentials FILE, else AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, else
 * DIR/demo/credentials. Prints what is missing and the remedy; gives an exit code. */
int client_open(struct store_client *c, const char *dir, const char *endpoint, const char *credentials, bool need_credentials);
/* One request to the API. `target` is path and query. Body p NULL: GET. sign: SigV4 with service `tillit`. Gives an exit code;
 * *status is HTTP's; out is the body. Prints one line when the store cannot be reached. */
int client_request(const struct store_client *c, const char *target, struct slice body, bool sign, long *status, struct buf *out);
/* One IAM call: `body` in its form, posted to the S3 endpoint. As above. */
int client_iam(const struct store_client *c, struct slice body, long *status, struct buf *out);
/* Prints a problem+json body's detail; gives EXIT_REFUSED. */
int client_refused(const char *command, long status, struct slice body);

/* Files. */
MUST_USE enum err file_read(const char *path, struct buf *out);
/* Written whole under another name, synced, renamed. */
MUST_USE enum err file_write(const char *path, struct slice text, unsigned mode);

/* Statements: init.c. JSON text {"statement":..., "signature":...} appended to out. */
struct statement_parts {
    enum record_statement_kind kind;
    const uint8_t *tenant;             /* NULL: none */
    const char *subject;               /* NULL: none */
    const char *scope[8];
    size_t scope_count;
};
MUST_USE enum err statement_make(const struct statement_parts *p, const struct record_ssh_private *key, struct buf *out);
/* Makes or reads an OpenSSH ed25519 private key file (with FILE.pub beside it). */
MUST_USE enum err ssh_key_make(const char *path, const char *comment, struct record_ssh_private *out);
MUST_USE enum err ssh_key_read(const char *path, struct record_ssh_private *out);
void random_bytes(void *out, size_t n);

/* log_line.c: one line of /v1/openings or of an export, {"index":N,"leaf":<leaf>,"opening":"<base64url>"}. leaf is a loan; opening is appended to. */
MUST_USE enum err log_line_parse(struct slice line, uint64_t *index, struct slice *leaf, struct buf *opening);

/* tenant_list.c: what run/gate/status.json says; NULL: it is not there. */
json_t *gate_status_read(const char *dir);
void tenant_usage_text(const json_t *tenant, struct buf *out);
int tenant_list(const char *dir, bool as_json);

int cmd_init(int argc, char **argv);
int cmd_tenant(int argc, char **argv);
int cmd_account(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_undelete(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_say(int argc, char **argv);
int cmd_say_short(int argc, char **argv);          /* argv[0] is the first word, for which say_begins() said yes */
bool say_begins(const char *word);
int cmd_person_list(int argc, char **argv);
int cmd_who_can(int argc, char **argv);

#endif
