/* SPDX-License-Identifier: Apache-2.0
 * log: one logfmt line on stderr for each thing an operator should know.
 * Role: processes log where an error is handled; library rooms never do.
 * Distrusts: its own arguments: control characters become '?', so that no value can begin a line of its own.
 * Law: 2 (server logs carry no customer data; the callers pass counts and identifiers only)
 * Spec: docs/ops (log format)
 */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_BYTES 1024
#define LOG_ROOM_CHARS 16

/* Set once by log_init before any thread starts. */
static struct {
    char room[LOG_ROOM_CHARS];
    enum log_level level;
} log_config = {.room = "-", .level = LOG_INFO};

void log_init(const char *room, enum log_level level) {
    (void)snprintf(log_config.room, sizeof log_config.room, "%s", room);
    log_config.level = level;
}

void log_line(enum log_level level, const char *event, const char *fields, ...) {
    static const char level_names[4][6] = {"error", "warn", "info", "debug"};
    ASSERT((size_t)level < ARRAY_LEN(level_names));
    if (level > log_config.level) return;
    int errno_before = errno;
    char line[LOG_LINE_BYTES], when[TIME_TEXT_MAX];
    time_iso8601(clock_wall_ms(), when);
    int head = snprintf(line, sizeof line, "%s %s %s %s", when, level_names[level], log_config.room, event);
    size_t n = head < 0 ? 0 : MIN((size_t)head, sizeof line - 2);
    if (fields != NULL && fields[0] != '\0' && n < sizeof line - 2) {
        line[n++] = ' ';
        va_list args;
        va_start(args, fields);
        int tail = vsnprintf(line + n, sizeof line - n, fields, args);
        va_end(args);
        if (tail > 0) n = MIN(n + (size_t)tail, sizeof line - 2);
    }
    for (size_t i = 0; i < n; i++) {
        if ((uint8_t)line[i] < ' ' || line[i] == 0x7f) line[i] = '?';
    }
    line[n++] = '\n';
    /* One write a line, so that lines of several threads and processes do not mix. */
    ssize_t written = write(STDERR_FILENO, line, n);
    (void)written;
    errno = errno_before;
}
