/* SPDX-License-Identifier: Apache-2.0
 * log_walk(): all leaves of a log in order, out of windows of its flat files. What each holds is compared in test_check(), of every log that any
 * test of this room checks. Role: unit test. Spec: docs/spec/log.md.
 */
#include "gate/logbook/internal.h"
#include "gate/logbook/logbook_test.h"

#include <stdio.h>

#define LARGE 11                                   /* of these more than two windows of log_walk() */

static enum err large_one(void *ctx, uint64_t index, struct slice leaf, struct slice opening) {
    size_t *seen = ctx;
    assert_int_equal(leaf.n, LEAF_BYTES_MAX - index);
    assert_int_equal(opening.n, OPENING_BYTES_MAX - index);
    assert_int_equal(leaf.p[0], index);
    assert_int_equal(opening.p[opening.n - 1], index);
    return ++*seen == LARGE - 1 ? ERR_LIMIT : ERR_OK;
}

/* Items of every size up to the largest, across the windows' edges; an error of the callback ends it. */
static void a_walk_gives_what_was_appended(void **state) {
    (void)state;
    static uint8_t leaf[LEAF_BYTES_MAX], opening[OPENING_BYTES_MAX];
    char dir[64];
    struct test_book t;
    size_t seen = 0;
    test_dir(dir);
    assert_int_equal(test_open_big(&t, dir), ERR_OK);
    assert_int_equal(log_walk(t.a, large_one, &seen), ERR_OK);       /* of an empty log: nothing */
    assert_int_equal(seen, 0);
    for (size_t i = 0; i < LARGE; i++) {
        memset(leaf, (int)i, sizeof leaf);
        memset(opening, (int)i, sizeof opening);
        const struct log_append a = {.leaf = slice_of(leaf, sizeof leaf - i), .opening = slice_of(opening, sizeof opening - i), .void_ref = UINT64_MAX};
        assert_int_equal(logbook_append(t.lb, t.a, &a, NULL), i);
        while (log_durable(t.a) <= i) loop_turn(t.loop, 10);
    }
    test_published(&t, t.a);
    assert_int_equal(log_walk(t.a, large_one, &seen), ERR_LIMIT);
    assert_int_equal(seen, LARGE - 1);
    test_close(&t);
    test_remove(dir);
}

static enum err count_one(void *ctx, uint64_t index, struct slice leaf, struct slice opening) {
    (void)index, (void)leaf, (void)opening;
    ++*(size_t *)ctx;
    return ERR_OK;
}

static void a_changed_leaf_ends_it(void **state) {
    (void)state;
    char dir[64], path[256];
    struct test_book t;
    size_t seen = 0;
    uint8_t byte = 0;
    test_dir(dir);
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    for (unsigned n = 0; n < 7; n++) test_put(&t, t.a);
    snprintf(path, sizeof path, "%s/logs/%s/entries", dir, t.a->id_text);
    test_close(&t);
    FILE *f = fopen(path, "r+");
    assert_true(f != NULL && fseek(f, 12, SEEK_SET) == 0 && fread(&byte, 1, 1, f) == 1);
    byte ^= 1;
    assert_true(fseek(f, 12, SEEK_SET) == 0 && fwrite(&byte, 1, 1, f) == 1 && fclose(f) == 0);       /* within the first leaf */
    assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
    assert_int_equal(log_walk(t.a, count_one, &seen), ERR_CORRUPT);
    assert_int_equal(seen, 0);
    test_close(&t);
    test_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_gives_what_was_appended),
        cmocka_unit_test(a_changed_leaf_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
