/* SPDX-License-Identifier: Apache-2.0
 * encode: hex, base64, base64url and base32, and their strict decoders.
 * Role: identifiers, digests and keys as text.
 * Distrusts: text to decode; one byte string has exactly one accepted text (hex and base32: but for case), so that
 *   two texts that are compared as texts never stand for the same bytes.
 * Spec: RFC 4648 sections 4, 5, 6, 8; section 3.5 for trailing bits
 */
#include "base/base.h"

static const char alphabet_hex[] = "0123456789abcdef";
static const char alphabet_base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char alphabet_base32[] = "abcdefghijklmnopqrstuvwxyz234567";

/* Any of the four: bits per digit, most significant first. */
static void put_digits(struct buf *b, struct slice s, const char *alphabet, unsigned bits) {
    size_t total_bits;
    if (!mul_size(s.n, 8, &total_bits)) {
        b->bad = true;
        return;
    }
    size_t digits = total_bits / bits + (total_bits % bits != 0);
    if (digits == 0) return;
    uint8_t *out = buf_room(b, digits);
    if (out == NULL) return;
    uint32_t held = 0, mask = (1u << bits) - 1;
    unsigned held_bits = 0;
    for (size_t i = 0; i < s.n; i++) {
        held = held << 8 | s.p[i];
        held_bits += 8;
        while (held_bits >= bits) {
            held_bits -= bits;
            *out++ = (uint8_t)alphabet[held >> held_bits & mask];
        }
        held &= (1u << held_bits) - 1;
    }
    if (held_bits > 0) *out = (uint8_t)alphabet[held << (bits - held_bits) & mask];
    b->n += digits;
}

void buf_put_hex(struct buf *b, struct slice s) { put_digits(b, s, alphabet_hex, 4); }

void buf_put_base64url(struct buf *b, struct slice s) { put_digits(b, s, alphabet_base64url, 6); }

void buf_put_base32(struct buf *b, struct slice s) { put_digits(b, s, alphabet_base32, 5); }

void buf_put_base64(struct buf *b, struct slice s) {
    size_t pad = (3 - s.n % 3) % 3;
    put_digits(b, s, alphabet_base64, 6);
    buf_put(b, "==", pad);
}

/* What each byte stands for, and DIGIT; 0: nothing. By table and not by comparing: digests and ids come this way in the turn of a request, and
 * random digits are what branches are worst at. */
#define DIGIT 64u
#define RUN2(c, v) [(c)] = DIGIT | (v), [(c) + 1] = DIGIT | ((v) + 1)
#define RUN6(c, v) RUN2(c, v), RUN2((c) + 2, (v) + 2), RUN2((c) + 4, (v) + 4)
#define RUN10(c, v) RUN6(c, v), RUN2((c) + 6, (v) + 6), RUN2((c) + 8, (v) + 8)
#define RUN26(c, v) RUN10(c, v), RUN10((c) + 10, (v) + 10), RUN6((c) + 20, (v) + 20)
#define RUNS64 RUN26('A', 0u), RUN26('a', 26u), RUN10('0', 52u)
static const uint8_t digits_base64[256] = {RUNS64, ['+'] = DIGIT | 62, ['/'] = DIGIT | 63};
static const uint8_t digits_base64url[256] = {RUNS64, ['-'] = DIGIT | 62, ['_'] = DIGIT | 63};
static const uint8_t digits_base32[256] = {RUN26('a', 0u), RUN26('A', 0u), RUN6('2', 26u)};
static const uint8_t digits_hex[256] = {RUN10('0', 0u), RUN6('a', 10u), RUN6('A', 10u)};

/* Bytes that `digits` digits hold; ERR_INPUT when a whole digit of them would carry no byte (a length no encoder makes). */
static enum err digits_bytes(size_t digits, unsigned bits, size_t *bytes) {
    size_t total_bits;
    if (!mul_size(digits, bits, &total_bits) || total_bits % 8 >= bits) return ERR_INPUT;
    *bytes = total_bits / 8;
    return ERR_OK;
}

/* Four digits of six bits are three bytes. */
static const uint8_t *take_quads(const uint8_t *p, const uint8_t *end, const uint8_t digits[256], uint32_t *all, uint8_t **out) {
    for (; end - p >= 4; p += 4, *out += 3) {
        uint32_t a = digits[p[0]], b = digits[p[1]], c = digits[p[2]], d = digits[p[3]];
        uint32_t held = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
        *all &= a & b & c & d;
        (*out)[0] = (uint8_t)(held >> 16);
        (*out)[1] = (uint8_t)(held >> 8);
        (*out)[2] = (uint8_t)held;
    }
    return p;
}

static enum err take_digits(struct slice text, const uint8_t digits[256], unsigned bits, uint8_t *out) {
    uint32_t held = 0, all = DIGIT;
    unsigned held_bits = 0;
    const uint8_t *p = text.p, *end = text.p + text.n;
    if (bits == 6) p = take_quads(p, end, digits, &all, &out);
    for (; p != end; p++) {
        uint32_t d = digits[*p];
        all &= d;
        held = held << bits | (d & (DIGIT - 1));
        held_bits += bits;
        if (held_bits >= 8) {
            held_bits -= 8;
            *out++ = (uint8_t)(held >> held_bits);
            held &= (1u << held_bits) - 1;
        }
    }
    return all != 0 && held == 0 ? ERR_OK : ERR_INPUT;
}

static enum err decode(struct slice text, const uint8_t digits[256], unsigned bits, struct buf *out) {
    size_t bytes;
    TRY(digits_bytes(text.n, bits, &bytes));
    if (bytes == 0) return ERR_OK;
    uint8_t *to = buf_room(out, bytes);
    if (to == NULL) return ERR_LIMIT;
    TRY(take_digits(text, digits, bits, to));
    out->n += bytes;
    return ERR_OK;
}

static enum err decode_fixed(struct slice text, const uint8_t digits[256], unsigned bits, uint8_t *out, size_t out_n) {
    size_t bytes;
    TRY(digits_bytes(text.n, bits, &bytes));
    if (bytes != out_n) return ERR_INPUT;
    return take_digits(text, digits, bits, out);
}

/* Takes the padding off: exactly as many '=' as the length demands, none elsewhere ('=' is no digit). */
static enum err base64_unpad(struct slice *text) {
    if (text->n % 4 != 0) return ERR_INPUT;
    for (int i = 0; i < 2 && text->n > 0 && text->p[text->n - 1] == '='; i++) text->n--;
    return ERR_OK;
}

enum err hex_decode(struct slice text, struct buf *out) { return decode(text, digits_hex, 4, out); }

enum err base64_decode(struct slice text, struct buf *out) {
    TRY(base64_unpad(&text));
    return decode(text, digits_base64, 6, out);
}

enum err base64url_decode(struct slice text, struct buf *out) { return decode(text, digits_base64url, 6, out); }

enum err base32_decode(struct slice text, struct buf *out) { return decode(text, digits_base32, 5, out); }

/* Not by decode_fixed(): each request's signature comes this way, in the front and in the gate. */
enum err hex_fixed(struct slice text, uint8_t *out, size_t out_n) {
    if (text.n % 2 != 0 || text.n / 2 != out_n) return ERR_INPUT;
    uint32_t all = DIGIT;
    for (size_t i = 0; i < out_n; i++) {
        uint32_t high = digits_hex[text.p[2 * i]], low = digits_hex[text.p[2 * i + 1]];
        all &= high & low;
        out[i] = (uint8_t)((high & 15) << 4 | (low & 15));
    }
    return all != 0 ? ERR_OK : ERR_INPUT;
}

enum err base64_fixed(struct slice text, uint8_t *out, size_t out_n) {
    TRY(base64_unpad(&text));
    return decode_fixed(text, digits_base64, 6, out, out_n);
}

enum err base64url_fixed(struct slice text, uint8_t *out, size_t out_n) { return decode_fixed(text, digits_base64url, 6, out, out_n); }

enum err base32_fixed(struct slice text, uint8_t *out, size_t out_n) { return decode_fixed(text, digits_base32, 5, out, out_n); }
