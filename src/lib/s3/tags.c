/* SPDX-License-Identifier: Apache-2.0
 * Tags: from the x-amz-tagging header or a <Tagging> document to one canonical query form, and back out.
 * Role: the gate keeps the canonical form in an entry and asks policies with it.
 * Trusts: nothing. Distrusts: keys and values: counted in characters, never twice, never in AWS's own name space.
 * Spec: S3 user guide, "Categorizing your storage using tags"; S3 API reference (Tagging, ListTagsForResource).
 *
 * Canonical: key=value pairs joined by '&', ascending by key's bytes (S3 answers tags in that order), unreserved bytes plain, all others %XX.
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

#include <stdlib.h>

/* Characters, not bytes: s is UTF-8. */
static size_t chars_of(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static enum s3_error bad_tag(struct s3_fault *f, struct slice key, const char *why)
{
    s3_fault_add(f, "TagKey", key);
    return s3_fault_set(f, S3E_InvalidTag, why);
}

enum s3_error s3_tag_check(struct slice key, struct slice value, struct s3_fault *f)
{
    if (!slice_is_utf8(key) || !slice_is_utf8(value)) return bad_tag(f, SLICE_LIT(""), "The tag is not UTF-8");
    if (key.n == 0 || chars_of(key) > S3_TAG_KEY_CHARS_MAX) return bad_tag(f, key, "The TagKey you have provided is invalid");
    if (chars_of(value) > S3_TAG_VALUE_CHARS_MAX) return bad_tag(f, key, "The TagValue you have provided is invalid");
    if (key.n >= 4 && slice_ieq(slice_of(key.p, 4), SLICE_LIT("aws:")))
        return bad_tag(f, key, "System tags cannot be added/updated by requester");
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] < 0x20 || key.p[i] == 0x7f) return bad_tag(f, SLICE_LIT(""), "The TagKey you have provided is invalid");
    for (size_t i = 0; i < value.n; i++)
        if ((value.p[i] < 0x20 && value.p[i] != '\t' && value.p[i] != '\n' && value.p[i] != '\r') || value.p[i] == 0x7f)
            return bad_tag(f, key, "The TagValue you have provided is invalid");
    return S3E_NONE;
}

static int by_key(const void *a, const void *b)
{
    const struct s3_param *x = a, *y = b;
    return slice_cmp(x->name, y->name);
}

enum s3_error s3_tags_write(struct s3_param *tags, size_t n, struct buf *out, struct s3_fault *f)
{
    for (size_t i = 0; i < n; i++) {
        enum s3_error e = s3_tag_check(tags[i].name, tags[i].value, f);
        if (e != S3E_NONE) return e;
    }
    if (n > 1) qsort(tags, n, sizeof *tags, by_key);
    for (size_t i = 0; i < n; i++) {
        if (i && slice_eq(tags[i - 1].name, tags[i].name)) return bad_tag(f, tags[i].name, "Cannot provide multiple Tags with the same key");
        if (i) buf_put_u8(out, '&');
        s3_put_uri(out, tags[i].name, false);
        buf_put_u8(out, '=');
        s3_put_uri(out, tags[i].value, false);
    }
    return buf_ok(out) ? S3E_NONE : s3_fault_set(f, S3E_InvalidTag, "The tags are too long");
}

enum s3_error s3_tags_query(struct slice query, size_t max, struct buf *out, size_t *count, struct s3_fault *f)
{
    struct s3_param tags[S3_BUCKET_TAGS_MAX];
    AUTO(buf) struct buf mem = BUF_INIT(S3_TAGGING_BYTES_MAX);
    struct slice rest = slice_trim(query), pair, value;
    size_t n = 0;
    ASSERT(max <= S3_BUCKET_TAGS_MAX);
    *count = 0;
    if (rest.n > S3_TAGGING_BYTES_MAX) return s3_fault_set(f, S3E_InvalidTag, "The tags are too long");
    if (rest.n && !buf_room(&mem, rest.n)) return s3_error_of_err(ERR_NOMEM);
    while (rest.p && rest.n) {
        rest = slice_cut(rest, '&', &pair);
        if (pair.n == 0) continue;
        if (n == max) return s3_fault_set(f, S3E_BadRequest, "Object tags cannot be greater than 10");
        value = slice_cut(pair, '=', &tags[n].name);
        if (s3_uri_decode(tags[n].name, true, &mem, &tags[n].name) != S3E_NONE ||
            s3_uri_decode(value, true, &mem, &tags[n].value) != S3E_NONE)
            return s3_bad_argument(f, "x-amz-tagging", pair, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
                                                             "parameters without tag name duplicates.");
        n++;
    }
    *count = n;
    return s3_tags_write(tags, n, out, f);
}

bool s3_tags_next(struct slice *query, struct buf *mem, struct slice *key, struct slice *value)
{
    struct slice pair;
    if (!query->p || query->n == 0) return false;
    *query = slice_cut(*query, '&', &pair);
    *value = slice_cut(pair, '=', key);
    /* Canonical form is ours: what does not decode is damage, and the end. Two tags fit the room asked for here at once. */
    if (!buf_room(mem, pair.n + 1)) return false;
    return s3_uri_decode(*key, false, mem, key) == S3E_NONE && s3_uri_decode(*value, false, mem, value) == S3E_NONE;
}

static void put_tags(struct buf *out, struct slice query)
{
    struct slice key, value;
    AUTO(buf) struct buf mem = BUF_INIT(MAX(query.n, (size_t)1) + 1);
    if (!buf_room(&mem, query.n + 1)) {
        out->bad = true;
        return;
    }
    while (s3_tags_next(&query, &mem, &key, &value)) {
        buf_put_str(out, "<Tag>");
        s3_put_element(out, "Key", key);
        s3_put_element(out, "Value", value);
        buf_put_str(out, "</Tag>");
        buf_reset(&mem);
    }
}

void s3_tagging_xml(struct buf *out, struct slice query)
{
    buf_put_str(out, S3_XML_HEAD "<Tagging" S3_XML_NS "<TagSet>");
    put_tags(out, query);
    buf_put_str(out, "</TagSet></Tagging>");
}

void s3_control_tags_xml(struct buf *out, struct slice query)
{
    buf_put_str(out, S3_XML_HEAD "<ListTagsForResourceResult xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\"><Tags>");
    put_tags(out, query);
    buf_put_str(out, "</Tags></ListTagsForResourceResult>");
}
