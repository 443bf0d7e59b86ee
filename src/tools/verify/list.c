/* SPDX-License-Identifier: Apache-2.0
 * list: what a listing must have answered, from the fold at its watermark.
 * Role: recomputes the rows of one page and their root, of every kind of listing. Trusts: the fold. Distrusts: the recorded result.
 * Law: 1, 4. Spec: docs/spec/record.md section 4 (LIST), section 2 (`qry`, `res`)
 *
 * A page may end anywhere (budget, bytes, rows): its rows must be the first ones from behind `after` on, and it must say `truncated` when
 * more follow, and not when none do.
 */
#include "verify/verify.h"

#include <stdlib.h>

enum { ROW_OBJECT = 0, ROW_PREFIX = 1, ROW_MARKER = 2, ROW_UPLOAD = 3, ROW_PART = 4 };
enum { LIST_KEYS = 0, LIST_VERSIONS = 1, LIST_UPLOADS = 2, LIST_PARTS = 3 };

struct page {
    struct ledger_hash *hash;
    struct ledger_frontier root;
    struct buf *row;
    const struct record_qry *q;
    uint64_t count, want;                             /* rows so far; rows that were answered */
    bool beyond;                                      /* there is one more than was answered */
    struct slice last;                                /* the common prefix that was emitted last */
};

static void page_row(struct page *p, uint8_t kind, struct slice name, uint64_t ver)
{
    uint8_t hash[HASH_BYTES];
    if (p->count == p->want) {
        p->beyond = true;
        return;
    }
    buf_reset(p->row);
    record_row_put(p->row, kind, name, ver);
    ASSERT(buf_ok(p->row));
    ledger_leaf_hash(p->hash, buf_slice(p->row), hash);
    ledger_frontier_append(p->hash, &p->root, hash, NULL, NULL);
    p->count++;
}

/* Emits the common prefix a name folds into, once. True: the name itself is not a row. */
static bool page_prefix(struct page *p, struct slice name)
{
    const struct record_qry *q = p->q;
    if (q->delimiter.n == 0) return false;
    const uint8_t *at = memmem(name.p + q->prefix.n, name.n - q->prefix.n, q->delimiter.p, q->delimiter.n);
    if (!at) return false;
    struct slice shown = slice_of(name.p, (size_t)(at - name.p) + q->delimiter.n);
    /* A page that went on behind a whole group names the group; one that went on inside of it tells the group again. */
    if (slice_eq(shown, q->after) || slice_eq(shown, p->last)) return true;
    p->last = shown;
    page_row(p, ROW_PREFIX, shown, 0);
    return true;
}

static size_t first_with(const struct verify_bucket *b, struct slice from)
{
    size_t low = 0, high = b->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct verify_key *k = b->keys[middle];
        if (slice_cmp(slice_of(k->name, k->name_n), from) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Keys: the newest version when it is no marker. Versions: all of them, newest first. */
static void key_rows(struct page *p, struct verify_fold *f, struct verify_key *k, uint64_t below)
{
    struct slice name = slice_of(k->name, k->name_n);
    size_t n;
    const struct verify_alive *s = verify_fold_stack(f, k, below, &n);
    int order = slice_cmp(name, p->q->after);
    if (p->q->kind == LIST_KEYS && (n == 0 || verify_fold_is_marker(f, &s[n - 1]))) return;
    if (n == 0 || order < 0 || (order == 0 && (p->q->kind == LIST_KEYS || p->q->after_index == 0))) return;
    if (page_prefix(p, name)) return;
    for (size_t i = n; i > 0 && !p->beyond; i--) {
        uint64_t index = f->writes[s[i - 1].write].index;
        if (order == 0 && index >= p->q->after_index) continue;
        page_row(p, verify_fold_is_marker(f, &s[i - 1]) ? ROW_MARKER : ROW_OBJECT, name, index);
        if (p->q->kind == LIST_KEYS) return;
    }
}

static int by_key_and_id(const void *a, const void *b)
{
    const struct verify_upload *x = *(struct verify_upload *const *)a, *y = *(struct verify_upload *const *)b;
    int c = slice_cmp(slice_of(x->key, x->key_n), slice_of(y->key, y->key_n));
    return c ? c : memcmp(x->id, y->id, ID_BYTES);
}

static void upload_rows(struct page *p, struct verify_bucket *b, uint64_t below)
{
    static const uint8_t zeros[ID_BYTES];
    bool inside = memcmp(p->q->id, zeros, ID_BYTES) != 0;
    if (b->upload_count) qsort(b->uploads, b->upload_count, sizeof(struct verify_upload *), by_key_and_id);
    for (size_t i = 0; i < b->upload_count && !p->beyond; i++) {
        const struct verify_upload *u = b->uploads[i];
        struct slice key = slice_of(u->key, u->key_n);
        int order = slice_cmp(key, p->q->after);
        if (!verify_upload_open_at(u, below) || !slice_starts(key, p->q->prefix)) continue;
        if (order < 0 || (order == 0 && (!inside || memcmp(u->id, p->q->id, ID_BYTES) <= 0)) || page_prefix(p, key)) continue;
        page_row(p, ROW_UPLOAD, key, u->begin);
    }
}

static void part_rows(struct page *p, const struct verify_fold *f, uint64_t below)
{
    const struct verify_upload *u = verify_upload(f, p->q->id);
    uint64_t *newest = malloc((PARTS_MAX + 1) * sizeof *newest);
    ASSERT(newest);
    for (size_t n = 0; n <= PARTS_MAX; n++) newest[n] = RECORD_VER_NONE;
    for (size_t i = 0; u && i < u->count; i++)
        if (!u->parts[i]->void_ && u->parts[i]->index < below && u->parts[i]->number <= PARTS_MAX) newest[u->parts[i]->number] = u->parts[i]->index;
    for (size_t n = 1; n <= PARTS_MAX && !p->beyond; n++) {
        uint8_t name[2];
        put_be16(name, (uint16_t)n);
        if (n > p->q->after_index && newest[n] != RECORD_VER_NONE) page_row(p, ROW_PART, slice_of(name, 2), newest[n]);
    }
    free(newest);
}

enum err verify_list_check(struct ledger_hash *h, struct verify_fold *f, struct verify_bucket *b, uint64_t below, const struct record_qry *q,
                           const struct record_res *res, struct buf *why)
{
    AUTO(buf) struct buf row = BUF_INIT(S3_KEY_BYTES_MAX + 16);
    struct page p = {.hash = h, .row = &row, .q = q, .want = res->count};
    uint8_t root[HASH_BYTES];
    ledger_frontier_init(&p.root);
    if (q->keys_max > 0 && q->kind <= LIST_VERSIONS) {
        verify_fold_sort(b);
        for (size_t i = first_with(b, q->prefix); i < b->count && !p.beyond; i++) {
            if (!slice_starts(slice_of(b->keys[i]->name, b->keys[i]->name_n), q->prefix)) break;
            key_rows(&p, f, b->keys[i], below);
        }
    } else if (q->keys_max > 0 && q->kind == LIST_UPLOADS) {
        upload_rows(&p, b, below);
    } else if (q->keys_max > 0) {
        part_rows(&p, f, below);
    }
    ledger_frontier_root(h, &p.root, root);
    if (p.count != res->count) buf_printf(why, "lists %u rows, the fold below %llu has %llu", res->count, (unsigned long long)below, (unsigned long long)p.count);
    else if (memcmp(root, res->root, HASH_BYTES) != 0) buf_printf(why, "its %u rows are not those of the fold below %llu", res->count, (unsigned long long)below);
    else if (q->keys_max > 0 && res->truncated != p.beyond) buf_printf(why, "says truncated %d, the fold below %llu says %d", res->truncated, (unsigned long long)below, p.beyond);
    else if (q->keys_max > 0 && res->count > q->keys_max) buf_printf(why, "lists %u rows, %u were asked for", res->count, q->keys_max);
    else return ERR_OK;
    return ERR_VERIFY;
}
