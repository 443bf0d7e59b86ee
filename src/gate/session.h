/* SPDX-License-Identifier: Apache-2.0
 * session: temporary credentials of the provider's people, sealed into their token; and the meter of what is released under a grant.
 * Role: session.c makes and opens tokens (say.c asks at login, step_verify.c at each request); meter.c bounds what is in flight under each grant,
 * and stops it. Trusts: what it sealed. Distrusts: tokens as presented; what the front reports (a lie gains METER_SEGMENTS_MAX segments at a time, and each is a leaf).
 * Law: 1, 3. Spec: docs/spec/access.md section 5.
 */
#ifndef TILLIT_GATE_SESSION_H
#define TILLIT_GATE_SESSION_H

#include "gate/gate.h"
#include "policy/policy_access.h"

#define SESSION_ACCESS_KEY_CHARS 20                /* ASIA and 16 of base32 */
struct session {
    uint8_t tenant[ID_BYTES], grant[ID_BYTES];
    char account[POLICY_WORD_CHARS_MAX + 1];
    char country[3];                               /* as said at login */
    char access_key[SESSION_ACCESS_KEY_CHARS + 1];
    char secret_key[SECRET_KEY_CHARS + 1];         /* wipe() the struct when done */
    uint64_t expires_ms;
};
/* Fills access_key and secret_key, and appends the token's text (base64url). Sealed under the tenant's state key. */
MUST_USE enum err session_make(struct gate *g, struct gate_tenant *t, struct session *s, struct buf *token);
/* MISSING: no such tenant; VERIFY: not sealed here; the expiry is for the caller to look at. */
MUST_USE enum err session_open(struct gate *g, struct slice token, struct session *s);

/* The same for a request: the session of its token, without the secret, and the signing key of its scope; a loan until the next call. What was opened last is kept
 * (SESSIONS_KEPT): a further request of a session costs a comparison of its token. Errors as session_open(); LIMIT, NOMEM, CRYPTO: no key. */
struct s3_auth;
struct s3_signing_key;
MUST_USE enum err session_signing(struct gate *g, const struct s3_auth *a, struct session *s, struct s3_signing_key **k);
void session_forget(struct gate *g);               /* all that is kept */

/* A grant is over (revoked, completed, expired): every stream under it is told to stop. done is called once, from a later turn or at once when there is none:
 * ok false: a front did not say KILLED within METER_KILL_MS. */
void meter_kill(struct gate *g, struct gate_tenant *t, const uint8_t grant[ID_BYTES], void (*done)(void *ctx, bool ok), void *ctx);
/* A stream of the grant is not known to be over: asked after ok false, until it is false and `Closed` may be said. */
bool meter_open(struct gate *g, const struct gate_tenant *t, const uint8_t grant[ID_BYTES]);

#endif
