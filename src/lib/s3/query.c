/* SPDX-License-Identifier: Apache-2.0
 * The Query API of IAM and STS: form-encoded calls in, their XML out.
 * Role: the gate; what an action may do is decided elsewhere.
 * Trusts: nothing. Distrusts: every pair: decoded once, counted, UTF-8.
 * Spec: IAM API reference and STS API reference, "Making query requests", "Common errors"; URL standard, application/x-www-form-urlencoded.
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

#define NS_IAM "https://iam.amazonaws.com/doc/2010-05-08/"
#define NS_STS "https://sts.amazonaws.com/doc/2011-06-15/"

enum s3_error s3_query_body(struct slice body, struct buf *mem, struct s3_param *p, size_t max, size_t *n)
{
    struct slice rest = body, pair, value;
    *n = 0;
    if (body.n > FORM_BYTES_MAX) return S3E_InvalidRequest;
    if (body.n && !buf_room(mem, body.n)) return s3_error_of_err(ERR_NOMEM);
    while (rest.p && rest.n) {
        rest = slice_cut(rest, '&', &pair);
        if (pair.n == 0) continue;
        if (*n == max) return S3E_InvalidRequest;
        value = slice_cut(pair, '=', &p[*n].name);
        if (s3_uri_decode(p[*n].name, true, mem, &p[*n].name) != S3E_NONE || s3_uri_decode(value, true, mem, &p[*n].value) != S3E_NONE)
            return S3E_InvalidRequest;
        for (size_t i = 0; i < *n; i++)            /* two readers must not see two calls */
            if (slice_eq(p[i].name, p[*n].name)) return S3E_InvalidRequest;
        (*n)++;
    }
    return S3E_NONE;
}

static const struct {
    const char *code;
    uint16_t status;
    const char *message;
} rows[] = {
    [S3_IAM_NONE] = {"", 200, ""},
    [S3_IAM_INVALID_ACTION] = {"InvalidAction", 400, "The action or operation requested is not valid"},
    [S3_IAM_NO_SUCH_ENTITY] = {"NoSuchEntity", 404, "The entity does not exist"},
    [S3_IAM_ALREADY_EXISTS] = {"EntityAlreadyExists", 409, "The entity exists already"},
    [S3_IAM_DELETE_CONFLICT] = {"DeleteConflict", 409, "The entity still has subordinate entities"},
    [S3_IAM_LIMIT_EXCEEDED] = {"LimitExceeded", 409, "A limit of the account is reached"},
    [S3_IAM_MALFORMED_POLICY] = {"MalformedPolicyDocument", 400, "The policy document is not well formed"},
    [S3_IAM_VALIDATION] = {"ValidationError", 400, "A parameter is missing or not valid"},
    [S3_IAM_ACCESS_DENIED] = {"AccessDenied", 403, "Not authorized to perform this action"},
    [S3_IAM_SERVICE_FAILURE] = {"ServiceFailure", 500, "The request processing has failed because of an internal error"},
};

uint16_t s3_iam_status(enum s3_iam_error e)
{
    ASSERT(e < ARRAY_LEN(rows));
    return rows[e].status;
}

const char *s3_iam_code(enum s3_iam_error e)
{
    ASSERT(e < ARRAY_LEN(rows));
    return rows[e].code;
}

void s3_iam_error_xml(struct buf *out, bool sts, enum s3_iam_error e, const char *message, struct slice request_id)
{
    ASSERT(e > S3_IAM_NONE && e < ARRAY_LEN(rows));
    buf_put_str(out, "<ErrorResponse xmlns=\"");
    buf_put_str(out, sts ? NS_STS : NS_IAM);
    buf_put_str(out, "\"><Error>");
    s3_put_element_str(out, "Type", rows[e].status >= 500 ? "Receiver" : "Sender");
    s3_put_element_str(out, "Code", rows[e].code);
    s3_put_element_str(out, "Message", message ? message : rows[e].message);
    buf_put_str(out, "</Error>");
    s3_put_element(out, "RequestId", request_id);
    buf_put_str(out, "</ErrorResponse>");
}

/* <actionsuffix> or </actionsuffix>, the opening one perhaps with a namespace. */
static void put_tag(struct buf *out, const char *before, const char *action, const char *suffix, const char *ns)
{
    buf_put_str(out, before);
    buf_put_str(out, action);
    buf_put_str(out, suffix);
    if (ns) {
        buf_put_str(out, " xmlns=\"");
        buf_put_str(out, ns);
        buf_put_u8(out, '"');
    }
    buf_put_u8(out, '>');
}

void s3_iam_open(struct buf *out, bool sts, const char *action)
{
    put_tag(out, "<", action, "Response", sts ? NS_STS : NS_IAM);
    put_tag(out, "<", action, "Result", NULL);
}

void s3_iam_element(struct buf *out, const char *name, struct slice value) { s3_put_element(out, name, value); }

void s3_iam_tag(struct buf *out, const char *name, bool open)
{
    if (open) s3_put_open(out, name);
    else s3_put_close(out, name);
}

void s3_iam_close(struct buf *out, const char *action, struct slice request_id)
{
    put_tag(out, "</", action, "Result", NULL);
    buf_put_str(out, "<ResponseMetadata>");
    s3_put_element(out, "RequestId", request_id);
    buf_put_str(out, "</ResponseMetadata>");
    put_tag(out, "</", action, "Response", NULL);
}
