/* SPDX-License-Identifier: Apache-2.0
 * serve: the supervisor. No authority: it holds no key, opens no data, and speaks to no socket but the health page.
 *
 * Files: main.c (config, lock, directories, children, loop)  child.c (one process: start, watch, back off)  prepare.c (format, owners,
 * ports, nginx.conf, endpoints.json).
 */
#ifndef TILLIT_SERVE_H
#define TILLIT_SERVE_H

#include <sys/types.h>

#include "base/base.h"
#include "conf/conf.h"
#include "loop/loop.h"

#define SERVE_PATH_MAX 1024
#define SERVE_ARGS_MAX 16
#define SERVE_BACKOFF_FIRST_MS 50
#define SERVE_BACKOFF_LAST_MS 1000
#define SERVE_MEMLOCK_BYTES (256ul * 1024 * 1024)
#define SERVE_FILES_MIN 1024             /* descriptors of one process: below this a busy store could run out of them */
#define SERVE_FILES_WANTED 65536
#define SERVE_SETTLED_MS 1000
#define SERVE_STOP_MS 15000            /* SIGTERM, then this long, then SIGKILL */

/* The front's: http, https, api; then the access front's: http, https. */
enum { SERVE_HTTP, SERVE_HTTPS, SERVE_API, SERVE_ACCESS_HTTP, SERVE_ACCESS_HTTPS, SERVE_LISTENERS };
struct serve {
    struct loop *loop;
    char dir[SERVE_PATH_MAX];          /* absolute */
    char bin[SERVE_PATH_MAX];          /* where our binaries and the module lie */
    struct conf conf;
    bool root;                         /* we may change uids */
    bool ready, stopping;
    void (*changed)(void);             /* a child was started or has ended */
    int lock_fd;
    int listen_fd[SERVE_LISTENERS];    /* held here, so that a killed nginx refuses nobody: callers wait in the backlog */
};

/* child.c --------------------------------------------------------------------------------------------------------- */

struct child {
    const char *name;
    struct serve *serve;
    const char *argv[SERVE_ARGS_MAX];
    uid_t uid;                         /* taken on before exec when we are root; 0: not root */
    gid_t group;                       /* one more besides its own, for the front's certificate; 0: none */
    int stop_signal;                   /* SIGTERM; nginx: SIGQUIT */
    int listen_first, listen_count;    /* which of listen_fd it is handed, by nginx's own way of inheriting (environment NGINX) */
    pid_t pid;                         /* 0: not running */
    uint64_t started_ms, backoff_ms;
    bool was_ready;                    /* the store has been ready since this child started */
    uint64_t settled_ms;               /* not 0: the store is ready without it; it had been serving when it lived this long */
    struct loop_timer restart, kill;
    void (*gone)(struct child *c);     /* told after it ended, stopping or not */
};
void child_start(struct child *c);
void child_ended(struct child *c, int status);    /* from SIGCHLD */
void child_stop(struct child *c);
void child_signal(struct child *c, int sig);

/* prepare.c ------------------------------------------------------------------------------------------------------- */

/* All of these print one line that names file and remedy, and return an error, when they cannot. */
MUST_USE enum err prepare_lock(struct serve *s);          /* DIR/lock: a second serve on the same directory is refused */
MUST_USE enum err prepare_format(struct serve *s);        /* DIR/format: newer is refused */
MUST_USE enum err prepare_tree(struct serve *s);          /* docs/spec/dir.md: directories, owners, modes */
MUST_USE enum err prepare_ports(struct serve *s);         /* port 0: a free one; opens listen_fd */
MUST_USE enum err prepare_nginx(struct serve *s);         /* DIR/front/nginx.conf, DIR/access/nginx.conf */
/* Owners and modes of the front's files; again before SIGHUP is passed on. */
void prepare_front_files(struct serve *s);
/* DIR/run/pids for doctor: `name pid` per line. */
void prepare_pids(struct serve *s, struct slice lines);
MUST_USE enum err prepare_endpoints(struct serve *s);     /* DIR/run/endpoints.json, without secrets */

#endif
