/* SPDX-License-Identifier: Apache-2.0
 * list: what a listing must have answered, from the fold at its watermark.
 * Role: recomputes the rows of one page and their root. Trusts: the fold. Distrusts: the recorded result.
 * Law: 1, 4. Spec: docs/spec/record.md section 4 (LIST), section 2 (`qry`, `res`)
 *
 * A page may end anywhere (budget, bytes, keys): it must hold every row from behind `after` up to `next`, say `truncated` when rows
 * follow, and not when none do.
 */
#include "verify/verify.h"

struct page {
    struct ledger_hash *hash;
    struct ledger_frontier root;
    struct buf *row;
    uint64_t count, beyond;                           /* rows up to `next`, and one when there are more */
    struct slice last;                                /* the common prefix that was emitted last */
};

static void page_row(struct page *p, uint8_t kind, struct slice name, uint64_t ver)
{
    uint8_t hash[HASH_BYTES];
    buf_reset(p->row);
    record_row_put(p->row, kind, name, ver);
    ASSERT(buf_ok(p->row));
    ledger_leaf_hash(p->hash, buf_slice(p->row), hash);
    ledger_frontier_append(p->hash, &p->root, hash, NULL, NULL);
    p->count++;
}

/* The name under which a key is listed: itself, or the common prefix it folds into. */
static struct slice listed(struct slice name, const struct record_qry *q, uint8_t *kind)
{
    *kind = 0;
    if (q->delimiter.n == 0) return name;
    const uint8_t *at = memmem(name.p + q->prefix.n, name.n - q->prefix.n, q->delimiter.p, q->delimiter.n);
    if (!at) return name;
    *kind = 1;
    return slice_of(name.p, (size_t)(at - name.p) + q->delimiter.n);
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

enum err verify_list_check(struct ledger_hash *h, const struct verify_fold *f, struct verify_bucket *b, uint64_t below, uint64_t at,
                           const struct record_qry *q, const struct record_res *res, struct buf *why)
{
    AUTO(buf) struct buf row = BUF_INIT(S3_KEY_BYTES_MAX + 16);
    struct page p = {.hash = h, .row = &row};
    uint8_t root[HASH_BYTES];
    ledger_frontier_init(&p.root);
    verify_fold_sort(b);
    for (size_t i = first_with(b, q->prefix); i < b->count && !p.beyond && q->keys_max > 0; i++) {
        const struct verify_key *k = b->keys[i];
        struct slice name = slice_of(k->name, k->name_n);
        uint8_t kind;
        if (!slice_starts(name, q->prefix)) break;
        uint64_t ver = verify_fold_ver(f, k, below, at);
        if (ver == RECORD_VER_NONE) continue;
        struct slice shown = listed(name, q, &kind);
        if (slice_cmp(shown, q->after) <= 0 || (kind == 1 && slice_starts(q->after, shown))) continue;
        if (kind == 1 && slice_eq(shown, p.last)) continue;
        if (res->truncated && slice_cmp(shown, res->next) > 0) {
            p.beyond = 1;
            break;
        }
        if (kind == 1) p.last = shown;
        page_row(&p, kind, shown, kind == 0 ? ver : 0);
    }
    ledger_frontier_root(h, &p.root, root);
    if (p.count != res->count) buf_printf(why, "lists %u rows, the fold below %llu has %llu", res->count, (unsigned long long)below, (unsigned long long)p.count);
    else if (memcmp(root, res->root, HASH_BYTES) != 0) buf_printf(why, "its %u rows are not those of the fold below %llu", res->count, (unsigned long long)below);
    else if (res->truncated != (p.beyond > 0)) buf_printf(why, "says truncated %d, the fold below %llu says %d", res->truncated, (unsigned long long)below, p.beyond > 0);
    else if (q->keys_max > 0 && res->count > q->keys_max) buf_printf(why, "lists %u rows, %u were asked for", res->count, q->keys_max);
    else return ERR_OK;
    return ERR_VERIFY;
}
