/* SPDX-License-Identifier: Apache-2.0
 * Uploads: from a TICKET to COMMIT: unwrap, checksum and seal what the source gives in one pass, stage it, compare, commit.
 * Role: seals straight into STAGE frames; at most FLOW_CHUNKS_MAX of them wait here and STAGE_CREDIT_BYTES at the keeper.
 *   body   the client's: flow_put_body() takes what there is room for, and asks for more when there is
 *   form   the client's too, through the form's parser. Its size shows at the end only, and the last frame is sealed otherwise than
 *          the others: one frame is held back
 *   copy   get.c gives units: flow_put_copy() keeps one that there is no room for
 * Trusts: the ticket. Distrusts: the body's framing, length and every digest stated about it: all are compared before the
 * last STAGE, so that a wrong body is never sealed, let alone committed.
 * Law: 1 (no body is read, and no 100 sent, before the ticket). Spec: docs/spec/wire.md TICKET, STAGE, CHUNKS, COMMIT; frame.md.
 */
#include "flow/flow_in.h"

#include <stdlib.h>

/* Tags that a piece of plaintext adds at most, and a little, so that a chunk never ends within a tag at the blob's end. */
#define TAG_SLACK_BYTES 128

enum source { SOURCE_BODY, SOURCE_FORM, SOURCE_COPY };

struct flow_put {
    struct flow_put *next;                         /* among the idle */
    enum source source;
    struct wire_ticket ticket;                     /* copy: until the RELEASE says the size */
    uint64_t size_max, size;                       /* size: what was taken so far */
    struct buf held;                               /* form: not sealed yet */
    size_t held_out;                               /* of its front, sealed */
    const struct slice *copy;                      /* the unit that waits, from copy_at of its first slice on */
    size_t copy_n, copy_at;
    bool copy_last;
    bool ended;                                    /* the source has no more; what waits is sealed, then the upload finishes */
    struct frame_sealer sealer;
    struct s3_sums sums;
    bool sums_open;
    struct s3_body body;
    struct s3_chunked chunked;
    struct buf chunk_rows;                         /* signed chunks that the gate has not been told of: FLOW_CHUNK_ROWS at most */
    char sha256_hex[2 * HASH_BYTES];
    bool sha256_given;
    uint8_t blob[ID_BYTES];
    uint64_t cipher_size, staged, taken;           /* taken: by the keeper, as its credits say */
    struct flow_chunk *chunk;                      /* being filled */
    size_t chunk_n;
    unsigned chunks_out;
    uint8_t digest[S3_SUM__COUNT][S3_SUM_BYTES_MAX];   /* once the body is whole */
    bool stalled;
};

static struct flow_put *put_new(struct flow_worker *w)
{
    struct flow_put *p = w->puts_free;
    if (p) {
        w->puts_free = p->next;
        w->puts_free_count--;
        return p;
    }
    p = calloc(1, sizeof *p);
    if (p && frame_sealer_init(&p->sealer) != ERR_OK) {
        free(p);
        return NULL;
    }
    return p;
}

static void put_free(struct flow_put *p)
{
    frame_sealer_done(&p->sealer);
    free(p);
}

void flow_puts_done(struct flow_worker *w)
{
    while (w->puts_free) {
        struct flow_put *p = w->puts_free;
        w->puts_free = p->next;
        put_free(p);
    }
}

void flow_put_end(struct flow *f)
{
    struct flow_put *p = f->put;
    if (!p) return;
    f->put = NULL;
    free(p->chunk);
    /* Chunks on their way belong to the queue; they must not look for this request when they are written. */
    for (struct flow_chunk *c = f->w->keeper.out.first; c && p->chunks_out; c = c->next)
        if (c->owner == f) c->owner = NULL, p->chunks_out--;
    if (p->sums_open) s3_sums_done(&p->sums);
    s3_chunked_done(&p->chunked);
    buf_done(&p->chunk_rows);
    buf_wipe_done(&p->held);
    wipe(p->ticket.key, sizeof p->ticket.key);
    struct frame_sealer sealer = p->sealer;        /* its contexts are kept; its key is of no use any more */
    wipe(sealer.blob_key, sizeof sealer.blob_key);
    memset(p, 0, sizeof *p);
    p->sealer = sealer;
    struct flow_worker *w = f->w;
    if (w->puts_free_count >= FLOW_PUTS_KEPT) {
        put_free(p);
        return;
    }
    p->next = w->puts_free;
    w->puts_free = p;
    w->puts_free_count++;
}

void flow_put_drop(struct flow *f)
{
    struct flow_put *p = f->put;
    if (!p || p->staged == 0 || !f->w->keeper.up) return;
    struct wire_drop m;
    memcpy(m.blob, p->blob, ID_BYTES);
    if (wire_put_drop(flow_out(&f->w->keeper.out), f->id, &m) == ERR_OK) f->w->host->kick(f->w);
}

static void give_up(struct flow *f, enum s3_error e)
{
    flow_put_drop(f);
    flow_put_end(f);
    flow_fail(f, e, NULL);
}

enum s3_error flow_body_read(const struct flow_request *q, enum s3_auth_kind auth, struct s3_body *body, struct slice *sha256,
                             struct s3_fault *fault)
{
    enum s3_payload payload = S3_PAYLOAD_UNSIGNED;
    struct slice v = s3_header_value(q->headers, q->header_count, "x-amz-content-sha256");
    enum s3_error e = v.p ? s3_payload_parse(v, &payload) : S3E_NONE;
    if (e != S3E_NONE) return e;
    *sha256 = payload == S3_PAYLOAD_SHA256 && auth != S3_AUTH_NONE ? v : slice_of(NULL, 0);
    if ((e = s3_body_read(q->headers, q->header_count, payload, body, fault)) != S3E_NONE) return e;
    return body->chunk_signed && auth == S3_AUTH_NONE ? S3E_InvalidRequest : S3E_NONE;
}

enum s3_error flow_put_check(const struct flow_request *q, const struct s3_auth *a, uint64_t *body_size, struct s3_fault *fault)
{
    struct s3_body body;
    struct slice sha256;
    enum s3_error e = flow_body_read(q, a->kind, &body, &sha256, fault);
    if (e == S3E_NONE && !body.length_known) e = S3E_MissingContentLength;
    if (e != S3E_NONE) return e;
    *body_size = body.length;
    return s3_meta_check(q->headers, q->header_count, fault);
}

/* What the client says about the bytes to come. */
static enum s3_error read_body(struct flow *f, struct flow_put *p)
{
    struct flow_request q = {0};
    struct s3_fault fault = {0};
    struct slice sha256;
    f->w->host->request(f, &q);
    /* Who signed was settled when asking; here only the digest's place matters, and an anonymous one has none. */
    enum s3_error e = flow_body_read(&q, S3_AUTH_HEADER, &p->body, &sha256, &fault);
    if (e != S3E_NONE) return e;
    if (!p->body.length_known) return S3E_MissingContentLength;
    if (sha256.n) memcpy(p->sha256_hex, sha256.p, sizeof p->sha256_hex);
    p->sha256_given = sha256.n > 0;
    if (p->body.chunked) s3_chunked_init(&p->chunked, &p->body);
    buf_init(&p->chunk_rows, FLOW_CHUNK_ROWS * WIRE_CHUNK_ROW_BYTES);
    return S3E_NONE;
}

/* Fields of a form say what headers say of a PUT. Its length is the bound until its end is seen. */
static enum s3_error read_form(struct flow *f, struct flow_put *p)
{
    struct flow_request q = {0};
    struct s3_header h[S3_HEADERS_MAX];
    struct s3_fault fault = {0};
    struct wire_header field;
    size_t n = 0;
    struct reader r = reader_of(s3_form_fields(f->form->reader));
    while (wire_next_header(&r, &field))
        if (s3_sum_of_header(field.name) != S3_SUM_NONE && n < ARRAY_LEN(h)) h[n++] = (struct s3_header){field.name, field.value};
    enum s3_error e = s3_body_read(h, n, S3_PAYLOAD_UNSIGNED, &p->body, &fault);
    if (e != S3E_NONE) return e;
    f->w->host->request(f, &q);
    p->body.length = q.length_known ? MIN(q.length, p->size_max) : p->size_max;
    buf_init(&p->held, FRAME_PLAIN_BYTES + FLOW_FORM_PIECE_BYTES + FLOW_FORM_BOUNDARY_BYTES_MAX);
    return S3E_NONE;
}

/* body.length is known, or a bound. */
static enum s3_error begin(struct flow *f, const struct wire_ticket *m)
{
    struct flow_put *p = f->put;
    if (p->body.length > m->size_max) return S3E_EntityTooLarge;
    uint32_t want = (m->sums | S3_SUM_BIT(S3_SUM_MD5) | S3_SUM_BIT(p->body.sum)) & (S3_SUM_BIT(S3_SUM__COUNT) - 2u);
    if (p->sha256_given) want |= S3_SUM_BIT(S3_SUM_SHA256);
    enum err err = s3_sums_init(&p->sums, want);
    if (err != ERR_OK) return s3_error_of_err(err);
    p->sums_open = true;
    struct frame_id id;
    memcpy(id.tenant, m->tenant, ID_BYTES);
    memcpy(id.blob, m->blob, ID_BYTES);
    memcpy(p->blob, m->blob, ID_BYTES);
    if ((err = frame_sealer_begin(&p->sealer, &id, m->key, p->body.length)) != ERR_OK) return s3_error_of_err(err);
    p->cipher_size = frame_cipher_size(p->body.length);
    return S3E_NONE;
}

void flow_on_ticket(struct flow *f, const struct wire_ticket *m)
{
    enum s3_error e = S3E_NONE;
    flow_request_id(f, m->request);
    /* The ticket names the connection we had to the keeper when we asked; another one may not stage under it. */
    if (!f->w->keeper.up || f->front_id != f->w->front_id) {
        flow_fail(f, S3E_SlowDown, NULL);
        return;
    }
    struct flow_put *p = f->put = put_new(f->w);
    if (!p) {
        flow_fail(f, S3E_SlowDown, NULL);
        return;
    }
    p->size_max = m->size_max;
    p->source = m->copy ? SOURCE_COPY : f->form ? SOURCE_FORM : SOURCE_BODY;
    f->step = m->copy ? FLOW_COPY : FLOW_BODY;
    if (m->copy) {
        p->ticket = *m;                            /* begins when the RELEASE says how much there is */
        return;
    }
    e = p->source == SOURCE_FORM ? read_form(f, p) : read_body(f, p);
    if (e == S3E_NONE) e = begin(f, m);
    if (e != S3E_NONE) give_up(f, e);
    else if (f->body_ended) flow_put_body(f, slice_of(NULL, 0), true);   /* of a form, while it was asked */
    else f->w->host->body(f);
}

/* Hands the filled chunk to the keeper. */
static bool ship(struct flow *f, bool last)
{
    struct flow_put *p = f->put;
    struct flow_chunk *c = p->chunk;
    p->chunk = NULL;
    p->chunks_out++;
    if (flow_queue_stage(&f->w->keeper.out, c, f->id, p->blob, p->staged, p->chunk_n, last) != ERR_OK) return false;
    p->staged += p->chunk_n;
    p->chunk_n = 0;
    f->w->host->kick(f->w);
    return true;
}

enum room { ROOM_YES, ROOM_WAIT, ROOM_NONE };

/* Room for plaintext in a chunk: ships a full one, and makes the next when credit and memory allow. */
static enum room room(struct flow *f, size_t *plain_max)
{
    struct flow_put *p = f->put;
    if (p->chunk) {
        size_t left = p->chunk->cap - p->chunk_n;
        size_t tags = FRAME_TAG_BYTES * (left / FRAME_PLAIN_BYTES + 2);
        if (left > tags) {
            *plain_max = left - tags;
            return ROOM_YES;
        }
        if (!ship(f, false)) return ROOM_NONE;
    }
    size_t cap = (size_t)MIN(p->cipher_size - p->staged + TAG_SLACK_BYTES, (uint64_t)WIRE_DATA_BYTES_MAX);
    if (p->chunks_out >= FLOW_CHUNKS_MAX || p->staged + cap > p->taken + STAGE_CREDIT_BYTES) return ROOM_WAIT;
    p->chunk = flow_chunk_new(f, cap);
    if (!p->chunk) return ROOM_NONE;
    *plain_max = cap - FRAME_TAG_BYTES * (cap / FRAME_PLAIN_BYTES + 2);
    return ROOM_YES;
}

static enum s3_error seal(struct flow *f, struct slice data)
{
    struct flow_put *p = f->put;
    enum err e = s3_sums_add(&p->sums, data);
    size_t n = 0;
    const struct slice plain = data;
    uint8_t *out = flow_chunk_data(p->chunk) + p->chunk_n;
    if (e == ERR_OK) e = frame_sealer_step(&p->sealer, &data, out, p->chunk->cap - p->chunk_n, &n);
    if (BREAK("clear-frame")) memcpy(out, plain.p, MIN(n, plain.n));   /* what attacks 6 and 8 look for on the disk */
    p->chunk_n += n;
    if (e == ERR_RANGE) return S3E_IncompleteBody;
    if (e != ERR_OK) return s3_error_of_err(e);
    ASSERT(data.n == 0);
    p->size += plain.n;
    return S3E_NONE;
}

/* Seals what there is room for. What is left in *in waits (stalled) until some of what was staged has gone. */
static enum s3_error take(struct flow *f, struct slice *in)
{
    while (in->n) {
        size_t max;
        enum room r = room(f, &max);
        if (r == ROOM_NONE) return S3E_SlowDown;
        if (r == ROOM_WAIT) {
            f->put->stalled = true;
            return S3E_NONE;
        }
        struct slice part = slice_of(in->p, MIN(in->n, max));
        *in = slice_of(in->p + part.n, in->n - part.n);
        enum s3_error e = seal(f, part);
        if (e != S3E_NONE) return e;
    }
    return S3E_NONE;
}

/* Chunks' digests and signatures go to the gate, which has the key (LAW-3). What it thinks of them it says when it answers COMMIT. */
static enum s3_error tell_chunks(struct flow *f, bool last)
{
    struct flow_put *p = f->put;
    uint8_t trailer[WIRE_CHUNK_ROW_BYTES];
    struct wire_chunks m = {.last = last, .rows = buf_slice(&p->chunk_rows)};
    if (last && p->body.trailer_signed) {
        memcpy(trailer, p->chunked.trailer_digest, HASH_BYTES);
        memcpy(trailer + HASH_BYTES, p->chunked.trailer_signature, HASH_BYTES);
        m.trailer = slice_of(trailer, sizeof trailer);
    }
    if (wire_put_chunks(flow_out(&f->w->gate.out), f->id, &m) != ERR_OK) return S3E_SlowDown;
    buf_reset(&p->chunk_rows);
    f->w->host->kick(f->w);
    return S3E_NONE;
}

static enum s3_error chunk_ended(struct flow *f)
{
    struct flow_put *p = f->put;
    p->chunked.chunk_whole = false;
    /* Told when the next one comes: the last ones go with `last`, once the framing has ended well. */
    if (p->chunk_rows.n == FLOW_CHUNK_ROWS * WIRE_CHUNK_ROW_BYTES) {
        enum s3_error e = tell_chunks(f, false);
        if (e != S3E_NONE) return e;
    }
    buf_put(&p->chunk_rows, p->chunked.digest, HASH_BYTES);
    buf_put(&p->chunk_rows, p->chunked.signature, HASH_BYTES);
    return buf_ok(&p->chunk_rows) ? S3E_NONE : S3E_SlowDown;
}

/* The source's own end: what it stated last, and whether it may end here. */
static enum s3_error source_ends(struct flow *f)
{
    struct flow_put *p = f->put;
    enum s3_error e;
    if (p->source == SOURCE_FORM) {
        if ((e = s3_form_end(f->form->reader)) != S3E_NONE) return e;
        uint64_t size = p->size + (p->held.n - p->held_out);
        /* Frames that are out were followed by more than a frame, or by bytes of this one: see form_step. */
        if (frame_sealer_settle(&p->sealer, size) != ERR_OK) return S3E_EntityTooLarge;
        p->cipher_size = frame_cipher_size(size);
        p->body.length = size;
        return S3E_NONE;
    }
    if (!p->body.chunked) return S3E_NONE;
    if ((e = s3_chunked_end(&p->chunked)) != S3E_NONE) return e;
    if (p->chunked.trailer_seen) {
        memcpy(p->body.sum_value, p->chunked.trailer_value, sizeof p->body.sum_value);
        p->body.sum_given = true;
    }
    return p->body.chunk_signed ? tell_chunks(f, true) : S3E_NONE;
}

/* All is taken: compares every digest that was stated, then lets the last piece go. */
static enum s3_error finish(struct flow *f)
{
    struct flow_put *p = f->put;
    size_t unused;
    if (!p->chunk) {
        enum room r = room(f, &unused);
        if (r == ROOM_NONE) return S3E_SlowDown;
        if (r == ROOM_WAIT) {
            p->stalled = true;
            return S3E_NONE;
        }
    }
    enum s3_error e = seal(f, slice_of(NULL, 0));  /* the tag that waits, or the one frame of an empty object */
    if (e != S3E_NONE) return e;
    if (frame_sealer_finish(&p->sealer) != ERR_OK) return S3E_IncompleteBody;
    for (unsigned k = S3_SUM_MD5; k < S3_SUM__COUNT; k++)
        if ((p->sums.want & S3_SUM_BIT(k)) && s3_sums_get(&p->sums, (enum s3_sum)k, p->digest[k]) != ERR_OK) return S3E_InternalError;
    e = s3_body_compare(&p->body, p->digest[S3_SUM_MD5], p->digest[p->body.sum], p->digest[S3_SUM_SHA256],
                        slice_of(p->sha256_hex, p->sha256_given ? sizeof p->sha256_hex : 0));
    if (e != S3E_NONE) return e;
    f->step = FLOW_SEALING;
    return ship(f, true) ? S3E_NONE : S3E_SlowDown;
}

/* What is held of a form's file, up to `n` bytes of it. */
static enum s3_error take_held(struct flow *f, size_t n)
{
    struct flow_put *p = f->put;
    struct slice data = slice_of(p->held.p + p->held_out, n - p->held_out);
    enum s3_error e = take(f, &data);
    p->held_out = n - data.n;
    if (e != S3E_NONE || p->stalled) return e;
    buf_drop_front(&p->held, n);
    p->held_out = 0;
    return S3E_NONE;
}

/* The source has given all: seals what is held and finishes. Called again after a stall. */
static enum s3_error wind_up(struct flow *f)
{
    struct flow_put *p = f->put;
    enum s3_error e = S3E_NONE;
    if (p->held.n) e = take_held(f, p->held.n);
    return e != S3E_NONE || p->stalled ? e : finish(f);
}

static enum s3_error end_source(struct flow *f)
{
    enum s3_error e = source_ends(f);
    f->put->ended = true;
    return e != S3E_NONE ? e : wind_up(f);
}

/* A piece of the client's body. The decoder sees no more than the chunk can hold, so that what it gave out never has to wait. */
static enum s3_error body_step(struct flow *f, struct slice *in)
{
    struct flow_put *p = f->put;
    size_t max;
    if (!p->body.chunked) return take(f, in);
    enum room r = room(f, &max);
    if (r == ROOM_NONE) return S3E_SlowDown;
    if (r == ROOM_WAIT) {
        p->stalled = true;
        return S3E_NONE;
    }
    struct slice part = slice_of(in->p, MIN(in->n, max)), data;
    size_t before = part.n;
    enum s3_error e = s3_chunked_feed(&p->chunked, &part, &data);
    *in = slice_of(in->p + (before - part.n), in->n - (before - part.n));
    if (e == S3E_NONE && data.n) e = seal(f, data);
    if (e == S3E_NONE && p->chunked.chunk_whole) e = chunk_ended(f);
    return e;
}

/* A piece of a form. A frame is sealed once a byte behind it has come: it is then known not to be the last. */
static enum s3_error form_step(struct flow *f, struct slice *in)
{
    struct flow_put *p = f->put;
    if (p->held.n > FRAME_PLAIN_BYTES) {
        enum s3_error e = take_held(f, FRAME_PLAIN_BYTES);
        if (e != S3E_NONE || p->stalled) return e;
    }
    struct slice part = slice_of(in->p, MIN(in->n, FRAME_PLAIN_BYTES + FLOW_FORM_PIECE_BYTES - p->held.n)), data;
    size_t before = part.n;
    do {
        data = slice_of(NULL, 0);
        enum s3_error e = s3_form_feed(f->form->reader, &part, &data);
        if (e != S3E_NONE) return e;
        if (data.n > p->size_max - p->size - (p->held.n - p->held_out)) return S3E_EntityTooLarge;
        buf_put_slice(&p->held, data);
        if (!buf_ok(&p->held)) return S3E_SlowDown;
    } while (part.n || data.n);
    *in = slice_of(in->p + before, in->n - before);
    return S3E_NONE;
}

size_t flow_put_body(struct flow *f, struct slice in, bool end)
{
    struct flow_put *p = f->put;
    size_t given = in.n;
    enum s3_error e = S3E_NONE;
    if (p->source == SOURCE_COPY || p->ended) return given;
    p->stalled = false;
    while (in.n && e == S3E_NONE && !p->stalled) e = p->source == SOURCE_FORM ? form_step(f, &in) : body_step(f, &in);
    if (e == S3E_NONE && in.n) return given - in.n;
    if (e == S3E_NONE && end) {
        f->body_ended = true;
        e = end_source(f);
    }
    if (e != S3E_NONE) give_up(f, e);
    return given;
}

/* copies ---------------------------------------------------------------------------------------------------------------------- */

bool flow_put_copy_size(struct flow *f, uint64_t size)
{
    struct flow_put *p = f->put;
    p->body.length = size;
    enum s3_error e = begin(f, &p->ticket);
    wipe(p->ticket.key, sizeof p->ticket.key);
    if (e != S3E_NONE) give_up(f, e);
    return e == S3E_NONE;
}

/* What waits of a unit. WRITTEN when all of it was taken. */
static enum flow_write copy_go(struct flow *f)
{
    struct flow_put *p = f->put;
    enum s3_error e = S3E_NONE;
    for (; p->copy_n && e == S3E_NONE && !p->stalled; p->copy++, p->copy_n--, p->copy_at = 0) {
        struct slice data = slice_of(p->copy->p + p->copy_at, p->copy->n - p->copy_at);
        e = take(f, &data);
        p->copy_at = p->copy->n - data.n;
        if (data.n) break;
    }
    if (e == S3E_NONE && p->copy_n) return FLOW_BUSY;
    if (e == S3E_NONE && p->copy_last) e = end_source(f);
    if (e == S3E_NONE) return FLOW_WRITTEN;
    give_up(f, e);
    return FLOW_BROKEN;
}

enum flow_write flow_put_copy(struct flow *f, const struct slice *s, size_t n, bool last)
{
    struct flow_put *p = f->put;
    p->copy = s;
    p->copy_n = n;
    p->copy_at = 0;
    p->copy_last = last;
    return copy_go(f);
}

/* There may be room again. */
static void resume(struct flow *f)
{
    struct flow_put *p = f->put;
    if (!p->stalled || (f->step != FLOW_BODY && f->step != FLOW_COPY)) return;
    /* Not while the queue is cleared because the keeper is gone: all that is staged is lost anyhow. */
    if (!f->w->keeper.up) return;
    p->stalled = false;
    if (p->ended) {
        enum s3_error e = wind_up(f);
        if (e != S3E_NONE) give_up(f, e);
    } else if (p->source != SOURCE_COPY) {
        f->w->host->body(f);
    } else if (copy_go(f) == FLOW_WRITTEN && f->step == FLOW_COPY) {
        f->writing = false;
        flow_get_can_write(f);
    }
}

void flow_put_chunk_written(struct flow *f)
{
    if (!f->put || f->put->chunks_out == 0) return;
    f->put->chunks_out--;
    resume(f);
}

void flow_on_credit(struct flow *f, const struct wire_credit *m)
{
    struct flow_put *p = f->put;
    if (!p || memcmp(m->blob, p->blob, ID_BYTES) != 0 || m->taken < p->taken || m->taken > p->staged) return;
    p->taken = m->taken;
    resume(f);
}

void flow_on_sealed(struct flow *f, const struct wire_sealed *m)
{
    struct flow_put *p = f->put;
    if (!p || f->step != FLOW_SEALING || memcmp(m->blob, p->blob, ID_BYTES) != 0) return;
    if (m->outcome != WIRE_SEALED_OK) {
        give_up(f, m->outcome == WIRE_SEALED_FULL ? S3E_SlowDown : S3E_ServiceUnavailable);
        return;
    }
    flow_get_end(f);                               /* of a copy: all its source's bytes are staged */
    AUTO(buf) struct buf sums = BUF_INIT(512);
    for (unsigned k = S3_SUM_MD5; k < S3_SUM__COUNT; k++) {
        if (!(p->sums.want & S3_SUM_BIT(k))) continue;
        buf_put_u8(&sums, (uint8_t)k);
        buf_put_lp16(&sums, slice_of(p->digest[k], s3_sum_bytes((enum s3_sum)k)));
    }
    struct wire_commit c = {.size = p->body.length, .cipher_size = p->cipher_size, .sums = buf_slice(&sums),
                            .client_algorithm = p->body.sum_given ? (uint8_t)p->body.sum : 0};
    if (wire_put_commit(flow_out(&f->w->gate.out), f->id, &c) != ERR_OK) {
        give_up(f, S3E_SlowDown);
        return;
    }
    f->step = FLOW_COMMITTED;
    f->w->host->kick(f->w);
}
