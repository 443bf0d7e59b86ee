/* SPDX-License-Identifier: Apache-2.0
 * keyring: a tenant's wrapped keys and sealed secrets, one append-only file per tenant below DIR/gate/keys/.
 *
 *   file    records one after another; a torn last record (power cut before its fdatasync returned) is cut off at open
 *   record  u32 length of type and payload | u8 type | payload | u32 CRC-32C over type and payload
 *   types   1 tenant key   wrapped under the epoch key (keys.h); first record of every keyring, once
 *           2 bucket key   16 bytes bucket id | wrapped under the tenant key
 *           3 secret key   20 characters access key | sealed under the tenant's state key, associated data = those 20
 *
 * A record is synced before keyring_append returns: nothing may refer to a key that a power cut could take. Integrity is the
 * seals'; the CRC only tells a torn record from a changed one. Threads: the gate's loop. The one fdatasync per new bucket or key is on the
 * loop on purpose: it is rare, and a leaf must not stand before the key it needs (docs/spec/keys.md).
 */
#ifndef TILLIT_GATE_KEYRING_H
#define TILLIT_GATE_KEYRING_H

#include "base/base.h"

enum keyring_type { KEYRING_TENANT = 1, KEYRING_BUCKET = 2, KEYRING_SECRET = 3 };
#define KEYRING_RECORD_BYTES_MAX 512
#define KEYRING_FILE_BYTES_MAX (128 * 1024 * 1024)          /* a million buckets */

struct keyring {
    int fd;
};
typedef enum err (*keyring_each)(void *ctx, enum keyring_type type, struct slice payload);
/* Reads every record through `each` and leaves the file open for appending. MISSING, IO, CORRUPT (a whole record whose CRC is
 * wrong: not a torn tail), LIMIT, or what `each` returned. */
MUST_USE enum err keyring_open(struct keyring *k, const char *path, keyring_each each, void *ctx);
/* EXISTS, FULL, IO. The directory is synced. */
MUST_USE enum err keyring_create(struct keyring *k, const char *path);
MUST_USE enum err keyring_append(struct keyring *k, enum keyring_type type, struct slice payload);     /* LIMIT, FULL, IO */
void keyring_close(struct keyring *k);

#endif
