/* SPDX-License-Identifier: Apache-2.0
 * The logbook's facts: what was acknowledged is there after any end, and nothing that was damaged is taken for less.
 * Role: tests. Spec: docs/spec/wal.md, docs/spec/log.md
 */
#include "gate/logbook/logbook_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void log_path(char out[160], const char *dir, const char *part, const struct gate_log *l, const char *file) {
    (void)snprintf(out, 160, "%s/%s/%s/%s", dir, part, l->id_text, file);
}
static uint64_t file_size(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}
static void file_flip(const char *path, uint64_t at) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t b;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &b, 1, (off_t)at), 1);
    b ^= 0x40;
    assert_int_equal(pwrite(fd, &b, 1, (off_t)at), 1);
    close(fd);
}

/* appending -------------------------------------------------------------------------------------------------------------------- */

static void appended_leaves_are_durable_readable_and_signed(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    for (uint64_t i = 0; i < 5; i++) assert_int_equal(test_put(&t, t.a), i);
    test_check(&t, t.a, 5);
    test_check(&t, t.b, 0);
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX);
    assert_int_equal(log_read(t.a, 5, &leaf, NULL), ERR_MISSING);
    test_close(&t);
    test_remove(dir);
}

static unsigned durable_calls, durable_last;
static void in_order(struct log_wait *w) {
    assert_int_equal(w->index, durable_last++);
    assert_true(w->index < log_durable(w->log));
    durable_calls++;
}

static void one_turn_is_one_batch_and_waiters_are_called_in_append_order(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    struct log_wait w[20];
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    durable_calls = durable_last = 0;
    for (unsigned i = 0; i < 20; i++) test_append(&t, t.a, false, UINT64_MAX, in_order, &w[i]);
    assert_int_equal(log_size(t.a), 20);
    assert_int_equal(log_durable(t.a), 0);
    for (unsigned turns = 0; durable_calls < 20 && turns < 1000; turns++) loop_turn(t.loop, 10);
    assert_int_equal(durable_calls, 20);
    struct logbook_stats s;
    logbook_stats(t.lb, &s);
    assert_int_equal(s.batches, 1);
    assert_int_equal(s.syncs, 1);
    assert_int_equal(s.records, 20);
    test_close(&t);
    test_remove(dir);
}

static void two_logs_share_one_wal_and_come_back(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    for (unsigned i = 0; i < 10; i++) {
        test_put(&t, t.a);
        if (i % 3 == 0) test_put(&t, t.b);
    }
    uint32_t boot = t.boot;
    test_close(&t);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    assert_true(t.boot > boot);
    test_check(&t, t.a, 10);
    test_check(&t, t.b, 4);
    assert_int_equal(test_put(&t, t.b), 4);
    test_check(&t, t.b, 5);
    test_close(&t);
    test_remove(dir);
}

static void levels_above_the_leaves_are_written_and_read_back(void **state) {
    (void)state;
    char dir[64], path[160];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    for (unsigned i = 0; i < 700; i++) {
        test_append(&t, t.a, false, UINT64_MAX, NULL, NULL);
        if (i % 50 == 0) loop_turn(t.loop, 0);
    }
    test_put(&t, t.a);
    test_check(&t, t.a, 701);
    log_path(path, dir, "logs", t.a, "hashes.1");
    assert_int_equal(file_size(path), 2 * HASH_BYTES);
    test_close(&t);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
        test_check(&t, t.a, 701 + i);
        test_put(&t, t.a);
        test_close(&t);
    }
    test_remove(dir);
}

static void the_first_leaves_of_a_log_may_fill_a_tile_at_once(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open_big(&t, dir), ERR_OK);
    for (unsigned i = 0; i < 600; i++) test_append(&t, t.a, false, UINT64_MAX, NULL, NULL);
    test_put(&t, t.a);
    test_check(&t, t.a, 601);
    test_close(&t);
    test_remove(dir);
}

/* files ------------------------------------------------------------------------------------------------------------------------------ */

static void full_files_are_recycled_and_old_bytes_never_chain(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    struct logbook_stats s;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    uint32_t first = t.lb->file->number;
    for (unsigned i = 0; i < 600; i++) test_put(&t, t.a);
    assert_true(t.lb->file->number > first + 5);
    for (unsigned i = 0; i < 100; i++) {
        logbook_stats(t.lb, &s);
        if (s.wal_files <= 2) break;
        test_put(&t, t.a);
        loop_turn(t.loop, 20);
        usleep(20000);
    }
    assert_in_range(s.wal_files, 1, 2);
    assert_in_range(test_wal_files(dir), 1, 4);
    uint64_t size = log_size(t.a);
    char copy[64];
    test_dir(copy);
    test_copy(dir, copy); /* as a kill leaves it: recycled files with old batches behind the new ones */
    test_close(&t);
    assert_int_equal(test_open(&t, copy, NULL), ERR_OK);
    test_check(&t, t.a, size);
    test_close(&t);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    test_check(&t, t.a, size);
    test_close(&t);
    test_remove(copy);
    test_remove(dir);
}

static bool one_file(struct test_book *t) {
    struct logbook_stats s;
    test_put(t, t->a);
    usleep(5000);
    logbook_stats(t->lb, &s);
    return s.wal_files <= 2;
}

static void an_unsettled_command_keeps_its_file_and_the_mark_lets_it_go(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    struct logbook_stats s;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    uint64_t command = test_put_command(&t, t.b);
    for (unsigned i = 0; i < 300; i++) test_put(&t, t.a);
    usleep(600000);
    for (unsigned i = 0; i < 50; i++) test_put(&t, t.a);
    logbook_stats(t.lb, &s);
    assert_true(s.wal_files >= 5);
    log_mark_set(t.b, command + 1);
    test_until(&t, one_file, 10);
    assert_int_equal(log_mark_durable(t.b), command + 1);
    test_close(&t);
    test_remove(dir);
}

static void a_mark_alone_is_durable_within_its_time(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    uint64_t command = test_put_command(&t, t.a), end = clock_mono_ms() + 2 * LOGBOOK_MARK_MS;
    log_mark_set(t.a, command + 1);
    while (log_mark_durable(t.a) <= command && clock_mono_ms() < end) loop_turn(t.loop, 50);
    assert_int_equal(log_mark_durable(t.a), command + 1);
    test_close(&t);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    assert_int_equal(log_mark_durable(t.a), command + 1);
    test_close(&t);
    test_remove(dir);
}

static void full_disk_stops_writes_first_and_reads_when_the_reserve_is_used(void **state) {
    (void)state;
    static struct test_disk disk;
    char dir[64];
    struct test_book t;
    test_dir(dir);
    test_disk_init(&disk);
    assert_int_equal(test_open(&t, dir, &disk), ERR_OK);
    for (unsigned i = 0; i < 200 && t.lb->spares < WAL_SPARE_FILES; i++) usleep(5000);
    assert_true(logbook_ready(t.lb, true));
    disk.full = true;
    test_put(&t, t.a);
    for (unsigned i = 0; i < 200 && logbook_ready(t.lb, true); i++) usleep(5000);
    assert_false(logbook_ready(t.lb, true));
    assert_true(logbook_ready(t.lb, false));
    unsigned reads = 0;
    while (logbook_ready(t.lb, false) && reads < 10000) {
        test_put(&t, t.a);
        reads++;
    }
    assert_true(reads > 50 && reads < 10000);
    disk.full = false;
    for (unsigned i = 0; i < 1000 && !(logbook_ready(t.lb, true) && logbook_ready(t.lb, false)); i++) usleep(5000);
    assert_true(logbook_ready(t.lb, true));
    test_check(&t, t.a, reads + 1);
    test_close(&t);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    test_check(&t, t.a, reads + 1);
    test_close(&t);
    test_remove(dir);
}

/* flat files ---------------------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *part, *file;
} flat_files[] = {{"logs", "hashes.0"}, {"logs", "entries"}, {"logs", "offsets"}, {"openings", "data"}, {"openings", "offsets"}};

static bool first_flushed(struct test_book *t) { return atomic_load(&t->a->flushed_durable) == 1; }

static void garbage_behind_the_flushed_size_is_written_over(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(flat_files); i++) {
        char dir[64], copy[64], path[160];
        struct test_book t;
        test_dir(dir);
        assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
        /* The first round after a start syncs: leaf 0 is flushed then, and the others only when this file is full. */
        test_put(&t, t.a);
        test_until(&t, first_flushed, 10);
        for (unsigned n = 0; n < 6; n++) test_put(&t, t.a);
        test_published(&t, t.a);
        assert_int_equal(t.a->flushed_durable, 1);
        test_dir(copy);
        test_copy(dir, copy);
        log_path(path, copy, flat_files[i].part, t.a, flat_files[i].file);
        uint64_t size = file_size(path);
        test_close(&t);
        /* as a power cut leaves it: zeros where bytes were not on the disk, and more behind */
        int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t zeros[4096] = {0};
        assert_int_equal(pwrite(fd, zeros, size / 2 + 100, (off_t)(size / 2)), size / 2 + 100);
        close(fd);
        assert_int_equal(test_open(&t, copy, NULL), ERR_OK);
        test_check(&t, t.a, 7);
        assert_int_equal(file_size(path), size);
        test_close(&t);
        test_remove(dir);
        test_remove(copy);
    }
}

static void flat_files_that_lost_synced_leaves_refuse_the_log(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(flat_files); i++) {
        char dir[64], path[160];
        struct test_book t;
        test_dir(dir);
        assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
        for (unsigned n = 0; n < 7; n++) test_put(&t, t.a);
        log_path(path, dir, flat_files[i].part, t.a, flat_files[i].file);
        test_close(&t);
        assert_int_equal(truncate(path, (off_t)file_size(path) - 1), 0);
        assert_int_equal(test_open(&t, dir, NULL), ERR_CORRUPT);
        assert_non_null(strstr(t.why, "restore"));
        test_remove(dir);
    }
}

static void a_changed_hash_refuses_the_log(void **state) {
    (void)state;
    char dir[64], path[160];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    for (unsigned n = 0; n < 7; n++) test_put(&t, t.a);
    log_path(path, dir, "logs", t.a, "hashes.0");
    test_close(&t);
    file_flip(path, 3 * HASH_BYTES);
    assert_int_equal(test_open(&t, dir, NULL), ERR_CORRUPT);
    test_remove(dir);
}

/* Not even hashes and heads that were made to agree would help: the opening was sealed with the leaf that was appended. */
static void a_changed_leaf_does_not_open(void **state) {
    (void)state;
    char dir[64], path[160];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    for (unsigned n = 0; n < 7; n++) test_put(&t, t.a);
    log_path(path, dir, "logs", t.a, "entries");
    test_close(&t);
    file_flip(path, 2 + 10);                       /* within the first leaf */
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    assert_int_equal(log_read(t.a, 0, &leaf, &opening), ERR_CORRUPT);
    assert_int_equal(log_read(t.a, 0, NULL, &opening), ERR_CORRUPT);
    assert_int_equal(log_read(t.a, 1, &leaf, &opening), ERR_OK);     /* behind what lies in the buffer */
    test_close(&t);
    test_remove(dir);
}

static bool checked(struct test_book *t) {
    struct logbook_stats s;
    logbook_stats(t->lb, &s);
    return s.age_of_full_check_ms != UINT64_MAX;
}

/* The frontier is read from hashes.1, so only the recomputation meets this one. */
static void a_changed_hash_below_the_frontier_is_found_by_the_recomputation(void **state) {
    (void)state;
    char dir[64], path[160];
    struct test_book t;
    struct logbook_stats s;
    AUTO(buf) struct buf text = BUF_INIT(LEDGER_NOTE_BYTES_MAX);
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    for (unsigned n = 0; n < 300; n++) test_append(&t, t.a, false, UINT64_MAX, NULL, NULL);
    test_put(&t, t.a);
    log_path(path, dir, "logs", t.a, "hashes.0");
    test_close(&t);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    test_until(&t, checked, 10);
    logbook_stats(t.lb, &s);
    assert_int_equal(s.corrupt, 0);
    test_close(&t);
    file_flip(path, 100 * HASH_BYTES);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    test_until(&t, checked, 10);
    logbook_stats(t.lb, &s);
    assert_int_equal(s.corrupt, 1);
    assert_int_equal(log_checkpoint(t.a, &text), ERR_CORRUPT);
    assert_int_equal(log_checkpoint(t.b, &text), ERR_OK);
    test_close(&t);
    test_remove(dir);
}

/* pending -------------------------------------------------------------------------------------------------------------------------------- */

struct seen {
    uint64_t index[8];
    size_t count;
};
static enum err see(void *ctx, uint64_t index, struct slice leaf, struct slice command) {
    struct seen *s = ctx;
    char text[64];
    (void)snprintf(text, sizeof text, "command %llu", (unsigned long long)index);
    assert_true(slice_is(command, text));
    assert_true(leaf.n > 0);
    s->index[s->count++] = index;
    return ERR_OK;
}

static void commands_above_the_mark_without_a_void_are_pending_after_any_start(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    for (unsigned i = 0; i < 5; i++) test_put_command(&t, t.a);
    test_append(&t, t.a, false, 2, NULL, NULL);
    test_put_command(&t, t.b);
    log_mark_set(t.a, 1);
    test_put(&t, t.a);
    for (unsigned i = 0; i < 200; i++) test_put(&t, t.b); /* switches files, flushes everything */
    test_close(&t);
    for (unsigned start = 0; start < 2; start++) {
        struct seen s = {0};
        assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
        assert_int_equal(log_pending(t.a, see, &s), ERR_OK);
        assert_int_equal(s.count, 3);
        assert_int_equal(s.index[0], 1);
        assert_int_equal(s.index[1], 3);
        assert_int_equal(s.index[2], 4);
        assert_int_equal(log_pending(t.b, see, &s), ERR_OK);
        assert_int_equal(s.count, 4);
        test_close(&t);
    }
    struct seen s = {0};
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    log_mark_set(t.a, 4);
    test_append(&t, t.a, false, 4, NULL, NULL);
    test_put(&t, t.a);
    assert_int_equal(log_pending(t.a, see, &s), ERR_OK);
    assert_int_equal(s.count, 0);
    test_close(&t);
    test_remove(dir);
}

/* A COMPLETE of ten thousand parts, and the longest command there may be: one record each, also when they come together. */
static const size_t long_commands[] = {1536 * 1024, COMMAND_BYTES_MAX, COMMAND_BYTES_MAX, 2 * 1024 * 1024};

static uint8_t long_byte(uint64_t index, size_t at) { return (uint8_t)(index * 31 + at * 7 + at / 251); }

static void long_append(struct test_book *t, uint64_t index) {
    uint8_t *p = malloc(COMMAND_BYTES_MAX);
    assert_non_null(p);
    for (size_t i = 0; i < long_commands[index]; i++) p[i] = long_byte(index, i);
    struct log_append a = {.leaf = SLICE_LIT("{\"kind\":\"test\"}"), .command = slice_of(p, long_commands[index]), .void_ref = UINT64_MAX};
    assert_true(logbook_ready(t->lb, true));
    assert_int_equal(logbook_append(t->lb, t->a, &a, NULL), index);
    free(p);
}

static enum err long_see(void *ctx, uint64_t index, struct slice leaf, struct slice command) {
    (void)leaf;
    assert_int_equal(command.n, long_commands[index]);
    for (size_t i = 0; i < command.n; i++)
        if (command.p[i] != long_byte(index, i)) fail_msg("command %u differs at %zu", (unsigned)index, i);
    (*(unsigned *)ctx)++;
    return ERR_OK;
}

static bool long_durable(struct test_book *t) { return log_durable(t->a) == ARRAY_LEN(long_commands); }

static void a_command_of_ten_thousand_parts_is_one_record(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open_full(&t, dir), ERR_OK);
    for (unsigned i = 0; i < 2000 && t.lb->spares < WAL_SPARE_FILES; i++) usleep(5000);
    for (uint64_t i = 0; i < ARRAY_LEN(long_commands); i++) long_append(&t, i);
    test_until(&t, long_durable, 30);
    test_close(&t);
    for (unsigned start = 0; start < 2; start++) { /* the first start copies the tail, the second reads the copy */
        unsigned count = 0;
        assert_int_equal(test_open_full(&t, dir), ERR_OK);
        assert_int_equal(log_pending(t.a, long_see, &count), ERR_OK);
        assert_int_equal(count, ARRAY_LEN(long_commands));
        test_close(&t);
    }
    test_remove(dir);
}

static void names_in_commands_and_openings_do_not_lie_in_clear(void **state) {
    (void)state;
    char dir[64], path[160];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    test_put_command(&t, t.a);
    uint32_t number = t.lb->file->number;
    (void)snprintf(path, sizeof path, "%s/wal/%08u", dir, number);
    uint8_t bytes[TEST_FILE_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, bytes, sizeof bytes), sizeof bytes);
    close(fd);
    assert_non_null(memmem(bytes, sizeof bytes, "\"kind\":\"test\"", 13));
    assert_null(memmem(bytes, sizeof bytes, "command 0", 9));
    assert_null(memmem(bytes, sizeof bytes, "opening of", 10));
    test_close(&t);
    test_remove(dir);
}

static void a_log_that_nobody_added_is_kept_and_counted(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    struct gate_log *c;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    struct log_params p = test_params(LOG_HEADS, LOG_KIND_PROVIDER, 7);
    assert_int_equal(logbook_add(t.lb, &p, &c), ERR_OK);
    assert_int_equal(logbook_add(t.lb, &p, &c), ERR_EXISTS);
    c = logbook_log_find(t.lb, p.id);
    for (unsigned i = 0; i < 3; i++) test_put(&t, c);
    test_close(&t);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
        assert_int_equal(logbook_unknown(t.lb), 1);
        for (unsigned n = 0; n < 100; n++) test_put(&t, t.a);
        test_close(&t);
    }
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    assert_int_equal(logbook_add(t.lb, &p, &c), ERR_OK);
    assert_int_equal(logbook_unknown(t.lb), 0);
    test_check(&t, c, 3);
    test_close(&t);
    test_remove(dir);
}

static void time_never_falls_and_a_clock_far_behind_refuses(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    uint64_t now;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    assert_int_equal(log_time(t.a, 5000000, &now), ERR_OK);
    assert_int_equal(now, 5000000);
    assert_int_equal(log_time(t.a, 5000000 - LOG_CLOCK_REFUSED_MS, &now), ERR_OK);
    assert_int_equal(now, 5000000);
    assert_true(t.lb->degraded_clock);
    assert_int_equal(log_time(t.a, 5000000 - LOG_CLOCK_REFUSED_MS - 1, &now), ERR_STALE);
    assert_int_equal(log_time(t.a, 5000000 - LOG_CLOCK_DEGRADED_MS, &now), ERR_OK);
    assert_false(t.lb->degraded_clock);
    test_close(&t);
    test_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_leaves_are_durable_readable_and_signed),
        cmocka_unit_test(one_turn_is_one_batch_and_waiters_are_called_in_append_order),
        cmocka_unit_test(two_logs_share_one_wal_and_come_back),
        cmocka_unit_test(levels_above_the_leaves_are_written_and_read_back),
        cmocka_unit_test(the_first_leaves_of_a_log_may_fill_a_tile_at_once),
        cmocka_unit_test(full_files_are_recycled_and_old_bytes_never_chain),
        cmocka_unit_test(an_unsettled_command_keeps_its_file_and_the_mark_lets_it_go),
        cmocka_unit_test(a_mark_alone_is_durable_within_its_time),
        cmocka_unit_test(full_disk_stops_writes_first_and_reads_when_the_reserve_is_used),
        cmocka_unit_test(garbage_behind_the_flushed_size_is_written_over),
        cmocka_unit_test(flat_files_that_lost_synced_leaves_refuse_the_log),
        cmocka_unit_test(a_changed_hash_refuses_the_log),
        cmocka_unit_test(a_changed_leaf_does_not_open),
        cmocka_unit_test(a_changed_hash_below_the_frontier_is_found_by_the_recomputation),
        cmocka_unit_test(commands_above_the_mark_without_a_void_are_pending_after_any_start),
        cmocka_unit_test(a_command_of_ten_thousand_parts_is_one_record),
        cmocka_unit_test(names_in_commands_and_openings_do_not_lie_in_clear),
        cmocka_unit_test(a_log_that_nobody_added_is_kept_and_counted),
        cmocka_unit_test(time_never_falls_and_a_clock_far_behind_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
