/* SPDX-License-Identifier: Apache-2.0
 * CORS: a bucket's rules from a client to the canonical document, and which rule a request's origin fits.
 * Role: the gate keeps the document and adds the headers to answers; they widen nothing but what a browser shows a page.
 * Trusts: canonical documents. Distrusts: rules as sent, origins, names of headers.
 * Spec: S3 API reference (PutBucketCors); S3 user guide, "Cross-origin resource sharing"; the Fetch standard, "CORS protocol".
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

static enum s3_error bad_rule(struct s3_fault *f, const char *why) { return s3_fault_set(f, S3E_InvalidRequest, why); }

static size_t stars_of(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == '*';
    return n;
}

/* These words come back in response headers: a line break would be one of the answer. */
static bool plain(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || s.p[i] == ',' || s.p[i] == '"') return false;
    return s.n > 0;
}

static bool is_method(struct slice s)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (slice_is(s, methods[i])) return true;
    return false;
}

static enum s3_error check_word(enum s3_node node, struct slice text, struct s3_fault *f)
{
    uint64_t age;
    switch (node) {
    case N_METHOD:
        if (is_method(text)) return S3E_NONE;
        s3_fault_add(f, "Method", text);
        return bad_rule(f, "Found unsupported HTTP method in CORS config");
    case N_ORIGIN:
        if (!plain(text)) return bad_rule(f, "AllowedOrigin is not valid");
        return stars_of(text) <= 1 ? S3E_NONE : bad_rule(f, "AllowedOrigin can not have more than one wildcard.");
    case N_HEADER:
        if (!plain(text)) return bad_rule(f, "AllowedHeader is not valid");
        return stars_of(text) <= 1 ? S3E_NONE : bad_rule(f, "AllowedHeader can not have more than one wildcard.");
    case N_EXPOSE:
        if (!plain(text)) return bad_rule(f, "ExposeHeader is not valid");
        return stars_of(text) == 0 ? S3E_NONE : bad_rule(f, "ExposeHeader contains wildcard. We currently do not support wildcard for ExposeHeader.");
    case N_MAX_AGE: return slice_u64(text, INT32_MAX, &age) == ERR_OK ? S3E_NONE : s3_fault_set(f, S3E_MalformedXML, NULL);
    case N_ID: return text.n <= S3_LIFECYCLE_ID_CHARS_MAX ? S3E_NONE : bad_rule(f, "The ID of a rule is too long");
    default: return s3_fault_set(f, S3E_MalformedXML, NULL);
    }
}

static struct slice word_of(const struct s3_xml *x, const struct s3_xml_node *node)
{
    struct slice s = s3_xml_text(x, node);
    while (s.n && (s.p[0] == '\n' || s.p[0] == '\r' || s.p[0] == ' ' || s.p[0] == '\t')) s = slice_of(s.p + 1, s.n - 1);
    while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
    return s;
}

static enum s3_error write_rule(const struct s3_xml *x, size_t rule, struct buf *out, struct s3_fault *f)
{
    static const struct {
        enum s3_node node;
        const char *name;
    } order[] = {{N_ID, "ID"}, {N_ORIGIN, "AllowedOrigin"}, {N_METHOD, "AllowedMethod"}, {N_HEADER, "AllowedHeader"},
                 {N_EXPOSE, "ExposeHeader"}, {N_MAX_AGE, "MaxAgeSeconds"}};
    size_t count;
    const struct s3_xml_node *nodes = s3_xml_nodes(x, &count);
    if (!s3_xml_child(x, rule, N_ORIGIN) || !s3_xml_child(x, rule, N_METHOD)) return s3_fault_set(f, S3E_MalformedXML, NULL);
    s3_put_open(out, "CORSRule");
    for (size_t k = 0; k < ARRAY_LEN(order); k++) {
        size_t n = 0;
        for (size_t i = 0; s3_xml_next(x, rule, &i);) {
            if (nodes[i].node != order[k].node) continue;
            struct slice text = word_of(x, &nodes[i]);
            enum s3_error e = check_word(order[k].node, text, f);
            if (e != S3E_NONE) return e;
            if (n++ == S3_CORS_WORDS_MAX) return bad_rule(f, "A CORS rule has too many elements");
            s3_put_element(out, order[k].name, text);
        }
    }
    s3_put_close(out, "CORSRule");
    return S3E_NONE;
}

enum s3_error s3_xml_cors_end(struct s3_xml *x, struct buf *canonical, struct s3_fault *f)
{
    size_t rules = 0;
    ASSERT(s3_xml_kind_of(x) == S3_XML_CORS);
    enum s3_error e = s3_xml_finish(x);
    if (e != S3E_NONE) return s3_fault_set(f, e, NULL);
    buf_put_str(canonical, S3_XML_HEAD "<CORSConfiguration" S3_XML_NS);
    for (size_t i = 0; s3_xml_next(x, 0, &i); rules++) {
        if (rules == S3_CORS_RULES_MAX)
            return s3_fault_set(f, S3E_MalformedXML, "The number of CORS rules should not exceed allowed limit of 100 rules.");
        e = write_rule(x, i, canonical, f);
        if (e != S3E_NONE) return e;
    }
    buf_put_str(canonical, "</CORSConfiguration>");
    if (rules == 0 || !buf_ok(canonical) || canonical->n > S3_CONFIG_DOC_BYTES_MAX) return s3_fault_set(f, S3E_MalformedXML, NULL);
    return S3E_NONE;
}

/* At most one '*' in pattern. */
static bool fits(struct slice pattern, struct slice s, bool any_case)
{
    struct slice head, tail = slice_cut(pattern, '*', &head);
    bool (*same)(struct slice, struct slice) = any_case ? slice_ieq : slice_eq;
    if (!tail.p && head.n == pattern.n) return same(pattern, s);
    if (s.n < head.n + tail.n) return false;
    return same(head, slice_of(s.p, head.n)) && same(tail, slice_of(s.p + s.n - tail.n, tail.n));
}

/* Whether each requested header fits one of the rule's. */
static bool headers_fit(const struct s3_xml *x, size_t rule, struct slice list)
{
    size_t count;
    const struct s3_xml_node *nodes = s3_xml_nodes(x, &count);
    struct slice one;
    while (list.p) {
        bool fit = false;
        list = slice_cut(list, ',', &one);
        one = slice_trim(one);
        if (one.n == 0) continue;
        if (!plain(one)) return false;
        for (size_t i = 0; s3_xml_next(x, rule, &i) && !fit;)
            fit = nodes[i].node == N_HEADER && fits(s3_xml_text(x, &nodes[i]), one, true);
        if (!fit) return false;
    }
    return true;
}

/* The rule's words of one kind, joined, as a slice of mem. */
static struct slice joined(const struct s3_xml *x, size_t rule, enum s3_node node, struct buf *mem)
{
    size_t count, at = mem->n;
    const struct s3_xml_node *nodes = s3_xml_nodes(x, &count);
    for (size_t i = 0; s3_xml_next(x, rule, &i);) {
        if (nodes[i].node != node) continue;
        if (mem->n > at) buf_put_str(mem, ", ");
        buf_put_slice(mem, s3_xml_text(x, &nodes[i]));
    }
    return buf_ok(mem) && mem->n > at ? slice_of(mem->p + at, mem->n - at) : slice_of("", 0);
}

static struct slice kept(struct slice s, struct buf *mem)
{
    size_t at = mem->n;
    buf_put_slice(mem, s);
    return buf_ok(mem) && s.n ? slice_of(mem->p + at, s.n) : slice_of("", 0);
}

static struct slice headers_kept(struct slice list, struct buf *mem)
{
    size_t at = mem->n;
    struct slice one;
    while (list.p) {
        list = slice_cut(list, ',', &one);
        one = slice_trim(one);
        if (one.n == 0) continue;
        if (mem->n > at) buf_put_str(mem, ", ");
        for (size_t i = 0; i < one.n; i++) buf_put_u8(mem, one.p[i] >= 'A' && one.p[i] <= 'Z' ? (uint8_t)(one.p[i] | 0x20) : one.p[i]);
    }
    return buf_ok(mem) && mem->n > at ? slice_of(mem->p + at, mem->n - at) : slice_of("", 0);
}

/* Whether this rule fits; then the answer. */
static bool try_rule(const struct s3_xml *x, size_t rule, struct slice origin, struct slice method, struct slice request_headers,
                     struct buf *mem, struct s3_cors_answer *out)
{
    size_t count;
    const struct s3_xml_node *nodes = s3_xml_nodes(x, &count);
    bool method_fits = false, origin_fits = false, any = false;
    size_t room = 1;
    uint64_t age;
    for (size_t i = 0; s3_xml_next(x, rule, &i);) {
        struct slice text = s3_xml_text(x, &nodes[i]);
        if (nodes[i].node == N_METHOD && slice_eq(text, method)) method_fits = true;
        if (nodes[i].node == N_ORIGIN && fits(text, origin, false)) {
            origin_fits = true;
            any = any || slice_is(text, "*");
        }
    }
    if (!method_fits || !origin_fits || !headers_fit(x, rule, request_headers)) return false;
    /* mem is reserved once, so that slices stay: this rule's words and the request's headers with ", " between, and the origin. */
    for (size_t i = 0; s3_xml_next(x, rule, &i);) room += nodes[i].n + 2;
    if (!buf_room(mem, room + origin.n + 2 * request_headers.n)) return false;
    *out = (struct s3_cors_answer){.credentials = !any};
    out->origin = any ? slice_of("*", 1) : kept(origin, mem);
    out->methods = joined(x, rule, N_METHOD, mem);
    out->expose = joined(x, rule, N_EXPOSE, mem);
    out->headers = headers_kept(request_headers, mem);
    struct slice seconds = s3_xml_child_text(x, rule, N_MAX_AGE);
    if (seconds.p && slice_u64(seconds, INT32_MAX, &age) == ERR_OK) {
        out->has_max_age = true;
        out->max_age_s = (uint32_t)age;
    }
    return buf_ok(mem);
}

bool s3_cors_match(struct slice canonical, struct slice origin, struct slice method, struct slice request_headers, struct buf *mem,
                   struct s3_cors_answer *out)
{
    struct s3_xml *x = s3_xml_new(S3_XML_CORS);
    bool found = false;
    *out = (struct s3_cors_answer){0};
    origin = slice_trim(origin);
    if (plain(origin) && x && s3_xml_feed(x, canonical) == S3E_NONE && s3_xml_finish(x) == S3E_NONE)
        for (size_t i = 0; s3_xml_next(x, 0, &i) && !found;) found = try_rule(x, i, origin, method, request_headers, mem, out);
    s3_xml_free(x);
    return found;
}
