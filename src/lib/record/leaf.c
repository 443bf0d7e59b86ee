/* SPDX-License-Identifier: Apache-2.0
 * Leaves: the table of kinds and fields, the writer, the reader.
 * Role: the gate writes one leaf per decision here; replay reads them.
 * Trusts: the caller for the order of fields (asserted). Distrusts: text that may come from requests, every leaf it reads.
 * Law: 1; 4 (what decide was given stands in the leaf and its opening).
 * Spec: docs/spec/record.md, record.def.
 */
#include "record/record_json.h"
#include "record/record_open.h"

#define K(NAME) (1u << RECORD_K_##NAME)
#define ALL ((1u << RECORD_KIND_COUNT) - 1)
_Static_assert(RECORD_KIND_COUNT < 32, "kinds are bits of an unsigned");

#define RECORD_LEAF_VERSION 1

static const struct {
    const char *text;
    unsigned logs;
} kinds[RECORD_KIND_COUNT] = {
#define KIND(NAME, text, logs) [RECORD_K_##NAME] = {text, logs},
#include "record/record.def"
};

/* TEXT, INT ... of the table. */
#define TYPE_OF(type) RECORD_##type
static const struct {
    const char *key;
    enum record_type type;
    unsigned required, allowed;
} fields[RECORD_FIELD_COUNT] = {
#define FIELD(NAME, key, type, required, allowed) [RECORD_F_##NAME] = {key, TYPE_OF(type), required, allowed},
#include "record/record.def"
};

const char *record_kind_text(enum record_kind k)
{
    ASSERT(k < RECORD_KIND_COUNT);
    return kinds[k].text;
}

const char *record_field_key(enum record_field f)
{
    ASSERT(f < RECORD_FIELD_COUNT);
    return fields[f].key;
}

enum record_type record_field_type(enum record_field f)
{
    ASSERT(f < RECORD_FIELD_COUNT);
    return fields[f].type;
}

/* ERR_VERSION when there is no such kind (a newer writer's). */
static enum err parse_kind(struct slice text, enum record_kind *out)
{
    for (unsigned k = 0; k < RECORD_KIND_COUNT; k++) {
        if (!slice_is(text, kinds[k].text)) continue;
        *out = (enum record_kind)k;
        return ERR_OK;
    }
    return ERR_VERSION;
}

/* writer ----------------------------------------------------------------------------------------------------------- */

void record_begin(struct record_writer *w, enum record_kind kind, struct buf *leaf, struct buf *opening)
{
    ASSERT(kind < RECORD_KIND_COUNT);
    *w = (struct record_writer){.leaf = leaf, .opening = opening, .kind = kind};
    buf_reset(leaf);
    if (opening == NULL) return;
    buf_reset(opening);
    buf_put_u8(opening, RECORD_OPENING_VERSION);
}

static void put_key(struct record_writer *w, enum record_field f)
{
    ASSERT(w->have >> f == 0);                        /* ascending, each once */
    ASSERT(fields[f].allowed >> w->kind & 1);
    record_json_key(w->leaf, w->have == 0, fields[f].key);
    w->have |= 1ull << f;
}

/* kind and v come by themselves when the field after them comes. */
static void put_own_before(struct record_writer *w, unsigned f)
{
    if (f > RECORD_F_KIND && !(w->have >> RECORD_F_KIND & 1)) {
        put_key(w, RECORD_F_KIND);
        record_json_text(w->leaf, slice_str(kinds[w->kind].text));
    }
    if (f > RECORD_F_V && !(w->have >> RECORD_F_V & 1)) {
        put_key(w, RECORD_F_V);
        buf_put_dec(w->leaf, RECORD_LEAF_VERSION);
    }
}

static void put_field(struct record_writer *w, enum record_field f, enum record_type type)
{
    ASSERT(f < RECORD_FIELD_COUNT && fields[f].type == type && f != RECORD_F_KIND && f != RECORD_F_V);
    put_own_before(w, f);
    put_key(w, f);
}

void record_put_int(struct record_writer *w, enum record_field f, uint64_t v)
{
    ASSERT(v <= RECORD_INT_MAX);
    put_field(w, f, RECORD_INT);
    buf_put_dec(w->leaf, v);
}

void record_put_text(struct record_writer *w, enum record_field f, struct slice text)
{
    put_field(w, f, RECORD_TEXT);
    record_json_text(w->leaf, text);
}

void record_put_id(struct record_writer *w, enum record_field f, const uint8_t id[ID_BYTES])
{
    put_field(w, f, RECORD_ID);
    buf_put_u8(w->leaf, '"');
    buf_put_base32(w->leaf, slice_of(id, ID_BYTES));
    buf_put_u8(w->leaf, '"');
}

static void put_base64url(struct buf *out, const uint8_t hash[HASH_BYTES])
{
    buf_put_u8(out, '"');
    buf_put_base64url(out, slice_of(hash, HASH_BYTES));
    buf_put_u8(out, '"');
}

void record_put_hash(struct record_writer *w, enum record_field f, const uint8_t hash[HASH_BYTES])
{
    put_field(w, f, RECORD_HASH);
    put_base64url(w->leaf, hash);
}

void record_put_ints(struct record_writer *w, enum record_field f, const uint64_t *v, size_t count)
{
    put_field(w, f, RECORD_INTS);
    if (count > RECORD_LIST_ITEMS_MAX) w->leaf->bad = true;
    buf_put_u8(w->leaf, '[');
    for (size_t i = 0; i < count && !w->leaf->bad; i++) {
        ASSERT(v[i] <= RECORD_INT_MAX);
        if (i > 0) buf_put_u8(w->leaf, ',');
        buf_put_dec(w->leaf, v[i]);
    }
    buf_put_u8(w->leaf, ']');
}

void record_put_texts(struct record_writer *w, enum record_field f, const struct slice *text, size_t count)
{
    put_field(w, f, RECORD_TEXTS);
    if (count > RECORD_LIST_ITEMS_MAX) w->leaf->bad = true;
    buf_put_u8(w->leaf, '[');
    for (size_t i = 0; i < count && !w->leaf->bad; i++) {
        if (i > 0) buf_put_u8(w->leaf, ',');
        record_json_text(w->leaf, text[i]);
    }
    buf_put_u8(w->leaf, ']');
}

void record_put_commit(struct record_writer *w, struct ledger_hash *h, enum record_field f, const uint8_t salt[SALT_BYTES],
                       struct slice value)
{
    uint8_t mac[HASH_BYTES];
    ASSERT(w->opening != NULL && w->commits < RECORD_COMMITS_MAX);
    put_field(w, f, RECORD_COMMIT);
    record_commitment(h, f, salt, value, mac);
    put_base64url(w->leaf, mac);
    w->commits++;
    struct record_opened item = {.field = f, .value = value};
    memcpy(item.salt, salt, SALT_BYTES);
    record_opened_put(&item, w->opening);
}

enum err record_end(struct record_writer *w)
{
    put_own_before(w, RECORD_FIELD_COUNT);
    for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++)
        ASSERT(!(fields[f].required >> w->kind & 1) || (w->have >> f & 1));
    buf_put_u8(w->leaf, '}');
    bool ok = buf_ok(w->leaf) && w->leaf->n <= LEAF_BYTES_MAX;
    if (w->opening != NULL) ok = ok && buf_ok(w->opening) && w->opening->n <= OPENING_BYTES_MAX;
    return ok ? ERR_OK : ERR_LIMIT;
}

/* reader ----------------------------------------------------------------------------------------------------------- */

static enum err get_value(struct record_json *j, enum record_type type, struct record_value *v)
{
    switch (type) {
    case RECORD_INT: return record_json_get_int(j, &v->n);
    case RECORD_INTS: return record_json_get_list(j, RECORD_JSON_INTS, &v->text, &v->n);
    case RECORD_TEXTS: return record_json_get_list(j, RECORD_JSON_TEXTS, &v->text, &v->n);
    case RECORD_TEXT:
    case RECORD_ID:
    case RECORD_HASH:
    case RECORD_COMMIT: break;
    }
    TRY(record_json_get_text(j, &v->text));
    if (type == RECORD_TEXT) return ERR_OK;
    if (type != RECORD_ID) return base64url_fixed(v->text, v->bytes, HASH_BYTES);
    return record_id_get(v->text, v->bytes);
}

static enum err check_table(const struct record_leaf *l, unsigned log)
{
    if (!(kinds[l->kind].logs & log)) return ERR_INPUT;
    for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++) {
        bool have = l->have >> f & 1, allowed = fields[f].allowed >> l->kind & 1, required = fields[f].required >> l->kind & 1;
        if (have ? !allowed : required) return ERR_INPUT;
    }
    return ERR_OK;
}

enum err record_leaf_parse(struct slice text, unsigned log, struct record_leaf *out)
{
    *out = (struct record_leaf){.raw = text};
    if (text.n > LEAF_BYTES_MAX) return ERR_LIMIT;
    struct record_json j;
    struct slice key;
    bool more;
    TRY(record_json_open(&j, text));
    /* The table is in key order, so walking it forwards only finds sorted, unique, known keys. */
    unsigned f = 0;
    TRY(record_json_next(&j, &key, &more));
    for (; more; f++) {
        while (f < RECORD_FIELD_COUNT && !slice_is(key, fields[f].key)) f++;
        if (f == RECORD_FIELD_COUNT) return ERR_INPUT;
        TRY(get_value(&j, fields[f].type, &out->f[f]));
        out->have |= 1ull << f;
        TRY(record_json_next(&j, &key, &more));
    }
    if (!record_has(out, RECORD_F_V) || !record_has(out, RECORD_F_KIND)) return ERR_INPUT;
    if (out->f[RECORD_F_V].n != RECORD_LEAF_VERSION) return ERR_VERSION;
    TRY(parse_kind(out->f[RECORD_F_KIND].text, &out->kind));
    return check_table(out, log);
}

uint64_t record_int(const struct record_leaf *l, enum record_field f, uint64_t otherwise)
{
    ASSERT(record_field_type(f) == RECORD_INT);
    return record_has(l, f) ? l->f[f].n : otherwise;
}

struct slice record_text(const struct record_leaf *l, enum record_field f)
{
    ASSERT(record_field_type(f) == RECORD_TEXT);
    return l->f[f].text;
}
