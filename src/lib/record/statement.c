/* SPDX-License-Identifier: Apache-2.0
 * Statements: what a person signs, as canonical JSON.
 * Role: tools write them, persons sign them, the gate reads them on arrival and again when it relies on them.
 * Distrusts: every byte; a statement means nothing before its signature verifies.
 * Law: 6. Spec: docs/spec/statement.md, statement.def.
 */
#include "record/record_json.h"

#define STATEMENT_VERSION 1
#define S(PART) RECORD_S_##PART
static const struct {
    const char *text;
    unsigned required, allowed;
} kinds[RECORD_STATEMENT_COUNT] = {
#define STATEMENT(NAME, text, required, allowed) [RECORD_STATEMENT_##NAME] = {text, required, allowed},
#include "record/statement.def"
};

/* The keys in byte order; `have` bits above the parts: what every statement must have. */
enum { KEY_HEAD, KEY_KIND, KEY_NONCE, KEY_SCOPE, KEY_SUBJECT, KEY_T, KEY_TENANT, KEY_V, KEY_COUNT };
static const char *const keys[KEY_COUNT] = {"head", "kind", "nonce", "scope", "subject", "t", "tenant", "v"};
static const unsigned parts[KEY_COUNT] = {[KEY_HEAD] = RECORD_S_HEAD, [KEY_SCOPE] = RECORD_S_SCOPE,
                                          [KEY_SUBJECT] = RECORD_S_SUBJECT, [KEY_TENANT] = RECORD_S_TENANT};
#define ALWAYS (1u << KEY_KIND | 1u << KEY_NONCE | 1u << KEY_T | 1u << KEY_V)

static enum err parse_kind(struct slice text, enum record_statement_kind *out)
{
    for (unsigned k = 0; k < RECORD_STATEMENT_COUNT; k++) {
        if (!slice_is(text, kinds[k].text)) continue;
        *out = (enum record_statement_kind)k;
        return ERR_OK;
    }
    return ERR_VERSION;
}

static enum err parse_id(struct slice text, uint8_t out[ID_BYTES])
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= 'A' && text.p[i] <= 'Z') return ERR_INPUT;
    return base32_fixed(text, out, ID_BYTES);
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
    if (key == KEY_SCOPE) return record_json_get_list(j, true, &s->scope, &count);
    TRY(record_json_get_text(j, &text));
    switch (key) {
    case KEY_HEAD: return parse_head(text, s);
    case KEY_KIND: return parse_kind(text, &s->kind);
    case KEY_NONCE: return base64url_fixed(text, s->nonce, NONCE_BYTES);
    case KEY_TENANT: return parse_id(text, s->tenant);
    default: ASSERT(key == KEY_SUBJECT); s->subject = text; return ERR_OK;
    }
}

static bool parts_ok(enum record_statement_kind k, unsigned have)
{
    return (have & kinds[k].required) == kinds[k].required && (have & ~kinds[k].allowed) == 0;
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
    return parts_ok(out->kind, out->have) ? ERR_OK : ERR_INPUT;
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

static void put_value(struct buf *out, unsigned key, const struct record_statement *s, const struct slice *scope, size_t count)
{
    switch (key) {
    case KEY_T: buf_put_dec(out, s->t); return;
    case KEY_V: buf_put_dec(out, STATEMENT_VERSION); return;
    case KEY_SCOPE: put_scope(out, scope, count); return;
    case KEY_SUBJECT: record_json_text(out, s->subject); return;
    case KEY_KIND: record_json_text(out, slice_str(kinds[s->kind].text)); return;
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
}

enum err record_statement_write(const struct record_statement *s, const struct slice *scope, size_t scope_count, struct buf *out)
{
    ASSERT(s->kind < RECORD_STATEMENT_COUNT);
    if (!parts_ok(s->kind, s->have) || scope_count > RECORD_LIST_ITEMS_MAX) return ERR_INPUT;
    if (s->t > RECORD_INT_MAX || s->head_size > RECORD_INT_MAX) return ERR_INPUT;
    size_t begin = out->n;
    bool first = true;
    for (unsigned key = 0; key < KEY_COUNT; key++) {
        if (!(ALWAYS >> key & 1) && !(s->have & parts[key])) continue;
        record_json_key(out, first, keys[key]);
        first = false;
        put_value(out, key, s, scope, scope_count);
    }
    buf_put_u8(out, '}');
    return buf_ok(out) && out->n - begin <= STATEMENT_BYTES_MAX ? ERR_OK : ERR_INPUT;
}
