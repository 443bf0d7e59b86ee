/* SPDX-License-Identifier: Apache-2.0
 * summary: counts unproven callers; at most two `sum` leaves a minute and log (attack 38: a flood of bad signatures).
 *
 * With a known key and a wrong signature the count goes to that tenant's access log; without a known key to the provider log.
 * A count is kept until its leaf could be appended (a tenant not yet served, a full disk). Threads: the loop's.
 */
#ifndef TILLIT_GATE_SUMMARY_H
#define TILLIT_GATE_SUMMARY_H

#include "gate/gate.h"

struct summaries *summaries_new(struct gate *g);
/* t NULL: the provider log. id: the request's. */
void summary_count(struct gate *g, struct gate_tenant *t, enum s3_error why, const uint8_t id[ID_BYTES]);

#endif
