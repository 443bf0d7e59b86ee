/* SPDX-License-Identifier: Apache-2.0
 * queue_fuzz: a file of cursors and answers of a gate, any bytes, in turns.
 * Role: fuzz target of queue.c. Spec: src/steward/notice.h
 * Input: the file up to the first NUL, then answers: a byte (bits: 0 told, 1 asked back, 2 tell twice), a big-endian length of 2, rows.
 */
#include <stdlib.h>

#include "steward/notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is written is what is read, and is written the same again. */
static void check_file(const struct notice_queue *q)
{
    AUTO(buf) struct buf first = BUF_INIT(NOTICE_CURSORS_BYTES_MAX), second = BUF_INIT(NOTICE_CURSORS_BYTES_MAX);
    struct notice_queue *again = notice_queue_new();
    size_t line;
    notice_write(q, &first);
    enum err e = notice_read(again, buf_slice(&first), &line);
    ASSERT(e == ERR_OK && notice_target_count(again) == notice_target_count(q));
    notice_write(again, &second);
    ASSERT(first.n == second.n);
    notice_queue_free(again);
}

static void tell(struct notice_queue *q, uint8_t how, uint64_t now)
{
    for (unsigned i = 0; i < (how & 4 ? 2u : 1u); i++) {
        struct notice_target *t = notice_next(q, now);
        if (t) notice_done(q, t, how & 1, now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct notice_queue *q = notice_queue_new();
    struct slice file, rest = slice_cut(slice_of(p, n), 0, &file);
    size_t line;
    if (notice_read(q, file, &line) != ERR_OK) {
        notice_queue_free(q);
        q = notice_queue_new();
    }
    for (uint64_t now = 0; rest.n >= 3; now += 500) {
        AUTO(buf) struct buf cursors = BUF_INIT(WIRE_DATA_BYTES_MAX);
        size_t len = (size_t)rest.p[1] << 8 | rest.p[2];
        uint8_t how = rest.p[0];
        len = MIN(len, rest.n - 3);
        notice_ask(q, how & 2, now, &cursors);
        ASSERT(buf_ok(&cursors));
        if (notice_take(q, slice_of(rest.p + 3, len), now) != ERR_OK) break;    /* the connection would be closed */
        ASSERT(notice_bytes(q) <= NOTICE_BYTES_MAX && notice_target_count(q) <= NOTICE_TARGETS_MAX);
        tell(q, how, now);
        check_file(q);
        rest = slice_of(rest.p + 3 + len, rest.n - 3 - len);
    }
    notice_queue_free(q);
    return 0;
}
