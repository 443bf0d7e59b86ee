/* SPDX-License-Identifier: Apache-2.0
 * copy_source: the version that a copy is made of: named, found, held, opened, decided on.
 * Role: between op_copy.c or op_part_copy.c, which say when, and keeper, holds and policy.
 * Trusts: nothing it is given. Distrusts: what the keeper found; that it still stands (rule 8).
 * Law: 1, 5 (its bucket is looked up in the caller's tenant). Spec: docs/spec/order.md (copies), docs/spec/record.md (`copy`).
 */
#include "gate/copy_source.h"

#include "gate/recent.h"
#include "record/record.h"

void source_init(struct copy_source *s, struct request_get *get)
{
    s->get = get;
    list_init(&s->hold.node);
    buf_init(&s->mem, 4 * S3_KEY_BYTES_MAX);
    buf_init(&s->meta, ENTRY_META_BYTES_MAX + 1);
    buf_init(&s->value, 4 * S3_KEY_BYTES_MAX);
}

void source_done(struct copy_source *s)
{
    source_unhold(s);
    if (s->meta.n) wipe(s->meta.p, s->meta.n);
    buf_done(&s->meta);
    buf_done(&s->value);
    buf_done(&s->mem);
}

/* naming --------------------------------------------------------------------------------------------------------------------------- */

static enum s3_error source_bucket(struct gate_request *r, struct copy_source *s)
{
    struct slice expected = request_header(r, "x-amz-source-expected-bucket-owner");
    const struct policy_bucket *b = policy_bucket(r->tenant->state, s->from.bucket);
    s->bucket = b ? tenants_bucket(r->tenant, s->from.bucket) : NULL;
    if (!s->bucket) return s3_fault_set(&r->fault, S3E_NoSuchBucket, NULL);
    if (expected.p && !slice_is(slice_trim(expected), b->account)) return s3_fault_set(&r->fault, S3E_AccessDenied, NULL);
    s->slot = recent_slot(r->gate->recent, s->bucket->id, s->from.key);
    return S3E_NONE;
}

enum s3_error source_read(struct gate_request *r, struct copy_source *s)
{
    enum s3_error e = s3_copy_source(request_header(r, "x-amz-copy-source"), &s->mem, &s->from, &r->fault);
    if (e == S3E_NONE && request_header(r, "x-amz-copy-source-server-side-encryption-customer-algorithm").p) e = S3E_NotImplemented;
    if (e == S3E_NONE && s->from.version.p && !entry_version_parse(s->from.version, &s->null, &s->index, &s->order))
        e = s3_fault_set(&r->fault, S3E_InvalidArgument, "Invalid version id specified");
    return e == S3E_NONE ? source_bucket(r, s) : e;
}

/* finding -------------------------------------------------------------------------------------------------------------------------- */

static void source_sending(struct keeper_ask *a)
{
    struct gate_request *r = a->ctx;
    r->find_sent = recent_now(r->gate->recent);
}

void source_find(struct gate_request *r, const struct copy_source *s, void (*found)(struct keeper_ask *a, const struct wire_found *m))
{
    r->find.found = found;
    r->find.sending = source_sending;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.key = s->from.key};
    if (s->from.version.p) r->find.find.mode = s->null ? WIRE_FIND_NULLVER : WIRE_FIND_VERSION;
    if (s->from.version.p && !s->null) r->find.find.index = s->index;
    memcpy(r->find.find.bucket, s->bucket->id, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

enum source_answer source_stands(struct gate_request *r, struct copy_source *s)
{
    if (hold_is_held(&s->hold) || BREAK("read-no-recheck")) return SOURCE_STANDS;
    enum recent_answer a = recent_ask(r->gate->recent, s->slot, r->find_sent);
    if (a == RECENT_CLEAR) return SOURCE_STANDS;
    return a == RECENT_SINCE && ++s->get->tries < GATE_READ_TRIES_MAX ? SOURCE_AGAIN : SOURCE_OVERTAKEN;
}

static void source_got(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    struct copy_source *s = container_of(w, struct copy_source, hold);
    if (yes) {
        s->held_now(r);
        return;
    }
    s->bucket->holds--;
    s->held = false;
    request_fail_code(r, S3E_SlowDown, NULL);
}

enum hold_result source_hold(struct gate_request *r, struct copy_source *s, void (*held)(struct gate_request *r))
{
    if (s->bucket->closing) return HOLD_FULL;
    s->held_now = held;
    s->hold.got = source_got;
    s->hold.ctx = r;
    enum hold_result h = hold_take(r->gate->holds, s->bucket->id, s->from.key, &s->hold);
    if (h == HOLD_FULL) return h;
    s->bucket->holds++;
    s->held = true;
    return h;
}

void source_unhold(struct copy_source *s)
{
    hold_release(&s->hold);
    if (s->held) s->bucket->holds--;
    s->held = false;
}

enum err source_open(struct gate_request *r, struct copy_source *s, const struct wire_found *m)
{
    struct gate *g = r->gate;
    struct entry *e = &s->get->entry;
    struct entry_place place = {.tenant = r->tenant->id, .bucket = s->bucket->id, .key = s->from.key};
    AUTO(buf) struct buf text = BUF_INIT(ID_TEXT_CHARS);
    if (s->meta.n) wipe(s->meta.p, s->meta.n);
    buf_reset(&s->meta);
    entry_done(e);
    *e = (struct entry){0};
    s->there = s->marker = false;
    if (m->present != WIRE_FOUND_PRESENT) return ERR_OK;
    TRY(entry_parse(m->entry, e));
    bool other = s->from.version.p && !s->null && (e->order != s->order || (e->flags & ENTRY_NULL));
    if (other) return ERR_OK;
    s->there = true;
    s->marker = e->flags & ENTRY_MARKER;
    entry_version_text(e, &text);
    memcpy(s->version, text.p, text.n);
    s->version[text.n] = 0;
    TRY(entry_open_all(g->crypto, &g->hash, &s->bucket->key, &r->tenant->key, &place, e, &s->meta));
    buf_reset(&s->get->locations);
    buf_put_slice(&s->get->locations, m->locations);
    return buf_ok(&s->get->locations) ? ERR_OK : ERR_LIMIT;
}

/* deciding ------------------------------------------------------------------------------------------------------------------------- */

/* May the caller know that there is nothing? */
static bool source_hides(struct gate_request *r, const struct copy_source *s)
{
    struct s3_name own = r->name;
    r->name = (struct s3_name){.bucket = s->from.bucket};
    bool lists = step_decide_also(r, r->verified, S3_OP_ListObjects, slice_of(NULL, 0), slice_of(NULL, 0));
    r->name = own;
    return !lists;
}

enum s3_error source_allowed(struct gate_request *r, struct copy_source *s)
{
    bool object = s->there && !s->marker;
    struct slice tags = object ? entry_meta_header(buf_slice(&s->meta), "x-amz-tagging") : slice_of(NULL, 0);
    struct slice owner = object ? slice_str(s->get->entry.facts.account) : slice_of(NULL, 0);
    if (s->bucket->dead) return s3_fault_set(&r->fault, S3E_NoSuchBucket, NULL);
    if (!step_decide_source(r, r->verified, &s->from, tags, owner)) return s3_fault_set(&r->fault, S3E_AccessDenied, NULL);
    if (object) return S3E_NONE;
    if (source_hides(r, s)) return s3_fault_set(&r->fault, S3E_AccessDenied, NULL);
    if (s->there && s->from.version.p)
        return s3_fault_set(&r->fault, S3E_InvalidRequest, "The source of a copy request may not specifically refer to a delete marker by version id.");
    s3_fault_set(&r->fault, s->from.version.p ? S3E_NoSuchVersion : S3E_NoSuchKey, NULL);
    s3_fault_add(&r->fault, "Key", s->from.key);
    return r->fault.code;
}

enum s3_error source_conditions(struct gate_request *r, const struct copy_source *s)
{
    const struct entry_facts *f = &s->get->entry.facts;
    struct s3_conditions k;
    const char *condition = NULL;
    s3_copy_conditions_of(r->headers, r->header_count, &k);
    enum s3_error code = s3_condition_copy(&k, slice_of(f->etag, f->etag_n), f->mtime_ms, &condition);
    if (code == S3E_NONE) return code;
    s3_fault_set(&r->fault, code, NULL);
    if (condition) s3_fault_add(&r->fault, "Condition", slice_str(condition));
    return code;
}

/* telling -------------------------------------------------------------------------------------------------------------------------- */

struct slice source_value(struct copy_source *s)
{
    const struct entry *e = &s->get->entry;
    struct record_copy v = {.bucket = s->from.bucket, .key = s->from.key, .vid = s->from.version, .ver = s->there ? e->index : RECORD_VER_NONE,
                            .revision = s->there ? e->revision : RECORD_VER_NONE};
    buf_reset(&s->value);
    record_copy_put(&s->value, &v);
    return buf_slice(&s->value);
}

void source_put_version(struct gate_request *r, const struct copy_source *s)
{
    const struct policy_bucket *b = policy_bucket_of_id(r->tenant->state, s->bucket->id);
    if (b && b->versioning != POLICY_VERSIONING_OFF) request_put_header(r, "x-amz-copy-source-version-id", slice_str(s->version));
}
