/* SPDX-License-Identifier: Apache-2.0
 * Tile paths, their byte ranges, entry bundles, and the golden log's files.
 * Role: unit test. Spec: C2SP tlog-tiles; tests/vectors/tlog/files.txt.
 */
#include "ledger/ledger_test.h"

static void refuse(const char *path, enum err want)
{
    struct ledger_tile t;
    enum err got = ledger_tile_parse(slice_str(path), &t);
    if (got != want) fail_msg("%s: %s, expected %s", path, err_name(got), err_name(want));
}

static void one_spelling_goes_in_and_comes_out(const char *path, struct ledger_tile want)
{
    struct ledger_tile t;
    assert_int_equal(ledger_tile_parse(slice_str(path), &t), ERR_OK);
    assert_true(t.entries == want.entries && t.level == want.level && t.index == want.index && t.width == want.width);
    struct buf b = BUF_INIT(128);
    ledger_tile_format(&t, &b);
    if (!slice_is(buf_slice(&b), path)) fail_msg("%s came back as %.*s", path, (int)b.n, (const char *)b.p);
    buf_done(&b);
}

static void canonical_paths_are_read(void **state)
{
    (void)state;
    one_spelling_goes_in_and_comes_out("tile/0/000", (struct ledger_tile){.index = 0, .width = 256});
    one_spelling_goes_in_and_comes_out("tile/0/001.p/44", (struct ledger_tile){.index = 1, .width = 44});
    one_spelling_goes_in_and_comes_out("tile/1/000.p/1", (struct ledger_tile){.level = 1, .width = 1});
    one_spelling_goes_in_and_comes_out("tile/63/x001/x234/067.p/255", (struct ledger_tile){.level = 63, .index = 1234067, .width = 255});
    one_spelling_goes_in_and_comes_out("tile/entries/x001/000", (struct ledger_tile){.entries = true, .index = 1000, .width = 256});
    one_spelling_goes_in_and_comes_out("tile/0/x009/x223/x372/x036/x854/x775/807",
                                       (struct ledger_tile){.index = LEDGER_SIZE_MAX, .width = 256});
}

static void every_other_spelling_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "/tile/0/000", "tile", "tile/", "tile/0", "tile/0/", "tile//000", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/1000",
        "tile/00/000", "tile/01/000", "tile/-1/000", "tile/a/000", "tile/0/x000/001", "tile/0/x001", "tile/0/x001/", "tile/0/001/002",
        "tile/0/x001/x002", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/01", "tile/0/000.q/1", "tile/0/000.p/1/",
        "tile/0/000.p/1x", "tile/0/000/", "tile/0/ 00", "tile/0/X001/000", "tile/entries", "tile/entries/", "tile/entry/000",
        "tile/0/..", "tile/0/000.p/+1", "tile/0/0x0", "tiles/0/000", "tile/0/000.", "tile/0/000.p/1.p/1",
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) refuse(bad[i], ERR_INPUT);
    refuse("tile/64/000", ERR_INPUT);
    refuse("tile/0/000.p/0", ERR_INPUT);
    refuse("tile/0/000.p/256", ERR_INPUT);
    refuse("tile/0/x009/x223/x372/x036/x854/x775/808", ERR_INPUT);
    refuse("tile/0/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/001", ERR_LIMIT);
    struct ledger_tile t;
    assert_int_equal(ledger_tile_parse(SLICE_LIT("tile/0/000\0"), &t), ERR_INPUT);
}

static void a_truncated_path_is_refused_or_is_another_tile(void **state)
{
    (void)state;
    const char *path = "tile/12/x001/x234/067.p/25";
    for (size_t n = 0; n < strlen(path); n++) {
        struct ledger_tile t;
        if (ledger_tile_parse(slice_of(path, n), &t) != ERR_OK) continue;
        assert_true(n == strlen("tile/12/x001/x234/067") || n == strlen("tile/12/x001/x234/067.p/2"));
    }
}

static void a_tile_exists_when_the_log_has_all_of_it(void **state)
{
    (void)state;
    struct ledger_tile full = {.width = 256}, second = {.index = 1, .width = 44}, up = {.level = 1, .width = 1},
                       far = {.index = UINT64_MAX, .width = 1}, high = {.level = 63, .width = 1};
    assert_true(ledger_tile_exists(&full, 256) && !ledger_tile_exists(&full, 255));
    assert_true(ledger_tile_exists(&second, 300) && ledger_tile_exists(&second, 301) && !ledger_tile_exists(&second, 299));
    assert_true(ledger_tile_exists(&up, 256) && !ledger_tile_exists(&up, 255));
    assert_true(!ledger_tile_exists(&far, LEDGER_SIZE_MAX) && !ledger_tile_exists(&high, LEDGER_SIZE_MAX));
    uint64_t offset, bytes;
    assert_int_equal(ledger_tile_range(&second, &offset, &bytes), ERR_OK);
    assert_int_equal(offset, 8192);
    assert_int_equal(bytes, 44 * 32);
    assert_int_equal(ledger_tile_range(&far, &offset, &bytes), ERR_RANGE);
}

/* The bytes a server gives for a path of the 300-leaf log. */
static void file_of(struct test_log *l, const struct ledger_tile *t, struct buf *out)
{
    assert_true(ledger_tile_exists(t, l->frontier.size));
    if (!t->entries) {
        uint64_t offset, bytes;
        assert_int_equal(ledger_tile_range(t, &offset, &bytes), ERR_OK);
        assert_true(offset + bytes <= l->level[t->level].n);
        buf_put(out, l->level[t->level].p + offset, bytes);
        return;
    }
    uint8_t room[32];
    for (unsigned i = 0; i < t->width; i++) ledger_bundle_put(out, test_leaf((unsigned)t->index * TILE_LEAVES + i, room));
}

static void the_golden_logs_files_are_byte_for_byte(void **state)
{
    (void)state;
    struct test_log l;
    struct buf list, file = BUF_INIT(65536);
    test_log_golden(&l, 300);
    test_read_file("tlog/files.txt", &list);
    struct slice rest = buf_slice(&list), line, path, size;
    unsigned count = 0;
    for (; rest.n > 0; count++) {
        rest = slice_cut(rest, '\n', &line);
        struct slice hex = slice_cut(slice_cut(line, ' ', &path), ' ', &size);
        struct ledger_tile t;
        uint64_t want_n;
        uint8_t want[HASH_BYTES], got[HASH_BYTES];
        assert_int_equal(ledger_tile_parse(path, &t), ERR_OK);
        assert_int_equal(slice_u64(size, 65536, &want_n), ERR_OK);
        assert_int_equal(hex_fixed(hex, want, sizeof want), ERR_OK);
        buf_reset(&file);
        file_of(&l, &t, &file);
        assert_int_equal(file.n, want_n);
        ledger_sha256(&l.hash, buf_slice(&file), got);
        assert_memory_equal(got, want, HASH_BYTES);
    }
    assert_int_equal(count, 5);
    buf_done(&file);
    buf_done(&list);
    test_log_done(&l);
}

static void bundles_split_exactly_or_not_at_all(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(200000);
    struct slice out[TILE_LEAVES];
    ledger_bundle_put(&b, SLICE_LIT("one"));
    ledger_bundle_put(&b, SLICE_LIT(""));
    ledger_bundle_put(&b, SLICE_LIT("three"));
    assert_int_equal(ledger_bundle_split(buf_slice(&b), 3, out), ERR_OK);
    assert_true(slice_is(out[0], "one") && out[1].n == 0 && slice_is(out[2], "three"));
    assert_int_equal(ledger_bundle_split(buf_slice(&b), 2, out), ERR_TRAILING);
    assert_int_equal(ledger_bundle_split(buf_slice(&b), 4, out), ERR_TRUNCATED);
    assert_int_equal(ledger_bundle_split(buf_slice(&b), 0, out), ERR_RANGE);
    assert_int_equal(ledger_bundle_split(buf_slice(&b), TILE_LEAVES + 1, out), ERR_RANGE);
    for (size_t n = 0; n < b.n; n++) assert_int_equal(ledger_bundle_split(slice_of(b.p, n), 3, out), ERR_TRUNCATED);
    static uint8_t big[65536];
    buf_reset(&b);
    ledger_bundle_put(&b, slice_of(big, 65535));
    assert_true(buf_ok(&b));
    ledger_bundle_put(&b, slice_of(big, 65536));
    assert_false(buf_ok(&b));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_paths_are_read),
        cmocka_unit_test(every_other_spelling_is_refused),
        cmocka_unit_test(a_truncated_path_is_refused_or_is_another_tile),
        cmocka_unit_test(a_tile_exists_when_the_log_has_all_of_it),
        cmocka_unit_test(the_golden_logs_files_are_byte_for_byte),
        cmocka_unit_test(bundles_split_exactly_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
