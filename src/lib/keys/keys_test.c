/* SPDX-License-Identifier: Apache-2.0
 * Facts about keys: vectors of others (tests/vectors/xaes, tests/vectors/wycheproof), sealing, wrapping, secret memory,
 * randomness, the root file. LAW-2.
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
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* secret memory ------------------------------------------------------------------------------------------------------------ */

static void secrets_share_pages_and_come_back_zeroed(void **state) {
    (void)state;
    enum { MANY = 3000 };
    static struct secret s[MANY];
    struct secret_status before = secret_status(), now;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(secret_new(&s[i], 32), ERR_OK);
        for (int j = 0; j < 32; j++) assert_int_equal(s[i].p[j], 0);
        memset(s[i].p, 0xa5, 32);
    }
    now = secret_status();
    assert_int_equal(now.live_count, before.live_count + MANY);
    assert_true(now.mapped_bytes - before.mapped_bytes <= 4 * 65536);
    uint8_t *where = s[5].p;
    secret_done(&s[5]);
    assert_null(s[5].p);
    assert_int_equal(secret_new(&s[5], SECRET_SLOT_BYTES), ERR_OK);
    assert_ptr_equal(s[5].p, where); /* the first free slot: what was there is gone */
    for (int j = 0; j < SECRET_SLOT_BYTES; j++) assert_int_equal(s[5].p[j], 0);
    for (int i = 0; i < MANY; i++) secret_done(&s[i]);
    assert_int_equal(secret_status().live_count, before.live_count);
    secret_done(&s[0]); /* an empty one is accepted */
}

static void secret_sizes_are_bounded(void **state) {
    (void)state;
    struct secret s;
    assert_int_equal(secret_new(&s, 0), ERR_LIMIT);
    assert_int_equal(secret_new(&s, SECRET_BYTES_MAX + 1), ERR_LIMIT);
    assert_int_equal(secret_new(&s, SECRET_BYTES_MAX), ERR_OK);
    memset(s.p, 1, s.n);
    secret_done(&s);
    assert_int_equal(secret_new(&s, SECRET_SLOT_BYTES + 1), ERR_OK);
    secret_done(&s);
}

/* The kernel's own word: dd = do not dump, dc = do not copy on fork, lo = locked. */
static void the_kernel_says_that_secrets_are_not_dumped_or_inherited(void **state) {
    (void)state;
    struct secret s;
    assert_int_equal(secret_new(&s, 32), ERR_OK);
    FILE *f = fopen("/proc/self/smaps", "r");
    if (f == NULL) skip();
    char line[512];
    bool inside = false, seen = false;
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) inside = from <= (uintptr_t)s.p && (uintptr_t)s.p < to;
        if (!inside || strncmp(line, "VmFlags:", 8) != 0) continue;
        seen = true;
        assert_non_null(strstr(line, " dd"));
        assert_non_null(strstr(line, " dc"));
#ifndef __SANITIZE_ADDRESS__ /* which turns mlock into nothing */
        if (secret_status().locked_bytes == secret_status().mapped_bytes) assert_non_null(strstr(line, " lo"));
#endif
    }
    fclose(f);
    assert_true(seen);
    secret_done(&s);
}

static void a_child_has_no_secrets_of_its_parent(void **state) {
    (void)state;
    struct secret s;
    assert_int_equal(secret_new(&s, 32), ERR_OK);
    pid_t pid = fork();
    if (pid == 0) {
        struct secret mine;
        signal(SIGSEGV, SIG_DFL);
        if (secret_new(&mine, 32) != ERR_OK || secret_status().live_count != 1) _exit(1);
        secret_done(&mine);
        volatile uint8_t *p = s.p;
        _exit(p[0] == 0 ? 2 : 3);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    /* A sanitizer turns the fault into an exit of its own; never 1 (own secrets failed), 2 or 3 (it could be read). */
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (WIFSIGNALED(status)) assert_int_equal(WTERMSIG(status), SIGSEGV);
#ifndef __SANITIZE_ADDRESS__
    assert_true(WIFSIGNALED(status));
#endif
    secret_done(&s);
}

/* randomness ---------------------------------------------------------------------------------------------------------------- */

static void random_bytes_do_not_repeat_over_a_fork(void **state) {
    (void)state;
    int fds[2];
    uint8_t warm[8], mine[32], theirs[32] = {0};
    rng_fill(keys_rng(), warm, sizeof warm); /* both have a filled page now, if it were inherited */
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        rng_fill(keys_rng(), theirs, sizeof theirs);
        _exit(write(fds[1], theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
    }
    int status;
    rng_fill(keys_rng(), mine, sizeof mine);
    assert_int_equal(read(fds[0], theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_memory_not_equal(mine, theirs, 32);
    close(fds[0]);
    close(fds[1]);
}

static void *draw(void *out) {
    rng_fill(keys_rng(), out, 32);
    return NULL;
}

static void random_bytes_differ_between_calls_threads_and_sizes(void **state) {
    (void)state;
    enum { DRAWS = 600 }; /* past one page of 32-byte draws */
    static uint8_t seen[DRAWS + 1][32];
    static uint8_t big[10000], zero[64];
    pthread_t t;
    for (int i = 0; i < DRAWS; i++) rng_fill(keys_rng(), seen[i], 32);
    assert_int_equal(pthread_create(&t, NULL, draw, seen[DRAWS]), 0);
    assert_int_equal(pthread_join(t, NULL), 0);
    for (int i = 0; i <= DRAWS; i++) {
        for (int j = 0; j < i; j++) assert_memory_not_equal(seen[i], seen[j], 32);
    }
    rng_fill(keys_rng(), big, sizeof big);
    for (size_t i = 0; i + 64 <= sizeof big; i += 64) assert_memory_not_equal(big + i, zero, 64);
}

/* root file -------------------------------------------------------------------------------------------------------------------- */

static char dir[64], path[128];

static void in_a_directory(void) {
    strcpy(dir, "/tmp/keys-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/root", dir);
}

static void away(void) {
    unlink(path);
    rmdir(dir);
}

static void write_file(const char *text, mode_t mode) {
    unlink(path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

static void a_root_file_gives_the_same_epoch_keys_again(void **state) {
    (void)state;
    struct keys_provider *p, *q;
    struct secret a, b, c;
    uint8_t x[ID_BYTES], y[ID_BYTES];
    struct stat st;
    in_a_directory();
    assert_int_equal(keys_root_open(path, &p), ERR_MISSING);
    assert_int_equal(keys_root_create(path, keys_rng()), ERR_OK);
    assert_int_equal(keys_root_create(path, keys_rng()), ERR_EXISTS);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(keys_root_open(path, &p), ERR_OK);
    assert_int_equal(keys_root_open(path, &q), ERR_OK);
    assert_int_equal(p->epoch_key(p, ctx, 1, &a), ERR_OK);
    assert_int_equal(q->epoch_key(q, ctx, 1, &b), ERR_OK);
    assert_int_equal(q->epoch_key(q, ctx, 2, &c), ERR_OK);
    assert_memory_equal(a.p, b.p, 32);
    assert_memory_not_equal(a.p, c.p, 32);
    assert_int_equal(p->check(p, ctx, x), ERR_OK);
    assert_int_equal(q->check(q, ctx, y), ERR_OK);
    assert_memory_equal(x, y, ID_BYTES);
    secret_done(&a);
    secret_done(&b);
    secret_done(&c);
    keys_provider_close(p);
    keys_provider_close(q);
    keys_provider_close(NULL);
    away();
}

static void a_root_file_that_others_may_read_is_refused(void **state) {
    (void)state;
    struct keys_provider *p;
    in_a_directory();
    assert_int_equal(keys_root_create(path, keys_rng()), ERR_OK);
    static const mode_t bad[] = {0640, 0604, 0610, 0666};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        chmod(path, bad[i]);
        assert_int_equal(keys_root_open(path, &p), ERR_CONFIG);
        assert_null(p);
    }
    unlink(path);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(keys_root_open(path, &p), ERR_CONFIG);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(keys_root_open(path, &p), ERR_CONFIG);
    away();
}

#define ROOT_OK "tillit-root-v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
static void only_the_exact_text_is_a_root_key(void **state) {
    (void)state;
    struct keys_provider *p;
    struct secret s;
    static const struct { const char *text; enum err want; } cases[] = {
        {ROOT_OK, ERR_OK}, {ROOT_OK "\n", ERR_OK}, {ROOT_OK "\n\n", ERR_INPUT}, {" " ROOT_OK, ERR_INPUT},
        {ROOT_OK "x", ERR_INPUT}, {"", ERR_INPUT}, {"tillit-root-v1:", ERR_INPUT}, {"tillit-root-v1:AAAA", ERR_INPUT},
        {"tillit-root-v2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ERR_VERSION},
        {"tillit-root-v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", ERR_INPUT}, /* bits past the end */
        {"tillit-root-v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", ERR_INPUT},
    };
    in_a_directory();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum err e = keys_root_parse(slice_str(cases[i].text), &s);
        if (e != cases[i].want && !(e != ERR_OK && cases[i].want == ERR_INPUT)) fail_msg("case %zu: %s", i, err_name(e));
        if (e == ERR_OK) assert_int_equal(s.p[31], 31);
        secret_done(&s);
        write_file(cases[i].text, 0600);
        e = keys_root_open(path, &p);
        assert_true((e == ERR_OK) == (cases[i].want == ERR_OK));
        keys_provider_close(p);
    }
    for (size_t n = 0; n < strlen(ROOT_OK); n++) { /* truncation at every byte */
        assert_int_not_equal(keys_root_parse(slice_of(ROOT_OK, n), &s), ERR_OK);
    }
    char longer[KEYS_ROOT_FILE_BYTES_MAX + 1];
    memset(longer, ' ', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    write_file(longer, 0600);
    assert_int_equal(keys_root_open(path, &p), ERR_INPUT);
    away();
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
        cmocka_unit_test(secrets_share_pages_and_come_back_zeroed),
        cmocka_unit_test(secret_sizes_are_bounded),
        cmocka_unit_test(the_kernel_says_that_secrets_are_not_dumped_or_inherited),
        cmocka_unit_test(a_child_has_no_secrets_of_its_parent),
        cmocka_unit_test(random_bytes_do_not_repeat_over_a_fork),
        cmocka_unit_test(random_bytes_differ_between_calls_threads_and_sizes),
        cmocka_unit_test(a_root_file_gives_the_same_epoch_keys_again),
        cmocka_unit_test(a_root_file_that_others_may_read_is_refused),
        cmocka_unit_test(only_the_exact_text_is_a_root_key),
    };
    return cmocka_run_group_tests_name("keys", tests, set_up, tear_down);
}
