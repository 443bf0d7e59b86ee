/* SPDX-License-Identifier: Apache-2.0
 * `tillit undelete`: brings back the newest buried version of a key.
 * Role: a signed POST /v1/undelete; the gate decides, records (one leaf) and commands.
 * Trusts: nothing here. Law: 1, 2 (through the same door as every other change).
 * Spec: docs/spec/export.md
 */
#include "tools/tools.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: tillit undelete DIR BUCKET KEY [--endpoint URL] [--credentials FILE] [--json]\n"
    "\n"
    "What was deleted or overwritten stays restorable for 24 hours (unless the tenant set another time).\n"
    "What is current now, if anything, is buried in its place.\n";

int cmd_undelete(int argc, char **argv)
{
    const char *p[3] = {NULL}, *endpoint = NULL, *credentials = NULL;
    bool as_json = false;
    const struct option o[] = {{"--endpoint", &endpoint, NULL}, {"--credentials", &credentials, NULL}, {"--json", NULL, &as_json}};
    int n = options_read(argc, argv, o, ARRAY_LEN(o), p, 3, usage);
    if (n == -2) return EXIT_DONE;
    if (n != 3) {
        if (n >= 0) fputs(usage, stderr);
        return EXIT_USAGE;
    }
    struct store_client c;
    int code = client_open(&c, p[0], endpoint, credentials, true);
    if (code != EXIT_DONE) return code;
    AUTO(buf) struct buf answer = BUF_INIT(65536);
    long status = 0;
    json_t *j = json_pack("{s:s, s:s}", "bucket", p[1], "key", p[2]);
    char *body = j ? json_dumps(j, JSON_COMPACT) : NULL;
    if (!body) {
        fprintf(stderr, "tillit undelete: bucket and key must be UTF-8\n");
        return EXIT_USAGE;
    }
    code = client_request(&c, "/v1/undelete", slice_str(body), true, &status, &answer);
    free(body);
    json_decref(j);
    if (code == EXIT_DONE && status != 200) return client_refused("undelete", status, buf_slice(&answer));
    if (code == EXIT_DONE && as_json) printf("%.*s\n", (int)answer.n, answer.n > 0 ? (const char *)answer.p : "{}");
    else if (code == EXIT_DONE) printf("restored %s/%s\n", p[1], p[2]);
    return code;
}
