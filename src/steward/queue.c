/* SPDX-License-Identifier: Apache-2.0
 * queue: who is to be told what next.
 * Role: main.c asks the gate with its cursors and hands answers in; send.c tells. Nothing here calls, reads a clock or a file.
 * Trusts: that rows of one tenant come in the log's order (checked). Distrusts: how many targets and rows there are.
 * Spec: src/steward/notice.h; docs/spec/wire.md (cursors list, notices list)
 */
#include <stdio.h>
#include <stdlib.h>

#include "steward/notice.h"

#define KEY_BYTES_MAX (ID_BYTES + 1 + NOTICE_TARGET_BYTES_MAX)

struct notice_queue {
    struct map *tenants, *targets;
    struct list order;                             /* of targets; who was called last is last */
    size_t bytes, failing;                         /* failing: calls under way to those whose last call failed */
    enum notice_change changed;
};

struct notice_queue *notice_queue_new(void)
{
    struct notice_queue *q = calloc(1, sizeof *q);
    ASSERT(q);
    q->tenants = map_new(TENANTS_MAX), q->targets = map_new(NOTICE_TARGETS_MAX);
    ASSERT(q->tenants && q->targets);
    list_init(&q->order);
    return q;
}

struct notice_row *notice_first(const struct notice_target *t)
{
    return list_empty(&t->rows) ? NULL : container_of(t->rows.next, struct notice_row, node);
}

static void row_free(struct notice_queue *q, struct notice_target *t, struct notice_row *r)
{
    list_del(&r->node);
    t->row_count--;
    q->bytes -= r->bytes;
    free(r);
}

static void rows_drop(struct notice_queue *q, struct notice_target *t)
{
    while (!list_empty(&t->rows)) row_free(q, t, notice_first(t));
    t->queued = t->next;
}

static void target_free(struct notice_queue *q, struct notice_target *t)
{
    rows_drop(q, t);
    map_del(q->targets, t->key);
    list_del(&t->of_tenant);
    list_del(&t->in_order);
    t->tenant->target_count--;
    free(t);
}

void notice_queue_free(struct notice_queue *q)
{
    struct slice key;
    size_t cursor = 0;
    if (!q) return;
    while (!list_empty(&q->order)) target_free(q, container_of(q->order.next, struct notice_target, in_order));
    for (struct notice_tenant *t; (t = map_next(q->tenants, &cursor, &key));) free(t);
    map_free(q->tenants);
    map_free(q->targets);
    free(q);
}

static struct notice_tenant *tenant_of(struct notice_queue *q, struct slice id)
{
    struct notice_tenant *t = map_get(q->tenants, id);
    if (t) return t;
    t = calloc(1, sizeof *t);
    ASSERT(t);
    memcpy(t->id, id.p, ID_BYTES);
    list_init(&t->targets);
    if (map_put(q->tenants, id, t) == ERR_OK) return t;
    free(t);
    return NULL;
}

static struct slice key_of(struct slice tenant, uint8_t kind, struct slice text, uint8_t key[KEY_BYTES_MAX])
{
    memcpy(key, tenant.p, ID_BYTES);
    key[ID_BYTES] = kind;
    if (text.n) memcpy(key + ID_BYTES + 1, text.p, text.n);
    return slice_of(key, ID_BYTES + 1 + text.n);
}

/* NULL: there are as many as there may be. Attack: a tenant names one dead target after the other, and each is known until it was called: with all that can be
 * known its own, nobody else is told of anything. */
static struct notice_target *target_new(struct notice_queue *q, struct notice_tenant *tenant, uint8_t kind, struct slice key, uint64_t next)
{
    if (tenant->target_count >= NOTICE_TARGETS_TENANT_MAX) return NULL;
    struct notice_target *t = calloc(1, sizeof *t + key.n);
    ASSERT(t);
    uint8_t *copy = (uint8_t *)(t + 1);
    memcpy(copy, key.p, key.n);
    *t = (struct notice_target){.tenant = tenant, .kind = kind, .next = next, .queued = next, .asked = UINT64_MAX, .key = slice_of(copy, key.n),
                                .text = slice_of(copy + ID_BYTES + 1, key.n - ID_BYTES - 1)};
    if (map_put(q->targets, t->key, t) != ERR_OK) {
        free(t);
        return NULL;
    }
    list_init(&t->rows);
    list_add_tail(&tenant->targets, &t->of_tenant);
    tenant->target_count++;
    list_add_tail(&q->order, &t->in_order);
    return t;
}

/* asking -------------------------------------------------------------------------------------------------------------------------------- */

static bool waits(const struct notice_target *t, uint64_t now_ms)
{
    return !t->sending && list_empty(&t->rows) && t->queued < t->tenant->seen && t->due_ms <= now_ms;
}

bool notice_behind(const struct notice_queue *q, uint64_t now_ms)
{
    for (struct list *n = q->order.next; n != &q->order; n = n->next)
        if (waits(container_of(n, struct notice_target, in_order), now_ms)) return true;
    return false;
}

void notice_ask(struct notice_queue *q, bool back, uint64_t now_ms, struct buf *cursors)
{
    struct slice key;
    size_t cursor = 0;
    for (struct notice_tenant *t; (t = map_next(q->tenants, &cursor, &key));) t->asked = t->seen, t->answered = t->full = false;
    for (struct list *n = q->order.next; n != &q->order; n = n->next) {
        struct notice_target *t = container_of(n, struct notice_target, in_order);
        t->asked = UINT64_MAX;
        if (!back || !waits(t, now_ms)) continue;
        t->tenant->asked = t->asked = t->queued;
        back = false;
    }
    cursor = 0;
    for (struct notice_tenant *t; (t = map_next(q->tenants, &cursor, &key));) {
        const struct wire_cursor c = {.tenant = slice_of(t->id, ID_BYTES), .index = t->asked};
        wire_put_cursor(cursors, &c);
    }
}

/* answers ------------------------------------------------------------------------------------------------------------------------------- */

static bool row_put(struct notice_queue *q, struct notice_target *t, const struct wire_notice *n, uint64_t now_ms)
{
    size_t bytes = sizeof(struct notice_row) + n->event.n + n->signature.n;
    /* One is enough to see whether somebody is back: the dead must not hold the memory that the living need. */
    if (t->row_count >= (t->failures > 0 ? 1 : NOTICE_ROWS_MAX) || t->due_ms > now_ms) return false;
    /* Attack: targets that answer, but each as late as they may, hold as many rows as they can get. Half of the memory is for those that have none yet. */
    if (q->bytes + bytes > (t->row_count > 0 ? NOTICE_BYTES_MAX / 2 : NOTICE_BYTES_MAX)) return false;
    struct notice_row *r = malloc(bytes);
    ASSERT(r);
    uint8_t *copy = (uint8_t *)(r + 1);
    *r = (struct notice_row){.index = n->index, .got_ms = now_ms, .event = slice_of(copy, n->event.n), .signature = slice_of(copy + n->event.n, n->signature.n),
                             .bytes = bytes};
    if (n->event.n) memcpy(copy, n->event.p, n->event.n);
    if (n->signature.n) memcpy(copy + n->event.n, n->signature.p, n->signature.n);
    list_add_tail(&t->rows, &r->node);
    t->row_count++;
    q->bytes += bytes;
    return true;
}

/* The gate's spelling has time and type last. */
static bool refused_at(struct slice event, uint64_t *t_ms)
{
    static const char time[] = ",\"time\":\"2026-11-24T08:21:16.000Z\"", *const ends[] = {",\"type\":\"tillit.access.denied\"}", ",\"type\":\"tillit.access.refused\"}"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        size_t n = strlen(ends[i]), head = sizeof time - 1;
        if (event.n < n + head || memcmp(event.p + event.n - n, ends[i], n) != 0) continue;
        const uint8_t *at = event.p + event.n - n - head;
        return memcmp(at, time, 9) == 0 && time_parse_iso8601(slice_of(at + 9, head - 10), t_ms) == ERR_OK;
    }
    return false;
}

/* Attack: with requests or statements that are refused, thousands a minute, somebody makes a queue in front of what is done next. The first of each ten
 * seconds are told; all stand on the log. */
static bool one_alarm_too_many(struct notice_target *t, const struct wire_notice *n)
{
    uint64_t t_ms;
    if (n->index < t->alarms_below || !refused_at(n->event, &t_ms)) return false;
    t->alarms_below = n->index + 1;
    if (t->alarms == 0 || t_ms < t->alarms_from_ms || t_ms - t->alarms_from_ms >= NOTICE_ALARMS_MS) t->alarms_from_ms = t_ms, t->alarms = 0;
    if (t->alarms >= NOTICE_ALARMS_MAX) return true;
    t->alarms++;
    return false;
}

/* False: no more targets can be known; the tenant is looked at again from this leaf on. */
static bool take_row(struct notice_queue *q, struct notice_tenant *tenant, const struct wire_notice *n, uint64_t now_ms)
{
    uint8_t key[KEY_BYTES_MAX];
    struct slice k = key_of(n->tenant, n->kind, n->target, key);
    struct notice_target *t = map_get(q->targets, k);
    if (!t && n->index < tenant->seen) return true;        /* it was told when others were not */
    if (!t && !(t = target_new(q, tenant, n->kind, k, n->index))) return false;
    /* Below `queued`: had already (a target may be named twice). Asked from behind it: there may be leaves between that it has not seen. */
    if (n->index < t->queued || tenant->asked > t->queued || t->full) return true;
    t->full = !one_alarm_too_many(t, n) && !row_put(q, t, n, now_ms);
    t->queued = n->index + !t->full;
    return true;
}

/* Nothing to tell it, nothing it could have missed. Who is ahead of `seen` (others found no room at that leaf) must stay known, or is told again. */
static bool told_all(const struct notice_target *t)
{
    return !t->sending && list_empty(&t->rows) && t->next == t->tenant->seen;
}

static void tenant_answered(struct notice_queue *q, struct notice_tenant *tenant)
{
    for (struct list *n = tenant->targets.next; n != &tenant->targets; n = n->next) {
        struct notice_target *t = container_of(n, struct notice_target, of_tenant);
        if (tenant->asked <= t->queued && !t->full) t->queued = MAX(t->queued, tenant->end);
        if (list_empty(&t->rows)) t->next = t->queued;
        t->full = false;
    }
    if (tenant->end > tenant->seen) {
        tenant->seen = tenant->end;
        q->changed = MAX(q->changed, NOTICE_MOVED);
    }
    for (struct list *n = tenant->targets.next, *next; n != &tenant->targets; n = next) {
        next = n->next;
        struct notice_target *t = container_of(n, struct notice_target, of_tenant);
        if (told_all(t)) target_free(q, t);
    }
}

enum err notice_take(struct notice_queue *q, struct slice rows, uint64_t now_ms)
{
    struct reader r = reader_of(rows);
    struct wire_notice row;
    struct slice key;
    size_t cursor = 0;
    while (wire_next_notice(&r, &row)) {
        struct notice_tenant *t = tenant_of(q, row.tenant);
        if (!t) continue;                                  /* more tenants than a store can have: these are not told, the others are */
        if (row.index >= RECORD_INT_MAX || row.index < t->asked || (t->answered && row.index + 1 < t->end)) return ERR_INPUT;
        if (row.target.n > NOTICE_TARGET_BYTES_MAX || (row.target.n > 0 && memchr(row.target.p, '\n', row.target.n))) return ERR_INPUT;
        if (t->full) continue;
        t->end = row.index + 1, t->answered = true;
        if (row.kind == WIRE_NOTICE_NONE || take_row(q, t, &row, now_ms)) continue;
        t->full = true;
        t->end = row.index;
    }
    if (r.bad) return ERR_INPUT;
    for (struct notice_tenant *t; (t = map_next(q->tenants, &cursor, &key));) {
        if (t->answered) tenant_answered(q, t);
        t->answered = t->full = false;
    }
    /* Asked for and none the nearer to it (the answer was full of others): not again at once. */
    for (struct list *n = q->order.next; n != &q->order; n = n->next) {
        struct notice_target *t = container_of(n, struct notice_target, in_order);
        if (t->asked == t->queued && waits(t, now_ms)) t->due_ms = now_ms + NOTICE_BACKOFF_FIRST_MS;
        t->asked = UINT64_MAX;
    }
    return ERR_OK;
}

/* telling ------------------------------------------------------------------------------------------------------------------------------- */

uint64_t notice_backoff_ms(unsigned failures)
{
    unsigned doublings = MIN(failures, 16) - 1;
    return MIN((uint64_t)NOTICE_BACKOFF_FIRST_MS << doublings, NOTICE_BACKOFF_LAST_MS);
}

struct notice_target *notice_next(struct notice_queue *q, uint64_t now_ms)
{
    for (struct list *n = q->order.next; n != &q->order; n = n->next) {
        struct notice_target *t = container_of(n, struct notice_target, in_order);
        if (t->sending || list_empty(&t->rows) || t->due_ms > now_ms || t->tenant->sending >= NOTICE_SENDS_PER_TENANT_MAX) continue;
        if (t->failures > 0 && q->failing >= NOTICE_SENDS_FAILING_MAX) continue;
        if (notice_first(t)->got_ms + NOTICE_STALE_MS < now_ms) {
            rows_drop(q, t);
            continue;
        }
        t->sending = true;
        q->failing += t->failures > 0;
        t->tenant->sending++;
        list_del(&t->in_order);
        list_add_tail(&q->order, &t->in_order);
        return t;
    }
    return NULL;
}

void notice_done(struct notice_queue *q, struct notice_target *t, bool told, uint64_t now_ms)
{
    ASSERT(t->sending && !list_empty(&t->rows));
    t->sending = false;
    t->tenant->sending--;
    q->failing -= t->failures > 0;
    if (!told) {
        t->failures++;
        t->due_ms = now_ms + notice_backoff_ms(t->failures);
        rows_drop(q, t);
        return;
    }
    t->failures = 0;
    t->next = notice_first(t)->index + 1;
    row_free(q, t, notice_first(t));
    if (list_empty(&t->rows)) t->next = t->queued;
    q->changed = NOTICE_TOLD;
    if (told_all(t)) target_free(q, t);
}

/* what is kept -------------------------------------------------------------------------------------------------------------------------- */

enum notice_change notice_changed(const struct notice_queue *q) { return q->changed; }
void notice_written(struct notice_queue *q) { q->changed = NOTICE_SAME; }
size_t notice_bytes(const struct notice_queue *q) { return q->bytes; }
size_t notice_target_count(const struct notice_queue *q) { return map_count(q->targets); }

static const char *const kinds[] = {NULL, "webhook", "mail"};
#define CURSORS_HEAD "tillit cursors 1"

void notice_write(const struct notice_queue *q, struct buf *out)
{
    struct slice key;
    size_t cursor = 0;
    buf_put_str(out, CURSORS_HEAD "\n");
    for (const struct notice_tenant *t; (t = map_next(q->tenants, &cursor, &key));) {
        buf_put_str(out, "tenant ");
        buf_put_base32(out, slice_of(t->id, ID_BYTES));
        buf_printf(out, " %llu\n", (unsigned long long)t->seen);
        for (const struct list *n = t->targets.next; n != &t->targets; n = n->next) {
            const struct notice_target *g = container_of(n, struct notice_target, of_tenant);
            buf_printf(out, "%s %llu ", kinds[g->kind], (unsigned long long)MIN(g->next, t->seen));
            buf_put_slice(out, g->text);
            buf_put_u8(out, '\n');
        }
    }
}

/* "tenant ID SEEN", then of each target behind it "webhook NEXT TEXT" or "mail NEXT TEXT". */
static enum err read_line(struct notice_queue *q, struct slice line, struct notice_tenant **tenant)
{
    struct slice word, second, rest = slice_cut(line, ' ', &word);
    uint8_t id[ID_BYTES], key[KEY_BYTES_MAX];
    uint64_t n;
    rest = slice_cut(rest, ' ', &second);
    if (!rest.p) return ERR_INPUT;
    if (slice_is(word, "tenant")) {
        TRY(base32_fixed(second, id, ID_BYTES));
        TRY(slice_u64(rest, RECORD_INT_MAX, &n));
        if (map_get(q->tenants, slice_of(id, ID_BYTES))) return ERR_INPUT;
        *tenant = tenant_of(q, slice_of(id, ID_BYTES));
        if (*tenant) (*tenant)->seen = n;
        return *tenant ? ERR_OK : ERR_LIMIT;
    }
    uint8_t kind = slice_is(word, kinds[WIRE_NOTICE_WEBHOOK]) ? WIRE_NOTICE_WEBHOOK : slice_is(word, kinds[WIRE_NOTICE_MAIL]) ? WIRE_NOTICE_MAIL : 0;
    if (!*tenant || !kind || rest.n == 0 || rest.n > NOTICE_TARGET_BYTES_MAX) return ERR_INPUT;
    TRY(slice_u64(second, (*tenant)->seen, &n));
    struct slice k = key_of(slice_of((*tenant)->id, ID_BYTES), kind, rest, key);
    struct notice_target *t = target_new(q, *tenant, kind, k, n);
    if (t) t->failures = 1;                                /* behind when this was written: most likely away */
    return t ? ERR_OK : ERR_INPUT;
}

enum err notice_read(struct notice_queue *q, struct slice text, size_t *line)
{
    struct notice_tenant *tenant = NULL;
    struct slice head, rest = slice_cut(text, '\n', &head);
    *line = 1;
    if (!rest.p || !slice_is(head, CURSORS_HEAD)) return ERR_INPUT;
    while (rest.n > 0) {
        (*line)++;
        struct slice one, more = slice_cut(rest, '\n', &one);
        if (!more.p) return ERR_INPUT;                     /* the file ends in a line's midst */
        TRY(read_line(q, one, &tenant));
        rest = more;
    }
    return ERR_OK;
}
