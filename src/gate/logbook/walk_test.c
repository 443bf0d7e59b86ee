/* SPDX-License-Identifier: Apache-2.0
 * log_walk(): all leaves of a log in order, out of windows of its flat files, read ahead when there are many. What each holds is compared in test_check(), of every log that any
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
    assert_int_equal(log_walk(t.a, NULL, large_one, &seen), ERR_OK);       /* of an empty log: nothing */
    assert_int_equal(seen, 0);
    for (size_t i = 0; i < LARGE; i++) {
        memset(leaf, (int)i, sizeof leaf);
        memset(opening, (int)i, sizeof opening);
        const struct log_append a = {.leaf = slice_of(leaf, sizeof leaf - i), .opening = slice_of(opening, sizeof opening - i), .void_ref = UINT64_MAX};
        assert_int_equal(logbook_append(t.lb, t.a, &a, NULL), i);
        while (log_durable(t.a) <= i) loop_turn(t.loop, 10);
    }
    test_published(&t, t.a);
    assert_int_equal(log_walk(t.a, NULL, large_one, &seen), ERR_LIMIT);
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
    assert_int_equal(log_walk(t.a, NULL, count_one, &seen), ERR_CORRUPT);
    assert_int_equal(seen, 0);
    test_close(&t);
    test_remove(dir);
}

#define MANY 10000u                                /* a thread reads ahead */
static struct gate_log *many;
static uint64_t many_left;                         /* when it is 0 the check refuses */
static size_t many_end;

static enum err many_check(struct ledger_hash *h, struct slice leaf, struct slice opening) {
    uint8_t hash[HASH_BYTES];
    ledger_sha256(h, leaf, hash);                  /* its own: nobody else's numbers come of it */
    assert_true(leaf.n > 0 && opening.n > 0);
    return many_left-- == 0 ? ERR_VERIFY : ERR_OK;
}

static enum err many_one(void *ctx, uint64_t index, struct slice leaf, struct slice opening) {
    size_t *seen = ctx;
    char want[64];
    assert_int_equal(index, (*seen)++);
    snprintf(want, sizeof want, "leaf %llu", (unsigned long long)index);
    assert_true(slice_is(leaf, want));
    snprintf(want, sizeof want, "opening %llu", (unsigned long long)index);
    assert_true(slice_is(opening, want));
    return *seen == many_end ? ERR_LIMIT : ERR_OK;
}

static void walk_many(uint64_t check_refuses, size_t each_refuses, enum err want, size_t want_seen) {
    size_t seen = 0;
    many_left = check_refuses;
    many_end = each_refuses;
    assert_int_equal(log_walk(many, many_check, many_one, &seen), want);
    assert_int_equal(seen, want_seen);
}

/* Either side may end it, at its first leaf, its last one, or where batches meet; all before that were given. */
static void many_are_read_ahead(void **state) {
    (void)state;
    char dir[64], leaf[64], opening[64];
    struct test_book t;
    test_dir(dir);
    assert_int_equal(test_open_big(&t, dir), ERR_OK);
    for (unsigned i = 0; i < MANY; i++) {
        struct log_append a = {.void_ref = UINT64_MAX};
        a.leaf = slice_of((const uint8_t *)leaf, (size_t)snprintf(leaf, sizeof leaf, "leaf %u", i));
        a.opening = slice_of((const uint8_t *)opening, (size_t)snprintf(opening, sizeof opening, "opening %u", i));
        assert_int_equal(logbook_append(t.lb, t.a, &a, NULL), i);
        if (i % 100 == 99) {
            while (log_durable(t.a) <= i) loop_turn(t.loop, 10);
        }
    }
    many = t.a;
    walk_many(UINT64_MAX, 0, ERR_OK, MANY);        /* some of it may lie in the tail yet */
    test_published(&t, t.a);
    walk_many(UINT64_MAX, 0, ERR_OK, MANY);
    static const size_t ends[] = {1, 256, 257, 5000, MANY - 1, MANY};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        walk_many(UINT64_MAX, ends[i], ERR_LIMIT, ends[i]);
        walk_many(ends[i] - 1, 0, ERR_VERIFY, ends[i] - 1);
        walk_many(ends[i] - 1, ends[i], ERR_VERIFY, ends[i] - 1);
    }
    test_close(&t);
    test_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_gives_what_was_appended),
        cmocka_unit_test(a_changed_leaf_ends_it),
        cmocka_unit_test(many_are_read_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
