/* SPDX-License-Identifier: Apache-2.0
 * Names of tiles and entry bundles, their places in the flat files, and the bundles' bytes.
 * Role: the front turns a path into a byte range with it; verifiers ask for paths and split bundles.
 * Distrusts: paths and bundles. A path has one spelling: two names for one tile would be two cache entries and one more
 *            way past a filter.
 * Spec: C2SP tlog-tiles; docs/spec/log.md.
 */
#include "ledger/ledger_tree.h"

/* Decimal without leading zeros, at most `max`. */
static enum err parse_dec(struct slice s, uint64_t max, uint64_t *out)
{
    if (s.n > 1 && s.p[0] == '0') return ERR_INPUT;
    return slice_u64(s, max, out);
}

/* "234", "x001/234": groups of exactly three digits, all but the last with an x, the first group never x000. */
static enum err parse_index(struct slice s, uint64_t *out)
{
    uint64_t n = 0;
    for (bool first = true;; first = false) {
        bool more = s.n > 0 && s.p[0] == 'x';
        if (more) s = slice_of(s.p + 1, s.n - 1);
        if (s.n < 3) return ERR_INPUT;
        uint64_t group;
        TRY(slice_u64(slice_of(s.p, 3), 999, &group));
        if (more && first && group == 0) return ERR_INPUT;
        if (n > (LEDGER_SIZE_MAX - group) / 1000) return ERR_INPUT;
        n = n * 1000 + group;
        s = slice_of(s.p + 3, s.n - 3);
        if (!more) break;
        if (s.n == 0 || s.p[0] != '/') return ERR_INPUT;
        s = slice_of(s.p + 1, s.n - 1);
    }
    *out = n;
    return s.n == 0 ? ERR_OK : ERR_INPUT;
}

enum err ledger_tile_parse(struct slice path, struct ledger_tile *out)
{
    *out = (struct ledger_tile){0};
    if (path.n > LEDGER_TILE_PATH_BYTES_MAX) return ERR_LIMIT;
    struct slice head;
    struct slice rest = slice_cut(path, '/', &head);
    if (!slice_is(head, "tile")) return ERR_INPUT;
    rest = slice_cut(rest, '/', &head);
    if (slice_is(head, "entries")) {
        out->entries = true;
    } else {
        uint64_t level;
        TRY(parse_dec(head, LEDGER_TILE_LEVEL_MAX, &level));
        out->level = (unsigned)level;
    }
    /* ".p/<W>" at the end is the only place where a dot may stand. */
    struct slice partial = slice_cut(rest, '.', &head);
    uint64_t width = TILE_LEAVES;
    if (head.n != rest.n) {
        if (!slice_starts(partial, SLICE_LIT("p/"))) return ERR_INPUT;
        TRY(parse_dec(slice_of(partial.p + 2, partial.n - 2), TILE_LEAVES - 1, &width));
        if (width == 0) return ERR_INPUT;
    }
    out->width = (unsigned)width;
    return parse_index(head, &out->index);
}

void ledger_tile_format(const struct ledger_tile *t, struct buf *out)
{
    ASSERT(t->width >= 1 && t->width <= TILE_LEAVES);
    buf_put_str(out, "tile/");
    if (t->entries)
        buf_put_str(out, "entries");
    else
        buf_put_dec(out, t->level);
    uint64_t groups[7];                               /* 2^63 has 19 digits */
    unsigned count = 0;
    for (uint64_t n = t->index; count == 0 || n > 0; n /= 1000) groups[count++] = n % 1000;
    while (count-- > 0) {
        uint64_t g = groups[count];
        buf_put_str(out, count > 0 ? "/x" : "/");
        buf_put_u8(out, (uint8_t)('0' + g / 100));
        buf_put_u8(out, (uint8_t)('0' + g / 10 % 10));
        buf_put_u8(out, (uint8_t)('0' + g % 10));
    }
    if (t->width == TILE_LEAVES) return;
    buf_put_str(out, ".p/");
    buf_put_dec(out, t->width);
}

bool ledger_tile_exists(const struct ledger_tile *t, uint64_t size)
{
    uint64_t count = ledger_level_count(size, t->entries ? 0 : t->level);
    return t->index <= count / TILE_LEAVES && count - t->index * TILE_LEAVES >= t->width;
}

enum err ledger_tile_range(const struct ledger_tile *t, uint64_t *offset, uint64_t *bytes)
{
    ASSERT(!t->entries);
    if (t->index > LEDGER_SIZE_MAX / (TILE_LEAVES * HASH_BYTES) - 1) return ERR_RANGE;
    *offset = t->index * TILE_LEAVES * HASH_BYTES;
    *bytes = (uint64_t)t->width * HASH_BYTES;
    return ERR_OK;
}

void ledger_bundle_put(struct buf *out, struct slice entry)
{
    buf_put_lp16(out, entry);
}

enum err ledger_bundle_split(struct slice bundle, unsigned count, struct slice out[TILE_LEAVES])
{
    if (count == 0 || count > TILE_LEAVES) return ERR_RANGE;
    struct reader r = reader_of(bundle);
    for (unsigned i = 0; i < count; i++) out[i] = reader_lp16(&r, UINT16_MAX);
    return reader_end(&r);
}
