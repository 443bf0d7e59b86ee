/* SPDX-License-Identifier: Apache-2.0
 * use_rig: the gate's rig with people: a purpose, an engineer, a manager, a grant that is signed and logged in to, and an access front that the test plays.
 *
 * Statements are written and folded as say.c does it; their signatures sign nothing, for the fold trusts that they were verified.
 * Role: tests only. Threads: the test's.
 */
#ifndef TILLIT_GATE_USE_RIG_H
#define TILLIT_GATE_USE_RIG_H

#include "gate/gate_rig.h"
#include "gate/session.h"

#define USE_MIB (1024ull * 1024)
#define USE_SEGMENT (4 * USE_MIB)
#define USE_TERMS_MAX 16

struct use {
    uint8_t grant[ID_BYTES];
    char grant_text[ID_TEXT_CHARS + 1];
    struct session session;
    char token[SESSION_TOKEN_CHARS_MAX + 1];
};
struct use_terms {
    const char *prefix;                            /* NULL: none */
    uint64_t objects, bytes, duration_ms;          /* 0: many, much, an hour */
};
/* The mirrors, once a rig; and the access front. */
void use_begin_rig(struct rig *r);
void use_access(struct rig *r);                    /* another connection of the access front, when the first is gone */
/* A grant of number n, requested, approved by all, logged in to; with its session. */
void use_grant(struct rig *r, uint8_t n, struct use_terms t, struct use *out);
void use_login(struct rig *r, uint64_t expires_ms, struct use *u);           /* a session of it; no leaf */
/* A statement of the customer's approver about the grant: ACCESS_REVOKE and the like; or another's. */
void use_say(struct rig *r, enum record_statement_kind kind, const char *subject, const char *signer, const char *const *terms);
#define USE_OWNER "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
void use_revoke(struct rig *r, const struct use *u);                         /* the leaf; meter_kill() is the test's */

/* Signed by the session, on the access front unless a.access is changed afterwards: fills key, secret, token. */
struct rig_ask use_ask(const struct use *u, struct rig_ask a);
void use_get(struct rig *r, uint64_t id, const struct use *u, const char *path, const char *range);   /* range NULL: all */
void use_presigned(struct rig *r, uint64_t id, const struct use *u, const char *path);
void use_next_put(struct rig *r, uint64_t id, uint64_t sent);                /* forgets the frame that was there */
void use_killed(struct rig *r, uint64_t id);
void use_abort(struct rig *r, uint64_t id);
/* An object of that size, of one blob, by the customer. */
void use_object(struct rig *r, const char *path, uint64_t size);

/* One in parts of part_n bytes. */
void use_set(struct rig *r, const char *path, unsigned parts, size_t part_n);

/* The control log's leaf. */
void use_leaf(struct rig *r, uint64_t index, struct rig_leaf *out);
/* Every `acc` leaf of the control log from `from` on, decided again by policy_check() with the state before it; what was allowed is within the grant's budget. */
void use_replay(struct rig *r);
size_t use_leaves(struct rig *r, uint64_t from, const char *dec);            /* acc leaves with that decision */

#endif
