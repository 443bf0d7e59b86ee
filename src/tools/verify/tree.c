/* SPDX-License-Identifier: Apache-2.0
 * tree: a whole log fetched and recomputed: signature, entries, every tile of every level, root.
 * Role: what `log`, `heads` and `replay` rest on. Trusts: the vkey. Distrusts: every byte served.
 * Law: 7 (LAW-7: complete and not rewritten, shown without trusting who serves). Spec: docs/spec/log.md; RFC 6962; C2SP tlog-tiles
 *
 * When the root does not come out, the leaf hashes that the tiles state say where: entries that differ from tiles which do give
 * the signed root are changed leaves, tiles that differ from entries which do are changed tiles.
 */
#include "verify/verify.h"

#include <stdlib.h>

static unsigned kind_of_origin(const char *origin)
{
    static const struct { const char *word; unsigned kind; } words[] = {
        {"control", RECORD_LOG_CONTROL}, {"access", RECORD_LOG_ACCESS}, {"provider", RECORD_LOG_PROVIDER}, {"heads", RECORD_LOG_HEADS}};
    struct slice rest = slice_str(origin), part;
    unsigned found = RECORD_LOG_ANY;
    /* The log's kind is the last word or the one before (an id may follow it); a host's name comes first and is passed over. */
    for (rest = slice_cut(rest, '/', &part); rest.p; ) {
        rest = slice_cut(rest, '/', &part);
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            if (slice_is(part, words[i].word)) found = words[i].kind;
    }
    return found;
}

static const char *kind_name(unsigned kind)
{
    return kind == RECORD_LOG_CONTROL ? "control" : kind == RECORD_LOG_ACCESS ? "access" : kind == RECORD_LOG_PROVIDER ? "provider" : kind == RECORD_LOG_HEADS ? "heads" : "log";
}

enum err verify_log_open(struct verify_log *l, struct ledger_hash *h, const char *place, const char *vkey, const char *ca)
{
    *l = (struct verify_log){.hash = h, .note = BUF_INIT(LEDGER_NOTE_BYTES_MAX)};
    TRY(ledger_vkey_parse(h, slice_str(vkey), &l->vkey));
    l->kind = kind_of_origin(l->vkey.name);
    l->name = kind_name(l->kind);
    return verify_source_open(&l->source, place, ca);
}

void verify_log_close(struct verify_log *l)
{
    verify_source_close(&l->source);
    buf_done(&l->note);
    free(l->leaves);
    l->leaves = NULL;
}

bool verify_log_head(struct verify_log *l, struct verify_report *r)
{
    struct ledger_checkpoint c;
    enum err e = verify_source_get(&l->source, "checkpoint", &l->note);
    if (e == ERR_IO || e == ERR_MISSING) {
        char what[VERIFY_PLACE_CHARS_MAX + 32];
        snprintf(what, sizeof what, "%s/checkpoint", l->source.base);
        verify_unreachable(r, what, e == ERR_IO ? l->source.why : "it is not there");
        return false;
    }
    if (e == ERR_OK) e = ledger_checkpoint_open(buf_slice(&l->note), &l->vkey, &c, NULL);
    if (e != ERR_OK) {
        verify_find(r, "bad-signature", l->name, VERIFY_NOWHERE, "the checkpoint is not signed by %s, or is another log's: %s", l->vkey.name, err_text(e));
        return false;
    }
    l->size = c.size;
    memcpy(l->root, c.root, HASH_BYTES);
    return true;
}

static void tile_path(const struct ledger_tile *t, char out[LEDGER_TILE_PATH_BYTES_MAX + 1])
{
    AUTO(buf) struct buf b = BUF_INIT(LEDGER_TILE_PATH_BYTES_MAX);
    ledger_tile_format(t, &b);
    ASSERT(buf_ok(&b));
    memcpy(out, b.p, b.n);
    out[b.n] = 0;
}

/* False: not there, or it could not be read; the finding is made. */
static bool tile_get(struct verify_log *l, struct verify_report *r, const struct ledger_tile *t, struct buf *out)
{
    char path[LEDGER_TILE_PATH_BYTES_MAX + 1], what[VERIFY_PLACE_CHARS_MAX + LEDGER_TILE_PATH_BYTES_MAX + 2];
    tile_path(t, path);
    enum err e = verify_source_get(&l->source, path, out);
    if (e == ERR_OK) return true;
    snprintf(what, sizeof what, "%s/%s", l->source.base, path);
    if (e == ERR_IO) verify_unreachable(r, what, l->source.why);
    else if (e == ERR_LIMIT) verify_find(r, "bad-tile", l->name, VERIFY_NOWHERE, "%s is larger than any such tile", path);
    else
        verify_find(r, t->entries ? "dropped-tail" : "missing-tile", l->name, t->entries ? t->index * TILE_LEAVES : VERIFY_NOWHERE,
                    "the checkpoint says %llu leaves, but %s is not there", (unsigned long long)l->size, path);
    return false;
}

static bool load_entries(struct verify_log *l, struct verify_report *r, void (*leaf)(void *, uint64_t, struct slice), void *ctx)
{
    AUTO(buf) struct buf bundle = BUF_INIT(VERIFY_BUNDLE_BYTES_MAX);
    struct slice entry[TILE_LEAVES];
    for (uint64_t from = 0; from < l->size; from += TILE_LEAVES) {
        struct ledger_tile t = {.entries = true, .index = from / TILE_LEAVES, .width = (unsigned)MIN(l->size - from, (uint64_t)TILE_LEAVES)};
        if (!tile_get(l, r, &t, &bundle)) return false;
        enum err e = ledger_bundle_split(buf_slice(&bundle), t.width, entry);
        if (e != ERR_OK) {
            char path[LEDGER_TILE_PATH_BYTES_MAX + 1];
            tile_path(&t, path);
            verify_find(r, "bad-bundle", l->name, from, "%s does not hold %u entries: %s", path, t.width, err_text(e));
            return false;
        }
        for (unsigned i = 0; i < t.width; i++) {
            ledger_leaf_hash(l->hash, entry[i], l->leaves[from + i]);
            l->loaded = from + i + 1;
            if (leaf) leaf(ctx, from + i, entry[i]);
        }
    }
    return true;
}

/* Level L + 1 from level L, in place of it: the roots of its full groups of 256. */
static uint64_t level_up(struct ledger_hash *h, uint8_t (*hashes)[HASH_BYTES], uint64_t count)
{
    uint64_t groups = count / TILE_LEAVES;
    for (uint64_t g = 0; g < groups; g++) {
        uint8_t node[TILE_LEAVES][HASH_BYTES];
        memcpy(node, hashes[g * TILE_LEAVES], sizeof node);
        for (unsigned n = TILE_LEAVES; n > 1; n /= 2)
            for (unsigned i = 0; i < n / 2; i++) ledger_node_hash(h, node[2 * i], node[2 * i + 1], node[i]);
        memcpy(hashes[g], node[0], HASH_BYTES);
    }
    return groups;
}

static void root_of(struct ledger_hash *h, uint8_t (*leaves)[HASH_BYTES], uint64_t n, uint8_t out[HASH_BYTES])
{
    struct ledger_frontier f;
    ledger_frontier_init(&f);
    for (uint64_t i = 0; i < n; i++) ledger_frontier_append(h, &f, leaves[i], NULL, NULL);
    ledger_frontier_root(h, &f, out);
}

/* One level's tiles. want: what they must hold; got (level 0): what they hold. Differences are told when `tell`. */
static bool level_tiles(struct verify_log *l, struct verify_report *r, unsigned level, uint8_t (*want)[HASH_BYTES], uint64_t count,
                        uint8_t (*got)[HASH_BYTES], bool tell, bool *same)
{
    AUTO(buf) struct buf tile = BUF_INIT(TILE_LEAVES * HASH_BYTES);
    for (uint64_t from = 0; from < count; from += TILE_LEAVES) {
        struct ledger_tile t = {.level = level, .index = from / TILE_LEAVES, .width = (unsigned)MIN(count - from, (uint64_t)TILE_LEAVES)};
        char path[LEDGER_TILE_PATH_BYTES_MAX + 1];
        tile_path(&t, path);
        if (!tile_get(l, r, &t, &tile)) return false;
        if (tile.n != (size_t)t.width * HASH_BYTES) {
            verify_find(r, "bad-tile", l->name, VERIFY_NOWHERE, "%s has %zu bytes, not %u hashes", path, tile.n, t.width);
            return false;
        }
        if (got) memcpy(got[from], tile.p, tile.n);
        for (unsigned i = 0; i < t.width; i++) {
            if (memcmp(tile.p + (size_t)i * HASH_BYTES, want[from + i], HASH_BYTES) == 0) continue;
            *same = false;
            if (tell) verify_find(r, "flipped-bit", l->name, VERIFY_NOWHERE, "%s: hash %u is not what the leaves below it give", path, i);
        }
    }
    return true;
}

static void tell_changed(struct verify_log *l, struct verify_report *r, uint8_t (*stated)[HASH_BYTES])
{
    for (uint64_t i = 0; i < l->size; i++)
        if (memcmp(l->leaves[i], stated[i], HASH_BYTES) != 0)
            verify_find(r, "changed-leaf", l->name, i, "the leaf is not the one that its tile and the signed root hold");
}

/* The tiles above level 0, from what is known to be right. */
static bool upper_tiles(struct verify_log *l, struct verify_report *r, uint8_t (*hashes)[HASH_BYTES], bool tell, bool *same)
{
    uint64_t count = level_up(l->hash, hashes, l->size);
    for (unsigned level = 1; count > 0; level++) {
        if (!level_tiles(l, r, level, hashes, count, NULL, tell, same)) return false;
        count = level_up(l->hash, hashes, count);
    }
    return true;
}

static bool compare(struct verify_log *l, struct verify_report *r, uint8_t (*work)[HASH_BYTES])
{
    uint8_t entries_root[HASH_BYTES], tiles_root[HASH_BYTES];
    bool same = true, upper_same = true;
    root_of(l->hash, l->leaves, l->size, entries_root);
    bool entries_hold = memcmp(entries_root, l->root, HASH_BYTES) == 0;
    if (!level_tiles(l, r, 0, l->leaves, l->size, work, entries_hold, &same)) return false;
    root_of(l->hash, work, l->size, tiles_root);
    bool tiles_hold = memcmp(tiles_root, l->root, HASH_BYTES) == 0;
    if (entries_hold && !tiles_hold) memcpy(work, l->leaves, (size_t)l->size * HASH_BYTES);
    if (!entries_hold && tiles_hold) tell_changed(l, r, work);
    if (!entries_hold && !tiles_hold) {
        if (!same) tell_changed(l, r, work);
        verify_find(r, "wrong-root", l->name, VERIFY_NOWHERE, "neither the %llu leaves nor their tiles give the signed root: a leaf was changed with its tile, or the signed history is another one",
                    (unsigned long long)l->size);
    }
    /* With a wrong root the upper tiles still tell which 256 leaves it is about. */
    if (!upper_tiles(l, r, work, true, &upper_same)) return false;
    return entries_hold && same && upper_same;
}

bool verify_log_load(struct verify_log *l, struct verify_report *r, void (*leaf)(void *ctx, uint64_t index, struct slice entry), void *ctx)
{
    uint8_t empty[HASH_BYTES];
    l->sound = false;
    free(l->leaves);
    l->loaded = 0;
    /* A size is what the log's key signed, and memory is taken as leaves come: 32 bytes are backed only when they are written. */
    l->leaves = l->size < SIZE_MAX / HASH_BYTES / 2 ? calloc((size_t)l->size + 1, HASH_BYTES) : NULL;
    uint8_t (*work)[HASH_BYTES] = l->leaves ? calloc((size_t)l->size + 1, HASH_BYTES) : NULL;
    if (!work) {
        verify_find(r, "too-large", l->name, VERIFY_NOWHERE, "a log of %llu leaves does not fit this machine's memory", (unsigned long long)l->size);
        return false;
    }
    ledger_empty_root(l->hash, empty);
    if (l->size == 0 && memcmp(empty, l->root, HASH_BYTES) != 0) verify_find(r, "wrong-root", l->name, VERIFY_NOWHERE, "an empty log with another root than the empty one");
    else l->sound = load_entries(l, r, leaf, ctx) && (l->size == 0 || compare(l, r, work));
    free(work);
    return l->sound;
}
