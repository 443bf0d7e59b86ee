/* SPDX-License-Identifier: Apache-2.0
 * tillit-keeper DIR [--uid N --gate-uid N --front-uid N --access-uid N]: config, open, jail, peers, loop, in that order.
 * Role: started and restarted by serve; holds the index and the blobs.
 * Trusts: its command line. Distrusts: everything that comes in on its sockets, by role.
 * Law: 2
 * Spec: ARCHITECTURE.md
 */
#include "jail/jail.h"
#include "keeper/keeper.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_CHARS_MAX 4096
#define UID_MAX_ARG 65535

struct args {
    const char *dir;
    int uid, gate_uid, front_uid, access_uid; /* -1: not given */
};

static int usage(void) {
    (void)fprintf(stderr, "usage: tillit-keeper DIR [--uid N] [--gate-uid N] [--front-uid N] [--access-uid N]\n");
    return 2;
}

static bool parse(int argc, char **argv, struct args *a) {
    *a = (struct args){.uid = -1, .gate_uid = -1, .front_uid = -1, .access_uid = -1};
    for (int i = 1; i < argc; i++) {
        int *number = strcmp(argv[i], "--uid") == 0          ? &a->uid
                      : strcmp(argv[i], "--gate-uid") == 0   ? &a->gate_uid
                      : strcmp(argv[i], "--front-uid") == 0  ? &a->front_uid
                      : strcmp(argv[i], "--access-uid") == 0 ? &a->access_uid
                                                             : NULL;
        if (number != NULL) {
            uint64_t value = 0;
            if (++i >= argc || slice_u64(slice_str(argv[i]), UID_MAX_ARG, &value) != ERR_OK) return false;
            *number = (int)value;
        } else if (argv[i][0] == '-' || a->dir != NULL) {
            return false;
        } else {
            a->dir = argv[i];
        }
    }
    return a->dir != NULL && strlen(a->dir) < PATH_CHARS_MAX - 64;
}

static bool make_dir(const char *path, mode_t mode) {
    if (mkdir(path, mode) == 0 || errno == EEXIST) return true;
    (void)fprintf(stderr, "tillit-keeper: cannot make %s: %s\n", path, strerror(errno));
    return false;
}

/* run/ may be read for the file that names breaks; a release build never asks for it. */
static enum err enter_jail(const struct args *a, const char *keeper_dir, const char *run_dir) {
    struct jail_state walls;
    const char *const read_write[] = {keeper_dir, NULL};
    const char *const read_only[] = {run_dir, NULL};
    /* A directory made just now, by a keeper that was started alone, is root's until here. */
    if (a->uid > 0 && geteuid() == 0 && chown(keeper_dir, (uid_t)a->uid, (gid_t)a->uid) != 0) return ERR_IO;
    const struct jail j = {.uid = a->uid > 0 ? (uid_t)a->uid : 0, .read_write = read_write, .read_only = read_only, .memory_lock = true};
    TRY(jail_enter(&j, &walls));
    log_line(walls.landlock_abi == 0 ? LOG_WARN : LOG_INFO, "jail", "landlock_abi=%d seccomp=%d", walls.landlock_abi, walls.seccomp);
    return ERR_OK;
}

static void stop(void *ctx, int sig) {
    (void)sig;
    loop_stop(ctx);
}

static void ignore_hup(void *ctx, int sig) {
    (void)ctx;
    (void)sig;
}

int main(int argc, char **argv) {
    struct args a;
    char keeper_dir[PATH_CHARS_MAX];
    char run_dir[PATH_CHARS_MAX];
    char path[PATH_CHARS_MAX];
    jail_early();
    /* config */
    if (!parse(argc, argv, &a)) return usage();
    (void)umask(0);
    log_init("keeper", LOG_INFO);
    (void)snprintf(keeper_dir, sizeof keeper_dir, "%s/keeper", a.dir);
    (void)snprintf(run_dir, sizeof run_dir, "%s/run", a.dir);
    (void)snprintf(path, sizeof path, "%s/breaks", run_dir);
    breaks_init(path);
    (void)signal(SIGPIPE, SIG_IGN);
    /* open */
    (void)snprintf(path, sizeof path, "%s/keeper", run_dir);
    if (!make_dir(run_dir, 0711) || !make_dir(path, 0711) || !make_dir(keeper_dir, 0711)) return 4;
    struct loop *l = loop_new();
    struct keeper k;
    loop_signal(l, SIGTERM, stop, l);
    loop_signal(l, SIGINT, stop, l);
    loop_signal(l, SIGHUP, ignore_hup, NULL);
    int mode = 0666; /* the walls are the directory (without root) and the peer's uid (with it) */
    (void)snprintf(path, sizeof path, "%s/keeper/gate", run_dir);
    struct wire_listener *gates = wire_listen(l, path, mode, a.gate_uid, conn_gate_accepted, &k);
    (void)snprintf(path, sizeof path, "%s/keeper/front", run_dir);
    struct wire_listener *fronts = gates == NULL ? NULL : wire_listen(l, path, mode, a.front_uid, conn_front_accepted, &k);
    (void)snprintf(path, sizeof path, "%s/keeper/access", run_dir);
    struct wire_listener *accesses = fronts == NULL ? NULL : wire_listen(l, path, mode, a.access_uid, conn_access_accepted, &k);
    if (accesses == NULL) {
        (void)fprintf(stderr, "tillit-keeper: cannot listen below %s/keeper: %s\n", run_dir, strerror(errno));
        return 3;
    }
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_LOAD_CONFIG, NULL); /* reads files: before the jail */
    /* jail */
    if (enter_jail(&a, keeper_dir, run_dir) != ERR_OK) {
        (void)fprintf(stderr, "tillit-keeper: the jail cannot be entered as uid %d: %s\n", a.uid, strerror(errno));
        return 4;
    }
    /* peers */
    uint8_t boot[ID_BYTES];
    if (getrandom(boot, sizeof boot, 0) != (ssize_t)sizeof boot) return 4;
    struct keeper_config config = {.dir = keeper_dir, .engine = &store_engine_rocksdb,
                                   .reserve_bytes = break_value("keeper-reserve-mib", KEEPER_RESERVE_BYTES >> 20) << 20};
    enum err e = keeper_start(&k, l, &config, boot);
    if (e != ERR_OK) {
        (void)fprintf(stderr, "tillit-keeper: cannot use %s: %s; it must be writable by uid %u\n", keeper_dir, err_text(e), geteuid());
        return 4;
    }
    log_line(LOG_INFO, "ready", "front_next=%llu", (unsigned long long)k.front_next);
    /* loop */
    loop_run(l);
    wire_listener_free(gates);
    wire_listener_free(fronts);
    wire_listener_free(accesses);
    keeper_stop(&k);
    loop_free(l);
    return 0;
}
