/* SPDX-License-Identifier: Apache-2.0
 * say_can: who could read an object now, as JSON of what decide() itself says.
 * Role: api.c, behind the durable leaf of the question. Trusts: policy. Law: 4 (the same decision as at a release), 5. Spec: docs/spec/access.md section 8.
 */
#include "gate/say_internal.h"

#include <stdlib.h>

struct can_list {
    struct gate_tenant *t;
    json_t *rows;
};

static const char *const can_as[POLICY_AUTH__COUNT] = {[POLICY_AUTH_HDR] = "user", [POLICY_AUTH_ANON] = "anonymous", [POLICY_AUTH_STS] = "grant"};

static void can_one(void *ctx, const struct policy_can *c)
{
    struct can_list *l = ctx;
    json_t *j = json_pack("{s:s, s:b, s:s}", "as", can_as[c->auth] ? can_as[c->auth] : "other", "allow", (int)c->allow, "reason", policy_reason_text(c->reason));
    if (c->account.n) json_object_set_new(j, "account", say_text(c->account));
    if (c->user.n && c->auth != POLICY_AUTH_STS) json_object_set_new(j, "user", say_text(c->user));
    if (c->auth == POLICY_AUTH_STS) {
        const struct policy_person *p = policy_person(policy_people(l->t->state), c->account);
        json_object_set_new(j, "grant", say_id_text(c->grant));
        if (p) json_object_set_new(j, "name", say_text(slice_str(p->name))), json_object_set_new(j, "employer", say_text(slice_str(p->employer)));
    }
    json_array_append_new(l->rows, j);
}

void say_who_can(struct gate *g, struct gate_tenant *t, struct slice bucket, struct slice key, uint64_t now_ms, struct buf *json)
{
    struct can_list l = {.t = t, .rows = json_array()};
    (void)g;
    policy_who_can(t->state, bucket, key, now_ms, can_one, &l);
    json_t *j = json_pack("{s:o, s:o, s:I, s:o}", "bucket", say_text(bucket), "key", say_text(key), "t", (json_int_t)now_ms, "can", l.rows);
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    if (text) buf_put_str(json, text);
    free(text);
    json_decref(j);
}
