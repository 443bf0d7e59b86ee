/* SPDX-License-Identifier: Apache-2.0
 * Tells which operation a request is, from s3_op.def.
 * Role: the gate decides by the result; the front chooses its flow by it.
 * Trusts: s3_op.def. Distrusts: combinations of parameters: the first row that fits is the only one.
 * Spec: S3 API model; docs of the sub-resources.
 */
#include "s3/s3.h"

enum level { SERVICE, BUCKET, OBJECT };

static const struct {
    enum level level;
    const char *method, *sub;
    struct s3_op_row row;
} rows[S3_OP__COUNT] = {
    [S3_OP_NONE] = {SERVICE, "", "", {"", "", S3_KIND_READ, S3E_NotImplemented}},
#define S3_OP(level, method, sub, name, action, kind, answer)                                                         \
    [S3_OP_##name] = {level, method, sub, {#name, action, S3_KIND_##kind, S3E_##answer}},
#include "s3/s3_op.def"
#undef S3_OP
};

const struct s3_op_row *s3_op_row(enum s3_op op)
{
    ASSERT(op < S3_OP__COUNT);
    return &rows[op].row;
}

/* Whether every selector of `sub` (joined by '&') is in the request. */
static bool selected(const char *sub, const struct s3_param *p, size_t pn, const struct s3_header *h, size_t hn)
{
    struct slice rest = slice_str(sub), one;
    if (rest.n == 0) return true;
    if (pn == 0 && !strchr(sub, ':')) return false;
    while (rest.p) {
        bool found = false;
        rest = slice_cut(rest, '&', &one);
        if (slice_starts(one, SLICE_LIT("h:"))) {
            struct slice name = slice_of(one.p + 2, one.n - 2);
            for (size_t i = 0; i < hn && !found; i++) found = slice_ieq(h[i].name, name);
        } else {
            for (size_t i = 0; i < pn && !found; i++) found = slice_eq(p[i].name, one);
        }
        if (!found) return false;
    }
    return true;
}

/* A sub-resource asked for with a method it does not have must not fall through to the plain object or bucket. */
static bool is_foreign_sub(enum level level, const struct s3_param *p, size_t pn)
{
    static const char *const plain[] = {"list-type", "versionId", "partNumber", "uploadId"};
    if (pn == 0) return false;                                    /* most requests: the table is not walked for nothing */
    for (size_t op = 1; op < S3_OP__COUNT; op++) {
        bool skip = rows[op].level != level || rows[op].sub[0] == 0 || strchr(rows[op].sub, ':') != NULL;
        for (size_t i = 0; i < ARRAY_LEN(plain) && !skip; i++) skip = strcmp(plain[i], rows[op].sub) == 0;
        if (!skip && s3_param_find(p, pn, rows[op].sub)) return true;
    }
    return false;
}

/* What makes a version cannot name one; what changes one (tags) can. */
static bool makes_version(enum s3_op op)
{
    return op == S3_OP_PutObject || op == S3_OP_CopyObject || op == S3_OP_UploadPart || op == S3_OP_UploadPartCopy;
}

enum s3_error s3_op_resolve(struct slice method, const struct s3_name *name, const struct s3_param *p, size_t param_count,
                            const struct s3_header *h, size_t header_count, enum s3_op *out, struct s3_fault *f)
{
    enum level level = name->bucket.n == 0 ? SERVICE : name->key.n == 0 ? BUCKET : OBJECT;
    *out = S3_OP_NONE;
    if (slice_is(method, "OPTIONS")) {             /* a preflight asks about another request: that one's parameters stand here */
        if (level == SERVICE) return s3_fault_set(f, S3E_MethodNotAllowed, NULL);
        *out = level == BUCKET ? S3_OP_BucketPreflight : S3_OP_ObjectPreflight;
        return S3E_NONE;
    }
    if (level == OBJECT && slice_is(method, "GET") &&
        (s3_param_find(p, param_count, "uploads") || s3_param_find(p, param_count, "versions")))
        return s3_fault_set(f, S3E_InvalidRequest, "A key cannot be combined with uploads or versions");
    if (level == OBJECT && slice_is(method, "PUT") && s3_param_find(p, param_count, "partNumber") &&
        !s3_param_find(p, param_count, "uploadId"))
        return s3_fault_set(f, S3E_InvalidArgument, "This operation does not accept partNumber without uploadId");
    for (size_t op = 1; op < S3_OP__COUNT; op++) {
        if (rows[op].level != level || method.n == 0 || rows[op].method[0] != (char)method.p[0]) continue;
        if (!slice_is(method, rows[op].method)) continue;
        if (rows[op].sub[0] == 0 && is_foreign_sub(level, p, param_count)) continue;
        if (!selected(rows[op].sub, p, param_count, h, header_count)) continue;
        if (makes_version((enum s3_op)op) && s3_param_find(p, param_count, "versionId"))
            return s3_fault_set(f, S3E_InvalidArgument, "This operation does not accept a version id");
        *out = (enum s3_op)op;
        return S3E_NONE;
    }
    return s3_fault_set(f, S3E_MethodNotAllowed, NULL);
}

enum s3_control s3_control_of(struct slice method, struct slice path, const struct s3_header *h, size_t n, struct slice *bucket)
{
    static const char tags[] = "/v20180820/tags/", arn[] = "arn:aws:s3:::";
    struct slice root = SLICE_LIT("/v20180820/"), rest;
    *bucket = slice_of(NULL, 0);
    if (!slice_starts(path, root) || !s3_header_find(h, n, "x-amz-account-id")) return S3_CONTROL_NO;
    if (!slice_is(method, "GET") || path.n > S3_CONTROL_PATH_BYTES_MAX || !slice_starts(path, slice_str(tags))) return S3_CONTROL_OTHER;
    rest = slice_of(path.p + sizeof tags - 1, path.n - (sizeof tags - 1));
    if (!slice_starts(rest, slice_str(arn))) return S3_CONTROL_OTHER;
    rest = slice_of(rest.p + sizeof arn - 1, rest.n - (sizeof arn - 1));
    if (s3_bucket_name_check(rest) != S3E_NONE) return S3_CONTROL_OTHER;
    *bucket = rest;
    return S3_CONTROL_TAGS;
}
