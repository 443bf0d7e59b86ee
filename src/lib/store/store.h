/* SPDX-License-Identifier: Apache-2.0
 * store: where the keeper's rows and bytes lie.
 *
 * What an engine must promise
 *   atomic         a batch is seen and kept as a whole or not at all, after kill -9 and after a power cut too.
 *   durable        when store_write() says ERR_OK, the batch survives a power cut. Nobody sees it before that.
 *   unknown        a failed store_write() may or may not be there: nothing more is written or believed on this handle until
 *                  store_reopen(); then the apply number that every batch carries says which.
 *   not forked     a handle is never used after fork().
 *   may be short   "it opened" does not mean that nothing is lost: a flipped bit in a write-ahead log, or a directory put back
 *                  from a copy, opens without complaint with an older state. The caller compares the apply number and the
 *                  watermarks with the log.
 *   sealed         the files of the rocksdb engine are encrypted as a whole (AES-256-CTR, a key of its own per file under the
 *                  index key): names are confidential at rest. There is no integrity in it.
 *
 * Parts
 *   shard   struct store: two ordered tables with atomic batches, point get, snapshots and bounded iterators.
 *           Engines: rocksdb (product), mem (tests: faults on command).
 *   packs   append-only files of 64 MiB for blobs of 2 KiB to 1 MiB. Bytes are fdatasynced before the row that names them.
 *   files   one file per larger blob, made under stage/, fsynced, then linked to blobs/: a name under stage/ that has two links
 *           is a sealed blob that nobody adopted yet, one with a single link is a torn upload.
 *
 * Threads: store_get, iterators and snapshots from any thread; store_write, store_reopen and store_close from one thread at a
 * time, and reopen and close only while no pin, iterator or snapshot is alive. Packs: append, sync and roll from one thread;
 * read, punch and remove from any. Files: any.
 * Source: measurements and traps of RocksDB 7.8.3 (docs/decisions).
 */
#ifndef TILLIT_STORE_H
#define TILLIT_STORE_H

#include "base/base.h"
#include "base/limits.h"

#include <sys/types.h>

/* batches ----------------------------------------------------------------------------------------------------------- */

/* rows: the index. blobs: inline blobs under time-ordered keys, apart so that they do not thin out the index's blocks. */
enum store_table { STORE_ROWS = 0, STORE_BLOBS = 1 };

/* A batch is also an overlay: the last put or delete of a key wins, and what is in it can be read back before it is written. */
struct store_batch;
struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *b);
void store_batch_reset(struct store_batch *b);                                    /* memory is kept */
void store_batch_put(struct store_batch *b, enum store_table t, struct slice key, struct slice value);
void store_batch_del(struct store_batch *b, enum store_table t, struct slice key);
size_t store_batch_count(const struct store_batch *b);                            /* distinct keys */
enum store_seen { STORE_UNTOUCHED, STORE_PUT, STORE_DELETED };
/* What the batch will do to key; *value is valid until the next put or del. */
enum store_seen store_batch_get(const struct store_batch *b, enum store_table t, struct slice key, struct slice *value);

/* shard ------------------------------------------------------------------------------------------------------------- */

struct store;
struct store_engine;
extern const struct store_engine store_engine_mem;
extern const struct store_engine store_engine_rocksdb;

#define STORE_KEY_BYTES 32
struct store_config {
    const char *dir;                         /* made with mode 0700 when it is not there; its parent exists */
    uint8_t key[STORE_KEY_BYTES];            /* the index key */
    bool clear;                              /* no encryption: only for the test that shows what encryption is for */
};
/* ERR_AUTH: the files were written under another key. ERR_VERSION: by a newer program. ERR_CORRUPT: not our files, or torn where
 * no crash tears. ERR_FULL, ERR_IO. message (never NULL) gets one line for a person. The key is copied and wiped at close. */
MUST_USE enum err store_open(const struct store_engine *e, const struct store_config *c, struct store **out, char *message,
                             size_t message_n);
void store_close(struct store *s);
/* Closes and opens again in process: after a failed write. On an error the handle stays, unusable until another reopen works. */
MUST_USE enum err store_reopen(struct store *s, char *message, size_t message_n);

struct store_pin {
    struct slice value;                      /* borrowed from the engine until store_unpin */
    void *hold;
};
MUST_USE enum err store_get(struct store *s, enum store_table t, struct slice key, struct store_pin *pin);   /* ERR_MISSING, ERR_IO */
void store_unpin(struct store *s, struct store_pin *pin);

/* Synced when it returns ERR_OK. ERR_FULL, ERR_IO: unknown outcome, see above. */
MUST_USE enum err store_write(struct store *s, const struct store_batch *b);
/* Makes all that was read back at open durable in its own right: before the first answer after a start. */
MUST_USE enum err store_flush(struct store *s);

struct store_snap;
struct store_snap *store_snap_open(struct store *s);
void store_snap_close(struct store *s, struct store_snap *snap);
MUST_USE enum err store_snap_get(struct store *s, struct store_snap *snap, enum store_table t, struct slice key, struct store_pin *pin);

/* Rows lower <= key < upper, as of snap (NULL: now). Begin with store_iter_seek. upper is copied. Key and value are valid until
 * the next move. After store_iter_valid() is false, store_iter_status() says whether the end was met or the engine failed. */
struct store_iter;
struct store_iter *store_iter_open(struct store *s, struct store_snap *snap, enum store_table t, struct slice upper);
void store_iter_close(struct store *s, struct store_iter *it);
void store_iter_seek(struct store *s, struct store_iter *it, struct slice key);
/* To the last row at or below key, whatever prefix that has: ask for a key below which a row is known to lie, or it walks far. */
void store_iter_seek_back(struct store *s, struct store_iter *it, struct slice key);
void store_iter_next(struct store *s, struct store_iter *it);
bool store_iter_valid(struct store *s, struct store_iter *it);
struct slice store_iter_key(struct store *s, struct store_iter *it);
struct slice store_iter_value(struct store *s, struct store_iter *it);
MUST_USE enum err store_iter_status(struct store *s, struct store_iter *it);

/* mem only: the n-th store_write from now (1 is the next) fails, its batch kept or not; every later call fails until reopen.
 * reopen_failures more reopens fail too. */
void store_mem_fail(struct store *s, unsigned n, bool persisted, unsigned reopen_failures);

/* packs ------------------------------------------------------------------------------------------------------------- */

struct store_packs;
/* dir is made with 0700. A pack is `<8 hex digits>`. */
MUST_USE enum err store_packs_open(const char *dir, struct store_packs **out);
void store_packs_close(struct store_packs *p);
/* Where appending goes on after a start: what the index says is written in the newest pack; what lies behind is no one's. */
void store_packs_resume(struct store_packs *p, uint32_t pack, uint64_t end);
/* Puts data behind the last; to be read, and durable, only after store_packs_sync. Blobs of 16 KiB and more begin and end on 4 KiB so that they
 * can be punched out; smaller ones on 16 B. *taken is what it occupies (padding included). ERR_FULL, ERR_IO: nothing is used. */
MUST_USE enum err store_packs_append(struct store_packs *p, struct slice data, uint32_t *pack, uint64_t *off, uint64_t *taken);
/* fdatasync of what was appended since the last. On failure the bytes are lost for good (the kernel forgets dirty pages): the
 * caller rolls and appends all of them again. */
MUST_USE enum err store_packs_sync(struct store_packs *p);
void store_packs_roll(struct store_packs *p);                                     /* the next append begins a new pack */
void store_packs_end(const struct store_packs *p, uint32_t *pack, uint64_t *end); /* the pack that grows; 0: none */
/* Exactly n bytes. nowait: ERR_BUSY when they are not in memory. ERR_MISSING: no such pack or past its end. */
MUST_USE enum err store_packs_read(struct store_packs *p, uint32_t pack, uint64_t off, void *out, size_t n, bool nowait);
/* Gives the whole 4 KiB blocks of [off, off + n) back to the file system. */
MUST_USE enum err store_packs_punch(struct store_packs *p, uint32_t pack, uint64_t off, uint64_t n);
MUST_USE enum err store_packs_remove(struct store_packs *p, uint32_t pack);       /* ERR_OK when it is not there */

/* files ------------------------------------------------------------------------------------------------------------- */

struct store_files;
/* Makes stage/ (0700) and blobs/ with its 1024 directories (0711: opened by name, not listed). */
MUST_USE enum err store_files_open(const char *keeper_dir, struct store_files **out);
void store_files_close(struct store_files *f);
MUST_USE enum err store_files_create(struct store_files *f, const uint8_t id[ID_BYTES], int *fd);   /* for pwrite; ERR_EXISTS */
/* fsync of the bytes, then the name under blobs/, then fsync of both directories. The caller closes fd. */
MUST_USE enum err store_files_seal(struct store_files *f, const uint8_t id[ID_BYTES], int fd);
MUST_USE enum err store_files_unstage(struct store_files *f, const uint8_t id[ID_BYTES]);           /* adopted: only blobs/ is left */
MUST_USE enum err store_files_remove(struct store_files *f, const uint8_t id[ID_BYTES]);            /* both names; ERR_OK when gone */
MUST_USE enum err store_files_read(struct store_files *f, const uint8_t id[ID_BYTES], uint64_t off, void *out, size_t n);
/* Start: torn uploads are removed, sealed ones are told. */
MUST_USE enum err store_files_sweep(struct store_files *f, void (*sealed)(void *ctx, const uint8_t id[ID_BYTES], uint64_t size), void *ctx);

#endif
