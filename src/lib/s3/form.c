/* SPDX-License-Identifier: Apache-2.0
 * Takes a browser's upload form apart: fields first, then the file's bytes as they come.
 * Role: the front, on the body of POST to a bucket. It finds structure only; what the fields mean is form_policy.c's, in the gate.
 * Trusts: nothing. Distrusts: every byte: boundary, part headers, order, and where pieces are cut.
 * Spec: RFC 7578 (multipart/form-data), RFC 2046 section 5.1.1 (boundaries); S3 API reference, POST Object.
 *
 * A boundary is CR LF "--" and a text without CR, so the only place where a match can begin anew is its first byte: what was held back
 * of a match that fails is a prefix of the boundary itself, and is handed out from there.
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

#include <stdlib.h>

#define S3_FORM_MAGIC 0x53334631u

enum form_state { PREAMBLE, BEHIND, BEHIND_DASH, BEHIND_CR, HEAD, FIELD, FILE_DATA, TAIL, EPILOGUE };

struct s3_form {
    uint32_t magic;
    enum form_state state;
    enum s3_error error;
    bool at_file;
    char delimiter[4 + S3_FORM_BOUNDARY_CHARS_MAX];
    size_t delimiter_n, matched;
    char head[S3_FORM_HEAD_BYTES_MAX];
    size_t head_n, count, tail_count;
    struct buf fields, name, value, filename;      /* value: of the field at hand */
};

/* parameters of a header: ; name=token or ; name="quoted" ---------------------------------------------------------------- */

/* Takes the next parameter off *s; its value goes to `value`. False at the end or when it is broken (*s then not empty). */
static bool next_param(struct slice *s, struct slice *name, struct buf *value)
{
    struct slice rest = slice_trim(*s);
    if (rest.n == 0) return *s = rest, false;
    if (rest.p[0] != ';') return false;
    rest = slice_trim(slice_of(rest.p + 1, rest.n - 1));
    size_t i = 0;
    while (i < rest.n && rest.p[i] != '=' && rest.p[i] != ';') i++;
    if (i == rest.n || rest.p[i] != '=') return false;
    *name = slice_trim(slice_of(rest.p, i++));
    buf_reset(value);
    if (i == rest.n || rest.p[i] != '"') {
        size_t from = i;
        while (i < rest.n && rest.p[i] != ';') i++;
        buf_put_slice(value, slice_trim(slice_of(rest.p + from, i - from)));
    } else {
        for (i++; i < rest.n && rest.p[i] != '"'; i++) {
            /* Backslash escapes a quote and itself; before anything else it is a Windows path. */
            if (rest.p[i] == '\\' && i + 1 < rest.n && (rest.p[i + 1] == '"' || rest.p[i + 1] == '\\')) i++;
            buf_put_u8(value, rest.p[i]);
        }
        if (i == rest.n) return false;
        i++;
    }
    *s = slice_of(rest.p + i, rest.n - i);
    return buf_ok(value);
}

static bool boundary_ok(struct slice b)
{
    if (b.n == 0 || b.n > S3_FORM_BOUNDARY_CHARS_MAX || b.p[b.n - 1] == ' ') return false;
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] < 0x20 || b.p[i] > 0x7e) return false;
    return true;
}

static bool find_boundary(struct slice content_type, struct buf *out)
{
    size_t n = 0;
    struct slice name;
    while (n < content_type.n && content_type.p[n] != ';') n++;
    if (!slice_ieq(slice_trim(slice_of(content_type.p, n)), SLICE_LIT("multipart/form-data"))) return false;
    struct slice rest = slice_of(content_type.p + n, content_type.n - n);
    while (next_param(&rest, &name, out))
        if (slice_ieq(name, SLICE_LIT("boundary"))) return boundary_ok(buf_slice(out));
    return false;
}

struct s3_form *s3_form_new(struct slice content_type, enum s3_error *e)
{
    AUTO(buf) struct buf boundary = BUF_INIT(S3_HEADER_SECTION_BYTES_MAX);
    *e = S3E_MalformedPOSTRequest;                 /* F01 */
    if (!content_type.p || !find_boundary(content_type, &boundary)) return NULL;
    struct s3_form *f = calloc(1, sizeof *f);
    *e = f ? S3E_NONE : S3E_SlowDown;
    if (!f) return NULL;
    f->magic = S3_FORM_MAGIC;
    memcpy(f->delimiter, "\r\n--", 4);
    memcpy(f->delimiter + 4, boundary.p, boundary.n);
    f->delimiter_n = 4 + boundary.n;
    f->matched = 2;                                /* the body may begin with the boundary: as if a line had ended before it */
    buf_init(&f->fields, FORM_BYTES_MAX);
    buf_init(&f->name, S3_FORM_HEAD_BYTES_MAX);
    buf_init(&f->filename, S3_FORM_HEAD_BYTES_MAX);
    buf_init(&f->value, S3_FORM_FIELDS_BYTES_MAX);
    return f;
}

void s3_form_free(struct s3_form *f)
{
    if (!f) return;
    ASSERT(f->magic == S3_FORM_MAGIC);
    buf_done(&f->fields);
    buf_done(&f->name);
    buf_done(&f->filename);
    buf_done(&f->value);
    free(f);
}

/* the boundary ------------------------------------------------------------------------------------------------------------- */

static void take(struct slice *in, size_t n) { *in = slice_of(in->p + n, in->n - n); }

/* The next bytes that belong to the part, in *data; true when the boundary was reached (then *data is empty and it is taken). */
static bool scan(struct s3_form *f, struct slice *in, struct slice *data)
{
    const uint8_t *d = (const uint8_t *)f->delimiter;
    *data = slice_of(NULL, 0);
    while (f->matched && in->n) {                  /* a match that began in an earlier piece */
        if (in->p[0] != d[f->matched]) {
            *data = slice_of(d, f->matched);
            f->matched = 0;
            return false;
        }
        take(in, 1);
        if (++f->matched < f->delimiter_n) continue;
        f->matched = 0;
        return true;
    }
    for (size_t k = 0; in->n;) {
        const uint8_t *cr = memchr(in->p + k, '\r', in->n - k);
        size_t at = cr ? (size_t)(cr - in->p) : in->n, n = MIN(in->n - at, f->delimiter_n);
        if (cr && memcmp(cr, d, n) != 0) {
            k = at + 1;
            if (k < in->n) continue;
            at = in->n;
        } else if (at == 0) {
            take(in, n);
            if (n == f->delimiter_n) return true;
            f->matched = n;                        /* the piece ends within what may be the boundary */
            return false;
        }
        *data = slice_of(in->p, at);
        take(in, at);
        return false;
    }
    return false;
}

/* parts --------------------------------------------------------------------------------------------------------------------- */

static enum s3_error malformed(struct s3_form *f) { return f->error = S3E_MalformedPOSTRequest; }

static bool text_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return slice_is_utf8(s);
}

/* Finds name and file name in the part's headers. */
static bool read_head(struct s3_form *f)
{
    struct slice rest = slice_of(f->head, f->head_n), line, name, type;
    AUTO(buf) struct buf value = BUF_INIT(S3_FORM_HEAD_BYTES_MAX);
    bool named = false;
    buf_reset(&f->name);
    buf_reset(&f->filename);
    while (rest.p && rest.n) {
        rest = slice_cut(rest, '\n', &line);
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        struct slice text = slice_cut(line, ':', &name);
        if (!slice_ieq(slice_trim(name), SLICE_LIT("content-disposition"))) continue;
        size_t n = 0;
        while (n < text.n && text.p[n] != ';') n++;
        type = slice_trim(slice_of(text.p, n));
        if (named || !slice_ieq(type, SLICE_LIT("form-data"))) return false;
        text = slice_of(text.p + n, text.n - n);
        while (next_param(&text, &name, &value)) {
            struct buf *to = slice_ieq(name, SLICE_LIT("name")) ? &f->name : slice_ieq(name, SLICE_LIT("filename")) ? &f->filename : NULL;
            if (to && to->n) return false;         /* said twice */
            if (to) buf_put_slice(to, buf_slice(&value));
        }
        if (slice_trim(text).n) return false;
        named = f->name.n > 0;
    }
    return named && buf_ok(&f->name) && buf_ok(&f->filename) && text_ok(buf_slice(&f->name)) && text_ok(buf_slice(&f->filename));
}

static enum s3_error keep_field(struct s3_form *f, struct slice value)
{
    if (f->count++ == S3_FORM_FIELDS_MAX) return malformed(f);
    buf_put_lp16(&f->fields, buf_slice(&f->name));
    buf_put_lp16(&f->fields, value);
    if (!buf_ok(&f->fields) || f->fields.n > S3_FORM_FIELDS_BYTES_MAX) return f->error = S3E_MaxPostPreDataLengthExceededError;
    return S3E_NONE;
}

static enum s3_error begin_part(struct s3_form *f)
{
    if (!read_head(f)) return malformed(f);
    bool file = slice_ieq(buf_slice(&f->name), SLICE_LIT("file"));
    buf_reset(&f->value);
    if (f->at_file) {                              /* S3 passes over fields behind the file, but a second file would be lost */
        if (file) return f->error = S3E_InvalidArgument;
        if (f->tail_count++ == S3_FORM_TAIL_FIELDS_MAX) return malformed(f);
        f->state = TAIL;
        return S3E_NONE;
    }
    f->state = file ? FILE_DATA : FIELD;
    if (!file) return S3E_NONE;
    f->at_file = true;
    return keep_field(f, buf_slice(&f->filename));
}

/* One byte of what stands between a boundary and a part's body. */
static enum s3_error step(struct s3_form *f, uint8_t c)
{
    switch (f->state) {
    case BEHIND:
        if (c == '-') f->state = BEHIND_DASH;
        else if (c == '\r') f->state = BEHIND_CR;
        else if (c != ' ' && c != '\t') return malformed(f);
        return S3E_NONE;
    case BEHIND_DASH:
        if (c != '-') return malformed(f);
        f->state = EPILOGUE;
        return S3E_NONE;
    case BEHIND_CR:
        if (c != '\n') return malformed(f);
        f->state = HEAD;
        f->head_n = 0;
        return S3E_NONE;
    case HEAD:
        if (f->head_n == sizeof f->head) return malformed(f);
        f->head[f->head_n++] = (char)c;
        if (f->head_n == 2 && memcmp(f->head, "\r\n", 2) == 0) return malformed(f);        /* no headers: no name */
        if (f->head_n >= 4 && memcmp(f->head + f->head_n - 4, "\r\n\r\n", 4) == 0) return begin_part(f);
        return S3E_NONE;
    case PREAMBLE:
    case FIELD:
    case FILE_DATA:
    case TAIL:
    case EPILOGUE: break;
    }
    ASSERT(!"a byte of a body");
    return S3E_NONE;
}

static enum s3_error end_part(struct s3_form *f)
{
    enum form_state was = f->state;
    f->state = BEHIND;
    return was == FIELD ? keep_field(f, buf_slice(&f->value)) : S3E_NONE;
}

enum s3_error s3_form_feed(struct s3_form *f, struct slice *in, struct slice *data)
{
    ASSERT(f->magic == S3_FORM_MAGIC);
    *data = slice_of(NULL, 0);
    while (f->error == S3E_NONE && in->n) {
        struct slice piece;
        if (f->state == EPILOGUE) {
            take(in, in->n);
        } else if (f->state >= BEHIND && f->state <= HEAD) {
            uint8_t c = in->p[0];
            take(in, 1);
            if (step(f, c) == S3E_NONE && f->state == FILE_DATA) return S3E_NONE;          /* the caller looks at the fields now */
        } else if (scan(f, in, &piece)) {
            end_part(f);
        } else if (f->state == FILE_DATA && piece.n) {
            *data = piece;
            return S3E_NONE;
        } else if (f->state == FIELD && piece.n) {
            buf_put_slice(&f->value, piece);
            if (!buf_ok(&f->value)) f->error = S3E_MaxPostPreDataLengthExceededError;
        }
    }
    return f->error;
}

bool s3_form_at_file(const struct s3_form *f) { return f->at_file && f->error == S3E_NONE; }

enum s3_error s3_form_end(struct s3_form *f)
{
    ASSERT(f->magic == S3_FORM_MAGIC);
    if (f->error != S3E_NONE) return f->error;
    if (f->state != EPILOGUE) return f->error = f->at_file ? S3E_IncompleteBody : S3E_MalformedPOSTRequest;
    return f->error = f->at_file ? S3E_NONE : S3E_InvalidArgument;        /* F02 */
}

struct slice s3_form_fields(const struct s3_form *f) { return buf_slice(&f->fields); }
