/* SPDX-License-Identifier: Apache-2.0
 * The heads log: epochs without gaps, roots that fold from what was stated, slots that a reader can check.
 * Role: tests. Spec: docs/spec/record.md section 5, docs/spec/log.md "Heads"
 */
#include "gate/logbook/logbook_test.h"
#include "record/record.h"

#include <stdlib.h>

#define SLOTS_MAX 4096

struct fold {
    struct ledger_hash hash;
    uint8_t value[SLOTS_MAX][HASH_BYTES];
    uint64_t slots, leaves;
};

/* Folds the leaves that are new, as a verifier does: each leaf's root is that of the values stated so far. */
static void fold_check(struct fold *f, struct gate_log *heads) {
    for (; f->leaves < log_durable(heads); f->leaves++) {
        AUTO(buf) struct buf text = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(64);
        struct record_leaf leaf;
        struct slice item, list;
        assert_int_equal(log_read(heads, f->leaves, &text, &opening), ERR_OK);
        assert_int_equal(opening.n, 0);
        assert_int_equal(record_leaf_parse(buf_slice(&text), RECORD_LOG_HEADS, &leaf), ERR_OK);
        assert_int_equal(leaf.kind, RECORD_K_EPOCH);
        assert_int_equal(record_int(&leaf, RECORD_F_N, UINT64_MAX), f->leaves);
        uint64_t slots = record_int(&leaf, RECORD_F_SLOTS, 0);
        assert_true(slots <= SLOTS_MAX);
        if (slots < f->slots) memset(f->value, 0, sizeof f->value); /* a start: everything is stated again */
        f->slots = slots;
        list = leaf.f[RECORD_F_CHG].text;
        while (record_list_text(&list, &item)) {
            struct slice number;
            struct slice value = slice_cut(item, ':', &number);
            uint64_t slot;
            assert_int_equal(slice_u64(number, slots - 1, &slot), ERR_OK);
            assert_int_equal(base64url_fixed(value, f->value[slot], HASH_BYTES), ERR_OK);
        }
        struct ledger_frontier tree;
        uint8_t root[HASH_BYTES], hash[HASH_BYTES];
        ledger_frontier_init(&tree);
        for (uint64_t i = 0; i < slots; i++) {
            ledger_leaf_hash(&f->hash, slice_of(f->value[i], HASH_BYTES), hash);
            ledger_frontier_append(&f->hash, &tree, hash, NULL, NULL);
        }
        ledger_frontier_root(&f->hash, &tree, root);
        assert_memory_equal(leaf.f[RECORD_F_ROOT].bytes, root, HASH_BYTES);
    }
}

/* The slot text and the checkpoint that a reader has give the value that stands in the heads log. */
static void slot_check(struct fold *f, struct gate_log *l) {
    AUTO(buf) struct buf text = BUF_INIT(4096), note = BUF_INIT(LEDGER_NOTE_BYTES_MAX), key = BUF_INIT(1024);
    struct record_slot slot;
    struct ledger_vkey vkey;
    struct ledger_checkpoint c;
    uint8_t value[HASH_BYTES];
    log_slot_text(l, &text);
    log_vkey(l, &key);
    assert_int_equal(record_slot_parse(buf_slice(&text), &slot), ERR_OK);
    assert_int_equal(log_checkpoint(l, &note), ERR_OK);
    assert_int_equal(ledger_vkey_parse(&f->hash, buf_slice(&key), &vkey), ERR_OK);
    assert_int_equal(ledger_checkpoint_open(buf_slice(&note), &vkey, &c, NULL), ERR_OK);
    record_slot_value(&f->hash, slot.salt, slot.origin, c.size, c.root, value);
    assert_memory_equal(f->value[slot.number], value, HASH_BYTES);
}

static struct gate_log *heads_add(struct test_book *t) {
    struct gate_log *heads;
    struct log_params p = test_params(LOG_HEADS, LOG_KIND_HEADS, UINT32_MAX);
    assert_int_equal(logbook_add(t->lb, &p, &heads), ERR_OK);
    logbook_heads_start(t->lb, heads);
    return heads;
}

static void wait_leaves(struct test_book *t, struct gate_log *heads, uint64_t n) {
    for (unsigned turns = 0; log_durable(heads) < n; turns++) {
        assert_true(turns < 5000);
        loop_turn(t->loop, 10);
    }
}

static void epochs_fold_and_go_on_over_a_start(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    struct fold *f = calloc(1, sizeof *f);
    assert_int_equal(ledger_hash_init(&f->hash), ERR_OK);
    test_dir(dir);
    for (uint64_t start = 0; start < 3; start++) {
        assert_int_equal(test_open(&t, dir, NULL), ERR_OK);
        for (unsigned i = 0; i < 3; i++) test_put(&t, t.a);
        test_published(&t, t.a);
        struct gate_log *heads = heads_add(&t);
        wait_leaves(&t, heads, start + 1);
        fold_check(f, heads);
        assert_int_equal(f->leaves, start + 1);
        slot_check(f, t.a);
        slot_check(f, t.b);
        test_close(&t);
    }
    ledger_hash_done(&f->hash);
    free(f);
    test_remove(dir);
}

/* More slots than a leaf takes: the rest follows at once, each leaf right by itself. */
static void more_slots_than_fit_go_into_further_epochs_at_once(void **state) {
    (void)state;
    char dir[64];
    struct test_book t;
    struct gate_log *l;
    struct fold *f = calloc(1, sizeof *f);
    assert_int_equal(ledger_hash_init(&f->hash), ERR_OK);
    test_dir(dir);
    for (uint64_t start = 0; start < 3; start++) {
        assert_int_equal(test_open_big(&t, dir), ERR_OK);
        for (uint32_t i = 2; i < 2501; i++) {
            struct log_params p = test_params(LOG_A, LOG_KIND_ACCESS, i);
            put_be32(p.id, i);
            assert_int_equal(logbook_add(t.lb, &p, &l), ERR_OK);
            if (i % 100 == start) test_put(&t, l);
        }
        test_published(&t, l);
        struct gate_log *heads = heads_add(&t);
        wait_leaves(&t, heads, 3 * start + 3);
        for (unsigned i = 0; i < 20; i++) loop_turn(t.loop, 5);
        assert_int_equal(log_durable(heads), 3 * start + 3);
        fold_check(f, heads);
        assert_int_equal(f->slots, 2501);
        slot_check(f, t.a);
        slot_check(f, l);
        test_close(&t);
    }
    ledger_hash_done(&f->hash);
    free(f);
    test_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs_fold_and_go_on_over_a_start),
        cmocka_unit_test(more_slots_than_fit_go_into_further_epochs_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
