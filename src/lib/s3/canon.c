/* SPDX-License-Identifier: Apache-2.0
 * Builds the canonical request that SigV4 signs, from a request as it came.
 * Role: front, before ASK; and the tillit command line when it signs.
 * Trusts: nothing. Distrusts: names, values, their order and number.
 * Law: 3 (what the gate reads is what was signed; the front only arranges it).
 * Spec: AWS General Reference, "Create a signed AWS API request", service s3: path not normalised, encoded once.
 */
#include "s3/s3_inner.h"

static const struct {
    const char *name;
    size_t n;
    enum s3_unsigned outside;
    bool single;
} header_rows[] = {
#define HEADER(name, rule, single) {name, sizeof(name) - 1, S3_UNSIGNED_##rule, single},
#include "s3/header.def"
#undef HEADER
};

/* The row of a header, ARRAY_LEN(header_rows) when it has none. Runs for every header of every request: length and first
 * letter sort nearly all of them out. */
static size_t row_of(struct slice name)
{
    size_t i = 0;
    if (name.n == 0) return ARRAY_LEN(header_rows);
    for (; i < ARRAY_LEN(header_rows); i++)
        if (header_rows[i].n == name.n && header_rows[i].name[0] == (name.p[0] | 0x20) &&
            slice_ieq(name, slice_of(header_rows[i].name, name.n)))
            break;
    return i;
}

enum s3_unsigned s3_unsigned_class(struct slice name)
{
    size_t row = row_of(name);
    if (row < ARRAY_LEN(header_rows)) return header_rows[row].outside;
    if (name.n >= 6 && slice_ieq(slice_of(name.p, 6), SLICE_LIT("x-amz-"))) return S3_UNSIGNED_REFUSED;
    return S3_UNSIGNED_IGNORED;
}

bool s3_value_ok(struct slice value)
{
    for (size_t i = 0; i < value.n; i++)
        if ((value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7f) return false;
    return true;
}

bool s3_signed_next(struct slice *list, struct slice *name)
{
    if (list->p == NULL) return false;
    *list = slice_cut(*list, ';', name);
    return true;
}

static bool is_lower_token(struct slice s)
{
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                  (c != 0 && strchr("!#$%&'*+.^_`|~", c) != NULL);
        if (!ok) return false;
    }
    return true;
}

bool s3_signed_list_ok(struct slice list)
{
    struct slice name, before = slice_of("", 0);
    size_t count = 0;
    if (list.n == 0) return false;
    while (s3_signed_next(&list, &name)) {
        if (!is_lower_token(name) || slice_cmp(before, name) >= 0 || ++count > S3_HEADERS_MAX) return false;
        before = name;
    }
    return true;
}

bool s3_is_signed(struct slice signed_headers, struct slice name)
{
    struct slice x;
    if (signed_headers.n == 0) return false;
    while (s3_signed_next(&signed_headers, &x))
        if (x.n == name.n && slice_ieq(x, name)) return true;
    return false;
}

/* Order of the percent-encoded form without encoding: '%' (0x25) sorts below every unreserved byte, and two encoded bytes
 * sort as their values do. */
static unsigned encoded_rank(uint8_t c)
{
    bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                      c == '.' || c == '~';
    return unreserved ? 0x100u + c : c;
}

static int encoded_cmp(struct slice a, struct slice b)
{
    size_t n = MIN(a.n, b.n);
    for (size_t i = 0; i < n; i++)
        if (a.p[i] != b.p[i]) return encoded_rank(a.p[i]) < encoded_rank(b.p[i]) ? -1 : 1;
    return a.n < b.n ? -1 : a.n > b.n ? 1 : 0;
}

static int param_cmp(const struct s3_param *a, const struct s3_param *b)
{
    int c = encoded_cmp(a->name, b->name);
    return c ? c : encoded_cmp(a->value, b->value);
}

static void put_head(struct buf *out, struct slice method, struct slice path, const struct s3_param *params, size_t count,
                     bool query_auth)
{
    const struct s3_param *order[S3_QUERY_PARAMS_MAX];
    size_t n = 0;
    ASSERT(count <= S3_QUERY_PARAMS_MAX);
    for (size_t i = 0; i < count; i++) {                          /* insertion sort: few, mostly sorted already */
        if (query_auth && slice_is(params[i].name, "X-Amz-Signature")) continue;
        size_t at = n++;
        for (; at > 0 && param_cmp(order[at - 1], &params[i]) > 0; at--) order[at] = order[at - 1];
        order[at] = &params[i];
    }
    buf_put_slice(out, method);
    buf_put_u8(out, '\n');
    s3_put_uri(out, path, true);
    buf_put_u8(out, '\n');
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_u8(out, '&');
        s3_put_uri(out, order[i]->name, false);
        buf_put_u8(out, '=');
        s3_put_uri(out, order[i]->value, false);
    }
    buf_put_u8(out, '\n');
}

static void put_tail(struct buf *out, struct slice signed_headers, struct slice payload_hash)
{
    buf_put_u8(out, '\n');
    buf_put_slice(out, signed_headers);
    buf_put_u8(out, '\n');
    buf_put_slice(out, payload_hash);
}

void s3_canon_write(struct buf *out, struct slice method, struct slice path, const struct s3_param *params,
                    size_t param_count, const struct s3_header *h, size_t n, struct slice signed_headers,
                    struct slice payload_hash)
{
    put_head(out, method, path, params, param_count, false);
    for (size_t i = 0; i < n; i++) {
        buf_put_slice(out, h[i].name);
        buf_put_u8(out, ':');
        s3_put_trimall(out, h[i].value);
        buf_put_u8(out, '\n');
    }
    put_tail(out, signed_headers, payload_hash);
}

/* LAW-3: a header two readers could read differently is refused, not chosen. */
static enum s3_error check_singles(const struct s3_header *h, size_t n, struct s3_fault *f)
{
    uint8_t seen[ARRAY_LEN(header_rows)] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t k = row_of(h[i].name);
        if (k == ARRAY_LEN(header_rows) || !header_rows[k].single || !seen[k]++) continue;
        bool date = strcmp(header_rows[k].name, "x-amz-date") == 0;
        s3_fault_add(f, "HeaderName", slice_str(header_rows[k].name));
        return s3_fault_set(f, date ? S3E_SignatureDoesNotMatch : S3E_InvalidRequest, "This header may be sent once only");
    }
    return S3E_NONE;
}

static enum s3_error put_header(struct buf *out, struct slice name, const struct s3_header *h, size_t n, struct s3_fault *f)
{
    bool any = false;
    buf_put_slice(out, name);
    for (size_t i = 0; i < n; i++) {
        if (h[i].name.n != name.n || !slice_ieq(h[i].name, name)) continue;
        if (!s3_value_ok(h[i].value)) return s3_fault_set(f, S3E_InvalidRequest, "A header holds a control character");
        buf_put_u8(out, any ? ',' : ':');
        s3_put_trimall(out, h[i].value);
        any = true;
    }
    buf_put_u8(out, '\n');
    return any ? S3E_NONE : s3_fault_set(f, S3E_SignatureDoesNotMatch, "A signed header is not in the request");
}

enum s3_error s3_canon_build(struct buf *out, struct slice method, const struct s3_target *t, const struct s3_header *h,
                             size_t n, struct slice signed_headers, struct slice payload_hash, bool query_auth,
                             struct s3_fault *f)
{
    struct slice names = signed_headers, name;
    if (n > S3_HEADERS_MAX) return s3_fault_set(f, S3E_RequestHeaderSectionTooLarge, NULL);
    if (signed_headers.n && !s3_signed_list_ok(signed_headers))
        return s3_fault_set(f, query_auth ? S3E_AuthorizationQueryParametersError : S3E_AuthorizationHeaderMalformed,
                            "SignedHeaders must be lower case, sorted and without repeats");
    enum s3_error e = check_singles(h, n, f);
    if (e != S3E_NONE) return e;
    put_head(out, method, t->path, t->params, t->param_count, query_auth);
    while (signed_headers.n && s3_signed_next(&names, &name)) {
        e = put_header(out, name, h, n, f);
        if (e != S3E_NONE) return e;
    }
    put_tail(out, signed_headers, payload_hash);
    return buf_ok(out) ? S3E_NONE : s3_fault_set(f, S3E_RequestHeaderSectionTooLarge, NULL);
}
