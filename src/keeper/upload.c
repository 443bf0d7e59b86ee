/* SPDX-License-Identifier: Apache-2.0
 * upload: objects that come in parts: uploads, their parts, and the sets that Complete makes of them.
 * Role: apply -> here -> version; M, T and O rows change in this file (and end in blob.c).
 * Trusts: the gate's decision. Distrusts: that a part is still the one its guard names: parts are not held, so what does not fit is refused.
 * Law: 1, 2
 * Spec: docs/spec/entry.md sections 1 (part sets), 2 and 3
 */
#include "keeper/apply.h"

static struct row_key upload_row(const struct command_item *i) {
    struct row_key key;
    row_upload(&key, i->bucket, i->key, i->upload);
    return key;
}

static struct row_key part_row(const struct command_item *i) {
    struct row_key key;
    row_parts(&key, i->upload);
    row_put_u16(&key, i->number);
    return key;
}

static enum err upload_there(struct apply *a) {
    struct row_key key = upload_row(a->i);
    return apply_there(a->c, row_slice(&key));
}

/* a T row's number; its value is copied to c->scratch, for rows are put while it is in use */
static enum err part_of_walk(struct commit *c, struct slice key, struct slice value, uint16_t *number, struct entry_row *row) {
    if (key.n != 1 + ID_BYTES + 2) return ERR_CORRUPT;
    *number = get_be16(key.p + 1 + ID_BYTES);
    buf_reset(&c->scratch);
    buf_put_slice(&c->scratch, value);
    ASSERT(buf_ok(&c->scratch));
    TRY(entry_row_parse(buf_slice(&c->scratch), row));
    return row->entry.blob_count == 1 ? ERR_OK : ERR_CORRUPT;
}

/* UPLOAD, ABORT --------------------------------------------------------------------------------------------------------- */

enum err perform_upload(struct apply *a) {
    struct row_key key = upload_row(a->i);
    enum err e = apply_there(a->c, row_slice(&key));
    bool upload_is_new = e != ERR_OK;
    ASSERT(upload_is_new);
    TRY(e == ERR_MISSING ? ERR_OK : e);
    store_batch_put(a->c->batch, STORE_ROWS, row_slice(&key), a->i->entry.raw);
    usage_objects(a->c, 1);
    return ERR_OK;
}

/* All its parts, at once: nobody was ever given a key to read them. */
static enum err end_parts(struct commit *c, const uint8_t *upload) {
    AUTO(walk) struct walk w;
    struct row_key prefix;
    struct slice key;
    struct slice value;
    enum err e;
    row_parts(&prefix, upload);
    walk_open(&w, c, &prefix);
    while ((e = walk_next(&w, &key, &value)) == ERR_OK) {
        struct entry_row row;
        uint16_t number = 0;
        TRY(part_of_walk(c, key, value, &number, &row));
        TRY(blob_release(c, row.entry.blobs[0], row.entry.sizes[0], row.locations[0]));
        store_batch_del(c->batch, STORE_ROWS, key);
        usage_objects(c, -1);
    }
    return e == ERR_MISSING ? ERR_OK : e;
}

enum err judge_abort(struct apply *a) { return upload_there(a); }

enum err perform_abort(struct apply *a) {
    struct row_key key = upload_row(a->i);
    TRY(end_parts(a->c, a->i->upload));
    store_batch_del(a->c->batch, STORE_ROWS, row_slice(&key));
    usage_objects(a->c, -1);
    return ERR_OK;
}

static enum err count_parts(struct commit *c, const uint8_t *upload, unsigned *count) {
    AUTO(walk) struct walk w;
    struct row_key prefix;
    struct slice key;
    struct slice value;
    enum err e;
    row_parts(&prefix, upload);
    walk_open(&w, c, &prefix);
    for (*count = 0; (e = walk_next(&w, &key, &value)) == ERR_OK; (*count)++) continue;
    return e == ERR_MISSING ? ERR_OK : e;
}

enum err upload_purge(struct commit *c, struct slice bucket, unsigned *left) {
    struct store *s = c->k->store;
    struct row_key from;
    struct row_key to;
    row_begin(&from, ROW_UPLOAD);
    row_put(&from, bucket);
    to = from;
    ASSERT(row_after(&to));
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, row_slice(&to));
    enum err e = ERR_OK;
    for (store_iter_seek(s, it, row_slice(&from)); e == ERR_OK && *left > 0 && store_iter_valid(s, it); store_iter_next(s, it)) {
        struct slice key = store_iter_key(s, it);
        unsigned parts = 0;
        if (apply_deleted(c, key)) continue;
        if (key.n <= from.n + 1 + ID_BYTES) e = ERR_CORRUPT;
        const uint8_t *upload = key.p + key.n - ID_BYTES;
        if (e == ERR_OK) e = count_parts(c, upload, &parts);
        if (e == ERR_OK && parts > *left && *left < PURGE_ENTRIES_MAX) { /* the next PURGE begins with it */
            *left = 0;
            break;
        }
        if (e == ERR_OK) e = end_parts(c, upload);
        if (e == ERR_OK) {
            store_batch_del(c->batch, STORE_ROWS, key);
            usage_objects(c, -1);
        }
        *left -= MIN(*left, MAX(parts, 1u));
    }
    if (e == ERR_OK) e = store_iter_status(s, it);
    store_iter_close(s, it);
    return e;
}

/* PART ------------------------------------------------------------------------------------------------------------------ */

/* The part that is there, into c->scratch: ERR_MISSING also when it is not the one the guard names. */
static enum err guarded_part(struct apply *a, const struct row_key *key, bool *present) {
    struct entry_row row;
    enum err e = apply_get(a->c, STORE_ROWS, row_slice(key), &a->c->scratch);
    *present = e == ERR_OK;
    if (e == ERR_MISSING) return a->i->guard == COMMAND_GUARD_ABSENT ? ERR_OK : ERR_MISSING;
    TRY(e);
    TRY(entry_row_parse(buf_slice(&a->c->scratch), &row));
    return row.entry.leaf == a->i->guard ? ERR_OK : ERR_MISSING;
}

enum err judge_part(struct apply *a) {
    struct row_key key = part_row(a->i);
    bool present = false;
    enum err e = upload_there(a);
    if (e == ERR_OK) e = guarded_part(a, &key, &present);
    TRY(e);
    return blob_judge_source(a);
}

enum err perform_part(struct apply *a) {
    struct row_key key = part_row(a->i);
    bool present = false;
    TRY(guarded_part(a, &key, &present));
    if (present) TRY(blob_release_value(a->c, buf_slice(&a->c->scratch)));
    else usage_objects(a->c, 1);
    TRY(blob_take_source(a));
    apply_put_entry(a, &key, true);
    return ERR_OK;
}

/* COMPLETE -------------------------------------------------------------------------------------------------------------- */

/* Both lists ascend: one pass over the upload's parts. */
enum err judge_complete(struct apply *a) {
    TRY(upload_there(a));
    AUTO(walk) struct walk w;
    struct command_item list = *a->i;
    struct command_part part;
    struct row_key prefix;
    struct slice key;
    struct slice value;
    row_parts(&prefix, a->i->upload);
    walk_open(&w, a->c, &prefix);
    while (command_next_part(&list, &part)) {
        struct entry_row row;
        uint16_t number = 0;
        do {
            TRY(walk_next(&w, &key, &value));
            TRY(part_of_walk(a->c, key, value, &number, &row));
        } while (number < part.number);
        if (number != part.number || row.entry.leaf != part.guard) return ERR_MISSING;
    }
    return ERR_OK;
}

static void put_set_row(struct commit *c, const uint8_t *set, const struct command_part *part, const struct entry_row *from) {
    struct row_key key;
    row_set(&key, set);
    row_put_u64(&key, part->off);
    const struct set_row row = {.number = part->number, .plain_size = part->plain_size, .cipher_size = from->entry.sizes[0],
                                .blob = from->entry.blobs[0], .location = from->locations[0], .sealed = part->sealed};
    buf_reset(&c->scratch2);
    set_row_put(&c->scratch2, &row);
    ASSERT(buf_ok(&c->scratch2));
    store_batch_put(c->batch, STORE_ROWS, row_slice(&key), buf_slice(&c->scratch2));
}

/* Listed parts become rows of the set, whose count of references passes to it; the others are released. */
static enum err take_parts(struct apply *a) {
    struct commit *c = a->c;
    AUTO(walk) struct walk w;
    struct command_item list = *a->i;
    struct command_part part;
    struct row_key prefix;
    struct slice key;
    struct slice value;
    uint16_t taken = 0;
    enum err e;
    bool more = command_next_part(&list, &part);
    row_parts(&prefix, a->i->upload);
    walk_open(&w, c, &prefix);
    while ((e = walk_next(&w, &key, &value)) == ERR_OK) {
        struct entry_row row;
        uint16_t number = 0;
        TRY(part_of_walk(c, key, value, &number, &row));
        if (more && number == part.number) {
            put_set_row(c, a->i->upload, &part, &row);
            taken++;
            more = command_next_part(&list, &part);
        } else {
            TRY(blob_release(c, row.entry.blobs[0], row.entry.sizes[0], row.locations[0]));
        }
        store_batch_del(c->batch, STORE_ROWS, key);
        usage_objects(c, -1);
    }
    if (e != ERR_MISSING) return e;
    return taken == a->i->part_count ? ERR_OK : ERR_CORRUPT; /* judged a moment ago */
}

enum err perform_complete(struct apply *a) {
    struct commit *c = a->c;
    uint64_t count = 0;
    TRY(blob_count(c, a->i->upload, &count));
    bool set_is_new = count == 0;
    ASSERT(set_is_new);
    TRY(take_parts(a));
    blob_put_count(c, a->i->upload, 1);
    struct row_key upload = upload_row(a->i);
    store_batch_del(c->batch, STORE_ROWS, row_slice(&upload));        /* one goes, */
    TRY(version_turn(a));
    struct row_key key;
    row_object(&key, ROW_ENTRY, a->i->bucket, a->i->key);
    buf_reset(&c->places);
    apply_put_entry(a, &key, false);                                  /* one comes */
    return ERR_OK;
}
