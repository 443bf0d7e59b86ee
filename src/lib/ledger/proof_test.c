/* SPDX-License-Identifier: Apache-2.0
 * Proofs against transparency-dev's cases, the golden log and each other.
 * Role: unit test. Spec: RFC 6962 2.1, RFC 9162 2.1; tests/vectors/rfc6962, tests/vectors/tlog.
 */
#include "ledger/ledger_test.h"

#define FIELDS 7

/* Splits a vector line at blanks. */
static void fields_of(struct slice line, struct slice f[FIELDS])
{
    for (unsigned i = 0; i < FIELDS; i++) line = slice_cut(line, ' ', &f[i]);
    assert_int_equal(line.n, 0);
    assert_true(f[FIELDS - 1].n > 0);
}

static enum err parse_proof(struct slice text, struct ledger_proof *p)
{
    p->count = 0;
    if (slice_is(text, "-")) return ERR_OK;
    while (text.n > 0) {
        struct slice hash;
        text = slice_cut(text, ',', &hash);
        if (p->count == TREE_LEVELS_MAX) return ERR_LIMIT;
        TRY(base64_fixed(hash, p->hash[p->count++], HASH_BYTES));
    }
    return ERR_OK;
}

/* Sizes in the cases can be anything that fits 64 bits. */
static uint64_t number(struct slice s)
{
    uint64_t n = 0;
    assert_int_equal(slice_u64(s, UINT64_MAX, &n), ERR_OK);
    return n;
}

static enum err try_inclusion(struct ledger_hash *h, const struct slice f[FIELDS])
{
    uint8_t root[HASH_BYTES], leaf[HASH_BYTES];
    struct ledger_proof p;
    TRY(base64_fixed(f[3], root, sizeof root));
    TRY(base64_fixed(f[4], leaf, sizeof leaf));
    TRY(parse_proof(f[5], &p));
    return ledger_inclusion_verify(h, number(f[1]), number(f[2]), leaf, &p, root);
}

/* Roots of "equal sizes, equal roots" cases are any text in the source: a short one is stretched to 32 bytes, which keeps
 * equal equal and different different. */
static enum err root_of(struct slice s, uint8_t out[HASH_BYTES])
{
    struct buf b = BUF_INIT(64);
    enum err e = base64_decode(s, &b);
    memset(out, 0, HASH_BYTES);
    if (e == ERR_OK && b.n > 0 && b.n <= HASH_BYTES)
        memcpy(out, b.p, b.n);
    else
        e = ERR_INPUT;
    buf_done(&b);
    return e;
}

static enum err try_consistency(struct ledger_hash *h, const struct slice f[FIELDS])
{
    uint8_t root1[HASH_BYTES], root2[HASH_BYTES];
    struct ledger_proof p;
    TRY(root_of(f[3], root1));
    TRY(root_of(f[4], root2));
    TRY(parse_proof(f[5], &p));
    return ledger_consistency_verify(h, number(f[1]), number(f[2]), root1, root2, &p);
}

static void run_cases(const char *name, enum err (*try)(struct ledger_hash *, const struct slice[FIELDS]))
{
    struct ledger_hash h;
    struct buf file;
    unsigned accepted = 0, refused = 0;
    assert_int_equal(ledger_hash_init(&h), ERR_OK);
    test_read_file(name, &file);
    struct slice rest = buf_slice(&file), line, f[FIELDS];
    while (rest.n > 0) {
        rest = slice_cut(rest, '\n', &line);
        fields_of(line, f);
        bool want = slice_is(f[6], "accept"), got = try(&h, f) == ERR_OK;
        if (want != got) fail_msg("%.*s: accepted %d, expected %d", (int)f[0].n, (const char *)f[0].p, got, want);
        accepted += got;
        refused += !got;
    }
    assert_int_equal(accepted + refused, 98);
    assert_int_equal(accepted, 6);
    buf_done(&file);
    ledger_hash_done(&h);
}

static void all_98_inclusion_cases_agree(void **state)
{
    (void)state;
    run_cases("rfc6962/inclusion.txt", try_inclusion);
}

static void all_98_consistency_cases_agree(void **state)
{
    (void)state;
    run_cases("rfc6962/consistency.txt", try_consistency);
}

static void every_pair_to_70_proves_and_every_wrong_count_is_refused(void **state)
{
    (void)state;
    struct test_log l;
    test_log_golden(&l, 70);
    struct ledger_reader r = test_log_reader(&l);
    uint8_t roots[71][HASH_BYTES];
    struct ledger_proof p, q;
    for (unsigned n = 1; n <= 70; n++) assert_int_equal(ledger_root_at(&l.hash, &r, n, roots[n]), ERR_OK);
    for (unsigned n = 1; n <= 70; n++) {
        for (unsigned m = 0; m < n; m++) {
            const uint8_t *leaf = l.level[0].p + m * HASH_BYTES;
            assert_int_equal(ledger_inclusion_make(&l.hash, &r, m, n, &p), ERR_OK);
            assert_int_equal(ledger_inclusion_verify(&l.hash, m, n, leaf, &p, roots[n]), ERR_OK);
            assert_int_not_equal(ledger_inclusion_verify(&l.hash, m ^ 1, n, leaf, &p, roots[n]), ERR_OK);
            q = p;
            memset(q.hash[q.count++], 0, HASH_BYTES);
            assert_int_equal(ledger_inclusion_verify(&l.hash, m, n, leaf, &q, roots[n]), ERR_VERIFY);
            assert_int_equal(ledger_consistency_make(&l.hash, &r, m + 1, n, &p), ERR_OK);
            assert_int_equal(ledger_consistency_verify(&l.hash, m + 1, n, roots[m + 1], roots[n], &p), ERR_OK);
            q = p;
            memset(q.hash[q.count++], 0, HASH_BYTES);
            assert_int_equal(ledger_consistency_verify(&l.hash, m + 1, n, roots[m + 1], roots[n], &q), ERR_VERIFY);
            if (p.count == 0) continue;
            q = p;
            q.count--;
            assert_int_equal(ledger_consistency_verify(&l.hash, m + 1, n, roots[m + 1], roots[n], &q), ERR_VERIFY);
        }
    }
    test_log_done(&l);
}

static void consistency_from_7_to_300_is_the_golden_one(void **state)
{
    (void)state;
    struct test_log l;
    struct buf file, text = BUF_INIT(4096);
    test_log_golden(&l, 300);
    struct ledger_reader r = test_log_reader(&l);
    struct ledger_proof p;
    assert_int_equal(ledger_consistency_make(&l.hash, &r, 7, 300, &p), ERR_OK);
    buf_put_str(&text, "old 7\n");
    for (unsigned i = 0; i < p.count; i++) {
        buf_put_base64(&text, slice_of(p.hash[i], HASH_BYTES));
        buf_put_u8(&text, '\n');
    }
    test_read_file("tlog/consistency-7-300.txt", &file);
    assert_int_equal(text.n, file.n);
    assert_memory_equal(text.p, file.p, file.n);
    buf_done(&file);
    buf_done(&text);
    test_log_done(&l);
}

static void proofs_across_65536_leaves_use_the_upper_levels(void **state)
{
    (void)state;
    struct test_log l;
    test_log_init(&l);
    enum { SIZE = 66000 };
    for (unsigned i = 0; i < SIZE; i++) test_log_add(&l, slice_of(&i, sizeof i));
    struct ledger_reader r = test_log_reader(&l);
    uint8_t root[HASH_BYTES], old[HASH_BYTES];
    struct ledger_proof p;
    ledger_frontier_root(&l.hash, &l.frontier, root);
    for (unsigned m = 1; m < SIZE; m += 4999) {
        assert_int_equal(ledger_inclusion_make(&l.hash, &r, m, SIZE, &p), ERR_OK);
        assert_int_equal(ledger_inclusion_verify(&l.hash, m, SIZE, l.level[0].p + m * HASH_BYTES, &p, root), ERR_OK);
        assert_int_equal(ledger_root_at(&l.hash, &r, m, old), ERR_OK);
        assert_int_equal(ledger_consistency_make(&l.hash, &r, m, SIZE, &p), ERR_OK);
        assert_int_equal(ledger_consistency_verify(&l.hash, m, SIZE, old, root, &p), ERR_OK);
    }
    test_log_done(&l);
}

static void indexes_and_sizes_out_of_range_are_refused(void **state)
{
    (void)state;
    struct test_log l;
    test_log_golden(&l, 8);
    struct ledger_reader r = test_log_reader(&l);
    struct ledger_proof p;
    assert_int_equal(ledger_inclusion_make(&l.hash, &r, 7, 8, &p), ERR_OK);
    assert_int_equal(ledger_inclusion_make(&l.hash, &r, 8, 8, &p), ERR_RANGE);
    assert_int_equal(ledger_inclusion_make(&l.hash, &r, 0, LEDGER_SIZE_MAX + 1, &p), ERR_RANGE);
    assert_int_equal(ledger_consistency_make(&l.hash, &r, 0, 8, &p), ERR_RANGE);
    assert_int_equal(ledger_consistency_make(&l.hash, &r, 8, 8, &p), ERR_OK);
    assert_int_equal(p.count, 0);
    assert_int_equal(ledger_consistency_make(&l.hash, &r, 9, 8, &p), ERR_RANGE);
    uint8_t any[HASH_BYTES] = {0};
    p.count = TREE_LEVELS_MAX + 1;
    assert_int_equal(ledger_inclusion_verify(&l.hash, 0, 8, any, &p, any), ERR_VERIFY);
    assert_int_equal(ledger_consistency_verify(&l.hash, 4, 8, any, any, &p), ERR_VERIFY);
    test_log_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_98_inclusion_cases_agree),
        cmocka_unit_test(all_98_consistency_cases_agree),
        cmocka_unit_test(every_pair_to_70_proves_and_every_wrong_count_is_refused),
        cmocka_unit_test(consistency_from_7_to_300_is_the_golden_one),
        cmocka_unit_test(proofs_across_65536_leaves_use_the_upper_levels),
        cmocka_unit_test(indexes_and_sizes_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
