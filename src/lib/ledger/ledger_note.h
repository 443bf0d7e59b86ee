/* SPDX-License-Identifier: Apache-2.0
 * What the room's text parsers share; not for other rooms.
 * Spec: docs/spec/log.md
 */
#ifndef TILLIT_LEDGER_NOTE_H
#define TILLIT_LEDGER_NOTE_H

#include "ledger/ledger.h"

/* Padded base64 of 1..LEDGER_SIG_BYTES_MAX bytes, exactly spelled. */
MUST_USE enum err ledger_base64_small(struct slice text, uint8_t out[LEDGER_SIG_BYTES_MAX], size_t *out_n);
/* Decimal as the formats want it: no leading zeros, at most LEDGER_SIZE_MAX. */
MUST_USE enum err ledger_decimal(struct slice text, uint64_t *out);
#endif
