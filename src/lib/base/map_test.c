/* SPDX-License-Identifier: Apache-2.0
 * Unit tests of map.c: against a plain array that does the same.
 */
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

static void put_get_and_del_agree(void **state) {
    (void)state;
    struct map *m = map_new(4);
    int a, b;
    check_err(map_put(m, SLICE_LIT("a"), &a), ERR_OK);
    check_err(map_put(m, SLICE_LIT("a"), &b), ERR_EXISTS);
    check_err(map_put(m, SLICE_LIT(""), &b), ERR_OK);
    assert_ptr_equal(map_get(m, SLICE_LIT("a")), &a);
    assert_ptr_equal(map_get(m, (struct slice){NULL, 0}), &b);
    assert_null(map_get(m, SLICE_LIT("c")));
    assert_ptr_equal(map_del(m, SLICE_LIT("a")), &a);
    assert_null(map_del(m, SLICE_LIT("a")));
    assert_null(map_get(m, SLICE_LIT("a")));
    assert_int_equal(map_count(m), 1);
    map_free(m);
    map_free(NULL);
}

static void one_entry_past_the_bound_is_limit(void **state) {
    (void)state;
    struct map *m = map_new(3);
    int v;
    check_err(map_put(m, SLICE_LIT("1"), &v), ERR_OK);
    check_err(map_put(m, SLICE_LIT("2"), &v), ERR_OK);
    check_err(map_put(m, SLICE_LIT("3"), &v), ERR_OK);
    check_err(map_put(m, SLICE_LIT("4"), &v), ERR_LIMIT);
    check_err(map_put(m, SLICE_LIT("3"), &v), ERR_EXISTS);
    map_del(m, SLICE_LIT("1"));
    check_err(map_put(m, SLICE_LIT("4"), &v), ERR_OK);
    map_free(m);
}

#define KEYS 3000

static struct slice key_of(size_t i, char out[64]) {
    /* Lengths on both sides of what a slot holds inline. */
    int n = snprintf(out, 64, "%zu%.*s", i, (int)(i % 40), "----------------------------------------");
    return slice_of(out, (size_t)n);
}

static void a_long_random_history_agrees_with_an_array(void **state) {
    (void)state;
    struct map *m = map_new(KEYS);
    static char there[KEYS];
    uint32_t seed = 7;
    size_t count = 0;
    memset(there, 0, sizeof there);
    for (int step = 0; step < 60000; step++) {
        seed = seed * 1664525u + 1013904223u;
        size_t i = (seed >> 8) % KEYS;
        char text[64];
        struct slice key = key_of(i, text);
        assert_true((map_get(m, key) != NULL) == (there[i] != 0));
        if (there[i] != 0) {
            assert_ptr_equal(map_del(m, key), &there[i]);
            count--;
        } else {
            check_err(map_put(m, key, &there[i]), ERR_OK);
            count++;
        }
        there[i] = !there[i];
        assert_int_equal(map_count(m), count);
    }
    size_t cursor = 0, seen = 0;
    struct slice key;
    for (char *v; (v = map_next(m, &cursor, &key)) != NULL; seen++) {
        char text[64];
        check_bytes(key, key_of((size_t)(v - there), text));
        assert_int_equal(*v, 1);
    }
    assert_int_equal(seen, count);
    map_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_get_and_del_agree),
        cmocka_unit_test(one_entry_past_the_bound_is_limit),
        cmocka_unit_test(a_long_random_history_agrees_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
