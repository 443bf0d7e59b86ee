/* SPDX-License-Identifier: Apache-2.0
 * command: encodes what APPLY carries.
 * Role: beside the leaf in its WAL record, then to the keeper. Trusts: its callers for bounds that the tables give.
 * Law: 1, 2 (the keeper changes nothing but on these). Spec: docs/spec/entry.md section 2.
 */
#include "gate/entry.h"

#define COMMAND_VERSION 2
enum command_source { COMMAND_STAGED = 0, COMMAND_SHARED = 1 };

void command_begin(struct buf *out, enum command_kind kind, uint64_t at_ms)
{
    buf_put_u8(out, COMMAND_VERSION);
    buf_put_u8(out, (uint8_t)kind);
    buf_put_u64(out, at_ms);
}

void command_item(struct buf *out, enum command_kind kind)
{
    ASSERT(kind == COMMAND_PUT || kind == COMMAND_DELETE || kind == COMMAND_DELVER || kind == COMMAND_ABORT);
    buf_put_u8(out, (uint8_t)kind);
}

void command_place(struct buf *out, const uint8_t bucket[ID_BYTES], struct slice key)
{
    ASSERT(key.n > 0 && key.n <= S3_KEY_BYTES_MAX);
    buf_put(out, bucket, ID_BYTES);
    buf_put_lp16(out, key);
}

void command_turn(struct buf *out, const struct command_turn *t)
{
    buf_put_u64(out, t->guard);
    buf_put_u8(out, t->keep);
    buf_put_u64(out, t->null_index);
    buf_put_u64(out, t->grave_ms);
}

void command_staged(struct buf *out) { buf_put_u8(out, COMMAND_STAGED); }

void command_shared(struct buf *out, const uint8_t bucket[ID_BYTES], struct slice key, uint64_t leaf_index)
{
    buf_put_u8(out, COMMAND_SHARED);
    command_place(out, bucket, key);
    buf_put_u64(out, leaf_index);
}

void command_id(struct buf *out, const uint8_t id[ID_BYTES]) { buf_put(out, id, ID_BYTES); }
void command_u16(struct buf *out, uint16_t v) { buf_put_u16(out, v); }
void command_u64(struct buf *out, uint64_t v) { buf_put_u64(out, v); }
void command_entry(struct buf *out, struct slice entry) { buf_put_lp32(out, entry); }

void command_part_row(struct buf *out, uint16_t number, uint64_t guard, uint64_t off, uint64_t plain_size, struct slice sealed)
{
    ASSERT(number >= 1 && number <= PARTS_MAX);
    buf_put_u16(out, number);
    buf_put_u64(out, guard);
    buf_put_u64(out, off);
    buf_put_u64(out, plain_size);
    buf_put_lp16(out, sealed);
}

void command_batch_count(struct buf *out, size_t count)
{
    ASSERT(count > 0 && count <= S3_DELETE_KEYS_MAX);
    buf_put_u16(out, (uint16_t)count);
}

void command_purge(struct buf *out, uint64_t before_ms, size_t bucket_count)
{
    ASSERT(bucket_count <= GATE_PURGE_BUCKETS_MAX);
    buf_put_u64(out, before_ms);
    buf_put_u16(out, (uint16_t)bucket_count);
}

void command_purge_bucket(struct buf *out, const uint8_t bucket[ID_BYTES], bool gone)
{
    buf_put(out, bucket, ID_BYTES);
    buf_put_u8(out, gone);
}
