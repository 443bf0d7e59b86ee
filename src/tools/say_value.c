/* SPDX-License-Identifier: Apache-2.0
 * Values of terms as people write them, and back: 1h30min, 10MiB, 2026-11-24.
 * Role: between the command line and record's writer, which checks everything again. Distrusts: what was typed.
 * Law: 7 (what is shown before a signature is what the statement says, not what was typed). Spec: docs/spec/statement.md, statement_term.def
 */
#include <time.h>

#include "s3/s3.h"
#include "tools/say.h"

#define WORD_CHARS_MAX 64
static const struct {
    const char *name;
    enum say_type type;
    bool many;
} terms[RECORD_TERM_COUNT] = {
#define ONE false
#define MANY true
#define TERM(NAME, name, type, often) [RECORD_TERM_##NAME] = {name, SAY_##type, often},
#include "record/statement_term.def"
#undef ONE
#undef MANY
};

bool say_term_of(struct slice name, enum record_term *out)
{
    for (unsigned t = 0; t < RECORD_TERM_COUNT; t++) {
        if (!slice_is(name, terms[t].name)) continue;
        *out = (enum record_term)t;
        return true;
    }
    return false;
}

enum say_type say_term_type(enum record_term t) { return terms[t].type; }
bool say_term_many(enum record_term t) { return terms[t].many; }

/* numbers with units ----------------------------------------------------------------------------------------------------------- */

struct unit { const char *name; uint64_t is; };
static const struct unit durations[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct unit sizes[] = {{"", 1}, {"B", 1}, {"kB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}};

/* One number and its unit off the front of *s. */
static bool take_number(struct slice *s, const struct unit *units, size_t n, uint64_t *out)
{
    size_t digits = 0, letters = 0;
    uint64_t v;
    while (digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9') digits++;
    while (digits + letters < s->n && (s->p[digits + letters] < '0' || s->p[digits + letters] > '9')) letters++;
    struct slice number = slice_of(s->p, digits), unit = slice_of(s->p + digits, letters);
    if (slice_u64(number, RECORD_INT_MAX, &v) != ERR_OK) return false;
    for (size_t i = 0; i < n; i++) {
        if (!slice_is(unit, units[i].name)) continue;
        if (__builtin_mul_overflow(v, units[i].is, out) || *out > RECORD_INT_MAX) return false;
        *s = slice_of(s->p + digits + letters, s->n - digits - letters);
        return true;
    }
    return false;
}

static bool take_duration(struct slice s, uint64_t *out)
{
    uint64_t sum = 0, one;
    if (s.n == 0) return false;
    while (s.n > 0) {
        if (!take_number(&s, durations, ARRAY_LEN(durations), &one)) return false;
        sum += one;
        if (sum > RECORD_INT_MAX) return false;
    }
    *out = sum;
    return true;
}

/* 2026-11-24, 2026-11-24T10:00, 2026-11-24T10:00:30, with Z or without: UTC. */
static bool take_date(struct slice s, uint64_t *out)
{
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};
    static const size_t sizes_of[] = {10, 16, 19};
    char text[24];
    if (s.n > 0 && s.p[s.n - 1] == 'Z' && s.n > 11) s.n--;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (s.n != sizes_of[i]) continue;
        struct tm tm = {0};
        memcpy(text, s.p, s.n);
        text[s.n] = 0;
        const char *end = strptime(text, forms[i], &tm);
        int day = tm.tm_mday;
        time_t t = end && *end == 0 ? timegm(&tm) : -1;
        if (t < 0 || tm.tm_mday != day) return false;      /* timegm makes a March of February 30 */
        *out = (uint64_t)t * 1000;
        return true;
    }
    return false;
}

static bool take_time(struct slice s, uint64_t now, uint64_t *out)
{
    uint64_t v;
    if (slice_is(s, "now")) {
        *out = now;
        return true;
    }
    if (s.n > 1 && s.p[0] == '+') {
        if (!take_duration(slice_of(s.p + 1, s.n - 1), &v)) return false;
        *out = now + v;
        return *out <= RECORD_INT_MAX;
    }
    /* Bare numbers are ms since 1970; 20261124 is a date that somebody meant. */
    if (s.n >= 12 && slice_u64(s, RECORD_INT_MAX, out) == ERR_OK) return true;
    return take_date(s, out);
}

/* typed to said ---------------------------------------------------------------------------------------------------------------- */

static bool is_word(struct slice v)
{
    if (v.n == 0 || v.n > WORD_CHARS_MAX) return false;
    for (size_t i = 0; i < v.n; i++)
        if (!((v.p[i] >= 'a' && v.p[i] <= 'z') || (v.p[i] >= '0' && v.p[i] <= '9') || v.p[i] == '.' || v.p[i] == '_' || v.p[i] == '-')) return false;
    return true;
}

static bool is_capital(uint8_t c) { return c >= 'A' && c <= 'Z'; }

static const char *take_id(struct slice v, struct buf *out)
{
    uint8_t id[ID_BYTES];
    bool ok = record_id_get(v, id) == ERR_OK;
    buf_put_slice(out, v);
    return ok ? NULL : "an id has 26 characters of a-z and 2-7";
}

static const char *take_hash(struct slice v, struct buf *out)
{
    uint8_t hash[HASH_BYTES];
    buf_put_slice(out, v);
    return base64url_fixed(v, hash, sizeof hash) == ERR_OK ? NULL : "a digest has 43 characters, as `tillit access show` prints it";
}

static const char *put_number(bool ok, uint64_t v, const char *otherwise, struct buf *out)
{
    if (!ok) return otherwise;
    buf_put_dec(out, v);
    return NULL;
}

const char *say_value(enum record_term t, struct slice v, uint64_t now, struct buf *out)
{
    uint64_t n = 0;
    bool ok;
    switch (terms[t].type) {
    case SAY_WORD:
        buf_put_slice(out, v);
        return is_word(v) ? NULL : "a word has 1 to 64 characters of a-z, 0-9, dot, hyphen and underscore";
    case SAY_BUCKET:
        buf_put_slice(out, v);
        return s3_bucket_name_check(v) == S3E_NONE ? NULL : "that is no bucket's name";
    case SAY_PREFIX:
        s3_put_uri(out, v, true);
        return v.n <= S3_KEY_BYTES_MAX && slice_is_utf8(v) ? NULL : "a prefix is the beginning of a key: UTF-8, at most 1024 bytes";
    case SAY_INT:
        if (t == RECORD_TERM_DURATION || t == RECORD_TERM_LAPSE) {
            ok = take_duration(v, &n);
            return put_number(ok, n, "a duration has a unit: 90min, 1h, 1h30min, 2d (ms, s, min, h, d)", out);
        }
        if (t == RECORD_TERM_BYTES) {
            struct slice rest = v;
            ok = take_number(&rest, sizes, ARRAY_LEN(sizes), &n) && rest.n == 0;
            return put_number(ok, n, "a size is a number of bytes, or one with kB, MB, GB (1000s), KiB, MiB, GiB (1024s)", out);
        }
        ok = slice_u64(v, RECORD_INT_MAX, &n) == ERR_OK;
        return put_number(ok, n, "that must be a whole number", out);
    case SAY_TIME:
        ok = take_time(v, now, &n);
        return put_number(ok, n, "a time is a day (2026-11-24), a time in UTC (2026-11-24T10:00), now, or +2h", out);
    case SAY_ID: return take_id(v, out);
    case SAY_HASH: return take_hash(v, out);
    case SAY_COUNTRY:
        buf_put_slice(out, v);
        return v.n == 2 && is_capital(v.p[0]) && is_capital(v.p[1]) ? NULL : "a country is two capital letters (ISO 3166), like SE";
    case SAY_KEY:
    case SAY_TEXT: break;
    }
    buf_put_slice(out, v);
    if (terms[t].type == SAY_KEY) return NULL;
    return record_text_ok(v) ? NULL : "a text for people is UTF-8 of 1 to 512 bytes, without control characters, quotes (\") and backslashes";
}

void say_place(struct slice typed, struct buf *out)
{
    struct slice bucket;
    struct slice prefix = slice_cut(typed, '/', &bucket);
    buf_put_slice(out, bucket);
    if (bucket.n == typed.n) return;
    buf_put_u8(out, '/');
    s3_put_uri(out, prefix, true);
}

/* said to words ---------------------------------------------------------------------------------------------------------------- */

void say_bytes_words(uint64_t bytes, struct buf *out)
{
    static const struct unit whole[] = {{"GiB", 1073741824}, {"MiB", 1048576}, {"KiB", 1024}};
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        if (bytes == 0 || bytes % whole[i].is != 0) continue;
        buf_printf(out, "%llu %s (%llu bytes)", (unsigned long long)(bytes / whole[i].is), whole[i].name, (unsigned long long)bytes);
        return;
    }
    buf_printf(out, "%llu bytes", (unsigned long long)bytes);
}

void say_duration_words(uint64_t ms, struct buf *out)
{
    static const struct unit whole[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};
    const char *between = "";
    if (ms == 0) buf_put_str(out, "0 ms");
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        if (ms / whole[i].is == 0) continue;
        buf_printf(out, "%s%llu %s", between, (unsigned long long)(ms / whole[i].is), whole[i].name);
        ms %= whole[i].is;
        between = " ";
    }
}

void say_value_words(enum record_term t, struct slice v, struct buf *out)
{
    uint64_t n = 0;
    char when[TIME_TEXT_MAX];
    AUTO(buf) struct buf prefix = BUF_INIT(S3_KEY_BYTES_MAX);
    bool number = slice_u64(v, RECORD_INT_MAX, &n) == ERR_OK;
    if (number && (t == RECORD_TERM_DURATION || t == RECORD_TERM_LAPSE)) say_duration_words(n, out);
    else if (number && t == RECORD_TERM_BYTES) say_bytes_words(n, out);
    else if (number && terms[t].type == SAY_TIME) time_iso8601(n, when), buf_put_str(out, when);
    else if (terms[t].type == SAY_PREFIX && record_prefix_decode(v, &prefix) == ERR_OK && record_text_ok(buf_slice(&prefix))) buf_put_slice(out, buf_slice(&prefix));
    else buf_put_slice(out, v);        /* a prefix that would not show well stays percent-encoded */
}
