/* SPDX-License-Identifier: Apache-2.0
 * Facts about secret memory, randomness and the root file. LAW-2, LAW-6.
 * Role: unit test. Spec: docs/spec/keys.md sections 1, 5 and 6.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/keys.h"

static struct keys_ctx *ctx;

static int set_up(void **state) {
    (void)state;
    ctx = keys_ctx_new();
    return ctx == NULL;
}

static int tear_down(void **state) {
    (void)state;
    keys_ctx_free(ctx);
    return 0;
}

/* secret memory ------------------------------------------------------------------------------------------------------------ */

static void secrets_share_pages_and_come_back_zeroed(void **state) {
    (void)state;
    enum { MANY = 3000 };
    static struct secret s[MANY];
    struct secret_status before = secret_status(), now;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(secret_new(&s[i], 32), ERR_OK);
        for (int j = 0; j < 32; j++) assert_int_equal(s[i].p[j], 0);
        memset(s[i].p, 0xa5, 32);
    }
    now = secret_status();
    assert_int_equal(now.live_count, before.live_count + MANY);
    assert_true(now.mapped_bytes - before.mapped_bytes <= 4 * 65536);
    uint8_t *where = s[5].p;
    secret_done(&s[5]);
    assert_null(s[5].p);
    assert_int_equal(secret_new(&s[5], SECRET_SLOT_BYTES), ERR_OK);
    assert_ptr_equal(s[5].p, where); /* the first free slot: what was there is gone */
    for (int j = 0; j < SECRET_SLOT_BYTES; j++) assert_int_equal(s[5].p[j], 0);
    for (int i = 0; i < MANY; i++) secret_done(&s[i]);
    assert_int_equal(secret_status().live_count, before.live_count);
    secret_done(&s[0]); /* an empty one is accepted */
}

static void secret_sizes_are_bounded(void **state) {
    (void)state;
    struct secret s;
    assert_int_equal(secret_new(&s, 0), ERR_LIMIT);
    assert_int_equal(secret_new(&s, SECRET_BYTES_MAX + 1), ERR_LIMIT);
    assert_int_equal(secret_new(&s, SECRET_BYTES_MAX), ERR_OK);
    memset(s.p, 1, s.n);
    secret_done(&s);
    assert_int_equal(secret_new(&s, SECRET_SLOT_BYTES + 1), ERR_OK);
    secret_done(&s);
}

/* The kernel's own word: dd = do not dump, dc = do not copy on fork, lo = locked. */
static void the_kernel_says_that_secrets_are_not_dumped_or_inherited(void **state) {
    (void)state;
    struct secret s;
    assert_int_equal(secret_new(&s, 32), ERR_OK);
    FILE *f = fopen("/proc/self/smaps", "r");
    if (f == NULL) skip();
    char line[512];
    bool inside = false, seen = false;
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) inside = from <= (uintptr_t)s.p && (uintptr_t)s.p < to;
        if (!inside || strncmp(line, "VmFlags:", 8) != 0) continue;
        seen = true;
        assert_non_null(strstr(line, " dd"));
        assert_non_null(strstr(line, " dc"));
#ifndef __SANITIZE_ADDRESS__ /* which turns mlock into nothing */
        if (secret_status().locked_bytes == secret_status().mapped_bytes) assert_non_null(strstr(line, " lo"));
#endif
    }
    fclose(f);
    assert_true(seen);
    secret_done(&s);
}

static void a_child_has_no_secrets_of_its_parent(void **state) {
    (void)state;
    struct secret s;
    assert_int_equal(secret_new(&s, 32), ERR_OK);
    pid_t pid = fork();
    if (pid == 0) {
        struct secret mine;
        signal(SIGSEGV, SIG_DFL);
        if (secret_new(&mine, 32) != ERR_OK || secret_status().live_count != 1) _exit(1);
        secret_done(&mine);
        volatile uint8_t *p = s.p;
        _exit(p[0] == 0 ? 2 : 3);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    /* A sanitizer turns the fault into an exit of its own; never 1 (own secrets failed), 2 or 3 (it could be read). */
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (WIFSIGNALED(status)) assert_int_equal(WTERMSIG(status), SIGSEGV);
#ifndef __SANITIZE_ADDRESS__
    assert_true(WIFSIGNALED(status));
#endif
    secret_done(&s);
}

/* randomness ---------------------------------------------------------------------------------------------------------------- */

static void random_bytes_do_not_repeat_over_a_fork(void **state) {
    (void)state;
    int fds[2];
    uint8_t warm[8], mine[32], theirs[32] = {0};
    rng_fill(keys_rng(), warm, sizeof warm); /* both have a filled page now, if it were inherited */
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        rng_fill(keys_rng(), theirs, sizeof theirs);
        _exit(write(fds[1], theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
    }
    int status;
    rng_fill(keys_rng(), mine, sizeof mine);
    assert_int_equal(read(fds[0], theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_memory_not_equal(mine, theirs, 32);
    close(fds[0]);
    close(fds[1]);
}

static void *draw(void *out) {
    rng_fill(keys_rng(), out, 32);
    return NULL;
}

static void random_bytes_differ_between_calls_threads_and_sizes(void **state) {
    (void)state;
    enum { DRAWS = 600 }; /* past one page of 32-byte draws */
    static uint8_t seen[DRAWS + 1][32];
    static uint8_t big[10000], zero[64];
    pthread_t t;
    for (int i = 0; i < DRAWS; i++) rng_fill(keys_rng(), seen[i], 32);
    assert_int_equal(pthread_create(&t, NULL, draw, seen[DRAWS]), 0);
    assert_int_equal(pthread_join(t, NULL), 0);
    for (int i = 0; i <= DRAWS; i++) {
        for (int j = 0; j < i; j++) assert_memory_not_equal(seen[i], seen[j], 32);
    }
    rng_fill(keys_rng(), big, sizeof big);
    for (size_t i = 0; i + 64 <= sizeof big; i += 64) assert_memory_not_equal(big + i, zero, 64);
}

/* root file -------------------------------------------------------------------------------------------------------------------- */

static char dir[64], path[128];

static void in_a_directory(void) {
    snprintf(dir, sizeof dir, "/tmp/keys-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/root", dir);
}

static void away(void) {
    unlink(path);
    rmdir(dir);
}

static void write_file(const char *text, mode_t mode) {
    unlink(path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

static void a_root_file_gives_the_same_epoch_keys_again(void **state) {
    (void)state;
    struct keys_provider *p, *q;
    struct secret a, b, c;
    uint8_t x[ID_BYTES], y[ID_BYTES];
    struct stat st;
    in_a_directory();
    assert_int_equal(keys_root_open(path, &p), ERR_MISSING);
    assert_int_equal(keys_root_create(path, keys_rng()), ERR_OK);
    assert_int_equal(keys_root_create(path, keys_rng()), ERR_EXISTS);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(keys_root_open(path, &p), ERR_OK);
    assert_int_equal(keys_root_open(path, &q), ERR_OK);
    assert_int_equal(p->epoch_key(p, ctx, 1, &a), ERR_OK);
    assert_int_equal(q->epoch_key(q, ctx, 1, &b), ERR_OK);
    assert_int_equal(q->epoch_key(q, ctx, 2, &c), ERR_OK);
    assert_memory_equal(a.p, b.p, 32);
    assert_memory_not_equal(a.p, c.p, 32);
    assert_int_equal(p->check(p, ctx, x), ERR_OK);
    assert_int_equal(q->check(q, ctx, y), ERR_OK);
    assert_memory_equal(x, y, ID_BYTES);
    secret_done(&a);
    secret_done(&b);
    secret_done(&c);
    keys_provider_close(p);
    keys_provider_close(q);
    keys_provider_close(NULL);
    away();
}

static void a_root_file_that_others_may_read_is_refused(void **state) {
    (void)state;
    struct keys_provider *p;
    in_a_directory();
    assert_int_equal(keys_root_create(path, keys_rng()), ERR_OK);
    static const mode_t bad[] = {0640, 0604, 0610, 0666};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        chmod(path, bad[i]);
        assert_int_equal(keys_root_open(path, &p), ERR_CONFIG);
        assert_null(p);
    }
    unlink(path);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(keys_root_open(path, &p), ERR_CONFIG);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(keys_root_open(path, &p), ERR_CONFIG);
    away();
}

#define ROOT_OK "tillit-root-v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
static void only_the_exact_text_is_a_root_key(void **state) {
    (void)state;
    struct keys_provider *p;
    struct secret s;
    static const struct { const char *text; enum err want; } cases[] = {
        {ROOT_OK, ERR_OK}, {ROOT_OK "\n", ERR_OK}, {ROOT_OK "\n\n", ERR_INPUT}, {" " ROOT_OK, ERR_INPUT},
        {ROOT_OK "x", ERR_INPUT}, {"", ERR_INPUT}, {"tillit-root-v1:", ERR_INPUT}, {"tillit-root-v1:AAAA", ERR_INPUT},
        {"tillit-root-v2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ERR_VERSION},
        {"tillit-root-v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", ERR_INPUT}, /* bits past the end */
        {"tillit-root-v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", ERR_INPUT},
    };
    in_a_directory();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum err e = keys_root_parse(slice_str(cases[i].text), &s);
        if (e != cases[i].want && !(e != ERR_OK && cases[i].want == ERR_INPUT)) fail_msg("case %zu: %s", i, err_name(e));
        if (e == ERR_OK) assert_int_equal(s.p[31], 31);
        secret_done(&s);
        write_file(cases[i].text, 0600);
        e = keys_root_open(path, &p);
        assert_true((e == ERR_OK) == (cases[i].want == ERR_OK));
        keys_provider_close(p);
    }
    for (size_t n = 0; n < strlen(ROOT_OK); n++) { /* truncation at every byte */
        assert_int_not_equal(keys_root_parse(slice_of(ROOT_OK, n), &s), ERR_OK);
    }
    char longer[KEYS_ROOT_FILE_BYTES_MAX + 1];
    memset(longer, ' ', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    write_file(longer, 0600);
    assert_int_equal(keys_root_open(path, &p), ERR_INPUT);
    away();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_share_pages_and_come_back_zeroed),
        cmocka_unit_test(secret_sizes_are_bounded),
        cmocka_unit_test(the_kernel_says_that_secrets_are_not_dumped_or_inherited),
        cmocka_unit_test(a_child_has_no_secrets_of_its_parent),
        cmocka_unit_test(random_bytes_do_not_repeat_over_a_fork),
        cmocka_unit_test(random_bytes_differ_between_calls_threads_and_sizes),
        cmocka_unit_test(a_root_file_gives_the_same_epoch_keys_again),
        cmocka_unit_test(a_root_file_that_others_may_read_is_refused),
        cmocka_unit_test(only_the_exact_text_is_a_root_key),
    };
    return cmocka_run_group_tests_name("secret", tests, set_up, tear_down);
}
