/* SPDX-License-Identifier: Apache-2.0
 * logbook: all logs of a gate on one write-ahead log. The only place where a leaf becomes durable (LAW-1).
 *
 * Life of a leaf: logbook_append() gives it its index at once and queues it; at the end of the turn the committer thread takes
 * everything queued, writes one batch {records, per log size and root, marks} into the zero-filled WAL file, fdatasyncs, and wakes
 * the loop, which calls durable() of each waiter in append order. The flusher thread later copies records to the flat files
 * (docs/spec/log.md), syncs them, and lets WAL files be recycled: only below every log's mark and flushed size.
 *
 * Failing: a WAL write or fdatasync that fails ends the process (panic, never retried on the same pages); at the next start the WAL
 * ends where its chain ends. logbook_open() copies the valid tail into a fresh file and syncs that before anyone may act on it
 * (rule 6); while the disk does not take it, it returns ERR_FULL or ERR_IO and the gate tries again without serving.
 *
 * Published is what is written to the flat files (durable in the WAL already), flushed what is synced there: flushed moves only when a
 * WAL file is full, published within PUBLISH_MS.
 *
 * The two threads start in logbook_open(): enter the jail before it, because walls that one thread puts up later do not hold the others.
 * Threads: every function from the loop's thread. Ownership: slices are copied before the call returns.
 */
#ifndef TILLIT_GATE_LOGBOOK_H
#define TILLIT_GATE_LOGBOOK_H

#include "base/base.h"
#include "ledger/ledger.h"
#include "loop/loop.h"

struct logbook;
struct gate_log;

enum log_kind { LOG_KIND_CONTROL = 1, LOG_KIND_ACCESS = 2, LOG_KIND_PROVIDER = 3, LOG_KIND_HEADS = 4 };

struct logbook_config {
    const char *gate_dir;              /* DIR/gate: wal/, logs/, openings/ below it; logs/ is readable by the front, openings/ is not */
    struct loop *loop;
    const struct rng *rng;
    const uint8_t *wal_key;            /* 32 bytes: seals commands in the WAL (names must not lie there in clear) */
    uint64_t wall_ms;                  /* start time */
};
/* Reads the WAL and what is flat, repairs (rule 6), starts committer and flusher. *boot is a number that grows at every start
 * and is durable before this returns (sealing nonces contain it). ERR_CORRUPT: flat files and WAL contradict: message in `why`. */
MUST_USE enum err logbook_open(struct logbook **out, const struct logbook_config *c, uint32_t *boot, struct buf *why);
void logbook_close(struct logbook *lb);                          /* flushes what is durable, joins threads */

struct log_params {
    uint8_t id[ID_BYTES];
    enum log_kind kind;
    const char *origin;                /* checkpoint origin, also the vkey's name */
    uint8_t seed[32];                  /* Ed25519 signing seed */
    uint8_t opening_key[32];
    uint32_t slot;                     /* position in the heads log; UINT32_MAX for the heads log itself */
    uint8_t slot_salt[32];
};
/* Adopts a log that is on disk (by id), or makes a new one when there is none. ERR_CORRUPT when its files do not agree. */
MUST_USE enum err logbook_add(struct logbook *lb, const struct log_params *p, struct gate_log **out);
struct slice logbook_why(const struct logbook *lb);              /* what the last failing logbook_add() found, and the remedy; a loan */
/* For ids in WAL or logs/ that nobody added: doctor names them. */
size_t logbook_unknown(struct logbook *lb);

/* waiting for durability; embedded by the owner; must stay alive until durable() ran */
struct log_wait {
    struct list node;
    void (*durable)(struct log_wait *w);
    struct gate_log *log;
    uint64_t index;
};
struct log_append {
    struct slice leaf;                 /* canonical, <= LEAF_BYTES_MAX */
    struct slice opening;              /* plaintext; sealed here under the log's opening key at (boot, index) */
    struct slice command;              /* plaintext of APPLY's command; empty when there is no effect; sealed under wal_key */
    uint64_t void_ref;                 /* index this leaf voids, or UINT64_MAX */
};
/* Gives the index. w may be NULL. Never fails; call logbook_ready() first. */
uint64_t logbook_append(struct logbook *lb, struct gate_log *l, const struct log_append *a, struct log_wait *w);
/* May a leaf be appended now? false: WAL space for `reserve` cannot be had (disk full and the reserve used up): answer 503 before
 * the leaf. `writes`: false already when the disk is at its reserve (writes stop first, reads and exports go on). */
bool logbook_ready(struct logbook *lb, bool writes);

uint64_t log_size(const struct gate_log *l);                     /* appended */
uint64_t log_durable(const struct gate_log *l);
uint64_t log_published(const struct gate_log *l);                /* in flat files, <= durable: what the front may serve */
enum log_kind log_kind_of(const struct gate_log *l);
const uint8_t *log_id(const struct gate_log *l);
const char *log_origin(const struct gate_log *l);
const char *log_name(const struct gate_log *l);                  /* "<kind letter>-<id base32>": receipts name logs like this */
void log_vkey(const struct gate_log *l, struct buf *out);        /* note verifier key text */
/* Milliseconds for the next leaf: max(last leaf's t, wall). wall behind last by > 5 s is degraded (doctor), > 15 min refuses: ERR_STALE. */
MUST_USE enum err log_time(struct gate_log *l, uint64_t wall_ms, uint64_t *t);
void log_set_last_time(struct gate_log *l, uint64_t t);          /* at start, from the last leaf */

/* rule 5: the applied mark. It only grows and is at most log_durable(); it is durable with the next batch (or within 1 s). */
void log_mark_set(struct gate_log *l, uint64_t mark);
uint64_t log_mark_durable(const struct gate_log *l);
/* Recovery: every record with a command at or above the mark that no later record voids, in order, as the WAL held them when it was
 * opened. Commands appended since are the caller's own to remember until they are settled. The callback may append and set marks; what
 * it gets is a loan for the call. */
typedef enum err (*log_pending_cb)(void *ctx, uint64_t index, struct slice leaf, struct slice command);
MUST_USE enum err log_pending(struct gate_log *l, log_pending_cb cb, void *ctx);

/* Reading back (cold path; flat files or the WAL's memory tail). ERR_MISSING past durable. Opening comes decrypted; an erased or
 * unreadable one is ERR_CORRUPT. */
MUST_USE enum err log_read(struct gate_log *l, uint64_t index, struct buf *leaf, struct buf *opening);

/* All that are durable, in order, each as log_read() gives it: for the fold of a whole log at a start. What `each` gets are loans for the call;
 * its error ends the walk and is the answer. Before it comes `check` (NULL: none), on a thread of the walk's own while there are many: it must
 * look at nothing but what it gets; its error ends the walk when the leaf's turn has come. */
typedef enum err (*log_check)(struct ledger_hash *h, struct slice leaf, struct slice opening);
typedef enum err (*log_each)(void *ctx, uint64_t index, struct slice leaf, struct slice opening);
MUST_USE enum err log_walk(struct gate_log *l, log_check check, log_each each, void *ctx);

/* Signed checkpoint of the published size (signed once per size, cached). */
MUST_USE enum err log_checkpoint(struct gate_log *l, struct buf *out);
void log_slot_text(const struct gate_log *l, struct buf *out);

/* The heads log: an epoch every EPOCH_MS over all slots, appended and signed here (heads.c); the first at start. `appended` is
 * called for epochs to let the owner build the leaf: none needed, heads.c builds it with the record room. */
void logbook_heads_start(struct logbook *lb, struct gate_log *heads);

/* For doctor and metrics. */
struct logbook_stats {
    uint64_t batches, records, syncs, wal_bytes, wal_files, flushed, age_of_full_check_ms;
    bool degraded_clock, at_reserve;
    uint64_t corrupt;                  /* logs whose leaf hashes did not give the head they were opened with: not signed any more */
};
void logbook_stats(const struct logbook *lb, struct logbook_stats *out);

#endif
