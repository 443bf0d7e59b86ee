/* SPDX-License-Identifier: Apache-2.0
 * `tillit who-can`: who could read an object now, and why, by the gate's own decision.
 * Role: a signed GET /v1/who-can of the tenant's root user. Trusts: the gate's answer; `tillit-verify` decides it again from the log.
 * Law: 4. Spec: docs/spec/access.md, docs/spec/export.md
 */
#include <stdio.h>
#include <stdlib.h>

#include "s3/s3.h"
#include "tools/say.h"

static const char usage[] =
    "usage: tillit who-can --bucket B --key K (--dir DIR | --endpoint URL) [--credentials FILE] [--json]\n"
    "\n"
    "Everybody known to the tenant and what the gate would answer each now, were they to read that object: root and users of each account,\n"
    "unsigned callers, and every grant that is not over, with the reason. Signed with the root user's access key of the tenant's first account;\n"
    "the question stands on the record. Without --dir and --endpoint: TILLIT_ENDPOINT.\n";

static void print_row(const json_t *row)
{
    const char *name;
    json_t *v;
    printf("%-5s", json_is_true(json_object_get(row, "allow")) ? "yes" : "no");
    json_object_foreach((json_t *)row, name, v) {
        if (strcmp(name, "allow") == 0 || json_is_null(v)) continue;
        if (json_is_string(v)) printf("  %s=%s", shown(name), shown(json_string_value(v)));
        else if (json_is_integer(v)) printf("  %s=%lld", shown(name), (long long)json_integer_value(v));
    }
    putchar('\n');
}

int cmd_who_can(int argc, char **argv)
{
    const char *none[1], *dir = NULL, *endpoint = NULL, *credentials = NULL, *bucket = NULL, *key = NULL;
    bool as_json = false;
    const struct option o[] = {{"--dir", &dir, NULL}, {"--endpoint", &endpoint, NULL}, {"--credentials", &credentials, NULL}, {"--bucket", &bucket, NULL},
                               {"--key", &key, NULL}, {"--json", NULL, &as_json}};
    int n = options_read(argc, argv, o, ARRAY_LEN(o), none, 0, usage);
    if (n == -2) return EXIT_DONE;
    if (!dir && !endpoint) endpoint = getenv("TILLIT_ENDPOINT");
    if (n != 0 || !bucket || !key || (!dir && !endpoint)) {
        if (n >= 0) fputs(usage, stderr);
        return EXIT_USAGE;
    }
    struct store_client c;
    int code = client_open(&c, dir, endpoint, credentials, true);
    if (code != EXIT_DONE) return code;
    AUTO(buf) struct buf target = BUF_INIT(8192), answer = BUF_INIT(TOOLS_ANSWER_BYTES_MAX);
    long status = 0;
    buf_put_str(&target, "/v1/who-can?bucket=");
    s3_put_uri(&target, slice_str(bucket), false);
    buf_put_str(&target, "&key=");
    s3_put_uri(&target, slice_str(key), false);
    buf_put_u8(&target, 0);
    if (!buf_ok(&target)) {
        fprintf(stderr, "tillit who-can: --bucket or --key is too long\n");
        return EXIT_USAGE;
    }
    code = client_request(&c, (const char *)target.p, (struct slice){0}, true, &status, &answer);
    wipe(&c, sizeof c);
    if (code != EXIT_DONE) return code;
    if (status != 200) return client_refused("who-can", status, buf_slice(&answer));
    json_t *j = json_loadb((const char *)answer.p, answer.n, 0, NULL), *row, *rows = json_is_array(j) ? j : json_object_get(j, "can");
    size_t i;
    if (as_json) fwrite(answer.p, 1, answer.n, stdout), putchar('\n');
    else
        json_array_foreach(rows, i, row) print_row(row);
    code = json_is_array(rows) ? EXIT_DONE : EXIT_INTERNAL;
    json_decref(j);
    return code;
}
