/* SPDX-License-Identifier: Apache-2.0
 * The module: directives, and what a worker does when it starts and when it leaves.
 * Role: nginx' entry into the front.
 * Trusts: nginx.conf, which serve writes. Distrusts: nothing else is read here.
 * Law: 2 (workers are not dumpable and log nothing of a request). Spec: src/front/ngx/nginx.conf.in.
 */
#include "ngx_tillit.h"

#include "jail/jail.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/mman.h>
#include <sys/prctl.h>

struct tl_worker tl;
static struct flow_metrics *shared_metrics;        /* of this cycle: made by the master, one place per worker */

/* configuration ---------------------------------------------------------------------------------------------------------------- */

static void *create_main_conf(ngx_conf_t *cf)
{
    struct tl_main_conf *c = ngx_pcalloc(cf->pool, sizeof *c);
    if (c) c->role = NGX_CONF_UNSET_UINT;
    return c;
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    struct tl_loc_conf *c = ngx_pcalloc(cf->pool, sizeof *c);
    if (c) c->port = NGX_CONF_UNSET_UINT;
    return c;
}

static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    struct tl_loc_conf *p = parent, *c = child;
    (void)cf;
    ngx_conf_merge_uint_value(c->port, p->port, FLOW_PORT_S3);
    return NGX_CONF_OK;
}

static char *set_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t *word = cf->args->elts;
    ngx_http_core_loc_conf_t *clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    struct tl_loc_conf *c = conf;
    bool error = ngx_strcmp(cmd->name.data, "tillit_error") == 0;
    if (ngx_strcmp(word[1].data, "s3") == 0) c->port = FLOW_PORT_S3;
    else if (ngx_strcmp(word[1].data, "api") == 0) c->port = FLOW_PORT_API;
    else if (ngx_strcmp(word[1].data, "health") == 0 && !error) c->port = FLOW_PORT_API;
    else return (char *)(uintptr_t)"knows s3, api and health";
    clcf->handler = error ? tl_error_handler : ngx_strcmp(word[1].data, "health") == 0 ? tl_health_handler : tl_handler;
    return NGX_CONF_OK;
}

static ngx_conf_enum_t roles[] = {{ngx_string("front"), WIRE_ROLE_FRONT}, {ngx_string("access"), WIRE_ROLE_ACCESS}, {ngx_null_string, 0}};

static ngx_command_t commands[] = {
    {ngx_string("tillit_dir"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_str_slot, NGX_HTTP_MAIN_CONF_OFFSET,
     offsetof(struct tl_main_conf, dir), NULL},
    {ngx_string("tillit_domain"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_str_slot, NGX_HTTP_MAIN_CONF_OFFSET,
     offsetof(struct tl_main_conf, domain), NULL},
    {ngx_string("tillit_role"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_enum_slot, NGX_HTTP_MAIN_CONF_OFFSET,
     offsetof(struct tl_main_conf, role), roles},
    {ngx_string("tillit"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, set_handler, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("tillit_error"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, set_handler, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    ngx_null_command,
};

static ngx_int_t postconfiguration(ngx_conf_t *cf)
{
    struct tl_main_conf *c = ngx_http_conf_get_module_main_conf(cf, ngx_http_tillit_module);
    ngx_str_t name = ngx_string("tillit");
    if (c->dir.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "tillit_dir must name the store's directory");
        return NGX_ERROR;
    }
    ngx_conf_init_uint_value(c->role, WIRE_ROLE_FRONT);
    c->threads = ngx_thread_pool_add(cf, &name);
    return c->threads ? NGX_OK : NGX_ERROR;
}

static ngx_http_module_t context = {
    .postconfiguration = postconfiguration,
    .create_main_conf = create_main_conf,
    .create_loc_conf = create_loc_conf,
    .merge_loc_conf = merge_loc_conf,
};

/* processes ---------------------------------------------------------------------------------------------------------------------- */

/* In the master: it is closed to others of its uid, because it holds the TLS key too (attack 9). Workers of this cycle count into pages
 * they share; those of an older cycle keep theirs. */
static ngx_int_t init_module(ngx_cycle_t *cycle)
{
    void *p = mmap(NULL, FLOW_METRICS_WORKERS_MAX * sizeof *shared_metrics, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)cycle;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return NGX_ERROR;
    shared_metrics = p == MAP_FAILED ? NULL : p;
    return shared_metrics ? NGX_OK : NGX_ERROR;
}

static void random_fill(void *ctx, void *out, size_t n)
{
    (void)ctx;
    if (RAND_bytes(out, (int)n) != 1) abort();
}

/* nginx' own handler prints request lines, hosts and client addresses. A connection's number finds its place as well. */
static u_char *log_number_only(ngx_log_t *log, u_char *buf, size_t len)
{
    return ngx_snprintf(buf, len, " (connection %uA)", log->connection);
}

static void init_connection(ngx_connection_t *c)
{
    ngx_http_init_connection(c);
    if (c->fd == (ngx_socket_t)-1) return;         /* closed already, and its memory with it */
    c->log->handler = log_number_only;
}

/* What nginx undoes or leaves open in a worker: it sets itself dumpable, may leave a core, and outlives a killed master. And what a
 * worker never needs: to write a file, start a program, open a network socket. The pool's threads were started before; they only
 * read into buffers they are given. */
static ngx_int_t harden(ngx_cycle_t *cycle, const ngx_str_t *dir, ngx_uint_t role)
{
    bool access = role == WIRE_ROLE_ACCESS;        /* it serves no logs and no page */
    char blobs[PATH_MAX], logs[PATH_MAX], console[PATH_MAX];
#ifdef TILLIT_BREAKS
    char run[PATH_MAX];                            /* the file that names breaks */
    const char *const read_only[] = {blobs, run, access ? NULL : logs, console, NULL};
    *ngx_snprintf((u_char *)run, sizeof run - 1, "%V/run/breaks", dir) = 0;
    breaks_init(run);
    *ngx_snprintf((u_char *)run, sizeof run - 1, "%V/run", dir) = 0;
#else
    const char *const read_only[] = {blobs, access ? NULL : logs, console, NULL};
#endif
    const struct jail jail = {.read_only = read_only};
    struct jail_state state;
    *ngx_snprintf((u_char *)blobs, sizeof blobs - 1, "%V/keeper/blobs", dir) = 0;
    *ngx_snprintf((u_char *)console, sizeof console - 1, "%V/front/console", dir) = 0;
    *ngx_snprintf((u_char *)logs, sizeof logs - 1, "%V/gate/logs", dir) = 0;
    jail_early();
    if (ngx_process == NGX_PROCESS_WORKER && getppid() != ngx_parent) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "tillit: the master is gone");
        return NGX_ERROR;
    }
    enum err e = jail_enter(&jail, &state);
    if (e != ERR_OK || (prctl(PR_GET_DUMPABLE) != 0 && !BREAK("dumpable"))) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "tillit: the worker cannot be closed to others: %s", err_text(e));
        return NGX_ERROR;
    }
    return NGX_OK;
}

static int open_dir(const ngx_str_t *dir, const char *below)
{
    u_char path[PATH_MAX];
    *ngx_snprintf(path, sizeof path - 1, "%V/%s", dir, below) = 0;
    return open((const char *)path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static ngx_int_t init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) return NGX_OK;
    struct tl_main_conf *conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_tillit_module);
    if (!conf) return NGX_OK;
    ngx_listening_t *ls = cycle->listening.elts;
    for (ngx_uint_t i = 0; i < cycle->listening.nelts; i++)
        if (ls[i].handler == ngx_http_init_connection) ls[i].handler = init_connection;
    struct rng rng = {.fill = random_fill};
    rng_fill(&rng, tl.boot, sizeof tl.boot);
    ngx_snprintf((u_char *)tl.host_id, sizeof tl.host_id - 1, "%s-%ui", conf->role == WIRE_ROLE_ACCESS ? "access" : "front", ngx_worker);
    tl.threads = conf->threads;
    tl.domain = slice_of(conf->domain.data, conf->domain.len);
    tl.flow.domains = &tl.domain;
    tl.flow.domain_count = conf->domain.len ? 1 : 0;
    tl.flow.host_id = tl.host_id;
    tl.all_metrics = shared_metrics;
    tl.flow.metrics = shared_metrics ? &shared_metrics[ngx_worker % FLOW_METRICS_WORKERS_MAX] : NULL;
    tl.flow.all_metrics = shared_metrics;
    tl.flow.all_metrics_count = FLOW_METRICS_WORKERS_MAX;
    tl.flow.ctx = &tl;
    tl.flow.blobs_fd = open_dir(&conf->dir, "keeper/blobs");
    tl.flow.logs_fd = conf->role == WIRE_ROLE_ACCESS ? -1 : open_dir(&conf->dir, "gate/logs");
    tl.flow.role = (uint8_t)conf->role;
    if (harden(cycle, &conf->dir, conf->role) != NGX_OK) return NGX_ERROR;
    enum err e = flow_worker_init(&tl.flow, &tl_host, &rng);
    if (e != ERR_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "tillit: the worker cannot start: %s", err_text(e));
        return NGX_ERROR;
    }
    tl.ready = true;
    tl_now();
    tl_peers_start(&conf->dir);
    return NGX_OK;
}

static void exit_process(ngx_cycle_t *cycle)
{
    (void)cycle;
    if (!tl.ready) return;
    tl.ready = false;
    tl_peers_stop();
    if (tl.flow.blobs_fd >= 0) close(tl.flow.blobs_fd);
    if (tl.flow.logs_fd >= 0) close(tl.flow.logs_fd);
    if (tl.flow.active == 0) flow_worker_done(&tl.flow);
}

ngx_module_t ngx_http_tillit_module = {
    NGX_MODULE_V1,
    &context,
    commands,
    NGX_HTTP_MODULE,
    NULL,
    init_module,
    init_process,
    NULL,
    NULL,
    exit_process,
    NULL,
    NGX_MODULE_V1_PADDING,
};
