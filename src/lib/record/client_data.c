/* SPDX-License-Identifier: Apache-2.0
 * clientDataJSON of a passkey's assertion: what the browser says it was asked to sign.
 * Role: under webauthn.c. Any JSON, because browsers add members over the years. Distrusts: every byte. Names are compared decoded, and none may come
 * twice: of two `challenge` each reader would take the one it likes.
 * Law: 6. Spec: docs/spec/statement.md section 7; W3C Web Authentication Level 2, sections 5.8.1 and 7.2 (steps 8 to 14); RFC 8259.
 */
#include "record/record_json.h"

#define MEMBERS_MAX 32
#define DEPTH_MAX 8

struct cursor {
    const uint8_t *p, *end;
    uint8_t *out;                                     /* decoded strings go here: never more bytes than their text */
};
enum shape { SHAPE_STRING, SHAPE_TRUE, SHAPE_FALSE, SHAPE_OBJECT, SHAPE_OTHER };
struct value {
    enum shape shape;
    struct slice text;                                /* STRING: decoded; OBJECT: as it stands */
};
struct member {
    struct slice name;
    struct value v;
};

static void skip_blanks(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r')) c->p++;
}

static bool take(struct cursor *c, uint8_t want)
{
    if (c->p == c->end || *c->p != want) return false;
    c->p++;
    return true;
}

static bool take_word(struct cursor *c, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0) return false;
    c->p += n;
    return true;
}

static bool take_hex4(struct cursor *c, uint32_t *out)
{
    uint8_t two[2];
    if (c->end - c->p < 4 || hex_fixed(slice_of(c->p, 4), two, 2) != ERR_OK) return false;
    c->p += 4;
    *out = get_be16(two);
    return true;
}

static void put_utf8(struct cursor *c, uint32_t v)
{
    if (v < 0x80) {
        *c->out++ = (uint8_t)v;
        return;
    }
    if (v < 0x800) {
        *c->out++ = (uint8_t)(0xc0 | v >> 6);
    } else {
        if (v < 0x10000) *c->out++ = (uint8_t)(0xe0 | v >> 12);
        if (v >= 0x10000) {
            *c->out++ = (uint8_t)(0xf0 | v >> 18);
            *c->out++ = (uint8_t)(0x80 | (v >> 12 & 0x3f));
        }
        *c->out++ = (uint8_t)(0x80 | (v >> 6 & 0x3f));
    }
    *c->out++ = (uint8_t)(0x80 | (v & 0x3f));
}

/* Behind the backslash. */
static bool take_escape(struct cursor *c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (c->p == c->end) return false;
    uint8_t e = *c->p++;
    const char *at = e ? strchr(from, e) : NULL;
    if (at) {
        *c->out++ = (uint8_t)to[at - from];
        return true;
    }
    uint32_t v, low;
    if (e != 'u' || !take_hex4(c, &v) || (v >= 0xdc00 && v <= 0xdfff)) return false;
    if (v >= 0xd800 && v <= 0xdbff) {                  /* half of a pair: the other half must follow */
        if (!take_word(c, "\\u") || !take_hex4(c, &low) || low < 0xdc00 || low > 0xdfff) return false;
        v = 0x10000 + ((v - 0xd800) << 10 | (low - 0xdc00));
    }
    put_utf8(c, v);
    return true;
}

static bool take_string(struct cursor *c, struct slice *out)
{
    const uint8_t *begin = c->out;
    if (!take(c, '"')) return false;
    while (c->p < c->end && *c->p != '"') {
        uint8_t b = *c->p++;
        if (b < 0x20) return false;
        if (b != '\\')
            *c->out++ = b;
        else if (!take_escape(c))
            return false;
    }
    *out = slice_of(begin, (size_t)(c->out - begin));
    return take(c, '"');
}

static bool take_digits(struct cursor *c)
{
    const uint8_t *begin = c->p;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9') c->p++;
    return c->p > begin;
}

static bool take_number(struct cursor *c)
{
    (void)take(c, '-');
    if (!take(c, '0') && !take_digits(c)) return false;
    if (take(c, '.') && !take_digits(c)) return false;
    if (!take(c, 'e') && !take(c, 'E')) return true;
    if (!take(c, '+')) (void)take(c, '-');
    return take_digits(c);
}

static bool take_value(struct cursor *c, unsigned depth, struct value *v);

static bool take_array(struct cursor *c, unsigned depth)
{
    struct value v;
    if (!take(c, '[')) return false;
    skip_blanks(c);
    if (take(c, ']')) return true;
    do {
        if (!take_value(c, depth, &v)) return false;
    } while (take(c, ','));
    return take(c, ']');
}

/* Every member into m, MEMBERS_MAX at most. */
static bool take_object(struct cursor *c, unsigned depth, struct member *m, size_t *count)
{
    *count = 0;
    if (!take(c, '{')) return false;
    skip_blanks(c);
    if (take(c, '}')) return true;
    do {
        struct member *x = &m[*count];
        if (*count == MEMBERS_MAX) return false;
        skip_blanks(c);
        if (!take_string(c, &x->name)) return false;
        for (size_t i = 0; i < *count; i++)
            if (slice_eq(m[i].name, x->name)) return false;
        skip_blanks(c);
        if (!take(c, ':') || !take_value(c, depth, &x->v)) return false;
        ++*count;
    } while (take(c, ','));
    return take(c, '}');
}

/* One value and the blanks round it. */
static bool take_value(struct cursor *c, unsigned depth, struct value *v)
{
    if (depth == DEPTH_MAX) return false;
    skip_blanks(c);
    const uint8_t *begin = c->p;
    bool ok = false;
    *v = (struct value){.shape = SHAPE_OTHER};
    switch (c->p == c->end ? 0 : *c->p) {
    case '"': v->shape = SHAPE_STRING; ok = take_string(c, &v->text); break;
    case 't': v->shape = SHAPE_TRUE; ok = take_word(c, "true"); break;
    case 'f': v->shape = SHAPE_FALSE; ok = take_word(c, "false"); break;
    case 'n': ok = take_word(c, "null"); break;
    case '[': ok = take_array(c, depth + 1); break;
    case '{': {
        struct member m[MEMBERS_MAX];
        size_t count;
        v->shape = SHAPE_OBJECT;
        ok = take_object(c, depth + 1, m, &count);
        v->text = slice_of(begin, (size_t)(c->p - begin));
        break;
    }
    default: ok = take_number(c); break;
    }
    skip_blanks(c);
    return ok;
}

static const struct value *member(const struct member *m, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is(m[i].name, name)) return &m[i].v;
    return NULL;
}

static bool says(const struct value *v, struct slice text)
{
    return v && v->shape == SHAPE_STRING && slice_eq(v->text, text);
}

/* Nobody here negotiates token binding: a client that says it did is not talking to us (7.2, step 14). */
static bool binds_token(const struct value *v, uint8_t *scratch)
{
    struct member m[MEMBERS_MAX];
    size_t count;
    if (!v) return false;
    struct cursor c = {v->text.p, v->text.p + v->text.n, scratch};
    if (v->shape != SHAPE_OBJECT || !take_object(&c, 1, m, &count)) return true;
    return !says(member(m, count, "status"), SLICE_LIT("supported"));
}

enum record_webauthn record_client_data_check(struct slice text, struct slice challenge, struct slice origin)
{
    uint8_t decoded[WEBAUTHN_CLIENT_DATA_BYTES_MAX], again[WEBAUTHN_CLIENT_DATA_BYTES_MAX];
    struct member m[MEMBERS_MAX];
    size_t count;
    struct cursor c = {text.p, text.p + text.n, decoded};
    ASSERT(text.n <= sizeof decoded);
    skip_blanks(&c);
    if (!slice_is_utf8(text) || !take_object(&c, 0, m, &count)) return RECORD_WEBAUTHN_MALFORMED;
    skip_blanks(&c);
    if (c.p != c.end) return RECORD_WEBAUTHN_MALFORMED;
    if (!says(member(m, count, "type"), SLICE_LIT("webauthn.get"))) return RECORD_WEBAUTHN_TYPE;
    if (!says(member(m, count, "challenge"), challenge)) return RECORD_WEBAUTHN_CHALLENGE;
    if (!says(member(m, count, "origin"), origin)) return RECORD_WEBAUTHN_ORIGIN;
    const struct value *cross = member(m, count, "crossOrigin");
    if ((cross && cross->shape != SHAPE_FALSE) || member(m, count, "topOrigin")) return RECORD_WEBAUTHN_CROSS_ORIGIN;
    return binds_token(member(m, count, "tokenBinding"), again) ? RECORD_WEBAUTHN_TOKEN_BINDING : RECORD_WEBAUTHN_OK;
}
