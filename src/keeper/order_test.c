/* SPDX-License-Identifier: Apache-2.0
 * order_test: what must hold under the gate's hold is asserted, and what a kill cuts short is there whole or not at all.
 * Role: unit tests over socket pairs, each in a process of its own that ends as it must.
 * Law: LAW-2: what no command asks for does not change
 * Spec: docs/spec/entry.md section 2; DESIGN rules 2, 6
 */
#include "keeper/keeper_test.h"

#include <signal.h>
#include <sys/wait.h>

#define ABSENT COMMAND_GUARD_ABSENT

static const uint8_t upload_id[ID_BYTES] = "upload.........";

/* what a broken invariant looks like ------------------------------------------------------------------------------------- */

static void put(struct rig *r, uint8_t flags, struct command_turn t) {
    struct blob b = rig_staged(r, 20);
    const struct entry_parts e = {.flags = flags, .leaf = r->index, .blobs = &b, .blob_count = 1};
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_PUT, 1000);
    build_place(&c, "k");
    build_turn(&c, &t);
    buf_put_u8(&c, SOURCE_STAGED);
    build_entry_lp32(&c, &e);
    assert_int_equal(rig_run(r, &c), WIRE_SETTLED_DONE);
}

static void begin(struct rig *r) {
    const struct entry_parts e = {.flags = ENTRY_FLAG_UPLOAD, .leaf = r->index};
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_UPLOAD, 1000);
    build_place(&c, "k");
    buf_put(&c, upload_id, ID_BYTES);
    build_entry_lp32(&c, &e);
    assert_int_equal(rig_run(r, &c), WIRE_SETTLED_DONE);
}

static void delver(struct rig *r, uint64_t leaf) {
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_DELVER, 1000);
    build_place(&c, "k");
    buf_put_u64(&c, leaf);
    buf_put_u64(&c, 0);
    assert_int_equal(rig_run(r, &c), WIRE_SETTLED_DONE);
}

static void rewrite(struct rig *r, uint64_t leaf, uint64_t guard, uint8_t flags, struct blob b) {
    const struct entry_parts e = {.flags = flags, .leaf = leaf, .revision = r->index, .blobs = &b, .blob_count = 1};
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_REWRITE, 1000);
    build_place(&c, "k");
    buf_put_u64(&c, leaf);
    buf_put_u64(&c, guard);
    build_entry_lp32(&c, &e);
    assert_int_equal(rig_run(r, &c), WIRE_SETTLED_DONE);
}

static void share(struct rig *r, struct blob b) {
    const struct command_turn t = {.guard = 1, .keep = true, .null_leaf = ABSENT};
    const struct entry_parts e = {.leaf = r->index, .blobs = &b, .blob_count = 1};
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_PUT, 1000);
    build_place(&c, "k");
    build_turn(&c, &t);
    buf_put_u8(&c, SOURCE_SHARED);
    build_place(&c, "k");
    buf_put_u64(&c, 0);
    build_entry_lp32(&c, &e);
    assert_int_equal(rig_run(r, &c), WIRE_SETTLED_DONE);
}

/* Leaf 0 is null and kept (U), leaf 1 is current. */
static struct blob two_versions(struct rig *r) {
    put(r, ENTRY_FLAG_NULL, (struct command_turn){.guard = ABSENT, .null_leaf = ABSENT});
    struct wire_found f = rig_find_any(r, "k", (struct wire_find){.mode = WIRE_FIND_CURRENT});
    struct entry e;
    struct blob b = {.size = 20};
    assert_int_equal(entry_parse(f.entry, &e), ERR_OK);
    memcpy(b.id, e.blobs[0], ID_BYTES);
    put(r, 0, (struct command_turn){.guard = 0, .keep = true, .null_leaf = ABSENT});
    return b;
}

/* Odd ones fit and pass; each one but for one field. */
static void one_case(struct rig *r, int n) {
    struct blob first = two_versions(r);
    struct blob other = rig_blob(r, 20);
    switch (n) {
    case 0: put(r, 0, (struct command_turn){.guard = 0, .keep = true, .null_leaf = ABSENT}); break;
    case 1: put(r, 0, (struct command_turn){.guard = 1, .keep = true, .null_leaf = ABSENT}); break;
    case 2: put(r, 0, (struct command_turn){.guard = 1, .null_leaf = 1}); break; /* not the null one */
    case 3: put(r, 0, (struct command_turn){.guard = 1, .null_leaf = 0}); break;
    case 4: put(r, ENTRY_FLAG_NULL, (struct command_turn){.guard = 1, .null_leaf = ABSENT}); break; /* two null versions */
    case 5: put(r, ENTRY_FLAG_NULL, (struct command_turn){.guard = 1, .null_leaf = 0}); break;
    case 6: delver(r, 5); break;
    case 7: delver(r, 0); break;
    case 8: rewrite(r, 0, 7, ENTRY_FLAG_NULL, first); break;
    case 9: rewrite(r, 0, 0, ENTRY_FLAG_NULL, first); break;
    case 10: rewrite(r, 0, 0, 0, first); break; /* other flags */
    case 12: rewrite(r, 0, 0, ENTRY_FLAG_NULL, other); break;
    case 14: rewrite(r, 9, 9, 0, first); break;
    case 16: share(r, other); break;
    case 17: share(r, first); break;
    case 18: begin(r); begin(r); break;
    case 19: begin(r); break;
    default: break;
    }
}

static void what_the_hold_forbids_aborts_and_the_same_with_the_right_field_does_not(void **state) {
    (void)state;
    for (int n = 0; n < 20; n++) {
        struct rig r = {.dir = "/tmp/keeper-test-XXXXXX"};
        assert_non_null(mkdtemp(r.dir));
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)!freopen("/dev/null", "w", stderr);
            (void)alarm(20);
            rig_start(&r, &store_engine_mem);
            one_case(&r, n);
            rig_halt(&r);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        rig_remove(&r);
        bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
        bool good = n % 2 == 0 ? aborted : WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!good) fail_msg("case %d ended with status %x", n, (unsigned)status);
    }
}

/* kill ------------------------------------------------------------------------------------------------------------------- */

#define KILLED_PARTS 400

static void complete_command(struct buf *c) {
    const struct command_turn t = {.guard = ABSENT, .null_leaf = ABSENT};
    const struct entry_parts e = {.flags = ENTRY_FLAG_SET, .leaf = KILLED_PARTS + 1, .set = upload_id, .parts = KILLED_PARTS};
    build_head(c, COMMAND_COMPLETE, 1000);
    build_place(c, "k");
    build_turn(c, &t);
    buf_put(c, upload_id, ID_BYTES);
    build_entry_lp32(c, &e);
    buf_put_u16(c, KILLED_PARTS);
    for (uint16_t i = 0; i < KILLED_PARTS; i++) {
        buf_put_u16(c, (uint16_t)(i + 1));
        buf_put_u64(c, 1u + i);
        buf_put_u64(c, 4u * i);
        buf_put_u64(c, 4);
        buf_put_lp16(c, SLICE_LIT("sealed"));
    }
    assert_true(buf_ok(c));
}

/* Every part of one batch, so that the child is quick; then the one command whose end is not waited for. */
static void child_completes(struct rig *r, int ready) {
    rig_start(r, &store_engine_rocksdb);
    begin(r);
    for (uint16_t i = 0; i < KILLED_PARTS; i++) {
        struct blob b = rig_staged(r, 20);
        const struct entry_parts e = {.flags = ENTRY_FLAG_PART, .leaf = 1u + i, .blobs = &b, .blob_count = 1};
        struct buf c = BUF_INIT(8192);
        build_head(&c, COMMAND_PART, 1000);
        build_place(&c, "k");
        buf_put(&c, upload_id, ID_BYTES);
        buf_put_u16(&c, (uint16_t)(i + 1));
        buf_put_u64(&c, ABSENT);
        buf_put_u8(&c, SOURCE_STAGED);
        build_entry_lp32(&c, &e);
        rig_send_apply(r, 1u + i, &c);
        buf_done(&c);
    }
    for (uint16_t i = 0; i < KILLED_PARTS; i++) assert_int_equal(rig_outcome(r, 1u + i), WIRE_SETTLED_DONE);
    struct buf c = BUF_INIT(COMMAND_BYTES_MAX);
    complete_command(&c);
    rig_send_apply(r, KILLED_PARTS + 1, &c);
    assert_int_equal(write(ready, "x", 1), 1);
    for (;;) rig_turn(r, 1);
}

static unsigned rows_of(struct rig *r, char table) {
    unsigned n = 0;
    uint8_t upper = (uint8_t)(table + 1);
    struct store_iter *it = store_iter_open(r->k.store, NULL, STORE_ROWS, slice_of(&upper, 1));
    for (store_iter_seek(r->k.store, it, slice_of(&table, 1)); store_iter_valid(r->k.store, it); store_iter_next(r->k.store, it)) n++;
    store_iter_close(r->k.store, it);
    return n;
}

static void a_complete_that_a_kill_cuts_short_is_there_whole_or_not_at_all(void **state) {
    (void)state;
    static const useconds_t after_us[] = {0, 300, 700, 1200, 2000, 4000, 20000};
    unsigned done_before = 0;
    for (size_t i = 0; i < ARRAY_LEN(after_us); i++) {
        struct rig r = {.dir = "/tmp/keeper-test-XXXXXX"};
        int ready[2];
        char byte;
        assert_non_null(mkdtemp(r.dir));
        assert_int_equal(pipe(ready), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)!freopen("/dev/null", "w", stderr);
            (void)alarm(60);
            child_completes(&r, ready[1]);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        (void)usleep(after_us[i]);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        rig_start(&r, &store_engine_rocksdb);
        bool done = rows_of(&r, ROW_SET) > 0;
        done_before += done;
        for (int again = 0; again < 2; again++) { /* as the kill left it, and when the gate has sent the command again */
            assert_int_equal(rows_of(&r, ROW_SET), done ? KILLED_PARTS : 0);
            assert_int_equal(rows_of(&r, ROW_PART), done ? 0 : KILLED_PARTS);
            assert_int_equal(rows_of(&r, ROW_UPLOAD), done ? 0 : 1);
            assert_int_equal(rows_of(&r, ROW_ENTRY), done ? 1 : 0);
            assert_int_equal(rows_of(&r, ROW_BLOB), KILLED_PARTS + done);
            if (again) break;
            struct buf c = BUF_INIT(COMMAND_BYTES_MAX);
            complete_command(&c);
            rig_send_apply(&r, KILLED_PARTS + 1, &c);
            assert_int_equal(rig_outcome(&r, KILLED_PARTS + 1), WIRE_SETTLED_DONE);
            buf_done(&c);
            done = true;
        }
        rig_close(&r);
    }
    print_message("killed %zu times, %u of them behind the batch\n", ARRAY_LEN(after_us), done_before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_hold_forbids_aborts_and_the_same_with_the_right_field_does_not),
        cmocka_unit_test(a_complete_that_a_kill_cuts_short_is_there_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
