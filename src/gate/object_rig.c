/* SPDX-License-Identifier: Apache-2.0
 * object_rig: requests about objects, and what the gate answered, in plain strings.
 * Role: tests only. Trusts: gate_rig.c. Law: none. Spec: docs/spec/order.md
 */
#include "gate/object_rig.h"

#include <stdio.h>
#include <stdlib.h>

/* src/keeper/command.c, compiled under another name: the reader of what this room writes. */
enum err keeper_command_check(struct slice raw, uint64_t index, size_t *claims);

static uint64_t next_id;

static bool keeper_also(struct rig *r, uint8_t type, uint64_t id, struct slice payload)
{
    struct wire_apply m;
    size_t claims;
    (void)id;
    if (r->event_count > RIG_EVENTS_MAX - 16) r->event_count = 0;  /* batches ask for much */
    if (type != WIRE_APPLY) return false;
    assert_int_equal(wire_get_apply(payload, &m), ERR_OK);
    if (m.last) assert_int_equal(keeper_command_check(m.command, m.index, &claims), ERR_OK);
    return false;
}

struct rig *object_begin(void)
{
    struct rig *r = rig_new();
    r->keeper_also = keeper_also;
    next_id = 1;
    return r;
}

void object_end(struct rig *r) { rig_free(r); }
uint64_t object_id(void) { return next_id++; }

static void text(char *out, size_t out_n, struct slice s)
{
    size_t n = MIN(s.n, out_n - 1);
    if (n) memcpy(out, s.p, n);
    out[n] = 0;
}

struct answer object_answer(struct rig *r, uint64_t id)
{
    struct answer a = {0};
    struct slice headers, receipt;
    if (rig_wait(r, id)->type == WIRE_RELEASE) {
        struct wire_release m = rig_release(r, id);
        a.status = m.status;
        headers = m.headers;
        receipt = m.receipt;
    } else {
        struct wire_answer m = rig_answer(r, id);
        a.status = m.status;
        headers = m.headers;
        receipt = m.receipt;
        text(a.code, sizeof a.code, m.code);
        text(a.body, sizeof a.body, m.body.n ? m.body : m.message);
    }
    text(a.version, sizeof a.version, rig_header(headers, "x-amz-version-id"));
    text(a.marker, sizeof a.marker, rig_header(headers, "x-amz-delete-marker"));
    text(a.etag, sizeof a.etag, rig_header(headers, "etag"));
    text(a.tags, sizeof a.tags, rig_header(headers, "x-amz-tagging-count"));
    text(a.source_version, sizeof a.source_version, rig_header(headers, "x-amz-copy-source-version-id"));
    a.index = receipt.n ? rig_receipt(receipt) : UINT64_MAX;
    rig_forget(r, id);
    return a;
}

struct answer object_ask(struct rig *r, struct rig_ask a)
{
    uint64_t id = object_id();
    rig_ask(r, id, a);
    return object_answer(r, id);
}

struct answer object_control(struct rig *r, struct rig_ask a, unsigned status)
{
    uint64_t id = object_id();
    rig_control(r, id, a);
    struct answer got = object_answer(r, id);
    if (got.status != status) fail_msg("%u %s, not %u", got.status, got.code, status);
    return got;
}

struct answer object_put_as(struct rig *r, struct rig_ask a)
{
    uint64_t id = object_id();
    rig_ask(r, id, a);
    if (rig_wait(r, id)->type == WIRE_TICKET) {
        rig_forget(r, id);
        rig_commit(r, id, a.body);
    }
    return object_answer(r, id);
}

struct answer object_put(struct rig *r, const char *path, const char *body)
{
    struct answer a = object_put_as(r, (struct rig_ask){.method = "PUT", .path = path, .body = body});
    object_is(a, 200, "");
    return a;
}

static const char *of_version(const char *sub, const char *version)
{
    static char query[128];
    if (version) snprintf(query, sizeof query, "%s%sversionId=%s", sub ? sub : "", sub ? "&" : "", version);
    return version ? query : sub;
}

struct answer object_get(struct rig *r, const char *path, const char *version)
{
    return object_ask(r, (struct rig_ask){.method = "GET", .path = path, .query = of_version(NULL, version)});
}

struct answer object_delete(struct rig *r, const char *path, const char *version)
{
    char query[128] = "";
    for (const char *p = version; p && *p; p++) {  /* blanks are escaped */
        size_t n = strlen(query);
        snprintf(query + n, sizeof query - n, *p == ' ' ? "%%20" : "%c", *p);
    }
    return object_ask(r, (struct rig_ask){.method = "DELETE", .path = path, .query = version ? of_version(NULL, query) : NULL});
}

struct answer object_get_tags(struct rig *r, const char *path, const char *version)
{
    struct answer a = object_ask(r, (struct rig_ask){.method = "GET", .path = path, .query = of_version("tagging=", version)});
    object_is(a, 200, "");
    return a;
}

struct answer object_tag(struct rig *r, const char *path, const char *version, const char *xml)
{
    uint64_t id = object_id();
    rig_control(r, id, (struct rig_ask){.method = "PUT", .path = path, .query = of_version("tagging=", version), .body = xml});
    return object_answer(r, id);
}

struct answer object_copy(struct rig *r, const char *path, const char *source, const char *name, const char *value)
{
    struct rig_ask a = {.method = "PUT", .path = path, .header = "x-amz-copy-source", .value = source};
    if (name) a.headers[0] = (struct s3_header){slice_str(name), slice_str(value)};
    return object_ask(r, a);
}

void object_versioning(struct rig *r, const char *status)
{
    char xml[128];
    snprintf(xml, sizeof xml, "<VersioningConfiguration><Status>%s</Status></VersioningConfiguration>", status);
    object_control(r, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "versioning=", .body = xml}, 200);
}

void object_undelete(struct rig *r, const char *json, unsigned status)
{
    uint64_t id = object_id();
    rig_ask(r, id, (struct rig_ask){.method = "POST", .path = "/v1/undelete", .body = json, .api = true});
    assert_int_equal(rig_wait(r, id)->type, WIRE_WANTBODY);
    rig_forget(r, id);
    struct wire_body m = {.last = 1, .data = slice_str(json)};
    assert_int_equal(wire_put_body(wire_conn_out(r->front), id, &m), ERR_OK);
    wire_conn_kick(r->front);
    assert_int_equal(object_answer(r, id).status, status);
}

size_t object_count(const struct rig *r, const char *key, enum rig_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < r->object_count; i++) n += strcmp(r->objects[i].key, key) == 0 && r->objects[i].state == state;
    return n;
}

void object_is(struct answer a, unsigned status, const char *code)
{
    if (a.status != status || strcmp(a.code, code) != 0) fail_msg("%u %s, not %u %s: %s", a.status, a.code, status, code, a.body);
}

void object_has(struct answer a, const char *part)
{
    if (!strstr(a.body, part)) fail_msg("no %s in %s", part, a.body);
}

void object_lacks(struct answer a, const char *part)
{
    if (strstr(a.body, part)) fail_msg("%s in %s", part, a.body);
}

void object_element(struct answer a, const char *tag, size_t n, char *out, size_t out_n)
{
    char open[64];
    snprintf(open, sizeof open, "<%s>", tag);
    const char *at = a.body;
    for (size_t i = 0; at && i <= n; i++) {
        at = strstr(at, open);
        if (at) at += strlen(open);
    }
    if (!at) {
        fail_msg("no %s number %zu in %s", open, n, a.body);
        return;
    }
    const char *end = strchr(at, '<');
    assert_non_null(end);
    text(out, out_n, slice_of(at, (size_t)(end - at)));
}
