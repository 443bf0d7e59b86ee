/* SPDX-License-Identifier: Apache-2.0
 * One child process: start it, start it again at once when it dies, back off only for what died before the store was ready.
 * Role: serve's hands. A killed gate must be back within the second that the promise names, so there is no pause for a child that
 *       had been serving.
 * Trusts: nothing a child says; only its exit.
 * Spec: DESIGN "Processes": serve.
 */
#include "serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void restart_now(struct loop_timer *t) { child_start(t->ctx); }

static void kill_now(struct loop_timer *t)
{
    struct child *c = t->ctx;
    if (c->pid == 0) return;
    log_line(LOG_WARN, "kill", "child=%s pid=%d", c->name, (int)c->pid);
    kill(c->pid, SIGKILL);
}

/* Everything that only root may reach is taken hold of before the uid goes: the working directory and the program. So a store works
 * wherever it lies, below a directory that is closed to others too (a clone in root's home): names below it are relative. */
static void become(const struct child *c, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int program = open(c->argv[0], O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (program < 0 || chdir(c->serve->dir) != 0) _exit(127);
    if (null >= 0) dup2(null, 0);
    /* What holds secrets may lock them in memory. */
    const struct rlimit lock = {SERVE_MEMLOCK_BYTES, SERVE_MEMLOCK_BYTES};
    if (c->uid != 0) setrlimit(RLIMIT_MEMLOCK, &lock);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = MIN(files.rlim_max, (rlim_t)SERVE_FILES_WANTED);
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (c->uid != 0 && (setgroups(c->group ? 1 : 0, &c->group) != 0 || setgid((gid_t)c->uid) != 0 || setuid(c->uid) != 0)) _exit(126);
    /* Set after setuid, which clears it. A killed serve must not leave a store behind that nobody restarts. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(125);
    if (c->listen_count > 0) {
        char fds[64] = "";
        for (int i = 0, n = 0; i < c->listen_count; i++) {
            int fd = c->serve->listen_fd[c->listen_first + i];
            fcntl(fd, F_SETFD, 0);
            n += snprintf(fds + n, sizeof fds - (size_t)n, "%d;", fd);
        }
        setenv("NGINX", fds, 1);
    }
    execv(c->argv[0], (char *const *)(uintptr_t)c->argv);
    execveat(program, "", (char *const *)(uintptr_t)c->argv, environ, AT_EMPTY_PATH);
    _exit(127);
}

void child_start(struct child *c)
{
    struct serve *s = c->serve;
    if (s->stopping || c->pid != 0) return;
    c->restart.fire = restart_now, c->restart.ctx = c;
    c->kill.fire = kill_now, c->kill.ctx = c;
    c->started_ms = loop_now_ms(s->loop);
    c->was_ready = false;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) become(c, parent);
    if (pid < 0) {
        log_line(LOG_ERROR, "fork", "child=%s errno=%d", c->name, errno);
        loop_timer_set(s->loop, &c->restart, SERVE_BACKOFF_LAST_MS);
        return;
    }
    c->pid = pid;
    s->changed();
    log_line(LOG_INFO, "started", "child=%s pid=%d", c->name, (int)pid);
}

void child_ended(struct child *c, int status)
{
    struct serve *s = c->serve;
    c->pid = 0;
    loop_timer_cancel(s->loop, &c->kill);
    if (!s->stopping) {
        if (WIFSIGNALED(status)) log_line(LOG_WARN, "died", "child=%s signal=%d", c->name, WTERMSIG(status));
        else log_line(LOG_WARN, "died", "child=%s exit=%d", c->name, WEXITSTATUS(status));
        if (c->was_ready || (c->settled_ms && loop_now_ms(s->loop) - c->started_ms >= c->settled_ms)) c->backoff_ms = 0;
        uint64_t wait = c->backoff_ms;
        c->backoff_ms = MIN(wait == 0 ? SERVE_BACKOFF_FIRST_MS : wait * 2, SERVE_BACKOFF_LAST_MS);
        if (wait == 0) child_start(c);
        else loop_timer_set(s->loop, &c->restart, wait);
    }
    s->changed();
    if (c->gone) c->gone(c);
}

void child_signal(struct child *c, int sig)
{
    if (c->pid != 0) kill(c->pid, sig);
}

void child_stop(struct child *c)
{
    loop_timer_cancel(c->serve->loop, &c->restart);
    if (c->pid == 0) return;
    kill(c->pid, c->stop_signal);
    loop_timer_set(c->serve->loop, &c->kill, SERVE_STOP_MS);
}
