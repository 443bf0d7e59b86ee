/* SPDX-License-Identifier: Apache-2.0
 * object: the common way of what writes object versions: hold, FIND, what is there, guards, leaf with its command.
 * Role: below op_put.c, op_delete.c, op_copy.c, op_tagging.c. Trusts: entry.c's seals, flow.c to settle. Distrusts: what the keeper found.
 * Law: 1 (leaf before effect), 4. Spec: docs/spec/order.md, docs/spec/entry.md.
 */
#include "gate/object.h"

#include "gate/recent.h"
#include "record/record.h"

/* what is there --------------------------------------------------------------------------------------------------------------- */

void object_find(struct gate_request *r, uint8_t mode, void (*found)(struct keeper_ask *a, const struct wire_found *m))
{
    r->find.found = found;
    r->find.sending = NULL;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.mode = mode, .key = r->name.key, .index = mode == WIRE_FIND_VERSION ? r->vid_index : 0,
                                      .want_null = mode == WIRE_FIND_CURRENT && request_wants_null(r)};
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

uint8_t object_mode(const struct gate_request *r)
{
    if (!r->vid.p) return WIRE_FIND_CURRENT;
    return r->vid_null ? WIRE_FIND_NULLVER : WIRE_FIND_VERSION;
}

/* What waits for the hold is kept in r->find, which is idle until then. */
static void object_held(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    if (yes) object_find(r, r->find.find.mode, r->find.found);
    else request_fail_code(r, S3E_SlowDown, NULL); /* 2 s, before the leaf */
}

void object_hold_find(struct gate_request *r, uint8_t mode, void (*found)(struct keeper_ask *a, const struct wire_found *m))
{
    r->slot = recent_slot(r->gate->recent, r->bucket->id, r->name.key);
    r->find.find.mode = mode;
    r->find.found = found;
    switch (request_hold(r, object_held)) {
    case HOLD_TAKEN: object_find(r, mode, found); break;
    case HOLD_WAITING: break;
    case HOLD_FULL: request_fail_code(r, S3E_SlowDown, NULL); break;
    }
}

static struct entry_place place_of(const struct gate_request *r)
{
    return (struct entry_place){.tenant = r->tenant->id, .bucket = r->bucket->id, .key = r->name.key};
}

/* Opens what FOUND holds. S3E_NONE, or InternalError (logged). */
static enum s3_error object_look(struct gate_request *r, const struct wire_found *m, struct object_there *o)
{
    struct entry_place place = place_of(r);
    *o = (struct object_there){.ver = UINT64_MAX};
    if (m->present != WIRE_FOUND_PRESENT) return S3E_NONE;
    enum err e = entry_parse(m->entry, &o->e);
    if (e == ERR_OK) e = entry_open_facts(r->gate->crypto, &r->bucket->key, &place, &o->e);
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "entry-does-not-open", "err=%s index=%llu", err_name(e), (unsigned long long)o->e.index);
        return S3E_InternalError;
    }
    o->there = true;
    o->marker = o->e.flags & ENTRY_MARKER;
    o->ver = o->e.index;
    o->rev = o->e.revision;
    return S3E_NONE;
}

/* Conditions on the existing object: its tags and writer. Of a marker, as of nothing, there are none. */
static bool object_allowed(struct gate_request *r, const struct object_there *o)
{
    struct slice none = slice_of(NULL, 0);
    if (!decided_needs_object(r->decided)) return true;
    if (!o->there || o->marker) return step_object_allowed(r, none, none);
    struct entry_place place = place_of(r);
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX + 1);
    if (entry_open_meta(r->gate->crypto, &r->bucket->key, &place, &o->e, &meta) != ERR_OK) {
        s3_fault_set(&r->fault, S3E_AccessDenied, NULL);
        return false;                              /* a failure to decide is a no */
    }
    return step_object_allowed(r, entry_meta_header(buf_slice(&meta), "x-amz-tagging"), slice_str(o->e.facts.account));
}

bool object_seen(struct gate_request *r, const struct wire_found *m, struct object_there *o)
{
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return false;
    }
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return false;
    }
    enum s3_error code = object_look(r, m, o);
    if (code != S3E_NONE) {
        request_fail_code(r, code, NULL);
        return false;
    }
    if (!object_allowed(r, o)) {
        step_refuse(r);
        return false;
    }
    return true;
}

enum s3_error object_write_guards(struct gate_request *r, const struct object_there *o)
{
    struct s3_conditions c;
    const char *condition = NULL;
    s3_conditions_of(r->headers, r->header_count, &c);
    enum s3_error code = s3_condition_write(&c, o->there && !o->marker, slice_of(o->e.facts.etag, o->e.facts.etag_n), &condition);
    if (code == S3E_NONE) return S3E_NONE;
    s3_fault_set(&r->fault, code, NULL);
    if (condition) s3_fault_add(&r->fault, "Condition", slice_str(condition));
    return code;
}

static void object_refused(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }

void object_refuse(struct gate_request *r, enum s3_error code, const struct object_there *o, struct slice copy)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    if (!request_may_record(r, false)) return;
    struct leaf_says says = {.why = s3_error_code(code), .has_ver = o != NULL, .ver = o ? o->ver : 0, .rev = o ? o->rev : 0, .copy = copy};
    step_record_or_fail(r, &says, NULL, object_refused);
}

const struct policy_bucket *object_bucket(const struct gate_request *r) { return policy_bucket_of_id(r->tenant->state, r->bucket->id); }

/* answers --------------------------------------------------------------------------------------------------------------------------- */

/* Only a bucket with rules pays for reading them. */
static void put_expiration(struct gate_request *r, const struct entry *e, struct slice meta)
{
    const struct policy_bucket *b = object_bucket(r);
    struct slice doc = b ? policy_bucket_doc(b, POLICY_DOC_LIFECYCLE) : slice_of(NULL, 0);
    if (!doc.n) return;
    struct s3_lifecycle *l = s3_lifecycle_read(doc);
    struct s3_lifecycle_object o = {.key = r->name.key, .tags = entry_meta_header(meta, "x-amz-tagging"), .size = e->facts.size,
                                    .mtime_ms = e->facts.mtime_ms, .current = true};
    AUTO(buf) struct buf text = BUF_INIT(1024);
    if (l && s3_lifecycle_expiration(l, &o, &text)) request_put_header(r, "x-amz-expiration", buf_slice(&text));
    s3_lifecycle_free(l);
}

/* ETag, checksum and its type, x-amz-server-side-encryption, version id, expiration. */
static void put_headers(struct gate_request *r, const struct entry *e, struct slice meta)
{
    const struct entry_facts *f = &e->facts;
    AUTO(buf) struct buf text = BUF_INIT(256);
    buf_put_u8(&text, '"');
    buf_put(&text, f->etag, f->etag_n);
    buf_put_u8(&text, '"');
    request_put_header(r, "ETag", buf_slice(&text));
    if (f->sum_n) {
        enum s3_sum_type type = (enum s3_sum_type)f->sum_type;
        buf_reset(&text);
        s3_sum_text(&text, type, slice_of(f->sum_value, f->sum_n), f->parts);
        request_put_header(r, s3_sum_header((enum s3_sum)f->sum), buf_slice(&text));
        request_put_header(r, "x-amz-checksum-type", slice_str(s3_sum_type_name(type)));
    }
    request_put_header(r, "x-amz-server-side-encryption", SLICE_LIT("AES256"));
    request_put_version(r, e);
    put_expiration(r, e, meta);
}

/* writes ------------------------------------------------------------------------------------------------------------------------ */

void object_writer(const struct gate_request *r, char account[ACCOUNT_CHARS + 1])
{
    const struct gate_key *k = verified_key(r->verified);
    const struct policy_bucket *b = object_bucket(r);
    memcpy(account, k ? k->account : b ? b->account : r->tenant->account, ACCOUNT_CHARS + 1);
}

void object_head(struct gate_request *r, uint8_t flags, uint64_t at, struct entry *e)
{
    e->flags = flags | request_entry_flags(r);
    e->index = e->revision = log_size(r->tenant->access);
    rng_fill(r->gate->rng, &e->order, sizeof e->order);
    e->facts.mtime_ms = at;
    object_writer(r, e->facts.account);
}

void object_new(struct gate_request *r, const struct entry *e, struct slice meta, struct buf *out)
{
    struct record_new n = {.size = e->facts.size, .etag_kind = e->facts.etag_kind, .etag = slice_of(e->facts.etag, e->facts.etag_n),
                           .sum_kind = e->facts.sum, .sum = slice_of(e->facts.sum_value, e->facts.sum_n), .order = e->order};
    memcpy(n.bucket, r->bucket->id, ID_BYTES);
    memcpy(n.blob, e->flags & ENTRY_SET ? e->set : e->row[0].blob, ID_BYTES);
    entry_hash(&r->gate->hash, e, meta, n.entry_hash);
    record_new_put(out, &n);
}

uint64_t object_grave_due(const struct gate_request *r, const struct command_turn *t, uint64_t at)
{
    bool current = t->guard != COMMAND_GUARD_ABSENT && !t->keep;
    if (!current && t->null_index == COMMAND_GUARD_ABSENT) return 0;
    return at + MAX(r->tenant->grave_ms, (uint64_t)GRAVE_MIN_MS);
}

static void object_unhold(struct gate_write *w) { request_unhold(w->ctx); }

bool object_append(struct gate_request *r, struct gate_write *w, const struct leaf_says *says, void (*done)(struct gate_write *w, bool applied))
{
    w->slot = r->slot;
    w->slot_count = 1;
    w->unhold = object_unhold;
    w->done = done;
    w->ctx = r;
    r->write = w;
    if (buf_ok(&w->command) && step_record(r, r->decided, says, w, NULL) == ERR_OK) return true;
    r->write = NULL;
    flow_write_free(w);
    request_fail_code(r, S3E_ServiceUnavailable, NULL);
    return false;
}

static enum err write_seal(struct gate_request *r, const struct object_write *o, struct gate_write *w, struct buf *fresh)
{
    struct gate *g = r->gate;
    struct gate_tenant *t = r->tenant;
    struct entry_place place = place_of(r);
    struct command_turn turn;
    uint64_t at;
    TRY(log_time(t->access, loop_wall_ms(g->loop), &at));
    object_head(r, o->e->flags & ENTRY_SET, at, o->e);
    buf_reset(&r->body_bytes);
    TRY(entry_seal(g->crypto, &g->hash, g->rng, &r->bucket->key, &t->key, &place, o->e, o->meta, &r->body_bytes));
    object_new(r, o->e, o->meta, fresh);
    request_turn(r, o->found, o->there->there ? &o->there->e : NULL, &turn);
    command_begin(&w->command, COMMAND_PUT, at);
    command_place(&w->command, r->bucket->id, r->name.key);
    command_turn(&w->command, &turn);
    if (o->shared) command_shared(&w->command, o->from_bucket, o->from_key, o->from_ver);
    else command_staged(&w->command);
    command_entry(&w->command, buf_slice(&r->body_bytes));
    w->grave_due_ms = object_grave_due(r, &turn, at);
    return buf_ok(&w->command) && buf_ok(fresh) ? ERR_OK : ERR_LIMIT;
}

bool object_write(struct gate_request *r, const struct object_write *o)
{
    AUTO(buf) struct buf fresh = BUF_INIT(512);
    if (!request_may_record(r, true)) return false;
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    enum err e = write_seal(r, o, w, &fresh);
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "version-not-made", "err=%s", err_name(e));
        flow_write_free(w);
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return false;
    }
    buf_reset(&r->headers_out);
    put_headers(r, o->e, o->meta);
    if (o->e != &r->u.get.entry) {
        entry_done(&r->u.get.entry);
        r->u.get.entry = *o->e;
        r->u.get.entry.keys = SECRET_INIT;         /* the keys are their owner's */
        r->u.get.entry.facts_sealed = r->u.get.entry.meta_sealed = r->u.get.entry.keybox_sealed = slice_of(NULL, 0);
    }
    struct leaf_says says = {.write = true, .has_ver = true, .ver = o->there->ver, .rev = o->there->rev, .has_bytes = true,
                             .bytes = o->e->facts.size, .fresh = buf_slice(&fresh), .copy = o->copy};
    return object_append(r, w, &says, o->done);
}

/* control bodies --------------------------------------------------------------------------------------------------------------------- */

enum s3_error object_body_begin(struct gate_request *r, enum s3_xml_kind kind, struct object_body *b)
{
    enum s3_error code = s3_body_read(r->headers, r->header_count, r->s3.payload, &b->body, &r->fault);
    if (code == S3E_NONE && b->body.chunk_signed) code = S3E_NotImplemented;     /* nobody checks the chunks of a control body */
    if (code != S3E_NONE) return code;
    b->xml = s3_xml_new(kind);
    b->summing = b->xml && s3_sums_init(&b->sums, S3_SUM_BIT(S3_SUM_MD5) | S3_SUM_BIT(S3_SUM_SHA256) | S3_SUM_BIT(b->body.sum)) == ERR_OK;
    return b->summing ? S3E_NONE : S3E_ServiceUnavailable;
}

/* Something strong must bind the body: the signed digest, Content-MD5, or a checksum, whose trailer the front has compared. */
static enum s3_error body_digest(struct gate_request *r, struct object_body *b)
{
    uint8_t md5[S3_SUM_BYTES_MAX], sum[S3_SUM_BYTES_MAX], sha256[S3_SUM_BYTES_MAX];
    if (BREAK("delete-digest-unchecked")) return S3E_NONE;
    bool signed_digest = r->s3.payload == S3_PAYLOAD_SHA256;
    if (!b->body.md5_given && !b->body.sum_given && !b->body.sum_in_trailer)
        return s3_fault_set(&r->fault, S3E_InvalidRequest, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
    if (s3_sums_get(&b->sums, S3_SUM_MD5, md5) != ERR_OK || s3_sums_get(&b->sums, S3_SUM_SHA256, sha256) != ERR_OK) return S3E_InternalError;
    if (b->body.sum == S3_SUM_SHA256) memcpy(sum, sha256, sizeof sum);
    else if (b->body.sum == S3_SUM_MD5) memcpy(sum, md5, sizeof sum);
    else if (s3_sums_get(&b->sums, b->body.sum, sum) != ERR_OK) return S3E_InternalError;
    return s3_body_compare(&b->body, md5, sum, sha256, signed_digest ? r->s3.payload_hash : slice_of(NULL, 0));
}

enum s3_error object_body_feed(struct gate_request *r, struct object_body *b, struct slice data, bool last)
{
    enum s3_error code = s3_sums_add(&b->sums, data) == ERR_OK ? S3E_NONE : S3E_InternalError;
    if (code == S3E_NONE) code = s3_xml_feed(b->xml, data);
    return code == S3E_NONE && last ? body_digest(r, b) : code;
}

void object_body_done(struct object_body *b)
{
    if (b->summing) s3_sums_done(&b->sums);
    b->summing = false;
    s3_xml_free(b->xml);
    b->xml = NULL;
}
