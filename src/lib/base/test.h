/* SPDX-License-Identifier: Apache-2.0
 * test: what unit tests of all rooms share: cmocka's includes in their order, and checks that print both sides.
 * Only tests include it.
 */
#ifndef TILLIT_TEST_H
#define TILLIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base.h"

static inline void check_err_at(enum err got, enum err want, const char *file, int line) {
    if (got == want) return;
    print_error("%s:%d: got %s, want %s\n", file, line, err_name(got), err_name(want));
    _fail(file, line);
}

static inline void check_bytes_at(struct slice got, struct slice want, const char *file, int line) {
    if (slice_eq(got, want)) return;
    struct buf text = BUF_INIT(1 << 20);
    buf_put_str(&text, "got ");
    buf_put_hex(&text, got);
    buf_put_str(&text, ", want ");
    buf_put_hex(&text, want);
    print_error("%s:%d: %.*s\n", file, line, (int)text.n, (const char *)text.p);
    buf_done(&text);
    _fail(file, line);
}

static inline void check_text_at(struct slice got, const char *want, const char *file, int line) {
    if (slice_is(got, want)) return;
    print_error("%s:%d: got '%.*s', want '%s'\n", file, line, (int)got.n, (const char *)got.p, want);
    _fail(file, line);
}

#ifdef VECTORS_DIR
#define TEST_FILE_BYTES_MAX (1024 * 1024)

/* A file of the room's vectors. */
static inline void test_read_file(const char *name, struct buf *out)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", VECTORS_DIR, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) fail_msg("cannot open %s", path);
    buf_init(out, TEST_FILE_BYTES_MAX);
    uint8_t chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) buf_put(out, chunk, n);
    fclose(f);
    assert_true(buf_ok(out));
}
#endif

#define check_err(got, want) check_err_at((got), (want), __FILE__, __LINE__)
#define check_bytes(got, want) check_bytes_at((got), (want), __FILE__, __LINE__)
#define check_text(got, want) check_text_at((got), (want), __FILE__, __LINE__)

#endif
