/* SPDX-License-Identifier: Apache-2.0
 * hold: one writer at a time for a key (rule 0), with a bound on how many and how long.
 *
 * A hold is taken before FIND-for-write and let go when the write's command is settled, or its void appended. Whoever waits gets
 * it in the order of asking, or is told no after HOLD_WAIT_MS (503 before the leaf). Names are (scope id, key): an object key in
 * its bucket; a bucket name in its tenant while the bucket is made.
 *
 * Ownership: struct hold_wait is embedded by the owner and must live until hold_release() or until got(false). Threads: the loop's.
 */
#ifndef TILLIT_GATE_HOLD_H
#define TILLIT_GATE_HOLD_H

#include "base/base.h"
#include "base/limits.h"
#include "loop/loop.h"

struct holds;
struct hold;

struct hold_wait {
    struct list node;                              /* in the hold's queue while waiting */
    struct hold *hold;                             /* NULL: neither held nor waited for */
    struct holds *table;
    struct loop_timer timer;
    bool held;
    /* Called from the loop, never from within hold_take(): true: yours now; false: waited too long, nothing is held. */
    void (*got)(struct hold_wait *w, bool yes);
    void *ctx;
};

enum hold_result { HOLD_TAKEN, HOLD_WAITING, HOLD_FULL };

struct holds *holds_new(struct loop *l);
void holds_free(struct holds *t);
/* HOLD_FULL: HOLDS_MAX are held: answer SlowDown. w must be idle. */
MUST_USE enum hold_result hold_take(struct holds *t, const uint8_t scope[ID_BYTES], struct slice key, struct hold_wait *w);
/* Gives the hold to the next in line; also ends waiting. Does nothing when w is idle. */
void hold_release(struct hold_wait *w);
bool hold_is_held(const struct hold_wait *w);
size_t holds_count(const struct holds *t);

#endif
