/* SPDX-License-Identifier: Apache-2.0
 * What tenants.c, statements.c and readers.c share; the rest of the gate uses gate.h.
 */
#ifndef TILLIT_GATE_TENANTS_H
#define TILLIT_GATE_TENANTS_H

#include "gate/gate.h"
#include "record/record.h"

void tenants_id_text(const uint8_t id[ID_BYTES], char out[ID_TEXT_CHARS + 1]);
MUST_USE enum err tenants_keyring_make(struct gate *g, const char *name, const uint8_t tenant[ID_BYTES], struct secret *key, struct keyring *k);
struct gate_tenant *tenants_new(const uint8_t id[ID_BYTES]);
MUST_USE enum err tenants_state_key(struct gate *g, struct gate_tenant *t);
MUST_USE enum err tenants_logs_open(struct gate *g, struct gate_tenant *t);
void tenants_signers_take(struct gate_signers *s, struct slice list);

/* statements.c: an opened `stmt` value of the fold: its nonce was used. Once per leaf, at start. */
void statements_seen(struct gate *g, struct slice stmt_value);

/* readers.c */
void readers_init(struct gate *g);
/* value: u8 log kind | capability text; tenant NULL: the provider's. */
void readers_fold(struct gate *g, struct gate_tenant *t, bool on, struct slice value);

#endif
