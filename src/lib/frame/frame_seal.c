/* SPDX-License-Identifier: Apache-2.0
 * Seals a stream of plaintext slices into stored bytes.
 * Role: the front, between the body it receives and STAGE to the keeper.
 * Trusts: the ticket's key. Distrusts: the announced size (more is refused, less never finishes).
 * Law: 2. Spec: docs/spec/frame.md.
 */
#include "frame/frame_internal.h"

enum err frame_sealer_init(struct frame_sealer *s) {
    *s = (struct frame_sealer){.magic = FRAME_SEALER_MAGIC, .finished = true};
    return frame_ctx_init(&s->ctx);
}

void frame_sealer_done(struct frame_sealer *s) {
    frame_ctx_done(&s->ctx);
    wipe(s, sizeof *s);
}

enum err frame_sealer_begin(struct frame_sealer *s, const struct frame_id *id, const uint8_t blob_key[FRAME_KEY_BYTES],
                            uint64_t plain_bytes) {
    ASSERT(s->magic == FRAME_SEALER_MAGIC);
    if (plain_bytes > FRAME_BLOB_BYTES_MAX) return ERR_RANGE;
    s->id = *id;
    memcpy(s->blob_key, blob_key, FRAME_KEY_BYTES);
    s->plain_bytes = plain_bytes;
    s->taken_bytes = 0;
    s->frame = 0;
    s->frame_left_bytes = 0;
    s->frame_begun = false;
    s->finished = false;
    s->tag_left_bytes = 0;
    return ERR_OK;
}

enum err frame_sealer_settle(struct frame_sealer *s, uint64_t plain_bytes) {
    ASSERT(s->magic == FRAME_SEALER_MAGIC);
    if (s->frame_begun || s->finished || plain_bytes < s->taken_bytes || plain_bytes > s->plain_bytes) return ERR_RANGE;
    /* The frames that are out were sealed as not the last: one more must come. */
    if (plain_bytes == s->taken_bytes && s->frame > 0) return ERR_RANGE;
    s->plain_bytes = plain_bytes;
    return ERR_OK;
}

static enum err begin_frame(struct frame_sealer *s) {
    uint32_t segment = (uint32_t)(s->frame / SEGMENT_FRAMES), number = (uint32_t)(s->frame % SEGMENT_FRAMES);
    bool last = s->frame + 1 == frame_count(s->plain_bytes);
    uint8_t key[FRAME_KEY_BYTES];
    /* Derived for every frame and not kept: 0.5 us beside the 17 us of a full frame. */
    TRY(frame_segment_key(&s->ctx, s->blob_key, segment, key));
    enum err e = frame_start(&s->ctx, key, &s->id, segment, number, last, true);
    wipe(key, sizeof key);
    TRY(e);
    s->frame_left_bytes = frame_plain_at(s->plain_bytes, s->frame);
    s->frame_begun = true;
    return ERR_OK;
}

static enum err end_frame(struct frame_sealer *s) {
    TRY(frame_seal_end(&s->ctx, s->tag));
    s->tag_left_bytes = FRAME_TAG_BYTES;
    s->frame_begun = false;
    s->frame++;
    s->finished = s->frame == frame_count(s->plain_bytes);
    return ERR_OK;
}

/* Gives out as much of a waiting tag as there is room for. */
static size_t give_tag(struct frame_sealer *s, uint8_t *out, size_t room) {
    size_t n = MIN((size_t)s->tag_left_bytes, room);
    if (n > 0) memcpy(out, s->tag + FRAME_TAG_BYTES - s->tag_left_bytes, n);
    s->tag_left_bytes -= (uint32_t)n;
    return n;
}

enum err frame_sealer_step(struct frame_sealer *s, struct slice *in, uint8_t *out, size_t out_max, size_t *out_n) {
    ASSERT(s->magic == FRAME_SEALER_MAGIC);
    size_t written = 0;
    *out_n = 0;
    /* Checked before anything is sealed, so that a body that goes on too long never looks complete. */
    if (in->n > s->plain_bytes - s->taken_bytes) return ERR_RANGE;
    for (;;) {
        written += give_tag(s, out + written, out_max - written);
        if (s->tag_left_bytes > 0 || s->finished) break;
        /* A frame begins only when a byte for it is there (or it wants none): an empty step costs nothing. */
        if (!s->frame_begun && (in->n > 0 || s->plain_bytes == 0)) TRY(begin_frame(s));
        size_t n = MIN(MIN(in->n, (size_t)s->frame_left_bytes), out_max - written);
        TRY(frame_cipher(&s->ctx, in->p, n, out + written));
        in->p += n;
        in->n -= n;
        written += n;
        s->taken_bytes += n;
        s->frame_left_bytes -= (uint32_t)n;
        if (!s->frame_begun || s->frame_left_bytes > 0) break;
        TRY(end_frame(s));
    }
    *out_n = written;
    return ERR_OK;
}

enum err frame_sealer_finish(const struct frame_sealer *s) {
    ASSERT(s->magic == FRAME_SEALER_MAGIC);
    if (!s->finished || s->tag_left_bytes > 0) return ERR_TRUNCATED;
    ASSERT(s->taken_bytes == s->plain_bytes);
    return ERR_OK;
}
