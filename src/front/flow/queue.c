/* SPDX-License-Identifier: Apache-2.0
 * What waits to be written to a peer, and STAGE frames that are sealed in place.
 * Role: keeps the order of small frames and of chunks; the host writes pieces with writev.
 * Trusts: the flows. Distrusts: nothing here reads input.
 * Spec: docs/spec/wire.md.
 */
#include "flow/flow_in.h"

#include <stdlib.h>

/* STAGE: frame header, then blob, off, last and the length of data, which follows. */
#define STAGE_HEAD_BYTES (WIRE_HEADER_BYTES + ID_BYTES + 8 + 1 + 4)

void flow_queue_init(struct flow_queue *q)
{
    q->first = q->last = NULL;
    q->bytes = 0;
    buf_init(&q->small, WIRE_OUT_BYTES_MAX);
}

struct buf *flow_out(struct flow_queue *q) { return &q->small; }

static void chunk_free(struct flow_chunk *c)
{
    if (c->owner) flow_put_chunk_written(c->owner);
    free(c);
}

void flow_queue_clear(struct flow_worker *w, struct flow_queue *q)
{
    (void)w;
    while (q->first) {
        struct flow_chunk *c = q->first;
        q->first = c->next;
        chunk_free(c);
    }
    q->last = NULL;
    q->bytes = 0;
    buf_reset(&q->small);
}

struct flow_chunk *flow_chunk_new(struct flow *f, size_t cap)
{
    struct flow_chunk *c = malloc(sizeof *c + STAGE_HEAD_BYTES + cap);
    if (!c) return NULL;
    c->next = NULL;
    c->owner = f;
    c->n = c->sent = 0;
    c->cap = cap;
    return c;
}

uint8_t *flow_chunk_data(struct flow_chunk *c) { return c->data + STAGE_HEAD_BYTES; }

static void queue_append(struct flow_queue *q, struct flow_chunk *c)
{
    c->next = NULL;
    if (q->last) q->last->next = c;
    else q->first = c;
    q->last = c;
    q->bytes += c->n;
}

enum err flow_queue_stage(struct flow_queue *q, struct flow_chunk *c, uint64_t id, const uint8_t blob[ID_BYTES], uint64_t off,
                          size_t n, bool last)
{
    ASSERT(n <= c->cap && n <= WIRE_DATA_BYTES_MAX);
    if (q->small.n) {
        /* Frames put before this one must leave before it. There is seldom one, and it is small. */
        struct flow_chunk *before = malloc(sizeof *before + q->small.n);
        if (!before) {
            free(c);
            return ERR_NOMEM;
        }
        *before = (struct flow_chunk){.n = q->small.n, .cap = q->small.n};
        memcpy(before->data, q->small.p, q->small.n);
        buf_reset(&q->small);
        queue_append(q, before);
    }
    uint8_t *p = c->data;
    put_be32(p, (uint32_t)(STAGE_HEAD_BYTES - 4 + n));
    p[4] = WIRE_STAGE;
    put_be64(p + 5, id);
    p += WIRE_HEADER_BYTES;
    memcpy(p, blob, ID_BYTES);
    put_be64(p + ID_BYTES, off);
    p[ID_BYTES + 8] = last;
    put_be32(p + ID_BYTES + 9, (uint32_t)n);
    c->n = STAGE_HEAD_BYTES + n;
    queue_append(q, c);
    return ERR_OK;
}

size_t flow_queue_pieces(const struct flow_queue *q, struct flow_piece *out, size_t max)
{
    size_t n = 0;
    for (const struct flow_chunk *c = q->first; c && n < max; c = c->next)
        out[n++] = (struct flow_piece){c->data + c->sent, c->n - c->sent};
    if (n < max && q->small.n) out[n++] = (struct flow_piece){q->small.p, q->small.n};
    return n;
}

void flow_queue_sent(struct flow_worker *w, struct flow_queue *q, size_t n)
{
    while (q->first && n) {
        struct flow_chunk *c = q->first;
        size_t part = MIN(n, c->n - c->sent);
        c->sent += part;
        n -= part;
        q->bytes -= part;
        if (c->sent < c->n) return;
        q->first = c->next;
        if (!q->first) q->last = NULL;
        struct flow *owner = c->owner;
        chunk_free(c);
        /* Its upload may go on and queue more, behind what is here: the bytes still to be counted stay in front. */
        if (owner) w->host->after(owner);
    }
    ASSERT(n <= q->small.n);
    if (n == q->small.n) {
        buf_reset(&q->small);
        /* A burst must not be kept for ever by a worker that is idle now. */
        if (q->small.cap > WIRE_BATCH_BYTES) {
            buf_done(&q->small);
            buf_init(&q->small, WIRE_OUT_BYTES_MAX);
        }
    } else if (n) {
        buf_drop_front(&q->small, n);
    }
}
