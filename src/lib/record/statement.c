/* SPDX-License-Identifier: Apache-2.0
 * Statements: what a person signs, as canonical JSON.
 * Role: tools write them, persons sign them, the gate reads them on arrival and again when it relies on them.
 * Distrusts: every byte; a statement means nothing before its signature verifies.
 * Law: 6. Spec: docs/spec/statement.md, statement.def.
 */
#include "record/record_json.h"

#define STATEMENT_VERSION 1
#define S(PART) RECORD_S_##PART
#define T(TERM) (1ull << RECORD_TERM_##TERM)
static const struct {
    const char *text;
    unsigned required, allowed;
    record_term_set terms, more_terms;
} kinds[RECORD_STATEMENT_COUNT] = {
#define STATEMENT(NAME, text, required, allowed, terms, more_terms) [RECORD_STATEMENT_##NAME] = {text, required, allowed, terms, more_terms},
#include "record/statement.def"
};
#undef S
#undef T

/* The keys in byte order; `have` bits above the parts: what every statement must have. */
enum { KEY_HEAD, KEY_KIND, KEY_NONCE, KEY_SCOPE, KEY_SUBJECT, KEY_T, KEY_TENANT, KEY_TERMS, KEY_V, KEY_COUNT };
static const char *const keys[KEY_COUNT] = {"head", "kind", "nonce", "scope", "subject", "t", "tenant", "terms", "v"};
static const unsigned parts[KEY_COUNT] = {[KEY_HEAD] = RECORD_S_HEAD, [KEY_SCOPE] = RECORD_S_SCOPE,
                                          [KEY_SUBJECT] = RECORD_S_SUBJECT, [KEY_TENANT] = RECORD_S_TENANT,
                                          [KEY_TERMS] = RECORD_S_TERMS};
#define ALWAYS (1u << KEY_KIND | 1u << KEY_NONCE | 1u << KEY_T | 1u << KEY_V)

bool record_statement_kind_of(struct slice text, enum record_statement_kind *out)
{
    for (unsigned k = 0; k < RECORD_STATEMENT_COUNT; k++) {
        if (!slice_is(text, kinds[k].text)) continue;
        *out = (enum record_statement_kind)k;
        return true;
    }
    return false;
}

const char *record_statement_kind_text(enum record_statement_kind k)
{
    ASSERT(k < RECORD_STATEMENT_COUNT);
    return kinds[k].text;
}

bool record_kind_has_terms(enum record_statement_kind k)
{
    ASSERT(k < RECORD_STATEMENT_COUNT);
    return (kinds[k].terms | kinds[k].more_terms) != 0;
}

/* "300:base64url root" */
static enum err parse_head(struct slice text, struct record_statement *s)
{
    struct slice size;
    struct slice root = slice_cut(text, ':', &size);
    if (size.n > 1 && size.p[0] == '0') return ERR_INPUT;
    TRY(slice_u64(size, RECORD_INT_MAX, &s->head_size));
    return base64url_fixed(root, s->head_root, HASH_BYTES);
}

static enum err parse_value(struct record_json *j, unsigned key, struct record_statement *s, uint64_t *v)
{
    struct slice text;
    uint64_t count;
    if (key == KEY_T) return record_json_get_int(j, &s->t);
    if (key == KEY_V) return record_json_get_int(j, v);
    if (key == KEY_SCOPE) return record_json_get_list(j, RECORD_JSON_TEXTS, &s->scope, &count);
    if (key == KEY_TERMS) return record_json_get_list(j, RECORD_JSON_TERMS, &s->terms, &count);
    TRY(record_json_get_text(j, &text));
    switch (key) {
    case KEY_HEAD: return parse_head(text, s);
    case KEY_KIND: return record_statement_kind_of(text, &s->kind) ? ERR_OK : ERR_VERSION;
    case KEY_NONCE: return base64url_fixed(text, s->nonce, NONCE_BYTES);
    case KEY_TENANT: return record_id_get(text, s->tenant);
    default: ASSERT(key == KEY_SUBJECT); s->subject = text; return ERR_OK;
    }
}

/* A kind with terms always has the part, be it empty: there is one spelling of having none. */
static bool parts_ok(enum record_statement_kind k, unsigned have)
{
    unsigned terms = record_kind_has_terms(k) ? RECORD_S_TERMS : 0, required = kinds[k].required | terms, allowed = kinds[k].allowed | terms;
    return (have & required) == required && (have & ~allowed) == 0;
}

bool record_statement_time(struct slice text, uint64_t *t)
{
    /* No value holds a quotation mark, so this is the key and nothing else. */
    const uint8_t *at = text.n > 0 ? memmem(text.p, text.n, "\"t\":", 4) : NULL;
    if (!at) return false;
    struct slice digits = slice_of(at + 4, 0);
    while (digits.p + digits.n < text.p + text.n && digits.p[digits.n] >= '0' && digits.p[digits.n] <= '9') digits.n++;
    return slice_u64(digits, RECORD_INT_MAX, t) == ERR_OK;
}

enum err record_statement_parse(struct slice text, struct record_statement *out)
{
    *out = (struct record_statement){0};
    if (text.n > STATEMENT_BYTES_MAX) return ERR_LIMIT;
    struct record_json j;
    struct slice name;
    bool more;
    unsigned seen = 0;
    uint64_t v = 0;
    TRY(record_json_open(&j, text));
    unsigned key = 0;
    TRY(record_json_next(&j, &name, &more));
    for (; more; key++) {
        while (key < KEY_COUNT && !slice_is(name, keys[key])) key++;
        if (key == KEY_COUNT) return ERR_INPUT;
        TRY(parse_value(&j, key, out, &v));
        seen |= 1u << key;
        out->have |= parts[key];
        TRY(record_json_next(&j, &name, &more));
    }
    if ((seen & ALWAYS) != ALWAYS) return ERR_INPUT;
    if (v != STATEMENT_VERSION) return ERR_VERSION;
    if (!parts_ok(out->kind, out->have)) return ERR_INPUT;
    return record_terms_check(out->terms, kinds[out->kind].terms, kinds[out->kind].terms | kinds[out->kind].more_terms);
}

static void put_scope(struct buf *out, const struct slice *scope, size_t count)
{
    buf_put_u8(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buf_put_u8(out, ',');
        record_json_text(out, scope[i]);
    }
    buf_put_u8(out, ']');
}

/* What the lists are written from: struct record_statement has them as text that was read. */
struct lists {
    const struct slice *scope;
    size_t scope_count;
    const struct record_term_value *terms;
    size_t term_count;
};

static enum err put_value(struct buf *out, unsigned key, const struct record_statement *s, const struct lists *l)
{
    record_term_set terms = kinds[s->kind].terms;
    switch (key) {
    case KEY_T: buf_put_dec(out, s->t); return ERR_OK;
    case KEY_V: buf_put_dec(out, STATEMENT_VERSION); return ERR_OK;
    case KEY_SCOPE: put_scope(out, l->scope, l->scope_count); return ERR_OK;
    case KEY_SUBJECT: record_json_text(out, s->subject); return ERR_OK;
    case KEY_KIND: record_json_text(out, slice_str(kinds[s->kind].text)); return ERR_OK;
    case KEY_TERMS: return record_terms_put(l->terms, l->term_count, terms, terms | kinds[s->kind].more_terms, out);
    default: break;
    }
    buf_put_u8(out, '"');
    if (key == KEY_NONCE) buf_put_base64url(out, slice_of(s->nonce, NONCE_BYTES));
    if (key == KEY_TENANT) buf_put_base32(out, slice_of(s->tenant, ID_BYTES));
    if (key == KEY_HEAD) {
        buf_put_dec(out, s->head_size);
        buf_put_u8(out, ':');
        buf_put_base64url(out, slice_of(s->head_root, HASH_BYTES));
    }
    buf_put_u8(out, '"');
    return ERR_OK;
}

static enum err write(const struct record_statement *s, unsigned have, const struct lists *l, struct buf *out)
{
    if (!parts_ok(s->kind, have)) return ERR_INPUT;
    if (s->t > RECORD_INT_MAX || s->head_size > RECORD_INT_MAX) return ERR_INPUT;
    size_t begin = out->n;
    bool first = true;
    for (unsigned key = 0; key < KEY_COUNT; key++) {
        if (!(ALWAYS >> key & 1) && !(have & parts[key])) continue;
        record_json_key(out, first, keys[key]);
        first = false;
        TRY(put_value(out, key, s, l));
    }
    buf_put_u8(out, '}');
    return buf_ok(out) && out->n - begin <= STATEMENT_BYTES_MAX ? ERR_OK : ERR_INPUT;
}

enum err record_statement_write(const struct record_statement *s, const struct slice *scope, size_t scope_count, struct buf *out)
{
    ASSERT(s->kind < RECORD_STATEMENT_COUNT);
    if (record_kind_has_terms(s->kind) || scope_count > RECORD_LIST_ITEMS_MAX) return ERR_INPUT;
    const struct lists l = {.scope = scope, .scope_count = scope_count};
    return write(s, s->have, &l, out);
}

enum err record_statement_write_terms(const struct record_statement *s, const struct record_term_value *terms, size_t count, struct buf *out)
{
    ASSERT(s->kind < RECORD_STATEMENT_COUNT);
    if (!record_kind_has_terms(s->kind) || count > RECORD_LIST_ITEMS_MAX) return ERR_INPUT;
    const struct lists l = {.terms = terms, .term_count = count};
    return write(s, s->have | RECORD_S_TERMS, &l, out);
}

enum err record_stmt_value_get(struct slice value, struct record_stmt_value *out)
{
    struct reader r = reader_of(value);
    out->text = reader_lp16(&r, STATEMENT_BYTES_MAX);
    out->signature = reader_slice(&r, reader_left(&r));
    TRY(reader_end(&r));
    if (out->text.n == 0 || out->signature.n == 0) return ERR_INPUT;
    out->passkey = out->signature.p[0] == '{';
    return out->signature.n <= (out->passkey ? ASSERTION_CHARS_MAX : SSHSIG_CHARS_MAX) ? ERR_OK : ERR_LIMIT;
}
