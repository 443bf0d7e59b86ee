/* SPDX-License-Identifier: Apache-2.0
 * `tillit account create` and `tillit user create|list|delete`: accounts of a tenant by its owner's statement, users by IAM's calls.
 * Role: makes the same calls as `curl` with `ssh-keygen -Y sign`, and as any IAM client, would.
 * Trusts: the keys it is given. Law: 6 (an account's first key is an owner's signature), 2 (no door of its own).
 * Spec: docs/spec/statement.md, docs/ops/accounts.md; the IAM Query API
 */
#include "tools/tools.h"

#include <stdio.h>
#include <stdlib.h>

#include "s3/s3.h"

#define IAM_ANSWER_BYTES_MAX (4 * 1024 * 1024)
#define IAM_FIELD_CHARS_MAX 256

/* accounts -------------------------------------------------------------------------------------------------------------------------- */

static const char account_usage[] =
    "usage: tillit account create DIR [--account DIGITS] [--tenant ID] [--owner-key FILE] [--endpoint URL] [--json]\n"
    "\n"
    "Gives the root user of an account of the tenant an access key. Without --account it is a fresh account; one that has keys gets\n"
    "another. The tenant is the store's first one (--tenant: another one's id), the owner's key DIR/demo/owner unless given.\n"
    "Prints account, canonical id, access key and secret: the secret is shown this once.\n";

static bool digits(const char *s, size_t n)
{
    if (strlen(s) != n) return false;
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9') return false;
    return true;
}

static int account_print(struct slice answer, bool as_json)
{
    json_t *j = json_loadb((const char *)answer.p, answer.n, 0, NULL);
    json_t *out = json_pack("{s:O, s:O, s:O, s:O}", "account", json_object_get(j, "account"), "canonical_id", json_object_get(j, "canonical_id"),
                            "access_key_id", json_object_get(j, "access_key_id"), "secret_access_key", json_object_get(j, "secret_access_key"));
    char *text = out ? json_dumps(out, JSON_INDENT(2)) : NULL;
    if (text && as_json) printf("%s\n", text);
    else if (text)
        printf("account %s\n\n  canonical id %s\n  access key   %s\n  secret key   %s\n\nThe secret is shown this once.\n",
               json_string_value(json_object_get(out, "account")), json_string_value(json_object_get(out, "canonical_id")),
               json_string_value(json_object_get(out, "access_key_id")), json_string_value(json_object_get(out, "secret_access_key")));
    if (text) wipe(text, strlen(text));
    int code = text ? EXIT_DONE : EXIT_INTERNAL;
    free(text);
    json_decref(out), json_decref(j);
    return code;
}

static int account_create(const struct store_client *c, const char *tenant_text, const char *account, const struct record_ssh_private *owner, bool as_json)
{
    AUTO(buf) struct buf body = BUF_INIT(65536);
    struct buf answer = BUF_INIT(65536);
    uint8_t tenant[ID_BYTES];
    long status = 0;
    if (base32_fixed(slice_str(tenant_text), tenant, sizeof tenant) != ERR_OK) {
        fprintf(stderr, "tillit account: %s is not a tenant's id (26 characters, as `tillit init` and `tillit tenant create` print it)\n", tenant_text);
        return EXIT_USAGE;
    }
    const struct statement_parts p = {.kind = RECORD_STATEMENT_KEY_ADD, .tenant = tenant, .subject = account};
    if (statement_make(&p, owner, &body) != ERR_OK) return EXIT_INTERNAL;
    int code = client_request(c, "/v1/statements", buf_slice(&body), false, &status, &answer);
    if (code == EXIT_DONE && status != 200) code = client_refused("account", status, buf_slice(&answer));
    if (code == EXIT_DONE) code = account_print(buf_slice(&answer), as_json);
    buf_wipe_done(&answer);
    return code;
}

int cmd_account(int argc, char **argv)
{
    const char *p[2] = {NULL, NULL}, *account = NULL, *tenant = NULL, *owner_path = NULL, *endpoint = NULL;
    char demo[TOOLS_PATH_MAX], fresh[ACCOUNT_CHARS + 8];
    bool as_json = false;
    const struct option o[] = {{"--account", &account, NULL}, {"--tenant", &tenant, NULL}, {"--owner-key", &owner_path, NULL}, {"--endpoint", &endpoint, NULL},
                               {"--json", NULL, &as_json}};
    int n = options_read(argc, argv, o, ARRAY_LEN(o), p, 2, account_usage);
    if (n == -2) return EXIT_DONE;
    if (n != 2 || strcmp(p[0], "create") != 0 || (account && !digits(account, ACCOUNT_CHARS))) {
        if (n >= 0) fputs(account_usage, stderr);
        return EXIT_USAGE;
    }
    struct store_client c;
    struct record_ssh_private owner = {0};
    int code = client_open(&c, p[1], endpoint, NULL, false);
    if (code != EXIT_DONE) return code;
    if (!tenant && !c.tenant[0]) {
        fprintf(stderr, "tillit account: which tenant? give --tenant ID\n");
        return EXIT_USAGE;
    }
    uint64_t number;
    random_bytes(&number, sizeof number);
    snprintf(fresh, sizeof fresh, "%012llu", (unsigned long long)(number % 1000000000000ull));
    snprintf(demo, sizeof demo, "%s/demo/owner", p[1]);
    if (ssh_key_read(owner_path ? owner_path : demo, &owner) != ERR_OK) {
        fprintf(stderr, "tillit account: %s: no owner's key there; give --owner-key FILE\n", owner_path ? owner_path : demo);
        return EXIT_USAGE;
    }
    code = account_create(&c, tenant ? tenant : c.tenant, account ? account : fresh, &owner, as_json);
    record_ssh_private_done(&owner);
    return code;
}

/* users: IAM's calls ------------------------------------------------------------------------------------------------------------------- */

static const char user_usage[] =
    "usage: tillit user create DIR NAME [--path /P/] [--policy FILE] [--credentials FILE] [--json]\n"
    "       tillit user list   DIR [--credentials FILE] [--json]\n"
    "       tillit user delete DIR NAME [--credentials FILE] [--json]\n"
    "\n"
    "Users of the account whose access key is given (--credentials, else the environment, else DIR/demo/credentials). create makes an\n"
    "access key, too, whose secret is shown this once; --policy: a file with the user's inline policy. delete ends keys and policies first.\n";

/* The text of the first <name> behind *at, which moves behind it. The XML is the store's own and without surprises; entities are undone
 * where names can hold them: nowhere. */
static bool element(const char **at, const char *name, char out[IAM_FIELD_CHARS_MAX])
{
    char tag[64];
    int n = snprintf(tag, sizeof tag, "<%s>", name);
    const char *begin = *at ? strstr(*at, tag) : NULL;
    const char *end = begin ? strchr(begin + n, '<') : NULL;
    if (!end || end - begin - n >= IAM_FIELD_CHARS_MAX) return false;
    memcpy(out, begin + n, (size_t)(end - begin - n));
    out[end - begin - n] = 0;
    *at = end;
    return true;
}

struct iam_field {
    const char *name, *value;
};
/* One call; its answer with a NUL behind it. Prints what was refused. */
static int iam_call(const struct store_client *c, const char *action, const struct iam_field *f, size_t n, struct buf *out)
{
    AUTO(buf) struct buf body = BUF_INIT(FORM_BYTES_MAX);
    char code_text[IAM_FIELD_CHARS_MAX] = "", message[IAM_FIELD_CHARS_MAX] = "";
    long status = 0;
    buf_put_str(&body, "Action=");
    buf_put_str(&body, action);
    buf_put_str(&body, "&Version=2010-05-08");
    for (size_t i = 0; i < n; i++) {
        if (!f[i].value) continue;
        buf_put_u8(&body, '&');
        buf_put_str(&body, f[i].name);
        buf_put_u8(&body, '=');
        s3_put_uri(&body, slice_str(f[i].value), false);
    }
    if (!buf_ok(&body)) {
        fprintf(stderr, "tillit user: the call would be longer than %d bytes\n", FORM_BYTES_MAX);
        return EXIT_USAGE;
    }
    buf_reset(out);
    int code = client_iam(c, buf_slice(&body), &status, out);
    buf_put_u8(out, 0);
    if (code != EXIT_DONE) return code;
    if (!buf_ok(out)) return EXIT_INTERNAL;
    if (status == 200) return EXIT_DONE;
    const char *at = (const char *)out->p;
    if (element(&at, "Code", code_text)) (void)element(&at, "Message", message);
    fprintf(stderr, "tillit user: %s refused (%ld %s): %s\n", action, status, code_text, message[0] ? message : "no reason given");
    return EXIT_REFUSED;
}

static void json_field(json_t *to, const char *as, const char **at, const char *name)
{
    char text[IAM_FIELD_CHARS_MAX];
    if (element(at, name, text)) json_object_set_new(to, as, json_string(text));
}

static int json_out(json_t *j)
{
    char *text = json_dumps(j, JSON_INDENT(2));
    if (text) printf("%s\n", text), wipe(text, strlen(text));
    free(text);
    return text ? EXIT_DONE : EXIT_INTERNAL;
}

static int user_create(const struct store_client *c, const char *name, const char *path, const char *policy, bool as_json)
{
    struct buf out = BUF_INIT(IAM_ANSWER_BYTES_MAX);
    const struct iam_field who = {"UserName", name};
    json_t *j = json_object();
    int code = iam_call(c, "CreateUser", (const struct iam_field[]){who, {"Path", path}}, 2, &out);
    const char *at = (const char *)out.p;
    if (code == EXIT_DONE) {
        json_field(j, "user", &at, "UserName");
        json_field(j, "user_id", &at, "UserId");
        json_field(j, "arn", &at, "Arn");
    }
    if (code == EXIT_DONE && policy)
        code = iam_call(c, "PutUserPolicy", (const struct iam_field[]){who, {"PolicyName", "inline"}, {"PolicyDocument", policy}}, 3, &out);
    if (code == EXIT_DONE) code = iam_call(c, "CreateAccessKey", &who, 1, &out);
    at = (const char *)out.p;
    if (code == EXIT_DONE) {
        json_field(j, "access_key_id", &at, "AccessKeyId");
        json_field(j, "secret_access_key", &at, "SecretAccessKey");
        if (as_json) code = json_out(j);
        else
            printf("user %s\n\n  access key   %s\n  secret key   %s\n\nThe secret is shown this once.\n", name,
                   json_string_value(json_object_get(j, "access_key_id")), json_string_value(json_object_get(j, "secret_access_key")));
    }
    json_decref(j);
    buf_wipe_done(&out);
    return code;
}

static int user_list(const struct store_client *c, bool as_json)
{
    AUTO(buf) struct buf out = BUF_INIT(IAM_ANSWER_BYTES_MAX);
    char marker[IAM_FIELD_CHARS_MAX] = "", text[IAM_FIELD_CHARS_MAX];
    json_t *all = json_array(), *x;
    size_t i;
    int code;
    do {
        const struct iam_field page[] = {{"MaxItems", "1000"}, {"Marker", marker[0] ? marker : NULL}};
        code = iam_call(c, "ListUsers", page, ARRAY_LEN(page), &out);
        const char *at = (const char *)out.p;
        marker[0] = 0;
        if (code != EXIT_DONE) break;
        while (element(&at, "Path", text)) {
            json_t *u = json_pack("{s:s}", "path", text);
            json_field(u, "user", &at, "UserName");
            json_field(u, "user_id", &at, "UserId");
            json_field(u, "arn", &at, "Arn");
            json_field(u, "created", &at, "CreateDate");
            json_array_append_new(all, u);
        }
        (void)element(&at, "Marker", marker);
    } while (marker[0]);
    if (code == EXIT_DONE && as_json) code = json_out(all);
    else if (code == EXIT_DONE)
        json_array_foreach(all, i, x) printf("%-32s %s\n", json_string_value(json_object_get(x, "user")), json_string_value(json_object_get(x, "arn")));
    json_decref(all);
    return code;
}

/* Each of what a listing names is ended by a call of its own. */
static int end_each(const struct store_client *c, const char *name, const char *list, const char *tag, const char *action, const char *field)
{
    AUTO(buf) struct buf out = BUF_INIT(IAM_ANSWER_BYTES_MAX), answer = BUF_INIT(IAM_ANSWER_BYTES_MAX);
    char text[IAM_FIELD_CHARS_MAX];
    const struct iam_field who = {"UserName", name};
    int code = iam_call(c, list, &who, 1, &out);
    const char *at = (const char *)out.p;
    while (code == EXIT_DONE && element(&at, tag, text)) code = iam_call(c, action, (const struct iam_field[]){who, {field, text}}, 2, &answer);
    return code;
}

static int user_delete(const struct store_client *c, const char *name, bool as_json)
{
    AUTO(buf) struct buf out = BUF_INIT(IAM_ANSWER_BYTES_MAX);
    int code = end_each(c, name, "ListAccessKeys", "AccessKeyId", "DeleteAccessKey", "AccessKeyId");
    if (code == EXIT_DONE) code = end_each(c, name, "ListUserPolicies", "member", "DeleteUserPolicy", "PolicyName");
    if (code == EXIT_DONE) code = iam_call(c, "DeleteUser", &(const struct iam_field){"UserName", name}, 1, &out);
    if (code == EXIT_DONE && as_json) {
        json_t *j = json_pack("{s:s}", "deleted", name);
        code = json_out(j);
        json_decref(j);
    } else if (code == EXIT_DONE) {
        printf("deleted %s\n", name);
    }
    return code;
}

int cmd_user(int argc, char **argv)
{
    const char *p[3] = {NULL}, *path = NULL, *policy_path = NULL, *credentials = NULL, *endpoint = NULL;
    AUTO(buf) struct buf policy = BUF_INIT(TOOLS_FILE_BYTES_MAX);
    bool as_json = false;
    const struct option o[] = {{"--path", &path, NULL}, {"--policy", &policy_path, NULL}, {"--credentials", &credentials, NULL}, {"--endpoint", &endpoint, NULL},
                               {"--json", NULL, &as_json}};
    int n = options_read(argc, argv, o, ARRAY_LEN(o), p, 3, user_usage);
    if (n == -2) return EXIT_DONE;
    bool list = n == 2 && strcmp(p[0], "list") == 0, create = n == 3 && strcmp(p[0], "create") == 0, delete = n == 3 && strcmp(p[0], "delete") == 0;
    if (!list && !create && !delete) {
        if (n >= 0) fputs(user_usage, stderr);
        return EXIT_USAGE;
    }
    if (policy_path && file_read(policy_path, &policy) != ERR_OK) {
        fprintf(stderr, "tillit user: %s: cannot be read\n", policy_path);
        return EXIT_USAGE;
    }
    buf_put_u8(&policy, 0);
    struct store_client c;
    int code = client_open(&c, p[1], NULL, credentials, true);
    if (code != EXIT_DONE) return code;
    if (endpoint) snprintf(c.s3, sizeof c.s3, "%s", endpoint);
    if (list) code = user_list(&c, as_json);
    else if (create) code = user_create(&c, p[2], path, policy_path ? (const char *)policy.p : NULL, as_json);
    else code = user_delete(&c, p[2], as_json);
    wipe(&c, sizeof c);
    return code;
}
