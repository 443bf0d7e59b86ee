/* SPDX-License-Identifier: Apache-2.0
 * say: statements with terms (people, the customer's side, grants), from arrival to answer.
 *
 *     POST /v1/statements -> statements.c (parse, clock, nonce) -> say_submit(): whose signature? -> mirrors -> policy_say()
 *        -> `stmt` leaf, allow or deny -> durable -> effect outside the fold (session, KILL) -> answer
 *
 * Role: behind statements.c. Trusts: signatures it verified itself (SSHSIG, WebAuthn). Distrusts: every word. Law: 1, 3, 4, 6.
 * Spec: docs/spec/access.md, docs/spec/statement.md.
 */
#ifndef TILLIT_GATE_SAY_H
#define TILLIT_GATE_SAY_H

#include "gate/nonces.h"
#include "gate/tenants.h"
#include "policy/policy_access.h"

struct say_submission {
    struct slice text, signature;                  /* signature: armored SSHSIG, or an assertion's JSON */
    bool passkey;
    struct record_statement s;
    struct slice peer;
    uint64_t now_ms;
    uint16_t status;                               /* a kind without terms, which statements.c refused: its answer's; else 0 */
    const char *detail;                            /* and why, for a person; NULL: policy_say_what() */
};
struct json_t;
/* Answers with a JSON document and lets go of it; what was written is wiped, because secrets pass through here. statements.c has it from here. */
void say_respond(statement_done done, void *ctx, uint16_t status, struct json_t *take_j);
/* Answers once by done, later or at once. Nonce and clock are checked and noted here, as statements.c does for its own; of those it refused, here they
 * get their leaf, or are counted. */
void say_submit(struct gate *g, const struct say_submission *u, statement_done done, void *ctx);

/* Of taken statements: at start the fold brings back what was taken before. */
struct nonces *say_nonces(struct gate *g);
/* On whose account a statement by this key is counted: side is made in out. t NULL: the provider log. */
#define SAY_SIDE_BYTES (ID_BYTES + 1)
struct nonces_by say_counts_for(struct gate *g, const struct gate_tenant *t, struct slice key, uint8_t out[SAY_SIDE_BYTES]);
/* The provider's fold; every leaf of the provider log goes through it at start and when appended. */
MUST_USE enum err say_provider_open(struct gate *g);
MUST_USE enum err say_provider_apply(struct gate *g, uint64_t index, struct slice leaf, struct slice opening);
/* Appends to t's control log the mirrors that are out of date (st NULL: of what pending and live grants rely on). */
MUST_USE enum err say_mirror(struct gate *g, struct gate_tenant *t, const struct policy_statement *st);
/* GET /v1/watch/<capability>?after=N (after UINT64_MAX: from the request on): what access.look with `after` answers, by what a look gave. */
void say_watch(struct gate *g, struct slice capability, uint64_t after, statement_done done, void *ctx);

/* tenants.c: every `grant` leaf of a control log, at start and when appended. */
void say_grant_folded(struct gate *g, struct gate_tenant *t, const struct record_leaf *l);
void say_tend(struct gate *g);                     /* TEND_GRANTS: `grant` leaves that are due */
/* NOTICES of the steward: rows for what stands on control logs past the cursors and is durable. False: bad cursors. */
bool say_notices(struct gate *g, struct slice cursors, struct buf *rows, bool *more);
/* GET /v1/who-can?bucket=&key= of the tenant's root, decided and recorded by api.c: the answer's JSON. */
void say_who_can(struct gate *g, struct gate_tenant *t, struct slice bucket, struct slice key, uint64_t now_ms, struct buf *json);

#endif
