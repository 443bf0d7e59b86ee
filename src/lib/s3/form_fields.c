/* SPDX-License-Identifier: Apache-2.0
 * What the fields of an upload form ask for: where, as whom, with which headers, and what to answer.
 * Role: the gate, on the fields the front collected. They are believed as far as the form's policy covers them (form_policy.c), or, in a
 *       form without one, as far as everyone may write there.
 * Trusts: nothing. Distrusts: names in two spellings, fields twice, values that would be a header of their own.
 * Spec: S3 API reference, POST Object; S3 user guide, "Browser-based uploads using POST" (SigV4, and SigV2 in the test profile).
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

bool s3_field_next(struct reader *r, struct slice *name, struct slice *value)
{
    if (reader_left(r) == 0) return false;
    *name = reader_lp16(r, FORM_BYTES_MAX);
    *value = reader_lp16(r, FORM_BYTES_MAX);
    return !r->bad;
}

struct slice s3_field(struct slice fields, const char *name)
{
    struct reader r = reader_of(fields);
    struct slice want = slice_str(name), n, v;
    while (s3_field_next(&r, &n, &v))
        if (slice_ieq(n, want)) return v.n ? v : slice_of("", 0);
    return slice_of(NULL, 0);
}

static enum s3_error bad_field(struct s3_fault *f, const char *name, const char *why)
{
    s3_fault_add(f, "ArgumentName", slice_str(name));
    return s3_fault_set(f, S3E_InvalidArgument, why);
}

/* Each name once, in any case; and the list is one. */
static enum s3_error check_fields(struct slice fields, struct s3_fault *f)
{
    struct slice names[S3_FORM_FIELDS_MAX + 1], value;
    size_t n = 0;
    struct reader r = reader_of(fields);
    while (reader_left(&r)) {
        if (n == ARRAY_LEN(names) || !s3_field_next(&r, &names[n], &value)) return s3_fault_set(f, S3E_MalformedPOSTRequest, NULL);
        for (size_t i = 0; i < n; i++)
            if (slice_ieq(names[i], names[n])) {
                s3_fault_add(f, "ArgumentName", names[n]);
                return s3_fault_set(f, S3E_InvalidArgument, "POST requires exactly one value of each form field.");
            }
        n++;
    }
    return reader_end(&r) == ERR_OK ? S3E_NONE : s3_fault_set(f, S3E_MalformedPOSTRequest, NULL);
}

static enum s3_error read_key(struct slice fields, struct buf *mem, struct s3_post *out, struct s3_fault *f)
{
    struct slice key = s3_field(fields, "key"), file = s3_field(fields, "file"), mark = SLICE_LIT("${filename}");
    if (!key.p || key.n == 0)
        return bad_field(f, "key", "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.");
    for (size_t i = file.n; i > 0; i--)            /* F10: the last part of a path, Windows' or Unix' */
        if (file.p[i - 1] == '/' || file.p[i - 1] == '\\') {
            file = slice_of(file.p + i, file.n - i);
            break;
        }
    size_t at = mem->n;
    for (size_t i = 0; i < key.n; i++) {
        if (key.n - i >= mark.n && memcmp(key.p + i, mark.p, mark.n) == 0) {
            buf_put_slice(mem, file);
            i += mark.n - 1;
        } else {
            buf_put_u8(mem, key.p[i]);
        }
        if (mem->n - at > S3_KEY_BYTES_MAX) return s3_fault_set(f, S3E_KeyTooLongError, NULL);
    }
    if (!buf_ok(mem)) return s3_error_of_err(ERR_NOMEM);
    out->key = slice_of(mem->p + at, mem->n - at);
    if (out->key.n == 0) return bad_field(f, "key", "User key must have a length greater than 0.");
    if (!slice_is_utf8(out->key) || memchr(out->key.p, 0, out->key.n)) return s3_fault_set(f, S3E_InvalidURI, NULL);
    return S3E_NONE;
}

static enum s3_error read_auth(struct slice fields, bool allow_v2, struct s3_post *out, struct s3_fault *f)
{
    struct slice v4 = s3_field(fields, "x-amz-signature"), v2 = s3_field(fields, "signature");
    out->policy64 = s3_field(fields, "policy");
    if (!out->policy64.p && !v4.p && !v2.p && !s3_field(fields, "x-amz-credential").p && !s3_field(fields, "awsaccesskeyid").p)
        return S3E_NONE;                           /* anonymous */
    if (!out->policy64.p || out->policy64.n == 0) return bad_field(f, "policy", "Bucket POST must contain a field named 'policy'.");
    if (v4.p && v2.p) return bad_field(f, "signature", "Only one auth mechanism allowed");
    out->signed_form = true;
    out->v2 = !v4.p && (v2.p || s3_field(fields, "awsaccesskeyid").p);
    if (out->v2) {
        if (!allow_v2)
            return s3_fault_set(f, S3E_InvalidRequest, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.");
        out->credential = s3_field(fields, "awsaccesskeyid");
        out->signature = v2;
        if (!out->credential.p) return bad_field(f, "AWSAccessKeyId", "Bucket POST must contain a field named 'AWSAccessKeyId'.");
        if (!v2.p) return bad_field(f, "signature", "Bucket POST must contain a field named 'signature'.");
        return S3E_NONE;
    }
    out->signature = v4;
    out->credential = s3_field(fields, "x-amz-credential");
    out->date = s3_field(fields, "x-amz-date");
    if (!v4.p) return bad_field(f, "x-amz-signature", "Bucket POST must contain a field named 'X-Amz-Signature'.");
    if (!out->credential.p) return bad_field(f, "x-amz-credential", "Bucket POST must contain a field named 'X-Amz-Credential'.");
    if (!out->date.p) return bad_field(f, "x-amz-date", "Bucket POST must contain a field named 'X-Amz-Date'.");
    if (!slice_is(s3_field(fields, "x-amz-algorithm"), "AWS4-HMAC-SHA256"))
        return bad_field(f, "x-amz-algorithm", "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
    return S3E_NONE;
}

static void read_answer(struct slice fields, struct s3_post *out)
{
    struct slice status = s3_field(fields, "success_action_status"), to = s3_field(fields, "success_action_redirect");
    out->status = slice_is(status, "200") ? 200 : slice_is(status, "201") ? 201 : 204;
    if (!to.p) to = s3_field(fields, "redirect");                 /* its name of before */
    if (!to.p || !s3_value_ok(to) || !slice_is_utf8(to)) return;
    if ((to.n >= 7 && slice_ieq(slice_of(to.p, 7), SLICE_LIT("http://"))) || (to.n >= 8 && slice_ieq(slice_of(to.p, 8), SLICE_LIT("https://"))))
        out->redirect = to;                        /* F09: nothing that a browser would run */
}

/* Whether a field is a header of the object that is made. */
static bool is_header(struct slice lower)
{
    static const char *const plain[] = {"content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"};
    static const char *const not[] = {"x-amz-signature", "x-amz-credential", "x-amz-date", "x-amz-algorithm", "x-amz-security-token", "x-amz-tagging"};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (slice_is(lower, plain[i])) return true;
    for (size_t i = 0; i < ARRAY_LEN(not); i++)
        if (slice_is(lower, not[i])) return false;
    return slice_starts(lower, SLICE_LIT("x-amz-"));
}

static enum s3_error put_header(struct s3_post *out, struct slice name, struct slice value, struct s3_fault *f)
{
    if (!s3_value_ok(value)) {
        s3_fault_add(f, "ArgumentName", name);
        return s3_fault_set(f, S3E_InvalidArgument, "The value of a form field is not a valid header");
    }
    if (out->header_count == S3_HEADERS_MAX) return s3_fault_set(f, S3E_InvalidRequest, "The form has too many fields");
    out->headers[out->header_count++] = (struct s3_header){name, value};
    return S3E_NONE;
}

/* The field `tagging` is a <Tagging> document; the header is its query form. */
static enum s3_error read_tagging(struct slice xml, struct buf *mem, struct s3_post *out, struct s3_fault *f)
{
    struct s3_xml *x = s3_xml_new(S3_XML_TAGGING);
    AUTO(buf) struct buf query = BUF_INIT(S3_TAGGING_BYTES_MAX);
    size_t count = 0, at = mem->n;
    if (!x) return s3_error_of_err(ERR_NOMEM);
    enum s3_error e = s3_xml_feed(x, xml);
    if (e == S3E_NONE) e = s3_xml_tagging_end(x, S3_TAGS_MAX, &query, &count, f);
    else s3_fault_set(f, e, NULL);
    s3_xml_free(x);
    if (e != S3E_NONE || count == 0) return e;
    buf_put_slice(mem, buf_slice(&query));
    if (!buf_ok(mem)) return s3_error_of_err(ERR_NOMEM);
    return put_header(out, SLICE_LIT("x-amz-tagging"), slice_of(mem->p + at, mem->n - at), f);
}

static enum s3_error read_headers(struct slice fields, struct buf *mem, struct s3_post *out, struct s3_fault *f)
{
    struct reader r = reader_of(fields);
    struct slice name, value;
    while (s3_field_next(&r, &name, &value)) {
        size_t at = mem->n;
        for (size_t i = 0; i < name.n; i++) buf_put_u8(mem, name.p[i] >= 'A' && name.p[i] <= 'Z' ? (uint8_t)(name.p[i] | 0x20) : name.p[i]);
        if (!buf_ok(mem)) return s3_error_of_err(ERR_NOMEM);
        struct slice lower = slice_of(mem->p + at, mem->n - at);
        enum s3_error e = S3E_NONE;
        if (slice_is(lower, "acl")) e = put_header(out, SLICE_LIT("x-amz-acl"), value, f);
        else if (slice_is(lower, "tagging")) e = read_tagging(value, mem, out, f);
        else if (is_header(lower)) e = put_header(out, lower, slice_trim(value), f);
        if (e != S3E_NONE) return e;
    }
    return S3E_NONE;
}

enum s3_error s3_post_read(struct slice fields, struct slice bucket, bool allow_v2, struct buf *mem, struct s3_post *out, struct s3_fault *f)
{
    *out = (struct s3_post){.size_max = S3_PUT_BYTES_MAX, .status = 204};
    /* One reservation: the key, lower-case names, tags. */
    if (fields.n > FORM_BYTES_MAX || !buf_room(mem, 2 * S3_KEY_BYTES_MAX + FORM_BYTES_MAX + fields.n + S3_TAGGING_BYTES_MAX))
        return s3_error_of_err(ERR_NOMEM);
    enum s3_error e = check_fields(fields, f);
    if (e != S3E_NONE) return e;
    if (!s3_field(fields, "file").p) return bad_field(f, "file", "POST requires exactly one file upload per request.");   /* F02 */
    struct slice named = s3_field(fields, "bucket");
    if (named.p && !slice_eq(named, bucket)) return bad_field(f, "bucket", "The form's bucket is not the one it was sent to.");
    e = read_auth(fields, allow_v2, out, f);
    if (e == S3E_NONE) e = read_key(fields, mem, out, f);
    if (e == S3E_NONE) e = read_headers(fields, mem, out, f);
    read_answer(fields, out);
    return e;
}

bool s3_post_v2_ok(struct slice secret, struct slice policy64, struct slice signature)
{
    uint8_t want[20], got[20];
    unsigned n = 0;
    if (base64_fixed(signature, got, sizeof got) != ERR_OK) return false;
    if (secret.n > SECRET_BYTES_MAX || !HMAC(EVP_sha1(), secret.p, (int)secret.n, policy64.p, policy64.n, want, &n) || n != sizeof want) return false;
    bool ok = ct_equal(want, got, sizeof want);
    wipe(want, sizeof want);
    return ok;
}
