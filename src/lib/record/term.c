/* SPDX-License-Identifier: Apache-2.0
 * Terms of statements: `name=value`, each of its type, and what text a person may be shown.
 * Role: under statement.c; policy and gate read the terms with it.
 * Distrusts: every byte. What an approver reads before signing comes from the person who wants in: no direction marks that turn a sentence
 *   round, nothing invisible, no second spelling of a number or a name.
 * Law: 6. Spec: docs/spec/statement.md section 2, statement_term.def; Unicode 15 (general categories Cc, Cf, Co, Cn, Zl, Zp; Default_Ignorable).
 */
#include "record/record_json.h"

enum term_type { TYPE_WORD, TYPE_BUCKET, TYPE_PREFIX, TYPE_INT, TYPE_TIME, TYPE_ID, TYPE_HASH, TYPE_KEY, TYPE_COUNTRY, TYPE_TEXT };
enum term_often { ONE, MANY };
static const struct {
    const char *name;
    size_t name_n;
    enum term_type type;
    enum term_often often;
} terms[RECORD_TERM_COUNT] = {
#define TERM(NAME, name, type, often) [RECORD_TERM_##NAME] = {name, sizeof(name) - 1, TYPE_##type, often},
#include "record/statement_term.def"
};
_Static_assert(RECORD_TERM_COUNT <= 64, "sets of terms are 64-bit masks");

const char *record_term_name(enum record_term t)
{
    ASSERT(t < RECORD_TERM_COUNT);
    return terms[t].name;
}

/* texts -------------------------------------------------------------------------------------------------------------------- */

/* What has no shape of its own, changes how its neighbours are drawn, or means nothing that two readers agree on. Surrogates are not UTF-8. */
static const struct { uint32_t first, last; } unseen[] = {
    {0x00, 0x1f}, {0x22, 0x22}, {0x5c, 0x5c}, {0x7f, 0x9f}, {0xad, 0xad}, {0x34f, 0x34f}, {0x600, 0x605}, {0x61c, 0x61c},
    {0x6dd, 0x6dd}, {0x70f, 0x70f}, {0x890, 0x891}, {0x8e2, 0x8e2}, {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},
    {0x2028, 0x202e}, {0x2060, 0x206f}, {0x2800, 0x2800}, {0x3164, 0x3164}, {0xe000, 0xf8ff}, {0xfdd0, 0xfdef}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1345f}, {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0x1fffe, 0x1ffff}, {0x2fffe, 0x2ffff}, {0x323b0, 0x10ffff},
};

static bool is_seen(uint32_t c)
{
    for (size_t i = 0; i < ARRAY_LEN(unseen); i++)
        if (c >= unseen[i].first && c <= unseen[i].last) return false;
    return true;
}

/* Well-formed UTF-8 only. */
static uint32_t take_char(const uint8_t **p)
{
    uint32_t c = *(*p)++;
    unsigned more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    if (more > 0) c &= 0x3fu >> more;
    for (; more > 0; more--) c = c << 6 | (*(*p)++ & 0x3fu);
    return c;
}

bool record_text_ok(struct slice text)
{
    if (text.n == 0 || text.n > POLICY_TEXT_BYTES_MAX || !slice_is_utf8(text)) return false;
    for (const uint8_t *p = text.p; p < text.p + text.n;)
        if (!is_seen(take_char(&p))) return false;
    return true;
}

/* types -------------------------------------------------------------------------------------------------------------------- */

static bool is_lower_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_word(struct slice v)
{
    if (v.n == 0 || v.n > POLICY_WORD_CHARS_MAX) return false;
    for (size_t i = 0; i < v.n; i++)
        if (!is_lower_or_digit(v.p[i]) && v.p[i] != '.' && v.p[i] != '_' && v.p[i] != '-') return false;
    return true;
}

/* As a bucket may be called here; whether there is one of that name is for others. */
static bool is_bucket(struct slice v)
{
    if (v.n < 3 || v.n > S3_BUCKET_CHARS_MAX) return false;
    for (size_t i = 0; i < v.n; i++)
        if (!is_lower_or_digit(v.p[i]) && v.p[i] != '.' && v.p[i] != '-') return false;
    return is_lower_or_digit(v.p[0]) && is_lower_or_digit(v.p[v.n - 1]);
}

static bool is_unreserved(uint8_t c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' || c == '~' || c == '/';
}

/* Upper case as encoding-type=url writes it. */
static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum err record_prefix_decode(struct slice value, struct buf *out)
{
    size_t begin = out->n;
    if (value.n == 0) return ERR_OK;
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.p[i];
        if (c == '%') {
            int high = value.n - i < 3 ? -1 : digit_of(value.p[i + 1]), low = value.n - i < 3 ? -1 : digit_of(value.p[i + 2]);
            if (high < 0 || low < 0) return ERR_INPUT;
            c = (uint8_t)(high << 4 | low);
            if (c == 0 || is_unreserved(c)) return ERR_INPUT;     /* a second spelling of what stands for itself */
            i += 2;
        } else if (!is_unreserved(c)) {
            return ERR_INPUT;
        }
        buf_put_u8(out, c);
    }
    if (!buf_ok(out)) return ERR_LIMIT;
    struct slice key = slice_of(out->p + begin, out->n - begin);
    if (key.n > S3_KEY_BYTES_MAX) return ERR_LIMIT;
    return slice_is_utf8(key) ? ERR_OK : ERR_INPUT;
}

static bool is_prefix(struct slice v)
{
    AUTO(buf) struct buf key = BUF_INIT(RECORD_TEXT_BYTES_MAX);
    return record_prefix_decode(v, &key) == ERR_OK;
}

static bool is_int(struct slice v)
{
    uint64_t n;
    return (v.n == 1 || (v.n > 1 && v.p[0] != '0')) && slice_u64(v, RECORD_INT_MAX, &n) == ERR_OK;
}

static bool is_id(struct slice v)
{
    uint8_t id[ID_BYTES];
    return record_id_get(v, id) == ERR_OK;
}

static bool is_key(struct slice v)
{
    struct record_passkey key;
    if (slice_starts(v, SLICE_LIT("passkey:"))) return record_passkey_parse(v, &key) == ERR_OK;
    uint8_t padded[44], hash[HASH_BYTES];
    if (v.n != SSH_FINGERPRINT_CHARS || !slice_starts(v, SLICE_LIT("SHA256:"))) return false;
    memcpy(padded, v.p + 7, 43);
    padded[43] = '=';
    return base64_fixed(slice_of(padded, sizeof padded), hash, sizeof hash) == ERR_OK;
}

static bool value_ok(enum term_type type, struct slice v)
{
    uint8_t hash[HASH_BYTES];
    switch (type) {
    case TYPE_WORD: return is_word(v);
    case TYPE_BUCKET: return is_bucket(v);
    case TYPE_PREFIX: return is_prefix(v);
    case TYPE_INT:
    case TYPE_TIME: return is_int(v);
    case TYPE_ID: return is_id(v);
    case TYPE_HASH: return base64url_fixed(v, hash, sizeof hash) == ERR_OK;
    case TYPE_KEY: return is_key(v);
    case TYPE_COUNTRY: return v.n == 2 && v.p[0] >= 'A' && v.p[0] <= 'Z' && v.p[1] >= 'A' && v.p[1] <= 'Z';
    case TYPE_TEXT: break;
    }
    return record_text_ok(v);
}

/* lists -------------------------------------------------------------------------------------------------------------------- */

static struct slice name_of(enum record_term t) { return slice_of((const uint8_t *)terms[t].name, terms[t].name_n); }

/* The item's term, from *t on: items are in order, and so are the names in the table. */
static bool term_of(struct slice name, enum record_term *t)
{
    while (*t < RECORD_TERM_COUNT && !slice_eq(name, name_of(*t))) (*t)++;
    return *t < RECORD_TERM_COUNT;
}

enum err record_terms_check(struct slice list, record_term_set required, record_term_set allowed)
{
    record_term_set have = 0;
    struct slice rest = list, item, before = {NULL, 0}, name;
    enum record_term t = 0;
    while (record_list_text(&rest, &item)) {
        if (before.p && slice_cmp(before, item) >= 0) return ERR_INPUT;
        before = item;
        struct slice value = slice_cut(item, '=', &name);
        if (name.n == item.n || !term_of(name, &t) || !(allowed >> t & 1)) return ERR_INPUT;
        if (terms[t].often == ONE && have >> t & 1) return ERR_INPUT;
        if (!value_ok(terms[t].type, value)) return ERR_INPUT;
        have |= 1ull << t;
    }
    return (have & required) == required ? ERR_OK : ERR_INPUT;
}

struct slice record_term(const struct record_statement *s, enum record_term t, size_t nth)
{
    ASSERT(t < RECORD_TERM_COUNT);
    struct slice rest = s->terms, item, want = name_of(t);
    while (record_list_text(&rest, &item)) {
        if (item.n <= want.n || item.p[want.n] != '=' || memcmp(item.p, want.p, want.n) != 0) continue;
        if (nth-- == 0) return slice_of(item.p + want.n + 1, item.n - want.n - 1);
    }
    return (struct slice){NULL, 0};
}

uint64_t record_term_int(const struct record_statement *s, enum record_term t, uint64_t otherwise)
{
    uint64_t v;
    ASSERT(terms[t].type == TYPE_INT || terms[t].type == TYPE_TIME);
    struct slice text = record_term(s, t, 0);
    return text.p && slice_u64(text, RECORD_INT_MAX, &v) == ERR_OK ? v : otherwise;
}

/* The order of `name=value` as text: names are in order in the table, and none begins with another. */
static int compare(const struct record_term_value *a, const struct record_term_value *b)
{
    if (a->term != b->term) return a->term < b->term ? -1 : 1;
    return slice_cmp(a->value, b->value);
}

enum err record_terms_put(const struct record_term_value *v, size_t count, record_term_set required, record_term_set allowed, struct buf *out)
{
    size_t begin = out->n + 1;
    /* Before they are written: what a value says must not become another item. */
    for (size_t i = 0; i < count; i++)
        if (v[i].term >= RECORD_TERM_COUNT || !value_ok(terms[v[i].term].type, v[i].value)) return ERR_INPUT;
    buf_put_u8(out, '[');
    const struct record_term_value *last = NULL;
    for (size_t n = 0; n < count; n++) {
        const struct record_term_value *next = NULL;
        for (size_t i = 0; i < count; i++)
            if ((!last || compare(&v[i], last) > 0) && (!next || compare(&v[i], next) < 0)) next = &v[i];
        if (!next) return ERR_INPUT;                  /* two are equal */
        buf_put_str(out, last ? ",\"" : "\"");
        buf_put_str(out, terms[next->term].name);
        buf_put_u8(out, '=');
        buf_put_slice(out, next->value);
        buf_put_u8(out, '"');
        last = next;
    }
    if (!buf_ok(out)) return ERR_INPUT;
    enum err e = record_terms_check(slice_of(out->p + begin, out->n - begin), required, allowed);
    buf_put_u8(out, ']');
    return e;
}
