/* SPDX-License-Identifier: Apache-2.0
 * break: faults switched on by name in a running test build.
 * Role: tests/attack and tests/crash write names into a file and watch a promise fail, or hold.
 * Trusts: the file, because only builds made with -Dbreaks=true contain this code at all.
 * Spec: src/lib/base/base.h
 */
#include "base/base.h"

#ifdef TILLIT_BREAKS

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define BREAK_CHECK_MS 50
#define BREAK_FILE_BYTES_MAX 16384
#define BREAK_PATH_CHARS_MAX 4096

static struct {
    pthread_mutex_t lock;
    _Atomic uint64_t check_due_ms; /* UINT64_MAX until breaks_init: nothing to look at */
    _Atomic bool any;
    char path[BREAK_PATH_CHARS_MAX];
    struct timespec mtime;
    off_t size;
    char text[BREAK_FILE_BYTES_MAX];
    size_t text_n;
} breaks = {.lock = PTHREAD_MUTEX_INITIALIZER, .check_due_ms = UINT64_MAX};

static uint64_t coarse_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void breaks_reload(void) {
    struct stat st;
    if (stat(breaks.path, &st) != 0) {
        breaks.text_n = 0;
        breaks.size = -1;
        breaks.any = false;
        return;
    }
    bool same = st.st_size == breaks.size && st.st_mtim.tv_sec == breaks.mtime.tv_sec && st.st_mtim.tv_nsec == breaks.mtime.tv_nsec;
    if (same) return;
    FILE *f = fopen(breaks.path, "re");
    breaks.text_n = f == NULL ? 0 : fread(breaks.text, 1, sizeof breaks.text, f);
    if (f != NULL) fclose(f);
    breaks.size = st.st_size;
    breaks.mtime = st.st_mtim;
    breaks.any = breaks.text_n > 0;
}

void breaks_init(const char *path) {
    pthread_mutex_lock(&breaks.lock);
    (void)snprintf(breaks.path, sizeof breaks.path, "%s", path);
    breaks.size = -1;
    breaks_reload();
    breaks.check_due_ms = coarse_ms() + BREAK_CHECK_MS;
    pthread_mutex_unlock(&breaks.lock);
}

/* Looks for the line `name`, or `name=number` when number is asked for. */
static bool break_find(const char *name, uint64_t *number) {
    uint64_t now = coarse_ms();
    if (!breaks.any && now < breaks.check_due_ms) return false;
    bool found = false;
    pthread_mutex_lock(&breaks.lock);
    if (now >= breaks.check_due_ms) {
        breaks_reload();
        breaks.check_due_ms = now + BREAK_CHECK_MS;
    }
    struct slice rest = slice_of(breaks.text, breaks.text_n);
    while (rest.n > 0 && !found) {
        struct slice line, head;
        rest = slice_cut(rest, '\n', &line);
        struct slice value = slice_cut(slice_trim(line), '=', &head);
        if (!slice_is(head, name)) continue;
        found = number == NULL ? value.p == NULL : slice_u64(value, UINT64_MAX, number) == ERR_OK;
    }
    pthread_mutex_unlock(&breaks.lock);
    return found;
}

bool break_on(const char *name) { return break_find(name, NULL); }

uint64_t break_value(const char *name, uint64_t otherwise) {
    uint64_t number;
    return break_find(name, &number) ? number : otherwise;
}

#endif
