/* SPDX-License-Identifier: Apache-2.0
 * version: which version of a key is current, which are kept behind it, which is the null one.
 * Role: apply -> here -> grave; E, V and U rows change in this file only.
 * Trusts: the gate's decision: no policy is looked at here. Distrusts: itself and the gate where the guard says what must hold:
 *   an entry that is not as the gate's FIND saw it under the hold means that one of the two is wrong, and the keeper aborts.
 * Law: 1, 2
 * Spec: docs/spec/entry.md sections 2 and 3; DESIGN rules 1, 2
 */
#include "keeper/apply.h"

static struct row_key null_row(const struct command_item *i) {
    struct row_key key;
    row_object(&key, ROW_NULL, i->bucket, i->key);
    return key;
}

static bool is_null(const struct entry *e) { return (e->flags & ENTRY_FLAG_NULL) != 0; }

enum err version_find(struct commit *c, struct slice bucket, struct slice key, uint64_t leaf, struct row_key *at, struct entry_row *row,
                      bool *current) {
    row_object(at, ROW_ENTRY, bucket, key);
    *current = true;
    enum err e = apply_get(c, STORE_ROWS, row_slice(at), &c->scratch);
    if (e == ERR_OK) {
        TRY(entry_row_parse(buf_slice(&c->scratch), row));
        if (row->entry.leaf == leaf) return ERR_OK;
    } else if (e != ERR_MISSING) {
        return e;
    }
    row_version(at, bucket, key, leaf);
    *current = false;
    TRY(apply_get(c, STORE_ROWS, row_slice(at), &c->scratch));
    TRY(entry_row_parse(buf_slice(&c->scratch), row));
    return row->entry.leaf == leaf ? ERR_OK : ERR_CORRUPT;
}

/* To the grave, or, a delete marker, simply gone. value is not the batch's. */
static enum err end_version(struct apply *a, struct slice value, const struct entry *e) {
    return (e->flags & ENTRY_FLAG_DELETE_MARKER) != 0 ? ERR_OK : grave_bury(a, value, e->leaf);
}

static enum err drop_null_row(struct apply *a, uint64_t leaf) {
    struct row_key key = null_row(a->i);
    uint64_t seen = COMMAND_GUARD_ABSENT;
    enum err e = apply_get_u64(a->c, row_slice(&key), &seen);
    if (e != ERR_OK && e != ERR_MISSING) return e;
    bool null_unchanged_since_find = seen == leaf;
    ASSERT(null_unchanged_since_find);
    store_batch_del(a->c->batch, STORE_ROWS, row_slice(&key));
    return ERR_OK;
}

/* The noncurrent null version that a new null version takes the place of. */
static enum err end_null(struct apply *a) {
    uint64_t leaf = a->i->turn.null_leaf;
    struct row_key at;
    struct entry_row row;
    TRY(drop_null_row(a, leaf));
    row_version(&at, a->i->bucket, a->i->key, leaf);
    enum err e = apply_get(a->c, STORE_ROWS, row_slice(&at), &a->c->scratch);
    TRY(e == ERR_MISSING ? ERR_CORRUPT : e);
    TRY(entry_row_parse(buf_slice(&a->c->scratch), &row));
    store_batch_del(a->c->batch, STORE_ROWS, row_slice(&at));
    return end_version(a, buf_slice(&a->c->scratch), &row.entry);
}

static void keep_version(struct apply *a, struct slice value, const struct entry *e) {
    struct row_key at;
    row_version(&at, a->i->bucket, a->i->key, e->leaf);
    apply_put_walked(a->c, row_slice(&at), value);
    if (!is_null(e)) return;
    struct row_key null = null_row(a->i);
    uint8_t leaf[8];
    put_be64(leaf, e->leaf);
    store_batch_put(a->c->batch, STORE_ROWS, row_slice(&null), slice_of(leaf, 8));
}

/* Asserts the guard: under the gate's hold the current entry cannot have changed since its FIND. */
enum err version_turn(struct apply *a) {
    struct commit *c = a->c;
    const struct command_turn *t = &a->i->turn;
    if (t->null_leaf != COMMAND_GUARD_ABSENT) TRY(end_null(a));
    struct row_key key;
    struct entry_row row;
    uint64_t leaf = COMMAND_GUARD_ABSENT;
    row_object(&key, ROW_ENTRY, a->i->bucket, a->i->key);
    enum err e = apply_get(c, STORE_ROWS, row_slice(&key), &c->scratch);
    if (e == ERR_OK) {
        TRY(entry_row_parse(buf_slice(&c->scratch), &row));
        leaf = row.entry.leaf;
    } else if (e != ERR_MISSING) {
        return e;
    }
    bool entry_unchanged_since_find = leaf == t->guard;
    ASSERT(entry_unchanged_since_find);
    if (leaf != COMMAND_GUARD_ABSENT && t->keep) keep_version(a, buf_slice(&c->scratch), &row.entry);
    else if (leaf != COMMAND_GUARD_ABSENT) TRY(end_version(a, buf_slice(&c->scratch), &row.entry));
    if (!is_null(&a->i->entry)) return ERR_OK;
    struct row_key null = null_row(a->i);
    e = apply_there(c, row_slice(&null));
    bool one_null_version = e != ERR_OK;
    ASSERT(one_null_version);
    return e == ERR_MISSING ? ERR_OK : e;
}

static void put_current(struct apply *a) {
    struct row_key key;
    row_object(&key, ROW_ENTRY, a->i->bucket, a->i->key);
    apply_put_entry(a, &key, false);
}

/* commands -------------------------------------------------------------------------------------------------------------- */

enum err judge_put(struct apply *a) { return blob_judge_source(a); }

enum err perform_put(struct apply *a) {
    TRY(blob_take_source(a)); /* before the turn: a copy onto itself takes from what it replaces */
    TRY(version_turn(a));
    put_current(a);
    usage_entry(a->c, &a->i->entry, 1);
    return ERR_OK;
}

enum err perform_delete(struct apply *a) {
    TRY(version_turn(a));
    struct row_key key;
    row_object(&key, ROW_ENTRY, a->i->bucket, a->i->key);
    store_batch_del(a->c->batch, STORE_ROWS, row_slice(&key));
    return ERR_OK;
}

enum err judge_undelete(struct apply *a) {
    struct row_key row;
    return grave_lookup(a, &row);
}

/* The same bytes under the entry that the gate sealed anew; the grave's rows go. Counts stay as they are. */
enum err perform_undelete(struct apply *a) {
    struct row_key grave;
    struct entry_row row;
    struct commit *c = a->c;
    enum err e = grave_lookup(a, &grave);
    TRY(e == ERR_MISSING ? ERR_CORRUPT : e);
    TRY(entry_row_parse(slice_of(c->scratch2.p + 8, c->scratch2.n - 8), &row));
    bool same_bytes = entry_same_bytes(&row.entry, &a->i->entry);
    ASSERT(same_bytes);
    struct row_key due;
    row_begin(&due, ROW_DUE);
    row_put(&due, a->i->bucket);
    row_put(&due, slice_of(c->scratch2.p, 8));
    row_put(&due, slice_of(grave.p + grave.n - 16, 16));
    row_put(&due, a->i->key);
    store_batch_del(c->batch, STORE_ROWS, row_slice(&grave));
    store_batch_del(c->batch, STORE_ROWS, row_slice(&due));
    buf_reset(&c->places);
    for (size_t b = 0; b < row.entry.blob_count; b++) buf_put_lp16(&c->places, row.locations[b]);
    TRY(version_turn(a));
    put_current(a);
    return ERR_OK;
}

/* The newest version that is left becomes the current one. */
static enum err promote(struct apply *a) {
    struct commit *c = a->c;
    struct row_key current;
    struct row_key prefix;
    AUTO(walk) struct walk w;
    struct slice key;
    struct slice value;
    row_object(&current, ROW_ENTRY, a->i->bucket, a->i->key);
    row_object(&prefix, ROW_VERSION, a->i->bucket, a->i->key);
    walk_open(&w, c, &prefix);
    enum err e = walk_next(&w, &key, &value);
    if (e == ERR_MISSING) {
        store_batch_del(c->batch, STORE_ROWS, row_slice(&current));
        return ERR_OK;
    }
    TRY(e);
    struct entry_row row;
    buf_reset(&c->scratch);
    buf_put_slice(&c->scratch, value);
    TRY(entry_row_parse(buf_slice(&c->scratch), &row));
    store_batch_del(c->batch, STORE_ROWS, key);
    store_batch_put(c->batch, STORE_ROWS, row_slice(&current), buf_slice(&c->scratch));
    return is_null(&row.entry) ? drop_null_row(a, row.entry.leaf) : ERR_OK;
}

enum err perform_delver(struct apply *a) {
    struct row_key at;
    struct entry_row row;
    bool current = false;
    enum err e = version_find(a->c, a->i->bucket, a->i->key, a->i->version, &at, &row, &current);
    bool version_there = e != ERR_MISSING;
    ASSERT(version_there);
    TRY(e);
    bool null = is_null(&row.entry);
    TRY(end_version(a, buf_slice(&a->c->scratch), &row.entry));
    if (current) return promote(a);
    store_batch_del(a->c->batch, STORE_ROWS, row_slice(&at));
    return null ? drop_null_row(a, a->i->version) : ERR_OK;
}

/* Tags, retention, a new wrap: the same version under a new seal, wherever it stands. */
enum err perform_rewrite(struct apply *a) {
    struct row_key at;
    struct entry_row row;
    bool current = false;
    const struct entry *to = &a->i->entry;
    enum err e = version_find(a->c, a->i->bucket, a->i->key, a->i->version, &at, &row, &current);
    bool version_there = e != ERR_MISSING;
    ASSERT(version_there);
    TRY(e);
    bool version_unchanged_since_find = row.entry.revision == a->i->guard;
    ASSERT(version_unchanged_since_find);
    bool same_version = row.entry.flags == to->flags && row.entry.order == to->order && entry_same_bytes(&row.entry, to);
    ASSERT(same_version);
    buf_reset(&a->c->places);
    for (size_t b = 0; b < row.entry.blob_count; b++) buf_put_lp16(&a->c->places, row.locations[b]);
    apply_put_entry(a, &at, !current);
    return ERR_OK;
}
