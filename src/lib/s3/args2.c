/* SPDX-License-Identifier: Apache-2.0
 * Parameters and headers of listings beyond objects: versions, uploads, parts, attributes; and identifiers in them.
 * Role: the gate reads them from the canonical request; the front uses the same when it writes the answer.
 * Trusts: nothing. Distrusts: every value.
 * Spec: S3 API reference (ListObjectVersions, ListMultipartUploads, ListParts, GetObjectAttributes).
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

/* A count that AWS caps silently; absent or empty is the cap. */
static enum s3_error read_count(const struct s3_param *p, size_t n, const char *name, uint32_t cap, uint32_t *out, struct s3_fault *f)
{
    struct slice v = s3_param_value(p, n, name);
    uint64_t count = cap;
    if (v.n && slice_u64(v, INT32_MAX, &count) != ERR_OK)
        return s3_bad_argument(f, name, v, "Argument must be an integer between 0 and 2147483647");
    *out = (uint32_t)MIN(count, (uint64_t)cap);
    return S3E_NONE;
}

static enum s3_error read_encoding(const struct s3_param *p, size_t n, bool *url, struct s3_fault *f)
{
    struct slice v = s3_param_value(p, n, "encoding-type");
    if (v.n && !slice_is(v, "url")) return s3_bad_argument(f, "encoding-type", v, "Invalid Encoding Method specified in Request");
    *url = v.n > 0;
    return S3E_NONE;
}

enum s3_error s3_versions_args(const struct s3_param *p, size_t n, bool uploads, struct s3_versions_args *out, struct s3_fault *f)
{
    *out = (struct s3_versions_args){
        .prefix = s3_param_value(p, n, "prefix"),
        .delimiter = s3_param_value(p, n, "delimiter"),
        .key_marker = s3_param_value(p, n, "key-marker"),
        .id_marker = s3_param_value(p, n, uploads ? "upload-id-marker" : "version-id-marker"),
    };
    enum s3_error e = read_count(p, n, uploads ? "max-uploads" : "max-keys", S3_LIST_KEYS_MAX, &out->max, f);
    if (e == S3E_NONE) e = read_encoding(p, n, &out->url, f);
    if (e != S3E_NONE) return e;
    if (out->prefix.n > S3_KEY_BYTES_MAX || out->delimiter.n > S3_KEY_BYTES_MAX || out->key_marker.n > S3_KEY_BYTES_MAX)
        return s3_fault_set(f, S3E_KeyTooLongError, NULL);
    if (out->key_marker.n == 0 && out->id_marker.n) {
        if (!uploads)
            return s3_bad_argument(f, "version-id-marker", out->id_marker, "A version-id marker cannot be specified without a key marker.");
        out->id_marker = slice_of(NULL, 0);        /* AWS passes it over */
    }
    return S3E_NONE;
}

enum s3_error s3_parts_args(const struct s3_param *p, size_t n, struct s3_parts_args *out, struct s3_fault *f)
{
    struct slice marker = s3_param_value(p, n, "part-number-marker");
    uint64_t number = 0;
    *out = (struct s3_parts_args){.upload = s3_param_value(p, n, "uploadId")};
    if (marker.n && slice_u64(marker, INT32_MAX, &number) != ERR_OK)
        return s3_bad_argument(f, "part-number-marker", marker, "Argument part-number-marker must be an integer between 0 and 2147483647");
    out->marker = (uint32_t)number;
    enum s3_error e = read_count(p, n, "max-parts", S3_PART_NUMBERS_SHOWN_MAX, &out->max, f);
    return e == S3E_NONE ? read_encoding(p, n, &out->url, f) : e;
}

enum s3_error s3_part_number(const struct s3_param *p, size_t n, uint32_t *out, struct s3_fault *f)
{
    struct slice v = s3_param_value(p, n, "partNumber");
    uint64_t number = 0;
    *out = 0;
    if (!v.p) return S3E_NONE;
    if (slice_u64(v, PARTS_MAX, &number) != ERR_OK || number == 0)
        return s3_bad_argument(f, "partNumber", v, "Part number must be an integer between 1 and 10000, inclusive");
    *out = (uint32_t)number;
    return S3E_NONE;
}

/* A number from a header; absent leaves *out. */
static enum s3_error header_count(const struct s3_header *h, size_t n, const char *name, uint32_t cap, uint32_t *out, struct s3_fault *f)
{
    struct slice v = s3_header_value(h, n, name);
    uint64_t count = 0;
    if (!v.p) return S3E_NONE;
    if (slice_u64(v, INT32_MAX, &count) != ERR_OK)
        return s3_bad_argument(f, name, v, "Argument must be an integer between 0 and 2147483647");
    *out = (uint32_t)MIN(count, (uint64_t)cap);
    return S3E_NONE;
}

enum s3_error s3_attributes_args(const struct s3_header *h, size_t n, struct s3_attributes_args *out, struct s3_fault *f)
{
    bool any = false;
    *out = (struct s3_attributes_args){.max = S3_PART_NUMBERS_SHOWN_MAX};
    for (size_t i = 0; i < n; i++) {                              /* boto3 joins them with ',', others send a header each */
        if (!slice_ieq(h[i].name, SLICE_LIT("x-amz-object-attributes"))) continue;
        struct slice list = h[i].value, word;
        while (list.p) {
            list = slice_cut(list, ',', &word);
            word = slice_trim(word);
            if (word.n == 0) continue;
            any = true;
            if (slice_is(word, "ETag")) out->etag = true;
            else if (slice_is(word, "Checksum")) out->checksum = true;
            else if (slice_is(word, "ObjectParts")) out->parts = true;
            else if (slice_is(word, "StorageClass")) out->storage_class = true;
            else if (slice_is(word, "ObjectSize")) out->size = true;
            else return s3_bad_argument(f, "x-amz-object-attributes", word, "Invalid attribute name specified.");
        }
    }
    if (!any)
        return s3_fault_set(f, S3E_InvalidRequest,
                            "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty");
    enum s3_error e = header_count(h, n, "x-amz-max-parts", S3_PART_NUMBERS_SHOWN_MAX, &out->max, f);
    return e == S3E_NONE ? header_count(h, n, "x-amz-part-number-marker", INT32_MAX, &out->marker, f) : e;
}

bool s3_id_parse(struct slice text, uint8_t out[ID_BYTES])
{
    return text.n == ID_TEXT_CHARS && base32_fixed(text, out, ID_BYTES) == ERR_OK;
}
