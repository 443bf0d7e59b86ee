/* SPDX-License-Identifier: Apache-2.0
 * `tillit tenant list`: what each tenant of a served store keeps, and may keep.
 * Role: prints what the gate says once a second in run/gate/status.json. Trusts: that file. Law: 2 (nobody asks the gate beside its door).
 * Spec: docs/ops/limits.md
 */
#include "tools/tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct { const char *key, *used; } counts[] = {
    {"objects", "objects"}, {"bytes", "bytes"}, {"records_per_day", "records_today"}, {"requests_per_second", NULL},
};

static uint64_t number(const json_t *j, const char *key) { return (uint64_t)json_integer_value(json_object_get(j, key)); }

void tenant_usage_text(const json_t *tenant, struct buf *out)
{
    const json_t *quota = json_object_get(tenant, "quota");
    buf_printf(out, "keeps %" PRIu64 " objects in %" PRIu64 " bytes", number(tenant, "objects"), number(tenant, "bytes"));
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        uint64_t limit = number(quota, counts[i].key);
        if (limit == 0) continue;
        buf_printf(out, "; quota of %s %" PRIu64, counts[i].key, limit);
        if (counts[i].used && number(tenant, counts[i].used) >= limit) buf_put_str(out, ", USED UP");
        else if (counts[i].used) buf_printf(out, ", used %" PRIu64, number(tenant, counts[i].used));
    }
}

json_t *gate_status_read(const char *dir)
{
    char path[TOOLS_PATH_MAX];
    AUTO(buf) struct buf b = BUF_INIT(GATE_STATUS_BYTES_MAX);
    snprintf(path, sizeof path, "%s/run/gate/status.json", dir);
    return file_read(path, &b) == ERR_OK ? json_loadb((const char *)b.p, b.n, 0, NULL) : NULL;
}

int tenant_list(const char *dir, bool as_json)
{
    json_t *j = gate_status_read(dir), *tenants = json_object_get(j, "tenants"), *t;
    size_t i;
    if (!json_is_array(tenants)) {
        fprintf(stderr, "tillit tenant: %s/run/gate/status.json is not there; is the store served?\n", dir);
        json_decref(j);
        return EXIT_REACH;
    }
    if (as_json) json_dumpf(tenants, stdout, JSON_INDENT(1)), putchar('\n');
    else
        json_array_foreach(tenants, i, t) {
            AUTO(buf) struct buf text = BUF_INIT(1024);
            tenant_usage_text(t, &text);
            printf("%s %s; %.*s\n", json_string_value(json_object_get(t, "id")), json_is_true(json_object_get(t, "served")) ? "is served" : "is NOT served",
                   (int)text.n, (const char *)text.p);
        }
    json_decref(j);
    return EXIT_DONE;
}
