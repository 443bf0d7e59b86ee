/* SPDX-License-Identifier: Apache-2.0
 * op_iam: what op_iam.c (reads the call, decides, answers) and op_iam_act.c (what each action does) share.
 */
#ifndef TILLIT_GATE_OP_IAM_H
#define TILLIT_GATE_OP_IAM_H

#include "gate/request.h"
#include "record/record.h"
#include "s3/s3_config.h"

struct iam {
    bool sts;
    const struct iam_act *act;
    struct buf mem;
    size_t count;
    struct s3_param params[S3_QUERY_PARAMS_MAX];   /* of the body, decoded into mem */
    char account[ACCOUNT_CHARS + 1];               /* the caller's */
    struct slice user;                             /* whom it is about: UserName, else the caller */
    bool user_named;
    struct buf sub;                                /* value of `sub` */
    struct buf body;                               /* the answer; may hold a fresh secret */
    uint16_t status;
};
struct iam_act {
    const char *name;                              /* of policy_act.def */
    enum policy_act act;
    bool on_user;                                  /* UserName must exist, or be the caller */
    void (*run)(struct gate_request *r, struct iam *i);      /* allowed: ends in one of the functions below */
};
extern const struct iam_act iam_acts[];
extern const size_t iam_act_count;

struct slice iam_param(const struct iam *i, const char *name);        /* p NULL: not given */
bool iam_is_root(const struct iam *i);             /* it is about the account's own user */
/* Sets what the leaf's `sub` says. */
void iam_sub(struct gate_request *r, struct iam *i, struct slice third, struct slice more);
void iam_open(struct iam *i);                      /* the answer's frame; elements go into i->body between these two */
void iam_close(struct gate_request *r, struct iam *i);
/* A read: its leaf, then i->body. */
void iam_answer(struct gate_request *r, struct iam *i);
/* A refusal that an allowed caller gets, or a denied one: its leaf, then the error. message NULL: the code's. */
void iam_refuse(struct gate_request *r, enum s3_iam_error e, const char *message);
/* A change: the `iam` leaf, folded when this returns true; then the caller makes i->body, in the same turn. False: it was refused and answered. */
MUST_USE bool iam_record(struct gate_request *r, struct iam *i, bool on, struct slice doc);

#endif
