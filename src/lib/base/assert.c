/* SPDX-License-Identifier: Apache-2.0
 * assert: the end of a process whose invariant broke, with one line that says where.
 * Role: ASSERT calls panic_at; a process that is in doubt about its own state stops rather than decides.
 * Distrusts: the heap and stdio of a broken process, so the line is built on the stack and leaves in one write().
 * Spec: docs/decisions (death rule)
 */
#include "base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Thread_local struct {
    const char *step;
    uint64_t request_id, log_index;
} panic_at_work;

void panic_context(const char *step, uint64_t request_id, uint64_t log_index) {
    panic_at_work.step = step;
    panic_at_work.request_id = request_id;
    panic_at_work.log_index = log_index;
}

void panic_at(const char *file, int line, const char *func, const char *what) {
    char text[512];
    char when[TIME_TEXT_MAX];
    time_iso8601(clock_wall_ms(), when);
    int n = snprintf(text, sizeof text,
                     "%s panic pid=%ld at=%s:%d func=%s cond=\"%s\" step=%s request=%016" PRIx64 " log_index=%" PRIu64 "\n", when,
                     (long)getpid(), file, line, func, what, panic_at_work.step ? panic_at_work.step : "-",
                     panic_at_work.request_id, panic_at_work.log_index);
    if (n > 0) {
        size_t size = MIN((size_t)n, sizeof text - 1);
        text[size - 1] = '\n';
        ssize_t written = write(STDERR_FILENO, text, size);
        (void)written; /* nothing is left to do about a closed stderr */
    }
    abort();
}
