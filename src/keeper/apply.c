/* SPDX-License-Identifier: Apache-2.0
 * apply: gives a command its effect: all of it is judged, then its rows are put into the committer's batch.
 * Role: commit -> here -> version, upload, grave, blob; every command is settled once, done or refused.
 * Trusts: the gate's decision: no policy is looked at here. Distrusts: itself: a command at or below the watermark changes nothing.
 * Law: 1, 2
 * Spec: docs/spec/entry.md sections 2 and 3; DESIGN rules 1, 2, 10, 12
 */
#include "keeper/apply.h"

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

enum err apply_get_u64(struct commit *c, struct slice key, uint64_t *out) {
    AUTO(buf) struct buf b = BUF_INIT(64);
    TRY(apply_get(c, STORE_ROWS, key, &b));
    if (b.n != 8) return ERR_CORRUPT;
    *out = get_be64(b.p);
    return ERR_OK;
}

enum err apply_there(struct commit *c, struct slice key) {
    struct slice value = {0};
    switch (store_batch_get(c->batch, STORE_ROWS, key, &value)) {
    case STORE_DELETED: return ERR_MISSING;
    case STORE_PUT: return ERR_OK;
    case STORE_UNTOUCHED: break;
    }
    struct store_pin pin;
    TRY(store_get(c->k->store, STORE_ROWS, key, &pin));
    store_unpin(c->k->store, &pin);
    return ERR_OK;
}

bool apply_deleted(struct commit *c, struct slice key) {
    struct slice seen = {0};
    return store_batch_get(c->batch, STORE_ROWS, key, &seen) == STORE_DELETED;
}

void apply_put_walked(struct commit *c, struct slice key, struct slice value) {
    ASSERT(key.p[0] == ROW_VERSION || key.p[0] == ROW_PART);
    buf_put_lp16(&c->walked, key);
    store_batch_put(c->batch, STORE_ROWS, key, value);
}

void apply_put_entry(struct apply *a, const struct row_key *key, bool walked) {
    struct buf *value = &a->c->scratch;
    buf_reset(value);
    buf_put_u8(value, 1);
    buf_put_u8(value, a->i->entry.blob_count);
    buf_put_slice(value, buf_slice(&a->c->places));
    buf_put_slice(value, a->i->entry.raw);
    ASSERT(buf_ok(value));
    if (walked) apply_put_walked(a->c, row_slice(key), buf_slice(value));
    else store_batch_put(a->c->batch, STORE_ROWS, row_slice(key), buf_slice(value));
}

/* commands --------------------------------------------------------------------------------------------------------------- */

static const struct {
    enum err (*judge)(struct apply *a); /* NULL: it cannot be refused */
    enum err (*perform)(struct apply *a);
} kinds[] = {
    [COMMAND_PUT] = {judge_put, perform_put},
    [COMMAND_DELETE] = {NULL, perform_delete},
    [COMMAND_UNDELETE] = {judge_undelete, perform_undelete},
    [COMMAND_DELVER] = {NULL, perform_delver},
    [COMMAND_UPLOAD] = {NULL, perform_upload},
    [COMMAND_PART] = {judge_part, perform_part},
    [COMMAND_COMPLETE] = {judge_complete, perform_complete},
    [COMMAND_ABORT] = {judge_abort, perform_abort},
    [COMMAND_REWRITE] = {NULL, perform_rewrite},
};

/* All of a command is judged before its first row is put: refused means that nothing happened. */
static enum err judge(struct commit *c, struct commit_item *item) {
    struct command cmd;
    struct command_item i;
    struct apply a = {.c = c, .cmd = &cmd, .i = &i, .item = item};
    command_begin(item->command, &cmd);
    if (cmd.kind == COMMAND_PURGE) return ERR_OK;
    while (command_next(&cmd, &i))
        if (kinds[i.kind].judge != NULL) TRY(kinds[i.kind].judge(&a));
    return ERR_OK;
}

static enum err perform(struct commit *c, struct commit_item *item) {
    struct command cmd;
    struct command_item i;
    struct apply a = {.c = c, .cmd = &cmd, .i = &i, .item = item};
    command_begin(item->command, &cmd);
    if (cmd.kind == COMMAND_PURGE) return grave_purge(c, &cmd);
    while (command_next(&cmd, &i)) TRY(kinds[i.kind].perform(&a));
    ASSERT(a.claim == item->claim_count);
    return ERR_OK;
}

static enum err settled_before(struct commit *c, struct slice refused_row, uint8_t *outcome) {
    enum err e = apply_there(c, refused_row);
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
    const struct commit_log *known = map_get(c->logs, log);
    uint64_t watermark = known != NULL ? known->watermark : 0;
    if (store_batch_get(c->batch, STORE_ROWS, row_slice(&mark), &seen) == STORE_PUT) watermark = get_be64(seen.p);
    /* Rule 2: at or below the watermark the rows answer and nothing changes. */
    usage_begin(c);
    if (item->index < watermark && !BREAK("keeper-no-watermark")) {
        TRY(settled_before(c, row_slice(&refused), &item->outcome));
        return usage_end(c, item);
    }
    enum err e = judge(c, item);
    if (e != ERR_OK && e != ERR_MISSING) return e;
    if (e == ERR_OK) {
        e = perform(c, item);
        ASSERT(e != ERR_MISSING); /* what may be missing was judged */
        TRY(e);
        item->outcome = WIRE_SETTLED_DONE;
    } else {
        uint8_t outcome = item->outcome = WIRE_SETTLED_REFUSED;
        store_batch_put(c->batch, STORE_ROWS, row_slice(&refused), slice_of(&outcome, 1));
        c->refusals++;
    }
    TRY(usage_end(c, item));
    uint8_t next[8];
    put_be64(next, item->index + 1);
    store_batch_put(c->batch, STORE_ROWS, row_slice(&mark), slice_of(next, 8));
    return ERR_OK;
}
