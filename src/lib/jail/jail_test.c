/* SPDX-License-Identifier: Apache-2.0
 * A jailed process cannot do what it does not need. Each fact in a child of its own: a jail has no way out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jail/jail.h"

static char dir[] = "/tmp/tillit-jail-XXXXXX";

static int jailed_as(int (*fact)(const struct jail_state *), bool outbound)
{
    pid_t pid = fork();
    if (pid == 0) {
        const char *const rw[] = {dir, NULL}, *const ro[] = {"/etc/hosts", NULL};
        struct jail_state s;
        jail_early();
        if (jail_enter(&(struct jail){.read_write = rw, .read_only = ro, .outbound = outbound}, &s) != ERR_OK) _exit(99);
        _exit(fact(&s));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}
static int jailed(int (*fact)(const struct jail_state *)) { return jailed_as(fact, false); }
static int writes_inside(const struct jail_state *s)
{
    char path[64];
    (void)s;
    snprintf(path, sizeof path, "%s/x", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && write(fd, "x", 1) == 1 ? 0 : 1;
}
static int reads_outside(const struct jail_state *s)
{
    if (s->landlock_abi == 0) return 2;
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? 0 : 1;
}
static int reads_named_file(const struct jail_state *s)
{
    (void)s;
    return open("/etc/hosts", O_RDONLY | O_CLOEXEC) >= 0 && open("/etc/hosts", O_WRONLY | O_CLOEXEC) < 0 ? 0 : 1;
}
static int executes(const struct jail_state *s)
{
    (void)s;
    execl("/bin/true", "true", (char *)NULL);
    return errno == ENOSYS ? 0 : 1;
}
static int forks(const struct jail_state *s)
{
    (void)s;
    pid_t p = fork();
    if (p == 0) _exit(0);
    return p < 0 ? 0 : 1;
}
static int opens_tcp(const struct jail_state *s) { return (void)s, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? 0 : 1; }
static int calls_out(const struct jail_state *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(1), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)s;
    /* Nobody listens there: refused or under way, but not forbidden. */
    return tcp >= 0 && udp >= 0 && (connect(tcp, (struct sockaddr *)&a, sizeof a) == 0 || errno == ECONNREFUSED || errno == EINPROGRESS) ? 0 : 1;
}
static int is_called(const struct jail_state *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)s;
    return tcp >= 0 && bind(tcp, (struct sockaddr *)&a, sizeof a) < 0 && listen(tcp, 1) < 0 ? 0 : 1;
}
static int opens_other_sockets(const struct jail_state *s)
{
    (void)s;
    return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) < 0 && errno == ENOSYS && socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) < 0 && errno == ENOSYS &&
           socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0 && errno == ENOSYS ? 0 : 1;
}
static int opens_unix(const struct jail_state *s) { return (void)s, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? 0 : 1; }
static int traces(const struct jail_state *s) { return (void)s, ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? 0 : 1; }
static int is_dumpable(const struct jail_state *s) { return (void)s, prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1; }
static void *nothing(void *p) { return p; }
static int starts_thread(const struct jail_state *s)
{
    pthread_t t;
    (void)s;
    return pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0 ? 0 : 1;
}
static void its_directory_is_writable(void **x) { (void)x; assert_int_equal(jailed(writes_inside), 0); }
static void other_files_are_out_of_reach(void **x)
{
    (void)x;
    int r = jailed(reads_outside);
    if (r == 2) skip();                /* no Landlock in this kernel */
    assert_int_equal(r, 0);
}
static void exec_is_refused(void **x) { (void)x; assert_int_equal(jailed(executes), 0); }
static void fork_is_refused(void **x) { (void)x; assert_int_equal(jailed(forks), 0); }
static void tcp_is_refused_unix_is_not(void **x)
{
    (void)x;
    assert_int_equal(jailed(opens_tcp), 0);
    assert_int_equal(jailed(opens_unix), 0);
}
static void a_file_may_be_named_alone(void **x) { (void)x; assert_int_equal(jailed(reads_named_file), 0); }
static void who_speaks_out_may_call_and_not_be_called(void **x)
{
    (void)x;
    assert_int_equal(jailed_as(calls_out, true), 0);
    assert_int_equal(jailed_as(is_called, true), 0);
    assert_int_equal(jailed_as(opens_other_sockets, true), 0);
    assert_int_equal(jailed_as(opens_unix, true), 0);
    assert_int_equal(jailed_as(executes, true), 0);
    assert_int_equal(jailed_as(opens_other_sockets, false), 0);
}
static void ptrace_is_refused(void **x) { (void)x; assert_int_equal(jailed(traces), 0); }
static void memory_is_not_dumpable(void **x) { (void)x; assert_int_equal(jailed(is_dumpable), 0); }
static void threads_still_start(void **x) { (void)x; assert_int_equal(jailed(starts_thread), 0); }
int main(void)
{
    if (!mkdtemp(dir)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_directory_is_writable), cmocka_unit_test(other_files_are_out_of_reach), cmocka_unit_test(exec_is_refused),
        cmocka_unit_test(fork_is_refused), cmocka_unit_test(tcp_is_refused_unix_is_not), cmocka_unit_test(ptrace_is_refused),
        cmocka_unit_test(memory_is_not_dumpable), cmocka_unit_test(threads_still_start),
        cmocka_unit_test(a_file_may_be_named_alone), cmocka_unit_test(who_speaks_out_may_call_and_not_be_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
