/* SPDX-License-Identifier: Apache-2.0
 * One opened value's bytes, which the leaf writer and the opening codec share; not for other rooms.
 * Spec: docs/spec/record.md section 2
 */
#ifndef TILLIT_RECORD_OPEN_H
#define TILLIT_RECORD_OPEN_H

#include "record/record.h"

#define RECORD_OPENING_VERSION 1
void record_opened_put(const struct record_opened *o, struct buf *out);

#endif
