/* SPDX-License-Identifier: Apache-2.0
 * The table of S3 errors and the document that carries one to a client.
 * Role: both processes; the front writes what the gate or its own grammar refused.
 * Trusts: s3_error.def. Distrusts: the texts put into a fault (escaped on the way out).
 * Spec: S3 API reference, "Error responses".
 */
#include "s3/s3.h"

static const struct {
    const char *code;
    int status;
    const char *message;
} rows[S3E__COUNT] = {
    [S3E_NONE] = {"", 200, ""},
#define S3_ERROR(code, status, message) [S3E_##code] = {#code, status, message},
#include "s3/s3_error.def"
#undef S3_ERROR
};

const char *s3_error_code(enum s3_error e)
{
    ASSERT(e < S3E__COUNT);
    return rows[e].code;
}

int s3_error_status(enum s3_error e)
{
    ASSERT(e < S3E__COUNT);
    return rows[e].status;
}

const char *s3_error_message(enum s3_error e)
{
    ASSERT(e < S3E__COUNT);
    return rows[e].message;
}

enum s3_error s3_error_of_code(struct slice code)
{
    for (size_t i = 1; i < S3E__COUNT; i++)
        if (slice_is(code, rows[i].code)) return (enum s3_error)i;
    return S3E_NONE;
}

enum s3_error s3_error_of_err(enum err e)
{
    if (e == ERR_OK) return S3E_NONE;
    switch (err_class(e)) {
    case ERRC_LIMIT:
    case ERRC_BUSY: return S3E_SlowDown;
    case ERRC_IO: return S3E_ServiceUnavailable;
    case ERRC_NONE:
    case ERRC_INPUT:
    case ERRC_AUTH:
    case ERRC_GONE: break;
    }
    return S3E_InternalError;
}

enum s3_error s3_fault_set(struct s3_fault *f, enum s3_error code, const char *message)
{
    ASSERT(code < S3E__COUNT);
    if (f) {
        f->code = code;
        f->message = message;
    }
    return code;
}

void s3_fault_add(struct s3_fault *f, const char *name, struct slice value)
{
    if (!f || f->extra_count >= S3_EXTRA_MAX) return;
    struct s3_extra *x = &f->extra[f->extra_count++];
    size_t n = MIN(value.n, (size_t)S3_EXTRA_CHARS_MAX);
    x->name = name;
    if (n) memcpy(x->value, value.p, n);
    x->value[n] = 0;
}

static void element(struct buf *out, const char *name, struct slice value)
{
    buf_put_u8(out, '<');
    buf_put_str(out, name);
    buf_put_u8(out, '>');
    s3_put_xml(out, value);
    buf_put_str(out, "</");
    buf_put_str(out, name);
    buf_put_u8(out, '>');
}

void s3_error_xml(struct buf *out, const struct s3_fault *f, struct slice resource, struct slice request_id,
                  struct slice host_id)
{
    ASSERT(f->code > S3E_NONE && f->code < S3E__COUNT);
    buf_put_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    element(out, "Code", slice_str(rows[f->code].code));
    element(out, "Message", slice_str(f->message ? f->message : rows[f->code].message));
    for (size_t i = 0; i < f->extra_count; i++) element(out, f->extra[i].name, slice_str(f->extra[i].value));
    if (resource.n) element(out, "Resource", resource);
    if (request_id.n) element(out, "RequestId", request_id);
    if (host_id.n) element(out, "HostId", host_id);
    buf_put_str(out, "</Error>");
}
