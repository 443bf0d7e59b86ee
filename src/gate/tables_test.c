/* SPDX-License-Identifier: Apache-2.0
 * Tests of the gate's tables: holds, recent writes, repeats, keyring, nonces.
 * Role: tests of hold.c, recent.c, repeat.c, keyring.c, nonces.c. Trusts: nothing. Law: 6. Spec: docs/spec/order.md, docs/spec/keys.md
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/hold.h"
#include "gate/keyring.h"
#include "gate/nonces.h"
#include "gate/recent.h"
#include "gate/repeat.h"
#include "keys/keys.h"

/* holds ------------------------------------------------------------------------------------------------------------------ */

static unsigned got_yes, got_no;
static void got(struct hold_wait *w, bool yes)
{
    (void)w;
    *(yes ? &got_yes : &got_no) += 1;
}

static const uint8_t scope[ID_BYTES] = {1}, other[ID_BYTES] = {2};

static void a_hold_goes_to_the_next_in_line(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct holds *t = holds_new(l);
    struct hold_wait a = {.got = got}, b = {.got = got}, c = {.got = got}, d = {.got = got};
    got_yes = got_no = 0;
    assert_int_equal(hold_take(t, scope, SLICE_LIT("k"), &a), HOLD_TAKEN);
    assert_int_equal(hold_take(t, scope, SLICE_LIT("k"), &b), HOLD_WAITING);
    assert_int_equal(hold_take(t, scope, SLICE_LIT("k"), &c), HOLD_WAITING);
    assert_int_equal(hold_take(t, other, SLICE_LIT("k"), &d), HOLD_TAKEN);
    assert_int_equal(holds_count(t), 2);
    hold_release(&a);
    assert_true(hold_is_held(&b) && !hold_is_held(&c) && got_yes == 1);
    hold_release(&c);                              /* gives up waiting */
    hold_release(&b);
    hold_release(&d);
    assert_int_equal(holds_count(t), 0);
    assert_int_equal(got_yes, 1);
    hold_release(&a);                              /* idle: nothing happens */
    holds_free(t);
    loop_free(l);
}

static void waiting_ends_after_its_time(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct holds *t = holds_new(l);
    struct hold_wait a = {.got = got}, b = {.got = got};
    got_yes = got_no = 0;
    assert_int_equal(hold_take(t, scope, SLICE_LIT("k"), &a), HOLD_TAKEN);
    assert_int_equal(hold_take(t, scope, SLICE_LIT("k"), &b), HOLD_WAITING);
    uint64_t from = clock_mono_ms();
    while (got_no == 0 && clock_mono_ms() - from < HOLD_WAIT_MS + 1000) loop_turn(l, 50);
    assert_int_equal(got_no, 1);
    assert_true(clock_mono_ms() - from >= HOLD_WAIT_MS - 50);
    hold_release(&a);
    assert_int_equal(got_yes, 0);
    holds_free(t);
    loop_free(l);
}

static void so_many_holds_and_not_one_more(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct holds *t = holds_new(l);
    struct hold_wait *w = calloc(HOLDS_MAX + 1, sizeof *w);
    uint8_t key[4];
    for (uint32_t i = 0; i < HOLDS_MAX; i++) {
        put_be32(key, i);
        w[i].got = got;
        assert_int_equal(hold_take(t, scope, slice_of(key, 4), &w[i]), HOLD_TAKEN);
    }
    put_be32(key, HOLDS_MAX);
    assert_int_equal(hold_take(t, scope, slice_of(key, 4), &w[HOLDS_MAX]), HOLD_FULL);
    hold_release(&w[7]);
    assert_int_equal(hold_take(t, scope, slice_of(key, 4), &w[HOLDS_MAX]), HOLD_TAKEN);
    for (uint32_t i = 0; i <= HOLDS_MAX; i++) hold_release(&w[i]);
    assert_int_equal(holds_count(t), 0);
    free(w);
    holds_free(t);
    loop_free(l);
}

/* recent writes, repeats ---------------------------------------------------------------------------------------------------- */

static void a_read_passes_only_when_nothing_was_written_since(void **state)
{
    (void)state;
    struct recent *r = recent_new(keys_rng());
    uint32_t a = recent_slot(r, scope, SLICE_LIT("a")), b = recent_slot(r, scope, SLICE_LIT("b"));
    assert_int_equal(a, recent_slot(r, scope, SLICE_LIT("a")));
    uint64_t sent = recent_now(r);
    assert_int_equal(recent_ask(r, a, sent), RECENT_CLEAR);
    recent_appended(r, a);
    assert_int_equal(recent_ask(r, a, sent), RECENT_UNSETTLED);
    assert_int_equal(recent_ask(r, a, recent_now(r)), RECENT_UNSETTLED);
    recent_settled(r, a);
    assert_int_equal(recent_ask(r, a, sent), RECENT_SINCE);
    assert_int_equal(recent_ask(r, a, recent_now(r)), RECENT_CLEAR);
    if (a != b) assert_int_equal(recent_ask(r, b, sent), RECENT_CLEAR);
    recent_free(r);
}

static void repeats_of_writes_are_counted_exactly(void **state)
{
    (void)state;
    struct repeats *r = repeats_new(keys_rng());
    uint8_t (*sig)[HASH_BYTES] = calloc(5000, HASH_BYTES);
    for (unsigned i = 0; i < 5000; i++) rng_fill(keys_rng(), sig[i], HASH_BYTES);
    for (unsigned round = 1; round <= 3; round++)
        for (unsigned i = 0; i < 5000; i++) assert_int_equal(repeat_count(r, sig[i], true, 1000000 + round), round);
    assert_int_equal(repeat_count(r, sig[0], true, 1000000 + 2 * GATE_REPEAT_MS + 10), 1);   /* let go after its time */
    assert_int_equal(repeat_count(r, sig[1], false, 1000000), 1);
    assert_int_equal(repeat_count(r, sig[1], false, 1000000), 2);
    free(sig);
    repeats_free(r);
}

/* A signature is as good as random. */
static void some_signature(uint64_t i, uint8_t sig[HASH_BYTES])
{
    uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    put_be64(sig, x ^ x >> 31);
    put_be64(sig + 8, x * 0x9e3779b97f4a7c15u);
}

/* At the bound the table once rebuilt itself for every further write: the gate stood still at 786 432 writes within 15 minutes. */
static void repeats_beyond_the_bound_cost_no_more_and_are_exact_for_the_newest(void **state)
{
    (void)state;
    struct repeats *r = repeats_new(keys_rng());
    uint8_t sig[HASH_BYTES] = {0};
    uint64_t begin = clock_mono_ms(), half = 0;
    for (uint64_t i = 0; i < 2 * GATE_REPEATS_MAX; i++) {
        some_signature(i, sig);
        assert_int_equal(repeat_count(r, sig, true, 1000000 + i / 1000), 1);
        if (i < GATE_REPEATS_MAX / 2) assert_int_equal(repeats_forgot_ms(r), 0);
        if (i == GATE_REPEATS_MAX / 2) half = clock_mono_ms() - begin;
    }
    assert_in_range(clock_mono_ms() - begin, 0, 40 * half + 2000);
    /* It says up to when it has forgotten: all that is newer is known. */
    uint64_t forgot = repeats_forgot_ms(r);
    assert_in_range(forgot, 1000000, 1000000 + 2 * GATE_REPEATS_MAX / 1000 - 2);
    for (uint64_t i = (forgot + 1 - 1000000) * 1000; i < 2 * GATE_REPEATS_MAX - 1000; i += 997) {
        some_signature(i, sig);
        assert_int_equal(repeat_count(r, sig, true, 1000000 + 2 * GATE_REPEATS_MAX / 1000), 2);
    }
    for (uint64_t i = 2 * GATE_REPEATS_MAX - 1000; i < 2 * GATE_REPEATS_MAX; i++) {
        some_signature(i, sig);
        assert_int_equal(repeat_count(r, sig, true, 1000000 + i / 1000), 2);
    }
    /* all within one millisecond: nothing is older than anything, and it goes on all the same */
    for (uint64_t i = 0; i < 2 * GATE_REPEATS_MAX; i++) {
        some_signature(~i, sig);
        (void)repeat_count(r, sig, true, 5000000);
    }
    assert_int_equal(repeat_count(r, sig, true, 5000000), 2);
    repeats_free(r);
}

/* keyring ----------------------------------------------------------------------------------------------------------------- */

static enum err count_records(void *ctx, enum keyring_type type, struct slice payload)
{
    (void)payload;
    assert_int_equal(type, KEYRING_BUCKET);
    (*(unsigned *)ctx)++;
    return ERR_OK;
}

static void keyring_write(const char *path, const uint8_t *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    close(fd);
}

/* A byte changed anywhere is named; only a file that ends within its last record is a torn append, and cut there. */
static void a_damaged_keyring_is_refused_and_not_cut(void **state)
{
    (void)state;
    char path[64];
    struct keyring k;
    uint8_t bytes[1024];
    snprintf(path, sizeof path, "/tmp/gate-keyring-%d", (int)getpid());
    (void)unlink(path);
    assert_int_equal(keyring_create(&k, path), ERR_OK);
    for (unsigned i = 0; i < 3; i++) assert_int_equal(keyring_append(&k, KEYRING_BUCKET, SLICE_LIT("sixteen bytes ..")), ERR_OK);
    keyring_close(&k);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    const size_t record = (size_t)n / 3;
    assert_true(n > 0 && record * 3 == (size_t)n);
    for (size_t i = 0; i < 2 * record; i++) {
        unsigned count = 0;
        bytes[i] ^= 0x40;
        keyring_write(path, bytes, (size_t)n);
        assert_int_equal(keyring_open(&k, path, count_records, &count), ERR_CORRUPT);
        struct stat st;
        assert_true(stat(path, &st) == 0 && st.st_size == n);
        bytes[i] ^= 0x40;
    }
    for (size_t cut = 2 * record; cut < (size_t)n; cut++) {
        unsigned count = 0;
        keyring_write(path, bytes, cut);
        assert_int_equal(keyring_open(&k, path, count_records, &count), ERR_OK);
        assert_int_equal(count, 2);
        keyring_close(&k);
    }
    (void)unlink(path);
}

/* nonces ------------------------------------------------------------------------------------------------------------------ */

static enum err note(struct nonces *n, uint32_t number, uint64_t now)
{
    uint8_t nonce[NONCE_BYTES] = {0};
    put_be32(nonce, number);
    return nonces_note(n, (struct nonces_by){0}, slice_of(nonce, sizeof nonce), now);
}

/* LAW-6: a flood must not make room for a statement that was taken before. */
static void a_full_table_of_nonces_refuses_and_forgets_nothing(void **state)
{
    (void)state;
    struct nonces *n = nonces_new((struct nonces_bounds){4, 4, 4}, 1000);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(note(n, i, 5000), ERR_OK);
    for (uint32_t i = 4; i < 20; i++) assert_int_equal(note(n, i, 5001), ERR_FULL);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(note(n, i, 5999), ERR_EXISTS);
    assert_int_equal(note(n, 20, 6001), ERR_OK);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(note(n, i, 6999), ERR_EXISTS);
    nonces_free(n);
}

static void nonces_are_kept_for_their_time_also_when_the_clock_goes_back(void **state)
{
    (void)state;
    struct nonces *n = nonces_new((struct nonces_bounds){16, 16, 16}, 1000);
    assert_int_equal(note(n, 1, 5000), ERR_OK);
    assert_int_equal(note(n, 1, 6000), ERR_EXISTS);
    assert_int_equal(note(n, 1, 5600), ERR_EXISTS);
    assert_int_equal(note(n, 2, 7500), ERR_OK);    /* two generations on: 1 is forgotten, and its statement is too old to be taken */
    assert_int_equal(note(n, 3, 9000), ERR_OK);
    assert_int_equal(note(n, 1, 5100), ERR_STALE); /* ... unless somebody sets the clock back */
    assert_int_equal(note(n, 1, 8499), ERR_STALE);
    nonces_free(n);
}

static enum err note_by(struct nonces *n, const char *side, const char *key, uint32_t number, uint64_t now)
{
    uint8_t nonce[NONCE_BYTES] = {0};
    put_be32(nonce, number);
    return nonces_note(n, (struct nonces_by){slice_str(side), slice_str(key)}, slice_of(nonce, sizeof nonce), now);
}

/* Who would hold a revocation off floods: with his own key, with all keys of his side. */
static void who_floods_keeps_nobody_else_from_speaking(void **state)
{
    (void)state;
    struct nonces *n = nonces_new((struct nonces_bounds){100, 6, 4}, 1000);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(note_by(n, "staff", "ines", i, 5000), ERR_OK);
    assert_int_equal(note_by(n, "staff", "ines", 4, 5000), ERR_FULL);
    assert_int_equal(note_by(n, "staff", "mats", 0, 5000), ERR_EXISTS);        /* a nonce is everybody's */
    assert_int_equal(note_by(n, "staff", "mats", 4, 5000), ERR_OK);
    assert_int_equal(note_by(n, "staff", "mats", 5, 5000), ERR_OK);
    assert_int_equal(note_by(n, "staff", "mats", 6, 5000), ERR_FULL);          /* the side's bound */
    assert_int_equal(note_by(n, "tenant", "anna", 6, 5000), ERR_OK);
    assert_int_equal(note_by(n, "staff", "ines", 7, 6001), ERR_OK);            /* the next generation has its own */
    nonces_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hold_goes_to_the_next_in_line),
        cmocka_unit_test(waiting_ends_after_its_time),
        cmocka_unit_test(so_many_holds_and_not_one_more),
        cmocka_unit_test(a_read_passes_only_when_nothing_was_written_since),
        cmocka_unit_test(repeats_of_writes_are_counted_exactly),
        cmocka_unit_test(repeats_beyond_the_bound_cost_no_more_and_are_exact_for_the_newest),
        cmocka_unit_test(a_damaged_keyring_is_refused_and_not_cut),
        cmocka_unit_test(a_full_table_of_nonces_refuses_and_forgets_nothing),
        cmocka_unit_test(who_floods_keeps_nobody_else_from_speaking),
        cmocka_unit_test(nonces_are_kept_for_their_time_also_when_the_clock_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
