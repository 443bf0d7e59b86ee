/* SPDX-License-Identifier: Apache-2.0
 * batch: keys held in sorted order, one leaf and one command per slice (rule 13).
 * Role: below op_batch.c. Trusts: flow.c to settle. Distrusts: what the keeper found.
 * Law: 1, 4 (each item is decided). Spec: docs/spec/order.md rule 13; docs/spec/record.md (`items`, `root`).
 */
#include "gate/batch.h"

#include <stdlib.h>

#include "gate/object.h"
#include "gate/recent.h"
#include "record/record.h"

struct batch_slice {                               /* ctx of a slice's write */
    struct batch *batch;
    size_t from, to;
};

static size_t jobs;                                /* of all tenants: GATE_BATCHES_MAX */

/* order ------------------------------------------------------------------------------------------------------------------- */

static int compare_u64(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }

static int by_what(const struct item *x, const struct item *y)
{
    int c = slice_cmp(x->key, y->key);
    if (!c) c = compare_u64(x->want, y->want);
    if (!c) c = compare_u64(x->named, y->named);
    if (!c) c = compare_u64(x->named_order, y->named_order);
    return c ? c : memcmp(x->upload, y->upload, ID_BYTES);
}

static int by_key(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int c = by_what(x, y);
    return c ? c : compare_u64(x->order, y->order);
}

enum s3_error batch_order(struct batch *b)
{
    qsort(b->items, b->count, sizeof *b->items, by_key);
    for (size_t i = 0; i < b->count; i++) {
        struct item *x = &b->items[i], *before = i ? x - 1 : NULL;
        bool same = before && slice_eq(x->key, before->key);
        list_init(&x->hold.node);
        x->batch = b;
        x->ver = UINT64_MAX;
        x->kind = ITEM_OUT;
        x->slot = recent_slot(b->r->gate->recent, b->r->bucket->id, x->key);
        x->lead = same ? before->lead : x;
        x->last = true;
        if (same) before->last = false;
        /* One thing named twice has one outcome: it must have been asked for in one way. */
        x->twin = same && by_what(before, x) == 0;
        if (x->twin && (x->etag.p || before->etag.p || x->code != before->code)) return S3E_InvalidRequest;
    }
    return S3E_NONE;
}

const struct item *batch_outcome(const struct item *x)
{
    while (x->twin) x--;
    return x;
}

/* ends ---------------------------------------------------------------------------------------------------------------------- */

static void lead_release(struct batch *b, struct item *lead)
{
    if (!lead->hold.hold && !lead->held) return;
    hold_release(&lead->hold);
    if (lead->held) b->r->bucket->holds--;
    lead->held = false;
}

/* Of a slice: the keys that end in it. */
static void batch_unhold(struct batch *b, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (b->items[i].last && !b->items[i].lead->split) lead_release(b, b->items[i].lead);
}

void batch_leave(struct batch *b)
{
    ASSERT(b->open == 0);
    loop_job_del(b->r->gate->loop, &b->job);
    for (size_t i = 0; i < b->count; i++) {
        keeper_forget(b->r->gate, &b->items[i].find);
        if (b->items[i].lead) lead_release(b, &b->items[i]);
    }
    hold_release(&b->turn);
    if (b->counted) jobs--;
    b->counted = false;
}

/* One of the things that are waited for is over. b may be gone afterwards. */
static void batch_close(struct batch *b)
{
    ASSERT(b->open > 0);
    if (--b->open > 0) return;
    b->r->write = NULL;
    b->over(b, S3E_NONE, false);
}

static void slice_unhold(struct gate_write *w)
{
    struct batch_slice *s = w->ctx;
    batch_unhold(s->batch, s->from, s->to);
}

static bool item_writes(const struct item *x)
{
    return !x->twin && x->code == S3E_NONE && x->kind != ITEM_NOTHING && x->kind != ITEM_OUT;
}

static void slice_done(struct gate_write *w, bool applied)
{
    struct batch_slice *s = w->ctx;
    struct batch *b = s->batch;
    for (size_t i = s->from; i < s->to; i++)
        if (!applied && item_writes(&b->items[i])) b->items[i].code = S3E_ServiceUnavailable;
    free(s);
    batch_close(b);
}

static void read_durable(struct gate_request *r, const struct recorded *rec)
{
    struct batch *b = r->u.job;
    (void)rec;
    b->waits = false;
    if (!b->in_record && b->next == b->count) {
        batch_close(b);
        return;
    }
    b->open--;
    if (!b->in_record) loop_job_add(r->gate->loop, &b->job);
}

/* leaves ------------------------------------------------------------------------------------------------------------------------ */

/* An item's bytes in the opening. */
static size_t item_bytes(const struct item *x) { return 1 + 2 + x->key.n + 8; }

static void slice_items(struct batch *b, size_t from, size_t to, struct buf *items, struct leaf_says *says)
{
    struct gate *g = b->r->gate;
    struct ledger_frontier f;
    uint8_t hash[HASH_BYTES];
    ledger_frontier_init(&f);
    for (size_t i = from; i < to; i++) {
        const struct item *x = &b->items[i];
        if (x->twin || x->code != S3E_NONE || x->kind == ITEM_OUT) continue;
        size_t at = items->n;
        record_row_put(items, (uint8_t)x->kind, x->key, x->kind == ITEM_NOTHING ? UINT64_MAX : x->ver);
        ledger_leaf_hash(&g->hash, slice_of(items->p + at, items->n - at), hash);
        ledger_frontier_append(&g->hash, &f, hash, NULL, NULL);
    }
    says->has_batch = true;
    says->n = f.size;
    ledger_frontier_root(&g->hash, &f, says->root);
    says->items = items->n ? buf_slice(items) : SLICE_LIT("");
}

static enum err marker_put(struct batch *b, struct item *x, uint64_t at, struct buf *out)
{
    struct gate_request *r = b->r;
    struct gate *g = r->gate;
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = x->key};
    struct entry e = {0};
    object_head(r, ENTRY_MARKER, at, &e);
    buf_reset(&r->body_bytes);
    TRY(entry_seal(g->crypto, &g->hash, g->rng, &r->bucket->key, &r->tenant->key, &place, &e, slice_of(NULL, 0), &r->body_bytes));
    command_item(out, COMMAND_PUT);
    command_place(out, r->bucket->id, x->key);
    command_turn(out, &x->turn);
    command_staged(out);
    command_entry(out, buf_slice(&r->body_bytes));
    x->marker = true;
    x->made_flags = e.flags;
    x->made_index = e.index;
    x->made_order = e.order;
    return ERR_OK;
}

static enum err item_put(struct batch *b, struct item *x, uint64_t at, struct gate_write *w)
{
    struct gate_request *r = b->r;
    struct buf *out = &w->command;
    uint64_t due = at + MAX(r->tenant->grave_ms, (uint64_t)GRAVE_MIN_MS);
    switch (x->kind) {
    case ITEM_MARKER:
        TRY(marker_put(b, x, at, out));
        due = object_grave_due(r, &x->turn, at);
        break;
    case ITEM_ENDED:
        command_item(out, COMMAND_DELETE);
        command_place(out, r->bucket->id, x->key);
        command_turn(out, &x->turn);
        break;
    case ITEM_VERSION:
        command_item(out, COMMAND_DELVER);
        command_place(out, r->bucket->id, x->key);
        command_u64(out, x->ver);
        command_u64(out, r->tenant->grave_ms);
        break;
    default:
        ASSERT(x->kind == ITEM_UPLOAD);
        command_item(out, COMMAND_ABORT);
        command_place(out, r->bucket->id, x->key);
        command_id(out, x->upload);
        due = 0;                                   /* parts are released at once */
    }
    w->grave_due_ms = MAX(w->grave_due_ms, due);
    w->slots[w->slot_count++] = x->slot;
    return ERR_OK;
}

static enum err slice_command(struct batch *b, size_t from, size_t to, size_t n, uint64_t at, struct gate_write *w)
{
    w->slots = calloc(n, sizeof *w->slots);
    ASSERT(w->slots);
    command_begin(&w->command, COMMAND_BATCH, at);
    command_batch_count(&w->command, n);
    for (size_t i = from; i < to; i++)
        if (item_writes(&b->items[i])) TRY(item_put(b, &b->items[i], at, w));
    ASSERT(buf_ok(&w->command) && w->slot_count == n);
    return ERR_OK;
}

/* Nothing of a slice is there: a read-like leaf. What comes behind it waits until it is durable, so that it is whatever the answer waits for. */
static enum err slice_read(struct batch *b, size_t from, size_t to, const struct leaf_says *says)
{
    struct gate_request *r = b->r;
    b->open++;
    b->waits = b->in_record = true;
    enum err e = step_record(r, r->decided, says, NULL, read_durable);
    b->in_record = false;
    if (e != ERR_OK) {
        b->waits = false;
        b->open--;
        return e;
    }
    batch_unhold(b, from, to);
    return ERR_OK;
}

/* One slice: a write leaf when something of it is there. */
static enum err slice_record(struct batch *b, size_t from, size_t to)
{
    struct gate_request *r = b->r;
    AUTO(buf) struct buf items = BUF_INIT(OPENING_BYTES_MAX);
    size_t n = 0;
    uint64_t at;
    for (size_t i = from; i < to; i++) n += item_writes(&b->items[i]);
    struct leaf_says says = {.write = n > 0};
    TRY(log_time(r->tenant->access, loop_wall_ms(r->gate->loop), &at));
    slice_items(b, from, to, &items, &says);
    if (n == 0) return slice_read(b, from, to, &says);
    struct batch_slice *s = calloc(1, sizeof *s);
    ASSERT(s);
    *s = (struct batch_slice){.batch = b, .from = from, .to = to};
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    enum err e = slice_command(b, from, to, n, at, w);
    w->unhold = slice_unhold;
    w->done = slice_done;
    w->ctx = s;
    if (e == ERR_OK) e = step_record(r, r->decided, &says, w, NULL);
    if (e == ERR_OK) {
        b->open++;
        r->write = w;                              /* keeps the request until the last slice is settled */
        return ERR_OK;
    }
    free(s);
    flow_write_free(w);
    return e;
}

/* The last guards of an item, in the turn of its leaf: it may be ended, and nothing before it in the batch has ended it. */
static void item_guards(struct batch *b, struct item *x)
{
    const struct item *lead = x->lead;
    enum s3_op op = x->want == WANT_CURRENT ? S3_OP_DeleteObject : S3_OP_DeleteObjectVersion;
    if (x->twin || x->code != S3E_NONE) return;
    if (!b->automatic && !step_decide_also(b->r, b->r->verified, op, x->key, x->vid)) x->code = S3E_AccessDenied;
    bool turned = lead != x && lead->want == WANT_CURRENT && item_writes(lead);
    if (turned && x->kind == ITEM_VERSION && ((!lead->turn.keep && x->ver == lead->turn.guard) || x->ver == lead->turn.null_index))
        x->kind = ITEM_NOTHING;
}

/* The next slice: as many items as fit. A key of which it takes only some stays held to the end. */
static size_t slice_end(struct batch *b, size_t from)
{
    size_t bytes = 0, markers = 0, to = from;
    for (; to < b->count; to++) {
        struct item *x = &b->items[to];
        item_guards(b, x);
        if (x->twin) continue;
        bytes += item_bytes(x);
        markers += x->kind == ITEM_MARKER && x->code == S3E_NONE;
        if (to > from && (bytes > GATE_BATCH_ITEMS_BYTES_MAX || markers > GATE_BATCH_MARKERS_MAX)) break;
    }
    if (to < b->count && b->items[to].lead != &b->items[to]) b->items[to].lead->split = true;
    return to;
}

/* What was not recorded is not done. */
static void batch_give_up(struct batch *b, enum s3_error code)
{
    b->r->fault.code = S3E_NONE;
    for (; b->next < b->count; b->next++) {
        struct item *x = &b->items[b->next];
        if (x->code == S3E_NONE) x->code = code;
        if (x->last && !x->lead->split) lead_release(b, x->lead);
    }
}

static void batch_fail(struct batch *b, enum s3_error code, bool denied)
{
    b->open = 0;
    b->over(b, code, denied);
}

/* Slices, one after another, as time permits. The control log may move between two of them: each is decided under what holds then. */
static bool batch_job(struct loop_job *j, uint64_t budget_us)
{
    struct batch *b = j->ctx;
    struct gate_request *r = b->r;
    uint64_t until = clock_mono_us() + budget_us;
    while (b->next < b->count) {
        const struct policy_bucket *now = object_bucket(r);
        enum s3_error code = S3E_NONE;
        bool allowed = step_still_allowed(r);
        if (!allowed) code = S3E_AccessDenied;
        else if (!now || now->versioning != b->versioning) code = S3E_SlowDown;      /* the turns would be others now */
        else if (!logbook_ready(r->gate->logbook, true) || !r->gate->writable) code = S3E_ServiceUnavailable;
        size_t to = code == S3E_NONE ? slice_end(b, b->next) : b->next;
        enum err e = code == S3E_NONE ? slice_record(b, b->next, to) : ERR_OK;
        if (e != ERR_OK) {
            log_line(LOG_ERROR, "batch-not-recorded", "err=%s", err_name(e));
            code = S3E_ServiceUnavailable;
        }
        if (code != S3E_NONE && !b->recorded) {
            loop_job_del(r->gate->loop, j);
            batch_fail(b, code, !allowed);
            return false;
        }
        if (code != S3E_NONE) {
            batch_give_up(b, code);
            break;
        }
        b->recorded = true;
        b->next = to;
        if (b->next == b->count) break;
        if (b->waits) {
            loop_job_del(r->gate->loop, j);
            return false;
        }
        if (clock_mono_us() >= until) return true;
    }
    loop_job_del(r->gate->loop, j);
    batch_close(b);
    return false;
}

/* finds ------------------------------------------------------------------------------------------------------------------------- */

static enum s3_error item_etag(const struct item *x, const struct entry *e)
{
    struct s3_conditions c = {.if_match = x->etag};
    const char *condition = NULL;
    bool there = x->ver != UINT64_MAX;
    return s3_condition_delete(&c, there, slice_of(e->facts.etag, there ? e->facts.etag_n : 0), &condition);
}

static enum s3_error item_look(struct batch *b, struct item *x, const struct wire_found *m)
{
    struct gate_request *r = b->r;
    struct entry e = {0};
    bool there = m->present == WIRE_FOUND_PRESENT;
    if (m->present == WIRE_FOUND_IO) return S3E_ServiceUnavailable;
    if (there && entry_parse(m->entry, &e) != ERR_OK) return S3E_InternalError;
    bool null = e.flags & ENTRY_NULL, is_it = there;
    if (there && x->want == WANT_VERSION) is_it = x->any_order || (!null && e.order == x->named_order);
    if (there && x->want == WANT_UPLOAD) is_it = e.flags & ENTRY_UPLOAD;
    if (is_it) {
        struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = x->key};
        x->ver = e.index;
        x->marker = e.flags & ENTRY_MARKER;
        if (x->etag.p && entry_open_facts(r->gate->crypto, &r->bucket->key, &place, &e) != ERR_OK) return S3E_InternalError;
    }
    if (x->want == WANT_CURRENT) {
        bool other = x->expect != UINT64_MAX && (x->ver != x->expect || x->marker);
        request_turn(r, m, is_it ? &e : NULL, &x->turn);
        x->marker = false;                         /* what is made, not what was there */
        x->kind = other ? ITEM_OUT : request_versioned(r) ? ITEM_MARKER : is_it ? ITEM_ENDED : ITEM_NOTHING;
    } else if (x->want == WANT_UPLOAD) {
        x->kind = is_it ? ITEM_UPLOAD : ITEM_OUT;
    } else {
        x->kind = is_it ? ITEM_VERSION : b->automatic ? ITEM_OUT : ITEM_NOTHING;
    }
    return x->etag.p ? item_etag(x, &e) : S3E_NONE;
}

static void item_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct item *x = a->ctx;
    struct batch *b = x->batch;
    if (!m) b->failed = true;
    else if (x->code == S3E_NONE) x->code = item_look(b, x, m);
    if (--b->finding) return;
    if (b->failed) {
        batch_fail(b, S3E_ServiceUnavailable, false);
        return;
    }
    b->open = 1;                                   /* until every slice is recorded */
    b->job.run = batch_job;
    loop_job_add(b->r->gate->loop, &b->job);
}

static void batch_find(struct batch *b)
{
    struct gate_request *r = b->r;
    static const uint8_t modes[] = {[WANT_CURRENT] = WIRE_FIND_CURRENT, [WANT_NULL] = WIRE_FIND_NULLVER, [WANT_VERSION] = WIRE_FIND_VERSION,
                                    [WANT_UPLOAD] = WIRE_FIND_UPLOAD};
    const struct policy_bucket *now = object_bucket(r);
    b->versioning = now ? now->versioning : POLICY_VERSIONING_OFF;
    b->finding = 1;                                /* until all are asked */
    for (size_t i = 0; i < b->count; i++) {
        struct item *x = &b->items[i];
        if (x->twin) continue;
        x->find.ctx = x;
        x->find.found = item_found;
        x->find.find = (struct wire_find){.mode = modes[x->want], .want_null = x->want == WANT_CURRENT && request_wants_null(r), .key = x->key,
                                          .index = x->want == WANT_VERSION ? x->named : 0};
        memcpy(x->find.find.bucket, r->bucket->id, ID_BYTES);
        if (x->want == WANT_UPLOAD) memcpy(x->find.find.id, x->upload, ID_BYTES);
        b->finding++;
        keeper_find(r->gate, &x->find);
    }
    b->finding--;
    ASSERT(b->finding > 0);                        /* answers come in later turns */
}

/* holds: one after another, in sorted order, so that two batches cannot wait for each other ---------------------------------------- */

static void item_held(struct hold_wait *w, bool yes);

static void batch_hold(struct batch *b)
{
    struct gate_request *r = b->r;
    for (; b->at < b->count; b->at++) {
        struct item *x = &b->items[b->at];
        if (x->lead != x) continue;
        x->hold.got = item_held;
        x->hold.ctx = x;
        enum hold_result h = r->bucket->closing ? HOLD_FULL : hold_take(r->gate->holds, r->bucket->id, x->key, &x->hold);
        if (h == HOLD_FULL) {
            batch_fail(b, S3E_SlowDown, false);
            return;
        }
        x->held = true;
        r->bucket->holds++;
        if (h == HOLD_WAITING) return;
    }
    batch_find(b);
}

static void item_held(struct hold_wait *w, bool yes)
{
    struct item *x = w->ctx;
    struct batch *b = x->batch;
    if (!yes) {
        x->held = false;
        b->r->bucket->holds--;
        batch_fail(b, S3E_SlowDown, false);
        return;
    }
    b->at++;
    batch_hold(b);
}

static void batch_turn(struct hold_wait *w, bool yes)
{
    struct batch *b = w->ctx;
    if (!yes || jobs >= GATE_BATCHES_MAX) {        /* four in all; a busy hour is for the caller to wait out */
        batch_fail(b, S3E_SlowDown, false);
        return;
    }
    jobs++;
    b->counted = true;
    batch_hold(b);
}

void batch_begin(struct batch *b)
{
    struct gate_request *r = b->r;
    list_init(&b->turn.node);
    b->job.ctx = b;
    b->turn.got = batch_turn;
    b->turn.ctx = b;
    /* One such job a tenant: a hold on a name that no bucket can have. */
    switch (hold_take(r->gate->holds, r->tenant->id, SLICE_LIT("\x01" "batch"), &b->turn)) {
    case HOLD_TAKEN: batch_turn(&b->turn, true); break;
    case HOLD_WAITING: break;
    case HOLD_FULL: batch_fail(b, S3E_SlowDown, false); break;
    }
}
