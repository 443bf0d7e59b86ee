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

static int digit_hex(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    uint8_t low = c | 0x20;
    if (low >= 'a' && low <= 'f') return low - 'a' + 10;
    return -1;
}

static int digit_base32(uint8_t c) {
    if (c >= 'a' && c <= 'z') return c - 'a';
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= '2' && c <= '7') return c - '2' + 26;
    return -1;
}

static int digit_base64_common(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return -1;
}

static int digit_base64(uint8_t c) { return c == '+' ? 62 : c == '/' ? 63 : digit_base64_common(c); }

static int digit_base64url(uint8_t c) { return c == '-' ? 62 : c == '_' ? 63 : digit_base64_common(c); }

/* Bytes that `digits` digits hold; ERR_INPUT when a whole digit of them would carry no byte (a length no encoder makes). */
static enum err digits_bytes(size_t digits, unsigned bits, size_t *bytes) {
    size_t total_bits;
    if (!mul_size(digits, bits, &total_bits) || total_bits % 8 >= bits) return ERR_INPUT;
    *bytes = total_bits / 8;
    return ERR_OK;
}

static enum err take_digits(struct slice text, int (*digit)(uint8_t), unsigned bits, uint8_t *out) {
    uint32_t held = 0;
    unsigned held_bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        int d = digit(text.p[i]);
        if (d < 0) return ERR_INPUT;
        held = held << bits | (uint32_t)d;
        held_bits += bits;
        if (held_bits >= 8) {
            held_bits -= 8;
            *out++ = (uint8_t)(held >> held_bits);
            held &= (1u << held_bits) - 1;
        }
    }
    return held == 0 ? ERR_OK : ERR_INPUT;
}

static enum err decode(struct slice text, int (*digit)(uint8_t), unsigned bits, struct buf *out) {
    size_t bytes;
    TRY(digits_bytes(text.n, bits, &bytes));
    if (bytes == 0) return ERR_OK;
    uint8_t *to = buf_room(out, bytes);
    if (to == NULL) return ERR_LIMIT;
    TRY(take_digits(text, digit, bits, to));
    out->n += bytes;
    return ERR_OK;
}

static enum err decode_fixed(struct slice text, int (*digit)(uint8_t), unsigned bits, uint8_t *out, size_t out_n) {
    size_t bytes;
    TRY(digits_bytes(text.n, bits, &bytes));
    if (bytes != out_n) return ERR_INPUT;
    return take_digits(text, digit, bits, out);
}

/* Takes the padding off: exactly as many '=' as the length demands, none elsewhere ('=' is no digit). */
static enum err base64_unpad(struct slice *text) {
    if (text->n % 4 != 0) return ERR_INPUT;
    for (int i = 0; i < 2 && text->n > 0 && text->p[text->n - 1] == '='; i++) text->n--;
    return ERR_OK;
}

enum err hex_decode(struct slice text, struct buf *out) { return decode(text, digit_hex, 4, out); }

enum err base64_decode(struct slice text, struct buf *out) {
    TRY(base64_unpad(&text));
    return decode(text, digit_base64, 6, out);
}

enum err base64url_decode(struct slice text, struct buf *out) { return decode(text, digit_base64url, 6, out); }

enum err base32_decode(struct slice text, struct buf *out) { return decode(text, digit_base32, 5, out); }

/* Not by decode_fixed(): each request's signature comes this way, in the front and in the gate. */
enum err hex_fixed(struct slice text, uint8_t *out, size_t out_n) {
    if (text.n % 2 != 0 || text.n / 2 != out_n) return ERR_INPUT;
    int bad = 0;
    for (size_t i = 0; i < out_n; i++) {
        int high = digit_hex(text.p[2 * i]), low = digit_hex(text.p[2 * i + 1]);
        bad |= high | low;
        out[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    return bad < 0 ? ERR_INPUT : ERR_OK;
}

enum err base64_fixed(struct slice text, uint8_t *out, size_t out_n) {
    TRY(base64_unpad(&text));
    return decode_fixed(text, digit_base64, 6, out, out_n);
}

enum err base64url_fixed(struct slice text, uint8_t *out, size_t out_n) {
    return decode_fixed(text, digit_base64url, 6, out, out_n);
}

enum err base32_fixed(struct slice text, uint8_t *out, size_t out_n) { return decode_fixed(text, digit_base32, 5, out, out_n); }
