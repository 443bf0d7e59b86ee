/* SPDX-License-Identifier: Apache-2.0
 * repeat: how often one signature was presented within the skew that is allowed.
 *
 * State-changing requests are counted exactly (the leaf's `rep`); reads in a table that may forget. A signature cannot be valid
 * longer than GATE_REPEAT_MS before and after its date, so an entry older than twice that is let go.
 *
 * Threads: the loop's.
 */
#ifndef TILLIT_GATE_REPEAT_H
#define TILLIT_GATE_REPEAT_H

#include "base/base.h"
#include "base/limits.h"

struct repeats;
struct repeats *repeats_new(const struct rng *rng);
void repeats_free(struct repeats *r);
/* Counts this presentation: 1 the first time. */
uint32_t repeat_count(struct repeats *r, const uint8_t signature[HASH_BYTES], bool changes_state, uint64_t now_ms);
/* When the newest was seen that had to be let go before its time, because the table was full (also of others' signatures); 0: none. What was signed
 * until then may have been seen: who takes a signature once refuses it. */
uint64_t repeats_forgot_ms(const struct repeats *r);

#endif
