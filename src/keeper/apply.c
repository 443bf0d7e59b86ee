/* SPDX-License-Identifier: Apache-2.0
 * apply: what one command changes, as rows in the committer's batch.
 * Role: commit -> here -> grave; every command is settled once, done or refused.
 * Trusts: the gate's decision: no policy is looked at here. Distrusts: itself and the gate where the guard says what must hold:
 *   an entry that is not as the gate's FIND saw it under the hold means that one of the two is wrong, and the keeper aborts.
 * Law: 1, 2
 * Spec: docs/spec/entry.md sections 2 and 3; DESIGN rules 1, 2, 10, 12
 */
#include "keeper/keeper.h"

enum err apply_get(struct commit *c, enum store_table t, struct slice key, struct buf *out) {
    struct slice value = {0};
    buf_reset(out);
    switch (store_batch_get(c->batch, t, key, &value)) {
    case STORE_DELETED: return ERR_MISSING;
    case STORE_PUT:
        buf_put_slice(out, value); /* copied: the next put moves it */
        return ERR_OK;
    case STORE_UNTOUCHED: break;
    }
    struct store_pin pin;
    TRY(store_get(c->k->store, t, key, &pin));
    buf_put_slice(out, pin.value);
    store_unpin(c->k->store, &pin);
    ASSERT(buf_ok(out));
    return ERR_OK;
}

static enum err get_u64(struct commit *c, struct slice key, size_t n, uint64_t *out) {
    AUTO(buf) struct buf b = BUF_INIT(64);
    TRY(apply_get(c, STORE_ROWS, key, &b));
    if (b.n != n) return ERR_CORRUPT;
    *out = n == 4 ? get_be32(b.p) : get_be64(b.p);
    return ERR_OK;
}

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

/* blobs -------------------------------------------------------------------------------------------------------------- */

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

static enum err release_one(struct commit *c, const uint8_t *id, struct slice raw) {
    uint64_t count = 0;
    struct row_key key = blob_row(id);
    TRY(get_u64(c, row_slice(&key), 4, &count));
    ASSERT(count > 0);
    if (count > 1) {
        uint8_t value[4];
        put_be32(value, (uint32_t)count - 1);
        store_batch_put(c->batch, STORE_ROWS, row_slice(&key), slice_of(value, 4));
        return ERR_OK;
    }
    store_batch_del(c->batch, STORE_ROWS, row_slice(&key));
    struct location l;
    TRY(location_parse(raw, &l));
    if (l.engine == LOCATION_INLINE) {
        store_batch_del(c->batch, STORE_BLOBS, l.inline_key);
        return ERR_OK;
    }
    if (l.engine == LOCATION_FILE) {
        put_released(c, raw);
        return ERR_OK;
    }
    uint64_t live = 0;
    uint64_t end = 0;
    TRY(pack_row(c, l.pack, &live, &end));
    if (live < l.size) return ERR_CORRUPT;
    live -= l.size;
    uint32_t grow = 0;
    uint64_t grow_end = 0;
    store_packs_end(c->k->packs, &grow, &grow_end);
    if (live > 0 || l.pack == grow) {
        put_pack_row(c, l.pack, live, end);
        put_released(c, raw);
        return ERR_OK;
    }
    struct row_key row;
    row_begin(&row, ROW_PACK);
    row_put_u32(&row, l.pack);
    store_batch_del(c->batch, STORE_ROWS, row_slice(&row));
    AUTO(buf) struct buf whole = BUF_INIT(LOCATION_BYTES_MAX);
    put_location_pack(&whole, l.pack, 0, 0); /* size 0: the pack itself */
    put_released(c, buf_slice(&whole));
    return ERR_OK;
}

enum err apply_release(struct commit *c, const struct entry *e, struct slice value) {
    struct entry_row row;
    TRY(entry_row_parse(value, &row));
    ASSERT(row.entry.blob_count == e->blob_count);
    for (size_t i = 0; i < row.entry.blob_count; i++) TRY(release_one(c, row.entry.blobs[i], row.locations[i]));
    return ERR_OK;
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

/* commands ------------------------------------------------------------------------------------------------------------ */

/* Reads the current entry's row and asserts the guard: under the gate's hold it cannot have changed since its FIND. */
static enum err guarded_current(struct commit *c, const struct command_item *i, struct buf *value, bool *present) {
    struct row_key key;
    row_object(&key, ROW_ENTRY, i->bucket, i->key);
    enum err e = apply_get(c, STORE_ROWS, row_slice(&key), value);
    *present = e == ERR_OK;
    if (e == ERR_MISSING) e = ERR_OK;
    TRY(e);
    uint64_t leaf = COMMAND_GUARD_ABSENT;
    if (*present) {
        struct entry_row row;
        TRY(entry_row_parse(buf_slice(value), &row));
        leaf = row.entry.leaf;
    }
    bool entry_unchanged_since_find = leaf == i->guard;
    ASSERT(entry_unchanged_since_find);
    return ERR_OK;
}

static uint64_t due_of(const struct command *cmd, const struct command_item *i) {
    return cmd->at_ms + MAX(i->grave_ms, (uint64_t)GRAVE_MIN_MS);
}

static enum err bury_current(struct commit *c, const struct command *cmd, const struct command_item *i, uint64_t index) {
    bool present = false;
    TRY(guarded_current(c, i, &c->scratch, &present));
    if (present) TRY(grave_bury(c, i->bucket, i->key, buf_slice(&c->scratch), due_of(cmd, i), index));
    return ERR_OK;
}

static enum err put_entry(struct commit *c, const struct command *cmd, const struct command_item *i, struct commit_item *item,
                          size_t *claim) {
    TRY(bury_current(c, cmd, i, item->index));
    struct buf *value = &c->scratch;
    buf_reset(value);
    buf_put_u8(value, 1);
    buf_put_u8(value, i->entry.blob_count);
    for (size_t b = 0; b < i->entry.blob_count; b++) {
        AUTO(buf) struct buf location = BUF_INIT(LOCATION_BYTES_MAX);
        uint8_t one[4];
        put_be32(one, 1);
        TRY(adopt(c, item->claims[(*claim)++], &location));
        buf_put_lp16(value, buf_slice(&location));
        struct row_key blob = blob_row(i->entry.blobs[b]);
        store_batch_put(c->batch, STORE_ROWS, row_slice(&blob), slice_of(one, 4));
    }
    buf_put_slice(value, i->entry.raw);
    ASSERT(buf_ok(value));
    struct row_key key;
    row_object(&key, ROW_ENTRY, i->bucket, i->key);
    store_batch_put(c->batch, STORE_ROWS, row_slice(&key), buf_slice(value));
    return ERR_OK;
}

static enum err del_entry(struct commit *c, const struct command *cmd, const struct command_item *i, uint64_t index) {
    TRY(bury_current(c, cmd, i, index));
    struct row_key key;
    row_object(&key, ROW_ENTRY, i->bucket, i->key);
    store_batch_del(c->batch, STORE_ROWS, row_slice(&key));
    return ERR_OK;
}

/* The same bytes under the entry that the gate sealed anew; the grave row goes. Its blobs' counts stay as they are. */
static enum err undelete(struct commit *c, const struct command *cmd, const struct command_item *i, uint64_t index) {
    uint8_t grave[ROW_KEY_BYTES_MAX];
    size_t grave_n = 0;
    AUTO(buf) struct buf old = BUF_INIT(COMMAND_BYTES_MAX * 2);
    TRY(grave_lookup(c, i, grave, &grave_n, &old));
    struct slice buried = slice_of(old.p + 8, old.n - 8);
    struct entry_row row;
    TRY(entry_row_parse(buried, &row));
    bool same_blobs = row.entry.blob_count == i->entry.blob_count;
    for (size_t b = 0; same_blobs && b < row.entry.blob_count; b++)
        same_blobs = memcmp(row.entry.blobs[b], i->entry.blobs[b], ID_BYTES) == 0 && row.entry.sizes[b] == i->entry.sizes[b];
    ASSERT(same_blobs);
    TRY(bury_current(c, cmd, i, index));
    struct row_key due;
    row_begin(&due, ROW_DUE);
    row_put(&due, i->bucket);
    row_put(&due, slice_of(old.p, 8));
    row_put(&due, slice_of(grave + grave_n - 8, 8));
    row_put(&due, i->key);
    store_batch_del(c->batch, STORE_ROWS, slice_of(grave, grave_n));
    store_batch_del(c->batch, STORE_ROWS, row_slice(&due));
    struct buf *value = &c->scratch;
    buf_reset(value);
    buf_put_slice(value, slice_of(buried.p, buried.n - row.entry.raw.n)); /* version, count, locations */
    buf_put_slice(value, i->entry.raw);
    struct row_key key;
    row_object(&key, ROW_ENTRY, i->bucket, i->key);
    store_batch_put(c->batch, STORE_ROWS, row_slice(&key), buf_slice(value));
    return ERR_OK;
}

/* Rule 10: only a staged, sealed blob of the stated size that no entry, grave or batch refers to. ERR_MISSING: refuse. */
static enum err blobs_there(struct commit *c, const struct command_item *i, const struct commit_item *item, size_t *claim) {
    for (size_t b = 0; b < i->entry.blob_count; b++) {
        const struct stage *s = item->claims[(*claim)++];
        if (s == NULL || s->off != i->entry.sizes[b]) return ERR_MISSING;
        struct row_key key = blob_row(i->entry.blobs[b]);
        enum err e = apply_get(c, STORE_ROWS, row_slice(&key), &c->scratch2);
        if (e != ERR_MISSING) return e == ERR_OK ? ERR_MISSING : e;
    }
    return ERR_OK;
}

/* All of a command is judged before its first row is put: refused means that nothing happened. */
static enum err judge(struct commit *c, const struct commit_item *item) {
    struct command cmd;
    struct command_item i;
    size_t claim = 0;
    command_begin(item->command, &cmd);
    if (cmd.kind == COMMAND_PURGE) return ERR_OK;
    while (command_next(&cmd, &i)) {
        if (i.kind == COMMAND_PUT) TRY(blobs_there(c, &i, item, &claim));
        if (i.kind == COMMAND_UNDELETE) {
            uint8_t row[ROW_KEY_BYTES_MAX];
            size_t row_n = 0;
            TRY(grave_lookup(c, &i, row, &row_n, &c->scratch2));
        }
    }
    return ERR_OK;
}

static enum err perform(struct commit *c, struct commit_item *item) {
    struct command cmd;
    struct command_item i;
    size_t claim = 0;
    command_begin(item->command, &cmd);
    if (cmd.kind == COMMAND_PURGE) return grave_purge(c, &cmd);
    while (command_next(&cmd, &i)) {
        if (i.kind == COMMAND_PUT) TRY(put_entry(c, &cmd, &i, item, &claim));
        else if (i.kind == COMMAND_DELETE) TRY(del_entry(c, &cmd, &i, item->index));
        else TRY(undelete(c, &cmd, &i, item->index));
    }
    ASSERT(cmd.kind == COMMAND_PURGE || claim == item->claim_count);
    return ERR_OK;
}

static enum err settled_before(struct commit *c, struct slice refused_row, uint8_t *outcome) {
    enum err e = apply_get(c, STORE_ROWS, refused_row, &c->scratch);
    if (e != ERR_OK && e != ERR_MISSING) return e;
    *outcome = e == ERR_OK ? WIRE_SETTLED_REFUSED : WIRE_SETTLED_DONE;
    return ERR_OK;
}

enum err apply_item(struct commit *c, struct commit_item *item) {
    struct slice log = slice_of(item->log, ID_BYTES);
    struct row_key mark;
    struct row_key refused;
    row_begin(&mark, ROW_WATERMARK);
    row_put(&mark, log);
    row_begin(&refused, ROW_REFUSED);
    row_put(&refused, log);
    row_put_u64(&refused, item->index);
    struct slice seen = {0};
    const uint64_t *known = map_get(c->watermarks, log);
    uint64_t watermark = known != NULL ? *known : 0;
    if (store_batch_get(c->batch, STORE_ROWS, row_slice(&mark), &seen) == STORE_PUT) watermark = get_be64(seen.p);
    /* Rule 2: at or below the watermark the rows answer and nothing changes. */
    if (item->index < watermark && !BREAK("keeper-no-watermark")) return settled_before(c, row_slice(&refused), &item->outcome);
    enum err e = judge(c, item);
    if (e != ERR_OK && e != ERR_MISSING) return e;
    if (e == ERR_OK) {
        TRY(perform(c, item));
        item->outcome = WIRE_SETTLED_DONE;
    } else {
        uint8_t outcome = item->outcome = WIRE_SETTLED_REFUSED;
        store_batch_put(c->batch, STORE_ROWS, row_slice(&refused), slice_of(&outcome, 1));
        c->refusals++;
    }
    uint8_t next[8];
    put_be64(next, item->index + 1);
    store_batch_put(c->batch, STORE_ROWS, row_slice(&mark), slice_of(next, 8));
    return ERR_OK;
}
