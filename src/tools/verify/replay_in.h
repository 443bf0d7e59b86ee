/* SPDX-License-Identifier: Apache-2.0
 * What replay.c (logs, decisions) and replay_acc.c (what one access leaf says of versions, listings and uploads) share.
 */
#ifndef TILLIT_VERIFY_REPLAY_IN_H
#define TILLIT_VERIFY_REPLAY_IN_H

#include "verify/verify.h"

struct control_leaf {
    struct buf leaf, opening;
};
struct replay {
    const struct verify_replay_args *args;
    struct verify_report *report;
    struct ledger_hash hash;
    struct verify_export access, control;
    struct control_leaf *leaves;                      /* of the control log, all of them: `ctl` names any size */
    uint64_t leaf_count, leaf_cap, applied;
    struct policy_state state;
    struct verify_statements statements;
    struct verify_fold fold;
    uint64_t t_ms, ctl, decisions, reads, lists, writes, voids, erased, blind;
    bool broken;                                      /* the control log does not fold: decisions past there say nothing */
};

/* A difference between the recorded decision and the recomputed one. e: policy_check's answer. */
void replay_decision(struct replay *p, const char *log, uint64_t index, const struct record_leaf *l, enum err e, const struct policy_decision *d);
/* Folds the control log up to `size`. */
void replay_control(struct replay *p, uint64_t size);
/* One `acc` leaf. */
void replay_acc(struct replay *p, uint64_t index, const struct record_leaf *l);

#endif
