/* SPDX-License-Identifier: Apache-2.0
 * fold: which version of each key stands at any place of an access log.
 * Role: replay.c writes it leaf by leaf and asks it what a read must have seen, now or at an earlier watermark.
 * Trusts: replay.c for the order of leaves. Distrusts: void references, names (bounded by VERIFY_KEYS_MAX).
 * Law: 1. Spec: docs/spec/record.md section 4
 */
#include "verify/verify.h"

#include <stdlib.h>

enum err verify_fold_init(struct verify_fold *f)
{
    *f = (struct verify_fold){.keys = map_new(VERIFY_KEYS_MAX), .buckets = map_new(VERIFY_KEYS_MAX), .uploads = map_new(VERIFY_KEYS_MAX)};
    return f->keys && f->buckets && f->uploads ? ERR_OK : ERR_NOMEM;
}

void verify_fold_done(struct verify_fold *f)
{
    size_t cursor = 0;
    for (struct verify_key *k; f->keys && (k = map_next(f->keys, &cursor, NULL));) {
        free(k->writes);
        free(k->alive);
        free(k->name);
        free(k);
    }
    cursor = 0;
    for (struct verify_upload *u; f->uploads && (u = map_next(f->uploads, &cursor, NULL));) verify_upload_free(u);
    cursor = 0;
    for (struct verify_bucket *b; f->buckets && (b = map_next(f->buckets, &cursor, NULL));) {
        free(b->keys);
        free(b->uploads);
        free(b);
    }
    for (size_t i = 0; i < f->write_count; i++) free(f->writes[i].etag);
    free(f->writes);
    free(f->scratch);
    map_free(f->keys);
    map_free(f->buckets);
    map_free(f->uploads);
}

static bool room(void **p, size_t *cap, size_t need, size_t bytes)
{
    if (need <= *cap) return true;
    size_t bigger = MAX(*cap * 2, (size_t)4), all;
    if (!mul_size(bigger, bytes, &all)) return false;
    void *grown = realloc(*p, all);
    if (!grown) return false;
    *p = grown;
    *cap = bigger;
    return true;
}

enum err verify_fold_bucket(struct verify_fold *f, const uint8_t id[ID_BYTES], struct verify_bucket **out)
{
    *out = map_get(f->buckets, slice_of(id, ID_BYTES));
    if (*out) return ERR_OK;
    struct verify_bucket *b = calloc(1, sizeof *b);
    if (!b) return ERR_NOMEM;
    memcpy(b->id, id, ID_BYTES);
    enum err e = map_put(f->buckets, slice_of(id, ID_BYTES), b);
    if (e != ERR_OK) free(b);
    else *out = b;
    return e;
}

enum err verify_fold_key(struct verify_fold *f, const uint8_t id[ID_BYTES], struct slice name, struct verify_key **out)
{
    uint8_t full[ID_BYTES + S3_KEY_BYTES_MAX];
    struct verify_bucket *b;
    if (name.n == 0 || name.n > S3_KEY_BYTES_MAX) return ERR_LIMIT;
    memcpy(full, id, ID_BYTES);
    memcpy(full + ID_BYTES, name.p, name.n);
    struct slice at = slice_of(full, ID_BYTES + name.n);
    *out = map_get(f->keys, at);
    if (*out) return ERR_OK;
    TRY(verify_fold_bucket(f, id, &b));
    struct verify_key *k = calloc(1, sizeof *k);
    if (!k || !(k->name = malloc(name.n)) || !room((void **)&b->keys, &b->cap, b->count + 1, sizeof(struct verify_key *)) || map_put(f->keys, at, k) != ERR_OK) {
        if (k) free(k->name);
        free(k);
        return ERR_NOMEM;
    }
    memcpy(k->name, name.p, name.n);
    k->name_n = name.n;
    k->bucket = b;
    b->keys[b->count++] = k;
    *out = k;
    return ERR_OK;
}

/* stacks of versions ------------------------------------------------------------------------------------------------------------- */

static void stack_drop(struct verify_alive *s, size_t *n, size_t at)
{
    memmove(s + at, s + at + 1, (*n - at - 1) * sizeof *s);
    (*n)--;
}

/* The version of leaf `target`, or the null one; *n: none. */
static size_t stack_find(const struct verify_fold *f, const struct verify_alive *s, size_t n, bool null, uint64_t target)
{
    for (size_t i = n; i > 0; i--) {
        const struct verify_write *w = &f->writes[s[i - 1].write];
        if (null ? w->null : w->index == target) return i - 1;
    }
    return n;
}

/* What one write does to a stack that has room for one more. */
static enum err stack_apply(const struct verify_fold *f, struct verify_alive *s, size_t *n, uint32_t number)
{
    const struct verify_write *w = &f->writes[number];
    size_t at = *n;
    if (w->effect == VERIFY_NOTHING) return ERR_OK;
    if (w->effect == VERIFY_PUSH || w->effect == VERIFY_MARK) {
        if (w->null) at = stack_find(f, s, *n, true, 0);
        if (at < *n) stack_drop(s, n, at);
        s[(*n)++] = (struct verify_alive){.write = number, .revision = w->index};
        return ERR_OK;
    }
    at = w->effect == VERIFY_REMOVE ? stack_find(f, s, *n, true, 0) : stack_find(f, s, *n, false, w->target);
    if (at == *n) return ERR_MISSING;
    if (w->effect == VERIFY_REVISE) s[at].revision = w->index;
    else stack_drop(s, n, at);
    return ERR_OK;
}

/* The whole stack again from the key's writes below `below`. */
static size_t stack_build(const struct verify_fold *f, const struct verify_key *k, uint64_t below, struct verify_alive *s)
{
    size_t n = 0;
    for (size_t i = 0; i < k->count; i++) {
        const struct verify_write *w = &f->writes[k->writes[i]];
        if (w->index >= below) break;
        /* A target that is not there was told when the write was folded. */
        if (!w->void_ && stack_apply(f, s, &n, k->writes[i]) != ERR_OK) continue;
    }
    return n;
}

enum err verify_fold_write(struct verify_fold *f, const struct verify_write *fresh, struct slice etag)
{
    struct verify_write w = *fresh;
    struct verify_key *k = w.key;
    ASSERT(f->write_count == 0 || f->writes[f->write_count - 1].index <= w.index);
    if (f->write_count >= UINT32_MAX || !room((void **)&f->writes, &f->write_cap, f->write_count + 1, sizeof *f->writes)) return ERR_NOMEM;
    if (k && !room((void **)&k->writes, &k->cap, k->count + 1, sizeof *k->writes)) return ERR_NOMEM;
    if (k && !room((void **)&k->alive, &k->alive_cap, k->alive_count + 1, sizeof *k->alive)) return ERR_NOMEM;
    if (etag.p && !(w.etag = strndup((const char *)etag.p, etag.n))) return ERR_NOMEM;
    uint32_t number = (uint32_t)f->write_count;
    f->writes[f->write_count++] = w;
    if (!k) return ERR_OK;
    k->writes[k->count++] = number;
    return stack_apply(f, k->alive, &k->alive_count, number);
}

const struct verify_alive *verify_fold_now(const struct verify_key *k) { return k && k->alive_count ? &k->alive[k->alive_count - 1] : NULL; }

const struct verify_alive *verify_fold_version(const struct verify_fold *f, const struct verify_key *k, uint64_t index)
{
    size_t at = stack_find(f, k->alive, k->alive_count, false, index);
    return at < k->alive_count ? &k->alive[at] : NULL;
}

const struct verify_alive *verify_fold_null(const struct verify_fold *f, const struct verify_key *k)
{
    size_t at = stack_find(f, k->alive, k->alive_count, true, 0);
    return at < k->alive_count ? &k->alive[at] : NULL;
}

bool verify_fold_is_marker(const struct verify_fold *f, const struct verify_alive *a) { return f->writes[a->write].effect == VERIFY_MARK; }

const struct verify_alive *verify_fold_stack(struct verify_fold *f, struct verify_key *k, uint64_t below, size_t *count)
{
    /* A key that nobody wrote since is as it is now. */
    if (k->count == 0 || f->writes[k->writes[k->count - 1]].index < below) {
        *count = k->alive_count;
        return k->alive;
    }
    bool enough = room((void **)&f->scratch, &f->scratch_cap, k->count + 1, sizeof *f->scratch);
    ASSERT(enough);
    *count = stack_build(f, k, below, f->scratch);
    return f->scratch;
}

enum err verify_fold_void(struct verify_fold *f, uint64_t ref)
{
    size_t low = 0, high = f->write_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->writes[middle].index < ref) low = middle + 1;
        else high = middle;
    }
    if (low == f->write_count || f->writes[low].index != ref) return ERR_MISSING;
    for (; low < f->write_count && f->writes[low].index == ref; low++) {
        struct verify_write *w = &f->writes[low];
        if (w->void_) return ERR_EXISTS;
        w->void_ = true;
        if (w->part) w->part->void_ = true;
        if (w->begins) w->begins->void_ = true;
        if (w->ends && w->ends->end == w->index) verify_upload_end_void(f, w->ends);
        if (w->key) w->key->alive_count = stack_build(f, w->key, VERIFY_NOWHERE, w->key->alive);
    }
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct verify_key *x = *(struct verify_key *const *)a, *y = *(struct verify_key *const *)b;
    return slice_cmp(slice_of(x->name, x->name_n), slice_of(y->name, y->name_n));
}

/* New keys are few between two listings: they are sorted by themselves and merged from behind. */
void verify_fold_sort(struct verify_bucket *b)
{
    size_t fresh = b->count - b->sorted, i = b->sorted, j = fresh, to = b->count;
    if (fresh == 0) return;
    struct verify_key **tail = malloc(fresh * sizeof(struct verify_key *));
    ASSERT(tail);
    memcpy(tail, b->keys + b->sorted, fresh * sizeof(struct verify_key *));
    qsort(tail, fresh, sizeof(struct verify_key *), by_name);
    while (j > 0) b->keys[--to] = i > 0 && by_name(&b->keys[i - 1], &tail[j - 1]) > 0 ? b->keys[--i] : tail[--j];
    free(tail);
    b->sorted = b->count;
}

uint64_t verify_fold_count(struct verify_fold *f, const struct verify_bucket *b, uint64_t below)
{
    uint64_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        size_t versions;
        verify_fold_stack(f, b->keys[i], below, &versions);
        n += versions > 0;
    }
    return n;
}
