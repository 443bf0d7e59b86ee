/* SPDX-License-Identifier: Apache-2.0
 * space: stops writes while there is still room for what must go on.
 * Role: tells the gate whether writes may be accepted; holds a ballast file for the day when the reserve was not enough.
 * Trusts: statvfs. Distrusts: nothing. A full disk under the engine's log is fatal to it, at the reserve it is a polite 503.
 * Spec: docs/spec/wire.md (SPACE); DESIGN section 11
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void ballast_make(struct space *s) {
    if (s->ballast) return;
    int fd = openat(s->dir, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return;
    if (fallocate(fd, 0, 0, KEEPER_BALLAST_BYTES) == 0) s->ballast = true;
    close(fd);
}

void space_give_ballast(struct keeper *k) {
    if (unlinkat(k->space.dir, "ballast", 0) == 0) log_line(LOG_WARN, "ballast_given", "bytes=%u", KEEPER_BALLAST_BYTES);
}

void space_tell(struct keeper *k) {
    if (k->gate == NULL || !k->ready_told) return;
    struct wire_space m = {.writable = k->space.writable, .free_bytes = k->space.free_bytes};
    enum err e = wire_put_space(wire_conn_out(k->gate), 0, &m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(k->gate);
}

static void space_look(struct keeper *k) {
    struct space *s = &k->space;
    struct statvfs v;
    bool was = s->writable;
    if (fstatvfs(s->dir, &v) == 0) {
        s->free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
        uint64_t need = s->reserve_bytes + (was ? 0 : KEEPER_RESERVE_SLACK_BYTES);
        s->writable = s->free_bytes >= need && (v.f_flag & ST_RDONLY) == 0;
    } else {
        s->writable = false;
    }
    if (s->writable && !was) {
        s->ballast = faccessat(s->dir, "ballast", F_OK, 0) == 0;
        ballast_make(s);
    }
    if (s->writable == was && s->told) return;
    s->told = true;
    log_line(s->writable ? LOG_INFO : LOG_WARN, "space", "writable=%d free_bytes=%llu", s->writable, (unsigned long long)s->free_bytes);
    space_tell(k);
}

static void space_fire(struct loop_timer *t) {
    struct keeper *k = t->ctx;
    space_look(k);
    loop_timer_set(k->loop, t, KEEPER_SPACE_MS);
}

void space_start(struct keeper *k, uint64_t reserve_bytes) {
    k->space = (struct space){.timer = {.fire = space_fire, .ctx = k}, .reserve_bytes = reserve_bytes};
    k->space.dir = open(k->config.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    space_fire(&k->space.timer);
}

void space_stop(struct keeper *k) {
    loop_timer_cancel(k->loop, &k->space.timer);
    if (k->space.dir >= 0) close(k->space.dir);
}
