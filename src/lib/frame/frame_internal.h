/* SPDX-License-Identifier: Apache-2.0
 * What the files of frame share, and no other room includes.
 * Role: the pieces of one frame, for streaming. Trusts: its callers in this room. Law: 2. Spec: docs/spec/frame.md.
 */
#ifndef TILLIT_FRAME_INTERNAL_H
#define TILLIT_FRAME_INTERNAL_H

#include <assert.h>

#include "frame/frame.h"

#define FRAME_SEALER_MAGIC 0x54465331u /* "TFS1" */
#define FRAME_OPENER_MAGIC 0x54464f31u /* "TFO1" */

/* Plaintext bytes of one frame, counted over the blob. */
uint32_t frame_plain_at(uint64_t plain_bytes, uint64_t frame);
/* Sets key, nonce and associated data of one frame. */
MUST_USE enum err frame_start(struct frame_ctx *c, const uint8_t segment_key[FRAME_KEY_BYTES], const struct frame_id *id,
                              uint32_t segment, uint32_t number, bool last, bool seal);
MUST_USE enum err frame_cipher(struct frame_ctx *c, const uint8_t *in, size_t n, uint8_t *out);
MUST_USE enum err frame_seal_end(struct frame_ctx *c, uint8_t tag[FRAME_TAG_BYTES]);

#endif
