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
    *f = (struct verify_fold){.keys = map_new(VERIFY_KEYS_MAX), .buckets = map_new(VERIFY_KEYS_MAX)};
    return f->keys && f->buckets ? ERR_OK : ERR_NOMEM;
}

void verify_fold_done(struct verify_fold *f)
{
    size_t cursor = 0;
    for (struct verify_key *k; f->keys && (k = map_next(f->keys, &cursor, NULL));) {
        free(k->writes);
        free(k->name);
        free(k);
    }
    cursor = 0;
    for (struct verify_bucket *b; f->buckets && (b = map_next(f->buckets, &cursor, NULL));) {
        free(b->keys);
        free(b);
    }
    for (size_t i = 0; i < f->write_count; i++) free(f->writes[i].etag);
    free(f->writes);
    map_free(f->keys);
    map_free(f->buckets);
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

enum err verify_fold_write(struct verify_fold *f, uint64_t index, struct verify_key *key, bool removes, uint64_t size, struct slice etag)
{
    ASSERT(f->write_count == 0 || f->writes[f->write_count - 1].index <= index);
    if (f->write_count >= UINT32_MAX || !room((void **)&f->writes, &f->write_cap, f->write_count + 1, sizeof *f->writes)) return ERR_NOMEM;
    struct verify_write w = {.index = index, .void_at = VERIFY_NOWHERE, .size = size, .key = key, .removes = removes};
    if (key && !room((void **)&key->writes, &key->cap, key->count + 1, sizeof *key->writes)) return ERR_NOMEM;
    if (etag.p && !(w.etag = strndup((const char *)etag.p, etag.n))) return ERR_NOMEM;
    if (key) key->writes[key->count++] = (uint32_t)f->write_count;
    f->writes[f->write_count++] = w;
    return ERR_OK;
}

const struct verify_write *verify_fold_at(const struct verify_fold *f, const struct verify_key *k, uint64_t below, uint64_t at)
{
    for (size_t i = k ? k->count : 0; i > 0; i--) {
        const struct verify_write *w = &f->writes[k->writes[i - 1]];
        /* A void after `at` was not known there: until then the write counted. */
        if (w->index < below && w->index < at && w->void_at >= at) return w;
    }
    return NULL;
}

uint64_t verify_fold_ver(const struct verify_fold *f, const struct verify_key *k, uint64_t below, uint64_t at)
{
    const struct verify_write *w = verify_fold_at(f, k, below, at);
    return w && !w->removes ? w->index : RECORD_VER_NONE;
}

enum err verify_fold_void(struct verify_fold *f, uint64_t ref, uint64_t at)
{
    size_t low = 0, high = f->write_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->writes[middle].index < ref) low = middle + 1;
        else high = middle;
    }
    if (low == f->write_count || f->writes[low].index != ref) return ERR_MISSING;
    for (; low < f->write_count && f->writes[low].index == ref; low++) {
        if (f->writes[low].void_at != VERIFY_NOWHERE) return ERR_EXISTS;
        f->writes[low].void_at = at;
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

uint64_t verify_fold_count(const struct verify_fold *f, const struct verify_bucket *b, uint64_t below, uint64_t at)
{
    uint64_t n = 0;
    for (size_t i = 0; i < b->count; i++) n += verify_fold_ver(f, b->keys[i], below, at) != RECORD_VER_NONE;
    return n;
}
