/* SPDX-License-Identifier: Apache-2.0
 * op_read: one version of an object, found and opened so that the read stands where its leaf stands (rule 8); and its release in portions.
 * Role: below GetObject, HeadObject, GetObjectAttributes, GetObjectTagging; its release below copies too.
 * Trusts: entry.c's seals. Distrusts: what the keeper found. Law: 1, 2 (existence too is told only after the leaf). Spec: docs/spec/order.md
 */
#include "gate/recent.h"
#include "gate/request.h"

static void read_find(struct gate_request *r);

void request_get_done(struct request_get *q)
{
    entry_done(&q->entry);
    buf_done(&q->locations);
    buf_done(&q->parts);
}

static void read_cleanup(struct gate_request *r) { request_get_done(&r->u.get); }

static void read_refused(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }

/* A refusal that depends on data is a read: its leaf names the version it looked at. */
static void read_refuse_at(struct gate_request *r, enum s3_error code, uint64_t ver, uint64_t rev)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    struct leaf_says says = {.why = s3_error_code(r->fault.code), .has_ver = true, .ver = ver, .rev = rev};
    step_record_or_fail(r, &says, NULL, read_refused);
}

void read_refuse(struct gate_request *r, enum s3_error code)
{
    const struct entry *e = &r->u.get.entry;
    wipe(r->body_bytes.p, r->body_bytes.n);
    buf_reset(&r->body_bytes);
    read_refuse_at(r, code, BREAK("stale-version") && e->index ? e->index - 1 : e->index, e->revision);
}

/* rule 8 ------------------------------------------------------------------------------------------------------------------- */

static void read_held(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    if (!yes) request_fail_code(r, S3E_SlowDown, NULL);
    else read_find(r);
}

/* True: the read stands; false: it looks again, or waits for the key. */
static bool read_stands(struct gate_request *r)
{
    if (hold_is_held(&r->hold) || BREAK("read-no-recheck")) return true;
    enum recent_answer a = recent_ask(r->gate->recent, r->slot, r->find_sent);
    if (a == RECENT_CLEAR) return true;
    if (a == RECENT_SINCE && ++r->u.get.tries < GATE_READ_TRIES_MAX) {
        read_find(r);
        return false;
    }
    switch (request_hold(r, read_held)) {
    case HOLD_TAKEN: read_find(r); break;
    case HOLD_WAITING: break;
    case HOLD_FULL: request_fail_code(r, S3E_SlowDown, NULL); break;
    }
    return false;
}

/* what is there ---------------------------------------------------------------------------------------------------------------- */

/* Nothing, or not the version named. Who may not list the bucket is not told so. */
static void read_absent(struct gate_request *r)
{
    enum s3_error code = r->vid.p ? S3E_NoSuchVersion : S3E_NoSuchKey;
    if (step_object_allowed(r, slice_of(NULL, 0), slice_of(NULL, 0))) {
        if (decided_hides(r->decided)) {
            code = S3E_AccessDenied;
        } else {
            s3_fault_set(&r->fault, code, NULL);
            s3_fault_add(&r->fault, "Key", r->name.key);
            if (r->vid.p) s3_fault_add(&r->fault, "VersionId", r->vid);
        }
    }
    read_refuse_at(r, code, RECORD_VER_NONE, RECORD_VER_NONE);
}

static void read_marker(struct gate_request *r)
{
    const struct entry *e = &r->u.get.entry;
    char text[TIME_TEXT_MAX];
    enum s3_error code = r->vid.p ? S3E_MethodNotAllowed : S3E_NoSuchKey;
    if (decided_hides(r->decided)) {
        read_refuse(r, S3E_AccessDenied);
        return;
    }
    s3_fault_set(&r->fault, code, NULL);
    s3_fault_add(&r->fault, r->vid.p ? "ResourceType" : "Key", r->vid.p ? SLICE_LIT("DeleteMarker") : r->name.key);
    request_put_header(r, "x-amz-delete-marker", SLICE_LIT("true"));
    request_put_version(r, e);
    if (r->vid.p) {
        time_http(e->facts.mtime_ms, text);
        request_put_header(r, "Last-Modified", slice_str(text));
        request_put_header(r, "Allow", SLICE_LIT("DELETE"));
    }
    read_refuse(r, code);
}

/* The version that was asked for: an id says index and order, and a null version has no id but "null". */
static bool is_named(const struct gate_request *r, const struct entry *e)
{
    if (!r->vid.p || BREAK("version-not-compared")) return true;
    bool null = e->flags & ENTRY_NULL;
    return r->vid_null ? null : !null && e->index == r->vid_index && e->order == r->vid_order;
}

static void read_present(struct gate_request *r, const struct wire_found *m)
{
    struct gate *g = r->gate;
    struct request_get *q = &r->u.get;
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = r->name.key};
    buf_reset(&r->body_bytes);                     /* meta in clear, until the answer's headers are built */
    enum err e = entry_parse(m->entry, &q->entry);
    if (e == ERR_OK) e = entry_open_all(g->crypto, &g->hash, &r->bucket->key, &r->tenant->key, &place, &q->entry, &r->body_bytes);
    if (e == ERR_OK && (q->entry.flags & (ENTRY_PART | ENTRY_UPLOAD))) e = ERR_CORRUPT;
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "entry-does-not-open", "err=%s index=%llu", err_name(e), (unsigned long long)q->entry.index);
        read_refuse(r, S3E_InternalError);
        return;
    }
    if (!is_named(r, &q->entry)) {
        read_absent(r);
        return;
    }
    buf_reset(&q->locations);
    buf_put_slice(&q->locations, m->locations);
    buf_reset(&q->parts);
    buf_put_slice(&q->parts, m->parts);
    bool marker = q->entry.flags & ENTRY_MARKER;   /* to policies a marker is nothing */
    struct slice tags = entry_meta_header(buf_slice(&r->body_bytes), "x-amz-tagging");
    if (!step_object_allowed(r, tags, marker ? slice_of(NULL, 0) : slice_str(q->entry.facts.account)))
        read_refuse(r, r->fault.code);
    else if (marker) read_marker(r);
    else q->got(r);
}

/* What is asked of every answer of the keeper before anything follows from it. False: the request went another way. */
bool read_goes_on(struct gate_request *r, const struct wire_found *m)
{
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return false;
    }
    if (!read_stands(r)) return false;
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return false;
    }
    return request_may_record(r, false);
}

static void read_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (!read_goes_on(r, m)) return;
    if (m->present == WIRE_FOUND_PRESENT) read_present(r, m);
    else read_absent(r);
}

static void read_sending(struct keeper_ask *a)
{
    struct gate_request *r = a->ctx;
    r->find_sent = recent_now(r->gate->recent);
}

static void read_find(struct gate_request *r)
{
    const struct request_get *q = &r->u.get;
    r->find.found = read_found;
    r->find.sending = read_sending;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.key = r->name.key, .off = q->want_off, .len = q->want_len};
    if (r->vid.p) r->find.find.mode = r->vid_null ? WIRE_FIND_NULLVER : WIRE_FIND_VERSION;
    if (r->vid.p && !r->vid_null) r->find.find.index = r->vid_index;
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    r->object_known = false;                       /* what was found before may not be it any more */
    keeper_find(r->gate, &r->find);
}

void read_find_part(struct gate_request *r, const struct request_get *q, uint16_t from, uint32_t rows_max, void (*found)(struct keeper_ask *a, const struct wire_found *m))
{
    ASSERT(q->entry.flags & ENTRY_SET);
    r->find.found = found;
    r->find.sending = NULL;                        /* rule 8 counts from the FIND of the entry */
    r->find.ctx = r;
    r->find.find = (struct wire_find){.mode = WIRE_FIND_SETPART, .number = from, .rows_max = rows_max};
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    memcpy(r->find.find.id, q->entry.set, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

void op_read(struct gate_request *r, void (*got)(struct gate_request *r))
{
    struct request_get *q = &r->u.get;
    r->cleanup = read_cleanup;
    r->slot = recent_slot(r->gate->recent, r->bucket->id, r->name.key);
    buf_init(&q->locations, ENTRY_BLOB_ROWS_MAX * (LOCATION_BYTES_MAX + 2));
    buf_init(&q->parts, FOUND_PARTS_BYTES_MAX + WIRE_FRAME_BYTES_MAX);
    q->got = got;
    read_find(r);
}

/* release in portions ------------------------------------------------------------------------------------------------------------ */

static void release_go(struct gate_request *r, struct request_get *q)
{
    if (q->spent) step_release_next(r, q);
    else step_release_from(r, q, request_recorded(r), &q->says);
}

static void release_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct request_get *q = r->next;
    if (!m || m->present != WIRE_FOUND_PRESENT) {
        s3_fault_set(&r->fault, S3E_ServiceUnavailable, NULL);
        buf_reset(&r->headers_out);
        request_fail(r, request_recorded(r));
        return;
    }
    buf_reset(&q->parts);
    buf_put_slice(&q->parts, m->parts);
    release_go(r, q);
}

/* Rows of a set never change while something names it, and the leaf stands already: what is missing is asked for now. */
static void release_ask(struct gate_request *r, struct request_get *q)
{
    uint64_t end = q->says.off + q->says.len;
    if (q->says.size == 0) {
        read_find_part(r, q, 1, 1, release_found);
        return;
    }
    r->find.found = release_found;
    r->find.sending = NULL;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.mode = WIRE_FIND_SET, .off = q->released, .len = end - q->released};
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    memcpy(r->find.find.id, q->entry.set, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

void read_release(struct gate_request *r, struct request_get *from, const struct release_says *says)
{
    bool rows = !says->head && (from->entry.flags & ENTRY_SET) && (says->len || says->size == 0);
    from->says = *says;
    from->released = says->off;
    from->set_begun = from->spent = false;
    r->next = from;
    if (rows && !step_release_rows_there(from)) release_ask(r, from);
    else release_go(r, from);
}

void op_get_next(struct gate_request *r)
{
    struct request_get *q = r->next;
    if (r->state == REQUEST_NEXT) r->state = REQUEST_WORKING;
    q->awaits_next = false;
    if (step_release_rows_there(q)) release_go(r, q);
    else release_ask(r, q);
}
