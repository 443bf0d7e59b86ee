/* SPDX-License-Identifier: Apache-2.0
 * jail: what is left to a process once it has opened what it needs: a row of paths and a row of system calls.
 * Role: main calls it after opening and before the first byte of a peer is read; threads started later are inside.
 * Trusts: the kernel. Distrusts: our own code after the jail line.
 * Spec: landlock(7), seccomp(2), prctl(2)
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* Everything but executing, devices, sockets and symbolic links. */
#define FS_WRITE                                                                                                      \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                 \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG)
#define FS_ALL_V1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)    /* ABI 2: link and rename between directories */
#define FS_TRUNCATE (1ull << 14) /* ABI 3 */

void jail_hide(void) {
    struct rlimit none = {0, 0};
    int failed = setrlimit(RLIMIT_CORE, &none) | prctl(PR_SET_DUMPABLE, 0) | prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ASSERT(failed == 0);
    failed = prctl(PR_SET_PDEATHSIG, SIGTERM);
    ASSERT(failed == 0);
}

static enum err allow_path(int rules, const char *path, uint64_t access) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? ERR_OK : ERR_IO;
    struct stat st;
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    long rc = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(fd);
    return rc == 0 ? ERR_OK : ERR_IO;
}

static enum err jail_paths(const char *const *rw, const char *const *ro) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 2) {
        log_line(LOG_WARN, "jail", "landlock=off");
        return ERR_OK; /* doctor says so; uid and seccomp remain */
    }
    uint64_t handled = FS_ALL_V1 | FS_REFER | (abi >= 3 ? FS_TRUNCATE : 0);
    struct landlock_ruleset_attr attr = {.handled_access_fs = handled};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0) return ERR_IO;
    enum err e = ERR_OK;
    for (; e == ERR_OK && *rw != NULL; rw++) e = allow_path(rules, *rw, (FS_READ | FS_WRITE | FS_REFER | FS_TRUNCATE) & handled);
    for (; e == ERR_OK && *ro != NULL; ro++) e = allow_path(rules, *ro, FS_READ);
    if (e == ERR_OK && syscall(SYS_landlock_restrict_self, rules, 0) != 0) e = ERR_IO;
    close(rules);
    return e;
}

static enum err jail_syscalls(const int *syscalls, size_t count) {
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (f == NULL) return ERR_NOMEM;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, syscalls[i], 0);
    if (rc == 0) rc = seccomp_load(f);
    seccomp_release(f);
    return rc == 0 ? ERR_OK : ERR_IO;
}

enum err jail_enter(const char *const *rw_paths, const char *const *ro_paths, const int *syscalls, size_t syscall_count) {
    TRY(jail_paths(rw_paths, ro_paths));
    return jail_syscalls(syscalls, syscall_count);
}

#define CALL(name) SCMP_SYS(name)
static const int keeper_syscalls[] = {
    /* files: the engine's, packs, stage */
    CALL(openat), CALL(open), CALL(close), CALL(read), CALL(pread64), CALL(preadv2), CALL(write), CALL(writev), CALL(pwrite64),
    CALL(lseek), CALL(fsync), CALL(fdatasync), CALL(sync_file_range), CALL(fallocate), CALL(ftruncate), CALL(fadvise64), CALL(readahead),
    CALL(stat), CALL(lstat), CALL(fstat), CALL(newfstatat), CALL(statx), CALL(fstatfs), CALL(statfs), CALL(access), CALL(faccessat),
    CALL(faccessat2), CALL(getdents64), CALL(mkdir), CALL(mkdirat), CALL(rmdir), CALL(rename), CALL(renameat), CALL(renameat2), CALL(link),
    CALL(linkat), CALL(unlink), CALL(unlinkat), CALL(fchmod), CALL(fchmodat), CALL(fcntl), CALL(flock), CALL(ioctl), CALL(umask),
    CALL(readlink), CALL(readlinkat), CALL(getcwd), CALL(dup), CALL(dup2), CALL(fcntl),
    /* sockets and the loop */
    CALL(accept4), CALL(recvfrom), CALL(recvmsg), CALL(sendto), CALL(sendmsg), CALL(shutdown), CALL(getsockopt), CALL(setsockopt),
    CALL(getsockname), CALL(getpeername), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(eventfd2),
    CALL(signalfd4), CALL(poll), CALL(ppoll), CALL(pipe2),
    /* memory, threads, time, random */
    CALL(mmap), CALL(munmap), CALL(mprotect), CALL(mremap), CALL(madvise), CALL(mlock), CALL(munlock), CALL(brk), CALL(clone), CALL(clone3),
    CALL(set_robust_list), CALL(rseq), CALL(futex), CALL(sched_yield), CALL(sched_getaffinity), CALL(sched_setaffinity), CALL(getcpu),
    CALL(prctl), CALL(gettid), CALL(getpid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(tgkill),
    CALL(nanosleep), CALL(clock_nanosleep), CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(getrandom), CALL(uname),
    CALL(sysinfo), CALL(getrusage), CALL(prlimit64), CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack),
    CALL(restart_syscall), CALL(membarrier), CALL(setpriority), CALL(getpriority), CALL(ioprio_set), CALL(ioprio_get), CALL(times),
    CALL(exit), CALL(exit_group),
};

enum err jail_keeper(const char *keeper_dir, const char *run_dir) {
    const char *rw[] = {keeper_dir, NULL};
#ifdef TILLIT_BREAKS
    const char *ro[] = {run_dir, "/dev/urandom", "/proc", "/sys/devices/system", NULL}; /* the file that names breaks */
#else
    (void)run_dir;
    const char *ro[] = {"/dev/urandom", "/sys/devices/system", NULL};
#endif
    return jail_enter(rw, ro, keeper_syscalls, ARRAY_LEN(keeper_syscalls));
}
