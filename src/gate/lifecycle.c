/* SPDX-License-Identifier: Apache-2.0
 * lifecycle: ends what buckets' lifecycle rules say is over: versions and uploads, on record like any other write.
 * Role: the steward's tick (TEND_LIFECYCLE) -> tenant by tenant, bucket by bucket: SCAN pages -> facts -> judge -> batch_auto() (op_batch.c), which
 * takes the holds, looks again, decides as `auto` and writes the leaves. One bucket at a time, in slices of the loop's jobs.
 * Trusts: entry.c's seals, the fold's document. Distrusts: the snapshot, which is old by the time it is judged: batch_auto() finds again.
 * Law: 1 (automation has its leaves), 4 (rules are the control log's). Spec: docs/spec/order.md section 3
 */
#include <stdlib.h>

#include "gate/request.h"
#include "s3/s3_config.h"

#define LIFECYCLE_PAGE_ROWS (S3_DELETE_KEYS_MAX - 1)   /* and the one that waits for its successor: one batch */
#define LIFECYCLE_ROWS_BYTES_MAX (4 * 1024 * 1024)
#define ROWS_BETWEEN_LOOKS 16

/* A version whose successor decides what it is: whether anything stands behind a delete marker. */
struct pending {
    bool there;
    struct buf key;
    struct entry e;                                /* head and facts only */
    uint64_t since_ms;                             /* mtime of the version that replaced it */
    uint32_t newer;                                /* noncurrent versions of the key before it */
    bool current;
};
struct lifecycle {
    struct gate *gate;
    size_t tenant_at;
    struct gate_tenant *tenant;
    struct buf ids;                                /* of the tenant's buckets with rules, ID_BYTES each */
    size_t id_at;
    struct gate_bucket *bucket;
    struct s3_lifecycle *rules;
    bool asks_tags, uploads, more;
    uint64_t now_ms;
    struct keeper_ask ask, find;
    struct buf rows, after;
    struct reader cursor;
    uint64_t after_index;
    uint8_t after_id[ID_BYTES];
    struct pending last;
    size_t wish_count;
    struct batch_wish wishes[S3_DELETE_KEYS_MAX];
    struct buf keys;                               /* the wishes' keys, lp16 */
    struct loop_job job;
    struct loop_after next;
};

static struct lifecycle *running;                  /* one at a time, whoever asks */

static void bucket_next(struct lifecycle *l);
static void page_ask(struct lifecycle *l);

static void lifecycle_end(struct lifecycle *l)
{
    buf_done(&l->ids);
    buf_done(&l->rows);
    buf_done(&l->after);
    buf_done(&l->keys);
    buf_done(&l->last.key);
    s3_lifecycle_free(l->rules);
    free(l);
    running = NULL;
}

/* From the loop: batches and scans may answer in the turn they are asked, and buckets are many. */
static void next_turn(struct loop_after *a) { bucket_next(a->ctx); }

static void bucket_over(struct lifecycle *l)
{
    s3_lifecycle_free(l->rules);
    l->rules = NULL;
    l->bucket = NULL;
    l->next.run = next_turn;
    l->next.ctx = l;
    loop_after_add(l->gate->loop, &l->next);
}

/* wishes ------------------------------------------------------------------------------------------------------------------------------ */

static void wish(struct lifecycle *l, enum batch_wish_kind kind, struct slice key, uint64_t ver, const uint8_t *upload)
{
    ASSERT(l->wish_count < ARRAY_LEN(l->wishes));
    struct batch_wish *w = &l->wishes[l->wish_count++];
    *w = (struct batch_wish){.kind = (uint8_t)kind, .ver = ver};
    if (upload) memcpy(w->upload, upload, ID_BYTES);
    buf_put_lp16(&l->keys, key);                   /* the slice is set when no more are added */
    ASSERT(buf_ok(&l->keys));
}

static void page_done(void *ctx, size_t done_count)
{
    struct lifecycle *l = ctx;
    bool nothing = done_count == 0;                /* busy, or not served: the next sweep comes back to it */
    l->wish_count = 0;
    buf_reset(&l->keys);
    if (nothing || l->bucket->dead) {
        bucket_over(l);
    } else if (l->more) {
        page_ask(l);
    } else if (!l->uploads) {
        l->uploads = true;
        buf_reset(&l->after);
        l->after_index = 0;
        memset(l->after_id, 0, ID_BYTES);
        page_ask(l);
    } else {
        bucket_over(l);
    }
}

static void page_flush(struct lifecycle *l)
{
    if (l->wish_count == 0) {
        page_done(l, 1);
        return;
    }
    struct reader keys = reader_of(buf_slice(&l->keys));
    for (size_t i = 0; i < l->wish_count; i++) l->wishes[i].key = reader_lp16(&keys, S3_KEY_BYTES_MAX);
    ASSERT(reader_end(&keys) == ERR_OK);
    batch_auto(l->gate, l->tenant, l->bucket, l->uploads ? "LifecycleAbort" : "LifecycleExpire", l->wishes, l->wish_count, page_done, l);
}

/* judging ------------------------------------------------------------------------------------------------------------------------------ */

static enum s3_lifecycle_action pending_judge(struct lifecycle *l, bool behind, struct slice tags)
{
    const struct pending *p = &l->last;
    const struct s3_lifecycle_object o = {.key = buf_slice(&p->key), .tags = tags, .size = p->e.facts.size, .mtime_ms = p->e.facts.mtime_ms,
                                          .current = p->current, .delete_marker = p->e.flags & ENTRY_MARKER, .only_version = !behind,
                                          .noncurrent_since_ms = p->since_ms, .newer_noncurrent = p->newer};
    return s3_lifecycle_judge(l->rules, &o, l->now_ms, l->gate->conf.lifecycle_day_ms);
}

static void pending_act(struct lifecycle *l, enum s3_lifecycle_action a)
{
    if (a == S3_LIFECYCLE_EXPIRE) wish(l, BATCH_EXPIRE, buf_slice(&l->last.key), l->last.e.index, NULL);
    if (a == S3_LIFECYCLE_REMOVE) wish(l, BATCH_REMOVE, buf_slice(&l->last.key), l->last.e.index, NULL);
    l->last.there = false;
}

static void found_tags(struct keeper_ask *a, const struct wire_found *m);

/* The version before this row is known now. False: its tags are being asked for; the job goes on when they came. */
static bool pending_over(struct lifecycle *l, bool behind)
{
    struct pending *p = &l->last;
    if (!p->there) return true;
    enum s3_lifecycle_action a = pending_judge(l, behind, slice_of(NULL, 0));
    if (a != S3_LIFECYCLE_KEEP || !l->asks_tags || p->e.facts.tags == 0) {
        pending_act(l, a);
        return true;
    }
    l->find = (struct keeper_ask){.found = found_tags, .ctx = l};
    list_init(&l->find.node);
    l->find.find = (struct wire_find){.mode = WIRE_FIND_VERSION, .key = buf_slice(&p->key), .index = p->e.index};
    memcpy(l->find.find.bucket, l->bucket->id, ID_BYTES);
    keeper_find(l->gate, &l->find);
    return false;
}

static void pending_set(struct lifecycle *l, const struct wire_scan_row *row, const struct entry *e)
{
    struct pending *p = &l->last;
    bool same = p->key.n && slice_eq(buf_slice(&p->key), row->key);
    uint64_t since = same ? p->e.facts.mtime_ms : e->facts.mtime_ms;
    uint32_t newer = same ? p->newer + !p->current : 0;
    buf_reset(&p->key);
    buf_put_slice(&p->key, row->key);
    p->e = *e;
    p->e.facts_sealed = slice_of(NULL, 0);         /* the page's bytes go */
    p->since_ms = since;
    p->newer = newer;
    p->current = row->current != 0;
    p->there = true;
}

static enum err row_open(struct lifecycle *l, const struct wire_scan_row *row, struct entry *e)
{
    AUTO(buf) struct buf name = BUF_INIT(S3_KEY_BYTES_MAX + 64);
    struct entry_place place = {.tenant = l->tenant->id, .bucket = l->bucket->id, .key = row->key};
    if (row->kind == WIRE_ROW_UPLOAD) {
        if (row->upload.n != ID_BYTES) return ERR_CORRUPT;
        entry_part_name(&name, row->key, row->upload.p, 0);
        place.key = buf_slice(&name);
    }
    entry_of_scan(row, e);
    return entry_open_facts(l->gate->crypto, &l->bucket->key, &place, e);
}

/* jobs ----------------------------------------------------------------------------------------------------------------------------------- */

/* One row. False: stop, found_tags() goes on with the same row. */
static bool row_take(struct lifecycle *l, const struct wire_scan_row *row, enum err *err)
{
    struct entry e;
    bool same = l->last.there && slice_eq(buf_slice(&l->last.key), row->key);
    if (!l->uploads && !pending_over(l, same)) return false;
    *err = row_open(l, row, &e);
    if (*err != ERR_OK) return true;
    buf_reset(&l->after);
    buf_put_slice(&l->after, row->key);
    if (!l->uploads) {
        l->after_index = row->leaf_index;
        pending_set(l, row, &e);
        return true;
    }
    memcpy(l->after_id, row->upload.p, ID_BYTES);
    if (s3_lifecycle_abort(l->rules, row->key, e.facts.mtime_ms, l->now_ms, l->gate->conf.lifecycle_day_ms))
        wish(l, BATCH_ABORT, row->key, row->leaf_index, row->upload.p);
    return true;
}

static bool page_job(struct loop_job *j, uint64_t budget_us)
{
    struct lifecycle *l = j->ctx;
    uint64_t until = clock_mono_us() + budget_us;
    struct wire_scan_row row;
    for (unsigned n = 1; reader_left(&l->cursor) > 0; n++) {
        if (n % ROWS_BETWEEN_LOOKS == 0 && clock_mono_us() >= until) return true;
        struct reader before = l->cursor;
        enum err e = ERR_OK;
        if (!wire_next_scan_row(&l->cursor, &row)) e = ERR_CORRUPT;
        else if (!row_take(l, &row, &e)) {
            l->cursor = before;
            loop_job_del(l->gate->loop, j);
            return false;
        }
        if (e == ERR_OK) continue;
        log_line(LOG_ERROR, "lifecycle-does-not-open", "err=%s", err_name(e));
        loop_job_del(l->gate->loop, j);
        l->last.there = false;
        bucket_over(l);
        return false;
    }
    bool last = !l->more && !l->uploads;
    if (last && !pending_over(l, false)) {         /* nothing stands behind the bucket's last version */
        loop_job_del(l->gate->loop, j);
        return false;
    }
    loop_job_del(l->gate->loop, j);
    page_flush(l);
    return false;
}

static void page_go(struct lifecycle *l)
{
    l->job.run = page_job;
    l->job.ctx = l;
    loop_job_add(l->gate->loop, &l->job);
}

/* Judged again with what it is tagged with; gone or not to be opened: kept. */
static void found_tags(struct keeper_ask *a, const struct wire_found *m)
{
    struct lifecycle *l = a->ctx;
    struct entry e = {0};
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX);
    struct entry_place place = {.tenant = l->tenant->id, .bucket = l->bucket->id, .key = buf_slice(&l->last.key)};
    bool there = m && m->present == WIRE_FOUND_PRESENT && entry_parse(m->entry, &e) == ERR_OK &&
                 entry_open_meta(l->gate->crypto, &l->bucket->key, &place, &e, &meta) == ERR_OK;
    /* What stands behind it only concerns delete markers, which have no tags. */
    if (there) pending_act(l, pending_judge(l, true, entry_meta_header(buf_slice(&meta), "x-amz-tagging")));
    l->last.there = false;
    page_go(l);
}

/* pages ---------------------------------------------------------------------------------------------------------------------------------- */

static void page_rows(struct keeper_ask *a, const struct wire_rows *m)
{
    struct lifecycle *l = a->ctx;
    if (m) buf_put_slice(&l->rows, m->rows);
    if (m && !m->last && buf_ok(&l->rows)) return;
    if (!m || m->failed || !buf_ok(&l->rows)) {
        if (m && !m->last) keeper_forget(l->gate, a);
        l->last.there = false;
        bucket_over(l);
        return;
    }
    l->more = m->more != 0;
    if (l->rows.n == 0 && l->more) {               /* the budget was spent on nothing to be seen */
        buf_reset(&l->after);
        buf_put_slice(&l->after, m->next);
        l->after_index = 0;
        memset(l->after_id, 0, ID_BYTES);
    }
    l->cursor = reader_of(buf_slice(&l->rows));
    page_go(l);
}

static void page_sending(struct keeper_ask *a)
{
    struct lifecycle *l = a->ctx;
    buf_reset(&l->rows);
}

static void page_ask(struct lifecycle *l)
{
    l->ask = (struct keeper_ask){.rows = page_rows, .sending = page_sending, .ctx = l};
    list_init(&l->ask.node);
    l->ask.scan = (struct wire_scan){.kind = l->uploads ? WIRE_SCAN_UPLOADS : WIRE_SCAN_VERSIONS, .after = buf_slice(&l->after),
                                     .after_index = l->uploads ? 0 : l->after_index, .rows_max = LIFECYCLE_PAGE_ROWS, .budget = SCAN_ROWS_BUDGET};
    memcpy(l->ask.scan.bucket, l->bucket->id, ID_BYTES);
    memcpy(l->ask.scan.log, log_id(l->tenant->access), ID_BYTES);
    if (l->uploads) memcpy(l->ask.scan.after_id, l->after_id, ID_BYTES);
    keeper_scan(l->gate, &l->ask);
}

/* buckets -------------------------------------------------------------------------------------------------------------------------------- */

/* The next served tenant's buckets that have rules. False: there is none. */
static bool tenant_next(struct lifecycle *l)
{
    struct gate *g = l->gate;
    while (l->tenant_at < g->tenant_count) {
        struct gate_tenant *t = g->tenant_list[l->tenant_at++];
        size_t cursor = 0;
        buf_reset(&l->ids);
        l->id_at = 0;
        for (const struct policy_bucket *b; t->served && (b = policy_bucket_next(t->state, &cursor));)
            if (policy_bucket_doc(b, POLICY_DOC_LIFECYCLE).n) buf_put(&l->ids, b->id, ID_BYTES);
        l->tenant = t;
        if (l->ids.n && buf_ok(&l->ids)) return true;
    }
    return false;
}

static bool has_text(struct slice in, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= in.n; i++)
        if (memcmp(in.p + i, text, n) == 0) return true;
    return false;
}

static bool bucket_begin(struct lifecycle *l, const uint8_t *id)
{
    const struct policy_bucket *b = policy_bucket_of_id(l->tenant->state, id);
    struct slice doc = b ? policy_bucket_doc(b, POLICY_DOC_LIFECYCLE) : slice_of(NULL, 0);
    l->bucket = map_get(l->tenant->bucket_ids, slice_of(id, ID_BYTES));
    if (!doc.n || !l->bucket || l->bucket->dead || !l->tenant->served) return false;
    l->rules = s3_lifecycle_read(doc);
    if (!l->rules) {
        log_line(LOG_ERROR, "lifecycle-not-read", "bytes=%zu", doc.n);
        return false;
    }
    l->asks_tags = has_text(doc, "<Tag>");
    l->uploads = l->more = l->last.there = false;
    buf_reset(&l->after);
    buf_reset(&l->last.key);
    l->after_index = 0;
    memset(l->after_id, 0, ID_BYTES);
    l->now_ms = loop_wall_ms(l->gate->loop);
    return true;
}

static void bucket_next(struct lifecycle *l)
{
    for (;;) {
        if (l->id_at == l->ids.n && !tenant_next(l)) {
            lifecycle_end(l);
            return;
        }
        const uint8_t *id = l->ids.p + l->id_at;
        l->id_at += ID_BYTES;
        if (bucket_begin(l, id)) break;
    }
    page_ask(l);
}

void lifecycle_run(struct gate *g)
{
    if (running) return;                           /* the sweep before is still at it */
    struct lifecycle *l = calloc(1, sizeof *l);
    if (!l) return;
    running = l;
    l->gate = g;
    buf_init(&l->ids, (size_t)S3_BUCKETS_PER_TENANT_MAX * ID_BYTES);
    buf_init(&l->rows, LIFECYCLE_ROWS_BYTES_MAX);
    buf_init(&l->after, S3_KEY_BYTES_MAX);
    buf_init(&l->keys, (size_t)S3_DELETE_KEYS_MAX * (S3_KEY_BYTES_MAX + 2));
    buf_init(&l->last.key, S3_KEY_BYTES_MAX);
    bucket_next(l);
}
