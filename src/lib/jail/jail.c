/* SPDX-License-Identifier: Apache-2.0
 * Takes rights away from the calling process.
 * Role: gate, keeper and steward call it in main, before they serve; the front's workers when they start.
 * Trusts: the kernel. Distrusts: the process itself, once somebody else's bytes have been in it.
 * Law: 2 (no door beside the door), attack rows 8, 9 and 22.
 * Spec: DESIGN "Processes"; seccomp(2), landlock(7)
 */
#include "jail/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMLOCK_BYTES (256ul * 1024 * 1024)

/* A server of ours: files, unix sockets, epoll, threads, time. One list for all processes: what differs between them are the directories,
 * which are Landlock's, and who calls whom: `serving` for those that are called, `calling` for the one that calls out. */
static const int allowed[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(pwritev),
    SCMP_SYS(preadv2), SCMP_SYS(pwritev2), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(stat), SCMP_SYS(fstat), SCMP_SYS(lstat),
    SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(lseek), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat),
    SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(ftruncate), SCMP_SYS(truncate), SCMP_SYS(fallocate), SCMP_SYS(fsync),
    SCMP_SYS(fdatasync), SCMP_SYS(sync_file_range), SCMP_SYS(fadvise64), SCMP_SYS(readahead), SCMP_SYS(flock), SCMP_SYS(fcntl), SCMP_SYS(dup),
    SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(umask), SCMP_SYS(utimensat), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap),
    SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(mlockall), SCMP_SYS(msync), SCMP_SYS(mincore),
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(getcpu), SCMP_SYS(membarrier),
    SCMP_SYS(ioprio_set), SCMP_SYS(ioprio_get), SCMP_SYS(setpriority), SCMP_SYS(getpriority), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
    SCMP_SYS(eventfd2), SCMP_SYS(signalfd4), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(pipe2), SCMP_SYS(connect), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getrandom), SCMP_SYS(getpid),
    SCMP_SYS(getppid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(sysinfo),
    SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(prlimit64), SCMP_SYS(prctl), SCMP_SYS(arch_prctl), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(tgkill), SCMP_SYS(restart_syscall), SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};
static const int serving[] = {SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(listen)};
static const int calling[] = {SCMP_SYS(sendmmsg)};     /* glibc asks for both address families at once */

void jail_early(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
}

static enum err take_uid(const struct jail *j)
{
    if (geteuid() != 0 || j->uid == 0) return ERR_OK;
    if (j->memory_lock) {
        const struct rlimit most = {MEMLOCK_BYTES, MEMLOCK_BYTES};
        setrlimit(RLIMIT_MEMLOCK, &most);
    }
    if (setgroups(0, NULL) != 0 || setgid((gid_t)j->uid) != 0 || setuid(j->uid) != 0 || setuid(0) == 0) return ERR_AUTH;
    /* Both were undone by the change of uid. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    return ERR_OK;
}

#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LANDLOCK_WRITE                                                                                                                   \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |        \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK)
#define LANDLOCK_REST                                                                                                                    \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |            \
     LANDLOCK_ACCESS_FS_MAKE_SYM)
#define LANDLOCK_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)   /* what a rule about one file may say */
#define LANDLOCK_REFER (1ull << 13)    /* ABI 2: rename and link between directories */
#define LANDLOCK_TRUNCATE (1ull << 14) /* ABI 3 */
#define LANDLOCK_BIND_TCP 1ull         /* ABI 4 */
#define LANDLOCK_CONNECT_TCP 2ull

struct ruleset {                       /* struct landlock_ruleset_attr up to ABI 5; older headers lack the second field */
    uint64_t fs, net;
};

static bool allow_below(int ruleset, const char *const *paths, uint64_t access)
{
    for (; paths && *paths; paths++) {
        struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = open(*paths, O_PATH | O_CLOEXEC)};
        struct stat st;
        if (rule.parent_fd < 0) continue;
        if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode)) rule.allowed_access &= LANDLOCK_FILE;
        long r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
        close(rule.parent_fd);
        if (r != 0) return false;
    }
    return true;
}

static enum err landlock(const struct jail *j, int *abi)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    *abi = version > 0 ? (int)version : 0;
    if (*abi == 0) return ERR_OK;
    uint64_t write = LANDLOCK_WRITE | (*abi >= 2 ? LANDLOCK_REFER : 0) | (*abi >= 3 ? LANDLOCK_TRUNCATE : 0);
    const struct ruleset all = {.fs = LANDLOCK_READ | write | LANDLOCK_REST,
                                .net = LANDLOCK_BIND_TCP | (j->outbound ? 0 : LANDLOCK_CONNECT_TCP)};
    int fd = (int)syscall(SYS_landlock_create_ruleset, &all, *abi >= 4 ? sizeof all : sizeof all.fs, 0);
    if (fd < 0) return ERR_IO;
    bool ok = allow_below(fd, j->read_write, LANDLOCK_READ | write) && allow_below(fd, j->read_only, LANDLOCK_READ) &&
              syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    close(fd);
    return ok ? ERR_OK : ERR_IO;
}

static bool allow_calls(scmp_filter_ctx c, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (seccomp_rule_add(c, SCMP_ACT_ALLOW, calls[i], 0) != 0) return false;
    return true;
}

/* Streams to call, datagrams to name servers; no raw sockets, no packets, no netlink. */
static bool allow_outbound(scmp_filter_ctx c)
{
    static const int families[] = {AF_INET, AF_INET6}, types[] = {SOCK_STREAM, SOCK_DGRAM};
    const uint64_t type_bits = 0xf;                        /* the kernel's SOCK_TYPE_MASK: what is above are flags */
    for (size_t i = 0; i < ARRAY_LEN(families) * ARRAY_LEN(types); i++)
        if (seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, (uint64_t)families[i / 2]),
                             SCMP_A1(SCMP_CMP_MASKED_EQ, type_bits, (uint64_t)types[i % 2])) != 0)
            return false;
    return true;
}

static enum err filter(const struct jail *j)
{
    scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!c) return ERR_IO;
    bool ok = allow_calls(c, allowed, ARRAY_LEN(allowed));
    if (j->outbound) ok = ok && allow_calls(c, calling, ARRAY_LEN(calling)) && allow_outbound(c);
    else ok = ok && allow_calls(c, serving, ARRAY_LEN(serving));
    /* Threads, no processes; unix sockets. clone3 hides its flags behind a pointer: ENOSYS makes libc use clone. */
    ok = ok && seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) == 0 &&
         seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX)) == 0 &&
         seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX)) == 0;
    /* nginx asks how much is there to read when a buffer came back full. */
    ok = ok && seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD)) == 0 && seccomp_load(c) == 0;
    seccomp_release(c);
    return ok ? ERR_OK : ERR_IO;
}

enum err jail_enter(const struct jail *j, struct jail_state *out)
{
    *out = (struct jail_state){0};
    TRY(take_uid(j));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    TRY(landlock(j, &out->landlock_abi));
    TRY(filter(j));
    out->seccomp = true;
    if (BREAK("dumpable")) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return ERR_OK;
}
