/* SPDX-License-Identifier: Apache-2.0
 * Helpers of the room's tests: vector files.
 * Spec: tests/vectors/record, tests/vectors/sshsig
 */
#ifndef TILLIT_RECORD_TEST_H
#define TILLIT_RECORD_TEST_H

#include "base/test.h"

#include <stdlib.h>

#include "record/record.h"

static inline void assert_err(enum err got, enum err want, const char *what)
{
    if (got != want) fail_msg("%s: %s, expected %s", what, err_name(got), err_name(want));
}

static inline void assert_same(struct slice got, struct slice want)
{
    if (slice_eq(got, want)) return;
    fail_msg("got %.*s\nexpected %.*s", (int)got.n, (const char *)got.p, (int)want.n, (const char *)want.p);
}

/* n bytes b, b + 1, ... */
static inline void test_count(uint8_t *out, size_t n, unsigned b)
{
    for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(b + i);
}

#endif
