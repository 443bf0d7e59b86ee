/* SPDX-License-Identifier: Apache-2.0
 * Takes aws-chunked framing off a body, a buffer at a time, without copying the data.
 * Role: front, between HTTP's own chunks and the checksums.
 * Signatures of chunks are read and handed on with the digest of what they cover; the key that proves them is not here.
 * Trusts: nothing. Distrusts: sizes, extensions, trailers: each line has a bound and no size is believed before its bytes
 *         have come.
 * Spec: AWS "Signature calculations for streaming uploads" and "...with trailing headers".
 */
#include "s3/s3.h"

#include <openssl/evp.h>

void s3_chunked_init(struct s3_chunked *c, const struct s3_body *b)
{
    c->state = S3_CHUNK_LINE;
    c->trailer = b->sum_in_trailer ? b->sum : S3_SUM_NONE;
    c->trailer_seen = false;
    c->length_known = b->length_known;
    c->length = b->length;
    c->decoded = c->left = c->last_size = 0;
    c->any = false;
    c->line_n = 0;
    c->chunk_signed = b->chunk_signed;
    c->trailer_signed = b->trailer_signed;
    c->chunk_whole = c->trailer_signature_seen = false;
    c->hash = NULL;
}

void s3_chunked_done(struct s3_chunked *c)
{
    EVP_MD_CTX_free(c->hash);
    c->hash = NULL;
}

static bool hash_begin(struct s3_chunked *c)
{
    if (!c->hash) c->hash = EVP_MD_CTX_new();
    return c->hash && EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL) == 1;
}

/* The chunk's data is over: its digest and signature are ready for the caller. */
static enum s3_error hash_end(struct s3_chunked *c)
{
    if (!c->chunk_signed) return S3E_NONE;
    ASSERT(!c->chunk_whole);                       /* the last ones were taken */
    if (EVP_DigestFinal_ex(c->hash, c->digest, NULL) != 1) return S3E_InternalError;
    c->chunk_whole = true;
    return S3E_NONE;
}

/* Moves bytes up to '\n' into the line. *complete: the line is whole, without its end; crlf says whether it had a CR. */
static bool take_line(struct s3_chunked *c, struct slice *in, bool *complete, bool *crlf)
{
    const uint8_t *end = in->n ? memchr(in->p, '\n', in->n) : NULL;
    size_t n = end ? (size_t)(end - in->p) : in->n;
    if (n > sizeof c->line - c->line_n) return false;
    if (n) memcpy(c->line + c->line_n, in->p, n);
    c->line_n += n;
    size_t taken = end ? n + 1 : n;
    if (taken) *in = slice_of(in->p + taken, in->n - taken);
    *complete = end != NULL;
    *crlf = *complete && c->line_n > 0 && c->line[c->line_n - 1] == '\r';
    if (*crlf) c->line_n--;
    return true;
}

static enum s3_error read_size(struct slice text, uint64_t *size)
{
    uint64_t v = 0;
    if (text.n == 0 || text.n > S3_CHUNK_SIZE_DIGITS_MAX) return S3E_IncompleteBody;      /* C15 */
    for (size_t i = 0; i < text.n; i++) {
        uint8_t ch = text.p[i];
        unsigned d = ch >= '0' && ch <= '9' ? ch - '0' + 0u
                   : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10u
                   : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10u : 16u;
        if (d == 16) return S3E_IncompleteBody;
        v = v << 4 | d;
    }
    *size = v;
    return S3E_NONE;
}

static enum s3_error take_signature(struct s3_chunked *c, struct slice extension)
{
    struct slice word = SLICE_LIT("chunk-signature=");
    bool given = extension.p && slice_starts(extension, word);
    if (!c->chunk_signed) return given ? S3E_InvalidRequest : S3E_NONE;   /* the request says that nobody is to check it */
    if (!given || hex_fixed(slice_of(extension.p + word.n, extension.n - word.n), c->signature, HASH_BYTES) != ERR_OK)
        return S3E_IncompleteBody;
    return hash_begin(c) ? S3E_NONE : S3E_InternalError;
}

/* "400[;chunk-signature=...]" */
static enum s3_error on_chunk_line(struct s3_chunked *c)
{
    struct slice line = slice_of(c->line, c->line_n), size_text, extension;
    uint64_t size;
    extension = slice_cut(line, ';', &size_text);
    c->line_n = 0;
    enum s3_error e = read_size(size_text, &size);
    if (e != S3E_NONE) return e;
    if ((e = take_signature(c, extension)) != S3E_NONE) return e;
    if (size > 0 && c->any && c->last_size < S3_CHUNK_BYTES_MIN) return S3E_InvalidChunkSizeError;
    if (c->length_known && size > c->length - c->decoded) return S3E_IncompleteBody;
    if (!c->length_known && size > S3_PUT_BYTES_MAX - c->decoded) return S3E_EntityTooLarge;
    if (size == 0) {
        if (c->length_known && c->decoded != c->length) return S3E_IncompleteBody;
        c->state = S3_CHUNK_TRAILER;
        c->left = S3_TRAILER_LINES_MAX;
        if (c->trailer_signed && EVP_Digest("", 0, c->trailer_digest, NULL, EVP_sha256(), NULL) != 1) return S3E_InternalError;
        return hash_end(c);
    }
    c->any = true;
    c->last_size = c->left = size;
    c->state = S3_CHUNK_DATA;
    return S3E_NONE;
}

/* The text a trailer's signature covers: lower-case name, value, LF. */
static enum s3_error trailer_text(struct s3_chunked *c, enum s3_sum sum, struct slice value)
{
    AUTO(buf) struct buf text = BUF_INIT(S3_CHUNK_LINE_BYTES_MAX + 1);
    buf_put_str(&text, s3_sum_header(sum));
    buf_put_u8(&text, ':');
    buf_put_slice(&text, value);
    buf_put_u8(&text, '\n');
    if (!buf_ok(&text) || EVP_Digest(text.p, text.n, c->trailer_digest, NULL, EVP_sha256(), NULL) != 1) return S3E_InternalError;
    return S3E_NONE;
}

/* "x-amz-checksum-crc32:NhCmhg==" (C02), "x-amz-trailer-signature:..." last, or the empty line that ends all. */
static enum s3_error on_trailer_line(struct s3_chunked *c)
{
    struct slice line = slice_of(c->line, c->line_n), name, value;
    c->line_n = 0;
    bool signature_due = c->trailer_signed && !c->trailer_signature_seen;
    if (line.n == 0 && !signature_due) {
        c->state = S3_CHUNK_DONE;
        c->left = c->trailer_seen ? 2 : 0;         /* minio-go sends one empty line more behind a trailer */
        return S3E_NONE;
    }
    if (c->left == 0 || (c->trailer_signed && !signature_due)) return S3E_MalformedTrailerError;
    c->left--;
    if (line.n == 0) return S3E_NONE;              /* AWS's own example has an empty line before the signature */
    value = slice_cut(line, ':', &name);
    if (!value.p) return S3E_MalformedTrailerError;
    if (signature_due && slice_ieq(slice_trim(name), SLICE_LIT("x-amz-trailer-signature"))) {
        if (hex_fixed(slice_trim(value), c->trailer_signature, HASH_BYTES) != ERR_OK) return S3E_MalformedTrailerError;
        c->trailer_signature_seen = true;
        return S3E_NONE;
    }
    enum s3_sum sum = s3_sum_of_header(slice_trim(name));
    if (sum == S3_SUM_NONE || sum != c->trailer || c->trailer_seen) return S3E_MalformedTrailerError;
    if (base64_fixed(slice_trim(value), c->trailer_value, s3_sum_bytes(sum)) != ERR_OK) return S3E_InvalidRequest;
    c->trailer_seen = true;
    return c->trailer_signed ? trailer_text(c, sum, slice_trim(value)) : S3E_NONE;
}

static enum s3_error take_data(struct s3_chunked *c, struct slice *in, struct slice *data)
{
    size_t n = c->left < in->n ? (size_t)c->left : in->n;
    *data = slice_of(in->p, n);
    *in = slice_of(in->p + n, in->n - n);
    c->left -= n;
    c->decoded += n;
    ASSERT(!c->length_known || c->decoded <= c->length);
    if (c->chunk_signed && EVP_DigestUpdate(c->hash, data->p, n) != 1) return S3E_InternalError;
    if (c->left > 0) return S3E_NONE;
    c->state = S3_CHUNK_DATA_END;
    return hash_end(c);
}

enum s3_error s3_chunked_feed(struct s3_chunked *c, struct slice *in, struct slice *data)
{
    *data = slice_of("", 0);
    while (in->n) {
        bool complete = false, crlf = false;
        if (c->state == S3_CHUNK_DATA) return take_data(c, in, data);
        if (c->state == S3_CHUNK_DONE) {
            if (c->left == 0 || in->p[0] != (c->left == 2 ? '\r' : '\n')) return S3E_IncompleteBody;   /* bytes behind the end */
            c->left--;
            *in = slice_of(in->p + 1, in->n - 1);
            continue;
        }
        if (!take_line(c, in, &complete, &crlf)) return S3E_IncompleteBody;   /* C16 */
        if (!complete) return S3E_NONE;
        enum s3_error e = S3E_NONE;
        switch (c->state) {
        case S3_CHUNK_LINE: e = crlf ? on_chunk_line(c) : S3E_IncompleteBody; break;
        case S3_CHUNK_TRAILER: e = on_trailer_line(c); break;                 /* some clients end trailers with LF alone */
        case S3_CHUNK_DATA_END:
            e = crlf && c->line_n == 0 ? S3E_NONE : S3E_IncompleteBody;
            c->state = S3_CHUNK_LINE;
            break;
        case S3_CHUNK_DATA:
        case S3_CHUNK_DONE: break;
        }
        if (e != S3E_NONE || c->chunk_whole) return e;
    }
    return S3E_NONE;
}

enum s3_error s3_chunked_end(const struct s3_chunked *c)
{
    if (c->state != S3_CHUNK_DONE || c->left == 1) return S3E_IncompleteBody;
    if (c->length_known && c->decoded != c->length) return S3E_IncompleteBody;
    if (c->trailer_signed && !c->trailer_signature_seen) return S3E_MalformedTrailerError;
    if (c->trailer != S3_SUM_NONE && !c->trailer_seen) return S3E_MalformedTrailerError;
    return S3E_NONE;
}
