/* SPDX-License-Identifier: Apache-2.0
 * keeper_test: what the keeper does with its gate's commands, and what it does when a batch fails.
 * Role: unit tests over socket pairs, mem engine unless a restart is asked for.
 * Law: LAW-2: what no command asks for does not change
 * Spec: docs/spec/entry.md; DESIGN rules 1, 2, 7, 9, 10, 11, 12
 */
#include "keeper/keeper_test.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define ABSENT COMMAND_GUARD_ABSENT
#define LARGE (BLOB_PACK_BYTES_MAX + 300000u)

static const struct store_engine *const mem = &store_engine_mem;

static void settle_io(struct rig *r) {
    for (int i = 0; i < 40; i++) rig_turn(r, 2);
}

/* Blobs of every size class come back as they were, through commit and both kinds of READ. */
static void what_is_put_is_found_and_read_back(void **state) {
    struct rig r;
    rig_open(&r, *state);
    static const uint64_t sizes[] = {16, BLOB_INLINE_ALONE_BYTES_MAX, BLOB_INLINE_ALONE_BYTES_MAX + 1, 300000, BLOB_PACK_BYTES_MAX, LARGE};
    static const uint8_t engines[] = {LOCATION_INLINE, LOCATION_INLINE, LOCATION_PACK, LOCATION_PACK, LOCATION_PACK, LOCATION_FILE};
    struct buf at = BUF_INIT(64);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char name[8] = {'k', (char)('0' + i), 0};
        struct blob b = rig_staged(&r, sizes[i]);
        assert_int_equal(rig_put(&r, name, ABSENT, &b), WIRE_SETTLED_DONE);
        assert_int_equal(rig_find(&r, name, false, &at), i);
        assert_int_equal(at.p[0], engines[i]);
        for (uint64_t off = 0; off < sizes[i]; off += WIRE_DATA_BYTES_MAX)
            assert_int_equal(rig_read(&r, &at, off, (uint32_t)MIN(sizes[i] - off, (uint64_t)WIRE_DATA_BYTES_MAX)), WIRE_DATA_OK);
        assert_int_equal(rig_read(&r, &at, sizes[i], 1), WIRE_DATA_GONE);
    }
    assert_int_equal(rig_find(&r, "nothing", false, NULL), ABSENT);
    settle_io(&r);
    assert_int_equal(rig_files(&r, "stage"), 0);
    assert_int_equal(rig_files(&r, "blobs"), 1);
    assert_int_equal(r.k.stage_bytes, 0);
    assert_int_equal(map_count(r.k.stages), 0);
    buf_done(&at);
    rig_close(&r);
}

/* In one batch with others the packs are cheaper, from BLOB_INLINE_BYTES_MAX on. */
static void blobs_in_company_go_to_a_pack_earlier_than_alone(void **state) {
    struct rig r;
    rig_open(&r, *state);
    static const uint64_t sizes[] = {BLOB_INLINE_BYTES_MAX, BLOB_INLINE_BYTES_MAX + 1, BLOB_INLINE_ALONE_BYTES_MAX};
    static const uint8_t engines[] = {LOCATION_INLINE, LOCATION_PACK, LOCATION_PACK};
    struct buf at = BUF_INIT(64);
    struct blob b[ARRAY_LEN(sizes)];
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) b[i] = rig_staged(&r, sizes[i]);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char name[8] = {'k', (char)('0' + i), 0};
        struct buf c = BUF_INIT(4096);
        command_put(&c, name, i, ABSENT, 1000, &b[i]);
        rig_send_apply(&r, i, &c);
        buf_done(&c);
    }
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) assert_int_equal(rig_outcome(&r, i), WIRE_SETTLED_DONE);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char name[8] = {'k', (char)('0' + i), 0};
        assert_int_equal(rig_find(&r, name, false, &at), i);
        assert_int_equal(at.p[0], engines[i]);
    }
    buf_done(&at);
    rig_close(&r);
}

static void commands_take_effect_and_are_answered_in_order(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    for (uint64_t i = 0; i < 40; i++) {
        struct buf c = BUF_INIT(4096);
        struct blob b = rig_staged(&r, 20);
        command_put(&c, "same key", i, i == 0 ? ABSENT : i - 1, 1000, &b);
        rig_send_apply(&r, i, &c);
        buf_done(&c);
    }
    for (uint64_t i = 0; i < 40; i++) assert_int_equal(rig_outcome(&r, i), WIRE_SETTLED_DONE);
    assert_int_equal(rig_find(&r, "same key", false, NULL), 39);
    assert_int_equal(rig_find(&r, "same key", true, NULL), 38);
    rig_close(&r);
}

static void a_command_below_the_watermark_is_answered_and_changes_nothing(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    struct blob b = rig_staged(&r, 20);
    struct buf put = BUF_INIT(4096);
    command_put(&put, "a", 0, ABSENT, 1000, &b);
    assert_int_equal(rig_put(&r, "a", ABSENT, &b), WIRE_SETTLED_DONE);
    assert_int_equal(rig_delete(&r, "a", 0), WIRE_SETTLED_DONE);
    rig_send_apply(&r, 0, &put); /* C1, C2 of the model: a lost answer, sent again */
    assert_int_equal(rig_outcome(&r, 0), WIRE_SETTLED_DONE);
    assert_int_equal(rig_find(&r, "a", false, NULL), ABSENT);
    /* a hole is not settled by what lies above it in another log, and a gap in one log is */
    r.index = 10;
    b = rig_staged(&r, 20);
    assert_int_equal(rig_put(&r, "b", ABSENT, &b), WIRE_SETTLED_DONE);
    buf_done(&put);
    rig_close(&r);
}

static void a_refusal_stays_one_until_the_mark_passes_it(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    struct blob never = rig_blob(&r, 20);
    struct buf put = BUF_INIT(4096);
    command_put(&put, "a", 0, ABSENT, 1000, &never);
    assert_int_equal(rig_put(&r, "a", ABSENT, &never), WIRE_SETTLED_REFUSED);
    struct blob other = rig_staged(&r, 20);
    assert_int_equal(rig_put(&r, "b", ABSENT, &other), WIRE_SETTLED_DONE);
    /* C4: the blob is there now; the answer must not change */
    rig_grant(&r, &never, &r.front, 20);
    rig_stage_piece(&r.front, &never, 0, 20, true);
    (void)peer_recv(&r, &r.front, WIRE_SEALED);
    rig_send_apply(&r, 0, &put);
    assert_int_equal(rig_outcome(&r, 0), WIRE_SETTLED_REFUSED);
    assert_int_equal(rig_find(&r, "a", false, NULL), ABSENT);
    struct wire_mark mark = {.mark = 1};
    memcpy(mark.log, rig_log, ID_BYTES);
    struct buf frame = BUF_INIT(256);
    assert_int_equal(wire_put_mark(&frame, 0, &mark), ERR_OK);
    peer_send(&r.gate, &frame);
    assert_int_equal(rig_delete(&r, "b", 1), WIRE_SETTLED_DONE); /* behind the mark in the queue */
    struct store_pin pin;
    struct row_key row;
    row_begin(&row, ROW_REFUSED);
    row_put(&row, slice_of(rig_log, ID_BYTES));
    row_put_u64(&row, 0);
    assert_int_equal(store_get(r.k.store, STORE_ROWS, row_slice(&row), &pin), ERR_MISSING);
    buf_done(&frame);
    buf_done(&put);
    rig_close(&r);
}

static void a_guard_that_does_not_hold_aborts(void **state) {
    (void)state;
    struct rig r = {.dir = "/tmp/keeper-test-XXXXXX"};
    assert_non_null(mkdtemp(r.dir));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        rig_start(&r, mem);
        struct blob b = rig_staged(&r, 20);
        if (rig_put(&r, "a", ABSENT, &b) != WIRE_SETTLED_DONE) _exit(1);
        b = rig_staged(&r, 20);
        (void)rig_put(&r, "a", ABSENT, &b); /* the current entry is leaf 0 */
        _exit(2);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rig_remove(&r);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* Rule 10 */
static void a_blob_is_adopted_once_and_only_with_its_size(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    struct blob b = rig_staged(&r, 20);
    struct blob wrong = b;
    wrong.size = 21;
    assert_int_equal(rig_put(&r, "a", ABSENT, &wrong), WIRE_SETTLED_REFUSED);
    assert_int_equal(rig_put(&r, "a", ABSENT, &b), WIRE_SETTLED_DONE);
    assert_int_equal(rig_put(&r, "twin", ABSENT, &b), WIRE_SETTLED_REFUSED);
    /* the same id staged anew, while an entry and then the grave refers to it (C13) */
    rig_grant(&r, &b, &r.front, 20);
    rig_stage_piece(&r.front, &b, 0, 20, true);
    (void)peer_recv(&r, &r.front, WIRE_SEALED);
    assert_int_equal(rig_put(&r, "twin", ABSENT, &b), WIRE_SETTLED_REFUSED);
    assert_int_equal(rig_delete(&r, "a", 1), WIRE_SETTLED_DONE);
    assert_int_equal(rig_put(&r, "twin", ABSENT, &b), WIRE_SETTLED_REFUSED);
    rig_close(&r);
}

/* Rule 11, C11: the front dies in the turn in which the APPLY arrives. */
static void a_front_that_dies_does_not_take_a_claimed_blob_along(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    struct blob b = rig_staged(&r, LARGE);
    struct buf c = BUF_INIT(4096);
    command_put(&c, "a", 0, ABSENT, 1000, &b);
    store_mem_fail(r.k.store, 1, false, 2); /* keeps the batch running while the front goes */
    rig_send_apply(&r, 0, &c);
    peer_done(&r.front);
    assert_int_equal(rig_outcome(&r, 0), WIRE_SETTLED_DONE);
    settle_io(&r);
    peer_front(&r, &r.front);
    struct buf at = BUF_INIT(64);
    assert_int_equal(rig_find(&r, "a", false, &at), 0);
    assert_int_equal(rig_read(&r, &at, 0, 1000), WIRE_DATA_OK);
    assert_int_equal(map_count(r.k.stages), 0);
    buf_done(&at);
    buf_done(&c);
    rig_close(&r);
}

static void what_a_dead_front_left_unclaimed_is_dropped(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    struct blob small = rig_staged(&r, 20);
    struct blob large = rig_staged(&r, LARGE);
    assert_int_equal(rig_files(&r, "blobs"), 1);
    peer_done(&r.front);
    settle_io(&r);
    assert_int_equal(map_count(r.k.stages), 0);
    assert_int_equal(rig_files(&r, "blobs"), 0);
    assert_int_equal(rig_put(&r, "a", ABSENT, &small), WIRE_SETTLED_REFUSED);
    assert_int_equal(rig_put(&r, "a", ABSENT, &large), WIRE_SETTLED_REFUSED);
    rig_close(&r);
}

/* Rule 12, C12: the batch that releases the bytes fails first; while its outcome is open they are there. */
static void bytes_go_only_after_the_batch_that_released_them_is_synced(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    struct blob file = rig_staged(&r, LARGE);
    struct blob pack = rig_staged(&r, 300000);
    struct blob inl = rig_staged(&r, 100);
    assert_int_equal(rig_put(&r, "file", ABSENT, &file), WIRE_SETTLED_DONE);
    assert_int_equal(rig_put(&r, "pack", ABSENT, &pack), WIRE_SETTLED_DONE);
    assert_int_equal(rig_put(&r, "inl", ABSENT, &inl), WIRE_SETTLED_DONE);
    struct buf at = BUF_INIT(64);
    (void)rig_find(&r, "pack", false, &at);
    assert_int_equal(rig_delete(&r, "file", 0), WIRE_SETTLED_DONE);
    assert_int_equal(rig_delete(&r, "pack", 1), WIRE_SETTLED_DONE);
    assert_int_equal(rig_delete(&r, "inl", 2), WIRE_SETTLED_DONE);
    assert_int_equal(rig_purge(&r, 1000 + GRAVE_MIN_MS - 1), WIRE_SETTLED_DONE); /* not due */
    settle_io(&r);
    assert_int_equal(rig_read(&r, &at, 0, 1000), WIRE_DATA_OK);
    struct buf c = BUF_INIT(256);
    command_purge(&c, 1000 + GRAVE_MIN_MS, false);
    store_mem_fail(r.k.store, 1, false, 2);
    rig_send_apply(&r, r.index, &c);
    for (int i = 0; i < 50; i++) rig_turn(&r, 2); /* less than two KEEPER_REOPEN_MS */
    assert_true(r.k.down);
    assert_int_equal(rig_files(&r, "blobs"), 1);
    assert_int_equal(rig_read(&r, &at, 0, 1000), WIRE_DATA_OK);
    assert_int_equal(rig_outcome(&r, r.index++), WIRE_SETTLED_DONE);
    settle_io(&r);
    assert_int_equal(rig_files(&r, "blobs"), 0);
    assert_int_equal(rig_find(&r, "file", true, NULL), ABSENT);
    struct store_iter *it = store_iter_open(r.k.store, NULL, STORE_BLOBS, SLICE_LIT("\xff"));
    store_iter_seek(r.k.store, it, SLICE_LIT("\0"));
    assert_false(store_iter_valid(r.k.store, it));
    store_iter_close(r.k.store, it);
    buf_done(&c);
    buf_done(&at);
    rig_close(&r);
}

static void undelete_brings_the_bytes_back_and_is_refused_after_the_purge(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    struct blob one = rig_staged(&r, 300000);
    struct blob two = rig_staged(&r, 300000);
    assert_int_equal(rig_put(&r, "a", ABSENT, &one), WIRE_SETTLED_DONE);  /* leaf 0 */
    assert_int_equal(rig_put(&r, "a", 0, &two), WIRE_SETTLED_DONE);       /* leaf 1 buries 0 */
    struct buf c = BUF_INIT(4096);
    command_undelete(&c, "a", 2, 1, 0, &one);
    rig_send_apply(&r, r.index, &c);                                      /* leaf 2 buries 1 */
    assert_int_equal(rig_outcome(&r, r.index++), WIRE_SETTLED_DONE);
    struct buf at = BUF_INIT(64);
    assert_int_equal(rig_find(&r, "a", false, &at), 2);
    assert_int_equal(rig_find(&r, "a", true, NULL), 1);
    assert_int_equal(rig_purge(&r, UINT64_MAX / 8), WIRE_SETTLED_DONE);   /* takes 1 apart */
    settle_io(&r);
    assert_int_equal(rig_read(&r, &at, 0, 1000), WIRE_DATA_OK);
    buf_reset(&c);
    command_undelete(&c, "a", r.index, 2, 1, &two);
    rig_send_apply(&r, r.index, &c);
    assert_int_equal(rig_outcome(&r, r.index++), WIRE_SETTLED_REFUSED);
    assert_int_equal(rig_find(&r, "a", false, NULL), 2);
    buf_done(&c);
    buf_done(&at);
    rig_close(&r);
}

/* The second item of the batch is the end of an upload that is there or not. */
static void a_batch_is_done_whole_or_refused_whole(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    static const uint8_t upload[ID_BYTES] = "upload.........";
    struct blob one = rig_staged(&r, 5000);
    assert_int_equal(rig_put(&r, "one", ABSENT, &one), WIRE_SETTLED_DONE);
    for (int there = 0; there < 2; there++) {
        struct buf c = BUF_INIT(8192);
        if (there) {
            const struct entry_parts e = {.flags = ENTRY_FLAG_UPLOAD, .leaf = r.index};
            build_head(&c, COMMAND_UPLOAD, 1000);
            build_place(&c, "two");
            buf_put(&c, upload, ID_BYTES);
            build_entry_lp32(&c, &e);
            assert_int_equal(rig_run(&r, &c), WIRE_SETTLED_DONE);
        }
        const struct command_turn turn = {.guard = 0, .null_leaf = ABSENT};
        c = BUF_INIT(8192);
        build_head(&c, COMMAND_BATCH, 1000);
        buf_put_u16(&c, 2);
        buf_put_u8(&c, COMMAND_DELETE);
        build_place(&c, "one");
        build_turn(&c, &turn);
        buf_put_u8(&c, COMMAND_ABORT);
        build_place(&c, "two");
        buf_put(&c, upload, ID_BYTES);
        assert_int_equal(rig_run(&r, &c), there ? WIRE_SETTLED_DONE : WIRE_SETTLED_REFUSED);
        assert_int_equal(rig_find(&r, "one", false, NULL), there ? ABSENT : 0);
    }
    rig_close(&r);
}

/* Each durable write: failed and not persisted, failed but persisted. */
static void a_failed_batch_is_settled_once_whichever_way_it_went(void **state) {
    (void)state;
    for (int persisted = 0; persisted < 2; persisted++) {
        struct rig r;
        rig_open(&r, mem);
        struct blob first = rig_staged(&r, 20);
        assert_int_equal(rig_put(&r, "a", ABSENT, &first), WIRE_SETTLED_DONE);
        store_mem_fail(r.k.store, 1, persisted, 1);
        struct buf c = BUF_INIT(4096);
        struct blob b[3];
        for (uint64_t i = 0; i < 3; i++) {
            b[i] = rig_staged(&r, i == 1 ? 300000 : 20);
            buf_reset(&c);
            command_put(&c, "a", r.index + i, r.index + i - 1, 1000, &b[i]);
            rig_send_apply(&r, r.index + i, &c);
        }
        for (uint64_t i = 0; i < 3; i++) assert_int_equal(rig_outcome(&r, r.index++), WIRE_SETTLED_DONE);
        assert_int_equal(rig_find(&r, "a", false, NULL), 3);
        assert_int_equal(rig_find(&r, "a", true, NULL), 2);
        assert_int_equal(rig_delete(&r, "a", 3), WIRE_SETTLED_DONE);
        buf_done(&c);
        rig_close(&r);
    }
}

/* scan ----------------------------------------------------------------------------------------------------------------- */

static void scan(struct rig *r, const char *prefix, const char *delimiter, const char *after, uint32_t rows_max, uint32_t budget,
                 const char *expect, int more, const char *next) {
    struct wire_scan q = {.prefix = slice_str(prefix), .delimiter = slice_str(delimiter), .after = slice_str(after),
                          .rows_max = rows_max, .budget = budget};
    memcpy(q.bucket, rig_bucket, ID_BYTES);
    memcpy(q.log, rig_log, ID_BYTES);
    struct buf frame = BUF_INIT(8192);
    assert_int_equal(wire_put_scan(&frame, 3, &q), ERR_OK);
    peer_send(&r->gate, &frame);
    buf_done(&frame);
    struct wire_rows m;
    assert_int_equal(wire_get_rows(peer_recv(r, &r->gate, WIRE_ROWS), &m), ERR_OK);
    assert_int_equal(m.last, 1);
    assert_int_equal(m.failed, 0);
    assert_int_equal(m.as_of, r->index);
    struct buf seen = BUF_INIT(65536);
    struct reader rows = reader_of(m.rows);
    for (struct wire_scan_row row; wire_next_scan_row(&rows, &row);) {
        buf_put_slice(&seen, row.key);
        buf_put_str(&seen, row.kind == WIRE_ROW_PREFIX ? "* " : " ");
        if (row.kind == WIRE_ROW_ENTRY) assert_true(slice_is(row.facts, "facts"));
    }
    buf_put_u8(&seen, 0);
    assert_string_equal(seen.p, expect);
    assert_int_equal(m.more, more);
    assert_true(slice_is(m.next, next));
    buf_done(&seen);
}

static void a_scan_folds_pages_and_says_when_there_is_more(void **state) {
    struct rig r;
    rig_open(&r, *state);
    static const char *const keys[] = {"a", "a/1", "a/2", "a/3", "a\xc3\xa5", "b", "b//x", "b/y", "c/z", "d"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct blob b = rig_staged(&r, 20);
        assert_int_equal(rig_put(&r, keys[i], ABSENT, &b), WIRE_SETTLED_DONE);
    }
    scan(&r, "", "", "", 1000, 20000, "a a/1 a/2 a/3 a\xc3\xa5 b b//x b/y c/z d ", 0, "d");
    scan(&r, "", "/", "", 1000, 20000, "a a/* a\xc3\xa5 b b/* c/* d ", 0, "d");
    scan(&r, "", "/", "", 2, 20000, "a a/* ", 1, "a/");
    scan(&r, "", "/", "a/", 2, 20000, "a\xc3\xa5 b ", 1, "b");
    scan(&r, "", "/", "b", 3, 20000, "b/* c/* d ", 0, "d");
    scan(&r, "b/", "/", "", 1000, 20000, "b//* b/y ", 0, "b/y");
    scan(&r, "b/", "/", "b//", 1000, 20000, "b/y ", 0, "b/y");
    scan(&r, "a", "", "a/1", 2, 20000, "a/2 a/3 ", 1, "a/3");
    scan(&r, "b", "", "a", 1000, 20000, "b b//x b/y ", 0, "b/y");
    scan(&r, "b", "", "c", 1000, 20000, "", 0, "c");
    scan(&r, "", "", "", 0, 20000, "", 1, "");
    scan(&r, "zz", "", "", 1000, 20000, "", 0, "");
    scan(&r, "", "", "", 1000, 3, "a a/1 a/2 ", 1, "a/2"); /* the budget */
    scan(&r, "", "/", "", 1000, 3, "a a/* a\xc3\xa5 ", 1, "a\xc3\xa5");
    assert_int_equal(r.k.scan_count, 0);
    rig_close(&r);
}

static void a_page_past_one_frame_comes_in_several(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    /* rows straight into the engine: 1000 puts over sockets would test nothing more */
    struct store_batch *batch = store_batch_new();
    struct blob b = rig_blob(&r, 20);
    for (int i = 0; i < 1001; i++) {
        char name[400];
        (void)snprintf(name, sizeof name, "%0395d", i);
        struct buf c = BUF_INIT(4096);
        struct buf value = BUF_INIT(4096);
        command_put(&c, name, 0, ABSENT, 0, &b);
        struct command cmd;
        struct command_item item;
        command_begin(buf_slice(&c), &cmd);
        assert_true(command_next(&cmd, &item));
        buf_put_u8(&value, 1);
        buf_put_u8(&value, 1);
        buf_put_lp16(&value, SLICE_LIT("\3aaaaaaaaaaaaaaaa"));
        buf_put_slice(&value, item.entry.raw);
        struct row_key row;
        row_object(&row, ROW_ENTRY, item.bucket, item.key);
        store_batch_put(batch, STORE_ROWS, row_slice(&row), buf_slice(&value));
        buf_done(&c);
        buf_done(&value);
    }
    assert_int_equal(store_write(r.k.store, batch), ERR_OK);
    store_batch_free(batch);
    struct wire_scan q = {.rows_max = 5000, .budget = UINT32_MAX};
    memcpy(q.bucket, rig_bucket, ID_BYTES);
    struct buf frame = BUF_INIT(8192);
    assert_int_equal(wire_put_scan(&frame, 3, &q), ERR_OK);
    peer_send(&r.gate, &frame);
    buf_done(&frame);
    unsigned frames = 0;
    unsigned count = 0;
    struct wire_rows m;
    do {
        assert_int_equal(wire_get_rows(peer_recv(&r, &r.gate, WIRE_ROWS), &m), ERR_OK);
        frames++;
        struct reader rows = reader_of(m.rows);
        for (struct wire_scan_row row; wire_next_scan_row(&rows, &row);) count++;
    } while (!m.last);
    assert_int_equal(count, S3_LIST_KEYS_MAX);
    assert_true(frames > 1);
    assert_int_equal(m.more, 1);
    rig_close(&r);
}

/* starts ----------------------------------------------------------------------------------------------------------------- */

static void a_new_gate_closes_the_old_and_learns_the_watermarks(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, mem);
    struct blob b = rig_staged(&r, 20);
    r.index = 6;
    assert_int_equal(rig_put(&r, "a", ABSENT, &b), WIRE_SETTLED_DONE);
    struct peer old = r.gate;
    peer_gate(&r, &r.gate);
    assert_true(peer_closed(&r, &old, 1000));
    PEER_SEND(&r.gate, openindex, 1, .index_key = {9});
    struct wire_ready ready;
    assert_int_equal(wire_get_ready(peer_recv(&r, &r.gate, WIRE_READY), &ready), ERR_OK);
    assert_int_equal(ready.outcome, WIRE_READY_WRONG_KEY);
    assert_true(ready.message.n > 20);
    r.usage = (struct usage){0};
    PEER_SEND(&r.gate, openindex, 1, .index_key = {0});
    assert_int_equal(wire_get_ready(peer_recv(&r, &r.gate, WIRE_READY), &ready), ERR_OK);
    assert_int_equal(ready.outcome, WIRE_READY_OK);
    assert_int_equal(ready.apply_number, 1);
    assert_int_equal(ready.watermarks.n, ID_BYTES + 8);
    assert_memory_equal(ready.watermarks.p, rig_log, ID_BYTES);
    assert_int_equal(get_be64(ready.watermarks.p + ID_BYTES), 7);
    assert_int_equal(r.usage.objects, 1);
    assert_int_equal(r.usage.bytes, 20);
    peer_done(&old);
    rig_close(&r);
}

static void sealed_blobs_outlive_a_restart_until_all_is_settled(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, &store_engine_rocksdb);
    struct blob adopted = rig_staged(&r, LARGE);
    struct blob late = rig_staged(&r, LARGE);
    struct blob orphan = rig_staged(&r, LARGE);
    struct blob small = rig_staged(&r, 9000);
    assert_int_equal(rig_put(&r, "now", ABSENT, &adopted), WIRE_SETTLED_DONE);
    assert_int_equal(rig_put(&r, "small", ABSENT, &small), WIRE_SETTLED_DONE);
    rig_halt(&r);
    rig_start(&r, &store_engine_rocksdb);
    assert_int_equal(rig_files(&r, "blobs"), 3);
    assert_int_equal(rig_put(&r, "late", ABSENT, &late), WIRE_SETTLED_DONE);
    PEER_SEND(&r.gate, settledall, 0, .unused = 0);
    settle_io(&r);
    assert_int_equal(rig_files(&r, "blobs"), 2);
    assert_int_equal(rig_files(&r, "stage"), 0);
    assert_int_equal(rig_put(&r, "orphan", ABSENT, &orphan), WIRE_SETTLED_REFUSED);
    static const char *const names[] = {"now", "late", "small"};
    struct buf at = BUF_INIT(64);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_not_equal(rig_find(&r, names[i], false, &at), ABSENT);
        assert_int_equal(rig_read(&r, &at, 100, 4000), WIRE_DATA_OK);
    }
    /* the pack goes on behind what was written before the restart */
    small = rig_staged(&r, 9000);
    assert_int_equal(rig_put(&r, "small2", ABSENT, &small), WIRE_SETTLED_DONE);
    assert_int_equal(rig_read(&r, &at, 0, 9000), WIRE_DATA_OK);
    assert_int_equal(rig_files(&r, "packs"), 1);
    buf_done(&at);
    rig_close(&r);
}

/* The process ends on SIGTERM with its peers still connected: a stopped loop turns no more, and nothing may wait for it. */
static void a_stopped_loop_does_not_keep_the_keeper_from_ending(void **state) {
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rig r;
        (void)alarm(10);
        rig_open(&r, mem);
        loop_stop(r.loop);
        keeper_stop(&r.k);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define WITH(test, engine, text) {#test text, test, NULL, NULL, (void *)(uintptr_t)&(engine)}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(what_is_put_is_found_and_read_back, store_engine_mem, " [mem]"),
        WITH(what_is_put_is_found_and_read_back, store_engine_rocksdb, " [rocksdb]"),
        WITH(blobs_in_company_go_to_a_pack_earlier_than_alone, store_engine_mem, " [mem]"),
        WITH(blobs_in_company_go_to_a_pack_earlier_than_alone, store_engine_rocksdb, " [rocksdb]"),
        cmocka_unit_test(commands_take_effect_and_are_answered_in_order),
        cmocka_unit_test(a_command_below_the_watermark_is_answered_and_changes_nothing),
        cmocka_unit_test(a_refusal_stays_one_until_the_mark_passes_it),
        cmocka_unit_test(a_guard_that_does_not_hold_aborts),
        cmocka_unit_test(a_blob_is_adopted_once_and_only_with_its_size),
        cmocka_unit_test(a_front_that_dies_does_not_take_a_claimed_blob_along),
        cmocka_unit_test(what_a_dead_front_left_unclaimed_is_dropped),
        cmocka_unit_test(bytes_go_only_after_the_batch_that_released_them_is_synced),
        cmocka_unit_test(undelete_brings_the_bytes_back_and_is_refused_after_the_purge),
        cmocka_unit_test(a_batch_is_done_whole_or_refused_whole),
        cmocka_unit_test(a_failed_batch_is_settled_once_whichever_way_it_went),
        WITH(a_scan_folds_pages_and_says_when_there_is_more, store_engine_mem, " [mem]"),
        WITH(a_scan_folds_pages_and_says_when_there_is_more, store_engine_rocksdb, " [rocksdb]"),
        cmocka_unit_test(a_page_past_one_frame_comes_in_several),
        cmocka_unit_test(a_new_gate_closes_the_old_and_learns_the_watermarks),
        cmocka_unit_test(sealed_blobs_outlive_a_restart_until_all_is_settled),
        cmocka_unit_test(a_stopped_loop_does_not_keep_the_keeper_from_ending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
