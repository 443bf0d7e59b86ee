/* SPDX-License-Identifier: Apache-2.0
 * nonces: which statements were taken already, for as long as the clock check would let a copy of them through.
 *
 * A statement that somebody kept must not make a second access key. So the table forgets by time alone, never because it is full: a
 * full table refuses, and only statements that have a leaf are ever put into it - otherwise whoever floods it with statements of
 * his own would make room for a replay (LAW-6). Nor may who floods it keep others from speaking, least of all from revoking: each key, and each
 * side (a tenant's own people, the provider's people there, officers), has a bound of its own, and the whole holds many sides.
 * Threads: the loop's.
 */
#ifndef TILLIT_GATE_NONCES_H
#define TILLIT_GATE_NONCES_H

#include "base/base.h"
#include "base/limits.h"

struct nonces;
struct nonces_bounds { size_t all, side, key; };
#define NONCES_STATEMENTS ((struct nonces_bounds){STATEMENT_NONCES_MAX, STATEMENT_NONCES_SIDE_MAX, STATEMENT_NONCES_KEY_MAX})
struct nonces_by { struct slice side, key; };      /* who signed; both empty: not counted */
struct nonces *nonces_new(struct nonces_bounds b, uint64_t keep_ms);   /* each is kept at least keep_ms, at most twice that */
void nonces_free(struct nonces *n);
/* OK: not taken yet, and there is room to note it. EXISTS, by whomever. FULL: the whole, this side or this key. STALE: `now` lies so far before a
 * time already seen that taken ones may have been forgotten. */
MUST_USE enum err nonces_check(struct nonces *n, struct nonces_by by, struct slice nonce, uint64_t now_ms);
MUST_USE enum err nonces_note(struct nonces *n, struct nonces_by by, struct slice nonce, uint64_t now_ms);    /* the same errors */

#endif
