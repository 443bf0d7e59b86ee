/* SPDX-License-Identifier: Apache-2.0
 * What a bucket's lifecycle rules say about one object, version or upload at a given time.
 * Role: the gate asks before it removes anything for a rule, and for the headers that announce it. Pure: the time comes in.
 * Trusts: canonical documents (lifecycle_doc.c). Distrusts: nothing else comes in.
 * Spec: S3 user guide, "Managing the lifecycle of objects" (expiring objects, noncurrent versions, delete markers, uploads).
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

#include <stdlib.h>

#define LIFECYCLE_MAGIC 0x53334c43u
#define DAY_MS 86400000ull

struct rule {
    struct slice id, prefix[3];                    /* of the rule, the Filter, its And: all that are there count */
    size_t prefix_count;
    bool enabled, larger_set, smaller_set;
    uint64_t larger, smaller;
    size_t tag_at, tag_count;                      /* in tags */
    uint32_t days, noncurrent_days, newer, abort_days;            /* 0: no such action */
    bool dated, marker;
    uint64_t date_ms;
};

struct s3_lifecycle {
    uint32_t magic;
    struct s3_xml *x;                              /* owns the texts */
    size_t count, tag_count;
    struct rule *rules;
    struct slice *tags;                            /* each key=value in canonical query form, as objects have them */
    struct buf text;
};

static uint64_t number_of(const struct s3_xml *x, size_t parent, enum s3_node node, bool *set)
{
    uint64_t v = 0;
    struct slice text = s3_xml_child_text(x, parent, node);
    *set = text.p && slice_u64(text, INT64_MAX, &v) == ERR_OK;
    return *set ? v : 0;
}

static uint32_t days_of(const struct s3_xml *x, size_t parent, enum s3_node node)
{
    bool set;
    return parent ? (uint32_t)MIN(number_of(x, parent, node, &set), (uint64_t)S3_LIFECYCLE_DAYS_MAX) : 0;
}

/* Conditions that stand in `parent`: a rule (old form), a Filter or an And. */
static void read_conditions(struct s3_lifecycle *l, struct rule *r, size_t parent)
{
    size_t count;
    bool set;
    const struct s3_xml_node *nodes = s3_xml_nodes(l->x, &count);
    for (size_t i = 0; s3_xml_next(l->x, parent, &i);) {
        if (nodes[i].node == N_PREFIX) r->prefix[r->prefix_count++] = s3_xml_text(l->x, &nodes[i]);
        if (nodes[i].node != N_TAG) continue;
        size_t key = s3_xml_child(l->x, i, N_KEY), value = s3_xml_child(l->x, i, N_VALUE), at = l->text.n;
        s3_put_uri(&l->text, key ? s3_xml_text(l->x, &nodes[key]) : slice_of("", 0), false);
        buf_put_u8(&l->text, '=');
        s3_put_uri(&l->text, value ? s3_xml_text(l->x, &nodes[value]) : slice_of("", 0), false);
        if (!buf_ok(&l->text)) return;
        l->tags[l->tag_count++] = slice_of(l->text.p + at, l->text.n - at);
        r->tag_count++;
    }
    uint64_t larger = number_of(l->x, parent, N_LARGER, &set);
    if (set) {
        r->larger = r->larger_set ? MAX(r->larger, larger) : larger;
        r->larger_set = true;
    }
    uint64_t smaller = number_of(l->x, parent, N_SMALLER, &set);
    if (set) {
        r->smaller = r->smaller_set ? MIN(r->smaller, smaller) : smaller;
        r->smaller_set = true;
    }
}

static void read_rule(struct s3_lifecycle *l, size_t at)
{
    struct rule *r = &l->rules[l->count++];
    const struct s3_xml *x = l->x;
    *r = (struct rule){.tag_at = l->tag_count};
    r->id = s3_xml_child_text(x, at, N_ID);
    r->enabled = slice_is(s3_xml_child_text(x, at, N_STATUS), "Enabled");
    read_conditions(l, r, at);
    size_t filter = s3_xml_child(x, at, N_FILTER), both = filter ? s3_xml_child(x, filter, N_AND) : 0;
    if (filter) read_conditions(l, r, filter);
    if (both) read_conditions(l, r, both);
    size_t expiration = s3_xml_child(x, at, N_EXPIRATION), noncurrent = s3_xml_child(x, at, N_NONCURRENT);
    r->days = days_of(x, expiration, N_DAYS);
    if (expiration) {
        r->dated = s3_lifecycle_date(s3_xml_child_text(x, expiration, N_DATE), &r->date_ms);
        r->marker = slice_is(s3_xml_child_text(x, expiration, N_MARKER), "true");
    }
    r->noncurrent_days = days_of(x, noncurrent, N_DAYS);
    r->newer = days_of(x, noncurrent, N_NEWER);
    r->abort_days = days_of(x, s3_xml_child(x, at, N_ABORT), N_DAYS);
}

struct s3_lifecycle *s3_lifecycle_read(struct slice canonical)
{
    struct s3_lifecycle *l = calloc(1, sizeof *l);
    size_t count, rules = 0, tags = 0;
    if (!l) return NULL;
    l->magic = LIFECYCLE_MAGIC;
    buf_init(&l->text, 3 * S3_CONFIG_DOC_BYTES_MAX);
    l->x = s3_xml_new(S3_XML_LIFECYCLE);
    bool ok = l->x && s3_xml_feed(l->x, canonical) == S3E_NONE && s3_xml_finish(l->x) == S3E_NONE;
    if (ok) {
        const struct s3_xml_node *nodes = s3_xml_nodes(l->x, &count);
        for (size_t i = 0; s3_xml_next(l->x, 0, &i);) rules++;
        for (size_t i = 0; i < count; i++) tags += nodes[i].node == N_TAG;
        l->rules = calloc(rules + 1, sizeof *l->rules);
        l->tags = calloc(tags + 1, sizeof *l->tags);
        /* Room for all of them at once: the slices into it stay. */
        ok = l->rules && l->tags && buf_room(&l->text, MIN(3 * canonical.n + 1, (size_t)(3 * S3_CONFIG_DOC_BYTES_MAX)));
    }
    if (ok)
        for (size_t i = 0; s3_xml_next(l->x, 0, &i);) read_rule(l, i);
    if (ok && buf_ok(&l->text)) return l;
    s3_lifecycle_free(l);
    return NULL;
}

void s3_lifecycle_free(struct s3_lifecycle *l)
{
    if (!l) return;
    ASSERT(l->magic == LIFECYCLE_MAGIC);
    s3_xml_free(l->x);
    buf_done(&l->text);
    free(l->rules);
    free(l->tags);
    free(l);
}

static bool has_tag(struct slice tags, struct slice want)
{
    struct slice pair;
    while (tags.p && tags.n) {
        tags = slice_cut(tags, '&', &pair);
        if (slice_eq(pair, want)) return true;
    }
    return false;
}

static bool key_fits(const struct rule *r, struct slice key)
{
    for (size_t i = 0; i < r->prefix_count; i++)
        if (!slice_starts(key, r->prefix[i])) return false;
    return r->enabled;
}

static bool fits(const struct s3_lifecycle *l, const struct rule *r, const struct s3_lifecycle_object *o)
{
    if (!key_fits(r, o->key)) return false;
    /* A marker has no tags and no size: a rule that asks for them is not about it. */
    if (o->delete_marker && (r->tag_count || r->larger_set || r->smaller_set)) return false;
    if (r->larger_set && o->size <= r->larger) return false;
    if (r->smaller_set && o->size >= r->smaller) return false;
    for (size_t i = 0; i < r->tag_count; i++)
        if (!has_tag(o->tags, l->tags[r->tag_at + i])) return false;
    return true;
}

/* When `days` after since_ms are over: with real days, at the next midnight. */
static uint64_t due_ms(uint64_t since_ms, uint32_t days, uint64_t day_ms)
{
    uint64_t t = since_ms + days * day_ms;
    return day_ms == DAY_MS && t % DAY_MS ? (t / DAY_MS + 1) * DAY_MS : t;
}

enum s3_lifecycle_action s3_lifecycle_judge(const struct s3_lifecycle *l, const struct s3_lifecycle_object *o, uint64_t now_ms, uint64_t day_ms)
{
    ASSERT(l->magic == LIFECYCLE_MAGIC && day_ms > 0);
    for (size_t i = 0; i < l->count; i++) {
        const struct rule *r = &l->rules[i];
        if (!fits(l, r, o)) continue;
        if (!o->current) {
            if (r->noncurrent_days && o->newer_noncurrent >= r->newer && now_ms >= due_ms(o->noncurrent_since_ms, r->noncurrent_days, day_ms))
                return S3_LIFECYCLE_REMOVE;
            continue;
        }
        bool over = (r->days && now_ms >= due_ms(o->mtime_ms, r->days, day_ms)) || (r->dated && now_ms >= r->date_ms);
        if (!o->delete_marker && over) return S3_LIFECYCLE_EXPIRE;
        if (o->delete_marker && o->only_version && (over || r->marker)) return S3_LIFECYCLE_REMOVE;
    }
    return S3_LIFECYCLE_KEEP;
}

bool s3_lifecycle_abort(const struct s3_lifecycle *l, struct slice key, uint64_t began_ms, uint64_t now_ms, uint64_t day_ms)
{
    ASSERT(l->magic == LIFECYCLE_MAGIC && day_ms > 0);
    for (size_t i = 0; i < l->count; i++) {
        const struct rule *r = &l->rules[i];
        if (r->abort_days && r->tag_count == 0 && key_fits(r, key) && now_ms >= due_ms(began_ms, r->abort_days, day_ms)) return true;
    }
    return false;
}

bool s3_lifecycle_expiration(const struct s3_lifecycle *l, const struct s3_lifecycle_object *o, struct buf *out)
{
    const struct rule *first = NULL;
    uint64_t at = UINT64_MAX;
    char text[TIME_TEXT_MAX];
    ASSERT(l->magic == LIFECYCLE_MAGIC);
    for (size_t i = 0; i < l->count && o->current && !o->delete_marker; i++) {
        const struct rule *r = &l->rules[i];
        if ((!r->days && !r->dated) || !fits(l, r, o)) continue;
        uint64_t t = r->days ? due_ms(o->mtime_ms, r->days, DAY_MS) : r->date_ms;
        if (t >= at) continue;
        at = t;
        first = r;
    }
    if (!first) return false;
    time_http(at, text);
    buf_put_str(out, "expiry-date=\"");
    buf_put_str(out, text);
    buf_put_str(out, "\", rule-id=\"");
    s3_put_uri(out, first->id, false);             /* a quote or a line break in an id ends nothing */
    buf_put_u8(out, '"');
    return true;
}

bool s3_lifecycle_abort_date(const struct s3_lifecycle *l, struct slice key, uint64_t began_ms, struct buf *date, struct buf *rule_id)
{
    const struct rule *first = NULL;
    char text[TIME_TEXT_MAX];
    ASSERT(l->magic == LIFECYCLE_MAGIC);
    for (size_t i = 0; i < l->count; i++) {
        const struct rule *r = &l->rules[i];
        if (r->abort_days && r->tag_count == 0 && key_fits(r, key) && (!first || r->abort_days < first->abort_days)) first = r;
    }
    if (!first) return false;
    time_http(due_ms(began_ms, first->abort_days, DAY_MS), text);
    buf_put_str(date, text);
    s3_put_uri(rule_id, first->id, false);
    return true;
}
