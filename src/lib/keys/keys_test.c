/* SPDX-License-Identifier: Apache-2.0
 * Facts about sealing, deriving and wrapping: vectors of others (tests/vectors/xaes, tests/vectors/wycheproof), moved, cut and
 * flipped bytes. LAW-2.
 * Role: unit test. Spec: docs/spec/keys.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "keys/keys.h"

#define TEXT_MAX 8192

static struct keys_ctx *ctx;

static int set_up(void **state) {
    (void)state;
    ctx = keys_ctx_new();
    return ctx == NULL;
}

static int tear_down(void **state) {
    (void)state;
    keys_ctx_free(ctx);
    return 0;
}

static void from_hex(struct buf *b, const char *hex) {
    buf_reset(b);
    if (hex[0] == '-') return;
    assert_int_equal(hex_decode(slice_str(hex), b), ERR_OK);
}

/* vectors ------------------------------------------------------------------------------------------------------------ */

static void wycheproof_hmac_vectors_hold(void **state) {
    (void)state;
    static char id[16], result[16], key_hex[TEXT_MAX], msg_hex[TEXT_MAX], tag_hex[TEXT_MAX], line[4 * TEXT_MAX];
    struct buf key = BUF_INIT(TEXT_MAX), msg = BUF_INIT(TEXT_MAX), tag = BUF_INIT(TEXT_MAX);
    FILE *f = fopen(TEST_VECTORS "/wycheproof/hmac_sha256.txt", "r");
    assert_non_null(f);
    int count = 0, bits, matched = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        if (line[0] == '#') continue;
        assert_int_equal(sscanf(line, "%15s %15s %d %8191s %8191s %8191s", id, result, &bits, key_hex, msg_hex, tag_hex), 6);
        from_hex(&key, key_hex);
        from_hex(&msg, msg_hex);
        from_hex(&tag, tag_hex);
        uint8_t once[32], kept[32];
        struct keys_hmac h;
        struct slice parts[2] = {slice_of(msg.p, msg.n / 2), slice_of(msg.p + msg.n / 2, msg.n - msg.n / 2)};
        assert_int_equal(keys_hmac_once(ctx, buf_slice(&key), parts, 2, once), ERR_OK);
        assert_int_equal(keys_hmac_init(ctx, &h, buf_slice(&key)), ERR_OK);
        for (int again = 0; again < 2; again++) assert_int_equal(keys_hmac(ctx, &h, parts, 2, kept), ERR_OK);
        keys_hmac_done(&h);
        assert_memory_equal(once, kept, 32);
        assert_int_equal(tag.n, bits / 8);
        bool same = ct_equal(once, tag.p, tag.n);
        if (same != (strcmp(result, "valid") == 0)) fail_msg("case %s is %s", id, result);
        matched += same;
        count++;
    }
    fclose(f);
    assert_int_equal(count, 174);
    assert_int_equal(matched, 66);
    buf_done(&key);
    buf_done(&msg);
    buf_done(&tag);
}

/* keys_open_at puts boot | index together to any 12-byte nonce, so the vectors go through the public door. */
static void wycheproof_gcm_vectors_hold(void **state) {
    (void)state;
    static char id[16], result[16], hex[6][TEXT_MAX], line[8 * TEXT_MAX];
    struct buf v[6], sealed = BUF_INIT(TEXT_MAX), got = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < 6; i++) v[i] = BUF_INIT(TEXT_MAX);
    FILE *f = fopen(TEST_VECTORS "/wycheproof/aes_256_gcm.txt", "r");
    assert_non_null(f);
    int count = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        if (line[0] == '#') continue;
        assert_int_equal(sscanf(line, "%15s %15s %8191s %8191s %8191s %8191s %8191s %8191s", id, result, hex[0], hex[1],
                                hex[2], hex[3], hex[4], hex[5]), 8);
        for (size_t i = 0; i < 6; i++) from_hex(&v[i], hex[i]); /* key iv aad msg ct tag */
        bool valid = strcmp(result, "valid") == 0;
        struct secret key;
        assert_int_equal(secret_copy(&key, buf_slice(&v[0])), ERR_OK);
        uint32_t boot = get_be32(v[1].p);
        uint64_t index = get_be64(v[1].p + 4);
        buf_reset(&sealed);
        buf_reset(&got);
        buf_put_u32(&sealed, boot);
        buf_put_slice(&sealed, buf_slice(&v[4]));
        buf_put_slice(&sealed, buf_slice(&v[5]));
        enum err e = keys_open_at(ctx, &key, index, buf_slice(&v[2]), buf_slice(&sealed), &got);
        if ((e == ERR_OK) != valid) fail_msg("case %s is %s, got %s", id, result, err_name(e));
        if (!valid) assert_int_equal(e, ERR_CORRUPT);
        if (valid) {
            assert_true(slice_eq(buf_slice(&got), buf_slice(&v[3])));
            buf_reset(&got);
            assert_int_equal(keys_seal_at(ctx, &key, boot, index, buf_slice(&v[2]), buf_slice(&v[3]), &got), ERR_OK);
            assert_true(slice_eq(buf_slice(&got), buf_slice(&sealed)));
        }
        secret_done(&key);
        count++;
    }
    fclose(f);
    assert_int_equal(count, 66);
    for (size_t i = 0; i < 6; i++) buf_done(&v[i]);
    buf_done(&sealed);
    buf_done(&got);
}

/* Reads "Label: value" lines of the specification's vectors; quoted values are text, others hex. */
static void xaes_vectors_of_the_specification_hold(void **state) {
    (void)state;
    FILE *f = fopen(TEST_VECTORS "/xaes/vectors.txt", "r");
    assert_non_null(f);
    char line[512];
    struct secret key = SECRET_INIT;
    struct buf nonce = BUF_INIT(64), plain = BUF_INIT(64), aad = BUF_INIT(64), want = BUF_INIT(200), got = BUF_INIT(200);
    int count = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        struct slice label, value = slice_trim(slice_cut(slice_str(line), ':', &label));
        label = slice_trim(label);
        if (value.n > 0 && value.p[value.n - 1] == '\n') value.n--;
        struct buf *to = slice_is(label, "N") ? &nonce : slice_is(label, "Plaintext") ? &plain
                       : slice_is(label, "AAD") ? &aad : slice_is(label, "Ciphertext") ? &want : NULL;
        if (slice_is(label, "K")) {
            struct buf k = BUF_INIT(32);
            secret_done(&key);
            assert_int_equal(hex_decode(value, &k), ERR_OK);
            assert_int_equal(secret_copy(&key, buf_slice(&k)), ERR_OK);
            buf_done(&k);
        }
        if (to == NULL) continue;
        buf_reset(to);
        if (to == &want) {
            buf_put_slice(to, buf_slice(&nonce)); /* ours carries the nonce in front */
            assert_int_equal(hex_decode(value, to), ERR_OK);
        } else {
            buf_put(to, value.p + 1, value.n - 2);
            continue;
        }
        assert_int_equal(nonce.n, KEYS_NONCE_BYTES);
        buf_reset(&got);
        assert_int_equal(keys_seal_with(ctx, nonce.p, &key, buf_slice(&aad), buf_slice(&plain), &got), ERR_OK);
        assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
        count++;
    }
    fclose(f);
    secret_done(&key);
    assert_int_equal(count, 2);
    buf_done(&nonce);
    buf_done(&plain);
    buf_done(&aad);
    buf_done(&want);
    buf_done(&got);
}

/* Keys, nonces, texts and associated data squeezed from SHAKE128 of nothing; SHAKE128 over all ciphertexts. */
static void xaes_hash_over_ten_thousand_seals_holds(void **state) {
    (void)state;
    enum { ROUNDS = 10000, STREAM = ROUNDS * (32 + 24 + 2 + 255 + 255) };
    static const char want[] = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939";
    uint8_t *stream = malloc(STREAM), hash[32], expected[32];
    EVP_MD_CTX *s = EVP_MD_CTX_new(), *d = EVP_MD_CTX_new();
    assert_non_null(stream);
    assert_int_equal(EVP_DigestInit_ex(s, EVP_shake128(), NULL), 1);
    assert_int_equal(EVP_DigestFinalXOF(s, stream, STREAM), 1);
    assert_int_equal(EVP_DigestInit_ex(d, EVP_shake128(), NULL), 1);
    struct buf out = BUF_INIT(400), back = BUF_INIT(400);
    const uint8_t *p = stream;
    for (int i = 0; i < ROUNDS; i++) {
        struct secret key;
        assert_int_equal(secret_copy(&key, slice_of(p, 32)), ERR_OK);
        const uint8_t *nonce = p + 32;
        struct slice plain = slice_of(p + 57, p[56]);
        const uint8_t *q = plain.p + plain.n;
        struct slice aad = slice_of(q + 1, q[0]);
        p = aad.p + aad.n;
        buf_reset(&out);
        buf_reset(&back);
        assert_int_equal(keys_seal_with(ctx, nonce, &key, aad, plain, &out), ERR_OK);
        assert_int_equal(keys_open(ctx, &key, aad, buf_slice(&out), &back), ERR_OK);
        assert_true(slice_eq(buf_slice(&back), plain));
        assert_int_equal(EVP_DigestUpdate(d, out.p + KEYS_NONCE_BYTES, out.n - KEYS_NONCE_BYTES), 1);
        secret_done(&key);
    }
    assert_int_equal(EVP_DigestFinalXOF(d, hash, sizeof hash), 1);
    assert_int_equal(hex_fixed(slice_str(want), expected, 32), ERR_OK);
    assert_memory_equal(hash, expected, 32);
    EVP_MD_CTX_free(s);
    EVP_MD_CTX_free(d);
    buf_done(&out);
    buf_done(&back);
    free(stream);
}

/* sealing ------------------------------------------------------------------------------------------------------------- */

static void what_was_cut_flipped_or_moved_does_not_open(void **state) {
    (void)state;
    struct secret key, other, got_secret;
    struct buf out = BUF_INIT(1000), got = BUF_INIT(1000);
    assert_int_equal(keys_new(keys_rng(), &key), ERR_OK);
    assert_int_equal(keys_new(keys_rng(), &other), ERR_OK);
    struct slice aad = SLICE_LIT("here"), plain = SLICE_LIT("a keybox");
    assert_int_equal(keys_seal(ctx, keys_rng(), &key, aad, plain, &out), ERR_OK);
    assert_int_equal(out.n, plain.n + KEYS_SEAL_EXTRA_BYTES);
    for (size_t n = 0; n < out.n; n++) {
        assert_int_equal(keys_open(ctx, &key, aad, slice_of(out.p, n), &got), ERR_CORRUPT);
        assert_int_equal(keys_open_secret(ctx, &key, aad, slice_of(out.p, n), &got_secret), ERR_CORRUPT);
    }
    for (size_t bit = 0; bit < out.n * 8; bit++) {
        out.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(keys_open(ctx, &key, aad, buf_slice(&out), &got), ERR_CORRUPT);
        out.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(keys_open(ctx, &key, SLICE_LIT("there"), buf_slice(&out), &got), ERR_CORRUPT);
    assert_int_equal(keys_open(ctx, &other, aad, buf_slice(&out), &got), ERR_CORRUPT);
    assert_int_equal(got.n, 0);
    assert_int_equal(keys_open(ctx, &key, aad, buf_slice(&out), &got), ERR_OK);
    assert_true(slice_eq(buf_slice(&got), plain));
    assert_int_equal(keys_open_secret(ctx, &key, aad, buf_slice(&out), &got_secret), ERR_OK);
    assert_true(slice_eq(secret_slice(&got_secret), plain));
    secret_done(&got_secret);
    secret_done(&key);
    secret_done(&other);
    buf_done(&out);
    buf_done(&got);
}

static void two_seals_of_the_same_differ(void **state) {
    (void)state;
    struct secret key;
    struct buf a = BUF_INIT(100), b = BUF_INIT(100);
    assert_int_equal(keys_new(keys_rng(), &key), ERR_OK);
    assert_int_equal(keys_seal(ctx, keys_rng(), &key, SLICE_LIT(""), SLICE_LIT("x"), &a), ERR_OK);
    assert_int_equal(keys_seal(ctx, keys_rng(), &key, SLICE_LIT(""), SLICE_LIT("x"), &b), ERR_OK);
    assert_false(slice_eq(buf_slice(&a), buf_slice(&b)));
    assert_int_not_equal(memcmp(a.p + KEYS_NONCE_BYTES, b.p + KEYS_NONCE_BYTES, 17), 0);
    secret_done(&key);
    buf_done(&a);
    buf_done(&b);
}

static void sizes_past_the_limits_are_refused(void **state) {
    (void)state;
    struct secret key;
    struct buf big = BUF_INIT(KEYS_SEAL_BYTES_MAX + 100), out = BUF_INIT(KEYS_SEAL_BYTES_MAX + 100), small = BUF_INIT(40);
    assert_int_equal(keys_new(keys_rng(), &key), ERR_OK);
    uint8_t *p = buf_room(&big, KEYS_SEAL_BYTES_MAX + 1);
    memset(p, 7, KEYS_SEAL_BYTES_MAX + 1);
    struct slice none = SLICE_LIT(""), all = slice_of(p, KEYS_SEAL_BYTES_MAX + 1), fits = slice_of(p, KEYS_SEAL_BYTES_MAX);
    assert_int_equal(keys_seal(ctx, keys_rng(), &key, none, fits, &out), ERR_OK);
    buf_reset(&out);
    assert_int_equal(keys_seal(ctx, keys_rng(), &key, none, all, &out), ERR_LIMIT);
    assert_int_equal(keys_seal(ctx, keys_rng(), &key, slice_of(p, KEYS_AAD_BYTES_MAX), none, &out), ERR_OK);
    assert_int_equal(keys_seal(ctx, keys_rng(), &key, slice_of(p, KEYS_AAD_BYTES_MAX + 1), none, &out), ERR_LIMIT);
    assert_int_equal(keys_seal(ctx, keys_rng(), &key, none, none, &small), ERR_OK);
    assert_int_equal(keys_seal(ctx, keys_rng(), &key, none, none, &small), ERR_LIMIT);
    secret_done(&key);
    buf_done(&big);
    buf_done(&out);
    buf_done(&small);
}

static void sealed_at_opens_at_its_place_only(void **state) {
    (void)state;
    struct secret key;
    struct buf out = BUF_INIT(100), got = BUF_INIT(100);
    struct slice aad = SLICE_LIT("log"), plain = SLICE_LIT("opening");
    assert_int_equal(keys_new(keys_rng(), &key), ERR_OK);
    assert_int_equal(keys_seal_at(ctx, &key, 3, 41, aad, plain, &out), ERR_OK);
    assert_int_equal(out.n, plain.n + KEYS_AT_EXTRA_BYTES);
    assert_int_equal(get_be32(out.p), 3);
    assert_int_equal(keys_open_at(ctx, &key, 42, aad, buf_slice(&out), &got), ERR_CORRUPT);
    assert_int_equal(keys_open_at(ctx, &key, 41, SLICE_LIT("gol"), buf_slice(&out), &got), ERR_CORRUPT);
    for (size_t n = 0; n < out.n; n++) {
        assert_int_equal(keys_open_at(ctx, &key, 41, aad, slice_of(out.p, n), &got), ERR_CORRUPT);
    }
    out.p[3] ^= 1; /* another boot */
    assert_int_equal(keys_open_at(ctx, &key, 41, aad, buf_slice(&out), &got), ERR_CORRUPT);
    out.p[3] ^= 1;
    assert_int_equal(keys_open_at(ctx, &key, 41, aad, buf_slice(&out), &got), ERR_OK);
    assert_true(slice_eq(buf_slice(&got), plain));
    secret_done(&key);
    buf_done(&out);
    buf_done(&got);
}

static void boot_numbers_rise_and_follow_the_clock(void **state) {
    (void)state;
    uint32_t next;
    assert_int_equal(keys_next_boot(5, 3000, &next), ERR_OK);
    assert_int_equal(next, 6);
    assert_int_equal(keys_next_boot(5, 1790000000999ull, &next), ERR_OK);
    assert_int_equal(next, 1790000000);
    assert_int_equal(keys_next_boot(UINT32_MAX - 1, 0, &next), ERR_OK);
    assert_int_equal(keys_next_boot(UINT32_MAX, 0, &next), ERR_RANGE);
    assert_int_equal(keys_next_boot(0, UINT64_MAX, &next), ERR_RANGE);
}

/* derivations and wraps --------------------------------------------------------------------------------------------------- */

static void no_label_begins_another(void **state) {
    (void)state;
    static const char *const texts[] = {
#define LABEL(name, text, context_bytes, from, what) text,
#include "keys/keys_label.def"
#undef LABEL
        "tillit segment",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (size_t j = 0; j < ARRAY_LEN(texts); j++) {
            if (i != j) assert_false(slice_starts(slice_str(texts[i]), slice_str(texts[j])));
        }
    }
}

/* Computed with: printf 'tillit opening0123456789abcdef' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0000...00 */
static void derivation_is_hmac_of_label_and_context(void **state) {
    (void)state;
    static const uint8_t zero[32];
    struct secret key, a, b;
    uint8_t want[32];
    assert_int_equal(secret_copy(&key, slice_of(zero, 32)), ERR_OK);
    assert_int_equal(keys_derive(ctx, &key, KEYS_LABEL_OPENING, SLICE_LIT("0123456789abcdef"), &a), ERR_OK);
    assert_int_equal(keys_derive(ctx, &key, KEYS_LABEL_COMMAND, SLICE_LIT("0123456789abcdef"), &b), ERR_OK);
    assert_int_equal(hex_fixed(slice_str("af1327d2998403048cc7bf1c5333570a0264ec8cccc10958e4db6c784f6d4cb9"), want, 32), ERR_OK);
    assert_memory_equal(a.p, want, 32);
    assert_memory_not_equal(a.p, b.p, 32);
    secret_done(&key);
    secret_done(&a);
    secret_done(&b);
}

static void a_wrapped_key_opens_as_what_it_is_only(void **state) {
    (void)state;
    struct secret under, key, got;
    struct buf out = BUF_INIT(200);
    struct keys_wrap_id id = {KEYS_WRAP_BUCKET, 7, "tenant", "bucket"}, no;
    assert_int_equal(keys_new(keys_rng(), &under), ERR_OK);
    assert_int_equal(keys_new(keys_rng(), &key), ERR_OK);
    assert_int_equal(keys_wrap(ctx, keys_rng(), &under, &id, &key, &out), ERR_OK);
    assert_int_equal(out.n, KEYS_WRAPPED_BYTES);
    assert_int_equal(keys_unwrap(ctx, &under, &id, buf_slice(&out), &got), ERR_OK);
    assert_memory_equal(got.p, key.p, 32);
    secret_done(&got);
    for (int i = 0; i < 4; i++) {
        no = id;
        if (i == 0) no.kind = KEYS_WRAP_TENANT;
        if (i == 1) no.generation = 8;
        if (i == 2) no.tenant[0] ^= 1;
        if (i == 3) no.bucket[15] ^= 1;
        assert_int_equal(keys_unwrap(ctx, &under, &no, buf_slice(&out), &got), ERR_CORRUPT);
    }
    assert_int_equal(keys_unwrap(ctx, &key, &id, buf_slice(&out), &got), ERR_CORRUPT);
    for (size_t n = 0; n < out.n; n++) {
        assert_int_equal(keys_unwrap(ctx, &under, &id, slice_of(out.p, n), &got), ERR_TRUNCATED);
    }
    buf_put_u8(&out, 0);
    assert_int_equal(keys_unwrap(ctx, &under, &id, buf_slice(&out), &got), ERR_TRAILING);
    out.n--;
    out.p[0] = 2;
    assert_int_equal(keys_unwrap(ctx, &under, &id, buf_slice(&out), &got), ERR_VERSION);
    out.p[0] = 1;
    out.p[4] = 8; /* the generation in the bytes is bound too */
    no = id;
    no.generation = 8;
    assert_int_equal(keys_unwrap(ctx, &under, &no, buf_slice(&out), &got), ERR_CORRUPT);
    secret_done(&under);
    secret_done(&key);
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wycheproof_hmac_vectors_hold),
        cmocka_unit_test(wycheproof_gcm_vectors_hold),
        cmocka_unit_test(xaes_vectors_of_the_specification_hold),
        cmocka_unit_test(xaes_hash_over_ten_thousand_seals_holds),
        cmocka_unit_test(what_was_cut_flipped_or_moved_does_not_open),
        cmocka_unit_test(two_seals_of_the_same_differ),
        cmocka_unit_test(sizes_past_the_limits_are_refused),
        cmocka_unit_test(sealed_at_opens_at_its_place_only),
        cmocka_unit_test(boot_numbers_rise_and_follow_the_clock),
        cmocka_unit_test(no_label_begins_another),
        cmocka_unit_test(derivation_is_hmac_of_label_and_context),
        cmocka_unit_test(a_wrapped_key_opens_as_what_it_is_only),
    };
    return cmocka_run_group_tests_name("keys", tests, set_up, tear_down);
}
