/* SPDX-License-Identifier: Apache-2.0
 * Conditions, compiled: operators, keys, and values by the operator's type.
 * Role: part of the compiler of documents. Distrusts: every byte of a document.
 * Law: 4. Spec: docs/spec/policy.md sections 4 and 5; "IAM JSON policy elements: Condition operators".
 */
#include "policy/policy_internal.h"

enum form { PLAIN, TAG };
enum fixes { OPEN, FIXED };
static const struct {
    const char *text;
    enum form form;
    enum fixes fixes;
} keys[POLICY_KEY__COUNT] = {
#define POLICY_KEY(NAME, text, form, public) {text, form, public},
#include "policy/policy_key.def"
#undef POLICY_KEY
};

static const struct {
    const char *text;
    enum policy_op_type type;
    enum policy_op_how how;
    bool negated;
} ops[] = {
#define POLICY_OP(text, type, how, negated) {text, POLICY_OP_##type, POLICY_HOW_##how, negated},
#include "policy/policy_op.def"
#undef POLICY_OP
};

/* keys ------------------------------------------------------------------------------------------------------------------ */

static bool key_syntax(struct slice text) {
    struct slice service, name = slice_cut(text, ':', &service);
    if (text.n > POLICY_KEY_CHARS_MAX || service.n == 0 || name.n == 0) return false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        if (i == service.n || plain) continue;
        if (c == '/' && i > service.n + 1 && i + 1 < text.n) return true; /* what follows is a tag's key, or a path */
        if (i < service.n || (c != '_' && c != '.' && c != ':')) return false;
    }
    return true;
}

bool policy_key_of(struct slice text, enum policy_key_id *id, struct slice *tag) {
    *id = POLICY_KEY_NEVER;
    *tag = slice_of("", 0);
    if (!key_syntax(text)) return false;
    for (int i = 1; i < POLICY_KEY__COUNT; i++) {
        struct slice name = slice_str(keys[i].text);
        if (keys[i].form == PLAIN ? !slice_ieq(text, name) : text.n <= name.n || !slice_ieq(slice_of(text.p, name.n), name)) continue;
        *id = (enum policy_key_id)i;
        if (keys[i].form == TAG) *tag = slice_of(text.p + name.n, text.n - name.n);
        return true;
    }
    return true;
}

bool policy_key_fixes(enum policy_key_id id) { return keys[id].fixes == FIXED; }

/* values ---------------------------------------------------------------------------------------------------------------- */

enum err policy_number_parse(struct slice text, int64_t *out) {
    size_t i = 0;
    bool minus = text.n > 0 && text.p[0] == '-';
    int64_t v = 0, unit = POLICY_NUMBER_UNIT;
    if (minus) i++;
    size_t from = i;
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
        v = v * 10 + (text.p[i] - '0');
        if (v > POLICY_NUMBER_MAX) return ERR_RANGE;
    }
    if (i == from) return ERR_INPUT;
    v *= unit;
    if (i < text.n && text.p[i] == '.') {
        from = ++i;
        for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
            unit /= 10;
            if (unit == 0) return ERR_RANGE; /* finer than a millionth: not rounded, refused */
            v += (text.p[i] - '0') * unit;
        }
        if (i == from) return ERR_INPUT;
    }
    *out = minus ? -v : v;
    return i == text.n ? ERR_OK : ERR_INPUT;
}

static bool two_digits(struct slice text, size_t at, int64_t max, int64_t *out) {
    if (text.n - at < 2 || text.p[at] < '0' || text.p[at] > '9' || text.p[at + 1] < '0' || text.p[at + 1] > '9') return false;
    *out = (text.p[at] - '0') * 10 + (text.p[at + 1] - '0');
    return *out <= max;
}

/* "+hh:mm" or "-hh:mm" at the end of a time of day: as ms east of UTC. 0 characters when it ends with Z. */
static bool offset_of(struct slice text, size_t *chars, int64_t *ms) {
    int64_t h, m;
    *chars = 0;
    *ms = 0;
    if (text.n > 0 && text.p[text.n - 1] == 'Z') return true;
    if (text.n < 6) return false;
    size_t at = text.n - 6;
    if ((text.p[at] != '+' && text.p[at] != '-') || text.p[at + 3] != ':') return false;
    if (!two_digits(text, at + 1, 23, &h) || !two_digits(text, at + 4, 59, &m)) return false;
    *chars = 6;
    *ms = (h * 60 + m) * 60000 * (text.p[at] == '-' ? -1 : 1);
    return true;
}

/* The date formats of the W3C that AWS takes: a day, or a day with a time in UTC or with its offset; or seconds since 1970. */
enum err policy_date_parse(struct slice text, int64_t *ms) {
    char full[TIME_TEXT_MAX];
    size_t chars = 0, day = sizeof "2026-11-24" - 1, minute = sizeof "2026-11-24T08:21" - 1;
    int64_t east = 0;
    uint64_t at;
    if (policy_number_parse(text, ms) == ERR_OK) {
        *ms /= POLICY_NUMBER_UNIT / 1000;
        return ERR_OK;
    }
    if (text.n + sizeof "T00:00:00Z" > sizeof full || text.n < day) return ERR_INPUT;
    memcpy(full, text.p, text.n);
    size_t n = text.n;
    if (n == day) {
        memcpy(full + n, "T00:00:00Z", 10);
        n += 10;
    } else {
        if (!offset_of(text, &chars, &east)) return ERR_INPUT;
        n -= chars == 0 ? 1 : chars;
        if (n == minute) {
            memcpy(full + n, ":00", 3);
            n += 3;
        }
        full[n++] = 'Z';
    }
    TRY(time_parse_iso8601(slice_of(full, n), &at));
    if (at > RECORD_INT_MAX) return ERR_RANGE;
    *ms = (int64_t)at - east;
    return ERR_OK;
}

bool policy_bool_parse(struct slice text, int64_t *out) {
    *out = slice_ieq(text, SLICE_LIT("true"));
    return *out == 1 || slice_ieq(text, SLICE_LIT("false"));
}

static bool v4_parse(struct slice text, uint8_t out[4]) {
    struct slice part;
    for (int i = 0; i < 4; i++) {
        uint64_t v;
        bool last = i == 3;
        text = slice_cut(text, '.', &part);
        if (part.n == 0 || part.n > 3 || (part.n > 1 && part.p[0] == '0') || (text.p == NULL) != last) return false;
        if (slice_u64(part, 255, &v) != ERR_OK) return false;
        out[i] = (uint8_t)v;
    }
    return true;
}

static bool group_parse(struct slice part, uint8_t out[2]) {
    uint32_t v = 0;
    if (part.n == 0 || part.n > 4) return false;
    for (size_t i = 0; i < part.n; i++) {
        uint8_t c = part.p[i];
        uint32_t digit = c >= '0' && c <= '9' ? c - 48u : c >= 'a' && c <= 'f' ? c - 'a' + 10u : c >= 'A' && c <= 'F' ? c - 'A' + 10u : 16u;
        if (digit == 16) return false;
        v = v << 4 | digit;
    }
    put_be16(out, (uint16_t)v);
    return true;
}

/* RFC 4291 section 2.2: groups, one "::", an IPv4 address at the end. */
static bool v6_parse(struct slice text, uint8_t out[16]) {
    uint8_t got[16];
    size_t n = 0, gap = SIZE_MAX;
    if (text.n >= 2 && text.p[0] == ':' && text.p[1] == ':') {
        gap = 0;
        text = slice_of(text.p + 2, text.n - 2);
    }
    while (text.n > 0) {
        struct slice part, rest = slice_cut(text, ':', &part);
        if (rest.p == NULL && memchr(part.p, '.', part.n) != NULL) {
            if (n > 12 || !v4_parse(part, got + n)) return false;
            n += 4;
            break;
        }
        if (n > 14 || !group_parse(part, got + n)) return false;
        n += 2;
        if (rest.p == NULL) break;
        if (rest.n == 0) return false; /* ends with one colon */
        if (rest.p[0] == ':') {
            if (gap != SIZE_MAX) return false;
            gap = n;
            rest = slice_of(rest.p + 1, rest.n - 1);
        }
        text = rest;
    }
    if (gap == SIZE_MAX ? n != 16 : n > 14) return false;
    memset(out, 0, 16);
    size_t head = gap == SIZE_MAX ? n : gap;
    memcpy(out, got, head);
    if (n > head) memcpy(out + 16 - (n - head), got + head, n - head);
    return true;
}

/* An IPv4 address in IPv6's clothes is that IPv4 address: a socket shows one as the other. */
bool policy_address_parse(struct slice text, struct policy_address *out) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *out = (struct policy_address){.size = 4};
    if (v4_parse(text, out->bytes)) return true;
    out->size = 16;
    if (!v6_parse(text, out->bytes)) {
        out->size = 0;
        return false;
    }
    if (memcmp(out->bytes, mapped, sizeof mapped) == 0) {
        memmove(out->bytes, out->bytes + 12, 4);
        out->size = 4;
    }
    return true;
}

bool policy_network_parse(struct slice text, struct policy_address *out, uint8_t *bits) {
    struct slice address, length = slice_cut(text, '/', &address);
    uint64_t n;
    if (!policy_address_parse(address, out)) return false;
    bool narrowed = out->size == 4 && memchr(address.p, ':', address.n) != NULL;
    *bits = (uint8_t)(out->size * 8);
    if (length.p == NULL) return true;
    if (slice_u64(length, narrowed ? 128 : *bits, &n) != ERR_OK) return false;
    if (narrowed) {
        if (n < 96) return false;
        n -= 96;
    }
    *bits = (uint8_t)n;
    return true;
}

static bool arn_value(struct slice text) {
    unsigned colons = 0;
    for (size_t i = 0; i < text.n; i++) colons += text.p[i] == ':';
    return slice_is(text, "*") || colons >= 5 || memchr(text.p, '$', text.n) != NULL;
}

static bool value_text(struct policy_build *b, const struct policy_condition *c, struct slice text, uint32_t *out) {
    bool wild = c->type == POLICY_OP_ARN || c->how == POLICY_HOW_LIKE;
    if (c->type == POLICY_OP_ARN && !arn_value(text)) return policy_build_bad(b, "a value that is no ARN");
    return policy_build_pattern(b, text, wild, out);
}

static bool value(struct policy_build *b, const struct policy_condition *c, struct slice text, uint32_t *out) {
    struct policy_pattern v = {0};
    AUTO(buf) struct buf bytes = BUF_INIT(text.n + 1);
    struct slice keep = slice_of("", 0);
    switch (c->type) {
    case POLICY_OP_STRING:
    case POLICY_OP_ARN: return value_text(b, c, text, out);
    case POLICY_OP_NUMERIC:
        if (policy_number_parse(text, &v.number) != ERR_OK) return policy_build_bad(b, "a value that is no number");
        break;
    case POLICY_OP_DATE:
        if (policy_date_parse(text, &v.number) != ERR_OK) return policy_build_bad(b, "a value that is no date");
        break;
    case POLICY_OP_BOOL:
    case POLICY_OP_NULL:
        if (!policy_bool_parse(text, &v.number)) return policy_build_bad(b, "a value that is neither true nor false");
        break;
    case POLICY_OP_BINARY:
        if (base64_decode(text, &bytes) != ERR_OK) return policy_build_bad(b, "a value that is not base64");
        keep = buf_slice(&bytes);
        break;
    case POLICY_OP_IP:
        if (!policy_network_parse(text, &v.address, &v.bits)) return policy_build_bad(b, "a value that is no address");
        break;
    }
    v.n = (uint32_t)keep.n;
    *out = policy_build_node(b, sizeof v + keep.n);
    if (*out == 0) return false;
    memcpy(policy_build_at(b, *out), &v, sizeof v);
    if (keep.n > 0) memcpy((uint8_t *)policy_build_at(b, *out) + offsetof(struct policy_pattern, text), keep.p, keep.n);
    return true;
}

static bool values(struct policy_build *b, const struct policy_condition *c, uint32_t *first) {
    struct slice text;
    uint32_t last = 0, at;
    bool start = true;
    if (policy_json_peek(&b->j) != '[') {
        return policy_json_scalar(&b->j, &text) ? value(b, c, text, first) : policy_build_bad(b, NULL);
    }
    if (!policy_json_enter(&b->j, '[')) return policy_build_bad(b, NULL);
    while (policy_json_more(&b->j, ']', &start)) {
        if (!policy_json_scalar(&b->j, &text)) return policy_build_bad(b, NULL);
        if (!value(b, c, text, &at)) return false;
        if (last == 0) *first = at;
        else *(uint32_t *)policy_build_at(b, last) = at;
        last = at;
    }
    if (b->j.why != NULL) return policy_build_bad(b, NULL);
    return last != 0 || policy_build_bad(b, "an empty list");
}

/* operators --------------------------------------------------------------------------------------------------------------- */

static bool cut_front(struct slice *text, struct slice front) {
    if (!slice_starts(*text, front)) return false;
    *text = slice_of(text->p + front.n, text->n - front.n);
    return true;
}

static bool operator_of(struct policy_build *b, struct slice text, struct policy_condition *c) {
    *c = (struct policy_condition){0};
    struct slice tail = SLICE_LIT("IfExists");
    if (cut_front(&text, SLICE_LIT("ForAllValues:"))) c->set = POLICY_SET_ALL;
    else if (cut_front(&text, SLICE_LIT("ForAnyValue:"))) c->set = POLICY_SET_ANY;
    if (text.n > tail.n && slice_eq(slice_of(text.p + text.n - tail.n, tail.n), tail)) {
        c->if_exists = true;
        text.n -= tail.n;
    }
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (!slice_is(text, ops[i].text)) continue;
        c->type = ops[i].type;
        c->how = ops[i].how;
        c->negated = ops[i].negated;
        bool bare = c->set == POLICY_SET_NONE && !c->if_exists;
        return c->type != POLICY_OP_NULL || bare || policy_build_bad(b, "Null takes no qualifier");
    }
    return policy_build_bad(b, "a condition operator that is none");
}

/* Names already seen in one object, as slices into decoded text. */
static bool fresh(struct policy_build *b, struct buf *names, struct slice name) {
    const struct slice *list = (const struct slice *)(const void *)names->p;
    for (size_t i = 0; i < names->n / sizeof name; i++) {
        if (slice_ieq(list[i], name)) return policy_build_bad(b, "a name is there twice");
    }
    buf_put(names, &name, sizeof name);
    return buf_ok(names) || policy_build_bad(b, "the policy is too large");
}

static bool one_key(struct policy_build *b, struct policy_condition *c, struct slice name, uint32_t *last) {
    enum policy_key_id id;
    struct slice tag;
    if (!policy_key_of(name, &id, &tag)) return policy_build_bad(b, "a condition key that is none");
    uint32_t at = policy_build_node(b, sizeof *c + tag.n);
    if (at == 0) return false;
    c->key = (uint16_t)id;
    c->n = (uint32_t)tag.n;
    if (!values(b, c, &c->values)) return false;
    memcpy(policy_build_at(b, at), c, sizeof *c);
    if (tag.n > 0) memcpy((uint8_t *)policy_build_at(b, at) + offsetof(struct policy_condition, text), tag.p, tag.n);
    if (*last == 0) b->at.conditions = at;
    else *(uint32_t *)policy_build_at(b, *last) = at;
    *last = at;
    return true;
}

bool policy_build_conditions(struct policy_build *b, uint32_t *first) {
    AUTO(buf) struct buf operators = BUF_INIT(S3_POLICY_BYTES_MAX * sizeof(struct slice));
    AUTO(buf) struct buf names = BUF_INIT(S3_POLICY_BYTES_MAX * sizeof(struct slice));
    struct slice name;
    uint32_t last = 0;
    bool start = true;
    if (!policy_json_enter(&b->j, '{')) return policy_build_bad(b, NULL);
    while (policy_json_more(&b->j, '}', &start)) {
        struct policy_condition c;
        bool inner = true;
        if (!policy_json_key(&b->j, &name)) return policy_build_bad(b, NULL);
        if (!operator_of(b, name, &c) || !fresh(b, &operators, name)) return false;
        buf_reset(&names);
        if (!policy_json_enter(&b->j, '{')) return policy_build_bad(b, NULL);
        while (policy_json_more(&b->j, '}', &inner)) {
            struct policy_condition one = c;
            if (!policy_json_key(&b->j, &name)) return policy_build_bad(b, NULL);
            if (!fresh(b, &names, name) || !one_key(b, &one, name, &last)) return false;
        }
        if (b->j.why != NULL) return policy_build_bad(b, NULL);
        if (inner) return policy_build_bad(b, "a condition operator without keys");
    }
    if (b->j.why != NULL) return policy_build_bad(b, NULL);
    *first = b->at.conditions;
    return true;
}
