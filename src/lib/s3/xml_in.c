/* SPDX-License-Identifier: Apache-2.0
 * Reads the XML documents of control requests, strictly, a piece at a time, into a small tree.
 * Role: the gate, on bodies whose digest it has checked or will check.
 * Trusts: expat for XML itself. Distrusts: the document: no DTD, no entities but XML's five, bounded depth, size and count, no element
 *         that its kind does not have there, none twice that may stand once.
 * Spec: S3 API reference (request syntax of each operation); XML 1.0.
 */
#include "s3/s3_inner.h"

#include <expat.h>
#include <stdlib.h>

#define S3_XML_MAGIC 0x53335831u

enum { TEXT = 1, MANY = 2, UNKEPT = 4 };           /* UNKEPT: known to S3, not to us: NotImplemented */

static const struct {
    uint8_t kind, parent;
    const char *name;
    uint8_t node, flags;
} grammar[] = {
#define ROW(kind, parent, name, node, flags) {S3_XML_##kind, N_##parent, name, N_##node, flags},
#include "s3/s3_xml.def"
#undef ROW
};

struct s3_xml {
    uint32_t magic;
    enum s3_xml_kind kind;
    XML_Parser parser;
    enum s3_error error;
    size_t size, depth;
    struct {
        uint32_t index;
        bool text;
        uint64_t seen, sums_seen;                  /* children that may stand once: bits of enum s3_node, of enum s3_sum */
    } stack[XML_DEPTH_MAX];
    struct buf text;                               /* all texts that count, one after the other */
    size_t count, cap;
    struct s3_xml_node *nodes;
    bool root_seen;
    void *result;                                  /* what an end function hands out */
};
_Static_assert(N__COUNT <= 64, "seen holds a bit for each node");

static size_t size_max(enum s3_xml_kind kind)
{
    if (kind == S3_XML_DELETE) return S3_DELETE_BODY_BYTES_MAX;
    return kind == S3_XML_COMPLETE ? S3_COMPLETE_BODY_BYTES_MAX : S3_CONTROL_BODY_BYTES_MAX;
}

static void stop(struct s3_xml *x, enum s3_error e)
{
    x->error = e;
    XML_StopParser(x->parser, XML_FALSE);
}

static void refuse(struct s3_xml *x) { stop(x, S3E_MalformedXML); }

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
    (void)name, (void)sysid, (void)pubid, (void)internal;
    if (BREAK("xml-doctype-taken")) return;
    refuse(user);                                  /* X02, X03: without a DTD there is nothing to expand or fetch */
}

static bool grow(struct s3_xml *x)
{
    if (x->count < x->cap) return true;
    if (x->cap == S3_XML_NODES_MAX) return false;
    size_t cap = x->cap ? MIN(x->cap * 2, (size_t)S3_XML_NODES_MAX) : 32;
    struct s3_xml_node *nodes = realloc(x->nodes, cap * sizeof *nodes);
    if (!nodes) return false;
    x->nodes = nodes;
    x->cap = cap;
    return true;
}

/* Whether `parent` may have another such child; remembers it. */
static bool may_stand(struct s3_xml *x, enum s3_node node, enum s3_sum sum, unsigned flags)
{
    if (x->depth == 0) return !x->root_seen && (x->root_seen = true);
    uint64_t *seen = node == N_SUM ? &x->stack[x->depth - 1].sums_seen : &x->stack[x->depth - 1].seen;
    uint64_t bit = 1ull << (node == N_SUM ? (unsigned)sum : (unsigned)node);
    if (!(flags & MANY) && *seen & bit) return false;             /* said twice: which one counts would be a guess */
    *seen |= bit;
    return true;
}

static void enter(struct s3_xml *x, enum s3_node node, enum s3_sum sum, unsigned flags)
{
    if (flags & UNKEPT) {                          /* a condition that would not be looked at must not delete */
        stop(x, S3E_NotImplemented);
        return;
    }
    if (x->depth == XML_DEPTH_MAX || !may_stand(x, node, sum, flags) || !grow(x)) {
        refuse(x);
        return;
    }
    x->nodes[x->count] = (struct s3_xml_node){.node = (uint8_t)node, .sum = (uint8_t)sum, .at = (uint32_t)x->text.n};
    x->stack[x->depth].index = (uint32_t)x->count++;
    x->stack[x->depth].seen = x->stack[x->depth].sums_seen = 0;
    x->stack[x->depth++].text = flags & TEXT;
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct s3_xml *x = user;
    enum s3_node parent = x->depth ? x->nodes[x->stack[x->depth - 1].index].node : N_NONE;
    const char *colon = strrchr(name, ':');
    (void)attributes;                              /* xmlns and such carry nothing */
    if (x->error != S3E_NONE) return;
    if (colon) name = colon + 1;
    for (size_t i = 0; i < ARRAY_LEN(grammar); i++) {
        if (grammar[i].kind != x->kind || grammar[i].parent != parent || strcmp(grammar[i].name, name) != 0) continue;
        enter(x, grammar[i].node, S3_SUM_NONE, grammar[i].flags);
        return;
    }
    for (unsigned i = S3_SUM_MD5; i < S3_SUM__COUNT && x->kind == S3_XML_COMPLETE && parent == N_PART; i++) {
        if (strcmp(s3_sum_element((enum s3_sum)i), name) != 0) continue;
        enter(x, N_SUM, (enum s3_sum)i, TEXT);
        return;
    }
    refuse(x);
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    struct s3_xml *x = user;
    (void)name;
    if (x->error != S3E_NONE) return;
    ASSERT(x->depth > 0);
    struct s3_xml_node *node = &x->nodes[x->stack[--x->depth].index];
    node->end = (uint32_t)x->count;
    node->n = (uint32_t)(x->text.n - node->at);
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
        if (text[i] && strchr(" \t\r\n", text[i])) continue;
        refuse(x);
        return;
    }
}

struct s3_xml *s3_xml_new(enum s3_xml_kind kind)
{
    struct s3_xml *x = calloc(1, sizeof *x);
    ASSERT(kind < S3_XML__COUNT);
    if (!x) return NULL;
    x->magic = S3_XML_MAGIC;
    x->kind = kind;
    buf_init(&x->text, size_max(kind));
    /* The encoding is stated by us: a declaration in the document cannot make two readers see two texts. */
    x->parser = XML_ParserCreate("UTF-8");
    if (!x->parser) {
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
    free(x->nodes);
    free(x->result);
    free(x);
}

enum s3_error s3_xml_feed(struct s3_xml *x, struct slice piece)
{
    ASSERT(x->magic == S3_XML_MAGIC);
    if (x->error != S3E_NONE || piece.n == 0) return x->error;
    if (piece.n > size_max(x->kind) - x->size) return x->error = S3E_MalformedXML;
    /* Nor can two bytes a character: expat would see by the first ones that it is UTF-16 and overrule us. No XML in UTF-8 has a NUL. */
    if (memchr(piece.p, 0, piece.n)) return x->error = S3E_MalformedXML;
    x->size += piece.n;
    /* The size is bounded far below INT_MAX. */
    bool parsed = XML_Parse(x->parser, (const char *)piece.p, (int)piece.n, XML_FALSE) == XML_STATUS_OK;
    if (!parsed && x->error == S3E_NONE) x->error = S3E_MalformedXML;              /* else stopped by us, and why is known */
    return x->error;
}

/* the tree, for the end functions --------------------------------------------------------------------------------------- */

enum s3_error s3_xml_finish(struct s3_xml *x)
{
    ASSERT(x->magic == S3_XML_MAGIC);
    if (x->error == S3E_NONE && XML_Parse(x->parser, "", 0, XML_TRUE) != XML_STATUS_OK && x->error == S3E_NONE) x->error = S3E_MalformedXML;
    ASSERT(x->error != S3E_NONE || x->count > 0);
    return x->error;
}

enum s3_error s3_xml_refuse(struct s3_xml *x) { return x->error = S3E_MalformedXML; }

enum s3_xml_kind s3_xml_kind_of(const struct s3_xml *x) { return x->kind; }

bool s3_xml_empty(const struct s3_xml *x) { return x->size == 0 && x->error == S3E_NONE; }

const struct s3_xml_node *s3_xml_nodes(const struct s3_xml *x, size_t *count)
{
    *count = x->count;
    return x->nodes;
}

struct slice s3_xml_text(const struct s3_xml *x, const struct s3_xml_node *node)
{
    return node->n ? slice_of(x->text.p + node->at, node->n) : slice_of("", 0);
}

bool s3_xml_next(const struct s3_xml *x, size_t parent, size_t *i)
{
    *i = *i ? x->nodes[*i].end : parent + 1;
    return *i < x->nodes[parent].end;
}

size_t s3_xml_child(const struct s3_xml *x, size_t parent, enum s3_node node)
{
    for (size_t i = 0; s3_xml_next(x, parent, &i);)
        if (x->nodes[i].node == node) return i;
    return 0;
}

struct slice s3_xml_child_text(const struct s3_xml *x, size_t parent, enum s3_node node)
{
    size_t i = s3_xml_child(x, parent, node);
    if (i == 0) return slice_of(NULL, 0);
    struct slice s = s3_xml_text(x, &x->nodes[i]);
    while (s.n && strchr(" \t\r\n", s.p[0])) s = slice_of(s.p + 1, s.n - 1);
    while (s.n && strchr(" \t\r\n", s.p[s.n - 1])) s.n--;
    return s.n ? s : slice_of("", 0);
}

void *s3_xml_result(struct s3_xml *x, size_t count, size_t size)
{
    free(x->result);
    return x->result = calloc(MAX(count, (size_t)1), size);
}
