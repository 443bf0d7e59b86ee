/* SPDX-License-Identifier: Apache-2.0
 * A request target taken apart: path and parameters decoded once, bucket and key told apart, bucket names judged.
 * Role: first thing the front does with a request; the gate splits the path of the canonical request with it.
 * Trusts: configured domains. Distrusts: target and Host.
 * Law: 5 (host and path only ever name a bucket).
 * Spec: RFC 3986; S3 user guide, "Bucket naming rules", "Virtual hosting of buckets".
 */
#include "s3/s3.h"

static enum s3_error parse_query(struct slice query, struct buf *mem, struct s3_target *out)
{
    while (query.n) {
        struct slice pair, name, value;
        query = slice_cut(query, '&', &pair);
        if (pair.n == 0) continue;                                /* "?", "a&&b": no parameter there */
        if (out->param_count == S3_QUERY_PARAMS_MAX) return S3E_InvalidRequest;
        value = slice_cut(pair, '=', &name);
        struct s3_param *p = &out->params[out->param_count];
        enum s3_error e = s3_uri_decode(name, true, mem, &p->name);
        if (e == S3E_NONE) e = s3_uri_decode(value, true, mem, &p->value);
        if (e != S3E_NONE) return e;
        out->param_count++;
    }
    return S3E_NONE;
}

/* "http://host/path" (RFC 9112 3.2.2): takes scheme and authority off. */
static bool take_authority(struct slice *raw, struct slice *authority)
{
    size_t skip = slice_starts(*raw, SLICE_LIT("http://")) ? 7 : slice_starts(*raw, SLICE_LIT("https://")) ? 8 : 0;
    if (!skip) return false;
    size_t end = skip;
    while (end < raw->n && raw->p[end] != '/' && raw->p[end] != '?') end++;
    *authority = slice_of(raw->p + skip, end - skip);
    *raw = slice_of(raw->p + end, raw->n - end);
    return authority->n > 0;
}

enum s3_error s3_target_parse(struct slice raw, struct buf *mem, struct s3_target *out)
{
    struct slice path, query;
    out->param_count = 0;
    out->authority = slice_of("", 0);
    if (raw.n == 0 || raw.n > S3_TARGET_BYTES_MAX) return S3E_InvalidURI;
    for (size_t i = 0; i < raw.n; i++)
        if (raw.p[i] < 0x20 || raw.p[i] == 0x7f) return S3E_InvalidURI;
    /* One reservation for all: slices given out must not move. */
    if (!buf_room(mem, raw.n)) return S3E_RequestHeaderSectionTooLarge;
    if (raw.p[0] != '/' && !take_authority(&raw, &out->authority)) return S3E_InvalidURI;
    query = slice_cut(raw, '?', &path);
    if (path.n == 0) path = SLICE_LIT("/");                       /* absolute form without a path */
    enum s3_error e = s3_uri_decode(path, false, mem, &out->path);
    if (e != S3E_NONE) return e;
    if (out->path.p[0] != '/') return S3E_InvalidURI;
    return parse_query(query, mem, out);
}

/* The label before `.domain`, or false when host is not below it; is_base when host is the domain itself. */
static bool host_label(struct slice host, struct slice domain, struct slice *label, bool *is_base)
{
    *is_base = slice_ieq(host, domain);
    if (*is_base) return true;
    if (domain.n == 0 || host.n < domain.n + 2) return false;
    size_t cut = host.n - domain.n;
    if (host.p[cut - 1] != '.' || !slice_ieq(slice_of(host.p + cut, domain.n), domain)) return false;
    *label = slice_of(host.p, cut - 1);
    return true;
}

static struct slice host_without_port(struct slice host)
{
    size_t n = host.n;
    while (n > 0 && host.p[n - 1] >= '0' && host.p[n - 1] <= '9') n--;
    return n > 0 && host.p[n - 1] == ':' ? slice_of(host.p, n - 1) : host;
}

enum s3_error s3_split(struct slice path, struct slice host, const struct slice *domains, size_t domain_count,
                       struct s3_name *out)
{
    *out = (struct s3_name){.bucket = slice_of("", 0), .key = slice_of("", 0)};
    if (path.n == 0 || path.p[0] != '/') return S3E_InvalidURI;
    struct slice rest = slice_of(path.p + 1, path.n - 1);
    host = host_without_port(slice_trim(host));
    for (size_t i = 0; i < domain_count && !out->virtual_host; i++) {
        bool is_base = false;
        struct slice label;
        if (!host_label(host, domains[i], &label, &is_base)) continue;
        if (is_base) break;
        out->virtual_host = true;
        out->bucket = label;
    }
    if (!out->virtual_host) {
        rest = slice_cut(rest, '/', &out->bucket);
        if (out->bucket.n == 0 && rest.n > 0) return S3E_InvalidBucketName;
        if (out->bucket.n == 0 && path.n > 1) return S3E_InvalidBucketName;      /* "//" */
    }
    out->key = rest.p ? rest : slice_of("", 0);
    return out->key.n > S3_KEY_BYTES_MAX ? S3E_KeyTooLongError : S3E_NONE;
}

static bool ends_with(struct slice s, const char *end)
{
    size_t n = strlen(end);
    return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

static bool is_ip_shaped(struct slice s)
{
    size_t dots = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.') dots++;
        else if (s.p[i] < '0' || s.p[i] > '9') return false;
    }
    return dots == 3;
}

enum s3_error s3_bucket_name_check(struct slice name)
{
    static const char *const reserved_heads[] = {"xn--", "sthree-", "amzn-s3-demo-"};
    static const char *const reserved_tails[] = {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"};
    if (name.n < S3_BUCKET_CHARS_MIN || name.n > S3_BUCKET_CHARS_MAX) return S3E_InvalidBucketName;
    uint8_t before = '.';                                         /* as if after a dot: no dot or dash may begin a label */
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alnum && c != '-' && c != '.') return S3E_InvalidBucketName;
        if (before == '.' && !alnum) return S3E_InvalidBucketName;
        if (before == '-' && c == '.') return S3E_InvalidBucketName;
        before = c;
    }
    if (before == '-' || before == '.' || is_ip_shaped(name)) return S3E_InvalidBucketName;
    for (size_t i = 0; i < ARRAY_LEN(reserved_heads); i++)
        if (slice_starts(name, slice_str(reserved_heads[i]))) return S3E_InvalidBucketName;
    for (size_t i = 0; i < ARRAY_LEN(reserved_tails); i++)
        if (ends_with(name, reserved_tails[i])) return S3E_InvalidBucketName;
    return S3E_NONE;
}
