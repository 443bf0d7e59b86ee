/* SPDX-License-Identifier: Apache-2.0
 * How the logbook ends and starts again: killed, torn, failed, damaged.
 * Role: tests. Spec: docs/spec/wal.md sections 3, 4
 */
#include "gate/logbook/logbook_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void path_of(char out[160], const char *dir, const char *what) { (void)snprintf(out, 160, "%s/%s", dir, what); }
static void file_flip(const char *path, uint64_t at) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t b;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &b, 1, (off_t)at), 1);
    b ^= 0x40;
    assert_int_equal(pwrite(fd, &b, 1, (off_t)at), 1);
    close(fd);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment_nothing_acknowledged_is_lost),
        cmocka_unit_test(each_wal_write_and_sync_may_fail_in_each_way),
        cmocka_unit_test(each_flat_write_and_sync_may_fail_in_each_way),
        cmocka_unit_test(a_start_that_fails_changes_nothing),
        cmocka_unit_test(a_tail_torn_at_any_byte_leaves_the_batches_before_it),
        cmocka_unit_test(a_damaged_synced_batch_refuses_the_start),
        cmocka_unit_test(a_wal_that_was_taken_away_refuses_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
