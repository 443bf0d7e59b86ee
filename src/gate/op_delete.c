/* SPDX-License-Identifier: Apache-2.0
 * op_delete: DeleteObject, and undelete, which brings the newest buried version of a key back.
 * Role: hold, FIND, guards, leaf with its command, settlement. Trusts: flow.c to settle. Distrusts: what the keeper found.
 * Law: 1. Spec: docs/spec/order.md (DELETE, undelete), docs/spec/entry.md section 2.
 */
#include <jansson.h>

#include "gate/recent.h"
#include "gate/request.h"
#include "record/record.h"

#define UNDELETE_BODY_BYTES_MAX 8192

static void delete_found(struct keeper_ask *a, const struct wire_found *m);

static void find(struct gate_request *r, uint8_t grave, void (*found)(struct keeper_ask *a, const struct wire_found *m))
{
    r->find.found = found;
    r->find.sending = NULL;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.grave = grave, .key = r->name.key};
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

static void held(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    if (yes) find(r, 0, delete_found);
    else request_fail_code(r, S3E_SlowDown, NULL);
}

static void hold_and_find(struct gate_request *r)
{
    r->slot = recent_slot(r->gate->recent, r->bucket->id, r->name.key);
    switch (request_hold(r, held)) {
    case HOLD_TAKEN: find(r, 0, delete_found); break;
    case HOLD_WAITING: break;
    case HOLD_FULL: request_fail_code(r, S3E_SlowDown, NULL); break;
    }
}

static void read_refused(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }
static void read_absent(struct gate_request *r, const struct recorded *rec) { request_answer(r, rec, 204, slice_of(NULL, 0)); }

static void refuse(struct gate_request *r, enum s3_error code, uint64_t ver)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    struct leaf_says says = {.why = s3_error_code(code), .has_ver = true, .ver = ver};
    step_record_or_fail(r, &says, NULL, read_refused);
}

static void unhold(struct gate_write *w) { request_unhold(w->ctx); }

static void settled(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    r->write = NULL;
    if (applied && r->op == S3_OP_DeleteObject) {
        request_answer(r, request_recorded(r), 204, slice_of(NULL, 0));
        return;
    }
    if (applied) {
        request_put_header(r, "Content-Type", SLICE_LIT("application/json"));
        request_answer(r, request_recorded(r), 200, SLICE_LIT("{\"restored\":true}\n"));
        return;
    }
    s3_fault_set(&r->fault, r->op == S3_OP_DeleteObject ? S3E_ServiceUnavailable : S3E_NoSuchKey,
                 r->op == S3_OP_DeleteObject ? NULL : "The deleted version has been purged");
    request_fail(r, request_recorded(r));
}

static void append(struct gate_request *r, struct gate_write *w, const struct leaf_says *says)
{
    w->slot = r->slot;
    w->slot_count = 1;
    w->unhold = unhold;
    w->done = settled;
    w->ctx = r;
    r->write = w;
    if (buf_ok(&w->command) && step_record(r, r->decided, says, w, NULL) == ERR_OK) return;
    r->write = NULL;
    flow_write_free(w);
    request_fail_code(r, S3E_ServiceUnavailable, NULL);
}

/* The current version: its leaf's index, or UINT64_MAX; *e is what is known of it. */
static enum s3_error current(struct gate_request *r, const struct wire_found *m, struct entry *e, uint64_t *ver)
{
    *ver = UINT64_MAX;
    if (m->present != WIRE_FOUND_PRESENT) return S3E_NONE;
    if (entry_parse(m->entry, e) != ERR_OK) return S3E_InternalError;
    *ver = e->index;
    (void)r;
    return S3E_NONE;
}

static enum s3_error delete_guards(struct gate_request *r, struct entry *e, uint64_t ver)
{
    struct s3_conditions c;
    const char *condition = NULL;
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = r->name.key};
    if (request_header(r, "x-amz-if-match-size").p || request_header(r, "x-amz-if-match-last-modified-time").p) return S3E_NotImplemented;
    s3_conditions_of(r->headers, r->header_count, &c);
    if (!s3_conditions_any(&c)) return S3E_NONE;
    if (ver != UINT64_MAX && entry_open_facts(r->gate->crypto, &r->bucket->key, &place, e->facts_sealed, e->index, e->row_count, &e->facts, NULL) != ERR_OK)
        return S3E_InternalError;
    enum s3_error code = s3_condition_delete(&c, ver != UINT64_MAX, slice_of(e->facts.etag, e->facts.etag_n), &condition);
    if (code != S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    if (condition) s3_fault_add(&r->fault, "Condition", slice_str(condition));
    return code;
}

static void delete_write(struct gate_request *r, uint64_t ver)
{
    struct gate_tenant *t = r->tenant;
    uint64_t at;
    if (log_time(t->access, loop_wall_ms(r->gate->loop), &at) != ERR_OK) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    struct gate_write *w = flow_write_new(r->gate, t);
    command_begin(&w->command, COMMAND_DELETE, at);
    command_key(&w->command, r->bucket->id, r->name.key, ver, t->grave_ms);
    w->grave_due_ms = at + MAX(t->grave_ms, (uint64_t)GRAVE_MIN_MS);
    struct leaf_says says = {.write = true, .has_ver = true, .ver = ver};
    append(r, w, &says);
}

/* undelete ------------------------------------------------------------------------------------------------------------------ */

/* The buried version, sealed again for its new place in the order. */
static enum err undelete_seal(struct gate_request *r, struct entry *e, uint64_t at, struct gate_write *w, struct buf *fresh)
{
    struct gate *g = r->gate;
    struct gate_tenant *t = r->tenant;
    struct entry_place place = {.tenant = t->id, .bucket = r->bucket->id, .key = r->name.key};
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX);
    TRY(entry_open_all(g->crypto, &g->hash, &r->bucket->key, &t->key, &place, e, &meta));
    uint64_t buried = e->index;
    e->index = log_size(t->access);
    rng_fill(g->rng, e->order, sizeof e->order);
    buf_reset(&r->body_bytes);
    TRY(entry_seal(g->crypto, &g->hash, g->rng, &r->bucket->key, &t->key, &place, e, buf_slice(&meta), &r->body_bytes));
    struct record_new n = {.size = e->facts.size, .etag_kind = e->facts.etag_kind, .etag = slice_of(e->facts.etag, e->facts.etag_n),
                           .sum_kind = e->facts.sum, .sum = slice_of(e->facts.sum_value, e->facts.sum_n)};
    memcpy(n.bucket, r->bucket->id, ID_BYTES);
    memcpy(n.blob, e->row[0].blob, ID_BYTES);
    entry_hash(&g->hash, e, buf_slice(&meta), n.entry_hash);
    record_new_put(fresh, &n);
    uint64_t guard = r->u.get.off;
    command_begin(&w->command, COMMAND_UNDELETE, at);
    command_key(&w->command, r->bucket->id, r->name.key, guard, t->grave_ms);
    command_u64(&w->command, buried);
    command_entry(&w->command, buf_slice(&r->body_bytes));
    if (guard != COMMAND_GUARD_ABSENT) w->grave_due_ms = at + MAX(t->grave_ms, (uint64_t)GRAVE_MIN_MS);
    return buf_ok(fresh) ? ERR_OK : ERR_LIMIT;
}

static void undelete_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return;
    }
    if (!request_may_record(r, true)) return;
    uint64_t guard = r->u.get.off, at;             /* the current version, of the first FIND */
    if (m->present != WIRE_FOUND_PRESENT) {
        refuse(r, S3E_NoSuchKey, guard);
        return;
    }
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    AUTO(buf) struct buf fresh = BUF_INIT(512);
    struct entry e = {0};
    enum err err = log_time(r->tenant->access, loop_wall_ms(r->gate->loop), &at);
    if (err == ERR_OK) err = entry_parse(m->entry, &e);
    if (err == ERR_OK && (e.row_count == 0 || e.delete_marker)) err = ERR_CORRUPT;
    if (err == ERR_OK) err = undelete_seal(r, &e, at, w, &fresh);
    entry_done(&e);
    if (err != ERR_OK) {
        log_line(LOG_ERROR, "undelete-failed", "err=%s", err_name(err));
        flow_write_free(w);
        request_fail_code(r, S3E_InternalError, NULL);
        return;
    }
    struct leaf_says says = {.write = true, .has_ver = true, .ver = guard, .has_bytes = true, .bytes = e.facts.size, .fresh = buf_slice(&fresh)};
    append(r, w, &says);
}

/* Both: what is current, under the hold. */
static void delete_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct entry e = {0};
    uint64_t ver;
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return;
    }
    enum s3_error code = current(r, m, &e, &ver);
    if (code == S3E_NONE && r->op != S3_OP_DeleteObject) {
        r->u.get.off = ver;
        find(r, 1, undelete_found);
        return;
    }
    if (!request_may_record(r, ver != UINT64_MAX)) return;
    if (code == S3E_NONE) code = delete_guards(r, &e, ver);
    if (code != S3E_NONE) {
        refuse(r, code, ver);
        return;
    }
    if (ver != UINT64_MAX) {
        delete_write(r, ver);
        return;
    }
    struct leaf_says says = {.has_ver = true, .ver = UINT64_MAX};      /* nothing there: a read, answered like a delete */
    step_record_or_fail(r, &says, NULL, read_absent);
}

void op_delete_begin(struct gate_request *r) { hold_and_find(r); }

/* Bucket and key are known, or fault says what is wrong with them. */
static void undelete_go(struct gate_request *r, struct slice bucket, struct slice key)
{
    r->act = "Undelete";
    if (r->fault.code == S3E_NONE && (!bucket.n || !key.n || bucket.n > S3_BUCKET_CHARS_MAX || key.n > S3_KEY_BYTES_MAX))
        s3_fault_set(&r->fault, S3E_InvalidArgument, "bucket and key must be given");
    if (r->fault.code == S3E_NONE) r->name = (struct s3_name){.bucket = bucket, .key = key};
    if (!step_decide_and_bind(r)) step_refuse(r);
    else hold_and_find(r);
}

/* LAW-3: the body names the object, so its digest must be the signed one. */
static void undelete_body(struct gate_request *r, struct slice data, bool last)
{
    buf_put_slice(&r->body_bytes, data);
    if (!last && buf_ok(&r->body_bytes) && r->body_bytes.n <= UNDELETE_BODY_BYTES_MAX) return;
    uint8_t is[HASH_BYTES], should[HASH_BYTES];
    const char *bucket = NULL, *key = NULL;
    size_t bucket_n = 0, key_n = 0;
    ledger_sha256(&r->gate->hash, buf_slice(&r->body_bytes), is);
    if (!last || r->s3.payload != S3_PAYLOAD_SHA256 || hex_fixed(r->s3.payload_hash, should, sizeof should) != ERR_OK ||
        memcmp(is, should, sizeof is) != 0)
        s3_fault_set(&r->fault, S3E_XAmzContentSHA256Mismatch, NULL);
    json_t *j = json_loadb((const char *)r->body_bytes.p, r->body_bytes.n, JSON_REJECT_DUPLICATES, NULL);
    if (json_unpack(j, "{s:s%, s:s% !}", "bucket", &bucket, &bucket_n, "key", &key, &key_n) != 0) bucket_n = key_n = 0;
    buf_reset(&r->scratch);
    buf_put(&r->scratch, bucket, bucket_n);
    buf_put(&r->scratch, key, key_n);
    json_decref(j);
    undelete_go(r, slice_of(r->scratch.p, bucket_n), slice_of(r->scratch.p + bucket_n, key_n));
}

/* POST /v1/undelete on the API port, SigV4 service "tillit": {"bucket":B,"key":K}, or the same two in the signed query. */
void op_undelete_begin(struct gate_request *r)
{
    const struct s3_param *bucket = request_param(r, "bucket"), *key = request_param(r, "key");
    if (!slice_is(r->s3.method, "POST")) s3_fault_set(&r->fault, S3E_MethodNotAllowed, NULL);
    bool named = bucket || key || r->ask.body_size == 0 || r->fault.code != S3E_NONE;
    if (!named) request_want_body(r, UNDELETE_BODY_BYTES_MAX, undelete_body);
    else undelete_go(r, bucket ? bucket->value : slice_of(NULL, 0), key ? key->value : slice_of(NULL, 0));
}
