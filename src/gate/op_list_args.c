/* SPDX-License-Identifier: Apache-2.0
 * op_list_args: where the page of a listing begins and how the next one is asked for: parameters, markers, sealed tokens.
 * Role: beside op_list.c. Trusts: the s3 room's grammar. Distrusts: tokens and markers.
 * Law: 5 (a token opens for its own tenant, bucket and prefix only). Spec: docs/spec/order.md (LIST); docs/spec/wire.md (LISTING).
 */
#include "gate/op_list.h"

/* tokens ------------------------------------------------------------------------------------------------------------------- */

static enum err token_key(struct gate_request *r, struct secret *out)
{
    return keys_derive(r->gate->crypto, &r->tenant->key, KEYS_LABEL_LISTING, slice_of(r->bucket->id, ID_BYTES), out);
}

static void token_aad(const struct gate_request *r, struct buf *out)
{
    buf_put(out, r->tenant->id, ID_BYTES);
    buf_put(out, r->bucket->id, ID_BYTES);
    buf_put_lp16(out, r->u.list.args.prefix);
    buf_put_lp16(out, r->u.list.args.delimiter);
}

/* The continuation token: the last name, sealed. */
static enum err token_put(struct gate_request *r, struct slice after, struct buf *out)
{
    AUTO(secret) struct secret key = SECRET_INIT;
    AUTO(buf) struct buf aad = BUF_INIT(KEYS_AAD_BYTES_MAX);
    AUTO(buf) struct buf sealed = BUF_INIT(S3_KEY_BYTES_MAX + KEYS_SEAL_EXTRA_BYTES);
    token_aad(r, &aad);
    TRY(token_key(r, &key));
    TRY(keys_seal(r->gate->crypto, r->gate->rng, &key, buf_slice(&aad), after, &sealed));
    buf_put_base64url(out, buf_slice(&sealed));
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

static enum err token_get(struct gate_request *r, struct slice text, struct buf *after)
{
    AUTO(secret) struct secret key = SECRET_INIT;
    AUTO(buf) struct buf aad = BUF_INIT(KEYS_AAD_BYTES_MAX);
    AUTO(buf) struct buf sealed = BUF_INIT(S3_TOKEN_CHARS_MAX);
    if (s3_token_decode(text, &sealed) != S3E_NONE) return ERR_INPUT;
    token_aad(r, &aad);
    TRY(token_key(r, &key));
    TRY(keys_open(r->gate->crypto, &key, buf_slice(&aad), buf_slice(&sealed), after));
    return after->n <= S3_KEY_BYTES_MAX ? ERR_OK : ERR_INPUT;
}

/* parameters ----------------------------------------------------------------------------------------------------------------- */

static enum s3_error keys_args(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    enum s3_error e = s3_list_args(r->s3.params, r->s3.param_count, &q->args, &r->fault);
    if (e != S3E_NONE) return e;
    q->after = q->args.v2 ? q->args.start_after : q->args.marker;
    if (q->args.v2 && q->args.has_token && q->args.token.n) {
        if (token_get(r, q->args.token, &r->headers_out) != ERR_OK) return S3E_InvalidArgument;
        q->after = buf_slice(&r->headers_out);
    }
    return q->after.n > S3_KEY_BYTES_MAX || q->args.prefix.n > S3_KEY_BYTES_MAX || q->args.delimiter.n > S3_KEY_BYTES_MAX ? S3E_InvalidArgument
                                                                                                                           : S3E_NONE;
}

/* The marker names a version of key_marker: what is older than it follows. One that names none is an invalid argument. */
static enum s3_error versions_args(struct gate_request *r, bool *find_null)
{
    struct request_list *q = &r->u.list;
    uint64_t order;
    enum s3_error e = s3_versions_args(r->s3.params, r->s3.param_count, false, &q->versions, &r->fault);
    if (e != S3E_NONE) return e;
    q->after = q->versions.key_marker;
    if (!q->versions.id_marker.n) return S3E_NONE;
    if (!entry_version_parse(q->versions.id_marker, find_null, &q->after_index, &order))
        return s3_fault_set(&r->fault, S3E_InvalidArgument, "Invalid version id specified");
    return S3E_NONE;
}

static enum s3_error uploads_args(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    enum s3_error e = s3_versions_args(r->s3.params, r->s3.param_count, true, &q->versions, &r->fault);
    if (e != S3E_NONE) return e;
    q->after = q->versions.key_marker;
    if (q->versions.id_marker.n && !s3_id_parse(q->versions.id_marker, q->after_id))
        return s3_fault_set(&r->fault, S3E_InvalidArgument, "Invalid uploadId marker");
    return S3E_NONE;
}

static enum s3_error parts_args(struct gate_request *r)
{
    struct request_list *q = &r->u.list;
    enum s3_error e = s3_parts_args(r->s3.params, r->s3.param_count, &q->parts, &r->fault);
    if (e != S3E_NONE) return e;
    if (!s3_id_parse(q->parts.upload, q->upload)) return S3E_NoSuchUpload;
    q->after = slice_of(NULL, 0);
    q->after_index = q->parts.marker;
    return S3E_NONE;
}

enum s3_error list_args(struct gate_request *r, bool *find_null)
{
    struct request_list *q = &r->u.list;
    *find_null = false;
    switch (r->op) {
    case S3_OP_ListObjectVersions: q->kind = WIRE_SCAN_VERSIONS; return versions_args(r, find_null);
    case S3_OP_ListMultipartUploads: q->kind = WIRE_SCAN_UPLOADS; return uploads_args(r);
    case S3_OP_ListParts: q->kind = WIRE_SCAN_PARTS; return parts_args(r);
    default: q->kind = WIRE_SCAN_KEYS; return keys_args(r);
    }
}

uint32_t list_max(const struct request_list *q)
{
    return q->kind == WIRE_SCAN_KEYS ? q->args.max_keys : q->kind == WIRE_SCAN_PARTS ? q->parts.max : q->versions.max;
}

struct slice list_prefix(const struct gate_request *r)
{
    const struct request_list *q = &r->u.list;
    return q->kind == WIRE_SCAN_KEYS ? q->args.prefix : q->kind == WIRE_SCAN_PARTS ? r->name.key : q->versions.prefix;
}

struct slice list_delimiter(const struct request_list *q)
{
    return q->kind == WIRE_SCAN_KEYS ? q->args.delimiter : q->kind == WIRE_SCAN_PARTS ? slice_of(NULL, 0) : q->versions.delimiter;
}

enum err list_next(struct gate_request *r, struct buf *out)
{
    struct request_list *q = &r->u.list;
    if (q->kind == WIRE_SCAN_KEYS && q->args.v2) return token_put(r, buf_slice(&r->scratch), out);
    if (q->kind == WIRE_SCAN_KEYS) {
        buf_put_slice(out, buf_slice(&r->scratch));
    } else if (q->kind == WIRE_SCAN_PARTS) {
        buf_put_u16(out, q->next_number);
    } else {
        buf_put_lp16(out, buf_slice(&r->scratch));
        buf_put_lp16(out, buf_slice(&q->next_id));
    }
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}
