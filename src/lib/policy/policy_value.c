/* SPDX-License-Identifier: Apache-2.0
 * What a condition key's value is in a request.
 * Role: between requests and conditions. Distrusts: every value; tags are decoded within bounds.
 * Law: 4. Spec: docs/spec/policy.md section 5.
 */
#include "policy/policy_internal.h"

static const char *const ctx_names[POLICY_CTX__COUNT] = {
#define POLICY_CTX(NAME, text, what) text,
#include "policy/policy_ctx.def"
#undef POLICY_CTX
};

bool policy_ctx_wanted(size_t i, const char **name) {
    *name = i < POLICY_CTX__COUNT ? ctx_names[i] : NULL;
    return i < POLICY_CTX__COUNT;
}

/* Pairs stand in the order of the table; one that does not is not seen, and neither is what cannot be read. */
static void read_ctx(struct policy_eval *e) {
    struct reader r = reader_of(e->r->ctx);
    struct slice name, value;
    size_t at = 0;
    memset(e->ctx, 0, sizeof e->ctx);
    e->ctx_read = true;
    while (record_ctx_next(&r, &name, &value)) {
        for (size_t i = at; i < POLICY_CTX__COUNT; i++) {
            if (!slice_is(name, ctx_names[i])) continue;
            e->ctx[i] = value;
            at = i + 1;
            break;
        }
    }
}

struct slice policy_ctx_value(struct policy_eval *e, enum policy_ctx_id id) {
    if (!e->ctx_read) read_ctx(e);
    return e->ctx[id];
}

/* tags in query form -------------------------------------------------------------------------------------------------------- */

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The next character of query form; -1 at the end. */
static int decoded(struct slice text, size_t *at) {
    if (*at >= text.n) return -1;
    uint8_t c = text.p[(*at)++];
    if (c == '+') return ' ';
    if (c == '%' && text.n - *at >= 2 && hex_value(text.p[*at]) >= 0 && hex_value(text.p[*at + 1]) >= 0) {
        c = (uint8_t)(hex_value(text.p[*at]) << 4 | hex_value(text.p[*at + 1]));
        *at += 2;
    }
    return c;
}

static int lower(int c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

/* "Key names are not case-sensitive": tags that differ in case only are several values of one key. */
static bool decodes_to(struct slice text, struct slice plain) {
    size_t at = 0, i = 0;
    int c;
    while ((c = decoded(text, &at)) >= 0) {
        if (i == plain.n || lower(plain.p[i++]) != lower(c)) return false;
    }
    return i == plain.n;
}

/* Into e->text. UNSURE: longer than any tag may be. */
static enum policy_met decode(struct policy_eval *e, struct slice text, struct slice *out) {
    size_t at = 0, n = 0;
    int c;
    while ((c = decoded(text, &at)) >= 0) {
        if (n == sizeof e->text) return POLICY_UNSURE;
        e->text[n++] = (char)c;
    }
    *out = slice_of(e->text, n);
    return POLICY_YES;
}

static enum policy_met tag_value(struct policy_eval *e, struct slice tags, struct slice key, size_t i, struct slice *out) {
    struct slice pair, name;
    while (tags.n > 0) {
        tags = slice_cut(tags, '&', &pair);
        struct slice value = slice_cut(pair, '=', &name);
        if (decodes_to(name, key) && i-- == 0) return decode(e, value, out);
    }
    return POLICY_NO;
}

static enum policy_met tag_key(struct policy_eval *e, struct slice tags, size_t i, struct slice *out) {
    struct slice pair, name;
    while (tags.n > 0) {
        tags = slice_cut(tags, '&', &pair);
        (void)slice_cut(pair, '=', &name);
        if (i-- == 0) return decode(e, name, out);
    }
    return POLICY_NO;
}

/* keys ------------------------------------------------------------------------------------------------------------------------ */

static enum policy_met lent(struct slice v, struct slice *out) {
    *out = v;
    return v.p == NULL ? POLICY_NO : POLICY_YES;
}

static enum policy_met made_number(struct policy_eval *e, uint64_t v, struct slice *out) {
    char digits[24];
    size_t n = sizeof digits;
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    memcpy(e->text, digits + n, sizeof digits - n);
    return lent(slice_of(e->text, sizeof digits - n), out);
}

static enum policy_met made_time(struct policy_eval *e, struct slice *out) {
    char text[TIME_TEXT_MAX];
    time_iso8601(e->r->t_ms, text);
    memcpy(e->text, text, strlen(text));
    return lent(slice_of(e->text, strlen(text)), out);
}

static enum policy_met put_arn(struct policy_eval *e, struct slice *out) {
    if (!e->proven) return POLICY_NO;
    if (e->arn_n == 0) {
        const struct slice parts[] = {SLICE_LIT("arn:aws:iam::"), e->r->who.account, e->root ? SLICE_LIT(":root") : SLICE_LIT(":user"),
                                      slice_str(e->user == NULL ? "" : e->user->path), slice_str(e->user == NULL ? "" : e->user->name)};
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            ASSERT(parts[i].n <= sizeof e->arn - e->arn_n);
            memcpy(e->arn + e->arn_n, parts[i].p, parts[i].n);
            e->arn_n += parts[i].n;
        }
    }
    return lent(slice_of(e->arn, e->arn_n), out);
}

static enum policy_met principal_type(const struct policy_eval *e, struct slice *out) {
    return lent(!e->proven ? SLICE_LIT("Anonymous") : e->root ? SLICE_LIT("Account") : SLICE_LIT("User"), out);
}

static enum policy_met auth_type(const struct policy_eval *e, struct slice *out) {
    switch (e->r->auth) {
    case POLICY_AUTH_HDR: return lent(SLICE_LIT("REST-HEADER"), out);
    case POLICY_AUTH_QRY: return lent(SLICE_LIT("REST-QUERY-STRING"), out);
    case POLICY_AUTH_FORM: return lent(SLICE_LIT("POST"), out);
    case POLICY_AUTH_ANON:
    case POLICY_AUTH_STMT:
    case POLICY_AUTH_AUTO:
    case POLICY_AUTH_STS:
    case POLICY_AUTH__COUNT: break;
    }
    return POLICY_NO;
}

/* "When granting permissions for the PUT Object and DELETE Object operations, this condition key is not supported." */
static bool shows_tags(enum policy_act act) {
    const struct policy_act_row *row = policy_act_row(act);
    if (row->level != POLICY_LEVEL_OBJECT) return false;
    return row->kind == POLICY_KIND_READ || act == POLICY_ACT_PutObjectTagging || act == POLICY_ACT_DeleteObjectTagging ||
           act == POLICY_ACT_GetObjectAcl || act == POLICY_ACT_PutObjectAcl;
}

/* Whether there is such an object, and what it is, is known after FIND only. */
static enum policy_met of_object(struct policy_eval *e, struct slice key, size_t i, struct slice *out) {
    if (e->listing || !shows_tags(e->r->act)) return POLICY_NO;
    if (!e->r->object_known) return POLICY_MAYBE;
    struct slice tags = policy_ctx_value(e, POLICY_CTX_TAGS);
    return tag_value(e, tags, key, i, out);
}

static enum policy_met of_caller(struct policy_eval *e, enum policy_key_id key, struct slice *out) {
    switch (key) {
    case POLICY_KEY_PRINCIPAL_ARN: return put_arn(e, out);
    case POLICY_KEY_PRINCIPAL_TYPE: return principal_type(e, out);
    case POLICY_KEY_PRINCIPAL_ACCOUNT: return lent(e->proven ? e->r->who.account : SLICE_LIT("anonymous"), out);
    case POLICY_KEY_USER_ID:
        if (!e->proven) return lent(SLICE_LIT("anonymous"), out);
        return lent(e->user == NULL ? e->r->who.account : slice_str(e->user->id), out);
    case POLICY_KEY_USERNAME: return e->user == NULL ? POLICY_NO : lent(slice_str(e->user->name), out);
    case POLICY_KEY_AUTH_TYPE: return auth_type(e, out);
    case POLICY_KEY_SIGNATURE_VERSION: return e->proven ? lent(SLICE_LIT("AWS4-HMAC-SHA256"), out) : POLICY_NO;
    default: return POLICY_NO;
    }
}

/* "to exempt the CreateMultipartUpload, UploadPart, and UploadPartCopy operations": they write, and make no object. */
static enum policy_met creates_object(enum policy_act act, struct slice *out) {
    switch (act) {
    case POLICY_ACT_PutObject:
    case POLICY_ACT_PostObject:
    case POLICY_ACT_CopyObject:
    case POLICY_ACT_CompleteMultipartUpload: return lent(SLICE_LIT("true"), out);
    case POLICY_ACT_CreateMultipartUpload:
    case POLICY_ACT_UploadPart:
    case POLICY_ACT_UploadPartCopy: return lent(SLICE_LIT("false"), out);
    default: return POLICY_NO;
    }
}

/* Keys that are a pair of ctx, as it stands. */
static enum policy_ctx_id ctx_of(enum policy_key_id key) {
    switch (key) {
    case POLICY_KEY_USER_AGENT: return POLICY_CTX_USER_AGENT;
    case POLICY_KEY_REFERER: return POLICY_CTX_REFERER;
    case POLICY_KEY_PREFIX: return POLICY_CTX_PREFIX;
    case POLICY_KEY_DELIMITER: return POLICY_CTX_DELIMITER;
    case POLICY_KEY_SIGNATURE_AGE: return POLICY_CTX_AGE;
    case POLICY_KEY_IF_MATCH: return POLICY_CTX_IF_MATCH;
    case POLICY_KEY_IF_NONE_MATCH: return POLICY_CTX_IF_NONE_MATCH;
    case POLICY_KEY_LOCATION: return POLICY_CTX_REGION;
    case POLICY_KEY_ACL: return POLICY_CTX_ACL;
    case POLICY_KEY_CONTENT_SHA256: return POLICY_CTX_CONTENT_SHA256;
    case POLICY_KEY_COPY_SOURCE: return POLICY_CTX_COPY_SOURCE;
    case POLICY_KEY_GRANT_FULL: return POLICY_CTX_GRANT_FULL;
    case POLICY_KEY_GRANT_READ: return POLICY_CTX_GRANT_READ;
    case POLICY_KEY_GRANT_READ_ACP: return POLICY_CTX_GRANT_READ_ACP;
    case POLICY_KEY_GRANT_WRITE: return POLICY_CTX_GRANT_WRITE;
    case POLICY_KEY_GRANT_WRITE_ACP: return POLICY_CTX_GRANT_WRITE_ACP;
    case POLICY_KEY_DIRECTIVE: return POLICY_CTX_DIRECTIVE;
    case POLICY_KEY_SSE: return POLICY_CTX_SSE;
    case POLICY_KEY_SSE_KMS_KEY: return POLICY_CTX_SSE_KMS_KEY;
    case POLICY_KEY_STORAGE_CLASS: return POLICY_CTX_STORAGE_CLASS;
    default: return POLICY_CTX__COUNT;
    }
}

static bool of_listing(enum policy_key_id key) {
    return key == POLICY_KEY_PREFIX || key == POLICY_KEY_DELIMITER || key == POLICY_KEY_MAX_KEYS;
}

/* The question whether the key could be listed is asked as the narrowest such listing would be. */
static enum policy_met as_listed(const struct policy_eval *e, enum policy_key_id key, struct slice *out) {
    if (key == POLICY_KEY_PREFIX) return lent(e->r->key, out);
    return key == POLICY_KEY_MAX_KEYS ? lent(SLICE_LIT("1"), out) : POLICY_NO;
}

/* "The s3:max-keys key is always present in the request when you perform the ListBucket operation": 1000 when the caller names none. */
static enum policy_met max_keys(struct policy_eval *e, struct slice *out) {
    enum policy_act act = e->r->act;
    struct slice given = policy_ctx_value(e, POLICY_CTX_MAX_KEYS);
    bool lists = act == POLICY_ACT_ListObjects || act == POLICY_ACT_ListObjectsV2 || act == POLICY_ACT_ListObjectVersions;
    return lent(given.p == NULL && lists ? SLICE_LIT("1000") : given, out);
}

enum policy_met policy_value(struct policy_eval *e, enum policy_key_id key, struct slice tag, size_t i, struct slice *out) {
    *out = slice_of(NULL, 0);
    if (key == POLICY_KEY_REQUEST_TAG_KEYS) return tag_key(e, policy_ctx_value(e, POLICY_CTX_TAGGING), i, out);
    if (key == POLICY_KEY_REQUEST_TAG) return tag_value(e, policy_ctx_value(e, POLICY_CTX_TAGGING), tag, i, out);
    if (key == POLICY_KEY_EXISTING_TAG) return of_object(e, tag, i, out);
    if (i > 0 || key == POLICY_KEY_NEVER) return POLICY_NO;
    if (e->listing && of_listing(key)) return as_listed(e, key, out);
    if (key == POLICY_KEY_MAX_KEYS) return max_keys(e, out);
    enum policy_ctx_id ctx = ctx_of(key);
    if (ctx != POLICY_CTX__COUNT) return lent(policy_ctx_value(e, ctx), out);
    switch (key) {
    case POLICY_KEY_SOURCE_IP:
        if (e->r->peer.p == NULL) e->missing = true;
        return lent(e->r->peer, out);
    case POLICY_KEY_SECURE_TRANSPORT: return lent(e->r->tls ? SLICE_LIT("true") : SLICE_LIT("false"), out);
    case POLICY_KEY_CURRENT_TIME: return made_time(e, out);
    case POLICY_KEY_EPOCH_TIME: return made_number(e, e->r->t_ms / 1000, out);
    case POLICY_KEY_AWS_ACCOUNT:
    case POLICY_KEY_S3_ACCOUNT:
        if (e->bucket != NULL) return lent(slice_str(e->bucket->account), out);
        return e->proven ? lent(e->r->who.account, out) : POLICY_NO;
    case POLICY_KEY_OBJECT_CREATION: return creates_object(e->r->act, out);
    case POLICY_KEY_VERSION_ID: return lent(e->r->version_id, out);
    default: return of_caller(e, key, out);
    }
}
