/* SPDX-License-Identifier: Apache-2.0
 * Each break of the logbook turns a fact red: built in the test build only.
 * Role: tests. Spec: docs/spec/wal.md section 3, docs/spec/log.md section 8
 */
#include "gate/logbook/logbook_test.h"
#include "record/record.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char breaks_path[80];

static void breaks_set(const char *text) {
    int fd = open(breaks_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    usleep(120000); /* the file is looked at every 50 ms */
}

static void a_slow_sync_is_waited_for(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    breaks_set("wal-sync-delay-ms=700\n");
    uint64_t begin = clock_mono_ms();
    test_put(&t, t.a);
    assert_true(clock_mono_ms() - begin >= 700);
    breaks_set("");
    test_close(&t);
    test_remove(dir);
}

static void dies_of(const char *what) {
    char dir[64];
    struct test_book t;
    int status;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    test_put(&t, t.a);
    test_close(&t);
    breaks_set("");
    pid_t pid = fork();
    if (pid == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        if (test_open(&t, dir, NULL) != ERR_OK) _exit(3);
        breaks_set(what);
        test_put(&t, t.a);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    breaks_set("");
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    assert_in_range(log_durable(t.a), 1, 2);
    test_close(&t);
    test_remove(dir);
}

static void a_failing_wal_write_or_sync_ends_the_process(void **state) {
    (void)state;
    dies_of("wal-write-eio\n");
    dies_of("wal-sync-eio\n");
}

static void a_full_disk_stops_writes(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    test_put(&t, t.a);
    breaks_set("wal-write-enospc\n");
    test_put(&t, t.a);
    for (unsigned i = 0; i < 200 && logbook_ready(t.lb, true); i++) usleep(10000);
    assert_false(logbook_ready(t.lb, true));
    breaks_set("");
    for (unsigned i = 0; i < 300 && !logbook_ready(t.lb, true); i++) usleep(10000);
    assert_true(logbook_ready(t.lb, true));
    test_close(&t);
    test_remove(dir);
}

static void a_shorter_head_is_signed(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    AUTO(buf) struct buf text = BUF_INIT(LEDGER_NOTE_BYTES_MAX);
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    for (unsigned i = 0; i < 3; i++) test_put(&t, t.a);
    test_published(&t, t.a);
    breaks_set("log-shorter-head\n");
    assert_int_equal(log_checkpoint(t.a, &text), ERR_OK);
    assert_non_null(memmem(text.p, text.n, "\n2\n", 3));
    breaks_set("");
    test_close(&t);
    test_remove(dir);
}

static void an_epoch_number_is_skipped(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    struct gate_log *heads;
    struct log_params p = test_params(LOG_HEADS, LOG_KIND_HEADS, UINT32_MAX);
    struct record_leaf leaf;
    AUTO(buf) struct buf text = BUF_INIT(LEAF_BYTES_MAX);
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    assert_int_equal(logbook_add(t.lb, &p, &heads), ERR_OK);
    breaks_set("skipped-epoch\n");
    logbook_heads_start(t.lb, heads);
    for (unsigned i = 0; i < 500 && log_durable(heads) == 0; i++) loop_turn(t.loop, 10);
    assert_int_equal(log_read(heads, 0, &text, NULL), ERR_OK);
    assert_int_equal(record_leaf_parse(buf_slice(&text), RECORD_LOG_HEADS, &leaf), ERR_OK);
    assert_int_equal(record_int(&leaf, RECORD_F_N, 0), 1);
    breaks_set("");
    test_close(&t);
    test_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_sync_is_waited_for), cmocka_unit_test(a_failing_wal_write_or_sync_ends_the_process),
        cmocka_unit_test(a_full_disk_stops_writes),  cmocka_unit_test(a_shorter_head_is_signed),
        cmocka_unit_test(an_epoch_number_is_skipped),
    };
    char dir[64];
    (void)snprintf(breaks_path, sizeof breaks_path, "%s/breaks", test_dir(dir));
    breaks_init(breaks_path);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_remove(dir);
    return failed;
}
