/* SPDX-License-Identifier: Apache-2.0
 * recent: which keys were written lately (rule 8).
 *
 * A read may append its leaf only if no write leaf of its key is unsettled and none was appended since its FIND was sent. The table
 * has a slot per keyed hash of (bucket, key) and nothing else: two keys in one slot only make a read look again, never pass. So it
 * is bounded, never overflows, and takes no memory on the way.
 *
 * Threads: the loop's.
 */
#ifndef TILLIT_GATE_RECENT_H
#define TILLIT_GATE_RECENT_H

#include "base/base.h"
#include "base/limits.h"

struct recent;
enum recent_answer { RECENT_CLEAR, RECENT_SINCE, RECENT_UNSETTLED };

struct recent *recent_new(const struct rng *rng);
void recent_free(struct recent *r);
uint32_t recent_slot(const struct recent *r, const uint8_t bucket[ID_BYTES], struct slice key);
/* To be kept beside a FIND when it is sent. */
uint64_t recent_now(const struct recent *r);
void recent_appended(struct recent *r, uint32_t slot);         /* a write leaf of a key was appended */
void recent_settled(struct recent *r, uint32_t slot);          /* it is done, or its void is appended */
enum recent_answer recent_ask(const struct recent *r, uint32_t slot, uint64_t sent);

#endif
