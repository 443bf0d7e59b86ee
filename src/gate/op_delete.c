/* SPDX-License-Identifier: Apache-2.0
 * op_delete: DeleteObject, DeleteObjectVersion, and undelete, which brings the newest buried version of a key back.
 * Role: hold, FIND, guards, leaf with its command, settlement. Trusts: flow.c to settle. Distrusts: what the keeper found.
 * Law: 1. Spec: docs/spec/order.md (DELETE, undelete), docs/spec/record.md section 4, docs/spec/entry.md section 2.
 */
#include <jansson.h>
#include <stdlib.h>

#include "gate/object.h"
#include "record/record.h"

#define UNDELETE_BODY_BYTES_MAX 8192

/* delete -------------------------------------------------------------------------------------------------------------------- */

static void read_absent(struct gate_request *r, const struct recorded *rec) { request_answer(r, rec, 204, slice_of(NULL, 0)); }

static void delete_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    r->write = NULL;
    if (applied) {
        request_answer(r, request_recorded(r), 204, slice_of(NULL, 0));
        return;
    }
    buf_reset(&r->headers_out);
    s3_fault_set(&r->fault, S3E_ServiceUnavailable, NULL);
    request_fail(r, request_recorded(r));
}

/* If-Match: of what the request is about, the current version or the one it names. A delete marker matches no tag. */
static enum s3_error delete_guards(struct gate_request *r, const struct object_there *o)
{
    struct s3_conditions c;
    const char *condition = NULL;
    if (request_header(r, "x-amz-if-match-size").p || request_header(r, "x-amz-if-match-last-modified-time").p) return S3E_NotImplemented;
    s3_conditions_of(r->headers, r->header_count, &c);
    if (!s3_conditions_any(&c)) return S3E_NONE;
    enum s3_error code = s3_condition_delete(&c, o->there, slice_of(o->e.facts.etag, o->e.facts.etag_n), &condition);
    if (code != S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    if (condition) s3_fault_add(&r->fault, "Condition", slice_str(condition));
    return code;
}

/* A delete marker on top, as the bucket's versioning says. */
static enum err marker_command(struct gate_request *r, const struct wire_found *m, const struct object_there *o, uint64_t at, struct gate_write *w)
{
    struct gate *g = r->gate;
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = r->name.key};
    struct entry e = {0};
    struct command_turn turn;
    object_head(r, ENTRY_MARKER, at, &e);
    request_turn(r, m, o->there ? &o->e : NULL, &turn);
    buf_reset(&r->body_bytes);
    TRY(entry_seal(g->crypto, &g->hash, g->rng, &r->bucket->key, &r->tenant->key, &place, &e, slice_of(NULL, 0), &r->body_bytes));
    command_begin(&w->command, COMMAND_PUT, at);
    command_place(&w->command, r->bucket->id, r->name.key);
    command_turn(&w->command, &turn);
    command_staged(&w->command);
    command_entry(&w->command, buf_slice(&r->body_bytes));
    w->grave_due_ms = object_grave_due(r, &turn, at);
    request_put_header(r, "x-amz-delete-marker", SLICE_LIT("true"));
    request_put_version(r, &e);
    return ERR_OK;
}

/* The version named ends, wherever it stands. */
static void version_command(struct gate_request *r, const struct object_there *o, uint64_t at, struct gate_write *w)
{
    command_begin(&w->command, COMMAND_DELVER, at);
    command_place(&w->command, r->bucket->id, r->name.key);
    command_u64(&w->command, o->ver);
    command_u64(&w->command, r->tenant->grave_ms);
    if (!o->marker) w->grave_due_ms = at + MAX(r->tenant->grave_ms, (uint64_t)GRAVE_MIN_MS);
    if (o->marker) request_put_header(r, "x-amz-delete-marker", SLICE_LIT("true"));
    request_put_header(r, "x-amz-version-id", r->vid);
}

static void delete_write(struct gate_request *r, const struct wire_found *m, const struct object_there *o)
{
    uint64_t at;
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    enum err e = log_time(r->tenant->access, loop_wall_ms(r->gate->loop), &at);
    buf_reset(&r->headers_out);
    if (e == ERR_OK && r->vid.p) {
        version_command(r, o, at, w);
    } else if (e == ERR_OK && request_versioned(r)) {
        e = marker_command(r, m, o, at, w);
    } else if (e == ERR_OK) {
        struct command_turn turn;
        request_turn(r, m, &o->e, &turn);
        command_begin(&w->command, COMMAND_DELETE, at);
        command_place(&w->command, r->bucket->id, r->name.key);
        command_turn(&w->command, &turn);
        w->grave_due_ms = object_grave_due(r, &turn, at);
    }
    if (e != ERR_OK) {
        flow_write_free(w);
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    struct leaf_says says = {.write = true, .has_ver = true, .ver = o->ver, .rev = o->rev};
    object_append(r, w, &says, delete_done);
}

static void delete_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct object_there o;
    if (!object_seen(r, m, &o)) return;
    /* Its leaf's number is right and the rest is not: no version has that name. */
    bool other = o.there && r->vid.p && !r->vid_null && (o.e.order != r->vid_order || (o.e.flags & ENTRY_NULL));
    if (other) o.ver = RECORD_VER_NONE, o.rev = 0;
    bool nothing = r->vid.p ? !o.there || other : !o.there && !request_versioned(r);
    if (!request_may_record(r, !nothing)) return;
    enum s3_error code = other ? S3E_NONE : delete_guards(r, &o);
    if (code != S3E_NONE) {
        object_refuse(r, code, &o, slice_of(NULL, 0));
        return;
    }
    if (!nothing) {
        delete_write(r, m, &o);
        return;
    }
    buf_reset(&r->headers_out);
    if (r->vid.p) request_put_header(r, "x-amz-version-id", r->vid);
    struct leaf_says says = {.has_ver = true, .ver = o.ver, .rev = o.rev};         /* a read, answered like a delete */
    step_record_or_fail(r, &says, NULL, read_absent);
}

void op_delete_begin(struct gate_request *r) { object_hold_find(r, object_mode(r), delete_found); }

/* undelete ------------------------------------------------------------------------------------------------------------------ */

struct undelete {                                  /* what the first FIND saw */
    struct object_there there;
    struct command_turn turn;
};

static void undelete_cleanup(struct gate_request *r)
{
    free(r->u.job);
    r->u.job = NULL;
}

static void undelete_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    r->write = NULL;
    buf_reset(&r->headers_out);
    if (applied) {
        request_put_header(r, "Content-Type", SLICE_LIT("application/json"));
        request_answer(r, request_recorded(r), 200, SLICE_LIT("{\"restored\":true}\n"));
        return;
    }
    s3_fault_set(&r->fault, S3E_NoSuchKey, "The deleted version has been purged");
    request_fail(r, request_recorded(r));
}

/* The buried version, sealed again for its new place in the order. Its writer stays. */
static enum err undelete_seal(struct gate_request *r, struct entry *e, uint64_t at, struct gate_write *w, struct buf *fresh)
{
    struct gate *g = r->gate;
    struct gate_tenant *t = r->tenant;
    const struct undelete *u = r->u.job;
    struct entry_place place = {.tenant = t->id, .bucket = r->bucket->id, .key = r->name.key};
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX + 1);
    TRY(entry_open_all(g->crypto, &g->hash, &r->bucket->key, &t->key, &place, e, &meta));
    uint64_t buried = e->index, mtime = e->facts.mtime_ms;
    char writer[ACCOUNT_CHARS + 1];
    memcpy(writer, e->facts.account, sizeof writer);
    object_head(r, e->flags & ENTRY_SET, mtime, e);
    memcpy(e->facts.account, writer, sizeof writer);
    buf_reset(&r->body_bytes);
    TRY(entry_seal(g->crypto, &g->hash, g->rng, &r->bucket->key, &t->key, &place, e, buf_slice(&meta), &r->body_bytes));
    object_new(r, e, buf_slice(&meta), fresh);
    command_begin(&w->command, COMMAND_UNDELETE, at);
    command_place(&w->command, r->bucket->id, r->name.key);
    command_turn(&w->command, &u->turn);
    command_u64(&w->command, buried);
    command_entry(&w->command, buf_slice(&r->body_bytes));
    w->grave_due_ms = object_grave_due(r, &u->turn, at);
    return buf_ok(fresh) ? ERR_OK : ERR_LIMIT;
}

static void undelete_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    const struct undelete *u = r->u.job;
    struct object_there buried;
    uint64_t at, ctl = decided_ctl(r->decided);
    if (!object_seen(r, m, &buried)) return;
    if (ctl != decided_ctl(r->decided)) {          /* the versioning it was turned by may be another now */
        request_fail_code(r, S3E_SlowDown, NULL);
        return;
    }
    if (!request_may_record(r, true)) return;
    if (!buried.there) {
        object_refuse(r, S3E_NoSuchKey, &u->there, slice_of(NULL, 0));
        return;
    }
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    AUTO(buf) struct buf fresh = BUF_INIT(512);
    struct entry *e = &buried.e;
    enum err err = log_time(r->tenant->access, loop_wall_ms(r->gate->loop), &at);
    if (err == ERR_OK && (buried.marker || (e->row_count == 0 && !(e->flags & ENTRY_SET)))) err = ERR_CORRUPT;
    if (err == ERR_OK) err = undelete_seal(r, e, at, w, &fresh);
    entry_done(e);
    if (err != ERR_OK) {
        log_line(LOG_ERROR, "undelete-failed", "err=%s", err_name(err));
        flow_write_free(w);
        request_fail_code(r, S3E_InternalError, NULL);
        return;
    }
    struct leaf_says says = {.write = true, .has_ver = true, .ver = u->there.ver, .rev = u->there.rev, .has_bytes = true, .bytes = e->facts.size,
                             .fresh = buf_slice(&fresh)};
    object_append(r, w, &says, undelete_done);
}

/* What is current, under the hold; then what is buried. */
static void undelete_current(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct undelete *u = r->u.job;
    if (!object_seen(r, m, &u->there)) return;
    request_turn(r, m, u->there.there ? &u->there.e : NULL, &u->turn);
    object_find(r, WIRE_FIND_GRAVE, undelete_found);
}

static void undelete_hold(struct gate_request *r)
{
    r->u.job = calloc(1, sizeof(struct undelete));
    r->cleanup = undelete_cleanup;
    if (r->u.job) object_hold_find(r, WIRE_FIND_CURRENT, undelete_current);
    else request_fail_code(r, S3E_ServiceUnavailable, NULL);
}

/* Bucket and key are known, or fault says what is wrong with them. */
static void undelete_go(struct gate_request *r, struct slice bucket, struct slice key)
{
    r->act = "Undelete";
    if (r->fault.code == S3E_NONE && (!bucket.n || !key.n || bucket.n > S3_BUCKET_CHARS_MAX || key.n > S3_KEY_BYTES_MAX))
        s3_fault_set(&r->fault, S3E_InvalidArgument, "bucket and key must be given");
    if (r->fault.code == S3E_NONE) r->name = (struct s3_name){.bucket = bucket, .key = key};
    if (!step_decide_and_bind(r)) step_refuse(r);
    else undelete_hold(r);
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
