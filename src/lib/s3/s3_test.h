/* SPDX-License-Identifier: Apache-2.0
 * What the tests of the s3 room share.
 */
#ifndef TILLIT_S3_TEST_H
#define TILLIT_S3_TEST_H

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "s3/s3.h"

static inline void check_s3_at(enum s3_error got, enum s3_error want, const char *what, const char *file, int line) {
    if (got == want) return;
    print_error("%s:%d: %s: got %s, want %s\n", file, line, what, got ? s3_error_code(got) : "NONE",
                want ? s3_error_code(want) : "NONE");
    _fail(file, line);
}
#define check_s3(got, want) check_s3_at((got), (want), #got, __FILE__, __LINE__)

#define AWS_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Headers from "Name: value\n" lines; slices point into text. A line that begins with a blank goes on with the one before, as
 * the vectors have it. */
static inline size_t headers_of(struct slice text, struct s3_header *h, size_t max) {
    size_t n = 0;
    while (text.n) {
        struct slice line;
        text = slice_cut(text, '\n', &line);
        if (line.n == 0) break;
        if (n && (line.p[0] == ' ' || line.p[0] == '\t')) {
            h[n - 1].value.n = (size_t)(line.p + line.n - h[n - 1].value.p);
            for (uint8_t *c = (uint8_t *)(uintptr_t)h[n - 1].value.p; c < line.p + line.n; c++)
                if (*c == '\n') *c = ' ';
            continue;
        }
        assert_true(n < max);
        h[n].value = slice_cut(line, ':', &h[n].name);
        n++;
    }
    return n;
}

#endif
