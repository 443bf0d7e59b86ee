/* SPDX-License-Identifier: Apache-2.0
 * Texts of S3: XML escaping, percent encoding both ways, Trimall, and look-ups in parameter and header lists.
 * Role: the bottom of the room; everything else is built on it.
 * Trusts: base. Distrusts: the text itself: any byte may stand in it.
 * Spec: RFC 3986 section 2.3 (unreserved), SigV4 "UriEncode" and "Trimall", XML 1.0 section 2.2.
 */
#include "s3/s3.h"

static const char hex_upper[] = "0123456789ABCDEF";

void s3_put_xml(struct buf *out, struct slice s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *to = NULL;
        char ref[8];
        uint8_t c = s.p[i];
        if (c == '&') to = "&amp;";
        else if (c == '<') to = "&lt;";
        else if (c == '>') to = "&gt;";
        else if (c == '"') to = "&quot;";
        else if (c == '\r') to = "&#13;";
        else if (c < 0x20 || c == 0x7f) {
            /* Not legal XML 1.0 for most of them, but what AWS sends; clients ask for encoding-type=url instead. */
            size_t n = 0;
            ref[n++] = '&';
            ref[n++] = '#';
            ref[n++] = 'x';
            if (c >> 4) ref[n++] = hex_upper[c >> 4];
            ref[n++] = hex_upper[c & 15];
            ref[n++] = ';';
            ref[n] = 0;
            to = ref;
        }
        if (!to) continue;
        buf_put(out, s.p + from, i - from);
        buf_put_str(out, to);
        from = i + 1;
    }
    if (s.n > from) buf_put(out, s.p + from, s.n - from);
}

static bool is_unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c == '~';
}

void s3_put_uri(struct buf *out, struct slice s, bool keep_slash)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (is_unreserved(c) || (keep_slash && c == '/')) continue;
        if (i > from) buf_put(out, s.p + from, i - from);
        uint8_t esc[3] = {'%', (uint8_t)hex_upper[c >> 4], (uint8_t)hex_upper[c & 15]};
        buf_put(out, esc, sizeof esc);
        from = i + 1;
    }
    if (s.n > from) buf_put(out, s.p + from, s.n - from);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

enum s3_error s3_uri_decode(struct slice s, bool plus, struct buf *mem, struct slice *out)
{
    uint8_t *to = buf_room(mem, s.n);
    size_t n = 0;
    if (s.n == 0) {
        *out = slice_of("", 0);
        return S3E_NONE;
    }
    if (!to) return S3E_RequestHeaderSectionTooLarge;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '%') {
            if (s.n - i < 3) return S3E_InvalidURI;
            int hi = hex_value(s.p[i + 1]), lo = hex_value(s.p[i + 2]);
            if (hi < 0 || lo < 0) return S3E_InvalidURI;
            c = (uint8_t)(hi << 4 | lo);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        if (c == 0) return S3E_InvalidURI;
        to[n++] = c;
    }
    *out = slice_of(to, n);
    if (!slice_is_utf8(*out)) return S3E_InvalidURI;
    mem->n += n;
    return S3E_NONE;
}

void s3_put_trimall(struct buf *out, struct slice s)
{
    s = slice_trim(s);
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != ' ' && s.p[i] != '\t') continue;
        size_t end = i;
        while (s.p[end] == ' ' || s.p[end] == '\t') end++;        /* ends before s.n: the last byte is no blank */
        if (end - i > 1 || s.p[i] == '\t') {
            buf_put(out, s.p + from, i - from);
            buf_put_u8(out, ' ');
            from = end;
        }
        i = end - 1;
    }
    if (s.n > from) buf_put(out, s.p + from, s.n - from);
}

const struct s3_param *s3_param_find(const struct s3_param *p, size_t n, const char *name)
{
    struct slice want = slice_str(name);
    for (size_t i = 0; i < n; i++)
        if (slice_eq(p[i].name, want)) return &p[i];
    return NULL;
}

const struct s3_header *s3_header_find(const struct s3_header *h, size_t n, const char *name)
{
    struct slice want = slice_str(name);
    for (size_t i = 0; i < n; i++)
        if (h[i].name.n == want.n && slice_ieq(h[i].name, want)) return &h[i];
    return NULL;
}

struct slice s3_header_value(const struct s3_header *h, size_t n, const char *name)
{
    const struct s3_header *x = s3_header_find(h, n, name);
    if (!x) return slice_of(NULL, 0);
    struct slice v = slice_trim(x->value);
    return v.n ? v : slice_of("", 0);                             /* there but empty: p is not NULL */
}
