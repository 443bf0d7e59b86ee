/* SPDX-License-Identifier: Apache-2.0
 * Opens the frames of a range, in order.
 * Role: the front between stored bytes and the body it sends; export and verification likewise.
 * Trusts: released keys and the size from sealed facts. Distrusts: stored bytes.
 * Law: 2. Spec: docs/spec/frame.md.
 */
#include "frame/frame_internal.h"

enum err frame_opener_init(struct frame_opener *o) {
    *o = (struct frame_opener){.magic = FRAME_OPENER_MAGIC};
    o->frame = 1; /* past the last frame 0: nothing to open before begin */
    return frame_ctx_init(&o->ctx);
}

void frame_opener_done(struct frame_opener *o) {
    frame_ctx_done(&o->ctx);
    wipe(o, sizeof *o);
}

static void drop_keys(struct frame_opener *o) {
    wipe(o->blob_key, sizeof o->blob_key);
    wipe(o->segment_key, sizeof o->segment_key);
    o->has_blob_key = o->has_segment_key = false;
    o->keys = NULL;
    o->keys_first = o->keys_count = 0;
}

enum err frame_opener_begin(struct frame_opener *o, const struct frame_id *id, uint64_t plain_bytes, uint64_t offset,
                            uint64_t bytes) {
    ASSERT(o->magic == FRAME_OPENER_MAGIC);
    drop_keys(o);
    if (plain_bytes > FRAME_BLOB_BYTES_MAX) return ERR_RANGE;
    TRY(frame_range(plain_bytes, offset, bytes, &o->range));
    o->id = *id;
    o->plain_bytes = plain_bytes;
    o->frame = o->range.frame_first;
    o->given_bytes = 0;
    return ERR_OK;
}

void frame_opener_blob_key(struct frame_opener *o, const uint8_t blob_key[FRAME_KEY_BYTES]) {
    ASSERT(o->magic == FRAME_OPENER_MAGIC);
    drop_keys(o);
    memcpy(o->blob_key, blob_key, FRAME_KEY_BYTES);
    o->has_blob_key = true;
}

void frame_opener_keys(struct frame_opener *o, uint32_t first, const uint8_t (*keys)[FRAME_KEY_BYTES],
                       uint32_t count) {
    ASSERT(o->magic == FRAME_OPENER_MAGIC);
    drop_keys(o);
    o->keys = keys;
    o->keys_first = first;
    o->keys_count = count;
}

uint32_t frame_opener_next(const struct frame_opener *o) {
    ASSERT(o->magic == FRAME_OPENER_MAGIC);
    if (o->frame > o->range.frame_last) return 0;
    return frame_plain_at(o->plain_bytes, o->frame) + FRAME_TAG_BYTES;
}

static enum err key_for(struct frame_opener *o, uint32_t segment, const uint8_t **key) {
    if (!o->has_blob_key) {
        if (segment < o->keys_first || segment - o->keys_first >= o->keys_count) return ERR_MISSING;
        *key = o->keys[segment - o->keys_first];
        return ERR_OK;
    }
    if (!o->has_segment_key || o->key_segment != segment) {
        o->has_segment_key = false;
        TRY(frame_segment_key(&o->ctx, o->blob_key, segment, o->segment_key));
        o->key_segment = segment;
        o->has_segment_key = true;
    }
    *key = o->segment_key;
    return ERR_OK;
}

enum err frame_opener_open(struct frame_opener *o, struct slice in, uint8_t *out, struct slice *plain) {
    ASSERT(o->magic == FRAME_OPENER_MAGIC);
    *plain = slice_of(NULL, 0);
    uint32_t want = frame_opener_next(o);
    if (want == 0) return ERR_RANGE;
    if (in.n != want) return ERR_CORRUPT;
    uint32_t segment = (uint32_t)(o->frame / SEGMENT_FRAMES), number = (uint32_t)(o->frame % SEGMENT_FRAMES);
    bool last = o->frame + 1 == frame_count(o->plain_bytes);
    const uint8_t *key = NULL;
    TRY(key_for(o, segment, &key));
    TRY(frame_open_one(&o->ctx, key, &o->id, segment, number, last, in, out));
    size_t skip = o->frame == o->range.frame_first ? o->range.skip_bytes : 0;
    size_t have = want - FRAME_TAG_BYTES;
    ASSERT(skip <= have);
    size_t give = (size_t)MIN((uint64_t)(have - skip), o->range.plain_bytes - o->given_bytes);
    *plain = slice_of(out + skip, give);
    o->given_bytes += give;
    o->frame++;
    return ERR_OK;
}

enum err frame_opener_finish(const struct frame_opener *o) {
    if (frame_opener_next(o) != 0) return ERR_CORRUPT;
    ASSERT(o->given_bytes == o->range.plain_bytes);
    return ERR_OK;
}
