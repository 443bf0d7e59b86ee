/* SPDX-License-Identifier: Apache-2.0
 * The logbook's facts: what was acknowledged is there after any end, and nothing that was damaged is taken for less.
 * Role: tests. Spec: docs/spec/wal.md, docs/spec/log.md
 */
#include "gate/logbook/logbook_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void path_of(char out[160], const char *dir, const char *what) { (void)snprintf(out, 160, "%s/%s", dir, what); }
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

/* ends ---------------------------------------------------------------------------------------------------------------------------- */

static int ack_fd;
static void one_way(struct log_wait *w) { (void)w; }
static void acknowledge(struct log_wait *w) {
    uint64_t index = w->index;
    assert_int_equal(write(ack_fd, &index, sizeof index), sizeof index);
}

/* A child appends without end until it is killed or its disk fails. Gives the number of leaves it acknowledged. */
static uint64_t child_run(const char *dir, struct test_disk *disk, unsigned kill_after, unsigned leaves, int *status) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        static struct log_wait waits[2000];
        struct test_book t;
        close(fds[0]);
        ack_fd = fds[1];
        (void)!freopen("/dev/null", "w", stderr);
        if (test_open(&t, dir, disk) != ERR_OK) _exit(5);
        for (unsigned i = 0; i < leaves; i++) {
            test_append(&t, i % 4 == 3 ? t.b : t.a, false, UINT64_MAX, i % 4 == 3 ? one_way : acknowledge, &waits[i]);
            if (i % 3 == 0) loop_turn(t.loop, 5);
            /* With a fault to come, batches are counted: one for each three leaves. */
            while (disk != NULL && i % 3 == 0 && log_durable(t.a) < log_size(t.a)) loop_turn(t.loop, 5);
        }
        for (unsigned i = 0; i < 100 && (disk == NULL || disk->nth > 0 || log_published(t.b) < log_durable(t.b)); i++) loop_turn(t.loop, 5);
        _exit(0);
    }
    close(fds[1]);
    uint64_t index, acked = 0;
    while (read(fds[0], &index, sizeof index) == (ssize_t)sizeof index) {
        acked = index + 1;
        if (kill_after > 0 && acked >= kill_after) kill(pid, SIGKILL);
    }
    close(fds[0]);
    waitpid(pid, status, 0);
    return acked;
}

static void killed_at_any_moment_nothing_acknowledged_is_lost(void **state) {
    (void)state;
    char dir[64];
    test_dir(dir);
    uint64_t before = 0;
    for (unsigned round = 0; round < 12; round++) {
        int status;
        uint64_t acked = child_run(dir, NULL, (unsigned)before + 3 + round * 7, 400, &status);
        struct test_book t;
        assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
        assert_true(log_durable(t.a) >= acked);
        before = log_durable(t.a);
        test_check(&t, t.a, before);
        test_check(&t, t.b, log_durable(t.b));
        test_close(&t);
    }
    test_remove(dir);
}

/* Each durable write of the committer: killed before, killed after, failed and lost, failed but kept. */
static void each_wal_write_and_sync_may_fail_in_each_way(void **state) {
    (void)state;
    static const enum test_fault faults[] = {FAULT_DIE_BEFORE, FAULT_DIE_AFTER, FAULT_LOST, FAULT_KEPT};
    static struct test_disk disk;
    for (size_t f = 0; f < ARRAY_LEN(faults); f++) {
        for (unsigned call = CALL_PWRITE; call <= CALL_SYNC; call++) {
            char dir[64];
            int status;
            struct test_book t;
            test_dir(dir);
            for (unsigned nth = 2; nth < 12; nth += 3) {
                test_disk_init(&disk);
                disk.fault = faults[f];
                disk.call = (enum test_call)call;
                disk.what = LOGBOOK_IO_WAL;
                disk.nth = nth;
                uint64_t acked = child_run(dir, &disk, 0, 100, &status);
                bool died = WIFEXITED(status) && WEXITSTATUS(status) == 77;
                bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
                assert_true(faults[f] == FAULT_DIE_BEFORE || faults[f] == FAULT_DIE_AFTER ? died : aborted);
                assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
                assert_true(log_durable(t.a) >= acked);
                test_check(&t, t.a, log_durable(t.a));
                test_close(&t);
            }
            test_remove(dir);
        }
    }
}

/* Each durable write of the flusher: a flat file's write that fails is tried again, a sync that fails ends the process; after any of them
 * the WAL still has what the flat files lost. */
static void each_flat_write_and_sync_may_fail_in_each_way(void **state) {
    (void)state;
    static const enum test_fault faults[] = {FAULT_DIE_BEFORE, FAULT_DIE_AFTER, FAULT_LOST, FAULT_KEPT};
    static struct test_disk disk;
    for (size_t f = 0; f < ARRAY_LEN(faults); f++) {
        for (unsigned call = CALL_PWRITE; call <= CALL_SYNC; call++) {
            char dir[64];
            int status;
            struct test_book t;
            test_dir(dir);
            /* Five files a log and round: each of them is hit once. */
            for (unsigned nth = 1; nth <= 9; nth += 2) {
                test_disk_init(&disk);
                disk.fault = faults[f];
                disk.call = (enum test_call)call;
                disk.what = LOGBOOK_IO_FLAT;
                disk.nth = nth;
                uint64_t acked = child_run(dir, &disk, 0, 200, &status);
                bool dies = faults[f] == FAULT_DIE_BEFORE || faults[f] == FAULT_DIE_AFTER;
                if (dies) assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
                else if (call == CALL_SYNC) assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
                else assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
                assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
                assert_true(log_durable(t.a) >= acked);
                test_check(&t, t.a, log_durable(t.a));
                test_check(&t, t.b, log_durable(t.b));
                test_close(&t);
            }
            test_remove(dir);
        }
    }
}

/* Rule 6: the fresh file at a start. Its write, its sync and its naming fail; the next start finds all there was. */
static void a_start_that_fails_changes_nothing(void **state) {
    (void)state;
    static const struct {
        enum test_call call;
        enum test_fault fault;
    } ways[] = {{CALL_PWRITE, FAULT_LOST}, {CALL_PWRITE, FAULT_KEPT}, {CALL_SYNC, FAULT_LOST},  {CALL_SYNC, FAULT_KEPT},
                {CALL_RENAME, FAULT_LOST}, {CALL_RENAME, FAULT_KEPT}, {CALL_DIRSYNC, FAULT_KEPT}};
    static struct test_disk disk;
    char dir[64];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    for (unsigned i = 0; i < 30; i++) test_put(&t, t.a);
    test_close(&t);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        test_disk_init(&disk);
        disk.fault = ways[i].fault;
        disk.call = ways[i].call;
        disk.what = LOGBOOK_IO_WAL;
        disk.nth = 1;
        assert_int_equal(test_open(&t, dir, &disk), ERR_IO);
        assert_true(strlen(t.why) > 0);
        assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
        test_check(&t, t.a, 30);
        test_close(&t);
    }
    test_remove(dir);
}

static void a_tail_torn_at_any_byte_leaves_the_batches_before_it(void **state) {
    (void)state;
    char dir[64], torn[64], path[160];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    test_put(&t, t.a);
    uint64_t begin = t.lb->file_at;
    test_put(&t, t.a);
    uint64_t end = t.lb->file_at;
    uint32_t number = t.lb->file->number;
    test_dir(torn);
    test_remove(torn);
    test_copy(dir, torn);
    (void)snprintf(path, sizeof path, "%s/wal/%08u", torn, number);
    test_close(&t);
    test_remove(dir);
    /* torn is what a kill leaves behind: nothing was closed */
    for (uint64_t cut = begin; cut <= end; cut++) {
        char copy[64], wal[160];
        test_dir(copy);
        test_copy(torn, copy);
        (void)snprintf(wal, sizeof wal, "%s/wal/%08u", copy, number);
        int fd = open(wal, O_RDWR | O_CLOEXEC);
        uint8_t zeros[TEST_FILE_BYTES] = {0};
        assert_int_equal(pwrite(fd, zeros, TEST_FILE_BYTES - cut, (off_t)cut), TEST_FILE_BYTES - cut);
        close(fd);
        assert_int_equal(test_open(&t, copy, NULL), ERR_OK);
        /* The last byte of a batch is part of flushed = 0, so cutting it off changes nothing: zeros are what was there. */
        uint64_t size = log_durable(t.a);
        assert_true(cut == end ? size == 2 : size == 1 || size == 2);
        if (cut < end - 16) assert_int_equal(size, 1);
        test_check(&t, t.a, size);
        test_close(&t);
        test_remove(copy);
    }
    test_remove(torn);
}

static void a_damaged_synced_batch_refuses_the_start(void **state) {
    (void)state;
    char dir[64], copy[64], path[160];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    uint64_t at = t.lb->file_at;
    for (unsigned i = 0; i < 5; i++) test_put(&t, t.a);
    uint32_t number = t.lb->file->number;
    test_dir(copy);
    test_copy(dir, copy);
    test_close(&t);
    (void)snprintf(path, sizeof path, "%s/wal/%08u", copy, number);
    file_flip(path, at + WAL_HEADER_BYTES + 40);
    assert_int_equal(test_open(&t, copy, NULL), ERR_CORRUPT);
    assert_non_null(strstr(t.why, "damaged"));
    file_flip(path, at + WAL_HEADER_BYTES + 40);
    assert_int_equal(test_open(&t, copy, NULL), ERR_OK);
    test_check(&t, t.a, 5);
    test_close(&t);
    test_remove(copy);
    test_remove(dir);
}

static void a_wal_that_was_taken_away_refuses_the_start(void **state) {
    (void)state;
    char dir[64], path[160];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    test_put(&t, t.a);
    test_close(&t);
    path_of(path, dir, "wal");
    test_remove(path);
    assert_int_equal(test_open(&t, dir, NULL), ERR_CORRUPT);
    assert_non_null(strstr(t.why, "missing"));
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
        cmocka_unit_test(killed_at_any_moment_nothing_acknowledged_is_lost),
        cmocka_unit_test(each_wal_write_and_sync_may_fail_in_each_way),
        cmocka_unit_test(each_flat_write_and_sync_may_fail_in_each_way),
        cmocka_unit_test(a_start_that_fails_changes_nothing),
        cmocka_unit_test(a_tail_torn_at_any_byte_leaves_the_batches_before_it),
        cmocka_unit_test(a_damaged_synced_batch_refuses_the_start),
        cmocka_unit_test(a_wal_that_was_taken_away_refuses_the_start),
        cmocka_unit_test(full_files_are_recycled_and_old_bytes_never_chain),
        cmocka_unit_test(an_unsettled_command_keeps_its_file_and_the_mark_lets_it_go),
        cmocka_unit_test(a_mark_alone_is_durable_within_its_time),
        cmocka_unit_test(full_disk_stops_writes_first_and_reads_when_the_reserve_is_used),
        cmocka_unit_test(garbage_behind_the_flushed_size_is_written_over),
        cmocka_unit_test(flat_files_that_lost_synced_leaves_refuse_the_log),
        cmocka_unit_test(a_changed_hash_refuses_the_log),
        cmocka_unit_test(a_changed_hash_below_the_frontier_is_found_by_the_recomputation),
        cmocka_unit_test(commands_above_the_mark_without_a_void_are_pending_after_any_start),
        cmocka_unit_test(names_in_commands_and_openings_do_not_lie_in_clear),
        cmocka_unit_test(a_log_that_nobody_added_is_kept_and_counted),
        cmocka_unit_test(time_never_falls_and_a_clock_far_behind_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
