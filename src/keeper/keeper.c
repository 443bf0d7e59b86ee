/* SPDX-License-Identifier: Apache-2.0
 * keeper: puts the parts together and takes them apart again; the same for the process and for its tests.
 * Role: main -> here.
 * Trusts: its directory's owner. Distrusts: what lies in it after a crash: swept before it is used.
 * Spec: src/keeper/keeper.h; DESIGN rules 6, 7, 11
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define KEEPER_SWEEP_MS 1000
#define KEEPER_PATH_CHARS_MAX 4096

static void kick(struct loop_after *a) {
    struct keeper *k = a->ctx;
    commit_kick(&k->commit);
}

static void sweep(struct loop_timer *t) {
    struct keeper *k = t->ctx;
    stage_expire(k);
    loop_timer_set(k->loop, t, KEEPER_SWEEP_MS);
}

static enum err path_in(const char *dir, const char *name, char out[KEEPER_PATH_CHARS_MAX]) {
    int n = snprintf(out, KEEPER_PATH_CHARS_MAX, "%s/%s", dir, name);
    return n > 0 && n < KEEPER_PATH_CHARS_MAX ? ERR_OK : ERR_LIMIT;
}

enum err keeper_start(struct keeper *k, struct loop *l, const struct keeper_config *config, const uint8_t boot[ID_BYTES]) {
    char path[KEEPER_PATH_CHARS_MAX];
    *k = (struct keeper){.loop = l, .config = *config};
    list_init(&k->fronts);
    list_init(&k->stage_list);
    list_init(&k->credit_waiting);
    list_init(&k->scans);
    memcpy(k->hello.boot, boot, ID_BYTES);
    k->front_next = (get_be64(boot) >> 16) + 1; /* never 0, and an id of an earlier start names nobody now */
    TRY(path_in(config->dir, "packs", path));
    TRY(store_files_open(config->dir, &k->files));
    TRY(store_packs_open(path, &k->packs));
    k->stages = map_new(KEEPER_STAGES_MAX);
    k->read_buf = BUF_INIT(WIRE_DATA_BYTES_MAX);
    k->list_buf = BUF_INIT(WIRE_FRAME_BYTES_MAX);
    k->part_buf = BUF_INIT(FOUND_PARTS_BYTES_MAX);
    k->pieces = BUF_INIT(COMMAND_BYTES_MAX);
    k->kick = (struct loop_after){.run = kick, .ctx = k};
    k->sweep = (struct loop_timer){.fire = sweep, .ctx = k};
    io_start(&k->io, l);
    commit_start(&k->commit, k);
    space_start(k, config->reserve_bytes);
    loop_timer_set(l, &k->sweep, KEEPER_SWEEP_MS);
    return ERR_OK;
}

static uint8_t ready_of(enum err e) {
    switch (e) {
    case ERR_OK: return WIRE_READY_OK;
    case ERR_AUTH: return WIRE_READY_WRONG_KEY;
    case ERR_CORRUPT: return WIRE_READY_CORRUPT;
    case ERR_VERSION: return WIRE_READY_VERSION;
    default: return WIRE_READY_IO;
    }
}

static void hash_key(const uint8_t key[HASH_BYTES], uint8_t out[HASH_BYTES]) {
    unsigned n = HASH_BYTES;
    int ok = EVP_Digest(key, HASH_BYTES, out, &n, EVP_sha256(), NULL);
    ASSERT(ok == 1 && n == HASH_BYTES);
}

uint8_t keeper_open_index(struct keeper *k, const uint8_t key[HASH_BYTES], char *message, size_t message_n) {
    uint8_t hash[HASH_BYTES];
    hash_key(key, hash);
    if (k->store != NULL) {
        if (ct_equal(hash, k->index_key_hash, sizeof hash)) return WIRE_READY_OK;
        (void)snprintf(message, message_n, "the index is open under another key: this gate's root key or state is not the one of this directory");
        return WIRE_READY_WRONG_KEY;
    }
    char path[KEEPER_PATH_CHARS_MAX];
    if (path_in(k->config.dir, "index", path) != ERR_OK) return WIRE_READY_IO;
    struct store_config c = {.dir = path, .clear = k->config.clear || BREAK("keeper-clear-index")};
    memcpy(c.key, key, sizeof c.key);
    enum err e = store_open(k->config.engine, &c, &k->store, message, message_n);
    wipe(&c, sizeof c);
    if (e == ERR_OK) e = commit_load(&k->commit);
    if (e == ERR_OK) e = store_files_sweep(k->files, stage_sealed_before, k);
    if (e != ERR_OK) {
        if (message[0] == 0) (void)snprintf(message, message_n, "the index cannot be read: %s", err_text(e));
        store_close(k->store);
        k->store = NULL;
        return ready_of(e);
    }
    memcpy(k->index_key_hash, hash, sizeof hash);
    commit_kick(&k->commit); /* starts the committer */
    return WIRE_READY_OK;
}

void keeper_stop(struct keeper *k) {
    k->stopping = true;
    space_stop(k);
    loop_timer_cancel(k->loop, &k->sweep);
    scan_abort_all(k, false);
    commit_stop(&k->commit);
    io_stop(&k->io);
    commit_done(&k->commit);
    loop_after_del(k->loop, &k->kick);
    if (k->gate != NULL) wire_conn_close(k->gate);
    struct list *n;
    for (n = k->fronts.next; n != &k->fronts; n = n->next) wire_conn_close(container_of(n, struct front, node)->conn);
    /* A loop that was stopped turns no more: then the process ends and takes its connections with it. */
    while ((k->gate != NULL || !list_empty(&k->fronts)) && loop_turn(k->loop, 0)) continue;
    while (!list_empty(&k->stage_list)) {
        /* Files stay: sealed ones wait for the next start's re-sends, torn ones are swept there. */
        struct stage *s = container_of(k->stage_list.next, struct stage, node);
        stage_forget(s);
    }
    map_free(k->stages);
    store_close(k->store);
    store_packs_close(k->packs);
    store_files_close(k->files);
    buf_done(&k->read_buf);
    buf_done(&k->list_buf);
    buf_done(&k->part_buf);
    buf_done(&k->pieces);
}
