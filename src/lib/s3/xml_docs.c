/* SPDX-License-Identifier: Apache-2.0
 * What the documents of control requests say: one end function each, over the tree of xml_in.c.
 * Role: the gate, when the last piece of a body has come and its digest was right.
 * Trusts: the reader for structure and bounds. Distrusts: every text: numbers, words, tags.
 * Spec: S3 API reference, request syntax of each operation.
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

enum s3_error s3_xml_create_bucket_end(struct s3_xml *x, struct slice *location)
{
    ASSERT(s3_xml_kind_of(x) == S3_XML_CREATE_BUCKET);
    *location = slice_of(NULL, 0);
    if (s3_xml_empty(x)) return S3E_NONE;          /* no body: no region named */
    enum s3_error e = s3_xml_finish(x);
    if (e == S3E_NONE) *location = s3_xml_child_text(x, 0, N_LOCATION);
    return e;
}

bool s3_xml_bool(struct slice word, bool *out)
{
    *out = slice_ieq(word, SLICE_LIT("true"));
    return *out || slice_ieq(word, SLICE_LIT("false"));
}

/* A child's text as it stands: keys are opaque, blanks belong to them. */
static struct slice raw_child(const struct s3_xml *x, size_t parent, enum s3_node node)
{
    size_t count, i = s3_xml_child(x, parent, node);
    const struct s3_xml_node *nodes = s3_xml_nodes(x, &count);
    return i ? s3_xml_text(x, &nodes[i]) : slice_of(NULL, 0);
}

enum s3_error s3_xml_delete_end(struct s3_xml *x, struct s3_delete_list *out)
{
    size_t count, n = 0;
    ASSERT(s3_xml_kind_of(x) == S3_XML_DELETE);
    *out = (struct s3_delete_list){0};
    enum s3_error e = s3_xml_finish(x);
    if (e != S3E_NONE) return e;
    struct slice quiet = s3_xml_child_text(x, 0, N_QUIET);
    if (quiet.n && !s3_xml_bool(quiet, &out->quiet)) return s3_xml_refuse(x);
    const struct s3_xml_node *nodes = s3_xml_nodes(x, &count);
    struct s3_delete_key *keys = s3_xml_result(x, S3_DELETE_KEYS_MAX, sizeof *keys);
    if (!keys) return S3E_SlowDown;
    for (size_t i = 0; s3_xml_next(x, 0, &i);) {
        if (nodes[i].node != N_OBJECT) continue;
        if (n == S3_DELETE_KEYS_MAX) return s3_xml_refuse(x);     /* X01 */
        keys[n] = (struct s3_delete_key){raw_child(x, i, N_KEY), raw_child(x, i, N_VERSION), s3_xml_child_text(x, i, N_ETAG)};
        if (keys[n++].key.n == 0) return s3_xml_refuse(x);
    }
    if (n == 0) return s3_xml_refuse(x);
    out->count = n;
    out->keys = keys;
    return S3E_NONE;
}

enum s3_error s3_xml_tagging_end(struct s3_xml *x, size_t max, struct buf *out, size_t *count, struct s3_fault *f)
{
    struct s3_param tags[S3_BUCKET_TAGS_MAX];
    size_t n = 0;
    ASSERT(s3_xml_kind_of(x) == S3_XML_TAGGING && max <= S3_BUCKET_TAGS_MAX);
    *count = 0;
    if (s3_xml_finish(x) != S3E_NONE) return s3_fault_set(f, S3E_MalformedXML, NULL);
    size_t set = s3_xml_child(x, 0, N_SET);
    if (set == 0) return s3_fault_set(f, s3_xml_refuse(x), NULL);
    for (size_t i = 0; s3_xml_next(x, set, &i); n++) {
        if (n == max)
            return s3_fault_set(f, S3E_BadRequest,
                                max == S3_TAGS_MAX ? "Object tags cannot be greater than 10" : "Bucket tag count cannot be greater than 50");
        tags[n].name = raw_child(x, i, N_KEY);
        tags[n].value = raw_child(x, i, N_VALUE);
        if (!tags[n].name.p || !tags[n].value.p) return s3_fault_set(f, s3_xml_refuse(x), NULL);
    }
    enum s3_error e = s3_tags_write(tags, n, out, f);
    if (e == S3E_NONE) *count = n;
    return e;
}

enum s3_error s3_xml_versioning_end(struct s3_xml *x, const char **status)
{
    ASSERT(s3_xml_kind_of(x) == S3_XML_VERSIONING);
    *status = NULL;
    enum s3_error e = s3_xml_finish(x);
    if (e != S3E_NONE) return e;
    struct slice word = s3_xml_child_text(x, 0, N_STATUS), mfa = s3_xml_child_text(x, 0, N_MFA);
    if (mfa.p && slice_is(mfa, "Enabled")) return S3E_NotImplemented;
    if (mfa.p && !slice_is(mfa, "Disabled")) return s3_xml_refuse(x);
    if (slice_is(word, "Enabled")) *status = "Enabled";
    else if (slice_is(word, "Suspended")) *status = "Suspended";
    else return s3_xml_refuse(x);                  /* X05 */
    return S3E_NONE;
}

static enum s3_error read_part(struct s3_xml *x, size_t i, struct s3_complete_part *out)
{
    size_t count;
    uint64_t number;
    const struct s3_xml_node *nodes = s3_xml_nodes(x, &count);
    struct slice text = s3_xml_child_text(x, i, N_NUMBER), etag = s3_xml_child_text(x, i, N_ETAG);
    *out = (struct s3_complete_part){0};
    if (slice_u64(text, INT32_MAX, &number) != ERR_OK || number == 0 || !etag.p) return s3_xml_refuse(x);
    if (number > PARTS_MAX) return S3E_InvalidPart;               /* legible, but no part has that number */
    out->number = (uint16_t)number;
    if (etag.n >= 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"') etag = slice_of(etag.p + 1, etag.n - 2);
    out->etag = etag;
    for (size_t c = 0; s3_xml_next(x, i, &c);) {
        if (nodes[c].node != N_SUM) continue;
        if (out->sum != S3_SUM_NONE) return S3E_InvalidRequest;   /* two: which one is meant */
        out->sum = (enum s3_sum)nodes[c].sum;
        if (base64_fixed(slice_trim(s3_xml_text(x, &nodes[c])), out->sum_value, s3_sum_bytes(out->sum)) != ERR_OK) return S3E_InvalidPart;
    }
    return S3E_NONE;
}

enum s3_error s3_xml_complete_end(struct s3_xml *x, struct s3_complete_list *out)
{
    size_t count, n = 0;
    ASSERT(s3_xml_kind_of(x) == S3_XML_COMPLETE);
    *out = (struct s3_complete_list){0};
    enum s3_error e = s3_xml_finish(x);
    if (e != S3E_NONE) return e;
    for (size_t i = 0; s3_xml_next(x, 0, &i);) n++;
    if (n == 0 || n > PARTS_MAX) return s3_xml_refuse(x);         /* M01 */
    struct s3_complete_part *parts = s3_xml_result(x, n, sizeof *parts);
    if (!parts) return S3E_SlowDown;
    count = 0;
    for (size_t i = 0; s3_xml_next(x, 0, &i);) {
        e = read_part(x, i, &parts[count++]);
        if (e != S3E_NONE) return e;
    }
    out->count = n;
    out->parts = parts;
    return S3E_NONE;
}

enum s3_error s3_xml_block_end(struct s3_xml *x, bool block[4])
{
    static const enum s3_node nodes[4] = {N_BLOCK_ACLS, N_IGNORE_ACLS, N_BLOCK_POLICY, N_RESTRICT};
    ASSERT(s3_xml_kind_of(x) == S3_XML_BLOCK);
    memset(block, 0, 4 * sizeof *block);
    enum s3_error e = s3_xml_finish(x);
    for (size_t i = 0; i < 4 && e == S3E_NONE; i++) {
        struct slice word = s3_xml_child_text(x, 0, nodes[i]);
        if (word.p && !s3_xml_bool(word, &block[i])) e = s3_xml_refuse(x);
    }
    return e;
}

enum s3_error s3_xml_ownership_end(struct s3_xml *x, const char **word)
{
    static const char *const words[] = {"BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"};
    ASSERT(s3_xml_kind_of(x) == S3_XML_OWNERSHIP);
    *word = NULL;
    enum s3_error e = s3_xml_finish(x);
    if (e != S3E_NONE) return e;
    size_t rule = s3_xml_child(x, 0, N_RULE);
    struct slice got = rule ? s3_xml_child_text(x, rule, N_WORD) : slice_of(NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (slice_is(got, words[i])) *word = words[i];
    return *word ? S3E_NONE : s3_xml_refuse(x);
}

enum s3_error s3_xml_acl_end(struct s3_xml *x, struct slice owner_id, bool *private_only)
{
    static const char *const words[] = {"FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"};
    size_t grants = 0;
    ASSERT(s3_xml_kind_of(x) == S3_XML_ACL);
    *private_only = true;
    enum s3_error e = s3_xml_finish(x);
    if (e != S3E_NONE) return e;
    size_t owner = s3_xml_child(x, 0, N_OWNER), list = s3_xml_child(x, 0, N_LIST);
    if (owner == 0 || list == 0) return s3_xml_refuse(x);
    if (!slice_eq(s3_xml_child_text(x, owner, N_ID), owner_id)) *private_only = false;
    for (size_t i = 0; s3_xml_next(x, list, &i); grants++) {
        size_t grantee = s3_xml_child(x, i, N_GRANTEE);
        struct slice permission = s3_xml_child_text(x, i, N_PERMISSION);
        bool known = false;
        for (size_t w = 0; w < ARRAY_LEN(words); w++) known = known || slice_is(permission, words[w]);
        if (grantee == 0 || !known) return s3_xml_refuse(x);
        struct slice id = s3_xml_child_text(x, grantee, N_ID);
        if (!id.p && !s3_xml_child(x, grantee, N_URI)) return s3_xml_refuse(x);
        if (!slice_is(permission, "FULL_CONTROL") || !id.p || !slice_eq(id, owner_id)) *private_only = false;
    }
    if (grants == 0) *private_only = false;        /* an owner without its own grant is another ACL than the one every object has */
    return S3E_NONE;
}
