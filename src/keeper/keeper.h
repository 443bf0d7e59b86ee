/* SPDX-License-Identifier: Apache-2.0
 * keeper: the process that holds: the index, the life of blobs, the grave. It decides nothing.
 *
 * Threads
 *   loop        connections, FIND, SCAN, small READs, the stage table. Never blocks but for a read of the index that misses memory.
 *   committer   the only writer of the index and of packs: takes what is queued, in arrival (= log) order, as one synced batch.
 *   io (2)      stage files, seals, removals, reads that a disk must answer.
 * The loop owns all structures but those that say otherwise. A stage that is claimed belongs to the committer until its item
 * comes back (rule 11 of the design: connection close and expiry pass over it).
 * The rules named in comments are those of "The order, and what survives a crash" in ARCHITECTURE.md.
 */
#ifndef TILLIT_KEEPER_H
#define TILLIT_KEEPER_H

#include "keeper/command.h"
#include "loop/loop.h"
#include "store/store.h"
#include "wire/wire.h"

#include <pthread.h>

struct keeper;

/* io: work for threads that may block ------------------------------------------------------------------------------- */

struct io_job {
    struct list node;
    void (*work)(struct io_job *j);               /* on an I/O thread */
    void (*done)(struct io_job *j);               /* on the loop; may free the job */
    void *ctx;
};
struct io_pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list queue, finished;
    pthread_t threads[KEEPER_IO_THREADS];
    bool stop;
    struct loop *loop;
    struct loop_wake wake;
};
void io_start(struct io_pool *p, struct loop *l);
void io_stop(struct io_pool *p);                  /* finishes what is queued, then joins */
void io_add(struct io_pool *p, struct io_job *j);

/* stage: blobs on their way in -------------------------------------------------------------------------------------- */

enum stage_state {
    STAGE_GRANTED,                                /* nothing came yet */
    STAGE_OPEN,                                   /* bytes come in */
    STAGE_SEALING,                                /* all bytes are here, the file is being synced */
    STAGE_SEALED,                                 /* may be adopted */
    STAGE_CLAIMED,                                /* an APPLY in a batch names it: the committer reads it */
    STAGE_DEAD                                    /* failed; swallows what its front still sends */
};
struct front;
struct stage {
    struct list node;                             /* all stages */
    struct list waiting;                          /* credits withheld */
    struct keeper *k;
    uint8_t id[ID_BYTES];
    enum stage_state state;
    uint64_t front_id;                            /* whom the grant names; 0: sealed before this start */
    struct front *front;                          /* while that connection lives and staged something */
    bool dropped;                                 /* free it as soon as nobody works on it */
    uint64_t cipher_max, off, due_ms;             /* off: bytes received */
    uint64_t credited, wire_id;
    struct buf mem;                               /* small blobs whole; large ones what the next write takes */
    bool in_file, last, io_busy;
    int fd;
    struct io_job job;
    struct buf writing;                           /* the running job's bytes */
    uint64_t written;
    enum err io_result;
    bool io_seal;
};
struct front {
    struct list node;
    struct keeper *k;
    struct wire_conn *conn;
    uint64_t id;
    struct list reads;
    bool parked;                                  /* a STAGE came before its GRANT */
    struct buf parked_frame;
    uint64_t parked_id;
    uint8_t parked_blob[ID_BYTES];
    struct loop_timer park_timer;
};

void stage_grant(struct keeper *k, const struct wire_grant *g);
struct stage *stage_find(struct keeper *k, const uint8_t id[ID_BYTES]);
MUST_USE enum err stage_data(struct stage *s, struct front *f, uint64_t wire_id, const struct wire_stage *m);
void stage_drop(struct stage *s);                 /* forget it, bytes too; passes over claimed ones */
void stage_forget(struct stage *s);               /* at the end of the process: memory only */
void stage_front_gone(struct front *f);
bool stage_claim(struct stage *s);                /* false when it is not sealed */
void stage_unclaim(struct stage *s);              /* the APPLY was refused */
void stage_adopted(struct stage *s);              /* the batch is synced: an entry refers to the bytes */
void stage_settled_all(struct keeper *k);
void stage_expire(struct keeper *k);
void stage_sealed_before(void *keeper, const uint8_t id[ID_BYTES], uint64_t size);

/* commit: one writer ------------------------------------------------------------------------------------------------ */

/* What a log's commands keep: rows of E, V, G, T and M but delete markers, and the stored bytes of blobs that any of them names. */
struct usage {
    uint64_t objects, bytes;
};
MUST_USE enum err usage_parse(struct slice value, struct usage *out);        /* a Q row's value */

/* What the loop tells a gate of a log. */
struct commit_log {
    uint64_t watermark;
    struct usage usage;
};
enum item_kind { ITEM_APPLY, ITEM_MARK };
struct commit_item {
    struct list node;
    enum item_kind kind;
    uint64_t wire_id, gate_no, index;             /* index: of the leaf; MARK: the mark */
    uint8_t log[ID_BYTES];
    uint8_t outcome;                              /* WIRE_SETTLED_* */
    struct usage usage;                           /* of the log, behind this item */
    struct slice command;                         /* lies behind the struct */
    size_t claim_count;
    struct stage **claims;                        /* in the command's order; NULL: not there */
};
struct commit {
    struct keeper *k;
    pthread_t thread;
    pthread_mutex_t lock;                         /* guards the lists and flags up to `batch` */
    pthread_cond_t more;
    struct list queue, done;
    size_t queued;
    bool started, stop, busy;
    bool down_wanted, down_acked;                 /* the engine is to be reopened: the loop lets go of it first */
    struct map *logs;                             /* log id -> struct commit_log *; written by the committer under the lock */
    struct buf freed;                             /* X rows whose bytes are gone: lp16 each */
    struct loop_wake wake;
    /* the committer's own */
    struct store_batch *batch;
    uint64_t apply_number;
    size_t refusals;                              /* R rows there may be */
    struct buf release;                           /* this batch's released locations: lp16 each */
    struct buf scratch, scratch2, places;
    struct buf walked;                            /* this batch's V and T rows: lp16 keys */
    bool pack_failed;
    bool alone;                                   /* this batch holds one item */
    int64_t more_objects, more_bytes;             /* what the item under way keeps more than was kept */
};
MUST_USE enum err commit_load(struct commit *c);  /* reads watermarks, usage and the apply number; rule 6 */
void commit_start(struct commit *c, struct keeper *k);
void commit_stop(struct commit *c);
void commit_done(struct commit *c);               /* after io_stop(): what was released in the end is told to it */
void commit_add(struct commit *c, struct commit_item *item);
void commit_kick(struct commit *c);               /* hands the turn's items over */
void commit_forget_queued(struct commit *c);      /* rule 7: what the old gate sent and no batch took */
bool commit_idle(struct commit *c);
size_t commit_queued(struct commit *c);

/* apply: a command's rows; committer's thread. refused: nothing was put. ERR_IO: the engine or (pack_failed) a pack failed. */
MUST_USE enum err apply_item(struct commit *c, struct commit_item *item);

/* release: bytes that nothing refers to any more; after the batch that said so is synced (rule 12) */
void release_bytes(struct keeper *k, struct slice locations);                /* on an I/O thread */

/* scan, read, space ------------------------------------------------------------------------------------------------- */

MUST_USE enum err scan_begin(struct keeper *k, uint64_t wire_id, const struct wire_scan *m);   /* ERR_INPUT: no such kind */
void scan_abort_all(struct keeper *k, bool answer);
void read_begin(struct front *f, uint64_t wire_id, const struct wire_read *m);
void read_front_gone(struct front *f);
MUST_USE enum err read_find(struct keeper *k, uint64_t wire_id, const struct wire_find *m);   /* ERR_INPUT: no such mode */

struct space {
    struct loop_timer timer;
    int dir;
    bool writable, told, ballast;
    uint64_t free_bytes, reserve_bytes;
};
void space_start(struct keeper *k, uint64_t reserve_bytes);
void space_stop(struct keeper *k);
void space_tell(struct keeper *k);                /* to a new gate */
void space_give_ballast(struct keeper *k);        /* any thread */

/* connections --------------------------------------------------------------------------------------------------------- */

void conn_gate_accepted(void *keeper, int fd);
void conn_front_accepted(void *keeper, int fd);
void conn_access_accepted(void *keeper, int fd);  /* of the front for the provider's people: reads, and is named by no grant */
void conn_gate_ready(struct keeper *k);           /* answers OPENINDEX as soon as no batch runs */
void conn_gate_settled(struct keeper *k, struct commit_item *item);
void conn_front_granted(struct keeper *k, const uint8_t blob[ID_BYTES]);
void conn_front_drain(struct keeper *k);
void conn_gate_drain(struct keeper *k);

/* the process ----------------------------------------------------------------------------------------------------------- */

struct keeper_config {
    const char *dir;                              /* DIR/keeper */
    const struct store_engine *engine;
    uint64_t reserve_bytes;
    bool clear;                                   /* only for the test that shows what sealing is for */
};
struct keeper {
    struct loop *loop;
    struct keeper_config config;
    struct wire_hello hello;
    struct store *store;                          /* NULL until the gate brought the key */
    struct store_packs *packs;
    struct store_files *files;
    uint8_t index_key_hash[HASH_BYTES];
    bool down;                                    /* the engine is being reopened; loop's view */
    struct wire_conn *gate;
    uint64_t gate_no;                             /* which gate connection; old items are not answered */
    bool ready_due, ready_told;
    uint64_t ready_id;
    struct buf pieces;                            /* of the APPLY that is coming in; empty between two */
    uint8_t pieces_log[ID_BYTES];
    uint64_t pieces_index;
    struct loop_after kick;
    struct list fronts;
    size_t front_count;
    uint64_t front_next;
    struct map *stages;
    struct list stage_list, credit_waiting;
    size_t stage_bytes;                           /* in memory */
    struct loop_timer sweep;
    struct io_pool io;
    struct commit commit;
    struct space space;
    struct list scans;
    size_t scan_count, read_count;
    struct buf read_buf, list_buf, part_buf;
    bool stopping;
};
/* Directories, packs, files, threads; the index waits for its key. */
MUST_USE enum err keeper_start(struct keeper *k, struct loop *l, const struct keeper_config *config, const uint8_t boot[ID_BYTES]);
void keeper_stop(struct keeper *k);               /* settles the running batch, closes everything */
/* WIRE_READY_* */
uint8_t keeper_open_index(struct keeper *k, const uint8_t key[HASH_BYTES], char *message, size_t message_n);

#endif
