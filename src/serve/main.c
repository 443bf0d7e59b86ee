/* SPDX-License-Identifier: Apache-2.0
 * tillit-serve DIR [--s3-port N] [--s3-tls-port N] [--api-port N] [--access-port N] [--access-tls-port N]: runs the store in the foreground until SIGTERM.
 * Role: supervisor without authority: keeper, gate, steward and both nginx are started, restarted at once, and stopped together.
 * Trusts: the administrator. Distrusts: nothing it serves, because it serves nothing.
 * Spec: DESIGN "Processes"; docs/spec/dir.md
 */
#include "serve/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEEPER, GATE, STEWARD, NGINX, ACCESS, CHILDREN };
static struct serve serve;
static struct child children[CHILDREN];
static struct loop_timer ready_timer;
static char paths[3][SERVE_PATH_MAX + 32], uids[5][24];

#define READY_POLL_MS 20

/* One HTTP request to our own health page; short and blocking, only until the store is ready. */
static bool ask_ready(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)serve.conf.api_port)};
    const char *to = strcmp(serve.conf.listen, "0.0.0.0") == 0 ? "127.0.0.1" : serve.conf.listen;
    static const char request[] = "GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[16] = {0};
    struct timeval wait = {.tv_usec = 200000};
    if (inet_pton(AF_INET, to, &a.sin_addr) != 1) return false;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0 && write(fd, request, sizeof request - 1) > 0 &&
              read(fd, answer, 12) == 12 && memcmp(answer + 9, "200", 3) == 0;
    close(fd);
    return ok;
}

static void poll_ready(struct loop_timer *t)
{
    if (serve.stopping) return;
    if (!ask_ready()) {
        loop_timer_set(serve.loop, t, READY_POLL_MS);
        return;
    }
    for (int i = 0; i < CHILDREN; i++) children[i].was_ready = children[i].settled_ms == 0;
    if (!serve.ready) {
        serve.ready = true;
        if (prepare_endpoints(&serve) == ERR_OK) {
            printf("ready\n");
            fflush(stdout);
        }
    }
}

static bool all_gone(void)
{
    for (int i = 0; i < CHILDREN; i++)
        if (children[i].pid != 0) return false;
    return true;
}

/* Fronts first: they drain what is in flight through gate and keeper, which therefore stop last. */
static void ended(struct child *c)
{
    if (!serve.stopping) {
        /* Back in service is asked anew, so that a child counts as "had been serving" only when it had. */
        loop_timer_set(serve.loop, &ready_timer, READY_POLL_MS);
        return;
    }
    bool fronts_gone = children[NGINX].pid == 0 && children[ACCESS].pid == 0;
    if (fronts_gone && (c == &children[NGINX] || c == &children[ACCESS])) child_stop(&children[STEWARD]), child_stop(&children[GATE]);
    if (fronts_gone && children[GATE].pid == 0) child_stop(&children[STEWARD]), child_stop(&children[KEEPER]);
    if (all_gone()) loop_stop(serve.loop);
}

static void pids_changed(void)
{
    AUTO(buf) struct buf b = BUF_INIT(1024);
    for (int i = 0; i < CHILDREN; i++)
        if (children[i].pid != 0) buf_printf(&b, "%s %d\n", children[i].name, (int)children[i].pid);
    prepare_pids(&serve, buf_slice(&b));
}

static void stop_all(void)
{
    if (serve.stopping) return;
    serve.stopping = true;
    log_line(LOG_INFO, "stopping", "children=%d", CHILDREN);
    child_stop(&children[NGINX]), child_stop(&children[ACCESS]);
    if (children[NGINX].pid == 0 && children[ACCESS].pid == 0) ended(&children[NGINX]);
}

static void on_signal(void *ctx, int sig)
{
    (void)ctx;
    if (sig == SIGTERM || sig == SIGINT) stop_all();
    if (sig == SIGHUP) prepare_front_files(&serve);
    if (sig == SIGHUP)
        for (int i = 0; i < CHILDREN; i++) child_signal(&children[i], SIGHUP);
    if (sig != SIGCHLD) return;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (int i = 0; i < CHILDREN; i++)
            if (children[i].pid == pid) child_ended(&children[i], status);
}

static void define_children(void)
{
    static const char *const programs[] = {"tillit-keeper", "tillit-gate", "tillit-steward"};
    static char day_ms[24];
    snprintf(day_ms, sizeof day_ms, "%llu", (unsigned long long)serve.conf.lifecycle_day_ms);
    uint64_t uid[] = {serve.conf.keeper_uid, serve.conf.gate_uid, serve.conf.steward_uid, serve.conf.front_uid, serve.conf.access_uid};
    for (int i = 0; i < 5; i++) snprintf(uids[i], sizeof uids[i], "%llu", (unsigned long long)uid[i]);
    for (int i = 0; i < 3; i++) {
        struct child *c = &children[i];
        *c = (struct child){.name = programs[i] + 7, .serve = &serve, .stop_signal = SIGTERM, .gone = ended};
        snprintf(paths[i], sizeof paths[i], "%s/%s", serve.bin, programs[i]);
        int n = 0;
        c->argv[n++] = paths[i], c->argv[n++] = ".";      /* child.c makes DIR the working directory */
        if (i == STEWARD) c->argv[n++] = "--lifecycle-day-ms", c->argv[n++] = day_ms;
        /* As root each child begins life under its own uid; the peers it expects on its sockets are named. */
        if (!serve.root) continue;
        c->uid = (uid_t)uid[i == KEEPER ? 0 : i == GATE ? 1 : 2];
        if (i != STEWARD) c->argv[n++] = "--front-uid", c->argv[n++] = uids[3], c->argv[n++] = "--access-uid", c->argv[n++] = uids[4];
        if (i == KEEPER) c->argv[n++] = "--gate-uid", c->argv[n++] = uids[1];
        if (i == GATE) c->argv[n++] = "--steward-uid", c->argv[n++] = uids[2];
    }
    children[NGINX] = (struct child){.name = "nginx", .serve = &serve, .stop_signal = SIGQUIT, .gone = ended,
                                     .listen_first = SERVE_HTTP, .listen_count = SERVE_ACCESS_HTTP, .uid = serve.root ? (uid_t)serve.conf.front_uid : 0,
                                     .argv = {"/usr/sbin/nginx", "-p", "front/", "-c", "nginx.conf", "-e", "stderr"}};
    children[ACCESS] = (struct child){.name = "access", .serve = &serve, .stop_signal = SIGQUIT, .gone = ended, .settled_ms = SERVE_SETTLED_MS,
                                      .listen_first = SERVE_ACCESS_HTTP, .listen_count = SERVE_LISTENERS - SERVE_ACCESS_HTTP,
                                      .uid = serve.root ? (uid_t)serve.conf.access_uid : 0, .group = serve.root ? (gid_t)serve.conf.front_uid : 0,
                                      .argv = {"/usr/sbin/nginx", "-p", "access/", "-c", "nginx.conf", "-e", "stderr"}};
}

static bool number_arg(const char *text, uint64_t *out) { return text && slice_u64(slice_str(text), 65535, out) == ERR_OK; }

static const char usage_text[] =
    "usage: tillit serve DIR [--s3-port N] [--s3-tls-port N] [--api-port N] [--access-port N] [--access-tls-port N]\n"
    "\n"
    "Runs the store in the foreground; prints `ready` once it serves, and writes DIR/run/endpoints.json. SIGTERM drains and stops it,\n"
    "SIGHUP loads certificates anew. Port 0: a free one. As root each process gets a uid of its own.\n";

static int usage(void)
{
    fputs(usage_text, stderr);
    return 2;
}

static int read_arguments(int argc, char **argv)
{
    AUTO(buf) struct buf why = BUF_INIT(2048);
    char path[SERVE_PATH_MAX];
    if (argc < 2 || argv[1][0] == '-' || argc % 2 != 0) return usage();
    char real[PATH_MAX];
    if (!realpath(argv[1], real) || strlen(real) >= sizeof serve.dir) {
        fprintf(stderr, "tillit serve: %s: %s; `tillit init DIR --tenant NAME` makes a new store\n", argv[1], strerror(errno));
        return 2;
    }
    memcpy(serve.dir, real, strlen(real) + 1);
    conf_path(serve.dir, "tillit.conf", path, sizeof path);
    if (conf_read(path, &serve.conf, &why) != ERR_OK) {
        fprintf(stderr, "tillit serve: %.*s\n", (int)why.n, (const char *)why.p);
        return 2;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < SERVE_FILES_MIN) {
        fprintf(stderr, "tillit serve: only %llu files may be open at once; raise the limit to at least %d (ulimit -n, LimitNOFILE)\n",
                (unsigned long long)files.rlim_max, SERVE_FILES_MIN);
        return 2;
    }
    for (int i = 2; i + 1 < argc; i += 2) {
        uint64_t *to = strcmp(argv[i], "--s3-port") == 0 ? &serve.conf.s3_port : strcmp(argv[i], "--s3-tls-port") == 0 ? &serve.conf.s3_tls_port
                       : strcmp(argv[i], "--api-port") == 0 ? &serve.conf.api_port : strcmp(argv[i], "--access-port") == 0 ? &serve.conf.access_port
                       : strcmp(argv[i], "--access-tls-port") == 0 ? &serve.conf.access_tls_port : NULL;
        if (!to || !number_arg(argv[i + 1], to)) return usage();
    }
    return 0;
}

int main(int argc, char **argv)
{
    log_init("serve", LOG_INFO);
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage_text, stdout);
        return 0;
    }
    int code = read_arguments(argc, argv);
    if (code != 0) return code;
    char self[SERVE_PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return 4;
    self[n] = 0;
    snprintf(serve.bin, sizeof serve.bin, "%s", dirname(self));
    serve.root = geteuid() == 0;
    if (prepare_format(&serve) != ERR_OK || prepare_lock(&serve) != ERR_OK || prepare_tree(&serve) != ERR_OK ||
        prepare_ports(&serve) != ERR_OK || prepare_nginx(&serve) != ERR_OK)
        return 4;

    serve.loop = loop_new();
    serve.changed = pids_changed;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) loop_signal(serve.loop, signals[i], on_signal, NULL);
    define_children();
    for (int i = 0; i < CHILDREN; i++) child_start(&children[i]);
    ready_timer.fire = poll_ready;
    loop_timer_set(serve.loop, &ready_timer, 1);
    loop_run(serve.loop);
    loop_free(serve.loop);
    log_line(LOG_INFO, "stopped", "clean=1");
    return 0;
}
