/* SPDX-License-Identifier: Apache-2.0
 * tillit-gate DIR [--init | --export-provider OUT] [--uid N --front-uid N --access-uid N --steward-uid N]: config, open, jail, peers, loop, in that order.
 * Role: decides, records, releases; started and restarted by serve. Trusts: its command line and DIR/tillit.conf.
 * Distrusts: whatever comes in on its sockets. Law: 1 to 6. Spec: docs/spec/order.md, docs/spec/dir.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/conn.h"
#include "gate/recent.h"
#include "gate/repeat.h"
#include "gate/request.h"
#include "gate/session.h"
#include "gate/summary.h"
#include "jail/jail.h"
#include "record/record.h"

#define DIR_BYTES_MAX 900
#define UID_MAX 65535
#define START_FILE_BYTES_MAX (64 * 1024 * 1024)

static struct gate gate;                           /* one per process; its tables are megabytes */

static struct start {
    char dir[DIR_BYTES_MAX + 1];
    bool init;
    const char *export_to;                         /* NULL: it serves */
    int uid, front_uid, access_uid, steward_uid;   /* -1: not given */
    uint8_t wal_key[KEYS_BYTES];
    uint8_t bin[HASH_BYTES], conf[HASH_BYTES];     /* what runs, with what configuration: the `start` leaf */
    struct jail_state walls;
    struct loop_timer sweep, status;
} start = {.uid = -1, .front_uid = -1, .access_uid = -1, .steward_uid = -1};

/* config --------------------------------------------------------------------------------------------------------------- */

static bool read_arguments(int argc, char **argv)
{
    const char *dir = NULL;
    for (int i = 1; i < argc; i++) {
        int *to = strcmp(argv[i], "--uid") == 0 ? &start.uid : strcmp(argv[i], "--front-uid") == 0 ? &start.front_uid
                  : strcmp(argv[i], "--access-uid") == 0 ? &start.access_uid : strcmp(argv[i], "--steward-uid") == 0 ? &start.steward_uid : NULL;
        uint64_t n = 0;
        if (to) {
            if (++i == argc || slice_u64(slice_str(argv[i]), UID_MAX, &n) != ERR_OK) return false;
            *to = (int)n;
        } else if (strcmp(argv[i], "--init") == 0) {
            start.init = true;
        } else if (strcmp(argv[i], "--export-provider") == 0) {
            if (++i == argc) return false;
            start.export_to = argv[i];
        } else if (argv[i][0] == '-' || dir) {
            return false;
        } else {
            dir = argv[i];
        }
    }
    if (!dir || strlen(dir) > DIR_BYTES_MAX || (start.init && start.export_to)) return false;
    memcpy(start.dir, dir, strlen(dir) + 1);
    return true;
}

static int fail(const char *what, const struct buf *why, enum err e)
{
    fprintf(stderr, "tillit-gate: %s: %.*s\n", what, why->n ? (int)why->n : (int)strlen(err_text(e)),
            why->n ? (const char *)why->p : err_text(e));
    return e == ERR_CONFIG || e == ERR_INPUT ? 2 : 4;
}

static enum err read_config(struct gate *g, struct buf *why)
{
    char path[DIR_BYTES_MAX + 32];
    snprintf(path, sizeof path, "%s/tillit.conf", start.dir);
    TRY(conf_read(path, &g->conf, why));
    if (strlen(g->conf.region) >= sizeof g->region || strlen(g->conf.domain) >= sizeof g->domain ||
        strlen(g->conf.anonymous_tenant) >= sizeof g->anonymous_tenant) {
        buf_printf(why, "%s: region, domain or anonymous_tenant in [s3] is too long", path);
        return ERR_CONFIG;
    }
    memcpy(g->region, g->conf.region, strlen(g->conf.region) + 1);
    memcpy(g->domain, g->conf.domain, strlen(g->conf.domain) + 1);
    memcpy(g->anonymous_tenant, g->conf.anonymous_tenant, strlen(g->conf.anonymous_tenant) + 1);
    return ERR_OK;
}

/* open ------------------------------------------------------------------------------------------------------------------ */

static void hash_file(struct gate *g, const char *path, uint8_t out[HASH_BYTES])
{
    AUTO(buf) struct buf b = BUF_INIT(START_FILE_BYTES_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    for (uint8_t *at; fd >= 0 && (at = buf_room(&b, 65536)) && (n = read(fd, at, 65536)) > 0;) b.n += (size_t)n;
    if (fd >= 0) close(fd);
    ledger_sha256(&g->hash, buf_slice(&b), out);
}

static void make_dirs(void)
{
    static const char *const dirs[] = {"gate", "gate/wal", "gate/logs", "gate/openings", "gate/state", "gate/keys", "run", "run/gate"};
    char path[DIR_BYTES_MAX + 32];
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        snprintf(path, sizeof path, "%s/%s", start.dir, dirs[i]);
        mkdir(path, strncmp(dirs[i], "run", 3) == 0 || !strchr(dirs[i], '/') ? 0711 : strcmp(dirs[i], "gate/logs") == 0 ? 0755 : 0700);
    }
}

static enum err open_keys(struct gate *g, struct buf *why)
{
    char path[DIR_BYTES_MAX + 32];
    g->rng = keys_rng();
    g->crypto = keys_ctx_new();
    if (!g->crypto) return ERR_CRYPTO;
    TRY(ledger_hash_init(&g->hash));
    snprintf(path, sizeof path, "%s/tillit.conf", start.dir);
    hash_file(g, "/proc/self/exe", start.bin);
    hash_file(g, path, start.conf);
    if (start.init) TRY(tenants_keys_create(g, why));
    return tenants_keys_open(g, start.wal_key, why);
}

/* Rule 6: what was read is durable before anyone acts on it; while the disk does not take it, nobody is served. */
static enum err open_logs(struct gate *g, struct buf *why)
{
    char path[DIR_BYTES_MAX + 32];
    snprintf(path, sizeof path, "%s/gate", start.dir);
    struct logbook_config c = {.gate_dir = path, .loop = g->loop, .rng = g->rng, .wal_key = start.wal_key, .wall_ms = clock_wall_ms()};
    for (;;) {
        buf_reset(why);
        enum err e = logbook_open(&g->logbook, &c, &g->boot, why);
        if (e == ERR_OK) break;
        if (start.init || (e != ERR_FULL && e != ERR_IO)) return e;
        log_line(LOG_ERROR, "log-not-open", "err=%s", err_name(e));
        usleep(500 * 1000);
        c.wall_ms = clock_wall_ms();
    }
    wipe(start.wal_key, sizeof start.wal_key);
    return tenants_open(g, why);
}

static void open_tables(struct gate *g)
{
    g->requests = requests_new(g);
    g->holds = holds_new(g->loop);
    g->recent = recent_new(g->rng);
    g->repeats = repeats_new(g->rng);
    g->summaries = summaries_new(g);
    g->writable = true;
}

/* P3.12: each start says on the provider's log what runs. */
static void record_start(struct gate *g)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX);
    struct record_writer w;
    uint64_t t;
    if (log_size(g->provider) == 0 || !logbook_ready(g->logbook, false)) return;
    if (log_time(g->provider, clock_wall_ms(), &t) != ERR_OK) return;
    record_begin(&w, RECORD_K_START, &leaf, NULL);
    record_put_hash(&w, RECORD_F_BIN, start.bin);
    record_put_int(&w, RECORD_F_BOOT, g->boot);
    record_put_hash(&w, RECORD_F_CONF, start.conf);
    if (g->conf.s3_tests) record_put_text(&w, RECORD_F_PROFILE, SLICE_LIT("s3-tests"));
    record_put_int(&w, RECORD_F_T, t);
    enum err e = record_end(&w);
    ASSERT(e == ERR_OK);
    struct log_append a = {.leaf = buf_slice(&leaf), .void_ref = UINT64_MAX};
    logbook_append(g->logbook, g->provider, &a, NULL);
}

/* jail ------------------------------------------------------------------------------------------------------------------- */

static enum err enter_jail(void)
{
    char rw[2][DIR_BYTES_MAX + 32], ro[1][DIR_BYTES_MAX + 32];
    snprintf(rw[0], sizeof rw[0], "%s/gate", start.dir);
    snprintf(rw[1], sizeof rw[1], "%s/run/gate", start.dir);
    snprintf(ro[0], sizeof ro[0], "%s/run", start.dir);
    const char *const read_write[] = {rw[0], rw[1], NULL};
    const char *const read_only[] = {ro[0], NULL};
    const struct jail j = {.uid = start.uid > 0 ? (uid_t)start.uid : 0, .read_write = read_write, .read_only = read_only, .memory_lock = true};
    return jail_enter(&j, &start.walls);
}

/* loop ------------------------------------------------------------------------------------------------------------------- */

static void sweep(struct loop_timer *t)
{
    step_sweep(&gate);
    loop_timer_set(gate.loop, t, GATE_SWEEP_MS);
}

#define STATUS_MS 1000
#define STATUS_STARTING_MS 100                     /* what is said of a start must not stand for a second after it */

static void status(struct loop_timer *t)
{
    status_write(&gate, keeper_ready(&gate), start.walls.landlock_abi);
    loop_timer_set(gate.loop, t, keeper_ready(&gate) ? STATUS_MS : STATUS_STARTING_MS);
}

static void on_signal(void *ctx, int sig)
{
    if (sig != SIGHUP) loop_stop(ctx);             /* SIGHUP: the configuration's hash is on record: a new one is a new start */
}

static int serve(struct gate *g, struct buf *why)
{
    for (size_t i = 0; i < g->tenant_count; i++) {
        enum err e = g->tenant_list[i]->flow ? ERR_OK : flow_begin(g, g->tenant_list[i]);
        if (e != ERR_OK) return fail("a tenant's commands cannot be read back", why, e);
    }
    logbook_heads_start(g->logbook, g->heads);
    record_start(g);
    g->keeper = keeper_new(g);
    start.sweep.fire = sweep;
    start.status.fire = status;
    loop_timer_set(g->loop, &start.sweep, GATE_SWEEP_MS);
    loop_timer_set(g->loop, &start.status, 0);
    log_line(LOG_INFO, "ready", "boot=%u tenants=%zu landlock=%d", g->boot, g->tenant_count, start.walls.landlock_abi);
    loop_run(g->loop);
    conns_close(g);
    session_forget(g);
    logbook_close(g->logbook);
    log_line(LOG_INFO, "stopped", "boot=%u", g->boot);
    return 0;
}

static int init(struct gate *g, struct buf *why)
{
    enum err e = open_logs(g, why);
    if (e != ERR_OK) return fail(start.dir, why, e);
    open_tables(g);
    int code = init_run(g);
    logbook_close(g->logbook);
    return code;
}

/* The provider's officers read their own log whole; the root key is what lets whoever runs this. */
static int export(struct gate *g, struct buf *why)
{
    enum err e = open_logs(g, why);
    if (e != ERR_OK) return fail(start.dir, why, e);
    int code = export_provider(g);
    logbook_close(g->logbook);
    return code;
}

int main(int argc, char **argv)
{
    struct gate *g = &gate;
    char path[DIR_BYTES_MAX + 32];
    /* config */
    if (!read_arguments(argc, argv)) {
        fprintf(stderr, "usage: tillit-gate DIR [--init | --export-provider OUT] [--uid N] [--front-uid N] [--access-uid N] [--steward-uid N]\n");
        return 2;
    }
    jail_early();
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    log_init("gate", LOG_INFO);
    AUTO(buf) struct buf why = BUF_INIT(4096);
    enum err e = read_config(g, &why);
    if (e != ERR_OK) return fail(start.dir, &why, e);
    int code = start.export_to ? export_begin(start.dir, start.export_to) : 0;
    if (code != 0) return code;
    snprintf(path, sizeof path, "%s/run/breaks", start.dir);
    breaks_init(path);
    /* open */
    g->dir = start.dir;
    g->started_ms = clock_wall_ms();
    g->loop = loop_new();
    loop_signal(g->loop, SIGTERM, on_signal, g->loop);
    loop_signal(g->loop, SIGINT, on_signal, g->loop);
    loop_signal(g->loop, SIGHUP, on_signal, g->loop);
    make_dirs();
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_LOAD_CONFIG, NULL);   /* reads files: before the jail */
    e = open_keys(g, &why);
    if (e != ERR_OK) return fail("keys", &why, e);
    if (start.init) return init(g, &why);
    if (start.export_to) return export(g, &why);
    if (conns_open(g, start.front_uid, start.access_uid, start.steward_uid) != ERR_OK) return fail("run/gate: cannot listen", &why, ERR_IO);
    /* jail */
    if (enter_jail() != ERR_OK) return fail("the jail cannot be entered", &why, ERR_IO);
    /* peers: nobody is accepted before the loop runs */
    e = open_logs(g, &why);
    if (e != ERR_OK) return fail(start.dir, &why, e);
    open_tables(g);
    /* loop */
    return serve(g, &why);
}
