/* SPDX-License-Identifier: Apache-2.0
 * What replay.c (logs, decisions), replay_acc.c (what one `acc` leaf says of versions, listings and uploads), replay_say.c (statements, mirrors,
 * grants) and replay_use.c (what was released under a grant) share.
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
    struct verify_provider provider;
    struct map *streams;                              /* releases under grants, by their first leaf (replay_use.c) */
    const char *log;                                  /* of the `acc` leaf that is being looked at: its log, */
    const struct record_opening *opening;             /* its opening, */
    uint64_t at;                                      /* and how many leaves of the access log stand before it */
    uint64_t before;                                  /* leaves of the access log folded so far */
    bool ended;                                       /* they are all that the export has */
    bool unknown;                                     /* a statement was erased: what hangs on statements is counted, not judged, from there on */
    uint64_t t_ms, ctl, decisions, reads, lists, writes, voids, erased, blind;
    uint64_t said, mirrors, uses, used_bytes, ahead;  /* ahead: under grants, past the end of the access log's export */
    bool broken;                                      /* the control log does not fold: decisions past there say nothing */
};

/* A difference between the recorded decision and the recomputed one. e: policy_check's answer. */
void replay_decision(struct replay *p, const char *log, uint64_t index, const struct record_leaf *l, enum err e, const struct policy_decision *d);
/* Folds the control log up to `size`. */
void replay_control(struct replay *p, uint64_t size);
/* One `acc` leaf of the access log. */
void replay_acc(struct replay *p, uint64_t index, const struct record_leaf *l);
/* What an `acc` leaf says it saw and wrote: p->log, opening and at say which. */
void replay_look(struct replay *p, uint64_t index, const struct record_leaf *l);

/* A `stmt` leaf of the control log, before it is folded. */
void replay_stmt(struct replay *p, uint64_t index, const struct record_leaf *l, const struct record_opening *o);

/* An `acc` leaf of the control log, before it is folded; p->before leaves of the access log have been. */
void replay_use(struct replay *p, uint64_t index, const struct record_leaf *l, const struct record_opening *o);
void replay_use_done(struct replay *p);

#endif
