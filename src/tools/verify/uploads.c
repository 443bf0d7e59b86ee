/* SPDX-License-Identifier: Apache-2.0
 * uploads: which uploads in parts were under way at any place of an access log, and which parts they had.
 * Role: beside fold.c, for the `up` field. Trusts: replay.c for the order of leaves. Distrusts: ids and numbers.
 * Law: 1. Spec: docs/spec/record.md section 4
 */
#include "verify/verify.h"

#include <stdlib.h>

void verify_upload_free(struct verify_upload *u)
{
    for (size_t i = 0; i < u->count; i++) free(u->parts[i]);
    free(u->parts);
    free(u->key);
    free(u);
}

struct verify_upload *verify_upload(const struct verify_fold *f, const uint8_t id[ID_BYTES]) { return map_get(f->uploads, slice_of(id, ID_BYTES)); }

static bool more(void **p, size_t *cap, size_t need)
{
    if (need <= *cap) return true;
    size_t bigger = MAX(*cap * 2, (size_t)4);
    void *grown = realloc(*p, bigger * sizeof(void *));
    if (!grown) return false;
    *p = grown;
    *cap = bigger;
    return true;
}

enum err verify_upload_begin(struct verify_fold *f, uint64_t index, const uint8_t bucket[ID_BYTES], struct slice key, const uint8_t id[ID_BYTES])
{
    struct verify_bucket *b;
    if (verify_upload(f, id)) return ERR_EXISTS;
    TRY(verify_fold_bucket(f, bucket, &b));
    struct verify_upload *u = calloc(1, sizeof *u);
    if (!u || !(u->key = malloc(key.n + 1)) || !more((void **)&b->uploads, &b->upload_cap, b->upload_count + 1) ||
        map_put(f->uploads, slice_of(id, ID_BYTES), u) != ERR_OK) {
        if (u) free(u->key);
        free(u);
        return ERR_NOMEM;
    }
    memcpy(u->id, id, ID_BYTES);
    if (key.n) memcpy(u->key, key.p, key.n);
    u->key_n = key.n;
    u->bucket = b;
    u->begin = index;
    u->end = VERIFY_NOWHERE;
    b->uploads[b->upload_count++] = u;
    const struct verify_write w = {.index = index, .effect = VERIFY_NOTHING, .begins = u};
    return verify_fold_write(f, &w, slice_of(NULL, 0));
}

enum err verify_upload_part(struct verify_fold *f, uint64_t index, const uint8_t id[ID_BYTES], uint16_t number, uint64_t size)
{
    struct verify_upload *u = verify_upload(f, id);
    /* One that has ended all the same: then this leaf, or the one that ended it, gets a void (parts are not held against Complete). */
    if (!u || u->void_) return ERR_MISSING;
    struct verify_part *p = calloc(1, sizeof *p);
    if (!p || !more((void **)&u->parts, &u->cap, u->count + 1)) {
        free(p);
        return ERR_NOMEM;
    }
    *p = (struct verify_part){.number = number, .size = size, .index = index};
    u->parts[u->count++] = p;
    const struct verify_write w = {.index = index, .effect = VERIFY_NOTHING, .part = p, .of = u};
    return verify_fold_write(f, &w, slice_of(NULL, 0));
}

bool verify_upload_holds(const struct verify_upload *u, uint64_t from, uint64_t most, uint64_t bytes)
{
    bool known = u->count > 0;
    for (size_t i = 0; i < u->count && known; i++) {
        const struct verify_part *p = u->parts[i];
        bool empty = p->size == 0 && from == 0 && bytes == 0;
        if (empty || (p->size != VERIFY_NOWHERE && p->size > from && bytes == MIN(most, p->size - from))) return true;
        known = p->size != VERIFY_NOWHERE;
    }
    return !known;
}

enum err verify_upload_end(struct verify_fold *f, uint64_t index, const uint8_t id[ID_BYTES])
{
    struct verify_upload *u = verify_upload(f, id);
    if (!u || u->void_) return ERR_MISSING;
    if (u->end == VERIFY_NOWHERE) u->end = index;      /* else a void of one of the two is to come */
    const struct verify_write w = {.index = index, .effect = VERIFY_NOTHING, .ends = u};
    return verify_fold_write(f, &w, slice_of(NULL, 0));
}

bool verify_upload_open_at(const struct verify_upload *u, uint64_t below) { return !u->void_ && u->begin < below && u->end >= below; }

uint64_t verify_upload_part_at(const struct verify_upload *u, uint16_t number, uint64_t below)
{
    for (size_t i = u->count; i > 0; i--) {
        const struct verify_part *p = u->parts[i - 1];
        if (p->number == number && !p->void_ && p->index < below) return p->index;
    }
    return RECORD_VER_NONE;
}

void verify_upload_end_void(struct verify_fold *f, struct verify_upload *u)
{
    u->end = VERIFY_NOWHERE;
    for (size_t i = 0; i < f->write_count && u->end == VERIFY_NOWHERE; i++)
        if (f->writes[i].ends == u && !f->writes[i].void_) u->end = f->writes[i].index;
}

uint64_t verify_upload_late(const struct verify_fold *f, uint64_t *ended)
{
    for (size_t i = 0; i < f->write_count; i++) {
        const struct verify_write *w = &f->writes[i];
        if (w->void_) continue;
        *ended = w->ends ? w->ends->end : VERIFY_NOWHERE;
        if (w->ends && w->ends->end < w->index) return w->index;
        if (!w->part) continue;
        *ended = w->of->end;
        if (w->of->end < w->index) return w->index;
    }
    return VERIFY_NOWHERE;
}
