/* SPDX-License-Identifier: Apache-2.0
 * blob: how staged bytes get their place, who refers to them, and what is released when nobody does any more.
 * Role: version and upload adopt, share and release here; release_bytes() removes after the sync.
 * Trusts: the index's own counts. Distrusts: nothing that is staged, but what is staged and sealed under the very id and size (rule 10).
 * Law: 2
 * Spec: docs/spec/entry.md sections 2 and 3; DESIGN rules 10, 12
 */
#include "keeper/apply.h"

static struct row_key blob_row(const uint8_t *id) {
    struct row_key key;
    row_begin(&key, ROW_BLOB);
    row_put(&key, slice_of(id, ID_BYTES));
    return key;
}

/* packs: how much of each is alive ----------------------------------------------------------------------------------- */

static enum err pack_row(struct commit *c, uint32_t pack, uint64_t *live, uint64_t *end) {
    struct row_key key;
    row_begin(&key, ROW_PACK);
    row_put_u32(&key, pack);
    AUTO(buf) struct buf b = BUF_INIT(64);
    *live = 0;
    *end = 0;
    enum err e = apply_get(c, STORE_ROWS, row_slice(&key), &b);
    if (e == ERR_MISSING) return ERR_OK;
    TRY(e);
    if (b.n != 16) return ERR_CORRUPT;
    *live = get_be64(b.p);
    *end = get_be64(b.p + 8);
    return ERR_OK;
}

static void put_pack_row(struct commit *c, uint32_t pack, uint64_t live, uint64_t end) {
    struct row_key key;
    uint8_t value[16];
    row_begin(&key, ROW_PACK);
    row_put_u32(&key, pack);
    put_be64(value, live);
    put_be64(value + 8, end);
    store_batch_put(c->batch, STORE_ROWS, row_slice(&key), slice_of(value, 16));
}

static void put_released(struct commit *c, struct slice location) {
    struct row_key key;
    row_begin(&key, ROW_RELEASED);
    row_put(&key, location);
    store_batch_put(c->batch, STORE_ROWS, row_slice(&key), (struct slice){0});
    buf_put_lp16(&c->release, location);
}

static void put_location_pack(struct buf *b, uint32_t pack, uint64_t off, uint64_t size) {
    buf_put_u8(b, LOCATION_PACK);
    buf_put_u32(b, pack);
    buf_put_u64(b, off);
    buf_put_u64(b, size);
}

/* in -------------------------------------------------------------------------------------------------------------------- */

static enum err adopt_packed(struct commit *c, struct slice data, struct buf *location) {
    uint32_t pack = 0;
    uint64_t off = 0;
    uint64_t taken = 0;
    enum err e = store_packs_append(c->k->packs, data, &pack, &off, &taken);
    if (e != ERR_OK) {
        c->pack_failed = true;
        return e;
    }
    uint64_t live = 0;
    uint64_t end = 0;
    TRY(pack_row(c, pack, &live, &end));
    uint32_t grow = 0;
    store_packs_end(c->k->packs, &grow, &end);
    put_pack_row(c, pack, live + data.n, end);
    put_location_pack(location, pack, off, data.n);
    return ERR_OK;
}

/* The staged bytes get their place: in the index, in a pack, or the file they are in. Appends the location. */
static enum err adopt(struct commit *c, const struct stage *s, struct buf *location) {
    if (s->in_file) {
        buf_put_u8(location, LOCATION_FILE);
        buf_put(location, s->id, ID_BYTES);
        return ERR_OK;
    }
    struct slice data = buf_slice(&s->mem);
    /* Alone in its batch a blob costs two syncs in a pack and one in the index; in company the packs are cheaper. */
    size_t inline_max = c->alone ? BLOB_INLINE_ALONE_BYTES_MAX : BLOB_INLINE_BYTES_MAX;
    if (data.n > inline_max) return adopt_packed(c, data, location);
    uint8_t key[LOCATION_INLINE_KEY_BYTES];
    put_be64(key, c->apply_number + 1);
    memcpy(key + 8, s->id, ID_BYTES);
    store_batch_put(c->batch, STORE_BLOBS, slice_of(key, sizeof key), data);
    buf_put_u8(location, LOCATION_INLINE);
    buf_put(location, key, sizeof key);
    return ERR_OK;
}

enum err blob_count(struct commit *c, const uint8_t *id, uint64_t *count) {
    struct row_key key = blob_row(id);
    AUTO(buf) struct buf b = BUF_INIT(64);
    *count = 0;
    enum err e = apply_get(c, STORE_ROWS, row_slice(&key), &b);
    if (e == ERR_MISSING) return ERR_OK;
    TRY(e);
    if (b.n != 4 || get_be32(b.p) == 0) return ERR_CORRUPT;
    *count = get_be32(b.p);
    return ERR_OK;
}

void blob_put_count(struct commit *c, const uint8_t *id, uint64_t count) {
    struct row_key key = blob_row(id);
    uint8_t value[4];
    ASSERT(count <= UINT32_MAX);
    put_be32(value, (uint32_t)count);
    if (count > 0) store_batch_put(c->batch, STORE_ROWS, row_slice(&key), slice_of(value, 4));
    else store_batch_del(c->batch, STORE_ROWS, row_slice(&key));
}

static enum err refer(struct commit *c, const uint8_t *id) {
    uint64_t count = 0;
    TRY(blob_count(c, id, &count));
    if (count == 0) return ERR_CORRUPT; /* an entry names it */
    blob_put_count(c, id, count + 1);
    return ERR_OK;
}

/* Rule 10: only a staged, sealed blob of the stated size that no entry, grave or batch refers to. ERR_MISSING: refuse. */
static enum err judge_staged(struct apply *a) {
    const struct entry *e = &a->i->entry;
    for (size_t b = 0; b < e->blob_count; b++) {
        const struct stage *s = a->item->claims[a->claim++];
        if (s == NULL || s->off != e->sizes[b]) return ERR_MISSING;
        uint64_t count = 0;
        TRY(blob_count(a->c, e->blobs[b], &count));
        if (count > 0) return ERR_MISSING;
    }
    return ERR_OK;
}

enum err blob_judge_source(struct apply *a) {
    const struct command_source *from = &a->i->source;
    if (from->kind == SOURCE_STAGED) return judge_staged(a);
    struct row_key at;
    struct entry_row row;
    bool current = false;
    return version_find(a->c, from->bucket, from->key, from->leaf, &at, &row, &current);
}

static enum err take_shared(struct apply *a) {
    const struct command_source *from = &a->i->source;
    struct row_key at;
    struct entry_row row;
    bool current = false;
    enum err e = version_find(a->c, from->bucket, from->key, from->leaf, &at, &row, &current);
    TRY(e == ERR_MISSING ? ERR_CORRUPT : e); /* judged a moment ago */
    bool same_bytes = entry_same_bytes(&row.entry, &a->i->entry);
    ASSERT(same_bytes);
    if (row.entry.set != NULL) return refer(a->c, row.entry.set);
    for (size_t b = 0; b < row.entry.blob_count; b++) {
        buf_put_lp16(&a->c->places, row.locations[b]);
        TRY(refer(a->c, row.entry.blobs[b]));
    }
    return ERR_OK;
}

enum err blob_take_source(struct apply *a) {
    buf_reset(&a->c->places);
    if (a->i->source.kind == SOURCE_SHARED) return take_shared(a);
    for (size_t b = 0; b < a->i->entry.blob_count; b++) {
        AUTO(buf) struct buf location = BUF_INIT(LOCATION_BYTES_MAX);
        TRY(adopt(a->c, a->item->claims[a->claim++], &location));
        buf_put_lp16(&a->c->places, buf_slice(&location));
        blob_put_count(a->c, a->i->entry.blobs[b], 1);
        usage_bytes(a->c, a->i->entry.sizes[b], true); /* judge_staged() compared it with what was staged */
    }
    ASSERT(buf_ok(&a->c->places));
    return ERR_OK;
}

/* out ------------------------------------------------------------------------------------------------------------------- */

static enum err release_packed(struct commit *c, const struct location *l, struct slice raw) {
    uint64_t live = 0;
    uint64_t end = 0;
    TRY(pack_row(c, l->pack, &live, &end));
    if (live < l->size) return ERR_CORRUPT;
    live -= l->size;
    uint32_t grow = 0;
    uint64_t grow_end = 0;
    store_packs_end(c->k->packs, &grow, &grow_end);
    if (live > 0 || l->pack == grow) {
        put_pack_row(c, l->pack, live, end);
        put_released(c, raw);
        return ERR_OK;
    }
    struct row_key row;
    row_begin(&row, ROW_PACK);
    row_put_u32(&row, l->pack);
    store_batch_del(c->batch, STORE_ROWS, row_slice(&row));
    AUTO(buf) struct buf whole = BUF_INIT(LOCATION_BYTES_MAX);
    put_location_pack(&whole, l->pack, 0, 0); /* size 0: the pack itself */
    put_released(c, buf_slice(&whole));
    return ERR_OK;
}

enum err blob_release(struct commit *c, const uint8_t *id, uint64_t size, struct slice raw) {
    uint64_t count = 0;
    TRY(blob_count(c, id, &count));
    if (count == 0) return ERR_CORRUPT;
    blob_put_count(c, id, count - 1);
    if (count > 1) return ERR_OK;
    usage_bytes(c, size, false);
    struct location l;
    TRY(location_parse(raw, &l));
    if (l.engine == LOCATION_PACK) return release_packed(c, &l, raw);
    if (l.engine == LOCATION_INLINE) store_batch_del(c->batch, STORE_BLOBS, l.inline_key);
    else put_released(c, raw);
    return ERR_OK;
}

/* The last reference to a set goes: its rows, and the blobs they name, each of which a part of another upload may share. */
static enum err release_set(struct commit *c, const uint8_t *set, uint16_t parts) {
    struct store *s = c->k->store;
    struct row_key from;
    struct row_key to;
    row_set(&from, set);
    to = from;
    ASSERT(row_after(&to));
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, row_slice(&to));
    enum err e = ERR_OK;
    size_t n = 0;
    for (store_iter_seek(s, it, row_slice(&from)); e == ERR_OK && store_iter_valid(s, it); store_iter_next(s, it)) {
        struct slice key = store_iter_key(s, it);
        struct set_row row;
        e = set_row_parse(key, store_iter_value(s, it), &row);
        if (e == ERR_OK) e = blob_release(c, row.blob, row.cipher_size, row.location);
        store_batch_del(c->batch, STORE_ROWS, key);
        n++;
    }
    if (e == ERR_OK) e = store_iter_status(s, it);
    store_iter_close(s, it);
    TRY(e);
    return n == parts ? ERR_OK : ERR_CORRUPT;
}

enum err blob_release_value(struct commit *c, struct slice value) {
    struct entry_row row;
    TRY(entry_row_parse(value, &row));
    for (size_t i = 0; i < row.entry.blob_count; i++) TRY(blob_release(c, row.entry.blobs[i], row.entry.sizes[i], row.locations[i]));
    if (row.entry.set == NULL) return ERR_OK;
    uint64_t count = 0;
    TRY(blob_count(c, row.entry.set, &count));
    if (count == 0) return ERR_CORRUPT;
    blob_put_count(c, row.entry.set, count - 1);
    return count > 1 ? ERR_OK : release_set(c, row.entry.set, row.entry.parts);
}

void release_bytes(struct keeper *k, struct slice locations) {
    struct reader r = reader_of(locations);
    while (reader_left(&r) > 0) {
        struct location l;
        enum err e = location_parse(reader_lp16(&r, LOCATION_BYTES_MAX), &l);
        if (e == ERR_OK && l.engine == LOCATION_FILE) e = store_files_remove(k->files, l.file);
        else if (e == ERR_OK && l.engine == LOCATION_PACK && l.size == 0) e = store_packs_remove(k->packs, l.pack);
        else if (e == ERR_OK && l.engine == LOCATION_PACK) e = store_packs_punch(k->packs, l.pack, l.off, l.size);
        if (e != ERR_OK) log_line(LOG_WARN, "release_failed", "err=%s", err_name(e));
    }
}
