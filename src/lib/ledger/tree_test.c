/* SPDX-License-Identifier: Apache-2.0
 * The tree against golden roots and against a recursive reading of RFC 6962.
 * Role: unit test. Spec: RFC 6962 section 2.1; tests/vectors/tlog.
 */
#include "ledger/ledger_test.h"

/* MTH as the RFC writes it, over leaf hashes. */
static void mth(struct ledger_hash *h, const uint8_t *hashes, uint64_t n, uint8_t out[HASH_BYTES])
{
    if (n == 1) {
        memcpy(out, hashes, HASH_BYTES);
        return;
    }
    uint64_t k = 1;
    while (k * 2 < n) k *= 2;
    uint8_t left[HASH_BYTES], right[HASH_BYTES];
    mth(h, hashes, k, left);
    mth(h, hashes + k * HASH_BYTES, n - k, right);
    ledger_node_hash(h, left, right, out);
}

static void roots_of_sizes_1_to_8_are_the_golden_ones(void **state)
{
    (void)state;
    struct test_log l;
    struct buf file;
    uint8_t room[32], want[HASH_BYTES], got[HASH_BYTES];
    test_log_init(&l);
    test_read_file("tlog/roots.txt", &file);
    struct slice rest = buf_slice(&file), line, size;
    unsigned n = 0;
    while (rest.n > 0) {
        rest = slice_cut(rest, '\n', &line);
        struct slice hex = slice_cut(line, ' ', &size);
        assert_int_equal(hex_fixed(hex, want, sizeof want), ERR_OK);
        test_log_add(&l, test_leaf(n++, room));
        ledger_frontier_root(&l.hash, &l.frontier, got);
        assert_memory_equal(got, want, HASH_BYTES);
    }
    assert_int_equal(n, 8);
    buf_done(&file);
    test_log_done(&l);
}

static void empty_root_is_sha256_of_nothing(void **state)
{
    (void)state;
    struct test_log l;
    uint8_t got[HASH_BYTES], want[HASH_BYTES];
    test_log_init(&l);
    assert_int_equal(hex_fixed(SLICE_LIT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), want, 32), ERR_OK);
    ledger_frontier_root(&l.hash, &l.frontier, got);
    assert_memory_equal(got, want, HASH_BYTES);
    test_log_done(&l);
}

static void append_rebuild_and_the_recursion_agree_on_every_size_to_600(void **state)
{
    (void)state;
    struct test_log l;
    uint8_t room[32], want[HASH_BYTES], got[HASH_BYTES];
    test_log_init(&l);
    struct ledger_reader r = test_log_reader(&l);
    for (unsigned n = 1; n <= 600; n++) {
        test_log_add(&l, test_leaf(n - 1, room));
        mth(&l.hash, l.level[0].p, n, want);
        ledger_frontier_root(&l.hash, &l.frontier, got);
        assert_memory_equal(got, want, HASH_BYTES);
        struct ledger_frontier f;
        assert_int_equal(ledger_frontier_rebuild(&l.hash, &r, n, &f), ERR_OK);
        for (unsigned k = 0; k < TREE_LEVELS_MAX; k++)
            if (f.size >> k & 1) assert_memory_equal(f.hash[k], l.frontier.hash[k], HASH_BYTES);
        assert_int_equal(f.size, n);
    }
    for (unsigned n = 1; n <= 600; n += 7) {
        mth(&l.hash, l.level[0].p, n, want);
        assert_int_equal(ledger_root_at(&l.hash, &r, n, got), ERR_OK);
        assert_memory_equal(got, want, HASH_BYTES);
    }
    test_log_done(&l);
}

static void level_two_is_completed_by_leaf_65535_and_not_before(void **state)
{
    (void)state;
    struct test_log l;
    test_log_init(&l);
    for (unsigned i = 0; i < 65535; i++) test_log_add(&l, slice_of(&i, sizeof i));
    assert_int_equal(l.level[1].n, 255 * HASH_BYTES);
    assert_int_equal(l.level[2].n, 0);
    test_log_add(&l, SLICE_LIT("last"));
    assert_int_equal(l.level[1].n, 256 * HASH_BYTES);
    assert_int_equal(l.level[2].n, HASH_BYTES);
    uint8_t want[HASH_BYTES];
    mth(&l.hash, l.level[1].p, 256, want);
    assert_memory_equal(l.level[2].p, want, HASH_BYTES);
    ledger_frontier_root(&l.hash, &l.frontier, want);
    assert_memory_equal(l.level[2].p, want, HASH_BYTES);
    for (unsigned level = 0; level <= LEDGER_TILE_LEVELS_MAX; level++)
        assert_int_equal(l.level[level].n / HASH_BYTES, ledger_level_count(l.frontier.size, level));
    test_log_done(&l);
}

static void persisted_frontier_comes_back_and_refuses_every_truncation(void **state)
{
    (void)state;
    struct test_log l;
    test_log_golden(&l, 300);
    struct buf b = BUF_INIT(4096);
    ledger_frontier_put(&l.frontier, &b);
    assert_int_equal(b.n, 8 + 4 * HASH_BYTES);        /* 300 = 256 + 32 + 8 + 4 */
    struct ledger_frontier f;
    struct reader r = reader_of(buf_slice(&b));
    assert_int_equal(ledger_frontier_get(&r, &f), ERR_OK);
    assert_int_equal(reader_end(&r), ERR_OK);
    uint8_t want[HASH_BYTES], got[HASH_BYTES];
    ledger_frontier_root(&l.hash, &l.frontier, want);
    ledger_frontier_root(&l.hash, &f, got);
    assert_memory_equal(got, want, HASH_BYTES);
    for (size_t n = 0; n < b.n; n++) {
        r = reader_of(slice_of(b.p, n));
        assert_int_not_equal(ledger_frontier_get(&r, &f), ERR_OK);
    }
    struct slice hashes = slice_of(b.p + 8, b.n - 8);
    assert_int_equal(ledger_frontier_from_hashes(300, hashes, &f), ERR_OK);
    assert_int_equal(ledger_frontier_from_hashes(301, hashes, &f), ERR_INPUT);
    assert_int_equal(ledger_frontier_from_hashes(256, hashes, &f), ERR_INPUT);
    buf_done(&b);
    test_log_done(&l);
}

static void sizes_past_the_maximum_are_refused(void **state)
{
    (void)state;
    struct test_log l;
    test_log_init(&l);
    static uint8_t hashes[64 * HASH_BYTES];
    struct ledger_frontier f;
    struct ledger_reader r = test_log_reader(&l);
    assert_int_equal(ledger_frontier_from_hashes(LEDGER_SIZE_MAX, slice_of(hashes, 63 * HASH_BYTES), &f), ERR_OK);
    assert_int_equal(ledger_frontier_from_hashes(LEDGER_SIZE_MAX + 1, slice_of(hashes, HASH_BYTES), &f), ERR_RANGE);
    assert_int_equal(ledger_frontier_rebuild(&l.hash, &r, LEDGER_SIZE_MAX + 1, &f), ERR_RANGE);
    test_log_done(&l);
}

static void the_readers_error_is_passed_on(void **state)
{
    (void)state;
    struct test_log l;
    test_log_golden(&l, 300);
    struct ledger_reader r = test_log_reader(&l);
    uint8_t root[HASH_BYTES];
    assert_int_equal(ledger_root_at(&l.hash, &r, 301, root), ERR_MISSING);
    assert_int_equal(l.refused, 1);
    l.refused = 0;
    test_log_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_of_sizes_1_to_8_are_the_golden_ones),
        cmocka_unit_test(empty_root_is_sha256_of_nothing),
        cmocka_unit_test(append_rebuild_and_the_recursion_agree_on_every_size_to_600),
        cmocka_unit_test(level_two_is_completed_by_leaf_65535_and_not_before),
        cmocka_unit_test(persisted_frontier_comes_back_and_refuses_every_truncation),
        cmocka_unit_test(sizes_past_the_maximum_are_refused),
        cmocka_unit_test(the_readers_error_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
