/* SPDX-License-Identifier: Apache-2.0
 * jail: what a process gives up before it touches anything that others send.
 *
 * jail_early() first thing in main: no core files, not dumpable (PR_SET_DUMPABLE 0: /proc/PID/mem, ptrace and gcore by the same uid fail),
 * no new privileges, dies with its supervisor.
 * jail_enter() after all listening sockets are bound and before the first peer is served: own uid (when root), Landlock (only the
 * named files and directories; no TCP), seccomp (only the system calls of a server of ours; no exec, no fork, only unix sockets;
 * anything else answers ENOSYS, which libraries know how to take). `outbound` lets it call out over TCP and ask name servers, and
 * takes from it what a server needs: it cannot bind, listen or accept.
 * Nothing that names a file outside the listed directories may be opened afterwards.
 *
 * Threads: before any other thread is started (rules are inherited by those started later).
 * Source: seccomp(2), landlock(7), libseccomp. A kernel without Landlock gives landlock_abi 0: doctor says so, the process goes on.
 */
#ifndef TILLIT_JAIL_H
#define TILLIT_JAIL_H

#include <sys/types.h>

#include "base/base.h"

struct jail {
    uid_t uid;                         /* taken on when running as root; 0: stay (not root) */
    const char *const *read_write;     /* files and directories, NULL at the end; missing ones are passed over */
    const char *const *read_only;
    bool outbound;                     /* TCP to others, UDP for name servers; no socket of its own that others could call */
    bool memory_lock;                  /* keep RLIMIT_MEMLOCK high: the process holds secrets (raised while still root) */
};
struct jail_state {
    int landlock_abi;                  /* 0: the kernel has none */
    bool seccomp;
};
void jail_early(void);
/* ERR_AUTH: the uid cannot be taken on; ERR_IO: a filter could not be loaded. The caller stops: no serving without walls. */
MUST_USE enum err jail_enter(const struct jail *j, struct jail_state *out);

#endif
