/* SPDX-License-Identifier: Apache-2.0
 * Facts about frames. Golden vectors: tests/vectors/frame. LAW-2.
 * Role: unit test. Spec: docs/spec/frame.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "frame/frame.h"

static const struct frame_id ID = {.tenant = "tenant-0123456t", .blob = "blob-012345678b"};
static const uint8_t KEY[FRAME_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static uint8_t *plaintext(size_t n) {
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(i * 7 + i / 251);
    return p;
}

/* Seals with input and output cut into pieces of the sizes given. */
static uint8_t *seal_cut(const struct frame_id *id, const uint8_t *key, const uint8_t *plain, size_t n, size_t in_cut,
                         size_t out_cut) {
    struct frame_sealer s;
    size_t size = (size_t)frame_cipher_size(n), in_at = 0, out_at = 0;
    uint8_t *out = malloc(size);
    assert_non_null(out);
    assert_int_equal(frame_sealer_init(&s), ERR_OK);
    assert_int_equal(frame_sealer_begin(&s, id, key, n), ERR_OK);
    while (frame_sealer_finish(&s) != ERR_OK) {
        struct slice in = slice_of(plain + in_at, MIN(in_cut, n - in_at));
        size_t before = in.n, got = 0;
        assert_int_equal(frame_sealer_step(&s, &in, out + out_at, MIN(out_cut, size - out_at), &got), ERR_OK);
        in_at += before - in.n;
        out_at += got;
        assert_true(before - in.n > 0 || got > 0);
    }
    assert_int_equal(in_at, n);
    assert_int_equal(out_at, size);
    frame_sealer_done(&s);
    return out;
}

static uint8_t *seal(size_t n, uint8_t **plain) {
    *plain = plaintext(n);
    return seal_cut(&ID, KEY, *plain, n, 100000, 262144);
}

/* Opens a range of stored bytes; *got is what came out. */
static enum err open_range(const uint8_t *stored, size_t stored_n, uint64_t size, uint64_t offset, uint64_t bytes,
                           const uint8_t (*keys)[FRAME_KEY_BYTES], uint32_t first, uint32_t count, struct buf *got) {
    struct frame_opener o;
    static uint8_t out[FRAME_PLAIN_BYTES];
    enum err e = frame_opener_init(&o);
    if (e == ERR_OK) e = frame_opener_begin(&o, &ID, size, offset, bytes);
    if (e == ERR_OK && keys == NULL) frame_opener_blob_key(&o, KEY);
    if (e == ERR_OK && keys != NULL) frame_opener_keys(&o, first, keys, count);
    uint64_t at = o.range.cipher_offset;
    while (e == ERR_OK && frame_opener_next(&o) > 0 && at < stored_n) {
        size_t n = (size_t)MIN((uint64_t)frame_opener_next(&o), stored_n - at);
        struct slice plain;
        e = frame_opener_open(&o, slice_of(stored + at, n), out, &plain);
        at += n;
        if (e == ERR_OK) buf_put_slice(got, plain);
    }
    if (e == ERR_OK) e = frame_opener_finish(&o);
    if (e == ERR_OK) assert_int_equal(at, o.range.cipher_offset + o.range.cipher_bytes);
    frame_opener_done(&o);
    return e;
}

static void vectors_of_the_independent_program_hold(void **state) {
    (void)state;
    FILE *f = fopen(TEST_VECTORS "/frame/vectors.txt", "r");
    assert_non_null(f);
    char line[1024];
    int count = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        if (line[0] == '#') continue;
        char name[32], key_hex[65], tenant_hex[33], blob_hex[33], sha_hex[65], stored_hex[400];
        unsigned long size;
        assert_int_equal(sscanf(line, "%31s %lu %64s %32s %32s %64s %399s", name, &size, key_hex, tenant_hex, blob_hex,
                                sha_hex, stored_hex), 7);
        struct frame_id id;
        uint8_t key[32], sha[32], got_sha[32];
        assert_int_equal(hex_fixed(slice_str(key_hex), key, 32), ERR_OK);
        assert_int_equal(hex_fixed(slice_str(sha_hex), sha, 32), ERR_OK);
        assert_int_equal(hex_fixed(slice_str(tenant_hex), id.tenant, 16), ERR_OK);
        assert_int_equal(hex_fixed(slice_str(blob_hex), id.blob, 16), ERR_OK);
        uint8_t *plain = plaintext(size);
        uint8_t *stored = seal_cut(&id, key, plain, size, 99991, 70001);
        size_t n = (size_t)frame_cipher_size(size);
        assert_int_equal(EVP_Digest(stored, n, got_sha, NULL, EVP_sha256(), NULL), 1);
        assert_memory_equal(got_sha, sha, 32);
        if (stored_hex[0] != '-') {
            uint8_t want[200];
            assert_int_equal(hex_fixed(slice_str(stored_hex), want, n), ERR_OK);
            assert_memory_equal(stored, want, n);
        }
        free(plain);
        free(stored);
        count++;
    }
    fclose(f);
    assert_int_equal(count, 9);
}

static void cuts_of_input_and_output_do_not_matter(void **state) {
    (void)state;
    size_t n = 2 * FRAME_PLAIN_BYTES + 100;
    uint8_t *plain = plaintext(n), *want = seal_cut(&ID, KEY, plain, n, n, SIZE_MAX);
    static const size_t cuts[][2] = {{1, 70000}, {70000, 1}, {7, 11}, {65536, 65536}, {65537, 15}, {100, 16}};
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        uint8_t *got = seal_cut(&ID, KEY, plain, n, cuts[i][0], cuts[i][1]);
        assert_memory_equal(got, want, frame_cipher_size(n));
        free(got);
    }
    free(plain);
    free(want);
}

static void one_frame_by_itself_equals_the_stream(void **state) {
    (void)state;
    uint8_t *plain, *stored = seal(FRAME_PLAIN_BYTES + 5, &plain), key[32], out[FRAME_CIPHER_BYTES];
    struct frame_ctx c;
    assert_int_equal(frame_ctx_init(&c), ERR_OK);
    assert_int_equal(frame_segment_key(&c, KEY, 0, key), ERR_OK);
    assert_int_equal(frame_seal_one(&c, key, &ID, 0, 0, false, slice_of(plain, FRAME_PLAIN_BYTES), out), ERR_OK);
    assert_memory_equal(out, stored, FRAME_CIPHER_BYTES);
    memcpy(out, plain + FRAME_PLAIN_BYTES, 5);
    assert_int_equal(frame_seal_one(&c, key, &ID, 0, 1, true, slice_of(out, 5), out), ERR_OK); /* in place */
    assert_memory_equal(out, stored + FRAME_CIPHER_BYTES, 5 + FRAME_TAG_BYTES);
    assert_int_equal(frame_open_one(&c, key, &ID, 0, 1, true, slice_of(out, 21), out), ERR_OK);
    assert_memory_equal(out, plain + FRAME_PLAIN_BYTES, 5);
    frame_ctx_done(&c);
    free(plain);
    free(stored);
}

static void every_range_gives_the_bytes_asked_for(void **state) {
    (void)state;
    size_t n = SEGMENT_PLAIN_BYTES + 2 * FRAME_PLAIN_BYTES + 17;
    uint8_t *plain, *stored = seal(n, &plain);
    size_t points[] = {0, 1, 65535, 65536, 65537, 131072, SEGMENT_PLAIN_BYTES - 1, SEGMENT_PLAIN_BYTES,
                       SEGMENT_PLAIN_BYTES + 1, n - 18, n - 17, n - 1, n};
    struct buf got = BUF_INIT(n);
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        for (size_t j = i; j < ARRAY_LEN(points); j++) {
            size_t from = points[i], bytes = points[j] - points[i];
            buf_reset(&got);
            assert_int_equal(open_range(stored, frame_cipher_size(n), n, from, bytes, NULL, 0, 0, &got), ERR_OK);
            assert_int_equal(got.n, bytes);
            if (bytes > 0) assert_memory_equal(got.p, plain + from, bytes);
        }
    }
    buf_done(&got);
    free(plain);
    free(stored);
}

static void segment_keys_open_their_segments_only(void **state) {
    (void)state;
    size_t n = 2 * SEGMENT_PLAIN_BYTES + 9;
    uint8_t *plain, *stored = seal(n, &plain), keys[3][FRAME_KEY_BYTES];
    struct frame_ctx c;
    assert_int_equal(frame_ctx_init(&c), ERR_OK);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(frame_segment_key(&c, KEY, i, keys[i]), ERR_OK);
    frame_ctx_done(&c);
    struct buf got = BUF_INIT(n);
    size_t size = (size_t)frame_cipher_size(n), seg = SEGMENT_PLAIN_BYTES;
    const uint8_t(*k)[FRAME_KEY_BYTES] = (const uint8_t(*)[FRAME_KEY_BYTES])keys;
    assert_int_equal(open_range(stored, size, n, seg + 1, 100, k + 1, 1, 1, &got), ERR_OK);
    assert_memory_equal(got.p, plain + seg + 1, 100);
    buf_reset(&got);
    assert_int_equal(open_range(stored, size, n, 0, n, k, 0, 3, &got), ERR_OK);
    assert_memory_equal(got.p, plain, n);
    assert_int_equal(open_range(stored, size, n, seg - 1, 2, k, 0, 1, &got), ERR_MISSING);
    assert_int_equal(open_range(stored, size, n, 0, 1, k + 1, 1, 2, &got), ERR_MISSING);
    assert_int_equal(open_range(stored, size, n, 0, 1, k + 1, 0, 1, &got), ERR_CORRUPT); /* segment 1's key on 0 */
    buf_done(&got);
    free(plain);
    free(stored);
}

static void truncation_at_every_byte_is_corrupt(void **state) {
    (void)state;
    size_t n = 100;
    uint8_t *plain, *stored = seal(n, &plain);
    struct buf got = BUF_INIT(1000);
    for (size_t cut = 0; cut < frame_cipher_size(n); cut++) {
        assert_int_equal(open_range(stored, cut, n, 0, n, NULL, 0, 0, &got), ERR_CORRUPT);
    }
    buf_done(&got);
    free(plain);
    free(stored);
}

/* The last flag: even when the size too is forged to fit, a blob cut or grown at a frame border does not open. */
static void a_cut_at_a_frame_border_is_corrupt(void **state) {
    (void)state;
    size_t n = 3 * FRAME_PLAIN_BYTES;
    uint8_t *plain, *stored = seal(n, &plain);
    struct buf got = BUF_INIT(4 * FRAME_PLAIN_BYTES);
    for (size_t frames = 1; frames < 3; frames++) {
        size_t kept = frames * FRAME_CIPHER_BYTES;
        assert_int_equal(open_range(stored, kept, n, 0, n, NULL, 0, 0, &got), ERR_CORRUPT);
        assert_int_equal(open_range(stored, kept, frames * FRAME_PLAIN_BYTES, 0, frames * FRAME_PLAIN_BYTES, NULL, 0,
                                    0, &got), ERR_CORRUPT);
    }
    buf_reset(&got);
    assert_int_equal(open_range(stored, 3 * FRAME_CIPHER_BYTES, n + 1, 0, n + 1, NULL, 0, 0, &got), ERR_CORRUPT);
    buf_done(&got);
    free(plain);
    free(stored);
}

static void any_flipped_bit_is_corrupt_and_nothing_comes_out(void **state) {
    (void)state;
    size_t n = 40;
    uint8_t *plain, *stored = seal(n, &plain);
    struct buf got = BUF_INIT(1000);
    for (size_t bit = 0; bit < 8 * frame_cipher_size(n); bit++) {
        stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(open_range(stored, frame_cipher_size(n), n, 0, n, NULL, 0, 0, &got), ERR_CORRUPT);
        stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(got.n, 0);
    struct frame_ctx c;
    uint8_t key[32], out[40], zero[40] = {0};
    assert_int_equal(frame_ctx_init(&c), ERR_OK);
    assert_int_equal(frame_segment_key(&c, KEY, 0, key), ERR_OK);
    stored[3] ^= 1;
    assert_int_equal(frame_open_one(&c, key, &ID, 0, 0, true, slice_of(stored, 56), out), ERR_CORRUPT);
    assert_memory_equal(out, zero, sizeof out);
    frame_ctx_done(&c);
    buf_done(&got);
    free(plain);
    free(stored);
}

/* A reader of too much or too little must not reach the cipher: out has room for the next frame only. */
static void a_frame_of_another_length_is_corrupt_and_out_stays_untouched(void **state) {
    (void)state;
    uint8_t *plain, *stored = seal(2 * FRAME_PLAIN_BYTES, &plain), out[4] = {7, 7, 7, 7};
    struct frame_opener o;
    struct slice got;
    assert_int_equal(frame_opener_init(&o), ERR_OK);
    assert_int_equal(frame_opener_next(&o), 0);
    assert_int_equal(frame_opener_begin(&o, &ID, 2 * FRAME_PLAIN_BYTES, 0, 5), ERR_OK);
    frame_opener_blob_key(&o, KEY);
    assert_int_equal(frame_opener_next(&o), FRAME_CIPHER_BYTES);
    assert_int_equal(frame_opener_open(&o, slice_of(stored, FRAME_TAG_BYTES + 4), out, &got), ERR_CORRUPT);
    assert_int_equal(frame_opener_open(&o, slice_of(stored, FRAME_CIPHER_BYTES + 1), out, &got), ERR_CORRUPT);
    assert_int_equal(frame_opener_open(&o, slice_of(stored, 0), out, &got), ERR_CORRUPT);
    for (size_t i = 0; i < sizeof out; i++) assert_int_equal(out[i], 7);
    assert_int_equal(frame_opener_finish(&o), ERR_CORRUPT);
    frame_opener_done(&o);
    free(plain);
    free(stored);
}

static void a_frame_in_another_place_is_corrupt(void **state) {
    (void)state;
    uint8_t *plain, *stored = seal(SEGMENT_PLAIN_BYTES + FRAME_PLAIN_BYTES, &plain), key[32];
    uint8_t out[FRAME_PLAIN_BYTES];
    struct frame_ctx c;
    struct frame_id other = ID;
    struct slice one = slice_of(stored + FRAME_CIPHER_BYTES, FRAME_CIPHER_BYTES);
    assert_int_equal(frame_ctx_init(&c), ERR_OK);
    assert_int_equal(frame_segment_key(&c, KEY, 0, key), ERR_OK);
    assert_int_equal(frame_open_one(&c, key, &ID, 0, 1, false, one, out), ERR_OK);
    assert_int_equal(frame_open_one(&c, key, &ID, 0, 2, false, one, out), ERR_CORRUPT);
    assert_int_equal(frame_open_one(&c, key, &ID, 1, 1, false, one, out), ERR_CORRUPT);
    assert_int_equal(frame_open_one(&c, key, &ID, 0, 1, true, one, out), ERR_CORRUPT);
    other.blob[15] ^= 1;
    assert_int_equal(frame_open_one(&c, key, &other, 0, 1, false, one, out), ERR_CORRUPT);
    other = ID;
    other.tenant[0] ^= 1;
    assert_int_equal(frame_open_one(&c, key, &other, 0, 1, false, one, out), ERR_CORRUPT);
    frame_ctx_done(&c);
    free(plain);
    free(stored);
}

static void sizes_and_ranges_are_arithmetic(void **state) {
    (void)state;
    static const uint64_t sizes[] = {0, 1, 65535, 65536, 65537, SEGMENT_PLAIN_BYTES, SEGMENT_PLAIN_BYTES + 1,
                                     FRAME_BLOB_BYTES_MAX};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint64_t back;
        assert_int_equal(frame_plain_size(frame_cipher_size(sizes[i]), &back), ERR_OK);
        assert_int_equal(back, sizes[i]);
    }
    assert_int_equal(frame_cipher_size(0), 16);
    assert_int_equal(frame_cipher_size(65536), 65552);
    assert_int_equal(frame_cipher_size(65537), 65537 + 32);
    assert_int_equal(frame_segment_count(0), 1);
    assert_int_equal(frame_segment_count(SEGMENT_PLAIN_BYTES), 1);
    assert_int_equal(frame_segment_count(SEGMENT_PLAIN_BYTES + 1), 2);
    struct frame_range r;
    assert_int_equal(frame_range(10 * (uint64_t)SEGMENT_PLAIN_BYTES, SEGMENT_PLAIN_BYTES + 70000, 5, &r), ERR_OK);
    assert_int_equal(r.frame_first, 65);
    assert_int_equal(r.segment_first, 1);
    assert_int_equal(r.cipher_offset, 65 * 65552);
    assert_int_equal(r.cipher_bytes, 65552);
    assert_int_equal(r.skip_bytes, 70000 - 65536);
}

static void no_blob_has_these_sizes(void **state) {
    (void)state;
    uint64_t back;
    static const uint64_t bad[] = {0, 15, 65552 + 1, 65552 + 16, 2 * 65552 + 3};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_int_equal(frame_plain_size(bad[i], &back), ERR_CORRUPT);
    assert_int_equal(frame_plain_size(frame_cipher_size(FRAME_BLOB_BYTES_MAX) + 1, &back), ERR_CORRUPT);
    assert_int_equal(frame_plain_size(UINT64_MAX, &back), ERR_CORRUPT);
}

static void ranges_past_the_end_are_refused(void **state) {
    (void)state;
    struct frame_range r;
    assert_int_equal(frame_range(100, 100, 0, &r), ERR_OK);
    assert_int_equal(frame_range(100, 100, 1, &r), ERR_RANGE);
    assert_int_equal(frame_range(100, 101, 0, &r), ERR_RANGE);
    assert_int_equal(frame_range(100, 1, UINT64_MAX, &r), ERR_RANGE);
}

static void more_plaintext_than_announced_is_refused(void **state) {
    (void)state;
    struct frame_sealer s;
    uint8_t out[200];
    size_t n;
    assert_int_equal(frame_sealer_init(&s), ERR_OK);
    assert_int_equal(frame_sealer_begin(&s, &ID, KEY, 10), ERR_OK);
    struct slice in = SLICE_LIT("12345678901");
    assert_int_equal(frame_sealer_step(&s, &in, out, sizeof out, &n), ERR_RANGE);
    assert_int_equal(frame_sealer_begin(&s, &ID, KEY, FRAME_BLOB_BYTES_MAX), ERR_OK);
    assert_int_equal(frame_sealer_begin(&s, &ID, KEY, FRAME_BLOB_BYTES_MAX + 1), ERR_RANGE);
    frame_sealer_done(&s);
}

/* A body whose size shows at its end: what may be the last frame is kept back until then. */
static void a_size_settled_late_seals_the_same_bytes(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, FRAME_PLAIN_BYTES - 1, FRAME_PLAIN_BYTES, FRAME_PLAIN_BYTES + 1, 3 * FRAME_PLAIN_BYTES, SEGMENT_PLAIN_BYTES + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct frame_sealer s;
        uint8_t *plain, *want = seal(sizes[i], &plain), *got = malloc((size_t)frame_cipher_size(sizes[i]));
        size_t held = sizes[i] == 0 ? 0 : (sizes[i] - 1) / FRAME_PLAIN_BYTES * FRAME_PLAIN_BYTES, n, more;
        assert_int_equal(frame_sealer_init(&s), ERR_OK);
        assert_int_equal(frame_sealer_begin(&s, &ID, KEY, FRAME_BLOB_BYTES_MAX), ERR_OK);
        struct slice in = slice_of(plain, held);
        assert_int_equal(frame_sealer_step(&s, &in, got, (size_t)frame_cipher_size(sizes[i]), &n), ERR_OK);
        assert_int_equal(frame_sealer_settle(&s, sizes[i]), ERR_OK);
        in = slice_of(plain + held, sizes[i] - held);
        assert_int_equal(frame_sealer_step(&s, &in, got + n, (size_t)frame_cipher_size(sizes[i]) - n, &more), ERR_OK);
        assert_int_equal(frame_sealer_finish(&s), ERR_OK);
        assert_int_equal(n + more, frame_cipher_size(sizes[i]));
        assert_memory_equal(got, want, n + more);
        frame_sealer_done(&s);
        free(plain);
        free(want);
        free(got);
    }
}

static void a_size_is_not_settled_within_a_frame_nor_on_one_that_is_out(void **state) {
    (void)state;
    struct frame_sealer s;
    static uint8_t plain[FRAME_PLAIN_BYTES], out[2 * FRAME_CIPHER_BYTES];
    size_t n;
    assert_int_equal(frame_sealer_init(&s), ERR_OK);
    assert_int_equal(frame_sealer_begin(&s, &ID, KEY, 3 * FRAME_PLAIN_BYTES), ERR_OK);
    struct slice in = slice_of(plain, FRAME_PLAIN_BYTES);
    assert_int_equal(frame_sealer_step(&s, &in, out, sizeof out, &n), ERR_OK);
    assert_int_equal(frame_sealer_settle(&s, FRAME_PLAIN_BYTES), ERR_RANGE);           /* that frame went out as not the last */
    assert_int_equal(frame_sealer_settle(&s, FRAME_PLAIN_BYTES - 1), ERR_RANGE);
    assert_int_equal(frame_sealer_settle(&s, 3 * FRAME_PLAIN_BYTES + 1), ERR_RANGE);
    in = slice_of(plain, 1);
    assert_int_equal(frame_sealer_step(&s, &in, out, sizeof out, &n), ERR_OK);
    assert_int_equal(frame_sealer_settle(&s, FRAME_PLAIN_BYTES + 1), ERR_RANGE);       /* begun */
    frame_sealer_done(&s);
}

static void less_plaintext_than_announced_never_finishes(void **state) {
    (void)state;
    struct frame_sealer s;
    uint8_t out[200];
    size_t n;
    assert_int_equal(frame_sealer_init(&s), ERR_OK);
    assert_int_equal(frame_sealer_begin(&s, &ID, KEY, 10), ERR_OK);
    struct slice in = SLICE_LIT("123456789");
    assert_int_equal(frame_sealer_step(&s, &in, out, sizeof out, &n), ERR_OK);
    assert_int_equal(n, 9);
    assert_int_equal(frame_sealer_finish(&s), ERR_TRUNCATED);
    in = SLICE_LIT("0");
    assert_int_equal(frame_sealer_step(&s, &in, out + 9, 10, &n), ERR_OK); /* the byte and 9 of the tag's 16 */
    assert_int_equal(n, 10);
    assert_int_equal(frame_sealer_finish(&s), ERR_TRUNCATED);
    assert_int_equal(frame_sealer_step(&s, &in, out + 19, 100, &n), ERR_OK);
    assert_int_equal(n, 7);
    assert_int_equal(frame_sealer_finish(&s), ERR_OK);
    frame_sealer_done(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_independent_program_hold),
        cmocka_unit_test(cuts_of_input_and_output_do_not_matter),
        cmocka_unit_test(one_frame_by_itself_equals_the_stream),
        cmocka_unit_test(every_range_gives_the_bytes_asked_for),
        cmocka_unit_test(segment_keys_open_their_segments_only),
        cmocka_unit_test(truncation_at_every_byte_is_corrupt),
        cmocka_unit_test(a_cut_at_a_frame_border_is_corrupt),
        cmocka_unit_test(any_flipped_bit_is_corrupt_and_nothing_comes_out),
        cmocka_unit_test(a_frame_of_another_length_is_corrupt_and_out_stays_untouched),
        cmocka_unit_test(a_frame_in_another_place_is_corrupt),
        cmocka_unit_test(sizes_and_ranges_are_arithmetic),
        cmocka_unit_test(no_blob_has_these_sizes),
        cmocka_unit_test(ranges_past_the_end_are_refused),
        cmocka_unit_test(more_plaintext_than_announced_is_refused),
        cmocka_unit_test(less_plaintext_than_announced_never_finishes),
        cmocka_unit_test(a_size_settled_late_seals_the_same_bytes),
        cmocka_unit_test(a_size_is_not_settled_within_a_frame_nor_on_one_that_is_out),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
