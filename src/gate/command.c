/* SPDX-License-Identifier: Apache-2.0
 * command: encodes what APPLY carries.
 * Role: beside the leaf in its WAL record, then to the keeper. Trusts: its callers for bounds that the tables give.
 * Law: 1, 2 (the keeper changes nothing but on these). Spec: docs/spec/entry.md section 2.
 */
#include "gate/entry.h"

#define COMMAND_VERSION 1

void command_begin(struct buf *out, enum command_kind kind, uint64_t at_ms)
{
    buf_put_u8(out, COMMAND_VERSION);
    buf_put_u8(out, (uint8_t)kind);
    buf_put_u64(out, at_ms);
}

void command_key(struct buf *out, const uint8_t bucket[ID_BYTES], struct slice key, uint64_t guard, uint64_t grave_ms)
{
    ASSERT(key.n > 0 && key.n <= S3_KEY_BYTES_MAX);
    buf_put(out, bucket, ID_BYTES);
    buf_put_lp16(out, key);
    buf_put_u64(out, guard);
    buf_put_u64(out, grave_ms);
}

void command_entry(struct buf *out, struct slice entry) { buf_put_lp32(out, entry); }
void command_u64(struct buf *out, uint64_t v) { buf_put_u64(out, v); }

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
