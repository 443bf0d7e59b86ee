/* SPDX-License-Identifier: Apache-2.0
 * said: what a `stmt` leaf says came of its statement, against what must come of it.
 * Role: replay_say.c and provider_replay.c ask. Trusts: the signature, which was verified. Distrusts: dec, why, and that a statement was said once.
 * Law: 4, 6. Spec: docs/spec/access.md sections 6 and 7
 */
#include "verify/verify.h"

#define CLOCK_SLACK_MS 10000                          /* the gate looks at its clock when a statement comes in; the leaf's time is a little later */

static char nonce_mark;

static bool why_is(const struct record_leaf *l, enum policy_say say) { return slice_is(record_text(l, RECORD_F_WHY), policy_say_text(say)); }

static uint64_t apart(const struct record_leaf *l, const struct record_statement *s)
{
    uint64_t t = record_int(l, RECORD_F_T, 0);
    return t > s->t ? t - s->t : s->t - t;
}

enum policy_say verify_said_before(const struct verify_statements *s, const struct record_leaf *l, const struct record_statement *said)
{
    uint64_t ms = apart(l, said);
    bool edge = ms + CLOCK_SLACK_MS > STATEMENT_SKEW_MS && ms <= STATEMENT_SKEW_MS + CLOCK_SLACK_MS;
    bool clock = edge ? why_is(l, POLICY_SAY_CLOCK) : ms > STATEMENT_SKEW_MS;
    /* The gate looks at the nonce first, and forgets it when the clock would refuse its copy. It keeps one set for all tenants: the reason of such a
     * refusal may stand on another log, and widens nothing. */
    if (clock && why_is(l, POLICY_SAY_CLOCK)) return POLICY_SAY_CLOCK;
    if (map_get(s->nonces, slice_of(said->nonce, NONCE_BYTES)) || why_is(l, POLICY_SAY_REPEATED)) return POLICY_SAY_REPEATED;
    return clock ? POLICY_SAY_CLOCK : POLICY_SAY_DONE;
}

void verify_said(struct verify_statements *s, const char *log, uint64_t index, const struct record_leaf *l, const struct record_statement *said, enum policy_say is,
                 struct verify_report *r)
{
    bool taken = is == POLICY_SAY_DONE || is == POLICY_SAY_WAITS;
    struct slice dec = record_text(l, RECORD_F_DEC), why = record_text(l, RECORD_F_WHY);
    bool same = taken ? slice_is(dec, "allow") && !record_has(l, RECORD_F_WHY) : slice_is(dec, "deny") && why_is(l, is);
    if (!same)
        verify_find(r, "wrong-statement", log, index, "%s: dec says %.*s%s%.*s, recomputed %s", record_statement_kind_text(said->kind), (int)dec.n, (const char *)dec.p,
                    why.n ? " " : "", (int)why.n, (const char *)why.p, policy_say_text(is));
    /* Of a statement that was refused nothing is kept. */
    if (slice_is(dec, "allow") && map_put(s->nonces, slice_of(said->nonce, NONCE_BYTES), &nonce_mark) == ERR_NOMEM)
        verify_find(r, "too-large", log, index, "more statements than this machine's memory holds");
}
