/* SPDX-License-Identifier: Apache-2.0
 * Reads a canonical request: exactly the bytes the signature covers, and nothing that is not canonical.
 * Role: the gate's only view of a request.
 * Trusts: nothing. Distrusts: the front that sent the bytes as much as the client that signed them.
 * Law: 3.
 * Spec: SigV4 canonical request; see s3.h.
 */
#include "s3/s3_inner.h"

static bool cut_line(struct slice *rest, struct slice *line)
{
    const uint8_t *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!end) return false;
    size_t n = (size_t)(end - rest->p);
    *line = slice_of(rest->p, n);
    *rest = slice_of(end + 1, rest->n - n - 1);
    return true;
}

bool s3_method_ok(struct slice m)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (slice_is(m, methods[i])) return true;
    return false;
}

static enum err read_query(struct slice query, struct buf *mem, struct s3_request *out)
{
    while (query.p && query.n) {
        struct slice pair, name, value;
        query = slice_cut(query, '&', &pair);
        if (out->param_count == S3_QUERY_PARAMS_MAX) return ERR_LIMIT;
        value = slice_cut(pair, '=', &name);
        struct s3_param *p = &out->params[out->param_count++];
        if (s3_uri_decode(name, false, mem, &p->name) != S3E_NONE) return ERR_INPUT;
        if (s3_uri_decode(value, false, mem, &p->value) != S3E_NONE) return ERR_INPUT;
    }
    return ERR_OK;
}

/* Header lines up to the empty one; each name must be the next of SignedHeaders. */
static enum err read_headers(struct slice *rest, struct s3_request *out)
{
    struct slice line;
    for (;;) {
        if (!cut_line(rest, &line)) return ERR_TRUNCATED;
        if (line.n == 0) return ERR_OK;
        if (out->header_count == S3_HEADERS_MAX) return ERR_LIMIT;
        struct s3_header *h = &out->headers[out->header_count++];
        h->value = slice_cut(line, ':', &h->name);
        if (!h->value.p) return ERR_INPUT;
        if (!s3_value_ok(h->value)) return ERR_INPUT;
    }
}

static enum err check_names(const struct s3_request *r)
{
    struct slice names = r->signed_headers, name;
    size_t i = 0;
    if (r->signed_headers.n == 0) return r->header_count == 0 ? ERR_OK : ERR_INPUT;
    if (!s3_signed_list_ok(r->signed_headers)) return ERR_INPUT;
    while (s3_signed_next(&names, &name)) {
        if (i == r->header_count || !slice_eq(name, r->headers[i].name)) return ERR_INPUT;
        i++;
    }
    return i == r->header_count ? ERR_OK : ERR_INPUT;
}

enum err s3_canon_parse(struct slice canon, struct buf *mem, struct s3_request *out)
{
    struct slice rest = canon, path, query;
    out->param_count = out->header_count = 0;
    if (canon.n > S3_CANONICAL_BYTES_MAX) return ERR_LIMIT;
    if (canon.n == 0) return ERR_TRUNCATED;
    if (!buf_room(mem, 2 * canon.n)) return ERR_LIMIT;            /* once: slices given out must not move */
    if (!cut_line(&rest, &out->method) || !cut_line(&rest, &path) || !cut_line(&rest, &query)) return ERR_TRUNCATED;
    if (!s3_method_ok(out->method) || path.n == 0 || path.p[0] != '/') return ERR_INPUT;
    if (s3_uri_decode(path, false, mem, &out->path) != S3E_NONE) return ERR_INPUT;
    TRY(read_query(query, mem, out));
    TRY(read_headers(&rest, out));
    if (!cut_line(&rest, &out->signed_headers)) return ERR_TRUNCATED;
    out->payload_hash = rest;
    TRY(check_names(out));
    if (s3_payload_parse(rest, &out->payload) != S3E_NONE) return ERR_INPUT;

    /* LAW-3: what we understood, written again, must be what was signed; so nothing was read that another reader of the
     * same bytes could read otherwise. */
    struct buf again = {.p = mem->p + mem->n, .n = 0, .cap = canon.n, .max = canon.n};
    s3_canon_write(&again, out->method, out->path, out->params, out->param_count, out->headers, out->header_count,
                   out->signed_headers, out->payload_hash);
    return buf_ok(&again) && slice_eq(buf_slice(&again), canon) ? ERR_OK : ERR_INPUT;
}
