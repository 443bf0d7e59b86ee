/* SPDX-License-Identifier: Apache-2.0
 * Ranges and conditions: which bytes are asked for, and whether the request still holds.
 * Role: the gate evaluates conditions against the facts of the entry it found; refusing one is an access like any other.
 * Trusts: facts. Distrusts: the headers; they may only narrow.
 * Law: 2 (conditional writes are decided under the key's hold).
 * Spec: RFC 9110 sections 13 and 14; S3 user guide, "Conditional requests".
 */
#include "s3/s3.h"

/* Digits, saturating; false when there are none or something else stands there. */
static bool read_number(struct slice s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        uint64_t d = (uint64_t)(s.p[i] - '0');
        v = v > (UINT64_MAX - d) / 10 ? UINT64_MAX : v * 10 + d;
    }
    *out = v;
    return true;
}

enum s3_range s3_range_parse(struct slice value, uint64_t size, uint64_t *first, uint64_t *last)
{
    struct slice unit, from, to, spec;
    uint64_t a = 0, b = UINT64_MAX;
    if (!value.p) return S3_RANGE_WHOLE;
    spec = slice_trim(slice_cut(slice_trim(value), '=', &unit));
    if (!spec.p || !slice_ieq(slice_trim(unit), SLICE_LIT("bytes"))) return S3_RANGE_WHOLE;
    to = slice_cut(spec, '-', &from);
    if (!to.p) return S3_RANGE_WHOLE;
    if (from.n == 0) {                                            /* the last b bytes */
        if (!read_number(to, &b)) return S3_RANGE_WHOLE;
        if (b == 0 || size == 0) return S3_RANGE_UNSATISFIABLE;
        *first = b >= size ? 0 : size - b;
        *last = size - 1;
        return S3_RANGE_PART;
    }
    if (!read_number(from, &a) || (to.n && !read_number(to, &b)) || b < a) return S3_RANGE_WHOLE;
    if (a >= size) return S3_RANGE_UNSATISFIABLE;
    *first = a;
    *last = MIN(b, size - 1);
    return S3_RANGE_PART;
}

void s3_conditions_of(const struct s3_header *h, size_t n, struct s3_conditions *out)
{
    *out = (struct s3_conditions){
        .if_match = s3_header_value(h, n, "if-match"),
        .if_none_match = s3_header_value(h, n, "if-none-match"),
        .if_modified_since = s3_header_value(h, n, "if-modified-since"),
        .if_unmodified_since = s3_header_value(h, n, "if-unmodified-since"),
        .if_range = s3_header_value(h, n, "if-range"),
    };
}

bool s3_conditions_any(const struct s3_conditions *c)
{
    return c->if_match.p || c->if_none_match.p || c->if_modified_since.p || c->if_unmodified_since.p;
}

static struct slice bare_tag(struct slice s, bool *weak)
{
    s = slice_trim(s);
    *weak = s.n >= 2 && s.p[0] == 'W' && s.p[1] == '/';
    if (*weak) s = slice_of(s.p + 2, s.n - 2);
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"') s = slice_of(s.p + 1, s.n - 2);
    return s;
}

/* Whether the list names etag. Clients leave the quotes out; S3 takes both. Ours are strong, so a weak tag matches only where
 * comparison is weak. Past S3_CONDITION_ETAGS_MAX tags the rest is not looked at. */
static bool names_tag(struct slice list, struct slice etag, bool strong)
{
    struct slice one;
    for (size_t i = 0; list.p && i < S3_CONDITION_ETAGS_MAX; i++) {
        bool weak;
        list = slice_cut(list, ',', &one);
        if (slice_is(slice_trim(one), "*")) return true;
        if (slice_eq(bare_tag(one, &weak), etag) && !(strong && weak)) return true;
    }
    return false;
}

/* Whether a date header is there, legible, and how the object's time stands to it (HTTP dates have whole seconds). */
static bool newer_than(struct slice date, uint64_t mtime_ms, bool *newer)
{
    uint64_t ms;
    if (!date.p || time_parse_http(date, &ms) != ERR_OK) return false;
    *newer = mtime_ms / 1000 > ms / 1000;
    return true;
}

static enum s3_error failed(const char **condition, const char *name, enum s3_error e)
{
    if (condition) *condition = name;
    return e;
}

enum s3_error s3_condition_read(const struct s3_conditions *c, struct slice etag, uint64_t mtime_ms, const char **condition)
{
    bool newer;
    if (c->if_match.p) {
        if (!names_tag(c->if_match, etag, true)) return failed(condition, "If-Match", S3E_PreconditionFailed);
    } else if (newer_than(c->if_unmodified_since, mtime_ms, &newer) && newer) {
        return failed(condition, "If-Unmodified-Since", S3E_PreconditionFailed);
    }
    if (c->if_none_match.p) {
        if (names_tag(c->if_none_match, etag, false)) return failed(condition, "If-None-Match", S3E_NotModified);
    } else if (newer_than(c->if_modified_since, mtime_ms, &newer) && !newer) {
        return failed(condition, "If-Modified-Since", S3E_NotModified);
    }
    return S3E_NONE;
}

bool s3_if_range(const struct s3_conditions *c, struct slice etag, uint64_t mtime_ms)
{
    bool weak;
    uint64_t ms;
    if (!c->if_range.p) return true;
    if (time_parse_http(c->if_range, &ms) == ERR_OK) return mtime_ms / 1000 == ms / 1000;
    struct slice tag = bare_tag(c->if_range, &weak);
    return !weak && slice_eq(tag, etag);
}

enum s3_error s3_condition_write(const struct s3_conditions *c, bool exists, struct slice etag, const char **condition)
{
    if (c->if_match.p && c->if_none_match.p) return failed(condition, "If-None-Match", S3E_NotImplemented);
    if (c->if_match.p) {
        if (!exists) return failed(condition, "If-Match", S3E_NoSuchKey);
        if (!names_tag(c->if_match, etag, true)) return failed(condition, "If-Match", S3E_PreconditionFailed);
    }
    if (c->if_none_match.p && exists && names_tag(c->if_none_match, etag, false))
        return failed(condition, "If-None-Match", S3E_PreconditionFailed);
    return S3E_NONE;
}

enum s3_error s3_condition_delete(const struct s3_conditions *c, bool exists, struct slice etag, const char **condition)
{
    struct s3_conditions only = {.if_match = c->if_match};
    return s3_condition_write(&only, exists, etag, condition);
}
