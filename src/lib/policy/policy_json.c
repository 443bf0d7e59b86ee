/* SPDX-License-Identifier: Apache-2.0
 * JSON, pulled: as much of RFC 8259 as policy documents may hold, and nothing else.
 * Role: under the compiler of documents. Distrusts: every byte: UTF-8, escapes, surrogates, depth.
 * Law: 4. Spec: docs/spec/policy.md section 4; RFC 8259.
 */
#include "policy/policy_internal.h"

static bool bad(struct policy_json *j, const char *why) {
    if (j->why == NULL) j->why = why;
    return false;
}

bool policy_json_init(struct policy_json *j, struct slice in) {
    *j = (struct policy_json){.in = in, .text = BUF_INIT(in.n + 1)};
    /* What is decoded is never longer than what was read: with the room made now, decoded text stays where it is. */
    if (buf_room(&j->text, in.n + 1) == NULL) return bad(j, "out of memory");
    return slice_is_utf8(in) || bad(j, "not UTF-8");
}

void policy_json_done(struct policy_json *j) { buf_done(&j->text); }

void policy_json_again(struct policy_json *j) {
    j->at = 0;
    j->depth = 0;
    buf_reset(&j->text);
}

static int next(struct policy_json *j) {
    while (j->at < j->in.n) {
        uint8_t c = j->in.p[j->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return c;
        j->at++;
    }
    return -1;
}

int policy_json_peek(struct policy_json *j) { return j->why != NULL ? -1 : next(j); }

bool policy_json_enter(struct policy_json *j, char open) {
    if (j->why != NULL) return false;
    if (next(j) != open) return bad(j, open == '{' ? "an object was expected" : "a list was expected");
    if (j->depth == POLICY_JSON_DEPTH_MAX) return bad(j, "nested too deeply");
    j->depth++;
    j->at++;
    return true;
}

bool policy_json_more(struct policy_json *j, char close, bool *first) {
    if (j->why != NULL) return false;
    int c = next(j);
    if (c == close) {
        j->depth--;
        j->at++;
        return false;
    }
    if (!*first) {
        if (c != ',') return bad(j, "a comma was expected");
        j->at++;
        if (next(j) == close) return bad(j, "a comma before the end");
    }
    *first = false;
    return true;
}

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool unit(struct policy_json *j, uint32_t *out) {
    *out = 0;
    if (j->in.n - j->at < 4) return bad(j, "an escape ends early");
    for (int i = 0; i < 4; i++) {
        int v = hex_value(j->in.p[j->at++]);
        if (v < 0) return bad(j, "an escape that is none");
        *out = *out << 4 | (uint32_t)v;
    }
    return true;
}

static bool unicode(struct policy_json *j) {
    uint32_t c, low;
    if (!unit(j, &c)) return false;
    if (c >= 0xd800 && c <= 0xdfff) {
        if (c >= 0xdc00 || j->in.n - j->at < 6 || j->in.p[j->at] != '\\' || j->in.p[j->at + 1] != 'u') return bad(j, "half a surrogate pair");
        j->at += 2;
        if (!unit(j, &low)) return false;
        if (low < 0xdc00 || low > 0xdfff) return bad(j, "half a surrogate pair");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    if (c == 0) return bad(j, "a NUL character");
    struct buf *t = &j->text;
    if (c < 0x80) {
        buf_put_u8(t, (uint8_t)c);
    } else if (c < 0x800) {
        buf_put_u8(t, (uint8_t)(0xc0 | c >> 6));
        buf_put_u8(t, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        if (c < 0x10000) {
            buf_put_u8(t, (uint8_t)(0xe0 | c >> 12));
        } else {
            buf_put_u8(t, (uint8_t)(0xf0 | c >> 18));
            buf_put_u8(t, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        }
        buf_put_u8(t, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        buf_put_u8(t, (uint8_t)(0x80 | (c & 0x3f)));
    }
    return true;
}

static bool escape(struct policy_json *j) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (j->at == j->in.n) return bad(j, "an escape ends early");
    uint8_t c = j->in.p[j->at++];
    if (c == 'u') return unicode(j);
    const char *at = c == 0 ? NULL : strchr(from, c);
    if (at == NULL) return bad(j, "an escape that is none");
    buf_put_u8(&j->text, (uint8_t)to[at - from]);
    return true;
}

bool policy_json_string(struct policy_json *j, struct slice *out) {
    if (j->why != NULL) return false;
    if (next(j) != '"') return bad(j, "a string was expected");
    j->at++;
    size_t from = j->text.n;
    while (j->at < j->in.n) {
        uint8_t c = j->in.p[j->at++];
        if (c == '"') {
            *out = slice_of(j->text.p + from, j->text.n - from);
            ASSERT(buf_ok(&j->text));
            return true;
        }
        if (c < 0x20) return bad(j, "a control character in a string");
        if (c != '\\') buf_put_u8(&j->text, c);
        else if (!escape(j)) return false;
    }
    return bad(j, "a string ends early");
}

bool policy_json_key(struct policy_json *j, struct slice *out) {
    if (!policy_json_string(j, out)) return false;
    if (next(j) != ':') return bad(j, "a colon was expected");
    j->at++;
    return true;
}

static bool digits(struct policy_json *j) {
    size_t from = j->at;
    while (j->at < j->in.n && j->in.p[j->at] >= '0' && j->in.p[j->at] <= '9') j->at++;
    return j->at > from || bad(j, "a number that is none");
}

static bool at_one_of(const struct policy_json *j, const char *set) {
    return j->at < j->in.n && j->in.p[j->at] != 0 && strchr(set, j->in.p[j->at]) != NULL;
}

static bool number(struct policy_json *j, struct slice *out) {
    size_t from = j->at;
    if (at_one_of(j, "-")) j->at++;
    size_t whole = j->at;
    if (!digits(j)) return false;
    if (j->in.p[whole] == '0' && j->at > whole + 1) return bad(j, "a number with a leading zero");
    if (at_one_of(j, ".")) {
        j->at++;
        if (!digits(j)) return false;
    }
    if (at_one_of(j, "eE")) {
        j->at++;
        if (at_one_of(j, "+-")) j->at++;
        if (!digits(j)) return false;
    }
    *out = slice_of(j->in.p + from, j->at - from);
    return true;
}

static bool word(struct policy_json *j, const char *text, struct slice *out) {
    struct slice want = slice_str(text), have = slice_of(j->in.p + j->at, j->in.n - j->at);
    if (!slice_starts(have, want)) return bad(j, "a word that is none");
    *out = slice_of(have.p, want.n);
    j->at += want.n;
    return true;
}

bool policy_json_scalar(struct policy_json *j, struct slice *out) {
    if (j->why != NULL) return false;
    switch (next(j)) {
    case '"': return policy_json_string(j, out);
    case 't': return word(j, "true", out);
    case 'f': return word(j, "false", out);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return number(j, out);
    default: return bad(j, "a value was expected");
    }
}

/* Recursion is bounded by POLICY_JSON_DEPTH_MAX. */
bool policy_json_skip(struct policy_json *j) {
    struct slice text;
    bool first = true;
    int c = policy_json_peek(j);
    if (c == '{') {
        if (!policy_json_enter(j, '{')) return false;
        while (policy_json_more(j, '}', &first)) {
            if (!policy_json_key(j, &text) || !policy_json_skip(j)) return false;
        }
        return j->why == NULL;
    }
    if (c == '[') {
        if (!policy_json_enter(j, '[')) return false;
        while (policy_json_more(j, ']', &first)) {
            if (!policy_json_skip(j)) return false;
        }
        return j->why == NULL;
    }
    if (c == 'n') return word(j, "null", &text);
    return policy_json_scalar(j, &text);
}

bool policy_json_end(struct policy_json *j) {
    if (j->why != NULL) return false;
    return next(j) == -1 || bad(j, "something after the end");
}
