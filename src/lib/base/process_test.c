/* SPDX-License-Identifier: Apache-2.0
 * Unit tests of assert.c, log.c and break.c: what they write, seen from outside.
 */
#include "base/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs body in a child with stderr in a pipe; gives its text and wait status. */
static int child(void (*body)(void), char *text, size_t size) {
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_fds[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(pipe_fds[1]);
    size_t n = 0;
    for (ssize_t got; n < size - 1 && (got = read(pipe_fds[0], text + n, size - 1 - n)) > 0;) n += (size_t)got;
    text[n] = '\0';
    close(pipe_fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void break_an_assertion(void) {
    panic_context("decide", 0xabcd, 42);
    ASSERT(1 + 1 == 3);
}

static void a_broken_assertion_aborts_with_one_line_that_says_where(void **state) {
    (void)state;
    char text[2048];
    int status = child(break_an_assertion, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, " panic pid="));
    assert_non_null(strstr(text, "process_test.c:"));
    assert_non_null(strstr(text, "cond=\"1 + 1 == 3\""));
    assert_non_null(strstr(text, "step=decide request=000000000000abcd log_index=42"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void log_some(void) {
    log_init("gate", LOG_INFO);
    log_line(LOG_DEBUG, "hidden", "a=%d", 1);
    log_line(LOG_WARN, "slow", "ms=%d peer=%s", 7, "x\n2026 error gate forged");
    log_line(LOG_INFO, "bare", "%s", "");
    char big[5000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    log_line(LOG_ERROR, "long", "v=%s", big);
}

static void a_log_line_is_one_line_whatever_is_in_it(void **state) {
    (void)state;
    char text[8192];
    assert_int_equal(child(log_some, text, sizeof text), 0);
    assert_null(strstr(text, "hidden"));
    assert_non_null(strstr(text, " warn gate slow ms=7 peer=x?2026 error gate forged\n"));
    size_t lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++) lines++;
    assert_int_equal(lines, 3);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

#ifdef TILLIT_BREAKS
static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
    usleep(70 * 1000); /* longer than the interval between two looks */
}

static void breaks_follow_the_file(void **state) {
    (void)state;
    char path[] = "/tmp/tillit-breaks-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_false(BREAK("early")); /* before breaks_init nothing is on */
    breaks_init(path);
    assert_false(BREAK("a"));
    write_file(path, "a\nslow=250\n b \nbad=x\n");
    assert_true(BREAK("a"));
    assert_true(BREAK("b"));
    assert_false(BREAK("slow"));
    assert_false(BREAK("aa"));
    assert_false(BREAK(""));
    assert_int_equal(break_value("slow", 1), 250);
    assert_int_equal(break_value("a", 1), 1);
    assert_int_equal(break_value("bad", 3), 3);
    write_file(path, "c\n");
    assert_false(BREAK("a"));
    assert_true(BREAK("c"));
    unlink(path);
    usleep(70 * 1000);
    assert_false(BREAK("c"));
}
#else
static void a_release_build_has_no_breaks(void **state) {
    (void)state;
    breaks_init("/nonexistent");
    assert_false(BREAK("a"));
    assert_int_equal(break_value("a", 5), 5);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_assertion_aborts_with_one_line_that_says_where),
        cmocka_unit_test(a_log_line_is_one_line_whatever_is_in_it),
#ifdef TILLIT_BREAKS
        cmocka_unit_test(breaks_follow_the_file),
#else
        cmocka_unit_test(a_release_build_has_no_breaks),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
