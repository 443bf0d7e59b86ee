/* SPDX-License-Identifier: Apache-2.0
 * Logs, heads and exports as a store writes them, whole and spoilt: what is found, and under which name.
 * Spec: docs/ops/verify.md, docs/spec/log.md, docs/spec/record.md
 */
#include "verify/verify_test.h"

/* log ------------------------------------------------------------------------------------------------------------------------- */

static void a_sound_log_of_every_shape_verifies(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 600};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct made m;
        made_init(&m, "log.example/access/x");
        for (uint64_t k = 0; k < sizes[i]; k++) made_sum(&m, 1000 + k);
        made_write(&m);
        assert_outcome(&m, NULL, VERIFY_NOWHERE);
        made_done(&m);
    }
}

static void spoilt(const char *file, size_t at, const char *name, uint64_t index)
{
    struct made m;
    made_init(&m, "log.example/access/x");
    for (uint64_t k = 0; k < 600; k++) made_sum(&m, 1000 + k);
    made_write(&m);
    made_flip(&m, file, at);
    assert_outcome(&m, name, index);
    made_done(&m);
}

static void a_flipped_bit_in_a_tile_is_named(void **state)
{
    (void)state;
    spoilt("tile/0/001", 32 * 7, "flipped-bit", VERIFY_NOWHERE);
    spoilt("tile/0/002.p/88", 5, "flipped-bit", VERIFY_NOWHERE);
    spoilt("tile/1/000.p/2", 40, "flipped-bit", VERIFY_NOWHERE);
}

static void a_changed_leaf_is_named_by_its_index(void **state)
{
    (void)state;
    /* The digit of t in the first entry of the second bundle: the leaf stays canonical. */
    struct made m;
    made_init(&m, "log.example/access/x");
    for (uint64_t k = 0; k < 600; k++) made_sum(&m, 1000);
    made_write(&m);
    made_replace(&m, "tile/entries/001", "\"n\":1", "\"n\":2");
    assert_outcome(&m, "changed-leaf", 256);
    made_done(&m);
}

static void a_bad_signature_and_another_origin_are_named(void **state)
{
    (void)state;
    spoilt("checkpoint", 30, "bad-signature", VERIFY_NOWHERE);
}

static void a_missing_last_bundle_is_a_dropped_tail(void **state)
{
    (void)state;
    struct made m;
    made_init(&m, "log.example/access/x");
    for (uint64_t k = 0; k < 300; k++) made_sum(&m, 1000 + k);
    made_write(&m);
    made_unlink(&m, "tile/entries/001.p/44");
    assert_outcome(&m, "dropped-tail", 256);
    made_done(&m);
}

static void falling_time_is_named(void **state)
{
    (void)state;
    struct made m;
    made_init(&m, "log.example/access/x");
    made_sum(&m, 1000), made_sum(&m, 999);
    made_write(&m);
    assert_outcome(&m, "time-falls", 1);
    made_done(&m);
}

static void a_void_of_no_write_is_named(void **state)
{
    (void)state;
    struct made m;
    made_init(&m, "log.example/access/x");
    made_sum(&m, 1000), made_void(&m, 0, 1001);
    made_write(&m);
    assert_outcome(&m, "bad-void", 1);
    made_done(&m);
}

static void a_leaf_of_another_log_is_named(void **state)
{
    (void)state;
    struct made m;
    made_init(&m, "log.example/control/x");
    made_sum(&m, 1000);
    made_write(&m);
    assert_outcome(&m, "bad-leaf", 0);
    made_done(&m);
}

/* seen ------------------------------------------------------------------------------------------------------------------------ */

static void seen_twice(uint64_t before, uint64_t after, uint64_t t_after, const char *name)
{
    struct verify_seen seen;
    char path[512];
    struct made m;
    for (int round = 0; round < 2; round++) {
        made_init(&m, "log.example/access/x");
        for (uint64_t k = 0; k < (round ? after : before); k++) made_sum(&m, k == 3 && round ? t_after : 1000);
        made_write(&m);
        if (round == 0) snprintf(path, sizeof path, "%s.seen", m.dir);
        assert_int_equal(verify_seen_open(&seen, path), ERR_OK);
        struct verify_report r;
        verify_report_init(&r, true);
        assert_true(verify_log_head(&m.read, &r) && verify_log_load(&m.read, &r, NULL, NULL));
        verify_seen_check(&seen, &m.read, &r);
        if (round == 0) assert_int_equal(verify_seen_save(&seen), ERR_OK);
        assert_found(&r, round ? name : NULL, NULL, VERIFY_NOWHERE);
        verify_seen_close(&seen);
        made_done(&m);
    }
    unlink(path);
}

/* LAW-7: an operator that holds the log's own key is found out by whoever kept a head. */
static void a_log_that_grew_agrees_with_what_was_seen(void **state) { (void)state; seen_twice(5, 9, 1000, NULL); }
static void a_shorter_log_that_its_own_key_signed_is_named(void **state) { (void)state; seen_twice(9, 5, 1000, "dropped-tail"); }
static void a_rewritten_log_that_its_own_key_signed_is_named(void **state) { (void)state; seen_twice(5, 9, 1001, "split-view"); }

/* heads ------------------------------------------------------------------------------------------------------------------------ */

static void heads_found(const uint64_t *n, size_t count, bool wrong_root, const char *name, uint64_t index)
{
    struct made m;
    made_init(&m, "log.example/heads");
    for (size_t i = 0; i < count; i++) made_epoch(&m, n[i], 1000 + 10000 * i, (i * 7) % 5, 5, (uint8_t)i, wrong_root && i == 2);
    made_write(&m);
    assert_outcome(&m, name, index);
    made_done(&m);
}

static void epochs_without_a_gap_verify(void **state) { (void)state; heads_found((uint64_t[]){0, 1, 2, 3, 4, 5}, 6, false, NULL, 0); }
static void a_skipped_epoch_is_named_by_its_index(void **state) { (void)state; heads_found((uint64_t[]){0, 1, 3, 4}, 4, false, "skipped-epoch", 2); }
static void a_first_epoch_that_is_not_the_first_is_named(void **state) { (void)state; heads_found((uint64_t[]){1, 2}, 2, false, "skipped-epoch", 0); }
static void a_wrong_slot_root_is_named(void **state) { (void)state; heads_found((uint64_t[]){0, 1, 2, 3}, 4, true, "wrong-slot-root", 2); }

/* A log of `shown` leaves, of which epochs stated the heads at `stated` sizes. */
static void slot_found(const uint64_t *stated, size_t count, uint64_t shown, bool other, const char *name)
{
    struct made m;
    struct verify_report r;
    struct verify_heads h = {.slot = 3};
    const struct record_slot slot = {.number = 3, .salt = {1, 2, 3}, .origin = SLICE_LIT("log.example/access/x")};
    made_init(&m, "log.example/access/x");
    for (uint64_t k = 0; k < shown; k++) made_sum(&m, 1000);
    made_write(&m);
    verify_report_init(&r, true);
    h.hash = m.read.hash, h.report = &r, h.name = "heads";
    assert_true(verify_log_head(&m.read, &r) && verify_log_load(&m.read, &r, NULL, NULL));
    struct verify_slot_value values[8] = {0};
    for (size_t i = 0; i < count; i++) {
        struct ledger_frontier f;
        uint8_t root[HASH_BYTES], leaf[HASH_BYTES];
        ledger_frontier_init(&f);
        struct slice sum = buf_slice(&m.leaf);
        for (uint64_t k = 0; k < stated[i]; k++) {
            ledger_leaf_hash(m.read.hash, other && k == 1 ? SLICE_LIT("another") : sum, leaf);
            ledger_frontier_append(m.read.hash, &f, leaf, NULL, NULL);
        }
        ledger_frontier_root(m.read.hash, &f, root);
        values[i].n = i;
        record_slot_value(m.read.hash, slot.salt, slot.origin, stated[i], root, values[i].value);
    }
    h.values = values, h.value_count = count;
    verify_slot_check(&m.read, &h, &slot, &r);
    assert_found(&r, name, NULL, VERIFY_NOWHERE);
    made_done(&m);
}

static void a_log_at_and_past_its_newest_head_agrees(void **state)
{
    (void)state;
    slot_found((uint64_t[]){2, 5, 9}, 3, 9, false, NULL);
    slot_found((uint64_t[]){2, 5, 5, 9}, 4, 20, false, NULL);
}
static void a_log_short_of_its_newest_head_is_a_dropped_tail(void **state) { (void)state; slot_found((uint64_t[]){2, 5, 9}, 3, 7, false, "dropped-tail"); }
static void a_log_that_no_head_agrees_with_is_a_split_view(void **state) { (void)state; slot_found((uint64_t[]){4, 5}, 2, 9, true, "split-view"); }
static void a_head_that_goes_back_is_a_split_view(void **state) { (void)state; slot_found((uint64_t[]){5, 4}, 2, 9, false, "split-view"); }

static void never_stated(uint64_t first_t, uint64_t heads_t, const char *name)
{
    struct made m;
    struct verify_report r;
    const struct record_slot slot = {.number = 3, .origin = SLICE_LIT("log.example/access/x")};
    verify_report_init(&r, true);
    made_init(&m, "log.example/access/x");
    made_sum(&m, first_t);
    made_write(&m);
    struct verify_heads h = {.hash = m.read.hash, .report = &r, .name = "heads", .t_ms = heads_t};
    struct verify_content c = {.report = &r, .log = &m.read};
    assert_true(verify_log_head(&m.read, &r) && verify_log_load(&m.read, &r, verify_content_leaf, &c));
    assert_int_equal(verify_slot_check(&m.read, &h, &slot, &r), name == NULL);
    assert_found(&r, name, NULL, VERIFY_NOWHERE);
    verify_content_done(&c);
    made_done(&m);
}

static void a_log_older_than_two_epochs_that_heads_never_name_is_named(void **state)
{
    (void)state;
    never_stated(1000, 1000 + VERIFY_SILENCE_MS, NULL);
    never_stated(1000, 1001 + VERIFY_SILENCE_MS, "not-in-heads");
}

/* forms and limits ---------------------------------------------------------------------------------------------------------------- */

static void the_flat_files_of_a_log_verify_like_its_tiles(void **state)
{
    (void)state;
    struct made m;
    made_init(&m, "log.example/access/x");
    for (uint64_t k = 0; k < 300; k++) made_sum(&m, 1000 + k);
    made_write(&m);
    made_flat(&m);
    assert_true(m.read.source.flat);
    assert_outcome(&m, NULL, VERIFY_NOWHERE);
    made_flip(&m, "hashes.0", 32 * 299);
    assert_outcome(&m, "flipped-bit", VERIFY_NOWHERE);
    made_done(&m);
}

static void findings_past_the_most_are_counted(void **state)
{
    (void)state;
    struct verify_report r;
    verify_report_init(&r, true);
    for (unsigned i = 0; i < VERIFY_FINDINGS_MAX + 1; i++) verify_find(&r, "x", "log", i, "y");
    assert_int_equal(r.found, VERIFY_FINDINGS_MAX + 1);
    assert_int_equal(json_array_size(r.findings), VERIFY_FINDINGS_MAX);
    json_decref(r.findings), json_decref(r.facts);
}

static void a_place_is_as_long_as_it_may_be(void **state)
{
    (void)state;
    char place[VERIFY_PLACE_CHARS_MAX + 2];
    struct verify_source s;
    memset(place, 'a', sizeof place);
    place[VERIFY_PLACE_CHARS_MAX] = 0;
    assert_int_equal(verify_source_open(&s, place, NULL), ERR_OK);
    place[VERIFY_PLACE_CHARS_MAX] = 'a', place[VERIFY_PLACE_CHARS_MAX + 1] = 0;
    assert_int_equal(verify_source_open(&s, place, NULL), ERR_INPUT);
    assert_int_equal(verify_source_open(&s, "", NULL), ERR_INPUT);
}

static void slots_reach_their_most_and_not_one_further(void **state)
{
    (void)state;
    struct verify_report r;
    struct ledger_hash h;
    verify_report_init(&r, true);
    assert_int_equal(ledger_hash_init(&h), ERR_OK);
    struct verify_heads heads = {.hash = &h, .report = &r, .name = "heads", .slot = VERIFY_NOWHERE};
    struct record_leaf l = {.have = 1ull << RECORD_F_N | 1ull << RECORD_F_SLOTS | 1ull << RECORD_F_T};
    l.f[RECORD_F_SLOTS].n = VERIFY_SLOTS_MAX;
    verify_heads_epoch(&heads, 0, &l);
    assert_int_equal(heads.slots, VERIFY_SLOTS_MAX);
    assert_int_equal(r.found, 1);                     /* the root, which this leaf has not */
    l.f[RECORD_F_N].n = 1;
    l.f[RECORD_F_SLOTS].n = VERIFY_SLOTS_MAX + 1;
    verify_heads_epoch(&heads, 1, &l);
    assert_int_equal(heads.slots, VERIFY_SLOTS_MAX);
    assert_found(&r, "bad-epoch", NULL, 1);
    verify_heads_done(&heads);
    ledger_hash_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_log_of_every_shape_verifies),
        cmocka_unit_test(a_flipped_bit_in_a_tile_is_named),
        cmocka_unit_test(a_changed_leaf_is_named_by_its_index),
        cmocka_unit_test(a_bad_signature_and_another_origin_are_named),
        cmocka_unit_test(a_missing_last_bundle_is_a_dropped_tail),
        cmocka_unit_test(falling_time_is_named),
        cmocka_unit_test(a_void_of_no_write_is_named),
        cmocka_unit_test(a_leaf_of_another_log_is_named),
        cmocka_unit_test(a_log_that_grew_agrees_with_what_was_seen),
        cmocka_unit_test(a_shorter_log_that_its_own_key_signed_is_named),
        cmocka_unit_test(a_rewritten_log_that_its_own_key_signed_is_named),
        cmocka_unit_test(epochs_without_a_gap_verify),
        cmocka_unit_test(a_skipped_epoch_is_named_by_its_index),
        cmocka_unit_test(a_first_epoch_that_is_not_the_first_is_named),
        cmocka_unit_test(a_wrong_slot_root_is_named),
        cmocka_unit_test(a_log_at_and_past_its_newest_head_agrees),
        cmocka_unit_test(a_log_short_of_its_newest_head_is_a_dropped_tail),
        cmocka_unit_test(a_log_that_no_head_agrees_with_is_a_split_view),
        cmocka_unit_test(a_log_older_than_two_epochs_that_heads_never_name_is_named),
        cmocka_unit_test(the_flat_files_of_a_log_verify_like_its_tiles),
        cmocka_unit_test(findings_past_the_most_are_counted),
        cmocka_unit_test(a_place_is_as_long_as_it_may_be),
        cmocka_unit_test(slots_reach_their_most_and_not_one_further),
        cmocka_unit_test(a_head_that_goes_back_is_a_split_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
