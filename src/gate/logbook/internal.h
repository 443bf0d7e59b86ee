/* SPDX-License-Identifier: Apache-2.0
 * What the logbook's files share: logs, chunks, batches, WAL files, the disk's functions, and who may touch what.
 * Role: logbook.c is the loop's side; commit.c the committer's thread; flush.c the flusher's; flat.c, wal.c serve both.
 * Trusts: nothing on disk. Distrusts: every byte of the WAL and of the flat files.
 * Law: 1. Spec: docs/spec/wal.md, log.md
 *
 * A record's way. logbook_append() copies plaintext into the open *chunk* (one chunk per turn of the loop). The committer takes all
 * chunks there are, seals, hashes and encodes them into one *batch*, writes and syncs it, gives the chunks' waiters to the loop, and
 * hands the batch to the flusher. The flusher links the batches' records log by log, writes them to the flat files and frees the batches.
 *
 * Who owns what: fields are marked L (loop), C (committer), F (flusher), K (under lb->lock), A (atomic: written by the one named).
 * Before logbook_start() and after the threads were joined the caller of open or close is all three.
 */
#ifndef TILLIT_GATE_LOGBOOK_INTERNAL_H
#define TILLIT_GATE_LOGBOOK_INTERNAL_H

#include "gate/logbook.h"
#include "keys/keys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* the disk ---------------------------------------------------------------------------------------------------------- */

/* Every durable write goes through this table, so that tests can fail each of them: before or after it took effect. All answer as the
 * system call does. */
enum logbook_io_what { LOGBOOK_IO_WAL, LOGBOOK_IO_MAKE, LOGBOOK_IO_FLAT };
struct logbook_io {
    ssize_t (*pwrite)(void *ctx, enum logbook_io_what what, int fd, const void *p, size_t n, off_t at);
    int (*fdatasync)(void *ctx, enum logbook_io_what what, int fd);
    int (*dirsync)(void *ctx, int fd);
    int (*rename)(void *ctx, int dir, const char *from, const char *to);
    void *ctx;
};
extern const struct logbook_io logbook_io_disk;
/* All n bytes or an error: ERR_FULL (ENOSPC, EDQUOT), ERR_IO. */
MUST_USE enum err logbook_io_write(const struct logbook_io *io, enum logbook_io_what what, int fd, const void *p, size_t n, uint64_t at);
MUST_USE enum err logbook_io_read(int fd, void *p, size_t n, uint64_t at);        /* short: ERR_TRUNCATED */

/* WAL format (wal.c: pure) -------------------------------------------------------------------------------------------- */

#define WAL_MAGIC 0x5457414cu /* "TWAL" */
#define WAL_VERSION 1
#define WAL_HEADER_BYTES 64
#define WAL_CHAIN_BYTES 16
#define WAL_ROW_BYTES 72
#define WAL_FLAG_FIRST 1
#define WAL_FLAG_BASE 2
#define WAL_RECORD_COMMAND 1
#define WAL_RECORD_VOIDS 2
#define WAL_RECORD_FIXED_BYTES (ID_BYTES + 8 + 1 + 8 + 2 + 4 + 4)     /* at most, without the three texts */
#define WAL_NO_VOID UINT64_MAX

struct wal_header {
    uint16_t flags;
    uint32_t file, boot, length;
    uint64_t sequence;
    uint8_t previous[WAL_CHAIN_BYTES], chain[WAL_CHAIN_BYTES];
};
struct wal_record {
    uint8_t id[ID_BYTES];
    uint64_t index, void_ref;                          /* WAL_NO_VOID: voids nothing */
    bool has_command;
    struct slice leaf, opening, command;               /* sealed; loans */
};
struct wal_row {
    uint8_t id[ID_BYTES];
    uint64_t size, mark, flushed;
    uint8_t root[HASH_BYTES];
};
/* The batch at the beginning of `bytes` stands by itself: magic, version, length and chain are right. *body is a loan.
 * ERR_CORRUPT when it does not; ERR_VERSION for a newer format. */
MUST_USE enum err logbook_wal_header(struct ledger_hash *h, struct slice bytes, struct wal_header *out, struct slice *body);
/* Fills in the header at b->p (WAL_HEADER_BYTES were left free there) over the body behind it. */
void logbook_wal_seal(struct ledger_hash *h, struct wal_header *head, struct buf *b);
void logbook_wal_put_counts(struct buf *b, uint32_t records, uint32_t rows);       /* patches them in place */
void logbook_wal_put_row(struct buf *b, const struct wal_row *row);
/* Iterates a body: counts first, then that many records and rows, then reader_end(). */
void logbook_wal_counts(struct reader *r, uint32_t *records, uint32_t *rows);
void logbook_wal_record(struct reader *r, struct wal_record *out);
void logbook_wal_row(struct reader *r, struct wal_row *out);
void logbook_wal_put_record(struct buf *b, const struct wal_record *rec);          /* sealed as it is; recovery */

/* logs ----------------------------------------------------------------------------------------------------------------- */

/* A log's flat files: how much of them counts. levels: LEDGER_TILE_LEVELS_MAX + 1 files hashes.N. */
struct flat {
    uint64_t count, entries_bytes, openings_bytes;
    uint16_t levels_dirty;                             /* written since the last sync: bit per level */
    bool rest_dirty, dir_dirty;
    int hashes, entries, offsets, data, data_offsets;  /* fds, -1 when closed */
    bool open;
    struct list lru;
};

struct batch_record {
    struct gate_log *log;
    uint64_t index;
    uint32_t leaf_at, leaf_n, opening_at, opening_n;   /* in the batch's body */
    uint32_t level_at, level_count;                    /* in the batch's levels */
    uint8_t hash[HASH_BYTES];
    struct batch *batch;
    struct batch_record *next;                         /* F: next of this log */
};
struct batch_row {
    struct gate_log *log;
    uint64_t size, mark, flushed;
    uint8_t root[HASH_BYTES];
    bool has_records;
    uint64_t mark_need;                                /* a file with this batch is needed until the mark is here */
};
struct batch {
    struct list node;
    struct buf body;                                   /* as it lies in the WAL, header included */
    struct batch_record *records;
    size_t record_count, record_cap;
    struct batch_row *rows;
    size_t row_count, row_cap;
    uint8_t (*levels)[HASH_BYTES];
    size_t level_count, level_cap;
    size_t unflushed;                                  /* F: records not in flat files yet */
    bool linked;                                       /* F */
};

struct found_record {                                  /* one allocation at leaf.p */
    struct wal_record rec;
};
struct pending {                                       /* a command found at start */
    uint64_t index;
    bool voided;
    struct slice leaf, command;                        /* sealed; one allocation at leaf.p */
};

struct gate_log {
    struct logbook *lb;
    uint8_t id[ID_BYTES];
    char id_text[ID_TEXT_CHARS + 1], name[ID_TEXT_CHARS + 3];
    bool added;                                        /* L: false: found in the WAL only */
    enum log_kind kind;
    char *origin;
    uint32_t slot;
    uint8_t slot_salt[32];
    struct ledger_signer signer;                       /* L */
    struct secret opening_key, command_key;            /* constant once added */

    uint64_t next;                                     /* L: size appended */
    uint64_t last_t;                                   /* L */
    uint64_t mark;                                     /* L: as set */
    struct pending *pending;                           /* L */
    size_t pending_count, pending_cap;
    bool mark_queued;                                  /* L: the open chunk has its mark, at mark_at */
    uint32_t mark_at;
    uint64_t signed_size;                              /* L: size of `checkpoint`, UINT64_MAX: none */
    struct buf checkpoint;

    struct ledger_frontier frontier;                   /* C */
    uint64_t c_mark, c_flushed;                        /* C: for the next row */
    uint8_t c_root[HASH_BYTES];                        /* C: of frontier.size */
    uint64_t c_batch;                                  /* C: sequence of the batch that c_row is of */
    uint32_t c_row;
    uint32_t c_file, c_file_slot;                      /* C: file that has a slot for this log */

    _Atomic uint64_t durable, mark_durable, flushed_durable;    /* A: C */
    _Atomic uint64_t published;                        /* A: F, together with pub_root under K */
    uint8_t pub_root[HASH_BYTES];                      /* K */
    bool slot_dirty;                                   /* K */
    struct gate_log *slot_next;                        /* K */

    struct flat flat;                                  /* F */
    struct batch_record *f_first, *f_last;             /* F */
    uint64_t f_size;                                   /* F: size and root after f_last */
    uint8_t f_root[HASH_BYTES];
    struct gate_log *f_next;                           /* F: logs of this round */
    bool f_queued, f_unsynced;
    struct gate_log *sync_next;                        /* F */
    uint64_t sync_count;                               /* F: leaves that the last sync covered */
    uint64_t synced;                                   /* K: flushed size for the next row */
    bool synced_queued;                                /* K */
    struct gate_log *synced_next;                      /* K */

    uint64_t check_size;                               /* F: the background recomputation goes up to here */
    uint8_t check_root[HASH_BYTES];
    bool check_done;                                   /* K */
    _Atomic bool corrupt;                              /* A: F: its leaf hashes do not give the head it was opened with */
    /* Only until logbook_add(): what the WAL said; the records it still held, in index order. */
    struct wal_row found;
    struct found_record *found_records;
    size_t found_count, found_cap;
};

/* from loop to committer ------------------------------------------------------------------------------------------------ */

struct chunk_append {
    struct gate_log *log;
    uint64_t index, void_ref;
    uint32_t leaf_n, opening_n, command_n;             /* in a row in plain */
};
struct chunk_mark {
    struct gate_log *log;
    uint64_t mark;
};
struct chunk {
    struct list node;
    struct buf plain;
    struct chunk_append *appends;
    size_t append_count, append_cap;
    struct chunk_mark *marks;
    size_t mark_count, mark_cap;
    struct list waits;                                 /* log_wait */
};

/* WAL files --------------------------------------------------------------------------------------------------------------- */

struct wal_slot {                                      /* what of one log keeps the file alive */
    struct gate_log *log;
    uint64_t end, mark_need;
};
struct wal_file {
    struct list node;
    uint32_t number;
    int fd;
    uint64_t bytes;
    struct wal_slot *slots;
    size_t slot_count, slot_cap, checked;              /* slots below `checked` hold nothing any more */
};

struct heads;

struct logbook {
    uint32_t magic;
    const struct logbook_io *io;
    struct loop *loop;
    int wal_dir, logs_dir, openings_dir;
    uint64_t file_bytes;                               /* WAL_FILE_BYTES, smaller in tests */
    uint32_t boot;
    struct secret wal_key;
    uint64_t start_mono_ms;

    /* loop's side */
    struct ledger_hash hash;
    struct keys_ctx *keys;
    struct map *by_id;
    struct loop_wake wake;
    struct loop_after after;
    struct loop_timer mark_timer;
    struct chunk *open;
    struct list delivering;                            /* L: waits whose leaves are durable */
    uint64_t queued_bytes;                             /* L: appended, not durable; approximate */
    bool degraded_clock;
    struct buf why;                                    /* of the last logbook_add() that failed */
    struct heads *heads;

    pthread_mutex_t lock, flat_lock, encode_lock;      /* taken in this order: encode_lock or flat_lock, then lock. flat_lock: all of
                                                          F that logbook_add() touches too; encode_lock: the same for C */
    pthread_cond_t to_committer, to_flusher;
    struct list chunks, chunk_pool, done_waits;        /* K */
    struct list batches, batch_pool;                   /* K: batches: durable, not flushed; also log_read's memory */
    struct gate_log *synced_first, *slot_first;        /* K */
    struct gate_log *logs[LOGS_MAX];                   /* K for growing; elements stay */
    size_t log_count;
    bool kick, stop_committer, stop_flusher;           /* K */
    bool flusher_idle;                                 /* K: it waits for work, not for its time */
    _Atomic uint64_t tail_bytes;                       /* A: under K: bodies of `batches` */
    uint64_t done_bytes;                               /* K: appended bytes that became durable, for queued_bytes */
    pthread_t committer, flusher;
    bool running;

    /* WAL files */
    struct wal_file *file;                             /* C */
    uint64_t file_at;                                  /* C */
    uint64_t sequence;                                 /* C: of the last batch */
    uint8_t chain[WAL_CHAIN_BYTES];                    /* C */
    struct wal_file *next;                             /* K: prepared, NULL while the flusher makes it */
    uint32_t next_number;                              /* F */
    struct list old_files;                             /* K: written before `file`, oldest first; flusher takes them off */
    size_t old_count;
    bool switched;                                     /* K: a file was switched since the last flat sync */
    _Atomic unsigned spares;                           /* A: F */
    uint32_t spare_number;                             /* F */
    _Atomic uint64_t file_left;                        /* A: C: bytes of `file` behind file_at */
    _Atomic bool has_next;                             /* A: next != NULL */
    struct gate_log **synced;                          /* C: of this batch */
    size_t synced_count, synced_cap;
    _Atomic bool disk_full;                            /* A: F: the last making of a file, or flat write, failed */
    struct list flat_lru;                              /* F */
    size_t flat_open;
    struct ledger_hash flush_hash;                     /* F */
    struct ledger_hash commit_hash;                    /* C */
    struct keys_ctx *commit_keys;                      /* C */
    struct buf *gather;                                /* F: five buffers, one per kind of flat file */
    struct gate_log *round_first, *unsynced_first, *sync_first;     /* F: to be written, to be synced some day, being synced */
    bool parents_dirty;                                /* F: logs/ or openings/ has a new directory that is not synced */
    size_t check_at;                                   /* F: log that is being recomputed */
    struct ledger_frontier check;

    _Atomic uint64_t stat_batches, stat_records, stat_syncs, stat_bytes, stat_flushed, stat_checked_ms, stat_files;
};
#define LOGBOOK_MAGIC 0x6c6f6762u

/* What logbook_open() is, with the disk and the size of WAL files as arguments. file_bytes 0: WAL_FILE_BYTES. */
MUST_USE enum err logbook_open_with(struct logbook **out, const struct logbook_config *c, const struct logbook_io *io, uint64_t file_bytes,
                                    uint32_t *boot, struct buf *why);

/* recover.c: reads the WAL, writes and names the base, leaves lb->file ready for the committer. */
MUST_USE enum err logbook_recover(struct logbook *lb, uint64_t wall_ms, struct buf *why);
/* logs: registry */
struct gate_log *logbook_log_find(const struct logbook *lb, const uint8_t id[ID_BYTES]);
struct gate_log *logbook_log_new(struct logbook *lb, const uint8_t id[ID_BYTES]);    /* NULL: LOGS_MAX or memory */

void logbook_mark_queue(struct logbook *lb, struct gate_log *l);                    /* l->mark rides in the next batch */

/* commit.c */
void *logbook_committer(void *lb);
/* One batch of these chunks (may be empty: rows only); dies when the disk refuses.
 * false: stopping, and there is no room in the WAL: the chunks stay in the list and nobody is told they are durable. */
bool logbook_commit(struct logbook *lb, struct list *chunks);
void logbook_synced_take(struct logbook *lb);
void logbook_array_room(void **p, size_t *cap, size_t need, size_t item_bytes);      /* doubles; dies without memory */

/* flush.c */
void *logbook_flusher(void *lb);
/* One round by hand: at close, after the threads were joined. */
void logbook_flush_all(struct logbook *lb);
MUST_USE enum err logbook_file_make(struct logbook *lb, const char *name, uint64_t bytes, int *fd);
void logbook_file_free(struct wal_file *f);
void logbook_flat_unsynced(struct logbook *lb, struct gate_log *l);                  /* under flat_lock: to be synced */

/* flat.c */
void logbook_flat_init(struct flat *f);
/* Opens (make: or makes) directories and files, within the bound LOGBOOK_OPEN_LOGS. */
MUST_USE enum err logbook_flat_open(struct logbook *lb, struct gate_log *l, bool make);
void logbook_flat_close(struct logbook *lb, struct gate_log *l);
/* At a start: the first `flushed` leaves count. ERR_CORRUPT when they are not all there. Cuts nothing yet. */
MUST_USE enum err logbook_flat_adopt(struct logbook *lb, struct gate_log *l, uint64_t flushed, struct buf *why);
struct flat_item {
    struct slice leaf, opening;                        /* opening: sealed */
    const uint8_t *hash;
};
/* Gathers items in index order behind *to, which begins as a copy of l->flat; write puts them down. On error nothing is counted and
 * it may be tried again. The hashes of higher levels that leaf `index` completed are written first, by themselves: they are rare. */
MUST_USE enum err logbook_flat_levels(struct logbook *lb, struct gate_log *l, uint64_t index, const uint8_t (*levels)[HASH_BYTES],
                                      unsigned count);
void logbook_flat_gather(struct logbook *lb, struct gate_log *l, const struct flat_item *item, struct flat *to);
MUST_USE enum err logbook_flat_write(struct logbook *lb, struct gate_log *l, const struct flat *to);
MUST_USE enum err logbook_flat_cut(struct logbook *lb, struct gate_log *l);         /* what lies behind flat.count goes */
MUST_USE enum err logbook_flat_sync(struct logbook *lb, struct gate_log *l);
/* Any thread. Either may be NULL. */
/* log.c: any thread with a hash and a context of its own. */
MUST_USE enum err logbook_open_beside(struct ledger_hash *h, struct keys_ctx *c, const struct secret *key, uint64_t index, struct slice leaf,
                                      struct slice sealed, struct buf *out);
/* Many items in order without a system call for each. The loans hold until the next item. */
struct flat_window {
    int fd;
    uint64_t size, at;                                 /* of the file; where `held` begins in it */
    struct buf held;
};
struct flat_walk {
    struct flat_window offsets, entries, data_offsets, data;
};
MUST_USE enum err logbook_flat_walk_begin(struct logbook *lb, const struct gate_log *l, struct flat_walk *w);       /* then walk_end(), whatever it says */
MUST_USE enum err logbook_flat_walk_item(struct flat_walk *w, uint64_t index, struct slice *leaf, struct slice *sealed);
void logbook_flat_walk_end(struct flat_walk *w);
MUST_USE enum err logbook_flat_read(struct logbook *lb, const struct gate_log *l, uint64_t index, struct buf *leaf, struct buf *sealed);
struct flat_reader_ctx {
    struct logbook *lb;
    const struct gate_log *log;
};
enum err logbook_flat_hashes(void *ctx, unsigned level, uint64_t index, unsigned count, uint8_t *out);   /* ctx: flat_reader_ctx */

/* heads.c */
void logbook_heads_stop(struct logbook *lb);
void logbook_slot_dirty(struct logbook *lb, struct gate_log *l);                    /* under lb->lock */

#endif
