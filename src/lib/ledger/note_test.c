/* SPDX-License-Identifier: Apache-2.0
 * Notes, keys, checkpoints, tlog-proofs against the golden log; Ed25519 against wycheproof.
 * Role: unit test. Spec: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof; tests/vectors/{tlog,ed25519}.
 */
#include "ledger/ledger_test.h"

#define LOG_VKEY "log.example/tenant-1+f472fbc0+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
#define WITNESS_VKEY "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"
#define WITNESS_TIME 1700000000u

struct fixture {
    struct test_log log;
    struct ledger_signer signer, witness;
    struct ledger_vkey log_key, witness_key;
    struct buf checkpoint;                            /* golden, signed and cosigned */
    uint8_t root[HASH_BYTES];
};

static int setup(void **state)
{
    struct fixture *f = (struct fixture *)calloc(1, sizeof *f);
    test_log_golden(&f->log, 300);
    struct ledger_hash *h = &f->log.hash;
    uint8_t seed[ED25519_SEED_BYTES];
    memset(seed, 1, sizeof seed);
    assert_int_equal(ledger_signer_init(&f->signer, h, SLICE_LIT("log.example/tenant-1"), LEDGER_ALG_ED25519, seed), ERR_OK);
    memset(seed, 2, sizeof seed);
    assert_int_equal(ledger_signer_init(&f->witness, h, SLICE_LIT("witness.example/w1"), LEDGER_ALG_COSIGNATURE, seed), ERR_OK);
    assert_int_equal(ledger_vkey_parse(h, SLICE_LIT(LOG_VKEY), &f->log_key), ERR_OK);
    assert_int_equal(ledger_vkey_parse(h, SLICE_LIT(WITNESS_VKEY), &f->witness_key), ERR_OK);
    test_read_file("tlog/checkpoint.txt", &f->checkpoint);
    ledger_frontier_root(h, &f->log.frontier, f->root);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = (struct fixture *)*state;
    ledger_signer_done(&f->signer);
    ledger_signer_done(&f->witness);
    buf_done(&f->checkpoint);
    test_log_done(&f->log);
    free(f);
    return 0;
}

static void assert_text(const struct buf *b, const char *want)
{
    if (!slice_is(buf_slice(b), want)) fail_msg("got %.*s, expected %s", (int)b->n, (const char *)b->p, want);
}

static void vkeys_of_the_seeds_are_the_golden_ones(void **state)
{
    struct fixture *f = (struct fixture *)*state;
    struct buf b = BUF_INIT(512);
    ledger_vkey_format(&f->signer.vkey, &b);
    assert_text(&b, LOG_VKEY);
    buf_reset(&b);
    ledger_vkey_format(&f->witness_key, &b);
    assert_text(&b, WITNESS_VKEY);
    buf_done(&b);
}

static void signed_and_cosigned_checkpoint_is_byte_for_byte(void **state)
{
    struct fixture *f = (struct fixture *)*state;
    struct buf b = BUF_INIT(4096);
    assert_int_equal(ledger_checkpoint_sign(&f->signer, 300, f->root, &b), ERR_OK);
    struct ledger_note n;
    struct buf copy = BUF_INIT(4096);
    buf_put_slice(&copy, buf_slice(&b));              /* b moves when it grows; the note's loans must not */
    assert_int_equal(ledger_note_parse(buf_slice(&copy), &n), ERR_OK);
    assert_int_equal(ledger_note_sign(&f->witness, n.text, WITNESS_TIME, &b), ERR_OK);
    assert_int_equal(b.n, f->checkpoint.n);
    assert_memory_equal(b.p, f->checkpoint.p, b.n);
    buf_done(&copy);
    buf_done(&b);
}

static void golden_checkpoint_opens_and_its_cosignature_tells_its_time(void **state)
{
    struct fixture *f = (struct fixture *)*state;
    struct ledger_checkpoint c;
    struct ledger_note n;
    uint64_t t = 0;
    assert_int_equal(ledger_checkpoint_open(buf_slice(&f->checkpoint), &f->log_key, &c, &n), ERR_OK);
    assert_int_equal(c.size, 300);
    assert_memory_equal(c.root, f->root, HASH_BYTES);
    assert_true(slice_is(c.origin, "log.example/tenant-1"));
    assert_int_equal(n.sig_count, 2);
    assert_int_equal(ledger_note_verify(&n, &f->witness_key, &t), ERR_OK);
    assert_int_equal(t, WITNESS_TIME);
}

static void every_flipped_byte_of_a_checkpoint_is_noticed(void **state)
{
    struct fixture *f = (struct fixture *)*state;
    struct buf b = BUF_INIT(4096);
    for (size_t i = 0; i < f->checkpoint.n; i++) {
        struct ledger_checkpoint c;
        struct ledger_note n;
        buf_reset(&b);
        buf_put_slice(&b, buf_slice(&f->checkpoint));
        b.p[i] ^= 1;
        bool both = ledger_checkpoint_open(buf_slice(&b), &f->log_key, &c, &n) == ERR_OK &&
                    ledger_note_verify(&n, &f->witness_key, NULL) == ERR_OK;
        if (both) fail_msg("byte %zu flipped and both signatures stand", i);
    }
    buf_done(&b);
}

static void every_truncation_of_a_checkpoint_is_refused_or_lacks_the_cosignature(void **state)
{
    struct fixture *f = (struct fixture *)*state;
    for (size_t n = 0; n < f->checkpoint.n; n++) {
        uint8_t *exact = (uint8_t *)malloc(n + 1);    /* of its own, so that a sanitizer sees a read past the end */
        struct ledger_note note;
        memcpy(exact, f->checkpoint.p, n);
        if (ledger_note_parse(slice_of(exact, n), &note) == ERR_OK)
            assert_int_equal(ledger_note_verify(&note, &f->witness_key, NULL), ERR_MISSING);
        free(exact);
    }
}

static enum err parse_note(const char *text)
{
    struct ledger_note n;
    return ledger_note_parse(slice_str(text), &n);
}

#define SIG "\xe2\x80\x94 a.example AAAAAAE=\n"
static void malformed_notes_are_refused_and_odd_ones_are_read(void **state)
{
    (void)state;
    assert_int_equal(parse_note("text\n\n" SIG), ERR_OK);
    assert_int_equal(parse_note("two\n\nparagraphs\n\n" SIG), ERR_OK);
    assert_int_equal(parse_note("sm\xc3\xb6rg\n\n\xe2\x80\x94 \xc3\xa5.example AAAAAAE=\n"), ERR_OK);
    static const char *const bad[] = {
        "", "\n", "\n\n", "text", "text\n", "text\n\n", "text\n" SIG, "text\n\n- a.example AAAAAAE=\n",
        "text\n\n\xe2\x80\x94 a.example AAAAAAE=", "text\n\n\xe2\x80\x94 a.example AAAAAA==\n", "text\n\n\xe2\x80\x94 a.example \n",
        "text\n\n\xe2\x80\x94  AAAAAAE=\n", "text\n\n\xe2\x80\x94 a+b AAAAAAE=\n", "text\n\n\xe2\x80\x94 a.example AAAAAAE= \n",
        "text\n\n\xe2\x80\x94 a.example AAAAAAF=\n", "text\n\n\xe2\x80\x94 a\xc2\xa0" "b AAAAAAE=\n", "text\r\n\n" SIG, "te\txt\n\n" SIG,
        "t\xff\n\n" SIG, "text\n\n" SIG "rest\n", "text\n\n\xe2\x80\x94 a\xe3\x80\x80 AAAAAAE=\n",
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        enum err e = parse_note(bad[i]);
        if (e != ERR_INPUT) fail_msg("note %u: %s", i, err_name(e));
    }
}

static void note_bounds_hold_at_the_bound_and_one_past_it(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(2 * LEDGER_NOTE_BYTES_MAX);
    struct ledger_note n;
    buf_put_str(&b, "text\n\n");
    for (unsigned i = 0; i < LEDGER_NOTE_SIGS_MAX; i++) buf_put_str(&b, SIG);
    assert_int_equal(ledger_note_parse(buf_slice(&b), &n), ERR_OK);
    assert_int_equal(n.sig_count, LEDGER_NOTE_SIGS_MAX);
    buf_put_str(&b, SIG);
    assert_int_equal(ledger_note_parse(buf_slice(&b), &n), ERR_LIMIT);
    for (size_t past = 0; past <= 1; past++) {
        buf_reset(&b);
        while (b.n < LEDGER_NOTE_BYTES_MAX - strlen("\n\n" SIG) + past) buf_put_u8(&b, 'a');
        buf_put_str(&b, "\n\n" SIG);
        assert_int_equal(b.n, LEDGER_NOTE_BYTES_MAX + past);
        assert_int_equal(ledger_note_parse(buf_slice(&b), &n), past ? ERR_LIMIT : ERR_OK);
    }
    static char name[LEDGER_NAME_BYTES_MAX + 2];
    memset(name, 'a', sizeof name);
    assert_true(ledger_name_ok(slice_of(name, LEDGER_NAME_BYTES_MAX)));
    assert_false(ledger_name_ok(slice_of(name, LEDGER_NAME_BYTES_MAX + 1)));
    /* signature blobs: 4096 bytes pass, 4098 do not */
    for (size_t past = 0; past <= 1; past++) {
        static uint8_t sig[LEDGER_SIG_BYTES_MAX + 1];
        memset(sig, 7, sizeof sig);
        buf_reset(&b);
        buf_put_str(&b, "text\n\n\xe2\x80\x94 a ");
        buf_put_base64(&b, slice_of(sig, LEDGER_SIG_BYTES_MAX + past));
        buf_put_u8(&b, '\n');
        assert_int_equal(ledger_note_parse(buf_slice(&b), &n), past ? ERR_LIMIT : ERR_OK);
    }
    buf_done(&b);
}

static void a_wrong_signature_by_a_known_key_refuses_and_unknown_keys_are_ignored(void **state)
{
    struct fixture *f = (struct fixture *)*state;
    struct buf b = BUF_INIT(4096);
    struct ledger_checkpoint c;
    struct ledger_note n;
    struct slice golden = buf_slice(&f->checkpoint);
    buf_put_slice(&b, golden);
    buf_put_str(&b, SIG);
    assert_int_equal(ledger_checkpoint_open(buf_slice(&b), &f->log_key, &c, &n), ERR_OK);
    struct ledger_vkey other;
    uint8_t key[ED25519_KEY_BYTES] = {9};
    assert_int_equal(ledger_vkey_make(&f->log.hash, SLICE_LIT("log.example/tenant-1"), LEDGER_ALG_ED25519, key, &other), ERR_OK);
    assert_int_equal(ledger_checkpoint_open(golden, &other, &c, &n), ERR_MISSING);
    other.key_id = f->log_key.key_id;                 /* same name and id, other key */
    assert_int_equal(ledger_checkpoint_open(golden, &other, &c, &n), ERR_VERIFY);
    /* a log's key signed another log's head */
    buf_reset(&b);
    assert_int_equal(ledger_note_sign(&f->signer, SLICE_LIT("other\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), 0, &b), ERR_OK);
    struct buf note = BUF_INIT(4096);
    buf_put_str(&note, "other\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n");
    buf_put_slice(&note, buf_slice(&b));
    assert_int_equal(ledger_checkpoint_open(buf_slice(&note), &f->log_key, &c, &n), ERR_VERIFY);
    buf_done(&note);
    buf_done(&b);
}

static void vkeys_have_one_spelling(void **state)
{
    struct fixture *f = (struct fixture *)*state;
    struct ledger_hash *h = &f->log.hash;
    struct ledger_vkey k;
    for (size_t n = 0; n < strlen(LOG_VKEY); n++)
        assert_int_not_equal(ledger_vkey_parse(h, slice_of(LOG_VKEY, n), &k), ERR_OK);
    assert_int_equal(ledger_vkey_parse(h, SLICE_LIT("log.example/tenant-1+F472FBC0+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"), &k), ERR_INPUT);
    assert_int_equal(ledger_vkey_parse(h, SLICE_LIT("log.example/tenant-1+f472fbc1+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"), &k), ERR_VERIFY);
    assert_int_equal(ledger_vkey_parse(h, SLICE_LIT("log.example/tenant-2+f472fbc0+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"), &k), ERR_VERIFY);
    assert_int_equal(ledger_vkey_parse(h, SLICE_LIT("log.example/tenant-1+f472fbc0+AoqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"), &k), ERR_VERSION);
    assert_int_equal(ledger_vkey_parse(h, SLICE_LIT("log example+f472fbc0+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"), &k), ERR_INPUT);
}

static enum err parse_checkpoint(const char *text)
{
    struct ledger_checkpoint c;
    return ledger_checkpoint_parse(slice_str(text), &c);
}

#define ROOT "6h6Tv1rREuXiImxSG8F2BWpEVHKCztefqS9sRweEgaU=\n"
static void checkpoint_lines_are_strict_and_extensions_are_read(void **state)
{
    (void)state;
    assert_int_equal(parse_checkpoint("o\n0\n" ROOT), ERR_OK);
    assert_int_equal(parse_checkpoint("o\n9223372036854775807\n" ROOT), ERR_OK);
    assert_int_equal(parse_checkpoint("o\n300\n" ROOT "one\ntwo\n"), ERR_OK);
    assert_int_equal(parse_checkpoint("o\n9223372036854775808\n" ROOT), ERR_INPUT);
    assert_int_equal(parse_checkpoint("o\n300\n" ROOT "one"), ERR_TRUNCATED);
    static const char *const bad[] = {"\n300\n" ROOT, "o\n\n" ROOT, "o\n0300\n" ROOT, "o\n+3\n" ROOT, "o\n3 \n" ROOT, "o\n300\n\n",
                                      "o\n300\n" ROOT "\n", "o\n300\n" ROOT "one\n\ntwo\n", "o\n300\nAAAA\n"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        if (parse_checkpoint(bad[i]) == ERR_OK) fail_msg("checkpoint %u was taken", i);
    const char *whole = "o\n300\n" ROOT;
    struct ledger_checkpoint c;
    for (size_t n = 0; n < strlen(whole); n++) assert_int_not_equal(ledger_checkpoint_parse(slice_of(whole, n), &c), ERR_OK);
}

static void make_proof(struct fixture *f, struct ledger_tlog_proof *p)
{
    struct ledger_reader r = test_log_reader(&f->log);
    *p = (struct ledger_tlog_proof){.index = 5, .checkpoint = buf_slice(&f->checkpoint)};
    assert_int_equal(ledger_inclusion_make(&f->log.hash, &r, 5, 300, &p->proof), ERR_OK);
}

static void tlog_proof_of_leaf_5_is_the_golden_one_and_verifies(void **state)
{
    struct fixture *f = (struct fixture *)*state;
    struct buf want, got = BUF_INIT(8192);
    struct ledger_tlog_proof p, q;
    make_proof(f, &p);
    ledger_tlog_proof_format(&p, &got);
    test_read_file("tlog/proof-5.txt", &want);
    buf_put_u8(&want, '\n');
    buf_put_slice(&want, buf_slice(&f->checkpoint));
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    assert_int_equal(ledger_tlog_proof_parse(buf_slice(&got), &q), ERR_OK);
    uint64_t size = 0;
    const uint8_t *leaf = f->log.level[0].p + 5 * HASH_BYTES;
    assert_int_equal(ledger_tlog_proof_verify(&f->log.hash, &q, &f->log_key, leaf, &size), ERR_OK);
    assert_int_equal(size, 300);
    assert_int_equal(ledger_tlog_proof_verify(&f->log.hash, &q, &f->log_key, leaf + HASH_BYTES, NULL), ERR_VERIFY);
    for (size_t n = 0; n < want.n; n++) {
        bool ok = ledger_tlog_proof_parse(slice_of(want.p, n), &q) == ERR_OK &&
                  ledger_tlog_proof_verify(&f->log.hash, &q, &f->log_key, leaf, NULL) == ERR_OK;
        struct ledger_note note;
        /* cut inside the cosignature, which this key does not need, the note is malformed; cut at its line it stands */
        if (ok && (ledger_note_parse(q.checkpoint, &note) != ERR_OK || note.sig_count != 1)) fail_msg("cut at %zu verifies", n);
    }
    buf_done(&want);
    buf_done(&got);
}

static void tlog_proof_lines_are_strict(void **state)
{
    (void)state;
    struct ledger_tlog_proof p;
    struct buf b = BUF_INIT(2 * LEDGER_TLOG_PROOF_BYTES_MAX);
    assert_int_equal(ledger_tlog_proof_parse(SLICE_LIT("c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n\nx"), &p), ERR_OK);
    assert_true(p.has_extra && slice_is(p.extra_base64, "AAAA"));
    assert_int_equal(ledger_tlog_proof_parse(SLICE_LIT("c2sp.org/tlog-proof@v2\nindex 0\n\nx"), &p), ERR_VERSION);
    static const char *const bad[] = {"index 0\n\nx", "c2sp.org/tlog-proof@v1\nextra \nindex 0\n\nx", "c2sp.org/tlog-proof@v1\nextra A\nindex 0\n\nx",
                                      "c2sp.org/tlog-proof@v1\nindex 00\n\nx", "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx",
                                      "c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA\n\nx", "c2sp.org/tlog-proof@v1\n\nindex 0\n\nx",
                                      "c2sp.org/tlog-proof@v1\nindex 0\n\n", "c2sp.org/tlog-proof@v1\nindex 0\n", "c2sp.org/tlog-proof@v1\nindex\n\nx"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        if (ledger_tlog_proof_parse(slice_str(bad[i]), &p) == ERR_OK) fail_msg("proof %u was taken", i);
    for (unsigned past = 0; past <= 1; past++) {
        buf_reset(&b);
        buf_put_str(&b, "c2sp.org/tlog-proof@v1\nindex 0\n");
        for (unsigned i = 0; i < TREE_LEVELS_MAX + past; i++) buf_put_str(&b, ROOT);
        buf_put_str(&b, "\nx");
        assert_int_equal(ledger_tlog_proof_parse(buf_slice(&b), &p), past ? ERR_LIMIT : ERR_OK);
        buf_reset(&b);
        buf_put_str(&b, "c2sp.org/tlog-proof@v1\nextra ");
        for (unsigned i = 0; i < LEDGER_EXTRA_CHARS_MAX + 4 * past; i++) buf_put_u8(&b, 'A');
        buf_put_str(&b, "\nindex 0\n\nx");
        assert_int_equal(ledger_tlog_proof_parse(buf_slice(&b), &p), past ? ERR_LIMIT : ERR_OK);
        buf_reset(&b);
        buf_put_str(&b, "c2sp.org/tlog-proof@v1\nindex 0\n\n");
        while (b.n < LEDGER_TLOG_PROOF_BYTES_MAX + past) buf_put_u8(&b, 'x');
        assert_int_equal(ledger_tlog_proof_parse(buf_slice(&b), &p), past ? ERR_LIMIT : ERR_OK);
    }
    buf_done(&b);
}

static void all_151_wycheproof_cases_agree(void **state)
{
    (void)state;
    struct buf file, msg = BUF_INIT(65536), sig = BUF_INIT(1024);
    unsigned valid = 0, invalid = 0;
    test_read_file("ed25519/wycheproof.txt", &file);
    struct slice rest = buf_slice(&file), f[5];
    while (rest.n > 0) {
        struct slice line;
        rest = slice_cut(rest, '\n', &line);
        for (unsigned i = 0; i < ARRAY_LEN(f); i++) line = slice_cut(line, ' ', &f[i]);
        uint8_t key[ED25519_KEY_BYTES];
        assert_int_equal(hex_fixed(f[1], key, sizeof key), ERR_OK);
        buf_reset(&msg);
        buf_reset(&sig);
        if (!slice_is(f[2], "-")) assert_int_equal(hex_decode(f[2], &msg), ERR_OK);
        if (!slice_is(f[3], "-")) assert_int_equal(hex_decode(f[3], &sig), ERR_OK);
        bool want = slice_is(f[4], "valid"), got = ledger_ed25519_verify(key, buf_slice(&msg), buf_slice(&sig)) == ERR_OK;
        if (want != got) fail_msg("case %.*s: %d, expected %d", (int)f[0].n, (const char *)f[0].p, got, want);
        valid += want;
        invalid += !want;
    }
    assert_int_equal(valid, 88);
    assert_int_equal(invalid, 63);
    buf_done(&file);
    buf_done(&msg);
    buf_done(&sig);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(vkeys_of_the_seeds_are_the_golden_ones),
        T(signed_and_cosigned_checkpoint_is_byte_for_byte),
        T(golden_checkpoint_opens_and_its_cosignature_tells_its_time),
        T(every_flipped_byte_of_a_checkpoint_is_noticed),
        T(every_truncation_of_a_checkpoint_is_refused_or_lacks_the_cosignature),
        T(malformed_notes_are_refused_and_odd_ones_are_read),
        T(note_bounds_hold_at_the_bound_and_one_past_it),
        T(a_wrong_signature_by_a_known_key_refuses_and_unknown_keys_are_ignored),
        T(vkeys_have_one_spelling),
        T(checkpoint_lines_are_strict_and_extensions_are_read),
        T(tlog_proof_of_leaf_5_is_the_golden_one_and_verifies),
        T(tlog_proof_lines_are_strict),
        T(all_151_wycheproof_cases_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
