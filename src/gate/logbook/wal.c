/* SPDX-License-Identifier: Apache-2.0
 * The WAL's bytes: headers, records, rows; and the functions that reach the disk.
 * Role: commit.c writes with it, recover.c reads with it.
 * Distrusts: every byte that it reads. A batch counts only if its chain value fits.
 * Law: 1. Spec: docs/spec/wal.md section 2
 */
#include "gate/logbook/internal.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* the disk ---------------------------------------------------------------------------------------------------------- */

/* Faults of the test build. "wal-write-enospc" is a full disk: it hits what needs new space (making files, growing flat files), not
 * what overwrites a WAL file that is there. */
static ssize_t disk_pwrite(void *ctx, enum logbook_io_what what, int fd, const void *p, size_t n, off_t at) {
    (void)ctx;
    bool full = what != LOGBOOK_IO_WAL && BREAK("wal-write-enospc");
    bool broken = what == LOGBOOK_IO_WAL && BREAK("wal-write-eio");
    if (full || broken) {
        errno = full ? ENOSPC : EIO;
        return -1;
    }
    return pwrite(fd, p, n, at);
}

static int disk_fdatasync(void *ctx, enum logbook_io_what what, int fd) {
    (void)ctx;
    if (what == LOGBOOK_IO_WAL) {
        uint64_t delay_ms = break_value("wal-sync-delay-ms", 0);
        if (delay_ms > 0) {
            struct timespec ts = {.tv_sec = (time_t)(delay_ms / 1000), .tv_nsec = (long)(delay_ms % 1000) * 1000000};
            nanosleep(&ts, NULL);
        }
        if (BREAK("wal-sync-eio")) {
            errno = EIO;
            return -1;
        }
        if (BREAK("wal-skip-sync")) return 0;
    }
    return fdatasync(fd);
}

static int disk_dirsync(void *ctx, int fd) {
    (void)ctx;
    return fsync(fd);
}

static int disk_rename(void *ctx, int dir, const char *from, const char *to) {
    (void)ctx;
    return renameat(dir, from, dir, to);
}

const struct logbook_io logbook_io_disk = {disk_pwrite, disk_fdatasync, disk_dirsync, disk_rename, NULL};

enum err logbook_io_write(const struct logbook_io *io, enum logbook_io_what what, int fd, const void *p, size_t n, uint64_t at) {
    const uint8_t *from = p;
    while (n > 0) {
        ssize_t done = io->pwrite(io->ctx, what, fd, from, n, (off_t)at);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return done < 0 && (errno == ENOSPC || errno == EDQUOT) ? ERR_FULL : ERR_IO;
        from += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return ERR_OK;
}

enum err logbook_io_read(int fd, void *p, size_t n, uint64_t at) {
    uint8_t *to = p;
    while (n > 0) {
        ssize_t done = pread(fd, to, n, (off_t)at);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return ERR_IO;
        if (done == 0) return ERR_TRUNCATED;
        to += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return ERR_OK;
}

/* headers ----------------------------------------------------------------------------------------------------------- */

#define CHAINED_BYTES (WAL_HEADER_BYTES - WAL_CHAIN_BYTES)
#define CHAIN_AT CHAINED_BYTES

/* The chain covers the header but for the chain itself, and the body. Header and body are one piece of memory with the chain's 16
 * bytes between them: it is taken over the header's part hashed together with the body's hash. */
static void wal_chain(struct ledger_hash *h, const uint8_t *head, struct slice body, uint8_t out[WAL_CHAIN_BYTES]) {
    uint8_t both[CHAINED_BYTES + HASH_BYTES], hash[HASH_BYTES];
    memcpy(both, head, CHAINED_BYTES);
    ledger_sha256(h, body, both + CHAINED_BYTES);
    ledger_sha256(h, slice_of(both, sizeof both), hash);
    memcpy(out, hash, WAL_CHAIN_BYTES);
}

enum err logbook_wal_header(struct ledger_hash *h, struct slice bytes, struct wal_header *out, struct slice *body) {
    *out = (struct wal_header){0};
    struct reader r = reader_of(bytes);
    uint32_t magic = reader_u32(&r);
    uint16_t version = reader_u16(&r);
    out->flags = reader_u16(&r);
    out->file = reader_u32(&r);
    out->boot = reader_u32(&r);
    out->sequence = reader_u64(&r);
    out->length = reader_u32(&r);
    uint32_t reserved = reader_u32(&r);
    reader_fixed(&r, out->previous, sizeof out->previous);
    reader_fixed(&r, out->chain, sizeof out->chain);
    *body = reader_slice(&r, out->length);
    if (r.bad || magic != WAL_MAGIC) return ERR_CORRUPT;
    uint8_t chain[WAL_CHAIN_BYTES];
    wal_chain(h, bytes.p, *body, chain);
    if (memcmp(chain, out->chain, sizeof chain) != 0) return ERR_CORRUPT;
    /* Only now: a version that is not known is a newer writer's only if the bytes are whole. */
    bool known = version == WAL_VERSION && reserved == 0 && (out->flags & ~(WAL_FLAG_FIRST | WAL_FLAG_BASE)) == 0;
    return known ? ERR_OK : ERR_VERSION;
}

void logbook_wal_seal(struct ledger_hash *h, struct wal_header *head, struct buf *b) {
    ASSERT(buf_ok(b) && b->n >= WAL_HEADER_BYTES && b->n - WAL_HEADER_BYTES <= UINT32_MAX);
    head->length = (uint32_t)(b->n - WAL_HEADER_BYTES);
    uint8_t *p = b->p;
    put_be32(p, WAL_MAGIC);
    put_be16(p + 4, WAL_VERSION);
    put_be16(p + 6, head->flags);
    put_be32(p + 8, head->file);
    put_be32(p + 12, head->boot);
    put_be64(p + 16, head->sequence);
    put_be32(p + 24, head->length);
    put_be32(p + 28, 0);
    memcpy(p + 32, head->previous, WAL_CHAIN_BYTES);
    wal_chain(h, p, slice_of(p + WAL_HEADER_BYTES, head->length), head->chain);
    memcpy(p + CHAIN_AT, head->chain, WAL_CHAIN_BYTES);
}

/* bodies ------------------------------------------------------------------------------------------------------------ */

void logbook_wal_put_counts(struct buf *b, uint32_t records, uint32_t rows) {
    ASSERT(b->n >= WAL_HEADER_BYTES + 8);
    put_be32(b->p + WAL_HEADER_BYTES, records);
    put_be32(b->p + WAL_HEADER_BYTES + 4, rows);
}

void logbook_wal_put_row(struct buf *b, const struct wal_row *row) {
    buf_put(b, row->id, ID_BYTES);
    buf_put_u64(b, row->size);
    buf_put(b, row->root, HASH_BYTES);
    buf_put_u64(b, row->mark);
    buf_put_u64(b, row->flushed);
}

void logbook_wal_put_record(struct buf *b, const struct wal_record *rec) {
    bool voids = rec->void_ref != WAL_NO_VOID;
    buf_put(b, rec->id, ID_BYTES);
    buf_put_u64(b, rec->index);
    buf_put_u8(b, (uint8_t)((rec->has_command ? WAL_RECORD_COMMAND : 0) | (voids ? WAL_RECORD_VOIDS : 0)));
    if (voids) buf_put_u64(b, rec->void_ref);
    buf_put_lp16(b, rec->leaf);
    buf_put_lp32(b, rec->opening);
    if (rec->has_command) buf_put_lp32(b, rec->command);
}

void logbook_wal_counts(struct reader *r, uint32_t *records, uint32_t *rows) {
    *records = reader_u32(r);
    *rows = reader_u32(r);
    if (*rows > LOGS_MAX) r->bad = true;
}

void logbook_wal_record(struct reader *r, struct wal_record *out) {
    *out = (struct wal_record){.void_ref = WAL_NO_VOID};
    reader_fixed(r, out->id, ID_BYTES);
    out->index = reader_u64(r);
    uint8_t flags = reader_u8(r);
    if ((flags & ~(WAL_RECORD_COMMAND | WAL_RECORD_VOIDS)) != 0) r->bad = true;
    if (flags & WAL_RECORD_VOIDS) {
        out->void_ref = reader_u64(r);
        if (out->void_ref >= out->index) r->bad = true;       /* a void stands after what it voids */
    }
    out->leaf = reader_lp16(r, LEAF_BYTES_MAX);
    out->opening = reader_lp32(r, OPENING_BYTES_MAX + KEYS_AT_EXTRA_BYTES);
    out->has_command = (flags & WAL_RECORD_COMMAND) != 0;
    if (out->has_command) out->command = reader_lp32(r, COMMAND_BYTES_MAX + KEYS_AT_EXTRA_BYTES);
    if (out->index >= LEDGER_SIZE_MAX) r->bad = true;
}

void logbook_wal_row(struct reader *r, struct wal_row *out) {
    *out = (struct wal_row){0};
    reader_fixed(r, out->id, ID_BYTES);
    out->size = reader_u64(r);
    reader_fixed(r, out->root, HASH_BYTES);
    out->mark = reader_u64(r);
    out->flushed = reader_u64(r);
    if (out->size > LEDGER_SIZE_MAX || out->flushed > out->size || out->mark > out->size) r->bad = true;
}
