/* SPDX-License-Identifier: Apache-2.0
 * Unit tests of encode.c. Vectors: RFC 4648 section 10.
 */
#include "base/test.h"

static const struct {
    const char *plain, *hex, *base64, *base64url, *base32;
} vectors[] = {
    {"", "", "", "", ""},
    {"f", "66", "Zg==", "Zg", "my"},
    {"fo", "666f", "Zm8=", "Zm8", "mzxq"},
    {"foo", "666f6f", "Zm9v", "Zm9v", "mzxw6"},
    {"foob", "666f6f62", "Zm9vYg==", "Zm9vYg", "mzxw6yq"},
    {"fooba", "666f6f6261", "Zm9vYmE=", "Zm9vYmE", "mzxw6ytb"},
    {"foobar", "666f6f626172", "Zm9vYmFy", "Zm9vYmFy", "mzxw6ytboi"},
    {"\xfb\xff\xfe", "fbfffe", "+//+", "-__-", "7p774"},
};

static void encoders_give_the_rfc_4648_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        AUTO(buf) struct buf b = BUF_INIT(64);
        struct slice plain = slice_str(vectors[i].plain);
        buf_put_hex(&b, plain);
        check_text(buf_slice(&b), vectors[i].hex);
        buf_reset(&b);
        buf_put_base64(&b, plain);
        check_text(buf_slice(&b), vectors[i].base64);
        buf_reset(&b);
        buf_put_base64url(&b, plain);
        check_text(buf_slice(&b), vectors[i].base64url);
        buf_reset(&b);
        buf_put_base32(&b, plain);
        check_text(buf_slice(&b), vectors[i].base32);
        assert_true(buf_ok(&b));
    }
}

typedef enum err (*decoder)(struct slice text, struct buf *out);
typedef enum err (*fixed_decoder)(struct slice text, uint8_t *out, size_t out_n);

static void check_decodes(decoder decode, fixed_decoder fixed, const char *text, const char *plain) {
    AUTO(buf) struct buf b = BUF_INIT(64);
    uint8_t out[64];
    size_t n = strlen(plain);
    check_err(decode(slice_str(text), &b), ERR_OK);
    check_text(buf_slice(&b), plain);
    check_err(fixed(slice_str(text), out, n), ERR_OK);
    assert_memory_equal(out, plain, n);
    check_err(fixed(slice_str(text), out, n + 1), ERR_INPUT);
    if (n > 0) check_err(fixed(slice_str(text), out, n - 1), ERR_INPUT);
}

static void decoders_give_the_bytes_back(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        check_decodes(hex_decode, hex_fixed, vectors[i].hex, vectors[i].plain);
        check_decodes(base64_decode, base64_fixed, vectors[i].base64, vectors[i].plain);
        check_decodes(base64url_decode, base64url_fixed, vectors[i].base64url, vectors[i].plain);
        check_decodes(base32_decode, base32_fixed, vectors[i].base32, vectors[i].plain);
    }
    check_decodes(hex_decode, hex_fixed, "666F6F", "foo");
    check_decodes(base32_decode, base32_fixed, "MZXW6", "foo");
}

static void check_refuses(decoder decode, fixed_decoder fixed, const char *text) {
    AUTO(buf) struct buf b = BUF_INIT(64);
    uint8_t out[64];
    enum err e = decode(slice_str(text), &b);
    if (e != ERR_INPUT) print_error("'%s' gave %s\n", text, err_name(e));
    check_err(e, ERR_INPUT);
    assert_int_equal(b.n, 0);
    for (size_t n = 0; n < 8; n++) check_err(fixed(slice_str(text), out, n), ERR_INPUT);
}

static void a_text_that_no_encoder_makes_is_refused(void **state) {
    (void)state;
    static const char *const hex[] = {"6", "666", "6g", " 66", "66 ", "0x66"};
    for (size_t i = 0; i < ARRAY_LEN(hex); i++) check_refuses(hex_decode, hex_fixed, hex[i]);
    static const char *const base64[] = {"Zg", "Zg=", "Zh==", "Zm9=", "Zm8", "Z===", "====", "=", "Zg==Zg==", "Zm9v\n", "Zm-v", "Zm_v",
                                         "Z=g=", "Zg== ", "Zm9vY==="};
    for (size_t i = 0; i < ARRAY_LEN(base64); i++) check_refuses(base64_decode, base64_fixed, base64[i]);
    static const char *const base64url[] = {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm9vY"};
    for (size_t i = 0; i < ARRAY_LEN(base64url); i++) check_refuses(base64url_decode, base64url_fixed, base64url[i]);
    static const char *const base32[] = {"m", "mzx", "mzxw6y", "mz", "mzxr", "m1", "m0", "m8", "my======"};
    for (size_t i = 0; i < ARRAY_LEN(base32); i++) check_refuses(base32_decode, base32_fixed, base32[i]);
}

/* Every byte in every place of a text of whole bytes, and in one digit more than whole groups: a digit with its value, or refused. */
static void check_alphabet(decoder decode, fixed_decoder fixed, const char *alphabet, unsigned bits, size_t digits, bool any_case) {
    char text[20];
    uint8_t out[20];
    size_t bytes = digits * bits / 8, spare = digits * bits % 8;
    assert_true(digits <= sizeof text && bytes <= sizeof out);
    for (size_t at = 0; at < digits; at++) {
        for (unsigned c = 0; c < 256; c++) {
            AUTO(buf) struct buf b = BUF_INIT(64);
            if (c == '=' && alphabet[0] == 'A') continue; /* padding, above */
            unsigned byte = any_case && c >= 'A' && c <= 'Z' ? c + 32 : c;
            const char *found = byte == 0 ? NULL : strchr(alphabet, (int)byte);
            size_t value = found == NULL ? 0 : (size_t)(found - alphabet);
            /* what a last digit has beyond the last byte must be nothing */
            bool right = found != NULL && (at + 1 < digits || (value & ((1u << spare) - 1)) == 0);
            memset(text, alphabet[0], digits);
            text[at] = (char)c;
            memset(out, 0, sizeof out);
            enum err e = fixed(slice_of((const uint8_t *)text, digits), out, bytes);
            check_err(e, right ? ERR_OK : ERR_INPUT);
            check_err(decode(slice_of((const uint8_t *)text, digits), &b), e);
            if (e != ERR_OK) continue;
            assert_int_equal(b.n, bytes);
            assert_memory_equal(b.p, out, bytes);
            for (size_t bit = 0; bit < bytes * 8; bit++) {
                size_t within = bit - at * bits;
                bool want = bit >= at * bits && within < bits && (value >> (bits - 1 - within) & 1) != 0;
                assert_int_equal(out[bit / 8] >> (7 - bit % 8) & 1, want);
            }
        }
    }
}

static void every_byte_in_every_place_is_its_digit_or_refused(void **state) {
    (void)state;
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    char url[65], base64[65];
    snprintf(url, sizeof url, "%s-_", plain);
    snprintf(base64, sizeof base64, "%s+/", plain);
    for (size_t digits = 2; digits <= 11; digits++) {
        if (digits % 4 != 1) check_alphabet(base64url_decode, base64url_fixed, url, 6, digits, false);
    }
    check_alphabet(base64_decode, base64_fixed, base64, 6, 8, false);
    check_alphabet(base32_decode, base32_fixed, "abcdefghijklmnopqrstuvwxyz234567", 5, 8, true);
    check_alphabet(base32_decode, base32_fixed, "abcdefghijklmnopqrstuvwxyz234567", 5, 10, true);
    check_alphabet(hex_decode, hex_fixed, "0123456789abcdef", 4, 8, true);
}

static void decoding_past_the_buffers_bound_is_limit(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(3);
    check_err(hex_decode(SLICE_LIT("01020304"), &b), ERR_LIMIT);
    buf_reset(&b);
    check_err(hex_decode(SLICE_LIT("010203"), &b), ERR_OK);
}

static void every_byte_string_comes_back_from_every_encoding(void **state) {
    (void)state;
    uint8_t bytes[40];
    uint32_t seed = 1;
    for (int round = 0; round < 400; round++) {
        size_t n = (size_t)round % sizeof bytes;
        for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
        static void (*const put[])(struct buf *, struct slice) = {buf_put_hex, buf_put_base64, buf_put_base64url, buf_put_base32};
        static const decoder get[] = {hex_decode, base64_decode, base64url_decode, base32_decode};
        for (size_t k = 0; k < ARRAY_LEN(put); k++) {
            AUTO(buf) struct buf text = BUF_INIT(128);
            AUTO(buf) struct buf back = BUF_INIT(128);
            put[k](&text, slice_of(bytes, n));
            check_err(get[k](buf_slice(&text), &back), ERR_OK);
            check_bytes(buf_slice(&back), slice_of(bytes, n));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoders_give_the_rfc_4648_vectors),
        cmocka_unit_test(decoders_give_the_bytes_back),
        cmocka_unit_test(a_text_that_no_encoder_makes_is_refused),
        cmocka_unit_test(every_byte_in_every_place_is_its_digit_or_refused),
        cmocka_unit_test(decoding_past_the_buffers_bound_is_limit),
        cmocka_unit_test(every_byte_string_comes_back_from_every_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
