/* SPDX-License-Identifier: Apache-2.0
 * What the SSH key and signature files share; not for other rooms.
 * Spec: docs/spec/statement.md section 3
 */
#ifndef TILLIT_RECORD_SSH_H
#define TILLIT_RECORD_SSH_H

#include "record/record.h"

#define SSH_ED25519 "ssh-ed25519"
#define SSH_SK_ED25519 "sk-ssh-ed25519@openssh.com"
#define SSH_ARMOR_COLUMNS 70

/* A public key's wire form: string algorithm, string key (sk: string application). Fills in the fingerprint.
 * ERR_VERSION for another algorithm. */
MUST_USE enum err record_ssh_blob_get(struct ledger_hash *h, struct slice blob, struct record_ssh_key *out);
void record_ssh_blob_put(const struct record_ssh_key *k, struct buf *out);

/* "-----BEGIN <what>-----", base64 in lines of one width, "-----END <what>-----", a last newline or none. */
MUST_USE enum err record_ssh_dearmor(struct slice text, const char *what, struct buf *out);
void record_ssh_armor(struct slice bytes, const char *what, struct buf *out);

#endif
