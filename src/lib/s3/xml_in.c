/* SPDX-License-Identifier: Apache-2.0
 * Reads the small XML documents of control requests, strictly, a piece at a time.
 * Role: the gate, on bodies whose digest it has checked or will check.
 * Trusts: expat for XML itself. Distrusts: the document: no DTD, no entities but XML's five, bounded depth, size and count.
 * Spec: S3 API reference (CreateBucket, DeleteObjects); XML 1.0.
 */
#include "s3/s3.h"

#include <expat.h>
#include <stdlib.h>

#define S3_XML_MAGIC 0x53335831u

enum node { N_NONE, N_ROOT, N_LOCATION, N_QUIET, N_OBJECT, N_KEY, N_VERSION, N_ETAG, N_UNKEPT };

static const struct {
    enum s3_xml_kind kind;
    enum node parent;
    const char *name;
    enum node node;
    bool text;
} grammar[] = {
    {S3_XML_CREATE_BUCKET, N_NONE, "CreateBucketConfiguration", N_ROOT, false},
    {S3_XML_CREATE_BUCKET, N_ROOT, "LocationConstraint", N_LOCATION, true},
    {S3_XML_DELETE, N_NONE, "Delete", N_ROOT, false},
    {S3_XML_DELETE, N_ROOT, "Quiet", N_QUIET, true},
    {S3_XML_DELETE, N_ROOT, "Object", N_OBJECT, false},
    {S3_XML_DELETE, N_OBJECT, "Key", N_KEY, true},
    {S3_XML_DELETE, N_OBJECT, "VersionId", N_VERSION, true},
    {S3_XML_DELETE, N_OBJECT, "ETag", N_ETAG, true},
    {S3_XML_DELETE, N_OBJECT, "LastModifiedTime", N_UNKEPT, true},
    {S3_XML_DELETE, N_OBJECT, "Size", N_UNKEPT, true},
};

struct span {
    size_t at, n;
    bool set;
};
struct item {
    struct span key, version_id, etag;
};

struct s3_xml {
    uint32_t magic;
    enum s3_xml_kind kind;
    XML_Parser parser;
    enum s3_error error;
    size_t size, size_max, depth;
    struct {
        enum node node;
        bool text;
    } stack[XML_DEPTH_MAX];
    struct buf text;                               /* all texts that count, one after the other */
    size_t text_start;
    struct span location, quiet;
    size_t count;
    struct item *items;
    struct s3_delete_key *keys;
};

static void stop(struct s3_xml *x, enum s3_error e)
{
    x->error = e;
    XML_StopParser(x->parser, XML_FALSE);
}

static void refuse(struct s3_xml *x) { stop(x, S3E_MalformedXML); }

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
    (void)name, (void)sysid, (void)pubid, (void)internal;
    refuse(user);                                  /* X02, X03: without a DTD there is nothing to expand or fetch */
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct s3_xml *x = user;
    enum node parent = x->depth ? x->stack[x->depth - 1].node : N_NONE;
    const char *colon = strrchr(name, ':');
    (void)attributes;                              /* xmlns and such carry nothing */
    if (x->error != S3E_NONE) return;
    for (size_t i = 0; i < ARRAY_LEN(grammar); i++) {
        if (grammar[i].kind != x->kind || grammar[i].parent != parent) continue;
        if (strcmp(grammar[i].name, colon ? colon + 1 : name) != 0) continue;
        if (x->depth == XML_DEPTH_MAX) break;
        if (grammar[i].node == N_UNKEPT) {         /* a condition that would not be looked at must not delete */
            stop(x, S3E_NotImplemented);
            return;
        }
        x->stack[x->depth].node = grammar[i].node;
        x->stack[x->depth++].text = grammar[i].text;
        x->text_start = x->text.n;
        if (grammar[i].node == N_OBJECT) {
            if (x->count == S3_DELETE_KEYS_MAX) break;            /* X01 */
            x->items[x->count] = (struct item){0};
        }
        return;
    }
    refuse(x);
}

/* Where an element's text goes; NULL: nowhere. */
static struct span *home_of(struct s3_xml *x, enum node node)
{
    struct item *item = x->items ? &x->items[MIN(x->count, (size_t)S3_DELETE_KEYS_MAX - 1)] : NULL;
    switch (node) {
    case N_LOCATION: return &x->location;
    case N_QUIET: return &x->quiet;
    case N_KEY: return &item->key;
    case N_VERSION: return &item->version_id;
    case N_ETAG: return &item->etag;
    case N_NONE:
    case N_ROOT:
    case N_OBJECT:
    case N_UNKEPT: break;
    }
    return NULL;
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    struct s3_xml *x = user;
    (void)name;
    if (x->error != S3E_NONE) return;
    ASSERT(x->depth > 0);
    enum node node = x->stack[--x->depth].node;
    struct span *home = home_of(x, node);
    if (home) {
        if (home->set) {                           /* said twice: which one counts would be a guess */
            refuse(x);
            return;
        }
        *home = (struct span){x->text_start, x->text.n - x->text_start, true};
    }
    if (node == N_OBJECT) {
        if (!x->items[x->count].key.set || x->items[x->count].key.n == 0) {
            refuse(x);
            return;
        }
        x->count++;
    }
}

static void XMLCALL on_text(void *user, const XML_Char *text, int n)
{
    struct s3_xml *x = user;
    if (x->error != S3E_NONE || n <= 0) return;
    if (x->depth && x->stack[x->depth - 1].text) {
        buf_put(&x->text, text, (size_t)n);
        if (!buf_ok(&x->text)) refuse(x);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (strchr(" \t\r\n", text[i]) && text[i]) continue;
        refuse(x);
        return;
    }
}

struct s3_xml *s3_xml_new(enum s3_xml_kind kind)
{
    struct s3_xml *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    x->magic = S3_XML_MAGIC;
    x->kind = kind;
    x->size_max = kind == S3_XML_DELETE ? S3_DELETE_BODY_BYTES_MAX : S3_CONTROL_BODY_BYTES_MAX;
    buf_init(&x->text, x->size_max);
    /* The encoding is stated by us: a declaration in the document cannot make two readers see two texts. */
    x->parser = XML_ParserCreate("UTF-8");
    if (kind == S3_XML_DELETE) {
        x->items = calloc(S3_DELETE_KEYS_MAX, sizeof *x->items);
        x->keys = calloc(S3_DELETE_KEYS_MAX, sizeof *x->keys);
    }
    if (!x->parser || (kind == S3_XML_DELETE && (!x->items || !x->keys))) {
        s3_xml_free(x);
        return NULL;
    }
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, on_start, on_end);
    XML_SetCharacterDataHandler(x->parser, on_text);
    XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
    return x;
}

void s3_xml_free(struct s3_xml *x)
{
    if (!x) return;
    ASSERT(x->magic == S3_XML_MAGIC);
    if (x->parser) XML_ParserFree(x->parser);
    buf_done(&x->text);
    free(x->items);
    free(x->keys);
    free(x);
}

enum s3_error s3_xml_feed(struct s3_xml *x, struct slice piece)
{
    ASSERT(x->magic == S3_XML_MAGIC);
    if (x->error != S3E_NONE || piece.n == 0) return x->error;
    if (piece.n > x->size_max - x->size) return x->error = S3E_MalformedXML;
    x->size += piece.n;
    /* size_max is far below INT_MAX */
    bool parsed = XML_Parse(x->parser, (const char *)piece.p, (int)piece.n, XML_FALSE) == XML_STATUS_OK;
    if (!parsed && x->error == S3E_NONE) x->error = S3E_MalformedXML;              /* else stopped by us, and why is known */
    return x->error;
}

static enum s3_error finish(struct s3_xml *x)
{
    ASSERT(x->magic == S3_XML_MAGIC);
    if (x->error == S3E_NONE && XML_Parse(x->parser, "", 0, XML_TRUE) != XML_STATUS_OK) x->error = S3E_MalformedXML;
    return x->error;
}

/* The texts have stopped moving. */
static struct slice text_of(const struct s3_xml *x, struct span s)
{
    if (!s.set) return slice_of(NULL, 0);
    return s.n ? slice_of(x->text.p + s.at, s.n) : slice_of("", 0);
}

enum s3_error s3_xml_create_bucket_end(struct s3_xml *x, struct slice *location)
{
    ASSERT(x->kind == S3_XML_CREATE_BUCKET);
    *location = slice_of(NULL, 0);
    if (x->size == 0) return x->error;             /* no body: no region named */
    enum s3_error e = finish(x);
    if (e == S3E_NONE) *location = text_of(x, x->location);
    return e;
}

enum s3_error s3_xml_delete_end(struct s3_xml *x, struct s3_delete_list *out)
{
    ASSERT(x->kind == S3_XML_DELETE);
    *out = (struct s3_delete_list){0};
    enum s3_error e = finish(x);
    if (e != S3E_NONE) return e;
    struct slice quiet = text_of(x, x->quiet);
    if (x->count == 0 || (quiet.n && !slice_is(quiet, "true") && !slice_is(quiet, "false"))) return x->error = S3E_MalformedXML;
    for (size_t i = 0; i < x->count; i++)
        x->keys[i] = (struct s3_delete_key){text_of(x, x->items[i].key), text_of(x, x->items[i].version_id),
                                            text_of(x, x->items[i].etag)};
    *out = (struct s3_delete_list){slice_is(quiet, "true"), x->count, x->keys};
    return S3E_NONE;
}
