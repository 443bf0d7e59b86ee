/* SPDX-License-Identifier: Apache-2.0
 * say_rig: a gate for tests of statements: the real one but for peers: keyrings, logs, tenants.c; closed and opened again as at a restart.
 *
 * People are keys made of a seed: plain, held by a device (sk), or a passkey. Role: tests only. Threads: the test's.
 */
#ifndef TILLIT_SAY_RIG_H
#define TILLIT_SAY_RIG_H

#include "base/test.h"

#include "gate/say_internal.h"

#define SAY_RIG_ORIGIN "https://console.example.test"
#define SAY_RIG_RPID "console.example.test"
#define SAY_RIG_BUCKET "bucket"

enum say_rig_kind { SAY_RIG_PLAIN, SAY_RIG_SK, SAY_RIG_PASSKEY };
struct say_rig_key {
    enum say_rig_kind kind;
    struct record_ssh_private private;             /* plain */
    uint8_t seed[ED25519_SEED_BYTES], public_key[ED25519_KEY_BYTES];
    char text[512];                                /* fingerprint, or passkey:... */
    uint32_t counter;
    uint8_t flags;                                 /* of an authenticator: present, verified */
    const char *origin, *rpid;                     /* NULL: SAY_RIG_ORIGIN, SAY_RIG_RPID */
};

struct say_rig {
    struct gate g;
    char dir[64];
    uint8_t tenant[ID_BYTES];
    struct gate_tenant *t;
    struct say_rig_key officer, owner;
    uint32_t nonce;
    bool answered;
    unsigned status;
    json_t *answer;                                /* of the last statement */
    char text[STATEMENT_BYTES_MAX], *body;         /* what was sent last */
    uint64_t skew_ms;                              /* added to the signer's clock */
    bool same_nonce;                               /* the next one has the nonce of the last one */
};

struct say_rig *say_rig_new(void);                 /* officer, one tenant with its genesis by owner, a bucket */
void say_rig_free(struct say_rig *r);
void say_rig_restart(struct say_rig *r);
void say_rig_key(struct say_rig *r, struct say_rig_key *k, enum say_rig_kind kind, uint8_t seed);
/* Keys, statements and signatures without a store: also the benchmark's signer (bench/state.c). */
void say_rig_key_of(struct ledger_hash *h, struct say_rig_key *k, enum say_rig_kind kind, const uint8_t seed[ED25519_SEED_BYTES]);
void say_rig_sign(struct ledger_hash *h, struct say_rig_key *k, struct slice message, struct buf *out);    /* plain and sk: the SSHSIG */
void say_rig_statement(const uint8_t tenant[ID_BYTES], uint64_t t_ms, uint32_t nonce, enum record_statement_kind kind, const char *subject, const char *terms,
                       struct buf *out);
/* terms: "name=value\n..." in any order. Waits for the answer; its status is returned. subject NULL: none. */
unsigned say_rig_say(struct say_rig *r, struct say_rig_key *k, enum record_statement_kind kind, const char *subject, const char *terms);
void say_rig_begin(struct say_rig *r, struct say_rig_key *k, enum record_statement_kind kind, const char *subject, const char *terms);    /* does not wait */
void say_rig_send(struct say_rig *r, const char *body);                /* does not wait */
unsigned say_rig_wait(struct say_rig *r);
const char *say_rig_text(const struct say_rig *r, const char *name);   /* of the answer; "" when it has none */
/* The answer is this refusal, and so is the last leaf of the log (t NULL: the provider's). */
void say_rig_refused(struct say_rig *r, const struct gate_tenant *t, const char *why);
void say_rig_last(struct say_rig *r, const struct gate_tenant *t, struct say_read *x);
void say_rig_durable(struct say_rig *r, struct gate_log *l);
void say_rig_digest(const struct say_rig *r, char out[64]);            /* of the last statement, as `request` names it */

#endif
